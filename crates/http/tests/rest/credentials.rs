//! Credentials: made, listed, rotated, removed, imported; secrets go in and do not come out.

use std::fmt::Write;

use dunlin_coap::Code;
use serde_json::{Value, json};

use crate::device::{Device, Say};
use crate::world::{Answer, World};

/// The public key of the private key 1: the base point of P-256 (SP 800-186 §3.2.1.3).
const SPKI: &str = "3059301306072a8648ce3d020106082a8648ce3d03010703420004\
    6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
    4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
/// The same as `openssl pkey -pubout` writes it.
const PEM: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt
6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==
-----END PUBLIC KEY-----
";
/// Made by OpenSSL; see `make.sh` there.
const AUTHORITY: &str = include_str!("../../../server/tests/certificates/authority.pem");
const DEVICE: &str = include_str!("../../../server/tests/certificates/device.pem");
const SERVER: &str = include_str!("../../../server/tests/certificates/server.pem");
const SERVER_KEY: &str = include_str!("../../../server/tests/certificates/server.key.pem");
const KEY: &str = "000102030405060708090a0b0c0d0e0f";

async fn post(world: &World, uri: &str, body: &Value) -> Answer {
    world.call("POST", uri, body.to_string()).await
}

async fn make(world: &World, body: &Value) -> Value {
    post(world, "credentials", body).await.json(201)
}

fn psk(endpoint: &str) -> Value {
    json!({ "endpoint": endpoint, "psk": { "identity": endpoint, "key": KEY } })
}

#[tokio::test]
async fn a_psk_is_made_and_its_key_never_shown() {
    let world = World::new();
    let made = make(&world, &psk("dev-1")).await;
    assert_eq!(made["id"], "1");
    assert_eq!(made["endpoint"], "dev-1");
    assert_eq!(made["mode"], "psk");
    let shown = json!({ "identity": "dev-1", "identityHex": "6465762d31", "keyBytes": 16 });
    assert_eq!(made["psk"], shown);
    assert_eq!(made["revision"], 0);
    assert_eq!(made["rotatedAt"], Value::Null);
    assert!(made.get("warning").is_none() && made.get("rpk").is_none());
    assert_eq!(world.get("credentials/1").await.json(200), made);
    let list = world.get("credentials").await;
    assert!(!list.text().contains(KEY), "{}", list.text());
    assert_eq!(
        list.json(200),
        json!({ "items": [made], "next": null, "total": 1 })
    );
}

#[tokio::test]
async fn a_key_that_the_server_draws_is_shown_once() {
    let world = World::new();
    let body = json!({ "endpoint": "dev-1", "psk": {} });
    let answer = post(&world, "credentials", &body).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let made = answer.json(201);
    let key = made["psk"]["key"].as_str().unwrap();
    assert_eq!(key.len(), 32);
    assert_eq!(made["psk"]["identity"], "dev-1");
    let again = world.get("credentials/1").await;
    assert!(!again.text().contains(key));
    let rotated = world.call("POST", "credentials/1/rotate", "").await;
    assert_eq!(rotated.header("cache-control"), "no-store");
    let rotated = rotated.json(200);
    assert_ne!(rotated["psk"]["key"], key);
    assert_eq!(rotated["psk"]["key"].as_str().unwrap().len(), 32);
    assert_eq!(rotated["revision"], 1);
    assert!(rotated["rotatedAt"].is_f64());
}

#[tokio::test]
async fn a_public_key_is_taken_in_every_form() {
    for key in [SPKI, PEM, &SPKI.to_uppercase(), &PEM.replace('\n', "\r\n")] {
        let world = World::new();
        let body = json!({ "endpoint": "dev-1", "rpk": { "publicKey": key } });
        let made = make(&world, &body).await;
        assert_eq!(made["mode"], "rpk");
        assert_eq!(made["rpk"]["publicKey"], SPKI);
        let hash = made["rpk"]["sha256"].as_str().unwrap();
        assert_eq!(hash.len(), 64);
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_in_words() {
    let world = World::new();
    make(&world, &psk("dev-1")).await;
    for (body, status, words) in [
        (
            json!({ "endpoint": "a", "psk": { "key": "00x0" } }),
            400,
            "Psk.key: 'x' at character 3 is no hexadecimal digit.",
        ),
        (
            json!({ "endpoint": "a", "psk": { "key": "000" } }),
            400,
            "3 hexadecimal digits are no whole number",
        ),
        (
            json!({ "endpoint": "a", "psk": { "key": "" } }),
            400,
            "The pre-shared key has 0 bytes; it must have 1 to 64",
        ),
        (
            json!({ "endpoint": "a", "psk": { "identity": "dev-1" } }),
            409,
            "This PSK identity is that of credential 1 of \\\"dev-1\\\" already",
        ),
        (json!({ "psk": {} }), 400, "The endpoint name is missing"),
        (
            json!({ "endpoint": "a" }),
            400,
            "Give exactly one of psk, rpk and x509.",
        ),
        (
            json!({ "endpoint": "a", "psk": {}, "rpk": { "publicKey": SPKI } }),
            400,
            "Give exactly one of",
        ),
        (
            json!({ "endpoint": "a", "psk": { "identity": "a", "identityHex": "00" } }),
            400,
            "not both",
        ),
        (
            json!({ "endpoint": "a", "psk": { "identity": "x".repeat(256) } }),
            400,
            "The PSK identity has 256 bytes",
        ),
        (
            json!({ "endpoint": "a", "rpk": { "publicKey": &SPKI[..100] } }),
            400,
            "The public key is not a key in DER",
        ),
        (
            json!({ "endpoint": "a", "x509": { "certificate": PEM } }),
            400,
            "PEM of \\\"PUBLIC KEY\\\", not \\\"CERTIFICATE\\\"",
        ),
        (
            json!({ "endpoint": "a", "key": "00" }),
            400,
            "unknown field",
        ),
    ] {
        post(&world, "credentials", &body)
            .await
            .refused(status, words);
    }
    let total = &world.get("credentials").await.json(200)["total"];
    assert_eq!(total, 1);
}

#[tokio::test]
async fn a_short_key_is_taken_with_a_warning() {
    let world = World::new();
    let body = json!({ "endpoint": "a", "psk": { "key": "0001" } });
    let made = make(&world, &body).await;
    let warning = made["warning"].as_str().unwrap();
    assert!(warning.contains("the key has 2 bytes"), "{warning}");
}

#[tokio::test]
async fn rotation_keeps_the_kind_and_removal_is_final() {
    let world = World::new();
    make(&world, &psk("dev-1")).await;
    let key = json!({ "psk": { "identity": "other", "key": "ff00" } });
    let rotated = post(&world, "credentials/1/rotate", &key).await.json(200);
    assert_eq!(rotated["psk"]["identity"], "other");
    assert!(rotated["warning"].is_string());
    let other = json!({ "rpk": { "publicKey": SPKI } });
    let refused = post(&world, "credentials/1/rotate", &other).await;
    refused.refused(409, "Credential 1 is of kind psk, not rpk");
    world.call("DELETE", "credentials/1", "").await.empty(204);
    for (method, uri) in [
        ("DELETE", "credentials/1"),
        ("GET", "credentials/1"),
        ("GET", "credentials/x"),
        ("POST", "credentials/1/rotate"),
    ] {
        let answer = world.call(method, uri, "").await;
        answer.refused(404, "There is no credential");
    }
}

#[tokio::test]
async fn lists_come_in_pages_and_can_be_searched() {
    let world = World::new();
    for endpoint in ["b 2", "a/1", "c", "ab"] {
        make(&world, &psk(endpoint)).await;
    }
    let mut found = Vec::new();
    let mut uri = "credentials?limit=1".to_owned();
    loop {
        let page = world.get(&uri).await.json(200);
        assert_eq!(page["total"], 4);
        found.push(page["items"][0]["endpoint"].as_str().unwrap().to_owned());
        let Some(next) = page["next"].as_str() else {
            break;
        };
        uri = format!("credentials?limit=1&cursor={}", crate::world::encoded(next));
    }
    assert_eq!(found, ["a/1", "ab", "b 2", "c"]);
    let names = |page: &Value| {
        let items = page["items"].as_array().unwrap();
        let names = items
            .iter()
            .map(|one| one["endpoint"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(
        names(&world.get("credentials?q=B").await.json(200)),
        ["ab", "b 2"]
    );
    assert_eq!(
        names(&world.get("credentials?endpoint=a%2F1").await.json(200)),
        ["a/1"]
    );
    assert!(names(&world.get("credentials?endpoint=a").await.json(200)).is_empty());
    world
        .get("credentials?limit=0")
        .await
        .refused(400, "limit must be");
    world
        .get("credentials?cursor=x")
        .await
        .refused(400, "of a page.");
    world
        .get("credentials?frobnicate=1")
        .await
        .refused(400, "unknown field");
}

#[tokio::test]
async fn an_import_makes_what_is_right_and_tells_of_each_line() {
    let world = World::new();
    make(&world, &psk("there")).await;
    let file = format!(
        "endpoint,identity,key,publicKey\n\
         dev-1,id-1,{KEY},\n\
         dev-2,id-1,{KEY},\n\
         dev-3,,0,\n\
         \n\
         dev-4,,,\"{PEM}\"\n\
         there,,00,\n\
         dev-5,,0001,\n\
         dev-6\n"
    );
    let report = world.call("POST", "credentials/import", file).await;
    assert_eq!(report.header("cache-control"), "no-store");
    let report = report.json(200);
    assert_eq!(
        (&report["imported"], &report["failed"]),
        (&json!(4), &json!(3))
    );
    let lines = report["lines"].as_array().unwrap();
    let told: Vec<(u64, bool)> = lines
        .iter()
        .map(|line| (line["line"].as_u64().unwrap(), line["ok"] == true))
        .collect();
    let expected = [
        (2, true),
        (3, false),
        (4, false),
        (6, true),
        (11, false),
        (12, true),
        (13, true),
    ];
    assert_eq!(told, expected);
    assert_eq!(
        lines[0],
        json!({ "line": 2, "ok": true, "id": "2", "endpoint": "dev-1" })
    );
    let error = lines[1]["error"].as_str().unwrap();
    assert!(
        error.contains("is that of credential 2 of \"dev-1\""),
        "in one file: {error}"
    );
    assert!(
        lines[2]["error"]
            .as_str()
            .unwrap()
            .contains("1 hexadecimal digits")
    );
    assert!(
        lines[4]["error"]
            .as_str()
            .unwrap()
            .contains("credential 1 of \"there\"")
    );
    assert!(lines[5]["warning"].as_str().unwrap().contains("2 bytes"));
    assert_eq!(
        lines[6]["key"].as_str().unwrap().len(),
        32,
        "drawn, and shown once"
    );
    assert_eq!(world.get("credentials").await.json(200)["total"], 5);
}

#[tokio::test]
async fn an_import_takes_a_json_object_a_line_and_tells_of_errors_alone() {
    let world = World::new();
    let file = format!(
        "{}\n{}\n{{\"endpoint\":1}}\n",
        psk("a"),
        json!({ "endpoint": "b", "rpk": { "publicKey": PEM } })
    );
    let report = world
        .call("POST", "credentials/import?report=errors", file)
        .await
        .json(200);
    assert_eq!(
        (&report["imported"], &report["failed"]),
        (&json!(2), &json!(1))
    );
    let lines = report["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0]["line"], 3);
    let bad = world
        .call("POST", "credentials/import?report=none", "")
        .await;
    bad.refused(400, "report is all or errors");
}

#[tokio::test]
async fn an_import_of_many_records_is_larger_than_other_bodies_may_be() {
    let world = World::new();
    let mut file = String::new();
    for number in 0..20_000 {
        writeln!(file, "device-{number:06},identity-{number:06},{KEY}").unwrap();
    }
    assert!(file.len() > dunlin_http::MAX_BODY);
    let report = world
        .call("POST", "credentials/import?report=errors", file)
        .await
        .json(200);
    assert_eq!(
        report,
        json!({ "imported": 20_000, "failed": 0, "lines": [] })
    );
    assert_eq!(
        world.get("credentials?limit=1").await.json(200)["total"],
        20_000
    );
}

#[tokio::test]
async fn a_name_with_a_credential_cannot_be_taken_without_security() {
    let world = World::new();
    make(&world, &psk("secured")).await;
    let device = Device::new(&world, |_| Say::Nothing);
    let code = device.try_register(&["ep=secured", "lt=300", "lwm2m=1.1"]);
    assert_eq!(code, Code::FORBIDDEN);
    world
        .get("devices/secured")
        .await
        .refused(404, "No device is registered");
}

#[tokio::test]
async fn the_public_key_of_the_server_is_told_and_the_private_one_is_not() {
    let world = World::new();
    let own = world.get("credentials/server").await.json(200);
    let spki = own["publicKey"].as_str().unwrap();
    assert!(spki.starts_with(&SPKI[..54]) && spki.len() == 182, "{spki}");
    assert!(
        own["publicKeyPem"]
            .as_str()
            .unwrap()
            .starts_with("-----BEGIN PUBLIC KEY-----\n")
    );
    assert_eq!(own["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(own["certificates"], Value::Null);
    let mut names: Vec<&String> = own.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(
        names,
        [
            "certificates",
            "createdAt",
            "publicKey",
            "publicKeyPem",
            "sha256"
        ]
    );
    let other = World::new().get("credentials/server").await.json(200);
    assert_ne!(
        other["publicKey"], own["publicKey"],
        "each server has its own"
    );
}

#[tokio::test]
async fn a_certificate_is_pinned_and_names_its_device() {
    let world = World::new();
    let made = make(&world, &json!({ "x509": { "certificate": DEVICE } })).await;
    assert_eq!(
        (&made["endpoint"], &made["mode"]),
        (&json!("dev-9"), &json!("x509"))
    );
    assert_eq!(made["x509"]["certificate"], DEVICE);
}

#[tokio::test]
async fn authorities_are_trusted_listed_and_removed() {
    let world = World::new();
    let body = json!({ "certificate": AUTHORITY });
    let added = post(&world, "credentials/trust", &body).await.json(201);
    let one = &added["items"][0];
    assert_eq!(one["name"], "Dunlin test authority");
    assert_eq!(one["certificate"], AUTHORITY);
    assert!(one["notAfter"].as_u64() > one["notBefore"].as_u64());
    let again = post(&world, "credentials/trust", &body).await.json(201);
    assert_eq!(again, added, "it is there already");
    assert_eq!(world.get("credentials/trust").await.json(200), added);
    for (certificate, words) in [
        (
            DEVICE,
            "The certificate cannot be used: its key usage forbids",
        ),
        ("junk", "no PEM"),
        (PEM, "no certificate"),
    ] {
        let body = json!({ "certificate": certificate });
        post(&world, "credentials/trust", &body)
            .await
            .refused(400, words);
    }
    world
        .call("DELETE", "credentials/trust/1", "")
        .await
        .empty(204);
    for uri in ["credentials/trust/1", "credentials/trust/x"] {
        world
            .call("DELETE", uri, "")
            .await
            .refused(404, "There is no authority");
    }
    assert_eq!(
        world.get("credentials/trust").await.json(200)["items"],
        json!([])
    );
}

#[tokio::test]
async fn a_key_with_certificates_is_imported_and_never_shown() {
    let world = World::new();
    let chain = format!("{SERVER}{AUTHORITY}");
    let body = json!({ "key": SERVER_KEY, "certificates": chain });
    let answer = world
        .call("PUT", "credentials/server", body.to_string())
        .await;
    let private = SERVER_KEY.lines().nth(1).unwrap();
    assert!(!answer.text().contains(private));
    let own = answer.json(200);
    assert_eq!(own["certificates"], chain);
    assert_eq!(world.get("credentials/server").await.json(200), own);
    let wrong = json!({ "key": SERVER_KEY, "certificates": DEVICE });
    let refused = world
        .call("PUT", "credentials/server", wrong.to_string())
        .await;
    refused.refused(
        400,
        "The private key does not belong to the first certificate.",
    );
    let none = json!({ "key": SERVER });
    let refused = world
        .call("PUT", "credentials/server", none.to_string())
        .await;
    refused.refused(400, "The private key cannot be used");
}

//! Object 0: what it holds, that nobody reads it, and what it costs.

mod common;

use std::mem::size_of;

use common::{Dice, World, ask, get, put};
use dunlin_client::objects::{Device, Security, text};
use dunlin_client::{
    AccountError, Client, Code, Config, Field, FieldError, FixedKeys, Instance, ObjectLink,
    Objects, Single, Value, Version,
};
use heapless::Vec;

type Keys = FixedKeys<32, 91, 32>;
type Secured = Client<(Single<Device>,), 2, 4, 4, 512, 512, 128, Keys>;

fn secured() -> Secured {
    let objects = (Single::new(Device::default()),);
    Client::new(Config::new("dev1"), objects, &mut Dice(1))
}

fn psk() -> Security<Keys> {
    Security::psk("coaps://lwm2m.example", b"dev-\x00\xFF", &[0x5A; 16]).expect("fits")
}

/// The ids and values of the instance that are there and may be seen.
fn seen(account: &dyn Instance) -> std::vec::Vec<(u16, u16, String)> {
    let mut seen = std::vec::Vec::new();
    for resource in account.resources() {
        let field = account.field(*resource).expect("nothing is executable");
        for (id, value) in (0..).map_while(|position| field.get(position)) {
            seen.push((*resource, id, format!("{value:?}")));
        }
    }
    seen
}

#[test]
fn every_resource_of_1_2_has_a_place() {
    let mut account = psk();
    let link = ObjectLink {
        object: 23,
        instance: 4,
    };
    account.sms_key_parameters = Some(Vec::from_slice(&[1, 2, 3, 4, 5, 6]).unwrap());
    account.server_sms_number = Some(text("15551234567"));
    account.sni = Some(text("name.example"));
    account.ciphersuites = [(0, 0xC0A8), (1, 0x00AE)].into_iter().collect();
    account.groups = [(0, 0x0017)].into_iter().collect();
    account.server_signature_algorithms = [(0, 0x0403)].into_iter().collect();
    account.signature_algorithms = [(0, 0x0403)].into_iter().collect();
    account.server_certificate_algorithms = [(0, 0x0403)].into_iter().collect();
    account.tls_extensions = Some(1 << 12);
    account.secondary_uris = [(0, text("coaps://b.example"))].into_iter().collect();
    account.cose = [(0, link)].into_iter().collect();
    account.rds_application = Some(text("app"));
    assert_eq!(account.resources(), (0..=30).collect::<std::vec::Vec<_>>());
    let seen = seen(&account);
    for (resource, value) in [
        (0, "String(\"coaps://lwm2m.example\")"),
        (2, "Unsigned(0)"),
        (7, "Opaque([1, 2, 3, 4, 5, 6])"),
        (9, "String(\"15551234567\")"),
        (14, "String(\"name.example\")"),
        (16, "Unsigned(49320)"),
        (18, "Unsigned(23)"),
        (20, "Unsigned(1027)"),
        (25, "String(\"coaps://b.example\")"),
        (30, "String(\"app\")"),
    ] {
        assert!(
            seen.contains(&(resource, 0, value.to_owned())),
            "{resource}: {seen:?}"
        );
    }
    assert!(seen.contains(&(16, 1, "Unsigned(174)".to_owned())));
}

#[test]
fn a_secret_is_written_and_never_read() {
    let mut account = psk();
    assert_eq!(account.secret_key.as_ref(), [0x5A; 16]);
    assert!(
        account
            .sms_secret_keys
            .set(0, Value::Opaque(&[0x5B; 16]))
            .is_ok()
    );
    // Mandatory resources are there, their values are not for anybody.
    assert!(account.secret_key.is_present());
    for resource in [5, 8] {
        let field = account.field(resource).expect("is there");
        assert_eq!(field.get(0), None, "{resource}");
    }
    let text = format!("{account:?}");
    assert!(text.contains("Secret(16 bytes)"), "{text}");
    assert!(!text.contains("90") && !text.contains("91,"), "{text}");
    // A shorter key leaves nothing of the longer one.
    account
        .secret_key
        .set(0, Value::Opaque(b"k"))
        .expect("fits");
    assert_eq!(account.secret_key.as_ref(), b"k");
}

#[test]
fn no_server_reaches_it() {
    let mut world = World::registered(Version::V1_2);
    for uri in ["/0", "/0/0", "/0/0/0", "/0/0/5", "/0/0/16/0"] {
        for request in [
            get(uri),
            get(uri).accept(40),
            get(uri).observe(0, b"o"),
            put(uri, 42, b"x"),
            ask(Code::POST, uri),
            ask(Code::DELETE, uri),
        ] {
            assert_eq!(world.code(&request), "4.01", "{} {uri}", request.code);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    type Tiny = FixedKeys<4, 0, 4>;
    let uri = "coaps://a.example";
    assert!(Security::<Tiny>::psk(uri, b"1234", b"1234").is_ok());
    let too_large = [
        Security::<Tiny>::psk(uri, b"12345", b"1234"),
        Security::<Tiny>::psk(uri, b"1234", b"12345"),
        Security::<Tiny>::raw_public_key(uri, b"1234", b"1234", b"1"),
        Security::<Tiny>::no_sec(&"x".repeat(129)),
    ];
    for account in too_large {
        assert_eq!(account.map(|_| ()), Err(FieldError::TooLarge));
    }
    // Without room for keys there is none for what goes with them: a name that was forgotten in
    // silence would let another server in.
    let mut plain: Security = Security::default();
    for (resource, value) in [
        (3, Value::Opaque(b"id")),
        (5, Value::Opaque(b"key")),
        (14, Value::String("name.example")),
        (16, Value::Unsigned(0xC0A8)),
    ] {
        let field = plain.field_mut(resource).expect("is implemented");
        assert_eq!(field.set(0, value), Err(FieldError::TooLarge), "{resource}");
    }
    assert_eq!(
        seen(&plain)
            .iter()
            .map(|(resource, ..)| *resource)
            .collect::<std::vec::Vec<_>>(),
        [0, 1, 2, 3, 4, 5, 10]
    );
}

#[test]
fn the_factory_provisions_accounts() {
    let mut client = secured();
    client.provision(1, psk()).expect("is there");
    assert_eq!(client.provision(2, psk()), Err(AccountError::Unknown));
    client
        .add_server(dunlin_client::objects::Server::new(102), &mut Dice(2))
        .expect("has room");
    let certificate =
        Security::certificate("coaps://b.example", b"leaf", b"key", b"ca", 2).expect("fits");
    client.provision(102, certificate).expect("is there");
    let account = client.security_of_mut(102).expect("is there");
    assert_eq!(account.short_server_id, Some(102));
    assert_eq!(account.security_mode, Security::CERTIFICATE);
    assert_eq!(account.certificate_usage, Some(2));
    assert_eq!(account.server_public_key.as_slice(), b"ca");
    // The application sees both, servers none.
    let all = client.all_objects();
    let security = all.object(0).expect("is there");
    assert_eq!(security.definition().id, 0);
    assert_eq!(
        [0, 1, 2].map(|position| security.instance_id(position)),
        [Some(0), Some(1), None]
    );
}

/// Who needs no keys does not pay for them.
#[test]
fn memory() {
    let none = size_of::<Security>();
    let psk = size_of::<Security<FixedKeys<128, 0, 64>>>();
    let raw = size_of::<Security<FixedKeys<91, 91, 140>>>();
    let certificate = size_of::<Security<FixedKeys>>();
    println!("none {none} B, PSK {psk} B, raw public keys {raw} B, certificates {certificate} B");
    assert!(none <= 136, "{none}");
    assert!(psk <= 1280, "{psk}");
    assert!(raw <= 1440, "{raw}");
    assert!(certificate <= 3328, "{certificate}");
}

//! Device management: every response code of Transport 1.2 Table 6.7-3 that this client can give,
//! contents in every format, blocks, attributes in Discover.

mod common;

use common::{Ask, World, ask, get, hex, post, put};
use dunlin_client::{Code, Event, Version};
use dunlin_coap::OptionNumber;

const TEXT: u16 = 0;
const LINK: u16 = 40;
const OPAQUE: u16 = 42;
const CBOR: u16 = 60;
const SENML_JSON: u16 = 110;
const SENML_CBOR: u16 = 112;
const TLV: u16 = 11542;
const LWM2M_JSON: u16 = 11543;
const LWM2M_CBOR: u16 = 11544;
const SENML_ETCH_JSON: u16 = 320;

fn attributes(uri: &str) -> Ask {
    ask(Code::PUT, uri)
}

fn execute(uri: &str) -> Ask {
    ask(Code::POST, uri)
}

fn delete(uri: &str) -> Ask {
    ask(Code::DELETE, uri)
}

/// Checks each request on a fresh device of each version.
#[track_caller]
fn table(rows: &[(Ask, &str)]) {
    for version in [Version::V1_0, Version::V1_1, Version::V1_2] {
        for (request, code) in rows {
            let mut world = World::registered(version);
            let found = world.code(request);
            assert_eq!(
                found, *code,
                "{version}: {} {} format {:?} accept {:?} payload {:02X?}",
                request.code, request.uri, request.format, request.accept, request.payload
            );
        }
    }
}

#[test]
fn codes_of_read() {
    table(&[
        (get("/3"), "2.05"),
        (get("/3/0"), "2.05"),
        (get("/3/0/0"), "2.05"),
        (get("/3/0/7"), "2.05"),
        (get("/3/0/7/1"), "2.05"),
        (get("/3311"), "2.05"),
        (get("/0"), "4.01"),
        (get("/0/0"), "4.01"),
        (get("/0/0/0"), "4.01"),
        (get("/0/7/99"), "4.01"),
        (get("/99"), "4.04"),
        (get("/3/1"), "4.04"),
        (get("/3/1/0"), "4.04"),
        (get("/3/0/99"), "4.04"),
        (get("/3/0/7/2"), "4.04"),
        // Known, but absent at the moment.
        (get("/3/0/20"), "4.04"),
        (get("/3303/0/5603"), "4.04"),
        (get("/rd"), "4.04"),
        (get("/3/0/4"), "4.05"),
        (get("/3/0/0/0"), "4.05"),
        (get("/5/0/0"), "4.05"),
        (get("/"), "4.05"),
        (get("/3/0/0/0/0"), "4.05"),
        (get("/3/0").accept(TEXT), "4.06"),
        (get("/3").accept(CBOR), "4.06"),
        (get("/3/0/7").accept(TEXT), "4.06"),
        (get("/3/0/7").accept(OPAQUE), "4.06"),
        (get("/3/0/7/1").accept(TEXT), "2.05"),
        (get("/3/0/0").accept(CBOR), "2.05"),
        (get("/3/99999"), "4.00"),
        (get("/3/00"), "4.00"),
        (get("/3/0/0?pmin=1"), "4.02"),
    ]);
}

#[test]
fn codes_of_discover() {
    table(&[
        (get("/3").accept(LINK), "2.05"),
        (get("/3/0").accept(LINK), "2.05"),
        (get("/3/0/4").accept(LINK), "2.05"),
        (get("/0").accept(LINK), "4.01"),
        (get("/99").accept(LINK), "4.04"),
        (get("/3/1").accept(LINK), "4.04"),
        (get("/3/0/99").accept(LINK), "4.04"),
        (get("/3/0/7/1").accept(LINK), "4.05"),
        (get("/").accept(LINK), "4.05"),
        (get("/3").accept(LINK).observe(0, b"x"), "4.00"),
        (get("/3?depth=4").accept(LINK), "4.00"),
    ]);
}

#[test]
fn codes_of_write() {
    let name = hex("C1 01 4D"); // TLV resource 1 "M"
    table(&[
        (put("/3/0/14", TEXT, b"+02:00"), "2.04"),
        (put("/1/0", TLV, &hex("C1 01 3C")), "2.04"),
        (post("/1/0", TLV, &hex("C1 01 3C")), "2.04"),
        // Values: type, range, format.
        (put("/1/0/1", TEXT, b"soon"), "4.00"),
        (put("/1/0/1", TEXT, b"-1"), "4.00"),
        (put("/1/0/6", TEXT, b"2"), "4.00"),
        (put("/1/0/1", TLV, &hex("C1 01")), "4.00"),
        (put("/1/0/1", TLV, &hex("C1 02 3C")), "4.00"),
        (
            put("/1/0/1", SENML_JSON, br#"[{"bn":"/3/0/14","vs":"x"}]"#),
            "4.00",
        ),
        (
            put("/1/0/1", SENML_JSON, br#"[{"bn":"/1/0/1","vs":"x"}]"#),
            "4.00",
        ),
        (put("/1/0/1", SENML_JSON, br#"[{"n":"/1/0/1"}]"#), "4.00"),
        (put("/1/0/7", TEXT, b"Z"), "4.00"),
        (
            put("/3/0/14", TEXT, b"longer than this device has room for"),
            "4.00",
        ),
        (put("/1/0/1", TEXT, b""), "4.00"),
        // Nothing says what it is.
        (ask(Code::PUT, "/1/0/1"), "4.00"),
        (
            Ask {
                payload: b"60".to_vec(),
                ..ask(Code::PUT, "/1/0/1")
            },
            "4.00",
        ),
        (
            Ask {
                payload: b"60".to_vec(),
                ..ask(Code::POST, "/1/0")
            },
            "4.00",
        ),
        (put("/0/0/0", TEXT, b"coap://evil"), "4.01"),
        (put("/99/0/1", TEXT, b"60"), "4.04"),
        (put("/1/1/1", TEXT, b"60"), "4.04"),
        (put("/1/0/99", TEXT, b"60"), "4.04"),
        // A resource instance must exist to be replaced; a single resource has none.
        (put("/1/0/1/0", TEXT, b"60"), "4.05"),
        (put("/3/0/0", TEXT, b"X"), "4.05"),
        (put("/3/0/4", TEXT, b"X"), "4.05"),
        (put("/3/0/7/1", TEXT, b"5"), "4.05"),
        (put("/3/0", TLV, &name), "4.05"),
        (post("/3/0", TLV, &name), "4.05"),
        (put("/3", TLV, &name), "4.05"),
        // A Partial Update of a single resource is no operation.
        (post("/1/0/1", TLV, &hex("C1 01 3C")), "4.05"),
        (put("/1/0/1", 9999, b"60"), "4.15"),
        (put("/1/0/1", LINK, b"</1>"), "4.15"),
        (put("/1/0", TEXT, b"60"), "4.00"),
    ]);
}

#[test]
fn codes_of_write_attributes() {
    table(&[
        (attributes("/3?pmin=1"), "2.04"),
        (attributes("/3/0?pmax=10"), "2.04"),
        (attributes("/3303/0/5700?gt=30&lt=10&st=1"), "2.04"),
        (attributes("/3/0/7/1?gt=4000"), "2.04"),
        (attributes("/3?pmin"), "2.04"),
        (attributes("/3303/0/5700?gt=10&lt=30"), "4.00"),
        (attributes("/3303/0/5700?gt=20&lt=10&st=5"), "4.00"),
        (attributes("/3303/0/5700?pmin=x"), "4.00"),
        (attributes("/3303/0/5700?colour=red"), "4.00"),
        (attributes("/3303/0?gt=1"), "4.00"),
        (attributes("/3303?st=1"), "4.00"),
        (attributes("/3/0/0?gt=1"), "4.00"),
        (attributes("/0?pmin=1"), "4.01"),
        (attributes("/99?pmin=1"), "4.04"),
        (attributes("/3303/7/5700?pmin=1"), "4.04"),
        (attributes("/3303/0/9999?pmin=1"), "4.04"),
        (attributes("/3/0/7/9?pmin=1"), "4.04"),
        (attributes("/3/0/4?pmin=1"), "4.05"),
        (attributes("/?pmin=1"), "4.05"),
    ]);
    // pmax below pmin is not refused but ignored.
    let mut world = World::registered(Version::V1_2);
    assert_eq!(world.code(&attributes("/3?pmin=10&pmax=5")), "2.04");
    // What is set in two steps at one level is checked as a whole.
    assert_eq!(world.code(&attributes("/3303/0/5700?gt=20")), "2.04");
    assert_eq!(world.code(&attributes("/3303/0/5700?lt=25")), "4.00");
}

/// The JSON of 1.0 is no format of a later client (Core 1.1 §7.4); SenML-ETCH is for composites only.
#[test]
fn formats_that_carry_no_data() {
    let lifetime = br#"{"bn":"/1/0/1","e":[{"v":60}]}"#;
    let light = br#"{"e":[{"n":"1/5850","bv":true}]}"#;
    for (version, read, written, created) in [
        (Version::V1_0, "2.05", "2.04", "2.01"),
        (Version::V1_1, "4.06", "4.15", "4.15"),
        (Version::V1_2, "4.06", "4.15", "4.15"),
    ] {
        for (request, code) in [
            (get("/3/0").accept(LWM2M_JSON), read),
            (put("/1/0/1", LWM2M_JSON, lifetime), written),
            (post("/3311", LWM2M_JSON, light), created),
        ] {
            let mut world = World::registered(version);
            assert_eq!(world.code(&request), code, "{version} {}", request.uri);
        }
    }
    table(&[
        (get("/3/0").accept(SENML_ETCH_JSON), "4.06"),
        (put("/1/0", SENML_ETCH_JSON, b"[]"), "4.15"),
        (post("/3311", SENML_ETCH_JSON, b"[]"), "4.15"),
        // A number that was never registered is read, but not written.
        (put("/1/0", 1542, &hex("C1 01 3C")), "2.04"),
        (get("/1/0").accept(1542), "4.06"),
        (
            put("/1/0", LWM2M_CBOR, &hex("A1 820100 A1 01 18 3C")),
            "2.04",
        ),
        (get("/1/0").accept(LWM2M_CBOR), "2.05"),
    ]);
}

#[test]
fn codes_of_execute() {
    table(&[
        (execute("/3303/0/5605"), "2.04"),
        (execute("/3303/0/5605").non(), "2.04"),
        (post("/3303/0/5605", TEXT, b"0='x',2='a-b',5"), "2.04"),
        (post("/3303/0/5605", TEXT, b"0='x"), "4.00"),
        (post("/3303/0/5605", TEXT, b"1,1"), "4.00"),
        (post("/3303/0/5605", TEXT, b"hello"), "4.00"),
        (execute("/0/0/0"), "4.01"),
        (execute("/99/0/1"), "4.04"),
        (execute("/3303/7/5605"), "4.04"),
        (execute("/3303/0/9999"), "4.04"),
        (execute("/3303/0/5700"), "4.05"),
        (execute("/5/0/2"), "4.05"),
        (execute("/3/0/7/1"), "4.05"),
    ]);
}

#[test]
fn codes_of_create_and_delete() {
    // Instance 2 with On/Off true.
    let light = hex("04 02 E1 16 DA 01");
    let bare = hex("E1 16 DA 01");
    table(&[
        (post("/3311", TLV, &light), "2.01"),
        (post("/3311", TLV, &bare), "2.01"),
        (
            post(
                "/3311",
                SENML_JSON,
                br#"[{"bn":"/3311/1/","n":"5850","vb":true}]"#,
            ),
            "2.01",
        ),
        // Exists, wrong value, several at once, another object.
        (post("/3303", TLV, &hex("00 00")), "4.00"),
        (post("/3311", TLV, &hex("04 02 E1 16 DA 02")), "4.00"),
        (
            post(
                "/3311",
                TLV,
                &[&light[..], &hex("04 03 E1 16 DA 01")].concat(),
            ),
            "4.00",
        ),
        (
            post(
                "/3311",
                SENML_JSON,
                br#"[{"bn":"/3303/1/","n":"5700","v":1}]"#,
            ),
            "4.00",
        ),
        (
            Ask {
                payload: light.clone(),
                ..ask(Code::POST, "/3311")
            },
            "4.00",
        ),
        (post("/0", TLV, &hex("00 01")), "4.01"),
        (post("/99", TLV, &hex("00 01")), "4.04"),
        (post("/3", TLV, &hex("00 01")), "4.05"),
        (post("/3304", TLV, &hex("00 01")), "4.05"),
        (post("/1", TLV, &hex("00 01")), "4.05"),
        (delete("/3303/0"), "2.02"),
        (delete("/0/0"), "4.01"),
        (delete("/99/0"), "4.04"),
        (delete("/3303/7"), "4.04"),
        (delete("/3/0"), "4.05"),
        (delete("/3304/0"), "4.05"),
        (delete("/1/0"), "4.05"),
        (delete("/3303"), "4.05"),
        (delete("/3/0/7"), "4.05"),
        (delete("/"), "4.05"),
    ]);
    // The New Value may be left out since 1.2 only.
    for (version, code) in [
        (Version::V1_0, "4.00"),
        (Version::V1_1, "4.00"),
        (Version::V1_2, "2.01"),
    ] {
        let mut world = World::registered(version);
        assert_eq!(world.code(&ask(Code::POST, "/3311")), code);
    }
    // In 1.0 every mandatory resource must be given (Core 1.0 §5.4.6).
    let only_dimmer = hex("04 02 E1 16 DB 32");
    for (version, code) in [(Version::V1_0, "4.00"), (Version::V1_1, "2.01")] {
        let mut world = World::registered(version);
        assert_eq!(world.code(&post("/3311", TLV, &only_dimmer)), code);
    }
}

#[test]
fn other_methods() {
    table(&[
        (ask(Code::FETCH, "/"), "4.00"),
        (ask(Code::IPATCH, "/"), "4.00"),
        (ask(Code::PATCH, "/3/0/14"), "4.05"),
        (ask(Code::new(0, 8), "/3/0/14"), "4.05"),
        (ask(Code::new(0, 31), "/"), "4.05"),
    ]);
}

#[test]
fn contents_are_those_of_the_standard() {
    let mut world = World::registered(Version::V1_1);
    for (uri, accept, payload) in [
        ("/3/0/9", TEXT, b"100".to_vec()),
        ("/3/0/9", TLV, hex("C1 09 64")),
        ("/3/0/9", CBOR, hex("18 64")),
        (
            "/3/0/9",
            SENML_CBOR,
            hex("81 A2 21 66 2F332F302F39 02 18 64"),
        ),
        ("/3/0/6", TLV, hex("86 06 41 00 01 41 01 05")),
        ("/3/0/7", TLV, hex("88 07 08 42 00 0E D8 42 01 13 88")),
        ("/3/0/16", TLV, hex("C1 10 55")),
        ("/3311", TLV, Vec::new()),
        ("/3311", SENML_JSON, b"[]".to_vec()),
    ] {
        let answer = world.ask(&get(uri).accept(accept));
        assert_eq!(answer.code, Code::CONTENT);
        assert_eq!(
            answer.uint(OptionNumber::CONTENT_FORMAT),
            Some(u32::from(accept))
        );
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(
            answer.payload,
            payload,
            "{uri} in {accept}: {} is not {}",
            shown(&answer.payload),
            shown(&payload)
        );
    }
    let answer = world.ask(&get("/3/0/7").accept(SENML_JSON));
    let text = answer.text();
    assert!(text.contains("3800") && text.contains("5000"), "{text}");
    // An instance without readable content is still there.
    let answer = world.ask(&get("/1").accept(TLV));
    assert_eq!(answer.payload[..2], hex("08 00"));
}

#[test]
fn formats_without_accept_follow_version_and_number_of_values() {
    for (version, uri, format) in [
        (Version::V1_0, "/3/0/9", TLV),
        (Version::V1_0, "/3/0", TLV),
        (Version::V1_1, "/3/0/9", TEXT),
        (Version::V1_1, "/3/0/7", SENML_CBOR),
        (Version::V1_1, "/3/0/7/1", TEXT),
        (Version::V1_2, "/3/0", SENML_CBOR),
        (Version::V1_2, "/3", SENML_CBOR),
    ] {
        let mut world = World::registered(version);
        let answer = world.ask(&get(uri));
        assert_eq!(
            answer.uint(OptionNumber::CONTENT_FORMAT),
            Some(u32::from(format)),
            "{version} {uri}"
        );
    }
}

fn read(world: &mut World, uri: &str) -> String {
    world.ask(&get(uri).accept(TEXT)).text()
}

#[test]
fn a_write_that_fails_leaves_no_trace() {
    let mut world = World::registered(Version::V1_1);
    for (body, code) in [
        // Lifetime is fine, the binding is not.
        (
            &br#"[{"bn":"/1/0/","n":"1","v":77},{"n":"7","vs":"Z"}]"#[..],
            "4.00",
        ),
        // ... the second is of a wrong type, read-only, executable, cut off.
        (
            br#"[{"bn":"/1/0/","n":"1","v":77},{"n":"2","vs":"x"}]"#,
            "4.00",
        ),
        (
            br#"[{"bn":"/1/0/","n":"1","v":77},{"n":"0","v":5}]"#,
            "4.05",
        ),
        (
            br#"[{"bn":"/1/0/","n":"1","v":77},{"n":"8","v":5}]"#,
            "4.05",
        ),
        (br#"[{"bn":"/1/0/","n":"1","v":77},{"n":"2""#, "4.00"),
        (
            br#"[{"bn":"/1/0/","n":"1","v":77},{"bn":"/3/0/","n":"14","vs":"x"}]"#,
            "4.00",
        ),
    ] {
        for method in [put, post] {
            assert_eq!(world.code(&method("/1/0", SENML_JSON, body)), code);
            assert_eq!(read(&mut world, "/1/0/1"), "86400");
            world.assert_silent();
        }
    }
    // A resource the device does not have is ignored inside an instance.
    let body = br#"[{"bn":"/1/0/","n":"1","v":77},{"n":"99","vlo":"11:0"}]"#;
    assert_eq!(world.code(&post("/1/0", SENML_JSON, body)), "2.04");
    assert_eq!(world.take().query(), "lt=77");
}

#[test]
fn replace_drops_optional_resources_and_update_keeps_them() {
    let mut world = World::registered(Version::V1_1);
    assert_eq!(world.code(&put("/1/0/2", TEXT, b"5")), "2.04");
    assert_eq!(world.code(&put("/1/0/3", TEXT, b"50")), "2.04");
    let body = br#"[{"bn":"/1/0/","n":"3","v":70}]"#;
    assert_eq!(world.code(&post("/1/0", SENML_JSON, body)), "2.04");
    assert_eq!(read(&mut world, "/1/0/2"), "5");
    assert_eq!(read(&mut world, "/1/0/3"), "70");
    assert_eq!(world.code(&put("/1/0", SENML_JSON, body)), "2.04");
    assert_eq!(world.code(&get("/1/0/2")), "4.04");
    assert_eq!(read(&mut world, "/1/0/3"), "70");
    // Mandatory ones stay as they are.
    assert_eq!(read(&mut world, "/1/0/1"), "86400");
}

#[test]
fn create_answers_with_the_location_and_tells_the_server() {
    let mut world = World::registered(Version::V1_1);
    let answer = world.ask(&post("/3311", TLV, &hex("04 02 E1 16 DA 01")));
    assert_eq!(answer.code, Code::CREATED);
    assert_eq!(
        answer.texts(OptionNumber::LOCATION_PATH),
        ["3311", "2"].map(str::to_owned)
    );
    let update = world.take();
    assert!(update.text().ends_with(",</3311/2>"), "{}", update.text());
    world.answer_with(&update, Code::CHANGED);
    assert_eq!(read(&mut world, "/3311/2/5850"), "1");
    // Without an id the device takes the lowest free one.
    let answer = world.ask(&post("/3311", TLV, &hex("E1 16 DA 00")));
    assert_eq!(answer.texts(OptionNumber::LOCATION_PATH)[1], "0");
    let update = world.take();
    world.answer_with(&update, Code::CHANGED);
    // Read-only resources in the payload are ignored.
    let body = br#"[{"bn":"/3303/3/","n":"5700","v":99}]"#;
    assert_eq!(world.code(&post("/3303", SENML_JSON, body)), "2.01");
    let update = world.take();
    world.answer_with(&update, Code::CHANGED);
    assert_eq!(read(&mut world, "/3303/3/5700"), "0.0");
    // No third light: both places are taken.
    assert_eq!(
        world.code(&post("/3311", TLV, &hex("04 07 E1 16 DA 01"))),
        "5.00"
    );
    assert_eq!(world.code(&delete("/3311/2")), "2.02");
    let update = world.take();
    assert!(update.text().ends_with(",</3311/0>"), "{}", update.text());
}

#[test]
fn an_execute_works_and_is_told() {
    let mut world = World::registered(Version::V1_1);
    for value in [30.0, 10.0, 12.5] {
        world.set_temperature(value);
    }
    assert_eq!(read(&mut world, "/3303/0/5602"), "30.0");
    assert_eq!(world.code(&execute("/3303/0/5605")), "2.04");
    assert_eq!(read(&mut world, "/3303/0/5601"), "12.5");
    assert_eq!(read(&mut world, "/3303/0/5602"), "12.5");
    assert!(world.events.contains(&Event::Request {
        server: 1,
        operation: "Execute",
        path: "/3303/0/5605".parse().unwrap(),
        code: Code::CHANGED
    }));
}

#[test]
fn errors_of_the_device_come_and_go() {
    let mut world = World::registered(Version::V1_1);
    let device = &mut world.client.objects_mut().device;
    device.raise(1);
    device.raise(4);
    device.raise(1);
    world.poll();
    let answer = world.ask(&get("/3/0/11").accept(TLV));
    assert_eq!(answer.payload, hex("86 0B 41 00 01 41 01 04"));
    assert_eq!(world.code(&execute("/3/0/12")), "2.04");
    let answer = world.ask(&get("/3/0/11").accept(TLV));
    assert_eq!(answer.payload, hex("83 0B 41 00 00"));
}

#[test]
fn discover_lists_what_is_there_with_its_attributes() {
    let mut world = World::registered(Version::V1_1);
    for uri in [
        "/3303?pmin=5",
        "/3303/0?pmax=60",
        "/3303/0/5700?gt=30&lt=10&st=1",
        "/3/0/7?pmin=2",
        "/3/0/7/1?gt=5000.5",
    ] {
        assert_eq!(world.code(&attributes(uri)), "2.04");
    }
    let discover = |world: &mut World, uri: &str| world.ask(&get(uri).accept(LINK)).text();
    assert_eq!(
        discover(&mut world, "/3303/0"),
        "</3303/0>;pmax=60,</3303/0/5601>,</3303/0/5602>,</3303/0/5605>,\
         </3303/0/5700>;gt=30;lt=10;st=1,</3303/0/5701>"
    );
    assert_eq!(
        discover(&mut world, "/3303"),
        "</3303>;ver=1.1;pmin=5,</3303/0>,</3303/0/5601>,</3303/0/5602>,</3303/0/5605>,\
         </3303/0/5700>,</3303/0/5701>"
    );
    assert_eq!(
        discover(&mut world, "/3303/0/5700"),
        "</3303/0/5700>;pmin=5;pmax=60;gt=30;lt=10;st=1"
    );
    assert_eq!(
        discover(&mut world, "/3/0/7"),
        "</3/0/7>;dim=2;pmin=2,</3/0/7/0>,</3/0/7/1>;gt=5000.5"
    );
    assert!(discover(&mut world, "/3/0").contains(",</3/0/7>;dim=2;pmin=2,"));
    assert_eq!(discover(&mut world, "/3311"), "</3311>");
    // Unset again, and gone with the instance.
    assert_eq!(world.code(&attributes("/3303/0/5700?gt&lt&st")), "2.04");
    assert_eq!(
        discover(&mut world, "/3303/0/5700"),
        "</3303/0/5700>;pmin=5;pmax=60"
    );

    // 1.2: depth, attributes at every link, inheritance at the target.
    let mut world = World::registered(Version::V1_2);
    for uri in ["/3303?pmin=5", "/3303/0/5700?gt=30"] {
        assert_eq!(world.code(&attributes(uri)), "2.04");
    }
    assert_eq!(
        discover(&mut world, "/3303?depth=0"),
        "</3303>;ver=1.1;pmin=5"
    );
    assert_eq!(
        discover(&mut world, "/3303?depth=1"),
        "</3303>;ver=1.1;pmin=5,</3303/0>"
    );
    assert!(discover(&mut world, "/3303").contains("</3303/0/5700>;gt=30"));
    assert!(discover(&mut world, "/3303/0").starts_with("</3303/0>;pmin=5,"));
    assert!(discover(&mut world, "/3/0?depth=2").contains("</3/0/7/1>"));
}

#[test]
fn attributes_go_with_the_instance() {
    let mut world = World::registered(Version::V1_1);
    assert_eq!(world.code(&attributes("/3303/0/5700?gt=30")), "2.04");
    assert_eq!(world.code(&delete("/3303/0")), "2.02");
    let update = world.take();
    world.answer_with(&update, Code::CHANGED);
    let body = br#"[{"bn":"/3303/0/","n":"5750","vs":"x"}]"#;
    assert_eq!(world.code(&post("/3303", SENML_JSON, body)), "2.01");
    let update = world.take();
    world.answer_with(&update, Code::CHANGED);
    let links = world.ask(&get("/3303/0/5700").accept(LINK)).text();
    assert_eq!(links, "</3303/0/5700>");
}

#[test]
fn attribute_places_run_out_without_harm() {
    let mut world = World::registered(Version::V1_1);
    for path in ["/3", "/3/0", "/3/0/0", "/3/0/1", "/3/0/2", "/3/0/3"] {
        assert_eq!(world.code(&attributes(&format!("{path}?pmin=1"))), "2.04");
    }
    assert_eq!(world.code(&attributes("/3/0/9?pmin=1")), "5.00");
    assert_eq!(world.code(&attributes("/3/0?pmin=2")), "2.04");
    assert_eq!(world.code(&attributes("/3/0?pmin")), "2.04");
    assert_eq!(world.code(&attributes("/3/0/9?pmin=1")), "2.04");
}

/// Writes a body in blocks of 64 bytes and returns the codes.
fn write_in_blocks(world: &mut World, uri: &str, format: u16, body: &[u8]) -> Vec<String> {
    let count = body.len().div_ceil(64);
    (0..count)
        .map(|number| {
            let part = &body[number * 64..body.len().min(number * 64 + 64)];
            let more = number + 1 < count;
            world.code(&put(uri, format, part).block1(number as u32, more, 2))
        })
        .collect()
}

#[test]
fn bodies_come_in_blocks() {
    let mut world = World::registered(Version::V1_1);
    let zone = br#"[{"bn":"/3/0/","n":"15","vs":"Europe/Amsterdam"},{"n":"14","vs":"+02:00"}]"#;
    let codes = write_in_blocks(&mut world, "/3/0", SENML_JSON, zone);
    assert_eq!(codes, ["2.31", "2.04"]);
    assert_eq!(read(&mut world, "/3/0/15"), "Europe/Amsterdam");
    // A block is missing; the body is too large, announced or not.
    assert_eq!(
        world.code(&put("/3/0/15", TEXT, &[b'x'; 64]).block1(1, true, 2)),
        "4.08"
    );
    let codes = write_in_blocks(&mut world, "/3/0/15", TEXT, &[b'x'; 2200]);
    assert_eq!(codes[32], "4.13");
    let refused = world.ask(&put("/3/0/15", TEXT, b"abc").block1(0, false, 7));
    assert_eq!(refused.code, Code::BAD_REQUEST);
}

#[test]
fn answers_go_in_blocks() {
    let mut world = World::registered(Version::V1_1);
    let whole = world.ask(&get("/3/0").accept(TLV)).payload;
    assert!(whole.len() > 64 && whole.len() < 1024);
    let mut gathered: Vec<u8> = Vec::new();
    let mut etag = None;
    for number in 0.. {
        let answer = world.ask(&get("/3/0").accept(TLV).block2(number, 1));
        assert_eq!(answer.code, Code::CONTENT);
        let block = answer.uint(OptionNumber::BLOCK2).unwrap();
        assert_eq!((block >> 4, block & 7), (number, 1));
        let tag = answer.uint(OptionNumber::ETAG);
        assert!(tag.is_some() && (etag.is_none() || etag == tag));
        etag = tag;
        gathered.extend(&answer.payload);
        if block & 8 == 0 {
            break;
        }
        // A change in between does not tear the answer.
        world.client.objects_mut().device.battery_level = Some(number as u8);
    }
    assert_eq!(gathered, whole);
    assert_eq!(world.code(&get("/3/0").accept(TLV).block2(100, 1)), "4.00");
    let links = world.ask(&get("/3/0").accept(LINK).block2(0, 0));
    assert_eq!(links.payload.len(), 16);
}

#[test]
fn repetitions_are_answered_alike_and_done_once() {
    let mut world = World::registered(Version::V1_1);
    let request = post("/3311", TLV, &hex("E1 16 DA 01")).bytes(0x3333);
    let server = world.server;
    world.input(server, &request);
    let first = world.sent.pop_front().unwrap();
    world.take();
    world.input(server, &request);
    assert_eq!(world.sent.pop_front().unwrap(), first);
    world.assert_silent();
    assert_eq!(world.client.objects().light.iter().count(), 1);
}

#[test]
fn a_full_multiple_resource_refuses_further_instances() {
    let mut voltages: dunlin_client::Multiple<i32, 2> = [(0, 1), (5, 2)].into_iter().collect();
    assert_eq!(voltages.insert(7, 3), Err(3));
    assert_eq!(voltages.insert(5, 9), Ok(()));
    assert_eq!(voltages.get(5), Some(&9));
    assert_eq!(voltages.remove(0), Some(1));
    assert_eq!(voltages.insert(7, 3), Ok(()));
}

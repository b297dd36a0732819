//! Read-, Write- and Observe-Composite.

mod common;

use common::several::Several;
use common::{Ask, Got, World, ask, get, hex, post, put};
use dunlin_client::objects::{AccessControl, Humidity, Server};
use dunlin_client::{Code, Config, ContentFormat, Instances, Version, objects};
use dunlin_coap::OptionNumber;

const TEXT: u16 = 0;
const SENML_JSON: u16 = 110;
const SENML_CBOR: u16 = 112;
const ETCH_JSON: u16 = 320;
const ETCH_CBOR: u16 = 322;
const TLV: u16 = 11542;

fn fetch(format: u16, payload: &[u8]) -> Ask {
    Ask {
        code: Code::FETCH,
        ..put("/", format, payload)
    }
}

fn fetch_json(paths: &[&str]) -> Ask {
    let names: Vec<String> = paths
        .iter()
        .map(|path| format!(r#"{{"n":"{path}"}}"#))
        .collect();
    let list = format!("[{}]", names.join(","));
    fetch(SENML_JSON, list.as_bytes()).accept(SENML_JSON)
}

fn ipatch(format: u16, payload: &str) -> Ask {
    Ask {
        code: Code::IPATCH,
        ..put("/", format, payload.as_bytes())
    }
}

fn read(world: &mut World, path: &str) -> String {
    world.ask(&get(path).accept(TEXT)).text()
}

/// The names of a SenML JSON pack whose base name is `/`.
fn names(got: &Got) -> Vec<String> {
    let text = got.text();
    text.split("\"n\":\"")
        .skip(1)
        .map(|rest| format!("/{}", rest.split('"').next().unwrap()))
        .collect()
}

#[test]
fn what_is_there_is_read_and_the_rest_left_out() {
    let mut world = World::registered(Version::V1_1);
    let list = [
        "/3/0/9",
        "/3/0/4",
        "/3/0/6/1",
        "/99",
        "/3303/0/5700",
        "/3303/7",
        "/3/0/20",
    ];
    let answer = world.ask(&fetch_json(&list));
    assert_eq!(answer.code, Code::CONTENT);
    assert_eq!(answer.uint(OptionNumber::CONTENT_FORMAT), Some(110));
    assert_eq!(
        answer.text(),
        r#"[{"bn":"/","n":"3/0/6/1","v":5},{"n":"3/0/9","v":100},{"n":"3303/0/5700","v":20.0}]"#
    );
    // Core 1.2 §6.3.8: nothing that matches is an empty pack, no error.
    for list in [&["/99"][..], &["/3/0/4"], &["/3303/9/5700"], &[]] {
        let answer = world.ask(&fetch_json(list));
        assert_eq!(
            (answer.code, answer.text().as_str()),
            (Code::CONTENT, "[]"),
            "{list:?}"
        );
    }
    // Overlapping paths give each value once.
    let answer = world.ask(&fetch_json(&["/3/0/9", "/3/0/6", "/3/0/6/0", "/3/0/9"]));
    assert_eq!(names(&answer), ["/3/0/6/0", "/3/0/6/1", "/3/0/9"]);
}

#[test]
fn the_root_is_everything_but_what_is_hidden() {
    let mut world = World::registered(Version::V1_1);
    let root = || fetch(SENML_CBOR, &hex("81 A1 00 61 2F")).accept(SENML_JSON);
    let mut answer = world.ask(&root());
    // It goes in two blocks.
    answer
        .payload
        .extend(world.ask(&root().block2(1, 6)).payload);
    let names = names(&answer);
    assert!(names.contains(&"/1/0/0".to_owned()) && names.contains(&"/3303/0/5700".to_owned()));
    assert!(!names.iter().any(|name| name.starts_with("/0/")));
    let objects: Vec<u32> = names
        .iter()
        .map(|name| name.split('/').nth(1).unwrap().parse().unwrap())
        .collect();
    assert!(objects.is_sorted(), "{objects:?}");
}

#[test]
fn a_list_of_what_is_hidden_is_refused() {
    let mut world = World::registered(Version::V1_1);
    assert_eq!(world.code(&fetch_json(&["/0/0/1", "/0"])), "4.01");
    // ... but does not spoil what else is asked for.
    let answer = world.ask(&fetch_json(&["/0/0/1", "/3/0/9"]));
    assert_eq!(names(&answer), ["/3/0/9"]);
}

#[test]
fn formats_of_lists_and_answers() {
    let cbor = hex("81 A1 00 66 2F332F302F39");
    for (version, list, accept, code) in [
        (Version::V1_1, SENML_JSON, None, "2.05"),
        (Version::V1_1, SENML_JSON, Some(SENML_CBOR), "2.05"),
        (Version::V1_1, SENML_JSON, Some(TEXT), "4.06"),
        (Version::V1_1, SENML_JSON, Some(TLV), "4.06"),
        (Version::V1_1, SENML_JSON, Some(11543), "4.06"),
        (Version::V1_1, SENML_JSON, Some(40), "4.06"),
        (Version::V1_1, ETCH_JSON, None, "2.05"),
        (Version::V1_2, ETCH_JSON, None, "2.05"),
        (Version::V1_2, TLV, None, "4.15"),
        (Version::V1_2, 11544, None, "4.15"),
        (Version::V1_2, TEXT, None, "4.15"),
        (Version::V1_0, SENML_JSON, None, "5.01"),
    ] {
        let mut world = World::registered(version);
        let mut request = fetch(list, br#"[{"n":"/3/0/9"}]"#);
        request.accept = accept;
        assert_eq!(world.code(&request), code, "{version} {list} {accept:?}");
    }
    for format in [SENML_CBOR, ETCH_CBOR] {
        let mut world = World::registered(Version::V1_2);
        // Without Accept the preference, SenML CBOR; golden bytes.
        let answer = world.ask(&fetch(format, &cbor));
        assert_eq!(answer.uint(OptionNumber::CONTENT_FORMAT), Some(112));
        assert_eq!(
            answer.payload,
            hex("81 A3 21 61 2F 00 65 332F302F39 02 18 64")
        );
    }
    for (body, code) in [
        (&br#"[{"n":"/3/0/9","v":1}]"#[..], "4.00"),
        (br#"[{"n":"3/0/9"}]"#, "4.00"),
        (br#"[{"n":"/3/0/9/1/1"}]"#, "4.00"),
        (br#"[{"n":"/3/0/9"}"#, "4.00"),
        (b"", "4.00"),
    ] {
        let mut world = World::registered(Version::V1_2);
        assert_eq!(world.code(&fetch(SENML_JSON, body)), code);
        assert_eq!(world.code(&fetch(ETCH_JSON, body)), code);
    }
    let mut world = World::registered(Version::V1_2);
    assert_eq!(world.code(&ask(Code::FETCH, "/")), "4.00");
    // Beyond what the memory for a list holds.
    let many: Vec<String> = (0..100).map(|id| format!("/3/0/{id}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(world.code(&fetch_json(&many)), "5.00");
}

#[test]
fn a_client_may_leave_composites_out() {
    let mut world = World::with(Config {
        composites: false,
        ..Config::new("dev1")
    });
    world.register();
    assert_eq!(world.code(&fetch_json(&["/3"])), "5.01");
    assert_eq!(world.code(&fetch_json(&["/3"]).observe(0, b"c")), "5.01");
    let write = ipatch(SENML_JSON, r#"[{"n":"/1/0/1","v":60}]"#);
    assert_eq!(world.code(&write), "5.01");
}

#[test]
fn the_preferred_format_answers() {
    let mut world = World::with(Config {
        formats: dunlin_client::Formats {
            v1_2: ContentFormat::SENML_JSON,
            ..dunlin_client::Formats::default()
        },
        ..Config::new("dev1")
    });
    world.register();
    let mut request = fetch_json(&["/3/0/9"]);
    request.accept = None;
    let answer = world.ask(&request);
    assert_eq!(answer.uint(OptionNumber::CONTENT_FORMAT), Some(110));
    let answer = world.ask(&get("/3303/0"));
    assert_eq!(answer.uint(OptionNumber::CONTENT_FORMAT), Some(110));
}

#[test]
fn a_large_composite_goes_in_blocks() {
    let mut world = World::registered(Version::V1_1);
    let whole = world.ask(&fetch_json(&["/3", "/1"]));
    let mut gathered = String::new();
    for number in 0.. {
        let answer = world.ask(&fetch_json(&["/3", "/1"]).block2(number, 2));
        gathered += &answer.text();
        if answer.uint(OptionNumber::BLOCK2).unwrap() & 8 == 0 {
            break;
        }
    }
    assert_eq!(gathered, whole.text());
    // Another list in between is another answer.
    world.ask(&fetch_json(&["/3", "/1"]).block2(0, 2));
    let other = world.ask(&fetch_json(&["/1", "/3"]).block2(1, 2));
    assert_eq!(other.text(), whole.text()[64..128]);
}

#[test]
fn a_write_reaches_several_instances() {
    // ETS int-257, in JSON and in CBOR.
    let json = r#"[{"bn":"/","n":"1/0/2","v":101},{"n":"1/0/6","vb":true},{"n":"3/0/13","v":0}]"#;
    let cbor = hex(
        "83 A3 21 61 2F 00 65 312F302F32 02 18 65 A2 00 65 312F302F36 04 F5 A2 00 66 332F302F3133 02 00",
    );
    for (format, body) in [
        (SENML_JSON, json.as_bytes()),
        (SENML_CBOR, &cbor),
        (ETCH_JSON, json.as_bytes()),
        (ETCH_CBOR, &cbor),
    ] {
        let mut world = World::registered(Version::V1_2);
        world.client.server_mut().notification_storing = false;
        world.poll();
        let write = Ask {
            code: Code::IPATCH,
            ..put("/", format, body)
        };
        let answer = world.ask(&write);
        assert_eq!((answer.code, answer.payload.len()), (Code::CHANGED, 0));
        assert_eq!(read(&mut world, "/1/0/2"), "101");
        assert_eq!(read(&mut world, "/1/0/6"), "1");
        assert_eq!(read(&mut world, "/3/0/13"), "0");
    }
}

#[test]
fn all_of_a_write_or_nothing() {
    for (records, code) in [
        (r#"{"n":"/99/0/1","v":1}"#, "4.04"),
        (r#"{"n":"/3/1/14","vs":"x"}"#, "4.04"),
        (r#"{"n":"/3/0/99","vs":"x"}"#, "4.04"),
        (r#"{"n":"/0/0/1","vb":true}"#, "4.01"),
        (r#"{"n":"/3/0/9","v":1}"#, "4.05"),
        (r#"{"n":"/3/0/4","v":1}"#, "4.05"),
        (r#"{"n":"/3/0/14/0","vs":"x"}"#, "4.05"),
        (r#"{"n":"/3/0/14","v":1}"#, "4.00"),
        (r#"{"n":"/3/0/14"}"#, "4.00"),
        (r#"{"n":"/3/0","v":1}"#, "4.00"),
        (r#"{"n":"/1/0/2","v":"x"}"#, "4.00"),
        // Refused by the object, when the rest was already taken.
        (r#"{"n":"/1/0/17","v":0}"#, "4.00"),
        (
            r#"{"n":"/3/0/14","vs":"0123456789012345678901234567890123456789"}"#,
            "4.00",
        ),
    ] {
        // The bad record behind, between and before good ones.
        let good = [
            r#"{"n":"/1/0/1","v":61}"#,
            r#"{"n":"/3/0/14","vs":"+07:00"}"#,
            r#"{"n":"/3311/0/5851","v":7}"#,
        ];
        for at in 0..=3 {
            let mut world = World::registered(Version::V1_2);
            let dimmer = hex("C1 00 01");
            let create = world.code(&post(
                "/3311",
                TLV,
                &[&hex("08 00 04 E1 16 DA 01"), &[][..]].concat(),
            ));
            assert_eq!(create, "2.01", "{dimmer:?}");
            let update = world.take();
            world.answer_with(&update, Code::CHANGED);
            let before: Vec<String> = ["/1/0/1", "/3/0/14"]
                .map(|path| read(&mut world, path))
                .into();
            let mut all = good.to_vec();
            all.insert(at, records);
            let body = format!("[{}]", all.join(","));
            assert_eq!(world.code(&ipatch(SENML_JSON, &body)), code, "{body}");
            let after: Vec<String> = ["/1/0/1", "/3/0/14"]
                .map(|path| read(&mut world, path))
                .into();
            assert_eq!(before, after, "{body}");
            world.assert_silent();
        }
    }
}

#[test]
fn observers_are_told_of_a_composite_write() {
    let mut world = World::registered(Version::V1_2);
    world.ask(&get("/3/0/14").observe(0, b"obs"));
    assert_eq!(
        world.code(&ipatch(SENML_JSON, r#"[{"n":"/3/0/14","vs":"+05:30"}]"#)),
        "2.04"
    );
    assert_eq!(world.take().text(), "+05:30");
    // One that failed changed nothing, although every instance but the last had taken it.
    let bad = r#"[{"n":"/3/0/14","vs":"+01:00"},{"n":"/1/0/17","v":0}]"#;
    assert_eq!(world.code(&ipatch(SENML_JSON, bad)), "4.00");
    world.assert_silent();
}

/// A notification carries all listed resources that are there, whichever changed.
#[test]
fn observe_composite_tells_all_members() {
    let mut world = World::registered(Version::V1_1);
    let answer = world.ask(&fetch_json(&["/3/0/9", "/3303/0/5700", "/3303/1"]).observe(0, b"com"));
    assert!(answer.uint(OptionNumber::OBSERVE).is_some());
    assert_eq!(names(&answer), ["/3/0/9", "/3303/0/5700"]);
    world.set_temperature(21.0);
    let told = world.take();
    assert_eq!(
        (told.code, told.token.as_slice()),
        (Code::CONTENT, &b"com"[..])
    );
    assert_eq!(told.uint(OptionNumber::CONTENT_FORMAT), Some(110));
    assert!(told.uint(OptionNumber::OBSERVE) > answer.uint(OptionNumber::OBSERVE));
    assert_eq!(
        told.text(),
        r#"[{"bn":"/","n":"3/0/9","v":100},{"n":"3303/0/5700","v":21.0}]"#
    );
    // What is created later appears (ETS int-308), and what is deleted vanishes (int-309).
    let thing = objects::Temperature::new(5.0);
    let temperature = &mut world.client.objects_mut().temperature;
    temperature.insert(1, thing).unwrap();
    world.poll();
    let update = world.take();
    world.answer_with(&update, Code::CHANGED);
    let told = world.take();
    assert!(names(&told).contains(&"/3303/1/5700".to_owned()));
    world.client.objects_mut().temperature.remove(1);
    world.client.objects_mut().device.battery_level = None;
    world.poll();
    let update = world.take();
    world.answer_with(&update, Code::CHANGED);
    assert_eq!(names(&world.take()), ["/3303/0/5700"]);
    // With nothing left it goes on, empty.
    world.client.objects_mut().temperature.remove(0);
    world.poll();
    let update = world.take();
    world.answer_with(&update, Code::CHANGED);
    let told = world.take();
    assert_eq!((told.code, told.text().as_str()), (Code::CONTENT, "[]"));
}

#[test]
fn members_go_by_their_attributes() {
    let mut world = World::registered(Version::V1_2);
    assert_eq!(world.code(&ask(Code::PUT, "/3303/0/5700?gt=25")), "2.04");
    assert_eq!(world.code(&ask(Code::PUT, "/3?pmin=10")), "2.04");
    world.ask(&fetch_json(&["/3/0/9", "/3303/0/5700"]).observe(0, b"com"));
    world.set_temperature(24.0);
    world.assert_silent();
    // The member that changed has no pmin.
    world.set_temperature(26.0);
    assert!(world.take().text().contains("26"));
    world.client.objects_mut().device.battery_level = Some(50);
    world.poll();
    world.assert_silent();
    world.seconds(10);
    assert!(world.take().text().contains("50"));
    // ETS int-310: pmax of one member is that of the whole.
    assert_eq!(world.code(&ask(Code::PUT, "/3?pmax=15")), "2.04");
    world.seconds(15);
    assert_eq!(names(&world.take()), ["/3/0/9", "/3303/0/5700"]);
    // Parameters of the whole (1.2) come instead of periods, not of thresholds.
    let list = fetch_json(&["/3/0/9", "/3303/0/5700"]);
    let request = Ask {
        uri: "/?pmin=3&con=1".to_owned(),
        ..list.clone()
    };
    world.ask(&request.observe(0, b"com"));
    world.seconds(40);
    world.assert_silent();
    world.set_temperature(27.0);
    world.assert_silent();
    world.set_temperature(20.0);
    let told = world.take();
    assert_eq!(told.ty, dunlin_coap::Type::Confirmable);
    for (query, code) in [("gt=4", "4.00"), ("pmin=x", "4.00"), ("foo=1", "4.02")] {
        let request = Ask {
            uri: format!("/?{query}"),
            ..list.clone()
        };
        assert_eq!(world.code(&request.observe(0, b"bad")), code, "{query}");
    }
}

#[test]
fn a_composite_observation_is_cancelled_by_token_and_list() {
    let list = || fetch_json(&["/3/0/9", "/3303/0/5700"]);
    for (cancel, ends) in [
        (list().observe(1, b"com"), true),
        (list().observe(1, b"xyz"), false),
        (fetch_json(&["/3/0/9"]).observe(1, b"com"), false),
    ] {
        let mut world = World::registered(Version::V1_1);
        world.ask(&list().observe(0, b"com"));
        let answer = world.ask(&cancel);
        assert_eq!(answer.code, Code::CONTENT);
        assert_eq!(answer.uint(OptionNumber::OBSERVE), None);
        world.set_temperature(21.0);
        assert_eq!(world.sent.is_empty(), ends);
    }
    // A reset ends it as well.
    let mut world = World::registered(Version::V1_1);
    world.ask(&list().observe(0, b"com"));
    assert_eq!(world.client.observed().count(), 2);
    world.set_temperature(21.0);
    let told = world.take();
    world.empty(dunlin_coap::Type::Reset, told.message_id);
    assert_eq!(world.client.observed().count(), 0);
}

#[test]
fn a_composite_takes_a_place_for_each_path() {
    // There are six.
    let mut world = World::registered(Version::V1_1);
    let paths = ["/3/0/0", "/3/0/1", "/3/0/2", "/3/0/9", "/3303/0/5700"];
    let answer = world.ask(&fetch_json(&paths).observe(0, b"com"));
    assert!(answer.uint(OptionNumber::OBSERVE).is_some());
    let answer = world.ask(&fetch_json(&["/1/0/1", "/1/0/2"]).observe(0, b"two"));
    assert_eq!(
        (answer.code, answer.uint(OptionNumber::OBSERVE)),
        (Code::CONTENT, None)
    );
    let answer = world.ask(&get("/1/0/1").observe(0, b"one"));
    assert!(answer.uint(OptionNumber::OBSERVE).is_some());
}

objects!(Guarded { access, humidity });

struct Guarded {
    access: Instances<AccessControl, 4>,
    humidity: Instances<Humidity, 2>,
}

/// Two servers: 1 owns `/3304/0` and its entry `/2/0`, 2 may read it alone; nobody may touch
/// `/3304/1` but a server 9.
fn guarded() -> Several<Guarded> {
    let guarded = Guarded {
        access: Instances::new()
            .with(
                0,
                AccessControl::new(3304, 0, 1)
                    .acl(1, 15)
                    .acl(2, AccessControl::READ),
            )
            .with(1, AccessControl::new(3304, 1, 9)),
        humidity: Instances::new()
            .with(0, Humidity::new(50.0))
            .with(1, Humidity::new(60.0)),
    };
    let mut world = Several::with(Config::new("dev1"), guarded, [1, 2].map(Server::new));
    world.register(&[1, 2]);
    world
}

#[test]
fn what_may_not_be_read_is_left_out() {
    let mut world = guarded();
    let answer = world.ask(2, &fetch_json(&["/3304/0/5700", "/3304/1/5700"]));
    assert_eq!(names(&answer), ["/3304/0/5700"]);
    // Nothing readable at all (Transport 1.2 Table 6.7-3).
    assert_eq!(world.code(2, &fetch_json(&["/3304/1"])), "4.01");
    assert_eq!(
        world.code(2, &fetch_json(&["/3304/1"]).observe(0, b"c")),
        "4.01"
    );
    // A write to one that may be written and one that may not.
    let both = r#"[{"n":"/1/0/1","v":60},{"n":"/2/1/3","v":2}]"#;
    assert_eq!(world.code(2, &ipatch(SENML_JSON, both)), "4.01");
}

#[test]
fn etch_null_removes_a_resource_instance() {
    let acl = |world: &mut Several<Guarded>| {
        let answer = world.ask(1, &get("/2/0/2").accept(SENML_JSON));
        answer.text()
    };
    let mut world = guarded();
    // One goes, one comes, one changes, and the others stay.
    let body = r#"[{"bn":"/2/0/2/","n":"2","v":null},{"n":"7","v":3},{"n":"1","v":7}]"#;
    assert_eq!(world.code(1, &ipatch(ETCH_JSON, body)), "2.04");
    assert_eq!(
        acl(&mut world),
        r#"[{"bn":"/2/0/2/","n":"1","v":7},{"n":"7","v":3}]"#
    );
    // CBOR: 81 A2 name "/2/0/2/7", value null.
    let cbor = hex("81 A2 00 68 2F322F302F322F37 02 F6");
    let request = Ask {
        code: Code::IPATCH,
        ..put("/", ETCH_CBOR, &cbor)
    };
    assert_eq!(world.code(1, &request), "2.04");
    assert_eq!(acl(&mut world), r#"[{"bn":"/2/0/2/","n":"1","v":7}]"#);
    // RFC 8790 §3.2: what is not there cannot be removed; all or nothing.
    let body = r#"[{"n":"/2/0/2/1","v":3},{"n":"/2/0/2/5","v":null}]"#;
    assert_eq!(world.code(1, &ipatch(ETCH_JSON, body)), "4.04");
    // A mandatory resource keeps something; only resource instances go.
    for (body, code) in [
        (r#"[{"n":"/2/0/3","v":null}]"#, "4.00"),
        (r#"[{"n":"/2/0/3/0","v":null}]"#, "4.05"),
    ] {
        assert_eq!(world.code(1, &ipatch(ETCH_JSON, body)), code, "{body}");
    }
    assert_eq!(acl(&mut world), r#"[{"bn":"/2/0/2/","n":"1","v":7}]"#);
    // Plain SenML has no null.
    let body = r#"[{"n":"/2/0/2/1","v":null}]"#;
    assert_eq!(world.code(1, &ipatch(SENML_JSON, body)), "4.00");
}

//! Every cell of the tables of response codes (Transport 1.2 Table 6.7-3 and 6.7-4), by its name, in
//! the role of the client. Cells for which the standard gives no reason are in a table of their own,
//! with what is answered instead. The codes of the registration interface (Table 6.7-2) and of Send are
//! those of a server: what the client makes of the former is at the end, of the latter in `send.rs`.

mod common;

use std::time::Duration;

use common::several::Several;
use common::{Ask, World, ask, get, hex, post, put};
use dunlin_client::objects::{AccessControl, Device, LightControl, Server, Temperature};
use dunlin_client::{Code, Config, Event, Instances, RegistrationState, Single, Version, objects};

const TEXT: u16 = 0;
const LINK: u16 = 40;
const SENML_JSON: u16 = 110;
const TLV: u16 = 11542;

struct Guarded {
    device: Single<Device>,
    temperature: Instances<Temperature, 3>,
    light: Instances<LightControl, 2>,
    access: Instances<AccessControl, 8>,
}

objects!(Guarded {
    device,
    temperature,
    light,
    access
});

/// Server 1 has all rights, server 2 none.
fn world() -> Several<Guarded> {
    let mine = |object| AccessControl::new(object, 0, 1);
    let access = Instances::new()
        .with(0, mine(3))
        .with(1, mine(3303))
        .with(2, mine(3311))
        .with(3, mine(1))
        .with(
            4,
            AccessControl::creators(3303).acl(1, AccessControl::CREATE),
        )
        .with(5, AccessControl::creators(3).acl(1, AccessControl::CREATE))
        .with(
            6,
            AccessControl::creators(3311).acl(1, AccessControl::CREATE),
        );
    let guarded = Guarded {
        device: Single::new(Device {
            power_sources: [(0, 1)].into_iter().collect(),
            ..Device::default()
        }),
        temperature: Instances::new().with(0, Temperature::new(20.0)),
        light: Instances::new().with(0, LightControl::default()),
        access,
    };
    let config = Config {
        version: Version::V1_2,
        ..Config::new("dev1")
    };
    let mut world = Several::with(config, guarded, [1, 2].map(Server::new));
    world.register(&[1, 2]);
    world
}

fn execute(uri: &str, arguments: &str) -> Ask {
    post(uri, TEXT, arguments.as_bytes())
}

fn attributes(uri: &str) -> Ask {
    ask(Code::PUT, uri)
}

fn discover(uri: &str) -> Ask {
    get(uri).accept(LINK)
}

fn fetch(list: &str) -> Ask {
    Ask {
        code: Code::FETCH,
        ..put("/", SENML_JSON, list.as_bytes())
    }
}

fn ipatch(pack: &str) -> Ask {
    Ask {
        code: Code::IPATCH,
        ..put("/", SENML_JSON, pack.as_bytes())
    }
}

fn observe(request: Ask) -> Ask {
    request.observe(0, b"obs")
}

fn in_format(request: Ask, format: u16) -> Ask {
    Ask {
        format: Some(format),
        ..request
    }
}

fn without_format(request: Ask) -> Ask {
    Ask {
        format: None,
        ..request
    }
}

/// Operation, code and reason of the cell; who asks; the last of the requests is answered with it.
type Cell = (&'static str, &'static str, &'static str, u16, Vec<Ask>);

#[rustfmt::skip] // One line for each.
fn cells() -> Vec<Cell> {
    let one = |operation, code, reason, server, request| -> Cell {
        (operation, code, reason, server, vec![request])
    };
    let dimmer = hex("00 01"); // Instance 1, empty.
    let nine = hex("88 02 1B 41 0A 01 41 0B 01 41 0C 01 41 0D 01 41 0E 01 41 0F 01 41 10 01 41 11 01 41 12 01");
    let block = |number, more| {
        put("/3/0/14", TEXT, &[b'x'; 1024]).block1(number, more, 6)
    };
    vec![
        // Create
        one("Create", "2.01", "created", 1, post("/3311", TLV, &hex("08 01 04 E1 16 DA 01"))),
        one("Create", "4.00", "instance exists", 1, post("/3311", TLV, &hex("08 00 04 E1 16 DA 01"))),
        one("Create", "4.00", "no Content-Format", 1, without_format(post("/3311", TLV, &dimmer))),
        one("Create", "4.00", "value of the wrong type", 1, post("/3311", TLV, &hex("08 01 05 E2 16 DA 01 01"))),
        one("Create", "4.01", "no Create right", 2, post("/3311", TLV, &dimmer)),
        one("Create", "4.04", "object unknown", 1, post("/99", TLV, &dimmer)),
        one("Create", "4.05", "not creatable", 1, post("/3", TLV, &dimmer)),
        one("Create", "4.15", "bad Content-Format", 1, post("/3311", 50, &dimmer)),
        // Read
        one("Read", "2.05", "content", 1, get("/3/0/0")),
        one("Read", "4.00", "undetermined: no id", 1, get("/3/99999")),
        one("Read", "4.01", "no Read right", 2, get("/3/0/0")),
        one("Read", "4.01", "Security", 1, get("/0/0/0")),
        one("Read", "4.04", "path unknown", 1, get("/3/0/99")),
        one("Read", "4.05", "not readable", 1, get("/3/0/4")),
        one("Read", "4.06", "Accept not possible", 1, get("/3/0").accept(TEXT)),
        one("Read", "4.06", "Accept unknown", 1, get("/3/0").accept(50)),
        // Read-Composite
        one("Read-Composite", "2.05", "content", 1, fetch(r#"[{"n":"/3/0/0"},{"n":"/99"}]"#)),
        one("Read-Composite", "2.05", "nothing there", 1, fetch(r#"[{"n":"/99"}]"#)),
        one("Read-Composite", "4.00", "undetermined: a value in the list", 1, fetch(r#"[{"n":"/3/0/0","v":1}]"#)),
        one("Read-Composite", "4.01", "nothing readable", 2, fetch(r#"[{"n":"/3/0/0"}]"#)),
        one("Read-Composite", "4.05", "not at the root", 1, Ask { uri: "/3".into(), ..fetch("[]") }),
        one("Read-Composite", "4.06", "Accept not possible", 1, fetch(r#"[{"n":"/3"}]"#).accept(TLV)),
        one("Read-Composite", "4.15", "bad Content-Format", 1, in_format(fetch("[]"), TLV)),
        // Write
        one("Write", "2.04", "changed", 1, put("/3/0/14", TEXT, b"+02:00")),
        one("Write", "2.04", "partial update", 1, post("/1/0", TLV, &hex("C1 01 3C"))),
        one("Write", "2.31", "a block of several", 1, block(0, true)),
        one("Write", "4.00", "wrong type", 1, put("/1/0/1", TEXT, b"soon")),
        one("Write", "4.00", "out of range", 1, put("/3311/0/5851", TEXT, b"101")),
        one("Write", "4.00", "no Content-Format", 1, without_format(put("/3/0/14", TEXT, b"+02:00"))),
        one("Write", "4.01", "no Write right", 2, put("/3/0/14", TEXT, b"+02:00")),
        one("Write", "4.01", "allocation of a resource instance refused", 1, put("/2/0/2", TLV, &nine)),
        one("Write", "4.04", "path unknown", 1, put("/3/0/99", TEXT, b"x")),
        one("Write", "4.05", "not writable", 1, put("/3/0/0", TEXT, b"x")),
        ("Write", "4.08", "a block is missing", 1, vec![block(0, true), block(2, true)]),
        ("Write", "4.13", "too large", 1, (0..=2).map(|number| block(number, true)).collect()),
        one("Write", "4.15", "bad Content-Format", 1, put("/3/0/14", 50, b"x")),
        // Write-Composite
        one("Write-Composite", "2.04", "changed", 1, ipatch(r#"[{"n":"/3/0/14","vs":"+02:00"}]"#)),
        one("Write-Composite", "4.00", "wrong type", 1, ipatch(r#"[{"n":"/3/0/14","v":2}]"#)),
        one("Write-Composite", "4.01", "a target without Write right", 2, ipatch(r#"[{"n":"/3/0/14","vs":"x"}]"#)),
        one("Write-Composite", "4.04", "a target is missing", 1, ipatch(r#"[{"n":"/3/0/14","vs":"x"},{"n":"/99/0/1","v":1}]"#)),
        one("Write-Composite", "4.05", "a target is not writable", 1, ipatch(r#"[{"n":"/3/0/14","vs":"x"},{"n":"/3/0/0","vs":"x"}]"#)),
        one("Write-Composite", "4.15", "bad Content-Format", 1, in_format(ipatch("[]"), TLV)),
        // Write-Attributes
        one("Write-Attributes", "2.04", "changed", 1, attributes("/3/0/13?pmin=1")),
        one("Write-Attributes", "4.00", "inconsistent", 1, attributes("/3303/0/5700?lt=9&gt=5")),
        one("Write-Attributes", "4.00", "step too large", 1, attributes("/3303/0/5700?lt=1&gt=5&st=2")),
        one("Write-Attributes", "4.00", "epmin not below epmax", 1, attributes("/3303/0/5700?epmin=5&epmax=5")),
        one("Write-Attributes", "4.00", "invalid: a threshold for a text", 1, attributes("/3/0/14?gt=1")),
        one("Write-Attributes", "4.00", "invalid: a threshold at an instance", 1, attributes("/3303/0?gt=1")),
        ("Write-Attributes", "4.00", "inconsistent with what is attached", 1, vec![attributes("/3303/0/5700?gt=5"), attributes("/3303/0/5700?lt=9")]),
        one("Write-Attributes", "4.01", "no Read right", 2, attributes("/3/0/14?pmin=1")),
        one("Write-Attributes", "4.04", "path unknown", 1, attributes("/3/0/99?pmin=1")),
        one("Write-Attributes", "4.05", "not allowed: an executable", 1, attributes("/3/0/4?pmin=1")),
        // Execute
        one("Execute", "2.04", "executed", 1, execute("/3303/0/5605", "")),
        one("Execute", "4.00", "arguments not understood", 1, execute("/3303/0/5605", "10")),
        one("Execute", "4.01", "no Execute right", 2, execute("/3303/0/5605", "")),
        one("Execute", "4.04", "unknown", 1, execute("/3303/0/99", "")),
        one("Execute", "4.05", "not executable", 1, execute("/3303/0/5700", "")),
        // Delete
        one("Delete", "2.02", "deleted", 1, ask(Code::DELETE, "/3303/0")),
        one("Delete", "4.00", "undetermined: no id", 1, ask(Code::DELETE, "/3303/99999")),
        one("Delete", "4.01", "no Delete right", 2, ask(Code::DELETE, "/3303/0")),
        one("Delete", "4.04", "unknown", 1, ask(Code::DELETE, "/3303/7")),
        one("Delete", "4.05", "not deletable", 1, ask(Code::DELETE, "/3/0")),
        // Discover
        one("Discover", "2.05", "content", 1, discover("/3")),
        one("Discover", "2.05", "no right is needed", 2, discover("/3")),
        one("Discover", "4.00", "undetermined: depth", 1, discover("/3?depth=4")),
        one("Discover", "4.01", "Security", 1, discover("/0")),
        one("Discover", "4.04", "unknown", 1, discover("/99")),
        one("Discover", "4.05", "not allowed: a resource instance", 1, discover("/3/0/6/0")),
        // Observe
        one("Observe", "2.05", "content", 1, observe(get("/3303/0/5700"))),
        one("Observe", "2.05", "with parameters", 1, observe(get("/3303/0/5700?pmin=1&gt=5"))),
        one("Observe", "4.00", "undetermined: contradicting parameters", 1, observe(get("/3303/0/5700?gt=1&lt=2"))),
        one("Observe", "4.01", "no Read right", 2, observe(get("/3303/0/5700"))),
        one("Observe", "4.04", "unknown", 1, observe(get("/3303/7"))),
        one("Observe", "4.05", "not readable", 1, observe(get("/3/0/4"))),
        one("Observe", "4.06", "Accept not possible", 1, observe(get("/3303/0").accept(TEXT))),
        // Cancel Observation
        ("Cancel Observation", "2.05", "the value", 1, vec![observe(get("/3303/0/5700")), get("/3303/0/5700").observe(1, b"obs")]),
        // Observe-Composite
        one("Observe-Composite", "2.05", "content", 1, observe(fetch(r#"[{"n":"/3303/0/5700"}]"#))),
        one("Observe-Composite", "4.00", "undetermined", 1, observe(fetch("[{}"))),
        one("Observe-Composite", "4.01", "nothing readable", 2, observe(fetch(r#"[{"n":"/3303/0/5700"}]"#))),
        one("Observe-Composite", "4.05", "not at the root", 1, Ask { uri: "/3".into(), ..observe(fetch("[]")) }),
        one("Observe-Composite", "4.06", "Accept not possible", 1, observe(fetch(r#"[{"n":"/3"}]"#)).accept(TEXT)),
        one("Observe-Composite", "4.15", "bad Content-Format", 1, in_format(observe(fetch("[]")), TLV)),
        ("Cancel Observation-Composite", "2.05", "the values", 1, vec![
            observe(fetch(r#"[{"n":"/3303/0/5700"}]"#)),
            fetch(r#"[{"n":"/3303/0/5700"}]"#).observe(1, b"obs"),
        ]),
    ]
}

#[test]
fn every_cell() {
    let mut wrong = Vec::new();
    for (operation, code, reason, server, requests) in cells() {
        let mut world = world();
        let mut found = String::new();
        for request in &requests {
            found = world.code(server, request);
        }
        if found != code {
            wrong.push(format!("{operation} {code}, {reason}: {found}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The cells of the standard, so that none is forgotten above.
#[test]
fn no_cell_is_missing() {
    let table: [(&str, &[&str]); 13] = [
        ("Create", &["2.01", "4.00", "4.01", "4.04", "4.05", "4.15"]),
        ("Read", &["2.05", "4.00", "4.01", "4.04", "4.05", "4.06"]),
        (
            "Read-Composite",
            &["2.05", "4.00", "4.01", "4.05", "4.06", "4.15"],
        ),
        (
            "Write",
            &[
                "2.04", "2.31", "4.00", "4.01", "4.04", "4.05", "4.08", "4.13", "4.15",
            ],
        ),
        (
            "Write-Composite",
            &["2.04", "4.00", "4.01", "4.04", "4.05", "4.15"],
        ),
        (
            "Write-Attributes",
            &["2.04", "4.00", "4.01", "4.04", "4.05"],
        ),
        ("Execute", &["2.04", "4.00", "4.01", "4.04", "4.05"]),
        ("Delete", &["2.02", "4.00", "4.01", "4.04", "4.05"]),
        ("Discover", &["2.05", "4.00", "4.01", "4.04", "4.05"]),
        ("Observe", &["2.05", "4.00", "4.01", "4.04", "4.05", "4.06"]),
        ("Cancel Observation", &["2.05"]),
        (
            "Observe-Composite",
            &["2.05", "4.00", "4.01", "4.05", "4.06", "4.15"],
        ),
        ("Cancel Observation-Composite", &["2.05"]),
    ];
    let cells = cells();
    for (operation, codes) in table {
        for code in codes {
            let is_there = cells
                .iter()
                .any(|cell| (cell.0, cell.1) == (operation, *code));
            assert!(is_there, "{operation} {code}");
        }
    }
}

/// Cells that the tables list without a reason, and that no rule of the text leads to. What might be
/// taken for one is answered otherwise, by the rule that stands beside it.
#[rustfmt::skip] // One line for each.
fn cells_without_reason() -> Vec<Cell> {
    let one = |operation, code, rule, request| -> Cell { (operation, code, rule, 1, vec![request]) };
    let light = hex("08 01 04 E1 16 DA 01");
    vec![
        // 4.06: a success has no content that could be acceptable or not (RFC 7252 §5.10.4).
        one("Create", "2.01", "4.06: no content to accept", post("/3311", TLV, &light).accept(50)),
        one("Write", "2.04", "4.06: no content to accept", put("/3/0/14", TEXT, b"+02:00").accept(50)),
        one("Write-Composite", "2.04", "4.06: no content to accept", ipatch(r#"[{"n":"/3/0/14","vs":"+02:00"}]"#).accept(50)),
        // 4.04: what is not there is left out (Core 1.2 §6.3.8).
        one("Read-Composite", "2.05", "4.04: best effort", fetch(r#"[{"n":"/99"},{"n":"/3/7"},{"n":"/3/0/99"}]"#)),
        one("Observe-Composite", "2.05", "4.04: best effort", observe(fetch(r#"[{"n":"/99"},{"n":"/3303/7"}]"#))),
        // 4.05: what cannot be read is left out as well.
        one("Read-Composite", "2.05", "4.05: best effort", fetch(r#"[{"n":"/3/0/4"}]"#)),
        one("Observe-Composite", "2.05", "4.05: best effort", observe(fetch(r#"[{"n":"/3/0/4"}]"#))),
    ]
}

#[test]
fn cells_without_reason_are_answered_by_another_rule() {
    for (operation, code, rule, server, requests) in cells_without_reason() {
        let mut world = world();
        for request in &requests {
            let answer = world.ask(server, request);
            assert_eq!(answer.code.to_string(), code, "{operation} {rule}");
            if rule.ends_with("best effort") {
                // An empty pack of SenML CBOR.
                assert_eq!(answer.payload, [0x80], "{operation} {rule}");
            }
        }
    }
}

/// A Register that is sent, and what the client tells about an answer to it.
fn refused_register(code: Code) -> (World, Event) {
    let mut world = World::new(Version::V1_1);
    let server = world.server;
    world.client.connect(world.now, server);
    world.poll();
    let register = world.take();
    world.answer_with(&register, code);
    let event = world.events.pop().expect("an event");
    (world, event)
}

/// Core 1.2 §6.2.1.1: a Register that is refused is an attempt that has failed; the next follows
/// after `/1/x/18`, and a refusal (4.xx), not a server in trouble (5.xx), leads to bootstrap
/// (`/1/x/16`).
#[test]
fn every_code_of_register_as_the_client_sees_it() {
    for (code, bootstrap) in [
        (Code::BAD_REQUEST, true),
        (Code::UNAUTHORIZED, true),
        (Code::FORBIDDEN, true),
        // Without a Profile ID there is no other way to say which objects there are.
        (Code::CONFLICT, true),
        (Code::INTERNAL_SERVER_ERROR, false),
        (Code::NOT_IMPLEMENTED, false),
    ] {
        let (mut world, event) = refused_register(code);
        let retry_at = Some(world.now + Duration::from_secs(60));
        let expected = Event::RegistrationFailed {
            server: 1,
            code: Some(code),
            retry_at,
            bootstrap,
        };
        assert_eq!(event, expected);
        assert_eq!(world.client.state(), RegistrationState::Waiting);
        // Until then nobody manages the device, and nothing is sent.
        let server = world.server;
        world.input(server, &get("/3/0/0").bytes(1));
        world.seconds(59);
        world.assert_silent();
        world.seconds(1);
        let again = world.take();
        assert_eq!((again.path().as_str(), again.code), ("/rd", Code::POST));
        world.answer_created(&again);
        assert_eq!(world.client.state(), RegistrationState::Registered);
    }
    // 4.12: the next version at once (`registration.rs`).
    let (mut world, event) = refused_register(Code::PRECONDITION_FAILED);
    let retry_at = Some(world.now);
    assert!(matches!(event, Event::RegistrationFailed { retry_at: at, .. } if at == retry_at));
    assert!(world.take().query().contains("lwm2m=1.0"));
}

/// Update 4.00, 4.04, and what a server answers otherwise: the registration is lost, and made again;
/// De-register 4.00, 4.04: it is gone either way.
#[test]
fn every_code_of_update_and_deregister_as_the_client_sees_it() {
    for (code, wait) in [
        (Code::BAD_REQUEST, 0),
        (Code::UNAUTHORIZED, 0),
        (Code::FORBIDDEN, 0),
        (Code::NOT_FOUND, 0),
        (Code::INTERNAL_SERVER_ERROR, 60),
    ] {
        let mut world = World::registered(Version::V1_1);
        world.client.update(world.now);
        world.poll();
        let update = world.take();
        world.answer_with(&update, code);
        let failed = Event::UpdateFailed {
            server: 1,
            code: Some(code),
        };
        assert!(world.events.contains(&failed), "{:?}", world.events);
        if wait > 0 {
            world.assert_silent();
            world.seconds(wait);
        }
        assert_eq!(world.take().path(), "/rd");
    }
    for code in [Code::DELETED, Code::BAD_REQUEST, Code::NOT_FOUND] {
        let mut world = World::registered(Version::V1_1);
        world.client.deregister();
        world.poll();
        let bye = world.take();
        world.answer_with(&bye, code);
        assert_eq!(world.events, [Event::Deregistered { server: 1 }]);
        assert_eq!(world.client.next_timeout(), None);
    }
}

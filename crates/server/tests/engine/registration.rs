//! Register, Update, De-register, expiry (Core 1.2 §6.2).

use core::time::Duration;
use std::net::SocketAddr;

use dunlin_coap::{Code, Instant, OptionNumber, Type};
use dunlin_lwm2m::{OwnedValue, Path};
use dunlin_server::api::{EventKind, OperateError};
use dunlin_server::shard::{Limits, Persist, ShardConfig};

use crate::world::{
    LINK, LIST, ORIGIN, Peer, Sent, TEXT, World, build, config, hex, read, register_message, small,
    values,
};

#[test]
fn golden_bytes_of_register_update_deregister() {
    let mut world = World::new();
    let address = "192.0.2.9:5000".parse().expect("address");
    // CON POST /rd?ep=dev1&lt=300&lwm2m=1.1&b=U, CF 40.
    let register = hex(
        "41020001 01 B27264 1128 3765703D64657631 066C743D333030 096C776D326D3D312E31 03623D55
         FF 3C2F312F303E2C3C2F332F303E",
    );
    let answer = world.exchange(address, &register);
    let (head, id) = answer.bytes.split_at(answer.bytes.len() - 16);
    // ACK 2.01, the same Message ID and token, Location-Path rd and sixteen characters.
    assert_eq!(head, hex("61410001 01 827264 0D03"));
    assert!(id.iter().all(|byte| byte.is_ascii_alphanumeric()));

    let mut update = hex("41020002 02 B27264 0D03");
    update.extend_from_slice(id);
    assert_eq!(world.exchange(address, &update).bytes, hex("61440002 02"));

    let mut deregister = hex("41040003 03 B27264 0D03");
    deregister.extend_from_slice(id);
    assert_eq!(
        world.exchange(address, &deregister).bytes,
        hex("61420003 03")
    );
    let again = {
        let mut bytes = hex("41040004 04 B27264 0D03");
        bytes.extend_from_slice(id);
        bytes
    };
    assert_eq!(world.exchange(address, &again).bytes, hex("61840004 04"));
    let names: Vec<&str> = world
        .events
        .iter()
        .map(|(endpoint, kind)| {
            assert_eq!(endpoint, "dev1");
            match kind {
                EventKind::Registration(_) => "registration",
                EventKind::Deregistration => "deregistration",
                _ => "other",
            }
        })
        .collect();
    assert_eq!(names, ["registration", "deregistration"]);
}

#[test]
fn a_device_is_shown_as_it_registered() {
    let mut world = World::new();
    let mut peer = Peer::new(1);
    let list = b"</>;ct=\"110 112\",</1/0>,</3/0>,</3303/1>,</3303/0>;ver=1.1";
    peer.register(
        &mut world,
        &["lt=300", "lwm2m=1.1", "b=UT", "Q", "sms=491234", "note=a"],
        list,
    );
    let device = world.device("dev-1").expect("registered");
    assert_eq!(device.endpoint, "dev-1");
    assert_eq!(device.registration_id.as_bytes(), peer.location[1]);
    assert_eq!((device.lifetime, device.binding.as_str()), (300, "UT"));
    assert!(device.queue_mode);
    assert_eq!(device.sms.as_deref(), Some("491234"));
    assert_eq!(device.address, peer.address);
    assert_eq!(device.registered_at, ORIGIN + 1000.0);
    assert_eq!(device.expires_at, Some(ORIGIN + 1300.0));
    assert_eq!(device.attributes, [("note".to_owned(), "a".to_owned())]);
    let objects: Vec<(u16, String, Vec<u16>)> = device
        .objects
        .iter()
        .map(|object| {
            (
                object.id,
                object.version.to_string(),
                object.instances.clone(),
            )
        })
        .collect();
    assert_eq!(
        objects,
        [
            (1, "1.1".to_owned(), vec![0]),
            (3, "1.1".to_owned(), vec![0]),
            (3303, "1.1".to_owned(), vec![0, 1]),
        ]
    );
    assert_eq!(device.faults, Vec::<String>::new());
    assert_eq!(peer.update(&mut world, &[]), Code::CHANGED);
}

/// Sends one Register from a fresh address and returns code and diagnostic.
fn attempt(
    world: &mut World,
    queries: &[&str],
    options: &[(OptionNumber, &[u8])],
    list: &[u8],
) -> (Code, String) {
    let number = world.now.as_micros() as u16;
    world.pass(Duration::from_micros(1));
    let address = SocketAddr::from(([198, 51, 100, 1], number.max(1)));
    let mut all: Vec<(OptionNumber, &[u8])> = vec![(OptionNumber::URI_PATH, b"rd")];
    all.extend_from_slice(options);
    for query in queries {
        all.push((OptionNumber::URI_QUERY, query.as_bytes()));
    }
    let bytes = build(Type::Confirmable, Code::POST, number, b"tk", &all, list);
    let answer = world.exchange(address, &bytes);
    let message = answer.message();
    assert_eq!(
        (message.ty, message.token),
        (Type::Acknowledgement, &b"tk"[..])
    );
    (
        message.code,
        String::from_utf8_lossy(message.payload).into_owned(),
    )
}

/// Rows "Register" of the list of bad inputs, and the codes of Transport 1.2 §6.7.
#[test]
fn registers_that_are_refused() {
    let long = format!("ep={}", "x".repeat(252));
    let cases: &[(&[&str], Code)] = &[
        (&["lt=60", "lwm2m=1.1"], Code::BAD_REQUEST),
        (&["lt=60", "lwm2m=1.0"], Code::BAD_REQUEST),
        (&["ep=", "lt=60", "lwm2m=1.1"], Code::BAD_REQUEST),
        (&["ep", "lt=60", "lwm2m=1.1"], Code::BAD_REQUEST),
        (&["ep=a\nb", "lt=60", "lwm2m=1.1"], Code::BAD_REQUEST),
        (&["ep=a", "ep=b", "lt=60", "lwm2m=1.1"], Code::BAD_REQUEST),
        (&["ep=a", "lwm2m=1.1"], Code::BAD_REQUEST),
        (&["ep=a", "lt=", "lwm2m=1.1"], Code::BAD_REQUEST),
        (&["ep=a", "lt=-1", "lwm2m=1.1"], Code::BAD_REQUEST),
        (&["ep=a", "lt=+1", "lwm2m=1.1"], Code::BAD_REQUEST),
        (&["ep=a", "lt=4294967296", "lwm2m=1.1"], Code::BAD_REQUEST),
        (&["ep=a", "lt=1e3", "lwm2m=1.1"], Code::BAD_REQUEST),
        (&["ep=a", "lt=60", "lt=61", "lwm2m=1.1"], Code::BAD_REQUEST),
        (&["ep=a", "lt=60"], Code::BAD_REQUEST),
        (&["ep=a", "lt=60", "lwm2m=1"], Code::BAD_REQUEST),
        (&["ep=a", "lt=60", "lwm2m=9.9"], Code::PRECONDITION_FAILED),
        (&["ep=a", "lt=60", "lwm2m=2.0"], Code::PRECONDITION_FAILED),
        (&["ep=a", "lt=60", "lwm2m=1.3"], Code::PRECONDITION_FAILED),
        (&["ep=a", "lt=60", "lwm2m=1.1", "b=UQ"], Code::BAD_REQUEST),
        (&["ep=a", "lt=60", "lwm2m=1.0", "b=UT"], Code::BAD_REQUEST),
        (&["ep=a", "lt=60", "lwm2m=1.1", "b=M"], Code::BAD_REQUEST),
        (&["ep=a", "lt=60", "lwm2m=1.1", "b=X"], Code::BAD_REQUEST),
        (
            &["ep=a", "lt=60", "lwm2m=1.1", "b=U", "b=U"],
            Code::BAD_REQUEST,
        ),
        (&["ep=a", "lt=60", "lwm2m=1.1", "Q=1"], Code::BAD_REQUEST),
        (&[&long, "lt=60", "lwm2m=1.1", "b="], Code::BAD_REQUEST),
    ];
    let mut world = World::new();
    for (queries, expected) in cases {
        let (code, text) = attempt(&mut world, queries, &[LINK], LIST);
        assert_eq!(code, *expected, "{queries:?}: {text}");
        assert!(!text.is_empty(), "{queries:?} is refused without a reason");
    }
    assert!(world.events.is_empty() && world.persisted.is_empty());
    assert_eq!(world.stats().devices, 0);
    assert_eq!(
        world.counter("registrations_refused_total{reason=\"invalid\"}"),
        cases.len() as u64
    );
}

#[test]
fn registers_that_are_accepted() {
    let name = format!("ep={}", "x".repeat(252));
    let cases: &[&[&str]] = &[
        &[&name, "lt=60", "lwm2m=1.0"],
        &["ep=/#\"'<>;,", "lt=60", "lwm2m=1.1"],
        &["ep=\u{e9}\u{1F426}", "lt=0", "lwm2m=1.2", "b=UMH"],
        &["ep=b", "lt=4294967295", "lwm2m=1.0", "b=UQS"],
        &[
            "ep=c",
            "lt=60",
            "lwm2m=1.1",
            "b=TUSN",
            "Q",
            "sms=1",
            "foo",
            "bar=baz",
        ],
        &["ep=d", "lt=60", "lwm2m=1.2", "pid=6:27354b9a"],
    ];
    let mut world = World::new();
    for queries in cases {
        let (code, text) = attempt(&mut world, queries, &[LINK], LIST);
        assert_eq!(code, Code::CREATED, "{queries:?}: {text}");
        let name = queries[0].strip_prefix("ep=").expect("name");
        let device = world.device(name).expect("registered");
        assert_eq!(device.faults, Vec::<String>::new(), "{queries:?}");
    }
}

/// Rows "Link format" of the list of bad inputs.
#[test]
fn object_lists_good_and_bad() {
    let many = "</9/1>,".repeat(5000) + "</1/0>,</3/0>";
    let cases: &[(&str, &str, Code)] = &[
        ("1.0", "", Code::BAD_REQUEST),
        ("1.1", "", Code::BAD_REQUEST),
        ("1.2", "", Code::CONFLICT),
        ("1.1", "not links", Code::BAD_REQUEST),
        ("1.1", "lead</1/0>,</3/0>", Code::BAD_REQUEST),
        ("1.1", "</1/0>,</3/0", Code::BAD_REQUEST),
        ("1.1", "</1/0>;x=\"y,</3/0>", Code::BAD_REQUEST),
        ("1.1", "</1/0>,</3/0>,</70000/0>", Code::BAD_REQUEST),
        ("1.1", "</1/0>,</3/0>;ver=1", Code::BAD_REQUEST),
        ("1.1", "</1/0>,</3/0>;ver=01.0", Code::BAD_REQUEST),
        ("1.1", "</1/0>,</3/0>;ver=1.99999", Code::BAD_REQUEST),
        ("1.1", "</../x>;rt=\"oma.lwm2m\",</1/0>", Code::BAD_REQUEST),
        ("1.1", &many, Code::REQUEST_ENTITY_TOO_LARGE),
    ];
    let mut world = World::new();
    for (version, list, expected) in cases {
        let version = format!("lwm2m={version}");
        let queries = ["ep=a", "lt=60", version.as_str()];
        let (code, text) = attempt(&mut world, &queries, &[LINK], list.as_bytes());
        assert_eq!(code, *expected, "{list:.60}: {text}");
    }
    let faulty: &[(&str, &str)] = &[
        ("</0/0>,</1/0>,</3/0>", "/0"),
        ("</1/0>, </3/0>", "white space"),
        ("</1/0>,</3/0>;ver=\"1.1\"", "ver"),
        ("</3/0>", "/1"),
        ("</1/0>", "/3"),
        ("</>;ct=110;ct=112,</1/0>,</3/0>", "ct"),
        ("</>;ct=110 112,</1/0>,</3/0>", "ct"),
    ];
    for (number, (list, expected)) in faulty.iter().enumerate() {
        let endpoint = format!("ep=f{number}");
        let queries = [endpoint.as_str(), "lt=60", "lwm2m=1.1"];
        let (code, text) = attempt(&mut world, &queries, &[LINK], list.as_bytes());
        assert_eq!(code, Code::CREATED, "{list}: {text}");
        let device = world.device(&endpoint[3..]).expect("registered");
        assert_eq!(device.faults.len(), 1, "{list}: {:?}", device.faults);
        assert!(
            device.faults[0].contains(expected),
            "{list}: {:?}",
            device.faults
        );
        assert!(device.objects.iter().all(|object| object.id != 0));
    }
    // Other content formats are refused; a missing one is tolerated and told.
    let queries = ["ep=g", "lt=60", "lwm2m=1.1"];
    let other = [(OptionNumber::CONTENT_FORMAT, &[0x2D, 0x16][..])];
    assert_eq!(
        attempt(&mut world, &queries, &other, LIST).0,
        Code::BAD_REQUEST
    );
    assert_eq!(attempt(&mut world, &queries, &[], LIST).0, Code::CREATED);
    assert_eq!(world.device("g").expect("registered").faults.len(), 1);
}

#[test]
fn alternate_path_and_binding_of_1_0() {
    let mut world = World::new();
    let list = b"</lwm2m>;rt=\"oma.lwm2m\";ct=11543,</lwm2m/1/0>,</lwm2m/3/0>";
    let queries = ["ep=a", "lt=60", "lwm2m=1.0", "b=UQ"];
    assert_eq!(
        attempt(&mut world, &queries, &[LINK], list).0,
        Code::CREATED
    );
    let device = world.device("a").expect("registered");
    assert_eq!(
        (device.root.as_str(), device.binding.as_str()),
        ("/lwm2m", "UQ")
    );
    assert!(device.queue_mode);
    assert_eq!(device.objects[1].version.to_string(), "1.0");
    world.sent.clear();
    world.operate("a", read(Path::resource(3, 0, 0)));
    assert_eq!(world.request().path(), "/lwm2m/3/0/0");
}

#[test]
fn the_other_paths() {
    let mut world = World::new();
    let address: SocketAddr = "192.0.2.1:4000".parse().expect("address");
    let cases: &[(Code, &[&[u8]], Code)] = &[
        (Code::GET, &[b"rd"], Code::METHOD_NOT_ALLOWED),
        (Code::PUT, &[b"rd"], Code::METHOD_NOT_ALLOWED),
        (Code::DELETE, &[b"rd"], Code::METHOD_NOT_ALLOWED),
        (Code(0x1F), &[b"rd"], Code::METHOD_NOT_ALLOWED),
        (
            Code::GET,
            &[b"rd", b"aaaaaaaaaaaaaaaa"],
            Code::METHOD_NOT_ALLOWED,
        ),
        (Code::POST, &[b"rd", b"aaaaaaaaaaaaaaaa"], Code::NOT_FOUND),
        (Code::POST, &[b"rd", b""], Code::NOT_FOUND),
        (Code::POST, &[b"rd", b"a", b"b"], Code::NOT_FOUND),
        (Code::DELETE, &[b"rd", b"?"], Code::NOT_FOUND),
        (Code::POST, &[b"dp"], Code::NOT_FOUND),
        (Code::POST, &[b"bs"], Code::NOT_FOUND),
        (Code::GET, &[], Code::NOT_FOUND),
        (Code::GET, &[b"..", b"rd"], Code::BAD_OPTION),
        (Code::GET, &[b".well-known", b"core"], Code::CONTENT),
    ];
    for (number, (method, path, expected)) in cases.iter().enumerate() {
        let options: Vec<_> = path.iter().map(|s| (OptionNumber::URI_PATH, *s)).collect();
        let bytes = build(
            Type::Confirmable,
            *method,
            number as u16,
            b"",
            &options,
            b"",
        );
        let answer = world.exchange(address, &bytes);
        assert_eq!(answer.message().code, *expected, "{method} {path:?}");
    }
}

#[test]
fn an_update_changes_what_it_names_and_only_then_is_kept() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    let (persisted, events) = (world.persisted.len(), world.events.len());
    world.seconds(100);
    assert_eq!(peer.update(&mut world, &[]), Code::CHANGED);
    assert_eq!(peer.update(&mut world, &["lt=300"]), Code::CHANGED);
    // Only time passed: nothing to keep, nothing to tell.
    let device = world.device("dev-1").expect("registered");
    assert_eq!(device.updated_at, ORIGIN + 1100.0);
    assert_eq!(device.expires_at, Some(ORIGIN + 1400.0));
    assert_eq!(world.events.len(), events);
    assert_eq!(world.persisted.len(), persisted);

    world.persisted.clear();
    assert_eq!(
        peer.update(&mut world, &["lt=600", "b=US", "sms=7"]),
        Code::CHANGED
    );
    let list = peer.at_location(Code::POST, &[], b"</1/0>,</3/0>,</5/0>");
    assert_eq!(
        world.exchange(peer.address, &list).message().code,
        Code::CHANGED
    );
    let device = world.device("dev-1").expect("registered");
    assert_eq!((device.lifetime, device.binding.as_str()), (600, "US"));
    assert_eq!(device.expires_at, Some(ORIGIN + 1700.0));
    assert_eq!(device.sms.as_deref(), Some("7"));
    let ids: Vec<u16> = device.objects.iter().map(|object| object.id).collect();
    assert_eq!(ids, [1, 3, 5]);
    assert_eq!(world.persisted.len(), 2);
    let Some((_, Persist::Registration(stored))) = world.persisted.last() else {
        panic!("{:?}", world.persisted);
    };
    assert_eq!(stored.links, "</1/0>,</3/0>,</5/0>");
    assert_eq!(stored.parameters, "lt=600&lwm2m=1.1&b=US&sms=7");
    assert!(
        matches!(world.events.last(), Some((_, EventKind::Update(device))) if device.lifetime == 600)
    );

    for (queries, list) in [
        (&["b=UQ"][..], &b""[..]),
        (&["lt=x"], b""),
        (&["lt=1", "lt=2"], b""),
        (&[], b"</1/0"),
    ] {
        let bytes = peer.at_location(Code::POST, queries, list);
        let answer = world.exchange(peer.address, &bytes);
        assert_eq!(answer.message().code, Code::BAD_REQUEST, "{queries:?}");
    }
    assert_eq!(world.device("dev-1").expect("registered"), device);
}

#[test]
fn a_lifetime_ends_in_its_tenth_of_a_second_and_an_infinite_one_never() {
    let mut world = World::new();
    let mut peers: Vec<Peer> = Vec::new();
    let mut registered: Vec<Instant> = Vec::new();
    for number in 1..=20 {
        let mut peer = Peer::new(number);
        world.pass(Duration::from_millis(137));
        let lifetime = format!("lt={}", u32::from(number) * 61);
        peer.register(&mut world, &[&lifetime, "lwm2m=1.1"], LIST);
        peers.push(peer);
        registered.push(world.now);
    }
    let mut infinite = Peer::new(99);
    infinite.register(&mut world, &["lt=0", "lwm2m=1.1"], LIST);
    assert_eq!(world.device("dev-99").expect("registered").expires_at, None);
    world.events.clear();
    for number in 1..=20_u64 {
        let end = registered[number as usize - 1] + Duration::from_secs(number * 61);
        world.pass(end.saturating_since(world.now) - Duration::from_micros(1));
        assert!(
            world.device(&format!("dev-{number}")).is_some(),
            "not too early"
        );
        world.pass(Duration::from_millis(101));
        assert!(world.device(&format!("dev-{number}")).is_none(), "in time");
        assert_eq!(world.events.len() as u64, number);
    }
    assert!(
        world
            .events
            .iter()
            .all(|(_, kind)| *kind == EventKind::Expiry)
    );
    world.seconds(100 * 365 * 24 * 3600);
    assert!(world.device("dev-99").is_some());
    assert_eq!(world.counter("expiries_total"), 20);
    // After expiry an Update is refused, whatever it says (Core 1.2 §6.2.2).
    assert_eq!(peers[0].update(&mut world, &["lt=60"]), Code::NOT_FOUND);
}

#[test]
fn a_new_register_replaces_the_old_registration() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    let old = peer.location.clone();
    let waiting = world.operate("dev-1", read(Path::resource(3, 0, 0)));
    let behind = world.operate("dev-1", read(Path::resource(3, 0, 1)));
    world.sent.clear();
    peer.register(&mut world, &["lt=60", "lwm2m=1.0"], LIST);
    assert_ne!(peer.location, old);
    // Operations end exactly once, and nothing of them is repeated.
    for id in [waiting, behind] {
        assert_eq!(
            world.outcome(id),
            Some(Err(OperateError::RegistrationEnded))
        );
    }
    world.seconds(50);
    assert!(world.replies.is_empty() && world.sent.is_empty());
    let new = core::mem::replace(&mut peer.location, old);
    assert_eq!(peer.update(&mut world, &[]), Code::NOT_FOUND);
    peer.location = new;
    assert_eq!(peer.update(&mut world, &[]), Code::CHANGED);
    assert_eq!(world.stats().devices, 1);
    assert!(
        world
            .persisted
            .iter()
            .all(|(_, change)| matches!(change, Persist::Registration(_)))
    );
}

#[test]
fn a_storm_of_registers_leaves_one_registration() {
    let mut world = World::new();
    let mut peer = Peer::new(1);
    for _ in 0..2000 {
        peer.register(&mut world, &["lt=60", "lwm2m=1.1"], LIST);
        world.pass(Duration::from_millis(1));
    }
    assert_eq!(world.stats().devices, 1);
    assert_eq!(world.counter("registrations_replaced_total"), 1999);
    world.events.clear();
    world.seconds(61);
    assert_eq!(world.events.len(), 1, "one lifetime, not two thousand");
}

#[test]
fn two_endpoints_may_share_an_address() {
    let mut world = World::new();
    let mut one = Peer::up(1, &mut world);
    let mut two = Peer::new(2);
    two.address = one.address;
    two.message_id = 30_000;
    two.register(&mut world, &["lt=300", "lwm2m=1.1"], LIST);
    let first = world.operate("dev-1", read(Path::resource(3, 0, 0)));
    let second = world.operate("dev-2", read(Path::resource(3, 0, 0)));
    let requests: Vec<Sent> = world.sent.drain(..).collect();
    assert_eq!(requests.len(), 2);
    world.answer(&requests[1], Code::CONTENT, &[TEXT], b"two");
    world.answer(&requests[0], Code::CONTENT, &[TEXT], b"one");
    for (id, expected) in [(first, "one"), (second, "two")] {
        let records = values(world.outcome(id));
        assert_eq!(
            records[0].value,
            Some(OwnedValue::String(expected.to_owned()))
        );
    }
    assert_eq!(one.update(&mut world, &[]), Code::CHANGED);
    let deregister = one.at_location(Code::DELETE, &[], b"");
    assert_eq!(
        world.exchange(one.address, &deregister).message().code,
        Code::DELETED
    );
    assert_eq!(two.update(&mut world, &[]), Code::CHANGED);
}

/// An address translator moved the device: its location path says who it is.
#[test]
fn an_update_from_another_address_moves_the_registration() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    world.persisted.clear();
    peer.address = "203.0.113.7:40000".parse().expect("address");
    assert_eq!(peer.update(&mut world, &[]), Code::CHANGED);
    assert_eq!(
        world.device("dev-1").expect("registered").address,
        peer.address
    );
    assert!(matches!(
        &world.persisted[..],
        [(_, Persist::Registration(stored))] if stored.address == peer.address
    ));
    world.operate("dev-1", read(Path::resource(3, 0, 0)));
    assert_eq!(world.request().to, peer.address);
}

#[test]
fn an_operator_removes_a_registration() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    assert!(world.remove("dev-1"));
    assert!(!world.remove("dev-1"));
    assert!(matches!(
        world.events.last(),
        Some((_, EventKind::Deregistration))
    ));
    assert_eq!(peer.update(&mut world, &[]), Code::NOT_FOUND);
}

#[test]
fn a_full_server_refuses_new_devices_and_keeps_the_old() {
    let mut world = World::with(ShardConfig {
        limits: Limits {
            registrations: 2,
            ..small()
        },
        ..config()
    });
    let mut one = Peer::up(1, &mut world);
    Peer::up(2, &mut world);
    let mut three = Peer::new(3);
    let register = three.register_message(&["lt=60", "lwm2m=1.1"], LIST);
    let answer = world.exchange(three.address, &register);
    assert_eq!(answer.message().code, Code::SERVICE_UNAVAILABLE);
    one.register(&mut world, &["lt=60", "lwm2m=1.1"], LIST);
    assert_eq!(world.stats().devices, 2);
    assert_eq!(
        world.counter("registrations_refused_total{reason=\"full\"}"),
        1
    );
    assert!(world.remove("dev-2"));
    three.register(&mut world, &["lt=60", "lwm2m=1.1"], LIST);
}

#[test]
fn register_parameters_in_an_update_are_ignored_and_told() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    assert_eq!(
        peer.update(&mut world, &["ep=other", "lwm2m=1.0", "lt=60"]),
        Code::CHANGED
    );
    assert_eq!(peer.update(&mut world, &[]), Code::CHANGED);
    let device = world.device("dev-1").expect("registered");
    assert_eq!((device.version.as_str(), device.lifetime), ("1.1", 60));
    assert_eq!(device.faults.len(), 1, "{:?}", device.faults);
}

#[test]
fn names_parameters_and_lists_are_bounded() {
    let mut world = World::with(ShardConfig {
        limits: Limits {
            endpoint_bytes: 8,
            parameter_bytes: 64,
            shared_bytes: 200,
            ..small()
        },
        ..config()
    });
    let queries = ["ep=longer-than-8", "lt=60", "lwm2m=1.1"];
    assert_eq!(
        attempt(&mut world, &queries, &[LINK], LIST).0,
        Code::BAD_REQUEST
    );
    let long = format!("x={}", "y".repeat(64));
    let queries = ["ep=a", "lt=60", "lwm2m=1.1", long.as_str()];
    assert_eq!(
        attempt(&mut world, &queries, &[LINK], LIST).0,
        Code::BAD_REQUEST
    );
    // Devices that are alike share what they say; those that are not use the room up.
    for endpoint in ["ep=a", "ep=b", "ep=c", "ep=d"] {
        let queries = [endpoint, "lt=60", "lwm2m=1.1"];
        let (code, text) = attempt(&mut world, &queries, &[LINK], LIST);
        assert_eq!(code, Code::CREATED, "{text}");
    }
    let other = b"</1/0>,</3/0>,</3303/0>,</3303/1>,</3303/2>,</3303/3>,</3303/4>";
    let mut codes = Vec::new();
    for lifetime in 61..70 {
        let lifetime = format!("lt={lifetime}");
        let queries = ["ep=e", lifetime.as_str(), "lwm2m=1.1"];
        codes.push(attempt(&mut world, &queries, &[LINK], other).0);
    }
    assert_eq!(codes.first(), Some(&Code::CREATED));
    assert_eq!(
        codes.last(),
        Some(&Code::CREATED),
        "old parameters make room"
    );
    for number in 0..9 {
        let endpoint = format!("ep=f{number}");
        let lifetime = format!("lt={}", 100 + number);
        let queries = [endpoint.as_str(), lifetime.as_str(), "lwm2m=1.1"];
        codes.push(attempt(&mut world, &queries, &[LINK], LIST).0);
    }
    assert_eq!(codes.last(), Some(&Code::SERVICE_UNAVAILABLE));
    let queries = ["ep=g", "lt=60", "lwm2m=1.1"];
    assert_eq!(
        attempt(&mut world, &queries, &[LINK], LIST).0,
        Code::CREATED,
        "one like the others"
    );
}

#[test]
fn a_fleet_that_vanishes_at_once_is_dropped_in_portions() {
    let mut world = World::new();
    for number in 0..3000 {
        Peer::up(number, &mut world);
    }
    world.events.clear();
    world.now += Duration::from_secs(301);
    world.input(dunlin_server::shard::Input::Timeout);
    let first = world.events.len();
    assert!((1..3000).contains(&first), "{first}");
    assert!(
        world
            .shard
            .next_timeout()
            .is_some_and(|due| due <= world.now)
    );
    world.pass(Duration::ZERO);
    assert_eq!(world.events.len(), 3000);
}

#[test]
fn an_update_of_the_time_alone_is_told_to_whoever_looks() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    world.events.clear();
    assert_eq!(peer.update(&mut world, &[]), Code::CHANGED);
    assert_eq!(world.events.len(), 0, "nobody looks");
    world.shard.set_watched(true);
    world.seconds(10);
    assert_eq!(peer.update(&mut world, &[]), Code::CHANGED);
    let [(_, EventKind::Update(device))] = world.events.as_slice() else {
        panic!("{:?}", world.events);
    };
    assert!(device.updated_at >= ORIGIN + 10.0, "{device:?}");
}

#[test]
fn one_address_cannot_crowd_the_others_out() {
    let mut world = World::with(ShardConfig {
        limits: Limits {
            registrations_per_address: 2,
            ..small()
        },
        ..config()
    });
    let crowded: SocketAddr = "192.0.2.9:5000".parse().expect("address");
    let mut register = |id: u16, from: SocketAddr, name: &str| {
        let message = register_message(id, &[&format!("ep={name}"), "lt=300", "lwm2m=1.1"], LIST);
        let answer = world.exchange(from, &message);
        (answer.message().code, answer.bytes)
    };
    assert_eq!(register(1, crowded, "a").0, Code::CREATED);
    assert_eq!(register(2, crowded, "b").0, Code::CREATED);
    assert_eq!(register(3, crowded, "c").0, Code::SERVICE_UNAVAILABLE);
    // Who is there already may come again; others come from elsewhere.
    assert_eq!(register(4, crowded, "b").0, Code::CREATED);
    let elsewhere = "192.0.2.9:5001".parse().expect("address");
    let (code, bytes) = register(5, elsewhere, "c");
    assert_eq!(code, Code::CREATED);
    // Nor does an Update move there.
    let id = &bytes[bytes.len() - 16..];
    let mut update = hex("41020006 02 B27264 0D03");
    update.extend_from_slice(id);
    let answer = world.exchange(crowded, &update);
    assert_eq!(answer.message().code, Code::SERVICE_UNAVAILABLE);
    assert_eq!(world.device("c").expect("registered").address, elsewhere);
}

#[test]
fn links_come_in_blocks_when_asked_so() {
    let mut world = World::new();
    let from: SocketAddr = "192.0.2.9:5000".parse().expect("address");
    let mut ask = |id: u16, block: &[u8]| {
        let options = [
            (OptionNumber::URI_PATH, &b".well-known"[..]),
            (OptionNumber::URI_PATH, b"core"),
            (OptionNumber::BLOCK2, block),
        ];
        let sent = world.exchange(
            from,
            &build(Type::Confirmable, Code::GET, id, b"", &options, b""),
        );
        let message = sent.message();
        (
            message.code,
            message.uint(OptionNumber::BLOCK2),
            message.payload.to_vec(),
        )
    };
    // 23 bytes in blocks of 16: 0/1/16 and 1/0/16 (RFC 7959 §2.2).
    assert_eq!(
        ask(1, &[]),
        (Code::CONTENT, Some(0x08), b"</rd>;rt=\"oma.lw".to_vec())
    );
    assert_eq!(
        ask(2, &[0x10]),
        (Code::CONTENT, Some(0x10), b"m2m.rd\"".to_vec())
    );
    assert_eq!(ask(3, &[0x20]).0, Code::BAD_REQUEST);
    assert_eq!(ask(4, &[0x07]).0, Code::BAD_REQUEST);
    assert_eq!(ask(5, &[0x06]).2.len(), 23);
}

#[test]
fn parameters_are_bounded_by_number() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    // Two thousand bytes would be allowed; to merge six hundred parameters takes too long.
    let many: Vec<String> = (0..33).map(|number| format!("x{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(peer.update(&mut world, &many), Code::BAD_REQUEST);
    assert_eq!(peer.update(&mut world, &many[..32]), Code::CHANGED);
    let from: SocketAddr = "192.0.2.9:5000".parse().expect("address");
    let queries = [&["ep=a", "lt=300", "lwm2m=1.1"][..], &many[..30]].concat();
    let answer = world.exchange(from, &register_message(1, &queries, LIST));
    assert_eq!(answer.message().code, Code::BAD_REQUEST);
}

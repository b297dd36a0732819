//! Operations towards devices (Core 1.2 §6.3).

use dunlin_coap::{Code, OptionNumber, Type};
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_lwm2m::{Attributes, ContentFormat, OwnedRecord, OwnedValue, Path};
use dunlin_server::api::{DeviceOperation, OperateError};
use dunlin_server::shard::{Limits, ShardConfig};

use crate::world::{
    CF, LINK, LIST, ORIGIN, Peer, SENML_JSON, Sent, TEXT, World, build, config, read, small, values,
};

pub(crate) fn text(path: Path, text: &str) -> OwnedRecord {
    OwnedRecord::new(path, OwnedValue::String(text.to_owned()))
}

pub(crate) fn write(path: Path, mode: WriteMode, body: Vec<OwnedRecord>) -> DeviceOperation {
    Operation::Write { path, mode, body }
}

#[test]
fn a_read_asks_and_decodes() {
    let mut world = World::new();
    let peer = Peer::up(1, &mut world);
    let path = Path::resource(3303, 0, 5700);
    let id = world.operate("dev-1", read(path));
    let request = world.request();
    assert_eq!(
        (request.to, request.path().as_str()),
        (peer.address, "/3303/0/5700")
    );
    let message = request.message();
    assert_eq!((message.ty, message.code), (Type::Confirmable, Code::GET));
    // The shard is in the token, and 48 more bits.
    assert_eq!((message.token.len(), &message.token[..2]), (8, &[0, 0][..]));
    assert_eq!(message.accept(), None, "the device announced nothing");
    world.answer(&request, Code::CONTENT, &[TEXT], b"21.5");
    let records = values(world.outcome(id));
    assert_eq!(records, [OwnedRecord::new(path, OwnedValue::Float(21.5))]);
    assert!(world.sent.is_empty());
}

/// Each operation as it stands on the wire, and what comes back.
#[test]
fn every_operation_on_the_wire() {
    let mut world = World::new();
    let mut peer = Peer::new(1);
    let list = b"</>;ct=\"60 110\",</1/0>,</3/0>,</3303/0>";
    peer.register(&mut world, &["lt=300", "lwm2m=1.1"], list);
    world.sent.clear();
    let lifetime = OwnedRecord::new(Path::resource(1, 0, 1), OwnedValue::Integer(60));
    let application = text(Path::resource(3303, 1, 5750), "roof");
    let attributes = vec![
        ("pmin".to_owned(), Some(10.0)),
        ("gt".to_owned(), Some(-2.5)),
        ("pmax".to_owned(), None),
    ];
    type Case = (
        DeviceOperation,
        Code,
        &'static str,
        &'static [&'static str],
        Option<u16>,
        Option<u16>,
        &'static [u8],
        Code,
    );
    let cases: Vec<Case> = vec![
        (
            read(Path::instance(3, 0)),
            Code::GET,
            "/3/0",
            &[],
            None,
            Some(110),
            b"",
            Code::CONTENT,
        ),
        (
            Operation::Discover {
                path: Path::object(3),
                depth: Some(1),
            },
            Code::GET,
            "/3",
            &[],
            None,
            Some(40),
            b"",
            Code::CONTENT,
        ),
        (
            write(
                Path::resource(1, 0, 1),
                WriteMode::Replace,
                vec![lifetime.clone()],
            ),
            Code::PUT,
            "/1/0/1",
            &[],
            Some(0),
            None,
            b"60",
            Code::CHANGED,
        ),
        (
            write(Path::instance(1, 0), WriteMode::Update, vec![lifetime]),
            Code::POST,
            "/1/0",
            &[],
            Some(110),
            None,
            br#"[{"bn":"/1/0/","n":"1","v":60}]"#,
            Code::CHANGED,
        ),
        (
            Operation::WriteAttributes {
                path: Path::resource(3303, 0, 5700),
                attributes,
            },
            Code::PUT,
            "/3303/0/5700",
            &["pmin=10", "pmax", "gt=-2.5"],
            None,
            None,
            b"",
            Code::CHANGED,
        ),
        (
            Operation::Execute {
                path: Path::resource(3, 0, 4),
                arguments: "0='x'".to_owned(),
            },
            Code::POST,
            "/3/0/4",
            &[],
            Some(0),
            None,
            b"0='x'",
            Code::CHANGED,
        ),
        (
            Operation::Execute {
                path: Path::resource(3, 0, 4),
                arguments: String::new(),
            },
            Code::POST,
            "/3/0/4",
            &[],
            None,
            None,
            b"",
            Code::CHANGED,
        ),
        (
            Operation::Create {
                object: 3303,
                body: Some(vec![application]),
            },
            Code::POST,
            "/3303",
            &[],
            Some(110),
            None,
            br#"[{"bn":"/3303/","n":"1/5750","vs":"roof"}]"#,
            Code::CREATED,
        ),
        (
            Operation::Delete {
                path: Path::instance(3303, 1),
            },
            Code::DELETE,
            "/3303/1",
            &[],
            None,
            None,
            b"",
            Code::DELETED,
        ),
    ];
    for (operation, method, path, queries, format, accept, payload, success) in cases {
        let name = operation.name();
        let id = world.operate("dev-1", operation);
        let request = world.request();
        let message = request.message();
        assert_eq!(message.code, method, "{name}");
        assert_eq!(request.path(), path, "{name}");
        assert_eq!(request.queries(), queries, "{name}");
        assert_eq!(message.content_format(), format, "{name}");
        assert_eq!(message.accept(), accept, "{name}");
        let body = String::from_utf8_lossy(message.payload);
        assert_eq!(body, String::from_utf8_lossy(payload), "{name}");
        match success {
            Code::CONTENT if name == "Discover" => {
                world.answer(&request, success, &[LINK], b"</3>,</3/0>");
            }
            Code::CONTENT => world.answer(&request, success, &[SENML_JSON], b"[]"),
            Code::CREATED => {
                let location = OptionNumber::LOCATION_PATH;
                let options = [(location, &b"3303"[..]), (location, b"1")];
                world.answer(&request, success, &options, b"");
            }
            _ => world.answer(&request, success, &[], b""),
        }
        let outcome = world.outcome(id).expect("an outcome").expect(name);
        assert_eq!(outcome.code, success);
        match name {
            "Discover" => assert_eq!(outcome.links.as_deref(), Some("</3>,</3/0>")),
            "Create" => assert_eq!(outcome.location, Some(Path::instance(3303, 1))),
            _ => assert_eq!((outcome.links, outcome.location), (None, None)),
        }
    }
}

#[test]
fn formats_follow_version_announcement_and_wish() {
    let value = || text(Path::resource(3303, 0, 5750), "x");
    let bytes = || OwnedRecord::new(Path::resource(5, 0, 0), OwnedValue::Opaque(vec![1, 2]));
    let one = |record: OwnedRecord| write(record.path, WriteMode::Replace, vec![record]);
    let all = |record: OwnedRecord| {
        let path = record.path.parent().expect("instance");
        write(path, WriteMode::Update, vec![record])
    };
    let tlv = ContentFormat::TLV;
    let json = ContentFormat::SENML_JSON;
    let cases: Vec<(&str, &str, DeviceOperation, Option<ContentFormat>, u16)> = vec![
        ("1.0", "", one(value()), None, 11542),
        ("1.0", "", all(value()), None, 11542),
        ("1.1", "", one(value()), None, 0),
        ("1.1", "", one(bytes()), None, 42),
        ("1.1", "", all(value()), None, 112),
        ("1.1", "</>;ct=\"110 11542\",", all(value()), None, 110),
        ("1.1", "</>;ct=11542,", all(value()), None, 11542),
        ("1.1", "</>;ct=112,", all(value()), Some(json), 110),
        ("1.1", "</>;ct=112,", one(value()), Some(tlv), 11542),
    ];
    for (number, (version, root, operation, format, expected)) in cases.into_iter().enumerate() {
        let mut world = World::new();
        let mut peer = Peer::new(1);
        let list = format!("{root}</1/0>,</3/0>,</5/0>,</3303/0>");
        let version = format!("lwm2m={version}");
        peer.register(&mut world, &["lt=300", &version], list.as_bytes());
        world.sent.clear();
        world.operate_with("dev-1", operation, 30, format);
        let request = world.request();
        assert_eq!(
            request.message().content_format(),
            Some(expected),
            "{number}"
        );
        let id = world.operate_with("dev-1", read(Path::resource(3, 0, 0)), 30, format);
        world.answer(&request, Code::CHANGED, &[], b"");
        let request = world.request();
        if let Some(format) = format {
            assert_eq!(request.message().accept(), Some(format.0));
        }
        world.answer(&request, Code::CONTENT, &[TEXT], b"any format is read");
        assert_eq!(values(world.outcome(id)).len(), 1);
    }
}

#[test]
fn what_cannot_be_asked_is_refused_at_once() {
    let mut world = World::new();
    let mut peer = Peer::new(1);
    peer.register(&mut world, &["lt=300", "lwm2m=1.0"], LIST);
    world.sent.clear();
    let resource = Path::resource(3303, 0, 5750);
    let cases: Vec<DeviceOperation> = vec![
        read(Path::ROOT),
        read(Path::resource_instance(3, 0, 7, 0)),
        read(Path::instance(3, 65535)),
        Operation::Execute {
            path: Path::instance(3, 0),
            arguments: String::new(),
        },
        Operation::Execute {
            path: Path::resource(3, 0, 4),
            arguments: "not an argument".to_owned(),
        },
        write(Path::object(3), WriteMode::Replace, vec![]),
        write(
            Path::instance(3303, 1),
            WriteMode::Replace,
            vec![text(resource, "x")],
        ),
        write(resource, WriteMode::Update, vec![text(resource, "x")]),
        Operation::WriteAttributes {
            path: Path::object(3),
            attributes: vec![("pmin".to_owned(), Some(0.5))],
        },
        Operation::WriteAttributes {
            path: Path::object(3),
            attributes: vec![("gt".to_owned(), Some(1.0))],
        },
        Operation::WriteAttributes {
            path: Path::object(3),
            attributes: vec![],
        },
        Operation::WriteAttributes {
            path: resource,
            attributes: vec![("nonsense".to_owned(), Some(1.0))],
        },
        Operation::Create {
            object: 3303,
            body: None,
        },
        Operation::Delete {
            path: Path::object(3303),
        },
        Operation::Observe {
            path: resource,
            accept: None,
            parameters: Attributes::NONE,
        },
    ];
    for operation in cases {
        let shown = format!("{operation:?}");
        let id = world.operate("dev-1", operation);
        match world.outcome(id) {
            Some(Err(OperateError::Invalid(why))) => assert!(!why.is_empty()),
            other => panic!("{shown}: {other:?}"),
        }
    }
    assert!(world.sent.is_empty());
    let id = world.operate("nobody", read(Path::object(3)));
    assert_eq!(world.outcome(id), Some(Err(OperateError::UnknownEndpoint)));
}

#[test]
fn one_request_at_a_time_the_others_in_order() {
    let mut world = World::new();
    Peer::up(1, &mut world);
    let ids: Vec<u64> = (0..5)
        .map(|resource| world.operate("dev-1", read(Path::resource(3, 0, resource))))
        .collect();
    for (resource, id) in ids.iter().enumerate() {
        let request = world.request();
        assert_eq!(request.path(), format!("/3/0/{resource}"));
        world.answer(&request, Code::CONTENT, &[TEXT], b"v");
        assert!(world.outcome(*id).is_some());
    }
    assert!(world.sent.is_empty());
}

#[test]
fn errors_resets_and_silence_have_outcomes_of_their_own() {
    let mut world = World::new();
    Peer::up(1, &mut world);
    let path = Path::resource(3, 0, 0);
    let ask = |world: &mut World| {
        let id = world.operate("dev-1", read(path));
        (id, world.request())
    };
    let (id, request) = ask(&mut world);
    world.answer(&request, Code::NOT_FOUND, &[], b"no \x07such thing");
    assert_eq!(
        world.outcome(id),
        Some(Err(OperateError::Device {
            code: Code::NOT_FOUND,
            diagnostic: "no such thing".to_owned(),
        }))
    );
    let (id, request) = ask(&mut world);
    let reset = build(
        Type::Reset,
        Code::EMPTY,
        request.message().message_id,
        b"",
        &[],
        b"",
    );
    world.datagram(request.to, &reset);
    assert_eq!(world.outcome(id), Some(Err(OperateError::Reset)));
    for (format, payload) in [
        (Some(SENML_JSON), &b"[{"[..]),
        (Some(SENML_JSON), br#"[{"n":"/3/0/1","vs":"unasked"}]"#),
        (Some((CF, &[0x2D, 0x18][..])), b"\xA1"),
        (None, b"no format"),
    ] {
        let (id, request) = ask(&mut world);
        world.answer(&request, Code::CONTENT, format.as_slice(), payload);
        let outcome = world.outcome(id);
        assert!(
            matches!(outcome, Some(Err(OperateError::Undecodable(_)))),
            "{outcome:?}"
        );
    }
    // Silence: copies at t, 3t, 7t and so on, until the deadline.
    let (id, request) = ask(&mut world);
    world.seconds(29);
    assert_eq!(world.sent.len(), 3, "{:?}", world.sent);
    assert!(world.sent.iter().all(|sent| sent.bytes == request.bytes));
    assert_eq!(world.outcome(id), None);
    world.seconds(2);
    assert_eq!(world.outcome(id), Some(Err(OperateError::Timeout)));
    // The answer that comes after all is not known any more: an ACK is ignored.
    world.answer(&request, Code::CONTENT, &[TEXT], b"late");
    world.sent.clear();
    world.seconds(200);
    assert!(world.sent.is_empty() && world.replies.is_empty());
}

#[test]
fn operations_that_wait_give_up_in_time() {
    let mut world = World::new();
    Peer::up(1, &mut world);
    let path = Path::resource(3, 0, 0);
    let first = world.operate_with("dev-1", read(path), 60, None);
    let second = world.operate_with("dev-1", read(path), 10, None);
    let third = world.operate_with("dev-1", read(path), 20, None);
    world.seconds(9);
    assert_eq!(world.outcome(second), None);
    world.seconds(2);
    assert_eq!(world.outcome(second), Some(Err(OperateError::Timeout)));
    world.seconds(10);
    assert_eq!(world.outcome(third), Some(Err(OperateError::Timeout)));
    assert_eq!(world.outcome(first), None);
    world.seconds(40);
    assert_eq!(world.outcome(first), Some(Err(OperateError::Timeout)));
    assert_eq!(world.counter("operations_waiting"), 0);
}

#[test]
fn separate_responses_also_when_they_overtake_the_acknowledgement() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    let path = Path::resource(3, 0, 0);
    for (acknowledged, ty) in [
        (true, Type::Confirmable),
        (true, Type::NonConfirmable),
        (false, Type::Confirmable),
        (false, Type::NonConfirmable),
    ] {
        let id = world.operate("dev-1", read(path));
        let request = world.request();
        let message = request.message();
        let ack = build(
            Type::Acknowledgement,
            Code::EMPTY,
            message.message_id,
            b"",
            &[],
            b"",
        );
        if acknowledged {
            assert!(world.datagram(peer.address, &ack).is_empty());
            world.seconds(20);
            assert!(
                world.sent.is_empty(),
                "an acknowledged request is not repeated"
            );
        }
        let message_id = peer.next_id();
        let response = build(
            ty,
            Code::CONTENT,
            message_id,
            message.token,
            &[TEXT],
            b"sep",
        );
        let sent = world.datagram(peer.address, &response);
        if ty == Type::Confirmable {
            assert_eq!(sent[0].message().ty, Type::Acknowledgement);
            assert_eq!(sent[0].message().message_id, message_id);
            // The repetition is acknowledged again, and not delivered again.
            assert_eq!(world.exchange(peer.address, &response).bytes, sent[0].bytes);
        } else {
            assert!(sent.is_empty());
        }
        assert_eq!(values(world.outcome(id)), [text(path, "sep")]);
        world.datagram(peer.address, &ack);
        world.seconds(20);
        assert!(world.sent.is_empty() && world.replies.is_empty());
    }
}

#[test]
fn answers_of_others_do_not_count() {
    let mut world = World::new();
    let peer = Peer::up(1, &mut world);
    let other = Peer::up(2, &mut world);
    let id = world.operate("dev-1", read(Path::resource(3, 0, 0)));
    let request = world.request();
    let message = request.message();
    let forged = |message_id, token: &[u8]| {
        build(
            Type::Acknowledgement,
            Code::CONTENT,
            message_id,
            token,
            &[TEXT],
            b"forged",
        )
    };
    // From another device; with a foreign token; with no token.
    world.datagram(other.address, &forged(message.message_id, message.token));
    world.datagram(peer.address, &forged(message.message_id, b"another!"));
    world.datagram(peer.address, &forged(message.message_id, b""));
    world.datagram(
        peer.address,
        &forged(message.message_id.wrapping_add(1), message.token),
    );
    assert_eq!(world.outcome(id), None);
    world.answer(&request, Code::CONTENT, &[TEXT], b"true");
    assert_eq!(values(world.outcome(id)).len(), 1);
}

#[test]
fn too_many_operations_are_refused() {
    let mut world = World::with(ShardConfig {
        limits: Limits {
            operations_per_device: 3,
            operations: 5,
            ..small()
        },
        ..config()
    });
    for number in 1..=3 {
        Peer::up(number, &mut world);
    }
    let ask = |world: &mut World, device: &str| {
        let id = world.operate(device, read(Path::resource(3, 0, 0)));
        matches!(world.outcome(id), Some(Err(OperateError::Overloaded)))
    };
    // One in flight and three that wait.
    let first: Vec<bool> = (0..6).map(|_| ask(&mut world, "dev-1")).collect();
    assert_eq!(first, [false, false, false, false, true, true]);
    // Two more may wait in all.
    let second: Vec<bool> = (0..4).map(|_| ask(&mut world, "dev-2")).collect();
    assert_eq!(second, [false, false, false, true]);
    assert!(!ask(&mut world, "dev-3") || world.counter("operations_waiting") == 5);
    world.seconds(40);
    assert_eq!(world.counter("operations_waiting"), 0);
    assert!(!ask(&mut world, "dev-1"));
}

/// NSTART is per device: others do not wait for one that is silent. When all exchanges are in
/// use, the next begins when one has ended.
#[test]
fn a_shortage_of_exchanges_delays_and_loses_nothing() {
    let mut world = World::with(ShardConfig {
        limits: Limits {
            exchanges: 4,
            ..small()
        },
        ..config()
    });
    for number in 1..=20 {
        Peer::up(number, &mut world);
    }
    let ids: Vec<u64> = (1..=20)
        .map(|number| world.operate(&format!("dev-{number}"), read(Path::resource(3, 0, 0))))
        .collect();
    let mut done = 0;
    while let Some(request) = (!world.sent.is_empty()).then(|| world.sent.remove(0)) {
        assert!(world.sent.len() < 4);
        world.answer(&request, Code::CONTENT, &[TEXT], b"v");
        done += 1;
    }
    assert_eq!(done, 20);
    for id in ids {
        assert_eq!(values(world.outcome(id)).len(), 1);
    }
}

#[test]
fn a_sleeping_device_is_asked_when_it_speaks() {
    let mut world = World::new();
    let mut peer = Peer::new(1);
    peer.register(&mut world, &["lt=300", "lwm2m=1.1", "b=U", "Q"], LIST);
    let path = Path::resource(3, 0, 0);
    world.seconds(92);
    let awake = world.operate("dev-1", read(path));
    let request = world.request();
    world.answer(&request, Code::CONTENT, &[TEXT], b"awake");
    assert!(world.outcome(awake).is_some());
    world.seconds(94);
    let one = world.operate_with("dev-1", read(path), 200, None);
    let two = world.operate_with("dev-1", read(path), 20, None);
    assert!(world.sent.is_empty(), "it sleeps");
    world.seconds(30);
    assert_eq!(world.outcome(two), Some(Err(OperateError::Timeout)));
    let update = peer.update_message(&[]);
    let sent = world.datagram(peer.address, &update);
    assert_eq!(sent[0].message().code, Code::CHANGED, "the answer first");
    assert_eq!(sent[1].message().code, Code::GET);
    world.answer(&sent[1], Code::CONTENT, &[TEXT], b"woken");
    assert!(world.outcome(one).is_some());
    // One that does not answer is regarded as asleep again.
    let lost = world.operate_with("dev-1", read(path), 10, None);
    world.seconds(11);
    assert_eq!(world.outcome(lost), Some(Err(OperateError::Timeout)));
    world.sent.clear();
    world.operate("dev-1", read(path));
    assert!(world.sent.is_empty());
}

#[test]
fn an_answer_from_the_new_address_of_the_device_counts() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    let id = world.operate("dev-1", read(Path::resource(3, 0, 0)));
    let request = world.request();
    peer.address = "203.0.113.5:1".parse().expect("address");
    peer.update(&mut world, &[]);
    let message_id = peer.next_id();
    let token = request.message().token;
    let response = build(
        Type::Confirmable,
        Code::CONTENT,
        message_id,
        token,
        &[TEXT],
        b"moved",
    );
    let ack: Sent = world.exchange(peer.address, &response);
    assert_eq!(ack.message().ty, Type::Acknowledgement);
    assert_eq!(values(world.outcome(id)).len(), 1);
    world.seconds(60);
    assert!(world.sent.is_empty());
}

#[test]
fn times_of_records_are_unix_times() {
    let mut world = World::new();
    Peer::up(1, &mut world);
    let id = world.operate("dev-1", read(Path::resource(3303, 0, 5700)));
    let request = world.request();
    let pack = br#"[{"bn":"/3303/0/5700","t":-5,"v":1.5},{"t":1700000000,"v":2.5},{"v":3.5}]"#;
    world.answer(&request, Code::CONTENT, &[SENML_JSON], pack);
    let times: Vec<Option<f64>> = values(world.outcome(id)).iter().map(|r| r.time).collect();
    assert_eq!(times, [Some(ORIGIN + 995.0), Some(1_700_000_000.0), None]);
}

/// A client of 1.1 that also has the JSON of 1.0, as the Leshan client does, says so.
#[test]
fn a_format_of_another_version_is_asked_for_when_it_was_announced() {
    for (list, is_asked) in [
        ("</>;ct=\"110 11543\",</1/0>,</3/0>", true),
        ("</>;ct=110,</1/0>,</3/0>", false),
    ] {
        let mut world = World::new();
        let mut peer = Peer::new(1);
        peer.register(&mut world, &["lt=300", "lwm2m=1.1"], list.as_bytes());
        world.sent.clear();
        let path = Path::instance(3, 0);
        let read = Operation::Read { path, accept: None };
        let format = Some(ContentFormat::LWM2M_JSON);
        let id = world.operate_with("dev-1", read, 30, format);
        if is_asked {
            assert_eq!(world.request().message().accept(), Some(11543));
        } else {
            let refused = world.outcome(id);
            assert!(
                matches!(refused, Some(Err(OperateError::Invalid(_)))),
                "{refused:?}"
            );
        }
    }
}

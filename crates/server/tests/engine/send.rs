//! Send (Core 1.2 §6.4.6): who it is from, what is kept, what is refused with which code.

use dunlin_coap::{Code, OptionNumber, Type};
use dunlin_lwm2m::{OwnedRecord, OwnedValue, Path};
use dunlin_server::api::{EventKind, Sent as Report};
use dunlin_server::shard::{Command, Limits, Persist, Reply, ShardConfig, StoredSend};

use crate::world::{CF, LIST, ORIGIN, Peer, SENML_JSON, Sent, World, build, config, small};

const TEMPERATURE: Path = Path::resource(3303, 0, 5700);
const DP: (OptionNumber, &[u8]) = (OptionNumber::URI_PATH, b"dp");
const SENML_CBOR: (OptionNumber, &[u8]) = (CF, &[112]);
const NOW: f64 = ORIGIN + 1000.0;

fn message(peer: &mut Peer, ty: Type, format: (OptionNumber, &[u8]), body: &[u8]) -> Vec<u8> {
    let id = peer.next_id();
    build(ty, Code::POST, id, b"s", &[DP, format], body)
}

fn send(world: &mut World, peer: &mut Peer, body: &[u8]) -> Sent {
    let bytes = message(peer, Type::Confirmable, SENML_JSON, body);
    world.exchange(peer.address, &bytes)
}

fn code(sent: &Sent) -> Code {
    sent.message().code
}

fn history(world: &mut World, endpoint: &str) -> (bool, Vec<Report>) {
    let id = 1 << 40;
    let (endpoint, limit) = (endpoint.to_owned(), 100);
    world.input(dunlin_server::shard::Input::Command(Command::Sends {
        id,
        endpoint,
        limit,
    }));
    match world.reply(id) {
        Some(Reply::Sends { registered, sends }) => (registered, sends),
        other => panic!("{other:?}"),
    }
}

fn celsius(value: f64, time: f64) -> OwnedRecord {
    OwnedRecord {
        time: Some(time),
        ..OwnedRecord::new(TEMPERATURE, OwnedValue::Float(value))
    }
}

#[test]
fn a_send_is_answered_2_04_told_and_kept() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    world.events.clear();
    let answer = send(&mut world, &mut peer, br#"[{"n":"/3303/0/5700","v":21.5}]"#);
    let message = answer.message();
    assert_eq!(
        (message.ty, message.code),
        (Type::Acknowledgement, Code::CHANGED)
    );
    assert_eq!((message.token, message.payload), (&b"s"[..], &b""[..]));
    let records = vec![celsius(21.5, NOW)];
    let told = EventKind::Send {
        records: records.clone(),
    };
    assert_eq!(world.events, [("dev-1".to_owned(), told)]);
    let (registered, sends) = history(&mut world, "dev-1");
    assert!(registered);
    assert_eq!((sends[0].time, &sends[0].records), (NOW, &records));
    match &world.persisted.last() {
        Some((_, Persist::Send(stored))) => assert_eq!(stored.sent, sends[0]),
        other => panic!("{other:?}"),
    }
    assert_eq!(history(&mut world, "nobody"), (false, vec![]));
}

/// RFC 8428 §4.5.3: 2^28 and above is since 1970, below is relative to now.
#[test]
fn packs_of_several_objects_and_times_are_taken_apart() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    let pack = br#"[{"bn":"/3303/0/","bt":-10,"n":"5700","v":1},{"n":"5700","v":2,"t":-5},
        {"bn":"/3/0/9","bt":1700000000,"v":50,"t":5},{"bn":"/3303/0/5700","bt":0,"v":3},
        {"bt":268435455,"v":4},{"bt":268435456,"v":5}]"#;
    assert_eq!(code(&send(&mut world, &mut peer, pack)), Code::CHANGED);
    let battery = OwnedRecord {
        time: Some(1_700_000_005.0),
        ..OwnedRecord::new(Path::resource(3, 0, 9), OwnedValue::Integer(50))
    };
    assert_eq!(
        history(&mut world, "dev-1").1[0].records,
        [
            celsius(1.0, NOW - 10.0),
            celsius(2.0, NOW - 15.0),
            battery,
            celsius(3.0, NOW),
            celsius(4.0, NOW + 268_435_455.0),
            celsius(5.0, 268_435_456.0),
        ]
    );
}

#[test]
fn senml_cbor_lwm2m_cbor_and_non_confirmable_sends() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    // [{-2: "/3303/0/5700", 2: 21.5}]
    let cbor = b"\x81\xA2\x21\x6C/3303/0/5700\x02\xF9\x4D\x60";
    let bytes = message(&mut peer, Type::NonConfirmable, SENML_CBOR, cbor);
    let answer = world.exchange(peer.address, &bytes);
    assert_eq!(
        (answer.message().ty, code(&answer)),
        (Type::NonConfirmable, Code::CHANGED)
    );
    // The copy of a NON is dropped.
    assert!(world.datagram(peer.address, &bytes).is_empty());
    // {3303: {0: {5700: 21.5}}}
    let cbor = b"\xA1\x19\x0C\xE7\xA1\x00\xA1\x19\x16\x44\xF9\x4D\x60";
    let format = (CF, &11544_u16.to_be_bytes()[..]);
    let bytes = message(&mut peer, Type::Confirmable, format, cbor);
    let answer = world.exchange(peer.address, &bytes);
    assert_eq!(code(&answer), Code::CHANGED, "{answer:?}");
    let sends = history(&mut world, "dev-1").1;
    assert_eq!(sends.len(), 2);
    assert_eq!(sends[0].records, sends[1].records);
}

#[test]
fn a_send_is_acknowledged_once_it_is_on_disk_and_a_copy_counts_once() {
    let mut world = World::durable();
    let mut peer = Peer::up_durable(1, &mut world);
    let body = br#"[{"n":"/3303/0/5700","v":1}]"#;
    let bytes = message(&mut peer, Type::Confirmable, SENML_JSON, body);
    assert!(world.datagram(peer.address, &bytes).is_empty());
    let through = world.persisted.last().expect("persisted").0;
    // Repeated while it is on its way to the disk.
    assert!(world.datagram(peer.address, &bytes).is_empty());
    assert!(world.durable_through(through - 1).is_empty());
    let sent = world.durable_through(through);
    assert_eq!((sent.len(), code(&sent[0])), (1, Code::CHANGED));
    // Its acknowledgement was lost.
    assert_eq!(world.exchange(peer.address, &bytes).bytes, sent[0].bytes);
    assert_eq!(history(&mut world, "dev-1").1.len(), 1);
}

/// The answers are forgotten, and the copy is not taken for another Send.
#[test]
fn a_copy_that_comes_late_is_not_kept_twice() {
    let mut world = World::with(ShardConfig {
        limits: Limits {
            reply_bytes: 16,
            ..small()
        },
        ..config()
    });
    let mut peer = Peer::up(1, &mut world);
    let bytes = message(&mut peer, Type::Confirmable, SENML_JSON, b"[]");
    assert_eq!(code(&world.exchange(peer.address, &bytes)), Code::CHANGED);
    for _ in 0..4 {
        peer.update(&mut world, &[]);
    }
    assert!(world.datagram(peer.address, &bytes).is_empty());
    assert_eq!(history(&mut world, "dev-1").1.len(), 1);
}

#[test]
fn a_long_send_comes_in_blocks() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    let body = br#"[{"bn":"/3303/0/","n":"5700","v":21.5},{"n":"5750","vs":"roof"}]"#;
    let mut answers = Vec::new();
    for (number, chunk) in body.chunks(32).enumerate() {
        let more = (number + 1) * 32 < body.len();
        let block = [(number as u8) << 4 | u8::from(more) << 3 | 1];
        let options = [DP, SENML_JSON, (OptionNumber::BLOCK1, &block[..])];
        let id = peer.next_id();
        let bytes = build(Type::Confirmable, Code::POST, id, b"s", &options, chunk);
        answers.push(code(&world.exchange(peer.address, &bytes)));
    }
    assert_eq!(answers.pop(), Some(Code::CHANGED));
    assert!(
        answers.iter().all(|code| *code == Code::CONTINUE),
        "{answers:?}"
    );
    assert_eq!(history(&mut world, "dev-1").1[0].records.len(), 2);
}

/// Transport 1.2 Table 6.7-4: 4.04 for an object that is not registered, 4.00 for the rest.
#[test]
fn every_refusal_has_the_code_of_the_table() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    let persisted = world.persisted.len();
    let tlv = 11542_u16.to_be_bytes();
    let cases: [(&[u8], &[u8], Code, &str); 12] = [
        (
            &[110],
            br#"[{"n":"/7/0/1","v":1}]"#,
            Code::NOT_FOUND,
            "/7 is not registered",
        ),
        (
            &[110],
            br#"[{"n":"/0/0/0","vs":"x"}]"#,
            Code::NOT_FOUND,
            "/0 is not registered",
        ),
        (
            &[110],
            br#"[{"n":"/3303/7/5700","v":1}]"#,
            Code::BAD_REQUEST,
            "/3303/7",
        ),
        (
            &[110],
            br#"[{"n":"/3303/0/5700"}]"#,
            Code::BAD_REQUEST,
            "no value",
        ),
        (&[110], br#"[{"n":"/3303/0","v":1}]"#, Code::BAD_REQUEST, ""),
        (
            &[110],
            br#"[{"n":"/3303/0/5700","vs":"warm"}]"#,
            Code::BAD_REQUEST,
            "",
        ),
        (&[110], b"[{", Code::BAD_REQUEST, ""),
        (&[110], b"", Code::BAD_REQUEST, ""),
        (&[112], b"\xFF", Code::BAD_REQUEST, ""),
        (&[], b"21", Code::BAD_REQUEST, "110, 112 or 11544"),
        (&tlv, b"", Code::BAD_REQUEST, "110, 112 or 11544"),
        (&[1, 64], b"[]", Code::BAD_REQUEST, "110, 112 or 11544"),
    ];
    for (format, body, expected, words) in cases {
        let bytes = message(&mut peer, Type::Confirmable, (CF, format), body);
        let answer = world.exchange(peer.address, &bytes);
        let said = String::from_utf8_lossy(answer.message().payload).into_owned();
        assert_eq!(code(&answer), expected, "{said}");
        assert!(said.contains(words) && !said.is_empty(), "{said}");
    }
    let id = peer.next_id();
    let bare = build(Type::Confirmable, Code::POST, id, b"s", &[DP], b"[]");
    assert_eq!(
        code(&world.exchange(peer.address, &bare)),
        Code::BAD_REQUEST
    );
    // Another method.
    let id = peer.next_id();
    let put = build(
        Type::Confirmable,
        Code::PUT,
        id,
        b"s",
        &[DP, SENML_JSON],
        b"[]",
    );
    assert_eq!(
        code(&world.exchange(peer.address, &put)),
        Code::METHOD_NOT_ALLOWED
    );
    // Not registered.
    let mut stranger = Peer::new(2);
    assert_eq!(
        code(&send(&mut world, &mut stranger, b"[]")),
        Code::NOT_FOUND
    );
    assert_eq!(world.persisted.len(), persisted);
    assert_eq!(history(&mut world, "dev-1").1, []);
    // No data is none, and resources that nobody knows are none of the server's business.
    assert_eq!(code(&send(&mut world, &mut peer, b"[]")), Code::CHANGED);
    let unknown = br#"[{"n":"/3303/0/30000","v":1}]"#;
    assert_eq!(code(&send(&mut world, &mut peer, unknown)), Code::CHANGED);
}

/// Without security the address is all that tells a device: what may be of two is of none.
#[test]
fn of_devices_that_share_an_address_the_object_list_tells_whose_data_it_is() {
    let mut world = World::new();
    let mut first = Peer::up(1, &mut world);
    let mut second = Peer::new(2);
    second.address = first.address;
    second.message_id = 30_000;
    second.register(
        &mut world,
        &["lt=300", "lwm2m=1.1"],
        b"</1/0>,</3/0>,</3304/0>",
    );
    let warm = br#"[{"n":"/3303/0/5700","v":1}]"#;
    let damp = br#"[{"n":"/3304/0/5700","v":1}]"#;
    assert_eq!(code(&send(&mut world, &mut first, warm)), Code::CHANGED);
    assert_eq!(code(&send(&mut world, &mut first, damp)), Code::CHANGED);
    let of_first = history(&mut world, "dev-1").1;
    let of_second = history(&mut world, "dev-2").1;
    assert_eq!((of_first.len(), of_second.len()), (1, 1));
    assert_eq!(of_second[0].records[0].path, Path::resource(3304, 0, 5700));
    let both = send(&mut world, &mut first, br#"[{"n":"/3/0/9","v":1}]"#);
    assert_eq!(code(&both), Code::BAD_REQUEST);
    assert!(both.message().payload.starts_with(b"several devices"));
    for number in 3..=17 {
        let mut peer = Peer::new(number);
        peer.address = first.address;
        peer.register(&mut world, &["lt=300", "lwm2m=1.1"], LIST);
    }
    assert_eq!(code(&send(&mut world, &mut first, damp)), Code::BAD_REQUEST);
}

#[test]
fn a_device_finds_its_history_after_it_was_away_and_after_a_restart() {
    let limits = Limits {
        sends_per_device: 2,
        ..small()
    };
    let world_of = || World::with(ShardConfig { limits, ..config() });
    let mut world = world_of();
    let mut peer = Peer::up(1, &mut world);
    for value in ["1", "2", "3"] {
        let body = format!(r#"[{{"n":"/3303/0/5700","v":{value}}}]"#);
        assert_eq!(
            code(&send(&mut world, &mut peer, body.as_bytes())),
            Code::CHANGED
        );
        world.seconds(10);
    }
    let kept = history(&mut world, "dev-1").1;
    let value = |sent: &Report| sent.records[0].value.clone();
    let values: Vec<_> = kept.iter().filter_map(value).collect();
    assert_eq!(values, [OwnedValue::Float(3.0), OwnedValue::Float(2.0)]);
    let through = kept[1].id - 1;
    let forgotten = Persist::RemoveSends {
        endpoint: "dev-1".to_owned(),
        through,
    };
    assert!(
        world
            .persisted
            .iter()
            .any(|(_, change)| *change == forgotten)
    );
    let deregister = peer.at_location(Code::DELETE, &[], b"");
    world.datagram(peer.address, &deregister);
    assert_eq!(history(&mut world, "dev-1"), (false, kept.clone()));

    let mut after = world_of();
    for (_, change) in world.persisted {
        match change {
            Persist::Send(stored) if stored.sent.id > through => after.shard.restore_send(stored),
            _ => {}
        }
    }
    assert_eq!(history(&mut after, "dev-1"), (false, kept.clone()));
    let mut peer = Peer::up(1, &mut after);
    assert_eq!(code(&send(&mut after, &mut peer, b"[]")), Code::CHANGED);
    assert!(history(&mut after, "dev-1").1[0].id > kept[0].id);
}

/// A Send may be a thousand rows in the store, where others wait for their 2.01.
#[test]
fn a_device_waits_with_its_next_send_while_the_store_is_busy_with_its_last() {
    let mut world = World::with(ShardConfig {
        limits: Limits {
            unstored_send_bytes: 16 * 100,
            ..small()
        },
        durable: true,
        ..config()
    });
    let mut peer = Peer::up_durable(1, &mut world);
    let mut other = Peer::up_durable(2, &mut world);
    let long = format!(r#"[{{"n":"/3303/0/5750","vs":"{}"}}]"#, "x".repeat(200));
    let post = |world: &mut World, peer: &mut Peer| {
        let bytes = message(peer, Type::Confirmable, SENML_JSON, long.as_bytes());
        world.datagram(peer.address, &bytes)
    };
    assert!(post(&mut world, &mut peer).is_empty());
    let refused = post(&mut world, &mut peer);
    assert_eq!(code(&refused[0]), Code::SERVICE_UNAVAILABLE);
    assert!(post(&mut world, &mut other).is_empty(), "it has its share");
    let through = world.persisted.last().expect("persisted").0;
    assert_eq!(world.durable_through(through).len(), 2);
    assert!(post(&mut world, &mut peer).is_empty());
    assert_eq!(history(&mut world, "dev-1").1.len(), 2);
}

#[test]
fn what_finds_no_room_after_a_restart_is_removed_from_the_store() {
    let sent = |id| StoredSend {
        endpoint: format!("dev-{id}"),
        sent: Report {
            id,
            time: NOW,
            records: vec![celsius(1.0, NOW); 100],
        },
    };
    let mut world = World::with(ShardConfig {
        limits: Limits {
            send_bytes: 10_000,
            ..small()
        },
        ..config()
    });
    for id in 1..=3 {
        world.shard.restore_send(sent(id));
    }
    world.seconds(1);
    assert_eq!(history(&mut world, "dev-1").1, []);
    assert_eq!(history(&mut world, "dev-3").1.len(), 1);
    let removed = Persist::RemoveSends {
        endpoint: "dev-1".to_owned(),
        through: 1,
    };
    assert!(world.persisted.iter().any(|(_, change)| *change == removed));
}

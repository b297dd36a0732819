//! Observations: wishes, notifications, their order and their end (Core 1.2 §6.4, RFC 7641).

use dunlin_coap::{Code, OptionNumber, Type};
use dunlin_lwm2m::{OwnedRecord, OwnedValue, Path};
use dunlin_server::api::{EventKind, OperateError, WishState};
use dunlin_server::shard::{Limits, Persist, ShardConfig};

use crate::world::{
    CF, LIST, ORIGIN, Peer, SENML_JSON, Sent, TEXT, World, build, config, read, small, values,
};

const TEMPERATURE: Path = Path::resource(3303, 0, 5700);

fn number(value: u8) -> Vec<u8> {
    if value == 0 { Vec::new() } else { vec![value] }
}

/// Registers a device and establishes one observation; returns its token.
fn observed(world: &mut World, peer: &mut Peer) -> (u64, Vec<u8>) {
    peer.register(world, &["lt=300", "lwm2m=1.1", "b=U"], LIST);
    world.sent.clear();
    let wish = world
        .add_wish(&peer.endpoint, TEMPERATURE, Vec::new())
        .expect("room");
    let request = world.request();
    accept(world, &request, 1, b"20");
    world.events.clear();
    (wish.id, request.message().token.to_vec())
}

fn accept(world: &mut World, request: &Sent, sequence: u8, value: &[u8]) {
    assert_eq!(request.message().observe(), Some(0));
    let observe = number(sequence);
    let options = [(OptionNumber::OBSERVE, &observe[..]), TEXT];
    world.answer(request, Code::CONTENT, &options, value);
}

fn state(world: &mut World, endpoint: &str) -> WishState {
    world.wishes(endpoint).expect("known")[0].state.clone()
}

fn floats(world: &mut World) -> Vec<f64> {
    let events = world.events.drain(..);
    events
        .filter_map(|(_, kind)| match kind {
            EventKind::Notification { records, .. } => match records[0].value {
                Some(OwnedValue::Float(value)) => Some(value),
                _ => None,
            },
            _ => None,
        })
        .collect()
}

#[test]
fn a_wish_is_observed_reported_and_kept() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    let wish = world
        .add_wish("dev-1", TEMPERATURE, Vec::new())
        .expect("room");
    assert_eq!(wish.state, WishState::Pending);
    assert!(
        matches!(&world.persisted.last(), Some((_, Persist::Wish(stored))) if stored.id == wish.id)
    );
    let request = world.request();
    assert_eq!(
        (request.message().code, request.path().as_str()),
        (Code::GET, "/3303/0/5700")
    );
    world.events.clear();
    accept(&mut world, &request, 1, b"20");
    assert_eq!(state(&mut world, "dev-1"), WishState::Active);
    // The first answer counts as a notification.
    assert_eq!(floats(&mut world), [20.0]);

    world.seconds(10);
    let token = request.message().token.to_vec();
    let confirmable = peer.notification(Type::Confirmable, &token, 2, b"21.5");
    let ack = world.exchange(peer.address, &confirmable);
    let message = ack.message();
    assert_eq!(
        (message.ty, message.code),
        (Type::Acknowledgement, Code::EMPTY)
    );
    assert_eq!(message.message_id, peer.message_id);
    // Its repetition is acknowledged again and not told twice.
    assert_eq!(world.exchange(peer.address, &confirmable).bytes, ack.bytes);
    let plain = peer.notification(Type::NonConfirmable, &token, 3, b"22");
    assert!(world.datagram(peer.address, &plain).is_empty());
    let mut expected = OwnedRecord::new(TEMPERATURE, OwnedValue::Float(22.0));
    expected.time = Some(ORIGIN + 1010.0);
    let wishes = world.wishes("dev-1").expect("known");
    assert_eq!(wishes[0].records, [expected.clone()]);
    assert_eq!(wishes[0].updated_at, Some(ORIGIN + 1010.0));
    assert_eq!(floats(&mut world), [21.5, 22.0]);
    let Some((_, Persist::Values(stored))) = world.persisted.last() else {
        panic!("values are kept");
    };
    assert_eq!(
        (stored.wish, &stored.records[..]),
        (wish.id, &[expected][..])
    );
}

/// Rows "Observe" of the list of bad inputs.
#[test]
fn notifications_out_of_order_are_acknowledged_and_dropped() {
    let mut world = World::new();
    let mut peer = Peer::new(1);
    let (_, token) = observed(&mut world, &mut peer);
    let mut tell = |world: &mut World, sequence: u32, value: &str| {
        let bytes = peer.notification(Type::Confirmable, &token, sequence, value.as_bytes());
        let ack = world.exchange(peer.address, &bytes);
        assert_eq!(ack.message().ty, Type::Acknowledgement);
        floats(world)
    };
    assert_eq!(tell(&mut world, 10, "1"), [1.0]);
    assert_eq!(tell(&mut world, 9, "2"), []);
    assert_eq!(tell(&mut world, 10, "3"), []);
    // The numbers wrap at 2^24: the way there goes in steps below 2^23.
    assert_eq!(tell(&mut world, 0x7F_FFFF, "4"), [4.0]);
    assert_eq!(tell(&mut world, 0xFF_FFFE, "5"), [5.0]);
    assert_eq!(tell(&mut world, 0, "6"), [6.0]);
    assert_eq!(tell(&mut world, 0xFF_FFFF, "7"), []);
    // After 128 seconds any number is newer.
    world.seconds(129);
    assert_eq!(tell(&mut world, 0xFF_FFFF, "8"), [8.0]);
    assert_eq!(
        world.counter("notifications_dropped_total{reason=\"stale\"}"),
        3
    );
}

#[test]
fn an_unknown_token_is_reset() {
    let mut world = World::new();
    let mut peer = Peer::new(1);
    observed(&mut world, &mut peer);
    for (ty, token) in [
        (Type::Confirmable, &b"unknown!"[..]),
        (Type::NonConfirmable, b"x"),
        (Type::Confirmable, b""),
        (Type::Confirmable, b"a long token of sixteen or more bytes"),
    ] {
        let bytes = peer.notification(ty, token, 5, b"9");
        let reset = world.exchange(peer.address, &bytes);
        let message = reset.message();
        assert_eq!((message.ty, message.code), (Type::Reset, Code::EMPTY));
        assert_eq!(message.message_id, peer.message_id);
    }
    let bytes = peer.notification(Type::Confirmable, b"12345678", 5, b"9");
    let stranger = "198.51.100.9:9".parse().expect("address");
    assert_eq!(world.exchange(stranger, &bytes).message().ty, Type::Reset);
    assert!(floats(&mut world).is_empty());
    assert_eq!(
        world.counter("notifications_dropped_total{reason=\"unknown_token\"}"),
        4
    );
    assert_eq!(
        world.counter("notifications_dropped_total{reason=\"unknown_address\"}"),
        1
    );
}

#[test]
fn an_error_notification_ends_the_observation() {
    let mut world = World::new();
    let mut peer = Peer::new(1);
    let (_, token) = observed(&mut world, &mut peer);
    let message_id = peer.next_id();
    let gone = build(
        Type::Confirmable,
        Code::NOT_FOUND,
        message_id,
        &token,
        &[],
        b"deleted",
    );
    assert_eq!(
        world.exchange(peer.address, &gone).message().ty,
        Type::Acknowledgement
    );
    match state(&mut world, "dev-1") {
        WishState::Failed(why) => assert!(why.contains("4.04") && why.contains("deleted"), "{why}"),
        other => panic!("{other:?}"),
    }
    let late = peer.notification(Type::Confirmable, &token, 9, b"1");
    assert_eq!(
        world.exchange(peer.address, &late).message().ty,
        Type::Reset
    );
    // The next registration tries again.
    let register = peer.register_message(&["lt=300", "lwm2m=1.1"], LIST);
    let sent = world.datagram(peer.address, &register);
    assert_eq!(sent[1].message().observe(), Some(0));
}

#[test]
fn odd_notifications_hurt_nobody() {
    let mut world = World::new();
    let mut peer = Peer::new(1);
    let (_, token) = observed(&mut world, &mut peer);
    let mut sequence = 1;
    let mut tell = |world: &mut World, format: &[u8], payload: &[u8]| {
        sequence += 1;
        let observe = [sequence];
        let options = [(OptionNumber::OBSERVE, &observe[..]), (CF, format)];
        let message_id = peer.next_id();
        let bytes = build(
            Type::Confirmable,
            Code::CONTENT,
            message_id,
            &token,
            &options,
            payload,
        );
        assert_eq!(
            world.exchange(peer.address, &bytes).message().ty,
            Type::Acknowledgement
        );
        world.events.drain(..).collect::<Vec<_>>()
    };
    assert!(tell(&mut world, &[], b"warm").is_empty(), "not a number");
    assert!(
        tell(
            &mut world,
            &[110],
            br#"[{"n":"/3303/0/5750","vs":"unasked"}]"#
        )
        .is_empty()
    );
    assert!(tell(&mut world, &[110], b"[{").is_empty());
    assert!(
        tell(&mut world, &[0x2D, 0xFF], b"\xA0").is_empty(),
        "a format unknown here"
    );
    assert_eq!(
        world.counter("notifications_dropped_total{reason=\"undecodable\"}"),
        4
    );
    assert_eq!(state(&mut world, "dev-1"), WishState::Active);
    // Another format than before is read all the same; times may lie anywhere.
    for (pack, time) in [
        (
            &br#"[{"n":"/3303/0/5700","v":1,"t":-10}]"#[..],
            ORIGIN + 990.0,
        ),
        (br#"[{"n":"/3303/0/5700","v":1,"t":10}]"#, ORIGIN + 1010.0),
        (br#"[{"n":"/3303/0/5700","v":1,"t":4000000000}]"#, 4e9),
    ] {
        let events = tell(&mut world, &[110], pack);
        let [(_, EventKind::Notification { records, .. })] = &events[..] else {
            panic!("{events:?}");
        };
        assert_eq!(records[0].time, Some(time));
    }
}

#[test]
fn attributes_are_written_before_the_observation() {
    let mut world = World::new();
    Peer::up(1, &mut world);
    let attributes = vec![
        ("pmin".to_owned(), Some(5.0)),
        ("pmax".to_owned(), Some(60.0)),
    ];
    world
        .add_wish("dev-1", TEMPERATURE, attributes)
        .expect("room");
    let request = world.request();
    assert_eq!(request.message().code, Code::PUT);
    assert_eq!(request.queries(), ["pmin=5", "pmax=60"]);
    world.answer(&request, Code::CHANGED, &[], b"");
    let request = world.request();
    accept(&mut world, &request, 0, b"20");
    assert_eq!(state(&mut world, "dev-1"), WishState::Active);
    // A device that refuses them is not observed.
    let attributes = vec![("st".to_owned(), Some(0.5))];
    let path = Path::resource(3, 0, 9);
    world.add_wish("dev-1", path, attributes).expect("room");
    let request = world.request();
    world.answer(&request, Code::BAD_REQUEST, &[], b"");
    assert!(world.sent.is_empty());
    let wishes = world.wishes("dev-1").expect("known");
    assert!(matches!(&wishes[1].state, WishState::Failed(why) if why.contains("Write-Attributes")));
    for (path, attributes) in [
        (Path::ROOT, vec![]),
        (Path::object(3), vec![("gt".to_owned(), Some(1.0))]),
        (Path::object(3), vec![("x".to_owned(), Some(1.0))]),
        (
            Path::object(3),
            vec![
                ("pmin".to_owned(), Some(1.0)),
                ("pmin".to_owned(), Some(2.0)),
            ],
        ),
    ] {
        let refused = world.add_wish("dev-1", path, attributes);
        assert!(
            matches!(refused, Err(OperateError::Invalid(_))),
            "{refused:?}"
        );
    }
}

#[test]
fn wishes_are_made_again_after_each_registration() {
    let mut world = World::new();
    let wish = world
        .add_wish("dev-1", TEMPERATURE, Vec::new())
        .expect("room for a device that is away");
    assert_eq!(state(&mut world, "dev-1"), WishState::Pending);
    assert_eq!(world.wishes("dev-2"), None);
    let mut tokens = Vec::new();
    let mut peer = Peer::new(1);
    for value in ["20", "21"] {
        let register = peer.register_message(&["lt=60", "lwm2m=1.1"], LIST);
        let sent = world.datagram(peer.address, &register);
        peer.registered(&sent[0]);
        accept(&mut world, &sent[1], 1, value.as_bytes());
        tokens.push(sent[1].message().token.to_vec());
    }
    assert_ne!(tokens[0], tokens[1]);
    let old = peer.notification(Type::Confirmable, &tokens[0], 7, b"1");
    assert_eq!(world.exchange(peer.address, &old).message().ty, Type::Reset);
    // The last values stay when the device goes; the wish waits for it.
    world.seconds(61);
    let wishes = world.wishes("dev-1").expect("known");
    assert_eq!(
        (wishes[0].id, &wishes[0].state),
        (wish.id, &WishState::Pending)
    );
    assert_eq!(wishes[0].records[0].value, Some(OwnedValue::Float(21.0)));
    assert!(world.remove_wish("dev-1", wish.id));
    assert!(!world.remove_wish("dev-1", wish.id));
    assert_eq!(world.wishes("dev-1"), None);
}

#[test]
fn a_wish_that_is_dropped_is_cancelled_with_its_token() {
    let mut world = World::new();
    let mut peer = Peer::new(1);
    let (wish, token) = observed(&mut world, &mut peer);
    assert!(world.remove_wish("dev-1", wish));
    let request = world.request();
    let message = request.message();
    assert_eq!((message.code, message.observe()), (Code::GET, Some(1)));
    assert_eq!(
        (message.token, request.path().as_str()),
        (&token[..], "/3303/0/5700")
    );
    world.answer(&request, Code::CONTENT, &[TEXT], b"20");
    assert!(floats(&mut world).is_empty());
    let late = peer.notification(Type::Confirmable, &token, 9, b"1");
    assert_eq!(
        world.exchange(peer.address, &late).message().ty,
        Type::Reset
    );
    assert!(
        matches!(world.persisted.last(), Some((_, Persist::RemoveWish { id, .. })) if *id == wish)
    );
}

#[test]
fn refusals_and_silence() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    world
        .add_wish("dev-1", TEMPERATURE, Vec::new())
        .expect("room");
    let request = world.request();
    world.answer(&request, Code::METHOD_NOT_ALLOWED, &[], b"");
    assert!(matches!(state(&mut world, "dev-1"), WishState::Failed(_)));
    assert_eq!(peer.update(&mut world, &[]), Code::CHANGED);
    assert!(world.sent.is_empty(), "a refusal is not asked again");

    // An answer without Observe: the value, but no observation.
    let path = Path::resource(3, 0, 9);
    world.add_wish("dev-1", path, Vec::new()).expect("room");
    let request = world.request();
    world.answer(&request, Code::CONTENT, &[TEXT], b"100");
    let wishes = world.wishes("dev-1").expect("known");
    assert!(matches!(&wishes[1].state, WishState::Failed(_)));
    assert_eq!(wishes[1].records[0].value, Some(OwnedValue::Integer(100)));

    // Silence: asked again when the device shows life.
    let mut second = Peer::up(2, &mut world);
    world.sent.clear();
    world
        .add_wish("dev-2", TEMPERATURE, Vec::new())
        .expect("room");
    world.seconds(95);
    assert!(matches!(state(&mut world, "dev-2"), WishState::Failed(_)));
    world.sent.clear();
    let update = second.update_message(&[]);
    let sent = world.datagram(second.address, &update);
    accept(&mut world, &sent[1], 1, b"1");
    assert_eq!(state(&mut world, "dev-2"), WishState::Active);
}

#[test]
fn operations_and_observations_take_turns() {
    let mut world = World::new();
    let mut peer = Peer::new(1);
    let (_, token) = observed(&mut world, &mut peer);
    let id = world.operate("dev-1", read(Path::resource(3, 0, 0)));
    let request = world.request();
    // While a request is in flight, notifications go through.
    let bytes = peer.notification(Type::Confirmable, &token, 2, b"30");
    world.exchange(peer.address, &bytes);
    assert_eq!(floats(&mut world), [30.0]);
    world
        .add_wish("dev-1", Path::resource(3, 0, 9), Vec::new())
        .expect("room");
    assert!(world.sent.is_empty(), "one at a time");
    world.answer(&request, Code::CONTENT, &[TEXT], b"x");
    assert_eq!(values(world.outcome(id)).len(), 1);
    assert_eq!(world.request().path(), "/3/0/9");
}

#[test]
fn a_long_notification_is_fetched_without_observe() {
    let mut world = World::new();
    let mut peer = Peer::new(1);
    let (_, token) = observed(&mut world, &mut peer);
    let pack = format!(r#"[{{"n":"/3303/0/5700","v":1{}}}]"#, " ".repeat(100));
    let blocks: Vec<&[u8]> = pack.as_bytes().chunks(64).collect();
    let observe = [9];
    let options = [
        (OptionNumber::ETAG, &b"e"[..]),
        (OptionNumber::OBSERVE, &observe[..]),
        SENML_JSON,
        (OptionNumber::BLOCK2, &[0x0A][..]),
    ];
    let message_id = peer.next_id();
    let bytes = build(
        Type::Confirmable,
        Code::CONTENT,
        message_id,
        &token,
        &options,
        blocks[0],
    );
    let sent = world.datagram(peer.address, &bytes);
    assert_eq!(sent[0].message().ty, Type::Acknowledgement);
    let mut request = sent
        .into_iter()
        .nth(1)
        .expect("the next block is asked for");
    for (index, block) in blocks.iter().enumerate().skip(1) {
        let message = request.message();
        assert_eq!(message.observe(), None);
        assert_ne!(message.token, token);
        let asked = message.uint(OptionNumber::BLOCK2).expect("Block2");
        assert_eq!(asked, (index as u32) << 4 | 2);
        let more = index + 1 < blocks.len();
        let value = [(index as u8) << 4 | u8::from(more) << 3 | 2];
        let options = [
            (OptionNumber::ETAG, &b"e"[..]),
            SENML_JSON,
            (OptionNumber::BLOCK2, &value[..]),
        ];
        world.answer(&request, Code::CONTENT, &options, block);
        if more {
            request = world.request();
        }
    }
    assert_eq!(floats(&mut world), [1.0]);
}

/// The device reports from a new address after its Update: observations are made again with the
/// same token, since what was reported meanwhile was rejected.
#[test]
fn an_address_change_refreshes_observations() {
    let mut world = World::new();
    let mut peer = Peer::new(1);
    let (_, token) = observed(&mut world, &mut peer);
    peer.address = "203.0.113.5:1".parse().expect("address");
    let update = peer.update_message(&[]);
    let sent = world.datagram(peer.address, &update);
    assert_eq!(sent[1].to, peer.address);
    assert_eq!(sent[1].message().token, token);
    accept(&mut world, &sent[1], 1, b"25");
    assert_eq!(floats(&mut world), [25.0]);
    let bytes = peer.notification(Type::NonConfirmable, &token, 2, b"26");
    world.datagram(peer.address, &bytes);
    assert_eq!(floats(&mut world), [26.0]);
}

#[test]
fn wishes_are_bounded_and_made_at_a_pace() {
    let mut world = World::with(ShardConfig {
        limits: Limits {
            wishes_per_device: 10,
            paced: 3,
            ..small()
        },
        ..config()
    });
    for wish in 0..10_000 {
        let made = world.add_wish("dev-1", Path::resource(3303, 0, wish), Vec::new());
        assert_eq!(made.is_ok(), wish < 10, "{made:?}");
    }
    for number in 2..=20 {
        let endpoint = format!("dev-{number}");
        world
            .add_wish(&endpoint, TEMPERATURE, Vec::new())
            .expect("room");
    }
    for number in 1..=20 {
        Peer::up(number, &mut world);
    }
    // `up` looks at the 2.01 only; requests are what is left. Nobody has answered yet.
    let open = world.counter("exchanges_open");
    assert_eq!(open, 3, "no more than the pace allows");
    world.sent.clear();
    world.seconds(10);
    // Repetitions go on; whoever answers makes room for the next.
    let mut made = 0;
    while let Some(request) = (!world.sent.is_empty()).then(|| world.sent.remove(0)) {
        let before = world.counter("observations_made_total");
        accept(&mut world, &request, 1, b"1");
        made += world.counter("observations_made_total") - before;
        assert!(world.counter("exchanges_open") <= 3);
    }
    assert_eq!(made, 29);
}

/// The device's table is full of an observation whose cancellation was lost. It answers without
/// Observe until a notification of that is reset; then there is room.
#[test]
fn a_device_without_room_is_asked_again_at_its_updates_for_a_while() {
    let mut world = World::new();
    let mut peer = Peer::new(1);
    peer.register(&mut world, &["lt=86400", "lwm2m=1.1"], LIST);
    world.sent.clear();
    let full = (Code::CONTENT, &[TEXT][..]);
    let busy = (Code::SERVICE_UNAVAILABLE, &[][..]);
    let ask = |world: &mut World, peer: &mut Peer| {
        let update = peer.update_message(&[]);
        let mut sent = world.datagram(peer.address, &update);
        assert_eq!(sent.remove(0).message().code, Code::CHANGED);
        sent.pop()
    };
    world
        .add_wish("dev-1", TEMPERATURE, Vec::new())
        .expect("room");
    let request = world.request();
    let mut token = request.message().token.to_vec();
    world.answer(&request, full.0, full.1, b"1");
    for (code, options) in [busy, full] {
        let request = ask(&mut world, &mut peer).expect("asked again");
        // A new observation by a new token.
        assert_ne!(request.message().token, token);
        token = request.message().token.to_vec();
        world.answer(&request, code, options, b"1");
        assert!(matches!(state(&mut world, "dev-1"), WishState::Failed(_)));
    }
    let request = ask(&mut world, &mut peer).expect("asked again");
    accept(&mut world, &request, 1, b"1");
    assert_eq!(state(&mut world, "dev-1"), WishState::Active);
    assert!(ask(&mut world, &mut peer).is_none(), "it observes");

    // One that never has room is asked five times more, and again after it registers.
    let path = Path::resource(3, 0, 9);
    world.add_wish("dev-1", path, Vec::new()).expect("room");
    let request = world.request();
    world.answer(&request, full.0, full.1, b"1");
    for _ in 0..5 {
        let request = ask(&mut world, &mut peer).expect("asked again");
        world.answer(&request, full.0, full.1, b"1");
    }
    assert!(ask(&mut world, &mut peer).is_none(), "not for ever");
    let register = peer.register_message(&["lt=86400", "lwm2m=1.1"], LIST);
    assert_eq!(world.datagram(peer.address, &register).len(), 2);
}

/// A CON notification of which no copy arrived ends the observation at the device, and nobody
/// tells the server (RFC 7641 §4.5). Silence beyond `pmax`, or beyond a day, gives it away.
#[test]
fn an_observation_that_fell_silent_is_made_again() {
    for (attributes, seconds) in [
        (vec![("pmax".to_owned(), Some(60.0))], 60),
        (Vec::new(), 86_400),
    ] {
        let mut world = World::new();
        let mut peer = Peer::new(1);
        peer.register(&mut world, &["lt=0", "lwm2m=1.1"], LIST);
        world.sent.clear();
        let observes_first = attributes.is_empty();
        world
            .add_wish("dev-1", TEMPERATURE, attributes)
            .expect("room");
        if !observes_first {
            let request = world.request();
            world.answer(&request, Code::CHANGED, &[], b"");
        }
        let request = world.request();
        accept(&mut world, &request, 1, b"20");
        world.seconds(seconds + 247);
        assert_eq!(peer.update(&mut world, &[]), Code::CHANGED);
        assert!(world.sent.is_empty(), "not yet");
        world.seconds(1);
        let update = peer.update_message(&[]);
        let sent = world.datagram(peer.address, &update);
        assert_eq!(sent.len(), 2, "{sent:?}");
        let expected = if observes_first { Code::GET } else { Code::PUT };
        assert_eq!(sent[1].message().code, expected);
    }
}

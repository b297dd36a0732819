//! The message layer and block-wise uploads as the shard shows them (RFC 7252, RFC 7959).

use core::time::Duration;
use std::net::SocketAddr;

use dunlin_coap::{Code, OptionNumber, Type};
use dunlin_lwm2m::Path;
use dunlin_server::shard::{Limits, ShardConfig};

use crate::world::{
    LINK, LIST, Peer, Sent, TEXT, World, build, config, read, register_message, small, values,
};

#[test]
fn datagrams_that_are_no_messages() {
    let mut world = World::new();
    let address: SocketAddr = "192.0.2.1:1".parse().expect("address");
    // Silence: too short, another version, NON without content, reserved classes, format errors
    // outside a CON, acknowledgements and resets of nothing.
    let silent: &[&[u8]] = &[
        b"",
        b"\x40",
        b"\x40\x01\x00",
        b"\x00\x01\x00\x01",
        b"\x80\x01\x00\x01",
        b"\xC0\x01\x00\x01",
        b"\x50\x00\x00\x01",
        b"\x51\x20\x00\x01a",
        b"\x5F\x01\x00\x01123456789",
        b"\x50\x01\x00\x01\xFF",
        b"\x60\x00\x00\x01",
        b"\x60\x45\x00\x01",
        b"\x60\x01\x00\x01",
        b"\x70\x00\x00\x01",
        b"\x70\x45\x00\x01",
    ];
    for bytes in silent {
        assert!(world.datagram(address, bytes).is_empty(), "{bytes:02X?}");
    }
    // RST: ping, CON with a format error, CON of a reserved class.
    let reset: &[&[u8]] = &[
        b"\x40\x00\x12\x34",
        b"\x41\x00\x12\x34a",
        b"\x40\x00\x12\x34\xFFx",
        b"\x4F\x01\x12\x34123456789",
        b"\x4F\x01\x12\x34",
        b"\x42\x01\x12\x34a",
        b"\x40\x01\x12\x34\xFF",
        b"\x40\x01\x12\x34\xF0",
        b"\x40\x01\x12\x34\x0F",
        b"\x40\x01\x12\x34\xB5ab",
        b"\x40\x01\x12\x34\xE0\xFF\xFF",
        b"\x40\x20\x12\x34",
        b"\x40\xC0\x12\x34",
        b"\x40\xE1\x12\x34",
    ];
    for bytes in reset {
        let answer = world.exchange(address, bytes);
        assert_eq!(answer.bytes, b"\x70\x00\x12\x34", "{bytes:02X?}");
    }
    let huge = vec![0x40; 65_507];
    assert!(world.datagram(address, &huge).len() <= 1);
    assert!(world.events.is_empty() && world.persisted.is_empty());
}

#[test]
fn options_that_are_not_understood() {
    let mut world = World::new();
    let address: SocketAddr = "192.0.2.1:1".parse().expect("address");
    let path = (OptionNumber::URI_PATH, &b"rd"[..]);
    let ep = (OptionNumber::URI_QUERY, &b"ep=a"[..]);
    let lt = (OptionNumber::URI_QUERY, &b"lt=60"[..]);
    let version = (OptionNumber::URI_QUERY, &b"lwm2m=1.1"[..]);
    let long = vec![b'x'; 256];
    let mut ask = |ty, options: &[(OptionNumber, &[u8])]| {
        world.pass(Duration::from_millis(1));
        let message_id = world.now.as_micros() as u16;
        let bytes = build(ty, Code::POST, message_id, b"t", options, LIST);
        let mut sent = world.datagram(address, &bytes);
        assert!(sent.len() <= 1);
        sent.pop().map(|sent| {
            let message = sent.message();
            assert_eq!(message.token, b"t");
            (message.ty, message.code)
        })
    };
    let refused = |code| Some((Type::Acknowledgement, code));
    let critical = (OptionNumber(65001), &b""[..]);
    let all = [path, LINK, ep, lt, version, critical];
    assert_eq!(ask(Type::Confirmable, &all), refused(Code::BAD_OPTION));
    assert_eq!(ask(Type::NonConfirmable, &all), None);
    let host = (OptionNumber::URI_HOST, &b"any.example"[..]);
    let twice = [host, host, path, LINK, ep, lt, version];
    assert_eq!(ask(Type::Confirmable, &twice), refused(Code::BAD_OPTION));
    let not_utf8 = [
        path,
        LINK,
        (OptionNumber::URI_QUERY, &b"ep=\xFF"[..]),
        lt,
        version,
    ];
    assert_eq!(ask(Type::Confirmable, &not_utf8), refused(Code::BAD_OPTION));
    let too_long = [
        path,
        LINK,
        (OptionNumber::URI_QUERY, &long[..]),
        lt,
        version,
    ];
    assert_eq!(ask(Type::Confirmable, &too_long), refused(Code::BAD_OPTION));
    let proxy = [
        path,
        LINK,
        ep,
        lt,
        version,
        (OptionNumber::PROXY_URI, &b"coap://x"[..]),
    ];
    let answer = ask(Type::Confirmable, &proxy);
    assert_eq!(answer, refused(Code::PROXYING_NOT_SUPPORTED));
    // Unknown elective options and any host are fine; many options, too.
    let mut many = vec![host, path, LINK, ep, lt, version];
    many.extend((0..20).map(|_| (OptionNumber::URI_QUERY, &b"x"[..])));
    many.extend((0..300).map(|_| (OptionNumber(65000), &b"x"[..])));
    assert_eq!(ask(Type::Confirmable, &many), refused(Code::CREATED));
    // A NON is answered by a NON.
    let good = [path, LINK, ep, lt, version];
    let answer = ask(Type::NonConfirmable, &good);
    assert_eq!(answer, Some((Type::NonConfirmable, Code::CREATED)));
    assert_eq!(world.stats().devices, 1);
}

#[test]
fn a_repeated_message_id_is_a_repetition_whatever_it_says() {
    let mut world = World::new();
    let address: SocketAddr = "192.0.2.1:1".parse().expect("address");
    let first = register_message(7, &["ep=a", "lt=60", "lwm2m=1.1"], LIST);
    let other = register_message(7, &["ep=b", "lt=60", "lwm2m=1.1"], LIST);
    let answer = world.exchange(address, &first);
    assert_eq!(world.exchange(address, &other).bytes, answer.bytes);
    assert_eq!(world.stats().devices, 1);
    // From other ports it is another message.
    for port in 2..200 {
        let address = SocketAddr::new(address.ip(), port);
        let endpoint = format!("ep=p{port}");
        let bytes = register_message(7, &[&endpoint, "lt=600", "lwm2m=1.1"], LIST);
        assert_eq!(
            world.exchange(address, &bytes).message().code,
            Code::CREATED
        );
    }
    assert_eq!(world.stats().devices, 199);
    // After EXCHANGE_LIFETIME the number may be used again.
    world.seconds(248);
    assert_eq!(
        world.exchange(address, &other).message().code,
        Code::CREATED
    );
    assert!(world.device("b").is_some());
}

#[test]
fn equal_tokens_of_different_peers_do_not_meet() {
    let mut world = World::new();
    Peer::up(1, &mut world);
    Peer::up(2, &mut world);
    let one = world.operate("dev-1", read(Path::resource(3, 0, 0)));
    let first = world.request();
    let two = world.operate("dev-2", read(Path::resource(3, 0, 0)));
    let second = world.request();
    // The first device answers with the token of the second: no answer to anybody.
    let swapped = Sent {
        to: first.to,
        bytes: second.bytes.clone(),
    };
    world.answer(&swapped, Code::CONTENT, &[TEXT], b"wrong");
    assert!(world.outcome(one).is_none() && world.outcome(two).is_none());
    world.answer(&second, Code::CONTENT, &[TEXT], b"two");
    world.answer(&first, Code::CONTENT, &[TEXT], b"one");
    assert_eq!(values(world.outcome(one)).len(), 1);
    assert_eq!(values(world.outcome(two)).len(), 1);
}

#[test]
fn long_and_empty_tokens_come_back() {
    let mut world = World::durable();
    let address: SocketAddr = "192.0.2.1:1".parse().expect("address");
    for (message_id, token) in [(1, Vec::new()), (2, vec![7; 13]), (3, vec![8; 300])] {
        let endpoint = format!("ep={message_id}");
        let options = [
            (OptionNumber::URI_PATH, &b"rd"[..]),
            LINK,
            (OptionNumber::URI_QUERY, endpoint.as_bytes()),
            (OptionNumber::URI_QUERY, b"lt=60"),
            (OptionNumber::URI_QUERY, b"lwm2m=1.1"),
        ];
        let bytes = build(
            Type::Confirmable,
            Code::POST,
            message_id,
            &token,
            &options,
            LIST,
        );
        assert!(world.datagram(address, &bytes).is_empty());
        let sent = world.durable_through(u64::from(message_id));
        assert_eq!(sent[0].message().token, token);
        assert_eq!(sent[0].message().code, Code::CREATED);
    }
}

#[test]
fn a_delayed_acknowledgement_after_the_timeout_is_ignored() {
    let mut world = World::new();
    Peer::up(1, &mut world);
    let id = world.operate_with("dev-1", read(Path::resource(3, 0, 0)), 5, None);
    let request = world.request();
    world.seconds(6);
    assert!(world.outcome(id).is_some());
    world.sent.clear();
    let id = world.operate("dev-1", read(Path::resource(3, 0, 1)));
    world.answer(&request, Code::CONTENT, &[TEXT], b"late");
    assert_eq!(world.outcome(id), None, "the answer to another question");
    let request = world.request();
    world.answer(&request, Code::CONTENT, &[TEXT], b"in time");
    assert_eq!(values(world.outcome(id)).len(), 1);
}

#[test]
fn a_storm_from_one_address_takes_no_memory_from_others() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    let update = peer.update_message(&[]);
    let answer = world.exchange(peer.address, &update);
    let flood: SocketAddr = "198.51.100.66:6".parse().expect("address");
    for message_id in 0..20_000 {
        let bytes = build(Type::Confirmable, Code::GET, message_id, b"f", &[], b"");
        assert_eq!(
            world.exchange(flood, &bytes).message().code,
            Code::NOT_FOUND
        );
    }
    // The repetition of the quiet device is still known as one: the same answer, byte by byte.
    assert_eq!(world.exchange(peer.address, &update).bytes, answer.bytes);
}

fn block(number: u32, more: bool, exponent: u32) -> Vec<u8> {
    let value = (number << 4 | u32::from(more) << 3 | exponent).to_be_bytes();
    let skip = value.iter().take_while(|byte| **byte == 0).count();
    value[skip..].to_vec()
}

fn part(message_id: u16, value: &[u8], endpoint: &str, body: &[u8]) -> Vec<u8> {
    let options = [
        (OptionNumber::URI_PATH, &b"rd"[..]),
        LINK,
        (OptionNumber::URI_QUERY, endpoint.as_bytes()),
        (OptionNumber::URI_QUERY, b"lt=60"),
        (OptionNumber::URI_QUERY, b"lwm2m=1.1"),
        (OptionNumber::BLOCK1, value),
    ];
    build(
        Type::Confirmable,
        Code::POST,
        message_id,
        b"b",
        &options,
        body,
    )
}

fn long_list() -> Vec<u8> {
    let mut list = LIST.to_vec();
    for instance in 1..300 {
        list.extend_from_slice(format!(",</3303/{instance}>").as_bytes());
    }
    list
}

/// Rows "Block-wise" of the list of bad inputs, as a server meets them.
#[test]
fn a_long_object_list_comes_in_blocks() {
    let list = long_list();
    for exponent in [2, 6] {
        let size = 16 << exponent;
        let mut world = World::new();
        let address: SocketAddr = "192.0.2.1:1".parse().expect("address");
        let blocks: Vec<&[u8]> = list.chunks(size).collect();
        for (number, body) in blocks.iter().enumerate() {
            let more = number + 1 < blocks.len();
            let value = block(number as u32, more, exponent);
            let bytes = part(number as u16, &value, "ep=a", body);
            let answer = world.exchange(address, &bytes);
            let message = answer.message();
            let echoed = message.value(OptionNumber::BLOCK1).map(<[u8]>::to_vec);
            assert_eq!(echoed, Some(value));
            assert_eq!(
                message.code,
                if more { Code::CONTINUE } else { Code::CREATED }
            );
            // A repeated block gets the same answer and counts once.
            assert_eq!(world.exchange(address, &bytes).bytes, answer.bytes);
        }
        let device = world.device("a").expect("registered");
        assert_eq!(device.objects.last().expect("objects").instances.len(), 300);
        assert_eq!(world.counter("uploads_open"), 0);
    }
}

#[test]
fn blocks_that_do_not_fit() {
    let list = long_list();
    let address: SocketAddr = "192.0.2.1:1".parse().expect("address");
    let first = (block(0, true, 2), &list[..64]);
    let cases: &[(Vec<u8>, &[u8], Code)] = &[
        // A gap, a repetition under another Message ID, and the far end of the numbers.
        (
            block(2, true, 2),
            &list[128..192],
            Code::REQUEST_ENTITY_INCOMPLETE,
        ),
        (
            block(0xF_FFFF, false, 2),
            &list[64..128],
            Code::REQUEST_ENTITY_TOO_LARGE,
        ),
        // Another size at the same place in the body goes on; at another place it does not.
        (block(2, true, 1), &list[64..96], Code::CONTINUE),
        (
            block(1, true, 3),
            &list[64..192],
            Code::REQUEST_ENTITY_INCOMPLETE,
        ),
        // The reserved size, and blocks that are not as long as they say.
        (block(1, true, 7), &list[64..128], Code::BAD_REQUEST),
        (block(1, true, 2), &list[64..127], Code::BAD_REQUEST),
        (block(1, false, 2), &list[64..129], Code::BAD_REQUEST),
        (block(1, true, 2), b"", Code::BAD_REQUEST),
        // From the beginning again.
        (block(0, true, 2), &list[..64], Code::CONTINUE),
    ];
    for (value, body, expected) in cases {
        let mut world = World::new();
        let answer = world.exchange(address, &part(1, &first.0, "ep=a", first.1));
        assert_eq!(answer.message().code, Code::CONTINUE);
        let answer = world.exchange(address, &part(2, value, "ep=a", body));
        assert_eq!(answer.message().code, *expected, "{value:02X?}");
        assert!(world.events.is_empty());
    }
    let mut world = World::new();
    let alone = part(1, &block(3, false, 2), "ep=a", b"x");
    let answer = world.exchange(address, &alone);
    assert_eq!(answer.message().code, Code::REQUEST_ENTITY_INCOMPLETE);
}

#[test]
fn bodies_are_bounded_in_size_number_and_time() {
    let address: SocketAddr = "192.0.2.1:1".parse().expect("address");
    let mut world = World::with(ShardConfig {
        limits: Limits {
            uploads: 3,
            body_bytes: 1000,
            upload_idle: Duration::from_secs(60),
            ..small()
        },
        ..config()
    });
    // One body grows too long; another says so at once, and a third comes in one piece.
    let mut code = Code::CONTINUE;
    for number in 0..16 {
        let bytes = part(number, &block(number.into(), true, 2), "ep=a", &[b' '; 64]);
        let answer = world.exchange(address, &bytes);
        code = answer.message().code;
        if code != Code::CONTINUE {
            assert_eq!(answer.message().uint(OptionNumber::SIZE1), Some(1000));
            assert_eq!(number, 15);
        }
    }
    assert_eq!(code, Code::REQUEST_ENTITY_TOO_LARGE);
    let options = [
        (OptionNumber::URI_PATH, &b"rd"[..]),
        LINK,
        (OptionNumber::BLOCK1, &[0x0A]),
        (OptionNumber::SIZE1, &[0x10, 0]),
    ];
    let bytes = build(
        Type::Confirmable,
        Code::POST,
        100,
        b"",
        &options,
        &[b' '; 64],
    );
    let answer = world.exchange(address, &bytes);
    assert_eq!(answer.message().code, Code::REQUEST_ENTITY_TOO_LARGE);
    let bytes = register_message(101, &["ep=a", "lt=60", "lwm2m=1.1"], &[b' '; 1001]);
    let answer = world.exchange(address, &bytes);
    assert_eq!(answer.message().code, Code::REQUEST_ENTITY_TOO_LARGE);
    assert_eq!(world.counter("uploads_open"), 0);

    // Many bodies at once: the longest idle gives way.
    for number in 0..10_u16 {
        world.pass(Duration::from_millis(10));
        let endpoint = format!("ep={number}");
        let bytes = part(
            200 + number,
            &block(0, true, 2),
            &endpoint,
            &LIST.repeat(3)[..64],
        );
        assert_eq!(
            world.exchange(address, &bytes).message().code,
            Code::CONTINUE
        );
        assert!(world.counter("uploads_open") <= 3);
    }
    let gone = part(300, &block(1, false, 2), "ep=0", b"x");
    let answer = world.exchange(address, &gone);
    assert_eq!(answer.message().code, Code::REQUEST_ENTITY_INCOMPLETE);
    // The last block never comes: memory is given back, and what comes late is told so.
    world.seconds(61);
    assert_eq!(world.counter("uploads_open"), 0);
    let late = part(301, &block(1, false, 2), "ep=9", b"x");
    let answer = world.exchange(address, &late);
    assert_eq!(answer.message().code, Code::REQUEST_ENTITY_INCOMPLETE);
}

#[test]
fn two_uploads_of_one_peer_are_told_apart_by_their_options() {
    let list = long_list();
    let mut world = World::new();
    let address: SocketAddr = "192.0.2.1:1".parse().expect("address");
    let mut message_id = 0;
    let blocks: Vec<&[u8]> = list.chunks(1024).collect();
    for (number, body) in blocks.iter().enumerate() {
        let more = number + 1 < blocks.len();
        for endpoint in ["ep=a", "ep=b"] {
            message_id += 1;
            let value = block(number as u32, more, 6);
            let answer = world.exchange(address, &part(message_id, &value, endpoint, body));
            let expected = if more { Code::CONTINUE } else { Code::CREATED };
            assert_eq!(answer.message().code, expected);
        }
    }
    assert_eq!(world.stats().devices, 2);
}

/// The table was one for all: a peer that began body after body pushed out those of the others.
#[test]
fn one_peer_does_not_push_out_the_bodies_of_others() {
    let list = long_list();
    let mut world = World::with(ShardConfig {
        limits: Limits {
            uploads: 32,
            ..small()
        },
        ..config()
    });
    let good: SocketAddr = "192.0.2.1:1".parse().expect("address");
    let bad: SocketAddr = "192.0.2.2:1".parse().expect("address");
    let first = part(1, &block(0, true, 2), "ep=a", &list[..64]);
    assert_eq!(world.exchange(good, &first).message().code, Code::CONTINUE);
    for number in 0..200_u16 {
        world.pass(Duration::from_millis(1));
        let endpoint = format!("ep={number}");
        let bytes = part(number, &block(0, true, 2), &endpoint, &list[..64]);
        assert_eq!(world.exchange(bad, &bytes).message().code, Code::CONTINUE);
        assert!(world.counter("uploads_open") <= 3);
    }
    let second = part(2, &block(1, true, 2), "ep=a", &list[64..128]);
    assert_eq!(world.exchange(good, &second).message().code, Code::CONTINUE);
}

//! The latest messages of a device, kept by its shard.

use core::time::Duration;
use std::net::SocketAddr;

use dunlin_coap::Code;
use dunlin_lwm2m::Path;
use dunlin_server::shard::{Command, Input, Limits, Reply, ShardConfig};
use dunlin_server::trace::{Datagram, Direction};

use crate::world::{ORIGIN, Peer, TEXT, World, config, read, register_message, small};

fn trace(world: &mut World, endpoint: &str) -> Option<Vec<Datagram>> {
    let id = u64::MAX;
    world.input(Input::Command(Command::Trace {
        id,
        endpoint: endpoint.to_owned(),
    }));
    match world.reply(id) {
        Some(Reply::Trace(trace)) => trace,
        other => panic!("{other:?}"),
    }
}

fn with_trace(trace_bytes: usize) -> World {
    let limits = Limits {
        trace_bytes,
        ..small()
    };
    World::with(ShardConfig { limits, ..config() })
}

#[test]
fn what_was_said_before_anybody_looked_is_there() {
    let mut world = World::new();
    let mut other = Peer::up(2, &mut world);
    let mut peer = Peer::new(1);
    let register = peer.register_message(&["lt=300", "lwm2m=1.1", "b=U"], b"</1/0>,</3/0>");
    let answer = world.exchange(peer.address, &register);
    other.update(&mut world, &[]);
    world.seconds(5);
    world.operate("dev-1", read(Path::resource(3, 0, 0)));
    let request = world.request();
    world.answer(&request, Code::CONTENT, &[TEXT], b"Dunlin");

    let trace = trace(&mut world, "dev-1").expect("the device is known");
    let expected = [
        (0.0, Direction::In, &register),
        (0.0, Direction::Out, &answer.bytes),
        (5.0, Direction::Out, &request.bytes),
    ];
    for (kept, (seconds, direction, bytes)) in trace.iter().zip(expected) {
        assert_eq!(kept.time, ORIGIN + 1000.0 + seconds);
        assert_eq!((kept.direction, &kept.bytes), (direction, bytes));
        assert_eq!(kept.peer, peer.address);
    }
    assert_eq!(trace.len(), 4);
    assert_eq!(trace[3].direction, Direction::In);
}

#[test]
fn others_cannot_push_out_the_messages_of_a_device_that_is_looked_at() {
    let mut world = with_trace(2000);
    let mut noisy = Peer::up(2, &mut world);
    let mut peer = Peer::up(1, &mut world);
    assert_eq!(trace(&mut world, "dev-1").map(|kept| kept.len()), Some(2));
    let mut babble = |world: &mut World| {
        for _ in 0..100 {
            noisy.update(world, &[]);
        }
    };
    babble(&mut world);
    peer.update(&mut world, &[]);
    babble(&mut world);
    assert_eq!(trace(&mut world, "dev-1").map(|kept| kept.len()), Some(4));
    // Nobody has looked for long: it shares the ring with all others again.
    world.pass(Duration::from_secs(16 * 60));
    assert!(world.device("dev-1").is_none(), "it has expired meanwhile");
    peer.register(&mut world, &["lt=300", "lwm2m=1.1"], b"</3/0>");
    assert_eq!(trace(&mut world, "dev-1").map(|kept| kept.len()), Some(2));
}

#[test]
fn a_device_that_moves_is_followed() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    assert_eq!(trace(&mut world, "dev-1").map(|kept| kept.len()), Some(2));
    peer.address = SocketAddr::from(([198, 51, 100, 1], 7777));
    assert_eq!(peer.update(&mut world, &[]), Code::CHANGED);
    let after = trace(&mut world, "dev-1").expect("known");
    let peers: Vec<u16> = after.iter().map(|kept| kept.peer.port()).collect();
    assert_eq!(peers, [50_001, 50_001, 7777, 7777]);
}

#[test]
fn a_register_that_was_refused_is_shown_under_its_name() {
    let mut world = World::new();
    let _other = Peer::up(2, &mut world);
    let from = SocketAddr::from(([198, 51, 100, 1], 7777));
    let bad = register_message(1, &["ep=broken", "lwm2m=9.9"], b"</3/0>");
    let answer = world.exchange(from, &bad);
    assert_eq!(answer.message().code, Code::PRECONDITION_FAILED);
    let kept = trace(&mut world, "broken").expect("it tried");
    assert_eq!(kept.len(), 2);
    assert_eq!(kept[1].bytes, answer.bytes);
    assert_eq!(trace(&mut world, "nobody"), None);
}

#[test]
fn traces_can_be_turned_off() {
    let mut world = with_trace(0);
    let mut peer = Peer::up(1, &mut world);
    peer.update(&mut world, &[]);
    assert_eq!(trace(&mut world, "dev-1"), Some(Vec::new()));
    assert_eq!(trace(&mut world, "nobody"), None);
}

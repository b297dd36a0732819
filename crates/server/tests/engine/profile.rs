//! Profile IDs (Core 1.2 §6.2.1): learned, resolved, refused with 4.09.

use dunlin_coap::{Code, Rng};
use dunlin_server::api::Device;
use dunlin_server::shard::{Limits, ShardConfig};

use crate::durable::restart;
use crate::world::{LIST, Peer, World, config, small};

fn register(world: &mut World, number: u16, version: &str, pid: &str, list: &[u8]) -> Code {
    let mut peer = Peer::new(number);
    // One device may ask several times.
    peer.message_id = world.dice.next_u32() as u16;
    let version = format!("lwm2m={version}");
    let pid = format!("pid={pid}");
    let message = peer.register_message(&["lt=300", &version, &pid], list);
    let sent = world.datagram(peer.address, &message);
    let through = world.persisted.last().map_or(0, |(sequence, _)| *sequence);
    let later = world.durable_through(through);
    let answer = sent.first().or(later.first()).expect("an answer");
    answer.message().code
}

fn objects(device: &Device) -> Vec<u16> {
    device.objects.iter().map(|object| object.id).collect()
}

/// The id of the ETS, for the set {/1/0, /3/0}.
#[test]
fn an_id_that_came_with_its_list_stands_for_it_later_also_after_a_restart() {
    let mut world = World::durable();
    let id = "6:27354b9a";
    assert_eq!(register(&mut world, 1, "1.2", id, b""), Code::CONFLICT);
    assert_eq!(
        register(&mut world, 1, "1.2", id, b"</1/0>,</3/0>"),
        Code::CREATED
    );
    assert_eq!(register(&mut world, 2, "1.2", id, b""), Code::CREATED);
    let device = world.device("dev-2").expect("registered");
    assert_eq!(objects(&device), [1, 3]);
    let through = world.persisted.last().expect("persisted").0;
    let mut after = restart(&world, through);
    assert_eq!(
        after.device("dev-2").map(|device| objects(&device)),
        Some(vec![1, 3])
    );
    assert_eq!(register(&mut after, 3, "1.2", id, b""), Code::CREATED);
}

#[test]
fn several_ids_and_a_list_are_joined() {
    let mut world = World::new();
    for (number, id, list) in [(1, "6:a", &b"</1/0>,</3/0>"[..]), (2, "6:b", b"</3303/0>")] {
        assert_eq!(register(&mut world, number, "1.2", id, list), Code::CREATED);
    }
    let both = "\"6:a,6:b\"";
    assert_eq!(
        register(&mut world, 3, "1.2", both, b"</3303/1>,</5>"),
        Code::CREATED
    );
    let device = world.device("dev-3").expect("registered");
    assert_eq!(objects(&device), [1, 3, 5, 3303]);
    assert_eq!(device.objects[3].instances, [0, 1]);
    // What is known is not learned anew.
    assert_eq!(
        register(&mut world, 4, "1.2", "6:b", b"</7/0>"),
        Code::CREATED
    );
    assert_eq!(register(&mut world, 5, "1.2", "6:b", b""), Code::CREATED);
    let device = world.device("dev-5").expect("registered");
    assert_eq!(objects(&device), [3303]);
}

#[test]
fn what_cannot_be_resolved_is_4_09_and_what_is_no_id_4_00() {
    let mut world = World::new();
    for (version, pid, list, code) in [
        ("1.2", "6:a", &b""[..], Code::CONFLICT),
        ("1.2", "v:meter", b"", Code::CONFLICT),
        // Nobody agreed upon it, so the list may not be whole.
        ("1.2", "v:meter", LIST, Code::CONFLICT),
        ("1.2", "\"6:a,6:b\"", LIST, Code::CONFLICT),
        ("1.2", "6:A", LIST, Code::BAD_REQUEST),
        ("1.2", "meter", LIST, Code::BAD_REQUEST),
        // Before 1.2 it is a parameter that nobody knows.
        ("1.1", "6:a", LIST, Code::CREATED),
        ("1.1", "6:a", b"", Code::BAD_REQUEST),
    ] {
        assert_eq!(
            register(&mut world, 1, version, pid, list),
            code,
            "{version} {pid}"
        );
    }
    assert_eq!(
        register(&mut world, 1, "1.2", "6:a", b""),
        Code::CONFLICT,
        "learned from 1.1"
    );
}

#[test]
fn an_update_may_name_a_profile_as_well() {
    let mut world = World::new();
    let mut peer = Peer::new(1);
    peer.register(&mut world, &["lt=300", "lwm2m=1.2"], LIST);
    let answer = |world: &mut World, bytes: &[u8], peer: &Peer| {
        world.exchange(peer.address, bytes).message().code
    };
    let unknown = peer.update_message(&["pid=6:a"]);
    assert_eq!(answer(&mut world, &unknown, &peer), Code::CONFLICT);
    let lesson = peer.at_location(Code::POST, &["pid=6:a"], b"</1/0>,</3/0>,</7/0>");
    assert_eq!(answer(&mut world, &lesson, &peer), Code::CHANGED);
    let list = peer.at_location(Code::POST, &[], LIST);
    assert_eq!(answer(&mut world, &list, &peer), Code::CHANGED);
    let objects_now = |world: &mut World| objects(&world.device("dev-1").expect("registered"));
    assert_eq!(objects_now(&mut world), [1, 3, 3303]);
    let known = peer.update_message(&["pid=6:a"]);
    assert_eq!(answer(&mut world, &known, &peer), Code::CHANGED);
    assert_eq!(objects_now(&mut world), [1, 3, 7]);
}

/// In the store each registration has a list of its own, however short the message that named it.
#[test]
fn lists_that_a_profile_id_stands_for_are_counted_once_for_each_device() {
    let list = b"</1/0>,</3/0>";
    let mut world = World::with(ShardConfig {
        limits: Limits {
            listed_bytes: 2 * list.len(),
            ..small()
        },
        ..config()
    });
    assert_eq!(register(&mut world, 1, "1.2", "6:a", list), Code::CREATED);
    assert_eq!(register(&mut world, 2, "1.2", "6:a", b""), Code::CREATED);
    let full = Code::SERVICE_UNAVAILABLE;
    assert_eq!(register(&mut world, 3, "1.2", "6:a", b""), full);
    // Who is there already comes back.
    assert_eq!(register(&mut world, 2, "1.2", "6:a", b""), Code::CREATED);
    assert_eq!(
        register(&mut world, 2, "1.2", "6:b", b"</3/0>"),
        Code::CREATED
    );
    assert_eq!(register(&mut world, 3, "1.2", "6:b", b""), Code::CREATED);
}

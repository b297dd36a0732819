//! Nothing is acknowledged before it is on disk; what was acknowledged survives.

use core::time::Duration;
use std::sync::Arc;

use dunlin_coap::{Code, Instant, OptionNumber};
use dunlin_lwm2m::Path;
use dunlin_server::api::{OperateError, QueuedOperation};
use dunlin_server::directory::Directory;
use dunlin_server::shard::{Limits, Persist, Shard, ShardConfig};

use crate::world::{LIST, ORIGIN, Peer, TEXT, World, config, read, small, values};

#[test]
fn a_register_is_answered_when_its_batch_is_on_disk() {
    let mut world = World::durable();
    let mut one = Peer::new(1);
    let mut two = Peer::new(2);
    let first = one.register_message(&["lt=60", "lwm2m=1.1"], LIST);
    let second = two.register_message(&["lt=60", "lwm2m=1.1"], LIST);
    assert!(world.datagram(one.address, &first).is_empty());
    assert!(world.datagram(two.address, &second).is_empty());
    let sequences: Vec<u64> = world
        .persisted
        .iter()
        .map(|(sequence, _)| *sequence)
        .collect();
    assert_eq!(sequences, [1, 2]);
    // A repetition meanwhile is ignored: it is being worked on.
    assert!(world.datagram(one.address, &first).is_empty());
    assert_eq!(world.persisted.len(), 2);

    let sent = world.durable_through(1);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].to, one.address);
    one.registered(&sent[0]);
    // A repetition afterwards gets the identical reply, and changes nothing.
    assert_eq!(world.exchange(one.address, &first).bytes, sent[0].bytes);
    assert_eq!(world.persisted.len(), 2);

    let sent = world.durable_through(2);
    two.registered(&sent[0]);
    assert!(world.durable_through(2).is_empty());
}

#[test]
fn updates_and_deregisters_wait_when_they_change_what_is_kept() {
    let mut world = World::durable();
    let mut peer = Peer::new(1);
    let register = peer.register_message(&["lt=60", "lwm2m=1.1"], LIST);
    world.datagram(peer.address, &register);
    let sent = world.durable_through(1);
    peer.registered(&sent[0]);
    // Only time: at once.
    assert_eq!(peer.update(&mut world, &[]), Code::CHANGED);
    let update = peer.update_message(&["lt=90"]);
    assert!(world.datagram(peer.address, &update).is_empty());
    let sent = world.durable_through(2);
    assert_eq!(sent[0].message().code, Code::CHANGED);
    let deregister = peer.at_location(Code::DELETE, &[], b"");
    assert!(world.datagram(peer.address, &deregister).is_empty());
    let sent = world.durable_through(3);
    assert_eq!(sent[0].message().code, Code::DELETED);
    // The repetition is not told 4.04.
    assert_eq!(
        world.exchange(peer.address, &deregister).bytes,
        sent[0].bytes
    );
}

/// "The server SHOULD NOT send requests before answering" (Core 1.2 §6.2.1).
#[test]
fn requests_to_a_device_wait_for_its_2_01() {
    let mut world = World::durable();
    let path = Path::resource(3, 0, 0);
    world.add_wish("dev-1", path, Vec::new()).expect("room");
    let mut peer = Peer::new(1);
    let register = peer.register_message(&["lt=60", "lwm2m=1.1"], LIST);
    world.datagram(peer.address, &register);
    let id = world.operate("dev-1", read(path));
    assert!(world.sent.is_empty());
    let sent = world.durable_through(2);
    assert_eq!(sent[0].message().code, Code::CREATED);
    assert_eq!(sent[1].message().code, Code::GET);
    world.answer(&sent[1], Code::CONTENT, &[TEXT], b"a");
    assert!(world.outcome(id).is_some());
    assert_eq!(world.request().message().observe(), Some(0));
}

#[test]
fn a_register_that_is_overtaken_by_another_is_never_answered() {
    let mut world = World::durable();
    let mut peer = Peer::new(1);
    let first = peer.register_message(&["lt=60", "lwm2m=1.1"], LIST);
    let second = peer.register_message(&["lt=60", "lwm2m=1.1"], LIST);
    world.datagram(peer.address, &first);
    world.datagram(peer.address, &second);
    // The first location is dead already.
    let sent = world.durable_through(9);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].message().message_id, peer.message_id);
    peer.registered(&sent[0]);
    assert_eq!(peer.update(&mut world, &[]), Code::CHANGED);
}

/// The store as it would be on disk after the given number of batches.
pub fn restart(world: &World, durable: u64) -> World {
    let config = ShardConfig {
        directory: Arc::new(Directory::new(1, 99)),
        durable: true,
        ..config()
    };
    let mut next = World::with(config);
    let mut registrations = std::collections::BTreeMap::new();
    let mut operations = std::collections::BTreeMap::new();
    for (_, change) in world
        .persisted
        .iter()
        .filter(|(sequence, _)| *sequence <= durable)
    {
        match change {
            Persist::Registration(stored) => {
                registrations.insert(stored.endpoint.clone(), stored.clone());
            }
            Persist::RemoveRegistration { endpoint, .. } => {
                registrations.remove(endpoint);
            }
            Persist::Wish(wish) => assert!(next.shard.restore_wish(wish)),
            Persist::Values(values) => {
                next.shard.restore_values(values.clone());
            }
            Persist::Operation(operation) => {
                operations.insert(operation.id, QueuedOperation::clone(operation));
            }
            Persist::RemoveOperation(id) => {
                operations.remove(id);
            }
            Persist::AwakeTime(awake) => next.shard.restore_awake_time(awake),
            Persist::Send(stored) => next.shard.restore_send(stored.clone()),
            Persist::Profile { id, links } => next.shard.restore_profile(id, links),
            Persist::RemoveWish { .. }
            | Persist::RemoveSends { .. }
            | Persist::RemoveProfile { .. }
            | Persist::Session(_)
            | Persist::RemoveSession { .. } => {}
        }
    }
    for stored in registrations.values() {
        assert_eq!(Shard::owner(stored, 1), 0);
        assert!(next.shard.restore(next.now, stored), "{stored:?}");
    }
    for stored in operations.into_values() {
        next.shard
            .restore_operation(next.now, stored, &mut next.dice);
    }
    next
}

#[test]
fn after_a_crash_exactly_what_was_acknowledged_is_there() {
    let mut world = World::durable();
    let mut peers: Vec<Peer> = (1..=40).map(Peer::new).collect();
    let mut acknowledged = Vec::new();
    for peer in &mut peers {
        let lifetime = format!("lt={}", 60 + peer.message_id);
        let register = peer.register_message(&[&lifetime, "lwm2m=1.1", "b=U", "note=1&2"], LIST);
        world.datagram(peer.address, &register);
    }
    for sent in world.durable_through(25) {
        let peer = peers.iter_mut().find(|peer| peer.address == sent.to);
        let peer = peer.expect("a peer");
        peer.registered(&sent);
        acknowledged.push(peer.endpoint.clone());
    }
    assert_eq!(acknowledged.len(), 25);
    world.seconds(30);
    let mut after = restart(&world, 25);
    assert_eq!(after.stats().devices, 25);
    for peer in peers.iter_mut().filter(|peer| !peer.location.is_empty()) {
        let before = world.device(&peer.endpoint).expect("registered");
        let device = after.device(&peer.endpoint).expect("restored");
        assert_eq!(device.registration_id, before.registration_id);
        assert_eq!(device.objects, before.objects);
        assert_eq!(device.attributes, before.attributes);
        assert_eq!(device.registered_at, before.registered_at);
        // Its lifetime runs anew.
        let expires = ORIGIN + 1000.0 + f64::from(device.lifetime);
        assert_eq!(device.expires_at, Some(expires));
        // Its location still works, and so does a read.
        assert_eq!(peer.update(&mut after, &[]), Code::CHANGED);
    }
    let id = after.operate("dev-1", read(Path::resource(3, 0, 0)));
    let request = after.request();
    assert_eq!(request.to, peers[0].address);
    after.answer(&request, Code::CONTENT, &[TEXT], b"here");
    assert_eq!(values(after.outcome(id)).len(), 1);
    // What was not acknowledged has to register again.
    let id = after.operate("dev-40", read(Path::resource(3, 0, 0)));
    assert_eq!(after.outcome(id), Some(Err(OperateError::UnknownEndpoint)));
    let mut new = Peer::up_durable(50, &mut after);
    assert_eq!(new.update(&mut after, &[]), Code::CHANGED);
}

#[test]
fn wishes_and_values_survive_and_are_asked_for_again() {
    let mut world = World::durable();
    let path = Path::resource(3303, 0, 5700);
    let wish = world.add_wish("dev-1", path, Vec::new()).expect("room");
    let mut peer = Peer::new(1);
    let register = peer.register_message(&["lt=60", "lwm2m=1.1"], LIST);
    world.datagram(peer.address, &register);
    let sent = world.durable_through(9);
    assert_eq!(sent.len(), 2);
    let observe = (OptionNumber::OBSERVE, &[1][..]);
    world.answer(&sent[1], Code::CONTENT, &[observe, TEXT], b"20.5");
    assert_eq!(world.wishes("dev-1").expect("known")[0].records.len(), 1);

    let mut after = restart(&world, u64::MAX);
    let kept = after.wishes("dev-1").expect("known");
    assert_eq!((kept[0].id, kept[0].records.len()), (wish.id, 1));
    after.seconds(1);
    let request = after.request();
    assert_eq!(
        (request.path().as_str(), request.message().observe()),
        ("/3303/0/5700", Some(0))
    );
    // New wishes get numbers of their own.
    let other = after.add_wish("dev-1", path, Vec::new()).expect("room");
    assert!(other.id > wish.id);
}

/// The server comes back with another number of shards: location paths stay valid.
#[test]
fn a_restart_with_other_shards_keeps_location_paths() {
    let directory = Arc::new(Directory::new(3, 5));
    let shard = |index, shards, directory: &Arc<Directory>| {
        World::with(ShardConfig {
            index,
            shards,
            directory: directory.clone(),
            ..config()
        })
    };
    let mut before: Vec<World> = (0..3).map(|index| shard(index, 3, &directory)).collect();
    let mut peers = Vec::new();
    for (index, world) in before.iter_mut().enumerate() {
        for number in 0..5 {
            peers.push(Peer::up(index as u16 * 10 + number, world));
        }
    }
    let directory = Arc::new(Directory::new(2, 6));
    let mut after: Vec<World> = (0..2).map(|index| shard(index, 2, &directory)).collect();
    let stored: Vec<_> = before
        .iter()
        .flat_map(|world| &world.persisted)
        .filter_map(|(_, change)| match change {
            Persist::Registration(stored) => Some(stored.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(stored.len(), 15);
    for stored in &stored {
        let world = &mut after[usize::from(Shard::owner(stored, 2))];
        assert!(world.shard.restore(world.now, stored));
    }
    for peer in &mut peers {
        let update = peer.update_message(&["lt=77"]);
        // Whichever shard the datagram arrives at.
        after[0].input(dunlin_server::shard::Input::Datagram {
            socket: dunlin_server::Socket::Coap,
            from: peer.address,
            bytes: &update,
        });
        if let Some((to, from, bytes)) = after[0].handed_over.pop() {
            assert_eq!(to, 1);
            let answer = after[1].exchange(from, &bytes);
            assert_eq!(answer.message().code, Code::CHANGED);
        } else {
            assert_eq!(after[0].request().message().code, Code::CHANGED);
        }
        let home = directory.home(&peer.endpoint);
        let device = after[usize::from(home)]
            .device(&peer.endpoint)
            .expect("restored");
        assert_eq!(device.lifetime, 77);
        assert_eq!(device.registration_id.as_bytes(), peer.location[1]);
    }
    // And a second restart with the first number of shards still finds them.
    let latest: Vec<_> = after
        .iter()
        .flat_map(|world| &world.persisted)
        .filter_map(|(_, change)| match change {
            Persist::Registration(stored) => Some(stored),
            _ => None,
        })
        .collect();
    let directory = Arc::new(Directory::new(3, 8));
    let mut again: Vec<World> = (0..3).map(|index| shard(index, 3, &directory)).collect();
    for stored in latest {
        let world = &mut again[usize::from(Shard::owner(stored, 3))];
        assert!(world.shard.restore(world.now, stored));
    }
    for (number, peer) in peers.iter_mut().enumerate() {
        assert_eq!(peer.update(&mut again[number / 5], &[]), Code::CHANGED);
    }
}

/// After a restart nobody knows whether a device in queue mode is awake: it is asked when it
/// speaks. Observations of many devices are made again at a pace.
#[test]
fn after_a_restart_sleepers_are_left_alone_and_others_asked_at_a_pace() {
    let mut world = World::new();
    for number in 1..=9 {
        let mut peer = Peer::new(number);
        let mode = if number <= 3 { "Q" } else { "x" };
        peer.register(&mut world, &["lt=300", "lwm2m=1.1", mode], LIST);
        let path = Path::resource(3303, 0, 5700);
        world
            .add_wish(&peer.endpoint, path, Vec::new())
            .expect("room");
    }
    let mut after = World::with(ShardConfig {
        directory: Arc::new(Directory::new(1, 99)),
        limits: Limits {
            paced: 2,
            ..small()
        },
        ..config()
    });
    for (_, change) in &world.persisted {
        match change {
            Persist::Registration(stored) => assert!(after.shard.restore(after.now, stored)),
            Persist::Wish(stored) => assert!(after.shard.restore_wish(stored)),
            _ => {}
        }
    }
    assert_eq!(after.shard.next_timeout(), Some(Instant::ZERO), "at once");
    after.pass(Duration::ZERO);
    let mut asked = Vec::new();
    while !after.sent.is_empty() {
        assert!(after.counter("exchanges_open") <= 2);
        let request = after.sent.remove(0);
        asked.push(request.to.port());
        let observe = (OptionNumber::OBSERVE, &[1][..]);
        after.answer(&request, Code::CONTENT, &[observe, TEXT], b"20.5");
    }
    asked.sort_unstable();
    assert_eq!(asked, [50_004, 50_005, 50_006, 50_007, 50_008, 50_009]);
    let id = after.operate("dev-1", read(Path::resource(3, 0, 0)));
    assert!(after.sent.is_empty(), "it may sleep");
    after.seconds(31);
    assert_eq!(after.outcome(id), Some(Err(OperateError::Timeout)));
}

#[test]
fn a_store_that_is_behind_refuses_instead_of_piling_up() {
    let mut world = World::with(ShardConfig {
        durable: true,
        limits: Limits { held: 3, ..small() },
        ..config()
    });
    let mut known = Peer::up_durable(50, &mut world);
    let mut codes = Vec::new();
    for number in 1..=5 {
        let mut peer = Peer::new(number);
        let register = peer.register_message(&["lt=60", "lwm2m=1.1"], LIST);
        let sent = world.datagram(peer.address, &register);
        codes.push(sent.first().map(|sent| sent.message().code));
    }
    let refused = Some(Code::SERVICE_UNAVAILABLE);
    assert_eq!(codes, [None, None, None, refused, refused]);
    // What need not be kept goes on; what must be kept does not.
    assert_eq!(known.update(&mut world, &[]), Code::CHANGED);
    assert_eq!(
        known.update(&mut world, &["lt=9"]),
        Code::SERVICE_UNAVAILABLE
    );
    let deregister = known.at_location(Code::DELETE, &[], b"");
    let answer = world.exchange(known.address, &deregister);
    assert_eq!(answer.message().code, Code::SERVICE_UNAVAILABLE);
    assert_eq!(world.durable_through(9).len(), 3);
    assert!(
        world
            .datagram(known.address, &known.update_message(&["lt=9"]))
            .is_empty()
    );
}

#[test]
fn without_a_store_nothing_is_persisted_and_nothing_waits() {
    let mut world = World::with(ShardConfig {
        durable: true,
        stored: false,
        ..config()
    });
    let mut peer = Peer::new(1);
    let register = peer.register_message(&["lt=60", "lwm2m=1.1"], LIST);
    let sent = world.exchange(peer.address, &register);
    peer.registered(&sent);
    assert!(world.persisted.is_empty(), "{:?}", world.persisted);
}

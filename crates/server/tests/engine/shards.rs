//! Several shards: hand-over and take-over.

use std::sync::Arc;

use dunlin_coap::{Code, OptionNumber, Type};
use dunlin_lwm2m::Path;
use dunlin_server::api::OperateError;
use dunlin_server::directory::Directory;
use dunlin_server::shard::{Command, Input, Persist, ShardConfig};

use crate::world::{LIST, Peer, SENML_JSON, TEXT, World, build, config, read, values};

fn shards() -> (Arc<Directory>, Vec<World>) {
    let directory = Arc::new(Directory::new(3, 5));
    let worlds = (0..3).map(|index| {
        World::with(ShardConfig {
            index,
            shards: 3,
            directory: directory.clone(),
            ..config()
        })
    });
    let worlds = worlds.collect();
    (directory, worlds)
}

#[test]
fn a_datagram_goes_to_the_shard_its_location_names() {
    let (_, mut worlds) = shards();
    let mut peer = Peer::up(1, &mut worlds[2]);
    let update = peer.update_message(&["lt=77"]);
    for other in [0, 1] {
        assert!(worlds[other].datagram(peer.address, &update).is_empty());
        // Each repetition is handed over: the reply may have been lost.
        assert!(worlds[other].datagram(peer.address, &update).is_empty());
        let handed_over: Vec<_> = worlds[other].handed_over.drain(..).collect();
        assert_eq!(handed_over.len(), 2);
        assert_eq!(handed_over[0], (2, peer.address, update.clone()));
        assert_eq!(worlds[other].counter("handovers_total"), 2);
    }
    let answer = worlds[2].exchange(peer.address, &update);
    assert_eq!(answer.message().code, Code::CHANGED);
    assert!(worlds[2].handed_over.is_empty());
    // A location of no shard stays where it is.
    peer.location[1] = b"zzzzzzzzzzzzzzzz".to_vec();
    let update = peer.update_message(&[]);
    let mut answers = 0;
    for world in &mut worlds {
        answers += world.datagram(peer.address, &update).len();
    }
    assert_eq!(
        answers, 1,
        "one shard answers 4.04, the others hand over to it"
    );
}

/// A Send names no shard: it goes round until one has its address.
#[test]
fn a_send_finds_the_shard_of_its_address() {
    let (_, mut worlds) = shards();
    let mut peer = Peer::up(1, &mut worlds[0]);
    let own = peer.address;
    let mut ask = |worlds: &mut Vec<World>, from| {
        let id = peer.next_id();
        let dp = (OptionNumber::URI_PATH, &b"dp"[..]);
        let bytes = build(
            Type::Confirmable,
            Code::POST,
            id,
            b"s",
            &[dp, SENML_JSON],
            b"[]",
        );
        let (mut at, mut hops) = (1_usize, 0);
        loop {
            let input = Input::HandedOver {
                socket: dunlin_server::Socket::Coap,
                from,
                bytes: &bytes,
                hops,
            };
            let before = worlds[at].sent.len();
            worlds[at].input(input);
            let sent: Vec<_> = worlds[at].sent.drain(before..).collect();
            if let Some(answer) = sent.first() {
                return (at, answer.message().code);
            }
            let (next, ..) = worlds[at].handed_over.pop().expect("handed over");
            (at, hops) = (usize::from(next), hops + 1);
        }
    };
    assert_eq!(ask(&mut worlds, own), (0, Code::CHANGED));
    let stranger = "198.51.100.9:9".parse().expect("address");
    assert_eq!(ask(&mut worlds, stranger), (0, Code::NOT_FOUND));
}

#[test]
fn an_answer_goes_to_the_shard_its_token_names() {
    let (_, mut worlds) = shards();
    let peer = Peer::up(1, &mut worlds[1]);
    let id = worlds[1].operate("dev-1", read(Path::resource(3, 0, 0)));
    let request = worlds[1].request();
    let message = request.message();
    let answer = build(
        Type::Acknowledgement,
        Code::CONTENT,
        message.message_id,
        message.token,
        &[TEXT],
        b"v",
    );
    assert!(worlds[0].datagram(peer.address, &answer).is_empty());
    let (to, from, bytes) = worlds[0].handed_over.remove(0);
    assert_eq!(to, 1);
    worlds[1].datagram(from, &bytes);
    assert_eq!(values(worlds[1].outcome(id)).len(), 1);
    // A token that names no shard is nobody's: reset here.
    let strange = build(
        Type::Confirmable,
        Code::CONTENT,
        9,
        &[0xFF; 8],
        &[TEXT],
        b"v",
    );
    let reset = worlds[0].exchange(peer.address, &strange);
    assert_eq!(reset.message().ty, Type::Reset);
}

#[test]
fn an_endpoint_taken_over_is_evicted_where_it_was() {
    let (directory, mut worlds) = shards();
    let path = Path::resource(3303, 0, 5700);
    let mut peer = Peer::up(1, &mut worlds[0]);
    worlds[0].sent.clear();
    let id = worlds[0].operate("dev-1", read(path));
    worlds[0].add_wish("dev-1", path, Vec::new()).expect("room");
    let old = peer.location.clone();
    peer.register(&mut worlds[1], &["lt=60", "lwm2m=1.1"], LIST);
    assert_eq!(directory.home("dev-1"), 1);
    let (shard, endpoint, epoch) = worlds[1].evicted.remove(0);
    assert_eq!((shard, endpoint.as_str()), (0, "dev-1"));
    // The wish is known to the new shard, too.
    assert_eq!(worlds[1].wishes("dev-1").expect("known").len(), 1);
    worlds[0].events.clear();
    worlds[0].persisted.clear();
    worlds[0].input(Input::Command(Command::Evict { endpoint, epoch }));
    assert_eq!(
        worlds[0].outcome(id),
        Some(Err(OperateError::RegistrationEnded))
    );
    // The device is not gone: neither an event nor a removal from the store.
    assert!(worlds[0].events.is_empty() && worlds[0].persisted.is_empty());
    assert_eq!(worlds[0].stats().devices, 0);
    let new = core::mem::replace(&mut peer.location, old);
    assert_eq!(peer.update(&mut worlds[0], &[]), Code::NOT_FOUND);
    peer.location = new;
    assert_eq!(peer.update(&mut worlds[1], &[]), Code::CHANGED);
}

/// The device comes back before the old eviction arrives.
#[test]
fn an_eviction_that_comes_late_does_not_hit_the_newer_registration() {
    let (directory, mut worlds) = shards();
    let mut peer = Peer::up(1, &mut worlds[0]);
    peer.register(&mut worlds[1], &["lt=60", "lwm2m=1.1"], LIST);
    let (_, endpoint, epoch) = worlds[1].evicted.remove(0);
    peer.register(&mut worlds[0], &["lt=60", "lwm2m=1.1"], LIST);
    worlds[0].input(Input::Command(Command::Evict { endpoint, epoch }));
    assert_eq!(worlds[0].stats().devices, 1);
    let (shard, endpoint, epoch) = worlds[0].evicted.remove(0);
    assert_eq!(shard, 1);
    worlds[1].input(Input::Command(Command::Evict { endpoint, epoch }));
    assert_eq!(worlds[1].stats().devices, 0);
    assert_eq!(directory.home("dev-1"), 0);
    assert_eq!(peer.update(&mut worlds[0], &[]), Code::CHANGED);
}

/// The lifetime of the old registration runs out before the eviction arrives: the newer one in
/// the store must stay.
#[test]
fn a_shard_that_lost_an_endpoint_removes_nothing_from_the_store() {
    let (directory, mut worlds) = shards();
    let mut peer = Peer::new(1);
    peer.register(&mut worlds[0], &["lt=10", "lwm2m=1.1"], LIST);
    peer.register(&mut worlds[1], &["lt=60", "lwm2m=1.1"], LIST);
    worlds[0].events.clear();
    worlds[0].seconds(11);
    let removals = |world: &World| {
        let removal =
            |(_, change): &&(u64, Persist)| matches!(change, Persist::RemoveRegistration { .. });
        world.persisted.iter().filter(removal).count()
    };
    assert_eq!(removals(&worlds[0]), 0);
    assert!(worlds[0].events.is_empty());
    assert_eq!(directory.home("dev-1"), 1);
    worlds[1].seconds(61);
    assert_eq!(removals(&worlds[1]), 1);
}

#[test]
fn a_queue_follows_its_device_to_another_shard() {
    let (_, mut worlds) = shards();
    let mut peer = Peer::up(1, &mut worlds[0]);
    let path = Path::resource(3, 0, 0);
    let first = worlds[0].must_enqueue("dev-1", read(path));
    let second = worlds[0].must_enqueue("dev-1", read(path));
    let old = worlds[0].request();
    // The device comes to another shard, which sends the first one again at once.
    let register = peer.register_message(&["lt=300", "lwm2m=1.1", "b=U"], LIST);
    let sent = worlds[2].datagram(peer.address, &register);
    assert_eq!(sent[1].path(), "/3/0/0");
    // The answer to the older request comes to nothing, and so does the end of its registration.
    worlds[0].answer(&old, Code::CONTENT, &[TEXT], b"old");
    let (_, endpoint, epoch) = worlds[2].evicted.remove(0);
    worlds[0].input(Input::Command(Command::Evict { endpoint, epoch }));
    assert!(worlds[0].ended.is_empty());
    worlds[2].answer(&sent[1], Code::CONTENT, &[TEXT], b"new");
    let request = worlds[2].request();
    worlds[2].answer(&request, Code::CONTENT, &[TEXT], b"new");
    assert_eq!(worlds[2].ended, [first, second]);
    // Queued where the device is not, because it moved just then.
    let third = worlds[1].must_enqueue("dev-1", read(path));
    let endpoint = "dev-1".to_owned();
    worlds[2].input(Input::Command(Command::Look { endpoint }));
    let request = worlds[2].request();
    worlds[2].answer(&request, Code::CONTENT, &[TEXT], b"new");
    assert_eq!(worlds[2].ended, [first, second, third]);
}

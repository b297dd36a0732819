//! Queue mode: operations wait in order, are kept when no answer comes, and end once.

use core::time::Duration;

use dunlin_coap::{Code, OptionNumber, Type};
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_lwm2m::{OwnedRecord, OwnedValue, Path};
use dunlin_server::api::{
    DeviceOperation, NotCancelled, OperateError, OperationState, QueueOptions,
};
use dunlin_server::shard::{Input, Limits, Persist, QueueLimits, Reply, ShardConfig};

use crate::durable::restart;
use crate::world::{LIST, Peer, SENML_JSON, Sent, TEXT, World, build, config, read, small};

type Uplink<'a> = &'a dyn Fn(&mut Peer) -> Vec<u8>;

const NAME: Path = Path::resource(3, 0, 0);
const LIFETIME: Path = Path::resource(1, 0, 1);
const REBOOT: Path = Path::resource(3, 0, 4);

fn write(value: i64) -> DeviceOperation {
    Operation::Write {
        path: LIFETIME,
        mode: WriteMode::Replace,
        body: vec![OwnedRecord::new(LIFETIME, OwnedValue::Integer(value))],
    }
}

fn reboot() -> DeviceOperation {
    Operation::Execute {
        path: REBOOT,
        arguments: String::new(),
    }
}

fn sleeper(world: &mut World) -> Peer {
    let mut peer = Peer::new(1);
    peer.register(world, &["lt=86400", "lwm2m=1.1", "b=U", "Q"], LIST);
    world.sent.clear();
    peer
}

/// A device that has been asleep for an hour.
fn asleep(world: &mut World) -> Peer {
    let peer = sleeper(world);
    world.seconds(3600);
    peer
}

/// The device sends an Update; what the server sends it besides the answer.
fn wake(peer: &mut Peer, world: &mut World) -> Vec<Sent> {
    let update = peer.update_message(&[]);
    let mut sent = world.datagram(peer.address, &update);
    assert_eq!(sent.remove(0).message().code, Code::CHANGED);
    sent
}

fn done(state: &OperationState) -> bool {
    matches!(state, OperationState::Done(_))
}

#[test]
fn operations_go_out_one_by_one_after_an_update() {
    let mut world = World::new();
    let mut peer = asleep(&mut world);
    let first = world.must_enqueue("dev-1", read(NAME));
    let second = world.must_enqueue("dev-1", write(60));
    let urgent = QueueOptions {
        priority: 9,
        ..QueueOptions::default()
    };
    let id = world.enqueue_with("dev-1", reboot(), urgent);
    let (third, awake) = world.queued(id).expect("at once").expect("taken");
    assert!(!awake);
    assert!(world.sent.is_empty(), "it sleeps");
    assert_eq!(world.device("dev-1").expect("registered").queued, 3);

    let mut sent = wake(&mut peer, &mut world);
    for (path, code, options, payload) in [
        ("/3/0/4", Code::CHANGED, &[][..], &b""[..]),
        ("/3/0/0", Code::CONTENT, &[TEXT][..], b"Dunlin"),
        ("/1/0/1", Code::CHANGED, &[], b""),
    ] {
        assert_eq!(sent.len(), 1, "one at a time: {sent:?}");
        assert_eq!(sent[0].path(), path);
        world.answer(&sent[0], code, options, payload);
        sent = world.sent.drain(..).collect();
    }
    assert!(sent.is_empty());
    for id in [first, second, third.id] {
        assert!(done(&world.state(id)), "{id}");
        assert!(world.ended.contains(&id));
    }
    assert_eq!(world.device("dev-1").expect("registered").queued, 0);
}

#[test]
fn every_uplink_shows_that_the_device_is_awake() {
    let mut world = World::new();
    let mut peer = sleeper(&mut world);
    world
        .add_wish("dev-1", Path::resource(3303, 0, 5700), Vec::new())
        .expect("taken");
    let observe = world.request();
    let token = observe.message().token.to_vec();
    world.answer(
        &observe,
        Code::CONTENT,
        &[(OptionNumber::OBSERVE, &[1]), TEXT],
        b"1.5",
    );
    let send = |peer: &mut Peer| {
        let path = [(OptionNumber::URI_PATH, &b"dp"[..]), SENML_JSON];
        let message_id = peer.next_id();
        build(
            Type::Confirmable,
            Code::POST,
            message_id,
            b"se",
            &path,
            b"[]",
        )
    };
    let notify = |peer: &mut Peer| peer.notification(Type::NonConfirmable, &token, 2, b"2.5");
    let update = |peer: &mut Peer| peer.update_message(&[]);
    let register =
        |peer: &mut Peer| peer.register_message(&["lt=86400", "lwm2m=1.1", "b=U", "Q"], LIST);
    let uplinks: [Uplink<'_>; 4] = [&notify, &send, &update, &register];
    for uplink in uplinks {
        world.seconds(3600);
        assert!(!world.device("dev-1").expect("registered").awake);
        world.must_enqueue("dev-1", read(NAME));
        assert!(world.sent.is_empty());
        let uplink = uplink(&mut peer);
        let sent = world.datagram(peer.address, &uplink);
        assert!(world.device("dev-1").expect("registered").awake);
        let read = sent.iter().find(|sent| sent.path() == "/3/0/0");
        let read = read.expect("the operation is sent");
        world.answer(read, Code::CONTENT, &[TEXT], b"x");
        world.sent.clear();
    }
}

#[test]
fn the_queue_flag_of_every_version_counts() {
    for (queries, queue_mode) in [
        (&["lt=86400", "lwm2m=1.0", "b=UQ"][..], true),
        (&["lt=86400", "lwm2m=1.0", "b=U"], false),
        (&["lt=86400", "lwm2m=1.1", "b=U", "Q"], true),
        (&["lt=86400", "lwm2m=1.2", "b=U", "Q"], true),
        (&["lt=86400", "lwm2m=1.2", "b=U"], false),
    ] {
        let mut world = World::new();
        let mut peer = Peer::new(1);
        peer.register(&mut world, queries, LIST);
        world.sent.clear();
        world.seconds(3600);
        let device = world.device("dev-1").expect("registered");
        assert_eq!((device.queue_mode, device.awake), (queue_mode, !queue_mode));
        world.must_enqueue("dev-1", read(NAME));
        assert_eq!(world.sent.is_empty(), queue_mode, "{queries:?}");
    }
}

#[test]
fn an_operation_without_answer_is_kept_and_sent_again() {
    let mut world = World::new();
    let mut peer = asleep(&mut world);
    let id = world.must_enqueue("dev-1", read(NAME));
    assert_eq!(wake(&mut peer, &mut world).len(), 1);
    assert_eq!(world.state(id), OperationState::Sent);
    // Five transmissions, and then it is regarded as asleep again.
    world.seconds(100);
    assert_eq!(world.sent.len(), 4);
    assert_eq!(world.state(id), OperationState::Queued);
    assert!(!world.device("dev-1").expect("registered").awake);
    world.sent.clear();
    world.must_enqueue("dev-1", write(60));
    assert!(world.sent.is_empty());
    let sent = wake(&mut peer, &mut world);
    assert_eq!(sent[0].path(), "/3/0/0", "the first stays the first");
    world.answer(&sent[0], Code::CONTENT, &[TEXT], b"x");
    assert!(done(&world.state(id)));
    assert_eq!(world.counter("operations_sent_again_total"), 1);
}

#[test]
fn what_is_never_answered_fails_in_the_end_and_lets_others_by() {
    let mut world = World::new();
    let mut peer = asleep(&mut world);
    let id = world.must_enqueue("dev-1", read(NAME));
    let other = world.must_enqueue("dev-1", write(60));
    for attempt in 1..=5 {
        assert_eq!(world.state(id), OperationState::Queued, "{attempt}");
        assert_eq!(wake(&mut peer, &mut world)[0].path(), "/3/0/0");
        world.seconds(3600);
    }
    let failed = OperationState::Failed(OperateError::Timeout);
    assert_eq!(world.state(id), failed);
    assert_eq!(world.state(other), OperationState::Queued);
    assert_eq!(wake(&mut peer, &mut world)[0].path(), "/1/0/1");
}

#[test]
fn an_execute_without_answer_is_not_sent_again() {
    let mut world = World::new();
    let mut peer = asleep(&mut world);
    let id = world.must_enqueue("dev-1", reboot());
    assert_eq!(wake(&mut peer, &mut world).len(), 1);
    world.seconds(100);
    let unknown = OperationState::Failed(OperateError::Unknown);
    assert_eq!(world.state(id), unknown);
    assert!(wake(&mut peer, &mut world).is_empty());
    // The same when the device registers instead of answering.
    world.seconds(3600);
    let id = world.must_enqueue("dev-1", reboot());
    let kept = world.must_enqueue("dev-1", read(NAME));
    assert_eq!(wake(&mut peer, &mut world)[0].path(), "/3/0/4");
    let register = peer.register_message(&["lt=86400", "lwm2m=1.1", "b=U", "Q"], LIST);
    let sent = world.datagram(peer.address, &register);
    assert_eq!(world.state(id), unknown);
    assert_eq!(sent[1].path(), "/3/0/0");
    assert_eq!(world.state(kept), OperationState::Sent);
}

#[test]
fn a_refusal_is_a_result() {
    let mut world = World::new();
    let mut peer = asleep(&mut world);
    let id = world.must_enqueue("dev-1", read(NAME));
    let sent = wake(&mut peer, &mut world);
    world.answer(&sent[0], Code::NOT_FOUND, &[], b"gone");
    let error = OperateError::Device {
        code: Code::NOT_FOUND,
        diagnostic: "gone".to_owned(),
    };
    assert_eq!(world.state(id), OperationState::Failed(error));
}

#[test]
fn an_operation_expires_also_while_the_device_is_away() {
    let mut world = World::new();
    let mut peer = asleep(&mut world);
    let short = QueueOptions {
        ttl: Duration::from_secs(600),
        ..QueueOptions::default()
    };
    let id = world.enqueue_with("dev-1", read(NAME), short);
    let id = world.queued(id).expect("at once").expect("taken").0.id;
    let away = world.enqueue_with("dev-9", read(NAME), short);
    let away = world.queued(away).expect("at once").expect("taken").0.id;
    world.seconds(599);
    assert_eq!(world.state(id), OperationState::Queued);
    world.seconds(1);
    assert_eq!(world.state(id), OperationState::Expired);
    assert_eq!(world.state(away), OperationState::Expired);
    assert!(wake(&mut peer, &mut world).is_empty());
    // One that is on its way is given its time.
    let id = world.enqueue_with(
        "dev-1",
        read(NAME),
        QueueOptions {
            ttl: Duration::from_secs(3),
            ..QueueOptions::default()
        },
    );
    let id = world.queued(id).expect("at once").expect("taken").0.id;
    let request = world.request();
    world.seconds(10);
    assert_eq!(world.state(id), OperationState::Sent);
    world.answer(&request, Code::CONTENT, &[TEXT], b"late");
    assert!(done(&world.state(id)));
}

#[test]
fn only_what_has_not_been_sent_can_be_cancelled() {
    let mut world = World::new();
    let mut peer = asleep(&mut world);
    let first = world.must_enqueue("dev-1", read(NAME));
    let second = world.must_enqueue("dev-1", write(60));
    let cancelled = world.cancel("dev-1", second).expect("it waits");
    assert_eq!(cancelled.state, OperationState::Cancelled);
    let sent = wake(&mut peer, &mut world);
    assert_eq!(sent.len(), 1);
    assert_eq!(world.cancel("dev-1", first), Err(NotCancelled::Sent));
    world.answer(&sent[0], Code::CONTENT, &[TEXT], b"x");
    assert_eq!(world.cancel("dev-1", first), Err(NotCancelled::Ended));
    assert_eq!(world.cancel("dev-1", 999), Err(NotCancelled::Unknown));
    assert!(world.sent.is_empty(), "the cancelled one is not sent");
}

#[test]
fn operations_wait_for_a_device_that_is_away() {
    let mut world = World::new();
    let id = world.must_enqueue("dev-1", read(NAME));
    let mut peer = Peer::new(1);
    let register = peer.register_message(&["lt=300", "lwm2m=1.1", "b=U"], LIST);
    let sent = world.datagram(peer.address, &register);
    peer.registered(&sent[0]);
    world.answer(&sent[1], Code::CONTENT, &[TEXT], b"here");
    assert!(done(&world.state(id)));
    // A device that de-registers keeps its queue.
    let bye = peer.at_location(Code::DELETE, &[], b"");
    let id = world.must_enqueue("dev-1", write(9));
    world.datagram(peer.address, &bye);
    assert_eq!(world.state(id), OperationState::Queued);
    let register = peer.register_message(&["lt=300", "lwm2m=1.1", "b=U"], LIST);
    let sent = world.datagram(peer.address, &register);
    assert_eq!(sent[1].path(), "/1/0/1");
}

#[test]
fn a_device_without_queue_mode_that_does_not_answer_is_left_alone_until_it_speaks() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    let id = world.must_enqueue("dev-1", read(NAME));
    world.seconds(200);
    assert_eq!(world.sent.drain(..).count(), 5);
    assert_eq!(world.state(id), OperationState::Queued);
    assert_eq!(wake(&mut peer, &mut world)[0].path(), "/3/0/0");
}

#[test]
fn a_request_is_queued_only_for_a_device_in_queue_mode() {
    let mut world = World::new();
    Peer::up(2, &mut world);
    let id = world.request_of("dev-2", read(NAME));
    let request = world.request();
    world.answer(&request, Code::CONTENT, &[TEXT], b"x");
    assert!(world.outcome(id).expect("an outcome").is_ok());
    sleeper(&mut world);
    let id = world.request_of("dev-1", read(NAME));
    let (operation, awake) = world.queued(id).expect("at once").expect("taken");
    assert!(awake, "it has just registered");
    let request = world.request();
    world.answer(&request, Code::CONTENT, &[TEXT], b"x");
    assert!(done(&world.state(operation.id)));
    let id = world.request_of("dev-9", read(NAME));
    assert_eq!(world.outcome(id), Some(Err(OperateError::UnknownEndpoint)));
}

#[test]
fn what_cannot_be_sent_is_refused_at_once_or_fails_when_it_is_its_turn() {
    let mut world = World::new();
    let observe = Operation::Observe {
        path: NAME,
        accept: None,
        parameters: dunlin_lwm2m::Attributes::NONE,
    };
    let id = world.enqueue("dev-1", observe);
    assert!(matches!(
        world.queued(id),
        Some(Err(OperateError::Invalid(_)))
    ));
    // Nobody knows yet that the device will speak 1.0.
    let instance = Path::resource_instance(3, 0, 7, 1);
    let early = world.must_enqueue("dev-1", read(instance));
    let next = world.must_enqueue("dev-1", read(NAME));
    let mut peer = Peer::new(1);
    peer.register(&mut world, &["lt=300", "lwm2m=1.0", "b=U"], LIST);
    assert!(matches!(
        world.state(early),
        OperationState::Failed(OperateError::Invalid(_))
    ));
    assert_eq!(world.state(next), OperationState::Sent);
    let id = world.enqueue("dev-1", read(instance));
    assert!(matches!(
        world.queued(id),
        Some(Err(OperateError::Invalid(_)))
    ));
}

#[test]
fn full_queues_refuse() {
    let limits = Limits {
        queue: QueueLimits {
            operations_per_device: 2,
            operations: 3,
            ..QueueLimits::default()
        },
        ..small()
    };
    let mut world = World::with(ShardConfig { limits, ..config() });
    world.must_enqueue("dev-1", read(NAME));
    world.must_enqueue("dev-1", read(NAME));
    let id = world.enqueue("dev-1", read(NAME));
    assert_eq!(world.queued(id), Some(Err(OperateError::QueueFull)));
    world.must_enqueue("dev-2", read(NAME));
    let id = world.enqueue("dev-3", read(NAME));
    assert_eq!(world.queued(id), Some(Err(OperateError::Overloaded)));
}

#[test]
fn the_awake_time_is_what_an_operator_says() {
    let mut world = World::new();
    let peer = &mut sleeper(&mut world);
    world.set_awake_time("dev-1", Some(20));
    let device = world.device("dev-1").expect("registered");
    assert_eq!((device.awake, device.awake_time), (true, 20));
    let until = device.awake_until.expect("it is awake");
    world.seconds(21);
    let device = world.device("dev-1").expect("registered");
    assert_eq!((device.awake, device.awake_until), (false, None));
    assert!((until - device.updated_at - 20.0).abs() < 0.2);
    world.must_enqueue("dev-1", read(NAME));
    assert!(world.sent.is_empty());
    // It is awake for longer than was said: what waits goes out at once.
    world.set_awake_time("dev-1", Some(600));
    assert_eq!(world.request().path(), "/3/0/0");
    world.set_awake_time("dev-1", None);
    assert_eq!(world.device("dev-1").expect("registered").awake_time, 93);
    assert_eq!(wake(peer, &mut world).len(), 0);
}

#[test]
fn the_awake_time_is_learned_from_silence_and_from_late_answers() {
    let mut world = World::new();
    let mut peer = sleeper(&mut world);
    world.seconds(60);
    world.must_enqueue("dev-1", read(NAME));
    world.seconds(100);
    let learned = |world: &mut World| world.device("dev-1").expect("registered").awake_time;
    assert_eq!(learned(&mut world), 45);
    world.sent.clear();
    let sent = wake(&mut peer, &mut world);
    world.answer(&sent[0], Code::CONTENT, &[TEXT], b"x");
    // It answers late in that time: it may be awake for longer.
    world.seconds(40);
    world.must_enqueue("dev-1", read(NAME));
    let request = world.request();
    world.answer(&request, Code::CONTENT, &[TEXT], b"x");
    assert_eq!(learned(&mut world), 56);
    assert!(world.persisted.iter().any(
        |(_, change)| matches!(change, Persist::AwakeTime(awake) if awake.learned == Some(56))
    ));
    // Silence right after a message is not sleep.
    world.must_enqueue("dev-1", read(NAME));
    world.seconds(100);
    assert_eq!(learned(&mut world), 56);
}

#[test]
fn nothing_is_acknowledged_before_it_is_on_disk() {
    let mut world = World::durable();
    let mut peer = Peer::up_durable(1, &mut world);
    let through = |world: &World| world.persisted.last().expect("persisted").0;
    let id = world.enqueue("dev-1", write(60));
    assert!(world.queued(id).is_none(), "not on disk");
    // It may be repeated, so it need not wait.
    let request = world.request();
    let on_disk = through(&world);
    world.durable_through(on_disk);
    let (operation, _) = world.queued(id).expect("on disk").expect("taken");
    world.answer(&request, Code::CHANGED, &[], b"");
    assert!(world.ended.is_empty(), "its result is not on disk");
    assert_eq!(world.state(operation.id), OperationState::Sent);
    let on_disk = through(&world);
    world.durable_through(on_disk);
    assert_eq!(world.ended, [operation.id]);
    assert!(done(&world.state(operation.id)));
    // An Execute is on disk as sent before it is sent.
    let id = world.enqueue("dev-1", reboot());
    assert!(world.sent.is_empty());
    let on_disk = through(&world);
    let sent = world.durable_through(on_disk);
    assert_eq!(sent[0].path(), "/3/0/4");
    assert!(world.queued(id).is_some());
    world.answer(&sent[0], Code::CHANGED, &[], b"");
    assert!(wake(&mut peer, &mut world).is_empty());
}

#[test]
fn a_crash_keeps_the_queue_and_the_results() {
    let mut world = World::durable();
    let mut peer = Peer::new(1);
    let register = peer.register_message(&["lt=86400", "lwm2m=1.1", "b=U", "Q"], LIST);
    world.datagram(peer.address, &register);
    let sent = world.durable_through(1);
    peer.registered(&sent[0]);
    world.seconds(3600);
    let mut ids = Vec::new();
    for operation in [read(NAME), write(60), reboot(), read(LIFETIME)] {
        let id = world.enqueue("dev-1", operation);
        let on_disk = world.persisted.last().expect("persisted").0;
        world.durable_through(on_disk);
        ids.push(world.queued(id).expect("on disk").expect("taken").0.id);
    }
    // One is carried out, the second is on its way when the server dies.
    let sent = wake(&mut peer, &mut world);
    world.answer(&sent[0], Code::CONTENT, &[TEXT], b"Dunlin");
    assert_eq!(world.request().path(), "/1/0/1");
    let on_disk = world.persisted.last().expect("persisted").0;
    let mut after = restart(&world, on_disk);
    assert_eq!(after.device("dev-1").expect("registered").queued, 3);
    assert!(after.sent.is_empty(), "it may sleep");
    let sent = wake(&mut peer, &mut after);
    assert_eq!(sent[0].path(), "/1/0/1", "it may be repeated, and is");
    after.answer(&sent[0], Code::CHANGED, &[], b"");
    // The Execute is on its way when the server dies again.
    let on_disk = after.persisted.last().expect("persisted").0;
    let sent = after.durable_through(on_disk);
    assert_eq!(sent[0].path(), "/3/0/4");
    let mut all = world.persisted;
    let first = all.len() as u64;
    all.extend(
        after
            .persisted
            .drain(..)
            .map(|(sequence, change)| (sequence + first, change)),
    );
    after.persisted = all;
    let mut last = restart(&after, u64::MAX);
    let unknown = OperationState::Failed(OperateError::Unknown);
    let sent = wake(&mut peer, &mut last);
    assert_eq!(sent[0].path(), "/1/0/1");
    last.answer(&sent[0], Code::CONTENT, &[TEXT], b"86400");
    let on_disk = last.persisted.last().expect("persisted").0;
    last.durable_through(on_disk);
    assert_eq!(last.state(ids[2]), unknown);
    assert!(done(&last.state(ids[3])));
}

#[test]
fn an_execute_that_was_not_sent_when_the_registration_ended_is_kept() {
    let mut world = World::durable();
    let mut peer = Peer::up_durable(1, &mut world);
    let id = world.enqueue("dev-1", reboot());
    assert!(world.sent.is_empty(), "it waits for the disk");
    let register = peer.register_message(&["lt=300", "lwm2m=1.1", "b=U"], LIST);
    world.datagram(peer.address, &register);
    let on_disk = world.persisted.last().expect("persisted").0;
    let sent = world.durable_through(on_disk);
    let operation = world.queued(id).expect("on disk").expect("taken").0;
    assert_eq!(sent.len(), 1, "the 2.01");
    let on_disk = world.persisted.last().expect("persisted").0;
    let sent = world.durable_through(on_disk);
    assert_eq!(sent[0].path(), "/3/0/4");
    world.answer(&sent[0], Code::CHANGED, &[], b"");
    let on_disk = world.persisted.last().expect("persisted").0;
    world.durable_through(on_disk);
    assert!(done(&world.state(operation.id)));
}

#[test]
fn a_store_that_is_behind_takes_no_more() {
    let limits = Limits { held: 2, ..small() };
    let mut world = World::with(ShardConfig {
        durable: true,
        limits,
        ..config()
    });
    for _ in 0..2 {
        world.enqueue("dev-1", read(NAME));
    }
    let id = world.enqueue("dev-1", read(NAME));
    assert_eq!(world.queued(id), Some(Err(OperateError::Overloaded)));
    world.input(Input::Durable { through: 9 });
    let taken = |(_, reply): &(u64, Reply)| matches!(reply, Reply::Queued(Ok(_)));
    assert_eq!(world.replies.iter().filter(|reply| taken(reply)).count(), 2);
}

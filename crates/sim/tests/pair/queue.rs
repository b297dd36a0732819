//! Queue mode: fifty mixed operations to one device that is awake for twenty seconds at a time
//! drain in order over as many wakes as needed, also over a bad network and crashes of the server.
//! None is lost, and none that must not be is done twice.

use std::time::Duration;

use dunlin_client::Version;
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_lwm2m::{OwnedRecord, OwnedValue, Path};
use dunlin_server::api::{
    DeviceOperation, EventKind, OperateError, OperationState, QueuedOperation,
};
use dunlin_sim::netem::Impairment;

use crate::device::BENCH_ID;
use crate::harness::{GOOD, Pair, TEMPERATURE, bad};

const WINDOW: Duration = Duration::from_secs(20);
const SLEEP: Duration = Duration::from_secs(600);
const NUMBER: Path = Path::resource(BENCH_ID, 0, 1);
const BUTTON: Path = Path::resource(BENCH_ID, 0, 4);

/// About fourteen exchanges to a window.
const SLOW: Impairment = Impairment {
    delay: Duration::from_millis(700),
    ..GOOD
};

/// The operation of this place among fifty.
fn operation(place: i64) -> DeviceOperation {
    match place % 5 {
        0 => Operation::Read {
            path: TEMPERATURE,
            accept: None,
        },
        1 => Operation::Write {
            path: NUMBER,
            mode: WriteMode::Replace,
            body: vec![OwnedRecord::new(NUMBER, OwnedValue::Integer(place))],
        },
        2 => Operation::Execute {
            path: BUTTON,
            arguments: String::new(),
        },
        3 => Operation::Discover {
            path: Path::instance(BENCH_ID, 0),
            depth: None,
        },
        _ => Operation::WriteAttributes {
            path: TEMPERATURE,
            attributes: vec![("pmin".to_owned(), Some(place as f64))],
        },
    }
}

/// A device in queue mode that has just fallen asleep.
fn sleeper(pair: &mut Pair, version: Version) -> usize {
    let index = pair.add_silent_device(version);
    let device = &mut pair.devices[index];
    device.config.queue_mode = true;
    device.config.awake_time = Some(WINDOW);
    device.lifetime = 86_400;
    pair.restart_device(index);
    pair.until(Duration::from_secs(2000), |pair| pair.is_registered(index));
    assert!(pair.lookup(index).expect("registered").queue_mode);
    pair.pass(WINDOW);
    pair.devices[index].deaf = true;
    pair.pass(SLEEP);
    index
}

/// From now on the device listens for twenty seconds after its last message, as its engine says.
fn dozes(pair: &mut Pair, index: usize) {
    pair.devices[index].dozes = true;
}

/// The device wakes up, sends an Update, and falls asleep again before this returns.
fn doze(pair: &mut Pair, index: usize, crash: bool) {
    let now = pair.now;
    pair.touch(index, |device| device.engine.update(now));
    let before = pair.rng.duration(WINDOW);
    pair.pass(before);
    if crash && pair.is_up() {
        pair.crash_server();
    }
    pair.pass(SLEEP);
}

/// The device wakes up, sends an Update, listens for its window and sleeps again.
fn wake(pair: &mut Pair, index: usize) {
    let now = pair.now;
    pair.devices[index].deaf = false;
    pair.touch(index, |device| device.engine.update(now));
    pair.pass(WINDOW);
    pair.devices[index].deaf = true;
    pair.pass(SLEEP);
}

/// Queues fifty; the numbers of those that were acknowledged.
fn queue_fifty(pair: &mut Pair, index: usize) -> Vec<u64> {
    let ids: Vec<u64> = (0..50)
        .filter_map(|place| pair.enqueue(index, operation(place)))
        .collect();
    assert!(ids.is_sorted());
    ids
}

/// What is on disk about these.
fn stored<'p>(pair: &'p Pair, ids: &[u64]) -> Vec<&'p QueuedOperation> {
    let found = ids.iter().map(|id| pair.store.operations.get(id));
    found
        .map(|found| found.expect("what was acknowledged is on disk"))
        .collect()
}

fn have_ended(pair: &Pair, ids: &[u64]) -> bool {
    stored(pair, ids)
        .iter()
        .all(|operation| operation.has_ended())
}

/// Each operation ended as it may, and what was done at the device agrees with it.
fn check(pair: &Pair, index: usize, ids: &[u64]) {
    let (mut done, mut unknown) = (0, 0);
    for operation in stored(pair, ids) {
        let executes = matches!(operation.operation, Operation::Execute { .. });
        match &operation.state {
            OperationState::Done(_) => done += i64::from(executes),
            OperationState::Failed(OperateError::Unknown) if executes => unknown += 1,
            other => panic!("{}: {other:?}", operation.id),
        }
    }
    let executed = pair.devices[index].bench().executed;
    assert!(
        (done..=done + unknown).contains(&executed),
        "{done} done and {unknown} unknown, but {executed} executed"
    );
    // The last Write of all.
    assert_eq!(pair.devices[index].bench().number, 46);
}

/// In the order of the queue: the numbers of the operations that the server told as done.
fn order_of_ends(pair: &Pair) -> Vec<u64> {
    let ends = pair.events.iter().filter_map(|(_, _, kind)| match kind {
        EventKind::Operation(operation) if operation.has_ended() => Some(operation.id),
        _ => None,
    });
    ends.collect()
}

#[test]
fn fifty_operations_drain_in_order_over_several_windows() {
    for version in [Version::V1_0, Version::V1_1, Version::V1_2] {
        let mut pair = Pair::new(1, SLOW);
        let index = sleeper(&mut pair, version);
        pair.set_awake_time(index, 20);
        let ids = queue_fifty(&mut pair, index);
        assert_eq!(ids.len(), 50);
        let mut left = vec![50];
        while !have_ended(&pair, &ids) {
            wake(&mut pair, index);
            left.push(pair.lookup(index).expect("registered").queued);
            assert!(left.len() < 20, "{left:?}");
        }
        assert!(
            left.is_sorted_by(|before, after| before > after),
            "{left:?}"
        );
        assert!((4..=6).contains(&(left.len() - 1)), "{left:?}");
        assert_eq!(order_of_ends(&pair), ids);
        check(&pair, index, &ids);
    }
}

/// Nobody says that the window is twenty seconds, and the network loses, doubles and reorders.
#[test]
fn a_bad_network_loses_nothing_and_doubles_nothing() {
    for seed in 0..40 {
        for probability in [0.1, 0.3] {
            let mut pair = Pair::new(seed, GOOD);
            let index = sleeper(&mut pair, Version::V1_1);
            let ids = queue_fifty(&mut pair, index);
            dozes(&mut pair, index);
            pair.network.set_impairment(bad(probability));
            for _ in 0..100 {
                if have_ended(&pair, &ids) {
                    break;
                }
                doze(&mut pair, index, false);
            }
            assert_eq!(order_of_ends(&pair), ids);
            check(&pair, index, &ids);
        }
    }
}

#[test]
fn crashes_of_the_server_lose_nothing_and_double_nothing() {
    for seed in 0..40 {
        for (probability, shards) in [(0.0, 1), (0.1, 2)] {
            let mut pair = Pair::with_shards(seed, GOOD, shards);
            let index = sleeper(&mut pair, Version::V1_2);
            let mut ids = queue_fifty(&mut pair, index);
            dozes(&mut pair, index);
            pair.network.set_impairment(match probability {
                0.0 => SLOW,
                _ => bad(probability),
            });
            for _ in 0..100 {
                if have_ended(&pair, &ids) {
                    break;
                }
                let crash = pair.rng.chance(0.5);
                doze(&mut pair, index, crash);
            }
            assert!(have_ended(&pair, &ids));
            check(&pair, index, &ids);
            // Numbers are not given out again, and the queue works on.
            let more = pair.enqueue(index, operation(0)).expect("it is up");
            assert!(ids.iter().all(|id| *id < more));
            ids.push(more);
            pair.network.set_impairment(GOOD);
            doze(&mut pair, index, false);
            assert!(have_ended(&pair, &ids));
        }
    }
}

/// The server dies at every point between the call and the result.
#[test]
fn a_crash_at_every_point_of_an_execute() {
    use crate::harness::Incident;
    let mut unknown = 0;
    for point in 1.. {
        let mut pair = Pair::new(point, GOOD);
        let index = sleeper(&mut pair, Version::V1_1);
        pair.incident = Some((pair.points + point, Incident::ServerCrash));
        let id = pair.enqueue(index, operation(2));
        pair.seconds(5);
        for _ in 0..3 {
            wake(&mut pair, index);
        }
        let executed = pair.devices[index].bench().executed;
        let Some(id) = id else {
            assert!(executed <= 1);
            continue;
        };
        let operation = stored(&pair, &[id])[0];
        match &operation.state {
            OperationState::Done(_) => assert_eq!(executed, 1),
            OperationState::Failed(OperateError::Unknown) => {
                unknown += 1;
                assert!(executed <= 1);
            }
            other => panic!("{other:?}"),
        }
        if pair.struck_at.is_none() {
            assert!(point > 5 && unknown > 0, "{point} {unknown}");
            return;
        }
    }
}

/// Without a word from anybody the server learns how long the device listens.
#[test]
fn the_window_is_learned() {
    let mut pair = Pair::new(3, GOOD);
    let index = sleeper(&mut pair, Version::V1_1);
    assert_eq!(pair.lookup(index).expect("registered").awake_time, 93);
    for _ in 0..8 {
        let now = pair.now;
        pair.devices[index].deaf = false;
        pair.touch(index, |device| device.engine.update(now));
        pair.pass(WINDOW);
        pair.devices[index].deaf = true;
        // Somebody asks shortly after it fell asleep, or later.
        let late = pair.rng.duration(Duration::from_secs(60));
        pair.pass(late);
        pair.enqueue(index, operation(0)).expect("it is up");
        pair.pass(SLEEP);
    }
    let learned = pair.lookup(index).expect("registered").awake_time;
    assert!((10..=25).contains(&learned), "{learned}");
}

use core::time::Duration;

use dunlin_lwm2m::Path;

use super::*;
use crate::api::Outcome;

fn read(resource: u16) -> DeviceOperation {
    Operation::Read {
        path: Path::resource(3, 0, resource),
        accept: None,
    }
}

fn execute() -> DeviceOperation {
    Operation::Execute {
        path: Path::resource(3, 0, 4),
        arguments: String::new(),
    }
}

fn with_priority(priority: i16) -> QueueOptions {
    QueueOptions {
        priority,
        ..QueueOptions::default()
    }
}

fn limits() -> QueueLimits {
    QueueLimits::default()
}

fn done() -> OperationState {
    OperationState::Done(Outcome {
        code: dunlin_coap::Code::CHANGED,
        format: None,
        records: Vec::new(),
        links: None,
        location: None,
        upload: None,
    })
}

#[test]
fn the_order_is_priority_then_first_come() {
    let table = Operations::new(1);
    for priority in [0, -1, 5, 0, 5] {
        table
            .add("a", read(0), &with_priority(priority), 0.0, &limits())
            .expect("room");
    }
    let mut order = Vec::new();
    while let Some(next) = table.begin("a", 1.0) {
        assert!(table.begin("a", 1.0).is_none(), "one at a time");
        order.push(next.id);
        let ended = table.end("a", next.id, Some(1), done(), 2.0, &limits());
        assert_eq!(ended.expect("open").operation.ended_at, Some(2.0));
    }
    assert_eq!(order, [3, 5, 1, 4, 2]);
    let (newest, more) = table.list("a", Some(5), 3, |_| true);
    let ids: Vec<u64> = newest.iter().map(|operation| operation.id).collect();
    assert_eq!((ids.as_slice(), more), (&[4, 3, 2][..], true));
    assert_eq!((table.open(), table.results()), (0, 5));
}

#[test]
fn an_older_flight_changes_nothing() {
    let table = Operations::new(1);
    let id = table
        .add("a", read(0), &QueueOptions::default(), 0.0, &limits())
        .expect("room")
        .id;
    assert_eq!(table.begin("a", 0.0).expect("queued").attempts, 1);
    // The device registers with another shard, which sends it again.
    let adopted = table.adopt("a", 0.0, &limits());
    assert!(adopted.more && adopted.ended.is_none());
    assert_eq!(adopted.requeued.expect("it was sent").id, id);
    assert_eq!(table.begin("a", 0.0).expect("queued").attempts, 2);
    assert!(table.requeue("a", id, 1).is_none());
    assert!(
        table
            .end("a", id, Some(1), done(), 0.0, &limits())
            .is_none()
    );
    assert!(table.end("a", id, None, done(), 0.0, &limits()).is_none());
    assert!(
        table
            .end("a", id, Some(2), done(), 0.0, &limits())
            .is_some()
    );
}

#[test]
fn what_must_not_be_repeated_ends_when_its_answer_cannot_be_heard() {
    let table = Operations::new(1);
    let options = QueueOptions::default();
    let add = || {
        table
            .add("a", execute(), &options, 0.0, &limits())
            .expect("room")
    };
    let unknown = OperationState::Failed(OperateError::Unknown);
    add();
    table.begin("a", 0.0).expect("queued");
    let adopted = table.adopt("a", 1.0, &limits());
    assert!(!adopted.more && adopted.requeued.is_none());
    assert_eq!(adopted.ended.expect("it was sent").operation.state, unknown);
    // The same after a restart; what was not sent stays.
    let waits = add();
    let mut sent = QueuedOperation::clone(&waits);
    sent.id = 9;
    sent.state = OperationState::Sent;
    let after = Operations::new(1);
    let ended = after.restore(sent, 5.0, &limits());
    assert_eq!(ended.expect("it was sent").operation.state, unknown);
    assert!(
        after
            .restore(QueuedOperation::clone(&waits), 5.0, &limits())
            .is_none()
    );
    assert_eq!(after.begin("a", 5.0).expect("queued").id, waits.id);
    assert_eq!(
        after
            .add("b", execute(), &options, 0.0, &limits())
            .expect("room")
            .id,
        10,
        "numbers are not given out twice"
    );
}

#[test]
fn only_what_is_not_under_way_can_be_cancelled() {
    let table = Operations::new(1);
    let options = QueueOptions::default();
    for resource in [0, 1] {
        table
            .add("a", read(resource), &options, 0.0, &limits())
            .expect("room");
    }
    table.begin("a", 0.0).expect("queued");
    let cancel = |id| table.cancel("a", id, 1.0, &limits()).map(|_| ());
    assert_eq!(cancel(1), Err(NotCancelled::Sent));
    assert_eq!(cancel(2), Ok(()));
    assert_eq!(cancel(2), Err(NotCancelled::Ended));
    assert_eq!(cancel(3), Err(NotCancelled::Unknown));
    assert_eq!(table.queued("a"), 1);
}

#[test]
fn full_queues_refuse() {
    let table = Operations::new(1);
    let limits = QueueLimits {
        operations_per_device: 2,
        operations: 3,
        ..limits()
    };
    let add = |endpoint| {
        table
            .add(endpoint, read(0), &QueueOptions::default(), 0.0, &limits)
            .map(|_| ())
    };
    assert_eq!((add("a"), add("a")), (Ok(()), Ok(())));
    assert_eq!(add("a"), Err(OperateError::QueueFull));
    assert_eq!(add("b"), Ok(()));
    assert_eq!(add("c"), Err(OperateError::Overloaded));
    let bytes = QueueLimits {
        bytes_per_device: 600,
        ..QueueLimits::default()
    };
    let add = || {
        table
            .add("d", read(0), &QueueOptions::default(), 0.0, &bytes)
            .map(|_| ())
    };
    assert_eq!((add(), add()), (Ok(()), Ok(())));
    assert_eq!(add(), Err(OperateError::QueueFull));
}

/// It may be lost again as long as it is not on disk, and then it was never told.
#[test]
fn an_end_is_shown_once_it_is_on_disk() {
    let table = Operations::new(1);
    let limits = limits();
    let id = table
        .add("a", read(0), &QueueOptions::default(), 0.0, &limits)
        .expect("room")
        .id;
    table.begin("a", 1.0).expect("queued");
    table
        .end("a", id, Some(1), done(), 2.0, &limits)
        .expect("open");
    let shown = || table.shown("a", id).expect("known").state.clone();
    let listed = || table.list("a", None, 9, |_| true).0.remove(0).state.clone();
    assert_eq!(
        (shown(), listed()),
        (OperationState::Sent, OperationState::Sent)
    );
    assert_eq!(table.list("a", None, 9, |_| true).0.len(), 1);
    assert_eq!(table.queued("a"), 0, "nothing is left to do");
    table.settle("a", id);
    assert_eq!((shown(), listed()), (done(), done()));
}

#[test]
fn results_give_way_oldest_first_and_with_time() {
    let table = Operations::new(1);
    let limits = QueueLimits {
        results_per_device: 2,
        results: 3,
        ..limits()
    };
    let run = |endpoint: &str, unix: f64| {
        let id = table
            .add(endpoint, read(0), &QueueOptions::default(), unix, &limits)
            .expect("room")
            .id;
        table.begin(endpoint, unix).expect("queued");
        let ended = table.end(endpoint, id, Some(1), done(), unix, &limits);
        table.settle(endpoint, id);
        ended.expect("open").forgotten
    };
    assert!(run("a", 0.0).is_empty() && run("a", 0.0).is_empty());
    assert_eq!(run("a", 0.0), [1], "two for a device");
    assert!(run("b", 0.0).is_empty());
    assert_eq!(run("b", 0.0), [2], "three in all");
    let week = limits.results_kept.as_secs_f64();
    assert_eq!(run("c", week + 1.0), [3, 4, 5], "a week");
    assert!(!table.knows("a") && table.knows("c"));
    assert_eq!(table.results(), 1);
}

#[test]
fn the_awake_time_shrinks_with_silence_and_grows_with_late_answers() {
    let default = Duration::from_secs(93);
    let silence = |known, idle| learn_from_silence(known, idle, default);
    let answer = |known, idle| learn_from_answer(known, idle, default);
    let fresh = AwakeTime::default();
    assert_eq!(fresh.seconds(default), 93);
    assert_eq!(silence(fresh, 4), None, "out of reach rather than asleep");
    let mut known = silence(fresh, 60).expect("learned");
    assert_eq!(known.learned, Some(45));
    assert_eq!(silence(known, 80), None, "that was known");
    known = silence(known, 40).expect("learned");
    assert_eq!(known.seconds(default), 30);
    assert_eq!(answer(known, 20), None, "nothing new");
    known = answer(known, 24).expect("learned");
    assert_eq!(known.learned, Some(37));
    known.learned = Some(80);
    assert_eq!(
        answer(known, 79),
        Some(fresh),
        "never more than the default"
    );
    assert_eq!(silence(fresh, 5).and_then(|known| known.learned), Some(5));
    // What an operator says is not touched.
    let wanted = AwakeTime {
        wanted: Some(600),
        learned: None,
    };
    assert_eq!((silence(wanted, 60), answer(wanted, 60)), (None, None));
    assert_eq!(wanted.seconds(default), 600);
}

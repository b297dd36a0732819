use std::task::{Context, Poll, Waker};

use super::*;
use crate::api::EventKind;
use dunlin_lwm2m::Path;

fn bus(first: u64) -> Arc<EventBus> {
    Arc::new(EventBus::new(first))
}

fn happen(bus: &EventBus, endpoints: impl IntoIterator<Item = String>) {
    let mut batch = endpoints
        .into_iter()
        .map(|endpoint| Happened {
            time: 1.0,
            endpoint,
            kind: EventKind::Expiry,
        })
        .collect();
    bus.publish(&mut batch);
    assert!(batch.is_empty());
}

fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|index| format!("dev-{index}"))
}

#[test]
fn large_events_do_not_fill_the_memory() {
    let bus = bus(1);
    let record = dunlin_lwm2m::OwnedRecord::new(
        Path::resource(3303, 0, 5750),
        dunlin_lwm2m::OwnedValue::Opaque(vec![0; 1024 * 1024]),
    );
    let mut subscription = bus.subscribe(None);
    for _ in 0..100 {
        bus.publish(&mut vec![Happened {
            time: 1.0,
            endpoint: "dev".to_owned(),
            kind: EventKind::Notification {
                wish: 1,
                path: Path::object(3303),
                records: vec![record.clone()],
            },
        }]);
    }
    // 64 MiB of them are kept; who was behind is told so.
    assert_eq!(drain(&mut subscription), [-100]);
    assert_eq!(drain(&mut bus.subscribe(Some(60))).len(), 40);
    assert_eq!(drain(&mut bus.subscribe(Some(30))), [-100]);
}

/// Everything that is ready, as numbers; a reset as `-number`.
fn drain(subscription: &mut Subscription) -> Vec<i64> {
    std::iter::from_fn(|| subscription.ready())
        .map(|delivery| match delivery {
            Delivery::Event(event) => event.id as i64,
            Delivery::Reset(id) => -(id as i64),
        })
        .collect()
}

fn poll_next(subscription: &mut Subscription) -> Poll<Option<Delivery>> {
    let mut next = std::pin::pin!(subscription.next());
    next.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn events_are_numbered_and_replayed() {
    let bus = bus(1);
    let mut live = bus.subscribe(None);
    happen(&bus, names(3));
    assert_eq!(drain(&mut live), [1, 2, 3]);
    assert_eq!(drain(&mut bus.subscribe(None)), [] as [i64; 0]);
    assert_eq!(drain(&mut bus.subscribe(Some(0))), [1, 2, 3]);
    assert_eq!(drain(&mut bus.subscribe(Some(2))), [3]);
    happen(&bus, names(1));
    assert_eq!(drain(&mut live), [4]);
    assert_eq!((bus.next_id(), bus.published()), (5, 4));
}

#[test]
fn a_number_that_is_gone_or_never_was_resets() {
    let bus = bus(100);
    // From before the restart.
    assert_eq!(drain(&mut bus.subscribe(Some(42))), [-99]);
    happen(&bus, names(2));
    assert_eq!(drain(&mut bus.subscribe(Some(98))), [-101]);
    assert_eq!(drain(&mut bus.subscribe(Some(99))), [100, 101]);
    let mut future = bus.subscribe(Some(1_000_000));
    assert_eq!(drain(&mut future), [-101]);
    happen(&bus, names(1));
    assert_eq!(drain(&mut future), [102]);
}

#[test]
fn a_slow_subscriber_loses_its_place_but_no_one_waits() {
    let bus = bus(1);
    let mut slow = bus.subscribe(None);
    let mut just_in_time = bus.subscribe(None);
    happen(&bus, names(EVENTS_KEPT));
    assert_eq!(drain(&mut just_in_time).len(), EVENTS_KEPT);
    happen(&bus, names(1));
    let last = EVENTS_KEPT as i64 + 1;
    assert_eq!(drain(&mut just_in_time), [last]);
    assert_eq!(drain(&mut slow), [-last]);
    happen(&bus, names(1));
    assert_eq!(drain(&mut slow), [last + 1]);
}

#[test]
fn waiting_subscribers_are_woken_and_ended() {
    let bus = bus(1);
    let mut subscription = bus.subscribe(None);
    assert!(poll_next(&mut subscription).is_pending());
    happen(&bus, names(1));
    let Poll::Ready(Some(Delivery::Event(event))) = poll_next(&mut subscription) else {
        panic!("the event did not wake its subscriber")
    };
    assert_eq!((event.id, event.endpoint.as_str()), (1, "dev-0"));
    assert!(poll_next(&mut subscription).is_pending());
    happen(&bus, names(1));
    bus.close();
    assert!(matches!(poll_next(&mut subscription), Poll::Ready(Some(_))));
    assert_eq!(poll_next(&mut subscription), Poll::Ready(None));
    assert_eq!(poll_next(&mut bus.subscribe(None)), Poll::Ready(None));
}

fn device(endpoint: &str, registered_at: f64) -> Device {
    Device {
        endpoint: endpoint.to_owned(),
        registration_id: "r".to_owned(),
        version: dunlin_lwm2m::Version::V1_1,
        lifetime: 300,
        binding: "U".to_owned(),
        queue_mode: false,
        awake: true,
        awake_until: None,
        awake_time: 93,
        queued: 0,
        sms: None,
        address: "192.0.2.1:5683".parse().unwrap(),
        security: None,
        root: "/".to_owned(),
        content_formats: Vec::new(),
        registered_at,
        updated_at: registered_at,
        expires_at: None,
        objects: [].into(),
        attributes: Vec::new(),
        faults: Vec::new(),
    }
}

fn page(endpoints: &[(&str, f64)], more: bool, total: u64) -> Page {
    Page {
        items: endpoints
            .iter()
            .map(|(endpoint, at)| device(endpoint, *at))
            .collect(),
        more,
        total,
    }
}

#[test]
fn pages_of_shards_merge_in_order() {
    let pages = || {
        vec![
            page(&[("a", 1.0), ("d", 1.0)], false, 2),
            page(&[("b", 1.0), ("c", 1.0)], true, 5),
            Page::default(),
        ]
    };
    let all = merge_pages(pages(), 10);
    let endpoints: Vec<_> = all
        .items
        .iter()
        .map(|item| item.endpoint.as_str())
        .collect();
    assert_eq!(endpoints, ["a", "b", "c", "d"]);
    assert_eq!((all.more, all.total), (true, 7));
    let first = merge_pages(pages(), 3);
    assert_eq!((first.items.len(), first.more), (3, true));
    let exact = merge_pages(vec![page(&[("a", 1.0)], false, 1)], 1);
    assert_eq!((exact.items.len(), exact.more), (1, false));
}

#[test]
fn a_device_between_two_shards_is_listed_once() {
    let merged = merge_pages(
        vec![
            page(&[("a", 1.0)], false, 1),
            page(&[("a", 2.0), ("b", 1.0)], false, 2),
        ],
        10,
    );
    assert_eq!(merged.total, 2);
    assert_eq!(merged.items, [device("a", 2.0), device("b", 1.0)]);
}

#[test]
fn counters_of_one_name_are_added() {
    let one = |devices, counters: &[(&str, u64)]| Stats {
        devices,
        counters: counters
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect(),
    };
    let mut total = Stats::default();
    add_stats(&mut total, one(2, &[("x", 1), ("y", 2)]));
    add_stats(&mut total, one(3, &[("y", 5), ("z", 7)]));
    assert_eq!(total, one(5, &[("x", 1), ("y", 7), ("z", 7)]));
}

//! Observation wishes: made again whenever the device or the server begins anew; what they report
//! arrives in order, and nothing old after something new.

use std::time::Duration;

use dunlin_client::{Event, Version};
use dunlin_lwm2m::{OwnedRecord, OwnedValue, Path};
use dunlin_server::api::{AttributeChanges, EventKind, WishState};
use dunlin_sim::netem::Impairment;

use crate::device::BENCH_ID;
use crate::harness::{GOOD, Pair, TEMPERATURE, bad};

fn pmax(seconds: f64) -> AttributeChanges {
    vec![("pmax".to_owned(), Some(seconds))]
}

/// The wish reports what happens from now on.
#[track_caller]
fn works(pair: &mut Pair, index: usize, wish: u64, value: f64) {
    pair.measure(index, value);
    pair.seconds(1);
    let found = pair
        .wishes(index)
        .into_iter()
        .find(|found| found.id == wish);
    let found = found.expect("a wish stays");
    assert_eq!(found.state, WishState::Active);
    let number = OwnedValue::Float(value);
    assert_eq!(found.records[0].value, Some(number));
    assert_eq!(pair.reported(wish).last(), Some(&value));
    // One for each wish, none left over.
    assert_eq!(pair.devices[index].engine.observed().count(), 1);
}

#[test]
fn values_arrive_in_order_and_the_last_one_arrives() {
    let mut told = 0;
    for seed in 0..40 {
        for confirmable in [false, true] {
            let mut pair = Pair::new(seed, GOOD);
            let index = pair.add_silent_device(Version::V1_1);
            pair.devices[index].config.confirmable_notifications = confirmable;
            pair.restart_device(index);
            let wish = pair.add_wish(index, TEMPERATURE, pmax(40.0));
            pair.seconds(5);
            works(&mut pair, index, wish, 1.0);
            pair.network.set_impairment(bad(0.2));
            for round in 2..60 {
                let pause = pair.rng.duration(Duration::from_millis(2500));
                pair.pass(pause);
                pair.measure(index, f64::from(round));
            }
            // Calm; a notification each 40 seconds tells the last value in any case.
            pair.network.set_impairment(GOOD);
            pair.seconds(700);
            let reported = pair.reported(wish);
            assert!(reported.is_sorted(), "{reported:?}");
            assert_eq!(reported.last(), Some(&59.0));
            let mut different = reported;
            different.dedup();
            told += different.len();
            works(&mut pair, index, wish, 60.0);
        }
    }
    // Most are reported, although a NON is lost in one of five cases, and a CON that is lost five
    // times ends an observation for a while.
    assert!(told > 80 * 60 / 2, "{told}");
}

#[test]
fn made_again_after_the_device_registers_anew() {
    for seed in 0..20 {
        let mut pair = Pair::new(seed, GOOD);
        let index = pair.registered_device(Version::V1_2);
        let wish = pair.add_wish(index, TEMPERATURE, Vec::new());
        pair.seconds(1);
        works(&mut pair, index, wish, 1.0);
        pair.network.set_impairment(bad(0.1));
        for round in 0..4 {
            pair.connect(index);
            pair.seconds(30);
            pair.measure(index, 2.0 + f64::from(round));
        }
        pair.network.set_impairment(GOOD);
        pair.seconds(300);
        works(&mut pair, index, wish, 9.0);
        assert!(pair.reported(wish).is_sorted());
    }
}

#[test]
fn made_again_after_the_device_was_away() {
    let mut pair = Pair::new(1, GOOD);
    let index = pair.registered_device(Version::V1_0);
    let wish = pair.add_wish(index, TEMPERATURE, pmax(50.0));
    pair.seconds(1);
    works(&mut pair, index, wish, 1.0);
    // It expires; the wish stays with its last value.
    pair.touch(index, |device| device.engine.offline());
    pair.seconds(1000);
    assert_eq!(
        pair.told(index, |kind| matches!(kind, EventKind::Expiry)),
        1
    );
    let kept = pair.wishes(index).remove(0);
    assert_eq!(kept.state, WishState::Pending);
    assert_eq!(kept.records[0].value, Some(OwnedValue::Float(1.0)));
    let now = pair.now;
    pair.touch(index, |device| device.engine.online(now));
    pair.seconds(2);
    works(&mut pair, index, wish, 2.0);
    // It leaves and comes back.
    pair.touch(index, |device| device.engine.deregister());
    pair.seconds(1);
    assert_eq!(pair.wishes(index)[0].state, WishState::Pending);
    pair.connect(index);
    pair.seconds(2);
    works(&mut pair, index, wish, 3.0);
}

#[test]
fn made_again_after_the_device_restarts() {
    for seed in 0..20 {
        let mut pair = Pair::new(seed, bad(0.1));
        let index = pair.add_device(Version::V1_1);
        let wish = pair.add_wish(index, TEMPERATURE, pmax(60.0));
        for _ in 0..5 {
            let life = pair.rng.duration(Duration::from_secs(60));
            pair.pass(life);
            pair.restart_device(index);
        }
        pair.network.set_impairment(GOOD);
        pair.seconds(800);
        works(&mut pair, index, wish, 5.0);
    }
}

#[test]
fn made_again_after_the_server_restarts() {
    for seed in 0..20 {
        let mut pair = Pair::with_shards(seed, GOOD, 1 + (seed % 2) as u16);
        let index = pair.registered_device(Version::V1_1);
        let wish = pair.add_wish(index, TEMPERATURE, Vec::new());
        pair.seconds(1);
        works(&mut pair, index, wish, 1.0);
        for round in 0..3 {
            pair.crash_server();
            pair.until(Duration::from_secs(60), Pair::is_up);
            // The last known value is known before the device says anything.
            let kept = pair.wishes(index).remove(0);
            let last = pair.reported(wish).last().copied();
            assert_eq!(kept.records[0].value, last.map(OwnedValue::Float));
            pair.seconds(5);
            works(&mut pair, index, wish, 2.0 + f64::from(round));
        }
        assert_eq!(pair.devices[index].registrations(), 1);
    }
}

/// A notification of the life before arrives after the restart: its token is unknown, and it is
/// not mistaken for news.
#[test]
fn a_value_from_before_the_restart_is_nobodys() {
    for seed in 0..20 {
        let mut pair = Pair::new(seed, GOOD);
        let index = pair.registered_device(Version::V1_1);
        let wish = pair.add_wish(index, TEMPERATURE, Vec::new());
        pair.seconds(1);
        pair.network.set_impairment(Impairment {
            delay: crate::harness::DOWN + Duration::from_millis(50),
            ..GOOD
        });
        pair.measure(index, 1.0);
        pair.network.set_impairment(GOOD);
        let crash = pair.rng.duration(Duration::from_millis(1000));
        pair.pass(crash);
        pair.crash_server();
        pair.seconds(2);
        pair.measure(index, 2.0);
        pair.seconds(120);
        let reported = pair.reported(wish);
        assert!(reported.is_sorted(), "{reported:?}");
        works(&mut pair, index, wish, 3.0);
    }
}

#[test]
fn cancelled_it_ends_at_the_device_whatever_is_lost() {
    for seed in 0..40 {
        let mut pair = Pair::new(seed, bad(0.2));
        let index = pair.registered_device(Version::V1_1);
        let wish = pair.add_wish(index, TEMPERATURE, Vec::new());
        let pause = pair.rng.duration(Duration::from_secs(10));
        pair.pass(pause);
        pair.measure(index, 1.0);
        let pause = pair.rng.duration(Duration::from_millis(500));
        pair.pass(pause);
        if pair.lookup(index).is_none() {
            continue;
        }
        pair.remove_wish(index, wish);
        let told = pair.reported(wish).len();
        pair.measure(index, 2.0);
        pair.seconds(300);
        assert_eq!(pair.reported(wish).len(), told, "nobody wants it any more");
        // Should all five copies of the Cancel be lost, the answer to the next notification ends
        // it.
        pair.network.set_impairment(GOOD);
        pair.measure(index, 3.0);
        pair.seconds(300);
        assert_eq!(pair.devices[index].engine.observed().count(), 0);
        assert_eq!(pair.reported(wish).len(), told);
        assert!(pair.wishes(index).is_empty());
    }
}

#[test]
fn of_an_instance_an_object_and_a_resource_at_once() {
    let paths = [Path::object(BENCH_ID), Path::instance(3303, 0), TEMPERATURE];
    for version in [Version::V1_0, Version::V1_1, Version::V1_2] {
        let mut pair = Pair::new(3, GOOD);
        let index = pair.registered_device(version);
        let wishes = paths.map(|path| pair.add_wish(index, path, Vec::new()));
        pair.seconds(1);
        pair.measure(index, 4.5);
        pair.touch(index, |device| {
            let bench = device.engine.objects_mut().bench.get_mut(0);
            bench.expect("instance 0").number = 77;
        });
        pair.seconds(1);
        let number = OwnedRecord::new(Path::resource(BENCH_ID, 0, 1), OwnedValue::Integer(77));
        let celsius = OwnedRecord::new(TEMPERATURE, OwnedValue::Float(4.5));
        let expected = [number, celsius.clone(), celsius];
        for (wish, expected) in wishes.into_iter().zip(expected) {
            let found = pair
                .wishes(index)
                .into_iter()
                .find(|found| found.id == wish);
            let records = found.expect("a wish stays").records;
            let same = |record: &OwnedRecord| {
                (record.path, &record.value) == (expected.path, &expected.value)
            };
            assert!(records.iter().any(same), "{records:?}");
        }
    }
}

/// `pmin` holds back, `pmax` makes it speak.
#[test]
fn the_periods_of_a_wish_are_kept() {
    let mut pair = Pair::new(1, GOOD);
    let index = pair.registered_device(Version::V1_1);
    let mut attributes = pmax(30.0);
    attributes.push(("pmin".to_owned(), Some(10.0)));
    pair.add_wish(index, TEMPERATURE, attributes);
    pair.seconds(1);
    for tenth in 0..1000 {
        pair.measure(index, f64::from(tenth));
        pair.pass(Duration::from_millis(100));
    }
    let told =
        |pair: &Pair| pair.devices[index].count(|event| matches!(event, Event::Notified { .. }));
    let while_changing = told(&pair);
    assert!((9..=10).contains(&while_changing), "{while_changing}");
    pair.seconds(300);
    assert!((10..=11).contains(&(told(&pair) - while_changing)));
}

//! A NAT gives a device another address between any two messages: it works again after its next
//! Update at the latest, with one shard and with two.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use dunlin_client::Version;
use dunlin_coap::Code;
use dunlin_lwm2m::Path;
use dunlin_lwm2m::operation::Operation;
use dunlin_server::api::WishState;
use dunlin_sim::netem::Impairment;

use crate::device::BENCH_ID;
use crate::harness::{GOOD, Incident, Pair, TEMPERATURE, bad};

/// A lifetime of 300 s less the 93 s in which an Update may fail, and a little for the way.
const UPDATE_INTERVAL: Duration = Duration::from_secs(207 + 3);

fn address(number: u64) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 1], 20_001 + number as u16))
}

/// The server reaches the device, and the device the server.
#[track_caller]
fn works(pair: &mut Pair, index: usize, wish: u64, value: f64) {
    let device = pair.lookup(index).expect("registered");
    let seen = pair.network.address_of(pair.devices[index].host);
    assert_eq!(device.address, seen);
    let records = pair.read(index, TEMPERATURE).expect("a value");
    assert_eq!(records.len(), 1);
    let found = pair
        .wishes(index)
        .into_iter()
        .find(|found| found.id == wish);
    assert_eq!(found.expect("a wish stays").state, WishState::Active);
    pair.measure(index, value);
    pair.seconds(1);
    assert_eq!(pair.reported(wish).last(), Some(&value));
    assert_eq!(pair.devices[index].engine.observed().count(), 1);
}

fn rebind_at_every_point(shards: u16, number: u64, version: Version) {
    for point in 1.. {
        let mut pair = Pair::with_shards(point, GOOD, shards);
        let index = pair.add_silent_device(version);
        let wish = pair.add_wish(index, TEMPERATURE, Vec::new());
        let incident = Incident::Rebind(index, address(number));
        pair.incident = Some((pair.points + point, incident));
        pair.connect(index);
        pair.seconds(1);
        pair.measure(index, 1.0);
        pair.seconds(1);
        pair.touch(index, |device| device.engine.server_mut().lifetime = 301);
        pair.seconds(1);
        let Some(struck_at) = pair.struck_at else {
            assert!(point > 15, "the scenario has points");
            return;
        };
        pair.pass(UPDATE_INTERVAL.saturating_sub(pair.now - struck_at));
        works(&mut pair, index, wish, 2.0);
        assert_eq!(pair.registrations(), 1);
        let reported = pair.reported(wish);
        assert!(reported.is_sorted(), "{reported:?}");
    }
}

#[test]
fn between_any_two_messages_with_one_shard() {
    for version in [Version::V1_0, Version::V1_1] {
        rebind_at_every_point(1, 0, version);
    }
}

#[test]
fn between_any_two_messages_with_two_shards() {
    // To an address of the same shard, and of the other.
    for number in [0, 1] {
        rebind_at_every_point(2, number, Version::V1_1);
    }
}

/// An operation on its way while the address changes has an outcome, and is not done twice.
#[test]
fn while_operations_are_on_their_way() {
    for seed in 0..60 {
        let mut pair = Pair::with_shards(seed, bad(0.05), 1 + (seed % 2) as u16);
        let index = pair.registered_device(Version::V1_2);
        let (mut successes, mut unknown) = (0, 0);
        for round in 0..6 {
            let execute = |_: usize| Operation::Execute {
                path: Path::resource(BENCH_ID, 0, 4),
                arguments: String::new(),
            };
            let ids: Vec<u64> = (0..3)
                .map(|number| pair.begin(index, execute(number), None))
                .collect();
            let moment = pair.rng.duration(Duration::from_millis(1500));
            pair.pass(moment);
            pair.strike(Incident::Rebind(index, address(2 * seed + round)));
            let moment = pair.rng.duration(Duration::from_millis(1500));
            pair.pass(moment);
            let now = pair.now;
            pair.touch(index, |device| device.engine.update(now));
            for id in ids {
                match pair.outcome(id) {
                    Ok(_) => successes += 1,
                    Err(_) => unknown += 1,
                }
            }
            let executed = pair.devices[index].bench().executed;
            let possible = successes..=successes + unknown;
            assert!(
                possible.contains(&executed),
                "{executed} is not in {possible:?}"
            );
        }
        assert!(successes > 0);
    }
}

/// The repetitions of an operation follow the device to where its Update came from, whether the
/// device has seen the operation before or not.
#[test]
fn an_operation_follows_the_device() {
    for milliseconds in 0..60 {
        let mut pair = Pair::with_shards(milliseconds, GOOD, 1 + (milliseconds % 2) as u16);
        let index = pair.registered_device(Version::V1_1);
        let execute = Operation::Execute {
            path: Path::resource(BENCH_ID, 0, 4),
            arguments: String::new(),
        };
        pair.seconds(1);
        let id = pair.begin(index, execute, None);
        pair.pass(Duration::from_millis(milliseconds));
        pair.strike(Incident::Rebind(index, address(milliseconds)));
        let now = pair.now;
        pair.touch(index, |device| device.engine.update(now));
        let outcome = pair.outcome(id);
        assert_eq!(outcome.expect("it gets through").code, Code::CHANGED);
        assert_eq!(pair.devices[index].bench().executed, 1);
    }
}

#[test]
fn two_devices_swap_their_addresses() {
    for shards in [1, 2] {
        for point in 1..40 {
            let mut pair = Pair::with_shards(point, GOOD, shards);
            let devices = [0, 1].map(|_| pair.registered_device(Version::V1_1));
            let wishes = devices.map(|index| pair.add_wish(index, TEMPERATURE, Vec::new()));
            pair.seconds(1);
            pair.incident = Some((pair.points + point, Incident::Swap(0, 1)));
            for round in 1..8 {
                for index in devices {
                    pair.measure(index, f64::from(round));
                }
                pair.pass(Duration::from_millis(15));
            }
            pair.seconds(2);
            assert!(pair.struck_at.is_some(), "point {point}");
            pair.pass(UPDATE_INTERVAL);
            for index in devices {
                works(&mut pair, index, wishes[index], 50.0 + index as f64);
                // Nothing of the other's.
                pair.measure(index, 60.0 + index as f64);
            }
            pair.seconds(1);
            for index in devices {
                assert_eq!(
                    pair.reported(wishes[index]).last(),
                    Some(&(60.0 + index as f64))
                );
            }
            assert_eq!(pair.registrations(), 2);
        }
    }
}

/// A notification that was held back somewhere while the device moved away and came back to its
/// address is old, although its address and its token are right.
#[test]
fn a_late_notification_of_a_device_that_came_back() {
    for seed in 0..20 {
        let mut pair = Pair::new(seed, GOOD);
        let index = pair.add_silent_device(Version::V1_1);
        pair.devices[index].config.confirmable_notifications = false;
        pair.restart_device(index);
        let wish = pair.add_wish(index, TEMPERATURE, Vec::new());
        pair.seconds(3);
        for round in 1..30 {
            pair.measure(index, f64::from(round));
            pair.pass(Duration::from_millis(100));
        }
        let delay = Duration::from_secs(5);
        pair.network.set_impairment(Impairment { delay, ..GOOD });
        pair.measure(index, 40.0);
        pair.network.set_impairment(GOOD);
        let home = pair.devices[index].host;
        for address in [address(seed), home] {
            pair.strike(Incident::Rebind(index, address));
            let now = pair.now;
            pair.touch(index, |device| device.engine.update(now));
            pair.seconds(1);
        }
        pair.measure(index, 50.0);
        pair.seconds(10);
        let reported = pair.reported(wish);
        assert!(reported.is_sorted(), "{reported:?}");
        let stale = "notifications_dropped_total{reason=\"stale\"}";
        assert_eq!(pair.counter(stale), 1);
        works(&mut pair, index, wish, 60.0);
    }
}

/// Devices move about for an hour over a bad network, between the shards, too.
#[test]
fn a_fleet_that_never_rests() {
    for seed in 0..10 {
        let shards = 1 + (seed % 2) as u16;
        let mut pair = Pair::with_shards(seed, bad(0.05), shards);
        let devices: Vec<usize> = (0..6).map(|_| pair.add_device(Version::V1_1)).collect();
        let pmax = vec![("pmax".to_owned(), Some(60.0))];
        let wishes: Vec<u64> = devices
            .iter()
            .map(|&index| pair.add_wish(index, TEMPERATURE, pmax.clone()))
            .collect();
        for round in 0..120 {
            let pause = pair.rng.duration(Duration::from_secs(60));
            pair.pass(pause);
            let index = pair.rng.below(6) as usize;
            let incident = if pair.rng.chance(0.3) && index > 0 {
                Incident::Swap(index, index - 1)
            } else {
                Incident::Rebind(index, address(round))
            };
            pair.strike(incident);
            for &index in &devices {
                pair.measure(index, round as f64);
            }
        }
        pair.network.set_impairment(GOOD);
        pair.seconds(1500);
        assert_eq!(pair.registrations(), 6);
        let seen: BTreeSet<SocketAddr> = devices
            .iter()
            .map(|&index| pair.lookup(index).expect("registered").address)
            .collect();
        assert_eq!(seen.len(), 6);
        for &index in &devices {
            works(&mut pair, index, wishes[index], 500.0 + index as f64);
        }
    }
}

//! The server dies at every point of an exchange: after each datagram that arrived or left, each
//! change handed to the store, each group committed. Whatever a device was told is there when the
//! server is back, and works at once. (The harness compares at the moment of the crash, see
//! `check_that_promises_are_kept`.)

use std::time::Duration;

use dunlin_client::{RegistrationState, Version};
use dunlin_server::api::WishState;

use crate::harness::{GOOD, Incident, ORIGIN, Pair, TEMPERATURE};

/// Over a store that is faster than the network, and over one that is slower: then a promise that
/// is not held back reaches the device first.
fn crash_at_every_point(
    shards: u16,
    prepare: impl Fn(&mut Pair),
    act: impl Fn(&mut Pair),
    check: impl Fn(&mut Pair),
) {
    for commit in [5, 90] {
        let commit = Duration::from_millis(commit);
        let prepare = |pair: &mut Pair| {
            pair.store.delay = commit;
            prepare(pair);
        };
        crash_at_points(shards, prepare, &act, &check);
    }
}

/// Runs a scenario with a crash at the first point after `prepare`, at the second, and so on until
/// the scenario is over before the crash.
fn crash_at_points(
    shards: u16,
    prepare: impl Fn(&mut Pair),
    act: impl Fn(&mut Pair),
    check: impl Fn(&mut Pair),
) {
    for point in 1.. {
        let mut pair = Pair::with_shards(point, GOOD, shards);
        prepare(&mut pair);
        pair.incident = Some((pair.points + point, Incident::ServerCrash));
        act(&mut pair);
        pair.seconds(2);
        let Some(struck_at) = pair.struck_at else {
            assert!(point > 3, "the scenario has points");
            return;
        };
        pair.until(Duration::from_secs(60), Pair::is_up);
        let up_at = pair.now;
        assert!(up_at > struck_at);
        // Whoever holds itself registered is, with a new lifetime.
        for index in 0..pair.devices.len() {
            let is_idle = pair.devices[index].engine.state() == RegistrationState::Registered;
            if is_idle {
                let device = pair.lookup(index).expect("it was acknowledged");
                let location = format!("/rd/{}", device.registration_id);
                assert_eq!(location, pair.devices[index].location());
                let begins = ORIGIN + up_at.as_micros() as f64 / 1e6;
                let left = device.expires_at.expect("finite") - begins;
                let lifetime = f64::from(device.lifetime);
                assert!((lifetime..lifetime + 0.2).contains(&left), "{left}");
                let records = pair.read(index, TEMPERATURE);
                assert_eq!(records.expect("a read works at once").len(), 1);
            }
        }
        check(&mut pair);
    }
}

fn one_registration_each(pair: &mut Pair) {
    pair.seconds(200);
    assert_eq!(pair.registrations(), pair.devices.len() as u64);
    for index in 0..pair.devices.len() {
        assert!(pair.is_registered(index));
        let device = pair.lookup(index).expect("registered");
        let location = format!("/rd/{}", device.registration_id);
        assert_eq!(location, pair.devices[index].location());
        // What was acknowledged did not have to be done again.
        assert_eq!(pair.devices[index].registrations(), 1);
    }
}

#[test]
fn during_a_register() {
    for version in [Version::V1_0, Version::V1_1, Version::V1_2] {
        for shards in [1, 2] {
            let act = |pair: &mut Pair| {
                pair.add_device(version);
            };
            crash_at_every_point(shards, |_| {}, act, one_registration_each);
        }
    }
}

#[test]
fn during_a_register_with_a_wish() {
    let prepare = |pair: &mut Pair| {
        let index = pair.add_silent_device(Version::V1_1);
        pair.add_wish(index, TEMPERATURE, Vec::new());
        pair.seconds(1);
    };
    let act = |pair: &mut Pair| pair.connect(0);
    let check = |pair: &mut Pair| {
        one_registration_each(pair);
        // An Observe that the crash swallowed is made again by now.
        let wish = &pair.wishes(0)[0];
        assert_eq!(wish.state, WishState::Active);
        pair.measure(0, 77.0);
        pair.seconds(1);
        let id = pair.wishes(0)[0].id;
        assert_eq!(pair.reported(id).last(), Some(&77.0));
        assert_eq!(pair.devices[0].engine.observed().count(), 1);
    };
    crash_at_every_point(1, prepare, act, check);
}

#[test]
fn during_an_update_that_changes_something() {
    let prepare = |pair: &mut Pair| {
        pair.registered_device(Version::V1_1);
        pair.seconds(1);
    };
    let act = |pair: &mut Pair| {
        pair.touch(0, |device| device.engine.server_mut().lifetime = 450);
    };
    let check = |pair: &mut Pair| {
        one_registration_each(pair);
        assert_eq!(pair.lookup(0).expect("registered").lifetime, 450);
    };
    crash_at_every_point(1, prepare, act, check);
}

#[test]
fn during_an_update_of_the_time_alone() {
    let prepare = |pair: &mut Pair| {
        pair.registered_device(Version::V1_2);
        pair.seconds(1);
    };
    let act = |pair: &mut Pair| {
        let now = pair.now;
        pair.touch(0, |device| device.engine.update(now));
    };
    crash_at_every_point(1, prepare, act, one_registration_each);
}

#[test]
fn during_a_register_anew() {
    let prepare = |pair: &mut Pair| {
        pair.registered_device(Version::V1_1);
        pair.seconds(1);
    };
    let act = |pair: &mut Pair| pair.connect(0);
    let check = |pair: &mut Pair| {
        pair.seconds(200);
        assert_eq!(pair.registrations(), 1);
        assert_eq!(pair.devices[0].registrations(), 2);
        let device = pair.lookup(0).expect("registered");
        let location = format!("/rd/{}", device.registration_id);
        assert_eq!(location, pair.devices[0].location());
    };
    crash_at_every_point(1, prepare, act, check);
}

#[test]
fn during_a_deregister() {
    let prepare = |pair: &mut Pair| {
        pair.registered_device(Version::V1_1);
        pair.seconds(1);
    };
    let act = |pair: &mut Pair| pair.touch(0, |device| device.engine.deregister());
    let check = |pair: &mut Pair| {
        pair.seconds(100);
        assert_eq!(pair.devices[0].engine.state(), RegistrationState::Idle);
        // What was acknowledged stays gone, over one more crash, too.
        assert_eq!(pair.registrations(), 0);
        pair.crash_server();
        pair.seconds(10);
        assert_eq!(pair.registrations(), 0);
    };
    crash_at_every_point(1, prepare, act, check);
}

#[test]
fn again_and_again_on_a_bad_network() {
    use crate::harness::bad;
    for seed in 0..12 {
        let mut pair = Pair::new(seed, bad(0.1));
        let devices: Vec<usize> = (0..4).map(|_| pair.add_device(Version::V1_1)).collect();
        for _ in 0..10 {
            let quiet = pair.rng.duration(Duration::from_secs(300));
            pair.pass(quiet);
            if pair.is_up() {
                pair.crash_server();
            }
        }
        pair.network.set_impairment(GOOD);
        pair.seconds(900);
        assert_eq!(pair.registrations(), 4);
        for index in devices {
            assert!(pair.is_registered(index));
            assert_eq!(pair.read(index, TEMPERATURE).expect("a value").len(), 1);
        }
    }
}

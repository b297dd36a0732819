//! Register, Update, De-register and expiry end the same whatever the network does meanwhile.

use std::time::Duration;

use dunlin_client::objects::Temperature;
use dunlin_client::{Event, Version};
use dunlin_server::api::EventKind;
use dunlin_sim::netem::Impairment;

use crate::harness::{GOOD, Pair, bad};

const VERSIONS: [Version; 3] = [Version::V1_0, Version::V1_1, Version::V1_2];

fn expiries(pair: &Pair, index: usize) -> usize {
    pair.told(index, |kind| matches!(kind, EventKind::Expiry))
}

fn failed_updates(pair: &Pair, index: usize) -> usize {
    pair.devices[index].count(|event| matches!(event, Event::UpdateFailed { .. }))
}

/// Four devices: one changes its lifetime and its objects, one leaves, one falls silent, one does
/// nothing.
fn four_lives(seed: u64, impairment: Impairment) {
    let mut pair = Pair::new(seed, impairment);
    let version = VERSIONS[seed as usize % 3];
    let [changing, leaving, silent, steady] =
        core::array::from_fn(|_| pair.registered_device(version));
    pair.touch(changing, |device| device.engine.server_mut().lifetime = 500);
    let pause = pair.rng.duration(Duration::from_secs(2));
    pair.pass(pause);
    pair.touch(changing, |device| {
        let temperature = &mut device.engine.objects_mut().temperature;
        assert!(temperature.insert(1, Temperature::new(5.0)).is_ok());
    });
    pair.touch(leaving, |device| device.engine.deregister());
    pair.touch(silent, |device| device.engine.offline());
    pair.seconds(4000);

    // Calm, so that whoever is just in trouble is through.
    pair.network.set_impairment(GOOD);
    pair.seconds(1000);
    assert_eq!(pair.registrations(), 2);
    let device = pair.lookup(changing).expect("it lives");
    assert_eq!(device.lifetime, 500);
    let sensors = device.objects.iter().find(|object| object.id == 3303);
    assert_eq!(sensors.expect("announced").instances, [0, 1]);
    assert_eq!(device.version, version);
    assert_eq!(pair.lookup(steady).expect("it lives").lifetime, 300);
    for gone in [leaving, silent] {
        assert_eq!(pair.lookup(gone), None);
        // It ends once, although its De-register may not have come through.
        let left = pair.told(gone, |kind| matches!(kind, EventKind::Deregistration));
        let expired = expiries(&pair, gone);
        assert!(
            left + expired == 1,
            "left {left} times, expired {expired} times"
        );
    }
    for index in [changing, steady] {
        assert!(pair.is_registered(index));
        assert_eq!(
            pair.told(index, |kind| matches!(kind, EventKind::Deregistration)),
            0
        );
        assert!(expiries(&pair, index) <= failed_updates(&pair, index));
        let location = format!("/rd/{}", pair.lookup(index).unwrap().registration_id);
        assert_eq!(location, pair.devices[index].location());
    }
    // What lies on disk is what the server knows.
    let stored: Vec<&String> = pair.store.registrations.keys().collect();
    assert_eq!(stored, ["dev-0", "dev-3"]);
}

#[test]
fn the_end_is_the_same_without_loss() {
    for seed in 0..6 {
        for delay in [0, 50, 500, 3000] {
            let delay = Duration::from_millis(delay);
            four_lives(seed, Impairment { delay, ..GOOD });
        }
    }
}

#[test]
fn the_end_is_the_same_with_loss_duplicates_and_reordering() {
    for seed in 0..12 {
        for probability in [0.1, 0.3] {
            for delay in [50, 500, 3000] {
                let delay = Duration::from_millis(delay);
                let jitter = delay;
                four_lives(
                    seed,
                    Impairment {
                        delay,
                        jitter,
                        ..bad(probability)
                    },
                );
            }
        }
    }
}

/// Loss ends a registration only when an Update failed with all its repetitions; the device
/// notices and comes back.
#[test]
fn a_network_that_loses_a_third_does_not_lose_a_device() {
    for seed in 0..8 {
        let mut pair = Pair::new(seed, Impairment { loss: 0.3, ..GOOD });
        let devices: Vec<usize> = (0..4)
            .map(|_| pair.registered_device(Version::V1_1))
            .collect();
        pair.seconds(6 * 3600);
        pair.network.set_impairment(GOOD);
        pair.seconds(600);
        for &index in &devices {
            assert!(expiries(&pair, index) <= failed_updates(&pair, index));
            assert_eq!(
                pair.devices[index].registrations(),
                1 + failed_updates(&pair, index)
            );
        }
        assert_eq!(pair.registrations(), 4);
    }
}

#[test]
fn a_perfect_network_needs_no_repetition() {
    let mut pair = Pair::new(1, GOOD);
    let index = pair.registered_device(Version::V1_1);
    assert_eq!(pair.network.stats().sent, 2);
    pair.seconds(2900);
    let updates = pair.counter("updates_total");
    // 300 s of lifetime less 93 s in which an Update may fail.
    assert_eq!(updates, 2900 / 207);
    assert_eq!(pair.network.stats().sent, 2 + 2 * updates);
    assert_eq!(pair.devices[index].registrations(), 1);
}

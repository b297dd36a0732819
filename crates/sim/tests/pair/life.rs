//! A year in the life of a device.

use dunlin_client::{Event, Version};
use dunlin_server::api::EventKind;
use dunlin_sim::netem::Impairment;

use crate::harness::{GOOD, Pair};

const YEAR: u64 = 365 * 24 * 3600;

fn hourly(seed: u64, impairment: Impairment) -> (Pair, usize) {
    let mut pair = Pair::new(seed, impairment);
    let index = pair.add_silent_device(Version::V1_1);
    pair.devices[index].engine.server_mut().lifetime = 3600;
    pair.connect(index);
    (pair, index)
}

#[test]
fn a_year_passes_and_the_first_registration_lives() {
    let (mut pair, index) = hourly(1, GOOD);
    pair.seconds(YEAR);
    let device = &pair.devices[index];
    assert_eq!(device.registrations(), 1);
    let updates = device.count(|event| matches!(event, Event::Updated { .. })) as u64;
    // Each 3600 s less a tenth.
    assert!((YEAR / 3241..=YEAR / 3240).contains(&updates), "{updates}");
    assert_eq!(
        pair.told(index, |kind| matches!(kind, EventKind::Expiry)),
        0
    );
    assert_eq!(pair.network.stats().sent, 2 + 2 * updates);
    assert_eq!(pair.registrations(), 1);
}

#[test]
fn a_year_of_loss_passes_without_an_expiry() {
    let (mut pair, index) = hourly(2, Impairment { loss: 0.1, ..GOOD });
    pair.seconds(YEAR);
    assert_eq!(
        pair.told(index, |kind| matches!(kind, EventKind::Expiry)),
        0
    );
    // An Update that fails five times is followed by a Register.
    let device = &pair.devices[index];
    let failed = device.count(|event| matches!(event, Event::UpdateFailed { .. }));
    assert!(device.registrations() <= 1 + failed);
    assert_eq!(pair.registrations(), 1);
    assert!(pair.is_registered(index));
}

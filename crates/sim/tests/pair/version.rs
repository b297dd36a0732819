//! A device falls back to the version that the server accepts.

use dunlin_client::Version;

use crate::harness::{GOOD, Pair, TEMPERATURE, bad};

#[test]
fn a_device_takes_the_highest_version_that_is_accepted() {
    let refused = [
        (Version::V1_2, vec![]),
        (Version::V1_1, vec![Version::V1_2]),
        (Version::V1_0, vec![Version::V1_2, Version::V1_1]),
    ];
    for seed in 0..20 {
        for impairment in [GOOD, bad(0.2)] {
            for (accepted, refused) in refused.clone() {
                let mut pair = Pair::new(seed, impairment);
                pair.refused = refused;
                let index = pair.registered_device(Version::V1_2);
                assert_eq!(pair.devices[index].engine.version(), accepted);
                assert_eq!(pair.lookup(index).expect("registered").version, accepted);
                pair.network.set_impairment(GOOD);
                assert_eq!(pair.read(index, TEMPERATURE).expect("a value").len(), 1);
            }
        }
    }
}

#[test]
fn a_device_that_nobody_wants_does_not_spin() {
    let mut pair = Pair::new(1, GOOD);
    pair.refused = vec![Version::V1_2, Version::V1_1];
    let index = pair.add_silent_device(Version::V1_1);
    // 1.0 says its version as well; refused is what the gate takes away from it.
    pair.refused.push(Version::V1_0);
    pair.connect(index);
    pair.seconds(48 * 3600);
    assert!(!pair.is_registered(index));
    // Five attempts, each with 1.1 and with 1.0, and their answers.
    assert_eq!(pair.network.stats().sent, 20);
}

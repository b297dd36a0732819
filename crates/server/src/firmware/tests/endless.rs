//! Devices that keep a job busy without getting anywhere.

use super::*;

#[test]
fn a_device_that_is_always_busy_is_given_up_after_an_hour() {
    for busy_from in [0, 1024] {
        let device = Device {
            busy_from: Some(busy_from),
            ..Device::new()
        };
        let mut world = World::new(Some(Method::Push), device);
        world.until(Stage::Pushing);
        let begun = world.now;
        world.ends(
            Stage::Failed,
            "the device has put the image off for an hour: 5.03 Service Unavailable",
        );
        let took = world.now.saturating_since(begun).as_secs();
        assert!((3600..3700).contains(&took), "{took}");
    }
}

/// It is the time without progress that counts.
#[test]
fn a_device_that_is_busy_now_and_then_is_waited_for() {
    let mut world = World::new(Some(Method::Push), Device::new());
    world.until(Stage::Pushing);
    for _ in 0..2 {
        world.device.busy_from = Some(0);
        let end = world.now + Duration::from_secs(3000);
        while world.now < end {
            assert!(world.step());
        }
        world.device.busy_from = None;
        let sent = world.job.status().sent;
        while world.job.status().sent == sent {
            assert!(world.step());
        }
    }
    world.ends(Stage::Done, INSTALLED);
}

#[test]
fn a_download_that_swings_to_and_fro_is_given_up() {
    let device = Device {
        speed: 0,
        swings: true,
        ..Device::new()
    };
    let mut world = World::new(Some(Method::Pull), device);
    let begun = world.now;
    world.ends(Stage::Failed, "the download has stood still for an hour");
    let took = world.now.saturating_since(begun).as_secs();
    assert!((3600..3900).contains(&took), "{took}");
}

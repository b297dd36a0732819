//! Users who put a firmware update off (Core 1.2 §E.6, resources 11 and 13).

mod common;

use common::firmware::{device, execute, package, read, reboot, stands};
use common::{Flash, put};

const TEXT: u16 = 0;

#[test]
fn severity_and_defer_period_have_ranges() {
    let mut world = device(&Flash::default());
    assert_eq!(read(&mut world, "/5/0/11"), "1");
    for (path, value, code) in [
        ("/5/0/11", "0", "2.04"),
        ("/5/0/11", "1", "2.04"),
        ("/5/0/11", "2", "2.04"),
        ("/5/0/11", "3", "4.00"),
        ("/5/0/11", "-1", "4.00"),
        ("/5/0/13", "30", "2.04"),
        ("/5/0/13", "-5", "4.00"),
        ("/5/0/12", "5", "4.05"),
    ] {
        assert_eq!(
            world.code(&put(path, TEXT, value.as_bytes())),
            code,
            "{path} {value}"
        );
    }
}

#[test]
fn a_user_puts_an_update_off_until_the_period_is_over() {
    let flash = Flash::default();
    flash.set().is_willing = false;
    let mut world = device(&flash);
    world.code(&put("/5/0/11", TEXT, b"2"));
    world.code(&put("/5/0/13", TEXT, b"30"));
    world.code(&package(b"image"));
    flash.log();
    assert_eq!(world.code(&execute("/5/0/2")), "2.04");
    assert_eq!(stands(&mut world), (2, 11));
    assert_eq!(flash.log(), ["ask 2"]);
    // Asking again does not make it longer.
    world.seconds(20);
    assert_eq!(world.code(&execute("/5/0/2")), "2.04");
    world.seconds(9);
    assert_eq!(stands(&mut world), (2, 11));
    world.seconds(1);
    assert_eq!(stands(&mut world), (3, 0));
    flash.log();
    world.seconds(4);
    assert_eq!(flash.log(), ["install"]);
}

#[test]
fn a_user_who_agrees_and_a_server_that_does_not_let_them_wait() {
    let flash = Flash::default();
    flash.set().is_willing = false;
    let mut world = device(&flash);
    world.code(&put("/5/0/13", TEXT, b"30"));
    world.code(&package(b"image"));
    world.code(&execute("/5/0/2"));
    world.client.objects_mut().firmware.agree();
    world.poll();
    assert_eq!(stands(&mut world), (3, 0));
    // 0 is no defer: nobody is asked.
    let flash = Flash::default();
    flash.set().is_willing = false;
    let mut world = device(&flash);
    world.code(&package(b"image"));
    world.code(&execute("/5/0/2"));
    assert_eq!(stands(&mut world), (3, 0));
    // Cancel ends a deferral.
    let flash = Flash::default();
    flash.set().is_willing = false;
    let mut world = device(&flash);
    world.code(&put("/5/0/13", TEXT, b"30"));
    world.code(&package(b"image"));
    world.code(&execute("/5/0/2"));
    assert_eq!(world.code(&execute("/5/0/10")), "2.04");
    world.seconds(40);
    assert_eq!(stands(&mut world), (0, 10));
}

#[test]
fn a_deferral_outlives_a_reboot() {
    // With a clock what is left of the period, without one all of it.
    for (time, left) in [(Some(1_795_000_000), 10), (None, 30)] {
        let flash = Flash::default();
        flash.set().is_willing = false;
        flash.set().time = time;
        let mut world = device(&flash);
        world.code(&put("/5/0/13", TEXT, b"30"));
        world.code(&package(b"image"));
        world.code(&execute("/5/0/2"));
        flash.set().time = time.map(|time| time + 20);
        let mut world = reboot(world, &flash);
        world.register();
        world.seconds(left - 1);
        assert_eq!(stands(&mut world), (2, 11), "{time:?}");
        world.seconds(1);
        assert_eq!(stands(&mut world), (3, 0), "{time:?}");
    }
}

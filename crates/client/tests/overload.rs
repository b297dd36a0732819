//! A server that is overloaded says when it would like to be asked again: 5.03 with Max-Age (RFC
//! 7252 §5.9.3.4).

mod common;

use common::{Got, World};
use dunlin_client::{
    Code, Config, ContentFormat, Event, Formats, Outcome, Path, RegistrationState, Version,
};
use dunlin_coap::OptionNumber;

fn busy(world: &mut World, request: &Got, seconds: Option<u32>) {
    world.answer(request, Code::SERVICE_UNAVAILABLE, |writer| {
        if let Some(seconds) = seconds {
            writer.uint(OptionNumber::MAX_AGE, seconds);
        }
    });
}

/// Asserts that the next message comes after exactly so many seconds.
#[track_caller]
fn after(world: &mut World, seconds: u64) -> Got {
    world.assert_silent();
    if seconds > 0 {
        world.seconds(seconds - 1);
        world.assert_silent();
        world.seconds(1);
    }
    world.take()
}

#[test]
fn the_next_register_comes_when_the_server_would_like_it() {
    let mut world = World::new(Version::V1_1);
    let server = world.server;
    world.client.connect(world.now, server);
    world.poll();
    let mut register = world.take();
    // Within a second and a day; without Max-Age, /1/x/18 as for any other failure.
    for (max_age, wait) in [
        (Some(7), 7),
        (Some(0), 1),
        (None, 240),
        (Some(u32::MAX), 86_400),
    ] {
        busy(&mut world, &register, max_age);
        assert_eq!(world.client.state(), RegistrationState::Waiting);
        register = after(&mut world, wait);
        assert_eq!(register.path(), "/rd");
    }
    // Each is an attempt (/1/x/17).
    busy(&mut world, &register, Some(7));
    assert_eq!(world.client.state(), RegistrationState::Failed);
}

#[test]
fn the_registration_stands_while_an_update_waits() {
    let mut world = World::new(Version::V1_1);
    world.client.server_mut().lifetime = 300;
    world.register();
    world.client.server_mut().lifetime = 200;
    world.poll();
    let update = world.take();
    busy(&mut world, &update, Some(20));
    let code = Some(Code::SERVICE_UNAVAILABLE);
    let failed = Event::UpdateFailed { server: 1, code };
    assert!(world.events.contains(&failed));
    assert_eq!(world.client.state(), RegistrationState::Registered);
    // What it had to say is still to be said.
    let update = after(&mut world, 20);
    assert_eq!(
        (update.path().as_str(), update.query().as_str()),
        ("/rd/5a3f", "lt=200")
    );
    // RFC 7252 §5.10.5: a minute when it is not told.
    busy(&mut world, &update, None);
    let update = after(&mut world, 60);
    assert_eq!(update.path(), "/rd/5a3f");
    // The registration of 300 s ends before that: it is made again, after /1/x/18.
    busy(&mut world, &update, Some(1000));
    assert_eq!(after(&mut world, 60).path(), "/rd");
}

#[test]
fn a_send_goes_again_and_fails_in_the_end() {
    const VALUE: Path = Path::resource(3303, 0, 5700);
    let mut world = World::with(Config {
        version: Version::V1_1,
        formats: Formats {
            v1_1: ContentFormat::SENML_JSON,
            ..Formats::default()
        },
        ..Config::new("dev1")
    });
    world.client.server_mut().mute_send = Some(false);
    world.register();
    let now = world.now;
    let ends = |world: &mut World| -> Vec<Outcome> {
        let events = world.events.drain(..);
        let ends = events.filter_map(|event| match event {
            Event::Delivery { outcome, .. } => Some(outcome),
            _ => None,
        });
        ends.collect()
    };
    world.client.send(now, 1, &[VALUE], true).unwrap();
    world.poll();
    let sent = world.take();
    busy(&mut world, &sent, Some(5));
    assert_eq!(ends(&mut world), []);
    // Another one waits as well, and goes in the same message; the first value with its age.
    let now = world.now;
    world.client.send(now, 1, &[VALUE], true).unwrap();
    let sent = after(&mut world, 5);
    assert_eq!(sent.path(), "/dp");
    assert_eq!(
        sent.text(),
        r#"[{"bn":"/","bt":-5,"n":"3303/0/5700","v":20.0},{"n":"3303/0/5700","v":20.0}]"#
    );
    world.answer_with(&sent, Code::CHANGED);
    assert_eq!(ends(&mut world), [Outcome::Delivered, Outcome::Delivered]);

    // Non-confirmable or not, it is put off five times.
    for confirmable in [true, false] {
        let now = world.now;
        world.client.send(now, 1, &[VALUE], confirmable).unwrap();
        world.poll();
        for _ in 0..5 {
            let sent = world.take();
            busy(&mut world, &sent, None);
            assert_eq!(ends(&mut world), []);
            world.assert_silent();
            world.seconds(60);
        }
        let sent = world.take();
        busy(&mut world, &sent, None);
        let code = Some(Code::SERVICE_UNAVAILABLE);
        assert_eq!(ends(&mut world), [Outcome::Failed { code }]);
        world.seconds(600);
        world.assert_silent();
    }
}

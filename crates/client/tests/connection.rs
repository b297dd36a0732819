//! What the engine makes of a security layer below it: when it wants an association, and what a new
//! one, a resumed one, a lost one mean for the registration.

mod common;

use std::time::Duration;

use common::{Got, World, get};
use dunlin_client::objects::{Security, text};
use dunlin_client::{
    Code, Config, Connection, ConnectionFault, Context, Event, RegistrationState, Version,
};

fn config(version: Version) -> Config {
    Config {
        version,
        ..Config::new("dev1")
    }
}

fn secured(config: Config) -> World {
    let mut world = World::with(config);
    world.client.security_mut().security_mode = Security::PSK;
    let server = world.server;
    world.client.connect(world.now, server);
    world.poll();
    world
}

fn connection(world: &World) -> Connection {
    world.client.account(1).expect("is there").connection()
}

fn connected(world: &mut World, context: Context) {
    world
        .client
        .connected(world.now, 1, context)
        .expect("is there");
    world.poll();
}

fn failed(world: &mut World, fault: ConnectionFault) {
    world
        .client
        .connection_failed(world.now, 1, fault)
        .expect("is there");
    world.poll();
}

fn closed(world: &mut World) {
    world
        .client
        .connection_closed(world.now, 1, ConnectionFault::Silent)
        .expect("is there");
    world.poll();
}

/// Registered over an association that is proven.
fn registered(config: Config) -> World {
    let mut world = secured(config);
    assert_eq!(connection(&world), Connection::Wanted);
    connected(&mut world, Context::New);
    let register = world.take();
    assert_eq!(register.path(), "/rd");
    world.answer_created(&register);
    world.events.clear();
    world
}

#[test]
fn nothing_is_sent_before_the_association_stands() {
    let mut world = secured(config(Version::V1_1));
    world.assert_silent();
    assert_eq!(connection(&world), Connection::Wanted);
    assert_eq!(world.client.next_timeout(), None);
    world.seconds(100_000);
    world.assert_silent();
    connected(&mut world, Context::New);
    assert_eq!(connection(&world), Connection::Up);
    assert_eq!(
        world.events,
        [Event::Connected {
            server: 1,
            context: Context::New
        }]
    );
    assert_eq!(world.take().path(), "/rd");
    // Without security nothing has to be set up.
    let world = World::registered(Version::V1_1);
    assert_eq!(connection(&world), Connection::Plain);
}

/// Core 1.0 §5.3.1, 1.1 and 1.2.0 §6.2.1: Register; 1.2.1: no more.
#[test]
fn a_new_context_is_a_register_before_1_2_1() {
    for (version, supported, path) in [
        (Version::V1_0, None, "/rd"),
        (Version::V1_1, None, "/rd"),
        (Version::V1_2, None, "/rd"),
        (Version::V1_2, Some("1.2"), "/rd"),
        (Version::V1_2, Some("1.2.1"), "/rd/5a3f"),
    ] {
        let mut world = World::with(config(version));
        world.client.server_mut().supported_versions =
            supported.map(|supported| [(0, text(supported))].into_iter().collect());
        world.client.security_mut().security_mode = Security::PSK;
        let server = world.server;
        world.client.connect(world.now, server);
        world.poll();
        connected(&mut world, Context::New);
        let register = world.take();
        world.answer_created(&register);
        closed(&mut world);
        world.assert_silent();
        assert_eq!(connection(&world), Connection::Wanted);
        connected(&mut world, Context::New);
        let next = world.take();
        assert_eq!(next.path(), path, "{version} {supported:?}");
        assert_eq!(next.code, Code::POST);
        world.assert_silent();
    }
}

#[test]
fn a_resumed_context_is_an_update_and_a_kept_one_nothing() {
    for version in [Version::V1_0, Version::V1_1, Version::V1_2] {
        let mut world = registered(config(version));
        closed(&mut world);
        connected(&mut world, Context::Resumed);
        let update = world.take();
        assert_eq!(update.path(), "/rd/5a3f", "{version}");
        world.answer_with(&update, Code::CHANGED);
        // In queue mode nobody has to be reached: the association is missed when there is news.
        let mut world = registered(Config {
            queue_mode: true,
            ..config(version)
        });
        world.ask(&get("/3303/0/5700").observe(0, b"o"));
        closed(&mut world);
        assert_eq!(connection(&world), Connection::Down);
        world.set_temperature(30.0);
        assert_eq!(connection(&world), Connection::Wanted);
        world.assert_silent();
        connected(&mut world, Context::Kept);
        let notification = world.take();
        assert_eq!(notification.token, b"o");
        world.assert_silent();
    }
}

#[test]
fn failures_follow_the_retry_resources() {
    let mut world = secured(config(Version::V1_1));
    let account = world.client.server_mut();
    account.retry_count = Some(3);
    account.retry_timer = Some(10);
    account.sequence_delay = Some(1000);
    account.sequence_count = Some(2);
    let mut waited = Vec::new();
    let mut last = world.now;
    loop {
        let tried = world.now;
        failed(&mut world, ConnectionFault::Silent);
        waited.push((tried - last).as_secs());
        last = tried;
        let event = world.events.pop().expect("is told");
        let Event::ConnectionFailed {
            retry_at,
            bootstrap,
            ..
        } = event
        else {
            panic!("{event:?}");
        };
        assert_eq!(bootstrap, retry_at.is_none());
        let Some(at) = retry_at else { break };
        assert_eq!(connection(&world), Connection::Down);
        assert_eq!(world.client.next_timeout(), Some(at));
        world.run_until(at);
        assert_eq!(connection(&world), Connection::Wanted);
        world.assert_silent();
    }
    // 10 s, 20 s, then the next sequence.
    assert_eq!(waited, [0, 10, 20, 1000, 10, 20]);
    assert_eq!(world.client.state(), RegistrationState::Failed);
    world.seconds(1_000_000);
    assert_eq!(connection(&world), Connection::Down);
}

#[test]
fn alerts_are_kept_and_told_apart() {
    for (fault, kept, bootstrap) in [
        (ConnectionFault::Alert(40), Some(40), false),
        (ConnectionFault::Alert(48), Some(48), true),
        (ConnectionFault::Refused, None, true),
        (ConnectionFault::Silent, None, false),
    ] {
        let mut world = secured(config(Version::V1_1));
        failed(&mut world, fault);
        assert_eq!(world.client.server().tls_alert_code, kept);
        assert_eq!(
            world.events,
            [Event::ConnectionFailed {
                server: 1,
                fault,
                retry_at: Some(world.now + Duration::from_secs(60)),
                bootstrap,
            }]
        );
        // Both classes are tried again as the resources say.
        world.seconds(60);
        connected(&mut world, Context::New);
        let register = world.take();
        world.answer_created(&register);
        // The server reads what it said last.
        let answer = world.ask(&get("/1/0/11"));
        match kept {
            Some(number) => assert_eq!(answer.text(), number.to_string()),
            None => assert_eq!(answer.code, Code::NOT_FOUND),
        }
    }
    let mut world = secured(config(Version::V1_1));
    world.client.server_mut().bootstrap_on_failure = Some(false);
    failed(&mut world, ConnectionFault::Refused);
    assert!(matches!(
        world.events[..],
        [Event::ConnectionFailed {
            bootstrap: false,
            ..
        }]
    ));
}

#[test]
fn a_registration_outlives_failed_attempts() {
    let mut world = registered(config(Version::V1_1));
    closed(&mut world);
    failed(&mut world, ConnectionFault::Silent);
    assert_eq!(world.client.state(), RegistrationState::Registered);
    world.seconds(60);
    assert_eq!(connection(&world), Connection::Wanted);
    connected(&mut world, Context::Resumed);
    assert_eq!(world.take().path(), "/rd/5a3f");
    // Past its end there is none to update.
    let mut world = registered(config(Version::V1_1));
    closed(&mut world);
    world.seconds(86_400);
    connected(&mut world, Context::Resumed);
    assert_eq!(world.take().path(), "/rd");
}

/// A message that nobody answers over an association that was not heard of late: the server may have
/// forgotten it.
#[test]
fn silence_is_a_reason_for_another_association() {
    let mut world = registered(config(Version::V1_1));
    // Kept over a sleep: nothing shows that the server still knows it.
    closed(&mut world);
    connected(&mut world, Context::Kept);
    world.client.update(world.now);
    world.poll();
    assert_eq!(world.take().path(), "/rd/5a3f");
    world.seconds(93);
    world.sent.clear();
    assert_eq!(connection(&world), Connection::Wanted);
    assert_eq!(
        world.events.last(),
        Some(&Event::ConnectionClosed {
            server: 1,
            fault: ConnectionFault::Silent
        })
    );
    world.events.clear();
    connected(&mut world, Context::Resumed);
    let update = world.take();
    assert_eq!(update.path(), "/rd/5a3f");
    // The handshake was answered a moment ago: now it is the Update that failed.
    world.seconds(93);
    let failed = Event::UpdateFailed {
        server: 1,
        code: None,
    };
    assert!(world.events.contains(&failed), "{:?}", world.events);
    let last = Got::parse(world.sent.back().expect("a Register"));
    assert_eq!(last.path(), "/rd");
    assert_eq!(connection(&world), Connection::Up);
}

#[test]
fn what_was_under_way_is_said_again() {
    // A Register.
    let mut world = secured(config(Version::V1_1));
    connected(&mut world, Context::New);
    let first = world.take();
    closed(&mut world);
    connected(&mut world, Context::Resumed);
    let second = world.take();
    assert_eq!(second.path(), "/rd");
    assert_ne!(first.token, second.token);
    world.answer_created(&second);
    // A De-register.
    world.client.deregister();
    world.poll();
    assert_eq!(world.take().code, Code::DELETE);
    closed(&mut world);
    connected(&mut world, Context::Resumed);
    let deregister = world.take();
    assert_eq!(deregister.code, Code::DELETE);
    world.answer_with(&deregister, Code::DELETED);
    // The association ends with the registration.
    assert_eq!(connection(&world), Connection::Down);
    world.seconds(1_000_000);
    world.assert_silent();
    assert_eq!(connection(&world), Connection::Down);
}

#[test]
fn whoever_cannot_take_leave_is_gone_all_the_same() {
    let mut world = registered(config(Version::V1_1));
    closed(&mut world);
    world.client.deregister();
    world.poll();
    failed(&mut world, ConnectionFault::Silent);
    assert_eq!(
        world.events.last(),
        Some(&Event::Deregistered { server: 1 })
    );
    assert_eq!(world.client.state(), RegistrationState::Idle);
}

#[test]
fn disable_closes_the_association_and_silence_follows() {
    let mut world = registered(config(Version::V1_1));
    world.client.server_mut().disable_timeout = Some(100);
    assert_eq!(world.code(&common::ask(Code::POST, "/1/0/4")), "2.04");
    let deregister = world.take();
    world.answer_with(&deregister, Code::DELETED);
    assert_eq!(connection(&world), Connection::Down);
    world.seconds(99);
    assert_eq!(connection(&world), Connection::Down);
    world.seconds(1);
    assert_eq!(connection(&world), Connection::Wanted);
}

/// The identity of the association says who the device is, not its address.
#[test]
fn another_address_is_an_update_over_the_same_association() {
    let mut world = registered(config(Version::V1_1));
    world.ask(&get("/3303/0/5700").observe(0, b"o"));
    world.client.rebind(world.now);
    world.poll();
    let update = world.take();
    assert_eq!(update.path(), "/rd/5a3f");
    world.answer_with(&update, Code::CHANGED);
    assert_eq!(world.client.observed().count(), 1);
    assert_eq!(connection(&world), Connection::Up);
}

#[test]
fn offline_wants_nothing() {
    let mut world = secured(config(Version::V1_1));
    world.client.offline();
    world.poll();
    assert_eq!(connection(&world), Connection::Down);
    world.seconds(1000);
    world.client.online(world.now);
    world.poll();
    assert_eq!(connection(&world), Connection::Wanted);
}

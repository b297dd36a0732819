//! Associations over sleep, crashes, other addresses, silence.

use dunlin_client::secure::SessionStorage;
use dunlin_client::{Code, Config, ConnectionFault, Context, Event, RegistrationState, Version};
use dunlin_dtls::{Reason, ServerConfig};

use crate::world::{World, psk};

fn config() -> Config {
    Config::new("dev1")
}

#[test]
fn a_deep_sleep_costs_no_handshake() {
    let mut world = World::registered(psk());
    let now = world.now;
    world.client.sleep(now).unwrap();
    let sent = world.sent.len();
    world.seconds(3600);
    world.reboot(config(), psk());
    world.poll();
    // The Register is the first and only datagram.
    assert_eq!(world.sent.len(), sent + 1);
    world.register();
    assert_eq!(world.handshakes.len(), 1);
    assert_eq!(world.status().context, Context::Kept);
}

/// The memory of the engine need not be lost: then there is no Register either.
#[test]
fn whoever_sleeps_and_goes_on_loses_nothing() {
    let mut world = World::registered(psk());
    let now = world.now;
    world.client.sleep(now).unwrap();
    assert!(!world.status().is_up);
    world.update();
    assert_eq!(world.take().path, "/rd/5a3f");
    assert_eq!(world.handshakes.len(), 1);
    assert_eq!(world.status().context, Context::Kept);
}

/// After a crash the association goes on with numbers that were claimed before: none is used twice.
#[test]
fn a_crash_costs_no_handshake_and_reuses_no_number() {
    let mut world = World::registered(psk());
    for _ in 0..5 {
        world.update();
        let update = world.take();
        world.answer(&update, Code::CHANGED, |_| {});
    }
    let before = world.sent.clone();
    world.reboot(config(), psk());
    world.poll();
    world.register();
    assert_eq!(world.handshakes.len(), 1);
    // Explicit nonces: epoch and sequence number, behind type, version and the connection id of 8
    // bytes.
    let nonces = |datagrams: &[Vec<u8>]| -> Vec<Vec<u8>> {
        datagrams
            .iter()
            .filter(|datagram| datagram[0] == 25)
            .map(|datagram| datagram[3..11].to_vec())
            .collect()
    };
    let (old, all) = (nonces(&before), nonces(&world.sent));
    assert!(old.len() >= 6);
    assert_eq!(all.len(), old.len() + 1);
    let last = all.last().unwrap();
    assert!(old.iter().all(|nonce| nonce < last), "{last:?}");
}

/// What the server said before a crash is authentic, and must not work again after it.
#[test]
fn what_came_before_a_crash_is_not_taken_again() {
    // Played again before the Register is answered and after it, or only after it.
    for plays_before in [true, false] {
        let mut world = World::registered(psk());
        let session = world.handshakes[0].0;
        world.ask(session, Code::POST, "/3/0/4");
        assert!(world.events.contains(&Event::Reboot));
        let old = world.received.clone();
        world.events.clear();
        world.got.clear();
        world.reboot(config(), psk());
        world.poll();
        for datagram in old.iter().filter(|_| plays_before) {
            world.datagram(datagram);
        }
        world.register();
        for datagram in &old {
            world.datagram(datagram);
        }
        assert!(world.got.is_empty(), "{:?}", world.got);
        assert!(!world.events.contains(&Event::Reboot));
        // The server itself is heard.
        world.ask(session, Code::GET, "/3/0/16");
        assert_eq!(world.take().code, Code::CONTENT);
    }
}

#[test]
fn a_resumed_session_needs_no_register() {
    let mut world = World::registered(psk());
    let session = world.handshakes[0].0;
    world.close(session);
    // Without queue mode the server must be able to reach the device.
    assert!(matches!(world.handshakes[..], [(_, false), (_, true)]));
    assert_eq!(world.status().context, Context::Resumed);
    let update = world.take();
    assert_eq!(update.path, "/rd/5a3f");
    assert_eq!(update.session, world.handshakes[1].0);
}

#[test]
fn a_server_that_forgot_everything_gets_a_full_handshake_and_a_register() {
    for version in [Version::V1_0, Version::V1_1, Version::V1_2] {
        let config = Config {
            version,
            ..config()
        };
        let mut world = World::with(config, psk(), ServerConfig::default());
        world.poll();
        world.register();
        world.server = dunlin_dtls::Server::new(ServerConfig::default(), &mut world.rng);
        world.update();
        // Nobody answers the Update, then there is another association.
        world.seconds(93);
        assert!(matches!(world.handshakes[..], [(_, false), (_, false)]));
        assert!(world.events.contains(&Event::ConnectionClosed {
            server: 1,
            fault: ConnectionFault::Silent
        }));
        assert_eq!(world.take().path, "/rd", "{version}");
        world.got.clear();
    }
}

#[test]
fn silence_leads_to_a_short_handshake() {
    let mut world = World::registered(psk());
    let now = world.now;
    world.client.sleep(now).unwrap();
    world.update();
    world.got.clear();
    world.seconds(93);
    assert!(matches!(world.handshakes[..], [(_, false), (_, true)]));
}

#[test]
fn another_address_keeps_the_session() {
    let mut world = World::registered(psk());
    world.from = "198.51.100.7:40001".parse().unwrap();
    let now = world.now;
    world.client.rebind(now);
    world.poll();
    let update = world.take();
    assert_eq!(update.path, "/rd/5a3f");
    assert_eq!(world.handshakes.len(), 1);
    let session = update.session;
    world.answer(&update, Code::CHANGED, |_| {});
    assert_eq!(world.server.address(session), Some(world.from));
    // Without a connection id the session is resumed from there.
    let server = ServerConfig {
        connection_id: None,
        ..ServerConfig::default()
    };
    let mut world = World::with(config(), psk(), server);
    world.poll();
    world.register();
    world.from = "198.51.100.7:40001".parse().unwrap();
    let now = world.now;
    world.client.rebind(now);
    world.poll();
    assert!(matches!(world.handshakes[..], [(_, false), (_, true)]));
    assert_eq!(world.take().path, "/rd/5a3f");
}

#[test]
fn leaving_closes_the_association() {
    let mut world = World::registered(psk());
    world.client.client_mut().deregister();
    world.poll();
    let deregister = world.take();
    assert_eq!(deregister.code, Code::DELETE);
    world.answer(&deregister, Code::DELETED, |_| {});
    assert_eq!(world.closed, [Reason::CloseNotify]);
    assert_eq!(world.client.client().state(), RegistrationState::Idle);
    // Its session is resumed when the device comes back.
    world.connect();
    world.poll();
    world.register();
    assert!(matches!(world.handshakes[..], [(_, false), (_, true)]));
}

#[test]
fn a_handshake_that_nobody_answers_fails_and_is_tried_again() {
    let mut world = World::new(psk());
    world.is_cut = true;
    world.poll();
    assert!(world.status().is_connecting);
    world.seconds(89);
    assert!(world.events.is_empty(), "{:?}", world.events);
    assert!(world.sent.len() > 3);
    world.seconds(2);
    assert!(matches!(
        world.events[..],
        [Event::ConnectionFailed {
            fault: ConnectionFault::Silent,
            bootstrap: false,
            retry_at: Some(_),
            ..
        }]
    ));
    world.is_cut = false;
    world.seconds(60);
    world.events.clear();
    world.register();
}

#[test]
fn offline_gives_a_handshake_up() {
    let mut world = World::new(psk());
    world.is_cut = true;
    world.poll();
    world.client.client_mut().offline();
    world.poll();
    let sent = world.sent.len();
    world.seconds(600);
    assert_eq!(world.sent.len(), sent);
    world.is_cut = false;
    let now = world.now;
    world.client.client_mut().online(now);
    world.poll();
    world.register();
}

/// A session belongs to the credentials it was set up with.
#[test]
fn other_credentials_begin_anew() {
    let mut world = World::registered(psk());
    let now = world.now;
    world.client.sleep(now).unwrap();
    let mut other = psk();
    other.server_uri = dunlin_client::objects::text("coaps://other.example");
    world.reboot(config(), other);
    world.poll();
    world.register();
    assert!(matches!(world.handshakes[..], [(_, false), (_, false)]));
}

#[test]
fn a_storage_is_written_seldom_and_may_fail() {
    let mut world = World::registered(psk());
    let after_handshake = *world.flash.saves.borrow();
    let update = |world: &mut World| {
        world.update();
        let update = world.take();
        world.answer(&update, Code::CHANGED, |_| {});
    };
    for _ in 0..200 {
        update(&mut world);
    }
    assert_eq!(*world.flash.saves.borrow(), after_handshake);
    for _ in 0..1000 {
        update(&mut world);
    }
    assert_eq!(*world.flash.saves.borrow(), after_handshake + 1);
    // Numbers that cannot be claimed are not used: other keys are.
    *world.flash.is_broken.borrow_mut() = true;
    for _ in 0..1100 {
        world.update();
        while let Some(update) = world.got.pop_front() {
            world.answer(&update, Code::CHANGED, |_| {});
        }
    }
    assert!(world.handshakes.len() >= 2, "{:?}", world.handshakes);
    assert_eq!(world.client.client().state(), RegistrationState::Registered);
}

/// Whatever the storage gives back, a handshake is made in its place.
#[test]
fn damaged_records_are_nothing() {
    let mut world = World::registered(psk());
    let now = world.now;
    world.client.sleep(now).unwrap();
    let good = world.flash.load(1).unwrap().unwrap();
    for change in 0..good.len() {
        let mut bad = good.clone();
        bad[change] ^= 0x40;
        world.flash.save(1, &bad).unwrap();
        world.reboot(config(), psk());
        world.got.clear();
        world.poll();
        assert_eq!(world.take().path, "/rd", "{change}");
    }
    for end in 0..good.len() {
        world.flash.save(1, &good[..end]).unwrap();
        world.reboot(config(), psk());
        world.got.clear();
        world.poll();
        assert_eq!(world.take().path, "/rd", "{end}");
    }
}

#[test]
fn an_account_that_goes_takes_its_session_along() {
    let mut world = World::registered(psk());
    world
        .client
        .client_mut()
        .add_server(
            dunlin_client::objects::Server::new(2),
            &mut crate::world::Seeded(1),
        )
        .unwrap();
    world.client.client_mut().remove_server(1).unwrap();
    world.poll();
    assert_eq!(world.closed, [Reason::CloseNotify]);
    assert!(world.flash.load(1).unwrap().is_none());
    assert!(world.client.session(1).is_none());
}

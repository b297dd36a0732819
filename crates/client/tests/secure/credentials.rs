//! Every security mode, and what is wrong with an account.

use dunlin_client::objects::{Security, text};
use dunlin_client::secure::{CredentialError, Suite};
use dunlin_client::{Config, ConnectionFault, Context, Event, Field, Value};
use dunlin_dtls::{Reason, ServerConfig};

use crate::world::{IDENTITY, KEY, Keys, URI, World, pair, psk};

#[test]
fn a_pre_shared_key() {
    let mut world = World::registered(psk());
    assert_eq!(world.handshakes.len(), 1);
    let status = world.status();
    assert!(status.is_up && status.has_connection_id && status.can_resume);
    assert_eq!(status.context, Context::New);
    assert_eq!(status.suite, Some(Suite::PskAes128Ccm8));
    // The host name is told, for servers with several (RFC 6066 §3).
    assert_eq!(*world.accepts.names.borrow(), ["lwm2m.example.com"]);
    // Nothing went in the clear.
    for datagram in &world.sent {
        assert!(matches!(datagram[0], 20..=25), "{datagram:02x?}");
    }
    let session = world.handshakes[0].0;
    world.ask(session, dunlin_client::Code::GET, "/3/0/16");
    assert_eq!(world.take().code, dunlin_client::Code::CONTENT);
}

fn raw_public_key() -> Security<Keys> {
    let (device, server) = (pair(1), pair(9));
    Security::raw_public_key(
        URI,
        device.public_key(),
        &device.to_der(),
        server.public_key(),
    )
    .unwrap()
}

#[test]
fn raw_public_keys() {
    let mut world = World::new(raw_public_key());
    world.accepts.raw_public_key = Some(pair(1).public_key().to_vec());
    world.poll();
    world.register();
    assert_eq!(world.status().suite, Some(Suite::EcdheEcdsaAes128Ccm8));
}

#[test]
fn a_server_with_another_key_is_refused() {
    let mut account = raw_public_key();
    account
        .server_public_key
        .set(0, Value::Opaque(pair(8).public_key()))
        .unwrap();
    let mut world = World::new(account);
    world.accepts.raw_public_key = Some(pair(1).public_key().to_vec());
    world.poll();
    assert!(
        matches!(
            world.events[..],
            [Event::ConnectionFailed {
                fault: ConnectionFault::Refused,
                bootstrap: true,
                ..
            }]
        ),
        "{:?}",
        world.events
    );
    assert!(matches!(world.status().ended, Some(Reason::AlertSent(_))));
    assert!(world.got.is_empty());
}

#[test]
fn a_device_that_the_server_does_not_know_keeps_its_alert() {
    let mut world = World::new(raw_public_key());
    world.poll();
    let [
        Event::ConnectionFailed {
            fault: ConnectionFault::Alert(number),
            ..
        },
    ] = world.events[..]
    else {
        panic!("{:?}", world.events);
    };
    assert_eq!(world.client.client().server().tls_alert_code, Some(number));
    // It is tried again as the retry resources say.
    world.accepts.raw_public_key = Some(pair(1).public_key().to_vec());
    world.seconds(60);
    world.events.clear();
    world.register();
}

/// `/0/x/16` orders, `/0/x/24` switches off.
#[test]
fn suites_and_extensions_are_those_of_the_account() {
    let mut account = psk();
    account.ciphersuites = [(0, 0x00AE), (1, 0x1301), (2, 0xC0A8)]
        .into_iter()
        .collect();
    account.tls_extensions = Some(0);
    let server = ServerConfig {
        suites: vec![Suite::PskAes128CbcSha256, Suite::PskAes128Ccm8],
        ..ServerConfig::default()
    };
    let mut world = World::with(Config::new("dev1"), account, server);
    world.poll();
    world.register();
    assert_eq!(world.status().suite, Some(Suite::PskAes128CbcSha256));
    assert!(!world.status().has_connection_id);
    assert!(world.accepts.names.borrow().is_empty());
    // A name of its own is sent in any case (Transport 1.2 §5.2.8).
    let mut account = psk();
    account.sni = Some(text("name.example"));
    let mut world = World::new(account);
    world.poll();
    assert_eq!(*world.accepts.names.borrow(), ["name.example"]);
    // The literal of an address is none (RFC 6066 §3).
    let mut account = psk();
    account.server_uri = text("coaps://[2001:db8::1]");
    let mut world = World::new(account);
    world.poll();
    assert!(world.accepts.names.borrow().is_empty());
    assert_eq!(world.handshakes.len(), 1);
}

#[test]
fn an_account_that_cannot_work_says_why() {
    let with = |change: &dyn Fn(&mut Security<Keys>)| {
        let mut account = psk();
        change(&mut account);
        account
    };
    let mode = |mode: u8| with(&|account| account.security_mode = mode);
    let mut mismatch = raw_public_key();
    mismatch
        .identity
        .set(0, Value::Opaque(pair(2).public_key()))
        .unwrap();
    for (account, problem, words) in [
        (mode(4), CredentialError::Est, "EST"),
        (mode(5), CredentialError::Mode, "/0/x/2"),
        (
            Security::psk("coap://plain.example", IDENTITY, KEY).unwrap(),
            CredentialError::Uri,
            "coaps://",
        ),
        (
            Security::psk(URI, b"", KEY).unwrap(),
            CredentialError::Psk,
            "identity",
        ),
        (
            with(&|account| account.ciphersuites = [(0, 0xC0AE)].into_iter().collect()),
            CredentialError::Suites,
            "/0/x/16",
        ),
        (mismatch, CredentialError::Mismatch, "/0/x/3"),
    ] {
        let mut world = World::new(account);
        world.poll();
        assert!(
            matches!(
                world.events[..],
                [Event::ConnectionFailed {
                    fault: ConnectionFault::Refused,
                    ..
                }]
            ),
            "{problem:?}: {:?}",
            world.events
        );
        assert_eq!(world.status().problem, Some(problem));
        assert!(problem.to_string().contains(words), "{problem}");
        assert!(world.sent.is_empty());
    }
}

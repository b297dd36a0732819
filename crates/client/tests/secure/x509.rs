//! Certificates: the usages of `/0/x/15`, names, time, the trust store.

use std::time::Duration;

use dunlin_client::objects::{Security, text};
use dunlin_client::secure::{SecureClient, Settings, Suite};
use dunlin_client::{Config, ConnectionFault, Event};
use dunlin_dtls::{Reason, ServerConfig, ServerKey};
use sha2::{Digest, Sha256};

use crate::pki::{Issued, NOW, Wanted};
use crate::world::{Keys, URI, World, device};

const HOST: &str = "lwm2m.example.com";

/// An authority, the server's certificate and the device's.
struct Parties {
    root: Issued,
    server: Issued,
    device: Issued,
}

impl Parties {
    fn new(server_name: &str) -> Self {
        let root = Wanted::authority("Root").key(1).self_signed();
        let server = root.issue(Wanted::leaf(server_name).dns(server_name).key(2));
        let device = root.issue(Wanted::leaf("dev1").key(3));
        Self {
            root,
            server,
            device,
        }
    }

    fn account(&self, server: &[u8], usage: u8) -> Security<Keys> {
        let key = self.device.key_pair().to_der();
        Security::certificate(URI, &self.device.der, &key, server, usage).unwrap()
    }

    /// A device with this account, that knows the time if told to.
    fn world(&self, account: Security<Keys>, trust: &[&Issued], knows_time: bool) -> World {
        let config = ServerConfig {
            key: Some(ServerKey {
                pair: self.server.key_pair().clone(),
                chain: vec![self.server.der.clone().into()],
                raw_public_key: false,
            }),
            ..ServerConfig::default()
        };
        let mut world = World::with(Config::new("dev1"), account.clone(), config);
        world.accepts.certificate = Some(self.device.der.clone());
        let mut inner = device(Config::new("dev1"), account, &mut world.rng);
        if knows_time {
            inner.set_clock(world.now, Duration::from_secs(NOW));
        }
        let settings = Settings {
            trust_store: trust
                .iter()
                .map(|issued| issued.der.clone().into())
                .collect(),
            ..Settings::default()
        };
        world.client = SecureClient::new(inner, world.flash.clone(), settings);
        world.connect();
        world.poll();
        world
    }
}

fn is_accepted(mut world: World) -> bool {
    if world.handshakes.is_empty() {
        let refused = Event::ConnectionFailed {
            server: 1,
            fault: ConnectionFault::Refused,
            retry_at: Some(world.now + Duration::from_secs(60)),
            bootstrap: true,
        };
        assert_eq!(world.events, [refused]);
        assert!(matches!(world.status().ended, Some(Reason::AlertSent(_))));
        return false;
    }
    world.register();
    assert_eq!(world.status().suite, Some(Suite::EcdheEcdsaAes128Ccm8));
    true
}

#[test]
fn every_usage() {
    let parties = Parties::new(HOST);
    let other = Wanted::authority("Other").key(7).self_signed();
    let (root, server) = (&parties.root.der, &parties.server.der);
    for (usage, content, trust, accepted) in [
        (0, root, &[&parties.root][..], true),
        (0, root, &[&other][..], false),
        (1, server, &[&parties.root][..], true),
        (1, server, &[&other][..], false),
        (2, root, &[][..], true),
        (2, &other.der, &[&parties.root][..], false),
        (3, server, &[][..], true),
        (3, &other.der, &[&parties.root][..], false),
    ] {
        let world = parties.world(parties.account(content, usage), trust, true);
        assert_eq!(is_accepted(world), accepted, "usage {usage}");
    }
    // Domain-issued when nothing is said (object 0).
    let mut account = parties.account(server, 3);
    account.certificate_usage = None;
    assert!(is_accepted(parties.world(account, &[], false)));
}

#[test]
fn a_hash_stands_for_a_certificate() {
    let parties = Parties::new(HOST);
    let hash = Sha256::digest(&parties.server.der);
    for (content, accepted) in [(hash.as_slice(), true), (&[0; 32], false)] {
        let mut account = parties.account(content, 3);
        account.matching_type = Some(1);
        assert_eq!(is_accepted(parties.world(account, &[], false)), accepted);
    }
}

/// ETS 403: a certificate for another host name.
#[test]
fn the_name_counts() {
    let parties = Parties::new("other.example.com");
    let account = parties.account(&parties.root.der, 2);
    assert!(!is_accepted(parties.world(account.clone(), &[], true)));
    // Unless the account says that it is this name (`/0/x/14`).
    let mut named = account;
    named.sni = Some(text("other.example.com"));
    assert!(is_accepted(parties.world(named, &[], true)));
}

#[test]
fn a_period_of_validity_needs_a_clock() {
    let parties = Parties::new(HOST);
    let account = parties.account(&parties.root.der, 2);
    assert!(!is_accepted(parties.world(account, &[], false)));
}

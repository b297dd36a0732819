//! Handshakes with X.509 certificates on both sides.
#![cfg(feature = "x509")]

mod common;
#[path = "support/pki.rs"]
mod pki;

use common::*;
use dunlin_dtls::{
    Alert, CertificateUsage, ClientConfig, ClientCredentials, ExpectedServer, Identity, Matching,
    Reason, ServerConfig, ServerKey, Suite, WallClock,
};
use pki::{Issued, NOW, Wanted};

struct Pki {
    root: Issued,
    server: Issued,
    device: Issued,
}

fn pki() -> Pki {
    let root = Wanted::authority("Root").self_signed();
    let server = root.issue(Wanted::leaf("server").key(2).dns("lwm2m.example.com"));
    let device = root.issue(Wanted::leaf("device-1").key(3));
    Pki {
        root,
        server,
        device,
    }
}

fn pair(pki: &Pki, name: &str, suite: Suite) -> Pair {
    let verifier = ExpectedServer::certificate(
        &pki.root.der,
        Matching::Exact,
        CertificateUsage::TrustAnchorAssertion,
    )
    .unwrap()
    .named(name)
    .at(WallClock {
        at: dunlin_coap::Instant::from_secs(1000),
        unix_seconds: NOW,
    });
    let mut client = ClientConfig::new(ClientCredentials::Certificate {
        chain: vec![pki.device.der.clone().into(), pki.root.der.clone().into()],
        key: pki.device.key_pair().clone(),
        verifier: Box::new(verifier),
    });
    client.suites = vec![suite];
    client.server_name = Some(name.into());
    let server = ServerConfig {
        suites: Suite::ALL.to_vec(),
        key: Some(ServerKey {
            pair: pki.server.key_pair().clone(),
            chain: vec![pki.server.der.clone().into()],
            raw_public_key: true,
        }),
        ..ServerConfig::default()
    };
    let mut pair = Pair::new(client, server);
    pair.store.certificates.insert(pki.device.der.clone(), 43);
    pair
}

#[test]
fn both_sides_show_certificates() {
    let pki = pki();
    for suite in [
        Suite::EcdheEcdsaAes128Ccm8,
        Suite::EcdheEcdsaAes128GcmSha256,
        Suite::EcdheEcdsaAes128CbcSha256,
    ] {
        let mut pair = pair(&pki, "lwm2m.example.com", suite).connected();
        let Some(Told::Connected { identity, tag, .. }) = pair.told.first() else {
            panic!("{:?}", pair.told);
        };
        let chain = vec![pki.device.der.clone().into(), pki.root.der.clone().into()];
        assert_eq!((identity, *tag), (&Identity::Certificate(chain), 43));
        pair.exchange();
    }
}

#[test]
fn a_session_of_certificates_is_resumed_without_them() {
    let pki = pki();
    let suite = Suite::EcdheEcdsaAes128Ccm8;
    let mut pair = pair(&pki, "lwm2m.example.com", suite).connected();
    let resumption = pair.client.resumption().unwrap();
    pair.said.clear();
    pair.connect(Some(&resumption));
    pair.run();
    assert_eq!(pair.said, [Said::Connected { resumed: true }]);
    assert!(matches!(
        pair.told.last(),
        Some(Told::Connected {
            identity: Identity::Certificate(_),
            tag: 43,
            ..
        })
    ));
    pair.exchange();
}

#[test]
fn a_server_of_another_name_is_refused() {
    let pki = pki();
    let mut pair = pair(&pki, "other.example.com", Suite::EcdheEcdsaAes128Ccm8);
    pair.connect(None);
    pair.run();
    assert_eq!(
        pair.said,
        [Said::Closed(Reason::AlertSent(Alert::BAD_CERTIFICATE))]
    );
}

#[test]
fn a_device_of_an_unknown_authority_is_refused() {
    let pki = pki();
    let mut pair = pair(&pki, "lwm2m.example.com", Suite::EcdheEcdsaAes128Ccm8);
    pair.store.certificates.clear();
    pair.connect(None);
    pair.run();
    assert_eq!(
        pair.said,
        [Said::Closed(Reason::AlertReceived(Alert::UNKNOWN_CA))]
    );
    assert_eq!(pair.server.sessions(), 0);
}

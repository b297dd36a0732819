//! Handshakes of each kind, undisturbed.

mod common;

use common::*;
use dunlin_dtls::{
    Alert, CidFormat, ClientAuthentication, ClientConfig, ClientCredentials, DropReason,
    ExtendedMasterSecret, Identity, Reason, Secret, ServerConfig, ServerKey, Suite,
};

fn raw_config() -> ClientConfig {
    ClientConfig::new(ClientCredentials::RawPublicKey {
        key: key(1),
        verifier: Box::new(Expected(key(2).public_key().to_vec())),
    })
}

fn raw_server() -> ServerConfig {
    ServerConfig {
        key: Some(ServerKey {
            pair: key(2),
            chain: Vec::new(),
            raw_public_key: true,
        }),
        ..ServerConfig::default()
    }
}

fn identity(pair: &Pair) -> (Identity, u64) {
    match pair.told.first() {
        Some(Told::Connected { identity, tag, .. }) => (identity.clone(), *tag),
        other => panic!("{other:?}"),
    }
}

#[test]
fn pre_shared_key() {
    let mut pair = Pair::new(psk_config(), ServerConfig::default()).connected();
    let psk = Identity::Psk(b"dev-\0-1".as_slice().into());
    assert_eq!(identity(&pair), (psk, 41));
    // Hello, HelloVerifyRequest, hello, ServerHello to Done, key exchange to Finished, Finished.
    assert_eq!(pair.sent.len(), 6);
    pair.exchange();
}

#[test]
fn raw_public_keys() {
    let mut pair = Pair::new(raw_config(), raw_server()).connected();
    let spki = Identity::RawPublicKey(key(1).public_key().into());
    assert_eq!(identity(&pair), (spki, 42));
    pair.exchange();
}

#[test]
fn every_suite_with_and_without_encrypt_then_mac_and_connection_ids() {
    for suite in Suite::ALL {
        for own in [None, Some(0), Some(1), Some(8), Some(32)] {
            for length in [None, Some(1), Some(8), Some(32)] {
                let is_psk = !matches!(suite.key_exchange(), dunlin_dtls::KeyExchange::EcdheEcdsa);
                let mut client = if is_psk { psk_config() } else { raw_config() };
                client.suites = vec![suite];
                client.connection_id = own.map(|length| vec![0xC1; length]);
                let server = ServerConfig {
                    suites: vec![suite],
                    connection_id: length.map(|length| CidFormat {
                        prefix: Vec::new(),
                        length,
                    }),
                    ..raw_server()
                };
                let mut pair = Pair::new(client, server).connected();
                pair.exchange();
            }
        }
    }
}

#[test]
fn a_connection_id_stands_in_the_records_of_both_directions() {
    let mut client = psk_config();
    client.connection_id = Some(vec![0xC1, 0xC2]);
    let mut pair = Pair::new(client, ServerConfig::default()).connected();
    pair.exchange();
    let of = |client| {
        let (_, bytes) = pair.sent.iter().rev().find(|it| it.0 == client).unwrap();
        bytes.clone()
    };
    assert_eq!(of(true)[0], 25);
    assert_eq!(of(false)[..3], [25, 0xFE, 0xFD]);
    assert_eq!(of(false)[11..13], [0xC1, 0xC2]);
}

#[test]
fn the_server_need_not_ask_who_the_client_is() {
    let server = ServerConfig {
        client_authentication: ClientAuthentication::None,
        ..raw_server()
    };
    let mut pair = Pair::new(raw_config(), server).connected();
    assert_eq!(identity(&pair), (Identity::None, 0));
    pair.exchange();
}

#[test]
fn an_unknown_identity_looks_like_a_wrong_key() {
    let mut wrong_key = psk_config();
    wrong_key.credentials = ClientCredentials::Psk {
        identity: b"dev-\0-1".to_vec(),
        key: Secret::new(b"another key"),
    };
    let mut unknown = psk_config();
    unknown.credentials = ClientCredentials::Psk {
        identity: b"dev-\0-2".to_vec(),
        key: Secret::new(b"0123456789abcdef"),
    };
    let observe = |config| {
        let mut pair = Pair::new(config, ServerConfig::default());
        pair.connect(None);
        pair.run();
        assert_eq!(
            pair.said,
            [Said::Closed(Reason::AlertReceived(Alert::DECRYPT_ERROR))]
        );
        assert_eq!(pair.told, []);
        assert_eq!(pair.server.counters().failed, 1);
        assert_eq!(pair.server.counters().dropped(DropReason::NotAuthentic), 1);
        // Type, header and length of each datagram, and when it came.
        let shape: Vec<_> = pair
            .sent
            .iter()
            .map(|(client, bytes)| (*client, bytes[0], bytes.len()))
            .collect();
        (shape, pair.now)
    };
    assert_eq!(observe(wrong_key), observe(unknown));
}

#[test]
fn a_key_that_the_server_does_not_know_is_refused() {
    let mut config = raw_config();
    config.credentials = ClientCredentials::RawPublicKey {
        key: key(3),
        verifier: Box::new(Expected(key(2).public_key().to_vec())),
    };
    let mut pair = Pair::new(config, raw_server());
    pair.connect(None);
    pair.run();
    let reason = Reason::AlertReceived(Alert::CERTIFICATE_UNKNOWN);
    assert_eq!(pair.said, [Said::Closed(reason)]);
    assert_eq!(pair.told, []);
}

#[test]
fn a_server_that_the_client_does_not_know_is_refused() {
    let mut config = raw_config();
    config.credentials = ClientCredentials::RawPublicKey {
        key: key(1),
        verifier: Box::new(Expected(key(3).public_key().to_vec())),
    };
    let mut pair = Pair::new(config, raw_server());
    pair.connect(None);
    pair.run();
    let reason = Reason::AlertSent(Alert::BAD_CERTIFICATE);
    assert_eq!(pair.said, [Said::Closed(reason)]);
    assert_eq!(pair.told, []);
    assert_eq!(pair.server.handshakes(), 0);
}

#[test]
fn no_common_suite() {
    let mut config = psk_config();
    config.suites = vec![Suite::PskAes128CbcSha256];
    let mut pair = Pair::new(config, ServerConfig::default());
    pair.connect(None);
    pair.run();
    let reason = Reason::AlertReceived(Alert::HANDSHAKE_FAILURE);
    assert_eq!(pair.said, [Said::Closed(reason)]);
}

#[test]
fn no_suite_for_the_credentials() {
    let mut config = psk_config();
    config.suites = vec![Suite::EcdheEcdsaAes128Ccm8];
    let mut pair = Pair::new(config, ServerConfig::default());
    pair.connect(None);
    assert_eq!(
        pair.said,
        [Said::Closed(Reason::AlertSent(Alert::HANDSHAKE_FAILURE))]
    );
    assert_eq!(pair.sent.len(), 0);
}

#[test]
fn a_name_that_the_server_does_not_have() {
    let mut config = psk_config();
    config.server_name = Some("lwm2m.example".into());
    let mut pair = Pair::new(config, ServerConfig::default());
    pair.store.names = Some(vec!["other.example".into()]);
    pair.connect(None);
    pair.run();
    let reason = Reason::AlertReceived(Alert::UNRECOGNIZED_NAME);
    assert_eq!(pair.said, [Said::Closed(reason)]);
    pair.store.names = Some(vec!["lwm2m.example".into()]);
    pair.said.clear();
    pair.connected();
}

#[test]
fn closing_is_told_to_the_other_side() {
    let mut pair = Pair::new(psk_config(), ServerConfig::default()).connected();
    let session = pair.session();
    pair.client(dunlin_dtls::ClientInput::Close);
    pair.run();
    assert_eq!(pair.said.last(), Some(&Said::Closed(Reason::Closed)));
    assert_eq!(
        pair.told.last(),
        Some(&Told::Closed(session, Reason::CloseNotify))
    );
    assert_eq!(pair.server.sessions(), 0);

    let mut pair = Pair::new(psk_config(), ServerConfig::default()).connected();
    let session = pair.session();
    pair.server(dunlin_dtls::ServerInput::Close { session });
    pair.run();
    assert_eq!(pair.said.last(), Some(&Said::Closed(Reason::CloseNotify)));
    assert_eq!(
        pair.told.last(),
        Some(&Told::Closed(session, Reason::Closed))
    );
}

#[test]
fn without_the_extended_master_secret_only_where_it_is_allowed() {
    // The client always offers it; a server that leaves it out is for the negative tests.
    let config = ClientConfig {
        extended_master_secret: ExtendedMasterSecret::Optional,
        ..psk_config()
    };
    let mut pair = Pair::new(config, ServerConfig::default()).connected();
    pair.exchange();
}

//! What a device says in its hellos, and what it takes of a server's.

use dunlin_dtls::{Alert, ClientConfig, ExtendedMasterSecret, KeyExchange, Suite};

use super::device::{Device, hello_verify_request, reaction, reaction_to_hello, sent, server};
use crate::known::{Kind, client_config, kinds, psk};
use crate::script::{extension, fragment, kind};

/// RFC 6347 §4.2.1: the second hello is the first with the cookie.
#[test]
fn the_second_hello_is_the_first_with_the_cookie() {
    for of in kinds() {
        let mut device = Device::new(client_config(of));
        let mut script = server(of);
        let said = device.connect(None);
        script.take(&said.datagrams[0]);
        let first = script.peer_hello.clone().unwrap();
        assert!(first.cookie.is_empty());
        let request = hello_verify_request(&mut script, &[7; 255]);
        let said = device.receive(&request);
        script.take(&said.datagrams[0]);
        let second = script.peer_hello.clone().unwrap();
        assert_eq!(second.cookie, [7; 255]);
        assert_eq!(second.random, first.random);
        assert_eq!(second.suites, first.suites);
        assert_eq!(second.extensions, first.extensions);
        assert_eq!(second.session_id, first.session_id);
    }
}

/// RFC 7925 §4.2 and §4.3, RFC 7627 §5.1, RFC 5746 §3.4: what a ClientHello must say.
#[test]
fn what_a_hello_offers() {
    for of in kinds() {
        let mut device = Device::new(client_config(of));
        let mut script = server(of);
        let said = device.connect(None);
        script.take(&said.datagrams[0]);
        let hello = script.peer_hello.clone().unwrap();
        assert_eq!(hello.version, 0xFEFD);
        assert_eq!(hello.compression, [0]);
        assert_eq!(hello.suites, [of.suite.code(), 0x00FF]);
        assert_eq!(
            hello.extension(extension::EXTENDED_MASTER_SECRET),
            Some(&[][..])
        );
        assert_eq!(hello.extension(extension::CONNECTION_ID), Some(&[0][..]));
        let curve = of.suite.key_exchange() != KeyExchange::Psk;
        let groups = curve.then_some(&[0, 2, 0, 23][..]);
        assert_eq!(hello.extension(extension::SUPPORTED_GROUPS), groups);
        let signs = of.suite.key_exchange() == KeyExchange::EcdheEcdsa;
        let algorithms = signs.then_some(&[0, 2, 4, 3][..]);
        assert_eq!(hello.extension(extension::SIGNATURE_ALGORITHMS), algorithms);
        let types = of.raw.then_some(&[1, 2][..]);
        assert_eq!(hello.extension(extension::CLIENT_CERTIFICATE_TYPE), types);
        assert_eq!(hello.extension(extension::SERVER_CERTIFICATE_TYPE), types);
    }
}

/// HelloVerifyRequests without an end do not keep a device busy.
#[test]
fn hello_verify_requests_are_bounded() {
    let mut device = Device::new(client_config(psk()));
    let mut script = server(psk());
    device.connect(None);
    let mut answered = 0;
    for round in 0..100 {
        let request = hello_verify_request(&mut script, &[round]);
        answered += device.receive(&request).datagrams.len();
    }
    assert!(answered < 10, "{answered}");
}

#[test]
fn a_cookie_that_is_none_is_refused() {
    for body in [
        &[][..],
        &[0xfe],
        &[0xfe, 0xff],
        &[0xfe, 0xff, 3, 1],
        &[0xfe, 0xff, 0, 0],
    ] {
        let mut device = Device::new(client_config(psk()));
        let mut script = server(psk());
        device.connect(None);
        let content = fragment(kind::HELLO_VERIFY_REQUEST, body.len(), 0, 0, body);
        let record = script.plain(22, &content);
        let said = device.receive(&record);
        assert_eq!(said.closed, [sent(Alert::DECODE_ERROR)], "{body:?}");
    }
}

/// DTLS 1.2 and nothing below (RFC 7925 §18).
#[test]
fn a_downgrade_is_refused() {
    for version in [0xFEFF, 0x0303, 0xFEFC, 0x0100, 0] {
        let reason = reaction_to_hello(psk(), |hello| hello.version = version);
        assert_eq!(reason, sent(Alert::PROTOCOL_VERSION), "{version:04x}");
    }
}

#[test]
fn a_suite_that_was_not_offered_is_refused() {
    for suite in [
        Suite::PskAes128CbcSha256.code(),
        0x0000,
        0x00FF,
        0x1301,
        0xC0AE,
    ] {
        let reason = reaction_to_hello(psk(), |hello| hello.suites = vec![suite]);
        assert_eq!(reason, sent(Alert::ILLEGAL_PARAMETER), "{suite:04x}");
    }
}

#[test]
fn compression_is_refused() {
    let reason = reaction_to_hello(psk(), |hello| hello.compression = vec![1]);
    assert_eq!(reason, sent(Alert::ILLEGAL_PARAMETER));
}

/// RFC 7627 §5.2.
#[test]
fn a_missing_extended_master_secret_is_refused() {
    for of in kinds() {
        let reason = reaction_to_hello(of, |hello| {
            *hello = hello.clone().without(extension::EXTENDED_MASTER_SECRET);
        });
        assert_eq!(reason, sent(Alert::HANDSHAKE_FAILURE), "{of:?}");
    }
}

#[test]
fn a_missing_extended_master_secret_where_that_is_allowed() {
    let config = ClientConfig {
        extended_master_secret: ExtendedMasterSecret::Optional,
        ..client_config(psk())
    };
    let mut device = Device::new(config);
    let mut script = server(psk());
    script.hello = script.hello.without(extension::EXTENDED_MASTER_SECRET);
    assert_eq!(device.handshake(&mut script).connected, 1);
    // RFC 7627 §5.2: such a session is not resumed.
    assert!(device.client.resumption().is_none());
}

/// RFC 5246 §7.4.1.4: only what was asked for.
#[test]
fn extensions_that_were_not_asked_for_are_refused() {
    for (number, body) in [
        (extension::SERVER_NAME, &[][..]),
        (extension::ENCRYPT_THEN_MAC, &[]),
        (extension::CLIENT_CERTIFICATE_TYPE, &[2]),
        (extension::EC_POINT_FORMATS, &[1, 0]),
        (0x1234, &[]),
    ] {
        let reason = reaction_to_hello(psk(), |hello| {
            *hello = hello.clone().with(number, body);
        });
        assert_eq!(reason, sent(Alert::UNSUPPORTED_EXTENSION), "{number}");
    }
    let config = ClientConfig {
        connection_id: None,
        ..client_config(psk())
    };
    let reason = reaction(config, psk(), |script, all| {
        script.hello = script.hello.clone().with(extension::CONNECTION_ID, &[1, 7]);
        all[0].1 = script.hello.server();
    });
    assert_eq!(reason, sent(Alert::UNSUPPORTED_EXTENSION));
}

#[test]
fn duplicate_extensions_are_refused() {
    for number in [extension::EXTENDED_MASTER_SECRET, extension::CONNECTION_ID] {
        let body: &[u8] = if number == extension::CONNECTION_ID {
            &[0]
        } else {
            &[]
        };
        let reason = reaction_to_hello(psk(), |hello| {
            *hello = hello
                .clone()
                .without(number)
                .with(number, body)
                .with(number, body);
        });
        assert_eq!(reason, sent(Alert::ILLEGAL_PARAMETER));
    }
}

#[test]
fn malformed_extensions_are_refused() {
    for (number, body) in [
        (extension::EXTENDED_MASTER_SECRET, &[0][..]),
        (extension::CONNECTION_ID, &[]),
        (extension::CONNECTION_ID, &[2, 1]),
        (extension::RENEGOTIATION_INFO, &[]),
    ] {
        let reason = reaction_to_hello(psk(), |hello| {
            *hello = hello.clone().without(number).with(number, body);
        });
        assert_eq!(reason, sent(Alert::DECODE_ERROR), "{number} {body:?}");
    }
}

/// RFC 5746 §3.4.
#[test]
fn a_renegotiation_info_that_is_not_empty_is_refused() {
    let reason = reaction_to_hello(psk(), |hello| {
        *hello = hello.clone().with(extension::RENEGOTIATION_INFO, &[1, 1]);
    });
    assert_eq!(reason, sent(Alert::HANDSHAKE_FAILURE));
}

/// RFC 7366 §3: encrypt-then-MAC is for CBC.
#[test]
fn encrypt_then_mac_with_authenticated_encryption_is_refused() {
    let config = ClientConfig {
        suites: vec![Suite::PskAes128Ccm8, Suite::PskAes128CbcSha256],
        ..client_config(psk())
    };
    let reason = reaction(config, psk(), |script, all| {
        script.hello = script.hello.clone().with(extension::ENCRYPT_THEN_MAC, &[]);
        all[0].1 = script.hello.server();
    });
    assert_eq!(reason, sent(Alert::ILLEGAL_PARAMETER));
}

/// RFC 7250 §4.1: an answer of another type than was offered.
#[test]
fn another_type_of_certificate_is_refused() {
    let of = Kind {
        suite: Suite::EcdheEcdsaAes128Ccm8,
        raw: true,
    };
    for types in [0, 1, 3] {
        let reason = reaction_to_hello(of, |hello| {
            for number in [
                extension::CLIENT_CERTIFICATE_TYPE,
                extension::SERVER_CERTIFICATE_TYPE,
            ] {
                *hello = hello.clone().without(number).with(number, &[types]);
            }
        });
        assert!(
            [
                sent(Alert::UNSUPPORTED_CERTIFICATE),
                sent(Alert::ILLEGAL_PARAMETER)
            ]
            .contains(&reason),
            "{reason:?}"
        );
    }
}

//! ClientHellos: cookies, versions, suites, extensions.

use std::time::Duration;

use dunlin_dtls::{Alert, DropReason, ExtendedMasterSecret, ServerConfig, Suite};

use super::bench::{Bench, alert, client, fatal, here, in_one_piece, psk_client, there};
use crate::known::{Kind, kinds, psk};
use crate::script::{Hello, Script, extension, fragment, kind};

/// The answer to a hello with a good cookie, after a change of the hello.
fn answer(config: ServerConfig, of: Kind, change: impl Fn(&mut Hello)) -> Option<[u8; 2]> {
    let mut bench = Bench::new(config);
    let mut script = client(of, 1);
    change(&mut script.hello);
    let said = bench.hello(&mut script);
    alert(&script, &said)
}

/// RFC 6347 §4.2.1: nothing is kept before the cookie came back, and the answer is no longer than
/// the question.
#[test]
fn a_first_hello_leaves_no_state() {
    let mut bench = Bench::new(in_one_piece());
    for seed in 0..1000 {
        let mut script = psk_client(seed);
        let hello = script.client_hello();
        let said = bench.send(&hello);
        assert_eq!(said.datagrams.len(), 1);
        assert!(said.datagrams[0].1.len() <= hello.len());
    }
    assert_eq!(bench.counters().begun, 0);
    assert_eq!(bench.counters().cookies, 1000);
    assert_eq!(bench.server.next_timeout(), None);
}

/// RFC 6347 §4.2.1: version DTLS 1.0 in it, sequence numbers of the record and message 0.
#[test]
fn the_bytes_of_a_hello_verify_request() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = psk_client(1);
    script.record[0] = 0x0102;
    let hello = script.client_hello();
    let said = bench.send(&hello);
    let bytes = &said.datagrams[0].1;
    let length = bytes.len() - 28;
    assert_eq!(bytes[..3], [22, 0xfe, 0xfd]);
    assert_eq!(
        bytes[3..11],
        [0, 0, 0, 0, 0, 0, 1, 2],
        "as the ClientHello had it"
    );
    assert_eq!(bytes[13..17], [3, 0, 0, length as u8 + 3]);
    assert_eq!(bytes[17..19], [0, 0]);
    assert_eq!(bytes[25..28], [0xfe, 0xff, length as u8]);
    assert!(length <= 32, "some clients have room for no more");
}

#[test]
fn a_cookie_from_another_address_is_no_cookie() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = psk_client(1);
    let first = script.client_hello();
    let said = bench.datagram(there(), &first);
    script.take(&said.datagrams[0].1);
    let second = script.client_hello();
    let said = bench.datagram(here(), &second);
    let messages = script.take(&said.datagrams[0].1);
    assert_eq!(messages[0].kind, kind::HELLO_VERIFY_REQUEST);
    assert_eq!(bench.counters().begun, 0);
    // The port is part of the address.
    let second = script.client_hello();
    let port = "192.0.2.1:40001".parse().unwrap();
    bench.datagram(port, &second);
    assert_eq!(bench.counters().begun, 0);
}

/// RFC 6347 §4.2.1: the client must send the same parameters again, and the cookie is bound to them.
#[test]
fn a_cookie_of_another_hello_is_no_cookie() {
    for change in [
        |hello: &mut Hello| hello.random[0] ^= 1,
        |hello: &mut Hello| hello.session_id = vec![1],
        |hello: &mut Hello| hello.suites.push(0xC0AE),
        |hello: &mut Hello| hello.compression.push(1),
        |hello: &mut Hello| hello.extensions.clear(),
    ] {
        let mut bench = Bench::new(in_one_piece());
        let mut script = psk_client(1);
        let first = script.client_hello();
        let said = bench.send(&first);
        script.take(&said.datagrams[0].1);
        change(&mut script.hello);
        let second = script.client_hello();
        let said = bench.send(&second);
        assert_eq!(
            script.take(&said.datagrams[0].1)[0].kind,
            kind::HELLO_VERIFY_REQUEST
        );
        assert_eq!(bench.counters().begun, 0);
    }
}

#[test]
fn an_old_cookie_is_no_cookie() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = psk_client(1);
    let first = script.client_hello();
    let said = bench.send(&first);
    script.take(&said.datagrams[0].1);
    bench.wait(Duration::from_secs(3600));
    let second = script.client_hello();
    bench.send(&second);
    assert_eq!(bench.counters().begun, 0);
}

#[test]
fn any_other_cookie_is_no_cookie() {
    for length in [1, 15, 16, 17, 32, 255] {
        let mut bench = Bench::new(in_one_piece());
        let mut script = psk_client(1);
        script.hello.cookie = vec![0; length];
        let hello = script.client_hello();
        let said = bench.send(&hello);
        assert_eq!(said.datagrams.len(), 1);
        assert_eq!(bench.counters().begun, 0, "{length}");
    }
}

/// RFC 6347 §4.2.1: DTLS 1.0 is out, and whoever offers nothing better is told so.
#[test]
fn a_downgrade_to_dtls_1_0_is_refused() {
    for version in [0xFEFF, 0xFEFE, 0x0303, 0xFFFF] {
        let answer = answer(in_one_piece(), psk(), |hello| hello.version = version);
        assert_eq!(answer, fatal(Alert::PROTOCOL_VERSION), "{version:04x}");
    }
}

/// RFC 5246 appendix E.1: a newer version is answered with ours.
#[test]
fn a_newer_version_is_answered_with_dtls_1_2() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = psk_client(1);
    script.hello.version = 0xFEFC;
    bench.first_flight(&mut script);
    assert_eq!(script.peer_hello.as_ref().unwrap().version, 0xFEFD);
    let flight = bench.second_flight(&mut script);
    assert_eq!(bench.send(&flight).connected.len(), 1);
}

#[test]
fn without_a_common_suite_there_is_no_handshake() {
    for suites in [
        vec![0x1301],
        vec![0x002F, 0xC02F, 0x00FF],
        vec![0x00A8],
        vec![Suite::PskAes128CbcSha256.code()],
    ] {
        let answer = answer(ServerConfig::default(), psk(), |hello| {
            hello.suites = suites.clone()
        });
        assert_eq!(answer, fatal(Alert::HANDSHAKE_FAILURE), "{suites:04x?}");
    }
}

/// RFC 5246 §7.4.1.2: "no compression" must be offered, and is what is chosen.
#[test]
fn compression_alone_is_refused() {
    let with_deflate = answer(in_one_piece(), psk(), |hello| hello.compression = vec![1]);
    assert_eq!(with_deflate, fatal(Alert::ILLEGAL_PARAMETER));
    let mut bench = Bench::new(in_one_piece());
    let mut script = psk_client(1);
    script.hello.compression = vec![1, 0];
    bench.first_flight(&mut script);
    assert_eq!(script.peer_hello.as_ref().unwrap().compression, [0]);
}

/// RFC 7627 §5.2 and §5.4: required unless it is configured otherwise.
#[test]
fn without_extended_master_secret_there_is_no_handshake() {
    for it in kinds() {
        let without = |hello: &mut Hello| {
            *hello = hello.clone().without(extension::EXTENDED_MASTER_SECRET);
        };
        let answer = answer(in_one_piece(), it, without);
        assert_eq!(answer, fatal(Alert::HANDSHAKE_FAILURE), "{it:?}");
    }
}

#[test]
fn without_extended_master_secret_where_that_is_allowed() {
    let mut bench = Bench::new(ServerConfig {
        extended_master_secret: ExtendedMasterSecret::Optional,
        ..in_one_piece()
    });
    let mut script = psk_client(1);
    script.hello = script.hello.without(extension::EXTENDED_MASTER_SECRET);
    bench.connect(&mut script);
    let hello = script.peer_hello.as_ref().unwrap();
    assert_eq!(hello.extension(extension::EXTENDED_MASTER_SECRET), None);
    // RFC 7627 §5.2 and §5.4: such a session is not resumed.
    assert!(hello.session_id.is_empty());
}

/// RFC 5246 §7.4.1.4: of each type there may be one.
#[test]
fn duplicate_extensions_are_refused() {
    for number in [
        extension::EXTENDED_MASTER_SECRET,
        extension::RENEGOTIATION_INFO,
        extension::CONNECTION_ID,
        0x1234,
    ] {
        let body: &[u8] = match number {
            extension::RENEGOTIATION_INFO | extension::CONNECTION_ID => &[0],
            _ => &[],
        };
        let answer = answer(in_one_piece(), psk(), |hello| {
            *hello = hello
                .clone()
                .without(number)
                .with(number, body)
                .with(number, body);
        });
        assert!(
            answer == fatal(Alert::ILLEGAL_PARAMETER) || answer == fatal(Alert::DECODE_ERROR),
            "{number}: {answer:?}"
        );
    }
}

/// RFC 5246 §7.4.1.4: what is not known is ignored.
#[test]
fn unknown_extensions_are_ignored() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = psk_client(1);
    script.hello = script
        .hello
        .with(0x1234, b"?")
        .with(35, &[])
        .with(43, &[2, 3, 4]);
    bench.connect(&mut script);
    let hello = script.peer_hello.as_ref().unwrap();
    assert!(
        hello
            .extensions
            .iter()
            .all(|(number, _)| ![0x1234, 35, 43].contains(number))
    );
}

#[test]
fn malformed_extensions_are_refused() {
    for (number, body) in [
        (extension::EXTENDED_MASTER_SECRET, &[1][..]),
        (extension::ENCRYPT_THEN_MAC, &[0]),
        (extension::CONNECTION_ID, &[]),
        (extension::CONNECTION_ID, &[2, 1]),
        (extension::CONNECTION_ID, &[0, 0]),
        (extension::RENEGOTIATION_INFO, &[1]),
        (extension::SERVER_NAME, &[0, 0]),
        (extension::SERVER_NAME, &[0, 4, 0, 0, 9, 97]),
        (extension::SUPPORTED_GROUPS, &[0, 1, 23]),
        (extension::SUPPORTED_GROUPS, &[0, 0]),
        (extension::SIGNATURE_ALGORITHMS, &[0, 3, 4, 3, 4]),
        (extension::EC_POINT_FORMATS, &[0]),
        (extension::CLIENT_CERTIFICATE_TYPE, &[0]),
        (extension::SERVER_CERTIFICATE_TYPE, &[3, 2]),
    ] {
        let answer = answer(in_one_piece(), psk(), |hello| {
            *hello = hello.clone().without(number).with(number, body);
        });
        assert!(
            answer == fatal(Alert::DECODE_ERROR) || answer == fatal(Alert::ILLEGAL_PARAMETER),
            "{number} {body:?}: {answer:?}"
        );
    }
}

/// RFC 5746 §3.6: in a first handshake it is empty.
#[test]
fn a_first_handshake_that_claims_to_be_a_renegotiation_is_refused() {
    let answer = answer(in_one_piece(), psk(), |hello| {
        *hello = hello
            .clone()
            .without(extension::RENEGOTIATION_INFO)
            .with(extension::RENEGOTIATION_INFO, &[1, 7]);
    });
    assert_eq!(answer, fatal(Alert::HANDSHAKE_FAILURE));
}

/// RFC 5746 §3.6: the suite that says the same as the empty extension is answered by it.
#[test]
fn the_signalling_suite_is_answered() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = psk_client(1);
    script.hello = script.hello.without(extension::RENEGOTIATION_INFO);
    script.hello.suites.push(0x00FF);
    bench.first_flight(&mut script);
    let hello = script.peer_hello.as_ref().unwrap();
    assert_eq!(
        hello.extension(extension::RENEGOTIATION_INFO),
        Some(&[0][..])
    );
}

/// RFC 8422 §5.1, RFC 7925 §4.3 and §5: P-256, uncompressed, signed with SHA-256; without one of these a
/// suite that needs it is not chosen.
#[test]
fn suites_whose_means_are_missing_are_not_chosen() {
    for it in kinds() {
        let replaced: &[(u16, &[u8])] = match it.suite.key_exchange() {
            dunlin_dtls::KeyExchange::Psk => continue,
            dunlin_dtls::KeyExchange::EcdhePsk => &[
                (extension::SUPPORTED_GROUPS, &[0, 2, 0, 29]),
                (extension::EC_POINT_FORMATS, &[1, 1]),
            ],
            dunlin_dtls::KeyExchange::EcdheEcdsa => &[
                (extension::SUPPORTED_GROUPS, &[0, 4, 0, 24, 0, 29]),
                (extension::EC_POINT_FORMATS, &[1, 1]),
                (extension::SIGNATURE_ALGORITHMS, &[0, 4, 2, 3, 4, 1]),
            ],
        };
        for (number, body) in replaced {
            let answer = answer(in_one_piece(), it, |hello| {
                *hello = hello.clone().without(*number).with(*number, body);
            });
            assert_eq!(answer, fatal(Alert::HANDSHAKE_FAILURE), "{it:?}, {number}");
        }
    }
}

/// RFC 7250 §4.2: without a type of certificate in common there is no handshake.
#[test]
fn without_a_common_type_of_certificate_there_is_no_handshake() {
    let it = Kind {
        suite: Suite::EcdheEcdsaAes128Ccm8,
        raw: false,
    };
    for number in [
        extension::CLIENT_CERTIFICATE_TYPE,
        extension::SERVER_CERTIFICATE_TYPE,
    ] {
        let answer = answer(in_one_piece(), it, |hello| {
            *hello = hello.clone().with(number, &[1, 1]);
        });
        assert_eq!(answer, fatal(Alert::UNSUPPORTED_CERTIFICATE));
    }
}

/// RFC 7250 §4.2: the answer names one type, of those that were offered, in the client's order.
#[test]
fn the_type_of_certificate_is_one_that_was_offered() {
    let it = Kind {
        suite: Suite::EcdheEcdsaAes128Ccm8,
        raw: false,
    };
    for (offered, chosen) in [(&[2, 2, 0][..], 2), (&[2, 0, 2], 0), (&[3, 1, 0, 2], 0)] {
        let mut bench = Bench::new(in_one_piece());
        let mut script = client(it, 1);
        for number in [
            extension::CLIENT_CERTIFICATE_TYPE,
            extension::SERVER_CERTIFICATE_TYPE,
        ] {
            script.hello = script.hello.with(number, offered);
        }
        bench.connect(&mut script);
        let hello = script.peer_hello.as_ref().unwrap();
        for number in [
            extension::CLIENT_CERTIFICATE_TYPE,
            extension::SERVER_CERTIFICATE_TYPE,
        ] {
            assert_eq!(hello.extension(number), Some(&[chosen][..]), "{offered:?}");
        }
    }
}

/// A server that keeps no state before the cookie cannot put a ClientHello together: it is counted.
#[test]
fn a_hello_in_fragments_is_dropped() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = psk_client(1);
    let body = script.hello.client();
    let half = body.len() / 2;
    for (offset, piece) in [(0, &body[..half]), (half, &body[half..])] {
        let content = fragment(kind::CLIENT_HELLO, body.len(), 0, offset, piece);
        let record = script.plain(22, &content);
        assert!(bench.send(&record).is_silent());
    }
    assert_eq!(bench.dropped(DropReason::FragmentedClientHello), 2);
}

#[test]
fn hellos_that_cannot_be_read_are_dropped() {
    let mut script = psk_client(1);
    let body = script.hello.client();
    let mut bench = Bench::new(in_one_piece());
    for end in 0..body.len() {
        // Where only extensions are cut off a hello may end.
        let content = fragment(kind::CLIENT_HELLO, end, 0, 0, &body[..end]);
        let record = script.plain(22, &content);
        bench.send(&record);
    }
    assert_eq!(bench.counters().begun, 0);
    for (at, value) in [(34, 33), (37, 1), (36, 0xff), (40, 0)] {
        let mut bad = body.clone();
        bad[at] = value;
        let content = fragment(kind::CLIENT_HELLO, bad.len(), 0, 0, &bad);
        let record = script.plain(22, &content);
        let said = bench.send(&record);
        assert!(said.is_silent(), "byte {at}: {said:?}");
    }
}

/// The same ClientHello again means that the answer was lost: it is said again, and there is still
/// one handshake. Not at once, though: copies are no losses.
#[test]
fn a_repeated_hello_is_answered_again() {
    let (mut bench, mut script) = Bench::begun(psk_client(1));
    script.message -= 1;
    let again = script.client_hello();
    assert!(bench.send(&again).is_silent());
    bench.wait(Duration::from_millis(600));
    assert_eq!(bench.send(&again).datagrams.len(), 1);
    assert_eq!(bench.counters().begun, 1);
}

/// A client that lost its memory in the middle begins anew, with another random.
#[test]
fn a_new_hello_from_the_same_address_begins_anew() {
    let (mut bench, mut script) = Bench::begun(psk_client(1));
    script.restart();
    script.hello.random[0] ^= 1;
    bench.connect(&mut script);
    assert_eq!((bench.counters().begun, bench.counters().failed), (2, 1));
    assert!(bench.takes_data(&mut script, b"data"));
}

/// Handshakes that nobody goes on with are bounded, and end by themselves.
#[test]
fn half_open_handshakes_are_bounded() {
    let mut config = in_one_piece();
    config.limits.half_open = 4;
    let mut bench = Bench::new(config);
    let from = |number: u64| format!("192.0.2.1:{}", 40_000 + number).parse().unwrap();
    let mut scripts: Vec<Script> = (0..6).map(psk_client).collect();
    for (number, script) in scripts.iter_mut().enumerate() {
        let said = bench.hello_from(from(number as u64), script);
        for (_, datagram) in &said.datagrams {
            script.take(datagram);
        }
    }
    assert_eq!(bench.counters().evicted, 2);
    let mut connected = 0;
    for (number, script) in scripts.iter_mut().enumerate() {
        let flight = bench.second_flight(script);
        connected += bench.datagram(from(number as u64), &flight).connected.len();
    }
    assert_eq!(connected, 4);

    bench.hello_from(from(99), &mut psk_client(99));
    bench.wait(Duration::from_secs(200));
    assert_eq!(bench.counters().timed_out, 1);
    assert_eq!(bench.server.next_timeout(), None);
}

#[test]
fn the_rate_of_handshakes_is_bounded() {
    let mut config = in_one_piece();
    config.limits.handshakes_per_second = 10;
    let mut bench = Bench::new(config);
    for number in 0..50_u64 {
        let from = format!("192.0.2.1:{}", 40_000 + number).parse().unwrap();
        bench.hello_from(from, &mut psk_client(number));
    }
    let begun = bench.counters().begun;
    assert!((10..=20).contains(&begun), "{begun}");
    assert_eq!(bench.dropped(DropReason::HandshakeRate), 50 - begun);
    bench.wait(Duration::from_secs(1));
    bench.hello_from("192.0.2.1:50000".parse().unwrap(), &mut psk_client(99));
    assert_eq!(bench.counters().begun, begun + 1);
}

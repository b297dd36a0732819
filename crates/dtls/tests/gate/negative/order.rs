//! Messages that are missing, come twice, come too early, or do not belong there (RFC 5246 §7.3).

use std::time::Duration;

use dunlin_dtls::testing::ContentType;
use dunlin_dtls::{Alert, KeyExchange};

use super::bench::{Bench, alert, certificate, client, fatal, in_one_piece, keyed, psk_client};
use crate::known::{IDENTITY, KEY, Kind, client_key, kinds, psk};
use crate::script::kind;

fn signed() -> Vec<Kind> {
    kinds()
        .into_iter()
        .filter(|it| it.suite.key_exchange() == KeyExchange::EcdheEcdsa)
        .collect()
}

/// The scripts themselves: what the other tests leave out or change is what matters.
#[test]
fn a_good_handshake_of_every_kind_is_completed() {
    for it in kinds() {
        let mut bench = Bench::new(in_one_piece());
        let mut script = client(it, 1);
        bench.connect(&mut script);
        assert!(bench.takes_data(&mut script, b"data"), "{it:?}");
    }
}

#[test]
fn a_missing_client_key_exchange_is_unexpected() {
    let (mut bench, mut script) = Bench::begun(psk_client(1));
    // A Finished where the ClientKeyExchange should be, in the clear: there are no keys yet.
    let flight = script.say_plain(kind::FINISHED, &[0; 12]);
    let said = bench.send(&flight);
    assert_eq!(alert(&script, &said), fatal(Alert::UNEXPECTED_MESSAGE));
    assert!(said.connected.is_empty());
}

#[test]
fn a_missing_certificate_is_unexpected() {
    for it in signed() {
        let (mut bench, mut script) = Bench::begun(client(it, 1));
        let body = script.client_key_exchange(IDENTITY);
        let flight = script.say_plain(kind::CLIENT_KEY_EXCHANGE, &body);
        let said = bench.send(&flight);
        assert_eq!(
            alert(&script, &said),
            fatal(Alert::UNEXPECTED_MESSAGE),
            "{it:?}"
        );
    }
}

/// RFC 5246 §7.4.8: without it the client did not show that it has the private key. With the number
/// of the CertificateVerify on the Finished, and a good MAC, the server still must not go on.
#[test]
fn a_skipped_certificate_verify_never_connects() {
    for it in signed() {
        let (mut bench, mut script) = Bench::begun(client(it, 1));
        let body = certificate(&script);
        let mut flight = script.say_plain(kind::CERTIFICATE, &body);
        let body = script.client_key_exchange(IDENTITY);
        flight.extend(script.say_plain(kind::CLIENT_KEY_EXCHANGE, &body));
        script.derive(KEY, None);
        flight.extend(script.change_cipher_spec());
        flight.extend(script.finished());
        let said = bench.send(&flight);
        assert!(said.connected.is_empty(), "{it:?}");
        let record = script.sealed(ContentType::ApplicationData, b"data");
        assert!(bench.send(&record).data.is_empty());
        assert!(bench.wait(Duration::from_secs(300)).connected.is_empty());
        assert_eq!(bench.counters().completed, 0);
    }
}

#[test]
fn a_certificate_verify_by_another_key_is_refused() {
    for it in signed() {
        let (mut bench, mut script) = Bench::begun(client(it, 1));
        let body = certificate(&script);
        let mut flight = script.say_plain(kind::CERTIFICATE, &body);
        let body = script.client_key_exchange(IDENTITY);
        flight.extend(script.say_plain(kind::CLIENT_KEY_EXCHANGE, &body));
        script.derive(KEY, None);
        let body = script.certificate_verify(&crate::known::server_key());
        flight.extend(script.say_plain(kind::CERTIFICATE_VERIFY, &body));
        flight.extend(script.change_cipher_spec());
        flight.extend(script.finished());
        let said = bench.send(&flight);
        assert_eq!(alert(&script, &said), fatal(Alert::DECRYPT_ERROR), "{it:?}");
        assert!(said.connected.is_empty());
    }
}

/// The signature covers everything before it: one over less is a replay of another handshake's.
#[test]
fn a_certificate_verify_over_another_transcript_is_refused() {
    for it in signed() {
        let (mut bench, mut script) = Bench::begun(client(it, 1));
        let body = certificate(&script);
        let mut flight = script.say_plain(kind::CERTIFICATE, &body);
        let early = script.certificate_verify(&client_key());
        let body = script.client_key_exchange(IDENTITY);
        flight.extend(script.say_plain(kind::CLIENT_KEY_EXCHANGE, &body));
        script.derive(KEY, None);
        flight.extend(script.say_plain(kind::CERTIFICATE_VERIFY, &early));
        flight.extend(script.change_cipher_spec());
        flight.extend(script.finished());
        let said = bench.send(&flight);
        assert_eq!(alert(&script, &said), fatal(Alert::DECRYPT_ERROR), "{it:?}");
    }
}

/// A CertificateVerify where no certificate was asked for.
#[test]
fn a_certificate_verify_with_a_psk_is_unexpected() {
    let (mut bench, mut script) = Bench::begun(psk_client(1));
    let body = script.client_key_exchange(IDENTITY);
    let mut flight = script.say_plain(kind::CLIENT_KEY_EXCHANGE, &body);
    let body = script.certificate_verify(&client_key());
    flight.extend(script.say_plain(kind::CERTIFICATE_VERIFY, &body));
    let said = bench.send(&flight);
    assert_eq!(alert(&script, &said), fatal(Alert::UNEXPECTED_MESSAGE));
}

/// RFC 5246 §7.4.6: an empty Certificate says that the client has none.
#[test]
fn an_empty_certificate_is_refused() {
    for it in signed() {
        let (mut bench, mut script) = Bench::begun(client(it, 1));
        let flight = script.say_plain(kind::CERTIFICATE, &[0, 0, 0]);
        let said = bench.send(&flight);
        assert_eq!(
            alert(&script, &said),
            fatal(Alert::HANDSHAKE_FAILURE),
            "{it:?}"
        );
    }
}

/// A Finished in the clear is never taken, whatever is in it (CVE-2014-0224 and its kin).
#[test]
fn a_finished_in_the_clear_is_refused() {
    let (mut bench, mut script) = Bench::begun(psk_client(1));
    let mut flight = keyed(&mut script);
    let verify_data = script.verify_data();
    flight.extend(script.change_cipher_spec());
    flight.extend(script.say_plain(kind::FINISHED, &verify_data));
    let said = bench.send(&flight);
    assert!(said.connected.is_empty());
    assert_eq!(bench.counters().completed, 0);
}

/// RFC 5246 §7.1: the Finished comes behind the ChangeCipherSpec. One that comes before waits for
/// it, since datagrams overtake each other, and without it there is no association.
#[test]
fn a_skipped_change_cipher_spec_never_connects() {
    let (mut bench, mut script) = Bench::begun(psk_client(1));
    let mut flight = keyed(&mut script);
    flight.extend(script.finished());
    assert!(bench.send(&flight).connected.is_empty());
    let record = script.change_cipher_spec();
    let said = bench.send(&record);
    assert_eq!(said.connected.len(), 1, "late, and good");
}

/// A ChangeCipherSpec before any key means nothing (CVE-2014-0224): the handshake goes on and is
/// good in the end, with keys that are not empty.
#[test]
fn an_early_change_cipher_spec_changes_nothing() {
    let (mut bench, mut script) = Bench::begun(psk_client(1));
    let early = script.change_cipher_spec();
    let said = bench.send(&early);
    assert!(said.connected.is_empty() && said.data.is_empty());
    let flight = bench.second_flight(&mut script);
    assert_eq!(bench.send(&flight).connected.len(), 1);
}

#[test]
fn a_bad_change_cipher_spec_is_none() {
    for content in [&[][..], &[0], &[2], &[1, 1]] {
        let (mut bench, mut script) = Bench::begun(psk_client(1));
        let mut flight = keyed(&mut script);
        flight.extend(script.plain(20, content));
        flight.extend(script.finished());
        assert!(bench.send(&flight).connected.is_empty(), "{content:?}");
    }
}

/// RFC 5246 §7.4.9. The record is good, so this is an answer to be told.
#[test]
fn a_bad_finished_is_a_decrypt_error() {
    for (length, change) in [(12, 1), (11, 0), (13, 0), (0, 0)] {
        let (mut bench, mut script) = Bench::begun(psk_client(1));
        let mut flight = keyed(&mut script);
        flight.extend(script.change_cipher_spec());
        let mut verify_data = script.verify_data().to_vec();
        verify_data.resize(length, 0);
        if let Some(last) = verify_data.last_mut() {
            *last ^= change;
        }
        let message = script.say(kind::FINISHED, &verify_data);
        flight.extend(script.sealed(ContentType::Handshake, &message));
        let said = bench.send(&flight);
        assert!(said.connected.is_empty(), "{length}");
        assert_eq!(bench.counters().failed, 1, "{length}");
        let record = script.sealed(ContentType::ApplicationData, b"data");
        assert!(bench.send(&record).data.is_empty());
    }
}

/// The server's own Finished played back at it (reflection).
#[test]
fn the_servers_verify_data_is_not_the_clients() {
    let (mut bench, mut script) = Bench::begun(psk_client(1));
    let mut flight = keyed(&mut script);
    flight.extend(script.change_cipher_spec());
    script.side = dunlin_dtls::testing::Side::Server;
    let verify_data = script.verify_data();
    script.side = dunlin_dtls::testing::Side::Client;
    let message = script.say(kind::FINISHED, &verify_data);
    flight.extend(script.sealed(ContentType::Handshake, &message));
    assert!(bench.send(&flight).connected.is_empty());
}

/// RFC 6347 §4.2.2: messages are taken in the order of their numbers, whatever order they come in.
#[test]
fn messages_out_of_order_are_put_in_order() {
    for it in kinds() {
        let (mut bench, mut script) = Bench::begun(client(it, 1));
        let flight = bench.second_flight(&mut script);
        let mut records = Vec::new();
        let mut rest = flight.as_slice();
        while !rest.is_empty() {
            let length = 13 + (usize::from(rest[11]) << 8 | usize::from(rest[12]));
            records.push(rest[..length].to_vec());
            rest = &rest[length..];
        }
        let mut connected = 0;
        for record in records.iter().rev() {
            connected += bench.send(record).connected.len();
        }
        assert_eq!(connected, 1, "{it:?}");
    }
}

/// Messages of a server have no business at one.
#[test]
fn messages_of_a_server_are_refused() {
    for wrong in [
        kind::HELLO_REQUEST,
        kind::SERVER_HELLO,
        kind::HELLO_VERIFY_REQUEST,
        kind::SERVER_KEY_EXCHANGE,
        kind::CERTIFICATE_REQUEST,
        kind::SERVER_HELLO_DONE,
        24,
        255,
    ] {
        let (mut bench, mut script) = Bench::begun(psk_client(1));
        let flight = script.say_plain(wrong, &[]);
        let said = bench.send(&flight);
        assert!(said.connected.is_empty());
        assert_eq!(
            alert(&script, &said),
            fatal(Alert::UNEXPECTED_MESSAGE),
            "{wrong}"
        );
    }
}

/// Application data before the Finished is not delivered, even under good keys.
#[test]
fn data_before_the_finished_is_not_delivered() {
    let (mut bench, mut script) = Bench::begun(psk_client(1));
    let mut flight = keyed(&mut script);
    flight.extend(script.change_cipher_spec());
    flight.extend(script.sealed(ContentType::ApplicationData, b"too early"));
    let said = bench.send(&flight);
    assert!(said.data.is_empty() && said.connected.is_empty());
}

/// Data in the clear is never delivered, before, during and after the handshake.
#[test]
fn data_in_the_clear_is_never_delivered() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = client(psk(), 1);
    let record = script.plain(23, b"data");
    assert!(bench.send(&record).is_silent());
    bench.first_flight(&mut script);
    let record = script.plain(23, b"data");
    assert!(bench.send(&record).data.is_empty());
    let flight = bench.second_flight(&mut script);
    assert_eq!(bench.send(&flight).connected.len(), 1);
    let record = script.plain(23, b"data");
    assert!(bench.send(&record).is_silent());
}

/// A bad key exchange: no point of the curve, no point at all, something behind it.
#[test]
fn a_bad_key_exchange_is_refused() {
    for it in kinds() {
        let good = {
            let (_, script) = Bench::begun(client(it, 1));
            script.client_key_exchange(IDENTITY)
        };
        let mut bad = vec![
            Vec::new(),
            good[..good.len() - 1].to_vec(),
            [&good[..], &[0]].concat(),
        ];
        if it.suite.key_exchange() != KeyExchange::Psk {
            let mut off_the_curve = good.clone();
            *off_the_curve.last_mut().unwrap() ^= 1;
            bad.push(off_the_curve);
        }
        for body in bad {
            let (mut bench, mut script) = Bench::begun(client(it, 1));
            if it.suite.key_exchange() == KeyExchange::EcdheEcdsa {
                let body = certificate(&script);
                let record = script.say_plain(kind::CERTIFICATE, &body);
                assert!(bench.send(&record).is_silent());
            }
            let record = script.say_plain(kind::CLIENT_KEY_EXCHANGE, &body);
            let said = bench.send(&record);
            let alert = alert(&script, &said);
            assert!(
                alert == fatal(Alert::DECODE_ERROR) || alert == fatal(Alert::ILLEGAL_PARAMETER),
                "{it:?}: {alert:?} for {body:02x?}"
            );
        }
    }
}

//! Who may know what about identities and keys (RFC 4279 §2).

use std::time::Duration;

use dunlin_dtls::testing::ContentType;
use dunlin_dtls::{Alert, KeyExchange};

use super::bench::{Bench, alert, client, fatal, in_one_piece};
use crate::known::{IDENTITY, KEY, Kind, kinds};
use crate::script::kind;

/// What comes back to the second flight of a client with this identity and key, and what is counted.
fn observed(of: Kind, identity: &[u8], key: &[u8]) -> (Vec<Vec<u8>>, Vec<u64>) {
    let (mut bench, mut script) = Bench::begun(client(of, 1));
    let body = script.client_key_exchange(identity);
    let mut flight = script.say_plain(kind::CLIENT_KEY_EXCHANGE, &body);
    script.derive(key, None);
    flight.extend(script.change_cipher_spec());
    flight.extend(script.finished());
    let mut datagrams = Vec::new();
    for _ in 0..3 {
        let said = bench.send(&flight);
        assert!(said.connected.is_empty());
        datagrams.extend(said.datagrams.into_iter().map(|(_, bytes)| bytes));
        let said = bench.wait(Duration::from_secs(20));
        datagrams.extend(said.datagrams.into_iter().map(|(_, bytes)| bytes));
    }
    let counters = bench.counters();
    let counted = vec![
        counters.begun,
        counters.completed,
        counters.failed,
        counters.timed_out,
        counters.retransmitted,
        dunlin_dtls::DropReason::ALL
            .iter()
            .map(|reason| counters.dropped(*reason))
            .sum(),
    ];
    (datagrams, counted)
}

/// Byte for byte the same answers at the same times, so that nobody learns which identities exist.
#[test]
fn an_unknown_identity_looks_like_a_wrong_key() {
    for of in kinds() {
        if of.suite.key_exchange() == KeyExchange::EcdheEcdsa {
            continue;
        }
        let wrong_key = observed(of, IDENTITY, b"another key 0123");
        for identity in [
            &b"nobody"[..],
            b"",
            &IDENTITY[..IDENTITY.len() - 1],
            &[0xff; 600],
        ] {
            for key in [KEY, b"another key 0123", b""] {
                assert_eq!(
                    observed(of, identity, key),
                    wrong_key,
                    "{of:?}, {identity:?}"
                );
            }
        }
    }
}

/// The random key that stands in for that of an unknown identity is not one that can be guessed:
/// not zeros, and nothing that is a function of the identity alone.
#[test]
fn an_unknown_identity_has_no_key_at_all() {
    for of in kinds() {
        if of.suite.key_exchange() == KeyExchange::EcdheEcdsa {
            continue;
        }
        for key in [&[][..], &[0; 16], &[0; 32], b"nobody"] {
            let (_, counted) = observed(of, b"nobody", key);
            assert_eq!(counted[1], 0, "completed");
        }
    }
}

/// An identity that is known up to a zero is another identity.
#[test]
fn identities_are_compared_whole() {
    let cut = IDENTITY.iter().position(|byte| *byte == 0).unwrap();
    let of = crate::known::psk();
    assert_eq!(observed(of, &IDENTITY[..cut], KEY).1[1], 0);
    let longer = [IDENTITY, b"x"].concat();
    assert_eq!(observed(of, &longer, KEY).1[1], 0);
}

/// RFC 4279 §5.3: identities of 128 bytes and keys of 64 must be supported; longer ones are.
#[test]
fn long_identities_and_keys_are_supported() {
    for (identity, key) in [(128, 64), (1, 1), (2000, 600)] {
        let (identity, key) = (vec![0xe9; identity], vec![0x6b; key]);
        let mut bench = Bench::new(in_one_piece());
        bench.known.identity.clone_from(&identity);
        bench.known.key.clone_from(&key);
        let mut script = super::bench::psk_client(1);
        bench.first_flight(&mut script);
        let body = script.client_key_exchange(&identity);
        let mut flight = script.say_plain(kind::CLIENT_KEY_EXCHANGE, &body);
        script.derive(&key, None);
        flight.extend(script.change_cipher_spec());
        flight.extend(script.finished());
        assert_eq!(bench.send(&flight).connected.len(), 1);
    }
}

#[test]
fn an_unknown_certificate_or_key_is_refused() {
    for of in kinds() {
        if of.suite.key_exchange() != KeyExchange::EcdheEcdsa {
            continue;
        }
        let mut bench = Bench::new(in_one_piece());
        bench.known.certificate = Vec::new();
        bench.known.public_key = Vec::new();
        let mut script = client(of, 1);
        bench.first_flight(&mut script);
        let body = super::bench::certificate(&script);
        let record = script.say_plain(kind::CERTIFICATE, &body);
        let said = bench.send(&record);
        let expected = if of.raw {
            Alert::CERTIFICATE_UNKNOWN
        } else {
            Alert::UNKNOWN_CA
        };
        assert_eq!(alert(&script, &said), fatal(expected), "{of:?}");
    }
}

/// A certificate that is none, and a key of another curve.
#[test]
fn a_malformed_certificate_or_key_is_refused() {
    for of in kinds() {
        if of.suite.key_exchange() != KeyExchange::EcdheEcdsa {
            continue;
        }
        let good = {
            let (_, script) = Bench::begun(client(of, 1));
            super::bench::certificate(&script)
        };
        for (at, change) in [
            (good.len() / 2, 0xff),
            (3, 1),
            (0, 1),
            (2, 1),
            (good.len() - 1, 0),
        ] {
            let mut bad = good.clone();
            bad[at] ^= change;
            if change == 0 {
                bad.pop();
            }
            let (mut bench, mut script) = Bench::begun(client(of, 1));
            let record = script.say_plain(kind::CERTIFICATE, &bad);
            let said = bench.send(&record);
            assert!(
                alert(&script, &said).is_some(),
                "{of:?}, byte {at}: {said:?}"
            );
        }
    }
}

/// The credential is taken back while its session lives: nothing of it goes on.
#[test]
fn a_forgotten_credential_ends_its_sessions() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = super::bench::psk_client(1);
    let session = bench.connect(&mut script);
    let mut ended = 0;
    {
        let mut rng = bench.rng.clone();
        let mut outputs = bench.server.forget(crate::known::TAG, &mut rng);
        while let Some(output) = outputs.next() {
            if let dunlin_dtls::ServerOutput::Closed { session: it, .. } = output {
                assert_eq!(it, session);
                ended += 1;
            }
        }
    }
    assert_eq!(ended, 1);
    let record = script.sealed(ContentType::ApplicationData, b"data");
    assert!(bench.send(&record).data.is_empty());

    // And it is not resumed.
    let session_id = script.peer_hello.as_ref().unwrap().session_id.clone();
    let mut again = super::bench::psk_client(2);
    again.hello.session_id = session_id.clone();
    bench.first_flight(&mut again);
    assert_ne!(again.peer_hello.as_ref().unwrap().session_id, session_id);
}

//! Handshake messages in pieces (RFC 6347 §4.2.2 and §4.2.3).

use super::bench::{Bench, client, keyed, psk_client};
use crate::known::{IDENTITY, KEY, kinds};
use crate::script::{Script, fragment, kind};

/// Sends a message cut into these pieces, each in a record of its own.
fn send_cut(bench: &mut Bench, script: &mut Script, message: &[u8], cuts: &[(usize, usize)]) {
    let sequence = u16::from_be_bytes([message[4], message[5]]);
    let body = &message[12..];
    for (begin, end) in cuts {
        let content = fragment(
            message[0],
            body.len(),
            sequence,
            *begin,
            &body[*begin..*end],
        );
        let record = script.plain(22, &content);
        let said = bench.send(&record);
        assert!(said.connected.is_empty());
    }
}

/// The rest of the flight behind the ClientKeyExchange.
fn rest(script: &mut Script) -> Vec<u8> {
    script.derive(KEY, None);
    let mut flight = script.change_cipher_spec();
    flight.extend(script.finished());
    flight
}

#[test]
fn pieces_that_overlap_or_come_twice_make_the_message() {
    for cuts in [
        &[(0, 4), (4, 10), (10, 12)][..],
        &[(10, 12), (0, 4), (4, 10)],
        &[(0, 8), (2, 12)],
        &[(0, 8), (0, 8), (0, 12)],
        &[(0, 0), (0, 12), (12, 12)],
        &[(11, 12), (10, 12), (0, 11), (5, 6)],
    ] {
        let (mut bench, mut script) = Bench::begun(psk_client(1));
        let body = script.client_key_exchange(IDENTITY);
        assert_eq!(body.len(), 12 - 1 + (IDENTITY.len() - 9), "{}", body.len());
        let message = script.say(kind::CLIENT_KEY_EXCHANGE, &body);
        let whole = body.len();
        let cuts: Vec<_> = cuts
            .iter()
            .map(|(begin, end)| ((*begin).min(whole), (*end).min(whole)))
            .collect();
        send_cut(&mut bench, &mut script, &message, &cuts);
        let flight = rest(&mut script);
        assert_eq!(bench.send(&flight).connected.len(), 1, "{cuts:?}");
    }
}

#[test]
fn a_missing_piece_is_waited_for() {
    let (mut bench, mut script) = Bench::begun(psk_client(1));
    let body = script.client_key_exchange(IDENTITY);
    let message = script.say(kind::CLIENT_KEY_EXCHANGE, &body);
    send_cut(
        &mut bench,
        &mut script,
        &message,
        &[(0, 3), (5, body.len())],
    );
    let flight = rest(&mut script);
    assert!(bench.send(&flight).connected.is_empty());
    let content = fragment(message[0], body.len(), 2, 3, &body[3..5]);
    let record = script.plain(22, &content);
    assert_eq!(bench.send(&record).connected.len(), 1);
}

/// Pieces that are no part of their message, contradict others, or are of messages far ahead: the
/// good ones count.
#[test]
fn impossible_pieces_are_dropped() {
    for it in kinds() {
        let (mut bench, mut script) = Bench::begun(client(it, 1));
        let mut bad: Vec<Vec<u8>> = vec![
            // Beyond the end of its message.
            fragment(16, 5, script.message, 3, &[0; 3]),
            fragment(16, 0, script.message, 0, &[0; 3]),
            fragment(16, 5, script.message, 0xff_ffff, &[0; 3]),
            // A message that is too long to be one.
            fragment(16, 0xff_ffff, script.message, 0, &[0; 3]),
            fragment(16, 0xff_ffff, script.message, 0xff_fff0, &[0; 3]),
            // Far ahead, and behind.
            fragment(16, 3, 0xffff, 0, &[0; 3]),
            fragment(16, 3, script.message + 100, 0, &[0; 3]),
            // Shorter than it says.
            fragment(16, 30, script.message, 0, &[0; 30])[..20].to_vec(),
            fragment(16, 30, script.message, 0, &[0; 30])[..5].to_vec(),
            Vec::new(),
        ];
        bad.push(bad.concat());
        for content in bad {
            let record = script.plain(22, &content);
            let said = bench.send(&record);
            assert!(said.is_silent(), "{it:?}: {said:?} to {content:02x?}");
        }
        let flight = bench.second_flight(&mut script);
        assert_eq!(bench.send(&flight).connected.len(), 1, "{it:?}");
    }
}

/// Two pieces that say different things of one message: the first holds, and the second does not
/// corrupt it.
#[test]
fn contradictions_do_not_change_what_is_there() {
    let (mut bench, mut script) = Bench::begun(psk_client(1));
    let body = script.client_key_exchange(IDENTITY);
    let message = script.say(kind::CLIENT_KEY_EXCHANGE, &body);
    let first = body.len() - 2;
    send_cut(&mut bench, &mut script, &message, &[(0, first)]);
    for content in [
        fragment(16, body.len() + 1, 2, first, &[9; 3]),
        fragment(11, body.len(), 2, first, &[9; 2]),
        fragment(16, body.len(), 2, 0, &vec![9; first]),
    ] {
        let record = script.plain(22, &content);
        assert!(bench.send(&record).is_silent());
    }
    send_cut(
        &mut bench,
        &mut script,
        &message,
        &[(first, body.len() - 1)],
    );
    let content = fragment(16, body.len(), 2, body.len() - 1, &body[body.len() - 1..]);
    let record = script.plain(22, &content);
    bench.send(&record);
    let flight = rest(&mut script);
    assert_eq!(bench.send(&flight).connected.len(), 1);
}

/// A Finished in pieces, each protected.
#[test]
fn a_finished_in_pieces_is_put_together() {
    use dunlin_dtls::testing::ContentType;
    let (mut bench, mut script) = Bench::begun(psk_client(1));
    let mut flight = keyed(&mut script);
    flight.extend(script.change_cipher_spec());
    assert!(bench.send(&flight).connected.is_empty());
    let verify_data = script.verify_data();
    let content = fragment(kind::FINISHED, 12, script.message, 5, &verify_data[5..]);
    let record = script.sealed(ContentType::Handshake, &content);
    assert!(bench.send(&record).connected.is_empty());
    let content = fragment(kind::FINISHED, 12, script.message, 0, &verify_data[..5]);
    let record = script.sealed(ContentType::Handshake, &content);
    assert_eq!(bench.send(&record).connected.len(), 1);
}

/// Several messages in one record, and several records in one datagram.
#[test]
fn messages_may_share_a_record() {
    for it in kinds() {
        let (mut bench, mut script) = Bench::begun(client(it, 1));
        let flight = bench.second_flight(&mut script);
        // Join the contents of the records of messages in the clear.
        let mut content = Vec::new();
        let mut rest = flight.as_slice();
        while rest[0] == 22 && rest[4] == 0 {
            let length = usize::from(rest[11]) << 8 | usize::from(rest[12]);
            content.extend_from_slice(&rest[13..13 + length]);
            rest = &rest[13 + length..];
        }
        let mut datagram = script.plain(22, &content);
        datagram.extend_from_slice(rest);
        assert_eq!(bench.send(&datagram).connected.len(), 1, "{it:?}");
    }
}

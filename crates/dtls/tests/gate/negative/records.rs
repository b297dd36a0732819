//! Records that are forged, empty, malformed, or too many.

use dunlin_dtls::testing::{ContentType, number};
use dunlin_dtls::{DropReason, Limit, Reason};

use super::bench::{Bench, cid_client, client, in_one_piece, psk_client};
use crate::known::kinds;

/// With tags of 8 bytes guesses are counted (RFC 6347 §4.1.2.7 wants them dropped in silence, and
/// allows to give up).
#[test]
fn the_budget_of_forged_records_ends_the_session() {
    let mut config = in_one_piece();
    config.limits.failed_decryptions = 10;
    let mut bench = Bench::new(config);
    let mut script = cid_client(1);
    bench.connect(&mut script);
    for guess in 0..10 {
        let mut record = script.sealed(ContentType::ApplicationData, b"data");
        *record.last_mut().unwrap() ^= 1;
        assert!(bench.send(&record).is_silent(), "{guess}");
    }
    assert!(bench.takes_data(&mut script, b"the budget is not used up"));
    let mut record = script.sealed(ContentType::ApplicationData, b"data");
    *record.last_mut().unwrap() ^= 1;
    let said = bench.send(&record);
    assert_eq!(said.closed, [Reason::Limit(Limit::FailedDecryptions)]);
    assert_eq!(bench.dropped(DropReason::NotAuthentic), 11);
}

/// Records too short to have a tag are no guesses at one.
#[test]
fn short_records_do_not_use_the_budget_up() {
    let mut config = in_one_piece();
    config.limits.failed_decryptions = 10;
    let mut bench = Bench::new(config);
    let mut script = psk_client(1);
    bench.connect(&mut script);
    for length in 0..16 {
        let mut record = vec![23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 9, 9, 0, length];
        record.resize(13 + usize::from(length), 7);
        assert!(bench.send(&record).is_silent());
    }
    assert!(bench.takes_data(&mut script, b"data"));
}

/// RFC 5246 §6.2.1: application data may be empty; it is no message, and takes its number.
#[test]
fn empty_data_is_allowed() {
    for it in kinds() {
        let mut bench = Bench::new(in_one_piece());
        let mut script = client(it, 1);
        bench.connect(&mut script);
        let record = script.sealed(ContentType::ApplicationData, b"");
        let said = bench.send(&record);
        assert!(said.datagrams.is_empty() && said.closed.is_empty());
        assert!(said.data.iter().all(Vec::is_empty));
        assert!(bench.send(&record).is_silent());
        assert!(bench.takes_data(&mut script, b"data"), "{it:?}");
    }
}

/// Authentic, and of a type or content that has no business in an association.
#[test]
fn authentic_nonsense_is_ignored() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = cid_client(1);
    bench.connect(&mut script);
    for (content_type, content) in [
        (ContentType::ChangeCipherSpec, &[1][..]),
        (ContentType::ChangeCipherSpec, &[]),
        (ContentType::Handshake, &[]),
        (ContentType::Handshake, &[1]),
        (
            ContentType::Handshake,
            &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ),
        (
            ContentType::Handshake,
            &[16, 0, 0, 1, 0, 3, 0, 0, 0, 0, 0, 1, 0],
        ),
        (ContentType::Alert, &[]),
        (ContentType::Tls12Cid, b"nested"),
    ] {
        let record = script.sealed(content_type, content);
        let said = bench.send(&record);
        assert!(
            said.data.is_empty() && said.closed.is_empty(),
            "{content_type:?}"
        );
    }
    assert!(bench.takes_data(&mut script, b"data"));
}

/// A good record behind a malformed one in the same datagram is not looked for (RFC 6347 §4.1.1:
/// nothing says where it begins); one in front of it counts.
#[test]
fn a_datagram_is_read_up_to_its_first_malformed_record() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = cid_client(1);
    bench.connect(&mut script);
    let one = script.sealed(ContentType::ApplicationData, b"one");
    let two = script.sealed(ContentType::ApplicationData, b"two");
    let datagram = [&one[..], &[23, 3, 3, 0, 1], &two[..]].concat();
    assert_eq!(bench.send(&datagram).data, [b"one"]);
    assert_eq!(bench.dropped(DropReason::Malformed), 1);
    assert_eq!(bench.send(&two).data, [b"two"]);
}

/// A record that fails in a datagram does not take the others with it (RFC 6347 §4.1.2.7).
#[test]
fn a_forged_record_does_not_take_others_with_it() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = cid_client(1);
    bench.connect(&mut script);
    let one = script.sealed(ContentType::ApplicationData, b"one");
    let mut forged = script.sealed(ContentType::ApplicationData, b"bad");
    *forged.last_mut().unwrap() ^= 1;
    let two = script.sealed(ContentType::ApplicationData, b"two");
    let datagram = [one, forged, two].concat();
    assert_eq!(bench.send(&datagram).data, [b"one", b"two"]);
}

/// RFC 6347 §4.1: sequence numbers never wrap.
#[test]
fn the_last_sequence_number_is_taken_once() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = cid_client(1);
    bench.connect(&mut script);
    let last = (1 << 48) - 1;
    let record = script.sealed_as(number(1, last), ContentType::ApplicationData, b"last");
    assert_eq!(bench.send(&record).data.len(), 1);
    assert!(bench.send(&record).is_silent());
    assert!(!bench.takes_data(&mut script, b"far behind it"));
}

/// A protected record for a handshake comes before its keys: it waits, within a bound.
#[test]
fn records_before_their_keys_are_bounded() {
    let (mut bench, _) = Bench::begun(psk_client(1));
    for sequence in 0..100 {
        let mut record = vec![22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 9, sequence, 0, 200];
        record.resize(213, 7);
        assert!(bench.send(&record).is_silent());
    }
    assert!(bench.dropped(DropReason::TooEarly) > 50);
}

#[test]
fn any_first_bytes_are_silent() {
    let mut bench = Bench::new(in_one_piece());
    for first in 0..=255 {
        for length in [0, 1, 12, 13, 14, 64] {
            let mut datagram = vec![first; length];
            if let Some(version) = datagram.get_mut(1..3) {
                version.copy_from_slice(&[0xfe, 0xfd]);
            }
            assert!(bench.send(&datagram).is_silent());
        }
    }
}

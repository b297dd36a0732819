//! Record headers, the records of a datagram, and which of them are new.

use dunlin_coap::Rng;
use dunlin_dtls::Suite;
use dunlin_dtls::testing::{
    ContentType, MAX_PLAINTEXT, Malformed, OpenError, Protection, Record, Records, ReplayWindow,
    VERSION, VERSION_1_0, WriteKeys, leading_cid, number, write_header,
};

struct Ones;

impl Rng for Ones {
    fn next_u32(&mut self) -> u32 {
        u32::MAX
    }
}

fn all(datagram: &[u8], cid_length: usize) -> Vec<Result<Record<'_>, Malformed>> {
    Records::new(datagram, cid_length).collect()
}

/// RFC 6347 §4.1: type, version, epoch, sequence number, length.
#[test]
fn a_record_without_connection_id() {
    let datagram = [
        22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 1, 2, 0, 3, 0xaa, 0xbb, 0xcc,
    ];
    let record = Record {
        content_type: ContentType::Handshake,
        version: VERSION,
        epoch: 0,
        sequence: 0x102,
        cid: &[],
        fragment: &[0xaa, 0xbb, 0xcc],
    };
    assert_eq!(all(&datagram, 8), [Ok(record)]);
    let mut header = [0; 13];
    let written = write_header(
        &mut header,
        ContentType::Handshake,
        VERSION,
        number(0, 0x102),
        &[],
        3,
    );
    assert_eq!(written, Some(13));
    assert_eq!(header, datagram[..13]);
}

/// RFC 9146 §4: the connection identifier stands between sequence number and length.
#[test]
fn a_record_with_connection_id() {
    let datagram = [
        25, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 1, 2, 0xc1, 0xc2, 0, 1, 0xaa,
    ];
    let record = Record {
        content_type: ContentType::Tls12Cid,
        version: VERSION,
        epoch: 1,
        sequence: 0x102,
        cid: &[0xc1, 0xc2],
        fragment: &[0xaa],
    };
    assert_eq!(all(&datagram, 2), [Ok(record)]);
    assert_eq!(leading_cid(&datagram, 2), Some(&[0xc1, 0xc2][..]));
    assert_eq!(leading_cid(&datagram, 6), None, "longer than the datagram");
    assert_eq!(leading_cid(&datagram, 0), None);
    let mut header = [0; 15];
    let written = write_header(
        &mut header,
        ContentType::Tls12Cid,
        VERSION,
        number(1, 0x102),
        &[0xc1, 0xc2],
        1,
    );
    assert_eq!(written, Some(15));
    assert_eq!(header, datagram[..15]);
}

/// RFC 6347 §4.1.1: a datagram may hold several records.
#[test]
fn several_records_come_in_order() {
    let one = [20, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 1];
    let two = [22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 7, 8];
    let datagram = [&one[..], &two[..]].concat();
    let types: Vec<_> = all(&datagram, 0)
        .into_iter()
        .map(|record| record.map(|record| record.content_type))
        .collect();
    assert_eq!(
        types,
        [
            Ok(ContentType::ChangeCipherSpec),
            Ok(ContentType::Handshake)
        ]
    );
}

#[test]
fn nothing_comes_after_a_malformed_record() {
    let good = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 1];
    let mut bad = good;
    for (at, value, expected) in [
        (0, 24, Malformed::ContentType),
        (0, 0, Malformed::ContentType),
        (1, 3, Malformed::Version),
        (2, 0xfc, Malformed::Version),
        (0, 25, Malformed::ConnectionId),
        (11, 0x48, Malformed::TooLong),
        (11, 1, Malformed::Truncated),
    ] {
        bad[at] = value;
        let datagram = [&good[..], &bad[..], &good[..]].concat();
        let records = all(&datagram, 1);
        assert_eq!(records.len(), 2, "{expected:?}");
        assert!(records[0].is_ok());
        assert_eq!(records[1], Err(expected));
        bad = good;
    }
}

#[test]
fn every_beginning_of_a_record_is_truncated() {
    let datagram = [25, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 1, 2, 0xc1, 0, 1, 0xaa];
    for end in 1..datagram.len() {
        assert_eq!(
            all(&datagram[..end], 1),
            [Err(Malformed::Truncated)],
            "{end}"
        );
    }
    assert!(all(&[], 1).is_empty());
}

/// RFC 6347 §4.2.1: DTLS 1.0 may stand on the first messages, and nowhere else.
#[test]
fn the_version_1_0_stands_in_epoch_0_only() {
    let mut datagram = [22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 1];
    assert_eq!(all(&datagram, 0)[0].unwrap().version, VERSION_1_0);
    datagram[4] = 1;
    assert_eq!(all(&datagram, 0), [Err(Malformed::Version)]);
}

/// RFC 9146 §3: with connection identifier means protected.
#[test]
fn a_connection_id_in_the_clear_is_malformed() {
    let datagram = [25, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 1, 2, 0xc1, 0, 1, 0xaa];
    assert_eq!(all(&datagram, 1), [Err(Malformed::ConnectionId)]);
}

#[test]
fn a_record_without_content_is_one() {
    let datagram = [23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 1, 2, 0, 0];
    assert_eq!(all(&datagram, 0)[0].unwrap().fragment, []);
}

fn keys(suite: Suite) -> WriteKeys {
    let raw = vec![7; WriteKeys::encoded_length(suite.cipher())];
    WriteKeys::read(suite.cipher(), &raw).unwrap()
}

/// What `content_for` says fits fits, and one byte more does not.
#[test]
fn content_for_a_size_is_exact() {
    for suite in Suite::ALL {
        for encrypt_then_mac in [false, true] {
            for cid in [0, 1, 8, 32, 255] {
                let protection = Protection::new(suite, encrypt_then_mac);
                for size in 0..600 {
                    match protection.content_for(cid, size) {
                        Some(content) => {
                            assert!(content > 0);
                            assert!(protection.sealed_length(cid, content) <= size);
                            assert!(protection.sealed_length(cid, content + 1) > size);
                        }
                        None => assert!(protection.sealed_length(cid, 1) > size),
                    }
                }
                assert_eq!(protection.content_for(cid, 65_535), Some(MAX_PLAINTEXT));
            }
        }
    }
}

#[test]
fn every_length_of_content_goes_through() {
    for suite in Suite::ALL {
        for encrypt_then_mac in [false, true] {
            for cid in [&[][..], &[9; 8]] {
                for length in [0, 1, 15, 16, 17, 31, 32, 33, 1000, MAX_PLAINTEXT] {
                    let content: Vec<u8> = (0..length).map(|i| i as u8).collect();
                    let protection = Protection::new(suite, encrypt_then_mac);
                    let mut out = vec![0; protection.sealed_length(cid.len(), length)];
                    protection
                        .seal(
                            &keys(suite),
                            number(1, 5),
                            cid,
                            ContentType::ApplicationData,
                            &content,
                            &mut Ones,
                            &mut out,
                        )
                        .unwrap();
                    let record = Records::new(&out, cid.len()).next().unwrap().unwrap();
                    let mut scratch = vec![0; record.fragment.len()];
                    assert_eq!(
                        protection.open(&keys(suite), &record, &mut scratch),
                        Ok((ContentType::ApplicationData, &content[..])),
                        "{suite:?}, {encrypt_then_mac}, {length}"
                    );
                }
            }
        }
    }
}

#[test]
fn seal_refuses_what_does_not_fit() {
    let suite = Suite::PskAes128Ccm8;
    let protection = Protection::new(suite, false);
    let seal = |keys: &WriteKeys, cid: &[u8], content: &[u8], room: usize| {
        protection.seal(
            keys,
            number(1, 0),
            cid,
            ContentType::ApplicationData,
            content,
            &mut Ones,
            &mut vec![0; room],
        )
    };
    let keys_of = keys(suite);
    assert_eq!(seal(&keys_of, &[], &[1; 10], 39), Some(39));
    assert_eq!(seal(&keys_of, &[], &[1; 10], 38), None);
    assert_eq!(seal(&keys_of, &[], &[1; MAX_PLAINTEXT + 1], 1 << 16), None);
    assert_eq!(seal(&keys_of, &[1; 256], &[1], 1000), None);
    let other = keys(Suite::PskAes128CbcSha256);
    assert_eq!(
        seal(&other, &[], &[1], 1000),
        None,
        "keys of another cipher"
    );
}

/// A fragment that no cipher yields is told apart from one that fails to authenticate: only the
/// latter is a guess at a tag.
#[test]
fn fragments_too_short_are_no_forgeries() {
    for suite in Suite::ALL {
        for encrypt_then_mac in [false, true] {
            let protection = Protection::new(suite, encrypt_then_mac);
            let least = protection.sealed_length(0, 0) - 13;
            for length in 0..least {
                let fragment = vec![3; length];
                let record = Record {
                    content_type: ContentType::ApplicationData,
                    version: VERSION,
                    epoch: 1,
                    sequence: 0,
                    cid: &[],
                    fragment: &fragment,
                };
                let opened = protection
                    .open(&keys(suite), &record, &mut vec![0; length])
                    .unwrap_err();
                assert_eq!(opened, OpenError::Length, "{suite:?}, {length} of {least}");
            }
        }
    }
}

/// The window of RFC 6347 §4.1.2.6 against a list of everything received.
#[test]
fn the_window_agrees_with_a_list() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..200 {
        let mut window = ReplayWindow::new();
        let mut seen = std::collections::BTreeSet::new();
        let mut newest: Option<u64> = None;
        let mut at = 0_u64;
        for _ in 0..400 {
            at = match random() % 10 {
                0 => at + random() % 200,
                1 => at.saturating_sub(random() % 100),
                _ => (at + random() % 4).saturating_sub(1),
            };
            let too_old = newest.is_some_and(|newest| newest >= 64 && at <= newest - 64);
            let new = !seen.contains(&at) && !too_old;
            assert_eq!(window.is_new(at), new, "{at} after {newest:?}");
            assert_eq!(
                window.is_newest(at),
                newest.is_none_or(|newest| at > newest)
            );
            assert_eq!(window.accept(at), new);
            if new {
                seen.insert(at);
                newest = newest.max(Some(at));
            }
            let (end, bits) = window.parts();
            assert_eq!(ReplayWindow::from_parts(end, bits), Some(window));
        }
    }
}

#[test]
fn the_window_goes_up_to_the_last_number() {
    let last = (1 << 48) - 1;
    let mut window = ReplayWindow::new();
    assert!(window.accept(last));
    assert!(!window.is_new(last));
    assert!(window.is_new(last - 63));
    assert!(!window.is_new(last - 64));
    let (end, bits) = window.parts();
    assert_eq!(ReplayWindow::from_parts(end, bits), Some(window));
}

#[test]
fn a_window_above_everything_takes_newer_ones_only() {
    for end in [0, 1, 63, 64, 1000] {
        let window = ReplayWindow::all_below(end);
        assert!((0..end).all(|sequence| !window.is_new(sequence)));
        assert!(window.is_new(end));
        let (end, bits) = window.parts();
        assert_eq!(ReplayWindow::from_parts(end, bits), Some(window));
    }
}

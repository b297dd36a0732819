//! Alerts, good and forged (RFC 5246 §7.2, RFC 6347 §4.1.2.7).

use dunlin_dtls::testing::ContentType;
use dunlin_dtls::{Alert, Reason};

use super::bench::{Bench, alert, cid_client, in_one_piece, keyed, psk_client};

/// What stands in the clear may be anybody's: it does not touch an association.
#[test]
fn alerts_in_the_clear_do_not_touch_an_association() {
    for connection in [psk_client, cid_client] {
        let mut bench = Bench::new(in_one_piece());
        let mut script = connection(1);
        bench.connect(&mut script);
        for content in [[2, 40], [1, 0], [2, 0], [2, 20], [0, 0], [255, 255]] {
            let record = script.plain(21, &content);
            assert!(bench.send(&record).is_silent(), "{content:?}");
        }
        assert!(bench.takes_data(&mut script, b"data"));
    }
}

/// Once the client speaks under its keys, what is in the clear is not from it.
#[test]
fn alerts_in_the_clear_do_not_end_a_handshake_with_keys() {
    let (mut bench, mut script) = Bench::begun(psk_client(1));
    let mut flight = keyed(&mut script);
    flight.extend(script.change_cipher_spec());
    assert!(bench.send(&flight).is_silent());
    let record = script.plain(21, &[2, 40]);
    assert!(bench.send(&record).is_silent());
    let finished = script.finished();
    assert_eq!(bench.send(&finished).connected.len(), 1);
}

/// A client that gives up before it has keys says so in the clear, and the server forgets it.
#[test]
fn an_alert_in_the_clear_ends_a_handshake_without_keys() {
    let (mut bench, mut script) = Bench::begun(psk_client(1));
    let record = script.plain(21, &[2, 80]);
    assert!(bench.send(&record).is_silent());
    assert_eq!(bench.counters().failed, 1);
    assert_eq!(bench.server.next_timeout(), None);
}

#[test]
fn a_warning_in_the_clear_changes_nothing() {
    let (mut bench, mut script) = Bench::begun(psk_client(1));
    for content in [&[1, 90][..], &[1, 255], &[], &[2], &[2, 40, 0]] {
        let record = script.plain(21, content);
        assert!(bench.send(&record).is_silent(), "{content:?}");
    }
    let flight = bench.second_flight(&mut script);
    assert_eq!(bench.send(&flight).connected.len(), 1);
}

/// RFC 5246 §7.2.1: answered with the same, and it is over.
#[test]
fn close_notify_is_answered() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = cid_client(1);
    bench.connect(&mut script);
    let record = script.sealed(ContentType::Alert, &[1, 0]);
    let said = bench.send(&record);
    assert_eq!(said.closed, [Reason::CloseNotify]);
    assert_eq!(alert(&script, &said), Some([1, 0]));
    let record = script.sealed(ContentType::ApplicationData, b"data");
    assert!(bench.send(&record).data.is_empty());
}

/// RFC 5246 §7.2.2: a session with a fatal alert is over, and is not resumed.
#[test]
fn a_fatal_alert_ends_the_session_and_its_resumption() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = cid_client(1);
    bench.connect(&mut script);
    let record = script.sealed(ContentType::Alert, &[2, 80]);
    let said = bench.send(&record);
    assert_eq!(said.closed, [Reason::AlertReceived(Alert::INTERNAL_ERROR)]);
    assert!(said.datagrams.is_empty(), "a fatal alert is not answered");
    let id = script.peer_hello.as_ref().unwrap().session_id.clone();
    let mut again = psk_client(2);
    again.hello.session_id = id.clone();
    bench.first_flight(&mut again);
    assert_ne!(again.peer_hello.as_ref().unwrap().session_id, id);
}

/// Warnings, unknown ones, and alerts that are none.
#[test]
fn other_alerts_do_not_end_a_session() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = cid_client(1);
    bench.connect(&mut script);
    for content in [&[1, 100][..], &[1, 90], &[1, 255], &[], &[2], &[2, 40, 0]] {
        let record = script.sealed(ContentType::Alert, content);
        let said = bench.send(&record);
        assert!(said.is_silent(), "{content:?}: {said:?}");
    }
    assert!(bench.takes_data(&mut script, b"data"));
}

#[test]
fn a_forged_alert_is_dropped() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = cid_client(1);
    bench.connect(&mut script);
    let mut record = script.sealed(ContentType::Alert, &[2, 80]);
    *record.last_mut().unwrap() ^= 1;
    assert!(bench.send(&record).is_silent());
    assert!(bench.takes_data(&mut script, b"data"));
}

/// An alert in the clear that answers nothing is not answered: two servers would keep each other
/// busy.
#[test]
fn nothing_in_the_clear_but_a_hello_is_answered() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = psk_client(1);
    for (content_type, content) in [
        (21, &[2, 40][..]),
        (21, &[1, 0]),
        (20, &[1]),
        (23, b"data"),
        (22, &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        (22, &[3, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 3, 254, 255, 0]),
        (22, &[14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        (22, &[]),
    ] {
        let record = script.plain(content_type, content);
        assert!(
            bench.send(&record).is_silent(),
            "{content_type} {content:?}"
        );
    }
}

//! Short handshakes, and what must not come of them (RFC 5246 §7.3 and §F.1.4, RFC 7627 §5.3).

use std::time::Duration;

use dunlin_dtls::testing::{ContentType, MasterSecret};
use dunlin_dtls::{Alert, ExtendedMasterSecret, ServerConfig, Suite};

use super::bench::{Bench, Said, alert, fatal, in_one_piece, psk_client};
use crate::known::KEY;
use crate::script::{Script, extension, kind};

/// A server with a session, and what resumes it.
fn earlier(config: ServerConfig) -> (Bench, Vec<u8>, MasterSecret) {
    let mut bench = Bench::new(config);
    let mut script = psk_client(1);
    bench.connect(&mut script);
    let id = script.peer_hello.as_ref().unwrap().session_id.clone();
    assert_eq!(id.len(), 32);
    (bench, id, script.master.unwrap())
}

fn again(id: &[u8]) -> Script {
    let mut script = psk_client(2);
    script.hello.session_id = id.to_vec();
    script
}

/// The server's short flight, taken in with the keys of the session.
fn take_short(script: &mut Script, said: &Said, master: MasterSecret) {
    for (_, datagram) in &said.datagrams {
        script.take(datagram);
    }
    script.derive(KEY, Some(master));
    for (_, datagram) in &said.datagrams {
        script.take(datagram);
    }
}

#[test]
fn a_good_resumption_is_short() {
    let (mut bench, id, master) = earlier(in_one_piece());
    let mut script = again(&id);
    let said = bench.hello(&mut script);
    take_short(&mut script, &said, master);
    assert_eq!(script.peer_hello.as_ref().unwrap().session_id, id);
    let mut flight = script.change_cipher_spec();
    flight.extend(script.finished());
    assert_eq!(bench.send(&flight).connected.len(), 1);
    assert_eq!(bench.counters().resumed, 1);
    assert!(bench.takes_data(&mut script, b"data"));
}

/// RFC 7627 §5.3: a session with the extended master secret is not resumed without: the handshake is
/// aborted.
#[test]
fn a_resumption_without_extended_master_secret_is_aborted() {
    let (mut bench, id, _) = earlier(ServerConfig {
        extended_master_secret: ExtendedMasterSecret::Optional,
        ..in_one_piece()
    });
    let mut script = again(&id);
    script.hello = script.hello.without(extension::EXTENDED_MASTER_SECRET);
    let said = bench.hello(&mut script);
    assert_eq!(alert(&script, &said), fatal(Alert::HANDSHAKE_FAILURE));
}

/// RFC 7627 §5.3: a session without the extended master secret is never resumed.
#[test]
fn a_session_without_extended_master_secret_is_not_resumed() {
    let mut bench = Bench::new(ServerConfig {
        extended_master_secret: ExtendedMasterSecret::Optional,
        ..in_one_piece()
    });
    let mut script = psk_client(1);
    script.hello = script.hello.without(extension::EXTENDED_MASTER_SECRET);
    bench.connect(&mut script);
    let id = script.peer_hello.as_ref().unwrap().session_id.clone();
    assert!(id.is_empty());
}

/// Whoever knows an id and no secret gets nothing.
#[test]
fn an_id_without_its_secret_never_connects() {
    let (mut bench, id, _) = earlier(in_one_piece());
    let mut script = again(&id);
    let said = bench.hello(&mut script);
    take_short(&mut script, &said, MasterSecret::from_bytes([0; 48]));
    let mut flight = script.change_cipher_spec();
    flight.extend(script.finished());
    let said = bench.send(&flight);
    assert!(said.connected.is_empty());
    let record = script.sealed(ContentType::ApplicationData, b"data");
    assert!(bench.send(&record).data.is_empty());
}

/// With the right keys but a Finished that is wrong, in the clear, or missing.
#[test]
fn a_resumption_needs_a_right_finished() {
    for case in 0..3 {
        let (mut bench, id, master) = earlier(in_one_piece());
        let mut script = again(&id);
        let said = bench.hello(&mut script);
        take_short(&mut script, &said, master);
        let mut verify_data = script.verify_data();
        let mut flight = script.change_cipher_spec();
        match case {
            0 => {
                verify_data[0] ^= 1;
                let message = script.say(kind::FINISHED, &verify_data);
                flight.extend(script.sealed(ContentType::Handshake, &message));
            }
            1 => flight.extend(script.say_plain(kind::FINISHED, &verify_data)),
            _ => flight.extend(script.sealed(ContentType::ApplicationData, b"early")),
        }
        let said = bench.send(&flight);
        assert!(said.connected.is_empty() && said.data.is_empty(), "{case}");
        assert_eq!(bench.counters().resumed, 0);
    }
}

/// Another suite, an id that nobody has, one that is too old: a full handshake follows.
#[test]
fn what_does_not_fit_is_a_full_handshake() {
    for case in 0..4 {
        let (mut bench, id, _) = earlier(in_one_piece());
        let mut script = again(&id);
        match case {
            0 => script.hello.session_id = vec![9; 32],
            1 => script.hello.session_id.truncate(31),
            2 => {
                script.suite = Suite::PskAes128CbcSha256;
                script.hello.suites = vec![script.suite.code()];
            }
            _ => {
                bench.wait(Duration::from_secs(25 * 3600));
            }
        }
        bench.first_flight(&mut script);
        assert_ne!(script.peer_hello.as_ref().unwrap().session_id, id, "{case}");
        let flight = bench.second_flight(&mut script);
        assert_eq!(bench.send(&flight).connected.len(), 1, "{case}");
        assert_eq!(bench.counters().resumed, 0);
    }
}

/// RFC 9146 §3: connection IDs are agreed on afresh in each handshake.
#[test]
fn a_resumption_agrees_on_connection_ids_afresh() {
    let (mut bench, id, master) = earlier(in_one_piece());
    let mut script = again(&id);
    script.hello = script.hello.with(extension::CONNECTION_ID, &[2, 7, 7]);
    let said = bench.hello(&mut script);
    take_short(&mut script, &said, master);
    assert_eq!(script.own_cid, [7, 7]);
    assert!(!script.peer_cid.is_empty());
    let mut flight = script.change_cipher_spec();
    flight.extend(script.finished());
    assert_eq!(bench.send(&flight).connected.len(), 1);
    assert!(bench.takes_data(&mut script, b"data"));
}

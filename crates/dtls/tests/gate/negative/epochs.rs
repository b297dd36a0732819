//! Epochs, sequence numbers, connection IDs and addresses of an association that lives
//! (RFC 6347 §4.1, RFC 9146 §3 and §6).

use dunlin_dtls::testing::{ContentType, number};
use dunlin_dtls::{DropReason, Export, Server};
use dunlin_sim::netem::SeededRng;

use super::bench::{Bench, cid_client, here, in_one_piece, psk_client, there};
use crate::script::Script;

fn data(script: &mut Script, number: u64) -> Vec<u8> {
    script.sealed_as(number, ContentType::ApplicationData, b"data")
}

#[test]
fn a_replayed_record_is_dropped() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = cid_client(1);
    bench.connect(&mut script);
    let record = script.sealed(ContentType::ApplicationData, b"data");
    assert_eq!(bench.send(&record).data.len(), 1);
    for _ in 0..3 {
        assert!(bench.send(&record).is_silent());
    }
    assert_eq!(bench.dropped(DropReason::Replayed), 3);
}

/// RFC 6347 §4.1.2.6: late is allowed within the window, once.
#[test]
fn late_records_are_taken_within_the_window() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = cid_client(1);
    bench.connect(&mut script);
    let newest = data(&mut script, number(1, 200));
    assert_eq!(bench.send(&newest).data.len(), 1);
    let late = data(&mut script, number(1, 137));
    assert_eq!(bench.send(&late).data.len(), 1);
    assert!(bench.send(&late).is_silent());
    let too_late = data(&mut script, number(1, 136));
    assert!(bench.send(&too_late).is_silent());
}

/// A record that does not authenticate does not move the window (RFC 6347 §4.1.2.6).
#[test]
fn a_forged_record_does_not_move_the_window() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = cid_client(1);
    bench.connect(&mut script);
    let mut forged = data(&mut script, number(1, 100_000));
    *forged.last_mut().unwrap() ^= 1;
    assert!(bench.send(&forged).is_silent());
    assert_eq!(bench.dropped(DropReason::NotAuthentic), 1);
    assert!(bench.takes_data(&mut script, b"data"));
}

/// There is one epoch with keys. What claims to be of another is dropped, though its MAC be good.
#[test]
fn other_epochs_are_dropped() {
    for connection in [psk_client, cid_client] {
        let mut bench = Bench::new(in_one_piece());
        let mut script = connection(1);
        bench.connect(&mut script);
        for epoch in [2, 3, 0x7fff, 0xffff] {
            let record = data(&mut script, number(epoch, 50));
            assert!(bench.send(&record).is_silent(), "{epoch}");
        }
        if script.peer_cid.is_empty() {
            let record = data(&mut script, number(0, 50));
            assert!(bench.send(&record).data.is_empty());
        }
        assert!(bench.takes_data(&mut script, b"data"));
    }
}

/// A record of epoch 1 whose header was changed to epoch 0 is no data in the clear.
#[test]
fn a_protected_record_relabelled_is_dropped() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = psk_client(1);
    bench.connect(&mut script);
    for at in 0..13 {
        let mut record = script.sealed(ContentType::ApplicationData, b"data");
        for bit in 0..8 {
            record[at] ^= 1 << bit;
            let said = bench.send(&record);
            assert!(
                said.data.is_empty() && said.closed.is_empty(),
                "byte {at}, bit {bit}"
            );
            record[at] ^= 1 << bit;
        }
        assert_eq!(bench.send(&record).data.len(), 1);
    }
}

/// RFC 9146 §6: the address follows a newer authentic record, and nothing else.
#[test]
fn the_address_follows_the_newest_record_only() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = cid_client(1);
    let session = bench.connect(&mut script);
    let first = data(&mut script, number(1, 10));
    let second = data(&mut script, number(1, 11));
    assert_eq!(bench.send(&second).data.len(), 1);
    // Late, from elsewhere: it is data, but the address stays.
    let said = bench.datagram(there(), &first);
    assert_eq!((said.data.len(), said.moved.len()), (1, 0));
    assert_eq!(bench.server.address(session), Some(here()));
    // A copy from elsewhere.
    assert!(bench.datagram(there(), &second).is_silent());
    // A forged one.
    let mut forged = data(&mut script, number(1, 12));
    *forged.last_mut().unwrap() ^= 1;
    assert!(bench.datagram(there(), &forged).is_silent());
    assert_eq!(bench.server.address(session), Some(here()));
    // A newer one.
    let third = data(&mut script, number(1, 13));
    let said = bench.datagram(there(), &third);
    assert_eq!((said.data.len(), said.moved), (1, vec![there()]));
    assert_eq!(bench.server.address(session), Some(there()));
}

/// Without connection ID a record belongs to its address.
#[test]
fn without_connection_id_another_address_is_a_stranger() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = psk_client(1);
    bench.connect(&mut script);
    let record = script.sealed(ContentType::ApplicationData, b"data");
    assert!(bench.datagram(there(), &record).is_silent());
    assert_eq!(bench.dropped(DropReason::NoAssociation), 1);
    assert_eq!(bench.send(&record).data.len(), 1);
}

/// Whatever is changed of a connection ID, the record is nobody's.
#[test]
fn a_connection_id_that_does_not_fit_is_dropped() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = cid_client(1);
    bench.connect(&mut script);
    let record = script.sealed(ContentType::ApplicationData, b"data");
    for at in 11..11 + script.peer_cid.len() {
        for bit in 0..8 {
            let mut bad = record.clone();
            bad[at] ^= 1 << bit;
            assert!(bench.send(&bad).is_silent(), "byte {at}");
        }
    }
    assert_eq!(bench.send(&record).data.len(), 1);
}

/// Two sessions: the record of one under the connection ID of the other is not authentic.
#[test]
fn a_connection_id_of_another_session_is_not_authentic() {
    let mut bench = Bench::new(in_one_piece());
    let mut one = cid_client(1);
    bench.connect(&mut one);
    let mut two = cid_client(2);
    let flight = {
        let said = bench.hello_from(there(), &mut two);
        for (_, datagram) in &said.datagrams {
            two.take(datagram);
        }
        bench.second_flight(&mut two)
    };
    assert_eq!(bench.datagram(there(), &flight).connected.len(), 1);
    assert_ne!(one.peer_cid, two.peer_cid);
    let own = one.peer_cid.clone();
    one.peer_cid = two.peer_cid.clone();
    let record = one.sealed(ContentType::ApplicationData, b"data");
    assert!(bench.send(&record).is_silent());
    assert_eq!(bench.dropped(DropReason::NotAuthentic), 1);
    one.peer_cid = own;
    assert!(bench.takes_data(&mut one, b"data"));
}

/// RFC 9146 §3: who was given a connection ID uses it.
#[test]
fn a_record_without_the_agreed_connection_id_is_dropped() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = cid_client(1);
    bench.connect(&mut script);
    let cid = std::mem::take(&mut script.peer_cid);
    let record = script.sealed(ContentType::ApplicationData, b"data");
    assert!(bench.send(&record).is_silent());
    script.peer_cid = cid;
    assert!(bench.takes_data(&mut script, b"data"));
}

#[test]
fn a_connection_id_of_another_prefix_is_handed_out() {
    let mut config = in_one_piece();
    config.connection_id = Some(dunlin_dtls::CidFormat {
        prefix: vec![1, 2],
        length: 8,
    });
    let mut bench = Bench::new(config);
    let mut script = cid_client(1);
    bench.connect(&mut script);
    assert_eq!(script.peer_cid[..2], [1, 2]);
    script.peer_cid[1] = 3;
    let record = script.sealed(ContentType::ApplicationData, b"data");
    let said = bench.send(&record);
    assert_eq!((said.foreign, said.data.len()), (1, 0));
}

/// A ClientHello, a whole handshake that fails, and forged records from the address of a live
/// association: it goes on.
#[test]
fn a_hello_over_a_live_association_does_not_harm_it() {
    for connection in [psk_client, cid_client] {
        let mut bench = Bench::new(in_one_piece());
        let mut script = connection(1);
        let session = bench.connect(&mut script);
        assert!(bench.takes_data(&mut script, b"before"));

        // Blind: no cookie.
        let hello = psk_client(2).client_hello();
        bench.send(&hello);
        assert!(bench.takes_data(&mut script, b"after a hello"));

        // With a cookie, half way.
        let mut other = connection(3);
        bench.first_flight(&mut other);
        assert!(bench.takes_data(&mut script, b"beside a handshake"));

        // To an end that fails.
        let body = other.client_key_exchange(b"nobody");
        let mut flight = other.say_plain(crate::script::kind::CLIENT_KEY_EXCHANGE, &body);
        other.derive(b"wrong", None);
        flight.extend(other.change_cipher_spec());
        flight.extend(other.finished());
        let said = bench.send(&flight);
        assert!(said.closed.is_empty());
        assert!(bench.takes_data(&mut script, b"after a failed handshake"));
        assert_eq!(bench.server.address(session), Some(here()));

        // And one that is given up.
        bench.first_flight(&mut connection(4));
        bench.wait(std::time::Duration::from_secs(300));
        assert!(bench.takes_data(&mut script, b"after one that was given up"));
    }
}

/// A device that lost its keys comes back from the same address: the new association takes over.
#[test]
fn a_new_handshake_of_the_same_device_replaces_the_old_association() {
    for connection in [psk_client, cid_client] {
        let mut bench = Bench::new(in_one_piece());
        let mut old = connection(1);
        bench.connect(&mut old);
        let mut new = connection(2);
        bench.first_flight(&mut new);
        let flight = bench.second_flight(&mut new);
        let said = bench.send(&flight);
        assert_eq!((said.connected.len(), said.closed.len()), (1, 1));
        assert!(bench.takes_data(&mut new, b"data"));
        let record = old.sealed(ContentType::ApplicationData, b"data");
        assert!(bench.send(&record).data.is_empty());
    }
}

/// A second handshake inside the association (RFC 5246 §7.4.1.1, §7.2.2): refused with a warning,
/// and the association goes on.
#[test]
fn renegotiation_is_refused() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = cid_client(1);
    bench.connect(&mut script);
    let body = script.hello.client();
    let message = script.say(crate::script::kind::CLIENT_HELLO, &body);
    let record = script.sealed(ContentType::Handshake, &message);
    let said = bench.send(&record);
    assert_eq!(
        super::bench::alert(&script, &said),
        Some([1, 100]),
        "no_renegotiation"
    );
    assert!(said.closed.is_empty());
    assert!(bench.takes_data(&mut script, b"data"));
}

/// An export that the session outlived holds an old window: what came after it must not be taken
/// again (this is what `Unproven` and `prove` are for).
#[test]
fn after_an_import_old_records_are_refused_and_newer_ones_unproven() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = cid_client(1);
    let session = bench.connect(&mut script);
    let before = data(&mut script, number(1, 10));
    assert_eq!(bench.send(&before).data.len(), 1);
    let mut export = Vec::new();
    assert!(
        bench
            .server
            .export(session, Export::Reserve(1000), &mut export)
    );
    let after = data(&mut script, number(1, 20));
    assert_eq!(bench.send(&after).data.len(), 1);

    // The process dies here.
    bench.server = Server::new(in_one_piece(), &mut SeededRng::new(2));
    assert_eq!(bench.server.import(bench.now, &export), Ok(session));
    assert!(!bench.server.is_proven(session));
    assert!(bench.send(&before).is_silent(), "the window knew it");
    let said = bench.send(&after);
    assert!(said.data.is_empty(), "it may have been carried out already");
    assert_eq!(said.unproven, [20]);

    // What the application challenged came with number 21.
    bench.server.prove(session, 21, here());
    assert!(bench.server.is_proven(session));
    assert!(bench.send(&after).is_silent());
    let fresh = data(&mut script, number(1, 22));
    assert_eq!(bench.send(&fresh).data.len(), 1);
}

/// No sequence number is used twice: the import begins behind the reserve, and the session of
/// before stops at it.
#[test]
fn an_import_begins_behind_the_reserve() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = cid_client(1);
    let session = bench.connect(&mut script);
    let mut export = Vec::new();
    assert!(
        bench
            .server
            .export(session, Export::Reserve(10), &mut export)
    );
    let mut last = 0;
    let mut sent = 0;
    for _ in 0..50 {
        let said = bench.tell(dunlin_dtls::ServerInput::Send {
            session,
            bytes: b"data",
        });
        for (_, datagram) in &said.datagrams {
            last = script.open(datagram)[0].sequence;
            sent += 1;
        }
    }
    assert_eq!(sent, 10, "and no more without another reserve");

    bench.server = Server::new(in_one_piece(), &mut SeededRng::new(2));
    bench.server.import(bench.now, &export).unwrap();
    let mut renewed = Vec::new();
    assert!(
        bench
            .server
            .export(session, Export::Reserve(10), &mut renewed)
    );
    let said = bench.tell(dunlin_dtls::ServerInput::Send {
        session,
        bytes: b"data",
    });
    let next = script.open(&said.datagrams[0].1)[0].sequence;
    assert!(next > last, "{next} after {last}");
}

/// A final export goes on exactly: window, sequence numbers, address.
#[test]
fn a_final_export_goes_on_exactly() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = cid_client(1);
    let session = bench.connect(&mut script);
    let old = data(&mut script, number(1, 10));
    assert_eq!(bench.send(&old).data.len(), 1);
    let mut export = Vec::new();
    assert!(bench.server.export(session, Export::Final, &mut export));
    assert!(export.len() <= 150, "{} bytes", export.len());
    assert_eq!(bench.server.address(session), None, "it left");

    bench.server = Server::new(in_one_piece(), &mut SeededRng::new(2));
    assert_eq!(bench.server.import(bench.now, &export), Ok(session));
    assert!(bench.server.is_proven(session));
    assert_eq!(bench.server.address(session), Some(here()));
    assert_eq!(bench.server.tag(session), Some(crate::known::TAG));
    assert!(bench.send(&old).is_silent());
    let new = data(&mut script, number(1, 11));
    assert_eq!(bench.send(&new).data.len(), 1);
    // Once is enough.
    assert!(bench.server.import(bench.now, &export).is_err());
}

#[test]
fn an_import_that_is_damaged_is_refused() {
    let mut bench = Bench::new(in_one_piece());
    let mut script = cid_client(1);
    let session = bench.connect(&mut script);
    let mut export = Vec::new();
    assert!(bench.server.export(session, Export::Final, &mut export));
    for at in 0..export.len() {
        let mut bad = export.clone();
        bad[at] ^= 0x10;
        assert!(bench.server.import(bench.now, &bad).is_err(), "byte {at}");
    }
    assert_eq!(bench.server.import(bench.now, &export), Ok(session));
}

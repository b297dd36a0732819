//! Sessions: resumption, moving, replacing, limits, export.

mod common;

use std::time::Duration;

use common::*;
use dunlin_dtls::{
    Alert, CidFormat, Client, ClientInput, DropReason, Export, ImportError, Limit, Limits, Reason,
    Server, ServerConfig, ServerInput,
};

fn connected() -> Pair {
    Pair::new(psk_config(), ServerConfig::default()).connected()
}

fn limited(limits: Limits) -> ServerConfig {
    ServerConfig {
        limits,
        ..ServerConfig::default()
    }
}

fn without_cid() -> ServerConfig {
    ServerConfig {
        connection_id: None,
        ..ServerConfig::default()
    }
}

/// What the client sends next, without its being sent.
fn sealed(pair: &mut Pair, bytes: &[u8]) -> Vec<u8> {
    let network = std::mem::replace(&mut pair.network, Box::new(|_, _, _| Vec::new()));
    pair.client(ClientInput::Send(bytes));
    pair.network = network;
    pair.sent.last().unwrap().1.clone()
}

fn arrives(pair: &mut Pair, port: u16, bytes: &[u8]) {
    pair.server(ServerInput::Datagram {
        from: address(port),
        bytes,
    });
}

#[test]
fn a_session_is_resumed_with_a_new_connection_id() {
    let mut pair = connected();
    let first = pair.session();
    let resumption = pair.client.resumption().expect("the server gives ids");
    pair.client(ClientInput::Close);
    pair.run();
    pair.said.clear();
    pair.sent.clear();
    pair.connect(Some(&resumption));
    pair.run();
    assert_eq!(pair.said, [Said::Connected { resumed: true }]);
    let Some(Told::Connected {
        session,
        identity,
        tag,
        resumed,
        ..
    }) = pair.told.last()
    else {
        panic!("{:?}", pair.told);
    };
    assert_ne!(*session, first);
    assert_eq!((*tag, *resumed), (41, true));
    assert_eq!(
        *identity,
        dunlin_dtls::Identity::Psk(b"dev-\0-1".as_slice().into())
    );
    // Hello, HelloVerifyRequest, hello, ServerHello to Finished, Finished.
    assert_eq!(pair.sent.len(), 5);
    pair.exchange();
    let counters = pair.server.counters();
    assert_eq!((counters.completed, counters.resumed), (1, 1));
}

#[test]
fn a_session_that_the_server_does_not_know_leads_to_a_full_handshake() {
    let mut pair = connected();
    let resumption = pair.client.resumption().unwrap();
    pair.server = Server::new(ServerConfig::default(), &mut Seeded(8));
    pair.said.clear();
    pair.connect(Some(&resumption));
    pair.run();
    assert_eq!(pair.said, [Said::Connected { resumed: false }]);
    pair.exchange();
}

#[test]
fn a_session_is_not_resumed_after_its_lifetime_or_a_fatal_alert() {
    let mut pair = connected();
    let resumption = pair.client.resumption().unwrap();
    pair.now += Duration::from_secs(24 * 3600);
    pair.said.clear();
    pair.connect(Some(&resumption));
    pair.run();
    assert_eq!(pair.said, [Said::Connected { resumed: false }]);
}

#[test]
fn with_a_wrong_master_secret_resumption_fails_on_the_device() {
    let mut pair = connected();
    let mut bytes = pair.client.resumption().unwrap().to_bytes();
    *bytes.last_mut().unwrap() ^= 1;
    let resumption = dunlin_dtls::Resumption::from_bytes(&bytes).unwrap();
    pair.said.clear();
    pair.connect(Some(&resumption));
    pair.run();
    assert_eq!(
        pair.said,
        [Said::Closed(Reason::AlertSent(Alert::DECRYPT_ERROR))]
    );
    // The association from before is as it was.
    assert_eq!(pair.server.sessions(), 1);
}

#[test]
fn forgetting_a_credential_ends_its_sessions_and_their_resumption() {
    let mut pair = connected();
    let session = pair.session();
    let resumption = pair.client.resumption().unwrap();
    pair.forget(40);
    assert_eq!(pair.server.sessions(), 1);
    pair.forget(41);
    pair.run();
    assert_eq!(
        pair.told.last(),
        Some(&Told::Closed(session, Reason::Forgotten))
    );
    assert_eq!(
        pair.said.last(),
        Some(&Said::Closed(Reason::AlertReceived(Alert::ACCESS_DENIED)))
    );
    pair.said.clear();
    pair.connect(Some(&resumption));
    pair.run();
    assert_eq!(pair.said, [Said::Connected { resumed: false }]);
}

#[test]
fn the_address_follows_newer_authentic_records_only() {
    let mut pair = connected();
    let session = pair.session();
    pair.exchange();
    let old = sealed(&mut pair, b"late");
    let new = sealed(&mut pair, b"moved");
    let mut forged = sealed(&mut pair, b"forged");
    *forged.last_mut().unwrap() ^= 1;
    pair.told.clear();
    arrives(&mut pair, 50001, &forged);
    assert_eq!(pair.told, []);
    assert_eq!(pair.server.address(session), Some(address(40000)));
    arrives(&mut pair, 50002, &new);
    assert_eq!(
        pair.told,
        [
            Told::Moved(session, address(40000), address(50002)),
            Told::Data(session, b"moved".to_vec()),
        ]
    );
    pair.told.clear();
    // Authentic, but older: its data counts, its address does not.
    arrives(&mut pair, 50003, &old);
    assert_eq!(pair.told, [Told::Data(session, b"late".to_vec())]);
    arrives(&mut pair, 50004, &new);
    assert_eq!(pair.told.len(), 1, "a replay changes nothing");
    assert_eq!(pair.server.address(session), Some(address(50002)));
    assert_eq!(pair.server.counters().dropped(DropReason::Replayed), 1);
}

#[test]
fn without_a_connection_id_another_address_is_a_stranger() {
    let mut pair = Pair::new(psk_config(), without_cid()).connected();
    let record = sealed(&mut pair, b"data");
    pair.told.clear();
    arrives(&mut pair, 50001, &record);
    assert_eq!(pair.told, []);
    assert_eq!(pair.server.counters().dropped(DropReason::NoAssociation), 1);
}

#[test]
fn a_session_with_a_connection_id_takes_no_record_without() {
    let mut pair = connected();
    // The same record, with the header of an association without connection ID.
    let record = sealed(&mut pair, b"data");
    let mut plain = vec![23];
    plain.extend_from_slice(&record[1..11]);
    plain.extend_from_slice(&record[19..]);
    pair.told.clear();
    arrives(&mut pair, 40000, &plain);
    assert_eq!(pair.told, []);
}

#[test]
fn a_new_handshake_from_the_same_address_replaces_the_association_when_it_is_done() {
    for config in [ServerConfig::default(), without_cid()] {
        let mut pair = Pair::new(psk_config(), config).connected();
        let old = pair.session();
        let mut second = Client::new(psk_config());
        std::mem::swap(&mut pair.client, &mut second);
        pair.connect(None);
        // The old association goes on while the new one comes about.
        pair.run_for(LATENCY * 3);
        assert_eq!(pair.server.handshakes(), 1);
        std::mem::swap(&mut pair.client, &mut second);
        let record = sealed(&mut pair, b"still there");
        arrives(&mut pair, 40000, &record);
        assert_eq!(
            pair.told.last(),
            Some(&Told::Data(old, b"still there".to_vec()))
        );
        std::mem::swap(&mut pair.client, &mut second);
        pair.run();
        assert!(pair.told.contains(&Told::Closed(old, Reason::Replaced)));
        assert_ne!(pair.session(), old);
        assert_eq!(pair.server.sessions(), 1);
        pair.exchange();
    }
}

#[test]
fn late_data_of_the_association_before_does_not_end_a_handshake() {
    for own in [None, Some(vec![0xC1])] {
        let mut config = psk_config();
        config.connection_id = own.clone();
        let mut pair = Pair::new(config, without_cid()).connected();
        let session = pair.session();
        let mut config = psk_config();
        config.connection_id = own;
        pair.client = Client::new(config);
        pair.connect(None);
        for _ in 0..6 {
            pair.server(ServerInput::Send {
                session,
                bytes: b"late",
            });
            pair.run_for(LATENCY / 2);
        }
        pair.run();
        assert_eq!(pair.said.last(), Some(&Said::Connected { resumed: false }));
    }
}

#[test]
fn what_a_stranger_says_in_the_clear_does_not_harm_an_association() {
    let mut pair = Pair::new(psk_config(), without_cid()).connected();
    let hellos: Vec<Vec<u8>> = pair
        .sent
        .iter()
        .filter(|(client, _)| *client)
        .map(|(_, bytes)| bytes.clone())
        .collect();
    pair.told.clear();
    for hello in &hellos {
        arrives(&mut pair, 40000, hello);
    }
    // Alerts: fatal handshake_failure and close_notify.
    for alert in [[2, 40], [1, 0]] {
        let mut record = vec![21, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2];
        record.extend_from_slice(&alert);
        arrives(&mut pair, 40000, &record);
    }
    assert_eq!(pair.told, []);
    pair.run();
    pair.told.clear();
    let record = sealed(&mut pair, b"alive");
    arrives(&mut pair, 40000, &record);
    assert_eq!(pair.told.len(), 1);
}

#[test]
fn another_device_at_the_old_address_of_a_session_does_not_end_it() {
    let mut pair = connected();
    let first = pair.session();
    pair.store
        .psk
        .insert(b"other".to_vec(), (b"key".to_vec(), 99));
    let mut config = psk_config();
    config.credentials = dunlin_dtls::ClientCredentials::Psk {
        identity: b"other".to_vec(),
        key: dunlin_dtls::Secret::new(b"key"),
    };
    let mut moved = std::mem::replace(&mut pair.client, Client::new(config));
    pair.connect(None);
    pair.run();
    assert_eq!(pair.server.sessions(), 2);
    std::mem::swap(&mut pair.client, &mut moved);
    let record = sealed(&mut pair, b"here I am");
    arrives(&mut pair, 50000, &record);
    assert_eq!(
        pair.told.last(),
        Some(&Told::Data(first, b"here I am".to_vec()))
    );
    std::mem::swap(&mut pair.client, &mut moved);
    pair.told.retain(|it| matches!(it, Told::Connected { .. }));
    pair.exchange();
}

#[test]
fn a_connection_id_of_another_shard_comes_out_with_its_datagram() {
    let config = |prefix| ServerConfig {
        connection_id: Some(CidFormat {
            prefix: vec![1, prefix],
            length: 8,
        }),
        ..ServerConfig::default()
    };
    let mut pair = Pair::new(psk_config(), config(1)).connected();
    let record = sealed(&mut pair, b"data");
    let mut other = Server::new(config(2), &mut Seeded(9));
    std::mem::swap(&mut pair.server, &mut other);
    pair.told.clear();
    arrives(&mut pair, 40000, &record);
    let cid = record[11..19].to_vec();
    assert_eq!(cid[..2], [1, 1]);
    assert_eq!(
        pair.told,
        [Told::Foreign(cid, address(40000), record.clone())]
    );
    std::mem::swap(&mut pair.server, &mut other);
    arrives(&mut pair, 40000, &record);
    assert!(matches!(pair.told.last(), Some(Told::Data(..))));
}

#[test]
fn the_oldest_handshake_makes_room() {
    let mut pair = Pair::new(
        psk_config(),
        limited(Limits {
            half_open: 2,
            ..Limits::default()
        }),
    );
    for port in 1..=3 {
        pair.address = address(port);
        pair.client = Client::new(psk_config());
        pair.connect(None);
        pair.run_for(LATENCY * 3);
    }
    assert_eq!(pair.server.handshakes(), 2);
    assert_eq!(pair.server.counters().evicted, 1);
    pair.run();
    assert_eq!(pair.said, [Said::Connected { resumed: false }]);
}

#[test]
fn handshakes_above_the_rate_wait_for_their_repetition() {
    let mut pair = Pair::new(
        psk_config(),
        limited(Limits {
            handshakes_per_second: 1,
            ..Limits::default()
        }),
    )
    .connected();
    pair.said.clear();
    pair.client = Client::new(psk_config());
    pair.connect(None);
    pair.run();
    assert_eq!(pair.server.counters().dropped(DropReason::HandshakeRate), 1);
    assert_eq!(pair.said, [Said::Connected { resumed: false }]);
}

#[test]
fn too_many_failed_decryptions_end_a_session() {
    let mut pair = Pair::new(
        psk_config(),
        limited(Limits {
            failed_decryptions: 3,
            ..Limits::default()
        }),
    )
    .connected();
    let session = pair.session();
    let mut record = sealed(&mut pair, b"data");
    *record.last_mut().unwrap() ^= 1;
    for _ in 0..3 {
        arrives(&mut pair, 40000, &record);
    }
    assert_eq!(pair.server.sessions(), 1);
    arrives(&mut pair, 40000, &record);
    let reason = Reason::Limit(Limit::FailedDecryptions);
    assert_eq!(pair.told.last(), Some(&Told::Closed(session, reason)));
}

#[test]
fn a_session_too_many_ends_one_that_is_idle() {
    let mut pair = Pair::new(
        psk_config(),
        limited(Limits {
            sessions: 2,
            ..Limits::default()
        }),
    );
    for port in 1..=3 {
        pair.address = address(port);
        pair.client = Client::new(psk_config());
        pair.connect(None);
        pair.run_for(Duration::from_secs(5));
    }
    let Some(Told::Connected { session: first, .. }) = pair.told.first() else {
        panic!("{:?}", pair.told);
    };
    let reason = Reason::Limit(Limit::Sessions);
    assert!(pair.told.contains(&Told::Closed(*first, reason)));
    assert_eq!(pair.server.sessions(), 2);
}

#[test]
fn a_session_goes_through_a_clean_restart() {
    let mut pair = connected();
    let session = pair.session();
    pair.exchange();
    let replayed = pair.sent.iter().rev().find(|it| it.0).unwrap().1.clone();
    let mut bytes = Vec::new();
    assert!(pair.server.export(session, Export::Final, &mut bytes));
    assert_eq!(pair.server.sessions(), 0);
    pair.server = Server::new(ServerConfig::default(), &mut Seeded(9));
    assert_eq!(pair.server.import(pair.now, &bytes), Ok(session));
    assert_eq!(
        pair.server.import(pair.now, &bytes),
        Err(ImportError::Occupied)
    );
    assert!(pair.server.is_proven(session));
    pair.told.retain(|it| matches!(it, Told::Connected { .. }));
    arrives(&mut pair, 40000, &replayed);
    assert_eq!(pair.server.counters().dropped(DropReason::Replayed), 1);
    pair.exchange();
}

#[test]
fn after_a_crash_nothing_is_sent_twice_and_nothing_old_is_believed() {
    let mut pair = connected();
    let session = pair.session();
    let mut bytes = Vec::new();
    assert!(
        pair.server
            .export(session, Export::Reserve(1000), &mut bytes)
    );
    // After the export, before the crash: a request, and its answer.
    pair.exchange();
    let replayed = pair.sent.iter().rev().find(|it| it.0).unwrap().1.clone();
    pair.server = Server::new(ServerConfig::default(), &mut Seeded(9));
    assert_eq!(pair.server.import(pair.now, &bytes), Ok(session));
    assert!(!pair.server.is_proven(session));
    pair.told.clear();
    pair.said.clear();
    arrives(&mut pair, 50000, &replayed);
    assert!(matches!(pair.told[..], [Told::Unproven(..)]));
    assert_eq!(pair.server.address(session), Some(address(40000)));
    // A challenge reaches the client: its sequence number is newer than all before.
    pair.server(ServerInput::SendTo {
        session,
        to: address(40000),
        bytes: b"ping",
    });
    pair.run();
    assert_eq!(pair.said, [Said::Data(b"ping".to_vec())]);
    pair.address = address(50001);
    pair.client(ClientInput::Send(b"reset"));
    pair.run();
    let Some(Told::Unproven(_, from, sequence, data)) = pair.told.last() else {
        panic!("{:?}", pair.told);
    };
    assert_eq!((*from, data.as_slice()), (address(50001), &b"reset"[..]));
    let (from, sequence) = (*from, *sequence);
    pair.server.prove(session, sequence, from);
    assert_eq!(pair.server.address(session), Some(address(50001)));
    pair.told.clear();
    arrives(&mut pair, 50000, &replayed);
    assert_eq!(pair.told, []);
    pair.client(ClientInput::Send(b"request"));
    pair.run();
    assert_eq!(pair.told, [Told::Data(session, b"request".to_vec())]);
}

#[test]
fn a_reserve_of_sequence_numbers_is_announced_and_kept() {
    let mut pair = connected();
    let session = pair.session();
    let mut bytes = Vec::new();
    assert!(pair.server.export(session, Export::Reserve(20), &mut bytes));
    pair.told.clear();
    for _ in 0..20 {
        pair.server(ServerInput::Send {
            session,
            bytes: b"x",
        });
    }
    assert_eq!(pair.told, [16, 8, 4, 2, 1].map(|_| Told::Reserve(session)));
    let sent = pair.sent.len();
    pair.server(ServerInput::Send {
        session,
        bytes: b"x",
    });
    assert_eq!(pair.sent.len(), sent);
    assert_eq!(pair.server.counters().dropped(DropReason::NotSent), 1);
    assert!(pair.server.export(session, Export::Reserve(20), &mut bytes));
    pair.server(ServerInput::Send {
        session,
        bytes: b"x",
    });
    assert_eq!(pair.sent.len(), sent + 1);
}

#[test]
fn a_device_sleeps_without_losing_its_association() {
    let mut pair = connected();
    pair.exchange();
    let bytes = pair.client.export().expect("connected");
    assert!(!pair.client.is_connected());
    pair.client = Client::import(psk_config(), &bytes).unwrap();
    assert!(pair.client.resumption().is_some());
    pair.address = address(50000);
    let session = pair.session();
    pair.client(ClientInput::Send(b"awake"));
    pair.run();
    assert_eq!(
        pair.told.last(),
        Some(&Told::Data(session, b"awake".to_vec()))
    );
}

#[test]
fn an_export_of_the_other_side_is_refused() {
    let mut pair = connected();
    let session = pair.session();
    let mut bytes = Vec::new();
    assert!(pair.server.export(session, Export::Final, &mut bytes));
    assert!(matches!(
        Client::import(psk_config(), &bytes),
        Err(ImportError::Malformed)
    ));
    let bytes = pair.client.export().unwrap();
    assert_eq!(
        pair.server.import(pair.now, &bytes),
        Err(ImportError::Malformed)
    );
}

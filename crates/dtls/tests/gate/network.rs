//! Handshakes over a network that loses, repeats and reorders (RFC 6347 §4.2.4).

use std::time::Duration;

use dunlin_dtls::{CidFormat, Resumption};
use dunlin_sim::netem::{Impairment, SeededRng};

use crate::known::{Kind, Known, client_config, kinds, server_config};
use crate::pair::{ClientEvent, From, Pair, ServerEvent};

/// Long enough for the flights of a handshake to be repeated six times.
const PATIENCE: Duration = Duration::from_secs(90);

fn pair(kind: Kind, mtu: usize, seed: u64) -> Pair {
    let mut client = client_config(kind);
    client.mtu = mtu;
    let mut server = server_config();
    server.mtu = mtu;
    Pair::new(client, server, Known::default(), seed)
}

fn connect(pair: &mut Pair, resume: Option<&Resumption>) -> bool {
    pair.session = None;
    pair.connect(resume);
    pair.run(PATIENCE, Pair::is_connected)
}

/// A session to be resumed, made over a perfect network.
fn earlier(pair: &mut Pair) -> Resumption {
    assert!(connect(pair, None));
    assert!(pair.exchange(b"earlier"));
    pair.settle();
    pair.client.resumption().expect("the server gave it an id")
}

fn resumed(pair: &Pair) -> bool {
    pair.client_events
        .contains(&ClientEvent::Connected { resumed: true })
        && pair
            .server_events
            .iter()
            .any(|event| matches!(event, ServerEvent::Connected { resumed: true, .. }))
}

/// Loses each single datagram of the handshake in turn: it is completed all the same, data goes
/// both ways, and the loss costs no more than the flights around it.
fn every_single_loss(kind: Kind, mtu: usize, resume: bool) {
    let run = |lost: Option<(From, usize)>| {
        let mut pair = pair(kind, mtu, 7);
        let resumption = resume.then(|| earlier(&mut pair));
        pair.sent = [0; 2];
        pair.longest = 0;
        pair.lost = lost;
        let connected = connect(&mut pair, resumption.as_ref());
        let handshake = pair.sent;
        assert!(
            connected,
            "{kind:?}, MTU {mtu}, {lost:?}: {:?}",
            pair.client_events
        );
        assert_eq!(resumed(&pair), resume, "{kind:?}, {lost:?}");
        assert!(pair.exchange(b"request"), "{kind:?}, MTU {mtu}, {lost:?}");
        pair.run(Duration::from_secs(120), |_| false);
        assert!(
            pair.longest <= mtu,
            "{} bytes for an MTU of {mtu}",
            pair.longest
        );
        (handshake, pair.total())
    };
    let (handshake, total) = run(None);
    for from in [From::Client, From::Server] {
        for index in 0..handshake[from as usize] {
            let (_, with_loss) = run(Some((from, index)));
            // At most one repetition of each side's longest flight, and a repeated request.
            let bound = 2 * total + 2;
            assert!(
                with_loss <= bound,
                "{kind:?}, MTU {mtu}: {with_loss} datagrams instead of {total} without {from:?} {index}"
            );
        }
    }
}

#[test]
fn every_single_loss_of_a_full_handshake() {
    for kind in kinds() {
        every_single_loss(kind, 1280, false);
    }
}

#[test]
fn every_single_loss_of_a_full_handshake_in_small_datagrams() {
    for kind in kinds() {
        every_single_loss(kind, 256, false);
    }
}

#[test]
fn every_single_loss_of_a_resumption() {
    for kind in kinds() {
        every_single_loss(kind, 1280, true);
        every_single_loss(kind, 256, true);
    }
}

/// Connects and exchanges data; after a handshake that was given up it begins anew, as a device
/// does.
fn gets_through(kind: Kind, impairment: Impairment, mtu: usize, seed: u64) {
    let mut pair = pair(kind, mtu, seed);
    pair.network.set_impairment(impairment);
    let mut tries = 0;
    while !connect(&mut pair, None) {
        tries += 1;
        assert!(tries < 4, "{kind:?}, MTU {mtu}, seed {seed}");
    }
    let echoed = pair.exchange(b"over a bad network");
    assert!(
        echoed,
        "{kind:?}, MTU {mtu}, seed {seed}: {:?}",
        pair.client_events
    );
    assert!(pair.longest <= mtu);
    assert!(pair.total() < 600, "{} datagrams", pair.total());

    // What follows the first connection is short.
    pair.network.set_impairment(Impairment::default());
    pair.settle();
    let resumption = pair.client.resumption().unwrap();
    pair.client_events.clear();
    pair.server_events.clear();
    pair.network.set_impairment(impairment);
    let mut tries = 0;
    while !connect(&mut pair, Some(&resumption)) {
        tries += 1;
        assert!(tries < 4, "{kind:?}, MTU {mtu}, seed {seed}, resumed");
    }
    assert!(
        pair.exchange(b"again"),
        "{kind:?}, MTU {mtu}, seed {seed}, resumed"
    );
}

fn impairment(loss: f64) -> Impairment {
    Impairment {
        loss,
        duplicate: 0.1,
        reorder: 0.2,
        reorder_delay: Duration::from_millis(300),
        delay: Duration::from_millis(40),
        jitter: Duration::from_millis(60),
    }
}

#[test]
fn ten_percent_lost() {
    for (index, kind) in kinds().into_iter().enumerate() {
        for (seed, mtu) in [256, 512, 1280, 1500].into_iter().enumerate() {
            gets_through(kind, impairment(0.1), mtu, (index * 10 + seed) as u64);
        }
    }
}

#[test]
fn thirty_percent_lost() {
    for (index, kind) in kinds().into_iter().enumerate() {
        for (seed, mtu) in [256, 1280].into_iter().enumerate() {
            gets_through(kind, impairment(0.3), mtu, (index * 10 + seed) as u64);
        }
    }
}

#[test]
fn many_seeds_with_a_pre_shared_key() {
    let kind = crate::known::psk();
    let mut rng = SeededRng::new(99);
    for seed in 0..300 {
        let loss = rng.pick(&[0.0, 0.1, 0.3]);
        let mtu = 256 + rng.below(1245) as usize;
        gets_through(kind, impairment(loss), mtu, seed);
    }
}

/// RFC 6347 §4.2.4: copies of what was received must not make each side answer the other for ever.
#[test]
fn copies_do_not_multiply() {
    for kind in kinds() {
        let mut pair = pair(kind, 256, 3);
        pair.network.set_impairment(Impairment {
            duplicate: 1.0,
            delay: Duration::from_millis(20),
            ..Impairment::default()
        });
        assert!(connect(&mut pair, None), "{kind:?}");
        pair.run(Duration::from_secs(300), |_| false);
        assert!(pair.total() < 60, "{kind:?}: {} datagrams", pair.total());
        assert!(pair.exchange(b"once"));
        let delivered = pair
            .client_events
            .iter()
            .filter(|event| matches!(event, ClientEvent::Data(_)))
            .count();
        assert_eq!(delivered, 1, "a copy of a record is no second record");
    }
}

/// A client that comes back from another address is found by its connection ID (RFC 9146 §6).
#[test]
fn a_new_address_costs_nothing() {
    for kind in kinds() {
        let mut pair = pair(kind, 1280, 5);
        assert!(connect(&mut pair, None));
        assert!(pair.exchange(b"from here"));
        pair.settle();
        let before = pair.total();
        let address = "203.0.113.9:1024".parse().unwrap();
        pair.network.rebind(crate::pair::client_address(), address);
        assert!(pair.exchange(b"from there"), "{kind:?}");
        assert_eq!(pair.total(), before + 2, "{kind:?}");
        let session = pair.session.unwrap();
        assert_eq!(pair.server.address(session), Some(address));
        let moved = ServerEvent::Moved(session, address);
        assert!(pair.server_events.contains(&moved));
    }
}

/// Every length of connection ID, in either direction.
#[test]
fn connection_ids_of_every_length() {
    for ours in [None, Some(0), Some(1), Some(8), Some(32), Some(255)] {
        for theirs in [None, Some(1), Some(8), Some(32)] {
            let mut client = client_config(crate::known::psk());
            client.connection_id = ours.map(|length| vec![0xc1; length]);
            let mut server = server_config();
            server.connection_id = theirs.map(|length| CidFormat {
                prefix: Vec::new(),
                length,
            });
            let mut pair = Pair::new(client, server, Known::default(), 1);
            assert!(connect(&mut pair, None), "{ours:?}, {theirs:?}");
            assert!(pair.exchange(b"data"), "{ours:?}, {theirs:?}");
        }
    }
}

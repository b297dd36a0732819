//! Handshakes over a network that loses, repeats, reorders and cuts.

mod common;

use std::time::Duration;

use common::*;
use dunlin_dtls::{ClientConfig, ClientCredentials, Reason, ServerConfig, ServerKey};

type Make = fn() -> Pair;

fn pairs() -> [(&'static str, Make); 2] {
    fn psk() -> Pair {
        Pair::new(psk_config(), ServerConfig::default())
    }
    fn raw() -> Pair {
        let config = ClientConfig::new(ClientCredentials::RawPublicKey {
            key: key(1),
            verifier: Box::new(Expected(key(2).public_key().to_vec())),
        });
        let server = ServerConfig {
            key: Some(ServerKey {
                pair: key(2),
                chain: Vec::new(),
                raw_public_key: true,
            }),
            ..ServerConfig::default()
        };
        Pair::new(config, server)
    }
    [("PSK", psk), ("raw public keys", raw)]
}

#[test]
fn every_single_datagram_may_be_lost() {
    for (name, make) in pairs() {
        let undisturbed = make().connected();
        let took = undisturbed.now;
        for lost in 0..undisturbed.sent.len() {
            let mut pair = make();
            pair.network = Box::new(move |number, _, datagram| {
                if number == lost {
                    Vec::new()
                } else {
                    vec![datagram]
                }
            });
            pair = pair.connected();
            // One repetition after one second is all it takes.
            assert_eq!(
                pair.now - took,
                Duration::from_secs(1),
                "{name} without {lost}"
            );
            pair.exchange();
        }
    }
}

#[test]
fn every_single_datagram_of_a_resumption_may_be_lost() {
    for lost in 0..5 {
        let mut pair = Pair::new(psk_config(), ServerConfig::default()).connected();
        let resumption = pair.client.resumption().unwrap();
        let before = pair.sent.len();
        pair.network = Box::new(move |number, _, datagram| {
            if number == before + lost {
                Vec::new()
            } else {
                vec![datagram]
            }
        });
        pair.said.clear();
        pair.connect(Some(&resumption));
        pair.run();
        assert_eq!(
            pair.said,
            [Said::Connected { resumed: true }],
            "without {lost}"
        );
        pair.exchange();
    }
}

#[test]
fn every_datagram_may_come_twice() {
    for (name, make) in pairs() {
        let mut pair = make();
        pair.network = Box::new(|_, _, datagram| vec![datagram.clone(), datagram]);
        let mut pair = pair.connected();
        assert_eq!(pair.server.sessions(), 1, "{name}");
        // Copies do not multiply what is sent.
        assert!(pair.sent.len() <= 12, "{name}: {}", pair.sent.len());
        pair.network = Box::new(|_, _, datagram| vec![datagram]);
        pair.exchange();
    }
}

#[test]
fn small_datagrams_hold_fragments() {
    for (name, make) in pairs() {
        for mtu in [200, 256, 300, 576] {
            let reference = make();
            let mut server = reference.server.config().clone();
            server.mtu = mtu;
            let mut client = reference.client.into_config();
            client.mtu = mtu;
            let mut pair = Pair::new(client, server).connected();
            let longest = pair.sent.iter().map(|it| it.1.len()).max().unwrap();
            assert!(longest <= mtu, "{name}: {longest} bytes for {mtu}");
            pair.exchange();
        }
    }
}

#[test]
fn records_of_a_datagram_may_come_alone_and_backwards() {
    for (name, make) in pairs() {
        let mut pair = make();
        pair.network = Box::new(|_, client, datagram| {
            // Without connection IDs a record's length stands at 11; with the server's at 19.
            let mut records = Vec::new();
            let mut rest = datagram.as_slice();
            while !rest.is_empty() {
                let at = if rest[0] == 25 && client { 19 } else { 11 };
                let length = usize::from(u16::from_be_bytes([rest[at], rest[at + 1]]));
                let (record, behind) = rest.split_at(at + 2 + length);
                records.push(record.to_vec());
                rest = behind;
            }
            records.reverse();
            records
        });
        let mut pair = pair.connected();
        assert_eq!(pair.server.sessions(), 1, "{name}");
        pair.exchange();
    }
}

#[test]
fn repetitions_come_later_and_later_and_end() {
    let mut pair = Pair::new(psk_config(), ServerConfig::default());
    let begin = pair.now;
    pair.network = Box::new(|_, _, _| Vec::new());
    pair.connect(None);
    let mut at = Vec::new();
    for _ in 0..100 {
        let sent = pair.sent.len();
        pair.run_for(Duration::from_secs(1));
        if pair.sent.len() > sent {
            at.push((pair.now - begin).as_secs());
        }
    }
    // RFC 6347 §4.2.4.1: 1 s, doubled each time; given up after 90 s without progress.
    assert_eq!(at, [1, 3, 7, 15, 31, 63]);
    assert_eq!(pair.said, [Said::Closed(Reason::TimedOut)]);
    assert_eq!(pair.client.next_timeout(), None);
}

#[test]
fn the_server_gives_a_silent_client_up() {
    let mut pair = Pair::new(psk_config(), ServerConfig::default());
    pair.connect(None);
    pair.run_for(LATENCY * 3);
    pair.network = Box::new(|_, _, _| Vec::new());
    assert_eq!(pair.server.handshakes(), 1);
    pair.run();
    assert_eq!(pair.server.handshakes(), 0);
    assert_eq!(pair.server.counters().timed_out, 1);
    assert_eq!(pair.server.next_timeout(), None);
}

#[test]
fn bad_weather() {
    let mut done = 0;
    for seed in 0..60 {
        for (_, make) in pairs() {
            let mut pair = make();
            let mut dice = Seeded(seed);
            pair.network = Box::new(move |_, _, datagram| {
                use dunlin_coap::Rng;
                match dice.next_u32() % 10 {
                    0..3 => Vec::new(),
                    3 => vec![datagram.clone(), datagram],
                    _ => vec![datagram],
                }
            });
            pair.connect(None);
            pair.run();
            if pair.said == [Said::Connected { resumed: false }] {
                pair.network = Box::new(|_, _, datagram| vec![datagram]);
                pair.exchange();
                done += 1;
            }
        }
    }
    assert!(done >= 115, "only {done} of 120 handshakes came about");
}

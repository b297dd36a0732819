//! Anything may come in any order: no panic, no growth past the limits, no lost reply.

use core::time::Duration;
use std::collections::HashSet;
use std::net::SocketAddr;

use dunlin_coap::{Code, OptionNumber, Rng, Type};
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_lwm2m::{OwnedRecord, OwnedValue, Path};
use dunlin_server::api::{EventKind, QueueOptions};
use dunlin_server::shard::{Input, Limits, QueueLimits, ShardConfig};

use crate::world::{Dice, LIST, Peer, World, build, config, read, small};

fn below(dice: &mut Dice, bound: u32) -> u32 {
    ((u64::from(dice.next_u32()) * u64::from(bound)) >> 32) as u32
}

fn noise(dice: &mut Dice, length: u32) -> Vec<u8> {
    let mut bytes = vec![0; below(dice, length) as usize];
    dice.fill(&mut bytes);
    bytes
}

/// Flips, cuts and repeats bytes of something that was a message.
fn spoil(dice: &mut Dice, bytes: &mut Vec<u8>) {
    for _ in 0..below(dice, 4) {
        if bytes.is_empty() {
            return;
        }
        let at = below(dice, bytes.len() as u32) as usize;
        match below(dice, 4) {
            0 => bytes[at] ^= 1 << below(dice, 8),
            1 => bytes[at] = dice.next_u32() as u8,
            2 => bytes.truncate(at),
            _ => bytes.insert(at, dice.next_u32() as u8),
        }
    }
}

fn random_options(dice: &mut Dice) -> Vec<(OptionNumber, Vec<u8>)> {
    let words: [&[u8]; 14] = [
        b"rd",
        b"dp",
        b"bs",
        b"",
        b"ep=a",
        b"ep=",
        b"lt=60",
        b"lt=",
        b"lwm2m=1.1",
        b"b=U",
        b"Q",
        b"3303",
        b"0",
        b"5700",
    ];
    let mut options: Vec<(OptionNumber, Vec<u8>)> = (0..below(dice, 8))
        .map(|_| {
            let numbers = [
                1, 4, 6, 8, 11, 11, 12, 14, 15, 15, 17, 23, 27, 28, 60, 252, 292, 2049,
            ];
            let number = numbers[below(dice, 18) as usize];
            let value = match below(dice, 3) {
                0 => noise(dice, 6),
                _ => words[below(dice, 14) as usize].to_vec(),
            };
            (OptionNumber(number), value)
        })
        .collect();
    options.sort_by_key(|(number, _)| *number);
    options
}

fn run(seed: u64, rounds: u32) {
    let mut dice = Dice(seed);
    let limits = Limits {
        registrations: 20,
        uploads: 4,
        upload_idle: Duration::from_secs(20),
        operations_per_device: 4,
        operations: 20,
        wishes_per_device: 5,
        exchanges: 8,
        paced: 4,
        answer_bytes: 4096,
        seen: 256,
        reply_bytes: 4096,
        queue: QueueLimits {
            operations_per_device: 4,
            results_per_device: 3,
            results: 20,
            ..QueueLimits::default()
        },
        ..small()
    };
    let mut world = World::with(ShardConfig {
        limits,
        durable: seed.is_multiple_of(2),
        ..config()
    });
    let mut peers: Vec<Peer> = (0..30).map(Peer::new).collect();
    let mut open: HashSet<u64> = HashSet::new();
    let mut queued: HashSet<u64> = HashSet::new();
    let mut requests: Vec<(SocketAddr, Vec<u8>)> = Vec::new();
    for _ in 0..rounds {
        let peer = &mut peers[below(&mut dice, 30) as usize];
        let endpoint = peer.endpoint.clone();
        let paths = [
            Path::object(3),
            Path::instance(3303, 0),
            Path::resource(3303, 0, 5700),
            Path::resource_instance(3, 0, 7, 1),
            Path::ROOT,
        ];
        let path = paths[below(&mut dice, 5) as usize];
        match below(&mut dice, 18) {
            0 => world.input(Input::Datagram {
                socket: dunlin_server::Socket::Coap,
                from: peer.address,
                bytes: &noise(&mut dice, 64),
            }),
            1 | 2 => {
                let mut bytes = peer.register_message(&["lt=20", "lwm2m=1.1", "Q"], LIST);
                spoil(&mut dice, &mut bytes);
                let sent = world.datagram(peer.address, &bytes);
                let created = sent.iter().find(|s| s.message().code == Code::CREATED);
                if let Some(created) = created {
                    peer.registered(created);
                }
            }
            3 | 4 => {
                let code = if below(&mut dice, 5) == 0 {
                    Code::DELETE
                } else {
                    Code::POST
                };
                let mut bytes = peer.at_location(code, &["lt=30"], b"");
                spoil(&mut dice, &mut bytes);
                world.datagram(peer.address, &bytes);
            }
            5 | 6 => {
                let options = random_options(&mut dice);
                let options: Vec<_> = options.iter().map(|(n, v)| (*n, &v[..])).collect();
                let types = [
                    Type::Confirmable,
                    Type::NonConfirmable,
                    Type::Acknowledgement,
                    Type::Reset,
                ];
                let bytes = build(
                    types[below(&mut dice, 4) as usize],
                    Code(dice.next_u32() as u8),
                    below(&mut dice, 50) as u16,
                    &noise(&mut dice, 9),
                    &options,
                    &noise(&mut dice, 70),
                );
                world.input(Input::Datagram {
                    socket: dunlin_server::Socket::Coap,
                    from: peer.address,
                    bytes: &bytes,
                });
            }
            7..=9 if !requests.is_empty() => {
                let at = below(&mut dice, requests.len() as u32) as usize;
                let (to, request) = requests.swap_remove(at);
                let request = crate::world::Sent { to, bytes: request };
                let message = request.message();
                let codes = [
                    Code::CONTENT,
                    Code::CHANGED,
                    Code::CONTINUE,
                    Code::NOT_FOUND,
                    Code::EMPTY,
                ];
                let options = random_options(&mut dice);
                let mut options: Vec<_> = options.iter().map(|(n, v)| (*n, &v[..])).collect();
                options.retain(|(number, _)| !number.is_critical() || below(&mut dice, 4) == 0);
                let code = codes[below(&mut dice, 5) as usize];
                let (token, payload) = match code {
                    Code::EMPTY => (&b""[..], Vec::new()),
                    _ => (message.token, noise(&mut dice, 70)),
                };
                if code == Code::EMPTY {
                    options.clear();
                }
                let ty = match below(&mut dice, 3) {
                    0 => Type::NonConfirmable,
                    1 => Type::Confirmable,
                    _ => Type::Acknowledgement,
                };
                let mut bytes = build(ty, code, message.message_id, token, &options, &payload);
                if below(&mut dice, 4) == 0 {
                    spoil(&mut dice, &mut bytes);
                }
                world.input(Input::Datagram {
                    socket: dunlin_server::Socket::Coap,
                    from: to,
                    bytes: &bytes,
                });
            }
            10 => {
                open.insert(world.operate_with(
                    &endpoint,
                    read(path),
                    below(&mut dice, 40).into(),
                    None,
                ));
            }
            11 => {
                let image = OwnedValue::Opaque(vec![7; 3000]);
                let path = Path::resource(5, 0, 0);
                let operation = Operation::Write {
                    path,
                    mode: WriteMode::Replace,
                    body: vec![OwnedRecord::new(path, image)],
                };
                open.insert(world.operate(&endpoint, operation));
            }
            12 => {
                let attributes = if below(&mut dice, 2) == 0 {
                    vec![("pmin".to_owned(), Some(f64::from(below(&mut dice, 9))))]
                } else {
                    Vec::new()
                };
                let _ = world.add_wish(&endpoint, path, attributes);
            }
            13 => {
                if let Some(wishes) = world.wishes(&endpoint) {
                    assert!(wishes.len() <= 5);
                    if let Some(wish) = wishes.first() {
                        assert!(world.remove_wish(&endpoint, wish.id));
                    }
                }
            }
            14 => {
                let operation = match below(&mut dice, 3) {
                    0 => read(path),
                    1 => Operation::Execute {
                        path,
                        arguments: String::new(),
                    },
                    _ => Operation::Delete { path },
                };
                let ttl = Duration::from_secs(below(&mut dice, 400).into());
                let priority = below(&mut dice, 3) as i16;
                open.insert(world.enqueue_with(
                    &endpoint,
                    operation,
                    QueueOptions {
                        ttl,
                        priority,
                        format: None,
                    },
                ));
            }
            15 => {
                let operation = below(&mut dice, 200).into();
                open.insert(world.begin_cancel(&endpoint, operation));
            }
            16 if below(&mut dice, 10) == 0 => {
                world.remove(&endpoint);
            }
            _ => world.pass(Duration::from_millis(below(&mut dice, 8000).into())),
        }
        if let Some((through, _)) = world.persisted.last()
            && below(&mut dice, 3) == 0
        {
            let through = *through;
            for sent in world.durable_through(through) {
                if sent.message().code == Code::CREATED {
                    let peer = peers.iter_mut().find(|peer| peer.address == sent.to);
                    peer.expect("a peer").registered(&sent);
                }
            }
            world.persisted.clear();
        }
        for sent in world.sent.drain(..) {
            if sent.message().code.is_request() {
                requests.push((sent.to, sent.bytes));
            }
        }
        if requests.len() > 30 {
            requests.drain(..10);
        }
        for (id, _) in world.replies.drain(..) {
            assert!(open.remove(&id), "a reply to nobody, or twice");
        }
        for (_, kind) in world.events.drain(..) {
            if let EventKind::Operation(operation) = kind {
                match operation.has_ended() {
                    true => assert!(queued.remove(&operation.id), "it ended twice"),
                    false => drop(queued.insert(operation.id)),
                }
            }
        }
    }
    let stats = world.stats();
    assert!(stats.devices <= 20);
    // Everything ends: after the longest deadline nobody waits any more.
    world.seconds(1000);
    if let Some((through, _)) = world.persisted.last() {
        let through = *through;
        world.durable_through(through);
        world.seconds(1000);
    }
    for (_, kind) in world.events.drain(..) {
        if let EventKind::Operation(operation) = kind
            && operation.has_ended()
        {
            assert!(queued.remove(&operation.id), "it ended twice");
        }
    }
    assert!(queued.is_empty(), "{} never ended", queued.len());
    for (id, _) in world.replies.drain(..) {
        assert!(open.remove(&id), "a reply to nobody, or twice");
    }
    assert!(open.is_empty(), "{} operations never ended", open.len());
    for name in ["operations_waiting", "exchanges_open", "uploads_open"] {
        assert_eq!(world.counter(name), 0, "{name}");
    }
}

#[test]
fn random_inputs_never_panic_and_every_operation_ends_once() {
    for seed in 0..20 {
        run(seed, 3000);
    }
}

//! Whatever arrives: no panic, no growth, no endless work. And how much memory a client takes.

mod common;

use std::mem::size_of;
use std::time::Duration;

use common::{Ask, Dice, World, ask, get, post, put};
use dunlin_client::objects::Device;
use dunlin_client::{Client, Code, Rng, Single, Version};

fn requests() -> Vec<Ask> {
    vec![
        get("/3/0"),
        get("/3303/0/5700").observe(0, b"abc"),
        get("/3303").accept(40),
        get("/3/0").accept(11542).block2(1, 0),
        put("/3/0/14", 0, b"+02:00"),
        put("/1/0/1", 11542, &[0xC1, 1, 60]),
        put("/5/0/0", 42, &[1; 64]).block1(0, true, 2),
        put("/5/0/0", 42, &[1; 64]).block1(1, true, 2),
        post("/3311", 110, br#"[{"bn":"/3311/1/","n":"5850","vb":true}]"#),
        post("/3311", 112, &[0x81, 0xA2, 0x21, 0x67]),
        post("/3303/0/5605", 0, b"0='x'"),
        ask(Code::PUT, "/3303/0/5700?pmin=1&gt=20"),
        ask(Code::DELETE, "/3303/0"),
        ask(Code::POST, "/1/0/8"),
        ask(Code::POST, "/1/0/4"),
    ]
}

/// Throws mutated and random datagrams at a client, lets time pass, and takes care that it stays
/// of this world.
fn storm(seed: u64, rounds: usize) {
    let mut dice = Dice(seed);
    let version = match seed % 3 {
        0 => Version::V1_0,
        1 => Version::V1_1,
        _ => Version::V1_2,
    };
    let mut world = World::registered(version);
    let server = world.server;
    let requests = requests();
    for round in 0..rounds {
        let mut bytes = if dice.next_u32().is_multiple_of(4) {
            let mut bytes = vec![0; (dice.next_u32() % 80) as usize];
            dice.fill(&mut bytes);
            if let Some(first) = bytes.first_mut() {
                *first = 0x40 | (*first & 0x3F);
            }
            bytes
        } else {
            let index = dice.next_u32() as usize % requests.len();
            requests[index].bytes(dice.next_u32() as u16)
        };
        for _ in 0..dice.next_u32() % 4 {
            if bytes.is_empty() {
                break;
            }
            let at = dice.next_u32() as usize % bytes.len();
            match dice.next_u32() % 4 {
                0 => bytes[at] = dice.next_u32() as u8,
                1 => bytes[at] ^= 1 << (dice.next_u32() % 8),
                2 => bytes.truncate(at),
                _ => bytes.insert(at, dice.next_u32() as u8),
            }
        }
        world.input(server, &bytes);
        if dice.next_u32().is_multiple_of(8) {
            world.set_temperature(f64::from(dice.next_u32() % 50));
        }
        // Answers to what the client asks, good ones and bad ones.
        while let Some(sent) = world.sent.pop_front() {
            let sent = common::Got::parse(&sent);
            if sent.code.is_request() {
                match dice.next_u32() % 4 {
                    0 => {}
                    1 => world.answer_with(&sent, Code(dice.next_u32() as u8)),
                    _ => world.answer_created(&sent),
                }
            }
        }
        world.events.clear();
        if round.is_multiple_of(16) {
            let seconds = u64::from(dice.next_u32() % 200);
            world.advance(Duration::from_secs(seconds));
        }
        assert!(world.client.observed().count() <= 6);
        assert!(world.client.objects().light.iter().count() <= 2);
    }
}

#[test]
fn noise_never_panics() {
    for seed in 0..24 {
        storm(seed, 1500);
    }
}

#[test]
fn garbage_from_the_wire_is_counted() {
    let mut world = World::registered(Version::V1_1);
    let server = world.server;
    world.input(server, &[]);
    world.input(server, &[0x40]);
    world.input(server, &[0xC0, 1, 0, 1]);
    world.assert_silent();
    assert_eq!(world.client.stats().dropped_total(), 3);
    // A CON that is malformed earns a reset, a ping as well.
    world.input(server, &[0x40, 1, 0, 1, 0xFF]);
    assert_eq!(world.sent.pop_front().unwrap(), [0x70, 0, 0, 1]);
    world.input(server, &[0x40, 0, 0, 2]);
    assert_eq!(world.sent.pop_front().unwrap(), [0x70, 0, 0, 2]);
    // An unknown critical option: 4.02.
    world.input(server, &[0x40, 1, 0, 3, 0x90]);
    assert_eq!(
        common::Got::parse(&world.sent.pop_front().unwrap()).code,
        Code::BAD_OPTION
    );
}

/// What a device with object 3 takes of RAM, all of it: nothing is on a heap.
#[test]
fn memory() {
    type Small = Client<(Single<Device>,), 1, 4, 4, 512, 512, 128>;
    type Default = Client<(Single<Device>,)>;
    let (small, default) = (size_of::<Small>(), size_of::<Default>());
    println!(
        "small {small} B, default {default} B, Device {} B",
        size_of::<Device>()
    );
    // Each beside what holds what waits to be reported, 128 and 512 B.
    assert!(small <= 7 * 1024 + 512 + 128, "{small}");
    assert!(default <= 12 * 1024 + 512, "{default}");
}

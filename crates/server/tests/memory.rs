//! What a registered device costs, and what the steady state allocates: nothing.
#![allow(missing_docs, reason = "tests")]

use std::alloc::System;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use dunlin_coap::{Code, Instant, MessageWriter, OptionNumber, Rng, Type};
use dunlin_server::Socket;
use dunlin_server::directory::Directory;
use dunlin_server::shard::{Input, Limits, Output, Shard, ShardConfig};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The counters are those of the whole process: one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

struct Dice(u64);

impl Rng for Dice {
    fn next_u32(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 32) as u32
    }
}

fn address(device: u32) -> SocketAddr {
    let [_, a, b, c] = device.to_be_bytes();
    SocketAddr::from(([10, a, b, c], 5683))
}

const LIST: &[u8] =
    b"</>;ct=\"110 112\",</1/0>,</3/0>,</4/0>,</5/0>,</6/0>,</7/0>,</3303/0>,</3303/1>";

fn register(buffer: &mut [u8], device: u32, message_id: u16) -> usize {
    let endpoint = format!("ep=device-{device:06}");
    let mut writer = MessageWriter::new(buffer, Type::Confirmable, Code::POST, message_id, b"1");
    writer
        .option(OptionNumber::URI_PATH, b"rd")
        .option(OptionNumber::CONTENT_FORMAT, &[40])
        .option(OptionNumber::URI_QUERY, endpoint.as_bytes())
        .option(OptionNumber::URI_QUERY, b"lt=86400")
        .option(OptionNumber::URI_QUERY, b"lwm2m=1.1")
        .option(OptionNumber::URI_QUERY, b"b=U")
        .payload(LIST);
    writer.finish().expect("fits")
}

fn shard() -> Shard {
    // Four shards, so that the directory counts; the one here takes every device.
    let limits = Limits {
        exchanges: 64,
        ..Limits::default()
    };
    Shard::new(ShardConfig {
        shards: 4,
        limits,
        ..ShardConfig::single(Arc::new(Directory::new(4, 7)))
    })
}

/// Handles a datagram and returns the only datagram sent in answer.
fn handle(
    shard: &mut Shard,
    now: Instant,
    from: SocketAddr,
    bytes: &[u8],
    answer: &mut [u8],
) -> usize {
    let mut outputs = shard.handle(
        now,
        Input::Datagram {
            socket: Socket::Coap,
            from,
            bytes,
        },
        &mut Dice(now.as_micros()),
    );
    let mut length = 0;
    while let Some(output) = outputs.next() {
        if let Output::Transmit { bytes, .. } = output {
            assert_eq!(length, 0, "one answer");
            answer[..bytes.len()].copy_from_slice(bytes);
            length = bytes.len();
        }
    }
    length
}

fn a_plain_device_costs_at_most_120_bytes() {
    const DEVICES: u32 = 100_000;
    let _alone = ALONE.lock();
    let mut shard = shard();
    let mut buffer = [0; 512];
    let mut answer = [0; 512];
    let mut now = Instant::from_secs(1);
    // What is taken once, whatever the number of devices, is not part of the price of one.
    let length = register(&mut buffer, DEVICES, 0);
    handle(
        &mut shard,
        now,
        address(DEVICES),
        &buffer[..length],
        &mut answer,
    );

    let region = Region::new(ALLOCATOR);
    for device in 0..DEVICES {
        now = Instant::from_micros(now.as_micros() + 10);
        let length = register(&mut buffer, device, device as u16);
        let length = handle(
            &mut shard,
            now,
            address(device),
            &buffer[..length],
            &mut answer,
        );
        assert_eq!(answer[1], Code::CREATED.0, "{:?}", &answer[..length]);
    }
    let stats = region.change();
    let bytes = stats.bytes_allocated as i64 - stats.bytes_deallocated as i64;
    let each = bytes as f64 / f64::from(DEVICES);
    println!("{each:.1} bytes for each of {DEVICES} registered devices");
    assert!(each <= 120.0, "{each:.1} bytes for each device");
    assert!(
        each >= 60.0,
        "{each:.1} bytes cannot be right: the record alone has 64"
    );
}

fn updates_and_duplicates_allocate_nothing() {
    let _alone = ALONE.lock();
    let mut shard = shard();
    let (mut buffer, mut answer) = ([0; 512], [0; 512]);
    let now = Instant::from_secs(1);
    let length = register(&mut buffer, 1, 1);
    let length = handle(&mut shard, now, address(1), &buffer[..length], &mut answer);
    let location = answer[length - 16..length].to_vec();
    let update = |buffer: &mut [u8], message_id: u16| {
        let mut writer =
            MessageWriter::new(buffer, Type::Confirmable, Code::POST, message_id, b"1");
        writer
            .option(OptionNumber::URI_PATH, b"rd")
            .option(OptionNumber::URI_PATH, &location);
        writer.finish().expect("fits")
    };
    let mut run = |shard: &mut Shard, range: core::ops::Range<u16>| {
        for message_id in range {
            let now = Instant::from_secs(1 + u64::from(message_id));
            let length = update(&mut buffer, message_id);
            for _ in 0..2 {
                handle(shard, now, address(1), &buffer[..length], &mut answer);
                assert_eq!(answer[1], Code::CHANGED.0);
            }
        }
    };
    run(&mut shard, 10..100);
    let region = Region::new(ALLOCATOR);
    run(&mut shard, 100..1100);
    let stats = region.change();
    assert_eq!(
        (stats.allocations, stats.reallocations),
        (0, 0),
        "{stats:?}"
    );
}

/// One test, because the allocator counts for the whole process: a second one, and the test
/// runner's report of it, would be counted as well.
#[test]
fn memory() {
    a_plain_device_costs_at_most_120_bytes();
    updates_and_duplicates_allocate_nothing();
}

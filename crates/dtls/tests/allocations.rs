//! The data path of an established session allocates nothing.

mod common;

use std::alloc::System;

use common::*;
use dunlin_dtls::{ClientInput, ServerConfig, ServerInput, ServerOutput};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn records_are_opened_and_sealed_without_a_heap() {
    let mut pair = Pair::new(psk_config(), ServerConfig::default()).connected();
    pair.exchange();
    let session = pair.session();
    let mut records = Vec::new();
    for _ in 0..200 {
        pair.network = Box::new(|_, _, _| Vec::new());
        pair.client(ClientInput::Send(&[7; 500]));
        records.push(pair.sent.pop().unwrap().1);
    }
    let Pair {
        now,
        server,
        store,
        rng,
        ..
    } = &mut pair;
    let mut serve = |input: ServerInput<'_>| {
        let mut outputs = server.handle(*now, input, store, rng);
        match outputs.next() {
            Some(ServerOutput::Data { bytes, .. } | ServerOutput::Transmit { bytes, .. }) => {
                assert!(bytes.len() >= 500);
            }
            other => panic!("{other:?}"),
        }
    };
    let (warm, rest) = records.split_at(2);
    let mut both = |bytes: &[u8]| {
        let from = address(40000);
        serve(ServerInput::Datagram { from, bytes });
        serve(ServerInput::Send {
            session,
            bytes: &[9; 500],
        });
    };
    warm.iter().for_each(|bytes| both(bytes));
    let region = Region::new(ALLOCATOR);
    rest.iter().for_each(|bytes| both(bytes));
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0));
}

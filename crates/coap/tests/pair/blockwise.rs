//! Large bodies over a network that loses, repeats and reorders (RFC 7959).

use dunlin_coap::block::{
    Block1Received, Block1Receiver, Block1Sender, Block1Sent, Block2Received, Block2Receiver,
    Block2Server, BlockLimits, BlockSize,
};
use dunlin_coap::{Code, OptionNumber, Outgoing};
use dunlin_sim::netem::SeededRng;

use crate::harness::{BAD, CLIENT, GOOD, Pair, What};

fn body(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    dunlin_coap::Rng::fill(&mut SeededRng::new(seed), &mut bytes);
    bytes
}

fn put(pair: &mut Pair, sender: &Block1Sender, body: &[u8]) {
    pair.request(Outgoing::confirmable(Code::PUT), |message| {
        message.option(OptionNumber::URI_PATH, b"5");
        sender.write(body, message);
    });
}

/// Uploads a body; returns the body as received and how many blocks were answered.
fn upload(mut pair: Pair, body: &[u8], ours: usize, theirs: usize) -> (Vec<u8>, u32) {
    let mut sender = Block1Sender::new(body.len(), BlockSize::at_most(ours));
    let limits = BlockLimits {
        size: BlockSize::at_most(theirs),
        ..BlockLimits::body(body.len())
    };
    let mut receiver = Block1Receiver::new(limits);
    let mut buffer = vec![0; body.len()];
    let (mut received, mut done, mut blocks) = (None, false, 0);
    put(&mut pair, &sender, body);
    pair.drive(|pair, event| match event.what {
        What::Request(_) => {
            let request = event.message();
            let outcome = receiver.receive(event.at, &request, &mut buffer);
            match outcome {
                Block1Received::Continue(block) => {
                    pair.reply(event, Code::CONTINUE, |message| {
                        message.uint(OptionNumber::BLOCK1, block.value());
                    });
                }
                Block1Received::Complete { length, block } => {
                    received = Some(buffer[..length].to_vec());
                    pair.reply(event, Code::CHANGED, |message| {
                        message.uint(OptionNumber::BLOCK1, block.value());
                    });
                }
                Block1Received::Single => {
                    received = Some(request.payload.to_vec());
                    pair.reply(event, Code::CHANGED, |_| {});
                }
                Block1Received::Refuse(refusal) => {
                    pair.reply(event, refusal.code, |message| refusal.write(message));
                }
            }
        }
        What::Response { .. } => {
            blocks += 1;
            match sender.on_response(&event.message()) {
                Block1Sent::Next => put(pair, &sender, body),
                Block1Sent::Done => {
                    assert_eq!(event.message().code, Code::CHANGED);
                    done = true;
                }
                Block1Sent::Failed(why) => panic!("{why:?}"),
            }
        }
        // All copies of a block, or all their answers, were lost: the same block once more.
        What::Failed { .. } if event.host == CLIENT => put(pair, &sender, body),
        _ => {}
    });
    assert!(done);
    (received.unwrap(), blocks)
}

#[test]
fn block1_over_a_good_network() {
    let sent = body(1, 1000);
    let (received, blocks) = upload(Pair::new(1, GOOD), &sent, 64, 1024);
    assert_eq!((received, blocks), (sent, 16));
}

#[test]
fn block1_over_a_bad_network() {
    for seed in 0..100 {
        let sent = body(seed, 200 + 37 * seed as usize);
        let (received, _) = upload(Pair::new(seed, BAD), &sent, 128, 1024);
        assert_eq!(received, sent, "seed {seed}");
    }
}

#[test]
fn block1_with_smaller_blocks_on_demand() {
    for seed in 0..50 {
        let sent = body(seed, 3000);
        let (received, _) = upload(Pair::new(seed, BAD), &sent, 1024, 64);
        assert_eq!(received, sent, "seed {seed}");
    }
    let sent = body(1, 3000);
    let (received, blocks) = upload(Pair::new(1, GOOD), &sent, 1024, 64);
    // One of 1024, then 1976 bytes in blocks of 64.
    assert_eq!((received, blocks), (sent, 1 + 31));
}

#[test]
fn a_body_that_fits_is_one_message() {
    let sent = body(1, 64);
    let (received, blocks) = upload(Pair::new(1, GOOD), &sent, 64, 1024);
    assert_eq!((received, blocks), (sent, 1));
}

fn get(pair: &mut Pair, receiver: &Block2Receiver, early: bool) {
    let block = receiver.request();
    pair.request(Outgoing::confirmable(Code::GET), |message| {
        message.option(OptionNumber::URI_PATH, b"5");
        if early || block.num > 0 {
            message.uint(OptionNumber::BLOCK2, block.value());
        }
    });
}

/// Downloads a body that changes once when `change_after` requests were answered; returns the body
/// as received and how many requests it took.
fn download(
    mut pair: Pair,
    bodies: &[Vec<u8>; 2],
    change_after: u32,
    (ours, theirs): (usize, usize),
    early: bool,
) -> (Vec<u8>, u32) {
    let limits = BlockLimits {
        size: BlockSize::at_most(ours),
        ..BlockLimits::body(10_000)
    };
    let server = Block2Server::new(BlockSize::at_most(theirs));
    let mut receiver = Block2Receiver::new(limits);
    let mut buffer = vec![0; 10_000];
    let (mut answered, mut received) = (0, None);
    get(&mut pair, &receiver, early);
    pair.drive(|pair, event| match event.what {
        What::Request(_) => {
            let version = usize::from(answered >= change_after);
            answered += 1;
            let body = &bodies[version];
            match server.answer(&event.message(), body.len()) {
                Ok(answer) => pair.reply(event, Code::CONTENT, |message| {
                    message.option(OptionNumber::ETAG, &[version as u8]);
                    answer.write(message);
                    message.payload(&body[answer.range.clone()]);
                }),
                Err(refusal) => pair.reply(event, refusal.code, |message| refusal.write(message)),
            }
        }
        What::Response { .. } => match receiver.receive(event.at, &event.message(), &mut buffer) {
            Block2Received::Next(_) | Block2Received::Restart(_) => {
                get(pair, &receiver, early);
            }
            Block2Received::Complete { length } => received = Some(buffer[..length].to_vec()),
            Block2Received::Single => received = Some(event.message().payload.to_vec()),
            Block2Received::Failed(why) => panic!("{why:?}"),
        },
        What::Failed { .. } if event.host == CLIENT => get(pair, &receiver, early),
        _ => {}
    });
    (received.unwrap(), answered)
}

#[test]
fn block2_over_a_good_network() {
    let bodies = [body(1, 1000), Vec::new()];
    for (sizes, early, requests) in [
        ((1024, 64), false, 16),
        // Early negotiation: all blocks of 64.
        ((64, 1024), true, 16),
        // Late negotiation: the first of 512, then 488 bytes in blocks of 64.
        ((64, 512), false, 1 + 8),
        ((1024, 1024), false, 1),
        ((1024, 1024), true, 1),
    ] {
        let pair = Pair::new(1, GOOD);
        let (received, answered) = download(pair, &bodies, u32::MAX, sizes, early);
        assert_eq!(
            (received, answered),
            (bodies[0].clone(), requests),
            "{sizes:?} {early}"
        );
    }
}

#[test]
fn block2_over_a_bad_network() {
    for seed in 0..100 {
        let bodies = [body(seed, 100 + 41 * seed as usize), Vec::new()];
        let sizes = (if seed % 2 == 0 { 64 } else { 1024 }, 256);
        let pair = Pair::new(seed, BAD);
        let (received, _) = download(pair, &bodies, u32::MAX, sizes, seed % 3 == 0);
        assert_eq!(received, bodies[0], "seed {seed}");
    }
}

#[test]
fn a_body_that_changes_under_way_is_fetched_anew_and_never_mixed() {
    for seed in 0..100 {
        let bodies = [body(seed, 2000), body(seed + 1000, 1900)];
        let pair = Pair::new(seed, BAD);
        let change_after = 1 + (seed % 12) as u32;
        let (received, _) = download(pair, &bodies, change_after, (128, 1024), true);
        assert!(bodies.contains(&received), "seed {seed}");
        if change_after < 14 {
            assert_eq!(received, bodies[1], "seed {seed}");
        }
    }
}

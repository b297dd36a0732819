//! One peer that sends without end.

use dunlin_coap::{Code, Incoming, Instant, Message, MessageWriter, Type};

use crate::harness::{Address, Node, Pair, SERVER, What};

fn post(message_id: u16) -> Vec<u8> {
    let mut buffer = [0; 16];
    let writer = MessageWriter::new(&mut buffer, Type::Confirmable, Code::POST, message_id, &[]);
    let length = writer.finish().unwrap();
    buffer[..length].to_vec()
}

fn is_new(node: &mut Node, peer: Address, message_id: u16) -> bool {
    let mut out = [0; 64];
    let bytes = post(message_id);
    let handled = node.handle(Instant::from_secs(10), peer, &bytes, &mut out);
    match handled.incoming {
        Incoming::Request { message, reply_to } => {
            let token = message.token;
            node.reply(&reply_to, Code::CHANGED, token, &mut out, |_| {})
                .unwrap();
            true
        }
        _ => false,
    }
}

#[test]
fn a_storm_from_one_peer_keeps_the_others_deduplicated() {
    let mut node = Pair::over_a_good_network().server;
    for peer in 10..14 {
        assert!(is_new(&mut node, peer, 1));
    }
    for message_id in 0..60_000 {
        is_new(&mut node, 200, message_id);
    }
    for peer in 10..14 {
        assert!(
            !is_new(&mut node, peer, 1),
            "peer {peer}'s request would be done twice"
        );
    }
    assert!(node.stats().evicted > 50_000, "memory is bounded");
}

#[test]
fn a_storm_of_requests_that_are_never_answered_opens_no_exchange() {
    let mut pair = Pair::over_a_good_network();
    for message_id in 0..1000 {
        pair.transmit(50, SERVER, &post(message_id));
    }
    pair.settle();
    let requests = pair.events(SERVER);
    assert!(
        requests
            .iter()
            .all(|event| matches!(event.what, What::Request(_)))
    );
    assert_eq!(pair.server.open_exchanges(), 0);
    assert_eq!(pair.server.next_timeout(), None);
}

#[test]
fn the_same_message_id_from_many_ports_is_many_requests() {
    let mut node = Pair::over_a_good_network().server;
    for peer in 3..250 {
        assert!(is_new(&mut node, peer, 7));
    }
}

#[test]
fn answers_are_sized_like_requests() {
    // No reset or 4.02 is a lever for amplification: at most a short text.
    let mut node = Pair::over_a_good_network().server;
    let mut out = [0; 1280];
    for bytes in [
        &[0x40, 0, 0, 1][..],
        &[0x49, 1, 0, 1],
        &[0x40, 1, 0, 2, 0x10],
    ] {
        let handled = node.handle(Instant::from_secs(1), 9, bytes, &mut out);
        assert!(handled.reply <= 100);
        assert!(Message::parse(&out[..handled.reply]).is_ok());
    }
}

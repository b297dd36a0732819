//! CoAP ping (RFC 7252 §4.3).

use dunlin_coap::{Answered, Failure};

use crate::harness::{CLIENT, DEAD, Pair, SERVER, What};

#[test]
fn a_ping_is_answered_by_a_reset() {
    let mut pair = Pair::over_a_good_network();
    let exchange = pair.ping();
    assert_eq!(pair.sent[0].bytes.len(), 4);
    pair.settle();
    assert_eq!(pair.only_event(SERVER).what, What::Answered(Answered::Ping));
    let pong = pair.only_event(CLIENT).what;
    assert!(matches!(pong, What::Reset { exchange: Some(ended), .. } if ended == exchange));
    assert_eq!(pair.client.next_timeout(), None);
}

#[test]
fn a_ping_to_nobody_fails() {
    let mut pair = Pair::new(1, DEAD);
    let exchange = pair.ping();
    pair.settle();
    let why = Failure::NoAcknowledgement;
    assert_eq!(pair.only_event(CLIENT).what, What::Failed { exchange, why });
}

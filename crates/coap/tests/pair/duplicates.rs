//! Repeated messages (RFC 7252 §4.5).

use dunlin_coap::{Answered, Code, DropReason, Outgoing};
use dunlin_sim::netem::Impairment;

use crate::harness::{CLIENT, GOOD, Pair, SERVER, What};

const TWICE: Impairment = Impairment {
    duplicate: 1.0,
    ..GOOD
};

#[test]
fn a_repeated_request_waits_for_the_answer_and_then_gets_the_same() {
    let mut pair = Pair::new(1, TWICE);
    let exchange = pair.post();
    pair.step();
    let events = pair.events(SERVER);
    assert!(matches!(events[0].what, What::Request(_)));
    assert_eq!(
        events[1].what,
        What::Dropped(DropReason::DuplicateInProgress)
    );

    pair.network.set_impairment(GOOD);
    pair.reply(&events[0], Code::CREATED, |message| {
        message.payload(b"first");
    });
    let request = pair.sent[0].bytes.clone();
    pair.transmit(CLIENT, SERVER, &request);
    pair.settle();
    assert_eq!(
        pair.only_event(SERVER).what,
        What::Answered(Answered::Repeated)
    );
    let answers: Vec<_> = pair.sent_by(SERVER).collect();
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0].bytes, answers[1].bytes);
    let events = pair.events(CLIENT);
    assert_eq!(
        events[0].what,
        What::Response {
            exchange,
            piggybacked: true
        }
    );
    assert_eq!(
        events[1].what,
        What::Dropped(DropReason::UnknownAcknowledgement)
    );
}

#[test]
fn a_repeated_non_is_dropped() {
    let mut pair = Pair::new(1, TWICE);
    pair.request(Outgoing::non_confirmable(Code::POST), |_| {});
    pair.step();
    let events = pair.events(SERVER);
    assert!(matches!(events[0].what, What::Request(_)));
    assert_eq!(
        events[1].what,
        What::Dropped(DropReason::DuplicateNonConfirmable)
    );
}

#[test]
fn a_lost_answer_is_sent_again_without_doing_the_request_again() {
    let mut pair = Pair::over_a_good_network();
    pair.post();
    pair.step();
    let request = pair.only_event(SERVER);
    pair.network.set_impairment(crate::harness::DEAD);
    pair.reply(&request, Code::CREATED, |_| {});
    pair.network.set_impairment(GOOD);
    pair.settle();
    assert!(matches!(
        pair.only_event(CLIENT).what,
        What::Response { .. }
    ));
    assert_eq!(pair.server.stats().requests, 1);
    assert_eq!(pair.client.stats().retransmitted, 1);
}

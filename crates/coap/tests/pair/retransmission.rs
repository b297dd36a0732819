//! A CON that is not acknowledged (RFC 7252 §4.2).

use std::time::Duration;

use dunlin_coap::{Code, DropReason, Failure};

use crate::harness::{CLIENT, DEAD, GOOD, Pair, SERVER, What};

#[test]
fn copies_leave_at_t_3t_7t_15t_and_it_fails_at_31t() {
    for seed in 0..50 {
        let mut pair = Pair::new(seed, DEAD);
        let start = pair.now;
        let exchange = pair.get();
        pair.settle();

        let failed = pair.only_event(CLIENT);
        let why = Failure::NoAcknowledgement;
        assert_eq!(failed.what, What::Failed { exchange, why });

        let times: Vec<Duration> = pair.sent_by(CLIENT).map(|sent| sent.at - start).collect();
        let t = times[1];
        assert!(
            (Duration::from_secs(2)..=Duration::from_secs(3)).contains(&t),
            "{t:?}"
        );
        assert_eq!(times, [Duration::ZERO, t, 3 * t, 7 * t, 15 * t]);
        assert_eq!(failed.at - start, 31 * t);
        let first = &pair.sent[0].bytes;
        assert!(
            pair.sent.iter().all(|sent| sent.bytes == *first),
            "same bytes, same Message ID"
        );
    }
}

#[test]
fn first_timeouts_are_spread() {
    let first = |seed| {
        let mut pair = Pair::new(seed, DEAD);
        pair.get();
        pair.client.next_timeout().unwrap() - pair.now
    };
    let timeouts: Vec<Duration> = (0..200).map(first).collect();
    assert!(
        timeouts
            .iter()
            .any(|timeout| *timeout < Duration::from_millis(2_200))
    );
    assert!(
        timeouts
            .iter()
            .any(|timeout| *timeout > Duration::from_millis(2_800))
    );
}

#[test]
fn it_stops_with_the_answer() {
    let mut pair = Pair::new(1, DEAD);
    pair.get();
    pair.pass(Duration::from_secs(5));
    pair.network.set_impairment(GOOD);
    pair.drive(|pair, event| {
        if let What::Request(_) = event.what {
            pair.reply(event, Code::CONTENT, |_| {});
        }
    });
    assert_eq!(pair.client.next_timeout(), None);
    assert_eq!(
        pair.client.stats().retransmitted,
        2,
        "one lost, one answered"
    );
}

#[test]
fn an_acknowledgement_after_the_failure_is_ignored() {
    let mut pair = Pair::over_a_good_network();
    pair.get();
    pair.pass(Duration::from_secs(1));
    let request = pair.only_event(SERVER);
    pair.pass(Duration::from_secs(100));
    let failed = pair.events(CLIENT);
    assert!(matches!(failed[0].what, What::Failed { .. }));
    pair.events(SERVER);
    pair.reply(&request, Code::CONTENT, |_| {});
    pair.settle();
    let late = pair.only_event(CLIENT);
    assert_eq!(late.what, What::Dropped(DropReason::UnknownAcknowledgement));
}

#[test]
fn a_confirmable_response_is_repeated_and_given_up_too() {
    let mut pair = Pair::new(1, DEAD);
    let exchange = pair.push_confirmable(dunlin_coap::Token::EMPTY, |_| {});
    pair.settle();
    let why = Failure::NoAcknowledgement;
    assert_eq!(pair.only_event(SERVER).what, What::Failed { exchange, why });
    assert_eq!(pair.sent_by(SERVER).count(), 5);
}

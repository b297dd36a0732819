//! Separate responses (RFC 7252 §5.2.2).

use std::time::Duration;

use dunlin_coap::{Code, DropReason, Token, Type};

use dunlin_sim::netem::Impairment;

use crate::harness::{BAD, CLIENT, GOOD, Pair, SERVER, What};

#[test]
fn an_empty_acknowledgement_then_the_response() {
    let mut pair = Pair::over_a_good_network();
    let exchange = pair.get();
    pair.step();
    let request = pair.only_event(SERVER);
    pair.acknowledge(&request);
    pair.step();
    let acknowledged = What::Acknowledged {
        exchange,
        finished: false,
    };
    assert_eq!(pair.only_event(CLIENT).what, acknowledged);

    // Long after the request would have been repeated.
    pair.pass(Duration::from_secs(100));
    assert_eq!(pair.sent_by(CLIENT).count(), 1, "not repeated");
    let token = Token::new(request.message().token).unwrap();
    let push = pair.push_confirmable(token, |message| {
        message.payload(b"late");
    });
    pair.settle();
    let response = pair.only_event(CLIENT);
    assert_eq!(
        response.what,
        What::Response {
            exchange,
            piggybacked: false
        }
    );
    assert_eq!(response.message().ty, Type::Confirmable);
    let delivered = What::Acknowledged {
        exchange: push,
        finished: true,
    };
    assert_eq!(pair.only_event(SERVER).what, delivered);
}

#[test]
fn the_response_may_arrive_before_the_acknowledgement() {
    let mut pair = Pair::over_a_good_network();
    let exchange = pair.get();
    pair.step();
    let request = pair.only_event(SERVER);
    let token = Token::new(request.message().token).unwrap();
    pair.network.set_impairment(Impairment {
        delay: Duration::from_millis(200),
        ..GOOD
    });
    pair.acknowledge(&request);
    pair.network.set_impairment(GOOD);
    pair.push_confirmable(token, |_| {});
    pair.settle();
    let events = pair.events(CLIENT);
    assert_eq!(
        events[0].what,
        What::Response {
            exchange,
            piggybacked: false
        }
    );
    assert_eq!(
        events[1].what,
        What::Dropped(DropReason::UnknownAcknowledgement)
    );
    assert_eq!(
        pair.sent_by(CLIENT).count(),
        2,
        "the request, and the acknowledgement"
    );
}

#[test]
fn a_lost_acknowledgement_is_repeated_with_the_request() {
    let mut pair = Pair::over_a_good_network();
    let exchange = pair.get();
    pair.step();
    let request = pair.only_event(SERVER);
    pair.network.set_impairment(crate::harness::DEAD);
    pair.acknowledge(&request);
    pair.network.set_impairment(GOOD);
    pair.pass(Duration::from_secs(4));
    let acknowledged = What::Acknowledged {
        exchange,
        finished: false,
    };
    assert_eq!(pair.only_event(CLIENT).what, acknowledged);
    assert_eq!(pair.server.stats().requests, 1);
}

#[test]
fn each_response_is_delivered_once_over_a_bad_network() {
    let mut delivered = 0;
    for seed in 0..300 {
        let mut pair = Pair::new(seed, BAD);
        let exchange = pair.post();
        let (mut responses, mut failures) = (0, 0);
        pair.drive(|pair, event| match event.what {
            What::Request(_) => {
                pair.acknowledge(event);
                let token = Token::new(event.message().token).unwrap();
                pair.push_confirmable(token, |_| {});
            }
            What::Response {
                exchange: ended, ..
            } => {
                assert_eq!(ended, exchange);
                responses += 1;
            }
            // The exchange failed before: nobody waits for the response.
            What::Unmatched(_) => pair.decide(event, false),
            What::Failed { .. } if event.host == CLIENT => failures += 1,
            _ => {}
        });
        assert_eq!(responses + failures, 1, "seed {seed}");
        assert!(pair.server.stats().requests <= 1, "done once");
        assert_eq!(
            pair.server.open_exchanges() + pair.client.open_exchanges(),
            0
        );
        delivered += responses;
    }
    assert!(delivered > 280, "{delivered}");
}

#[test]
fn code_and_payload_come_through() {
    let mut pair = Pair::over_a_good_network();
    pair.get();
    let mut seen = None;
    pair.drive(|pair, event| match event.what {
        What::Request(_) => {
            pair.acknowledge(event);
            let token = Token::new(event.message().token).unwrap();
            pair.push_confirmable(token, |message| {
                message.payload(b"value");
            });
        }
        What::Response { .. } => {
            seen = Some((event.message().code, event.message().payload.to_vec()));
        }
        _ => {}
    });
    assert_eq!(seen, Some((Code::CONTENT, b"value".to_vec())));
}

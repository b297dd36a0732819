//! Notifications (RFC 7641).

use std::time::Duration;

use dunlin_coap::{Code, Freshness, OptionNumber, Outgoing, Sequence, Token};
use dunlin_sim::netem::Impairment;

use crate::harness::{BAD, CLIENT, Event, GOOD, Pair, SERVER, What};

fn token() -> Token {
    Token::new(&[0x0B]).unwrap()
}

/// The client observes; the server accepts with number 1.
fn observe(pair: &mut Pair) {
    let request = Outgoing::confirmable(Code::GET).token(token());
    pair.request(request, |message| {
        message.uint(OptionNumber::OBSERVE, 0);
    });
    pair.step();
    let request = pair.only_event(SERVER);
    assert_eq!(request.message().observe(), Some(0));
    pair.reply(&request, Code::CONTENT, |message| {
        message.uint(OptionNumber::OBSERVE, 1);
    });
    pair.settle();
    assert!(matches!(
        pair.only_event(CLIENT).what,
        What::Response { .. }
    ));
}

fn is_known(event: &Event) -> bool {
    event.message().token == token().as_bytes()
}

#[test]
fn a_known_notification_is_accepted_and_acknowledged() {
    let mut pair = Pair::over_a_good_network();
    observe(&mut pair);
    let exchange = pair.push_confirmable(token(), |message| {
        message.uint(OptionNumber::OBSERVE, 2).payload(b"21.5");
    });
    pair.step();
    let notification = pair.only_event(CLIENT);
    assert!(is_known(&notification));
    pair.decide(&notification, true);
    pair.settle();
    let delivered = What::Acknowledged {
        exchange,
        finished: true,
    };
    assert_eq!(pair.only_event(SERVER).what, delivered);
}

#[test]
fn a_reset_cancels_the_observation() {
    let mut pair = Pair::over_a_good_network();
    let exchange = pair.push_confirmable(token(), |_| {});
    pair.step();
    let notification = pair.only_event(CLIENT);
    pair.decide(&notification, false);
    pair.settle();
    let reset = pair.only_event(SERVER).what;
    assert!(matches!(reset, What::Reset { exchange: Some(ended), .. } if ended == exchange));

    // A NON notification is named by its Message ID.
    let sent = pair.push_non_confirmable(token(), |_| {});
    pair.step();
    let notification = pair.only_event(CLIENT);
    pair.decide(&notification, false);
    pair.settle();
    let reset = pair.only_event(SERVER).what;
    assert_eq!(
        reset,
        What::Reset {
            message_id: sent,
            exchange: None
        }
    );
}

#[test]
fn a_lost_acknowledgement_of_a_notification_does_not_deliver_it_twice() {
    let mut pair = Pair::over_a_good_network();
    pair.push_confirmable(token(), |_| {});
    pair.step();
    let notification = pair.only_event(CLIENT);
    pair.network.set_impairment(crate::harness::DEAD);
    pair.decide(&notification, true);
    pair.network.set_impairment(GOOD);
    pair.settle();
    assert!(matches!(
        pair.only_event(SERVER).what,
        What::Acknowledged { finished: true, .. }
    ));
    assert_eq!(pair.client.stats().responses, 1);
}

#[test]
fn an_observer_that_is_gone_is_noticed() {
    let mut pair = Pair::new(1, crate::harness::DEAD);
    let exchange = pair.push_confirmable(token(), |_| {});
    pair.settle();
    assert!(matches!(
        pair.only_event(SERVER).what,
        What::Failed { exchange: failed, .. } if failed == exchange
    ));
}

#[test]
fn values_never_go_backwards_over_a_reordering_network() {
    let mut overtaken = 0;
    for seed in 0..50 {
        let mut pair = Pair::new(seed, Impairment { loss: 0.1, ..BAD });
        // Close to the wrap at 2^24.
        let mut sequence = Sequence::after(0x00FF_FFF0);
        let mut freshness = Freshness::default();
        let mut shown = 0;
        for value in 1..=100_u8 {
            let number = sequence.advance();
            pair.push_non_confirmable(token(), |message| {
                message
                    .uint(OptionNumber::OBSERVE, number)
                    .payload(&[value]);
            });
            pair.pass(Duration::from_millis(100));
            for event in pair.events(CLIENT) {
                if !matches!(event.what, What::Unmatched(_)) {
                    continue;
                }
                let value = event.message().payload[0];
                if freshness.is_newer(event.message().observe().unwrap(), event.at) {
                    assert!(value > shown, "seed {seed}: {value} after {shown}");
                    shown = value;
                } else {
                    assert!(
                        value <= shown,
                        "seed {seed}: {value} was refused after {shown}"
                    );
                    overtaken += 1;
                }
            }
        }
        assert!(shown > 90);
    }
    assert!(overtaken > 100, "{overtaken}");
}

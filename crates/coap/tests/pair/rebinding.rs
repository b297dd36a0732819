//! A NAT that gives the client another address.

use dunlin_coap::{Code, Failure, Token};

use crate::harness::{CLIENT, Pair, SERVER, What};

#[test]
fn an_answer_to_the_old_address_is_lost_and_the_repetition_is_another_peers() {
    let mut pair = Pair::over_a_good_network();
    pair.get();
    pair.step();
    let request = pair.only_event(SERVER);
    pair.network.rebind(CLIENT, 77);
    pair.reply(&request, Code::CONTENT, |_| {});
    pair.drive(|pair, event| {
        if let What::Request(_) = event.what {
            assert_eq!(event.peer, 77);
            pair.reply(event, Code::CONTENT, |_| {});
        }
    });
    assert_eq!(
        pair.server.stats().requests,
        2,
        "a peer is an address and a Message ID"
    );
    assert_eq!(pair.client.stats().responses, 1);
}

#[test]
fn a_request_of_the_server_to_the_old_address_fails() {
    let mut pair = Pair::over_a_good_network();
    pair.network.rebind(CLIENT, 77);
    let exchange = pair.push_confirmable(Token::EMPTY, |_| {});
    pair.settle();
    let why = Failure::NoAcknowledgement;
    assert_eq!(pair.only_event(SERVER).what, What::Failed { exchange, why });
    assert_eq!(pair.network.stats().unreachable, 5);
}

#[test]
fn a_request_follows_a_client_whose_new_address_is_known() {
    let mut pair = Pair::over_a_good_network();
    pair.network.rebind(CLIENT, 77);
    let exchange = pair.push_confirmable(Token::EMPTY, |_| {});
    assert!(pair.server.redirect(exchange, 77));
    assert_eq!(
        (pair.server.outstanding(CLIENT), pair.server.outstanding(77)),
        (0, 1)
    );
    pair.drive(|pair, event| {
        if let What::Unmatched(_) = event.what {
            pair.decide(event, true);
        }
        if event.host == SERVER {
            let finished = true;
            assert_eq!(event.what, What::Acknowledged { exchange, finished });
            assert_eq!(event.peer, 77);
        }
    });
    // The first copy was on its way already.
    assert_eq!(pair.network.stats().unreachable, 1);
    assert_eq!(pair.server.open_exchanges(), 0);
    assert!(!pair.server.redirect(exchange, CLIENT));
}

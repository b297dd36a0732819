//! Requests and their responses (RFC 7252 §4.3, §5.2.1, §5.2.3, §5.3).

use dunlin_coap::{Code, DropReason, Instant, Message, OptionNumber, Outgoing, Token, Type};

use crate::harness::{BAD, CLIENT, Pair, SERVER, What};

#[test]
fn a_response_rides_on_the_acknowledgement() {
    let mut pair = Pair::over_a_good_network();
    let exchange = pair.request(Outgoing::confirmable(Code::GET), |message| {
        message.option(OptionNumber::URI_PATH, b"3");
    });
    pair.step();
    let request = pair.only_event(SERVER);
    assert_eq!(
        request.message().value(OptionNumber::URI_PATH),
        Some(&b"3"[..])
    );
    pair.reply(&request, Code::CONTENT, |message| {
        message.payload(b"x");
    });
    pair.settle();
    let response = pair.only_event(CLIENT);
    assert_eq!(
        response.what,
        What::Response {
            exchange,
            piggybacked: true
        }
    );
    let (request, response) = (request.message(), response.message());
    assert_eq!(response.ty, Type::Acknowledgement);
    assert_eq!(
        (response.message_id, response.token),
        (request.message_id, request.token)
    );
    assert_eq!(pair.sent.len(), 2);
}

#[test]
fn a_non_request_gets_a_non_response() {
    let mut pair = Pair::over_a_good_network();
    let exchange = pair.request(Outgoing::non_confirmable(Code::GET), |_| {});
    pair.step();
    let request = pair.only_event(SERVER);
    pair.reply(&request, Code::CONTENT, |_| {});
    pair.settle();
    let response = pair.only_event(CLIENT);
    assert_eq!(
        response.what,
        What::Response {
            exchange,
            piggybacked: false
        }
    );
    assert_eq!(response.message().ty, Type::NonConfirmable);
    assert_eq!(pair.sent.len(), 2, "nothing is acknowledged");
}

#[test]
fn an_unknown_critical_option_is_4_02_for_a_con_and_silence_for_a_non() {
    let critical = OptionNumber(2049);
    let mut pair = Pair::over_a_good_network();
    pair.request(Outgoing::confirmable(Code::GET), |message| {
        message.option(critical, &[]);
    });
    pair.settle();
    let response = pair.only_event(CLIENT);
    assert_eq!(response.message().code, Code::BAD_OPTION);
    let text = core::str::from_utf8(response.message().payload).unwrap();
    assert!(text.contains("2049"), "{text}");

    let mut pair = Pair::over_a_good_network();
    pair.request(Outgoing::non_confirmable(Code::GET), |message| {
        message.option(critical, &[]);
    });
    pair.step();
    let dropped = What::Dropped(DropReason::UnacceptableOption);
    assert_eq!(pair.only_event(SERVER).what, dropped);
    assert_eq!(pair.sent.len(), 1);
}

#[test]
fn the_same_token_from_two_peers_names_two_requests() {
    let mut pair = Pair::over_a_good_network();
    let token = Token::new(&[7]).unwrap();
    // A third host, whose request is made by hand with the client's token and Message ID.
    let exchange = pair.request(Outgoing::confirmable(Code::GET).token(token), |_| {});
    let request = pair.sent[0].bytes.clone();
    pair.transmit(99, SERVER, &request);
    pair.step();
    let requests = pair.events(SERVER);
    assert_eq!(requests.len(), 2);
    for request in &requests {
        let peer = [request.peer];
        pair.reply(request, Code::CONTENT, |message| {
            message.payload(&peer);
        });
    }
    let to_third = pair.sent.last().unwrap().bytes.clone();
    assert_eq!(Message::parse(&to_third).unwrap().payload, [99]);
    // The answer to the third host reaches the client by mistake, from another address.
    pair.transmit(98, CLIENT, &to_third);
    pair.settle();
    let events = pair.events(CLIENT);
    let responses: Vec<_> = events
        .iter()
        .filter(|event| matches!(event.what, What::Response { .. }))
        .collect();
    assert_eq!(responses.len(), 1);
    assert_eq!(
        responses[0].what,
        What::Response {
            exchange,
            piggybacked: true
        }
    );
    assert_eq!(responses[0].message().payload, [CLIENT]);
}

/// Requests that are not idempotent, over a network that loses and repeats: each is done at most
/// once, and exactly once when it was answered.
#[test]
fn a_post_is_done_once_whatever_the_network_does() {
    let (mut answered, mut failed) = (0, 0);
    for seed in 0..300 {
        let mut pair = Pair::new(seed, BAD);
        pair.post();
        let (mut done, mut response) = (0, None);
        pair.drive(|pair, event| match event.what {
            What::Request(_) => {
                done += 1;
                pair.reply(event, Code::CREATED, |message| {
                    message.payload(&[done]);
                });
            }
            What::Response { .. } => {
                assert!(response.is_none(), "delivered once");
                response = Some(event.message().payload.to_vec());
            }
            What::Failed { .. } => failed += 1,
            _ => {}
        });
        assert!(done <= 1);
        if let Some(response) = response {
            assert_eq!((done, response), (1, vec![1]));
            answered += 1;
        }
        assert!(pair.now > Instant::ZERO);
    }
    assert_eq!(answered + failed, 300);
    assert!(answered > 280, "{answered}");
}

//! NSTART: one interaction at a time with a peer (RFC 7252 §4.7).

use dunlin_coap::Code;

use crate::harness::{BAD, CLIENT, Pair, SERVER, What};

#[test]
fn a_caller_that_asks_is_busy_has_one_request_under_way() {
    let mut pair = Pair::new(3, BAD);
    let (mut waiting, mut ended) = (20, 0);
    pair.get();
    assert!(pair.client.is_busy(SERVER));
    assert!(!pair.client.is_busy(SERVER + 1));
    pair.drive(|pair, event| {
        match event.what {
            What::Request(_) => pair.reply(event, Code::CONTENT, |_| {}),
            What::Response { .. } | What::Failed { .. } if event.host == CLIENT => ended += 1,
            _ => {}
        }
        assert!(pair.client.outstanding(SERVER) <= 1);
        if waiting > 0 && !pair.client.is_busy(SERVER) {
            waiting -= 1;
            pair.get();
        }
    });
    assert_eq!((waiting, ended), (0, 21));
}

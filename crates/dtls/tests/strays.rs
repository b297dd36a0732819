//! Records that belong to no handshake come in the middle of one.

mod common;

use common::*;
use dunlin_dtls::{ClientInput, Reason, ServerConfig};

#[test]
fn the_close_of_the_association_before_does_not_disturb_resumption() {
    let mut pair = Pair::new(psk_config(), ServerConfig::default()).connected();
    let resumption = pair.client.resumption().unwrap();
    pair.said.clear();
    pair.client(ClientInput::Close);
    // The server's own close_notify, under the old keys, comes after the ClientHello is sent.
    pair.connect(Some(&resumption));
    pair.run();
    let expected = [
        Said::Closed(Reason::Closed),
        Said::Connected { resumed: true },
    ];
    assert_eq!(pair.said, expected);
    pair.exchange();
}

#[test]
fn a_forged_record_does_not_end_a_handshake_of_a_client() {
    let mut pair = Pair::new(psk_config(), ServerConfig::default());
    pair.network = Box::new(|_, of_client, datagram| {
        let forged = [
            &[23, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 0, 0, 24][..],
            &[7; 24],
        ]
        .concat();
        match of_client {
            true => vec![datagram],
            false => vec![forged, datagram],
        }
    });
    pair.connect(None);
    pair.run();
    assert_eq!(pair.said, [Said::Connected { resumed: false }]);
}

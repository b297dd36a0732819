//! Servers that do not keep to the standard, and what a device makes of them.

use std::time::Duration;

use dunlin_dtls::testing::{ContentType, MasterSecret, Side, number};
use dunlin_dtls::{
    Alert, Client, ClientConfig, ClientInput, ExtendedMasterSecret, KeyExchange, Reason, Suite,
};

use super::device::{
    Device, Said, first_flight, last_flight, messages, reaction, sent, server, take_second_flight,
};
use crate::known::{KEY, Kind, client_config, kinds, psk, server_key};
use crate::script::{Hello, Script, extension, kind, vec};

/// The scripts themselves.
#[test]
fn a_good_handshake_of_every_kind_is_completed() {
    for of in kinds() {
        let mut device = Device::new(client_config(of));
        let mut script = server(of);
        let said = device.handshake(&mut script);
        assert_eq!(said.connected, 1, "{of:?}: {said:?}");
        let record = script.sealed(ContentType::ApplicationData, b"data");
        assert_eq!(device.receive(&record).data, [b"data"]);
        let said = device.tell(ClientInput::Send(b"request"));
        assert_eq!(script.open(&said.datagrams[0])[0].content, b"request");
    }
}

/// Each message of the first flight missing, in turn.
#[test]
fn a_missing_message_is_unexpected() {
    for of in kinds() {
        let mut device = Device::new(client_config(of));
        let mut script = server(of);
        device.hello(&mut script, None);
        let count = messages(&mut script).len();
        // Without the last one there is nothing to be unexpected.
        for missing in 0..count - 1 {
            let all = messages(&mut script);
            if all[missing].0 == kind::CERTIFICATE_REQUEST {
                continue;
            }
            let reason = reaction(client_config(of), of, |_, all| {
                all.remove(missing);
            });
            assert_eq!(reason, sent(Alert::UNEXPECTED_MESSAGE), "{of:?}, {missing}");
        }
    }
}

/// Two neighbours of the first flight exchanged, in turn: each with the other's number, so that
/// this is no reordering.
#[test]
fn exchanged_messages_are_unexpected() {
    for of in kinds() {
        let count = {
            let mut device = Device::new(client_config(of));
            let mut script = server(of);
            device.hello(&mut script, None);
            messages(&mut script).len()
        };
        for at in 0..count - 1 {
            let reason = reaction(client_config(of), of, |_, all| all.swap(at, at + 1));
            assert_eq!(reason, sent(Alert::UNEXPECTED_MESSAGE), "{of:?}, {at}");
        }
    }
}

/// Each message of the first flight twice, in turn.
#[test]
fn a_message_that_comes_twice_is_unexpected() {
    for of in kinds() {
        let count = {
            let mut device = Device::new(client_config(of));
            let mut script = server(of);
            device.hello(&mut script, None);
            messages(&mut script).len()
        };
        for at in 0..count - 1 {
            let reason = reaction(client_config(of), of, |_, all| {
                let again = all[at].clone();
                all.insert(at, again);
            });
            assert_eq!(reason, sent(Alert::UNEXPECTED_MESSAGE), "{of:?}, {at}");
        }
    }
}

/// RFC 8422 §5.4, RFC 5246 §7.4.3: the parameters are signed, with the randoms of this handshake.
#[test]
fn a_bad_signature_of_the_key_exchange_is_refused() {
    for of in kinds() {
        if of.suite.key_exchange() != KeyExchange::EcdheEcdsa {
            continue;
        }
        let change_body = |change: &dyn Fn(&Script) -> Vec<u8>| {
            reaction(client_config(of), of, |script, all| {
                let body = change(script);
                let found = all
                    .iter_mut()
                    .find(|(it, _)| *it == kind::SERVER_KEY_EXCHANGE);
                found.unwrap().1 = body;
            })
        };
        let other_key = change_body(&|script| {
            script
                .server_key_exchange(&crate::known::client_key())
                .unwrap()
        });
        assert_eq!(other_key, sent(Alert::DECRYPT_ERROR), "{of:?}");
        let other_random = change_body(&|script| {
            let mut other = Script::new(Side::Server, of.suite, 9);
            other.peer_hello.clone_from(&script.peer_hello);
            other.hello.random = [0; 32];
            other.server_key_exchange(&server_key()).unwrap()
        });
        assert_eq!(other_random, sent(Alert::DECRYPT_ERROR), "{of:?}");
        // RSA with SHA-256, and ECDSA with SHA-1, were not offered.
        for algorithm in [[4, 1], [2, 3], [0, 0]] {
            let reason = change_body(&|script| {
                let mut body = script.server_key_exchange(&server_key()).unwrap();
                body[69..71].copy_from_slice(&algorithm);
                body
            });
            assert_eq!(reason, sent(Alert::ILLEGAL_PARAMETER), "{of:?}");
        }
    }
}

/// RFC 8422 §5.11: another curve, another format, a point that is none.
#[test]
fn bad_parameters_of_the_key_exchange_are_refused() {
    for of in kinds() {
        let at = match of.suite.key_exchange() {
            KeyExchange::Psk => continue,
            KeyExchange::EcdhePsk => 2,
            KeyExchange::EcdheEcdsa => 0,
        };
        for (byte, value) in [(at, 1), (at + 2, 24), (at + 3, 64), (at + 4, 5)] {
            let reason = reaction(client_config(of), of, |_, all| {
                let found = all
                    .iter_mut()
                    .find(|(it, _)| *it == kind::SERVER_KEY_EXCHANGE);
                found.unwrap().1[byte] = value;
            });
            assert!(
                [
                    sent(Alert::ILLEGAL_PARAMETER),
                    sent(Alert::DECODE_ERROR),
                    sent(Alert::DECRYPT_ERROR)
                ]
                .contains(&reason),
                "{of:?}: {reason:?}"
            );
        }
    }
}

#[test]
fn an_unknown_certificate_or_key_is_refused() {
    for of in kinds() {
        if of.suite.key_exchange() != KeyExchange::EcdheEcdsa {
            continue;
        }
        let reason = reaction(client_config(of), of, |_, all| {
            all[1].1 = if of.raw {
                vec(3, crate::known::client_key().public_key())
            } else {
                vec(3, &vec(3, &crate::known::client_certificate()))
            };
        });
        let expected = if of.raw {
            Alert::BAD_CERTIFICATE
        } else {
            Alert::UNKNOWN_CA
        };
        assert_eq!(reason, sent(expected), "{of:?}");
    }
}

/// What the client says to a last flight that was changed; it must not be connected.
fn reaction_to_end(of: Kind, end: impl FnOnce(&mut Script) -> Vec<u8>) -> (Device, Script, Said) {
    let mut device = Device::new(client_config(of));
    let mut script = server(of);
    device.hello(&mut script, None);
    let flight = first_flight(&mut script);
    let said = device.receive(&flight);
    take_second_flight(&mut script, &said);
    let end = end(&mut script);
    let said = device.receive(&end);
    assert_eq!(said.connected, 0, "{of:?}");
    assert!(!device.client.is_connected());
    (device, script, said)
}

#[test]
fn a_bad_finished_is_a_decrypt_error() {
    for of in kinds() {
        let (_, script, said) = reaction_to_end(of, |script| {
            let mut end = script.change_cipher_spec();
            let mut verify_data = script.verify_data();
            verify_data[11] ^= 1;
            let message = script.say(kind::FINISHED, &verify_data);
            end.extend(script.sealed(ContentType::Handshake, &message));
            end
        });
        assert_eq!(said.closed, [sent(Alert::DECRYPT_ERROR)], "{of:?}");
        // RFC 5246 §7.2.2: under the keys, since the client's ChangeCipherSpec is out.
        let records = script.open(&said.datagrams[0]);
        assert_eq!(
            (records[0].epoch, &records[0].content[..]),
            (1, &[2, 51][..])
        );
    }
}

#[test]
fn a_finished_in_the_clear_is_refused() {
    let (_, _, said) = reaction_to_end(psk(), |script| {
        let mut end = script.change_cipher_spec();
        let verify_data = script.verify_data();
        end.extend(script.say_plain(kind::FINISHED, &verify_data));
        end
    });
    assert!(said.data.is_empty());
}

#[test]
fn a_skipped_change_cipher_spec_never_connects() {
    let (mut device, mut script, _) = reaction_to_end(psk(), Script::finished);
    let late = script.change_cipher_spec();
    assert_eq!(device.receive(&late).connected, 1, "late, and good");
}

#[test]
fn data_before_the_finished_is_not_delivered() {
    let (mut device, mut script, said) = reaction_to_end(psk(), |script| {
        let mut end = script.change_cipher_spec();
        end.extend(script.sealed(ContentType::ApplicationData, b"early"));
        end
    });
    assert!(said.data.is_empty());
    let finished = script.finished();
    assert_eq!(device.receive(&finished).connected, 1);
}

/// A wrong key shows in the server's Finished, which does not open: nothing is connected, and the
/// device gives up in the end.
#[test]
fn a_server_with_another_key_is_never_connected() {
    for of in kinds() {
        if of.suite.key_exchange() == KeyExchange::EcdheEcdsa {
            continue;
        }
        let mut device = Device::new(client_config(of));
        let mut script = server(of);
        device.hello(&mut script, None);
        let flight = first_flight(&mut script);
        let said = device.receive(&flight);
        for datagram in &said.datagrams {
            script.take(datagram);
        }
        script.derive(b"another key", None);
        let end = last_flight(&mut script);
        let said = device.receive(&end);
        assert_eq!((said.connected, said.data.len()), (0, 0));
        while let Some(due) = device.client.next_timeout() {
            device.now = due;
            assert_eq!(device.tell(ClientInput::Timer).connected, 0);
        }
        assert!(!device.client.is_connected());
    }
}

/// RFC 6347 §4.2.4.1: a silent server: the interval doubles from 1 s, and there is an end.
#[test]
fn a_silent_server_is_asked_a_few_times() {
    let mut device = Device::new(client_config(psk()));
    device.connect(None);
    let start = device.now;
    let mut at = Vec::new();
    let mut closed = Vec::new();
    while let Some(due) = device.client.next_timeout() {
        device.now = due;
        let said = device.tell(ClientInput::Timer);
        if !said.datagrams.is_empty() {
            at.push((due - start).as_secs());
        }
        closed.extend(said.closed);
        assert!(at.len() < 20);
    }
    assert_eq!(at, [1, 3, 7, 15, 31, 63]);
    assert_eq!(closed, [Reason::TimedOut]);
}

/// A forged resumption: the server that says the id must also have the secret.
#[test]
fn a_resumption_without_the_secret_is_never_connected() {
    let mut device = Device::new(client_config(psk()));
    let mut script = server(psk());
    assert_eq!(device.handshake(&mut script).connected, 1);
    let resumption = device.client.resumption().unwrap();
    for (secret, connected) in [(None, 1), (Some([0; 48]), 0)] {
        let master = match secret {
            None => script.master.clone().unwrap(),
            Some(bytes) => MasterSecret::from_bytes(bytes),
        };
        let mut again = server(psk());
        device.hello(&mut again, Some(&resumption));
        let asked = again.peer_hello.as_ref().unwrap().session_id.clone();
        assert_eq!(asked, [5; 32]);
        let body = again.hello.server();
        let mut flight = again.say_plain(kind::SERVER_HELLO, &body);
        again.derive(KEY, Some(master));
        flight.extend(last_flight(&mut again));
        let said = device.receive(&flight);
        assert_eq!(said.connected, connected);
    }
}

/// RFC 5246 §7.4.1.3, RFC 7627 §5.3: a session is resumed with its suite and its extended master
/// secret.
#[test]
fn a_resumption_that_differs_is_refused() {
    let config = || ClientConfig {
        suites: vec![Suite::PskAes128Ccm8, Suite::PskAes128CbcSha256],
        extended_master_secret: ExtendedMasterSecret::Optional,
        ..client_config(psk())
    };
    let mut device = Device::new(config());
    let mut script = server(psk());
    assert_eq!(device.handshake(&mut script).connected, 1);
    let resumption = device.client.resumption().unwrap();
    for change in [
        |hello: &mut Hello| hello.suites = vec![Suite::PskAes128CbcSha256.code()],
        |hello: &mut Hello| {
            *hello = hello.clone().without(extension::EXTENDED_MASTER_SECRET);
        },
    ] {
        let mut device = Device::new(config());
        let mut again = server(psk());
        device.hello(&mut again, Some(&resumption));
        change(&mut again.hello);
        let body = again.hello.server();
        let flight = again.say_plain(kind::SERVER_HELLO, &body);
        let said = device.receive(&flight);
        assert!(
            matches!(said.closed[..], [Reason::AlertSent(_)]),
            "{said:?}"
        );
    }
}

#[test]
fn alerts_in_the_clear_do_not_touch_an_association() {
    let mut device = Device::new(client_config(psk()));
    let mut script = server(psk());
    assert_eq!(device.handshake(&mut script).connected, 1);
    for content in [[2, 40], [1, 0], [2, 0], [255, 255]] {
        let record = script.plain(21, &content);
        assert!(device.receive(&record).is_silent());
    }
    assert!(device.client.is_connected());
}

/// Hellos and requests for one in an association (RFC 5246 §7.4.1.1): not answered with a
/// handshake.
#[test]
fn a_hello_request_does_not_renegotiate() {
    let mut device = Device::new(client_config(psk()));
    let mut script = server(psk());
    assert_eq!(device.handshake(&mut script).connected, 1);
    let message = script.say(kind::HELLO_REQUEST, &[]);
    let record = script.sealed(ContentType::Handshake, &message);
    let said = device.receive(&record);
    assert!(said.closed.is_empty());
    for datagram in &said.datagrams {
        let record = &script.open(datagram)[0];
        assert_eq!(
            (record.content_type, &record.content[..]),
            (ContentType::Alert, &[1, 100][..])
        );
    }
    let record = script.plain(22, &message);
    assert!(device.receive(&record).is_silent());
    assert!(device.client.is_connected());
}

#[test]
fn replays_and_forgeries_are_dropped() {
    let mut device = Device::new(client_config(psk()));
    let mut script = server(psk());
    assert_eq!(device.handshake(&mut script).connected, 1);
    let record = script.sealed(ContentType::ApplicationData, b"data");
    let mut forged = record.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert!(device.receive(&forged).is_silent());
    assert_eq!(device.receive(&record).data.len(), 1);
    assert!(device.receive(&record).is_silent());
    for epoch in [0, 2, 0xffff] {
        let record = script.sealed_as(number(epoch, 99), ContentType::ApplicationData, b"data");
        assert!(device.receive(&record).data.is_empty());
    }
    let record = script.plain(23, b"in the clear");
    assert!(device.receive(&record).is_silent());
}

#[test]
fn close_notify_ends_the_association() {
    let mut device = Device::new(client_config(psk()));
    let mut script = server(psk());
    assert_eq!(device.handshake(&mut script).connected, 1);
    let record = script.sealed(ContentType::Alert, &[1, 0]);
    let said = device.receive(&record);
    assert_eq!(said.closed, [Reason::CloseNotify]);
    assert!(!device.client.is_connected());
    assert!(device.tell(ClientInput::Send(b"data")).datagrams.is_empty());
}

/// RFC 5246 §7.2.2: what ended with a fatal alert is not resumed.
#[test]
fn a_fatal_alert_ends_the_association_and_its_resumption() {
    let mut device = Device::new(client_config(psk()));
    let mut script = server(psk());
    assert_eq!(device.handshake(&mut script).connected, 1);
    let record = script.sealed(ContentType::Alert, &[2, 49]);
    let said = device.receive(&record);
    assert_eq!(said.closed, [Reason::AlertReceived(Alert::ACCESS_DENIED)]);
    assert!(device.client.resumption().is_none());
}

/// The connection ID that the client gave: records with it, and only those.
#[test]
fn the_clients_connection_id_is_in_the_servers_records() {
    let config = ClientConfig {
        connection_id: Some(vec![0xc1, 0xc2, 0xc3]),
        ..client_config(psk())
    };
    let mut device = Device::new(config);
    let mut script = server(psk());
    script.hello = script
        .hello
        .with(extension::CONNECTION_ID, &[2, 0xd1, 0xd2]);
    let said = device.handshake(&mut script);
    assert_eq!(said.connected, 1);
    assert_eq!(script.peer_cid, [0xc1, 0xc2, 0xc3]);
    let record = script.sealed(ContentType::ApplicationData, b"data");
    assert_eq!(device.receive(&record).data, [b"data"]);
    let said = device.tell(ClientInput::Send(b"request"));
    assert_eq!(said.datagrams[0][0], 25);
    assert_eq!(said.datagrams[0][11..13], [0xd1, 0xd2]);
    for cid in [&[][..], &[0xc1, 0xc2, 0xc4]] {
        script.peer_cid = cid.to_vec();
        let record = script.sealed(ContentType::ApplicationData, b"data");
        assert!(device.receive(&record).is_silent(), "{cid:02x?}");
    }
}

/// A live association through an export: sequence numbers and window go on, and the client that
/// gave it away has none.
#[test]
fn an_export_goes_on_exactly() {
    let mut device = Device::new(client_config(psk()));
    let mut script = server(psk());
    assert_eq!(device.handshake(&mut script).connected, 1);
    let old = script.sealed(ContentType::ApplicationData, b"old");
    assert_eq!(device.receive(&old).data.len(), 1);
    let said = device.tell(ClientInput::Send(b"one"));
    let before = script.open(&said.datagrams[0])[0].sequence;
    let export = device.client.export().unwrap();
    assert!(!device.client.is_connected());
    assert!(device.tell(ClientInput::Send(b"two")).datagrams.is_empty());

    let mut awake = Device::new(client_config(psk()));
    awake.client = Client::import(client_config(psk()), &export).unwrap();
    assert!(awake.client.is_connected());
    assert!(awake.receive(&old).is_silent(), "the window was kept");
    let said = awake.tell(ClientInput::Send(b"two"));
    assert_eq!(script.open(&said.datagrams[0])[0].sequence, before + 1);
    let new = script.sealed(ContentType::ApplicationData, b"new");
    assert_eq!(awake.receive(&new).data.len(), 1);
    assert!(awake.client.resumption().is_some());

    for at in 0..export.len() {
        let mut bad = export.clone();
        bad[at] ^= 1;
        assert!(
            Client::import(client_config(psk()), &bad).is_err(),
            "byte {at}"
        );
    }
}

/// Timers end with the handshake: an idle association needs no wake-up.
#[test]
fn an_association_that_is_idle_has_no_timer() {
    for of in kinds() {
        let mut device = Device::new(client_config(of));
        let mut script = server(of);
        assert_eq!(device.handshake(&mut script).connected, 1);
        device.now += Duration::from_secs(1);
        assert_eq!(device.client.next_timeout(), None, "{of:?}");
    }
}

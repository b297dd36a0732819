//! A scripted client with good MACs at every state, and messages that are missing, changed, in
//! pieces, twice or in another order: the server makes a session only of a handshake that is right,
//! whose client proved what its suite demands, and delivers only what was sealed for it.
#![no_main]

use std::net::SocketAddr;

use dunlin_coap::Instant;
use dunlin_dtls::testing::{ContentType, Side, number};
use dunlin_dtls::{
    ClientAuthentication, Identity, KeyExchange, Server, ServerConfig, ServerInput, ServerOutput,
};
use dunlin_fuzz::dtls_known::{
    IDENTITY, KEY, Known, TAG, client_certificate, client_key, kinds, server_config,
};
use dunlin_fuzz::dtls_script::{Script, extension, fragment, kind, vec};
use dunlin_fuzz::{Dice, Input};
use libfuzzer_sys::fuzz_target;

/// What was sent that is right.
#[derive(Default)]
struct Sent {
    key: bool,
    signature: bool,
    finished: bool,
    data: Vec<Vec<u8>>,
}

struct World {
    server: Server,
    known: Known,
    script: Script,
    now: Instant,
    dice: Dice,
    sent: Sent,
    asks: bool,
    sessions: usize,
}

impl World {
    fn tell(&mut self, input: ServerInput<'_>) {
        let mut datagrams = Vec::new();
        let mut outputs = self.server.handle(self.now, input, &self.known, &mut self.dice);
        while let Some(output) = outputs.next() {
            match output {
                ServerOutput::Transmit { bytes, .. } => datagrams.push(bytes.to_vec()),
                ServerOutput::Connected { identity, tag, .. } => {
                    assert!(self.sent.finished, "without a Finished");
                    match identity {
                        Identity::Psk(identity) => {
                            assert!(self.sent.key, "without the key");
                            assert_eq!((&**identity, tag), (IDENTITY, TAG));
                        }
                        Identity::RawPublicKey(_) | Identity::Certificate(_) => {
                            assert!(self.sent.signature, "without a proof of the private key");
                            assert_eq!(tag, TAG);
                        }
                        Identity::None => assert!(!self.asks),
                    }
                    self.sessions += 1;
                }
                ServerOutput::Data { bytes, .. } => {
                    let at = self.sent.data.iter().position(|it| it == bytes);
                    // Once each.
                    self.sent.data.swap_remove(at.expect("never sent"));
                }
                ServerOutput::Closed { .. } => self.sessions -= 1,
                ServerOutput::Moved { .. } => panic!("from one address"),
                _ => {}
            }
        }
        drop(outputs);
        assert_eq!(self.server.sessions(), self.sessions);
        for bytes in datagrams {
            self.script.take(&bytes);
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let of = input.choose(&kinds());
    let from: SocketAddr = "192.0.2.1:40000".parse().expect("an address");
    let asks = input.byte() < 200;
    let config = ServerConfig {
        mtu: 16_000,
        client_authentication: if asks {
            ClientAuthentication::Required
        } else {
            ClientAuthentication::None
        },
        ..server_config()
    };
    let mut script = Script::new(Side::Client, of.suite, 1);
    if of.raw {
        for number in [extension::CLIENT_CERTIFICATE_TYPE, extension::SERVER_CERTIFICATE_TYPE] {
            script.hello = script.hello.with(number, &[1, 2]);
        }
    }
    if input.bool() {
        script.hello = script.hello.with(extension::CONNECTION_ID, &[0]);
    }
    if input.bool() {
        script.hello = script.hello.with(extension::ENCRYPT_THEN_MAC, &[]);
    }
    let mut dice = Dice(1);
    let mut world = World {
        server: Server::new(config, &mut dice),
        known: Known::default(),
        script,
        now: Instant::from_secs(1000),
        dice,
        sent: Sent::default(),
        asks,
        sessions: 0,
    };
    // The cookie is a matter of another target.
    for _ in 0..2 {
        let hello = world.script.client_hello();
        world.tell(ServerInput::Datagram { from, bytes: &hello });
    }
    for _ in 0..60 {
        if input.is_empty() {
            break;
        }
        let script = &mut world.script;
        let signs = script.suite.key_exchange() == KeyExchange::EcdheEcdsa;
        let action = input.below(16);
        let mut changed = false;
        let mut change = |input: &mut Input<'_>, bytes: &mut Vec<u8>| {
            if input.byte() > 210 {
                let at = usize::from(input.byte());
                let by = input.byte();
                if input.bool() {
                    bytes.truncate(at);
                    bytes.push(by);
                    changed = true;
                } else if let Some(byte) = bytes.get_mut(at).filter(|_| by != 0) {
                    *byte ^= by;
                    changed = true;
                }
            }
        };
        let datagram = match action {
            0 | 1 => {
                let raw = script
                    .peer_hello
                    .as_ref()
                    .is_some_and(|it| it.extension(extension::CLIENT_CERTIFICATE_TYPE).is_some());
                let mut body = if raw {
                    vec(3, client_key().public_key())
                } else {
                    vec(3, &vec(3, &client_certificate()))
                };
                change(&mut input, &mut body);
                script.say_plain(kind::CERTIFICATE, &body)
            }
            2 | 3 => {
                let mut body = script.client_key_exchange(IDENTITY);
                change(&mut input, &mut body);
                let record = script.say_plain(kind::CLIENT_KEY_EXCHANGE, &body);
                let ready = script.peer_hello.is_some()
                    && (script.suite.key_exchange() == KeyExchange::Psk
                        || script.peer_point.is_some());
                if ready {
                    let right = input.byte() < 220;
                    script.derive(if right { KEY } else { b"wrong" }, None);
                    world.sent.key |= right;
                }
                record
            }
            4 | 5 if signs => {
                let right = input.byte() < 220;
                let key = if right {
                    client_key()
                } else {
                    dunlin_fuzz::dtls_known::server_key()
                };
                let mut body = script.certificate_verify(&key);
                change(&mut input, &mut body);
                world.sent.signature |= right && !changed;
                script.say_plain(kind::CERTIFICATE_VERIFY, &body)
            }
            6 => script.change_cipher_spec(),
            7 | 8 if script.keys.is_some() => {
                let mut verify_data = script.verify_data().to_vec();
                change(&mut input, &mut verify_data);
                let message = script.say(kind::FINISHED, &verify_data);
                if input.byte() > 220 {
                    script.plain(22, &message)
                } else {
                    world.sent.finished |= !changed;
                    script.sealed(ContentType::Handshake, &message)
                }
            }
            9 if script.keys.is_some() => {
                let length = input.below(20);
                let content = input.slice(length).to_vec();
                world.sent.data.push(content.clone());
                let sequence = u64::from(input.byte());
                let number = number(if input.byte() > 220 { 2 } else { 1 }, sequence);
                script.sealed_as(number, ContentType::ApplicationData, &content)
            }
            10 if script.keys.is_some() => {
                let content_type = input.choose(&[
                    ContentType::Alert,
                    ContentType::Handshake,
                    ContentType::ChangeCipherSpec,
                    ContentType::Tls12Cid,
                ]);
                let length = input.below(40);
                let content = input.slice(length).to_vec();
                script.sealed(content_type, &content)
            }
            11 => {
                let content_type = input.choose(&[20, 21, 22, 23, 25]);
                let length = input.below(60);
                script.plain(content_type, input.slice(length))
            }
            12 => {
                // A piece of the message that is due, or of another.
                let kind = input.choose(&[11, 15, 16, 20, 1, 0, 99]);
                let sequence = script.message.wrapping_add(u16::from(input.byte() % 3));
                let length = input.below(200);
                let offset = input.below(200);
                let piece = input.below(100);
                let content = fragment(kind, length, sequence, offset, input.slice(piece));
                if input.bool() && script.keys.is_some() {
                    script.sealed(ContentType::Handshake, &content)
                } else {
                    script.plain(22, &content)
                }
            }
            13 => {
                world.now = dunlin_fuzz::step(world.now, &mut input);
                world.tell(ServerInput::Timer);
                continue;
            }
            14 => {
                // Anew, from the same address.
                let cookie = script.hello.cookie.clone();
                script.restart();
                script.hello.cookie = cookie;
                let id = script.peer_hello.as_ref().map(|it| it.session_id.clone());
                if input.bool() {
                    script.hello.session_id = id.unwrap_or_default();
                }
                script.client_hello()
            }
            _ => continue,
        };
        world.tell(ServerInput::Datagram { from, bytes: &datagram });
        if input.byte() > 230 {
            world.tell(ServerInput::Datagram { from, bytes: &datagram });
        }
    }
});

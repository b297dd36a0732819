//! A device under any server: any datagrams, flights with changed bytes, time. It is connected only
//! by a Finished that is right; its timers go forward and come to an end; what it sends is bounded.
#![no_main]

use dunlin_coap::Instant;
use dunlin_dtls::testing::{ContentType, Side};
use dunlin_dtls::{Client, ClientConfig, ClientInput, ClientOutput, KeyExchange, Reason};
use dunlin_fuzz::dtls_known::{KEY, client_config, kinds, server_certificate, server_key};
use dunlin_fuzz::dtls_script::{Script, extension, fragment, kind, vec};
use dunlin_fuzz::{Dice, Input};
use libfuzzer_sys::fuzz_target;

struct World {
    client: Client,
    script: Script,
    now: Instant,
    dice: Dice,
    /// Whether a Finished that is right was sent since the client began.
    finished: bool,
    sent: usize,
}

impl World {
    fn take(&mut self, said: Vec<ClientSaid>) {
        for it in said {
            match it {
                ClientSaid::Datagram(bytes) => {
                    self.sent += 1;
                    assert!(!bytes.is_empty() && bytes.len() <= 17_000);
                    self.script.take(&bytes);
                }
                ClientSaid::Connected => assert!(self.finished, "without a Finished"),
                ClientSaid::Data => assert!(self.finished, "data of nobody"),
                ClientSaid::Closed(_) => assert_eq!(self.client.next_timeout(), None),
            }
        }
    }

    fn tell(&mut self, input: ClientInput<'_>) {
        let mut said = Vec::new();
        let mut outputs = self.client.handle(self.now, input, &mut self.dice);
        while let Some(output) = outputs.next() {
            said.push(note(output));
        }
        drop(outputs);
        self.take(said);
    }

    fn connect(&mut self, resume: bool) {
        self.finished = false;
        let mut said = Vec::new();
        let resumption = self.client.resumption().filter(|_| resume);
        let mut outputs = self
            .client
            .connect(self.now, resumption.as_ref(), &mut self.dice);
        while let Some(output) = outputs.next() {
            said.push(note(output));
        }
        drop(outputs);
        self.take(said);
    }
}

enum ClientSaid {
    Datagram(Vec<u8>),
    Connected,
    Data,
    Closed(#[allow(dead_code)] Reason),
}

fn note(output: ClientOutput<'_>) -> ClientSaid {
    match output {
        ClientOutput::Transmit(bytes) => ClientSaid::Datagram(bytes.to_vec()),
        ClientOutput::Connected { .. } => ClientSaid::Connected,
        ClientOutput::Data(_) => ClientSaid::Data,
        ClientOutput::Closed(reason) => ClientSaid::Closed(reason),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let of = input.choose(&kinds());
    let mut script = Script::new(Side::Server, of.suite, 9);
    script.hello.session_id = vec![5; 32];
    if of.raw {
        for number in [extension::CLIENT_CERTIFICATE_TYPE, extension::SERVER_CERTIFICATE_TYPE] {
            script.hello = script.hello.with(number, &[2]);
        }
    }
    let cid = input.choose(&[0, 0, 1, 8]);
    if input.bool() {
        script.hello = script.hello.with(extension::CONNECTION_ID, &[2, 1, 2]);
    }
    let config = ClientConfig {
        mtu: 16_000,
        connection_id: Some(vec![0xc1; cid]),
        ..client_config(of)
    };
    let mut world = World {
        client: Client::new(config),
        script,
        now: Instant::from_secs(1000),
        dice: Dice(u64::from(input.byte())),
        finished: false,
        sent: 0,
    };
    world.connect(false);
    let mut steps = 0;
    while !input.is_empty() && steps < 100 {
        steps += 1;
        let script = &mut world.script;
        let signs = script.suite.key_exchange() == KeyExchange::EcdheEcdsa;
        let mut right = false;
        let mut datagram = match input.below(14) {
            0 => {
                let length = input.below(120);
                input.slice(length).to_vec()
            }
            1 => {
                let content = fragment(3, 6, script.message, 0, &[0xfe, 0xff, 3, 7, 7, 7]);
                script.message += 1;
                script.plain(22, &content)
            }
            2 => {
                let body = script.hello.server();
                script.say_plain(kind::SERVER_HELLO, &body)
            }
            3 if signs => {
                let body = if of.raw {
                    vec(3, server_key().public_key())
                } else {
                    vec(3, &vec(3, &server_certificate()))
                };
                script.say_plain(kind::CERTIFICATE, &body)
            }
            4 if script.peer_hello.is_some() => match script.server_key_exchange(&server_key()) {
                Some(body) => script.say_plain(kind::SERVER_KEY_EXCHANGE, &body),
                None => continue,
            },
            5 => script.say_plain(kind::CERTIFICATE_REQUEST, &[1, 64, 0, 2, 4, 3, 0, 0]),
            6 => script.say_plain(kind::SERVER_HELLO_DONE, &[]),
            7 => {
                let can = script.session_hash.is_some()
                    && (script.suite.key_exchange() == KeyExchange::Psk
                        || script.peer_point.is_some());
                if can {
                    script.derive(KEY, None);
                }
                script.change_cipher_spec()
            }
            8 if script.keys.is_some() => {
                right = true;
                script.finished()
            }
            9 if script.keys.is_some() => {
                let content_type = input.choose(&[
                    ContentType::ApplicationData,
                    ContentType::Handshake,
                    ContentType::Alert,
                    ContentType::ChangeCipherSpec,
                ]);
                let length = input.below(20);
                let content = input.slice(length).to_vec();
                // Whatever it is, it may be a Finished by accident of a replay.
                script.sealed(content_type, &content)
            }
            10 => {
                let content_type = input.choose(&[20, 21, 22, 23, 25]);
                let length = input.below(60);
                script.plain(content_type, input.slice(length))
            }
            11 => {
                if let Some(due) = world.client.next_timeout() {
                    world.now = world.now.max(due);
                    world.tell(ClientInput::Timer);
                    let next = world.client.next_timeout();
                    assert!(next.is_none_or(|next| next > world.now), "a timer that is past");
                }
                continue;
            }
            12 => {
                let what = input.below(4);
                match what {
                    0 => world.tell(ClientInput::Send(b"data")),
                    1 => world.tell(ClientInput::Close),
                    2 => world.connect(true),
                    _ => {
                        if let Some(export) = world.client.export() {
                            assert!(!world.client.is_connected());
                            let config = ClientConfig {
                                mtu: 16_000,
                                connection_id: Some(vec![0xc1; cid]),
                                ..client_config(of)
                            };
                            world.client = Client::import(config, &export).expect("its own");
                        }
                    }
                }
                continue;
            }
            _ => continue,
        };
        if input.byte() > 200 {
            let at = usize::from(input.byte()) % datagram.len().max(1);
            if let Some(byte) = datagram.get_mut(at) {
                *byte ^= input.byte();
            }
        }
        world.finished |= right;
        world.tell(ClientInput::Datagram(&datagram));
    }
    assert!(world.sent <= 40 + 20 * steps);
    // A handshake that nobody goes on with comes to an end.
    for _ in 0..20 {
        let Some(due) = world.client.next_timeout() else {
            return;
        };
        world.now = world.now.max(due);
        world.tell(ClientInput::Timer);
    }
    panic!("timers without an end");
});

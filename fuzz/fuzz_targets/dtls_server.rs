//! A server under any datagrams from any addresses, hellos with and without cookies, time, and what
//! the application tells it: tables stay within their bounds, strangers are answered with no more
//! bytes than they sent, timers go forward.
#![no_main]

use std::net::SocketAddr;

use dunlin_coap::Instant;
use dunlin_dtls::testing::Side;
use dunlin_dtls::{
    Export, Limits, Server, ServerConfig, ServerInput, ServerOutput, SessionId, Suite,
};
use dunlin_fuzz::dtls_known::{KEY, Known, IDENTITY, server_config};
use dunlin_fuzz::dtls_script::{Script, extension, kind};
use dunlin_fuzz::{Dice, Input, step};
use libfuzzer_sys::fuzz_target;

const PEERS: usize = 6;

struct World {
    server: Server,
    known: Known,
    dice: Dice,
    now: Instant,
    scripts: Vec<Script>,
    sessions: Vec<SessionId>,
    /// Bytes that each address sent, and that it was sent before it had shown a cookie.
    sent: [usize; PEERS],
    received: [usize; PEERS],
}

fn address(peer: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, peer as u8], 5684))
}

impl World {
    fn tell(&mut self, input: ServerInput<'_>) {
        let begun = self.server.counters().begun;
        let mut datagrams = Vec::new();
        let mut outputs = self.server.handle(self.now, input, &self.known, &mut self.dice);
        while let Some(output) = outputs.next() {
            match output {
                ServerOutput::Transmit { to, bytes } => {
                    assert!(!bytes.is_empty() && bytes.len() <= 17_000);
                    datagrams.push((to, bytes.to_vec()));
                }
                ServerOutput::Connected { session, .. } => self.sessions.push(session),
                ServerOutput::Closed { session, .. } => self.sessions.retain(|it| *it != session),
                ServerOutput::Moved { session, from, to } => {
                    assert!(from != to && self.sessions.contains(&session));
                }
                ServerOutput::Data { session, .. } => assert!(self.sessions.contains(&session)),
                ServerOutput::Unproven { .. }
                | ServerOutput::Reserve { .. }
                | ServerOutput::Foreign { .. } => {}
            }
        }
        drop(outputs);
        for (to, bytes) in datagrams {
            if let Some(peer) = (0..PEERS).find(|peer| address(*peer) == to) {
                self.received[peer] += bytes.len();
                if begun == 0 && self.server.counters().begun == 0 {
                    assert!(self.received[peer] <= self.sent[peer], "amplified");
                }
                self.scripts[peer].take(&bytes);
            }
        }
        assert!(self.server.sessions() <= 3);
        assert!(self.server.handshakes() <= 3);
        assert_eq!(self.server.sessions(), self.sessions.len());
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let mut dice = Dice(u64::from(input.byte()));
    let config = ServerConfig {
        mtu: if input.bool() { 16_000 } else { 256 },
        limits: Limits {
            half_open: 3,
            sessions: 3,
            cache: 2,
            handshakes_per_second: 5,
            failed_decryptions: 4,
            ..Limits::default()
        },
        ..server_config()
    };
    let one_piece = config.mtu > 1000;
    let scripts = (0..PEERS)
        .map(|peer| {
            let suite = Suite::ALL[peer % Suite::ALL.len()];
            let mut script = Script::new(Side::Client, suite, peer as u64);
            if peer % 2 == 0 {
                script.hello = script.hello.with(extension::CONNECTION_ID, &[0]);
            }
            script
        })
        .collect();
    let mut world = World {
        server: Server::new(config, &mut dice),
        known: Known::default(),
        dice,
        now: Instant::from_secs(1000),
        scripts,
        sessions: Vec::new(),
        sent: [0; PEERS],
        received: [0; PEERS],
    };
    for _ in 0..200 {
        if input.is_empty() {
            break;
        }
        let peer = input.below(PEERS);
        let mut datagram = match input.below(12) {
            0 | 1 => world.scripts[peer].client_hello(),
            2 => {
                let length = input.below(120);
                input.slice(length).to_vec()
            }
            3 => {
                let content_type = input.choose(&[20, 21, 22, 23, 25]);
                let length = input.below(60);
                world.scripts[peer].plain(content_type, input.slice(length))
            }
            4 => {
                let mut record = vec![23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, input.byte(), 0, 24];
                record.resize(37, input.byte());
                record
            }
            5 | 6 if one_piece && world.scripts[peer].peer_hello.is_some() => {
                let script = &mut world.scripts[peer];
                let body = script.client_key_exchange(IDENTITY);
                let mut flight = script.say_plain(kind::CLIENT_KEY_EXCHANGE, &body);
                let can = script.suite.key_exchange() == dunlin_dtls::KeyExchange::Psk
                    || script.peer_point.is_some();
                if can {
                    script.derive(KEY, None);
                    flight.extend(script.change_cipher_spec());
                    flight.extend(script.finished());
                }
                flight
            }
            7 => {
                world.now = step(world.now, &mut input);
                world.tell(ServerInput::Timer);
                if let Some(due) = world.server.next_timeout() {
                    assert!(due > world.now, "a timer that is past");
                }
                continue;
            }
            8 => {
                let session = world.sessions.get(input.below(3)).copied();
                if let Some(session) = session {
                    let what = input.below(4);
                    match what {
                        0 => world.tell(ServerInput::Send { session, bytes: b"data" }),
                        1 => world.tell(ServerInput::Close { session }),
                        2 => {
                            let mut out = Vec::new();
                            let now = world.now;
                            if world.server.export(session, Export::Final, &mut out) {
                                assert_eq!(world.server.import(now, &out), Ok(session));
                            }
                        }
                        _ => {
                            let mut out = Vec::new();
                            world.server.export(session, Export::Reserve(5), &mut out);
                        }
                    }
                }
                continue;
            }
            9 => {
                let tag = u64::from(input.byte() & 1) * dunlin_fuzz::dtls_known::TAG;
                let mut dice = Dice(3);
                let mut outputs = world.server.forget(tag, &mut dice);
                let mut closed = Vec::new();
                while let Some(output) = outputs.next() {
                    if let ServerOutput::Closed { session, .. } = output {
                        closed.push(session);
                    }
                }
                drop(outputs);
                world.sessions.retain(|it| !closed.contains(it));
                continue;
            }
            _ if world.scripts[peer].keys.is_some() => {
                let content_type = input.choose(&[
                    dunlin_dtls::testing::ContentType::ApplicationData,
                    dunlin_dtls::testing::ContentType::Handshake,
                    dunlin_dtls::testing::ContentType::Alert,
                ]);
                let length = input.below(20);
                let content = input.slice(length).to_vec();
                world.scripts[peer].sealed(content_type, &content)
            }
            _ => continue,
        };
        for _ in 0..input.below(4).saturating_sub(2) {
            let at = usize::from(input.byte());
            if let Some(byte) = datagram.get_mut(at) {
                *byte = input.byte();
            }
        }
        // Now and then from the address of another.
        let from = if input.byte() > 240 { input.below(PEERS) } else { peer };
        world.sent[from] += datagram.len();
        world.tell(ServerInput::Datagram { from: address(from), bytes: &datagram });
    }
});

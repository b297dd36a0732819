//! Handshakes and records of a server, with the time of the client taken apart.
//!
//! `cargo bench -p dunlin-dtls`

use std::net::SocketAddr;
use std::time::{Duration, Instant as Clock};

use dunlin_coap::{Instant, Rng};
use dunlin_dtls::{
    Alert, Client, ClientConfig, ClientCredentials, ClientInput, ClientOutput, ClientOutputs,
    Credentials, KeyPair, Secret, Server, ServerConfig, ServerInput, ServerKey, ServerOutput,
    ServerVerifier, SessionId, Suite,
};

struct Seeded(u64);

impl Rng for Seeded {
    fn next_u32(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        (z ^ z >> 27) as u32
    }
}

struct Anybody;

impl Credentials for Anybody {
    fn psk(&self, _: &[u8]) -> Option<(Secret, u64)> {
        Some((Secret::new(b"0123456789abcdef"), 1))
    }

    fn raw_public_key(&self, _: &[u8]) -> Option<u64> {
        Some(1)
    }
}

impl ServerVerifier for Anybody {
    fn raw_public_key(&self, _: &[u8]) -> Result<(), Alert> {
        Ok(())
    }
}

#[derive(Default)]
struct Times {
    client: Duration,
    server: Duration,
}

struct Bench {
    server: Server,
    rng: Seeded,
    times: Times,
    session: Option<SessionId>,
}

fn take(mut outputs: ClientOutputs<'_>, sent: &mut Vec<Vec<u8>>) {
    while let Some(output) = outputs.next() {
        if let ClientOutput::Transmit(bytes) = output {
            sent.push(bytes.to_vec());
        }
    }
}

impl Bench {
    fn new() -> Self {
        let pair = KeyPair::from_scalar(&[2; 32]).expect("a scalar");
        let mut config = ServerConfig {
            suites: Suite::ALL.to_vec(),
            key: Some(ServerKey {
                pair,
                chain: Vec::new(),
                raw_public_key: true,
            }),
            ..ServerConfig::default()
        };
        config.limits.handshakes_per_second = 1_000_000;
        let mut rng = Seeded(1);
        Self {
            server: Server::new(config, &mut rng),
            rng,
            times: Times::default(),
            session: None,
        }
    }

    fn serve(&mut self, from: SocketAddr, datagram: &[u8]) -> Vec<Vec<u8>> {
        let begin = Clock::now();
        let input = ServerInput::Datagram {
            from,
            bytes: datagram,
        };
        let mut outputs = self
            .server
            .handle(Instant::ZERO, input, &Anybody, &mut self.rng);
        let mut sent = Vec::new();
        while let Some(output) = outputs.next() {
            match output {
                ServerOutput::Transmit { bytes, .. } => sent.push(bytes.to_vec()),
                ServerOutput::Connected { session, .. } => self.session = Some(session),
                _ => {}
            }
        }
        drop(outputs);
        self.times.server += begin.elapsed();
        sent
    }

    fn handshake(&mut self, client: &mut Client, from: SocketAddr) {
        let begin = Clock::now();
        let mut sent = Vec::new();
        take(
            client.connect(Instant::ZERO, None, &mut self.rng),
            &mut sent,
        );
        self.times.client += begin.elapsed();
        while !sent.is_empty() {
            let answers: Vec<Vec<u8>> = sent
                .iter()
                .flat_map(|datagram| self.serve(from, datagram))
                .collect();
            sent.clear();
            let begin = Clock::now();
            for answer in &answers {
                let input = ClientInput::Datagram(answer);
                take(
                    client.handle(Instant::ZERO, input, &mut self.rng),
                    &mut sent,
                );
            }
            self.times.client += begin.elapsed();
        }
        assert!(client.is_connected(), "the handshake failed");
    }
}

fn psk() -> ClientConfig {
    ClientConfig::new(ClientCredentials::Psk {
        identity: b"device-000001".to_vec(),
        key: Secret::new(b"0123456789abcdef"),
    })
}

fn raw_public_key() -> ClientConfig {
    ClientConfig::new(ClientCredentials::RawPublicKey {
        key: KeyPair::from_scalar(&[1; 32]).expect("a scalar"),
        verifier: Box::new(Anybody),
    })
}

fn address(number: u32) -> SocketAddr {
    let ip = std::net::Ipv4Addr::from(0x0A00_0000 | (number / 50_000));
    SocketAddr::from((ip, (number % 50_000) as u16 + 1024))
}

/// Bytes that this process has in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|it| it.parse::<usize>().ok()).unwrap_or(0) * 1024
}

/// To be measured first: memory that was given back would be used again unseen.
fn memory() {
    const SESSIONS: u32 = 100_000;
    let mut bench = Bench::new();
    let before = resident();
    for number in 0..SESSIONS {
        let mut client = Client::new(psk());
        bench.handshake(&mut client, address(number));
        // What shows the server that its last flight came.
        let mut sent = Vec::new();
        let input = ClientInput::Send(b"x");
        take(
            client.handle(Instant::ZERO, input, &mut bench.rng),
            &mut sent,
        );
        for datagram in sent {
            bench.serve(address(number), &datagram);
        }
    }
    println!(
        "resident for each of {SESSIONS} idle sessions, with the resumption cache: {} bytes",
        (resident() - before) / SESSIONS as usize
    );
}

fn main() {
    memory();
    for (name, config, count) in [
        ("PSK", psk as fn() -> ClientConfig, 20_000),
        ("raw public keys", raw_public_key, 500),
    ] {
        let mut bench = Bench::new();
        for number in 0..count {
            let mut client = Client::new(config());
            bench.handshake(&mut client, address(number));
        }
        let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(count);
        println!(
            "handshake, {name:<20} server {:8.1} us   client {:8.1} us",
            each(bench.times.server),
            each(bench.times.client)
        );
    }

    for suite in [
        Suite::PskAes128Ccm8,
        Suite::EcdheEcdsaAes128GcmSha256,
        Suite::PskAes128CbcSha256,
    ] {
        let mut bench = Bench::new();
        let mut config = if suite == Suite::EcdheEcdsaAes128GcmSha256 {
            raw_public_key()
        } else {
            psk()
        };
        config.suites = vec![suite];
        let mut client = Client::new(config);
        bench.handshake(&mut client, address(1));
        let session = bench.session.expect("a session");
        const COUNT: u32 = 100_000;
        let payload = [7; 100];
        let mut records = Vec::new();
        for _ in 0..COUNT {
            let input = ClientInput::Send(&payload);
            take(
                client.handle(Instant::ZERO, input, &mut bench.rng),
                &mut records,
            );
        }
        let begin = Clock::now();
        for bytes in &records {
            let input = ServerInput::Datagram {
                from: address(1),
                bytes,
            };
            let mut outputs = bench
                .server
                .handle(Instant::ZERO, input, &Anybody, &mut bench.rng);
            assert!(matches!(outputs.next(), Some(ServerOutput::Data { .. })));
        }
        let open = begin.elapsed();
        let begin = Clock::now();
        for _ in 0..COUNT {
            let input = ServerInput::Send {
                session,
                bytes: &payload,
            };
            let mut outputs = bench
                .server
                .handle(Instant::ZERO, input, &Anybody, &mut bench.rng);
            assert!(outputs.next().is_some());
        }
        let seal = begin.elapsed();
        let each = |time: Duration| time.as_nanos() as f64 / f64::from(COUNT);
        println!(
            "100 bytes, {:<26} open {:6.0} ns   seal {:6.0} ns",
            format!("{suite:?}"),
            each(open),
            each(seal)
        );
    }
}

//! What DTLS costs a server: handshakes and records for each second of its CPU, and memory for each
//! idle session. Clients and server are in one thread and nothing crosses a socket; only the time
//! that the server takes is counted.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use dunlin_coap::{Instant, Rng};
use dunlin_dtls::{
    Client, ClientConfig, ClientCredentials, ClientInput, ClientOutput, Credentials,
    ExpectedServer, KeyPair, Limits, Matching, Secret, Server, ServerConfig, ServerInput,
    ServerKey, ServerOutput, SessionId, Suite,
};
use dunlin_net::thread_cpu_time;

/// Clients that shake hands at once: as many as one may expect under way.
const BATCH: usize = 500;
/// Length of the application data in each record, in bytes.
const RECORD: usize = 100;
/// Records between two readings of the clock.
const RECORDS: usize = 1000;
/// Session keys of a test network.
const KEY: [u8; 16] = *b"0123456789abcdef";

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct DtlsOptions {
    /// Idle sessions whose memory is measured.
    pub sessions: u32,
    /// Handshakes with pre-shared keys, and a tenth of them with ECDSA.
    pub handshakes: u32,
    /// Records in each direction.
    pub records: u32,
}

impl Default for DtlsOptions {
    fn default() -> Self {
        Self {
            sessions: 100_000,
            handshakes: 20_000,
            records: 200_000,
        }
    }
}

/// What was measured. Rates are per second of the server's CPU time.
#[derive(Clone, Copy, Debug, Default)]
pub struct DtlsFigures {
    /// Resident bytes for each idle session.
    pub session_bytes: f64,
    /// TLS_PSK_WITH_AES_128_CCM_8, with the exchange of the cookie.
    pub psk_handshakes: f64,
    /// TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8 with raw public keys on both sides, with the exchange of
    /// the cookie.
    pub ecdsa_handshakes: f64,
    /// Records sealed, CCM_8.
    pub ccm_8_sealed: f64,
    /// Records opened, CCM_8.
    pub ccm_8_opened: f64,
    /// Records sealed, GCM.
    pub gcm_sealed: f64,
    /// Records opened, GCM.
    pub gcm_opened: f64,
}

/// Measures all of it. The memory comes first, while the process is small: it is the growth of the
/// resident set, so nothing else may run in the process.
///
/// # Errors
///
/// When a handshake or a record fails, which is an error of the stack.
pub fn measure_dtls(options: DtlsOptions, rng: &mut dyn Rng) -> Result<DtlsFigures, String> {
    let psk = Suite::PskAes128Ccm8;
    let mut figures = DtlsFigures::default();
    {
        let mut bench = Bench::new(psk, rng)?;
        bench.shake_hands(BATCH as u32, rng)?;
        let before = resident()?;
        bench.shake_hands(options.sessions, rng)?;
        let grown = resident()?.saturating_sub(before);
        figures.session_bytes = grown as f64 / f64::from(options.sessions);
    }
    let rate = |count: u32, time: Duration| f64::from(count) / time.as_secs_f64();
    let time = Bench::new(psk, rng)?.shake_hands(options.handshakes, rng)?;
    figures.psk_handshakes = rate(options.handshakes, time);
    let handshakes = (options.handshakes / 10).max(1);
    let suite = Suite::EcdheEcdsaAes128Ccm8;
    let time = Bench::new(suite, rng)?.shake_hands(handshakes, rng)?;
    figures.ecdsa_handshakes = rate(handshakes, time);

    let (sealed, opened) = Bench::new(psk, rng)?.records(options.records, rng)?;
    figures.ccm_8_sealed = rate(options.records, sealed);
    figures.ccm_8_opened = rate(options.records, opened);
    let suite = Suite::EcdheEcdsaAes128GcmSha256;
    let (sealed, opened) = Bench::new(suite, rng)?.records(options.records, rng)?;
    figures.gcm_sealed = rate(options.records, sealed);
    figures.gcm_opened = rate(options.records, opened);
    Ok(figures)
}

/// Knows one key and one raw public key.
struct Known {
    client: KeyPair,
}

impl Credentials for Known {
    fn psk(&self, _: &[u8]) -> Option<(Secret, u64)> {
        Some((Secret::new(&KEY), 1))
    }

    fn raw_public_key(&self, spki: &[u8]) -> Option<u64> {
        (spki == self.client.public_key()).then_some(1)
    }
}

/// Datagrams with the number of their client, end to end in one buffer.
#[derive(Default)]
struct Datagrams {
    bytes: Vec<u8>,
    each: Vec<(usize, usize)>,
}

impl Datagrams {
    fn push(&mut self, client: usize, datagram: &[u8]) {
        self.bytes.extend_from_slice(datagram);
        self.each.push((client, datagram.len()));
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let mut rest = self.bytes.as_slice();
        self.each.iter().map(move |(client, length)| {
            let (datagram, behind) = rest.split_at(*length);
            rest = behind;
            (*client, datagram)
        })
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.each.clear();
    }
}

struct Bench {
    suite: Suite,
    server: Server,
    server_key: KeyPair,
    known: Known,
    connected: u32,
    session: Option<SessionId>,
}

impl Bench {
    fn new(suite: Suite, rng: &mut dyn Rng) -> Result<Self, String> {
        let mut key = || KeyPair::generate(rng).map_err(|error| error.to_string());
        let (server_key, client) = (key()?, key()?);
        let config = ServerConfig {
            suites: vec![suite],
            key: Some(ServerKey {
                pair: server_key.clone(),
                chain: Vec::new(),
                raw_public_key: true,
            }),
            limits: Limits {
                handshakes_per_second: u32::MAX,
                ..Limits::default()
            },
            ..ServerConfig::default()
        };
        Ok(Self {
            suite,
            server: Server::new(config, rng),
            server_key,
            known: Known { client },
            connected: 0,
            session: None,
        })
    }

    fn client(&self, number: u32) -> Result<Client, String> {
        let credentials = match self.suite {
            Suite::PskAes128Ccm8 => ClientCredentials::Psk {
                identity: format!("device-{number:06}").into_bytes(),
                key: Secret::new(&KEY),
            },
            _ => {
                let server = self.server_key.public_key();
                let expected = ExpectedServer::raw_public_key(server, Matching::Exact);
                ClientCredentials::RawPublicKey {
                    key: self.known.client.clone(),
                    verifier: Box::new(expected.map_err(|error| error.to_string())?),
                }
            }
        };
        let mut config = ClientConfig::new(credentials);
        config.suites = vec![self.suite];
        Ok(Client::new(config))
    }

    /// Brings so many sessions about, whose clients are gone afterwards, and says how long the
    /// server took.
    fn shake_hands(&mut self, count: u32, rng: &mut dyn Rng) -> Result<Duration, String> {
        let mut time = Duration::ZERO;
        let mut left = count as usize;
        while left > 0 {
            let size = left.min(BATCH);
            time += self.batch(size, rng)?.1;
            left -= size;
        }
        Ok(time)
    }

    /// So many handshakes, step by step together.
    fn batch(&mut self, size: usize, rng: &mut dyn Rng) -> Result<(Vec<Client>, Duration), String> {
        let now = Instant::from_secs(1);
        let first = self.connected;
        let mut clients = Vec::with_capacity(size);
        let (mut up, mut down) = (Datagrams::default(), Datagrams::default());
        for index in 0..size {
            let mut client = self.client(first + index as u32)?;
            take(client.connect(now, None, rng), index, &mut up)?;
            clients.push(client);
        }
        let mut time = Duration::ZERO;
        while !up.each.is_empty() {
            down.clear();
            let begin = thread_cpu_time();
            for (index, bytes) in up.iter() {
                let from = address(first as usize + index);
                let input = ServerInput::Datagram { from, bytes };
                let mut outputs = self.server.handle(now, input, &self.known, rng);
                while let Some(output) = outputs.next() {
                    match output {
                        ServerOutput::Transmit { bytes, .. } => down.push(index, bytes),
                        ServerOutput::Connected { session, .. } => {
                            self.connected += 1;
                            self.session = Some(session);
                        }
                        output => return Err(format!("the server says {output:?}")),
                    }
                }
            }
            time += thread_cpu_time().saturating_sub(begin);
            up.clear();
            for (index, bytes) in down.iter() {
                let input = ClientInput::Datagram(bytes);
                take(clients[index].handle(now, input, rng), index, &mut up)?;
            }
        }
        if self.connected != first + size as u32 || !clients.iter().all(Client::is_connected) {
            return Err(format!("not all handshakes of {:?} came about", self.suite));
        }
        // A device speaks first, and so shows that the last flight has come: it need not be kept.
        for (index, client) in clients.iter_mut().enumerate() {
            take(
                client.handle(now, ClientInput::Send(b"hello"), rng),
                index,
                &mut up,
            )?;
        }
        for (index, bytes) in up.iter() {
            let from = address(first as usize + index);
            let input = ServerInput::Datagram { from, bytes };
            let mut outputs = self.server.handle(now, input, &self.known, rng);
            while outputs.next().is_some() {}
        }
        Ok((clients, time))
    }

    /// So many records each way in one session; how long the server took to seal and to open them.
    fn records(&mut self, count: u32, rng: &mut dyn Rng) -> Result<(Duration, Duration), String> {
        let now = Instant::from_secs(2);
        let (mut clients, _) = self.batch(1, rng)?;
        let client = &mut clients[0];
        let session = self.session.ok_or("no session")?;
        let data = [0x55; RECORD];
        let (mut sealed, mut opened) = (Duration::ZERO, Duration::ZERO);
        let mut datagrams = Datagrams::default();
        let mut left = count as usize;
        while left > 0 {
            let size = left.min(RECORDS);
            left -= size;
            datagrams.clear();
            let begin = thread_cpu_time();
            for _ in 0..size {
                let input = ServerInput::Send {
                    session,
                    bytes: &data,
                };
                let mut outputs = self.server.handle(now, input, &self.known, rng);
                while let Some(output) = outputs.next() {
                    if let ServerOutput::Transmit { bytes, .. } = output {
                        datagrams.push(0, bytes);
                    }
                }
            }
            sealed += thread_cpu_time().saturating_sub(begin);
            let mut arrived = 0;
            for (_, bytes) in datagrams.iter() {
                let mut outputs = client.handle(now, ClientInput::Datagram(bytes), rng);
                while let Some(output) = outputs.next() {
                    arrived += usize::from(output == ClientOutput::Data(&data));
                }
            }
            datagrams.clear();
            for _ in 0..size {
                take(
                    client.handle(now, ClientInput::Send(&data), rng),
                    0,
                    &mut datagrams,
                )?;
            }
            let begin = thread_cpu_time();
            for (_, bytes) in datagrams.iter() {
                let from = address(0);
                let input = ServerInput::Datagram { from, bytes };
                let mut outputs = self.server.handle(now, input, &self.known, rng);
                while let Some(output) = outputs.next() {
                    if let ServerOutput::Data { bytes, .. } = output {
                        arrived += usize::from(bytes == data);
                    }
                }
            }
            opened += thread_cpu_time().saturating_sub(begin);
            if arrived != 2 * size {
                return Err(format!("{arrived} of {} records arrived", 2 * size));
            }
        }
        Ok((sealed, opened))
    }
}

/// Takes what a client sends.
fn take(
    mut outputs: dunlin_dtls::ClientOutputs<'_>,
    index: usize,
    up: &mut Datagrams,
) -> Result<(), String> {
    while let Some(output) = outputs.next() {
        match output {
            ClientOutput::Transmit(bytes) => up.push(index, bytes),
            ClientOutput::Connected { .. } => {}
            output => return Err(format!("a client says {output:?}")),
        }
    }
    Ok(())
}

fn address(number: usize) -> SocketAddr {
    let [_, a, b, c] = (number as u32).to_be_bytes();
    (Ipv4Addr::new(10, a, b, c), 5684).into()
}

/// Resident bytes of this process.
fn resident() -> Result<u64, String> {
    let statm = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let line = statm.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
    Ok(kib.ok_or("no VmRSS in /proc")? * 1024)
}

#[cfg(test)]
mod tests {
    use dunlin_net::OsRng;

    use super::*;

    #[test]
    fn every_figure_is_measured() {
        let options = DtlsOptions {
            sessions: 20,
            handshakes: 20,
            records: 50,
        };
        let figures = measure_dtls(options, &mut OsRng::new()).unwrap();
        for rate in [
            figures.psk_handshakes,
            figures.ecdsa_handshakes,
            figures.ccm_8_sealed,
            figures.ccm_8_opened,
            figures.gcm_sealed,
            figures.gcm_opened,
        ] {
            assert!(rate.is_finite() && rate > 0.0, "{figures:?}");
        }
    }
}

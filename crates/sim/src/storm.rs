//! A storm: many devices register, update and de-register as fast as a server answers.
//!
//! Works against any CoAP server that takes the LwM2M registration interface. Devices are spread
//! over many source ports; each port is a socket, read and written in batches. One thread.

use core::time::Duration;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use dunlin_coap::{Code, Instant, Message, MessageWriter, OptionNumber, Type};
use dunlin_net::{BATCH, Clock, ReceiveBatch, SendBatch, UdpSocket, Waker};
use serde::Serialize;

/// What a storm does.
#[derive(Clone, Debug)]
pub struct StormOptions {
    /// The server.
    pub target: SocketAddr,
    /// How many devices.
    pub devices: u32,
    /// How many source ports they share, at most.
    pub ports: u32,
    /// How many requests are under way at once.
    pub window: u32,
    /// How many Updates each device sends.
    pub updates: u32,
    /// First part of the endpoint names; a number follows.
    pub prefix: String,
    /// Lifetime in seconds.
    pub lifetime: u32,
}

impl Default for StormOptions {
    fn default() -> Self {
        Self {
            target: SocketAddr::from(([127, 0, 0, 1], 5683)),
            devices: 10_000,
            ports: 512,
            window: 256,
            updates: 1,
            prefix: "storm-".to_owned(),
            lifetime: 3600,
        }
    }
}

/// What a phase of a storm measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Measured {
    /// Exchanges that ended with the expected answer.
    pub operations: u64,
    /// Wall time.
    pub seconds: f64,
    /// Operations per second.
    pub per_second: f64,
    /// Median time from first transmission to answer, in microseconds.
    pub p50_us: u32,
    /// 99th percentile.
    pub p99_us: u32,
    /// 99.9th percentile.
    pub p999_us: u32,
    /// Messages sent again because no answer came in time.
    pub retransmissions: u64,
    /// Exchanges with another answer than expected.
    pub errors: u64,
    /// Exchanges without any answer after all retransmissions.
    pub timeouts: u64,
    /// The first unexpected answer, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_error: Option<String>,
}

/// What a phase sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Register; expects 2.01.
    Register,
    /// Update without parameters; expects 2.04.
    Update,
    /// De-register; expects 2.02.
    Deregister,
    /// The bytes of a Register to a server that sends every datagram back.
    Echo,
}

impl Phase {
    const fn expected(self) -> Code {
        match self {
            Self::Register => Code::CREATED,
            Self::Update => Code::CHANGED,
            Self::Deregister => Code::DELETED,
            Self::Echo => Code::POST,
        }
    }
}

/// Ten objects of a common device, about 100 bytes of links.
const LINKS: &[u8] =
    b"</1/0>,</2>,</3/0>,</4/0>,</5/0>,</6/0>,</7/0>,</3303/0>,</3304/0>,</3311/0>";

/// RFC 7252 §4.8; the random factor is left out: the ports are spread anyway.
const ACK_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_RETRANSMIT: u8 = 4;

/// An exchange under way.
#[derive(Clone, Copy, Debug)]
struct Flight {
    device: u32,
    message_id: u16,
    first_sent: Instant,
    last_sent: Instant,
    attempts: u8,
}

/// A source port with its share of the devices.
struct Port {
    socket: UdpSocket,
    next_message_id: u16,
    flights: Vec<Flight>,
}

/// Devices that can storm a server, phase by phase.
pub struct Storm {
    options: StormOptions,
    ports: Vec<Port>,
    /// Location of each device, its segments joined by `/`; empty when it is not registered.
    locations: Vec<Box<[u8]>>,
    clock: Clock,
    incoming: ReceiveBatch,
    outgoing: SendBatch,
    waker: Waker,
}

impl Storm {
    /// Opens the ports.
    ///
    /// # Errors
    /// When a socket cannot be opened, e.g. because the process may not have so many.
    pub fn new(options: StormOptions) -> io::Result<Self> {
        let from = match options.target {
            SocketAddr::V4(_) if options.target.ip().is_loopback() => "127.0.0.1:0",
            SocketAddr::V4(_) => "0.0.0.0:0",
            SocketAddr::V6(_) => "[::]:0",
        };
        let from = from.parse().map_err(io::Error::other)?;
        let count = options.ports.clamp(1, options.devices.max(1));
        let ports = (0..count)
            .map(|index| {
                Ok(Port {
                    socket: UdpSocket::bind(from)?,
                    next_message_id: (index as u16).wrapping_mul(257),
                    flights: Vec::new(),
                })
            })
            .collect::<io::Result<_>>()?;
        Ok(Self {
            ports,
            locations: vec![Box::default(); options.devices as usize],
            clock: Clock::new(),
            incoming: ReceiveBatch::new(),
            outgoing: SendBatch::new(),
            waker: Waker::new()?,
            options,
        })
    }

    /// Runs one phase for every device; `progress` hears how many exchanges have ended.
    pub fn run(&mut self, phase: Phase, mut progress: impl FnMut(u64)) -> Measured {
        let mut measured = Measured::default();
        let mut latencies = Vec::with_capacity(self.locations.len());
        let ports = self.ports.len();
        // Devices of one port follow each other, so that its datagrams go out in batches. Whoever
        // is not registered has nothing to update and nothing to leave.
        let needs_location = matches!(phase, Phase::Update | Phase::Deregister);
        let locations = &self.locations;
        let mut waiting: VecDeque<(usize, u32)> = (0..ports)
            .flat_map(|port| {
                (port..locations.len())
                    .step_by(ports)
                    .map(move |device| (port, device as u32))
            })
            .filter(|(_, device)| !needs_location || !locations[*device as usize].is_empty())
            .collect();
        let start = self.clock.now();
        let mut active: Vec<usize> = Vec::new();
        let mut under_way = 0;
        let mut ended = 0;
        let mut last_scan = start;
        while !waiting.is_empty() || under_way > 0 {
            while under_way < self.options.window {
                let Some((port, device)) = waiting.pop_front() else {
                    break;
                };
                self.start_exchange(phase, port, device);
                if !active.contains(&port) {
                    active.push(port);
                }
                under_way += 1;
                // Keep datagrams of one port together, but do not keep its answers waiting.
                if waiting.front().is_none_or(|(next, _)| *next != port) {
                    self.outgoing.flush(&self.ports[port].socket);
                }
            }
            if let Some(port) = active.last() {
                self.outgoing.flush(&self.ports[*port].socket);
            }
            let mut received = 0;
            for port in active.iter().copied() {
                received += self.collect(phase, port, &mut measured, &mut latencies);
            }
            active.retain(|port| !self.ports[*port].flights.is_empty());
            let now = self.clock.now();
            if now.saturating_since(last_scan) > Duration::from_millis(100) {
                last_scan = now;
                self.retransmit(phase, &active, &mut measured);
            }
            let over = measured.operations + measured.errors + measured.timeouts;
            under_way -= (over - ended) as u32;
            ended = over;
            progress(ended);
            if received == 0
                && under_way > 0
                && let Some(port) = active.first()
            {
                let patience = Some(Duration::from_micros(200));
                self.ports[*port].socket.wait(&self.waker, patience);
            }
        }
        measured.seconds = self.clock.now().saturating_since(start).as_secs_f64();
        measured.per_second = measured.operations as f64 / measured.seconds.max(1e-9);
        latencies.sort_unstable();
        let percentile = |share: f64| {
            let last = latencies.len().saturating_sub(1);
            latencies
                .get((last as f64 * share).round() as usize)
                .copied()
                .unwrap_or(0)
        };
        measured.p50_us = percentile(0.5);
        measured.p99_us = percentile(0.99);
        measured.p999_us = percentile(0.999);
        measured
    }

    /// Answers what the server asks of the devices, until `stop` says so: every GET with 2.05 and
    /// the text `95`, everything else with 4.05. How many requests were answered.
    pub fn respond(&mut self, stop: impl Fn() -> bool) -> u64 {
        let mut answered = 0;
        let mut buffer = [0; 64];
        while !stop() {
            let before = answered;
            for port in &self.ports {
                self.incoming.receive(&port.socket).unwrap_or(0);
                for (from, bytes) in self.incoming.datagrams() {
                    let Ok(message) = Message::parse(bytes) else {
                        continue;
                    };
                    if !message.code.is_request() || message.ty != Type::Confirmable {
                        continue;
                    }
                    let length = answer(&mut buffer, &message);
                    self.outgoing.push(&port.socket, from, &buffer[..length]);
                    answered += 1;
                }
                self.outgoing.flush(&port.socket);
            }
            if answered == before
                && let Some(port) = self.ports.first()
            {
                port.socket
                    .wait(&self.waker, Some(Duration::from_micros(100)));
            }
        }
        answered
    }

    fn start_exchange(&mut self, phase: Phase, port: usize, device: u32) {
        let now = self.clock.now();
        let flight = {
            let port = &mut self.ports[port];
            port.next_message_id = port.next_message_id.wrapping_add(1);
            Flight {
                device,
                message_id: port.next_message_id,
                first_sent: now,
                last_sent: now,
                attempts: 0,
            }
        };
        self.transmit(phase, port, &flight);
        self.ports[port].flights.push(flight);
    }

    fn transmit(&mut self, phase: Phase, port: usize, flight: &Flight) {
        let mut buffer = [0; 512];
        let location = &self.locations[flight.device as usize];
        let length = request(&mut buffer, phase, &self.options, flight, location);
        self.outgoing.push(
            &self.ports[port].socket,
            self.options.target,
            &buffer[..length],
        );
    }

    /// Takes what arrived at a port; how many datagrams.
    fn collect(
        &mut self,
        phase: Phase,
        port: usize,
        measured: &mut Measured,
        latencies: &mut Vec<u32>,
    ) -> usize {
        let port = &mut self.ports[port];
        let mut total = 0;
        let mut has_acknowledged = false;
        loop {
            let received = self.incoming.receive(&port.socket).unwrap_or(0);
            let now = self.clock.now();
            for (from, bytes) in self.incoming.datagrams() {
                let Ok(message) = Message::parse(bytes) else {
                    continue;
                };
                // A separate response has a Message ID of the server's own and is known by its
                // token (RFC 7252 §5.2.2); an echo is the request itself.
                let is_separate = phase != Phase::Echo
                    && matches!(message.ty, Type::Confirmable | Type::NonConfirmable);
                if is_separate && message.code.is_request() {
                    continue;
                }
                if is_separate && message.ty == Type::Confirmable {
                    let mut buffer = [0; 4];
                    let id = message.message_id;
                    let writer = MessageWriter::empty(&mut buffer, Type::Acknowledgement, id);
                    let length = writer.finish().unwrap_or(0);
                    self.outgoing.push(&port.socket, from, &buffer[..length]);
                    has_acknowledged = true;
                }
                let flight = port.flights.iter().position(|one| {
                    if is_separate {
                        message.token == one.device.to_be_bytes()
                    } else {
                        one.message_id == message.message_id
                    }
                });
                let Some(index) = flight else { continue };
                // An Empty acknowledgement promises a separate response: wait, and ask no more.
                if message.code == Code::EMPTY && message.ty == Type::Acknowledgement {
                    port.flights[index].attempts = MAX_RETRANSMIT;
                    port.flights[index].last_sent = now;
                    continue;
                }
                let flight = port.flights.swap_remove(index);
                if message.code != phase.expected() {
                    measured.errors += 1;
                    measured
                        .first_error
                        .get_or_insert_with(|| format!("{message:?}"));
                    continue;
                }
                measured.operations += 1;
                let took = now.saturating_since(flight.first_sent).as_micros();
                latencies.push(u32::try_from(took).unwrap_or(u32::MAX));
                match phase {
                    Phase::Register => {
                        let segments: Vec<&[u8]> =
                            message.values(OptionNumber::LOCATION_PATH).collect();
                        self.locations[flight.device as usize] = segments.join(&b'/').into();
                    }
                    Phase::Deregister => self.locations[flight.device as usize] = Box::default(),
                    Phase::Update | Phase::Echo => {}
                }
            }
            total += received;
            if received < BATCH {
                if has_acknowledged {
                    self.outgoing.flush(&port.socket);
                }
                return total;
            }
        }
    }

    fn retransmit(&mut self, phase: Phase, active: &[usize], measured: &mut Measured) {
        let now = self.clock.now();
        for port in active.iter().copied() {
            let mut index = 0;
            while let Some(flight) = self.ports[port].flights.get_mut(index) {
                let patience = ACK_TIMEOUT * (1 << flight.attempts);
                if now.saturating_since(flight.last_sent) < patience {
                    index += 1;
                    continue;
                }
                if flight.attempts == MAX_RETRANSMIT {
                    measured.timeouts += 1;
                    self.ports[port].flights.swap_remove(index);
                    continue;
                }
                flight.attempts += 1;
                flight.last_sent = now;
                let flight = *flight;
                measured.retransmissions += 1;
                self.transmit(phase, port, &flight);
                index += 1;
            }
            self.outgoing.flush(&self.ports[port].socket);
        }
    }
}

fn answer(buffer: &mut [u8], request: &Message<'_>) -> usize {
    let code = if request.code == Code::GET {
        Code::CONTENT
    } else {
        Code::METHOD_NOT_ALLOWED
    };
    let (id, token) = (request.message_id, request.token);
    let mut writer = MessageWriter::new(buffer, Type::Acknowledgement, code, id, token);
    if code == Code::CONTENT {
        writer.uint(OptionNumber::CONTENT_FORMAT, 0).payload(b"95");
    }
    writer.finish().unwrap_or(0)
}

fn request(
    buffer: &mut [u8],
    phase: Phase,
    options: &StormOptions,
    flight: &Flight,
    location: &[u8],
) -> usize {
    let code = match phase {
        Phase::Register | Phase::Update | Phase::Echo => Code::POST,
        Phase::Deregister => Code::DELETE,
    };
    let token = flight.device.to_be_bytes();
    let mut writer = MessageWriter::new(buffer, Type::Confirmable, code, flight.message_id, &token);
    match phase {
        Phase::Register | Phase::Echo => {
            let name = format!("ep={}{:07}", options.prefix, flight.device);
            writer
                .option(OptionNumber::URI_PATH, b"rd")
                .uint(OptionNumber::CONTENT_FORMAT, 40)
                .option(OptionNumber::URI_QUERY, name.as_bytes())
                .option(
                    OptionNumber::URI_QUERY,
                    format!("lt={}", options.lifetime).as_bytes(),
                )
                .option(OptionNumber::URI_QUERY, b"lwm2m=1.1")
                .option(OptionNumber::URI_QUERY, b"b=U")
                .payload(LINKS);
        }
        Phase::Update | Phase::Deregister => {
            for segment in location.split(|byte| *byte == b'/') {
                writer.option(OptionNumber::URI_PATH, segment);
            }
        }
    }
    // Prefix and location are bounded by the options that carried them; 512 bytes hold both.
    writer.finish().unwrap_or(0)
}

/// The result of a whole storm.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StormReport {
    /// How many devices.
    pub devices: u32,
    /// How many source ports.
    pub ports: u32,
    /// How many requests were under way at once.
    pub window: u32,
    /// All devices register.
    pub register: Measured,
    /// Each registered device updates, `updates` times.
    pub update: Vec<Measured>,
    /// All registered devices de-register.
    pub deregister: Measured,
}

/// Runs all phases; `progress` hears the phase's name and how many exchanges of it have ended.
///
/// # Errors
/// Those of [`Storm::new`].
pub fn storm(
    options: StormOptions,
    mut progress: impl FnMut(&'static str, u64),
) -> io::Result<StormReport> {
    let updates = options.updates;
    let (devices, window) = (options.devices, options.window);
    let mut storm = Storm::new(options)?;
    let register = storm.run(Phase::Register, |done| progress("register", done));
    let update = (0..updates)
        .map(|_| storm.run(Phase::Update, |done| progress("update", done)))
        .collect();
    let deregister = storm.run(Phase::Deregister, |done| progress("de-register", done));
    let ports = storm.ports.len() as u32;
    Ok(StormReport {
        devices,
        ports,
        window,
        register,
        update,
        deregister,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_net::EchoServer;

    #[test]
    fn every_datagram_to_an_echo_comes_back() {
        let echo = EchoServer::start(SocketAddr::from(([127, 0, 0, 1], 0)), 1).unwrap();
        let options = StormOptions {
            target: echo.address(),
            devices: 2000,
            ..StormOptions::default()
        };
        let mut storm = Storm::new(options).unwrap();
        let mut last = 0;
        let measured = storm.run(Phase::Echo, |done| last = done);
        assert_eq!(
            (measured.operations, measured.errors, last),
            (2000, 0, 2000)
        );
    }

    /// Answers requests with what `answer` makes of each, until the storm is over; what arrived.
    fn storm_against(
        mut answer: impl FnMut(&std::net::UdpSocket, SocketAddr, &Message<'_>) + Send,
    ) -> (StormReport, Vec<Vec<u8>>) {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let options = StormOptions {
            target: socket.local_addr().unwrap(),
            devices: 20,
            ports: 3,
            window: 8,
            ..StormOptions::default()
        };
        let patience = Some(Duration::from_millis(100));
        socket.set_read_timeout(patience).unwrap();
        let over = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let server = scope.spawn(|| {
                let mut seen = Vec::new();
                let mut buffer = [0; 512];
                loop {
                    let Ok((length, from)) = socket.recv_from(&mut buffer) else {
                        // What was sent before the end has arrived: silence, and then the end.
                        if over.load(std::sync::atomic::Ordering::Relaxed) {
                            return seen;
                        }
                        continue;
                    };
                    seen.push(buffer[..length].to_vec());
                    answer(&socket, from, &Message::parse(&buffer[..length]).unwrap());
                }
            });
            let report = storm(options, |_, _| {}).unwrap();
            over.store(true, std::sync::atomic::Ordering::Relaxed);
            (report, server.join().unwrap())
        })
    }

    #[test]
    fn separate_responses_are_known_by_their_token_and_acknowledged() {
        let mut message_id = 0x7000;
        let (report, seen) = storm_against(|socket, to, request| {
            if !request.code.is_request() {
                return;
            }
            let mut buffer = [0; 64];
            let (ty, id) = (Type::Acknowledgement, request.message_id);
            let length = MessageWriter::empty(&mut buffer, ty, id).finish();
            socket.send_to(&buffer[..length.unwrap()], to).unwrap();
            message_id += 1;
            let is_register = request.content_format().is_some();
            let code = match request.code {
                Code::DELETE => Code::DELETED,
                _ if is_register => Code::CREATED,
                _ => Code::CHANGED,
            };
            let (ty, token) = (Type::Confirmable, request.token);
            let mut writer = MessageWriter::new(&mut buffer, ty, code, message_id, token);
            if is_register {
                writer.option(OptionNumber::LOCATION_PATH, b"rd");
                writer.option(OptionNumber::LOCATION_PATH, token);
            }
            let length = writer.finish().unwrap();
            socket.send_to(&buffer[..length], to).unwrap();
        });
        for phase in [&report.register, &report.update[0], &report.deregister] {
            let counted = (phase.operations, phase.errors, phase.timeouts);
            assert_eq!(counted, (20, 0, 0), "{phase:?}");
        }
        let acknowledgements = seen.iter().filter(|bytes| bytes[..2] == [0x60, 0]).count();
        assert_eq!(acknowledgements, 60);
    }

    #[test]
    fn devices_that_were_refused_neither_update_nor_leave() {
        let (report, seen) = storm_against(|socket, to, request| {
            let mut buffer = [0; 64];
            let (ty, id, token) = (Type::Acknowledgement, request.message_id, request.token);
            let writer = MessageWriter::new(&mut buffer, ty, Code::FORBIDDEN, id, token);
            let length = writer.finish().unwrap();
            socket.send_to(&buffer[..length], to).unwrap();
        });
        assert_eq!(
            (report.register.operations, report.register.errors),
            (0, 20)
        );
        let later = [&report.update[0], &report.deregister];
        assert!(
            later
                .iter()
                .all(|phase| (phase.operations, phase.errors) == (0, 0))
        );
        assert_eq!(seen.len(), 20, "only Registers");
    }

    #[test]
    fn a_register_has_the_bytes_of_the_standard() {
        let options = StormOptions::default();
        let flight = Flight {
            device: 1,
            message_id: 7,
            first_sent: Instant::ZERO,
            last_sent: Instant::ZERO,
            attempts: 0,
        };
        let mut buffer = [0; 512];
        let length = request(&mut buffer, Phase::Register, &options, &flight, b"");
        let message = Message::parse(&buffer[..length]).unwrap();
        let query: Vec<_> = message.values(OptionNumber::URI_QUERY).collect();
        assert_eq!(
            query,
            [&b"ep=storm-0000001"[..], b"lt=3600", b"lwm2m=1.1", b"b=U"]
        );
        let length = request(
            &mut buffer,
            Phase::Deregister,
            &options,
            &flight,
            b"rd/5a3f",
        );
        assert_eq!(
            &buffer[..length],
            b"\x44\x04\x00\x07\x00\x00\x00\x01\xB2rd\x045a3f"
        );
    }
}

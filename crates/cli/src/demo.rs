//! The demo devices of `dunlin serve --demo N`: real clients on real sockets, with values that
//! move.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use dunlin_client::objects::Security;
use dunlin_client::secure::{SecureClient, Settings};
use dunlin_client::{
    Client, Config, Event, FixedKeys, Input, Instant, Output, RegistrationState, Version,
};
use dunlin_lwm2m::Path;
use dunlin_net::OsRng;

use crate::device::{Clock, Flash, Objects};
use crate::listen::Listen;

/// Seconds a registration lasts: short, so that a demonstration shows Updates.
const LIFETIME: u32 = 60;
/// How often values move.
const TICK: Duration = Duration::from_secs(2);
/// How often a device reports what it has measured (Send), those of 1.1 and later.
const SEND_EVERY: Duration = Duration::from_secs(30);
/// What is in such a report.
const REPORTED: [Path; 2] = [Path::resource(3303, 0, 5700), Path::resource(3, 0, 9)];
/// The server's Short Server ID.
const SERVER: u16 = 1;
/// How soon a device notices that it shall end.
const SLICE: Duration = Duration::from_millis(250);
const STACK: usize = 512 * 1024;
/// How long de-registering may take at the end.
const LEAVE_WITHIN: Duration = Duration::from_secs(1);

/// Identities of 32 bytes, keys of 16.
type Keys = FixedKeys<32, 0, 16>;

type Demo = SecureClient<Client<Objects, 1, 16, 16, 4096, 1152, 512, Keys>>;

/// A pre-shared key.
pub(crate) type Key = [u8; 16];

/// Running demo devices; they end when this is dropped.
#[derive(Debug, Default)]
pub(crate) struct DemoDevices {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl DemoDevices {
    /// De-registers the devices, ends them and waits until they have, a second at most.
    pub(crate) fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a demo device ended with a panic");
            }
        }
    }
}

impl Drop for DemoDevices {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The name of a device, which is its PSK identity as well.
pub(crate) fn name(number: u16) -> String {
    format!("demo-{number}")
}

/// Starts devices `demo-1` to `demo-N` towards a server. Those of 1.2 connect over DTLS if the
/// server listens for it, and all do if it listens for nothing else; `key` gives each of these its
/// key.
pub(crate) fn spawn(
    count: u16,
    listen: Listen,
    mut key: impl FnMut(&str) -> anyhow::Result<Key>,
) -> anyhow::Result<DemoDevices> {
    let mut devices = DemoDevices {
        stop: Arc::new(AtomicBool::new(false)),
        threads: Vec::new(),
    };
    for number in 1..=count {
        let plain = listen
            .coap
            .filter(|_| listen.coaps.is_none() || number % 3 != 2);
        let (server, key) = match (plain, listen.coaps) {
            (Some(coap), _) => (reachable(coap), None),
            (None, Some(coaps)) => (reachable(coaps), Some(key(&name(number))?)),
            (None, None) => break,
        };
        let local: IpAddr = if server.is_ipv4() {
            Ipv4Addr::UNSPECIFIED.into()
        } else {
            Ipv6Addr::UNSPECIFIED.into()
        };
        let socket = UdpSocket::bind((local, 0))?;
        let stop = Arc::clone(&devices.stop);
        let thread = std::thread::Builder::new()
            .name(format!("demo-{number}"))
            .stack_size(STACK)
            .spawn(move || run(number, server, key, &socket, &stop))?;
        devices.threads.push(thread);
    }
    Ok(devices)
}

/// A server that listens everywhere is reached over loopback.
fn reachable(server: SocketAddr) -> SocketAddr {
    let ip = match server.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, server.port())
}

/// The account of a device at the server.
fn account(name: &str, server: SocketAddr, key: Option<Key>) -> Security<Keys> {
    let account = match key {
        Some(key) => Security::psk(&format!("coaps://{server}"), name.as_bytes(), &key),
        None => Security::no_sec(&format!("coap://{server}")),
    };
    account.expect("the name of a demo device, a key and the literal of an address fit")
}

fn run(number: u16, server: SocketAddr, key: Option<Key>, socket: &UdpSocket, stop: &AtomicBool) {
    let clock = Clock::new();
    let mut dice = OsRng::new();
    let name = name(number);
    let config = Config {
        // Each version in turn.
        version: match number % 3 {
            1 => Version::V1_1,
            2 => Version::V1_2,
            _ => Version::V1_0,
        },
        ..Config::new(&name)
    };
    let mut secure: Box<Demo> = Box::new(SecureClient::new(
        Client::new(config, Objects::new(&name, Flash::in_memory()), &mut dice),
        (),
        Settings::default(),
    ));
    let client = secure.client_mut();
    client.server_mut().lifetime = LIFETIME;
    // The first account is there.
    let _ = client.provision(1, account(&name, server, key));
    client.server_mut().mute_send = Some(false);
    client.connect(clock.now(), server);
    let mut next_tick = clock.now();
    let mut next_send = None;
    let mut buffer = [0; 2048];
    let mut received: Option<(SocketAddr, usize)> = None;
    let mut leave_by = None;
    loop {
        let now = clock.now();
        if leave_by.is_none() && stop.load(Ordering::Relaxed) {
            secure.client_mut().deregister();
            leave_by = Some(now + LEAVE_WITHIN);
        }
        let is_gone = matches!(
            secure.client().state(),
            RegistrationState::Idle | RegistrationState::Failed
        );
        if leave_by.is_some_and(|leave_by| is_gone || now >= leave_by) {
            return;
        }
        if now >= next_tick {
            next_tick = now + TICK;
            move_values(secure.client_mut().objects_mut(), f64::from(number), now);
            if next_send.is_some_and(|next_send| now >= next_send) {
                next_send = Some(now + SEND_EVERY);
                // A server of 1.0, or one that mutes the device, gets none.
                if let Err(error) = secure.client_mut().send(now, SERVER, &REPORTED, true) {
                    tracing::debug!(device = name, %error);
                }
            }
        }
        let input = match received.take() {
            Some((from, length)) => Input::Datagram {
                from,
                bytes: buffer.get(..length).unwrap_or_default(),
            },
            None => Input::Timer,
        };
        let (mut reboot, mut restart, mut registered) = (false, false, false);
        let mut outputs = secure.handle(now, &mut dice, input);
        while let Some(output) = outputs.next() {
            match output {
                // A datagram that is not sent is repeated like a lost one.
                Output::Transmit { to, bytes } => {
                    let _ = socket.send_to(bytes, to);
                }
                Output::Event(event) => {
                    tracing::debug!(device = name, ?event);
                    reboot |= matches!(event, Event::Reboot | Event::FactoryReset);
                    restart |= matches!(
                        event,
                        Event::RegistrationFailed { retry_at: None, .. }
                            | Event::ConnectionFailed { retry_at: None, .. }
                    );
                    registered |= matches!(event, Event::Registered { .. });
                }
            }
        }
        if registered {
            next_send.get_or_insert(now + TICK);
            secure.client_mut().objects_mut().registered();
        }
        if reboot {
            secure.client_mut().objects_mut().reboot();
        }
        if reboot || restart {
            secure.client_mut().connect(now, server);
        }
        let next = secure
            .next_timeout()
            .map_or(next_tick, |timeout| timeout.min(next_tick));
        let wait = next.saturating_since(clock.now()).min(SLICE);
        if wait.is_zero() || socket.set_read_timeout(Some(wait)).is_err() {
            continue;
        }
        received = socket
            .recv_from(&mut buffer)
            .ok()
            .map(|(length, from)| (from, length));
    }
}

/// Waves of a few minutes, each device with a phase of its own, and a battery that drains and is
/// charged.
fn move_values(objects: &mut Objects, phase: f64, now: Instant) {
    objects.tick(now);
    let seconds = now.as_micros() as f64 / 1e6;
    let wave = |period: f64| (seconds / period * core::f64::consts::TAU + phase).sin();
    let rounded = |value: f64| (value * 10.0).round() / 10.0;
    if let Some(temperature) = objects.temperature.get_mut(0) {
        temperature.measure(rounded(21.0 + phase + 2.5 * wave(120.0) + 0.3 * wave(7.0)));
    }
    if let Some(humidity) = objects.humidity.get_mut(0) {
        humidity.measure(rounded(50.0 - 8.0 * wave(180.0)));
    }
    if let Some(light) = objects.light.get_mut(0)
        && light.on
    {
        light.on_time = light.on_time.saturating_add(TICK.as_secs() as u32);
    }
    let battery = (60.0 + 39.0 * wave(900.0)).round() as u8;
    if objects.device.battery_level != Some(battery) {
        objects.device.battery_level = Some(battery);
    }
    let signal = -70 + (6.0 * wave(60.0)).round() as i32;
    if objects.connectivity.signal_strength != signal {
        objects.connectivity.signal_strength = signal;
    }
    objects.location.latitude = 53.5586 + 0.01 * phase + 0.002 * wave(300.0);
    objects.location.longitude = 6.7489 + 0.003 * wave(240.0);
    objects.location.timestamp = crate::device::unix_time();
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use dunlin_coap::{Message, OptionNumber};

    use super::*;

    #[test]
    fn devices_register_over_real_sockets_with_versions_of_their_own() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        let listen = Listen {
            coap: server.local_addr().ok(),
            coaps: None,
        };
        let devices = spawn(4, listen, |_| unreachable!("no coaps")).unwrap();
        let mut registers = BTreeMap::new();
        let mut buffer = [0; 2048];
        while registers.len() < 4 {
            let (length, from) = server.recv_from(&mut buffer).unwrap();
            let message = Message::parse(&buffer[..length]).unwrap();
            let queries: Vec<String> = message
                .values(OptionNumber::URI_QUERY)
                .map(|query| String::from_utf8_lossy(query).into_owned())
                .collect();
            let list = String::from_utf8_lossy(message.payload).into_owned();
            for object in [1, 3, 4, 5, 6, 3303, 3304, 3311] {
                assert!(
                    list.contains(&format!("</{object}/0>")),
                    "{object} in {list}"
                );
            }
            registers.insert(from, queries.join("&"));
        }
        let mut registers: Vec<String> = registers.into_values().collect();
        registers.sort();
        assert_eq!(
            registers,
            [
                "ep=demo-1&lt=60&lwm2m=1.1&b=U",
                "ep=demo-2&lt=60&lwm2m=1.2&b=U",
                "ep=demo-3&lt=60&lwm2m=1.0&b=U",
                "ep=demo-4&lt=60&lwm2m=1.1&b=U",
            ]
        );
        // Nobody answered, so there is nobody to leave: the threads end all the same.
        drop(devices);
    }

    #[test]
    fn values_move() {
        let mut objects = Objects::new("demo", Flash::in_memory());
        move_values(&mut objects, 1.0, Instant::from_secs(10));
        let value = |objects: &Objects| objects.temperature.get(0).map(|t| t.value());
        let first = value(&objects);
        move_values(&mut objects, 1.0, Instant::from_secs(40));
        assert_ne!(value(&objects), first);
    }

    #[test]
    fn a_server_that_listens_everywhere_is_reached_over_loopback() {
        for (listens, reached) in [
            ("0.0.0.0:5683", "127.0.0.1:5683"),
            ("[::]:1", "[::1]:1"),
            ("192.0.2.1:7", "192.0.2.1:7"),
        ] {
            let listens: SocketAddr = listens.parse().unwrap();
            assert_eq!(reachable(listens).to_string(), reached);
        }
    }
}

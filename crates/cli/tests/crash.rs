//! `kill -9`, restart, and count: what was acknowledged survives.
//!
//! The real binary is killed at random moments while raw devices register as fast as it answers.
//! After each restart every registration whose 2.01 arrived must be listed, its location must work,
//! and a read must reach the device at once.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use dunlin_coap::{Code, Message, MessageWriter, OptionNumber, Rng, Type};
use dunlin_net::OsRng;
use serde_json::Value;

const ROUNDS: usize = 5;
const REGISTRARS: usize = 3;

/// The server process; it is killed without warning at the end.
struct Server {
    child: Child,
    coap: SocketAddr,
    api: String,
}

impl Server {
    fn start(data: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dunlin"))
            .args(["serve", "--coap", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .args(["--shards", "2", "--data"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = |prefix: &str| {
            let line = lines.next().expect("the server ended").unwrap();
            line.strip_prefix(prefix)
                .unwrap_or_else(|| panic!("{line:?} does not start with {prefix:?}"))
                .to_owned()
        };
        let coap = line("CoAP     coap://").parse().unwrap();
        let api = line("Console  ") + "api/v1";
        Self { child, coap, api }
    }

    fn get(&self, path: &str) -> Value {
        let url = format!("{}{path}", self.api);
        let mut answer = ureq::get(&url)
            .call()
            .unwrap_or_else(|error| panic!("{url}: {error}"));
        answer.body_mut().read_json().unwrap()
    }

    fn endpoints(&self) -> Vec<String> {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("/devices?limit=500{cursor}"));
            let items = page["items"].as_array().unwrap();
            all.extend(
                items
                    .iter()
                    .map(|item| item["endpoint"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page["next"].as_str() else {
                return all;
            };
            cursor = format!("&cursor={next}");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGKILL.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder that goes away at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("dunlin-crash-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A device whose Register was acknowledged.
struct Registered {
    socket: UdpSocket,
    location: Vec<Vec<u8>>,
}

fn exchange(
    socket: &UdpSocket,
    server: SocketAddr,
    message_id: u16,
    write: impl FnOnce(&mut MessageWriter<'_>),
) -> Option<(Code, Vec<Vec<u8>>)> {
    let mut buffer = [0; 512];
    let token = message_id.to_be_bytes();
    let ty = Type::Confirmable;
    let mut writer = MessageWriter::new(&mut buffer, ty, Code::POST, message_id, &token);
    write(&mut writer);
    let length = writer.finish().unwrap();
    socket.send_to(&buffer[..length], server).unwrap();
    let mut answer = [0; 512];
    let count = socket.recv(&mut answer).ok()?;
    let message = Message::parse(&answer[..count]).unwrap();
    assert_eq!(
        (message.token, message.message_id),
        (&token[..], message_id)
    );
    let location = message
        .values(OptionNumber::LOCATION_PATH)
        .map(<[u8]>::to_vec)
        .collect();
    Some((message.code, location))
}

/// Registers; `None` when no answer came, for the server is dead.
fn register(server: SocketAddr, endpoint: &str) -> Option<Registered> {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_millis(1500)))
        .unwrap();
    let (code, location) = exchange(&socket, server, 1, |writer| {
        writer.option(OptionNumber::URI_PATH, b"rd");
        writer.uint(OptionNumber::CONTENT_FORMAT, 40);
        writer.option(OptionNumber::URI_QUERY, b"b=U");
        writer.option(OptionNumber::URI_QUERY, format!("ep={endpoint}").as_bytes());
        writer.option(OptionNumber::URI_QUERY, b"lt=3600");
        writer.option(OptionNumber::URI_QUERY, b"lwm2m=1.1");
        writer.payload(b"</1/0>,</3/0>");
    })?;
    assert_eq!(code, Code::CREATED, "{endpoint}");
    Some(Registered { socket, location })
}

/// Answers the one Read that comes, with the endpoint's name.
fn answer_read(socket: &UdpSocket, endpoint: &str) {
    let mut request = [0; 512];
    let (count, from) = socket.recv_from(&mut request).expect("no read arrived");
    let message = Message::parse(&request[..count]).unwrap();
    assert_eq!(message.code, Code::GET);
    let path: Vec<&[u8]> = message.values(OptionNumber::URI_PATH).collect();
    assert_eq!(path, [b"3", b"0", b"0"]);
    let mut buffer = [0; 256];
    let id = message.message_id;
    let ty = Type::Acknowledgement;
    let mut writer = MessageWriter::new(&mut buffer, ty, Code::CONTENT, id, message.token);
    writer.uint(OptionNumber::CONTENT_FORMAT, 0);
    writer.payload(endpoint.as_bytes());
    let length = writer.finish().unwrap();
    socket.send_to(&buffer[..length], from).unwrap();
}

/// Registers new devices until the server is killed after a random time; those acknowledged.
fn register_until_killed(mut server: Server, next: &AtomicU32) -> Vec<(String, Registered)> {
    let stop = Arc::new(AtomicBool::new(false));
    let millis = 20 + u64::from(OsRng::new().next_u32() % 400);
    let coap = server.coap;
    std::thread::scope(|scope| {
        let registrars: Vec<_> = (0..REGISTRARS)
            .map(|_| {
                let stop = Arc::clone(&stop);
                scope.spawn(move || {
                    let mut acknowledged = Vec::new();
                    // Descriptors are finite; so is the patience of whoever runs this.
                    while !stop.load(Ordering::Relaxed) && acknowledged.len() < 400 {
                        let endpoint = format!("crash-{}", next.fetch_add(1, Ordering::Relaxed));
                        if let Some(registered) = register(coap, &endpoint) {
                            acknowledged.push((endpoint, registered));
                        }
                    }
                    acknowledged
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(millis));
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        stop.store(true, Ordering::Relaxed);
        registrars
            .into_iter()
            .flat_map(|registrar| registrar.join().unwrap())
            .collect()
    })
}

#[test]
fn what_was_acknowledged_survives_kill_9() {
    let folder = Folder::new();
    let next = AtomicU32::new(0);
    let mut acknowledged = BTreeMap::new();
    for round in 1..=ROUNDS {
        let server = Server::start(&folder.0);
        let new = register_until_killed(server, &next);
        assert!(
            !new.is_empty(),
            "round {round}: nothing was registered before the kill"
        );
        let probes = [new[0].0.clone(), new[new.len() - 1].0.clone()];
        acknowledged.extend(new);

        let server = Server::start(&folder.0);
        let listed = server.endpoints();
        let lost: Vec<&String> = acknowledged
            .keys()
            .filter(|endpoint| !listed.contains(endpoint))
            .collect();
        assert!(
            lost.is_empty(),
            "round {round}: {} of {} acknowledged registrations are lost: {lost:?}",
            lost.len(),
            acknowledged.len()
        );
        // One of an earlier round as well.
        let oldest = acknowledged.keys().next().unwrap().clone();
        for endpoint in probes.iter().chain([&oldest]) {
            let Registered { socket, location } = &acknowledged[endpoint];
            let read = std::thread::scope(|scope| {
                let read = scope
                    .spawn(|| server.get(&format!("/devices/{endpoint}/data/3/0/0?timeout=5")));
                answer_read(socket, endpoint);
                read.join().unwrap()
            });
            assert_eq!(read["records"][0]["value"], endpoint.as_str(), "{read}");
            let update = exchange(socket, server.coap, 100 + round as u16, |writer| {
                for segment in location {
                    writer.option(OptionNumber::URI_PATH, segment);
                }
            });
            assert_eq!(
                update.map(|(code, _)| code),
                Some(Code::CHANGED),
                "{endpoint}"
            );
        }
    }
    println!("{} acknowledged, none lost", acknowledged.len());
}

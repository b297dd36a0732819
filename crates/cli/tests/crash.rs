//! `kill -9`, restart, and count: what was acknowledged survives.
//!
//! The real binary is killed at random moments while raw devices register as fast as it answers.
//! After each restart every registration whose 2.01 arrived must be listed, its location must work,
//! and a read must reach the device at once.

mod folder;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use dunlin_coap::{Code, Message, MessageWriter, OptionNumber, Rng, Type};
use dunlin_net::OsRng;
use folder::Folder;
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
        let _ = line("CoAPS    coaps://");
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
    let folder = Folder::new("crash-registrations");
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

/// Queues an operation; its number if that was acknowledged.
fn enqueue(api: &str, body: &str) -> Option<String> {
    let url = format!("{api}/devices/sleeper/operations?away=true");
    let mut answer = ureq::post(&url).send(body).ok()?;
    let operation: Value = answer.body_mut().read_json().ok()?;
    Some(operation["id"].as_str()?.to_owned())
}

/// A device that carries out what it is asked until `stop`, and counts its executions.
fn carry_out(
    socket: &UdpSocket,
    stop: &AtomicBool,
    carried_out: &AtomicU32,
    executed: &mut BTreeSet<Vec<u8>>,
) {
    let tick = Some(Duration::from_millis(20));
    socket.set_read_timeout(tick).unwrap();
    let mut request = [0; 512];
    while !stop.load(Ordering::Relaxed) {
        let Ok((count, from)) = socket.recv_from(&mut request) else {
            continue;
        };
        let message = Message::parse(&request[..count]).unwrap();
        let code = match message.code {
            Code::GET => Code::CONTENT,
            Code::POST => Code::CHANGED,
            _ => continue,
        };
        if message.code == Code::POST {
            executed.insert(message.token.to_vec());
        }
        let mut buffer = [0; 256];
        let (id, ty) = (message.message_id, Type::Acknowledgement);
        let mut writer = MessageWriter::new(&mut buffer, ty, code, id, message.token);
        if code == Code::CONTENT {
            writer.uint(OptionNumber::CONTENT_FORMAT, 0);
            writer.payload(b"Dunlin");
        }
        let length = writer.finish().unwrap();
        socket.send_to(&buffer[..length], from).unwrap();
        carried_out.fetch_add(1, Ordering::Relaxed);
    }
}

/// Waits until it is so.
fn until(mut is_so: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(std::time::Instant::now() < end, "it does not come to pass");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Queued operations, their order and their results over three kills: while they are queued, while
/// they are carried out, and afterwards.
#[test]
fn queued_operations_and_results_survive_kill_9() {
    const READ: &str = r#"{"operation":"read","path":"/3/0/0"}"#;
    const EXECUTE: &str = r#"{"operation":"execute","path":"/3/0/4"}"#;
    let folder = Folder::new("crash-queue");
    let mut server = Server::start(&folder.0);
    let api = server.api.clone();
    let taken = [AtomicU32::new(0), AtomicU32::new(0)];
    let acknowledged = std::thread::scope(|scope| {
        let callers = [READ, EXECUTE]
            .into_iter()
            .zip(&taken)
            .map(|(body, taken)| {
                let api = &api;
                scope.spawn(move || {
                    let ids = (0..100).map_while(|_| {
                        let id = enqueue(api, body)?;
                        taken.fetch_add(1, Ordering::Relaxed);
                        Some(id)
                    });
                    ids.collect::<Vec<_>>()
                })
            });
        let callers: Vec<_> = callers.collect();
        until(|| taken.iter().all(|taken| taken.load(Ordering::Relaxed) > 9));
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        let acknowledged = callers.into_iter().map(|caller| caller.join().unwrap());
        acknowledged.collect::<Vec<_>>()
    });
    let [reads, executes] = [&acknowledged[0], &acknowledged[1]];
    drop(server);

    let operation =
        |server: &Server, id: &String| server.get(&format!("/devices/sleeper/operations/{id}"));
    let mut server = Server::start(&folder.0);
    for id in reads.iter().chain(executes) {
        assert_eq!(operation(&server, id)["state"], "queued");
    }
    let Registered { socket, location } = register(server.coap, "sleeper").expect("it is up");
    let mut executed = BTreeSet::new();
    let (stop, carried_out) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        let device = scope.spawn(|| carry_out(&socket, &stop, &carried_out, &mut executed));
        until(|| carried_out.load(Ordering::Relaxed) > 4);
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        stop.store(true, Ordering::Relaxed);
        device.join().unwrap();
    });
    drop(server);

    let server = Server::start(&folder.0);
    stop.store(false, Ordering::Relaxed);
    let queued = "/devices/sleeper/operations?state=queued";
    let sent = "/devices/sleeper/operations?state=sent";
    std::thread::scope(|scope| {
        let device = scope.spawn(|| {
            socket
                .set_read_timeout(Some(Duration::from_millis(1500)))
                .unwrap();
            // The Update wakes it up; its answer is lost among the operations.
            let mut buffer = [0; 512];
            let ty = Type::Confirmable;
            let mut writer = MessageWriter::new(&mut buffer, ty, Code::POST, 9, b"up");
            for segment in &location {
                writer.option(OptionNumber::URI_PATH, segment);
            }
            let length = writer.finish().unwrap();
            socket.send_to(&buffer[..length], server.coap).unwrap();
            carry_out(&socket, &stop, &carried_out, &mut executed);
        });
        let is_empty = |path: &str| server.get(path)["items"].as_array().unwrap().is_empty();
        until(|| is_empty(queued) && is_empty(sent));
        stop.store(true, Ordering::Relaxed);
        device.join().unwrap();
    });
    // The number of operations is not bounded by what was acknowledged: the last call of each may
    // have been taken without an answer.
    let all = server.get("/devices/sleeper/operations?limit=1000");
    let all = all["items"].as_array().unwrap();
    let (mut done, mut unknown) = (0, 0);
    for operation in all.iter().filter(|found| found["operation"] == "execute") {
        match operation["state"].as_str().unwrap() {
            "done" => done += 1,
            _ => {
                assert_eq!(
                    operation["error"]["title"], "Outcome unknown",
                    "{operation}"
                );
                unknown += 1;
            }
        }
    }
    assert!(unknown <= 1, "one was on its way");
    assert!((done..=done + unknown).contains(&executed.len()));
    for id in reads {
        let read = operation(&server, id);
        assert_eq!(read["result"]["records"][0]["value"], "Dunlin", "{read}");
    }
    drop(server);
    let server = Server::start(&folder.0);
    let again = server.get("/devices/sleeper/operations?limit=1000");
    assert_eq!(again["items"].as_array().unwrap(), all);
}

//! The server with real sockets and threads; the devices are raw CoAP.

use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use dunlin_coap::{Code, Message, MessageWriter, OptionNumber, Type};
use dunlin_lwm2m::{OwnedValue, Path};
use dunlin_server::api::{
    DeviceOperation, EventKind, Observed, OperateError, OperateOptions, WishState,
};
use dunlin_server::control::{Control, Delivery};
use dunlin_server::{Server, ServerConfig};

fn config(shards: usize) -> ServerConfig {
    ServerConfig {
        coap: Some("127.0.0.1:0".parse().unwrap()),
        shards,
        ..ServerConfig::default()
    }
}

/// A folder that goes away at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("dunlin-runtime-{}-{number}", std::process::id());
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

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(async { tokio::time::timeout(Duration::from_secs(20), future).await })
        .expect("no answer within 20 s")
}

/// A device that sends what it is told.
struct RawDevice {
    socket: UdpSocket,
    message_id: u16,
}

impl RawDevice {
    fn new() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        Self {
            socket,
            // A port may be given out again within a test, and then the same message id from it
            // would be a duplicate.
            message_id: NEXT.fetch_add(256, Ordering::Relaxed),
        }
    }

    /// Sends a CON POST and returns code and Location-Path of the answer.
    fn post(
        &mut self,
        server: SocketAddr,
        path: &[&str],
        query: &[&str],
        links: Option<&str>,
    ) -> (Code, Vec<String>) {
        self.message_id += 1;
        let mut buffer = [0; 1024];
        let token = self.message_id.to_be_bytes();
        let ty = Type::Confirmable;
        let mut writer = MessageWriter::new(&mut buffer, ty, Code::POST, self.message_id, &token);
        for segment in path {
            writer.option(OptionNumber::URI_PATH, segment.as_bytes());
        }
        if links.is_some() {
            writer.uint(OptionNumber::CONTENT_FORMAT, 40);
        }
        for parameter in query {
            writer.option(OptionNumber::URI_QUERY, parameter.as_bytes());
        }
        if let Some(links) = links {
            writer.payload(links.as_bytes());
        }
        let length = writer.finish().unwrap();
        self.socket.send_to(&buffer[..length], server).unwrap();
        loop {
            let mut answer = [0; 2048];
            let count = self.socket.recv(&mut answer).expect("no answer");
            let message = Message::parse(&answer[..count]).unwrap();
            if message.token == token && message.code.is_response() {
                let location = message
                    .values(OptionNumber::LOCATION_PATH)
                    .map(|segment| String::from_utf8(segment.to_vec()).unwrap())
                    .collect();
                return (message.code, location);
            }
        }
    }

    fn register(&mut self, server: SocketAddr, endpoint: &str) -> Vec<String> {
        let name = format!("ep={endpoint}");
        let query = [name.as_str(), "lt=300", "lwm2m=1.1", "b=U"];
        let (code, location) = self.post(server, &["rd"], &query, Some("</1/0>,</3/0>,</3303/0>"));
        assert_eq!(code, Code::CREATED, "{endpoint}");
        assert_eq!(location.len(), 2, "{location:?}");
        location
    }

    /// Answers requests with 2.05 and this text until told to stop.
    fn answer_with(
        self,
        text: &'static str,
        stop: &Arc<AtomicBool>,
    ) -> std::thread::JoinHandle<()> {
        let stop = Arc::clone(stop);
        self.socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let mut request = [0; 2048];
                let Ok((count, from)) = self.socket.recv_from(&mut request) else {
                    continue;
                };
                let message = Message::parse(&request[..count]).unwrap();
                if !message.code.is_request() {
                    continue;
                }
                let mut buffer = [0; 256];
                let (ty, id) = (Type::Acknowledgement, message.message_id);
                let code = Code::CONTENT;
                let mut writer = MessageWriter::new(&mut buffer, ty, code, id, message.token);
                if message.observe() == Some(0) {
                    writer.uint(OptionNumber::OBSERVE, 12);
                }
                writer.uint(OptionNumber::CONTENT_FORMAT, 0);
                writer.payload(text.as_bytes());
                let length = writer.finish().unwrap();
                self.socket.send_to(&buffer[..length], from).unwrap();
            }
        })
    }
}

async fn read(control: &Control, endpoint: &str) -> Result<Option<OwnedValue>, OperateError> {
    let operation = DeviceOperation::Read {
        path: Path::resource(3, 0, 0),
        accept: None,
    };
    let options = OperateOptions {
        format: None,
        timeout: Duration::from_secs(5),
        confirmable: true,
    };
    let outcome = control.operate(endpoint, operation, options).await?;
    Ok(outcome
        .records
        .first()
        .and_then(|record| record.value.clone()))
}

fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|index| format!("dev-{index:02}"))
}

#[test]
fn devices_of_all_shards_are_listed_in_order() {
    let server = Server::start(config(3)).unwrap();
    let control = server.control();
    for endpoint in names(24) {
        RawDevice::new().register(server.coap_address().expect("it listens"), &endpoint);
    }
    block_on(async {
        let mut listed = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let page = control.devices("", after.as_deref(), 5).await.unwrap();
            assert_eq!(page.total, 24);
            assert!(page.items.len() <= 5);
            listed.extend(page.items.into_iter().map(|device| device.endpoint));
            if !page.more {
                break;
            }
            after = listed.last().cloned();
        }
        assert_eq!(listed, names(24).collect::<Vec<_>>());
        let found = control.devices("DEV-1", None, 100).await.unwrap();
        assert_eq!((found.items.len(), found.total), (10, 10));
        let device = control.device("dev-07").await.unwrap().unwrap();
        assert_eq!((device.endpoint.as_str(), device.lifetime), ("dev-07", 300));
        assert_eq!(control.device("dev-99").await.unwrap(), None);
        let stats = control.stats().await.unwrap();
        assert_eq!(stats.devices, 24);
        let received = stats
            .counters
            .iter()
            .find(|(name, _)| name == "socket_received_total");
        assert!(received.unwrap().1 >= 24, "{stats:?}");
        assert!(control.remove("dev-07").await.unwrap());
        assert!(!control.remove("dev-07").await.unwrap());
        assert_eq!(control.devices("", None, 1).await.unwrap().total, 23);
    });
}

/// The kernel gives each source port to a shard of its choice; a registration's owner must get
/// what belongs to it all the same (RFC 7252 leaves the address open; Core 1.2 §6.2.2 identifies
/// the registration by its location).
#[test]
fn an_update_from_any_port_reaches_the_owner() {
    let server = Server::start(config(2)).unwrap();
    let control = server.control();
    let location = RawDevice::new().register(server.coap_address().expect("it listens"), "roamer");
    let path: Vec<&str> = location.iter().map(String::as_str).collect();
    // All stay open: the same port and message id again would be a duplicate.
    let mut devices = Vec::new();
    for lifetime in 400..432 {
        let mut device = RawDevice::new();
        let query = format!("lt={lifetime}");
        let (code, _) = device.post(
            server.coap_address().expect("it listens"),
            &path,
            &[&query],
            None,
        );
        assert_eq!(code, Code::CHANGED);
        let known = block_on(control.device("roamer")).unwrap().unwrap();
        assert_eq!(known.lifetime, lifetime);
        assert_eq!(known.address, device.socket.local_addr().unwrap());
        devices.push(device);
    }
    // And requests go where it is now.
    let stop = Arc::new(AtomicBool::new(false));
    let thread = devices.pop().unwrap().answer_with("here", &stop);
    let value = block_on(read(&control, "roamer")).unwrap();
    assert_eq!(value, Some(OwnedValue::String("here".to_owned())));
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
}

/// One endpoint has one registration, whichever shard its Registers land at.
#[test]
fn registering_again_from_any_port_leaves_one_registration() {
    let server = Server::start(config(2)).unwrap();
    let control = server.control();
    let mut locations = BTreeSet::new();
    let mut devices = Vec::new();
    for round in 0..16 {
        let mut device = RawDevice::new();
        locations.insert(device.register(server.coap_address().expect("it listens"), "again"));
        // The shard that lost it may need a moment to hear so.
        let start = Instant::now();
        loop {
            let page = block_on(control.devices("", None, 10)).unwrap();
            let address = page.items.first().map(|device| device.address);
            if page.total == 1 && address == Some(device.socket.local_addr().unwrap()) {
                break;
            }
            assert!(
                start.elapsed() < Duration::from_secs(5),
                "round {round}: {page:?}"
            );
        }
        devices.push(device);
    }
    assert_eq!(
        locations.len(),
        16,
        "a location was given twice: {locations:?}"
    );
}

#[test]
fn events_come_numbered_from_all_shards_and_can_be_replayed() {
    let server = Server::start(config(2)).unwrap();
    let control = server.control();
    let mut live = control.subscribe(None);
    for endpoint in names(8) {
        RawDevice::new().register(server.coap_address().expect("it listens"), &endpoint);
    }
    let mut seen = Vec::new();
    block_on(async {
        while seen.len() < 8 {
            let Some(Delivery::Event(event)) = live.next().await else {
                panic!("no event")
            };
            let EventKind::Registration(device) = &event.kind else {
                panic!("{event:?}")
            };
            assert_eq!(device.endpoint, event.endpoint);
            seen.push(event);
        }
    });
    let ids: Vec<u64> = seen.iter().map(|event| event.id).collect();
    assert_eq!(ids, (1..=8).collect::<Vec<_>>());
    let mut replay = control.subscribe(Some(3));
    for event in &seen[3..] {
        assert_eq!(replay.ready(), Some(Delivery::Event(Arc::clone(event))));
    }
    server.shutdown();
    assert_eq!(block_on(live.next()), None);
}

#[test]
fn everything_is_there_after_a_restart_also_with_another_number_of_shards() {
    let folder = Folder::new();
    let stop = Arc::new(AtomicBool::new(false));
    let mut threads = Vec::new();
    let mut locations = Vec::new();
    let start = |shards| {
        Server::start(ServerConfig {
            data: Some(folder.0.clone()),
            ..config(shards)
        })
        .unwrap()
    };
    let server = start(2);
    for endpoint in names(12) {
        let mut device = RawDevice::new();
        locations.push(device.register(server.coap_address().expect("it listens"), &endpoint));
        threads.push(device.answer_with("still here", &stop));
    }
    let wish = block_on(
        server
            .control()
            .add_wish("dev-03", Observed::path(Path::resource(3, 0, 0))),
    );
    let wish = wish.unwrap();
    let started = Instant::now();
    loop {
        let wishes = block_on(server.control().wishes("dev-03"))
            .unwrap()
            .unwrap();
        if wishes[0].state == WishState::Active && wishes[0].updated_at.is_some() {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{wishes:?}");
    }
    server.shutdown();
    for shards in [2, 1, 3] {
        let server = start(shards);
        let control = server.control();
        block_on(async {
            let page = control.devices("", None, 100).await.unwrap();
            let listed: Vec<_> = page
                .items
                .iter()
                .map(|device| device.endpoint.clone())
                .collect();
            assert_eq!(listed, names(12).collect::<Vec<_>>(), "{shards} shards");
            for endpoint in names(12) {
                assert_eq!(
                    read(&control, &endpoint).await,
                    Ok(Some(OwnedValue::String("still here".to_owned()))),
                    "{endpoint}, {shards} shards"
                );
            }
            let wishes = control.wishes("dev-03").await.unwrap().unwrap();
            assert_eq!(wishes.len(), 1);
            assert_eq!(
                (wishes[0].id, &wishes[0].observed),
                (wish.id, &wish.observed)
            );
            assert_eq!(wishes[0].records.len(), 1, "last known values are lost");
        });
        server.shutdown();
    }
    // Every location still works, from wherever and with yet another number of shards.
    let server = start(2);
    for location in &locations {
        let path: Vec<&str> = location.iter().map(String::as_str).collect();
        let (code, _) =
            RawDevice::new().post(server.coap_address().expect("it listens"), &path, &[], None);
        assert_eq!(code, Code::CHANGED, "{location:?}");
    }
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
}

//! A device on a UDP socket that says exactly what a test wants.

use core::time::Duration;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use dunlin_coap::{Code, Message, MessageWriter, OptionNumber, Type};

use crate::world::{PATIENCE, World};

pub const LINKS: &str = "</1/0>,</3/0>,</3303/0>";

/// A request the server made of the device.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    pub confirmable: bool,
    pub code: Code,
    /// As in `/3/0`.
    pub path: String,
    pub queries: Vec<String>,
    pub observe: Option<u32>,
    pub accept: Option<u16>,
    pub format: Option<u16>,
    pub payload: Vec<u8>,
    pub token: Vec<u8>,
}

impl Ask {
    /// Code, path and payload as text, as in `PUT /1/0/1 120`.
    pub fn line(&self) -> String {
        let payload = String::from_utf8_lossy(&self.payload);
        let line = format!("{} {} {payload}", self.code.name(), self.path);
        line.trim_end().to_owned()
    }
}

/// What the device answers.
#[derive(Clone, Debug)]
pub enum Say {
    Nothing,
    Reset,
    Answer {
        code: Code,
        observe: Option<u32>,
        format: Option<u16>,
        location: Vec<String>,
        payload: Vec<u8>,
    },
}

/// A code with a diagnostic payload (RFC 7252 §5.5.2) or none.
pub fn code(code: Code, diagnostic: &str) -> Say {
    Say::Answer {
        code,
        observe: None,
        format: None,
        location: Vec::new(),
        payload: diagnostic.as_bytes().to_vec(),
    }
}

pub fn changed() -> Say {
    code(Code::CHANGED, "")
}

pub fn content(format: u16, payload: &[u8]) -> Say {
    Say::Answer {
        code: Code::CONTENT,
        observe: None,
        format: Some(format),
        location: Vec::new(),
        payload: payload.to_vec(),
    }
}

pub fn created(location: &[&str]) -> Say {
    Say::Answer {
        code: Code::CREATED,
        observe: None,
        format: None,
        location: location.iter().map(|&segment| segment.to_owned()).collect(),
        payload: Vec::new(),
    }
}

/// The first answer to an Observe.
pub fn observed(sequence: u32, format: u16, payload: &[u8]) -> Say {
    match content(format, payload) {
        Say::Answer {
            code,
            format,
            location,
            payload,
            ..
        } => Say::Answer {
            code,
            observe: Some(sequence),
            format,
            location,
            payload,
        },
        other => other,
    }
}

type Script = dyn Fn(&Ask) -> Say + Send + Sync;

/// What the server said to a request of the device: token, code, Location-Path.
type Said = (Vec<u8>, Code, Vec<String>);

pub struct Device {
    socket: UdpSocket,
    server: SocketAddr,
    /// Location-Path of the registration.
    location: Vec<String>,
    asked: Arc<Mutex<Vec<Ask>>>,
    said: Receiver<Said>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Device {
    /// A device with objects 1, 3 and 3303, registered as 1.1.
    pub fn register(
        world: &World,
        endpoint: &str,
        script: impl Fn(&Ask) -> Say + Send + Sync + 'static,
    ) -> Self {
        let mut device = Self::new(world, script);
        let name = format!("ep={endpoint}");
        device.register_as(&[&name, "lt=300", "lwm2m=1.1", "b=U"], LINKS);
        device
    }

    /// A device that has not registered yet.
    pub fn new(world: &World, script: impl Fn(&Ask) -> Say + Send + Sync + 'static) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let tick = Some(Duration::from_millis(20));
        socket.set_read_timeout(tick).unwrap();
        let asked = Arc::default();
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, said) = channel();
        let ear = Ear {
            socket: socket.try_clone().unwrap(),
            script: Box::new(script),
            asked: Arc::clone(&asked),
            said: sender,
        };
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                ear.listen();
            }
        });
        Self {
            socket,
            server: world.coap(),
            location: Vec::new(),
            asked,
            said,
            stop,
            thread: Some(thread),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    /// Registers with these Uri-Query options.
    #[track_caller]
    pub fn register_as(&mut self, queries: &[&str], links: &str) {
        let path = ["rd".to_owned()];
        let (code, location) = self.request(Code::POST, &path, queries, Some(links));
        assert_eq!(code, Code::CREATED, "{queries:?}");
        self.location = location;
    }

    /// The code of a Register that may be refused.
    pub fn try_register(&self, queries: &[&str]) -> Code {
        let path = ["rd".to_owned()];
        self.request(Code::POST, &path, queries, Some(LINKS)).0
    }

    #[track_caller]
    pub fn update(&self, queries: &[&str]) {
        let (code, _) = self.request(Code::POST, &self.location, queries, None);
        assert_eq!(code, Code::CHANGED, "{queries:?}");
    }

    #[track_caller]
    pub fn deregister(&self) {
        let (code, _) = self.request(Code::DELETE, &self.location, &[], None);
        assert_eq!(code, Code::DELETED);
    }

    /// The last segment of the location.
    pub fn registration_id(&self) -> &str {
        self.location.last().unwrap()
    }

    /// Sends a notification, NON.
    pub fn notify(&self, token: &[u8], sequence: u32, format: u16, payload: &[u8]) {
        let mut buffer = [0; 1500];
        let (ty, code) = (Type::NonConfirmable, Code::CONTENT);
        let mut writer = MessageWriter::new(&mut buffer, ty, code, message_id(), token);
        writer.uint(OptionNumber::OBSERVE, sequence);
        writer.uint(OptionNumber::CONTENT_FORMAT, u32::from(format));
        writer.payload(payload);
        let length = writer.finish().unwrap();
        self.socket.send_to(&buffer[..length], self.server).unwrap();
    }

    /// Everything the server asked so far.
    pub fn asked(&self) -> Vec<Ask> {
        self.asked.lock().unwrap().clone()
    }

    /// The only request so far that matches.
    #[track_caller]
    pub fn only(&self) -> Ask {
        let asked = self.asked();
        assert_eq!(asked.len(), 1, "{asked:?}");
        asked[0].clone()
    }

    /// The last request.
    #[track_caller]
    pub fn last(&self) -> Ask {
        self.asked().pop().expect("nothing was asked")
    }

    /// Waits until the server has asked so many requests.
    pub async fn asked_at_least(&self, count: usize) -> Vec<Ask> {
        let end = std::time::Instant::now() + PATIENCE;
        loop {
            let asked = self.asked();
            if asked.len() >= count {
                return asked;
            }
            assert!(std::time::Instant::now() < end, "only {asked:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[track_caller]
    fn request(
        &self,
        method: Code,
        path: &[String],
        queries: &[&str],
        links: Option<&str>,
    ) -> (Code, Vec<String>) {
        let content = links.map(|links| (40, links));
        self.ask(method, path, queries, content)
    }

    /// Sends a pack of SenML JSON to `/dp`.
    pub fn send(&self, pack: &str) -> Code {
        let path = ["dp".to_owned()];
        self.ask(Code::POST, &path, &[], Some((110, pack))).0
    }

    fn ask(
        &self,
        method: Code,
        path: &[String],
        queries: &[&str],
        content: Option<(u32, &str)>,
    ) -> (Code, Vec<String>) {
        let message_id = message_id();
        let token = message_id.to_be_bytes();
        let mut buffer = [0; 1500];
        let ty = Type::Confirmable;
        let mut writer = MessageWriter::new(&mut buffer, ty, method, message_id, &token);
        for segment in path {
            writer.option(OptionNumber::URI_PATH, segment.as_bytes());
        }
        if let Some((format, _)) = content {
            writer.uint(OptionNumber::CONTENT_FORMAT, format);
        }
        for query in queries {
            writer.option(OptionNumber::URI_QUERY, query.as_bytes());
        }
        writer.payload(content.map_or("", |(_, text)| text).as_bytes());
        let length = writer.finish().unwrap();
        self.socket.send_to(&buffer[..length], self.server).unwrap();
        loop {
            let (to, code, location) = self.said.recv_timeout(PATIENCE).expect("no answer");
            if to == token {
                return (code, location);
            }
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Never the same in a process: a port may be given out again within a test, and then the same
/// message id from it would be a duplicate.
fn message_id() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The listening side.
struct Ear {
    socket: UdpSocket,
    script: Box<Script>,
    asked: Arc<Mutex<Vec<Ask>>>,
    said: Sender<Said>,
}

impl Ear {
    fn listen(&self) {
        let mut buffer = [0; 2048];
        let Ok((length, from)) = self.socket.recv_from(&mut buffer) else {
            return;
        };
        let message = Message::parse(&buffer[..length]).unwrap();
        let text = |number| -> Vec<String> {
            let values = message.values(number);
            values
                .map(|value| String::from_utf8(value.to_vec()).unwrap())
                .collect()
        };
        if message.code.is_response() {
            let location = text(OptionNumber::LOCATION_PATH);
            let _ = self
                .said
                .send((message.token.to_vec(), message.code, location));
        }
        if !message.code.is_request() {
            return;
        }
        let confirmable = message.ty == Type::Confirmable;
        let ask = Ask {
            confirmable,
            code: message.code,
            path: text(OptionNumber::URI_PATH)
                .iter()
                .map(|segment| format!("/{segment}"))
                .collect(),
            queries: text(OptionNumber::URI_QUERY),
            observe: message.observe(),
            accept: message.accept(),
            format: message.content_format(),
            payload: message.payload.to_vec(),
            token: message.token.to_vec(),
        };
        let say = (self.script)(&ask);
        self.asked.lock().unwrap().push(ask);
        let mut reply = [0; 2048];
        let id = message.message_id;
        let length = match say {
            Say::Nothing => return,
            Say::Reset => MessageWriter::empty(&mut reply, Type::Reset, id).finish(),
            Say::Answer {
                code,
                observe,
                format,
                location,
                payload,
            } => {
                let ty = if confirmable {
                    Type::Acknowledgement
                } else {
                    Type::NonConfirmable
                };
                let mut writer = MessageWriter::new(&mut reply, ty, code, id, message.token);
                if let Some(observe) = observe {
                    writer.uint(OptionNumber::OBSERVE, observe);
                }
                for segment in location {
                    writer.option(OptionNumber::LOCATION_PATH, segment.as_bytes());
                }
                if let Some(format) = format {
                    writer.uint(OptionNumber::CONTENT_FORMAT, u32::from(format));
                }
                writer.payload(&payload);
                writer.finish()
            }
        };
        self.socket
            .send_to(&reply[..length.unwrap()], from)
            .unwrap();
    }
}

//! A client with several servers, in virtual time.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use dunlin_client::objects::Server;
use dunlin_client::{Client, Code, Config, Event, Input, Instant, Objects, Output};
use dunlin_coap::{MessageWriter, OptionNumber, Type};

use super::{Ask, Dice, Got, Things};

/// Server `id` of a test is at port 5680 + `id`.
pub fn address(id: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 5680 + id))
}

fn id(address: SocketAddr) -> u16 {
    address.port() - 5680
}

pub struct Several<O: Objects = Things> {
    pub client: Client<O, 3, 6, 6, 2048, 1152>,
    pub now: Instant,
    pub dice: Dice,
    /// What was sent, and to which server.
    pub sent: VecDeque<(u16, Got)>,
    pub events: Vec<Event>,
    message_id: u16,
}

impl Several {
    /// A client with these accounts, none of them connected.
    pub fn new(config: Config, servers: impl IntoIterator<Item = Server>) -> Self {
        Self::with(config, Things::new(), servers)
    }
}

impl<O: Objects> Several<O> {
    pub fn with(config: Config, objects: O, servers: impl IntoIterator<Item = Server>) -> Self {
        let mut dice = Dice(11);
        let mut client = Client::new(config, objects, &mut dice);
        for (index, server) in servers.into_iter().enumerate() {
            if index == 0 {
                client.security_mut().short_server_id = Some(server.short_server_id);
                *client.server_mut() = server;
            } else {
                client.add_server(server, &mut dice).expect("there is room");
            }
        }
        Self {
            client,
            now: Instant::from_secs(1000),
            dice,
            sent: VecDeque::new(),
            events: Vec::new(),
            message_id: 0x2000,
        }
    }

    pub fn connect(&mut self, id: u16) {
        self.client
            .connect_to(self.now, id, address(id))
            .expect("the account is there");
    }

    /// Registers with these servers, one after the other.
    pub fn register(&mut self, ids: &[u16]) {
        for id in ids {
            self.connect(*id);
        }
        self.poll();
        for _ in ids {
            let (id, register) = self.take();
            assert_eq!(register.path(), "/rd");
            self.created(id, &register);
        }
        self.events.clear();
    }

    pub fn poll(&mut self) {
        self.run(Input::Timer);
    }

    pub fn input(&mut self, from: u16, bytes: &[u8]) {
        let from = address(from);
        self.run(Input::Datagram { from, bytes });
    }

    fn run(&mut self, input: Input<'_>) {
        let mut outputs = self.client.handle(self.now, &mut self.dice, input);
        while let Some(output) = outputs.next() {
            match output {
                Output::Transmit { to, bytes } => self.sent.push_back((id(to), Got::parse(bytes))),
                Output::Event(event) => self.events.push(event),
            }
        }
        let next = self.client.next_timeout();
        assert!(
            next.is_none_or(|next| next > self.now),
            "{next:?} is not after {:?}",
            self.now
        );
    }

    /// Moves time on, from one timeout to the next.
    pub fn seconds(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while let Some(next) = self.client.next_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.poll();
        }
        self.now = end;
    }

    /// The next message the client sent, and to which server.
    #[track_caller]
    pub fn take(&mut self) -> (u16, Got) {
        self.sent.pop_front().expect("the client sends something")
    }

    /// The next message, which goes to this server.
    #[track_caller]
    pub fn take_for(&mut self, id: u16) -> Got {
        let (to, got) = self.take();
        assert_eq!(to, id);
        got
    }

    #[track_caller]
    pub fn assert_silent(&self) {
        assert!(self.sent.is_empty(), "{:?}", self.sent);
    }

    pub fn answer(&mut self, id: u16, request: &Got, code: Code, location: &[&[u8]]) {
        let mut buffer = [0; 1152];
        let mut writer = MessageWriter::new(
            &mut buffer,
            Type::Acknowledgement,
            code,
            request.message_id,
            &request.token,
        );
        for segment in location {
            writer.option(OptionNumber::LOCATION_PATH, segment);
        }
        let length = writer.finish().unwrap();
        self.input(id, &buffer[..length]);
    }

    /// Answers a GET with content.
    pub fn content(&mut self, id: u16, request: &Got, payload: &[u8]) {
        let mut buffer = [0; 1152];
        let mut writer = MessageWriter::new(
            &mut buffer,
            Type::Acknowledgement,
            Code::CONTENT,
            request.message_id,
            &request.token,
        );
        writer.payload(payload);
        let length = writer.finish().unwrap();
        self.input(id, &buffer[..length]);
    }

    /// Answers Register; the location names the server.
    pub fn created(&mut self, id: u16, register: &Got) {
        self.answer(
            id,
            register,
            Code::CREATED,
            &[b"rd", id.to_string().as_bytes()],
        );
    }

    /// A request of a server and its answer.
    #[track_caller]
    pub fn ask(&mut self, id: u16, request: &Ask) -> Got {
        self.message_id += 1;
        let message_id = self.message_id;
        self.input(id, &request.bytes(message_id));
        let answer = self.take_for(id);
        assert_eq!(
            (&answer.token, answer.message_id),
            (&request.token, message_id)
        );
        answer
    }

    #[track_caller]
    pub fn code(&mut self, id: u16, request: &Ask) -> String {
        self.ask(id, request).code.to_string()
    }
}

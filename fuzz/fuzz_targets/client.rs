//! A device under any server: what it sends is well-formed, its work comes to an end at every
//! moment, and its timers go forward.
#![no_main]

use std::net::SocketAddr;

use dunlin_client::objects::{Device, FirmwareUpdate, Location, Temperature, text};
use dunlin_client::{Client, Config, Input as ClientInput, Instances, Output, Single, Version};
use dunlin_coap::{Code, Instant, Message, MessageWriter, OptionNumber, Type};
use dunlin_fuzz::{Dice, Input, step, write_device_request};
use libfuzzer_sys::fuzz_target;

type Objects = (
    Single<Device>,
    Single<FirmwareUpdate>,
    Single<Location>,
    Instances<Temperature, 3>,
);

struct World {
    client: Client<Objects, 3, 3, 256, 300>,
    dice: Dice,
    now: Instant,
    server: SocketAddr,
    /// The last datagram of the client that was a CON or a NON.
    last: Vec<u8>,
    message_id: u16,
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let device = Device {
        manufacturer: text("Dunlin"),
        power_sources: [(0, 1), (1, 5)].into_iter().collect(),
        battery_level: Some(100),
        ..Device::default()
    };
    let objects = (
        Single::new(device),
        Single::new(FirmwareUpdate::default()),
        Single::new(Location::default()),
        Instances::new().with(0, Temperature::new(20.0)),
    );
    let mut dice = Dice(u64::from(input.byte()));
    let mut config = Config::new("device");
    config.version = input.choose(&[Version::V1_0, Version::V1_1, Version::V1_2]);
    config.queue_mode = input.bool();
    config.confirmable_notifications = input.bool();
    let client = Client::new(config, objects, &mut dice);
    let server = SocketAddr::from(([192, 0, 2, 1], 5683));
    let mut world = World {
        client,
        dice,
        now: Instant::from_secs(1),
        server,
        last: Vec::new(),
        message_id: 0,
    };
    world.client.connect(world.now, server);
    world.drain(ClientInput::Timer);
    if input.byte() < 220 {
        world.answer(Code::CREATED, &mut Input::new(&[]));
    }
    for _ in 0..200 {
        if input.is_empty() {
            break;
        }
        world.turn(&mut input);
    }
});

impl World {
    fn turn(&mut self, input: &mut Input<'_>) {
        match input.byte() % 16 {
            0..=6 => self.request(input),
            7 => {
                let code = input.choose(&[
                    Code::CREATED,
                    Code::CHANGED,
                    Code::DELETED,
                    Code::NOT_FOUND,
                    Code::PRECONDITION_FAILED,
                    Code::FORBIDDEN,
                    Code::CONTINUE,
                ]);
                self.answer(code, input);
            }
            8 => {
                // The server acknowledges or resets what came last.
                let ty = input.choose(&[Type::Acknowledgement, Type::Reset]);
                let Ok(last) = Message::parse(&self.last) else { return };
                let mut buffer = [0; 4];
                let length = MessageWriter::empty(&mut buffer, ty, last.message_id).finish();
                assert_eq!(length, Ok(4));
                self.receive(&buffer);
            }
            9 => {
                let length = input.below(80);
                let datagram = input.slice(length).to_vec();
                self.receive(&datagram);
            }
            10 if input.bool() => self.observe(input),
            10 => {
                let celsius = f64::from(input.byte()) - 40.0;
                if let Some(sensor) = self.client.objects_mut().3.get_mut(0) {
                    sensor.measure(celsius);
                }
                self.drain(ClientInput::Timer);
            }
            11 => {
                match input.byte() % 8 {
                    0 => self.client.offline(),
                    1 => self.client.online(self.now),
                    2 => self.client.deregister(),
                    3 => self.client.connect(self.now, self.server),
                    _ => self.client.update(self.now),
                }
                self.drain(ClientInput::Timer);
            }
            12 | 13 => {
                if let Some(next) = self.client.next_timeout() {
                    self.now = self.now.max(next);
                }
                self.drain(ClientInput::Timer);
            }
            _ => {
                self.now = step(self.now, input);
                self.drain(ClientInput::Timer);
            }
        }
    }

    fn request(&mut self, input: &mut Input<'_>) {
        let ty = if input.byte() > 200 { Type::NonConfirmable } else { Type::Confirmable };
        let any = Code(input.byte() % 32);
        let code = input.choose(&[
            Code::GET,
            Code::GET,
            Code::PUT,
            Code::POST,
            Code::DELETE,
            Code::FETCH,
            any,
        ]);
        if input.byte() > 20 {
            self.message_id = self.message_id.wrapping_add(1);
        }
        let token = [input.byte() % 4];
        let mut buffer = [0; 400];
        let mut writer = MessageWriter::new(&mut buffer, ty, code, self.message_id, &token);
        write_device_request(input, &mut writer);
        let Ok(length) = writer.finish() else { return };
        self.receive(&buffer[..length]);
    }

    /// A good Observe, now and then with attributes before it.
    fn observe(&mut self, input: &mut Input<'_>) {
        let path = input.choose(&[
            &["3303", "0", "5700"][..],
            &["3303", "0"],
            &["3303"],
            &["3", "0", "6"],
        ]);
        let query = input.choose(&["", "pmin=1", "pmax=2", "con=1", "gt=20", "st=1"]);
        let requests = if query.is_empty() { &[Code::GET][..] } else { &[Code::PUT, Code::GET] };
        for code in requests.iter().copied() {
            self.message_id = self.message_id.wrapping_add(1);
            let mut buffer = [0; 100];
            let (ty, id) = (Type::Confirmable, self.message_id);
            let mut writer = MessageWriter::new(&mut buffer, ty, code, id, &[input.byte() % 4]);
            if code == Code::GET {
                writer.uint(OptionNumber::OBSERVE, 0);
            }
            for segment in path {
                writer.option(OptionNumber::URI_PATH, segment.as_bytes());
            }
            if code == Code::PUT {
                writer.option(OptionNumber::URI_QUERY, query.as_bytes());
            }
            let length = writer.finish().expect("there is room");
            self.receive(&buffer[..length]);
        }
    }

    /// Answers what the client sent last.
    fn answer(&mut self, code: Code, input: &mut Input<'_>) {
        let last = self.last.clone();
        let Ok(last) = Message::parse(&last) else { return };
        let mut buffer = [0; 100];
        let ty = input.choose(&[
            Type::Acknowledgement,
            Type::Acknowledgement,
            Type::Confirmable,
            Type::NonConfirmable,
        ]);
        let mut writer = MessageWriter::new(&mut buffer, ty, code, last.message_id, last.token);
        if input.byte() < 200 {
            writer.option(OptionNumber::LOCATION_PATH, b"rd");
            for _ in 0..input.byte() % 4 {
                writer.option(OptionNumber::LOCATION_PATH, b"5a3f5a3f5a3f5a3f");
            }
        }
        let Ok(length) = writer.finish() else { return };
        self.receive(&buffer[..length]);
    }

    fn receive(&mut self, bytes: &[u8]) {
        let server = self.server;
        let from = server;
        self.drain(ClientInput::Datagram { from, bytes });
    }

    fn drain(&mut self, input: ClientInput<'_>) {
        let mut outputs = self.client.handle(self.now, &mut self.dice, input);
        let mut count = 0;
        while let Some(output) = outputs.next() {
            if let Output::Transmit { to, bytes } = output {
                assert_eq!(to, self.server);
                assert!(bytes.len() <= 300);
                let message = Message::parse(bytes).expect("a well-formed message");
                if matches!(message.ty, Type::Confirmable | Type::NonConfirmable) {
                    self.last = bytes.to_vec();
                }
            }
            count += 1;
            assert!(count < 100, "never ends");
        }
        let next = self.client.next_timeout();
        assert!(next.is_none_or(|next| next > self.now), "{next:?} is now or past, {:?}", self.now);
    }
}

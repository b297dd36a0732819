//! A device under any server: what it sends is well-formed, its work comes to an end at every
//! moment, and its timers go forward.
#![no_main]

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use dunlin_client::image::{ImageError, ImageInfo, ImageStorage, RamStorage};
use dunlin_client::objects::{Device, Firmware, FirmwareStorage, Installation, Location, Temperature, text};
use dunlin_client::{
    Client, Config, Event, Input as ClientInput, Instances, MemoryStorage, Output, Path, ReportId, Single, Version,
};
use dunlin_coap::{Code, Instant, Message, MessageWriter, OptionNumber, Type};
use dunlin_fuzz::{Dice, Input, step, write_device_request};
use libfuzzer_sys::fuzz_target;

type Objects = (
    Single<Device>,
    Firmware<Flash>,
    Single<Location>,
    Instances<Temperature, 3>,
);

/// Small, and in two minds about what it installs.
struct Flash(RamStorage<400>);

impl ImageStorage for Flash {
    fn begin(&mut self, size: Option<u32>) -> Result<(), ImageError> {
        self.0.begin(size)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), ImageError> {
        assert!(offset <= self.0.stored(), "a gap");
        self.0.write(offset, bytes)
    }

    fn finish(&mut self, size: u32) -> Result<ImageInfo, ImageError> {
        assert_eq!(size, self.0.stored());
        match self.0.image().first() {
            Some(b'C') => Err(ImageError::Integrity),
            _ => self.0.finish(size),
        }
    }

    fn abort(&mut self) {
        self.0.abort();
    }

    fn stored(&self) -> u32 {
        self.0.stored()
    }

    fn save(&mut self, state: &[u8]) {
        self.0.save(state);
    }
}

impl FirmwareStorage for Flash {
    fn install(&mut self) -> Installation {
        match self.0.image().first().map(|byte| byte % 4) {
            Some(0) => Installation::Done,
            Some(1) => Installation::Failed { keeps_image: true },
            Some(2) => Installation::Running,
            _ => Installation::Reboot,
        }
    }

    fn may_install(&mut self, severity: u8) -> bool {
        severity == 0
    }
}

struct World {
    client: Client<Objects, 1, 3, 3, 256, 300, 300>,
    dice: Dice,
    now: Instant,
    server: SocketAddr,
    /// The last datagram of the client that was a CON or a NON, and to whom it went.
    last: Vec<u8>,
    last_to: SocketAddr,
    message_id: u16,
    /// Reports that have ended, which they do once.
    ended: HashSet<ReportId>,
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
        Firmware::new(Flash(RamStorage::new())),
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
        last_to: server,
        message_id: 0,
        ended: HashSet::new(),
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
        match input.byte() % 20 {
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
            16 | 17 => self.composite(input),
            18 => self.send(input),
            19 => {
                // A reboot of what waits alone.
                let mut storage = MemoryStorage::<300>::default();
                if input.bool() {
                    self.client.set_clock(self.now, Duration::from_secs(1_795_000_000));
                }
                self.client.save_reports(self.now, &mut storage).expect("there is room");
                self.client.load_reports(self.now, &mut storage).expect("it is its own");
                self.drain(ClientInput::Timer);
            }
            12 if input.bool() => self.update(input),
            13 if input.bool() => self.block(input),
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

    /// An operation on several paths, mostly a good one.
    fn composite(&mut self, input: &mut Input<'_>) {
        let code = input.choose(&[Code::FETCH, Code::FETCH, Code::IPATCH]);
        let format = input.choose(&[110, 320, 110, 112]);
        let payload = if code == Code::FETCH {
            input.choose(&[
                &br#"[{"n":"/3303/0/5700"},{"n":"/3/0/6"}]"#[..],
                br#"[{"n":"/"}]"#,
                br#"[{"n":"/99"},{"n":"/3303"}]"#,
                b"\x81\xA1\x00\x65/3303",
            ])
        } else {
            input.choose(&[
                &br#"[{"n":"/1/0/1","v":60},{"n":"/3/0/14","vs":"+01:00"}]"#[..],
                br#"[{"n":"/1/0/6","vb":true},{"n":"/1/0/2","v":1}]"#,
                br#"[{"n":"/1/0/23","vb":false},{"n":"/1/0/17","v":0}]"#,
                br#"[{"n":"/1/0/25/1","v":null}]"#,
            ])
        };
        self.message_id = self.message_id.wrapping_add(1);
        let mut buffer = [0; 200];
        let (ty, id) = (Type::Confirmable, self.message_id);
        let mut writer = MessageWriter::new(&mut buffer, ty, code, id, &[input.byte() % 4]);
        if code == Code::FETCH && input.bool() {
            writer.uint(OptionNumber::OBSERVE, u32::from(input.byte() % 8 == 0));
        }
        writer.uint(OptionNumber::CONTENT_FORMAT, format);
        if code == Code::FETCH && input.byte() > 200 {
            writer.option(OptionNumber::URI_QUERY, input.choose(&["pmin=1", "con=1", "epmax=3"]).as_bytes());
        }
        if input.bool() {
            writer.uint(OptionNumber::ACCEPT, input.choose(&[110, 112, 11544]));
        }
        writer.payload(payload);
        let length = writer.finish().expect("there is room");
        self.receive(&buffer[..length]);
    }

    /// The application records and sends.
    fn send(&mut self, input: &mut Input<'_>) {
        let paths = [Path::resource(3303, 0, 5700), Path::object(3), Path::resource(3, 0, 4)];
        let path = input.choose(&paths);
        if input.bool() {
            let _ = self.client.record(self.now, 1, path);
        } else {
            let paths = &paths[..usize::from(input.byte() % 3)];
            let _ = self.client.send(self.now, 1, paths, input.bool());
        }
        self.drain(ClientInput::Timer);
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
        self.receive_from(self.last_to, &buffer[..length]);
    }

    /// A firmware update, good or nearly so: a URI, a block of an image, an Execute.
    fn update(&mut self, input: &mut Input<'_>) {
        self.message_id = self.message_id.wrapping_add(1);
        let mut buffer = [0; 200];
        let (ty, id) = (Type::Confirmable, self.message_id);
        let resource = input.choose(&[b"0", b"0", b"1", b"2"]);
        let code = if resource == b"2" { Code::POST } else { Code::PUT };
        let mut writer = MessageWriter::new(&mut buffer, ty, code, id, &[1]);
        for segment in [&b"5"[..], b"0", resource] {
            writer.option(OptionNumber::URI_PATH, segment);
        }
        match resource {
            b"0" => {
                writer.uint(OptionNumber::CONTENT_FORMAT, 42);
                let (number, more) = (u32::from(input.byte() % 6), input.byte() > 80);
                if input.byte() > 20 {
                    writer.uint(OptionNumber::BLOCK1, number << 4 | u32::from(more) << 3 | 2);
                }
                let length = if more { 64 } else { input.below(64) };
                let mut image = [input.byte(); 64];
                image[0] = input.byte();
                writer.payload(&image[..length]);
            }
            b"1" => {
                writer.uint(OptionNumber::CONTENT_FORMAT, 0);
                writer.payload(input.choose(&[
                    &b"coap://192.0.2.9/image"[..],
                    b"coap://192.0.2.1/image?a=b&c",
                    b"coap://192.0.2.9:1/%",
                    b"https://x",
                    b"",
                ]));
            }
            _ => {}
        }
        let length = writer.finish().expect("there is room");
        self.receive(&buffer[..length]);
    }

    /// A block of an image for what the client sent last.
    fn block(&mut self, input: &mut Input<'_>) {
        let last = self.last.clone();
        let Ok(last) = Message::parse(&last) else { return };
        let asked = last.uint(OptionNumber::BLOCK2).unwrap_or_default();
        let szx = u32::from(input.byte() % 3);
        let offset = asked >> 4 << ((asked & 7) + 4);
        let more = input.byte() > 100;
        let mut buffer = [0; 200];
        let (ty, id) = (Type::Acknowledgement, last.message_id);
        let mut writer = MessageWriter::new(&mut buffer, ty, Code::CONTENT, id, last.token);
        if input.byte() > 40 {
            writer.option(OptionNumber::ETAG, &[input.byte() % 2]);
        }
        let number = offset >> (szx + 4) << 4;
        writer.uint(OptionNumber::BLOCK2, number | u32::from(more) << 3 | szx);
        let size = 16 << szx;
        let length = if more { size } else { input.below(size + 1) };
        writer.payload(&[input.byte(); 64][..length]);
        let Ok(length) = writer.finish() else { return };
        self.receive_from(self.last_to, &buffer[..length]);
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.receive_from(self.server, bytes);
    }

    fn receive_from(&mut self, from: SocketAddr, bytes: &[u8]) {
        self.drain(ClientInput::Datagram { from, bytes });
    }

    fn drain(&mut self, input: ClientInput<'_>) {
        let mut outputs = self.client.handle(self.now, &mut self.dice, input);
        let mut count = 0;
        while let Some(output) = outputs.next() {
            if let Output::Event(Event::Delivery { id, .. }) = output {
                assert!(self.ended.insert(id), "{id} ends twice");
            }
            if let Output::Transmit { to, bytes } = output {
                assert!(bytes.len() <= 300);
                let message = Message::parse(bytes).expect("a well-formed message");
                if matches!(message.ty, Type::Confirmable | Type::NonConfirmable) {
                    self.last = bytes.to_vec();
                    self.last_to = to;
                }
            }
            count += 1;
            assert!(count < 100, "never ends");
        }
        let next = self.client.next_timeout();
        assert!(next.is_none_or(|next| next > self.now), "{next:?} is now or past, {:?}", self.now);
    }
}

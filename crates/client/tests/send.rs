//! Send (Core 1.2 §6.4.6), in virtual time.

mod common;

use std::collections::VecDeque;

use common::{Dice, Got, SERVER, World, hex, put};
use dunlin_client::definition::{ObjectDefinition, Operations, ResourceDefinition};
use dunlin_client::objects::{Device, text};
use dunlin_client::{
    Client, Code, Config, ContentFormat, DataType, Event, Formats, Input, Instant, ObjectVersion,
    Outcome, Output, Path, ReportId, SendError, Single, Version, heapless, object,
};
use dunlin_coap::{MessageWriter, OptionNumber, Type};

/// An object with a large text, for a client with a large store.
static NOTE: ObjectDefinition = ObjectDefinition {
    id: 42_000,
    name: "Note",
    version: ObjectVersion::V1_0,
    multiple: false,
    mandatory: false,
    resources: &[ResourceDefinition {
        id: 0,
        name: "Text",
        operations: Operations::R,
        multiple: false,
        mandatory: true,
        data_type: Some(DataType::String),
        range: None,
        units: "",
    }],
};

#[derive(Clone, Default)]
struct Note {
    text: heapless::String<2000>,
}

object! {
    impl NOTE for Note {
        0 => read text;
    }
}

struct Big {
    client: Client<(Single<Note>, Single<Device>), 1, 2, 2, 4096, 1152, 8192>,
    now: Instant,
    dice: Dice,
    sent: VecDeque<Vec<u8>>,
    events: Vec<Event>,
}

impl Big {
    fn new(version: Version) -> Self {
        let mut dice = Dice(5);
        let device = Device {
            manufacturer: text("a manufacturer of some length"),
            ..Device::default()
        };
        let objects = (Single::new(Note::default()), Single::new(device));
        let config = Config {
            version,
            ..Config::new("big")
        };
        let mut big = Self {
            client: Client::new(config, objects, &mut dice),
            now: Instant::from_secs(1000),
            dice,
            sent: VecDeque::new(),
            events: Vec::new(),
        };
        big.client.connect(big.now, SERVER.parse().unwrap());
        big.poll();
        let register = Got::parse(&big.sent.pop_front().unwrap());
        big.respond(&register, Code::CREATED, |writer| {
            writer.option(OptionNumber::LOCATION_PATH, b"x");
        });
        big.events.clear();
        big
    }

    fn poll(&mut self) {
        self.run(Input::Timer);
    }

    fn run(&mut self, input: Input<'_>) {
        let mut outputs = self.client.handle(self.now, &mut self.dice, input);
        while let Some(output) = outputs.next() {
            match output {
                Output::Transmit { bytes, .. } => self.sent.push_back(bytes.to_vec()),
                Output::Event(event) => self.events.push(event),
            }
        }
    }

    fn respond(&mut self, request: &Got, code: Code, write: impl FnOnce(&mut MessageWriter<'_>)) {
        let mut buffer = [0; 64];
        let (ty, token) = (Type::Acknowledgement, &request.token);
        let mut writer = MessageWriter::new(&mut buffer, ty, code, request.message_id, token);
        write(&mut writer);
        let length = writer.finish().unwrap();
        let from = SERVER.parse().unwrap();
        let bytes = &buffer[..length];
        self.run(Input::Datagram { from, bytes });
    }

    fn answer_with(&mut self, request: &Got, code: Code) {
        self.respond(request, code, |_| {});
    }

    fn answer(&mut self, request: &Got, code: Code, block1: u32) {
        self.respond(request, code, |writer| {
            writer.uint(OptionNumber::BLOCK1, block1);
        });
    }

    fn ends(&mut self) -> Vec<(ReportId, Outcome)> {
        take_ends(&mut self.events)
    }
}

const VALUE: Path = Path::resource(3303, 0, 5700);
const BATTERY: Path = Path::resource(3, 0, 9);

fn json(version: Version) -> World {
    let formats = Formats {
        v1_1: ContentFormat::SENML_JSON,
        v1_2: ContentFormat::SENML_JSON,
        ..Formats::default()
    };
    let mut world = World::with(Config {
        version,
        formats,
        ..Config::new("dev1")
    });
    world.register();
    world
}

fn ends(world: &mut World) -> Vec<(ReportId, Outcome)> {
    take_ends(&mut world.events)
}

fn take_ends(events: &mut Vec<Event>) -> Vec<(ReportId, Outcome)> {
    std::mem::take(events)
        .into_iter()
        .filter_map(|event| match event {
            Event::Delivery { id, outcome, .. } => Some((id, outcome)),
            _ => None,
        })
        .collect()
}

fn send(world: &mut World, paths: &[Path], confirmable: bool) -> ReportId {
    let id = world.client.send(world.now, 1, paths, confirmable).unwrap();
    world.poll();
    id
}

#[track_caller]
fn take(world: &mut World, ty: Type) -> Got {
    let sent = world.take();
    assert_eq!(
        (
            sent.ty,
            sent.code,
            sent.path().as_str(),
            sent.query().as_str()
        ),
        (ty, Code::POST, "/dp", "")
    );
    sent
}

/// ETS int-306 and 311: the values, and nothing else.
#[test]
fn a_send_is_a_post_to_dp() {
    let mut world = World::registered(Version::V1_1);
    let paths = [Path::resource(1, 0, 1), Path::resource(3, 0, 11)];
    let id = send(&mut world, &paths, true);
    let sent = take(&mut world, Type::Confirmable);
    assert_eq!(sent.uint(OptionNumber::CONTENT_FORMAT), Some(112));
    // Times relative to now: 0.
    assert_eq!(
        sent.payload,
        hex(
            "82 A4 21 61 2F 00 65 312F302F31 06 00 02 1A 00015180 A3 00 68 332F302F31312F30 06 00 02 00"
        )
    );
    assert!(ends(&mut world).is_empty());
    world.answer_with(&sent, Code::CHANGED);
    assert_eq!(ends(&mut world), [(id, Outcome::Delivered)]);
    world.assert_silent();
    assert_eq!(world.client.waiting_reports().count(), 0);
}

#[test]
fn samples_go_with_their_times() {
    let mut world = json(Version::V1_1);
    for value in [21.0, 22.0] {
        world
            .client
            .objects_mut()
            .temperature
            .get_mut(0)
            .unwrap()
            .measure(value);
        world.client.record(world.now, 1, VALUE).unwrap();
        world.seconds(30);
        world.assert_silent();
    }
    let id = send(&mut world, &[BATTERY], true);
    let sent = take(&mut world, Type::Confirmable);
    assert_eq!(
        sent.text(),
        concat!(
            r#"[{"bn":"/","bt":-60,"n":"3303/0/5700","v":21.0},"#,
            r#"{"n":"3303/0/5700","t":30,"v":22.0},{"n":"3/0/9","t":60,"v":100}]"#
        )
    );
    world.answer_with(&sent, Code::CHANGED);
    assert_eq!(ends(&mut world), [(id, Outcome::Delivered)]);
    // Without paths, the samples alone.
    world.client.record(world.now, 1, BATTERY).unwrap();
    send(&mut world, &[], true);
    assert!(take(&mut world, Type::Confirmable).text().contains("3/0/9"));
}

#[test]
fn what_waits_together_goes_together() {
    let mut world = json(Version::V1_1);
    world.client.offline();
    let ids = [VALUE, BATTERY].map(|path| send(&mut world, &[path], true));
    world.seconds(10);
    world.assert_silent();
    world.client.online(world.now);
    world.poll();
    let update = world.take();
    world.assert_silent();
    world.answer_with(&update, Code::CHANGED);
    let sent = take(&mut world, Type::Confirmable);
    assert_eq!(
        sent.text(),
        r#"[{"bn":"/","bt":-10,"n":"3303/0/5700","v":20.0},{"n":"3/0/9","v":100}]"#
    );
    world.answer_with(&sent, Code::CHANGED);
    assert_eq!(ends(&mut world), ids.map(|id| (id, Outcome::Delivered)));
}

#[test]
fn a_large_send_is_split() {
    let mut world = Big::new(Version::V1_1);
    let device = Path::object(3);
    let id = {
        let paths = [device; 9];
        world.client.send(world.now, 1, &paths, true).unwrap()
    };
    world.poll();
    let mut packs = 0;
    while !world.sent.is_empty() {
        let sent = Got::parse(&world.sent.pop_front().unwrap());
        assert!(sent.payload.len() <= 1024);
        assert_eq!(sent.uint(OptionNumber::BLOCK1), None);
        packs += 1;
        assert!(world.ends().is_empty(), "ends with its last pack");
        world.answer_with(&sent, Code::CHANGED);
    }
    assert!(packs > 1, "{packs}");
    assert_eq!(world.ends(), [(id, Outcome::Delivered)]);
    // One of them fails: all of it has.
    let id = world.client.send(world.now, 1, &[device; 9], true).unwrap();
    world.poll();
    let sent = Got::parse(&world.sent.pop_front().unwrap());
    world.answer_with(&sent, Code::BAD_REQUEST);
    let code = Some(Code::BAD_REQUEST);
    assert_eq!(world.ends(), [(id, Outcome::Failed { code })]);
    assert!(world.sent.is_empty());
}

/// ETS X-900: what no datagram holds goes in blocks.
#[test]
fn one_large_value_goes_in_blocks() {
    let mut world = Big::new(Version::V1_2);
    let name: String = "x".repeat(1500);
    world.client.objects_mut().0.text = text(&name);
    let path = Path::object(42_000);
    let id = world.client.send(world.now, 1, &[path], true).unwrap();
    world.poll();
    let first = Got::parse(&world.sent.pop_front().unwrap());
    assert_eq!(first.path(), "/dp");
    // Block 0, more, 1024 bytes.
    assert_eq!(first.uint(OptionNumber::BLOCK1), Some(0x0E));
    let mut body = first.payload.clone();
    // Time passes, but the body is one.
    world.now += std::time::Duration::from_millis(1500);
    world.answer(&first, Code::CONTINUE, 0x0E);
    let second = Got::parse(&world.sent.pop_front().unwrap());
    assert_eq!(second.uint(OptionNumber::BLOCK1), Some(0x16));
    body.extend(&second.payload);
    assert_eq!(first.uint(OptionNumber::SIZE1), Some(body.len() as u32));
    assert_eq!(body.iter().filter(|byte| **byte == b'x').count(), 1500);
    assert!(world.ends().is_empty());
    world.answer(&second, Code::CHANGED, 0x16);
    assert_eq!(world.ends(), [(id, Outcome::Delivered)]);
}

#[test]
fn failures_are_told() {
    for code in [
        Code::BAD_REQUEST,
        Code::FORBIDDEN,
        Code::INTERNAL_SERVER_ERROR,
    ] {
        let mut world = json(Version::V1_1);
        let id = send(&mut world, &[VALUE], true);
        let sent = take(&mut world, Type::Confirmable);
        world.answer_with(&sent, code);
        let failed = Outcome::Failed { code: Some(code) };
        assert_eq!(ends(&mut world), [(id, failed)]);
        world.assert_silent();
    }
    let mut world = json(Version::V1_1);
    let id = send(&mut world, &[VALUE], true);
    world.seconds(100);
    assert_eq!(ends(&mut world), [(id, Outcome::Failed { code: None })]);
}

/// Core 1.2 §6.4.6: a server that has forgotten the device answers 4.04; the device registers
/// again, if an Update says so too.
#[test]
fn not_found_leads_to_a_new_registration() {
    let mut world = json(Version::V1_1);
    let id = send(&mut world, &[VALUE], true);
    let sent = take(&mut world, Type::Confirmable);
    world.answer_with(&sent, Code::NOT_FOUND);
    let code = Some(Code::NOT_FOUND);
    assert_eq!(ends(&mut world), [(id, Outcome::Failed { code })]);
    let update = world.take();
    assert_eq!(update.path(), "/rd/5a3f");
    world.answer_with(&update, Code::NOT_FOUND);
    assert_eq!(world.take().path(), "/rd");
}

#[test]
fn a_non_confirmable_send_is_delivered_when_it_is_answered() {
    let mut world = json(Version::V1_2);
    let id = send(&mut world, &[VALUE], false);
    let sent = take(&mut world, Type::NonConfirmable);
    let mut buffer = [0; 32];
    let (ty, code) = (Type::NonConfirmable, Code::CHANGED);
    let answer = MessageWriter::new(&mut buffer, ty, code, 0x7777, &sent.token);
    let length = answer.finish().unwrap();
    world.input(SERVER.parse().unwrap(), &buffer[..length]);
    assert_eq!(ends(&mut world), [(id, Outcome::Delivered)]);
    // ... and otherwise nobody knows.
    let id = send(&mut world, &[VALUE], false);
    take(&mut world, Type::NonConfirmable);
    world.seconds(11);
    world.assert_silent();
    assert_eq!(ends(&mut world), [(id, Outcome::Sent)]);
    // NON came with 1.2.
    let mut world = json(Version::V1_1);
    send(&mut world, &[VALUE], false);
    take(&mut world, Type::Confirmable);
}

/// ETS int-307.
#[test]
fn a_muted_device_sends_nothing() {
    let mut world = json(Version::V1_1);
    for mute in [None, Some(true)] {
        world.client.server_mut().mute_send = mute;
        world.poll();
        let refused = world.client.send(world.now, 1, &[VALUE], true);
        assert_eq!(refused, Err(SendError::Muted));
        assert_eq!(
            world.client.record(world.now, 1, VALUE),
            Err(SendError::Muted)
        );
    }
    assert_eq!(world.code(&put("/1/0/23", 0, b"0")), "2.04");
    send(&mut world, &[VALUE], true);
    let sent = take(&mut world, Type::Confirmable);
    // Muted while one waits: it is dropped.
    let id = send(&mut world, &[BATTERY], true);
    assert_eq!(world.code(&put("/1/0/23", 0, b"1")), "2.04");
    world.events.clear();
    world.answer_with(&sent, Code::CHANGED);
    world.assert_silent();
    assert!(ends(&mut world).contains(&(id, Outcome::Dropped)));
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let mut world = json(Version::V1_2);
    let now = world.now;
    let mut refused = |path: &str| {
        let path: Path = path.parse().unwrap();
        let error = world.client.send(now, 1, &[path], true).unwrap_err();
        assert_eq!(error, SendError::Path(path));
    };
    // Hidden, unknown, absent, not readable.
    for path in ["/0/0/1", "/99", "/3303/7", "/3/0/20", "/3/0/4"] {
        refused(path);
    }
    assert_eq!(
        world.client.send(now, 1, &[], true),
        Err(SendError::Nothing)
    );
    assert_eq!(
        world.client.send(now, 7, &[VALUE], true),
        Err(SendError::Unknown)
    );
    let all = [Path::object(3); 9];
    assert_eq!(world.client.send(now, 1, &all, true), Err(SendError::Full));
    world.poll();
    world.assert_silent();
    let mut world = World::registered(Version::V1_0);
    let old = world.client.send(now, 1, &[VALUE], true);
    assert_eq!(old, Err(SendError::Version));
}

#[test]
fn samples_are_bounded() {
    let mut world = json(Version::V1_1);
    for _ in 0..50 {
        world.client.record(world.now, 1, VALUE).unwrap();
    }
    let dropped = world.client.dropped().samples;
    assert!((30..50).contains(&dropped), "{dropped}");
    send(&mut world, &[], true);
    let sent = take(&mut world, Type::Confirmable);
    let count = sent.text().matches("5700").count();
    assert_eq!(count as u32, 50 - dropped);
}

/// An instance that has gone is not announced any more.
#[test]
fn what_is_gone_is_not_sent() {
    let mut world = json(Version::V1_1);
    world.client.record(world.now, 1, VALUE).unwrap();
    world.client.objects_mut().temperature.remove(0);
    world.poll();
    let update = world.take();
    world.answer_with(&update, Code::CHANGED);
    let id = send(&mut world, &[BATTERY], true);
    let sent = take(&mut world, Type::Confirmable);
    assert_eq!(sent.text(), r#"[{"bn":"/","n":"3/0/9","t":0,"v":100}]"#);
    world.answer_with(&sent, Code::CHANGED);
    assert_eq!(ends(&mut world), [(id, Outcome::Delivered)]);
    // With nothing left of it, a Send is dropped.
    let id = {
        world.client.offline();
        let id = send(&mut world, &[Path::object(3304)], true);
        world.client.objects_mut().humidity.remove(0);
        world.client.online(world.now);
        id
    };
    world.poll();
    let update = world.take();
    world.answer_with(&update, Code::CHANGED);
    assert_eq!(ends(&mut world), [(id, Outcome::Dropped)]);
}

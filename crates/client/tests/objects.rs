//! What the ready-made objects do beyond holding values: errors, clock and offset of /3, the period
//! of /7, the states of /9, /16, /19, and what no server may see.

mod common;

use common::several::Several;
use common::{Ask, ask, get, hex, post, put};
use dunlin_client::heapless::Vec;
use dunlin_client::image::{ImageError, ImageInfo, ImageStorage, RamStorage};
use dunlin_client::objects::{
    AppData, Clock, ConnectivityMonitoring, ConnectivityStatistics, Cose, Device, Gateway,
    GatewayRouting, Installation, MqttServer, NewRadioConnectivity, Oscore, Portfolio, Server,
    Software, SoftwareState, SoftwareStorage, VirtualObserveNotify, text,
};
use dunlin_client::{Code, Config, Instances, Multiple, ObjectLink, Single, Version, objects};
use dunlin_coap::OptionNumber;

const TEXT: u16 = 0;
const LINK: u16 = 40;
const OPAQUE: u16 = 42;
const TLV: u16 = 11542;

/// A storage for software that a test tells what succeeds.
#[derive(Default)]
struct Disk {
    image: RamStorage<2000>,
    fails: bool,
    log: std::vec::Vec<String>,
}

impl ImageStorage for Disk {
    fn begin(&mut self, size: Option<u32>) -> Result<(), ImageError> {
        self.image.begin(size)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), ImageError> {
        self.image.write(offset, bytes)
    }

    fn finish(&mut self, _size: u32) -> Result<ImageInfo, ImageError> {
        match self.image.image().first() {
            Some(b'C') => Err(ImageError::Integrity),
            Some(b'T') => Err(ImageError::UnsupportedPackage),
            Some(b'M') => Err(ImageError::NoMemory),
            _ => Ok(ImageInfo {
                name: text("app"),
                version: text("1.5"),
            }),
        }
    }

    fn abort(&mut self) {
        self.image.abort();
    }

    fn stored(&self) -> u32 {
        self.image.stored()
    }
}

impl SoftwareStorage for Disk {
    fn install(&mut self) -> Installation {
        self.log.push("install".to_owned());
        if self.fails {
            Installation::Failed { keeps_image: true }
        } else {
            Installation::Done
        }
    }

    fn uninstall(&mut self, for_update: bool) -> bool {
        self.log.push(format!("uninstall {for_update}"));
        !self.fails
    }

    fn set_active(&mut self, is_active: bool) -> bool {
        self.log.push(format!("active {is_active}"));
        !self.fails
    }
}

struct Things {
    device: Single<Device>,
    monitoring: Single<ConnectivityMonitoring>,
    statistics: Single<ConnectivityStatistics>,
    software: Software<Disk, 2>,
    portfolio: Instances<Portfolio, 2>,
    data: Instances<AppData, 2>,
    oscore: Instances<Oscore, 1>,
    virtual_observe: Instances<VirtualObserveNotify, 1>,
    cose: Instances<Cose, 1>,
    mqtt: Instances<MqttServer, 1>,
    gateway: Instances<Gateway, 1>,
    routing: Instances<GatewayRouting, 1>,
    radio: Instances<NewRadioConnectivity, 1>,
}

objects!(Things {
    device,
    monitoring,
    statistics,
    software,
    portfolio,
    data,
    oscore,
    virtual_observe,
    cose,
    mqtt,
    gateway,
    routing,
    radio
});

type World = Several<Things>;

fn world() -> World {
    let link = ObjectLink {
        object: 16,
        instance: 0,
    };
    let things = Things {
        device: Single::new(Device {
            current_time: Clock::new(1_795_000_000),
            more: [(0, link)].into_iter().collect(),
            ..Device::default()
        }),
        monitoring: Single::new(ConnectivityMonitoring {
            signal_to_noise: Some(12),
            cell_id: Some(268_435_455),
            ..ConnectivityMonitoring::default()
        }),
        statistics: Single::new(ConnectivityStatistics {
            sms_sent: Some(3),
            tx_data: Some(7),
            collection_period: Some(0),
            ..ConnectivityStatistics::default()
        }),
        software: Software::new()
            .with(0, Disk::default())
            .with(1, Disk::default()),
        portfolio: Instances::new().with(0, Portfolio::new(["host", "maker"])),
        data: Instances::new().with(0, AppData::default()),
        oscore: Instances::new().fixed().with(0, Oscore::default()),
        virtual_observe: Instances::new().with(0, VirtualObserveNotify::default()),
        cose: Instances::new().fixed().with(0, Cose::default()),
        mqtt: Instances::new().with(0, MqttServer::default()),
        gateway: Instances::new().fixed().with(0, Gateway::default()),
        routing: Instances::new().fixed().with(0, GatewayRouting::default()),
        radio: Instances::new()
            .fixed()
            .with(0, NewRadioConnectivity::default()),
    };
    let config = Config {
        version: Version::V1_1,
        ..Config::new("dev1")
    };
    let mut world = World::with(config, things, [Server::new(1)]);
    world.register(&[1]);
    world
}

fn execute(uri: &str) -> Ask {
    ask(Code::POST, uri)
}

fn execute_with(uri: &str, arguments: &str) -> Ask {
    post(uri, TEXT, arguments.as_bytes())
}

#[track_caller]
fn read(world: &mut World, uri: &str) -> String {
    world.ask(1, &get(uri).accept(TEXT)).text()
}

/// The error codes in the order of their ids.
#[track_caller]
fn errors(world: &mut World) -> std::vec::Vec<(u16, u8)> {
    world.ask(1, &get("/3/0/11").accept(TLV));
    let errors = &world.client.objects().device.errors;
    errors.iter().map(|(id, code)| (id, *code)).collect()
}

#[test]
fn the_life_of_error_codes() {
    let mut world = world();
    assert_eq!(errors(&mut world), [(0, 0)]);
    // The first takes the place of "no error", a further one gets an instance of its own.
    world.client.objects_mut().device.raise(1);
    assert_eq!(errors(&mut world), [(0, 1)]);
    world.client.objects_mut().device.raise_lasting(8);
    world.client.objects_mut().device.raise(1);
    assert_eq!(errors(&mut world), [(0, 1), (1, 8)]);
    // Gone, its instance goes.
    world.client.objects_mut().device.settle(1);
    assert_eq!(errors(&mut world), [(1, 8)]);
    world.client.objects_mut().device.raise(4);
    assert_eq!(errors(&mut world), [(0, 4), (1, 8)]);
    // Reset: what still holds is found again.
    assert_eq!(world.code(1, &execute("/3/0/12")), "2.04");
    assert_eq!(errors(&mut world), [(0, 8)]);
    world.client.objects_mut().device.settle(8);
    assert_eq!(errors(&mut world), [(0, 0)]);
    assert_eq!(world.code(1, &execute("/3/0/12")), "2.04");
    assert_eq!(errors(&mut world), [(0, 0)]);
    // No more than there is room for, and codes that are none.
    for code in [0, 1, 2, 3, 4, 5, 32, 33] {
        world.client.objects_mut().device.raise_lasting(code);
    }
    assert_eq!(errors(&mut world), [(0, 1), (1, 2), (2, 3), (3, 4)]);
}

#[test]
fn the_clock_goes_on_and_can_be_set() {
    let mut world = world();
    world.seconds(100);
    world.sent.clear();
    assert_eq!(read(&mut world, "/3/0/13"), "1795000100");
    assert_eq!(world.code(1, &put("/3/0/13", TEXT, b"1800000000")), "2.04");
    assert_eq!(read(&mut world, "/3/0/13"), "1800000000");
    world.seconds(61);
    world.sent.clear();
    assert_eq!(read(&mut world, "/3/0/13"), "1800000061");
    // Parts of a second are not lost.
    for _ in 0..4 {
        world.now += std::time::Duration::from_millis(250);
        world.poll();
    }
    world.sent.clear();
    assert_eq!(read(&mut world, "/3/0/13"), "1800000062");
}

#[test]
fn the_clock_causes_no_notification() {
    let mut world = world();
    world.ask(1, &get("/3/0/13").accept(TEXT).observe(0, b"t"));
    world.seconds(600);
    let notified = world.sent.iter().filter(|(_, got)| got.token == b"t");
    assert_eq!(notified.count(), 0);
}

#[test]
fn offsets_are_those_of_iso_8601() {
    let mut world = world();
    for (offset, code) in [
        ("+02:00", "2.04"),
        ("-1130", "2.04"),
        ("+05", "2.04"),
        ("Z", "2.04"),
        ("", "2.04"),
        ("02:00", "4.00"),
        ("+2:00", "4.00"),
        ("+02:", "4.00"),
        ("+02:60", "4.00"),
        ("+15:00", "4.00"),
        ("+0a:00", "4.00"),
        ("+12345", "4.00"),
        ("UTC", "4.00"),
    ] {
        assert_eq!(
            world.code(1, &put("/3/0/14", TEXT, offset.as_bytes())),
            code,
            "{offset}"
        );
    }
    assert_eq!(
        world.code(1, &put("/3/0/15", TEXT, b"Europe/Amsterdam")),
        "2.04"
    );
    // ExtDevInfo: 16:0.
    let answer = world.ask(1, &get("/3/0/22").accept(TLV));
    assert_eq!(answer.payload, hex("86 16 44 00 00 10 00 00"));
    assert_eq!(world.code(1, &put("/3/0/6", TEXT, b"1")), "4.05");
}

#[test]
fn a_collection_ends_with_its_period_or_with_stop() {
    let mut world = world();
    let statistics = |world: &World| {
        let statistics = &world.client.objects().statistics;
        (statistics.is_collecting, statistics.tx_data)
    };
    // Start resets, and without a period only Stop ends.
    assert_eq!(world.code(1, &execute("/7/0/6")), "2.04");
    assert_eq!(statistics(&world), (true, Some(0)));
    assert_eq!(read(&mut world, "/7/0/0"), "0");
    world.client.objects_mut().statistics.tx_data = Some(5);
    world.seconds(40_000);
    assert_eq!(statistics(&world), (true, Some(5)));
    assert_eq!(world.code(1, &execute("/7/0/7")), "2.04");
    assert_eq!(statistics(&world), (false, Some(5)));
    // With one it ends by itself, to the second.
    assert_eq!(world.code(1, &put("/7/0/8", TEXT, b"60")), "2.04");
    assert_eq!(world.code(1, &execute("/7/0/6")), "2.04");
    world.seconds(59);
    assert!(statistics(&world).0);
    world.seconds(1);
    assert_eq!(statistics(&world), (false, Some(0)));
    // Start again begins anew.
    assert_eq!(world.code(1, &execute("/7/0/6")), "2.04");
    world.seconds(40);
    assert_eq!(world.code(1, &execute("/7/0/6")), "2.04");
    world.seconds(40);
    assert!(statistics(&world).0);
    world.seconds(20);
    assert!(!statistics(&world).0);
}

#[test]
fn monitoring_has_the_resources_of_1_3() {
    let mut world = world();
    assert_eq!(read(&mut world, "/4/0/8"), "268435455");
    assert_eq!(read(&mut world, "/4/0/11"), "12");
    assert_eq!(world.code(1, &get("/4/0/13")), "4.04");
    assert_eq!(world.code(1, &put("/4/0/11", TEXT, b"1")), "4.05");
}

fn package(bytes: &[u8]) -> Ask {
    put("/9/0/2", OPAQUE, bytes)
}

/// `/9/0/7`, `/9/0/9` and `/9/0/12`.
#[track_caller]
fn software(world: &mut World) -> (u8, u8, bool) {
    let number = |text: String| text.parse::<u8>().unwrap();
    (
        number(read(world, "/9/0/7")),
        number(read(world, "/9/0/9")),
        read(world, "/9/0/12") == "1",
    )
}

/// Brings a package into a state.
fn reach(world: &mut World, state: u8) {
    match state {
        0 => {}
        1 => {
            let first = package(&[7; 16]).block1(0, true, 0);
            assert_eq!(world.code(1, &first), "2.31");
        }
        3 => assert_eq!(world.code(1, &package(b"good")), "2.04"),
        4 => {
            reach(world, 3);
            assert_eq!(world.code(1, &execute("/9/0/4")), "2.04");
        }
        _ => unreachable!(),
    }
    assert_eq!(software(world).0, state);
}

/// The table of `/9`, and that everything outside of it is 4.05.
#[test]
fn states_of_software() {
    let uri = |text: &str| put("/9/0/3", TEXT, text.as_bytes());
    type Row<'a> = (u8, Ask, &'a str, (u8, u8, bool));
    let rows: &[Row<'_>] = &[
        (0, package(b"good"), "2.04", (3, 3, false)),
        (
            0,
            package(&[7; 16]).block1(0, true, 0),
            "2.31",
            (1, 1, false),
        ),
        (0, uri("coap://192.0.2.1/x"), "2.04", (1, 1, false)),
        (0, uri("coap://nobody/x"), "2.04", (0, 56, false)),
        (0, uri("https://192.0.2.1/x"), "2.04", (0, 56, false)),
        (0, package(b"Corrupt"), "2.04", (0, 53, false)),
        (0, package(b"Type"), "2.04", (0, 54, false)),
        (0, package(b"Memory"), "2.04", (0, 51, false)),
        (0, package(&[7; 3000]), "2.04", (0, 50, false)),
        (
            1,
            package(&[7; 4]).block1(1, false, 0),
            "2.04",
            (3, 3, false),
        ),
        (3, execute("/9/0/4"), "2.04", (4, 2, false)),
        (3, execute("/9/0/6"), "2.04", (0, 0, false)),
        (3, execute_with("/9/0/6", "0"), "2.04", (0, 0, false)),
        (4, execute("/9/0/6"), "2.04", (0, 0, false)),
        (4, execute_with("/9/0/6", "1"), "2.04", (0, 0, false)),
        (4, execute_with("/9/0/6", "2"), "4.00", (4, 2, false)),
        (4, execute_with("/9/0/6", "0,1"), "4.00", (4, 2, false)),
        (4, execute("/9/0/10"), "2.04", (4, 2, true)),
        (4, execute("/9/0/11"), "2.04", (4, 2, false)),
        // Outside.
        (1, package(b"other"), "4.05", (1, 1, false)),
        (1, uri("coap://192.0.2.1/x"), "4.05", (1, 1, false)),
        (3, package(b"other"), "4.05", (3, 3, false)),
        (
            3,
            package(&[7; 16]).block1(0, true, 0),
            "4.05",
            (3, 3, false),
        ),
        (3, uri("coap://192.0.2.1/x"), "4.05", (3, 3, false)),
        (3, execute_with("/9/0/6", "1"), "4.05", (3, 3, false)),
        (4, package(b"other"), "4.05", (4, 2, false)),
        (0, execute("/9/0/4"), "4.05", (0, 0, false)),
        (1, execute("/9/0/4"), "4.05", (1, 1, false)),
        (4, execute("/9/0/4"), "4.05", (4, 2, false)),
        (0, execute("/9/0/6"), "4.05", (0, 0, false)),
        (1, execute("/9/0/6"), "4.05", (1, 1, false)),
        (0, execute("/9/0/10"), "4.05", (0, 0, false)),
        (3, execute("/9/0/10"), "4.05", (3, 3, false)),
        (3, execute("/9/0/11"), "4.05", (3, 3, false)),
        (0, get("/9/0/2"), "4.05", (0, 0, false)),
        (0, get("/9/0/3"), "4.05", (0, 0, false)),
        (0, get("/9/0/15"), "4.05", (0, 0, false)),
        (0, post("/9", TLV, &[]), "4.05", (0, 0, false)),
        (0, ask(Code::DELETE, "/9/0"), "4.05", (0, 0, false)),
    ];
    for (from, request, code, state) in rows {
        let mut world = world();
        reach(&mut world, *from);
        let what = format!(
            "{from} {} {} {:?}",
            request.code, request.uri, request.payload
        );
        let answer = world.ask(1, request);
        assert_eq!(answer.code.to_string(), *code, "{what}");
        world.sent.clear();
        assert_eq!(software(&mut world), *state, "{what}");
    }
}

#[test]
fn software_that_fails() {
    let mut world = world();
    reach(&mut world, 3);
    let fails = |world: &mut World, fails: bool| {
        // The storage belongs to the object; a test reaches it like the application.
        world
            .client
            .objects_mut()
            .software
            .storage_mut(0)
            .unwrap()
            .fails = fails;
    };
    fails(&mut world, true);
    assert_eq!(world.code(1, &execute("/9/0/4")), "2.04");
    assert_eq!(software(&mut world), (3, 58, false));
    assert_eq!(world.code(1, &execute("/9/0/6")), "2.04");
    assert_eq!(software(&mut world), (3, 59, false));
    fails(&mut world, false);
    assert_eq!(world.code(1, &execute("/9/0/4")), "2.04");
    assert_eq!(software(&mut world), (4, 2, false));
    fails(&mut world, true);
    assert_eq!(world.code(1, &execute("/9/0/10")), "5.00");
    assert_eq!(world.code(1, &execute("/9/0/6")), "2.04");
    assert_eq!(software(&mut world), (4, 59, false));
    // A package that is not finished.
    let first = put("/9/1/2", OPAQUE, &[7; 16]).block1(0, true, 0);
    assert_eq!(world.code(1, &first), "2.31");
    world.seconds(247);
    assert_eq!(
        world.client.objects().software.get(1).unwrap().state(),
        SoftwareState::Initial
    );
    world.sent.clear();
    assert_eq!(read(&mut world, "/9/1/9"), "52");
}

#[test]
fn software_for_update_stays_until_it_is_replaced() {
    let mut world = world();
    reach(&mut world, 4);
    assert_eq!(read(&mut world, "/9/0/1"), "1.5");
    world.code(1, &execute("/9/0/10"));
    world.code(1, &execute_with("/9/0/6", "1"));
    assert_eq!(software(&mut world), (0, 0, true));
    assert_eq!(world.code(1, &package(b"next")), "2.04");
    assert_eq!(software(&mut world), (3, 3, true));
    assert_eq!(world.code(1, &execute("/9/0/4")), "2.04");
    assert_eq!(software(&mut world), (4, 2, false));
    let log = &world.client.objects().software.storage(0).unwrap().log;
    assert_eq!(
        *log,
        ["install", "active true", "uninstall true", "install"]
    );
}

#[test]
fn software_is_fetched_like_firmware() {
    let mut world = world();
    let uri = put("/9/1/3", TEXT, b"coap://192.0.2.1:5681/app");
    assert_eq!(world.code(1, &uri), "2.04");
    let request = world.take_for(1);
    assert_eq!(request.path(), "/app");
    assert_eq!(request.uint(OptionNumber::BLOCK2), Some(6));
    world.content(1, &request, b"software");
    assert_eq!(read(&mut world, "/9/1/7"), "3");
    assert_eq!(read(&mut world, "/9/1/9"), "3");
    assert_eq!(read(&mut world, "/9/0/7"), "0");
}

#[test]
fn authentication_of_the_portfolio() {
    let mut world = world();
    assert_eq!(read(&mut world, "/16/0/3"), "0");
    assert_eq!(world.code(1, &execute_with("/16/0/1", "0='nonce'")), "2.04");
    let portfolio = |world: &mut World, act: &dyn Fn(&mut Portfolio)| {
        act(world.client.objects_mut().portfolio.get_mut(0).unwrap());
        world.poll();
    };
    let request = world
        .client
        .objects()
        .portfolio
        .get(0)
        .unwrap()
        .request
        .clone();
    assert_eq!(request.as_deref(), Some("nonce"));
    let data: Multiple<Vec<u8, 64>, 4> = [(0, Vec::from_slice(b"signed").unwrap())]
        .into_iter()
        .collect();
    portfolio(&mut world, &|portfolio| portfolio.answer(data.clone()));
    assert_eq!(read(&mut world, "/16/0/3"), "1");
    let answer = world.ask(1, &get("/16/0/2").accept(TLV));
    assert_eq!(answer.payload, hex("88 02 08 46 00 7369676E6564"));
    portfolio(&mut world, &Portfolio::delivered);
    assert_eq!(read(&mut world, "/16/0/3"), "0");
    portfolio(&mut world, &Portfolio::refuse);
    assert_eq!(read(&mut world, "/16/0/3"), "2");
    assert_eq!(world.code(1, &execute("/16/0/1")), "2.04");
    assert_eq!(read(&mut world, "/16/0/3"), "0");
    // Any ids, and instances that come and go.
    assert_eq!(
        world.code(1, &put("/16/0/0", TLV, &hex("43 07 616263"))),
        "2.04"
    );
    let answer = world.ask(1, &get("/16/0/0").accept(TLV));
    assert_eq!(answer.payload, hex("85 00 43 07 616263"));
    assert_eq!(
        world.code(1, &post("/16", TLV, &hex("83 00 41 00 61"))),
        "2.01"
    );
    world.sent.clear();
    assert_eq!(world.code(1, &ask(Code::DELETE, "/16/1")), "2.02");
}

#[test]
fn application_data_is_written_and_read() {
    let mut world = world();
    let body = [&hex("48 00 C8")[..], &[0xA5; 200]].concat();
    assert_eq!(world.code(1, &put("/19/0/0", TLV, &body)), "2.04");
    let answer = world.ask(1, &get("/19/0/0").accept(TLV));
    assert_eq!(answer.payload[answer.payload.len() - 200..], [0xA5; 200]);
    for (uri, value, code) in [
        ("/19/0/1", "2", "2.04"),
        ("/19/0/1", "256", "4.00"),
        ("/19/0/3", "meter readings", "2.04"),
        (
            "/19/0/3",
            "a description of more than thirty-two bytes",
            "4.00",
        ),
        ("/19/0/5", "65535", "2.04"),
        ("/19/0/5", "65536", "4.00"),
    ] {
        assert_eq!(
            world.code(1, &put(uri, TEXT, value.as_bytes())),
            code,
            "{uri} {value}"
        );
    }
}

#[test]
fn keys_are_hidden_and_the_rest_is_there() {
    let mut world = world();
    for uri in ["/21", "/21/0", "/21/0/0", "/23", "/23/0/2"] {
        for request in [
            get(uri),
            get(uri).accept(LINK),
            put(uri, TLV, b"x"),
            ask(Code::DELETE, uri),
        ] {
            assert_eq!(world.code(1, &request), "4.01", "{} {uri}", request.code);
        }
    }
    for uri in ["/22/0", "/24/0", "/25/0", "/26/0", "/27/0"] {
        assert_eq!(world.code(1, &get(uri)), "2.05", "{uri}");
    }
    for (uri, value, code) in [
        ("/22/0/4", "1", "2.04"),
        ("/22/0/1", "x", "4.05"),
        ("/24/0/4", "3", "2.04"),
        ("/24/0/4", "4", "4.00"),
        ("/24/0/6", "client1", "2.04"),
        ("/25/0/1", "d1", "4.05"),
        ("/27/0/0", "2", "4.05"),
    ] {
        assert_eq!(
            world.code(1, &put(uri, TEXT, value.as_bytes())),
            code,
            "{uri} {value}"
        );
    }
    // Not in the list of the registration either.
    world.connect(1);
    world.poll();
    let (_, register) = world.take();
    let list = register.text();
    assert!(!list.contains("</21") && !list.contains("</23"), "{list}");
    assert!(list.contains("</25>;ver=2.0,</25/0>"), "{list}");
    // Nor does a trace of the device's memory tell them.
    let oscore = Oscore {
        master_secret: Vec::from_slice(b"secret").unwrap(),
        ..Oscore::default()
    };
    assert!(!format!("{oscore:?}").contains("115"), "{oscore:?}");
}

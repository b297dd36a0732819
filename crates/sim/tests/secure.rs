//! Devices with DTLS and a shard, over a network that loses, doubles and reorders, in virtual time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use dunlin_client::objects::{Device as DeviceObject, Security, Temperature, text};
use dunlin_client::secure::{MemorySessions, SecureClient, SessionStorage, Settings};
use dunlin_client::{
    Client, Config, Event, FixedKeys, Input as ClientInput, Instances, Output as ClientOutput,
    RegistrationState, Single, StorageError, Version,
};
use dunlin_coap::{Instant, Rng};
use dunlin_dtls::{Secret, ServerConfig};
use dunlin_server::Socket;
use dunlin_server::credentials::{CredentialService, Material, NewCredential};
use dunlin_server::directory::Directory;
use dunlin_server::shard::{Input, Output, Shard, ShardConfig};
use dunlin_sim::netem::{Impairment, Netem, SeededRng};

type Keys = FixedKeys<32, 0, 16>;
type Things = (Single<DeviceObject>, Instances<Temperature, 1>);
type Inner = Client<Things, 1, 4, 4, 1024, 1152, 256, Keys>;

const KEY: &[u8; 16] = b"0123456789abcdef";

/// What a device keeps while it is off.
#[derive(Clone, Default)]
struct Flash(std::rc::Rc<std::cell::RefCell<MemorySessions>>);

impl SessionStorage for Flash {
    fn save(&mut self, server: u16, record: &[u8]) -> Result<(), StorageError> {
        self.0.borrow_mut().save(server, record)
    }

    fn load(&mut self, server: u16) -> Result<Option<Vec<u8>>, StorageError> {
        self.0.borrow_mut().load(server)
    }

    fn erase(&mut self, server: u16) -> Result<(), StorageError> {
        self.0.borrow_mut().erase(server)
    }
}

struct Device {
    host: SocketAddr,
    name: String,
    flash: Flash,
    secure: Box<SecureClient<Inner, Flash>>,
    events: Vec<Event>,
}

impl Device {
    fn new(index: u16, rng: &mut SeededRng) -> Self {
        let name = format!("dev-{index}");
        let flash = Flash::default();
        Self {
            host: SocketAddr::from(([198, 51, 100, 1], 1000 + index)),
            secure: secure(&name, &flash, rng),
            name,
            flash,
            events: Vec::new(),
        }
    }

    fn is_registered(&self) -> bool {
        matches!(
            self.secure.client().state(),
            RegistrationState::Registered | RegistrationState::Updating
        )
    }
}

fn secure(name: &str, flash: &Flash, rng: &mut SeededRng) -> Box<SecureClient<Inner, Flash>> {
    let things = (
        Single::new(DeviceObject {
            serial: text(name),
            ..DeviceObject::default()
        }),
        Instances::new().with(0, Temperature::new(20.0)),
    );
    let config = Config {
        version: Version::V1_1,
        ..Config::new(name)
    };
    let mut client = Inner::new(config, things, rng);
    client.server_mut().lifetime = 300;
    let account = Security::psk("coaps://server.example", name.as_bytes(), KEY);
    let account = account.expect("fits");
    client.provision(1, account).expect("is there");
    Box::new(SecureClient::new(
        client,
        flash.clone(),
        Settings::default(),
    ))
}

struct World {
    now: Instant,
    rng: SeededRng,
    network: Netem<SocketAddr>,
    server: SocketAddr,
    shard: Shard,
    devices: Vec<Device>,
}

impl World {
    fn new(seed: u64, impairment: Impairment, devices: u16) -> Self {
        let mut rng = SeededRng::new(seed);
        let service = CredentialService::in_memory().expect("opens");
        let devices: Vec<Device> = (0..devices)
            .map(|index| Device::new(index, &mut rng))
            .collect();
        for device in &devices {
            let created = service.create(NewCredential {
                endpoint: Some(device.name.clone()),
                material: Material::Psk {
                    identity: Some(device.name.clone().into_bytes()),
                    key: Some(Secret::new(KEY)),
                },
            });
            created.expect("taken");
        }
        let mut shard = Shard::new(ShardConfig {
            access: Arc::new(service),
            ..ShardConfig::single(Arc::new(Directory::new(1, seed)))
        });
        shard.serve_dtls(ServerConfig::default(), &mut rng);
        let mut world = Self {
            now: Instant::from_secs(1000),
            network: Netem::new(seed ^ 0x5EC, impairment),
            rng,
            server: "192.0.2.1:5684".parse().expect("an address"),
            shard,
            devices,
        };
        for index in 0..world.devices.len() {
            world.connect(index);
        }
        world
    }

    fn connect(&mut self, index: usize) {
        let (now, server) = (self.now, self.server);
        self.devices[index].secure.client_mut().connect(now, server);
        self.device_input(index, ClientInput::Timer);
    }

    fn device_input(&mut self, index: usize, input: ClientInput<'_>) {
        let device = &mut self.devices[index];
        let mut outputs = device.secure.handle(self.now, &mut self.rng, input);
        while let Some(output) = outputs.next() {
            match output {
                ClientOutput::Transmit { to, bytes } => {
                    self.network.send(self.now, device.host, to, bytes);
                }
                ClientOutput::Event(event) => device.events.push(event),
            }
        }
        drop(outputs);
        let next = device.secure.next_timeout();
        assert!(
            next.is_none_or(|next| next > self.now),
            "all that was due is done"
        );
    }

    fn shard_input(&mut self, input: Input<'_>) {
        let mut outputs = self.shard.handle(self.now, input, &mut self.rng);
        while let Some(output) = outputs.next() {
            if let Output::Transmit { to, bytes, .. } = output {
                self.network.send(self.now, self.server, to, bytes);
            }
        }
    }

    fn step(&mut self, end: Instant) -> bool {
        let devices = self
            .devices
            .iter()
            .map(|device| device.secure.next_timeout());
        let next = [self.network.next_arrival(), self.shard.next_timeout()]
            .into_iter()
            .chain(devices)
            .flatten()
            .min()
            .filter(|next| *next <= end);
        let Some(next) = next else {
            self.now = end;
            return false;
        };
        self.now = self.now.max(next);
        while let Some(delivery) = self.network.receive(self.now) {
            let (from, bytes) = (delivery.from, &delivery.bytes);
            if delivery.to == self.server {
                let socket = Socket::Coaps;
                self.shard_input(Input::Datagram {
                    socket,
                    from,
                    bytes,
                });
            } else if let Some(index) = self
                .devices
                .iter()
                .position(|device| device.host == delivery.to)
            {
                self.device_input(index, ClientInput::Datagram { from, bytes });
            }
        }
        if self.shard.next_timeout().is_some_and(|at| at <= self.now) {
            self.shard_input(Input::Timeout);
        }
        for index in 0..self.devices.len() {
            let next = self.devices[index].secure.next_timeout();
            if next.is_some_and(|at| at <= self.now) {
                self.device_input(index, ClientInput::Timer);
            }
        }
        true
    }

    fn seconds(&mut self, seconds: u64) {
        let end = self.now + Duration::from_secs(seconds);
        while self.step(end) {}
    }

    #[track_caller]
    fn until_all_are_registered(&mut self) {
        let end = self.now + Duration::from_secs(4000);
        while !self.devices.iter().all(Device::is_registered) {
            assert!(self.step(end), "they do not register");
        }
    }

    fn count(&self, matches: impl Fn(&Event) -> bool) -> usize {
        let events = self.devices.iter().flat_map(|device| &device.events);
        events.filter(|event| matches(event)).count()
    }
}

fn bad(probability: f64) -> Impairment {
    Impairment {
        loss: probability,
        duplicate: probability,
        reorder: probability,
        reorder_delay: Duration::from_millis(900),
        delay: Duration::from_millis(50),
        jitter: Duration::from_millis(200),
    }
}

fn is_connected(event: &Event) -> bool {
    matches!(event, Event::Connected { .. })
}

/// Through loss there is one handshake for each device, and no more over an hour of Updates.
#[test]
fn devices_register_and_stay_over_a_bad_network() {
    for seed in 0..8 {
        let mut world = World::new(seed, bad(0.1), 4);
        world.until_all_are_registered();
        world.seconds(3600);
        assert!(
            world.devices.iter().all(Device::is_registered),
            "seed {seed}"
        );
        assert!(world.count(|event| matches!(event, Event::Updated { .. })) > 4 * 12);
        let connected = world.count(is_connected);
        let silent = world.count(|event| matches!(event, Event::ConnectionClosed { .. }));
        assert_eq!(connected, 4 + silent, "seed {seed}");
    }
}

/// Another address at any moment: the session goes on by its connection id.
#[test]
fn devices_move_without_a_handshake() {
    for seed in 0..8 {
        let mut world = World::new(seed, bad(0.05), 3);
        world.until_all_are_registered();
        for port in 0..5 {
            for index in 0..world.devices.len() {
                let address = SocketAddr::from(([203, 0, 113, 1 + index as u8], 2000 + port));
                world.network.rebind(world.devices[index].host, address);
                let now = world.now;
                world.devices[index].secure.rebind(now);
                world.device_input(index, ClientInput::Timer);
            }
            let wait = world.rng.below(400);
            world.seconds(wait);
        }
        world.until_all_are_registered();
        assert_eq!(world.count(is_connected), 3, "seed {seed}");
        let registered = world.count(|event| matches!(event, Event::Registered { .. }));
        assert_eq!(registered, 3, "seed {seed}");
    }
}

/// The power fails at any moment: the device comes back, without a handshake once it has had one.
#[test]
fn devices_come_back_after_a_crash() {
    for seed in 0..8 {
        let mut world = World::new(seed, bad(0.05), 2);
        world.until_all_are_registered();
        for _ in 0..6 {
            let wait = world.rng.below(200);
            world.seconds(wait);
            for index in 0..world.devices.len() {
                let device = &mut world.devices[index];
                device.secure = secure(&device.name, &device.flash, &mut world.rng);
                world.connect(index);
            }
            world.until_all_are_registered();
        }
        let handshakes = world.count(|event| {
            matches!(
                event,
                Event::Connected {
                    context: dunlin_client::Context::New | dunlin_client::Context::Resumed,
                    ..
                }
            )
        });
        let silent = world.count(|event| matches!(event, Event::ConnectionClosed { .. }));
        assert!(
            handshakes <= 2 + silent,
            "seed {seed}: {handshakes}, {silent}"
        );
    }
}

/// Nothing depends on the order in which a generator is asked.
#[test]
fn a_seed_gives_the_same_run() {
    let run = |seed| {
        let mut world = World::new(seed, bad(0.1), 3);
        world.seconds(600);
        (world.now, world.rng.next_u64(), world.count(|_| true))
    };
    assert_eq!(run(3), run(3));
}

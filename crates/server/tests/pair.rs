//! Server engine and client engines over an impaired network in virtual time, from a seed.
#![allow(missing_docs, reason = "tests")]

use core::time::Duration;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use dunlin_client::objects::{Device as DeviceObject, Temperature};
use dunlin_client::{Client, Config, Input as ClientInput, Instances, Output as ClientOutput};
use dunlin_client::{Single, objects};
use dunlin_coap::{Code, Instant};
use dunlin_lwm2m::model::Models;
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_lwm2m::{OwnedRecord, OwnedValue, Path};
use dunlin_server::api::{
    DeviceOperation, Observed, OperateError, OperateOptions, Outcome, WishState,
};
use dunlin_server::directory::Directory;
use dunlin_server::shard::{
    Command, Input, Limits, Output, Persist, Reply, Shard, ShardConfig, StoredRegistration,
    StoredWish,
};
use dunlin_sim::netem::{Impairment, Netem, SeededRng};

struct Things {
    device: Single<DeviceObject>,
    temperature: Instances<Temperature, 2>,
}

objects!(Things {
    device,
    temperature
});

type Device = Client<Things, 1, 4, 4, 1024, 1152>;

const SERVER: &str = "192.0.2.1:5683";
const TEMPERATURE: Path = Path::resource(3303, 0, 5700);

/// Server, devices, and the network between them. What the server persists is on disk a few
/// milliseconds later.
struct Pair {
    now: Instant,
    network: Netem<SocketAddr>,
    rng: SeededRng,
    shard: Shard,
    server: SocketAddr,
    devices: Vec<(SocketAddr, Device)>,
    writing: Vec<(Instant, u64, Persist)>,
    registrations: BTreeMap<String, StoredRegistration>,
    wishes: BTreeMap<u64, StoredWish>,
    replies: BTreeMap<u64, Reply>,
    next_id: u64,
}

fn shard(directory: Directory) -> Shard {
    let limits = Limits {
        exchanges: 64,
        seen: 4096,
        ..Limits::default()
    };
    Shard::new(ShardConfig {
        durable: true,
        limits,
        models: Arc::new(Models::embedded()),
        ..ShardConfig::single(Arc::new(directory))
    })
}

impl Pair {
    fn new(seed: u64, devices: u16, impairment: Impairment) -> Self {
        let mut rng = SeededRng::new(seed);
        let now = Instant::from_secs(100);
        let server: SocketAddr = SERVER.parse().expect("address");
        let devices = (0..devices).map(|number| {
            let address = SocketAddr::from(([198, 51, 100, 1], 1000 + number));
            let mut config = Config::new(&format!("dev-{number}"));
            // 1.0 is a device of its own kind; the others are of 1.1 and 1.2.
            config.version = match number % 3 {
                0 => dunlin_client::Version::V1_0,
                1 => dunlin_client::Version::V1_1,
                _ => dunlin_client::Version::V1_2,
            };
            config.confirmable_notifications = true;
            let things = Things {
                device: Single::new(DeviceObject::default()),
                temperature: Instances::new().with(0, Temperature::new(20.0)),
            };
            let mut device = Device::new(config, things, &mut rng);
            device.server_mut().lifetime = 600;
            device.connect(now, server);
            (address, device)
        });
        Self {
            devices: devices.collect(),
            now,
            network: Netem::new(seed, impairment),
            rng: SeededRng::new(seed + 1),
            shard: shard(Directory::new(1, seed)),
            server,
            writing: Vec::new(),
            registrations: BTreeMap::new(),
            wishes: BTreeMap::new(),
            replies: BTreeMap::new(),
            next_id: 0,
        }
    }

    fn serve(&mut self, input: Input<'_>) {
        let mut outputs = self.shard.handle(self.now, input, &mut self.rng);
        while let Some(output) = outputs.next() {
            match output {
                Output::Transmit { to, bytes, .. } => {
                    self.network.send(self.now, self.server, to, bytes);
                }
                Output::Persist { sequence, change } => {
                    let at = self.now + Duration::from_millis(5);
                    self.writing.push((at, sequence, change));
                }
                Output::Reply { id, reply } => {
                    assert!(self.replies.insert(id, reply).is_none(), "one reply each");
                }
                Output::Event { .. } | Output::Ended { .. } => {}
                Output::Handover { .. } | Output::Evict { .. } => panic!("there is one shard"),
            }
        }
    }

    fn device(&mut self, index: usize, input: ClientInput<'_>) {
        let (address, device) = &mut self.devices[index];
        let mut outputs = device.handle(self.now, &mut self.rng, input);
        while let Some(output) = outputs.next() {
            if let ClientOutput::Transmit { to, bytes } = output {
                self.network.send(self.now, *address, to, bytes);
            }
        }
    }

    /// What has been written by now is on disk.
    fn write(&mut self) {
        let mut through = None;
        while let Some((at, sequence, _)) = self.writing.first() {
            if *at > self.now {
                break;
            }
            through = Some(*sequence);
            match self.writing.remove(0).2 {
                Persist::Registration(stored) => {
                    self.registrations.insert(stored.endpoint.clone(), stored);
                }
                Persist::RemoveRegistration { endpoint, .. } => {
                    self.registrations.remove(&endpoint);
                }
                Persist::Wish(stored) => {
                    self.wishes.insert(stored.id, stored);
                }
                Persist::RemoveWish { id, .. } => {
                    self.wishes.remove(&id);
                }
                Persist::Values(_)
                | Persist::Send(_)
                | Persist::Profile { .. }
                | Persist::RemoveProfile { .. }
                | Persist::RemoveSends { .. }
                | Persist::Operation(_)
                | Persist::RemoveOperation(_)
                | Persist::Session(_)
                | Persist::RemoveSession { .. }
                | Persist::AwakeTime(_) => {}
            }
        }
        if let Some(through) = through {
            self.serve(Input::Durable { through });
        }
    }

    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let next = [
                self.network.next_arrival(),
                self.shard.next_timeout(),
                self.writing.first().map(|(at, ..)| *at),
            ]
            .into_iter()
            .chain(self.devices.iter().map(|(_, device)| device.next_timeout()))
            .flatten()
            .min();
            match next {
                Some(next) if next <= end => self.now = self.now.max(next),
                _ => break,
            }
            self.write();
            while let Some(delivery) = self.network.receive(self.now) {
                if delivery.to == self.server {
                    self.serve(Input::Datagram {
                        socket: dunlin_server::Socket::Coap,
                        from: delivery.from,
                        bytes: &delivery.bytes,
                    });
                } else {
                    let index = usize::from(delivery.to.port() - 1000);
                    let input = ClientInput::Datagram {
                        from: delivery.from,
                        bytes: &delivery.bytes,
                    };
                    self.device(index, input);
                }
            }
            let due = |at: Option<Instant>| at.is_some_and(|at| at <= self.now);
            if due(self.shard.next_timeout()) {
                self.serve(Input::Timeout);
            }
            for index in 0..self.devices.len() {
                if self.devices[index]
                    .1
                    .next_timeout()
                    .is_some_and(|at| at <= self.now)
                {
                    self.device(index, ClientInput::Timer);
                }
            }
        }
        self.now = end;
    }

    fn seconds(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    fn ask(&mut self, command: impl FnOnce(u64) -> Command) -> u64 {
        self.next_id += 1;
        self.serve(Input::Command(command(self.next_id)));
        self.next_id
    }

    fn operate(&mut self, device: usize, operation: DeviceOperation) -> u64 {
        self.ask(|id| Command::Operate {
            id,
            endpoint: format!("dev-{device}"),
            operation,
            options: OperateOptions {
                format: None,
                timeout: Duration::from_secs(240),
                confirmable: true,
            },
        })
    }

    fn outcome(&mut self, id: u64) -> Result<Outcome, OperateError> {
        match self.replies.remove(&id) {
            Some(Reply::Operated(outcome)) => outcome,
            other => panic!("{other:?}"),
        }
    }

    fn add_wish(&mut self, device: usize) {
        let id = self.ask(|id| Command::AddWish {
            id,
            endpoint: format!("dev-{device}"),
            observed: Observed::path(TEMPERATURE),
        });
        assert!(matches!(self.replies.remove(&id), Some(Reply::Wish(Ok(_)))));
    }

    fn registered(&mut self) -> u64 {
        let id = self.ask(|id| Command::Stats { id });
        match self.replies.remove(&id) {
            Some(Reply::Stats(stats)) => stats.devices,
            other => panic!("{other:?}"),
        }
    }

    /// The state and the last known value of the wish of a device.
    fn observed(&mut self, device: usize) -> (WishState, Option<OwnedValue>) {
        let id = self.ask(|id| Command::Wishes {
            id,
            endpoint: format!("dev-{device}"),
        });
        match self.replies.remove(&id) {
            Some(Reply::Wishes(Some(wishes))) => {
                let value = wishes[0]
                    .records
                    .first()
                    .and_then(|record| record.value.clone());
                (wishes[0].state.clone(), value)
            }
            other => panic!("{other:?}"),
        }
    }

    fn set(&mut self, device: usize, celsius: f64) {
        let things = self.devices[device].1.objects_mut();
        let temperature = things.temperature.get_mut(0).expect("instance 0");
        temperature.measure(celsius);
        self.device(device, ClientInput::Timer);
    }

    /// The server dies and comes back with what is on disk.
    fn crash(&mut self, seed: u64) {
        self.writing.clear();
        self.shard = shard(Directory::new(1, seed));
        for stored in self.registrations.values() {
            assert!(self.shard.restore(self.now, stored));
        }
        for stored in self.wishes.values() {
            assert!(self.shard.restore_wish(stored));
        }
    }
}

fn bad_network() -> Impairment {
    Impairment {
        // One message in ten does not get through with its answer; that five copies in a row fail,
        // which ends a request or an observation for good, is one in a hundred thousand.
        loss: 0.05,
        duplicate: 0.1,
        reorder: 0.1,
        reorder_delay: Duration::from_millis(700),
        delay: Duration::from_millis(40),
        jitter: Duration::from_millis(60),
    }
}

/// Everything that was asked for is done once the network has let it through, whatever it lost,
/// doubled and reordered on the way.
fn life(seed: u64) {
    const DEVICES: u16 = 9;
    let mut pair = Pair::new(seed, DEVICES, bad_network());
    pair.seconds(300);
    assert_eq!(pair.registered(), u64::from(DEVICES), "seed {seed}");
    let all = 0..usize::from(DEVICES);
    for device in all.clone() {
        pair.add_wish(device);
    }
    let writes: Vec<u64> = all
        .clone()
        .map(|device| {
            let path = Path::resource(1, 0, 1);
            let body = vec![OwnedRecord::new(path, OwnedValue::Integer(500))];
            let mode = WriteMode::Replace;
            pair.operate(device, Operation::Write { path, mode, body })
        })
        .collect();
    let reads: Vec<u64> = all
        .clone()
        .map(|device| {
            let path = Path::instance(3303, 0);
            pair.operate(device, Operation::Read { path, accept: None })
        })
        .collect();
    pair.seconds(250);
    for id in writes {
        let outcome = pair
            .outcome(id)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(outcome.code, Code::CHANGED);
    }
    for id in reads {
        let outcome = pair
            .outcome(id)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(
            outcome
                .records
                .iter()
                .any(|record| record.path == TEMPERATURE)
        );
    }
    // One device gets another address, and the server dies in the middle of it all.
    for step in 0..40_u32 {
        for device in all.clone() {
            pair.set(device, 20.0 + f64::from(step));
        }
        if step == 10 {
            let address = "203.0.113.77:7777".parse().expect("address");
            let host = pair.devices[0].0;
            pair.network.rebind(host, address);
        }
        if step == 20 {
            pair.crash(seed + 99);
            assert_eq!(
                pair.registered(),
                u64::from(DEVICES),
                "what was acknowledged"
            );
        }
        pair.seconds(10);
    }
    // The network heals: everybody is back, and the server knows the latest values.
    pair.network.set_impairment(Impairment {
        delay: Duration::from_millis(40),
        ..Impairment::default()
    });
    pair.seconds(700);
    for device in all.clone() {
        pair.set(device, 99.5);
    }
    pair.seconds(5);
    assert_eq!(pair.registered(), u64::from(DEVICES));
    for device in all {
        let expected = (WishState::Active, Some(OwnedValue::Float(99.5)));
        assert_eq!(
            pair.observed(device),
            expected,
            "seed {seed}, device {device}"
        );
    }
}

#[test]
fn a_life_over_a_bad_network() {
    for seed in 0..20 {
        life(seed);
    }
}

#[test]
fn a_storm_over_a_perfect_network_takes_no_repetition() {
    let delay = Duration::from_millis(20);
    let mut pair = Pair::new(
        5,
        200,
        Impairment {
            delay,
            ..Impairment::default()
        },
    );
    pair.seconds(2);
    assert_eq!(pair.registered(), 200);
    // A Register and its answer for each device, nothing else.
    assert_eq!(pair.network.stats().sent, 400);
}

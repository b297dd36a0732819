//! The device of the pair: what it is made of, and a restart that forgets all but its name.

use std::net::SocketAddr;
use std::time::Duration;

use dunlin_client::objects::{Device as DeviceObject, Firmware, Temperature, text};
use dunlin_client::{
    Arguments, Client, Config, Event, Instances, Instant, Multiple, Rng, Single, Version, object,
    objects,
};
use dunlin_lwm2m::definition::{ObjectDefinition, Operations, ResourceDefinition, ResourceType};
use dunlin_lwm2m::{DataType, ObjectVersion};

use crate::flash::Flash;

/// The object in which everything can be done, and its executions are counted.
pub(crate) const BENCH_ID: u16 = 33_001;

const fn resource(
    id: u16,
    operations: Operations,
    data_type: Option<DataType>,
) -> ResourceDefinition {
    ResourceDefinition::new(id, "", operations, data_type)
}

pub(crate) static BENCH: ObjectDefinition = ObjectDefinition {
    id: BENCH_ID,
    name: "Bench",
    version: ObjectVersion::V1_0,
    multiple: true,
    mandatory: false,
    resources: &[
        resource(0, Operations::R, Some(DataType::Integer)),
        resource(1, Operations::RW, Some(DataType::Integer)),
        resource(2, Operations::RW, Some(DataType::String)),
        resource(3, Operations::RW, Some(DataType::Opaque)),
        resource(4, Operations::E, None),
        resource(5, Operations::RW, Some(DataType::Integer)).multiple(),
        resource(6, Operations::RW, Some(DataType::Float)),
        resource(7, Operations::RW, Some(DataType::Boolean)),
    ],
};

/// The server's knowledge of it.
pub(crate) fn bench_type(resource: u16) -> Option<ResourceType> {
    BENCH.resource(resource).map(|found| ResourceType {
        data_type: found.data_type,
        multiple: found.multiple,
    })
}

#[derive(Clone, Default)]
pub(crate) struct Bench {
    pub executed: i64,
    /// The first arguments of the executions, where they are numbers.
    pub runs: heapless::Vec<u16, 128>,
    pub number: i64,
    pub name: heapless::String<64>,
    pub blob: heapless::Vec<u8, 4000>,
    pub numbers: Multiple<i64, 8>,
    pub float: f64,
    pub boolean: bool,
}

impl Bench {
    fn execute(&mut self, arguments: Arguments<'_>) {
        self.executed += 1;
        let number = arguments
            .get(0)
            .flatten()
            .and_then(|text| text.parse().ok());
        self.runs.extend(number);
    }
}

object! {
    impl BENCH for Bench {
        0 => read executed;
        1 => read_write number;
        2 => read_write name;
        3 => read_write blob;
        4 => execute |this, arguments| { this.execute(arguments); Ok(()) };
        5 => read_write numbers;
        6 => read_write float;
        7 => read_write boolean;
    }
}

pub(crate) struct Things {
    pub device: Single<DeviceObject>,
    pub firmware: Firmware<Flash>,
    pub temperature: Instances<Temperature, 2>,
    pub bench: Instances<Bench, 3>,
}

objects!(Things {
    device,
    firmware,
    temperature,
    bench
});

pub(crate) type Engine = Client<Things, 1, 6, 10, 4200, 1152>;

pub(crate) struct Device {
    /// Where it is, whatever address others see.
    pub host: SocketAddr,
    pub name: String,
    pub lifetime: u32,
    pub config: Config,
    /// Survives restarts.
    pub flash: Flash,
    pub engine: Box<Engine>,
    pub events: Vec<(Instant, Event)>,
    /// Grows with each restart: outputs of the life before are void.
    pub life: u32,
    /// Whether its radio is off whenever the engine says that it may be.
    pub dozes: bool,
    /// Asleep: it hears nothing.
    pub deaf: bool,
    /// Restarting until then.
    pub boots_at: Option<Instant>,
}

impl Device {
    pub(crate) fn new(index: u16, version: Version, rng: &mut dyn Rng) -> Self {
        let name = format!("dev-{index}");
        let config = Config {
            version,
            confirmable_notifications: true,
            ..Config::new(&name)
        };
        let flash = Flash::default();
        Self {
            host: SocketAddr::from(([198, 51, 100, 1], 1000 + index)),
            engine: engine(&config, 300, &flash, rng),
            flash,
            name,
            lifetime: 300,
            config,
            events: Vec::new(),
            life: 0,
            dozes: false,
            deaf: false,
            boots_at: None,
        }
    }

    /// The power fails, for so long.
    pub(crate) fn restart(&mut self, now: Instant, off: Duration, rng: &mut dyn Rng) {
        self.engine = engine(&self.config, self.lifetime, &self.flash, rng);
        self.life += 1;
        self.boots_at = Some(now + off);
    }

    pub(crate) fn bench(&self) -> &Bench {
        let bench = self.engine.objects().bench.get(0);
        bench.expect("nobody deletes instance 0")
    }

    pub(crate) fn location(&self) -> String {
        self.engine.location().to_string()
    }

    pub(crate) fn count(&self, matches: impl Fn(&Event) -> bool) -> usize {
        self.events
            .iter()
            .filter(|(_, event)| matches(event))
            .count()
    }

    pub(crate) fn registrations(&self) -> usize {
        self.count(|event| matches!(event, Event::Registered { .. }))
    }
}

fn engine(config: &Config, lifetime: u32, flash: &Flash, rng: &mut dyn Rng) -> Box<Engine> {
    let device = DeviceObject {
        manufacturer: text("Dunlin"),
        ..DeviceObject::default()
    };
    let things = Things {
        device: Single::new(device),
        firmware: Firmware::new(flash.clone()),
        temperature: Instances::new().with(0, Temperature::new(0.0)),
        bench: Instances::new().with(0, Bench::default()),
    };
    let mut engine = Box::new(Client::new(config.clone(), things, rng));
    engine.server_mut().lifetime = lifetime;
    engine
}

//! Programs of operations drawn from a seed: everything that a server can ask of a device of each
//! version, and what happens in the device meanwhile.

use dunlin_client::Version;
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_lwm2m::{Attribute, ContentFormat, Feature, OwnedRecord, OwnedValue, Path};
use dunlin_server::api::{AttributeChanges, DeviceOperation, Observed};
use dunlin_sim::netem::SeededRng;

use crate::device::BENCH_ID;
use crate::harness::TEMPERATURE;

pub(crate) const BENCH: Path = Path::object(BENCH_ID);
pub(crate) const INSTANCE: Path = Path::instance(BENCH_ID, 0);
pub(crate) const NUMBER: Path = bench(1);
pub(crate) const NAME: Path = bench(2);
pub(crate) const BLOB: Path = bench(3);
pub(crate) const RUN: Path = bench(4);
pub(crate) const NUMBERS: Path = bench(5);
pub(crate) const FLOAT: Path = bench(6);
pub(crate) const BOOLEAN: Path = bench(7);
/// What attributes can be attached to.
pub(crate) const OBSERVABLE: [Path; 4] = [TEMPERATURE, NUMBER, FLOAT, BOOLEAN];
/// Paths of all observations together. The device has room for six: one whose cancellation was
/// lost stays until its next notification is rejected.
const OBSERVED: usize = 3;
/// The longest silence of an observation, by which the server learns that the device has lost it.
const PMAX: f64 = 60.0;

const fn bench(resource: u16) -> Path {
    Path::resource(BENCH_ID, 0, resource)
}

/// A request of the server.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// What is counted.
    pub kind: &'static str,
    pub operation: DeviceOperation,
    pub format: Option<ContentFormat>,
}

impl Request {
    /// Whether it may be made again after those that come after it, or has the same answer then.
    fn is_repeatable(&self) -> bool {
        match &self.operation {
            Operation::Create { .. } | Operation::Delete { .. } => false,
            Operation::WriteComposite { body } => body.iter().all(|record| record.value.is_some()),
            _ => true,
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Carried out, again and again until its outcome is known.
    Request(Request),
    /// Put into the durable queue all at once.
    Queue(Vec<Request>),
    Observe(&'static str, Observed),
    /// Drops the oldest wish that is left.
    Forget,
    /// The device measures these, one after another, and sends them together.
    Send {
        values: Vec<f64>,
        confirmable: bool,
    },
    Measure(f64),
    Toggle(bool),
    Lifetime(u32),
    Pass(u64),
}

#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub version: Version,
    pub queue_mode: bool,
    pub steps: Vec<Step>,
}

impl Program {
    pub(crate) fn new(seed: u64) -> Self {
        let version = [Version::V1_0, Version::V1_1, Version::V1_2, Version::V1_2];
        let mut author = Author {
            rng: SeededRng::new(seed ^ 0x5052_4F47),
            version: version[seed as usize % 4],
            executions: 0,
            sent: 0,
            wishes: Vec::new(),
        };
        Self {
            version: author.version,
            queue_mode: seed / 4 % 3 == 2,
            steps: (0..20).map(|_| author.step()).collect(),
        }
    }
}

struct Author {
    rng: SeededRng,
    version: Version,
    executions: u16,
    /// Values sent so far.
    sent: u32,
    /// How many paths each of them has.
    wishes: Vec<usize>,
}

impl Author {
    fn step(&mut self) -> Step {
        match self.rng.below(16) {
            0 => Step::Measure(self.rng.below(4000) as f64 / 4.0),
            1 => Step::Toggle(self.rng.chance(0.5)),
            2 => Step::Pass(1 + self.rng.below(30)),
            3 if self.rng.chance(0.3) => Step::Lifetime(200 + self.rng.below(200) as u32),
            4 if self.wishes.len() > 1 => {
                self.wishes.remove(0);
                Step::Forget
            }
            3..=5 => self.observe(),
            6 => {
                let count = 2 + self.rng.below(4);
                let requests = std::iter::repeat_with(|| self.request());
                let repeatable = requests.filter(Request::is_repeatable);
                Step::Queue(repeatable.take(count as usize).collect())
            }
            7 if self.has(Feature::Send) => self.send(),
            _ => Step::Request(self.request()),
        }
    }

    /// Non-confirmable ones may be lost, so they are told apart by their sign.
    fn send(&mut self) -> Step {
        let confirmable = !self.has(Feature::SendNonConfirmable) || self.rng.chance(0.7);
        let sign = if confirmable { 1.0 } else { -1.0 };
        let count = 1 + self.rng.below(4);
        let values = (0..count).map(|_| {
            self.sent += 1;
            sign * f64::from(self.sent)
        });
        Step::Send {
            values: values.collect(),
            confirmable,
        }
    }

    fn has(&self, feature: Feature) -> bool {
        feature.is_in(self.version)
    }

    fn request(&mut self) -> Request {
        loop {
            if let Some((kind, operation, formats)) = self.draw() {
                let format = self.format(&formats);
                return Request {
                    kind,
                    operation,
                    format,
                };
            }
        }
    }

    /// One of those that the version has, or the choice of the server.
    fn format(&mut self, formats: &[ContentFormat]) -> Option<ContentFormat> {
        let mut formats: Vec<_> = formats.to_vec();
        formats.retain(|format| format.is_in(self.version));
        if formats.is_empty() || self.rng.chance(0.2) {
            return None;
        }
        Some(self.rng.pick(&formats))
    }

    fn draw(&mut self) -> Option<(&'static str, DeviceOperation, Vec<ContentFormat>)> {
        let single = self
            .rng
            .pick(&[NUMBER, NAME, BLOB, FLOAT, BOOLEAN, NUMBERS]);
        let element = Path::resource_instance(BENCH_ID, 0, 5, self.rng.below(4) as u16);
        let composite = self.has(Feature::Composite);
        let drawn = match self.rng.below(18) {
            0 => {
                let path = self
                    .rng
                    .pick(&[single, single, INSTANCE, BENCH, TEMPERATURE]);
                ("Read", read(path), formats_of(path))
            }
            1 if self.has(Feature::ResourceInstanceLevel) => {
                ("Read of an element", read(element), formats_of(element))
            }
            2 => {
                let body = self.values(single);
                let operation = write(single, WriteMode::Replace, body);
                ("Write", operation, formats_of(single))
            }
            3 => {
                let body = [NUMBER, NAME, FLOAT]
                    .into_iter()
                    .flat_map(|path| self.values(path))
                    .collect();
                let operation = write(INSTANCE, WriteMode::Update, body);
                ("Partial Update", operation, formats_of(INSTANCE))
            }
            4 if self.has(Feature::ResourceInstanceLevel) => {
                let value = self.rng.below(1000) as i64;
                let body = vec![OwnedRecord::new(element, OwnedValue::Integer(value))];
                let operation = write(element, WriteMode::Replace, body);
                ("Write of an element", operation, formats_of(element))
            }
            5 if self.has(Feature::ResourceUpdate) => {
                let body = self.values(NUMBERS);
                let operation = write(NUMBERS, WriteMode::Update, body);
                ("Update of a resource", operation, formats_of(NUMBERS))
            }
            6 if self.has(Feature::ResourceInstanceDelete) => {
                let operation = Operation::Delete { path: element };
                ("Delete of an element", operation, Vec::new())
            }
            7 => {
                let body = vec![OwnedRecord::new(
                    BLOB,
                    OwnedValue::Opaque(self.rng.below(256).to_be_bytes().repeat(300)),
                )];
                let operation = write(BLOB, WriteMode::Replace, body);
                ("Write in blocks", operation, formats_of(BLOB))
            }
            8 if composite => {
                let paths = [single, TEMPERATURE, element, Path::resource(3, 0, 0), BENCH];
                let count = 2 + self.rng.below(4) as usize;
                let operation = Operation::ReadComposite {
                    paths: paths[..count].iter().copied().map(path_only).collect(),
                    accept: None,
                };
                ("Read-Composite", operation, COMPOSITE.to_vec())
            }
            9 if composite => {
                let mut body: Vec<_> = [NUMBER, BOOLEAN]
                    .into_iter()
                    .flat_map(|path| self.values(path))
                    .collect();
                if self.rng.chance(0.3) {
                    // Of an instance that is there or not: all of it or nothing.
                    let path = Path::resource(BENCH_ID, 1, 1);
                    body.push(OwnedRecord::new(path, OwnedValue::Integer(11)));
                }
                let mut formats = COMPOSITE.to_vec();
                formats.extend([
                    ContentFormat::SENML_ETCH_CBOR,
                    ContentFormat::SENML_ETCH_JSON,
                ]);
                (
                    "Write-Composite",
                    Operation::WriteComposite { body },
                    formats,
                )
            }
            10 if self.has(Feature::CompositeRemoval) => {
                let mut body = self.values(NUMBER);
                body.push(path_only(element));
                let formats = vec![
                    ContentFormat::SENML_ETCH_CBOR,
                    ContentFormat::SENML_ETCH_JSON,
                ];
                (
                    "Removal of an element",
                    Operation::WriteComposite { body },
                    formats,
                )
            }
            11 => {
                let depth = self.rng.pick(&[None, Some(0), Some(1), Some(2), Some(3)]);
                let path = self.rng.pick(&[BENCH, INSTANCE, NUMBER, NUMBERS]);
                let depth = depth.filter(|_| self.has(Feature::DiscoverDepth));
                let kind = match depth {
                    None => "Discover",
                    Some(_) => "Discover with depth",
                };
                (kind, Operation::Discover { path, depth }, Vec::new())
            }
            12 => {
                let instance = 1 + self.rng.below(2) as u16;
                let body = vec![OwnedRecord::new(
                    Path::resource(BENCH_ID, instance, 1),
                    OwnedValue::Integer(self.rng.below(1000) as i64),
                )];
                let create = Operation::Create {
                    object: BENCH_ID,
                    body: Some(body),
                };
                ("Create", create, formats_of(INSTANCE))
            }
            13 => {
                let value = OwnedValue::Integer(self.rng.below(1000) as i64);
                let body = vec![OwnedRecord::new(
                    Path::resource(BENCH_ID, u16::MAX, 1),
                    value,
                )];
                let without = self.has(Feature::CreateWithoutContent) && self.rng.chance(0.3);
                let create = Operation::Create {
                    object: BENCH_ID,
                    body: (!without).then_some(body),
                };
                let kind = if without {
                    "Create without content"
                } else {
                    "Create with any id"
                };
                let formats = vec![ContentFormat::LWM2M_CBOR, ContentFormat::TLV];
                (kind, create, formats)
            }
            14 => {
                let path = Path::instance(BENCH_ID, 1 + self.rng.below(2) as u16);
                ("Delete", Operation::Delete { path }, Vec::new())
            }
            15 => {
                self.executions += 1;
                let rest = self.rng.pick(&["", ",2", ",1='a b',9"]);
                let arguments = format!("0='{}'{}", self.executions, rest.replace(' ', "-"));
                let path = RUN;
                ("Execute", Operation::Execute { path, arguments }, vec![])
            }
            16 | 17 => {
                let path = self.rng.pick(&OBSERVABLE);
                let path = if self.rng.chance(0.2) { INSTANCE } else { path };
                let (kind, attributes) = self.attributes(path);
                let operation = Operation::WriteAttributes { path, attributes };
                (kind, operation, Vec::new())
            }
            _ => return None,
        };
        Some(drawn)
    }

    /// Attributes of a path; pmax is the wishes'.
    fn attributes(&mut self, path: Path) -> (&'static str, AttributeChanges) {
        let pmin = self.rng.below(40) as f64;
        let mut changes = vec![("pmin", Some(pmin))];
        if self.has(Feature::Epmin) && self.rng.chance(0.3) {
            changes.push(("epmin", Some(1.0 + self.rng.below(9) as f64)));
            changes.push(("epmax", Some(10.0 + self.rng.below(9) as f64)));
        }
        if path == BOOLEAN && self.has(Feature::Edge) {
            changes.push(("edge", Some(self.rng.below(2) as f64)));
        }
        if path != BOOLEAN && path.resource_id().is_some() {
            let name = self.rng.pick(&["gt", "lt", "st"]);
            changes.push((name, Some(3.0 + self.rng.below(40) as f64 / 4.0)));
        }
        if self.has(Feature::Con) {
            changes.push(("con", Some(self.rng.below(2) as f64)));
        }
        if self.has(Feature::Hqmax) && self.rng.chance(0.5) {
            changes.push(("hqmax", Some(1.0 + self.rng.below(5) as f64)));
        }
        if self.rng.chance(0.2) {
            let count = changes.len();
            changes[self.rng.below(count as u64) as usize].1 = None;
        }
        let kind = if changes.iter().any(|(name, _)| is_new(name)) {
            "Write-Attributes of 1.2"
        } else {
            "Write-Attributes"
        };
        (kind, named(&changes))
    }

    fn observe(&mut self) -> Step {
        let room = OBSERVED - self.wishes.iter().sum::<usize>();
        if room == 0 {
            return Step::Pass(5);
        }
        let pmax = ("pmax", Some(PMAX));
        let path = self.rng.pick(&OBSERVABLE);
        let (kind, observed) = match self.rng.below(4) {
            0 if room >= 3 && self.has(Feature::ObserveComposite) => {
                let paths = vec![path, Path::resource(3, 0, 0), NAME];
                let mut observed = Observed::composite(paths);
                if self.has(Feature::ObserveParameters) {
                    let pmin = ("pmin", Some(self.rng.below(10) as f64));
                    observed.parameters = named(&[pmin, pmax]);
                } else {
                    observed.attributes = named(&[pmax]);
                }
                ("Observe-Composite", observed)
            }
            1 | 2 if self.has(Feature::ObserveParameters) => {
                let mut parameters = vec![pmax, ("pmin", Some(self.rng.below(10) as f64))];
                if self.rng.chance(0.5) {
                    parameters.push(("con", Some(self.rng.below(2) as f64)));
                }
                if path != BOOLEAN {
                    parameters.push((self.rng.pick(&["gt", "lt", "st"]), Some(5.0)));
                } else if self.rng.chance(0.5) {
                    parameters.push(("edge", Some(self.rng.below(2) as f64)));
                }
                let parameters = named(&parameters);
                let observed = Observed {
                    parameters,
                    ..Observed::path(path)
                };
                ("Observe with parameters", observed)
            }
            _ => (
                "Observe",
                Observed::path(path).with_attributes(named(&[pmax])),
            ),
        };
        self.wishes.push(observed.targets().len());
        Step::Observe(kind, observed)
    }

    fn values(&mut self, path: Path) -> Vec<OwnedRecord> {
        let number = self.rng.below(1000) as i64;
        let value = match path {
            NAME => OwnedValue::String(format!("name {number}")),
            BLOB => OwnedValue::Opaque(number.to_be_bytes().to_vec()),
            FLOAT => OwnedValue::Float(number as f64 / 4.0),
            BOOLEAN => OwnedValue::Boolean(number % 2 == 0),
            NUMBERS => {
                let count = 1 + self.rng.below(4) as u16;
                return (0..count)
                    .map(|id| {
                        let path = Path::resource_instance(BENCH_ID, 0, 5, id);
                        OwnedRecord::new(path, OwnedValue::Integer(number + i64::from(id)))
                    })
                    .collect();
            }
            _ => OwnedValue::Integer(number),
        };
        vec![OwnedRecord::new(path, value)]
    }
}

const COMPOSITE: [ContentFormat; 3] = [
    ContentFormat::SENML_CBOR,
    ContentFormat::SENML_JSON,
    ContentFormat::LWM2M_CBOR,
];

fn is_new(name: &str) -> bool {
    Attribute::from_name(name).is_some_and(|attribute| attribute.feature().since() == Version::V1_2)
}

fn named(changes: &[(&str, Option<f64>)]) -> AttributeChanges {
    changes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), *value))
        .collect()
}

fn path_only(path: Path) -> OwnedRecord {
    OwnedRecord {
        path,
        time: None,
        value: None,
    }
}

fn read(path: Path) -> DeviceOperation {
    Operation::Read { path, accept: None }
}

fn write(path: Path, mode: WriteMode, body: Vec<OwnedRecord>) -> DeviceOperation {
    Operation::Write { path, mode, body }
}

fn formats_of(path: Path) -> Vec<ContentFormat> {
    let mut formats = vec![
        ContentFormat::TLV,
        ContentFormat::SENML_JSON,
        ContentFormat::SENML_CBOR,
        ContentFormat::LWM2M_CBOR,
    ];
    match path {
        BLOB => formats.extend([ContentFormat::OPAQUE, ContentFormat::CBOR]),
        NUMBER | NAME | FLOAT | BOOLEAN | TEMPERATURE => {
            formats.extend([ContentFormat::TEXT, ContentFormat::CBOR]);
        }
        _ => {}
    }
    formats
}

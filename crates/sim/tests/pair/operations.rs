//! Every operation towards a device on a bad network: its outcome is exact, or Timeout; nothing is
//! done twice.

use std::collections::BTreeMap;
use std::time::Duration;

use dunlin_client::Version;
use dunlin_coap::Code;
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_lwm2m::{ContentFormat, OwnedRecord, OwnedValue, Path};
use dunlin_server::api::{DeviceOperation, OperateError, Outcome};

use dunlin_sim::netem::Impairment;

use crate::device::BENCH_ID;
use crate::harness::{GOOD, Pair, TEMPERATURE, bad};

const NUMBER: Path = bench(1);
const NAME: Path = bench(2);
const BLOB: Path = bench(3);
const RUN: Path = bench(4);
const NUMBERS: Path = bench(5);
const FLOAT: Path = bench(6);
const BOOLEAN: Path = bench(7);
const INSTANCE: Path = Path::instance(BENCH_ID, 0);

const fn bench(resource: u16) -> Path {
    Path::resource(BENCH_ID, 0, resource)
}

fn records(path: Path, values: &[OwnedValue]) -> Vec<OwnedRecord> {
    if path == NUMBERS {
        let numbered = values.iter().enumerate();
        return numbered
            .map(|(id, value)| {
                let path = Path::resource_instance(BENCH_ID, 0, 5, id as u16);
                OwnedRecord::new(path, value.clone())
            })
            .collect();
    }
    values
        .iter()
        .map(|value| OwnedRecord::new(path, value.clone()))
        .collect()
}

/// What may stand in the device: one thing, or several where a Write got no answer.
struct Model {
    values: BTreeMap<Path, Vec<Vec<OwnedValue>>>,
    /// Whether instance 1 is there.
    has_second: Vec<bool>,
    pmin: Vec<Option<u32>>,
    executed: i64,
    perhaps_executed: i64,
    timeouts: usize,
    successes: usize,
}

/// What was asked, as the model sees it.
#[derive(Clone, Debug)]
enum Asked {
    Read(Path),
    ReadInstance,
    Write(Vec<(Path, Vec<OwnedValue>)>),
    Execute,
    Create,
    Delete,
    Discover,
    Attributes(u32),
}

impl Model {
    fn new() -> Self {
        let values = [
            (NUMBER, vec![OwnedValue::Integer(0)]),
            (NAME, vec![OwnedValue::String(String::new())]),
            (BLOB, vec![OwnedValue::Opaque(Vec::new())]),
            (NUMBERS, vec![]),
            (FLOAT, vec![OwnedValue::Float(0.0)]),
            (BOOLEAN, vec![OwnedValue::Boolean(false)]),
        ];
        Self {
            values: values
                .into_iter()
                .map(|(path, value)| (path, vec![value]))
                .collect(),
            has_second: vec![false],
            pmin: vec![None],
            executed: 0,
            perhaps_executed: 0,
            timeouts: 0,
            successes: 0,
        }
    }

    /// A value read is one of those that may stand there; then it is the one.
    fn found(&mut self, path: Path, found: &[OwnedRecord]) {
        let possible = self.values.get_mut(&path).expect("a resource of the model");
        let matches = |values: &Vec<OwnedValue>| {
            let expected = records(path, values);
            let plain = |records: &[OwnedRecord]| -> Vec<(Path, Option<OwnedValue>)> {
                // An empty multiple resource may be shown or not.
                records
                    .iter()
                    .filter(|record| record.value.is_some())
                    .map(|record| (record.path, record.value.clone()))
                    .collect()
            };
            plain(&expected) == plain(found)
        };
        let Some(values) = possible.iter().find(|values| matches(values)).cloned() else {
            panic!("{path}: {found:?} is none of {possible:?}");
        };
        *possible = vec![values];
    }

    fn ended(&mut self, asked: Asked, outcome: Result<Outcome, OperateError>) {
        match &outcome {
            Ok(_) => self.successes += 1,
            // Nothing was sent, or nothing is known about what came of it.
            Err(OperateError::UnknownEndpoint) => return,
            Err(OperateError::Timeout | OperateError::RegistrationEnded) => self.timeouts += 1,
            Err(OperateError::Device { .. }) => {}
            Err(other) => panic!("{asked:?}: {other}"),
        }
        let code = match &outcome {
            Ok(outcome) => Some(outcome.code),
            Err(OperateError::Device { code, .. }) => Some(*code),
            Err(_) => None,
        };
        match asked {
            Asked::Read(path) => {
                if let Ok(outcome) = outcome {
                    assert_eq!(outcome.code, Code::CONTENT);
                    self.found(path, &outcome.records);
                } else {
                    assert_eq!(code, None);
                }
            }
            Asked::ReadInstance => {
                assert!(matches!(code, None | Some(Code::CONTENT)));
                let Ok(outcome) = outcome else { return };
                let paths: Vec<Path> = self.values.keys().copied().collect();
                let mut rest = outcome.records;
                for path in paths {
                    let (of_path, others) = rest
                        .into_iter()
                        .partition(|record: &OwnedRecord| path.contains(&record.path));
                    rest = others;
                    let of_path: Vec<OwnedRecord> = of_path;
                    self.found(path, &of_path);
                }
                assert_eq!(rest.len(), 1, "the counter is left: {rest:?}");
                self.counted(&rest[0]);
            }
            Asked::Write(written) => {
                assert!(matches!(code, None | Some(Code::CHANGED)), "{code:?}");
                for (path, values) in written {
                    let possible = self.values.get_mut(&path).expect("a resource of the model");
                    if code.is_some() {
                        possible.clear();
                    }
                    possible.push(values);
                }
            }
            Asked::Execute => {
                assert!(matches!(code, None | Some(Code::CHANGED)), "{code:?}");
                if code.is_some() {
                    self.executed += 1;
                } else {
                    self.perhaps_executed += 1;
                }
            }
            Asked::Create => match code {
                // The answer of the first time, also when it had to be asked for again.
                Some(Code::CREATED) => {
                    assert!(self.has_second.contains(&false), "created twice");
                    if let Ok(outcome) = outcome {
                        assert_eq!(outcome.location, Some(Path::instance(BENCH_ID, 1)));
                    }
                    self.has_second = vec![true];
                }
                None => self.has_second.push(true),
                Some(code) => {
                    assert!(self.has_second.contains(&true), "{code} for nothing");
                    self.has_second = vec![true];
                }
            },
            Asked::Delete => match code {
                Some(Code::DELETED) => {
                    assert!(self.has_second.contains(&true), "deleted twice");
                    self.has_second = vec![false];
                }
                None => self.has_second.push(false),
                Some(code) => {
                    assert_eq!(code, Code::NOT_FOUND);
                    assert!(self.has_second.contains(&false));
                    self.has_second = vec![false];
                }
            },
            Asked::Discover => {
                assert!(matches!(code, None | Some(Code::CONTENT)));
                if let Ok(outcome) = outcome {
                    let links = outcome.links.expect("links");
                    let matches = |pmin: &Option<u32>| {
                        let pmin = pmin.map_or(String::new(), |pmin| format!(";pmin={pmin}"));
                        links == format!("</{BENCH_ID}/0/1>{pmin}")
                    };
                    assert!(self.pmin.iter().any(matches), "{links}: {:?}", self.pmin);
                    self.pmin.retain(matches);
                }
            }
            Asked::Attributes(pmin) => {
                assert!(matches!(code, None | Some(Code::CHANGED)));
                if code.is_some() {
                    self.pmin.clear();
                }
                self.pmin.push(Some(pmin));
            }
        }
    }

    fn counted(&self, record: &OwnedRecord) {
        assert_eq!(record.path, bench(0));
        let Some(OwnedValue::Integer(count)) = record.value else {
            panic!("{record:?}");
        };
        self.may_have_executed(count);
    }

    fn may_have_executed(&self, count: i64) {
        let possible = self.executed..=self.executed + self.perhaps_executed;
        assert!(possible.contains(&count), "{count} is not in {possible:?}");
    }
}

/// Formats in which a device of the version can be asked.
fn formats(version: Version, single: Option<ContentFormat>) -> Vec<ContentFormat> {
    let mut formats = vec![ContentFormat::TLV];
    formats.extend(single);
    if version > Version::V1_0 {
        formats.extend([ContentFormat::SENML_JSON, ContentFormat::SENML_CBOR]);
        formats.extend(single.map(|_| ContentFormat::CBOR));
    }
    formats
}

fn value(pair: &mut Pair, path: Path) -> Vec<OwnedValue> {
    let number = pair.rng.below(1_000_000) as i64;
    match path {
        NUMBER => vec![OwnedValue::Integer(number)],
        NAME => vec![OwnedValue::String(format!("name {number}"))],
        BLOB => vec![OwnedValue::Opaque(number.to_be_bytes().repeat(4))],
        FLOAT => vec![OwnedValue::Float(number as f64 / 4.0)],
        BOOLEAN => vec![OwnedValue::Boolean(number % 2 == 0)],
        _ => (0..1 + number % 8)
            .map(|add| OwnedValue::Integer(number + add))
            .collect(),
    }
}

const SINGLE: [Path; 5] = [NUMBER, NAME, BLOB, FLOAT, BOOLEAN];
const ALL: [Path; 6] = [NUMBER, NAME, BLOB, NUMBERS, FLOAT, BOOLEAN];

/// Any operation.
fn any(pair: &mut Pair, version: Version) -> (Asked, DeviceOperation, Option<ContentFormat>) {
    let write = |written: &[(Path, Vec<OwnedValue>)], path, mode| Operation::Write {
        path,
        mode,
        body: written
            .iter()
            .flat_map(|(path, values)| records(*path, values))
            .collect(),
    };
    let path = pair.rng.pick(&ALL);
    let single = match path {
        NUMBERS => None,
        BLOB => Some(ContentFormat::OPAQUE),
        _ => Some(ContentFormat::TEXT),
    };
    let whole = formats(version, None);
    let format = Some(pair.rng.pick(&formats(version, single)));
    match pair.rng.below(12) {
        0 | 1 => (
            Asked::Read(path),
            Operation::Read { path, accept: None },
            format,
        ),
        2 => {
            let read = Operation::Read {
                path: INSTANCE,
                accept: None,
            };
            (Asked::ReadInstance, read, Some(pair.rng.pick(&whole)))
        }
        3 | 4 => {
            let written = vec![(path, value(pair, path))];
            let operation = write(&written, path, WriteMode::Replace);
            (Asked::Write(written), operation, format)
        }
        5 => {
            let at = pair.rng.below(4) as usize;
            let written: Vec<_> = SINGLE[at..at + 2]
                .iter()
                .map(|path| (*path, value(pair, *path)))
                .collect();
            let operation = write(&written, INSTANCE, WriteMode::Update);
            (
                Asked::Write(written),
                operation,
                Some(pair.rng.pick(&whole)),
            )
        }
        6 => {
            let written: Vec<_> = ALL.iter().map(|path| (*path, value(pair, *path))).collect();
            let operation = write(&written, INSTANCE, WriteMode::Replace);
            (
                Asked::Write(written),
                operation,
                Some(pair.rng.pick(&whole)),
            )
        }
        7 => {
            let arguments = String::new();
            (
                Asked::Execute,
                Operation::Execute {
                    path: RUN,
                    arguments,
                },
                None,
            )
        }
        8 => {
            let content = Path::resource(BENCH_ID, 1, 1);
            let body = vec![OwnedRecord::new(content, OwnedValue::Integer(7))];
            let create = Operation::Create {
                object: BENCH_ID,
                body: Some(body),
            };
            (Asked::Create, create, Some(pair.rng.pick(&whole)))
        }
        9 => (
            Asked::Delete,
            Operation::Delete {
                path: Path::instance(BENCH_ID, 1),
            },
            None,
        ),
        10 => (
            Asked::Discover,
            Operation::Discover {
                path: NUMBER,
                depth: None,
            },
            None,
        ),
        _ => {
            let pmin = 1 + pair.rng.below(60) as u32;
            let attributes = vec![("pmin".to_owned(), Some(f64::from(pmin)))];
            let operation = Operation::WriteAttributes {
                path: NUMBER,
                attributes,
            };
            (Asked::Attributes(pmin), operation, None)
        }
    }
}

fn work(seed: u64, loss: f64, delay: u64) -> Model {
    let delay = Duration::from_millis(delay);
    let network = Impairment {
        delay,
        jitter: delay,
        ..bad(loss)
    };
    let version = [Version::V1_0, Version::V1_1, Version::V1_2][seed as usize % 3];
    let mut pair = Pair::new(seed, network);
    let index = pair.registered_device(version);
    // With pmax the server notices when a device has given up an observation because none of the
    // copies of a notification got through (RFC 7641 §4.5).
    let pmax = vec![("pmax".to_owned(), Some(60.0))];
    let wish = pair.add_wish(index, TEMPERATURE, pmax);
    let mut model = Model::new();
    for round in 1..=12 {
        let asked: Vec<_> = (0..1 + pair.rng.below(4))
            .map(|_| {
                let (asked, operation, format) = any(&mut pair, version);
                (asked, pair.begin(index, operation, format))
            })
            .collect();
        pair.measure(index, f64::from(round));
        for (asked, id) in asked {
            let outcome = pair.outcome(id);
            model.ended(asked, outcome);
        }
        model.may_have_executed(pair.devices[index].bench().executed);
    }
    // In calm everything can be known.
    pair.network.set_impairment(GOOD);
    pair.seconds(700);
    for path in ALL {
        let read = pair.read(index, path).expect("a value");
        model.found(path, &read);
    }
    pair.measure(index, 100.0);
    pair.seconds(1);
    let reported = pair.reported(wish);
    assert!(reported.is_sorted(), "{reported:?}");
    assert_eq!(reported.last(), Some(&100.0));
    model
}

#[test]
fn without_impairment_every_operation_succeeds() {
    for seed in 0..30 {
        let model = work(seed, 0.0, 20);
        assert_eq!(model.timeouts, 0);
        assert!(model.successes > 15);
    }
}

#[test]
fn an_outcome_is_exact_or_timeout() {
    let (mut timeouts, mut successes) = (0, 0);
    for seed in 0..60 {
        for (loss, delay) in [(0.1, 50), (0.2, 400), (0.3, 3000)] {
            let model = work(seed, loss, delay);
            timeouts += model.timeouts;
            successes += model.successes;
        }
    }
    // Both happen, else this shows nothing; and repetition helps against most of the loss.
    assert!(timeouts > 5, "{timeouts}");
    assert!(successes > 20 * timeouts, "{successes} and {timeouts}");
}

/// Executed on the device, but every answer is lost.
#[test]
fn an_execute_without_an_answer_is_done_once() {
    for seed in 0..20 {
        let mut pair = Pair::new(seed, GOOD);
        let index = pair.registered_device(Version::V1_1);
        let arguments = String::new();
        let id = pair.begin(
            index,
            Operation::Execute {
                path: RUN,
                arguments,
            },
            None,
        );
        pair.pass(GOOD.delay / 2);
        pair.network
            .set_impairment(Impairment { loss: 1.0, ..GOOD });
        pair.pass(GOOD.delay * 2);
        assert_eq!(pair.devices[index].bench().executed, 1);
        let dead = 1 + seed % 20;
        pair.seconds(dead);
        pair.network.set_impairment(GOOD);
        let outcome = pair.outcome(id);
        assert_eq!(
            outcome.expect("a repetition got through").code,
            Code::CHANGED
        );
        assert_eq!(pair.devices[index].bench().executed, 1);
    }
}

/// A copy of a Write that comes late, when its answer is forgotten because of larger ones, does
/// not bring the old value back.
#[test]
fn a_late_copy_of_a_write_is_not_done_again() {
    for seed in 0..40 {
        let mut pair = Pair::new(seed, GOOD);
        let index = pair.registered_device(Version::V1_1);
        pair.touch(index, |device| {
            let bench = device.engine.objects_mut().bench.get_mut(0);
            let bench = bench.expect("instance 0");
            bench.blob = core::iter::repeat_n(7, 3000).collect();
        });
        pair.seconds(1);
        pair.network.set_impairment(Impairment {
            duplicate: 1.0,
            reorder: 0.1,
            reorder_delay: Duration::from_millis(1500),
            ..GOOD
        });
        for number in 1..5 {
            let body = vec![OwnedRecord::new(NUMBER, OwnedValue::Integer(number))];
            let (path, mode) = (NUMBER, WriteMode::Replace);
            let outcome = pair.operate(index, Operation::Write { path, mode, body });
            assert_eq!(outcome.expect("nothing is lost").code, Code::CHANGED);
            let blob = pair.read(index, BLOB).expect("nothing is lost");
            assert_eq!(blob.len(), 1);
        }
        pair.seconds(10);
        assert_eq!(pair.devices[index].bench().number, 4);
    }
}

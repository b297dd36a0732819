//! The same program of operations over a perfect network and over bad ones ends in the same state:
//! what the device holds, what the server believes, and what came of every single request.
//!
//! A request without an answer is made again, as its user would; what must not be done twice is
//! looked at first.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use dunlin_client::{Event, Outcome as Delivery, ReportId};
use dunlin_coap::Code;
use dunlin_lwm2m::operation::Operation;
use dunlin_lwm2m::{OwnedRecord, OwnedValue, Path};
use dunlin_server::api::{
    EventKind, Observed, OperateError, OperateOptions, OperationState, Outcome, QueueOptions,
    QueuedOperation, WishState,
};
use dunlin_server::shard::{Command, Reply};

use crate::device::BENCH_ID;
use crate::harness::{GOOD, Pair, TEMPERATURE, bad};
use crate::program::{BENCH, INSTANCE, NAME, OBSERVABLE, Program, Request, Step};

const DEVICE: usize = 0;
/// The Short Server ID.
const SERVER: u16 = 1;
/// Seconds from one sample to the next.
const PAUSE: u64 = 2;
/// How long the device of queue mode listens.
const AWAKE: Duration = Duration::from_secs(10);
/// How often somebody asks anew before giving up.
const ATTEMPTS: usize = 40;

/// What is left of a run.
#[derive(Debug, PartialEq)]
struct End {
    /// Of each request, in words.
    outcomes: Vec<String>,
    /// The objects of the device, as they are.
    device: String,
    attributes: Vec<String>,
    registration: String,
    wishes: Vec<Reported>,
    /// Values of each confirmable Send in the order of their times.
    sends: BTreeSet<String>,
}

/// What the server knows of a wish, without times.
#[derive(Debug, PartialEq)]
struct Reported {
    observed: Observed,
    state: WishState,
    values: Vec<(Path, Option<OwnedValue>)>,
}

/// How often what succeeded.
type Counts = BTreeMap<&'static str, usize>;

struct Run {
    pair: Pair,
    counts: Counts,
    outcomes: Vec<String>,
    wishes: Vec<u64>,
    repetitions: usize,
    /// Those of executions.
    executed_again: usize,
}

/// What stood in the device before a request.
struct Before {
    instances: Vec<u16>,
    elements: Vec<u16>,
}

impl Run {
    fn new(seed: u64, loss: f64, program: &Program) -> Self {
        let mut pair = Pair::new(seed, bad(loss));
        if loss == 0.0 {
            pair.network.set_impairment(GOOD);
        }
        let index = pair.add_silent_device(program.version);
        let device = &mut pair.devices[index];
        device.config.queue_mode = program.queue_mode;
        device.config.awake_time = Some(AWAKE);
        device.dozes = program.queue_mode;
        // With its settings.
        pair.restart_device(index);
        pair.until(Duration::from_secs(5000), |pair| pair.is_registered(index));
        let endpoint = pair.name(index);
        // What is sent at the last moment would come too late.
        let seconds = program.queue_mode.then_some(AWAKE.as_secs() as u32 - 2);
        pair.ask(&endpoint.clone(), |id| Command::SetAwakeTime {
            id,
            endpoint,
            seconds,
        });
        Self {
            pair,
            counts: Counts::new(),
            outcomes: Vec::new(),
            wishes: Vec::new(),
            repetitions: 0,
            executed_again: 0,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Request(request) => self.request(request),
            Step::Queue(requests) => self.queue(requests),
            Step::Observe(kind, observed) => {
                let endpoint = self.pair.name(DEVICE);
                let observed = observed.clone();
                let id = self.pair.ask(&endpoint.clone(), |id| Command::AddWish {
                    id,
                    endpoint,
                    observed,
                });
                match self.pair.reply(id) {
                    Some(Reply::Wish(Ok(wish))) => self.wishes.push(wish.id),
                    other => panic!("{other:?}"),
                }
                self.wait_for_wishes();
                *self.counts.entry(kind).or_default() += 1;
            }
            Step::Forget => {
                let wish = self.wishes.remove(0);
                self.pair.remove_wish(DEVICE, wish);
                *self.counts.entry("Cancel Observation").or_default() += 1;
            }
            Step::Send {
                values,
                confirmable,
            } => self.send(values, *confirmable),
            Step::Measure(value) => self.pair.measure(DEVICE, *value),
            Step::Toggle(boolean) => self.set(*boolean, None),
            Step::Lifetime(lifetime) => self.pair.touch(DEVICE, |device| {
                device.engine.server_mut().lifetime = *lifetime;
            }),
            Step::Pass(seconds) => self.pair.seconds(*seconds),
        }
    }

    /// Again and again until the server has it; one that is Non-confirmable once.
    fn send(&mut self, values: &[f64], confirmable: bool) {
        for _ in 0..ATTEMPTS {
            for value in values {
                self.pair.measure(DEVICE, *value);
                let now = self.pair.now;
                self.pair.touch(DEVICE, |device| {
                    let recorded = device.engine.record(now, SERVER, TEMPERATURE);
                    recorded.expect("there is room");
                });
                self.pair.seconds(PAUSE);
            }
            let (now, mut id) = (self.pair.now, None);
            self.pair.touch(DEVICE, |device| {
                let sent = device.engine.send(now, SERVER, &[NAME], confirmable);
                id = Some(sent.expect("there is room"));
            });
            match self.delivery(id.expect("it was sent")) {
                Delivery::Delivered => {
                    let kind = ["Send over NON", "Send"][usize::from(confirmable)];
                    *self.counts.entry(kind).or_default() += 1;
                    return;
                }
                Delivery::Sent => return assert!(!confirmable),
                Delivery::Failed { .. } => self.repetitions += 1,
                Delivery::Dropped => panic!("there is room"),
            }
        }
        panic!("{values:?} do not arrive");
    }

    /// What became of a Send; it ends once.
    fn delivery(&mut self, wanted: ReportId) -> Delivery {
        let end = self.pair.now + Duration::from_secs(2000);
        loop {
            let events = self.pair.devices[DEVICE].events.iter();
            let mut ends = events.filter_map(|(_, event)| match event {
                Event::Delivery { id, outcome, .. } if *id == wanted => Some(*outcome),
                _ => None,
            });
            if let Some(outcome) = ends.next() {
                assert_eq!(ends.next(), None, "one end each");
                return outcome;
            }
            assert!(self.pair.step(end), "report {wanted} does not end");
        }
    }

    /// Until the device reports: what a wish writes must not meet what the program writes.
    fn wait_for_wishes(&mut self) {
        for _ in 0..1000 {
            let wishes = self.pair.wishes(DEVICE);
            if wishes.iter().all(|wish| wish.state == WishState::Active) {
                return;
            }
            self.pair.pass(AWAKE);
            if self.pair.devices[DEVICE].deaf {
                self.wake();
            }
        }
        panic!("{:?}", self.pair.wishes(DEVICE));
    }

    fn set(&mut self, boolean: bool, number: Option<i64>) {
        self.pair.touch(DEVICE, |device| {
            let bench = &mut device.engine.objects_mut().bench;
            let bench = bench.get_mut(0).expect("instance 0");
            bench.boolean = boolean;
            if let Some(number) = number {
                bench.number = number;
                bench.float = number as f64;
            }
        });
    }

    fn before(&self) -> Before {
        let things = self.pair.devices[DEVICE].engine.objects();
        let numbers = &self.pair.devices[DEVICE].bench().numbers;
        Before {
            instances: things.bench.iter().map(|(id, _)| id).collect(),
            elements: numbers.iter().map(|(id, _)| id).collect(),
        }
    }

    // ---- requests

    fn request(&mut self, request: &Request) {
        let before = self.before();
        for attempt in 0..ATTEMPTS {
            let (outcome, more) = self.carry_out(request);
            if self.ended(request, &before, attempt + more, outcome) {
                return;
            }
            // The device may be about to register anew.
            self.pair.seconds(5);
        }
        panic!("{request:?} never ends");
    }

    /// Once, until it has an outcome.
    fn carry_out(&mut self, request: &Request) -> (Result<Outcome, OperateError>, usize) {
        let endpoint = self.pair.name(DEVICE);
        let operation = request.operation.clone();
        let format = request.format;
        let id = self.pair.ask(&endpoint.clone(), |id| Command::Request {
            id,
            endpoint,
            operation,
            options: OperateOptions {
                format,
                timeout: Duration::from_secs(240),
                confirmable: true,
            },
            queue: QueueOptions {
                format,
                ..QueueOptions::default()
            },
        });
        let deadline = Duration::from_secs(241);
        self.pair
            .until(deadline, |pair| pair.replies.contains_key(&id));
        match self.pair.reply(id) {
            Some(Reply::Operated(outcome)) => (outcome, 0),
            Some(Reply::Queued(Ok((operation, _)))) => self.outcome_of(operation.id),
            Some(Reply::Queued(Err(error))) => (Err(error), 0),
            other => panic!("{other:?}"),
        }
    }

    /// Whether the outcome is known; then it is noted.
    fn ended(
        &mut self,
        request: &Request,
        before: &Before,
        attempt: usize,
        outcome: Result<Outcome, OperateError>,
    ) -> bool {
        let now = self.before();
        let mut note = match &outcome {
            Ok(outcome) => describe(outcome),
            Err(OperateError::Device { code, .. }) => code.to_string(),
            Err(
                OperateError::Timeout
                | OperateError::RegistrationEnded
                | OperateError::UnknownEndpoint
                | OperateError::Unknown,
            ) => {
                self.repetitions += 1;
                self.executed_again += usize::from(request.kind == "Execute");
                // Creations are not repeatable: somebody has to look.
                let created = now
                    .instances
                    .iter()
                    .find(|id| !before.instances.contains(id));
                let Some(created) = created else {
                    return false;
                };
                let path = Path::instance(BENCH_ID, *created);
                let created = Outcome {
                    code: Code::CREATED,
                    format: None,
                    records: Vec::new(),
                    links: None,
                    location: Some(path),
                    upload: None,
                };
                describe(&created)
            }
            Err(other) => panic!("{request:?}: {other}"),
        };
        // What is gone was there: an earlier attempt did it.
        let was_there = match &request.operation {
            Operation::Delete { path } => match (path.instance_id(), path.resource_instance_id()) {
                (_, Some(id)) => before.elements.contains(&id),
                (Some(id), None) => before.instances.contains(&id),
                _ => false,
            },
            Operation::WriteComposite { body } => body
                .iter()
                .filter(|record| record.value.is_none())
                .filter_map(|record| record.path.resource_instance_id())
                .all(|id| before.elements.contains(&id)),
            _ => false,
        };
        let is_removal = request.kind != "Write-Composite";
        if attempt > 0 && was_there && is_removal && note == Code::NOT_FOUND.to_string() {
            note = request.operation.success().to_string();
        }
        if note.starts_with("2.") {
            *self.counts.entry(request.kind).or_default() += 1;
        }
        self.outcomes.push(format!("{}: {note}", request.kind));
        true
    }

    // ---- the queue

    /// They are done in order; one that may not be repeated and whose fate is not known is made
    /// again after the others.
    fn queue(&mut self, requests: &[Request]) {
        let queued: Vec<u64> = requests
            .iter()
            .map(|request| self.enqueue(request))
            .collect();
        for (request, id) in requests.iter().zip(queued) {
            let (outcome, attempts) = self.outcome_of(id);
            let before = self.before();
            if self.ended(request, &before, attempts, outcome) {
                *self.counts.entry("from the queue").or_default() += 1;
            } else {
                self.request(request);
            }
        }
    }

    fn enqueue(&mut self, request: &Request) -> u64 {
        let endpoint = self.pair.name(DEVICE);
        let operation = request.operation.clone();
        let format = request.format;
        let id = self.pair.ask(&endpoint.clone(), |id| Command::Enqueue {
            id,
            endpoint,
            operation,
            queue: QueueOptions {
                format,
                ..QueueOptions::default()
            },
        });
        self.pair.until(Duration::from_secs(1), |pair| {
            pair.replies.contains_key(&id)
        });
        match self.pair.reply(id) {
            Some(Reply::Queued(Ok((operation, _)))) => operation.id,
            other => panic!("{other:?}"),
        }
    }

    /// Waits for a queued operation; the device wakes up now and then.
    fn outcome_of(&mut self, id: u64) -> (Result<Outcome, OperateError>, usize) {
        for _ in 0..200 {
            let end = self.pair.now + 2 * AWAKE;
            while self.pair.now < end {
                if let Some(ended) = self.ended_operation(id) {
                    let outcome = match &ended.state {
                        OperationState::Done(outcome) => Ok(outcome.clone()),
                        OperationState::Failed(error) => Err(error.clone()),
                        other => panic!("{other:?}"),
                    };
                    return (outcome, ended.attempts.saturating_sub(1) as usize);
                }
                self.pair.step(end);
            }
            let now = self.pair.now;
            self.pair.touch(DEVICE, |device| device.engine.update(now));
        }
        panic!("operation {id} does not end");
    }

    fn ended_operation(&self, id: u64) -> Option<Arc<QueuedOperation>> {
        let events = self.pair.events.iter().rev();
        let mut found = events.filter_map(|(_, _, kind)| match kind {
            EventKind::Operation(operation) if operation.id == id => Some(operation),
            _ => None,
        });
        found.next().filter(|found| found.has_ended()).cloned()
    }

    // ---- the end

    /// In calm everything can be known. Values go so far up and down that each condition is met.
    fn settle(&mut self) -> End {
        self.pair.network.set_impairment(GOOD);
        self.wake();
        self.pair.seconds(400);
        for (boolean, number) in [(true, -9000), (false, 9000), (true, -9000), (false, 5000)] {
            self.pair.measure(DEVICE, number as f64);
            self.set(boolean, Some(number));
            // Longer than any pmin and pmax.
            self.pair.seconds(70);
        }
        let mut executed_again = 0;
        let things = self.pair.devices[DEVICE].engine.objects();
        let mut device = format!("{:?}", things.temperature);
        for (id, bench) in things.bench.iter() {
            let mut runs = bench.runs.clone();
            runs.sort_unstable();
            let mut different: Vec<u16> = Vec::new();
            for run in &runs {
                if different.last() != Some(run) {
                    different.push(*run);
                }
            }
            executed_again += runs.len() - different.len();
            let (number, name) = (bench.number, &bench.name);
            let blob = (bench.blob.len(), bench.blob.iter().max());
            let (numbers, float, boolean) = (&bench.numbers, bench.float, bench.boolean);
            let _fits = write!(
                device,
                "\n{id}: {number} {name:?} {blob:?} {numbers:?} {float} {boolean} {different:?}"
            );
        }
        // What was asked for once is not done twice: only who asks again may have it done again.
        assert!(
            executed_again <= self.executed_again,
            "{executed_again} executions too many, {} repeated: {device}",
            self.executed_again
        );
        let paths = OBSERVABLE.into_iter().chain([BENCH, INSTANCE]);
        let attributes = paths
            .map(|path| {
                self.wake();
                let read = Operation::Discover { path, depth: None };
                let outcome = self.pair.operate(DEVICE, read);
                describe(&outcome.expect("nothing is lost"))
            })
            .collect();
        let sends = self.sends();
        let registered = self.pair.lookup(DEVICE).expect("it is registered");
        assert_eq!(registered.queued, 0);
        let registration = format!(
            "{} {} {} {} {:?}",
            registered.version,
            registered.lifetime,
            registered.binding,
            registered.queue_mode,
            registered.objects
        );
        let wishes = self.pair.wishes(DEVICE).into_iter().map(|wish| Reported {
            observed: wish.observed,
            state: wish.state,
            values: wish
                .records
                .into_iter()
                .map(|record| (record.path, record.value))
                .collect(),
        });
        End {
            outcomes: std::mem::take(&mut self.outcomes),
            device,
            attributes,
            registration,
            wishes: wishes.collect(),
            sends,
        }
    }

    /// What arrived for certain, each once: a Send is made again when its answer was lost.
    fn sends(&self) -> BTreeSet<String> {
        let mut arrived = BTreeSet::new();
        for stored in &self.pair.store.sends {
            let mut records: Vec<_> = stored.sent.records.iter().collect();
            records.retain(|record| record.path == TEMPERATURE);
            records.sort_by(|left, right| left.time.partial_cmp(&right.time).expect("a time"));
            let values = records.iter().map(|record| match record.value {
                Some(OwnedValue::Float(value)) => value,
                ref other => panic!("{other:?}"),
            });
            let values: Vec<f64> = values.collect();
            for pair in records.windows(2) {
                let apart = pair[1].time.unwrap_or(0.0) - pair[0].time.unwrap_or(0.0);
                assert!((apart - PAUSE as f64).abs() < 0.01, "{records:?}");
            }
            if values.first().is_some_and(|value| *value > 0.0) {
                arrived.insert(format!("{values:?}"));
            }
        }
        arrived
    }

    fn wake(&mut self) {
        let now = self.pair.now;
        self.pair.touch(DEVICE, |device| device.engine.update(now));
        self.pair.seconds(1);
    }
}

/// An outcome without what depends on time and on how often something was asked.
fn describe(outcome: &Outcome) -> String {
    let mut text = outcome.code.to_string();
    if let Some(format) = outcome.format {
        let _fits = write!(text, " in {format}");
    }
    for OwnedRecord { path, value, .. } in &outcome.records {
        // The executions are counted there.
        if path.object_id() != Some(BENCH_ID) || path.resource_id() != Some(0) {
            let _fits = write!(text, " {path}={value:?}");
        }
    }
    if let Some(links) = &outcome.links {
        text.push_str(links);
    }
    if let Some(location) = outcome.location {
        let _fits = write!(text, " at {location}");
    }
    text
}

fn run(seed: u64, loss: f64, program: &Program) -> (End, Counts, usize) {
    let mut run = Run::new(seed, loss, program);
    for step in &program.steps {
        run.step(step);
    }
    let end = run.settle();
    (end, run.counts, run.repetitions)
}

/// What has to succeed, since it would show nothing otherwise; for each of so many seeds once.
const KINDS: [(&str, u64); 27] = [
    ("Cancel Observation", 10),
    ("Create", 6),
    ("Create with any id", 4),
    ("Create without content", 60),
    ("Delete", 20),
    ("Delete of an element", 40),
    ("Discover", 4),
    ("Discover with depth", 6),
    ("Execute", 4),
    ("Observe", 2),
    ("Observe with parameters", 4),
    ("Observe-Composite", 8),
    ("Partial Update", 4),
    ("Read", 3),
    ("Read of an element", 40),
    ("Read-Composite", 4),
    ("Removal of an element", 40),
    ("Send", 2),
    ("Send over NON", 20),
    ("Update of a resource", 4),
    ("Write", 4),
    ("Write in blocks", 4),
    ("Write of an element", 10),
    ("Write-Attributes", 4),
    ("Write-Attributes of 1.2", 4),
    ("Write-Composite", 4),
    ("from the queue", 1),
];

fn same_state_at_the_end(seeds: std::ops::Range<u64>) {
    let number = seeds.end - seeds.start;
    let mut counts = Counts::new();
    let mut repetitions = 0;
    for seed in seeds {
        let program = Program::new(seed);
        let (expected, calm, repeated) = run(seed, 0.0, &program);
        assert_eq!(repeated, 0, "seed {seed}: nothing is lost");
        for (kind, count) in calm {
            *counts.entry(kind).or_default() += count;
        }
        for wish in &expected.wishes {
            assert_eq!(wish.state, WishState::Active, "seed {seed}: {wish:?}");
            assert!(!wish.values.is_empty(), "seed {seed}: {wish:?}");
        }
        for loss in [0.1, 0.3] {
            let (end, _, repeated) = run(seed, loss, &program);
            repetitions += repeated;
            assert_eq!(end, expected, "seed {seed}, loss {loss}: {program:#?}");
        }
    }
    println!("{repetitions} repetitions, {counts:?}");
    for (kind, seeds) in KINDS {
        let count = counts.remove(kind).unwrap_or(0);
        assert!(count as u64 >= number / seeds, "{kind}: {count}");
    }
    assert!(counts.is_empty(), "{counts:?}");
    assert!(repetitions as u64 >= number / 20, "{repetitions}");
}

#[test]
fn a_bad_network_changes_nothing_in_the_end() {
    same_state_at_the_end(0..60);
}

#[test]
fn nor_with_other_programs() {
    same_state_at_the_end(60..120);
}

/// `cargo test -p dunlin-sim --test pair -- --ignored`; the gate does it.
#[test]
#[ignore = "takes minutes"]
fn nor_with_thousands() {
    same_state_at_the_end(120..1200);
}

#[test]
#[ignore = "takes minutes"]
fn nor_with_thousands_more() {
    same_state_at_the_end(1200..2400);
}

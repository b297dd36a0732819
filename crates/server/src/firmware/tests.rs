//! The machine of a job against a device that plays its part, in virtual time.

mod endless;

use core::time::Duration;

use dunlin_coap::block::{Block, BlockSize};
use dunlin_coap::{Code, Instant};
use dunlin_lwm2m::{ObjectVersion, OwnedRecord, OwnedValue, Path};

use super::job::{Ask, Facts, Job, Next, StoredJob, Told};
use super::{FirmwareStatus, Method, Stage, result_text, state_text};
use crate::api::{OperateError, Outcome};
use crate::upload::UploadAnswer;

const SIZE: usize = 3000;
const UNIX: f64 = 1_795_000_000.0;

fn stored(wanted: Option<Method>) -> StoredJob {
    StoredJob {
        status: FirmwareStatus {
            endpoint: "dev-1".to_owned(),
            image: "0123456789abcdef".to_owned(),
            image_name: "new.bin".to_owned(),
            size: SIZE as u64,
            method: wanted,
            install: true,
            stage: Stage::Starting,
            text: String::new(),
            sent: 0,
            device_state: None,
            result: None,
            version_before: None,
            version_after: None,
            started_at: UNIX,
            finished_at: None,
        },
        wanted,
        token: "7e57".to_owned(),
        registration: None,
        block_size: 1024,
    }
}

/// A device as the standard describes it, and what is wrong with it.
struct Device {
    state: i64,
    result: i64,
    delivery: i64,
    protocols: Vec<i64>,
    version: &'static str,
    registration: u32,
    is_registered: bool,
    object: Option<(u8, u8)>,
    queue_mode: bool,
    /// Bytes of the package received in order.
    got: usize,
    /// The largest block it takes.
    size: BlockSize,
    /// Bytes that a pull fetches each second.
    speed: usize,
    pulls: bool,
    served: u64,
    /// What becomes of an image that is whole.
    check: i64,
    /// What becomes of an installation, and how many seconds it takes.
    installs: (i64, u64),
    busy_until: Option<Instant>,
    /// Blocks from this byte on are answered 5.03.
    busy_from: Option<usize>,
    /// It asks for this block and that, in turn.
    swings: bool,
    /// Requests that stay without an answer from now on.
    deaf: usize,
    asked: Vec<String>,
}

impl Device {
    fn new() -> Self {
        Self {
            state: 0,
            result: 0,
            delivery: 2,
            protocols: Vec::new(),
            version: "1.0",
            registration: 1,
            is_registered: true,
            object: Some((1, 0)),
            queue_mode: false,
            got: 0,
            size: BlockSize::MAX,
            speed: 500,
            pulls: false,
            served: 0,
            check: 0,
            installs: (1, 10),
            busy_until: None,
            busy_from: None,
            swings: false,
            deaf: 0,
            asked: Vec::new(),
        }
    }

    fn pass(&mut self, now: Instant) {
        if self.busy_until.is_some_and(|until| until <= now) {
            self.busy_until = None;
            self.is_registered = true;
            self.registration += 1;
            self.result = self.installs.0;
            self.state = if self.result == 1 { 0 } else { 2 };
            if self.result == 1 {
                self.version = "2.0";
            }
        }
    }

    fn second(&mut self) {
        if self.swings && self.pulls {
            self.served = 1024 + (self.served + 1024) % 2048;
        } else if self.pulls && self.state == 1 {
            self.served = (self.served + self.speed as u64).min(SIZE as u64);
            if self.served == SIZE as u64 {
                self.whole();
            }
        }
    }

    fn whole(&mut self) {
        self.pulls = false;
        (self.state, self.result) = match self.check {
            0 => (2, 0),
            result => (0, result),
        };
    }

    fn reset(&mut self) {
        (self.state, self.result, self.got, self.pulls) = (0, 0, 0, false);
    }

    fn ask(&mut self, now: Instant, ask: &Ask) -> Told {
        self.asked.push(match ask {
            Ask::Block { range, .. } => format!("block {range:?}"),
            ask => format!("{ask:?}"),
        });
        if *ask == Ask::Device {
            return Told::Device(self.is_registered.then(|| {
                Facts {
                    registration: self.registration.to_string(),
                    queue_mode: self.queue_mode,
                    firmware: self
                        .object
                        .map(|(major, minor)| ObjectVersion { major, minor }),
                }
            }));
        }
        let error = if !self.is_registered {
            Some(OperateError::UnknownEndpoint)
        } else if self.deaf > 0 {
            self.deaf -= 1;
            Some(OperateError::Timeout)
        } else {
            None
        };
        match (ask, error) {
            (Ask::Block { .. }, Some(error)) => Told::Block(Err(error)),
            (_, Some(error)) => Told::Answer(Err(error)),
            (Ask::Block { range, block, .. }, None) => {
                Told::Block(Ok(self.block(range.clone(), *block)))
            }
            (ask, None) => Told::Answer(self.operate(now, ask)),
        }
    }

    fn block(&mut self, range: core::ops::Range<usize>, block: Option<Block>) -> UploadAnswer {
        let answer = |code, block| UploadAnswer {
            code,
            block,
            diagnostic: String::new(),
        };
        if self.busy_from.is_some_and(|from| range.start >= from) {
            return answer(Code::SERVICE_UNAVAILABLE, None);
        }
        if self.state > 1 {
            return answer(Code::METHOD_NOT_ALLOWED, None);
        }
        if range.start == 0 {
            self.got = 0;
        }
        if range.start != self.got {
            return answer(Code::REQUEST_ENTITY_INCOMPLETE, None);
        }
        (self.state, self.result) = (1, 0);
        self.got = range.end;
        let size = self.size;
        let echoed = block.map(|block| Block {
            size: block.size.min(size),
            ..block
        });
        if range.end < SIZE {
            return answer(Code::CONTINUE, echoed);
        }
        self.whole();
        answer(Code::CHANGED, echoed)
    }

    fn operate(&mut self, now: Instant, ask: &Ask) -> Result<Outcome, OperateError> {
        let refused = |code| {
            Err(OperateError::Device {
                code,
                diagnostic: String::new(),
            })
        };
        let mut records = Vec::new();
        let number = |resource, value| {
            OwnedRecord::new(Path::resource(5, 0, resource), OwnedValue::Integer(value))
        };
        match ask {
            Ask::Read(path) if *path == Path::resource(3, 0, 3) => {
                let version = OwnedValue::String(self.version.to_owned());
                records.push(OwnedRecord::new(*path, version));
            }
            Ask::Read(_) => {
                records.extend(
                    [(3, self.state), (5, self.result), (9, self.delivery)]
                        .map(|(resource, value)| number(resource, value)),
                );
                for (instance, protocol) in (0..).zip(&self.protocols) {
                    let path = Path::resource_instance(5, 0, 8, instance);
                    records.push(OwnedRecord::new(path, OwnedValue::Integer(*protocol)));
                }
            }
            Ask::WriteNul | Ask::Write(..) if self.state == 3 => {
                return refused(Code::METHOD_NOT_ALLOWED);
            }
            Ask::WriteNul | Ask::Write(..) => self.reset(),
            Ask::Offer => {
                (self.state, self.result, self.pulls, self.served) = (1, 0, true, 0);
            }
            Ask::Execute(path) if *path == Path::resource(5, 0, 2) => {
                if self.state != 2 {
                    return refused(Code::METHOD_NOT_ALLOWED);
                }
                (self.state, self.result) = (3, 0);
                let (_, seconds) = self.installs;
                self.busy_until = Some(now + Duration::from_secs(seconds));
                self.is_registered = false;
            }
            Ask::Execute(_) => {
                self.reset();
                self.result = 10;
            }
            Ask::Device | Ask::Block { .. } => unreachable!("told above"),
        }
        Ok(Outcome {
            code: Code::CHANGED,
            format: None,
            records,
            links: None,
            location: None,
            upload: None,
        })
    }
}

struct World {
    now: Instant,
    job: Job,
    device: Device,
    /// Each text once, in order.
    texts: Vec<String>,
}

impl World {
    fn new(wanted: Option<Method>, device: Device) -> Self {
        Self::with(stored(wanted), device)
    }

    fn with(stored: StoredJob, device: Device) -> Self {
        let now = Instant::from_secs(1);
        Self {
            now,
            job: Job::new(now, stored, false),
            device,
            texts: Vec::new(),
        }
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            let step = Duration::from_secs(1).min(end.saturating_since(self.now));
            self.now += step;
            self.device.pass(self.now);
            self.device.second();
        }
    }

    /// One step; `false` at the end.
    fn step(&mut self) -> bool {
        let told = match self.job.next(self.now) {
            Next::End => return false,
            Next::Sleep(time) => {
                self.pass(time);
                Told::Slept {
                    served: self.device.served,
                }
            }
            Next::Ask(ask, timeout) => {
                let told = self.device.ask(self.now, &ask);
                match &told {
                    Told::Answer(Err(OperateError::Timeout))
                    | Told::Block(Err(OperateError::Timeout)) => self.pass(timeout),
                    _ => {}
                }
                told
            }
        };
        let unix = UNIX + self.now.as_micros() as f64 / 1e6;
        self.job.told(self.now, unix, told);
        let text = &self.job.status().text;
        if self.texts.last() != Some(text) {
            self.texts.push(text.clone());
        }
        true
    }

    fn until(&mut self, stage: Stage) {
        for _ in 0..100_000 {
            if self.job.status().stage == stage {
                return;
            }
            assert!(self.step(), "it ended as {:?}", self.job.status());
        }
        panic!("{:?} is never reached: {:?}", stage, self.job.status());
    }

    #[track_caller]
    fn ends(&mut self, stage: Stage, text: &str) {
        for _ in 0..1_000_000 {
            if !self.step() {
                let status = self.job.status();
                assert_eq!((status.stage, status.text.as_str()), (stage, text));
                assert!(status.finished_at.is_some());
                return;
            }
        }
        panic!("it never ends: {:?}", self.job.status());
    }

    /// The server ends and starts again with what it has kept.
    fn restart(&mut self) {
        self.job = Job::new(self.now, self.job.stored().clone(), false);
    }
}

const INSTALLED: &str = "installed; the version was 1.0 and is 2.0";

#[test]
fn an_image_is_pushed_and_installed() {
    let mut world = World::new(None, Device::new());
    world.ends(Stage::Done, INSTALLED);
    let status = world.job.status();
    assert_eq!(status.method, Some(Method::Push));
    assert_eq!(status.sent, SIZE as u64);
    assert_eq!((status.device_state, status.result), (Some(0), Some(1)));
    let asked: Vec<&str> = world.device.asked.iter().map(String::as_str).collect();
    assert_eq!(
        asked[..6],
        [
            "Device",
            "Read(/3/0/3)",
            "Read(/5/0)",
            "block 0..1024",
            "block 1024..2048",
            "block 2048..3000",
        ]
    );
    assert!(asked.contains(&"Execute(/5/0/2)"));
    assert_eq!(
        world.texts,
        [
            "",
            "sending",
            "the device checks the image",
            "downloaded; telling the device to install",
            "the device installs",
            "waiting for the device: the device is not registered",
            "the device has registered again",
            INSTALLED,
        ]
    );
}

#[test]
fn an_image_is_pulled_with_progress() {
    let mut world = World::new(Some(Method::Pull), Device::new());
    world.until(Stage::Pulling);
    let mut seen = Vec::new();
    while world.job.status().stage == Stage::Pulling {
        world.step();
        seen.push(world.job.status().sent);
    }
    seen.dedup();
    assert_eq!(seen, [0, 500, 1000, 1500, 2000, 2500, 3000]);
    world.ends(Stage::Done, INSTALLED);
}

#[test]
fn the_method_follows_what_the_device_can() {
    for (delivery, sleeps, protocols, method) in [
        (0, false, vec![0], Method::Pull),
        (1, false, vec![0], Method::Push),
        (2, false, vec![0], Method::Push),
        (2, true, vec![0, 1], Method::Pull),
        (2, true, vec![], Method::Pull),
        (2, true, vec![3], Method::Push),
    ] {
        let mut world = World::new(
            None,
            Device {
                delivery,
                queue_mode: sleeps,
                protocols: protocols.clone(),
                ..Device::new()
            },
        );
        world.ends(Stage::Done, INSTALLED);
        let case = (delivery, sleeps, protocols);
        assert_eq!(world.job.status().method, Some(method), "{case:?}");
    }
}

#[test]
fn a_device_that_sleeps_is_waited_for() {
    let mut world = World::new(
        None,
        Device {
            queue_mode: true,
            ..Device::new()
        },
    );
    world.step();
    // It is asked when it wakes, which may take long; one that is awake has CoAP's time.
    let hour = Duration::from_secs(3600);
    assert!(matches!(world.job.next(world.now), Next::Ask(_, time) if time == hour));
    world.device.deaf = 5;
    world.ends(Stage::Done, INSTALLED);
    let waited = world.now.saturating_since(Instant::from_secs(1));
    assert!(waited > hour * 5, "{waited:?}");
    let mut world = World::new(None, Device::new());
    world.step();
    let awake = Duration::from_secs(95);
    assert!(matches!(world.job.next(world.now), Next::Ask(_, time) if time == awake));
}

#[test]
fn a_version_is_shown_as_far_as_it_is_sane() {
    let mut world = World::new(
        None,
        Device {
            version: Box::leak("9".repeat(1000).into_boxed_str()),
            ..Device::new()
        },
    );
    world.until(Stage::Pushing);
    let version = world.job.status().version_before.as_ref();
    assert_eq!(version.map(String::len), Some(100));
}

#[test]
fn what_the_device_cannot_is_told() {
    let cases = [
        (
            Some(Method::Push),
            0,
            vec![],
            "the device fetches firmware and takes none (/5/0/9 is pull only)",
        ),
        (
            Some(Method::Pull),
            1,
            vec![],
            "the device takes firmware and fetches none (/5/0/9 is push only)",
        ),
        (
            Some(Method::Pull),
            2,
            vec![2, 3],
            "the device cannot fetch over CoAP (0 is not in /5/0/8)",
        ),
        (
            None,
            0,
            vec![3],
            "the device cannot fetch over CoAP (0 is not in /5/0/8)",
        ),
    ];
    for (wanted, delivery, protocols, text) in cases {
        let device = Device {
            delivery,
            protocols,
            ..Device::new()
        };
        World::new(wanted, device).ends(Stage::Failed, text);
    }
    let device = Device {
        object: None,
        ..Device::new()
    };
    let text = "the device has no Firmware Update object (/5/0)";
    World::new(None, device).ends(Stage::Failed, text);
    let device = Device {
        state: 3,
        ..Device::new()
    };
    let text = "the device is installing another image";
    World::new(None, device).ends(Stage::Failed, text);
}

#[test]
fn every_result_is_told_in_words() {
    for result in 2..=9 {
        for wanted in [Method::Push, Method::Pull] {
            let device = Device {
                check: result,
                ..Device::new()
            };
            let text = format!("the device: {}", result_text(result));
            World::new(Some(wanted), device).ends(Stage::Failed, &text);
        }
    }
    let device = Device {
        installs: (8, 5),
        ..Device::new()
    };
    World::new(None, device).ends(Stage::Failed, "the device: the update failed");
    for result in 0..=11 {
        assert!(!result_text(result).contains("does not know"), "{result}");
    }
    assert_eq!(
        result_text(12),
        "result 12, which the standard does not know"
    );
    assert_eq!(state_text(3), "Updating");
}

#[test]
fn smaller_blocks_are_sent_when_the_device_asks_for_them() {
    let mut world = World::new(
        None,
        Device {
            size: BlockSize::at_most(64),
            ..Device::new()
        },
    );
    world.until(Stage::Installing);
    assert!(world.device.asked.contains(&"block 1024..1088".to_owned()));
    assert_eq!(world.job.stored().block_size, 64);
}

#[test]
fn something_that_lies_on_the_device_is_taken_back_first() {
    for (state, delivery, reset) in [
        (1, 2, "WriteNul"),
        (2, 2, "WriteNul"),
        (2, 0, "Write(/5/0/1, \"\")"),
    ] {
        let mut world = World::new(
            None,
            Device {
                state,
                delivery,
                ..Device::new()
            },
        );
        world.ends(Stage::Done, INSTALLED);
        assert_eq!(world.device.asked[3], reset);
    }
}

#[test]
fn an_image_that_was_only_downloaded_is_installed_later_without_sending_it_again() {
    let mut first = stored(None);
    first.status.install = false;
    let mut world = World::with(first, Device::new());
    world.ends(Stage::Done, "downloaded; it is not installed");
    assert_eq!(world.device.state, 2);
    world.device.asked.clear();
    world.job = Job::new(world.now, stored(None), true);
    world.ends(Stage::Done, INSTALLED);
    assert!(
        !world
            .device
            .asked
            .iter()
            .any(|asked| asked.starts_with("block"))
    );
}

#[test]
fn a_push_goes_on_after_a_restart_where_it_stopped() {
    let mut world = World::new(None, Device::new());
    world.until(Stage::Pushing);
    world.step();
    assert_eq!(world.device.got, 1024);
    world.restart();
    world.device.asked.clear();
    world.ends(Stage::Done, INSTALLED);
    let blocks: Vec<&String> = world
        .device
        .asked
        .iter()
        .filter(|asked| asked.starts_with("block"))
        .collect();
    assert_eq!(blocks, ["block 1024..2048", "block 2048..3000"]);
}

#[test]
fn a_push_that_was_not_kept_to_the_last_block_begins_again() {
    let mut world = World::new(None, Device::new());
    world.until(Stage::Pushing);
    let kept = world.job.stored().clone();
    world.step();
    world.step();
    // What was kept is older than what the device has.
    let mut late = kept;
    late.status.sent = 1024;
    world.job = Job::new(world.now, late, false);
    world.ends(Stage::Done, INSTALLED);
}

#[test]
fn a_restart_at_any_moment_does_no_harm() {
    for wanted in [Method::Push, Method::Pull] {
        for moment in 0..60 {
            let mut world = World::new(Some(wanted), Device::new());
            let mut is_over = false;
            for _ in 0..moment {
                is_over |= !world.step();
            }
            world.restart();
            world.ends(Stage::Done, INSTALLED);
            if is_over {
                break;
            }
            assert!(moment < 59, "the last moments were not tried");
        }
    }
}

#[test]
fn a_restart_between_asking_and_the_answer_does_no_harm() {
    for wanted in [Method::Push, Method::Pull] {
        for moment in 0..20 {
            let mut world = World::new(Some(wanted), Device::new());
            for _ in 0..moment {
                world.step();
            }
            // The device hears it, the server ends before it is told.
            if let Next::Ask(ask, _) = world.job.next(world.now) {
                let _ = world.device.ask(world.now, &ask);
            }
            world.restart();
            world.ends(Stage::Done, INSTALLED);
        }
    }
}

#[test]
fn a_device_that_does_not_answer_is_asked_again() {
    for moment in 0..10 {
        for deaf in 1..4 {
            let mut world = World::new(None, Device::new());
            for _ in 0..moment {
                world.step();
            }
            world.device.deaf = deaf;
            world.step();
            let text = &world.job.status().text;
            let waits = text.starts_with("waiting for the device: ");
            assert!(
                waits || world.device.deaf == deaf || text == "the device installs",
                "{text}"
            );
            world.ends(Stage::Done, INSTALLED);
        }
    }
}

#[test]
fn a_device_that_is_gone_for_good_is_given_up_after_a_day() {
    let mut world = World::new(None, Device::new());
    world.until(Stage::Pushing);
    world.device.deaf = usize::MAX;
    let begun = world.now;
    world.ends(
        Stage::Failed,
        "the device did not answer in time; nothing was heard of it for a day",
    );
    let waited = world.now.saturating_since(begun);
    assert!((86_400..87_000).contains(&waited.as_secs()), "{waited:?}");
}

#[test]
fn a_download_that_stands_still_is_given_up() {
    let device = Device {
        speed: 0,
        ..Device::new()
    };
    let mut world = World::new(Some(Method::Pull), device);
    world.ends(Stage::Failed, "the download has stood still for an hour");
    // The state was read now and then, not all the time.
    let reads = world
        .device
        .asked
        .iter()
        .filter(|asked| *asked == "Read(/5/0)")
        .count();
    assert!((60..80).contains(&reads), "{reads}");
}

#[test]
fn a_job_is_cancelled_and_taken_back() {
    for (version, wanted, ask) in [
        ((1, 0), Method::Push, "WriteNul"),
        ((1, 1), Method::Push, "Execute(/5/0/10)"),
        ((1, 1), Method::Pull, "Execute(/5/0/10)"),
    ] {
        let device = Device {
            object: Some(version),
            ..Device::new()
        };
        let mut world = World::new(Some(wanted), device);
        world.until(match wanted {
            Method::Push => Stage::Pushing,
            Method::Pull => Stage::Pulling,
        });
        world.step();
        assert!(world.job.cancel(world.now, UNIX));
        world.ends(Stage::Cancelled, "cancelled");
        assert_eq!(world.device.asked.last().map(String::as_str), Some(ask));
        assert_eq!(world.device.state, 0);
        assert!(!world.job.cancel(world.now, UNIX), "it has ended");
    }
    let mut world = World::new(None, Device::new());
    assert!(world.job.cancel(world.now, UNIX));
    assert!(!world.step(), "nobody has told the device anything yet");
    assert!(world.device.asked.is_empty());
    let mut world = World::new(None, Device::new());
    world.until(Stage::Installing);
    assert!(!world.job.cancel(world.now, UNIX), "too late");
}

#[test]
fn a_device_that_drops_what_it_was_given_is_told() {
    let mut world = World::new(Some(Method::Pull), Device::new());
    world.until(Stage::Pulling);
    world.device.reset();
    world.ends(
        Stage::Failed,
        "the device took the address and did not begin to download",
    );
    let mut world = World::new(Some(Method::Push), Device::new());
    while world.job.status().sent < SIZE as u64 {
        world.step();
    }
    world.device.reset();
    world.ends(
        Stage::Failed,
        "the device dropped the image without a reason",
    );
}

#[test]
fn a_device_that_forgets_the_result_is_judged_by_its_version() {
    let device = Device {
        installs: (0, 60),
        ..Device::new()
    };
    let mut world = World::new(None, device);
    world.until(Stage::Installing);
    while world.device.busy_until.is_none() {
        world.step();
    }
    while world.device.busy_until.is_some() {
        world.step();
    }
    (world.device.state, world.device.version) = (0, "2.0");
    world.ends(Stage::Done, INSTALLED);
}

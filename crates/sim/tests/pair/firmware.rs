//! A firmware update, pushed and pulled, over networks that lose, double and reorder, and with a
//! restart of either side at any point, ends in the same state: the device runs the new image, and
//! the job says so.

use std::sync::Arc;
use std::time::Duration;

use dunlin_client::{Event, Version};
use dunlin_coap::Instant;
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_lwm2m::{ContentFormat, OwnedRecord, OwnedValue, Path};
use dunlin_server::api::{DeviceOperation, OperateError, OperateOptions};
use dunlin_server::files::Offer;
use dunlin_server::firmware::job::{Ask, Facts, Job, Next, StoredJob, Told};
use dunlin_server::firmware::{FirmwareStatus, Method, Stage};
use dunlin_server::shard::{Command, Reply};
use dunlin_server::upload::UploadBlock;

use crate::harness::{GOOD, Incident, ORIGIN, Pair, bad};

const DEVICE: usize = 0;
const TOKEN: &str = "7e57";
const SIZE: usize = 5000;

fn image() -> Arc<[u8]> {
    (0..SIZE).map(|at| (at % 251) as u8).collect()
}

fn begin(method: Method) -> StoredJob {
    StoredJob {
        status: FirmwareStatus {
            endpoint: "dev-0".to_owned(),
            image: "0123456789abcdef".to_owned(),
            image_name: "image".to_owned(),
            size: SIZE as u64,
            method: Some(method),
            install: true,
            stage: Stage::Starting,
            text: String::new(),
            sent: 0,
            device_state: None,
            result: None,
            version_before: None,
            version_after: None,
            started_at: ORIGIN,
            finished_at: None,
        },
        wanted: Some(method),
        token: TOKEN.to_owned(),
        registration: None,
        block_size: 1024,
    }
}

/// The task that drives a job, as the control plane has it.
struct Update {
    pair: Pair,
    job: Job,
    /// What lies on disk.
    kept: StoredJob,
    offer: Arc<Offer>,
    asked: Option<(u64, bool)>,
    wakes_at: Option<Instant>,
    life: u32,
    reboots: usize,
}

impl Update {
    fn new(seed: u64, method: Method, version: Version) -> Self {
        let mut pair = Pair::new(seed, GOOD);
        pair.registered_device(version);
        let kept = begin(method);
        let offer = Arc::new(Offer::new("image", image(), [1; 8]));
        Self {
            job: Job::new(pair.now, kept.clone(), false),
            life: pair.life(),
            pair,
            kept,
            offer,
            asked: None,
            wakes_at: None,
            reboots: 0,
        }
    }

    fn operate(&mut self, operation: DeviceOperation, timeout: Duration) -> u64 {
        let endpoint = self.pair.name(DEVICE);
        self.pair.ask(&endpoint.clone(), |id| Command::Operate {
            id,
            endpoint,
            operation,
            options: OperateOptions {
                format: None,
                timeout,
                confirmable: true,
            },
        })
    }

    fn write(&mut self, path: Path, value: OwnedValue, timeout: Duration) -> u64 {
        let body = vec![OwnedRecord::new(path, value)];
        let mode = WriteMode::Replace;
        self.operate(Operation::Write { path, mode, body }, timeout)
    }

    fn ask(&mut self, ask: Ask, timeout: Duration) -> (u64, bool) {
        let resource = |id| Path::resource(5, 0, id);
        let endpoint = self.pair.name(DEVICE);
        let id = match ask {
            Ask::Device => self
                .pair
                .ask(&endpoint.clone(), |id| Command::Device { id, endpoint }),
            Ask::Read(path) => self.operate(Operation::Read { path, accept: None }, timeout),
            Ask::Write(path, text) => self.write(path, OwnedValue::String(text), timeout),
            Ask::WriteNul => self.write(resource(0), OwnedValue::Opaque(vec![0]), timeout),
            Ask::Execute(path) => {
                let arguments = String::new();
                self.operate(Operation::Execute { path, arguments }, timeout)
            }
            Ask::Offer => {
                self.pair.files.offer(TOKEN, Arc::clone(&self.offer));
                let uri = format!("coap://{}/fw/{TOKEN}/image", self.pair.server);
                self.write(resource(1), OwnedValue::String(uri), timeout)
            }
            Ask::Block {
                range,
                block,
                size1,
            } => {
                let block = UploadBlock {
                    path: resource(0),
                    format: ContentFormat::OPAQUE,
                    block,
                    size1,
                    bytes: self.offer.bytes[range].to_vec(),
                    timeout,
                };
                let id = self.pair.ask(&endpoint.clone(), |id| Command::Upload {
                    id,
                    endpoint,
                    block,
                });
                return (id, true);
            }
        };
        (id, false)
    }

    fn tell(&mut self, told: Told) {
        let unix = ORIGIN + self.pair.now.as_micros() as f64 / 1e6;
        self.job.told(self.pair.now, unix, told);
        let (stored, status) = (self.job.stored(), self.job.status());
        // Progress is kept now and then, whatever else at once.
        let matters = stored.status.stage != self.kept.status.stage
            || stored.status.method != self.kept.status.method
            || stored.registration != self.kept.registration;
        if matters || status.sent % 2048 == 0 {
            self.kept = stored.clone();
        }
    }

    /// One step of the task; `false` when the job has ended.
    fn follow(&mut self) -> bool {
        if self.pair.life() != self.life {
            // The server died, and this task with it.
            (self.asked, self.wakes_at) = (None, None);
            if !self.pair.is_up() {
                return true;
            }
            self.life = self.pair.life();
            self.job = Job::new(self.pair.now, self.kept.clone(), false);
            // As `FirmwareService::resume` does.
            self.pair.files.offer(TOKEN, Arc::clone(&self.offer));
        }
        if let Some((id, is_block)) = self.asked {
            let told = match self.pair.reply(id) {
                None => return true,
                Some(Reply::Device(device)) => Told::Device(device.as_deref().map(Facts::from)),
                Some(Reply::Operated(outcome)) if is_block => Told::Block(
                    outcome.and_then(|outcome| outcome.upload.ok_or(OperateError::Overloaded)),
                ),
                Some(Reply::Operated(outcome)) => Told::Answer(outcome),
                other => panic!("{other:?}"),
            };
            self.asked = None;
            self.tell(told);
        } else if let Some(at) = self.wakes_at {
            if self.pair.now < at {
                return true;
            }
            self.wakes_at = None;
            let served = self.offer.served();
            self.tell(Told::Slept { served });
        }
        match self.job.next(self.pair.now) {
            Next::End => return false,
            Next::Sleep(time) => self.wakes_at = Some(self.pair.now + time),
            Next::Ask(ask, timeout) => self.asked = Some(self.ask(ask, timeout)),
        }
        true
    }

    /// What the application of the device does: it reboots when it is asked to.
    fn reboot(&mut self) {
        let asked = self.pair.devices[DEVICE].count(|event| matches!(event, Event::Reboot));
        if asked > self.reboots {
            self.reboots = asked;
            self.pair.restart_device(DEVICE);
        }
    }

    fn run(&mut self) {
        let end = self.pair.now + Duration::from_secs(12 * 3600);
        while self.follow() {
            assert!(self.pair.now < end, "{:?}", self.job.status());
            let next = self.wakes_at.unwrap_or(end).min(end);
            self.pair.step(next.max(self.pair.now));
            self.reboot();
        }
    }

    #[track_caller]
    fn ends_well(&self) {
        let status = self.job.status();
        assert_eq!(status.stage, Stage::Done, "{status:?}");
        let device = &self.pair.devices[DEVICE];
        let flash = device.flash.get();
        assert!(flash.running == *image(), "{} bytes", flash.running.len());
        assert_eq!(flash.installed, 1);
        let firmware = &device.engine.objects().firmware;
        let state = (firmware.state() as u8, firmware.result() as u8);
        assert_eq!(state, (0, 1), "Idle, success");
    }
}

const METHODS: [Method; 2] = [Method::Push, Method::Pull];

#[test]
fn a_bad_network_changes_nothing_in_the_end() {
    for (loss, seeds) in [(0.0, 2), (0.1, 12), (0.3, 12)] {
        for seed in 0..seeds {
            for method in METHODS {
                let version = [Version::V1_0, Version::V1_1, Version::V1_2][seed as usize % 3];
                let mut update = Update::new(seed, method, version);
                if loss > 0.0 {
                    update.pair.network.set_impairment(bad(loss));
                }
                update.run();
                update.ends_well();
            }
        }
    }
}

fn at_every_point(method: Method, incident: Incident) {
    for point in 1.. {
        let mut update = Update::new(point, method, Version::V1_1);
        update.pair.incident = Some((update.pair.points + point, incident));
        update.run();
        // The power failed after Updating and before the new image was installed: that update has
        // failed (result 8), and the image is still there for another.
        let has_failed = update.job.status().result == Some(8);
        if has_failed && update.pair.devices[DEVICE].flash.get().installed == 0 {
            update.job = Job::new(update.pair.now, begin(method), true);
            update.run();
        }
        if update.pair.struck_at.is_none() {
            assert!(point > 30, "the scenario has points");
            return;
        }
        update.ends_well();
    }
}

#[test]
fn nor_does_a_crash_of_the_server_at_any_point() {
    for method in METHODS {
        at_every_point(method, Incident::ServerCrash);
    }
}

#[test]
fn nor_does_a_restart_of_the_device_at_any_point() {
    for method in METHODS {
        at_every_point(method, Incident::DeviceRestart(DEVICE));
    }
}

//! The machine of one firmware update: it says what to ask the device next, is told the answer, and
//! keeps count of how it stands. It has neither clock nor socket.
//!
//! ```text
//! Look ─> Version ─> State ─┬─> Reset ──> Begin         (something lay there)
//!                           ├─> Begin ─┬─> Block ...    (push)
//!                           │          └─> Uri ─> Poll  (pull)
//!                           └─> Execute                 (the image is there already)
//! Block, Poll ─> Poll until Downloaded ─> Execute ─> Watch ─> After ─> end
//! ```
//!
//! A device that does not answer is asked again, for a day: it may sleep, restart or be out of
//! reach. What it says against the update ends the job, in its own words.

use core::ops::Range;
use core::time::Duration;

use dunlin_coap::block::{Block, Block1Failure, Block1Sender, Block1Sent, BlockSize};
use dunlin_coap::{Code, Instant};
use dunlin_lwm2m::Path;

use super::progress::Progress;
pub use super::said::Facts;
use super::said::{
    DEFERRED_BY_USER, DOWNLOADED, DOWNLOADING, IDLE, INITIAL, SUCCESS, Said, UPDATING, is_passing,
    is_refused, version,
};
use super::{FirmwareStatus, Method, Stage, result_text, state_text};
use crate::api::{OperateError, Outcome};
use crate::upload::UploadAnswer;

/// How long a device that is awake is given for an answer: longer than CoAP retransmits.
const ANSWER: Duration = Duration::from_secs(95);
/// The same for a device in queue mode, which is asked when it wakes.
const SLEEPER: Duration = Duration::from_secs(3600);
/// How long a cancelled device is given to hear of it.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long a device may stay silent.
const SILENCE: Duration = Duration::from_secs(24 * 3600);
/// Before a device that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(5);
/// Before it begins to download.
const BEGIN: Duration = Duration::from_secs(120);
/// How long a download may stand still.
const STALL: Duration = Duration::from_secs(3600);
/// How long a device may check an image that it has as a whole.
const CHECK: Duration = Duration::from_secs(600);
/// How long it may stay in a state that should last for a moment.
const MOMENT: Duration = Duration::from_secs(30);
/// How long it may install.
const INSTALL: Duration = Duration::from_secs(2 * 3600);
/// How long its user may put it off.
const DEFERRED: Duration = Duration::from_secs(7 * 24 * 3600);
/// Progress is looked at so often.
const TICK: Duration = Duration::from_secs(1);
/// The state is read at least so often while nothing else tells of it.
const SLOWEST_POLL: Duration = Duration::from_secs(60);

/// What is to be done next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Ask this, and tell the answer. It may take so long.
    Ask(Ask, Duration),
    /// Come back after this time.
    Sleep(Duration),
    /// Nothing: the job has ended.
    End,
}

/// What to ask.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// The registration: [`Told::Device`].
    Device,
    /// Read this: [`Told::Answer`].
    Read(Path),
    /// Write this text: [`Told::Answer`].
    Write(Path, String),
    /// Write a single zero byte to `/5/0/0`, which resets the device: [`Told::Answer`].
    WriteNul,
    /// Execute this: [`Told::Answer`].
    Execute(Path),
    /// Write this part of the image: [`Told::Block`].
    Block {
        /// Which bytes.
        range: Range<usize>,
        /// Block1.
        block: Option<Block>,
        /// Size1.
        size1: Option<u32>,
    },
    /// Tell the address of the image by a Write to `/5/0/1`: [`Told::Answer`].
    Offer,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// The device as it is registered now.
    Device(Option<Facts>),
    /// The answer to an operation.
    Answer(Result<Outcome, OperateError>),
    /// The answer to a block.
    Block(Result<UploadAnswer, OperateError>),
    /// Time has passed; the device has fetched so many bytes so far.
    Slept {
        /// As [`Offer::served`](crate::files::Offer::served).
        served: u64,
    },
}

/// A job as it lies in the store.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredJob {
    /// What everybody may see.
    pub status: FirmwareStatus,
    /// The method asked for; `None` leaves it to the server.
    pub wanted: Option<Method>,
    /// Secret segment of the address for a pull.
    pub token: String,
    /// The registration when the installation began.
    pub registration: Option<String>,
    /// Size of the blocks that the device takes.
    pub block_size: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Look,
    Version,
    State,
    Reset,
    Block,
    Uri,
    /// Waits for the state to be Downloaded.
    Poll,
    /// Reads what the device says about its refusal.
    Explain,
    Execute,
    /// Waits for the end of the installation: looks for a new registration, and now and then reads
    /// what the device says.
    Watch,
    Judge,
    After,
    Cancel,
    End,
}

/// The update of one device.
#[derive(Debug)]
pub struct Job {
    stored: StoredJob,
    step: Step,
    facts: Option<Facts>,
    said: Said,
    sender: Block1Sender,
    /// It was under way when the server ended.
    resumed: bool,
    /// The image lies on the device from an earlier job that did not install it.
    is_there: bool,
    /// When the device said something last.
    heard: Instant,
    /// Not before this.
    wait_until: Instant,
    /// When the phase began, or its last progress was seen.
    since: Instant,
    /// When the state is to be read again, and how long after that.
    poll_at: Instant,
    poll_gap: Duration,
    /// Registration that was seen last while it installs.
    seen: Option<String>,
    progress: Progress,
    begun_again: bool,
    /// It did not answer, and is being asked again.
    troubled: bool,
    /// Why it is going to fail.
    refused: Option<String>,
}

impl Job {
    /// A job that begins or goes on at `now`. `is_there` tells that an earlier job brought this very
    /// image to the device and did not install it.
    pub fn new(now: Instant, stored: StoredJob, is_there: bool) -> Self {
        let resumed = stored.status.stage != Stage::Starting;
        let size = BlockSize::at_most(stored.block_size.max(16));
        let mut job = Self {
            sender: Block1Sender::new(stored.status.size as usize, size),
            step: Step::Look,
            facts: None,
            said: Said::default(),
            resumed,
            is_there,
            heard: now,
            wait_until: now,
            since: now,
            poll_at: now,
            poll_gap: TICK,
            seen: stored.registration.clone(),
            progress: Progress::from(stored.status.sent),
            begun_again: false,
            troubled: false,
            refused: None,
            stored,
        };
        if job.status().stage.is_end() {
            job.step = Step::End;
        }
        job
    }

    /// How it stands.
    pub fn status(&self) -> &FirmwareStatus {
        &self.stored.status
    }

    /// What is to be kept of it.
    pub fn stored(&self) -> &StoredJob {
        &self.stored
    }

    /// What to do next.
    pub fn next(&self, now: Instant) -> Next {
        if now < self.wait_until {
            return Next::Sleep(self.wait_until.saturating_since(now));
        }
        let resource = |id| Path::resource(5, 0, id);
        let ask = match self.step {
            Step::End => return Next::End,
            Step::Look | Step::Watch => Ask::Device,
            Step::Version | Step::After => Ask::Read(Path::resource(3, 0, 3)),
            Step::State | Step::Explain | Step::Judge => Ask::Read(Path::instance(5, 0)),
            Step::Poll => match self.poll_at.saturating_since(now) {
                Duration::ZERO => Ask::Read(Path::instance(5, 0)),
                wait => return Next::Sleep(wait.min(TICK)),
            },
            Step::Reset | Step::Cancel => self.reset(),
            Step::Block => {
                let block = self.sender.block();
                let first = block.is_some_and(|block| block.num == 0);
                Ask::Block {
                    range: self.sender.range(),
                    block,
                    size1: u32::try_from(self.stored.status.size)
                        .ok()
                        .filter(|_| first),
                }
            }
            Step::Uri => Ask::Offer,
            Step::Execute => Ask::Execute(resource(2)),
        };
        let sleeps = self.facts.as_ref().is_some_and(|facts| facts.queue_mode);
        let time = match self.step {
            Step::Cancel => FAREWELL,
            _ if sleeps => SLEEPER,
            _ => ANSWER,
        };
        Next::Ask(ask, time)
    }

    /// What brings the device back to Idle: Cancel where there is one (since 1.1), else an empty
    /// URI or a zero byte as package.
    fn reset(&self) -> Ask {
        let version = self.facts.as_ref().and_then(|facts| facts.firmware);
        let can_cancel = version.is_some_and(|version| (version.major, version.minor) >= (1, 1));
        if self.step == Step::Cancel && can_cancel {
            Ask::Execute(Path::resource(5, 0, 10))
        } else if self.said.delivery == Some(0) {
            Ask::Write(Path::resource(5, 0, 1), String::new())
        } else {
            Ask::WriteNul
        }
    }

    /// Ends the job, if the device is not installing yet; `false` when it is too late.
    pub fn cancel(&mut self, now: Instant, unix: f64) -> bool {
        match self.status().stage {
            Stage::Installing => return false,
            stage if stage.is_end() => return false,
            // Nothing has been said to the device that would have to be taken back.
            Stage::Starting if matches!(self.step, Step::Look | Step::Version | Step::State) => {
                self.end(unix, Stage::Cancelled, "cancelled".to_owned())
            }
            _ => {
                self.step = Step::Cancel;
                self.wait_until = now;
                self.say("being cancelled");
            }
        }
        true
    }

    /// Takes what came of the latest [`Ask`]. `unix` is the time in Unix seconds.
    pub fn told(&mut self, now: Instant, unix: f64, told: Told) {
        let unknown = OperateError::UnknownEndpoint;
        let failure = match &told {
            Told::Answer(Err(error)) | Told::Block(Err(error)) if is_passing(error) => Some(error),
            Told::Device(None) => Some(&unknown),
            _ => None,
        };
        if self.step == Step::Cancel && !matches!(told, Told::Slept { .. }) {
            return self.end(unix, Stage::Cancelled, "cancelled".to_owned());
        }
        if let Some(error) = failure {
            return self.unanswered(now, unix, error);
        }
        if !matches!(told, Told::Slept { .. } | Told::Device(_)) {
            self.heard = now;
            if core::mem::take(&mut self.troubled) {
                self.say(self.phase());
            }
        }
        match (self.step, told) {
            (Step::Look, Told::Device(Some(facts))) => self.looked(now, unix, facts),
            (Step::Watch, Told::Device(Some(facts))) => self.watched(now, facts),
            (Step::Version, Told::Answer(answer)) => {
                self.stored.status.version_before = version(answer);
                self.step = Step::State;
            }
            (Step::After, Told::Answer(answer)) => {
                self.stored.status.version_after = version(answer);
                self.installed(unix);
            }
            (Step::State, Told::Answer(answer)) => match self.read(answer) {
                Ok(()) => self.choose(now, unix),
                Err(why) => self.fail(unix, format!("/5/0 cannot be read: {why}")),
            },
            (Step::Reset, Told::Answer(answer)) => match answer {
                Ok(_) => self.begin(now, unix),
                Err(error) => self.fail(unix, format!("the device keeps what it has: {error}")),
            },
            (Step::Uri, Told::Answer(answer)) => match answer {
                Ok(_) => self.download(now, Stage::Pulling),
                Err(error) if self.begun_again && is_refused(&error) => {
                    self.download(now, Stage::Pulling);
                }
                Err(error) => self.explain(now, format!("the device refused the address: {error}")),
            },
            (Step::Block, Told::Block(Ok(answer))) => self.block_answered(now, &answer),
            (Step::Block, Told::Block(Err(error))) => self.fail(unix, error.to_string()),
            (Step::Poll, Told::Slept { served }) => self.progress(now, unix, served),
            (Step::Poll, Told::Answer(answer)) => match self.read(answer) {
                Ok(()) => self.polled(now, unix),
                Err(why) => self.fail(unix, format!("/5/0 cannot be read: {why}")),
            },
            (Step::Explain, Told::Answer(answer)) => {
                let _ = self.read(answer);
                let why = self.refused.take().unwrap_or_default();
                self.fail(unix, self.with_result(why));
            }
            (Step::Execute, Told::Answer(answer)) => match answer {
                Ok(_) => self.watch(now),
                Err(error) => {
                    self.explain(now, format!("the device refuses to install: {error}"));
                }
            },
            (Step::Judge, Told::Answer(answer)) => match self.read(answer) {
                Ok(()) => self.judged(now, unix),
                Err(why) => self.fail(unix, format!("/5/0 cannot be read: {why}")),
            },
            _ => {}
        }
    }

    /// No answer came: again, unless it has been silent for too long.
    fn unanswered(&mut self, now: Instant, unix: f64, error: &OperateError) {
        let why = match error {
            OperateError::UnknownEndpoint => "the device is not registered".to_owned(),
            error => error.to_string(),
        };
        let may_have_arrived = matches!(
            error,
            OperateError::Timeout | OperateError::Reset | OperateError::RegistrationEnded
        );
        self.begun_again |= self.step == Step::Uri;
        match self.step {
            // It may have begun to install before it answered; if not, it is told again.
            Step::Execute if may_have_arrived => {
                self.resumed = true;
                return self.watch_on(now);
            }
            // Nobody knows why it refused; what is known is told.
            Step::Explain => {
                let why = self.refused.take().unwrap_or(why);
                return self.fail(unix, why);
            }
            _ => {}
        }
        if now.saturating_since(self.heard) >= SILENCE {
            return self.fail(unix, format!("{why}; nothing was heard of it for a day"));
        }
        self.wait_until = now + AGAIN;
        self.stored.status.text = format!("waiting for the device: {why}");
        self.troubled = true;
    }

    fn read(&mut self, answer: Result<Outcome, OperateError>) -> Result<(), String> {
        let outcome = answer.map_err(|error| error.to_string())?;
        let said = Said::of(&outcome.records);
        if said.state.is_none() {
            return Err("its State (/5/0/3) is missing".to_owned());
        }
        self.stored.status.device_state = said.state;
        self.stored.status.result = said.result;
        self.said = said;
        Ok(())
    }

    fn state(&self) -> i64 {
        self.said.state.unwrap_or(IDLE)
    }

    fn result(&self) -> i64 {
        self.said.result.unwrap_or(INITIAL)
    }

    fn looked(&mut self, now: Instant, unix: f64, facts: Facts) {
        let has_firmware = facts.firmware.is_some();
        self.facts = Some(facts);
        if !has_firmware {
            return self.fail(
                unix,
                "the device has no Firmware Update object (/5/0)".to_owned(),
            );
        }
        match self.status().stage {
            Stage::Pulling => self.wait_for_image(now),
            Stage::Installing => self.watch_on(now),
            Stage::Pushing => self.step = Step::State,
            _ => self.step = Step::Version,
        }
    }

    /// Chooses the method by what the device says (`/5/0/8`, `/5/0/9`), and what to do first.
    fn choose(&mut self, now: Instant, unix: f64) {
        let sleeps = self.facts.as_ref().is_some_and(|facts| facts.queue_mode);
        let method = match (self.said.delivery, self.stored.wanted) {
            (Some(0), Some(Method::Push)) => {
                return self.fail(
                    unix,
                    "the device fetches firmware and takes none (/5/0/9 is pull only)".to_owned(),
                );
            }
            (Some(1), Some(Method::Pull)) => {
                return self.fail(
                    unix,
                    "the device takes firmware and fetches none (/5/0/9 is push only)".to_owned(),
                );
            }
            (_, Some(wanted)) => wanted,
            (Some(0), None) => Method::Pull,
            (Some(1), None) => Method::Push,
            // A push needs no address of the server that holds on the device's side. A device that
            // sleeps had better fetch it at its own pace.
            (_, None) if sleeps && self.has_coap() => Method::Pull,
            (_, None) => Method::Push,
        };
        if method == Method::Pull && !self.has_coap() {
            return self.fail(
                unix,
                "the device cannot fetch over CoAP (0 is not in /5/0/8)".to_owned(),
            );
        }
        self.stored.status.method = Some(method);
        let resumed = self.status().stage == Stage::Pushing;
        match self.state() {
            UPDATING if resumed => self.watch(now),
            UPDATING => self.fail(unix, "the device is installing another image".to_owned()),
            DOWNLOADED if resumed || self.is_there => self.downloaded(now, unix),
            DOWNLOADING if resumed => self.push_on(now),
            DOWNLOADING | DOWNLOADED => {
                self.step = Step::Reset;
                self.say("taking back what the device has");
            }
            _ => self.begin(now, unix),
        }
    }

    /// Without `/5/0/8` a device fetches over CoAP (Core 1.2 Appendix E.6).
    fn has_coap(&self) -> bool {
        self.said.protocols.is_empty() || self.said.protocols.contains(&0)
    }

    fn begin(&mut self, now: Instant, unix: f64) {
        match self.status().method {
            Some(Method::Push) => {
                let size = BlockSize::at_most(self.stored.block_size.max(16));
                self.sender = Block1Sender::new(self.stored.status.size as usize, size);
                if self.sender.block().is_none() && self.stored.status.size > 1024 {
                    return self.fail(unix, "the image has too many blocks".to_owned());
                }
                self.push(now);
            }
            _ => {
                self.stored.status.sent = 0;
                self.progress = Progress::from(0);
                self.step = Step::Uri;
                self.say("telling the device where the image is");
            }
        }
    }

    fn push(&mut self, now: Instant) {
        self.stored.status.stage = Stage::Pushing;
        self.stored.status.sent = self.sender.range().start as u64;
        self.step = Step::Block;
        self.since = now;
        self.say(self.phase());
    }

    /// Goes on where the last block was acknowledged before the server ended. A device that has
    /// forgotten it, or has got further, answers 4.08 (RFC 7959 §2.5), and it begins again.
    fn push_on(&mut self, now: Instant) {
        let size = BlockSize::at_most(self.stored.block_size.max(16));
        let sent = self.stored.status.sent as usize;
        let length = self.stored.status.size as usize;
        let sent = if sent < length { sent } else { 0 };
        self.sender = Block1Sender::resume(length, size, sent - sent % size.bytes());
        self.push(now);
    }

    fn block_answered(&mut self, now: Instant, answer: &UploadAnswer) {
        let asked = self.sender.block();
        let busy = [Code::SERVICE_UNAVAILABLE, Code::TOO_MANY_REQUESTS];
        if busy.contains(&answer.code) {
            if now.saturating_since(self.since) >= STALL {
                let why = format!(
                    "the device has put the image off for an hour: {:?}",
                    answer.code
                );
                return self.explain(now, why);
            }
            self.wait_until = now + AGAIN;
            return;
        }
        let resumed = core::mem::take(&mut self.resumed);
        let going_on = self.sender.range().start > 0;
        let is_refused = answer.code == Code::METHOD_NOT_ALLOWED;
        // Some acknowledge without Block1.
        let block = match answer.code.is_success() {
            true => answer.block.or(asked),
            false => answer.block,
        };
        match self.sender.on_answer(answer.code, block) {
            Block1Sent::Next => {
                self.begun_again |= going_on && self.sender.range().start == 0;
                self.stored.status.sent = self.sender.range().start as u64;
                if let Some(block) = self.sender.block() {
                    self.stored.block_size = block.size.bytes();
                }
                self.since = now;
                self.say(self.phase());
            }
            Block1Sent::Done if answer.code.is_success() => {
                self.stored.status.sent = self.stored.status.size;
                self.wait_for_image(now);
            }
            // It has forgotten the blocks of before the restart in its own way.
            Block1Sent::Done if resumed && going_on => self.step = Step::Reset,
            // It has restarted with a whole image, this one most likely; it is taken back, once.
            Block1Sent::Done if is_refused && core::mem::take(&mut self.begun_again) => {
                self.step = Step::Reset;
            }
            Block1Sent::Done => {
                let code = answer.code;
                let colon = if answer.diagnostic.is_empty() {
                    ""
                } else {
                    ": "
                };
                let words = &answer.diagnostic;
                self.explain(
                    now,
                    format!("the device refused the image: {code:?}{colon}{words}"),
                );
            }
            Block1Sent::Failed(failure) => {
                let why = match failure {
                    Block1Failure::TooManyRestarts => "the device loses the image again and again",
                    Block1Failure::WrongBlock => "the device acknowledges blocks it was not sent",
                    Block1Failure::TooManyBlocks => {
                        "the device takes blocks so small that the image has too many of them"
                    }
                };
                self.explain(now, why.to_owned());
            }
        }
    }

    fn download(&mut self, now: Instant, stage: Stage) {
        self.stored.status.stage = stage;
        self.wait_for_image(now);
    }

    fn wait_for_image(&mut self, now: Instant) {
        self.step = Step::Poll;
        self.since = now;
        self.poll_now(now);
        self.say(self.phase());
    }

    /// What goes on when all goes well.
    const fn phase(&self) -> &'static str {
        match (self.stored.status.stage, self.step) {
            (Stage::Starting, _) => "looking at the device",
            (Stage::Pushing, Step::Poll) => "the device checks the image",
            (Stage::Pushing, _) => "sending",
            (Stage::Pulling, _) => "the device downloads",
            _ => "the device installs",
        }
    }

    fn poll_now(&mut self, now: Instant) {
        self.poll_at = now;
        self.poll_gap = TICK;
    }

    fn poll_later(&mut self, now: Instant) {
        self.poll_at = now + self.poll_gap;
        self.poll_gap = (self.poll_gap * 2).min(SLOWEST_POLL);
    }

    /// What a device that pulls has fetched tells as much as its state, and costs it nothing.
    fn progress(&mut self, now: Instant, unix: f64, served: u64) {
        let pulls = self.status().stage == Stage::Pulling;
        if !pulls || !self.progress.reached(served) {
            if now.saturating_since(self.since) >= STALL {
                let text = "the download has stood still for an hour".to_owned();
                self.fail(unix, text);
            }
            return;
        }
        self.stored.status.sent = served;
        self.since = now;
        self.heard = now;
        if served >= self.stored.status.size {
            self.poll_at = (now + TICK).min(self.poll_at);
            self.poll_gap = TICK;
        }
    }

    fn polled(&mut self, now: Instant, unix: f64) {
        let waited = now.saturating_since(self.since);
        let pulls = self.status().stage == Stage::Pulling;
        match (self.state(), self.result()) {
            (DOWNLOADED, _) => self.downloaded(now, unix),
            // Automatic Upgrade at Download (/5/0/14): it installs without being told.
            (UPDATING, _) => self.watch(now),
            (DOWNLOADING, _) if pulls => self.poll_later(now),
            (DOWNLOADING, _) if waited < CHECK => self.poll_later(now),
            (DOWNLOADING, _) => self.fail(
                unix,
                "the device does not come to an end with the image".to_owned(),
            ),
            // It has been installed already, as /5/0/14 says.
            (IDLE, SUCCESS) if self.status().sent > 0 => self.step = Step::After,
            (IDLE, INITIAL) if waited < if pulls { BEGIN } else { MOMENT } => self.poll_later(now),
            (IDLE, INITIAL) if pulls => self.fail(
                unix,
                "the device took the address and did not begin to download".to_owned(),
            ),
            (IDLE, INITIAL) => {
                self.fail(
                    unix,
                    "the device dropped the image without a reason".to_owned(),
                );
            }
            (_, result) => self.fail(unix, format!("the device: {}", result_text(result))),
        }
    }

    fn downloaded(&mut self, now: Instant, unix: f64) {
        self.stored.status.sent = self.stored.status.size;
        if !self.status().install {
            let text = "downloaded; it is not installed".to_owned();
            return self.end(unix, Stage::Done, text);
        }
        // Kept before it is asked: a server that ends in between finds out what came of it.
        self.stored.status.stage = Stage::Installing;
        self.stored.registration = self.facts.as_ref().map(|facts| facts.registration.clone());
        self.seen = self.stored.registration.clone();
        self.step = Step::Execute;
        self.since = now;
        self.say("downloaded; telling the device to install");
    }

    fn watch(&mut self, now: Instant) {
        self.stored.status.stage = Stage::Installing;
        self.since = now;
        self.resumed = false;
        self.watch_on(now);
        // The answer to the Execute may still be on its way when the device begins.
        self.poll_later(now);
    }

    fn watch_on(&mut self, now: Instant) {
        self.step = Step::Watch;
        self.poll_now(now);
        self.say(self.phase());
    }

    /// A new registration tells of a restart: the result is worth reading.
    fn watched(&mut self, now: Instant, facts: Facts) {
        if self.seen.as_ref() != Some(&facts.registration) {
            self.seen = Some(facts.registration.clone());
            self.heard = now;
            self.poll_now(now);
            self.troubled = false;
            self.say("the device has registered again");
        }
        self.facts = Some(facts);
        if self.poll_at <= now {
            self.step = Step::Judge;
        } else {
            self.wait_until = now + TICK;
        }
    }

    /// What the device says while it installs, and afterwards.
    fn judged(&mut self, now: Instant, unix: f64) {
        let waited = now.saturating_since(self.since);
        let resumed = core::mem::take(&mut self.resumed);
        let restarted = self.seen != self.stored.registration;
        self.step = Step::Watch;
        match (self.state(), self.result()) {
            (IDLE, SUCCESS) => self.step = Step::After,
            (DOWNLOADED, INITIAL) if resumed && waited < INSTALL => self.step = Step::Execute,
            (_, DEFERRED_BY_USER) if waited < DEFERRED => {
                self.say("the device's user has put it off");
                self.poll_later(now);
            }
            (UPDATING, INITIAL) if waited < INSTALL => {
                self.say(self.phase());
                self.poll_later(now);
            }
            (UPDATING, _) => self.fail(
                unix,
                "the device has not come to an end with the installation".to_owned(),
            ),
            (IDLE | DOWNLOADED, INITIAL) if waited < MOMENT => self.poll_later(now),
            // Some forget the result over the restart. The version tells.
            (IDLE, INITIAL) if restarted => self.step = Step::After,
            (state, INITIAL) => self.fail(
                unix,
                format!(
                    "the device was told to install and is {} without a result",
                    state_text(state)
                ),
            ),
            (_, result) => self.fail(unix, format!("the device: {}", result_text(result))),
        }
    }

    fn installed(&mut self, unix: f64) {
        let status = &self.stored.status;
        let (before, after) = (&status.version_before, &status.version_after);
        let text = match (before, after) {
            (Some(before), Some(after)) if before != after => {
                format!("installed; the version was {before} and is {after}")
            }
            (_, Some(after)) => format!("installed; the version is {after}"),
            _ => "installed".to_owned(),
        };
        if self.result() != SUCCESS && before == after {
            let text =
                "the device restarted; neither a result nor the version tells that it installed";
            return self.fail(unix, text.to_owned());
        }
        self.end(unix, Stage::Done, text);
    }

    /// Reads what the device itself says before the job fails for this reason.
    fn explain(&mut self, now: Instant, why: String) {
        self.step = Step::Explain;
        self.wait_until = now;
        self.refused = Some(why);
    }

    fn with_result(&self, why: String) -> String {
        match self.result() {
            INITIAL | SUCCESS => why,
            result => format!("{why}; its result is: {}", result_text(result)),
        }
    }

    fn say(&mut self, text: &str) {
        text.clone_into(&mut self.stored.status.text);
    }

    /// Ends the job for this reason, which may be the server's own.
    pub fn fail(&mut self, unix: f64, text: String) {
        self.end(unix, Stage::Failed, text);
    }

    fn end(&mut self, unix: f64, stage: Stage, text: String) {
        self.step = Step::End;
        self.stored.status.stage = stage;
        self.stored.status.text = text;
        self.stored.status.finished_at = Some(unix);
    }
}

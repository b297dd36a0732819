//! Requests to devices: one at a time for each (NSTART = 1), the others wait their turn.
//!
//! ```text
//! waiting ──advance──> in flight ──answer──> next block │ outcome ──> advance
//!                          └── RST, no answer ──> outcome
//! ```
//!
//! A device in queue mode that has been silent for its awake time sleeps: its operations wait
//! until it speaks, or until their deadline (Transport 1.2 §6.5). Those of its queue, which
//! outlive the process, are in `queue`.

use core::cmp::Reverse;

use dunlin_coap::block::{Block, BlockSize};
use dunlin_coap::{
    Code, ExchangeId, Instant, Message, MessageWriter, OptionNumber, Outgoing, Rng, SendError,
};
use dunlin_lwm2m::operation::{Operation, WireOperation};

use super::activity::{Activity, Current, Gathered, Job, Need, Prepared, Task, wire};
use super::io::Reply;
use super::queue::{Next, is_asleep};
use super::receive::created_path;
use super::registry::{ASLEEP, HELD, TICKS_PER_SECOND};
use super::wheel::NONE;
use super::{Shard, ids, tick};
use crate::api::{OperateError, Outcome};
use crate::upload::UploadAnswer;

/// What a device answered, whole.
pub(super) struct Answer<'m> {
    pub(super) code: Code,
    pub(super) format: Option<u16>,
    pub(super) payload: &'m [u8],
    /// Observe of the first block.
    pub(super) observe: Option<u32>,
    pub(super) message: &'m Message<'m>,
}

/// How a request ended without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    Timeout,
    Reset,
    /// It cannot be sent.
    Unsendable(&'static str),
    /// The blocks of the answer do not fit together, or are too many.
    Blocks(&'static str),
}

impl NoAnswer {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Timeout => "the device did not answer in time",
            Self::Reset => "the device reset the request",
            Self::Unsendable(why) | Self::Blocks(why) => why,
        }
    }
}

impl From<NoAnswer> for OperateError {
    fn from(why: NoAnswer) -> Self {
        match why {
            NoAnswer::Timeout => Self::Timeout,
            NoAnswer::Reset => Self::Reset,
            NoAnswer::Unsendable(why) => Self::Invalid(why.to_owned()),
            NoAnswer::Blocks(why) => Self::Undecodable(why.to_owned()),
        }
    }
}

impl Shard {
    /// Lets an operation wait for its turn, which may be now.
    pub(super) fn enqueue(&mut self, now: Instant, slot: u32, job: Job, rng: &mut dyn Rng) {
        let limits = self.config.limits;
        let full = self.waiting >= limits.operations;
        let deadline = job.deadline;
        let Some(activity) = self.activity(slot) else {
            return;
        };
        if full || activity.waiting.len() >= limits.operations_per_device {
            return self.operated(job.id, Err(OperateError::Overloaded));
        }
        activity.waiting.push_back(job);
        self.waiting += 1;
        self.counters.operations += 1;
        let index = self.registry.get(slot).map_or(NONE, |found| found.device);
        self.advance(now, index, rng);
        let waits = |activity: &Activity| !activity.waiting.is_empty();
        if self.activities.get(index).is_some_and(waits) {
            // Entries of operations that have ended stay behind; they are swept out when they
            // outnumber the others.
            if self.deadlines.len() > 2 * self.waiting + 1024 {
                self.rebuild_deadlines();
            }
            self.deadlines.push(Reverse((deadline, index)));
        }
    }

    fn rebuild_deadlines(&mut self) {
        let activities = &self.activities;
        self.deadlines.retain(|Reverse((deadline, index))| {
            activities
                .get(*index)
                .is_some_and(|found| found.waiting.iter().any(|job| job.deadline == *deadline))
        });
    }

    pub(super) fn give_up_waiting(&mut self, now: Instant, rng: &mut dyn Rng) {
        while let Some(&Reverse((deadline, index))) = self.deadlines.peek() {
            if deadline > now {
                return;
            }
            self.deadlines.pop();
            let Some(activity) = self.activities.get_mut(index) else {
                continue;
            };
            let mut late = Vec::new();
            activity.waiting.retain(|job| {
                let in_time = job.deadline > now;
                if !in_time {
                    late.push(job.id);
                }
                in_time
            });
            self.waiting -= late.len();
            for id in late {
                self.operated(id, Err(OperateError::Timeout));
            }
            self.advance(now, index, rng);
        }
    }

    /// Goes on with devices that waited for a free exchange, and with those that waited because
    /// the shard has enough to do of its own accord.
    pub(super) fn serve_line(&mut self, now: Instant, rng: &mut dyn Rng) {
        while !self.is_full() {
            let own = self.line.is_empty();
            if own && self.paced >= self.config.limits.paced {
                return;
            }
            let line = if own {
                &mut self.own_line
            } else {
                &mut self.line
            };
            let Some(index) = line.pop_front() else {
                return;
            };
            if let Some(activity) = self.activities.get_mut(index) {
                if own {
                    activity.in_own_line = false;
                } else {
                    activity.in_line = false;
                }
                self.advance(now, index, rng);
            }
        }
    }

    fn is_full(&self) -> bool {
        self.endpoint.open_exchanges() >= self.config.limits.exchanges
    }

    pub(super) fn stand_in_line(&mut self, index: u32, own: bool) {
        let Some(activity) = self.activities.get_mut(index) else {
            return;
        };
        let (stands, line) = if own {
            (&mut activity.in_own_line, &mut self.own_line)
        } else {
            (&mut activity.in_line, &mut self.line)
        };
        if !core::mem::replace(stands, true) {
            line.push_back(index);
        }
    }

    /// Sends the next request to a device if there is one and it may be sent.
    pub(super) fn advance(&mut self, now: Instant, index: u32, rng: &mut dyn Rng) {
        loop {
            let Some(activity) = self.activities.get(index) else {
                return;
            };
            let Some(registration) = self.registry.get(activity.slot) else {
                return;
            };
            if activity.current.is_some() || registration.flags & HELD != 0 {
                return;
            }
            let queue_mode = self.parameters.get(registration.parameters).queue_mode;
            if queue_mode && is_asleep(registration, activity.awake_time, now) {
                return;
            }
            // A device that did not answer is asked again when it has spoken.
            let queued = activity.queued && registration.flags & ASLEEP == 0;
            let has_own = !activity.cancellations.is_empty()
                || activity
                    .observations
                    .iter()
                    .any(|observation| observation.need != Need::Nothing);
            if activity.waiting.is_empty() && !has_own && !queued {
                if let Some(slot) = self.activities.free_if_idle(index)
                    && let Some(registration) = self.registry.get_mut(slot)
                {
                    registration.device = NONE;
                }
                return;
            }
            let full = self.is_full();
            let paced = !full
                && activity.waiting.is_empty()
                && !queued
                && self.paced >= self.config.limits.paced;
            if full || paced {
                return self.stand_in_line(index, paced);
            }
            let job = self
                .activities
                .get_mut(index)
                .and_then(|activity| activity.waiting.pop_front());
            let current = match job {
                Some(job) => {
                    self.waiting -= 1;
                    if job.deadline <= now {
                        self.operated(job.id, Err(OperateError::Timeout));
                        continue;
                    }
                    Current {
                        confirmable: job.confirmable,
                        ..Current::new(Task::Operate(job.id), job.operation, job.deadline)
                    }
                }
                None if queued => match self.next_queued(now, index, rng) {
                    Next::Request(current) => current,
                    Next::Held(current) => {
                        if let Some(activity) = self.activities.get_mut(index) {
                            activity.current = Some(current);
                        }
                        return;
                    }
                    Next::Nothing | Next::Again => continue,
                },
                None => {
                    let deadline = now + self.config.transmission.max_transmit_wait();
                    match self.own_request(index, deadline, rng) {
                        Some(current) => {
                            self.paced += 1;
                            current
                        }
                        None => continue,
                    }
                }
            };
            if let Some(activity) = self.activities.get_mut(index) {
                activity.current = Some(current);
            }
            match self.send(now, index, rng) {
                Ok(()) => return,
                Err(why) => self.no_answer(now, index, why, rng),
            }
        }
    }

    /// Sends the request of a device, or its next block.
    pub(super) fn send(
        &mut self,
        now: Instant,
        index: u32,
        rng: &mut dyn Rng,
    ) -> Result<(), NoAnswer> {
        let lost = NoAnswer::Unsendable("the registration has ended");
        let activity = self.activities.get_mut(index).ok_or(lost)?;
        let current = activity.current.as_mut().ok_or(lost)?;
        let registration = self.registry.get(activity.slot).ok_or(lost)?;
        let root = &self.lists.get(registration.links).root;
        let peer = registration.peer();
        let mut remaining = current.deadline.saturating_since(now);
        if remaining.is_zero() {
            return Err(NoAnswer::Timeout);
        }
        if let Task::Queued(..) = current.task {
            // Each block has its own time.
            remaining = remaining.min(self.config.transmission.max_transmit_wait());
        }
        let follows = current.sent > 0 || !current.gathered.bytes.is_empty();
        if current.is_unsent() {
            let silent = tick(now).saturating_sub(registration.heard);
            current.idle = silent / TICKS_PER_SECOND;
        }
        current.begun = tick(now);
        let keeps_token = !follows
            && matches!(
                current.operation,
                Operation::Observe { .. }
                    | Operation::CancelObserve { .. }
                    | Operation::ObserveComposite { .. }
                    | Operation::CancelObserveComposite { .. }
            );
        if !keeps_token {
            current.token = ids::token(self.config.index, rng);
        }
        let operation = wire(&current.operation);
        let blocks = Blocks::of(&operation, current)?;
        let method = operation.method();
        let outgoing = if current.confirmable {
            Outgoing::confirmable(method)
        } else {
            Outgoing::non_confirmable(method)
        };
        let outgoing = outgoing.token(current.token).timeout(remaining);
        let sent = self.endpoint.request(now, rng, peer, outgoing, |writer| {
            blocks.write(&operation, writer, root, follows);
        });
        match sent {
            Ok(sent) => {
                self.owners[sent.exchange.index()] = index;
                current.exchange = Some(sent.exchange);
                let bytes = sent.bytes;
                self.queue
                    .transmit(peer, |buffer| buffer.extend_from_slice(bytes));
                Ok(())
            }
            Err(SendError::Write(_)) => Err(NoAnswer::Unsendable(
                "the request is too long: alternate path or attributes do not fit into a datagram",
            )),
            Err(SendError::NoFreeExchange | SendError::TokenInUse) => {
                Err(NoAnswer::Unsendable("too many requests are in flight"))
            }
        }
    }

    /// Takes the exchange off its device.
    fn take_owner(&mut self, exchange: ExchangeId) -> Option<u32> {
        let index = core::mem::replace(self.owners.get_mut(exchange.index())?, NONE);
        let current = self.activities.get_mut(index)?.current.as_mut()?;
        if current.exchange != Some(exchange) {
            return None;
        }
        current.exchange = None;
        Some(index)
    }

    /// A device answered its request.
    pub(super) fn answered(
        &mut self,
        now: Instant,
        exchange: ExchangeId,
        message: &Message<'_>,
        rng: &mut dyn Rng,
    ) {
        if let Some(index) = self.take_owner(exchange) {
            self.answer(now, index, message, rng);
        }
    }

    /// No answer came to a request.
    pub(super) fn unanswered(&mut self, now: Instant, exchange: ExchangeId, rng: &mut dyn Rng) {
        let Some(index) = self.take_owner(exchange) else {
            return;
        };
        self.regard_as_asleep(now, index);
        self.no_answer(now, index, NoAnswer::Timeout, rng);
        self.advance(now, index, rng);
        self.serve_line(now, rng);
    }

    /// A device that does not answer is regarded as asleep again (Transport 1.2 §6.5), unless it
    /// has spoken since it was asked.
    fn regard_as_asleep(&mut self, now: Instant, index: u32) {
        let Some(activity) = self.activities.get(index) else {
            return;
        };
        // Nobody knows whether a Non-confirmable request has arrived.
        let current = activity.current.as_ref();
        let Some(current) = current.filter(|current| current.confirmable) else {
            return;
        };
        let (slot, begun, idle) = (activity.slot, current.begun, current.idle);
        let Some(registration) = self.registry.get_mut(slot) else {
            return;
        };
        if registration.heard > begun {
            return;
        }
        registration.flags |= ASLEEP;
        // Whoever gave up sooner than CoAP has learned nothing.
        let waited = tick(now).saturating_sub(begun) / TICKS_PER_SECOND;
        let span = self.config.transmission.max_transmit_span().as_secs();
        if u64::from(waited) >= span {
            self.learn(slot, idle, false);
        }
    }

    /// A device rejected its request.
    pub(super) fn reset(&mut self, now: Instant, exchange: ExchangeId, rng: &mut dyn Rng) {
        if let Some(index) = self.take_owner(exchange) {
            self.no_answer(now, index, NoAnswer::Reset, rng);
            self.advance(now, index, rng);
            self.serve_line(now, rng);
        }
    }

    /// Takes an answer, one block perhaps, and goes on.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        index: u32,
        message: &Message<'_>,
        rng: &mut dyn Rng,
    ) {
        let longest = self.config.limits.answer_bytes;
        let Some(activity) = self.activities.get_mut(index) else {
            return;
        };
        let Some(current) = activity.current.as_mut() else {
            return;
        };
        match current.take(message, longest) {
            Ok(Step::Again) => match self.send(now, index, rng) {
                Ok(()) => return,
                Err(why) => self.no_answer(now, index, why, rng),
            },
            Ok(Step::Whole) => self.whole_answer(now, index, message, rng),
            Err(why) => self.no_answer(now, index, NoAnswer::Blocks(why), rng),
        }
        self.advance(now, index, rng);
        self.serve_line(now, rng);
    }

    fn whole_answer(&mut self, now: Instant, index: u32, message: &Message<'_>, rng: &mut dyn Rng) {
        let Some(activity) = self.activities.get_mut(index) else {
            return;
        };
        let Some(current) = activity.current.take() else {
            return;
        };
        let slot = activity.slot;
        if current.task.is_own() {
            self.paced -= 1;
        }
        self.learn(slot, current.idle, true);
        let gathered = &current.gathered;
        let answer = Answer {
            code: message.code,
            format: message.content_format(),
            payload: if gathered.bytes.is_empty() {
                message.payload
            } else {
                &gathered.bytes
            },
            observe: gathered.observe.or(message.observe()),
            message,
        };
        match current.task {
            Task::Operate(id) => {
                let outcome = self.outcome(now, slot, &current.operation, &answer);
                self.operated(id, outcome);
            }
            Task::Queued(id, attempt) => {
                let outcome = self.outcome(now, slot, &current.operation, &answer);
                self.queued_ended(now, slot, (id, attempt), outcome, rng);
            }
            Task::Attributes(wish, target) => {
                self.attributes_answered(index, wish, target, &answer);
            }
            Task::Observe(wish) => self.observe_answered(now, index, wish, &answer),
            Task::Fetch(wish) => self.fetch_answered(now, index, wish, &answer),
            Task::Cancel => {}
        }
    }

    /// The request of a device has ended without an answer.
    pub(super) fn no_answer(&mut self, now: Instant, index: u32, why: NoAnswer, rng: &mut dyn Rng) {
        let Some(activity) = self.activities.get_mut(index) else {
            return;
        };
        let Some(current) = activity.current.take() else {
            return;
        };
        if current.task.is_own() {
            self.paced -= 1;
        }
        match current.task {
            Task::Operate(id) => self.operated(id, Err(why.into())),
            Task::Queued(id, attempt) => {
                self.queued_no_answer(now, index, (id, attempt), why, rng);
            }
            Task::Attributes(wish, _) | Task::Observe(wish) => {
                self.observation_failed(
                    index,
                    wish,
                    why.text().to_owned(),
                    why == NoAnswer::Timeout,
                );
            }
            // The next notification brings a newer state.
            Task::Fetch(_) | Task::Cancel => {}
        }
    }

    /// What an answer means for somebody who waits.
    fn outcome(
        &self,
        now: Instant,
        slot: u32,
        operation: &Prepared,
        answer: &Answer<'_>,
    ) -> Result<Outcome, OperateError> {
        let upload = is_block(operation).then(|| UploadAnswer {
            code: answer.code,
            block: answer
                .message
                .value(OptionNumber::BLOCK1)
                .and_then(Block::from_value),
            diagnostic: diagnostic(answer),
        });
        if !answer.code.is_success() && upload.is_none() {
            return Err(OperateError::Device {
                code: answer.code,
                diagnostic: diagnostic(answer),
            });
        }
        let expected = operation.success();
        if answer.code != expected && upload.is_none() {
            return Err(OperateError::Undecodable(format!(
                "{} {} is no answer to a {}, which {expected} {} is",
                answer.code,
                answer.code.name(),
                operation.name(),
                expected.name()
            )));
        }
        let mut outcome = Outcome {
            code: answer.code,
            format: answer.format.map(dunlin_lwm2m::ContentFormat),
            records: Vec::new(),
            links: None,
            location: None,
            upload,
        };
        match operation {
            Operation::Read { path, .. } => {
                outcome.records = self
                    .decode(now, slot, *path, &[*path], answer.format, answer.payload)
                    .map_err(OperateError::Undecodable)?;
            }
            Operation::ReadComposite { paths, .. } => {
                outcome.records = self
                    .decode_composite(now, slot, paths, answer)
                    .map_err(OperateError::Undecodable)?;
            }
            Operation::Discover { .. } => {
                let links = str::from_utf8(answer.payload)
                    .map_err(|_| OperateError::Undecodable("the links are not UTF-8".to_owned()))?;
                outcome.links = Some(links.to_owned());
            }
            Operation::Create { .. } => {
                let root = self
                    .registry
                    .get(slot)
                    .map_or("/", |found| &self.lists.get(found.links).root);
                outcome.location = created_path(answer.message, root);
            }
            _ => {}
        }
        Ok(outcome)
    }

    /// Tells the outcome of an operation.
    pub(super) fn operated(&mut self, id: u64, outcome: Result<Outcome, OperateError>) {
        let counter = match &outcome {
            Ok(_) => &mut self.counters.succeeded,
            Err(error) => self.counters.of_error(error),
        };
        *counter += 1;
        self.queue.reply(id, Reply::Operated(outcome));
    }
}

/// Whether the control plane cuts the body itself.
fn is_block(operation: &Prepared) -> bool {
    matches!(operation, Operation::Write { body, .. } if body.block.is_some())
}

/// The diagnostic text of an error answer (RFC 7252 §5.5.2).
pub(super) fn diagnostic(answer: &Answer<'_>) -> String {
    if answer.format.is_some_and(|format| format != 0) {
        return String::new();
    }
    let text = String::from_utf8_lossy(answer.payload);
    text.chars()
        .filter(|character| !character.is_control())
        .take(200)
        .collect()
}

/// What comes after a block.
enum Step {
    /// Send the next request of the same operation.
    Again,
    /// This was the answer.
    Whole,
}

impl Current {
    /// Takes an answer to one request of the operation.
    fn take(&mut self, message: &Message<'_>, longest: usize) -> Result<Step, &'static str> {
        let block1 = message.value(OptionNumber::BLOCK1).map(Block::from_value);
        if is_block(&self.operation) {
            return Ok(Step::Whole);
        }
        let body = wire(&self.operation).body();
        if let Some(body) = body
            && body.bytes.len() > self.size.bytes()
        {
            let smaller = match block1 {
                Some(Some(block)) if block.size < self.size => Some(block.size),
                _ => None,
            };
            let bytes = self.size.bytes();
            if message.code == Code::REQUEST_ENTITY_TOO_LARGE
                && self.sent == 0
                && let Some(size) = smaller
            {
                // The block is too large: again with the size that the device names
                // (RFC 7959 §2.9.3).
                self.size = size;
                return Ok(Step::Again);
            }
            if message.code.is_success() && self.sent + bytes < body.bytes.len() {
                // 2.31, or a success code of a device that applies blocks one by one.
                self.sent += bytes;
                self.size = smaller.unwrap_or(self.size);
                return Ok(Step::Again);
            }
        }
        if !message.code.is_success() {
            self.gathered = Gathered::default();
            return Ok(Step::Whole);
        }
        self.gathered.take(message, longest)
    }
}

impl Gathered {
    /// Takes a block of the answer (RFC 7959 §2.4).
    fn take(&mut self, message: &Message<'_>, longest: usize) -> Result<Step, &'static str> {
        let Some(value) = message.value(OptionNumber::BLOCK2) else {
            if !self.bytes.is_empty() {
                return Err("the device stopped sending blocks in the middle of its answer");
            }
            return Ok(Step::Whole);
        };
        let block = Block::from_value(value).ok_or("Block2 has a reserved size")?;
        let etag = message.value(OptionNumber::ETAG).unwrap_or_default();
        if !self.bytes.is_empty() && self.etag != etag {
            // The representation changed: from the beginning (RFC 7959 §2.4).
            if self.restarts > 0 {
                return Err("the value changed more than once while it was read");
            }
            let (restarts, size) = (self.restarts + 1, block.size);
            *self = Self {
                restarts,
                size,
                ..Self::default()
            };
            return Ok(Step::Again);
        }
        if block.offset() != self.bytes.len() {
            return Err("the device sent another block than asked for");
        }
        if message.payload.len() > block.size.bytes()
            || block.more && message.payload.len() != block.size.bytes()
        {
            return Err("a block has another length than it says");
        }
        if self.bytes.len() + message.payload.len() > longest {
            return Err("the answer is too long");
        }
        if self.bytes.is_empty() && !block.more {
            return Ok(Step::Whole);
        }
        if self.bytes.is_empty() {
            self.etag = etag.to_vec();
            self.observe = message.observe();
        }
        self.size = block.size;
        self.bytes.extend_from_slice(message.payload);
        Ok(if block.more { Step::Again } else { Step::Whole })
    }

    /// Begins with the first block of a notification; `None` when there are no more.
    pub(super) fn begin(
        message: &Message<'_>,
        longest: usize,
    ) -> Result<Option<Self>, &'static str> {
        let mut gathered = Self::default();
        match gathered.take(message, longest)? {
            Step::Again => Ok(Some(gathered)),
            Step::Whole => Ok(None),
        }
    }
}

/// The block options and the payload of a request.
struct Blocks<'a> {
    payload: &'a [u8],
    block1: Option<Block>,
    size1: Option<u32>,
    block2: Option<Block>,
}

impl<'a> Blocks<'a> {
    fn of(operation: &WireOperation<'a>, current: &Current) -> Result<Self, NoAnswer> {
        let too_long = NoAnswer::Unsendable("the body has too many blocks");
        let body = operation.body().map_or(&[][..], |body| body.bytes);
        let gathered = &current.gathered;
        let mut blocks = Blocks {
            payload: body,
            block1: None,
            size1: None,
            block2: None,
        };
        if let Operation::Write { body, .. } = &current.operation
            && let Some((block, size1)) = body.block
        {
            (blocks.block1, blocks.size1) = (block, size1);
        } else if !gathered.bytes.is_empty() {
            let at = gathered.bytes.len();
            blocks.block2 = Some(Block::at(at, false, gathered.size).ok_or(too_long)?);
            // The rest of an answer is asked for without a body that went in blocks (RFC 7959
            // §3.3). The path list of a FETCH says what is asked for, as a path does, and comes
            // with each request when one message holds it (RFC 8132 §2).
            if operation.method() != Code::FETCH || current.sent > 0 {
                blocks.payload = &[];
            }
        } else if body.len() > BlockSize::MAX.bytes()
            || current.sent > 0
            || current.size < BlockSize::MAX
        {
            let end = (current.sent + current.size.bytes()).min(body.len());
            let more = end < body.len();
            blocks.payload = body.get(current.sent..end).unwrap_or_default();
            blocks.block1 = Some(Block::at(current.sent, more, current.size).ok_or(too_long)?);
            if current.sent == 0 {
                blocks.size1 = u32::try_from(body.len()).ok();
            }
        }
        Ok(blocks)
    }

    fn write(
        &self,
        operation: &WireOperation<'_>,
        writer: &mut MessageWriter<'_>,
        root: &str,
        follows: bool,
    ) {
        match *operation {
            // Further blocks are asked for without Observe (RFC 7959 §3.4).
            Operation::Observe { path, accept, .. } if follows => {
                WireOperation::Read { path, accept }.write_options(writer, root);
            }
            Operation::ObserveComposite { paths, accept, .. } if follows => {
                WireOperation::ReadComposite { paths, accept }.write_options(writer, root);
            }
            _ => operation.write_options(writer, root),
        }
        if let Some(block) = self.block2 {
            writer.uint(OptionNumber::BLOCK2, block.value());
        }
        if let Some(block) = self.block1 {
            writer.uint(OptionNumber::BLOCK1, block.value());
        }
        if let Some(size1) = self.size1 {
            writer.uint(OptionNumber::SIZE1, size1);
        }
        writer.payload(self.payload);
    }
}

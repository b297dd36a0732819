//! Observations: made for wishes after each registration, and what the device reports
//! (Core 1.2 §6.4, RFC 7641).

use dunlin_coap::{Code, Instant, Message, OptionNumber, ReplyTo, Rng};
use dunlin_lwm2m::operation::Operation;
use dunlin_lwm2m::{ContentFormat, OwnedRecord};

use super::activity::{Cancellation, Current, Gathered, Need, Observation, Prepared, Task};
use super::exchange::{Answer, diagnostic};
use super::io::{Persist, StoredValues};
use super::wheel::NONE;
use super::{Shard, composite, ids, prepare};
use crate::api::{EventKind, OperateError, WishState};
use crate::peer::Peer;

impl Shard {
    /// The next request to a device that nobody waits for; `None` when what was needed came to
    /// nothing.
    pub(super) fn own_request(
        &mut self,
        index: u32,
        deadline: Instant,
        rng: &mut dyn Rng,
    ) -> Option<Current> {
        let activity = self.activities.get_mut(index)?;
        let slot = activity.slot;
        if let Some(cancellation) = activity.cancellations.pop() {
            let mut current = Current::new(Task::Cancel, cancellation.operation, deadline);
            current.token = cancellation.token;
            return Some(current);
        }
        let observation = activity
            .observations
            .iter_mut()
            .find(|observation| observation.need != Need::Nothing)?;
        let wish = observation.wish;
        let need = core::mem::replace(&mut observation.need, Need::Nothing);
        let partial = observation.partial.take();
        let (path, accept) = (observation.observed.path, observation.accept);
        match need {
            Need::Nothing => None,
            Need::Fetch => {
                let operation = match observation.list.clone() {
                    Some(paths) => Operation::ReadComposite { paths, accept },
                    None => Operation::Read { path, accept },
                };
                let mut current = Current::new(Task::Fetch(wish), operation, deadline);
                current.gathered = partial?.0;
                Some(current)
            }
            Need::Attributes(_) | Need::Observe => {
                let operation = self.making(index, slot, wish, need);
                let observation = self.observation(index, wish)?;
                let (operation, accept) = match operation? {
                    Ok(operation) => operation,
                    Err(why) => {
                        observation.fail(why.to_string(), false);
                        self.counters.observation_failures += 1;
                        return None;
                    }
                };
                if let Need::Attributes(target) = need {
                    let task = Task::Attributes(wish, target);
                    return Some(Current::new(task, operation, deadline));
                }
                observation.accept = accept;
                observation.list = match &operation {
                    Operation::ObserveComposite { paths, .. } => Some(paths.clone()),
                    _ => None,
                };
                let shard = self.config.index;
                let token = *self
                    .observation(index, wish)?
                    .token
                    .get_or_insert_with(|| ids::token(shard, rng));
                let mut current = Current::new(Task::Observe(wish), operation, deadline);
                current.token = token;
                Some(current)
            }
        }
    }

    /// The request that makes an observation, or that writes attributes before, and the format
    /// it asks for.
    fn making(
        &self,
        index: u32,
        slot: u32,
        wish: u64,
        need: Need,
    ) -> Option<Result<(Prepared, Option<ContentFormat>), OperateError>> {
        let activity = self.activities.get(index)?;
        let observation = activity.observations.iter().find(|it| it.wish == wish)?;
        let (observed, dialect) = (&observation.observed, self.dialect_of(slot)?);
        let make = || {
            self.check_dialect(slot, observed)?;
            let parameters =
                prepare::parameters(&observed.parameters).map_err(OperateError::Invalid)?;
            let path = observed.path;
            Ok(if let Need::Attributes(target) = need {
                let target = observed.targets().get(usize::from(target));
                let attributes = prepare::attribute_changes(&observed.attributes)
                    .map_err(OperateError::Invalid)?;
                let path = target.copied().unwrap_or(path);
                (Operation::WriteAttributes { path, attributes }, None)
            } else if observed.is_composite() {
                let accept = dialect.composite_answer();
                let operation = Operation::ObserveComposite {
                    paths: composite::path_list(&dialect, &observed.paths)?,
                    accept,
                    parameters,
                };
                (operation, accept)
            } else {
                let accept = dialect.answer();
                let operation = Operation::Observe {
                    path,
                    accept,
                    parameters,
                };
                (operation, accept)
            })
        };
        Some(make())
    }

    pub(super) fn attributes_answered(
        &mut self,
        index: u32,
        wish: u64,
        target: u16,
        answer: &Answer<'_>,
    ) {
        if answer.code != Code::CHANGED {
            let why = format!("Write-Attributes: {}", refused(answer));
            return self.observation_failed(index, wish, why, false);
        }
        if let Some(observation) = self.observation(index, wish) {
            let next = target + 1;
            let more = usize::from(next) < observation.observed.targets().len();
            observation.need = if more {
                Need::Attributes(next)
            } else {
                Need::Observe
            };
        }
    }

    pub(super) fn observe_answered(
        &mut self,
        now: Instant,
        index: u32,
        wish: u64,
        answer: &Answer<'_>,
    ) {
        if answer.code.class() == 5 && answer.code != Code::NOT_IMPLEMENTED {
            return self.observation_put_off(index, wish, refused(answer));
        }
        if answer.code != Code::CONTENT {
            return self.observation_failed(index, wish, refused(answer), false);
        }
        let Some(observation) = self.observation(index, wish) else {
            return;
        };
        let Some(number) = answer.observe else {
            // A plain answer: the value, but no observation (RFC 7641 §3.1).
            self.reported(now, index, wish, answer.format, answer.payload);
            let why = "the device answered, but does not observe this path".to_owned();
            return self.observation_put_off(index, wish, why);
        };
        observation.reported = now;
        observation.put_off = 0;
        observation.freshness.restart();
        observation.freshness.is_newer(number, now);
        observation.state = WishState::Active;
        self.counters.observations += 1;
        self.reported(now, index, wish, answer.format, answer.payload);
    }

    pub(super) fn fetch_answered(
        &mut self,
        now: Instant,
        index: u32,
        wish: u64,
        answer: &Answer<'_>,
    ) {
        if answer.code == Code::CONTENT {
            self.reported(now, index, wish, answer.format, answer.payload);
        }
    }

    /// The device has another address or DTLS association. Observations are made again, since notifications that were
    /// rejected meanwhile ended them. A request that is on its way to the old address goes to the
    /// new one: an operation as the same message, since it must not be done twice; what may be
    /// done twice from the beginning.
    pub(super) fn follow(&mut self, slot: u32, peer: Peer) {
        let index = self.registry.get(slot).map_or(NONE, |found| found.device);
        let Some(activity) = self.activities.get_mut(index) else {
            return;
        };
        for observation in &mut activity.observations {
            if observation.state == WishState::Active {
                observation.restart();
            }
        }
        let Some(current) = activity.current.take_if(|current| current.task.is_own()) else {
            let exchange = activity.current.as_ref().and_then(|found| found.exchange);
            if let Some(exchange) = exchange {
                self.endpoint.redirect(exchange, peer);
            }
            return;
        };
        self.paced -= 1;
        match current.task {
            Task::Attributes(wish, _) | Task::Observe(wish) => {
                if let Some(observation) = activity.observation(wish) {
                    observation.restart();
                }
            }
            Task::Cancel => {
                let (token, operation) = (current.token, current.operation);
                activity
                    .cancellations
                    .push(Cancellation { token, operation });
            }
            Task::Fetch(_) | Task::Operate(_) | Task::Queued(..) => {}
        }
        if let Some(exchange) = current.exchange {
            self.owners[exchange.index()] = NONE;
            self.endpoint.cancel(exchange);
        }
    }

    pub(super) fn observation_failed(&mut self, index: u32, wish: u64, why: String, retry: bool) {
        if let Some(observation) = self.observation(index, wish) {
            observation.fail(why, retry);
            self.counters.observation_failures += 1;
        }
    }

    fn observation_put_off(&mut self, index: u32, wish: u64, why: String) {
        if let Some(observation) = self.observation(index, wish) {
            observation.put_off(why);
            self.counters.observation_failures += 1;
        }
    }

    fn observation(&mut self, index: u32, wish: u64) -> Option<&mut Observation> {
        self.activities.get_mut(index)?.observation(wish)
    }

    /// A response that belongs to no open exchange: a notification, an answer that took another
    /// way, or a mistake.
    pub(super) fn unmatched(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        reply_to: ReplyTo<Peer>,
        rng: &mut dyn Rng,
    ) {
        let from = reply_to.peer();
        let mut observed = None;
        let mut requested = None;
        for slot in self.registry.at(from) {
            let index = self.registry.get(slot).map_or(NONE, |found| found.device);
            let Some(activity) = self.activities.get(index) else {
                continue;
            };
            let wish = activity.observations.iter().find(|observation| {
                observation
                    .token
                    .is_some_and(|token| token.as_bytes() == message.token)
            });
            if let Some(observation) = wish {
                observed = Some((index, observation.wish));
            }
            if let Some(current) = &activity.current
                && current.token.as_bytes() == message.token
                && let Some(exchange) = current.exchange
            {
                requested = Some((index, exchange));
            }
        }
        if let Some((_, exchange)) = requested {
            // The device has another address than when it was asked.
            self.acknowledge(&reply_to);
            self.endpoint.cancel(exchange);
            return self.answered(now, exchange, message, rng);
        }
        match observed {
            Some((index, wish)) => {
                self.acknowledge(&reply_to);
                self.notified(now, index, wish, message);
                self.advance(now, index, rng);
            }
            None => {
                // Ends an observation that nobody knows any more (RFC 7641 §3.6).
                if self.registry.at(from).next().is_some() {
                    self.counters.unknown_token += 1;
                } else {
                    self.counters.unknown_address += 1;
                }
                let length = self.endpoint.reject(&reply_to, &mut self.out);
                self.transmit_out(from, length);
            }
        }
    }

    fn acknowledge(&mut self, reply_to: &ReplyTo<Peer>) {
        let length = self.endpoint.accept(reply_to, &mut self.out);
        self.transmit_out(reply_to.peer(), length);
    }

    fn transmit_out(&mut self, to: Peer, length: usize) {
        let bytes = &self.out[..length];
        self.queue
            .transmit(to, |buffer| buffer.extend_from_slice(bytes));
    }

    fn notified(&mut self, now: Instant, index: u32, wish: u64, message: &Message<'_>) {
        let longest = self.config.limits.answer_bytes;
        let Some(observation) = self.observation(index, wish) else {
            return;
        };
        if message.code != Code::CONTENT {
            // It ends the observation (RFC 7641 §4.2).
            let answer = Answer {
                code: message.code,
                format: message.content_format(),
                payload: message.payload,
                observe: None,
                message,
            };
            let why = refused(&answer);
            return self.observation_failed(index, wish, why, false);
        }
        let Some(number) = message.observe() else {
            let why = "the device ended the observation".to_owned();
            return self.observation_failed(index, wish, why, false);
        };
        observation.reported = now;
        if !observation.freshness.is_newer(number, now) {
            self.counters.stale += 1;
            return;
        }
        observation.state = WishState::Active;
        let more = message
            .value(OptionNumber::BLOCK2)
            .map_or(Ok(None), |_| Gathered::begin(message, longest));
        match more {
            Ok(None) => {
                let format = message.content_format();
                self.reported(now, index, wish, format, message.payload);
            }
            Ok(Some(gathered)) => {
                observation.partial = Some((gathered, message.content_format()));
                observation.need = Need::Fetch;
            }
            Err(_) => self.counters.undecodable_notifications += 1,
        }
    }

    /// The device told the value of what is observed.
    fn reported(
        &mut self,
        now: Instant,
        index: u32,
        wish: u64,
        format: Option<u16>,
        payload: &[u8],
    ) {
        let Some(activity) = self.activities.get(index) else {
            return;
        };
        let slot = activity.slot;
        let observed = activity
            .observations
            .iter()
            .find(|observation| observation.wish == wish);
        let Some(observed) = observed.map(|observation| &observation.observed) else {
            return;
        };
        let (path, paths) = (observed.path, observed.targets());
        let Ok(mut records) = self.decode(now, slot, path, paths, format, payload) else {
            self.counters.undecodable_notifications += 1;
            return;
        };
        let unix = self.unix(now);
        for record in &mut records {
            record.time.get_or_insert(unix);
        }
        self.counters.notifications += 1;
        let endpoint = self.registry.name(slot).to_owned();
        let latest = newest(&records);
        if let Some(observation) = self.observation(index, wish) {
            observation.records.clone_from(&latest);
            observation.updated_at = Some(unix);
        }
        self.persist(Persist::Values(StoredValues {
            endpoint: endpoint.clone(),
            wish,
            records: latest,
            updated_at: unix,
        }));
        let kind = EventKind::Notification {
            wish,
            path,
            records,
        };
        self.queue.event(unix, endpoint, kind);
    }
}

/// Of each path the newest value: a notification may carry values of the past (Core 1.2 §6.4.2).
/// Of equal times the first counts, since historical values come newest first.
fn newest(records: &[OwnedRecord]) -> Vec<OwnedRecord> {
    let mut order: Vec<&OwnedRecord> = records.iter().collect();
    let time = |record: &OwnedRecord| record.time.unwrap_or(f64::INFINITY);
    order.sort_by(|left, right| {
        left.path
            .cmp(&right.path)
            .then(time(right).total_cmp(&time(left)))
    });
    order.dedup_by_key(|record| record.path);
    order.into_iter().cloned().collect()
}

/// An error answer in words.
fn refused(answer: &Answer<'_>) -> String {
    let Answer { code, .. } = *answer;
    let text = diagnostic(answer);
    let separator = if text.is_empty() { "" } else { ": " };
    let name = if code == Code::EMPTY { "" } else { code.name() };
    format!("the device answered {code} {name}{separator}{text}")
}

//! What goes through the log: notifications of the time offline (`/1/x/6`), and Sends (Core 1.2
//! §6.4.2, §6.4.6).

use core::net::SocketAddr;
use core::time::Duration;

use dunlin_coap::block::{Block1Sender, Block1Sent};
use dunlin_coap::{Code, Instant, Message, MessageWriter, OptionNumber, Outgoing, Rng};
use dunlin_lwm2m::definition::Types;
use dunlin_lwm2m::{Content, ContentFormat, Feature, Level, Path, Record, format};
use heapless::Vec;

use crate::access::Requester;
use crate::blocks::block_size;
use crate::client::{Event, Outcome, ReportId};
use crate::composite;
use crate::log::{Entry, Head, Kind, Log, State};
use crate::notify::{Flight, Leg};
use crate::object::Objects;
use crate::registration::{DEFAULT_MAX_AGE, retry_after};
use crate::serve::carries;
use crate::session::{Session, Shared};
use crate::tree::{self, TreeTypes};

/// Parts of one observation with an `hqmax` of their own; further ones are not stored.
const PARTS: usize = 8;
/// How often an overloaded server may put a Send off (5.03) before it has failed.
const SEND_REFUSALS: u8 = 5;
/// How long to wait for the answer to a Non-confirmable Send. Afterwards nobody knows.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

impl<const OBSERVATIONS: usize, const ATTRIBUTES: usize, const DATAGRAM: usize>
    Session<OBSERVATIONS, ATTRIBUTES, DATAGRAM>
{
    /// Stores, or drops, one notification that is due while the server cannot be told; `false` when
    /// none is.
    pub(crate) fn store_due<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        log: &mut Log<[u8]>,
        now: Instant,
    ) -> bool {
        self.evaluate(shared, now);
        let mut index = 0;
        while let Some(observation) = self.observations.get(index) {
            // What has gone is told when the server can be told.
            let is_due = observation.ends.is_none()
                && self.due(shared, observation).is_some_and(|due| due <= now);
            if is_due {
                self.store(shared, log, now, index);
                return true;
            }
            index += 1;
        }
        false
    }

    /// Does one step towards storing a notification: makes room, or stores it. The oldest goes
    /// first.
    fn store<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        log: &mut Log<[u8]>,
        now: Instant,
        index: usize,
    ) -> Option<()> {
        let observation = self.observations.get(index)?;
        let (path, group) = (observation.path, observation.group);
        let server = self.id(shared);
        let is_storing = shared
            .account(self.instance)
            .is_none_or(|account| account.notification_storing);
        let paths = self.observations.paths(index);
        let parts = self.parts(shared, index, &paths);
        let like = |part: Path| Head {
            group,
            part,
            ..Head::new(Kind::Notification, 0, server, path, now)
        };
        for (part, limit) in parts.iter().filter(|_| is_storing) {
            if let Some(at) = log.beyond(*limit, &like(*part)) {
                shared.evict(log, at, false);
                return Some(());
            }
        }
        let requester = self.requester(shared);
        let mut size = 0;
        for (part, _) in &parts {
            if let Some(length) = shared.render_entry(requester, &path, &paths, part) {
                size += Log::<[u8]>::size(length);
            }
        }
        if is_storing && size > 0 && log.could_hold(size) && !log.has_room(size) {
            let oldest = log.find(|head| head.is_waiting() && !head.is_flying);
            if let Some(at) = oldest.map(|entry| entry.at) {
                shared.evict(log, at, true);
                return Some(());
            }
        }
        self.told(shared, now, index);
        if size == 0 {
            return Some(());
        }
        let id = shared.next_report();
        if !is_storing || !log.has_room(size) {
            shared.settled(server, id, Outcome::Dropped);
            return Some(());
        }
        for (part, _) in &parts {
            let Some(length) = shared.render_entry(requester, &path, &paths, part) else {
                continue;
            };
            let head = Head { id, ..like(*part) };
            log.push(&head, shared.payload.get(..length).unwrap_or_default());
        }
        shared.event(Event::NotificationStored {
            server,
            id: ReportId(id),
            path,
        });
        Some(())
    }

    /// What of an observation is stored, and how many entries of it: all of it, or with `hqmax` at
    /// any part those parts whose `hqmax` is above 0 (Core 1.2 §7.3.2).
    fn parts<O: Objects, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        index: usize,
        paths: &[Path],
    ) -> Vec<(Path, u32), PARTS> {
        let mut parts = Vec::new();
        let mut is_set = false;
        let Some(observation) = self.observations.get(index) else {
            return parts;
        };
        let requester = self.requester(shared);
        let result: Result<(), core::convert::Infallible> =
            composite::read(requester, &shared.tree, paths, &mut |record| {
                let limit = if observation.parameters.is_empty() {
                    self.attributes.inherited(&record.path).hqmax
                } else {
                    dunlin_lwm2m::Attributes::from(observation.parameters).hqmax
                };
                is_set |= limit.is_some();
                let part = record.path.truncated(Level::Resource);
                if let Some(limit) = limit.filter(|limit| *limit > 0)
                    && parts.iter().all(|(known, _)| *known != part)
                {
                    let _is_one_of_the_first = parts.push((part, limit));
                }
                Ok(())
            });
        let Ok(()) = result;
        if !is_set {
            let _has_room = parts.push((Path::ROOT, u32::MAX));
        }
        parts
    }

    /// Whether notifications of the time offline wait for an observation, and whether they would
    /// go as CON: they are worth more than others, so only `con=0` or `/1/x/26` makes them NON.
    pub(crate) fn history<O: Objects, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        log: &Log<[u8]>,
        index: usize,
    ) -> Option<bool> {
        let observation = self.observations.get(index)?;
        let (path, group) = (observation.path, observation.group);
        let server = self.id(shared);
        log.find(|head| head.is_of(server, group, &path))?;
        let mut modes = self.observations.watches(observation).map(|watch| {
            self.attributes_for(shared, observation, &watch.path)
                .con
                .unwrap_or(true)
        });
        Some(modes.any(|mode| mode))
    }

    /// Sends notifications of the time offline, oldest first: as many moments as fit one message
    /// where the format has times (SenML), else one by one.
    pub(crate) fn send_history<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        log: &mut Log<[u8]>,
        now: Instant,
        rng: &mut dyn Rng,
        to: SocketAddr,
        index: usize,
    ) -> Option<()> {
        let confirmable = self.history(shared, log, index)?;
        if confirmable && self.is_busy(shared) {
            return None;
        }
        let observation = self.observations.get(index)?;
        let (path, group, format) = (observation.path, observation.group, observation.format);
        let (accept, since) = (observation.accept(), observation.since);
        let server = self.id(shared);
        let first = log.find(|head| head.is_of(server, group, &path) && !head.is_flying)?;
        let (first_id, has_times) = (first.head.id, has_times(format));
        let fits = |head: &Head| {
            head.is_of(server, group, &path)
                && !head.is_flying
                && (has_times || head.id == first_id)
        };
        if !has_times && first_id <= since {
            // The answer to Observe has told what is now. Without a time an old value would be taken
            // for a newer one.
            settle_first(log, 1, &fits, State::Dropped, 0);
            return Some(());
        }
        shared.rendered = None;
        let pack = Pack {
            format,
            scope: path,
            now,
            limit: block_size(DATAGRAM).bytes(),
        };
        let Shared { tree, payload, .. } = &mut *shared;
        let packed = pack.write(log, &fits, &TreeTypes(tree), &|_| true, payload);
        let Some((count, length)) = packed.filter(|(_, length)| *length > 0) else {
            // The format of the new observation cannot carry it, or the memory not hold it.
            settle_first(log, 1, &fits, State::Dropped, 0);
            return Some(());
        };
        shared.keep_rendered(now, server, path, group, accept, format, length);
        self.send_notification(shared, now, rng, to, index, Code::CONTENT, confirmable)?;
        if confirmable {
            let mut left = count;
            log.for_each(fits, |log, at| {
                if left > 0 {
                    left -= 1;
                    log.set_flying(at, true);
                }
            });
        } else {
            settle_first(log, count, &fits, State::Sent, 0);
        }
        let observation = self.observations.get_mut(index)?;
        observation.sent_at = now;
        shared.event(Event::Notified {
            server,
            id: ReportId(first_id),
            path,
            code: Code::CONTENT,
            confirmable,
        });
        Some(())
    }

    /// When the next Send is to be sent; not while its answer would be mixed up with another, and
    /// not before an overloaded server would like it.
    pub(crate) fn next_send<O: Objects, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        log: &Log<[u8]>,
    ) -> Option<Instant> {
        if let Some(flight) = &self.flight {
            return (flight.leg == Leg::Next).then_some(Instant::ZERO);
        }
        let server = self.id(shared);
        let is_waiting =
            |head: &Head| head.kind.is_send() && head.server == server && head.is_waiting();
        let sends = !self.is_busy(shared) && log.find(is_waiting).is_some();
        sends.then_some(self.send_after)
    }

    /// Sends what is to be sent by Send: whatever waits and fits one message, or one block of what
    /// does not.
    pub(crate) fn send_due<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        log: &mut Log<[u8]>,
        now: Instant,
        rng: &mut dyn Rng,
        to: SocketAddr,
    ) -> Option<()> {
        if self.next_send(shared, log).is_none_or(|at| at > now) {
            return None;
        }
        let server = self.id(shared);
        let is_mine =
            |head: &Head| head.kind.is_send() && head.server == server && head.is_waiting();
        let is_muted = shared
            .account(self.instance)
            .is_none_or(|account| account.mute_send != Some(false));
        if self.flight.is_none() && (is_muted || !Feature::Send.is_in(self.version())) {
            // Allowed when it was asked for, and no longer.
            settle_first(log, usize::MAX, &is_mine, State::Dropped, 0);
            return Some(());
        }
        let next = self.flight.take();
        let goes_on = next.is_some();
        let Some(first) = log.find(|head| is_mine(head) && (!goes_on || head.is_flying)) else {
            // What was on its way in blocks has been dropped to make room: others may wait.
            return goes_on.then_some(());
        };
        let kind = first.head.kind;
        let fits = |head: &Head| is_mine(head) && head.kind == kind && head.is_flying == goes_on;
        let count = log.entries().filter(|entry| fits(&entry.head)).count();
        // Blocks are those of one body, with the times of its beginning.
        let now_of_pack = next.as_ref().map_or(now, |flight| flight.began);
        let age = first.head.age(now_of_pack);
        let preferred = shared.config.formats.of(self.version());
        let is_carried = carries(preferred, Content::Pack, self.version())
            && (has_times(preferred) || (count == 1 && age == 0.0));
        let pack = Pack {
            format: if is_carried {
                preferred
            } else {
                ContentFormat::SENML_CBOR
            },
            scope: Path::ROOT,
            now: now_of_pack,
            limit: if goes_on {
                usize::MAX
            } else {
                block_size(DATAGRAM).bytes()
            },
        };
        shared.rendered = None;
        let Shared { tree, payload, .. } = &mut *shared;
        // Data of announced instances only (Core 1.2 §6.4.6): those that have gone are left out.
        let is_there =
            |path: &Path| tree::resolve(tree, &path.truncated(Level::ObjectInstance)).is_ok();
        let packed = pack.write(log, &fits, &TreeTypes(tree), &is_there, payload);
        let Some((count, length)) = packed.filter(|(_, length)| *length > 0) else {
            settle_first(log, 1, &fits, State::Dropped, 0);
            return Some(());
        };
        let sender = next
            .and_then(|flight| flight.sender)
            .unwrap_or_else(|| Block1Sender::new(length, block_size(DATAGRAM)));
        let is_confirmable =
            kind == Kind::ConfirmableSend || !Feature::SendNonConfirmable.is_in(self.version());
        let outgoing = if is_confirmable {
            Outgoing::confirmable(Code::POST)
        } else {
            Outgoing::non_confirmable(Code::POST).timeout(ANSWER_WITHIN)
        };
        let body = payload.get(..length).unwrap_or_default();
        let write = |writer: &mut MessageWriter<'_>| {
            writer.option(OptionNumber::URI_PATH, b"dp");
            writer.uint(OptionNumber::CONTENT_FORMAT, u32::from(pack.format.0));
            sender.write(body, writer);
        };
        let Ok(sent) = self.coap.request(now, rng, to, outgoing, write) else {
            settle_first(log, count, &fits, State::Dropped, 0);
            return Some(());
        };
        let length = sent.bytes.len();
        shared.out.get_mut(..length)?.copy_from_slice(sent.bytes);
        shared.out_length = length;
        self.flight = Some(Flight {
            leg: Leg::Waiting(sent.exchange),
            message_id: sent.message_id,
            report: 0,
            is_confirmable,
            began: now_of_pack,
            sender: Some(sender),
        });
        let mut left = count;
        log.for_each(fits, |log, at| {
            if left > 0 {
                left -= 1;
                log.set_flying(at, true);
            }
        });
        Some(())
    }

    /// The answer to a Send.
    pub(crate) fn send_answered<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        log: &mut Log<[u8]>,
        now: Instant,
        message: &Message<'_>,
    ) {
        let Some(flight) = &mut self.flight else {
            return;
        };
        let sent = flight
            .sender
            .as_mut()
            .map_or(Block1Sent::Done, |sender| sender.on_response(message));
        if sent == Block1Sent::Next {
            flight.leg = Leg::Next;
            return;
        }
        self.flight = None;
        let server = self.id(shared);
        let is_flying = |head: &Head| head.server == server && head.is_flying;
        if message.code == Code::SERVICE_UNAVAILABLE && self.send_refusals < SEND_REFUSALS {
            // The same again when the server would like it (RFC 7252 §5.9.3.4).
            self.send_refusals += 1;
            self.send_after = now + retry_after(message).unwrap_or(DEFAULT_MAX_AGE);
            log.for_each(is_flying, |log, at| log.set_flying(at, false));
            return;
        }
        self.send_refusals = 0;
        let state = match message.code {
            Code::CHANGED if sent == Block1Sent::Done => State::Delivered,
            _ => State::Failed,
        };
        settle_first(log, usize::MAX, &is_flying, state, message.code.0);
        if message.code == Code::NOT_FOUND {
            // The server may have forgotten the device: the Update finds out, and then a Register
            // follows (Core 1.2 §6.4.6).
            self.registration.update_soon(now);
        }
    }
}

/// Settles the first entries that fit.
pub(crate) fn settle_first(
    log: &mut Log<[u8]>,
    count: usize,
    fits: &dyn Fn(&Head) -> bool,
    state: State,
    code: u8,
) {
    let mut left = count;
    log.for_each(fits, |log, at| {
        if left > 0 {
            left -= 1;
            log.settle(at, state, code);
        }
    });
}

/// Whether several moments go into one payload.
const fn has_times(format: ContentFormat) -> bool {
    matches!(
        format,
        ContentFormat::SENML_JSON | ContentFormat::SENML_CBOR
    )
}

/// How entries become a payload.
struct Pack {
    format: ContentFormat,
    scope: Path,
    /// What times are relative to.
    now: Instant,
    /// Bytes, which a single entry may exceed.
    limit: usize,
}

impl Pack {
    /// Writes the first entries that fit, as many as there is room for; how many, and the length.
    fn write(
        &self,
        log: &Log<[u8]>,
        fits: &dyn Fn(&Head) -> bool,
        types: &dyn Types,
        is_there: &dyn Fn(&Path) -> bool,
        out: &mut [u8],
    ) -> Option<(usize, usize)> {
        let mut count = log.entries().filter(|entry| fits(&entry.head)).count();
        while count > 0 {
            let room = if count == 1 {
                out.len()
            } else {
                self.limit.min(out.len())
            };
            let entries = log.entries().filter(|entry| fits(&entry.head)).take(count);
            match self.write_all(entries, types, is_there, out.get_mut(..room)?) {
                Ok(length) => return Some((count, length)),
                Err(0) if count == 1 => return None,
                Err(written) => count = written.clamp(1, count - 1),
            }
        }
        None
    }

    /// The length, or the number of entries before the one that does not fit.
    fn write_all<'e>(
        &self,
        entries: impl Iterator<Item = Entry<'e>>,
        types: &dyn Types,
        is_there: &dyn Fn(&Path) -> bool,
        out: &mut [u8],
    ) -> Result<usize, usize> {
        let mut written = 0_usize;
        let mut is_empty = true;
        let mut writer = format::writer(self.format, out, self.scope).map_err(|_| 0_usize)?;
        for entry in entries {
            let mut reader = read(&entry, types).ok_or(written)?;
            // RFC 8428 §4.5.3: below 2^28 times are relative to now.
            let age = entry.head.age(self.now);
            let time = if age == 0.0 { 0.0 } else { -age };
            while let Some(Ok(record)) = reader.next_record() {
                if !is_there(&record.path) {
                    continue;
                }
                let record = Record {
                    time: Some(time),
                    ..record
                };
                writer.record(&record).map_err(|_| written)?;
                is_empty = false;
            }
            written += 1;
        }
        if is_empty {
            return Ok(0);
        }
        writer.finish().map_err(|_| written.saturating_sub(1))
    }
}

fn read<'a>(entry: &Entry<'a>, types: &'a dyn Types) -> Option<format::Reader<'a>> {
    let (body, scope) = (entry.body, entry.head.path);
    format::reader(ContentFormat::SENML_CBOR, body, scope, types, &mut []).ok()
}

impl<O: Objects, const SERVERS: usize, const BODY: usize, const DATAGRAM: usize>
    Shared<O, SERVERS, BODY, DATAGRAM>
{
    /// Writes the records of an entry into the payload memory; `None` when there are none.
    pub(crate) fn render_entry(
        &mut self,
        requester: Requester,
        scope: &Path,
        paths: &[Path],
        part: &Path,
    ) -> Option<usize> {
        self.rendered = None;
        let mut is_empty = true;
        let mut writer =
            format::writer(ContentFormat::SENML_CBOR, &mut self.payload, *scope).ok()?;
        composite::read(requester, &self.tree, paths, &mut |record| {
            if record.value.is_none() || !part.contains(&record.path) {
                return Ok(());
            }
            is_empty = false;
            writer.record(record)
        })
        .ok()?;
        if is_empty {
            return None;
        }
        writer.finish().ok()
    }

    /// Takes an entry away to make room; `whole` with all that belongs to the same report.
    pub(crate) fn evict(&mut self, log: &mut Log<[u8]>, at: usize, whole: bool) {
        let Some(head) = log.entry(at).map(|entry| entry.head) else {
            return;
        };
        log.remove(at);
        if head.id == 0 {
            self.dropped.samples += 1;
            return;
        }
        let others = |other: &Head| other.id == head.id;
        while let Some(at) = log.find(others).filter(|_| whole).map(|entry| entry.at) {
            log.remove(at);
        }
        if log.find(others).is_none() {
            self.settled(head.server, head.id, Outcome::Dropped);
        }
    }

    /// Tells the end of one report; `false` when none has ended.
    pub(crate) fn tell_settled(&mut self, log: &mut Log<[u8]>) -> bool {
        let Some(entry) = log.find(|head| !head.is_waiting()) else {
            return false;
        };
        let (at, head) = (entry.at, entry.head);
        log.remove(at);
        let others = |other: &Head| other.id == head.id;
        let outcome = match head.state {
            State::Waiting => return true,
            State::Delivered => Outcome::Delivered,
            State::Sent => Outcome::Sent,
            State::Failed => Outcome::Failed {
                code: (head.code != 0).then_some(Code(head.code)),
            },
            State::Dropped => Outcome::Dropped,
        };
        if head.id == 0 {
            self.dropped.samples += 1;
            return true;
        }
        // A report has arrived when all of it has, and has failed when any of it has.
        let has_arrived = matches!(head.state, State::Delivered | State::Sent);
        if !has_arrived {
            while let Some(at) = log.find(others).map(|entry| entry.at) {
                log.remove(at);
            }
        }
        if log.find(others).is_none() {
            self.settled(head.server, head.id, outcome);
        }
        true
    }
}

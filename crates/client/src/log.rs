//! What waits to be reported: notifications of the time offline, samples and Sends. One memory for
//! all servers, whose oldest entry goes first when room is needed.
//!
//! An entry holds records of one moment as SenML CBOR under a head of its own. The memory is kept
//! compact and begins with a header, so that it can be stored and loaded as it is.

use core::time::Duration;

use dunlin_coap::Instant;
use dunlin_lwm2m::Path;

/// Layout of the bytes; another one is not loaded.
const FORMAT: u8 = 1;
/// The layout, whether times are since 1970, 2 bytes to spare, and what times are to be added to.
const HEADER: usize = 12;
/// Bytes of a head before its paths.
const FIXED: usize = 26;
/// The longest head.
const HEAD: usize = FIXED + 16;

const KIND: usize = 2;
const STATE: usize = 3;
const FLIGHT: usize = 5;
const ID: usize = 8;
const TIME: usize = 12;

/// Why an entry is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A notification that could not be sent.
    Notification,
    /// Recorded for a later Send.
    Sample,
    /// Part of a Send that does not ask to be acknowledged.
    Send,
    /// Part of a Send that does.
    ConfirmableSend,
}

impl Kind {
    const ALL: [Self; 4] = [
        Self::Notification,
        Self::Sample,
        Self::Send,
        Self::ConfirmableSend,
    ];

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }

    pub(crate) const fn is_send(self) -> bool {
        matches!(self, Self::Send | Self::ConfirmableSend)
    }
}

/// How far an entry has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Delivered,
    Sent,
    Failed,
    Dropped,
}

impl State {
    const ALL: [Self; 5] = [
        Self::Waiting,
        Self::Delivered,
        Self::Sent,
        Self::Failed,
        Self::Dropped,
    ];

    fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}

/// What is known of an entry besides its records.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Head {
    pub(crate) kind: Kind,
    pub(crate) state: State,
    /// With what the server refused it; 0 when it did not.
    pub(crate) code: u8,
    /// It is in the message on its way to its server.
    pub(crate) is_flying: bool,
    /// Told to the application; 0 for a sample that belongs to no Send yet.
    pub(crate) id: u32,
    /// Short Server ID.
    pub(crate) server: u16,
    /// Milliseconds since the origin of [`Instant`]; below 0 when it was recorded before a
    /// restart.
    pub(crate) time: i64,
    /// Of a composite observation: a digest of its paths; otherwise 0.
    pub(crate) group: u32,
    /// What is observed, or sampled: the scope of the records.
    pub(crate) path: Path,
    /// The part of it that the entry is about, for `hqmax`; [`Path::ROOT`] when it is the whole.
    pub(crate) part: Path,
}

impl Head {
    pub(crate) const fn new(kind: Kind, id: u32, server: u16, path: Path, now: Instant) -> Self {
        Self {
            kind,
            state: State::Waiting,
            code: 0,
            is_flying: false,
            id,
            server,
            time: millis(now),
            group: 0,
            path,
            part: Path::ROOT,
        }
    }

    pub(crate) const fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting)
    }

    /// Seconds that have passed since.
    pub(crate) fn age(&self, now: Instant) -> f64 {
        millis(now).saturating_sub(self.time).max(0) as f64 / 1000.0
    }

    /// Whether it belongs to an observation.
    pub(crate) fn is_of(&self, server: u16, group: u32, path: &Path) -> bool {
        self.kind == Kind::Notification
            && self.is_waiting()
            && (self.server, self.group) == (server, group)
            && self.path == *path
    }

    fn bytes(&self, body: usize) -> Option<([u8; HEAD], usize)> {
        let levels = self.path.ids().len() + self.part.ids().len();
        let length = FIXED + 2 * levels;
        let whole = u16::try_from(length + body).ok()?;
        let mut bytes = [0; HEAD];
        let mut at = 0;
        let mut put = |part: &[u8]| {
            if let Some(place) = bytes.get_mut(at..at + part.len()) {
                place.copy_from_slice(part);
            }
            at += part.len();
        };
        put(&whole.to_be_bytes());
        put(&[self.kind as u8, self.state as u8, self.code]);
        put(&[u8::from(self.is_flying)]);
        put(&self.server.to_be_bytes());
        put(&self.id.to_be_bytes());
        put(&self.time.to_be_bytes());
        put(&self.group.to_be_bytes());
        put(&[self.path.ids().len() as u8, self.part.ids().len() as u8]);
        for id in self.path.ids().iter().chain(self.part.ids()) {
            put(&id.to_be_bytes());
        }
        Some((bytes, length))
    }
}

const fn millis(at: Instant) -> i64 {
    (at.as_micros() / 1000) as i64
}

/// An entry and where it lies; the place holds until something is removed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) at: usize,
    pub(crate) head: Head,
    /// Records as SenML CBOR.
    pub(crate) body: &'a [u8],
}

/// The memory: `[u8; N]`, or `[u8]` where the size does not matter.
#[derive(Clone, Debug)]
pub(crate) struct Log<B: ?Sized> {
    /// Of the header and the entries.
    length: usize,
    /// Whether something has changed since [`Log::save`].
    pub(crate) is_unsaved: bool,
    bytes: B,
}

impl<const STORE: usize> Log<[u8; STORE]> {
    pub(crate) const fn new() -> Self {
        const { assert!(STORE >= HEADER, "the store holds its header at least") };
        Self {
            length: HEADER,
            is_unsaved: false,
            bytes: [0; STORE],
        }
    }
}

impl<const STORE: usize> Log<[u8; STORE]> {
    pub(crate) fn as_slice_mut(&mut self) -> &mut Log<[u8]> {
        self
    }
}

impl Log<[u8]> {
    /// The entries, oldest first.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut at = HEADER;
        core::iter::from_fn(move || {
            let (entry, next) = parse(self.used(), at)?;
            at = next;
            Some(entry)
        })
    }

    /// The entry at a place.
    pub(crate) fn entry(&self, at: usize) -> Option<Entry<'_>> {
        parse(self.used(), at).map(|(entry, _)| entry)
    }

    fn used(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    }

    /// Whether entries of so many bytes find room.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        bytes <= self.bytes.len() - self.length
    }

    /// Whether they would, if nothing else were there.
    pub(crate) fn could_hold(&self, bytes: usize) -> bool {
        bytes <= self.bytes.len() - HEADER && bytes <= usize::from(u16::MAX)
    }

    /// The bytes that an entry takes at most.
    pub(crate) const fn size(body: usize) -> usize {
        HEAD + body
    }

    /// Adds an entry at the end; `false` when it does not fit.
    pub(crate) fn push(&mut self, head: &Head, body: &[u8]) -> bool {
        let Some((head, length)) = head.bytes(body.len()) else {
            return false;
        };
        let end = self.length + length + body.len();
        let Some(place) = self.bytes.get_mut(self.length..end) else {
            return false;
        };
        let (for_head, for_body) = place.split_at_mut(length);
        for_head.copy_from_slice(head.get(..length).unwrap_or_default());
        for_body.copy_from_slice(body);
        self.length = end;
        self.is_unsaved = true;
        true
    }

    pub(crate) fn settle(&mut self, at: usize, state: State, code: u8) {
        self.put(at + STATE, &[state as u8, code, 0]);
        self.is_unsaved = true;
    }

    pub(crate) fn set_flying(&mut self, at: usize, is_flying: bool) {
        self.put(at + FLIGHT, &[u8::from(is_flying)]);
    }

    /// Makes a sample part of a Send.
    pub(crate) fn claim(&mut self, at: usize, kind: Kind, id: u32) {
        self.put(at + KIND, &[kind as u8]);
        self.put(at + ID, &id.to_be_bytes());
        self.is_unsaved = true;
    }

    pub(crate) fn remove(&mut self, at: usize) {
        let Some((_, next)) = parse(self.used(), at) else {
            return;
        };
        self.bytes.copy_within(next..self.length, at);
        self.length -= next - at;
        self.is_unsaved = true;
    }

    /// The first entry that fits.
    pub(crate) fn find(&self, mut fits: impl FnMut(&Head) -> bool) -> Option<Entry<'_>> {
        self.entries().find(|entry| fits(&entry.head))
    }

    /// Does something with the head of each entry that fits.
    pub(crate) fn for_each(
        &mut self,
        mut fits: impl FnMut(&Head) -> bool,
        mut change: impl FnMut(&mut Self, usize),
    ) {
        let mut at = HEADER;
        while let Some((entry, next)) = parse(self.used(), at) {
            if fits(&entry.head) {
                change(self, at);
            }
            at = next;
        }
    }

    /// The oldest entry of an observation's part that has to go before one more comes, so that
    /// there are `limit` of them.
    pub(crate) fn beyond(&self, limit: u32, like: &Head) -> Option<usize> {
        let is_like =
            |head: &Head| head.is_of(like.server, like.group, &like.path) && head.part == like.part;
        let count = self.entries().filter(|entry| is_like(&entry.head)).count();
        if u32::try_from(count).unwrap_or(u32::MAX) < limit {
            return None;
        }
        self.find(|head| is_like(head) && !head.is_flying)
            .map(|entry| entry.at)
    }

    /// The highest id of an entry.
    pub(crate) fn last_id(&self) -> u32 {
        let ids = self.entries().map(|entry| entry.head.id);
        ids.max().unwrap_or_default()
    }

    /// Everything as one byte record for [`Log::load`]. `unix` is the time since 1970 at `now`, if
    /// it is known.
    pub(crate) fn save(&mut self, now: Instant, unix: Option<Duration>) -> &[u8] {
        let unix = unix.and_then(|unix| i64::try_from(unix.as_millis()).ok());
        // With a clock, what to add to the times of the entries; otherwise the present time.
        let reference = unix.map_or(millis(now), |unix| unix - millis(now));
        self.put(0, &[FORMAT, u8::from(unix.is_some()), 0, 0]);
        self.put(4, &reference.to_be_bytes());
        self.is_unsaved = false;
        self.used()
    }

    /// Takes what [`Log::save`] gave, in another life, from a function that fills memory and tells
    /// how much of it. Without a clock on both sides, the time in between counts as none. `None`,
    /// and everything is empty, when it is not such a record.
    pub(crate) fn load(
        &mut self,
        now: Instant,
        unix: Option<Duration>,
        fill: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> Option<()> {
        self.length = HEADER;
        let length = fill(&mut self.bytes)?;
        let &[FORMAT, is_unix @ (0 | 1), _, _, ref rest @ ..] = self.bytes.get(..length)? else {
            return None;
        };
        let reference = i64::from_be_bytes(rest.get(..8)?.try_into().ok()?);
        let unix = unix.and_then(|unix| i64::try_from(unix.as_millis()).ok());
        let bytes = self.bytes.get_mut(..length)?;
        let shift = match (is_unix == 1, unix) {
            (true, Some(unix)) => reference.checked_sub(unix - millis(now))?,
            // The clock is lost: the newest entry is taken to be of now.
            (true, None) => {
                let mut at = HEADER;
                let mut newest = None;
                while let Some((entry, next)) = parse(bytes, at) {
                    newest = newest.max(Some(entry.head.time));
                    at = next;
                }
                millis(now).saturating_sub(newest.unwrap_or_default())
            }
            (false, _) => millis(now).checked_sub(reference)?,
        };
        let mut at = HEADER;
        while at < length {
            let (entry, next) = parse(bytes, at)?;
            let time = entry.head.time.saturating_add(shift);
            if let Some(place) = bytes.get_mut(at + TIME..at + TIME + 8) {
                place.copy_from_slice(&time.to_be_bytes());
            }
            // Nothing is on its way.
            if let Some(place) = bytes.get_mut(at + FLIGHT) {
                *place = 0;
            }
            at = next;
        }
        self.length = length;
        self.is_unsaved = false;
        Some(())
    }
}

/// The entry at `at`, and where the next one begins.
fn parse(bytes: &[u8], at: usize) -> Option<(Entry<'_>, usize)> {
    let rest = bytes.get(at..)?;
    let length = usize::from(u16::from_be_bytes(rest.get(..2)?.try_into().ok()?));
    let (fixed, rest) = rest.get(..length)?.split_at_checked(FIXED)?;
    let &[_, _, kind, state, code, flight, ref numbers @ ..] = fixed else {
        return None;
    };
    let (server, numbers) = numbers.split_at_checked(2)?;
    let (id, numbers) = numbers.split_at_checked(4)?;
    let (time, numbers) = numbers.split_at_checked(8)?;
    let &[ref group @ .., of_path, of_part] = numbers else {
        return None;
    };
    let ids = usize::from(of_path) + usize::from(of_part);
    let (paths, body) = rest.split_at_checked(2 * ids)?;
    let mut ids = paths.chunks_exact(2).map(|id| match id {
        [high, low] => u16::from_be_bytes([*high, *low]),
        _ => 0,
    });
    let head = Head {
        kind: Kind::from_byte(kind)?,
        state: State::from_byte(state)?,
        code,
        is_flying: flight != 0,
        id: u32::from_be_bytes(id.try_into().ok()?),
        server: u16::from_be_bytes(server.try_into().ok()?),
        time: i64::from_be_bytes(time.try_into().ok()?),
        group: u32::from_be_bytes(group.try_into().ok()?),
        path: read_path(&mut ids, of_path)?,
        part: read_path(&mut ids, of_part)?,
    };
    Some((Entry { at, head, body }, at + length))
}

fn read_path(ids: &mut impl Iterator<Item = u16>, levels: u8) -> Option<Path> {
    let mut path = Path::ROOT;
    for _ in 0..levels {
        path = path.child(ids.next()?)?;
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use heapless::Vec;

    fn head(id: u32, at: u64) -> Head {
        let path = Path::resource(3303, 0, 5700);
        Head::new(Kind::Notification, id, 1, path, Instant::from_secs(at))
    }

    fn log() -> Log<[u8; 256]> {
        Log::new()
    }

    fn ids(log: &Log<[u8]>) -> Vec<u32, 16> {
        log.entries().map(|entry| entry.head.id).collect()
    }

    #[test]
    fn entries_come_back_as_they_went_in() {
        let log: &mut Log<[u8]> = &mut log();
        let second = Head {
            part: Path::resource(3, 0, 9),
            path: Path::object(3),
            group: 0xDEAD_BEEF,
            server: 65534,
            kind: Kind::ConfirmableSend,
            ..head(2, 7)
        };
        assert!(log.push(&head(1, 5), b"abc"));
        assert!(log.push(&second, b""));
        let mut found = log.entries().map(|entry| (entry.head, entry.body));
        assert_eq!(found.next(), Some((head(1, 5), &b"abc"[..])));
        assert_eq!(found.next(), Some((second, &b""[..])));
        assert_eq!(found.next(), None);
        drop(found);
        log.remove(HEADER);
        assert_eq!(ids(log), [2]);
        assert_eq!(second.age(Instant::from_secs(9)), 2.0);
    }

    #[test]
    fn what_does_not_fit_leaves_no_trace() {
        let log: &mut Log<[u8]> = &mut log();
        assert!(log.push(&head(1, 5), &[7; 150]));
        assert!(!log.has_room(Log::<[u8]>::size(150)));
        assert!(!log.push(&head(2, 5), &[7; 150]));
        assert_eq!(ids(log), [1]);
        assert!(log.could_hold(Log::<[u8]>::size(150)));
        assert!(!log.could_hold(Log::<[u8]>::size(250)));
        log.remove(HEADER);
        assert!(log.push(&head(2, 5), &[7; 150]));
        assert_eq!(ids(log), [2]);
    }

    #[test]
    fn a_queue_of_hqmax_knows_its_oldest() {
        let log: &mut Log<[u8]> = &mut log();
        for id in 1..=3 {
            assert_eq!(log.beyond(3, &head(9, 9)), None);
            assert!(log.push(&head(id, 5), b""));
        }
        assert_eq!(log.beyond(3, &head(9, 9)), Some(HEADER));
        let other = Head {
            server: 2,
            ..head(9, 9)
        };
        assert_eq!(log.beyond(3, &other), None);
        log.set_flying(HEADER, true);
        assert_ne!(log.beyond(3, &head(9, 9)), Some(HEADER));
    }

    #[test]
    fn a_restart_keeps_entries_and_their_age() {
        let hour = Duration::from_secs(3600);
        // The clock then, and now, if there is one; and the age that results.
        for (then, now, age) in [
            (None, None, 5.0),
            (Some(hour), Some(hour + Duration::from_secs(60)), 65.0),
            (None, Some(hour), 5.0),
            (Some(hour), None, 0.0),
        ] {
            let before: &mut Log<[u8]> = &mut log();
            before.push(&head(1, 100), b"abc");
            before.set_flying(HEADER, true);
            assert!(before.is_unsaved);
            let record: Vec<u8, 256> =
                Vec::from_slice(before.save(Instant::from_secs(105), then)).unwrap();
            assert!(!before.is_unsaved);
            let after: &mut Log<[u8]> = &mut log();
            let start = Instant::from_secs(2);
            after
                .load(start, now, |memory| {
                    memory[..record.len()].copy_from_slice(&record);
                    Some(record.len())
                })
                .unwrap();
            let entry = after.entries().next().unwrap();
            assert_eq!(entry.head.age(start), age, "{then:?} {now:?}");
            assert!(!entry.head.is_flying);
            assert_eq!(entry.body, b"abc");
        }
    }

    #[test]
    fn a_foreign_or_damaged_record_is_not_taken() {
        let before: &mut Log<[u8]> = &mut log();
        before.push(&head(1, 100), b"abc");
        let record: Vec<u8, 256> = Vec::from_slice(before.save(Instant::ZERO, None)).unwrap();
        let load = |record: &[u8]| {
            let after: &mut Log<[u8]> = &mut log();
            after.load(Instant::ZERO, None, |memory| {
                memory[..record.len()].copy_from_slice(record);
                Some(record.len())
            })
        };
        for cut in 0..record.len() {
            // A header alone is a record of no entry.
            assert_eq!(load(&record[..cut]).is_some(), cut == HEADER, "{cut}");
        }
        for at in 0..record.len() {
            let mut bad = record.clone();
            bad[at] ^= 0x55;
            let _either = load(&bad);
        }
        assert_eq!(load(&record), Some(()));
    }
}

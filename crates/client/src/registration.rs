//! The registration life cycle as a machine of its own: what is due, and what an answer means
//! (Core 1.2 §6.2; retries §6.2.1.1).

use core::time::Duration;

use dunlin_coap::block::{Block1Sender, BlockSize};
use dunlin_coap::{Code, Instant, Message, OptionNumber};
use dunlin_lwm2m::Version;
use heapless::Vec;

/// MAX_TRANSMIT_WAIT of RFC 7252 §4.8.2 with default parameters: how long a confirmable message
/// may take to fail.
pub(crate) const MAX_TRANSMIT_WAIT: Duration = Duration::from_secs(93);

/// How often and how fast to try again (`/1/x/17` to `/1/x/20`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    /// Communication Retry Count: attempts in a sequence.
    pub(crate) count: u32,
    /// Communication Retry Timer in seconds.
    pub(crate) timer: u32,
    /// Communication Sequence Delay Timer in seconds; `None` for no further sequence.
    pub(crate) sequence_delay: Option<u64>,
    /// Communication Sequence Retry Count: number of sequences.
    pub(crate) sequence_count: u32,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            count: 5,
            timer: 60,
            sequence_delay: Some(86_400),
            sequence_count: 1,
        }
    }
}

/// Where the registration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationState {
    /// Nothing is due: not started, de-registered, or offline without a registration.
    Idle,
    /// A Register follows later: when it is this server's turn, after a back-off, or after the
    /// silence of Disable.
    Waiting,
    /// A Register is on its way.
    Registering,
    /// Registered.
    Registered,
    /// Registered, with an Update on its way.
    Updating,
    /// A De-register is on its way.
    Deregistering,
    /// Every attempt failed (Core 1.2 §6.2.1.1); only the application starts it again.
    Failed,
}

/// What the registration would do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Register,
    Update,
    Deregister,
}

/// What became of a failed Register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The server refused the version or the Profile ID; another Register follows at once.
    Again,
    /// The next attempt follows at this time.
    RetryAt(Instant),
    /// There is no further attempt.
    Final,
}

/// The opaque path a server gave the registration: segments, each with its length before it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Location {
    bytes: Vec<u8, 64>,
}

impl Location {
    /// `None` when the segments do not fit.
    pub(crate) fn new<'a>(segments: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut location = Self::default();
        for segment in segments {
            let length = u8::try_from(segment.len()).ok()?;
            location.bytes.push(length).ok()?;
            location.bytes.extend_from_slice(segment).ok()?;
        }
        Some(location)
    }

    pub(crate) fn segments(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.bytes.as_slice();
        core::iter::from_fn(move || {
            let (length, behind) = rest.split_first()?;
            let (segment, behind) = behind.split_at_checked(usize::from(*length))?;
            rest = behind;
            Some(segment)
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// What the server was last told, to send only what changed (Core 1.2 §6.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Announced {
    /// Lifetime in seconds.
    pub(crate) lifetime: u32,
    /// Digest of the binding.
    pub(crate) binding: u64,
    /// Digest of the object list.
    pub(crate) list: u64,
}

/// What follows a De-register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    Stop,
    /// Disable: silence, then Register.
    ComeBackAfter(Duration),
}

/// How a Register of version 1.2 says which objects there are (Core 1.2 §6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Listing {
    /// By Profile ID alone.
    Profile,
    Both,
    /// By the object list alone.
    List,
}

/// How often a list that goes in blocks is begun anew because it, or a parameter beside it, has
/// changed on its way.
const MAX_CHANGES: u8 = 8;

/// An object list on its way to the server, in blocks when it is long (RFC 7959 §2.5).
#[derive(Debug)]
pub(crate) struct Transfer {
    pub(crate) sender: Block1Sender,
    /// The next block may be sent: the one before was taken.
    is_due: bool,
    changes: u8,
}

#[derive(Debug)]
pub(crate) struct Registration {
    state: RegistrationState,
    preferred: Version,
    version: Version,
    first_listing: Listing,
    listing: Listing,
    /// Servers before this one in the order have to be done first.
    awaits_turn: bool,
    /// Whether the first Register since [`Registration::enqueue`] has succeeded, or has failed for
    /// good: the next server in the order may begin.
    is_settled: bool,
    /// Whether a Register ever succeeded: `/1/x/14` counts until then.
    has_succeeded: bool,
    /// Silent after Disable.
    is_disabled: bool,
    attempt: u32,
    sequence: u32,
    /// When the next Register (waiting) or Update (registered) is due.
    due: Option<Instant>,
    expires: Option<Instant>,
    deregister: Option<Then>,
    pub(crate) location: Location,
    /// As of the last answer.
    pub(crate) announced: Announced,
    /// As of the request on its way.
    pub(crate) offered: Announced,
    transfer: Option<Transfer>,
}

impl Registration {
    pub(crate) fn new(preferred: Version, listing: Listing) -> Self {
        Self {
            state: RegistrationState::Idle,
            preferred,
            version: preferred,
            first_listing: listing,
            listing,
            awaits_turn: false,
            is_settled: true,
            has_succeeded: false,
            is_disabled: false,
            attempt: 0,
            sequence: 0,
            due: None,
            expires: None,
            deregister: None,
            location: Location::default(),
            announced: Announced::default(),
            offered: Announced::default(),
            transfer: None,
        }
    }

    pub(crate) fn state(&self) -> RegistrationState {
        self.state
    }

    /// The version in use, or to be tried next.
    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Whether the server may manage the device: it has answered the Register
    /// (Core 1.2 §6.2.1).
    pub(crate) fn is_registered(&self) -> bool {
        matches!(
            self.state,
            RegistrationState::Registered | RegistrationState::Updating
        )
    }

    /// When the server forgets the registration; `None` for never or when there is none.
    pub(crate) fn expires(&self) -> Option<Instant> {
        self.expires.filter(|_| self.is_registered())
    }

    /// The highest version to register with from now on.
    pub(crate) fn prefer(&mut self, version: Version) {
        self.preferred = version;
        self.version = self.version.min(version);
    }

    /// How to say which objects there are; before 1.2 by the list.
    pub(crate) fn listing(&self) -> Listing {
        if self.version < Version::V1_2 {
            Listing::List
        } else {
            self.listing
        }
    }

    pub(crate) fn awaits_turn(&self) -> bool {
        self.awaits_turn
    }

    pub(crate) fn is_settled(&self) -> bool {
        self.is_settled
    }

    pub(crate) fn has_succeeded(&self) -> bool {
        self.has_succeeded
    }

    /// Whether the server is left alone because it executed Disable.
    pub(crate) fn is_disabled(&self) -> bool {
        self.is_disabled
    }

    /// Begins anew when it is this server's turn.
    pub(crate) fn enqueue(&mut self, now: Instant) {
        self.start(now);
        self.due = None;
        self.awaits_turn = true;
        self.is_settled = false;
    }

    /// It is this server's turn.
    pub(crate) fn begin(&mut self, now: Instant, delay: Duration) {
        self.start(now + delay);
    }

    /// Begins anew, with all attempts before it.
    pub(crate) fn start(&mut self, now: Instant) {
        self.version = self.preferred;
        self.listing = self.first_listing;
        self.awaits_turn = false;
        self.is_disabled = false;
        self.attempt = 1;
        self.sequence = 1;
        self.deregister = None;
        self.transfer = None;
        self.state = RegistrationState::Waiting;
        self.due = Some(now);
        self.expires = None;
    }

    /// Forgets everything without telling the server.
    pub(crate) fn stop(&mut self) {
        self.state = RegistrationState::Idle;
        self.awaits_turn = false;
        self.is_settled = true;
        self.is_disabled = false;
        self.due = None;
        self.expires = None;
        self.deregister = None;
        self.transfer = None;
    }

    /// Back from offline with a registration that the server still knows: an Update is due, and
    /// whatever was on its way is not any more.
    pub(crate) fn resume(&mut self, now: Instant) {
        self.state = RegistrationState::Registered;
        self.due = Some(now);
        self.transfer = None;
    }

    /// Back from offline without a registration: the attempts begin anew, unless the server is to
    /// be left alone, or others come first.
    pub(crate) fn retry(&mut self, now: Instant) {
        if !self.is_disabled && !self.awaits_turn {
            self.start(now);
        }
    }

    /// The device has another address: the server learns it by a new Register (Core 1.2 §6.2.1).
    pub(crate) fn rebind(&mut self, now: Instant) {
        match self.state {
            RegistrationState::Registered
            | RegistrationState::Updating
            | RegistrationState::Registering => {
                let then = self.deregister;
                self.start(now);
                self.deregister = then;
            }
            RegistrationState::Waiting => self.retry(now),
            RegistrationState::Deregistering
            | RegistrationState::Idle
            | RegistrationState::Failed => {}
        }
    }

    /// The security context is new: the server wants a new Register (Core 1.2.0 §6.2.1).
    pub(crate) fn new_context(&mut self, now: Instant) {
        if self.is_registered() && self.deregister.is_none() {
            self.start(now);
        }
    }

    /// What was on its way is not any more, and has to be said again.
    pub(crate) fn interrupted(&mut self, now: Instant) {
        match self.state {
            RegistrationState::Updating => self.resume(now),
            RegistrationState::Deregistering => self.state = RegistrationState::Registered,
            RegistrationState::Registering => {
                self.state = RegistrationState::Waiting;
                self.transfer = None;
                self.due = Some(now);
            }
            RegistrationState::Idle
            | RegistrationState::Waiting
            | RegistrationState::Registered
            | RegistrationState::Failed => {}
        }
    }

    /// Whether a De-register is due or on its way.
    pub(crate) fn is_leaving(&self) -> bool {
        self.deregister.is_some()
    }

    /// There is no association with the server. A registration lives on while the attempts go on.
    pub(crate) fn connection_failed(&mut self, now: Instant, retry: Retry) -> Failure {
        if let Some(then) = self.deregister {
            self.deregistered_as(now, then);
            return Failure::Final;
        }
        let is_registered = self.is_registered();
        let failure = self.back_off(now, None, retry);
        if is_registered && failure != Failure::Final {
            self.state = RegistrationState::Registered;
        }
        failure
    }

    /// Asks for an Update as soon as possible.
    pub(crate) fn update_soon(&mut self, now: Instant) {
        if self.is_registered() {
            self.due = Some(now);
        }
    }

    /// Another server asked for an Update: where there is no registration, it is tried for again.
    pub(crate) fn triggered(&mut self, now: Instant) {
        match self.state {
            RegistrationState::Waiting => self.retry(now),
            RegistrationState::Failed => self.start(now),
            _ => self.update_soon(now),
        }
    }

    /// Disable: leaves the server, and keeps silent for a time that each Disable begins anew
    /// (`/1/x/4`).
    pub(crate) fn disable(&mut self, now: Instant, silence: Duration) {
        let then = Then::ComeBackAfter(silence);
        match self.state {
            RegistrationState::Registered
            | RegistrationState::Updating
            | RegistrationState::Registering
            | RegistrationState::Deregistering => self.deregister = Some(then),
            RegistrationState::Waiting | RegistrationState::Failed => {
                self.deregistered_as(now, then);
            }
            RegistrationState::Idle => {}
        }
    }

    /// Asks for a De-register as soon as possible.
    pub(crate) fn deregister_soon(&mut self) {
        match self.state {
            // A Register on its way may still succeed: its registration must not stay behind.
            RegistrationState::Registered
            | RegistrationState::Updating
            | RegistrationState::Registering
            | RegistrationState::Deregistering => self.deregister = Some(Then::Stop),
            _ => self.stop(),
        }
    }

    pub(crate) fn due(&self, now: Instant) -> Option<Due> {
        match self.state {
            RegistrationState::Registering if self.has_next_block() => Some(Due::Register),
            RegistrationState::Updating if self.has_next_block() => Some(Due::Update),
            RegistrationState::Registered if self.deregister.is_some() => Some(Due::Deregister),
            RegistrationState::Waiting if self.due.is_some_and(|due| due <= now) => {
                Some(Due::Register)
            }
            RegistrationState::Registered if self.due.is_some_and(|due| due <= now) => {
                // Past its end the registration is gone: an Update would only earn a 4.04.
                if self.expires.is_some_and(|expires| expires <= now) {
                    Some(Due::Register)
                } else {
                    Some(Due::Update)
                }
            }
            _ => None,
        }
    }

    /// When [`Registration::due`] changes by time alone.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        match self.state {
            RegistrationState::Registering | RegistrationState::Updating
                if self.has_next_block() =>
            {
                Some(Instant::ZERO)
            }
            RegistrationState::Registered if self.deregister.is_some() => Some(Instant::ZERO),
            RegistrationState::Waiting | RegistrationState::Registered => self.due,
            _ => None,
        }
    }

    pub(crate) const fn has_next_block(&self) -> bool {
        matches!(self.transfer, Some(Transfer { is_due: true, .. }))
    }

    /// The object list, of this length, is about to be sent, or the next block of it. One that has
    /// changed, or goes with other parameters now, begins anew: the server puts only blocks of the
    /// same request together (RFC 7959 §2.5). `None` when it changes again and again.
    pub(crate) fn transfer(
        &mut self,
        length: usize,
        size: BlockSize,
        is_changed: bool,
    ) -> Option<Block1Sender> {
        let new = Transfer {
            sender: Block1Sender::new(length, size),
            is_due: false,
            changes: 0,
        };
        let transfer = self.transfer.get_or_insert(new);
        transfer.is_due = false;
        if is_changed {
            transfer.changes += 1;
            transfer.sender = Block1Sender::new(length, size);
        }
        (transfer.changes <= MAX_CHANGES).then(|| transfer.sender.clone())
    }

    /// The list on its way, whose latest block was answered.
    pub(crate) fn transfer_mut(&mut self) -> Option<&mut Block1Sender> {
        self.transfer.as_mut().map(|transfer| &mut transfer.sender)
    }

    /// The next block follows.
    pub(crate) fn block_taken(&mut self) {
        if let Some(transfer) = &mut self.transfer {
            transfer.is_due = true;
        }
    }

    /// A request is sent, with other parameters or another list than before.
    pub(crate) fn offered_anew(&mut self, offered: Announced) {
        self.offered = offered;
    }

    pub(crate) fn sent(&mut self, what: Due, offered: Announced) {
        self.offered = offered;
        self.transfer = None;
        self.due = None;
        self.is_disabled = false;
        self.state = match what {
            Due::Register => {
                if self.is_registered() {
                    self.attempt = 1;
                    self.sequence = 1;
                }
                RegistrationState::Registering
            }
            Due::Update => RegistrationState::Updating,
            Due::Deregister => RegistrationState::Deregistering,
        };
    }

    /// 2.01 to Register, with the location it gave.
    pub(crate) fn registered(&mut self, now: Instant, location: Location) {
        self.location = location;
        self.is_settled = true;
        self.has_succeeded = true;
        self.confirmed(now);
    }

    /// 2.01 or 2.04: what was offered is known to the server, and the lifetime begins anew.
    pub(crate) fn confirmed(&mut self, now: Instant) {
        self.state = RegistrationState::Registered;
        self.attempt = 1;
        self.sequence = 1;
        self.transfer = None;
        self.announced = self.offered;
        let lifetime = self.announced.lifetime;
        // 0 stands for infinite (object 1, version 1.2).
        self.expires = (lifetime != 0).then(|| now + Duration::from_secs(u64::from(lifetime)));
        let next = (lifetime != 0).then(|| now + update_after(lifetime));
        // Something that came up while the Update was on its way is still due.
        self.due = match (self.due, next) {
            (Some(due), Some(next)) => Some(due.min(next)),
            (due, next) => due.or(next),
        };
    }

    /// Register was refused, or nobody answered (`code` is `None`). `retry_after` is when a server
    /// that is overloaded would like to be asked again: it takes the place of the delay between two
    /// attempts.
    pub(crate) fn register_failed(
        &mut self,
        now: Instant,
        code: Option<Code>,
        retry_after: Option<Duration>,
        retry: Retry,
    ) -> Failure {
        self.transfer = None;
        if let Some(then) = self.deregister {
            self.deregistered_as(now, then);
            return Failure::Final;
        }
        self.state = RegistrationState::Waiting;
        self.expires = None;
        if code == Some(Code::PRECONDITION_FAILED)
            && let Some(lower) = lower(self.version)
        {
            self.version = lower;
            self.due = Some(now);
            return Failure::Again;
        }
        if code == Some(Code::CONFLICT) && self.listing() != Listing::List {
            // The Profile ID is unknown to the server, or it takes none at all.
            self.listing = match self.listing {
                Listing::Profile => Listing::Both,
                Listing::Both | Listing::List => Listing::List,
            };
            self.due = Some(now);
            return Failure::Again;
        }
        self.version = self.preferred;
        self.listing = self.first_listing;
        self.back_off(now, retry_after, retry)
    }

    /// When the next attempt follows (Core 1.2 §6.2.1.1).
    fn back_off(&mut self, now: Instant, retry_after: Option<Duration>, retry: Retry) -> Failure {
        self.transfer = None;
        let delay = if self.attempt < retry.count {
            // Delay times 2^(attempt - 1), attempts counted from 1 (Core 1.2 §6.2.1.1).
            let exponent = self.attempt.saturating_sub(1).min(31);
            self.attempt += 1;
            retry_after.map_or_else(
                || u64::from(retry.timer).saturating_mul(1 << exponent),
                |after| after.as_secs(),
            )
        } else if self.sequence < retry.sequence_count
            && let Some(delay) = retry.sequence_delay
        {
            self.attempt = 1;
            self.sequence += 1;
            delay
        } else {
            self.state = RegistrationState::Failed;
            self.is_settled = true;
            self.due = None;
            return Failure::Final;
        };
        // A timer of 0 shall not make a device that cannot register spin.
        let at = now + Duration::from_secs(delay.max(1));
        self.due = Some(at);
        Failure::RetryAt(at)
    }

    /// Update was answered 5.03: the registration stands, and the server says when to try again
    /// (RFC 7252 §5.9.3.4). `false` when the registration will have ended by then.
    pub(crate) fn update_postponed(&mut self, now: Instant, after: Duration) -> bool {
        let again = now + after;
        let is_in_time = self.expires.is_none_or(|expires| again < expires);
        if is_in_time && self.deregister.is_none() {
            self.resume(again);
            return true;
        }
        false
    }

    /// Update was refused, or nobody answered: the registration is regarded as lost, and a new
    /// Register follows; at once, unless the server is in trouble itself (5.xx).
    pub(crate) fn update_failed(&mut self, now: Instant, code: Option<Code>, retry: Retry) {
        let then = self.deregister;
        self.start(now);
        if code.is_some_and(|code| code.class() == 5) {
            self.due = Some(now + Duration::from_secs(u64::from(retry.timer)));
        }
        if let Some(then) = then {
            self.deregistered_as(now, then);
        }
    }

    /// The De-register was answered, or nobody answered: either way the device is gone.
    pub(crate) fn deregistered(&mut self, now: Instant) {
        let then = self.deregister.unwrap_or(Then::Stop);
        self.deregistered_as(now, then);
    }

    fn deregistered_as(&mut self, now: Instant, then: Then) {
        self.stop();
        if let Then::ComeBackAfter(silence) = then {
            self.start(now + silence);
            self.is_disabled = true;
            self.is_settled = true;
        }
    }
}

fn lower(version: Version) -> Option<Version> {
    match version {
        Version::V1_2 => Some(Version::V1_1),
        Version::V1_1 => Some(Version::V1_0),
        Version::V1_0 => None,
    }
}

/// How long after the last Register or Update the next Update goes out: early enough that all its
/// retransmissions still reach the server in time, but not before half the lifetime.
pub(crate) fn update_after(lifetime: u32) -> Duration {
    let lifetime = Duration::from_secs(u64::from(lifetime));
    let margin = (lifetime / 10).max(MAX_TRANSMIT_WAIT).min(lifetime / 2);
    lifetime - margin
}

/// When an overloaded server would like to be asked again: Max-Age of a 5.03 (RFC 7252 §5.9.3.4),
/// within a day; `None` when it does not say.
pub(crate) fn retry_after(message: &Message<'_>) -> Option<Duration> {
    const LONGEST: u32 = 86_400;
    if message.code != Code::SERVICE_UNAVAILABLE {
        return None;
    }
    let seconds = message.uint(OptionNumber::MAX_AGE)?;
    Some(Duration::from_secs(seconds.clamp(1, LONGEST).into()))
}

/// Max-Age of a message that does not tell it (RFC 7252 §5.10.5).
pub(crate) const DEFAULT_MAX_AGE: Duration = Duration::from_secs(60);

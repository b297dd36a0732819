//! The device's side: one association with one server.

mod handshake;
mod io;

use alloc::boxed::Box;
use alloc::vec::Vec;

use dunlin_coap::{Instant, Rng};

use self::handshake::{Handshake, Step};
pub use self::io::{ClientInput, ClientOutput, ClientOutputs};
use self::io::{Item, Queue};
use crate::export::Exported;
use crate::handshake::channel::Received;
use crate::handshake::flight::{Due, Flight, Timer, put_plain};
use crate::handshake::message::kind;
use crate::keys::Side;
use crate::link::{Dropped, EPOCH, Link, Opened, is_stale};
use crate::record::{ContentType, MAX_SEQUENCE, Record, Records};
use crate::replay::ReplayWindow;
use crate::{Alert, ClientConfig, ImportError, Limit, Reason, Resumption, Suite};

/// Records that may fail to authenticate before the association is closed.
const MAX_FAILED: u32 = 1 << 16;

/// One association with one server, from the first ClientHello to its end.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    state: State,
    resumption: Option<Resumption>,
    queue: Queue,
}

#[derive(Debug)]
enum State {
    Idle,
    Handshake(Box<Handshake>),
    Connected(Box<Connected>),
}

#[derive(Debug)]
struct Connected {
    link: Link,
    suite: Suite,
    encrypt_then_mac: bool,
    /// Whether the server sends our connection ID.
    has_cid: bool,
    /// Our last flight in a short handshake, until the server shows that it came.
    tail: Option<(Flight, u64, Timer)>,
}

/// What a record in a handshake led to.
enum Progress {
    /// Nothing that ends it.
    Goes,
    /// It is complete.
    Done,
    /// It failed; the alert goes to the server.
    Failed(Alert),
    /// The server gave it up.
    Refused(Reason),
}

impl Client {
    /// A client that has sent nothing yet.
    pub fn new(config: ClientConfig) -> Self {
        Self {
            config,
            state: State::Idle,
            resumption: None,
            queue: Queue::default(),
        }
    }

    /// Begins a handshake; with `resume` the server is asked to go on with that session
    /// (RFC 5246 §F.1.4), and a full handshake follows when it does not. A handshake or an
    /// association of before is dropped without a word.
    ///
    /// When no suite fits the credentials it fails at once, with
    /// [`HANDSHAKE_FAILURE`](Alert::HANDSHAKE_FAILURE).
    pub fn connect(
        &mut self,
        now: Instant,
        resume: Option<&Resumption>,
        rng: &mut dyn Rng,
    ) -> ClientOutputs<'_> {
        self.resumption = None;
        self.state = State::Idle;
        match Handshake::begin(now, &self.config, resume, rng) {
            Some(mut handshake) => {
                self.queue.send(&mut handshake, &self.config, rng);
                let timer = &mut handshake.channel.timer;
                timer.start(now, &self.config.retransmission);
                self.state = State::Handshake(Box::new(handshake));
            }
            None => self.end(Reason::AlertSent(Alert::HANDSHAKE_FAILURE)),
        }
        ClientOutputs::new(&mut self.queue)
    }

    /// Tells it what happened; then take every output.
    pub fn handle(
        &mut self,
        now: Instant,
        input: ClientInput<'_>,
        rng: &mut dyn Rng,
    ) -> ClientOutputs<'_> {
        match input {
            ClientInput::Datagram(bytes) => {
                for record in Records::new(bytes, self.cid_length()).flatten() {
                    self.record(now, &record, rng);
                }
            }
            ClientInput::Send(bytes) => self.send(bytes, rng),
            ClientInput::Timer => self.timer(now, rng),
            ClientInput::Close => match self.state {
                State::Idle => {}
                State::Handshake(_) => {
                    self.alert(Alert::USER_CANCELED, rng);
                    self.end(Reason::Closed);
                }
                State::Connected(_) => {
                    self.alert(Alert::CLOSE_NOTIFY, rng);
                    self.end(Reason::Closed);
                }
            },
        }
        ClientOutputs::new(&mut self.queue)
    }

    fn send(&mut self, bytes: &[u8], rng: &mut dyn Rng) {
        let State::Connected(connected) = &mut self.state else {
            return;
        };
        let start = self.queue.bytes.len();
        let link = &mut connected.link;
        if link.seal(
            ContentType::ApplicationData,
            bytes,
            rng,
            &mut self.queue.bytes,
        ) {
            self.queue.transmit_from(start);
        } else if link.sequence >= link.limit {
            // A reserve that is used up comes anew; the numbers themselves do not.
            if link.limit >= MAX_SEQUENCE {
                self.end(Reason::Limit(Limit::SequenceNumbers));
            }
        }
    }

    fn timer(&mut self, now: Instant, rng: &mut dyn Rng) {
        let State::Handshake(handshake) = &mut self.state else {
            return;
        };
        match handshake.channel.due(now, &self.config.retransmission) {
            Due::No => {}
            Due::Repeat => self.queue.send(handshake, &self.config, rng),
            Due::GiveUp => self.end(Reason::TimedOut),
        }
    }

    /// Sends an alert, protected if it can be.
    fn alert(&mut self, alert: Alert, rng: &mut dyn Rng) {
        let level = match alert {
            Alert::CLOSE_NOTIFY | Alert::USER_CANCELED => 1,
            _ => 2,
        };
        let content = [level, alert.number()];
        let start = self.queue.bytes.len();
        let bytes = &mut self.queue.bytes;
        match &mut self.state {
            State::Idle => return,
            State::Connected(connected) => {
                connected
                    .link
                    .seal(ContentType::Alert, &content, rng, bytes);
            }
            State::Handshake(handshake) => {
                let protected = handshake.protected;
                let channel = &mut handshake.channel;
                match channel.link.as_mut().filter(|_| protected) {
                    Some(link) => {
                        link.seal(ContentType::Alert, &content, rng, bytes);
                    }
                    None => put_plain(ContentType::Alert, &content, &mut channel.plain, bytes),
                }
            }
        }
        if self.queue.bytes.len() > start {
            self.queue.transmit_from(start);
        }
    }

    fn end(&mut self, reason: Reason) {
        self.state = State::Idle;
        self.queue.items.push_back(Item::Closed(reason));
    }

    fn record(&mut self, now: Instant, record: &Record<'_>, rng: &mut dyn Rng) {
        match self.state {
            State::Idle => {}
            State::Handshake(_) => self.handshake_record(now, record, rng),
            State::Connected(_) if record.epoch == EPOCH => {
                self.connected_record(now, record, rng);
            }
            // What comes in the clear is anybody's.
            State::Connected(_) => {}
        }
    }

    fn handshake_record(&mut self, now: Instant, record: &Record<'_>, rng: &mut dyn Rng) {
        let mut progress = self.handshake_step(now, record, false, rng);
        let mut deferred = Vec::new().into_iter();
        // What came before its keys can be read now.
        while let Progress::Goes = progress {
            let bytes: Vec<u8> = match deferred.next() {
                Some(bytes) => bytes,
                None => {
                    let taken = match &mut self.state {
                        State::Handshake(handshake) if handshake.is_ready() => {
                            handshake.channel.take_deferred()
                        }
                        _ => return,
                    };
                    if taken.is_empty() {
                        return;
                    }
                    deferred = taken.into_iter();
                    continue;
                }
            };
            for record in Records::new(&bytes, self.cid_length()).flatten() {
                progress = self.handshake_step(now, &record, true, rng);
            }
        }
        match progress {
            Progress::Goes => {}
            Progress::Done => {
                self.finish(now, rng);
                for bytes in deferred {
                    for record in Records::new(&bytes, self.cid_length()).flatten() {
                        self.record(now, &record, rng);
                    }
                }
            }
            Progress::Failed(alert) => {
                self.alert(alert, rng);
                self.end(Reason::AlertSent(alert));
            }
            Progress::Refused(reason) => self.end(reason),
        }
    }

    /// `waited` says that the record came before its keys.
    fn handshake_step(
        &mut self,
        now: Instant,
        record: &Record<'_>,
        waited: bool,
        rng: &mut dyn Rng,
    ) -> Progress {
        let State::Handshake(handshake) = &mut self.state else {
            return Progress::Goes;
        };
        if record.epoch == 0 {
            return match (record.content_type, record.fragment) {
                (ContentType::Handshake, content) => {
                    let received = handshake.channel.receive(0, content);
                    self.received(now, received, rng)
                }
                (ContentType::ChangeCipherSpec, [1]) => {
                    handshake.channel.cipher_changed = true;
                    Progress::Goes
                }
                // It may be anybody's, but before the server changed to its keys it has no other way to
                // say what is wrong.
                (ContentType::Alert, &[level, number]) if !handshake.channel.cipher_changed => {
                    refusal(level, number)
                }
                _ => Progress::Goes,
            };
        }
        if record.epoch != EPOCH {
            return Progress::Goes;
        }
        if !handshake.is_ready() {
            handshake.channel.defer(record);
            return Progress::Goes;
        }
        if handshake.has_cid != (record.content_type == ContentType::Tls12Cid)
            || handshake.has_cid && Some(record.cid) != self.config.connection_id.as_deref()
        {
            return Progress::Goes;
        }
        let Some(link) = handshake.channel.link.as_mut() else {
            return Progress::Goes;
        };
        let start = self.queue.bytes.len();
        match link.open(record, &mut self.queue.bytes) {
            Ok(opened) => {
                let content = &self.queue.bytes[opened.content];
                let progress = match (opened.content_type, content) {
                    (ContentType::Handshake, content) => {
                        let received = handshake.channel.receive(EPOCH, content);
                        self.queue.bytes.truncate(start);
                        return self.received(now, received, rng);
                    }
                    (ContentType::Alert, &[level, number]) => refusal(level, number),
                    // Data before the Finished is nobody's yet.
                    _ => Progress::Goes,
                };
                self.queue.bytes.truncate(start);
                progress
            }
            Err(Dropped::NotAuthentic) if is_stale(record, waited) => Progress::Goes,
            // What is protected first is the Finished: the keys differ.
            Err(Dropped::NotAuthentic) => Progress::Failed(Alert::DECRYPT_ERROR),
            Err(Dropped::Replayed | Dropped::Malformed) => Progress::Goes,
        }
    }

    fn received(&mut self, now: Instant, received: Received, rng: &mut dyn Rng) -> Progress {
        let State::Handshake(handshake) = &mut self.state else {
            return Progress::Goes;
        };
        let config = &self.config.retransmission;
        match received {
            Received::Refused => return Progress::Goes,
            Received::Repeated => {
                if handshake.channel.answer_repetition(now, config) {
                    self.queue.send(handshake, &self.config, rng);
                }
                return Progress::Goes;
            }
            Received::Stored => {}
        }
        while let Some(message) = handshake.channel.next() {
            match handshake.message(&message, now, &self.config, rng) {
                Ok(Step::Continue) => {}
                Ok(Step::Send) => {
                    self.queue.send(handshake, &self.config, rng);
                    handshake.channel.timer.start(now, config);
                }
                Ok(Step::Done) => return Progress::Done,
                Err(alert) => return Progress::Failed(alert),
            }
        }
        Progress::Goes
    }

    fn finish(&mut self, now: Instant, rng: &mut dyn Rng) {
        let State::Handshake(mut handshake) = core::mem::replace(&mut self.state, State::Idle)
        else {
            return;
        };
        let resumed = handshake.resumed;
        if resumed {
            self.queue.send(&mut handshake, &self.config, rng);
        }
        self.resumption = handshake.take_resumption();
        let (Some(link), Some(suite)) = (handshake.channel.link.take(), handshake.suite()) else {
            return;
        };
        let channel = handshake.channel;
        self.state = State::Connected(Box::new(Connected {
            link,
            suite,
            encrypt_then_mac: handshake.encrypt_then_mac,
            has_cid: handshake.has_cid,
            tail: resumed.then(|| (channel.flight, channel.plain, Timer::new(now))),
        }));
        self.queue.items.push_back(Item::Connected { resumed });
    }

    fn connected_record(&mut self, now: Instant, record: &Record<'_>, rng: &mut dyn Rng) {
        let State::Connected(connected) = &mut self.state else {
            return;
        };
        // RFC 9146 §3: what was agreed on holds for every record.
        if connected.has_cid != (record.content_type == ContentType::Tls12Cid)
            || connected.has_cid && Some(record.cid) != self.config.connection_id.as_deref()
        {
            return;
        }
        match connected.link.open(record, &mut self.queue.bytes) {
            Ok(opened) if opened.content_type == ContentType::ApplicationData => {
                connected.tail = None;
                self.queue.items.push_back(Item::Data(opened.content));
            }
            Ok(opened) => self.connected_message(now, &opened, rng),
            Err(_) => {
                if connected.link.failed > MAX_FAILED {
                    self.alert(Alert::BAD_RECORD_MAC, rng);
                    self.end(Reason::Limit(Limit::FailedDecryptions));
                }
            }
        }
    }

    /// What is no data, in an association.
    fn connected_message(&mut self, now: Instant, opened: &Opened, rng: &mut dyn Rng) {
        let bytes = &self.queue.bytes[opened.content.clone()];
        let first = bytes.first().copied();
        let pair = <[u8; 2]>::try_from(bytes).ok();
        self.queue.bytes.truncate(opened.content.start);
        match (opened.content_type, first, pair) {
            (ContentType::Alert, _, Some([_, 0])) => {
                // RFC 5246 §7.2.1: answered, and the association is over.
                self.alert(Alert::CLOSE_NOTIFY, rng);
                self.end(Reason::CloseNotify);
            }
            (ContentType::Alert, _, Some([2, number])) => {
                // RFC 5246 §7.2.2: such a session is not resumed.
                self.resumption = None;
                self.end(Reason::AlertReceived(Alert::from_number(number)));
            }
            (ContentType::Handshake, Some(kind::FINISHED), _) => {
                if let State::Connected(connected) = &mut self.state
                    && let Some((flight, plain, timer)) = &mut connected.tail
                    && timer.peer_repeated(now, &self.config.retransmission)
                {
                    let queue = &mut self.queue;
                    flight.send(
                        self.config.mtu,
                        plain,
                        Some(&mut connected.link),
                        rng,
                        &mut |datagram| queue.transmit(datagram),
                    );
                }
            }
            (ContentType::Handshake, Some(kind::HELLO_REQUEST), _) => {
                // RFC 5246 §7.4.1.1: no renegotiation; a warning.
                if let State::Connected(connected) = &mut self.state {
                    let start = self.queue.bytes.len();
                    let content = [1, Alert::NO_RENEGOTIATION.number()];
                    let bytes = &mut self.queue.bytes;
                    if connected
                        .link
                        .seal(ContentType::Alert, &content, rng, bytes)
                    {
                        self.queue.transmit_from(start);
                    }
                }
            }
            _ => {}
        }
    }

    fn cid_length(&self) -> usize {
        self.config.connection_id.as_ref().map_or(0, Vec::len)
    }

    /// When [`ClientInput::Timer`] is due next; `None` when nothing waits.
    pub fn next_timeout(&self) -> Option<Instant> {
        match &self.state {
            State::Handshake(handshake) => handshake.channel.timer.due,
            State::Idle | State::Connected(_) => None,
        }
    }

    /// Whether application data can be sent.
    pub fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected(_))
    }

    /// What resumes this session later, also after its end; `None` when the server gave it no id,
    /// or does not know the extended master secret.
    pub fn resumption(&self) -> Option<Resumption> {
        self.resumption.clone()
    }

    /// Takes the live association out, to be stored while the device sleeps; `None` when there is
    /// none. The client has none afterwards, so that no sequence number is used twice.
    pub fn export(&mut self) -> Option<Vec<u8>> {
        let connected = self.connected()?;
        let bytes = self.exported(connected, connected.link.sequence);
        self.state = State::Idle;
        Some(bytes)
    }

    /// The live association as it will stand `count` sequence numbers later, to be stored against a
    /// crash, while this one goes on and uses no more than those: none is used twice. Replaces what
    /// was reserved before. `None` when there is no association.
    ///
    /// What is imported of it does not know which records came last; see
    /// [`close_window`](Self::close_window).
    pub fn reserve(&mut self, count: u32) -> Option<Vec<u8>> {
        let State::Connected(connected) = &mut self.state else {
            return None;
        };
        let link = &mut connected.link;
        link.limit = (link.sequence + u64::from(count)).min(MAX_SEQUENCE);
        let connected = self.connected()?;
        Some(self.exported(connected, connected.link.limit))
    }

    fn connected(&self) -> Option<&Connected> {
        match &self.state {
            State::Connected(connected) => Some(connected),
            State::Idle | State::Handshake(_) => None,
        }
    }

    fn exported(&self, connected: &Connected, sequence: u64) -> Vec<u8> {
        let link = &connected.link;
        let exported = Exported {
            side: Side::Client,
            suite: connected.suite,
            encrypt_then_mac: connected.encrypt_then_mac,
            read: link.read.clone(),
            write: link.write.clone(),
            sequence,
            limit: MAX_SEQUENCE,
            window: link.window,
            failed: link.failed,
            peer_cid: link.peer_cid.clone(),
            own_cid: self.config.connection_id.clone().unwrap_or_default().into(),
            own_cid_in_use: connected.has_cid,
            address: None,
            session: 0,
            tag: 0,
            proven: true,
            resumption: self.resumption.clone(),
        };
        let mut out = Vec::new();
        exported.write(&mut out);
        out
    }

    /// Takes every record up to the newest that came for received, so that none of them is accepted
    /// any more. For an association out of [`reserve`](Self::reserve), after each datagram until
    /// something came that cannot be old.
    pub fn close_window(&mut self) {
        if let State::Connected(connected) = &mut self.state {
            let window = &mut connected.link.window;
            *window = ReplayWindow::all_below(window.parts().0);
        }
    }

    /// Whether the server finds the association by a connection ID, so that it outlives a change of
    /// the client's address (RFC 9146).
    pub fn has_connection_id(&self) -> bool {
        self.connected()
            .is_some_and(|connected| !connected.link.peer_cid.is_empty())
    }

    /// The suite of the live association.
    pub fn suite(&self) -> Option<Suite> {
        self.connected().map(|connected| connected.suite)
    }

    /// Goes on with an association out of [`export`](Self::export) or
    /// [`reserve`](Self::reserve), once: a second import of the
    /// same bytes would use sequence numbers again, which gives the keys away.
    ///
    /// # Errors
    ///
    /// [`ImportError`] when the bytes are not such an export, or hold another connection ID than the
    /// configuration.
    pub fn import(config: ClientConfig, bytes: &[u8]) -> Result<Self, ImportError> {
        let exported = Exported::read(bytes)?;
        if exported.side != Side::Client {
            return Err(ImportError::Malformed);
        }
        if exported.own_cid_in_use && config.connection_id.as_deref() != Some(&*exported.own_cid) {
            return Err(ImportError::ConnectionId);
        }
        let mut client = Self::new(config);
        client.resumption = exported.resumption.clone();
        client.state = State::Connected(Box::new(Connected {
            link: exported.link(),
            suite: exported.suite,
            encrypt_then_mac: exported.encrypt_then_mac,
            has_cid: exported.own_cid_in_use,
            tail: None,
        }));
        Ok(client)
    }

    /// The configuration, for the next client.
    pub fn into_config(self) -> ClientConfig {
        self.config
    }
}

impl Queue {
    /// Sends a handshake's flight, for the first time or again.
    fn send(&mut self, handshake: &mut Handshake, config: &ClientConfig, rng: &mut dyn Rng) {
        handshake
            .channel
            .send(config.mtu, rng, &mut |datagram| self.transmit(datagram));
    }
}

/// What an alert does to a handshake: warnings do nothing but close_notify.
fn refusal(level: u8, number: u8) -> Progress {
    match (level, number) {
        (_, 0) => Progress::Refused(Reason::CloseNotify),
        (2, number) => Progress::Refused(Reason::AlertReceived(Alert::from_number(number))),
        _ => Progress::Goes,
    }
}

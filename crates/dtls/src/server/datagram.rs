//! The way of a datagram through the server: to a session, to a handshake, or to the cookies.

use alloc::boxed::Box;
use core::net::SocketAddr;

use super::cid::Owner;
use super::handshake::{Begin, Handshake, Step};
use super::io::{Item, Queue};
use super::session::{Session, Tail, seconds};
use super::table::Slot;
use super::{Context, Server, alert_content};
use crate::handshake::channel::Received;
use crate::handshake::codec::Reader;
use crate::handshake::flight::{Timer, put_plain};
use crate::handshake::hello::{ClientHello, DTLS_1_2, write_hello_verify_request};
use crate::handshake::message::{HEADER, Header, kind, message};
use crate::link::{Dropped, EPOCH, Opened, is_stale};
use crate::record::{ContentType, Record, Records, leading_cid};
use crate::{Alert, DropReason, Limit, Reason, ServerConfig, SessionId};

/// What a record in a handshake led to.
enum Progress {
    /// Nothing that ends it.
    Goes,
    /// It is complete.
    Done,
    /// It failed; the alert goes to the client, if it may know.
    Failed(Option<Alert>),
}

impl Server {
    pub(super) fn datagram(&mut self, from: SocketAddr, bytes: &[u8], context: &mut Context<'_>) {
        self.counters.received += 1;
        let cid_length = self.cid_length();
        if let (Some(layout), Some(cid)) = (&self.layout, leading_cid(bytes, cid_length))
            && layout.owner(cid) == Owner::Foreign
        {
            self.queue.foreign(from, cid, bytes);
            return;
        }
        for record in Records::new(bytes, cid_length) {
            match record {
                Ok(record) => self.record(from, &record, context),
                Err(_) => self.counters.count(DropReason::Malformed),
            }
        }
    }

    fn record(&mut self, from: SocketAddr, record: &Record<'_>, context: &mut Context<'_>) {
        if record.content_type == ContentType::Tls12Cid {
            self.record_with_cid(from, record, context);
        } else if record.epoch == 0 {
            self.plain_record(from, record, context);
        } else if record.epoch == EPOCH {
            self.record_by_address(from, record, context);
        } else {
            self.counters.count(DropReason::NoAssociation);
        }
    }

    fn record_with_cid(
        &mut self,
        from: SocketAddr,
        record: &Record<'_>,
        context: &mut Context<'_>,
    ) {
        let found = self.layout.as_ref().and_then(|layout| {
            let Owner::Slot(slot) = layout.owner(record.cid) else {
                return None;
            };
            let (random, has_cid) = match self.table.get(slot) {
                Slot::Free => return None,
                Slot::Handshake(handshake) => (handshake.session.random(), handshake.has_cid),
                Slot::Session(session) => (session.random, session.has_cid),
            };
            (has_cid && layout.cid(slot, random).as_slice() == record.cid).then_some(slot)
        });
        let Some(slot) = found else {
            self.counters.count(DropReason::UnknownConnectionId);
            return;
        };
        if record.epoch != EPOCH {
            self.counters.count(DropReason::NoAssociation);
        } else if let Slot::Session(_) = self.table.get(slot) {
            self.session_record(slot, from, record, context);
        } else if self
            .table
            .handshake(slot)
            .is_some_and(|handshake| handshake.address == from)
        {
            self.handshake_record(slot, record, context);
        } else {
            self.counters.count(DropReason::NoAssociation);
        }
    }

    /// A protected record without connection ID: of the association with this address, or of the
    /// handshake that may follow it.
    fn record_by_address(
        &mut self,
        from: SocketAddr,
        record: &Record<'_>,
        context: &mut Context<'_>,
    ) {
        // RFC 9146 §3: who was given a connection ID uses it.
        let session = self.table.session_of(from).filter(|&slot| {
            self.table
                .session_at(slot)
                .is_some_and(|session| !session.has_cid)
        });
        let handshake = self.table.handshake_of(from).filter(|&slot| {
            self.table
                .handshake(slot)
                .is_some_and(|handshake| !handshake.has_cid)
        });
        match (session, handshake) {
            (None, None) => self.counters.count(DropReason::NoAssociation),
            (Some(session), None) => self.session_record(session, from, record, context),
            (None, Some(handshake)) => self.handshake_record(handshake, record, context),
            (Some(session), Some(slot)) => {
                // Both have the same epoch: only the keys tell.
                let start = self.queue.bytes.len();
                let opens = self.table.handshake(slot).is_some_and(|handshake| {
                    let ready = handshake.is_ready();
                    let Some(link) = handshake.channel.link.as_mut().filter(|_| ready) else {
                        return false;
                    };
                    let (window, failed) = (link.window, link.failed);
                    let opens = link.open(record, &mut self.queue.bytes).is_ok();
                    (link.window, link.failed) = (window, failed);
                    opens
                });
                self.queue.bytes.truncate(start);
                if opens {
                    self.handshake_record(slot, record, context);
                } else {
                    self.session_record(session, from, record, context);
                }
            }
        }
    }

    fn plain_record(&mut self, from: SocketAddr, record: &Record<'_>, context: &mut Context<'_>) {
        if record.content_type == ContentType::Handshake
            && record.fragment.first() == Some(&kind::CLIENT_HELLO)
        {
            self.client_hello(from, record, context);
            return;
        }
        match self.table.handshake_of(from) {
            Some(slot) => self.handshake_record(slot, record, context),
            // What a stranger says in the clear does not touch an association.
            None => self.counters.count(DropReason::NoHandshake),
        }
    }

    /// Answers without state, until the cookie shows that the address is not borrowed.
    fn client_hello(&mut self, from: SocketAddr, record: &Record<'_>, context: &mut Context<'_>) {
        let mut reader = Reader::new(record.fragment);
        let Some((header, body)) = Header::read(&mut reader) else {
            self.counters.count(DropReason::Malformed);
            return;
        };
        if body.len() != header.length {
            self.counters.count(DropReason::FragmentedClientHello);
            return;
        }
        let Some(hello) = ClientHello::read(body) else {
            self.counters.count(DropReason::Malformed);
            return;
        };
        self.cookies.rotate(context.now, context.rng);
        if !self.cookies.check(from, &hello) {
            let cookie = self.cookies.make(from, &hello);
            self.counters.cookies += 1;
            let answer = message(kind::HELLO_VERIFY_REQUEST, header.sequence, |out| {
                write_hello_verify_request(out, &cookie);
            });
            // RFC 6347 §4.2.1: the sequence number of the ClientHello's record.
            let start = self.queue.bytes.len();
            put_plain(
                ContentType::Handshake,
                &answer,
                &mut { record.sequence },
                &mut self.queue.bytes,
            );
            self.queue.transmit_from(from, start);
            return;
        }
        if let Some(slot) = self.table.handshake_of(from) {
            if let Some(handshake) = self.table.handshake(slot)
                && handshake.client_random == *hello.random
            {
                // Its ClientHello again: the answer was lost.
                self.repeat(slot, context);
                return;
            }
            // The client began anew, from an address that is its own.
            self.counters.failed += 1;
            self.table.remove(slot);
        }
        let whole = &record.fragment[..HEADER + header.length];
        self.begin(
            from,
            record.sequence,
            header.sequence,
            whole,
            &hello,
            context,
        );
    }

    fn begin(
        &mut self,
        from: SocketAddr,
        record: u64,
        message: u16,
        bytes: &[u8],
        hello: &ClientHello<'_>,
        context: &mut Context<'_>,
    ) {
        if !self.rate.take(context.now) {
            self.counters.count(DropReason::HandshakeRate);
            return;
        }
        self.counters.begun += 1;
        let limits = self.config.limits;
        if self.table.handshakes() >= limits.half_open.max(1)
            && let Some(oldest) = self.table.oldest_handshake()
        {
            self.counters.failed += 1;
            self.counters.evicted += 1;
            self.table.remove(oldest);
        }
        let slot = match self.table.next_free() {
            Some(slot) => slot,
            None => {
                self.evict_session(context);
                let Some(slot) = self.table.next_free() else {
                    return;
                };
                slot
            }
        };
        let session = SessionId::new(slot, context.rng.next_u32());
        let cid = self.cid(slot, session.random());
        self.begun += 1;
        let begin = Begin {
            now: context.now,
            from,
            number: self.begun,
            record,
            message,
            bytes,
            hello,
            session,
            cid: cid.as_ref().map_or(&[], |cid| cid.as_slice()),
        };
        // Versions count downwards: 1.0 is FEFF, and what is newer than 1.2 is below it. The first
        // byte tells DTLS from TLS.
        let begun = if hello.version > DTLS_1_2 || hello.version >> 8 != DTLS_1_2 >> 8 {
            Err(Alert::PROTOCOL_VERSION)
        } else {
            Handshake::begin(
                &begin,
                &self.config,
                &self.cache,
                context.credentials,
                context.rng,
            )
        };
        match begun {
            Ok(mut handshake) => {
                handshake.send(&self.config, context.rng, &mut self.queue);
                handshake
                    .channel
                    .timer
                    .start(context.now, &self.config.retransmission);
                self.table.insert_handshake(slot, Box::new(handshake));
                self.table.reschedule(slot, None);
            }
            Err(alert) => {
                self.counters.failed += 1;
                let start = self.queue.bytes.len();
                put_plain(
                    ContentType::Alert,
                    &alert_content(alert),
                    &mut { record },
                    &mut self.queue.bytes,
                );
                self.queue.transmit_from(from, start);
            }
        }
    }

    /// Ends a session that has been idle for long, for a new one.
    fn evict_session(&mut self, context: &mut Context<'_>) {
        if let Some(slot) = self.table.idle_session(context.rng)
            && let Some(session) = self.table.session_at(slot)
        {
            let id = SessionId::new(slot, session.random);
            self.close(
                id,
                Reason::Limit(Limit::Sessions),
                Some(Alert::CLOSE_NOTIFY),
                context.rng,
            );
        }
    }

    /// Sends a handshake's flight again since its client repeated its own.
    fn repeat(&mut self, slot: u32, context: &mut Context<'_>) {
        if let Some(handshake) = self.table.handshake(slot)
            && handshake
                .channel
                .answer_repetition(context.now, &self.config.retransmission)
        {
            self.counters.retransmitted += 1;
            handshake.send(&self.config, context.rng, &mut self.queue);
        }
    }

    /// A record for the handshake in this place.
    fn handshake_record(&mut self, slot: u32, record: &Record<'_>, context: &mut Context<'_>) {
        let mut progress = self.handshake_step(slot, record, false, context);
        // What came before its keys can be read now.
        while matches!(progress, Progress::Goes) {
            let Some(handshake) = self.table.handshake(slot).filter(|it| it.is_ready()) else {
                return;
            };
            let deferred = handshake.channel.take_deferred();
            if deferred.is_empty() {
                return;
            }
            let mut deferred = deferred.into_iter();
            for bytes in deferred.by_ref() {
                for record in Records::new(&bytes, self.cid_length()).flatten() {
                    if matches!(progress, Progress::Goes) {
                        progress = self.handshake_step(slot, &record, true, context);
                    }
                }
                if !matches!(progress, Progress::Goes) {
                    break;
                }
            }
            if matches!(progress, Progress::Done) {
                let Some(from) = self.finish(slot, context) else {
                    return;
                };
                for bytes in deferred {
                    for record in Records::new(&bytes, self.cid_length()).flatten() {
                        self.record(from, &record, context);
                    }
                }
                return;
            }
        }
        match progress {
            Progress::Goes => {}
            Progress::Done => {
                self.finish_with_deferred(slot, context);
            }
            Progress::Failed(alert) => self.fail(slot, alert, context),
        }
    }

    fn finish_with_deferred(&mut self, slot: u32, context: &mut Context<'_>) {
        let deferred = match self.table.handshake(slot) {
            Some(handshake) => handshake.channel.take_deferred(),
            None => return,
        };
        if let Some(from) = self.finish(slot, context) {
            for bytes in deferred {
                for record in Records::new(&bytes, self.cid_length()).flatten() {
                    self.record(from, &record, context);
                }
            }
        }
    }

    /// `waited` says that the record came before its keys.
    fn handshake_step(
        &mut self,
        slot: u32,
        record: &Record<'_>,
        waited: bool,
        context: &mut Context<'_>,
    ) -> Progress {
        let Some(handshake) = self.table.handshake(slot) else {
            return Progress::Goes;
        };
        if record.epoch == 0 {
            return match record.content_type {
                ContentType::Handshake => {
                    let received = handshake.channel.receive(0, record.fragment);
                    self.received(slot, received, context)
                }
                ContentType::ChangeCipherSpec => {
                    if record.fragment == [1] {
                        handshake.channel.cipher_changed = true;
                    }
                    Progress::Goes
                }
                // A fatal alert in the clear may be anybody's. Before the client changed to its keys
                // there is no other.
                ContentType::Alert
                    if matches!(record.fragment, [2, _]) && !handshake.channel.cipher_changed =>
                {
                    Progress::Failed(None)
                }
                _ => Progress::Goes,
            };
        }
        if !handshake.is_ready() {
            if !handshake.channel.defer(record) {
                self.counters.count(DropReason::TooEarly);
            }
            return Progress::Goes;
        }
        let Some(link) = handshake.channel.link.as_mut() else {
            return Progress::Goes;
        };
        let start = self.queue.bytes.len();
        match link.open(record, &mut self.queue.bytes) {
            Ok(opened) => {
                let content = &self.queue.bytes[opened.content];
                let progress = match opened.content_type {
                    ContentType::Handshake => {
                        let received = handshake.channel.receive(EPOCH, content);
                        self.queue.bytes.truncate(start);
                        return self.received(slot, received, context);
                    }
                    ContentType::Alert if matches!(content, [2, _] | [_, 0]) => {
                        Progress::Failed(None)
                    }
                    // Data before the Finished is nobody's yet.
                    _ => Progress::Goes,
                };
                self.queue.bytes.truncate(start);
                progress
            }
            Err(Dropped::NotAuthentic) => {
                self.counters.count(DropReason::NotAuthentic);
                if is_stale(record, waited) {
                    return Progress::Goes;
                }
                // What is protected first is the Finished. That it does not open means that the keys
                // differ: a wrong PSK (RFC 4279 §2: decrypt_error).
                Progress::Failed(Some(Alert::DECRYPT_ERROR))
            }
            Err(Dropped::Replayed) => {
                self.counters.count(DropReason::Replayed);
                Progress::Goes
            }
            Err(Dropped::Malformed) => {
                self.counters.count(DropReason::Malformed);
                Progress::Goes
            }
        }
    }

    fn received(&mut self, slot: u32, received: Received, context: &mut Context<'_>) -> Progress {
        match received {
            Received::Refused => {
                self.counters.count(DropReason::TooEarly);
                return Progress::Goes;
            }
            Received::Repeated => {
                self.repeat(slot, context);
                return Progress::Goes;
            }
            Received::Stored => {}
        }
        while let Some(handshake) = self.table.handshake(slot) {
            let Some(message) = handshake.channel.next() else {
                break;
            };
            let step = handshake.message(&message, context.now, context.credentials, context.rng);
            match step {
                Ok(Step::Continue) => {}
                Ok(Step::Done) => return Progress::Done,
                Err(alert) => return Progress::Failed(Some(alert)),
            }
        }
        Progress::Goes
    }

    /// Gives a handshake up.
    fn fail(&mut self, slot: u32, alert: Option<Alert>, context: &mut Context<'_>) {
        let Slot::Handshake(mut handshake) = self.table.remove(slot) else {
            return;
        };
        self.counters.failed += 1;
        let Some(alert) = alert else {
            return;
        };
        let content = alert_content(alert);
        let start = self.queue.bytes.len();
        let channel = &mut handshake.channel;
        // In a short handshake our ChangeCipherSpec is out already.
        match channel.link.as_mut().filter(|_| handshake.resumed) {
            Some(link) => {
                link.seal(
                    ContentType::Alert,
                    &content,
                    context.rng,
                    &mut self.queue.bytes,
                );
            }
            None => put_plain(
                ContentType::Alert,
                &content,
                &mut channel.plain,
                &mut self.queue.bytes,
            ),
        }
        self.queue.transmit_from(handshake.address, start);
    }

    /// Makes a session of a complete handshake. Returns its address.
    fn finish(&mut self, slot: u32, context: &mut Context<'_>) -> Option<SocketAddr> {
        // The session takes the place of the handshake; one that had its address may have to go.
        let Slot::Handshake(mut handshake) = self.table.remove(slot) else {
            return None;
        };
        let from = handshake.address;
        if let Some(old) = self.table.session_of(from)
            && let Some(session) = self.table.session_at(old)
            // An association that is found by its connection ID goes on unless it was the same
            // peer's: another one may live at its old address now.
            && (!session.has_cid || session.tag == handshake.tag)
        {
            let id = SessionId::new(old, session.random);
            self.close(id, Reason::Replaced, None, context.rng);
        }
        while self.table.sessions() >= self.config.limits.sessions.max(1) {
            self.evict_session(context);
        }
        let entry = handshake.cache_entry(context.now);
        if handshake.resumed {
            self.counters.resumed += 1;
            self.cache.renew(handshake.session_id(), handshake.session);
        } else {
            self.counters.completed += 1;
            handshake.send(&self.config, context.rng, &mut self.queue);
        }
        let channel = handshake.channel;
        let tail = (!handshake.resumed).then(|| {
            Box::new(Tail {
                flight: channel.flight,
                plain: channel.plain,
                timer: Timer::new(context.now),
            })
        });
        self.table.insert_session(
            slot,
            Session {
                link: channel.link?,
                address: from,
                tag: handshake.tag,
                random: handshake.session.random(),
                last: seconds(context.now),
                suite: handshake.suite,
                encrypt_then_mac: handshake.encrypt_then_mac,
                has_cid: handshake.has_cid,
                proven: true,
                tail,
            },
        );
        if let Some((id, entry)) = entry {
            self.cache.insert(id, entry);
        }
        self.queue.items.push_back(Item::Connected {
            session: handshake.session,
            from,
            identity: Box::new(handshake.identity),
            tag: handshake.tag,
            resumed: handshake.resumed,
        });
        Some(from)
    }

    /// A record for the session in this place.
    fn session_record(
        &mut self,
        slot: u32,
        from: SocketAddr,
        record: &Record<'_>,
        context: &mut Context<'_>,
    ) {
        let Some(session) = self.table.session_at(slot) else {
            return;
        };
        let id = SessionId::new(slot, session.random);
        let start = self.queue.bytes.len();
        let opened = match session.link.open(record, &mut self.queue.bytes) {
            Ok(opened) => opened,
            Err(dropped) => {
                let failed = session.link.failed;
                self.counters.count(match dropped {
                    Dropped::Replayed => DropReason::Replayed,
                    Dropped::NotAuthentic => DropReason::NotAuthentic,
                    Dropped::Malformed => DropReason::Malformed,
                });
                if dropped == Dropped::NotAuthentic
                    && failed > self.config.limits.failed_decryptions
                {
                    let reason = Reason::Limit(Limit::FailedDecryptions);
                    self.close(id, reason, Some(Alert::BAD_RECORD_MAC), context.rng);
                }
                return;
            }
        };
        if !session.proven {
            if opened.content_type == ContentType::ApplicationData {
                self.queue.items.push_back(Item::Unproven {
                    session: id,
                    from,
                    sequence: opened.sequence,
                    bytes: opened.content,
                });
            } else {
                self.queue.bytes.truncate(start);
            }
            return;
        }
        session.touch(context.now);
        if from != session.address && session.has_cid && opened.newest {
            let before = session.address;
            self.table.move_session(slot, from);
            self.counters.moved += 1;
            self.queue.items.push_back(Item::Moved {
                session: id,
                from: before,
                to: from,
            });
        }
        if opened.content_type == ContentType::ApplicationData {
            if let Some(session) = self.table.session_at(slot) {
                session.tail = None;
            }
            self.queue.items.push_back(Item::Data {
                session: id,
                bytes: opened.content,
            });
        } else {
            self.session_message(id, &opened, context);
        }
    }

    /// What is no data, in a session.
    fn session_message(&mut self, id: SessionId, opened: &Opened, context: &mut Context<'_>) {
        let mut content = [0; 2];
        let bytes = &self.queue.bytes[opened.content.clone()];
        let length = bytes.len();
        for (content, byte) in content.iter_mut().zip(bytes) {
            *content = *byte;
        }
        self.queue.bytes.truncate(opened.content.start);
        match (opened.content_type, content, length) {
            (ContentType::Alert, [_, 0], 2) => {
                // RFC 5246 §7.2.1: answered, and the session is over.
                self.close(
                    id,
                    Reason::CloseNotify,
                    Some(Alert::CLOSE_NOTIFY),
                    context.rng,
                );
            }
            (ContentType::Alert, [2, number], 2) => {
                self.cache.remove(id);
                let reason = Reason::AlertReceived(Alert::from_number(number));
                self.close(id, reason, None, context.rng);
            }
            (ContentType::Handshake, [kind::FINISHED, _], _) => self.repeat_tail(id, context),
            (ContentType::Handshake, [kind::CLIENT_HELLO, _], _) => {
                // RFC 5246 §7.2.2: no renegotiation; a warning.
                if let Some(session) = self.table.session_mut(id) {
                    let start = self.queue.bytes.len();
                    let content = [1, Alert::NO_RENEGOTIATION.number()];
                    if session.link.seal(
                        ContentType::Alert,
                        &content,
                        context.rng,
                        &mut self.queue.bytes,
                    ) {
                        self.queue.transmit_from(session.address, start);
                    }
                }
            }
            _ => {}
        }
    }

    /// The client missed our last flight.
    fn repeat_tail(&mut self, id: SessionId, context: &mut Context<'_>) {
        let Some(session) = self.table.session_mut(id) else {
            return;
        };
        let to = session.address;
        if let Some(tail) = &mut session.tail
            && tail
                .timer
                .peer_repeated(context.now, &self.config.retransmission)
        {
            self.counters.retransmitted += 1;
            let queue = &mut self.queue;
            tail.flight.send(
                self.config.mtu,
                &mut tail.plain,
                Some(&mut session.link),
                context.rng,
                &mut |datagram| queue.transmit(to, datagram),
            );
        }
    }
}

impl Handshake {
    /// Sends the flight, for the first time or again.
    pub(super) fn send(
        &mut self,
        config: &ServerConfig,
        rng: &mut dyn dunlin_coap::Rng,
        queue: &mut Queue,
    ) {
        let to = self.address;
        self.channel.send(config.mtu, rng, &mut |datagram| {
            queue.transmit(to, datagram)
        });
    }
}

//! What carries the messages of one handshake: order, repetition, epochs, transcript.

use alloc::vec::Vec;

use dunlin_coap::{Instant, Rng};

use super::codec::Reader;
use super::flight::{Due, Flight, Timer};
use super::message::{Header, kind, message};
use super::reassembly::{Message, Pushed, Reassembly};
use crate::Retransmission;
use crate::crypto::Transcript;
use crate::keys::VERIFY_DATA_LENGTH;
use crate::link::Link;
use crate::record::{HEADER_LENGTH, Record, write_header};

/// Bytes of protected records that came before their keys.
const MAX_DEFERRED: usize = 4096;

/// One handshake's messages, both ways.
#[derive(Debug)]
pub(crate) struct Channel {
    incoming: Reassembly,
    /// Datagrams' parts: protected records that came before their keys or their ChangeCipherSpec.
    deferred: Vec<Vec<u8>>,
    /// Whether the peer's ChangeCipherSpec came.
    pub(crate) cipher_changed: bool,
    pub(crate) flight: Flight,
    pub(crate) timer: Timer,
    /// The number of the next message to send.
    pub(crate) next_message: u16,
    /// The sequence number of the next record in the clear.
    pub(crate) plain: u64,
    pub(crate) transcript: Transcript,
    /// The keys, once there are some.
    pub(crate) link: Option<Link>,
}

/// What a record with handshake messages brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// Something that may be a message now.
    Stored,
    /// Something of a flight that is done with: the peer missed ours.
    Repeated,
    /// Nothing.
    Refused,
}

impl Channel {
    pub(crate) fn new(now: Instant, next_received: u16, next_sent: u16, plain: u64) -> Self {
        Self {
            incoming: Reassembly::new(next_received),
            deferred: Vec::new(),
            cipher_changed: false,
            flight: Flight::default(),
            timer: Timer::new(now),
            next_message: next_sent,
            plain,
            transcript: Transcript::new(),
            link: None,
        }
    }

    /// Appends a message to the transcript and to the flight.
    pub(crate) fn say(&mut self, kind: u8, write: impl FnOnce(&mut Vec<u8>)) {
        let bytes = message(kind, self.next_message, write);
        self.next_message = self.next_message.wrapping_add(1);
        self.transcript.update(&bytes);
        self.flight.push(bytes);
    }

    /// Appends ChangeCipherSpec and Finished to the flight.
    pub(crate) fn say_finished(&mut self, verify_data: &[u8; VERIFY_DATA_LENGTH]) {
        let bytes = message(kind::FINISHED, self.next_message, |out| {
            out.extend_from_slice(verify_data);
        });
        self.next_message = self.next_message.wrapping_add(1);
        self.transcript.update(&bytes);
        self.flight.push_finished(bytes);
    }

    /// Sends the flight, for the first time or again.
    pub(crate) fn send(&mut self, mtu: usize, rng: &mut dyn Rng, emit: &mut dyn FnMut(&[u8])) {
        self.flight
            .send(mtu, &mut self.plain, self.link.as_mut(), rng, emit);
    }

    /// Takes the messages of a record's content.
    pub(crate) fn receive(&mut self, epoch: u16, content: &[u8]) -> Received {
        let mut reader = Reader::new(content);
        let mut result = Received::Refused;
        while !reader.is_empty() {
            let Some((header, fragment)) = Header::read(&mut reader) else {
                break;
            };
            match self.incoming.push(epoch, header, fragment) {
                Pushed::Stored => result = Received::Stored,
                Pushed::Old if result == Received::Refused => result = Received::Repeated,
                Pushed::Old | Pushed::Refused => {}
            }
        }
        result
    }

    /// The message that is due, once it is complete. It is not in the transcript yet.
    pub(crate) fn next(&mut self) -> Option<Message> {
        self.incoming.pop()
    }

    /// The transcript begins anew. A server that keeps no state has nothing more to say before it is
    /// answered: what came ahead belongs to an earlier handshake.
    pub(crate) fn restart(&mut self) {
        self.transcript = Transcript::new();
        self.incoming.clear();
    }

    /// Keeps a protected record for later. False when there is no room.
    pub(crate) fn defer(&mut self, record: &Record<'_>) -> bool {
        let kept: usize = self.deferred.iter().map(Vec::len).sum();
        let length = HEADER_LENGTH + record.cid.len() + record.fragment.len();
        if kept + length > MAX_DEFERRED {
            return false;
        }
        let mut bytes = Vec::with_capacity(length);
        bytes.resize(HEADER_LENGTH + record.cid.len(), 0);
        let written = write_header(
            &mut bytes,
            record.content_type,
            record.version,
            record.number(),
            record.cid,
            record.fragment.len(),
        );
        bytes.extend_from_slice(record.fragment);
        self.deferred.push(bytes);
        written.is_some()
    }

    /// The records that were kept.
    pub(crate) fn take_deferred(&mut self) -> Vec<Vec<u8>> {
        core::mem::take(&mut self.deferred)
    }

    /// Whether the flight is to be sent again since the peer repeated its own.
    pub(crate) fn answer_repetition(&mut self, now: Instant, config: &Retransmission) -> bool {
        !self.flight.is_empty() && self.timer.peer_repeated(now, config)
    }

    pub(crate) fn due(&mut self, now: Instant, config: &Retransmission) -> Due {
        self.timer.check(now, config)
    }
}

//! Flights: messages that are sent together, and again until the peer goes on (RFC 6347 §4.2.4).

use alloc::vec::Vec;
use core::time::Duration;

use dunlin_coap::{Instant, Rng};

use super::message::{HEADER, Header};
use crate::Retransmission;
use crate::link::{EPOCH, Link};
use crate::record::{
    ContentType, HEADER_LENGTH, MAX_PLAINTEXT, MAX_SEQUENCE, VERSION, number, write_header,
};

/// Datagrams are never made smaller than this, whatever is configured.
const MIN_MTU: usize = 200;

/// A fragment that is not the last of its message has at least this many bytes: else the rest of a
/// datagram stays empty.
const MIN_FRAGMENT: usize = 16;

#[derive(Debug)]
enum Item {
    /// Header and body in one piece.
    Message {
        epoch: u16,
        bytes: Vec<u8>,
    },
    ChangeCipherSpec,
}

/// Messages to be sent together.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    items: Vec<Item>,
}

impl Flight {
    /// Adds a message in the clear.
    pub(crate) fn push(&mut self, bytes: Vec<u8>) {
        self.items.push(Item::Message { epoch: 0, bytes });
    }

    /// Adds the ChangeCipherSpec and the Finished behind it.
    pub(crate) fn push_finished(&mut self, bytes: Vec<u8>) {
        self.items.push(Item::ChangeCipherSpec);
        self.items.push(Item::Message {
            epoch: EPOCH,
            bytes,
        });
    }

    pub(crate) fn clear(&mut self) {
        self.items.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Sends it in datagrams of at most `mtu` bytes, each record with a sequence number of its own.
    /// `plain` is the next one in the clear; `link` seals what is protected.
    pub(crate) fn send(
        &self,
        mtu: usize,
        plain: &mut u64,
        mut link: Option<&mut Link>,
        rng: &mut dyn Rng,
        emit: &mut dyn FnMut(&[u8]),
    ) {
        let mtu = mtu.max(MIN_MTU);
        let mut datagram = Vec::with_capacity(mtu.min(2048));
        for item in &self.items {
            match item {
                Item::ChangeCipherSpec => {
                    if datagram.len() + HEADER_LENGTH + 1 > mtu {
                        emit(&datagram);
                        datagram.clear();
                    }
                    put_plain(ContentType::ChangeCipherSpec, &[1], plain, &mut datagram);
                }
                Item::Message { epoch, bytes } => {
                    let mut cut = Cutter::new(bytes);
                    // A ClientHello in pieces could not be answered without keeping state for it.
                    let whole = bytes.first() == Some(&super::message::kind::CLIENT_HELLO);
                    while !cut.done {
                        let room = mtu.saturating_sub(datagram.len());
                        let room = match (epoch, &link) {
                            (0, _) => room.checked_sub(HEADER_LENGTH),
                            (_, Some(link)) => {
                                link.protection.content_for(link.peer_cid.len(), room)
                            }
                            (_, None) => return,
                        };
                        let room = if whole { Some(MAX_PLAINTEXT) } else { room };
                        let Some(fragment) = cut.next(room.unwrap_or(0), datagram.is_empty())
                        else {
                            emit(&datagram);
                            datagram.clear();
                            continue;
                        };
                        match &mut link {
                            Some(link) if *epoch != 0 => {
                                link.seal(ContentType::Handshake, &fragment, rng, &mut datagram);
                            }
                            _ => {
                                put_plain(ContentType::Handshake, &fragment, plain, &mut datagram);
                            }
                        }
                    }
                }
            }
        }
        if !datagram.is_empty() {
            emit(&datagram);
        }
    }
}

/// Cuts a message into fragments.
struct Cutter<'a> {
    header: Header,
    body: &'a [u8],
    done: bool,
}

impl<'a> Cutter<'a> {
    fn new(message: &'a [u8]) -> Self {
        let mut reader = super::codec::Reader::new(message);
        let header = Header::read(&mut reader).map(|(header, _)| header);
        Self {
            header: header.unwrap_or(Header {
                kind: 0,
                length: 0,
                sequence: 0,
                offset: 0,
            }),
            body: message.get(HEADER..).unwrap_or_default(),
            done: false,
        }
    }

    /// The next fragment with its header, of at most `room` bytes; `None` when it is worth to begin
    /// a new datagram. In an empty one there is always a fragment.
    fn next(&mut self, room: usize, is_empty: bool) -> Option<Vec<u8>> {
        let rest = &self.body[self.header.offset..];
        let length = match room.checked_sub(HEADER) {
            Some(room) if rest.len() <= room => rest.len(),
            Some(room) if room >= MIN_FRAGMENT => room,
            _ if is_empty => rest.len().min(MIN_FRAGMENT),
            _ => return None,
        };
        let mut fragment = Vec::with_capacity(HEADER + length);
        self.header.write(length, &mut fragment);
        fragment.extend_from_slice(&rest[..length]);
        self.header.offset += length;
        self.done = self.header.offset == self.body.len();
        Some(fragment)
    }
}

/// Appends a record in the clear.
pub(crate) fn put_plain(
    content_type: ContentType,
    content: &[u8],
    sequence: &mut u64,
    out: &mut Vec<u8>,
) {
    let mut header = [0; HEADER_LENGTH];
    let number = number(0, *sequence);
    if write_header(
        &mut header,
        content_type,
        VERSION,
        number,
        &[],
        content.len(),
    )
    .is_some()
    {
        out.extend_from_slice(&header);
        out.extend_from_slice(content);
        *sequence = (*sequence + 1).min(MAX_SEQUENCE);
    }
}

/// When a flight is sent again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timer {
    timeout: Duration,
    /// When it is due; `None` while the peer has to come first.
    pub(crate) due: Option<Instant>,
    /// When the peer last got on.
    progress: Instant,
    /// When the flight was sent last.
    sent: Instant,
}

/// What to do when a timer is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    No,
    Repeat,
    GiveUp,
}

impl Timer {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            timeout: Duration::ZERO,
            due: None,
            progress: now,
            sent: now,
        }
    }

    /// A new flight was sent.
    pub(crate) fn start(&mut self, now: Instant, config: &Retransmission) {
        self.timeout = config.initial;
        self.progress = now;
        self.sent = now;
        self.arm(now, config);
    }

    fn arm(&mut self, now: Instant, config: &Retransmission) {
        self.due = Some((now + self.timeout).min(self.progress + config.give_up));
    }

    /// The time has come, perhaps. When it says [`Due::Repeat`], send the flight again.
    pub(crate) fn check(&mut self, now: Instant, config: &Retransmission) -> Due {
        if self.due.is_none_or(|due| now < due) {
            return Due::No;
        }
        if now >= self.progress + config.give_up {
            return Due::GiveUp;
        }
        // RFC 6347 §4.2.4.1: double at each repetition, up to 60 s.
        self.timeout = (self.timeout * 2).min(config.max);
        self.sent = now;
        self.arm(now, config);
        Due::Repeat
    }

    /// The peer repeated itself: whether our flight is to be sent again now. Copies that the network
    /// made, or a stranger, must not multiply what we send.
    pub(crate) fn peer_repeated(&mut self, now: Instant, config: &Retransmission) -> bool {
        if now < self.sent + config.initial / 4 {
            return false;
        }
        self.sent = now;
        true
    }
}

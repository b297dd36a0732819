//! The latest datagrams in both directions, for the trace of a device.
//!
//! ```text
//! every datagram ──> ring of the shard (fixed bytes; the oldest give way)
//!                └─> ring of the device, while somebody looks at it
//! ```
//!
//! The ring of the shard needs no switch, so it shows what happened before anybody looked; a copy
//! of a hundred bytes is all it costs. On a busy server it reaches back for seconds only: a device
//! that is looked at gets a ring of its own for a while, so that others cannot push its messages
//! out.

use core::time::Duration;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use dunlin_coap::{Code, Instant, Message, OptionNumber};
use dunlin_dtls::SessionId;

use super::Shard;
use crate::peer::Peer;
use crate::trace::{Datagram, Direction, redact};

/// How long a device keeps a ring of its own after it was looked at last.
const LOOKED_AT: Duration = Duration::from_secs(15 * 60);
/// Rings of devices at most; the one looked at the longest ago gives way.
const WATCHES: usize = 32;
/// Bytes of the ring of a device.
const WATCH_BYTES: usize = 64 * 1024;

/// Bytes of a [`Header`]: time (8), address (16 and 2), session (8), direction and family (1),
/// length (2).
const HEADER: usize = 37;

const OUT: u8 = 1;
const V6: u8 = 2;
const SECURE: u8 = 4;

/// A ring of bytes that holds whole datagrams with their headers.
#[derive(Debug)]
struct Ring {
    bytes: Box<[u8]>,
    /// Where the oldest datagram begins.
    start: usize,
    used: usize,
    /// Where the newest datagram begins, if there is one.
    newest: usize,
}

impl Ring {
    fn new(bytes: usize) -> Self {
        Self {
            bytes: vec![0; bytes].into_boxed_slice(),
            start: 0,
            used: 0,
            newest: 0,
        }
    }

    fn push(&mut self, at: Instant, direction: Direction, ends: Ends, datagram: &[u8]) {
        let Ok(length) = u16::try_from(datagram.len()) else {
            return;
        };
        let needed = HEADER + datagram.len();
        if needed > self.bytes.len() {
            return;
        }
        while self.bytes.len() - self.used < needed {
            let oldest = HEADER + usize::from(self.length_at(self.start));
            self.start = self.wrap(self.start + oldest);
            self.used -= oldest;
        }
        let header = Header::write(at, direction, ends, length);
        self.newest = self.wrap(self.start + self.used);
        self.put(&header);
        self.put(datagram);
    }

    /// A place that may lie behind the end, at most once around; a division would cost as much as
    /// the copy.
    fn wrap(&self, at: usize) -> usize {
        match at.checked_sub(self.bytes.len()) {
            Some(wrapped) => wrapped,
            None => at,
        }
    }

    /// Appends bytes for which there is room.
    fn put(&mut self, bytes: &[u8]) {
        let at = self.wrap(self.start + self.used);
        let (first, second) = bytes.split_at(bytes.len().min(self.bytes.len() - at));
        self.bytes[at..at + first.len()].copy_from_slice(first);
        self.bytes[..second.len()].copy_from_slice(second);
        self.used += bytes.len();
    }

    /// Reads `into.len()` bytes that begin at `at`.
    fn get(&self, at: usize, into: &mut [u8]) {
        let at = self.wrap(at);
        let (first, second) = into.split_at_mut(into.len().min(self.bytes.len() - at));
        first.copy_from_slice(&self.bytes[at..at + first.len()]);
        second.copy_from_slice(&self.bytes[..second.len()]);
    }

    fn length_at(&self, start: usize) -> u16 {
        let mut length = [0; 2];
        self.get(start + HEADER - 2, &mut length);
        u16::from_be_bytes(length)
    }

    /// Calls `visit` with the header of every datagram and where its bytes begin, oldest first.
    fn visit(&self, mut visit: impl FnMut(&Header, usize)) {
        let mut passed = 0;
        while passed < self.used {
            let mut bytes = [0; HEADER];
            self.get(self.start + passed, &mut bytes);
            let header = Header::read(&bytes);
            visit(&header, self.start + passed + HEADER);
            passed += HEADER + header.length;
        }
    }

    /// The latest datagram.
    fn newest(&self) -> Option<Kept> {
        (self.used > 0).then(|| {
            let mut bytes = [0; HEADER];
            self.get(self.newest, &mut bytes);
            let header = Header::read(&bytes);
            self.take(&header, self.newest + HEADER)
        })
    }

    fn take(&self, header: &Header, start: usize) -> Kept {
        let mut bytes = vec![0; header.length];
        self.get(start, &mut bytes);
        Kept {
            at: header.at,
            direction: header.direction,
            ends: header.ends,
            bytes,
        }
    }

    /// The datagrams that `wanted` picks by their peer, oldest first.
    fn pick(&self, wanted: impl Fn(Peer) -> bool) -> Vec<Kept> {
        let mut picked = Vec::new();
        self.visit(|header, start| {
            if wanted(header.ends.peer) {
                picked.push(self.take(header, start));
            }
        });
        picked
    }

    /// Peers that sent a request with this endpoint name.
    fn who_named(&self, endpoint: &str) -> HashSet<Peer> {
        // Whoever makes up addresses fills the ring with them.
        let mut peers = HashSet::new();
        let mut bytes = Vec::new();
        self.visit(|header, start| {
            if header.direction == Direction::In && !peers.contains(&header.ends.peer) {
                bytes.resize(header.length, 0);
                self.get(start, &mut bytes);
                if names(&bytes, endpoint) {
                    peers.insert(header.ends.peer);
                }
            }
        });
        peers
    }
}

/// What stands in front of a datagram.
struct Header {
    at: Instant,
    direction: Direction,
    ends: Ends,
    length: usize,
}

/// The other side, and the address it had then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) peer: Peer,
    pub(super) address: SocketAddr,
}

impl Ends {
    pub(super) fn udp(address: SocketAddr) -> Self {
        Self {
            peer: Peer::Udp(address),
            address,
        }
    }
}

impl Header {
    fn write(at: Instant, direction: Direction, ends: Ends, length: u16) -> [u8; HEADER] {
        let (ip, family) = match ends.address.ip() {
            IpAddr::V4(ip) => (ip.to_ipv6_mapped(), 0),
            IpAddr::V6(ip) => (ip, V6),
        };
        let direction = match direction {
            Direction::Out => OUT,
            Direction::In => 0,
        };
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&at.as_micros().to_be_bytes());
        bytes[8..24].copy_from_slice(&ip.octets());
        bytes[24..26].copy_from_slice(&ends.address.port().to_be_bytes());
        let mut secure = 0;
        if let Peer::Dtls(session) = ends.peer {
            bytes[26..34].copy_from_slice(&session.to_bits().to_be_bytes());
            secure = SECURE;
        }
        bytes[34] = direction | family | secure;
        bytes[35..].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    fn read(bytes: &[u8; HEADER]) -> Self {
        let number = |range: core::ops::Range<usize>| {
            bytes[range]
                .iter()
                .fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte))
        };
        let ip = Ipv6Addr::from(number(8..24));
        let ip = match ip.to_ipv4_mapped() {
            Some(v4) if bytes[34] & V6 == 0 => IpAddr::V4(v4),
            _ => IpAddr::V6(ip),
        };
        let address = SocketAddr::new(ip, number(24..26) as u16);
        let peer = if bytes[34] & SECURE == 0 {
            Peer::Udp(address)
        } else {
            Peer::Dtls(SessionId::from_bits(number(26..34) as u64))
        };
        Self {
            at: Instant::from_micros(number(0..8) as u64),
            direction: if bytes[34] & OUT == 0 {
                Direction::In
            } else {
                Direction::Out
            },
            ends: Ends { peer, address },
            length: number(35..37) as usize,
        }
    }
}

/// A datagram taken out of a ring.
struct Kept {
    at: Instant,
    direction: Direction,
    ends: Ends,
    bytes: Vec<u8>,
}

/// A device that is looked at.
#[derive(Debug)]
struct Watch {
    endpoint: Box<str>,
    peer: Peer,
    until: Instant,
    ring: Ring,
}

/// The latest datagrams of a shard.
#[derive(Debug)]
pub(super) struct Trace {
    /// The time of what is being handled.
    now: Instant,
    all: Ring,
    watches: Vec<Watch>,
}

impl Trace {
    /// Room for so many bytes of datagrams of all devices; with 0 nothing is kept.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            now: Instant::ZERO,
            all: Ring::new(bytes),
            watches: Vec::new(),
        }
    }

    pub(super) fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    pub(super) fn record(&mut self, direction: Direction, ends: Ends, datagram: &[u8]) {
        if self.all.bytes.is_empty() {
            return;
        }
        self.all.push(self.now, direction, ends, datagram);
        for watch in &mut self.watches {
            if is_same(watch.peer, ends.peer) {
                watch.ring.push(self.now, direction, ends, datagram);
            }
        }
    }

    /// A device has registered, or is at another place: whoever looks at it goes on looking.
    pub(super) fn follow(&mut self, endpoint: &str, peer: Peer) {
        let now = self.now;
        let Some(watch) = self
            .watches
            .iter_mut()
            .find(|watch| *watch.endpoint == *endpoint && !is_same(watch.peer, peer))
        else {
            return;
        };
        watch.peer = peer;
        // The message that told the new place came before it was known. It is the latest: to look
        // through the ring would let a device that moves all the time hold up the others.
        if let Some(kept) = self.all.newest()
            && is_same(kept.ends.peer, peer)
            && kept.at >= now
        {
            watch
                .ring
                .push(kept.at, kept.direction, kept.ends, &kept.bytes);
        }
    }

    /// The messages of a registered device; its further ones are kept apart for a while.
    fn of_device(&mut self, now: Instant, endpoint: &str, peer: Peer) -> Vec<Kept> {
        if self.all.bytes.is_empty() {
            return Vec::new();
        }
        self.watches.retain(|watch| watch.until > now);
        let known = self
            .watches
            .iter()
            .position(|watch| *watch.endpoint == *endpoint);
        let index = known.unwrap_or_else(|| {
            if self.watches.len() >= WATCHES
                && let Some(oldest) =
                    (0..self.watches.len()).min_by_key(|at| self.watches[*at].until)
            {
                self.watches.swap_remove(oldest);
            }
            let mut ring = Ring::new(WATCH_BYTES);
            for kept in self.all.pick(|other| is_same(other, peer)) {
                ring.push(kept.at, kept.direction, kept.ends, &kept.bytes);
            }
            self.watches.push(Watch {
                endpoint: endpoint.into(),
                peer,
                until: now,
                ring,
            });
            self.watches.len() - 1
        });
        let watch = &mut self.watches[index];
        watch.until = now + LOOKED_AT;
        watch.ring.pick(|_| true)
    }

    /// The messages of peers that tried to register under this name: what a device said that
    /// was refused.
    fn of_stranger(&self, endpoint: &str) -> Vec<Kept> {
        let peers = self.all.who_named(endpoint);
        if peers.is_empty() {
            return Vec::new();
        }
        self.all.pick(|peer| peers.contains(&peer))
    }
}

/// Flow label and scope of IPv6 are not kept.
fn is_same(left: Peer, right: Peer) -> bool {
    match (left, right) {
        (Peer::Udp(left), Peer::Udp(right)) => {
            left.port() == right.port() && left.ip() == right.ip()
        }
        _ => left == right,
    }
}

/// Whether a datagram is a request that gives this endpoint name.
fn names(bytes: &[u8], endpoint: &str) -> bool {
    let Ok(message) = Message::parse(bytes) else {
        return false;
    };
    message.code == Code::POST
        && message
            .values(OptionNumber::URI_QUERY)
            .any(|query| query.strip_prefix(b"ep=") == Some(endpoint.as_bytes()))
}

impl Shard {
    /// The latest messages of a device, oldest first; `None` when nothing is known of it here.
    pub(super) fn trace(&mut self, now: Instant, endpoint: &str) -> Option<Vec<Datagram>> {
        let slot = self.registry.find(endpoint);
        let peer = slot
            .and_then(|slot| self.registry.get(slot))
            .map(|registration| registration.peer());
        let kept = match peer {
            Some(peer) => self.queue.trace.of_device(now, endpoint, peer),
            None => {
                let theirs = self.queue.trace.of_stranger(endpoint);
                if theirs.is_empty() {
                    return None;
                }
                theirs
            }
        };
        let datagrams = kept.into_iter().map(|kept| Datagram {
            time: self.unix(kept.at),
            direction: kept.direction,
            peer: kept.ends.address,
            bytes: kept.bytes,
        });
        let mut datagrams: Vec<Datagram> = datagrams.collect();
        redact(&mut datagrams);
        Some(datagrams)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(port: u16) -> Ends {
        Ends::udp(SocketAddr::from(([192, 0, 2, 1], port)))
    }

    #[test]
    fn a_ring_keeps_the_latest_whole_datagrams_in_order() {
        for size in [72, 100, 101, 333] {
            let mut ring = Ring::new(size);
            for number in 0..200_u16 {
                let datagram = vec![number as u8; usize::from(number % 30)];
                ring.push(
                    Instant::from_micros(u64::from(number)),
                    Direction::In,
                    ends(number),
                    &datagram,
                );
                let kept = ring.pick(|_| true);
                let last = kept.last().expect("the newest is there");
                assert_eq!((last.ends, &last.bytes), (ends(number), &datagram));
                let mut expected = number;
                for kept in kept.iter().rev() {
                    assert_eq!(kept.ends.address.port(), expected, "no gap");
                    assert_eq!(kept.bytes.len(), usize::from(expected % 30));
                    assert_eq!(kept.at.as_micros(), u64::from(expected));
                    expected = expected.wrapping_sub(1);
                }
                assert!(ring.used <= size);
            }
        }
    }

    #[test]
    fn addresses_of_both_families_come_back_as_they_were() {
        let mut ring = Ring::new(1000);
        let peers = ["192.0.2.7:1", "[2001:db8::1]:65535", "[::ffff:192.0.2.7]:2"];
        for peer in peers {
            ring.push(
                Instant::ZERO,
                Direction::Out,
                Ends::udp(peer.parse().expect("address")),
                b"x",
            );
        }
        let back: Vec<String> = ring
            .pick(|_| true)
            .iter()
            .map(|kept| kept.ends.address.to_string())
            .collect();
        assert_eq!(back, peers);
    }

    #[test]
    fn a_session_comes_back_with_the_address_it_had() {
        let mut ring = Ring::new(1000);
        let session = Peer::Dtls(SessionId::from_bits(u64::MAX - 7));
        let at = |address: &str| Ends {
            peer: session,
            address: address.parse().expect("address"),
        };
        let moves = [at("192.0.2.7:1"), at("[2001:db8::1]:2")];
        for ends in moves {
            ring.push(Instant::ZERO, Direction::In, ends, b"x");
        }
        ring.push(Instant::ZERO, Direction::In, ends(1), b"other");
        let back: Vec<Ends> = ring
            .pick(|peer| is_same(peer, session))
            .iter()
            .map(|kept| kept.ends)
            .collect();
        assert_eq!(back, moves);
    }

    /// With a look through the ring for each datagram, or a comparison of each address with all
    /// others, this takes minutes.
    #[test]
    fn made_up_addresses_cost_no_time() {
        let mut trace = Trace::new(4 * 1024 * 1024);
        let register = [&[0x40, 2, 0, 1, 0xB2][..], b"rd\x44ep=x"].concat();
        let address = |number: u32| SocketAddr::from((number.to_be_bytes(), 5683));
        for number in 0..80_000 {
            trace.record(Direction::In, Ends::udp(address(number)), &register);
        }
        let began = std::time::Instant::now();
        assert_eq!(trace.of_stranger("x").len(), 80_000);
        trace.of_device(Instant::ZERO, "y", address(0).into());
        for number in 0..2000 {
            trace.record(Direction::In, Ends::udp(address(number)), &register);
            trace.follow("y", address(number).into());
        }
        let kept = trace.of_device(Instant::ZERO, "y", address(0).into());
        let last = kept.last().map(|kept| kept.ends);
        assert_eq!(last, Some(Ends::udp(address(1999))));
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    }

    #[test]
    fn a_datagram_larger_than_the_ring_is_left_out() {
        let mut ring = Ring::new(100);
        ring.push(Instant::ZERO, Direction::In, ends(1), b"short");
        ring.push(Instant::ZERO, Direction::In, ends(2), &[0; 101]);
        assert_eq!(ring.pick(|_| true).len(), 1);
    }
}

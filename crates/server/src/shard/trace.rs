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

use super::Shard;
use crate::trace::{Datagram, Direction};

/// How long a device keeps a ring of its own after it was looked at last.
const LOOKED_AT: Duration = Duration::from_secs(15 * 60);
/// Rings of devices at most; the one looked at the longest ago gives way.
const WATCHES: usize = 32;
/// Bytes of the ring of a device.
const WATCH_BYTES: usize = 64 * 1024;

/// Bytes of a [`Header`]: time (8), peer (16 and 2), direction and family (1), length (2).
const HEADER: usize = 29;

const OUT: u8 = 1;
const V6: u8 = 2;

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

    fn push(&mut self, at: Instant, direction: Direction, peer: SocketAddr, datagram: &[u8]) {
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
        let header = Header::write(at, direction, peer, length);
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
            peer: header.peer,
            bytes,
        }
    }

    /// The datagrams that `wanted` picks by their peer, oldest first.
    fn pick(&self, wanted: impl Fn(SocketAddr) -> bool) -> Vec<Kept> {
        let mut picked = Vec::new();
        self.visit(|header, start| {
            if wanted(header.peer) {
                picked.push(self.take(header, start));
            }
        });
        picked
    }

    /// Addresses that sent a request with this endpoint name.
    fn who_named(&self, endpoint: &str) -> HashSet<SocketAddr> {
        // Whoever makes up addresses fills the ring with them.
        let mut peers = HashSet::new();
        let mut bytes = Vec::new();
        self.visit(|header, start| {
            if header.direction == Direction::In && !peers.contains(&header.peer) {
                bytes.resize(header.length, 0);
                self.get(start, &mut bytes);
                if names(&bytes, endpoint) {
                    peers.insert(header.peer);
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
    peer: SocketAddr,
    length: usize,
}

impl Header {
    fn write(at: Instant, direction: Direction, peer: SocketAddr, length: u16) -> [u8; HEADER] {
        let (ip, family) = match peer.ip() {
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
        bytes[24..26].copy_from_slice(&peer.port().to_be_bytes());
        bytes[26] = direction | family;
        bytes[27..].copy_from_slice(&length.to_be_bytes());
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
            Some(v4) if bytes[26] & V6 == 0 => IpAddr::V4(v4),
            _ => IpAddr::V6(ip),
        };
        Self {
            at: Instant::from_micros(number(0..8) as u64),
            direction: if bytes[26] & OUT == 0 {
                Direction::In
            } else {
                Direction::Out
            },
            peer: SocketAddr::new(ip, number(24..26) as u16),
            length: number(27..29) as usize,
        }
    }
}

/// A datagram taken out of a ring.
struct Kept {
    at: Instant,
    direction: Direction,
    peer: SocketAddr,
    bytes: Vec<u8>,
}

/// A device that is looked at.
#[derive(Debug)]
struct Watch {
    endpoint: Box<str>,
    address: SocketAddr,
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

    pub(super) fn record(&mut self, direction: Direction, peer: SocketAddr, datagram: &[u8]) {
        if self.all.bytes.is_empty() {
            return;
        }
        self.all.push(self.now, direction, peer, datagram);
        for watch in &mut self.watches {
            if is_same(watch.address, peer) {
                watch.ring.push(self.now, direction, peer, datagram);
            }
        }
    }

    /// A device has registered, or its address has changed: whoever looks at it goes on looking.
    pub(super) fn follow(&mut self, endpoint: &str, address: SocketAddr) {
        let now = self.now;
        let Some(watch) = self
            .watches
            .iter_mut()
            .find(|watch| *watch.endpoint == *endpoint && !is_same(watch.address, address))
        else {
            return;
        };
        watch.address = address;
        // The message that told the new address came before it was known. It is the latest: to look
        // through the ring would let a device that moves all the time hold up the others.
        if let Some(kept) = self.all.newest()
            && is_same(kept.peer, address)
            && kept.at >= now
        {
            watch
                .ring
                .push(kept.at, kept.direction, kept.peer, &kept.bytes);
        }
    }

    /// The messages of a registered device; its further ones are kept apart for a while.
    fn of_device(&mut self, now: Instant, endpoint: &str, address: SocketAddr) -> Vec<Kept> {
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
            for kept in self.all.pick(|peer| is_same(peer, address)) {
                ring.push(kept.at, kept.direction, kept.peer, &kept.bytes);
            }
            self.watches.push(Watch {
                endpoint: endpoint.into(),
                address,
                until: now,
                ring,
            });
            self.watches.len() - 1
        });
        let watch = &mut self.watches[index];
        watch.until = now + LOOKED_AT;
        watch.ring.pick(|_| true)
    }

    /// The messages of addresses that tried to register under this name: what a device said that
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
fn is_same(left: SocketAddr, right: SocketAddr) -> bool {
    left.port() == right.port() && left.ip() == right.ip()
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
        let address = slot
            .and_then(|slot| self.registry.get(slot))
            .map(|registration| registration.address());
        let kept = match address {
            Some(address) => self.queue.trace.of_device(now, endpoint, address),
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
            peer: kept.peer,
            bytes: kept.bytes,
        });
        Some(datagrams.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn a_ring_keeps_the_latest_whole_datagrams_in_order() {
        for size in [64, 100, 101, 333] {
            let mut ring = Ring::new(size);
            for number in 0..200_u16 {
                let datagram = vec![number as u8; usize::from(number % 30)];
                ring.push(
                    Instant::from_micros(u64::from(number)),
                    Direction::In,
                    peer(number),
                    &datagram,
                );
                let kept = ring.pick(|_| true);
                let last = kept.last().expect("the newest is there");
                assert_eq!((last.peer, &last.bytes), (peer(number), &datagram));
                let mut expected = number;
                for kept in kept.iter().rev() {
                    assert_eq!(kept.peer.port(), expected, "no gap");
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
                peer.parse().expect("address"),
                b"x",
            );
        }
        let back: Vec<String> = ring
            .pick(|_| true)
            .iter()
            .map(|kept| kept.peer.to_string())
            .collect();
        assert_eq!(back, peers);
    }

    /// With a look through the ring for each datagram, or a comparison of each address with all
    /// others, this takes minutes.
    #[test]
    fn made_up_addresses_cost_no_time() {
        let mut trace = Trace::new(4 * 1024 * 1024);
        let register = [&[0x40, 2, 0, 1, 0xB2][..], b"rd\x44ep=x"].concat();
        let address = |number: u32| SocketAddr::from((number.to_be_bytes(), 5683));
        for number in 0..80_000 {
            trace.record(Direction::In, address(number), &register);
        }
        let began = std::time::Instant::now();
        assert_eq!(trace.of_stranger("x").len(), 80_000);
        trace.of_device(Instant::ZERO, "y", address(0));
        for number in 0..2000 {
            trace.record(Direction::In, address(number), &register);
            trace.follow("y", address(number));
        }
        let kept = trace.of_device(Instant::ZERO, "y", address(0));
        assert_eq!(kept.last().map(|kept| kept.peer), Some(address(1999)));
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    }

    #[test]
    fn a_datagram_larger_than_the_ring_is_left_out() {
        let mut ring = Ring::new(100);
        ring.push(Instant::ZERO, Direction::In, peer(1), b"short");
        ring.push(Instant::ZERO, Direction::In, peer(2), &[0; 101]);
        assert_eq!(ring.pick(|_| true).len(), 1);
    }
}

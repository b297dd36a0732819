//! The registrations of a shard: compact records in an arena, found by endpoint name, by address
//! and by place, with a wheel of lifetimes through them.

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use dunlin_dtls::SessionId;
use hashbrown::HashTable;

use super::interner::Interned;
use super::names::{Name, Names};
use super::wheel::{Link, NONE, Timers, Wheel};
use crate::directory::keyed_hash;
use crate::peer::Peer;

/// Ticks of the lifetime wheel in a second.
pub(super) const TICKS_PER_SECOND: u32 = 10;
/// A deadline that is never reached (13 years).
pub(super) const NEVER: u32 = u32::MAX;
const CHUNK: usize = 1024;

/// A registration. Idle devices are many: every byte here counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registration {
    /// The address; of a registration over DTLS its session and credential.
    ip: [u8; 16],
    port: u16,
    pub(super) flags: u8,
    name: Name,
    pub(super) links: Interned,
    pub(super) parameters: Interned,
    /// Time of the Register in Unix seconds.
    pub(super) registered: u32,
    /// Tick of the last Register or Update.
    pub(super) updated: u32,
    /// Tick of the last message.
    pub(super) heard: u32,
    /// Tick at which the lifetime ends; [`NEVER`] for an infinite one.
    pub(super) deadline: u32,
    pub(super) nonce: u32,
    link: Link,
    /// What is going on with the device, if anything: an index of `Devices`.
    pub(super) device: u32,
}

const V4: u8 = 1;
/// The reply to the Register waits for the store: no requests to the device yet.
pub(super) const HELD: u8 = 1 << 1;
/// A device in queue mode that did not answer, or has not spoken since the restart.
pub(super) const ASLEEP: u8 = 1 << 2;
/// How many registrations before this one were replaced on their way to the store, in two bits.
pub(super) const OVERTOOK: u8 = 3 << OVERTOOK_SHIFT;
const OVERTOOK_SHIFT: u8 = 4;
/// Registered over DTLS.
const SECURE: u8 = 1 << 3;
const FREE: u8 = 1 << 7;

impl Registration {
    /// Where requests to the device go.
    pub(super) fn peer(&self) -> Peer {
        if self.flags & SECURE != 0 {
            return Peer::Dtls(SessionId::from_bits(self.halves().0));
        }
        Peer::Udp(self.address())
    }

    /// The credential that was proven for a registration over DTLS.
    pub(super) fn credential(&self) -> Option<u64> {
        (self.flags & SECURE != 0).then(|| self.halves().1)
    }

    fn halves(&self) -> (u64, u64) {
        let both = u128::from_be_bytes(self.ip);
        ((both >> 64) as u64, both as u64)
    }

    fn address(&self) -> SocketAddr {
        if self.flags & V4 != 0 {
            let [.., a, b, c, d] = self.ip;
            return SocketAddr::from(([a, b, c, d], self.port));
        }
        let mut ip = Ipv6Addr::from(self.ip);
        let mut scope = 0;
        if ip.is_unicast_link_local() {
            // The 32 bits behind fe80::/32 are zero on the wire (RFC 4291 §2.5.6) and carry the
            // scope here.
            let mut octets = self.ip;
            scope = u32::from_be_bytes([octets[4], octets[5], octets[6], octets[7]]);
            octets[4..8].fill(0);
            ip = Ipv6Addr::from(octets);
        }
        SocketAddr::V6(SocketAddrV6::new(ip, self.port, 0, scope))
    }

    /// The flags of a registration that replaces this one; `None` when so many replaced each other
    /// on their way to the store already that the next must wait.
    pub(super) fn overtaken(&self) -> Option<u8> {
        if self.flags & HELD == 0 {
            return Some(0);
        }
        let count = (self.flags & OVERTOOK) >> OVERTOOK_SHIFT;
        (count < 3).then_some((count + 1) << OVERTOOK_SHIFT)
    }

    fn set_place(&mut self, place: Place) {
        self.flags &= !(V4 | SECURE);
        match place {
            Place::Udp(address) => {
                self.port = address.port();
                self.ip = octets(&address);
                self.flags |= if address.is_ipv4() { V4 } else { 0 };
            }
            Place::Dtls(session, credential) => {
                self.port = 0;
                self.ip =
                    (u128::from(session.to_bits()) << 64 | u128::from(credential)).to_be_bytes();
                self.flags |= SECURE;
            }
        }
    }

    pub(super) fn is_at(&self, peer: &Peer) -> bool {
        match peer {
            Peer::Udp(address) => {
                self.flags & SECURE == 0
                    && self.port == address.port()
                    && (self.flags & V4 != 0) == address.is_ipv4()
                    && self.ip == octets(address)
            }
            Peer::Dtls(session) => self.flags & SECURE != 0 && self.halves().0 == session.to_bits(),
        }
    }
}

/// Where a device is, and what it has proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// An address, without security.
    Udp(SocketAddr),
    /// A DTLS association and the credential proven in it.
    Dtls(SessionId, u64),
}

fn octets(address: &SocketAddr) -> [u8; 16] {
    match address {
        SocketAddr::V4(v4) => {
            let [a, b, c, d] = v4.ip().octets();
            let mut ip = [0; 16];
            ip[12..].copy_from_slice(&[a, b, c, d]);
            ip
        }
        SocketAddr::V6(v6) => {
            let mut ip = v6.ip().octets();
            if v6.ip().is_unicast_link_local() {
                ip[4..8].copy_from_slice(&v6.scope_id().to_be_bytes());
            }
            ip
        }
    }
}

/// What a new registration consists of.
pub(super) struct New<'a> {
    pub(super) name: &'a str,
    pub(super) place: Place,
    pub(super) links: Interned,
    pub(super) parameters: Interned,
    pub(super) registered: u32,
    pub(super) now: u32,
    pub(super) deadline: u32,
    pub(super) nonce: u32,
}

/// The registrations of a shard.
pub(super) struct Registry {
    arena: Arena,
    names: Names,
    by_name: HashTable<u32>,
    by_peer: HashTable<u32>,
    wheel: Wheel,
    seed: u64,
}

struct Arena {
    chunks: Vec<Box<[Registration]>>,
    free: Vec<u32>,
    used: u32,
}

impl Arena {
    fn get(&self, slot: u32) -> &Registration {
        &self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }

    fn get_mut(&mut self, slot: u32) -> &mut Registration {
        &mut self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }

    fn live(&self, slot: u32) -> Option<&Registration> {
        let chunk = self.chunks.get(slot as usize / CHUNK)?;
        let registration = &chunk[slot as usize % CHUNK];
        (registration.flags & FREE == 0).then_some(registration)
    }

    fn end(&self) -> u32 {
        (self.chunks.len() * CHUNK) as u32
    }

    fn grow(&mut self) {
        let empty = Registration {
            ip: [0; 16],
            port: 0,
            flags: FREE,
            name: Name::default(),
            links: Interned::default(),
            parameters: Interned::default(),
            registered: 0,
            updated: 0,
            heard: 0,
            deadline: NEVER,
            nonce: 0,
            link: Link::IDLE,
            device: NONE,
        };
        self.chunks.push(vec![empty; CHUNK].into_boxed_slice());
    }

    fn take(&mut self) -> u32 {
        while let Some(slot) = self.free.pop() {
            // `take_at` leaves entries of places behind that it took.
            if self.get(slot).flags & FREE != 0 {
                return slot;
            }
        }
        if self.used == self.end() {
            self.grow();
        }
        self.used += 1;
        self.used - 1
    }

    /// Takes one certain place, if it is free.
    fn take_at(&mut self, slot: u32) -> bool {
        if slot < self.used {
            return self.get(slot).flags & FREE != 0;
        }
        while slot >= self.end() {
            self.grow();
        }
        self.free.extend(self.used..slot);
        self.used = slot + 1;
        true
    }
}

impl Timers for Arena {
    fn link(&mut self, id: u32) -> &mut Link {
        &mut self.get_mut(id).link
    }

    fn deadline(&self, id: u32) -> u32 {
        self.get(id).deadline
    }
}

impl Registry {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            arena: Arena {
                chunks: Vec::new(),
                free: Vec::new(),
                used: 0,
            },
            names: Names::default(),
            by_name: HashTable::new(),
            by_peer: HashTable::new(),
            wheel: Wheel::new(),
            seed,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// A live registration; a slot that is free or out of range is `None`.
    pub(super) fn get(&self, slot: u32) -> Option<&Registration> {
        self.arena.live(slot)
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Registration> {
        self.arena.live(slot)?;
        Some(self.arena.get_mut(slot))
    }

    pub(super) fn name(&self, slot: u32) -> &str {
        self.get(slot)
            .map_or("", |registration| self.names.get(registration.name))
    }

    pub(super) fn find(&self, name: &str) -> Option<u32> {
        let found = |slot: &u32| self.names.get(self.arena.get(*slot).name) == name;
        self.by_name.find(self.hash_name(name), found).copied()
    }

    /// The registrations of a peer: several endpoints may share an address or a session.
    pub(super) fn at(&self, peer: Peer) -> impl Iterator<Item = u32> {
        self.by_peer
            .iter_hash(hash_peer(self.seed, &peer))
            .copied()
            .filter(move |slot| self.arena.get(*slot).is_at(&peer))
    }

    /// Whether a peer has at least `count` registrations.
    pub(super) fn has_at(&self, peer: Peer, count: usize) -> bool {
        // Few others have the same hash: looking at the records themselves is seldom needed.
        let hash = hash_peer(self.seed, &peer);
        self.by_peer.iter_hash(hash).take(count).count() >= count
            && self.at(peer).take(count).count() >= count
    }

    /// Adds a registration; the name must not be registered, and has at most 255 bytes.
    pub(super) fn insert(&mut self, new: &New<'_>) -> Option<u32> {
        let slot = self.arena.take();
        self.place(slot, new)
    }

    /// Adds a registration at a certain place. `Err` when the place is taken.
    pub(super) fn insert_at(&mut self, slot: u32, new: &New<'_>) -> Option<u32> {
        if self.arena.take_at(slot) {
            self.place(slot, new)
        } else {
            None
        }
    }

    fn place(&mut self, slot: u32, new: &New<'_>) -> Option<u32> {
        let Some(name) = self.names.add(new.name) else {
            self.arena.free.push(slot);
            return None;
        };
        let mut registration = Registration {
            ip: [0; 16],
            port: 0,
            flags: 0,
            name,
            links: new.links,
            parameters: new.parameters,
            registered: new.registered,
            updated: new.now,
            heard: new.now,
            deadline: new.deadline,
            nonce: new.nonce,
            link: Link::IDLE,
            device: NONE,
        };
        registration.set_place(new.place);
        *self.arena.get_mut(slot) = registration;
        if new.deadline != NEVER {
            self.wheel.set(&mut self.arena, slot);
        }
        let hash = self.hash_name(new.name);
        let (arena, names, seed) = (&self.arena, &self.names, self.seed);
        self.by_name.insert_unique(hash, slot, |slot| {
            keyed_hash(seed, names.get(arena.get(*slot).name).as_bytes())
        });
        self.index_peer(slot);
        Some(slot)
    }

    fn index_peer(&mut self, slot: u32) {
        let (arena, seed) = (&self.arena, self.seed);
        let hash = hash_peer(seed, &arena.get(slot).peer());
        self.by_peer
            .insert_unique(hash, slot, |slot| hash_peer(seed, &arena.get(*slot).peer()));
    }

    fn forget_peer(&mut self, slot: u32) {
        let hash = hash_peer(self.seed, &self.arena.get(slot).peer());
        if let Ok(entry) = self.by_peer.find_entry(hash, |other| *other == slot) {
            entry.remove();
        }
    }

    /// Moves a registration to another place.
    pub(super) fn set_place(&mut self, slot: u32, place: Place) {
        self.forget_peer(slot);
        self.arena.get_mut(slot).set_place(place);
        self.index_peer(slot);
    }

    /// Sets when the lifetime ends; [`NEVER`] for an infinite one.
    pub(super) fn set_deadline(&mut self, slot: u32, deadline: u32) {
        self.wheel.cancel(&mut self.arena, slot);
        self.arena.get_mut(slot).deadline = deadline;
        if deadline != NEVER {
            self.wheel.set(&mut self.arena, slot);
        }
    }

    /// Removes a live registration; what it refers to is for the caller to release.
    pub(super) fn remove(&mut self, slot: u32) -> Registration {
        self.wheel.cancel(&mut self.arena, slot);
        self.forget_peer(slot);
        let registration = *self.arena.get(slot);
        let hash = self.hash_name(self.names.get(registration.name));
        if let Ok(entry) = self.by_name.find_entry(hash, |other| *other == slot) {
            entry.remove();
        }
        self.names.remove(registration.name);
        self.arena.get_mut(slot).flags = FREE;
        self.arena.free.push(slot);
        registration
    }

    /// The next registration whose lifetime has ended. It stays until it is removed.
    pub(super) fn pop_expired(&mut self, now: u32) -> Option<u32> {
        self.wheel.pop(&mut self.arena, now)
    }

    /// When a lifetime ends at the earliest.
    pub(super) fn next_deadline(&self) -> Option<u32> {
        self.wheel.next()
    }

    /// Every live registration.
    pub(super) fn slots(&self) -> impl Iterator<Item = u32> {
        self.by_name.iter().copied()
    }

    fn hash_name(&self, name: &str) -> u64 {
        keyed_hash(self.seed, name.as_bytes())
    }
}

fn hash_peer(seed: u64, peer: &Peer) -> u64 {
    match peer {
        Peer::Udp(address) => {
            let mut bytes = [0; 18];
            bytes[..16].copy_from_slice(&octets(address));
            bytes[16..].copy_from_slice(&address.port().to_be_bytes());
            keyed_hash(seed, &bytes)
        }
        Peer::Dtls(session) => keyed_hash(seed, &session.to_bits().to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &str, address: SocketAddr) -> New<'_> {
        New {
            name,
            place: Place::Udp(address),
            links: Interned::default(),
            parameters: Interned::default(),
            registered: 0,
            now: 0,
            deadline: NEVER,
            nonce: 0,
        }
    }

    #[test]
    fn addresses_of_every_kind_come_back() {
        let mut registry = Registry::new(1);
        for text in [
            "192.0.2.1:5683",
            "[2001:db8::1]:1",
            "[::ffff:192.0.2.1]:5683",
            "[fe80::1%7]:65535",
        ] {
            let address: SocketAddr = text.parse().expect("address");
            let slot = registry.insert(&new(text, address)).expect("room");
            assert_eq!(registry.get(slot).expect("live").peer(), address.into());
            assert_eq!(registry.at(address.into()).collect::<Vec<_>>(), [slot]);
        }
        assert_eq!(registry.len(), 4);
    }

    #[test]
    fn sessions_are_told_apart_from_addresses_and_from_each_other() {
        let mut registry = Registry::new(1);
        let (first, second) = [u64::MAX, u64::MAX - 1].map(SessionId::from_bits).into();
        let place = |session| Place::Dtls(session, u64::MAX);
        let address: SocketAddr = "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:0"
            .parse()
            .expect("address");
        let secure = registry.insert(&New {
            place: place(first),
            ..new("a", address)
        });
        let secure = secure.expect("room");
        let plain = registry.insert(&new("b", address)).expect("room");
        let at = |registry: &Registry, peer| registry.at(peer).collect::<Vec<_>>();
        assert_eq!(at(&registry, Peer::Dtls(first)), [secure]);
        assert_eq!(at(&registry, Peer::Udp(address)), [plain]);
        assert_eq!(at(&registry, Peer::Dtls(second)), []);
        let found = registry.get(secure).expect("live");
        assert_eq!(
            (found.peer(), found.credential()),
            (Peer::Dtls(first), Some(u64::MAX))
        );
        registry.set_place(secure, place(second));
        assert_eq!(at(&registry, Peer::Dtls(first)), []);
        assert_eq!(at(&registry, Peer::Dtls(second)), [secure]);
        registry.set_place(secure, Place::Udp(address));
        assert_eq!(at(&registry, Peer::Udp(address)).len(), 2);
        assert_eq!(registry.get(secure).expect("live").credential(), None);
    }

    #[test]
    fn a_place_can_be_asked_for_once() {
        let mut registry = Registry::new(1);
        let address = "192.0.2.1:1".parse().expect("address");
        assert_eq!(registry.insert_at(5, &new("a", address)), Some(5));
        assert_eq!(registry.insert_at(5, &new("b", address)), None);
        assert_eq!(registry.insert_at(3, &new("b", address)), Some(3));
        let other = registry.insert(&new("c", address)).expect("room");
        assert!(![3, 5].contains(&other));
        assert_eq!(registry.at(address.into()).count(), 3);
        assert!(registry.has_at(address.into(), 3) && !registry.has_at(address.into(), 4));
        // Place 3 stood in the list of free places when it was asked for: it is not given twice.
        for name in ["d", "e", "f", "g", "h"] {
            let slot = registry.insert(&new(name, address)).expect("room");
            assert_eq!(registry.find(name), Some(slot));
        }
        assert_eq!(registry.len(), 8);
        assert_eq!(registry.find("b"), Some(3));
        registry.remove(3);
        assert_eq!(registry.at(address.into()).count(), 7);
        assert_eq!(registry.find("b"), None);
        assert_eq!(registry.find("a"), Some(5));
        assert!(registry.get(3).is_none() && registry.get(1 << 30).is_none());
    }
}

//! A network that loses, repeats, reorders, delays and rebinds, in virtual time and from a seed.
//!
//! Nothing here is a socket or a clock: datagrams go in with the time at which they were sent and
//! come out at the time at which they arrive. The same seed gives the same run.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Duration;

use dunlin_coap::{Instant, Rng};

/// A small seeded generator (SplitMix64) for tests and simulations; not for secrets.
///
/// ```
/// use dunlin_coap::Rng;
/// use dunlin_sim::netem::SeededRng;
/// assert_eq!(SeededRng::new(7).next_u64(), SeededRng::new(7).next_u64());
/// ```
#[derive(Clone, Debug)]
pub struct SeededRng(u64);

impl SeededRng {
    /// A generator whose whole sequence follows from the seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// One of these, each as likely; they must not be empty.
    pub fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// `true` with this probability (0 to 1).
    pub fn chance(&mut self, probability: f64) -> bool {
        const STEPS: f64 = (1_u64 << 53) as f64;
        ((self.next_u64() >> 11) as f64) < probability * STEPS
    }

    /// A duration from zero to `longest`, both included, in whole microseconds.
    pub fn duration(&mut self, longest: Duration) -> Duration {
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
        Duration::from_micros(self.below(micros.saturating_add(1)))
    }
}

impl Rng for SeededRng {
    fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }
}

/// What the network does to datagrams. Probabilities are from 0 to 1, each independent of the
/// others; the default is a perfect network without delay.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Impairment {
    /// How likely a datagram is lost.
    pub loss: f64,
    /// How likely a datagram arrives twice; the copy travels on its own.
    pub duplicate: f64,
    /// How likely a datagram is held back by [`Impairment::reorder_delay`], so that later ones
    /// overtake it.
    pub reorder: f64,
    /// How long a datagram is held back.
    pub reorder_delay: Duration,
    /// How long every datagram travels at least.
    pub delay: Duration,
    /// How much longer it may travel, evenly spread.
    pub jitter: Duration,
}

/// What the network has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetemStats {
    /// Datagrams handed in.
    pub sent: u64,
    /// Datagrams handed out.
    pub delivered: u64,
    /// Datagrams lost by chance.
    pub lost: u64,
    /// Copies added.
    pub duplicated: u64,
    /// Datagrams held back.
    pub reordered: u64,
    /// Datagrams sent to an address that no longer leads anywhere.
    pub unreachable: u64,
}

/// A datagram that has arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery<A> {
    /// When.
    pub at: Instant,
    /// The sender's address as the receiver sees it.
    pub from: A,
    /// The receiver.
    pub to: A,
    /// The datagram.
    pub bytes: Vec<u8>,
}

/// The network between any number of hosts with addresses of type `A`.
///
/// ```
/// use std::time::Duration;
/// use dunlin_coap::Instant;
/// use dunlin_sim::netem::{Impairment, Netem};
/// let delay = Duration::from_millis(20);
/// let mut network = Netem::new(1, Impairment { delay, ..Impairment::default() });
/// network.send(Instant::ZERO, "device", "server", b"hello");
/// assert_eq!(network.receive(Instant::ZERO), None);
/// let arrival = network.next_arrival().unwrap();
/// assert_eq!(arrival, Instant::from_millis(20));
/// assert_eq!(network.receive(arrival).unwrap().bytes, b"hello");
/// ```
#[derive(Clone, Debug)]
pub struct Netem<A> {
    rng: SeededRng,
    impairment: Impairment,
    queue: BinaryHeap<Reverse<Queued<A>>>,
    order: u64,
    /// Hosts behind a new address: (host, address that others see).
    bindings: Vec<(A, A)>,
    /// Addresses that were seen before a rebinding and lead nowhere now.
    stale: Vec<A>,
    stats: NetemStats,
}

#[derive(Clone, Debug)]
struct Queued<A> {
    order: u64,
    delivery: Delivery<A>,
}

impl<A> Queued<A> {
    fn key(&self) -> (Instant, u64) {
        (self.delivery.at, self.order)
    }
}

impl<A> PartialEq for Queued<A> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<A> Eq for Queued<A> {}

impl<A> PartialOrd for Queued<A> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<A> Ord for Queued<A> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl<A: Copy + Eq> Netem<A> {
    /// A network whose every decision follows from the seed.
    pub fn new(seed: u64, impairment: Impairment) -> Self {
        Self {
            rng: SeededRng::new(seed),
            impairment,
            queue: BinaryHeap::new(),
            order: 0,
            bindings: Vec::new(),
            stale: Vec::new(),
            stats: NetemStats::default(),
        }
    }

    /// Changes what happens to datagrams sent from now on.
    pub fn set_impairment(&mut self, impairment: Impairment) {
        self.impairment = impairment;
    }

    /// What has been done so far.
    pub fn stats(&self) -> NetemStats {
        self.stats
    }

    /// Gives a host a new address, as a NAT does that has forgotten it: its datagrams come from
    /// `address`, datagrams to `address` reach it, those to the address before are lost.
    pub fn rebind(&mut self, host: A, address: A) {
        let before = self.address_of(host);
        self.bindings.retain(|(bound, _)| *bound != host);
        if address != host {
            self.bindings.push((host, address));
        }
        self.stale.push(before);
        self.stale.retain(|stale| *stale != address);
    }

    /// The address from which a host's datagrams seem to come.
    pub fn address_of(&self, host: A) -> A {
        let binding = self.bindings.iter().find(|(bound, _)| *bound == host);
        binding.map_or(host, |(_, address)| *address)
    }

    /// A host sends a datagram.
    pub fn send(&mut self, now: Instant, host: A, to: A, bytes: &[u8]) {
        self.stats.sent += 1;
        let from = self.address_of(host);
        let copies = if self.rng.chance(self.impairment.duplicate) {
            self.stats.duplicated += 1;
            2
        } else {
            1
        };
        for _ in 0..copies {
            if self.rng.chance(self.impairment.loss) {
                self.stats.lost += 1;
                continue;
            }
            let jitter = self.rng.duration(self.impairment.jitter);
            let mut at = now + self.impairment.delay + jitter;
            if self.rng.chance(self.impairment.reorder) {
                self.stats.reordered += 1;
                at += self.impairment.reorder_delay;
            }
            self.order += 1;
            self.queue.push(Reverse(Queued {
                order: self.order,
                delivery: Delivery {
                    at,
                    from,
                    to,
                    bytes: bytes.to_vec(),
                },
            }));
        }
    }

    /// When the next datagram arrives.
    pub fn next_arrival(&self) -> Option<Instant> {
        self.queue.peek().map(|queued| queued.0.delivery.at)
    }

    /// How many datagrams are under way.
    pub fn in_flight(&self) -> usize {
        self.queue.len()
    }

    /// The next datagram that has arrived by `now`.
    pub fn receive(&mut self, now: Instant) -> Option<Delivery<A>> {
        while self.next_arrival()? <= now {
            let mut delivery = self.queue.pop()?.0.delivery;
            let bound = self
                .bindings
                .iter()
                .find(|(_, address)| *address == delivery.to);
            match bound {
                Some((host, _)) => delivery.to = *host,
                None if self.stale.contains(&delivery.to) => {
                    self.stats.unreachable += 1;
                    continue;
                }
                None => {}
            }
            self.stats.delivered += 1;
            return Some(delivery);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERFECT: Impairment = Impairment {
        loss: 0.0,
        duplicate: 0.0,
        reorder: 0.0,
        reorder_delay: Duration::from_millis(100),
        delay: Duration::from_millis(10),
        jitter: Duration::ZERO,
    };

    /// Sends 10 000 numbered datagrams, one each millisecond, and collects what arrives.
    fn run(seed: u64, impairment: Impairment) -> (Vec<(Instant, u32)>, NetemStats) {
        let mut network = Netem::new(seed, impairment);
        for number in 0..10_000_u32 {
            let now = Instant::from_millis(u64::from(number));
            network.send(now, 1, 2, &number.to_be_bytes());
        }
        let mut arrived = Vec::new();
        while let Some(at) = network.next_arrival() {
            let delivery = network.receive(at).unwrap();
            let number = u32::from_be_bytes(delivery.bytes.try_into().unwrap());
            assert_eq!(delivery.at, at);
            arrived.push((at, number));
        }
        (arrived, network.stats())
    }

    #[test]
    fn a_perfect_network_keeps_order_and_delay() {
        let (arrived, _) = run(1, PERFECT);
        for (index, (at, number)) in arrived.iter().enumerate() {
            assert_eq!(*number as usize, index);
            assert_eq!(*at, Instant::from_millis(index as u64 + 10));
        }
        assert_eq!(arrived.len(), 10_000);
    }

    #[test]
    fn the_same_seed_gives_the_same_run() {
        let bad = Impairment {
            loss: 0.2,
            duplicate: 0.1,
            reorder: 0.1,
            jitter: Duration::from_millis(30),
            ..PERFECT
        };
        assert_eq!(run(5, bad), run(5, bad));
        assert_ne!(run(5, bad).0, run(6, bad).0);
    }

    #[test]
    fn loss_and_duplication_have_their_rates() {
        let (arrived, stats) = run(
            2,
            Impairment {
                loss: 0.2,
                ..PERFECT
            },
        );
        assert!((1_800..2_200).contains(&stats.lost), "{stats:?}");
        assert_eq!(arrived.len() as u64 + stats.lost, 10_000);
        let (arrived, stats) = run(
            3,
            Impairment {
                duplicate: 0.1,
                ..PERFECT
            },
        );
        assert!((900..1_100).contains(&stats.duplicated), "{stats:?}");
        assert_eq!(arrived.len() as u64, 10_000 + stats.duplicated);
    }

    #[test]
    fn reordering_and_jitter_change_the_order() {
        let overtaken = |arrived: &[(Instant, u32)]| {
            let pairs = arrived.windows(2);
            pairs.filter(|pair| pair[0].1 > pair[1].1).count()
        };
        let (arrived, stats) = run(
            4,
            Impairment {
                reorder: 0.1,
                ..PERFECT
            },
        );
        assert!((900..1_100).contains(&stats.reordered), "{stats:?}");
        assert!(overtaken(&arrived) > 500);
        let jitter = Duration::from_millis(20);
        assert!(overtaken(&run(4, Impairment { jitter, ..PERFECT }).0) > 1_000);
    }

    #[test]
    fn a_rebound_host_is_reached_at_its_new_address_only() {
        let mut network = Netem::new(1, Impairment::default());
        let now = Instant::ZERO;
        network.rebind(1, 100);
        network.send(now, 1, 2, b"up");
        assert_eq!(network.receive(now).unwrap().from, 100);
        network.send(now, 2, 100, b"down");
        assert_eq!(network.receive(now).unwrap().to, 1);
        network.send(now, 2, 1, b"to the old address");
        assert_eq!(network.receive(now), None);
        assert_eq!(network.stats().unreachable, 1);
        network.rebind(1, 101);
        network.send(now, 2, 100, b"to the second address");
        assert_eq!(network.receive(now), None);
        network.rebind(1, 1);
        network.send(now, 2, 1, b"back home");
        assert_eq!(network.receive(now).unwrap().to, 1);
    }
}

//! The order of notifications (RFC 7641 §3.4, §4.4).

use core::time::Duration;

use crate::Instant;

const MASK: u32 = 0x00FF_FFFF;
const HALF: u32 = 1 << 23;
/// Past this time the newer arrival counts as newer, whatever its number (RFC 7641 §3.4).
const REORDERING_WINDOW: Duration = Duration::from_secs(128);

/// The client's side: which of two notifications is the newer one.
///
/// ```
/// use dunlin_coap::{Freshness, Instant};
/// let mut freshness = Freshness::default();
/// assert!(freshness.is_newer(10, Instant::from_secs(0)));
/// assert!(!freshness.is_newer(9, Instant::from_secs(1)));
/// assert!(freshness.is_newer(9, Instant::from_secs(129)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Freshness {
    last: Option<(u32, Instant)>,
}

impl Freshness {
    /// Whether the notification with this Observe value, which arrived `now`, is newer than all
    /// before; it is remembered then. One that is not newer is acknowledged but not used.
    pub fn is_newer(&mut self, value: u32, now: Instant) -> bool {
        let value = value & MASK;
        let newer = self.last.is_none_or(|(last, at)| {
            (last < value && value - last < HALF)
                || (last > value && last - value > HALF)
                || now > at + REORDERING_WINDOW
        });
        if newer {
            self.last = Some((value, now));
        }
        newer
    }

    /// Forgets what was seen, for a new registration of the observation.
    pub fn restart(&mut self) {
        self.last = None;
    }

    /// The newest notification's Observe value.
    pub fn last(&self) -> Option<u32> {
        self.last.map(|(value, _)| value)
    }
}

/// The server's side: the numbers of the notifications of an observation, 24 bits, growing.
///
/// No number may come back within about 256 s (RFC 7641 §4.4), so an observation bears 65 536
/// notifications a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequence {
    last: u32,
}

impl Sequence {
    /// Starts behind `last`, for example one that was stored.
    pub const fn after(last: u32) -> Self {
        Self { last: last & MASK }
    }

    /// The number of the next notification.
    pub const fn advance(&mut self) -> u32 {
        self.last = (self.last + 1) & MASK;
        self.last
    }

    /// The number last given.
    pub const fn last(&self) -> u32 {
        self.last
    }

    /// A number made from time alone, without state: it grows 65 536 times a second and comes
    /// back after 256 s, the limits that RFC 7641 §4.4 names. Two notifications of an observation
    /// less than 16 microseconds apart would get the same number.
    pub const fn at(now: Instant) -> u32 {
        let ticks = (now.as_micros() as u128) << 16;
        (ticks / 1_000_000) as u32 & MASK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newer(first: u32, second: u32, seconds: u64) -> bool {
        let mut freshness = Freshness::default();
        assert!(freshness.is_newer(first, Instant::ZERO));
        freshness.is_newer(second, Instant::from_secs(seconds))
    }

    #[test]
    fn order_is_that_of_rfc_7641() {
        assert!(newer(1, 2, 0));
        assert!(!newer(2, 1, 0));
        assert!(!newer(1, 1, 0));
        assert!(newer(0, HALF - 1, 0));
        assert!(!newer(0, HALF, 0), "exactly half way is not newer");
        assert!(newer(MASK, 0, 0), "wraps at 2^24");
        assert!(newer(HALF + 1, 0, 0));
        assert!(!newer(HALF, 0, 0), "exactly half way is not newer");
        assert!(!newer(2, 1, 128), "not more than 128 s later");
        assert!(newer(2, 1, 129));
    }

    #[test]
    fn an_older_one_does_not_move_the_mark() {
        let mut freshness = Freshness::default();
        assert!(freshness.is_newer(10, Instant::ZERO));
        assert!(!freshness.is_newer(8, Instant::from_secs(100)));
        assert!(!freshness.is_newer(9, Instant::from_secs(120)));
        assert!(freshness.is_newer(9, Instant::from_secs(130)));
    }

    #[test]
    fn a_counter_wraps_at_24_bits() {
        let mut sequence = Sequence::after(MASK - 1);
        assert_eq!(sequence.advance(), MASK);
        assert_eq!(sequence.advance(), 0);
        assert!(newer(MASK, 0, 1));
    }

    #[test]
    fn numbers_from_time_grow_and_come_back_after_256_s() {
        let at = |seconds| Sequence::at(Instant::from_secs(seconds));
        assert_eq!(at(1), 65_536);
        assert_eq!(at(256), 0);
        assert!(newer(at(255), at(257), 2));
        assert_ne!(
            Sequence::at(Instant::from_micros(0)),
            Sequence::at(Instant::from_micros(16))
        );
    }
}

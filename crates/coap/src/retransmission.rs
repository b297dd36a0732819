//! The timer of one confirmable message (RFC 7252 §4.2).

use core::time::Duration;

use crate::{Instant, Rng, TransmissionParameters};

/// When to send a CON again, and when to give up.
///
/// The first timeout t is drawn from ACK_TIMEOUT to ACK_TIMEOUT * ACK_RANDOM_FACTOR and doubles
/// with each repetition: copies leave at t, 3t, 7t and 15t, and at 31t the exchange has failed.
///
/// ```
/// use dunlin_coap::{Instant, Retransmission, RetransmissionStep, Rng, TransmissionParameters};
/// struct Zero;
/// impl Rng for Zero {
///     fn next_u32(&mut self) -> u32 { 0 }
/// }
/// let parameters = TransmissionParameters::default();
/// let mut timer = Retransmission::start(&parameters, Instant::ZERO, &mut Zero);
/// assert_eq!(timer.deadline(), Instant::from_secs(2));
/// assert_eq!(timer.on_timeout(Instant::from_secs(2)), RetransmissionStep::Retransmit);
/// assert_eq!(timer.deadline(), Instant::from_secs(6));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retransmission {
    deadline: Instant,
    timeout_micros: u64,
    left: u8,
}

/// What to do when a [`Retransmission`] falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetransmissionStep {
    /// It is not due yet.
    Wait,
    /// Send the same bytes again.
    Retransmit,
    /// MAX_RETRANSMIT copies were sent in vain.
    GiveUp,
}

impl Retransmission {
    pub(crate) const IDLE: Self = Self {
        deadline: Instant::ZERO,
        timeout_micros: 0,
        left: 0,
    };

    /// Starts when the message is sent for the first time.
    pub fn start(parameters: &TransmissionParameters, now: Instant, rng: &mut dyn Rng) -> Self {
        let (shortest, longest) = parameters.first_timeout_micros();
        let span = u128::from(longest - shortest) + 1;
        let random = ((u128::from(rng.next_u64()) * span) >> 64) as u64;
        let timeout_micros = shortest.saturating_add(random);
        Self {
            deadline: now + Duration::from_micros(timeout_micros),
            timeout_micros,
            left: parameters.max_retransmit,
        }
    }

    /// When [`Retransmission::on_timeout`] is to be called.
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How many more copies may be sent.
    pub const fn left(&self) -> u8 {
        self.left
    }

    /// The deadline was reached.
    ///
    /// Called late, the next timeout still counts from the deadline, so that lateness does not
    /// add up; after a pause longer than a whole timeout it counts from `now`, so that no burst
    /// of copies follows.
    pub fn on_timeout(&mut self, now: Instant) -> RetransmissionStep {
        if now < self.deadline {
            return RetransmissionStep::Wait;
        }
        if self.left == 0 {
            return RetransmissionStep::GiveUp;
        }
        self.left -= 1;
        self.timeout_micros = self.timeout_micros.saturating_mul(2);
        let timeout = Duration::from_micros(self.timeout_micros);
        let from = if now - self.deadline < timeout {
            self.deadline
        } else {
            now
        };
        self.deadline = from + timeout;
        RetransmissionStep::Retransmit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Constant(u32);

    impl Rng for Constant {
        fn next_u32(&mut self) -> u32 {
            self.0
        }
    }

    fn start(random: u32) -> Retransmission {
        Retransmission::start(
            &TransmissionParameters::default(),
            Instant::ZERO,
            &mut Constant(random),
        )
    }

    #[test]
    fn copies_leave_at_t_3t_7t_15t_and_it_fails_at_31t() {
        for (random, t) in [(0, 2_000_000), (u32::MAX, 3_000_000)] {
            let mut timer = start(random);
            for factor in [1, 3, 7, 15] {
                assert_eq!(timer.deadline(), Instant::from_micros(factor * t));
                let early = Instant::from_micros(factor * t - 1);
                assert_eq!(timer.on_timeout(early), RetransmissionStep::Wait);
                let step = timer.on_timeout(timer.deadline());
                assert_eq!(step, RetransmissionStep::Retransmit);
            }
            assert_eq!(timer.deadline(), Instant::from_micros(31 * t));
            let step = timer.on_timeout(timer.deadline());
            assert_eq!(step, RetransmissionStep::GiveUp);
        }
    }

    #[test]
    fn lateness_does_not_add_up() {
        let mut timer = start(0);
        timer.on_timeout(Instant::from_millis(2_500));
        assert_eq!(timer.deadline(), Instant::from_secs(6));
    }

    #[test]
    fn a_long_sleep_is_not_followed_by_a_burst() {
        let mut timer = start(0);
        timer.on_timeout(Instant::from_secs(3600));
        assert_eq!(timer.deadline(), Instant::from_secs(3604));
    }
}

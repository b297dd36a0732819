//! How many handshakes may begin.

use dunlin_coap::Instant;

/// A bucket of a second's worth of handshakes.
#[derive(Debug)]
pub(super) struct Rate {
    per_second: u32,
    /// In millionths of a handshake.
    level: u64,
    last: Option<Instant>,
}

impl Rate {
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            per_second,
            level: u64::from(per_second) * 1_000_000,
            last: None,
        }
    }

    /// Whether one more may begin.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_since(self.last.unwrap_or(now)).as_micros();
        self.last = Some(now);
        let full = u64::from(self.per_second) * 1_000_000;
        let gained = u64::try_from(passed)
            .unwrap_or(u64::MAX)
            .saturating_mul(u64::from(self.per_second));
        self.level = self.level.saturating_add(gained).min(full);
        match self.level.checked_sub(1_000_000) {
            Some(rest) => {
                self.level = rest;
                true
            }
            None => false,
        }
    }
}

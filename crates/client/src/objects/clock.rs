use dunlin_coap::Instant;
use dunlin_lwm2m::{DataType, Value};

use crate::object::{Field, FieldError, FieldType};

/// A time of day that goes on by itself: a resource of the type Time.
///
/// It begins to go with the first input of the client after it was set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// Seconds since 1970.
    seconds: i64,
    /// The moment these seconds stand for; zero while that is open.
    at: Instant,
}

impl Clock {
    /// A clock that stands at so many seconds since 1970.
    pub const fn new(seconds: i64) -> Self {
        Self {
            seconds,
            at: Instant::ZERO,
        }
    }

    /// Seconds since 1970, as of the client's latest input.
    pub const fn seconds(&self) -> i64 {
        self.seconds
    }

    /// Lets time pass up to a moment.
    pub fn advance(&mut self, now: Instant) {
        if self.at == Instant::ZERO {
            self.at = now;
        }
        let passed = now.saturating_since(self.at).as_secs();
        self.seconds = self
            .seconds
            .saturating_add(i64::try_from(passed).unwrap_or(i64::MAX));
        self.at += core::time::Duration::from_secs(passed);
    }
}

impl Field for Clock {
    fn get(&self, position: usize) -> Option<(u16, Value<'_>)> {
        (position == 0).then_some((0, Value::Time(self.seconds)))
    }

    fn set(&mut self, instance: u16, value: Value<'_>) -> Result<(), FieldError> {
        let mut seconds = 0_i64;
        seconds.set(instance, value)?;
        *self = Self::new(seconds);
        Ok(())
    }

    fn clear(&mut self) {}
}

impl FieldType for Clock {
    const TYPES: &'static [DataType] = &[DataType::Time];
}

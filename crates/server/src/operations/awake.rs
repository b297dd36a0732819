//! How long a device in queue mode stays awake after its last message. It is not negotiated; the
//! standard recommends 93 s (Transport 1.2 §6.5), and many devices sleep sooner.
//!
//! What an operator says wins. Otherwise it is learned, between [`SHORTEST`] and the default of the
//! server, from requests that were sent some time after the device was heard last:
//!
//! * No answer came to any transmission: the device slept already. Three quarters of that time
//!   are expected from now on.
//! * An answer came, and the request went out in the last quarter of the expected time: a quarter
//!   more is expected from now on.

use core::time::Duration;

/// The shortest awake time that is learned, in seconds. Silence of a device that has just spoken
/// says that it is out of reach, not that it sleeps.
pub(crate) const SHORTEST: u32 = 5;

/// What is said and learned about the awake time of a device, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AwakeTime {
    /// What an operator says.
    pub(crate) wanted: Option<u32>,
    /// What was learned.
    pub(crate) learned: Option<u32>,
}

impl AwakeTime {
    /// The awake time to expect.
    pub(crate) fn seconds(self, default: Duration) -> u32 {
        self.wanted
            .or(self.learned)
            .unwrap_or_else(|| whole_seconds(default))
    }
}

fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_secs()).unwrap_or(u32::MAX)
}

/// What is learned when no answer came to a request that was sent `idle` seconds after the device
/// was heard last; `None` when nothing is.
pub(crate) fn learn_from_silence(
    known: AwakeTime,
    idle: u32,
    default: Duration,
) -> Option<AwakeTime> {
    if known.wanted.is_some() || idle < SHORTEST {
        return None;
    }
    let learned = (idle / 4 * 3 + idle % 4 * 3 / 4).max(SHORTEST);
    (learned < known.seconds(default)).then_some(AwakeTime {
        learned: Some(learned),
        ..known
    })
}

/// What is learned when an answer came to a request that was sent `idle` seconds after the device
/// was heard last; `None` when nothing is.
pub(crate) fn learn_from_answer(
    known: AwakeTime,
    idle: u32,
    default: Duration,
) -> Option<AwakeTime> {
    let learned = known.learned.filter(|_| known.wanted.is_none())?;
    if u64::from(idle) * 4 < u64::from(learned) * 3 {
        return None;
    }
    let more = learned.saturating_add((learned / 4).max(1));
    Some(AwakeTime {
        learned: Some(more).filter(|more| *more < whole_seconds(default)),
        ..known
    })
}

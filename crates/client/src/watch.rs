//! When a notification is due (Core 1.2 §6.4.2, §7.3.2): what was told last, conditions, periods.
//!
//! ```text
//! change ──► stale ──(epmin since the last evaluation)──► evaluated ──► changed ──(pmin)──► due
//!            nothing ──(epmax since the last evaluation)──►    │            nothing ──(pmax)──► due
//!                                                             └► nothing new
//! ```
//!
//! What was told is compared with what is there; the answer to Observe counts as told.
//!
//! | Question | Answer, and why |
//! |---|---|
//! | direction of gt and lt | both: `(v > gt) != (told > gt)`, as the reference code of the draft that the standard cites |
//! | gt, lt, st, edge together | alternatives; pmin holds for each |
//! | a condition is met while pmin runs, and then no longer | told when pmin ends: "if a value has to be notified during the quiet period, it must be sent as soon as the period expires"; the value is the one of that moment |
//! | no condition is attached, and the value is back before pmin ends | not told: nothing has changed |
//! | `edge` | an edge between two values that were looked at, whichever was told last: else every rising edge but the first would be lost, because the fall between them is not told |
//! | several values (resource instances) | each is compared with its own; one that comes or goes is a change |

use core::time::Duration;

use dunlin_coap::Instant;
use dunlin_lwm2m::{Attributes, Path, Record, Value, Version};

use crate::access::Requester;
use crate::digest::Digest;
use crate::object::{Objects, number};

/// Resource instances of one observed resource whose numbers are compared one by one; with more,
/// any change of any of them counts.
const COMPARED: usize = 4;

/// What stood at a path at one moment, as far as later decisions need it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Snapshot {
    digest: u64,
    /// Numbers of resource instances; none unless all values are numbers or Booleans of one
    /// resource.
    numbers: [f64; COMPARED],
    /// The ids of their resource instances, ascending.
    ids: [u16; COMPARED],
    count: u8,
}

impl Snapshot {
    pub(crate) fn take(requester: Requester, objects: &dyn Objects, path: &Path) -> Self {
        let mut digest = Digest::new();
        let mut taken = Self {
            digest: 0,
            numbers: [0.0; COMPARED],
            ids: [0; COMPARED],
            count: 0,
        };
        let mut is_numeric = path.resource_id().is_some();
        let result: Result<(), core::convert::Infallible> =
            requester.read(objects, path, &mut |record: &Record<'_>| {
                digest.path(record.path);
                if let Some(value) = record.value {
                    digest.value(value);
                    let number = match value {
                        Value::Boolean(truth) => Some(f64::from(u8::from(truth))),
                        value => number(value),
                    };
                    let id = record.path.resource_instance_id().unwrap_or(0);
                    is_numeric &= number.is_some_and(|number| taken.push(id, number));
                }
                Ok(())
            });
        let Ok(()) = result;
        if !is_numeric {
            taken.count = 0;
        }
        taken.digest = digest.finish();
        taken
    }

    fn push(&mut self, id: u16, number: f64) -> bool {
        let at = usize::from(self.count);
        let (Some(for_id), Some(for_number)) = (self.ids.get_mut(at), self.numbers.get_mut(at))
        else {
            return false;
        };
        *for_id = id;
        *for_number = number;
        self.count += 1;
        true
    }

    fn ids(&self) -> &[u16] {
        self.ids.get(..usize::from(self.count)).unwrap_or_default()
    }

    /// Which of the values are true, or not 0: a bit for each.
    fn truths(&self) -> u8 {
        let numbers = self.numbers.iter().take(usize::from(self.count)).rev();
        numbers.fold(0, |bits, number| bits << 1 | u8::from(*number != 0.0))
    }

    /// Whether the step from `told` to `self` is worth a notification. Edges are those since
    /// `were_true`.
    fn meets(&self, attributes: &Attributes, told: &Self, were_true: u8) -> bool {
        let differs = self.digest != told.digest;
        if !has_condition(attributes) || self.count == 0 || told.count == 0 {
            return differs;
        }
        // Resource instances that came or went are a change whatever the thresholds say.
        let has_edge = attributes.edge.is_some_and(|rising| {
            let (before, after) = (were_true, self.truths());
            if rising {
                after & !before != 0
            } else {
                before & !after != 0
            }
        });
        has_edge
            || self.ids() != told.ids()
            || self
                .numbers
                .iter()
                .zip(&told.numbers)
                .take(usize::from(self.count))
                .any(|(value, told)| crosses(attributes, *told, *value))
    }
}

fn has_condition(attributes: &Attributes) -> bool {
    attributes.gt.is_some()
        || attributes.lt.is_some()
        || attributes.st.is_some()
        || attributes.edge.is_some()
}

/// Each threshold counts in both directions, compared with the value told last; conditions are
/// alternatives.
fn crosses(attributes: &Attributes, told: f64, value: f64) -> bool {
    attributes.gt.is_some_and(|gt| (value > gt) != (told > gt))
        || attributes.lt.is_some_and(|lt| (value < lt) != (told < lt))
        || attributes.st.is_some_and(|st| {
            let step = value - told;
            // A step of 0 is met by any change, not by none.
            step != 0.0 && (step >= st || -step >= st)
        })
}

/// The Maximum Period that applies: none when it is absent, 0 or too small for pmin, in which case
/// it is ignored rather than refused. 1.1 alone asks for more than pmin (Core 1.1 §5.1.2); 1.0 and
/// 1.2 let it be equal.
fn usable_pmax(attributes: &Attributes, version: Version) -> Option<u32> {
    attributes
        .usable_pmax()
        .filter(|pmax| version != Version::V1_1 || *pmax > attributes.pmin.unwrap_or(0))
}

fn after(start: Instant, seconds: u32) -> Instant {
    start + Duration::from_secs(u64::from(seconds))
}

/// One observed path and what its observer was told. A composite observation has one for each of
/// its paths.
#[derive(Clone, Debug)]
pub(crate) struct Watch {
    /// The key of its observation.
    pub(crate) of: u16,
    pub(crate) path: Path,
    told: Snapshot,
    /// As of the last evaluation: an edge is one between two values, whichever was told.
    were_true: u8,
    evaluated_at: Instant,
    /// Something may have changed since it was evaluated.
    is_stale: bool,
    /// A change waits to be told.
    is_changed: bool,
}

impl Watch {
    /// The observer has just been told `snapshot`.
    pub(crate) fn new(path: Path, snapshot: Snapshot, now: Instant) -> Self {
        Self {
            of: 0,
            path,
            were_true: snapshot.truths(),
            told: snapshot,
            evaluated_at: now,
            is_stale: false,
            is_changed: false,
        }
    }

    /// Something may have changed.
    pub(crate) fn mark(&mut self) {
        self.is_stale = true;
    }

    /// Other attributes hold from now on: whatever waits to be told is judged by them.
    pub(crate) fn reconsider(&mut self) {
        self.is_stale = true;
        self.is_changed = false;
    }

    /// When to evaluate: a change not before epmin is over, and without a change when epmax is.
    pub(crate) fn next_evaluation(&self, attributes: &Attributes) -> Option<Instant> {
        let by_change = self
            .is_stale
            .then(|| after(self.evaluated_at, attributes.epmin.unwrap_or(0)));
        // An epmax that is not above epmin cannot come true (Core 1.2 §7.3.2).
        let by_time = attributes
            .epmax
            .filter(|epmax| *epmax > attributes.epmin.unwrap_or(0))
            .map(|epmax| after(self.evaluated_at, epmax));
        match (by_change, by_time) {
            (Some(change), Some(time)) => Some(change.min(time)),
            (change, time) => change.or(time),
        }
    }

    pub(crate) fn evaluate(&mut self, now: Instant, attributes: &Attributes, is: &Snapshot) {
        self.is_stale = false;
        self.evaluated_at = now;
        let is_met = is.meets(attributes, &self.told, self.were_true);
        self.were_true = is.truths();
        // A condition that was met has to be told, also when the value returns within pmin.
        self.is_changed = is_met || (self.is_changed && has_condition(attributes));
    }

    /// When this path makes a notification due, given when the last one was sent.
    pub(crate) fn due(
        &self,
        attributes: &Attributes,
        version: Version,
        sent_at: Instant,
    ) -> Option<Instant> {
        let by_change = self
            .is_changed
            .then(|| after(sent_at, attributes.pmin.unwrap_or(0)));
        let by_time = usable_pmax(attributes, version).map(|pmax| after(sent_at, pmax));
        match (by_change, by_time) {
            (Some(change), Some(time)) => Some(change.min(time)),
            (change, time) => change.or(time),
        }
    }

    /// The observer was told what is there now.
    pub(crate) fn tell(&mut self, snapshot: Snapshot) {
        self.told = snapshot;
        self.is_changed = false;
    }
}

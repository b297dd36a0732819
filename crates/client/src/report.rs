//! When a notification is due (Core 1.2 §6.4.2, §7.3): attributes, conditions, periods.

use core::time::Duration;

use dunlin_coap::Instant;
use dunlin_lwm2m::{Attributes, Path, Record};
use heapless::Vec;

use crate::access::Requester;
use crate::digest::Digest;
use crate::object::{Objects, number};

/// Resource instances of one observed resource whose numbers are compared one by one; with more,
/// any change of any of them counts.
const COMPARED: usize = 4;

/// What was observed at one moment, as far as later decisions need it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Snapshot {
    digest: u64,
    /// Numbers by resource instance; empty unless all values are numbers or Booleans of one
    /// resource.
    numbers: Vec<(u16, f64), COMPARED>,
}

impl Snapshot {
    pub(crate) fn take(requester: Requester, objects: &dyn Objects, path: &Path) -> Self {
        let mut digest = Digest::new();
        let mut numbers = Vec::new();
        let mut is_numeric = path.resource_id().is_some();
        let result: Result<(), core::convert::Infallible> =
            requester.read(objects, path, &mut |record: &Record<'_>| {
                digest.path(record.path);
                if let Some(value) = record.value {
                    digest.value(value);
                    let number = match value {
                        dunlin_lwm2m::Value::Boolean(truth) => Some(f64::from(u8::from(truth))),
                        value => number(value),
                    };
                    let id = record.path.resource_instance_id().unwrap_or(0);
                    is_numeric &= number.is_some_and(|number| numbers.push((id, number)).is_ok());
                }
                Ok(())
            });
        let Ok(()) = result;
        if !is_numeric {
            numbers.clear();
        }
        Self {
            digest: digest.finish(),
            numbers,
        }
    }

    fn number(&self, id: u16) -> Option<f64> {
        self.numbers
            .iter()
            .find(|number| number.0 == id)
            .map(|number| number.1)
    }

    /// Whether the step from `last`, the state last sent, to `self` is worth a notification.
    pub(crate) fn meets(&self, attributes: &Attributes, last: &Self) -> bool {
        let differs = self.digest != last.digest;
        let has_condition = attributes.gt.is_some()
            || attributes.lt.is_some()
            || attributes.st.is_some()
            || attributes.edge.is_some();
        if !has_condition || self.numbers.is_empty() || last.numbers.is_empty() {
            return differs;
        }
        // Resource instances that came or went are a change whatever the thresholds say.
        let same_instances = self.numbers.len() == last.numbers.len()
            && self
                .numbers
                .iter()
                .all(|(id, _)| last.number(*id).is_some());
        !same_instances
            || self.numbers.iter().any(|(id, value)| {
                last.number(*id)
                    .is_some_and(|last| crosses(attributes, last, *value))
            })
    }
}

/// Core 1.2 §7.3.2, as the reference code of the draft it cites: each threshold counts in both
/// directions, compared with the value last reported; conditions are alternatives.
fn crosses(attributes: &Attributes, last: f64, value: f64) -> bool {
    attributes.gt.is_some_and(|gt| (value > gt) != (last > gt))
        || attributes.lt.is_some_and(|lt| (value < lt) != (last < lt))
        || attributes.st.is_some_and(|st| {
            let step = value - last;
            step >= st || -step >= st
        })
        || attributes.edge.is_some_and(|rising| {
            if rising {
                last == 0.0 && value != 0.0
            } else {
                last != 0.0 && value == 0.0
            }
        })
}

/// When the next notification is due, given whether a change waits for one: never before pmin
/// has passed, always when pmax has.
pub(crate) fn due(attributes: &Attributes, last_sent: Instant, changed: bool) -> Option<Instant> {
    let after = |seconds: u32| last_sent + Duration::from_secs(u64::from(seconds));
    let by_change = changed.then(|| after(attributes.pmin.unwrap_or(0)));
    let by_time = attributes.usable_pmax().map(after);
    match (by_change, by_time) {
        (Some(change), Some(time)) => Some(change.min(time)),
        (change, time) => change.or(time),
    }
}

/// The attributes that the server attached, by path.
#[derive(Debug)]
pub(crate) struct AttributeTable<const N: usize> {
    entries: Vec<(Path, Attributes), N>,
}

impl<const N: usize> AttributeTable<N> {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
        }
    }

    /// What is attached exactly here.
    pub(crate) fn own(&self, path: &Path) -> Attributes {
        self.entries
            .iter()
            .find(|entry| entry.0 == *path)
            .map_or(Attributes::NONE, |entry| entry.1)
    }

    /// What is in force here by inheritance, without the server's defaults.
    pub(crate) fn inherited(&self, path: &Path) -> Attributes {
        let mut attributes = self.own(path);
        let mut above = path.parent();
        while let Some(path) = above {
            attributes = attributes.inherit(&self.own(&path));
            above = path.parent();
        }
        attributes
    }

    /// Attaches; `false` when every place is taken.
    pub(crate) fn set(&mut self, path: Path, attributes: Attributes) -> bool {
        let index = self.entries.iter().position(|entry| entry.0 == path);
        match (index, attributes.is_empty()) {
            (Some(index), true) => {
                self.entries.swap_remove(index);
                true
            }
            (Some(index), false) => {
                if let Some(entry) = self.entries.get_mut(index) {
                    entry.1 = attributes;
                }
                true
            }
            (None, true) => true,
            (None, false) => self.entries.push((path, attributes)).is_ok(),
        }
    }

    /// Forgets what is attached at and below a deleted path.
    pub(crate) fn remove_below(&mut self, path: &Path) {
        self.entries.retain(|entry| !path.contains(&entry.0));
    }
}

//! What devices sent (Send, Core 1.2 §6.4.6), bounded for each device and in all.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::config::Limits;
use crate::api::{Sent, record_bytes};

/// The latest Sends of each device. It outlives the registration: a device that comes back finds
/// its history.
#[derive(Debug, Default)]
pub(super) struct History {
    devices: HashMap<Box<str>, DeviceHistory>,
    /// Devices by the number of their latest Send.
    order: BTreeMap<u64, Box<str>>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct DeviceHistory {
    sends: VecDeque<Sent>,
    bytes: usize,
}

/// What gave way: all Sends of a device up to a number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Forgotten {
    pub(super) endpoint: String,
    pub(super) through: u64,
}

pub(super) fn bytes_of(sent: &Sent) -> usize {
    size_of::<Sent>() + sent.records.iter().map(record_bytes).sum::<usize>()
}

impl History {
    /// Keeps a Send. The oldest of the device give way to it, and of all devices those that have
    /// been silent for longest; the Send itself stays in any case.
    pub(super) fn push(&mut self, limits: &Limits, endpoint: &str, sent: Sent) -> Vec<Forgotten> {
        let mut forgotten = Vec::new();
        let device = self.devices.entry(endpoint.into()).or_default();
        if let Some(latest) = device.sends.back() {
            self.order.remove(&latest.id);
        }
        self.order.insert(sent.id, endpoint.into());
        let bytes = bytes_of(&sent);
        device.bytes += bytes;
        self.bytes += bytes;
        device.sends.push_back(sent);
        let mut through = None;
        while device.sends.len() > 1
            && (device.sends.len() > limits.sends_per_device
                || device.bytes > limits.send_bytes_per_device)
        {
            let Some(oldest) = device.sends.pop_front() else {
                break;
            };
            let bytes = bytes_of(&oldest);
            device.bytes -= bytes;
            self.bytes -= bytes;
            through = Some(oldest.id);
        }
        forgotten.extend(through.map(|through| Forgotten {
            endpoint: endpoint.to_owned(),
            through,
        }));
        while self.bytes > limits.send_bytes && self.order.len() > 1 {
            let Some((through, endpoint)) = self.order.pop_first() else {
                break;
            };
            if let Some(device) = self.devices.remove(&endpoint) {
                self.bytes -= device.bytes;
            }
            let endpoint = endpoint.into();
            forgotten.push(Forgotten { endpoint, through });
        }
        forgotten
    }

    /// The latest Sends of a device, newest first.
    pub(super) fn latest(&self, endpoint: &str, most: usize) -> Vec<Sent> {
        let sends = self.devices.get(endpoint).map(|device| &device.sends);
        let newest_first = sends.into_iter().flat_map(|sends| sends.iter().rev());
        newest_first.take(most).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dunlin_lwm2m::{OwnedRecord, OwnedValue, Path};

    fn sent(id: u64, bytes: usize) -> Sent {
        let value = OwnedValue::Opaque(vec![0; bytes]);
        Sent {
            id,
            time: id as f64,
            records: vec![OwnedRecord::new(Path::resource(3, 0, 0), value)],
        }
    }

    fn limits(sends: usize, of_device: usize, of_all: usize) -> Limits {
        Limits {
            sends_per_device: sends,
            send_bytes_per_device: of_device,
            send_bytes: of_all,
            ..Limits::default()
        }
    }

    fn forgot(endpoint: &str, through: u64) -> Vec<Forgotten> {
        let endpoint = endpoint.to_owned();
        vec![Forgotten { endpoint, through }]
    }

    fn ids(history: &History, endpoint: &str) -> Vec<u64> {
        let latest = history.latest(endpoint, 100);
        latest.iter().map(|sent| sent.id).collect()
    }

    #[test]
    fn the_oldest_of_a_device_give_way_by_number_and_by_bytes() {
        let mut history = History::default();
        let three = limits(3, 1 << 20, 1 << 20);
        for id in 1..=3 {
            assert_eq!(history.push(&three, "a", sent(id, 1)), []);
        }
        assert_eq!(history.push(&three, "a", sent(4, 1)), forgot("a", 1));
        assert_eq!(ids(&history, "a"), [4, 3, 2]);
        assert_eq!(history.latest("a", 1).len(), 1);
        // Larger than all there may be: it stays alone.
        let small = limits(3, 1000, 1 << 20);
        assert_eq!(history.push(&small, "a", sent(5, 5000)), forgot("a", 4));
        assert_eq!(ids(&history, "a"), [5]);
    }

    #[test]
    fn of_all_devices_the_longest_silent_gives_way() {
        let mut history = History::default();
        let limits = limits(10, 1 << 20, 5000);
        history.push(&limits, "a", sent(1, 1500));
        history.push(&limits, "b", sent(2, 1500));
        history.push(&limits, "a", sent(3, 500));
        assert_eq!(history.push(&limits, "c", sent(4, 1500)), forgot("b", 2));
        assert_eq!(
            (ids(&history, "a"), ids(&history, "b")),
            (vec![3, 1], vec![])
        );
        let everything = vec![
            Forgotten {
                endpoint: "a".to_owned(),
                through: 3,
            },
            Forgotten {
                endpoint: "c".to_owned(),
                through: 4,
            },
        ];
        assert_eq!(history.push(&limits, "d", sent(5, 9000)), everything);
        assert_eq!(ids(&history, "d"), [5]);
        assert_eq!(history.bytes, history.devices["d"].bytes);
    }
}

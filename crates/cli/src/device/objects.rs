//! What the device and the demo devices consist of.

use std::ops::{Deref, DerefMut};
use std::time::{SystemTime, UNIX_EPOCH};

use dunlin_client::objects::{
    AccessControl, Clock, ConnectivityMonitoring, Device, Firmware, Humidity, LightControl,
    Location, Temperature, text,
};
use dunlin_client::{Instances, Instant, Multiple, Object, Single, objects};

use super::firmware::Flash;

/// Objects 3, 4, 5, 6, 3303, 3304 and 3311.
pub(crate) struct Objects {
    pub(crate) device: Single<Device>,
    pub(crate) connectivity: Single<ConnectivityMonitoring>,
    pub(crate) firmware: Firmware<Flash>,
    pub(crate) location: Single<Location>,
    pub(crate) temperature: Instances<Temperature, 8>,
    pub(crate) humidity: Instances<Humidity, 4>,
    pub(crate) light: Instances<LightControl, 4>,
}

objects!(Objects {
    device,
    connectivity,
    firmware,
    location,
    temperature,
    humidity,
    light
});

/// The same with object 2, for devices that may have several servers. Without an instance of it
/// every server may do everything; the shell creates and fills them.
pub(crate) struct Guarded {
    objects: Objects,
    access: Instances<AccessControl, 16>,
}

impl Guarded {
    pub(crate) fn new(objects: Objects) -> Self {
        Self {
            objects,
            access: Instances::new(),
        }
    }
}

impl Deref for Guarded {
    type Target = Objects;

    fn deref(&self) -> &Objects {
        &self.objects
    }
}

impl DerefMut for Guarded {
    fn deref_mut(&mut self) -> &mut Objects {
        &mut self.objects
    }
}

impl dunlin_client::Objects for Guarded {
    fn object(&self, position: usize) -> Option<&dyn Object> {
        match position.checked_sub(1) {
            None => Some(&self.access),
            Some(position) => self.objects.object(position),
        }
    }

    fn object_mut(&mut self, position: usize) -> Option<&mut dyn Object> {
        match position.checked_sub(1) {
            None => Some(&mut self.access),
            Some(position) => self.objects.object_mut(position),
        }
    }
}

impl Objects {
    /// A device with plausible values.
    pub(crate) fn new(serial: &str, flash: Flash) -> Self {
        let firmware = Firmware::new(flash);
        let device = Device {
            manufacturer: text("Dunlin"),
            model: text("dunlin device"),
            serial: text(serial),
            firmware_version: text(firmware.storage().version()),
            power_sources: list([1, 5]),
            voltages: list([3800, 5000]),
            currents: list([125, 900]),
            battery_level: Some(87),
            battery_status: Some(0),
            memory_free: Some(15),
            memory_total: Some(64),
            current_time: Clock::new(unix_time()),
            device_type: text("demonstration"),
            ..Device::default()
        };
        let connectivity = ConnectivityMonitoring {
            bearer: 21,
            available_bearers: list([21, 41]),
            signal_strength: -67,
            ip_addresses: list([text("127.0.0.1")]),
            ..ConnectivityMonitoring::default()
        };
        let location = Location {
            latitude: 53.5586,
            longitude: 6.7489,
            altitude: Some(4.0),
            timestamp: unix_time(),
            ..Location::default()
        };
        Self {
            device: Single::new(device),
            connectivity: Single::new(connectivity),
            firmware,
            location: Single::new(location),
            temperature: Instances::new().with(0, Temperature::new(21.5)),
            humidity: Instances::new().with(0, Humidity::new(48.0)),
            light: Instances::new().with(0, LightControl::default()),
        }
    }

    /// What a reboot changes: firmware that was installed runs now.
    pub(crate) fn reboot(&mut self) {
        let before = Firmware::new(Flash::in_memory());
        let flash = std::mem::replace(&mut self.firmware, before).into_storage();
        self.firmware = Firmware::new(flash);
        self.device.firmware_version = text(self.firmware.storage().version());
    }

    /// The device works, as its registration shows: new firmware stays.
    pub(crate) fn registered(&mut self) {
        self.firmware.installed();
    }

    /// The clock of `/3/0/13` goes on; nobody is notified of that.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.device.unmarked().current_time.advance(now);
    }
}

fn list<T, const N: usize, const M: usize>(values: [T; M]) -> Multiple<T, N> {
    (0..).zip(values).collect()
}

/// Seconds since 1970.
pub(crate) fn unix_time() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() as i64)
}

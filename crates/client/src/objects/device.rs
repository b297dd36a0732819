use dunlin_coap::Code;
use dunlin_lwm2m::ObjectLink;
use dunlin_lwm2m::definition::objects::DEVICE;
use heapless::String;

use super::Clock;
use crate::object;
use crate::object::{Multiple, Tick};

/// Object 3, Device.
///
/// Reboot (`/3/0/4`) and Factory Reset (`/3/0/5`) change nothing here: the engine reports them as
/// [`Event::Reboot`](crate::Event::Reboot) and [`Event::FactoryReset`](crate::Event::FactoryReset)
/// once the answer is on its way.
#[derive(Clone, Debug)]
pub struct Device {
    /// Manufacturer.
    pub manufacturer: String<32>,
    /// Model Number.
    pub model: String<32>,
    /// Serial Number.
    pub serial: String<32>,
    /// Firmware Version.
    pub firmware_version: String<16>,
    /// 0 DC, 1 internal battery, 2 external battery, 3 fuel cell, 4 PoE, 5 USB, 6 AC, 7 solar.
    pub power_sources: Multiple<u8, 4>,
    /// Millivolts, under the ids of the power sources.
    pub voltages: Multiple<i32, 4>,
    /// Milliamperes, under the ids of the power sources.
    pub currents: Multiple<i32, 4>,
    /// Percent of the internal battery.
    pub battery_level: Option<u8>,
    /// Kilobytes.
    pub memory_free: Option<u32>,
    /// Error codes; `{0: 0}` while there is none.
    pub errors: Multiple<u8, 4>,
    /// Goes on by itself; a server may set it.
    pub current_time: Clock,
    /// As in ISO 8601, `+02:00`.
    pub utc_offset: String<8>,
    /// IANA name.
    pub timezone: String<32>,
    /// Supported Binding and Modes: letters in 1.1 and 1.2, `UQ` and so on in 1.0.
    pub binding: String<8>,
    /// Device Type.
    pub device_type: String<32>,
    /// Hardware Version.
    pub hardware_version: String<16>,
    /// Software Version.
    pub software_version: String<16>,
    /// 0 normal, 1 charging, 2 charged, 3 damaged, 4 low, 5 not installed, 6 unknown.
    pub battery_status: Option<u8>,
    /// Kilobytes.
    pub memory_total: Option<u32>,
    /// ExtDevInfo: objects that tell more of the device, as `/16/0`.
    pub more: Multiple<ObjectLink, 1>,
    /// Error codes that hold until they are settled, a bit for each.
    pub lasting_errors: u32,
}

impl Default for Device {
    fn default() -> Self {
        Self {
            manufacturer: String::new(),
            model: String::new(),
            serial: String::new(),
            firmware_version: String::new(),
            power_sources: Multiple::new(),
            voltages: Multiple::new(),
            currents: Multiple::new(),
            battery_level: None,
            memory_free: None,
            errors: no_errors(),
            current_time: Clock::default(),
            utc_offset: super::text("+00:00"),
            timezone: super::text("Etc/UTC"),
            binding: super::text("U"),
            device_type: String::new(),
            hardware_version: String::new(),
            software_version: String::new(),
            battery_status: None,
            memory_total: None,
            more: Multiple::new(),
            lasting_errors: 0,
        }
    }
}

/// Codes 1 to 32.
fn bit(code: u8) -> u32 {
    u32::from(code)
        .checked_sub(1)
        .and_then(|shift| 1_u32.checked_shl(shift))
        .unwrap_or(0)
}

fn no_errors() -> Multiple<u8, 4> {
    core::iter::once((0, 0)).collect()
}

impl Device {
    /// Adds an error code (1 to 32) of something that has happened; the code 0, "no error", makes
    /// way for it. It stays until [`Device::settle`] or Reset Error Code (`/3/0/12`). Nothing
    /// happens when it stands already, or all places are taken.
    pub fn raise(&mut self, code: u8) {
        if self.errors.iter().any(|(_, present)| *present == code) {
            return;
        }
        if self.errors.get(0) == Some(&0) {
            let _replaced = self.errors.insert(0, code);
            return;
        }
        let free = (0..=u16::MAX).find(|id| self.errors.get(*id).is_none());
        if let Some(free) = free {
            let _full = self.errors.insert(free, code);
        }
    }

    /// The same for an error that holds: Reset Error Code finds it still there, and it stays until
    /// [`Device::settle`].
    pub fn raise_lasting(&mut self, code: u8) {
        self.lasting_errors |= bit(code);
        self.raise(code);
    }

    /// Reset Error Code: what stands is deleted, and what still holds is added again.
    fn reset_errors(&mut self) {
        self.errors = no_errors();
        for code in 1..=32 {
            if self.lasting_errors & bit(code) != 0 {
                self.raise(code);
            }
        }
    }

    /// Removes an error code; without any, `{0: 0}` stands again.
    pub fn settle(&mut self, code: u8) {
        self.lasting_errors &= !bit(code);
        let id = self
            .errors
            .iter()
            .find(|(_, present)| **present == code)
            .map(|(id, _)| id);
        if let Some(id) = id {
            self.errors.remove(id);
        }
        if self.errors.iter().next().is_none() {
            self.errors = no_errors();
        }
    }

    /// UTC Offset is one of ISO 8601: `Z`, `+02`, `+0200` or `+02:00`, or empty for unknown.
    fn check(&self, resource: u16) -> Result<(), Code> {
        if resource != 14 {
            return Ok(());
        }
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_offset = |offset: &str| {
            let (hours, minutes) = match offset.split_once(':') {
                Some(parts) => parts,
                None => offset.split_at_checked(2).unwrap_or((offset, "")),
            };
            hours.len() == 2
                && digits(hours)
                && hours <= "14"
                && (minutes.len() == 2 || (minutes.is_empty() && !offset.ends_with(':')))
                && digits(minutes)
                && minutes <= "59"
        };
        let is_legal = match self.utc_offset.as_str() {
            "" | "Z" => true,
            text => text.strip_prefix(['+', '-']).is_some_and(is_offset),
        };
        if is_legal {
            Ok(())
        } else {
            Err(Code::BAD_REQUEST)
        }
    }
}

object! {
    impl DEVICE for Device {
        0 => read manufacturer;
        1 => read model;
        2 => read serial;
        3 => read firmware_version;
        4 => execute |_this, _arguments| Ok(());
        5 => execute |_this, _arguments| Ok(());
        6 => read power_sources;
        7 => read voltages;
        8 => read currents;
        9 => read battery_level;
        10 => read memory_free;
        11 => read errors;
        12 => execute |this, _arguments| { this.reset_errors(); Ok(()) };
        13 => read_write current_time;
        14 => read_write utc_offset;
        15 => read_write timezone;
        16 => read binding;
        17 => read device_type;
        18 => read hardware_version;
        19 => read software_version;
        20 => read battery_status;
        21 => read memory_total;
        22 => read more;
        written => |this, resource| this.check(resource);
        tick => |this, now| { this.current_time.advance(now); Tick::default() };
    }
}

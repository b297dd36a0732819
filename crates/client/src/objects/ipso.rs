use dunlin_lwm2m::definition::objects::{ACCELEROMETER, HUMIDITY, LIGHT_CONTROL, TEMPERATURE};
use heapless::String;

use crate::object;

macro_rules! sensor {
    ($(#[$doc:meta])* $name:ident, $definition:ident, $units:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug)]
        pub struct $name {
            value: f64,
            min: f64,
            max: f64,
            /// Smallest value the sensor can measure.
            pub range_min: Option<f64>,
            /// Largest value the sensor can measure.
            pub range_max: Option<f64>,
            /// Unit symbol.
            pub units: &'static str,
            /// What the sensor is for; the server may write it.
            pub application_type: Option<String<32>>,
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new(0.0)
            }
        }

        impl $name {
            /// A sensor that has measured `value` once.
            pub const fn new(value: f64) -> Self {
                Self {
                    value,
                    min: value,
                    max: value,
                    range_min: None,
                    range_max: None,
                    units: $units,
                    application_type: None,
                }
            }

            /// A new value; the measured minimum and maximum follow.
            pub fn measure(&mut self, value: f64) {
                self.value = value;
                self.follow();
            }

            fn follow(&mut self) {
                self.min = self.min.min(self.value);
                self.max = self.max.max(self.value);
            }

            /// The last value.
            pub const fn value(&self) -> f64 {
                self.value
            }
        }

        object! {
            impl $definition for $name {
                5601 => read min;
                5602 => read max;
                5603 => read range_min;
                5604 => read range_max;
                5605 => execute |this, _arguments| {
                    this.min = this.value;
                    this.max = this.value;
                    Ok(())
                };
                5700 => read value;
                5701 => read units;
                5750 => read_write application_type;
                written => |this, resource| {
                    if resource == 5700 {
                        this.follow();
                    }
                    Ok(())
                };
            }
        }
    };
}

sensor!(
    /// Object 3303, Temperature, in degrees Celsius.
    Temperature, TEMPERATURE, "Cel"
);
sensor!(
    /// Object 3304, Humidity, in percent.
    Humidity, HUMIDITY, "%RH"
);

/// Object 3313, Accelerometer.
#[derive(Clone, Debug, Default)]
pub struct Accelerometer {
    /// Along the X axis.
    pub x: f64,
    /// Along the Y axis.
    pub y: Option<f64>,
    /// Along the Z axis.
    pub z: Option<f64>,
    /// Unit symbol of the three.
    pub units: Option<String<8>>,
}

object! {
    impl ACCELEROMETER for Accelerometer {
        5701 => read units;
        5702 => read x;
        5703 => read y;
        5704 => read z;
    }
}

/// Object 3311, Light Control.
#[derive(Clone, Debug, Default)]
pub struct LightControl {
    /// On/Off.
    pub on: bool,
    /// Percent.
    pub dimmer: u8,
    /// Seconds the light has been on; writing 0 resets it.
    pub on_time: u32,
    /// Colour, in the units the application chose.
    pub colour: Option<String<16>>,
}

object! {
    impl LIGHT_CONTROL for LightControl {
        5706 => read_write colour;
        5850 => read_write on;
        5851 => read_write dimmer;
        5852 => read_write on_time;
    }
}

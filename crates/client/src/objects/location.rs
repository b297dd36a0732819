use dunlin_lwm2m::definition::objects::LOCATION;
use heapless::Vec;

use crate::object;

/// Object 6, Location (WGS-84).
#[derive(Clone, Debug, Default)]
pub struct Location {
    /// Degrees, north positive.
    pub latitude: f64,
    /// Degrees, east positive.
    pub longitude: f64,
    /// Metres.
    pub altitude: Option<f64>,
    /// Metres of uncertainty.
    pub radius: Option<f64>,
    /// As 3GPP TS 23.032 encodes it.
    pub velocity: Option<Vec<u8, 7>>,
    /// Seconds since 1970 of the fix.
    pub timestamp: i64,
    /// Metres per second.
    pub speed: Option<f64>,
}

object! {
    impl LOCATION for Location {
        0 => read latitude;
        1 => read longitude;
        2 => read altitude;
        3 => read radius;
        4 => read velocity;
        5 => read timestamp;
        6 => read speed;
    }
}

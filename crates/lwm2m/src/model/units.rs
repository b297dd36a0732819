//! Unit symbols.

use std::collections::BTreeSet;

use super::Finding;
use super::xml::with_document;

/// Unit symbols of the SenML registry (RFC 8428 §12.1, RFC 8798, and what IANA has added since),
/// and the one OMA adds. Sorted.
const UNITS: &[&str] = &[
    "%", "%EL", "%RH", "/", "/100", "/1000", "1/min", "1/s", "A", "Ah", "B", "B/s", "Bq", "Bspl",
    "C", "Cel", "EL", "F", "GB", "Gbit/s", "Gy", "H", "Hz", "J", "J/m", "K", "KiB", "MB/s", "MHz",
    "Mbit/s", "N", "NTU", "Ohm", "Pa", "S", "S/m", "Sv", "T", "V", "VA", "VAh", "VAs", "W", "W/m2",
    "Wb", "Wh", "Wh/km", "Ws", "beat/min", "beats", "bit", "bit/s", "cd", "cd/m2", "cm", "count",
    "dB", "dBW", "dBm", "deg", "g", "g/l", "gon", "h", "hPa", "kPa", "kVA", "kVAh", "kW", "kWh",
    "kat", "kg", "kg/m3", "km", "km/h", "kvar", "kvarh", "l", "l/s", "lat", "lm", "lon", "lx", "m",
    "m/h", "m/s", "m/s2", "m2", "m3", "m3/s", "mA", "mV", "mg/l", "min", "mm", "mm/h", "mol", "ms",
    "pH", "ppb", "ppm", "ppt", "rad", "s", "sr", "ug/l", "ug/m3", "var", "varh", "vars",
];

/// Whether `symbol` is a registered unit (check 417). No unit at all is no unit.
pub fn is_known_unit(symbol: &str) -> bool {
    UNITS.binary_search(&symbol).is_ok()
}

/// The registered units, and those of a registry folder.
#[derive(Clone, Debug, Default)]
pub(super) struct Units(BTreeSet<String>);

impl Units {
    /// Reads a file of further units, `LWM2M_senml_units.xml`.
    pub(super) fn read(xml: &[u8]) -> Result<Self, Finding> {
        with_document(xml, |document, _| {
            let values = document
                .descendants()
                .filter(|node| node.is_element() && node.tag_name().name() == "value")
                .filter_map(|node| node.text());
            Self(values.map(|text| text.trim().to_owned()).collect())
        })
    }

    pub(super) fn contains(&self, symbol: &str) -> bool {
        is_known_unit(symbol) || self.0.contains(symbol)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_sorted_and_found() {
        assert!(UNITS.is_sorted());
        for symbol in UNITS {
            assert!(is_known_unit(symbol));
        }
        for symbol in ["", "KB", "°C", "cel", "percent"] {
            assert!(!is_known_unit(symbol));
        }
    }
}

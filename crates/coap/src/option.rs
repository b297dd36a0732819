//! Option numbers, their formats and rules (RFC 7252 §5.4, §12.2).

use core::fmt;

/// The format of an option's value (RFC 7252 §3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// No value.
    Empty,
    /// Any bytes.
    Opaque,
    /// Big-endian unsigned integer of minimal length.
    Uint,
    /// UTF-8 text.
    String,
}

/// An option number. Its bits say how to treat it when it is unknown (RFC 7252 §5.4.6).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OptionNumber(pub u16);

macro_rules! options {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal, $format:ident,
        $min:literal..=$max:literal, $repeatable:literal;)*) => {
        impl OptionNumber {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// The option's name, or "Unknown".
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    _ => "Unknown",
                }
            }

            /// Format, shortest and longest value in bytes, whether it may occur more than once
            /// in a request; `None` for an option that this crate does not know.
            pub const fn rule(self) -> Option<(Format, u16, u16, bool)> {
                match self {
                    $(Self::$name => Some((Format::$format, $min, $max, $repeatable)),)*
                    _ => None,
                }
            }
        }
    };
}

options! {
    /// If-Match
    IF_MATCH = 1, "If-Match", Opaque, 0..=8, true;
    /// Uri-Host
    URI_HOST = 3, "Uri-Host", String, 1..=255, false;
    /// ETag
    ETAG = 4, "ETag", Opaque, 1..=8, true;
    /// If-None-Match
    IF_NONE_MATCH = 5, "If-None-Match", Empty, 0..=0, false;
    /// Observe (RFC 7641)
    OBSERVE = 6, "Observe", Uint, 0..=3, false;
    /// Uri-Port
    URI_PORT = 7, "Uri-Port", Uint, 0..=2, false;
    /// Location-Path
    LOCATION_PATH = 8, "Location-Path", String, 0..=255, true;
    /// OSCORE (RFC 8613)
    OSCORE = 9, "OSCORE", Opaque, 0..=255, false;
    /// Uri-Path
    URI_PATH = 11, "Uri-Path", String, 0..=255, true;
    /// Content-Format
    CONTENT_FORMAT = 12, "Content-Format", Uint, 0..=2, false;
    /// Max-Age
    MAX_AGE = 14, "Max-Age", Uint, 0..=4, false;
    /// Uri-Query
    URI_QUERY = 15, "Uri-Query", String, 0..=255, true;
    /// Hop-Limit (RFC 8768)
    HOP_LIMIT = 16, "Hop-Limit", Uint, 1..=1, false;
    /// Accept
    ACCEPT = 17, "Accept", Uint, 0..=2, false;
    /// Location-Query
    LOCATION_QUERY = 20, "Location-Query", String, 0..=255, true;
    /// Block2 (RFC 7959)
    BLOCK2 = 23, "Block2", Uint, 0..=3, false;
    /// Block1 (RFC 7959)
    BLOCK1 = 27, "Block1", Uint, 0..=3, false;
    /// Size2 (RFC 7959)
    SIZE2 = 28, "Size2", Uint, 0..=4, false;
    /// Proxy-Uri
    PROXY_URI = 35, "Proxy-Uri", String, 1..=1034, false;
    /// Proxy-Scheme
    PROXY_SCHEME = 39, "Proxy-Scheme", String, 1..=255, false;
    /// Size1
    SIZE1 = 60, "Size1", Uint, 0..=4, false;
    /// Echo (RFC 9175)
    ECHO = 252, "Echo", Opaque, 1..=40, false;
    /// No-Response (RFC 7967)
    NO_RESPONSE = 258, "No-Response", Uint, 0..=1, false;
    /// Request-Tag (RFC 9175)
    REQUEST_TAG = 292, "Request-Tag", Opaque, 0..=8, true;
}

impl OptionNumber {
    /// Whether a message with this option must be refused when the option is not understood.
    pub const fn is_critical(self) -> bool {
        self.0 & 1 == 1
    }

    /// Whether the option is not part of the cache key (RFC 7252 §5.4.6), and so may differ
    /// between the blocks of one body.
    pub const fn is_no_cache_key(self) -> bool {
        self.0 & 0x1E == 0x1C
    }
}

impl fmt::Debug for OptionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.name())
    }
}

/// Reads a uint option value. Leading zeros are accepted (RFC 7252 §3.2); more than four bytes
/// are not a uint of any known option.
pub fn uint_value(value: &[u8]) -> Option<u32> {
    if value.len() > 4 {
        return None;
    }
    Some(
        value
            .iter()
            .fold(0, |sum, byte| sum << 8 | u32::from(*byte)),
    )
}

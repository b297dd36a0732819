//! Content-Formats (Core 1.2 §7.5).

use core::fmt;

/// A CoAP Content-Format number. Any number can be held; the associated constants name those
/// LwM2M uses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentFormat(pub u16);

macro_rules! formats {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        impl ContentFormat {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// The short name used by the REST API and the command line, e.g. `senml-cbor`.
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)*
                    _ => None,
                }
            }

            /// The format of a short name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

formats! {
    /// text/plain;charset=utf-8
    TEXT = 0, "text";
    /// application/link-format
    LINK = 40, "link";
    /// application/octet-stream
    OPAQUE = 42, "opaque";
    /// application/cbor, one value (since 1.1.1)
    CBOR = 60, "cbor";
    /// application/senml+json (since 1.1)
    SENML_JSON = 110, "senml-json";
    /// application/senml+cbor (since 1.1)
    SENML_CBOR = 112, "senml-cbor";
    /// application/vnd.oma.lwm2m+tlv
    TLV = 11542, "tlv";
}

impl fmt::Debug for ContentFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ContentFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{} ({name})", self.0),
            None => write!(f, "{}", self.0),
        }
    }
}

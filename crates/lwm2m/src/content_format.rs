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
    /// application/senml-etch+json (since 1.2): bodies of composite requests
    SENML_ETCH_JSON = 320, "senml-etch-json";
    /// application/senml-etch+cbor (since 1.2): bodies of composite requests
    SENML_ETCH_CBOR = 322, "senml-etch-cbor";
    /// application/vnd.oma.lwm2m+tlv
    TLV = 11542, "tlv";
    /// application/vnd.oma.lwm2m+json: the JSON of 1.0, which OMA defined before SenML
    LWM2M_JSON = 11543, "json";
    /// application/vnd.oma.lwm2m+cbor (since 1.2)
    LWM2M_CBOR = 11544, "lwm2m-cbor";
}

impl ContentFormat {
    /// The format a number stands for: drafts before 1.0 numbered text, TLV, JSON and opaque 1541
    /// to 1544, and devices of that time are in the field. Any other number stands for itself.
    ///
    /// For reading only: nobody is asked for a number that IANA never gave.
    ///
    /// ```
    /// use dunlin_lwm2m::ContentFormat;
    /// assert_eq!(ContentFormat(1542).current(), ContentFormat::TLV);
    /// assert_eq!(ContentFormat::TLV.current(), ContentFormat::TLV);
    /// ```
    pub const fn current(self) -> Self {
        match self.0 {
            1541 => Self::TEXT,
            1542 => Self::TLV,
            1543 => Self::LWM2M_JSON,
            1544 => Self::OPAQUE,
            _ => self,
        }
    }
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

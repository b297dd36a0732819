use core::fmt;

use crate::Version;

/// One letter of a binding (Core 1.2 Table 6.2.1.2-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Transport {
    /// `U`
    Udp,
    /// `T` (since 1.1)
    Tcp,
    /// `S`
    Sms,
    /// `N` (since 1.1)
    NonIp,
    /// `M` (since 1.2)
    Mqtt,
    /// `H` (since 1.2)
    Http,
}

impl Transport {
    /// Every transport.
    pub const ALL: [Self; 6] = [
        Self::Udp,
        Self::Tcp,
        Self::Sms,
        Self::NonIp,
        Self::Mqtt,
        Self::Http,
    ];

    /// Its letter.
    pub const fn letter(self) -> char {
        match self {
            Self::Udp => 'U',
            Self::Tcp => 'T',
            Self::Sms => 'S',
            Self::NonIp => 'N',
            Self::Mqtt => 'M',
            Self::Http => 'H',
        }
    }

    /// The transport of a letter.
    pub fn from_letter(letter: char) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|transport| transport.letter() == letter)
    }

    const fn since(self) -> Version {
        match self {
            Self::Udp | Self::Sms => Version::V1_0,
            Self::Tcp | Self::NonIp => Version::V1_1,
            Self::Mqtt | Self::Http => Version::V1_2,
        }
    }
}

/// A binding: over which transports the server may send its requests.
///
/// ```
/// use dunlin_lwm2m::{Version, registration::{Binding, Transport}};
/// let binding = Binding::parse("UQ", Version::V1_0).unwrap();
/// assert!(binding.contains(Transport::Udp) && binding.is_queue_mode());
/// assert!(Binding::parse("UQ", Version::V1_1).is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Binding {
    /// One bit for each [`Transport`], and one for the `Q` of 1.0.
    bits: u8,
}

const QUEUE: u8 = 1 << 7;

/// The text is not a binding of this version; answered with 4.00.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindingError {
    /// The version whose rules apply.
    pub version: Version,
}

impl fmt::Display for BindingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.version {
            Version::V1_0 => "a binding of LwM2M 1.0 is U, UQ, S, SQ, US or UQS",
            Version::V1_1 => "a binding of LwM2M 1.1 is made of the letters U, T, S, N, each once",
            Version::V1_2 => {
                "a binding of LwM2M 1.2 is made of the letters U, T, S, N, M, H, each once"
            }
        })
    }
}

impl core::error::Error for BindingError {}

impl Binding {
    /// `U`, the default.
    pub const UDP: Self = Self {
        bits: 1 << Transport::Udp as u8,
    };

    /// Reads a binding by the rules of an enabler version.
    pub fn parse(text: &str, version: Version) -> Result<Self, BindingError> {
        let error = BindingError { version };
        if version == Version::V1_0 {
            let (udp, sms) = (1 << Transport::Udp as u8, 1 << Transport::Sms as u8);
            let bits = match text {
                "U" => udp,
                "UQ" => udp | QUEUE,
                "S" => sms,
                "SQ" => sms | QUEUE,
                "US" => udp | sms,
                "UQS" => udp | sms | QUEUE,
                _ => return Err(error),
            };
            return Ok(Self { bits });
        }
        let mut bits = 0_u8;
        for letter in text.chars() {
            let transport = Transport::from_letter(letter)
                .filter(|transport| transport.since() <= version)
                .ok_or(error)?;
            let bit = 1 << transport as u8;
            if bits & bit != 0 {
                return Err(error);
            }
            bits |= bit;
        }
        if bits == 0 {
            return Err(error);
        }
        Ok(Self { bits })
    }

    /// Whether the transport is in the binding.
    pub const fn contains(self, transport: Transport) -> bool {
        self.bits >> transport as u8 & 1 == 1
    }

    /// Whether a binding of 1.0 asks for queue mode. Since 1.1 that is a parameter of its own.
    pub const fn is_queue_mode(self) -> bool {
        self.bits & QUEUE != 0
    }

    /// The transports.
    pub fn iter(self) -> impl Iterator<Item = Transport> {
        Transport::ALL
            .into_iter()
            .filter(move |transport| self.contains(*transport))
    }
}

impl Default for Binding {
    fn default() -> Self {
        Self::UDP
    }
}

/// As in the `b` parameter, letters in the order of [`Transport::ALL`]; `UQS` as 1.0 spells it.
impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut queue = self.is_queue_mode();
        for transport in self.iter() {
            write!(f, "{}", transport.letter())?;
            if core::mem::take(&mut queue) {
                f.write_str("Q")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

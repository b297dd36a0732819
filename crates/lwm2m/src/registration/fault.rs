use core::fmt;

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident, $text:literal;)*) => {
        /// What a device does against the standard and is tolerated. This is the whole list: any
        /// other deviation is refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Fault {
            $($(#[$doc])* $name,)*
        }

        impl Fault {
            /// Every fault.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The fault in words, with the clause.
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

faults! {
    /// `Q` as a parameter of its own in version 1.0, where it belongs into the binding; it
    /// counts as queue mode.
    QueueModeIn1_0, "Q is a parameter in LwM2M 1.0, which has queue mode in the binding (Core 1.0 §5.3.1.1)";
    /// `ep` or `lwm2m` in an Update; they are ignored.
    RegisterParameterInUpdate, "an Update carries ep or lwm2m (Core 1.2 §6.2.2)";
    /// `sms=+4912345`; the plus is dropped.
    SmsWithPlus, "the SMS number starts with + (Core 1.2 §6.2.1)";
    /// An object list without Content-Format; it is read as link-format.
    ContentFormatMissing, "the object list has no Content-Format, 40 expected (Transport 1.2 §6.4.3)";
    /// White space between links or parameters.
    WhiteSpace, "white space between links (RFC 6690 §2)";
    /// A comma or semicolon too many.
    EmptyElement, "a comma or semicolon without a link or parameter (RFC 6690 §2)";
    /// `</1/0/>`
    TrailingSlash, "a path ends with a slash (Core 1.2 §6.2.1)";
    /// `ver="1.1"`; LwM2M 1.0 shows it this way, later versions without quotes.
    QuotedObjectVersion, "ver in quotes (Core 1.2 §7.2.3)";
    /// The list of content formats without quotes, as in `ct=110 112`.
    UnquotedContentFormats, "ct lists several formats without quotes (RFC 7252 §7.2.1)";
    /// More than one `ct`; all of them count.
    DuplicateContentFormats, "more than one ct (RFC 7252 §7.2.1)";
    /// A `ct` that is not a list of numbers; what can be read counts.
    BadContentFormats, "ct is not a list of numbers (RFC 7252 §7.2.1)";
    /// Object 0 (since 1.1 also 21, since 1.2 also 23) is listed; it is left out.
    SecretObjectListed, "/0, /21 or /23 is listed (Core 1.2 §6.2.1)";
    /// A link deeper than an object instance; it is left out.
    ResourceListed, "a resource is listed (Core 1.2 §6.2.1)";
    /// A link to something else than an object; it is left out.
    ForeignLink, "a link is no object below the root path (Core 1.2 §6.2.1)";
    /// Object 1 is not in the list.
    ServerObjectMissing, "/1 is not listed (Core 1.2 §6.2.1)";
    /// Object 3 is not in the list.
    DeviceObjectMissing, "/3 is not listed (Core 1.2 §6.2.1)";
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// A set of faults.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Faults {
    bits: u32,
}

impl Faults {
    /// No fault.
    pub const NONE: Self = Self { bits: 0 };

    /// Adds a fault.
    pub const fn insert(&mut self, fault: Fault) {
        self.bits |= 1 << fault as u8;
    }

    /// Whether the fault is in the set.
    pub const fn contains(self, fault: Fault) -> bool {
        self.bits >> fault as u8 & 1 == 1
    }

    /// Whether there is no fault.
    pub const fn is_empty(self) -> bool {
        self.bits == 0
    }

    /// The faults of both sets.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            bits: self.bits | other.bits,
        }
    }

    /// The faults.
    pub fn iter(self) -> impl Iterator<Item = Fault> {
        Fault::ALL
            .iter()
            .copied()
            .filter(move |fault| self.contains(*fault))
    }

    /// The set as a number, for a compact store.
    pub const fn bits(self) -> u32 {
        self.bits
    }

    /// The set of a number that [`bits`](Self::bits) gave; unknown bits are dropped.
    pub const fn from_bits(bits: u32) -> Self {
        Self {
            bits: bits & ((1 << Fault::ALL.len()) - 1),
        }
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl FromIterator<Fault> for Faults {
    fn from_iter<I: IntoIterator<Item = Fault>>(iter: I) -> Self {
        let mut faults = Self::NONE;
        for fault in iter {
            faults.insert(fault);
        }
        faults
    }
}

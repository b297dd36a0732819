//! Alerts (RFC 5246 §7.2) and what LwM2M makes of them.

use core::fmt;

/// An alert description (RFC 5246 §7.2.2 and the registry it opened).
///
/// Numbers that have no name here are kept, so that the device can report them in `/1/x/11`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alert(u8);

/// What a device does about an alert (Core 1.2 §5.2.7, table "Alert descriptions").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlertClass {
    /// The cause may be transient: try again as the retry resources say.
    Retry,
    /// The device cannot recover alone: the credentials do not fit.
    Fail,
    /// Nothing to be done.
    Ignore,
}

macro_rules! alerts {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal, $class:ident;)*) => {
        impl Alert {
            $($(#[$doc])* pub const $name: Self = Self($number);)*

            /// Its name in the registry, `None` when it has none.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($text),)*
                    _ => None,
                }
            }

            /// What a device does about it. A number without a name may be transient.
            pub const fn class(self) -> AlertClass {
                match self.0 {
                    $($number => AlertClass::$class,)*
                    _ => AlertClass::Retry,
                }
            }
        }

        /// Every alert with a name, by number.
        #[cfg(test)]
        const NAMED: &[Alert] = &[$(Alert::$name),*];
    };
}

alerts! {
    /// The sender ends the association.
    CLOSE_NOTIFY = 0, "close_notify", Retry;
    /// A message that does not belong here.
    UNEXPECTED_MESSAGE = 10, "unexpected_message", Retry;
    /// A record whose MAC is wrong; in DTLS such records are dropped silently instead.
    BAD_RECORD_MAC = 20, "bad_record_mac", Retry;
    /// Not sent any more.
    DECRYPTION_FAILED = 21, "decryption_failed", Retry;
    /// A record longer than allowed.
    RECORD_OVERFLOW = 22, "record_overflow", Retry;
    /// Compression is not part of this profile.
    DECOMPRESSION_FAILURE = 30, "decompression_failure", Ignore;
    /// No common parameters.
    HANDSHAKE_FAILURE = 40, "handshake_failure", Retry;
    /// Of SSL 3.0.
    NO_CERTIFICATE = 41, "no_certificate", Ignore;
    /// A certificate was corrupt or its signature wrong.
    BAD_CERTIFICATE = 42, "bad_certificate", Fail;
    /// A certificate of a kind that is not supported.
    UNSUPPORTED_CERTIFICATE = 43, "unsupported_certificate", Fail;
    /// A certificate was revoked by its signer.
    CERTIFICATE_REVOKED = 44, "certificate_revoked", Fail;
    /// A certificate is not valid now.
    CERTIFICATE_EXPIRED = 45, "certificate_expired", Fail;
    /// A certificate is not acceptable for another reason.
    CERTIFICATE_UNKNOWN = 46, "certificate_unknown", Fail;
    /// A field is out of range or contradicts others.
    ILLEGAL_PARAMETER = 47, "illegal_parameter", Retry;
    /// No trust anchor for the chain.
    UNKNOWN_CA = 48, "unknown_ca", Fail;
    /// A certificate was valid, but its owner may not come in.
    ACCESS_DENIED = 49, "access_denied", Fail;
    /// A message could not be decoded.
    DECODE_ERROR = 50, "decode_error", Retry;
    /// A signature or a Finished is wrong; also the answer to a wrong or unknown PSK (RFC 4279 §2).
    DECRYPT_ERROR = 51, "decrypt_error", Retry;
    /// Of the export ciphers.
    EXPORT_RESTRICTION = 60, "export_restriction", Ignore;
    /// The version is not supported.
    PROTOCOL_VERSION = 70, "protocol_version", Retry;
    /// Only weaker parameters than required are in common.
    INSUFFICIENT_SECURITY = 71, "insufficient_security", Retry;
    /// A failure that has nothing to do with the peer.
    INTERNAL_ERROR = 80, "internal_error", Retry;
    /// A fallback that was not called for (RFC 7507).
    INAPPROPRIATE_FALLBACK = 86, "inappropriate_fallback", Retry;
    /// The handshake is cancelled.
    USER_CANCELED = 90, "user_canceled", Retry;
    /// No renegotiation: the answer to each request for one.
    NO_RENEGOTIATION = 100, "no_renegotiation", Retry;
    /// A ServerHello carries an extension that was not asked for.
    UNSUPPORTED_EXTENSION = 110, "unsupported_extension", Ignore;
    /// The certificate behind a URL could not be had (RFC 6066).
    CERTIFICATE_UNOBTAINABLE = 111, "certificate_unobtainable", Retry;
    /// The server does not know the name it was addressed with (RFC 6066 §3).
    UNRECOGNIZED_NAME = 112, "unrecognized_name", Fail;
    /// An OCSP response was bad (RFC 6066).
    BAD_CERTIFICATE_STATUS_RESPONSE = 113, "bad_certificate_status_response", Fail;
    /// A certificate hash was wrong (RFC 6066).
    BAD_CERTIFICATE_HASH_VALUE = 114, "bad_certificate_hash_value", Fail;
    /// The PSK identity is not known (RFC 4279 §2).
    UNKNOWN_PSK_IDENTITY = 115, "unknown_psk_identity", Fail;
}

impl Alert {
    /// The alert with this number.
    pub const fn from_number(number: u8) -> Self {
        Self(number)
    }

    /// Its number, as it stands in the record and in `/1/x/11`.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "alert {}", self.0),
        }
    }
}

impl fmt::Debug for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Alert({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_those_of_lwm2m() {
        let of = |class| {
            NAMED
                .iter()
                .filter(move |alert| alert.class() == class)
                .map(|alert| alert.number())
        };
        // 80 is in no class of the table; it may be transient.
        assert!(of(AlertClass::Retry).eq([
            0, 10, 20, 21, 22, 40, 47, 50, 51, 70, 71, 80, 86, 90, 100, 111
        ]));
        assert!(of(AlertClass::Fail).eq([42, 43, 44, 45, 46, 48, 49, 112, 113, 114, 115]));
        assert!(of(AlertClass::Ignore).eq([30, 41, 60, 110]));
    }
}

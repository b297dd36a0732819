//! X.509 certificates (RFC 5280) in the profile of RFC 7925 §4.4: what a leaf says, what a device
//! demands of its server, what a server demands of a device.

mod certificate;
mod client_trust;
mod expected_server;
mod names;
#[cfg(feature = "x509")]
mod path;
#[cfg(not(feature = "x509"))]
#[path = "path_absent.rs"]
mod path;

pub use certificate::{Certificate, CertificateError, certificates};
pub use client_trust::{ClientTrust, Verified};
pub use expected_server::{CertificateUsage, ExpectedServer, Matching, WallClock};
pub use names::NameSource;

/// Most certificates of one chain that are looked at; a device has a handful.
const MAX_CHAIN: usize = 8;

/// What must be true of a certificate between the leaf and the authority.
type Through<'t> = &'t dyn Fn(&[u8]) -> bool;

//! What a certificate says (RFC 5280 §4.1), without judging it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::MAX_CHAIN;
use crate::der::{self, Reader};
use crate::{Alert, KeyError, PublicKey, pem};

/// Why a certificate or a raw public key is not accepted. Each has its alert (RFC 5246 §7.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertificateError {
    /// No certificate at all.
    Missing,
    /// Not a certificate in DER or PEM.
    Malformed,
    /// More certificates than are looked at, or a path that is too laborious.
    TooLong,
    /// The key is none on secp256r1.
    UnsupportedKey,
    /// A signature in the path is of an algorithm other than ECDSA on secp256r1 or secp384r1 with
    /// SHA-256 or SHA-384.
    UnsupportedSignature,
    /// Its key usage, extended key usage or basic constraints forbid what it is used for.
    WrongPurpose,
    /// A certificate of the path is not valid any more.
    Expired,
    /// A certificate of the path is not valid yet.
    NotYetValid,
    /// A signature in the path is wrong.
    BadSignature,
    /// The path breaks a constraint (length, names), or has a critical extension that is not
    /// understood.
    Constraint,
    /// No path leads to a trust anchor, or none through the expected authority.
    UnknownIssuer,
    /// It is not the certificate or the public key that was expected.
    NotExpected,
    /// It is not for the name that the server was looked up by.
    WrongName,
    /// The time is not known, so no validity period can be checked.
    TimeUnknown,
    /// A path would have to be validated, and this build cannot (feature `x509`).
    PathsUnsupported,
}

impl CertificateError {
    /// The alert that tells the peer.
    ///
    /// | Alert | Errors |
    /// |---|---|
    /// | bad_certificate (42) | missing, malformed, bad signature, constraint, wrong name |
    /// | unsupported_certificate (43) | key, signature algorithm, purpose, paths not built in |
    /// | certificate_expired (45) | expired, not yet valid ("not currently valid") |
    /// | certificate_unknown (46) | not the expected one, time unknown, too long |
    /// | unknown_ca (48) | no path to a trust anchor |
    ///
    /// LwM2M puts all of them into the class of failures that a device cannot recover from alone.
    pub const fn alert(self) -> Alert {
        match self {
            Self::Missing
            | Self::Malformed
            | Self::BadSignature
            | Self::Constraint
            | Self::WrongName => Alert::BAD_CERTIFICATE,
            Self::UnsupportedKey
            | Self::UnsupportedSignature
            | Self::WrongPurpose
            | Self::PathsUnsupported => Alert::UNSUPPORTED_CERTIFICATE,
            Self::Expired | Self::NotYetValid => Alert::CERTIFICATE_EXPIRED,
            Self::NotExpected | Self::TimeUnknown | Self::TooLong => Alert::CERTIFICATE_UNKNOWN,
            Self::UnknownIssuer => Alert::UNKNOWN_CA,
        }
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "no certificate",
            Self::Malformed => "not a certificate in DER or PEM",
            Self::TooLong => "more certificates than a path may have",
            Self::UnsupportedKey => "its key is not an ECDSA key on the curve secp256r1 (P-256)",
            Self::UnsupportedSignature => {
                "it is not signed with ECDSA on P-256 or P-384 with SHA-256 or SHA-384"
            }
            Self::WrongPurpose => "its key usage forbids what it is used for",
            Self::Expired => "it has expired",
            Self::NotYetValid => "it is not valid yet",
            Self::BadSignature => "a signature of its path is wrong",
            Self::Constraint => "its path breaks a constraint",
            Self::UnknownIssuer => "no path leads from it to a trust anchor",
            Self::NotExpected => "it is not the expected one",
            Self::WrongName => "it is for another name",
            Self::TimeUnknown => "the time is not known, so its validity cannot be checked",
            Self::PathsUnsupported => {
                "this build validates no certificate paths; only certificate usage 3 works"
            }
        })
    }
}

impl core::error::Error for CertificateError {}

impl From<CertificateError> for Alert {
    fn from(error: CertificateError) -> Self {
        error.alert()
    }
}

impl From<KeyError> for CertificateError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Malformed => Self::Malformed,
            _ => Self::UnsupportedKey,
        }
    }
}

/// The certificates of a file or of `/0/x/3`: one or more in DER behind each other, or in PEM, in
/// the order they stand in; a chain has its leaf first. Other sections of PEM, such as the private
/// key beside it, are skipped.
///
/// # Errors
///
/// [`CertificateError::Missing`] for none, [`CertificateError::Malformed`] when one of them is no
/// certificate.
pub fn certificates(bytes: &[u8]) -> Result<Vec<Box<[u8]>>, CertificateError> {
    let mut found: Vec<Box<[u8]>> = Vec::new();
    if pem::is_pem(bytes) {
        for section in pem::sections(bytes) {
            let section = section.map_err(|()| CertificateError::Malformed)?;
            // RFC 7468 §5.3 names the older labels.
            if matches!(
                section.label,
                b"CERTIFICATE" | b"X509 CERTIFICATE" | b"X.509 CERTIFICATE"
            ) {
                found.push(section.der.as_slice().into());
            }
        }
    } else {
        let mut reader = Reader::new(bytes);
        while !reader.is_empty() {
            let whole = reader
                .expect_whole(der::SEQUENCE)
                .ok_or(CertificateError::Malformed)?;
            found.push(whole.into());
        }
    }
    if found.is_empty() {
        return Err(CertificateError::Missing);
    }
    for der in &found {
        Certificate::parse(der)?;
    }
    Ok(found)
}

/// A certificate, taken apart. It borrows from its bytes.
#[derive(Clone, Copy)]
pub struct Certificate<'a> {
    /// Contents of the names.
    issuer: &'a [u8],
    pub(super) subject: &'a [u8],
    not_before: u64,
    not_after: u64,
    spki: &'a [u8],
    version_3: bool,
    is_authority: bool,
    key_usage: Option<u8>,
    extended_key_usage: Option<&'a [u8]>,
    pub(super) alternative_names: Option<&'a [u8]>,
}

impl<'a> Certificate<'a> {
    /// Takes a certificate in DER apart. Its signature is not looked at.
    ///
    /// # Errors
    ///
    /// [`CertificateError::Malformed`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, CertificateError> {
        parse(bytes).ok_or(CertificateError::Malformed)
    }

    /// The leaf of a chain (DER, leaf first) that is not too long, in DER and taken apart: whatever else is asked of it,
    /// only with such a key can it sign the handshake.
    pub(super) fn leaf(chain: &[&'a [u8]]) -> Result<(&'a [u8], Self), CertificateError> {
        let der = *chain.first().ok_or(CertificateError::Missing)?;
        if chain.len() > MAX_CHAIN {
            return Err(CertificateError::TooLong);
        }
        let leaf = Self::parse(der)?;
        leaf.public_key()?;
        leaf.check_key_usage()?;
        Ok((der, leaf))
    }

    /// Its public key.
    ///
    /// # Errors
    ///
    /// [`CertificateError::UnsupportedKey`] for any but one on secp256r1.
    pub fn public_key(&self) -> Result<PublicKey, CertificateError> {
        Ok(PublicKey::from_spki(self.spki)?)
    }

    /// Its public key as SubjectPublicKeyInfo in DER.
    pub const fn spki(&self) -> &'a [u8] {
        self.spki
    }

    /// When it becomes valid, in seconds since 1970 without leap seconds.
    pub const fn not_before(&self) -> u64 {
        self.not_before
    }

    /// Until when it is valid, inclusive, in seconds since 1970 without leap seconds.
    pub const fn not_after(&self) -> u64 {
        self.not_after
    }

    /// Whether it is valid at this time (seconds since 1970).
    ///
    /// # Errors
    ///
    /// [`CertificateError::Expired`], [`CertificateError::NotYetValid`].
    pub const fn check_time(&self, unix_seconds: u64) -> Result<(), CertificateError> {
        if unix_seconds < self.not_before {
            Err(CertificateError::NotYetValid)
        } else if unix_seconds > self.not_after {
            Err(CertificateError::Expired)
        } else {
            Ok(())
        }
    }

    /// Whether it names itself as its issuer.
    pub fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// Whether it may issue certificates: its basic constraints say so, or it is of an old version
    /// that cannot say, and names itself as its issuer.
    pub fn is_authority(&self) -> bool {
        self.is_authority || (!self.version_3 && self.is_self_issued())
    }

    /// A key that signs handshakes needs digitalSignature, where it says what it is for (RFC 5246
    /// §7.4.2, RFC 7925 §4.4).
    pub(super) fn check_key_usage(&self) -> Result<(), CertificateError> {
        const DIGITAL_SIGNATURE: u8 = 0x80;
        match self.key_usage {
            Some(usage) if usage & DIGITAL_SIGNATURE == 0 => Err(CertificateError::WrongPurpose),
            _ => Ok(()),
        }
    }

    /// Whether the leaf may be used for this purpose: its extended key usage is absent, names it,
    /// or names any (RFC 5280 §4.2.1.12).
    pub(super) fn check_purpose(&self, purpose: Purpose) -> Result<(), CertificateError> {
        let Some(list) = self.extended_key_usage else {
            return Ok(());
        };
        let mut list = Reader::new(list);
        while let Some(oid) = list.expect(der::OID) {
            if oid == purpose.oid() || oid == ANY_PURPOSE {
                return Ok(());
            }
        }
        Err(CertificateError::WrongPurpose)
    }
}

/// What a leaf is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Server,
    Client,
}

/// anyExtendedKeyUsage, 2.5.29.37.0.
pub(super) const ANY_PURPOSE: &[u8] = &[0x55, 0x1D, 0x25, 0x00];

impl Purpose {
    /// id-kp-serverAuth, id-kp-clientAuth.
    pub(super) const fn oid(self) -> &'static [u8] {
        match self {
            Self::Server => &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01],
            Self::Client => &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x02],
        }
    }
}

/// RFC 5280 §4.1.
fn parse(bytes: &[u8]) -> Option<Certificate<'_>> {
    let mut outer = Reader::new(der::only(bytes, der::SEQUENCE)?);
    let mut tbs = Reader::new(outer.expect(der::SEQUENCE)?);
    outer.expect(der::SEQUENCE)?;
    outer.expect(der::BIT_STRING)?;
    outer.end()?;

    let version = match tbs.optional(0xA0)? {
        None => 1,
        Some(version) => match der::only(version, der::INTEGER)? {
            [1] => 2,
            [2] => 3,
            _ => return None,
        },
    };
    tbs.expect(der::INTEGER)?;
    tbs.expect(der::SEQUENCE)?;
    let issuer = tbs.expect(der::SEQUENCE)?;
    let mut validity = Reader::new(tbs.expect(der::SEQUENCE)?);
    let subject = tbs.expect(der::SEQUENCE)?;
    let spki = tbs.expect_whole(der::SEQUENCE)?;
    let mut certificate = Certificate {
        issuer,
        subject,
        not_before: time(&mut validity)?,
        not_after: time(&mut validity)?,
        spki,
        version_3: version == 3,
        is_authority: false,
        key_usage: None,
        extended_key_usage: None,
        alternative_names: None,
    };
    validity.end()?;
    // issuerUniqueID and subjectUniqueID.
    tbs.optional(0x81)?;
    tbs.optional(0x82)?;
    if let Some(extensions) = tbs.optional(0xA3)? {
        if version != 3 {
            return None;
        }
        let mut extensions = Reader::new(der::only(extensions, der::SEQUENCE)?);
        while !extensions.is_empty() {
            extension(extensions.expect(der::SEQUENCE)?, &mut certificate)?;
        }
    }
    tbs.end()?;
    Some(certificate)
}

/// RFC 5280 §4.2. An extension may stand there once only.
fn extension<'a>(bytes: &'a [u8], certificate: &mut Certificate<'a>) -> Option<()> {
    let mut fields = Reader::new(bytes);
    let oid = fields.expect(der::OID)?;
    fields.optional(der::BOOLEAN)?;
    let value = fields.expect(der::OCTET_STRING)?;
    fields.end()?;
    match oid {
        [0x55, 0x1D, 0x0F] if certificate.key_usage.is_none() => {
            // The first byte holds the bits in use here; the first of all says how many of the
            // last byte are not.
            let bits = der::only(value, der::BIT_STRING)?;
            certificate.key_usage = Some(bits.get(1).copied().unwrap_or(0));
        }
        [0x55, 0x1D, 0x11] if certificate.alternative_names.is_none() => {
            certificate.alternative_names = Some(der::only(value, der::SEQUENCE)?);
        }
        [0x55, 0x1D, 0x13] => {
            let mut constraints = Reader::new(der::only(value, der::SEQUENCE)?);
            certificate.is_authority = constraints.optional(der::BOOLEAN)? == Some(&[0xFF]);
        }
        [0x55, 0x1D, 0x25] if certificate.extended_key_usage.is_none() => {
            certificate.extended_key_usage = Some(der::only(value, der::SEQUENCE)?);
        }
        [0x55, 0x1D, 0x0F | 0x11 | 0x25] => return None,
        _ => {}
    }
    Some(())
}

/// UTCTime or GeneralizedTime in the only forms of RFC 5280 §4.1.2.5, as seconds since 1970.
/// Earlier times are taken as 1970.
fn time(reader: &mut Reader<'_>) -> Option<u64> {
    let (tag, text) = reader.element()?;
    let digits = text.strip_suffix(b"Z")?;
    let two = |at: usize| -> Option<i64> {
        let [tens, ones] = *digits.get(at..at + 2)? else {
            return None;
        };
        (tens.is_ascii_digit() && ones.is_ascii_digit())
            .then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
    };
    let (year, rest) = match (tag, digits.len()) {
        (der::UTC_TIME, 12) => match two(0)? {
            year @ 50.. => (1900 + year, 2),
            year => (2000 + year, 2),
        },
        (der::GENERALIZED_TIME, 14) => (two(0)? * 100 + two(2)?, 4),
        _ => return None,
    };
    let (month, day) = (two(rest)?, two(rest + 2)?);
    let (hour, minute, second) = (two(rest + 4)?, two(rest + 6)?, two(rest + 8)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_in_month = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days_in_month).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Years that begin in March have their leap day at their end.
    let years = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * years + years.div_euclid(4) - years.div_euclid(100) + years.div_euclid(400)
        + day_of_year
        // 1970-01-01 counted that way.
        - 719_468;
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(u64::try_from(seconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tag: u8, text: &str) -> Option<u64> {
        let mut bytes = alloc::vec![tag, text.len() as u8];
        bytes.extend(text.as_bytes());
        time(&mut Reader::new(&bytes))
    }

    #[test]
    fn times_are_read_as_seconds_since_1970() {
        for (text, seconds) in [
            ("700101000000Z", 0),
            ("500101000000Z", 0),
            ("000229235959Z", 951_868_799),
            ("261124185500Z", 1_795_546_500),
            ("491231235959Z", 2_524_607_999),
        ] {
            assert_eq!(read(der::UTC_TIME, text), Some(seconds), "{text}");
        }
        // No well-defined end (RFC 5280 §4.1.2.5).
        assert_eq!(
            read(der::GENERALIZED_TIME, "99991231235959Z"),
            Some(253_402_300_799)
        );
        assert_eq!(
            read(der::GENERALIZED_TIME, "20500101000000Z"),
            Some(2_524_608_000)
        );
    }

    #[test]
    fn impossible_times_are_refused() {
        for text in [
            "260230000000Z",
            "250229000000Z",
            "261301000000Z",
            "260001000000Z",
            "260100000000Z",
            "260101240000Z",
            "260101006000Z",
            "260101000060Z",
            "2601010000Z",
            "260101000000+0100",
            "26010100000aZ",
            "",
        ] {
            assert_eq!(read(der::UTC_TIME, text), None, "{text}");
            assert_eq!(read(der::GENERALIZED_TIME, text), None, "{text}");
        }
        assert_eq!(read(der::GENERALIZED_TIME, "21000229000000Z"), None);
    }
}

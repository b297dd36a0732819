//! The names in a certificate: those that it is looked up by, and those that it is bound to an
//! endpoint name by.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::str;

use super::Certificate;
use crate::der::{self, Reader};

/// Where in a certificate the endpoint name stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NameSource {
    /// The common name of the subject, where LwM2M wants it.
    #[default]
    CommonName,
    /// A dNSName among the subject alternative names.
    DnsName,
    /// A uniformResourceIdentifier among the subject alternative names, such as `urn:dev:os:…`.
    Uri,
    /// An otherName among the subject alternative names whose value is a UTF8String, of any type.
    OtherName,
}

/// A GeneralName (RFC 5280 §4.2.1.6) of a kind that means something here.
enum AlternativeName<'a> {
    Dns(&'a str),
    Uri(&'a str),
    Ip(&'a [u8]),
    Other(&'a str),
}

impl<'a> Certificate<'a> {
    /// The names that it gives in this place; none when it has none there, or when the place is
    /// malformed. Whoever issues certificates says who may have them: the names are as good as the
    /// path.
    pub fn names(&self, source: NameSource) -> Vec<String> {
        if source == NameSource::CommonName {
            return self.common_name().into_iter().collect();
        }
        self.alternative_names()
            .filter_map(|name| match (source, name) {
                (NameSource::DnsName, AlternativeName::Dns(name))
                | (NameSource::Uri, AlternativeName::Uri(name))
                | (NameSource::OtherName, AlternativeName::Other(name)) => Some(name.to_owned()),
                _ => None,
            })
            .collect()
    }

    /// The most specific common name: the last one, which the text form of a name (RFC 4514 §2.1)
    /// puts to the left.
    fn common_name(&self) -> Option<String> {
        let mut found = None;
        let mut subject = Reader::new(self.subject);
        while !subject.is_empty() {
            let mut relative = Reader::new(subject.expect(der::SET)?);
            while !relative.is_empty() {
                let mut attribute = Reader::new(relative.expect(der::SEQUENCE)?);
                let oid = attribute.expect(der::OID)?;
                let (tag, value) = attribute.element()?;
                attribute.end()?;
                // id-at-commonName, 2.5.4.3.
                if oid == [0x55, 0x04, 0x03] {
                    found = Some(directory_string(tag, value)?);
                }
            }
        }
        found
    }

    fn alternative_names(&self) -> impl Iterator<Item = AlternativeName<'a>> {
        let mut names = Reader::new(self.alternative_names.unwrap_or_default());
        core::iter::from_fn(move || names.element()).filter_map(|(tag, value)| match tag {
            0xA0 => other_name(value).map(AlternativeName::Other),
            0x82 => ia5(value).map(AlternativeName::Dns),
            0x86 => ia5(value).map(AlternativeName::Uri),
            0x87 => Some(AlternativeName::Ip(value)),
            _ => None,
        })
    }

    /// Whether it is for the server of this name (RFC 6125 §6.4, RFC 7925 §4.4.1). The common name
    /// counts where no alternative name says a host, and there are no wildcards (RFC 7252
    /// §9.1.3.3).
    pub(super) fn is_for(&self, name: &ReferenceName) -> bool {
        let common_name = || self.common_name();
        match name {
            ReferenceName::Host(host) => {
                let same = |name: &str| trimmed(name).eq_ignore_ascii_case(host);
                let mut says_host = false;
                for name in self.alternative_names() {
                    match name {
                        AlternativeName::Dns(name) if same(name) => return true,
                        AlternativeName::Dns(_) | AlternativeName::Uri(_) => says_host = true,
                        AlternativeName::Ip(_) | AlternativeName::Other(_) => {}
                    }
                }
                !says_host && common_name().is_some_and(|name| same(&name))
            }
            ReferenceName::Address(address) => {
                let octets = |address: &IpAddr, bytes: &[u8]| match address {
                    IpAddr::V4(address) => address.octets() == bytes,
                    IpAddr::V6(address) => address.octets() == bytes,
                };
                if self.alternative_names.is_some() {
                    return self.alternative_names().any(
                        |name| matches!(name, AlternativeName::Ip(bytes) if octets(address, bytes)),
                    );
                }
                common_name().is_some_and(|name| name.parse() == Ok(*address))
            }
        }
    }
}

/// The name by which a server was looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ReferenceName {
    /// Without a dot at its end.
    Host(String),
    Address(IpAddr),
}

impl ReferenceName {
    /// From the host of a URI or the name of `/0/x/14`; `None` for an empty one.
    pub(super) fn new(host: &str) -> Option<Self> {
        let literal = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        if let Ok(address) = literal.parse() {
            return Some(Self::Address(address));
        }
        let host = trimmed(host);
        (!host.is_empty()).then(|| Self::Host(host.to_owned()))
    }
}

fn trimmed(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// OtherName: a type, and its value behind an explicit tag.
fn other_name(bytes: &[u8]) -> Option<&str> {
    let mut fields = Reader::new(bytes);
    fields.expect(der::OID)?;
    let value = der::only(fields.expect(0xA0)?, der::UTF8_STRING)?;
    fields.end()?;
    str::from_utf8(value).ok()
}

fn ia5(bytes: &[u8]) -> Option<&str> {
    if bytes.is_ascii() {
        str::from_utf8(bytes).ok()
    } else {
        None
    }
}

/// DirectoryString (RFC 5280 §4.1.2.4), and IA5String, which some use in its place. TeletexString
/// has no one meaning, so only ASCII is taken.
fn directory_string(tag: u8, value: &[u8]) -> Option<String> {
    match tag {
        der::UTF8_STRING => str::from_utf8(value).ok().map(ToOwned::to_owned),
        // PrintableString, TeletexString, IA5String.
        0x13 | 0x14 | 0x16 => ia5(value).map(ToOwned::to_owned),
        // BMPString.
        0x1E if value.len().is_multiple_of(2) => {
            let units = value
                .chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).collect::<Result<_, _>>().ok()
        }
        // UniversalString.
        0x1C if value.len().is_multiple_of(4) => value
            .chunks_exact(4)
            .map(|four| char::from_u32(u32::from_be_bytes([four[0], four[1], four[2], four[3]])))
            .collect(),
        _ => None,
    }
}

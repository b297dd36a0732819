//! Package URIs: `coap://host:port/path?query` (RFC 7252 §6.1).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use dunlin_coap::{MessageWriter, OptionNumber, WriteError, path};

/// The port of `coap` (RFC 7252 §6.1).
const DEFAULT_PORT: u16 = 5683;

/// Why a URI cannot be fetched from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UriFault {
    /// It is not a URI, or names a host that is not known.
    Invalid,
    /// It has a scheme other than `coap`.
    UnsupportedProtocol,
}

/// The parts of a URI with the scheme `coap`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source<'a> {
    /// A name or a literal address; that of IPv6 without its brackets.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    path: &'a str,
    query: &'a str,
}

impl<'a> Source<'a> {
    pub(crate) fn parse(uri: &'a str) -> Result<Self, UriFault> {
        let (scheme, rest) = uri.split_once("://").ok_or(UriFault::Invalid)?;
        // RFC 3986 §3.1.
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        if !is_scheme {
            return Err(UriFault::Invalid);
        }
        if !scheme.eq_ignore_ascii_case("coap") {
            return Err(UriFault::UnsupportedProtocol);
        }
        // A fragment has no place in a CoAP URI (RFC 7252 §6.4), nor has a user name.
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, local) = rest.split_at(end);
        if rest.contains('#') || authority.contains('@') {
            return Err(UriFault::Invalid);
        }
        let (host, port) = split_authority(authority).ok_or(UriFault::Invalid)?;
        let (path, query) = local.split_once('?').unwrap_or((local, ""));
        let source = Self {
            host,
            port,
            path,
            query,
        };
        // Percent-encodings and segments are tried once, so that they do not fail later.
        let mut scratch = [0; 512];
        let mut writer = MessageWriter::new(
            &mut scratch,
            dunlin_coap::Type::Confirmable,
            dunlin_coap::Code::GET,
            0,
            &[],
        );
        source
            .write(&mut writer, false)
            .map_err(|_| UriFault::Invalid)?;
        writer.finish().map_err(|_| UriFault::Invalid)?;
        Ok(source)
    }

    /// The address of the host; `resolve` is asked for names.
    pub(crate) fn address(
        &self,
        resolve: impl FnOnce(&str) -> Option<IpAddr>,
    ) -> Option<SocketAddr> {
        let ip = match self.literal() {
            Some(ip) => ip,
            None => resolve(self.host)?,
        };
        Some(SocketAddr::new(ip, self.port))
    }

    fn literal(&self) -> Option<IpAddr> {
        let v4 = self.host.parse::<Ipv4Addr>().map(IpAddr::V4);
        let v6 = self.host.parse::<Ipv6Addr>().map(IpAddr::V6);
        v4.or(v6).ok()
    }

    /// Adds Uri-Host, Uri-Path and Uri-Query; a name is told, an address is known from the
    /// datagram (RFC 7252 §5.10.1). Uri-Port is always the port the datagram goes to.
    pub(crate) fn write_options(&self, writer: &mut MessageWriter<'_>) -> Result<(), WriteError> {
        self.write(writer, self.literal().is_none())
    }

    fn write(&self, writer: &mut MessageWriter<'_>, tells_host: bool) -> Result<(), WriteError> {
        if tells_host {
            writer.option(OptionNumber::URI_HOST, self.host.as_bytes());
        }
        path::write(writer, self.path)?;
        path::write_query(writer, self.query)
    }
}

fn split_authority(authority: &str) -> Option<(&str, u16)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, behind) = rest.split_once(']')?;
            host.parse::<Ipv6Addr>().ok()?;
            let port = match behind {
                "" => "",
                behind => behind.strip_prefix(':')?,
            };
            (host, port)
        }
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    let is_host = !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~:".contains(&byte));
    if !is_host {
        return None;
    }
    let port = match port {
        "" => DEFAULT_PORT,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
        _ => return None,
    };
    (port != 0).then_some((host, port))
}

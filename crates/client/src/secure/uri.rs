//! Where `coaps://HOST[:PORT]` leads (RFC 7252 §6.2).

use core::fmt;
use core::net::{IpAddr, Ipv6Addr};

/// Scheme, host and port of a server URI. A path or a query plays no part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerUri<'a> {
    /// Whether it is `coaps`.
    pub is_secure: bool,
    /// A name, or the literal of an address without brackets.
    pub host: &'a str,
    /// The port; 5684 when it is left out, without security 5683.
    pub port: u16,
}

/// Why a text is no server URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UriError;

impl fmt::Display for UriError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected coap://HOST, coaps://HOST, or the same with :PORT")
    }
}

impl core::error::Error for UriError {}

impl<'a> ServerUri<'a> {
    /// Takes a URI apart.
    ///
    /// ```
    /// use dunlin_client::secure::ServerUri;
    /// let uri = ServerUri::parse("coaps://lwm2m.example.com")?;
    /// assert_eq!((uri.host, uri.port), ("lwm2m.example.com", 5684));
    /// # Ok::<(), dunlin_client::secure::UriError>(())
    /// ```
    pub fn parse(uri: &'a str) -> Result<Self, UriError> {
        let (scheme, rest) = uri.split_once("://").ok_or(UriError)?;
        let is_secure = match scheme {
            _ if scheme.eq_ignore_ascii_case("coaps") => true,
            _ if scheme.eq_ignore_ascii_case("coap") => false,
            _ => return Err(UriError),
        };
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(UriError)?;
                host.parse::<Ipv6Addr>().map_err(|_| UriError)?;
                (
                    host,
                    port.strip_prefix(':').or(port.is_empty().then_some("")),
                )
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, Some("")),
            },
        };
        let port = match port.ok_or(UriError)? {
            "" if is_secure => 5684,
            "" => 5683,
            port if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                port.parse().map_err(|_| UriError)?
            }
            _ => return Err(UriError),
        };
        if host.is_empty() || port == 0 || host.contains(['@', '#', ' ']) {
            return Err(UriError);
        }
        Ok(Self {
            is_secure,
            host,
            port,
        })
    }

    /// The host as a name, which can be sent as SNI; `None` for the literal of an address
    /// (RFC 6066 §3).
    pub fn name(&self) -> Option<&'a str> {
        self.host.parse::<IpAddr>().is_err().then_some(self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_and_names() {
        for (uri, is_secure, host, port, is_name) in [
            ("coaps://a.example", true, "a.example", 5684, true),
            ("coap://a.example", false, "a.example", 5683, true),
            ("COAPS://a.example:1/rd?x", true, "a.example", 1, true),
            ("coaps://192.0.2.1", true, "192.0.2.1", 5684, false),
            ("coaps://[::1]", true, "::1", 5684, false),
            ("coaps://[2001:db8::1]:9/", true, "2001:db8::1", 9, false),
        ] {
            let parsed = ServerUri::parse(uri).expect(uri);
            assert_eq!(
                (parsed.is_secure, parsed.host, parsed.port),
                (is_secure, host, port)
            );
            assert_eq!(parsed.name().is_some(), is_name, "{uri}");
        }
        for uri in [
            "",
            "a.example",
            "http://a.example",
            "coaps://",
            "coaps://:1",
            "coaps://a:65536",
            "coaps://a:0",
            "coaps://a:+1",
            "coaps://[::1",
            "coaps://[::1]1",
            "coaps://[a.example]",
            "coaps://user@a.example",
        ] {
            assert_eq!(ServerUri::parse(uri), Err(UriError), "{uri}");
        }
    }
}

//! Where a server is.

use std::net::{SocketAddr, ToSocketAddrs};

use anyhow::{Context, bail};
use dunlin_client::secure::ServerUri;

/// The address of `coap://HOST[:PORT]`, the port being 5683 when it is left out, of the family of
/// `bind`. `option` is the one that gave the URI.
pub(crate) fn resolve(
    option: &str,
    uri: &str,
    bind: Option<SocketAddr>,
) -> anyhow::Result<SocketAddr> {
    match resolve_any(option, uri, bind)? {
        (address, false) => Ok(address),
        (_, true) => bail!("{option} {uri}: only coap:// is there, as in coap://127.0.0.1:5683"),
    }
}

/// The same, and whether it is `coaps://HOST[:PORT]`, whose port is 5684 when it is left out.
pub(crate) fn resolve_any(
    option: &str,
    uri: &str,
    bind: Option<SocketAddr>,
) -> anyhow::Result<(SocketAddr, bool)> {
    let server = ServerUri::parse(uri).with_context(|| format!("{option} {uri}"))?;
    let rest = uri.split_once("://").map_or("", |(_, rest)| rest);
    if rest.trim_end_matches('/').contains(['/', '?']) {
        bail!("{option} {uri}: expected coap://HOST or coap://HOST:PORT");
    }
    let addresses = (server.host, server.port)
        .to_socket_addrs()
        .with_context(|| format!("{option} {uri}: the host is unknown"))?;
    let fits = |address: &SocketAddr| bind.is_none_or(|bind| bind.is_ipv4() == address.is_ipv4());
    let address = addresses
        .into_iter()
        .find(fits)
        .with_context(|| format!("{option} {uri}: no address of the family of --bind"))?;
    Ok((address, server.is_secure))
}

#[cfg(test)]
mod tests {
    use super::{resolve, resolve_any};

    #[test]
    fn uris_name_host_and_port() {
        for (uri, address) in [
            ("coap://127.0.0.1", "127.0.0.1:5683"),
            ("coap://127.0.0.1:5690", "127.0.0.1:5690"),
            ("coap://127.0.0.1/", "127.0.0.1:5683"),
            ("coap://[::1]", "[::1]:5683"),
            ("coap://[::1]:1234/", "[::1]:1234"),
        ] {
            assert_eq!(
                resolve("--server", uri, None).unwrap().to_string(),
                address,
                "{uri}"
            );
        }
        for uri in [
            "coaps://127.0.0.1",
            "127.0.0.1:5683",
            "coap://",
            "coap://127.0.0.1/path",
            "coap://127.0.0.1:99999",
        ] {
            assert!(resolve("--server", uri, None).is_err(), "{uri}");
        }
        let secure = resolve_any("--server", "coaps://127.0.0.1", None).unwrap();
        assert_eq!(secure, ("127.0.0.1:5684".parse().unwrap(), true));
        let bind = Some("[::1]:0".parse().unwrap());
        assert!(resolve("--server", "coap://127.0.0.1", bind).is_err());
    }
}

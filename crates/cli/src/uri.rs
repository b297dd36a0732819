//! Where a server is.

use std::net::{SocketAddr, ToSocketAddrs};

use anyhow::{Context, bail};

/// The address of `coap://HOST[:PORT]`, the port being 5683 when it is left out, of the family of
/// `bind`. `option` is the one that gave the URI.
pub(crate) fn resolve(
    option: &str,
    uri: &str,
    bind: Option<SocketAddr>,
) -> anyhow::Result<SocketAddr> {
    let Some(authority) = uri.strip_prefix("coap://") else {
        bail!("{option} {uri}: only coap:// is there so far, as in coap://127.0.0.1:5683");
    };
    let authority = authority.trim_end_matches('/');
    if authority.is_empty() || authority.contains(['/', '?', '#', '@']) {
        bail!("{option} {uri}: expected coap://HOST or coap://HOST:PORT");
    }
    let has_port = authority.rsplit_once(':').is_some_and(|(host, port)| {
        !host.ends_with(':') && !port.ends_with(']') && !port.is_empty()
    });
    let with_port = if has_port {
        authority.to_owned()
    } else {
        format!("{}:5683", authority.trim_end_matches(':'))
    };
    let addresses = with_port
        .to_socket_addrs()
        .with_context(|| format!("{option} {uri}: the host is unknown"))?;
    let fits = |address: &SocketAddr| bind.is_none_or(|bind| bind.is_ipv4() == address.is_ipv4());
    addresses
        .into_iter()
        .find(fits)
        .with_context(|| format!("{option} {uri}: no address of the family of --bind"))
}

#[cfg(test)]
mod tests {
    use super::resolve;

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
        let bind = Some("[::1]:0".parse().unwrap());
        assert!(resolve("--server", "coap://127.0.0.1", bind).is_err());
    }
}

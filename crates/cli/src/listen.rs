//! Where the server listens for devices: with security, and without only where that is no risk or
//! asked for.

use std::net::SocketAddr;

use anyhow::bail;
use clap::Args;
use dunlin_dtls::ExtendedMasterSecret;
use dunlin_server::DtlsConfig;

const COAPS: SocketAddr = SocketAddr::new(
    std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
    DEFAULT_PORT + 1,
);
/// Of `coap`; that of `coaps` is the next one (RFC 7252 §6.1, §6.2).
const DEFAULT_PORT: u16 = 5683;

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ListenArgs {
    /// Where devices register with security (LwM2M over CoAP and DTLS); port 0 picks a free one
    /// [default: the address of --coap with the next port, or else 127.0.0.1:5684]
    #[arg(long, value_name = "ADDR:PORT")]
    coaps: Option<SocketAddr>,
    /// Where devices register without security (LwM2M over CoAP and UDP); port 0 picks a free one.
    /// Beyond loopback it needs --nosec [default: the address of --coaps with the port before it, if
    /// that is a loopback address]
    #[arg(long, value_name = "ADDR:PORT")]
    coap: Option<SocketAddr>,
    /// Let devices register without security also at an address that others can reach: anybody there
    /// can then be any device that has no credentials, and read and change what is sent
    #[arg(long)]
    nosec: bool,
    /// Do not listen without security
    #[arg(long, conflicts_with_all = ["coap", "nosec"])]
    no_coap: bool,
    /// Do not listen with security
    #[arg(long, conflicts_with_all = ["coaps", "no_coap"])]
    no_coaps: bool,
    /// Take cipher suites with CBC as well, for devices that have no others
    #[arg(long)]
    dtls_cbc: bool,
    /// Take devices that do not know the extended master secret (RFC 7627)
    #[arg(long)]
    dtls_without_ems: bool,
}

/// What the arguments come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Listen {
    pub(crate) coap: Option<SocketAddr>,
    pub(crate) coaps: Option<SocketAddr>,
}

impl ListenArgs {
    pub(crate) fn resolve(&self) -> anyhow::Result<Listen> {
        let coaps = match (self.coaps, self.coap) {
            _ if self.no_coaps => None,
            (Some(coaps), _) => Some(coaps),
            (None, Some(coap)) => Some(shifted(coap, 1)),
            (None, None) => Some(COAPS),
        };
        let coap = match self.coap {
            _ if self.no_coap => None,
            Some(coap) if !self.nosec && !is_loopback(coap) => bail!(
                "--coap {coap}: others could reach this address, and there is no security. Use \
                 --coaps {} and give each device credentials (dunlin credentials add), or add \
                 --nosec if everyone who can reach it may be any device",
                shifted(coap, 1)
            ),
            Some(coap) => Some(coap),
            None => {
                let beside = shifted(coaps.unwrap_or(COAPS), -1);
                (self.nosec || is_loopback(beside)).then_some(beside)
            }
        };
        Ok(Listen { coap, coaps })
    }

    pub(crate) fn dtls(&self) -> DtlsConfig {
        DtlsConfig {
            cbc: self.dtls_cbc,
            extended_master_secret: if self.dtls_without_ems {
                ExtendedMasterSecret::Optional
            } else {
                ExtendedMasterSecret::Required
            },
            ..DtlsConfig::default()
        }
    }
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// The address with a port beside it; port 0 stays.
fn shifted(address: SocketAddr, by: i16) -> SocketAddr {
    let port = match address.port() {
        0 => 0,
        port => port.checked_add_signed(by).unwrap_or(0),
    };
    SocketAddr::new(address.ip(), port)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        listen: ListenArgs,
    }

    fn resolve(words: &str) -> anyhow::Result<(String, String)> {
        let words = ["dunlin"].into_iter().chain(words.split_whitespace());
        let Listen { coap, coaps } = Command::try_parse_from(words)?.listen.resolve()?;
        let text = |address: Option<SocketAddr>| match address {
            Some(address) => address.to_string(),
            None => "off".to_owned(),
        };
        Ok((text(coap), text(coaps)))
    }

    #[test]
    fn without_security_only_on_loopback_or_when_asked_for() {
        for (words, coap, coaps) in [
            ("", "127.0.0.1:5683", "127.0.0.1:5684"),
            ("--no-coap", "off", "127.0.0.1:5684"),
            ("--no-coaps", "127.0.0.1:5683", "off"),
            ("--coap 127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"),
            ("--coap [::1]:7000", "[::1]:7000", "[::1]:7001"),
            ("--coap 127.0.0.1:65535", "127.0.0.1:65535", "127.0.0.1:0"),
            ("--coaps 0.0.0.0:5684", "off", "0.0.0.0:5684"),
            (
                "--coaps 0.0.0.0:5684 --nosec",
                "0.0.0.0:5683",
                "0.0.0.0:5684",
            ),
            ("--coaps 127.0.0.1:7001", "127.0.0.1:7000", "127.0.0.1:7001"),
            (
                "--coap 0.0.0.0:5683 --nosec",
                "0.0.0.0:5683",
                "0.0.0.0:5684",
            ),
            (
                "--coap 127.0.0.1:5683 --coaps [::]:5684",
                "127.0.0.1:5683",
                "[::]:5684",
            ),
            (
                "--coap 192.0.2.1:1 --nosec --no-coaps",
                "192.0.2.1:1",
                "off",
            ),
        ] {
            let (found_coap, found_coaps) = resolve(words).unwrap();
            assert_eq!((&*found_coap, &*found_coaps), (coap, coaps), "{words:?}");
        }
        for words in [
            "--coap 0.0.0.0:5683",
            "--coap [::]:5683 --coaps [::]:5684",
            "--coap [::ffff:192.0.2.1]:5683",
            "--coap 192.0.2.1:5683 --no-coaps",
        ] {
            let refused = resolve(words).unwrap_err().to_string();
            assert!(refused.contains("--nosec"), "{words}: {refused}");
        }
        for words in ["--no-coap --no-coaps", "--no-coap --coap 127.0.0.1:1"] {
            assert!(resolve(words).is_err(), "{words}");
        }
    }
}

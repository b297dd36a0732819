//! What the options say of keys, and how they get into the accounts.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use dunlin_client::objects::{Security, text};
use dunlin_client::secure::{Reason, SessionStatus, Settings, Suite};
use dunlin_client::{ConnectionFault, FixedKeys};
use dunlin_dtls::{KeyPair, PublicKey};

use super::sessions::Sessions;

/// Room for a chain of certificates, for one of the server, for a private key.
pub(crate) type Keys = FixedKeys<4096, 2048, 256>;

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Security, for servers at coaps://")]
pub(super) struct SecurityArgs {
    /// Pre-shared key in hexadecimal digits behind its identity, as in
    /// dev-1:00112233445566778899aabbccddeeff
    #[arg(
        long,
        value_name = "IDENTITY:HEXKEY",
        env = "DUNLIN_PSK",
        hide_env_values = true,
        conflicts_with_all = ["rpk", "cert"]
    )]
    psk: Option<String>,
    /// Private key of the device (PEM or DER, P-256), to be known by its raw public key
    #[arg(
        long,
        value_name = "FILE",
        requires = "server_key",
        conflicts_with = "cert"
    )]
    rpk: Option<PathBuf>,
    /// With --rpk: public key of the server (PEM or DER)
    #[arg(long, value_name = "FILE", requires = "rpk")]
    server_key: Option<PathBuf>,
    /// Certificate of the device, with those of intermediate authorities behind it (PEM or DER)
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// With --cert: its private key (PEM or DER, P-256)
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// With --cert: certificate of an authority that vouches for the server
    #[arg(long, value_name = "FILE", requires = "cert")]
    ca: Option<PathBuf>,
    /// With --cert: certificate of the server itself
    #[arg(long, value_name = "FILE", requires = "cert", conflicts_with = "ca")]
    server_cert: Option<PathBuf>,
    /// What the certificate is, as in /0/x/15: 0 an authority on the way to --trust, 1 the server's
    /// with a way to --trust, 2 the authority to trust, 3 the server's, which is enough
    /// [default: 2 with --ca, 3 with --server-cert]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=3))]
    cert_usage: Option<u8>,
    /// Trust store of the device: certificates of authorities, for --cert-usage 0 and 1
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Name of the server in its certificate and in the handshake [default: the host of its URI]
    #[arg(long, value_name = "NAME")]
    sni: Option<String>,
    /// Keep sessions in this file: after `sleep` in the shell, or when it was killed, the device
    /// goes on without a handshake. The file is as secret as the key
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

impl SecurityArgs {
    /// Whether there is something to be secure with.
    pub(super) const fn has_credentials(&self) -> bool {
        self.psk.is_some() || self.rpk.is_some() || self.cert.is_some()
    }

    /// The account of a server.
    pub(super) fn account(&self, uri: &str, is_secure: bool) -> anyhow::Result<Security<Keys>> {
        if !is_secure {
            return Security::no_sec(uri).with_context(|| format!("--server {uri} is too long"));
        }
        let mut account = if let Some(psk) = &self.psk {
            let (identity, key) = parse_psk(psk)?;
            Security::psk(uri, identity.as_bytes(), &key).context("--psk is too long")?
        } else if let Some(rpk) = &self.rpk {
            let key = private_key("--rpk", rpk)?;
            let server = self
                .server_key
                .as_deref()
                .context("--server-key is missing")?;
            let server = public_key("--server-key", server)?;
            Security::raw_public_key(uri, key.public_key(), &key.to_der(), &server)
                .context("--rpk")?
        } else if let Some(cert) = &self.cert {
            self.certificate(uri, cert)?
        } else {
            bail!(
                "--server {uri}: coaps needs credentials: --psk IDENTITY:HEXKEY, --rpk FILE with \
                 --server-key FILE, or --cert FILE with --key FILE and --ca or --server-cert FILE"
            );
        };
        if let Some(name) = &self.sni {
            account.sni = Some(text(name));
        }
        Ok(account)
    }

    fn certificate(&self, uri: &str, cert: &Path) -> anyhow::Result<Security<Keys>> {
        let chain = dunlin_dtls::certificates(&read("--cert", cert)?)
            .with_context(|| format!("--cert {}", cert.display()))?
            .concat();
        let key = self.key.as_deref().context("--key is missing")?;
        let key = private_key("--key", key)?;
        let (option, path, usage) = match (&self.ca, &self.server_cert) {
            (Some(path), _) => ("--ca", path, 2),
            (None, Some(path)) => ("--server-cert", path, 3),
            (None, None) => bail!(
                "--cert: who is the server? Give its certificate with --server-cert FILE, or that \
                 of its authority with --ca FILE"
            ),
        };
        let server = dunlin_dtls::certificates(&read(option, path)?)
            .with_context(|| format!("{option} {}", path.display()))?;
        let [server] = server.as_slice() else {
            bail!("{option} {}: expected one certificate", path.display());
        };
        let usage = self.cert_usage.unwrap_or(usage);
        if usage < 2 && self.trust.is_none() {
            bail!("--cert-usage {usage} needs a trust store: --trust FILE");
        }
        Security::certificate(uri, &chain, &key.to_der(), server, usage)
            .context("a certificate is too large")
    }

    pub(super) fn settings(&self) -> anyhow::Result<Settings> {
        let mut settings = Settings::default();
        if let Some(trust) = &self.trust {
            let bytes = read("--trust", trust)?;
            dunlin_dtls::certificates(&bytes)
                .with_context(|| format!("--trust {}", trust.display()))?;
            settings.trust_store.push(bytes.into());
        }
        Ok(settings)
    }

    pub(super) fn sessions(&self) -> anyhow::Result<Sessions> {
        match &self.state {
            Some(path) => Sessions::in_file(path),
            None => Ok(Sessions::in_memory()),
        }
    }
}

fn read(option: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{option} {}", path.display()))
}

fn private_key(option: &str, path: &Path) -> anyhow::Result<KeyPair> {
    KeyPair::from_bytes(&read(option, path)?)
        .with_context(|| format!("{option} {}", path.display()))
}

/// A public key as SubjectPublicKeyInfo: PEM, DER, or that of a private key.
fn public_key(option: &str, path: &Path) -> anyhow::Result<Vec<u8>> {
    let bytes = read(option, path)?;
    let key =
        PublicKey::from_bytes(&bytes).with_context(|| format!("{option} {}", path.display()))?;
    Ok(key.spki().to_vec())
}

/// Identity and key; the key is behind the last colon.
fn parse_psk(psk: &str) -> anyhow::Result<(&str, Vec<u8>)> {
    let (identity, digits) = psk
        .rsplit_once(':')
        .context("--psk: expected IDENTITY:HEXKEY, as in dev-1:00112233445566778899aabbccddeeff")?;
    let is_hex = digits.len() % 2 == 0 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if identity.is_empty() || digits.is_empty() || !is_hex {
        bail!("--psk: expected an identity, a colon, and pairs of hexadecimal digits");
    }
    let key = (0..digits.len())
        .step_by(2)
        .filter_map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok())
        .collect();
    Ok((identity, key))
}

/// Why there is no association.
pub(super) fn fault(fault: ConnectionFault, status: Option<SessionStatus>) -> String {
    if let Some(problem) = status.and_then(|status| status.problem) {
        return problem.to_string();
    }
    let ended = status.and_then(|status| status.ended);
    match (fault, ended) {
        (ConnectionFault::Alert(_), Some(Reason::AlertReceived(alert))) => {
            format!("the server sent alert {} ({alert})", alert.number())
        }
        (ConnectionFault::Alert(number), _) => format!("the server sent alert {number}"),
        (ConnectionFault::Refused, Some(Reason::AlertSent(alert))) => {
            format!("the device refuses the server ({alert})")
        }
        (ConnectionFault::Refused, _) => "the credentials do not fit".to_owned(),
        (ConnectionFault::Silent, Some(Reason::CloseNotify)) => "the server closed it".to_owned(),
        (ConnectionFault::Silent, _) => "no answer".to_owned(),
    }
}

/// The name in the registry.
const fn suite_name(suite: Suite) -> &'static str {
    match suite {
        Suite::PskAes128CbcSha256 => "TLS_PSK_WITH_AES_128_CBC_SHA256",
        Suite::EcdheEcdsaAes128CbcSha256 => "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
        Suite::EcdheEcdsaAes128GcmSha256 => "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        Suite::EcdhePskAes128CbcSha256 => "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256",
        Suite::PskAes128Ccm8 => "TLS_PSK_WITH_AES_128_CCM_8",
        Suite::EcdheEcdsaAes128Ccm8 => "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8",
    }
}

/// A session in words.
pub(super) fn describe(status: &SessionStatus) -> String {
    use dunlin_client::Context::{Kept, New, Resumed};
    let mut words = Vec::new();
    if status.is_up {
        words.push("up".to_owned());
        words.extend(status.suite.map(|suite| suite_name(suite).to_owned()));
        words.push(
            if status.has_connection_id {
                "outlives another address (connection id)"
            } else {
                "ends with the address of the device"
            }
            .to_owned(),
        );
        words.push(
            match status.context {
                New => "by a full handshake",
                Resumed => "by resumption",
                Kept => "kept, without a handshake",
            }
            .to_owned(),
        );
    } else if status.is_connecting {
        words.push("handshake under way".to_owned());
    } else {
        words.push("down".to_owned());
        words.extend(status.problem.map(|problem| problem.to_string()));
    }
    if status.can_resume {
        words.push("can be resumed".to_owned());
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_behind_the_last_colon() {
        let key = |psk: &str| {
            parse_psk(psk)
                .map(|(identity, key)| (identity.to_owned(), key))
                .ok()
        };
        assert_eq!(
            key("urn:dev:os:1:00fF"),
            Some(("urn:dev:os:1".to_owned(), vec![0, 0xFF]))
        );
        for psk in ["dev", "dev:", ":00", "dev:0", "dev:0g", "dev:é0"] {
            assert_eq!(key(psk), None, "{psk}");
        }
    }

    #[test]
    fn what_is_missing_is_told() {
        let none = SecurityArgs::default();
        let error = none
            .account("coaps://a.example", true)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("--psk") && error.contains("--rpk"),
            "{error}"
        );
        assert!(none.account("coap://a.example", false).is_ok());
        let psk = SecurityArgs {
            psk: Some("dev:0011".to_owned()),
            sni: Some("name.example".to_owned()),
            ..SecurityArgs::default()
        };
        let account = psk.account("coaps://192.0.2.1", true).unwrap();
        assert_eq!(account.security_mode, Security::PSK);
        assert_eq!(account.sni.as_deref(), Some("name.example"));
        // The key is for coaps alone.
        let account = psk.account("coap://192.0.2.1", false).unwrap();
        assert_eq!(account.security_mode, Security::NO_SEC);
        assert!(account.identity.is_empty());
    }
}

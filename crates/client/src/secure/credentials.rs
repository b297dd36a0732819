//! From the Security object to what DTLS needs: resources 0, 2 to 5, 13 to 16 and 24.

use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use dunlin_dtls::{
    CertificateError, CertificateUsage, ClientConfig, ClientCredentials, ExpectedServer, KeyError,
    KeyPair, Matching, Secret, Suite, WallClock, certificates,
};

use super::Settings;
use super::engine::AccountKeys;
use super::uri::ServerUri;
use crate::objects::Security;

/// Bits of `/0/x/24`.
const SNI: u16 = 1 << 0;
const CONNECTION_ID: u16 = 1 << 12;

/// Why an account cannot be connected to, whatever the server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialError {
    /// `/0/x/0` is no URI of the scheme coaps.
    Uri,
    /// Security Mode 4 (EST): the device cannot ask for a certificate. Give it one, in mode 2.
    Est,
    /// `/0/x/2` is none of 0 to 4.
    Mode,
    /// A PSK identity or key is missing.
    Psk,
    /// `/0/x/5` is no private key that can be used.
    Key(KeyError),
    /// `/0/x/3` is no certificate, or not that of the key in `/0/x/5`.
    Certificate(CertificateError),
    /// `/0/x/3` and `/0/x/5` do not belong together.
    Mismatch,
    /// `/0/x/4` cannot stand for the server, as `/0/x/13` and `/0/x/15` describe it.
    Server(CertificateError),
    /// Of the cipher suites in `/0/x/16` none is there, or none fits the Security Mode.
    Suites,
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri => f.write_str("the server URI (/0/x/0) is not coaps://HOST"),
            Self::Est => f.write_str(
                "security mode 4 (certificates by EST) is not supported: provision a certificate \
                 and use mode 2",
            ),
            Self::Mode => f.write_str("the security mode (/0/x/2) is none of 0 to 3"),
            Self::Psk => f.write_str("the PSK identity (/0/x/3) or key (/0/x/5) is empty"),
            Self::Key(error) => write!(f, "the private key (/0/x/5): {error}"),
            Self::Certificate(error) => write!(f, "the certificate (/0/x/3): {error}"),
            Self::Mismatch => {
                f.write_str("the private key (/0/x/5) is not that of the public one (/0/x/3)")
            }
            Self::Server(error) => write!(f, "the server public key (/0/x/4): {error}"),
            Self::Suites => f.write_str("no cipher suite of /0/x/16 can be used"),
        }
    }
}

impl core::error::Error for CredentialError {}

/// The configuration of an account. `clock` is what the wall says now, where that is known.
pub(super) fn config(
    keys: &AccountKeys<'_>,
    settings: &Settings,
    clock: Option<WallClock>,
) -> Result<ClientConfig, CredentialError> {
    let uri = ServerUri::parse(keys.uri)
        .ok()
        .filter(|uri| uri.is_secure)
        .ok_or(CredentialError::Uri)?;
    let matching = u64::from(keys.matching.unwrap_or(0));
    let matching =
        Matching::from_number(matching).ok_or(CredentialError::Server(CertificateError::Malformed));
    let credentials = match keys.mode {
        Security::PSK => {
            if keys.identity.is_empty() || keys.secret.is_empty() {
                return Err(CredentialError::Psk);
            }
            ClientCredentials::Psk {
                identity: keys.identity.to_vec(),
                key: Secret::new(keys.secret),
            }
        }
        Security::RAW_PUBLIC_KEY => {
            let key = KeyPair::from_bytes(keys.secret).map_err(CredentialError::Key)?;
            if !keys.identity.is_empty() && keys.identity != key.public_key() {
                return Err(CredentialError::Mismatch);
            }
            let server = ExpectedServer::raw_public_key(keys.server_key, matching?)
                .map_err(CredentialError::Server)?;
            ClientCredentials::RawPublicKey {
                key,
                verifier: Box::new(server),
            }
        }
        Security::CERTIFICATE => {
            let key = KeyPair::from_bytes(keys.secret).map_err(CredentialError::Key)?;
            let chain = certificates(keys.identity).map_err(CredentialError::Certificate)?;
            let leaf = chain
                .first()
                .ok_or(CredentialError::Certificate(CertificateError::Missing))?;
            let leaf = dunlin_dtls::Certificate::parse(leaf)
                .and_then(|leaf| leaf.public_key())
                .map_err(CredentialError::Certificate)?;
            if leaf.spki() != key.public_key() {
                return Err(CredentialError::Mismatch);
            }
            ClientCredentials::Certificate {
                chain,
                key,
                verifier: Box::new(expected(keys, settings, &uri, matching?, clock)?),
            }
        }
        Security::EST => return Err(CredentialError::Est),
        _ => return Err(CredentialError::Mode),
    };
    let is_psk = keys.mode == Security::PSK;
    let mut config = ClientConfig::new(credentials);
    let mut wanted = keys.suites().peekable();
    if wanted.peek().is_some() {
        config.suites = wanted
            .filter_map(|number| Suite::from_code(u16::try_from(number).ok()?))
            .filter(|suite| {
                is_psk != (suite.key_exchange() == dunlin_dtls::KeyExchange::EcdheEcdsa)
            })
            .collect();
        if config.suites.is_empty() {
            return Err(CredentialError::Suites);
        }
    }
    let uses = |bit: u16| keys.extensions.is_none_or(|bits| bits & bit != 0);
    if !uses(CONNECTION_ID) {
        config.connection_id = None;
    }
    config.server_name = keys
        .sni
        .or(uri.name())
        .filter(|_| uses(SNI) || keys.sni.is_some())
        .map(ToString::to_string);
    config.extended_master_secret = settings.extended_master_secret;
    config.mtu = settings.mtu;
    config.retransmission = settings.retransmission;
    Ok(config)
}

/// What the server's certificate is judged by.
fn expected(
    keys: &AccountKeys<'_>,
    settings: &Settings,
    uri: &ServerUri<'_>,
    matching: Matching,
    clock: Option<WallClock>,
) -> Result<ExpectedServer, CredentialError> {
    // Domain-issued when absent (object 0).
    let usage = CertificateUsage::from_number(u64::from(keys.usage.unwrap_or(3)))
        .ok_or(CredentialError::Server(CertificateError::WrongPurpose))?;
    let mut server = ExpectedServer::certificate(keys.server_key, matching, usage)
        .map_err(CredentialError::Server)?
        .named(keys.sni.unwrap_or(uri.host));
    for anchors in &settings.trust_store {
        server = server.trusting(anchors).map_err(CredentialError::Server)?;
    }
    Ok(match clock {
        Some(clock) => server.at(clock),
        None => server,
    })
}

/// What tells whether a stored session is one of these credentials.
pub(super) fn fingerprint(keys: &AccountKeys<'_>) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    let mut digest = Sha256::new();
    for part in [
        keys.uri.as_bytes(),
        &[keys.mode],
        keys.identity,
        keys.server_key,
        keys.secret,
    ] {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize()[..FINGERPRINT].to_vec()
}

/// Bytes of a fingerprint.
pub(super) const FINGERPRINT: usize = 8;

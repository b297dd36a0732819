//! What shards ask: in handshakes, and when a device registers.

use dunlin_coap::Instant;
use dunlin_dtls::{Alert, Secret};
use sha2::{Digest, Sha256};

use super::{CredentialKind, CredentialService};
use crate::access::{Access, Evidence, Security, SecurityMode};

impl Access for CredentialService {
    /// A credential stands for one name.
    fn allows(&self, evidence: Evidence<'_>, endpoint: &str) -> bool {
        match self.authority_of_tag(evidence.credential) {
            // An authority stands for the name it has written into the certificate.
            Some(_) => evidence.certified == Some(endpoint),
            None => self.is_for(evidence.credential, endpoint),
        }
    }

    fn endpoint(&self, evidence: Evidence<'_>) -> Option<String> {
        match self.authority_of_tag(evidence.credential) {
            Some(_) => evidence.certified.map(str::to_owned),
            None => self
                .of_tag(evidence.credential)
                .map(|credential| credential.endpoint),
        }
    }

    fn is_current(&self, credential: u64) -> bool {
        self.of_tag(credential).is_some() || self.authority_of_tag(credential).is_some()
    }

    fn is_secured(&self, endpoint: &str) -> bool {
        self.has_credential(endpoint)
    }

    fn security(&self, evidence: Evidence<'_>) -> Option<Security> {
        if let Some(authority) = self.authority_of_tag(evidence.credential) {
            let name = evidence.certified.unwrap_or_default();
            return Some(Security {
                mode: SecurityMode::Certificate,
                identity: format!("{name}, vouched for by {}", authority.name),
            });
        }
        let credential = self.of_tag(evidence.credential)?;
        let hash = |bytes: &[u8]| {
            let hash = Sha256::digest(bytes);
            let digits = hash.iter().map(|byte| format!("{byte:02x}"));
            format!("sha-256 {}", digits.collect::<String>())
        };
        let (mode, identity) = match &credential.kind {
            CredentialKind::Psk { identity, .. } => (SecurityMode::Psk, shown(identity)),
            CredentialKind::RawPublicKey { spki } => (SecurityMode::RawPublicKey, hash(spki)),
            CredentialKind::Certificate { certificate } => {
                (SecurityMode::Certificate, hash(certificate))
            }
        };
        Some(Security { mode, identity })
    }

    fn certified_name(&self, credential: u64, certificate: &[u8]) -> Option<String> {
        self.certified_endpoint(credential, certificate)
    }
}

/// An identity for people: text, or hexadecimal digits when it is none.
fn shown(identity: &[u8]) -> String {
    match core::str::from_utf8(identity) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => identity.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

impl dunlin_dtls::Credentials for CredentialService {
    fn psk(&self, identity: &[u8]) -> Option<(Secret, u64)> {
        self.of_identity(identity)
    }

    fn raw_public_key(&self, spki: &[u8]) -> Option<u64> {
        self.of_public_key(spki)
    }

    fn certificate(&self, chain: &[&[u8]], _now: Instant) -> Result<u64, Alert> {
        Ok(self.of_chain(chain, dunlin_net::unix_time() as u64)?)
    }
}

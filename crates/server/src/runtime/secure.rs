//! DTLS around the shards: what they are set up with, and sessions on their way to the store and
//! back.

use std::sync::Arc;

use dunlin_coap::Instant;
use dunlin_dtls::{
    CidFormat, ExtendedMasterSecret, Limits, Secret, ServerConfig, ServerKey, Suite,
};

use crate::credentials::{CredentialService, OwnKey, Vault};
use crate::runtime::Inbox;
use crate::shard::{CID_PREFIX, Command, Persist, Shard, StoredSession, cid_prefix};
use crate::store::{Change, Store, StoreError};

/// The node that this process is; there is one.
pub(super) const NODE: u8 = 0;
/// Bytes of a connection ID: node and shard, place (3), random (4).
const CID: usize = CID_PREFIX + 7;
/// Sessions stored with one commit at start.
const GROUP: usize = 1000;
const PURPOSE: &str = "dtls session";

/// How a server speaks DTLS.
#[derive(Clone, Copy, Debug)]
pub struct DtlsConfig {
    /// Whether the suites with CBC are offered as well, which old devices may need.
    pub cbc: bool,
    /// Whether devices must know the extended master secret (RFC 7627).
    pub extended_master_secret: ExtendedMasterSecret,
    /// Bounds of each shard.
    pub limits: Limits,
}

impl Default for DtlsConfig {
    /// No CBC, the extended master secret required.
    fn default() -> Self {
        Self {
            cbc: false,
            extended_master_secret: ExtendedMasterSecret::Required,
            limits: Limits::default(),
        }
    }
}

impl DtlsConfig {
    pub(super) fn of_shard(&self, own: &OwnKey, shard: u16) -> ServerConfig {
        let mut config = ServerConfig {
            key: Some(ServerKey {
                pair: own.pair.clone(),
                chain: own.chain.clone(),
                raw_public_key: true,
            }),
            connection_id: Some(CidFormat {
                prefix: cid_prefix(NODE, shard).to_vec(),
                length: CID,
            }),
            extended_master_secret: self.extended_master_secret,
            limits: self.limits,
            ..ServerConfig::default()
        };
        if self.cbc {
            config.suites.extend([
                Suite::EcdheEcdsaAes128CbcSha256,
                Suite::EcdhePskAes128CbcSha256,
                Suite::PskAes128CbcSha256,
            ]);
        }
        config
    }
}

/// What stands beside an encrypted session in the clear.
fn bound(stored: &StoredSession) -> Vec<u8> {
    let mut bound = stored.shard.to_be_bytes().to_vec();
    bound.extend(stored.session.to_bits().to_be_bytes());
    bound.extend(stored.certified.iter().flat_map(|name| name.bytes()));
    bound
}

/// Encrypts a session on its way to the store.
pub(super) fn seal(vault: &Vault, stored: &mut StoredSession) {
    let sealed = vault.seal(PURPOSE, &bound(stored), stored.export.expose());
    stored.export = Secret::new(&sealed);
}

/// Decrypts a session out of the store; `None` when it was encrypted with another key.
fn open(vault: &Vault, mut stored: StoredSession) -> Option<StoredSession> {
    let plain = vault
        .open(PURPOSE, &bound(&stored), stored.export.expose())
        .ok()?;
    stored.export = Secret::new(&plain);
    Some(stored)
}

/// Puts sessions back at start.
pub(super) struct Sessions<'a> {
    vault: &'a Vault,
    /// As they are to be stored before anything is sent.
    changes: Vec<Change>,
    pub(super) restored: u64,
}

impl<'a> Sessions<'a> {
    pub(super) fn new(vault: &'a Vault) -> Self {
        Self {
            vault,
            changes: Vec::new(),
            restored: 0,
        }
    }

    pub(super) fn restore(&mut self, now: Instant, shards: &mut [Shard], stored: StoredSession) {
        let (shard, session) = (stored.shard, stored.session);
        let renewed = open(self.vault, stored).and_then(|stored| {
            let owner = shards.get_mut(usize::from(shard))?;
            owner.restore_session(now, &stored)
        });
        let change = match renewed {
            Some(mut renewed) => {
                self.restored += 1;
                seal(self.vault, &mut renewed);
                Persist::Session(renewed)
            }
            None => Persist::RemoveSession { shard, session },
        };
        self.changes.push(Change {
            shard,
            sequence: 0,
            change,
        });
    }

    /// On return all of them are on disk with numbers that were never used.
    pub(super) fn commit(self, store: &mut dyn Store) -> Result<u64, StoreError> {
        for group in self.changes.chunks(GROUP) {
            store.commit(group)?;
        }
        Ok(self.restored)
    }
}

/// Has sessions end with their credentials.
pub(super) fn end_with_credentials(credentials: &CredentialService, inboxes: Arc<[Inbox]>) {
    credentials.on_end(Box::new(move |tags| {
        for inbox in inboxes.iter() {
            for &tag in tags {
                inbox.post(Command::CredentialEnded { tag });
            }
        }
    }));
}

#[cfg(test)]
mod tests {
    use dunlin_dtls::SessionId;

    use super::*;

    fn stored(bytes: &[u8]) -> StoredSession {
        StoredSession {
            shard: 1,
            session: SessionId::from_bits(7),
            certified: None,
            export: Secret::new(bytes),
        }
    }

    #[test]
    fn a_session_is_encrypted_and_bound_to_its_place() {
        let credentials = CredentialService::in_memory().expect("opens");
        let vault = credentials.vault();
        let plain = stored(b"keys and numbers");
        let mut sealed = plain.clone();
        seal(vault, &mut sealed);
        let text = sealed.export.expose();
        assert!(!text.windows(4).any(|part| part == b"keys"));
        assert_eq!(open(vault, sealed.clone()), Some(plain));
        for change in [
            |stored: &mut StoredSession| stored.shard = 2,
            |stored: &mut StoredSession| stored.session = SessionId::from_bits(8),
            |stored: &mut StoredSession| stored.certified = Some("other".to_owned()),
        ] {
            let mut moved = sealed.clone();
            change(&mut moved);
            assert_eq!(open(vault, moved), None);
        }
        let other = CredentialService::in_memory().expect("opens");
        assert_eq!(open(other.vault(), sealed), None);
    }
}

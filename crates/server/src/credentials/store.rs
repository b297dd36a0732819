//! Credentials in the data folder's database. They change a few times a day, from the control
//! plane, so they have a connection of their own and not the writer of the shards.

use std::path::Path as FilePath;

use dunlin_dtls::{KeyPair, Secret};
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};

use super::index::Entry;
use super::own::OwnKey;
use super::trust::Trusted;
use super::{Authority, Credential, CredentialKind, Tampered, Vault};
use crate::store::{column, number};

/// What credentials need; a step of the schema.
pub(crate) const MIGRATION: &str = "
    -- By what devices prove who they are. kind is psk, rpk or x509; public is the PSK identity, the
    -- SubjectPublicKeyInfo or the certificate. sealed is the key, encrypted by the key file; it
    -- authenticates all other columns but the times, so a row cannot be changed by hand.
    CREATE TABLE credentials (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        endpoint TEXT NOT NULL,
        kind TEXT NOT NULL,
        public BLOB NOT NULL,
        sealed BLOB NOT NULL,
        revision INTEGER NOT NULL,
        created_at REAL NOT NULL,
        rotated_at REAL
    ) STRICT;
    -- The private key of the server, encrypted by the key file, and its certificates.
    CREATE TABLE own_key (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        sealed BLOB NOT NULL,
        chain BLOB NOT NULL,
        created_at REAL NOT NULL
    ) STRICT;
";

/// What authorities need; a step of the schema.
pub(crate) const AUTHORITIES_MIGRATION: &str = "
    -- Authorities whose certificates devices may show. sealed authenticates the row by the key file:
    -- nobody becomes trusted by writing into the database.
    CREATE TABLE authorities (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        certificate BLOB NOT NULL UNIQUE,
        sealed BLOB NOT NULL,
        created_at REAL NOT NULL
    ) STRICT;
";

const READ: &str = "
    SELECT id, endpoint, kind, public, sealed, revision, created_at, rotated_at FROM credentials";
const WRITE: &str = "
    INSERT OR REPLACE INTO credentials (id, endpoint, kind, public, sealed, revision, created_at,
        rotated_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const REMOVE: &str = "DELETE FROM credentials WHERE id = ?1";
const LAST_ID: &str =
    "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'credentials'";
const READ_OWN: &str = "SELECT sealed, chain, created_at FROM own_key";
const WRITE_OWN: &str = "INSERT OR REPLACE INTO own_key VALUES (1, ?1, ?2, ?3)";

const READ_AUTHORITIES: &str =
    "SELECT id, certificate, sealed, created_at FROM authorities ORDER BY id";
const WRITE_AUTHORITY: &str = "INSERT INTO authorities VALUES (?1, ?2, ?3, ?4)";
const REMOVE_AUTHORITY: &str = "DELETE FROM authorities WHERE id = ?1";
const LAST_AUTHORITY: &str =
    "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'authorities'";

const OWN_KEY: &str = "own key";
const AUTHORITY: &str = "authority";
const CREDENTIAL: &str = "credential";

/// The database; without a data folder one in memory.
#[derive(Debug)]
pub(super) struct CredentialStore(Connection);

impl CredentialStore {
    /// Opens the database that [`SqliteStore`](crate::store::SqliteStore) has brought up to date
    /// and locked; without a folder nothing is kept.
    pub(super) fn open(folder: Option<&FilePath>) -> rusqlite::Result<Self> {
        let Some(folder) = folder else {
            let connection = Connection::open_in_memory()?;
            connection.execute_batch(MIGRATION)?;
            connection.execute_batch(AUTHORITIES_MIGRATION)?;
            return Ok(Self(connection));
        };
        let connection = Connection::open(folder.join("dunlin.db"))?;
        // The writer of the shards commits in groups; it is done within moments.
        connection.busy_timeout(std::time::Duration::from_secs(30))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        Ok(Self(connection))
    }

    pub(super) fn begin(&mut self) -> rusqlite::Result<Transaction<'_>> {
        self.0
            .transaction_with_behavior(TransactionBehavior::Immediate)
    }

    /// The server's own key as it lies there.
    pub(super) fn own_key(&self) -> rusqlite::Result<Option<StoredOwnKey>> {
        let mut query = self.0.prepare(READ_OWN)?;
        let mut rows = query.query([])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        Ok(Some(StoredOwnKey {
            sealed: row.get(0)?,
            chain: row.get(1)?,
            created_at: row.get(2)?,
        }))
    }

    pub(super) fn write_own_key(&self, vault: &Vault, key: &OwnKey) -> rusqlite::Result<()> {
        let chain = joined(&key.chain);
        let sealed = vault.seal(OWN_KEY, &chain, &key.pair.to_der());
        self.0
            .execute(WRITE_OWN, params![sealed, chain, key.created_at])?;
        Ok(())
    }

    /// All credentials; one that makes no sense, or was changed by hand, is logged and left out.
    pub(super) fn load(&self, vault: &Vault, visit: &mut dyn FnMut(Entry)) -> rusqlite::Result<()> {
        let mut query = self.0.prepare(READ)?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            match entry(vault, row) {
                Some(entry) => visit(entry),
                None => {
                    let id: i64 = row.get(0).unwrap_or_default();
                    tracing::error!(id, "a stored credential was changed; it is left out");
                }
            }
        }
        Ok(())
    }

    /// All authorities, the oldest first; as [`load`](Self::load).
    pub(super) fn authorities(&self, vault: &Vault) -> rusqlite::Result<Vec<Trusted>> {
        let mut query = self.0.prepare(READ_AUTHORITIES)?;
        let mut rows = query.query([])?;
        let mut trusted = Vec::new();
        while let Some(row) = rows.next()? {
            let (id, certificate): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let (sealed, created_at): (Vec<u8>, f64) = (row.get(2)?, row.get(3)?);
            let bound = bound_authority(number(id), &certificate);
            let authentic = vault.open(AUTHORITY, &bound, &sealed).is_ok();
            match Trusted::new(number(id), &certificate, created_at) {
                Ok(one) if authentic => trusted.push(one),
                _ => tracing::error!(id, "a stored authority was changed; it is left out"),
            }
        }
        Ok(trusted)
    }

    /// The largest number that was ever given to an authority.
    pub(super) fn last_authority(&self) -> rusqlite::Result<u64> {
        let last = self.0.query_row(LAST_AUTHORITY, [], |row| row.get(0));
        last.map(number)
    }

    /// The largest number that was ever given.
    pub(super) fn last_id(&self) -> rusqlite::Result<u64> {
        self.0.query_row(LAST_ID, [], |row| row.get(0)).map(number)
    }
}

pub(super) fn write(
    transaction: &Transaction<'_>,
    vault: &Vault,
    entry: &Entry,
) -> rusqlite::Result<()> {
    let credential = &entry.credential;
    let public = public(&credential.kind);
    let bound = bound(credential);
    let key = entry.key.as_ref().map_or(&[][..], Secret::expose);
    transaction.prepare_cached(WRITE)?.execute(params![
        column(credential.id),
        credential.endpoint,
        credential.kind.name(),
        public,
        vault.seal(CREDENTIAL, &bound, key),
        credential.revision,
        credential.created_at,
        credential.rotated_at,
    ])?;
    Ok(())
}

pub(super) fn write_authority(
    transaction: &Transaction<'_>,
    vault: &Vault,
    authority: &Authority,
) -> rusqlite::Result<()> {
    let bound = bound_authority(authority.id, &authority.certificate);
    transaction.execute(
        WRITE_AUTHORITY,
        params![
            column(authority.id),
            authority.certificate,
            vault.seal(AUTHORITY, &bound, &[]),
            authority.created_at,
        ],
    )?;
    Ok(())
}

pub(super) fn remove_authority(transaction: &Transaction<'_>, id: u64) -> rusqlite::Result<()> {
    transaction.execute(REMOVE_AUTHORITY, [column(id)])?;
    Ok(())
}

fn bound_authority(id: u64, certificate: &[u8]) -> Vec<u8> {
    [&id.to_be_bytes(), certificate].concat()
}

pub(super) fn remove(transaction: &Transaction<'_>, id: u64) -> rusqlite::Result<()> {
    transaction.prepare_cached(REMOVE)?.execute([column(id)])?;
    Ok(())
}

/// The server's own key as it lies in the database.
pub(super) struct StoredOwnKey {
    sealed: Vec<u8>,
    chain: Vec<u8>,
    created_at: f64,
}

impl StoredOwnKey {
    pub(super) fn open(&self, vault: &Vault) -> Result<OwnKey, Tampered> {
        let key = vault.open(OWN_KEY, &self.chain, &self.sealed)?;
        let chain = split(&self.chain).ok_or(Tampered)?;
        Ok(OwnKey {
            pair: KeyPair::from_bytes(&key).map_err(|_| Tampered)?,
            chain,
            created_at: self.created_at,
        })
    }
}

const fn public(kind: &CredentialKind) -> &[u8] {
    match kind {
        CredentialKind::Psk { identity, .. } => identity,
        CredentialKind::RawPublicKey { spki } => spki,
        CredentialKind::Certificate { certificate } => certificate,
    }
}

/// What is authenticated of a row. Lengths keep two columns from being taken for two others.
fn bound(credential: &Credential) -> Vec<u8> {
    let endpoint = credential.endpoint.as_bytes();
    let kind = credential.kind.name().as_bytes();
    let mut bound = Vec::with_capacity(32 + endpoint.len());
    bound.extend(credential.id.to_be_bytes());
    bound.extend(credential.revision.to_be_bytes());
    for part in [endpoint, kind, public(&credential.kind)] {
        bound.extend((part.len() as u64).to_be_bytes());
        bound.extend(part);
    }
    bound
}

fn entry(vault: &Vault, row: &Row<'_>) -> Option<Entry> {
    let public: Vec<u8> = row.get(3).ok()?;
    let public = public.into_boxed_slice();
    let sealed: Vec<u8> = row.get(4).ok()?;
    let kind: String = row.get(2).ok()?;
    let mut credential = Credential {
        id: u64::try_from(row.get::<_, i64>(0).ok()?).ok()?,
        endpoint: row.get(1).ok()?,
        kind: match kind.as_str() {
            "psk" => CredentialKind::Psk {
                identity: public,
                key_bytes: 0,
            },
            "rpk" => CredentialKind::RawPublicKey { spki: public },
            "x509" => CredentialKind::Certificate {
                certificate: public,
            },
            _ => return None,
        },
        revision: row.get(5).ok()?,
        created_at: row.get(6).ok()?,
        rotated_at: row.get(7).ok()?,
    };
    let key = vault.open(CREDENTIAL, &bound(&credential), &sealed).ok()?;
    let key = match &mut credential.kind {
        CredentialKind::Psk { key_bytes, .. } => {
            *key_bytes = key.len();
            Some(Secret::new(&key))
        }
        _ => None,
    };
    Some(Entry { credential, key })
}

/// Certificates one after the other, each behind its length in four bytes.
fn joined(chain: &[Box<[u8]>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for certificate in chain {
        bytes.extend((certificate.len() as u32).to_be_bytes());
        bytes.extend(&certificate[..]);
    }
    bytes
}

fn split(mut bytes: &[u8]) -> Option<Vec<Box<[u8]>>> {
    let mut chain = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (certificate, rest) = rest.split_at_checked(length)?;
        chain.push(certificate.into());
        bytes = rest;
    }
    bytes.is_empty().then_some(chain)
}

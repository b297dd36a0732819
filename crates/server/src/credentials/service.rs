//! Credentials of a running server: asked by handshakes, changed by the control plane.

use std::collections::{BTreeMap, HashMap};
use std::path::Path as FilePath;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use dunlin_coap::Rng;
use dunlin_dtls::{KeyError, KeyPair, Secret};
use dunlin_net::{OsRng, unix_time};
use rusqlite::Transaction;
use zeroize::Zeroizing;

use super::index::{Entry, Index, LAST_REVISION, Proof};
use super::store::{self, CredentialStore};
use super::trust::Trusted;
use super::{
    Credential, CredentialError, CredentialKind, CredentialPage, CredentialsConfig, GOOD_KEY,
    KeyFileError, Material, NewCredential, OwnKey, Vault, check,
};

/// Bytes of a key that the server draws.
const DRAWN_KEY: usize = 16;

/// The credentials of a server. Clones are equal.
#[derive(Clone, Debug)]
pub struct CredentialService {
    pub(super) inner: Arc<Inner>,
}

/// `store` is locked before `index`, and during disk access; `index` for a look-up.
pub(super) struct Inner {
    pub(super) config: CredentialsConfig,
    pub(super) vault: Vault,
    index: RwLock<Index>,
    pub(super) trusted: RwLock<Vec<Trusted>>,
    pub(super) own: RwLock<Arc<OwnKey>>,
    pub(super) store: Mutex<CredentialStore>,
    on_end: OnceLock<Box<Ended>>,
}

/// Is told the tags of credentials that are no more: their sessions are to end.
pub type Ended = dyn Fn(&[u64]) + Send + Sync;

impl core::fmt::Debug for Inner {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Inner")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Why credentials cannot be read at the start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The key file is missing, or not the right one.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The database does not do it.
    #[error("the database reports: {0}")]
    Database(#[from] rusqlite::Error),
    /// No key could be drawn.
    #[error("no key for the server: {0}")]
    Key(#[from] KeyError),
}

/// A credential as it was made or rotated.
#[derive(Clone, Debug)]
pub struct Created {
    /// The credential.
    pub credential: Credential,
    /// The key that the server drew: whoever asked for it must see it, once.
    pub drawn: Option<Secret>,
}

impl Created {
    /// What is legal and not wise, in words.
    pub fn warning(&self) -> Option<String> {
        match self.credential.kind {
            CredentialKind::Psk { key_bytes, .. } if key_bytes < GOOD_KEY => Some(format!(
                "the key has {key_bytes} bytes; fewer than {GOOD_KEY} can be guessed by whoever \
                 records a handshake"
            )),
            _ => None,
        }
    }
}

fn index(inner: &Inner) -> RwLockReadGuard<'_, Index> {
    inner.index.read().unwrap_or_else(PoisonError::into_inner)
}

impl CredentialService {
    /// Reads what is kept in the data folder, and makes key file and own key at the first start.
    /// Without a folder nothing outlives the process.
    pub(crate) fn open(
        config: CredentialsConfig,
        folder: Option<&FilePath>,
    ) -> Result<Self, OpenError> {
        let store = CredentialStore::open(folder)?;
        let stored = store.own_key()?;
        let (vault, path) = match folder {
            Some(folder) => {
                let file = config.key_file.clone();
                let path = file.unwrap_or_else(|| folder.join("secret.key"));
                (Vault::of_file(&path, stored.is_some())?, path)
            }
            None => (Vault::ephemeral(), Default::default()),
        };
        let own = match stored {
            Some(stored) => stored.open(&vault).map_err(|_| KeyFileError::Wrong(path))?,
            None => {
                let key = OwnKey {
                    pair: KeyPair::generate(&mut OsRng::new())?,
                    chain: Vec::new(),
                    created_at: unix_time(),
                };
                store.write_own_key(&vault, &key)?;
                key
            }
        };
        let trusted = store.authorities(&vault)?;
        let mut index = Index::default();
        store.load(&vault, &mut |entry| index.insert(entry))?;
        Ok(Self {
            inner: Arc::new(Inner {
                config,
                vault,
                index: RwLock::new(index),
                trusted: RwLock::new(trusted),
                own: RwLock::new(Arc::new(own)),
                store: Mutex::new(store),
                on_end: OnceLock::new(),
            }),
        })
    }

    /// Credentials that nothing outlives, for tests of what uses them.
    ///
    /// # Errors
    /// None in practice: those of a database in memory.
    pub fn in_memory() -> Result<Self, OpenError> {
        Self::open(CredentialsConfig::default(), None)
    }

    /// Says who is told of credentials that end; the first one who says it is.
    pub fn on_end(&self, ended: Box<Ended>) {
        let _ = self.inner.on_end.set(ended);
    }

    /// Encrypts what else lies on disk.
    pub fn vault(&self) -> &Vault {
        &self.inner.vault
    }

    /// The server's own key.
    pub fn own_key(&self) -> Arc<OwnKey> {
        let own = self
            .inner
            .own
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&own)
    }

    /// The key of a PSK identity, and the tag for a session made with it.
    pub fn of_identity(&self, identity: &[u8]) -> Option<(Secret, u64)> {
        let index = index(&self.inner);
        let entry = index.of_proof(Proof::psk(identity))?;
        Some((entry.key.clone()?, entry.tag()))
    }

    /// The tag for a session made with this public key (SubjectPublicKeyInfo, DER), if a device has
    /// it.
    pub fn of_public_key(&self, spki: &[u8]) -> Option<u64> {
        let index = index(&self.inner);
        index.of_proof(Proof::raw_public_key(spki)).map(Entry::tag)
    }

    /// The tag for a session made with this very certificate (DER), if a device has it.
    pub fn of_certificate(&self, certificate: &[u8]) -> Option<u64> {
        let index = index(&self.inner);
        index
            .of_proof(Proof::certificate(certificate))
            .map(Entry::tag)
    }

    /// The credential of a tag; `None` once it was rotated or removed.
    pub fn of_tag(&self, tag: u64) -> Option<Credential> {
        let index = index(&self.inner);
        index.of_tag(tag).map(|entry| entry.credential.clone())
    }

    /// Whether a session with this tag may speak for `endpoint` (Core 1.2 §6.2.1: the server must
    /// compare the name with the identity of the session).
    pub fn is_for(&self, tag: u64, endpoint: &str) -> bool {
        let index = index(&self.inner);
        index
            .of_tag(tag)
            .is_some_and(|entry| entry.credential.endpoint == endpoint)
    }

    /// Whether a credential stands for this name, so that nobody may use it without security.
    pub fn has_credential(&self, endpoint: &str) -> bool {
        index(&self.inner).has_endpoint(endpoint)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        index(&self.inner).len()
    }

    /// The credential of this number.
    pub fn get(&self, id: u64) -> Option<Credential> {
        let index = index(&self.inner);
        index.get(id).map(|entry| entry.credential.clone())
    }

    /// The credentials of an endpoint, the oldest first.
    pub fn of_endpoint(&self, endpoint: &str) -> Vec<Credential> {
        let index = index(&self.inner);
        let entries = index.of_endpoint(endpoint);
        entries.map(|entry| entry.credential.clone()).collect()
    }

    /// Those whose endpoint name or PSK identity contains `query` (any case; empty matches all), in
    /// the order of names and numbers, after the place `after`, at most `limit`.
    pub fn list(&self, query: &str, after: Option<(&str, u64)>, limit: usize) -> CredentialPage {
        index(&self.inner).page(query, after, limit)
    }

    /// Makes a credential; on return it is on disk. Blocks.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn create(&self, new: NewCredential) -> Result<Created, CredentialError> {
        self.change(|changes| changes.create(new))
    }

    /// Gives a credential a new key, public key or certificate of the same kind. On return it is on
    /// disk, and sessions with the old one are ending. Blocks.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn rotate(&self, id: u64, material: Material) -> Result<Created, CredentialError> {
        self.change(|changes| changes.rotate(id, material))
    }

    /// Removes a credential; on return that is on disk, and its sessions are ending. Blocks.
    ///
    /// # Errors
    /// [`CredentialError::Unknown`], [`CredentialError::Database`].
    pub fn remove(&self, id: u64) -> Result<Credential, CredentialError> {
        self.change(|changes| changes.remove(id))
    }

    /// Makes several changes in one transaction: all of them when `work` returns `Ok`, none when it
    /// returns an error. An error of one change leaves the others as they are, so `work` may go on
    /// after it. Blocks.
    ///
    /// # Errors
    /// That of `work`, and those of the database.
    pub fn change<T, E: From<rusqlite::Error>>(
        &self,
        work: impl FnOnce(&mut Changes<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let inner = &*self.inner;
        let mut store = inner.store.lock().unwrap_or_else(PoisonError::into_inner);
        let next_id = store.last_id()?.saturating_add(1);
        let (done, entries) = {
            let mut changes = Changes {
                inner,
                transaction: store.begin()?,
                next_id,
                added: 0,
                removed: 0,
                entries: BTreeMap::new(),
                proofs: HashMap::new(),
            };
            let done = work(&mut changes)?;
            changes.transaction.commit()?;
            (done, changes.entries)
        };
        let ended = self.apply(entries);
        drop(store);
        self.tell_ended(&ended);
        Ok(done)
    }

    pub(super) fn tell_ended(&self, tags: &[u64]) {
        if let (false, Some(on_end)) = (tags.is_empty(), self.inner.on_end.get()) {
            on_end(tags);
        }
    }

    /// Makes in memory what is on disk; the tags that ended.
    fn apply(&self, changes: BTreeMap<u64, Option<Entry>>) -> Vec<u64> {
        let mut index = self
            .inner
            .index
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let mut ended = Vec::new();
        let mut new = Vec::new();
        // What goes makes room for what comes.
        for (id, change) in changes {
            let before = index.remove(id);
            ended.extend(before.map(|before| before.tag()));
            new.extend(change);
        }
        for entry in new {
            index.insert(entry);
        }
        ended
    }
}

/// Changes of credentials in one transaction.
pub struct Changes<'a> {
    inner: &'a Inner,
    transaction: Transaction<'a>,
    next_id: u64,
    added: usize,
    removed: usize,
    /// As they are to be; `None` is removed.
    entries: BTreeMap<u64, Option<Entry>>,
    proofs: HashMap<Proof, Option<u64>>,
}

impl core::fmt::Debug for Changes<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Changes")
            .field("added", &self.added)
            .field("removed", &self.removed)
            .finish_non_exhaustive()
    }
}

impl Changes<'_> {
    /// The transaction, for what belongs to the same change.
    pub fn transaction(&self) -> &Transaction<'_> {
        &self.transaction
    }

    /// As [`CredentialService::create`].
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn create(&mut self, new: NewCredential) -> Result<Created, CredentialError> {
        let bound = self.inner.config.credentials;
        if index(self.inner).len() + self.added >= bound.saturating_add(self.removed) {
            return Err(CredentialError::TooMany(bound));
        }
        let mut endpoint = new.endpoint;
        let name = endpoint.as_deref().map(str::as_bytes);
        let Made { kind, key, drawn } = Made::of(new.material, name)?;
        if endpoint.is_none() {
            endpoint = match &kind {
                CredentialKind::Psk { identity, .. } => String::from_utf8(identity.to_vec()).ok(),
                CredentialKind::RawPublicKey { .. } => None,
                CredentialKind::Certificate { certificate } => {
                    self.inner.config.identity_from.endpoint(certificate)
                }
            };
        }
        let endpoint = endpoint.ok_or(CredentialError::NoEndpoint)?;
        check::endpoint(&endpoint)?;
        let credential = Credential {
            id: self.next_id,
            endpoint,
            kind,
            revision: 0,
            created_at: unix_time(),
            rotated_at: None,
        };
        let credential = self.put(None, Entry { credential, key })?;
        self.next_id += 1;
        self.added += 1;
        Ok(Created { credential, drawn })
    }

    /// As [`CredentialService::rotate`].
    ///
    /// # Errors
    /// [`CredentialError`].
    pub fn rotate(&mut self, id: u64, material: Material) -> Result<Created, CredentialError> {
        let before = self.entry(id).ok_or(CredentialError::Unknown(id))?;
        let (is, given) = (before.credential.kind.name(), material.kind());
        if given != is {
            return Err(CredentialError::OtherKind { id, is, given });
        }
        let identity = match &before.credential.kind {
            CredentialKind::Psk { identity, .. } => Some(&identity[..]),
            _ => None,
        };
        let Made { kind, key, drawn } = Made::of(material, identity)?;
        let mut credential = before.credential.clone();
        if credential.revision >= LAST_REVISION {
            return Err(CredentialError::Worn(id));
        }
        credential.kind = kind;
        credential.revision += 1;
        credential.rotated_at = Some(unix_time());
        let credential = self.put(Some(before.proof()), Entry { credential, key })?;
        Ok(Created { credential, drawn })
    }

    /// As [`CredentialService::remove`].
    ///
    /// # Errors
    /// [`CredentialError::Unknown`], [`CredentialError::Database`].
    pub fn remove(&mut self, id: u64) -> Result<Credential, CredentialError> {
        let before = self.entry(id).ok_or(CredentialError::Unknown(id))?;
        store::remove(&self.transaction, id)?;
        self.proofs.insert(before.proof(), None);
        self.entries.insert(id, None);
        self.removed += 1;
        Ok(before.credential)
    }

    fn put(&mut self, before: Option<Proof>, entry: Entry) -> Result<Credential, CredentialError> {
        let credential = entry.credential.clone();
        let proof = entry.proof();
        if let Some(other) = self.of_proof(proof).filter(|other| *other != credential.id) {
            return Err(CredentialError::Duplicate {
                what: match credential.kind {
                    CredentialKind::Psk { .. } => "PSK identity",
                    CredentialKind::RawPublicKey { .. } => "public key",
                    CredentialKind::Certificate { .. } => "certificate",
                },
                endpoint: self
                    .entry(other)
                    .map_or_else(String::new, |entry| entry.credential.endpoint),
                id: other,
            });
        }
        store::write(&self.transaction, &self.inner.vault, &entry)?;
        if let Some(before) = before {
            self.proofs.insert(before, None);
        }
        self.proofs.insert(proof, Some(credential.id));
        self.entries.insert(credential.id, Some(entry));
        Ok(credential)
    }

    fn entry(&self, id: u64) -> Option<Entry> {
        match self.entries.get(&id) {
            Some(changed) => changed.clone(),
            None => index(self.inner).get(id).cloned(),
        }
    }

    fn of_proof(&self, proof: Proof) -> Option<u64> {
        match self.proofs.get(&proof) {
            Some(changed) => *changed,
            None => {
                let index = index(self.inner);
                index.of_proof(proof).map(|entry| entry.credential.id)
            }
        }
    }
}

/// What a credential is made of.
struct Made {
    kind: CredentialKind,
    key: Option<Secret>,
    drawn: Option<Secret>,
}

impl Made {
    /// `identity` is that of a PSK which tells none.
    fn of(material: Material, identity: Option<&[u8]>) -> Result<Self, CredentialError> {
        let without_secret = |kind| Self {
            kind,
            key: None,
            drawn: None,
        };
        match material {
            Material::Psk {
                identity: Some(identity),
                key,
            } => Self::psk(identity, key),
            Material::Psk {
                identity: None,
                key,
            } => {
                let identity = identity.ok_or(CredentialError::NoEndpoint)?;
                Self::psk(identity.to_vec(), key)
            }
            Material::RawPublicKey { spki } => {
                check::public_key(&spki)?;
                let spki = spki.into();
                Ok(without_secret(CredentialKind::RawPublicKey { spki }))
            }
            Material::Certificate { certificate } => {
                check::certificate(&certificate)?;
                let certificate = certificate.into();
                Ok(without_secret(CredentialKind::Certificate { certificate }))
            }
        }
    }

    /// Without a key one is drawn.
    fn psk(identity: Vec<u8>, key: Option<Secret>) -> Result<Self, CredentialError> {
        check::identity(&identity)?;
        let drawn = key.is_none().then(|| {
            let mut bytes = Zeroizing::new([0; DRAWN_KEY]);
            OsRng::new().fill(bytes.as_mut());
            Secret::new(bytes.as_slice())
        });
        let key = key
            .or_else(|| drawn.clone())
            .ok_or(CredentialError::Key(0))?;
        check::key(key.expose())?;
        let kind = CredentialKind::Psk {
            identity: identity.into(),
            key_bytes: key.expose().len(),
        };
        Ok(Self {
            kind,
            key: Some(key),
            drawn,
        })
    }
}

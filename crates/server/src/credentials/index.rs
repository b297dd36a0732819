//! Credentials in memory, found by what a handshake gives.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use dunlin_dtls::Secret;
use sha2::{Digest, Sha256};

use super::{Credential, CredentialKind, CredentialPage};

/// Revisions have so many bits of a tag.
const REVISION_BITS: u32 = 24;
/// The largest revision.
pub(super) const LAST_REVISION: u32 = (1 << REVISION_BITS) - 1;

/// A credential with its secret.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) credential: Credential,
    /// That of a PSK.
    pub(super) key: Option<Secret>,
}

impl Entry {
    /// The mark of a session made with this credential as it is now.
    pub(super) fn tag(&self) -> u64 {
        self.credential.id << REVISION_BITS | u64::from(self.credential.revision)
    }

    pub(super) fn proof(&self) -> Proof {
        match &self.credential.kind {
            CredentialKind::Psk { identity, .. } => Proof::psk(identity),
            CredentialKind::RawPublicKey { spki } => Proof::raw_public_key(spki),
            CredentialKind::Certificate { certificate } => Proof::certificate(certificate),
        }
    }
}

/// What a handshake gives, as a hash with its kind: a table of these cannot be made slow by whoever
/// chooses identities, and is small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Proof([u8; 32]);

impl Proof {
    pub(super) fn psk(identity: &[u8]) -> Self {
        Self::of(b"psk", identity)
    }

    pub(super) fn raw_public_key(spki: &[u8]) -> Self {
        Self::of(b"rpk", spki)
    }

    pub(super) fn certificate(der: &[u8]) -> Self {
        Self::of(b"x509", der)
    }

    fn of(kind: &[u8], bytes: &[u8]) -> Self {
        let hash = Sha256::new_with_prefix(kind)
            .chain_update([0])
            .chain_update(bytes);
        Self(hash.finalize().into())
    }
}

#[derive(Debug, Default)]
pub(super) struct Index {
    entries: HashMap<u64, Entry>,
    proofs: HashMap<Proof, u64>,
    /// In the order of names; numbers ascend.
    endpoints: BTreeMap<Box<str>, Vec<u64>>,
}

impl Index {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn get(&self, id: u64) -> Option<&Entry> {
        self.entries.get(&id)
    }

    pub(super) fn of_proof(&self, proof: Proof) -> Option<&Entry> {
        self.get(*self.proofs.get(&proof)?)
    }

    /// The credential of a tag, unless it was rotated or removed since.
    pub(super) fn of_tag(&self, tag: u64) -> Option<&Entry> {
        self.get(tag >> REVISION_BITS)
            .filter(|entry| entry.tag() == tag)
    }

    pub(super) fn of_endpoint(&self, endpoint: &str) -> impl Iterator<Item = &Entry> {
        let ids = self.endpoints.get(endpoint).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| self.get(*id))
    }

    pub(super) fn has_endpoint(&self, endpoint: &str) -> bool {
        self.endpoints.contains_key(endpoint)
    }

    /// Puts a credential in; it takes the place of that of the same number.
    pub(super) fn insert(&mut self, entry: Entry) {
        let credential = &entry.credential;
        self.remove(credential.id);
        self.proofs.insert(entry.proof(), credential.id);
        let ids = self
            .endpoints
            .entry(credential.endpoint.as_str().into())
            .or_default();
        if let Err(at) = ids.binary_search(&credential.id) {
            ids.insert(at, credential.id);
        }
        self.entries.insert(credential.id, entry);
    }

    pub(super) fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        self.proofs.remove(&entry.proof());
        let endpoint = entry.credential.endpoint.as_str();
        if let Some(ids) = self.endpoints.get_mut(endpoint) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.endpoints.remove(endpoint);
            }
        }
        Some(entry)
    }

    /// Those whose endpoint name or identity contains `query` in any case, after the place `after`.
    pub(super) fn page(
        &self,
        query: &str,
        after: Option<(&str, u64)>,
        limit: usize,
    ) -> CredentialPage {
        let query = query.to_lowercase();
        let fits = |entry: &&Entry| {
            let credential = &entry.credential;
            query.is_empty()
                || credential.endpoint.to_lowercase().contains(&query)
                || matches!(&credential.kind, CredentialKind::Psk { identity, .. }
                    if String::from_utf8_lossy(identity).to_lowercase().contains(&query))
        };
        let from = |endpoint| {
            let range = (endpoint, Bound::Unbounded);
            self.endpoints
                .range::<str, _>(range)
                .flat_map(|(_, ids)| ids)
        };
        let start = after.map_or(Bound::Unbounded, |(endpoint, _)| Bound::Included(endpoint));
        let mut items: Vec<Credential> = from(start)
            .filter_map(|id| self.get(*id))
            .filter(|entry| match after {
                Some((endpoint, id)) if entry.credential.endpoint == endpoint => {
                    entry.credential.id > id
                }
                _ => true,
            })
            .filter(fits)
            .take(limit.saturating_add(1))
            .map(|entry| entry.credential.clone())
            .collect();
        let more = items.len() > limit;
        items.truncate(limit);
        let total = match query.is_empty() {
            true => self.len(),
            false => self.entries.values().filter(fits).count(),
        };
        CredentialPage { items, more, total }
    }
}

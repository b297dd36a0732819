//! Certificates of devices that authorities vouch for, and the server's own.

use std::sync::{Arc, PoisonError, RwLockReadGuard};

use dunlin_dtls::{Certificate, CertificateError, KeyPair, certificates};
use dunlin_net::unix_time;

use super::trust::{self, MAX_AUTHORITIES, Trusted, authority_of};
use super::{Authority, CredentialError, CredentialService, MAX_CERTIFICATE, OwnKey, store};

impl CredentialService {
    fn trusted(&self) -> RwLockReadGuard<'_, Vec<Trusted>> {
        let trusted = self.inner.trusted.read();
        trusted.unwrap_or_else(PoisonError::into_inner)
    }

    /// The tag for a session made with this chain (DER, leaf first) at this time (Unix seconds):
    /// that of the device whose very certificate the leaf is, or else that of the authority that
    /// vouches for it.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub fn of_chain(&self, chain: &[&[u8]], unix_seconds: u64) -> Result<u64, CertificateError> {
        let leaf = chain.first().ok_or(CertificateError::Missing)?;
        if let Some(tag) = self.of_certificate(leaf) {
            return trust::verify_pinned(leaf, unix_seconds).map(|()| tag);
        }
        let tag = trust::verify(&self.trusted(), chain, unix_seconds)?;
        // Without a name it could not register.
        let name = self.inner.config.identity_from.endpoint(leaf);
        name.map(|_| tag).ok_or(CertificateError::WrongName)
    }

    /// The endpoint name in a certificate (DER) that the authority of this tag has vouched for;
    /// `None` when the tag is none of an authority that is still trusted.
    pub fn certified_endpoint(&self, tag: u64, certificate: &[u8]) -> Option<String> {
        self.authority_of_tag(tag)?;
        self.inner.config.identity_from.endpoint(certificate)
    }

    /// The authority of a tag; `None` for the tag of a credential, and once it was removed.
    pub fn authority_of_tag(&self, tag: u64) -> Option<Authority> {
        let id = authority_of(tag)?;
        let trusted = self.trusted();
        let found = trusted.iter().find(|one| one.authority.id == id)?;
        Some(found.authority.clone())
    }

    /// The authorities whose certificates devices may show, the oldest first.
    pub fn authorities(&self) -> Vec<Authority> {
        let trusted = self.trusted();
        trusted.iter().map(|one| one.authority.clone()).collect()
    }

    /// Trusts the authorities of these certificates (DER, or PEM with one or more), all or none; on
    /// return it is on disk. One that is trusted already stays as it is. Blocks.
    ///
    /// # Errors
    /// [`CredentialError::Certificate`] when one may not issue others,
    /// [`CredentialError::TooManyAuthorities`], [`CredentialError::Database`].
    pub fn add_authorities(&self, bytes: &[u8]) -> Result<Vec<Authority>, CredentialError> {
        let inner = &*self.inner;
        let given = certificates(bytes)?;
        let mut store = inner.store.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = store.last_authority()?.saturating_add(1);
        let mut named = Vec::new();
        let mut added: Vec<Trusted> = Vec::new();
        for der in &given {
            if der.len() > MAX_CERTIFICATE {
                return Err(CredentialError::CertificateSize(der.len()));
            }
            let known = self.trusted();
            let mut all = known.iter().chain(&added);
            if let Some(known) = all.find(|one| one.authority.certificate == *der) {
                named.push(known.authority.clone());
                continue;
            }
            if known.len() + added.len() >= MAX_AUTHORITIES {
                return Err(CredentialError::TooManyAuthorities(MAX_AUTHORITIES));
            }
            drop(known);
            let trusted = Trusted::new(next, der, unix_time())?;
            named.push(trusted.authority.clone());
            added.push(trusted);
            next += 1;
        }
        let transaction = store.begin()?;
        for one in &added {
            store::write_authority(&transaction, &inner.vault, &one.authority)?;
        }
        transaction.commit()?;
        let mut trusted = inner
            .trusted
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        trusted.extend(added);
        Ok(named)
    }

    /// Trusts an authority no more; on return that is on disk, and the sessions that it vouched for
    /// are ending. Blocks.
    ///
    /// # Errors
    /// [`CredentialError::UnknownAuthority`], [`CredentialError::Database`].
    pub fn remove_authority(&self, id: u64) -> Result<Authority, CredentialError> {
        let inner = &*self.inner;
        let mut store = inner.store.lock().unwrap_or_else(PoisonError::into_inner);
        let position = |trusted: &[Trusted]| trusted.iter().position(|one| one.authority.id == id);
        if position(&self.trusted()).is_none() {
            return Err(CredentialError::UnknownAuthority(id));
        }
        let transaction = store.begin()?;
        store::remove_authority(&transaction, id)?;
        transaction.commit()?;
        let removed = {
            let mut trusted = inner
                .trusted
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            let at = position(&trusted).ok_or(CredentialError::UnknownAuthority(id))?;
            trusted.remove(at)
        };
        drop(store);
        self.tell_ended(&[removed.tag()]);
        Ok(removed.authority)
    }

    /// Gives the server another key pair, and certificates for it (DER, or PEM with one or more, the
    /// server's first) if there are any. On return it is on disk; handshakes use it from the next
    /// start on. Blocks.
    ///
    /// # Errors
    /// [`CredentialError::PrivateKey`], [`CredentialError::Certificate`],
    /// [`CredentialError::Mismatch`], [`CredentialError::Database`].
    pub fn import_own_key(
        &self,
        private_key: &[u8],
        chain: Option<&[u8]>,
    ) -> Result<Arc<OwnKey>, CredentialError> {
        let inner = &*self.inner;
        let pair = KeyPair::from_bytes(private_key).map_err(CredentialError::PrivateKey)?;
        let chain = chain.map(certificates).transpose()?.unwrap_or_default();
        for der in &chain {
            if der.len() > MAX_CERTIFICATE {
                return Err(CredentialError::CertificateSize(der.len()));
            }
        }
        if let Some(leaf) = chain.first()
            && Certificate::parse(leaf)?.spki() != pair.public_key()
        {
            return Err(CredentialError::Mismatch);
        }
        let own = Arc::new(OwnKey {
            pair,
            chain,
            created_at: unix_time(),
        });
        let store = inner.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.write_own_key(&inner.vault, &own)?;
        let mut current = inner.own.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::clone(&own);
        Ok(own)
    }
}

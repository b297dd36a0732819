//! Sessions over a deep sleep and over a crash.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::credentials::FINGERPRINT;
use crate::send::StorageError;

/// Keeps one record of a few hundred bytes for each server. A record holds the keys of a session:
/// it is as secret as the credential itself.
pub trait SessionStorage {
    /// Keeps a record in place of the one before. When this returns the record outlives a loss of
    /// power: records of the session are sent only then.
    fn save(&mut self, server: u16, record: &[u8]) -> Result<(), StorageError>;

    /// The record of a server; `None` when there is none.
    fn load(&mut self, server: u16) -> Result<Option<Vec<u8>>, StorageError>;

    /// Takes the record of a server away, if there is one.
    fn erase(&mut self, server: u16) -> Result<(), StorageError>;
}

/// No storage: after a reboot each session begins with a full handshake.
impl SessionStorage for () {
    fn save(&mut self, _server: u16, _record: &[u8]) -> Result<(), StorageError> {
        Ok(())
    }

    fn load(&mut self, _server: u16) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(None)
    }

    fn erase(&mut self, _server: u16) -> Result<(), StorageError> {
        Ok(())
    }
}

/// Sessions in RAM, which survive as long as the memory does.
#[derive(Clone, Default)]
pub struct MemorySessions(BTreeMap<u16, Zeroizing<Vec<u8>>>);

impl core::fmt::Debug for MemorySessions {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("MemorySessions")
            .field(&self.0.len())
            .finish()
    }
}

impl SessionStorage for MemorySessions {
    fn save(&mut self, server: u16, record: &[u8]) -> Result<(), StorageError> {
        self.0.insert(server, Zeroizing::new(record.to_vec()));
        Ok(())
    }

    fn load(&mut self, server: u16) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.0.get(&server).map(|record| record.to_vec()))
    }

    fn erase(&mut self, server: u16) -> Result<(), StorageError> {
        self.0.remove(&server);
        Ok(())
    }
}

/// The form of a record: `version 1 ‖ exact 1 ‖ fingerprint 8 ‖ length 2 ‖ association ‖ resumption ‖
/// check 4`. The check, a piece of SHA-256, finds damage and nothing else.
const VERSION: u8 = 1;

/// Bytes of the check at the end.
const CHECK: usize = 4;

fn check(content: &[u8]) -> [u8; CHECK] {
    let digest = Sha256::digest(content);
    core::array::from_fn(|index| digest.get(index).copied().unwrap_or_default())
}

/// A record taken apart. Either part may be empty.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record<'a> {
    /// Of the credentials the session was set up with.
    pub(super) fingerprint: &'a [u8],
    /// Whether the association is as it was, and not one that goes on somewhere ahead of it.
    pub(super) is_exact: bool,
    /// The association as DTLS exported it.
    pub(super) association: &'a [u8],
    /// What resumes the session.
    pub(super) resumption: &'a [u8],
}

impl<'a> Record<'a> {
    pub(super) fn write(&self) -> Zeroizing<Vec<u8>> {
        // In one piece: what is copied on growth would stay in memory.
        let length = 4 + FINGERPRINT + self.association.len() + self.resumption.len() + CHECK;
        let mut out = Zeroizing::new(Vec::with_capacity(length));
        out.push(VERSION);
        out.push(u8::from(self.is_exact));
        out.extend_from_slice(self.fingerprint);
        out.extend_from_slice(&(self.association.len() as u16).to_be_bytes());
        out.extend_from_slice(self.association);
        out.extend_from_slice(self.resumption);
        let check = check(&out);
        out.extend_from_slice(&check);
        out
    }

    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (content, found) = bytes.split_last_chunk::<CHECK>()?;
        if check(content) != *found {
            return None;
        }
        let ([version, is_exact], rest) = content.split_first_chunk::<2>()?;
        let (fingerprint, rest) = rest.split_at_checked(FINGERPRINT)?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (association, resumption) =
            rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        (*version == VERSION).then_some(Self {
            fingerprint,
            is_exact: *is_exact == 1,
            association,
            resumption,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_written() {
        let record = Record {
            fingerprint: b"12345678",
            is_exact: true,
            association: b"association",
            resumption: b"resumption",
        };
        let bytes = record.write();
        assert_eq!(Record::read(&bytes), Some(record));
        for end in 0..bytes.len() {
            assert_eq!(Record::read(&bytes[..end]), None, "{end}");
        }
        for byte in 0..bytes.len() {
            let mut other = bytes.to_vec();
            other[byte] ^= 1;
            assert_eq!(Record::read(&other), None, "{byte}");
        }
    }
}

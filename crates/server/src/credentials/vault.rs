//! Encryption of what lies on disk, with a key from a file of its own.
//!
//! A sealed text is `01 ‖ salt (16) ‖ nonce (12) ‖ AES-256-GCM`, under a key that is made anew for
//! each: HMAC-SHA-256(key of the file, purpose ‖ 00 ‖ salt). With 28 random bytes for each text no
//! two ever share key and nonce, however many are written; with 12 alone there would be a limit
//! (NIST SP 800-38D §8.3).

use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, KeyInit};
use dunlin_coap::Rng;
use dunlin_net::OsRng;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const SALT: usize = 16;
const NONCE: usize = 12;
const TAG: usize = 16;
const KEY: usize = 32;

/// Bytes that sealing adds.
pub const SEAL_BYTES: usize = 1 + SALT + NONCE + TAG;

/// Seals what lies on disk and opens it again. Clones are equal.
#[derive(Clone)]
pub struct Vault {
    key: Arc<Zeroizing<[u8; KEY]>>,
}

impl core::fmt::Debug for Vault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Vault")
    }
}

/// A text was not sealed by this vault, for this purpose, or it was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("encrypted data does not fit the key, or was changed")]
pub struct Tampered;

/// What is wrong with a key file.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// There are secrets and no key.
    #[error(
        "the key file {} is missing, and the data folder holds credentials that only it can decrypt; \
         bring it back from a backup, or name the right one with --key-file",
        .0.display()
    )]
    Missing(PathBuf),
    /// It is the key of other secrets.
    #[error(
        "the key file {} is not the one that the credentials in the data folder were encrypted with; \
         name the right one with --key-file",
        .0.display()
    )]
    Wrong(PathBuf),
    /// It is no key.
    #[error(
        "the key file {} has {found} bytes and not 32; name the right one with --key-file",
        path.display()
    )]
    Size {
        /// The file.
        path: PathBuf,
        /// Its size.
        found: u64,
    },
    /// Everybody may read it.
    #[error(
        "the key file {} can be read by every user of this machine; chmod 600 it, and think of the \
         credentials as known to them",
        .0.display()
    )]
    Public(PathBuf),
    /// It cannot be read or made.
    #[error("the key file {} cannot be used: {source}", path.display())]
    Disk {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Vault {
    /// A vault whose key is nowhere else: for what does not outlive the process.
    pub(super) fn ephemeral() -> Self {
        let mut key = Zeroizing::new([0; KEY]);
        OsRng::new().fill(key.as_mut());
        Self { key: Arc::new(key) }
    }

    #[cfg(test)]
    pub(super) fn of_key(key: [u8; KEY]) -> Self {
        Self {
            key: Arc::new(Zeroizing::new(key)),
        }
    }

    /// The vault of a key file. `has_secrets` says whether it must be there; if not, it is made,
    /// for this user alone.
    pub(super) fn of_file(path: &Path, has_secrets: bool) -> Result<Self, KeyFileError> {
        let failed = |source| KeyFileError::Disk {
            path: path.to_owned(),
            source,
        };
        match File::open(path) {
            Ok(file) => Self::read(path, file),
            Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(error)),
            Err(_) if has_secrets => Err(KeyFileError::Missing(path.to_owned())),
            Err(_) => {
                let vault = Self::ephemeral();
                write_key(path, vault.key.as_ref().as_slice()).map_err(failed)?;
                Ok(vault)
            }
        }
    }

    fn read(path: &Path, mut file: File) -> Result<Self, KeyFileError> {
        let failed = |source| KeyFileError::Disk {
            path: path.to_owned(),
            source,
        };
        let found: Metadata = file.metadata().map_err(failed)?;
        if found.mode() & 0o007 != 0 {
            return Err(KeyFileError::Public(path.to_owned()));
        }
        if found.len() != KEY as u64 {
            return Err(KeyFileError::Size {
                path: path.to_owned(),
                found: found.len(),
            });
        }
        let mut key = Zeroizing::new([0; KEY]);
        file.read_exact(key.as_mut()).map_err(failed)?;
        Ok(Self { key: Arc::new(key) })
    }

    /// Encrypts and authenticates `plain`, and authenticates `bound`: what stands beside it in the
    /// clear and must not be changed or swapped. The result is [`SEAL_BYTES`] longer than `plain`.
    pub fn seal(&self, purpose: &str, bound: &[u8], plain: &[u8]) -> Vec<u8> {
        let mut random = [0; SALT + NONCE];
        OsRng::new().fill(&mut random);
        self.seal_with(random, purpose, bound, plain)
    }

    fn seal_with(
        &self,
        random: [u8; SALT + NONCE],
        purpose: &str,
        bound: &[u8],
        plain: &[u8],
    ) -> Vec<u8> {
        let (salt, nonce) = random.split_at(SALT);
        let nonce: [u8; NONCE] = nonce.try_into().unwrap_or_default();
        let payload = Payload {
            msg: plain,
            aad: bound,
        };
        let cipher = self.cipher(purpose, salt);
        // It fails for texts beyond 64 GiB alone.
        let sealed = cipher.encrypt(&nonce.into(), payload).unwrap_or_default();
        [&[VERSION][..], &random, &sealed].concat()
    }

    /// The text again.
    ///
    /// # Errors
    /// [`Tampered`] when anything of it is not as it was sealed.
    pub fn open(
        &self,
        purpose: &str,
        bound: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Tampered> {
        let rest = sealed.strip_prefix(&[VERSION]).ok_or(Tampered)?;
        let (salt, rest) = rest.split_at_checked(SALT).ok_or(Tampered)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE>().ok_or(Tampered)?;
        let payload = Payload {
            msg: text,
            aad: bound,
        };
        let plain = self
            .cipher(purpose, salt)
            .decrypt(&(*nonce).into(), payload);
        plain.map(Zeroizing::new).map_err(|_| Tampered)
    }

    fn cipher(&self, purpose: &str, salt: &[u8]) -> Aes256Gcm {
        // An HMAC takes keys of any length.
        let mut mac = match <Hmac<Sha256> as KeyInit>::new_from_slice(self.key.as_slice()) {
            Ok(mac) => mac,
            Err(_) => <Hmac<Sha256> as KeyInit>::new(&Default::default()),
        };
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(salt);
        let mut key = mac.finalize().into_bytes();
        let cipher = Aes256Gcm::new(&key);
        zeroize::Zeroize::zeroize(key.as_mut_slice());
        cipher
    }
}

/// Writes a new key whole or not at all: never over one that is there.
fn write_key(path: &Path, key: &[u8]) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let part = path.with_extension(format!("part-{}", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&part)?;
        file.write_all(key)?;
        file.sync_all()?;
        std::fs::hard_link(&part, path)
    })();
    let _ = std::fs::remove_file(&part);
    written?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("dunlin-vault-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("made");
        folder
    }

    /// Computed with another implementation (Python `cryptography` and `hmac`).
    #[test]
    fn a_sealed_text_is_what_the_format_says() {
        let key: [u8; KEY] = core::array::from_fn(|index| index as u8);
        let random: [u8; SALT + NONCE] = core::array::from_fn(|index| 0xA0 + index as u8);
        let sealed = Vault::of_key(key).seal_with(random, "test", b"row 7", b"sesame");
        let hex: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "01a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babb01fade3116c7d3048bd7fa7fc2be751ca7368280db86"
        );
        assert_eq!(sealed.len(), 6 + SEAL_BYTES);
    }

    #[test]
    fn what_is_sealed_is_opened_by_the_same_key_for_the_same_purpose_alone() {
        let vault = Vault::ephemeral();
        let sealed = vault.seal("a", b"row 1", b"sesame");
        assert_eq!(
            **vault.open("a", b"row 1", &sealed).expect("opens"),
            *b"sesame"
        );
        assert_eq!(vault.open("b", b"row 1", &sealed), Err(Tampered));
        assert_eq!(vault.open("a", b"row 2", &sealed), Err(Tampered));
        let other = Vault::ephemeral();
        assert_eq!(other.open("a", b"row 1", &sealed), Err(Tampered));
        for index in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[index] ^= 1;
            assert_eq!(
                vault.open("a", b"row 1", &changed),
                Err(Tampered),
                "{index}"
            );
            let cut = &sealed[..index];
            assert_eq!(vault.open("a", b"row 1", cut), Err(Tampered), "{index}");
        }
        assert_ne!(vault.seal("a", b"row 1", b"sesame"), sealed, "random");
    }

    #[test]
    fn a_key_file_is_made_for_this_user_alone_and_read_again() {
        let path = folder("new").join("secret.key");
        let vault = Vault::of_file(&path, false).expect("made");
        let found = std::fs::metadata(&path).expect("there");
        assert_eq!((found.mode() & 0o777, found.len()), (0o600, 32));
        let sealed = vault.seal("a", b"", b"sesame");
        let again = Vault::of_file(&path, true).expect("read");
        assert!(again.open("a", b"", &sealed).is_ok());
        let files = std::fs::read_dir(path.parent().expect("a folder")).expect("read");
        assert_eq!(files.count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_key_file_that_is_missing_or_unfit_is_told_in_words() {
        let folder = folder("unfit");
        let path = folder.join("secret.key");
        let told = |has_secrets| {
            let error = Vault::of_file(&path, has_secrets).expect_err("unfit");
            error.to_string()
        };
        assert!(told(true).contains("is missing"));
        assert!(!path.exists(), "a new key would make the loss final");
        std::fs::write(&path, [1; 31]).expect("written");
        let mode = |mode| {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("set");
        };
        mode(0o640);
        assert!(told(false).contains("31 bytes"));
        mode(0o604);
        assert!(told(false).contains("every user"));
        std::fs::remove_file(&path).expect("removed");
        std::fs::create_dir(&path).expect("made");
        mode(0o700);
        assert!(told(true).contains("key file"));
    }
}

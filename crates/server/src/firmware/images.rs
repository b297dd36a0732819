//! Images: immutable bytes, told apart by their SHA-256, in files of that name.

use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Weak};

use sha2::{Digest, Sha256};

/// An image that can be brought to devices.
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// The first digits of `sha256`.
    pub id: String,
    /// Name for people, and the last segment of its address for devices.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 in 64 hexadecimal digits.
    pub sha256: String,
    /// When it was added, in Unix seconds.
    pub created_at: f64,
}

/// Why an image is not taken or not given.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It has no bytes.
    #[error("the image is empty")]
    Empty,
    /// It has too many.
    #[error("the image is larger than {0} bytes, the most this server keeps")]
    TooLarge(usize),
    /// There are too many.
    #[error("there are {0} images already, the most this server keeps; remove one first")]
    TooMany(usize),
    /// Names are shown and become part of addresses.
    #[error("the name must have 1 to 100 characters and no control characters")]
    Name,
    /// There is none of this id.
    #[error("there is no image {0:?}")]
    Unknown(String),
    /// Another one has the same id.
    #[error("image {0} begins with the same digits of its SHA-256 and is another; remove it first")]
    Ambiguous(String),
    /// A job needs it.
    #[error("the image is being brought to {0:?}; cancel that first")]
    InUse(String),
    /// The disk does not do it.
    #[error("the image cannot be kept: {0}")]
    Disk(#[from] std::io::Error),
    /// The database does not do it.
    #[error("the database reports: {0}")]
    Database(#[from] rusqlite::Error),
}

/// Hexadecimal digits of an id.
const ID_DIGITS: usize = 16;

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Image {
    pub(super) fn of(name: &str, bytes: &[u8], created_at: f64) -> Result<Self, ImageError> {
        let name = name.trim();
        let length = name.chars().count();
        if !(1..=100).contains(&length) || name.chars().any(char::is_control) {
            return Err(ImageError::Name);
        }
        if bytes.is_empty() {
            return Err(ImageError::Empty);
        }
        let sha256 = hex(&Sha256::digest(bytes));
        Ok(Self {
            id: sha256[..ID_DIGITS].to_owned(),
            name: name.to_owned(),
            size: bytes.len() as u64,
            sha256,
            created_at,
        })
    }

    /// Whether it can be kept beside others: ids are a part of the hash, and two images of one id
    /// would be taken for each other.
    pub(super) fn check_among(&self, others: &[Self]) -> Result<(), ImageError> {
        let is_other = |other: &&Self| other.id == self.id && other.sha256 != self.sha256;
        match others.iter().find(is_other) {
            Some(other) => Err(ImageError::Ambiguous(other.id.clone())),
            None => Ok(()),
        }
    }

    /// The first bytes of the hash.
    pub(super) fn etag(&self) -> [u8; 8] {
        let mut etag = [0; 8];
        for (byte, at) in etag.iter_mut().zip((0..).step_by(2)) {
            let digits = self.sha256.get(at..at + 2).unwrap_or("0");
            *byte = u8::from_str_radix(digits, 16).unwrap_or(0);
        }
        etag
    }

    /// The name as a segment of an address that no device can stumble over.
    pub(super) fn segment(&self) -> String {
        let plain = |character: char| match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' => character,
            '.' => '.',
            _ => '_',
        };
        let segment: String = self.name.chars().take(64).map(plain).collect();
        // These two are no names (RFC 7252 §5.10.1).
        match segment.as_str() {
            "." | ".." => "image".to_owned(),
            _ => segment,
        }
    }
}

/// The bytes of images: in files, or in memory alone. What is in use is loaded once.
#[derive(Debug)]
pub(super) struct Bytes {
    folder: Option<PathBuf>,
    loaded: HashMap<String, Weak<[u8]>>,
    /// Without a folder they lie here.
    kept: HashMap<String, Arc<[u8]>>,
}

impl Bytes {
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            loaded: HashMap::new(),
            kept: HashMap::new(),
        }
    }

    /// Removes what a crash left behind: files of no image.
    pub(super) fn tidy(&self, images: &[Image]) {
        let Some(folder) = &self.folder else { return };
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_image = |image: &Image| self.path(&image.sha256).as_ref() == Some(&path);
            let extension = path.extension().and_then(|extension| extension.to_str());
            let is_ours = matches!(extension, Some("image" | "part"));
            if is_ours && !images.iter().any(is_image) {
                tracing::info!(file = %path.display(), "of no image; removed");
                let _ = std::fs::remove_file(path);
            }
        }
    }

    fn path(&self, sha256: &str) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?;
        Some(folder.join(format!("{sha256}.image")))
    }

    /// Keeps bytes; on return they are on disk.
    pub(super) fn add(&mut self, sha256: &str, bytes: &[u8]) -> Result<(), ImageError> {
        let Some(path) = self.path(sha256) else {
            self.kept.insert(sha256.to_owned(), bytes.into());
            return Ok(());
        };
        let folder = path.with_file_name("");
        std::fs::create_dir_all(&folder)?;
        // Whole or not at all: a crash leaves another name behind, which the next attempt overwrites.
        let part = path.with_extension("part");
        let mut file = File::create(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&part, &path)?;
        File::open(&folder)?.sync_all()?;
        Ok(())
    }

    pub(super) fn remove(&mut self, sha256: &str) -> Result<(), ImageError> {
        self.kept.remove(sha256);
        self.loaded.remove(sha256);
        match self.path(sha256).map(std::fs::remove_file) {
            Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// The bytes, as they were added: a file that has changed since is an error.
    pub(super) fn get(&mut self, sha256: &str) -> Result<Arc<[u8]>, ImageError> {
        if let Some(bytes) = self.kept.get(sha256) {
            return Ok(Arc::clone(bytes));
        }
        if let Some(bytes) = self.loaded.get(sha256).and_then(Weak::upgrade) {
            return Ok(bytes);
        }
        let path = self
            .path(sha256)
            .ok_or_else(|| ImageError::Unknown(sha256.to_owned()))?;
        let bytes: Arc<[u8]> = std::fs::read(path)?.into();
        if hex(&Sha256::digest(&bytes)) != sha256 {
            let text = "its file has changed on disk; add it again";
            return Err(std::io::Error::other(text).into());
        }
        self.loaded.retain(|_, bytes| bytes.strong_count() > 0);
        self.loaded
            .insert(sha256.to_owned(), Arc::downgrade(&bytes));
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-2 appendix B.1.
    #[test]
    fn an_image_is_named_by_its_hash() {
        let image = Image::of(" abc.bin ", b"abc", 1.0).expect("an image");
        assert_eq!(
            image.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            (image.id.as_str(), image.name.as_str()),
            ("ba7816bf8f01cfea", "abc.bin")
        );
        assert_eq!(
            image.etag(),
            [0xBA, 0x78, 0x16, 0xBF, 0x8F, 0x01, 0xCF, 0xEA]
        );
    }

    #[test]
    fn images_of_the_same_id_are_told_apart_by_the_whole_hash() {
        let image = Image::of("a", b"abc", 1.0).expect("an image");
        let again = Image::of("b", b"abc", 2.0).expect("an image");
        let mut other = image.clone();
        other.sha256.replace_range(63.., "0");
        let beside = |others: &[Image]| image.check_among(others);
        assert!(beside(&[]).is_ok() && beside(&[again]).is_ok());
        assert!(matches!(beside(&[other]), Err(ImageError::Ambiguous(_))));
    }

    #[test]
    fn names_are_checked_and_made_into_segments() {
        for name in ["", "  ", "a\nb", &"x".repeat(101)] {
            assert!(
                matches!(Image::of(name, b"x", 0.0), Err(ImageError::Name)),
                "{name:?}"
            );
        }
        let segment = |name: &str| Image::of(name, b"x", 0.0).expect("legal").segment();
        assert_eq!(segment("fw 1.2/ä?.bin"), "fw_1.2___.bin");
        assert_eq!(segment(".."), "image");
    }

    #[test]
    fn a_file_that_has_changed_is_not_given_to_devices() {
        let folder = std::env::temp_dir().join(format!("dunlin-images-{}", std::process::id()));
        let mut bytes = Bytes::new(Some(folder.clone()));
        let image = Image::of("a", b"abc", 0.0).expect("an image");
        bytes.add(&image.sha256, b"abc").expect("kept");
        let again = Bytes::new(Some(folder.clone()))
            .get(&image.sha256)
            .expect("there");
        assert_eq!(*again, *b"abc");
        let path = folder.join(format!("{}.image", image.sha256));
        let left = [path.with_extension("part"), folder.join("0.image")];
        let other = folder.join("notes.txt");
        for file in left.iter().chain([&other]) {
            std::fs::write(file, b"x").expect("written");
        }
        bytes.tidy(core::slice::from_ref(&image));
        assert!(!left.iter().any(|file| file.exists()), "left by a crash");
        assert!(other.exists() && path.exists());
        std::fs::write(&path, b"abd").expect("written");
        let error = bytes.get(&image.sha256).expect_err("changed");
        assert!(error.to_string().contains("has changed on disk"), "{error}");
        bytes.remove(&image.sha256).expect("removed");
        assert!(!path.exists());
        std::fs::remove_dir_all(folder).expect("removed");
    }
}

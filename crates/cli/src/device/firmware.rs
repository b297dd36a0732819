//! Firmware of a device that only pretends: images are stored, checked and "installed", and after
//! the next start `/3/0/3` tells their version.
//!
//! An image may begin with a line that says what it is, `dunlin-firmware NAME VERSION [CRC32]`, the
//! checksum being that of the bytes behind the line. A version that ends in `-broken` does not
//! start. Any other bytes are an image as well, whose version is their checksum.

use std::fs;
use std::io::{Seek, SeekFrom, Write};
use std::net::{IpAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use anyhow::Context;
use dunlin_client::image::{ImageError, ImageInfo, ImageStorage, MAX_STATE};
use dunlin_client::objects::{Boot, FirmwareStorage, Installation, text};

use super::objects::unix_time;

const MAGIC: &[u8] = b"dunlin-firmware ";
/// Bytes of the largest image.
const CAPACITY: u32 = 64 << 20;

/// Where a device keeps its image, its update state and its version.
#[derive(Debug)]
pub(crate) struct Flash {
    place: Place,
    /// The version that runs.
    version: String,
    /// The version that starts with the next boot.
    next: Option<String>,
    /// Which runs on trial.
    trial: Option<String>,
}

#[derive(Debug)]
enum Place {
    Memory { image: Vec<u8>, state: Vec<u8> },
    Folder(PathBuf),
}

impl Flash {
    /// In memory: gone with the process.
    pub(crate) fn in_memory() -> Self {
        Self::new(Place::Memory {
            image: Vec::new(),
            state: Vec::new(),
        })
    }

    /// In a folder, which is made when it is missing.
    pub(crate) fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let mut flash = Self::new(Place::Folder(folder.to_owned()));
        if let Ok(version) = fs::read_to_string(folder.join("version")) {
            version.trim().clone_into(&mut flash.version);
        }
        if let Ok(next) = fs::read_to_string(folder.join("next")) {
            flash.next = Some(next.trim().to_owned());
        }
        Ok(flash)
    }

    fn new(place: Place) -> Self {
        Self {
            place,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            next: None,
            trial: None,
        }
    }

    /// The version that runs.
    pub(crate) fn version(&self) -> &str {
        self.trial.as_deref().unwrap_or(&self.version)
    }

    fn image(&self) -> std::io::Result<Vec<u8>> {
        match &self.place {
            Place::Memory { image, .. } => Ok(image.clone()),
            Place::Folder(folder) => fs::read(folder.join("image")),
        }
    }

    /// Keeps a small file; without it the state begins anew, which is no harm.
    fn keep(&self, name: &str, content: Option<&str>) {
        let Place::Folder(folder) = &self.place else {
            return;
        };
        let path = folder.join(name);
        let result = match content {
            Some(content) => fs::write(&path, content),
            None => fs::remove_file(&path),
        };
        if let Err(error) = result {
            tracing::debug!(path = %path.display(), %error, "not kept");
        }
    }
}

impl ImageStorage for Flash {
    fn begin(&mut self, size: Option<u32>) -> Result<(), ImageError> {
        if size.is_some_and(|size| size > CAPACITY) {
            return Err(ImageError::NoStorage);
        }
        match &mut self.place {
            Place::Memory { image, .. } => image.clear(),
            Place::Folder(folder) => {
                fs::write(folder.join("image"), b"").map_err(|_| ImageError::NoStorage)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), ImageError> {
        if u64::from(offset) + bytes.len() as u64 > u64::from(CAPACITY) {
            return Err(ImageError::NoStorage);
        }
        match &mut self.place {
            Place::Memory { image, .. } => {
                image.truncate(offset as usize);
                image.extend_from_slice(bytes);
                Ok(())
            }
            Place::Folder(folder) => {
                append(&folder.join("image"), offset, bytes).map_err(|_| ImageError::NoStorage)
            }
        }
    }

    fn finish(&mut self, _size: u32) -> Result<ImageInfo, ImageError> {
        let image = self.image().map_err(|_| ImageError::NoStorage)?;
        describe(&image)
    }

    fn abort(&mut self) {
        match &mut self.place {
            Place::Memory { image, .. } => image.clear(),
            Place::Folder(folder) => {
                // It may not be there.
                let _ = fs::remove_file(folder.join("image"));
            }
        }
    }

    fn stored(&self) -> u32 {
        let length = match &self.place {
            Place::Memory { image, .. } => image.len() as u64,
            Place::Folder(folder) => {
                fs::metadata(folder.join("image")).map_or(0, |data| data.len())
            }
        };
        u32::try_from(length).unwrap_or(0)
    }

    fn save(&mut self, new: &[u8]) {
        match &mut self.place {
            Place::Memory { state, .. } => *state = new.to_vec(),
            Place::Folder(folder) => {
                // Whole or not at all: a half-written state would count as none.
                let part = folder.join("state.part");
                let result =
                    fs::write(&part, new).and_then(|()| fs::rename(&part, folder.join("state")));
                if let Err(error) = result {
                    tracing::error!(%error, "the state of the firmware update was not kept");
                }
            }
        }
    }

    fn load(&mut self, buffer: &mut [u8; MAX_STATE]) -> usize {
        let state = match &self.place {
            Place::Memory { state, .. } => state.clone(),
            Place::Folder(folder) => fs::read(folder.join("state")).unwrap_or_default(),
        };
        let Some(space) = buffer.get_mut(..state.len()) else {
            return 0;
        };
        space.copy_from_slice(&state);
        state.len()
    }

    fn resolve(&mut self, host: &str) -> Option<IpAddr> {
        // The first of IPv4, which is what most repositories and devices have.
        let addresses = (host, 0).to_socket_addrs().ok()?;
        addresses
            .map(|address| address.ip())
            .min_by_key(IpAddr::is_ipv6)
    }

    fn unix_time(&self) -> Option<i64> {
        Some(unix_time())
    }
}

impl FirmwareStorage for Flash {
    fn install(&mut self) -> Installation {
        let image = self.image().unwrap_or_default();
        let Ok(info) = describe(&image) else {
            return Installation::Failed { keeps_image: false };
        };
        self.keep("next", Some(&info.version));
        self.next = Some(info.version.as_str().to_owned());
        Installation::Reboot
    }

    fn booted(&mut self) -> Boot {
        self.keep("next", None);
        match self.next.take() {
            Some(version) if !version.ends_with("-broken") => {
                self.trial = Some(version);
                Boot::Trial
            }
            _ => Boot::Previous,
        }
    }

    fn confirm(&mut self) {
        if let Some(version) = self.trial.take() {
            self.keep("version", Some(&version));
            self.version = version;
        }
    }

    fn roll_back(&mut self) -> bool {
        self.trial = None;
        true
    }
}

fn append(path: &Path, offset: u32, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).open(path)?;
    file.set_len(u64::from(offset))?;
    file.seek(SeekFrom::End(0))?;
    file.write_all(bytes)
}

/// What an image says about itself, or that it is no good.
fn describe(image: &[u8]) -> Result<ImageInfo, ImageError> {
    let Some(rest) = image.strip_prefix(MAGIC) else {
        return Ok(ImageInfo {
            name: text(""),
            version: text(&format!("crc-{:08x}", crc32(image))),
        });
    };
    let end = rest
        .iter()
        .position(|byte| *byte == b'\n')
        .ok_or(ImageError::UnsupportedPackage)?;
    let (line, content) = rest.split_at(end);
    let line = std::str::from_utf8(line).map_err(|_| ImageError::UnsupportedPackage)?;
    let mut words = line.split_whitespace();
    let (Some(name), Some(version)) = (words.next(), words.next()) else {
        return Err(ImageError::UnsupportedPackage);
    };
    if let Some(crc) = words.next() {
        let crc = u32::from_str_radix(crc, 16).map_err(|_| ImageError::UnsupportedPackage)?;
        if crc != crc32(content.get(1..).unwrap_or_default()) {
            return Err(ImageError::Integrity);
        }
    }
    Ok(ImageInfo {
        name: text(name),
        version: text(version),
    })
}

/// CRC-32 of ISO 3309.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_say_what_they_are() {
        let info = |image: &[u8]| {
            describe(image).map(|info| (info.name.to_string(), info.version.to_string()))
        };
        let pair = |name: &str, version: &str| Ok((name.to_owned(), version.to_owned()));
        // The check value of CRC-32.
        assert_eq!(info(b"123456789"), pair("", "crc-cbf43926"));
        assert_eq!(info(b"dunlin-firmware pump 2.0\n\x00"), pair("pump", "2.0"));
        let checked = b"dunlin-firmware pump 2.1 cbf43926\n123456789";
        assert_eq!(info(checked), pair("pump", "2.1"));
        assert_eq!(
            info(b"dunlin-firmware pump 2.1 cbf43926\n12345678"),
            Err(ImageError::Integrity)
        );
        for image in [
            &b"dunlin-firmware pump 2.0"[..],
            b"dunlin-firmware pump\n",
            b"dunlin-firmware pump 2.0 xyz\n",
            b"dunlin-firmware \xFF 2\n",
        ] {
            assert_eq!(info(image), Err(ImageError::UnsupportedPackage));
        }
    }

    #[test]
    fn a_folder_keeps_the_image_the_state_and_the_version() {
        let folder = std::env::temp_dir().join(format!("dunlin-flash-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let mut flash = Flash::in_folder(&folder).unwrap();
        flash.begin(None).unwrap();
        flash.write(0, b"dunlin-firmware pump xx").unwrap();
        // An interrupted transfer goes on at a lower offset.
        flash.write(21, b"2.0\nimage").unwrap();
        flash.save(b"state");
        let mut flash = Flash::in_folder(&folder).unwrap();
        assert_eq!(flash.stored(), 30);
        assert_eq!(flash.finish(30).unwrap().version, "2.0");
        let mut buffer = [0; MAX_STATE];
        let length = flash.load(&mut buffer);
        assert_eq!(&buffer[..length], b"state");
        assert_eq!(flash.install(), Installation::Reboot);
        let mut flash = Flash::in_folder(&folder).unwrap();
        assert_eq!(flash.booted(), Boot::Trial);
        assert_eq!(flash.version(), "2.0");
        flash.confirm();
        flash.abort();
        let flash = Flash::in_folder(&folder).unwrap();
        assert_eq!((flash.version(), flash.stored()), ("2.0", 0));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn broken_firmware_does_not_start() {
        let mut flash = Flash::in_memory();
        flash.begin(None).unwrap();
        flash.write(0, b"dunlin-firmware pump 3-broken\n").unwrap();
        assert_eq!(flash.install(), Installation::Reboot);
        assert_eq!(flash.booted(), Boot::Previous);
        assert_eq!(flash.version(), env!("CARGO_PKG_VERSION"));
    }
}

//! DTLS sessions in a file: they outlive the process, also when it is killed.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, rename};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use dunlin_client::StorageError;
use dunlin_client::secure::SessionStorage;

/// What the file begins with.
const MAGIC: &[u8] = b"dunlin sessions 1\n";

/// One record for each server; without a file they live as long as the process.
pub(crate) struct Sessions {
    records: BTreeMap<u16, Vec<u8>>,
    path: Option<PathBuf>,
}

impl Sessions {
    pub(crate) const fn in_memory() -> Self {
        Self {
            records: BTreeMap::new(),
            path: None,
        }
    }

    /// The sessions of a file, which is made when there is something to keep.
    pub(crate) fn in_file(path: &Path) -> anyhow::Result<Self> {
        let mut bytes = Vec::new();
        match File::open(path) {
            Ok(mut file) => {
                file.read_to_end(&mut bytes)
                    .with_context(|| format!("reading {}", path.display()))?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(|| format!("opening {}", path.display())),
        }
        let Some(records) = parse(&bytes) else {
            bail!(
                "--state {}: this is no file of sessions; remove it, or name another",
                path.display()
            );
        };
        Ok(Self {
            records,
            path: Some(path.to_owned()),
        })
    }

    /// Whether they outlive the process.
    pub(crate) const fn is_in_file(&self) -> bool {
        self.path.is_some()
    }

    /// Writes the file anew: the old one stays until the new one is on the disk.
    fn write(&self) -> std::io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let mut bytes = MAGIC.to_vec();
        for (id, record) in &self.records {
            bytes.extend_from_slice(&id.to_be_bytes());
            bytes.extend_from_slice(&(record.len() as u32).to_be_bytes());
            bytes.extend_from_slice(record);
        }
        let mut beside = path.clone().into_os_string();
        beside.push(".new");
        // Whoever reads it can take the device's place.
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        rename(&beside, path)?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    fn change(&mut self) -> Result<(), StorageError> {
        self.write().map_err(|error| {
            tracing::error!(%error, "the sessions were not stored");
            StorageError
        })
    }
}

/// `None` for what is no file of sessions; an empty one is one without sessions.
fn parse(bytes: &[u8]) -> Option<BTreeMap<u16, Vec<u8>>> {
    let mut records = BTreeMap::new();
    if bytes.is_empty() {
        return Some(records);
    }
    let mut rest = bytes.strip_prefix(MAGIC)?;
    while !rest.is_empty() {
        let (id, behind) = rest.split_first_chunk::<2>()?;
        let (length, behind) = behind.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (record, behind) = behind.split_at_checked(length)?;
        records.insert(u16::from_be_bytes(*id), record.to_vec());
        rest = behind;
    }
    Some(records)
}

impl SessionStorage for Sessions {
    fn save(&mut self, server: u16, record: &[u8]) -> Result<(), StorageError> {
        self.records.insert(server, record.to_vec());
        self.change()
    }

    fn load(&mut self, server: u16) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.records.get(&server).cloned())
    }

    fn erase(&mut self, server: u16) -> Result<(), StorageError> {
        match self.records.remove(&server) {
            Some(_) => self.change(),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn sessions_are_there_after_a_restart_and_for_nobody_else() {
        let folder = std::env::temp_dir().join(format!("dunlin-sessions-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("state");
        let mut sessions = Sessions::in_file(&path).unwrap();
        assert!(!path.exists());
        sessions.save(1, b"one").unwrap();
        sessions.save(102, b"other").unwrap();
        sessions.save(1, b"newer").unwrap();
        sessions.erase(7).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let mut again = Sessions::in_file(&path).unwrap();
        assert_eq!(again.load(1).unwrap().as_deref(), Some(&b"newer"[..]));
        assert_eq!(again.load(102).unwrap().as_deref(), Some(&b"other"[..]));
        again.erase(1).unwrap();
        let mut again = Sessions::in_file(&path).unwrap();
        assert_eq!(again.load(1).unwrap(), None);
        // Something else is not written over.
        std::fs::write(&path, "notes").unwrap();
        let error = Sessions::in_file(&path).err().unwrap().to_string();
        assert!(error.contains("no file of sessions"), "{error}");
        let whole = [MAGIC, &[0, 1, 0, 0, 0, 2, 9, 9]].concat();
        for end in 1..whole.len() {
            assert_eq!(parse(&whole[..end]).is_some(), end == MAGIC.len(), "{end}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

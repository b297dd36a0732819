//! What outlives the process: registrations, observation wishes and their last known values,
//! queued operations and their results.
//!
//! Shards hand their changes to one writer thread. It commits them in groups
//! and tells each shard how far its changes are on disk; only then the shard sends the replies
//! that promise it.

mod columns;
mod memory;
mod operations;
mod sends;
mod sessions;
mod sqlite;
#[cfg(test)]
mod tests;
pub(crate) mod writer;

use std::path::PathBuf;

use crate::api::QueuedOperation;
use crate::shard::{
    Persist, StoredAwakeTime, StoredRegistration, StoredSend, StoredSession, StoredValues,
    StoredWish,
};

pub use memory::MemoryStore;
pub use sqlite::SqliteStore;
pub(crate) use sqlite::{column, number};

/// A change with its origin.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The shard it comes from.
    pub shard: u16,
    /// Its number within that shard; grows by one.
    pub sequence: u64,
    /// What to write.
    pub change: Persist,
}

/// What lies in a store.
#[derive(Clone, Debug, PartialEq)]
pub enum Stored {
    /// A DTLS association, encrypted; these come before the registrations.
    Session(StoredSession),
    /// A registration.
    Registration(StoredRegistration),
    /// A wish; comes before its values.
    Wish(StoredWish),
    /// Last known values of a wish.
    Values(StoredValues),
    /// What a Profile ID stands for.
    Profile {
        /// The Profile ID.
        id: String,
        /// Object list (link-format).
        links: String,
    },
    /// What a device sent; of one device in the order of the numbers.
    Send(StoredSend),
    /// What is known about the awake time of a device.
    AwakeTime(StoredAwakeTime),
    /// Numbers of operations below this one were given out.
    NextOperation(u64),
    /// A queued operation, or one that has ended; these come in the order of their ends.
    Operation(QueuedOperation),
}

/// A place where changes outlive the process.
///
/// Registrations are fenced by their epoch: a change of an older epoch than what is stored, or than
/// what was removed lately, has no effect. So a shard that lost a registration to another one
/// cannot overwrite it with a late change.
pub trait Store: Send {
    /// Hands over everything that is stored: associations, registrations, wishes, values, Profile IDs, Sends,
    /// awake times, operations.
    ///
    /// # Errors
    /// When the store cannot be read. A single entry that makes no sense is logged and left out.
    fn load(&mut self, visit: &mut dyn FnMut(Stored)) -> Result<(), StoreError>;

    /// Writes a group of changes, all or none, in order; on return they are durable.
    ///
    /// # Errors
    /// When they are not. The same group may be tried again.
    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError>;

    /// Whether anything that is committed outlives the process; nothing is handed over otherwise.
    fn keeps(&self) -> bool {
        true
    }

    /// The number from which events may be counted: none from it on was ever given out.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn first_event(&mut self) -> Result<u64, StoreError>;

    /// Durably sets what [`Store::first_event`] tells next time.
    ///
    /// # Errors
    /// When it is not durable.
    fn reserve_events(&mut self, first: u64) -> Result<(), StoreError>;
}

/// Why the store does not work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another server uses the data folder.
    #[error(
        "the data folder {} is in use by another dunlin server; stop that one or choose another folder with --data",
        .0.display()
    )]
    Locked(PathBuf),
    /// The folder cannot be made or written.
    #[error("the data folder {} cannot be used: {source}", path.display())]
    Folder {
        /// The folder or a file in it.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The data was written by a newer version of this program.
    #[error(
        "{} has schema version {found}, this dunlin knows up to {known}; use the newer dunlin that wrote it",
        path.display()
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// Our version.
        known: i64,
    },
    /// The database reports an error: disk full, damaged file and the like.
    #[error("the database reports: {0}")]
    Database(#[from] rusqlite::Error),
}

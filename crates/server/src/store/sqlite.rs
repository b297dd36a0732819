//! The store in a data folder: one SQLite database, one server at a time.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::path::{Path as FilePath, PathBuf};

use dunlin_dtls::SessionId;
use dunlin_lwm2m::OwnedRecord;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};

use crate::api::Observed;
use crate::shard::{Persist, StoredRegistration, StoredValues, StoredWish};
use crate::store::columns::{
    attributes_from_text, attributes_to_text, paths_from_text, paths_to_text, value_from_columns,
    value_to_columns,
};
use crate::store::{Change, Store, StoreError, Stored, operations, sends, sessions};

/// Each step takes the schema from its index to the next version (`user_version`).
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE meta (
        name TEXT PRIMARY KEY,
        value INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- One row for each registered device. Times are Unix seconds.
    CREATE TABLE registrations (
        endpoint TEXT PRIMARY KEY,
        epoch INTEGER NOT NULL,
        shard INTEGER NOT NULL,
        registration_id TEXT NOT NULL,
        address TEXT NOT NULL,
        parameters TEXT NOT NULL,
        links TEXT NOT NULL,
        registered_at REAL NOT NULL,
        updated_at REAL NOT NULL
    ) STRICT;
    -- What somebody wants to be told. values_at is the time of the last known values.
    CREATE TABLE wishes (
        endpoint TEXT NOT NULL,
        id INTEGER NOT NULL,
        path TEXT NOT NULL,
        attributes TEXT NOT NULL,
        values_at REAL,
        PRIMARY KEY (endpoint, id)
    ) STRICT, WITHOUT ROWID;
    -- Last known values of a wish, one row for each record.
    CREATE TABLE last_values (
        endpoint TEXT NOT NULL,
        wish INTEGER NOT NULL,
        position INTEGER NOT NULL,
        path TEXT NOT NULL,
        time REAL,
        type TEXT,
        value ANY,
        PRIMARY KEY (endpoint, wish, position)
    ) STRICT, WITHOUT ROWID;
",
    operations::MIGRATION,
    "
    -- Observe-Composite: its paths, with blanks between; path is / then. Attributes in the request.
    ALTER TABLE wishes ADD COLUMN paths TEXT NOT NULL DEFAULT '';
    ALTER TABLE wishes ADD COLUMN parameters TEXT NOT NULL DEFAULT '';
",
    crate::firmware::MIGRATION,
    sends::MIGRATION,
    "
    -- Object lists by Profile ID, learned from devices that gave both.
    CREATE TABLE profiles (
        id TEXT PRIMARY KEY,
        links TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
",
    crate::credentials::MIGRATION,
    "
    -- The DTLS association that a registration was made in, and the tag of the credential that was
    -- proven there: 64 bits each, as the signed number that has them.
    ALTER TABLE registrations ADD COLUMN session INTEGER;
    ALTER TABLE registrations ADD COLUMN credential INTEGER;
",
    crate::credentials::AUTHORITIES_MIGRATION,
    sessions::MIGRATION,
];

const KNOWN_VERSION: i64 = MIGRATIONS.len() as i64;

const WRITE_REGISTRATION: &str = "
    INSERT INTO registrations VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
    ON CONFLICT (endpoint) DO UPDATE SET
        epoch = excluded.epoch, shard = excluded.shard, registration_id = excluded.registration_id,
        address = excluded.address, parameters = excluded.parameters, links = excluded.links,
        registered_at = excluded.registered_at, updated_at = excluded.updated_at,
        session = excluded.session, credential = excluded.credential
    WHERE excluded.epoch >= registrations.epoch";
const REMOVE_REGISTRATION: &str = "DELETE FROM registrations WHERE endpoint = ?1 AND epoch <= ?2";
const WRITE_WISH: &str = "
    INSERT INTO wishes (endpoint, id, path, attributes, paths, parameters)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (endpoint, id) DO UPDATE SET
        path = excluded.path, attributes = excluded.attributes, paths = excluded.paths,
        parameters = excluded.parameters";
const REMOVE_WISH: &str = "DELETE FROM wishes WHERE endpoint = ?1 AND id = ?2";
const TIME_VALUES: &str = "UPDATE wishes SET values_at = ?3 WHERE endpoint = ?1 AND id = ?2";
const REMOVE_VALUES: &str = "DELETE FROM last_values WHERE endpoint = ?1 AND wish = ?2";
const WRITE_VALUE: &str = "INSERT INTO last_values VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const WRITE_META: &str = "INSERT OR REPLACE INTO meta VALUES (?1, ?2)";

/// The data folder. While this lives no other server can use it.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    tombstones: Tombstones,
    /// Locked until it is closed, also by `kill -9`.
    _lock: File,
}

impl SqliteStore {
    /// Opens the data folder and makes it if it is missing; brings an older schema up to date.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another server uses it, [`StoreError::Newer`], and when it
    /// cannot be read or written.
    pub fn open(folder: &FilePath) -> Result<Self, StoreError> {
        let failed = |path: &FilePath| {
            let path = path.to_owned();
            move |source| StoreError::Folder { path, source }
        };
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        let lock_path = folder.join("dunlin.lock");
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(failed(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked(folder.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(&lock_path)(error)),
        }
        let path = folder.join("dunlin.db");
        let mut connection = Connection::open(&path)?;
        // An operator's query may hold a lock for a moment.
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // FULL: a commit is on disk when it returns. NORMAL would only promise order.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "cache_size", -65_536)?;
        connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
        migrate(&mut connection, path)?;
        Ok(Self {
            connection,
            tombstones: Tombstones::default(),
            _lock: lock,
        })
    }
}

fn migrate(connection: &mut Connection, path: PathBuf) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let Some(steps) = usize::try_from(found)
        .ok()
        .and_then(|found| MIGRATIONS.get(found..))
    else {
        return Err(StoreError::Newer {
            path,
            found,
            known: KNOWN_VERSION,
        });
    };
    for step in steps {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", KNOWN_VERSION)?;
    transaction.commit()?;
    Ok(())
}

impl Store for SqliteStore {
    fn load(&mut self, visit: &mut dyn FnMut(Stored)) -> Result<(), StoreError> {
        sessions::load(&self.connection, visit)?;
        let mut query = self.connection.prepare(
            "SELECT endpoint, epoch, shard, registration_id, address, parameters, links,
                registered_at, updated_at, session, credential FROM registrations",
        )?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            match registration(row) {
                Some(stored) => visit(Stored::Registration(stored)),
                None => skipped("registration", row),
            }
        }
        let mut query = self.connection.prepare(
            "SELECT endpoint, id, path, attributes, paths, parameters FROM wishes
                ORDER BY endpoint, id",
        )?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            match wish(row) {
                Some(stored) => visit(Stored::Wish(stored)),
                None => skipped("observation wish", row),
            }
        }
        let mut query = self.connection.prepare(
            "SELECT wishes.endpoint, id, values_at, last_values.path, time, type, value
                FROM wishes LEFT JOIN last_values
                    ON last_values.endpoint = wishes.endpoint AND last_values.wish = wishes.id
                WHERE values_at IS NOT NULL
                ORDER BY wishes.endpoint, id, position",
        )?;
        let mut rows = query.query([])?;
        let mut current: Option<StoredValues> = None;
        while let Some(row) = rows.next()? {
            let (endpoint, wish, updated_at) = (row.get(0)?, number(row.get(1)?), row.get(2)?);
            if current
                .as_ref()
                .is_none_or(|values| values.endpoint != endpoint || values.wish != wish)
            {
                let next = StoredValues {
                    endpoint,
                    wish,
                    records: Vec::new(),
                    updated_at,
                };
                if let Some(whole) = current.replace(next) {
                    visit(Stored::Values(whole));
                }
            }
            match (record(row), &mut current) {
                (Some(record), Some(values)) => values.records.extend(record),
                _ => skipped("last known value", row),
            }
        }
        if let Some(whole) = current {
            visit(Stored::Values(whole));
        }
        let mut query = self.connection.prepare("SELECT id, links FROM profiles")?;
        let mut rows = query.query([])?;
        while let Some(row) = rows.next()? {
            let (id, links) = (row.get(0)?, row.get(1)?);
            visit(Stored::Profile { id, links });
        }
        sends::load(&self.connection, visit)?;
        operations::load(&self.connection, visit)
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        write(&transaction, &mut self.tombstones, changes)?;
        transaction.commit()?;
        Ok(())
    }

    fn first_event(&mut self) -> Result<u64, StoreError> {
        let stored = self.connection.query_row(
            "SELECT value FROM meta WHERE name = 'first_event'",
            [],
            |row| row.get(0),
        );
        match stored {
            Ok(first) => Ok(number(first)),
            Err(rusqlite::Error::QueryReturnedNoRows) => Ok(1),
            Err(error) => Err(error.into()),
        }
    }

    fn reserve_events(&mut self, first: u64) -> Result<(), StoreError> {
        self.connection
            .execute(WRITE_META, params!["first_event", column(first)])?;
        Ok(())
    }
}

/// SQLite's integers are signed; our counters never reach the difference.
pub(crate) fn column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(crate) fn number(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

/// All 64 bits of a number.
fn bits(column: Option<i64>) -> Option<u64> {
    column.map(i64::cast_unsigned)
}

fn write(
    transaction: &Transaction<'_>,
    tombstones: &mut Tombstones,
    changes: &[Change],
) -> Result<(), rusqlite::Error> {
    let mut write_registration = transaction.prepare_cached(WRITE_REGISTRATION)?;
    let mut remove_registration = transaction.prepare_cached(REMOVE_REGISTRATION)?;
    let mut write_wish = transaction.prepare_cached(WRITE_WISH)?;
    let mut remove_wish = transaction.prepare_cached(REMOVE_WISH)?;
    let mut time_values = transaction.prepare_cached(TIME_VALUES)?;
    let mut remove_values = transaction.prepare_cached(REMOVE_VALUES)?;
    let mut write_value = transaction.prepare_cached(WRITE_VALUE)?;
    let mut operations = operations::Writer::new(transaction)?;
    let mut sends = sends::Sends::new(transaction)?;
    for Change { change, .. } in changes {
        match change {
            Persist::Registration(new) => {
                if tombstones.forbid(&new.endpoint, new.epoch) {
                    continue;
                }
                write_registration.execute(params![
                    new.endpoint,
                    column(new.epoch),
                    new.shard,
                    new.registration_id,
                    new.address.to_string(),
                    new.parameters,
                    new.links,
                    new.registered_at,
                    new.updated_at,
                    new.session.map(|session| session.to_bits().cast_signed()),
                    new.credential.map(u64::cast_signed),
                ])?;
            }
            Persist::RemoveRegistration { endpoint, epoch } => {
                tombstones.add(endpoint, *epoch);
                remove_registration.execute(params![endpoint, column(*epoch)])?;
            }
            Persist::Wish(new) => {
                write_wish.execute(params![
                    new.endpoint,
                    column(new.id),
                    new.observed.path.to_string(),
                    attributes_to_text(&new.observed.attributes),
                    paths_to_text(&new.observed.paths),
                    attributes_to_text(&new.observed.parameters),
                ])?;
            }
            Persist::RemoveWish { endpoint, id } => {
                remove_values.execute(params![endpoint, column(*id)])?;
                remove_wish.execute(params![endpoint, column(*id)])?;
            }
            Persist::Profile { id, links } => {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO profiles VALUES (?1, ?2)")?
                    .execute(params![id, links])?;
            }
            Persist::RemoveProfile { id } => {
                transaction
                    .prepare_cached("DELETE FROM profiles WHERE id = ?1")?
                    .execute(params![id])?;
            }
            Persist::Send(new) => sends.write(new)?,
            Persist::RemoveSends { endpoint, through } => sends.remove(endpoint, *through)?,
            Persist::Operation(new) => operations.write(new)?,
            Persist::RemoveOperation(id) => operations.remove(*id)?,
            Persist::AwakeTime(new) => operations.awake_time(new)?,
            Persist::Session(new) => sessions::write(transaction, new)?,
            Persist::RemoveSession { shard, session } => {
                sessions::remove(transaction, *shard, *session)?;
            }
            Persist::Values(new) => {
                let wish = column(new.wish);
                // A wish that is gone takes no values any more.
                if time_values.execute(params![new.endpoint, wish, new.updated_at])? == 0 {
                    continue;
                }
                remove_values.execute(params![new.endpoint, wish])?;
                for (position, record) in new.records.iter().enumerate() {
                    let (name, value) = record.value.as_ref().map(value_to_columns).unzip();
                    write_value.execute(params![
                        new.endpoint,
                        wish,
                        column(position as u64),
                        record.path.to_string(),
                        record.time,
                        name,
                        value,
                    ])?;
                }
            }
        }
    }
    Ok(())
}

fn registration(row: &Row<'_>) -> Option<StoredRegistration> {
    Some(StoredRegistration {
        endpoint: row.get(0).ok()?,
        epoch: number(row.get(1).ok()?),
        shard: row.get(2).ok()?,
        registration_id: row.get(3).ok()?,
        address: row.get_ref(4).ok()?.as_str().ok()?.parse().ok()?,
        parameters: row.get(5).ok()?,
        links: row.get(6).ok()?,
        registered_at: row.get(7).ok()?,
        updated_at: row.get(8).ok()?,
        session: bits(row.get(9).ok()?).map(SessionId::from_bits),
        credential: bits(row.get(10).ok()?),
    })
}

fn wish(row: &Row<'_>) -> Option<StoredWish> {
    Some(StoredWish {
        endpoint: row.get(0).ok()?,
        id: number(row.get(1).ok()?),
        observed: Observed {
            path: row.get_ref(2).ok()?.as_str().ok()?.parse().ok()?,
            attributes: attributes_from_text(row.get_ref(3).ok()?.as_str().ok()?)?,
            paths: paths_from_text(row.get_ref(4).ok()?.as_str().ok()?)?,
            parameters: attributes_from_text(row.get_ref(5).ok()?.as_str().ok()?)?,
        },
    })
}

/// The record of a row; `Some(None)` for a wish whose last known values were no records at all.
pub(super) fn record(row: &Row<'_>) -> Option<Option<OwnedRecord>> {
    let path = match row.get_ref(3).ok()? {
        ValueRef::Null => return Some(None),
        column => column.as_str().ok()?.parse().ok()?,
    };
    let value = match row.get_ref(5).ok()? {
        ValueRef::Null => None,
        name => Some(value_from_columns(
            name.as_str().ok()?,
            row.get_ref(6).ok()?,
        )?),
    };
    Some(Some(OwnedRecord {
        path,
        time: row.get(4).ok()?,
        value,
    }))
}

pub(super) fn skipped(what: &str, row: &Row<'_>) {
    let endpoint: String = row.get(0).unwrap_or_default();
    tracing::warn!(
        endpoint,
        "the store holds a {what} that makes no sense; it is left out"
    );
}

/// Epochs of registrations that were removed lately, so that a late change of an older owner does
/// not bring one back. Owners learn of their loss within moments; the latest removals are enough.
#[derive(Debug, Default)]
struct Tombstones {
    young: HashMap<String, u64>,
    old: HashMap<String, u64>,
}

impl Tombstones {
    const GENERATION: usize = 4096;

    fn add(&mut self, endpoint: &str, epoch: u64) {
        if self.young.len() >= Self::GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        let known = self.young.entry(endpoint.to_owned()).or_insert(epoch);
        *known = epoch.max(*known);
    }

    fn forbid(&self, endpoint: &str, epoch: u64) -> bool {
        [&self.young, &self.old].iter().any(|generation| {
            generation
                .get(endpoint)
                .is_some_and(|removed| epoch <= *removed)
        })
    }
}

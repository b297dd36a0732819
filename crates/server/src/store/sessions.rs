//! DTLS associations in the store: encrypted before they come here.

use dunlin_dtls::{Secret, SessionId};
use rusqlite::{Connection, Row, Transaction, params};

use super::sqlite::skipped;
use super::{StoreError, Stored};
use crate::shard::StoredSession;

pub(super) const MIGRATION: &str = "
    -- DTLS associations of each shard; name is 64 bits as the signed number that has them.
    CREATE TABLE sessions (
        shard INTEGER NOT NULL,
        name INTEGER NOT NULL,
        certified TEXT,
        sealed BLOB NOT NULL,
        PRIMARY KEY (shard, name)
    ) STRICT, WITHOUT ROWID;
";

const WRITE: &str = "INSERT OR REPLACE INTO sessions VALUES (?1, ?2, ?3, ?4)";
const REMOVE: &str = "DELETE FROM sessions WHERE shard = ?1 AND name = ?2";

pub(super) fn load(
    connection: &Connection,
    visit: &mut dyn FnMut(Stored),
) -> Result<(), StoreError> {
    let mut query = connection.prepare("SELECT shard, name, certified, sealed FROM sessions")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        match session(row) {
            Some(stored) => visit(Stored::Session(stored)),
            None => skipped("session", row),
        }
    }
    Ok(())
}

fn session(row: &Row<'_>) -> Option<StoredSession> {
    let name: i64 = row.get(1).ok()?;
    Some(StoredSession {
        shard: row.get(0).ok()?,
        session: SessionId::from_bits(name.cast_unsigned()),
        certified: row.get(2).ok()?,
        export: Secret::new(row.get_ref(3).ok()?.as_blob().ok()?),
    })
}

pub(super) fn write(
    transaction: &Transaction<'_>,
    stored: &StoredSession,
) -> Result<(), rusqlite::Error> {
    transaction.prepare_cached(WRITE)?.execute(params![
        stored.shard,
        stored.session.to_bits().cast_signed(),
        stored.certified,
        stored.export.expose(),
    ])?;
    Ok(())
}

pub(super) fn remove(
    transaction: &Transaction<'_>,
    shard: u16,
    session: SessionId,
) -> Result<(), rusqlite::Error> {
    let name = session.to_bits().cast_signed();
    transaction
        .prepare_cached(REMOVE)?
        .execute(params![shard, name])?;
    Ok(())
}

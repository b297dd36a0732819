//! How what devices sent lies in the database.

use rusqlite::{CachedStatement, Connection, Transaction, params};

use super::columns::value_to_columns;
use super::{StoreError, Stored};
use crate::api::Sent;
use crate::shard::StoredSend;
use crate::store::sqlite::{column, number, record, skipped};

/// A step of the schema.
pub(super) const MIGRATION: &str = "
    -- What devices reported with Send. Times are Unix seconds.
    CREATE TABLE sends (
        endpoint TEXT NOT NULL,
        id INTEGER NOT NULL,
        time REAL NOT NULL,
        PRIMARY KEY (endpoint, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sent_records (
        endpoint TEXT NOT NULL,
        send INTEGER NOT NULL,
        position INTEGER NOT NULL,
        path TEXT NOT NULL,
        time REAL,
        type TEXT,
        value ANY,
        PRIMARY KEY (endpoint, send, position)
    ) STRICT, WITHOUT ROWID;
";

/// The statements of one group.
pub(super) struct Sends<'t> {
    insert: CachedStatement<'t>,
    insert_record: CachedStatement<'t>,
    remove: CachedStatement<'t>,
    remove_records: CachedStatement<'t>,
}

impl<'t> Sends<'t> {
    pub(super) fn new(transaction: &'t Transaction<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            insert: transaction
                .prepare_cached("INSERT OR REPLACE INTO sends VALUES (?1, ?2, ?3)")?,
            insert_record: transaction.prepare_cached(
                "INSERT OR REPLACE INTO sent_records VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?,
            remove: transaction
                .prepare_cached("DELETE FROM sends WHERE endpoint = ?1 AND id <= ?2")?,
            remove_records: transaction
                .prepare_cached("DELETE FROM sent_records WHERE endpoint = ?1 AND send <= ?2")?,
        })
    }

    pub(super) fn write(&mut self, new: &StoredSend) -> Result<(), rusqlite::Error> {
        let StoredSend { endpoint, sent } = new;
        self.insert
            .execute(params![endpoint, column(sent.id), sent.time])?;
        for (position, record) in sent.records.iter().enumerate() {
            let (name, value) = record.value.as_ref().map(value_to_columns).unzip();
            self.insert_record.execute(params![
                endpoint,
                column(sent.id),
                column(position as u64),
                record.path.to_string(),
                record.time,
                name,
                value,
            ])?;
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, endpoint: &str, through: u64) -> Result<(), rusqlite::Error> {
        self.remove.execute(params![endpoint, column(through)])?;
        self.remove_records
            .execute(params![endpoint, column(through)])?;
        Ok(())
    }
}

/// Hands over all Sends, of one device in the order of their numbers.
pub(super) fn load(
    connection: &Connection,
    visit: &mut dyn FnMut(Stored),
) -> Result<(), StoreError> {
    let mut query = connection.prepare(
        "SELECT sends.endpoint, id, sends.time, path, sent_records.time, type, value
            FROM sends LEFT JOIN sent_records
                ON sent_records.endpoint = sends.endpoint AND send = id
            ORDER BY sends.endpoint, id, position",
    )?;
    let mut rows = query.query([])?;
    let mut current: Option<StoredSend> = None;
    while let Some(row) = rows.next()? {
        let (endpoint, id) = (row.get(0)?, number(row.get(1)?));
        if current
            .as_ref()
            .is_none_or(|stored| stored.endpoint != endpoint || stored.sent.id != id)
        {
            let sent = Sent {
                id,
                time: row.get(2)?,
                records: Vec::new(),
            };
            if let Some(whole) = current.replace(StoredSend { endpoint, sent }) {
                visit(Stored::Send(whole));
            }
        }
        match (record(row), &mut current) {
            (Some(record), Some(stored)) => stored.sent.records.extend(record),
            _ => skipped("sent value", row),
        }
    }
    if let Some(whole) = current {
        visit(Stored::Send(whole));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use dunlin_lwm2m::{OwnedRecord, OwnedValue, Path};
    use rusqlite::Connection;

    use super::*;

    fn stored(endpoint: &str, id: u64, count: u16) -> StoredSend {
        let record = |position| OwnedRecord {
            time: Some(f64::from(position)),
            ..OwnedRecord::new(
                Path::resource(3303, 0, position),
                OwnedValue::Opaque(vec![0, 255]),
            )
        };
        StoredSend {
            endpoint: endpoint.to_owned(),
            sent: Sent {
                id,
                time: 1_795_000_000.5,
                records: (0..count).map(record).collect(),
            },
        }
    }

    #[test]
    fn sends_come_back_in_order_and_go_by_number() {
        let mut database = Connection::open_in_memory().unwrap();
        database.execute_batch(MIGRATION).unwrap();
        let transaction = database.transaction().unwrap();
        {
            let mut sends = Sends::new(&transaction).unwrap();
            for (endpoint, id, count) in [("b", 3, 12), ("a", 9, 0), ("a", 2, 1), ("a", 10, 2)] {
                sends.write(&stored(endpoint, id, count)).unwrap();
            }
            sends.remove("a", 8).unwrap();
        }
        transaction.commit().unwrap();
        let mut found = Vec::new();
        load(&database, &mut |stored| found.push(stored)).unwrap();
        let expected = [("a", 9, 0), ("a", 10, 2), ("b", 3, 12)];
        let expected =
            expected.map(|(endpoint, id, count)| Stored::Send(stored(endpoint, id, count)));
        assert_eq!(found, expected);
    }
}

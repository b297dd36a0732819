//! How queued operations and their results lie in the database.

use dunlin_coap::Code;
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_lwm2m::{ContentFormat, OwnedRecord, Path};
use rusqlite::{Connection, Row, Statement, Transaction, params};

use super::columns::{
    attributes_from_text, attributes_to_text, value_from_columns, value_to_columns,
};
use super::{StoreError, Stored};
use crate::api::{DeviceOperation, OperateError, OperationState, Outcome, QueuedOperation};
use crate::shard::StoredAwakeTime;
use crate::store::sqlite::{column, number, skipped};

/// The second version of the schema.
pub(super) const MIGRATION: &str = "
    -- Operations that wait for their device or were carried out. Times are Unix seconds.
    -- revision grows with each state; detail is what the operation has beside path and records.
    CREATE TABLE operations (
        id INTEGER PRIMARY KEY,
        endpoint TEXT NOT NULL,
        revision INTEGER NOT NULL,
        operation TEXT NOT NULL,
        path TEXT NOT NULL,
        detail TEXT,
        format INTEGER,
        priority INTEGER NOT NULL,
        created_at REAL NOT NULL,
        expires_at REAL NOT NULL,
        ended_at REAL,
        attempts INTEGER NOT NULL,
        state TEXT NOT NULL,
        error TEXT,
        code TEXT,
        answer_format INTEGER,
        answer TEXT,
        location TEXT
    ) STRICT;
    -- What an operation writes or names (part 'content') and what was read (part 'answer').
    CREATE TABLE operation_records (
        operation INTEGER NOT NULL,
        part TEXT NOT NULL,
        position INTEGER NOT NULL,
        path TEXT NOT NULL,
        time REAL,
        type TEXT,
        value ANY,
        PRIMARY KEY (operation, part, position)
    ) STRICT, WITHOUT ROWID;
    -- How long a device in queue mode stays awake, in seconds: as an operator says, as learned.
    CREATE TABLE awake_times (
        endpoint TEXT PRIMARY KEY,
        wanted INTEGER,
        learned INTEGER
    ) STRICT, WITHOUT ROWID;
";

const ADVANCE: &str = "
    UPDATE operations SET revision = ?2, ended_at = ?3, attempts = ?4, state = ?5, error = ?6,
        code = ?7, answer_format = ?8, answer = ?9, location = ?10
    WHERE id = ?1 AND revision < ?2";
const INSERT: &str = "
    INSERT OR IGNORE INTO operations (id, revision, ended_at, attempts, state, error, code,
        answer_format, answer, location, endpoint, operation, path, detail, format, priority,
        created_at, expires_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";
const INSERT_RECORD: &str =
    "INSERT OR REPLACE INTO operation_records VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
const REMOVE: &str = "DELETE FROM operations WHERE id = ?1";
const REMOVE_RECORDS: &str = "DELETE FROM operation_records WHERE operation = ?1";
/// Numbers are not given out twice, also when the newest operations were removed.
const RAISE_NEXT: &str = "
    INSERT INTO meta VALUES ('next_operation', ?1)
    ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)";
const WRITE_AWAKE_TIME: &str = "INSERT OR REPLACE INTO awake_times VALUES (?1, ?2, ?3)";
const REMOVE_AWAKE_TIME: &str = "DELETE FROM awake_times WHERE endpoint = ?1";

const CONTENT: &str = "content";
const ANSWER: &str = "answer";

/// Name, detail and records of an operation; `None` for one that is never queued.
fn operation_to_columns(
    operation: &DeviceOperation,
) -> Option<(&'static str, Option<String>, &[OwnedRecord])> {
    let format = |format: &Option<ContentFormat>| format.map(|format| format.0.to_string());
    Some(match operation {
        Operation::Read { accept, .. } => ("read", format(accept), &[]),
        Operation::Discover { depth, .. } => {
            ("discover", depth.map(|depth| depth.to_string()), &[])
        }
        Operation::Write {
            mode: WriteMode::Replace,
            body,
            ..
        } => ("write", None, body),
        Operation::Write {
            mode: WriteMode::Update,
            body,
            ..
        } => ("update", None, body),
        Operation::WriteAttributes { attributes, .. } => {
            ("writeAttributes", Some(attributes_to_text(attributes)), &[])
        }
        Operation::Execute { arguments, .. } => ("execute", Some(arguments.clone()), &[]),
        Operation::Create { body, .. } => {
            let body = body.as_deref();
            (
                "create",
                body.map(|_| "records".to_owned()),
                body.unwrap_or_default(),
            )
        }
        Operation::Delete { .. } => ("delete", None, &[]),
        Operation::ReadComposite { paths, accept } => ("readComposite", format(accept), paths),
        Operation::WriteComposite { body } => ("writeComposite", None, body),
        Operation::Observe { .. }
        | Operation::CancelObserve { .. }
        | Operation::ObserveComposite { .. }
        | Operation::CancelObserveComposite { .. } => return None,
    })
}

fn operation_from_columns(
    name: &str,
    path: Path,
    detail: Option<&str>,
    body: Vec<OwnedRecord>,
) -> Option<DeviceOperation> {
    let accept = || match detail {
        Some(format) => Some(Some(ContentFormat(format.parse().ok()?))),
        None => Some(None),
    };
    let write = |mode, body| Operation::Write { path, mode, body };
    Some(match name {
        "read" => Operation::Read {
            path,
            accept: accept()?,
        },
        "discover" => Operation::Discover {
            path,
            depth: match detail {
                Some(depth) => Some(depth.parse().ok()?),
                None => None,
            },
        },
        "write" => write(WriteMode::Replace, body),
        "update" => write(WriteMode::Update, body),
        "writeAttributes" => Operation::WriteAttributes {
            path,
            attributes: attributes_from_text(detail?)?,
        },
        "execute" => Operation::Execute {
            path,
            arguments: detail?.to_owned(),
        },
        "create" => Operation::Create {
            object: path.object_id()?,
            body: detail.map(|_| body),
        },
        "delete" => Operation::Delete { path },
        "readComposite" => Operation::ReadComposite {
            paths: body,
            accept: accept()?,
        },
        "writeComposite" => Operation::WriteComposite { body },
        _ => return None,
    })
}

/// The columns of a state.
#[derive(Default)]
struct StateColumns<'a> {
    state: &'static str,
    error: Option<&'static str>,
    code: Option<Code>,
    format: Option<u16>,
    text: Option<&'a str>,
    location: Option<Path>,
}

fn state_to_columns(state: &OperationState) -> StateColumns<'_> {
    let failed = |error, code, text| StateColumns {
        state: "failed",
        error: Some(error),
        code,
        text,
        ..StateColumns::default()
    };
    let plain = |state| StateColumns {
        state,
        ..StateColumns::default()
    };
    match state {
        OperationState::Queued => plain("queued"),
        OperationState::Sent => plain("sent"),
        OperationState::Expired => plain("expired"),
        OperationState::Cancelled => plain("cancelled"),
        OperationState::Done(outcome) => StateColumns {
            code: Some(outcome.code),
            format: outcome.format.map(|format| format.0),
            text: outcome.links.as_deref(),
            location: outcome.location,
            ..plain("done")
        },
        OperationState::Failed(error) => match error {
            OperateError::UnknownEndpoint => failed("unknownEndpoint", None, None),
            OperateError::Invalid(why) => failed("invalid", None, Some(why)),
            OperateError::Timeout => failed("timeout", None, None),
            OperateError::Device { code, diagnostic } => {
                failed("device", Some(*code), Some(diagnostic))
            }
            OperateError::Reset => failed("reset", None, None),
            OperateError::Undecodable(why) => failed("undecodable", None, Some(why)),
            OperateError::RegistrationEnded => failed("registrationEnded", None, None),
            OperateError::Overloaded => failed("overloaded", None, None),
            OperateError::QueueFull => failed("queueFull", None, None),
            OperateError::Unknown => failed("unknown", None, None),
        },
    }
}

fn state_from_columns(row: &Row<'_>, records: Vec<OwnedRecord>) -> Option<OperationState> {
    let state: String = row.get("state").ok()?;
    let code = || code_from_text(row.get_ref("code").ok()?.as_str().ok()?);
    let text = || row.get::<_, Option<String>>("answer").ok();
    Some(match state.as_str() {
        "queued" => OperationState::Queued,
        "sent" => OperationState::Sent,
        "expired" => OperationState::Expired,
        "cancelled" => OperationState::Cancelled,
        "done" => OperationState::Done(Outcome {
            code: code()?,
            format: row
                .get::<_, Option<u16>>("answer_format")
                .ok()?
                .map(ContentFormat),
            records,
            links: text()?,
            location: match row.get::<_, Option<String>>("location").ok()? {
                Some(path) => Some(path.parse().ok()?),
                None => None,
            },
            upload: None,
        }),
        "failed" => {
            let error: String = row.get("error").ok()?;
            OperationState::Failed(match error.as_str() {
                "unknownEndpoint" => OperateError::UnknownEndpoint,
                "invalid" => OperateError::Invalid(text()??),
                "timeout" => OperateError::Timeout,
                "device" => OperateError::Device {
                    code: code()?,
                    diagnostic: text()??,
                },
                "reset" => OperateError::Reset,
                "undecodable" => OperateError::Undecodable(text()??),
                "registrationEnded" => OperateError::RegistrationEnded,
                "overloaded" => OperateError::Overloaded,
                "queueFull" => OperateError::QueueFull,
                "unknown" => OperateError::Unknown,
                _ => return None,
            })
        }
        _ => return None,
    })
}

/// `4.04`, as [`Code`] displays itself.
fn code_from_text(text: &str) -> Option<Code> {
    let (class, detail) = text.split_once('.')?;
    let (class, detail) = (class.parse().ok()?, detail.parse().ok()?);
    (class < 8 && detail < 32).then(|| Code::new(class, detail))
}

/// Writes what shards say about operations.
pub(super) struct Writer<'t> {
    advance: rusqlite::CachedStatement<'t>,
    insert: rusqlite::CachedStatement<'t>,
    insert_record: rusqlite::CachedStatement<'t>,
    remove: rusqlite::CachedStatement<'t>,
    remove_records: rusqlite::CachedStatement<'t>,
    raise_next: rusqlite::CachedStatement<'t>,
    write_awake_time: rusqlite::CachedStatement<'t>,
    remove_awake_time: rusqlite::CachedStatement<'t>,
}

impl<'t> Writer<'t> {
    pub(super) fn new(transaction: &'t Transaction<'_>) -> Result<Self, rusqlite::Error> {
        Ok(Self {
            advance: transaction.prepare_cached(ADVANCE)?,
            insert: transaction.prepare_cached(INSERT)?,
            insert_record: transaction.prepare_cached(INSERT_RECORD)?,
            remove: transaction.prepare_cached(REMOVE)?,
            remove_records: transaction.prepare_cached(REMOVE_RECORDS)?,
            raise_next: transaction.prepare_cached(RAISE_NEXT)?,
            write_awake_time: transaction.prepare_cached(WRITE_AWAKE_TIME)?,
            remove_awake_time: transaction.prepare_cached(REMOVE_AWAKE_TIME)?,
        })
    }

    pub(super) fn write(&mut self, new: &QueuedOperation) -> Result<(), rusqlite::Error> {
        let Some((name, detail, content)) = operation_to_columns(&new.operation) else {
            return Ok(());
        };
        let id = column(new.id);
        let state = state_to_columns(&new.state);
        let code = state.code.map(|code| code.to_string());
        let location = state.location.map(|path| path.to_string());
        let advanced = self.advance.execute(params![
            id,
            column(new.revision()),
            new.ended_at,
            new.attempts,
            state.state,
            state.error,
            code,
            state.format,
            state.text,
            location,
        ])?;
        if advanced == 0 {
            let inserted = self.insert.execute(params![
                id,
                column(new.revision()),
                new.ended_at,
                new.attempts,
                state.state,
                state.error,
                code,
                state.format,
                state.text,
                location,
                new.endpoint,
                name,
                new.operation.path().to_string(),
                detail,
                new.format.map(|format| format.0),
                new.priority,
                new.created_at,
                new.expires_at,
            ])?;
            if inserted == 0 {
                return Ok(());
            }
            self.write_records(id, CONTENT, content)?;
        }
        if let OperationState::Done(outcome) = &new.state {
            self.write_records(id, ANSWER, &outcome.records)?;
        }
        Ok(())
    }

    fn write_records(
        &mut self,
        id: i64,
        part: &str,
        records: &[OwnedRecord],
    ) -> Result<(), rusqlite::Error> {
        for (position, record) in records.iter().enumerate() {
            let (name, value) = record.value.as_ref().map(value_to_columns).unzip();
            self.insert_record.execute(params![
                id,
                part,
                column(position as u64),
                record.path.to_string(),
                record.time,
                name,
                value,
            ])?;
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, id: u64) -> Result<(), rusqlite::Error> {
        self.raise_next.execute([column(id + 1)])?;
        self.remove_records.execute([column(id)])?;
        self.remove.execute([column(id)])?;
        Ok(())
    }

    pub(super) fn awake_time(&mut self, new: &StoredAwakeTime) -> Result<(), rusqlite::Error> {
        if new.wanted.is_none() && new.learned.is_none() {
            self.remove_awake_time.execute([&new.endpoint])?;
        } else {
            self.write_awake_time
                .execute(params![new.endpoint, new.wanted, new.learned])?;
        }
        Ok(())
    }
}

/// Hands over everything about operations: awake times, numbers, what waits, what ended.
pub(super) fn load(
    connection: &Connection,
    visit: &mut dyn FnMut(Stored),
) -> Result<(), StoreError> {
    let mut query = connection.prepare("SELECT endpoint, wanted, learned FROM awake_times")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        visit(Stored::AwakeTime(StoredAwakeTime {
            endpoint: row.get(0)?,
            wanted: row.get(1)?,
            learned: row.get(2)?,
        }));
    }
    let mut query = connection.prepare("SELECT value FROM meta WHERE name = 'next_operation'")?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        visit(Stored::NextOperation(number(row.get(0)?)));
    }
    let mut records = connection.prepare(
        "SELECT path, time, type, value FROM operation_records
            WHERE operation = ?1 AND part = ?2 ORDER BY position",
    )?;
    let mut query = connection.prepare(
        "SELECT endpoint, * FROM operations ORDER BY ended_at IS NOT NULL, ended_at, id",
    )?;
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        match operation(row, &mut records)? {
            Some(stored) => visit(Stored::Operation(stored)),
            None => skipped("operation", row),
        }
    }
    Ok(())
}

fn operation(
    row: &Row<'_>,
    records: &mut Statement<'_>,
) -> Result<Option<QueuedOperation>, rusqlite::Error> {
    let id: i64 = row.get("id")?;
    let content = read_records(records, id, CONTENT)?;
    let answer = read_records(records, id, ANSWER)?;
    let (Some(content), Some(answer)) = (content, answer) else {
        return Ok(None);
    };
    let read = || {
        let detail: Option<String> = row.get("detail").ok()?;
        let path = row.get_ref("path").ok()?.as_str().ok()?.parse().ok()?;
        let name = row.get_ref("operation").ok()?.as_str().ok()?;
        Some(QueuedOperation {
            id: number(id),
            endpoint: row.get("endpoint").ok()?,
            operation: operation_from_columns(name, path, detail.as_deref(), content)?,
            format: row.get::<_, Option<u16>>("format").ok()?.map(ContentFormat),
            priority: row.get("priority").ok()?,
            created_at: row.get("created_at").ok()?,
            expires_at: row.get("expires_at").ok()?,
            ended_at: row.get("ended_at").ok()?,
            attempts: row.get("attempts").ok()?,
            state: state_from_columns(row, answer)?,
        })
    };
    Ok(read())
}

/// The records of an operation; `None` when one makes no sense.
fn read_records(
    query: &mut Statement<'_>,
    id: i64,
    part: &str,
) -> Result<Option<Vec<OwnedRecord>>, rusqlite::Error> {
    let mut rows = query.query(params![id, part])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let read = || {
            let value = match row.get::<_, Option<String>>(2).ok()? {
                Some(name) => Some(value_from_columns(&name, row.get_ref(3).ok()?)?),
                None => None,
            };
            Some(OwnedRecord {
                path: row.get_ref(0).ok()?.as_str().ok()?.parse().ok()?,
                time: row.get(1).ok()?,
                value,
            })
        };
        match read() {
            Some(record) => records.push(record),
            None => return Ok(None),
        }
    }
    Ok(Some(records))
}

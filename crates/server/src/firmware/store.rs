//! Images and jobs in the data folder's database. They change a few times an hour, from the control
//! plane, so they have a connection of their own and not the writer of the shards.

use std::path::Path as FilePath;

use rusqlite::{Connection, Row, params};

use super::job::StoredJob;
use super::{FirmwareStatus, Image, Method, Stage};

/// What object 5 needs; a step of the schema.
pub(crate) const MIGRATION: &str = "
    -- Images that can be brought to devices; their bytes lie in firmware/SHA256.image.
    CREATE TABLE firmware_images (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        size INTEGER NOT NULL,
        sha256 TEXT NOT NULL,
        created_at REAL NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- The latest firmware update of each device.
    CREATE TABLE firmware_jobs (
        endpoint TEXT PRIMARY KEY,
        image TEXT NOT NULL,
        image_name TEXT NOT NULL,
        size INTEGER NOT NULL,
        wanted TEXT,
        method TEXT,
        install INTEGER NOT NULL,
        stage TEXT NOT NULL,
        text TEXT NOT NULL,
        sent INTEGER NOT NULL,
        block_size INTEGER NOT NULL,
        device_state INTEGER,
        result INTEGER,
        version_before TEXT,
        version_after TEXT,
        token TEXT NOT NULL,
        registration TEXT,
        started_at REAL NOT NULL,
        finished_at REAL
    ) STRICT, WITHOUT ROWID;
";

/// The database, or nothing.
#[derive(Debug)]
pub(super) struct FirmwareStore(Option<Connection>);

const READ_IMAGES: &str = "SELECT id, name, size, sha256, created_at FROM firmware_images";
const WRITE_IMAGE: &str = "INSERT OR REPLACE INTO firmware_images VALUES (?1, ?2, ?3, ?4, ?5)";
const REMOVE_IMAGE: &str = "DELETE FROM firmware_images WHERE id = ?1";
const READ_JOBS: &str = "
    SELECT endpoint, image, image_name, size, wanted, method, install, stage, text, sent,
        block_size, device_state, result, version_before, version_after, token, registration,
        started_at, finished_at
    FROM firmware_jobs";
const WRITE_JOB: &str = "
    INSERT OR REPLACE INTO firmware_jobs (endpoint, image, image_name, size, wanted, method,
        install, stage, text, sent, block_size, device_state, result, version_before,
        version_after, token, registration, started_at, finished_at)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)";
const REMOVE_JOB: &str = "DELETE FROM firmware_jobs WHERE endpoint = ?1";

impl FirmwareStore {
    /// Opens the database that [`SqliteStore`](crate::store::SqliteStore) has brought up to date
    /// and locked; without a folder nothing is kept.
    pub(super) fn open(folder: Option<&FilePath>) -> rusqlite::Result<Self> {
        let Some(folder) = folder else {
            return Ok(Self(None));
        };
        let connection = Connection::open(folder.join("dunlin.db"))?;
        // The writer of the shards commits in groups; it is done within moments.
        connection.busy_timeout(std::time::Duration::from_secs(30))?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        Ok(Self(Some(connection)))
    }

    /// Everything that is kept.
    pub(super) fn load(&self) -> rusqlite::Result<(Vec<Image>, Vec<StoredJob>)> {
        let Some(connection) = &self.0 else {
            return Ok((Vec::new(), Vec::new()));
        };
        let mut query = connection.prepare(READ_IMAGES)?;
        let images = query.query_map([], image)?.collect::<Result<_, _>>()?;
        let mut query = connection.prepare(READ_JOBS)?;
        let jobs: Vec<Option<StoredJob>> = query.query_map([], job)?.collect::<Result<_, _>>()?;
        Ok((images, jobs.into_iter().flatten().collect()))
    }

    pub(super) fn write_image(&self, image: &Image) -> rusqlite::Result<()> {
        self.execute(
            WRITE_IMAGE,
            params![
                image.id,
                image.name,
                image.size as i64,
                image.sha256,
                image.created_at
            ],
        )
    }

    pub(super) fn remove_image(&self, id: &str) -> rusqlite::Result<()> {
        self.execute(REMOVE_IMAGE, params![id])
    }

    pub(super) fn write_job(&self, job: &StoredJob) -> rusqlite::Result<()> {
        let status = &job.status;
        self.execute(
            WRITE_JOB,
            params![
                status.endpoint,
                status.image,
                status.image_name,
                status.size as i64,
                job.wanted.map(Method::name),
                status.method.map(Method::name),
                status.install,
                status.stage.name(),
                status.text,
                status.sent as i64,
                job.block_size as i64,
                status.device_state,
                status.result,
                status.version_before,
                status.version_after,
                job.token,
                job.registration,
                status.started_at,
                status.finished_at,
            ],
        )
    }

    pub(super) fn remove_job(&self, endpoint: &str) -> rusqlite::Result<()> {
        self.execute(REMOVE_JOB, params![endpoint])
    }

    fn execute(&self, statement: &str, values: &[&dyn rusqlite::ToSql]) -> rusqlite::Result<()> {
        if let Some(connection) = &self.0 {
            connection.prepare_cached(statement)?.execute(values)?;
        }
        Ok(())
    }
}

fn number(column: i64) -> u64 {
    u64::try_from(column).unwrap_or(0)
}

fn image(row: &Row<'_>) -> rusqlite::Result<Image> {
    Ok(Image {
        id: row.get(0)?,
        name: row.get(1)?,
        size: number(row.get(2)?),
        sha256: row.get(3)?,
        created_at: row.get(4)?,
    })
}

/// `None` for a row of a stage that nobody knows.
fn job(row: &Row<'_>) -> rusqlite::Result<Option<StoredJob>> {
    let method = |name: Option<String>| name.as_deref().and_then(Method::from_name);
    let stage: String = row.get(7)?;
    let Some(stage) = Stage::from_name(&stage) else {
        return Ok(None);
    };
    Ok(Some(StoredJob {
        status: FirmwareStatus {
            endpoint: row.get(0)?,
            image: row.get(1)?,
            image_name: row.get(2)?,
            size: number(row.get(3)?),
            method: method(row.get(5)?),
            install: row.get(6)?,
            stage,
            text: row.get(8)?,
            sent: number(row.get(9)?),
            device_state: row.get(11)?,
            result: row.get(12)?,
            version_before: row.get(13)?,
            version_after: row.get(14)?,
            started_at: row.get(17)?,
            finished_at: row.get(18)?,
        },
        wanted: method(row.get(4)?),
        token: row.get(15)?,
        registration: row.get(16)?,
        block_size: number(row.get(10)?) as usize,
    }))
}

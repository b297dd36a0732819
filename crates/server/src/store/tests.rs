use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use dunlin_coap::Code;
use dunlin_dtls::SessionId;
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_lwm2m::{ContentFormat, OwnedRecord, OwnedValue, Path};

use crate::api::{DeviceOperation, OperateError, OperationState, Outcome};

use super::writer::{Listener, WriterHandle};
use super::*;
use crate::api::Observed;

/// A folder that goes away at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "dunlin-store-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        Self(folder)
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(&self.0).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn registration(endpoint: &str, epoch: u64) -> StoredRegistration {
    StoredRegistration {
        endpoint: endpoint.to_owned(),
        epoch,
        shard: 1,
        registration_id: format!("r{epoch}"),
        address: "[2001:db8::1]:5683".parse().unwrap(),
        // All 64 bits come back.
        session: epoch
            .is_multiple_of(2)
            .then_some(SessionId::from_bits(u64::MAX - epoch)),
        credential: epoch.is_multiple_of(2).then_some(epoch << 63 | epoch),
        parameters: "lt=300&lwm2m=1.1&b=U".to_owned(),
        links: "</1/0>,</3/0>".to_owned(),
        registered_at: 1_795_000_000.125,
        updated_at: 1_795_000_001.5,
    }
}

fn wish(endpoint: &str, id: u64) -> StoredWish {
    StoredWish {
        endpoint: endpoint.to_owned(),
        id,
        observed: Observed::path(Path::resource(3303, 0, 5700)).with_attributes(vec![
            ("pmin".to_owned(), Some(10.0)),
            ("gt".to_owned(), None),
        ]),
    }
}

fn values(endpoint: &str, wish: u64, records: Vec<OwnedRecord>) -> StoredValues {
    StoredValues {
        endpoint: endpoint.to_owned(),
        wish,
        records,
        updated_at: 1_795_000_002.0,
    }
}

fn records() -> Vec<OwnedRecord> {
    let path = Path::resource(3303, 0, 5700);
    vec![
        OwnedRecord {
            time: Some(1_795_000_000.5),
            ..OwnedRecord::new(path, OwnedValue::Float(21.5))
        },
        OwnedRecord::new(
            Path::resource(3303, 0, 5701),
            OwnedValue::String("Cel".to_owned()),
        ),
        OwnedRecord {
            path: Path::resource(3, 0, 7),
            time: None,
            value: None,
        },
    ]
}

fn commit(store: &mut dyn Store, changes: impl IntoIterator<Item = Persist>) {
    let changes: Vec<Change> = (1..)
        .zip(changes)
        .map(|(sequence, change)| Change {
            shard: 0,
            sequence,
            change,
        })
        .collect();
    store.commit(&changes).unwrap();
}

fn load(store: &mut dyn Store) -> Vec<Stored> {
    let mut all = Vec::new();
    store.load(&mut |stored| all.push(stored)).unwrap();
    all
}

fn remove(endpoint: &str, epoch: u64) -> Persist {
    Persist::RemoveRegistration {
        endpoint: endpoint.to_owned(),
        epoch,
    }
}

#[test]
fn everything_comes_back_after_reopening() {
    let folder = Folder::new();
    let mut store = folder.open();
    commit(
        &mut store,
        [
            Persist::Registration(registration("b", 1)),
            Persist::Registration(registration("a", 2)),
            Persist::Wish(wish("a", 7)),
            Persist::Wish(wish("a", 8)),
            Persist::Wish(wish("b", 9)),
            Persist::Values(values("a", 7, Vec::new())),
            Persist::Values(values("a", 7, records())),
            Persist::Values(values("b", 9, Vec::new())),
        ],
    );
    drop(store);
    assert_eq!(
        load(&mut folder.open()),
        [
            Stored::Registration(registration("b", 1)),
            Stored::Registration(registration("a", 2)),
            Stored::Wish(wish("a", 7)),
            Stored::Wish(wish("a", 8)),
            Stored::Wish(wish("b", 9)),
            Stored::Values(values("a", 7, records())),
            Stored::Values(values("b", 9, Vec::new())),
        ]
    );
}

#[test]
fn what_is_removed_stays_away() {
    let folder = Folder::new();
    let mut store = folder.open();
    commit(
        &mut store,
        [
            Persist::Registration(registration("a", 1)),
            Persist::Wish(wish("a", 7)),
            Persist::Values(values("a", 7, records())),
            remove("a", 1),
            Persist::RemoveWish {
                endpoint: "a".to_owned(),
                id: 7,
            },
            // A notification that was under way when the wish went.
            Persist::Values(values("a", 7, records())),
        ],
    );
    assert_eq!(load(&mut store), []);
    drop(store);
    assert_eq!(load(&mut folder.open()), []);
}

#[test]
fn an_older_epoch_changes_nothing() {
    let folder = Folder::new();
    let mut store = folder.open();
    commit(
        &mut store,
        [
            Persist::Registration(registration("a", 5)),
            // The shard that lost it is late.
            Persist::Registration(registration("a", 4)),
            remove("a", 4),
        ],
    );
    assert_eq!(
        load(&mut store),
        [Stored::Registration(registration("a", 5))]
    );
    commit(&mut store, [remove("a", 5)]);
    commit(&mut store, [Persist::Registration(registration("a", 4))]);
    assert_eq!(load(&mut store), [], "a late change brought it back");
    commit(&mut store, [Persist::Registration(registration("a", 6))]);
    assert_eq!(
        load(&mut store),
        [Stored::Registration(registration("a", 6))]
    );
}

#[test]
fn a_second_server_is_told_whose_folder_it_is() {
    let folder = Folder::new();
    let first = folder.open();
    let error = SqliteStore::open(&folder.0).unwrap_err();
    assert!(matches!(error, StoreError::Locked(_)), "{error}");
    assert!(error.to_string().contains("--data"), "{error}");
    drop(first);
    folder.open();
}

#[test]
fn a_newer_schema_is_left_alone() {
    let folder = Folder::new();
    drop(folder.open());
    let database = rusqlite::Connection::open(folder.0.join("dunlin.db")).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    drop(database);
    let error = SqliteStore::open(&folder.0).unwrap_err();
    assert!(
        matches!(error, StoreError::Newer { found: 99, .. }),
        "{error}"
    );
}

/// The first schema, as the releases before this one wrote it.
#[test]
fn an_old_database_is_brought_up_to_date() {
    let folder = Folder::new();
    std::fs::create_dir_all(&folder.0).unwrap();
    let database = rusqlite::Connection::open(folder.0.join("dunlin.db")).unwrap();
    database
        .execute_batch(
            "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
            CREATE TABLE registrations (endpoint TEXT PRIMARY KEY, epoch INTEGER NOT NULL,
                shard INTEGER NOT NULL, registration_id TEXT NOT NULL, address TEXT NOT NULL,
                parameters TEXT NOT NULL, links TEXT NOT NULL, registered_at REAL NOT NULL,
                updated_at REAL NOT NULL) STRICT;
            CREATE TABLE wishes (endpoint TEXT NOT NULL, id INTEGER NOT NULL, path TEXT NOT NULL,
                attributes TEXT NOT NULL, values_at REAL, PRIMARY KEY (endpoint, id))
                STRICT, WITHOUT ROWID;
            CREATE TABLE last_values (endpoint TEXT NOT NULL, wish INTEGER NOT NULL,
                position INTEGER NOT NULL, path TEXT NOT NULL, time REAL, type TEXT, value ANY,
                PRIMARY KEY (endpoint, wish, position)) STRICT, WITHOUT ROWID;
            INSERT INTO wishes VALUES ('a', 7, '/3303/0/5700', 'pmin=10&gt', NULL);
            PRAGMA user_version = 1;",
        )
        .unwrap();
    drop(database);
    let mut store = folder.open();
    assert_eq!(load(&mut store), [Stored::Wish(wish("a", 7))]);
    let composite = StoredWish {
        observed: Observed {
            parameters: vec![("con".to_owned(), Some(1.0))],
            ..Observed::composite(vec![Path::ROOT, Path::resource(3, 0, 9)])
        },
        ..wish("a", 8)
    };
    commit(&mut store, [Persist::Wish(composite.clone())]);
    drop(store);
    let kept = load(&mut folder.open());
    assert_eq!(kept, [Stored::Wish(wish("a", 7)), Stored::Wish(composite)]);
}

#[test]
fn a_damaged_row_is_left_out() {
    let folder = Folder::new();
    let mut store = folder.open();
    commit(
        &mut store,
        [
            Persist::Registration(registration("a", 1)),
            Persist::Registration(registration("b", 2)),
        ],
    );
    let database = rusqlite::Connection::open(folder.0.join("dunlin.db")).unwrap();
    database
        .execute(
            "UPDATE registrations SET address = 'here' WHERE endpoint = 'a'",
            [],
        )
        .unwrap();
    assert_eq!(
        load(&mut store),
        [Stored::Registration(registration("b", 2))]
    );
}

#[test]
fn event_numbers_are_remembered() {
    let folder = Folder::new();
    let mut store = folder.open();
    assert_eq!(store.first_event().unwrap(), 1);
    store.reserve_events(1000).unwrap();
    store.reserve_events(2000).unwrap();
    drop(store);
    assert_eq!(folder.open().first_event().unwrap(), 2000);
}

/// A store that writes down what it is asked, takes its time, and fails on demand.
#[derive(Clone, Default)]
struct Recorder {
    groups: Arc<Mutex<Vec<Vec<Change>>>>,
    broken: Arc<AtomicBool>,
    reserved: Arc<AtomicU64>,
}

impl Store for Recorder {
    fn load(&mut self, _visit: &mut dyn FnMut(Stored)) -> Result<(), StoreError> {
        Ok(())
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), StoreError> {
        std::thread::sleep(Duration::from_millis(2));
        if self.broken.load(Ordering::Relaxed) {
            return Err(rusqlite::Error::InvalidQuery.into());
        }
        self.groups.lock().unwrap().push(changes.to_vec());
        Ok(())
    }

    fn first_event(&mut self) -> Result<u64, StoreError> {
        Ok(1)
    }

    fn reserve_events(&mut self, first: u64) -> Result<(), StoreError> {
        self.reserved.store(first, Ordering::Relaxed);
        Ok(())
    }
}

/// Notes reports, and whether each came after its changes were written.
#[derive(Clone)]
struct Reports {
    all: Arc<Mutex<Vec<(u16, u64)>>>,
    groups: Arc<Mutex<Vec<Vec<Change>>>>,
    next_event: Arc<AtomicU64>,
}

impl Listener for Reports {
    fn durable(&mut self, shard: u16, through: u64) {
        let written = self
            .groups
            .lock()
            .unwrap()
            .iter()
            .flatten()
            .any(|change| change.shard == shard && change.sequence == through);
        assert!(written, "reported before it was written");
        self.all.lock().unwrap().push((shard, through));
    }

    fn next_event(&self) -> u64 {
        self.next_event.load(Ordering::Relaxed)
    }
}

fn start() -> (Recorder, Reports, WriterHandle, std::thread::JoinHandle<()>) {
    let recorder = Recorder::default();
    let reports = Reports {
        all: Arc::default(),
        groups: Arc::clone(&recorder.groups),
        next_event: Arc::new(AtomicU64::new(1)),
    };
    let (handle, thread) =
        WriterHandle::start(Box::new(recorder.clone()), 1, reports.clone()).unwrap();
    (recorder, reports, handle, thread)
}

fn change(shard: u16, sequence: u64) -> Change {
    Change {
        shard,
        sequence,
        change: remove("a", sequence),
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "never happened: {what}"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn groups_keep_each_shards_order() {
    let (recorder, reports, handle, thread) = start();
    let shards: Vec<_> = (0..2)
        .map(|shard| {
            let handle = handle.clone();
            std::thread::spawn(move || {
                for first in (1..=3000).step_by(3) {
                    handle.push(&mut (first..first + 3).map(|n| change(shard, n)).collect());
                }
            })
        })
        .collect();
    for shard in shards {
        shard.join().unwrap();
    }
    handle.stop();
    thread.join().unwrap();
    let groups = recorder.groups.lock().unwrap();
    assert!(groups.iter().all(|group| group.len() <= 1000));
    assert!(groups.len() < 600, "{} groups: no grouping", groups.len());
    for shard in 0..2 {
        let sequence: Vec<u64> = groups
            .iter()
            .flatten()
            .filter(|change| change.shard == shard)
            .map(|change| change.sequence)
            .collect();
        assert_eq!(sequence, (1..=3000).collect::<Vec<_>>());
        let reported: Vec<u64> = reports
            .all
            .lock()
            .unwrap()
            .iter()
            .filter(|report| report.0 == shard)
            .map(|report| report.1)
            .collect();
        assert!(reported.is_sorted(), "{reported:?}");
        assert_eq!(reported.last(), Some(&3000));
    }
    assert_eq!(handle.backlog(), 0);
}

#[test]
fn a_failing_disk_promises_nothing_and_recovers() {
    let (recorder, reports, handle, thread) = start();
    recorder.broken.store(true, Ordering::Relaxed);
    handle.push(&mut vec![change(0, 1)]);
    until("the problem is known", || handle.problem().is_some());
    handle.push(&mut vec![change(0, 2)]);
    assert_eq!(*reports.all.lock().unwrap(), []);
    assert_eq!(handle.backlog(), 2 * 128);
    recorder.broken.store(false, Ordering::Relaxed);
    until("everything is written", || handle.backlog() == 0);
    assert_eq!(handle.problem(), None);
    assert_eq!(reports.all.lock().unwrap().last(), Some(&(0, 2)));
    handle.stop();
    thread.join().unwrap();
}

#[test]
fn a_failing_disk_does_not_keep_the_server_from_ending() {
    let (recorder, reports, handle, thread) = start();
    recorder.broken.store(true, Ordering::Relaxed);
    handle.push(&mut vec![change(0, 1)]);
    handle.stop();
    thread.join().unwrap();
    assert_eq!(*reports.all.lock().unwrap(), []);
}

#[test]
fn event_numbers_are_reserved_ahead_and_settled_at_the_end() {
    let (recorder, reports, handle, thread) = start();
    let reserved = || recorder.reserved.load(Ordering::Relaxed);
    until("a block is reserved", || reserved() > 1_000_000);
    let before = reserved();
    reports.next_event.store(before - 10, Ordering::Relaxed);
    until("the next block is reserved", || reserved() > before);
    handle.stop();
    thread.join().unwrap();
    assert_eq!(reserved(), before - 10);
}

fn operation(id: u64, operation: DeviceOperation, state: OperationState) -> QueuedOperation {
    QueuedOperation {
        id,
        endpoint: "a".to_owned(),
        operation,
        format: Some(ContentFormat::TLV),
        priority: -3,
        created_at: 1_795_000_000.25,
        expires_at: 1_795_600_000.25,
        ended_at: None,
        attempts: 1,
        state,
    }
}

fn outcome() -> Outcome {
    Outcome {
        code: Code::CONTENT,
        format: Some(ContentFormat::SENML_CBOR),
        records: records(),
        links: Some("</3/0>".to_owned()),
        location: Some(Path::instance(3303, 7)),
        upload: None,
    }
}

/// One of each kind, and each way to end.
fn operations() -> Vec<QueuedOperation> {
    let path = Path::resource(3303, 0, 5700);
    let device = OperateError::Device {
        code: Code::NOT_FOUND,
        diagnostic: "no such".to_owned(),
    };
    let failed = |error| OperationState::Failed(error);
    let accept = Some(ContentFormat::SENML_JSON);
    let kinds = [
        (Operation::Read { path, accept }, OperationState::Queued),
        (
            Operation::Discover {
                path,
                depth: Some(2),
            },
            OperationState::Sent,
        ),
        (
            Operation::Write {
                path,
                mode: WriteMode::Replace,
                body: records(),
            },
            OperationState::Done(outcome()),
        ),
        (
            Operation::Write {
                path,
                mode: WriteMode::Update,
                body: Vec::new(),
            },
            OperationState::Expired,
        ),
        (
            Operation::WriteAttributes {
                path,
                attributes: vec![("pmin".to_owned(), Some(1.5)), ("gt".to_owned(), None)],
            },
            OperationState::Cancelled,
        ),
        (
            Operation::Execute {
                path,
                arguments: "0='x'".to_owned(),
            },
            failed(OperateError::Unknown),
        ),
        (
            Operation::Create {
                object: 3303,
                body: Some(records()),
            },
            failed(device),
        ),
        (
            Operation::Create {
                object: 3303,
                body: None,
            },
            failed(OperateError::Invalid("why".to_owned())),
        ),
        (Operation::Delete { path }, failed(OperateError::Timeout)),
        (
            Operation::ReadComposite {
                paths: records(),
                accept: None,
            },
            failed(OperateError::Reset),
        ),
        (
            Operation::WriteComposite { body: records() },
            failed(OperateError::Undecodable("what".to_owned())),
        ),
        (
            Operation::Discover { path, depth: None },
            failed(OperateError::RegistrationEnded),
        ),
    ];
    let numbered = (1..).zip(kinds).map(|(id, (kind, state))| {
        let mut operation = operation(id, kind, state);
        operation.ended_at = operation.has_ended().then_some(1_795_000_100.0);
        operation
    });
    numbered.collect()
}

fn persist(operation: &QueuedOperation) -> Persist {
    Persist::Operation(Arc::new(operation.clone()))
}

#[test]
fn operations_and_awake_times_come_back() {
    let folder = Folder::new();
    let mut store = folder.open();
    let awake = |endpoint: &str, wanted, learned| StoredAwakeTime {
        endpoint: endpoint.to_owned(),
        wanted,
        learned,
    };
    let all = operations();
    commit(&mut store, all.iter().map(persist));
    commit(
        &mut store,
        [
            Persist::AwakeTime(awake("a", Some(20), None)),
            Persist::AwakeTime(awake("b", None, Some(30))),
            Persist::AwakeTime(awake("a", None, None)),
        ],
    );
    drop(store);
    let mut expected = vec![Stored::AwakeTime(awake("b", None, Some(30)))];
    expected.extend(all.into_iter().map(Stored::Operation));
    assert_eq!(load(&mut folder.open()), expected);
}

#[test]
fn an_operation_goes_on_and_never_back() {
    let folder = Folder::new();
    let mut store = folder.open();
    let queued = operation(5, operations()[2].operation.clone(), OperationState::Queued);
    let queued = QueuedOperation {
        attempts: 0,
        ..queued
    };
    let sent = QueuedOperation {
        attempts: 1,
        state: OperationState::Sent,
        ..queued.clone()
    };
    let kept = QueuedOperation {
        state: OperationState::Queued,
        ..sent.clone()
    };
    let done = QueuedOperation {
        ended_at: Some(5.0),
        state: OperationState::Done(outcome()),
        ..kept.clone()
    };
    let mut revision = None;
    for (late, next) in [(&queued, &sent), (&sent, &kept), (&kept, &done)] {
        commit(&mut store, [persist(next), persist(late)]);
        assert_eq!(load(&mut store), [Stored::Operation(next.clone())]);
        assert!(Some(next.revision()) > revision);
        revision = Some(next.revision());
    }
    commit(&mut store, [Persist::RemoveOperation(5)]);
    drop(store);
    // Its number is not given out again.
    assert_eq!(load(&mut folder.open()), [Stored::NextOperation(6)]);
}

/// A database that the version before operations wrote.
#[test]
fn the_first_schema_is_brought_up_to_date() {
    let folder = Folder::new();
    std::fs::create_dir_all(&folder.0).unwrap();
    let database = rusqlite::Connection::open(folder.0.join("dunlin.db")).unwrap();
    database
        .execute_batch(
            "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
            CREATE TABLE registrations (endpoint TEXT PRIMARY KEY, epoch INTEGER NOT NULL,
                shard INTEGER NOT NULL, registration_id TEXT NOT NULL, address TEXT NOT NULL,
                parameters TEXT NOT NULL, links TEXT NOT NULL, registered_at REAL NOT NULL,
                updated_at REAL NOT NULL) STRICT;
            CREATE TABLE wishes (endpoint TEXT NOT NULL, id INTEGER NOT NULL, path TEXT NOT NULL,
                attributes TEXT NOT NULL, values_at REAL, PRIMARY KEY (endpoint, id)
            ) STRICT, WITHOUT ROWID;
            CREATE TABLE last_values (endpoint TEXT NOT NULL, wish INTEGER NOT NULL,
                position INTEGER NOT NULL, path TEXT NOT NULL, time REAL, type TEXT, value ANY,
                PRIMARY KEY (endpoint, wish, position)) STRICT, WITHOUT ROWID;
            INSERT INTO registrations VALUES ('a', 1, 1, 'r1', '[2001:db8::1]:5683',
                'lt=300&lwm2m=1.1&b=U', '</1/0>,</3/0>', 1795000000.125, 1795000001.5);
            INSERT INTO wishes VALUES ('a', 7, '/3303/0/5700', 'pmin=10&gt', 1795000002.0);
            INSERT INTO last_values VALUES ('a', 7, 0, '/3/0/7', NULL, NULL, NULL);
            INSERT INTO meta VALUES ('first_event', 42);
            PRAGMA user_version = 1;",
        )
        .unwrap();
    drop(database);
    let mut store = folder.open();
    let record = records().pop().unwrap();
    let old = [
        Stored::Registration(registration("a", 1)),
        Stored::Wish(wish("a", 7)),
        Stored::Values(values("a", 7, vec![record])),
    ];
    assert_eq!(load(&mut store), old);
    assert_eq!(store.first_event().unwrap(), 42);
    let new = operations().remove(0);
    commit(&mut store, [persist(&new)]);
    drop(store);
    assert_eq!(load(&mut folder.open()).pop(), Some(Stored::Operation(new)));
}

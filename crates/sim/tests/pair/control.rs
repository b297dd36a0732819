//! What the control plane asks of the pair's server, and what the tests ask of the pair.

use std::net::SocketAddr;
use std::time::Duration;

use dunlin_coap::{Code, Message, MessageWriter, OptionNumber, Type};
use dunlin_lwm2m::operation::Operation;
use dunlin_lwm2m::{ContentFormat, OwnedRecord, OwnedValue, Path};
use dunlin_server::api::{
    AttributeChanges, Device as Registered, DeviceOperation, EventKind, Observed, OperateError,
    OperateOptions, Outcome, QueueOptions, Stats, Wish,
};
use dunlin_server::shard::{Command, Input, Reply};

use crate::harness::{MAIL, Pair};

impl Pair {
    pub(crate) fn ask(&mut self, endpoint: &str, command: impl FnOnce(u64) -> Command) -> u64 {
        assert!(self.is_up(), "the server is dead");
        self.next_id += 1;
        let home = self.directory.home(endpoint);
        self.shard_input(home, Input::Command(command(self.next_id)));
        self.next_id
    }

    pub(crate) fn reply(&mut self, id: u64) -> Option<Reply> {
        self.replies.remove(&id)
    }

    /// Begins an operation.
    pub(crate) fn begin(
        &mut self,
        index: usize,
        operation: DeviceOperation,
        format: Option<ContentFormat>,
    ) -> u64 {
        let endpoint = self.name(index);
        self.ask(&endpoint.clone(), |id| Command::Operate {
            id,
            endpoint,
            operation,
            options: OperateOptions {
                format,
                timeout: Duration::from_secs(240),
                confirmable: true,
            },
        })
    }

    /// Queues an operation; its number once it is on disk, `None` when the server died before.
    pub(crate) fn enqueue(&mut self, index: usize, operation: DeviceOperation) -> Option<u64> {
        let endpoint = self.name(index);
        let id = self.ask(&endpoint.clone(), |id| Command::Enqueue {
            id,
            endpoint,
            operation,
            queue: QueueOptions::default(),
        });
        self.seconds(1);
        match self.reply(id) {
            Some(Reply::Queued(queued)) => Some(queued.expect("there is room").0.id),
            None => None,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn set_awake_time(&mut self, index: usize, seconds: u32) {
        let endpoint = self.name(index);
        let id = self.ask(&endpoint.clone(), |id| Command::SetAwakeTime {
            id,
            endpoint,
            seconds: Some(seconds),
        });
        assert!(matches!(self.reply(id), Some(Reply::AwakeTimeSet(true))));
    }

    /// Waits for the outcome of an operation.
    #[track_caller]
    pub(crate) fn outcome(&mut self, id: u64) -> Result<Outcome, OperateError> {
        let deadline = Duration::from_secs(241);
        self.until(deadline, |pair| pair.replies.contains_key(&id));
        match self.reply(id) {
            Some(Reply::Operated(outcome)) => outcome,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn operate(
        &mut self,
        index: usize,
        operation: DeviceOperation,
    ) -> Result<Outcome, OperateError> {
        let id = self.begin(index, operation, None);
        self.outcome(id)
    }

    #[track_caller]
    pub(crate) fn read(
        &mut self,
        index: usize,
        path: Path,
    ) -> Result<Vec<OwnedRecord>, OperateError> {
        let read = Operation::Read { path, accept: None };
        self.operate(index, read).map(|outcome| outcome.records)
    }

    pub(crate) fn lookup(&mut self, index: usize) -> Option<Registered> {
        let endpoint = self.name(index);
        let id = self.ask(&endpoint.clone(), |id| Command::Device { id, endpoint });
        match self.reply(id) {
            Some(Reply::Device(device)) => device.map(|device| *device),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn add_wish(
        &mut self,
        index: usize,
        path: Path,
        attributes: AttributeChanges,
    ) -> u64 {
        let endpoint = self.name(index);
        let id = self.ask(&endpoint.clone(), |id| Command::AddWish {
            id,
            endpoint,
            observed: Observed::path(path).with_attributes(attributes),
        });
        match self.reply(id) {
            Some(Reply::Wish(Ok(wish))) => wish.id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn remove_wish(&mut self, index: usize, wish: u64) {
        let endpoint = self.name(index);
        let id = self.ask(&endpoint.clone(), |id| Command::RemoveWish {
            id,
            endpoint,
            wish,
        });
        assert!(matches!(self.reply(id), Some(Reply::Removed(true))));
    }

    pub(crate) fn wishes(&mut self, index: usize) -> Vec<Wish> {
        let endpoint = self.name(index);
        let id = self.ask(&endpoint.clone(), |id| Command::Wishes { id, endpoint });
        match self.reply(id) {
            Some(Reply::Wishes(wishes)) => wishes.unwrap_or_default(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn stats(&mut self, shard: u16) -> Stats {
        self.next_id += 1;
        let id = self.next_id;
        self.shard_input(shard, Input::Command(Command::Stats { id }));
        match self.reply(id) {
            Some(Reply::Stats(stats)) => stats,
            other => panic!("{other:?}"),
        }
    }

    /// A counter, summed over the shards.
    pub(crate) fn counter(&mut self, name: &str) -> u64 {
        let shards = 0..self.shard_count;
        let values = shards.map(|shard| {
            let counters = self.stats(shard).counters;
            let found = counters.into_iter().find(|(other, _)| other == name);
            found.unwrap_or_else(|| panic!("no counter {name}")).1
        });
        values.sum()
    }

    /// How many registrations the server has.
    pub(crate) fn registrations(&mut self) -> u64 {
        (0..self.shard_count)
            .map(|shard| self.stats(shard).devices)
            .sum()
    }

    /// How often the server told such an event about a device.
    pub(crate) fn told(&self, index: usize, matches: impl Fn(&EventKind) -> bool) -> usize {
        let name = &self.devices[index].name;
        let events = self
            .events
            .iter()
            .filter(|(_, endpoint, kind)| endpoint == name && matches(kind));
        events.count()
    }

    /// The numbers a wish has reported, in the order of their arrival.
    pub(crate) fn reported(&self, wanted: u64) -> Vec<f64> {
        let reported = self.events.iter().filter_map(|(_, _, kind)| match kind {
            EventKind::Notification { wish, records, .. } if *wish == wanted => {
                match records.first()?.value {
                    Some(OwnedValue::Float(value)) => Some(value),
                    _ => None,
                }
            }
            _ => None,
        });
        reported.collect()
    }

    /// What the server answers at once when a stranger de-registers this location.
    pub(crate) fn knock(&mut self, location: &str) -> Option<Code> {
        let stranger: SocketAddr = "203.0.113.200:9000".parse().unwrap();
        let mut buffer = [0; 128];
        let id = self.rng.below(65_536) as u16;
        let mut writer =
            MessageWriter::new(&mut buffer, Type::Confirmable, Code::DELETE, id, b"knock");
        for segment in location.split('/').filter(|segment| !segment.is_empty()) {
            writer.option(OptionNumber::URI_PATH, segment.as_bytes());
        }
        let length = writer.finish().expect("it fits");
        let shard = self.steer(stranger);
        let bytes = &buffer[..length];
        self.shard_input(
            shard,
            Input::Datagram {
                socket: dunlin_server::Socket::Coap,
                from: stranger,
                bytes,
            },
        );
        self.pass(MAIL);
        let answer = self
            .trace
            .iter()
            .rev()
            .find(|(_, _, to, _)| *to == stranger)?;
        Message::parse(&answer.3).ok().map(|message| message.code)
    }
}

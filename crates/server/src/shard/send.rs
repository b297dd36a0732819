//! Send: a device reports of its own accord (Core 1.2 §6.4.6).
//!
//! Without security all that tells a device is its address; with DTLS it is the session. Of several that share one, the data
//! belongs to the only one whose object list it fits; when it fits several, it is refused, since
//! it must not be taken for another's.

use dunlin_coap::{Code, Instant, Message, Rng};
use dunlin_lwm2m::{ContentFormat, Level, OwnedRecord, Path};

use super::Shard;
use super::history::{Forgotten, bytes_of};
use super::io::{Persist, StoredSend};
use super::receive::{Asker, Response};
use crate::api::{EventKind, Sent};
use crate::peer::Peer;

/// Registrations of one address that data is compared with; where more share it, nothing can be
/// told apart.
const CANDIDATES: usize = 16;

/// Why a Send is refused: only these codes are valid (Transport 1.2 Table 6.7-4), and 5.03 when
/// the server cannot keep it.
struct Refused(Code, String);

fn bad(why: impl Into<String>) -> Refused {
    Refused(Code::BAD_REQUEST, why.into())
}

impl Shard {
    pub(super) fn sent(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        asker: &Asker<'_>,
        body: &[u8],
        rng: &mut dyn Rng,
    ) {
        match self.try_send(now, message, asker.reply_to.peer(), body, rng) {
            Ok(()) => {
                self.counters.sends += 1;
                self.promise(asker, Code::CHANGED, None);
            }
            Err(Refused(code, why)) => {
                self.counters.refused_sends += 1;
                let response = Response {
                    payload: why.as_bytes(),
                    ..Response::default()
                };
                self.respond(asker, code, &response);
            }
        }
    }

    fn try_send(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        from: Peer,
        body: &[u8],
        rng: &mut dyn Rng,
    ) -> Result<(), Refused> {
        if self.is_behind() {
            let why = "the store is behind; try again later".to_owned();
            return Err(Refused(Code::SERVICE_UNAVAILABLE, why));
        }
        let mut candidates: Vec<u32> = self.registry.at(from).take(CANDIDATES + 1).collect();
        if let (true, Peer::Dtls(session)) = (candidates.is_empty(), from) {
            candidates.extend(self.take_over(now, session, rng));
        }
        if candidates.len() > CANDIDATES {
            return Err(bad("too many devices share this address"));
        }
        let format = message.content_format().map(ContentFormat);
        let mut found = None;
        // What is wrong with the first one is told when it fits none.
        let mut wrong = None;
        for slot in candidates {
            match self.sent_by(now, slot, format, body) {
                Ok(_) if found.is_some() => {
                    return Err(bad("several devices of this address have these objects"));
                }
                Ok(records) => found = Some((slot, records)),
                Err(why) => wrong = wrong.or(Some(why)),
            }
        }
        let Some((slot, mut records)) = found else {
            let unregistered = || Refused(Code::NOT_FOUND, "register first".to_owned());
            return Err(wrong.unwrap_or_else(unregistered));
        };
        let most = self.config.limits.unstored_send_bytes;
        if !self.unstored.has_room(slot, most) {
            let why = "what was sent before is not on disk yet; try again later".to_owned();
            return Err(Refused(Code::SERVICE_UNAVAILABLE, why));
        }
        let endpoint = self.registry.name(slot).to_owned();
        let time = self.unix(now);
        for record in &mut records {
            record.time.get_or_insert(time);
        }
        let sent = Sent {
            id: self.config.directory.next_send(),
            time,
            records: records.clone(),
        };
        self.persist(Persist::Send(StoredSend {
            endpoint: endpoint.clone(),
            sent: sent.clone(),
        }));
        if self.config.durable {
            self.unstored.push(self.sequence, slot, bytes_of(&sent));
        }
        let forgotten = self.history.push(&self.config.limits, &endpoint, sent);
        for Forgotten { endpoint, through } in forgotten {
            self.persist(Persist::RemoveSends { endpoint, through });
        }
        self.queue
            .event(time, endpoint, EventKind::Send { records });
        Ok(())
    }

    /// The records of a Send, if a device can have sent them.
    fn sent_by(
        &self,
        now: Instant,
        slot: u32,
        format: Option<ContentFormat>,
        body: &[u8],
    ) -> Result<Vec<OwnedRecord>, Refused> {
        match format {
            Some(
                ContentFormat::SENML_JSON | ContentFormat::SENML_CBOR | ContentFormat::LWM2M_CBOR,
            ) => {}
            Some(format) => {
                return Err(bad(format!(
                    "Content-Format {format}: send 110, 112 or 11544"
                )));
            }
            None => return Err(bad("the Content-Format is missing")),
        }
        let format = format.map(|format| format.0);
        let records = self
            .decode(now, slot, Path::ROOT, &[Path::ROOT], format, body)
            .map_err(bad)?;
        let registered = self.registry.get(slot);
        let list = registered.map(|found| self.lists.get(found.links));
        for OwnedRecord { path, value, .. } in &records {
            if value.is_none() || path.level() < Level::Resource {
                return Err(bad(format!("{path} has no value")));
            }
            let objects = list.into_iter().flat_map(|list| list.objects.iter());
            let object = objects
                .clone()
                .find(|object| Some(object.id) == path.object_id());
            let Some(object) = object else {
                let object = path.truncated(Level::Object);
                let why = format!("{object} is not registered");
                return Err(Refused(Code::NOT_FOUND, why));
            };
            let instance = path.instance_id();
            if instance.is_none_or(|id| object.instances.binary_search(&id).is_err()) {
                let instance = path.truncated(Level::ObjectInstance);
                return Err(bad(format!("{instance} is not registered")));
            }
        }
        Ok(records)
    }

    /// Puts a stored Send back at start. It goes to the shard that
    /// [`Directory::home`](crate::directory::Directory::home) names; of one device they come in
    /// the order of their numbers.
    pub fn restore_send(&mut self, stored: StoredSend) {
        let StoredSend { endpoint, sent } = stored;
        self.config.directory.restore_send(sent.id);
        // The device may never send again, so what finds no room any more is removed here. A shard
        // has more to put back than it kept when devices were registered with others.
        for Forgotten { endpoint, through } in
            self.history.push(&self.config.limits, &endpoint, sent)
        {
            self.persist(Persist::RemoveSends { endpoint, through });
        }
    }
}

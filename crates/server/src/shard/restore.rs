//! What lay in the store when the server stopped is put back.

use dunlin_coap::Instant;
use dunlin_lwm2m::registration::Faults;

use super::activity::Observation;
use super::fleet;
use super::ids::Location;
use super::io::Persist;
use super::registry::{ASLEEP, New, Place};
use super::wheel::NONE;
use super::{Shard, StoredRegistration, StoredValues, StoredWish, lifetime_end, tick};
use crate::directory::KeptWish;

impl Shard {
    /// The shard of so many to which a stored registration is to be given back.
    pub fn owner(stored: &StoredRegistration, shards: u16) -> u16 {
        let location = Location::decode(stored.registration_id.as_bytes());
        location.map_or(stored.shard, |location| location.shard) % shards.max(1)
    }

    /// Puts a stored registration back at start, its lifetime running anew from `now`. Returns
    /// whether it could be read and there was room; `false` also when a newer one is held already.
    ///
    /// A registration goes to the shard that [`Shard::owner`] names, so that its location path
    /// leads there.
    pub fn restore(&mut self, now: Instant, stored: &StoredRegistration) -> bool {
        let limits = self.config.limits;
        if self.registry.find(&stored.endpoint).is_some()
            || self.registry.len() >= limits.registrations as usize
            || stored.endpoint.is_empty()
            || stored.endpoint.len() > limits.endpoint_bytes.min(255)
        {
            return false;
        }
        if let Some(credential) = stored.credential
            && !self.config.access.is_current(credential)
        {
            // It was taken back, and the registration with it.
            self.persist(Persist::RemoveRegistration {
                endpoint: stored.endpoint.clone(),
                epoch: stored.epoch,
            });
            return false;
        }
        let Ok(parameters) = fleet::read_parameters(&stored.parameters, Faults::NONE) else {
            return false;
        };
        let (version, lifetime) = (parameters.version, parameters.lifetime);
        let Ok(links) = self.intern_links(stored.links.as_bytes(), version, 0) else {
            return false;
        };
        let text = parameters.text.clone();
        let interned = self
            .parameters
            .intern(parameters.faults.bits(), &text, || Ok::<_, ()>(parameters));
        let Ok(interned) = interned else {
            return false;
        };
        let index = self.config.index;
        let directory = &self.config.directory;
        if !directory.restore(
            &stored.endpoint,
            index,
            stored.epoch,
            stored.session.is_some(),
        ) {
            self.lists.release(links);
            self.parameters.release(interned);
            return false;
        }
        self.remember_place(stored);
        let location = Location::decode(stored.registration_id.as_bytes());
        let new = New {
            name: &stored.endpoint,
            place: match (stored.session, stored.credential) {
                (Some(session), Some(credential)) => Place::Dtls(session, credential),
                _ => Place::Udp(stored.address),
            },
            links,
            parameters: interned,
            registered: stored.registered_at as u32,
            now: tick(now),
            deadline: lifetime_end(now, lifetime),
            nonce: location.map_or(0, |location| location.nonce),
        };
        // The place that the id names, unless another has it: then the id is kept as an alias.
        let own = location
            .filter(|location| location.shard == index && location.slot < limits.registrations);
        let placed = own.and_then(|location| self.registry.insert_at(location.slot, &new));
        let Some(slot) = placed.or_else(|| self.registry.insert(&new)) else {
            return false;
        };
        if placed.is_none() {
            let id: Box<str> = stored.registration_id.as_str().into();
            self.aliases.insert(id.clone(), slot);
            self.alias_ids.insert(slot, id);
        }
        if self.uses_queue_mode(slot)
            && let Some(registration) = self.registry.get_mut(slot)
        {
            // Whether it is awake is not known any more.
            registration.flags |= ASLEEP;
        }
        if self.config.directory.operations().queued(&stored.endpoint) > 0 {
            self.restore_queue(slot);
        }
        for wish in self.config.directory.wishes(&stored.endpoint) {
            self.restore_observation(slot, wish);
        }
        true
    }

    /// Puts a stored wish back at start, before or after the registration. It goes to the shard
    /// that [`Directory::home`](crate::directory::Directory::home) names.
    pub fn restore_wish(&mut self, stored: &StoredWish) -> bool {
        let wish = KeptWish {
            id: stored.id,
            observed: stored.observed.clone(),
            records: Vec::new(),
            updated_at: None,
        };
        self.config
            .directory
            .restore_wish(&stored.endpoint, wish.clone());
        if let Some(slot) = self.registry.find(&stored.endpoint) {
            self.restore_observation(slot, wish);
        }
        true
    }

    /// Puts stored values of a wish back at start, after the wish, in the same shard.
    pub fn restore_values(&mut self, stored: StoredValues) -> bool {
        if let Some(slot) = self.registry.find(&stored.endpoint)
            && let Some(activity) = self.activity(slot)
            && let Some(observation) = activity.observation(stored.wish)
        {
            observation.records.clone_from(&stored.records);
            observation.updated_at = Some(stored.updated_at);
        }
        self.config.directory.keep_values(
            &stored.endpoint,
            stored.wish,
            stored.records,
            stored.updated_at,
        )
    }

    /// The device may still report with a token of the time before the restart: such a
    /// notification is rejected, and the observation is made again, at the pace of the line.
    fn restore_observation(&mut self, slot: u32, wish: KeptWish) {
        let Some(activity) = self.activity(slot) else {
            return;
        };
        if activity.observation(wish.id).is_some() {
            return;
        }
        activity.observations.push(Observation {
            records: wish.records,
            updated_at: wish.updated_at,
            ..Observation::new(wish.id, wish.observed)
        });
        let index = self.registry.get(slot).map_or(NONE, |found| found.device);
        self.stand_in_line(index, true);
    }
}

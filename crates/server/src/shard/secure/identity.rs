//! Who a peer has proven to be, and what it may therefore do.
//!
//! | Registration | Request comes | Update, De-register |
//! |---|---|---|
//! | without security | without security | accepted by its location path |
//! | without security | in a session | accepted if the session's identity stands for the name |
//! | over DTLS | without security | refused |
//! | over DTLS | in a session | accepted if the session's identity stands for the name |
//!
//! So a session that takes the place of another (resumed, or a new handshake) goes on with the
//! registration (Core 1.2.1 §6.2.2); of older versions a device must register anew, and may. A
//! Register with a name that has credentials, or that is registered over DTLS, is refused without
//! security, so that nobody can take a secured name over that way.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use dunlin_coap::{Instant, Rng};
use dunlin_dtls::SessionId;

use super::super::interface::Refusal;
use super::super::registry::Place;
use super::Shard;
use crate::access::{Evidence, Security};
use crate::peer::Peer;

/// The address of a device that was not heard since its session could not be restored.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

impl Shard {
    /// What was proven in a session; `None` when there is no such session.
    fn evidence(&self, session: SessionId) -> Option<Evidence<'_>> {
        let secure = self.secure.as_ref()?;
        Some(Evidence {
            credential: secure.server.tag(session)?,
            certified: secure.certified.get(&session).map(|name| &**name),
        })
    }

    /// Where a registration of a peer is; `None` when its session has ended.
    pub(in super::super) fn place(&self, peer: Peer) -> Option<Place> {
        Some(match peer {
            Peer::Udp(address) => Place::Udp(address),
            Peer::Dtls(session) => Place::Dtls(session, self.evidence(session)?.credential),
        })
    }

    /// The endpoint name that a Register is about (Core 1.2 §6.2.1): the one it gives, if who sent
    /// it may use that, or the one that stands for its identity.
    pub(in super::super) fn identified<'m>(
        &self,
        peer: Peer,
        given: Option<&'m str>,
    ) -> Result<Cow<'m, str>, Refusal> {
        let access = &self.config.access;
        let Peer::Dtls(session) = peer else {
            // Without security there is no identity that could stand for the name.
            let given = given.ok_or(Refusal::NoEndpoint)?;
            return if access.is_secured(given) || self.config.directory.is_secure(given) {
                Err(Refusal::Secured)
            } else {
                Ok(Cow::Borrowed(given))
            };
        };
        let evidence = self.evidence(session).ok_or(Refusal::Mismatch)?;
        match given {
            Some(given) if access.allows(evidence, given) => Ok(Cow::Borrowed(given)),
            Some(_) => Err(Refusal::Mismatch),
            None => access
                .endpoint(evidence)
                .map(Cow::Owned)
                .ok_or(Refusal::Mismatch),
        }
    }

    /// Whether a peer may update or end a registration whose location it knows.
    pub(in super::super) fn may_speak_for(&self, peer: Peer, slot: u32) -> bool {
        let Some(registration) = self.registry.get(slot) else {
            return false;
        };
        match peer {
            Peer::Udp(_) => registration.credential().is_none(),
            // What it was registered in: nothing can have changed.
            Peer::Dtls(_) if registration.is_at(&peer) => true,
            Peer::Dtls(session) => self.evidence(session).is_some_and(|evidence| {
                let name = self.registry.name(slot);
                self.config.access.allows(evidence, name)
            }),
        }
    }

    /// The registration of a session that has none yet: one by another session that it may speak
    /// for, which it goes on with from now on. None when what was proven stands for many names.
    pub(in super::super) fn take_over(
        &mut self,
        now: Instant,
        session: SessionId,
        rng: &mut dyn Rng,
    ) -> Option<u32> {
        let evidence = self.evidence(session)?;
        let name = self.config.access.endpoint(evidence)?;
        let slot = self.registry.find(&name)?;
        let place = Place::Dtls(session, evidence.credential);
        // One without security may be anybody's.
        self.registry.get(slot)?.credential()?;
        self.go_to(now, slot, place, rng);
        let epoch = self.config.directory.epoch(&name, self.config.index)?;
        self.persist_registration(now, slot, epoch);
        Some(slot)
    }

    /// A registration is at another place from now on.
    pub(in super::super) fn go_to(
        &mut self,
        now: Instant,
        slot: u32,
        place: Place,
        rng: &mut dyn Rng,
    ) {
        let Some(before) = self.registry.get(slot).map(|found| found.peer()) else {
            return;
        };
        self.counters.address_changes += 1;
        self.registry.set_place(slot, place);
        let Some(peer) = self.registry.get(slot).map(|found| found.peer()) else {
            return;
        };
        let name = self.registry.name(slot);
        if peer.is_secure() && !before.is_secure() {
            self.config.directory.secure(name, self.config.index);
        }
        self.queue.trace.follow(name, peer);
        self.follow(slot, peer);
        self.left(now, before, rng);
    }

    /// The address at which a device was heard last.
    pub(in super::super) fn address_of(&self, slot: u32) -> SocketAddr {
        let registration = self.registry.get(slot);
        match registration.map(|registration| registration.peer()) {
            Some(Peer::Udp(address)) => address,
            Some(Peer::Dtls(session)) => self
                .secure
                .as_ref()
                .and_then(|secure| {
                    let last = || secure.left.get(&session).copied();
                    secure.server.address(session).or_else(last)
                })
                .unwrap_or(NOWHERE),
            None => NOWHERE,
        }
    }

    /// What a device has proven, for people.
    pub(in super::super) fn security_of(&self, slot: u32) -> Option<Security> {
        let registration = self.registry.get(slot)?;
        let evidence = Evidence {
            credential: registration.credential()?,
            certified: Some(self.registry.name(slot)),
        };
        self.config.access.security(evidence)
    }
}

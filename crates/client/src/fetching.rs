//! Images that the device fetches: the client as a CoAP client of a repository, which may be one
//! of its servers (Core 1.2 §E.6; RFC 7959 §2.4).

use core::net::SocketAddr;

use dunlin_coap::{Code, ExchangeId, Incoming, Instant, Message, Outgoing, Rng, Type};

use crate::client::{Client, Event};
use crate::image::{Fetched, PATIENCE, Source};
use crate::keys::Keys;
use crate::object::Objects;
use crate::session::{NEVER, Session, Shared};

/// The one request for a block that is on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fetching {
    /// The object that fetches.
    object: u16,
    /// The `/1` instance of the server whose message layer it uses: that of the peer, or the first.
    account: u16,
    /// Whether the peer is somebody else than that server.
    is_foreign: bool,
    exchange: ExchangeId,
}

impl<O: Objects, const SERVERS: usize, const BODY: usize, const DATAGRAM: usize>
    Shared<O, SERVERS, BODY, DATAGRAM>
{
    /// Whether an exchange of this account that has ended is that of the fetch.
    pub(crate) fn ends_fetching(&self, account: u16, exchange: ExchangeId) -> bool {
        self.fetching
            .is_some_and(|it| it.account == account && it.exchange == exchange)
    }

    /// A block has come.
    pub(crate) fn fetch_answered(&mut self, now: Instant, message: &Message<'_>) {
        let Some(fetching) = self.fetching.take() else {
            return;
        };
        let Some(images) = self.images(fetching.object) else {
            return;
        };
        let Some((instance, _, fetch)) = images.fetch() else {
            return;
        };
        // Reset and written again in the meantime: the answer is that of another fetch.
        if !core::mem::take(&mut fetch.is_asked) {
            return;
        }
        match fetch.response(now, message) {
            Fetched::Piece(piece, tag) => images.fetched(instance, &piece, tag.as_bytes()),
            Fetched::Again => {}
            Fetched::Ended(why) => images.fetch_ended(instance, why),
        }
    }

    /// No block has come.
    pub(crate) fn fetch_silent(&mut self, now: Instant) {
        let Some(fetching) = self.fetching.take() else {
            return;
        };
        let Some(images) = self.images(fetching.object) else {
            return;
        };
        if let Some((instance, _, fetch)) = images.fetch()
            && core::mem::take(&mut fetch.is_asked)
            && let Some(why) = fetch.silence(now)
        {
            images.fetch_ended(instance, why);
        }
    }

    /// When time alone changes something in an object.
    pub(crate) fn next_tick(&self) -> Option<Instant> {
        Some(self.next_tick).filter(|next| *next != NEVER)
    }

    /// Lets time pass for the objects.
    pub(crate) fn tick(&mut self, now: Instant) {
        let mut next = None;
        let mut fetch_due = None;
        let mut position = 0;
        while let Some(object) = self.tree.object_mut(position) {
            position += 1;
            let tick = object.tick(now);
            next = earlier(next, tick.next);
            if let Some(images) = object.images() {
                if let Some(instance) = images.upload().expire(now) {
                    images.push_lost(instance);
                }
                next = earlier(next, images.upload().next_timeout());
                let fetch = images.fetch().filter(|(_, _, fetch)| !fetch.is_asked);
                fetch_due = earlier(fetch_due, fetch.map(|(_, _, fetch)| fetch.due()));
            }
            if tick.reboot {
                self.event(Event::Reboot);
            }
        }
        self.next_tick = next.unwrap_or(NEVER);
        self.fetch_due = fetch_due.unwrap_or(NEVER);
    }
}

impl<
    O: Objects,
    const SERVERS: usize,
    const OBSERVATIONS: usize,
    const ATTRIBUTES: usize,
    const BODY: usize,
    const DATAGRAM: usize,
    const STORE: usize,
    K: Keys,
> Client<O, SERVERS, OBSERVATIONS, ATTRIBUTES, BODY, DATAGRAM, STORE, K>
{
    /// When the next block is to be asked for; not while offline.
    pub(crate) fn next_fetch(&self) -> Option<Instant> {
        // The end of what the server of this address is busy with tells when to go on.
        let is_held_back = self.shared.fetch_waits.is_some_and(|account| {
            self.sessions
                .iter()
                .any(|session| session.instance == account && session.is_busy(&self.shared))
        });
        let is_due = self.shared.fetching.is_none() && !is_held_back;
        Some(self.shared.fetch_due).filter(|due| *due != NEVER && is_due)
    }

    /// Takes a datagram of somebody who is no server; `false` when it is not the repository's.
    pub(crate) fn repository_datagram(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
    ) -> bool {
        let Self {
            shared, sessions, ..
        } = self;
        let Some(fetching) = shared.fetching.filter(|fetching| fetching.is_foreign) else {
            return false;
        };
        let images = shared.images(fetching.object);
        let is_peer = images
            .and_then(|images| images.fetch())
            .is_some_and(|(_, _, fetch)| fetch.peer == from);
        if !is_peer {
            return false;
        }
        let session = sessions
            .iter_mut()
            .find(|session| session.instance == fetching.account);
        // It serves nobody: what is no answer is not handed to the message layer.
        let is_answer = Message::parse(bytes).is_ok_and(|message| !message.code.is_request());
        let Some(session) = session.filter(|_| is_answer && !shared.is_offline) else {
            return false;
        };
        self.out_to = Some(from);
        let handled = session.coap.handle(now, from, bytes, &mut shared.out);
        shared.out_length = handled.reply;
        match handled.incoming {
            Incoming::Response {
                exchange, message, ..
            } if exchange == fetching.exchange => shared.fetch_answered(now, &message),
            Incoming::Reset {
                exchange: Some(exchange),
                ..
            } if exchange == fetching.exchange => shared.fetch_silent(now),
            Incoming::Unmatched { message, reply_to } if message.ty == Type::Confirmable => {
                shared.out_length = session.coap.reject(&reply_to, &mut shared.out);
            }
            _ => {}
        }
        true
    }

    /// Asks for a block that is due; `false` when none is.
    pub(crate) fn step_fetch(&mut self, now: Instant, rng: &mut dyn Rng) -> bool {
        self.drop_stale_fetch();
        if self.shared.fetching.is_some() {
            return false;
        }
        let Self {
            shared, sessions, ..
        } = self;
        shared.fetch_waits = None;
        let mut position = 0;
        while let Some(object) = shared.tree.object_mut(position) {
            position += 1;
            let id = object.definition().id;
            let Some((_, uri, fetch)) = object.images().and_then(|images| images.fetch()) else {
                continue;
            };
            let Ok(source) = Source::parse(uri) else {
                continue;
            };
            if fetch.due() > now {
                continue;
            }
            let peer = fetch.peer;
            let of_peer = sessions
                .iter()
                .position(|session| session.address == Some(peer));
            let Some(session) = sessions.get_mut(of_peer.unwrap_or(0)) else {
                continue;
            };
            // NSTART is 1; what the server and the device have to say goes first.
            if of_peer.is_some() && session.coap.open_exchanges() > 0 {
                shared.fetch_waits = Some(session.instance);
                continue;
            }
            let patience = shared
                .config
                .parameters
                .ack_timeout
                .saturating_mul(PATIENCE);
            let get = Outgoing::confirmable(Code::GET).timeout(patience);
            let sent = session.coap.request(now, rng, peer, get, |writer| {
                fetch.write(&source, writer);
            });
            let Ok(sent) = sent else {
                fetch.put_off(now);
                continue;
            };
            fetch.is_asked = true;
            shared.fetching = Some(Fetching {
                object: id,
                account: session.instance,
                is_foreign: of_peer.is_none(),
                exchange: sent.exchange,
            });
            let length = sent.bytes.len();
            if let Some(out) = shared.out.get_mut(..length) {
                out.copy_from_slice(sent.bytes);
                shared.out_length = length;
            }
            self.out_to = Some(peer);
            return true;
        }
        false
    }

    /// A request whose answer nobody wants any more: the fetch was cancelled.
    fn drop_stale_fetch(&mut self) {
        let Self {
            shared, sessions, ..
        } = self;
        let Some(fetching) = shared.fetching else {
            return;
        };
        let is_wanted = shared
            .images(fetching.object)
            .and_then(|images| images.fetch())
            .is_some_and(|(_, _, fetch)| fetch.is_asked);
        if !is_wanted {
            for session in sessions {
                session.forget_fetching(shared);
            }
        }
    }
}

impl<const OBSERVATIONS: usize, const ATTRIBUTES: usize, const DATAGRAM: usize>
    Session<OBSERVATIONS, ATTRIBUTES, DATAGRAM>
{
    /// Whether an interaction with this server is under way (NSTART is 1). A fetch from somebody
    /// else is none.
    pub(crate) fn is_busy<O, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
    ) -> bool {
        let of_others = shared
            .fetching
            .is_some_and(|fetching| fetching.account == self.instance && fetching.is_foreign);
        self.coap.open_exchanges() > usize::from(of_others)
    }

    /// Forgets the request for a block that uses this message layer; the fetch stays where it is.
    pub(crate) fn forget_fetching<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
    ) {
        let instance = self.instance;
        let mine = |fetching: &mut Fetching| fetching.account == instance;
        let Some(fetching) = shared.fetching.take_if(mine) else {
            return;
        };
        self.coap.cancel(fetching.exchange);
        let images = shared.images(fetching.object);
        if let Some((_, _, fetch)) = images.and_then(|images| images.fetch()) {
            fetch.is_asked = false;
        }
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    [one, other].into_iter().flatten().min()
}

//! Sessions that outlive the process.

use alloc::vec::Vec;

use dunlin_coap::Instant;

use super::Server;
use super::session::{Session, seconds};
use super::table::Slot;
use crate::export::Exported;
use crate::keys::Side;
use crate::record::MAX_SEQUENCE;
use crate::{ImportError, SessionId};

/// How a session is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// The session goes on. The export claims this many sequence numbers more for it: an import of
    /// it begins after them, so none is used twice, and sending stops when they are used up.
    /// [`Reserve`](crate::ServerOutput::Reserve) comes before that. What is imported is unproven.
    Reserve(u32),
    /// The session leaves this server, exactly as it is, without an output. What is imported is as
    /// proven as the session was.
    Final,
}

impl Server {
    /// Appends a session's export to `out`, as secret as the credential. False when there is no such
    /// session.
    ///
    /// Sequence numbers that an earlier export claimed stay claimed: what is exported now begins
    /// after them as well.
    pub fn export(&mut self, session: SessionId, how: Export, out: &mut Vec<u8>) -> bool {
        let Some(found) = self.table.session_mut(session) else {
            return false;
        };
        let proven = match how {
            Export::Reserve(count) => {
                let limit = found.link.sequence.saturating_add(u64::from(count));
                found.link.limit = limit.min(MAX_SEQUENCE);
                false
            }
            Export::Final => found.proven,
        };
        // Of the numbers reserved none may come again.
        let next = match how {
            Export::Reserve(_) => found.link.limit,
            Export::Final => found.link.sequence,
        };
        let own_cid = match (&self.layout, found.has_cid) {
            (Some(layout), true) => layout
                .cid(session.slot(), session.random())
                .as_slice()
                .into(),
            _ => Vec::new().into(),
        };
        let link = &found.link;
        let exported = Exported {
            side: Side::Server,
            suite: found.suite,
            encrypt_then_mac: found.encrypt_then_mac,
            read: link.read.clone(),
            write: link.write.clone(),
            sequence: next,
            limit: MAX_SEQUENCE,
            window: link.window,
            failed: link.failed,
            peer_cid: link.peer_cid.clone(),
            own_cid,
            own_cid_in_use: found.has_cid,
            address: Some(found.address),
            session: session.to_bits(),
            tag: found.tag,
            proven,
            resumption: None,
        };
        exported.write(out);
        if how == Export::Final {
            self.table.remove(session.slot());
        }
        true
    }

    /// Takes a session in under the name it had. Do this before the first handshake: its place must
    /// be free.
    ///
    /// # Errors
    ///
    /// [`ImportError`] when the bytes are no export, or do not fit this server.
    pub fn import(&mut self, now: Instant, bytes: &[u8]) -> Result<SessionId, ImportError> {
        let exported = Exported::read(bytes)?;
        let address = exported.address.ok_or(ImportError::Malformed)?;
        if exported.side != Side::Server {
            return Err(ImportError::Malformed);
        }
        let session = SessionId::from_bits(exported.session);
        if exported.own_cid_in_use {
            let own = self.cid(session.slot(), session.random());
            if own.is_none_or(|own| own.as_slice() != &*exported.own_cid) {
                return Err(ImportError::ConnectionId);
            }
        }
        if !matches!(self.table.get(session.slot()), Slot::Free) {
            return Err(ImportError::Occupied);
        }
        let inserted = self.table.insert_session(
            session.slot(),
            Session {
                link: exported.link(),
                address,
                tag: exported.tag,
                random: session.random(),
                last: seconds(now),
                suite: exported.suite,
                encrypt_then_mac: exported.encrypt_then_mac,
                has_cid: exported.own_cid_in_use,
                proven: exported.proven,
                tail: None,
            },
        );
        if inserted {
            Ok(session)
        } else {
            Err(ImportError::Occupied)
        }
    }
}

//! A live association as bytes, to go on with it after a restart or a deep sleep.
//!
//! ```text
//! version 1 ‖ flags 1 ‖ suite 2 ‖ keys to read ‖ keys to write ‖
//! next sequence number 6 ‖ end of the reserve 6 ‖ end of the window 7 ‖ window 8 ‖ failed 4 ‖
//! the peer's CID, ours (each length 1 ‖ bytes) ‖ address (0 | 4 ‖ ip ‖ port | 6 ‖ ip ‖ port) ‖
//! session 8 ‖ tag 8 ‖ resumption (length 1 ‖ bytes) ‖ check 4
//! ```
//!
//! The keys are in it as they are: whoever stores it keeps it as secret as the credential. The
//! check, a piece of SHA-256, finds damage and nothing else; damage must be found, because a wrong
//! sequence number would use a nonce twice.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::crypto::sha256;
use crate::keys::{Side, WriteKeys};
use crate::link::Link;
use crate::protect::Protection;
use crate::record::MAX_SEQUENCE;
use crate::replay::ReplayWindow;
use crate::{ImportError, Resumption, Suite};

/// The form of an export.
const VERSION: u8 = 1;

/// Bytes of the check at the end.
const CHECK: usize = 4;

const SERVER: u8 = 1;
const ENCRYPT_THEN_MAC: u8 = 2;
const PROVEN: u8 = 4;
const OWN_CID_IN_USE: u8 = 8;

/// What an export holds.
#[derive(Clone, Debug)]
pub struct Exported {
    /// Which end of the association it was.
    pub side: Side,
    /// The suite that was agreed.
    pub suite: Suite,
    /// Whether CBC records have their MAC outside (RFC 7366).
    pub encrypt_then_mac: bool,
    /// What the peer protects its records with.
    pub read: WriteKeys,
    /// What we protect ours with.
    pub write: WriteKeys,
    /// The sequence number of the next record to send.
    pub sequence: u64,
    /// The first sequence number that may not be used any more.
    pub limit: u64,
    /// What was received.
    pub window: ReplayWindow,
    /// Records that failed to authenticate.
    pub failed: u32,
    /// What stands in records to the peer; empty for none.
    pub peer_cid: Box<[u8]>,
    /// What stands in records from the peer; empty for none.
    pub own_cid: Box<[u8]>,
    /// Whether the peer uses `own_cid`: both ends had the extension.
    pub own_cid_in_use: bool,
    /// Where the peer was last.
    pub address: Option<SocketAddr>,
    /// The session's name at a server.
    pub session: u64,
    /// The tag of its credential at a server.
    pub tag: u64,
    /// Whether `window` holds all that was received.
    pub proven: bool,
    /// What resumes the session at its end.
    pub resumption: Option<Resumption>,
}

impl Exported {
    /// What seals and opens the association's records from here on.
    pub(crate) fn link(&self) -> Link {
        Link {
            protection: Protection::new(self.suite, self.encrypt_then_mac),
            read: self.read.clone(),
            write: self.write.clone(),
            window: self.window,
            sequence: self.sequence,
            limit: self.limit,
            failed: self.failed,
            peer_cid: self.peer_cid.clone(),
        }
    }

    /// Appends the export to `out`. Connection identifiers have at most 255 bytes.
    pub fn write(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        // In one piece, so that no copy of the keys is left in memory that was given back.
        out.reserve(512 + self.peer_cid.len() + self.own_cid.len());
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        out.push(VERSION);
        out.push(
            flag(self.side == Side::Server, SERVER)
                | flag(self.encrypt_then_mac, ENCRYPT_THEN_MAC)
                | flag(self.proven, PROVEN)
                | flag(self.own_cid_in_use, OWN_CID_IN_USE),
        );
        out.extend_from_slice(&self.suite.code().to_be_bytes());
        self.read.write(out);
        self.write.write(out);
        out.extend_from_slice(&self.sequence.to_be_bytes()[2..]);
        out.extend_from_slice(&self.limit.to_be_bytes()[2..]);
        let (end, bits) = self.window.parts();
        out.extend_from_slice(&end.to_be_bytes()[1..]);
        out.extend_from_slice(&bits.to_be_bytes());
        out.extend_from_slice(&self.failed.to_be_bytes());
        for cid in [&self.peer_cid, &self.own_cid] {
            let cid = &cid[..cid.len().min(255)];
            out.push(cid.len() as u8);
            out.extend_from_slice(cid);
        }
        match self.address.map(|address| (address.ip(), address.port())) {
            None => out.push(0),
            Some((IpAddr::V4(ip), port)) => {
                out.push(4);
                out.extend_from_slice(&ip.octets());
                out.extend_from_slice(&port.to_be_bytes());
            }
            Some((IpAddr::V6(ip), port)) => {
                out.push(6);
                out.extend_from_slice(&ip.octets());
                out.extend_from_slice(&port.to_be_bytes());
            }
        }
        out.extend_from_slice(&self.session.to_be_bytes());
        out.extend_from_slice(&self.tag.to_be_bytes());
        match &self.resumption {
            None => out.push(0),
            Some(resumption) => {
                let bytes = resumption.to_bytes();
                out.push(bytes.len() as u8);
                out.extend_from_slice(&bytes);
            }
        }
        let check = sha256(&[&out[begin..]]);
        out.extend_from_slice(&check[..CHECK]);
    }

    /// What [`write`](Self::write) wrote.
    ///
    /// # Errors
    ///
    /// [`ImportError::Version`] for another form, [`ImportError::Malformed`] for anything that
    /// `write` does not write.
    pub fn read(bytes: &[u8]) -> Result<Self, ImportError> {
        match bytes.first() {
            None => return Err(ImportError::Malformed),
            Some(&VERSION) => {}
            Some(_) => return Err(ImportError::Version),
        }
        let (content, check) = bytes
            .split_last_chunk::<CHECK>()
            .ok_or(ImportError::Malformed)?;
        if sha256(&[content])[..CHECK] != check[..] {
            return Err(ImportError::Malformed);
        }
        Self::read_content(content).ok_or(ImportError::Malformed)
    }

    fn read_content(content: &[u8]) -> Option<Self> {
        let mut rest = &content[1..];
        let mut take = |length: usize| {
            let (taken, behind) = rest.split_at_checked(length)?;
            rest = behind;
            Some(taken)
        };
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
        };
        let flags = take(1)?[0];
        if flags >= 16 {
            return None;
        }
        let suite = Suite::from_code(number(take(2)?) as u16)?;
        let keys = WriteKeys::encoded_length(suite.cipher());
        let read = WriteKeys::read(suite.cipher(), take(keys)?)?;
        let write = WriteKeys::read(suite.cipher(), take(keys)?)?;
        let sequence = number(take(6)?);
        let limit = number(take(6)?);
        let window_end = number(take(7)?);
        let window = ReplayWindow::from_parts(window_end, number(take(8)?))?;
        let failed = number(take(4)?) as u32;
        let length = take(1)?[0];
        let peer_cid = take(usize::from(length))?.into();
        let length = take(1)?[0];
        let own_cid = take(usize::from(length))?.into();
        let ip = match take(1)?[0] {
            0 => None,
            4 => Some(IpAddr::V4(Ipv4Addr::from(
                <[u8; 4]>::try_from(take(4)?).ok()?,
            ))),
            6 => Some(IpAddr::V6(Ipv6Addr::from(
                <[u8; 16]>::try_from(take(16)?).ok()?,
            ))),
            _ => return None,
        };
        let address = match ip {
            None => None,
            Some(ip) => Some(SocketAddr::new(ip, number(take(2)?) as u16)),
        };
        let session = number(take(8)?);
        let tag = number(take(8)?);
        let length = take(1)?[0];
        let resumption = match take(usize::from(length))? {
            [] => None,
            bytes => Some(Resumption::from_bytes(bytes).ok()?),
        };
        let possible = rest.is_empty() && sequence <= limit && limit <= MAX_SEQUENCE;
        possible.then_some(Self {
            side: if flags & SERVER == 0 {
                Side::Client
            } else {
                Side::Server
            },
            suite,
            encrypt_then_mac: flags & ENCRYPT_THEN_MAC != 0,
            read,
            write,
            sequence,
            limit,
            window,
            failed,
            peer_cid,
            own_cid,
            own_cid_in_use: flags & OWN_CID_IN_USE != 0,
            address,
            session,
            tag,
            proven: flags & PROVEN != 0,
            resumption,
        })
    }
}

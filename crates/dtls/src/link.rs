//! The protected half of an association: what seals and opens its records.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use dunlin_coap::Rng;

use crate::keys::WriteKeys;
use crate::protect::{OpenError, Protection};
use crate::record::{ContentType, MAX_SEQUENCE, Record, number};
use crate::replay::ReplayWindow;

/// The only epoch with protection: there is no renegotiation.
pub(crate) const EPOCH: u16 = 1;

/// Keys, counters and the peer's connection ID of an association.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) protection: Protection,
    pub(crate) read: WriteKeys,
    pub(crate) write: WriteKeys,
    pub(crate) window: ReplayWindow,
    /// The sequence number of the next record to send.
    pub(crate) sequence: u64,
    /// Sequence numbers that may not be used any more begin here.
    pub(crate) limit: u64,
    /// Records that did not authenticate.
    pub(crate) failed: u32,
    /// By which the peer wants to be found; empty: no connection ID in the records to it.
    pub(crate) peer_cid: Box<[u8]>,
}

/// What an authentic record carried.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub(crate) content_type: ContentType,
    /// Where the content lies in the buffer it was opened into.
    pub(crate) content: Range<usize>,
    /// Whether no newer record was received before.
    pub(crate) newest: bool,
    pub(crate) sequence: u64,
}

/// Why a record was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// Seen before, or too old to tell.
    Replayed,
    /// A forgery, or damaged.
    NotAuthentic,
    /// Authentic, but nothing that may stand in a record.
    Malformed,
}

/// Whether a record that does not open with the keys of a new handshake may be a late one of the
/// association before, which had the same epoch and perhaps the same connection ID. A Finished that
/// came early comes again.
pub(crate) fn is_stale(record: &Record<'_>, waited: bool) -> bool {
    waited || record.content_type == ContentType::ApplicationData
}

impl Link {
    pub(crate) fn new(
        protection: Protection,
        read: WriteKeys,
        write: WriteKeys,
        peer_cid: Box<[u8]>,
    ) -> Self {
        Self {
            protection,
            read,
            write,
            window: ReplayWindow::new(),
            sequence: 0,
            limit: MAX_SEQUENCE,
            failed: 0,
            peer_cid,
        }
    }

    /// Appends a record to `out`. False when the sequence numbers are used up, or the content is
    /// too long.
    pub(crate) fn seal(
        &mut self,
        content_type: ContentType,
        content: &[u8],
        rng: &mut dyn Rng,
        out: &mut Vec<u8>,
    ) -> bool {
        if self.sequence >= self.limit {
            return false;
        }
        let begin = out.len();
        let length = self
            .protection
            .sealed_length(self.peer_cid.len(), content.len());
        out.resize(begin + length, 0);
        let sealed = self.protection.seal(
            &self.write,
            number(EPOCH, self.sequence),
            &self.peer_cid,
            content_type,
            content,
            rng,
            &mut out[begin..],
        );
        if sealed.is_none() {
            out.truncate(begin);
            return false;
        }
        self.sequence += 1;
        true
    }

    /// Opens a record of [`EPOCH`] behind the end of `out`.
    pub(crate) fn open(
        &mut self,
        record: &Record<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Opened, Dropped> {
        if !self.window.is_new(record.sequence) {
            return Err(Dropped::Replayed);
        }
        let begin = out.len();
        out.resize(begin + record.fragment.len(), 0);
        let opened = self
            .protection
            .open(&self.read, record, &mut out[begin..])
            .map(|(content_type, content)| (content_type, content.len()));
        match opened {
            Ok((content_type, length)) => {
                out.truncate(begin + length);
                let newest = self.window.is_newest(record.sequence);
                self.window.accept(record.sequence);
                Ok(Opened {
                    content_type,
                    content: begin..begin + length,
                    newest,
                    sequence: record.sequence,
                })
            }
            Err(error) => {
                out.truncate(begin);
                Err(match error {
                    OpenError::Authentication => {
                        self.failed = self.failed.saturating_add(1);
                        Dropped::NotAuthentic
                    }
                    OpenError::Length | OpenError::Scratch => Dropped::NotAuthentic,
                    OpenError::TooLong | OpenError::Content => {
                        self.window.accept(record.sequence);
                        Dropped::Malformed
                    }
                })
            }
        }
    }
}

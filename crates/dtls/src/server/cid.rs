//! The connection IDs that a server issues.

use crate::CidFormat;

/// The longest one.
const MAX: usize = 32;

/// Where what stands in a connection ID of this server: prefix, place in the table, random bits of
/// the session, zeros.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    prefix: [u8; MAX],
    prefix_length: usize,
    length: usize,
    slot: usize,
    random: usize,
}

/// A connection ID of this server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cid {
    bytes: [u8; MAX],
    length: usize,
}

impl Cid {
    pub(super) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Whose a connection ID is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// Perhaps of the session in this place.
    Slot(u32),
    /// Of another shard or node.
    Foreign,
}

impl Layout {
    /// `None` when the lengths are out of range.
    pub(super) fn new(format: &CidFormat) -> Option<Self> {
        let rest = format.length.checked_sub(format.prefix.len())?;
        if rest == 0 || format.length > MAX {
            return None;
        }
        let mut prefix = [0; MAX];
        prefix[..format.prefix.len()].copy_from_slice(&format.prefix);
        let slot = rest.min(3);
        Some(Self {
            prefix,
            prefix_length: format.prefix.len(),
            length: format.length,
            slot,
            random: (rest - slot).min(4),
        })
    }

    /// Bytes of each connection ID.
    pub(super) const fn length(&self) -> usize {
        self.length
    }

    /// How many places have a connection ID.
    pub(super) const fn places(&self) -> usize {
        1 << (8 * self.slot)
    }

    pub(super) fn cid(&self, slot: u32, random: u32) -> Cid {
        let mut bytes = self.prefix;
        let at = self.prefix_length;
        bytes[at..at + self.slot].copy_from_slice(&slot.to_be_bytes()[4 - self.slot..]);
        let at = at + self.slot;
        bytes[at..at + self.random].copy_from_slice(&random.to_be_bytes()[..self.random]);
        Cid {
            bytes,
            length: self.length,
        }
    }

    /// Whose it is; it must have the right length.
    pub(super) fn owner(&self, cid: &[u8]) -> Owner {
        let (prefix, rest) = cid.split_at(self.prefix_length.min(cid.len()));
        if prefix != &self.prefix[..self.prefix_length] || rest.len() < self.slot {
            return Owner::Foreign;
        }
        let mut slot = [0; 4];
        slot[4 - self.slot..].copy_from_slice(&rest[..self.slot]);
        Owner::Slot(u32::from_be_bytes(slot))
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;

    #[test]
    fn of_eight_bytes_with_a_prefix() {
        let layout = Layout::new(&CidFormat {
            prefix: vec![0xA1, 0x02],
            length: 8,
        })
        .unwrap();
        let cid = layout.cid(0x0001_0203, 0xDEAD_BEEF);
        assert_eq!(
            cid.as_slice(),
            [0xA1, 0x02, 0x01, 0x02, 0x03, 0xDE, 0xAD, 0xBE]
        );
        assert_eq!(layout.owner(cid.as_slice()), Owner::Slot(0x0001_0203));
        assert_eq!(layout.owner(&[0xA1, 3, 1, 2, 3, 4, 5, 6]), Owner::Foreign);
        assert_eq!(layout.places(), 1 << 24);
    }

    #[test]
    fn of_one_byte_names_256_places() {
        let layout = Layout::new(&CidFormat {
            prefix: vec![],
            length: 1,
        })
        .unwrap();
        assert_eq!(layout.places(), 256);
        assert_eq!(layout.cid(7, 0xDEAD_BEEF).as_slice(), [7]);
    }

    #[test]
    fn lengths_out_of_range_are_refused() {
        for (prefix, length) in [(2, 2), (0, 0), (0, 33), (4, 3)] {
            let prefix = vec![0; prefix];
            assert!(Layout::new(&CidFormat { prefix, length }).is_none());
        }
    }
}

//! The value of Block1 and Block2 (RFC 7959 §2.2).

/// The largest block size exponent over datagrams: 1024 bytes.
pub(super) const LARGEST: u8 = 6;

/// NUM, M and SZX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) number: u32,
    pub(super) more: bool,
    pub(super) exponent: u8,
}

impl Block {
    /// Reads an option value; `None` for the reserved exponent 7 and for too long a value.
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        if value.len() > 3 {
            return None;
        }
        let value = dunlin_coap::uint_value(value)?;
        let exponent = (value & 7) as u8;
        (exponent <= LARGEST).then_some(Self {
            number: value >> 4,
            more: value & 8 != 0,
            exponent,
        })
    }

    pub(super) fn value(self) -> u32 {
        self.number << 4 | u32::from(self.more) << 3 | u32::from(self.exponent)
    }

    /// Bytes of a full block.
    pub(super) fn size(self) -> usize {
        16 << self.exponent
    }

    /// Where the block begins in the body.
    pub(super) fn offset(self) -> usize {
        self.number as usize * self.size()
    }

    /// The block of this size that begins at `offset`; `None` past the last number.
    pub(super) fn at(offset: usize, exponent: u8, more: bool) -> Option<Self> {
        let number = u32::try_from(offset >> (exponent + 4)).ok()?;
        (number < 1 << 20).then_some(Self {
            number,
            more,
            exponent,
        })
    }
}

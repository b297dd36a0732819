//! The presentation language of RFC 5246 §4: numbers and vectors.

use alloc::vec::Vec;

/// Reads a message from its begin; `None` means that it ended too early.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(|&[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().copied().map(u16::from_be_bytes)
    }

    pub(crate) fn u24(&mut self) -> Option<usize> {
        self.array()
            .map(|&[a, b, c]| u32::from_be_bytes([0, a, b, c]) as usize)
    }

    /// A vector whose length stands in one byte.
    pub(crate) fn vec8(&mut self) -> Option<&'a [u8]> {
        let length = self.u8()?;
        self.take(usize::from(length))
    }

    /// A vector whose length stands in two bytes.
    pub(crate) fn vec16(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    /// A vector whose length stands in three bytes.
    pub(crate) fn vec24(&mut self) -> Option<&'a [u8]> {
        let length = self.u24()?;
        self.take(length)
    }

    /// Something when everything was read.
    pub(crate) const fn end(self) -> Option<()> {
        if self.0.is_empty() { Some(()) } else { None }
    }
}

/// The numbers of a list of 16 bit numbers; `None` when it is empty or of odd length.
pub(crate) fn numbers(list: &[u8]) -> Option<impl Iterator<Item = u16> + Clone + '_> {
    let (pairs, rest) = list.as_chunks::<2>();
    (!pairs.is_empty() && rest.is_empty()).then(|| pairs.iter().copied().map(u16::from_be_bytes))
}

pub(crate) fn put_u16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_be_bytes());
}

pub(crate) fn put_u24(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(&(number as u32).to_be_bytes()[1..]);
}

/// Appends what `write` appends, behind its length in `bytes` bytes. The writers see to it that it
/// fits.
pub(crate) fn put_vec(out: &mut Vec<u8>, bytes: usize, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.resize(at + bytes, 0);
    write(out);
    let length = (out.len() - at - bytes) as u32;
    out[at..at + bytes].copy_from_slice(&length.to_be_bytes()[4 - bytes..]);
}

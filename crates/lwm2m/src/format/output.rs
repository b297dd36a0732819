//! A lent buffer that is written from its start and never past its end.

use super::FormatError;

/// Bytes written so far into a lent buffer.
#[derive(Debug)]
pub(crate) struct Output<'b> {
    buffer: &'b mut [u8],
    length: usize,
}

impl<'b> Output<'b> {
    pub(crate) fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// The bytes written so far.
    pub(crate) fn written(&self) -> &[u8] {
        &self.buffer[..self.length]
    }

    #[inline]
    pub(crate) fn push(&mut self, byte: u8) -> Result<(), FormatError> {
        *self
            .buffer
            .get_mut(self.length)
            .ok_or(FormatError::BufferTooSmall)? = byte;
        self.length += 1;
        Ok(())
    }

    #[inline]
    pub(crate) fn extend(&mut self, bytes: &[u8]) -> Result<(), FormatError> {
        self.reserve(bytes.len())?.copy_from_slice(bytes);
        Ok(())
    }

    /// Hands out the next `count` bytes to be filled.
    #[inline]
    pub(crate) fn reserve(&mut self, count: usize) -> Result<&mut [u8], FormatError> {
        let end = self
            .length
            .checked_add(count)
            .ok_or(FormatError::BufferTooSmall)?;
        let room = self
            .buffer
            .get_mut(self.length..end)
            .ok_or(FormatError::BufferTooSmall)?;
        self.length = end;
        Ok(room)
    }

    /// Makes room for `bytes` at `at` by moving what follows.
    pub(crate) fn insert(&mut self, at: usize, bytes: &[u8]) -> Result<(), FormatError> {
        let end = self.length;
        self.reserve(bytes.len())?;
        self.buffer.copy_within(at..end, at + bytes.len());
        self.buffer[at..at + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    /// Replaces the byte at `at`, which must have been written.
    pub(crate) fn set(&mut self, at: usize, byte: u8) {
        self.buffer[at] = byte;
    }
}

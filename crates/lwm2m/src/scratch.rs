//! Short texts on the stack.

use core::fmt;

/// A text of at most `N` bytes that is built with `write!`.
#[derive(Clone, Copy)]
pub(crate) struct Scratch<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Scratch<N> {
    /// The text of `arguments`; `None` when it needs more than `N` bytes.
    pub(crate) fn format(arguments: fmt::Arguments<'_>) -> Option<Self> {
        let mut scratch = Self {
            bytes: [0; N],
            length: 0,
        };
        fmt::Write::write_fmt(&mut scratch, arguments).ok()?;
        Some(scratch)
    }

    /// The bytes written so far.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl<const N: usize> fmt::Write for Scratch<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes
            .get_mut(self.length..end)
            .ok_or(fmt::Error)?
            .copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

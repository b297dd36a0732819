//! Short texts on the stack.

use core::fmt;

/// A text of at most `N` bytes that is built with `write!`.
#[derive(Clone, Copy)]
pub(crate) struct Scratch<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Scratch<N> {
    /// No text.
    pub(crate) const EMPTY: Self = Self {
        bytes: [0; N],
        length: 0,
    };

    /// The text of `arguments`; `None` when it needs more than `N` bytes.
    pub(crate) fn format(arguments: fmt::Arguments<'_>) -> Option<Self> {
        let mut scratch = Self::EMPTY;
        scratch.put(arguments).then_some(scratch)
    }

    /// Adds a text; `false` when not all of it fits.
    pub(crate) fn put(&mut self, arguments: fmt::Arguments<'_>) -> bool {
        fmt::Write::write_fmt(self, arguments).is_ok()
    }

    /// The bytes written so far.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// The text written so far.
    pub(crate) fn as_str(&self) -> &str {
        // Only whole texts are written.
        str::from_utf8(self.as_bytes()).unwrap_or_default()
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

//! The state that outlives a reboot, as bytes. A record that cannot be read counts as none.

use heapless::Vec;

use super::MAX_STATE;

/// Writes values one behind the other; text and bytes with their length before them.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8, MAX_STATE>);

impl Writer {
    pub(crate) fn byte(&mut self, byte: u8) {
        // The longest record has room: a URI of 255 bytes, three short texts, a few numbers.
        let _ = self.0.push(byte);
    }

    pub(crate) fn number(&mut self, number: u32) {
        let _ = self.0.extend_from_slice(&number.to_be_bytes());
    }

    /// `None` is the lowest number, which is no time.
    pub(crate) fn time(&mut self, time: Option<i64>) {
        let _ = self
            .0
            .extend_from_slice(&time.unwrap_or(i64::MIN).to_be_bytes());
    }

    /// At most 255 bytes; more are left out.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(..255).unwrap_or(bytes);
        self.byte(bytes.len() as u8);
        let _ = self.0.extend_from_slice(bytes);
    }

    pub(crate) fn finish(&self) -> &[u8] {
        &self.0
    }
}

/// Reads what [`Writer`] wrote.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    pub(crate) fn number(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn time(&mut self) -> Option<Option<i64>> {
        let time = self.array().map(i64::from_be_bytes)?;
        Some((time != i64::MIN).then_some(time))
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.byte()?;
        let (bytes, rest) = self.0.split_at_checked(usize::from(length))?;
        self.0 = rest;
        Some(bytes)
    }

    pub(crate) fn text(&mut self) -> Option<&'a str> {
        core::str::from_utf8(self.bytes()?).ok()
    }
}

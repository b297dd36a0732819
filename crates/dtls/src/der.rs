//! DER (X.690 §10): a reader of tags and lengths that lends what it reads. Only the definite,
//! shortest length is taken, and only tags below 31, which is all that X.509 and its keys use.

/// `BOOLEAN`.
pub(crate) const BOOLEAN: u8 = 0x01;
/// `INTEGER`.
pub(crate) const INTEGER: u8 = 0x02;
/// `SEQUENCE`.
pub(crate) const SEQUENCE: u8 = 0x30;
/// `OBJECT IDENTIFIER`.
pub(crate) const OID: u8 = 0x06;
/// `BIT STRING`.
pub(crate) const BIT_STRING: u8 = 0x03;
/// `OCTET STRING`.
pub(crate) const OCTET_STRING: u8 = 0x04;
/// `UTF8String`.
pub(crate) const UTF8_STRING: u8 = 0x0C;
/// `SET`.
pub(crate) const SET: u8 = 0x31;
/// `UTCTime`.
pub(crate) const UTC_TIME: u8 = 0x17;
/// `GeneralizedTime`.
pub(crate) const GENERALIZED_TIME: u8 = 0x18;

/// Reads the elements of `bytes` one by one.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The tag of the next element.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    /// The next element: its tag and its contents.
    pub(crate) fn element(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], rest) = self.bytes.split_first_chunk()?;
        if tag & 0x1F == 0x1F {
            return None;
        }
        let (length, rest) = match first {
            0..=0x7F => (usize::from(first), rest),
            0x81 => {
                let (&length, rest) = rest.split_first()?;
                (usize::from(length), rest)
            }
            0x82 => {
                let (length, rest) = rest.split_first_chunk()?;
                (usize::from(u16::from_be_bytes(*length)), rest)
            }
            // 64 KiB and more: nothing that a handshake message of DTLS carries here.
            _ => return None,
        };
        let shortest = match first {
            0x81 => length >= 0x80,
            0x82 => length >= 0x100,
            _ => true,
        };
        if !shortest {
            return None;
        }
        let (contents, rest) = rest.split_at_checked(length)?;
        self.bytes = rest;
        Some((tag, contents))
    }

    /// The contents of the next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.peek() != Some(tag) {
            return None;
        }
        self.element().map(|(_, contents)| contents)
    }

    /// As [`Reader::expect`], when the next element has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Option<Option<&'a [u8]>> {
        if self.peek() != Some(tag) {
            return Some(None);
        }
        self.expect(tag).map(Some)
    }

    /// The next element with its tag and length, which must have this tag.
    pub(crate) fn expect_whole(&mut self, tag: u8) -> Option<&'a [u8]> {
        let before = self.bytes;
        self.expect(tag)?;
        before.get(..before.len() - self.bytes.len())
    }

    /// Nothing may follow.
    pub(crate) fn end(self) -> Option<()> {
        self.is_empty().then_some(())
    }
}

/// The contents of the only element in `bytes`, which must have this tag.
pub(crate) fn only(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let mut reader = Reader::new(bytes);
    let contents = reader.expect(tag)?;
    reader.end()?;
    Some(contents)
}

/// The bytes of a `BIT STRING` of whole bytes.
pub(crate) fn bit_string_bytes(contents: &[u8]) -> Option<&[u8]> {
    match contents.split_first() {
        Some((0, bytes)) => Some(bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_must_be_definite_and_shortest() {
        assert_eq!(only(&[0x30, 2, 5, 0], SEQUENCE), Some(&[5, 0][..]));
        for bytes in [
            &[0x30, 0x80, 5, 0, 0, 0][..],
            &[0x30, 0x81, 2, 5, 0],
            &[0x30, 0x82, 0, 2, 5, 0],
            &[0x30, 0x83, 0, 0, 2, 5, 0],
            &[0x30, 3, 5, 0],
            &[0x30],
            &[],
            &[0x3F, 0x20, 0],
        ] {
            assert_eq!(only(bytes, SEQUENCE), None, "{bytes:?}");
        }
        let mut long = alloc::vec![0x30, 0x81, 0x80];
        long.extend([0; 0x80]);
        assert_eq!(only(&long, SEQUENCE).map(<[u8]>::len), Some(0x80));
    }

    #[test]
    fn nothing_may_follow_the_only_element() {
        assert_eq!(only(&[0x30, 0, 0], SEQUENCE), None);
    }
}

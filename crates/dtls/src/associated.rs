//! What a record authenticates besides its content.

use crate::record::{ContentType, VERSION};

/// Additional data of authenticated encryption, or what a MAC covers first: at most the fields of
/// RFC 9146 §5 with the longest connection identifier.
pub(crate) struct Associated {
    bytes: [u8; Self::MAX],
    length: usize,
}

impl Associated {
    const MAX: usize = 23 + 255;

    /// For a record of `content_type` as its header has it; `length` is that of what is protected.
    ///
    /// Without connection identifier: number, type, version, length (RFC 5246 §6.2.3.1 and
    /// §6.2.3.3). With one the type says so twice around its length, and eight bytes that are no
    /// sequence number stand first, so that neither is ever taken for the other (RFC 9146 §5.1 to
    /// §5.3).
    ///
    /// The number of bytes depends on the connection identifier only, and nothing here branches
    /// on `length`, which may be secret.
    pub(crate) fn new(content_type: ContentType, number: u64, cid: &[u8], length: usize) -> Self {
        let mut associated = Self {
            bytes: [0; Self::MAX],
            length: 0,
        };
        if content_type == ContentType::Tls12Cid {
            associated.push(&[0xff; 8]);
            associated.push(&[content_type.code(), cid.len() as u8, content_type.code()]);
            associated.push(&VERSION.to_be_bytes());
            associated.push(&number.to_be_bytes());
            associated.push(cid);
        } else {
            associated.push(&number.to_be_bytes());
            associated.push(&[content_type.code()]);
            associated.push(&VERSION.to_be_bytes());
        }
        associated.push(&(length as u16).to_be_bytes());
        associated
    }

    /// Appends; callers bound the connection identifier, so all of it fits.
    fn push(&mut self, bytes: &[u8]) {
        if let Some(place) = self.bytes.get_mut(self.length..self.length + bytes.len()) {
            place.copy_from_slice(bytes);
            self.length += bytes.len();
        }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

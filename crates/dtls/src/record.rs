//! Record headers: DTLSPlaintext and DTLSCiphertext of RFC 6347 §4.1, and the record with a
//! connection identifier of RFC 9146 §4.

/// The version of every record but the first ClientHello's: DTLS 1.2, `{254, 253}`.
pub const VERSION: u16 = 0xFEFD;

/// The version that may stand on a ClientHello and a HelloVerifyRequest: DTLS 1.0,
/// `{254, 255}` (RFC 6347 §4.2.1).
pub const VERSION_1_0: u16 = 0xFEFF;

/// Bytes of a header without connection identifier.
pub const HEADER_LENGTH: usize = 13;

/// The longest plaintext (RFC 5246 §6.2.1).
pub const MAX_PLAINTEXT: usize = 1 << 14;

/// The longest protected fragment (RFC 5246 §6.2.3).
pub const MAX_FRAGMENT: usize = MAX_PLAINTEXT + 2048;

/// The largest sequence number: 48 bits.
pub const MAX_SEQUENCE: u64 = (1 << 48) - 1;

/// The content types that a record may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ContentType {
    /// The one message, 1, after which the sender's keys are in use (RFC 5246 §7.1).
    ChangeCipherSpec = 20,
    /// RFC 5246 §7.2.
    Alert = 21,
    /// RFC 6347 §4.2.2.
    Handshake = 22,
    /// What the application says.
    ApplicationData = 23,
    /// A protected record with a connection identifier; what it carries stands inside
    /// (RFC 9146 §3).
    Tls12Cid = 25,
}

impl ContentType {
    /// The type of this number; `None` when the profile has none.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            20 => Some(Self::ChangeCipherSpec),
            21 => Some(Self::Alert),
            22 => Some(Self::Handshake),
            23 => Some(Self::ApplicationData),
            25 => Some(Self::Tls12Cid),
            _ => None,
        }
    }

    /// The number on the wire.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// A record as it lies in its datagram; nothing of it is authenticated yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// As it stands in the header: for a record with connection identifier not what it carries.
    pub content_type: ContentType,
    /// `{254, 253}` or, on first messages, `{254, 255}`.
    pub version: u16,
    /// 0 in the clear, 1 protected by the first keys.
    pub epoch: u16,
    /// At most [`MAX_SEQUENCE`].
    pub sequence: u64,
    /// Ours, as the peer gave it back; empty in a record without.
    pub cid: &'a [u8],
    /// The payload, protected in every epoch but 0.
    pub fragment: &'a [u8],
}

impl Record<'_> {
    /// Epoch and sequence number as one number, as they enter nonce and MAC.
    pub const fn number(&self) -> u64 {
        number(self.epoch, self.sequence)
    }
}

/// Epoch and sequence number as one number: 16 and 48 bits (RFC 6347 §4.1.2.1).
pub const fn number(epoch: u16, sequence: u64) -> u64 {
    (epoch as u64) << 48 | (sequence & MAX_SEQUENCE)
}

/// Why the rest of a datagram was no record: all of it is dropped (RFC 6347 §4.1.2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Malformed {
    /// It ends before its header or its fragment does.
    Truncated,
    /// A content type that the profile does not have.
    ContentType,
    /// Neither DTLS 1.2 nor, where it may stand, DTLS 1.0.
    Version,
    /// Longer than a fragment may be.
    TooLong,
    /// A connection identifier in the clear: epoch 0 has none (RFC 9146 §3), or we gave none.
    ConnectionId,
}

/// The records of a datagram, one after the other (RFC 6347 §4.1.1: there may be several).
///
/// The length of a connection identifier does not stand in the record: all that we give have
/// `cid_length` bytes. After the first malformed record nothing more comes, since nothing says
/// where a next one would begin.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    cid_length: usize,
}

impl<'a> Records<'a> {
    /// The records of `datagram`, for a receiver whose connection identifiers have `cid_length`
    /// bytes (0 when it gives none).
    pub const fn new(datagram: &'a [u8], cid_length: usize) -> Self {
        Self {
            rest: datagram,
            cid_length,
        }
    }

    fn read(&self) -> Result<(Record<'a>, &'a [u8]), Malformed> {
        let (&[content_type, version @ ..], rest) = self
            .rest
            .split_first_chunk::<3>()
            .ok_or(Malformed::Truncated)?;
        let content_type = ContentType::from_code(content_type).ok_or(Malformed::ContentType)?;
        let version = u16::from_be_bytes(version);
        let (&number, rest) = rest.split_first_chunk::<8>().ok_or(Malformed::Truncated)?;
        let number = u64::from_be_bytes(number);
        let epoch = (number >> 48) as u16;
        let (cid, rest) = if content_type == ContentType::Tls12Cid {
            if epoch == 0 || self.cid_length == 0 {
                return Err(Malformed::ConnectionId);
            }
            rest.split_at_checked(self.cid_length)
                .ok_or(Malformed::Truncated)?
        } else {
            (&[][..], rest)
        };
        if version != VERSION && (version != VERSION_1_0 || epoch != 0) {
            return Err(Malformed::Version);
        }
        let (&length, rest) = rest.split_first_chunk::<2>().ok_or(Malformed::Truncated)?;
        let length = usize::from(u16::from_be_bytes(length));
        let limit = if epoch == 0 {
            MAX_PLAINTEXT
        } else {
            MAX_FRAGMENT
        };
        if length > limit {
            return Err(Malformed::TooLong);
        }
        let (fragment, rest) = rest.split_at_checked(length).ok_or(Malformed::Truncated)?;
        let record = Record {
            content_type,
            version,
            epoch,
            sequence: number & MAX_SEQUENCE,
            cid,
            fragment,
        };
        Ok((record, rest))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let read = self.read();
        self.rest = match &read {
            Ok((_, rest)) => rest,
            Err(_) => &[],
        };
        Some(read.map(|(record, _)| record))
    }
}

/// The connection identifier that a datagram begins with; `None` when its first record has none
/// or it is too short. Which session a datagram is for is decided by it (RFC 9146 §3).
pub fn leading_cid(datagram: &[u8], cid_length: usize) -> Option<&[u8]> {
    if cid_length == 0 || datagram.first() != Some(&ContentType::Tls12Cid.code()) {
        return None;
    }
    datagram.get(11..11 + cid_length)
}

/// Writes a header; `cid` is empty for a record without. Returns its length; `None` when `out`
/// is too small or `length` does not fit into 16 bits.
pub fn write_header(
    out: &mut [u8],
    content_type: ContentType,
    version: u16,
    number: u64,
    cid: &[u8],
    length: usize,
) -> Option<usize> {
    let size = HEADER_LENGTH + cid.len();
    let length = u16::try_from(length).ok()?;
    let header = out.get_mut(..size)?;
    header[0] = content_type.code();
    header[1..3].copy_from_slice(&version.to_be_bytes());
    header[3..11].copy_from_slice(&number.to_be_bytes());
    header[11..11 + cid.len()].copy_from_slice(cid);
    header[11 + cid.len()..].copy_from_slice(&length.to_be_bytes());
    Some(size)
}

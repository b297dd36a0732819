//! Base64 (RFC 4648) into lent buffers.
//!
//! ```
//! use dunlin_lwm2m::base64::{self, Alphabet};
//! let mut text = [0; 8];
//! let length = base64::encode(&[1, 2, 3, 4, 5], Alphabet::Standard, true, &mut text).unwrap();
//! assert_eq!(&text[..length], b"AQIDBAU=");
//! let mut bytes = [0; 6];
//! assert_eq!(base64::decode(b"AQIDBAU", &mut bytes), Ok(5));
//! ```

use core::fmt;

/// The two characters for 62 and 63.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// `+` and `/` (RFC 4648 §4).
    Standard,
    /// `-` and `_` (RFC 4648 §5).
    Url,
}

/// Why a text could not be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base64Error {
    /// A character outside both alphabets, wrong padding, an impossible length, or bits set that
    /// do not belong to a byte; with the offset of the character.
    Invalid(usize),
    /// The output does not fit.
    TooLong,
}

impl fmt::Display for Base64Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(at) => write!(f, "not base64 (at character {at})"),
            Self::TooLong => f.write_str("the decoded bytes do not fit the buffer"),
        }
    }
}

impl core::error::Error for Base64Error {}

/// How many characters `length` bytes take. Saturates at `usize::MAX`.
pub const fn encoded_length(length: usize, padded: bool) -> usize {
    let whole = (length / 3).saturating_mul(4);
    whole.saturating_add(match (length % 3, padded) {
        (0, _) => 0,
        (_, true) => 4,
        (rest, false) => rest + 1,
    })
}

/// Writes `bytes` as base64 and returns how many characters that took; `None` when `text` is
/// shorter than [`encoded_length`].
pub fn encode(bytes: &[u8], alphabet: Alphabet, padded: bool, text: &mut [u8]) -> Option<usize> {
    let length = encoded_length(bytes.len(), padded);
    let text = text.get_mut(..length)?;
    for (group, characters) in bytes.chunks(3).zip(text.chunks_mut(4)) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for (index, character) in characters.iter_mut().enumerate() {
            *character = if index <= group.len() {
                character_of((bits >> (18 - 6 * index) & 63) as u8, alphabet)
            } else {
                b'='
            };
        }
    }
    Some(length)
}

const fn character_of(six: u8, alphabet: Alphabet) -> u8 {
    match (six, alphabet) {
        (0..=25, _) => b'A' + six,
        (26..=51, _) => b'a' + (six - 26),
        (52..=61, _) => b'0' + (six - 52),
        (62, Alphabet::Standard) => b'+',
        (62, Alphabet::Url) => b'-',
        (_, Alphabet::Standard) => b'/',
        (_, Alphabet::Url) => b'_',
    }
}

const fn six_of(character: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character - b'A'),
        b'a'..=b'z' => Some(character - b'a' + 26),
        b'0'..=b'9' => Some(character - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

/// Takes characters, gives bytes.
#[derive(Default)]
struct Decoder {
    bits: u32,
    count: usize,
}

impl Decoder {
    fn push(&mut self, character: u8) -> Result<Option<u8>, Base64Error> {
        let six = six_of(character).ok_or(Base64Error::Invalid(self.count))?;
        self.bits = self.bits << 6 | u32::from(six);
        let phase = self.count % 4;
        self.count += 1;
        Ok((phase != 0).then_some((self.bits >> (6 - 2 * phase)) as u8))
    }

    /// One character alone is no byte, and what is left over must be zero.
    fn finish(&self) -> Result<(), Base64Error> {
        let left_over = match self.count % 4 {
            0 => 0,
            2 => self.bits & 0x0F,
            3 => self.bits & 0x03,
            _ => 1,
        };
        match left_over {
            0 => Ok(()),
            _ => Err(Base64Error::Invalid(self.count.saturating_sub(1))),
        }
    }
}

/// The length without padding.
fn unpadded_length(text: &[u8]) -> Result<usize, Base64Error> {
    let pads = text.iter().rev().take_while(|&&byte| byte == b'=').count();
    let length = text.len() - pads;
    match (pads, text.len() % 4) {
        (0, _) | (1 | 2, 0) => Ok(length),
        _ => Err(Base64Error::Invalid(length)),
    }
}

/// Decodes `text` into `bytes` and returns how many bytes there are.
///
/// Both alphabets are read; padding may be there or not, but when there it must be complete. Line
/// breaks are not allowed.
pub fn decode(text: &[u8], bytes: &mut [u8]) -> Result<usize, Base64Error> {
    let mut decoder = Decoder::default();
    let mut written = 0;
    for &character in &text[..unpadded_length(text)?] {
        if let Some(byte) = decoder.push(character)? {
            *bytes.get_mut(written).ok_or(Base64Error::TooLong)? = byte;
            written += 1;
        }
    }
    decoder.finish()?;
    Ok(written)
}

/// As [`decode`], but over the text itself: the bytes then stand at its start.
pub fn decode_in_place(text: &mut [u8]) -> Result<usize, Base64Error> {
    let mut decoder = Decoder::default();
    let mut written = 0;
    for index in 0..unpadded_length(text)? {
        if let Some(byte) = decoder.push(text[index])? {
            text[written] = byte;
            written += 1;
        }
    }
    decoder.finish()?;
    Ok(written)
}

//! The message: a borrowing view, and a writer into a lent buffer (RFC 7252 §3, RFC 8974).

use core::fmt;

use crate::{Code, OptionNumber, uint_value};

/// Message type (RFC 7252 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Type {
    /// CON: wants an acknowledgement.
    Confirmable = 0,
    /// NON: wants none.
    NonConfirmable = 1,
    /// ACK: acknowledges a CON, may carry its response.
    Acknowledgement = 2,
    /// RST: the message could not be processed.
    Reset = 3,
}

/// An own token of up to eight bytes, kept by value.
///
/// A peer's token may be longer (RFC 8974); it is borrowed from the message and never stored in
/// this type.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    length: u8,
    bytes: [u8; 8],
}

impl Token {
    /// The token without bytes.
    pub const EMPTY: Self = Self {
        length: 0,
        bytes: [0; 8],
    };

    /// A token of the given bytes; `None` when there are more than eight.
    pub fn new(token: &[u8]) -> Option<Self> {
        let mut bytes = [0; 8];
        bytes.get_mut(..token.len())?.copy_from_slice(token);
        Some(Self {
            length: token.len() as u8,
            bytes,
        })
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl From<[u8; 8]> for Token {
    fn from(bytes: [u8; 8]) -> Self {
        Self { length: 8, bytes }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.as_bytes() {
            write!(f, "{byte:02X}")?;
        }
        Ok(())
    }
}

/// Why a datagram is not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageError {
    /// Fewer than four bytes: ignore silently.
    TooShort,
    /// Version is not 1: ignore silently (RFC 7252 §3).
    UnknownVersion,
    /// A format error behind an intact header: a CON is answered with RST, the rest is ignored
    /// (RFC 7252 §4.2, §4.3).
    Format {
        /// Type in the header.
        ty: Type,
        /// Message ID in the header.
        message_id: u16,
    },
}

/// A borrowed, well-formed message.
///
/// ```
/// use dunlin_coap::{Code, Message, OptionNumber, Type};
/// let bytes = [0x42, 0x01, 0x12, 0x34, 0xAB, 0xCD, 0xB1, 0x33, 0x01, 0x30, 0x01, 0x39];
/// let message = Message::parse(&bytes).unwrap();
/// assert_eq!((message.ty, message.code), (Type::Confirmable, Code::GET));
/// assert_eq!(message.message_id, 0x1234);
/// let path: Vec<&[u8]> = message.values(OptionNumber::URI_PATH).collect();
/// assert_eq!(path, [b"3", b"0", b"9"]);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Type.
    pub ty: Type,
    /// Code.
    pub code: Code,
    /// Message ID.
    pub message_id: u16,
    /// Token, 0 to 65 804 bytes (RFC 8974).
    pub token: &'a [u8],
    options: &'a [u8],
    /// Payload, empty when there is none.
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// Checks and splits a datagram. Every option's framing is checked; option values are not
    /// (see [`Message::first_unacceptable_option`]).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, MessageError> {
        let &[first, code, id_high, id_low, ref rest @ ..] = bytes else {
            return Err(MessageError::TooShort);
        };
        if first >> 6 != 1 {
            return Err(MessageError::UnknownVersion);
        }
        let ty = match first >> 4 & 0x03 {
            0 => Type::Confirmable,
            1 => Type::NonConfirmable,
            2 => Type::Acknowledgement,
            _ => Type::Reset,
        };
        let message_id = u16::from_be_bytes([id_high, id_low]);
        let error = MessageError::Format { ty, message_id };
        let code = Code(code);
        if code == Code::EMPTY && (first & 0x0F != 0 || !rest.is_empty()) {
            return Err(error);
        }
        let (token_length, rest) = match (first & 0x0F, rest) {
            // RFC 8974 §2.1 takes 9 to 12 from what RFC 7252 §3 had reserved.
            (length @ 0..=12, rest) => (usize::from(length), rest),
            (13, [length, rest @ ..]) => (usize::from(*length) + 13, rest),
            (14, [high, low, rest @ ..]) => {
                (usize::from(u16::from_be_bytes([*high, *low])) + 269, rest)
            }
            _ => return Err(error),
        };
        let (token, rest) = rest.split_at_checked(token_length).ok_or(error)?;
        let mut iter = OptionIter { rest, number: 0 };
        loop {
            match iter.step() {
                Step::Option(_) => {}
                Step::End => {
                    return Ok(Self {
                        ty,
                        code,
                        message_id,
                        token,
                        options: rest,
                        payload: &[],
                    });
                }
                Step::Payload(payload) => {
                    let options = &rest[..rest.len() - payload.len() - 1];
                    return Ok(Self {
                        ty,
                        code,
                        message_id,
                        token,
                        options,
                        payload,
                    });
                }
                Step::Malformed => return Err(error),
            }
        }
    }

    /// The options in ascending order.
    pub fn options(&self) -> OptionIter<'a> {
        OptionIter {
            rest: self.options,
            number: 0,
        }
    }

    /// The values of every occurrence of an option, but for those whose length is outside the
    /// option's range: they count as unknown (RFC 7252 §5.4.3).
    pub fn values(&self, number: OptionNumber) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        self.options()
            .filter(move |option| option.number == number && option.is_length_legal())
            .map(|option| option.value)
    }

    /// The value of the first occurrence of an option.
    pub fn value(&self, number: OptionNumber) -> Option<&'a [u8]> {
        self.values(number).next()
    }

    /// The value of the first occurrence of a uint option.
    pub fn uint(&self, number: OptionNumber) -> Option<u32> {
        self.value(number).and_then(uint_value)
    }

    /// Content-Format, absent when there is none (absent is not 0).
    pub fn content_format(&self) -> Option<u16> {
        self.uint(OptionNumber::CONTENT_FORMAT)
            .and_then(|format| u16::try_from(format).ok())
    }

    /// Accept.
    pub fn accept(&self) -> Option<u16> {
        self.uint(OptionNumber::ACCEPT)
            .and_then(|format| u16::try_from(format).ok())
    }

    /// Observe: its low 24 bits.
    pub fn observe(&self) -> Option<u32> {
        self.uint(OptionNumber::OBSERVE)
    }

    /// The first option that makes the message unacceptable: a critical one that `understands`
    /// denies, or a critical one whose value has an illegal length, whose string is not UTF-8,
    /// that occurs more often than allowed, or a path segment `.` or `..` (RFC 7252 §5.10.1). Elective options of that kind are to be ignored and
    /// are not reported (RFC 7252 §5.4.1, §5.4.3, §5.4.5).
    pub fn first_unacceptable_option(
        &self,
        understands: impl Fn(OptionNumber) -> bool,
    ) -> Option<OptionNumber> {
        let mut previous = None;
        for option in self.options() {
            let number = option.number;
            let surplus = previous == Some(number);
            previous = Some(number);
            if number.is_critical() && !(understands(number) && option.is_legal(surplus)) {
                return Some(number);
            }
        }
        None
    }
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} {:?} id {:04X} token ",
            self.ty, self.code, self.message_id
        )?;
        for byte in self.token {
            write!(f, "{byte:02X}")?;
        }
        for option in self.options() {
            write!(f, ", {:?}", option)?;
        }
        write!(f, ", {} bytes", self.payload.len())
    }
}

/// One option of a message.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct OptionRef<'a> {
    /// Number.
    pub number: OptionNumber,
    /// Value.
    pub value: &'a [u8],
}

impl OptionRef<'_> {
    fn is_legal(&self, surplus: bool) -> bool {
        let Some((format, _, _, repeatable)) = self.number.rule() else {
            return true;
        };
        (repeatable || !surplus)
            && self.is_length_legal()
            && (format != crate::Format::String || core::str::from_utf8(self.value).is_ok())
            && !(self.number == OptionNumber::URI_PATH && matches!(self.value, b"." | b".."))
    }

    fn is_length_legal(&self) -> bool {
        self.number.rule().is_none_or(|(_, min, max, _)| {
            (usize::from(min)..=usize::from(max)).contains(&self.value.len())
        })
    }
}

impl fmt::Debug for OptionRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.number.name())?;
        match (self.number.rule(), core::str::from_utf8(self.value)) {
            (Some((crate::Format::String, ..)), Ok(text)) => write!(f, "{text:?}"),
            (Some((crate::Format::Uint, ..)), _) => {
                write!(f, "{}", uint_value(self.value).unwrap_or(u32::MAX))
            }
            _ => self
                .value
                .iter()
                .try_for_each(|byte| write!(f, "{byte:02X}")),
        }
    }
}

/// Iterates over the options of a message whose framing has been checked.
#[derive(Clone, Debug)]
pub struct OptionIter<'a> {
    rest: &'a [u8],
    number: u16,
}

enum Step<'a> {
    Option(OptionRef<'a>),
    Payload(&'a [u8]),
    End,
    Malformed,
}

impl<'a> OptionIter<'a> {
    fn step(&mut self) -> Step<'a> {
        let Some((&head, rest)) = self.rest.split_first() else {
            return Step::End;
        };
        if head == 0xFF {
            // A marker that nothing follows is a format error (RFC 7252 §3).
            return if rest.is_empty() {
                Step::Malformed
            } else {
                Step::Payload(rest)
            };
        }
        self.take(head, rest).map_or(Step::Malformed, Step::Option)
    }

    fn take(&mut self, head: u8, rest: &'a [u8]) -> Option<OptionRef<'a>> {
        let (delta, rest) = extended(head >> 4, rest)?;
        let (length, rest) = extended(head & 0x0F, rest)?;
        let number = u16::try_from(u32::from(self.number) + delta).ok()?;
        let (value, rest) = rest.split_at_checked(length as usize)?;
        self.number = number;
        self.rest = rest;
        Some(OptionRef {
            number: OptionNumber(number),
            value,
        })
    }
}

fn extended(nibble: u8, rest: &[u8]) -> Option<(u32, &[u8])> {
    match (nibble, rest) {
        (0..=12, _) => Some((u32::from(nibble), rest)),
        (13, [byte, rest @ ..]) => Some((u32::from(*byte) + 13, rest)),
        (14, [high, low, rest @ ..]) => {
            Some((u32::from(u16::from_be_bytes([*high, *low])) + 269, rest))
        }
        _ => None,
    }
}

impl<'a> Iterator for OptionIter<'a> {
    type Item = OptionRef<'a>;

    fn next(&mut self) -> Option<OptionRef<'a>> {
        match self.step() {
            Step::Option(option) => Some(option),
            Step::End | Step::Payload(_) | Step::Malformed => None,
        }
    }
}

/// Why a message could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The lent buffer is too small.
    BufferTooSmall,
    /// Options must be written in ascending order of their numbers.
    OptionOrder,
    /// A token or an option value is longer than the format can say.
    TooLong,
    /// A text has a character that has no place there.
    IllegalCharacter,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BufferTooSmall => "the buffer is too small for the message",
            Self::OptionOrder => "options must be written in ascending order",
            Self::TooLong => "a token or an option value is too long",
            Self::IllegalCharacter => "the text has a character that has no place there",
        })
    }
}

impl core::error::Error for WriteError {}

/// Writes a message into a lent buffer: header and token first, options in ascending order, then
/// the payload.
///
/// Methods chain; the first error sticks and comes out of [`MessageWriter::finish`].
///
/// ```
/// use dunlin_coap::{Code, MessageWriter, OptionNumber, Type};
/// let mut buffer = [0; 64];
/// let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, Code::GET, 1, b"\x02");
/// writer.option(OptionNumber::URI_PATH, b"3").option(OptionNumber::URI_PATH, b"0");
/// let length = writer.finish().unwrap();
/// assert_eq!(&buffer[..length], [0x41, 0x01, 0x00, 0x01, 0x02, 0xB1, 0x33, 0x01, 0x30]);
/// ```
#[derive(Debug)]
pub struct MessageWriter<'b> {
    buffer: &'b mut [u8],
    length: usize,
    number: u16,
    error: Option<WriteError>,
}

impl<'b> MessageWriter<'b> {
    /// Writes header and token.
    pub fn new(buffer: &'b mut [u8], ty: Type, code: Code, message_id: u16, token: &[u8]) -> Self {
        let mut writer = Self {
            buffer,
            length: 0,
            number: 0,
            error: None,
        };
        let (nibble, extension, extension_length) = match token.len() {
            length @ 0..=12 => (length as u8, [0; 2], 0),
            length @ 13..=268 => (13, [(length - 13) as u8, 0], 1),
            length @ 269..=65_804 => (14, ((length - 269) as u16).to_be_bytes(), 2),
            _ => {
                writer.error = Some(WriteError::TooLong);
                return writer;
            }
        };
        let [id_high, id_low] = message_id.to_be_bytes();
        writer.put(&[0x40 | (ty as u8) << 4 | nibble, code.0, id_high, id_low]);
        writer.put(&extension[..extension_length]);
        writer.put(token);
        writer
    }

    /// An Empty message: ping (CON), acknowledgement or reset.
    pub fn empty(buffer: &'b mut [u8], ty: Type, message_id: u16) -> Self {
        Self::new(buffer, ty, Code::EMPTY, message_id, &[])
    }

    /// Adds an option.
    pub fn option(&mut self, number: OptionNumber, value: &[u8]) -> &mut Self {
        let Some(delta) = number.0.checked_sub(self.number) else {
            self.error.get_or_insert(WriteError::OptionOrder);
            return self;
        };
        let (delta_nibble, delta_bytes, delta_length) = nibble(usize::from(delta));
        if value.len() > 65_804 {
            self.error.get_or_insert(WriteError::TooLong);
            return self;
        }
        let (length_nibble, length_bytes, length_length) = nibble(value.len());
        self.put(&[delta_nibble << 4 | length_nibble]);
        self.put(&delta_bytes[..delta_length]);
        self.put(&length_bytes[..length_length]);
        self.put(value);
        self.number = number.0;
        self
    }

    /// Adds a uint option in its minimal length.
    pub fn uint(&mut self, number: OptionNumber, value: u32) -> &mut Self {
        let bytes = value.to_be_bytes();
        let skip = value.leading_zeros() as usize / 8;
        self.option(number, &bytes[skip..])
    }

    /// Adds the payload; an empty one adds nothing.
    pub fn payload(&mut self, payload: &[u8]) -> &mut Self {
        if !payload.is_empty() {
            self.put(&[0xFF]);
            self.put(payload);
        }
        self
    }

    /// Lets `write` fill the rest of the buffer and say how many bytes of payload it wrote; no
    /// marker is left behind when it wrote none. `write` may fail with an error of its own, which
    /// comes back; nothing is added then.
    pub fn payload_with<E>(
        &mut self,
        write: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<(), E> {
        let start = (self.length + 1).min(self.buffer.len());
        let written = write(&mut self.buffer[start..])?;
        if written > 0 && self.error.is_none() {
            if self.length + 1 + written > self.buffer.len() {
                self.error = Some(WriteError::BufferTooSmall);
            } else {
                self.buffer[self.length] = 0xFF;
                self.length += 1 + written;
            }
        }
        Ok(())
    }

    /// Bytes of payload that still fit.
    pub fn remaining(&self) -> usize {
        self.buffer.len().saturating_sub(self.length + 1)
    }

    /// The length of the message in bytes, or the first error.
    pub fn finish(&self) -> Result<usize, WriteError> {
        self.error.map_or(Ok(self.length), Err)
    }

    fn put(&mut self, bytes: &[u8]) {
        if self.error.is_some() {
            return;
        }
        match self.buffer.get_mut(self.length..self.length + bytes.len()) {
            Some(space) => {
                space.copy_from_slice(bytes);
                self.length += bytes.len();
            }
            None => self.error = Some(WriteError::BufferTooSmall),
        }
    }
}

fn nibble(value: usize) -> (u8, [u8; 2], usize) {
    match value {
        0..=12 => (value as u8, [0; 2], 0),
        13..=268 => (13, [(value - 13) as u8, 0], 1),
        _ => (14, ((value - 269) as u16).to_be_bytes(), 2),
    }
}

#[cfg(test)]
mod tests;

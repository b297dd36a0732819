//! CBOR data items (RFC 8949), as far as LwM2M needs them: read without recursion and without a
//! heap, definite and indefinite, and written in preferred serialization.

use super::number::{Number, decimal_fraction};
use super::output::Output;
use super::timestamp;
use super::{FormatError, number};
use crate::{DataType, ObjectLink, Value};

/// Major types (RFC 8949 §3.1).
pub(super) const UNSIGNED: u8 = 0;
pub(super) const NEGATIVE: u8 = 1;
pub(super) const BYTES: u8 = 2;
pub(super) const TEXT: u8 = 3;
pub(super) const ARRAY: u8 = 4;
pub(super) const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;

const BREAK: u8 = 0xFF;
/// The item null.
pub(super) const NULL: u8 = 0xF6;

/// How deep items that are only skipped may nest.
const MAX_DEPTH: usize = 16;
/// How many tags may stand in front of one value.
const MAX_TAGS: usize = 8;

/// The head of an item.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) at: usize,
    pub(super) major: u8,
    info: u8,
    pub(super) argument: u64,
}

impl Head {
    const fn is_indefinite(&self) -> bool {
        self.info == 31
    }

    /// The number of elements, `None` when a break ends them.
    pub(super) fn count(&self) -> Option<u64> {
        (!self.is_indefinite()).then_some(self.argument)
    }
}

/// A byte or text string as it stands in the payload.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chunks<'a> {
    /// In one piece.
    Whole(&'a [u8]),
    /// The heads and contents of its chunks, checked, without the break.
    Pieces(&'a [u8]),
}

impl<'a> Chunks<'a> {
    /// Hands each piece to `take`.
    pub(super) fn each<E>(self, mut take: impl FnMut(&'a [u8]) -> Result<(), E>) -> Result<(), E> {
        match self {
            Self::Whole(bytes) => take(bytes),
            Self::Pieces(bytes) => {
                let mut cursor = Cursor::new(bytes);
                while let Ok(head) = cursor.head() {
                    let Ok(piece) = cursor.take(head) else {
                        break;
                    };
                    take(piece)?;
                }
                Ok(())
            }
        }
    }

    /// The content in one piece, put together in `scratch` when it is not.
    fn join<'s>(self, scratch: &'s mut [u8], at: usize) -> Result<&'s [u8], FormatError>
    where
        'a: 's,
    {
        if let Self::Whole(bytes) = self {
            return Ok(bytes);
        }
        let mut output = Output::new(scratch);
        self.each(|piece| output.extend(piece))
            .map_err(|_| FormatError::ScratchTooSmall { at })?;
        let length = output.len();
        Ok(&scratch[..length])
    }

    fn join_text<'s>(self, scratch: &'s mut [u8], at: usize) -> Result<&'s str, FormatError>
    where
        'a: 's,
    {
        core::str::from_utf8(self.join(scratch, at)?).map_err(|_| FormatError::Utf8 { at })
    }
}

/// What can be a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Item<'a> {
    Number(Number),
    /// Tag 1: seconds since 1970 (RFC 8949 §3.4.2).
    Epoch(Number),
    /// Tag 0: RFC 3339 text.
    Date(Chunks<'a>),
    Boolean(bool),
    Text(Chunks<'a>),
    Bytes(Chunks<'a>),
}

/// Reads items from a payload.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn truncated(&self) -> FormatError {
        FormatError::Truncated {
            at: self.bytes.len(),
        }
    }

    /// Steps over a break, if there is one.
    pub(super) fn takes_break(&mut self) -> Result<bool, FormatError> {
        let next = *self.bytes.get(self.at).ok_or(self.truncated())?;
        self.at += usize::from(next == BREAK);
        Ok(next == BREAK)
    }

    /// Whether an item of this major type comes next.
    pub(super) fn is_next(&self, major: u8) -> bool {
        self.bytes
            .get(self.at)
            .is_some_and(|initial| initial >> 5 == major)
    }

    /// Steps over a null, if there is one.
    pub(super) fn takes_null(&mut self) -> bool {
        let found = self.bytes.get(self.at) == Some(&NULL);
        self.at += usize::from(found);
        found
    }

    #[inline]
    pub(super) fn head(&mut self) -> Result<Head, FormatError> {
        let at = self.at;
        let initial = *self.bytes.get(at).ok_or(self.truncated())?;
        let (major, info) = (initial >> 5, initial & 0x1F);
        let follow = match info {
            0..=23 => {
                self.at = at + 1;
                return Ok(Head {
                    at,
                    major,
                    info,
                    argument: info.into(),
                });
            }
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            31 if matches!(major, BYTES | TEXT | ARRAY | MAP) => 0,
            31 if major == SIMPLE => {
                return Err(FormatError::Syntax {
                    at,
                    expected: "an item, not a break",
                });
            }
            _ => {
                return Err(FormatError::Syntax {
                    at,
                    expected: "a CBOR item",
                });
            }
        };
        let bytes = self
            .bytes
            .get(at + 1..at + 1 + follow)
            .ok_or(self.truncated())?;
        self.at = at + 1 + follow;
        let argument = bytes
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte));
        Ok(Head {
            at,
            major,
            info,
            argument,
        })
    }

    /// The content of a string of definite length whose head was read.
    fn take(&mut self, head: Head) -> Result<&'a [u8], FormatError> {
        let end = usize::try_from(head.argument)
            .ok()
            .and_then(|length| self.at.checked_add(length))
            .ok_or(self.truncated())?;
        let content = self.bytes.get(self.at..end).ok_or(self.truncated())?;
        self.at = end;
        Ok(content)
    }

    /// The string whose head was read.
    pub(super) fn string(&mut self, head: Head) -> Result<Chunks<'a>, FormatError> {
        if !head.is_indefinite() {
            return self.take(head).map(Chunks::Whole);
        }
        let start = self.at;
        loop {
            let end = self.at;
            if self.takes_break()? {
                return Ok(Chunks::Pieces(&self.bytes[start..end]));
            }
            let piece = self.head()?;
            if piece.major != head.major || piece.is_indefinite() {
                return Err(FormatError::Syntax {
                    at: piece.at,
                    expected: "a chunk of the string",
                });
            }
            self.take(piece)?;
        }
    }

    /// Steps over an item, whatever it is.
    pub(super) fn skip(&mut self) -> Result<(), FormatError> {
        /// Items left in an open array, map or tag; `None` until a break.
        type Left = Option<u64>;
        let mut open: [Left; MAX_DEPTH] = [Some(1); MAX_DEPTH];
        let mut depth = 0;
        loop {
            match &mut open[depth] {
                Some(0) => {}
                Some(left) => {
                    *left -= 1;
                    let head = self.head()?;
                    if let Some(inner) = self.enter(head)? {
                        depth += 1;
                        *open
                            .get_mut(depth)
                            .ok_or(FormatError::TooDeep { at: head.at })? = inner;
                    }
                    continue;
                }
                None => {
                    if !self.takes_break()? {
                        let head = self.head()?;
                        if let Some(inner) = self.enter(head)? {
                            depth += 1;
                            *open
                                .get_mut(depth)
                                .ok_or(FormatError::TooDeep { at: head.at })? = inner;
                        }
                        continue;
                    }
                }
            }
            // This level has ended.
            match depth.checked_sub(1) {
                Some(outer) => depth = outer,
                None => return Ok(()),
            }
        }
    }

    /// Steps into an item whose head was read; `None` when it holds no others.
    fn enter(&mut self, head: Head) -> Result<Option<Option<u64>>, FormatError> {
        match head.major {
            BYTES | TEXT => self.string(head).map(|_| None),
            ARRAY => Ok(Some(head.count())),
            // An indefinite map with an odd number of items is let pass: it is skipped anyway.
            MAP => Ok(Some(match head.count() {
                Some(pairs) => Some(pairs.checked_mul(2).ok_or(self.truncated())?),
                None => None,
            })),
            TAG => Ok(Some(Some(1))),
            _ => Ok(None),
        }
    }

    /// Reads an item that can be a value.
    pub(super) fn item(&mut self) -> Result<Item<'a>, FormatError> {
        let start = self.at;
        let mut epoch = false;
        let mut date = false;
        for _ in 0..=MAX_TAGS {
            let head = self.head()?;
            let item = match (head.major, head.argument) {
                (TAG, 0) => {
                    date = true;
                    continue;
                }
                (TAG, 1) => {
                    epoch = true;
                    continue;
                }
                (TAG, tag @ (2 | 3)) => Item::Number(self.bignum(tag == 3)?),
                (TAG, 4) => Item::Number(self.decimal_fraction()?),
                // Any other tag only annotates (RFC 8949 §3.4).
                (TAG, _) => continue,
                (BYTES, _) => Item::Bytes(self.string(head)?),
                (TEXT, _) => Item::Text(self.string(head)?),
                (SIMPLE, 20 | 21) if head.info < 24 => Item::Boolean(head.argument == 21),
                _ => Item::Number(number(head)?),
            };
            return match item {
                item if !epoch && !date => Ok(item),
                Item::Number(number) if !date => Ok(Item::Epoch(number)),
                Item::Text(text) if !epoch => Ok(Item::Date(text)),
                _ => Err(FormatError::Syntax {
                    at: start,
                    expected: "a number under tag 1 or a text under tag 0",
                }),
            };
        }
        Err(FormatError::TooDeep { at: start })
    }

    /// Reads a number, not a tagged one.
    pub(super) fn plain_number(&mut self) -> Result<Number, FormatError> {
        let head = self.head()?;
        number(head)
    }

    /// Tag 2 and 3 (RFC 8949 §3.4.3), up to 126 bits.
    fn bignum(&mut self, negative: bool) -> Result<Number, FormatError> {
        let head = self.head()?;
        if head.major != BYTES {
            return Err(FormatError::Syntax {
                at: head.at,
                expected: "the byte string of a bignum",
            });
        }
        let mut magnitude: i128 = 0;
        self.string(head)?.each(|piece| {
            piece.iter().try_for_each(|byte| {
                magnitude = magnitude
                    .checked_mul(256)
                    .and_then(|shifted| shifted.checked_add(i128::from(*byte)))
                    .ok_or(FormatError::Range { at: head.at })?;
                Ok(())
            })
        })?;
        Ok(Number::Integer(if negative {
            -1 - magnitude
        } else {
            magnitude
        }))
    }

    /// Tag 4 (RFC 8949 §3.4.4): `[exponent, mantissa]`.
    fn decimal_fraction(&mut self) -> Result<Number, FormatError> {
        let array = self.head()?;
        let syntax = |at| FormatError::Syntax {
            at,
            expected: "exponent and mantissa of a decimal fraction",
        };
        if array.major != ARRAY || array.count().is_some_and(|count| count != 2) {
            return Err(syntax(array.at));
        }
        let Number::Integer(exponent) = self.plain_number()? else {
            return Err(syntax(array.at));
        };
        let head = self.head()?;
        let mantissa = match (head.major, head.argument) {
            (TAG, tag @ (2 | 3)) => self.bignum(tag == 3)?,
            _ => number(head)?,
        };
        let Number::Integer(mantissa) = mantissa else {
            return Err(syntax(array.at));
        };
        if array.count().is_none() && !self.takes_break()? {
            return Err(syntax(array.at));
        }
        i32::try_from(exponent)
            .ok()
            .and_then(|exponent| decimal_fraction(mantissa, exponent))
            .ok_or(FormatError::Range { at: array.at })
    }
}

/// The head of an array or map.
pub(super) fn container(
    cursor: &mut Cursor<'_>,
    major: u8,
    expected: &'static str,
) -> Result<Head, FormatError> {
    let head = cursor.head()?;
    if head.major != major {
        return Err(FormatError::Syntax {
            at: head.at,
            expected,
        });
    }
    Ok(head)
}

/// Whether another element follows; `left` counts down, or is `None` until a break.
#[inline]
pub(super) fn has_next(
    cursor: &mut Cursor<'_>,
    left: &mut Option<u64>,
) -> Result<bool, FormatError> {
    match left {
        Some(0) => Ok(false),
        Some(left) => {
            *left -= 1;
            Ok(true)
        }
        None => {
            let ends = cursor.takes_break()?;
            if ends {
                *left = Some(0);
            }
            Ok(!ends)
        }
    }
}

fn number(head: Head) -> Result<Number, FormatError> {
    match (head.major, head.info) {
        (UNSIGNED, _) => Ok(Number::Integer(head.argument.into())),
        (NEGATIVE, _) => Ok(Number::Integer(-1 - i128::from(head.argument))),
        (SIMPLE, 25) => Ok(Number::Float(half(head.argument as u16))),
        (SIMPLE, 26) => Ok(Number::Float(f32::from_bits(head.argument as u32).into())),
        (SIMPLE, 27) => Ok(Number::Float(f64::from_bits(head.argument))),
        _ => Err(FormatError::Type {
            at: head.at,
            expected: None,
        }),
    }
}

/// Half precision (RFC 8949 Appendix D).
fn half(bits: u16) -> f64 {
    let exponent = i32::from(bits >> 10 & 0x1F);
    let mantissa = f64::from(bits & 0x03FF);
    // 2^-24, and a power of two from its exponent bits.
    const SUBNORMAL: f64 = 1.0 / 16_777_216.0;
    let magnitude = match exponent {
        0 => mantissa * SUBNORMAL,
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * f64::from_bits(((exponent - 25 + 1023) as u64) << 52),
    };
    if bits & 0x8000 == 0 {
        magnitude
    } else {
        -magnitude
    }
}

impl Item<'_> {
    /// The value of the item as the type, or as the item tells when the type is not known.
    pub(super) fn typed<'s>(
        self,
        data_type: Option<DataType>,
        at: usize,
        scratch: &'s mut [u8],
    ) -> Result<Value<'s>, FormatError>
    where
        Self: 's,
    {
        match (self, data_type) {
            (Item::Number(number), _) => number.typed(data_type, at),
            (Item::Epoch(number), None) => number.typed(Some(DataType::Time), at),
            (Item::Epoch(number), _) => number.typed(data_type, at),
            (Item::Date(text), None | Some(DataType::Time)) => {
                let text = text.join_text(scratch, at)?;
                timestamp::parse(text)
                    .map(Value::Time)
                    .ok_or(FormatError::Syntax {
                        at,
                        expected: "an RFC 3339 time in whole seconds",
                    })
            }
            (Item::Boolean(truth), None | Some(DataType::Boolean)) => Ok(Value::Boolean(truth)),
            (Item::Text(text), None | Some(DataType::String)) => {
                text.join_text(scratch, at).map(Value::String)
            }
            (Item::Text(text), Some(DataType::CoreLink)) => {
                text.join_text(scratch, at).map(Value::CoreLink)
            }
            (Item::Text(text), Some(DataType::ObjectLink)) => {
                object_link(text.join_text(scratch, at)?, at)
            }
            (Item::Bytes(bytes), None | Some(DataType::Opaque)) => {
                bytes.join(scratch, at).map(Value::Opaque)
            }
            (_, expected) => Err(FormatError::Type { at, expected }),
        }
    }
}

/// Reads `66:0`.
pub(super) fn object_link(text: &str, at: usize) -> Result<Value<'static>, FormatError> {
    text.parse()
        .map(Value::ObjectLink)
        .map_err(|_| FormatError::Type {
            at,
            expected: Some(DataType::ObjectLink),
        })
}

/// Writes the head of an item in the fewest bytes.
#[inline]
pub(super) fn write_head(
    output: &mut Output<'_>,
    major: u8,
    argument: u64,
) -> Result<(), FormatError> {
    let major = major << 5;
    match argument {
        0..=23 => output.push(major | argument as u8),
        24..=0xFF => output.extend(&[major | 24, argument as u8]),
        0x100..=0xFFFF => {
            output.push(major | 25)?;
            output.extend(&(argument as u16).to_be_bytes())
        }
        0x1_0000..=0xFFFF_FFFF => {
            output.push(major | 26)?;
            output.extend(&(argument as u32).to_be_bytes())
        }
        _ => {
            output.push(major | 27)?;
            output.extend(&argument.to_be_bytes())
        }
    }
}

pub(super) fn write_text(output: &mut Output<'_>, text: &str) -> Result<(), FormatError> {
    write_head(output, TEXT, text.len() as u64)?;
    output.extend(text.as_bytes())
}

pub(super) fn write_integer(output: &mut Output<'_>, integer: i64) -> Result<(), FormatError> {
    if integer < 0 {
        // -1 - n is the complement of n.
        write_head(output, NEGATIVE, !(integer as u64))
    } else {
        write_head(output, UNSIGNED, integer as u64)
    }
}

/// Writes a float in 4 bytes when that is exact, otherwise in 8: half precision saves little and
/// not every device reads it.
pub(super) fn write_float(output: &mut Output<'_>, float: f64) -> Result<(), FormatError> {
    let single = float as f32;
    if f64::from(single) == float || float.is_nan() {
        output.push(0xFA)?;
        output.extend(&single.to_be_bytes())
    } else {
        output.push(0xFB)?;
        output.extend(&float.to_be_bytes())
    }
}

/// Writes `66:0` as text.
pub(super) fn write_object_link(
    output: &mut Output<'_>,
    link: ObjectLink,
) -> Result<(), FormatError> {
    let mut buffer = [0; 11];
    let mut text = Output::new(&mut buffer);
    number::write_integer(&mut text, link.object.into())?;
    text.push(b':')?;
    number::write_integer(&mut text, link.instance.into())?;
    let length = text.len();
    write_head(output, TEXT, length as u64)?;
    output.extend(&buffer[..length])
}

/// Writes a value as one item (Table C-2).
pub(super) fn write_value(output: &mut Output<'_>, value: Value<'_>) -> Result<(), FormatError> {
    match value {
        Value::String(text) | Value::CoreLink(text) => write_text(output, text),
        Value::Integer(integer) | Value::Time(integer) => write_integer(output, integer),
        Value::Unsigned(integer) => write_head(output, UNSIGNED, integer),
        Value::Float(float) => write_float(output, float),
        Value::Boolean(truth) => output.push(0xF4 | u8::from(truth)),
        Value::Opaque(bytes) => {
            write_head(output, BYTES, bytes.len() as u64)?;
            output.extend(bytes)
        }
        Value::ObjectLink(link) => write_object_link(output, link),
    }
}

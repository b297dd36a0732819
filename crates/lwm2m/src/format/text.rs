//! text/plain (0): one value as text (Core 1.2 §7.5.1 and Table C-2).
//!
//! Tolerated beyond the letter of the standard: `true` and `false` as Boolean, an exponent in a
//! Float, base64 without padding or in the URL alphabet. Numbers have no `+` and no blanks.

use super::FormatError;
use super::number::{Number, number_length, read_integer, write_integer, write_plain_float};
use super::output::Output;
use crate::base64::{self, Alphabet, Base64Error};
use crate::{DataType, Value};

pub(super) fn read<'s>(
    payload: &'s [u8],
    data_type: Option<DataType>,
    scratch: &'s mut [u8],
) -> Result<Value<'s>, FormatError> {
    let text = core::str::from_utf8(payload).map_err(|error| FormatError::Utf8 {
        at: error.valid_up_to(),
    })?;
    let mismatch = FormatError::Type {
        at: 0,
        expected: data_type,
    };
    match data_type {
        None | Some(DataType::String) => Ok(Value::String(text)),
        Some(DataType::CoreLink) => Ok(Value::CoreLink(text)),
        Some(DataType::Integer) => read_integer(text, DataType::Integer).map(Value::Integer),
        Some(DataType::Unsigned) => read_integer(text, DataType::Unsigned).map(Value::Unsigned),
        Some(DataType::Time) => read_integer(text, DataType::Time).map(Value::Time),
        Some(DataType::Float) => {
            if number_length(payload, true) != Some(payload.len()) {
                return Err(mismatch);
            }
            let number = Number::literal(text).ok_or(FormatError::Range { at: 0 })?;
            Ok(Value::Float(number.as_f64()))
        }
        Some(DataType::Boolean) => match text {
            "0" | "false" => Ok(Value::Boolean(false)),
            "1" | "true" => Ok(Value::Boolean(true)),
            _ => Err(mismatch),
        },
        Some(DataType::Opaque) => {
            let length = base64::decode(payload, scratch).map_err(|error| match error {
                Base64Error::Invalid(at) => FormatError::Base64 { at },
                Base64Error::TooLong => FormatError::ScratchTooSmall { at: 0 },
            })?;
            Ok(Value::Opaque(&scratch[..length]))
        }
        Some(DataType::ObjectLink) => text.parse().map(Value::ObjectLink).map_err(|_| mismatch),
    }
}

/// Floats must be finite.
pub(super) fn write(output: &mut Output<'_>, value: Value<'_>) -> Result<(), FormatError> {
    match value {
        Value::String(text) | Value::CoreLink(text) => output.extend(text.as_bytes()),
        Value::Integer(number) | Value::Time(number) => write_integer(output, number.into()),
        Value::Unsigned(number) => write_integer(output, number.into()),
        Value::Float(number) => write_plain_float(output, number),
        Value::Boolean(truth) => output.push(b'0' + u8::from(truth)),
        Value::Opaque(bytes) => write_base64(output, bytes, Alphabet::Standard, true),
        Value::ObjectLink(link) => {
            write_integer(output, link.object.into())?;
            output.push(b':')?;
            write_integer(output, link.instance.into())
        }
    }
}

/// Writes bytes as base64.
pub(super) fn write_base64(
    output: &mut Output<'_>,
    bytes: &[u8],
    alphabet: Alphabet,
    padded: bool,
) -> Result<(), FormatError> {
    let room = output.reserve(base64::encoded_length(bytes.len(), padded))?;
    base64::encode(bytes, alphabet, padded, room)
        .map(drop)
        .ok_or(FormatError::BufferTooSmall)
}

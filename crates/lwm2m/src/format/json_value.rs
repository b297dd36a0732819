//! Values, labels and times in JSON, which SenML and the JSON of 1.0 share.

use super::FormatError;
use super::json::{self, Text};
use super::number::{write_float, write_integer};
use super::output::Output;
use super::text::write_base64;
use crate::base64::{self, Alphabet, Base64Error};
use crate::{DataType, Value};

/// A value whose type is not known yet, because the name may still follow.
#[derive(Clone, Copy)]
pub(super) enum Raw<'a> {
    Number(usize, &'a str),
    Boolean(bool),
    Text(Text<'a>),
}

/// The value of a text; of type String when the type is not one of text.
pub(super) fn text_value<'s>(
    text: Text<'s>,
    data_type: Option<DataType>,
    scratch: &'s mut [u8],
) -> Result<Value<'s>, FormatError> {
    let at = text.at;
    if data_type == Some(DataType::Opaque) {
        let decoded = match text.plain() {
            Some(plain) => base64::decode(plain.as_bytes(), scratch),
            None => {
                let mut output = Output::new(scratch);
                text.decode(&mut output)
                    .map_err(|_| FormatError::ScratchTooSmall { at })?;
                let length = output.len();
                base64::decode_in_place(&mut scratch[..length])
            }
        };
        let length = decoded.map_err(|error| match error {
            Base64Error::Invalid(offset) => FormatError::Base64 { at: at + offset },
            Base64Error::TooLong => FormatError::ScratchTooSmall { at },
        })?;
        return Ok(Value::Opaque(&scratch[..length]));
    }
    let text = match text.plain() {
        Some(plain) => plain,
        None => {
            let decoded = text
                .decode_into(scratch)
                .map_err(|_| FormatError::ScratchTooSmall { at })?;
            core::str::from_utf8(decoded).map_err(|_| FormatError::Utf8 { at })?
        }
    };
    match data_type {
        Some(DataType::ObjectLink) => {
            text.parse()
                .map(Value::ObjectLink)
                .map_err(|_| FormatError::Type {
                    at,
                    expected: data_type,
                })
        }
        Some(DataType::CoreLink) => Ok(Value::CoreLink(text)),
        _ => Ok(Value::String(text)),
    }
}

/// Writes a value; Opaque as base64 in the alphabet. `not_acceptable` is the error for a number that
/// JSON cannot express.
pub(super) fn write_value(
    output: &mut Output<'_>,
    value: Value<'_>,
    alphabet: Alphabet,
    padded: bool,
    not_acceptable: FormatError,
) -> Result<(), FormatError> {
    match value {
        Value::String(text) | Value::CoreLink(text) => json::write_text(output, text),
        Value::Integer(number) | Value::Time(number) => write_integer(output, number.into()),
        Value::Unsigned(number) => write_integer(output, number.into()),
        Value::Float(number) if !number.is_finite() => Err(not_acceptable),
        Value::Float(number) => write_float(output, number),
        Value::Boolean(truth) => output.extend(if truth { b"true" } else { b"false" }),
        Value::Opaque(bytes) => {
            output.push(b'"')?;
            write_base64(output, bytes, alphabet, padded)?;
            output.push(b'"')
        }
        Value::ObjectLink(link) => {
            output.push(b'"')?;
            write_integer(output, link.object.into())?;
            output.push(b':')?;
            write_integer(output, link.instance.into())?;
            output.push(b'"')
        }
    }
}

/// Writes a label; `comma` tells whether another member stands before it.
pub(super) fn write_label(
    output: &mut Output<'_>,
    comma: &mut bool,
    label: &str,
) -> Result<(), FormatError> {
    if *comma {
        output.push(b',')?;
    }
    *comma = true;
    output.push(b'"')?;
    output.extend(label.as_bytes())?;
    output.extend(b"\":")
}

/// Whole seconds stand without a point.
pub(super) fn write_time(output: &mut Output<'_>, time: f64) -> Result<(), FormatError> {
    let whole = time as i64;
    if whole as f64 == time && whole.unsigned_abs() < 1 << 53 {
        write_integer(output, whole.into())
    } else {
        write_float(output, time)
    }
}

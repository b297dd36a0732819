//! application/octet-stream (42): the bytes of one Opaque value (Core 1.2 §7.5.2).

use super::FormatError;
use super::output::Output;
use crate::{ContentFormat, DataType, Value};

pub(super) fn read(payload: &[u8], data_type: Option<DataType>) -> Result<Value<'_>, FormatError> {
    match data_type {
        None | Some(DataType::Opaque) => Ok(Value::Opaque(payload)),
        expected => Err(FormatError::Type { at: 0, expected }),
    }
}

pub(super) fn write(output: &mut Output<'_>, value: Value<'_>) -> Result<(), FormatError> {
    match value {
        Value::Opaque(bytes) => output.extend(bytes),
        _ => Err(FormatError::NotAcceptable(ContentFormat::OPAQUE)),
    }
}

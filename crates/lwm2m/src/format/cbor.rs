//! application/cbor (60): one value as one CBOR item (Core 1.2 §7.5.3).

use super::FormatError;
use super::cbor_item::{Cursor, write_value};
use super::output::Output;
use crate::{DataType, Value};

pub(super) fn read<'s>(
    payload: &'s [u8],
    data_type: Option<DataType>,
    scratch: &'s mut [u8],
) -> Result<Value<'s>, FormatError> {
    let mut cursor = Cursor::new(payload);
    let item = cursor.item()?;
    if !cursor.is_at_end() {
        return Err(FormatError::Trailing { at: cursor.at });
    }
    item.typed(data_type, 0, scratch)
}

pub(super) fn write(output: &mut Output<'_>, value: Value<'_>) -> Result<(), FormatError> {
    write_value(output, value)
}

//! Whole payloads in one call, for those who have a heap.

use super::{FormatError, Scope, Writer, reader, writer};
use crate::definition::Types;
use crate::{ContentFormat, OwnedRecord, OwnedValue, Path};

/// Reads a whole payload.
///
/// # Errors
///
/// See [`FormatError`].
pub fn read_all<'a>(
    format: ContentFormat,
    payload: &'a [u8],
    scope: impl Into<Scope<'a>>,
    types: &'a dyn Types,
) -> Result<Vec<OwnedRecord>, FormatError> {
    let scope = scope.into();
    let mut scratch = vec![0; payload.len()];
    let mut reader = reader(format, payload, scope, types, &mut scratch)?;
    let mut records = Vec::new();
    while let Some(record) = reader.next_record() {
        records.push(OwnedRecord::from(record?));
    }
    Ok(records)
}

/// Writes records, which come in path order, as one payload.
///
/// # Errors
///
/// [`FormatError::NotAcceptable`] or [`FormatError::Sequence`]; see [`Writer::record`].
pub fn write_all<'a>(
    format: ContentFormat,
    scope: impl Into<Scope<'a>>,
    records: &[OwnedRecord],
) -> Result<Vec<u8>, FormatError> {
    let content = records.iter().map(|record| match &record.value {
        Some(OwnedValue::String(text) | OwnedValue::CoreLink(text)) => text.len(),
        Some(OwnedValue::Opaque(bytes)) => bytes.len() / 3 * 4,
        _ => 0,
    });
    let size = content.sum::<usize>() + 64 * records.len() + 64;
    write_growing(format, scope.into(), size, |writer| {
        records
            .iter()
            .try_for_each(|record| writer.record(&record.as_record()))
    })
}

/// Writes the path list of a composite request.
///
/// # Errors
///
/// [`FormatError::NotAcceptable`] when the format is not SenML.
pub fn write_names(
    format: ContentFormat,
    root: &str,
    paths: &[Path],
) -> Result<Vec<u8>, FormatError> {
    let scope = Scope {
        target: Path::ROOT,
        root,
    };
    write_growing(format, scope, 64 * paths.len() + 64, |writer| {
        paths.iter().try_for_each(|path| writer.name(path))
    })
}

/// Writes again with twice the room until it fits, which it does in the end because a payload is
/// never longer than a small multiple of its content.
fn write_growing(
    format: ContentFormat,
    scope: Scope<'_>,
    mut size: usize,
    fill: impl Fn(&mut Writer<'_>) -> Result<(), FormatError>,
) -> Result<Vec<u8>, FormatError> {
    loop {
        let mut buffer = vec![0; size];
        let written = writer(format, &mut buffer, scope).and_then(|mut writer| {
            fill(&mut writer)?;
            writer.finish()
        });
        match written {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
            Err(FormatError::BufferTooSmall) => size *= 2,
            Err(error) => return Err(error),
        }
    }
}

//! Whole payloads in one call, for those who have a heap.

use super::{FormatError, Reader, Scope, Writer, patch_reader, reader, writer};
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
    collect(reader(format, payload, scope, types, &mut scratch)?)
}

/// Reads the whole body of a Write-Composite; see [`patch_reader`].
///
/// # Errors
///
/// See [`FormatError`].
pub fn read_patch(
    format: ContentFormat,
    payload: &[u8],
    root: &str,
    types: &dyn Types,
) -> Result<Vec<OwnedRecord>, FormatError> {
    let mut scratch = vec![0; payload.len()];
    collect(patch_reader(format, payload, root, types, &mut scratch)?)
}

fn collect(mut reader: Reader<'_>) -> Result<Vec<OwnedRecord>, FormatError> {
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
    write_growing(format, scope.into(), room(records), |writer| {
        records
            .iter()
            .try_for_each(|record| writer.record(&record.as_record()))
    })
}

/// Writes the body of a Write-Composite; a record without a value removes its resource instance.
///
/// # Errors
///
/// [`FormatError::NotAcceptable`] when the format is not one for Write-Composite, or has no word for
/// a removal, which only SenML-ETCH has; [`FormatError::Sequence`] for a record that is neither a
/// value nor the removal of a resource instance.
pub fn write_patch(
    format: ContentFormat,
    root: &str,
    records: &[OwnedRecord],
) -> Result<Vec<u8>, FormatError> {
    let removes = match format {
        ContentFormat::SENML_ETCH_JSON | ContentFormat::SENML_ETCH_CBOR => true,
        ContentFormat::SENML_JSON | ContentFormat::SENML_CBOR | ContentFormat::LWM2M_CBOR => false,
        _ => return Err(FormatError::NotAcceptable(format)),
    };
    if !removes && records.iter().any(|record| record.value.is_none()) {
        return Err(FormatError::NotAcceptable(format));
    }
    let scope = Scope {
        target: Path::ROOT,
        root,
    };
    write_all(format, scope, records)
}

/// About as many bytes as these records need.
fn room(records: &[OwnedRecord]) -> usize {
    let content = records.iter().map(|record| match &record.value {
        Some(OwnedValue::String(text) | OwnedValue::CoreLink(text)) => text.len(),
        Some(OwnedValue::Opaque(bytes)) => bytes.len() / 3 * 4,
        _ => 0,
    });
    content.sum::<usize>() + 64 * records.len() + 64
}

/// Writes the path list of a composite request.
///
/// # Errors
///
/// [`FormatError::NotAcceptable`] when the format is neither SenML nor SenML-ETCH.
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

//! What the formats for exactly one value share: text, opaque and CBOR (Core 1.2 §7.5).

use super::output::Output;
use super::{FormatError, cbor, opaque, text};
use crate::definition::Types;
use crate::{ContentFormat, DataType, Level, Path, Record, Value};

/// A format for one value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Format {
    Text,
    Opaque,
    Cbor,
}

impl Format {
    pub(super) const fn of(format: ContentFormat) -> Option<Self> {
        match format {
            ContentFormat::TEXT => Some(Self::Text),
            ContentFormat::OPAQUE => Some(Self::Opaque),
            ContentFormat::CBOR => Some(Self::Cbor),
            _ => None,
        }
    }

    pub(super) const fn content_format(self) -> ContentFormat {
        match self {
            Self::Text => ContentFormat::TEXT,
            Self::Opaque => ContentFormat::OPAQUE,
            Self::Cbor => ContentFormat::CBOR,
        }
    }
}

pub(super) struct Reader<'a> {
    format: Format,
    /// Taken when read.
    payload: Option<&'a [u8]>,
    path: Path,
    data_type: Option<DataType>,
    scratch: &'a mut [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        format: Format,
        payload: &'a [u8],
        path: Path,
        types: &dyn Types,
        scratch: &'a mut [u8],
    ) -> Result<Self, FormatError> {
        let (Some(object), Some(resource)) = (path.object_id(), path.resource_id()) else {
            return Err(FormatError::UnfitForTarget(format.content_format()));
        };
        let data_type = types
            .resource_type(object, resource)
            .and_then(|resource| resource.data_type);
        Ok(Self {
            format,
            payload: Some(payload),
            path,
            data_type,
            scratch,
        })
    }

    pub(super) fn next_record(&mut self) -> Result<Option<Record<'_>>, FormatError> {
        let Some(payload) = self.payload.take() else {
            return Ok(None);
        };
        let value = match self.format {
            Format::Text => text::read(payload, self.data_type, self.scratch),
            Format::Opaque => opaque::read(payload, self.data_type),
            Format::Cbor => cbor::read(payload, self.data_type, self.scratch),
        }?;
        Ok(Some(Record::new(self.path, value)))
    }
}

#[derive(Debug)]
pub(super) struct Writer<'b> {
    format: Format,
    output: Output<'b>,
    path: Path,
    written: bool,
}

impl<'b> Writer<'b> {
    pub(super) fn new(format: Format, output: Output<'b>, path: Path) -> Result<Self, FormatError> {
        if path.level() < Level::Resource {
            return Err(FormatError::NotAcceptable(format.content_format()));
        }
        Ok(Self {
            format,
            output,
            path,
            written: false,
        })
    }

    pub(super) fn record(&mut self, record: &Record<'_>) -> Result<(), FormatError> {
        if !self.path.contains(&record.path) {
            return Err(FormatError::Sequence);
        }
        // A record below the target is an instance of a multiple resource: more than one value.
        let value = match record.value {
            Some(value) if record.path == self.path && !self.written => value,
            _ => return Err(self.not_acceptable()),
        };
        self.written = true;
        if let Value::Float(number) = value
            && matches!(self.format, Format::Text)
            && !number.is_finite()
        {
            return Err(self.not_acceptable());
        }
        match self.format {
            Format::Text => text::write(&mut self.output, value),
            Format::Opaque => opaque::write(&mut self.output, value),
            Format::Cbor => cbor::write(&mut self.output, value),
        }
    }

    pub(super) fn not_acceptable(&self) -> FormatError {
        FormatError::NotAcceptable(self.format.content_format())
    }

    pub(super) fn finish(self) -> Result<usize, FormatError> {
        if !self.written {
            return Err(self.not_acceptable());
        }
        Ok(self.output.len())
    }
}

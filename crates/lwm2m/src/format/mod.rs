//! Content formats: each one file with a reader (bytes to records) and a writer (records to
//! bytes).
//!
//! [`reader`] and [`writer`] need no heap. A reader borrows from the payload, and from lent
//! scratch memory for what does not stand in the payload as it is (JSON escapes, base64, CBOR
//! strings in chunks). Scratch as long as the payload always suffices. A writer fills a lent buffer.
//!
//! ```
//! use dunlin_lwm2m::definition::NoTypes;
//! use dunlin_lwm2m::{ContentFormat, Path, Record, Value, format};
//!
//! let mut buffer = [0; 64];
//! let mut writer = format::writer(ContentFormat::SENML_JSON, &mut buffer, Path::instance(3, 0))?;
//! writer.record(&Record::new(Path::resource(3, 0, 9), Value::Integer(100)))?;
//! let length = writer.finish()?;
//! let payload = &buffer[..length];
//! assert_eq!(payload, br#"[{"bn":"/3/0/","n":"9","v":100}]"#);
//!
//! let mut scratch = [0; 64];
//! let mut reader = format::reader(
//!     ContentFormat::SENML_JSON,
//!     payload,
//!     Path::instance(3, 0),
//!     &NoTypes,
//!     &mut scratch,
//! )?;
//! let record = reader.next_record().unwrap()?;
//! assert_eq!(record.path, Path::resource(3, 0, 9));
//! assert_eq!(record.value, Some(Value::Integer(100)));
//! # Ok::<(), format::FormatError>(())
//! ```
//!
//! # What a reader yields
//!
//! | In the payload | Record |
//! |---|---|
//! | a resource or resource instance | its path and value |
//! | TLV multiple resource, or object instance, without content | its path, no value |
//! | TLV resources without an object instance for a target `/o` (Create) | instance id [`MAX_ID`](crate::MAX_ID): the device chooses |
//! | SenML record without a value | its path (any level), no value |
//! | LwM2M CBOR null | its path, no value |
//! | LwM2M CBOR instance id 65535 for a target `/o` (Create), or keys that begin at the resource | instance id [`MAX_ID`](crate::MAX_ID) |
//!
//! Composite requests have readers of their own, because the operation tells how their payload is
//! to be understood: [`names`] for the path list of Read-Composite and Observe-Composite,
//! [`patch_reader`] for Write-Composite. There, a record without a value says that a resource
//! instance is to be removed.
//!
//! Values have the type [`Types`] tells, or the payload is refused. Of an unknown resource the
//! reader keeps what the format tells: TLV and opaque give Opaque, text gives String, the formats of
//! CBOR and JSON go by the item or field. A SenML number is then Integer (Unsigned above `i64::MAX`) or Float,
//! depending on how it is written. Whether a resource exists, is single or multiple, and may be
//! written, is for the caller to check.
//!
//! # Numbers that are none
//!
//! TLV and CBOR carry NaN and the infinities in both directions. Text and JSON cannot: writing them
//! is [`FormatError::NotAcceptable`]. Base times, times and base values must be finite everywhere.

mod cbor;
mod cbor_item;
mod error;
mod json;
mod json_value;
mod lwm2m_cbor;
mod number;
mod oma_json;
mod opaque;
mod output;
mod senml;
mod senml_cbor;
mod senml_json;
mod single;
mod text;
mod timestamp;
mod tlv;

pub use error::FormatError;

use crate::definition::{NoTypes, Types};
use crate::{ContentFormat, Path, Record};
use output::Output;
use senml::Purpose;

/// What a payload is about.
///
/// A [`Path`] is a scope without an alternate path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// The path of the request; [`Path::ROOT`] for composite operations and Send.
    pub target: Path,
    /// The alternate path of the device (`/lwm2m`), which stands in front of all SenML names
    /// (Core 1.2 §6.2.1); empty or `/` when it has none, and always in bootstrap.
    pub root: &'a str,
}

impl From<Path> for Scope<'_> {
    fn from(target: Path) -> Self {
        Self { target, root: "" }
    }
}

/// Reads a payload as a stream of records; made by [`reader`].
pub struct Reader<'a> {
    format: FormatReader<'a>,
    ended: bool,
}

enum FormatReader<'a> {
    Single(single::Reader<'a>),
    SenmlJson(senml_json::Reader<'a>),
    SenmlCbor(senml_cbor::Reader<'a>),
    Tlv(tlv::Reader<'a>),
    Lwm2mCbor(lwm2m_cbor::Reader<'a>),
    OmaJson(oma_json::Reader<'a>),
}

/// Begins to read `payload`.
///
/// `scope` is the path of the request (with an alternate path: a [`Scope`]). `scratch` may be
/// empty when no value needs it; too little gives [`FormatError::ScratchTooSmall`].
///
/// # Errors
///
/// [`FormatError::Unsupported`] and [`FormatError::UnfitForTarget`]; everything else comes from
/// [`Reader::next_record`].
pub fn reader<'a>(
    format: ContentFormat,
    payload: &'a [u8],
    scope: impl Into<Scope<'a>>,
    types: &'a dyn Types,
    scratch: &'a mut [u8],
) -> Result<Reader<'a>, FormatError> {
    let scope = scope.into();
    let format = match format.current() {
        ContentFormat::SENML_JSON => FormatReader::SenmlJson(senml_json::Reader::new(
            payload,
            scope,
            Purpose::Data,
            types,
            scratch,
        )),
        ContentFormat::SENML_CBOR => FormatReader::SenmlCbor(senml_cbor::Reader::new(
            payload,
            scope,
            Purpose::Data,
            types,
            scratch,
        )),
        ContentFormat::TLV => FormatReader::Tlv(tlv::Reader::new(payload, scope.target, types)?),
        ContentFormat::LWM2M_CBOR => FormatReader::Lwm2mCbor(lwm2m_cbor::Reader::new(
            payload, scope, false, types, scratch,
        )),
        ContentFormat::LWM2M_JSON => {
            FormatReader::OmaJson(oma_json::Reader::new(payload, scope, types, scratch))
        }
        _ => {
            let single =
                single::Format::of(format.current()).ok_or(FormatError::Unsupported(format))?;
            let target = scope.target;
            FormatReader::Single(single::Reader::new(
                single, payload, target, types, scratch,
            )?)
        }
    };
    Ok(Reader {
        format,
        ended: false,
    })
}

/// Begins to read the body of a Write-Composite (Core 1.2 §6.3.9): SenML, SenML-ETCH or LwM2M CBOR.
///
/// Each record has a value, or names a resource instance that is to be removed: then
/// [`Record::value`] is `None`, which SenML-ETCH writes as `"v":null` (RFC 8790 §3.2).
///
/// `root` is the alternate path of the device, empty or `/` when it has none.
///
/// # Errors
///
/// [`FormatError::Unsupported`] for any other format (4.15); everything else comes from
/// [`Reader::next_record`].
pub fn patch_reader<'a>(
    format: ContentFormat,
    payload: &'a [u8],
    root: &'a str,
    types: &'a dyn Types,
    scratch: &'a mut [u8],
) -> Result<Reader<'a>, FormatError> {
    let scope = Scope {
        target: Path::ROOT,
        root,
    };
    let purpose = match format {
        ContentFormat::SENML_ETCH_JSON | ContentFormat::SENML_ETCH_CBOR => Purpose::Patch,
        _ => Purpose::Write,
    };
    let format = match format {
        ContentFormat::SENML_JSON | ContentFormat::SENML_ETCH_JSON => FormatReader::SenmlJson(
            senml_json::Reader::new(payload, scope, purpose, types, scratch),
        ),
        ContentFormat::SENML_CBOR | ContentFormat::SENML_ETCH_CBOR => FormatReader::SenmlCbor(
            senml_cbor::Reader::new(payload, scope, purpose, types, scratch),
        ),
        ContentFormat::LWM2M_CBOR => FormatReader::Lwm2mCbor(lwm2m_cbor::Reader::new(
            payload, scope, true, types, scratch,
        )),
        _ => return Err(FormatError::Unsupported(format)),
    };
    Ok(Reader {
        format,
        ended: false,
    })
}

/// Begins to read the path list of a Read-Composite or Observe-Composite (Core 1.2 §6.3.8): names
/// of SenML, or a Fetch pack of SenML-ETCH (RFC 8790 §3.1). It needs no scratch memory.
///
/// `root` is the alternate path of the device, empty or `/` when it has none.
///
/// ```
/// use dunlin_lwm2m::{ContentFormat, Path, format};
///
/// let payload = br#"[{"bn":"/3/0/","n":"0"},{"n":"9"},{"bn":"/1","n":""}]"#;
/// let paths: Result<Vec<Path>, _> =
///     format::names(ContentFormat::SENML_ETCH_JSON, payload, "")?.collect();
/// assert_eq!(
///     paths?,
///     [Path::resource(3, 0, 0), Path::resource(3, 0, 9), Path::object(1)]
/// );
/// # Ok::<(), format::FormatError>(())
/// ```
///
/// # Errors
///
/// [`FormatError::Unsupported`] for any other format (4.15). The iterator yields everything else,
/// [`FormatError::NotAName`] (4.00) when a record has a value.
pub fn names<'a>(
    format: ContentFormat,
    payload: &'a [u8],
    root: &'a str,
) -> Result<Names<'a>, FormatError> {
    let scope = Scope {
        target: Path::ROOT,
        root,
    };
    let purpose = match format {
        ContentFormat::SENML_ETCH_JSON | ContentFormat::SENML_ETCH_CBOR => Purpose::Fetch,
        _ => Purpose::Names,
    };
    let format = match format {
        ContentFormat::SENML_JSON | ContentFormat::SENML_ETCH_JSON => FormatReader::SenmlJson(
            senml_json::Reader::new(payload, scope, purpose, &NoTypes, &mut []),
        ),
        ContentFormat::SENML_CBOR | ContentFormat::SENML_ETCH_CBOR => FormatReader::SenmlCbor(
            senml_cbor::Reader::new(payload, scope, purpose, &NoTypes, &mut []),
        ),
        _ => return Err(FormatError::Unsupported(format)),
    };
    Ok(Names(Reader {
        format,
        ended: false,
    }))
}

/// The paths of a composite request, in the order of the payload; made by [`names`]. After an error
/// there are no more.
pub struct Names<'a>(Reader<'a>);

impl Iterator for Names<'_> {
    type Item = Result<Path, FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.0.next_record()?;
        Some(record.map(|record| record.path))
    }
}

impl Reader<'_> {
    /// The next record, `None` at the end. After an error there are no more records.
    ///
    /// The record lends its content until the next call.
    pub fn next_record(&mut self) -> Option<Result<Record<'_>, FormatError>> {
        if self.ended {
            return None;
        }
        let record = match &mut self.format {
            FormatReader::Single(reader) => reader.next_record(),
            FormatReader::SenmlJson(reader) => reader.next_record(),
            FormatReader::SenmlCbor(reader) => reader.next_record(),
            FormatReader::Tlv(reader) => reader.next_record(),
            FormatReader::Lwm2mCbor(reader) => reader.next_record(),
            FormatReader::OmaJson(reader) => reader.next_record(),
        };
        self.ended = !matches!(record, Ok(Some(_)));
        record.transpose()
    }
}

/// Writes records into a lent buffer; made by [`writer`].
#[derive(Debug)]
pub struct Writer<'b> {
    format: FormatWriter<'b>,
}

#[derive(Debug)]
enum FormatWriter<'b> {
    Single(single::Writer<'b>),
    SenmlJson(senml_json::Writer<'b>),
    SenmlCbor(senml_cbor::Writer<'b>),
    Tlv(tlv::Writer<'b>),
    Lwm2mCbor(lwm2m_cbor::Writer<'b>),
    OmaJson(oma_json::Writer<'b>),
}

/// Begins to write a payload about `scope` (a [`Path`] or [`Scope`]) into `buffer`.
///
/// # Errors
///
/// [`FormatError::NotAcceptable`] when there is no writer for the format, or it cannot carry
/// content for this target.
pub fn writer<'b>(
    format: ContentFormat,
    buffer: &'b mut [u8],
    scope: impl Into<Scope<'b>>,
) -> Result<Writer<'b>, FormatError> {
    let scope = scope.into();
    let output = Output::new(buffer);
    let format = match format {
        ContentFormat::SENML_JSON | ContentFormat::SENML_ETCH_JSON => {
            FormatWriter::SenmlJson(senml_json::Writer::new(format, output, scope))
        }
        ContentFormat::SENML_CBOR | ContentFormat::SENML_ETCH_CBOR => {
            FormatWriter::SenmlCbor(senml_cbor::Writer::new(format, output, scope)?)
        }
        ContentFormat::TLV => FormatWriter::Tlv(tlv::Writer::new(output, scope.target)?),
        ContentFormat::LWM2M_CBOR => {
            FormatWriter::Lwm2mCbor(lwm2m_cbor::Writer::new(output, scope.target)?)
        }
        ContentFormat::LWM2M_JSON => FormatWriter::OmaJson(oma_json::Writer::new(output, scope)?),
        _ => {
            let single = single::Format::of(format).ok_or(FormatError::NotAcceptable(format))?;
            FormatWriter::Single(single::Writer::new(single, output, scope.target)?)
        }
    };
    Ok(Writer { format })
}

impl Writer<'_> {
    /// Adds a record. Records come in path order, at or below the target.
    ///
    /// A record without a value says that a multiple resource or an instance exists and is empty.
    /// TLV can say so; the others cannot and leave it out. In SenML-ETCH, whose records are those of a
    /// Write-Composite, it says that a resource instance is to be removed. Only the formats of
    /// JSON and SenML have times; the others leave them out.
    ///
    /// Records of a composite answer may come in any order, except in TLV.
    ///
    /// # Errors
    ///
    /// [`FormatError::NotAcceptable`], [`FormatError::BufferTooSmall`] or
    /// [`FormatError::Sequence`]; the payload is then of no use.
    pub fn record(&mut self, record: &Record<'_>) -> Result<(), FormatError> {
        match &mut self.format {
            FormatWriter::Single(writer) => writer.record(record),
            FormatWriter::SenmlJson(writer) => writer.record(record),
            FormatWriter::SenmlCbor(writer) => writer.record(record),
            FormatWriter::Tlv(writer) => writer.record(record),
            FormatWriter::Lwm2mCbor(writer) => writer.record(record),
            FormatWriter::OmaJson(writer) => writer.record(record),
        }
    }

    /// Adds a bare name, for the path list of a composite request. Only SenML and SenML-ETCH have
    /// them.
    ///
    /// # Errors
    ///
    /// As [`Writer::record`].
    pub fn name(&mut self, path: &Path) -> Result<(), FormatError> {
        match &mut self.format {
            FormatWriter::Single(writer) => Err(writer.not_acceptable()),
            FormatWriter::SenmlJson(writer) => writer.name(path),
            FormatWriter::SenmlCbor(writer) => writer.name(path),
            FormatWriter::Tlv(_) => Err(FormatError::NotAcceptable(ContentFormat::TLV)),
            FormatWriter::Lwm2mCbor(_) => {
                Err(FormatError::NotAcceptable(ContentFormat::LWM2M_CBOR))
            }
            FormatWriter::OmaJson(_) => Err(FormatError::NotAcceptable(ContentFormat::LWM2M_JSON)),
        }
    }

    /// Ends the payload and returns its length.
    ///
    /// # Errors
    ///
    /// As [`Writer::record`].
    pub fn finish(self) -> Result<usize, FormatError> {
        match self.format {
            FormatWriter::Single(writer) => writer.finish(),
            FormatWriter::SenmlJson(writer) => writer.finish(),
            FormatWriter::SenmlCbor(writer) => writer.finish(),
            FormatWriter::Tlv(writer) => writer.finish(),
            FormatWriter::Lwm2mCbor(writer) => writer.finish(),
            FormatWriter::OmaJson(writer) => writer.finish(),
        }
    }
}

#[cfg(feature = "std")]
mod owned;
#[cfg(feature = "std")]
pub use owned::{read_all, read_patch, write_all, write_names, write_patch};

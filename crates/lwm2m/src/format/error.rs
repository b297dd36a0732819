//! Why a payload cannot be read or written, and which code answers it.

use core::fmt;

use dunlin_coap::Code;

use crate::{ContentFormat, DataType};

/// Why a payload cannot be read, or records cannot be written.
///
/// `at` is the offset of the first offending byte in the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatError {
    /// There is no reader for this format (4.15).
    Unsupported(ContentFormat),
    /// The payload's format cannot carry content for this target: text, opaque and CBOR carry
    /// exactly one value, TLV needs an object id (4.00).
    UnfitForTarget(ContentFormat),
    /// The format asked for is unknown or cannot carry what was to be written (4.06).
    NotAcceptable(ContentFormat),
    /// The payload ends in the middle of something (4.00).
    Truncated {
        /// Where.
        at: usize,
    },
    /// The payload breaks the grammar of its format (4.00).
    Syntax {
        /// Where.
        at: usize,
        /// What should have stood there.
        expected: &'static str,
    },
    /// Bytes follow the end of the content (4.00).
    Trailing {
        /// Where.
        at: usize,
    },
    /// Text is not UTF-8 (4.00).
    Utf8 {
        /// Where.
        at: usize,
    },
    /// Not base64 (4.00).
    Base64 {
        /// Where.
        at: usize,
    },
    /// The value is not one of the resource's type (4.00).
    Type {
        /// Where.
        at: usize,
        /// The resource's type, `None` when a value of any type was expected.
        expected: Option<DataType>,
    },
    /// A number is too large for its type (4.00).
    Range {
        /// Where.
        at: usize,
    },
    /// A name is not a path of one to four ids with a leading slash (4.00).
    Name {
        /// Where.
        at: usize,
    },
    /// A path is not at or below the path of the request (4.00).
    OutOfScope {
        /// Where.
        at: usize,
    },
    /// A field, or an id, stands twice (4.00).
    Duplicate {
        /// Where.
        at: usize,
    },
    /// A record has more than one value (4.00).
    SeveralValues {
        /// Where.
        at: usize,
    },
    /// A record of a path list has a value, or a Fetch pack (RFC 8790 §3.1) another field that it
    /// must not have (4.00).
    NotAName {
        /// Where.
        at: usize,
    },
    /// A record of a Write-Composite, or an entry of OMA JSON, has no value (4.00).
    NoValue {
        /// Where.
        at: usize,
    },
    /// A field that must be understood (its label ends with `_`, RFC 8428 §4.4), or a SenML
    /// version above 10, is not understood (4.00).
    NotUnderstood {
        /// Where.
        at: usize,
    },
    /// Nested more deeply than any legal payload (4.00).
    TooDeep {
        /// Where.
        at: usize,
    },
    /// A value does not fit the scratch memory (4.13).
    ScratchTooSmall {
        /// Where.
        at: usize,
    },
    /// The written payload does not fit the buffer (5.00: the fault is not the peer's).
    BufferTooSmall,
    /// The caller handed a writer records out of path order or outside the target (5.00).
    Sequence,
}

impl FormatError {
    /// The code a client answers a request with that fails so (Transport 1.2 §6.7).
    pub const fn code(&self) -> Code {
        match self {
            Self::Unsupported(_) => Code::UNSUPPORTED_CONTENT_FORMAT,
            Self::NotAcceptable(_) => Code::NOT_ACCEPTABLE,
            Self::ScratchTooSmall { .. } => Code::REQUEST_ENTITY_TOO_LARGE,
            Self::BufferTooSmall | Self::Sequence => Code::INTERNAL_SERVER_ERROR,
            _ => Code::BAD_REQUEST,
        }
    }

    /// The offset of the first offending byte, where there is one.
    pub const fn position(&self) -> Option<usize> {
        match *self {
            Self::Truncated { at }
            | Self::Syntax { at, .. }
            | Self::Trailing { at }
            | Self::Utf8 { at }
            | Self::Base64 { at }
            | Self::Type { at, .. }
            | Self::Range { at }
            | Self::Name { at }
            | Self::OutOfScope { at }
            | Self::Duplicate { at }
            | Self::SeveralValues { at }
            | Self::NotAName { at }
            | Self::NoValue { at }
            | Self::NotUnderstood { at }
            | Self::TooDeep { at }
            | Self::ScratchTooSmall { at } => Some(at),
            Self::Unsupported(_)
            | Self::UnfitForTarget(_)
            | Self::NotAcceptable(_)
            | Self::BufferTooSmall
            | Self::Sequence => None,
        }
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Unsupported(format) => {
                return write!(f, "content format {format} is not supported");
            }
            Self::UnfitForTarget(format) => {
                return write!(
                    f,
                    "content format {format} cannot carry content for this path"
                );
            }
            Self::NotAcceptable(format) => {
                return write!(f, "content format {format} cannot express this content");
            }
            Self::Truncated { .. } => f.write_str("the payload ends too early"),
            Self::Syntax { expected, .. } => write!(f, "expected {expected}"),
            Self::Trailing { .. } => f.write_str("bytes follow the end of the content"),
            Self::Utf8 { .. } => f.write_str("text is not UTF-8"),
            Self::Base64 { .. } => f.write_str("not base64"),
            Self::Type {
                expected: Some(expected),
                ..
            } => write!(f, "not a value of type {}", expected.name()),
            Self::Type { expected: None, .. } => f.write_str("not a value"),
            Self::Range { .. } => f.write_str("number too large for its type"),
            Self::Name { .. } => f.write_str("name is not a path such as /3/0/9"),
            Self::OutOfScope { .. } => f.write_str("path lies outside the path of the request"),
            Self::Duplicate { .. } => f.write_str("the same field or id stands twice"),
            Self::SeveralValues { .. } => f.write_str("a record has more than one value"),
            Self::NotAName { .. } => f.write_str("a path list has names only"),
            Self::NoValue { .. } => f.write_str("a record has no value"),
            Self::NotUnderstood { .. } => {
                f.write_str("a field or version that must be understood is unknown")
            }
            Self::TooDeep { .. } => f.write_str("nested too deeply"),
            Self::ScratchTooSmall { .. } => f.write_str("a value is too large to be processed"),
            Self::BufferTooSmall => return f.write_str("the payload does not fit the buffer"),
            Self::Sequence => {
                return f.write_str("records must come in path order and below the target");
            }
        }?;
        match self.position() {
            Some(at) => write!(f, " (at byte {at})"),
            None => Ok(()),
        }
    }
}

impl core::error::Error for FormatError {}

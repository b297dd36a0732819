//! What the standard calls an operation, as one type for client, server, tester, REST and console
//! (Core 1.2 §6), and its one mapping to CoAP and back (Transport 1.2 §6.4).

use core::fmt;

use dunlin_coap::Code;

use crate::{ArgumentsError, AttributeError, Attributes, ContentFormat, Path, WriteAttributes};

mod wire;

pub use wire::{read_path, write_path};

/// Replace or Partial Update (Core 1.2 §6.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// What is not written is reset or removed (PUT).
    Replace,
    /// What is not written stays (POST).
    Update,
}

/// A body as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    /// Its Content-Format.
    pub format: ContentFormat,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// An operation of the device management and information reporting interfaces.
///
/// `B` is a body, `T` is text: [`Payload`] and `&str` on the wire, owned records and `String` in
/// the control plane of a server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation<B, T, A> {
    /// GET.
    Read {
        /// Object, instance, resource or resource instance.
        path: Path,
        /// Format asked for.
        accept: Option<ContentFormat>,
    },
    /// GET with Accept 40.
    Discover {
        /// Object, instance or resource.
        path: Path,
        /// How many levels to list (1.2).
        depth: Option<u8>,
    },
    /// PUT or POST with a body.
    Write {
        /// Instance, resource or resource instance.
        path: Path,
        /// Replace or update.
        mode: WriteMode,
        /// What to write.
        body: B,
    },
    /// PUT with a query and without a body.
    WriteAttributes {
        /// Object, instance, resource or resource instance.
        path: Path,
        /// What to set and unset.
        attributes: A,
    },
    /// POST on a resource.
    Execute {
        /// Resource.
        path: Path,
        /// Arguments, as in `0='x',1`; empty when there are none.
        arguments: T,
    },
    /// POST on an object.
    Create {
        /// Object id.
        object: u16,
        /// Content of the new instance or instances; since 1.2 it may be missing.
        body: Option<B>,
    },
    /// DELETE.
    Delete {
        /// Instance, or resource instance (1.2).
        path: Path,
    },
    /// GET with Observe 0.
    Observe {
        /// Object, instance, resource or resource instance.
        path: Path,
        /// Format asked for.
        accept: Option<ContentFormat>,
        /// Observation attributes in the query (1.2). Any one replaces all that are attached or
        /// inherited, for this observation (Core 1.2 §6.4.1).
        parameters: Attributes,
    },
    /// GET with Observe 1.
    CancelObserve {
        /// As in the Observe.
        path: Path,
        /// As in the Observe.
        accept: Option<ContentFormat>,
        /// As in the Observe.
        parameters: Attributes,
    },
    /// FETCH at the root (since 1.1).
    ReadComposite {
        /// The paths: records without values.
        paths: B,
        /// Format asked for.
        accept: Option<ContentFormat>,
    },
    /// iPATCH at the root (since 1.1).
    WriteComposite {
        /// What to write.
        body: B,
    },
    /// FETCH at the root with Observe 0 (since 1.1).
    ObserveComposite {
        /// The paths: records without values.
        paths: B,
        /// Format asked for.
        accept: Option<ContentFormat>,
        /// pmin, pmax, epmin, epmax and con for the whole observation (1.2).
        parameters: Attributes,
    },
    /// FETCH at the root with Observe 1 (since 1.1).
    CancelObserveComposite {
        /// As in the Observe-Composite.
        paths: B,
        /// As in the Observe-Composite.
        accept: Option<ContentFormat>,
        /// As in the Observe-Composite.
        parameters: Attributes,
    },
}

/// An operation as it stands in a request.
pub type WireOperation<'a> = Operation<Payload<'a>, &'a str, WriteAttributes>;

impl<B, T, A> Operation<B, T, A> {
    /// The path the operation is about; [`Path::ROOT`] for a composite.
    pub fn path(&self) -> Path {
        match self {
            Self::Read { path, .. }
            | Self::Discover { path, .. }
            | Self::Write { path, .. }
            | Self::WriteAttributes { path, .. }
            | Self::Execute { path, .. }
            | Self::Delete { path }
            | Self::Observe { path, .. }
            | Self::CancelObserve { path, .. } => *path,
            Self::Create { object, .. } => Path::object(*object),
            Self::ReadComposite { .. }
            | Self::WriteComposite { .. }
            | Self::ObserveComposite { .. }
            | Self::CancelObserveComposite { .. } => Path::ROOT,
        }
    }

    /// The name the standard gives the operation.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Read { .. } => "Read",
            Self::Discover { .. } => "Discover",
            Self::Write { .. } => "Write",
            Self::WriteAttributes { .. } => "Write-Attributes",
            Self::Execute { .. } => "Execute",
            Self::Create { .. } => "Create",
            Self::Delete { .. } => "Delete",
            Self::Observe { .. } => "Observe",
            Self::CancelObserve { .. } => "Cancel Observation",
            Self::ReadComposite { .. } => "Read-Composite",
            Self::WriteComposite { .. } => "Write-Composite",
            Self::ObserveComposite { .. } => "Observe-Composite",
            Self::CancelObserveComposite { .. } => "Cancel Observation-Composite",
        }
    }

    /// The method of the request.
    pub const fn method(&self) -> Code {
        match self {
            Self::Read { .. }
            | Self::Discover { .. }
            | Self::Observe { .. }
            | Self::CancelObserve { .. } => Code::GET,
            Self::Write {
                mode: WriteMode::Replace,
                ..
            }
            | Self::WriteAttributes { .. } => Code::PUT,
            Self::Write {
                mode: WriteMode::Update,
                ..
            }
            | Self::Execute { .. }
            | Self::Create { .. } => Code::POST,
            Self::Delete { .. } => Code::DELETE,
            Self::ReadComposite { .. }
            | Self::ObserveComposite { .. }
            | Self::CancelObserveComposite { .. } => Code::FETCH,
            Self::WriteComposite { .. } => Code::IPATCH,
        }
    }

    /// The code of a successful response.
    pub const fn success(&self) -> Code {
        match self {
            Self::Read { .. }
            | Self::Discover { .. }
            | Self::Observe { .. }
            | Self::CancelObserve { .. }
            | Self::ReadComposite { .. }
            | Self::ObserveComposite { .. }
            | Self::CancelObserveComposite { .. } => Code::CONTENT,
            Self::Write { .. }
            | Self::WriteAttributes { .. }
            | Self::Execute { .. }
            | Self::WriteComposite { .. } => Code::CHANGED,
            Self::Create { .. } => Code::CREATED,
            Self::Delete { .. } => Code::DELETED,
        }
    }

    /// Whether the operation concerns several paths at once.
    pub const fn is_composite(&self) -> bool {
        matches!(
            self,
            Self::ReadComposite { .. }
                | Self::WriteComposite { .. }
                | Self::ObserveComposite { .. }
                | Self::CancelObserveComposite { .. }
        )
    }
}

/// Why a request is not an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationError {
    /// The path is not below the root path of the client, or has a segment that is not a number.
    UnknownPath,
    /// A path segment is a number that cannot be an id: above 65535, or with leading zeros.
    BadId,
    /// The path has more than four ids.
    TooDeep,
    /// The method means nothing at this level of the tree, or at all.
    Method,
    /// GET with Observe and Accept 40.
    ObserveAndDiscover,
    /// A Write or Create with content but without Content-Format, or a PUT without anything.
    ContentFormatMissing,
    /// A POST on a resource whose Content-Format is neither one of several values nor text, or a
    /// composite whose body is in a format that cannot carry it.
    ContentFormat(ContentFormat),
    /// The attributes of a Write-Attributes or an Observe are wrong.
    Attributes(AttributeError),
    /// A Uri-Query that the operation does not take.
    Query,
    /// `depth` of Discover is not 0 to 3.
    Depth,
    /// The arguments of Execute are wrong.
    Arguments(ArgumentsError),
    /// An option or the arguments are not UTF-8.
    NotUtf8,
}

impl OperationError {
    /// The code of the response.
    pub const fn code(self) -> Code {
        match self {
            Self::UnknownPath => Code::NOT_FOUND,
            Self::TooDeep | Self::Method => Code::METHOD_NOT_ALLOWED,
            Self::BadId
            | Self::ObserveAndDiscover
            | Self::ContentFormatMissing
            | Self::Attributes(_)
            | Self::Depth
            | Self::Arguments(_)
            | Self::NotUtf8 => Code::BAD_REQUEST,
            Self::ContentFormat(_) => Code::UNSUPPORTED_CONTENT_FORMAT,
            Self::Query => Code::BAD_OPTION,
        }
    }
}

impl fmt::Display for OperationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownPath => f.write_str("no such path; a path is made of ids, as in /3/0/9"),
            Self::BadId => f.write_str("an id is a decimal number from 0 to 65535"),
            Self::TooDeep => f.write_str(
                "a path has at most four ids: object, instance, resource, resource instance",
            ),
            Self::Method => f.write_str("the method is not allowed at this level"),
            Self::ObserveAndDiscover => f.write_str("Discover cannot be observed"),
            Self::ContentFormatMissing => f.write_str(
                "Content-Format is missing; a Write needs one, Write-Attributes needs a query",
            ),
            Self::ContentFormat(format) => write!(
                f,
                "Content-Format {format} cannot carry this; send SenML JSON or SenML CBOR"
            ),
            Self::Attributes(error) => error.fmt(f),
            Self::Query => f.write_str("the operation does not take this query"),
            Self::Depth => f.write_str("depth is a digit from 0 to 3"),
            Self::Arguments(error) => error.fmt(f),
            Self::NotUtf8 => f.write_str("text is not UTF-8"),
        }
    }
}

impl core::error::Error for OperationError {}

#[cfg(test)]
mod tests;

//! What the standard calls an operation, as one type for client, server, tester, REST and console
//! (Core 1.2 §6), and its one mapping to CoAP and back (Transport 1.2 §6.4).

use core::fmt;

use dunlin_coap::{Code, Message, MessageWriter, OptionNumber};

use crate::path::parse_id;
use crate::scratch::Scratch;
use crate::{
    Arguments, ArgumentsError, AttributeChange, AttributeError, ContentFormat, Level, Path,
    WriteAttributes,
};

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
    },
    /// GET with Observe 1.
    CancelObserve {
        /// As in the Observe.
        path: Path,
        /// As in the Observe.
        accept: Option<ContentFormat>,
    },
}

/// An operation as it stands in a request.
pub type WireOperation<'a> = Operation<Payload<'a>, &'a str, WriteAttributes>;

impl<B, T, A> Operation<B, T, A> {
    /// The path the operation is about.
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
        }
    }

    /// The code of a successful response.
    pub const fn success(&self) -> Code {
        match self {
            Self::Read { .. }
            | Self::Discover { .. }
            | Self::Observe { .. }
            | Self::CancelObserve { .. } => Code::CONTENT,
            Self::Write { .. } | Self::WriteAttributes { .. } | Self::Execute { .. } => {
                Code::CHANGED
            }
            Self::Create { .. } => Code::CREATED,
            Self::Delete { .. } => Code::DELETED,
        }
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
    /// A POST on a resource whose Content-Format is neither one of several values nor text.
    ContentFormat(ContentFormat),
    /// The attributes of a Write-Attributes are wrong.
    Attributes(AttributeError),
    /// A Uri-Query that the operation does not take.
    Query,
    /// `depth` of Discover is not 0 to 3.
    Depth,
    /// The arguments of Execute are wrong.
    Arguments(ArgumentsError),
    /// An option or the arguments are not UTF-8.
    NotUtf8,
    /// A composite operation, which is not implemented yet.
    Composite,
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
            Self::Composite => Code::NOT_IMPLEMENTED,
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
                "Content-Format {format} cannot update a resource; send TLV, SenML JSON or SenML CBOR"
            ),
            Self::Attributes(error) => error.fmt(f),
            Self::Query => f.write_str("the operation does not take this query"),
            Self::Depth => f.write_str("depth is a digit from 0 to 3"),
            Self::Arguments(error) => error.fmt(f),
            Self::NotUtf8 => f.write_str("text is not UTF-8"),
            Self::Composite => f.write_str("composite operations are not implemented"),
        }
    }
}

impl core::error::Error for OperationError {}

/// Transport 1.2 §6.6.1 prints the binding of a Registration Update Trigger as a query, `?0=U`,
/// where Core has the payload `0='U'`. A client takes both.
const BINDING_QUERIES: [(&str, &str); 6] = [
    ("0=U", "0='U'"),
    ("0=T", "0='T'"),
    ("0=S", "0='S'"),
    ("0=N", "0='N'"),
    ("0=M", "0='M'"),
    ("0=H", "0='H'"),
];

impl<'a> WireOperation<'a> {
    /// Reads a request as a client does (Transport 1.2 Table 6.4.4-1).
    ///
    /// `root` is the alternate path that the client registered with, `/` or empty for none. The
    /// caller has refused unacceptable options before
    /// ([`Message::first_unacceptable_option`]).
    pub fn from_request(message: &Message<'a>, root: &str) -> Result<Self, OperationError> {
        Self::from_request_with_body(message, message.payload, root)
    }

    /// As [`from_request`](Self::from_request), for a body that came in several blocks; `message`
    /// is the request with the last of them.
    pub fn from_request_with_body(
        message: &Message<'a>,
        body: &'a [u8],
        root: &str,
    ) -> Result<Self, OperationError> {
        match message.code {
            Code::GET => Self::from_get(message, read_path(message, root)?),
            Code::PUT => Self::from_put(message, body, read_path(message, root)?),
            Code::POST => Self::from_post(message, body, read_path(message, root)?),
            Code::DELETE => {
                let path = read_path(message, root)?;
                no_query(message)?;
                match path.level() {
                    Level::ObjectInstance | Level::ResourceInstance => Ok(Self::Delete { path }),
                    _ => Err(OperationError::Method),
                }
            }
            Code::FETCH | Code::IPATCH => Err(OperationError::Composite),
            _ => Err(OperationError::Method),
        }
    }

    fn from_get(message: &Message<'a>, path: Path) -> Result<Self, OperationError> {
        let accept = message.accept().map(ContentFormat);
        // Other values of Observe count as absent (RFC 7641 §2).
        let observe = message.observe().filter(|observe| *observe <= 1);
        if path.level() == Level::Root {
            return Err(OperationError::Method);
        }
        match (observe, accept) {
            (Some(_), Some(ContentFormat::LINK)) => Err(OperationError::ObserveAndDiscover),
            (None, Some(ContentFormat::LINK)) => {
                if path.level() == Level::ResourceInstance {
                    return Err(OperationError::Method);
                }
                Ok(Self::Discover {
                    path,
                    depth: read_depth(message)?,
                })
            }
            (observe, accept) => {
                // Observe with attributes in its query (1.2) must be refused by a client that
                // does not support them.
                no_query(message)?;
                Ok(match observe {
                    Some(0) => Self::Observe { path, accept },
                    Some(_) => Self::CancelObserve { path, accept },
                    None => Self::Read { path, accept },
                })
            }
        }
    }

    fn from_put(
        message: &Message<'a>,
        bytes: &'a [u8],
        path: Path,
    ) -> Result<Self, OperationError> {
        let has_query = message.value(OptionNumber::URI_QUERY).is_some();
        match message.content_format() {
            Some(format) => {
                if path.level() < Level::ObjectInstance {
                    return Err(OperationError::Method);
                }
                no_query(message)?;
                Ok(Self::Write {
                    path,
                    mode: WriteMode::Replace,
                    body: Payload {
                        format: ContentFormat(format),
                        bytes,
                    },
                })
            }
            None if bytes.is_empty() && has_query => {
                if path.level() == Level::Root {
                    return Err(OperationError::Method);
                }
                let mut attributes = WriteAttributes::NONE;
                for segment in queries(message) {
                    AttributeChange::parse(segment?)
                        .and_then(|change| attributes.push(change))
                        .map_err(OperationError::Attributes)?;
                }
                attributes
                    .attributes()
                    .check()
                    .and_then(|()| attributes.check_target(path.level(), None))
                    .map_err(OperationError::Attributes)?;
                Ok(Self::WriteAttributes { path, attributes })
            }
            None if path.level() == Level::Root => Err(OperationError::Method),
            None => Err(OperationError::ContentFormatMissing),
        }
    }

    fn from_post(
        message: &Message<'a>,
        bytes: &'a [u8],
        path: Path,
    ) -> Result<Self, OperationError> {
        let format = message.content_format().map(ContentFormat);
        let body = format.map(|format| Payload { format, bytes });
        match (path.ids(), path.level()) {
            (&[object], _) => {
                no_query(message)?;
                if body.is_none() && !bytes.is_empty() {
                    return Err(OperationError::ContentFormatMissing);
                }
                Ok(Self::Create { object, body })
            }
            (_, Level::ObjectInstance) => {
                no_query(message)?;
                Ok(Self::Write {
                    path,
                    mode: WriteMode::Update,
                    body: body.ok_or(OperationError::ContentFormatMissing)?,
                })
            }
            (_, Level::Resource) => match format.map(ContentFormat::current) {
                None | Some(ContentFormat::TEXT) => Ok(Self::Execute {
                    path,
                    arguments: read_arguments(message, bytes)?,
                }),
                Some(
                    format @ (ContentFormat::TLV
                    | ContentFormat::SENML_JSON
                    | ContentFormat::SENML_CBOR
                    | ContentFormat::LWM2M_JSON
                    | ContentFormat::LWM2M_CBOR),
                ) => {
                    no_query(message)?;
                    Ok(Self::Write {
                        path,
                        mode: WriteMode::Update,
                        body: Payload { format, bytes },
                    })
                }
                Some(format) => Err(OperationError::ContentFormat(format)),
            },
            _ => Err(OperationError::Method),
        }
    }

    /// Writes the options of the request in their order, up to and with Accept. Block options
    /// come behind them; the caller has chosen [`Operation::method`] as the code and adds
    /// [`body`](Self::body) as payload.
    ///
    /// To fetch the next blocks of a notification (RFC 7959 §3.4), write a
    /// [`Read`](Operation::Read) of the same path and format.
    pub fn write_options(&self, writer: &mut MessageWriter<'_>, root: &str) {
        match self {
            Self::Observe { .. } => {
                writer.uint(OptionNumber::OBSERVE, 0);
            }
            Self::CancelObserve { .. } => {
                writer.uint(OptionNumber::OBSERVE, 1);
            }
            _ => {}
        }
        write_path(self.path(), writer, root);
        if let Some(body) = self.body() {
            writer.uint(OptionNumber::CONTENT_FORMAT, u32::from(body.format.0));
        }
        match self {
            Self::WriteAttributes { attributes, .. } => {
                for change in attributes.changes() {
                    if let Some(segment) = Scratch::<64>::format(format_args!("{change}")) {
                        writer.option(OptionNumber::URI_QUERY, segment.as_bytes());
                    }
                }
            }
            Self::Discover {
                depth: Some(depth), ..
            } => {
                if let Some(segment) = Scratch::<16>::format(format_args!("depth={depth}")) {
                    writer.option(OptionNumber::URI_QUERY, segment.as_bytes());
                }
            }
            _ => {}
        }
        let accept = match self {
            Self::Discover { .. } => Some(ContentFormat::LINK),
            Self::Read { accept, .. }
            | Self::Observe { accept, .. }
            | Self::CancelObserve { accept, .. } => *accept,
            _ => None,
        };
        if let Some(accept) = accept {
            writer.uint(OptionNumber::ACCEPT, u32::from(accept.0));
        }
    }

    /// Writes options and payload. The writer was made with [`Operation::method`] as the code.
    pub fn write_request(&self, writer: &mut MessageWriter<'_>, root: &str) {
        self.write_options(writer, root);
        if let Some(body) = self.body() {
            writer.payload(body.bytes);
        }
    }

    /// The body of the request. The arguments of Execute are text; without arguments there is
    /// neither payload nor Content-Format.
    pub fn body(&self) -> Option<Payload<'a>> {
        match self {
            Self::Write { body, .. } => Some(*body),
            Self::Create { body, .. } => *body,
            Self::Execute { arguments, .. } if !arguments.is_empty() => Some(Payload {
                format: ContentFormat::TEXT,
                bytes: arguments.as_bytes(),
            }),
            _ => None,
        }
    }
}

/// Writes `root` and `path` as Uri-Path options. No option stands for `/`.
pub fn write_path(path: Path, writer: &mut MessageWriter<'_>, root: &str) {
    for segment in root.split('/').filter(|segment| !segment.is_empty()) {
        writer.option(OptionNumber::URI_PATH, segment.as_bytes());
    }
    for id in path.ids() {
        if let Some(segment) = Scratch::<5>::format(format_args!("{id}")) {
            writer.option(OptionNumber::URI_PATH, segment.as_bytes());
        }
    }
}

/// Reads the Uri-Path options behind `root` as a path.
pub fn read_path(message: &Message<'_>, root: &str) -> Result<Path, OperationError> {
    // Not `values`, which leaves out segments of more than 255 bytes.
    let mut segments = message
        .options()
        .filter(|option| option.number == OptionNumber::URI_PATH)
        .map(|option| option.value)
        .peekable();
    for expected in root.split('/').filter(|segment| !segment.is_empty()) {
        if segments.next() != Some(expected.as_bytes()) {
            return Err(OperationError::UnknownPath);
        }
    }
    let mut path = Path::ROOT;
    while let Some(segment) = segments.next() {
        // One empty Uri-Path is seen and means `/`.
        if segment.is_empty() && path == Path::ROOT && segments.peek().is_none() {
            break;
        }
        let text = str::from_utf8(segment).map_err(|_| OperationError::NotUtf8)?;
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number {
            return Err(OperationError::UnknownPath);
        }
        let id = parse_id(text).ok_or(OperationError::BadId)?;
        path = path.child(id).ok_or(OperationError::TooDeep)?;
    }
    Ok(path)
}

fn queries<'a>(
    message: &Message<'a>,
) -> impl Iterator<Item = Result<&'a str, OperationError>> + use<'a> {
    message
        .values(OptionNumber::URI_QUERY)
        .map(|segment| str::from_utf8(segment).map_err(|_| OperationError::NotUtf8))
}

/// An empty Uri-Query says nothing; any other is critical and must not be ignored.
fn no_query(message: &Message<'_>) -> Result<(), OperationError> {
    if message
        .values(OptionNumber::URI_QUERY)
        .all(<[u8]>::is_empty)
    {
        Ok(())
    } else {
        Err(OperationError::Query)
    }
}

fn read_depth(message: &Message<'_>) -> Result<Option<u8>, OperationError> {
    let mut depth = None;
    for segment in queries(message) {
        let value = match segment? {
            "" => continue,
            segment => segment
                .strip_prefix("depth=")
                .ok_or(OperationError::Query)?,
        };
        match value.as_bytes() {
            [digit @ b'0'..=b'3'] if depth.is_none() => depth = Some(digit - b'0'),
            _ => return Err(OperationError::Depth),
        }
    }
    Ok(depth)
}

fn read_arguments<'a>(message: &Message<'a>, bytes: &'a [u8]) -> Result<&'a str, OperationError> {
    let text = str::from_utf8(bytes).map_err(|_| OperationError::NotUtf8)?;
    let mut segments = queries(message);
    match (segments.next().transpose()?, segments.next()) {
        (None | Some(""), None) => Arguments::parse(text)
            .map(|arguments| arguments.as_str())
            .map_err(OperationError::Arguments),
        (Some(query), None) if text.is_empty() => BINDING_QUERIES
            .iter()
            .find(|(form, _)| *form == query)
            .map(|(_, arguments)| *arguments)
            .ok_or(OperationError::Query),
        _ => Err(OperationError::Query),
    }
}

#[cfg(test)]
mod tests;

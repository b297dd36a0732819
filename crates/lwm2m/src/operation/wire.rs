//! The mapping of operations to CoAP requests and back (Transport 1.2 §6.4).

use dunlin_coap::{Code, Message, MessageWriter, OptionNumber};

use super::{OperationError, Payload, WireOperation, WriteMode};
use crate::path::parse_id;
use crate::scratch::Scratch;
use crate::{
    Arguments, AttributeChange, AttributeError, Attributes, ContentFormat, Level, Path,
    WriteAttributes,
};

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
            Code::FETCH => Self::from_fetch(message, body, root),
            Code::IPATCH => Self::from_ipatch(message, body, root),
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
                let parameters = match observe {
                    Some(_) => read_parameters(message, path.level())?,
                    None => {
                        no_query(message)?;
                        Attributes::NONE
                    }
                };
                Ok(match observe {
                    Some(0) => Self::Observe {
                        path,
                        accept,
                        parameters,
                    },
                    Some(_) => Self::CancelObserve {
                        path,
                        accept,
                        parameters,
                    },
                    None => Self::Read { path, accept },
                })
            }
        }
    }

    /// Read- and Observe-Composite (Transport 1.2 Table 6.4.4-1).
    fn from_fetch(
        message: &Message<'a>,
        bytes: &'a [u8],
        root: &str,
    ) -> Result<Self, OperationError> {
        at_root(message, root)?;
        let paths = composite_body(message, bytes, |format| {
            matches!(
                format,
                ContentFormat::SENML_JSON
                    | ContentFormat::SENML_CBOR
                    | ContentFormat::SENML_ETCH_JSON
                    | ContentFormat::SENML_ETCH_CBOR
            )
        })?;
        let accept = message.accept().map(ContentFormat);
        let observe = message.observe().filter(|observe| *observe <= 1);
        let parameters = match observe {
            // What makes sense at the level of an object: gt, lt, st and edge do not.
            Some(_) => read_parameters(message, Level::Object)?,
            None => {
                no_query(message)?;
                Attributes::NONE
            }
        };
        Ok(match observe {
            Some(0) => Self::ObserveComposite {
                paths,
                accept,
                parameters,
            },
            Some(_) => Self::CancelObserveComposite {
                paths,
                accept,
                parameters,
            },
            None => Self::ReadComposite { paths, accept },
        })
    }

    /// Write-Composite; on an instance the Partial Update that the prose of 1.2 allows as iPATCH
    /// (Core 1.2 §6.3.3).
    fn from_ipatch(
        message: &Message<'a>,
        bytes: &'a [u8],
        root: &str,
    ) -> Result<Self, OperationError> {
        if at_root(message, root).is_err() {
            let path = read_path(message, root)?;
            return match path.level() {
                Level::ObjectInstance => Self::from_post(message, bytes, path),
                _ => Err(OperationError::Method),
            };
        }
        no_query(message)?;
        let body = composite_body(message, bytes, |format| {
            matches!(
                format,
                ContentFormat::SENML_JSON
                    | ContentFormat::SENML_CBOR
                    | ContentFormat::SENML_ETCH_JSON
                    | ContentFormat::SENML_ETCH_CBOR
                    | ContentFormat::LWM2M_CBOR
            )
        })?;
        Ok(Self::WriteComposite { body })
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
    /// come behind them; the caller has chosen [`method`](super::Operation::method) as the code and adds
    /// [`body`](Self::body) as payload.
    ///
    /// To fetch the next blocks of a notification (RFC 7959 §3.4), write a
    /// [`Read`](super::Operation::Read) of the same path and format.
    pub fn write_options(&self, writer: &mut MessageWriter<'_>, root: &str) {
        match self {
            Self::Observe { .. } | Self::ObserveComposite { .. } => {
                writer.uint(OptionNumber::OBSERVE, 0);
            }
            Self::CancelObserve { .. } | Self::CancelObserveComposite { .. } => {
                writer.uint(OptionNumber::OBSERVE, 1);
            }
            _ => {}
        }
        // The standard prepends the alternate path to paths of objects only; in a composite it
        // stands in the names (Core 1.2 §6.2.1).
        if !self.is_composite() {
            write_path(self.path(), writer, root);
        }
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
            Self::Observe { parameters, .. }
            | Self::CancelObserve { parameters, .. }
            | Self::ObserveComposite { parameters, .. }
            | Self::CancelObserveComposite { parameters, .. } => {
                for (attribute, value) in parameters.iter() {
                    if let Some(segment) =
                        Scratch::<64>::format(format_args!("{attribute}={value}"))
                    {
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
            | Self::CancelObserve { accept, .. }
            | Self::ReadComposite { accept, .. }
            | Self::ObserveComposite { accept, .. }
            | Self::CancelObserveComposite { accept, .. } => *accept,
            _ => None,
        };
        if let Some(accept) = accept {
            writer.uint(OptionNumber::ACCEPT, u32::from(accept.0));
        }
    }

    /// Writes options and payload. The writer was made with [`method`](super::Operation::method) as the code.
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
            Self::Write { body, .. } | Self::WriteComposite { body } => Some(*body),
            Self::ReadComposite { paths, .. }
            | Self::ObserveComposite { paths, .. }
            | Self::CancelObserveComposite { paths, .. } => Some(*paths),
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

/// A composite goes to `/`. Whether to the alternate path is not said, so both are taken.
fn at_root(message: &Message<'_>, root: &str) -> Result<(), OperationError> {
    let at = |root| matches!(read_path(message, root), Ok(path) if path.level() == Level::Root);
    if at("") || at(root) {
        Ok(())
    } else {
        // Reports what is wrong with the path, if it is not just too deep for a composite.
        read_path(message, root)?;
        Err(OperationError::Method)
    }
}

fn composite_body<'a>(
    message: &Message<'_>,
    bytes: &'a [u8],
    fits: impl Fn(ContentFormat) -> bool,
) -> Result<Payload<'a>, OperationError> {
    let format = message
        .content_format()
        .map(ContentFormat)
        .ok_or(OperationError::ContentFormatMissing)?;
    if fits(format) {
        Ok(Payload { format, bytes })
    } else {
        Err(OperationError::ContentFormat(format))
    }
}

/// The observation attributes in the query of an Observe (Core 1.2 §6.4.1).
fn read_parameters(message: &Message<'_>, level: Level) -> Result<Attributes, OperationError> {
    let mut parameters = WriteAttributes::NONE;
    for segment in queries(message) {
        let segment = segment?;
        if segment.is_empty() {
            continue;
        }
        let change = match AttributeChange::parse(segment) {
            // There is nothing to unset, and what is no attribute is no query of an Observe.
            Ok(AttributeChange::Unset(_)) | Err(AttributeError::Unknown) => {
                return Err(OperationError::Query);
            }
            Ok(change) => change,
            Err(error) => return Err(OperationError::Attributes(error)),
        };
        parameters
            .push(change)
            .map_err(OperationError::Attributes)?;
    }
    let attributes = *parameters.attributes();
    attributes
        .check()
        .and_then(|()| parameters.check_target(level, None))
        .map_err(OperationError::Attributes)?;
    Ok(attributes)
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

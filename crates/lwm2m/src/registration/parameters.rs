use core::fmt;

use dunlin_coap::{Code, Message, MessageWriter, OptionNumber};

use super::{Binding, BindingError, Fault, Faults, ObjectListError, ProfileIds};
use crate::scratch::Scratch;
use crate::{ContentFormat, Feature, Version};

/// A query parameter of Register or Update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parameter {
    /// `ep`
    Endpoint,
    /// `lt`
    Lifetime,
    /// `lwm2m`
    Version,
    /// `b`
    Binding,
    /// `Q`
    QueueMode,
    /// `sms`
    Sms,
    /// `pid` (since 1.2)
    ProfileId,
}

impl Parameter {
    const ALL: [Self; 7] = [
        Self::Endpoint,
        Self::Lifetime,
        Self::Version,
        Self::Binding,
        Self::QueueMode,
        Self::Sms,
        Self::ProfileId,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Endpoint => "ep",
            Self::Lifetime => "lt",
            Self::Version => "lwm2m",
            Self::Binding => "b",
            Self::QueueMode => "Q",
            Self::Sms => "sms",
            Self::ProfileId => "pid",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|parameter| parameter.name() == name)
    }
}

/// Why a Register or Update is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegistrationError {
    /// A parameter that must be there is not.
    Missing(Parameter),
    /// A parameter stands twice.
    Duplicate(Parameter),
    /// A parameter has a value that it cannot have.
    Value(Parameter),
    /// The version is well-formed, but not one of 1.0, 1.1 and 1.2.
    UnsupportedVersion,
    /// The binding is not one of the version.
    Binding(BindingError),
    /// A query is not UTF-8.
    NotUtf8,
    /// The payload has another Content-Format than 40.
    ContentFormat(ContentFormat),
    /// There is no object list, and before 1.2 nothing can stand for it.
    ObjectListMissing,
    /// There is no object list and no Profile ID that stands for it (1.2).
    ObjectsUndetermined,
    /// The object list cannot be read.
    ObjectList(ObjectListError),
}

impl RegistrationError {
    /// The code of the response (Transport 1.2 Table 6.7-2).
    pub const fn code(self) -> Code {
        match self {
            Self::UnsupportedVersion => Code::PRECONDITION_FAILED,
            Self::ObjectsUndetermined => Code::CONFLICT,
            Self::ObjectList(ObjectListError::TooManyLinks) => Code::REQUEST_ENTITY_TOO_LARGE,
            _ => Code::BAD_REQUEST,
        }
    }
}

impl From<ObjectListError> for RegistrationError {
    fn from(error: ObjectListError) -> Self {
        Self::ObjectList(error)
    }
}

impl fmt::Display for RegistrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(parameter) => write!(f, "{} is missing", parameter.name()),
            Self::Duplicate(parameter) => write!(f, "{} stands twice", parameter.name()),
            Self::Value(parameter) => f.write_str(match parameter {
                Parameter::Endpoint => {
                    "ep takes a name of 1 to 252 bytes without control characters"
                }
                Parameter::Lifetime => "lt takes seconds from 0 to 4294967295",
                Parameter::Version => "lwm2m takes major.minor, as in 1.1",
                Parameter::Binding => "b takes letters, as in U",
                Parameter::QueueMode => "Q takes no value",
                Parameter::Sms => "sms takes a number without control characters",
                Parameter::ProfileId => "pid takes one or more ids, as in 6:27354b9a",
            }),
            Self::UnsupportedVersion => f.write_str("supported versions are 1.0, 1.1 and 1.2"),
            Self::Binding(error) => error.fmt(f),
            Self::NotUtf8 => f.write_str("a query is not UTF-8"),
            Self::ContentFormat(format) => {
                write!(
                    f,
                    "the object list has Content-Format {format}, 40 expected"
                )
            }
            Self::ObjectListMissing => f.write_str("the object list is missing"),
            Self::ObjectsUndetermined => f.write_str(
                "register with the object list: it is missing, and no Profile ID is known",
            ),
            Self::ObjectList(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for RegistrationError {}

/// The queries of a request, each known one at most once.
#[derive(Clone, Copy, Default)]
struct Queries<'a> {
    values: [Option<Option<&'a str>>; Parameter::ALL.len()],
}

impl<'a> Queries<'a> {
    fn read(message: &Message<'a>) -> Result<Self, RegistrationError> {
        let mut queries = Self::default();
        // Not `values`, which leaves out what is longer than 255 bytes: it is to be refused.
        let segments = message
            .options()
            .filter(|option| option.number == OptionNumber::URI_QUERY)
            .map(|option| option.value);
        for segment in segments {
            let segment = str::from_utf8(segment).map_err(|_| RegistrationError::NotUtf8)?;
            let (name, value) = split(segment);
            if let Some(parameter) = Parameter::from_name(name) {
                let slot = &mut queries.values[parameter as usize];
                if slot.is_some() {
                    return Err(RegistrationError::Duplicate(parameter));
                }
                *slot = Some(value);
            }
        }
        Ok(queries)
    }

    /// The value of a parameter that must have one when it is there.
    fn value(&self, parameter: Parameter) -> Result<Option<&'a str>, RegistrationError> {
        match self.values[parameter as usize] {
            None => Ok(None),
            Some(Some(value)) if !value.is_empty() => Ok(Some(value)),
            Some(_) => Err(RegistrationError::Value(parameter)),
        }
    }

    fn lifetime(&self) -> Result<Option<u32>, RegistrationError> {
        self.value(Parameter::Lifetime)?
            .map(|value| {
                // `str::parse` takes a leading plus, the standard does not.
                value
                    .bytes()
                    .all(|byte| byte.is_ascii_digit())
                    .then(|| value.parse().ok())
                    .flatten()
                    .ok_or(RegistrationError::Value(Parameter::Lifetime))
            })
            .transpose()
    }

    fn binding(&self, version: Version) -> Result<Option<Binding>, RegistrationError> {
        self.value(Parameter::Binding)?
            .map(|value| Binding::parse(value, version).map_err(RegistrationError::Binding))
            .transpose()
    }

    fn queue_mode(&self, version: Version, faults: &mut Faults) -> Result<bool, RegistrationError> {
        match self.values[Parameter::QueueMode as usize] {
            None => Ok(false),
            Some(Some(_)) => Err(RegistrationError::Value(Parameter::QueueMode)),
            Some(None) => {
                if version == Version::V1_0 {
                    faults.insert(Fault::QueueModeIn1_0);
                }
                Ok(true)
            }
        }
    }

    fn sms(&self, faults: &mut Faults) -> Result<Option<&'a str>, RegistrationError> {
        let Some(value) = self.value(Parameter::Sms)? else {
            return Ok(None);
        };
        let number = value.strip_prefix('+').unwrap_or(value);
        if number.len() != value.len() {
            faults.insert(Fault::SmsWithPlus);
        }
        if number.is_empty() || number.chars().any(char::is_control) {
            return Err(RegistrationError::Value(Parameter::Sms));
        }
        Ok(Some(number))
    }

    fn profile_id(&self, version: Version) -> Result<Option<&'a str>, RegistrationError> {
        if !Feature::ProfileId.is_in(version) {
            return Ok(None);
        }
        let value = self.value(Parameter::ProfileId)?;
        if value.is_some_and(|value| ProfileIds::parse(value).is_none()) {
            return Err(RegistrationError::Value(Parameter::ProfileId));
        }
        Ok(value)
    }
}

fn split(segment: &str) -> (&str, Option<&str>) {
    match segment.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (segment, None),
    }
}

/// Checks the Content-Format of an object list.
fn check_format(
    message: &Message<'_>,
    has_list: bool,
    faults: &mut Faults,
) -> Result<(), RegistrationError> {
    match message.content_format().map(ContentFormat) {
        Some(ContentFormat::LINK) => {}
        Some(format) if has_list => return Err(RegistrationError::ContentFormat(format)),
        None if has_list => faults.insert(Fault::ContentFormatMissing),
        _ => {}
    }
    Ok(())
}

/// Query parameters that the standard does not know, as name and value. They are kept, not
/// refused.
fn extra<'a>(
    message: &Message<'a>,
    version: Version,
) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + Clone + use<'a> {
    message
        .values(OptionNumber::URI_QUERY)
        .filter_map(|segment| str::from_utf8(segment).ok())
        .map(split)
        .filter(move |(name, _)| match Parameter::from_name(name) {
            None => !name.is_empty(),
            Some(parameter) => parameter == Parameter::ProfileId && version < Version::V1_2,
        })
}

/// The parameters of a Register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterParameters<'a> {
    /// Version of the enabler.
    pub version: Version,
    /// Endpoint client name; since 1.1 it may be missing, and the identity of the secure channel
    /// stands for it.
    pub endpoint: Option<&'a str>,
    /// Lifetime in seconds; 0 is infinite.
    pub lifetime: u32,
    /// Binding; `U` when it is missing.
    pub binding: Binding,
    /// Whether the device uses queue mode: `Q`, or a `Q` in a binding of 1.0.
    pub queue_mode: bool,
    /// SMS number without leading plus.
    pub sms: Option<&'a str>,
    /// Profile ID or a quoted list of them (1.2).
    pub profile_id: Option<&'a str>,
    /// What was tolerated.
    pub faults: Faults,
}

impl<'a> RegisterParameters<'a> {
    /// The longest endpoint name in bytes: what fits into an Uri-Query behind `ep=`.
    pub const MAX_ENDPOINT: usize = 252;

    /// Reads the parameters of a Register. The object list is read with
    /// [`ObjectList::parse`](super::ObjectList::parse).
    pub fn parse(message: &Message<'a>) -> Result<Self, RegistrationError> {
        Self::parse_with_body(message, message.payload)
    }

    /// As [`parse`](Self::parse), for an object list that came in several blocks.
    pub fn parse_with_body(message: &Message<'a>, body: &[u8]) -> Result<Self, RegistrationError> {
        let queries = Queries::read(message)?;
        let mut faults = Faults::NONE;
        // First of all the version: it decides how to read the rest, and its own refusal tells
        // the device to fall back.
        let version = queries
            .value(Parameter::Version)?
            .ok_or(RegistrationError::Missing(Parameter::Version))?;
        let version = parse_version(version)?;
        let endpoint = queries.value(Parameter::Endpoint)?;
        match endpoint {
            Some(name) if name.len() > Self::MAX_ENDPOINT || name.chars().any(char::is_control) => {
                return Err(RegistrationError::Value(Parameter::Endpoint));
            }
            None if version == Version::V1_0 => {
                return Err(RegistrationError::Missing(Parameter::Endpoint));
            }
            _ => {}
        }
        let lifetime = queries
            .lifetime()?
            .ok_or(RegistrationError::Missing(Parameter::Lifetime))?;
        let binding = queries.binding(version)?.unwrap_or_default();
        let queue_mode = queries.queue_mode(version, &mut faults)? || binding.is_queue_mode();
        let sms = queries.sms(&mut faults)?;
        let profile_id = queries.profile_id(version)?;
        check_format(message, !body.is_empty(), &mut faults)?;
        if body.is_empty() && profile_id.is_none() {
            return Err(if version < Version::V1_2 {
                RegistrationError::ObjectListMissing
            } else {
                RegistrationError::ObjectsUndetermined
            });
        }
        Ok(Self {
            version,
            endpoint,
            lifetime,
            binding,
            queue_mode,
            sms,
            profile_id,
            faults,
        })
    }

    /// Parameters the standard does not know, as name and value.
    pub fn extra(
        &self,
        message: &Message<'a>,
    ) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + Clone + use<'a> {
        extra(message, self.version)
    }

    /// Writes path, Content-Format and queries of a Register, in the order of their options. The
    /// object list follows as payload; block options come before it.
    ///
    /// In version 1.0 queue mode stands in the binding, later `Q` is written. A text that is too
    /// long for an Uri-Query is an error.
    pub fn write_options(&self, writer: &mut MessageWriter<'_>) -> Result<(), RegistrationError> {
        writer.option(OptionNumber::URI_PATH, b"rd");
        write_format(writer, true);
        if let Some(endpoint) = self.endpoint {
            write_query(writer, Parameter::Endpoint, endpoint)?;
        }
        write_lifetime(writer, self.lifetime);
        write_query(writer, Parameter::Version, self.version.as_str())?;
        write_binding(writer, self.binding);
        write_queue_mode(writer, self.queue_mode && self.version > Version::V1_0);
        if let Some(sms) = self.sms {
            write_query(writer, Parameter::Sms, sms)?;
        }
        if let Some(profile_id) = self.profile_id {
            write_query(writer, Parameter::ProfileId, profile_id)?;
        }
        Ok(())
    }
}

/// The parameters of an Update: only what changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpdateParameters<'a> {
    /// New lifetime in seconds; 0 is infinite.
    pub lifetime: Option<u32>,
    /// New binding. Before 1.1 it carries queue mode with it.
    pub binding: Option<Binding>,
    /// Whether `Q` is there. It is bound to `binding`: without a binding queue mode stays as it is
    /// unless `Q` switches it on.
    pub queue_mode: bool,
    /// New SMS number.
    pub sms: Option<&'a str>,
    /// New Profile ID (1.2).
    pub profile_id: Option<&'a str>,
    /// Whether a new object list comes as payload. It replaces the old one.
    pub has_object_list: bool,
    /// What was tolerated.
    pub faults: Faults,
}

impl<'a> UpdateParameters<'a> {
    /// Reads the parameters of an Update by the rules of the version that the device registered
    /// with.
    pub fn parse(message: &Message<'a>, version: Version) -> Result<Self, RegistrationError> {
        Self::parse_with_body(message, message.payload, version)
    }

    /// As [`parse`](Self::parse), for an object list that came in several blocks.
    pub fn parse_with_body(
        message: &Message<'a>,
        body: &[u8],
        version: Version,
    ) -> Result<Self, RegistrationError> {
        let queries = Queries::read(message)?;
        let mut faults = Faults::NONE;
        for parameter in [Parameter::Endpoint, Parameter::Version] {
            if queries.values[parameter as usize].is_some() {
                faults.insert(Fault::RegisterParameterInUpdate);
            }
        }
        let lifetime = queries.lifetime()?;
        let binding = queries.binding(version)?;
        let queue_mode = queries.queue_mode(version, &mut faults)?
            || binding.is_some_and(Binding::is_queue_mode);
        let sms = queries.sms(&mut faults)?;
        let profile_id = queries.profile_id(version)?;
        check_format(message, !body.is_empty(), &mut faults)?;
        Ok(Self {
            lifetime,
            binding,
            queue_mode,
            sms,
            profile_id,
            has_object_list: !body.is_empty(),
            faults,
        })
    }

    /// Parameters the standard does not know, as name and value.
    pub fn extra(
        &self,
        message: &Message<'a>,
        version: Version,
    ) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + Clone + use<'a> {
        extra(message, version)
    }

    /// Writes Content-Format (when there is an object list) and queries of an Update. The caller
    /// has written the location as Uri-Path before, and adds the list as payload. A text that is
    /// too long for an Uri-Query is an error.
    pub fn write_options(
        &self,
        writer: &mut MessageWriter<'_>,
        version: Version,
    ) -> Result<(), RegistrationError> {
        write_format(writer, self.has_object_list);
        if let Some(lifetime) = self.lifetime {
            write_lifetime(writer, lifetime);
        }
        if let Some(binding) = self.binding {
            write_binding(writer, binding);
        }
        write_queue_mode(writer, self.queue_mode && version > Version::V1_0);
        if let Some(sms) = self.sms {
            write_query(writer, Parameter::Sms, sms)?;
        }
        if let Some(profile_id) = self.profile_id {
            write_query(writer, Parameter::ProfileId, profile_id)?;
        }
        Ok(())
    }
}

/// `1*DIGIT "." 1*DIGIT` without leading zeros and without the patch digit.
fn parse_version(text: &str) -> Result<Version, RegistrationError> {
    if let Ok(version) = text.parse() {
        return Ok(version);
    }
    let is_number = |digits: &str| {
        !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits.len() == 1 || !digits.starts_with('0'))
    };
    match text.split_once('.') {
        Some((major, minor)) if is_number(major) && is_number(minor) => {
            Err(RegistrationError::UnsupportedVersion)
        }
        _ => Err(RegistrationError::Value(Parameter::Version)),
    }
}

fn write_format(writer: &mut MessageWriter<'_>, has_list: bool) {
    if has_list {
        writer.uint(
            OptionNumber::CONTENT_FORMAT,
            u32::from(ContentFormat::LINK.0),
        );
    }
}

fn write_query(
    writer: &mut MessageWriter<'_>,
    parameter: Parameter,
    value: &str,
) -> Result<(), RegistrationError> {
    // 255 bytes are the longest Uri-Query; `MAX_ENDPOINT` fits with its name.
    let segment = Scratch::<255>::format(format_args!("{}={value}", parameter.name()))
        .ok_or(RegistrationError::Value(parameter))?;
    writer.option(OptionNumber::URI_QUERY, segment.as_bytes());
    Ok(())
}

fn write_lifetime(writer: &mut MessageWriter<'_>, lifetime: u32) {
    if let Some(segment) = Scratch::<16>::format(format_args!("lt={lifetime}")) {
        writer.option(OptionNumber::URI_QUERY, segment.as_bytes());
    }
}

fn write_binding(writer: &mut MessageWriter<'_>, binding: Binding) {
    if let Some(segment) = Scratch::<16>::format(format_args!("b={binding}")) {
        writer.option(OptionNumber::URI_QUERY, segment.as_bytes());
    }
}

fn write_queue_mode(writer: &mut MessageWriter<'_>, queue_mode: bool) {
    if queue_mode {
        writer.option(OptionNumber::URI_QUERY, b"Q");
    }
}

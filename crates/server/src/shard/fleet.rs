//! What many devices have in common: parameters and object lists, each kept once.

use core::fmt::Write as _;
use std::sync::Arc;

use dunlin_coap::{Code, Message, MessageWriter, OptionNumber, Type, path};
use dunlin_lwm2m::definition::{ResourceType, Types};
use dunlin_lwm2m::registration::{
    Binding, Faults, ObjectList, RegisterParameters, RegistrationError,
};
use dunlin_lwm2m::{ContentFormat, ObjectVersion, Version};

use super::config::ObjectTypes;
use super::interner::Keyed;
use crate::api::DeviceObject;

/// The parameters of a registration, all but the endpoint name.
#[derive(Debug)]
pub(super) struct ParameterSet {
    /// Queries as sent, percent-encoded where needed and joined by `&`, without `ep`.
    pub(super) text: Box<str>,
    pub(super) version: Version,
    pub(super) lifetime: u32,
    pub(super) binding: Binding,
    pub(super) queue_mode: bool,
    pub(super) sms: Option<Box<str>>,
    /// Parameters the standard does not know.
    pub(super) extra: Box<[(Box<str>, Box<str>)]>,
    pub(super) faults: Faults,
}

impl Keyed for ParameterSet {
    fn key(&self) -> (u32, &str) {
        (self.faults.bits(), &self.text)
    }
}

impl ParameterSet {
    pub(super) fn new(
        text: &str,
        parameters: &RegisterParameters<'_>,
        message: &Message<'_>,
    ) -> Self {
        let extra = parameters.extra(message);
        Self {
            text: text.into(),
            version: parameters.version,
            lifetime: parameters.lifetime,
            binding: parameters.binding,
            queue_mode: parameters.queue_mode,
            sms: parameters.sms.map(Into::into),
            extra: extra
                .map(|(name, value)| (name.into(), value.unwrap_or_default().into()))
                .collect(),
            faults: parameters.faults,
        }
    }
}

/// Writes the queries of a message, all but `ep`, into `text`.
pub(super) fn join_queries(message: &Message<'_>, text: &mut String) {
    text.clear();
    for segment in queries(message) {
        if !is_named(segment, "ep") {
            push_query(segment, text);
        }
    }
}

/// Writes the queries of a registration with those of an Update in place of the old ones.
///
/// A new binding takes the old queue mode with it: `Q` belongs to `b`.
pub(super) fn merge_queries(old: &str, message: &Message<'_>, text: &mut String) {
    text.clear();
    let segments = || old.split('&').filter(|segment| !segment.is_empty());
    let in_old = |name: &str| segments().any(|segment| is_named(segment, name));
    // Tolerated and ignored.
    let new = || {
        queries(message).filter(|segment| !is_named(segment, "ep") && !is_named(segment, "lwm2m"))
    };
    let in_new = |name: &str| new().any(|segment| is_named(segment, name));
    for (index, segment) in segments().enumerate() {
        let name = name_of(segment);
        if in_new(name) {
            let first = segments().position(|other| is_named(other, name));
            if first == Some(index) {
                for new in new().filter(|new| is_named(new, name)) {
                    push_query(new, text);
                }
            }
        } else if name != "Q" || !in_new("b") {
            if !text.is_empty() {
                text.push('&');
            }
            text.push_str(segment);
        }
    }
    for segment in new().filter(|segment| !in_old(name_of(segment))) {
        push_query(segment, text);
    }
}

fn name_of(segment: &str) -> &str {
    segment.split('=').next().unwrap_or(segment)
}

fn queries<'a>(message: &Message<'a>) -> impl Iterator<Item = &'a str> + use<'a> {
    message
        .values(OptionNumber::URI_QUERY)
        .filter_map(|segment| str::from_utf8(segment).ok())
        .filter(|segment| !segment.is_empty())
}

fn is_named(segment: &str, name: &str) -> bool {
    segment
        .strip_prefix(name)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
}

fn push_query(segment: &str, text: &mut String) {
    if !text.is_empty() {
        text.push('&');
    }
    for character in segment.chars() {
        if matches!(character, '%' | '&') || character.is_control() {
            let mut bytes = [0; 4];
            for byte in character.encode_utf8(&mut bytes).bytes() {
                // Writing to a String cannot fail.
                let _ = write!(text, "%{byte:02X}");
            }
        } else {
            text.push(character);
        }
    }
}

/// Reads parameters from the text that [`join_queries`] or [`merge_queries`] made; `faults` come on
/// top of those that the text shows.
pub(super) fn read_parameters(
    text: &str,
    faults: Faults,
) -> Result<ParameterSet, RegistrationError> {
    let mut buffer = vec![0; 2 * text.len() + 64];
    let mut writer = MessageWriter::new(&mut buffer, Type::NonConfirmable, Code::POST, 0, &[]);
    writer.uint(
        OptionNumber::CONTENT_FORMAT,
        u32::from(ContentFormat::LINK.0),
    );
    let written = path::write_query(&mut writer, text).and_then(|()| {
        // In 1.0 the endpoint is a must; any will do here.
        writer.option(OptionNumber::URI_QUERY, b"ep=x");
        writer.finish()
    });
    let length = written.map_err(|_| RegistrationError::NotUtf8)?;
    let message =
        Message::parse(&buffer[..length]).map_err(|_| RegistrationError::ObjectListMissing)?;
    let parameters = RegisterParameters::parse_with_body(&message, b"</>")?;
    let mut set = ParameterSet::new(text, &parameters, &message);
    set.faults = set.faults.union(faults);
    Ok(set)
}

/// Whether a message has no query.
pub(super) fn has_no_query(message: &Message<'_>) -> bool {
    queries(message).next().is_none()
}

/// An object list.
#[derive(Debug)]
pub(super) struct DeviceObjects {
    version: Version,
    /// As sent.
    pub(super) text: Box<str>,
    /// The alternate path, `/` when there is none.
    pub(super) root: Box<str>,
    pub(super) formats: Box<[ContentFormat]>,
    pub(super) objects: Arc<[DeviceObject]>,
    pub(super) faults: Faults,
}

impl Keyed for DeviceObjects {
    fn key(&self) -> (u32, &str) {
        (self.version as u32, &self.text)
    }
}

impl DeviceObjects {
    pub(super) fn parse(
        text: &str,
        version: Version,
        max_links: usize,
    ) -> Result<Self, RegistrationError> {
        let list = ObjectList::parse(text.as_bytes(), version, max_links)?;
        let objects = list.to_objects().into_iter().map(|object| DeviceObject {
            id: object.id,
            version: object.version,
            instances: object.instances,
        });
        Ok(Self {
            version,
            text: text.into(),
            root: list.root().into(),
            formats: list.content_formats().collect(),
            objects: objects.collect(),
            faults: list.faults(),
        })
    }

    fn version_of(&self, object: u16) -> Option<ObjectVersion> {
        self.objects
            .binary_search_by_key(&object, |object| object.id)
            .ok()
            .map(|index| self.objects[index].version)
    }
}

/// The types of the resources of one device: each object in the version it announced.
pub(super) struct DeviceTypes<'a> {
    pub(super) objects: &'a DeviceObjects,
    pub(super) models: &'a dyn ObjectTypes,
}

impl Types for DeviceTypes<'_> {
    fn resource_type(&self, object: u16, resource: u16) -> Option<ResourceType> {
        let version = self
            .objects
            .version_of(object)
            .unwrap_or(ObjectVersion::V1_0);
        self.models.resource_type(object, version, resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(queries: &[&str]) -> Vec<u8> {
        let mut buffer = vec![0; 1024];
        let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, Code::POST, 1, &[]);
        for query in queries {
            writer.option(OptionNumber::URI_QUERY, query.as_bytes());
        }
        let length = writer.finish().expect("fits");
        buffer.truncate(length);
        buffer
    }

    #[test]
    fn queries_survive_being_joined_and_read_again() {
        let bytes = message(&["ep=a", "lt=60", "lwm2m=1.1", "b=UT", "Q", "note=50%&more"]);
        let message = Message::parse(&bytes).expect("message");
        let mut text = String::new();
        join_queries(&message, &mut text);
        assert_eq!(text, "lt=60&lwm2m=1.1&b=UT&Q&note=50%25%26more");
        let set = read_parameters(&text, Faults::NONE).expect("parameters");
        assert_eq!((set.lifetime, set.queue_mode), (60, true));
        assert_eq!(&*set.extra, [("note".into(), "50%&more".into())]);
    }

    #[test]
    fn an_update_replaces_what_it_names() {
        let bytes = message(&["lt=90", "b=U"]);
        let update = Message::parse(&bytes).expect("message");
        let mut text = String::new();
        merge_queries("lt=60&lwm2m=1.1&b=UT&Q&sms=1", &update, &mut text);
        assert_eq!(text, "lt=90&lwm2m=1.1&b=U&sms=1", "Q goes with b");
        let bytes = message(&["Q"]);
        let update = Message::parse(&bytes).expect("message");
        merge_queries("lt=60&lwm2m=1.1&b=U", &update, &mut text);
        assert_eq!(text, "lt=60&lwm2m=1.1&b=U&Q");
    }
}

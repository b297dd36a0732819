//! Values of the device's own tree as text, for people.

use std::fmt::Write;

use anyhow::{Context, anyhow, bail};
use dunlin_client::{Object, Objects, Path, Value};
use dunlin_lwm2m::definition::ResourceDefinition;
use dunlin_lwm2m::{DataType, Level, ObjectLink};

pub(super) fn all(objects: &dyn Objects) -> impl Iterator<Item = &dyn Object> {
    (0..).map_while(|position| objects.object(position))
}

fn instance_ids(object: &dyn Object) -> impl Iterator<Item = u16> {
    (0..).map_while(|position| object.instance_id(position))
}

fn find_mut(objects: &mut dyn Objects, id: u16) -> anyhow::Result<&mut dyn Object> {
    let position = all(objects)
        .position(|object| object.definition().id == id)
        .with_context(|| format!("there is no object {id}"))?;
    objects
        .object_mut(position)
        .with_context(|| format!("there is no object {id}"))
}

pub(super) fn parse_path(text: &str) -> anyhow::Result<Path> {
    text.parse().map_err(|error| anyhow!("{text}: {error}"))
}

/// Sets a resource or a resource instance, whatever a server may do with it.
pub(super) fn set(objects: &mut dyn Objects, path: &str, text: &str) -> anyhow::Result<()> {
    let path = parse_path(path)?;
    let (Some(object), Some(instance), Some(resource)) =
        (path.object_id(), path.instance_id(), path.resource_id())
    else {
        bail!("{path} is not a resource; expected a path such as /3303/0/5700");
    };
    let object = find_mut(objects, object)?;
    let definition = object
        .definition()
        .resource(resource)
        .with_context(|| format!("there is no resource {path}"))?;
    if definition.multiple != (path.level() == Level::ResourceInstance) {
        bail!(
            "{path}: {} {} resource instances",
            definition.name,
            if definition.multiple { "has" } else { "has no" }
        );
    }
    let value = Parsed::new(definition, text)?;
    let mut error = None;
    let result = object.transaction(instance, &mut |content| {
        let Some(field) = content.field_mut(resource) else {
            return Err(dunlin_client::Code::NOT_FOUND);
        };
        let id = path.resource_instance_id().unwrap_or(0);
        if let Err(reason) = field.set(id, value.as_value()) {
            error = Some(reason);
            return Err(dunlin_client::Code::BAD_REQUEST);
        }
        content.written(resource)
    });
    match (result, error) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(error)) => Err(anyhow!("{path}: {error}")),
        (Err(dunlin_client::Code::NOT_FOUND), None) => bail!("there is no resource {path}"),
        (Err(code), None) => bail!("{path}: the device refuses the value ({code})"),
    }
}

pub(super) fn create(objects: &mut dyn Objects, path: &str) -> anyhow::Result<Path> {
    let path = parse_path(path)?;
    let object = path
        .object_id()
        .filter(|_| path.level() <= Level::ObjectInstance)
        .context("expected an object or an instance, as in /3303 or /3303/1")?;
    let id = find_mut(objects, object)?
        .create(path.instance_id(), &mut |_| Ok(()))
        .map_err(|code| anyhow!("{path} cannot be created ({code} {})", code.name()))?;
    Ok(Path::instance(object, id))
}

pub(super) fn delete(objects: &mut dyn Objects, path: &str) -> anyhow::Result<Path> {
    let path = parse_path(path)?;
    let (Some(object), Some(instance), Level::ObjectInstance) =
        (path.object_id(), path.instance_id(), path.level())
    else {
        bail!("expected an instance, as in /3303/1");
    };
    find_mut(objects, object)?
        .delete(instance)
        .map_err(|code| anyhow!("{path} cannot be deleted ({code} {})", code.name()))?;
    Ok(path)
}

/// `path = value` for everything at and below a path, with names.
pub(super) fn list(objects: &dyn Objects, path: Path) -> String {
    let mut text = String::new();
    for object in all(objects) {
        let definition = object.definition();
        for id in instance_ids(object) {
            let Some(instance) = object.instance(id) else {
                continue;
            };
            for resource in instance.resources() {
                let at = Path::resource(definition.id, id, *resource);
                let Some(definition) = definition.resource(*resource) else {
                    continue;
                };
                let Some(field) = instance.field(*resource) else {
                    if path.contains(&at) && definition.operations.is_executable() {
                        let _ = writeln!(text, "{at}    (execute) {}", definition.name);
                    }
                    continue;
                };
                for (id, value) in (0..).map_while(|position| field.get(position)) {
                    let at = if definition.multiple {
                        at.child(id).unwrap_or(at)
                    } else {
                        at
                    };
                    if path.contains(&at) {
                        let name = definition.name;
                        let _ = writeln!(text, "{at} = {}    {name}", show(value));
                    }
                }
            }
        }
    }
    text
}

fn show(value: Value<'_>) -> String {
    match value {
        Value::String(text) | Value::CoreLink(text) => format!("{text:?}"),
        Value::Integer(number) | Value::Time(number) => number.to_string(),
        Value::Unsigned(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Opaque(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        Value::ObjectLink(link) => link.to_string(),
    }
}

/// A value read from text, by the resource's type.
enum Parsed {
    Text(String),
    Bytes(Vec<u8>),
    Other(Value<'static>),
}

impl Parsed {
    fn new(definition: &ResourceDefinition, text: &str) -> anyhow::Result<Self> {
        let Some(data_type) = definition.data_type else {
            bail!("{} is executable: it has no value", definition.name);
        };
        let expected = || {
            format!(
                "{text} is not a value of type {}, which {} needs",
                data_type.name(),
                definition.name
            )
        };
        Ok(match data_type {
            DataType::String | DataType::CoreLink => Self::Text(unquoted(text).to_owned()),
            DataType::Integer => Self::Other(Value::Integer(text.parse().with_context(expected)?)),
            DataType::Time => Self::Other(Value::Time(text.parse().with_context(expected)?)),
            DataType::Unsigned => {
                Self::Other(Value::Unsigned(text.parse().with_context(expected)?))
            }
            DataType::Float => {
                let number: f64 = text.parse().with_context(expected)?;
                Self::Other(Value::Float(number))
            }
            DataType::Boolean => Self::Other(Value::Boolean(match text {
                "true" | "1" => true,
                "false" | "0" => false,
                _ => bail!(expected()),
            })),
            DataType::ObjectLink => {
                let link: ObjectLink = text.parse().with_context(expected)?;
                Self::Other(Value::ObjectLink(link))
            }
            DataType::Opaque => Self::Bytes(from_hex(text).with_context(expected)?),
        })
    }

    fn as_value(&self) -> Value<'_> {
        match self {
            Self::Text(text) => Value::String(text),
            Self::Bytes(bytes) => Value::Opaque(bytes),
            Self::Other(value) => *value,
        }
    }
}

fn unquoted(text: &str) -> &str {
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
        .collect()
}

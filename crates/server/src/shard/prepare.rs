//! Operations made ready for a device, and its answers read: formats by version and announcement.

use dunlin_coap::Instant;
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_lwm2m::{
    Arguments, Attribute, AttributeChange, AttributeValue, ContentFormat, Level, MAX_ID,
    OwnedRecord, OwnedValue, Path, Version, WriteAttributes, format,
};

use super::Shard;
use super::activity::{Body, Prepared};
use super::fleet::{DeviceObjects, DeviceTypes};
use crate::api::{AttributeChanges, DeviceOperation, OperateError, OperateOptions};

/// Formats that carry any content, in the order of preference.
const COMPLETE: [ContentFormat; 3] = [
    ContentFormat::SENML_CBOR,
    ContentFormat::SENML_JSON,
    ContentFormat::TLV,
];

fn invalid(why: impl Into<String>) -> OperateError {
    OperateError::Invalid(why.into())
}

impl Shard {
    /// Makes an operation ready to be sent to a device.
    pub(super) fn prepare(
        &self,
        slot: u32,
        operation: DeviceOperation,
        options: &OperateOptions,
    ) -> Result<Prepared, OperateError> {
        let registration = self
            .registry
            .get(slot)
            .ok_or(OperateError::UnknownEndpoint)?;
        let version = self.parameters.get(registration.parameters).version;
        let list = self.lists.get(registration.links);
        let path = operation.path();
        if path.ids().contains(&MAX_ID) {
            return Err(invalid("65535 is no id of anything on a device"));
        }
        if path.level() == Level::Root {
            return Err(invalid("name at least an object, as in /3"));
        }
        if path.level() == Level::ResourceInstance && version == Version::V1_0 {
            return Err(invalid(
                "the device speaks LwM2M 1.0, which cannot address resource instances",
            ));
        }
        Ok(match operation {
            Operation::Read { path, accept } => Operation::Read {
                path,
                accept: accept.or(options.format).or_else(|| preferred_answer(list)),
            },
            Operation::Discover { path, depth } => {
                if path.level() == Level::ResourceInstance {
                    return Err(invalid(
                        "Discover takes an object, an instance or a resource",
                    ));
                }
                // Before 1.2 there is no depth, and a strict client refuses unknown queries.
                let depth = depth.filter(|_| version >= Version::V1_2);
                Operation::Discover { path, depth }
            }
            Operation::Write { path, mode, body } => {
                if path.level() < Level::ObjectInstance {
                    return Err(invalid(
                        "Write takes an instance, a resource or its instance",
                    ));
                }
                if mode == WriteMode::Update && path.level() == Level::ResourceInstance {
                    return Err(invalid("a resource instance can only be replaced"));
                }
                // A POST on a resource would be an Execute, unless it has several instances.
                let one_value = is_one_value(path, &body);
                if mode == WriteMode::Update && path.level() == Level::Resource && one_value {
                    return Err(invalid(
                        "a single resource can only be replaced: use PUT instead of PATCH",
                    ));
                }
                let body = write(list, version, path, body, options.format)?;
                Operation::Write { path, mode, body }
            }
            Operation::WriteAttributes { path, attributes } => {
                let attributes = attribute_changes(&attributes).map_err(OperateError::Invalid)?;
                if attributes.is_empty() {
                    return Err(invalid("name at least one attribute, as in pmin"));
                }
                attributes
                    .check_target(path.level(), None)
                    .map_err(|error| invalid(error.to_string()))?;
                Operation::WriteAttributes { path, attributes }
            }
            Operation::Execute { path, arguments } => {
                if path.level() != Level::Resource {
                    return Err(invalid("Execute takes a resource, as in /3/0/4"));
                }
                Arguments::parse(&arguments).map_err(|error| invalid(error.to_string()))?;
                Operation::Execute { path, arguments }
            }
            Operation::Create { object, body } => {
                let path = Path::object(object);
                let body = match body {
                    Some(body) if !body.is_empty() => {
                        Some(write(list, version, path, body, options.format)?)
                    }
                    _ if version < Version::V1_2 => {
                        return Err(invalid(
                            "before LwM2M 1.2 a Create needs the content of the instance",
                        ));
                    }
                    _ => None,
                };
                Operation::Create { object, body }
            }
            Operation::Delete { path } => {
                let legal = match path.level() {
                    Level::ObjectInstance => true,
                    Level::ResourceInstance => version >= Version::V1_2,
                    _ => false,
                };
                if !legal {
                    return Err(invalid(
                        "Delete takes an object instance, since 1.2 also a resource instance",
                    ));
                }
                Operation::Delete { path }
            }
            Operation::Observe { .. }
            | Operation::CancelObserve { .. }
            | Operation::ObserveComposite { .. }
            | Operation::CancelObserveComposite { .. } => {
                return Err(invalid("observations are made by wishes"));
            }
            Operation::ReadComposite { .. } | Operation::WriteComposite { .. } => {
                return Err(invalid("composite operations are not there yet"));
            }
        })
    }

    /// Reads what a device answered to a Read, or notified.
    pub(super) fn decode(
        &self,
        now: Instant,
        slot: u32,
        target: Path,
        format: Option<u16>,
        payload: &[u8],
    ) -> Result<Vec<OwnedRecord>, String> {
        let Some(registration) = self.registry.get(slot) else {
            return Ok(Vec::new());
        };
        let list = self.lists.get(registration.links);
        let Some(format) = format.map(ContentFormat) else {
            if payload.is_empty() {
                return Ok(Vec::new());
            }
            return Err("the Content-Format is missing".to_owned());
        };
        let types = DeviceTypes {
            objects: list,
            models: &*self.config.models,
        };
        let scope = format::Scope {
            target,
            root: &list.root,
        };
        let mut scratch = vec![0; payload.len()];
        let mut reader = format::reader(format, payload, scope, &types, &mut scratch)
            .map_err(|error| format!("{format}: {error}"))?;
        let unix = self.unix(now);
        let mut records = Vec::new();
        while let Some(record) = reader.next_record() {
            let mut record = record.map_err(|error| format!("{format}: {error}"))?;
            if !target.contains(&record.path) {
                return Err(format!("{} was not asked for", record.path));
            }
            if records.len() >= self.config.limits.records {
                return Err("there are too many records".to_owned());
            }
            record.time = record.unix_time(unix);
            records.push(OwnedRecord::from(record));
        }
        Ok(records)
    }

    /// The format to ask a device for; `None` lets it choose.
    pub(super) fn accept(&self, slot: u32) -> Option<ContentFormat> {
        let registration = self.registry.get(slot)?;
        preferred_answer(self.lists.get(registration.links))
    }
}

/// A device that says what it has is asked for the best of it, so that it does not choose a format
/// that this server cannot read. Of one that says nothing any format is taken.
fn preferred_answer(list: &DeviceObjects) -> Option<ContentFormat> {
    COMPLETE
        .into_iter()
        .find(|format| list.formats.contains(format))
}

fn is_one_value(target: Path, records: &[OwnedRecord]) -> bool {
    match records {
        [record] => {
            record.path == target && target.level() >= Level::Resource && record.value.is_some()
        }
        _ => false,
    }
}

/// The format to write in.
///
/// 1.0 clients have TLV (mandatory there). Since 1.1 text and opaque are mandatory for one value;
/// for the rest what the device announced, else SenML CBOR.
fn write_format(
    list: &DeviceObjects,
    version: Version,
    target: Path,
    records: &[OwnedRecord],
) -> ContentFormat {
    if version == Version::V1_0 {
        return ContentFormat::TLV;
    }
    if is_one_value(target, records) {
        return match records.first().and_then(|record| record.value.as_ref()) {
            Some(OwnedValue::Opaque(_)) => ContentFormat::OPAQUE,
            _ => ContentFormat::TEXT,
        };
    }
    let chosen_by_device = records
        .iter()
        .any(|record| record.path.instance_id() == Some(MAX_ID));
    if chosen_by_device {
        // Only TLV can leave the instance id to the device.
        return ContentFormat::TLV;
    }
    preferred_answer(list).unwrap_or(ContentFormat::SENML_CBOR)
}

fn write(
    list: &DeviceObjects,
    version: Version,
    target: Path,
    mut records: Vec<OwnedRecord>,
    format: Option<ContentFormat>,
) -> Result<Body, OperateError> {
    for record in &records {
        let chosen_by_device = target.level() == Level::Object
            && record.path.object_id() == target.object_id()
            && record.path.instance_id() == Some(MAX_ID);
        if !target.contains(&record.path)
            || record.path.ids().contains(&MAX_ID) && !chosen_by_device
        {
            return Err(invalid(format!("{} is not below {target}", record.path)));
        }
    }
    records.sort_by_key(|record| record.path);
    let format = format.unwrap_or_else(|| write_format(list, version, target, &records));
    let scope = format::Scope {
        target,
        root: &list.root,
    };
    let bytes = format::write_all(format, scope, &records)
        .map_err(|error| invalid(format!("cannot be written as {format}: {error}")))?;
    Ok(Body {
        format,
        bytes,
        block: None,
    })
}

/// Attributes by name as they are written.
pub(super) fn attribute_changes(changes: &AttributeChanges) -> Result<WriteAttributes, String> {
    let mut write = WriteAttributes::NONE;
    for (name, value) in changes {
        let attribute = Attribute::from_name(name)
            .ok_or_else(|| format!("{name} is no attribute that can be written"))?;
        let change = match value {
            None => AttributeChange::Unset(attribute),
            Some(value) => AttributeChange::Set(attribute, attribute_value(attribute, *value)?),
        };
        write.push(change).map_err(|error| error.to_string())?;
    }
    write
        .attributes()
        .check()
        .map_err(|error| error.to_string())?;
    Ok(write)
}

fn attribute_value(attribute: Attribute, value: f64) -> Result<AttributeValue, String> {
    let whole = |most: f64| value >= 0.0 && value <= most && value.fract() == 0.0;
    match attribute {
        Attribute::Gt | Attribute::Lt | Attribute::St if value.is_finite() => {
            Ok(AttributeValue::Float(value))
        }
        Attribute::Edge | Attribute::Con if whole(1.0) => Ok(AttributeValue::Boolean(value == 1.0)),
        Attribute::Pmin
        | Attribute::Pmax
        | Attribute::Epmin
        | Attribute::Epmax
        | Attribute::Hqmax
            if whole(f64::from(u32::MAX)) =>
        {
            Ok(AttributeValue::Integer(value as u32))
        }
        _ => Err(format!("{value} is no value for {}", attribute.name())),
    }
}

/// Whether attributes can be written at this path at all.
pub(super) fn check_wish(path: Path, attributes: &AttributeChanges) -> Result<(), OperateError> {
    if path.level() == Level::Root || path.ids().contains(&MAX_ID) {
        return Err(invalid("name at least an object, as in /3"));
    }
    let changes = attribute_changes(attributes).map_err(OperateError::Invalid)?;
    changes
        .check_target(path.level(), None)
        .map_err(|error| invalid(error.to_string()))
}

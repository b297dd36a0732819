//! Operations made ready for a device, and its answers read: formats by version and announcement.

use dunlin_coap::Instant;
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_lwm2m::{
    Arguments, Attribute, AttributeChange, AttributeError, AttributeValue, Attributes,
    ContentFormat, Feature, Level, MAX_ID, OwnedRecord, Path, WriteAttributes, format,
};

use super::Shard;
use super::activity::{Body, Prepared};
use super::fleet::DeviceTypes;
use super::formats::{Dialect, is_one_value};
use super::registry::Registration;
use crate::api::{AttributeChanges, DeviceOperation, Observed, OperateError, OperateOptions};

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
        let dialect = self.dialect(registration);
        let path = operation.path();
        if path.ids().contains(&MAX_ID) {
            return Err(invalid("65535 is no id of anything on a device"));
        }
        if path.level() == Level::Root && !operation.is_composite() {
            return Err(invalid("name at least an object, as in /3"));
        }
        dialect.need_level(path)?;
        if !options.confirmable {
            if !matches!(operation, Operation::Execute { .. }) {
                return Err(invalid("only an Execute may be Non-confirmable"));
            }
            let what = "Execute as a Non-confirmable request";
            dialect.need(Feature::ExecuteNonConfirmable, what)?;
        }
        Ok(match operation {
            Operation::Read { path, accept } => {
                let accept = accept
                    .or(options.format)
                    .map(|format| dialect.allowed(format))
                    .transpose()?
                    .or_else(|| dialect.answer());
                Operation::Read { path, accept }
            }
            Operation::Discover { path, depth } => {
                if path.level() == Level::ResourceInstance {
                    return Err(invalid(
                        "Discover takes an object, an instance or a resource",
                    ));
                }
                // Before 1.2 there is no depth, and a strict client refuses unknown queries.
                let depth = depth.filter(|_| dialect.has(Feature::DiscoverDepth));
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
                if mode == WriteMode::Update && path.level() == Level::Resource {
                    let what = "partial update of a resource";
                    dialect.need(Feature::ResourceUpdate, what)?;
                }
                // A POST on a resource would be an Execute, unless it has several instances.
                let one_value = is_one_value(path, &body);
                if mode == WriteMode::Update && path.level() == Level::Resource && one_value {
                    return Err(invalid(
                        "a single resource can only be replaced: use PUT instead of PATCH",
                    ));
                }
                let body = write(&dialect, path, body, options.format)?;
                Operation::Write { path, mode, body }
            }
            Operation::WriteAttributes { path, attributes } => {
                let attributes = attribute_changes(&attributes).map_err(OperateError::Invalid)?;
                if attributes.is_empty() {
                    return Err(invalid("name at least one attribute, as in pmin"));
                }
                check_attributes(&dialect, &attributes)?;
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
                        Some(write(&dialect, path, body, options.format)?)
                    }
                    _ => {
                        dialect.need(Feature::CreateWithoutContent, "Create without content")?;
                        None
                    }
                };
                Operation::Create { object, body }
            }
            Operation::Delete { path } => {
                match path.level() {
                    Level::ObjectInstance => {}
                    Level::ResourceInstance => {
                        let what = "Delete of a resource instance";
                        dialect.need(Feature::ResourceInstanceDelete, what)?;
                    }
                    _ => {
                        return Err(invalid(
                            "Delete takes an object instance, since 1.2 also a resource instance",
                        ));
                    }
                }
                Operation::Delete { path }
            }
            Operation::Observe { .. }
            | Operation::CancelObserve { .. }
            | Operation::ObserveComposite { .. }
            | Operation::CancelObserveComposite { .. } => {
                return Err(invalid("observations are made by wishes"));
            }
            Operation::ReadComposite { paths, accept } => {
                self.read_composite(&dialect, &paths, accept.or(options.format))?
            }
            Operation::WriteComposite { body } => {
                self.write_composite(&dialect, body, options.format)?
            }
        })
    }

    fn dialect(&self, registration: &Registration) -> Dialect<'_> {
        Dialect {
            version: self.parameters.get(registration.parameters).version,
            list: self.lists.get(registration.links),
        }
    }

    /// How to speak to a device that is registered.
    pub(super) fn dialect_of(&self, slot: u32) -> Option<Dialect<'_>> {
        self.registry.get(slot).map(|found| self.dialect(found))
    }

    /// Reads what a device answered to a Read, or notified. `target` is the path of the request;
    /// `paths` are those that were asked for.
    pub(super) fn decode(
        &self,
        now: Instant,
        slot: u32,
        target: Path,
        paths: &[Path],
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
            if !paths.iter().any(|path| path.contains(&record.path)) {
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
}

fn write(
    dialect: &Dialect<'_>,
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
    let format = match format {
        Some(format) => dialect.allowed(format)?,
        None => dialect.content(target, &records),
    };
    let scope = format::Scope {
        target,
        root: &dialect.list.root,
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

/// The attributes in the query of an Observe.
pub(super) fn parameters(changes: &AttributeChanges) -> Result<Attributes, String> {
    if let Some((name, _)) = changes.iter().find(|(_, value)| value.is_none()) {
        return Err(format!("{name} has no value to observe with"));
    }
    attribute_changes(changes).map(|changes| *changes.attributes())
}

/// Refuses attributes that the version of the device does not have.
fn check_attributes(dialect: &Dialect<'_>, changes: &WriteAttributes) -> Result<(), OperateError> {
    changes
        .changes()
        .try_for_each(|change| check_attribute(dialect, change.attribute()))
}

fn check_attribute(dialect: &Dialect<'_>, attribute: Attribute) -> Result<(), OperateError> {
    let what = format!("attribute {}", attribute.name());
    dialect.need(attribute.feature(), &what)
}

impl Shard {
    /// Whether something can be observed: by any device, and by this one if it is there.
    pub(super) fn check_wish(
        &self,
        endpoint: &str,
        observed: &Observed,
    ) -> Result<(), OperateError> {
        let Observed {
            path,
            paths,
            attributes,
            parameters: in_request,
        } = observed;
        if observed.is_composite() {
            self.check_paths(paths)?;
        } else if path.level() == Level::Root || path.ids().contains(&MAX_ID) {
            return Err(invalid("name at least an object, as in /3"));
        }
        let changes = attribute_changes(attributes).map_err(OperateError::Invalid)?;
        let in_request = parameters(in_request).map_err(OperateError::Invalid)?;
        let wrong = |error: AttributeError| invalid(error.to_string());
        for target in observed.targets() {
            if target.level() == Level::Root && !changes.is_empty() {
                return Err(invalid(
                    "attributes cannot be written at /: name the objects",
                ));
            }
            changes.check_target(target.level(), None).map_err(wrong)?;
        }
        if observed.is_composite() {
            const WHOLE: [Attribute; 5] = [
                Attribute::Pmin,
                Attribute::Pmax,
                Attribute::Epmin,
                Attribute::Epmax,
                Attribute::Con,
            ];
            let other = in_request
                .iter()
                .find(|(attribute, _)| !WHOLE.contains(attribute));
            if let Some((attribute, _)) = other {
                return Err(invalid(format!(
                    "{} is no parameter of an Observe-Composite: pmin, pmax, epmin, epmax and con are",
                    attribute.name()
                )));
            }
        } else {
            in_request.check_target(path.level(), None).map_err(wrong)?;
        }
        match self.registry.find(endpoint) {
            Some(slot) => self.check_dialect(slot, observed),
            None => Ok(()),
        }
    }

    /// Whether the version of a device has what a wish takes.
    pub(super) fn check_dialect(&self, slot: u32, observed: &Observed) -> Result<(), OperateError> {
        let Some(dialect) = self.dialect_of(slot) else {
            return Ok(());
        };
        if observed.is_composite() {
            dialect.need(Feature::ObserveComposite, "Observe-Composite")?;
        }
        dialect.need_level(observed.path)?;
        if !observed.parameters.is_empty() {
            dialect.need(Feature::ObserveParameters, "parameters of Observe")?;
        }
        let attributes = observed.attributes.iter().chain(&observed.parameters);
        attributes
            .filter_map(|(name, _)| Attribute::from_name(name))
            .try_for_each(|attribute| check_attribute(&dialect, attribute))
    }
}

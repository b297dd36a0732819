//! Operations made of what a request says.

use dunlin_lwm2m::model::{Models, ResourceModel};
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_lwm2m::{ContentFormat, DataType, Level, MAX_ID, OwnedRecord, Path};
use dunlin_server::api::{Device, DeviceOperation};
use serde_json::Value as Json_;

use crate::dto::{
    AttributesDto, PostDto, WriteDto, WriteRecordDto, attribute_changes, parse_path, parse_paths,
};
use crate::json;
use crate::models::find_model;
use crate::problem::Problem;

/// Whether a Write can be about this path.
pub(crate) fn check_write(path: Path, mode: WriteMode) -> Result<(), Problem> {
    if path.level() < Level::ObjectInstance {
        return Err(Problem::bad_request(
            "Bad path",
            "A Write needs an instance, a resource or a resource instance, as in 1/0/1.",
        ));
    }
    if mode == WriteMode::Update && path.level() == Level::ResourceInstance {
        return Err(Problem::bad_request(
            "Bad path",
            "A partial update needs an instance or a multiple resource; use PUT for a resource \
             instance.",
        ));
    }
    Ok(())
}

/// A Write of what a body says.
pub(crate) fn write(
    models: &Models,
    device: Option<&Device>,
    path: Path,
    mode: WriteMode,
    body: WriteDto,
) -> Result<DeviceOperation, Problem> {
    check_write(path, mode)?;
    let one = |value, data_type| {
        let path = path.to_string();
        let record = WriteRecordDto {
            path,
            value,
            data_type,
        };
        to_record(models, device, record).map(|record| vec![record])
    };
    let records = match (body.value, body.records) {
        (Some(value), None) if path.level() >= Level::Resource => one(value, body.data_type)?,
        (None, Some(_)) if body.data_type.is_some() => {
            return Err(Problem::bad_request(
                "Bad body",
                "\"type\" stands beside the \"value\" it is the type of.",
            ));
        }
        (None, Some(records)) if records.is_empty() && path.level() >= Level::Resource => {
            one(Json_::Null, None)?
        }
        (None, Some(records)) => to_records(models, device, records)?,
        (Some(_), None) => {
            return Err(Problem::bad_request(
                "Bad body",
                "{\"value\":…} fits a resource only; give {\"records\":[…]} for an instance.",
            ));
        }
        _ => {
            return Err(Problem::bad_request(
                "Bad body",
                "Give either {\"value\":…} or {\"records\":[{\"path\":…,\"value\":…}]}.",
            ));
        }
    };
    in_scope(&path, &records)?;
    Ok(Operation::Write {
        path,
        mode,
        body: records,
    })
}

/// A Create of what a body says; an instance without resources chooses the format.
pub(crate) fn create(
    models: &Models,
    device: Option<&Device>,
    path: Path,
    body: PostDto,
    format: &mut Option<ContentFormat>,
) -> Result<DeviceOperation, Problem> {
    let object = path.object_id().unwrap_or(MAX_ID);
    let mut records = to_records(models, device, body.records.unwrap_or_default())?;
    in_scope(&path, &records)?;
    if let Some(instance) = body.instance {
        if instance == MAX_ID {
            return Err(Problem::bad_request(
                "Bad body",
                "65535 is no id of an instance; leave \"instance\" out to let the device choose.",
            ));
        }
        let scope = Path::instance(object, instance);
        in_scope(&scope, &records)?;
        if records.is_empty() {
            records.push(OwnedRecord {
                path: scope,
                time: None,
                value: None,
            });
            // The others have no way to name an instance without resources.
            if format.get_or_insert(ContentFormat::TLV) != &ContentFormat::TLV {
                return Err(Problem::bad_request(
                    "Bad format",
                    "Only tlv can carry an instance without resources.",
                ));
            }
        }
    }
    let mut instances = records.iter().map(|record| record.path.instance_id());
    let first = instances.next();
    if let Some(other) = instances.find(|other| Some(*other) != first) {
        return Err(Problem::bad_request(
            "Bad body",
            format!(
                "A Create makes one instance, and the records are of {} and {}.",
                first.flatten().unwrap_or(MAX_ID),
                other.unwrap_or(MAX_ID)
            ),
        ));
    }
    let body = (!records.is_empty()).then_some(records);
    Ok(Operation::Create { object, body })
}

/// An Execute or a Create, by the level of the path.
pub(crate) fn post(
    models: &Models,
    device: Option<&Device>,
    path: Path,
    body: PostDto,
    format: &mut Option<ContentFormat>,
) -> Result<DeviceOperation, Problem> {
    match path.level() {
        Level::Resource => {
            if body.records.is_some() || body.instance.is_some() {
                return Err(Problem::bad_request(
                    "Bad body",
                    "POST on a resource executes it and takes {\"arguments\":…} only; \
                     PATCH writes parts of a multiple resource.",
                ));
            }
            let arguments = body.arguments.unwrap_or_default();
            Ok(Operation::Execute { path, arguments })
        }
        Level::Object => {
            if body.arguments.is_some() {
                return Err(Problem::bad_request(
                    "Bad body",
                    "POST on an object creates an instance and takes {\"records\":[…]}.",
                ));
            }
            create(models, device, path, body, format)
        }
        _ => Err(Problem::bad_request(
            "Bad path",
            "POST executes a resource, as in 3/0/4, or creates an instance of an object, as in \
             3303; PATCH is the partial update of an instance.",
        )),
    }
}

/// A Read-Composite.
pub(crate) fn read_composite(
    paths: &[String],
    accept: Option<ContentFormat>,
) -> Result<DeviceOperation, Problem> {
    let paths = parse_paths(paths)?.into_iter().map(|path| OwnedRecord {
        path,
        time: None,
        value: None,
    });
    Ok(Operation::ReadComposite {
        paths: paths.collect(),
        accept,
    })
}

/// A Write-Composite; null removes a resource instance (since 1.2).
pub(crate) fn write_composite(
    models: &Models,
    device: Option<&Device>,
    records: Vec<WriteRecordDto>,
) -> Result<DeviceOperation, Problem> {
    let mut body = Vec::with_capacity(records.len());
    for record in records {
        let path = parse_path(&record.path)?;
        let removes = record.value.is_null() && path.level() == Level::ResourceInstance;
        body.push(if removes {
            OwnedRecord {
                path,
                time: None,
                value: None,
            }
        } else {
            to_record(models, device, record)?
        });
    }
    let body = distinct(body)?;
    Ok(Operation::WriteComposite { body })
}

/// A Delete.
pub(crate) fn delete(path: Path) -> Result<DeviceOperation, Problem> {
    if !matches!(
        path.level(),
        Level::ObjectInstance | Level::ResourceInstance
    ) {
        return Err(Problem::bad_request(
            "Bad path",
            "Only an object instance can be deleted, as in 3303/1 (and since 1.2 a resource \
             instance).",
        ));
    }
    Ok(Operation::Delete { path })
}

/// A Discover.
pub(crate) fn discover(path: Path, depth: Option<u8>) -> Result<DeviceOperation, Problem> {
    if depth.is_some_and(|depth| depth > 3) {
        return Err(Problem::bad_request(
            "Bad query",
            "depth must be from 0 to 3.",
        ));
    }
    if at_least_object(path)?.level() > Level::Resource {
        return Err(Problem::bad_request(
            "Bad path",
            "Discover works on an object, an instance or a resource.",
        ));
    }
    Ok(Operation::Discover { path, depth })
}

/// A Write-Attributes.
pub(crate) fn write_attributes(
    path: Path,
    attributes: AttributesDto,
) -> Result<DeviceOperation, Problem> {
    let attributes = attribute_changes(attributes)?;
    if attributes.is_empty() {
        return Err(Problem::bad_request(
            "Bad body",
            "Give at least one attribute, as in {\"pmin\":10} or {\"pmin\":null}.",
        ));
    }
    let path = at_least_object(path)?;
    Ok(Operation::WriteAttributes { path, attributes })
}

pub(crate) fn at_least_object(path: Path) -> Result<Path, Problem> {
    if path.level() == Level::Root {
        return Err(Problem::bad_request(
            "Bad path",
            "Give at least an object, as in 3/0.",
        ));
    }
    Ok(path)
}

fn in_scope(scope: &Path, records: &[OwnedRecord]) -> Result<(), Problem> {
    match records.iter().find(|record| !scope.contains(&record.path)) {
        Some(record) => Err(Problem::bad_request(
            "Bad path",
            format!("The record {} does not lie below {scope}.", record.path),
        )),
        None => Ok(()),
    }
}

fn to_records(
    models: &Models,
    device: Option<&Device>,
    records: Vec<WriteRecordDto>,
) -> Result<Vec<OwnedRecord>, Problem> {
    let records = records
        .into_iter()
        .map(|record| to_record(models, device, record))
        .collect::<Result<_, _>>()?;
    distinct(records)
}

/// The records in the order of their paths, if none is of another's place.
pub(crate) fn distinct(mut records: Vec<OwnedRecord>) -> Result<Vec<OwnedRecord>, Problem> {
    records.sort_by_key(|record| record.path);
    // In the order of paths a resource stands right before its instances.
    if let Some([first, second]) = records
        .array_windows()
        .find(|[a, b]| a.path.contains(&b.path))
    {
        let detail = if first.path == second.path {
            format!("The record {} is given twice.", first.path)
        } else {
            format!("Give either {} or {}, not both.", first.path, second.path)
        };
        return Err(Problem::bad_request("Bad body", detail));
    }
    Ok(records)
}

pub(crate) fn to_record(
    models: &Models,
    device: Option<&Device>,
    record: WriteRecordDto,
) -> Result<OwnedRecord, Problem> {
    let path = parse_path(&record.path)?;
    let (Some(object), Some(resource)) = (path.object_id(), path.resource_id()) else {
        return Err(Problem::bad_request(
            "Bad path",
            format!("The record {path} must name a resource or a resource instance."),
        ));
    };
    let defined = definition(models, device, object, resource);
    let data_type = match &record.data_type {
        Some(name) => Some(DataType::from_name(name).ok_or_else(|| {
            Problem::bad_request("Bad body", format!("{name:?} is not a type of a resource."))
        })?),
        None => defined.and_then(|resource| resource.data_type),
    };
    let may_be_empty =
        path.level() == Level::Resource && defined.is_none_or(|resource| resource.multiple);
    let value =
        match &record.value {
            Json_::Null if may_be_empty => None,
            value => Some(json::from_json(value, data_type).map_err(|error| {
                Problem::bad_request("Bad value", format!("At {path}: {error}."))
            })?),
        };
    Ok(OwnedRecord {
        path,
        time: None,
        value,
    })
}

/// The definition of a resource in the object version the device announced, the newest one when it
/// is away.
fn definition<'a>(
    models: &'a Models,
    device: Option<&Device>,
    object: u16,
    resource: u16,
) -> Option<&'a ResourceModel> {
    let objects = device.map_or(&[][..], |device| &device.objects);
    let version = objects
        .iter()
        .find(|candidate| candidate.id == object)
        .map(|found| found.version);
    find_model(models, object, version)?.resource(resource)
}

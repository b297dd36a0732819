//! The data tree: what stands at a path, reading it as records, writing records into it
//! (Core 1.2 §6.3.1, §6.3.3, §6.3.6, §6.3.7).

use dunlin_coap::Code;
use dunlin_lwm2m::definition::{ObjectDefinition, Range, ResourceDefinition, ResourceType, Types};
use dunlin_lwm2m::operation::{Payload, WriteMode};
use dunlin_lwm2m::{Level, MAX_ID, ObjectLink, Path, Record, Value, Version, format};

use crate::access::Offer;
use crate::object::{FieldError, Instance, Object, Objects, typed};

/// Objects that no server may touch over device management (Core 1.2 §6.3; Table 6.7-3).
pub(crate) fn is_hidden(object: u16) -> bool {
    matches!(object, 0 | 21 | 23)
}

/// The objects of a set.
pub(crate) fn all(objects: &dyn Objects) -> impl Iterator<Item = &dyn Object> {
    let mut position = 0;
    core::iter::from_fn(move || {
        let object = objects.object(position)?;
        position += 1;
        Some(object)
    })
}

/// The instance ids of an object.
pub(crate) fn instance_ids(object: &dyn Object) -> impl Iterator<Item = u16> {
    let mut position = 0;
    core::iter::from_fn(move || {
        let id = object.instance_id(position)?;
        position += 1;
        Some(id)
    })
}

pub(crate) fn find(objects: &dyn Objects, id: u16) -> Option<&dyn Object> {
    all(objects).find(|object| object.definition().id == id)
}

pub(crate) fn find_mut(objects: &mut dyn Objects, id: u16) -> Option<&mut dyn Object> {
    let mut position = 0;
    while objects.object(position)?.definition().id != id {
        position += 1;
    }
    objects.object_mut(position)
}

/// What the version of the requesting server has at a path.
pub(crate) type Has<'a> = &'a dyn Fn(&Path) -> Offer;

/// Gives readers the types of the objects at hand.
pub(crate) struct TreeTypes<'a>(pub(crate) &'a dyn Objects);

impl Types for TreeTypes<'_> {
    fn resource_type(&self, object: u16, resource: u16) -> Option<ResourceType> {
        let resource = find(self.0, object)?.definition().resource(resource)?;
        Some(ResourceType {
            data_type: resource.data_type,
            multiple: resource.multiple,
        })
    }
}

/// What a path leads to.
#[derive(Clone, Copy)]
pub(crate) enum Target<'a> {
    Object(&'a dyn Object),
    Instance(&'a dyn Object, &'a dyn Instance),
    /// A resource that the instance implements; it may be absent at the moment.
    Resource(&'a dyn Instance, &'static ResourceDefinition),
    /// A resource instance that is there.
    ResourceInstance(&'static ResourceDefinition),
}

/// Follows a path. 4.01 for what is hidden, 4.04 for what is unknown, 4.05 for a resource
/// instance of a single resource.
pub(crate) fn resolve<'a>(objects: &'a dyn Objects, path: &Path) -> Result<Target<'a>, Code> {
    let object_id = path.object_id().ok_or(Code::METHOD_NOT_ALLOWED)?;
    if is_hidden(object_id) {
        return Err(Code::UNAUTHORIZED);
    }
    let object = find(objects, object_id).ok_or(Code::NOT_FOUND)?;
    let Some(instance_id) = path.instance_id() else {
        return Ok(Target::Object(object));
    };
    let instance = object.instance(instance_id).ok_or(Code::NOT_FOUND)?;
    let Some(resource_id) = path.resource_id() else {
        return Ok(Target::Instance(object, instance));
    };
    let resource = implemented(object, instance, resource_id).ok_or(Code::NOT_FOUND)?;
    let Some(id) = path.resource_instance_id() else {
        return Ok(Target::Resource(instance, resource));
    };
    if !resource.multiple {
        return Err(Code::METHOD_NOT_ALLOWED);
    }
    let field = instance
        .field(resource_id)
        .ok_or(Code::METHOD_NOT_ALLOWED)?;
    values(field)
        .any(|(present, _)| present == id)
        .then_some(Target::ResourceInstance(resource))
        .ok_or(Code::NOT_FOUND)
}

fn implemented(
    object: &dyn Object,
    instance: &dyn Instance,
    resource: u16,
) -> Option<&'static ResourceDefinition> {
    instance
        .resources()
        .contains(&resource)
        .then(|| object.definition().resource(resource))?
}

/// Whether a resource stands in the tree now: executables always, others when they have a value.
pub(crate) fn is_present(instance: &dyn Instance, resource: &ResourceDefinition) -> bool {
    match instance.field(resource.id) {
        Some(field) => field.is_present(),
        None => resource.operations.is_executable(),
    }
}

/// The values of a field.
pub(crate) fn values(field: &dyn crate::object::Field) -> impl Iterator<Item = (u16, Value<'_>)> {
    let mut position = 0;
    core::iter::from_fn(move || {
        let value = field.get(position)?;
        position += 1;
        Some(value)
    })
}

/// Whether Read, and so Observe, is possible at a path: the code of the refusal otherwise.
pub(crate) fn check_readable(objects: &dyn Objects, path: &Path) -> Result<(), Code> {
    match resolve(objects, path)? {
        Target::Object(_) | Target::Instance(..) => Ok(()),
        Target::Resource(instance, resource) => {
            if !resource.operations.is_readable() {
                Err(Code::METHOD_NOT_ALLOWED)
            } else if !is_present(instance, resource) {
                Err(Code::NOT_FOUND)
            } else {
                Ok(())
            }
        }
        Target::ResourceInstance(resource) => {
            if resource.operations.is_readable() {
                Ok(())
            } else {
                Err(Code::METHOD_NOT_ALLOWED)
            }
        }
    }
}

/// Whether a path holds exactly one value, as text, opaque and CBOR need it.
pub(crate) fn is_single_value(objects: &dyn Objects, path: &Path) -> bool {
    match resolve(objects, path) {
        Ok(Target::Resource(_, resource)) => !resource.multiple,
        Ok(Target::ResourceInstance(_)) => true,
        _ => false,
    }
}

/// Hands every readable value at or below `path` to `each`, in path order; below the root, without
/// what is hidden. A multiple resource or an instance without content gives a record without value.
pub(crate) fn read<E>(
    objects: &dyn Objects,
    path: &Path,
    each: &mut dyn FnMut(&Record<'_>) -> Result<(), E>,
) -> Result<(), E> {
    if let Some(id) = path.object_id() {
        return match find(objects, id) {
            Some(object) => read_object(object, path, each),
            None => Ok(()),
        };
    }
    // Objects stand in the order that the application chose.
    let mut last = None;
    loop {
        let next = all(objects)
            .filter(|object| !is_hidden(object.definition().id))
            .filter(|object| last.is_none_or(|last| object.definition().id > last))
            .min_by_key(|object| object.definition().id);
        let Some(object) = next else {
            return Ok(());
        };
        read_object(object, path, each)?;
        last = Some(object.definition().id);
    }
}

fn read_object<E>(
    object: &dyn Object,
    path: &Path,
    each: &mut dyn FnMut(&Record<'_>) -> Result<(), E>,
) -> Result<(), E> {
    for id in instance_ids(object) {
        if path.instance_id().is_some_and(|wanted| wanted != id) {
            continue;
        }
        if let Some(instance) = object.instance(id) {
            read_instance(object.definition(), id, instance, path, each)?;
        }
    }
    Ok(())
}

fn read_instance<E>(
    definition: &ObjectDefinition,
    instance_id: u16,
    instance: &dyn Instance,
    path: &Path,
    each: &mut dyn FnMut(&Record<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut is_empty = true;
    for id in instance.resources() {
        if path.resource_id().is_some_and(|wanted| wanted != *id) {
            continue;
        }
        let (Some(resource), Some(field)) = (definition.resource(*id), instance.field(*id)) else {
            continue;
        };
        let Some(data_type) = resource.data_type else {
            continue;
        };
        if !resource.operations.is_readable() || !field.is_present() {
            continue;
        }
        is_empty = false;
        let at = Path::resource(definition.id, instance_id, *id);
        if resource.multiple && path.level() < Level::ResourceInstance && field.get(0).is_none() {
            each(&Record::empty(at))?;
        }
        for (id, value) in values(field) {
            if path
                .resource_instance_id()
                .is_some_and(|wanted| wanted != id)
            {
                continue;
            }
            let at = if resource.multiple {
                at.child(id).unwrap_or(at)
            } else {
                at
            };
            if let Some(value) = typed(value, data_type) {
                each(&Record::new(at, value))?;
            }
        }
    }
    if is_empty && path.level() <= Level::ObjectInstance {
        each(&Record::empty(Path::instance(definition.id, instance_id)))?;
    }
    Ok(())
}

/// Why records are written, which decides what is ignored and what is refused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Write,
    /// Read-only and unknown resources in the payload are ignored (Core 1.2 §6.3.6).
    Create,
}

/// Checks one record of a payload against the definition. `Ok(None)` is a record to ignore.
pub(crate) fn check_record<'r>(
    objects: &dyn Objects,
    path: &Path,
    record: &Record<'r>,
    purpose: Purpose,
) -> Result<Option<(&'static ResourceDefinition, Option<Value<'r>>)>, Code> {
    let object = path
        .object_id()
        .and_then(|id| find(objects, id))
        .ok_or(Code::NOT_FOUND)?;
    let Some(resource_id) = record.path.resource_id() else {
        // An instance without content.
        return if record.value.is_none() {
            Ok(None)
        } else {
            Err(Code::BAD_REQUEST)
        };
    };
    let known = match path.instance_id().and_then(|id| object.instance(id)) {
        Some(instance) => implemented(object, instance, resource_id),
        None => object.definition().resource(resource_id),
    };
    let Some(resource) = known else {
        // Optional resources that this device does not have are ignored inside an instance.
        return Ok(None);
    };
    if !resource.operations.is_writable() {
        return if purpose == Purpose::Create {
            Ok(None)
        } else {
            Err(Code::METHOD_NOT_ALLOWED)
        };
    }
    let is_instance = record.path.level() == Level::ResourceInstance;
    let (Some(value), Some(data_type)) = (record.value, resource.data_type) else {
        // "Exists, and is empty": only a multiple resource can be that.
        return if resource.multiple && !is_instance {
            Ok(Some((resource, None)))
        } else {
            Err(Code::BAD_REQUEST)
        };
    };
    if is_instance != resource.multiple || record.path.resource_instance_id() == Some(MAX_ID) {
        return Err(Code::BAD_REQUEST);
    }
    let value = typed(value, data_type).ok_or(Code::BAD_REQUEST)?;
    if resource.range.is_some_and(|range| !in_range(value, range)) {
        return Err(Code::BAD_REQUEST);
    }
    if let Value::ObjectLink(link) = value
        && !is_valid_link(objects, link)
    {
        return Err(Code::BAD_REQUEST);
    }
    Ok(Some((resource, Some(value))))
}

/// Ranges mean the value of numbers and the length in bytes of text and bytes (Core 1.2 §D.1).
fn in_range(value: Value<'_>, range: Range) -> bool {
    let measure = match value {
        Value::String(text) | Value::CoreLink(text) => text.len() as f64,
        Value::Opaque(bytes) => bytes.len() as f64,
        value => match crate::object::number(value) {
            Some(number) => number,
            None => return true,
        },
    };
    (range.min..=range.max).contains(&measure)
}

/// Core 1.2 §6.3.3: a link leads to an existing instance, to the object itself, or nowhere.
fn is_valid_link(objects: &dyn Objects, link: ObjectLink) -> bool {
    if link.object == MAX_ID {
        return link.instance == MAX_ID;
    }
    find(objects, link.object)
        .is_some_and(|object| link.instance == MAX_ID || object.instance(link.instance).is_some())
}

pub(crate) fn field_code(error: FieldError) -> Code {
    match error {
        FieldError::Type | FieldError::TooLarge => Code::BAD_REQUEST,
        // Transport 1.2 Table 6.7-3: allocation of a resource instance refused.
        FieldError::Full => Code::UNAUTHORIZED,
        FieldError::ReadOnly => Code::METHOD_NOT_ALLOWED,
        FieldError::NotFound => Code::NOT_FOUND,
    }
}

/// Reads the payload again from its start: first to check it, then to apply it.
fn for_each_record(
    objects: &dyn Objects,
    path: &Path,
    body: Payload<'_>,
    scratch: &mut [u8],
    each: &mut dyn FnMut(&Record<'_>) -> Result<(), Code>,
) -> Result<(), Code> {
    let types = TreeTypes(objects);
    let mut reader = format::reader(body.format, body.bytes, *path, &types, scratch)
        .map_err(|error| error.code())?;
    while let Some(record) = reader.next_record() {
        each(&record.map_err(|error| error.code())?)?;
    }
    Ok(())
}

/// Write: all of it or nothing (Core 1.2 §6.3.3). What the requesting server's version does not
/// have is ignored in the payload, and stays as it is.
pub(crate) fn write(
    objects: &mut dyn Objects,
    path: &Path,
    mode: WriteMode,
    body: Payload<'_>,
    has: Has<'_>,
    scratch: &mut [u8],
) -> Result<(), Code> {
    match resolve(objects, path)? {
        Target::Object(_) => return Err(Code::METHOD_NOT_ALLOWED),
        Target::Instance(..) => {}
        Target::Resource(_, resource) => {
            let is_multiple_update = mode == WriteMode::Replace || resource.multiple;
            if !resource.operations.is_writable() || !is_multiple_update {
                return Err(Code::METHOD_NOT_ALLOWED);
            }
        }
        Target::ResourceInstance(resource) => {
            if !resource.operations.is_writable() || mode == WriteMode::Update {
                return Err(Code::METHOD_NOT_ALLOWED);
            }
        }
    }
    let (Some(object_id), Some(instance_id)) = (path.object_id(), path.instance_id()) else {
        return Err(Code::METHOD_NOT_ALLOWED);
    };
    let mut count = 0_u32;
    for_each_record(objects, path, body, scratch, &mut |record| {
        count += 1;
        match has(&record.path) {
            Offer::Whole => check_record(objects, path, record, Purpose::Write).map(|_| ()),
            // A resource without operations is not writable (Core 1.1 §6.3.3).
            Offer::Untouchable => Err(Code::METHOD_NOT_ALLOWED),
            Offer::Absent => Ok(()),
        }
    })?;
    if count == 0 && path.level() >= Level::Resource {
        return Err(Code::BAD_REQUEST);
    }
    let types = StaticTypes::of(objects, object_id)?;
    let object = find_mut(objects, object_id).ok_or(Code::NOT_FOUND)?;
    let definition = object.definition();
    object.transaction(instance_id, &mut |instance| {
        let before = Incomplete::of(definition, instance);
        if mode == WriteMode::Replace {
            clear(definition, instance, path, has);
        }
        apply(definition, instance, &types, path, body, has, scratch)?;
        before.check(definition, instance)
    })
}

/// Create: the new instance, or nothing (Core 1.2 §6.3.6). Returns its id, and whether this
/// device chose it.
pub(crate) fn create(
    objects: &mut dyn Objects,
    object_id: u16,
    body: Option<Payload<'_>>,
    version: Version,
    scratch: &mut [u8],
) -> Result<(u16, bool), Code> {
    let path = Path::object(object_id);
    resolve(objects, &path)?;
    let empty = Payload {
        format: dunlin_lwm2m::ContentFormat::TLV,
        bytes: &[],
    };
    let body = match body {
        Some(body) => body,
        // The New Value is optional since 1.2.
        None if version >= Version::V1_2 => empty,
        None => return Err(Code::BAD_REQUEST),
    };
    let mut id = None;
    for_each_record(objects, &path, body, scratch, &mut |record| {
        let instance = record.path.instance_id().unwrap_or(MAX_ID);
        // One instance for each request; several in one payload are refused.
        if *id.get_or_insert(instance) != instance {
            return Err(Code::BAD_REQUEST);
        }
        check_record(objects, &path, record, Purpose::Create).map(|_| ())
    })?;
    let id = id.filter(|id| *id != MAX_ID);
    let types = StaticTypes::of(objects, object_id)?;
    let object = find_mut(objects, object_id).ok_or(Code::NOT_FOUND)?;
    let definition = object.definition();
    let created = object.create(id, &mut |instance| {
        if version == Version::V1_0 {
            // Optional resources that are not in the payload must not be instantiated, and every
            // mandatory one must be in it (Core 1.0 §5.4.6).
            let given = clear_for_create(definition, instance, &types, body, scratch);
            given?;
        }
        apply(
            definition,
            instance,
            &types,
            &path,
            body,
            &|_| Offer::Whole,
            scratch,
        )?;
        Incomplete::NONE.check(definition, instance)
    })?;
    Ok((created, id.is_none()))
}

fn clear_for_create(
    definition: &'static ObjectDefinition,
    instance: &mut dyn Instance,
    types: &StaticTypes,
    body: Payload<'_>,
    scratch: &mut [u8],
) -> Result<(), Code> {
    for id in instance.resources() {
        let Some(resource) = definition.resource(*id) else {
            continue;
        };
        if !resource.operations.is_writable() {
            continue;
        }
        if !resource.mandatory {
            if let Some(field) = instance.field_mut(*id) {
                field.clear();
            }
            continue;
        }
        let mut found = false;
        each_static(
            types,
            &Path::object(definition.id),
            body,
            scratch,
            &mut |record| {
                found |= record.path.resource_id() == Some(*id);
                Ok(())
            },
        )?;
        if !found {
            return Err(Code::BAD_REQUEST);
        }
    }
    Ok(())
}

/// The types of one object, which do not borrow the tree while it is being changed.
pub(crate) struct StaticTypes([&'static ObjectDefinition; 1]);

impl StaticTypes {
    pub(crate) fn of(objects: &dyn Objects, object: u16) -> Result<Self, Code> {
        let object = find(objects, object).ok_or(Code::NOT_FOUND)?;
        Ok(Self([object.definition()]))
    }
}

impl Types for StaticTypes {
    fn resource_type(&self, object: u16, resource: u16) -> Option<ResourceType> {
        self.0.as_slice().resource_type(object, resource)
    }
}

fn each_static(
    types: &StaticTypes,
    path: &Path,
    body: Payload<'_>,
    scratch: &mut [u8],
    each: &mut dyn FnMut(&Record<'_>) -> Result<(), Code>,
) -> Result<(), Code> {
    let mut reader = format::reader(body.format, body.bytes, *path, types, scratch)
        .map_err(|error| error.code())?;
    while let Some(record) = reader.next_record() {
        each(&record.map_err(|error| error.code())?)?;
    }
    Ok(())
}

/// Replace begins with an instance, or a multiple resource, without what may go.
fn clear(definition: &ObjectDefinition, instance: &mut dyn Instance, path: &Path, has: Has<'_>) {
    if path.level() == Level::ResourceInstance {
        return;
    }
    for id in instance.resources() {
        let is_target = path.resource_id().is_none_or(|wanted| wanted == *id);
        let is_writable = definition
            .resource(*id)
            .is_some_and(|resource| resource.operations.is_writable());
        let is_had = path
            .instance_id()
            .map(|instance| has(&Path::resource(definition.id, instance, *id)))
            .is_none_or(|offer| offer == Offer::Whole);
        if is_target
            && is_writable
            && is_had
            && let Some(field) = instance.field_mut(*id)
        {
            field.clear();
        }
    }
}

/// Puts records that were checked before into the copy of an instance.
fn apply(
    definition: &'static ObjectDefinition,
    instance: &mut dyn Instance,
    types: &StaticTypes,
    path: &Path,
    body: Payload<'_>,
    has: Has<'_>,
    scratch: &mut [u8],
) -> Result<(), Code> {
    let mut last = None;
    each_static(types, path, body, scratch, &mut |record| {
        let Some(id) = record.path.resource_id() else {
            return Ok(());
        };
        let is_writable = definition
            .resource(id)
            .is_some_and(|resource| resource.operations.is_writable());
        let Some(field) = instance
            .field_mut(id)
            .filter(|_| is_writable && has(&record.path) == Offer::Whole)
        else {
            return Ok(());
        };
        match record.value {
            Some(value) => field
                .set(record.path.resource_instance_id().unwrap_or(0), value)
                .map_err(field_code)?,
            None if path.level() <= Level::ObjectInstance || path.resource_id() == Some(id) => {
                // An empty multiple resource: Replace has cleared it, and Update takes nothing
                // away.
            }
            None => return Err(Code::BAD_REQUEST),
        }
        if let Some(previous) = last.filter(|previous| *previous != id) {
            instance.written(previous)?;
        }
        last = Some(id);
        Ok(())
    })?;
    match last {
        Some(last) => instance.written(last),
        None => Ok(()),
    }
}

/// Mandatory multiple resources that are empty, by their place in the instance. Such a resource
/// keeps at least its container; a writable one, an instance (Core 1.2 §D.1). One that is empty
/// already is no reason to refuse a write of something else.
#[derive(Clone, Copy)]
pub(crate) struct Incomplete(u128);

impl Incomplete {
    /// None is empty.
    pub(crate) const NONE: Self = Self(0);

    pub(crate) fn of(definition: &ObjectDefinition, instance: &dyn Instance) -> Self {
        let places = instance.resources().iter().enumerate();
        let empty = places.filter(|(_, id)| is_incomplete(definition, instance, **id));
        Self(empty.fold(0, |all, (place, _)| all | bit(place)))
    }

    /// Whether no other has become empty.
    pub(crate) fn check(
        self,
        definition: &ObjectDefinition,
        instance: &dyn Instance,
    ) -> Result<(), Code> {
        let mut places = instance.resources().iter().enumerate();
        let has_lost = places.any(|(place, id)| {
            self.0 & bit(place) == 0 && is_incomplete(definition, instance, *id)
        });
        if has_lost {
            Err(Code::BAD_REQUEST)
        } else {
            Ok(())
        }
    }
}

/// No bit stands for what lies beyond: it is judged always.
fn bit(place: usize) -> u128 {
    u32::try_from(place)
        .ok()
        .and_then(|place| 1_u128.checked_shl(place))
        .unwrap_or(0)
}

fn is_incomplete(definition: &ObjectDefinition, instance: &dyn Instance, id: u16) -> bool {
    definition.resource(id).is_some_and(|resource| {
        resource.mandatory
            && resource.multiple
            && resource.operations.is_writable()
            && instance
                .field(id)
                .is_none_or(|field| field.get(0).is_none())
    })
}

/// Delete: an instance, or a resource instance (1.2).
pub(crate) fn delete(objects: &mut dyn Objects, path: &Path, version: Version) -> Result<(), Code> {
    let object_id = path.object_id().ok_or(Code::METHOD_NOT_ALLOWED)?;
    let resource = match resolve(objects, path)? {
        Target::Instance(..) => None,
        Target::ResourceInstance(resource) if version >= Version::V1_2 => Some(resource),
        _ => return Err(Code::METHOD_NOT_ALLOWED),
    };
    let instance_id = path.instance_id().ok_or(Code::METHOD_NOT_ALLOWED)?;
    let object = find_mut(objects, object_id).ok_or(Code::NOT_FOUND)?;
    let Some(resource) = resource else {
        // Object 3 has its one instance always; other single, mandatory objects likewise.
        let definition = object.definition();
        if definition.mandatory && !definition.multiple {
            return Err(Code::METHOD_NOT_ALLOWED);
        }
        return object.delete(instance_id);
    };
    if !resource.operations.is_writable() {
        return Err(Code::METHOD_NOT_ALLOWED);
    }
    let id = path.resource_instance_id().unwrap_or(MAX_ID);
    object.transaction(instance_id, &mut |instance| {
        let field = instance.field_mut(resource.id).ok_or(Code::NOT_FOUND)?;
        field.remove(id).map_err(field_code)?;
        if resource.mandatory && field.get(0).is_none() {
            return Err(Code::METHOD_NOT_ALLOWED);
        }
        instance.written(resource.id)
    })
}

//! Operations on several paths at once (Core 1.2 §6.3.8, §6.3.9): what their bodies name, reading
//! as much of it as there is, writing all of it or nothing.

use dunlin_coap::Code;
use dunlin_lwm2m::definition::Types;
use dunlin_lwm2m::operation::Payload;
use dunlin_lwm2m::{Level, Path, Record, format};
use heapless::Vec;

use crate::access::{Offer, Requester, Right};
use crate::digest::Digest;
use crate::object::{Instance, Objects};
use crate::tree::{self, Incomplete, Purpose, StaticTypes, Target, TreeTypes};

/// Paths of one Read- or Observe-Composite, and instances of one Write-Composite; more of them are
/// answered with 5.00.
const PATHS: usize = 48;

/// What a composite names, in its order.
pub(crate) type Paths = Vec<Path, PATHS>;

/// Reads the list of a Read- or Observe-Composite.
pub(crate) fn read_paths(body: Payload<'_>) -> Result<Paths, Code> {
    let mut paths = Paths::new();
    for path in format::names(body.format, body.bytes, "").map_err(|error| error.code())? {
        let path = path.map_err(|error| error.code())?;
        if !paths.contains(&path) {
            paths.push(path).map_err(|_| Code::INTERNAL_SERVER_ERROR)?;
        }
    }
    Ok(paths)
}

/// A short name of a list.
pub(crate) fn digest(paths: &[Path]) -> u32 {
    let mut digest = Digest::new();
    for path in paths {
        digest.path(*path);
    }
    let digest = digest.finish();
    // 0 stands for no list.
    ((digest >> 32) as u32 ^ digest as u32).max(1)
}

/// Hands everything readable at or below any of the paths to `each`, in path order and each value
/// once. What is missing, not readable or not permitted is left out.
pub(crate) fn read<E>(
    requester: Requester,
    objects: &dyn Objects,
    paths: &[Path],
    each: &mut dyn FnMut(&Record<'_>) -> Result<(), E>,
) -> Result<(), E> {
    requester.read(objects, &Path::ROOT, &mut |record| {
        if paths.iter().any(|path| path.contains(&record.path)) {
            each(record)
        } else {
            Ok(())
        }
    })
}

/// Whether a Read- or Observe-Composite is permitted: 4.01 when something of what it names is there
/// and none of it may be read.
pub(crate) fn check_readable(
    requester: Requester,
    objects: &dyn Objects,
    paths: &[Path],
) -> Result<(), Code> {
    let (mut permitted, mut denied) = (false, false);
    let result: Result<(), core::convert::Infallible> =
        tree::read(objects, &Path::ROOT, &mut |record| {
            if paths.iter().any(|path| path.contains(&record.path)) {
                permitted |= requester.sees(objects, &record.path);
                denied |= !requester.may(objects, Right::Read, &record.path);
            }
            Ok(())
        });
    let Ok(()) = result;
    denied |= paths
        .iter()
        .any(|path| path.object_id().is_some_and(tree::is_hidden));
    if denied && !permitted {
        Err(Code::UNAUTHORIZED)
    } else {
        Ok(())
    }
}

/// Writes all records of a body, or none of them.
///
/// An object changes one instance at a time, so that this goes three times over the body: to check
/// each record by itself; to let each instance take its records and then forget them; and, when
/// every instance has agreed, for good.
pub(crate) fn write(
    requester: Requester,
    objects: &mut dyn Objects,
    body: Payload<'_>,
    scratch: &mut [u8],
) -> Result<(), Code> {
    let mut instances = Paths::new();
    for_each(&TreeTypes(objects), body, scratch, &mut |record| {
        check(requester, objects, record)?;
        let instance = record.path.truncated(Level::ObjectInstance);
        if !instances.contains(&instance) {
            instances
                .push(instance)
                .map_err(|_| Code::INTERNAL_SERVER_ERROR)?;
        }
        Ok(())
    })?;
    for commit in [false, true] {
        for instance in &instances {
            write_instance(objects, instance, body, scratch, commit)?;
        }
    }
    Ok(())
}

/// Reads the body from its start.
fn for_each(
    types: &dyn Types,
    body: Payload<'_>,
    scratch: &mut [u8],
    each: &mut dyn FnMut(&Record<'_>) -> Result<(), Code>,
) -> Result<(), Code> {
    let mut reader = format::patch_reader(body.format, body.bytes, "", types, scratch)
        .map_err(|error| error.code())?;
    while let Some(record) = reader.next_record() {
        each(&record.map_err(|error| error.code())?)?;
    }
    Ok(())
}

fn check(requester: Requester, objects: &dyn Objects, record: &Record<'_>) -> Result<(), Code> {
    if record.path.object_id().is_some_and(tree::is_hidden) {
        return Err(Code::UNAUTHORIZED);
    }
    if record.path.level() < Level::Resource {
        return Err(Code::BAD_REQUEST);
    }
    let at = record.path.truncated(Level::Resource);
    let Target::Resource(_, resource) = tree::resolve(objects, &at)? else {
        return Err(Code::BAD_REQUEST);
    };
    let offer = requester.offers(&at);
    if offer == Offer::Absent {
        return Err(Code::NOT_FOUND);
    }
    if !requester.may(objects, Right::Write, &at) {
        return Err(Code::UNAUTHORIZED);
    }
    let is_instance = record.path.level() == Level::ResourceInstance;
    let is_possible = resource.operations.is_writable() && offer == Offer::Whole;
    if !is_possible || (is_instance && !resource.multiple) {
        return Err(Code::METHOD_NOT_ALLOWED);
    }
    if record.value.is_none() {
        // SenML-ETCH: null takes away a resource instance that is there (RFC 8790 §3.2).
        return tree::resolve(objects, &record.path).map(|_| ());
    }
    let instance = record.path.truncated(Level::ObjectInstance);
    tree::check_record(objects, &instance, record, Purpose::Write).map(|_| ())
}

fn write_instance(
    objects: &mut dyn Objects,
    at: &Path,
    body: Payload<'_>,
    scratch: &mut [u8],
    commit: bool,
) -> Result<(), Code> {
    let (Some(object), Some(instance)) = (at.object_id(), at.instance_id()) else {
        return Err(Code::BAD_REQUEST);
    };
    let types = StaticTypes::of(objects, object)?;
    let object = tree::find_mut(objects, object).ok_or(Code::NOT_FOUND)?;
    let definition = object.definition();
    let mut agreed = false;
    let result = object.transaction(instance, &mut |instance| {
        let before = Incomplete::of(definition, instance);
        apply(instance, &types, at, body, scratch)?;
        before.check(definition, instance)?;
        agreed = true;
        // An error leaves no trace.
        if commit { Ok(()) } else { Err(Code::CONTINUE) }
    });
    if agreed && !commit { Ok(()) } else { result }
}

fn apply(
    instance: &mut dyn Instance,
    types: &StaticTypes,
    at: &Path,
    body: Payload<'_>,
    scratch: &mut [u8],
) -> Result<(), Code> {
    let mut last = None;
    for_each(types, body, scratch, &mut |record| {
        let id = match record.path.resource_id() {
            Some(id) if at.contains(&record.path) => id,
            _ => return Ok(()),
        };
        let field = instance.field_mut(id).ok_or(Code::NOT_FOUND)?;
        let within = record.path.resource_instance_id().unwrap_or(0);
        match record.value {
            Some(value) => field.set(within, value),
            None => field.remove(within),
        }
        .map_err(tree::field_code)?;
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

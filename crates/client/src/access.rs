//! Who may do what (Core 1.2 §8): the Access Control object, and what a version has of the Server
//! object.

use dunlin_coap::Code;
use dunlin_lwm2m::operation::Operation;
use dunlin_lwm2m::{MAX_ID, Path, Record, Value, Version};

use crate::object::{Instance, Objects};
use crate::objects::AccessControl;
use crate::tree::{self, Target};

/// The Access Control object.
const ACCESS_CONTROL: u16 = 2;
/// Resources of the Access Control object.
const OBJECT_ID: u16 = 0;
const OBJECT_INSTANCE_ID: u16 = 1;
const ACL: u16 = 2;
const OWNER: u16 = 3;

/// What a server wants to do; the bits of an ACL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Right {
    Read = AccessControl::READ,
    Write = AccessControl::WRITE,
    Execute = AccessControl::EXECUTE,
    Delete = AccessControl::DELETE,
    Create = AccessControl::CREATE,
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Requester {
    /// Short Server ID.
    pub(crate) server: u16,
    /// The version agreed on.
    pub(crate) version: Version,
}

impl Requester {
    /// Whether an operation is permitted at a path. At an object, reading is: what may not be read
    /// is left out of the answer.
    pub(crate) fn may(&self, objects: &dyn Objects, right: Right, path: &Path) -> bool {
        let Some(object) = path.object_id() else {
            return true;
        };
        let instance = match (right, path.instance_id()) {
            (Right::Read, None) => return true,
            (Right::Create, _) => MAX_ID,
            (_, Some(instance)) => instance,
            (_, None) => return false,
        };
        self.rights(objects, object, instance) & right as u8 != 0
    }

    /// Whether a value is part of what this server reads above it.
    pub(crate) fn sees(&self, objects: &dyn Objects, path: &Path) -> bool {
        self.offers(path) == Offer::Whole && self.may(objects, Right::Read, path)
    }

    /// As [`tree::read`], without what this server does not see.
    pub(crate) fn read<E>(
        &self,
        objects: &dyn Objects,
        path: &Path,
        each: &mut dyn FnMut(&Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        tree::read(objects, path, &mut |record| {
            if self.sees(objects, &record.path) {
                each(record)
            } else {
                Ok(())
            }
        })
    }

    /// What the version has of the Server object: 1.0 ends with resource 8, and in 1.1 resources
    /// 13 to 20 are for bootstrap only (Core 1.1 §E.2). Versions of Firmware Update beyond 1.0,
    /// which ends with resource 9, need the enabler 1.1.
    pub(crate) fn offers(&self, path: &Path) -> Offer {
        let (Some(object), Some(resource)) = (path.object_id(), path.resource_id()) else {
            return Offer::Whole;
        };
        match (object, self.version, resource) {
            (1, Version::V1_0, 9..) | (1, Version::V1_1, 24..) => Offer::Absent,
            (1, Version::V1_1, 13..=20) => Offer::Untouchable,
            (5, Version::V1_0, 10..) => Offer::Absent,
            _ => Offer::Whole,
        }
    }

    /// The rights on an instance, or with 65535 on an object.
    fn rights(&self, objects: &dyn Objects, object: u16, instance: u16) -> u8 {
        if object == ACCESS_CONTROL {
            return self.rights_on_access_control(objects, instance);
        }
        if !is_enabled(objects) {
            return u8::MAX;
        }
        let Some((_, entry)) = find(objects, object, instance) else {
            return 0;
        };
        if let Some(rights) = number(entry, ACL, self.server) {
            // The text names the owner first, but only where there is no entry of his own.
            rights as u8
        } else if number(entry, OWNER, 0) == Some(self.server) {
            AccessControl::ALL
        } else {
            number(entry, ACL, 0).map_or(0, |rights| rights as u8)
        }
    }

    /// Every server reads the Access Control object, the owner of an instance writes it, and only
    /// a bootstrap-server or the client itself creates and deletes instances.
    fn rights_on_access_control(&self, objects: &dyn Objects, instance: u16) -> u8 {
        let owner = tree::find(objects, ACCESS_CONTROL)
            .and_then(|object| object.instance(instance))
            .and_then(|entry| number(entry, OWNER, 0));
        if owner == Some(self.server) {
            AccessControl::READ | AccessControl::WRITE
        } else {
            AccessControl::READ
        }
    }

    /// Checks an operation on one path: what is not there is 4.04, then what is not permitted 4.01;
    /// whether the resource allows the operation at all is a later question (Core 1.2 §8.2).
    pub(crate) fn authorize<B, T, A>(
        &self,
        objects: &dyn Objects,
        operation: &Operation<B, T, A>,
    ) -> Result<(), Code> {
        let path = operation.path();
        let right = match operation {
            Operation::Read { .. }
            | Operation::Observe { .. }
            | Operation::CancelObserve { .. }
            | Operation::WriteAttributes { .. } => Right::Read,
            Operation::Write { .. } => Right::Write,
            Operation::Execute { .. } => Right::Execute,
            Operation::Create { .. } => Right::Create,
            Operation::Delete { .. } => Right::Delete,
            // Discover needs no right; composites leave out what is not permitted, or check each
            // of their paths.
            Operation::Discover { .. }
            | Operation::ReadComposite { .. }
            | Operation::WriteComposite { .. }
            | Operation::ObserveComposite { .. }
            | Operation::CancelObserveComposite { .. } => return Ok(()),
        };
        let target = tree::resolve(objects, &path)?;
        if self.offers(&path) == Offer::Absent {
            return Err(Code::NOT_FOUND);
        }
        if right == Right::Read
            && let Target::Resource(instance, resource) = target
            && resource.operations.is_readable()
            && !tree::is_present(instance, resource)
        {
            return Err(Code::NOT_FOUND);
        }
        // A Write to an object is nothing that a right could permit.
        let is_possible =
            path.instance_id().is_some() || matches!(right, Right::Read | Right::Create);
        if is_possible && !self.may(objects, right, &path) {
            return Err(Code::UNAUTHORIZED);
        }
        if self.offers(&path) == Offer::Untouchable {
            return Err(Code::METHOD_NOT_ALLOWED);
        }
        Ok(())
    }
}

/// What a version has of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offer {
    Whole,
    /// There, but without operations.
    Untouchable,
    /// Of a later version.
    Absent,
}

/// Access control begins with the first instance of the Access Control object. Without one, every
/// server has all rights (Core 1.2 §8.2.1).
fn is_enabled(objects: &dyn Objects) -> bool {
    tree::find(objects, ACCESS_CONTROL).is_some_and(|object| object.instance_id(0).is_some())
}

/// The instances of the Access Control object.
fn entries(objects: &dyn Objects) -> impl Iterator<Item = (u16, &dyn Instance)> {
    tree::find(objects, ACCESS_CONTROL)
        .into_iter()
        .flat_map(|object| {
            tree::instance_ids(object).filter_map(|id| Some((id, object.instance(id)?)))
        })
}

/// The instance that speaks of an object instance.
fn find(objects: &dyn Objects, object: u16, instance: u16) -> Option<(u16, &dyn Instance)> {
    entries(objects).find(|(_, entry)| {
        number(*entry, OBJECT_ID, 0) == Some(object)
            && number(*entry, OBJECT_INSTANCE_ID, 0) == Some(instance)
    })
}

/// A value of an Access Control instance.
fn number(entry: &dyn Instance, resource: u16, id: u16) -> Option<u16> {
    let field = entry.field(resource)?;
    let (_, value) = tree::values(field).find(|(found, _)| *found == id)?;
    match value {
        Value::Unsigned(number) => u16::try_from(number).ok(),
        Value::Integer(number) => u16::try_from(number).ok(),
        _ => None,
    }
}

/// A server created an instance: it owns it, with all rights (Core 1.2 §8.1.3).
pub(crate) fn created(
    objects: &mut dyn Objects,
    object: u16,
    instance: u16,
    server: u16,
) -> Result<(), Code> {
    if !is_enabled(objects) {
        return Ok(());
    }
    let Some(access) = tree::find_mut(objects, ACCESS_CONTROL) else {
        return Ok(());
    };
    access
        .create(None, &mut |entry| {
            set(entry, OBJECT_ID, 0, object)?;
            set(entry, OBJECT_INSTANCE_ID, 0, instance)?;
            set(entry, ACL, server, u16::from(AccessControl::ALL))?;
            set(entry, OWNER, 0, server)
        })
        .map(|_| ())
}

fn set(entry: &mut dyn Instance, resource: u16, id: u16, value: u16) -> Result<(), Code> {
    entry
        .field_mut(resource)
        .and_then(|field| field.set(id, Value::Unsigned(u64::from(value))).ok())
        .ok_or(Code::INTERNAL_SERVER_ERROR)
}

/// Instances of an object are gone: what spoke of them goes as well.
pub(crate) fn forget_missing(objects: &mut dyn Objects, object: u16) {
    while let Some(id) = missing(objects, object) {
        let is_gone =
            tree::find_mut(objects, ACCESS_CONTROL).is_some_and(|access| access.delete(id).is_ok());
        if !is_gone {
            return;
        }
    }
}

/// An Access Control instance about an instance that is not there.
fn missing(objects: &dyn Objects, object: u16) -> Option<u16> {
    let target = tree::find(objects, object)?;
    entries(objects)
        .find(|(_, entry)| {
            number(*entry, OBJECT_ID, 0) == Some(object)
                && number(*entry, OBJECT_INSTANCE_ID, 0)
                    .is_some_and(|id| id != MAX_ID && target.instance(id).is_none())
        })
        .map(|(id, _)| id)
}

/// The account of a server is gone (Transport 1.2 §5.2.5): instances that nobody else could access
/// are deleted; others lose its entry, and if it owned them, they get a new owner.
pub(crate) fn forget_server(objects: &mut dyn Objects, server: u16) {
    let mut last = None;
    while let Some((id, fate)) = next_of(objects, server, last) {
        last = Some(id);
        if let Fate::Delete(object, instance) = fate {
            let is_deleted = tree::find_mut(objects, object)
                .is_some_and(|object| object.delete(instance).is_ok());
            let access = tree::find_mut(objects, ACCESS_CONTROL);
            if is_deleted && access.is_some_and(|access| access.delete(id).is_ok()) {
                continue;
            }
        }
        let owner = match fate {
            Fate::Keep => None,
            Fate::Owner(owner) => Some(owner),
            // What cannot be deleted is left to a bootstrap-server.
            Fate::Delete(..) => Some(MAX_ID),
        };
        if let Some(access) = tree::find_mut(objects, ACCESS_CONTROL) {
            let _refused = access.transaction(id, &mut |entry| {
                if let Some(acl) = entry.field_mut(ACL) {
                    let _absent = acl.remove(server);
                }
                owner.map_or(Ok(()), |owner| set(entry, OWNER, 0, owner))
            });
        }
    }
}

enum Fate {
    Keep,
    Owner(u16),
    Delete(u16, u16),
}

/// The next Access Control instance that mentions a server, and what becomes of it.
fn next_of(objects: &dyn Objects, server: u16, last: Option<u16>) -> Option<(u16, Fate)> {
    let (id, entry) = entries(objects).find(|(id, entry)| {
        last.is_none_or(|last| *id > last)
            && (number(*entry, OWNER, 0) == Some(server) || number(*entry, ACL, server).is_some())
    })?;
    if number(entry, OWNER, 0) != Some(server) {
        return Some((id, Fate::Keep));
    }
    let others = || {
        entry
            .field(ACL)
            .into_iter()
            .flat_map(tree::values)
            .filter(move |(other, _)| *other != server)
    };
    let target = (
        number(entry, OBJECT_ID, 0).unwrap_or(MAX_ID),
        number(entry, OBJECT_INSTANCE_ID, 0).unwrap_or(MAX_ID),
    );
    if others().next().is_none() {
        return Some((id, Fate::Delete(target.0, target.1)));
    }
    // The highest sum of Write and Delete; whoever is not listed has the rights of 0.
    let weight = |other: u16| {
        let rights = number(entry, ACL, other).or_else(|| number(entry, ACL, 0));
        let mask = u16::from(AccessControl::WRITE | AccessControl::DELETE);
        (rights.unwrap_or(0) & mask).count_ones()
    };
    let mut owner = MAX_ID;
    let mut best = 0;
    for other in servers(objects).filter(|other| *other != server) {
        let is_listed = number(entry, ACL, other).is_some();
        if (is_listed || weight(other) > 0) && (owner == MAX_ID || weight(other) > best) {
            owner = other;
            best = weight(other);
        }
    }
    Some((id, Fate::Owner(owner)))
}

/// The Short Server IDs of all accounts.
fn servers(objects: &dyn Objects) -> impl Iterator<Item = u16> {
    tree::find(objects, 1).into_iter().flat_map(|object| {
        tree::instance_ids(object).filter_map(|id| number(object.instance(id)?, 0, 0))
    })
}

//! Object lists for Register and Update, and what Discover lists (RFC 6690; Core 1.2 §6.2.1,
//! §6.3.2, §7.2.3).

use dunlin_coap::WriteError;
use dunlin_lwm2m::definition::{ObjectDefinition, ResourceDefinition};
use dunlin_lwm2m::link::{LinkProperties, LinksWriter};
use dunlin_lwm2m::registration::{ObjectListWriter, implied_object_version, must_not_be_listed};
use dunlin_lwm2m::{Attributes, Level, ObjectVersion, Path, Version};

use crate::object::{Instance, Object, Objects};
use crate::tree::{self, Target, all, instance_ids, is_hidden, is_present};

/// The version of an object where it has to be told: it is not the one implied.
///
/// The core objects here have nothing but what every version of theirs has or allows to be absent,
/// so that they are of whichever version the enabler in use implies; Firmware Update is so in 1.0
/// only, where its later resources are left out.
fn told_version(definition: &ObjectDefinition, version: Version) -> Option<ObjectVersion> {
    const LAST_CORE_OBJECT: u16 = 7;
    const FIRMWARE_UPDATE: u16 = 5;
    let follows = definition.id <= LAST_CORE_OBJECT
        && (definition.id != FIRMWARE_UPDATE || version == Version::V1_0);
    let is_implied =
        follows || definition.version == implied_object_version(version, definition.id);
    (!is_implied).then_some(definition.version)
}

/// Writes the object list of a Register into `buffer` and returns its length.
pub(crate) fn write_objects(
    objects: &dyn Objects,
    version: Version,
    buffer: &mut [u8],
) -> Result<usize, WriteError> {
    let mut writer = ObjectListWriter::new(buffer, "");
    for object in all(objects) {
        let definition = object.definition();
        let id = definition.id;
        if is_hidden(id) || must_not_be_listed(version, id) {
            continue;
        }
        let told = told_version(definition, version);
        if told.is_some() || object.instance_id(0).is_none() {
            writer.object(id, told);
        }
        for instance in instance_ids(object) {
            writer.instance(id, instance, None);
        }
    }
    writer.finish()
}

/// What one Discover asks for.
pub(crate) struct Discover<'a> {
    pub(crate) target: Path,
    pub(crate) depth: Option<u8>,
    pub(crate) version: Version,
    /// Whether the version has what is at a path.
    pub(crate) shows: &'a dyn Fn(&Path) -> bool,
    /// What is attached exactly at a path.
    pub(crate) own: &'a dyn Fn(&Path) -> Attributes,
    /// The same with what is inherited.
    pub(crate) inherited: &'a dyn Fn(&Path) -> Attributes,
}

impl Discover<'_> {
    /// Writes the links. The target was resolved before.
    pub(crate) fn write(&self, objects: &dyn Objects, out: &mut LinksWriter<'_, '_>) {
        let depth = self.depth.filter(|_| self.version >= Version::V1_2);
        match tree::resolve(objects, &self.target) {
            Ok(Target::Object(object)) => self.object(object, depth.unwrap_or(2), out),
            Ok(Target::Instance(object, instance)) => {
                let depth = depth.unwrap_or(1);
                self.instance(object.definition(), self.target, instance, depth, out);
            }
            Ok(Target::Resource(instance, resource)) => {
                // 1.0 does not list resource instances.
                let default = u8::from(self.version > Version::V1_0);
                let depth = depth.unwrap_or(default);
                self.resource(self.target, instance, resource, depth, out);
            }
            _ => {}
        }
    }

    fn object(&self, object: &dyn Object, depth: u8, out: &mut LinksWriter<'_, '_>) {
        let definition = object.definition();
        let properties = LinkProperties {
            version: told_version(definition, self.version),
            ..LinkProperties::NONE
        };
        out.link(self.target, properties, &self.attributes(&self.target));
        let Some(depth) = depth.checked_sub(1) else {
            return;
        };
        for id in instance_ids(object) {
            if let Some(instance) = object.instance(id) {
                let path = Path::instance(definition.id, id);
                self.instance(definition, path, instance, depth, out);
            }
        }
    }

    fn instance(
        &self,
        definition: &ObjectDefinition,
        path: Path,
        instance: &dyn Instance,
        depth: u8,
        out: &mut LinksWriter<'_, '_>,
    ) {
        out.link(path, LinkProperties::NONE, &self.attributes(&path));
        let Some(depth) = depth.checked_sub(1) else {
            return;
        };
        for id in instance.resources() {
            let Some(resource) = definition.resource(*id) else {
                continue;
            };
            let path = path.child(*id).unwrap_or(path);
            if is_present(instance, resource) && (self.shows)(&path) {
                self.resource(path, instance, resource, depth, out);
            }
        }
    }

    fn resource(
        &self,
        path: Path,
        instance: &dyn Instance,
        resource: &ResourceDefinition,
        depth: u8,
        out: &mut LinksWriter<'_, '_>,
    ) {
        let field = instance.field(resource.id).filter(|_| resource.multiple);
        let dimension = field
            .filter(|_| !self.is_bare(&path))
            .and_then(|field| u16::try_from(tree::values(field).count()).ok());
        let properties = LinkProperties {
            dimension,
            ..LinkProperties::NONE
        };
        out.link(path, properties, &self.attributes(&path));
        let Some(field) = field.filter(|_| depth > 0) else {
            return;
        };
        for (id, _) in tree::values(field) {
            let path = path.child(id).unwrap_or(path);
            out.link(path, LinkProperties::NONE, &self.attributes(&path));
        }
    }

    /// Before 1.2, an object target lists bare links below itself.
    fn is_bare(&self, path: &Path) -> bool {
        self.version < Version::V1_2 && self.target.level() == Level::Object && *path != self.target
    }

    /// Every link shows what is attached at its own level; the target also what it inherits, if
    /// it is a resource, or since 1.2.
    fn attributes(&self, path: &Path) -> Attributes {
        let shows_inherited =
            self.target.level() >= Level::Resource || self.version >= Version::V1_2;
        if self.is_bare(path) {
            Attributes::NONE
        } else if *path == self.target && shows_inherited {
            (self.inherited)(path)
        } else {
            (self.own)(path)
        }
    }
}

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ModelError, ObjectModel, ResourceModel, Strictness, embedded, parse};
use crate::definition::{ResourceType, Types};
use crate::{MAX_ID, ObjectVersion};

/// Object definitions by id and version.
#[derive(Clone, Debug, Default)]
pub struct Models {
    objects: BTreeMap<(u16, ObjectVersion), Arc<ObjectModel>>,
}

impl Models {
    /// No definitions.
    pub fn new() -> Self {
        Self::default()
    }

    /// The definitions that come with this crate. They are read once.
    pub fn embedded() -> Self {
        embedded::models().clone()
    }

    /// Adds a definition; one of the same id and version is replaced and returned.
    pub fn insert(&mut self, object: ObjectModel) -> Option<Arc<ObjectModel>> {
        self.objects
            .insert((object.id, object.version), Arc::new(object))
    }

    /// Adds what an XML file defines, and tells how many definitions that were. On an error
    /// nothing is added.
    pub fn insert_xml(&mut self, xml: &[u8], strictness: Strictness) -> Result<usize, ModelError> {
        let objects = parse(xml, strictness)?;
        let count = objects.len();
        for object in objects {
            self.insert(object);
        }
        Ok(count)
    }

    /// The definition of exactly this version.
    pub fn get(&self, id: u16, version: ObjectVersion) -> Option<&Arc<ObjectModel>> {
        self.objects.get(&(id, version))
    }

    /// The definition to use for a device that announces this version: the same one, or else the
    /// highest minor version known of the same major, since minor versions only add. An unknown
    /// major version has no definition.
    pub fn resolve(&self, id: u16, version: ObjectVersion) -> Option<&Arc<ObjectModel>> {
        self.get(id, version).or_else(|| {
            let of_major = |minor| ObjectVersion {
                major: version.major,
                minor,
            };
            self.objects
                .range((id, of_major(0))..=(id, of_major(u8::MAX)))
                .next_back()
                .map(|(_, object)| object)
        })
    }

    /// The highest version known of an object.
    pub fn latest(&self, id: u16) -> Option<&Arc<ObjectModel>> {
        let version = |number| ObjectVersion {
            major: number,
            minor: number,
        };
        self.objects
            .range((id, version(0))..=(id, version(u8::MAX)))
            .next_back()
            .map(|(_, object)| object)
    }

    /// The definition of a resource in the object version that a device announces, see
    /// [`resolve`](Self::resolve).
    pub fn resource(
        &self,
        object: u16,
        version: ObjectVersion,
        resource: u16,
    ) -> Option<&ResourceModel> {
        self.resolve(object, version)?.resource(resource)
    }

    /// Every definition, in ascending order of id and version.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<ObjectModel>> {
        self.objects.values()
    }

    /// The highest version of every object, in ascending order of ids.
    pub fn iter_latest(&self) -> impl Iterator<Item = &Arc<ObjectModel>> {
        let mut objects = self.objects.values().peekable();
        std::iter::from_fn(move || {
            let mut object = objects.next()?;
            while let Some(newer) = objects.next_if(|newer| newer.id == object.id) {
                object = newer;
            }
            Some(object)
        })
    }

    /// How many definitions there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }
}

/// The types of the highest version known. Where the version of a device is known, ask
/// [`Models::resource`].
impl Types for Models {
    fn resource_type(&self, object: u16, resource: u16) -> Option<ResourceType> {
        if object == MAX_ID {
            return None;
        }
        Some(self.latest(object)?.resource(resource)?.resource_type())
    }
}

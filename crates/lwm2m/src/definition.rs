//! What an object is made of, as constants that need no heap.

#[rustfmt::skip] // One line for each resource.
pub mod objects;

use crate::{DataType, ObjectVersion};

/// Which operations a resource allows (Core 1.2 Appendix D.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operations {
    /// None over device management: bootstrap only.
    None,
    /// Read.
    R,
    /// Write.
    W,
    /// Read and Write.
    RW,
    /// Execute.
    E,
}

impl Operations {
    /// Whether Read is allowed.
    pub const fn is_readable(self) -> bool {
        matches!(self, Self::R | Self::RW)
    }

    /// Whether Write is allowed.
    pub const fn is_writable(self) -> bool {
        matches!(self, Self::W | Self::RW)
    }

    /// Whether Execute is allowed.
    pub const fn is_executable(self) -> bool {
        matches!(self, Self::E)
    }

    /// `""`, `R`, `W`, `RW` or `E`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::R => "R",
            Self::W => "W",
            Self::RW => "RW",
            Self::E => "E",
        }
    }
}

/// An inclusive range: of the value for numbers, of the length in bytes for String and Opaque.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// Smallest allowed.
    pub min: f64,
    /// Largest allowed.
    pub max: f64,
}

/// The definition of a resource.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResourceDefinition {
    /// Resource id.
    pub id: u16,
    /// Name as registered.
    pub name: &'static str,
    /// Allowed operations.
    pub operations: Operations,
    /// Whether it has resource instances.
    pub multiple: bool,
    /// Whether every object instance has it.
    pub mandatory: bool,
    /// Type; `None` for executables.
    pub data_type: Option<DataType>,
    /// Range of legal values.
    pub range: Option<Range>,
    /// Unit symbol, empty when there is none.
    pub units: &'static str,
}

impl ResourceDefinition {
    /// A definition of an optional resource with a single value, any range and no unit.
    pub const fn new(
        id: u16,
        name: &'static str,
        operations: Operations,
        data_type: Option<DataType>,
    ) -> Self {
        Self {
            id,
            name,
            operations,
            multiple: false,
            mandatory: false,
            data_type,
            range: None,
            units: "",
        }
    }

    /// With resource instances.
    #[must_use]
    pub const fn multiple(self) -> Self {
        Self {
            multiple: true,
            ..self
        }
    }

    /// In every object instance.
    #[must_use]
    pub const fn mandatory(self) -> Self {
        Self {
            mandatory: true,
            ..self
        }
    }

    /// With a range of legal values.
    #[must_use]
    pub const fn range(self, min: f64, max: f64) -> Self {
        Self {
            range: Some(Range { min, max }),
            ..self
        }
    }

    /// With a unit.
    #[must_use]
    pub const fn units(self, units: &'static str) -> Self {
        Self { units, ..self }
    }
}

/// The definition of an object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ObjectDefinition {
    /// Object id.
    pub id: u16,
    /// Name as registered.
    pub name: &'static str,
    /// Version of this definition.
    pub version: ObjectVersion,
    /// Whether it may have several instances.
    pub multiple: bool,
    /// Whether every device has it.
    pub mandatory: bool,
    /// Resources in ascending order of their ids.
    pub resources: &'static [ResourceDefinition],
}

impl ObjectDefinition {
    /// The definition of a resource.
    pub fn resource(&self, id: u16) -> Option<&ResourceDefinition> {
        self.resources
            .binary_search_by_key(&id, |resource| resource.id)
            .ok()
            .map(|index| &self.resources[index])
    }
}

/// What a reader must know to give a value its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResourceType {
    /// Type; `None` for executables.
    pub data_type: Option<DataType>,
    /// Whether it has resource instances.
    pub multiple: bool,
}

/// Tells the type of a resource. Readers ask it, because most formats do not carry types.
pub trait Types {
    /// The type, or `None` when the resource is unknown; a reader then keeps what the format
    /// tells (TLV: opaque).
    fn resource_type(&self, object: u16, resource: u16) -> Option<ResourceType>;
}

/// Knows no types.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTypes;

impl Types for NoTypes {
    fn resource_type(&self, _object: u16, _resource: u16) -> Option<ResourceType> {
        None
    }
}

impl<T: Types + ?Sized> Types for &T {
    fn resource_type(&self, object: u16, resource: u16) -> Option<ResourceType> {
        (**self).resource_type(object, resource)
    }
}

impl Types for [&'static ObjectDefinition] {
    fn resource_type(&self, object: u16, resource: u16) -> Option<ResourceType> {
        let definition = self.iter().find(|definition| definition.id == object)?;
        let resource = definition.resource(resource)?;
        Some(ResourceType {
            data_type: resource.data_type,
            multiple: resource.multiple,
        })
    }
}

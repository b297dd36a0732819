//! Object definitions: what their XML files say (Core 1.2 Appendix D), loaded, checked, looked up
//! by version, and turned into Rust.
//!
//! ```
//! use dunlin_lwm2m::{Models, ObjectVersion};
//! let models = Models::embedded();
//! let device = models.resolve(3, ObjectVersion::V1_0).unwrap();
//! assert_eq!(device.name, "Device");
//! assert_eq!(device.resource(9).unwrap().name, "Battery Level");
//! ```

mod common;
mod document;
mod embedded;
mod finding;
pub mod generate;
mod object_list;
mod range;
mod reader;
mod registry;
mod registry_lint;
mod units;
mod xml;

#[cfg(test)]
mod registry_tests;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use finding::{Finding, Position, Rule, Severity};
pub use range::parse_range;
pub use registry::Models;
pub use registry_lint::{Files, Registry};
pub use units::is_known_unit;
pub use xml::{MAX_FILE_BYTES, ModelError, Strictness, lint, parse};

use crate::definition::{Operations, Range, ResourceType};
use crate::{DataType, ObjectVersion, Version};

/// An object definition.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectModel {
    /// Object id.
    pub id: u16,
    /// Name as registered.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// URN as registered.
    pub urn: String,
    /// Lowest enabler version it may be used with; `None` when the file says nothing readable.
    pub lwm2m_version: Option<Version>,
    /// Version of this definition.
    pub version: ObjectVersion,
    /// Whether it may have several instances.
    pub multiple: bool,
    /// Whether every device has it.
    pub mandatory: bool,
    /// Resources in ascending order of their ids.
    pub resources: Vec<ResourceModel>,
    /// Further text.
    pub description2: String,
}

impl ObjectModel {
    /// The definition of a resource.
    pub fn resource(&self, id: u16) -> Option<&ResourceModel> {
        self.resources
            .binary_search_by_key(&id, |resource| resource.id)
            .ok()
            .and_then(|index| self.resources.get(index))
    }

    /// The URN that the id and version ask for (Core 1.2 Appendix D.1): the version part is left
    /// out for 1.0.
    pub fn expected_urn(&self) -> Cow<'static, str> {
        let class = match self.id {
            0..=2047 => "oma",
            2048..=10240 => "ext",
            _ => "x",
        };
        if self.version == ObjectVersion::V1_0 {
            format!("urn:oma:lwm2m:{class}:{}", self.id).into()
        } else {
            format!("urn:oma:lwm2m:{class}:{}:{}", self.id, self.version).into()
        }
    }
}

/// The definition of a resource.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceModel {
    /// Resource id.
    pub id: u16,
    /// Name as registered.
    pub name: String,
    /// Allowed operations.
    pub operations: Operations,
    /// Whether it has resource instances.
    pub multiple: bool,
    /// Whether every object instance has it.
    pub mandatory: bool,
    /// Type; `None` for executables.
    pub data_type: Option<DataType>,
    /// Range of legal values, as far as [`parse_range`] understands it.
    pub range: Option<Range>,
    /// Range or enumeration as the file has it.
    pub range_text: String,
    /// Unit symbol, empty when there is none.
    pub units: String,
    /// What it is for.
    pub description: String,
}

impl ResourceModel {
    /// What a reader of payloads must know.
    pub const fn resource_type(&self) -> ResourceType {
        ResourceType {
            data_type: self.data_type,
            multiple: self.multiple,
        }
    }
}

//! What LwM2M clients and servers both say: paths, values, records, content formats, attributes,
//! operations and object definitions (OMA LwM2M 1.0, 1.1 and 1.2).
//!
//! The core uses neither `std` nor a heap. The `std` feature adds owned records and the loader of
//! object definition files ([`model`]).
#![cfg_attr(not(feature = "std"), no_std)]

mod arguments;
mod attributes;
pub mod base64;
mod content;
mod content_format;
pub mod definition;
mod feature;
pub mod format;
pub mod link;
#[cfg(feature = "std")]
pub mod model;
pub mod operation;
mod path;
mod record;
pub mod registration;
mod scratch;
mod value;
mod version;

pub use arguments::{Argument, ArgumentIter, Arguments, ArgumentsError};
pub use attributes::{
    Attribute, AttributeChange, AttributeError, AttributeValue, Attributes, WriteAttributes,
};
pub use content::Content;
pub use content_format::ContentFormat;
pub use feature::Feature;
#[cfg(feature = "std")]
pub use model::Models;
pub use path::{Level, MAX_ID, Path, PathError};
pub use record::Record;
#[cfg(feature = "std")]
pub use record::{OwnedRecord, OwnedValue};
pub use value::{DataType, ObjectLink, Value};
pub use version::{ObjectVersion, Version, VersionError};

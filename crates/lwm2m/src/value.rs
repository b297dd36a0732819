//! Values and their types (Core 1.2 Appendix C).

use core::fmt;
use core::str::FromStr;

use crate::path::parse_id;

/// The type of a resource (Core 1.2 Appendix C, Table C-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataType {
    /// UTF-8 text.
    String,
    /// Signed, up to 64 bits.
    Integer,
    /// Unsigned, up to 64 bits (since 1.1).
    Unsigned,
    /// IEEE 754, 32 or 64 bits.
    Float,
    /// true or false.
    Boolean,
    /// Any bytes.
    Opaque,
    /// Signed seconds since 1970-01-01T00:00:00Z.
    Time,
    /// Object id and object instance id.
    ObjectLink,
    /// RFC 6690 links as text (since 1.1).
    CoreLink,
}

impl DataType {
    /// All types.
    pub const ALL: [Self; 9] = [
        Self::String,
        Self::Integer,
        Self::Unsigned,
        Self::Float,
        Self::Boolean,
        Self::Opaque,
        Self::Time,
        Self::ObjectLink,
        Self::CoreLink,
    ];

    /// The type of a word of the object definition files.
    ///
    /// ```
    /// use dunlin_lwm2m::DataType;
    /// assert_eq!(DataType::from_name("Objlnk"), Some(DataType::ObjectLink));
    /// assert_eq!(DataType::from_name("objlnk"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|data_type| data_type.name() == name)
    }

    /// The word the object definition files use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::Integer => "Integer",
            Self::Unsigned => "Unsigned Integer",
            Self::Float => "Float",
            Self::Boolean => "Boolean",
            Self::Opaque => "Opaque",
            Self::Time => "Time",
            Self::ObjectLink => "Objlnk",
            Self::CoreLink => "Corelnk",
        }
    }
}

/// A link to an object instance; 65535:65535 is the null link, `id:65535` the object itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ObjectLink {
    /// Object id.
    pub object: u16,
    /// Object instance id.
    pub instance: u16,
}

impl ObjectLink {
    /// The null link: leads nowhere.
    pub const NULL: Self = Self {
        object: crate::MAX_ID,
        instance: crate::MAX_ID,
    };
}

impl Default for ObjectLink {
    /// The null link.
    fn default() -> Self {
        Self::NULL
    }
}

impl fmt::Display for ObjectLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.object, self.instance)
    }
}

impl FromStr for ObjectLink {
    type Err = crate::PathError;

    fn from_str(text: &str) -> Result<Self, crate::PathError> {
        let (object, instance) = text.split_once(':').ok_or(crate::PathError::Id)?;
        match (parse_id(object), parse_id(instance)) {
            (Some(object), Some(instance)) => Ok(Self { object, instance }),
            _ => Err(crate::PathError::Id),
        }
    }
}

/// A value, borrowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// UTF-8 text.
    String(&'a str),
    /// Signed integer.
    Integer(i64),
    /// Unsigned integer.
    Unsigned(u64),
    /// Floating point number.
    Float(f64),
    /// true or false.
    Boolean(bool),
    /// Any bytes.
    Opaque(&'a [u8]),
    /// Signed seconds since 1970-01-01T00:00:00Z.
    Time(i64),
    /// Link to an object instance.
    ObjectLink(ObjectLink),
    /// RFC 6690 links as text.
    CoreLink(&'a str),
}

impl Value<'_> {
    /// The type of this value.
    pub const fn data_type(&self) -> DataType {
        match self {
            Self::String(_) => DataType::String,
            Self::Integer(_) => DataType::Integer,
            Self::Unsigned(_) => DataType::Unsigned,
            Self::Float(_) => DataType::Float,
            Self::Boolean(_) => DataType::Boolean,
            Self::Opaque(_) => DataType::Opaque,
            Self::Time(_) => DataType::Time,
            Self::ObjectLink(_) => DataType::ObjectLink,
            Self::CoreLink(_) => DataType::CoreLink,
        }
    }
}

//! The one currency between formats and engines: a path, perhaps a time, perhaps a value.

use crate::{Path, Value};

/// A record, borrowed from what was read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record<'a> {
    /// Where the value belongs: a resource, or a resource instance of a multiple resource.
    pub path: Path,
    /// Time of the value in seconds as it stood in the payload (base time plus time), `None` when
    /// absent. 2^28 and above is since 1970, below is relative to now (RFC 8428 §4.5.3); see
    /// [`Record::unix_time`].
    pub time: Option<f64>,
    /// The value. `None` stands for "this exists, and is empty" (a multiple resource or an
    /// instance without content), and for the bare names of a composite request.
    pub value: Option<Value<'a>>,
}

impl<'a> Record<'a> {
    /// A record without a time.
    pub const fn new(path: Path, value: Value<'a>) -> Self {
        Self {
            path,
            time: None,
            value: Some(value),
        }
    }

    /// A record that only says that `path` exists.
    pub const fn empty(path: Path) -> Self {
        Self {
            path,
            time: None,
            value: None,
        }
    }

    /// The time in seconds since 1970, given the present time in the same unit.
    pub fn unix_time(&self, now: f64) -> Option<f64> {
        const ABSOLUTE: f64 = 268_435_456.0; // 2^28, RFC 8428 §4.5.3
        self.time
            .map(|time| if time >= ABSOLUTE { time } else { now + time })
    }
}

#[cfg(feature = "std")]
mod owned {
    use super::Record;
    use crate::{DataType, ObjectLink, Path, Value};

    /// A [`Value`] that owns its content.
    #[derive(Clone, Debug, PartialEq)]
    pub enum OwnedValue {
        /// UTF-8 text.
        String(String),
        /// Signed integer.
        Integer(i64),
        /// Unsigned integer.
        Unsigned(u64),
        /// Floating point number.
        Float(f64),
        /// true or false.
        Boolean(bool),
        /// Any bytes.
        Opaque(Vec<u8>),
        /// Signed seconds since 1970-01-01T00:00:00Z.
        Time(i64),
        /// Link to an object instance.
        ObjectLink(ObjectLink),
        /// RFC 6690 links as text.
        CoreLink(String),
    }

    impl OwnedValue {
        /// The value, borrowed.
        pub fn as_value(&self) -> Value<'_> {
            match self {
                Self::String(text) => Value::String(text),
                Self::Integer(number) => Value::Integer(*number),
                Self::Unsigned(number) => Value::Unsigned(*number),
                Self::Float(number) => Value::Float(*number),
                Self::Boolean(truth) => Value::Boolean(*truth),
                Self::Opaque(bytes) => Value::Opaque(bytes),
                Self::Time(seconds) => Value::Time(*seconds),
                Self::ObjectLink(link) => Value::ObjectLink(*link),
                Self::CoreLink(text) => Value::CoreLink(text),
            }
        }

        /// The type of this value.
        pub fn data_type(&self) -> DataType {
            self.as_value().data_type()
        }
    }

    impl From<Value<'_>> for OwnedValue {
        fn from(value: Value<'_>) -> Self {
            match value {
                Value::String(text) => Self::String(text.to_owned()),
                Value::Integer(number) => Self::Integer(number),
                Value::Unsigned(number) => Self::Unsigned(number),
                Value::Float(number) => Self::Float(number),
                Value::Boolean(truth) => Self::Boolean(truth),
                Value::Opaque(bytes) => Self::Opaque(bytes.to_vec()),
                Value::Time(seconds) => Self::Time(seconds),
                Value::ObjectLink(link) => Self::ObjectLink(link),
                Value::CoreLink(text) => Self::CoreLink(text.to_owned()),
            }
        }
    }

    /// A [`Record`] that owns its content.
    #[derive(Clone, Debug, PartialEq)]
    pub struct OwnedRecord {
        /// See [`Record::path`].
        pub path: Path,
        /// See [`Record::time`].
        pub time: Option<f64>,
        /// See [`Record::value`].
        pub value: Option<OwnedValue>,
    }

    impl OwnedRecord {
        /// A record without a time.
        pub fn new(path: Path, value: OwnedValue) -> Self {
            Self {
                path,
                time: None,
                value: Some(value),
            }
        }

        /// The record, borrowed.
        pub fn as_record(&self) -> Record<'_> {
            Record {
                path: self.path,
                time: self.time,
                value: self.value.as_ref().map(OwnedValue::as_value),
            }
        }
    }

    impl From<Record<'_>> for OwnedRecord {
        fn from(record: Record<'_>) -> Self {
            Self {
                path: record.path,
                time: record.time,
                value: record.value.map(OwnedValue::from),
            }
        }
    }
}

#[cfg(feature = "std")]
pub use owned::{OwnedRecord, OwnedValue};

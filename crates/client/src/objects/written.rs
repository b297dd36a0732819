use dunlin_lwm2m::{DataType, Value};

use crate::object::{Field, FieldError, FieldType};

/// Stands for an image, which is written only and lies in a storage.
#[derive(Clone, Debug, Default)]
pub(crate) struct Written;

impl Field for Written {
    fn get(&self, _position: usize) -> Option<(u16, Value<'_>)> {
        None
    }

    fn set(&mut self, _instance: u16, _value: Value<'_>) -> Result<(), FieldError> {
        Err(FieldError::ReadOnly)
    }

    fn clear(&mut self) {}

    fn is_present(&self) -> bool {
        true
    }
}

impl FieldType for Written {
    const TYPES: &'static [DataType] = &[DataType::Opaque];
}

//! What a resource is made of on the Rust side: the field types of an instance struct.

use core::fmt;

use dunlin_lwm2m::{DataType, ObjectLink, Value};
use heapless::{String, Vec};

/// Why a field did not take a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldError {
    /// The value has another type, or does not fit the Rust type.
    Type,
    /// The value is longer than the field's capacity.
    TooLarge,
    /// A multiple resource has no place for one more instance.
    Full,
    /// The field never takes a value from outside.
    ReadOnly,
    /// There is no such resource instance.
    NotFound,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Type => "the value does not fit the type of the resource",
            Self::TooLarge => "the value is larger than the resource can hold",
            Self::Full => "the resource holds no more resource instances",
            Self::ReadOnly => "the resource is constant",
            Self::NotFound => "there is no such resource instance",
        })
    }
}

impl core::error::Error for FieldError {}

/// A resource's content, whatever its Rust type: how the engine reads and writes it.
///
/// A single resource is a field with one value, at position 0 and with id 0; an absent optional
/// one has none. A multiple resource ([`Multiple`]) has its resource instances in ascending order
/// of their ids.
pub trait Field {
    /// The value at `position`, with its resource instance id.
    fn get(&self, position: usize) -> Option<(u16, Value<'_>)>;

    /// Sets the value of a resource instance (0 for a single resource) and creates it where it is
    /// missing.
    fn set(&mut self, instance: u16, value: Value<'_>) -> Result<(), FieldError>;

    /// Removes every value that may go: all of a multiple resource, the one of an optional single
    /// resource. A mandatory single resource keeps its value.
    fn clear(&mut self);

    /// Removes one resource instance of a multiple resource.
    fn remove(&mut self, _instance: u16) -> Result<(), FieldError> {
        Err(FieldError::NotFound)
    }

    /// Whether the resource is there: a single one with its value, a multiple one always.
    fn is_present(&self) -> bool {
        self.get(0).is_some()
    }
}

/// What the compiler checks a field against: the resource's definition (Core 1.2 Appendix C, D).
pub trait FieldType: Field {
    /// The data types this Rust type can stand for.
    const TYPES: &'static [DataType];
    /// Whether it holds resource instances.
    const MULTIPLE: bool = false;
    /// Whether it can be absent.
    const OPTIONAL: bool = false;
}

/// A signed integer from whatever number the peer sent; `23.0` counts as 23 (RFC 8428 numbers).
fn signed(value: Value<'_>) -> Option<i64> {
    match value {
        Value::Integer(number) | Value::Time(number) => Some(number),
        Value::Unsigned(number) => i64::try_from(number).ok(),
        // Below 2^63 every integral f64 converts exactly.
        Value::Float(number)
            if (-9.223_372_036_854_775e18..9.223_372_036_854_775e18).contains(&number) =>
        {
            let integer = number as i64;
            (integer as f64 == number).then_some(integer)
        }
        _ => None,
    }
}

fn unsigned(value: Value<'_>) -> Option<u64> {
    match value {
        Value::Unsigned(number) => Some(number),
        other => u64::try_from(signed(other)?).ok(),
    }
}

fn float(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Float(number) => Some(number),
        Value::Integer(number) => Some(number as f64),
        Value::Unsigned(number) => Some(number as f64),
        _ => None,
    }
}

macro_rules! single {
    ($type:ty, [$($data_type:ident),*], |$this:ident| $get:expr, |$value:ident| $set:expr) => {
        impl Field for $type {
            fn get(&self, position: usize) -> Option<(u16, Value<'_>)> {
                let $this = self;
                (position == 0).then(|| (0, $get))
            }

            fn set(&mut self, instance: u16, $value: Value<'_>) -> Result<(), FieldError> {
                if instance != 0 {
                    return Err(FieldError::NotFound);
                }
                *self = $set.ok_or(FieldError::Type)?;
                Ok(())
            }

            fn clear(&mut self) {}
        }

        impl FieldType for $type {
            const TYPES: &'static [DataType] = &[$(DataType::$data_type),*];
        }
    };
}

macro_rules! integers {
    ($($type:ty),*) => {
        $(single!($type, [Integer, Time], |this| Value::Integer(i64::from(*this)),
            |value| signed(value).and_then(|number| Self::try_from(number).ok()));)*
    };
}

macro_rules! small_unsigned {
    ($($type:ty),*) => {
        $(single!($type, [Unsigned, Integer], |this| Value::Unsigned(u64::from(*this)),
            |value| unsigned(value).and_then(|number| Self::try_from(number).ok()));)*
    };
}

integers!(i8, i16, i32, i64);
small_unsigned!(u8, u16, u32);
single!(u64, [Unsigned], |this| Value::Unsigned(*this), |value| {
    unsigned(value)
});
single!(f64, [Float], |this| Value::Float(*this), |value| float(
    value
));
single!(
    f32,
    [Float],
    |this| Value::Float(f64::from(*this)),
    |value| float(value).map(|number| number as Self)
);
single!(
    bool,
    [Boolean],
    |this| Value::Boolean(*this),
    |value| match value {
        Value::Boolean(truth) => Some(truth),
        _ => None,
    }
);
single!(
    ObjectLink,
    [ObjectLink],
    |this| Value::ObjectLink(*this),
    |value| match value {
        Value::ObjectLink(link) => Some(link),
        _ => None,
    }
);

impl Field for &'static str {
    fn get(&self, position: usize) -> Option<(u16, Value<'_>)> {
        (position == 0).then_some((0, Value::String(self)))
    }

    fn set(&mut self, _instance: u16, _value: Value<'_>) -> Result<(), FieldError> {
        Err(FieldError::ReadOnly)
    }

    fn clear(&mut self) {}
}

impl FieldType for &'static str {
    const TYPES: &'static [DataType] = &[DataType::String, DataType::CoreLink];
}

impl<const N: usize> Field for String<N> {
    fn get(&self, position: usize) -> Option<(u16, Value<'_>)> {
        (position == 0).then(|| (0, Value::String(self)))
    }

    fn set(&mut self, instance: u16, value: Value<'_>) -> Result<(), FieldError> {
        if instance != 0 {
            return Err(FieldError::NotFound);
        }
        let (Value::String(text) | Value::CoreLink(text)) = value else {
            return Err(FieldError::Type);
        };
        *self = Self::try_from(text).map_err(|_| FieldError::TooLarge)?;
        Ok(())
    }

    fn clear(&mut self) {}
}

impl<const N: usize> FieldType for String<N> {
    const TYPES: &'static [DataType] = &[DataType::String, DataType::CoreLink];
}

impl<const N: usize> Field for Vec<u8, N> {
    fn get(&self, position: usize) -> Option<(u16, Value<'_>)> {
        (position == 0).then(|| (0, Value::Opaque(self)))
    }

    fn set(&mut self, instance: u16, value: Value<'_>) -> Result<(), FieldError> {
        if instance != 0 {
            return Err(FieldError::NotFound);
        }
        let Value::Opaque(bytes) = value else {
            return Err(FieldError::Type);
        };
        *self = Self::from_slice(bytes).map_err(|_| FieldError::TooLarge)?;
        Ok(())
    }

    fn clear(&mut self) {}
}

impl<const N: usize> FieldType for Vec<u8, N> {
    const TYPES: &'static [DataType] = &[DataType::Opaque];
}

/// An optional resource, single or multiple: absent while `None`.
impl<T: Field + Default> Field for Option<T> {
    fn get(&self, position: usize) -> Option<(u16, Value<'_>)> {
        self.as_ref().and_then(|field| field.get(position))
    }

    fn set(&mut self, instance: u16, value: Value<'_>) -> Result<(), FieldError> {
        if let Some(field) = self {
            return field.set(instance, value);
        }
        let mut field = T::default();
        field.set(instance, value)?;
        *self = Some(field);
        Ok(())
    }

    fn clear(&mut self) {
        *self = None;
    }

    fn remove(&mut self, instance: u16) -> Result<(), FieldError> {
        self.as_mut()
            .map_or(Err(FieldError::NotFound), |field| field.remove(instance))
    }

    fn is_present(&self) -> bool {
        self.as_ref().is_some_and(Field::is_present)
    }
}

impl<T: FieldType + Default> FieldType for Option<T> {
    const TYPES: &'static [DataType] = T::TYPES;
    const MULTIPLE: bool = T::MULTIPLE;
    const OPTIONAL: bool = true;
}

/// A multiple resource: up to `N` resource instances in ascending order of their ids.
///
/// ```
/// use dunlin_client::Multiple;
/// let mut voltages: Multiple<i32, 4> = Multiple::new();
/// voltages.insert(1, 5000).unwrap();
/// voltages.insert(0, 3800).unwrap();
/// assert_eq!(voltages.iter().collect::<Vec<_>>(), [(0, &3800), (1, &5000)]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Multiple<T, const N: usize> {
    items: Vec<(u16, T), N>,
}

impl<T, const N: usize> Default for Multiple<T, N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, const N: usize> Multiple<T, N> {
    /// A resource without instances.
    pub const fn new() -> Self {
        Self { items: Vec::new() }
    }

    /// Sets a resource instance and creates it where it is missing; gives the value back when
    /// all `N` places are taken.
    pub fn insert(&mut self, id: u16, value: T) -> Result<(), T> {
        match self.items.binary_search_by_key(&id, |item| item.0) {
            Ok(index) => {
                if let Some(item) = self.items.get_mut(index) {
                    item.1 = value;
                }
                Ok(())
            }
            Err(index) => self.items.insert(index, (id, value)).map_err(|item| item.1),
        }
    }

    /// Removes a resource instance.
    pub fn remove(&mut self, id: u16) -> Option<T> {
        let index = self.items.binary_search_by_key(&id, |item| item.0).ok()?;
        Some(self.items.remove(index).1)
    }

    /// Removes all resource instances.
    pub fn clear(&mut self) {
        self.items.clear();
    }

    /// The value of a resource instance.
    pub fn get(&self, id: u16) -> Option<&T> {
        let index = self.items.binary_search_by_key(&id, |item| item.0).ok()?;
        self.items.get(index).map(|item| &item.1)
    }

    /// The resource instances in ascending order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &T)> {
        self.items.iter().map(|(id, value)| (*id, value))
    }
}

impl<T, const N: usize> FromIterator<(u16, T)> for Multiple<T, N> {
    /// Takes the first `N` instances.
    fn from_iter<I: IntoIterator<Item = (u16, T)>>(iter: I) -> Self {
        let mut multiple = Self::new();
        for (id, value) in iter {
            if multiple.insert(id, value).is_err() {
                break;
            }
        }
        multiple
    }
}

impl<T: Field + Default, const N: usize> Field for Multiple<T, N> {
    fn get(&self, position: usize) -> Option<(u16, Value<'_>)> {
        let (id, field) = self.items.get(position)?;
        Some((*id, field.get(0)?.1))
    }

    fn set(&mut self, instance: u16, value: Value<'_>) -> Result<(), FieldError> {
        let mut field = T::default();
        field.set(0, value)?;
        self.insert(instance, field).map_err(|_| FieldError::Full)
    }

    fn clear(&mut self) {
        self.items.clear();
    }

    fn remove(&mut self, instance: u16) -> Result<(), FieldError> {
        Self::remove(self, instance)
            .map(|_| ())
            .ok_or(FieldError::NotFound)
    }

    fn is_present(&self) -> bool {
        true
    }
}

impl<T: FieldType + Default, const N: usize> FieldType for Multiple<T, N> {
    const TYPES: &'static [DataType] = T::TYPES;
    const MULTIPLE: bool = true;
}

/// A value as the definition's type; `None` when the two cannot be reconciled.
pub(crate) fn typed(value: Value<'_>, data_type: DataType) -> Option<Value<'_>> {
    Some(match (data_type, value) {
        (DataType::Integer, value) => Value::Integer(signed(value)?),
        (DataType::Time, value) => Value::Time(signed(value)?),
        (DataType::Unsigned, value) => Value::Unsigned(unsigned(value)?),
        (DataType::Float, value) => Value::Float(float(value)?),
        (DataType::String, Value::String(text) | Value::CoreLink(text)) => Value::String(text),
        (DataType::CoreLink, Value::String(text) | Value::CoreLink(text)) => Value::CoreLink(text),
        (data_type, value) if value.data_type() == data_type => value,
        _ => return None,
    })
}

/// The number a value stands for, where conditions compare numbers (Core 1.2 §7.3).
pub(crate) fn number(value: Value<'_>) -> Option<f64> {
    match value {
        Value::Time(seconds) => Some(seconds as f64),
        value => float(value),
    }
}

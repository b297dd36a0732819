//! The device's data: objects, their instances, their resources.
//!
//! A user writes a struct whose fields are the resources, and names them with
//! [`object!`](crate::object!). [`Single`] and [`Instances`] hold such structs as LwM2M objects; a
//! set of objects is a tuple, an array, or a struct with [`objects!`](crate::objects!).

mod container;
mod field;
mod macros;

pub use container::{Instances, Single};
pub use field::{Field, FieldError, FieldType, Multiple};
pub(crate) use field::{number, typed};
#[doc(hidden)]
pub use macros::{Kind, check_executable, check_field, check_object};

use dunlin_coap::{Code, Instant};
use dunlin_lwm2m::Arguments;
use dunlin_lwm2m::definition::ObjectDefinition;

use crate::image::Images;

/// One object instance, as the engine sees it. [`object!`](crate::object!) writes this.
pub trait Instance {
    /// The ids of the resources this implementation has, ascending; some may be absent at the
    /// moment.
    fn resources(&self) -> &'static [u16];

    /// The field behind a readable or writable resource.
    fn field(&self, resource: u16) -> Option<&dyn Field>;

    /// The field behind a readable or writable resource, to be changed.
    fn field_mut(&mut self, resource: u16) -> Option<&mut dyn Field>;

    /// Executes a resource. The code of an error is the answer: 4.00 for arguments that are not
    /// understood, 4.05 for "not now".
    fn execute(&mut self, resource: u16, arguments: Arguments<'_>) -> Result<(), Code>;

    /// Called on the copy that a write works on, once for each resource written. An error is the
    /// answer, and the write leaves no trace.
    fn written(&mut self, _resource: u16) -> Result<(), Code> {
        Ok(())
    }

    /// Lets time pass up to `now`; called before and after each input.
    fn tick(&mut self, _now: Instant) -> Tick {
        Tick::default()
    }
}

/// A struct that is an instance of a known object.
pub trait ObjectInstance: Instance + Clone {
    /// The object.
    const DEFINITION: &'static ObjectDefinition;
}

/// What happened to an object since the engine last looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Values may have changed: observations are compared with what was last sent.
    pub values: bool,
    /// Instances came or went: the registration is updated.
    pub instances: bool,
}

/// What came of the time that has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// When time alone changes something; `None` for never.
    pub next: Option<Instant>,
    /// Whether something changed that a server may observe.
    pub changed: bool,
    /// The device is to reboot: told as [`Event::Reboot`](crate::Event::Reboot).
    pub reboot: bool,
}

/// An object with its instances, as the engine sees it. [`Single`] and [`Instances`] implement it.
pub trait Object {
    /// What the object is made of.
    fn definition(&self) -> &'static ObjectDefinition;

    /// The id of the instance at `position`, in ascending order.
    fn instance_id(&self, position: usize) -> Option<u16>;

    /// An instance.
    fn instance(&self, id: u16) -> Option<&dyn Instance>;

    /// Lets `change` work on a copy of an instance. The copy takes the instance's place when
    /// `change` succeeds; otherwise nothing has happened.
    fn transaction(
        &mut self,
        id: u16,
        change: &mut dyn FnMut(&mut dyn Instance) -> Result<(), Code>,
    ) -> Result<(), Code>;

    /// Creates an instance, with an id of its own choice when `id` is `None`, and returns the id.
    /// Nothing is created when `change`, which gets the new instance, fails.
    fn create(
        &mut self,
        _id: Option<u16>,
        _change: &mut dyn FnMut(&mut dyn Instance) -> Result<(), Code>,
    ) -> Result<u16, Code> {
        Err(Code::METHOD_NOT_ALLOWED)
    }

    /// Deletes an instance.
    fn delete(&mut self, _id: u16) -> Result<(), Code> {
        Err(Code::METHOD_NOT_ALLOWED)
    }

    /// Lets time pass up to `now`, and tells when the object wants to be asked again. Called
    /// before and after each input.
    fn tick(&mut self, _now: Instant) -> Tick {
        Tick::default()
    }

    /// How images get into the object, if it has a resource for them.
    fn images(&mut self) -> Option<&mut dyn Images> {
        None
    }

    /// What changed since the last call of [`Object::clear_changes`].
    fn changes(&self) -> Changes;

    /// Forgets the changes.
    fn clear_changes(&mut self);
}

/// A set of objects: a tuple, an array or slice of `&mut dyn Object`, or a struct with
/// [`objects!`](crate::objects!).
pub trait Objects {
    /// The object at `position`.
    fn object(&self, position: usize) -> Option<&dyn Object>;

    /// The object at `position`, to be changed.
    fn object_mut(&mut self, position: usize) -> Option<&mut dyn Object>;
}

impl Objects for () {
    fn object(&self, _position: usize) -> Option<&dyn Object> {
        None
    }

    fn object_mut(&mut self, _position: usize) -> Option<&mut dyn Object> {
        None
    }
}

impl<T: Object> Objects for [T] {
    fn object(&self, position: usize) -> Option<&dyn Object> {
        self.get(position).map(|object| object as &dyn Object)
    }

    fn object_mut(&mut self, position: usize) -> Option<&mut dyn Object> {
        self.get_mut(position)
            .map(|object| object as &mut dyn Object)
    }
}

impl<T: Object, const N: usize> Objects for [T; N] {
    fn object(&self, position: usize) -> Option<&dyn Object> {
        self.as_slice().object(position)
    }

    fn object_mut(&mut self, position: usize) -> Option<&mut dyn Object> {
        self.as_mut_slice().object_mut(position)
    }
}

impl<T: Objects + ?Sized> Objects for &mut T {
    fn object(&self, position: usize) -> Option<&dyn Object> {
        (**self).object(position)
    }

    fn object_mut(&mut self, position: usize) -> Option<&mut dyn Object> {
        (**self).object_mut(position)
    }
}

impl<T: Object + ?Sized> Object for &mut T {
    fn definition(&self) -> &'static ObjectDefinition {
        (**self).definition()
    }

    fn instance_id(&self, position: usize) -> Option<u16> {
        (**self).instance_id(position)
    }

    fn instance(&self, id: u16) -> Option<&dyn Instance> {
        (**self).instance(id)
    }

    fn transaction(
        &mut self,
        id: u16,
        change: &mut dyn FnMut(&mut dyn Instance) -> Result<(), Code>,
    ) -> Result<(), Code> {
        (**self).transaction(id, change)
    }

    fn create(
        &mut self,
        id: Option<u16>,
        change: &mut dyn FnMut(&mut dyn Instance) -> Result<(), Code>,
    ) -> Result<u16, Code> {
        (**self).create(id, change)
    }

    fn delete(&mut self, id: u16) -> Result<(), Code> {
        (**self).delete(id)
    }

    fn tick(&mut self, now: Instant) -> Tick {
        (**self).tick(now)
    }

    fn images(&mut self) -> Option<&mut dyn Images> {
        (**self).images()
    }

    fn changes(&self) -> Changes {
        (**self).changes()
    }

    fn clear_changes(&mut self) {
        (**self).clear_changes();
    }
}

macro_rules! tuples {
    ($(($($name:ident $index:tt),+))*) => {
        $(impl<$($name: Object),+> Objects for ($($name,)+) {
            fn object(&self, position: usize) -> Option<&dyn Object> {
                match position {
                    $($index => Some(&self.$index),)+
                    _ => None,
                }
            }

            fn object_mut(&mut self, position: usize) -> Option<&mut dyn Object> {
                match position {
                    $($index => Some(&mut self.$index),)+
                    _ => None,
                }
            }
        })*
    };
}

tuples! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
}

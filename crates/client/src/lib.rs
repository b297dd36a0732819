//! The LwM2M device: objects, registration, device management and information reporting, without
//! I/O, clock or heap (OMA LwM2M 1.0, 1.1 and 1.2).
#![no_std]

mod object;

pub use dunlin_coap::Code;
pub use object::{
    Argument, Arguments, Changes, Field, FieldError, FieldType, Instance, Instances, Multiple,
    Object, ObjectInstance, Objects, Single,
};

#[doc(hidden)]
pub mod __private {
    pub use crate::__check_resource as check_resource;
    pub use crate::object::{Kind, check_executable, check_field, check_object};
    pub use dunlin_lwm2m::definition::ObjectDefinition;
}

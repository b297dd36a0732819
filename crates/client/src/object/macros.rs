//! `object!` and `objects!`, and what they check at compile time.

use dunlin_lwm2m::definition::{ObjectDefinition, Operations, ResourceDefinition};

use super::FieldType;

/// Writes the [`Instance`](crate::Instance) of a struct whose fields are resources.
///
/// Each line is `id => operation field;` with the operations `read`, `write`, `read_write` and
/// `execute`; an executable names what it does instead of a field. The lines are checked against
/// the [`ObjectDefinition`] when the crate is compiled: ids ascend and exist, operations, types
/// and multiplicity agree, an `Option` is optional, and no mandatory resource is missing.
///
/// A line `written => |this, resource| ...` behind them may check and follow up a write while it is
/// not yet committed; an error is the answer, and the write leaves no trace. A last line
/// `tick => |this, now| ...` lets time pass and gives a [`Tick`](crate::Tick): when it wants to be
/// asked again.
///
/// ```
/// use dunlin_client::{Code, Single, object};
/// use dunlin_lwm2m::{DataType, ObjectVersion};
/// use dunlin_lwm2m::definition::{ObjectDefinition, Operations, ResourceDefinition};
///
/// const fn resource(id: u16, operations: Operations, data_type: Option<DataType>) -> ResourceDefinition {
///     ResourceDefinition {
///         id, name: "", operations, multiple: false, mandatory: false, data_type, range: None, units: "",
///     }
/// }
/// static DOOR: ObjectDefinition = ObjectDefinition {
///     id: 33000, name: "Door", version: ObjectVersion::V1_0, multiple: false, mandatory: false,
///     resources: &[
///         resource(0, Operations::R, Some(DataType::Boolean)),
///         resource(1, Operations::RW, Some(DataType::Integer)),
///         resource(2, Operations::E, None),
///     ],
/// };
///
/// #[derive(Clone, Default)]
/// struct Door { open: bool, delay: i32 }
///
/// object! {
///     impl DOOR for Door {
///         0 => read open;
///         1 => read_write delay;
///         2 => execute |this, _arguments| { this.open = !this.open; Ok(()) };
///         written => |this, _resource| if this.delay < 0 { Err(Code::BAD_REQUEST) } else { Ok(()) };
///     }
/// }
///
/// let mut door = Single::new(Door::default());
/// door.open = true;      // marks what must be notified
/// ```
///
/// The struct may have one parameter, for what the object does: `impl<A: Actions> DOOR for
/// Door<A>`, as `dunlin object generate` writes it. The lines are then checked with `()` in its
/// place, which must satisfy the bound.
///
/// A mistake does not compile:
///
/// ```compile_fail
/// # use dunlin_client::object;
/// # use dunlin_lwm2m::{DataType, ObjectVersion};
/// # use dunlin_lwm2m::definition::{ObjectDefinition, Operations, ResourceDefinition};
/// # static DOOR: ObjectDefinition = ObjectDefinition {
/// #     id: 33000, name: "Door", version: ObjectVersion::V1_0, multiple: false, mandatory: false,
/// #     resources: &[ResourceDefinition {
/// #         id: 0, name: "", operations: Operations::R, multiple: false, mandatory: true,
/// #         data_type: Some(DataType::Boolean), range: None, units: "",
/// #     }],
/// # };
/// #[derive(Clone, Default)]
/// struct Door { open: i32 }
///
/// object! { impl DOOR for Door { 0 => read open; } }   // /33000/x/0 is a Boolean
/// ```
///
/// ```compile_fail
/// # use dunlin_client::object;
/// use dunlin_lwm2m::definition::objects::TEMPERATURE;
/// #[derive(Clone, Default)]
/// struct Thermometer { low: f64 }
///
/// object! { impl TEMPERATURE for Thermometer { 5601 => read low; } }   // 5700 is mandatory
/// ```
///
/// ```compile_fail
/// # use dunlin_client::object;
/// use dunlin_lwm2m::definition::objects::TEMPERATURE;
/// #[derive(Clone, Default)]
/// struct Thermometer { celsius: f64 }
///
/// object! { impl TEMPERATURE for Thermometer { 5700 => read_write celsius; } }   // is read-only
/// ```
#[macro_export]
macro_rules! object {
    (impl $definition:ident for $type:ty { $($lines:tt)* }) => {
        $crate::__write_object! { [] [$type] [$type] $definition { $($lines)* } }
    };
    (impl<$parameter:ident: $bound:path> $definition:ident for $type:ident<$same:ident> {
        $($lines:tt)*
    }) => {
        $crate::__write_object! {
            [<$parameter: $bound>] [$type<$same>] [$type<()>] $definition { $($lines)* }
        }
    };
}

/// Writes what `object!` names: generics of the `impl`, the type, and the type that is checked.
#[doc(hidden)]
#[macro_export]
macro_rules! __write_object {
    ([$($generics:tt)*] [$type:ty] [$checked:ty] $definition:ident {
        $($id:literal => $kind:ident $($field:ident)? $(|$this:ident, $arguments:ident| $body:expr)?;)*
        $(written => |$written_this:ident, $written_id:ident| $written:expr;)?
        $(tick => |$tick_this:ident, $now:ident| $tick:expr;)?
    }) => {
        const _: () = {
            $($crate::__private::check_resource!($definition, $checked, $id, $kind $($field)?);)*
            $crate::__private::check_object(&$definition, &[$($id),*]);
        };

        impl $($generics)* $crate::Instance for $type {
            fn resources(&self) -> &'static [u16] {
                &[$($id),*]
            }

            fn field(&self, resource: u16) -> Option<&dyn $crate::Field> {
                match resource {
                    $($($id => Some(&self.$field as &dyn $crate::Field),)?)*
                    _ => None,
                }
            }

            fn field_mut(&mut self, resource: u16) -> Option<&mut dyn $crate::Field> {
                match resource {
                    $($($id => Some(&mut self.$field as &mut dyn $crate::Field),)?)*
                    _ => None,
                }
            }

            fn execute(
                &mut self,
                resource: u16,
                _arguments: $crate::Arguments<'_>,
            ) -> Result<(), $crate::Code> {
                match resource {
                    $($($id => {
                        let execute: fn(&mut Self, $crate::Arguments<'_>) -> Result<(), $crate::Code> =
                            |$this, $arguments| $body;
                        execute(self, _arguments)
                    })?)*
                    _ => Err($crate::Code::METHOD_NOT_ALLOWED),
                }
            }

            $(fn written(&mut self, resource: u16) -> Result<(), $crate::Code> {
                let written: fn(&mut Self, u16) -> Result<(), $crate::Code> =
                    |$written_this, $written_id| $written;
                written(self, resource)
            })?

            $(fn tick(&mut self, now: $crate::Instant) -> $crate::Tick {
                let tick: fn(&mut Self, $crate::Instant) -> $crate::Tick =
                    |$tick_this, $now| $tick;
                tick(self, now)
            })?
        }

        impl $($generics)* $crate::ObjectInstance for $type {
            const DEFINITION: &'static $crate::__private::ObjectDefinition = &$definition;
        }
    };
}

/// Makes a struct of objects an object set: `objects!(Thermostat { device, temperature });`.
#[macro_export]
macro_rules! objects {
    ($type:ty { $($field:ident),+ $(,)? }) => {
        impl $crate::Objects for $type {
            fn object(&self, position: usize) -> Option<&dyn $crate::Object> {
                let mut position = position;
                $(if position == 0 {
                    return Some(&self.$field);
                }
                position = position.wrapping_sub(1);)+
                let _ = position;
                None
            }

            fn object_mut(&mut self, position: usize) -> Option<&mut dyn $crate::Object> {
                let mut position = position;
                $(if position == 0 {
                    return Some(&mut self.$field);
                }
                position = position.wrapping_sub(1);)+
                let _ = position;
                None
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __check_resource {
    ($definition:ident, $type:ty, $id:literal, execute) => {
        $crate::__private::check_executable(&$definition, $id);
    };
    ($definition:ident, $type:ty, $id:literal, $kind:ident $field:ident) => {
        $crate::__private::check_field(
            |instance: &$type| &instance.$field,
            &$definition,
            $id,
            $crate::__private::Kind::$kind,
        );
    };
}

/// The operation a line of `object!` names.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[allow(non_camel_case_types)]
pub enum Kind {
    read,
    write,
    read_write,
}

const fn find(definition: &ObjectDefinition, id: u16) -> &ResourceDefinition {
    let mut index = 0;
    while index < definition.resources.len() {
        if definition.resources[index].id == id {
            return &definition.resources[index];
        }
        index += 1;
    }
    panic!("the object's definition has no resource of this id");
}

/// Checks a field against the resource's definition.
#[doc(hidden)]
pub const fn check_field<S, T: FieldType>(
    _field: fn(&S) -> &T,
    definition: &ObjectDefinition,
    id: u16,
    kind: Kind,
) {
    let resource = find(definition, id);
    match (kind, resource.operations) {
        (Kind::read, Operations::R)
        | (Kind::write, Operations::W)
        | (Kind::read_write, Operations::RW) => {}
        // Bootstrap-only resources can be named either way: nobody manages them.
        (_, Operations::None) => {}
        _ => panic!("the operation differs from the one in the object's definition"),
    }
    assert!(
        T::MULTIPLE == resource.multiple,
        "a multiple resource is a `Multiple`, a single one is not"
    );
    assert!(
        !(T::OPTIONAL && resource.mandatory),
        "a mandatory resource cannot be an `Option`"
    );
    let Some(data_type) = resource.data_type else {
        panic!("this resource is executable: it has no value");
    };
    let mut index = 0;
    while index < T::TYPES.len() {
        if T::TYPES[index] as u8 == data_type as u8 {
            return;
        }
        index += 1;
    }
    panic!("the field's Rust type cannot hold the type in the object's definition");
}

/// Checks that a resource is executable.
#[doc(hidden)]
pub const fn check_executable(definition: &ObjectDefinition, id: u16) {
    assert!(
        find(definition, id).operations.is_executable(),
        "this resource is not executable"
    );
}

/// Checks that ids ascend and that no mandatory resource is missing.
#[doc(hidden)]
pub const fn check_object(definition: &ObjectDefinition, ids: &[u16]) {
    let mut index = 1;
    while index < ids.len() {
        assert!(
            ids[index - 1] < ids[index],
            "resource ids must ascend, each named once"
        );
        index += 1;
    }
    let mut index = 0;
    while index < definition.resources.len() {
        let resource = &definition.resources[index];
        if resource.mandatory {
            let mut found = false;
            let mut position = 0;
            while position < ids.len() {
                found |= ids[position] == resource.id;
                position += 1;
            }
            assert!(found, "a mandatory resource is missing");
        }
        index += 1;
    }
}

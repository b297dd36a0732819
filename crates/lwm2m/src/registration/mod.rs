//! What a device says when it registers (Core 1.2 §6.2): the parameters, the object list, and
//! which deviations from the standard are tolerated.

mod binding;
mod fault;
mod object_list;
mod object_list_writer;
mod parameters;
mod profile;

#[cfg(test)]
mod tests;

pub use binding::{Binding, BindingError, Transport};
pub use fault::{Fault, Faults};
#[cfg(feature = "std")]
pub use object_list::RegisteredObject;
pub use object_list::{ListedObject, ObjectList, ObjectListError};
pub use object_list_writer::ObjectListWriter;
pub use parameters::{Parameter, RegisterParameters, RegistrationError, UpdateParameters};
pub use profile::ProfileIds;

use crate::{ObjectVersion, Version};

/// The version of an object that a client of an enabler version means when it does not say `ver`
/// (Core 1.2 Table E-1; Core 1.1 §E; 1.0 everywhere else).
///
/// Table E-1 of 1.2.2 gives object 5 version 1.1 where §E.6 gives 1.2; the table is followed,
/// since 1.2 only adds an optional resource.
///
/// ```
/// use dunlin_lwm2m::{ObjectVersion, Version, registration::implied_object_version};
/// let version = implied_object_version(Version::V1_1, 4);
/// assert_eq!(version, ObjectVersion { major: 1, minor: 2 });
/// ```
pub const fn implied_object_version(enabler: Version, object: u16) -> ObjectVersion {
    /// Object, then its version in enabler 1.0, 1.1 and 1.2. Objects that are not listed are 1.0.
    const TABLE: [(u16, [(u8, u8); 3]); 7] = [
        (0, [(1, 0), (1, 1), (1, 2)]),
        (1, [(1, 0), (1, 1), (1, 2)]),
        (2, [(1, 0), (1, 0), (1, 1)]),
        (3, [(1, 0), (1, 1), (1, 2)]),
        (4, [(1, 0), (1, 2), (1, 3)]),
        (5, [(1, 0), (1, 0), (1, 1)]),
        (21, [(1, 0), (1, 0), (2, 0)]),
    ];
    let column = match enabler {
        Version::V1_0 => 0,
        Version::V1_1 => 1,
        Version::V1_2 => 2,
    };
    let mut row = 0;
    while row < TABLE.len() {
        if TABLE[row].0 == object {
            let (major, minor) = TABLE[row].1[column];
            return ObjectVersion { major, minor };
        }
        row += 1;
    }
    ObjectVersion::V1_0
}

/// Whether an object must not be listed in a Register of this version: Security always, OSCORE
/// since 1.1, COSE since 1.2 (Core 1.2.2 §6.2.1).
pub const fn must_not_be_listed(enabler: Version, object: u16) -> bool {
    matches!(
        (object, enabler),
        (0, _) | (21, Version::V1_1 | Version::V1_2) | (23, Version::V1_2)
    )
}

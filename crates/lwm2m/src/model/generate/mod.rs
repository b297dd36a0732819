//! Turns definitions into Rust: the core of `dunlin object generate`.

mod names;
mod object;
mod prose;

use core::fmt::Write;

pub use names::{constant_name, module_names};
pub use object::{Capacities, Optional, Options, object};

use super::{ObjectModel, ResourceModel};
use crate::DataType;
use crate::definition::Operations;

/// The Rust source of an [`ObjectDefinition`](crate::definition::ObjectDefinition) as a `static`
/// named `name`, one line for each resource.
///
/// The items it uses are `ObjectDefinition`, `ResourceDefinition` and `Operations` of
/// [`definition`](crate::definition), and [`DataType`] and
/// [`ObjectVersion`](crate::ObjectVersion); [`uses`] imports them.
pub fn definition(object: &ObjectModel, name: &str) -> String {
    let mut source = String::new();
    // Writing to a String does not fail.
    let _ = write_definition(&mut source, object, name);
    source
}

/// The imports that [`definition`] needs, for a crate that uses `dunlin-client`.
pub fn uses(object: &ObjectModel) -> String {
    let names = if object.resources.is_empty() {
        "ObjectDefinition"
    } else {
        "{ObjectDefinition, Operations, ResourceDefinition}"
    };
    let is_typed = object.resources.iter().any(|one| one.data_type.is_some());
    let types = if is_typed {
        "{DataType, ObjectVersion}"
    } else {
        "ObjectVersion"
    };
    format!("use dunlin_client::definition::{names};\nuse dunlin_client::{types};\n")
}

/// The content of `src/definition/objects.rs`: the definitions of all `objects`, which come in
/// ascending order of ids.
pub fn objects_module<'a>(objects: impl IntoIterator<Item = &'a ObjectModel>) -> String {
    let mut source = String::from(
        "\
//! The objects of the standard and common ones of IPSO, as constants.
//!
//! Generated from the files in `objects/`; do not edit, but run
//! `cargo run -p dunlin-lwm2m --example definitions > crates/lwm2m/src/definition/objects.rs`.

use super::{ObjectDefinition, Operations, ResourceDefinition};
use crate::{DataType, ObjectVersion};
",
    );
    let mut names = Vec::new();
    for object in objects {
        let name = constant_name(object);
        source.push('\n');
        source.push_str(&definition(object, &name));
        names.push(name);
    }
    source.push_str("\n/// Every definition of this module, in ascending order of ids.\n");
    source.push_str("pub static ALL: &[&ObjectDefinition] = &[\n");
    for name in names {
        source.push_str(&format!("    &{name},\n"));
    }
    source.push_str("];\n");
    source
}

fn write_definition(source: &mut String, object: &ObjectModel, name: &str) -> core::fmt::Result {
    let quoted = object.name.escape_debug();
    writeln!(source, "/// {}", title(object))?;
    writeln!(
        source,
        "pub static {name}: ObjectDefinition = ObjectDefinition {{"
    )?;
    writeln!(source, "    id: {},", object.id)?;
    writeln!(source, "    name: \"{quoted}\",")?;
    writeln!(
        source,
        "    version: ObjectVersion {{ major: {}, minor: {} }},",
        object.version.major, object.version.minor
    )?;
    writeln!(source, "    multiple: {},", object.multiple)?;
    writeln!(source, "    mandatory: {},", object.mandatory)?;
    writeln!(source, "    resources: &[")?;
    for resource in &object.resources {
        write_resource(source, resource)?;
    }
    writeln!(source, "    ],")?;
    writeln!(source, "}};")
}

fn write_resource(source: &mut String, resource: &ResourceModel) -> core::fmt::Result {
    write!(
        source,
        "        ResourceDefinition::new({}, \"{}\", Operations::{}, {})",
        resource.id,
        resource.name.escape_debug(),
        operations(resource.operations),
        match resource.data_type {
            Some(data_type) => format!("Some(DataType::{})", variant(data_type)),
            None => "None".to_owned(),
        }
    )?;
    if resource.multiple {
        source.push_str(".multiple()");
    }
    if resource.mandatory {
        source.push_str(".mandatory()");
    }
    if let Some(range) = resource.range {
        // `{:?}` keeps the point that makes a float of it.
        write!(source, ".range({:?}, {:?})", range.min, range.max)?;
    }
    if !resource.units.is_empty() {
        write!(source, ".units(\"{}\")", resource.units.escape_debug())?;
    }
    source.push_str(",\n");
    Ok(())
}

/// What an object is, as the first line of a comment.
fn title(object: &ObjectModel) -> String {
    format!(
        "{} (`/{}`), version {}.",
        one_line(&object.name),
        object.id,
        object.version
    )
}

/// Text as one line of a comment.
fn one_line(text: &str) -> String {
    text.split_whitespace()
        .map(prose::escape)
        .collect::<Vec<_>>()
        .join(" ")
}

const fn operations(operations: Operations) -> &'static str {
    match operations {
        Operations::None => "None",
        Operations::R => "R",
        Operations::W => "W",
        Operations::RW => "RW",
        Operations::E => "E",
    }
}

const fn variant(data_type: DataType) -> &'static str {
    match data_type {
        DataType::String => "String",
        DataType::Integer => "Integer",
        DataType::Unsigned => "Unsigned",
        DataType::Float => "Float",
        DataType::Boolean => "Boolean",
        DataType::Opaque => "Opaque",
        DataType::Time => "Time",
        DataType::ObjectLink => "ObjectLink",
        DataType::CoreLink => "CoreLink",
    }
}

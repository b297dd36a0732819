//! A whole object as Rust: definition, struct, `object!`, and a place for what it does.

use core::fmt::Write;

use super::names::{resource_names, type_name};
use super::{ObjectModel, ResourceModel, constant_name, one_line, prose, title};
use crate::DataType;
use crate::definition::{Operations, Range};

/// How much a generated object holds where its definition does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacities {
    /// Bytes of a String or Corelnk without a range.
    pub text: usize,
    /// Bytes of an Opaque without a range.
    pub opaque: usize,
    /// Resource instances of a multiple resource.
    pub instances: usize,
    /// The most bytes of a single value, whatever its range says: a device has it in memory.
    pub largest: usize,
}

impl Default for Capacities {
    /// 64 bytes, four instances, and never more than 1024 bytes.
    fn default() -> Self {
        Self {
            text: 64,
            opaque: 64,
            instances: 4,
            largest: 1024,
        }
    }
}

/// Which optional resources a generated object has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Optional {
    /// All of them; each is an `Option` and absent until it is set.
    #[default]
    All,
    /// None.
    None,
    /// Those with these ids.
    Only(Vec<u16>),
}

/// What a device wants of a generated object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Sizes.
    pub capacities: Capacities,
    /// Optional resources.
    pub optional: Optional,
}

/// The Rust source of a module with everything a device needs to have this object: its
/// definition, a struct with a field for each resource, and a trait for what it does. It needs
/// the crate `dunlin-client` and nothing else.
///
/// A resource without a type that is not executable (fault 412) is left out, also of the
/// definition: there is no telling how to send it.
pub fn object(object: &ObjectModel, options: &Options) -> String {
    let mut object = object.clone();
    let (known, untyped) = object
        .resources
        .into_iter()
        .partition(|resource| resource.data_type.is_some() || is_executable(resource));
    object.resources = known;
    let untyped: Vec<ResourceModel> = untyped;
    let mut source = String::new();
    // Writing to a String does not fail.
    let _ = Generator::new(&object, options).write(&mut source, &untyped);
    source
}

const fn is_executable(resource: &ResourceModel) -> bool {
    resource.operations.is_executable()
}

/// A resource that is generated, by its Rust name.
struct Item<'a> {
    resource: &'a ResourceModel,
    name: String,
}

struct Generator<'a> {
    object: &'a ObjectModel,
    capacities: Capacities,
    constant: String,
    ty: String,
    items: Vec<Item<'a>>,
    /// Whether a server can make the object do something.
    has_actions: bool,
}

impl<'a> Generator<'a> {
    fn new(object: &'a ObjectModel, options: &Options) -> Self {
        let wanted: Vec<&ResourceModel> = object
            .resources
            .iter()
            .filter(|resource| {
                resource.mandatory
                    || match &options.optional {
                        Optional::All => true,
                        Optional::None => false,
                        Optional::Only(ids) => ids.contains(&resource.id),
                    }
            })
            .collect();
        let names = resource_names(wanted.iter().map(|one| (one.id, one.name.as_str())));
        let items: Vec<Item<'_>> = wanted
            .into_iter()
            .zip(names)
            .map(|(resource, name)| Item { resource, name })
            .collect();
        let has_actions = items
            .iter()
            .any(|item| is_executable(item.resource) || item.resource.operations.is_writable());
        Self {
            object,
            capacities: options.capacities,
            constant: constant_name(object),
            ty: type_name(object),
            items,
            has_actions,
        }
    }

    fn fields(&self) -> impl Iterator<Item = (&Item<'a>, DataType)> {
        self.items
            .iter()
            .filter(|item| !is_executable(item.resource))
            .filter_map(|item| Some((item, item.resource.data_type?)))
    }

    fn executables(&self) -> impl Iterator<Item = &Item<'a>> {
        self.items
            .iter()
            .filter(|item| is_executable(item.resource))
    }

    fn write(&self, source: &mut String, untyped: &[ResourceModel]) -> core::fmt::Result {
        self.module(source, untyped)?;
        self.imports(source)?;
        self.ids(source)?;
        source.push_str("#[rustfmt::skip] // One line for each resource.\n");
        source.push_str(&super::definition(self.object, &self.constant));
        source.push('\n');
        self.instance(source)?;
        self.constructors(source)?;
        self.actions(source)?;
        self.implementation(source)
    }

    fn module(&self, source: &mut String, untyped: &[ResourceModel]) -> core::fmt::Result {
        writeln!(source, "//! {}", title(self.object))?;
        for text in [&self.object.description, &self.object.description2] {
            if !text.trim().is_empty() {
                source.push_str("//!\n");
                prose::write(source, "//!", text);
            }
        }
        for resource in untyped {
            writeln!(
                source,
                "//!\n//! Resource {} ({}) has no type in its definition and is left out.",
                resource.id,
                one_line(&resource.name)
            )?;
        }
        source.push_str(
            "//!\n//! Generated by `dunlin object generate`; do not edit, but generate it again.\n",
        );
        let ty = &self.ty;
        if self.has_actions {
            writeln!(
                source,
                "//! What the object does stands elsewhere, in an implementation of [`{ty}Actions`]:\n\
                 //!\n\
                 //! ```text\n\
                 //! #[derive(Clone, Default)]\n\
                 //! struct Mine;\n\
                 //!\n\
                 //! impl {ty}Actions for Mine {{ /* override what shall happen */ }}\n\
                 //!\n\
                 //! {ty}::with_actions(Mine)\n\
                 //! ```"
            )?;
        }
        source.push('\n');
        Ok(())
    }

    fn imports(&self, source: &mut String) -> core::fmt::Result {
        let types: Vec<DataType> = self.fields().map(|(_, data_type)| data_type).collect();
        let has = |wanted: &[DataType]| types.iter().any(|one| wanted.contains(one));
        let definition = if self.object.resources.is_empty() {
            "ObjectDefinition"
        } else {
            "{ObjectDefinition, Operations, ResourceDefinition}"
        };
        writeln!(source, "use dunlin_client::definition::{definition};")?;
        let heapless = match (
            has(&[DataType::String, DataType::CoreLink]),
            has(&[DataType::Opaque]),
        ) {
            (true, true) => "{String, Vec}",
            (true, false) => "String",
            (false, true) => "Vec",
            (false, false) => "",
        };
        if !heapless.is_empty() {
            writeln!(source, "use dunlin_client::heapless::{heapless};")?;
        }
        let is_typed = self
            .object
            .resources
            .iter()
            .any(|one| one.data_type.is_some());
        let names = [
            ("Arguments", self.executables().next().is_some()),
            ("Code", self.has_actions),
            ("DataType", is_typed),
            (
                "Multiple",
                self.fields().any(|(item, _)| item.resource.multiple),
            ),
            ("ObjectLink", has(&[DataType::ObjectLink])),
            ("ObjectVersion", true),
            ("object", true),
        ];
        let names: Vec<&str> = names
            .iter()
            .filter_map(|(name, is_used)| is_used.then_some(*name))
            .collect();
        let line = format!("use dunlin_client::{{{}}};", names.join(", "));
        writeln!(source, "{line}\n")
    }

    fn ids(&self, source: &mut String) -> core::fmt::Result {
        if self.items.is_empty() {
            return Ok(());
        }
        source.push_str("/// Ids of the resources.\npub mod id {\n");
        for item in &self.items {
            writeln!(
                source,
                "    /// {}\n    pub const {}: u16 = {};",
                self.head(item),
                item.name.to_ascii_uppercase(),
                item.resource.id
            )?;
        }
        source.push_str("}\n\n");
        Ok(())
    }

    /// The name and place of a resource, as a line of a comment.
    fn head(&self, item: &Item<'_>) -> String {
        let (object, resource) = (self.object.id, item.resource);
        let name = match one_line(&resource.name) {
            name if name.is_empty() => "Without a name".to_owned(),
            name => name,
        };
        format!("{name} (`/{object}/*/{}`).", resource.id)
    }

    fn instance(&self, source: &mut String) -> core::fmt::Result {
        let name = one_line(&self.object.name);
        writeln!(source, "/// An instance of {name} (`/{}`).", self.object.id)?;
        source.push_str("#[derive(Clone, Debug, PartialEq)]\n");
        let ty = &self.ty;
        if self.has_actions {
            writeln!(source, "pub struct {ty}<A = ()> {{")?;
        } else if self.fields().next().is_none() {
            return writeln!(source, "pub struct {ty} {{}}\n");
        } else {
            writeln!(source, "pub struct {ty} {{")?;
        }
        for (item, data_type) in self.fields() {
            writeln!(source, "    /// {}", self.head(item))?;
            source.push_str("    ///\n");
            prose::write(source, "    ///", &self.meaning(item.resource, data_type));
            if !item.resource.description.trim().is_empty() {
                source.push_str("    ///\n");
                prose::write(source, "    ///", &item.resource.description);
            }
            writeln!(
                source,
                "    pub {}: {},",
                item.name,
                self.field_type(item.resource, data_type)
            )?;
        }
        if self.has_actions {
            source.push_str("    /// What the object does, with whatever state that takes.\n");
            source.push_str("    pub actions: A,\n");
        }
        source.push_str("}\n\n");
        Ok(())
    }

    /// Type, range, unit, operations and multiplicity in words.
    fn meaning(&self, resource: &ResourceModel, data_type: DataType) -> String {
        let mut text = data_type.name().to_owned();
        let range = resource.range_text.split_whitespace();
        let range = range.collect::<Vec<_>>().join(" ");
        match (resource.range, has_length(data_type)) {
            (Some(Range { min, max }), true) => {
                let _ = write!(text, " of {min} to {max} bytes");
            }
            (Some(Range { min, max }), false) => {
                let _ = write!(text, " from {min} to {max}");
            }
            (None, _) if range.is_empty() => {}
            (None, _) => {
                let _ = write!(text, ", range {range:?}");
            }
        }
        if !resource.units.is_empty() {
            let _ = write!(text, " in {}", resource.units);
        }
        if has_length(data_type) {
            let _ = write!(text, ", up to {} here", self.capacity(resource, data_type));
        }
        text.push_str(match resource.operations {
            Operations::R => "; read",
            Operations::W => "; written",
            Operations::RW => "; read and written",
            Operations::None => "; set by bootstrap alone",
            Operations::E => "; executed",
        });
        text.push_str(if resource.mandatory {
            "; mandatory"
        } else {
            "; optional"
        });
        if resource.multiple {
            let _ = write!(text, "; up to {} instances here", self.capacities.instances);
        }
        text.push('.');
        text
    }

    fn capacity(&self, resource: &ResourceModel, data_type: DataType) -> usize {
        let default = if data_type == DataType::Opaque {
            self.capacities.opaque
        } else {
            self.capacities.text
        };
        let length = match resource.range {
            Some(range) if range.max >= 1.0 => Some(range.max as usize),
            _ => single_length(&resource.range_text),
        };
        length.map_or(default, |length| length.min(self.capacities.largest))
    }

    fn field_type(&self, resource: &ResourceModel, data_type: DataType) -> String {
        let value = match data_type {
            DataType::String | DataType::CoreLink => {
                format!("String<{}>", self.capacity(resource, data_type))
            }
            DataType::Opaque => format!("Vec<u8, {}>", self.capacity(resource, data_type)),
            DataType::Integer => integer(resource.range, true).to_owned(),
            DataType::Unsigned => integer(resource.range, false).to_owned(),
            DataType::Float => "f64".to_owned(),
            DataType::Boolean => "bool".to_owned(),
            DataType::Time => "i64".to_owned(),
            DataType::ObjectLink => "ObjectLink".to_owned(),
        };
        if resource.multiple {
            format!("Multiple<{value}, {}>", self.capacities.instances)
        } else if resource.mandatory {
            value
        } else {
            format!("Option<{value}>")
        }
    }

    fn constructors(&self, source: &mut String) -> core::fmt::Result {
        let ty = &self.ty;
        let mut values: Vec<String> = self
            .fields()
            .map(|(item, data_type)| {
                format!("{}: {}", item.name, initial(item.resource, data_type))
            })
            .collect();
        if self.has_actions {
            values.push("actions".to_owned());
        }
        let body = struct_literal(&values);
        // A multiple resource with content is none.
        let is_constant = !self
            .fields()
            .any(|(item, _)| item.resource.multiple && item.resource.mandatory);
        let pub_fn = if is_constant {
            "pub const fn"
        } else {
            "pub fn"
        };
        let new = "/// An instance with zeros (or the end of the range that is next to zero) and \
                   empty texts;\n    /// what is optional is absent.";
        if !self.has_actions {
            writeln!(
                source,
                "impl {ty} {{\n    {new}\n    {pub_fn} new() -> Self {{"
            )?;
            writeln!(source, "{body}    }}\n}}\n")?;
            writeln!(source, "impl Default for {ty} {{")?;
            source.push_str("    fn default() -> Self {\n        Self::new()\n    }\n}\n\n");
            return Ok(());
        }
        writeln!(
            source,
            "impl {ty} {{\n    {new} It does nothing of its own.\n    {pub_fn} new() -> Self {{\n\
             \x20       Self::with_actions(())\n    }}\n}}\n"
        )?;
        writeln!(
            source,
            "impl<A> {ty}<A> {{\n    /// The same, with what it does.\n\
             \x20   {pub_fn} with_actions(actions: A) -> Self {{"
        )?;
        writeln!(source, "{body}    }}\n}}\n")?;
        writeln!(
            source,
            "impl<A: Default> Default for {ty}<A> {{\n    fn default() -> Self {{\n\
             \x20       Self::with_actions(A::default())\n    }}\n}}\n"
        )
    }

    fn actions(&self, source: &mut String) -> core::fmt::Result {
        if !self.has_actions {
            return Ok(());
        }
        let ty = &self.ty;
        let name = one_line(&self.object.name);
        writeln!(
            source,
            "/// What {name} does when a server writes or executes its resources.\n///\n\
             /// Each function works on a copy of the instance, which takes its place when it ends \
             well; the\n/// code of an error is the answer, and nothing has changed.\n\
             pub trait {ty}Actions: Clone {{"
        )?;
        for item in self.executables() {
            writeln!(source, "    /// Execute of {}", self.head(item))?;
            source.push_str("    /// Answered with 4.05 (Method Not Allowed) unless overridden.\n");
            if !item.resource.description.trim().is_empty() {
                source.push_str("    ///\n");
                prose::write(source, "    ///", &item.resource.description);
            }
            signature(
                source,
                &item.name,
                &[
                    format!("this: &mut {ty}<Self>"),
                    "arguments: Arguments<'_>".to_owned(),
                ],
            );
            source.push_str(
                "        let _ = (this, arguments);\n        Err(Code::METHOD_NOT_ALLOWED)\n    }\n\n",
            );
        }
        source.push_str(
            "    /// Called for each resource a server has written ([`id`] has their names), before \
             it counts.\n",
        );
        signature(
            source,
            "written",
            &[format!("this: &mut {ty}<Self>"), "resource: u16".to_owned()],
        );
        source.push_str("        let _ = (this, resource);\n        Ok(())\n    }\n}\n\n");
        writeln!(source, "impl {ty}Actions for () {{}}\n")
    }

    fn implementation(&self, source: &mut String) -> core::fmt::Result {
        let (ty, constant) = (&self.ty, &self.constant);
        source.push_str("object! {\n");
        if self.has_actions {
            writeln!(source, "    impl<A: {ty}Actions> {constant} for {ty}<A> {{")?;
        } else {
            writeln!(source, "    impl {constant} for {ty} {{")?;
        }
        for item in &self.items {
            let Item { resource, name } = item;
            let operation = match resource.operations {
                Operations::E => {
                    writeln!(
                        source,
                        "        {} => execute |this, arguments| A::{name}(this, arguments);",
                        resource.id
                    )?;
                    continue;
                }
                Operations::R => "read",
                Operations::W => "write",
                Operations::RW | Operations::None => "read_write",
            };
            writeln!(source, "        {} => {operation} {name};", resource.id)?;
        }
        if self.has_actions {
            source.push_str("        written => |this, resource| A::written(this, resource);\n");
        }
        source.push_str("    }\n}\n");
        Ok(())
    }
}

/// `Self { ... }`, broken into lines where rustfmt would.
fn struct_literal(values: &[String]) -> String {
    let line = values.join(", ");
    if values.is_empty() {
        "        Self {}\n".to_owned()
    } else if line.len() <= 18 {
        format!("        Self {{ {line} }}\n")
    } else {
        let lines: String = values
            .iter()
            .map(|value| format!("            {value},\n"))
            .collect();
        format!("        Self {{\n{lines}        }}\n")
    }
}

/// A function of the trait, broken into lines where rustfmt would.
fn signature(source: &mut String, name: &str, parameters: &[String]) {
    let line = format!(
        "    fn {name}({}) -> Result<(), Code> {{",
        parameters.join(", ")
    );
    if line.len() <= 100 {
        source.push_str(&line);
    } else {
        source.push_str(&format!("    fn {name}(\n"));
        for parameter in parameters {
            source.push_str(&format!("        {parameter},\n"));
        }
        source.push_str("    ) -> Result<(), Code> {");
    }
    source.push('\n');
}

const fn has_length(data_type: DataType) -> bool {
    matches!(
        data_type,
        DataType::String | DataType::CoreLink | DataType::Opaque
    )
}

/// `64`, `32 bytes`: whether exact or at most, it is what must fit.
fn single_length(text: &str) -> Option<usize> {
    let mut words = text.split_whitespace();
    let number = words.next()?.parse().ok().filter(|length| *length > 0)?;
    match words.next() {
        None => Some(number),
        Some(unit)
            if ["bytes", "byte", "chars", "characters"].contains(&unit.to_lowercase().as_str()) =>
        {
            words.next().is_none().then_some(number)
        }
        Some(_) => None,
    }
}

/// The smallest type that holds every legal value.
fn integer(range: Option<Range>, is_signed: bool) -> &'static str {
    let Some(Range { min, max }) = range else {
        return if is_signed { "i64" } else { "u64" };
    };
    let fits = |low: f64, high: f64| min >= low && max <= high;
    if fits(0.0, f64::from(u8::MAX)) {
        "u8"
    } else if fits(0.0, f64::from(u16::MAX)) {
        "u16"
    } else if fits(0.0, f64::from(u32::MAX)) {
        "u32"
    } else if !is_signed {
        "u64"
    } else if fits(f64::from(i8::MIN), f64::from(i8::MAX)) {
        "i8"
    } else if fits(f64::from(i16::MIN), f64::from(i16::MAX)) {
        "i16"
    } else if fits(f64::from(i32::MIN), f64::from(i32::MAX)) {
        "i32"
    } else {
        "i64"
    }
}

/// The value of a field before anybody sets it, as an expression.
fn initial(resource: &ResourceModel, data_type: DataType) -> String {
    match (resource.multiple, resource.mandatory) {
        (false, true) => {}
        (false, false) => return "None".to_owned(),
        (true, false) => return "Multiple::new()".to_owned(),
        // At least one resource instance (Core 1.2 §D.1).
        (true, true) => {
            let single = ResourceModel {
                multiple: false,
                ..resource.clone()
            };
            return format!(
                "Multiple::from_iter([(0, {})])",
                initial(&single, data_type)
            );
        }
    }
    // Zero, or what is next to it in the range.
    let number = resource
        .range
        .map_or(0.0, |Range { min, max }| 0.0_f64.max(min).min(max));
    match data_type {
        DataType::String | DataType::CoreLink => "String::new()".to_owned(),
        DataType::Opaque => "Vec::new()".to_owned(),
        DataType::Integer | DataType::Unsigned => whole(number, data_type).to_string(),
        DataType::Time => (number as i64).to_string(),
        DataType::Float => format!("{number:?}"),
        DataType::Boolean => "false".to_owned(),
        DataType::ObjectLink => "ObjectLink::NULL".to_owned(),
    }
}

/// The number as the field's type holds it; the ends of a range may be fractions, or beyond.
fn whole(number: f64, data_type: DataType) -> i128 {
    let number = if number < 0.0 {
        number.floor()
    } else {
        number.ceil()
    } as i128;
    match data_type {
        DataType::Unsigned => number.clamp(0, i128::from(u64::MAX)),
        _ => number.clamp(i128::from(i64::MIN), i128::from(i64::MAX)),
    }
}

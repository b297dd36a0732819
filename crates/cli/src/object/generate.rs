//! `dunlin object generate`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use dunlin_lwm2m::model::ObjectModel;
use dunlin_lwm2m::model::generate::{self, Capacities, Optional, Options};

pub(super) const EXAMPLES: &str = "\
Examples:
  dunlin object generate 3303.xml > src/temperature.rs      one object, as a module
  dunlin object generate door.xml lock.xml -o src/objects   a folder: one module each, and mod.rs
  dunlin object generate 3303 --optional 5601,5602,5605     only these optional resources
  dunlin object generate 9.xml --instances 8 --text 128     more room

What is written, for an object named Door:
  id            the resource ids, by name
  DOOR          the definition: types, ranges, units, operations
  Door          a struct with a field for each resource; Door::new(), Default
  DoorActions   a trait with a function for each executable resource, and `written`, which may
                refuse a write. All have an answer already (4.05 for executables); override what
                your device does:

    #[derive(Clone, Default)]
    struct Mine;

    impl DoorActions for Mine {
        fn ring(this: &mut Door<Self>, _arguments: Arguments<'_>) -> Result<(), Code> {
            this.rung += 1;
            Ok(())
        }
    }

    let door = Single::new(Door::with_actions(Mine));          // an object with one instance
    let doors: Instances<Door<Mine>, 4> = Instances::new();    // the server creates them

The client enforces the definition: types, ranges, operations, what is mandatory. The generated
file needs no change and no other crate than dunlin-client; it uses neither std nor a heap. The
book has a chapter: Write an object.";

#[derive(Args, Debug)]
pub(crate) struct GenerateArgs {
    /// XML files, folders of XML files, or ids of objects that dunlin brings along
    #[arg(required = true, value_name = "FILE|DIR|ID")]
    objects: Vec<String>,
    /// Write to this file (*.rs) or folder instead of standard output
    #[arg(short, long, value_name = "FILE|DIR")]
    output: Option<PathBuf>,
    /// Optional resources the device has: all, none, or ids
    #[arg(long, value_name = "all|none|ID,...", default_value = "all", value_parser = optional)]
    optional: Optional,
    /// Bytes that a String or Corelnk holds whose range does not say
    #[arg(long, value_name = "BYTES", default_value_t = Capacities::default().text)]
    text: usize,
    /// Bytes that an Opaque holds whose range does not say
    #[arg(long, value_name = "BYTES", default_value_t = Capacities::default().opaque)]
    opaque: usize,
    /// Resource instances that a multiple resource holds
    #[arg(long, value_name = "N", default_value_t = Capacities::default().instances)]
    instances: usize,
    /// Bytes that no value exceeds, whatever its range says
    #[arg(long, value_name = "BYTES", default_value_t = Capacities::default().largest)]
    largest: usize,
    /// Write the definitions alone, to write the structs yourself
    #[arg(long)]
    definition_only: bool,
}

fn optional(text: &str) -> Result<Optional, String> {
    match text {
        "all" => Ok(Optional::All),
        "none" => Ok(Optional::None),
        ids => ids
            .split(',')
            .map(|id| {
                id.trim().parse().map_err(|_| {
                    format!("{id:?} is no resource id; write all, none, or ids as in 5601,5602")
                })
            })
            .collect::<Result<_, _>>()
            .map(Optional::Only),
    }
}

pub(super) fn run(args: &GenerateArgs) -> anyhow::Result<()> {
    let mut objects = Vec::new();
    for name in &args.objects {
        objects.extend(super::load_all(name)?);
    }
    let modules = modules(&objects, args)?;
    match &args.output {
        None => Ok(io::stdout()
            .lock()
            .write_all(one_file(&modules).as_bytes())?),
        Some(path) if path.extension().is_some_and(|extension| extension == "rs") => {
            write(path, &one_file(&modules))
        }
        Some(folder) => {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
            for module in &modules {
                write(&folder.join(format!("{}.rs", module.name)), &module.source)?;
            }
            write(&folder.join("mod.rs"), &index(&modules))
        }
    }
}

struct Module {
    name: String,
    source: String,
}

/// A module for each object.
fn modules(objects: &[ObjectModel], args: &GenerateArgs) -> anyhow::Result<Vec<Module>> {
    let mut seen = std::collections::BTreeSet::new();
    for object in objects {
        if !seen.insert((object.id, object.version)) {
            bail!(
                "object {} version {} is named twice",
                object.id,
                object.version
            );
        }
    }
    let options = Options {
        capacities: Capacities {
            text: args.text,
            opaque: args.opaque,
            instances: args.instances,
            largest: args.largest,
        },
        optional: args.optional.clone(),
    };
    Ok(generate::module_names(objects)
        .into_iter()
        .zip(objects)
        .map(|(name, object)| Module {
            name,
            source: if args.definition_only {
                let constant = generate::constant_name(object);
                let definition = generate::definition(object, &constant);
                format!("{}\n{definition}", generate::uses(object))
            } else {
                generate::object(object, &options)
            },
        })
        .collect())
}

/// One module as it is, several as modules of a file.
fn one_file(modules: &[Module]) -> String {
    if let [module] = modules {
        return module.source.clone();
    }
    let mut source = String::from("//! Objects, generated by `dunlin object generate`.\n");
    for module in modules {
        source.push_str(&format!("\npub mod {} {{\n", module.name));
        // No text in the source goes over several lines.
        for line in module.source.lines() {
            if !line.is_empty() {
                source.push_str("    ");
                source.push_str(line);
            }
            source.push('\n');
        }
        source.push_str("}\n");
    }
    source
}

/// The `mod.rs` of a folder.
fn index(modules: &[Module]) -> String {
    let mut modules: Vec<&Module> = modules.iter().collect();
    modules.sort_by(|a, b| a.name.cmp(&b.name));
    let mut source = String::from("//! Objects, generated by `dunlin object generate`.\n\n");
    for module in modules {
        source.push_str(&format!("pub mod {};\n", module.name));
    }
    source
}

fn write(path: &Path, source: &str) -> anyhow::Result<()> {
    fs::write(path, source).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: GenerateArgs,
    }

    fn sources(line: &[&str]) -> anyhow::Result<Vec<Module>> {
        let line = Line::try_parse_from([&["generate"], line].concat())?;
        let mut objects = Vec::new();
        for name in &line.args.objects {
            objects.extend(super::super::load_all(name)?);
        }
        modules(&objects, &line.args)
    }

    #[test]
    fn modules_have_names_of_their_own() {
        let old = super::super::tests::objects_file("3-1.0.xml");
        let old = old.to_str().unwrap();
        let names: Vec<String> = sources(&["3", old])
            .unwrap()
            .into_iter()
            .map(|module| module.name)
            .collect();
        assert_eq!(names, ["device", "device_3_1_0"]);
        let error = sources(&[old, old]).err().unwrap().to_string();
        assert_eq!(error, "object 3 version 1.0 is named twice");
    }

    #[test]
    fn several_objects_in_one_file_are_modules() {
        let modules = sources(&["3303", "3304", "--definition-only"]).unwrap();
        let source = one_file(&modules);
        assert!(
            source.contains("\npub mod temperature {\n    use dunlin_client::definition::"),
            "{source}"
        );
        assert!(
            source.contains("    pub static HUMIDITY: ObjectDefinition"),
            "{source}"
        );
        assert!(index(&modules).starts_with(
            "//! Objects, generated by `dunlin object generate`.\n\n\
             pub mod humidity;\npub mod temperature;\n"
        ));
    }

    #[test]
    fn options_say_what_and_how_much() {
        let modules = sources(&["3303", "--optional", "5750", "--text", "9"]).unwrap();
        let source = &modules[0].source;
        assert!(
            source.contains("pub application_type: Option<String<9>>,"),
            "{source}"
        );
        assert!(!source.contains("pub sensor_units"), "{source}");
        let modules = sources(&["3303", "--optional", "none"]).unwrap();
        assert!(!modules[0].source.contains("pub application_type"));
        let error = sources(&["3303", "--optional", "x"])
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("\"x\" is no resource id; write all, none"),
            "{error}"
        );
    }
}

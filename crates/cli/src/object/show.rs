//! `dunlin object show`.

use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;
use dunlin_lwm2m::model::{ObjectModel, ResourceModel};
use dunlin_lwm2m::{DataType, ObjectVersion};

pub(super) const EXAMPLES: &str = "\
Examples:
  dunlin object show 3303                  an object that dunlin brings along
  dunlin object show 3303 5700             one resource of it, with everything its definition says
  dunlin object show door.xml --all        every resource like that
  dunlin object show 3 --models DIR --object-version 1.0    from a folder of definitions";

/// Lines of text end before this column.
const WIDTH: usize = 96;

/// The longest range in the table; the rest is in the description of the resource.
const RANGE: usize = 24;

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// XML file, or the id of an object that dunlin brings along or that is in --models
    #[arg(value_name = "FILE|ID")]
    object: String,
    /// Show only this resource, with its description
    #[arg(value_name = "RESOURCE")]
    resource: Option<u16>,
    /// Show all resources with their descriptions
    #[arg(long, conflicts_with = "resource")]
    all: bool,
    /// Folder with object definitions, such as a copy of the OMA registry
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Version of the object, as in 1.0 [default: the highest known]
    #[arg(long, value_name = "VERSION")]
    object_version: Option<ObjectVersion>,
}

pub(super) fn run(args: &ShowArgs, out: &mut impl Write) -> anyhow::Result<()> {
    for object in find(args)? {
        if let Some(id) = args.resource {
            let Some(resource) = object.resource(id) else {
                bail!(
                    "object {} has no resource {id} in version {}",
                    object.id,
                    object.version
                );
            };
            write_resource(&object, resource, out)?;
            continue;
        }
        write_object(&object, out)?;
        if args.all {
            for resource in &object.resources {
                writeln!(out)?;
                write_resource(&object, resource, out)?;
            }
        }
    }
    Ok(())
}

fn find(args: &ShowArgs) -> anyhow::Result<Vec<ObjectModel>> {
    let Ok(id) = args.object.parse() else {
        return super::load(&args.object);
    };
    let models = match &args.models {
        Some(folder) => crate::models::load(folder)?,
        None => dunlin_lwm2m::Models::embedded(),
    };
    let object = match args.object_version {
        Some(version) => models.get(id, version),
        None => models.latest(id),
    };
    let Some(object) = object else {
        bail!(
            "object {id} is not known in this version; name its XML file, or a folder with --models"
        );
    };
    Ok(vec![object.as_ref().clone()])
}

fn write_object(object: &ObjectModel, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "/{} {} {}",
        object.id,
        one_line(&object.name),
        object.version
    )?;
    let enabler = object
        .lwm2m_version
        .map_or_else(|| "any".to_owned(), |version| version.to_string());
    let several = if object.multiple {
        "several instances"
    } else {
        "one instance"
    };
    let mandatory = if object.mandatory {
        "mandatory"
    } else {
        "optional"
    };
    writeln!(
        out,
        "{}; {several}; {mandatory}; since LwM2M {enabler}",
        object.urn
    )?;
    for text in [&object.description, &object.description2] {
        if !text.trim().is_empty() {
            writeln!(out)?;
            write_text("", text, out)?;
        }
    }
    writeln!(out)?;
    write_table(&object.resources, out)
}

fn write_table(resources: &[ResourceModel], out: &mut impl Write) -> io::Result<()> {
    let head = ["ID", "NAME", "OP", "TYPE", "MANDATORY", "RANGE", "UNIT"].map(str::to_owned);
    let rows: Vec<[String; 7]> = resources
        .iter()
        .map(|resource| {
            [
                resource.id.to_string(),
                one_line(&resource.name),
                resource.operations.as_str().to_owned(),
                type_name(resource),
                if resource.mandatory { "yes" } else { "" }.to_owned(),
                shortened(&one_line(&resource.range_text)),
                resource.units.clone(),
            ]
        })
        .collect();
    let mut widths = [0; 7];
    for row in std::iter::once(&head).chain(&rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in std::iter::once(&head).chain(&rows) {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .enumerate()
            .map(|(column, (cell, width))| match column {
                0 => format!("{cell:>width$}"),
                _ => format!("{cell:<width$}"),
            })
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

fn write_resource(
    object: &ObjectModel,
    resource: &ResourceModel,
    out: &mut impl Write,
) -> io::Result<()> {
    writeln!(
        out,
        "/{}/*/{} {}",
        object.id,
        resource.id,
        one_line(&resource.name)
    )?;
    let mut facts = Vec::new();
    facts.extend(Some(type_name(resource)).filter(|name| !name.is_empty()));
    facts.push(match resource.operations.as_str() {
        "" => "set by bootstrap alone".to_owned(),
        operations => operations.to_owned(),
    });
    facts.push(
        if resource.mandatory {
            "mandatory"
        } else {
            "optional"
        }
        .to_owned(),
    );
    if !resource.units.is_empty() {
        facts.push(format!("unit {}", resource.units));
    }
    if !resource.range_text.trim().is_empty() {
        facts.push(format!("range {}", one_line(&resource.range_text)));
    }
    write_text("  ", &facts.join("; "), out)?;
    write_text("  ", &resource.description, out)
}

/// The type, with `[]` for a resource that has instances.
fn type_name(resource: &ResourceModel) -> String {
    let multiple = if resource.multiple { "[]" } else { "" };
    format!(
        "{}{multiple}",
        resource.data_type.map_or("", DataType::name)
    )
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= RANGE {
        return text.to_owned();
    }
    let start: String = text.chars().take(RANGE - 3).collect();
    format!("{}...", start.trim_end())
}

/// Text in lines that fit; lines of the text stay lines.
fn write_text(indent: &str, text: &str, out: &mut impl Write) -> io::Result<()> {
    for paragraph in text.lines().filter(|line| !line.trim().is_empty()) {
        let mut line = indent.to_owned();
        for word in paragraph.split_whitespace() {
            let length = line.chars().count() + 1 + word.chars().count();
            if line.len() > indent.len() {
                if length > WIDTH {
                    writeln!(out, "{line}")?;
                    indent.clone_into(&mut line);
                } else {
                    line.push(' ');
                }
            }
            line.push_str(word);
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::object::tests::objects_file;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: ShowArgs,
    }

    fn show(line: &[&str]) -> anyhow::Result<String> {
        let line = Line::try_parse_from([&["show"], line].concat())?;
        let mut out = Vec::new();
        run(&line.args, &mut out)?;
        Ok(String::from_utf8(out)?)
    }

    #[test]
    fn an_object_is_a_table() {
        let out = show(&["6"]).unwrap();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(
            lines[..2],
            [
                "/6 Location 1.0",
                "urn:oma:lwm2m:oma:6; one instance; optional; since LwM2M 1.0"
            ]
        );
        assert_eq!(
            lines[5],
            "ID  NAME       OP  TYPE    MANDATORY  RANGE  UNIT"
        );
        assert_eq!(lines[6], " 0  Latitude   R   Float   yes               lat");
        assert_eq!(lines[8], " 2  Altitude   R   Float                     m");
        assert_eq!(lines[10], " 4  Velocity   R   Opaque");
    }

    #[test]
    fn a_resource_has_all_its_definition_says() {
        let out = show(&["3", "9"]).unwrap();
        assert!(
            out.starts_with(
                "/3/*/9 Battery Level\n  Integer; R; optional; unit /100; range 0..100\n  "
            ),
            "{out}"
        );
        let all = show(&["3", "--all"]).unwrap();
        assert!(all.contains(&out), "{all}");
        for line in all.lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
        let error = show(&["3", "999"]).unwrap_err().to_string();
        assert_eq!(error, "object 3 has no resource 999 in version 1.2");
    }

    #[test]
    fn versions_are_told_apart() {
        assert!(
            show(&["3", "--object-version", "1.0"])
                .unwrap()
                .starts_with("/3 Device 1.0\n")
        );
        let error = show(&["3", "--object-version", "7.0"])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("object 3 is not known in this version"),
            "{error}"
        );
        let file = objects_file("3-1.0.xml").display().to_string();
        assert!(show(&[&file]).unwrap().starts_with("/3 Device 1.0\n"));
    }
}

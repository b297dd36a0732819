//! `dunlin object`: check, print and turn into Rust what object definition files say.

mod generate;
mod lint;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use dunlin_lwm2m::model::{self, ObjectModel, Strictness};
use dunlin_lwm2m::{DataType, Models};

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Check object definition files, or a whole registry
    #[command(after_help = lint::EXAMPLES)]
    Lint(lint::LintArgs),
    /// Print an object definition
    #[command(after_help = "Examples:\n  dunlin object show 3303\n  dunlin object show door.xml")]
    Show(ShowArgs),
    /// Turn object definitions into Rust for dunlin-client
    #[command(after_help = generate::EXAMPLES)]
    Generate(generate::GenerateArgs),
}

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// XML file, or the id of an object that dunlin brings along
    object: String,
}

/// Runs a command and tells how it ended: 1 when lint found something, 2 when something could not
/// be done.
pub(crate) fn run(command: Command) -> ExitCode {
    let result = match command {
        Command::Lint(args) => lint::run(&args, &mut io::stdout().lock()),
        Command::Show(args) => show_all(&args).map(|()| 0),
        Command::Generate(args) => generate::run(&args).map(|()| 0),
    };
    match result {
        Ok(0) => ExitCode::SUCCESS,
        Ok(count) => {
            eprintln!("dunlin: {}", lint::verdict(count));
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("dunlin: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn show_all(args: &ShowArgs) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    for object in load(&args.object)? {
        show(&object, &mut out)?;
    }
    Ok(())
}

/// Writes a definition as a table.
pub(crate) fn show(object: &ObjectModel, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "/{} {} {}", object.id, object.name, object.version)?;
    if !object.description.is_empty() {
        writeln!(out, "{}", one_line(&object.description))?;
    }
    let enabler = object
        .lwm2m_version
        .map_or_else(|| "any".to_owned(), |version| version.to_string());
    writeln!(
        out,
        "{}; {} instances; {}; since LwM2M {enabler}\n",
        object.urn,
        if object.multiple {
            "multiple"
        } else {
            "single"
        },
        if object.mandatory {
            "mandatory"
        } else {
            "optional"
        },
    )?;
    let rows: Vec<[String; 6]> = object
        .resources
        .iter()
        .map(|resource| {
            let multiple = if resource.multiple { "[]" } else { "" };
            let data_type = resource.data_type.map_or("", DataType::name);
            [
                resource.id.to_string(),
                one_line(&resource.name),
                resource.operations.as_str().to_owned(),
                format!("{data_type}{multiple}"),
                if resource.mandatory { "yes" } else { "" }.to_owned(),
                [one_line(&resource.range_text), resource.units.clone()]
                    .join(" ")
                    .trim()
                    .to_owned(),
            ]
        })
        .collect();
    let head = ["ID", "NAME", "OP", "TYPE", "MANDATORY", "RANGE, UNIT"].map(str::to_owned);
    let mut widths = [0; 6];
    for row in std::iter::once(&head).chain(&rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in std::iter::once(&head).chain(&rows) {
        let cells: Vec<String> = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    writeln!(out)
}

/// The definitions of a file, or of an object that comes along.
fn load(name: &str) -> anyhow::Result<Vec<ObjectModel>> {
    if let Ok(id) = name.parse() {
        let models = Models::embedded();
        let Some(object) = models.latest(id) else {
            bail!("object {id} does not come along; name its XML file");
        };
        return Ok(vec![object.as_ref().clone()]);
    }
    load_file(Path::new(name))
}

/// The same, or of all the definition files of a folder.
fn load_all(name: &str) -> anyhow::Result<Vec<ObjectModel>> {
    let path = Path::new(name);
    if !path.is_dir() {
        return load(name);
    }
    let files = definition_files(path)?;
    if files.is_empty() {
        bail!("no definition files (ID.xml) in the folder {name}");
    }
    let mut objects = Vec::new();
    for file in files {
        objects.extend(load_file(&file)?);
    }
    Ok(objects)
}

fn load_file(path: &Path) -> anyhow::Result<Vec<ObjectModel>> {
    model::parse(&read(path)?, Strictness::Lenient).with_context(|| path.display().to_string())
}

/// The files of a folder whose names are those of definitions (`3303.xml`, `3303-1_0.xml`), in
/// ascending order of ids.
pub(crate) fn definition_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)
        .with_context(|| format!("cannot read the folder {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let digits = name.bytes().take_while(u8::is_ascii_digit).count();
        if let Some(id) = name.get(..digits).and_then(|id| id.parse::<u16>().ok())
            && name.ends_with(".xml")
        {
            files.push((id, path));
        }
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn objects_file(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../objects")
            .join(name)
    }

    #[test]
    fn show_prints_a_table() {
        let mut out = Vec::new();
        show(&load("6").unwrap()[0], &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[0], "/6 Location 1.0");
        assert_eq!(
            lines[4],
            "ID  NAME       OP  TYPE    MANDATORY  RANGE, UNIT"
        );
        assert_eq!(lines[5], "0   Latitude   R   Float   yes        lat");
    }

    #[test]
    fn load_says_what_to_do() {
        let error = load("64000").unwrap_err().to_string();
        assert_eq!(error, "object 64000 does not come along; name its XML file");
        let error = load("no-such-file.xml").unwrap_err().to_string();
        assert_eq!(error, "cannot read no-such-file.xml");
    }
}

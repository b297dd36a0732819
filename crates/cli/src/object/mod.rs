//! `dunlin object`: check, print and turn into Rust what object definition files say.

mod generate;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use dunlin_lwm2m::model::{self, ObjectModel, Strictness};
use dunlin_lwm2m::{DataType, Models};

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Check object definition files
    #[command(
        after_help = "Example:\n  dunlin object lint 3303.xml\n\nEach finding names the file, \
        line and column, and in brackets the rule: a number of the OMA editor, `schema` or `xml`."
    )]
    Lint(LintArgs),
    /// Print an object definition
    #[command(after_help = "Examples:\n  dunlin object show 3303\n  dunlin object show door.xml")]
    Show(ShowArgs),
    /// Turn object definitions into Rust for dunlin-client
    #[command(after_help = generate::EXAMPLES)]
    Generate(generate::GenerateArgs),
}

#[derive(Args, Debug)]
pub(crate) struct LintArgs {
    /// XML files
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// XML file, or the id of an object that dunlin brings along
    object: String,
}

pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Lint(args) => {
            let findings = lint(&args.files, &mut io::stdout().lock())?;
            if findings > 0 {
                let files = args.files.len();
                bail!("{findings} findings in {files} files");
            }
            Ok(())
        }
        Command::Show(args) => {
            let mut out = io::stdout().lock();
            for object in load(&args.object)? {
                show(&object, &mut out)?;
            }
            Ok(())
        }
        Command::Generate(args) => generate::run(&args),
    }
}

/// Writes the findings of all files, and tells how many there are.
pub(crate) fn lint(files: &[PathBuf], out: &mut impl Write) -> anyhow::Result<usize> {
    let mut count = 0;
    for path in files {
        for finding in model::lint(&read(path)?) {
            count += 1;
            let position = finding.position;
            writeln!(
                out,
                "{}:{}:{}: {} [{}]",
                path.display(),
                position.line,
                position.column,
                finding.message,
                finding.rule
            )?;
        }
    }
    Ok(count)
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
fn definition_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
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
mod tests {
    use super::*;

    pub(super) fn objects_file(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../objects")
            .join(name)
    }

    #[test]
    fn lint_names_file_line_and_rule() {
        let good = objects_file("3303.xml");
        let mut out = Vec::new();
        assert_eq!(lint(std::slice::from_ref(&good), &mut out).unwrap(), 0);
        assert!(out.is_empty());
        let text = fs::read_to_string(good).unwrap();
        let bad = std::env::temp_dir().join(format!("dunlin-lint-{}.xml", std::process::id()));
        fs::write(&bad, text.replacen("<Type>Time<", "<Type>Date<", 1)).unwrap();
        let count = lint(std::slice::from_ref(&bad), &mut out);
        fs::remove_file(&bad).unwrap();
        assert_eq!(count.unwrap(), 1);
        let out = String::from_utf8(out).unwrap();
        assert!(
            out.starts_with(&format!("{}:19:9: type \"Date\"", bad.display())),
            "{out}"
        );
        assert!(out.ends_with("[412]\n"), "{out}");
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

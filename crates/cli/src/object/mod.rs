//! `dunlin object`: check, print and turn into Rust what object definition files say.

mod generate;
mod lint;
mod show;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use dunlin_lwm2m::Models;
use dunlin_lwm2m::model::{self, ObjectModel, Strictness};

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Check object definition files, or a whole registry
    #[command(after_help = lint::EXAMPLES)]
    Lint(lint::LintArgs),
    /// Print an object definition
    #[command(after_help = show::EXAMPLES)]
    Show(show::ShowArgs),
    /// Turn object definitions into Rust for dunlin-client
    #[command(after_help = generate::EXAMPLES)]
    Generate(generate::GenerateArgs),
}

/// Runs a command and tells how it ended: 1 when lint found something, 2 when something could not
/// be done.
pub(crate) fn run(command: Command) -> ExitCode {
    let result = match command {
        Command::Lint(args) => lint::run(&args, &mut io::stdout().lock()),
        Command::Show(args) => show::run(&args, &mut io::stdout().lock()).map(|()| 0),
        Command::Generate(args) => generate::run(&args).map(|()| 0),
    };
    match result {
        Ok(0) => ExitCode::SUCCESS,
        Ok(count) => {
            eprintln!("dunlin: {}", lint::verdict(count));
            ExitCode::FAILURE
        }
        // Whoever read the output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dunlin: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn objects_file(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../objects")
            .join(name)
    }

    #[test]
    fn load_says_what_to_do() {
        let error = load("64000").unwrap_err().to_string();
        assert_eq!(error, "object 64000 does not come along; name its XML file");
        let error = load("no-such-file.xml").unwrap_err().to_string();
        assert_eq!(error, "cannot read no-such-file.xml");
    }
}

//! `dunlin object lint`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use dunlin_lwm2m::model::{Files, Finding, Registry, Severity};
use serde_json::json;

pub(super) const EXAMPLES: &str = "\
Examples:
  dunlin object lint door.xml                             one file, by itself
  dunlin object lint door.xml --registry lwm2m-registry   and against what the registry has
  dunlin object lint lwm2m-registry                       a whole registry: a folder with DDF.xml
  dunlin object lint lwm2m-registry --ignore 407 --summary

Each finding has a line: file, line, column, severity, what to do, and in brackets the rule: a fault
number of the OMA editor, `schema` for the schema the file refers to, `xml`, or `sense` for what
makes no sense. What can be told from files is checked; whether links can be reached (faults 271, 290,
310, 580) is not. `error` is what other parties rely on, `warning` a matter of form.

  403 408 410..418 420 700 705 800   a file by itself
  400 401 402                        a file against the list, DDF.xml
  450 451 460..465                   a file against the reusable resources, Common.xml
  021 031 041 050 2xx 300..321 701   the list
  022 032 500..605                   the reusable resources

A checkout may end all lines with carriage return and line feed, which is 407 in every file.

Exit status: 0 nothing found, 1 something found, 2 something could not be read.";

#[derive(Args, Debug)]
pub(crate) struct LintArgs {
    /// XML files, folders of definitions, or registry folders (with DDF.xml)
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
    /// Check files against the DDF.xml and Common.xml of this folder
    #[arg(long, value_name = "DIR")]
    registry: Option<PathBuf>,
    /// Check the files in version_history/ of registry folders instead of the latest ones
    #[arg(long)]
    all_versions: bool,
    /// Leave these rules out, as in 407,420
    #[arg(long, value_name = "RULE,...", value_delimiter = ',')]
    ignore: Vec<String>,
    /// Print only how often each rule is broken, and in how many files
    #[arg(long)]
    summary: bool,
    /// Print the findings as JSON
    #[arg(long, conflicts_with = "summary")]
    json: bool,
}

/// Where a finding is, and what.
type Located = (PathBuf, Finding);

/// Writes the findings, and tells how many there are.
pub(super) fn run(args: &LintArgs, out: &mut impl Write) -> anyhow::Result<usize> {
    let mut findings = find(args)?;
    findings.retain(|(_, finding)| !args.ignore.contains(&finding.rule.to_string()));
    if args.json {
        write_json(&findings, out)?;
    } else if args.summary {
        write_summary(&findings, out)?;
    } else {
        for (path, finding) in &findings {
            let position = finding.position;
            writeln!(
                out,
                "{}:{}:{}: {}: {} [{}]",
                path.display(),
                position.line,
                position.column,
                finding.severity(),
                finding.message,
                finding.rule
            )?;
        }
    }
    Ok(findings.len())
}

/// The last words about so many findings.
pub(super) fn verdict(count: usize) -> String {
    format!("{count} finding{}", if count == 1 { "" } else { "s" })
}

fn find(args: &LintArgs) -> anyhow::Result<Vec<Located>> {
    let against = match &args.registry {
        Some(folder) => Registry::read(&files(folder)?),
        None => Registry::default(),
    };
    let mut findings = Vec::new();
    for path in &args.paths {
        if path.join("DDF.xml").is_file() {
            let files = files(path)?;
            let registry = Registry::read(&files);
            let found = registry.lint(&files, args.all_versions).into_iter();
            findings.extend(found.map(|(file, finding)| (path.join(file), finding)));
            continue;
        }
        let files = if path.is_dir() {
            super::definition_files(path)?
        } else {
            vec![path.clone()]
        };
        for file in files {
            let found = against.lint_file(&super::read(&file)?);
            findings.extend(found.into_iter().map(|finding| (file.clone(), finding)));
        }
    }
    Ok(findings)
}

/// The XML files of a registry folder by their paths in it.
fn files(folder: &Path) -> anyhow::Result<Files> {
    let mut files = Files::new();
    for (part, prefix) in [("", ""), ("version_history", "version_history/")] {
        let part = folder.join(part);
        if !prefix.is_empty() && !part.is_dir() {
            continue;
        }
        let entries =
            fs::read_dir(&part).with_context(|| format!("cannot read {}", part.display()))?;
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".xml") {
                files.insert(format!("{prefix}{name}"), super::read(&entry.path())?);
            }
        }
    }
    Ok(files)
}

fn write_json(findings: &[Located], out: &mut impl Write) -> io::Result<()> {
    let findings: Vec<_> = findings
        .iter()
        .map(|(path, finding)| {
            json!({
                "file": path.display().to_string(),
                "line": finding.position.line,
                "column": finding.position.column,
                "severity": finding.severity().to_string(),
                "rule": finding.rule.to_string(),
                "message": finding.message,
            })
        })
        .collect();
    serde_json::to_writer_pretty(&mut *out, &findings)?;
    writeln!(out)
}

fn write_summary(findings: &[Located], out: &mut impl Write) -> io::Result<()> {
    let mut rules: BTreeMap<_, (Severity, usize, BTreeSet<&Path>)> = BTreeMap::new();
    for (path, finding) in findings {
        let (severity, count, files) =
            rules
                .entry(finding.rule)
                .or_insert((finding.severity(), 0, BTreeSet::new()));
        *severity = finding.severity().max(*severity);
        *count += 1;
        files.insert(path);
    }
    writeln!(out, "RULE    SEVERITY  FINDINGS  FILES")?;
    for (rule, (severity, count, files)) in rules {
        let (rule, severity) = (rule.to_string(), severity.to_string());
        writeln!(out, "{rule:<6}  {severity:<8}  {count:<8}  {}", files.len())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::object::tests::objects_file;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: LintArgs,
    }

    fn lint(line: &[&str]) -> (usize, String) {
        let line = Line::try_parse_from([&["lint"], line].concat()).unwrap();
        let mut out = Vec::new();
        let count = run(&line.args, &mut out).unwrap();
        (count, String::from_utf8(out).unwrap())
    }

    /// A folder of this process that is removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("dunlin-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn write(&self, name: &str, text: &str) -> String {
            let path = self.0.join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_good_file_gives_no_line() {
        let good = objects_file("3303.xml");
        assert_eq!(lint(&[good.to_str().unwrap()]), (0, String::new()));
    }

    #[test]
    fn findings_name_file_line_severity_and_rule() {
        let folder = Folder::new("lint");
        let text = fs::read_to_string(objects_file("3303.xml")).unwrap();
        let bad = text.replacen("<Type>Time<", "<Type>Date<", 1);
        let bad = folder.write("bad.xml", &bad.replace("\n", "\r\n"));
        let (count, out) = lint(&[&bad]);
        assert_eq!(count, 2, "{out}");
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(
            lines[0],
            format!(
                "{bad}:1:39: warning: a carriage return; end lines with a line feed alone [407]"
            )
        );
        assert!(
            lines[1].starts_with(&format!("{bad}:19:9: error: type \"Date\"")),
            "{out}"
        );
        assert!(lines[1].ends_with("[412]"), "{out}");
        assert_eq!(lint(&[&bad, "--ignore", "407,412"]).0, 0);
        assert_eq!(
            lint(&[&bad, "--summary"]).1,
            "RULE    SEVERITY  FINDINGS  FILES\n407     warning   1         1\n\
             412     error     1         1\n"
        );
        let json: serde_json::Value = serde_json::from_str(&lint(&[&bad, "--json"]).1).unwrap();
        assert_eq!(json[1]["line"], 19);
        assert_eq!(json[1]["rule"], "412");
        assert_eq!(json[1]["severity"], "error");
        assert_eq!(json[1]["file"], bad);
    }

    #[test]
    fn files_are_checked_against_a_registry() {
        let folder = Folder::new("registry");
        folder.write(
            "Common.xml",
            "<LWM2M><Object><Resources><Item ID=\"5700\"><Name>Other Name</Name>\
             <Operations>R</Operations><Type>Float</Type><Description>x</Description>\
             <TSLink>0</TSLink></Item></Resources></Object></LWM2M>",
        );
        let file = objects_file("3303.xml");
        let folder = folder.0.to_str().unwrap();
        let (_, out) = lint(&[file.to_str().unwrap(), "--registry", folder]);
        assert!(out.contains("Name of resource 5700 is"), "{out}");
        assert!(out.contains("[460]"), "{out}");
        assert!(out.contains("resource 5601 is not in Common.xml"), "{out}");
    }
}

//! Checks a whole registry: the list, the reusable resources, the definitions, and that they
//! agree.

use std::collections::BTreeMap;

use super::common::{self, CommonResources};
use super::object_list::{self, Entry};
use super::units::Units;
use super::xml;
use super::{Finding, Position, Rule};

/// The files of a registry by their paths, such as `version_history/3-1_0.xml`.
pub type Files = BTreeMap<String, Vec<u8>>;

const LIST: &str = "DDF.xml";
const COMMON: &str = "Common.xml";
const UNITS: &str = "LWM2M_senml_units.xml";

/// What definitions are checked against besides the schema: the list of objects (`DDF.xml`), the
/// reusable resources (`Common.xml`) and further units (`LWM2M_senml_units.xml`) of a registry,
/// each where it is there.
#[derive(Debug, Default)]
pub struct Registry {
    list: Vec<Entry>,
    common: Option<CommonResources>,
    units: Units,
    findings: Vec<(String, Finding)>,
}

/// What one file is checked against.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) list: &'a [Entry],
    pub(super) common: Option<&'a CommonResources>,
    pub(super) units: &'a Units,
}

impl<'a> Context<'a> {
    /// Nothing but the schema and units.
    pub(super) const fn new(units: &'a Units) -> Self {
        Self {
            list: &[],
            common: None,
            units,
        }
    }
}

impl Registry {
    /// Reads what the files of a registry have in common.
    pub fn read(files: &Files) -> Self {
        let mut registry = Self::default();
        if let Some(xml) = files.get(UNITS) {
            match Units::read(xml) {
                Ok(units) => registry.units = units,
                Err(finding) => registry.findings.push((UNITS.to_owned(), finding)),
            }
        }
        if let Some(xml) = files.get(LIST) {
            let (list, findings) = object_list::read(xml, files);
            registry.list = list;
            registry.add(LIST, findings);
        }
        if let Some(xml) = files.get(COMMON) {
            let (common, findings) = common::read(xml, &registry.units);
            registry.common = (!common.is_empty()).then_some(common);
            registry.add(COMMON, findings);
        }
        registry
    }

    fn add(&mut self, file: &str, mut findings: Vec<Finding>) {
        findings.sort_by_key(|finding| finding.position);
        let findings = findings.into_iter();
        self.findings
            .extend(findings.map(|finding| (file.to_owned(), finding)));
    }

    /// Finds everything that is not as it should be in a file that is, or is to be, in the
    /// registry.
    pub fn lint_file(&self, xml: &[u8]) -> Vec<Finding> {
        let context = Context {
            list: &self.list,
            common: self.common.as_ref(),
            units: &self.units,
        };
        xml::lint_in(xml, &context)
    }

    /// Finds everything in the list, the reusable resources, and the latest definitions or, with
    /// `all_versions`, those in `version_history/`; file by file.
    pub fn lint(&self, files: &Files, all_versions: bool) -> Vec<(String, Finding)> {
        let mut findings = self.findings.clone();
        let mut names: Vec<(u16, &String, &Vec<u8>)> = files
            .iter()
            .filter_map(|(name, xml)| Some((definition_id(name, all_versions)?, name, xml)))
            .collect();
        names.sort();
        for (_, name, xml) in names {
            if !self.list.is_empty() && !self.is_listed(name) {
                let finding = Finding {
                    rule: Rule::Check(50),
                    position: Position::START,
                    message: format!("{LIST} does not name this file"),
                    fatal: false,
                };
                findings.push((name.clone(), finding));
            }
            let of_file = self.lint_file(xml).into_iter();
            findings.extend(of_file.map(|finding| (name.clone(), finding)));
        }
        findings
    }

    fn is_listed(&self, name: &str) -> bool {
        self.list.iter().any(|entry| {
            entry.file == name
                || entry.version.is_some_and(|version| {
                    !entry.file.is_empty() && object_list::history_file(entry.id, version) == name
                })
        })
    }
}

/// The object id in the name of a definition file, `3.xml` or `version_history/3-1_0.xml`.
fn definition_id(name: &str, all_versions: bool) -> Option<u16> {
    let name = match name.strip_prefix("version_history/") {
        Some(name) if all_versions => name,
        None if !all_versions => name,
        _ => return None,
    };
    let name = name.strip_suffix(".xml")?;
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    name.get(..digits)?.parse().ok()
}

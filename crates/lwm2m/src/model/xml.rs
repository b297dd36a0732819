//! Opens a definition file: size, encoding, XML.

use core::fmt;

use roxmltree::{Document, ParsingOptions};

use super::reader::Reader;
use super::registry_lint::{Context, Registry};
use super::units::Units;
use super::{Finding, ObjectModel, Position, Rule};

/// The largest file that is read, in bytes. The largest published file has about 150 kB.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// The most XML nodes that are read.
const MAX_NODES: u32 = 500_000;

/// How much a file may deviate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strictness {
    /// Elements in any order, RangeEnumeration, Units, versions and descriptions may be missing,
    /// and so on: everything that can be understood without guessing.
    Lenient,
    /// Nothing that [`lint`] finds.
    Strict,
}

/// Why a file does not load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelError {
    /// What was found first.
    pub finding: Finding,
    /// How many further findings there are.
    pub more: usize,
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.finding.fmt(f)?;
        match self.more {
            0 => Ok(()),
            more => write!(f, " (and {more} more)"),
        }
    }
}

impl core::error::Error for ModelError {}

/// Reads the object definitions of an XML file.
pub fn parse(xml: &[u8], strictness: Strictness) -> Result<Vec<ObjectModel>, ModelError> {
    let (objects, findings) = read(xml, &Context::new(&Units::default()));
    let mut against = findings
        .into_iter()
        .filter(|finding| finding.fatal || strictness == Strictness::Strict);
    match against.next() {
        None => Ok(objects),
        Some(finding) => Err(ModelError {
            finding,
            more: against.count(),
        }),
    }
}

/// Finds everything in an XML file that is not as it should be, in the order of the file.
pub fn lint(xml: &[u8]) -> Vec<Finding> {
    Registry::default().lint_file(xml)
}

pub(super) fn lint_in(xml: &[u8], context: &Context<'_>) -> Vec<Finding> {
    let mut findings = read(xml, context).1;
    findings.sort_by_key(|finding| finding.position);
    findings
}

fn read(xml: &[u8], context: &Context<'_>) -> (Vec<ObjectModel>, Vec<Finding>) {
    with_document(xml, |document, text| Reader::read(document, text, context))
        .unwrap_or_else(|finding| (Vec::new(), vec![finding]))
}

/// Opens a file and lets `each` have the document and its text.
pub(super) fn with_document<T>(
    xml: &[u8],
    each: impl FnOnce(&Document<'_>, &str) -> T,
) -> Result<T, Finding> {
    let fatal = |position, message: String| {
        Err(Finding {
            rule: Rule::WellFormed,
            position,
            message,
            fatal: true,
        })
    };
    if xml.len() > MAX_FILE_BYTES {
        let message = format!(
            "the file has {} bytes, more than the {MAX_FILE_BYTES} that are read",
            xml.len()
        );
        return fatal(Position::START, message);
    }
    let text = match str::from_utf8(xml) {
        Ok(text) => text,
        Err(error) => {
            let valid = xml.get(..error.valid_up_to()).unwrap_or_default();
            let position = end_of(str::from_utf8(valid).unwrap_or_default());
            return fatal(position, "not UTF-8; save the file as UTF-8".to_owned());
        }
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Without a DTD there are neither entities of the file's own (billion laughs) nor external
    // ones (XXE).
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    let document = match Document::parse_with_options(text, options) {
        Ok(document) => document,
        Err(error) => {
            let position = Position {
                line: error.pos().row,
                column: error.pos().col,
            };
            let message = match error {
                roxmltree::Error::DtdDetected => {
                    "a DTD is not allowed; remove the <!DOCTYPE ...>".to_owned()
                }
                roxmltree::Error::NodesLimitReached => {
                    format!("more than {MAX_NODES} XML nodes")
                }
                error => format!("not well-formed XML: {error}"),
            };
            return fatal(position, message);
        }
    };
    Ok(each(&document, text))
}

/// The position behind the last character.
pub(super) fn end_of(text: &str) -> Position {
    let last = text.rsplit('\n').next().unwrap_or_default();
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Position {
        line: number(text.matches('\n').count()).saturating_add(1),
        column: number(last.chars().count()).saturating_add(1),
    }
}

//! `DDF.xml`: the list of a registry's objects, one entry for each version.

use std::collections::BTreeMap;

use roxmltree::Node;

use super::document::{Source, unsigned_short};
use super::registry_lint::Files;
use super::xml::with_document;
use super::{Finding, ObjectModel, Rule, Strictness, parse};
use crate::ObjectVersion;

/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: u16,
    pub(super) version: Option<ObjectVersion>,
    pub(super) urn: String,
    pub(super) name: String,
    description: String,
    /// Where the definition is, empty for ids that are only taken.
    pub(super) file: String,
}

const KNOWN: [&str; 12] = [
    "ObjectID",
    "URN",
    "Name",
    "Description",
    "Owner",
    "Source",
    "Ver",
    "DDF",
    "Vorto",
    "DDFLink",
    "TS",
    "TSLink",
];

/// Reads the list, and finds what is wrong with it: faults 021, 031, 041, 2xx, 3xx, 701. Whether
/// links can be reached (271, 290, 310) is not asked: that takes the network.
pub(super) fn read(xml: &[u8], files: &Files) -> (Vec<Entry>, Vec<Finding>) {
    let read = with_document(xml, |document, _| {
        let mut reader = Reader {
            source: Source::new(document),
            files,
            entries: Vec::new(),
        };
        reader.file();
        let entries = reader.entries.into_iter().map(|(entry, _)| entry).collect();
        (entries, reader.source.findings)
    });
    read.unwrap_or_else(|finding| {
        let finding = Finding {
            rule: Rule::Check(21),
            ..finding
        };
        (Vec::new(), vec![finding])
    })
}

/// Where a version of an object is kept.
pub(super) fn history_file(id: u16, version: ObjectVersion) -> String {
    format!(
        "version_history/{id}-{}_{}.xml",
        version.major, version.minor
    )
}

/// Text without its white space, to compare.
pub(super) fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

struct Reader<'a, 'input> {
    source: Source<'a, 'input>,
    files: &'a Files,
    entries: Vec<(Entry, Node<'a, 'input>)>,
}

impl<'a, 'input> Reader<'a, 'input> {
    fn find(&mut self, number: u16, node: Node<'a, 'input>, name: &str, message: String) {
        let at = self.source.at(node, name);
        self.source.find(Rule::Check(number), at, message);
    }

    fn file(&mut self) {
        let root = self.source.root();
        if root.tag_name().name() != "DDFList" {
            let message = "the root element is not <DDFList>";
            self.source.fail(Rule::Check(21), root, message);
        }
        for node in root.children().filter(Node::is_element) {
            if node.tag_name().name() == "Item" {
                self.entry(node);
            } else {
                let message = format!("unknown element <{}>", node.tag_name().name());
                self.source.find(Rule::Check(41), node, message);
            }
        }
        if self.entries.is_empty() {
            self.source
                .fail(Rule::Check(31), root, "the list names no object");
        }
        let mut versions: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
        for (index, (entry, _)) in self.entries.iter().enumerate() {
            versions.entry(entry.id).or_default().push(index);
        }
        for of_one in versions.values() {
            self.check_versions(of_one);
        }
    }

    fn entry(&mut self, node: Node<'a, 'input>) {
        for child in node.children().filter(Node::is_element) {
            let name = child.tag_name().name();
            if !KNOWN.contains(&name) {
                let message = format!("unknown element <{name}>");
                self.source.find(Rule::Check(41), child, message);
            }
        }
        let text = |name| self.source.text(node, name);
        let (owner, source, version) = (text("Owner"), text("Source"), text("Ver"));
        let (ddf_link, ts_link) = (text("DDFLink"), text("TSLink"));
        let Some(id) = unsigned_short(&text("ObjectID")) else {
            let message = "ObjectID is no number from 0 to 65535";
            self.source.fail(Rule::Check(21), node, message);
            return;
        };
        let entry = Entry {
            id,
            version: version.parse().ok(),
            urn: text("URN"),
            name: text("Name"),
            description: text("Description"),
            file: text("DDF"),
        };
        for (value, name, number) in [
            (&entry.name, "Name", 220),
            (&entry.description, "Description", 230),
            (&owner, "Owner", 240),
            (&source, "Source", 250),
        ] {
            if value.is_empty() {
                self.find(number, node, name, format!("object {id}: {name} is empty"));
            }
        }
        if !source.is_empty() && !matches!(source.as_str(), "0" | "1" | "2") {
            let message = format!(
                "object {id}: Source {source:?}; write 0 (OMA), 1 (other standards bodies) or 2 (companies)"
            );
            self.find(251, node, "Source", message);
        }
        let digits = version.split_once('.').is_some_and(|(major, minor)| {
            [major, minor]
                .iter()
                .all(|part| part.len() == 1 && part.bytes().all(|byte| byte.is_ascii_digit()))
        });
        if !digits {
            let message =
                format!("object {id}: Ver {version:?}; write one digit, a point, one digit");
            self.find(260, node, "Ver", message);
        }
        self.check_urn(node, &entry, &source);
        self.source
            .check_link(node, "DDFLink", &ddf_link, (300, 301));
        self.source.check_link(node, "TSLink", &ts_link, (320, 321));
        self.entries.push((entry, node));
    }

    /// Check 210: the URN says class, id and version.
    fn check_urn(&mut self, node: Node<'a, 'input>, entry: &Entry, source: &str) {
        let Some(version) = entry.version else {
            return;
        };
        let (class, ids) = match source {
            "0" => ("oma", 0..=1023),
            "1" => ("ext", 2048..=10240),
            "2" => ("x", 10241..=42800),
            _ => return,
        };
        let Entry { id, urn, .. } = entry;
        if !ids.contains(id) {
            let message = format!(
                "object {id} is not within {} to {}, the ids of Source {source}",
                ids.start(),
                ids.end()
            );
            self.find(210, node, "ObjectID", message);
        }
        let short = format!("urn:oma:lwm2m:{class}:{id}");
        let long = format!("{short}:{version}");
        let is_right = *urn == long || (version == ObjectVersion::V1_0 && *urn == short);
        if !is_right {
            let message = format!("object {id}: URN is {urn:?}, expected {long}");
            self.find(210, node, "URN", message);
        }
    }

    /// What concerns the versions of one object.
    fn check_versions(&mut self, indexes: &[usize]) {
        let entries: Vec<(Entry, Node<'a, 'input>)> = indexes
            .iter()
            .filter_map(|index| self.entries.get(*index).cloned())
            .collect();
        let Some((first, _)) = entries.first() else {
            return;
        };
        let latest = entries.iter().filter_map(|(entry, _)| entry.version).max();
        let listed: Vec<ObjectVersion> = entries
            .iter()
            .filter_map(|(entry, _)| entry.version)
            .collect();
        for (index, version) in listed.iter().enumerate() {
            let before = listed.get(..index).unwrap_or_default();
            if before.contains(version)
                && let Some((entry, node)) = entries.get(index)
            {
                let message = format!("object {} version {version} is listed twice", entry.id);
                self.find(200, *node, "Ver", message.clone());
                if Some(*version) != latest {
                    self.find(275, *node, "Ver", message);
                }
            }
        }
        if let Some((entry, node)) = entries.iter().find(|(one, _)| one.name != first.name) {
            let message = format!(
                "object {} is {:?} here and {:?} before; versions share a name",
                entry.id, entry.name, first.name
            );
            self.find(201, *node, "Name", message);
        }
        let is_other = |one: &Entry| squeezed(&one.description) != squeezed(&first.description);
        if let Some((entry, node)) = entries.iter().find(|(one, _)| is_other(one)) {
            let message = format!(
                "the description of object {} differs between versions",
                entry.id
            );
            self.find(202, *node, "Description", message);
        }
        for (entry, node) in &entries {
            let Some(version) = entry.version else {
                continue;
            };
            let minors = (0..version.minor).map(|minor| ObjectVersion { minor, ..version });
            let majors = (1..version.major).map(|major| ObjectVersion { major, minor: 0 });
            for needed in minors.chain(majors) {
                if Some(version) == latest && !listed.contains(&needed) {
                    let message = format!(
                        "object {} has version {version} but not {needed}; each lower one stays listed",
                        entry.id
                    );
                    self.find(276, *node, "Ver", message);
                }
            }
            self.check_file(entry, *node, version, Some(version) == latest);
        }
    }

    /// Checks 270 to 274 and 701: the file an entry names.
    fn check_file(
        &mut self,
        entry: &Entry,
        node: Node<'a, 'input>,
        version: ObjectVersion,
        is_latest: bool,
    ) {
        let file = &entry.file;
        if file.is_empty() {
            return;
        }
        let history = history_file(entry.id, version);
        let expected = if is_latest {
            format!("{}.xml", entry.id)
        } else {
            history.clone()
        };
        if *file != expected {
            let message = format!("DDF is {file:?}, expected {expected}");
            self.find(274, node, "DDF", message);
        }
        let Some(xml) = self.files.get(file.as_str()) else {
            let message = format!("there is no file {file}");
            self.find(270, node, "DDF", message);
            return;
        };
        match self.files.get(&history) {
            None => {
                let message = format!("there is no file {history}; every version is kept there");
                self.find(274, node, "DDF", message);
            }
            Some(kept) if !equal_lines(kept, xml) => {
                let message = format!("{file} differs from {history}");
                self.find(274, node, "DDF", message);
            }
            Some(_) => {}
        }
        let objects: Vec<ObjectModel> = match parse(xml, Strictness::Lenient) {
            Ok(objects) => objects,
            Err(error) => {
                self.find(
                    272,
                    node,
                    "DDF",
                    format!("{file} is no definition: {error}"),
                );
                return;
            }
        };
        for object in &objects {
            if object.resources.is_empty() {
                self.find(273, node, "DDF", format!("{file} defines no resource"));
            }
            if squeezed(&object.description) != squeezed(&entry.description) {
                let message = format!("Description differs from Description1 of {file}");
                self.find(701, node, "Description", message);
            }
        }
    }
}

/// Whether two files are the same but for the ends of their lines.
fn equal_lines(a: &[u8], b: &[u8]) -> bool {
    let without = |bytes: &'_ [u8]| -> Vec<u8> {
        bytes
            .iter()
            .copied()
            .filter(|byte| *byte != b'\r')
            .collect()
    };
    a == b || without(a) == without(b)
}

//! Walks the XML of a definition file: reads the definitions, and finds what is wrong with them.

use roxmltree::{Document, Node};

use super::range::is_wrong_notation;
use super::xml::end_of;
use super::{Finding, ObjectModel, Position, ResourceModel, Rule, is_known_unit, parse_range};
use crate::definition::Operations;
use crate::{DataType, MAX_ID, ObjectVersion, Version};

/// The most findings that are listed.
const MAX_FINDINGS: usize = 1000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Schema {
    V1_0,
    V1_1,
}

const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Children in the order of the schema, and whether each must be there.
type Sequence = &'static [(&'static str, bool)];

const OBJECT: Sequence = &[
    ("Name", true),
    ("Description1", true),
    ("ObjectID", true),
    ("ObjectURN", true),
    ("LWM2MVersion", false),
    ("ObjectVersion", false),
    ("MultipleInstances", true),
    ("Mandatory", true),
    ("Resources", true),
    ("Description2", true),
];

const ITEM: Sequence = &[
    ("Name", true),
    ("Operations", true),
    ("MultipleInstances", true),
    ("Mandatory", true),
    ("Type", true),
    ("RangeEnumeration", true),
    ("Units", true),
    ("Description", true),
];

/// An element by its name, with its text.
struct Child<'a, 'input> {
    node: Node<'a, 'input>,
    /// White space around it is cut off; the schema cuts nothing.
    text: String,
    raw: String,
}

pub(super) struct Reader<'a, 'input> {
    document: &'a Document<'input>,
    /// Where each line starts, in bytes.
    lines: Vec<usize>,
    schema: Schema,
    findings: Vec<Finding>,
}

impl<'a, 'input> Reader<'a, 'input> {
    /// The definitions of a document, and what is wrong with it. A definition with a fatal
    /// finding is left out.
    pub(super) fn read(
        document: &'a Document<'input>,
        text: &str,
    ) -> (Vec<ObjectModel>, Vec<Finding>) {
        let mut reader = Self {
            document,
            lines: std::iter::once(0)
                .chain(text.match_indices('\n').map(|(index, _)| index + 1))
                .collect(),
            schema: Schema::V1_1,
            findings: Vec::new(),
        };
        reader.check_bytes(text);
        let objects = reader.file();
        (objects, reader.findings)
    }

    fn find(&mut self, rule: Rule, node: Node<'_, '_>, message: impl Into<String>) {
        self.add(rule, node, message.into(), false);
    }

    /// For what makes the definition unusable.
    fn fail(&mut self, rule: Rule, node: Node<'_, '_>, message: impl Into<String>) {
        self.add(rule, node, message.into(), true);
    }

    fn add(&mut self, rule: Rule, node: Node<'_, '_>, message: String, fatal: bool) {
        if self.findings.len() >= MAX_FINDINGS {
            // The file must not load because its fatal fault comes late.
            if let Some(last) = self.findings.last_mut().filter(|_| fatal) {
                last.fatal = true;
            }
            return;
        }
        let position = self.position(node.range().start);
        self.findings.push(Finding {
            rule,
            position,
            message,
            fatal,
        });
    }

    fn position(&self, offset: usize) -> Position {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = self.lines.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let before = self.document.input_text().get(start..offset);
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Position {
            line: number(line),
            column: number(before.map_or(0, |before| before.chars().count())).saturating_add(1),
        }
    }

    /// Checks 406 to 408: how the bytes are laid out.
    fn check_bytes(&mut self, text: &str) {
        let mut add = |number, position, message: &str| {
            self.findings.push(Finding {
                rule: Rule::Check(number),
                position,
                message: message.to_owned(),
                fatal: false,
            });
        };
        if !text.ends_with('\n') {
            add(
                406,
                end_of(text),
                "the last line has no end; add a line feed",
            );
        }
        if let Some((before, _)) = text.split_once('\r') {
            add(
                407,
                end_of(before),
                "a carriage return; end lines with a line feed alone",
            );
        }
        if !text.trim_end().contains('\n') {
            add(
                408,
                Position::START,
                "everything stands in one line; break it into lines",
            );
        }
    }

    fn file(&mut self) -> Vec<ObjectModel> {
        let root = self.document.root_element();
        if root.tag_name().name() != "LWM2M" {
            let message = format!(
                "the root element is <{}>; a definition file has <LWM2M>",
                root.tag_name().name()
            );
            self.fail(Rule::Schema, root, message);
            return Vec::new();
        }
        self.schema_location(root);
        self.check_attributes(root, &[]);
        self.check_no_text(root);
        let mut objects = Vec::new();
        for child in root.children().filter(Node::is_element) {
            if child.tag_name().name() == "Object" {
                objects.extend(self.object(child));
            } else {
                let message = format!("unknown element <{}>", child.tag_name().name());
                self.find(Rule::Schema, child, message);
            }
        }
        if objects.is_empty() && !self.findings.iter().any(|finding| finding.fatal) {
            self.fail(
                Rule::Schema,
                root,
                "no <Object>; a file defines at least one",
            );
        }
        objects
    }

    /// Checks 404 and 405.
    fn schema_location(&mut self, root: Node<'_, '_>) {
        let Some(location) = root.attribute((XSI, "noNamespaceSchemaLocation")) else {
            self.find(
                Rule::Check(404),
                root,
                "no xsi:noNamespaceSchemaLocation; name the schema the file follows",
            );
            return;
        };
        let name = ["http://", "https://"]
            .iter()
            .find_map(|scheme| location.trim().strip_prefix(scheme))
            .map(|rest| rest.strip_prefix("www.").unwrap_or(rest))
            .and_then(|rest| rest.strip_prefix("openmobilealliance.org/tech/profiles/"));
        match name {
            Some("LWM2M.xsd") => self.schema = Schema::V1_0,
            Some("LWM2M-v1_1.xsd") => self.schema = Schema::V1_1,
            _ => {
                let message = format!(
                    "unknown schema {location}; use \
                     http://www.openmobilealliance.org/tech/profiles/LWM2M-v1_1.xsd"
                );
                self.find(Rule::Check(405), root, message);
            }
        }
    }

    fn object(&mut self, node: Node<'a, 'input>) -> Option<ObjectModel> {
        self.check_attributes(node, &["ObjectType"]);
        if node.attribute("ObjectType").is_none() {
            self.find(
                Rule::Schema,
                node,
                "ObjectType is missing; write ObjectType=\"MODefinition\"",
            );
        }
        self.check_no_text(node);
        self.check_sequence(node, OBJECT);
        let name = self.text(node, "Name");
        let description = self.text(node, "Description1");
        self.check_characters(node, "Description1", 700);
        self.check_characters(node, "Description2", 705);
        let id = self.object_id(node);
        let version = self.object_version(node);
        let lwm2m_version = self.lwm2m_version(node);
        let multiple = self.flag(node, "MultipleInstances", "Multiple", "Single", 414);
        let mandatory = self.flag(node, "Mandatory", "Mandatory", "Optional", 415);
        let resources = self.resources(node);
        let object = ObjectModel {
            id: id?,
            name,
            description,
            urn: self.text(node, "ObjectURN"),
            lwm2m_version,
            version: version?,
            multiple: multiple?,
            mandatory: mandatory?,
            resources: resources?,
            description2: self.text(node, "Description2"),
        };
        self.check_urn(node, &object);
        Some(object)
    }

    fn object_id(&mut self, node: Node<'a, 'input>) -> Option<u16> {
        let Some(child) = self.child(node, "ObjectID") else {
            self.fail(Rule::Schema, node, "<ObjectID> is missing");
            return None;
        };
        let id = unsigned_short(&child.text);
        match id {
            None => {
                let message = format!("ObjectID {:?} is no number from 0 to 65535", child.text);
                self.fail(Rule::Schema, child.node, message);
            }
            Some(MAX_ID) => {
                self.fail(Rule::Sense, child.node, "object id 65535 is reserved");
                return None;
            }
            Some(_) => {}
        }
        id
    }

    fn object_version(&mut self, node: Node<'a, 'input>) -> Option<ObjectVersion> {
        let Some(child) = self.child(node, "ObjectVersion") else {
            self.find(
                Rule::Check(800),
                node,
                "<ObjectVersion> is missing, 1.0 is assumed; add it",
            );
            return Some(ObjectVersion::V1_0);
        };
        if child.text.is_empty() {
            return Some(ObjectVersion::V1_0);
        }
        match child.text.parse() {
            Ok(version) => Some(version),
            Err(_) => {
                let message = format!(
                    "ObjectVersion {:?} is no version; write major.minor, as in 1.0",
                    child.text
                );
                self.fail(Rule::Sense, child.node, message);
                None
            }
        }
    }

    fn lwm2m_version(&mut self, node: Node<'a, 'input>) -> Option<Version> {
        let Some(child) = self.child(node, "LWM2MVersion") else {
            self.find(
                Rule::Check(800),
                node,
                "<LWM2MVersion> is missing, 1.0 is assumed; add it",
            );
            return Some(Version::V1_0);
        };
        let version = child.text.parse().ok();
        if version.is_none() {
            let message = format!(
                "LWM2MVersion {:?} is no enabler version; write 1.0, 1.1 or 1.2",
                child.text
            );
            self.find(Rule::Check(403), child.node, message);
        }
        version
    }

    /// Check 210, as far as a single file goes.
    fn check_urn(&mut self, node: Node<'a, 'input>, object: &ObjectModel) {
        let expected = object.expected_urn();
        // 1.0 may be written out.
        let explicit = format!("{expected}:1.0");
        let is_explicit = object.version == ObjectVersion::V1_0 && object.urn == explicit;
        if object.urn != expected && !is_explicit {
            let at = self
                .child(node, "ObjectURN")
                .map_or(node, |child| child.node);
            let message = format!("ObjectURN is {:?}, expected {expected}", object.urn);
            self.find(Rule::Check(210), at, message);
        }
    }

    fn resources(&mut self, node: Node<'a, 'input>) -> Option<Vec<ResourceModel>> {
        let Some(child) = self.child(node, "Resources") else {
            self.fail(Rule::Schema, node, "<Resources> is missing");
            return None;
        };
        self.check_attributes(child.node, &[]);
        self.check_no_text(child.node);
        let mut resources = Vec::new();
        let mut complete = true;
        let mut any = false;
        for item in child.node.children().filter(Node::is_element) {
            if item.tag_name().name() != "Item" {
                let message = format!("unknown element <{}>", item.tag_name().name());
                self.find(Rule::Schema, item, message);
                continue;
            }
            any = true;
            match self.item(item) {
                Some(resource) => resources.push((resource, item)),
                None => complete = false,
            }
        }
        resources.sort_by_key(|(resource, _)| resource.id);
        for pair in resources.windows(2) {
            if let [(first, _), (second, item)] = pair
                && first.id == second.id
            {
                let message = format!("resource {} stands twice", second.id);
                self.fail(Rule::Sense, *item, message);
                complete = false;
            }
        }
        if !any {
            self.find(Rule::Schema, child.node, "<Resources> without an <Item>");
        }
        complete.then(|| {
            resources
                .into_iter()
                .map(|(resource, _)| resource)
                .collect()
        })
    }

    fn item(&mut self, node: Node<'a, 'input>) -> Option<ResourceModel> {
        self.check_attributes(node, &["ID"]);
        self.check_no_text(node);
        self.check_sequence(node, ITEM);
        let id = self.item_id(node);
        let name = self.text(node, "Name");
        if name.is_empty() {
            self.find(Rule::Check(410), node, "the resource has no name");
        }
        let description = self.text(node, "Description");
        if description.is_empty() {
            self.find(Rule::Check(416), node, "the resource has no description");
        }
        self.check_characters(node, "Description", 420);
        let operations = self.operations(node);
        let multiple = self.flag(node, "MultipleInstances", "Multiple", "Single", 414);
        let mandatory = self.flag(node, "Mandatory", "Mandatory", "Optional", 415);
        let (operations, multiple) = (operations?, multiple?);
        let data_type = self.data_type(node, operations, multiple)?;
        let range_text = self.text(node, "RangeEnumeration");
        if is_wrong_notation(&range_text) {
            let message = format!("range {range_text:?}; write it with two dots, as in 0..255");
            self.find(Rule::Check(418), self.at(node, "RangeEnumeration"), message);
        }
        let units = self.text(node, "Units");
        if !units.is_empty() && !is_known_unit(&units) {
            let message = format!("unit {units:?} is not registered for SenML");
            self.find(Rule::Check(417), self.at(node, "Units"), message);
        }
        Some(ResourceModel {
            id: id?,
            name,
            operations,
            multiple,
            mandatory: mandatory?,
            data_type,
            range: parse_range(&range_text),
            range_text,
            units,
            description,
        })
    }

    fn item_id(&mut self, node: Node<'a, 'input>) -> Option<u16> {
        match node.attribute("ID").map(unsigned_short) {
            Some(Some(MAX_ID)) => {
                self.fail(Rule::Sense, node, "resource id 65535 is reserved");
                None
            }
            Some(Some(id)) => Some(id),
            Some(None) => {
                self.fail(Rule::Schema, node, "ID is no number from 0 to 65535");
                None
            }
            None => {
                self.fail(Rule::Schema, node, "ID is missing; write <Item ID=\"0\">");
                None
            }
        }
    }

    fn operations(&mut self, node: Node<'a, 'input>) -> Option<Operations> {
        let Some(child) = self.child(node, "Operations") else {
            self.fail(
                Rule::Check(411),
                node,
                "<Operations> is missing; it may be empty, but must be there",
            );
            return None;
        };
        let operations = match child.text.as_str() {
            "" => Operations::None,
            "R" => Operations::R,
            "W" => Operations::W,
            "RW" => Operations::RW,
            "E" => Operations::E,
            text => {
                let message = format!("operations {text:?}; write R, W, RW, E or nothing");
                self.fail(Rule::Check(411), child.node, message);
                return None;
            }
        };
        self.check_value(&child, operations.as_str());
        Some(operations)
    }

    /// Checks 412 and 413. `None` when the type cannot be used.
    fn data_type(
        &mut self,
        node: Node<'a, 'input>,
        operations: Operations,
        multiple: bool,
    ) -> Option<Option<DataType>> {
        let at = self.at(node, "Type");
        let child = self.child(node, "Type");
        let text = child.as_ref().map_or("", |child| child.text.as_str());
        let data_type = match text {
            "" => None,
            text => {
                let Some(known) = DataType::from_name(text) else {
                    let message = format!(
                        "type {text:?}; write String, Integer, Unsigned Integer, Float, Boolean, \
                         Opaque, Time, Objlnk, Corelnk, or nothing for an executable resource"
                    );
                    self.fail(Rule::Check(412), at, message);
                    return None;
                };
                Some(known)
            }
        };
        if let Some(child) = &child {
            self.check_value(child, data_type.map_or("", DataType::name));
        }
        let is_new = matches!(data_type, Some(DataType::Unsigned | DataType::CoreLink));
        if is_new && self.schema == Schema::V1_0 {
            let message = format!("type {text} is not in LWM2M.xsd; refer to LWM2M-v1_1.xsd");
            self.find(Rule::Schema, at, message);
        }
        if !operations.is_executable() {
            if data_type.is_none() {
                self.find(
                    Rule::Check(412),
                    at,
                    "no type; only an executable resource has none",
                );
            }
            return Some(data_type);
        }
        if data_type.is_some() {
            self.find(
                Rule::Check(413),
                at,
                "an executable resource has no type; leave it empty",
            );
        }
        if multiple {
            self.find(
                Rule::Check(413),
                self.at(node, "MultipleInstances"),
                "an executable resource is Single",
            );
        }
        Some(None)
    }

    /// MultipleInstances and Mandatory.
    fn flag(
        &mut self,
        node: Node<'a, 'input>,
        name: &str,
        yes: &'static str,
        no: &'static str,
        number: u16,
    ) -> Option<bool> {
        let Some(child) = self.child(node, name) else {
            let message = format!("<{name}> is missing; write {yes} or {no}");
            self.fail(Rule::Check(number), node, message);
            return None;
        };
        let value = match child.text.as_str() {
            text if text == yes => true,
            text if text == no => false,
            text => {
                let message = format!("{name} is {text:?}; write {yes} or {no}");
                self.fail(Rule::Check(number), child.node, message);
                return None;
            }
        };
        self.check_value(&child, if value { yes } else { no });
        Some(value)
    }

    /// The schema cuts no white space around the words of an enumeration.
    fn check_value(&mut self, child: &Child<'_, '_>, value: &str) {
        if child.raw != value {
            let message = format!("white space around {value:?}; remove it");
            self.find(Rule::Schema, child.node, message);
        }
    }

    /// Checks 420, 700, 705: characters that a word processor puts in.
    fn check_characters(&mut self, node: Node<'a, 'input>, name: &str, number: u16) {
        let Some(child) = self.child(node, name) else {
            return;
        };
        let is_smart = |c: char| matches!(c, '\u{2018}'..='\u{201F}' | '\u{FFFD}');
        if let Some(found) = child.raw.chars().find(|c| is_smart(*c)) {
            let message = format!("typographic {found:?} in {name}; write ' or \"");
            self.find(Rule::Check(number), child.node, message);
        }
    }

    /// The order of elements that the schema fixes; only the first deviation is told.
    fn check_sequence(&mut self, node: Node<'_, '_>, sequence: Sequence) {
        let mut rest = sequence;
        for child in node.children().filter(Node::is_element) {
            let name = child.tag_name().name();
            while let Some(((expected, required), others)) = rest.split_first() {
                if *expected == name || *required {
                    break;
                }
                rest = others;
            }
            match rest.split_first() {
                Some(((expected, _), others)) if *expected == name => rest = others,
                next => {
                    let message = match next {
                        _ if !sequence.iter().any(|(known, _)| *known == name) => {
                            format!("unknown element <{name}>")
                        }
                        Some(((expected, _), _)) => {
                            format!("<{name}> where <{expected}> is expected")
                        }
                        None => format!("<{name}> behind the last element"),
                    };
                    self.find(Rule::Schema, child, message);
                    return;
                }
            }
        }
        if let Some((missing, _)) = rest.iter().find(|(_, required)| *required) {
            let message = format!("<{missing}> is missing");
            self.find(Rule::Schema, node, message);
        }
    }

    fn check_attributes(&mut self, node: Node<'_, '_>, known: &[&str]) {
        for attribute in node.attributes() {
            let is_known = match attribute.namespace() {
                Some(namespace) => namespace == XSI,
                None => known.contains(&attribute.name()),
            };
            if !is_known {
                let message = format!("unknown attribute {}", attribute.name());
                self.find(Rule::Schema, node, message);
            }
        }
    }

    fn check_no_text(&mut self, node: Node<'_, '_>) {
        let text = node.children().find(|child| {
            child
                .text()
                .is_some_and(|text| child.is_text() && !text.trim().is_empty())
        });
        if let Some(text) = text {
            self.find(Rule::Schema, text, "text between elements; remove it");
        }
    }

    fn child(&self, node: Node<'a, 'input>, name: &str) -> Option<Child<'a, 'input>> {
        let node = node
            .children()
            .find(|child| child.is_element() && child.tag_name().name() == name)?;
        let raw: String = node
            .descendants()
            .filter(Node::is_text)
            .filter_map(|text| text.text())
            .collect();
        Some(Child {
            node,
            text: raw.trim().to_owned(),
            raw,
        })
    }

    /// The text of a child, empty when there is none.
    fn text(&self, node: Node<'a, 'input>, name: &str) -> String {
        self.child(node, name)
            .map_or_else(String::new, |child| child.text)
    }

    /// The child, or the node itself: where to point at.
    fn at(&self, node: Node<'a, 'input>, name: &str) -> Node<'a, 'input> {
        self.child(node, name).map_or(node, |child| child.node)
    }
}

/// `xs:unsignedShort`
fn unsigned_short(text: &str) -> Option<u16> {
    let text = text.trim();
    let digits = text.strip_prefix('+').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

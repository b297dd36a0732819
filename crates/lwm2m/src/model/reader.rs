//! Walks the XML of a definition file: reads the definitions, and finds what is wrong with them.

use roxmltree::{Document, Node};

use super::common::REUSABLE;
use super::document::{Child, Sequence, Source, XSI, unsigned_short};
use super::object_list::{Entry, squeezed};
use super::range::is_wrong_notation;
use super::registry_lint::Context;
use super::xml::end_of;
use super::{Finding, ObjectModel, Position, ResourceModel, Rule, parse_range};
use crate::definition::Operations;
use crate::{DataType, MAX_ID, ObjectVersion, Version};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Schema {
    V1_0,
    V1_1,
}

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

pub(super) struct Reader<'a, 'input> {
    source: Source<'a, 'input>,
    schema: Schema,
    context: &'a Context<'a>,
}

impl<'a, 'input> Reader<'a, 'input> {
    /// The definitions of a document, and what is wrong with it. A definition with a fatal
    /// finding is left out.
    pub(super) fn read(
        document: &'a Document<'input>,
        text: &str,
        context: &'a Context<'a>,
    ) -> (Vec<ObjectModel>, Vec<Finding>) {
        let mut reader = Self {
            source: Source::new(document),
            schema: Schema::V1_1,
            context,
        };
        reader.check_bytes(text);
        let objects = reader.file();
        (objects, reader.source.findings)
    }

    /// Checks 406 to 408: how the bytes are laid out.
    fn check_bytes(&mut self, text: &str) {
        let mut add = |number, position, message: &str| {
            self.source.findings.push(Finding {
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
        let root = self.source.root();
        if root.tag_name().name() != "LWM2M" {
            let message = format!(
                "the root element is <{}>; a definition file has <LWM2M>",
                root.tag_name().name()
            );
            self.source.fail(Rule::Schema, root, message);
            return Vec::new();
        }
        self.schema_location(root);
        self.source.check_attributes(root, &[]);
        self.source.check_no_text(root);
        let mut objects = Vec::new();
        for child in root.children().filter(Node::is_element) {
            if child.tag_name().name() == "Object" {
                objects.extend(self.object(child));
            } else {
                let message = format!("unknown element <{}>", child.tag_name().name());
                self.source.find(Rule::Schema, child, message);
            }
        }
        if objects.is_empty() && !self.source.findings.iter().any(|finding| finding.fatal) {
            self.source.fail(
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
            self.source.find(
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
                self.source.find(Rule::Check(405), root, message);
            }
        }
    }

    fn object(&mut self, node: Node<'a, 'input>) -> Option<ObjectModel> {
        self.source.check_attributes(node, &["ObjectType"]);
        if node.attribute("ObjectType").is_none() {
            self.source.find(
                Rule::Schema,
                node,
                "ObjectType is missing; write ObjectType=\"MODefinition\"",
            );
        }
        self.source.check_no_text(node);
        self.source.check_sequence(node, OBJECT);
        let name = self.source.text(node, "Name");
        let description = self.source.text(node, "Description1");
        self.source.check_characters(node, "Description1", 700);
        self.source.check_characters(node, "Description2", 705);
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
            urn: self.source.text(node, "ObjectURN"),
            lwm2m_version,
            version: version?,
            multiple: multiple?,
            mandatory: mandatory?,
            resources: resources?,
            description2: self.source.text(node, "Description2"),
        };
        self.check_urn(node, &object);
        self.check_listed(node, &object);
        Some(object)
    }

    fn object_id(&mut self, node: Node<'a, 'input>) -> Option<u16> {
        let Some(child) = self.source.child(node, "ObjectID") else {
            self.source
                .fail(Rule::Schema, node, "<ObjectID> is missing");
            return None;
        };
        let id = unsigned_short(&child.text);
        match id {
            None => {
                let message = format!("ObjectID {:?} is no number from 0 to 65535", child.text);
                self.source.fail(Rule::Schema, child.node, message);
            }
            Some(MAX_ID) => {
                self.source
                    .fail(Rule::Sense, child.node, "object id 65535 is reserved");
                return None;
            }
            Some(_) => {}
        }
        id
    }

    fn object_version(&mut self, node: Node<'a, 'input>) -> Option<ObjectVersion> {
        let Some(child) = self.source.child(node, "ObjectVersion") else {
            self.source.find(
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
                self.source.fail(Rule::Sense, child.node, message);
                None
            }
        }
    }

    fn lwm2m_version(&mut self, node: Node<'a, 'input>) -> Option<Version> {
        let Some(child) = self.source.child(node, "LWM2MVersion") else {
            self.source.find(
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
            self.source.find(Rule::Check(403), child.node, message);
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
                .source
                .child(node, "ObjectURN")
                .map_or(node, |child| child.node);
            let message = format!("ObjectURN is {:?}, expected {expected}", object.urn);
            self.source.find(Rule::Check(210), at, message);
        }
    }

    /// Checks 400 to 402: what the list of a registry says of this version.
    fn check_listed(&mut self, node: Node<'a, 'input>, object: &ObjectModel) {
        let context = self.context;
        let listed: Vec<&Entry> = context
            .list
            .iter()
            .filter(|entry| entry.version == Some(object.version))
            .collect();
        let Some(entry) = listed.iter().find(|entry| entry.id == object.id) else {
            // An object of its own is not listed yet; one that has another's URN or name is
            // mistaken about its id.
            let same = listed.iter().find(|entry| entry.urn == object.urn);
            if let Some(entry) = same {
                let at = self.source.at(node, "ObjectID");
                let message = format!(
                    "ObjectID is {}, the list has {} for this URN",
                    object.id, entry.id
                );
                self.source.find(Rule::Check(400), at, message);
            }
            return;
        };
        for (found, expected, name, number) in [
            (&object.urn, &entry.urn, "ObjectURN", 401),
            (&object.name, &entry.name, "Name", 402),
        ] {
            if found != expected {
                let at = self.source.at(node, name);
                let message = format!("{name} is {found:?}, the list has {expected:?}");
                self.source.find(Rule::Check(number), at, message);
            }
        }
    }

    /// Checks 450 and 460 to 465: a reusable resource is the same in all objects.
    fn check_reusable(&mut self, node: Node<'a, 'input>, id: u16) {
        let Some(common) = self.context.common.filter(|_| REUSABLE.contains(&id)) else {
            return;
        };
        let Some(resource) = common.get(&id) else {
            let message = format!("resource {id} is not in Common.xml; use an id below 2048");
            self.source.find(Rule::Check(450), node, message);
            return;
        };
        for (name, registered, number) in [
            ("Name", &resource.name, 460),
            ("Operations", &resource.operations, 461),
            ("Type", &resource.data_type, 462),
            ("RangeEnumeration", &resource.range, 463),
            ("Units", &resource.units, 464),
            ("Description", &resource.description, 465),
        ] {
            let found = self.source.text(node, name);
            if squeezed(&found) != squeezed(registered) {
                let at = self.source.at(node, name);
                let message = if name == "Description" {
                    format!("the description of resource {id} differs from the registered one")
                } else {
                    format!("{name} of resource {id} is {found:?}, registered is {registered:?}")
                };
                self.source.find(Rule::Check(number), at, message);
            }
        }
    }

    fn resources(&mut self, node: Node<'a, 'input>) -> Option<Vec<ResourceModel>> {
        let Some(child) = self.source.child(node, "Resources") else {
            self.source
                .fail(Rule::Schema, node, "<Resources> is missing");
            return None;
        };
        self.source.check_attributes(child.node, &[]);
        self.source.check_no_text(child.node);
        let mut resources = Vec::new();
        let mut complete = true;
        let mut any = false;
        for item in child.node.children().filter(Node::is_element) {
            if item.tag_name().name() != "Item" {
                let message = format!("unknown element <{}>", item.tag_name().name());
                self.source.find(Rule::Schema, item, message);
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
                let rule = if REUSABLE.contains(&second.id) {
                    Rule::Check(451)
                } else {
                    Rule::Sense
                };
                let message = format!("resource {} stands twice", second.id);
                self.source.fail(rule, *item, message);
                complete = false;
            }
        }
        if !any {
            self.source
                .find(Rule::Schema, child.node, "<Resources> without an <Item>");
        }
        complete.then(|| {
            resources
                .into_iter()
                .map(|(resource, _)| resource)
                .collect()
        })
    }

    fn item(&mut self, node: Node<'a, 'input>) -> Option<ResourceModel> {
        self.source.check_attributes(node, &["ID"]);
        self.source.check_no_text(node);
        self.source.check_sequence(node, ITEM);
        let id = self.item_id(node);
        if let Some(id) = id {
            self.check_reusable(node, id);
        }
        let name = self.source.text(node, "Name");
        if name.is_empty() {
            self.source
                .find(Rule::Check(410), node, "the resource has no name");
        }
        let description = self.source.text(node, "Description");
        if description.is_empty() {
            self.source
                .find(Rule::Check(416), node, "the resource has no description");
        }
        self.source.check_characters(node, "Description", 420);
        let operations = self.operations(node);
        let multiple = self.flag(node, "MultipleInstances", "Multiple", "Single", 414);
        let mandatory = self.flag(node, "Mandatory", "Mandatory", "Optional", 415);
        let (operations, multiple) = (operations?, multiple?);
        let data_type = self.data_type(node, operations, multiple)?;
        let range_text = self.source.text(node, "RangeEnumeration");
        if is_wrong_notation(&range_text) {
            let message = format!("range {range_text:?}; write it with two dots, as in 0..255");
            self.source.find(
                Rule::Check(418),
                self.source.at(node, "RangeEnumeration"),
                message,
            );
        }
        let units = self.source.text(node, "Units");
        if !units.is_empty() && !self.context.units.contains(&units) {
            let message = format!("unit {units:?} is not registered for SenML");
            self.source
                .find(Rule::Check(417), self.source.at(node, "Units"), message);
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
                self.source
                    .fail(Rule::Sense, node, "resource id 65535 is reserved");
                None
            }
            Some(Some(id)) => Some(id),
            Some(None) => {
                self.source
                    .fail(Rule::Schema, node, "ID is no number from 0 to 65535");
                None
            }
            None => {
                self.source
                    .fail(Rule::Schema, node, "ID is missing; write <Item ID=\"0\">");
                None
            }
        }
    }

    fn operations(&mut self, node: Node<'a, 'input>) -> Option<Operations> {
        let Some(child) = self.source.child(node, "Operations") else {
            self.source.fail(
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
                self.source.fail(Rule::Check(411), child.node, message);
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
        let at = self.source.at(node, "Type");
        let child = self.source.child(node, "Type");
        let text = child.as_ref().map_or("", |child| child.text.as_str());
        let data_type = match text {
            "" => None,
            text => {
                let Some(known) = DataType::from_name(text) else {
                    let message = format!(
                        "type {text:?}; write String, Integer, Unsigned Integer, Float, Boolean, \
                         Opaque, Time, Objlnk, Corelnk, or nothing for an executable resource"
                    );
                    self.source.fail(Rule::Check(412), at, message);
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
            self.source.find(Rule::Schema, at, message);
        }
        if !operations.is_executable() {
            if data_type.is_none() {
                self.source.find(
                    Rule::Check(412),
                    at,
                    "no type; only an executable resource has none",
                );
            }
            return Some(data_type);
        }
        if data_type.is_some() {
            self.source.find(
                Rule::Check(413),
                at,
                "an executable resource has no type; leave it empty",
            );
        }
        if multiple {
            self.source.find(
                Rule::Check(413),
                self.source.at(node, "MultipleInstances"),
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
        let Some(child) = self.source.child(node, name) else {
            let message = format!("<{name}> is missing; write {yes} or {no}");
            self.source.fail(Rule::Check(number), node, message);
            return None;
        };
        let value = match child.text.as_str() {
            text if text == yes => true,
            text if text == no => false,
            text => {
                let message = format!("{name} is {text:?}; write {yes} or {no}");
                self.source.fail(Rule::Check(number), child.node, message);
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
            self.source.find(Rule::Schema, child.node, message);
        }
    }
}

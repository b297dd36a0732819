//! `Common.xml`: the resources that objects share (Core 1.2 Appendix D.2.2).

use std::collections::BTreeMap;

use roxmltree::Node;

use super::document::{Source, unsigned_short};
use super::range::is_wrong_notation;
use super::units::Units;
use super::xml::with_document;
use super::{Finding, Rule};
use crate::DataType;

/// The ids of reusable resources.
pub(super) const REUSABLE: core::ops::RangeInclusive<u16> = 2048..=26240;

/// A reusable resource as the file has it. An object that has it may choose its multiplicity and
/// whether it is mandatory, and nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReusableResource {
    pub(super) name: String,
    pub(super) operations: String,
    pub(super) data_type: String,
    pub(super) range: String,
    pub(super) units: String,
    pub(super) description: String,
}

/// The reusable resources by id.
pub(super) type CommonResources = BTreeMap<u16, ReusableResource>;

/// Reads the file, and finds what is wrong with it (faults 022, 032, 5xx, 6xx).
pub(super) fn read(xml: &[u8], units: &Units) -> (CommonResources, Vec<Finding>) {
    let read = with_document(xml, |document, _| {
        let mut reader = Reader {
            source: Source::new(document),
            units,
            resources: CommonResources::new(),
        };
        reader.file();
        (reader.resources, reader.source.findings)
    });
    read.unwrap_or_else(|finding| {
        let finding = Finding {
            rule: Rule::Check(22),
            ..finding
        };
        (CommonResources::new(), vec![finding])
    })
}

struct Reader<'a, 'input> {
    source: Source<'a, 'input>,
    units: &'a Units,
    resources: CommonResources,
}

impl<'a, 'input> Reader<'a, 'input> {
    fn file(&mut self) {
        let root = self.source.root();
        let items: Vec<_> = root
            .descendants()
            .filter(|node| node.is_element() && node.tag_name().name() == "Item")
            .collect();
        if root.tag_name().name() != "LWM2M" {
            let message = "the root element is not <LWM2M>";
            self.source.fail(Rule::Check(22), root, message);
        }
        if items.is_empty() {
            let message = "no <Item>: there is no reusable resource";
            self.source.fail(Rule::Check(32), root, message);
        }
        for item in items {
            self.item(item);
        }
    }

    fn item(&mut self, node: Node<'a, 'input>) {
        const KNOWN: [&str; 9] = [
            "Name",
            "Operations",
            "Type",
            "RangeEnumeration",
            "Units",
            "Submitter",
            "Description",
            "TS",
            "TSLink",
        ];
        let unknown = node
            .children()
            .find(|child| child.is_element() && !KNOWN.contains(&child.tag_name().name()));
        if let Some(unknown) = unknown {
            let message = format!("unknown element <{}>", unknown.tag_name().name());
            self.source.find(Rule::Check(22), unknown, message);
        }
        let Some(id) = node.attribute("ID").and_then(unsigned_short) else {
            let message = "ID is no number from 0 to 65535";
            self.source.fail(Rule::Check(22), node, message);
            return;
        };
        if !REUSABLE.contains(&id) {
            let message = format!("resource {id} is not within 2048 to 26240");
            self.source.find(Rule::Check(501), node, message);
        }
        let text = |name| self.source.text(node, name);
        let resource = ReusableResource {
            name: text("Name"),
            operations: text("Operations"),
            data_type: text("Type"),
            range: text("RangeEnumeration"),
            units: text("Units"),
            description: text("Description"),
        };
        let link = text("TSLink");
        self.check(node, &resource);
        self.source.check_link(node, "TSLink", &link, (590, 591));
        for (name, number) in [
            ("Name", 601),
            ("Description", 602),
            ("TSLink", 603),
            ("Operations", 604),
            ("TS", 605),
        ] {
            self.source.check_characters(node, name, number);
        }
        if self.resources.insert(id, resource).is_some() {
            let message = format!("resource {id} stands twice; remove one");
            self.source.find(Rule::Check(500), node, message);
        }
    }

    fn check(&mut self, node: Node<'a, 'input>, resource: &ReusableResource) {
        let mut find = |number, name, message: String| {
            let at = self.source.at(node, name);
            self.source.find(Rule::Check(number), at, message);
        };
        if resource.name.is_empty() {
            find(510, "Name", "the resource has no name".to_owned());
        }
        let operations = resource.operations.as_str();
        if !matches!(operations, "" | "R" | "W" | "RW" | "E") {
            let message = format!("operations {operations:?}; write R, W, RW, E or nothing");
            find(520, "Operations", message);
        }
        let data_type = resource.data_type.as_str();
        if operations == "E" {
            if !data_type.is_empty() {
                let message = "an executable resource has no type; leave it empty";
                find(531, "Type", message.to_owned());
            }
        } else if DataType::from_name(data_type).is_none()
            // An id that is only taken has neither operations nor type.
            && !(operations.is_empty() && data_type.is_empty())
        {
            let message = format!("type {data_type:?} is none of those of the schema");
            find(530, "Type", message);
        }
        if is_wrong_notation(&resource.range) {
            let range = &resource.range;
            let message = format!("range {range:?}; write it with two dots, as in 0..255");
            find(541, "RangeEnumeration", message);
        }
        if !resource.units.is_empty() && !self.units.contains(&resource.units) {
            let message = format!("unit {:?} is not registered for SenML", resource.units);
            find(551, "Units", message);
        }
        if resource.description.is_empty() {
            find(
                570,
                "Description",
                "the resource has no description".to_owned(),
            );
        }
    }
}

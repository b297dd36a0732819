//! An XML document that is being checked: its elements by name, and what is wrong, by place.

use roxmltree::{Document, Node};

use super::{Finding, Position, Rule};

/// The most findings that are listed.
const MAX_FINDINGS: usize = 1000;

pub(super) const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// Children in the order of the schema, and whether each must be there.
pub(super) type Sequence = &'static [(&'static str, bool)];

/// An element by its name, with its text.
pub(super) struct Child<'a, 'input> {
    pub(super) node: Node<'a, 'input>,
    /// White space around it is cut off; the schema cuts nothing.
    pub(super) text: String,
    pub(super) raw: String,
}

pub(super) struct Source<'a, 'input> {
    document: &'a Document<'input>,
    /// Where each line starts, in bytes.
    lines: Vec<usize>,
    pub(super) findings: Vec<Finding>,
}

impl<'a, 'input> Source<'a, 'input> {
    pub(super) fn new(document: &'a Document<'input>) -> Self {
        let text = document.input_text();
        Self {
            document,
            lines: std::iter::once(0)
                .chain(text.match_indices('\n').map(|(index, _)| index + 1))
                .collect(),
            findings: Vec::new(),
        }
    }

    pub(super) fn root(&self) -> Node<'a, 'input> {
        self.document.root_element()
    }

    pub(super) fn find(&mut self, rule: Rule, node: Node<'_, '_>, message: impl Into<String>) {
        self.add(rule, node, message.into(), false);
    }

    /// For what makes the definition unusable.
    pub(super) fn fail(&mut self, rule: Rule, node: Node<'_, '_>, message: impl Into<String>) {
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

    /// Checks 420, 700, 705: characters that a word processor puts in.
    pub(super) fn check_characters(&mut self, node: Node<'a, 'input>, name: &str, number: u16) {
        let Some(child) = self.child(node, name) else {
            return;
        };
        let is_smart = |c: char| matches!(c, '\u{2018}'..='\u{201F}' | '\u{FFFD}');
        if let Some(found) = child.raw.chars().find(|c| is_smart(*c)) {
            let message = format!("typographic {found:?} in {name}; write ' or \"");
            self.find(Rule::Check(number), child.node, message);
        }
    }

    /// Checks that an element that says whether a link is shown is there and 0 or 1.
    pub(super) fn check_link(
        &mut self,
        node: Node<'a, 'input>,
        name: &str,
        value: &str,
        (missing, wrong): (u16, u16),
    ) {
        let Some(child) = self.child(node, name) else {
            let message = format!("<{name}> is missing; write 0 or 1");
            self.find(Rule::Check(missing), node, message);
            return;
        };
        if !matches!(value, "0" | "1") {
            let message = format!("{name} is {value:?}; write 0 or 1");
            self.find(Rule::Check(wrong), child.node, message);
        }
    }

    /// The order of elements that the schema fixes; only the first deviation is told.
    pub(super) fn check_sequence(&mut self, node: Node<'_, '_>, sequence: Sequence) {
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

    pub(super) fn check_attributes(&mut self, node: Node<'_, '_>, known: &[&str]) {
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

    pub(super) fn check_no_text(&mut self, node: Node<'_, '_>) {
        let text = node.children().find(|child| {
            child
                .text()
                .is_some_and(|text| child.is_text() && !text.trim().is_empty())
        });
        if let Some(text) = text {
            self.find(Rule::Schema, text, "text between elements; remove it");
        }
    }

    pub(super) fn child(&self, node: Node<'a, 'input>, name: &str) -> Option<Child<'a, 'input>> {
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
    pub(super) fn text(&self, node: Node<'a, 'input>, name: &str) -> String {
        self.child(node, name)
            .map_or_else(String::new, |child| child.text)
    }

    /// The child, or the node itself: where to point at.
    pub(super) fn at(&self, node: Node<'a, 'input>, name: &str) -> Node<'a, 'input> {
        self.child(node, name).map_or(node, |child| child.node)
    }
}

/// `xs:unsignedShort`
pub(super) fn unsigned_short(text: &str) -> Option<u16> {
    let text = text.trim();
    let digits = text.strip_prefix('+').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

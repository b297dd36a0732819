//! Names as Rust writes them, made of the names people gave.

use std::collections::BTreeSet;

use super::ObjectModel;

/// Identifiers longer than this end at the word before.
const LONGEST: usize = 60;

/// What no identifier may be: keywords of all editions, and names that generated code uses.
const TAKEN: &[&str] = &[
    "abstract",
    "actions",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "id",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "new",
    "override",
    "priv",
    "pub",
    "ref",
    "return",
    "self",
    "static",
    "struct",
    "super",
    "this",
    "trait",
    "true",
    "try",
    "type",
    "typeof",
    "union",
    "unsafe",
    "unsized",
    "use",
    "virtual",
    "where",
    "while",
    "with_actions",
    "written",
    "yield",
];

/// Types that generated code uses under these names.
const TAKEN_TYPES: &[&str] = &[
    "A",
    "Arguments",
    "Clone",
    "Code",
    "DataType",
    "Debug",
    "Default",
    "Err",
    "Multiple",
    "None",
    "ObjectDefinition",
    "ObjectLink",
    "ObjectVersion",
    "Ok",
    "Operations",
    "Option",
    "PartialEq",
    "ResourceDefinition",
    "Result",
    "Self",
    "Some",
    "String",
    "Vec",
];

/// The words of a name: runs of ASCII letters and digits, and `ExtDevInfo` has three.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut is_new = true;
    let mut is_lower = false;
    for c in name.chars() {
        if !c.is_ascii_alphanumeric() {
            (is_new, is_lower) = (true, false);
            continue;
        }
        if is_new || (is_lower && c.is_ascii_uppercase()) {
            words.push(String::new());
        }
        (is_new, is_lower) = (false, c.is_ascii_lowercase());
        if let Some(word) = words.last_mut() {
            word.push(c.to_ascii_lowercase());
        }
    }
    words
}

fn snake(name: &str, prefix: &str) -> String {
    let mut out = String::new();
    for word in words(name) {
        if out.is_empty() {
            if word.starts_with(|c: char| c.is_ascii_digit()) {
                out.push_str(prefix);
                out.push('_');
            }
        } else if out.len() + word.len() >= LONGEST {
            break;
        } else {
            out.push('_');
        }
        out.push_str(word.get(..LONGEST).unwrap_or(&word));
    }
    out
}

/// "LWM2M Security" and "LwM2M Server" are `Security` and `Server`.
fn without_lwm2m(name: &str) -> &str {
    let name = name.trim();
    match name.split_once(' ') {
        Some((first, rest)) if first.eq_ignore_ascii_case("lwm2m") => rest,
        _ => name,
    }
}

/// The name of a `static` for an object: its name in capitals, as in `ON_OFF_SWITCH`, without
/// `LwM2M`.
pub fn constant_name(object: &ObjectModel) -> String {
    let name = snake(without_lwm2m(&object.name), "object").to_ascii_uppercase();
    if name.is_empty() {
        format!("OBJECT_{}", object.id)
    } else {
        name
    }
}

/// The name of an object's struct: `OnOffSwitch`.
pub(super) fn type_name(object: &ObjectModel) -> String {
    let snake = constant_name(object).to_ascii_lowercase();
    let mut name = String::new();
    for word in snake.split('_') {
        let mut characters = word.chars();
        name.extend(characters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(characters.as_str());
    }
    if TAKEN_TYPES.contains(&name.as_str()) {
        name.push_str("Object");
    }
    name
}

/// A name for the module of each object, `on_off_switch`, no two alike.
pub fn module_names<'a>(objects: impl IntoIterator<Item = &'a ObjectModel>) -> Vec<String> {
    let mut used = BTreeSet::new();
    objects
        .into_iter()
        .map(|object| {
            let name = free(constant_name(object).to_ascii_lowercase());
            let version = object.version;
            let long = format!("{name}_{}_{}_{}", object.id, version.major, version.minor);
            unique([name, long], &mut used)
        })
        .collect()
}

/// A name for each resource, `closing_delay`, no two alike.
pub(super) fn resource_names<'a>(
    resources: impl IntoIterator<Item = (u16, &'a str)>,
) -> Vec<String> {
    let mut used = BTreeSet::new();
    resources
        .into_iter()
        .map(|(id, name)| {
            let name = match snake(name, "resource") {
                name if name.is_empty() => format!("resource_{id}"),
                name => free(name),
            };
            let long = format!("{name}_{id}");
            unique([name, long], &mut used)
        })
        .collect()
}

fn free(mut name: String) -> String {
    if TAKEN.contains(&name.as_str()) {
        name.push('_');
    }
    name
}

/// The first candidate that is not used, or the last with a number.
fn unique<const N: usize>(candidates: [String; N], used: &mut BTreeSet<String>) -> String {
    let last = candidates.last().cloned().unwrap_or_default();
    let numbered = (2_u32..).map(|number| format!("{last}_{number}"));
    let name = candidates
        .into_iter()
        .chain(numbered)
        .find(|name| !used.contains(name))
        .unwrap_or_default();
    used.insert(name.clone());
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources(names: &[&str]) -> Vec<String> {
        resource_names((0..).zip(names.iter().copied()))
    }

    #[test]
    fn lists_are_sorted() {
        assert!(TAKEN.is_sorted());
        assert!(TAKEN_TYPES.is_sorted());
    }

    #[test]
    fn resource_names_are_identifiers() {
        assert_eq!(
            resources(&[
                "Min Measured Value",
                "On/Off",
                "type",
                "Self",
                "3G Cell-ID",
                "°C",
                "",
                "PM2.5",
                "gen",
            ]),
            [
                "min_measured_value",
                "on_off",
                "type_",
                "self_",
                "resource_3g_cell_id",
                "c",
                "resource_6",
                "pm2_5",
                "gen_",
            ]
        );
    }

    #[test]
    fn equal_names_get_their_ids() {
        assert_eq!(
            resources(&["State", "state", "STATE!", "state 1"]),
            ["state", "state_1", "state_2", "state_1_3"]
        );
    }

    #[test]
    fn long_names_end_at_a_word() {
        let long = "word ".repeat(100);
        let names = resources(&[&long, &long, &"x".repeat(500)]);
        assert_eq!(names[0].len(), 59);
        assert!(names[0].ends_with("_word"));
        assert_eq!(names[1], format!("{}_1", names[0]));
        assert_eq!(names[2].len(), LONGEST);
    }
}

//! Words of others on the way to the terminal.

use serde_json::Value;

/// The text with everything that would move the cursor or speak to the terminal as an escape:
/// names, values and diagnostics are the words of devices and servers.
pub(crate) fn shown(text: &str) -> String {
    text.chars().fold(String::new(), |mut shown, character| {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
        shown
    })
}

/// Written JSON that is safe to look at. JSON itself escapes control characters below U+0020 only;
/// U+009B alone begins a control sequence as well. They can stand inside of strings only, where an
/// escape means the same.
pub(crate) fn json(value: &Value, pretty: bool) -> String {
    let text = if pretty {
        format!("{value:#}")
    } else {
        value.to_string()
    };
    text.chars().fold(String::new(), |mut shown, character| {
        if matches!(character, '\u{7f}'..='\u{9f}') {
            shown += &format!("\\u{:04x}", u32::from(character));
        } else {
            shown.push(character);
        }
        shown
    })
}

/// Rows in columns as wide as their widest cell.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let line: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text += line.join("  ").trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn control_characters_are_shown_and_not_obeyed() {
        assert_eq!(shown("\u{1b}[2Jä\n\u{9b}x"), "\\u{1b}[2Jä\\n\\u{9b}x");
    }

    #[test]
    fn json_keeps_its_meaning_and_says_nothing_to_the_terminal() {
        let value = json!({"value": "\u{1b}[2J\u{7f}\u{80}\u{9b}2J\u{9f}\u{a0}ä"});
        for pretty in [false, true] {
            let text = json(&value, pretty);
            let obeyed = |character: char| character.is_control() && character != '\n';
            assert!(!text.contains(obeyed), "{text:?}");
            assert!(text.contains("\\u009b2J\\u009f\u{a0}ä"), "{text:?}");
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }
}

//! Text that people wrote, as documentation comments.

/// Comment lines end before this column.
const WIDTH: usize = 98;

/// Writes text as a documentation comment whose lines begin with `start`, such as `    ///`.
/// Each line of the text is a paragraph.
pub(super) fn write(source: &mut String, start: &str, text: &str) {
    let mut is_first = true;
    for paragraph in text.lines().filter(|line| !line.trim().is_empty()) {
        if !is_first {
            source.push_str(start);
            source.push('\n');
        }
        is_first = false;
        wrap(source, start, paragraph);
    }
}

fn wrap(source: &mut String, start: &str, paragraph: &str) {
    let mut column = 0;
    for word in paragraph.split_whitespace() {
        let word = escape(word);
        let length = word.chars().count();
        if column == 0 || column + 1 + length > WIDTH {
            if column != 0 {
                source.push('\n');
            }
            source.push_str(start);
            source.push(' ');
            let word = escape_start(&word);
            source.push_str(&word);
            column = start.chars().count() + 1 + word.chars().count();
        } else {
            source.push(' ');
            source.push_str(&word);
            column += 1 + length;
        }
    }
    if column != 0 {
        source.push('\n');
    }
}

/// A word without what Markdown, rustdoc or the compiler would take for something else.
pub(super) fn escape(word: &str) -> String {
    let mut out = String::new();
    for c in word.chars() {
        match c {
            '[' | ']' | '<' | '>' | '`' | '*' | '_' | '\\' | '|' | '~' | '&' => {
                out.push('\\');
                out.push(c);
            }
            // A bare address would be a lint of rustdoc.
            ':' if word.contains("://") => out.push_str("\\:"),
            // What turns the direction of text is refused in comments by the compiler.
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// A word at the start of a line is no list, heading or rule.
fn escape_start(word: &str) -> String {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    match word.as_bytes().get(digits) {
        Some(b'.' | b')') if digits > 0 && word.len() == digits + 1 => {
            let (number, mark) = word.split_at(digits);
            format!("{number}\\{mark}")
        }
        Some(b'#' | b'-' | b'+' | b'=') if digits == 0 => format!("\\{word}"),
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn comment(text: &str) -> String {
        let mut source = String::new();
        write(&mut source, "///", text);
        source
    }

    #[test]
    fn lines_are_paragraphs() {
        assert_eq!(
            comment("  One \t two\r\n\r\n  three\n"),
            "/// One two\n///\n/// three\n"
        );
        assert_eq!(comment(""), "");
    }

    #[test]
    fn long_lines_are_wrapped() {
        let text = comment(&"word ".repeat(40));
        assert_eq!(text.lines().count(), 3);
        for line in text.lines() {
            assert!(line.len() <= 98 && line.starts_with("/// word"), "{line}");
        }
        let unbroken = "x".repeat(200);
        assert_eq!(comment(&unbroken), format!("/// {unbroken}\n"));
    }

    #[test]
    fn nothing_is_taken_for_markup() {
        assert_eq!(
            comment("- a [b] <c> `d` http://e *f"),
            "/// \\- a \\[b\\] \\<c\\> \\`d\\` http\\://e \\*f\n"
        );
        assert_eq!(comment("1. a"), "/// 1\\. a\n");
        assert_eq!(comment("1.5 a"), "/// 1.5 a\n");
        assert_eq!(comment("# a"), "/// \\# a\n");
        assert_eq!(comment("a\u{202E}b\u{0}c */ d"), "/// abc \\*/ d\n");
    }
}

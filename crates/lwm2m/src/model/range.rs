use crate::definition::Range;

/// Reads the content of RangeEnumeration as the range that every legal value lies in.
///
/// `0..255` is what the template asks for; the published files also have `0-255`, `0..255 bytes`,
/// `1...15`, and lists such as `0..247, 255`, of which the outer bounds are taken. A single number
/// (`6`, `8-Bits`) may be a length or a maximum, so it and everything else is no range.
///
/// ```
/// use dunlin_lwm2m::{definition::Range, model::parse_range};
/// assert_eq!(parse_range("-110..-48"), Some(Range { min: -110.0, max: -48.0 }));
/// assert_eq!(parse_range("ON;OFF"), None);
/// ```
pub fn parse_range(text: &str) -> Option<Range> {
    let text = text.trim();
    let text = ["bytes", "byte", "chars", "characters"]
        .iter()
        .find_map(|unit| {
            let (rest, end) = text.split_at_checked(text.len().checked_sub(unit.len())?)?;
            end.eq_ignore_ascii_case(unit).then_some(rest)
        })
        .unwrap_or(text)
        .trim_end();
    let mut items = text.split([',', ';']).map(|item| parse_item(item.trim()));
    let first = items.next()??;
    let mut range = first.range;
    let mut single = first.single;
    for item in items {
        let item = item?;
        range.min = range.min.min(item.range.min);
        range.max = range.max.max(item.range.max);
        single = false;
    }
    (!single).then_some(range)
}

/// Whether the text is a range in another notation than `a..b` (check 418).
pub(super) fn is_wrong_notation(text: &str) -> bool {
    if text.contains("..") {
        return false;
    }
    let has_word_to = text
        .split_ascii_whitespace()
        .skip(1)
        .any(|word| word == "to");
    let has_dash = text.as_bytes().windows(3).any(|window| {
        matches!(window, [before, b'-', after] if before.is_ascii_digit() && after.is_ascii_digit())
    });
    has_word_to || has_dash
}

struct Item {
    range: Range,
    single: bool,
}

fn parse_item(text: &str) -> Option<Item> {
    if let Some((min, max)) = text.split_once("..") {
        let max = max.strip_prefix('.').unwrap_or(max);
        return range(number(min)?, number(max)?);
    }
    if let Some((min, max)) = text.split_once(" to ") {
        return range(number(min)?, number(max)?);
    }
    if let Some(value) = number(text) {
        return Some(Item {
            range: Range {
                min: value,
                max: value,
            },
            single: true,
        });
    }
    let (min, max) = dashed(text)?;
    range(min, max)
}

/// `a-b`, where a dash may also be the sign of `a` or `b`. Words behind the numbers (`0-255 bytes`)
/// do not count.
fn dashed(text: &str) -> Option<(f64, f64)> {
    let text = text.split_ascii_whitespace().next()?;
    let dash = text.char_indices().skip(1).find(|(_, c)| *c == '-')?.0;
    let (min, max) = text.split_at(dash);
    Some((number(min)?, number(max.strip_prefix('-')?)?))
}

fn range(min: f64, max: f64) -> Option<Item> {
    (min <= max).then_some(Item {
        range: Range { min, max },
        single: false,
    })
}

/// `["-" / "+"] 1*DIGIT ["." 1*DIGIT]`
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let well_formed = digits
        .split('.')
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    if !well_formed || digits.split('.').count() > 2 {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_forms_that_are_published() {
        for (text, min, max) in [
            ("0..255", 0.0, 255.0),
            (" 0 .. 255 ", 0.0, 255.0),
            ("-110..-48", -110.0, -48.0),
            ("-90.0..90.5", -90.0, 90.5),
            ("0..255 bytes", 0.0, 255.0),
            ("1..32 chars", 1.0, 32.0),
            ("1..64 Bytes", 1.0, 64.0),
            ("1...15", 1.0, 15.0),
            ("0-255 bytes", 0.0, 255.0),
            ("1-65534", 1.0, 65534.0),
            ("-5-3", -5.0, 3.0),
            ("0 to 100", 0.0, 100.0),
            ("10,26", 10.0, 26.0),
            ("5, 10, 15", 5.0, 15.0),
            ("16,32,48", 16.0, 48.0),
            ("0..247, 255", 0.0, 255.0),
            ("0; 3.8..20.5", 0.0, 20.5),
        ] {
            assert_eq!(parse_range(text), Some(Range { min, max }), "{text}");
        }
    }

    #[test]
    fn everything_else_is_no_range() {
        for text in [
            "",
            "6",
            "6 bytes",
            "8-Bits",
            "16-bit",
            "255",
            "ON;OFF",
            "<7 to >12.5",
            "5..1",
            "..",
            "1..",
            "..5",
            "a..b",
            "0: RELEASED\n1: PRESSED",
            "1..2..3",
            ",",
            "1,,2",
            "nan..1",
        ] {
            assert_eq!(parse_range(text), None, "{text:?}");
        }
    }

    #[test]
    fn tells_wrong_notation() {
        for text in [
            "0-255 bytes",
            "16-32-48 bytes",
            "1-65534",
            "<7 to >12.5",
            "0 to 3",
            "0-4",
        ] {
            assert!(is_wrong_notation(text), "{text}");
        }
        for text in [
            "", "0..255", "-5..-1", "8-Bits", "16-bit", "10,26", "-5", "ON;OFF",
        ] {
            assert!(!is_wrong_notation(text), "{text}");
        }
    }
}

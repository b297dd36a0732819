//! Execute arguments (Core 1.2 §6.3.5).

/// The arguments of an Execute, checked: `0='U'`, `5`, `2='10.3',3`.
///
/// ```
/// use dunlin_client::Arguments;
/// let arguments = Arguments::parse(b"0='U',5").unwrap();
/// assert_eq!(arguments.get(0), Some(Some("U")));
/// assert_eq!(arguments.get(5), Some(None));
/// assert_eq!(arguments.get(1), None);
/// assert!(Arguments::parse(b"12").is_none());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arguments<'a> {
    text: &'a str,
}

/// One argument: a digit and perhaps a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument<'a> {
    /// 0 to 9.
    pub digit: u8,
    /// The text between the quotes.
    pub value: Option<&'a str>,
}

impl<'a> Arguments<'a> {
    /// Checks the syntax: `arg *("," arg)` with each digit at most once. No bytes mean no
    /// arguments.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let text = core::str::from_utf8(bytes).ok()?;
        let mut rest = text;
        let mut seen = 0u16;
        while !rest.is_empty() {
            let (argument, behind) = next(rest)?;
            let bit = 1 << argument.digit;
            if seen & bit != 0 {
                return None;
            }
            seen |= bit;
            rest = match behind.strip_prefix(',') {
                // A comma promises one more argument.
                Some("") => return None,
                Some(rest) => rest,
                None if behind.is_empty() => behind,
                None => return None,
            };
        }
        Some(Self { text })
    }

    /// The arguments in the order they were given.
    pub fn iter(&self) -> impl Iterator<Item = Argument<'a>> + use<'a> {
        let mut rest = self.text;
        core::iter::from_fn(move || {
            let (argument, behind) = next(rest)?;
            rest = behind.strip_prefix(',').unwrap_or(behind);
            Some(argument)
        })
    }

    /// The argument of a digit: `None` when it was not given, `Some(None)` when it has no value.
    pub fn get(&self, digit: u8) -> Option<Option<&'a str>> {
        self.iter()
            .find(|argument| argument.digit == digit)
            .map(|argument| argument.value)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }
}

/// `DIGIT` or `DIGIT "=" "'" *CHAR "'"`, and what follows.
fn next(text: &str) -> Option<(Argument<'_>, &str)> {
    let digit = *text.as_bytes().first()?;
    if !digit.is_ascii_digit() {
        return None;
    }
    let digit = digit - b'0';
    let rest = &text[1..];
    let Some(quoted) = rest.strip_prefix("='") else {
        return Some((Argument { digit, value: None }, rest));
    };
    let (value, behind) = quoted.split_once('\'')?;
    // CHAR = "!" / %x23-26 / %x28-5B / %x5D-7E: no space, no quotes, no backslash.
    let legal = value
        .bytes()
        .all(|byte| matches!(byte, b'!' | 0x23..=0x26 | 0x28..=0x5B | 0x5D..=0x7E));
    legal.then_some((
        Argument {
            digit,
            value: Some(value),
        },
        behind,
    ))
}

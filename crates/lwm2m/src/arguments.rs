//! The arguments of Execute (Core 1.2 §6.3.5).

use core::fmt;

/// One argument: a digit, perhaps with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument<'a> {
    /// 0 to 9.
    pub digit: u8,
    /// What stands between the quotes; `None` when there is no value (which is not the same as an
    /// empty one).
    pub value: Option<&'a str>,
}

/// As it stands in the payload: `5` or `2='10.3'`.
impl fmt::Display for Argument<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value {
            Some(value) => write!(f, "{}='{value}'", self.digit),
            None => write!(f, "{}", self.digit),
        }
    }
}

/// A checked list of arguments.
///
/// ```
/// use dunlin_lwm2m::Arguments;
/// let arguments = Arguments::parse("7,0='https://example'").unwrap();
/// assert_eq!(arguments.get(0), Some(Some("https://example")));
/// assert_eq!(arguments.get(7), Some(None));
/// assert_eq!(arguments.get(1), None);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arguments<'a> {
    text: &'a str,
}

/// Why a text is not a list of arguments; answered with 4.00.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentsError {
    /// Not a list of digits, each perhaps followed by `='value'`.
    Syntax {
        /// Where, in bytes from the start.
        position: usize,
    },
    /// A digit stands twice (forbidden since 1.2.1).
    Duplicate {
        /// The digit.
        digit: u8,
    },
}

impl fmt::Display for ArgumentsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax { position } => write!(
                f,
                "bad argument at byte {position}; expected digits separated by commas, each perhaps \
                 with a quoted value without spaces, as in 0='x',1"
            ),
            Self::Duplicate { digit } => {
                write!(f, "argument {digit} stands twice; give each digit once")
            }
        }
    }
}

impl core::error::Error for ArgumentsError {}

impl<'a> Arguments<'a> {
    /// Checks `text` against the ABNF; an empty text holds no arguments.
    pub fn parse(text: &'a str) -> Result<Self, ArgumentsError> {
        let mut seen = 0_u16;
        let mut iter = ArgumentIter { text, rest: text };
        while !iter.rest.is_empty() {
            let Argument { digit, .. } = iter.step()?;
            if seen >> digit & 1 == 1 {
                return Err(ArgumentsError::Duplicate { digit });
            }
            seen |= 1 << digit;
        }
        Ok(Self { text })
    }

    /// The arguments in the order in which they stand.
    pub const fn iter(&self) -> ArgumentIter<'a> {
        ArgumentIter {
            text: self.text,
            rest: self.text,
        }
    }

    /// The value of the argument `digit`: `None` when it is not there, `Some(None)` when it has no
    /// value.
    pub fn get(&self, digit: u8) -> Option<Option<&'a str>> {
        self.iter()
            .find(|argument| argument.digit == digit)
            .map(|argument| argument.value)
    }

    /// Whether there are no arguments.
    pub const fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text.
    pub const fn as_str(&self) -> &'a str {
        self.text
    }
}

impl<'a> IntoIterator for Arguments<'a> {
    type Item = Argument<'a>;
    type IntoIter = ArgumentIter<'a>;

    fn into_iter(self) -> ArgumentIter<'a> {
        self.iter()
    }
}

/// Iterates over arguments.
#[derive(Clone, Debug)]
pub struct ArgumentIter<'a> {
    text: &'a str,
    rest: &'a str,
}

impl<'a> ArgumentIter<'a> {
    fn step(&mut self) -> Result<Argument<'a>, ArgumentsError> {
        let text = self.text;
        let error = |rest: &str| ArgumentsError::Syntax {
            position: text.len() - rest.len(),
        };
        let rest = self.rest;
        let digit = rest.bytes().next().filter(u8::is_ascii_digit);
        let Some(digit) = digit else {
            return Err(error(rest));
        };
        let mut rest = &rest[1..];
        let mut value = None;
        if let Some(quoted) = rest.strip_prefix('=') {
            let Some(quoted) = quoted.strip_prefix('\'') else {
                return Err(error(quoted));
            };
            let length = quoted
                .bytes()
                .position(|byte| !is_char(byte))
                .unwrap_or(quoted.len());
            let (content, after) = quoted.split_at(length);
            let Some(after) = after.strip_prefix('\'') else {
                return Err(error(after));
            };
            value = Some(content);
            rest = after;
        }
        if !rest.is_empty() {
            let Some(after) = rest.strip_prefix(',') else {
                return Err(error(rest));
            };
            if after.is_empty() {
                return Err(error(after));
            }
            rest = after;
        }
        self.rest = rest;
        Ok(Argument {
            digit: digit - b'0',
            value,
        })
    }
}

/// `CHAR = "!" / %x23-26 / %x28-5B / %x5D-7E`
const fn is_char(byte: u8) -> bool {
    matches!(byte, b'!' | 0x23..=0x26 | 0x28..=0x5B | 0x5D..=0x7E)
}

impl<'a> Iterator for ArgumentIter<'a> {
    type Item = Argument<'a>;

    fn next(&mut self) -> Option<Argument<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        self.step().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<(u8, Option<&str>)> {
        Arguments::parse(text)
            .unwrap()
            .iter()
            .map(|argument| (argument.digit, argument.value))
            .collect()
    }

    /// The examples of Core 1.2 §6.3.5.
    #[test]
    fn reads_the_examples_of_the_standard() {
        assert_eq!(list("5"), [(5, None)]);
        assert_eq!(list("2='10.3'"), [(2, Some("10.3"))]);
        assert_eq!(
            list("7,0='https://www.example.org'"),
            [(7, None), (0, Some("https://www.example.org"))]
        );
        assert_eq!(
            list("0,1,2,3,4"),
            [(0, None), (1, None), (2, None), (3, None), (4, None)]
        );
    }

    #[test]
    fn keeps_empty_values_and_commas_in_quotes() {
        assert_eq!(list(""), []);
        assert_eq!(list("0=''"), [(0, Some(""))]);
        assert_eq!(list("0='a,1=b',1"), [(0, Some("a,1=b")), (1, None)]);
        assert_eq!(list("0='!#$%&()*+-./:;<=>?@[]^_`{|}~'").len(), 1);
    }

    #[test]
    fn refuses_bad_syntax_and_says_where() {
        for (text, position) in [
            ("a", 0),
            (",", 0),
            ("10", 1),
            ("0,", 2),
            ("0,,1", 2),
            ("0=", 2),
            ("0=U", 2),
            ("0='x", 4),
            ("0='x y'", 4),
            ("0='x\"'", 4),
            ("0='\\'", 3),
            ("0='a'b", 5),
            ("0='ä'", 3),
            (" 0", 0),
            ("0 ", 1),
            ("0, 1", 2),
        ] {
            assert_eq!(
                Arguments::parse(text),
                Err(ArgumentsError::Syntax { position }),
                "{text}"
            );
        }
        assert_eq!(
            Arguments::parse("1,0='a',1"),
            Err(ArgumentsError::Duplicate { digit: 1 })
        );
    }

    #[test]
    fn writes_what_it_reads() {
        for text in ["5", "2='10.3'", "0=''"] {
            let argument = Arguments::parse(text).unwrap().iter().next().unwrap();
            assert_eq!(argument.to_string(), text);
        }
    }
}

//! JSON tokens (RFC 8259), strictly, without recursion and without a heap.

use super::FormatError;
use super::number::number_length;
use super::output::Output;

/// How deep values that are only skipped may nest.
const MAX_DEPTH: u32 = 16;

/// A string as it stands between its quotes; its escapes are known to be good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'a> {
    pub(super) at: usize,
    raw: &'a str,
    escaped: bool,
}

impl<'a> Text<'a> {
    /// The content, if it stands there without escapes.
    pub(super) fn plain(self) -> Option<&'a str> {
        (!self.escaped).then_some(self.raw)
    }

    /// The content, escapes resolved, in `buffer` when there are any.
    pub(super) fn decode_into<'b>(self, buffer: &'b mut [u8]) -> Result<&'b [u8], FormatError>
    where
        'a: 'b,
    {
        if let Some(plain) = self.plain() {
            return Ok(plain.as_bytes());
        }
        let mut output = Output::new(buffer);
        self.decode(&mut output)?;
        let length = output.len();
        Ok(&buffer[..length])
    }

    /// Writes the content, escapes resolved.
    pub(super) fn decode(self, output: &mut Output<'_>) -> Result<(), FormatError> {
        if !self.escaped {
            return output.extend(self.raw.as_bytes());
        }
        let mut rest = self.raw;
        while let Some((plain, escape)) = rest.split_once('\\') {
            output.extend(plain.as_bytes())?;
            let (character, length) = unescape(escape).unwrap_or(('\u{FFFD}', 1));
            output.extend(character.encode_utf8(&mut [0; 4]).as_bytes())?;
            rest = escape.get(length..).unwrap_or("");
        }
        output.extend(rest.as_bytes())
    }
}

/// The character of an escape, given what follows the backslash, and the length of that.
fn unescape(escape: &str) -> Option<(char, usize)> {
    let simple = match escape.as_bytes().first()? {
        b'"' => '"',
        b'\\' => '\\',
        b'/' => '/',
        b'b' => '\u{8}',
        b'f' => '\u{C}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => {
            let unit = |at: usize| {
                let digits = escape.get(at..at + 4)?;
                let hexadecimal = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                u32::from_str_radix(digits, 16).ok().filter(|_| hexadecimal)
            };
            let first = unit(1)?;
            if !(0xD800..0xDC00).contains(&first) {
                return Some((char::from_u32(first)?, 5));
            }
            let second = match escape.get(5..7)? {
                "\\u" => unit(7)?,
                _ => return None,
            };
            let low = second.checked_sub(0xDC00).filter(|low| *low < 0x400)?;
            let code = 0x1_0000 + ((first - 0xD800) << 10 | low);
            return Some((char::from_u32(code)?, 11));
        }
        _ => return None,
    };
    Some((simple, 1))
}

/// Reads tokens from a payload.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    #[inline]
    fn blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// The next byte that is not blank.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        self.blanks();
        self.bytes.get(self.at).copied()
    }

    /// Steps over the byte, if it comes next.
    #[inline]
    pub(super) fn takes(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), FormatError> {
        if self.takes(byte) {
            return Ok(());
        }
        Err(self.expected(what))
    }

    /// The error for something else at this position.
    fn expected(&self, expected: &'static str) -> FormatError {
        let at = self.at;
        if at >= self.bytes.len() {
            FormatError::Truncated { at }
        } else {
            FormatError::Syntax { at, expected }
        }
    }

    pub(super) fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    /// A string.
    pub(super) fn text(&mut self) -> Result<Text<'a>, FormatError> {
        self.expect(b'"', "a string")?;
        let start = self.at;
        let mut escaped = false;
        loop {
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    // The escape itself is checked below; here only `\"` must not end the string.
                    self.at += 2;
                }
                Some(0..0x20) => return Err(self.expected("no control character in a string")),
                Some(_) => self.at += 1,
                None => {
                    return Err(FormatError::Truncated {
                        at: self.bytes.len(),
                    });
                }
            }
        }
        let raw = self.bytes.get(start..self.at).unwrap_or(&[]);
        let raw = core::str::from_utf8(raw).map_err(|error| FormatError::Utf8 {
            at: start + error.valid_up_to(),
        })?;
        let mut rest = raw;
        while escaped && let Some((_, escape)) = rest.split_once('\\') {
            let position = start + raw.len() - escape.len() - 1;
            let (_, length) = unescape(escape).ok_or(FormatError::Syntax {
                at: position,
                expected: "an escape such as \\n or \\u00E9",
            })?;
            rest = escape.get(length..).unwrap_or("");
        }
        self.at += 1;
        Ok(Text {
            at: start,
            raw,
            escaped,
        })
    }

    /// A number, as text of the grammar of RFC 8259 §6.
    pub(super) fn number(&mut self) -> Result<&'a str, FormatError> {
        self.blanks();
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        let text = number_length(rest, false)
            .and_then(|length| rest.get(..length))
            .and_then(|digits| core::str::from_utf8(digits).ok())
            .ok_or(self.expected("a number"))?;
        self.at += text.len();
        match self.bytes.get(self.at) {
            Some(b'0'..=b'9' | b'.' | b'+' | b'-' | b'a'..=b'z' | b'A'..=b'Z') => {
                Err(self.expected("the end of the number"))
            }
            _ => Ok(text),
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self) -> Result<bool, FormatError> {
        if self.takes_word(b"true") {
            Ok(true)
        } else if self.takes_word(b"false") {
            Ok(false)
        } else {
            Err(self.expected("true or false"))
        }
    }

    /// Steps over the word, if it comes next.
    pub(super) fn takes_word(&mut self, word: &[u8]) -> bool {
        self.blanks();
        let rest = self.bytes.get(self.at..).unwrap_or(&[]);
        let found = rest.starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    /// The label of a member and the colon behind it.
    pub(super) fn label(&mut self) -> Result<Text<'a>, FormatError> {
        let label = self.text()?;
        self.expect(b':', "a colon")?;
        Ok(label)
    }

    /// Steps over a value, whatever it is.
    pub(super) fn skip(&mut self) -> Result<(), FormatError> {
        // The innermost container is the lowest bit: 1 for an object, 0 for an array.
        let mut objects = 0_u32;
        let mut depth = 0;
        loop {
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    let is_object = open == b'{';
                    let at = self.at;
                    self.at += 1;
                    if !self.takes(if is_object { b'}' } else { b']' }) {
                        depth += 1;
                        if depth > MAX_DEPTH {
                            return Err(FormatError::TooDeep { at });
                        }
                        objects = objects << 1 | u32::from(is_object);
                        if is_object {
                            self.label()?;
                        }
                        continue;
                    }
                }
                Some(b'"') => self.text().map(drop)?,
                Some(b't' | b'f') => self.boolean().map(drop)?,
                Some(b'n') if self.takes_word(b"null") => {}
                Some(b'-' | b'0'..=b'9') => self.number().map(drop)?,
                _ => return Err(self.expected("a value")),
            }
            // A value has ended; containers may end with it.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let is_object = objects & 1 == 1;
                if self.takes(b',') {
                    if is_object {
                        self.label()?;
                    }
                    break;
                }
                if is_object {
                    self.expect(b'}', "a comma or the end of the object")?;
                } else {
                    self.expect(b']', "a comma or the end of the array")?;
                }
                objects >>= 1;
                depth -= 1;
            }
        }
    }
}

/// Writes a string with its quotes.
pub(super) fn write_text(output: &mut Output<'_>, text: &str) -> Result<(), FormatError> {
    output.push(b'"')?;
    write_text_part(output, text)?;
    output.push(b'"')
}

/// Writes what stands between quotes.
pub(super) fn write_text_part(output: &mut Output<'_>, text: &str) -> Result<(), FormatError> {
    let mut plain = 0;
    let bytes = text.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        let short = match byte {
            b'"' | b'\\' => *byte,
            0x08 => b'b',
            0x0C => b'f',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0..0x20 => b'u',
            _ => continue,
        };
        output.extend(&bytes[plain..at])?;
        output.extend(&[b'\\', short])?;
        if short == b'u' {
            const DIGITS: &[u8; 16] = b"0123456789abcdef";
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            output.extend(&[b'0', b'0', DIGITS[high], DIGITS[low]])?;
        }
        plain = at + 1;
    }
    output.extend(&bytes[plain..])
}

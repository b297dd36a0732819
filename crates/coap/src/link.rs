//! CoRE link-format (RFC 6690): reader and writer.

use core::fmt;

use crate::WriteError;

/// Reads links one by one.
///
/// The grammar of RFC 6690 §2 allows no white space; devices send it, so it is skipped and noted
/// in [`Links::faults`]. After an error the iterator ends.
///
/// ```
/// use dunlin_coap::link::Links;
/// let mut links = Links::new(r#"</>;rt="oma.lwm2m";ct="60 110",</1/0>,</3/0>;ver=1.1"#);
/// let root = links.next().unwrap().unwrap();
/// assert_eq!(root.target, "/");
/// assert!(root.parameter("rt").unwrap().is("oma.lwm2m"));
/// assert_eq!(links.next().unwrap().unwrap().target, "/1/0");
/// ```
#[derive(Clone, Debug)]
pub struct Links<'a> {
    text: &'a str,
    position: usize,
    ended: bool,
    first: bool,
    faults: LinkFaults,
}

/// Deviations from the grammar that are tolerated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkFaults {
    /// White space between links or parameters.
    pub white_space: bool,
    /// An unquoted value with white space in it, such as `ct=110 112`.
    pub unquoted_list: bool,
    /// A comma without a link before or behind it, or a semicolon without a parameter.
    pub empty_element: bool,
}

impl LinkFaults {
    /// Whether there is one.
    pub fn any(self) -> bool {
        self.white_space || self.unquoted_list || self.empty_element
    }
}

/// Why a text is not link-format, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkError {
    /// Bytes from the start of the text.
    pub position: usize,
    /// What is wrong.
    pub kind: LinkErrorKind,
}

/// What is wrong with a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkErrorKind {
    /// The text is not UTF-8.
    NotUtf8,
    /// A link starts with `<`.
    ExpectedTarget,
    /// The `>` of a target is missing, or the target contains `<`, white space or a control
    /// character.
    Target,
    /// Behind a link comes `;`, `,` or the end.
    ExpectedSeparator,
    /// The name of a parameter is missing or has an illegal character.
    Name,
    /// The value of a parameter is missing or has an illegal character.
    Value,
    /// The closing quote of a value is missing.
    Quote,
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            LinkErrorKind::NotUtf8 => "the text is not UTF-8",
            LinkErrorKind::ExpectedTarget => "a link starts with '<'",
            LinkErrorKind::Target => "the link's target is not closed or has a bad character",
            LinkErrorKind::ExpectedSeparator => "';', ',' or the end is expected",
            LinkErrorKind::Name => "the parameter's name is missing or has a bad character",
            LinkErrorKind::Value => "the parameter's value is missing or has a bad character",
            LinkErrorKind::Quote => "the value's closing quote is missing",
        };
        write!(f, "link-format: {what} (at byte {})", self.position)
    }
}

impl core::error::Error for LinkError {}

/// One link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link<'a> {
    /// The target between `<` and `>`, as written.
    pub target: &'a str,
    parameters: &'a str,
}

/// One parameter of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// The name as written; names are compared without regard to case.
    pub name: &'a str,
    /// The value, if there is one.
    pub value: Option<ParameterValue<'a>>,
}

/// The value of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterValue<'a> {
    raw: &'a str,
    quoted: bool,
}

impl<'a> Links<'a> {
    /// Reads a text.
    pub const fn new(text: &'a str) -> Self {
        Self {
            text,
            position: 0,
            ended: false,
            first: true,
            faults: LinkFaults {
                white_space: false,
                unquoted_list: false,
                empty_element: false,
            },
        }
    }

    /// Reads a payload, which must be UTF-8.
    pub fn from_bytes(payload: &'a [u8]) -> Result<Self, LinkError> {
        core::str::from_utf8(payload)
            .map(Self::new)
            .map_err(|error| LinkError {
                position: error.valid_up_to(),
                kind: LinkErrorKind::NotUtf8,
            })
    }

    /// The tolerated deviations met so far.
    pub const fn faults(&self) -> LinkFaults {
        self.faults
    }

    /// The rest of the text that has not been read.
    pub fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn skip_white_space(&mut self) {
        let rest = self.rest();
        let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if trimmed.len() != rest.len() {
            self.faults.white_space = true;
            self.position += rest.len() - trimmed.len();
        }
    }

    fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.rest().as_bytes().first() == Some(&byte);
        self.position += usize::from(eaten);
        eaten
    }

    /// Takes the longest prefix whose bytes all satisfy `allowed`.
    fn take_while(&mut self, allowed: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        // All `allowed` sets treat the bytes of one non-ASCII character alike, so the end is a
        // character boundary.
        let length = rest
            .bytes()
            .position(|byte| !allowed(byte))
            .unwrap_or(rest.len());
        let taken = rest.get(..length).unwrap_or_default();
        self.position += taken.len();
        taken
    }

    fn error<T>(&self, kind: LinkErrorKind) -> Result<T, LinkError> {
        Err(LinkError {
            position: self.position,
            kind,
        })
    }

    fn read(&mut self) -> Result<Option<Link<'a>>, LinkError> {
        self.skip_white_space();
        while self.eat(b',') {
            self.faults.empty_element = true;
            self.skip_white_space();
        }
        if self.rest().is_empty() {
            self.faults.empty_element |= !self.first;
            return Ok(None);
        }
        if !self.eat(b'<') {
            return self.error(LinkErrorKind::ExpectedTarget);
        }
        let target = self.take_while(|byte| byte > b' ' && !matches!(byte, b'<' | b'>' | 0x7F));
        if !self.eat(b'>') {
            return self.error(LinkErrorKind::Target);
        }
        let start = self.position;
        let mut end = start;
        loop {
            self.skip_white_space();
            if self.rest().is_empty() {
                self.ended = true;
                break;
            }
            if self.eat(b',') {
                break;
            }
            if !self.eat(b';') {
                return self.error(LinkErrorKind::ExpectedSeparator);
            }
            self.skip_white_space();
            if matches!(self.rest().as_bytes().first(), None | Some(b';' | b',')) {
                self.faults.empty_element = true;
                continue;
            }
            self.read_parameter()?;
            end = self.position;
        }
        self.first = false;
        let parameters = self.text.get(start..end).unwrap_or_default();
        Ok(Some(Link { target, parameters }))
    }

    fn read_parameter(&mut self) -> Result<Parameter<'a>, LinkError> {
        let name = self.take_while(is_name_character);
        if name.is_empty() {
            return self.error(LinkErrorKind::Name);
        }
        if !self.eat(b'=') {
            return match self.rest().as_bytes().first() {
                None | Some(b';' | b',' | b' ' | b'\t' | b'\r' | b'\n') => {
                    Ok(Parameter { name, value: None })
                }
                Some(_) => self.error(LinkErrorKind::Name),
            };
        }
        let quoted = self.eat(b'"');
        let raw = if quoted {
            let raw = self.take_quoted()?;
            self.position += 1;
            raw
        } else {
            self.take_token()?
        };
        let value = Some(ParameterValue { raw, quoted });
        Ok(Parameter { name, value })
    }

    /// Everything up to the closing quote.
    fn take_quoted(&mut self) -> Result<&'a str, LinkError> {
        let rest = self.rest();
        let mut bytes = rest.bytes().enumerate();
        while let Some((index, byte)) = bytes.next() {
            match byte {
                b'"' => {
                    self.position += index;
                    return Ok(rest.get(..index).unwrap_or_default());
                }
                b'\\' => {
                    bytes.next();
                }
                _ => {}
            }
        }
        self.error(LinkErrorKind::Quote)
    }

    /// An unquoted value; white space inside, as in `ct=110 112`, is tolerated.
    fn take_token(&mut self) -> Result<&'a str, LinkError> {
        let taken =
            self.take_while(|byte| is_token_character(byte) || matches!(byte, b' ' | b'\t'));
        let value = taken.trim_end_matches([' ', '\t']);
        if value.len() != taken.len() {
            self.faults.white_space = true;
        }
        if value.is_empty() || value.starts_with([' ', '\t']) {
            return self.error(LinkErrorKind::Value);
        }
        if value.contains([' ', '\t']) {
            self.faults.unquoted_list = true;
        }
        match self.rest().as_bytes().first() {
            None | Some(b';' | b',' | b'\r' | b'\n') => Ok(value),
            Some(_) => self.error(LinkErrorKind::Value),
        }
    }
}

/// RFC 6690 §2: parmname characters, and the `*` of ext-name-star.
fn is_name_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~*".contains(&byte)
}

/// RFC 6690 §2: ptokenchar, taken wider: all visible ASCII that does not separate.
fn is_token_character(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'<' | b'>' | b'\\')
}

impl<'a> Iterator for Links<'a> {
    type Item = Result<Link<'a>, LinkError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.read().transpose();
        self.ended |= !matches!(item, Some(Ok(_)));
        item
    }
}

impl core::iter::FusedIterator for Links<'_> {}

impl<'a> Link<'a> {
    /// The parameters in the order written.
    pub fn parameters(&self) -> impl Iterator<Item = Parameter<'a>> + Clone + use<'a> {
        let mut reader = Links::new(self.parameters);
        core::iter::from_fn(move || {
            // The text was checked when the link was read.
            loop {
                reader.skip_white_space();
                if !reader.eat(b';') {
                    return None;
                }
                reader.skip_white_space();
                if reader.rest().as_bytes().first() != Some(&b';') {
                    return reader.read_parameter().ok();
                }
            }
        })
    }

    /// The first value of a parameter; repetitions are ignored (RFC 6690 §3). `None` also for a
    /// parameter without a value, see [`Link::has`].
    pub fn parameter(&self, name: &str) -> Option<ParameterValue<'a>> {
        self.find(name)?.value
    }

    /// Whether there is such a parameter, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn find(&self, name: &str) -> Option<Parameter<'a>> {
        self.parameters()
            .find(|parameter| parameter.name.eq_ignore_ascii_case(name))
    }
}

impl<'a> ParameterValue<'a> {
    /// The value as written, without the quotes, with its escapes.
    pub const fn raw(&self) -> &'a str {
        self.raw
    }

    /// Whether it was written in quotes.
    pub const fn is_quoted(&self) -> bool {
        self.quoted
    }

    /// The characters, with escapes resolved: `\x` in quotes means `x`.
    pub fn chars(&self) -> impl Iterator<Item = char> + Clone + use<'a> {
        let quoted = self.quoted;
        let mut chars = self.raw.chars();
        core::iter::from_fn(move || match chars.next() {
            Some('\\') if quoted => chars.next(),
            other => other,
        })
    }

    /// Whether the value, escapes resolved, equals `text`.
    pub fn is(&self, text: &str) -> bool {
        self.chars().eq(text.chars())
    }

    /// The entries of a value that is a list separated by spaces, such as `ct` and `rt`.
    pub fn entries(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        self.raw.split_ascii_whitespace()
    }

    /// The value as a number in decimal digits.
    pub fn number<N: core::str::FromStr>(&self) -> Option<N> {
        let digits = !self.raw.is_empty() && self.raw.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| self.raw.parse().ok()).flatten()
    }
}

/// The value, escapes resolved.
impl fmt::Display for ParameterValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chars()
            .try_for_each(|character| fmt::Write::write_char(f, character))
    }
}

/// Writes links into a lent buffer.
///
/// Methods chain; the first error sticks and comes out of [`LinkWriter::finish`].
///
/// ```
/// use dunlin_coap::link::LinkWriter;
/// let mut buffer = [0; 64];
/// let mut writer = LinkWriter::new(&mut buffer);
/// writer.link("/").parameter("rt", "oma.lwm2m").link("/3/0").uint("pmin", 10).flag("obs");
/// let length = writer.finish().unwrap();
/// assert_eq!(&buffer[..length], b"</>;rt=oma.lwm2m,</3/0>;pmin=10;obs");
/// ```
#[derive(Debug)]
pub struct LinkWriter<'b> {
    buffer: &'b mut [u8],
    length: usize,
    error: Option<WriteError>,
}

impl<'b> LinkWriter<'b> {
    /// Writes from the start of the buffer.
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Self {
            buffer,
            length: 0,
            error: None,
        }
    }

    /// Starts a link. A target that has no place between `<` and `>` is an error.
    pub fn link(&mut self, target: &str) -> &mut Self {
        self.link_args(format_args!("{target}"))
    }

    /// Starts a link whose target is made by `format_args!`.
    pub fn link_args(&mut self, target: fmt::Arguments<'_>) -> &mut Self {
        let separator: &str = if self.length == 0 { "<" } else { ",<" };
        self.put(separator);
        let start = self.length;
        self.put_args(target);
        let illegal = |byte: &u8| *byte <= b' ' || matches!(byte, b'<' | b'>' | 0x7F);
        if self.buffer[start.min(self.length)..self.length]
            .iter()
            .any(illegal)
        {
            self.error.get_or_insert(WriteError::IllegalCharacter);
        }
        self.put(">");
        self
    }

    /// Adds a parameter, unquoted when its value allows.
    pub fn parameter(&mut self, name: &str, value: &str) -> &mut Self {
        if value.is_empty() || !value.bytes().all(is_token_character) {
            return self.quoted(name, value);
        }
        self.name(name).put("=");
        self.put(value);
        self
    }

    /// Adds a parameter in quotes, with escapes where needed.
    pub fn quoted(&mut self, name: &str, value: &str) -> &mut Self {
        self.name(name).put("=\"");
        for part in value.split_inclusive(['"', '\\']) {
            let special = part.ends_with(['"', '\\']);
            let (plain, last) = part.split_at(part.len() - usize::from(special));
            self.put(plain);
            if special {
                self.put("\\");
                self.put(last);
            }
        }
        self.put("\"");
        self
    }

    /// Adds a parameter with a number.
    pub fn uint(&mut self, name: &str, value: u64) -> &mut Self {
        self.args(name, format_args!("{value}"))
    }

    /// Adds an unquoted parameter whose value is made by `format_args!`.
    pub fn args(&mut self, name: &str, value: fmt::Arguments<'_>) -> &mut Self {
        self.name(name).put("=");
        let start = self.length;
        self.put_args(value);
        let written = &self.buffer[start.min(self.length)..self.length];
        if self.error.is_none()
            && (written.is_empty() || !written.iter().copied().all(is_token_character))
        {
            self.error = Some(WriteError::IllegalCharacter);
        }
        self
    }

    /// Adds a parameter without a value.
    pub fn flag(&mut self, name: &str) -> &mut Self {
        self.name(name)
    }

    /// Bytes written so far.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The length of the text in bytes, or the first error.
    pub fn finish(&self) -> Result<usize, WriteError> {
        self.error.map_or(Ok(self.length), Err)
    }

    fn name(&mut self, name: &str) -> &mut Self {
        if name.is_empty() || !name.bytes().all(is_name_character) {
            self.error.get_or_insert(WriteError::IllegalCharacter);
        }
        self.put(";");
        self.put(name);
        self
    }

    fn put_args(&mut self, arguments: fmt::Arguments<'_>) {
        // An error has been noted by `put`.
        let _ = fmt::Write::write_fmt(self, arguments);
    }

    fn put(&mut self, text: &str) {
        if self.error.is_some() {
            return;
        }
        let end = self.length + text.len();
        match self.buffer.get_mut(self.length..end) {
            Some(space) => {
                space.copy_from_slice(text.as_bytes());
                self.length = end;
            }
            None => self.error = Some(WriteError::BufferTooSmall),
        }
    }
}

impl fmt::Write for LinkWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text);
        self.error.map_or(Ok(()), |_| Err(fmt::Error))
    }
}

#[cfg(test)]
mod tests;

//! application/vnd.oma.lwm2m+json (11543): the JSON of LwM2M 1.0 (Core 1.0.2 §6.4.4), older than
//! SenML and unlike it.
//!
//! ```text
//! {"bn":"/3/0/","bt":1495000000,"e":[{"n":"0","sv":"Open Mobile Alliance"},{"n":"6/0","v":1}]}
//! ```
//!
//! A name is the base name and the name behind it; one that does not begin with a slash is relative
//! to the path of the request. Opaque is base64 in `sv`.

use super::json::{self, Lexer};
use super::json_value::{Raw, text_value, write_label, write_time, write_value};
use super::number::{Number, write_integer};
use super::output::Output;
use super::senml::{Field, parse_path};
use super::{FormatError, Scope};
use crate::base64::Alphabet;
use crate::definition::Types;
use crate::{ContentFormat, DataType, Level, MAX_ID, Path, Record, Value};

/// The longest name: any path below an alternate path of some 100 characters.
const MAX_NAME: usize = 128;

pub(super) struct Reader<'a> {
    /// Stands in the array of entries, once its place is known.
    lexer: Lexer<'a>,
    scope: Scope<'a>,
    types: &'a dyn Types,
    scratch: &'a mut [u8],
    base_name: Option<json::Text<'a>>,
    base_time: Option<f64>,
    state: State,
    /// The last resource whose type was asked for.
    known: Option<((u16, u16), Option<DataType>)>,
}

#[derive(Clone, Copy)]
enum State {
    Start,
    /// Behind an entry.
    Between,
    End,
}

/// What has been read of one entry.
#[derive(Default)]
struct Entry<'a> {
    name: Option<json::Text<'a>>,
    time: Option<f64>,
    value: Option<(Label, Raw<'a>)>,
}

/// The fields for values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Label {
    Number,
    Boolean,
    String,
    Link,
}

impl Label {
    /// The type of the value in this field: the resource's, when they agree.
    fn data_type(self, resource: Option<DataType>) -> Result<Option<DataType>, ()> {
        let field = match (self, resource) {
            (Self::Number, _) => Field::Value,
            (Self::Boolean, _) => Field::BooleanValue,
            (Self::String, Some(DataType::Opaque)) => Field::DataValue,
            (Self::String, _) => Field::StringValue,
            (Self::Link, _) => Field::LinkValue,
        };
        field.data_type(resource)
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        payload: &'a [u8],
        scope: Scope<'a>,
        types: &'a dyn Types,
        scratch: &'a mut [u8],
    ) -> Self {
        let root = scope.root.strip_suffix('/').unwrap_or(scope.root);
        Self {
            lexer: Lexer::new(payload),
            scope: Scope { root, ..scope },
            types,
            scratch,
            base_name: None,
            base_time: None,
            state: State::Start,
            known: None,
        }
    }

    pub(super) fn next_record(&mut self) -> Result<Option<Record<'_>>, FormatError> {
        if !self.begin_entry()? {
            return Ok(None);
        }
        let at = self.lexer.at;
        let entry = self.entry()?;
        let path = self.path(entry.name, at)?;
        let time = match (self.base_time, entry.time) {
            (None, time) => time,
            (Some(base), time) => Some(base + time.unwrap_or(0.0)),
        };
        if time.is_some_and(|time| !time.is_finite()) {
            return Err(FormatError::Range { at });
        }
        let Some((label, raw)) = entry.value else {
            return Err(FormatError::NoValue { at });
        };
        let known = self.data_type(&path);
        let data_type = label.data_type(known).map_err(|()| FormatError::Type {
            at,
            expected: known,
        })?;
        let value = match raw {
            Raw::Number(at, literal) => Number::literal(literal)
                .ok_or(FormatError::Range { at })?
                .typed(data_type, at)?,
            Raw::Boolean(truth) => Value::Boolean(truth),
            Raw::Text(text) => text_value(text, data_type, self.scratch)?,
        };
        Ok(Some(Record {
            path,
            time,
            value: Some(value),
        }))
    }

    /// Steps to the next entry; `false` at the end.
    fn begin_entry(&mut self) -> Result<bool, FormatError> {
        match self.state {
            State::Start => {
                self.find_entries()?;
                self.lexer.expect(b'[', "the array of entries")?;
                self.state = State::Between;
                if self.lexer.peek() != Some(b']') {
                    return Ok(true);
                }
            }
            State::Between => {
                if self.lexer.takes(b',') {
                    self.lexer.peek();
                    return Ok(true);
                }
            }
            State::End => return Ok(false),
        }
        self.lexer.expect(b']', "a comma or the end of the array")?;
        // What follows was looked at in the beginning.
        self.state = State::End;
        Ok(false)
    }

    /// Reads the outer object. Its members come in any order, so that the entries can only be read
    /// when it is known what follows them.
    fn find_entries(&mut self) -> Result<(), FormatError> {
        let lexer = &mut self.lexer;
        let mut entries = None;
        let mut time = None;
        lexer.expect(b'{', "an object")?;
        if !lexer.takes(b'}') {
            loop {
                let label = lexer.label()?;
                lexer.peek();
                let at = lexer.at;
                let twice = match label.decode_into(&mut [0; 8]).unwrap_or(b"") {
                    b"bn" => self.base_name.replace(lexer.text()?).is_some(),
                    b"bt" => time.replace(number(lexer)?).is_some(),
                    b"e" => {
                        let twice = entries.replace(lexer.clone()).is_some();
                        lexer.skip()?;
                        twice
                    }
                    _ => {
                        lexer.skip()?;
                        false
                    }
                };
                if twice {
                    return Err(FormatError::Duplicate { at });
                }
                if !lexer.takes(b',') {
                    lexer.expect(b'}', "a comma or the end of the object")?;
                    break;
                }
            }
        }
        if !lexer.is_at_end() {
            return Err(FormatError::Trailing { at: lexer.at });
        }
        self.lexer = entries.ok_or(FormatError::Syntax {
            at: lexer.at,
            expected: "the entries, e",
        })?;
        self.base_time = time.filter(|time| *time != 0.0);
        Ok(())
    }

    fn entry(&mut self) -> Result<Entry<'a>, FormatError> {
        let lexer = &mut self.lexer;
        let mut entry = Entry::default();
        lexer.expect(b'{', "an entry")?;
        if lexer.takes(b'}') {
            return Ok(entry);
        }
        loop {
            let label = lexer.label()?;
            lexer.peek();
            let at = lexer.at;
            let value = match label.decode_into(&mut [0; 8]).unwrap_or(b"") {
                b"n" => {
                    if entry.name.replace(lexer.text()?).is_some() {
                        return Err(FormatError::Duplicate { at });
                    }
                    None
                }
                b"t" => {
                    if entry.time.replace(number(lexer)?).is_some() {
                        return Err(FormatError::Duplicate { at });
                    }
                    None
                }
                b"v" => Some((Label::Number, Raw::Number(at, lexer.number()?))),
                b"bv" => Some((Label::Boolean, Raw::Boolean(lexer.boolean()?))),
                b"sv" => Some((Label::String, Raw::Text(lexer.text()?))),
                b"ov" => Some((Label::Link, Raw::Text(lexer.text()?))),
                _ => {
                    lexer.skip()?;
                    None
                }
            };
            if value.is_some() && entry.value.is_some() {
                return Err(FormatError::SeveralValues { at });
            }
            entry.value = value.or(entry.value);
            if !lexer.takes(b',') {
                lexer.expect(b'}', "a comma or the end of the entry")?;
                return Ok(entry);
            }
        }
    }

    fn path(&self, name: Option<json::Text<'_>>, at: usize) -> Result<Path, FormatError> {
        let mut buffer = [0; MAX_NAME];
        let mut output = Output::new(&mut buffer);
        for part in [self.base_name, name].into_iter().flatten() {
            part.decode(&mut output)
                .map_err(|_| FormatError::Name { at })?;
        }
        let length = output.len();
        let name = buffer.get(..length).unwrap_or(&[]);
        // The base name of a single resource is seen with a slash and an empty name behind it.
        let name = match name {
            [rest @ .., b'/'] if !rest.is_empty() => rest,
            name => name,
        };
        let path = match name {
            [] => Some(self.scope.target),
            [b'/', ..] => parse_path(match name.strip_prefix(self.scope.root.as_bytes()) {
                Some(rest @ [b'/', ..]) => rest,
                _ => name,
            }),
            relative => below(self.scope.target, relative),
        };
        let path = path.ok_or(FormatError::Name { at })?;
        if path.ids().contains(&MAX_ID) || path.level() < Level::Resource {
            return Err(FormatError::Name { at });
        }
        if !self.scope.target.contains(&path) {
            return Err(FormatError::OutOfScope { at });
        }
        Ok(path)
    }

    fn data_type(&mut self, path: &Path) -> Option<DataType> {
        let resource = path.object_id().zip(path.resource_id())?;
        match self.known {
            Some((known, data_type)) if known == resource => data_type,
            _ => {
                let (object, id) = resource;
                let data_type = self
                    .types
                    .resource_type(object, id)
                    .and_then(|resource| resource.data_type);
                self.known = Some((resource, data_type));
                data_type
            }
        }
    }
}

/// The path of `6/0` below `target`.
fn below(target: Path, relative: &[u8]) -> Option<Path> {
    let mut buffer = [0; MAX_NAME + 1];
    let mut output = Output::new(&mut buffer);
    output
        .push(b'/')
        .and_then(|()| output.extend(relative))
        .ok()?;
    let length = output.len();
    let relative = parse_path(buffer.get(..length)?)?;
    relative
        .ids()
        .iter()
        .try_fold(target, |path, id| path.child(*id))
}

fn number(lexer: &mut Lexer<'_>) -> Result<f64, FormatError> {
    let at = lexer.at;
    let number = Number::literal(lexer.number()?).ok_or(FormatError::Range { at })?;
    Ok(number.as_f64())
}

const NOT_ACCEPTABLE: FormatError = FormatError::NotAcceptable(ContentFormat::LWM2M_JSON);

#[derive(Debug)]
pub(super) struct Writer<'b> {
    output: Output<'b>,
    scope: Scope<'b>,
    base: Base,
}

/// What has been written in front of the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    /// Nothing yet.
    None,
    /// The one value is that of the target.
    Exact,
    /// Values stand below the target.
    Below,
}

impl<'b> Writer<'b> {
    pub(super) fn new(output: Output<'b>, scope: Scope<'b>) -> Result<Self, FormatError> {
        if scope.target.level() == Level::Root {
            return Err(NOT_ACCEPTABLE);
        }
        Ok(Self {
            output,
            scope,
            base: Base::None,
        })
    }

    pub(super) fn record(&mut self, record: &Record<'_>) -> Result<(), FormatError> {
        let Some(value) = record.value else {
            return Ok(());
        };
        let path = record.path;
        let target = self.scope.target;
        let base = if path == target {
            Base::Exact
        } else {
            Base::Below
        };
        if path.level() < Level::Resource
            || !target.contains(&path)
            || (self.base != Base::None && self.base != base)
        {
            return Err(FormatError::Sequence);
        }
        if record.time.is_some_and(|time| !time.is_finite()) {
            return Err(NOT_ACCEPTABLE);
        }
        match self.base {
            Base::None => self.begin(base)?,
            _ => self.output.push(b',')?,
        }
        let output = &mut self.output;
        let mut comma = false;
        output.push(b'{')?;
        if let Some(names) = path.ids().get(target.ids().len()..)
            && !names.is_empty()
        {
            write_label(output, &mut comma, "n")?;
            output.push(b'"')?;
            for (index, id) in names.iter().enumerate() {
                if index > 0 {
                    output.push(b'/')?;
                }
                write_integer(output, (*id).into())?;
            }
            output.push(b'"')?;
        }
        if let Some(time) = record.time {
            write_label(output, &mut comma, "t")?;
            write_time(output, time)?;
        }
        write_label(
            output,
            &mut comma,
            match value {
                Value::String(_) | Value::CoreLink(_) | Value::Opaque(_) => "sv",
                Value::Boolean(_) => "bv",
                Value::ObjectLink(_) => "ov",
                Value::Integer(_) | Value::Unsigned(_) | Value::Float(_) | Value::Time(_) => "v",
            },
        )?;
        write_value(output, value, Alphabet::Standard, true, NOT_ACCEPTABLE)?;
        output.push(b'}')
    }

    /// The members before the entries. Names below an alternate path stay relative: whether it
    /// belongs into them is not written anywhere.
    fn begin(&mut self, base: Base) -> Result<(), FormatError> {
        self.base = base;
        let output = &mut self.output;
        let mut comma = false;
        output.push(b'{')?;
        if matches!(self.scope.root, "" | "/") {
            write_label(output, &mut comma, "bn")?;
            output.push(b'"')?;
            for id in self.scope.target.ids() {
                output.push(b'/')?;
                write_integer(output, (*id).into())?;
            }
            if base == Base::Below {
                output.push(b'/')?;
            }
            output.push(b'"')?;
        }
        write_label(output, &mut comma, "e")?;
        output.push(b'[')
    }

    pub(super) fn finish(mut self) -> Result<usize, FormatError> {
        if self.base == Base::None {
            self.begin(Base::Below)?;
        }
        self.output.extend(b"]}")?;
        Ok(self.output.len())
    }
}

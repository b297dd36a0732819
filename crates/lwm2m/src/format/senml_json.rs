//! application/senml+json (110; RFC 8428 §5, Core 1.2 §7.5.6) and application/senml-etch+json
//! (320; RFC 8790).

use super::json::{self, Lexer};
use super::number::{Number, write_float, write_integer};
use super::output::Output;
use super::senml::{Entry, Field, Fields, NamePart, Pack, PackWriter, Purpose};
use super::text::write_base64;
use super::{FormatError, Scope};
use crate::base64::{self, Alphabet, Base64Error};
use crate::definition::Types;
use crate::{ContentFormat, DataType, Path, Record, Value};

pub(super) struct Reader<'a> {
    lexer: Lexer<'a>,
    pack: Pack<'a>,
    scratch: &'a mut [u8],
    state: State,
}

enum State {
    Start,
    /// Behind a record.
    Between,
    End,
}

/// A value whose type is not known yet, because the name may still follow.
#[derive(Clone, Copy)]
enum Raw<'a> {
    Number(usize, &'a str),
    Boolean(bool),
    Text(json::Text<'a>),
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        payload: &'a [u8],
        scope: Scope<'a>,
        purpose: Purpose,
        types: &'a dyn Types,
        scratch: &'a mut [u8],
    ) -> Self {
        Self {
            lexer: Lexer::new(payload),
            pack: Pack::new(scope, purpose, types),
            scratch,
            state: State::Start,
        }
    }

    pub(super) fn next_record(&mut self) -> Result<Option<Record<'_>>, FormatError> {
        if !self.begin_record()? {
            return Ok(None);
        }
        let mut entry = Entry::new(self.lexer.at);
        let mut name = None;
        self.lexer.expect(b'{', "a record")?;
        if !self.lexer.takes(b'}') {
            loop {
                self.field(&mut entry, &mut name)?;
                if !self.lexer.takes(b',') {
                    self.lexer
                        .expect(b'}', "a comma or the end of the record")?;
                    break;
                }
            }
        }
        let resolved = self.pack.resolve(entry, |output| match name {
            Some(name) => name.decode(output),
            None => Ok(()),
        })?;
        let value = match resolved.value {
            Some((raw, data_type)) => Some(self.typed(raw, data_type)?),
            None => None,
        };
        Ok(Some(Record {
            path: resolved.path,
            time: resolved.time,
            value,
        }))
    }

    /// Steps to the next record; `false` at the end.
    fn begin_record(&mut self) -> Result<bool, FormatError> {
        match self.state {
            State::Start => {
                self.lexer.expect(b'[', "the array of records")?;
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
        self.state = State::End;
        if !self.lexer.is_at_end() {
            return Err(FormatError::Trailing { at: self.lexer.at });
        }
        Ok(false)
    }

    fn field(
        &mut self,
        entry: &mut Entry<Raw<'a>>,
        name: &mut Option<json::Text<'a>>,
    ) -> Result<(), FormatError> {
        let lexer = &mut self.lexer;
        let label = lexer.label()?;
        let mut buffer = [0; 32];
        let bytes = match label.plain() {
            Some(plain) => plain.as_bytes(),
            None => {
                let mut output = Output::new(&mut buffer);
                label.decode(&mut output).map_err(|_| FormatError::Syntax {
                    at: label.at,
                    expected: "a label of reasonable length",
                })?;
                let length = output.len();
                &buffer[..length]
            }
        };
        let field = Field::from_label(bytes);
        self.pack.check_field(field, label.at)?;
        let Some(field) = field else {
            // RFC 8428 §4.4
            if bytes.ends_with(b"_") {
                return Err(FormatError::NotUnderstood { at: label.at });
            }
            return lexer.skip();
        };
        entry.see(field, label.at)?;
        lexer.peek();
        let at = lexer.at;
        match field {
            Field::Name => *name = Some(lexer.text()?),
            Field::BaseName => {
                let text = lexer.text()?;
                self.pack.set_base_name(at, |output| text.decode(output))?;
            }
            Field::BaseTime => self.pack.set_base_time(number(lexer)?, at)?,
            Field::Time => entry.set_time(number(lexer)?),
            Field::BaseValue => self.pack.set_base_value(number(lexer)?, at)?,
            Field::BaseVersion => self.pack.check_version(number(lexer)?, at)?,
            Field::Value if self.pack.takes_null() && lexer.takes_word(b"null") => {
                entry.set_removed(at)?;
            }
            Field::Value => entry.set_value(field, Raw::Number(at, lexer.number()?), at)?,
            Field::BooleanValue => entry.set_value(field, Raw::Boolean(lexer.boolean()?), at)?,
            Field::StringValue | Field::DataValue | Field::LinkValue => {
                entry.set_value(field, Raw::Text(lexer.text()?), at)?;
            }
            Field::BaseUnit | Field::BaseSum | Field::Unit | Field::Sum | Field::UpdateTime => {
                lexer.skip()?;
            }
        }
        Ok(())
    }

    fn typed(
        &mut self,
        raw: Raw<'a>,
        data_type: Option<DataType>,
    ) -> Result<Value<'_>, FormatError> {
        let text = match raw {
            Raw::Boolean(truth) => return Ok(Value::Boolean(truth)),
            Raw::Number(at, literal) => {
                let number = Number::literal(literal).ok_or(FormatError::Range { at })?;
                return self.pack.based(number, at)?.typed(data_type, at);
            }
            Raw::Text(text) => text,
        };
        let at = text.at;
        let mut output = Output::new(self.scratch);
        if data_type == Some(DataType::Opaque) {
            let decoded = match text.plain() {
                Some(plain) => base64::decode(plain.as_bytes(), self.scratch),
                None => {
                    text.decode(&mut output)
                        .map_err(|_| FormatError::ScratchTooSmall { at })?;
                    let length = output.len();
                    base64::decode_in_place(&mut self.scratch[..length])
                }
            };
            let length = decoded.map_err(|error| match error {
                Base64Error::Invalid(offset) => FormatError::Base64 { at: at + offset },
                Base64Error::TooLong => FormatError::ScratchTooSmall { at },
            })?;
            return Ok(Value::Opaque(&self.scratch[..length]));
        }
        let text = match text.plain() {
            Some(plain) => plain,
            None => {
                text.decode(&mut output)
                    .map_err(|_| FormatError::ScratchTooSmall { at })?;
                let length = output.len();
                core::str::from_utf8(&self.scratch[..length])
                    .map_err(|_| FormatError::Utf8 { at })?
            }
        };
        match data_type {
            Some(DataType::ObjectLink) => {
                text.parse()
                    .map(Value::ObjectLink)
                    .map_err(|_| FormatError::Type {
                        at,
                        expected: data_type,
                    })
            }
            Some(DataType::CoreLink) => Ok(Value::CoreLink(text)),
            _ => Ok(Value::String(text)),
        }
    }
}

fn number(lexer: &mut Lexer<'_>) -> Result<Number, FormatError> {
    let at = lexer.at;
    Number::literal(lexer.number()?).ok_or(FormatError::Range { at })
}

#[derive(Debug)]
pub(super) struct Writer<'b> {
    output: Output<'b>,
    pack: PackWriter<'b>,
}

impl<'b> Writer<'b> {
    /// `format` is [`ContentFormat::SENML_JSON`] or [`ContentFormat::SENML_ETCH_JSON`].
    pub(super) fn new(format: ContentFormat, output: Output<'b>, scope: Scope<'b>) -> Self {
        Self {
            output,
            pack: PackWriter::new(format, scope),
        }
    }

    pub(super) fn record(&mut self, record: &Record<'_>) -> Result<(), FormatError> {
        let Some(fields) = self.pack.record(record)? else {
            return Ok(());
        };
        let mut comma = self.fields(&fields)?;
        let output = &mut self.output;
        let mut label =
            |output: &mut Output<'_>, label: &str| write_label(output, &mut comma, label);
        let Some(value) = record.value else {
            label(output, "v")?;
            return output.extend(b"null}");
        };
        match value {
            Value::String(text) | Value::CoreLink(text) => {
                label(output, "vs")?;
                json::write_text(output, text)?;
            }
            Value::Integer(number) | Value::Time(number) => {
                label(output, "v")?;
                write_integer(output, number.into())?;
            }
            Value::Unsigned(number) => {
                label(output, "v")?;
                write_integer(output, number.into())?;
            }
            Value::Float(number) if !number.is_finite() => {
                return Err(self.pack.not_acceptable());
            }
            Value::Float(number) => {
                label(output, "v")?;
                write_float(output, number)?;
            }
            Value::Boolean(truth) => {
                label(output, "vb")?;
                output.extend(if truth { b"true" } else { b"false" })?;
            }
            Value::Opaque(bytes) => {
                label(output, "vd")?;
                output.push(b'"')?;
                write_base64(output, bytes, Alphabet::Url, false)?;
                output.push(b'"')?;
            }
            Value::ObjectLink(link) => {
                label(output, "vlo")?;
                output.push(b'"')?;
                write_integer(output, link.object.into())?;
                output.push(b':')?;
                write_integer(output, link.instance.into())?;
                output.push(b'"')?;
            }
        }
        output.push(b'}')
    }

    pub(super) fn name(&mut self, path: &Path) -> Result<(), FormatError> {
        let fields = self.pack.name(path)?;
        self.fields(&fields)?;
        self.output.push(b'}')
    }

    /// Begins a record; returns whether a comma must follow.
    fn fields(&mut self, fields: &Fields) -> Result<bool, FormatError> {
        let first = self.output.len() == 0;
        let output = &mut self.output;
        output.push(if first { b'[' } else { b',' })?;
        output.push(b'{')?;
        let mut comma = false;
        let root = self.pack.root;
        let name = |output: &mut Output<'_>, part: &NamePart| {
            let (root, rest) = part.parts(root);
            output.push(b'"')?;
            json::write_text_part(output, root)?;
            output.extend(rest.as_bytes())?;
            output.push(b'"')
        };
        if let Some(part) = &fields.base_name {
            write_label(output, &mut comma, "bn")?;
            name(output, part)?;
        }
        if let Some(time) = fields.base_time {
            write_label(output, &mut comma, "bt")?;
            write_time(output, time)?;
        }
        if let Some(part) = &fields.name {
            write_label(output, &mut comma, "n")?;
            name(output, part)?;
        }
        if let Some(time) = fields.time {
            write_label(output, &mut comma, "t")?;
            write_time(output, time)?;
        }
        Ok(comma)
    }

    pub(super) fn finish(mut self) -> Result<usize, FormatError> {
        if self.output.len() == 0 {
            self.output.push(b'[')?;
        }
        self.output.push(b']')?;
        Ok(self.output.len())
    }
}

fn write_label(output: &mut Output<'_>, comma: &mut bool, label: &str) -> Result<(), FormatError> {
    if *comma {
        output.push(b',')?;
    }
    *comma = true;
    output.push(b'"')?;
    output.extend(label.as_bytes())?;
    output.extend(b"\":")
}

/// Whole seconds stand without a point.
fn write_time(output: &mut Output<'_>, time: f64) -> Result<(), FormatError> {
    let whole = time as i64;
    if whole as f64 == time && whole.unsigned_abs() < 1 << 53 {
        write_integer(output, whole.into())
    } else {
        write_float(output, time)
    }
}

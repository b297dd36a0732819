//! application/senml+json (110; RFC 8428 §5, Core 1.2 §7.5.6) and application/senml-etch+json
//! (320; RFC 8790).

use super::json::{self, Lexer};
use super::json_value::{Raw, text_value, write_label, write_time, write_value};
use super::number::Number;
use super::output::Output;
use super::senml::{Entry, Field, Fields, NamePart, Pack, PackWriter, Purpose};
use super::{FormatError, Scope};
use crate::base64::Alphabet;
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
        let bytes = label
            .decode_into(&mut buffer)
            .map_err(|_| FormatError::Syntax {
                at: label.at,
                expected: "a label of reasonable length",
            })?;
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
        match raw {
            Raw::Boolean(truth) => Ok(Value::Boolean(truth)),
            Raw::Number(at, literal) => {
                let number = Number::literal(literal).ok_or(FormatError::Range { at })?;
                self.pack.based(number, at)?.typed(data_type, at)
            }
            Raw::Text(text) => text_value(text, data_type, self.scratch),
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
        let Some(value) = record.value else {
            write_label(output, &mut comma, "v")?;
            return output.extend(b"null}");
        };
        write_label(
            output,
            &mut comma,
            match value {
                Value::String(_) | Value::CoreLink(_) => "vs",
                Value::Boolean(_) => "vb",
                Value::Opaque(_) => "vd",
                Value::ObjectLink(_) => "vlo",
                Value::Integer(_) | Value::Unsigned(_) | Value::Float(_) | Value::Time(_) => "v",
            },
        )?;
        write_value(
            output,
            value,
            Alphabet::Url,
            false,
            self.pack.not_acceptable(),
        )?;
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

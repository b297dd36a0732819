//! application/senml+cbor (112; RFC 8428 §6, Core 1.2 §7.5.7) and application/senml-etch+cbor
//! (322; RFC 8790).

use super::cbor_item::{
    ARRAY, Chunks, Cursor, Item, MAP, NEGATIVE, NULL, TEXT, UNSIGNED, container, has_next,
    write_float, write_head, write_integer, write_text, write_value,
};
use super::number::Number;
use super::output::Output;
use super::senml::{Entry, Field, Fields, NamePart, Pack, PackWriter, Purpose};
use super::{FormatError, Scope};
use crate::definition::Types;
use crate::{ContentFormat, DataType, Path, Record, Value};

pub(super) struct Reader<'a> {
    cursor: Cursor<'a>,
    pack: Pack<'a>,
    scratch: &'a mut [u8],
    state: State,
}

enum State {
    Start,
    /// So many records to come, `None` until a break.
    Records(Option<u64>),
}

/// A value and where it stands; its type is not known yet, because the name may still follow.
type Raw<'a> = (Item<'a>, usize);

impl<'a> Reader<'a> {
    pub(super) fn new(
        payload: &'a [u8],
        scope: Scope<'a>,
        purpose: Purpose,
        types: &'a dyn Types,
        scratch: &'a mut [u8],
    ) -> Self {
        Self {
            cursor: Cursor::new(payload),
            pack: Pack::new(scope, purpose, types),
            scratch,
            state: State::Start,
        }
    }

    pub(super) fn next_record(&mut self) -> Result<Option<Record<'_>>, FormatError> {
        if !self.begin_record()? {
            return Ok(None);
        }
        let map = container(&mut self.cursor, MAP, "a map, the record")?;
        let mut entry = Entry::new(map.at);
        let mut name = None;
        let mut left = map.count();
        while has_next(&mut self.cursor, &mut left)? {
            self.field(&mut entry, &mut name)?;
        }
        let resolved = self.pack.resolve(entry, |output| match name {
            Some(name) => Chunks::each(name, |piece| output.extend(piece)),
            None => Ok(()),
        })?;
        let value = match resolved.value {
            Some(((item, at), data_type)) => Some(self.typed(item, data_type, at)?),
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
        if let State::Start = self.state {
            let array = container(&mut self.cursor, ARRAY, "the array of records")?;
            self.state = State::Records(array.count());
        }
        let State::Records(left) = &mut self.state else {
            return Ok(false);
        };
        if has_next(&mut self.cursor, left)? {
            return Ok(true);
        }
        if !self.cursor.is_at_end() {
            return Err(FormatError::Trailing { at: self.cursor.at });
        }
        Ok(false)
    }

    fn field(
        &mut self,
        entry: &mut Entry<Raw<'a>>,
        name: &mut Option<Chunks<'a>>,
    ) -> Result<(), FormatError> {
        let cursor = &mut self.cursor;
        let label = cursor.head()?;
        let field = match label.major {
            UNSIGNED => Field::from_number(label.argument.into()),
            NEGATIVE => Field::from_number(-1 - i128::from(label.argument)),
            TEXT => text_label(cursor.string(label)?, label.at)?,
            _ => {
                return Err(FormatError::Syntax {
                    at: label.at,
                    expected: "a label",
                });
            }
        };
        self.pack.check_field(field, label.at)?;
        let Some(field) = field else {
            return cursor.skip();
        };
        entry.see(field, label.at)?;
        let at = cursor.at;
        match field {
            Field::Name => *name = Some(text(cursor)?),
            Field::BaseName => {
                let base = text(cursor)?;
                self.pack
                    .set_base_name(at, |output| base.each(|piece| output.extend(piece)))?;
            }
            Field::BaseTime => self.pack.set_base_time(number(cursor)?, at)?,
            Field::Time => entry.set_time(number(cursor)?),
            Field::BaseValue => self.pack.set_base_value(number(cursor)?, at)?,
            Field::BaseVersion => self.pack.check_version(number(cursor)?, at)?,
            Field::Value if self.pack.takes_null() && cursor.takes_null() => {
                entry.set_removed(at)?;
            }
            Field::Value
            | Field::StringValue
            | Field::BooleanValue
            | Field::DataValue
            | Field::LinkValue => {
                let item = cursor.item()?;
                let fits = match item {
                    Item::Number(_) | Item::Epoch(_) | Item::Date(_) => field == Field::Value,
                    Item::Boolean(_) => field == Field::BooleanValue,
                    Item::Text(_) => matches!(field, Field::StringValue | Field::LinkValue),
                    Item::Bytes(_) => field == Field::DataValue,
                };
                if !fits {
                    return Err(FormatError::Type { at, expected: None });
                }
                entry.set_value(field, (item, at), at)?;
            }
            Field::BaseUnit | Field::BaseSum | Field::Unit | Field::Sum | Field::UpdateTime => {
                cursor.skip()?;
            }
        }
        Ok(())
    }

    fn typed(
        &mut self,
        item: Item<'a>,
        data_type: Option<DataType>,
        at: usize,
    ) -> Result<Value<'_>, FormatError> {
        let item = match item {
            Item::Number(number) => Item::Number(self.pack.based(number, at)?),
            other => other,
        };
        item.typed(data_type, at, self.scratch)
    }
}

/// The only field with a text label is `vlo`; others are extensions (RFC 8428 §6).
fn text_label(label: Chunks<'_>, at: usize) -> Result<Option<Field>, FormatError> {
    // A longer label is unknown whatever it is; of it only the end matters.
    let mut buffer = [0; 5];
    let mut output = Output::new(&mut buffer);
    let mut last = None;
    let mut fits = true;
    label.each(|piece| {
        last = piece.last().copied().or(last);
        fits = fits && output.extend(piece).is_ok();
        Ok::<_, FormatError>(())
    })?;
    let length = output.len();
    if last == Some(b'_') {
        return Err(FormatError::NotUnderstood { at });
    }
    match Field::from_label(&buffer[..length]).filter(|_| fits) {
        None => Ok(None),
        Some(Field::LinkValue) => Ok(Some(Field::LinkValue)),
        Some(_) => Err(FormatError::Syntax {
            at,
            expected: "the label as a number",
        }),
    }
}

fn text<'a>(cursor: &mut Cursor<'a>) -> Result<Chunks<'a>, FormatError> {
    let head = container(cursor, TEXT, "a text")?;
    cursor.string(head)
}

fn number(cursor: &mut Cursor<'_>) -> Result<Number, FormatError> {
    let at = cursor.at;
    match cursor.item()? {
        Item::Number(number) | Item::Epoch(number) => Ok(number),
        _ => Err(FormatError::Syntax {
            at,
            expected: "a number",
        }),
    }
}

#[derive(Debug)]
pub(super) struct Writer<'b> {
    output: Output<'b>,
    pack: PackWriter<'b>,
    /// The head of the array stands in front, and is set in the end.
    count: u64,
}

impl<'b> Writer<'b> {
    /// `format` is [`ContentFormat::SENML_CBOR`] or [`ContentFormat::SENML_ETCH_CBOR`].
    pub(super) fn new(
        format: ContentFormat,
        mut output: Output<'b>,
        scope: Scope<'b>,
    ) -> Result<Self, FormatError> {
        write_head(&mut output, ARRAY, 0)?;
        Ok(Self {
            output,
            pack: PackWriter::new(format, scope),
            count: 0,
        })
    }

    pub(super) fn record(&mut self, record: &Record<'_>) -> Result<(), FormatError> {
        let Some(fields) = self.pack.record(record)? else {
            return Ok(());
        };
        self.fields(&fields, 1)?;
        let output = &mut self.output;
        let Some(value) = record.value else {
            return output.extend(&[0x02, NULL]);
        };
        match value {
            Value::Integer(_) | Value::Unsigned(_) | Value::Float(_) | Value::Time(_) => {
                output.push(0x02)?;
            }
            Value::String(_) | Value::CoreLink(_) => output.push(0x03)?,
            Value::Boolean(_) => output.push(0x04)?,
            Value::Opaque(_) => output.push(0x08)?,
            Value::ObjectLink(_) => write_text(output, "vlo")?,
        }
        write_value(output, value)
    }

    pub(super) fn name(&mut self, path: &Path) -> Result<(), FormatError> {
        let fields = self.pack.name(path)?;
        self.fields(&fields, 0)
    }

    /// Begins a record with `values` fields to follow.
    fn fields(&mut self, fields: &Fields, values: u64) -> Result<(), FormatError> {
        self.count += 1;
        let output = &mut self.output;
        let root = self.pack.root;
        let name = |output: &mut Output<'_>, part: &NamePart| {
            let (root, rest) = part.parts(root);
            write_head(output, TEXT, (root.len() + rest.len()) as u64)?;
            output.extend(root.as_bytes())?;
            output.extend(rest.as_bytes())
        };
        write_head(output, MAP, fields.count() + values)?;
        if let Some(part) = &fields.base_name {
            output.push(0x21)?;
            name(output, part)?;
        }
        if let Some(time) = fields.base_time {
            output.push(0x22)?;
            write_time(output, time)?;
        }
        if let Some(part) = &fields.name {
            output.push(0x00)?;
            name(output, part)?;
        }
        if let Some(time) = fields.time {
            output.push(0x06)?;
            write_time(output, time)?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<usize, FormatError> {
        let mut head = [0; 9];
        let mut output = Output::new(&mut head);
        write_head(&mut output, ARRAY, self.count)?;
        let length = output.len();
        self.output.set(0, head[0]);
        self.output.insert(1, &head[1..length])?;
        Ok(self.output.len())
    }
}

/// Whole seconds are integers.
fn write_time(output: &mut Output<'_>, time: f64) -> Result<(), FormatError> {
    let whole = time as i64;
    if whole as f64 == time && whole.unsigned_abs() < 1 << 53 {
        write_integer(output, whole)
    } else {
        write_float(output, time)
    }
}

//! Records to TLV.

use super::{MULTIPLE_RESOURCE, OBJECT_INSTANCE, RESOURCE, RESOURCE_INSTANCE};
use crate::format::FormatError;
use crate::format::output::Output;
use crate::{ContentFormat, Level, MAX_ID, Path, Record, Value};

/// The longest value (24 bits of length).
const MAX_LENGTH: usize = 0xFF_FFFF;

const NOT_ACCEPTABLE: FormatError = FormatError::NotAcceptable(ContentFormat::TLV);

/// A container gets its length when it is closed, because only then is it known; what stands in
/// it then moves by up to three bytes.
#[derive(Debug)]
pub(in crate::format) struct Writer<'b> {
    output: Output<'b>,
    target: Path,
    last: Option<Path>,
    instance: Option<Open>,
    multiple: Option<Open>,
}

/// A container whose header has no length yet.
#[derive(Clone, Copy, Debug)]
struct Open {
    path: Path,
    /// Where its header stands.
    at: usize,
    /// Where its content begins.
    content: usize,
}

impl<'b> Writer<'b> {
    pub(in crate::format) fn new(output: Output<'b>, target: Path) -> Result<Self, FormatError> {
        if target.level() == Level::Root {
            return Err(NOT_ACCEPTABLE);
        }
        Ok(Self {
            output,
            target,
            last: None,
            instance: None,
            multiple: None,
        })
    }

    pub(in crate::format) fn record(&mut self, record: &Record<'_>) -> Result<(), FormatError> {
        let path = record.path;
        if !self.target.contains(&path) || self.last.is_some_and(|last| path <= last) {
            return Err(FormatError::Sequence);
        }
        self.last = Some(path);
        if self.multiple.is_some_and(|open| !open.path.contains(&path)) {
            self.close_multiple()?;
        }
        if self.instance.is_some_and(|open| !open.path.contains(&path)) {
            self.close_instance()?;
        }
        let (Some(instance), Some(resource)) = (path.instance_id(), path.resource_id()) else {
            return match record.value {
                Some(_) => Err(FormatError::Sequence),
                None => self.open_instance(path),
            };
        };
        if instance != MAX_ID {
            self.open_instance(path.truncated(Level::ObjectInstance))?;
        }
        match (record.value, path.resource_instance_id()) {
            (None, None) => self.open_multiple(path),
            (Some(value), None) => self.value(RESOURCE, resource, value),
            (None, Some(_)) => Err(FormatError::Sequence),
            (Some(value), Some(id)) => {
                self.open_multiple(path.truncated(Level::Resource))?;
                self.value(RESOURCE_INSTANCE, id, value)
            }
        }
    }

    /// The object instance is left out when the request names it.
    fn open_instance(&mut self, path: Path) -> Result<(), FormatError> {
        if let (Level::Object, None, Some(id)) =
            (self.target.level(), self.instance, path.instance_id())
        {
            self.instance = Some(self.open(OBJECT_INSTANCE, id, path)?);
        }
        Ok(())
    }

    /// The multiple resource is left out when the request names its instance, as peers do.
    fn open_multiple(&mut self, path: Path) -> Result<(), FormatError> {
        if let (None, Some(id)) = (self.multiple, path.resource_id())
            && self.target.level() < Level::ResourceInstance
        {
            self.multiple = Some(self.open(MULTIPLE_RESOURCE, id, path)?);
        }
        Ok(())
    }

    fn open(&mut self, kind: u8, id: u16, path: Path) -> Result<Open, FormatError> {
        let at = self.output.len();
        self.header(kind, id, 0)?;
        Ok(Open {
            path,
            at,
            content: self.output.len(),
        })
    }

    fn close_multiple(&mut self) -> Result<(), FormatError> {
        let open = self.multiple.take();
        self.close(MULTIPLE_RESOURCE, open)
    }

    fn close_instance(&mut self) -> Result<(), FormatError> {
        let open = self.instance.take();
        self.close(OBJECT_INSTANCE, open)
    }

    fn close(&mut self, kind: u8, open: Option<Open>) -> Result<(), FormatError> {
        let Some(open) = open else {
            return Ok(());
        };
        let length = self.output.len() - open.content;
        let (bits, bytes, skip) = length_field(length)?;
        let wide = (open.content - open.at > 2) as u8;
        self.output.set(open.at, kind << 6 | wide << 5 | bits);
        self.output.insert(open.content, &bytes[skip..])
    }

    fn header(&mut self, kind: u8, id: u16, length: usize) -> Result<(), FormatError> {
        let (bits, bytes, skip) = length_field(length)?;
        match u8::try_from(id) {
            Ok(id) => self.output.extend(&[kind << 6 | bits, id])?,
            Err(_) => {
                let [high, low] = id.to_be_bytes();
                self.output
                    .extend(&[kind << 6 | 1 << 5 | bits, high, low])?;
            }
        }
        self.output.extend(&bytes[skip..])
    }

    fn value(&mut self, kind: u8, id: u16, value: Value<'_>) -> Result<(), FormatError> {
        let mut bytes = [0; 8];
        let content = match value {
            Value::String(text) | Value::CoreLink(text) => text.as_bytes(),
            Value::Opaque(bytes) => bytes,
            Value::Integer(number) | Value::Time(number) => {
                bytes = number.to_be_bytes();
                &bytes[8 - signed_width(number)..]
            }
            Value::Unsigned(number) => {
                bytes = number.to_be_bytes();
                &bytes[8 - unsigned_width(number)..]
            }
            Value::Float(number) => {
                let single = number as f32;
                if f64::from(single) == number || number.is_nan() {
                    bytes[..4].copy_from_slice(&single.to_be_bytes());
                    &bytes[..4]
                } else {
                    bytes = number.to_be_bytes();
                    &bytes
                }
            }
            Value::Boolean(truth) => {
                bytes[0] = truth.into();
                &bytes[..1]
            }
            Value::ObjectLink(link) => {
                bytes[..2].copy_from_slice(&link.object.to_be_bytes());
                bytes[2..4].copy_from_slice(&link.instance.to_be_bytes());
                &bytes[..4]
            }
        };
        self.header(kind, id, content.len())?;
        self.output.extend(content)
    }

    pub(in crate::format) fn finish(mut self) -> Result<usize, FormatError> {
        self.close_multiple()?;
        self.close_instance()?;
        Ok(self.output.len())
    }
}

/// The low bits of the first byte, and the length as three bytes of which the first `skip` are
/// left out.
fn length_field(length: usize) -> Result<(u8, [u8; 3], usize), FormatError> {
    let [.., a, b, c] = (length as u64).to_be_bytes();
    let bytes = [a, b, c];
    match length {
        0..=7 => Ok((length as u8, bytes, 3)),
        8..=0xFF => Ok((0b01 << 3, bytes, 2)),
        0x100..=0xFFFF => Ok((0b10 << 3, bytes, 1)),
        0x1_0000..=MAX_LENGTH => Ok((0b11 << 3, bytes, 0)),
        _ => Err(NOT_ACCEPTABLE),
    }
}

const fn signed_width(number: i64) -> usize {
    if number == number as i8 as i64 {
        1
    } else if number == number as i16 as i64 {
        2
    } else if number == number as i32 as i64 {
        4
    } else {
        8
    }
}

const fn unsigned_width(number: u64) -> usize {
    match number {
        0..=0xFF => 1,
        0x100..=0xFFFF => 2,
        0x1_0000..=0xFFFF_FFFF => 4,
        _ => 8,
    }
}

//! TLV to records.

use super::{MULTIPLE_RESOURCE, OBJECT_INSTANCE, RESOURCE};
use crate::definition::Types;
use crate::format::FormatError;
use crate::{ContentFormat, DataType, Level, MAX_ID, ObjectLink, Path, Record, Value};

/// How many siblings are looked at again, in one payload, to find ids that stand twice. Ids in
/// ascending order cost nothing.
const DUPLICATE_BUDGET: usize = 1 << 16;

/// Walks the payload without a stack: there are at most two open containers.
pub(in crate::format) struct Reader<'a> {
    payload: &'a [u8],
    at: usize,
    target: Path,
    object: u16,
    types: &'a dyn Types,
    /// The innermost open container.
    row: Siblings,
    /// The id of the open object instance, and the row it stands in.
    instance: Option<(u16, Siblings)>,
    /// The path of the open multiple resource, and the row it stands in.
    multiple: Option<(Path, Siblings)>,
    /// The last resource whose type was asked for.
    known: Option<(u16, Option<DataType>)>,
    budget: usize,
}

/// A row of TLVs in one container.
#[derive(Clone, Copy)]
struct Siblings {
    start: usize,
    end: usize,
    /// The kind and id of the last.
    last: Option<(u8, u16)>,
}

struct Header {
    at: usize,
    kind: u8,
    id: u16,
    start: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    pub(in crate::format) fn new(
        payload: &'a [u8],
        target: Path,
        types: &'a dyn Types,
    ) -> Result<Self, FormatError> {
        let object = target
            .object_id()
            .ok_or(FormatError::UnfitForTarget(ContentFormat::TLV))?;
        Ok(Self {
            payload,
            at: 0,
            target,
            object,
            types,
            row: Siblings {
                start: 0,
                end: payload.len(),
                last: None,
            },
            instance: None,
            multiple: None,
            known: None,
            budget: DUPLICATE_BUDGET,
        })
    }

    #[inline]
    pub(in crate::format) fn next_record(&mut self) -> Result<Option<Record<'_>>, FormatError> {
        loop {
            while self.at >= self.row.end {
                if let Some((_, outer)) = self.multiple.take() {
                    self.row = outer;
                } else if let Some((_, outer)) = self.instance.take() {
                    self.row = outer;
                } else {
                    return Ok(None);
                }
            }
            let header = read_header(self.payload, self.at, self.row.end)?;
            self.check_siblings(&header)?;
            let children = Siblings {
                start: header.start,
                end: header.end,
                last: None,
            };
            let is_empty = header.start == header.end;
            self.at = header.start;
            match header.kind {
                OBJECT_INSTANCE => {
                    let path = self.instance_path(&header)?;
                    if is_empty {
                        // Around a resource that the request names there is nothing to tell.
                        if !self.target.contains(&path) {
                            continue;
                        }
                        return Ok(Some(Record::empty(path)));
                    }
                    self.instance = Some((header.id, self.row));
                    self.row = children;
                }
                MULTIPLE_RESOURCE => {
                    let instance = self.instance_of_resource(&header)?;
                    let path = Path::resource(self.object, instance, header.id);
                    if is_empty {
                        if !self.target.contains(&path) {
                            continue;
                        }
                        return Ok(Some(Record::empty(path)));
                    }
                    self.multiple = Some((path, self.row));
                    self.row = children;
                }
                RESOURCE => {
                    let instance = self.instance_of_resource(&header)?;
                    if self.target.level() == Level::ResourceInstance {
                        return Err(FormatError::OutOfScope { at: header.at });
                    }
                    let value = self.value(header.id, &header)?;
                    let path = Path::resource(self.object, instance, header.id);
                    return Ok(Some(Record::new(path, value)));
                }
                // There are four kinds; this is the resource instance.
                _ => {
                    let path = self.resource_instance_path(&header)?;
                    let value = self.value(path.resource_id().unwrap_or(MAX_ID), &header)?;
                    return Ok(Some(Record::new(path, value)));
                }
            }
        }
    }

    /// An id must not stand twice in one container; whether the resource is single or multiple
    /// makes no difference. Object instances, resources and resource instances do not stand side
    /// by side.
    #[inline]
    fn check_siblings(&mut self, header: &Header) -> Result<(), FormatError> {
        let siblings = &mut self.row;
        let last = siblings.last;
        if last.is_some_and(|(kind, _)| !same_space(kind, header.kind)) {
            return Err(FormatError::Syntax {
                at: header.at,
                expected: "the same kind as before",
            });
        }
        if last.is_none_or(|(_, id)| id < header.id) {
            siblings.last = Some((header.kind, header.id));
            return Ok(());
        }
        // `last` stays: the ids up to it are known to differ, and a later one above it is new.
        let mut at = siblings.start;
        while at < header.at {
            self.budget = self.budget.checked_sub(1).ok_or(FormatError::Syntax {
                at: header.at,
                expected: "ids in ascending order",
            })?;
            let earlier = read_header(self.payload, at, siblings.end)?;
            if earlier.id == header.id {
                return Err(FormatError::Duplicate { at: header.at });
            }
            at = earlier.end;
        }
        Ok(())
    }

    #[inline]
    fn instance_path(&self, header: &Header) -> Result<Path, FormatError> {
        if self.instance.is_some() || self.multiple.is_some() {
            return Err(FormatError::Syntax {
                at: header.at,
                expected: "a resource, not an object instance",
            });
        }
        match self.target.instance_id() {
            Some(id) if id != header.id => Err(FormatError::OutOfScope { at: header.at }),
            None if header.id == MAX_ID => Err(FormatError::Name { at: header.at }),
            _ => Ok(Path::instance(self.object, header.id)),
        }
    }

    /// The object instance a resource belongs to.
    #[inline]
    fn instance_of_resource(&self, header: &Header) -> Result<u16, FormatError> {
        if self.multiple.is_some() {
            return Err(FormatError::Syntax {
                at: header.at,
                expected: "a resource instance",
            });
        }
        let instance = match (self.instance, self.target.instance_id()) {
            (Some((id, _)), _) | (None, Some(id)) => id,
            // Create without an instance id: the device chooses (Core 1.2 §6.3.6).
            (None, None) => MAX_ID,
        };
        match self.target.resource_id() {
            Some(id) if id != header.id => Err(FormatError::OutOfScope { at: header.at }),
            None if header.id == MAX_ID => Err(FormatError::Name { at: header.at }),
            _ => Ok(instance),
        }
    }

    /// A resource instance stands in a multiple resource, or bare when the request names its
    /// resource.
    fn resource_instance_path(&self, header: &Header) -> Result<Path, FormatError> {
        let outside = FormatError::Syntax {
            at: header.at,
            expected: "a multiple resource around the resource instance",
        };
        let resource = match self.multiple {
            Some((resource, _)) => resource,
            None if self.instance.is_some() || self.target.level() < Level::Resource => {
                return Err(outside);
            }
            None => self.target.truncated(Level::Resource),
        };
        if header.id == MAX_ID {
            return Err(FormatError::Name { at: header.at });
        }
        match self.target.resource_instance_id() {
            Some(id) if id != header.id => Err(FormatError::OutOfScope { at: header.at }),
            _ => resource.child(header.id).ok_or(outside),
        }
    }

    #[inline(always)]
    fn value(&mut self, resource: u16, header: &Header) -> Result<Value<'a>, FormatError> {
        let payload = self.payload;
        let bytes = payload
            .get(header.start..header.end)
            .ok_or(FormatError::Truncated { at: payload.len() })?;
        self.at = header.end;
        let data_type = match self.known {
            Some((id, data_type)) if id == resource => data_type,
            _ => {
                let data_type = self
                    .types
                    .resource_type(self.object, resource)
                    .and_then(|resource| resource.data_type);
                self.known = Some((resource, data_type));
                data_type
            }
        };
        typed(bytes, data_type, header.start)
    }
}

/// Whether two kinds take their ids from one space.
const fn same_space(left: u8, right: u8) -> bool {
    matches!(left, RESOURCE | MULTIPLE_RESOURCE) == matches!(right, RESOURCE | MULTIPLE_RESOURCE)
        && (left == OBJECT_INSTANCE) == (right == OBJECT_INSTANCE)
}

#[inline(always)]
fn read_header(payload: &[u8], at: usize, limit: usize) -> Result<Header, FormatError> {
    let truncated = FormatError::Truncated { at: limit };
    let bytes = payload.get(at..limit).ok_or(truncated)?;
    let (&kind, rest) = bytes.split_first().ok_or(truncated)?;
    let (id, rest) = if kind & 0b0010_0000 == 0 {
        let (&id, rest) = rest.split_first().ok_or(truncated)?;
        (u16::from(id), rest)
    } else {
        let (id, rest) = rest.split_first_chunk().ok_or(truncated)?;
        (u16::from_be_bytes(*id), rest)
    };
    let (length, rest) = match kind >> 3 & 0b11 {
        0 => (usize::from(kind & 0b111), rest),
        size => {
            let (length, rest) = rest.split_at_checked(usize::from(size)).ok_or(truncated)?;
            let length = length
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte));
            (length, rest)
        }
    };
    if length > rest.len() {
        return Err(truncated);
    }
    let start = limit - rest.len();
    Ok(Header {
        at,
        kind: kind >> 6,
        id,
        start,
        end: start + length,
    })
}

/// Table C-2, column TLV.
#[inline(always)]
fn typed(bytes: &[u8], data_type: Option<DataType>, at: usize) -> Result<Value<'_>, FormatError> {
    let mismatch = FormatError::Type {
        at,
        expected: data_type,
    };
    let text = |bytes| core::str::from_utf8(bytes).map_err(|_| FormatError::Utf8 { at });
    Ok(match data_type {
        None | Some(DataType::Opaque) => Value::Opaque(bytes),
        Some(DataType::String) => Value::String(text(bytes)?),
        Some(DataType::CoreLink) => Value::CoreLink(text(bytes)?),
        Some(DataType::Integer) => Value::Integer(signed(bytes).ok_or(mismatch)?),
        Some(DataType::Time) => Value::Time(signed(bytes).ok_or(mismatch)?),
        Some(DataType::Unsigned) => Value::Unsigned(match *bytes {
            [a] => a.into(),
            [a, b] => u16::from_be_bytes([a, b]).into(),
            [a, b, c, d] => u32::from_be_bytes([a, b, c, d]).into(),
            [a, b, c, d, e, f, g, h] => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            _ => return Err(mismatch),
        }),
        Some(DataType::Float) => Value::Float(match *bytes {
            [a, b, c, d] => f32::from_be_bytes([a, b, c, d]).into(),
            [a, b, c, d, e, f, g, h] => f64::from_be_bytes([a, b, c, d, e, f, g, h]),
            _ => return Err(mismatch),
        }),
        Some(DataType::Boolean) => Value::Boolean(match bytes {
            [0] => false,
            [1] => true,
            _ => return Err(mismatch),
        }),
        Some(DataType::ObjectLink) => match *bytes {
            [a, b, c, d] => Value::ObjectLink(ObjectLink {
                object: u16::from_be_bytes([a, b]),
                instance: u16::from_be_bytes([c, d]),
            }),
            _ => return Err(mismatch),
        },
    })
}

fn signed(bytes: &[u8]) -> Option<i64> {
    Some(match *bytes {
        [a] => i8::from_be_bytes([a]).into(),
        [a, b] => i16::from_be_bytes([a, b]).into(),
        [a, b, c, d] => i32::from_be_bytes([a, b, c, d]).into(),
        [a, b, c, d, e, f, g, h] => i64::from_be_bytes([a, b, c, d, e, f, g, h]),
        _ => return None,
    })
}

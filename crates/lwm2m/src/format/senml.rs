//! What SenML JSON and SenML CBOR share (RFC 8428; Core 1.2 §7.5.6, §7.5.7): names, base fields,
//! times and which field carries which type.
//!
//! Base values (`bv`) are added to values, as RFC 8428 §4.5 demands; units and sums (`bu`, `u`, `bs`,
//! `s`, `ut`) have no meaning in LwM2M and are ignored.
//!
//! SenML-ETCH (RFC 8790) has the same grammar. A Fetch pack is a list of names, a Patch pack one of
//! values, where a null removes; which of the two a payload is, the operation tells.

use super::number::{Number, write_integer};
use super::output::Output;
use super::{FormatError, Scope};
use crate::definition::Types;
use crate::{ContentFormat, DataType, Level, MAX_ID, Path, Record, Value};

/// The longest name: any path below an alternate path of some 100 characters.
const MAX_NAME: usize = 128;

/// What a pack says, which its content does not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Values, of a single operation or an answer.
    Data,
    /// The path list of a composite request.
    Names,
    /// The same as a Fetch pack.
    Fetch,
    /// The values of a Write-Composite.
    Write,
    /// The same as a Patch pack.
    Patch,
}

impl Purpose {
    /// Refuses what must not stand in such a pack; `field` is `None` when its label is unknown.
    #[inline]
    fn check(self, field: Option<Field>, at: usize) -> Result<(), FormatError> {
        use Field::{
            BaseName, BaseTime, BaseUnit, BooleanValue, DataValue, LinkValue, Name, StringValue,
            Time, Unit, Value,
        };
        let refused = match self {
            Self::Data | Self::Write | Self::Patch => false,
            Self::Names => matches!(
                field,
                Some(Value | StringValue | BooleanValue | DataValue | LinkValue)
            ),
            // RFC 8790 §3.1
            Self::Fetch => !matches!(
                field,
                Some(Name | BaseName | Time | BaseTime | Unit | BaseUnit)
            ),
        };
        if refused {
            return Err(FormatError::NotAName { at });
        }
        Ok(())
    }
}

/// A field of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Field {
    BaseVersion,
    BaseName,
    BaseTime,
    BaseUnit,
    BaseValue,
    BaseSum,
    Name,
    Unit,
    Value,
    StringValue,
    BooleanValue,
    Sum,
    Time,
    UpdateTime,
    DataValue,
    LinkValue,
}

impl Field {
    /// The field of a JSON label.
    #[inline]
    pub(super) const fn from_label(label: &[u8]) -> Option<Self> {
        Some(match label {
            b"n" => Self::Name,
            b"v" => Self::Value,
            b"vs" => Self::StringValue,
            b"vb" => Self::BooleanValue,
            b"vd" => Self::DataValue,
            b"vlo" => Self::LinkValue,
            b"bn" => Self::BaseName,
            b"t" => Self::Time,
            b"bt" => Self::BaseTime,
            b"bv" => Self::BaseValue,
            b"bver" => Self::BaseVersion,
            b"bu" => Self::BaseUnit,
            b"bs" => Self::BaseSum,
            b"u" => Self::Unit,
            b"s" => Self::Sum,
            b"ut" => Self::UpdateTime,
            _ => return None,
        })
    }

    /// The field of a CBOR label (RFC 8428 §6).
    #[inline]
    pub(super) const fn from_number(number: i128) -> Option<Self> {
        Some(match number {
            -6 => Self::BaseSum,
            -5 => Self::BaseValue,
            -4 => Self::BaseUnit,
            -3 => Self::BaseTime,
            -2 => Self::BaseName,
            -1 => Self::BaseVersion,
            0 => Self::Name,
            1 => Self::Unit,
            2 => Self::Value,
            3 => Self::StringValue,
            4 => Self::BooleanValue,
            5 => Self::Sum,
            6 => Self::Time,
            7 => Self::UpdateTime,
            8 => Self::DataValue,
            _ => return None,
        })
    }

    /// The type of the value in this field: the resource's, when they agree.
    pub(super) fn data_type(self, resource: Option<DataType>) -> Result<Option<DataType>, ()> {
        use DataType::{
            Boolean, CoreLink, Float, Integer, ObjectLink, Opaque, String, Time, Unsigned,
        };
        match (self, resource) {
            (Self::Value, None | Some(Integer | Unsigned | Float | Time)) => Ok(resource),
            (Self::StringValue, None | Some(String)) => Ok(Some(String)),
            (Self::StringValue, Some(CoreLink)) => Ok(Some(CoreLink)),
            (Self::BooleanValue, None | Some(Boolean)) => Ok(Some(Boolean)),
            (Self::DataValue, None | Some(Opaque)) => Ok(Some(Opaque)),
            (Self::LinkValue, None | Some(ObjectLink)) => Ok(Some(ObjectLink)),
            _ => Err(()),
        }
    }
}

/// What has been read of one record.
pub(super) struct Entry<T> {
    at: usize,
    seen: u16,
    time: Option<Number>,
    value: Option<(Field, T)>,
    /// The value is null.
    removed: bool,
}

impl<T> Entry<T> {
    pub(super) const fn new(at: usize) -> Self {
        Self {
            at,
            seen: 0,
            time: None,
            value: None,
            removed: false,
        }
    }

    /// No field may stand twice.
    #[inline]
    pub(super) fn see(&mut self, field: Field, at: usize) -> Result<(), FormatError> {
        let bit = 1 << field as u8;
        if self.seen & bit != 0 {
            return Err(FormatError::Duplicate { at });
        }
        self.seen |= bit;
        Ok(())
    }

    /// There may be one value only.
    pub(super) fn set_value(
        &mut self,
        field: Field,
        value: T,
        at: usize,
    ) -> Result<(), FormatError> {
        if self.value.is_some() || self.removed {
            return Err(FormatError::SeveralValues { at });
        }
        self.value = Some((field, value));
        Ok(())
    }

    /// A null stands where the value belongs.
    pub(super) fn set_removed(&mut self, at: usize) -> Result<(), FormatError> {
        if self.value.is_some() || self.removed {
            return Err(FormatError::SeveralValues { at });
        }
        self.removed = true;
        Ok(())
    }

    pub(super) fn set_time(&mut self, time: Number) {
        self.time = Some(time);
    }
}

/// What an entry says, still to be given its type.
pub(super) struct Resolved<T> {
    pub(super) path: Path,
    pub(super) time: Option<f64>,
    /// The value, and the type it must have.
    pub(super) value: Option<(T, Option<DataType>)>,
}

/// What holds for all records of a pack so far.
pub(super) struct Pack<'a> {
    scope: Scope<'a>,
    purpose: Purpose,
    types: &'a dyn Types,
    name: [u8; MAX_NAME],
    base_length: usize,
    base_time: Option<f64>,
    base_value: Option<Number>,
    /// The last resource whose type was asked for.
    known: Option<((u16, u16), Option<DataType>)>,
}

impl<'a> Pack<'a> {
    pub(super) fn new(scope: Scope<'a>, purpose: Purpose, types: &'a dyn Types) -> Self {
        let root = scope.root.strip_suffix('/').unwrap_or(scope.root);
        Self {
            scope: Scope { root, ..scope },
            purpose,
            types,
            name: [0; MAX_NAME],
            base_length: 0,
            base_time: None,
            base_value: None,
            known: None,
        }
    }

    /// Refuses a field that must not stand in this pack; `None` when its label is unknown.
    #[inline]
    pub(super) fn check_field(&self, field: Option<Field>, at: usize) -> Result<(), FormatError> {
        self.purpose.check(field, at)
    }

    /// Whether a null may stand for a value, and removes.
    #[inline]
    pub(super) fn takes_null(&self) -> bool {
        self.purpose == Purpose::Patch
    }

    /// Sets the base name to what `write` writes.
    pub(super) fn set_base_name(
        &mut self,
        at: usize,
        write: impl FnOnce(&mut Output<'_>) -> Result<(), FormatError>,
    ) -> Result<(), FormatError> {
        let mut output = Output::new(&mut self.name);
        write(&mut output).map_err(|_| FormatError::Name { at })?;
        self.base_length = output.len();
        Ok(())
    }

    pub(super) fn set_base_time(&mut self, time: Number, at: usize) -> Result<(), FormatError> {
        let time = time.as_f64();
        if !time.is_finite() {
            return Err(FormatError::Range { at });
        }
        // A base of zero is the same as none (RFC 8428 §4.1).
        self.base_time = (time != 0.0).then_some(time);
        Ok(())
    }

    pub(super) fn set_base_value(&mut self, value: Number, at: usize) -> Result<(), FormatError> {
        if !value.as_f64().is_finite() {
            return Err(FormatError::Range { at });
        }
        self.base_value = Some(value);
        Ok(())
    }

    /// Versions above 10 must not be used (RFC 8428 §4.4).
    pub(super) fn check_version(&self, version: Number, at: usize) -> Result<(), FormatError> {
        match version.typed(Some(DataType::Integer), at)? {
            Value::Integer(1..=10) => Ok(()),
            _ => Err(FormatError::NotUnderstood { at }),
        }
    }

    /// A number with the base value added (RFC 8428 §4.5).
    pub(super) fn based(&self, number: Number, at: usize) -> Result<Number, FormatError> {
        match self.base_value {
            Some(base) => number.plus(base).ok_or(FormatError::Range { at }),
            None => Ok(number),
        }
    }

    /// Resolves an entry whose name, behind the base name, is what `write` writes.
    pub(super) fn resolve<T>(
        &mut self,
        entry: Entry<T>,
        write: impl FnOnce(&mut Output<'_>) -> Result<(), FormatError>,
    ) -> Result<Resolved<T>, FormatError> {
        let at = entry.at;
        let path = self.path(at, write)?;
        let time = match (self.base_time, entry.time.map(Number::as_f64)) {
            (None, time) => time,
            (Some(base), None) => Some(base),
            (Some(base), Some(time)) => Some(base + time),
        };
        if time.is_some_and(|time| !time.is_finite()) {
            return Err(FormatError::Range { at });
        }
        let value = match entry.value {
            None if entry.removed => {
                // Only resource instances can be removed (Core 1.2 §6.3.9).
                if path.level() != Level::ResourceInstance {
                    let expected = self.data_type(&path, at)?;
                    return Err(FormatError::Type { at, expected });
                }
                None
            }
            None if matches!(self.purpose, Purpose::Write | Purpose::Patch) => {
                return Err(FormatError::NoValue { at });
            }
            None => None,
            Some((field, value)) => {
                let known = self.data_type(&path, at)?;
                let data_type = field.data_type(known).map_err(|()| FormatError::Type {
                    at,
                    expected: known,
                })?;
                Some((value, data_type))
            }
        };
        Ok(Resolved { path, time, value })
    }

    #[inline]
    fn path(
        &mut self,
        at: usize,
        write: impl FnOnce(&mut Output<'_>) -> Result<(), FormatError>,
    ) -> Result<Path, FormatError> {
        let (_, room) = self.name.split_at_mut(self.base_length);
        let mut output = Output::new(room);
        write(&mut output).map_err(|_| FormatError::Name { at })?;
        let length = self.base_length + output.len();
        let name = &self.name[..length];
        let name = match self.scope.root.as_bytes() {
            b"" => name,
            root => name.strip_prefix(root).ok_or(match name.first() {
                Some(b'/') => FormatError::OutOfScope { at },
                _ => FormatError::Name { at },
            })?,
        };
        let path = match name {
            // With an alternate path its root may do without the slash.
            b"" if !self.scope.root.is_empty() => Path::ROOT,
            name => parse_path(name).ok_or(FormatError::Name { at })?,
        };
        if path.ids().contains(&MAX_ID) {
            return Err(FormatError::Name { at });
        }
        if !self.scope.target.contains(&path) {
            return Err(FormatError::OutOfScope { at });
        }
        Ok(path)
    }

    /// The type of a resource; only resources and their instances have values.
    #[inline]
    fn data_type(&mut self, path: &Path, at: usize) -> Result<Option<DataType>, FormatError> {
        let (Some(object), Some(resource)) = (path.object_id(), path.resource_id()) else {
            return Err(FormatError::Name { at });
        };
        match self.known {
            Some((known, data_type)) if known == (object, resource) => Ok(data_type),
            _ => {
                let data_type = self
                    .types
                    .resource_type(object, resource)
                    .and_then(|resource| resource.data_type);
                self.known = Some(((object, resource), data_type));
                Ok(data_type)
            }
        }
    }
}

/// Reads `/3/0/9`, or `/`.
pub(super) fn parse_path(name: &[u8]) -> Option<Path> {
    let (b'/', mut rest) = name.split_first()? else {
        return None;
    };
    if rest.is_empty() {
        return Some(Path::ROOT);
    }
    let mut ids = [0; 4];
    let mut count = 0;
    loop {
        let mut id = 0_u32;
        let mut length = 0;
        let ends = loop {
            match rest.get(length) {
                Some(digit @ b'0'..=b'9') if length < 5 => id = id * 10 + u32::from(digit - b'0'),
                Some(b'/') => break false,
                None => break true,
                Some(_) => return None,
            }
            length += 1;
        };
        if length == 0 || (length > 1 && rest.first() == Some(&b'0')) {
            return None;
        }
        *ids.get_mut(count)? = u16::try_from(id).ok()?;
        count += 1;
        if ends {
            break;
        }
        rest = rest.get(length + 1..)?;
    }
    let [object, instance, resource, resource_instance] = ids;
    Some(match count {
        1 => Path::object(object),
        2 => Path::instance(object, instance),
        3 => Path::resource(object, instance, resource),
        _ => Path::resource_instance(object, instance, resource, resource_instance),
    })
}

/// A name, or a part of one, to be written.
#[derive(Debug)]
pub(super) struct NamePart {
    /// Whether the alternate path comes first.
    rooted: bool,
    text: [u8; 26],
    length: usize,
}

impl NamePart {
    fn new(rooted: bool, lead: bool, ids: &[u16], trail: bool) -> Result<Self, FormatError> {
        let mut part = Self {
            rooted,
            text: [0; 26],
            length: 0,
        };
        let mut output = Output::new(&mut part.text);
        for (index, id) in ids.iter().enumerate() {
            if index > 0 || lead {
                output.push(b'/')?;
            }
            write_integer(&mut output, (*id).into())?;
        }
        if trail {
            output.push(b'/')?;
        }
        part.length = output.len();
        Ok(part)
    }

    /// The alternate path, or nothing, and the rest.
    pub(super) fn parts<'s>(&'s self, root: &'s str) -> (&'s str, &'s str) {
        let text = self.text.get(..self.length).unwrap_or(&[]);
        (
            if self.rooted { root } else { "" },
            core::str::from_utf8(text).unwrap_or(""),
        )
    }
}

/// The fields besides the value that a record needs.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) base_name: Option<NamePart>,
    pub(super) base_time: Option<f64>,
    pub(super) name: Option<NamePart>,
    pub(super) time: Option<f64>,
}

impl Fields {
    pub(super) fn count(&self) -> u64 {
        u64::from(self.base_name.is_some())
            + u64::from(self.base_time.is_some())
            + u64::from(self.name.is_some())
            + u64::from(self.time.is_some())
    }
}

/// The base name that was written last; it is always made of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    None,
    /// `/3/0`
    Exact,
    /// `/3/0/`
    Slash,
}

/// Chooses names and times for a pack that is written.
#[derive(Debug)]
pub(super) struct PackWriter<'b> {
    format: ContentFormat,
    target: Path,
    pub(super) root: &'b str,
    base: Base,
    base_time: Option<f64>,
}

impl<'b> PackWriter<'b> {
    pub(super) fn new(format: ContentFormat, scope: Scope<'b>) -> Self {
        Self {
            format,
            target: scope.target,
            root: scope.root.strip_suffix('/').unwrap_or(scope.root),
            base: Base::None,
            base_time: None,
        }
    }

    /// The error for what this format has no words for.
    pub(super) fn not_acceptable(&self) -> FormatError {
        FormatError::NotAcceptable(self.format)
    }

    /// The fields for a record, `None` when it is left out. Without a value it is a removal in
    /// SenML-ETCH; SenML has no words for it.
    pub(super) fn record(&mut self, record: &Record<'_>) -> Result<Option<Fields>, FormatError> {
        let lowest = match (record.value, self.format) {
            (Some(_), _) => Level::Resource,
            (None, ContentFormat::SENML_ETCH_JSON | ContentFormat::SENML_ETCH_CBOR) => {
                Level::ResourceInstance
            }
            (None, _) => return Ok(None),
        };
        if record.path.level() < lowest {
            return Err(FormatError::Sequence);
        }
        let mut fields = Fields::default();
        let is_target = record.path == self.target;
        if self.base == Base::None || (is_target && self.base == Base::Slash) {
            self.base = if is_target { Base::Exact } else { Base::Slash };
            fields.base_name = Some(NamePart::new(
                true,
                true,
                self.target.ids(),
                self.base == Base::Slash,
            )?);
        }
        fields.name = self.relative(&record.path)?;
        if record.time.is_some_and(|time| !time.is_finite()) {
            return Err(self.not_acceptable());
        }
        match (self.base_time, record.time) {
            (None, None) => {}
            (Some(_), None) => {
                fields.base_time = Some(0.0);
                self.base_time = None;
            }
            (Some(base), Some(time)) if base == time => {}
            (Some(base), Some(time)) if base + (time - base) == time => {
                fields.time = Some(time - base);
            }
            (None, Some(0.0)) => fields.time = Some(0.0),
            (_, Some(time)) => {
                fields.base_time = Some(time);
                self.base_time = Some(time);
            }
        }
        Ok(Some(fields))
    }

    /// The fields for a bare name. Names and values do not stand in one pack.
    pub(super) fn name(&mut self, path: &Path) -> Result<Fields, FormatError> {
        if self.base != Base::None || !self.target.contains(path) {
            return Err(FormatError::Sequence);
        }
        let is_root = path.level() == Level::Root;
        Ok(Fields {
            name: Some(NamePart::new(true, true, path.ids(), is_root)?),
            ..Fields::default()
        })
    }

    /// What follows the base name; `None` when nothing does.
    fn relative(&self, path: &Path) -> Result<Option<NamePart>, FormatError> {
        let ids = path
            .ids()
            .strip_prefix(self.target.ids())
            .ok_or(FormatError::Sequence)?;
        if ids.is_empty() {
            return Ok(None);
        }
        NamePart::new(false, self.base == Base::Exact, ids, false).map(Some)
    }
}

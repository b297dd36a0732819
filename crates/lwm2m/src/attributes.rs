//! Notification attributes (Core 1.2 §7.3.2; Core 1.0 and 1.1 §5.1).

use core::fmt;

use crate::scratch::Scratch;
use crate::{DataType, Level};

/// The name of an attribute that Write-Attributes can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Attribute {
    /// `pmin`, Minimum Period in seconds.
    Pmin,
    /// `pmax`, Maximum Period in seconds; 0 stands for none.
    Pmax,
    /// `gt`, Greater Than.
    Gt,
    /// `lt`, Less Than.
    Lt,
    /// `st`, Step.
    St,
    /// `epmin`, Minimum Evaluation Period in seconds (since 1.1).
    Epmin,
    /// `epmax`, Maximum Evaluation Period in seconds (since 1.1).
    Epmax,
    /// `edge`, true for the rising edge of a Boolean (since 1.2).
    Edge,
    /// `con`, whether notifications are Confirmable (since 1.2).
    Con,
    /// `hqmax`, Maximum Historical Queue in entries (since 1.2).
    Hqmax,
}

impl Attribute {
    /// Every attribute, in the order in which they are written.
    pub const ALL: [Self; 10] = [
        Self::Pmin,
        Self::Pmax,
        Self::Gt,
        Self::Lt,
        Self::St,
        Self::Epmin,
        Self::Epmax,
        Self::Edge,
        Self::Con,
        Self::Hqmax,
    ];

    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pmin => "pmin",
            Self::Pmax => "pmax",
            Self::Gt => "gt",
            Self::Lt => "lt",
            Self::St => "st",
            Self::Epmin => "epmin",
            Self::Epmax => "epmax",
            Self::Edge => "edge",
            Self::Con => "con",
            Self::Hqmax => "hqmax",
        }
    }

    /// The attribute of a name; names are case-sensitive here, as the ABNF of Core 1.2 Table
    /// 7.3.2-1 spells them.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|attribute| attribute.name() == name)
    }

    /// Whether the attribute may only stand at a resource or resource instance.
    pub const fn is_for_resources_only(self) -> bool {
        matches!(self, Self::Gt | Self::Lt | Self::St | Self::Edge)
    }

    fn fits(self, data_type: DataType) -> bool {
        match self {
            Self::Gt | Self::Lt | Self::St => matches!(
                data_type,
                DataType::Integer | DataType::Unsigned | DataType::Float | DataType::Time
            ),
            Self::Edge => data_type == DataType::Boolean,
            _ => true,
        }
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The value of an attribute. Displayed as it stands on the wire: plain decimals, 0 and 1 for
/// truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AttributeValue {
    /// Seconds or entries.
    Integer(u32),
    /// A threshold or step; always finite.
    Float(f64),
    /// `edge` and `con`.
    Boolean(bool),
}

impl AttributeValue {
    fn parse(attribute: Attribute, text: &str) -> Option<Self> {
        match attribute {
            Attribute::Gt | Attribute::Lt | Attribute::St => parse_decimal(text).map(Self::Float),
            Attribute::Edge | Attribute::Con => match text {
                "0" => Some(Self::Boolean(false)),
                "1" => Some(Self::Boolean(true)),
                _ => None,
            },
            _ => parse_integer(text).map(Self::Integer),
        }
    }
}

impl fmt::Display for AttributeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => write!(f, "{number}"),
            // Rust prints floats without an exponent and in the shortest form that reads back as
            // the same number. Only numbers that would fill a line get an exponent, which peers
            // accept more often than 300 digits.
            Self::Float(number) => match Scratch::<PLAIN>::format(format_args!("{number}")) {
                Some(_) => write!(f, "{number}"),
                None => write!(f, "{number:e}"),
            },
            Self::Boolean(truth) => f.write_str(if *truth { "1" } else { "0" }),
        }
    }
}

/// The longest plain decimal that is written; longer ones get an exponent.
const PLAIN: usize = 32;

/// Reads `1*DIGIT` up to 2^32 - 1.
fn parse_integer(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Reads `["-"] 1*DIGIT ["." 1*DIGIT] [("e" / "E") ["-" / "+"] 1*DIGIT]`. The ABNF of the
/// standard has neither sign nor exponent, which leaves no way to write a threshold in dBm;
/// both are accepted.
fn parse_decimal(text: &str) -> Option<f64> {
    fn digits(text: &str) -> bool {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
    }
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let well_formed = digits(whole)
        && fraction.is_none_or(digits)
        && exponent
            .is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)));
    if !well_formed {
        return None;
    }
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Why attributes are refused. Every kind answers 4.00 (Core 1.2 §6.3.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeError {
    /// The query names no attribute that can be written.
    Unknown,
    /// The value does not have the form the attribute asks for.
    Value(Attribute),
    /// The attribute stands twice in one request.
    Duplicate(Attribute),
    /// The attribute cannot be attached to an object or object instance.
    Level(Attribute),
    /// The resource has a type to which the attribute means nothing.
    DataType(Attribute),
    /// `lt` is not below `gt`.
    LtNotBelowGt,
    /// `lt + 2 * st` is not below `gt`.
    StepTooLarge,
    /// `st` is negative.
    NegativeStep,
    /// `epmin` is not below `epmax`.
    EpminNotBelowEpmax,
}

impl fmt::Display for AttributeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str(
                "unknown attribute; expected pmin, pmax, gt, lt, st, epmin, epmax, edge, con or hqmax",
            ),
            Self::Value(attribute) => match attribute {
                Attribute::Gt | Attribute::Lt | Attribute::St => {
                    write!(f, "{attribute} takes a decimal number, as in {attribute}=20.5")
                }
                Attribute::Edge | Attribute::Con => {
                    write!(f, "{attribute} takes 0 or 1")
                }
                _ => write!(f, "{attribute} takes an integer from 0 to 4294967295"),
            },
            Self::Duplicate(attribute) => write!(f, "{attribute} stands twice; send it once"),
            Self::Level(attribute) => write!(
                f,
                "{attribute} belongs to a resource; it cannot be attached to an object or instance"
            ),
            Self::DataType(Attribute::Edge) => f.write_str("edge needs a Boolean resource"),
            Self::DataType(attribute) => write!(f, "{attribute} needs a numeric resource"),
            Self::LtNotBelowGt => f.write_str("lt must be below gt"),
            Self::StepTooLarge => f.write_str("lt + 2 * st must be below gt"),
            Self::NegativeStep => f.write_str("st must not be negative"),
            Self::EpminNotBelowEpmax => f.write_str("epmin must be below epmax"),
        }
    }
}

impl core::error::Error for AttributeError {}

/// The attributes attached at one level, or the sum of those in force.
///
/// ```
/// use dunlin_lwm2m::Attributes;
/// let instance = Attributes { pmin: Some(10), pmax: Some(60), ..Attributes::default() };
/// let resource = Attributes { pmin: Some(1), ..Attributes::default() };
/// let in_force = resource.inherit(&instance);
/// assert_eq!((in_force.pmin, in_force.pmax), (Some(1), Some(60)));
/// assert_eq!(in_force.to_string(), ";pmin=1;pmax=60");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Attributes {
    /// Minimum Period, seconds.
    pub pmin: Option<u32>,
    /// Maximum Period, seconds; 0 stands for none.
    pub pmax: Option<u32>,
    /// Greater Than.
    pub gt: Option<f64>,
    /// Less Than.
    pub lt: Option<f64>,
    /// Step.
    pub st: Option<f64>,
    /// Minimum Evaluation Period, seconds.
    pub epmin: Option<u32>,
    /// Maximum Evaluation Period, seconds.
    pub epmax: Option<u32>,
    /// Edge: true rising, false falling.
    pub edge: Option<bool>,
    /// Whether notifications are Confirmable.
    pub con: Option<bool>,
    /// Maximum Historical Queue, entries.
    pub hqmax: Option<u32>,
}

impl Attributes {
    /// No attribute.
    pub const NONE: Self = Self {
        pmin: None,
        pmax: None,
        gt: None,
        lt: None,
        st: None,
        epmin: None,
        epmax: None,
        edge: None,
        con: None,
        hqmax: None,
    };

    /// Whether no attribute is set.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The value of one attribute.
    pub fn get(&self, attribute: Attribute) -> Option<AttributeValue> {
        use AttributeValue::{Boolean, Float, Integer};
        match attribute {
            Attribute::Pmin => self.pmin.map(Integer),
            Attribute::Pmax => self.pmax.map(Integer),
            Attribute::Gt => self.gt.map(Float),
            Attribute::Lt => self.lt.map(Float),
            Attribute::St => self.st.map(Float),
            Attribute::Epmin => self.epmin.map(Integer),
            Attribute::Epmax => self.epmax.map(Integer),
            Attribute::Edge => self.edge.map(Boolean),
            Attribute::Con => self.con.map(Boolean),
            Attribute::Hqmax => self.hqmax.map(Integer),
        }
    }

    /// Sets one attribute; a value of a form that the attribute does not take is an error.
    pub fn set(
        &mut self,
        attribute: Attribute,
        value: AttributeValue,
    ) -> Result<(), AttributeError> {
        use AttributeValue::{Boolean, Float, Integer};
        match (attribute, value) {
            (Attribute::Pmin, Integer(value)) => self.pmin = Some(value),
            (Attribute::Pmax, Integer(value)) => self.pmax = Some(value),
            (Attribute::Epmin, Integer(value)) => self.epmin = Some(value),
            (Attribute::Epmax, Integer(value)) => self.epmax = Some(value),
            (Attribute::Hqmax, Integer(value)) => self.hqmax = Some(value),
            (Attribute::Gt, Float(value)) if value.is_finite() => self.gt = Some(value),
            (Attribute::Lt, Float(value)) if value.is_finite() => self.lt = Some(value),
            (Attribute::St, Float(value)) if value.is_finite() => self.st = Some(value),
            (Attribute::Edge, Boolean(value)) => self.edge = Some(value),
            (Attribute::Con, Boolean(value)) => self.con = Some(value),
            _ => return Err(AttributeError::Value(attribute)),
        }
        Ok(())
    }

    /// Removes one attribute.
    pub fn unset(&mut self, attribute: Attribute) {
        match attribute {
            Attribute::Pmin => self.pmin = None,
            Attribute::Pmax => self.pmax = None,
            Attribute::Gt => self.gt = None,
            Attribute::Lt => self.lt = None,
            Attribute::St => self.st = None,
            Attribute::Epmin => self.epmin = None,
            Attribute::Epmax => self.epmax = None,
            Attribute::Edge => self.edge = None,
            Attribute::Con => self.con = None,
            Attribute::Hqmax => self.hqmax = None,
        }
    }

    /// The attributes that are set, in the order of [`Attribute::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Attribute, AttributeValue)> + '_ {
        Attribute::ALL
            .into_iter()
            .filter_map(|attribute| Some((attribute, self.get(attribute)?)))
    }

    /// What is in force at a level: its own attributes, and those of the level above where it has
    /// none (resource instance, resource, object instance, object, server defaults; Core 1.2
    /// §7.3.2).
    #[must_use]
    pub fn inherit(&self, above: &Self) -> Self {
        Self {
            pmin: self.pmin.or(above.pmin),
            pmax: self.pmax.or(above.pmax),
            gt: self.gt.or(above.gt),
            lt: self.lt.or(above.lt),
            st: self.st.or(above.st),
            epmin: self.epmin.or(above.epmin),
            epmax: self.epmax.or(above.epmax),
            edge: self.edge.or(above.edge),
            con: self.con.or(above.con),
            hqmax: self.hqmax.or(above.hqmax),
        }
    }

    /// The Maximum Period that applies: `None` when it is absent, 0, or below `pmin`, which the
    /// standard says to ignore rather than to refuse (Core 1.2 Table 7.3.2-1).
    pub fn usable_pmax(&self) -> Option<u32> {
        self.pmax
            .filter(|pmax| *pmax > 0 && *pmax >= self.pmin.unwrap_or(0))
    }

    /// Whether the value conditions contradict each other (Core 1.2 §6.3.4: answered with 4.00
    /// when it happens in one request or at one level).
    pub fn check(&self) -> Result<(), AttributeError> {
        let step = self.st.unwrap_or(0.0);
        if step < 0.0 {
            return Err(AttributeError::NegativeStep);
        }
        if let (Some(lt), Some(gt)) = (self.lt, self.gt) {
            if lt >= gt {
                return Err(AttributeError::LtNotBelowGt);
            }
            if lt + 2.0 * step >= gt {
                return Err(AttributeError::StepTooLarge);
            }
        }
        match (self.epmin, self.epmax) {
            (Some(epmin), Some(epmax)) if epmin >= epmax => Err(AttributeError::EpminNotBelowEpmax),
            _ => Ok(()),
        }
    }

    /// Whether the attributes can stand at `level`, for a resource of `data_type` (`None` when it
    /// is not known, or for objects and instances).
    pub fn check_target(
        &self,
        level: Level,
        data_type: Option<DataType>,
    ) -> Result<(), AttributeError> {
        for (attribute, _) in self.iter() {
            if attribute.is_for_resources_only() && level < Level::Resource {
                return Err(AttributeError::Level(attribute));
            }
            if data_type.is_some_and(|data_type| !attribute.fits(data_type)) {
                return Err(AttributeError::DataType(attribute));
            }
        }
        Ok(())
    }

    /// Reads a link parameter into this set; `false` when it is not an attribute with a legal
    /// value, in which case a reader of links ignores it.
    pub fn read_link_parameter(&mut self, name: &str, value: &str) -> bool {
        Attribute::from_name(name).is_some_and(|attribute| {
            AttributeValue::parse(attribute, value)
                .is_some_and(|value| self.set(attribute, value).is_ok())
        })
    }
}

/// Written as link parameters, each with its leading semicolon: `;pmin=10;gt=20.5`.
impl fmt::Display for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter()
            .try_for_each(|(attribute, value)| write!(f, ";{attribute}={value}"))
    }
}

/// One change that a Write-Attributes asks for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AttributeChange {
    /// `pmin=10`
    Set(Attribute, AttributeValue),
    /// `pmin`
    Unset(Attribute),
}

impl AttributeChange {
    /// Reads one Uri-Query segment.
    pub fn parse(segment: &str) -> Result<Self, AttributeError> {
        let (name, value) = match segment.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (segment, None),
        };
        let attribute = Attribute::from_name(name).ok_or(AttributeError::Unknown)?;
        match value {
            None => Ok(Self::Unset(attribute)),
            Some(value) => AttributeValue::parse(attribute, value)
                .map(|value| Self::Set(attribute, value))
                .ok_or(AttributeError::Value(attribute)),
        }
    }

    /// The change that names and numbers describe: a value to set, or `None` to unset. For `edge`
    /// and `con` the number is 0 or 1.
    pub fn from_number(name: &str, number: Option<f64>) -> Result<Self, AttributeError> {
        let attribute = Attribute::from_name(name).ok_or(AttributeError::Unknown)?;
        let Some(number) = number else {
            return Ok(Self::Unset(attribute));
        };
        let integer = (0.0..=f64::from(u32::MAX))
            .contains(&number)
            .then_some(number as u32)
            .filter(|integer| f64::from(*integer) == number);
        let value = match (attribute, integer) {
            (Attribute::Gt | Attribute::Lt | Attribute::St, _) if number.is_finite() => {
                AttributeValue::Float(number)
            }
            (Attribute::Gt | Attribute::Lt | Attribute::St, _) | (_, None) => {
                return Err(AttributeError::Value(attribute));
            }
            (Attribute::Edge | Attribute::Con, Some(0)) => AttributeValue::Boolean(false),
            (Attribute::Edge | Attribute::Con, Some(1)) => AttributeValue::Boolean(true),
            (Attribute::Edge | Attribute::Con, _) => return Err(AttributeError::Value(attribute)),
            (_, Some(integer)) => AttributeValue::Integer(integer),
        };
        Ok(Self::Set(attribute, value))
    }

    /// The attribute that changes.
    pub const fn attribute(&self) -> Attribute {
        match self {
            Self::Set(attribute, _) | Self::Unset(attribute) => *attribute,
        }
    }
}

/// As one Uri-Query segment: `pmin=10`, `gt=-5.5`, or `pmin` to unset.
impl fmt::Display for AttributeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(attribute, value) => write!(f, "{attribute}={value}"),
            Self::Unset(attribute) => write!(f, "{attribute}"),
        }
    }
}

/// What a Write-Attributes sets and unsets at one path.
///
/// ```
/// use dunlin_lwm2m::{Attributes, WriteAttributes};
/// let write = WriteAttributes::from_queries(["pmin=10", "gt"]).unwrap();
/// let attached = Attributes { gt: Some(20.0), ..Attributes::default() };
/// let result = write.apply(&attached).unwrap();
/// assert_eq!((result.pmin, result.gt), (Some(10), None));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WriteAttributes {
    set: Attributes,
    /// One bit for each of [`Attribute::ALL`].
    unset: u16,
}

impl WriteAttributes {
    /// No change.
    pub const NONE: Self = Self {
        set: Attributes::NONE,
        unset: 0,
    };

    /// A write that sets `attributes` and unsets nothing.
    pub const fn setting(attributes: Attributes) -> Self {
        Self {
            set: attributes,
            unset: 0,
        }
    }

    /// Reads the Uri-Query segments of a request and checks that the values they set agree with
    /// each other.
    pub fn from_queries<'a>(
        segments: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, AttributeError> {
        let mut write = Self::NONE;
        for segment in segments {
            write.push(AttributeChange::parse(segment)?)?;
        }
        write.set.check()?;
        Ok(write)
    }

    /// Adds a change; an attribute that is already in the set is an error.
    pub fn push(&mut self, change: AttributeChange) -> Result<(), AttributeError> {
        let attribute = change.attribute();
        if self.set.get(attribute).is_some() || self.unsets(attribute) {
            return Err(AttributeError::Duplicate(attribute));
        }
        match change {
            AttributeChange::Set(attribute, value) => self.set.set(attribute, value)?,
            AttributeChange::Unset(attribute) => self.unset |= 1 << attribute as u8,
        }
        Ok(())
    }

    /// What is set.
    pub const fn attributes(&self) -> &Attributes {
        &self.set
    }

    /// Whether `attribute` is unset.
    pub const fn unsets(&self, attribute: Attribute) -> bool {
        self.unset >> attribute as u8 & 1 == 1
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.unset == 0 && self.set.is_empty()
    }

    /// The changes, in the order of [`Attribute::ALL`]. Each displays as its Uri-Query segment.
    pub fn changes(&self) -> impl Iterator<Item = AttributeChange> + '_ {
        Attribute::ALL
            .into_iter()
            .filter_map(|attribute| match self.set.get(attribute) {
                Some(value) => Some(AttributeChange::Set(attribute, value)),
                None if self.unsets(attribute) => Some(AttributeChange::Unset(attribute)),
                None => None,
            })
    }

    /// Checks what is set against its target; see [`Attributes::check_target`]. Unsetting is
    /// legal everywhere.
    pub fn check_target(
        &self,
        level: Level,
        data_type: Option<DataType>,
    ) -> Result<(), AttributeError> {
        self.set.check_target(level, data_type)
    }

    /// What is attached afterwards, given what was attached at the same path before. All or
    /// nothing: contradictory values, also between old and new ones, change nothing.
    pub fn apply(&self, attached: &Attributes) -> Result<Attributes, AttributeError> {
        let mut result = self.set.inherit(attached);
        for attribute in Attribute::ALL {
            if self.unsets(attribute) {
                result.unset(attribute);
            }
        }
        result.check()?;
        Ok(result)
    }
}

#[cfg(test)]
mod tests;

//! Numbers between text, CBOR and the types of LwM2M, without passing integers through `f64`.

use super::FormatError;
use super::output::Output;
use crate::{DataType, Value};

/// A number as SenML and CBOR know it: of no particular type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Number {
    /// Written as an integer.
    Integer(i128),
    /// A binary fraction.
    Float(f64),
    /// Written as a decimal fraction or with an exponent, but integral.
    Integral { value: f64, exact: i128 },
}

impl Number {
    /// Reads `-?digits[.digits][e[+-]digits]`, whose grammar the caller has checked; `None` when
    /// it is beyond `f64`.
    pub(crate) fn literal(text: &str) -> Option<Self> {
        let is_integer = !text.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
        let exact = exact_integer(text);
        if let (true, Some(integer)) = (is_integer, exact) {
            return Some(Self::Integer(integer));
        }
        let value: f64 = text.parse().ok()?;
        value.is_finite().then_some(Self::fraction(value, exact))
    }

    fn fraction(value: f64, exact: Option<i128>) -> Self {
        match exact {
            Some(exact) => Self::Integral { value, exact },
            None => Self::Float(value),
        }
    }

    #[inline]
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            // Most are small, and the conversion of 128 bits is slow.
            Self::Integer(integer) => match i64::try_from(integer) {
                Ok(small) => small as f64,
                Err(_) => integer as f64,
            },
            Self::Float(value) | Self::Integral { value, .. } => value,
        }
    }

    /// The number as an integer, when it is one.
    fn exact(self) -> Option<i128> {
        match self {
            Self::Integer(integer) => Some(integer),
            Self::Integral { exact, .. } => Some(exact),
            Self::Float(value) => {
                let integer = value as i128; // saturates; NaN gives 0
                (integer as f64 == value).then_some(integer)
            }
        }
    }

    /// The sum; `None` when it is beyond `f64`.
    pub(crate) fn plus(self, other: Self) -> Option<Self> {
        let exact = match (self.exact(), other.exact()) {
            (Some(left), Some(right)) => left.checked_add(right),
            _ => None,
        };
        match (self, other, exact) {
            (Self::Integer(_), Self::Integer(_), Some(sum)) => Some(Self::Integer(sum)),
            _ => {
                let value = self.as_f64() + other.as_f64();
                value.is_finite().then_some(Self::fraction(value, exact))
            }
        }
    }

    /// The value of a numeric type, or of the nearest type when it is not known.
    pub(crate) fn typed(
        self,
        data_type: Option<DataType>,
        at: usize,
    ) -> Result<Value<'static>, FormatError> {
        match data_type {
            Some(DataType::Integer) => self.integer(at, data_type).map(Value::Integer),
            Some(DataType::Time) => self.integer(at, data_type).map(Value::Time),
            Some(DataType::Unsigned) => self.integer(at, data_type).map(Value::Unsigned),
            Some(DataType::Float) => Ok(Value::Float(self.as_f64())),
            Some(_) => Err(FormatError::Type {
                at,
                expected: data_type,
            }),
            None => match self {
                Self::Integer(integer) => i64::try_from(integer)
                    .map(Value::Integer)
                    .or_else(|_| u64::try_from(integer).map(Value::Unsigned))
                    .or(Ok(Value::Float(integer as f64))),
                Self::Float(value) | Self::Integral { value, .. } => Ok(Value::Float(value)),
            },
        }
    }

    fn integer<T: TryFrom<i128>>(
        self,
        at: usize,
        expected: Option<DataType>,
    ) -> Result<T, FormatError> {
        match self.exact() {
            Some(integer) => T::try_from(integer).map_err(|_| FormatError::Range { at }),
            None if self.as_f64().abs() >= 9_223_372_036_854_775_808.0 => {
                Err(FormatError::Range { at })
            }
            None => Err(FormatError::Type { at, expected }),
        }
    }
}

/// The integer a decimal number stands for; `None` when it is none, or has too many digits.
fn exact_integer(text: &str) -> Option<i128> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction = fraction.trim_end_matches('0');
    let mut number: i128 = 0;
    for digit in whole.bytes().chain(fraction.bytes()) {
        number = number
            .checked_mul(10)?
            .checked_add(i128::from(digit.wrapping_sub(b'0')))?;
    }
    if number == 0 {
        return Some(0);
    }
    let exponent: i64 = match exponent.parse::<i32>() {
        Ok(exponent) => exponent.into(),
        Err(_) => return None,
    };
    let mut scale = exponent - i64::try_from(fraction.len()).ok()?;
    // Both loops end after at most 39 turns: by then nothing divides, or nothing fits any more.
    while scale < 0 {
        if number % 10 != 0 {
            return None;
        }
        number /= 10;
        scale += 1;
    }
    while scale > 0 {
        number = number.checked_mul(10)?;
        scale -= 1;
    }
    Some(if negative { -number } else { number })
}

/// The number `mantissa * 10^exponent` (RFC 8949 §3.4.4); `None` when it is beyond `f64`.
pub(crate) fn decimal_fraction(mantissa: i128, exponent: i32) -> Option<Number> {
    let mut buffer = [0; 64];
    let mut text = Output::new(&mut buffer);
    let written = write_integer(&mut text, mantissa)
        .and_then(|()| text.push(b'e'))
        .and_then(|()| write_integer(&mut text, exponent.into()));
    let length = text.len();
    written.ok()?;
    Number::literal(core::str::from_utf8(buffer.get(..length)?).ok()?)
}

/// Reads a decimal integer `-?digits` of the type `T`.
pub(crate) fn read_integer<T: TryFrom<i128>>(
    text: &str,
    expected: DataType,
) -> Result<T, FormatError> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(FormatError::Type {
            at: 0,
            expected: Some(expected),
        });
    }
    exact_integer(text)
        .and_then(|integer| T::try_from(integer).ok())
        .ok_or(FormatError::Range { at: 0 })
}

/// The length of the number at the start of `text` by the grammar of RFC 8259 §6, `None` when
/// there is no number. With `leading_zeros`, `007` is a number too.
pub(crate) fn number_length(text: &[u8], leading_zeros: bool) -> Option<usize> {
    let digits = |from: usize| {
        text.iter()
            .skip(from)
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let mut at = usize::from(text.first() == Some(&b'-'));
    let whole = digits(at);
    if whole == 0 || (whole > 1 && text.get(at) == Some(&b'0') && !leading_zeros) {
        return None;
    }
    at += whole;
    if text.get(at) == Some(&b'.') {
        let fraction = digits(at + 1);
        if fraction == 0 {
            return None;
        }
        at += 1 + fraction;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        if matches!(text.get(at), Some(b'+' | b'-')) {
            at += 1;
        }
        let exponent = digits(at);
        if exponent == 0 {
            return None;
        }
        at += exponent;
    }
    Some(at)
}

/// Writes a decimal integer.
pub(crate) fn write_integer(output: &mut Output<'_>, integer: i128) -> Result<(), FormatError> {
    if integer < 0 {
        output.push(b'-')?;
    }
    let magnitude = integer.unsigned_abs();
    match u64::try_from(magnitude) {
        Ok(small) => write_digits(output, small),
        Err(_) => {
            const SPLIT: u128 = 10_000_000_000_000_000_000;
            write_integer(output, (magnitude / SPLIT) as i128)?;
            let mut low = (magnitude % SPLIT) as u64;
            let room = output.reserve(19)?;
            for slot in room.iter_mut().rev() {
                *slot = b'0' + (low % 10) as u8;
                low /= 10;
            }
            Ok(())
        }
    }
}

fn write_digits(output: &mut Output<'_>, mut number: u64) -> Result<(), FormatError> {
    let mut digits = [0; 20];
    let mut start = digits.len();
    for slot in digits.iter_mut().rev() {
        *slot = b'0' + (number % 10) as u8;
        number /= 10;
        start -= 1;
        if number == 0 {
            break;
        }
    }
    output.extend(&digits[start..])
}

/// Writes a float as the shortest decimal that reads back the same, perhaps with an exponent.
/// The number must be finite.
pub(crate) fn write_float(output: &mut Output<'_>, value: f64) -> Result<(), FormatError> {
    output.extend(zmij::Buffer::new().format_finite(value).as_bytes())
}

/// Writes a float as plain decimal without an exponent. The number must be finite.
pub(crate) fn write_plain_float(output: &mut Output<'_>, value: f64) -> Result<(), FormatError> {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value);
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return output.extend(text.as_bytes());
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => ("-", mantissa),
        None => ("", mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    output.extend(sign.as_bytes())?;
    let zeros =
        |output: &mut Output<'_>, count: usize| output.reserve(count).map(|room| room.fill(b'0'));
    let places = exponent.unsigned_abs() as usize;
    if exponent < 0 {
        // d.ddde-n: n - 1 zeros follow the point, as there is one digit before it.
        output.extend(b"0.")?;
        zeros(output, places.saturating_sub(whole.len()))?;
        output.extend(whole.as_bytes())?;
        output.extend(fraction.as_bytes())
    } else {
        let (shifted, rest) = fraction.split_at_checked(places).unwrap_or((fraction, ""));
        output.extend(whole.as_bytes())?;
        output.extend(shifted.as_bytes())?;
        zeros(output, places - shifted.len())?;
        output.push(b'.')?;
        output.extend(if rest.is_empty() {
            b"0"
        } else {
            rest.as_bytes()
        })
    }
}

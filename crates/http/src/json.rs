//! Values as JSON, and JSON as values of the type the object definition asks for.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dunlin_lwm2m::{DataType, ObjectLink, OwnedValue};
use serde_json::{Number, Value as Json};

/// A value as JSON: text and links as strings, numbers as numbers, Opaque as padded base64. JSON
/// has no NaN and no infinity; they become the strings `NaN`, `inf` and `-inf`.
pub(crate) fn to_json(value: &OwnedValue) -> Json {
    match value {
        OwnedValue::String(text) | OwnedValue::CoreLink(text) => Json::from(text.as_str()),
        OwnedValue::Integer(number) | OwnedValue::Time(number) => Json::from(*number),
        OwnedValue::Unsigned(number) => Json::from(*number),
        OwnedValue::Float(number) => {
            Number::from_f64(*number).map_or_else(|| Json::from(number.to_string()), Json::Number)
        }
        OwnedValue::Boolean(truth) => Json::from(*truth),
        OwnedValue::Opaque(bytes) => Json::from(STANDARD.encode(bytes)),
        OwnedValue::ObjectLink(link) => Json::from(link.to_string()),
    }
}

/// JSON as a value of `data_type`; without a type, as what the JSON itself suggests.
pub(crate) fn from_json(json: &Json, data_type: Option<DataType>) -> Result<OwnedValue, String> {
    let Some(data_type) = data_type else {
        return untyped(json);
    };
    typed(json, data_type).ok_or_else(|| format!("{json} is not {}", expectation(data_type)))
}

fn typed(json: &Json, data_type: DataType) -> Option<OwnedValue> {
    Some(match data_type {
        DataType::String => OwnedValue::String(json.as_str()?.to_owned()),
        DataType::CoreLink => OwnedValue::CoreLink(json.as_str()?.to_owned()),
        DataType::Integer => OwnedValue::Integer(integer(json)?),
        DataType::Time => OwnedValue::Time(integer(json)?),
        DataType::Unsigned => OwnedValue::Unsigned(match json.as_u64() {
            Some(number) => number,
            None => match json.as_str() {
                Some(digits) => digits.parse().ok()?,
                None => u64::try_from(integer(json)?).ok()?,
            },
        }),
        DataType::Float => OwnedValue::Float(match json.as_str() {
            // What JSON has no number for: NaN, inf, -inf; digits are to be numbers.
            Some(word) if !word.contains(|it: char| it.is_ascii_digit()) => word.parse().ok()?,
            Some(_) => return None,
            None => json.as_f64()?,
        }),
        DataType::Boolean => OwnedValue::Boolean(json.as_bool()?),
        DataType::Opaque => OwnedValue::Opaque(STANDARD.decode(json.as_str()?).ok()?),
        DataType::ObjectLink => OwnedValue::ObjectLink(json.as_str()?.parse::<ObjectLink>().ok()?),
    })
}

/// An integer, also when a JavaScript caller wrote it as `23.0`, or as a string because its numbers
/// end at 2^53.
fn integer(json: &Json) -> Option<i64> {
    if let Some(digits) = json.as_str() {
        return digits.parse().ok();
    }
    json.as_i64().or_else(|| {
        let number = json.as_f64()?;
        let safe = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
        safe.then_some(number as i64)
    })
}

const fn expectation(data_type: DataType) -> &'static str {
    match data_type {
        DataType::String => "a string",
        DataType::CoreLink => "a string of links, as in \"</3/0>\"",
        DataType::Integer => "an integer of 64 bits",
        DataType::Unsigned => "an unsigned integer of 64 bits",
        DataType::Time => "a time in whole seconds since 1970",
        DataType::Float => "a number",
        DataType::Boolean => "true or false",
        DataType::Opaque => "a string of padded base64",
        DataType::ObjectLink => "an object link, as in \"3303:0\"",
    }
}

fn untyped(json: &Json) -> Result<OwnedValue, String> {
    match json {
        Json::String(text) => Ok(OwnedValue::String(text.clone())),
        Json::Bool(truth) => Ok(OwnedValue::Boolean(*truth)),
        Json::Number(number) => number
            .as_i64()
            .map(OwnedValue::Integer)
            .or_else(|| number.as_u64().map(OwnedValue::Unsigned))
            .or_else(|| number.as_f64().map(OwnedValue::Float))
            .ok_or_else(|| format!("{number} is out of range")),
        _ => Err(format!(
            "{json} is not a value: give a string, a number, true or false"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_survive_the_way_through_json() {
        for value in [
            OwnedValue::String("ä\"\n".into()),
            OwnedValue::Integer(i64::MIN),
            OwnedValue::Unsigned(u64::MAX),
            OwnedValue::Float(-0.1),
            OwnedValue::Float(f64::INFINITY),
            OwnedValue::Boolean(true),
            OwnedValue::Opaque(vec![0, 255]),
            OwnedValue::Time(-1),
            OwnedValue::ObjectLink(ObjectLink {
                object: 65535,
                instance: 0,
            }),
            OwnedValue::CoreLink("</3>".into()),
        ] {
            let json = to_json(&value);
            assert_eq!(from_json(&json, Some(value.data_type())), Ok(value));
        }
    }

    #[test]
    fn wrong_types_are_refused_in_words() {
        let refused = from_json(&json!("10 s"), Some(DataType::Integer)).unwrap_err();
        assert_eq!(refused, "\"10 s\" is not an integer of 64 bits");
        for (json, data_type) in [
            (json!(1.5), DataType::Integer),
            (json!(-1), DataType::Unsigned),
            (json!("-1"), DataType::Unsigned),
            (json!("18446744073709551616"), DataType::Unsigned),
            (json!("9223372036854775808"), DataType::Integer),
            (json!("1.0"), DataType::Integer),
            (json!(""), DataType::Integer),
            (json!("1.5"), DataType::Float),
            (json!("1e999"), DataType::Float),
            (json!(1), DataType::Boolean),
            (json!("a b"), DataType::Opaque),
            (json!("3303"), DataType::ObjectLink),
            (json!(null), DataType::String),
            (json!(1e300), DataType::Time),
        ] {
            assert!(
                from_json(&json, Some(data_type)).is_err(),
                "{json} as {data_type:?}"
            );
        }
    }

    #[test]
    fn integers_beyond_those_of_javascript_may_be_strings() {
        for (text, value) in [
            (
                "9007199254740993",
                OwnedValue::Integer(9_007_199_254_740_993),
            ),
            ("-9223372036854775808", OwnedValue::Integer(i64::MIN)),
            ("18446744073709551615", OwnedValue::Unsigned(u64::MAX)),
            ("1795000000", OwnedValue::Time(1_795_000_000)),
        ] {
            assert_eq!(from_json(&json!(text), Some(value.data_type())), Ok(value));
        }
    }

    #[test]
    fn what_json_has_no_number_for_is_a_word() {
        for (word, number) in [
            ("inf", f64::INFINITY),
            ("-Infinity", f64::NEG_INFINITY),
            ("+inf", f64::INFINITY),
        ] {
            let value = from_json(&json!(word), Some(DataType::Float));
            assert_eq!(value, Ok(OwnedValue::Float(number)));
        }
        let nan = from_json(&json!("nan"), Some(DataType::Float));
        assert!(matches!(nan, Ok(OwnedValue::Float(number)) if number.is_nan()));
    }

    #[test]
    fn integral_floats_are_integers() {
        assert_eq!(
            from_json(&json!(23.0), Some(DataType::Integer)),
            Ok(OwnedValue::Integer(23))
        );
    }

    #[test]
    fn without_a_definition_json_tells_the_type() {
        assert_eq!(from_json(&json!(1), None), Ok(OwnedValue::Integer(1)));
        assert_eq!(from_json(&json!(1.5), None), Ok(OwnedValue::Float(1.5)));
        assert!(from_json(&json!([1]), None).is_err());
    }
}

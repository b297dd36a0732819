//! How values and attributes lie in columns: readable for an operator with any SQLite tool.

use dunlin_lwm2m::{DataType, OwnedValue, Path};
use rusqlite::types::{Value as Column, ValueRef};

use crate::api::AttributeChanges;

/// Type name (of the object definition files) and content of a value.
pub(super) fn value_to_columns(value: &OwnedValue) -> (&'static str, Column) {
    let column = match value {
        OwnedValue::String(text) | OwnedValue::CoreLink(text) => Column::Text(text.clone()),
        OwnedValue::Integer(number) | OwnedValue::Time(number) => Column::Integer(*number),
        // SQLite's integers are signed; the few above are text.
        OwnedValue::Unsigned(number) => i64::try_from(*number)
            .map_or_else(|_| Column::Text(number.to_string()), Column::Integer),
        // SQLite stores NaN as NULL.
        OwnedValue::Float(number) if number.is_finite() => Column::Real(*number),
        OwnedValue::Float(number) => Column::Text(number.to_string()),
        OwnedValue::Boolean(truth) => Column::Integer(i64::from(*truth)),
        OwnedValue::Opaque(bytes) => Column::Blob(bytes.clone()),
        OwnedValue::ObjectLink(link) => Column::Text(link.to_string()),
    };
    (value.data_type().name(), column)
}

/// The value again; `None` when the columns make no sense.
pub(super) fn value_from_columns(data_type: &str, column: ValueRef<'_>) -> Option<OwnedValue> {
    let data_type = DataType::from_name(data_type)?;
    let text = || column.as_str().ok();
    let integer = || column.as_i64().ok();
    Some(match data_type {
        DataType::String => OwnedValue::String(text()?.to_owned()),
        DataType::CoreLink => OwnedValue::CoreLink(text()?.to_owned()),
        DataType::Integer => OwnedValue::Integer(integer()?),
        DataType::Time => OwnedValue::Time(integer()?),
        DataType::Unsigned => OwnedValue::Unsigned(match column {
            ValueRef::Integer(number) => u64::try_from(number).ok()?,
            _ => text()?.parse().ok()?,
        }),
        DataType::Float => OwnedValue::Float(match column {
            ValueRef::Real(number) => number,
            _ => text()?.parse().ok()?,
        }),
        DataType::Boolean => OwnedValue::Boolean(match integer()? {
            0 => false,
            1 => true,
            _ => return None,
        }),
        DataType::Opaque => OwnedValue::Opaque(column.as_blob().ok()?.to_vec()),
        DataType::ObjectLink => OwnedValue::ObjectLink(text()?.parse().ok()?),
    })
}

/// `pmin=10&gt` : set, and unset.
pub(super) fn attributes_to_text(attributes: &AttributeChanges) -> String {
    let one = |(name, value): &(String, Option<f64>)| {
        let name = name
            .replace('%', "%25")
            .replace('&', "%26")
            .replace('=', "%3D");
        value.map_or_else(|| name.clone(), |value| format!("{name}={value}"))
    };
    attributes.iter().map(one).collect::<Vec<_>>().join("&")
}

/// The attributes again; `None` when the text makes no sense.
pub(super) fn attributes_from_text(text: &str) -> Option<AttributeChanges> {
    let name = |text: &str| {
        text.replace("%3D", "=")
            .replace("%26", "&")
            .replace("%25", "%")
    };
    text.split('&')
        .filter(|part| !part.is_empty())
        .map(|part| match part.split_once('=') {
            Some((left, value)) => Some((name(left), Some(value.parse().ok()?))),
            None => Some((name(part), None)),
        })
        .collect()
}

/// `/3/0/0 /1`
pub(super) fn paths_to_text(paths: &[Path]) -> String {
    let texts: Vec<String> = paths.iter().map(Path::to_string).collect();
    texts.join(" ")
}

/// The paths again; `None` when the text makes no sense.
pub(super) fn paths_from_text(text: &str) -> Option<Vec<Path>> {
    text.split_whitespace()
        .map(|path| path.parse().ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use dunlin_lwm2m::ObjectLink;

    use super::*;

    #[test]
    fn every_value_comes_back() {
        let link = ObjectLink {
            object: 3,
            instance: 65535,
        };
        for value in [
            OwnedValue::String("häh\0".to_owned()),
            OwnedValue::Integer(i64::MIN),
            OwnedValue::Unsigned(7),
            OwnedValue::Unsigned(u64::MAX),
            OwnedValue::Float(-0.1),
            OwnedValue::Float(f64::INFINITY),
            OwnedValue::Float(f64::MIN_POSITIVE),
            OwnedValue::Boolean(true),
            OwnedValue::Opaque(vec![0, 255]),
            OwnedValue::Time(-1),
            OwnedValue::ObjectLink(link),
            OwnedValue::CoreLink("</3>".to_owned()),
        ] {
            let (name, column) = value_to_columns(&value);
            let back = value_from_columns(name, ValueRef::from(&column));
            assert_eq!(back, Some(value));
        }
        let (name, column) = value_to_columns(&OwnedValue::Float(f64::NAN));
        let Some(OwnedValue::Float(back)) = value_from_columns(name, ValueRef::from(&column))
        else {
            panic!("NaN was lost")
        };
        assert!(back.is_nan());
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(value_from_columns("Strng", ValueRef::Text(b"x")), None);
        assert_eq!(value_from_columns("Boolean", ValueRef::Integer(2)), None);
        assert_eq!(
            value_from_columns("Unsigned Integer", ValueRef::Integer(-1)),
            None
        );
        assert_eq!(value_from_columns("Objlnk", ValueRef::Text(b"3")), None);
        assert_eq!(attributes_from_text("pmin=ten"), None);
    }

    #[test]
    fn attributes_come_back() {
        let attributes = vec![
            ("pmin".to_owned(), Some(10.0)),
            ("gt".to_owned(), None),
            ("a=&%3D".to_owned(), Some(0.1)),
        ];
        let text = attributes_to_text(&attributes);
        assert!(text.starts_with("pmin=10&gt&"), "{text}");
        assert_eq!(attributes_from_text(&text), Some(attributes));
        assert_eq!(attributes_from_text(""), Some(Vec::new()));
    }
}

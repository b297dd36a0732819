//! One number, in every way it can be written, in every format that carries numbers: integers of 64
//! bits never pass through floats.

mod format_common;

use dunlin_lwm2m::format::{FormatError, read_all, read_patch};
use dunlin_lwm2m::{ContentFormat, OwnedValue};
use format_common::*;

/// The value of `/9000/0/id`, of which `payload` is a payload.
fn value(format: ContentFormat, id: u8, payload: &[u8]) -> Result<OwnedValue, FormatError> {
    let target = path(&format!("/9000/0/{id}"));
    let records = match format {
        ContentFormat::SENML_ETCH_CBOR | ContentFormat::SENML_ETCH_JSON => {
            read_patch(format, payload, "", &Model)?
        }
        _ => read_all(format, payload, target, &Model)?,
    };
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].path, target);
    Ok(records
        .into_iter()
        .next()
        .and_then(|record| record.value)
        .unwrap())
}

/// An item of CBOR in each format of CBOR.
fn cbor(id: u8, item: &str) -> [(ContentFormat, Vec<u8>); 4] {
    let pack = format!(r#"81 A2 00 69 "/9000/0/{id}" 02 {item}"#);
    [
        (ContentFormat::CBOR, hex(item)),
        (ContentFormat::SENML_CBOR, hex(&pack)),
        (ContentFormat::SENML_ETCH_CBOR, hex(&pack)),
        (
            ContentFormat::LWM2M_CBOR,
            hex(&format!("A1 83 192328 00 {id:02X} {item}")),
        ),
    ]
}

/// A literal of JSON in each format of JSON.
fn json(id: u8, literal: &str) -> [(ContentFormat, Vec<u8>); 3] {
    let pack = format!(r#"[{{"n":"/9000/0/{id}","v":{literal}}}]"#);
    let old = format!(r#"{{"e":[{{"v":{literal}}}]}}"#);
    [
        (ContentFormat::SENML_JSON, pack.clone().into_bytes()),
        (ContentFormat::SENML_ETCH_JSON, pack.into_bytes()),
        (ContentFormat::LWM2M_JSON, old.into_bytes()),
    ]
}

#[derive(Clone, Copy, Debug)]
enum Expected {
    Is(i128),
    /// Too large for the type.
    Range,
    /// No integer.
    Type,
}
use Expected::{Is, Range, Type};

#[track_caller]
fn check(payloads: &[(ContentFormat, Vec<u8>)], id: u8, written: &str, expected: Expected) {
    for (format, payload) in payloads {
        let found = value(*format, id, payload);
        let fits = match (expected, &found) {
            (Is(number), Ok(OwnedValue::Integer(found) | OwnedValue::Time(found))) => {
                i128::from(*found) == number
            }
            (Is(number), Ok(OwnedValue::Unsigned(found))) => i128::from(*found) == number,
            (Range, Err(FormatError::Range { .. })) => true,
            (Type, Err(FormatError::Type { .. })) => true,
            _ => false,
        };
        assert!(fits, "{written} in {format}: {found:?}, not {expected:?}");
    }
}

const MAX: i128 = i64::MAX as i128;
const MIN: i128 = i64::MIN as i128;
const UMAX: i128 = u64::MAX as i128;

#[test]
fn items_of_cbor() {
    // Item, as Integer (and Time), as Unsigned.
    for (item, signed, unsigned) in [
        ("00", Is(0), Is(0)),
        ("18 64", Is(100), Is(100)),
        ("20", Is(-1), Range),
        ("1B 7FFFFFFFFFFFFFFF", Is(MAX), Is(MAX)),
        ("1B 8000000000000000", Range, Is(MAX + 1)),
        ("1B FFFFFFFFFFFFFFFF", Range, Is(UMAX)),
        ("3B 7FFFFFFFFFFFFFFF", Is(MIN), Range),
        ("3B 8000000000000000", Range, Range),
        // 2^53 + 1 is no float.
        ("1B 0020000000000001", Is((1 << 53) + 1), Is((1 << 53) + 1)),
        // Half, single, double precision.
        ("F9 5640", Is(100), Is(100)),
        ("FA 42C80000", Is(100), Is(100)),
        ("FB 4059000000000000", Is(100), Is(100)),
        ("FB C059000000000000", Is(-100), Range),
        ("F9 8000", Is(0), Is(0)),
        ("F9 3E00", Type, Type),
        ("F9 7E00", Type, Type),
        ("F9 7C00", Range, Range),
        ("FB 43E0000000000000", Range, Is(MAX + 1)),
        ("FB C3E0000000000000", Is(MIN), Range),
        // Bignums.
        ("C2 41 64", Is(100), Is(100)),
        ("C2 40", Is(0), Is(0)),
        ("C3 41 63", Is(-100), Range),
        ("C2 48 FFFFFFFFFFFFFFFF", Range, Is(UMAX)),
        ("C2 49 010000000000000000", Range, Range),
        ("C3 48 7FFFFFFFFFFFFFFF", Is(MIN), Range),
        ("C2 5F 41 00 41 64 FF", Is(100), Is(100)),
        // Decimal fractions.
        ("C4 82 20 19 03E8", Is(100), Is(100)),
        ("C4 82 02 01", Is(100), Is(100)),
        ("C4 82 20 01", Type, Type),
        ("C4 82 20 C2 41 0A", Is(1), Is(1)),
    ] {
        check(&cbor(1, item), 1, item, signed);
        check(&cbor(6, item), 6, item, signed);
        check(&cbor(2, item), 2, item, unsigned);
    }
}

#[test]
fn literals_of_json() {
    for (literal, signed, unsigned) in [
        ("0", Is(0), Is(0)),
        ("-0", Is(0), Is(0)),
        ("9223372036854775807", Is(MAX), Is(MAX)),
        ("9223372036854775808", Range, Is(MAX + 1)),
        ("18446744073709551615", Range, Is(UMAX)),
        ("18446744073709551616", Range, Range),
        ("-9223372036854775808", Is(MIN), Range),
        ("-9223372036854775809", Range, Range),
        ("9007199254740993", Is((1 << 53) + 1), Is((1 << 53) + 1)),
        ("9007199254740993.0", Is((1 << 53) + 1), Is((1 << 53) + 1)),
        ("900719925474099.3e1", Is((1 << 53) + 1), Is((1 << 53) + 1)),
        ("90071992547409930E-1", Is((1 << 53) + 1), Is((1 << 53) + 1)),
        ("1e2", Is(100), Is(100)),
        ("100.000", Is(100), Is(100)),
        ("1.5", Type, Type),
        ("1e-1", Type, Type),
        ("1e300", Range, Range),
        ("1e400", Range, Range),
        (
            "123456789012345678901234567890123456789012345",
            Range,
            Range,
        ),
    ] {
        check(&json(1, literal), 1, literal, signed);
        check(&json(6, literal), 6, literal, signed);
        check(&json(2, literal), 2, literal, unsigned);
    }
}

#[test]
fn floats() {
    let float = |payloads: &[(ContentFormat, Vec<u8>)], written: &str, expected: f64| {
        for (format, payload) in payloads {
            let found = value(*format, 3, payload);
            assert_eq!(
                found,
                Ok(OwnedValue::Float(expected)),
                "{written} in {format}"
            );
        }
    };
    for (item, expected) in [
        ("05", 5.0),
        ("3B FFFFFFFFFFFFFFFF", -18_446_744_073_709_551_616.0),
        ("F9 3E00", 1.5),
        ("F9 0001", 5.960_464_477_539_063e-8),
        ("FA 3FC00000", 1.5),
        ("FB 3FF8000000000000", 1.5),
        ("F9 FC00", f64::NEG_INFINITY),
        ("C2 49 010000000000000000", 18_446_744_073_709_551_616.0),
        ("C4 82 21 19 6AB3", 273.15),
    ] {
        float(&cbor(3, item), item, expected);
    }
    for (literal, expected) in [
        ("5", 5.0),
        ("1.5", 1.5),
        ("-273.15", -273.15),
        ("1e-3", 0.001),
    ] {
        float(&json(3, literal), literal, expected);
    }
}

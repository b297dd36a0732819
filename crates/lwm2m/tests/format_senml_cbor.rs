//! SenML CBOR: the standard's bytes both ways, all shapes of CBOR, and bad input.

mod format_common;

use dunlin_coap::Code;
use dunlin_lwm2m::format::{FormatError, Scope, write_all, write_names};
use dunlin_lwm2m::{ContentFormat, OwnedRecord, OwnedValue, Path};
use format_common::*;

const CBOR: ContentFormat = ContentFormat::SENML_CBOR;

/// The value of `/9000/0/<resource>` given as `field`.
fn value(resource: u8, field: &str) -> Result<OwnedValue, FormatError> {
    let mut payload = hex(r#"81 A2 00 69 "/9000/0/""#);
    payload.push(b'0' + resource);
    payload.extend(hex(field));
    read_value(CBOR, "/9000/0", &payload)
}

#[track_caller]
fn refused(target: &str, payload: &str) -> FormatError {
    let error = read(CBOR, target, &hex(payload)).unwrap_err();
    assert_eq!(error.code(), Code::BAD_REQUEST, "{error}");
    error
}

#[test]
fn device_has_196_bytes() {
    let payload = hex("
        90 A3 21 65 2F332F302F 00 61 30 03 74 4F70656E204D6F62696C6520416C6C69616E6365
        A2 00 6131 03 76 4C69676874776569676874204D324D20436C69656E74
        A2 00 6132 03 69 333435303030313233      A2 00 6133 03 63 312E30
        A2 00 63362F30 02 01   A2 00 63362F31 02 05
        A2 00 63372F30 02 190ED8   A2 00 63372F31 02 191388
        A2 00 63382F30 02 187D     A2 00 63382F31 02 190384
        A2 00 6139 02 1864   A2 00 623130 02 0F   A2 00 6431312F30 02 00
        A2 00 623133 02 1A5182428F   A2 00 623134 03 66 2B30323A3030   A2 00 623136 03 61 55");
    assert_eq!(payload.len(), 196);
    both_ways(CBOR, "/3/0", &device(), &payload);
}

#[test]
fn write_composite_of_the_conformance_suite() {
    // ETS int-257
    let records = [
        record("/1/0/2", int(101)),
        record("/1/0/6", OwnedValue::Boolean(true)),
        record("/3/0/13", OwnedValue::Time(0)),
    ];
    let payload = hex(
        r#"83 A3 21 61 2F 00 65 "1/0/2" 02 18 65 A2 00 65 "1/0/6" 04 F5 A2 00 66 "3/0/13" 02 00"#,
    );
    both_ways(CBOR, "/", &records, &payload);
}

#[test]
fn path_lists() {
    assert_eq!(
        read(CBOR, "/", &hex("81 A1 00 61 2F")).unwrap(),
        [empty("/")]
    );
    assert_eq!(
        write_names(CBOR, "", &[Path::ROOT]).unwrap(),
        hex("81 A1 00 61 2F")
    );
    let paths = [path("/3/0/0"), path("/1")];
    let payload = write_names(CBOR, "/a", &paths).unwrap();
    assert_eq!(payload, hex(r#"82 A1 00 68 "/a/3/0/0" A1 00 64 "/a/1""#));
    let scope = Scope {
        target: Path::ROOT,
        root: "/a",
    };
    assert_eq!(
        read_with_scratch(CBOR, scope, &payload, 0).unwrap(),
        [empty("/3/0/0"), empty("/1")]
    );
}

#[test]
fn every_type_both_ways() {
    let records = [
        record("/9000/0/0", text("é")),
        record("/9000/0/1", int(i64::MIN)),
        record("/9000/0/2", OwnedValue::Unsigned(u64::MAX)),
        record("/9000/0/3", OwnedValue::Float(25.5)),
        record("/9000/0/4", OwnedValue::Boolean(false)),
        record("/9000/0/5", opaque(&[1, 2, 3])),
        record("/9000/0/6", OwnedValue::Time(-1)),
        record("/9000/0/7", link(66, 0)),
        record("/9000/0/8", OwnedValue::CoreLink("</3>".into())),
    ];
    let payload = hex(r#"89 A3 21 68 "/9000/0/" 00 61 "0" 03 62 C3A9
           A2 00 61 "1" 02 3B 7FFFFFFFFFFFFFFF
           A2 00 61 "2" 02 1B FFFFFFFFFFFFFFFF
           A2 00 61 "3" 02 FA 41CC0000
           A2 00 61 "4" 04 F4
           A2 00 61 "5" 08 43 010203
           A2 00 61 "6" 02 20
           A2 00 61 "7" 63 "vlo" 64 "66:0"
           A2 00 61 "8" 03 64 "</3>""#);
    both_ways(CBOR, "/9000/0", &records, &payload);
}

#[test]
fn floats_take_four_or_eight_bytes() {
    for (number, payload) in [
        (0.1, "FB 3FB999999999999A"),
        (1.0, "FA 3F800000"),
        (f64::INFINITY, "FA 7F800000"),
        (1e300, "FB 7E37E43C8800759C"),
    ] {
        let payload = hex(&format!(r#"81 A2 21 69 "/9000/0/3" 02 {payload}"#));
        both_ways(
            CBOR,
            "/9000/0/3",
            &[record("/9000/0/3", OwnedValue::Float(number))],
            &payload,
        );
    }
    let nan = [record("/9000/0/3", OwnedValue::Float(f64::NAN))];
    let payload = write_all(CBOR, path("/9000/0/3"), &nan).unwrap();
    assert_eq!(payload, hex(r#"81 A2 21 69 "/9000/0/3" 02 FA 7FC00000"#));
}

#[test]
fn half_precision_is_read() {
    // RFC 8949 Appendix A
    for (bits, number) in [
        ("0000", 0.0),
        ("8000", -0.0),
        ("3C00", 1.0),
        ("3E00", 1.5),
        ("7BFF", 65504.0),
        ("0001", 5.960464477539063e-8),
        ("0400", 0.00006103515625),
        ("C400", -4.0),
        ("7C00", f64::INFINITY),
        ("FC00", f64::NEG_INFINITY),
    ] {
        assert_eq!(
            value(3, &format!("02 F9 {bits}")),
            Ok(OwnedValue::Float(number)),
            "{bits}"
        );
    }
    let Ok(OwnedValue::Float(number)) = value(3, "02 F9 7E00") else {
        panic!("NaN is carried");
    };
    assert!(number.is_nan());
}

#[test]
fn many_records_have_a_longer_head() {
    for (count, head) in [(23, "97"), (24, "98 18"), (255, "98 FF"), (256, "99 01 00")] {
        let records: Vec<_> = (0..count)
            .map(|id| record(&format!("/9000/0/17/{id}"), int(1)))
            .collect();
        let payload = write_all(CBOR, path("/9000/0/17"), &records).unwrap();
        assert!(payload.starts_with(&hex(&format!(r#"{head} A3 21 6B "/9000/0/17/" 00 61 "0""#))));
        assert_eq!(read(CBOR, "/9000/0/17", &payload).unwrap(), records);
    }
    both_ways(CBOR, "/3", &[], &hex("80"));
}

#[test]
fn indefinite_lengths() {
    let records = [
        record("/9000/0/0", text("abc")),
        record("/9000/0/5", opaque(&[1, 2, 3])),
    ];
    let payload = hex(
        r#"9F BF 21 7F 62 "/9" 66 "000/0/" FF 00 7F 60 61 "0" FF 03 7F 61 "a" 62 "bc" FF FF
           BF 08 5F 41 01 40 42 0203 FF 00 61 "5" FF FF"#,
    );
    assert_eq!(read(CBOR, "/9000/0", &payload).unwrap(), records);
    assert_eq!(
        read_with_scratch(CBOR, path("/"), &payload, 3).unwrap(),
        records
    );
    let error = read_with_scratch(CBOR, path("/"), &payload, 2).unwrap_err();
    assert!(matches!(error, FormatError::ScratchTooSmall { .. }));
    assert_eq!(error.code(), Code::REQUEST_ENTITY_TOO_LARGE);
    assert_eq!(read(CBOR, "/", &hex("9F FF")).unwrap(), []);
    for payload in [
        r#"9F"#,
        r#"9F BF"#,
        r#"9F BF 00 64 "/3/0""#,
        r#"9F BF 00 64 "/3/0" FF"#,
        r#"9F BF 00 7F 64 "/3/0""#,
    ] {
        assert!(
            matches!(refused("/", payload), FormatError::Truncated { .. }),
            "{payload}"
        );
    }
    for payload in [
        r#"81 A1 00 7F 44 "/3/0" FF"#,    // bytes in a text
        r#"81 A1 00 7F 7F 61 "/" FF FF"#, // chunks in a chunk
        r#"81 A1 00 7F 01 FF"#,           // a number in a text
        r#"FF"#,
        r#"81 FF"#,
        r#"81 A1 FF"#,
        r#"81 BF 00 FF"#,
        r#"81 A1 00 1F"#,
        r#"81 A1 00 3F"#,
        r#"81 DF 00"#,
    ] {
        let error = refused("/", payload);
        assert!(
            matches!(error, FormatError::Syntax { .. }),
            "{payload}: {error}"
        );
    }
}

#[test]
fn integers() {
    assert_eq!(value(1, "02 18 05"), Ok(int(5)));
    assert_eq!(value(1, "02 1B 0000000000000005"), Ok(int(5)));
    assert_eq!(value(1, "02 1B 7FFFFFFFFFFFFFFF"), Ok(int(i64::MAX)));
    assert_eq!(value(1, "02 3B 7FFFFFFFFFFFFFFF"), Ok(int(i64::MIN)));
    assert_eq!(value(3, "02 05"), Ok(OwnedValue::Float(5.0)));
    // Written as floats, but integral.
    assert_eq!(value(1, "02 F9 4DC0"), Ok(int(23)));
    assert_eq!(value(1, "02 FA 41B80000"), Ok(int(23)));
    assert_eq!(value(1, "02 FB 4037000000000000"), Ok(int(23)));
    for (resource, field) in [
        (1, "02 1B 8000000000000000"),
        (1, "02 3B 8000000000000000"),
        (2, "02 20"),
        (2, "02 FB 43F0000000000000"), // 2^64
        (1, "02 FB 43E0000000000000"), // 2^63
        (1, "02 F9 7C00"),             // infinity
    ] {
        assert!(
            matches!(value(resource, field), Err(FormatError::Range { .. })),
            "{field}"
        );
    }
    for field in ["02 F9 3E00", "02 F9 7E00"] {
        assert!(
            matches!(value(1, field), Err(FormatError::Type { .. })),
            "{field}"
        );
    }
}

#[test]
fn bignums_and_decimal_fractions() {
    assert_eq!(
        value(2, "02 C2 48 FFFFFFFFFFFFFFFF"),
        Ok(OwnedValue::Unsigned(u64::MAX))
    );
    assert_eq!(value(1, "02 C3 41 00"), Ok(int(-1)));
    assert_eq!(
        value(
            1,
            "02 C2 58 20 00000000000000000000000000000000 00000000000000000000000000000007"
        ),
        Ok(int(7))
    );
    assert_eq!(value(1, "02 C2 40"), Ok(int(0)));
    assert_eq!(value(1, "02 C2 5F 41 01 41 00 FF"), Ok(int(256)));
    assert_eq!(
        value(3, "02 C2 49 010000000000000000"),
        Ok(OwnedValue::Float(18446744073709551616.0))
    );
    for field in [
        "02 C2 49 010000000000000000",
        "02 C2 51 0100000000000000000000000000000000",
    ] {
        assert!(
            matches!(value(2, field), Err(FormatError::Range { .. })),
            "{field}"
        );
    }
    // 273.15 (RFC 8949 §3.4.4)
    assert_eq!(
        value(3, "02 C4 82 21 19 6AB3"),
        Ok(OwnedValue::Float(273.15))
    );
    assert_eq!(value(1, "02 C4 82 02 05"), Ok(int(500)));
    assert_eq!(value(1, "02 C4 82 21 19 01F4"), Ok(int(5)));
    assert_eq!(value(1, "02 C4 9F 02 C2 41 05 FF"), Ok(int(500)));
    assert_eq!(
        value(99 % 10, "02 C4 82 02 05"),
        Ok(OwnedValue::Float(500.0))
    );
    for field in [
        "02 C4 82 1A 7FFFFFFF 05",
        "02 C4 82 1B 0FFFFFFFFFFFFFFF 05",
        "02 C4 82 19 0190 05",
    ] {
        assert!(
            matches!(value(3, field), Err(FormatError::Range { .. })),
            "{field}"
        );
    }
    for field in [
        "02 C4 81 05",
        "02 C4 05",
        "02 C4 82 F9 3C00 05",
        "02 C4 82 01 F9 3C00",
        "02 C2 05",
        "02 C4 9F 02 05 05 FF",
    ] {
        assert!(
            matches!(value(3, field), Err(FormatError::Syntax { .. })),
            "{field}"
        );
    }
}

#[test]
fn times_as_values() {
    assert_eq!(
        value(6, "02 1A 5182428F"),
        Ok(OwnedValue::Time(1_367_491_215))
    );
    assert_eq!(
        value(6, "02 C1 1A 5182428F"),
        Ok(OwnedValue::Time(1_367_491_215))
    );
    assert_eq!(
        value(6, r#"02 C0 74 "2013-05-02T10:40:15Z""#),
        Ok(OwnedValue::Time(1_367_491_215))
    );
    assert_eq!(value(9, "02 C1 05"), Ok(OwnedValue::Time(5)));
    assert!(matches!(
        value(6, "02 C0 05"),
        Err(FormatError::Syntax { .. })
    ));
    assert!(matches!(
        value(6, r#"02 C0 61 "x""#),
        Err(FormatError::Syntax { .. })
    ));
    assert!(matches!(
        value(6, r#"02 C1 61 "x""#),
        Err(FormatError::Syntax { .. })
    ));
    assert!(matches!(
        value(6, "02 C1 F9 3E00"),
        Err(FormatError::Type { .. })
    ));
}

#[test]
fn types_and_fields_must_agree() {
    for (resource, field) in [
        (0, "02 01"),
        (0, "04 F5"),
        (1, r#"03 61 "1""#),
        (3, r#"03 61 "1""#),
        (4, "02 01"),
        (5, r#"03 61 "1""#),
        (7, r#"03 64 "66:0""#),
        (7, r#"63 "vlo" 62 "66""#),
        (8, "08 41 01"),
    ] {
        assert!(
            matches!(
                value(resource, field),
                Err(FormatError::Type {
                    expected: Some(_),
                    ..
                })
            ),
            "{resource} {field}"
        );
    }
    for field in [
        r#"02 61 "1""#,
        "02 F5",
        "02 41 01",
        "03 01",
        "03 41 31",
        "04 01",
        "04 F6",
        "08 61 31",
        r#"63 "vlo" 01"#,
        "02 F6",
        "02 F7",
        "02 80",
        "02 A0",
        "02 E0",
        "02 F8 20",
        "04 F8 15",
        "02 D8 65 80",
    ] {
        assert!(
            matches!(
                value(9, field),
                Err(FormatError::Type { expected: None, .. })
            ),
            "{field}"
        );
    }
    assert_eq!(value(9, "02 05"), Ok(int(5)));
    assert_eq!(value(9, "02 F9 3C00"), Ok(OwnedValue::Float(1.0)));
    assert_eq!(value(9, r#"63 "vlo" 64 "66:0""#), Ok(link(66, 0)));
    assert_eq!(value(9, "08 41 01"), Ok(opaque(&[1])));
    assert!(matches!(
        value(0, "03 61 FF"),
        Err(FormatError::Utf8 { .. })
    ));
    assert!(matches!(
        value(0, "03 7F 61 C3 61 28 FF"),
        Err(FormatError::Utf8 { .. })
    ));
}

#[test]
fn labels() {
    let with = |count: &str, field: &str| {
        read(
            CBOR,
            "/",
            &hex(&format!(r#"81 {count} 00 69 "/9000/0/1" 02 05 {field}"#)),
        )
    };
    // Numbers beyond the table, and texts, are extensions.
    for field in [
        "09 05",
        "28 05",
        "18 FF 82 01 A1 01 80",
        r#"61 "x" F6"#,
        r#"67 "unknown" D8 20 01"#,
        "01 63 436500",
        "05 01",
        "07 01",
        "25 01",
        "29 9F 01 BF 01 02 FF 7F FF FF",
        "3B FFFFFFFFFFFFFFFF 01",
        "20 0A",
        r#"7F 61 "x" 63 "yzw" FF 01"#,
        "60 01",
    ] {
        assert_eq!(
            with("A3", field).unwrap(),
            [record("/9000/0/1", int(5))],
            "{field}"
        );
    }
    for field in [
        r#"62 "x_" 01"#,
        r#"61 "_" 01"#,
        r#"7F 61 "x" 61 "_" FF 01"#,
        r#"7F 61 "_" 60 FF 01"#,
        r#"68 "quitelo_" 01"#,
        "20 0B",
        "20 00",
    ] {
        assert!(
            matches!(with("A3", field), Err(FormatError::NotUnderstood { .. })),
            "{field}"
        );
    }
    // The labels of the table must be numbers (RFC 8428 §6).
    for field in [
        r#"61 "v" 05"#,
        r#"62 "bn" 61 "x""#,
        r#"7F 61 "v" FF 05"#,
        "41 01 01",
        "80 01",
        "F5 01",
        "C1 00 01",
    ] {
        assert!(
            matches!(with("A3", field), Err(FormatError::Syntax { .. })),
            "{field}"
        );
    }
    for field in ["02 05", "18 02 05", "00 60", "1B 0000000000000002 05"] {
        assert!(
            matches!(with("A3", field), Err(FormatError::Duplicate { .. })),
            "{field}"
        );
    }
    for field in [r#"03 61 "x""#, "04 F5", "08 40", r#"63 "vlo" 61 "x""#] {
        assert!(
            matches!(with("A3", field), Err(FormatError::SeveralValues { .. })),
            "{field}"
        );
    }
}

#[test]
fn names_and_scope() {
    assert!(matches!(
        refused("/", "81 A1 02 05"),
        FormatError::Name { .. }
    ));
    assert!(matches!(
        refused("/", "81 A1 00 05"),
        FormatError::Syntax { .. }
    ));
    assert!(matches!(
        refused("/", r#"81 A2 00 64 "/3/0" 02 05"#),
        FormatError::Name { .. }
    ));
    assert!(matches!(
        refused("/4", r#"81 A1 00 64 "/3/0""#),
        FormatError::OutOfScope { .. }
    ));
    let mut payload = hex("81 A1 00 79 03 E8");
    payload.extend([b'1'; 1000]);
    assert!(matches!(
        read(CBOR, "/", &payload),
        Err(FormatError::Name { .. })
    ));
    let mut payload = hex("81 A2 21 78 50");
    payload.extend([b'1'; 80]);
    payload.extend(hex("00 78 50"));
    payload.extend([b'1'; 80]);
    assert!(matches!(
        read(CBOR, "/", &payload),
        Err(FormatError::Name { .. })
    ));
}

#[test]
fn times_of_records() {
    let at = |time: Option<f64>, value: i64| OwnedRecord {
        time,
        ..record("/3/0/9", int(value))
    };
    let records = [
        at(Some(1_700_000_000.0), 100),
        at(Some(1_699_999_990.0), 99),
        at(None, 98),
    ];
    let payload = hex(
        r#"83 A3 21 66 "/3/0/9" 22 1A 6553F100 02 18 64  A2 06 29 02 18 63  A2 22 00 02 18 62"#,
    );
    both_ways(CBOR, "/3/0/9", &records, &payload);
    let fraction = [at(Some(0.5), 1)];
    both_ways(
        CBOR,
        "/3/0/9",
        &fraction,
        &hex(r#"81 A3 21 66 "/3/0/9" 22 FA 3F000000 02 01"#),
    );
    for time in ["22 F9 7C00", "22 F9 7E00", "06 FB 7FF0000000000000"] {
        let payload = format!(r#"81 A3 00 66 "/3/0/9" {time} 02 01"#);
        assert!(
            matches!(refused("/", &payload), FormatError::Range { .. }),
            "{time}"
        );
    }
    let payload = r#"81 A4 00 66 "/3/0/9" 22 FB 7FE0000000000000 06 FB 7FE0000000000000 02 01"#;
    assert!(matches!(refused("/", payload), FormatError::Range { .. }));
    assert!(matches!(
        refused("/", r#"81 A2 00 66 "/3/0/9" 22 61 "1""#),
        FormatError::Syntax { .. }
    ));
}

#[test]
fn base_values() {
    let payload =
        hex(r#"82 A4 21 68 "/9000/0/" 24 18 64 00 61 "1" 02 05  A2 00 61 "3" 02 F9 3800"#);
    assert_eq!(
        read(CBOR, "/", &payload).unwrap(),
        [
            record("/9000/0/1", int(105)),
            record("/9000/0/3", OwnedValue::Float(100.5))
        ]
    );
    let payload = r#"81 A3 00 69 "/9000/0/3" 24 F9 7C00 02 05"#;
    assert!(matches!(refused("/", payload), FormatError::Range { .. }));
}

#[test]
fn lengths_that_lie() {
    for payload in [
        "",
        "81",
        "9B FFFFFFFFFFFFFFFF",
        "9B 8000000000000000 A0",
        "81 BB FFFFFFFFFFFFFFFF",
        "81 A1 00 7B FFFFFFFFFFFFFFFF 41",
        "81 A1 00 7B 8000000000000000",
        "81 A1 08 5B 7FFFFFFFFFFFFFFF",
        "81 A1 09 9B FFFFFFFFFFFFFFFF",
        "81 A1 09 BB FFFFFFFFFFFFFFFF",
        "81 A1 09 BB 7FFFFFFFFFFFFFFF 01",
        "81 A1 02 1B 00",
        "81 A1 02 19",
    ] {
        let error = refused("/", payload);
        assert!(
            matches!(
                error,
                FormatError::Truncated { .. } | FormatError::Name { .. }
            ),
            "{payload}: {error}"
        );
    }
    for info in ["1C", "1D", "1E", "5C", "9D", "FC", "FE"] {
        assert!(
            matches!(refused("/", info), FormatError::Syntax { at: 0, .. }),
            "{info}"
        );
    }
    for payload in ["00", "A0", "60", "F6", "C1 80", "81 80", "81 00"] {
        assert!(
            matches!(refused("/", payload), FormatError::Syntax { .. }),
            "{payload}"
        );
    }
    assert_eq!(refused("/", "80 00"), FormatError::Trailing { at: 1 });
    assert_eq!(refused("/", "9F FF FF"), FormatError::Trailing { at: 2 });
}

#[test]
fn floods_are_bounded() {
    let wrapped = |filler: &str, count: usize| {
        let mut payload = hex(r#"81 A2 00 66 "/3/0/9" 09"#);
        for _ in 0..count {
            payload.extend(hex(filler));
        }
        payload.push(0);
        read(CBOR, "/", &payload)
    };
    for filler in ["81", "C6", "A1 00", "9F", "D8 FF"] {
        let error = wrapped(filler, 10_000).unwrap_err();
        assert!(
            matches!(error, FormatError::TooDeep { .. }),
            "{filler}: {error}"
        );
        assert_eq!(error.code(), Code::BAD_REQUEST);
    }
    assert!(wrapped("81", 15).is_ok());
    let mut tags = "02".to_owned();
    tags.push_str(&" C6".repeat(8));
    assert_eq!(value(1, &format!("{tags} 05")), Ok(int(5)));
    tags.push_str(&" D9 D9F7".repeat(10_000));
    assert!(matches!(
        value(1, &format!("{tags} 05")),
        Err(FormatError::TooDeep { .. })
    ));
}

#[test]
fn writer_stays_within_its_buffer() {
    let records = device();
    let payload = write_all(CBOR, path("/3/0"), &records).unwrap();
    for size in 0..payload.len() {
        let mut buffer = vec![0xAA; size + 8];
        let (lent, rest) = buffer.split_at_mut(size);
        let written =
            dunlin_lwm2m::format::writer(CBOR, lent, path("/3/0")).and_then(|mut writer| {
                records
                    .iter()
                    .try_for_each(|record| writer.record(&record.as_record()))?;
                writer.finish()
            });
        assert_eq!(written, Err(FormatError::BufferTooSmall), "{size}");
        assert_eq!(rest, [0xAA; 8]);
    }
}

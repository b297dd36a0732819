//! Text, opaque and CBOR: one value.

mod format_common;

use dunlin_coap::Code;
use dunlin_lwm2m::format::{FormatError, read_all, reader, write_all, writer};
use dunlin_lwm2m::{ContentFormat, DataType, OwnedValue, Path};
use format_common::*;

const TEXT: ContentFormat = ContentFormat::TEXT;
const OPAQUE: ContentFormat = ContentFormat::OPAQUE;
const CBOR: ContentFormat = ContentFormat::CBOR;

fn resource(id: u16) -> String {
    format!("/9000/0/{id}")
}

fn from_text(id: u16, payload: &str) -> Result<OwnedValue, FormatError> {
    read_value(TEXT, &resource(id), payload.as_bytes())
}

fn from_cbor(id: u16, payload: &str) -> Result<OwnedValue, FormatError> {
    read_value(CBOR, &resource(id), &hex(payload))
}

#[track_caller]
fn text_both_ways(id: u16, value: OwnedValue, payload: &str) {
    let target = resource(id);
    both_ways(TEXT, &target, &[record(&target, value)], payload.as_bytes());
}

#[track_caller]
fn cbor_both_ways(target: &str, value: OwnedValue, payload: &str) {
    both_ways(CBOR, target, &[record(target, value)], &hex(payload));
}

#[test]
fn text_of_every_type() {
    text_both_ways(0, text(""), "");
    text_both_ways(0, text("é €"), "é €");
    text_both_ways(1, int(-750), "-750");
    text_both_ways(1, int(i64::MIN), "-9223372036854775808");
    text_both_ways(1, int(i64::MAX), "9223372036854775807");
    text_both_ways(2, OwnedValue::Unsigned(u64::MAX), "18446744073709551615");
    text_both_ways(4, OwnedValue::Boolean(true), "1");
    text_both_ways(4, OwnedValue::Boolean(false), "0");
    text_both_ways(5, opaque(&[1, 2, 3, 4, 5]), "AQIDBAU=");
    text_both_ways(5, opaque(&[0xFB, 0xEF, 0xFF]), "++//");
    text_both_ways(5, opaque(&[]), "");
    text_both_ways(6, OwnedValue::Time(1_367_491_215), "1367491215");
    text_both_ways(6, OwnedValue::Time(-1), "-1");
    text_both_ways(7, link(66, 0), "66:0");
    text_both_ways(7, link(65535, 65535), "65535:65535");
    text_both_ways(
        8,
        OwnedValue::CoreLink("</3/0>;dim=2".into()),
        "</3/0>;dim=2",
    );
}

#[test]
fn text_floats_have_no_exponent() {
    for (number, payload) in [
        (0.00000000006667, "0.00000000006667"),
        (-0.00000000006667, "-0.00000000006667"),
        (25.5, "25.5"),
        (-0.1, "-0.1"),
        (1.0, "1.0"),
        (0.0, "0.0"),
        (1e22, "10000000000000000000000.0"),
        (1.5e20, "150000000000000000000.0"),
        (123456789012345680000.0, "123456789012345680000.0"),
        (1e-7, "0.0000001"),
    ] {
        text_both_ways(3, OwnedValue::Float(number), payload);
    }
    for number in [
        f64::MAX,
        f64::MIN,
        f64::MIN_POSITIVE,
        5e-324,
        1.2345678901234567e300,
        -1.7976931348623157e-300,
    ] {
        let records = [record("/9000/0/3", OwnedValue::Float(number))];
        let payload =
            String::from_utf8(write_all(TEXT, path("/9000/0/3"), &records).unwrap()).unwrap();
        assert!(
            payload
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'-')),
            "{payload}"
        );
        assert_eq!(payload.parse(), Ok(number));
        assert_eq!(from_text(3, &payload), Ok(OwnedValue::Float(number)));
    }
    for number in [f64::NAN, f64::INFINITY] {
        let records = [record("/9000/0/3", OwnedValue::Float(number))];
        assert_eq!(
            write_all(TEXT, path("/9000/0/3"), &records),
            Err(FormatError::NotAcceptable(TEXT))
        );
    }
}

#[test]
fn text_floats_are_read_with_or_without_exponent() {
    assert_eq!(from_text(3, "100"), Ok(OwnedValue::Float(100.0)));
    assert_eq!(from_text(3, "1.0E-4"), Ok(OwnedValue::Float(0.0001)));
    for bad in [
        "", "+1", ".5", "1.", "NaN", "inf", "Infinity", "1e", "0x1", " 1", "1 ", "1,5", "1\n",
    ] {
        assert_eq!(
            from_text(3, bad),
            Err(FormatError::Type {
                at: 0,
                expected: Some(DataType::Float)
            }),
            "{bad:?}"
        );
    }
    assert_eq!(from_text(3, "1e400"), Err(FormatError::Range { at: 0 }));
}

#[test]
fn text_integers_are_strict() {
    for id in [1, 2, 6] {
        for bad in [
            "", "+0", "1e3", "1.0", "0x10", " 1", "1 ", "1\n", "-", "--1", "one", "1_000", "٣",
            "\0",
        ] {
            let error = from_text(id, bad).unwrap_err();
            assert!(
                matches!(
                    error,
                    FormatError::Type {
                        at: 0,
                        expected: Some(_)
                    }
                ),
                "{bad:?}"
            );
            assert_eq!(error.code(), Code::BAD_REQUEST);
        }
    }
    assert_eq!(from_text(1, "007"), Ok(int(7)));
    for (id, bad) in [
        (1, "9223372036854775808"),
        (1, "-9223372036854775809"),
        (2, "-1"),
        (2, "18446744073709551616"),
        (6, "9223372036854775808"),
        (
            1,
            "100000000000000000000000000000000000000000000000000000000000",
        ),
    ] {
        let error = from_text(id, bad).unwrap_err();
        assert_eq!(
            (error, error.code()),
            (FormatError::Range { at: 0 }, Code::BAD_REQUEST),
            "{bad}"
        );
    }
}

#[test]
fn text_booleans_and_links() {
    assert_eq!(from_text(4, "true"), Ok(OwnedValue::Boolean(true)));
    assert_eq!(from_text(4, "false"), Ok(OwnedValue::Boolean(false)));
    for bad in ["", "2", "True", "TRUE", "01", "yes", "1 "] {
        assert!(
            matches!(from_text(4, bad), Err(FormatError::Type { .. })),
            "{bad:?}"
        );
    }
    for bad in [
        "", "66", "66:", ":0", "66:0:0", "66:65536", "-1:0", "66: 0", "066:0",
    ] {
        assert!(
            matches!(from_text(7, bad), Err(FormatError::Type { .. })),
            "{bad:?}"
        );
    }
}

#[test]
fn text_strings_take_any_utf8() {
    assert_eq!(from_text(0, "a\0b"), Ok(text("a\0b")));
    // A surrogate is not UTF-8.
    let error = read(TEXT, "/9000/0/0", &[b'a', 0xED, 0xA0, 0x80]).unwrap_err();
    assert_eq!(
        (error, error.code()),
        (FormatError::Utf8 { at: 1 }, Code::BAD_REQUEST)
    );
    let large = "x".repeat(10_000_000);
    assert_eq!(
        read_with_scratch(TEXT, path("/9000/0/0"), large.as_bytes(), 0).unwrap(),
        [record("/9000/0/0", text(&large))]
    );
    assert_eq!(
        from_text(99, "12"),
        Ok(text("12")),
        "unknown resources are strings"
    );
}

#[test]
fn text_opaque_is_base64() {
    assert_eq!(from_text(5, "AQIDBAU"), Ok(opaque(&[1, 2, 3, 4, 5])));
    assert_eq!(from_text(5, "--__"), Ok(opaque(&[0xFB, 0xEF, 0xFF])));
    for bad in ["A", "AQIDBAU==", "AQ=I", "0x0102", "AQID\n", " AQID"] {
        let error = from_text(5, bad).unwrap_err();
        assert!(matches!(error, FormatError::Base64 { .. }), "{bad:?}");
        assert_eq!(error.code(), Code::BAD_REQUEST);
    }
    let large = "AAAA".repeat(2_500_000);
    let error = read_with_scratch(TEXT, path("/9000/0/5"), large.as_bytes(), 1000).unwrap_err();
    assert_eq!(error, FormatError::ScratchTooSmall { at: 0 });
    assert_eq!(error.code(), Code::REQUEST_ENTITY_TOO_LARGE);
    assert!(read_with_scratch(TEXT, path("/9000/0/5"), b"AQIDBAU=", 5).is_ok());
    assert!(read_with_scratch(TEXT, path("/9000/0/5"), b"AQIDBAU=", 4).is_err());
}

#[test]
fn opaque_is_for_opaque() {
    for bytes in [&b""[..], &[0, 1, 0xFF]] {
        both_ways(
            OPAQUE,
            "/9000/0/5",
            &[record("/9000/0/5", opaque(bytes))],
            bytes,
        );
    }
    assert_eq!(
        read_value(OPAQUE, "/9000/0/99", &[0xFF]),
        Ok(opaque(&[0xFF]))
    );
    let error = read(OPAQUE, "/9000/0/0", b"abc").unwrap_err();
    assert_eq!(
        error,
        FormatError::Type {
            at: 0,
            expected: Some(DataType::String)
        }
    );
    assert_eq!(error.code(), Code::BAD_REQUEST);
    let error = write_all(OPAQUE, path("/3/0/9"), &[record("/3/0/9", int(1))]).unwrap_err();
    assert_eq!(
        (error, error.code()),
        (FormatError::NotAcceptable(OPAQUE), Code::NOT_ACCEPTABLE)
    );
}

#[test]
fn cbor_examples() {
    cbor_both_ways("/1/0/1", int(86400), "1A 00015180");
    cbor_both_ways("/9000/0/4", OwnedValue::Boolean(true), "F5");
    cbor_both_ways("/3/0/16", text("U"), "61 55");
    cbor_both_ways("/9000/0/5", opaque(&[1, 2, 3]), "43 010203");
    cbor_both_ways("/9000/0/7", link(66, 0), "64 36363A30");
    cbor_both_ways("/9000/0/6", OwnedValue::Time(1_367_491_215), "1A 5182428F");
    cbor_both_ways("/9000/0/3", OwnedValue::Float(25.5), "FA 41CC0000");
    cbor_both_ways("/3/0/6/1", int(5), "05");
    assert_eq!(
        from_cbor(6, "C1 1A 5182428F"),
        Ok(OwnedValue::Time(1_367_491_215))
    );
    assert_eq!(
        from_cbor(99, "C1 1A 5182428F"),
        Ok(OwnedValue::Time(1_367_491_215))
    );
}

#[test]
fn cbor_dates() {
    // Seconds worked out with GNU date.
    for (date, seconds) in [
        ("1970-01-01T00:00:00Z", 0),
        ("2013-05-02T10:40:15Z", 1_367_491_215),
        ("2013-05-02T12:40:15+02:00", 1_367_491_215),
        ("2013-05-02t05:10:15.000-05:30", 1_367_491_215),
        ("2000-02-29T23:59:59Z", 951_868_799),
        ("1969-12-31T23:59:59Z", -1),
        ("0001-01-01T00:00:00Z", -62_135_596_800),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
    ] {
        let mut payload = vec![0xC0, 0x78, date.len() as u8];
        payload.extend(date.as_bytes());
        for target in ["/9000/0/6", "/9000/0/99"] {
            assert_eq!(
                read_value(CBOR, target, &payload),
                Ok(OwnedValue::Time(seconds)),
                "{date}"
            );
        }
    }
    for date in [
        "",
        "2013",
        "2013-05-02",
        "2013-05-02T10:40:15",
        "2013-13-02T10:40:15Z",
        "2013-00-02T10:40:15Z",
        "2013-02-29T10:40:15Z",
        "1900-02-29T10:40:15Z",
        "2013-04-31T10:40:15Z",
        "2013-05-00T10:40:15Z",
        "2013-05-02T24:40:15Z",
        "2013-05-02T10:60:15Z",
        "2013-05-02T10:40:61Z",
        "2013-05-02T10:40:15.5Z",
        "2013-05-02T10:40:15.Z",
        "2013-05-02T10:40:15+0200",
        "2013-05-02T10:40:15Z ",
        "2013/05/02T10:40:15Z",
        "2013-05-02T10:40:15+24:00",
        "-013-05-02T10:40:15Z",
        "2013-05-02T10:40:15é",
    ] {
        let mut payload = vec![0xC0, 0x78, date.len() as u8];
        payload.extend(date.as_bytes());
        assert!(
            matches!(
                read_value(CBOR, "/9000/0/6", &payload),
                Err(FormatError::Syntax { .. })
            ),
            "{date}"
        );
    }
}

#[test]
fn cbor_bad_input() {
    for (payload, expected) in [
        ("", "Truncated"),
        ("1A 0001", "Truncated"),
        ("7F 61", "Truncated"),
        ("05 05", "Trailing"),
        ("FF", "Syntax"),
        ("F6", "Type"),
        ("F7", "Type"),
        ("80", "Type"),
        ("A0", "Type"),
        ("1B 8000000000000000", "Range"),
        ("F5", "Type"),
        ("61 35", "Type"),
        ("F9 3E00", "Type"),
    ] {
        let error = from_cbor(1, payload).unwrap_err();
        assert!(
            format!("{error:?}").starts_with(expected),
            "{payload}: {error:?}"
        );
        assert_eq!(error.code(), Code::BAD_REQUEST);
    }
    let tags = "C6".repeat(100_000) + "05";
    assert!(matches!(
        from_cbor(1, &tags),
        Err(FormatError::TooDeep { .. })
    ));
    let payload = hex("7F 61 61 62 6262 FF");
    assert!(read_with_scratch(CBOR, path("/9000/0/0"), &payload, 3).is_ok());
    assert!(matches!(
        read_with_scratch(CBOR, path("/9000/0/0"), &payload, 2),
        Err(FormatError::ScratchTooSmall { .. })
    ));
}

#[test]
fn cbor_of_unknown_resources_goes_by_the_item() {
    assert_eq!(from_cbor(99, "05"), Ok(int(5)));
    assert_eq!(
        from_cbor(99, "1B FFFFFFFFFFFFFFFF"),
        Ok(OwnedValue::Unsigned(u64::MAX))
    );
    assert_eq!(from_cbor(99, "F9 3E00"), Ok(OwnedValue::Float(1.5)));
    assert_eq!(from_cbor(99, "61 55"), Ok(text("U")));
    assert_eq!(from_cbor(99, "41 55"), Ok(opaque(b"U")));
    assert_eq!(from_cbor(99, "F4"), Ok(OwnedValue::Boolean(false)));
}

#[test]
fn only_one_value_fits() {
    for format in [TEXT, OPAQUE, CBOR] {
        for target in ["/", "/3", "/3/0"] {
            let error = read_all(format, b"1", path(target), &Model).unwrap_err();
            assert_eq!(error, FormatError::UnfitForTarget(format));
            assert_eq!(error.code(), Code::BAD_REQUEST);
            let error = write_all(format, path(target), &[]).unwrap_err();
            assert_eq!(error, FormatError::NotAcceptable(format));
            assert_eq!(error.code(), Code::NOT_ACCEPTABLE);
        }
        let refused = |target: &str, records: &[_]| {
            assert_eq!(
                write_all(format, path(target), records),
                Err(FormatError::NotAcceptable(format)),
                "{format} {target} {records:?}"
            );
        };
        let one = || record("/5/0/0", opaque(&[1]));
        refused("/5/0/0", &[]);
        refused("/5/0/0", &[one(), one()]);
        refused("/5/0/0", &[empty("/5/0/0")]);
        refused("/3/0/6", &[record("/3/0/6/0", int(1))]);
        assert_eq!(
            write_all(format, path("/5/0/1"), &[one()]),
            Err(FormatError::Sequence)
        );
    }
}

#[test]
fn unknown_formats() {
    for format in [ContentFormat::LINK, ContentFormat(9), ContentFormat(65535)] {
        let error = reader(format, b"", Path::ROOT, &Model, &mut [])
            .err()
            .unwrap();
        assert_eq!(error, FormatError::Unsupported(format));
        assert_eq!(error.code(), Code::UNSUPPORTED_CONTENT_FORMAT);
        let error = writer(format, &mut [], Path::ROOT).unwrap_err();
        assert_eq!(
            (error, error.code()),
            (FormatError::NotAcceptable(format), Code::NOT_ACCEPTABLE)
        );
    }
}

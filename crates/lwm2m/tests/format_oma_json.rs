//! The JSON of LwM2M 1.0 (11543; Core 1.0.2 §6.4.4).

mod format_common;

use dunlin_coap::Code;
use dunlin_lwm2m::format::{FormatError, Scope, names, patch_reader, read_all, write_all, writer};
use dunlin_lwm2m::{ContentFormat, OwnedRecord, OwnedValue, Path};
use format_common::*;

const FORMAT: ContentFormat = ContentFormat::LWM2M_JSON;

fn read_text(target: &str, payload: &str) -> Result<Vec<OwnedRecord>, FormatError> {
    read(FORMAT, target, payload.as_bytes())
}

#[track_caller]
fn reads(target: &str, payload: &str, records: &[OwnedRecord]) {
    assert_eq!(read_text(target, payload).unwrap(), records, "{payload}");
}

#[track_caller]
fn canonical(target: &str, payload: &str, records: &[OwnedRecord]) {
    both_ways(FORMAT, target, records, payload.as_bytes());
}

fn at(time: f64, mut record: OwnedRecord) -> OwnedRecord {
    record.time = Some(time);
    record
}

#[test]
fn an_object_instance() {
    canonical(
        "/3/0",
        concat!(
            r#"{"bn":"/3/0/","e":[{"n":"0","sv":"Open Mobile Alliance"},"#,
            r#"{"n":"1","sv":"Lightweight M2M Client"},{"n":"2","sv":"345000123"},"#,
            r#"{"n":"3","sv":"1.0"},{"n":"6/0","v":1},{"n":"6/1","v":5},{"n":"7/0","v":3800},"#,
            r#"{"n":"7/1","v":5000},{"n":"8/0","v":125},{"n":"8/1","v":900},{"n":"9","v":100},"#,
            r#"{"n":"10","v":15},{"n":"11/0","v":0},{"n":"13","v":1367491215},"#,
            r#"{"n":"14","sv":"+02:00"},{"n":"16","sv":"U"}]}"#,
        ),
        &device(),
    );
}

#[test]
fn a_single_resource() {
    let value = [record("/3/0/0", text("x"))];
    canonical("/3/0/0", r#"{"bn":"/3/0/0","e":[{"sv":"x"}]}"#, &value);
    for payload in [
        r#"{"e":[{"n":"","sv":"x"}]}"#,
        r#"{"e":[{"sv":"x"}]}"#,
        r#"{"bn":"","e":[{"sv":"x","n":""}]}"#,
        r#"{"bn":"/3/0/0/","e":[{"n":"","sv":"x"}]}"#,
        r#"{"bn":"/3/0/","e":[{"n":"0","sv":"x"}]}"#,
        r#"{"bn":"/3/0","e":[{"n":"/0","sv":"x"}]}"#,
        r#"{"bn":"/","e":[{"n":"3/0/0","sv":"x"}]}"#,
        r#"{"e":[{"n":"/3/0/0","sv":"x"}]}"#,
    ] {
        reads("/3/0/0", payload, &value);
    }
}

#[test]
fn several_instances_of_a_resource() {
    let values = [record("/3/0/6/0", int(1)), record("/3/0/6/1", int(5))];
    canonical(
        "/3/0/6",
        r#"{"bn":"/3/0/6/","e":[{"n":"0","v":1},{"n":"1","v":5}]}"#,
        &values,
    );
    canonical(
        "/3/0/6/1",
        r#"{"bn":"/3/0/6/1","e":[{"v":5}]}"#,
        &values[1..],
    );
    reads(
        "/3/0",
        r#"{"e":[{"n":"6/0","v":1},{"n":"6/1","v":5}]}"#,
        &values,
    );
    reads(
        "/3",
        r#"{"e":[{"n":"0/6/0","v":1},{"n":"0/6/1","v":5}]}"#,
        &values,
    );
}

#[test]
fn object_links() {
    let records = [
        record("/65/0/0/0", link(66, 0)),
        record("/65/0/0/1", link(66, 1)),
        record("/65/0/1", text("8613800755500")),
        record("/65/0/2", int(1)),
    ];
    canonical(
        "/65/0",
        concat!(
            r#"{"bn":"/65/0/","e":[{"n":"0/0","ov":"66:0"},{"n":"0/1","ov":"66:1"},"#,
            r#"{"n":"1","sv":"8613800755500"},{"n":"2","v":1}]}"#,
        ),
        &records,
    );
}

#[test]
fn values_of_every_type() {
    canonical(
        "/9000/0",
        concat!(
            r#"{"bn":"/9000/0/","e":[{"n":"0","sv":"\"é\n"},{"n":"1","v":-9223372036854775808},"#,
            r#"{"n":"2","v":18446744073709551615},{"n":"3","v":1.5},{"n":"4","bv":true},"#,
            r#"{"n":"5","sv":"+/8="},{"n":"6","v":1367491215},{"n":"7","ov":"66:0"},"#,
            r#"{"n":"8","sv":"</1>"}]}"#,
        ),
        &[
            record("/9000/0/0", text("\"é\n")),
            record("/9000/0/1", int(i64::MIN)),
            record("/9000/0/2", OwnedValue::Unsigned(u64::MAX)),
            record("/9000/0/3", OwnedValue::Float(1.5)),
            record("/9000/0/4", OwnedValue::Boolean(true)),
            record("/9000/0/5", opaque(&[0xFB, 0xFF])),
            record("/9000/0/6", OwnedValue::Time(1_367_491_215)),
            record("/9000/0/7", link(66, 0)),
            record("/9000/0/8", OwnedValue::CoreLink("</1>".into())),
        ],
    );
}

#[test]
fn numbers_as_peers_write_them() {
    let value = |id: u16, number: &str| {
        let payload = format!(r#"{{"e":[{{"v":{number}}}]}}"#);
        read_value(FORMAT, &format!("/9000/0/{id}"), payload.as_bytes())
    };
    for number in ["23", "23.0", "2.3e1", "230E-1", "23.000"] {
        assert_eq!(value(1, number), Ok(int(23)), "{number}");
        assert_eq!(value(3, number), Ok(OwnedValue::Float(23.0)), "{number}");
    }
    // Beyond the 53 bits of a float.
    assert_eq!(value(1, "9007199254740993"), Ok(int(9_007_199_254_740_993)));
    assert_eq!(
        value(1, "9007199254740993.0"),
        Ok(int(9_007_199_254_740_993))
    );
    assert_eq!(
        value(1, "9223372036854775808"),
        Err(FormatError::Range { at: 11 })
    );
    assert_eq!(
        value(2, "18446744073709551616"),
        Err(FormatError::Range { at: 11 })
    );
    assert!(matches!(value(1, "23.5"), Err(FormatError::Type { .. })));
    assert!(matches!(value(4, "1"), Err(FormatError::Type { .. })));
}

/// Opaque is base64 in `sv`, in the alphabet and with the padding of RFC 4648 §4; others are read.
#[test]
fn opaque_is_base64() {
    for written in ["+/8=", "+/8", "-_8", "-_8=", r"+\/8="] {
        let payload = format!(r#"{{"e":[{{"n":"5","sv":"{written}"}}]}}"#);
        reads(
            "/9000/0",
            &payload,
            &[record("/9000/0/5", opaque(&[0xFB, 0xFF]))],
        );
    }
    assert_eq!(
        read_text("/9000/0", r#"{"e":[{"n":"5","sv":"+/8!"}]}"#),
        Err(FormatError::Base64 { at: 24 })
    );
    // Of an unknown resource it is text.
    reads(
        "/9000/0",
        r#"{"e":[{"n":"99","sv":"AQID"}]}"#,
        &[record("/9000/0/99", text("AQID"))],
    );
}

#[test]
fn times() {
    let payload = concat!(
        r#"{"bn":"/3303/0/5700","bt":1495000000,"#,
        r#""e":[{"v":22.9},{"t":-5,"v":22.4},{"t":-10,"v":24.1}]}"#
    );
    let value = |number| record("/3303/0/5700", OwnedValue::Float(number));
    let records = [
        at(1_495_000_000.0, value(22.9)),
        at(1_494_999_995.0, value(22.4)),
        at(1_494_999_990.0, value(24.1)),
    ];
    reads("/3303/0/5700", payload, &records);
    canonical(
        "/3303/0/5700",
        concat!(
            r#"{"bn":"/3303/0/5700","e":[{"t":1495000000,"v":22.9},"#,
            r#"{"t":1494999995,"v":22.4},{"t":1494999990,"v":24.1}]}"#
        ),
        &records,
    );
    // A base time of zero is none.
    reads("/3303/0/5700", r#"{"bt":0,"e":[{"v":1}]}"#, &[value(1.0)]);
    assert!(matches!(
        read_text("/3303/0/5700", r#"{"bt":1e308,"e":[{"t":1e308,"v":1}]}"#),
        Err(FormatError::Range { .. })
    ));
}

#[test]
fn members_come_in_any_order() {
    let records = [at(7.0, record("/3/0/9", int(5)))];
    for payload in [
        r#"{"e":[{"v":5,"t":2,"n":"9"}],"bt":5,"bn":"/3/0/"}"#,
        r#" { "x" : [{"e":[]}] , "bt" : 5 , "e" : [ { "n" : "9" , "v" : 5 , "t" : 2 , "y" : null } ] } "#,
        r#"{"b\u006e":"/3/0/","\u0062t":5,"\u0065":[{"\u006e":"9","\u0076":5,"t":2}]}"#,
    ] {
        reads("/3/0", payload, &records);
    }
}

#[test]
fn nothing_to_say() {
    canonical("/3303", r#"{"bn":"/3303/","e":[]}"#, &[]);
    assert_eq!(
        write_all(FORMAT, path("/3/0"), &[empty("/3/0/6")]).unwrap(),
        br#"{"bn":"/3/0/","e":[]}"#
    );
    reads("/3303", r#"{"e":[]}"#, &[]);
}

#[test]
fn bad_input() {
    use FormatError::*;
    let syntax = |at, expected| Syntax { at, expected };
    for (payload, error) in [
        ("", Truncated { at: 0 }),
        (r#"{"e":[{"n":"9","v":1}"#, Truncated { at: 21 }),
        (r#"{"e":[{"n":"9","v":1}]"#, Truncated { at: 22 }),
        ("[]", syntax(0, "an object")),
        ("{}", syntax(2, "the entries, e")),
        (r#"{"bn":"/3/0/"}"#, syntax(14, "the entries, e")),
        (r#"{"e":{}}"#, syntax(5, "the array of entries")),
        (r#"{"e":[1]}"#, syntax(6, "an entry")),
        (r#"{"e":[{"n":9,"v":1}]}"#, syntax(11, "a string")),
        (r#"{"e":[{"n":"9","v":null}]}"#, syntax(19, "a number")),
        (r#"{"e":[{"n":"9","v":"1"}]}"#, syntax(19, "a number")),
        (r#"{"e":[{"n":"9","v":01}]}"#, syntax(19, "a number")),
        (r#"{"e":[{"n":"9","bv":1}]}"#, syntax(20, "true or false")),
        (r#"{"e":[]} x"#, Trailing { at: 9 }),
        (r#"{"e":[{"n":"9"}]}"#, NoValue { at: 6 }),
        (r#"{"e":[{}]}"#, Name { at: 6 }),
        (
            r#"{"e":[{"n":"9","v":1,"sv":"x"}]}"#,
            SeveralValues { at: 26 },
        ),
        (r#"{"e":[{"n":"9","v":1,"v":1}]}"#, SeveralValues { at: 25 }),
        (r#"{"e":[{"n":"9","n":"9","v":1}]}"#, Duplicate { at: 19 }),
        (
            r#"{"e":[{"t":1,"t":1,"n":"9","v":1}]}"#,
            Duplicate { at: 17 },
        ),
        (r#"{"e":[],"e":[]}"#, Duplicate { at: 12 }),
        (r#"{"bn":"/","bn":"/","e":[]}"#, Duplicate { at: 15 }),
        (r#"{"bt":1,"bt":1,"e":[]}"#, Duplicate { at: 13 }),
        (r#"{"e":[{"n":"x","v":1}]}"#, Name { at: 6 }),
        (r#"{"e":[{"n":"6//0","v":1}]}"#, Name { at: 6 }),
        (r#"{"e":[{"n":"6/0/0","v":1}]}"#, Name { at: 6 }),
        (r#"{"e":[{"n":"65535","v":1}]}"#, Name { at: 6 }),
        (r#"{"bn":"/3/0","e":[{"n":"","v":1}]}"#, Name { at: 18 }),
        (r#"{"e":[{"n":"/4/0/9","v":1}]}"#, OutOfScope { at: 6 }),
    ] {
        let found = read_text("/3/0", payload).unwrap_err();
        assert_eq!(found, error, "{payload}");
        assert_eq!(found.code(), Code::BAD_REQUEST);
    }
    let long = format!(r#"{{"bn":"{}","e":[{{"v":1}}]}}"#, "/".repeat(200));
    assert!(matches!(read_text("/3/0", &long), Err(Name { .. })));
    let deep = format!(r#"{{"x":{},"e":[]}}"#, "[".repeat(50));
    assert!(matches!(read_text("/3/0", &deep), Err(TooDeep { .. })));
    assert_eq!(
        read_text("/3/0", "{\"e\":[{\"n\":\"0\",\"sv\":\"\u{1}\"}]}"),
        Err(syntax(21, "no control character in a string"))
    );
}

/// Names below an alternate path are read with it and without it, and written relative.
#[test]
fn alternate_path() {
    let scope = Scope {
        target: path("/3/0"),
        root: "/lwm2m",
    };
    let records = [record("/3/0/9", int(5))];
    for payload in [
        r#"{"e":[{"n":"9","v":5}]}"#,
        r#"{"bn":"/lwm2m/3/0/","e":[{"n":"9","v":5}]}"#,
        r#"{"bn":"/3/0/","e":[{"n":"9","v":5}]}"#,
    ] {
        let read = read_all(FORMAT, payload.as_bytes(), scope, &Model).unwrap();
        assert_eq!(read, records);
    }
    assert_eq!(
        write_all(FORMAT, scope, &records).unwrap(),
        br#"{"e":[{"n":"9","v":5}]}"#
    );
}

#[test]
fn what_json_cannot_say() {
    let not_acceptable = Err(FormatError::NotAcceptable(FORMAT));
    for number in [f64::NAN, f64::INFINITY] {
        let records = [record("/9000/0/3", OwnedValue::Float(number))];
        assert_eq!(write_all(FORMAT, path("/9000/0"), &records), not_acceptable);
        let records = [at(number, record("/9000/0/1", int(1)))];
        assert_eq!(write_all(FORMAT, path("/9000/0"), &records), not_acceptable);
    }
    // 1.0 has no composites.
    assert_eq!(write_all(FORMAT, Path::ROOT, &[]), not_acceptable);
    let unsupported = FormatError::Unsupported(FORMAT);
    assert_eq!(names(FORMAT, b"", "").err(), Some(unsupported));
    assert_eq!(
        patch_reader(FORMAT, b"", "", &Model, &mut []).err(),
        Some(unsupported)
    );
    let mut buffer = [0; 64];
    let mut writer = writer(FORMAT, &mut buffer, path("/3")).unwrap();
    assert_eq!(
        writer.name(&path("/3")),
        Err(FormatError::NotAcceptable(FORMAT))
    );
}

#[test]
fn scratch_and_buffer() {
    let payload = br#"{"e":[{"n":"0","sv":"a\nb"},{"n":"5","sv":"AQID"}]}"#;
    for (scratch, fits) in [(3, true), (2, false)] {
        let result = read_with_scratch(FORMAT, path("/9000/0"), payload, scratch);
        assert_eq!(result.is_ok(), fits);
    }
    let payload = write_all(FORMAT, path("/3/0"), &device()).unwrap();
    for length in 0..payload.len() {
        let mut buffer = vec![0; length];
        let written = writer(FORMAT, &mut buffer, path("/3/0")).and_then(|mut writer| {
            for record in device() {
                writer.record(&record.as_record())?;
            }
            writer.finish()
        });
        assert_eq!(written, Err(FormatError::BufferTooSmall), "{length}");
        assert!(read(FORMAT, "/3/0", &payload[..length]).is_err());
    }
}

#[test]
fn writers_take_records_of_one_request() {
    let sequence = |target: &str, records: &[OwnedRecord]| {
        assert_eq!(
            write_all(FORMAT, path(target), records),
            Err(FormatError::Sequence)
        );
    };
    sequence("/3/0", &[record("/3/1/9", int(1))]);
    sequence(
        "/3/0/6",
        &[record("/3/0/6", int(1)), record("/3/0/6/1", int(1))],
    );
    sequence("/3", &[record("/3/0", int(1))]);
}

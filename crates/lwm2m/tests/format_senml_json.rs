//! SenML JSON: the standard's examples, names, times, numbers, and bad input.

mod format_common;

use dunlin_coap::Code;
use dunlin_lwm2m::format::{FormatError, Scope, read_all, write_all, write_names};
use dunlin_lwm2m::{ContentFormat, DataType, OwnedRecord, OwnedValue, Path};
use format_common::*;

const JSON: ContentFormat = ContentFormat::SENML_JSON;

fn paths(payload: &str) -> Result<Vec<String>, FormatError> {
    let records = read(JSON, "/", payload.as_bytes())?;
    Ok(records
        .iter()
        .map(|record| record.path.to_string())
        .collect())
}

/// The value of `/9000/0/<resource>` given as `field`.
fn value(resource: u16, field: &str) -> Result<OwnedValue, FormatError> {
    let payload = format!(r#"[{{"n":"/9000/0/{resource}",{field}}}]"#);
    read_value(JSON, "/9000/0", payload.as_bytes())
}

#[track_caller]
fn refused(target: &str, payload: &str) -> FormatError {
    let error = read(JSON, target, payload.as_bytes()).unwrap_err();
    assert_eq!(error.code(), Code::BAD_REQUEST, "{error}");
    error
}

#[test]
fn device_both_ways() {
    let payload = concat!(
        r#"[{"bn":"/3/0/","n":"0","vs":"Open Mobile Alliance"},"#,
        r#"{"n":"1","vs":"Lightweight M2M Client"},"#,
        r#"{"n":"2","vs":"345000123"},"#,
        r#"{"n":"3","vs":"1.0"},"#,
        r#"{"n":"6/0","v":1},"#,
        r#"{"n":"6/1","v":5},"#,
        r#"{"n":"7/0","v":3800},"#,
        r#"{"n":"7/1","v":5000},"#,
        r#"{"n":"8/0","v":125},"#,
        r#"{"n":"8/1","v":900},"#,
        r#"{"n":"9","v":100},"#,
        r#"{"n":"10","v":15},"#,
        r#"{"n":"11/0","v":0},"#,
        r#"{"n":"13","v":1367491215},"#,
        r#"{"n":"14","vs":"+02:00"},"#,
        r#"{"n":"16","vs":"U"}]"#,
    );
    both_ways(JSON, "/3/0", &device(), payload.as_bytes());
}

#[test]
fn every_type_both_ways() {
    let records = [
        record("/9000/0/0", text("\"\\/\u{8}\u{c}\n\r\t\u{1}é€😀")),
        record("/9000/0/1", int(i64::MIN)),
        record("/9000/0/2", OwnedValue::Unsigned(u64::MAX)),
        record("/9000/0/3", OwnedValue::Float(-0.1)),
        record("/9000/0/4", OwnedValue::Boolean(true)),
        record("/9000/0/5", opaque(&[0xFB, 0xEF, 0xFF, 1])),
        record("/9000/0/6", OwnedValue::Time(-1)),
        record("/9000/0/7", link(66, 0)),
        record("/9000/0/8", OwnedValue::CoreLink("</3>;a=\"b\"".into())),
        record("/9000/0/16/7", text("")),
        record("/9000/0/17/65534", int(i64::MAX)),
    ];
    let payload = concat!(
        r#"[{"bn":"/9000/0/","n":"0","vs":"\"\\/\b\f\n\r\t\u0001é€😀"},"#,
        r#"{"n":"1","v":-9223372036854775808},"#,
        r#"{"n":"2","v":18446744073709551615},"#,
        r#"{"n":"3","v":-0.1},"#,
        r#"{"n":"4","vb":true},"#,
        r#"{"n":"5","vd":"--__AQ"},"#,
        r#"{"n":"6","v":-1},"#,
        r#"{"n":"7","vlo":"66:0"},"#,
        r#"{"n":"8","vs":"</3>;a=\"b\""},"#,
        r#"{"n":"16/7","vs":""},"#,
        r#"{"n":"17/65534","v":9223372036854775807}]"#,
    );
    both_ways(JSON, "/9000/0", &records, payload.as_bytes());
}

#[test]
fn base_name_follows_the_target() {
    let nine = [record("/3/0/9", int(100))];
    both_ways(JSON, "/3/0/9", &nine, br#"[{"bn":"/3/0/9","v":100}]"#);
    both_ways(JSON, "/3/0", &nine, br#"[{"bn":"/3/0/","n":"9","v":100}]"#);
    both_ways(JSON, "/3", &nine, br#"[{"bn":"/3/","n":"0/9","v":100}]"#);
    both_ways(JSON, "/", &nine, br#"[{"bn":"/","n":"3/0/9","v":100}]"#);
    let six = [record("/3/0/6/0", int(1)), record("/3/0/6/1", int(5))];
    both_ways(
        JSON,
        "/3/0/6",
        &six,
        br#"[{"bn":"/3/0/6/","n":"0","v":1},{"n":"1","v":5}]"#,
    );
    both_ways(JSON, "/3/0/6/1", &six[1..], br#"[{"bn":"/3/0/6/1","v":5}]"#);
    both_ways(JSON, "/3/0", &[], b"[]");
    // What exists and is empty cannot be said.
    assert_eq!(
        write_all(JSON, path("/3"), &[empty("/3/0")]).unwrap(),
        b"[]"
    );
}

#[test]
fn names_are_plainly_concatenated() {
    for payload in [
        r#"[{"bn":"/3/0/","n":"0","vs":""}]"#,
        r#"[{"bn":"/3/0","n":"/0","vs":""}]"#,
        r#"[{"bn":"/","n":"3/0/0","vs":""}]"#,
        r#"[{"bn":"/3/0/0","vs":""}]"#,
        r#"[{"n":"/3/0/0","vs":""}]"#,
        r#"[{"vs":"","n":"","bn":"/3/0/0"}]"#,
        r#"[{"n":"0/0","vs":"","bn":"/3/"}]"#,
        r#"[{"bn":"\u002f3\/0","n":"\/0","vs":""}]"#,
    ] {
        assert_eq!(paths(payload).unwrap(), ["/3/0/0"], "{payload}");
    }
    // No separator is put in; base names last until the next.
    assert_eq!(
        paths(r#"[{"bn":"/9000/0/1","n":"0","v":1},{"n":"1","v":1},{"v":1},{"bn":"","n":"/1/0/1","v":1}]"#)
            .unwrap(),
        ["/9000/0/10", "/9000/0/11", "/9000/0/1", "/1/0/1"]
    );
}

#[test]
fn names_that_are_no_paths_are_refused() {
    for name in [
        "",
        "3/0/0",
        "0",
        "//3/0/0",
        "/3/0/0/",
        "/3//0",
        "/3/0/0/0/0",
        "/3/0/00",
        "/3/0/01",
        "/65536/0/0",
        "/3/0/-1",
        "/3/0/+1",
        "/3/0/ 1",
        "/3/0/a",
        "/3/0/65535",
        "/3/65535/0",
        "/99999999999/0/0",
        "/٣/0/0",
    ] {
        let payload = format!(r#"[{{"n":"{name}","v":1}}]"#);
        assert!(
            matches!(refused("/", &payload), FormatError::Name { .. }),
            "{name}"
        );
    }
    // A value belongs to a resource.
    for name in ["/", "/3", "/3/0"] {
        let payload = format!(r#"[{{"n":"{name}","v":1}}]"#);
        assert!(
            matches!(refused("/", &payload), FormatError::Name { .. }),
            "{name}"
        );
    }
    assert!(matches!(
        refused("/", r#"[{"v":1}]"#),
        FormatError::Name { at: 1 }
    ));
}

#[test]
fn names_beyond_the_limit_are_refused() {
    let long = "1".repeat(200);
    let payload = format!(r#"[{{"bn":"{long}","n":"/3/0/0","v":1}}]"#);
    assert!(matches!(refused("/", &payload), FormatError::Name { .. }));
    let payload = format!(r#"[{{"bn":"/3/0/0","n":"{long}","v":1}}]"#);
    assert!(matches!(refused("/", &payload), FormatError::Name { .. }));
    let half = "1".repeat(70);
    let payload = format!(r#"[{{"bn":"{half}","n":"{half}","v":1}}]"#);
    assert!(matches!(refused("/", &payload), FormatError::Name { .. }));
}

#[test]
fn names_outside_the_request_are_refused() {
    let payload = r#"[{"n":"/3/0/9","v":1}]"#;
    assert!(paths(payload).is_ok());
    for target in ["/4", "/3/1", "/3/0/8", "/3/0/9/0"] {
        assert_eq!(
            refused(target, payload),
            FormatError::OutOfScope { at: 1 },
            "{target}"
        );
    }
}

#[test]
fn alternate_path_is_part_of_names() {
    let scope = |target: &str| Scope {
        target: path(target),
        root: "/lwm2m",
    };
    let records = [record("/3/0/9", int(100))];
    let payload = br#"[{"bn":"/lwm2m/3/0/","n":"9","v":100}]"#;
    assert_eq!(write_all(JSON, scope("/3/0"), &records).unwrap(), payload);
    assert_eq!(
        read_all(JSON, payload, scope("/3/0"), &Model).unwrap(),
        records
    );
    let root = Scope {
        target: Path::ROOT,
        root: "/lwm2m/",
    };
    for payload in [r#"[{"n":"/lwm2m"}]"#, r#"[{"n":"/lwm2m/"}]"#] {
        assert_eq!(
            read_all(JSON, payload.as_bytes(), root, &Model).unwrap(),
            [empty("/")]
        );
    }
    assert_eq!(
        read_all(JSON, br#"[{"n":"/3/0/9","v":1}]"#, root, &Model),
        Err(FormatError::OutOfScope { at: 1 })
    );
    assert_eq!(
        read_all(JSON, br#"[{"n":"/lwm2m3/0/9","v":1}]"#, root, &Model),
        Err(FormatError::Name { at: 1 })
    );
    assert_eq!(
        write_names(JSON, "/lwm2m", &[path("/3/0"), Path::ROOT]).unwrap(),
        br#"[{"n":"/lwm2m/3/0"},{"n":"/lwm2m/"}]"#
    );
    // The root is the caller's text and still cannot break out of the string.
    let quoted = Scope {
        target: path("/3/0"),
        root: "/a\"b",
    };
    let payload = br#"[{"bn":"/a\"b/3/0/","n":"9","v":100}]"#;
    assert_eq!(write_all(JSON, quoted, &records).unwrap(), payload);
    assert_eq!(read_all(JSON, payload, quoted, &Model).unwrap(), records);
}

#[test]
fn composite_path_lists() {
    assert_eq!(
        paths(r#"[{"n":"/3/0/0"},{"n":"/3/0/9"},{"n":"/1/0/1"}]"#).unwrap(),
        ["/3/0/0", "/3/0/9", "/1/0/1"]
    );
    assert_eq!(
        paths(r#"[{"bn":"/4/0/","n":"0"},{"n":"1"},{"n":"2"},{"bn":"/6/","n":"0"}]"#).unwrap(),
        ["/4/0/0", "/4/0/1", "/4/0/2", "/6/0"]
    );
    assert_eq!(read(JSON, "/", br#"[{"n":"/"}]"#).unwrap(), [empty("/")]);
    assert_eq!(
        write_names(JSON, "", &[Path::ROOT]).unwrap(),
        br#"[{"n":"/"}]"#
    );
    assert_eq!(
        write_names(JSON, "", &[path("/3/0/0"), path("/1")]).unwrap(),
        br#"[{"n":"/3/0/0"},{"n":"/1"}]"#
    );
    assert_eq!(
        write_names(ContentFormat::TLV, "", &[path("/3")]),
        Err(FormatError::NotAcceptable(ContentFormat::TLV))
    );
}

#[test]
fn times_are_resolved() {
    let times = |payload: &str| -> Vec<Option<f64>> {
        let records = read(JSON, "/", payload.as_bytes()).unwrap();
        records.iter().map(|record| record.time).collect()
    };
    assert_eq!(
        times(concat!(
            r#"[{"bn":"/3303/0/5700","bt":25462634,"v":1},{"t":-5,"v":2},{"t":-0.5,"v":3},"#,
            r#"{"bt":1e9,"v":4},{"bt":0,"v":5},{"t":-7,"v":6},{"t":0,"v":7}]"#,
        )),
        [
            Some(25_462_634.0),
            Some(25_462_629.0),
            Some(25_462_633.5),
            Some(1e9),
            None,
            Some(-7.0),
            Some(0.0)
        ]
    );
    for payload in [
        r#"[{"n":"/3/0/9","bt":1e400,"v":1}]"#,
        r#"[{"n":"/3/0/9","t":1e400,"v":1}]"#,
        r#"[{"n":"/3/0/9","bt":1.7e308,"t":1.7e308,"v":1}]"#,
    ] {
        assert!(
            matches!(refused("/", payload), FormatError::Range { .. }),
            "{payload}"
        );
    }
}

#[test]
fn history_both_ways() {
    let at = |time, value| OwnedRecord {
        time,
        ..record("/3303/0/5700", OwnedValue::Float(value))
    };
    let records = [
        at(Some(1_700_000_000.0), 21.5),
        at(Some(1_699_999_995.0), 21.25),
        at(Some(1_699_999_990.5), 21.0),
        at(None, 20.0),
    ];
    let payload = concat!(
        r#"[{"bn":"/3303/0/5700","bt":1700000000,"v":21.5},{"t":-5,"v":21.25},{"t":-9.5,"v":21.0},"#,
        r#"{"bt":0,"v":20.0}]"#,
    );
    both_ways(JSON, "/3303/0/5700", &records, payload.as_bytes());
    assert_eq!(
        write_all(JSON, path("/3303/0/5700"), &[at(Some(f64::NAN), 1.0)]),
        Err(FormatError::NotAcceptable(JSON))
    );
}

#[test]
fn integers_do_not_pass_through_floats() {
    for literal in [
        "9007199254740993",
        "9007199254740993.0",
        "9007199254740.993e3",
        "90071992547409930e-1",
    ] {
        assert_eq!(
            value(1, &format!(r#""v":{literal}"#)),
            Ok(int(9_007_199_254_740_993))
        );
    }
    assert_eq!(value(1, r#""v":23.0"#), Ok(int(23)));
    assert_eq!(value(1, r#""v":1e3"#), Ok(int(1000)));
    assert_eq!(value(1, r#""v":-0"#), Ok(int(0)));
    assert_eq!(value(1, r#""v":0e99999999999"#), Ok(int(0)));
    assert_eq!(value(1, r#""v":9223372036854775807"#), Ok(int(i64::MAX)));
    assert_eq!(
        value(2, r#""v":18446744073709551615"#),
        Ok(OwnedValue::Unsigned(u64::MAX))
    );
    for (resource, literal) in [
        (1, "9223372036854775808"),
        (1, "-9223372036854775809"),
        (1, "1e19"),
        (1, "1e300"),
        (2, "-1"),
        (2, "18446744073709551616"),
        (6, "1e19"),
        (1, "100000000000000000000000000000000000000000000000"),
    ] {
        assert!(
            matches!(
                value(resource, &format!(r#""v":{literal}"#)),
                Err(FormatError::Range { .. })
            ),
            "{literal}"
        );
    }
    for (resource, literal) in [(1, "1.5"), (2, "0.1"), (6, "1e-1")] {
        assert!(
            matches!(
                value(resource, &format!(r#""v":{literal}"#)),
                Err(FormatError::Type { .. })
            ),
            "{literal}"
        );
    }
}

#[test]
fn floats() {
    assert_eq!(value(3, r#""v":1"#), Ok(OwnedValue::Float(1.0)));
    assert_eq!(value(3, r#""v":-1.5E-7"#), Ok(OwnedValue::Float(-1.5e-7)));
    assert_eq!(value(3, r#""v":1e-400"#), Ok(OwnedValue::Float(0.0)));
    for literal in ["1e400", "-1e400", "1e99999999999999999999"] {
        assert!(
            matches!(
                value(3, &format!(r#""v":{literal}"#)),
                Err(FormatError::Range { .. })
            ),
            "{literal}"
        );
    }
    for literal in [
        "NaN", "Infinity", "+1", ".5", "1.", "01", "1e", "1e+", "0x10", "--1", "-", "1_0", "null",
    ] {
        let error = value(3, &format!(r#""v":{literal}"#)).unwrap_err();
        assert!(
            matches!(error, FormatError::Syntax { .. }),
            "{literal}: {error}"
        );
    }
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let records = [record("/9000/0/3", OwnedValue::Float(number))];
        let error = write_all(JSON, path("/9000/0"), &records).unwrap_err();
        assert_eq!(error, FormatError::NotAcceptable(JSON));
        assert_eq!(error.code(), Code::NOT_ACCEPTABLE);
    }
}

#[test]
fn base_values_are_added() {
    let payload = r#"[{"bn":"/9000/0/","bv":9007199254740993,"n":"1","v":1},{"bv":1000,"n":"3","v":0.5},{"bv":0,"n":"2","v":7}]"#;
    assert_eq!(
        read(JSON, "/", payload.as_bytes()).unwrap(),
        [
            record("/9000/0/1", int(9_007_199_254_740_994)),
            record("/9000/0/3", OwnedValue::Float(1000.5)),
            record("/9000/0/2", OwnedValue::Unsigned(7)),
        ]
    );
    assert_eq!(
        value(1, r#""bv":9223372036854775807,"v":1"#),
        Err(FormatError::Range { at: 47 })
    );
    assert!(matches!(
        value(3, r#""bv":1.7e308,"v":1.7e308"#),
        Err(FormatError::Range { .. })
    ));
}

#[test]
fn types_are_checked() {
    for (resource, field) in [
        (0, r#""v":1"#),
        (0, r#""vb":true"#),
        (1, r#""vs":"1""#),
        (1, r#""vb":true"#),
        (3, r#""vs":"1.0""#),
        (4, r#""v":1"#),
        (5, r#""vs":"AQ""#),
        (6, r#""vs":"2013""#),
        (7, r#""vs":"66:0""#),
        (7, r#""vlo":"66""#),
        (7, r#""vlo":"66:0:1""#),
        (7, r#""vlo":"66:65536""#),
        (8, r#""vd":"AQ""#),
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
    // A field holds what its label says, whatever the resource.
    for field in [
        r#""v":"1""#,
        r#""vs":1"#,
        r#""vb":1"#,
        r#""vb":"true""#,
        r#""vd":1"#,
        r#""vlo":1"#,
        r#""v":true"#,
        r#""vs":null"#,
    ] {
        assert!(
            matches!(value(99, field), Err(FormatError::Syntax { .. })),
            "{field}"
        );
    }
}

#[test]
fn unknown_resources_go_by_the_field() {
    assert_eq!(value(99, r#""v":1"#), Ok(int(1)));
    assert_eq!(value(99, r#""v":1.0"#), Ok(OwnedValue::Float(1.0)));
    assert_eq!(value(99, r#""v":1e0"#), Ok(OwnedValue::Float(1.0)));
    assert_eq!(
        value(99, r#""v":9223372036854775808"#),
        Ok(OwnedValue::Unsigned(1 << 63))
    );
    assert_eq!(
        value(99, r#""v":18446744073709551616"#),
        Ok(OwnedValue::Float(18446744073709551616.0))
    );
    assert_eq!(value(99, r#""vs":"1""#), Ok(text("1")));
    assert_eq!(value(99, r#""vb":false"#), Ok(OwnedValue::Boolean(false)));
    assert_eq!(value(99, r#""vd":"AQ""#), Ok(opaque(&[1])));
    assert_eq!(value(99, r#""vlo":"66:0""#), Ok(link(66, 0)));
}

#[test]
fn values_missing_or_too_many() {
    assert_eq!(
        read(
            JSON,
            "/",
            br#"[{"n":"/3/0/9"},{"n":"/3/0/10","u":"%","s":5}]"#
        )
        .unwrap(),
        [empty("/3/0/9"), empty("/3/0/10")]
    );
    assert!(matches!(
        value(0, r#""v":1,"vs":"1""#),
        Err(FormatError::SeveralValues { .. })
    ));
    assert!(matches!(
        value(0, r#""vs":"1","v":1"#),
        Err(FormatError::SeveralValues { .. })
    ));
}

#[test]
fn fields_twice_are_refused() {
    for field in [
        r#""v":1,"v":1"#,
        r#""t":1,"t":1,"v":1"#,
        r#""u":"a","u":"a","v":1"#,
        r#""v":1,"\u0076":2"#,
        r#""n":"/3/0/9","v":1"#,
    ] {
        assert!(
            matches!(value(1, field), Err(FormatError::Duplicate { .. })),
            "{field}"
        );
    }
}

#[test]
fn unknown_fields_are_ignored_unless_they_must_be_understood() {
    for field in [
        r#""x":1"#,
        r#""x":[]"#,
        r#""x":{}"#,
        r#""x":[1,"a",{"b":[null,true,false]},-1.5e3]"#,
        r#""_":1"#,
        r#""bu":"Cel","u":"Cel","s":1,"bs":2,"ut":3,"bver":10"#,
        r#""bver":5"#,
    ] {
        let result = value(1, &format!(r#""v":5,{field}"#));
        match field {
            r#""_":1"# => assert!(matches!(result, Err(FormatError::NotUnderstood { .. }))),
            _ => assert_eq!(result, Ok(int(5)), "{field}"),
        }
    }
    for field in [
        r#""foo_":1"#,
        r#""foo\u005f":1"#,
        r#""bver":11"#,
        r#""bver":0"#,
    ] {
        let error = value(1, &format!(r#""v":5,{field}"#)).unwrap_err();
        assert!(
            matches!(error, FormatError::NotUnderstood { .. }),
            "{field}"
        );
        assert_eq!(error.code(), Code::BAD_REQUEST);
    }
}

#[test]
fn strings_and_escapes() {
    assert_eq!(
        value(
            0,
            r#""vs":"\"\\\/\b\f\n\r\t\u00e9\u20AC\uD83D\uDE00\u0000""#
        ),
        Ok(text("\"\\/\u{8}\u{c}\n\r\té€😀\0"))
    );
    for bad in [
        r#"\ud83d"#,
        r#"\ude00"#,
        r#"\ud83d\ud83d"#,
        r#"\ud83dx"#,
        r#"\ud83d\n"#,
        r#"\u12"#,
        r#"\u12g4"#,
        r#"\u+123"#,
        r#"\x"#,
        r#"\U0041"#,
        r#"\'"#,
        "a\nb",
        "\u{1}",
        "\t",
    ] {
        let error = value(0, &format!(r#""vs":"{bad}""#)).unwrap_err();
        assert!(
            matches!(error, FormatError::Syntax { .. }),
            "{bad:?}: {error}"
        );
    }
    let mut payload = br#"[{"n":"/9000/0/0","vs":"a"#.to_vec();
    payload.extend([0xED, 0xA0, 0x80]); // a surrogate in UTF-8
    payload.extend(br#""}]"#);
    assert_eq!(read(JSON, "/", &payload), Err(FormatError::Utf8 { at: 25 }));
}

#[test]
fn data_in_both_alphabets() {
    for data in ["--__AQ", "++//AQ", "--__AQ==", "++//AQ==", r"++\/\/AQ=="] {
        assert_eq!(
            value(5, &format!(r#""vd":"{data}""#)),
            Ok(opaque(&[0xFB, 0xEF, 0xFF, 1])),
            "{data}"
        );
    }
    assert_eq!(value(5, r#""vd":"""#), Ok(opaque(&[])));
    for data in [
        "A", "AAAAA", "AQ=", "AQ===", "A===", "====", "AR", "AAB", "A Q", "AQ==AQ==", "A.", "A\\n",
        "é",
    ] {
        let error = value(5, &format!(r#""vd":"{data}""#)).unwrap_err();
        assert!(
            matches!(error, FormatError::Base64 { .. }),
            "{data}: {error}"
        );
        assert_eq!(error.code(), Code::BAD_REQUEST);
    }
}

#[test]
fn scratch_is_bounded() {
    let payload = br#"[{"n":"/9000/0/0","vs":"abc\n"}]"#;
    let ok = read_with_scratch(JSON, path("/"), payload, 4).unwrap();
    assert_eq!(ok, [record("/9000/0/0", text("abc\n"))]);
    let error = read_with_scratch(JSON, path("/"), payload, 3).unwrap_err();
    assert!(matches!(error, FormatError::ScratchTooSmall { .. }));
    assert_eq!(error.code(), Code::REQUEST_ENTITY_TOO_LARGE);
    let payload = br#"[{"n":"/9000/0/5","vd":"AQIDBAU"}]"#;
    assert!(read_with_scratch(JSON, path("/"), payload, 5).is_ok());
    let error = read_with_scratch(JSON, path("/"), payload, 4).unwrap_err();
    assert!(matches!(error, FormatError::ScratchTooSmall { .. }));
    // What needs no decoding needs no scratch.
    assert!(read_with_scratch(JSON, path("/"), br#"[{"n":"/9000/0/0","vs":"abc"}]"#, 0).is_ok());
}

#[test]
fn grammar_is_strict() {
    for payload in [
        "",
        " ",
        "[",
        "[{",
        r#"[{"n""#,
        r#"[{"n":"#,
        r#"[{"n":"/3/0/9"#,
        r#"[{"n":"/3/0/9""#,
        r#"[{"n":"/3/0/9"}"#,
        r#"[{"n":"/3/0/9","#,
        r#"[{"n":"/3/0/9"},"#,
        r#"[{"n":"\"#,
    ] {
        assert!(
            matches!(refused("/", payload), FormatError::Truncated { .. }),
            "{payload}"
        );
    }
    for payload in [
        "{}",
        "null",
        "[[]]",
        "[1]",
        "[,]",
        r#"[{"n":"/3/0/9"},]"#,
        r#"[{"n":"/3/0/9",}]"#,
        r#"[{,}]"#,
        r#"[{"n" "/3/0/9"}]"#,
        r#"[{n:"/3/0/9"}]"#,
        r#"[{'n':'/3/0/9'}]"#,
        r#"[{"n":"/3/0/9"} {"n":"/3/0/9"}]"#,
        r#"[{"n":"/3/0/9"}}"#,
        r#"[{"n":"/3/0/9" "v":1}]"#,
        r#"[{"n":"/3/0/9","x":[1,]}]"#,
        r#"[{"n":"/3/0/9","x":{"a"}}]"#,
        r#"[{"n":"/3/0/9","x":tru}]"#,
        r#"[{"n":"/3/0/9","x":[1}}]"#,
        r#"[{"n":"/3/0/9","x":nul}]"#,
        "\u{feff}[]",
        "[]\0",
        r#"[{"n":5}]"#,
        r#"[{"n":"/3/0/9","t":"1"}]"#,
    ] {
        assert!(
            matches!(
                refused("/", payload),
                FormatError::Syntax { .. } | FormatError::Trailing { .. }
            ),
            "{payload}"
        );
    }
    assert_eq!(refused("/", "[] []"), FormatError::Trailing { at: 3 });
    assert_eq!(
        refused("/", "[{\"n\":\"/3\"}]x"),
        FormatError::Trailing { at: 12 }
    );
    assert_eq!(
        paths(" [ { \"n\" : \"/3\" } ,\r\n\t{ \"n\" : \"/4\" } ] \n").unwrap(),
        ["/3", "/4"]
    );
    assert_eq!(paths(" [ ] ").unwrap(), [""; 0]);
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| {
        format!(
            r#"[{{"n":"/3/0/9","x":{}{}}}]"#,
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    assert!(paths(&nested(16)).is_ok());
    assert!(matches!(
        refused("/", &nested(18)),
        FormatError::TooDeep { .. }
    ));
    assert!(matches!(
        refused("/", &nested(10_000)),
        FormatError::TooDeep { .. }
    ));
    let objects = format!(r#"[{{"n":"/3/0/9","x":{}"#, r#"{"a":"#.repeat(10_000));
    assert!(matches!(
        refused("/", &objects),
        FormatError::TooDeep { .. }
    ));
}

#[test]
fn nothing_comes_after_an_error() {
    let payload = br#"[{"n":"/3/0/9","v":1},{"n":"x"},{"n":"/3/0/10","v":1}]"#;
    let mut scratch = [0; 8];
    let mut reader =
        dunlin_lwm2m::format::reader(JSON, payload, Path::ROOT, &Model, &mut scratch).unwrap();
    assert!(reader.next_record().unwrap().is_ok());
    assert!(reader.next_record().unwrap().is_err());
    assert!(reader.next_record().is_none());
    assert!(reader.next_record().is_none());
}

#[test]
fn writer_stays_within_its_buffer() {
    let records = device();
    let payload = write_all(JSON, path("/3/0"), &records).unwrap();
    for size in 0..payload.len() {
        let mut buffer = vec![0xAA; size + 8];
        let (lent, rest) = buffer.split_at_mut(size);
        let mut writer = dunlin_lwm2m::format::writer(JSON, lent, path("/3/0")).unwrap();
        let written = records
            .iter()
            .try_for_each(|record| writer.record(&record.as_record()))
            .and_then(|()| writer.finish());
        assert_eq!(written, Err(FormatError::BufferTooSmall), "{size}");
        assert_eq!(rest, [0xAA; 8]);
    }
    assert_eq!(
        FormatError::BufferTooSmall.code(),
        Code::INTERNAL_SERVER_ERROR
    );
}

#[test]
fn errors_say_what_and_where() {
    assert_eq!(
        refused("/", r#"[{"n":"/9000/0/1","v":1.5}]"#).to_string(),
        "not a value of type Integer (at byte 22)"
    );
    assert_eq!(
        FormatError::Type {
            at: 0,
            expected: Some(DataType::Time)
        }
        .position(),
        Some(0)
    );
}

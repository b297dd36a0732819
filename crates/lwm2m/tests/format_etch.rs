//! Composite requests: path lists and the bodies of Write-Composite, in SenML and in SenML-ETCH (RFC
//! 8790). The examples are those of Core 1.2 Appendix M.

mod format_common;

use dunlin_coap::Code;
use dunlin_lwm2m::format::{
    FormatError, names, patch_reader, read_patch, reader, write_names, write_patch,
};
use dunlin_lwm2m::{ContentFormat, OwnedRecord, OwnedValue, Path};
use format_common::*;

const JSON: ContentFormat = ContentFormat::SENML_JSON;
const CBOR: ContentFormat = ContentFormat::SENML_CBOR;
const ETCH_JSON: ContentFormat = ContentFormat::SENML_ETCH_JSON;
const ETCH_CBOR: ContentFormat = ContentFormat::SENML_ETCH_CBOR;

fn list(format: ContentFormat, payload: &[u8]) -> Result<Vec<Path>, FormatError> {
    names(format, payload, "")?.collect()
}

fn paths(texts: &[&str]) -> Vec<Path> {
    texts.iter().map(|text| path(text)).collect()
}

fn patch(format: ContentFormat, payload: &[u8]) -> Result<Vec<OwnedRecord>, FormatError> {
    read_patch(format, payload, "", &Model)
}

#[test]
fn path_lists_of_the_standard() {
    for format in [JSON, ETCH_JSON] {
        let plain = br#"[{"n":"/3/0/0"},{"n":"/3/0/9"},{"n":"/1/0/1"}]"#;
        let expected = paths(&["/3/0/0", "/3/0/9", "/1/0/1"]);
        assert_eq!(list(format, plain).unwrap(), expected);
        assert_eq!(write_names(format, "", &expected).unwrap(), plain);

        let based = br#"[{"bn":"/4/0/","n":"0"},{"n":"1"},{"n":"2"},{"bn":"/6/","n":"0"}]"#;
        let expected = paths(&["/4/0/0", "/4/0/1", "/4/0/2", "/6/0"]);
        assert_eq!(list(format, based).unwrap(), expected);

        assert_eq!(list(format, br#"[{"n":"/"}]"#).unwrap(), [Path::ROOT]);
        assert_eq!(list(format, b"[]").unwrap(), []);
    }
    for format in [CBOR, ETCH_CBOR] {
        let root = hex("81 A1 00 61 2F");
        assert_eq!(list(format, &root).unwrap(), [Path::ROOT]);
        assert_eq!(write_names(format, "", &[Path::ROOT]).unwrap(), root);

        let based = hex(r#"82 A2 21 65 "/4/0/" 00 61 "0" A1 00 61 "1""#);
        assert_eq!(list(format, &based).unwrap(), paths(&["/4/0/0", "/4/0/1"]));
        assert_eq!(list(format, &hex("80")).unwrap(), []);
        let indefinite = hex(r#"9F BF 00 7F 62 "/3" 62 "/0" FF FF FF"#);
        assert_eq!(list(format, &indefinite).unwrap(), paths(&["/3/0"]));
    }
}

#[test]
fn path_lists_stand_below_the_alternate_path() {
    let payload = write_names(ETCH_JSON, "/lwm2m", &paths(&["/3/0", "/"])).unwrap();
    assert_eq!(payload, br#"[{"n":"/lwm2m/3/0"},{"n":"/lwm2m/"}]"#);
    let read: Result<Vec<_>, _> = names(ETCH_JSON, &payload, "/lwm2m").unwrap().collect();
    assert_eq!(read.unwrap(), paths(&["/3/0", "/"]));
    assert!(matches!(
        list(ETCH_JSON, &payload),
        Err(FormatError::Name { .. })
    ));
}

#[test]
fn a_value_in_a_path_list_is_refused() {
    for (format, payload, at) in [
        (JSON, &br#"[{"n":"/3/0/9","v":1}]"#[..], 16),
        (JSON, br#"[{"n":"/3/0/9","vlo":"1:1"}]"#, 16),
        (ETCH_JSON, br#"[{"n":"/3/0/9","v":1}]"#, 16),
        (ETCH_JSON, br#"[{"n":"/3/0/9","v":null}]"#, 16),
        (CBOR, &hex(r#"81 A2 00 64 "/3/0" 02 01"#), 8),
        (ETCH_CBOR, &hex(r#"81 A2 00 64 "/3/0" 03 61 55"#), 8),
        (
            ETCH_CBOR,
            &hex(r#"81 A2 00 64 "/3/0" 63 "vlo" 63 "1:1""#),
            8,
        ),
    ] {
        let error = list(format, payload).unwrap_err();
        assert_eq!(error, FormatError::NotAName { at }, "{format}");
        assert_eq!(error.code(), Code::BAD_REQUEST);
    }
}

/// RFC 8790 §3.1: names, times and units, nothing else. SenML as such ignores what it does not know.
#[test]
fn a_fetch_pack_has_no_other_fields() {
    let allowed = br#"[{"bn":"/3/","bt":1,"bu":"Cel","n":"0","t":2,"u":"V"}]"#;
    for format in [JSON, ETCH_JSON] {
        assert_eq!(list(format, allowed).unwrap(), paths(&["/3/0"]));
    }
    let allowed = hex(r#"81 A6 21 63 "/3/" 22 01 23 61 56 00 61 "0" 06 02 01 61 56"#);
    for format in [CBOR, ETCH_CBOR] {
        assert_eq!(list(format, &allowed).unwrap(), paths(&["/3/0"]));
    }
    for field in [
        r#""bver":10"#,
        r#""bv":1"#,
        r#""s":1"#,
        r#""ut":1"#,
        r#""x":1"#,
    ] {
        let payload = format!(r#"[{{"n":"/3/0",{field}}}]"#);
        assert_eq!(list(JSON, payload.as_bytes()).unwrap(), paths(&["/3/0"]));
        assert_eq!(
            list(ETCH_JSON, payload.as_bytes()),
            Err(FormatError::NotAName { at: 14 }),
            "{field}"
        );
    }
    for label in ["20", "24", "05", "07", "18 2A", "61 78"] {
        let payload = hex(&format!(r#"81 A2 00 64 "/3/0" {label} 01"#));
        assert_eq!(list(CBOR, &payload).unwrap(), paths(&["/3/0"]));
        assert_eq!(
            list(ETCH_CBOR, &payload),
            Err(FormatError::NotAName { at: 8 }),
            "{label}"
        );
    }
}

#[test]
fn after_an_error_there_are_no_more_paths() {
    let mut list = names(JSON, br#"[{"n":"3"},{"n":"/3"}]"#, "").unwrap();
    assert!(matches!(list.next(), Some(Err(FormatError::Name { .. }))));
    assert_eq!(list.next(), None);
}

/// `/3/0/9` is written, `/9000/0/17/1` removed.
fn removal() -> Vec<OwnedRecord> {
    vec![
        record("/3/0/9", int(7)),
        empty("/9000/0/17/1"),
        record("/9000/0/16/2", text("x")),
    ]
}

#[test]
fn a_null_removes_a_resource_instance() {
    let json = br#"[{"bn":"/","n":"3/0/9","v":7},{"n":"9000/0/17/1","v":null},{"n":"9000/0/16/2","vs":"x"}]"#;
    assert_eq!(patch(ETCH_JSON, json).unwrap(), removal());
    assert_eq!(write_patch(ETCH_JSON, "", &removal()).unwrap(), json);

    let cbor = hex(
        r#"83 A3 21 61 "/" 00 65 "3/0/9" 02 07  A2 00 6B "9000/0/17/1" 02 F6
           A2 00 6B "9000/0/16/2" 03 61 "x""#,
    );
    assert_eq!(patch(ETCH_CBOR, &cbor).unwrap(), removal());
    assert_eq!(write_patch(ETCH_CBOR, "", &removal()).unwrap(), cbor);

    // Whatever the type of the resource.
    let text = br#"[{"n":"/9000/0/16/2","v":null}]"#;
    assert_eq!(patch(ETCH_JSON, text).unwrap(), [empty("/9000/0/16/2")]);
    // The base value has nothing to be added to.
    let based = br#"[{"bv":5,"n":"/9000/0/17/1","v":null}]"#;
    assert_eq!(patch(ETCH_JSON, based).unwrap(), [empty("/9000/0/17/1")]);
}

#[test]
fn only_resource_instances_are_removed() {
    for name in ["/9000/0/1", "/9000/0", "/9000", "/"] {
        let payload = format!(r#"[{{"n":"{name}","v":null}}]"#);
        let error = patch(ETCH_JSON, payload.as_bytes()).unwrap_err();
        assert!(
            matches!(error, FormatError::Type { .. } | FormatError::Name { .. }),
            "{name}: {error:?}"
        );
        assert_eq!(error.code(), Code::BAD_REQUEST);
        assert_eq!(
            write_patch(ETCH_JSON, "", &[empty(name)]),
            Err(FormatError::Sequence),
            "{name}"
        );
    }
}

#[test]
fn only_etch_removes() {
    let json = br#"[{"n":"/9000/0/17/1","v":null}]"#;
    assert!(matches!(
        patch(JSON, json),
        Err(FormatError::Syntax { at: 25, .. })
    ));
    let cbor = hex(r#"81 A2 00 6C "/9000/0/17/1" 02 F6"#);
    assert!(matches!(
        patch(CBOR, &cbor),
        Err(FormatError::Type { at: 17, .. })
    ));
    for format in [JSON, CBOR] {
        let error = write_patch(format, "", &removal()).unwrap_err();
        assert_eq!(error, FormatError::NotAcceptable(format));
    }
}

#[test]
fn a_write_composite_has_one_value_in_each_record() {
    for format in [JSON, ETCH_JSON] {
        let missing = |payload: &[u8]| patch(format, payload).unwrap_err();
        assert_eq!(
            missing(br#"[{"n":"/3/0/9"}]"#),
            FormatError::NoValue { at: 1 }
        );
        // A sum has no meaning in LwM2M.
        assert_eq!(
            missing(br#"[{"n":"/3/0/9","s":5}]"#),
            FormatError::NoValue { at: 1 }
        );
    }
    let twice = br#"[{"n":"/9000/0/17/1","v":null,"vs":"x"}]"#;
    assert_eq!(
        patch(ETCH_JSON, twice),
        Err(FormatError::SeveralValues { at: 35 })
    );
    let twice = br#"[{"n":"/9000/0/17/1","vs":"x","v":null}]"#;
    assert_eq!(
        patch(ETCH_JSON, twice),
        Err(FormatError::SeveralValues { at: 34 })
    );
    // Unknown fields are no error (RFC 8790 §3.2).
    let unknown = br#"[{"n":"/3/0/9","v":5,"colour":"red"}]"#;
    assert_eq!(
        patch(ETCH_JSON, unknown).unwrap(),
        [record("/3/0/9", int(5))]
    );
}

#[test]
fn values_are_those_of_senml() {
    let records = device();
    for (format, plain) in [(ETCH_JSON, JSON), (ETCH_CBOR, CBOR)] {
        let payload = write_patch(format, "", &records).unwrap();
        assert_eq!(payload, write_patch(plain, "", &records).unwrap());
        assert_eq!(patch(format, &payload).unwrap(), records);
        assert_eq!(patch(plain, &payload).unwrap(), records);
    }
    let wrong = br#"[{"n":"/3/0/9","vs":"full"}]"#;
    assert!(matches!(
        patch(ETCH_JSON, wrong),
        Err(FormatError::Type { .. })
    ));
    let large = br#"[{"n":"/9000/0/2","v":18446744073709551615}]"#;
    assert_eq!(
        patch(ETCH_JSON, large).unwrap(),
        [record("/9000/0/2", OwnedValue::Unsigned(u64::MAX))]
    );
}

/// 4.15 for a payload, 4.06 for an answer.
#[test]
fn formats_that_no_composite_has() {
    for format in [
        ContentFormat::TEXT,
        ContentFormat::OPAQUE,
        ContentFormat::CBOR,
        ContentFormat::TLV,
        ContentFormat(65535),
    ] {
        let error = list(format, b"").unwrap_err();
        assert_eq!(error, FormatError::Unsupported(format));
        assert_eq!(error.code(), Code::UNSUPPORTED_CONTENT_FORMAT);
        let error = patch_reader(format, b"", "", &Model, &mut [])
            .err()
            .unwrap();
        assert_eq!(error, FormatError::Unsupported(format));
        let error = write_names(format, "", &paths(&["/3"])).unwrap_err();
        assert_eq!(error, FormatError::NotAcceptable(format));
        assert_eq!(error.code(), Code::NOT_ACCEPTABLE);
        let error = write_patch(format, "", &[]).unwrap_err();
        assert_eq!(error, FormatError::NotAcceptable(format));
    }
}

/// SenML-ETCH is for the bodies of composite requests; a Write or an answer in it is not.
#[test]
fn etch_carries_no_data() {
    for format in [ETCH_JSON, ETCH_CBOR] {
        let error = reader(format, b"[]", Path::ROOT, &Model, &mut [])
            .err()
            .unwrap();
        assert_eq!(error, FormatError::Unsupported(format));
        assert_eq!(error.code(), Code::UNSUPPORTED_CONTENT_FORMAT);
    }
}

//! LwM2M CBOR (11544; Core 1.2 §7.5.4, examples of Appendix F and §7.5.4).

mod format_common;

use dunlin_coap::Code;
use dunlin_lwm2m::format::{FormatError, Scope, read_all, read_patch, write_all, write_patch};
use dunlin_lwm2m::{ContentFormat, OwnedRecord, OwnedValue, Path, Record, Value};
use format_common::*;

const FORMAT: ContentFormat = ContentFormat::LWM2M_CBOR;

const DEVICE: &str = r#"A1 820300 AD
    00 74 "Open Mobile Alliance" 01 76 "Lightweight M2M Client" 02 69 "345000123" 03 63 "1.0"
    06 A2 00 01 01 05   07 A2 00 190ED8 01 191388   08 A2 00 187D 01 190384   09 1864   0A 0F
    0B A1 00 00   0D 1A5182428F   0E 66 "+02:00"   10 61 "U""#;

fn read_hex(target: &str, payload: &str) -> Result<Vec<OwnedRecord>, FormatError> {
    read(FORMAT, target, &hex(payload))
}

#[track_caller]
fn reads(target: &str, payload: &str, records: &[OwnedRecord]) {
    assert_eq!(read_hex(target, payload).unwrap(), records, "{payload}");
}

#[track_caller]
fn canonical(target: &str, payload: &str, records: &[OwnedRecord]) {
    both_ways(FORMAT, target, records, &hex(payload));
}

#[track_caller]
fn refused(target: &str, payload: &str, expected: FormatError) {
    let error = read_hex(target, payload).unwrap_err();
    assert_eq!(error, expected, "{payload}");
    assert_eq!(error.code(), Code::BAD_REQUEST);
}

#[test]
fn one_resource() {
    let value = [record("/3/0/0", text("Open Mobile Alliance"))];
    canonical("/3/0/0", r#"A1 83030000 74 "Open Mobile Alliance""#, &value);
    // The same, nested.
    reads(
        "/3/0/0",
        r#"A1 03 A1 00 A1 00 74 "Open Mobile Alliance""#,
        &value,
    );
}

#[test]
fn several_instances_of_a_resource() {
    let values = [record("/3/0/6/0", int(1)), record("/3/0/6/1", int(5))];
    canonical("/3/0/6", "A1 83030006 A2 0001 0105", &values);
    canonical("/3/0/6/1", "A1 8403000601 05", &values[1..]);
}

#[test]
fn an_object_instance() {
    assert_eq!(hex(DEVICE).len(), 118);
    canonical("/3/0", DEVICE, &device());
}

#[test]
fn two_object_instances() {
    let records = [
        record("/1/0/0", int(101)),
        record("/1/0/1", int(86400)),
        record("/1/0/2", int(300)),
        record("/1/0/3", int(6000)),
        record("/1/0/5", int(86400)),
        record("/1/0/6", OwnedValue::Boolean(true)),
        record("/1/0/7", text("U")),
        record("/1/1/0", int(102)),
        record("/1/1/1", int(86400)),
        record("/1/1/2", int(600)),
        record("/1/1/3", int(6000)),
        record("/1/1/5", int(86400)),
        record("/1/1/6", OwnedValue::Boolean(false)),
        record("/1/1/7", text("U")),
    ];
    let payload = "A1 01 A2 00 A7 001865 011A00015180 0219012C 03191770 051A00015180 06F5 076155
        01 A7 001866 011A00015180 02190258 03191770 051A00015180 06F4 076155";
    assert_eq!(hex(payload).len(), 63);
    canonical("/1", payload, &records);
}

#[test]
fn a_composite_answer() {
    let payload = r#"A2 820300 A2 00 74 "Open Mobile Alliance" 09 1864 83010001 1A00015180"#;
    assert_eq!(hex(payload).len(), 39);
    let records = [
        record("/3/0/0", text("Open Mobile Alliance")),
        record("/3/0/9", int(100)),
        record("/1/0/1", int(86400)),
    ];
    canonical("/", payload, &records);
}

/// Keys of a map are unique, whatever the order of the paths of the request.
#[test]
fn composite_answers_in_any_order() {
    let order = [
        "/9000/0/17/3",
        "/9000/0/1",
        "/9000/1/1",
        "/9000/0/17/4",
        "/3/0/9",
        "/9000/1/17/0",
        "/3/0/10",
        "/9000/0/17/3",
        "/9001/0/1",
        "/9000/1/1",
    ];
    let records: Vec<_> = order.iter().map(|path| record(path, int(5))).collect();
    let payload = write_all(FORMAT, Path::ROOT, &records).unwrap();
    let back = read_all(FORMAT, &payload, Path::ROOT, &Model).unwrap();
    // What was asked for twice is answered once.
    let mut expected = records[..7].to_vec();
    expected.push(records[8].clone());
    assert_eq!(back, expected);
    let tree: ciborium::Value = ciborium::from_reader(&payload[..]).unwrap();
    let keys = tree
        .as_map()
        .unwrap()
        .iter()
        .map(|(key, _)| format!("{key:?}"));
    let mut keys: Vec<_> = keys.collect();
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count);
}

#[test]
fn maps_of_more_than_23_members() {
    let mut records: Vec<_> = (0..300)
        .map(|id| OwnedRecord::new(Path::resource_instance(9000, 0, 17, id), int(1)))
        .collect();
    records.extend((100..130).map(|id| OwnedRecord::new(Path::resource(9000, 0, id), int(2))));
    for target in ["/9000/0", "/9000", "/"] {
        let payload = write_all(FORMAT, path(target), &records).unwrap();
        assert_eq!(read(FORMAT, target, &payload).unwrap(), records);
        let tree: ciborium::Value = ciborium::from_reader(&payload[..]).unwrap();
        assert_eq!(tree.as_map().unwrap().len(), 1);
    }
}

#[test]
fn any_grouping() {
    let value = [
        record("/9000/1/17/2", int(5)),
        record("/9000/1/17/3", int(6)),
    ];
    for payload in [
        "A1 192328 A1 01 A1 11 A2 02 05 03 06",
        "A1 82 192328 01 A1 11 A2 02 05 03 06",
        "A1 192328 A1 82 01 11 A2 02 05 03 06",
        "A1 192328 A1 01 A2 82 11 02 05 82 11 03 06",
        "A2 84 192328 01 11 02 05 84 192328 01 11 03 06",
        "A2 84 192328 01 11 02 05 192328 A1 83 01 11 03 06",
        // Arrays of one id, indefinite maps and arrays, ids in more bytes than needed.
        "A1 81 192328 A1 81 01 A1 81 11 A2 81 02 05 81 03 06",
        "BF 192328 BF 01 BF 11 BF 02 05 03 06 FF FF FF FF",
        "BF 9F 192328 01 FF BF 11 BF 02 05 03 06 FF FF FF",
        "A1 1B0000000000002328 A1 1801 A1 190011 A2 1A00000002 05 03 06",
    ] {
        for target in ["/", "/9000", "/9000/1", "/9000/1/17"] {
            reads(target, payload, &value);
        }
    }
}

#[test]
fn create() {
    let records = |instance: &str| {
        vec![
            record(&format!("/2/{instance}/0"), int(5)),
            record(&format!("/2/{instance}/1"), int(0)),
            record(&format!("/2/{instance}/2/102"), int(0)),
            record(&format!("/2/{instance}/3"), int(101)),
        ]
    };
    let payload = "A1 820205 A4 0005 0100 82021866 00 031865";
    assert_eq!(hex(payload).len(), 17);
    reads("/2", payload, &records("5"));
    // The client picks the id (1.2.1).
    reads(
        "/2",
        "A1 820219FFFF A4 0005 0100 82021866 00 031865",
        &records("65535"),
    );
    canonical(
        "/2",
        "A1 02 A1 19FFFF A4 0005 0100 02 A1 1866 00 031865",
        &records("65535"),
    );
    // 1.2.0 let the object id out.
    reads("/2", "A1 05 A4 0005 0100 82021866 00 031865", &records("5"));
    reads("/2", "A4 0005 0100 82021866 00 031865", &records("65535"));
}

/// Only as the id of an instance to be created.
#[test]
fn the_reserved_id() {
    for (target, payload, at) in [
        ("/9000/0", "A1 83 192328 00 19FFFF 05", 1),
        ("/9000", "A1 83 192328 00 19FFFF 05", 1),
        ("/9000", "A1 84 192328 00 11 19FFFF 05", 1),
        ("/9000/0", "A1 82 11 19FFFF 05", 1),
        ("/", "A1 83 192328 19FFFF 01 05", 1),
        ("/", "A1 83 19FFFF 00 01 05", 1),
    ] {
        refused(target, payload, FormatError::Name { at });
    }
}

/// Core 1.2.0 exempted Write and Create from starting at the object id.
#[test]
fn relative_forms() {
    let level = [record("/9000/1/1", int(5))];
    reads("/9000/1", "A1 01 05", &level);
    reads("/9000", "A1 82 01 01 05", &level);
    reads("/9000", "A1 01 A1 01 05", &level);
    let instances = [
        record("/9000/1/17/2", int(5)),
        record("/9000/1/17/3", int(6)),
    ];
    reads("/9000/1/17", "A2 02 05 03 06", &instances);
    reads("/9000/1", "A1 11 A2 02 05 03 06", &instances);
    reads("/9000/1", "A2 82 11 02 05 82 11 03 06", &instances);
    reads("/9000", "A1 82 01 11 A2 02 05 03 06", &instances);
    // What can be read from the object id on is: the form is one for the whole payload.
    reads("/3/0", "A1 83 03 00 09 05", &[record("/3/0/9", int(5))]);
    refused(
        "/3/0",
        "A2 83 03 00 09 05 0A 06",
        FormatError::Name { at: 6 },
    );
    refused(
        "/3/0",
        "A2 09 05 83 03 00 0A 06",
        FormatError::Name { at: 3 },
    );
    // Nothing is fixed by the path of a composite.
    refused("/", "A1 09 05", FormatError::Name { at: 1 });
    refused("/9000/1/17/1", "A1 01 05", FormatError::Name { at: 1 });
}

#[test]
fn values_of_every_type() {
    let records = [
        record("/9000/0/0", text("é")),
        record("/9000/0/1", int(i64::MIN)),
        record("/9000/0/2", OwnedValue::Unsigned(u64::MAX)),
        record("/9000/0/3", OwnedValue::Float(1.5)),
        record("/9000/0/4", OwnedValue::Boolean(true)),
        record("/9000/0/5", opaque(&[1, 2, 3])),
        record("/9000/0/6", OwnedValue::Time(1_367_491_215)),
        record("/9000/0/7", link(66, 0)),
        record("/9000/0/8", OwnedValue::CoreLink("</1>".into())),
    ];
    canonical(
        "/9000/0",
        r#"A1 82192328 00 A9 00 62 C3A9 01 3B7FFFFFFFFFFFFFFF 02 1BFFFFFFFFFFFFFFFF 03 FA3FC00000
           04 F5 05 43 010203 06 1A5182428F 07 64 "66:0" 08 64 "</1>""#,
        &records,
    );
}

#[test]
fn numbers_and_times_as_peers_write_them() {
    let at = |id: u16, value: &str| {
        let payload = hex(&format!("A1 83 192328 00 {id:02X} {value}"));
        read_value(FORMAT, &format!("/9000/0/{id}"), &payload)
    };
    // Integers as half, single and double floats, bignums and decimal fractions.
    for value in [
        "05",
        "F9 4500",
        "FA 40A00000",
        "FB 4014000000000000",
        "C2 41 05",
        "C4 82 00 05",
        "C4 82 20 18 32",
    ] {
        assert_eq!(at(1, value), Ok(int(5)), "{value}");
        assert_eq!(at(2, value), Ok(OwnedValue::Unsigned(5)), "{value}");
        assert_eq!(at(3, value), Ok(OwnedValue::Float(5.0)), "{value}");
    }
    assert_eq!(at(1, "C3 48 7FFFFFFFFFFFFFFF"), Ok(int(i64::MIN)));
    assert_eq!(
        at(2, "C2 48 FFFFFFFFFFFFFFFF"),
        Ok(OwnedValue::Unsigned(u64::MAX))
    );
    assert_eq!(
        at(2, "C2 49 010000000000000000"),
        Err(FormatError::Range { at: 7 })
    );
    assert_eq!(
        at(1, "1B 8000000000000000"),
        Err(FormatError::Range { at: 7 })
    );
    assert!(matches!(
        at(1, "F9 3E00"),
        Err(FormatError::Type { at: 7, .. })
    ));
    assert!(matches!(at(2, "20"), Err(FormatError::Range { at: 7 })));
    assert_eq!(at(3, "F9 7C00"), Ok(OwnedValue::Float(f64::INFINITY)));
    // Tag 0 and tag 1.
    let time = Ok(OwnedValue::Time(1_367_491_215));
    assert_eq!(at(6, "C1 1A5182428F"), time);
    assert_eq!(at(6, r#"C0 74 "2013-05-02T10:40:15Z""#), time);
    assert!(matches!(at(4, "01"), Err(FormatError::Type { at: 7, .. })));
    assert!(matches!(
        at(7, "61 55"),
        Err(FormatError::Type { at: 7, .. })
    ));
}

#[test]
fn strings_in_pieces() {
    let payload = hex(r#"A1 83 192328 00 00 7F 61 "a" 62 "bc" FF"#);
    assert_eq!(read_value(FORMAT, "/9000/0/0", &payload), Ok(text("abc")));
    for (scratch, fits) in [(3, true), (2, false)] {
        let result = read_with_scratch(FORMAT, path("/9000/0"), &payload, scratch);
        assert_eq!(result.is_ok(), fits);
    }
}

#[test]
fn null_is_no_value() {
    reads("/3/0", "A1 83 03 00 04 F6", &[empty("/3/0/4")]);
    // In a Write-Composite only SenML-ETCH removes.
    let error = read_patch(FORMAT, &hex("A1 84 192328 00 11 01 F6"), "", &Model).unwrap_err();
    assert_eq!(error, FormatError::NoValue { at: 8 });
    assert_eq!(
        write_patch(FORMAT, "", &[empty("/9000/0/17/1")]),
        Err(FormatError::NotAcceptable(FORMAT))
    );
}

#[test]
fn write_composite() {
    let records = [record("/3/0/9", int(5)), record("/9000/0/17/1", int(6))];
    let payload = write_patch(FORMAT, "/lwm2m", &records).unwrap();
    assert_eq!(
        payload,
        hex("A2 820300 A1 09 05 82192328 00 A1 11 A1 01 06")
    );
    assert_eq!(
        read_patch(FORMAT, &payload, "/lwm2m", &Model).unwrap(),
        records
    );
}

#[test]
fn duplicates() {
    for (payload, at) in [
        ("A2 83030009 05 83030009 06", 6),
        ("A1 820300 A2 09 05 09 06", 7),
        ("A2 03 A1 00 A1 09 05 83030009 06", 7),
        // Out of order, in another group.
        ("A3 83030009 05 8303000A 06 03 A1 00 A1 09 05", 15),
        // Once with a value, once with instances.
        ("A2 83030009 05 8403000900 06", 6),
        ("A2 8403000900 05 83030009 06", 7),
        ("A3 83030009 05 8303000A 06 8403000900 06", 11),
    ] {
        refused("/3/0", payload, FormatError::Duplicate { at });
    }
}

#[test]
fn descending_paths_are_read() {
    let mut payload = vec![0xB8, 200];
    for id in (0..200).rev() {
        payload.extend([0x84, 0x19, 0x23, 0x28, 0x00, 0x11, 0x18, id, 0x01]);
    }
    assert_eq!(read(FORMAT, "/9000", &payload).unwrap().len(), 200);
}

/// What is read again is bounded.
#[test]
fn too_many_descending_paths() {
    let mut payload = vec![0xB9, 0x13, 0x88];
    for id in (0..5000_u16).rev() {
        payload.extend([0x84, 0x19, 0x23, 0x28, 0x00, 0x11, 0x19]);
        payload.extend(id.to_be_bytes());
        payload.push(0x01);
    }
    let error = read(FORMAT, "/9000", &payload).unwrap_err();
    assert!(matches!(error, FormatError::Syntax { .. }), "{error:?}");
}

#[test]
fn bad_input() {
    use FormatError::*;
    let syntax = |at, expected| Syntax { at, expected };
    for (payload, error) in [
        ("", Truncated { at: 0 }),
        ("A1", Truncated { at: 1 }),
        ("A1 83030009", Truncated { at: 5 }),
        ("BF 83030009 05", Truncated { at: 6 }),
        ("80", syntax(0, "a map")),
        ("05", syntax(0, "a map")),
        ("A0 00", Trailing { at: 1 }),
        ("A1 83030009 05 00", Trailing { at: 6 }),
        ("A1 80 05", syntax(1, "an array with ids")),
        ("A1 9FFF 05", syntax(1, "an array with ids")),
        ("A1 820300 A0", syntax(4, "a map with members")),
        ("A1 820300 BF FF", syntax(4, "a map with members")),
        ("A1 20 05", syntax(1, "an id or an array of ids")),
        ("A1 F5 05", syntax(1, "an id or an array of ids")),
        ("A1 8203 20 05", syntax(3, "an id")),
        ("A1 82 03 81 00 05", syntax(3, "an id")),
        ("A1 1A00010000 05", Name { at: 1 }),
        ("A1 850300090001 05", Name { at: 6 }),
        ("A1 8403000900 A1 00 05", TooDeep { at: 6 }),
        ("A1 83040009 05", OutOfScope { at: 1 }),
        ("A1 83030109 05", OutOfScope { at: 1 }),
        (
            "A1 83030009 80",
            Type {
                at: 5,
                expected: None,
            },
        ),
        (
            "A1 83030009 F7",
            Type {
                at: 5,
                expected: None,
            },
        ),
    ] {
        let found = read_hex("/3/0", payload).unwrap_err();
        assert_eq!(found, error, "{payload}");
        assert_eq!(found.code(), Code::BAD_REQUEST);
    }
}

#[test]
fn nothing_to_say() {
    assert_eq!(write_all(FORMAT, path("/3303"), &[]).unwrap(), [0xA0]);
    reads("/3303", "A0", &[]);
    reads("/3303", "BF FF", &[]);
    // There is no word for an empty multiple resource.
    assert_eq!(
        write_all(FORMAT, path("/3/0"), &[empty("/3/0/6")]).unwrap(),
        [0xA0]
    );
}

/// Core 1.2 Annex on gateways: the prefix of the end device stands in front, alone or in the array.
/// The alternate path never appears.
#[test]
fn prefix_of_a_device_behind_a_gateway() {
    let scope = Scope {
        target: path("/3/0"),
        root: "/d01",
    };
    let expected = [record("/3/0/9", int(100))];
    for payload in [
        r#"A1 84 63 "d01" 03 00 09 1864"#,
        r#"A1 63 "d01" A1 83 03 00 09 1864"#,
        r#"A1 83 63 "d01" 03 00 A1 09 1864"#,
        r#"A1 9F 7F 62 "d0" 61 "1" FF 03 00 09 FF 1864"#,
        "A1 83 03 00 09 1864",
    ] {
        let records = read_all(FORMAT, &hex(payload), scope, &Model).unwrap();
        assert_eq!(records, expected, "{payload}");
    }
    for payload in [
        r#"A1 84 63 "d02" 03 00 09 1864"#,
        r#"A1 84 64 "d011" 03 00 09 1864"#,
        r#"A1 63 "d01" A1 84 63 "d01" 03 00 09 1864"#,
        r#"A1 03 A1 63 "d01" A1 82 00 09 1864"#,
    ] {
        let error = read_all(FORMAT, &hex(payload), scope, &Model).unwrap_err();
        assert!(matches!(error, FormatError::OutOfScope { .. }), "{payload}");
    }
    refused(
        "/3/0",
        r#"A1 84 63 "d01" 03 00 09 1864"#,
        FormatError::OutOfScope { at: 2 },
    );
    assert!(read_all(FORMAT, &hex(r#"A1 81 63 "d01" 05"#), scope, &Model).is_err());
}

#[test]
fn writers_take_records_in_order() {
    let sequence = |target: &str, records: &[OwnedRecord]| {
        assert_eq!(
            write_all(FORMAT, path(target), records),
            Err(FormatError::Sequence),
            "{target} {records:?}"
        );
    };
    let at = |path: &str| record(path, int(1));
    sequence("/3/0", &[at("/3/0/10"), at("/3/0/9")]);
    sequence("/3/0", &[at("/3/0/9"), at("/3/0/9")]);
    sequence("/3/0", &[at("/3/1/9")]);
    sequence("/3/0", &[at("/3/0/6"), at("/3/0/6/1")]);
    sequence("/", &[at("/3/0/6"), at("/3/0/6/1")]);
    sequence("/3", &[at("/3/0")]);
}

#[test]
fn every_length_of_buffer() {
    let payload = hex(DEVICE);
    for length in 0..payload.len() {
        let mut buffer = vec![0; length];
        let written = dunlin_lwm2m::format::writer(FORMAT, &mut buffer, path("/3/0")).and_then(
            |mut writer| {
                for record in device() {
                    writer.record(&record.as_record())?;
                }
                writer.finish()
            },
        );
        assert_eq!(written, Err(FormatError::BufferTooSmall), "{length}");
        assert!(read(FORMAT, "/3/0", &payload[..length]).is_err());
    }
}

#[test]
fn names_stand_in_no_payload() {
    let mut buffer = [0; 16];
    let mut writer = dunlin_lwm2m::format::writer(FORMAT, &mut buffer, Path::ROOT).unwrap();
    assert_eq!(
        writer.name(&path("/3")),
        Err(FormatError::NotAcceptable(FORMAT))
    );
    // Times are left out.
    let record = Record {
        time: Some(5.0),
        ..Record::new(path("/3/0/9"), Value::Integer(1))
    };
    writer.record(&record).unwrap();
    let length = writer.finish().unwrap();
    assert_eq!(buffer[..length], hex("A1 820300 A1 09 01"));
}

//! TLV: the standard's bytes both ways, its latitudes, and bad input.

mod format_common;

use dunlin_coap::Code;
use dunlin_lwm2m::format::{FormatError, write_all};
use dunlin_lwm2m::{ContentFormat, DataType, MAX_ID, OwnedRecord, OwnedValue, Path};
use format_common::*;

const TLV: ContentFormat = ContentFormat::TLV;

const DEVICE: &str = "
    C80014 4F70656E204D6F62696C6520416C6C69616E6365
    C80116 4C69676874776569676874204D324D20436C69656E74
    C80209 333435303030313233
    C303 312E30
    8606 410001 410105
    880708 42000ED8 42011388
    8708 41007D 42010384
    C10964
    C10A0F
    830B 410000
    C40D 5182428F
    C60E 2B30323A3030
    C11055";

fn refused(target: &str, payload: &str) -> FormatError {
    let error = read(TLV, target, &hex(payload)).unwrap_err();
    assert_eq!(error.code(), Code::BAD_REQUEST, "{error}");
    error
}

fn mismatch(at: usize, expected: DataType) -> FormatError {
    FormatError::Type {
        at,
        expected: Some(expected),
    }
}

#[test]
fn device_instance_has_121_bytes() {
    let payload = hex(DEVICE);
    assert_eq!(payload.len(), 121);
    both_ways(TLV, "/3/0", &device(), &payload);
}

#[test]
fn device_object_has_124_bytes() {
    let payload = hex(&format!("08 00 79 {DEVICE}"));
    assert_eq!(payload.len(), 124);
    both_ways(TLV, "/3", &device(), &payload);
}

#[test]
fn one_server_has_18_bytes() {
    let records = [
        record("/1/0/0", int(1)),
        record("/1/0/1", int(86400)),
        record("/1/0/6", OwnedValue::Boolean(true)),
        record("/1/0/7", text("U")),
    ];
    let payload = hex("08 00 0F C1 00 01 C4 01 00 01 51 80 C1 06 01 C1 07 55");
    assert_eq!(payload.len(), 18);
    both_ways(TLV, "/1", &records, &payload);
}

#[test]
fn access_control_with_wide_id_has_38_bytes() {
    let records = [
        record("/2/0/0", int(1)),
        record("/2/0/1", int(0)),
        record("/2/0/2/127", int(7)),
        record("/2/0/3", int(127)),
        record("/2/2/0", int(3)),
        record("/2/2/1", int(0)),
        record("/2/2/2/127", int(7)),
        record("/2/2/2/310", int(1)),
        record("/2/2/3", int(127)),
    ];
    let payload =
        hex("08000EC10001C101008302417F07C1037F 080212C10003C101008702417F0761013601C1037F");
    assert_eq!(payload.len(), 38);
    both_ways(TLV, "/2", &records, &payload);
}

#[test]
fn object_links_have_37_and_82_bytes() {
    let first = [
        record("/65/0/0/0", link(66, 0)),
        record("/65/0/0/1", link(66, 1)),
        record("/65/0/1", text("8613800755500")),
        record("/65/0/2", int(0x1234_5678)),
    ];
    let payload =
        hex("88000C 440000420000 440100420001 C8010D 38363133383030373535353030 C402 12345678");
    assert_eq!(payload.len(), 37);
    both_ways(TLV, "/65/0", &first, &payload);

    let second = [
        record("/66/0/0", text("myService 1")),
        record("/66/0/1", text("Internet.15.234")),
        record("/66/0/2", link(67, 0)),
        record("/66/1/0", text("myService 2")),
        record("/66/1/1", text("Internet.15.235")),
        record("/66/1/2", link(65535, 65535)),
    ];
    let payload = hex(
        r#"080026 C8000B "myService 1" C8010F "Internet.15.234" C40200430000
           080126 C8000B "myService 2" C8010F "Internet.15.235" C402FFFFFFFF"#,
    );
    assert_eq!(payload.len(), 82);
    both_ways(TLV, "/66", &second, &payload);
}

#[test]
fn single_resources() {
    both_ways(
        TLV,
        "/3/0/9",
        &[record("/3/0/9", int(100))],
        &hex("C1 09 64"),
    );
    both_ways(
        TLV,
        "/3303/0/5700",
        &[record("/3303/0/5700", OwnedValue::Float(25.5))],
        &hex("E4 16 44 41 CC 00 00"),
    );
    both_ways(
        TLV,
        "/1/0/1",
        &[record("/1/0/1", int(86400))],
        &hex("C4 01 00 01 51 80"),
    );
    both_ways(
        TLV,
        "/3/0/16",
        &[record("/3/0/16", text("U"))],
        &hex("C1 10 55"),
    );
}

#[test]
fn long_values_and_wide_ids() {
    let mut payload = hex("D0 00 01 2C");
    payload.extend([7; 300]);
    both_ways(
        TLV,
        "/5/0/0",
        &[record("/5/0/0", opaque(&[7; 300]))],
        &payload,
    );
    let mut payload = hex("D8 00 01 11 70");
    payload.extend([7; 70000]);
    both_ways(
        TLV,
        "/5/0/0",
        &[record("/5/0/0", opaque(&[7; 70000]))],
        &payload,
    );
    both_ways(
        TLV,
        "/5/0",
        &[record("/5/0/256", opaque(&[]))],
        &hex("E0 01 00"),
    );
    // The longest there is, and one more.
    let mut longest = hex("D8 00 FF FF FF");
    longest.extend(vec![1; 0xFF_FFFF]);
    both_ways(
        TLV,
        "/5/0/0",
        &[record("/5/0/0", opaque(&vec![1; 0xFF_FFFF]))],
        &longest,
    );
    let error = write_all(
        TLV,
        path("/5/0/0"),
        &[record("/5/0/0", opaque(&vec![1; 0x100_0000]))],
    );
    assert_eq!(error, Err(FormatError::NotAcceptable(TLV)));
}

#[test]
fn multiple_resource_has_its_container_with_any_number_of_instances() {
    let records = [record("/3/0/6/0", int(1)), record("/3/0/6/1", int(5))];
    both_ways(TLV, "/3/0/6", &records, &hex("86 06 41 00 01 41 01 05"));
    both_ways(TLV, "/3/0/6", &records[..1], &hex("83 06 41 00 01"));
    both_ways(TLV, "/3/0/6", &[empty("/3/0/6")], &hex("80 06"));
    both_ways(TLV, "/5/0", &[empty("/5/0/0")], &hex("80 00"));
    // A bare list of resource instances is accepted when the request names the resource.
    assert_eq!(
        read(TLV, "/3/0/6", &hex("41 00 01 41 01 05")).unwrap(),
        records
    );
}

#[test]
fn resource_instance_bare_or_wrapped() {
    let records = [record("/3/0/6/1", int(5))];
    both_ways(TLV, "/3/0/6/1", &records, &hex("41 01 05"));
    assert_eq!(
        read(TLV, "/3/0/6/1", &hex("83 06 41 01 05")).unwrap(),
        records
    );
    assert_eq!(
        refused("/3/0/6/1", "41 00 05"),
        FormatError::OutOfScope { at: 0 }
    );
    assert_eq!(
        refused("/3/0/6/1", "83 06 41 00 05"),
        FormatError::OutOfScope { at: 2 }
    );
    assert_eq!(
        refused("/3/0/6/1", "83 07 41 01 05"),
        FormatError::OutOfScope { at: 0 }
    );
    assert_eq!(
        refused("/3/0/6/1", "C1 06 05"),
        FormatError::OutOfScope { at: 0 }
    );
}

#[test]
fn object_instance_is_optional_when_the_request_names_it() {
    for target in ["/3/0", "/3/0/9"] {
        assert_eq!(
            read(TLV, target, &hex("03 00 C1 09 64")).unwrap(),
            [record("/3/0/9", int(100))]
        );
        assert_eq!(
            refused(target, "03 01 C1 09 64"),
            FormatError::OutOfScope { at: 0 }
        );
    }
}

#[test]
fn empty_objects_and_instances() {
    both_ways(TLV, "/3", &[], &[]);
    both_ways(TLV, "/3", &[empty("/3/7")], &hex("00 07"));
    both_ways(
        TLV,
        "/3",
        &[
            empty("/3/7"),
            record("/3/8/9", int(1)),
            empty("/3/9/6"),
            empty("/3/500"),
        ],
        &hex("00 07 03 08 C1 09 01 02 09 80 06 20 01 F4"),
    );
}

/// Found by fuzzing: the containers came as records that stand above the path of the request.
#[test]
fn empty_containers_around_the_target_tell_nothing() {
    assert_eq!(read(TLV, "/3/0/9", &hex("00 00")), Ok(vec![]));
    assert_eq!(read(TLV, "/3/0/6/1", &hex("80 06")), Ok(vec![]));
    assert_eq!(
        read(TLV, "/3/0/6", &hex("80 06")),
        Ok(vec![empty("/3/0/6")])
    );
}

#[test]
fn create_without_instance_id() {
    // Bare resources: the device chooses the instance id.
    let records = [
        OwnedRecord::new(Path::resource(1, MAX_ID, 0), int(1)),
        OwnedRecord::new(Path::resource(1, MAX_ID, 1), int(86400)),
    ];
    both_ways(TLV, "/1", &records, &hex("C1 00 01 C4 01 00 01 51 80"));
    let records = [OwnedRecord::new(
        Path::resource_instance(2, MAX_ID, 2, 127),
        int(7),
    )];
    both_ways(TLV, "/2", &records, &hex("83 02 41 7F 07"));
}

#[test]
fn ets_int_1630_create() {
    // The suite prints 80 00 2B for the first multiple resource; 43 bytes need the long form.
    let payload = hex(r#"08012E 88002B 480011"Host Device ID #2" 480114"Host Device Model #2""#);
    let records = read(TLV, "/4000", &payload).unwrap();
    assert_eq!(
        records,
        [
            record("/4000/1/0/0", opaque(b"Host Device ID #2")),
            record("/4000/1/0/1", opaque(b"Host Device Model #2")),
        ]
    );
    assert_eq!(write_all(TLV, path("/4000"), &records).unwrap(), payload);
}

#[test]
fn integers_of_every_width() {
    let cases: [(i64, &str); 10] = [
        (0, "C1 01 00"),
        (-1, "C1 01 FF"),
        (127, "C1 01 7F"),
        (128, "C2 01 00 80"),
        (-128, "C1 01 80"),
        (-129, "C2 01 FF 7F"),
        (32768, "C4 01 00 00 80 00"),
        (i64::from(i32::MIN), "C4 01 80 00 00 00"),
        (i64::MAX, "C8 01 08 7F FF FF FF FF FF FF FF"),
        (i64::MIN, "C8 01 08 80 00 00 00 00 00 00 00"),
    ];
    for (number, payload) in cases {
        both_ways(
            TLV,
            "/9000/0/1",
            &[record("/9000/0/1", int(number))],
            &hex(payload),
        );
    }
    // Longer than needed is fine.
    assert_eq!(
        read_value(TLV, "/9000/0/1", &hex("C4 01 FF FF FF FF")),
        Ok(int(-1))
    );
    for payload in [
        "C0 01",
        "C3 01 00 00 01",
        "C5 01 00 00 00 00 01",
        "C8 01 09 00 00 00 00 00 00 00 00 01",
    ] {
        assert!(matches!(
            refused("/9000/0/1", payload),
            FormatError::Type {
                expected: Some(DataType::Integer),
                ..
            }
        ));
    }
    let cases: [(u64, &str); 5] = [
        (255, "C1 02 FF"),
        (256, "C2 02 01 00"),
        (65536, "C4 02 00 01 00 00"),
        (u64::from(u32::MAX), "C4 02 FF FF FF FF"),
        (u64::MAX, "C8 02 08 FF FF FF FF FF FF FF FF"),
    ];
    for (number, payload) in cases {
        let records = [record("/9000/0/2", OwnedValue::Unsigned(number))];
        both_ways(TLV, "/9000/0/2", &records, &hex(payload));
    }
    assert_eq!(
        refused("/9000/0/2", "C3 02 00 00 01"),
        mismatch(2, DataType::Unsigned)
    );
    both_ways(
        TLV,
        "/9000/0/6",
        &[record("/9000/0/6", OwnedValue::Time(-1))],
        &hex("C1 06 FF"),
    );
}

#[test]
fn floats_take_four_bytes_when_exact() {
    let value = |number| [record("/9000/0/3", OwnedValue::Float(number))];
    both_ways(TLV, "/9000/0/3", &value(0.5), &hex("C4 03 3F 00 00 00"));
    both_ways(
        TLV,
        "/9000/0/3",
        &value(0.1),
        &hex("C8 03 08 3F B9 99 99 99 99 99 9A"),
    );
    both_ways(
        TLV,
        "/9000/0/3",
        &value(f64::INFINITY),
        &hex("C4 03 7F 80 00 00"),
    );
    let Ok(OwnedValue::Float(number)) = read_value(TLV, "/9000/0/3", &hex("C4 03 7F C0 00 00"))
    else {
        panic!("NaN is carried");
    };
    assert!(number.is_nan());
    assert_eq!(
        refused("/9000/0/3", "C2 03 3C 00"),
        mismatch(2, DataType::Float)
    );
}

#[test]
fn booleans_links_and_text() {
    for (truth, payload) in [(true, "C1 04 01"), (false, "C1 04 00")] {
        let records = [record("/9000/0/4", OwnedValue::Boolean(truth))];
        both_ways(TLV, "/9000/0/4", &records, &hex(payload));
    }
    assert_eq!(
        refused("/9000/0/4", "C1 04 02"),
        mismatch(2, DataType::Boolean)
    );
    assert_eq!(
        refused("/9000/0/4", "C2 04 00 01"),
        mismatch(2, DataType::Boolean)
    );
    assert_eq!(
        refused("/9000/0/4", "C0 04"),
        mismatch(2, DataType::Boolean)
    );
    assert_eq!(
        refused("/9000/0/7", "C3 07 00 42 00"),
        mismatch(2, DataType::ObjectLink)
    );
    let records = [record("/9000/0/8", OwnedValue::CoreLink("</3>".into()))];
    both_ways(TLV, "/9000/0/8", &records, &hex(r#"C4 08 "</3>""#));
    assert_eq!(
        refused("/9000/0/0", "C1 00 FF"),
        FormatError::Utf8 { at: 2 }
    );
}

#[test]
fn lengths_beyond_the_buffer_are_refused() {
    for payload in [
        "C1",
        "E1 01",
        "C1 09",
        "C8 09",
        "C8 09 02 01",
        "D0 09 00",
        "D0 09 01 00 00",
        "D8 09 00 00",
        "D8 09 FF FF FF 00",
        // Behind a good one.
        "C1 09 64 C1",
    ] {
        assert!(
            matches!(refused("/3/0", payload), FormatError::Truncated { .. }),
            "{payload}"
        );
    }
    // A resource may not be longer than its instance, nor an instance than its resource.
    assert_eq!(
        refused("/3", "03 00 C2 09 64 65"),
        FormatError::Truncated { at: 5 }
    );
    assert_eq!(
        refused("/3/0", "83 06 42 00 01 02"),
        FormatError::Truncated { at: 5 }
    );
}

#[test]
fn wrong_nesting_is_refused() {
    let syntax = |payload| {
        assert!(
            matches!(refused("/3", payload), FormatError::Syntax { .. }),
            "{payload}"
        );
    };
    syntax("05 00 03 01 C1 09 64"); // instance in instance
    syntax("03 00 41 00 01"); // resource instance in instance
    syntax("41 00 01"); // resource instance in object
    syntax("85 06 C3 00 41 00 01"); // resource in multiple resource
    syntax("85 06 83 00 41 00 01"); // multiple resource in multiple resource
    syntax("85 06 03 00 C1 00 01"); // instance in multiple resource
}

/// Found by fuzzing: one resource was both single and multiple, and an instance given an id stood
/// beside one that was not.
#[test]
fn kinds_do_not_stand_side_by_side() {
    for (target, payload, at) in [
        ("/3/0/6", "C1 06 01 41 00 01", 3),
        ("/3/0/6", "41 00 01 83 06 41 01 01", 3),
        ("/3", "00 00 C1 09 01", 2),
        ("/3/0", "C1 09 01 00 00", 3),
    ] {
        let error = refused(target, payload);
        assert!(
            matches!(error, FormatError::Syntax { at: found, .. } if found == at),
            "{payload}: {error:?}"
        );
    }
}

#[test]
fn depth_bomb_ends_at_the_third_level() {
    let mut payload = Vec::new();
    for level in (0..5000_u32).rev() {
        let [_, high, middle, low] = (level * 5).to_be_bytes();
        payload.extend([0x18, 0, high, middle, low]);
    }
    assert!(matches!(
        read(TLV, "/3", &payload),
        Err(FormatError::Syntax { at: 5, .. })
    ));
}

#[test]
fn ids_that_stand_twice_are_refused() {
    assert_eq!(
        refused("/3/0", "C1 09 64 C1 09 64"),
        FormatError::Duplicate { at: 3 }
    );
    assert_eq!(
        refused("/3/0", "C1 0A 01 C1 09 64 C1 0A 02"),
        FormatError::Duplicate { at: 6 }
    );
    assert_eq!(
        refused("/3/0", "80 06 C1 06 01"),
        FormatError::Duplicate { at: 2 }
    );
    assert_eq!(
        refused("/3/0", "86 06 41 00 01 41 00 01"),
        FormatError::Duplicate { at: 5 }
    );
    assert_eq!(
        refused("/3", "00 01 00 01"),
        FormatError::Duplicate { at: 2 }
    );
    // The same id in another instance is another resource; any order is fine.
    assert_eq!(
        read(TLV, "/3", &hex("03 01 C1 09 01 03 00 C1 09 02"))
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        read(TLV, "/3/0", &hex("C1 0A 01 C1 09 64 C1 03 31"))
            .unwrap()
            .len(),
        3
    );
    // Descending ids are looked up at a cost with a bound.
    let mut payload = Vec::new();
    for id in (0..20000_u16).rev() {
        let [high, low] = id.to_be_bytes();
        payload.extend([0xE0, high, low]);
    }
    assert!(matches!(
        read(TLV, "/4000/0", &payload),
        Err(FormatError::Syntax {
            expected: "ids in ascending order",
            ..
        })
    ));
}

#[test]
fn reserved_and_foreign_ids_are_refused() {
    assert_eq!(
        refused("/3", "23 FF FF C1 09 64"),
        FormatError::Name { at: 0 }
    );
    assert_eq!(refused("/3/0", "E1 FF FF 64"), FormatError::Name { at: 0 });
    assert_eq!(
        refused("/3/0/6", "61 FF FF 64"),
        FormatError::Name { at: 0 }
    );
    assert_eq!(
        refused("/3/0/9", "C1 0A 64"),
        FormatError::OutOfScope { at: 0 }
    );
    assert_eq!(
        refused("/3/0/6", "80 07"),
        FormatError::OutOfScope { at: 0 }
    );
    let error = read(TLV, "/", &[]).unwrap_err();
    assert_eq!(
        (error, error.code()),
        (FormatError::UnfitForTarget(TLV), Code::BAD_REQUEST)
    );
}

#[test]
fn unused_length_bits_are_ignored() {
    assert_eq!(read_value(TLV, "/3/0/9", &hex("CF 09 01 64")), Ok(int(100)));
}

#[test]
fn unknown_resources_stay_bytes() {
    assert_eq!(
        read_value(TLV, "/3/0/999", &hex("E1 03 E7 64")),
        Ok(opaque(&[0x64]))
    );
    // An executable has no type.
    assert_eq!(
        read_value(TLV, "/3/0/4", &hex("C1 04 64")),
        Ok(opaque(&[0x64]))
    );
}

#[test]
fn writer_refuses_what_is_out_of_order() {
    let nine = || record("/3/0/9", int(1));
    let ten = || record("/3/0/10", int(1));
    for records in [
        vec![ten(), nine()],
        vec![nine(), nine()],
        vec![record("/4/0/9", int(1))],
        vec![record("/3/0", int(1))],
        vec![empty("/3/0/6/0")],
    ] {
        let error = write_all(TLV, path("/3/0"), &records).unwrap_err();
        assert_eq!(error, FormatError::Sequence, "{records:?}");
        assert_eq!(error.code(), Code::INTERNAL_SERVER_ERROR);
    }
    assert_eq!(
        write_all(TLV, Path::ROOT, &[nine()]),
        Err(FormatError::NotAcceptable(TLV))
    );
}

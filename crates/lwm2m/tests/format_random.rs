//! Random records there and back, compared with other people's JSON and CBOR; random bytes never
//! panic. Everything comes from seeds.

mod format_common;

use std::collections::BTreeMap;

use ciborium::Value as Cbor;
use dunlin_lwm2m::format::{Scope, read_all, reader, write_all, writer};
use dunlin_lwm2m::{ContentFormat, OwnedRecord, OwnedValue, Path};
use format_common::*;
use serde_json::Value as Json;

const FORMATS: [ContentFormat; 6] = [
    ContentFormat::TEXT,
    ContentFormat::OPAQUE,
    ContentFormat::CBOR,
    ContentFormat::SENML_JSON,
    ContentFormat::SENML_CBOR,
    ContentFormat::TLV,
];

fn random_text(random: &mut Random) -> String {
    const CHARACTERS: [char; 16] = [
        'a', 'Z', '0', ' ', '"', '\\', '/', '\n', '\0', '\u{1F}', '\u{7F}', 'é', '€', '😀',
        '\u{2028}', '{',
    ];
    (0..random.below(40))
        .map(|_| CHARACTERS[random.below(16) as usize])
        .collect()
}

/// Numbers of every size.
fn random_bits(random: &mut Random) -> u64 {
    random.next() >> random.below(64)
}

fn random_float(random: &mut Random) -> f64 {
    loop {
        let float = match random.below(4) {
            0 => f64::from_bits(random.next()),
            1 => f64::from(f32::from_bits(random.next() as u32)),
            2 => random.below(100_000) as f64 / 100.0,
            _ => random_bits(random) as f64,
        };
        if float.is_finite() {
            return float;
        }
    }
}

fn random_value(random: &mut Random, resource: u16) -> OwnedValue {
    match resource {
        0 | 16 => text(&random_text(random)),
        1 | 17 => int(random_bits(random) as i64 * if random.below(2) == 0 { 1 } else { -1 }),
        2 => OwnedValue::Unsigned(random_bits(random)),
        3 => OwnedValue::Float(random_float(random)),
        4 => OwnedValue::Boolean(random.below(2) == 0),
        5 => OwnedValue::Opaque(
            (0..random.below(300))
                .map(|_| random.next() as u8)
                .collect(),
        ),
        6 => OwnedValue::Time(random_bits(random) as i64),
        7 => link(random.next() as u16, random.next() as u16),
        _ => OwnedValue::CoreLink(random_text(random)),
    }
}

/// Records of the object 9000, in path order.
fn random_records(random: &mut Random) -> Vec<OwnedRecord> {
    let mut records = BTreeMap::new();
    for _ in 0..random.below(30) {
        let instance = random.below(3) as u16 * 300;
        let path = match random.below(12) as u16 {
            id @ 0..9 => Path::resource(9000, instance, id),
            id => {
                let resource = 16 + id % 2;
                Path::resource_instance(
                    9000,
                    instance,
                    resource,
                    random_bits(random) as u16 % 65535,
                )
            }
        };
        let value = random_value(random, path.resource_id().unwrap());
        records.insert(path, OwnedRecord::new(path, value));
    }
    records.into_values().collect()
}

#[test]
fn records_come_back_from_every_format() {
    let mut random = Random(1);
    for _ in 0..1000 {
        let records = random_records(&mut random);
        for format in &FORMATS[3..] {
            let payload = write_all(*format, path("/9000"), &records).unwrap();
            let back = read_all(*format, &payload, path("/9000"), &Model).unwrap();
            assert_eq!(back, records, "{format}");
        }
        for record in &records {
            for format in [ContentFormat::TEXT, ContentFormat::CBOR] {
                let one = std::slice::from_ref(record);
                let payload = write_all(format, record.path, one).unwrap();
                assert_eq!(
                    read_all(format, &payload, record.path, &Model).unwrap(),
                    one,
                    "{format}"
                );
            }
        }
    }
}

#[test]
fn times_come_back_from_senml() {
    let mut random = Random(2);
    for _ in 0..1000 {
        let records: Vec<_> = (0..random.below(20))
            .map(|_| OwnedRecord {
                time: match random.below(4) {
                    0 => None,
                    1 => Some(1.7e9 - random.below(1000) as f64),
                    2 => Some(1.7e9 - random.below(1000) as f64 / 10.0),
                    _ => Some(random_float(&mut random)),
                },
                ..record("/9000/0/1", int(1))
            })
            .collect();
        for format in [ContentFormat::SENML_JSON, ContentFormat::SENML_CBOR] {
            let payload = write_all(format, path("/9000/0/1"), &records).unwrap();
            let back = read_all(format, &payload, path("/9000/0/1"), &Model).unwrap();
            assert_eq!(back, records, "{format}");
        }
    }
}

/// What SenML says, as plain data: the name, and the field with its value.
fn expected_field(record: &OwnedRecord) -> (String, &'static str) {
    let field = match record.value.as_ref().unwrap() {
        OwnedValue::String(_) | OwnedValue::CoreLink(_) => "vs",
        OwnedValue::Boolean(_) => "vb",
        OwnedValue::Opaque(_) => "vd",
        OwnedValue::ObjectLink(_) => "vlo",
        _ => "v",
    };
    (record.path.to_string(), field)
}

#[test]
fn serde_json_reads_what_is_written() {
    let mut random = Random(3);
    for _ in 0..1000 {
        let records = random_records(&mut random);
        let payload = write_all(ContentFormat::SENML_JSON, path("/9000"), &records).unwrap();
        let Json::Array(pack) = serde_json::from_slice(&payload).unwrap() else {
            panic!("an array");
        };
        assert_eq!(pack.len(), records.len());
        let mut base = String::new();
        for (entry, record) in pack.iter().zip(&records) {
            if let Some(name) = entry.get("bn") {
                base = name.as_str().unwrap().to_owned();
            }
            let (name, field) = expected_field(record);
            assert_eq!(base.clone() + entry["n"].as_str().unwrap(), name);
            let value = &entry[field];
            match record.value.as_ref().unwrap() {
                OwnedValue::String(text) | OwnedValue::CoreLink(text) => {
                    assert_eq!(value.as_str(), Some(text.as_str()));
                }
                OwnedValue::Integer(number) | OwnedValue::Time(number) => {
                    assert_eq!(value.as_i64(), Some(*number));
                }
                OwnedValue::Unsigned(number) => assert_eq!(value.as_u64(), Some(*number)),
                // serde_json may miss the last bit of a float.
                OwnedValue::Float(number) => {
                    let error = (value.as_f64().unwrap() - number).abs();
                    assert!(error <= number.abs() * 1e-15, "{number}: {value}");
                }
                OwnedValue::Boolean(truth) => assert_eq!(value.as_bool(), Some(*truth)),
                OwnedValue::Opaque(bytes) => {
                    let text = value.as_str().unwrap();
                    assert_eq!(text.len(), (bytes.len() * 4).div_ceil(3));
                    assert!(!text.contains(['+', '/', '=']));
                }
                OwnedValue::ObjectLink(link) => {
                    assert_eq!(value.as_str(), Some(link.to_string().as_str()));
                }
            }
        }
    }
}

/// A JSON value as serde_json writes it: other key order, other escapes.
fn as_json(record: &OwnedRecord) -> Json {
    let (name, field) = expected_field(record);
    let value = match record.value.as_ref().unwrap() {
        OwnedValue::String(text) | OwnedValue::CoreLink(text) => Json::from(text.as_str()),
        OwnedValue::Integer(number) | OwnedValue::Time(number) => Json::from(*number),
        OwnedValue::Unsigned(number) => Json::from(*number),
        OwnedValue::Float(number) => Json::from(*number),
        OwnedValue::Boolean(truth) => Json::from(*truth),
        OwnedValue::Opaque(bytes) => {
            let mut text = vec![0; bytes.len() * 2 + 4];
            let alphabet = dunlin_lwm2m::base64::Alphabet::Standard;
            let length = dunlin_lwm2m::base64::encode(bytes, alphabet, true, &mut text).unwrap();
            Json::from(std::str::from_utf8(&text[..length]).unwrap())
        }
        OwnedValue::ObjectLink(link) => Json::from(link.to_string()),
    };
    serde_json::json!({ "n": name, field: value, "x": { "deep": [null, record.path.to_string()] } })
}

#[test]
fn what_serde_json_writes_is_read() {
    let mut random = Random(4);
    for round in 0..1000 {
        let records = random_records(&mut random);
        let pack: Vec<_> = records.iter().map(as_json).collect();
        let payload = if round % 2 == 0 {
            serde_json::to_vec(&pack).unwrap()
        } else {
            serde_json::to_vec_pretty(&pack).unwrap()
        };
        let back = read_all(ContentFormat::SENML_JSON, &payload, path("/9000"), &Model).unwrap();
        assert_eq!(back, records);
    }
}

#[test]
fn json_grammar_agrees_with_serde_json() {
    // Damage a payload and compare the verdicts. What we refuse for other reasons (names, types)
    // and serde_json accepts is fine; what serde_json refuses must not pass.
    let mut random = Random(5);
    let mut refused = 0;
    for _ in 0..15_000 {
        let records = random_records(&mut random);
        let pack: Vec<_> = records.iter().take(3).map(as_json).collect();
        let mut payload = serde_json::to_vec(&pack).unwrap();
        for _ in 0..=random.below(2) {
            let at = random.below(payload.len() as u64) as usize;
            let byte = b"[]{},:\"\\ue-+.0n \n\x00\xFF"[random.below(19) as usize];
            match random.below(3) {
                0 => payload[at] = byte,
                1 => payload.insert(at, byte),
                _ => {
                    payload.remove(at);
                }
            }
            if payload.is_empty() {
                break;
            }
        }
        let ours = read_all(ContentFormat::SENML_JSON, &payload, Path::ROOT, &Model);
        if let Err(error) = serde_json::from_slice::<Json>(&payload) {
            refused += 1;
            assert!(
                ours.is_err(),
                "{error}: {}",
                String::from_utf8_lossy(&payload)
            );
        }
    }
    assert!(refused > 4_000, "{refused}");
}

fn as_cbor(record: &OwnedRecord, random: &mut Random) -> Cbor {
    let (name, _) = expected_field(record);
    let (label, value) = match record.value.as_ref().unwrap() {
        OwnedValue::String(text) | OwnedValue::CoreLink(text) => {
            (Cbor::from(3), Cbor::from(text.as_str()))
        }
        OwnedValue::Integer(number) | OwnedValue::Time(number) => {
            (Cbor::from(2), Cbor::from(*number))
        }
        OwnedValue::Unsigned(number) => (Cbor::from(2), Cbor::from(*number)),
        // ciborium writes half precision where that is exact.
        OwnedValue::Float(number) => (Cbor::from(2), Cbor::from(*number)),
        OwnedValue::Boolean(truth) => (Cbor::from(4), Cbor::from(*truth)),
        OwnedValue::Opaque(bytes) => (Cbor::from(8), Cbor::from(bytes.as_slice())),
        OwnedValue::ObjectLink(link) => (Cbor::from("vlo"), Cbor::from(link.to_string())),
    };
    let mut pairs = vec![
        (Cbor::from(0), Cbor::from(name)),
        (label, value),
        (
            Cbor::from("x"),
            Cbor::Array(vec![
                Cbor::Null,
                Cbor::Map(vec![(Cbor::from(1), Cbor::from(1.5))]),
            ]),
        ),
    ];
    let turn = random.below(3) as usize;
    pairs.rotate_left(turn);
    Cbor::Map(pairs)
}

#[test]
fn what_ciborium_writes_is_read() {
    let mut random = Random(6);
    for _ in 0..1000 {
        let records = random_records(&mut random);
        let pack = records
            .iter()
            .map(|record| as_cbor(record, &mut random))
            .collect();
        let mut payload = Vec::new();
        ciborium::into_writer(&Cbor::Array(pack), &mut payload).unwrap();
        let back = read_all(ContentFormat::SENML_CBOR, &payload, path("/9000"), &Model).unwrap();
        assert_eq!(back, records);
    }
}

#[test]
fn ciborium_reads_what_is_written() {
    let mut random = Random(7);
    for _ in 0..1000 {
        let records = random_records(&mut random);
        let payload = write_all(ContentFormat::SENML_CBOR, path("/9000"), &records).unwrap();
        let Cbor::Array(pack) = ciborium::from_reader(payload.as_slice()).unwrap() else {
            panic!("an array");
        };
        assert_eq!(pack.len(), records.len());
        for (entry, record) in pack.iter().zip(&records) {
            let fields = entry.as_map().unwrap();
            let Cbor::Map(expected) = as_cbor(record, &mut Random(0)) else {
                panic!("a map");
            };
            let value = expected
                .iter()
                .find(|(label, _)| *label != Cbor::from(0) && *label != Cbor::from("x"));
            assert!(fields.contains(value.unwrap()), "{entry:?}");
        }
    }
}

/// Reads whatever it is, with little scratch, and writes what came of it.
fn survives(format: ContentFormat, scope: Scope<'_>, payload: &[u8]) {
    let mut scratch = [0; 24];
    let Ok(mut reader) = reader(format, payload, scope, &Model, &mut scratch) else {
        return;
    };
    let mut buffer = [0; 256];
    let mut writer = writer(format, &mut buffer, scope).ok();
    let mut count = 0;
    while let Some(record) = reader.next_record() {
        count += 1;
        assert!(count <= payload.len() + 1, "more records than bytes");
        match record {
            Ok(record) => {
                if let Some(open) = &mut writer
                    && open.record(&record).is_err()
                {
                    writer = None;
                }
            }
            Err(error) => {
                if let Some(at) = error.position() {
                    assert!(at <= payload.len(), "{error}");
                }
                let _ = (error.code(), error.to_string());
            }
        }
    }
    assert!(reader.next_record().is_none());
    if let Some(writer) = writer {
        let _ = writer.finish();
    }
}

const TARGETS: [&str; 7] = [
    "/",
    "/9000",
    "/9000/0",
    "/9000/0/0",
    "/9000/0/5",
    "/9000/0/17",
    "/9000/0/17/0",
];

fn scope(random: &mut Random) -> Scope<'static> {
    Scope {
        target: path(TARGETS[random.below(7) as usize]),
        root: if random.below(8) == 0 { "/a" } else { "" },
    }
}

#[test]
fn random_bytes_never_panic() {
    let mut random = Random(8);
    for _ in 0..100_000 {
        let payload: Vec<u8> = (0..random.below(48)).map(|_| random.next() as u8).collect();
        let scope = scope(&mut random);
        for format in FORMATS {
            survives(format, scope, &payload);
        }
    }
}

#[test]
fn damaged_payloads_never_panic() {
    let mut random = Random(9);
    for _ in 0..30_000 {
        let records = random_records(&mut random);
        let format = FORMATS[3 + random.below(3) as usize];
        let mut payload = write_all(format, path("/9000"), &records).unwrap();
        for _ in 0..=random.below(4) {
            if payload.is_empty() {
                break;
            }
            let at = random.below(payload.len() as u64) as usize;
            match random.below(4) {
                0 => payload[at] = random.next() as u8,
                1 => payload[at] ^= 1 << random.below(8),
                2 => payload.truncate(at),
                _ => payload.insert(at, random.next() as u8),
            }
        }
        let target = if random.below(2) == 0 {
            path("/9000")
        } else {
            Path::ROOT
        };
        survives(format, target.into(), &payload);
    }
}

#[test]
fn random_tokens_never_panic() {
    // Bytes that mean something get further.
    let mut random = Random(10);
    let json = [
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "\"n\":",
        "\"bn\":",
        "\"v\":",
        "\"vs\":",
        "\"vd\":",
        "\"vlo\":",
        "\"t\":",
        "\"bt\":",
        "\"/9000/0/0\"",
        "\"/9000/0/\"",
        "\"5\"",
        "1",
        "-1.5e300",
        "1e999",
        "true",
        "null",
        "\"\\u00e9\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"AQID\"",
        " ",
        "\"x_\":",
        "\"x\":",
    ];
    let cbor: [&[u8]; 26] = [
        &[0x81],
        &[0x9F],
        &[0xA2],
        &[0xBF],
        &[0xFF],
        &[0],
        &[0x21],
        &[2],
        &[3],
        &[8],
        &[6],
        &[0x22],
        &[0x24],
        b"\x69/9000/0/0",
        b"\x68/9000/0/",
        &[0x61, b'5'],
        &[0x7F],
        &[0x5F],
        &[0xC2],
        &[0xC4],
        &[0x82],
        &[0xC1],
        &[0xFB, 0x7F, 0xF0, 0, 0, 0, 0, 0, 0],
        &[0x1B, 255, 255, 255, 255, 255, 255, 255, 255],
        &[0x43, 1, 2, 3],
        b"\x63vlo",
    ];
    for _ in 0..100_000 {
        let mut text = vec![b'['];
        let mut bytes = vec![0x9F, 0xBF];
        for _ in 0..random.below(24) {
            text.extend(json[random.below(28) as usize].bytes());
            bytes.extend(cbor[random.below(26) as usize]);
        }
        let scope = scope(&mut random);
        survives(ContentFormat::SENML_JSON, scope, &text);
        survives(ContentFormat::SENML_CBOR, scope, &bytes);
        survives(ContentFormat::CBOR, scope, &bytes[2..]);
    }
}

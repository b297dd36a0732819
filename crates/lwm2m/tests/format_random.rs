//! Random records there and back, compared with other people's JSON and CBOR. Everything comes from
//! seeds.

mod format_common;

use std::collections::BTreeMap;

use ciborium::Value as Cbor;
use dunlin_lwm2m::format::{names, read_all, read_patch, write_all, write_names, write_patch};
use dunlin_lwm2m::{ContentFormat, OwnedRecord, OwnedValue, Path};
use format_common::*;
use serde_json::Value as Json;

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
        for format in [
            ContentFormat::SENML_JSON,
            ContentFormat::SENML_CBOR,
            ContentFormat::LWM2M_JSON,
        ] {
            let payload = write_all(format, path("/9000/0/1"), &records).unwrap();
            let back = read_all(format, &payload, path("/9000/0/1"), &Model).unwrap();
            assert_eq!(back, records, "{format}");
        }
    }
}

#[test]
fn composites_come_back() {
    let mut random = Random(11);
    for _ in 0..1000 {
        let mut records = random_records(&mut random);
        let paths: Vec<Path> = records.iter().map(|record| record.path).collect();
        for (format, takes_names, removes) in [
            (COMPOSITES[0], true, true),
            (COMPOSITES[1], true, true),
            (COMPOSITES[2], true, false),
            (COMPOSITES[3], true, false),
            (COMPOSITES[4], false, false),
        ] {
            let root = ["", "/a"][random.below(2) as usize];
            if takes_names {
                let payload = write_names(format, root, &paths).unwrap();
                let back: Result<Vec<_>, _> = names(format, &payload, root).unwrap().collect();
                assert_eq!(back.unwrap(), paths, "{format}");
            }
            let payload = write_patch(format, root, &records).unwrap();
            let back = read_patch(format, &payload, root, &Model).unwrap();
            assert_eq!(back, records, "{format}");
            if removes {
                for record in &mut records {
                    if record.path.resource_instance_id().is_some() && random.below(3) == 0 {
                        record.value = None;
                    }
                }
                let payload = write_patch(format, root, &records).unwrap();
                let back = read_patch(format, &payload, root, &Model).unwrap();
                assert_eq!(back, records, "{format}");
                records.retain(|record| record.value.is_some());
            }
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

/// The value of a record as the JSON of 1.0 carries it.
fn as_oma_json(record: &OwnedRecord) -> (&'static str, Json) {
    let (_, field) = expected_field(record);
    let field = match field {
        "vs" | "vd" => "sv",
        "vb" => "bv",
        "vlo" => "ov",
        number => number,
    };
    let mut members = as_json(record);
    let (_, senml) = expected_field(record);
    (field, members[senml].take())
}

#[test]
fn serde_json_reads_the_json_of_1_0() {
    let mut random = Random(12);
    for _ in 0..1000 {
        let records = random_records(&mut random);
        let payload = write_all(ContentFormat::LWM2M_JSON, path("/9000"), &records).unwrap();
        let tree: Json = serde_json::from_slice(&payload).unwrap();
        let entries = tree["e"].as_array().unwrap();
        assert_eq!(entries.len(), records.len());
        for (entry, record) in entries.iter().zip(&records) {
            let name = tree["bn"].as_str().unwrap().to_owned() + entry["n"].as_str().unwrap();
            assert_eq!(name, record.path.to_string());
            let (field, value) = as_oma_json(record);
            let found = &entry[field];
            match (found.as_f64(), value.as_f64()) {
                // serde_json may miss the last bit of a float.
                (Some(found), Some(value)) if entry[field].is_f64() => {
                    assert!((found - value).abs() <= value.abs() * 1e-15, "{entry}");
                }
                _ => assert_eq!(*found, value, "{entry}"),
            }
            assert_eq!(entry.as_object().unwrap().len(), 2);
        }
    }
}

#[test]
fn the_json_of_1_0_by_serde_json_is_read() {
    let mut random = Random(13);
    for round in 0..1000 {
        let records = random_records(&mut random);
        let names_are_relative = random.below(2) == 0;
        let entries: Vec<Json> = records
            .iter()
            .map(|record| {
                let (field, value) = as_oma_json(record);
                let name = record.path.to_string();
                let name = match names_are_relative {
                    true => name.strip_prefix("/9000/").unwrap(),
                    false => &name,
                };
                serde_json::json!({ "n": name, field: value, "x": [null, {"e": []}] })
            })
            .collect();
        let tree = serde_json::json!({ "e": entries, "x": {"bn": "/1"} });
        let payload = match round % 2 {
            0 => serde_json::to_vec(&tree).unwrap(),
            _ => serde_json::to_vec_pretty(&tree).unwrap(),
        };
        let back = read_all(ContentFormat::LWM2M_JSON, &payload, path("/9000"), &Model).unwrap();
        assert_eq!(back, records);
        // Damaged, it passes only when serde_json lets it pass.
        let mut payload = payload;
        let at = random.below(payload.len() as u64) as usize;
        payload[at] = b"[]{},:\"\\ue-+.0n \n\x00\xFF"[random.below(19) as usize];
        if let Err(error) = serde_json::from_slice::<Json>(&payload) {
            let ours = read_all(ContentFormat::LWM2M_JSON, &payload, path("/9000"), &Model);
            let text = String::from_utf8_lossy(&payload);
            assert!(ours.is_err(), "{error}: {text}");
        }
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

/// The value of a record as one CBOR item.
fn as_item(record: &OwnedRecord) -> Cbor {
    let Cbor::Map(fields) = as_cbor(record, &mut Random(0)) else {
        panic!("a map");
    };
    let value = fields
        .into_iter()
        .find(|(label, _)| *label != Cbor::from(0) && *label != Cbor::from("x"));
    value.unwrap().1
}

/// The values of nested maps by their paths.
fn flatten(tree: &Cbor, around: &[u16], found: &mut BTreeMap<Vec<u16>, Cbor>) {
    let Cbor::Map(pairs) = tree else {
        assert!(found.insert(around.to_vec(), tree.clone()).is_none());
        return;
    };
    assert!(!pairs.is_empty());
    for (key, value) in pairs {
        let id = |key: &Cbor| u16::try_from(key.as_integer().unwrap()).unwrap();
        let mut path = around.to_vec();
        match key {
            Cbor::Array(ids) => path.extend(ids.iter().map(id)),
            one => path.push(id(one)),
        }
        flatten(value, &path, found);
    }
}

/// Nested maps with these values, grouped as it happens.
fn group(values: &[(Vec<u16>, Cbor)], random: &mut Random) -> Cbor {
    let count = 1 + random.below(4) as usize;
    let mut groups: BTreeMap<&[u16], Vec<(Vec<u16>, Cbor)>> = BTreeMap::new();
    for (ids, value) in values {
        let (key, rest) = ids.split_at(count.min(ids.len()));
        let group = groups.entry(key).or_default();
        group.push((rest.to_vec(), value.clone()));
    }
    let key = |ids: &[u16], random: &mut Random| match ids {
        [one] if random.below(4) > 0 => Cbor::from(*one),
        ids => Cbor::Array(ids.iter().map(|id| Cbor::from(*id)).collect()),
    };
    let mut pairs: Vec<_> = groups
        .into_iter()
        .map(|(ids, group_values)| {
            let value = match &group_values[..] {
                [(rest, value)] if rest.is_empty() => value.clone(),
                several => group(several, random),
            };
            (key(ids, random), value)
        })
        .collect();
    // The order of a map means nothing.
    let turn = random.below(pairs.len() as u64) as usize;
    pairs.rotate_left(turn);
    Cbor::Map(pairs)
}

#[test]
fn ciborium_reads_lwm2m_cbor() {
    let mut random = Random(14);
    for _ in 0..1000 {
        let mut records = random_records(&mut random);
        let target = [path("/9000"), Path::ROOT][random.below(2) as usize];
        if target == Path::ROOT && !records.is_empty() {
            let turn = random.below(records.len() as u64) as usize;
            records.rotate_left(turn);
        }
        let payload = write_all(ContentFormat::LWM2M_CBOR, target, &records).unwrap();
        let tree: Cbor = ciborium::from_reader(payload.as_slice()).unwrap();
        let mut found = BTreeMap::new();
        if !records.is_empty() {
            flatten(&tree, &[], &mut found);
        }
        let expected: BTreeMap<_, _> = records
            .iter()
            .map(|record| (record.path.ids().to_vec(), as_item(record)))
            .collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn lwm2m_cbor_by_ciborium_is_read() {
    let mut random = Random(15);
    for _ in 0..1000 {
        let records = random_records(&mut random);
        if records.is_empty() {
            continue;
        }
        let values: Vec<_> = records
            .iter()
            .map(|record| (record.path.ids().to_vec(), as_item(record)))
            .collect();
        let mut payload = Vec::new();
        ciborium::into_writer(&group(&values, &mut random), &mut payload).unwrap();
        for target in [path("/9000"), Path::ROOT] {
            let mut back = read_all(ContentFormat::LWM2M_CBOR, &payload, target, &Model).unwrap();
            back.sort_by_key(|record| record.path);
            assert_eq!(back, records);
        }
    }
}

//! What the tests of the content formats share.
#![allow(dead_code, reason = "not every test file uses every helper")]

use std::collections::BTreeMap;

use dunlin_lwm2m::definition::{ResourceType, Types};
use dunlin_lwm2m::format::{FormatError, Scope, read_all, reader, write_all};
use dunlin_lwm2m::{ContentFormat, DataType, ObjectLink, OwnedRecord, OwnedValue, Path};

/// The types of the resources the examples of the standard use.
pub(crate) struct Model;

impl Types for Model {
    fn resource_type(&self, object: u16, resource: u16) -> Option<ResourceType> {
        use DataType::*;
        let (data_type, multiple) = match (object, resource) {
            (1, 0 | 1 | 2 | 3 | 5) => (Integer, false),
            (1, 6) => (Boolean, false),
            (1, 7) => (String, false),
            (2, 0 | 1 | 3) => (Integer, false),
            (2, 2) => (Integer, true),
            (3, 0 | 1 | 2 | 3 | 14 | 15 | 16 | 17) => (String, false),
            (3, 6 | 7 | 8 | 11) => (Integer, true),
            (3, 9 | 10) => (Integer, false),
            (3, 13) => (Time, false),
            (3, 4) => {
                return Some(ResourceType {
                    data_type: None,
                    multiple: false,
                });
            }
            (65, 0) => (ObjectLink, true),
            (65, 1) => (String, false),
            (65, 2) => (Integer, false),
            (66, 0 | 1) => (String, false),
            (66, 2) => (ObjectLink, false),
            (3303, 5700) => (Float, false),
            // One of each for the tests.
            (9000, 0) => (String, false),
            (9000, 1) => (Integer, false),
            (9000, 2) => (Unsigned, false),
            (9000, 3) => (Float, false),
            (9000, 4) => (Boolean, false),
            (9000, 5) => (Opaque, false),
            (9000, 6) => (Time, false),
            (9000, 7) => (ObjectLink, false),
            (9000, 8) => (CoreLink, false),
            (9000, 16) => (String, true),
            (9000, 17) => (Integer, true),
            _ => return None,
        };
        Some(ResourceType {
            data_type: Some(data_type),
            multiple,
        })
    }
}

/// The bytes of hexadecimal text with blanks; `"..."` stands for its own bytes.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (index, part) in text.split('"').enumerate() {
        if index % 2 == 1 {
            bytes.extend(part.as_bytes());
            continue;
        }
        let digits: String = part.split_whitespace().collect();
        assert_eq!(digits.len() % 2, 0, "odd number of digits in {part:?}");
        for at in (0..digits.len()).step_by(2) {
            bytes.push(u8::from_str_radix(&digits[at..at + 2], 16).unwrap());
        }
    }
    bytes
}

pub(crate) fn path(text: &str) -> Path {
    text.parse().unwrap()
}

pub(crate) fn text(value: &str) -> OwnedValue {
    OwnedValue::String(value.into())
}

pub(crate) fn int(value: i64) -> OwnedValue {
    OwnedValue::Integer(value)
}

pub(crate) fn link(object: u16, instance: u16) -> OwnedValue {
    OwnedValue::ObjectLink(ObjectLink { object, instance })
}

pub(crate) fn opaque(bytes: &[u8]) -> OwnedValue {
    OwnedValue::Opaque(bytes.to_vec())
}

pub(crate) fn record(at: &str, value: OwnedValue) -> OwnedRecord {
    OwnedRecord::new(path(at), value)
}

pub(crate) fn empty(at: &str) -> OwnedRecord {
    OwnedRecord {
        path: path(at),
        time: None,
        value: None,
    }
}

/// Reads with the types of [`Model`].
pub(crate) fn read(
    format: ContentFormat,
    target: &str,
    payload: &[u8],
) -> Result<Vec<OwnedRecord>, FormatError> {
    read_all(format, payload, path(target), &Model)
}

/// The value of the only record.
pub(crate) fn read_value(
    format: ContentFormat,
    target: &str,
    payload: &[u8],
) -> Result<OwnedValue, FormatError> {
    let records = read(format, target, payload)?;
    assert_eq!(records.len(), 1, "{records:?}");
    Ok(records.into_iter().next().unwrap().value.expect("a value"))
}

/// Canonical bytes: the payload gives the records, the records give the payload.
#[track_caller]
pub(crate) fn both_ways(
    format: ContentFormat,
    target: &str,
    records: &[OwnedRecord],
    payload: &[u8],
) {
    assert_eq!(
        read(format, target, payload).unwrap(),
        records,
        "reading {format} of {target}"
    );
    let written = write_all(format, path(target), records).unwrap();
    assert_eq!(
        written,
        payload,
        "writing {format} of {target}: {}",
        String::from_utf8_lossy(&written)
    );
}

/// Reads with scratch memory of the given length.
pub(crate) fn read_with_scratch(
    format: ContentFormat,
    scope: impl Into<Scope<'static>>,
    payload: &[u8],
    scratch: usize,
) -> Result<Vec<OwnedRecord>, FormatError> {
    let scope: Scope<'_> = scope.into();
    let mut scratch = vec![0; scratch];
    let mut reader = reader(format, payload, scope, &Model, &mut scratch)?;
    let mut records = Vec::new();
    while let Some(record) = reader.next_record() {
        records.push(OwnedRecord::from(record?));
    }
    Ok(records)
}

/// The Device object of the standard's Appendix F.
pub(crate) fn device() -> Vec<OwnedRecord> {
    vec![
        record("/3/0/0", text("Open Mobile Alliance")),
        record("/3/0/1", text("Lightweight M2M Client")),
        record("/3/0/2", text("345000123")),
        record("/3/0/3", text("1.0")),
        record("/3/0/6/0", int(1)),
        record("/3/0/6/1", int(5)),
        record("/3/0/7/0", int(3800)),
        record("/3/0/7/1", int(5000)),
        record("/3/0/8/0", int(125)),
        record("/3/0/8/1", int(900)),
        record("/3/0/9", int(100)),
        record("/3/0/10", int(15)),
        record("/3/0/11/0", int(0)),
        record("/3/0/13", OwnedValue::Time(1_367_491_215)),
        record("/3/0/14", text("+02:00")),
        record("/3/0/16", text("U")),
    ]
}

/// SplitMix64: the same numbers for the same seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ bits >> 31
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// Formats of one value first, then those of any number.
pub(crate) const FORMATS: [ContentFormat; 8] = [
    ContentFormat::TEXT,
    ContentFormat::OPAQUE,
    ContentFormat::CBOR,
    ContentFormat::SENML_JSON,
    ContentFormat::SENML_CBOR,
    ContentFormat::TLV,
    ContentFormat::LWM2M_CBOR,
    ContentFormat::LWM2M_JSON,
];

/// The formats of composite requests.
pub(crate) const COMPOSITES: [ContentFormat; 5] = [
    ContentFormat::SENML_ETCH_JSON,
    ContentFormat::SENML_ETCH_CBOR,
    ContentFormat::SENML_JSON,
    ContentFormat::SENML_CBOR,
    ContentFormat::LWM2M_CBOR,
];

pub(crate) fn random_text(random: &mut Random) -> String {
    const CHARACTERS: [char; 16] = [
        'a', 'Z', '0', ' ', '"', '\\', '/', '\n', '\0', '\u{1F}', '\u{7F}', 'é', '€', '😀',
        '\u{2028}', '{',
    ];
    (0..random.below(40))
        .map(|_| CHARACTERS[random.below(16) as usize])
        .collect()
}

/// Numbers of every size.
pub(crate) fn random_bits(random: &mut Random) -> u64 {
    random.next() >> random.below(64)
}

pub(crate) fn random_float(random: &mut Random) -> f64 {
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

pub(crate) fn random_value(random: &mut Random, resource: u16) -> OwnedValue {
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
pub(crate) fn random_records(random: &mut Random) -> Vec<OwnedRecord> {
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

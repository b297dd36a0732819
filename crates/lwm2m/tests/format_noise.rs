//! Random and damaged bytes never make a reader panic, and never give more than they can hold.
//! Everything comes from seeds.

mod format_common;

use dunlin_lwm2m::format::{Scope, names, patch_reader, reader, write_all, writer};
use dunlin_lwm2m::{ContentFormat, Path};
use format_common::*;

/// The readers of composite requests on whatever it is.
fn survives_composite(format: ContentFormat, root: &str, payload: &[u8]) {
    if let Ok(list) = names(format, payload, root) {
        assert!(list.count() <= payload.len() + 1);
    }
    let mut scratch = [0; 24];
    let Ok(mut reader) = patch_reader(format, payload, root, &Model, &mut scratch) else {
        return;
    };
    while let Some(Ok(record)) = reader.next_record() {
        let is_removal = record.value.is_none();
        assert!(!is_removal || record.path.resource_instance_id().is_some());
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
        for format in COMPOSITES {
            survives_composite(format, scope.root, &payload);
        }
    }
}

#[test]
fn damaged_payloads_never_panic() {
    let mut random = Random(9);
    for _ in 0..30_000 {
        let records = random_records(&mut random);
        let format = FORMATS[3 + random.below(5) as usize];
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
    let oma = [
        "\"e\":[",
        "\"bn\":",
        "\"bt\":",
        "{",
        "}",
        "]",
        ",",
        "\"n\":",
        "\"v\":",
        "\"sv\":",
        "\"bv\":",
        "\"ov\":",
        "\"t\":",
        "\"/9000/0/0\"",
        "\"/9000/0/\"",
        "\"5\"",
        "1",
        "true",
        "\"1:2\"",
        "null",
    ];
    let ids: [&[u8]; 20] = [
        &[0xA1],
        &[0xA2],
        &[0xBF],
        &[0xFF],
        &[0x81],
        &[0x82],
        &[0x83],
        &[0x84],
        &[0x9F],
        &[0x19, 0x23, 0x28],
        &[0],
        &[1],
        &[3],
        &[5],
        &[0x11],
        &[0x19, 0xFF, 0xFF],
        b"\x61a",
        &[0xF6],
        &[0x41, 1],
        &[0xF9, 0x45, 0],
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
        let mut old = vec![b'{'];
        let mut nested = vec![0xBF];
        for _ in 0..random.below(24) {
            old.extend(oma[random.below(20) as usize].bytes());
            nested.extend(ids[random.below(20) as usize]);
        }
        let scope = scope(&mut random);
        survives(ContentFormat::LWM2M_JSON, scope, &old);
        survives(ContentFormat::LWM2M_CBOR, scope, &nested);
        survives_composite(ContentFormat::SENML_ETCH_JSON, scope.root, &text);
        survives_composite(ContentFormat::SENML_ETCH_CBOR, scope.root, &bytes);
        survives_composite(ContentFormat::LWM2M_CBOR, scope.root, &nested);
        survives(ContentFormat::SENML_JSON, scope, &text);
        survives(ContentFormat::SENML_CBOR, scope, &bytes);
        survives(ContentFormat::CBOR, scope, &bytes[2..]);
    }
}

//! Nanoseconds and bytes for a pack of 20 float resources, each format, both ways; beside them what
//! serde_json and ciborium take to read the same bytes into their trees.
//!
//! `cargo bench -p dunlin-lwm2m --bench formats`

use std::hint::black_box;
use std::time::{Duration, Instant};

use dunlin_lwm2m::definition::{NoTypes, ResourceType, Types};
use dunlin_lwm2m::format::{reader, write_all, writer};
use dunlin_lwm2m::{ContentFormat, DataType, OwnedRecord, OwnedValue, Path};

struct Floats;

impl Types for Floats {
    fn resource_type(&self, _object: u16, _resource: u16) -> Option<ResourceType> {
        Some(ResourceType {
            data_type: Some(DataType::Float),
            multiple: false,
        })
    }
}

/// The best of several batches, per call, in nanoseconds.
fn time(mut call: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(400) {
        let batch = Instant::now();
        for _ in 0..1000 {
            call();
        }
        best = best.min(batch.elapsed().as_nanos() as f64 / 1000.0);
    }
    best
}

fn read(format: ContentFormat, payload: &[u8], types: &dyn Types) -> usize {
    let mut scratch = [0; 16];
    let mut reader = reader(
        format,
        payload,
        Path::instance(3303, 0),
        types,
        &mut scratch,
    )
    .expect("a known format");
    let mut count = 0;
    while let Some(record) = reader.next_record() {
        black_box(record.expect("a good payload"));
        count += 1;
    }
    count
}

fn write(format: ContentFormat, records: &[OwnedRecord], buffer: &mut [u8]) -> usize {
    let mut writer = writer(format, buffer, Path::instance(3303, 0)).expect("a known format");
    for record in records {
        writer.record(&record.as_record()).expect("room");
    }
    writer.finish().expect("room")
}

fn main() {
    let records: Vec<_> = (0..20)
        .map(|id| {
            let path = Path::resource(3303, 0, 5700 + id);
            OwnedRecord::new(path, OwnedValue::Float(20.5 + f64::from(id)))
        })
        .collect();
    println!("20 float records         bytes   read ns  untyped   write ns");
    for format in [
        ContentFormat::TLV,
        ContentFormat::SENML_CBOR,
        ContentFormat::LWM2M_CBOR,
        ContentFormat::SENML_JSON,
        ContentFormat::LWM2M_JSON,
    ] {
        let payload = write_all(format, Path::instance(3303, 0), &records).expect("room");
        let mut buffer = [0; 2048];
        assert_eq!(read(format, &payload, &Floats), 20);
        let typed = time(|| {
            black_box(read(format, black_box(&payload), &Floats));
        });
        let untyped = time(|| {
            black_box(read(format, black_box(&payload), &NoTypes));
        });
        let written = time(|| {
            black_box(write(format, black_box(&records), &mut buffer));
        });
        println!(
            "{:<24} {:>5} {typed:>9.0} {untyped:>8.0} {written:>10.0}",
            format.name().unwrap_or("?"),
            payload.len()
        );
        let theirs = match format {
            ContentFormat::SENML_CBOR | ContentFormat::LWM2M_CBOR => Some((
                "  ciborium",
                time(|| {
                    let tree = ciborium::from_reader::<ciborium::Value, _>(black_box(&payload[..]));
                    black_box(tree.is_ok());
                }),
            )),
            ContentFormat::SENML_JSON | ContentFormat::LWM2M_JSON => Some((
                "  serde_json",
                time(|| {
                    let tree = serde_json::from_slice::<serde_json::Value>(black_box(&payload));
                    black_box(tree.is_ok());
                }),
            )),
            _ => None,
        };
        if let Some((name, time)) = theirs {
            println!("{name:<30} {time:>9.0}");
        }
    }
}

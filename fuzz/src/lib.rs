//! What the targets share: decoding of decisions from the input, and comparisons.

/// Who is known to whom, as in the tests of the crate.
#[path = "../../crates/dtls/tests/gate/known.rs"]
pub mod dtls_known;
/// A peer with good MACs that does what it is told, as in the tests of the crate.
#[path = "../../crates/dtls/tests/gate/script.rs"]
pub mod dtls_script;

use dunlin_coap::{Instant, MessageWriter, OptionNumber, Rng};
use dunlin_lwm2m::definition::{ResourceType, Types};
use dunlin_lwm2m::{ContentFormat, DataType, OwnedRecord, OwnedValue, Path, format};

/// Takes decisions from the input, byte by byte. At its end every decision is 0.
pub struct Input<'a> {
    bytes: &'a [u8],
}

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        match self.bytes.split_first() {
            Some((byte, rest)) => {
                self.bytes = rest;
                *byte
            }
            None => 0,
        }
    }

    pub fn bool(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    pub fn below(&mut self, limit: usize) -> usize {
        usize::from(self.byte()) % limit.max(1)
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    pub fn u32(&mut self) -> u32 {
        u32::from(self.u16()) << 16 | u32::from(self.u16())
    }

    pub fn choose<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Up to so many bytes.
    pub fn slice(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.bytes.split_at(length.min(self.bytes.len()));
        self.bytes = rest;
        taken
    }

    pub fn rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.bytes)
    }
}

/// A random source that a seed determines.
pub struct Dice(pub u64);

impl Rng for Dice {
    fn next_u32(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }
}

/// Steps of virtual time: none, moments, the timers of CoAP, a lifetime, years.
pub fn step(now: Instant, input: &mut Input<'_>) -> Instant {
    const SECONDS: [u64; 8] = [0, 1, 2, 47, 93, 247, 86_400, 100_000_000];
    let seconds = input.choose(&SECONDS);
    now + core::time::Duration::from_millis(seconds * 1000 + u64::from(input.byte()))
}

/// Types by resource id: of 32 ids, each type four times, the rest is unknown.
pub struct ById;

impl Types for ById {
    fn resource_type(&self, _object: u16, resource: u16) -> Option<ResourceType> {
        let data_type = match resource % 32 / 2 {
            0 => DataType::String,
            1 => DataType::Integer,
            2 => DataType::Unsigned,
            3 => DataType::Float,
            4 => DataType::Boolean,
            5 => DataType::Opaque,
            6 => DataType::Time,
            7 => DataType::ObjectLink,
            8 => DataType::CoreLink,
            9 => {
                return Some(ResourceType {
                    data_type: None,
                    multiple: false,
                });
            }
            _ => return None,
        };
        Some(ResourceType {
            data_type: Some(data_type),
            multiple: resource & 1 == 1,
        })
    }
}

/// Reads a payload; what was read must be writable, and be read the same again.
pub fn round_trip(content_format: ContentFormat, input: &mut Input<'_>) {
    let target = match input.byte() % 8 {
        0 => Path::ROOT,
        1 => Path::object(3),
        2 => Path::instance(3, 0),
        3 => Path::resource_instance(3, 0, u16::from(input.byte()), 0),
        _ => Path::resource(3, 0, u16::from(input.byte())),
    };
    let root = input.choose(&["", "/", "/lwm2m", "/a\"b\\"]);
    let short = input.below(64);
    let payload = input.rest();
    let scope = format::Scope { target, root };

    // Too little scratch is an error, never a panic, and never another value.
    let mut scratch = vec![0; short];
    if let Ok(mut reader) = format::reader(content_format, payload, scope, &ById, &mut scratch) {
        while let Some(record) = reader.next_record() {
            let Err(error) = record else { continue };
            assert!(
                error.position().is_none_or(|at| at <= payload.len()),
                "{error:?}"
            );
            let _ = (error.to_string(), error.code());
        }
    }

    let Ok(mut records) = format::read_all(content_format, payload, scope, &ById) else {
        return;
    };
    assert!(records.len() <= payload.len() + 1);
    for record in &records {
        assert!(target.contains(&record.path), "{:?}", record.path);
        assert!(record.time.is_none_or(f64::is_finite));
    }
    if matches!(content_format, ContentFormat::TLV | ContentFormat::LWM2M_CBOR) {
        records.sort_by_key(|record| record.path);
        // An empty instance that the request names needs no bytes.
        let keeps_empty = content_format == ContentFormat::TLV;
        records.retain(|record| {
            record.value.is_some() || (keeps_empty && record.path.level() > target.level())
        });
    } else {
        // Bare names are not written among values.
        records.retain(|record| record.value.is_some());
    }
    if content_format == ContentFormat::LWM2M_JSON {
        // Nobody writes it for a composite, nor a resource with a value and with instances, which
        // no reader of flat names can refuse.
        let at_target = records.iter().filter(|record| record.path == target).count();
        if target == Path::ROOT || (at_target > 0 && at_target < records.len()) {
            return;
        }
    }
    let written = format::write_all(content_format, scope, &records)
        .unwrap_or_else(|error| panic!("{error:?} for {records:?}"));
    let again = format::read_all(content_format, &written, scope, &ById)
        .unwrap_or_else(|error| panic!("{error:?} for {written:02X?} of {records:?}"));
    assert_eq!(records.len(), again.len());
    for (first, second) in records.iter().zip(&again) {
        assert!(same(first, second), "{first:?} became {second:?}");
    }
    let third = format::write_all(content_format, scope, &again).expect("written before");
    assert_eq!(written, third);
}

/// Equal, but for what the format cannot tell of an unknown resource.
pub fn same(first: &OwnedRecord, second: &OwnedRecord) -> bool {
    let value = match (&first.value, &second.value) {
        (Some(OwnedValue::Float(a)), Some(OwnedValue::Float(b))) => {
            a == b || (a.is_nan() && b.is_nan())
        }
        (Some(OwnedValue::Time(a)), Some(OwnedValue::Integer(b))) => a == b,
        (a, b) => a == b,
    };
    value && first.path == second.path && first.time == second.time
}

/// Writes the options and the payload of a request that a device may get: often a good one.
pub fn write_device_request(input: &mut Input<'_>, writer: &mut MessageWriter<'_>) {
    if input.byte() > 180 {
        writer.uint(OptionNumber::OBSERVE, u32::from(input.byte() % 3));
    }
    let object = input.choose(&["3", "3", "1", "5", "3303", "3303", "0", "6", "3311", "65535", "x"]);
    let depth = input.below(6);
    if depth > 0 {
        writer.option(OptionNumber::URI_PATH, object.as_bytes());
    }
    for level in 1..depth {
        let id = match level {
            1 => input.choose(&["0", "0", "0", "1", "7"]),
            2 => input.choose(&["0", "9", "6", "5700", "5601", "1", "2", "5", "8", "4", "14"]),
            _ => input.choose(&["0", "1", "65535"]),
        };
        writer.option(OptionNumber::URI_PATH, id.as_bytes());
    }
    let format = input.choose(&[0, 42, 60, 110, 112, 11542, 40, 11543, 11544, 320, 322, 1542, 9]);
    let has_format = input.bool();
    if has_format {
        writer.uint(OptionNumber::CONTENT_FORMAT, format);
    }
    for _ in 0..input.below(8).saturating_sub(4) {
        let query = input.choose(&[
            "pmin=1", "pmax=2", "gt=20", "lt=5", "st=1", "pmin", "con=1", "epmin=5", "edge=1",
            "pmax=0", "depth=1", "0=U", "gt=1e400", "hqmax=3", "pmin=99999999999",
        ]);
        writer.option(OptionNumber::URI_QUERY, query.as_bytes());
    }
    if input.byte() > 128 {
        let accept = input.choose(&[0, 40, 42, 60, 110, 112, 11542, 11543, 11544, 320]);
        writer.uint(OptionNumber::ACCEPT, accept);
    }
    if input.byte() > 200 {
        writer.uint(OptionNumber::BLOCK2, u32::from(input.byte()));
    }
    let payload = match input.byte() {
        0..60 => &[][..],
        60..80 => b"\xC1\x09\x64",
        80..100 => b"\xE4\x16\x44\x41\xCC\x00\x00",
        100..120 => b"\x08\x05\x07\xE4\x16\x44\x41\xCC\x00\x00",
        120..140 => br#"[{"bn":"/1/0/","n":"1","v":60},{"n":"2","v":1}]"#,
        140..160 => b"\x81\xA2\x00\x66/3/0/6\x02\x01",
        160..180 => b"1",
        180..190 => b"0='a',1",
        other => {
            if other < 220 {
                let num = u32::from(input.byte() % 3);
                let more = u32::from(input.byte() > 80);
                writer.uint(OptionNumber::BLOCK1, num << 4 | more << 3 | u32::from(input.byte() % 8));
                &[7; 16][..if input.byte() > 20 { 16 } else { 3 }]
            } else {
                let length = input.below(80);
                input.slice(length)
            }
        }
    };
    writer.payload(payload);
}

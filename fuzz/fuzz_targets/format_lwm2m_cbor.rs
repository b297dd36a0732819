//! What was read can be written, and is read the same.
#![no_main]

use dunlin_fuzz::{Input, round_trip};
use dunlin_lwm2m::ContentFormat;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| round_trip(ContentFormat::LWM2M_CBOR, &mut Input::new(bytes)));

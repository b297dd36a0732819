//! Write-Attributes queries: what was read is written as queries that mean the same, and applying
//! them leaves attributes that agree with each other.
#![no_main]

use dunlin_lwm2m::{Attributes, WriteAttributes};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (first, second) = text.split_once('\n').unwrap_or((text, ""));
    let read = |text: &str| {
        let segments = text.split('&').filter(|segment| !segment.is_empty());
        let write = WriteAttributes::from_queries(segments).map_err(|error| error.to_string());
        let write = write.ok()?;
        let queries: Vec<String> = write.changes().map(|change| change.to_string()).collect();
        let again = WriteAttributes::from_queries(queries.iter().map(String::as_str));
        assert_eq!(again, Ok(write), "{queries:?}");
        assert!(write.attributes().check().is_ok());
        Some(write)
    };
    let Some(first) = read(first) else { return };
    let Ok(attached) = first.apply(&Attributes::NONE) else { return };
    let Some(second) = read(second) else { return };
    if let Ok(result) = second.apply(&attached) {
        assert!(result.check().is_ok());
        let _ = (result.to_string(), result.usable_pmax());
    }
});

//! Object definition files: every finding has a place, and what loads strictly loads leniently.
#![no_main]

use dunlin_lwm2m::model::{Strictness, lint, parse, parse_range};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(range) = parse_range(text)
    {
        assert!(range.min <= range.max, "{range:?}");
    }
    let findings = lint(bytes);
    assert!(findings.len() <= 1100);
    for finding in &findings {
        let _ = finding.to_string();
    }
    let lenient = parse(bytes, Strictness::Lenient);
    match parse(bytes, Strictness::Strict) {
        Ok(strict) => {
            assert!(findings.is_empty());
            assert_eq!(lenient.as_ref(), Ok(&strict));
        }
        Err(error) => {
            let _ = error.to_string();
            assert!(!findings.is_empty());
        }
    }
    for object in lenient.unwrap_or_default() {
        assert!(object.resources.is_sorted_by(|a, b| a.id < b.id));
        for resource in &object.resources {
            assert_eq!(object.resource(resource.id), Some(resource));
        }
        let _ = object.expected_urn();
    }
});

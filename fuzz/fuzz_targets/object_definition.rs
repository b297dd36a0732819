//! Object definition files: every finding has a place, what loads strictly loads leniently, and
//! what is generated from it is Rust.
#![no_main]

use dunlin_lwm2m::model::generate::{self, Capacities, Optional, Options};
use dunlin_lwm2m::model::{ObjectModel, Strictness, lint, parse, parse_range};
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
    let objects = lenient.unwrap_or_default();
    for object in &objects {
        assert!(object.resources.is_sorted_by(|a, b| a.id < b.id));
        for resource in &object.resources {
            assert_eq!(object.resource(resource.id), Some(resource));
        }
        let _ = object.expected_urn();
        check_generated(object);
    }
    let names = generate::module_names(&objects);
    assert_eq!(names.len(), objects.len());
    for name in names {
        let _: syn::Ident = syn::parse_str(&name).expect("an identifier");
    }
});

fn check_generated(object: &ObjectModel) {
    let few = Options {
        capacities: Capacities {
            text: 1,
            opaque: 1,
            instances: 1,
            largest: 8,
        },
        optional: Optional::None,
    };
    for options in [Options::default(), few] {
        let source = generate::object(object, &options);
        if let Err(error) = syn::parse_file(&source) {
            panic!("{error}:\n{source}");
        }
    }
    let source = generate::definition(object, &generate::constant_name(object));
    syn::parse_str::<syn::ItemStatic>(&source).expect("a static");
}

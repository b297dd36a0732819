//! Bodies of composite requests: path lists and the values of a Write-Composite.
#![no_main]

use dunlin_fuzz::{ById, Input, same};
use dunlin_lwm2m::format::{self, FormatError};
use dunlin_lwm2m::{ContentFormat, Path};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let format = input.choose(&[
        ContentFormat::SENML_ETCH_JSON,
        ContentFormat::SENML_ETCH_CBOR,
        ContentFormat::SENML_JSON,
        ContentFormat::SENML_CBOR,
        ContentFormat::LWM2M_CBOR,
    ]);
    let root = input.choose(&["", "/", "/lwm2m"]);
    let payload = input.rest();

    let list = format::names(format, payload, root).and_then(Iterator::collect::<Result<Vec<Path>, _>>);
    if let Ok(paths) = list {
        let written = format::write_names(format, root, &paths).expect("paths that were read");
        let again: Result<Vec<Path>, _> =
            format::names(format, &written, root).expect("the same format").collect();
        assert_eq!(again.as_ref(), Ok(&paths));
    }

    let Ok(records) = format::read_patch(format, payload, root, &ById) else {
        return;
    };
    let removes = records.iter().any(|record| record.value.is_none());
    match format::write_patch(format, root, &records) {
        Err(FormatError::NotAcceptable(_)) if removes => unreachable!("only ETCH reads removals"),
        Err(error) => panic!("{error:?} for {records:?}"),
        Ok(written) => {
            let again = format::read_patch(format, &written, root, &ById).expect("written before");
            assert_eq!(records.len(), again.len());
            for (first, second) in records.iter().zip(&again) {
                assert!(same(first, second), "{first:?} became {second:?}");
            }
        }
    }
});

//! A list of Execute arguments reads as what it is written from.
#![no_main]

use dunlin_lwm2m::Arguments;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let arguments = match Arguments::parse(text) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.to_string();
            return;
        }
    };
    let written: Vec<String> = arguments.iter().map(|argument| argument.to_string()).collect();
    assert_eq!(written.join(","), text);
    assert!(written.len() <= 10);
    for argument in arguments {
        assert_eq!(arguments.get(argument.digit), Some(argument.value));
    }
});

//! What decodes, encodes to the same characters but for alphabet and padding; decoding in place
//! and into a buffer agree.
#![no_main]

use dunlin_lwm2m::base64::{self, Alphabet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let mut decoded = vec![0; text.len()];
    let mut in_place = text.to_vec();
    let result = base64::decode(text, &mut decoded);
    assert_eq!(base64::decode_in_place(&mut in_place), result);
    let Ok(length) = result else { return };
    assert_eq!(in_place[..length], decoded[..length]);
    let mut encoded = vec![0; base64::encoded_length(length, true)];
    base64::encode(&decoded[..length], Alphabet::Standard, true, &mut encoded).expect("fits");
    let plain = |text: &[u8]| -> Vec<u8> {
        let text = text.iter().filter(|byte| **byte != b'=');
        text.map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            byte => *byte,
        })
        .collect()
    };
    assert_eq!(plain(&encoded), plain(text));
    // Too little room is an error.
    if length > 0 {
        assert!(base64::decode(text, &mut decoded[..length - 1]).is_err());
    }
});

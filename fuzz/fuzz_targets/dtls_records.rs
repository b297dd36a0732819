//! Any datagram is records up to the first malformed one; opening what is in them never panics, and
//! what was sealed is opened to the same, once, by its keys.
#![no_main]

use dunlin_dtls::Suite;
use dunlin_dtls::testing::{
    ContentType, Protection, Record, Records, ReplayWindow, WriteKeys, leading_cid, number,
};
use dunlin_fuzz::{Dice, Input};
use libfuzzer_sys::fuzz_target;

fn keys(suite: Suite) -> WriteKeys {
    let raw = vec![7; WriteKeys::encoded_length(suite.cipher())];
    WriteKeys::read(suite.cipher(), &raw).expect("of that length")
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let suite = input.choose(&Suite::ALL);
    let protection = Protection::new(suite, input.bool());
    let keys = keys(suite);
    let cid_length = input.choose(&[0, 1, 8, 32, 255]);
    let mut dice = Dice(u64::from(input.byte()));

    if input.bool() {
        let datagram = input.rest();
        let mut read = 0;
        for record in Records::new(datagram, cid_length) {
            let Ok(record) = record else { break };
            read += 13 + record.cid.len() + record.fragment.len();
            let mut scratch = vec![0; record.fragment.len()];
            let _ = protection.open(&keys, &record, &mut scratch);
        }
        assert!(read <= datagram.len());
        let _ = leading_cid(datagram, cid_length);
        return;
    }

    // Good records, one of them changed, in any order and more than once.
    let mut window = ReplayWindow::new();
    let mut seen = Vec::new();
    let cid = vec![0xc1; cid_length];
    while !input.is_empty() {
        let sequence = u64::from(input.byte());
        let length = input.below(80);
        let content = input.slice(length);
        let content_type = input.choose(&[
            ContentType::ApplicationData,
            ContentType::Handshake,
            ContentType::Alert,
        ]);
        let mut out = vec![0; protection.sealed_length(cid.len(), content.len())];
        protection
            .seal(&keys, number(1, sequence), &cid, content_type, content, &mut dice, &mut out)
            .expect("it fits");
        let change = input.byte();
        let at = usize::from(input.u16()) % out.len();
        if change > 200 {
            out[at] ^= change - 200;
        }
        let Some(Ok(record)) = Records::new(&out, cid_length).next() else {
            assert!(change > 200);
            continue;
        };
        let mut scratch = vec![0; record.fragment.len()];
        let opened = protection.open(&keys, &record, &mut scratch);
        if change > 200 {
            // DTLS 1.0 in the version is the only thing that the header leaves open, in epoch 0.
            assert!(opened.is_err(), "byte {at} of {out:02x?}");
            continue;
        }
        assert_eq!(opened, Ok((content_type, content)));
        let Record { sequence, .. } = record;
        let is_new = window.is_new(sequence);
        assert_eq!(window.accept(sequence), is_new);
        assert!(!is_new || !seen.contains(&sequence));
        seen.push(sequence);
    }
});

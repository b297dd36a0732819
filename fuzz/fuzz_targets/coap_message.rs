//! Any bytes are a message or an error; a message written again is read as the same.
#![no_main]

use dunlin_coap::{Message, MessageWriter};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = Message::parse(bytes) else { return };
    let _ = format!("{message:?}");
    let _ = message.first_unacceptable_option(|_| true);
    let mut buffer = vec![0; bytes.len() + 16];
    let mut writer = MessageWriter::new(
        &mut buffer,
        message.ty,
        message.code,
        message.message_id,
        message.token,
    );
    for option in message.options() {
        writer.option(option.number, option.value);
    }
    writer.payload(message.payload);
    let length = writer.finish().expect("what was read can be written");
    assert_eq!(Message::parse(&buffer[..length]), Ok(message));
});

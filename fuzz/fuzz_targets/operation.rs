//! Requests as operations, registrations and updates: what was read is written as a request that
//! reads the same.
#![no_main]

use dunlin_coap::{Code, Message, MessageWriter, OptionNumber, Type};
use dunlin_fuzz::Input;
use dunlin_lwm2m::Version;
use dunlin_lwm2m::operation::{Operation, WireOperation};
use dunlin_lwm2m::registration::{RegisterParameters, UpdateParameters};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let root = input.choose(&["", "/", "/lwm2m", "/a/b/"]);
    let version = input.choose(&[Version::V1_0, Version::V1_1, Version::V1_2]);
    let Ok(message) = Message::parse(input.rest()) else { return };
    register(&message);
    update(&message, version);
    let operation = match WireOperation::from_request(&message, root) {
        Ok(operation) => operation,
        Err(error) => {
            let _ = (error.to_string(), error.code());
            return;
        }
    };
    let _ = (operation.name(), operation.success(), operation.path());
    let mut buffer = vec![0; bytes.len() + 512];
    let mut writer = MessageWriter::new(
        &mut buffer,
        Type::Confirmable,
        operation.method(),
        message.message_id,
        message.token,
    );
    operation.write_request(&mut writer, root);
    let length = writer.finish().expect("what was read can be written");
    let again = Message::parse(&buffer[..length]).expect("was written");
    let again = WireOperation::from_request(&again, root);
    if let Operation::WriteAttributes { attributes, .. } = &operation
        && attributes.is_empty()
    {
        return;
    }
    assert_eq!(again, Ok(operation));
});

fn register(message: &Message<'_>) {
    let Ok(mut parameters) = RegisterParameters::parse(message) else { return };
    let _ = parameters.extra(message).count();
    let mut buffer = vec![0; 4096 + message.payload.len()];
    let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, Code::POST, 1, &[]);
    // What is longer than an Uri-Query may be is refused on writing.
    if parameters.write_options(&mut writer).is_err() {
        return;
    }
    writer.payload(message.payload);
    let length = writer.finish().expect("what was read can be written");
    let again = Message::parse(&buffer[..length]).expect("was written");
    let again = RegisterParameters::parse(&again).expect("was written");
    parameters.faults = again.faults;
    if parameters.version == Version::V1_0 {
        // In 1.0 queue mode stands in the binding; a bare Q is tolerated, not written.
        parameters.queue_mode = again.queue_mode;
    }
    assert_eq!(again, parameters);
}

fn update(message: &Message<'_>, version: Version) {
    let Ok(mut parameters) = UpdateParameters::parse(message, version) else { return };
    let _ = parameters.extra(message, version).count();
    let mut buffer = vec![0; 4096 + message.payload.len()];
    let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, Code::POST, 1, &[]);
    writer.option(OptionNumber::URI_PATH, b"rd");
    if parameters.write_options(&mut writer, version).is_err() {
        return;
    }
    writer.payload(message.payload);
    let length = writer.finish().expect("what was read can be written");
    let again = Message::parse(&buffer[..length]).expect("was written");
    let again = UpdateParameters::parse(&again, version).expect("was written");
    parameters.faults = again.faults;
    if version == Version::V1_0 {
        parameters.queue_mode = again.queue_mode;
    }
    assert_eq!(again, parameters);
}

//! Helpers of the tests, one file for each role.

mod block1_receiver;
mod block1_sender;
mod block2_receiver;
mod block2_server;
mod option_value;

use std::vec::Vec;

use super::*;
use crate::{Instant, Message, MessageWriter, Type};

fn block(num: u32, more: bool, bytes: usize) -> Block {
    let size = BlockSize::at_most(bytes);
    assert_eq!(size.bytes(), bytes);
    Block { num, more, size }
}

/// A PUT of /x or a response, with the options given, in ascending order.
fn message(code: Code, options: &[(OptionNumber, &[u8])], payload: &[u8]) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, code, 1, &[]);
    for (number, value) in options {
        writer.option(*number, value);
    }
    writer.payload(payload);
    let length = writer.finish().unwrap();
    buffer[..length].to_vec()
}

fn with_block(code: Code, number: OptionNumber, block: Block, payload: &[u8]) -> Vec<u8> {
    message(
        code,
        &[(number, &block.value().to_be_bytes()[1..])],
        payload,
    )
}

fn put(block: Block, payload: &[u8]) -> Vec<u8> {
    with_block(Code::PUT, OptionNumber::BLOCK1, block, payload)
}

fn response(code: Code, block: Block) -> Vec<u8> {
    with_block(code, OptionNumber::BLOCK1, block, &[])
}

fn parse(bytes: &[u8]) -> Message<'_> {
    Message::parse(bytes).unwrap()
}

const NOW: Instant = Instant::ZERO;

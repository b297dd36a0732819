//! Large bodies of operations, in blocks (RFC 7959).

use dunlin_coap::{Code, OptionNumber};
use dunlin_lwm2m::operation::WriteMode;
use dunlin_lwm2m::{OwnedRecord, OwnedValue, Path};
use dunlin_server::api::OperateError;
use dunlin_server::shard::{Limits, ShardConfig};

use crate::operation::{text, write};
use crate::world::{Peer, TEXT, World, config, read, small, values};

#[test]
fn a_large_body_goes_in_blocks() {
    let mut world = World::new();
    Peer::up(1, &mut world);
    let path = Path::resource(5, 0, 0);
    let image: Vec<u8> = (0..5000_u32).map(|byte| (byte % 251) as u8).collect();
    let body = vec![OwnedRecord::new(path, OwnedValue::Opaque(image.clone()))];
    let id = world.operate("dev-1", write(path, WriteMode::Replace, body));
    let mut received = Vec::new();
    // The device lowers the size with its first answer, and the upload goes on at the same byte.
    let mut exponent = 6;
    loop {
        let request = world.request();
        let message = request.message();
        assert_eq!(message.content_format(), Some(42));
        let value = message.uint(OptionNumber::BLOCK1).expect("Block1");
        let (number, more, size) = (value >> 4, value & 8 != 0, 16 << (value & 7));
        assert_eq!(number as usize * size, received.len());
        assert_eq!(value & 7, exponent);
        let total = message.uint(OptionNumber::SIZE1);
        assert_eq!(total, (number == 0).then_some(5000));
        received.extend_from_slice(message.payload);
        exponent = 4;
        let answer = (number << 4 | u32::from(more) << 3 | exponent).to_be_bytes();
        let block = [(OptionNumber::BLOCK1, &answer[1..])];
        if !more {
            world.answer(&request, Code::CHANGED, &block, b"");
            break;
        }
        assert_eq!(message.payload.len(), size);
        world.answer(&request, Code::CONTINUE, &block, b"");
    }
    assert_eq!(received, image);
    assert_eq!(
        world.outcome(id).expect("outcome").expect("success").code,
        Code::CHANGED
    );
}

#[test]
fn a_device_that_finds_blocks_too_large_gets_smaller_ones() {
    let mut world = World::new();
    Peer::up(1, &mut world);
    let path = Path::resource(5, 0, 0);
    let body = vec![OwnedRecord::new(path, OwnedValue::Opaque(vec![7; 3000]))];
    let id = world.operate("dev-1", write(path, WriteMode::Replace, body));
    let request = world.request();
    let smaller = [(OptionNumber::BLOCK1, &[2][..])];
    world.answer(&request, Code::REQUEST_ENTITY_TOO_LARGE, &smaller, b"");
    let request = world.request();
    assert_eq!(request.message().uint(OptionNumber::BLOCK1), Some(0x0A));
    assert_eq!(request.message().payload.len(), 64);
    // The body itself is too large: that is its answer.
    let size = [(OptionNumber::SIZE1, &[100][..])];
    world.answer(&request, Code::REQUEST_ENTITY_TOO_LARGE, &size, b"");
    assert!(matches!(
        world.outcome(id),
        Some(Err(OperateError::Device {
            code: Code::REQUEST_ENTITY_TOO_LARGE,
            ..
        }))
    ));
}

fn block2(number: u32, more: bool, exponent: u32) -> [u8; 3] {
    let [_, a, b, c] = (number << 4 | u32::from(more) << 3 | exponent).to_be_bytes();
    [a, b, c]
}

#[test]
fn a_long_answer_is_gathered_and_begun_again_when_it_changes() {
    let mut world = World::new();
    Peer::up(1, &mut world);
    let path = Path::resource(3303, 0, 5750);
    let old = "old ".repeat(100);
    let new = "new! ".repeat(100);
    let id = world.operate("dev-1", read(path));
    for step in 0.. {
        let request = world.request();
        let asked = request.message().uint(OptionNumber::BLOCK2).unwrap_or(2);
        assert_eq!(asked & 0x0F, 2, "asked for in the size of the first block");
        let (value, etag) = if step < 3 { (&old, b"1") } else { (&new, b"2") };
        let start = (asked >> 4) as usize * 64;
        if step == 3 {
            assert_eq!(start, 192, "the fourth block, of another representation");
        }
        if step == 4 {
            assert_eq!(start, 0, "from the beginning");
        }
        let end = (start + 64).min(value.len());
        let more = end < value.len();
        let block = block2(asked >> 4, more, 2);
        let options = [
            (OptionNumber::ETAG, &etag[..]),
            TEXT,
            (OptionNumber::BLOCK2, &block[..]),
        ];
        world.answer(
            &request,
            Code::CONTENT,
            &options,
            &value.as_bytes()[start..end],
        );
        if !more {
            break;
        }
    }
    assert_eq!(values(world.outcome(id)), [text(path, &new)]);
}

/// Rows "Block-wise" of the list of bad inputs, as a device can send them.
#[test]
fn blocks_that_do_not_fit_end_the_operation() {
    let path = Path::resource(3303, 0, 5750);
    let cases: &[(&[u8], usize)] = &[
        (&block2(2, true, 2), 64),
        (&block2(0, true, 2), 64),
        (&block2(1, true, 2), 63),
        (&block2(1, false, 2), 65),
        (&block2(1, true, 7), 64),
        (&block2(1, true, 3), 128),
        (&block2(0xF_FFFF, false, 2), 64),
        (&[0, 0, 0, 1], 64),
    ];
    for (block, length) in cases {
        let mut world = World::new();
        Peer::up(1, &mut world);
        let id = world.operate("dev-1", read(path));
        let request = world.request();
        let options = [TEXT, (OptionNumber::BLOCK2, &block2(0, true, 2)[..])];
        world.answer(&request, Code::CONTENT, &options, &[b'a'; 64]);
        let request = world.request();
        let options = [TEXT, (OptionNumber::BLOCK2, *block)];
        world.answer(&request, Code::CONTENT, &options, &vec![b'b'; *length]);
        // An option of illegal length makes the message unacceptable: silence follows.
        world.seconds(40);
        let outcome = world.outcome(id);
        let ended = matches!(
            outcome,
            Some(Err(OperateError::Undecodable(_) | OperateError::Timeout))
        );
        assert!(ended, "{block:?}: {outcome:?}");
        assert_eq!(world.counter("exchanges_open"), 0);
    }
}

#[test]
fn an_answer_without_end_is_cut() {
    let mut world = World::with(ShardConfig {
        limits: Limits {
            answer_bytes: 10_000,
            ..small()
        },
        ..config()
    });
    Peer::up(1, &mut world);
    let id = world.operate("dev-1", read(Path::resource(3303, 0, 5750)));
    let mut blocks = 0;
    while !world.sent.is_empty() {
        let request = world.request();
        let block = block2(blocks, true, 6);
        let options = [TEXT, (OptionNumber::BLOCK2, &block[..])];
        world.answer(&request, Code::CONTENT, &options, &[b'a'; 1024]);
        blocks += 1;
    }
    assert_eq!(blocks, 10);
    assert!(matches!(
        world.outcome(id),
        Some(Err(OperateError::Undecodable(_)))
    ));
}

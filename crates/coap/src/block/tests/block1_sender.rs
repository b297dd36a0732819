use super::*;

fn on(sender: &mut Block1Sender, bytes: &[u8]) -> Block1Sent {
    sender.on_response(&parse(bytes))
}

#[test]
fn a_small_body_goes_without_block1() {
    let sender = Block1Sender::new(64, BlockSize::at_most(64));
    assert_eq!(sender.block(), None);
    assert_eq!(sender.range(), 0..64);
    let empty = Block1Sender::new(0, BlockSize::MAX);
    assert_eq!((empty.block(), empty.range()), (None, 0..0));
}

#[test]
fn blocks_follow_each_other() {
    let mut sender = Block1Sender::new(130, BlockSize::at_most(64));
    for num in 0..2 {
        assert_eq!(sender.block(), Some(block(num, true, 64)));
        let next = on(&mut sender, &response(Code::CONTINUE, block(num, true, 64)));
        assert_eq!(next, Block1Sent::Next);
    }
    assert_eq!(sender.block(), Some(block(2, false, 64)));
    assert_eq!(sender.range(), 128..130);
    let done = on(&mut sender, &response(Code::CHANGED, block(2, false, 64)));
    assert_eq!(done, Block1Sent::Done);
}

#[test]
fn the_first_block_is_written_byte_by_byte_as_in_the_standard() {
    let body = *b"0123456789abcdefg";
    let sender = Block1Sender::new(body.len(), BlockSize::MIN);
    let mut buffer = [0; 64];
    let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, Code::PUT, 3, &[]);
    sender.write(&body, &mut writer);
    let length = writer.finish().unwrap();
    let mut expected = std::vec![0x40, 0x03, 0, 3, 0xD1, 0x0E, 0x08, 0xD1, 0x14, 17, 0xFF];
    expected.extend_from_slice(&body[..16]);
    assert_eq!(buffer[..length], expected);
}

#[test]
fn a_smaller_size_goes_on_at_the_same_byte() {
    let mut sender = Block1Sender::new(4096, BlockSize::MAX);
    assert_eq!(sender.block(), Some(block(0, true, 1024)));
    let next = on(&mut sender, &response(Code::CONTINUE, block(0, true, 64)));
    assert_eq!(next, Block1Sent::Next);
    assert_eq!(sender.block(), Some(block(16, true, 64)));
    // Never raised again.
    let next = on(
        &mut sender,
        &response(Code::CONTINUE, block(16, true, 1024)),
    );
    assert_eq!(next, Block1Sent::Next);
    assert_eq!(sender.block(), Some(block(17, true, 64)));
}

#[test]
fn a_receiver_that_applies_block_by_block_is_followed() {
    let mut sender = Block1Sender::new(32, BlockSize::MIN);
    let next = on(&mut sender, &response(Code::CHANGED, block(0, false, 16)));
    assert_eq!(next, Block1Sent::Next);
    assert_eq!(sender.range(), 16..32);
}

#[test]
fn a_block_too_large_starts_again_smaller() {
    let mut sender = Block1Sender::new(4096, BlockSize::MAX);
    let code = Code::REQUEST_ENTITY_TOO_LARGE;
    let next = on(&mut sender, &response(code, block(0, true, 64)));
    assert_eq!(next, Block1Sent::Next);
    assert_eq!(sender.block(), Some(block(0, true, 64)));
    // The same size again: the body is too large.
    let done = on(&mut sender, &response(code, block(0, true, 64)));
    assert_eq!(done, Block1Sent::Done);
}

#[test]
fn a_single_message_too_large_starts_again_in_blocks() {
    let mut sender = Block1Sender::new(100, BlockSize::MAX);
    let code = Code::REQUEST_ENTITY_TOO_LARGE;
    let next = on(&mut sender, &response(code, block(0, true, 64)));
    assert_eq!(next, Block1Sent::Next);
    assert_eq!(sender.block(), Some(block(0, true, 64)));
}

#[test]
fn a_lost_transfer_starts_again_three_times() {
    let mut sender = Block1Sender::new(64, BlockSize::MIN);
    let lost = message(Code::REQUEST_ENTITY_INCOMPLETE, &[], &[]);
    for _ in 0..3 {
        on(&mut sender, &response(Code::CONTINUE, block(0, true, 16)));
        assert_eq!(on(&mut sender, &lost), Block1Sent::Next);
        assert_eq!(sender.block(), Some(block(0, true, 16)));
    }
    let failed = Block1Sent::Failed(Block1Failure::TooManyRestarts);
    assert_eq!(on(&mut sender, &lost), failed);
}

#[test]
fn a_response_to_another_block_fails() {
    let failed = Block1Sent::Failed(Block1Failure::WrongBlock);
    let wrong = [
        response(Code::CONTINUE, block(1, true, 16)),
        message(Code::CONTINUE, &[], &[]),
        message(Code::CONTINUE, &[(OptionNumber::BLOCK1, &[0x0F])], &[]),
    ];
    for bytes in wrong {
        let mut sender = Block1Sender::new(64, BlockSize::MIN);
        assert_eq!(on(&mut sender, &bytes), failed);
    }
    let mut sender = Block1Sender::new(16, BlockSize::MIN);
    let bytes = response(Code::CONTINUE, block(0, true, 16));
    assert_eq!(on(&mut sender, &bytes), failed);
}

#[test]
fn an_error_under_way_is_final() {
    let mut sender = Block1Sender::new(64, BlockSize::MIN);
    let error = message(Code::NOT_FOUND, &[], &[]);
    assert_eq!(on(&mut sender, &error), Block1Sent::Done);
}

#[test]
fn a_body_of_too_many_small_blocks_fails() {
    let mut sender = Block1Sender::new(20 << 20, BlockSize::MAX);
    let code = Code::REQUEST_ENTITY_TOO_LARGE;
    assert_eq!(
        on(&mut sender, &response(code, block(0, true, 16))),
        Block1Sent::Next
    );
    for num in 0..=Block::MAX_NUM {
        let bytes = response(Code::CONTINUE, block(num, true, 16));
        let outcome = on(&mut sender, &bytes);
        if outcome != Block1Sent::Next {
            assert_eq!(outcome, Block1Sent::Failed(Block1Failure::TooManyBlocks));
            assert_eq!(num, Block::MAX_NUM);
            return;
        }
    }
    panic!("went on beyond the last number");
}

#[test]
fn a_transfer_goes_on_where_it_stopped_or_begins_again() {
    let size = BlockSize::at_most(64);
    let mut sender = Block1Sender::resume(200, size, 128);
    assert_eq!(sender.range(), 128..192);
    let asked = sender.block().unwrap();
    assert_eq!((asked.num, asked.more), (2, true));
    assert_eq!(
        sender.on_answer(Code::CONTINUE, Some(asked)),
        Block1Sent::Next
    );
    assert_eq!(sender.range(), 192..200);
    let lost = Code::REQUEST_ENTITY_INCOMPLETE;
    assert_eq!(sender.on_answer(lost, None), Block1Sent::Next);
    assert_eq!(sender.range(), 0..64);
}

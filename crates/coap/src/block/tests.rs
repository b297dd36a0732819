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

mod option_value {
    use super::*;

    #[test]
    fn values_are_those_of_rfc_7959() {
        assert_eq!(Block::from_value(&[]), Some(block(0, false, 16)));
        assert_eq!(Block::from_value(&[0x1A]), Some(block(1, true, 64)));
        assert_eq!(Block::from_value(&[0x06]), Some(block(0, false, 1024)));
        assert_eq!(Block::from_value(&[0x00, 0x1A]), Some(block(1, true, 64)));
        assert_eq!(
            Block::from_value(&[0xFF, 0xFF, 0xFE]),
            Some(block(Block::MAX_NUM, true, 1024))
        );
        assert_eq!(block(1, true, 64).value(), 0x1A);
        assert_eq!(block(0, false, 1024).value(), 6);
        assert_eq!(block(0, false, 16).value(), 0);
    }

    #[test]
    fn size_7_and_four_bytes_are_refused() {
        assert_eq!(Block::from_value(&[0x07]), None);
        assert_eq!(Block::from_value(&[0x0F]), None);
        assert_eq!(Block::from_value(&[0, 0, 0, 0]), None);
    }

    #[test]
    fn num_ends_at_2_to_the_20() {
        let size = BlockSize::MIN;
        let last = Block::at(16 * ((1 << 20) - 1), true, size).unwrap();
        assert_eq!(last.num, Block::MAX_NUM);
        assert_eq!(last.offset(), 16 * ((1 << 20) - 1));
        assert_eq!(Block::at(16 << 20, false, size), None);
    }

    #[test]
    fn sizes() {
        assert_eq!(BlockSize::at_most(0).bytes(), 16);
        assert_eq!(BlockSize::at_most(31).bytes(), 16);
        assert_eq!(BlockSize::at_most(1024).bytes(), 1024);
        assert_eq!(BlockSize::at_most(usize::MAX).bytes(), 1024);
        assert_eq!(BlockSize::from_szx(7), None);
    }
}

mod block1_receiver {
    use super::*;

    fn receiver() -> Block1Receiver {
        Block1Receiver::new(BlockLimits::body(100))
    }

    fn receive(receiver: &mut Block1Receiver, bytes: &[u8]) -> Block1Received {
        receiver.receive(NOW, &parse(bytes), &mut [0; 100])
    }

    fn refused(received: Block1Received) -> Code {
        match received {
            Block1Received::Refuse(refusal) => refusal.code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn blocks_make_a_body() {
        let mut receiver = receiver();
        let mut body = [0; 100];
        let first = put(block(0, true, 16), &[1; 16]);
        let received = receiver.receive(NOW, &parse(&first), &mut body);
        assert_eq!(received, Block1Received::Continue(block(0, true, 16)));
        let last = put(block(1, false, 16), &[2; 5]);
        let received = receiver.receive(NOW, &parse(&last), &mut body);
        let complete = Block1Received::Complete {
            length: 21,
            block: block(1, false, 16),
        };
        assert_eq!(received, complete);
        assert_eq!(body[..21], [&[1; 16][..], &[2; 5]].concat());
        assert_eq!(receiver.deadline(), None);
    }

    #[test]
    fn a_request_without_block1_is_the_body() {
        let mut receiver = receiver();
        let single = message(Code::PUT, &[], b"x");
        assert_eq!(receive(&mut receiver, &single), Block1Received::Single);
    }

    #[test]
    fn a_gap_and_disorder_are_4_08() {
        let mut receiver = receiver();
        assert_eq!(
            refused(receive(&mut receiver, &put(block(1, true, 16), &[0; 16]))),
            Code::REQUEST_ENTITY_INCOMPLETE
        );
        receive(&mut receiver, &put(block(0, true, 16), &[0; 16]));
        assert_eq!(
            refused(receive(&mut receiver, &put(block(2, true, 16), &[0; 16]))),
            Code::REQUEST_ENTITY_INCOMPLETE
        );
        assert_eq!(
            refused(receive(&mut receiver, &put(block(1, true, 16), &[0; 16]))),
            Code::REQUEST_ENTITY_INCOMPLETE,
            "the state was dropped"
        );
    }

    #[test]
    fn a_payload_of_another_size_is_4_00() {
        for (more, length) in [(true, 15), (true, 17), (true, 0), (false, 17)] {
            let bytes = put(block(0, more, 16), &[0; 17][..length]);
            let code = refused(receive(&mut receiver(), &bytes));
            assert_eq!(code, Code::BAD_REQUEST, "{more} {length}");
        }
    }

    #[test]
    fn size_7_is_4_00() {
        let bytes = message(Code::PUT, &[(OptionNumber::BLOCK1, &[0x0F])], &[0; 16]);
        assert_eq!(refused(receive(&mut receiver(), &bytes)), Code::BAD_REQUEST);
    }

    #[test]
    fn block_0_starts_again() {
        let mut receiver = receiver();
        let mut body = [0; 100];
        for (num, fill) in [(0, 1), (1, 2), (0, 3)] {
            let bytes = put(block(num, true, 16), &[fill; 16]);
            let received = receiver.receive(NOW, &parse(&bytes), &mut body);
            assert_eq!(received, Block1Received::Continue(block(num, true, 16)));
        }
        let received = receiver.receive(NOW, &parse(&put(block(1, false, 16), &[4])), &mut body);
        assert!(matches!(
            received,
            Block1Received::Complete { length: 17, .. }
        ));
        assert_eq!(body[..17], [&[3; 16][..], &[4]].concat());
    }

    #[test]
    fn the_same_block_again_counts_once() {
        let mut receiver = receiver();
        let block0 = put(block(0, true, 16), &[0; 16]);
        let block1 = put(block(1, true, 16), &[0; 16]);
        receive(&mut receiver, &block0);
        receive(&mut receiver, &block1);
        let again = receiver.pass(NOW, &parse(&block1));
        assert!(matches!(again, ChunkReceived::Chunk(chunk) if chunk.repeated));
        let next = receiver.pass(NOW, &parse(&put(block(2, true, 16), &[0; 16])));
        assert!(
            matches!(next, ChunkReceived::Chunk(chunk) if !chunk.repeated && chunk.offset == 32)
        );
    }

    #[test]
    fn a_body_above_the_limit_is_4_13_with_size1() {
        let mut receiver = receiver();
        for num in 0..6 {
            receive(&mut receiver, &put(block(num, true, 16), &[0; 16]));
        }
        let received = receive(&mut receiver, &put(block(6, false, 16), &[0; 5]));
        let Block1Received::Refuse(refusal) = received else {
            panic!("{received:?}")
        };
        assert_eq!(refusal.code, Code::REQUEST_ENTITY_TOO_LARGE);
        assert_eq!(refusal.size1, Some(100));
        assert_eq!(receiver.key(), None);
    }

    #[test]
    fn a_body_of_exactly_the_limit_fits() {
        let mut receiver = receiver();
        for num in 0..6 {
            receive(&mut receiver, &put(block(num, true, 16), &[0; 16]));
        }
        let received = receive(&mut receiver, &put(block(6, false, 16), &[0; 4]));
        assert!(matches!(
            received,
            Block1Received::Complete { length: 100, .. }
        ));
    }

    #[test]
    fn an_announced_body_above_the_limit_is_4_13_at_once() {
        let options: [(OptionNumber, &[u8]); 2] = [
            (OptionNumber::BLOCK1, &[0x08]),
            (OptionNumber::SIZE1, &[101]),
        ];
        let bytes = message(Code::PUT, &options, &[0; 16]);
        assert_eq!(
            refused(receive(&mut receiver(), &bytes)),
            Code::REQUEST_ENTITY_TOO_LARGE
        );
    }

    #[test]
    fn a_single_message_above_the_limit_is_4_13() {
        let bytes = message(Code::PUT, &[], &[0; 101]);
        assert_eq!(
            refused(receive(&mut receiver(), &bytes)),
            Code::REQUEST_ENTITY_TOO_LARGE
        );
    }

    #[test]
    fn a_size1_that_lies_does_no_harm() {
        let options: [(OptionNumber, &[u8]); 2] =
            [(OptionNumber::BLOCK1, &[0x08]), (OptionNumber::SIZE1, &[1])];
        let mut receiver = receiver();
        let first = receive(&mut receiver, &message(Code::PUT, &options, &[0; 16]));
        assert!(matches!(first, Block1Received::Continue(_)));
        let last = receive(&mut receiver, &put(block(1, false, 16), &[0; 16]));
        assert!(matches!(last, Block1Received::Complete { length: 32, .. }));
    }

    #[test]
    fn a_smaller_size_is_asked_for_and_goes_on_at_the_same_byte() {
        let limits = BlockLimits {
            size: BlockSize::at_most(16),
            ..BlockLimits::body(200)
        };
        let mut receiver = Block1Receiver::new(limits);
        let mut body = [0; 200];
        let first = put(block(0, true, 64), &[0; 64]);
        let received = receiver.receive(NOW, &parse(&first), &mut body);
        assert_eq!(received, Block1Received::Continue(block(0, true, 16)));
        let next = put(block(4, true, 16), &[0; 16]);
        let received = receiver.receive(NOW, &parse(&next), &mut body);
        assert_eq!(received, Block1Received::Continue(block(4, true, 16)));
    }

    #[test]
    fn another_content_format_or_request_tag_is_another_transfer() {
        let with = |num: u8, number: OptionNumber, value: &[u8]| {
            let block = [num << 4 | 8];
            let mut options = [(number, value), (OptionNumber::BLOCK1, &block[..])];
            options.sort_by_key(|option| option.0);
            message(Code::PUT, &options, &[0; 16])
        };
        for number in [OptionNumber::CONTENT_FORMAT, OptionNumber::REQUEST_TAG] {
            let mut receiver = receiver();
            receive(&mut receiver, &with(0, number, &[1]));
            let other = with(1, number, &[2]);
            assert_eq!(
                refused(receive(&mut receiver, &other)),
                Code::REQUEST_ENTITY_INCOMPLETE
            );
            let same = receive(&mut receiver, &with(1, number, &[1]));
            assert!(matches!(same, Block1Received::Continue(_)), "{number:?}");
        }
    }

    #[test]
    fn size_options_do_not_separate_transfers_but_paths_and_methods_do() {
        let key = |code, options: &[(OptionNumber, &[u8])]| {
            transfer_key(&parse(&message(code, options, &[])))
        };
        let base = key(Code::PUT, &[]);
        assert_eq!(base, key(Code::PUT, &[(OptionNumber::SIZE1, &[9])]));
        assert_eq!(base, key(Code::PUT, &[(OptionNumber::BLOCK2, &[9])]));
        assert_ne!(base, key(Code::POST, &[]));
        assert_ne!(base, key(Code::PUT, &[(OptionNumber::REQUEST_TAG, &[])]));
        assert_ne!(
            key(Code::PUT, &[(OptionNumber::URI_PATH, b"ab")]),
            key(
                Code::PUT,
                &[
                    (OptionNumber::URI_PATH, b"a"),
                    (OptionNumber::URI_PATH, b"b")
                ]
            )
        );
    }

    #[test]
    fn an_idle_transfer_is_dropped() {
        let mut receiver = receiver();
        receive(&mut receiver, &put(block(0, true, 16), &[0; 16]));
        let deadline = receiver.deadline().unwrap();
        assert_eq!(deadline, Instant::from_secs(247));
        assert!(!receiver.handle_timeout(Instant::from_secs(246)));
        let late = put(block(1, false, 16), &[0]);
        let received = receiver.receive(deadline, &parse(&late), &mut [0; 100]);
        assert_eq!(refused(received), Code::REQUEST_ENTITY_INCOMPLETE);
    }

    #[test]
    fn two_transfers_of_one_peer_in_two_receivers() {
        let path = |name: &[u8], num: u8, more: u8, fill| {
            let block = [num << 4 | more << 3];
            let options = [
                (OptionNumber::URI_PATH, name),
                (OptionNumber::BLOCK1, &block[..]),
            ];
            message(Code::PUT, &options, &[fill; 16])
        };
        let mut receivers = [receiver(), receiver()];
        let mut bodies = [[0; 100]; 2];
        for (num, more) in [(0, 1), (1, 0)] {
            for (index, name) in [b"a", b"b"].into_iter().enumerate() {
                let bytes = path(name, num, more, index as u8 + 1);
                let request = parse(&bytes);
                let received = receivers[index].receive(NOW, &request, &mut bodies[index]);
                assert!(!matches!(received, Block1Received::Refuse(_)));
            }
        }
        assert_eq!(bodies[0][..32], [1; 32]);
        assert_eq!(bodies[1][..32], [2; 32]);
    }
}

mod block1_sender {
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
}

mod block2_server {
    use super::*;

    fn answer(asked: Option<Block>, length: usize) -> Result<Block2Answer, Refusal> {
        let bytes = match asked {
            Some(block) => with_block(Code::GET, OptionNumber::BLOCK2, block, &[]),
            None => message(Code::GET, &[], &[]),
        };
        Block2Server::new(BlockSize::at_most(64)).answer(&parse(&bytes), length)
    }

    #[test]
    fn a_small_body_goes_without_block2_unless_asked() {
        let answer_to = |asked| answer(asked, 64).unwrap();
        assert_eq!(answer_to(None).block, None);
        assert_eq!(answer_to(None).range, 0..64);
        let early = answer_to(Some(block(0, false, 64)));
        assert_eq!(early.block, Some(block(0, false, 64)));
        assert_eq!(early.size2, None);
    }

    #[test]
    fn a_large_body_starts_with_its_first_block_and_its_size() {
        let first = answer(None, 65).unwrap();
        assert_eq!(first.block, Some(block(0, true, 64)));
        assert_eq!((first.range, first.size2), (0..64, Some(65)));
        let last = answer(Some(block(1, false, 64)), 65).unwrap();
        assert_eq!(last.block, Some(block(1, false, 64)));
        assert_eq!((last.range, last.size2), (64..65, None));
    }

    #[test]
    fn early_and_late_negotiation_choose_the_smaller_size() {
        let early = answer(Some(block(0, false, 16)), 65).unwrap();
        assert_eq!(early.block, Some(block(0, true, 16)));
        let late = answer(Some(block(4, false, 16)), 65).unwrap();
        assert_eq!(
            (late.block, late.range),
            (Some(block(4, false, 16)), 64..65)
        );
        let large = answer(Some(block(0, false, 1024)), 65).unwrap();
        assert_eq!(large.block, Some(block(0, true, 64)));
        let large = answer(Some(block(1, false, 1024)), 1100).unwrap();
        assert_eq!(
            (large.block, large.range),
            (Some(block(16, true, 64)), 1024..1088)
        );
    }

    #[test]
    fn beyond_the_end_is_4_00() {
        for (num, length) in [(1, 64), (1, 0), (Block::MAX_NUM, 65)] {
            let refusal = answer(Some(block(num, false, 64)), length).unwrap_err();
            assert_eq!(refusal.code, Code::BAD_REQUEST);
        }
        assert_eq!(answer(Some(block(0, false, 64)), 0).unwrap().range, 0..0);
    }

    #[test]
    fn size_7_is_4_00() {
        let bytes = message(Code::GET, &[(OptionNumber::BLOCK2, &[7])], &[]);
        let refusal = Block2Server::default()
            .answer(&parse(&bytes), 5)
            .unwrap_err();
        assert_eq!(refusal.code, Code::BAD_REQUEST);
    }

    #[test]
    fn the_size_is_told_when_asked_for() {
        let options: [(OptionNumber, &[u8]); 2] =
            [(OptionNumber::BLOCK2, &[0x12]), (OptionNumber::SIZE2, &[])];
        let bytes = message(Code::GET, &options, &[]);
        let answer = Block2Server::default().answer(&parse(&bytes), 100).unwrap();
        assert_eq!((answer.range.clone(), answer.size2), (64..100, Some(100)));
        let mut buffer = [0; 32];
        let mut writer =
            MessageWriter::new(&mut buffer, Type::Acknowledgement, Code::CONTENT, 1, &[]);
        answer.write(&mut writer);
        let length = writer.finish().unwrap();
        assert_eq!(
            buffer[..length],
            [0x60, 0x45, 0, 1, 0xD1, 0x0A, 0x12, 0x51, 100]
        );
    }
}

mod block2_receiver {
    use super::*;

    fn content(etag: &[u8], block: Block, payload: &[u8]) -> Vec<u8> {
        let value = block.value().to_be_bytes();
        let options: [(OptionNumber, &[u8]); 2] = [
            (OptionNumber::ETAG, etag),
            (OptionNumber::BLOCK2, &value[1..]),
        ];
        message(Code::CONTENT, &options, payload)
    }

    fn receiver() -> Block2Receiver {
        Block2Receiver::new(BlockLimits::body(100))
    }

    fn receive(receiver: &mut Block2Receiver, bytes: &[u8]) -> Block2Received {
        receiver.receive(NOW, &parse(bytes), &mut [0; 100])
    }

    #[test]
    fn blocks_make_a_body() {
        let mut receiver = receiver();
        let mut body = [0; 100];
        let first = content(b"e", block(0, true, 16), &[1; 16]);
        let received = receiver.receive(NOW, &parse(&first), &mut body);
        assert_eq!(received, Block2Received::Next(block(1, false, 16)));
        let last = content(b"e", block(1, false, 16), &[2; 3]);
        let received = receiver.receive(NOW, &parse(&last), &mut body);
        assert_eq!(received, Block2Received::Complete { length: 19 });
        assert_eq!(body[..19], [&[1; 16][..], &[2; 3]].concat());
        assert_eq!(receiver.deadline(), None);
    }

    #[test]
    fn a_response_without_block2_is_the_body() {
        let bytes = message(Code::CONTENT, &[], b"x");
        assert_eq!(receive(&mut receiver(), &bytes), Block2Received::Single);
        let bytes = message(Code::CONTENT, &[], &[0; 101]);
        let too_large = Block2Received::Failed(Block2Failure::TooLarge { size2: None });
        assert_eq!(receive(&mut receiver(), &bytes), too_large);
    }

    #[test]
    fn early_negotiation_asks_and_late_negotiation_goes_on_smaller() {
        let limits = BlockLimits {
            size: BlockSize::MIN,
            ..BlockLimits::body(100)
        };
        let mut receiver = Block2Receiver::new(limits);
        assert_eq!(receiver.request(), block(0, false, 16));
        let first = content(b"e", block(0, true, 64), &[0; 64]);
        assert_eq!(
            receive(&mut receiver, &first),
            Block2Received::Next(block(4, false, 16))
        );
    }

    #[test]
    fn a_server_may_choose_smaller_blocks_under_way() {
        let mut receiver = receiver();
        receive(&mut receiver, &content(b"e", block(0, true, 64), &[0; 64]));
        let smaller = content(b"e", block(4, true, 16), &[0; 16]);
        assert_eq!(
            receive(&mut receiver, &smaller),
            Block2Received::Next(block(5, false, 16))
        );
    }

    #[test]
    fn another_etag_starts_again_three_times() {
        let mut receiver = receiver();
        for round in 0..4 {
            let first = content(&[round], block(0, true, 16), &[0; 16]);
            receive(&mut receiver, &first);
            let changed = content(&[round + 100], block(1, true, 16), &[0; 16]);
            let expected = if round < 3 {
                Block2Received::Restart(block(0, false, 16))
            } else {
                Block2Received::Failed(Block2Failure::TooManyRestarts)
            };
            assert_eq!(receive(&mut receiver, &changed), expected);
        }
    }

    #[test]
    fn an_etag_that_appears_or_goes_is_another() {
        let mut receiver = receiver();
        let without = with_block(
            Code::CONTENT,
            OptionNumber::BLOCK2,
            block(0, true, 16),
            &[0; 16],
        );
        receive(&mut receiver, &without);
        let with = content(b"e", block(1, true, 16), &[0; 16]);
        assert!(matches!(
            receive(&mut receiver, &with),
            Block2Received::Restart(_)
        ));
    }

    #[test]
    fn wrong_blocks_fail() {
        let start = || {
            let mut receiver = receiver();
            receive(&mut receiver, &content(b"e", block(0, true, 16), &[0; 16]));
            receiver
        };
        use Block2Failure as Failure;
        for (bytes, why) in [
            (
                content(b"e", block(2, true, 16), &[0; 16]),
                Failure::WrongBlock,
            ),
            (
                content(b"e", block(0, true, 16), &[0; 16]),
                Failure::WrongBlock,
            ),
            (
                content(b"e", block(1, true, 16), &[0; 15]),
                Failure::WrongLength,
            ),
            (
                content(b"e", block(1, false, 16), &[0; 17]),
                Failure::WrongLength,
            ),
            (message(Code::CONTENT, &[], b"x"), Failure::WrongBlock),
            (message(Code::NOT_FOUND, &[], b"x"), Failure::ErrorResponse),
            (
                message(Code::CONTENT, &[(OptionNumber::BLOCK2, &[0x17])], b"x"),
                Failure::WrongBlock,
            ),
        ] {
            assert_eq!(receive(&mut start(), &bytes), Block2Received::Failed(why));
        }
    }

    #[test]
    fn a_body_above_the_limit_fails() {
        let mut receiver = receiver();
        let value = block(0, true, 16).value().to_be_bytes();
        let options: [(OptionNumber, &[u8]); 2] = [
            (OptionNumber::BLOCK2, &value[1..]),
            (OptionNumber::SIZE2, &[101]),
        ];
        let bytes = message(Code::CONTENT, &options, &[0; 16]);
        let too_large = |size2| Block2Received::Failed(Block2Failure::TooLarge { size2 });
        assert_eq!(receive(&mut receiver, &bytes), too_large(Some(101)));
        for num in 0..6 {
            let bytes = content(b"e", block(num, true, 16), &[0; 16]);
            assert!(matches!(
                receive(&mut receiver, &bytes),
                Block2Received::Next(_)
            ));
        }
        let bytes = content(b"e", block(6, true, 16), &[0; 16]);
        assert_eq!(receive(&mut receiver, &bytes), too_large(None));
    }
}

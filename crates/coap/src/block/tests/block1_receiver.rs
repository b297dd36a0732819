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
    assert!(matches!(next, ChunkReceived::Chunk(chunk) if !chunk.repeated && chunk.offset == 32));
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

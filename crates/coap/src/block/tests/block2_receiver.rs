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

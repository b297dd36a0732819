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
    let mut writer = MessageWriter::new(&mut buffer, Type::Acknowledgement, Code::CONTENT, 1, &[]);
    answer.write(&mut writer);
    let length = writer.finish().unwrap();
    assert_eq!(
        buffer[..length],
        [0x60, 0x45, 0, 1, 0xD1, 0x0A, 0x12, 0x51, 100]
    );
}

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

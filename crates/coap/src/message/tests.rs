//! Golden frames, and the outcome of every malformed header and option.

use std::format;
use std::vec::Vec;

use super::*;
use crate::OptionNumber as O;
use Type::{Acknowledgement as Ack, Confirmable as Con, NonConfirmable as Non, Reset as Rst};

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|character| !character.is_whitespace())
        .map(|character| character.to_digit(16).unwrap() as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

fn encode(message: &Message<'_>) -> Vec<u8> {
    let mut buffer = std::vec![0; 70_000];
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
    let length = writer.finish().unwrap();
    buffer.truncate(length);
    buffer
}

enum V<'a> {
    U(u32),
    B(&'a [u8]),
}
use V::{B, U};

/// Writes the message from its parts and compares the bytes; reads the bytes and compares the
/// parts; writes what was read and compares the bytes again.
#[track_caller]
fn golden(
    frame: &str,
    (ty, code, message_id): (Type, Code, u16),
    token: &[u8],
    options: &[(O, V<'_>)],
    payload: &[u8],
) {
    let frame = hex(frame);
    let mut buffer = [0; 2048];
    let mut writer = MessageWriter::new(&mut buffer, ty, code, message_id, token);
    for (number, value) in options {
        match value {
            U(value) => writer.uint(*number, *value),
            B(value) => writer.option(*number, value),
        };
    }
    writer.payload(payload);
    let length = writer.finish().unwrap();
    assert_eq!(buffer[..length], frame, "written");

    let message = Message::parse(&frame).unwrap();
    assert_eq!((message.ty, message.code), (ty, code));
    assert_eq!(message.message_id, message_id);
    assert_eq!((message.token, message.payload), (token, payload));
    assert_eq!(message.options().count(), options.len());
    for (read, (number, value)) in message.options().zip(options) {
        assert_eq!(read.number, *number);
        match value {
            U(value) => assert_eq!(uint_value(read.value), Some(*value)),
            B(value) => assert_eq!(read.value, *value),
        }
    }
    assert_eq!(encode(&message), frame, "written again");
}

#[test]
fn golden_read_in_senml_cbor_and_its_answer() {
    golden(
        "42011234 ABCD B133 0130 0139 622D16",
        (Con, Code::GET, 0x1234),
        &[0xAB, 0xCD],
        &[
            (O::URI_PATH, B(b"3")),
            (O::URI_PATH, B(b"0")),
            (O::URI_PATH, B(b"9")),
            (O::ACCEPT, U(11542)),
        ],
        &[],
    );
    golden(
        "62451234 ABCD C22D16 FF C10964",
        (Ack, Code::CONTENT, 0x1234),
        &[0xAB, 0xCD],
        &[(O::CONTENT_FORMAT, U(11542))],
        &[0xC1, 0x09, 0x64],
    );
}

#[test]
fn golden_register_and_its_answer() {
    golden(
        "41020001 01 B27264 1128 3765703D64657631 066C743D333030 096C776D326D3D312E31 03623D55 FF 3C2F312F303E2C3C2F332F303E",
        (Con, Code::POST, 1),
        &[1],
        &[
            (O::URI_PATH, B(b"rd")),
            (O::CONTENT_FORMAT, U(40)),
            (O::URI_QUERY, B(b"ep=dev1")),
            (O::URI_QUERY, B(b"lt=300")),
            (O::URI_QUERY, B(b"lwm2m=1.1")),
            (O::URI_QUERY, B(b"b=U")),
        ],
        b"</1/0>,</3/0>",
    );
    golden(
        "61410001 01 827264 0435613366",
        (Ack, Code::CREATED, 1),
        &[1],
        &[(O::LOCATION_PATH, B(b"rd")), (O::LOCATION_PATH, B(b"5a3f"))],
        &[],
    );
}

#[test]
fn golden_observe_and_notification() {
    golden(
        "41010002 02 60 5133 0130 0139",
        (Con, Code::GET, 2),
        &[2],
        &[
            (O::OBSERVE, U(0)),
            (O::URI_PATH, B(b"3")),
            (O::URI_PATH, B(b"0")),
            (O::URI_PATH, B(b"9")),
        ],
        &[],
    );
    golden(
        "51457D01 02 610A 60 FF 3935",
        (Non, Code::CONTENT, 0x7D01),
        &[2],
        &[(O::OBSERVE, U(10)), (O::CONTENT_FORMAT, U(0))],
        b"95",
    );
}

#[test]
fn golden_block_wise() {
    let payload = [0x55; 64];
    golden(
        &format!(
            "41030003 03 B135 0130 0130 112A D1021A FF {}",
            "55".repeat(64)
        ),
        (Con, Code::PUT, 3),
        &[3],
        &[
            (O::URI_PATH, B(b"5")),
            (O::URI_PATH, B(b"0")),
            (O::URI_PATH, B(b"0")),
            (O::CONTENT_FORMAT, U(42)),
            (O::BLOCK1, U(0x1A)),
        ],
        &payload,
    );
    golden(
        "615F0003 03 D10E1A",
        (Ack, Code::CONTINUE, 3),
        &[3],
        &[(O::BLOCK1, U(0x1A))],
        &[],
    );
    golden(
        "40010004 B178 C106",
        (Con, Code::GET, 4),
        &[],
        &[(O::URI_PATH, B(b"x")), (O::BLOCK2, U(6))],
        &[],
    );
}

#[test]
fn golden_echo() {
    let echo = [1, 2, 3, 4, 5, 6, 7, 8];
    golden(
        "61810005 05 D8EF0102030405060708",
        (Ack, Code::UNAUTHORIZED, 5),
        &[5],
        &[(O::ECHO, B(&echo))],
        &[],
    );
    golden(
        "41020006 06 B27264 D8E40102030405060708",
        (Con, Code::POST, 6),
        &[6],
        &[(O::URI_PATH, B(b"rd")), (O::ECHO, B(&echo))],
        &[],
    );
}

#[test]
fn golden_request_tag() {
    golden(
        "41030007 07 B178 D10308 D1FC01 FF 30313233343536373839616263646566",
        (Con, Code::PUT, 7),
        &[7],
        &[
            (O::URI_PATH, B(b"x")),
            (O::BLOCK1, U(8)),
            (O::REQUEST_TAG, B(&[1])),
        ],
        b"0123456789abcdef",
    );
}

#[test]
fn golden_fetch_ipatch_and_long_query() {
    golden(
        "41050008 08 C170 5170 FF 81A100662F332F302F39",
        (Con, Code::FETCH, 8),
        &[8],
        &[(O::CONTENT_FORMAT, U(112)), (O::ACCEPT, U(112))],
        &hex("81A100662F332F302F39"),
    );
    // A Write-Composite of /3/0/14 (RFC 8132 §3, RFC 8428 §6), and its answer.
    golden(
        "4107000A 0A C170 FF 81A200672F332F302F313403662B30323A3030",
        (Con, Code::IPATCH, 10),
        &[10],
        &[(O::CONTENT_FORMAT, U(112))],
        &hex("81A2 0067 2F332F302F3134 0366 2B30323A3030"),
    );
    golden("6144000A 0A", (Ack, Code::CHANGED, 10), &[10], &[], &[]);
    golden(
        "40010009 DD0207 65703D3031323334353637383961626364656667",
        (Con, Code::GET, 9),
        &[],
        &[(O::URI_QUERY, B(b"ep=0123456789abcdefg"))],
        &[],
    );
}

#[test]
fn golden_empty_messages() {
    for (frame, ty) in [("40000A0B", Con), ("70000A0B", Rst), ("60000A0B", Ack)] {
        golden(frame, (ty, Code::EMPTY, 0x0A0B), &[], &[], &[]);
        let mut buffer = [0; 4];
        let writer = MessageWriter::empty(&mut buffer, ty, 0x0A0B);
        assert_eq!(writer.finish(), Ok(4));
        assert_eq!(buffer[..], hex(frame));
    }
}

#[test]
fn golden_extended_tokens() {
    let token: Vec<u8> = (0..0x14).collect();
    golden(
        "4D010010 00 000102030405060708090A0B0C B133",
        (Con, Code::GET, 0x10),
        &token[..13],
        &[(O::URI_PATH, B(b"3"))],
        &[],
    );
    golden(
        "4D010010 07 000102030405060708090A0B0C0D0E0F10111213 B133",
        (Con, Code::GET, 0x10),
        &token,
        &[(O::URI_PATH, B(b"3"))],
        &[],
    );
}

#[test]
fn the_longest_tokens() {
    for (length, head) in [
        (268, "4D010000FF"),
        (269, "4E0100000000"),
        (65_804, "4E010000FFFF"),
    ] {
        let token = std::vec![7; length];
        let mut buffer = std::vec![0; 66_000];
        let writer = MessageWriter::new(&mut buffer, Con, Code::GET, 0, &token);
        let written = writer.finish().unwrap();
        let head = hex(head);
        assert_eq!(buffer[..head.len()], head);
        assert_eq!(written, head.len() + length);
        assert_eq!(Message::parse(&buffer[..written]).unwrap().token, token);
    }
    let token = std::vec![7; 65_805];
    let mut buffer = std::vec![0; 66_000];
    let writer = MessageWriter::new(&mut buffer, Con, Code::GET, 0, &token);
    assert_eq!(writer.finish(), Err(WriteError::TooLong));
}

#[track_caller]
fn malformed(frame: &str, ty: Type) {
    let frame = hex(frame);
    let message_id = u16::from_be_bytes([frame[2], frame[3]]);
    let error = MessageError::Format { ty, message_id };
    assert_eq!(Message::parse(&frame), Err(error));
}

#[test]
fn short_datagrams_and_other_versions_are_no_messages() {
    for length in 0..4 {
        assert_eq!(
            Message::parse(&[0x40; 4][..length]),
            Err(MessageError::TooShort)
        );
    }
    for first in [0x00, 0x80, 0xC0] {
        let error = Message::parse(&[first, 1, 0, 1]).unwrap_err();
        assert_eq!(error, MessageError::UnknownVersion);
    }
}

#[test]
fn token_lengths() {
    malformed(&format!("4F010001 {}", "00".repeat(20)), Con);
    // RFC 8974 §2.1: up to 12 the nibble is the length.
    for length in 0..=12_usize {
        let frame = hex(&format!("4{length:X}010001 {}", "AB".repeat(length)));
        let message = Message::parse(&frame).unwrap();
        assert_eq!(message.token, &[0xAB; 12][..length]);
        let mut buffer = [0; 32];
        let writer = MessageWriter::new(&mut buffer, Con, Code::GET, 1, message.token);
        let written = writer.finish().unwrap();
        assert_eq!(&buffer[..written], frame);
        if length > 0 {
            malformed(
                &format!("4{length:X}010001 {}", "AB".repeat(length - 1)),
                Con,
            );
        }
    }
    malformed("42010001 AA", Con);
    malformed("4D010001", Con);
    malformed(&format!("4D010001 00 {}", "AA".repeat(12)), Con);
    malformed("4E010001 00", Con);
    malformed(&format!("5E010001 0000 {}", "AA".repeat(268)), Non);
}

#[test]
fn empty_messages_have_four_bytes() {
    malformed("41000001 AA", Con);
    malformed("40000001 FF 00", Con);
    malformed("60000001 B178", Ack);
    malformed("70000001 00", Rst);
}

#[test]
fn a_marker_is_followed_by_payload() {
    malformed("40010001 FF", Con);
    malformed("50010001 B178 FF", Non);
    let frame = hex("40010001 FF FF");
    assert_eq!(Message::parse(&frame).unwrap().payload, [0xFF]);
}

#[test]
fn option_framing() {
    malformed("40010001 F0", Con);
    malformed("40010001 0F", Con);
    malformed("40010001 D0", Con);
    malformed("40010001 E0 00", Con);
    malformed("40010001 0D", Con);
    malformed("40010001 0E 00", Con);
    malformed("40010001 B2 72", Con);
    // 65804 + 1 and 65535 + 1 are no option numbers.
    malformed("40010001 E0 FFFF", Con);
    malformed("40010001 E0 FEF2 10", Con);
    let frame = hex("40010001 E0 FEF2");
    let message = Message::parse(&frame).unwrap();
    assert_eq!(message.options().next().unwrap().number, O(65535));
}

#[test]
fn more_than_255_options_are_read() {
    let frame = hex(&format!("40010001 B0 {}", "00".repeat(60_000)));
    let message = Message::parse(&frame).unwrap();
    assert_eq!(message.options().count(), 60_001);
    assert_eq!(message.values(O::URI_PATH).count(), 60_001);
}

#[test]
fn a_datagram_of_64_kib_is_read() {
    let mut frame = hex("40020001 FF");
    frame.resize(65_507, 0x41);
    assert_eq!(Message::parse(&frame).unwrap().payload.len(), 65_502);
}

fn unacceptable(frame: &str) -> Option<u16> {
    let frame = hex(frame);
    let message = Message::parse(&frame).unwrap();
    let number = message.first_unacceptable_option(crate::understood_by_default);
    number.map(|number| number.0)
}

#[test]
fn critical_options_are_known_legal_and_single() {
    assert_eq!(unacceptable("40010001 B133"), None);
    assert_eq!(
        unacceptable("40010001 10"),
        Some(1),
        "If-Match is not understood"
    );
    assert_eq!(unacceptable("40010001 90"), Some(9), "OSCORE");
    assert_eq!(unacceptable("40010001 D1 0E 00"), None, "Block1");
    assert_eq!(
        unacceptable("40010001 D4 0E 00000000"),
        Some(27),
        "too long"
    );
    assert_eq!(unacceptable("40010001 30"), Some(3), "empty Uri-Host");
    assert_eq!(unacceptable("40010001 3161 0162"), Some(3), "two Uri-Host");
    assert_eq!(unacceptable("40010001 B0"), None, "empty Uri-Path");
    assert_eq!(unacceptable("40010001 B1FF"), Some(11), "not UTF-8");
    assert_eq!(unacceptable("40010001 B12E"), Some(11), ".");
    assert_eq!(unacceptable("40010001 B22E2E"), Some(11), "..");
    assert_eq!(unacceptable("40010001 B32E2E2E"), None, "...");
    let query = |length: usize| {
        let head = format!("40010001 DD 02 {:02X}", length - 13);
        unacceptable(&format!("{head}{}", "61".repeat(length)))
    };
    assert_eq!(query(255), None);
    assert_eq!(query(256), Some(15), "Uri-Query of 256 bytes");
}

#[test]
fn elective_options_that_are_illegal_count_as_absent() {
    // Content-Format of three bytes, Observe of four.
    assert_eq!(unacceptable("40010001 C3000028"), None);
    let frame = hex("40010001 C3000028");
    assert_eq!(Message::parse(&frame).unwrap().content_format(), None);
    let frame = hex("40010001 6400000000");
    assert_eq!(Message::parse(&frame).unwrap().observe(), None);
    // Two of them: the first counts.
    let frame = hex("40010001 C128 012A");
    assert_eq!(unacceptable("40010001 C128 012A"), None);
    assert_eq!(Message::parse(&frame).unwrap().content_format(), Some(40));
    // Leading zeros are accepted.
    let frame = hex("40010001 C20028");
    assert_eq!(Message::parse(&frame).unwrap().content_format(), Some(40));
}

#[test]
fn absent_content_format_is_not_zero() {
    let frame = hex("40010001 C0");
    assert_eq!(Message::parse(&frame).unwrap().content_format(), Some(0));
    let frame = hex("40010001");
    assert_eq!(Message::parse(&frame).unwrap().content_format(), None);
}

#[test]
fn the_writer_says_what_went_wrong() {
    let mut buffer = [0; 8];
    let mut writer = MessageWriter::new(&mut buffer, Con, Code::GET, 1, &[]);
    writer.option(O::URI_PATH, b"a").option(O::OBSERVE, &[]);
    assert_eq!(writer.finish(), Err(WriteError::OptionOrder));
    let mut writer = MessageWriter::new(&mut buffer, Con, Code::GET, 1, &[]);
    writer.payload(b"1234");
    assert_eq!(writer.finish(), Err(WriteError::BufferTooSmall));
    let mut writer = MessageWriter::new(&mut buffer, Con, Code::GET, 1, &[]);
    writer.payload(b"123");
    assert_eq!(writer.finish(), Ok(8));
    let mut writer = MessageWriter::new(&mut buffer[..3], Con, Code::GET, 1, &[]);
    writer.payload_with(|_| Ok::<_, ()>(0)).unwrap();
    assert_eq!(writer.finish(), Err(WriteError::BufferTooSmall));
}

#[test]
fn a_payload_written_in_place() {
    let mut buffer = [0; 8];
    let mut writer = MessageWriter::new(&mut buffer, Con, Code::PUT, 1, &[]);
    assert_eq!(writer.remaining(), 3);
    let written = writer.payload_with(|space| {
        space[..2].copy_from_slice(b"hi");
        Ok::<_, ()>(2)
    });
    assert_eq!((written, writer.finish()), (Ok(()), Ok(7)));
    assert_eq!(buffer[..7], hex("40030001 FF 6869"));
    let mut writer = MessageWriter::new(&mut buffer, Con, Code::PUT, 1, &[]);
    assert_eq!(writer.payload_with(|_| Err(5)), Err(5));
    assert_eq!(writer.finish(), Ok(4));
}

#[test]
fn values_of_65_kib_round_trip() {
    for length in [12, 13, 268, 269, 65_000] {
        let value = std::vec![3; length];
        let mut buffer = std::vec![0; 66_000];
        let mut writer = MessageWriter::new(&mut buffer, Con, Code::GET, 1, &[]);
        writer.option(O(60_000), &value);
        let written = writer.finish().unwrap();
        let message = Message::parse(&buffer[..written]).unwrap();
        assert_eq!(message.options().next().unwrap().value, value);
        assert_eq!(encode(&message), buffer[..written]);
    }
}

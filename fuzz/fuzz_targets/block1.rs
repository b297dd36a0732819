//! Bodies in requests. A receiver gathers exactly what was sent in order and never beyond its
//! limit, whatever comes; a sender ends, whatever is answered.
#![no_main]

use std::time::Duration;

use dunlin_coap::block::{
    Block, Block1Received, Block1Receiver, Block1Sender, Block1Sent, BlockLimits, BlockSize,
    ChunkReceived, transfer_key,
};
use dunlin_coap::{Code, Instant, Message, MessageWriter, OptionNumber, Type};
use dunlin_fuzz::{Input, step};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    if input.bool() {
        receive(&mut input);
    } else {
        send(&mut input);
    }
});

fn receive(input: &mut Input<'_>) {
    let limits = BlockLimits {
        body: usize::from(input.u16()) % 5000,
        size: BlockSize::from_szx(input.byte() % 7).unwrap_or_default(),
        idle: Duration::from_secs(247),
    };
    let mut receiver = Block1Receiver::new(limits);
    let mut passing = Block1Receiver::new(limits);
    let mut body = vec![0; 4096];
    let limit = limits.body.min(body.len());
    // What the running transfer has gathered, by a much simpler rule.
    let mut model: Option<(u64, Vec<u8>)> = None;
    let mut now = Instant::ZERO;
    let mut expected = 0_u32;
    for turn in 0..200_u32 {
        if input.is_empty() {
            break;
        }
        let szx = input.byte();
        // Most often the block that fits.
        let num = match input.byte() {
            0..200 => expected,
            200..220 => expected.wrapping_sub(1) & Block::MAX_NUM,
            220..240 => 0,
            _ => input.u32() & Block::MAX_NUM,
        };
        let more = input.byte() > 60;
        let length = match input.byte() {
            0..200 => 16 << (szx & 7).min(6),
            other => usize::from(other) * 5,
        };
        let fill = turn as u8;
        let mut buffer = [0; 2048];
        let code = input.choose(&[Code::PUT, Code::PUT, Code::PUT, Code::POST]);
        let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, code, 1, &[]);
        writer.option(OptionNumber::URI_PATH, b"x");
        if input.byte() > 10 {
            let value = num << 4 | u32::from(more) << 3 | u32::from(szx & 7);
            writer.uint(OptionNumber::BLOCK1, value);
        }
        if input.byte() > 200 {
            writer.uint(OptionNumber::SIZE1, input.u32());
        }
        writer.payload(&vec![fill; length]);
        let Ok(length) = writer.finish() else { continue };
        let request = Message::parse(&buffer[..length]).expect("was written");
        let payload = request.payload;
        if input.byte() > 200 {
            now = step(now, input);
            receiver.handle_timeout(now);
            passing.handle_timeout(now);
        }
        let passed = passing.pass(now, &request);
        match receiver.receive(now, &request, &mut body) {
            Block1Received::Single => {
                assert!(payload.len() <= limit);
                assert_eq!(passed, ChunkReceived::Single);
            }
            received @ (Block1Received::Continue(block) | Block1Received::Complete { block, .. }) => {
                assert_eq!(block.num, num);
                assert!(block.size <= limits.size);
                let block = Block::of(&request, OptionNumber::BLOCK1);
                let block = block.expect("not reserved").expect("there");
                let key = transfer_key(&request);
                let gathered = match (&mut model, block.num) {
                    (_, 0) => &mut model.insert((key, Vec::new())).1,
                    (Some((known, gathered)), _) if *known == key => gathered,
                    _ => panic!("continues what never began"),
                };
                gathered.truncate(block.offset());
                assert_eq!(gathered.len(), block.offset());
                gathered.extend_from_slice(payload);
                assert!(gathered.len() <= limit);
                assert_eq!(body[..gathered.len()], gathered[..]);
                if let Block1Received::Complete { length, .. } = received {
                    assert_eq!(length, gathered.len());
                    model = None;
                    expected = 0;
                } else {
                    expected = (gathered.len() / (16 << (szx & 7).min(6))) as u32;
                    assert!(receiver.deadline().is_some_and(|deadline| deadline > now));
                }
            }
            Block1Received::Refuse(refusal) => {
                assert_eq!(refusal.code.class(), 4);
                let mut buffer = [0; 256];
                let code = refusal.code;
                let mut writer =
                    MessageWriter::new(&mut buffer, Type::Acknowledgement, code, 1, &[]);
                refusal.write(&mut writer);
                assert!(writer.finish().is_ok());
            }
        }
        if receiver.key().is_none() {
            expected = 0;
        }
    }
}

fn send(input: &mut Input<'_>) {
    let body = vec![7; usize::from(input.u16()) % 3000];
    let size = BlockSize::from_szx(input.byte() % 7).unwrap_or_default();
    let mut sender = Block1Sender::new(body.len(), size);
    // 4 attempts of at most 188 blocks.
    for turn in 0.. {
        assert!(turn < 4 * 188 + 4, "never ends");
        let range = sender.range();
        assert!(range.end <= body.len() && range.len() <= 1024);
        let mut buffer = [0; 1100];
        let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, Code::PUT, 1, &[]);
        sender.write(&body, &mut writer);
        assert!(writer.finish().is_ok());
        let code = match input.byte() {
            0 => Code::CONTINUE,
            1..40 => Code::REQUEST_ENTITY_INCOMPLETE,
            40..80 => Code::REQUEST_ENTITY_TOO_LARGE,
            80..90 => Code::CHANGED,
            90..100 => Code(input.byte()),
            _ => Code::CONTINUE,
        };
        let mut buffer = [0; 64];
        let mut writer = MessageWriter::new(&mut buffer, Type::Acknowledgement, code, 1, &[]);
        let sent = sender.block();
        if let Some(block) = sent {
            let size = BlockSize::from_szx(input.byte() % 7).unwrap_or_default();
            let num = if input.byte() > 250 { input.u32() & Block::MAX_NUM } else { block.num };
            let answer = Block { num, more: true, size };
            writer.uint(OptionNumber::BLOCK1, answer.value());
        }
        let Ok(length) = writer.finish() else { return };
        let Ok(response) = Message::parse(&buffer[..length]) else { return };
        match sender.on_response(&response) {
            Block1Sent::Next => {}
            Block1Sent::Done | Block1Sent::Failed(_) => return,
        }
    }
}

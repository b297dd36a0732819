//! Bodies in responses. A receiver asks for what follows and gathers exactly that; it ends,
//! whatever comes. A server answers any question about blocks within the body.
#![no_main]

use std::time::Duration;

use dunlin_coap::block::{
    Block, Block2Received, Block2Receiver, Block2Server, BlockLimits, BlockSize,
};
use dunlin_coap::{Code, Instant, Message, MessageWriter, OptionNumber, Type};
use dunlin_fuzz::Input;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    if input.bool() {
        receive(&mut input);
    } else {
        serve(&mut input);
    }
});

fn size(input: &mut Input<'_>) -> BlockSize {
    BlockSize::from_szx(input.byte() % 7).unwrap_or_default()
}

fn receive(input: &mut Input<'_>) {
    let limits = BlockLimits {
        body: usize::from(input.u16()) % 5000,
        size: size(input),
        idle: Duration::from_secs(247),
    };
    let mut receiver = Block2Receiver::new(limits);
    let mut body = vec![0; 4096];
    let limit = limits.body.min(body.len());
    let mut asked = receiver.request();
    let mut gathered: Vec<u8> = Vec::new();
    // 4 attempts of at most 256 blocks of 16 bytes.
    for turn in 0..=4 * 256 + 4 {
        assert!(turn < 4 * 256 + 4, "never ends");
        let fill = turn as u8;
        let code = if input.byte() > 250 { Code(input.byte()) } else { Code::CONTENT };
        let mut buffer = [0; 1200];
        let mut writer = MessageWriter::new(&mut buffer, Type::Acknowledgement, code, 1, &[]);
        let etag = input.byte() / 64;
        if etag > 0 {
            writer.option(OptionNumber::ETAG, &[etag]);
        }
        let szx = match input.byte() {
            0..220 => asked.size.szx(),
            other => other & 7,
        };
        let num = if input.byte() > 250 { input.u32() & Block::MAX_NUM } else { asked.num };
        let more = input.byte() > 10;
        let bare = input.byte() > 250;
        if !bare {
            let value = num << 4 | u32::from(more) << 3 | u32::from(szx);
            writer.uint(OptionNumber::BLOCK2, value);
        }
        if input.byte() > 250 {
            writer.uint(OptionNumber::SIZE2, input.u32());
        }
        let length = match input.byte() {
            0..240 => 16 << szx.min(6),
            other => usize::from(other - 239),
        };
        writer.payload(&vec![fill; length]);
        let Ok(length) = writer.finish() else { return };
        let Ok(response) = Message::parse(&buffer[..length]) else { return };
        match receiver.receive(Instant::ZERO, &response, &mut body) {
            Block2Received::Next(next) => {
                gathered.extend_from_slice(response.payload);
                assert_eq!(next.offset(), gathered.len());
                assert!(gathered.len() <= limit && next.size <= limits.size);
                assert_eq!(body[..gathered.len()], gathered[..]);
                asked = next;
            }
            Block2Received::Restart(first) => {
                assert_eq!(first.num, 0);
                gathered.clear();
                asked = first;
            }
            Block2Received::Complete { length } => {
                gathered.extend_from_slice(response.payload);
                assert_eq!(body[..length], gathered[..]);
                assert!(length <= limit);
                return;
            }
            Block2Received::Single => {
                assert!(gathered.is_empty() && response.payload.len() <= limit);
                return;
            }
            Block2Received::Failed(_) => return,
        }
    }
}

fn serve(input: &mut Input<'_>) {
    let server = Block2Server::new(size(input));
    let body = vec![7; usize::from(input.u16())];
    let mut buffer = [0; 64];
    let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, Code::GET, 1, &[]);
    if input.bool() {
        writer.uint(OptionNumber::BLOCK2, input.u32() & 0xFF_FFFF);
    }
    if input.bool() {
        writer.uint(OptionNumber::SIZE2, input.u32());
    }
    let length = writer.finish().expect("there is room");
    let request = Message::parse(&buffer[..length]).expect("was written");
    let Ok(answer) = server.answer(&request, body.len()) else { return };
    let part = &body[answer.range.clone()];
    assert!(part.len() <= 1024);
    if let Some(block) = answer.block {
        assert_eq!(block.offset(), answer.range.start);
        assert_eq!(block.more, answer.range.end < body.len());
    } else {
        assert_eq!(part.len(), body.len());
    }
    let mut buffer = [0; 1200];
    let mut writer = MessageWriter::new(&mut buffer, Type::Acknowledgement, Code::CONTENT, 1, &[]);
    answer.write(&mut writer);
    writer.payload(part);
    assert!(writer.finish().is_ok());
}

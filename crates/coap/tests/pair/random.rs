//! Any bytes at any moment: no panic, no exchange left open, and what is read can be written.

use dunlin_coap::block::{
    Block1Receiver, Block1Sender, Block2Receiver, Block2Server, BlockLimits, BlockSize,
    transfer_key,
};
use dunlin_coap::link::Links;
use dunlin_coap::{
    Code, Incoming, Instant, Message, MessageWriter, OptionNumber, Outgoing, Rng, Token, Type, path,
};
use dunlin_sim::netem::SeededRng;

use crate::harness::{Address, Pair};

fn encode(message: &Message<'_>) -> Vec<u8> {
    let mut buffer = vec![0; 70_000];
    let (ty, code) = (message.ty, message.code);
    let mut writer = MessageWriter::new(&mut buffer, ty, code, message.message_id, message.token);
    for option in message.options() {
        writer.option(option.number, option.value);
    }
    writer.payload(message.payload);
    let length = writer.finish().unwrap();
    buffer.truncate(length);
    buffer
}

/// A datagram that is often nearly a message.
fn datagram(rng: &mut SeededRng) -> Vec<u8> {
    let mut bytes = vec![0; rng.below(40) as usize];
    rng.fill(&mut bytes);
    if bytes.len() > 4 && !rng.chance(0.1) {
        bytes[0] = 0x40 | (rng.below(4) as u8) << 4 | rng.below(5) as u8;
        bytes[1] = rng.pick(&[0x01, 0x02, 0x45, 0x5F, 0x44, 0x00, 0x80, 0x88]);
        bytes[2] = rng.below(16) as u8;
        bytes[3] = rng.below(8) as u8;
        for byte in &mut bytes[4..] {
            if rng.chance(0.9) {
                // Small deltas and lengths.
                *byte &= 0x33;
            }
        }
    }
    if bytes.len() >= 4 && rng.chance(0.05) {
        bytes.truncate(4);
        bytes[0] &= 0xF0;
        bytes[1] = 0;
    }
    bytes
}

/// A datagram that answers an own message, or nearly.
fn answer(rng: &mut SeededRng, (message_id, token): (u16, Token)) -> Vec<u8> {
    let mut buffer = [0; 16];
    let ty = rng.pick(&[
        Type::Confirmable,
        Type::NonConfirmable,
        Type::Acknowledgement,
        Type::Reset,
    ]);
    let code = rng.pick(&[Code::EMPTY, Code::CONTENT, Code::NOT_FOUND]);
    let token = if code == Code::EMPTY {
        Token::EMPTY
    } else {
        token
    };
    let writer = MessageWriter::new(&mut buffer, ty, code, message_id, token.as_bytes());
    let length = writer.finish().unwrap();
    buffer[..length].to_vec()
}

#[test]
fn what_is_read_is_written_and_read_again() {
    let mut rng = SeededRng::new(1);
    let mut read = 0;
    for _ in 0..300_000 {
        let bytes = datagram(&mut rng);
        let Ok(message) = Message::parse(&bytes) else {
            continue;
        };
        read += 1;
        let written = encode(&message);
        let again = Message::parse(&written).unwrap();
        assert!(again.options().eq(message.options()));
        assert_eq!(
            (
                again.ty,
                again.code,
                again.message_id,
                again.token,
                again.payload
            ),
            (
                message.ty,
                message.code,
                message.message_id,
                message.token,
                message.payload
            )
        );
        assert_eq!(encode(&again), written, "stable");
        let _ = format!("{message:?}");
    }
    assert!(read > 50_000, "{read}");
}

#[test]
fn what_is_written_is_read() {
    let mut rng = SeededRng::new(2);
    for _ in 0..50_000 {
        let mut token = vec![0; rng.pick(&[0, 1, 4, 8, 13, 300])];
        rng.fill(&mut token);
        let mut options = Vec::new();
        for _ in 0..rng.below(8) {
            let number = {
                let bound = rng.pick(&[20, 400, 65_536]);
                rng.below(bound) as u16
            };
            let bound = rng.pick(&[5, 20, 300]);
            let mut value = vec![0; rng.below(bound) as usize];
            rng.fill(&mut value);
            options.push((OptionNumber(number), value));
        }
        options.sort_by_key(|option| option.0);
        let mut payload = vec![0; rng.below(30) as usize];
        rng.fill(&mut payload);
        let ty = rng.pick(&[
            Type::Confirmable,
            Type::NonConfirmable,
            Type::Acknowledgement,
        ]);
        let code = Code(1 + rng.below(255) as u8);
        let message_id = rng.next_u32() as u16;

        let mut buffer = [0; 4096];
        let mut writer = MessageWriter::new(&mut buffer, ty, code, message_id, &token);
        for (number, value) in &options {
            writer.option(*number, value);
        }
        writer.payload(&payload);
        let length = writer.finish().unwrap();
        let message = Message::parse(&buffer[..length]).unwrap();
        assert_eq!((message.ty, message.code), (ty, code));
        assert_eq!(
            (message.message_id, message.token),
            (message_id, &token[..])
        );
        assert_eq!(message.payload, payload);
        let read = message
            .options()
            .map(|option| (option.number, option.value.to_vec()));
        assert!(read.eq(options));
    }
}

#[test]
fn an_endpoint_survives_any_bytes() {
    let mut rng = SeededRng::new(3);
    let mut pair = Pair::over_a_good_network();
    let node = &mut pair.server;
    let mut now = Instant::from_secs(1);
    let mut out = [0; 1280];
    let mut kinds = [0; 7];
    let mut own = [(0, Token::EMPTY); 4];
    for round in 0..300_000_u64 {
        now += rng.duration(std::time::Duration::from_millis(20));
        let peer = rng.below(4) as Address;
        if rng.chance(0.05) {
            let get = Outgoing::confirmable(Code::GET).timeout(std::time::Duration::from_secs(5));
            // All slots may be in use.
            if let Ok(sent) = node.request(now, &mut rng, peer, get, |_| {}) {
                own[usize::from(peer)] = (sent.message_id, sent.token);
            }
        }
        let bytes = if rng.chance(0.1) {
            answer(&mut rng, own[usize::from(peer)])
        } else {
            datagram(&mut rng)
        };
        let room = if rng.chance(0.01) {
            rng.below(8) as usize
        } else {
            out.len()
        };
        let handled = node.handle(now, peer, &bytes, &mut out[..room]);
        assert!(handled.reply <= room);
        kinds[match handled.incoming {
            Incoming::Request { .. } => 0,
            Incoming::Response { .. } => 1,
            Incoming::Unmatched { .. } => 2,
            Incoming::Acknowledged { .. } => 3,
            Incoming::Reset { .. } => 4,
            Incoming::Answered(_) => 5,
            Incoming::Dropped(_) => 6,
        }] += 1;
        match handled.incoming {
            Incoming::Request {
                message,
                mut reply_to,
            } => match rng.below(4) {
                0 => {
                    let _ = node.reply(&reply_to, Code::CONTENT, message.token, &mut out, |_| {});
                }
                1 => {
                    node.acknowledge(&mut reply_to, &mut out);
                    let token = message.token;
                    let _ = node
                        .send_confirmable(now, &mut rng, peer, Code::CONTENT, token, |_| {})
                        .map(|sent| sent.message_id);
                }
                2 => {
                    node.reject(&reply_to, &mut out);
                }
                _ => {}
            },
            Incoming::Unmatched { reply_to, .. } => {
                if rng.chance(0.5) {
                    node.accept(&reply_to, &mut out);
                } else {
                    node.reject(&reply_to, &mut out);
                }
            }
            _ => {}
        }
        while node.handle_timeout(now).is_some() {}
        assert!(
            node.next_timeout().is_none_or(|next| next > now),
            "round {round}"
        );
    }
    assert!(kinds.iter().all(|count| *count > 500), "{kinds:?}");
    let end = now + std::time::Duration::from_secs(300);
    while node.handle_timeout(end).is_some() {}
    assert_eq!((node.open_exchanges(), node.next_timeout()), (0, None));
}

#[test]
fn block_machines_and_readers_survive_any_message() {
    let mut rng = SeededRng::new(4);
    let limits = BlockLimits {
        size: BlockSize::at_most(64),
        ..BlockLimits::body(200)
    };
    let mut request_receiver = Block1Receiver::new(limits);
    let mut response_receiver = Block2Receiver::new(limits);
    let mut sender = Block1Sender::new(500, BlockSize::MAX);
    let mut body = [0; 200];
    for round in 0..200_000_u64 {
        let now = Instant::from_millis(round * 10);
        let mut buffer = [0; 128];
        let mut writer = MessageWriter::new(
            &mut buffer,
            Type::Confirmable,
            Code(rng.next_u32() as u8 | 1),
            1,
            &[],
        );
        if rng.chance(0.3) {
            writer.option(OptionNumber::ETAG, &[rng.below(2) as u8]);
        }
        for number in [OptionNumber::BLOCK2, OptionNumber::BLOCK1] {
            if rng.chance(0.8) {
                let bound = if rng.chance(0.9) { 6 } else { 1 << 20 };
                let num = rng.below(bound) as u32;
                writer.uint(number, num << 4 | rng.below(16) as u32);
            }
        }
        writer.payload(&[round as u8; 64][..rng.pick(&[0, 5, 16, 32, 64])]);
        let length = writer.finish().unwrap();
        let message = Message::parse(&buffer[..length]).unwrap();

        let _ = request_receiver.receive(now, &message, &mut body);
        let _ = response_receiver.receive(now, &message, &mut body);
        if let Ok(answer) = Block2Server::new(limits.size).answer(&message, rng.below(300) as usize)
        {
            assert!(answer.range.start <= answer.range.end && answer.range.end <= 300);
            assert!(answer.range.len() <= 64);
        }
        if sender.on_response(&message) != dunlin_coap::block::Block1Sent::Next {
            sender = Block1Sender::new(rng.below(5000) as usize, BlockSize::MAX);
        }
        assert!(sender.range().len() <= 1024);
        transfer_key(&message);

        let bytes = datagram(&mut rng);
        if let Ok(links) = Links::from_bytes(&bytes) {
            links.for_each(drop);
        }
        if let Ok(message) = Message::parse(&bytes) {
            let _ = path::read(&message, OptionNumber::URI_PATH, &mut body);
        }
    }
}

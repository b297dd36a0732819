//! Time for each operation of the hot path, in nanoseconds: the best of several runs.
//!
//! `cargo bench -p dunlin-coap`

use std::hint::black_box;
use std::time::Instant as Clock;

use dunlin_coap::block::transfer_key;
use dunlin_coap::link::Links;
use dunlin_coap::{
    Code, Endpoint, ExchangeSlot, Incoming, Instant, Message, MessageWriter, OptionNumber,
    Outgoing, SeenSlot, SliceStorage, TransmissionParameters, Type,
};
use dunlin_sim::netem::SeededRng;

const RUNS: u32 = 7;
const ROUNDS: u32 = 1_000_000;

fn measure(name: &str, mut operation: impl FnMut(u32)) {
    let best = (0..RUNS)
        .map(|_| {
            let start = Clock::now();
            for round in 0..ROUNDS {
                operation(round);
            }
            start.elapsed().as_nanos() as f64 / f64::from(ROUNDS)
        })
        .fold(f64::INFINITY, f64::min);
    println!("{name:<44}{best:8.1} ns");
}

fn register(buffer: &mut [u8], message_id: u16) -> usize {
    let mut writer = MessageWriter::new(buffer, Type::Confirmable, Code::POST, message_id, &[1; 8]);
    writer
        .option(OptionNumber::URI_PATH, b"rd")
        .uint(OptionNumber::CONTENT_FORMAT, 40)
        .option(OptionNumber::URI_QUERY, b"ep=device-000001")
        .option(OptionNumber::URI_QUERY, b"lt=300")
        .option(OptionNumber::URI_QUERY, b"lwm2m=1.1")
        .option(OptionNumber::URI_QUERY, b"b=U")
        .payload(b"</1/0>,</3/0>,</3303/0>");
    writer.finish().unwrap_or(0)
}

fn get(buffer: &mut [u8], message_id: u16) -> usize {
    let mut writer = MessageWriter::new(buffer, Type::Confirmable, Code::GET, message_id, &[1; 4]);
    writer
        .option(OptionNumber::URI_PATH, b"3")
        .option(OptionNumber::URI_PATH, b"0")
        .option(OptionNumber::URI_PATH, b"9");
    writer.finish().unwrap_or(0)
}

fn main() {
    let mut buffer = [0; 256];
    let mut other = [0; 256];

    let length = get(&mut buffer, 1);
    measure("parse GET /3/0/9", |_| {
        black_box(Message::parse(black_box(&buffer[..length]))).ok();
    });
    let length = register(&mut buffer, 1);
    measure("parse Register", |_| {
        black_box(Message::parse(black_box(&buffer[..length]))).ok();
    });
    measure("parse Register, check its options", |_| {
        if let Ok(message) = Message::parse(black_box(&buffer[..length])) {
            black_box(message.first_unacceptable_option(dunlin_coap::understood_by_default));
        }
    });
    measure("write GET /3/0/9", |round| {
        black_box(get(black_box(&mut other), round as u16));
    });
    measure("write Register", |round| {
        black_box(register(black_box(&mut other), round as u16));
    });
    let request = Message::parse(&buffer[..length]).expect("a message");
    measure("transfer key of Register", |_| {
        black_box(transfer_key(black_box(&request)));
    });
    measure("read three links", |_| {
        black_box(Links::new(black_box("</1/0>,</3/0>,</3303/0>")).count());
    });

    for peers in [100_u32, 1_000_000] {
        let storage = SliceStorage {
            exchanges: vec![ExchangeSlot::<u64>::EMPTY; 4096].into_boxed_slice(),
            seen: vec![SeenSlot::<u64>::EMPTY; (4 * peers as usize).max(4096)].into_boxed_slice(),
            datagrams: vec![0_u8; 4096 * 256].into_boxed_slice(),
            replies: vec![0_u8; 1 << 20].into_boxed_slice(),
        };
        let mut rng = SeededRng::new(1);
        let mut endpoint = Endpoint::new(storage, TransmissionParameters::default(), &mut rng);
        let mut micros = 0;
        let mut request = [0; 64];
        let length = get(&mut request, 0);
        let mut out = [0; 256];
        measure(&format!("request and reply, {peers} peers"), |round| {
            micros += 3;
            let now = Instant::from_micros(micros);
            let peer = u64::from(round.wrapping_mul(2_654_435_761) % peers);
            request[2..4].copy_from_slice(&((micros / 3) as u16).to_be_bytes());
            let handled = endpoint.handle(now, peer, &request[..length], &mut out);
            if let Incoming::Request { message, reply_to } = handled.incoming {
                let token = message.token;
                let reply = endpoint.reply(&reply_to, Code::CONTENT, token, &mut out, |writer| {
                    writer.payload(b"21.5");
                });
                black_box(reply).ok();
            }
        });
        measure(&format!("repeated request, {peers} peers"), |_| {
            let now = Instant::from_micros(micros);
            black_box(endpoint.handle(now, 7, &request[..length], &mut out).reply);
        });
        let mut response = [0; 64];
        measure(
            &format!("own request and its response, {peers} peers"),
            |round| {
                micros += 3;
                let now = Instant::from_micros(micros);
                let peer = u64::from(round.wrapping_mul(2_654_435_761) % peers);
                let sent =
                    endpoint.request(now, &mut rng, peer, Outgoing::confirmable(Code::GET), |w| {
                        w.option(OptionNumber::URI_PATH, b"3");
                    });
                let Ok(sent) = sent else { return };
                let ack = Type::Acknowledgement;
                let token = sent.token;
                let writer = MessageWriter::new(
                    &mut response,
                    ack,
                    Code::CONTENT,
                    sent.message_id,
                    token.as_bytes(),
                );
                let length = writer.finish().unwrap_or(0);
                black_box(
                    endpoint
                        .handle(now, peer, &response[..length], &mut out)
                        .reply,
                );
            },
        );
        println!(
            "{:?} open, {} evicted",
            endpoint.open_exchanges(),
            endpoint.stats().evicted
        );
    }
    println!(
        "a slot is {} bytes for an exchange, {} for a message seen (peer of 8 bytes)",
        size_of::<ExchangeSlot<u64>>(),
        size_of::<SeenSlot<u64>>()
    );
}

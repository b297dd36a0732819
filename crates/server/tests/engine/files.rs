//! The file server: offered files in blocks (RFC 7959), and blocks written to a device.

use core::time::Duration;
use std::net::SocketAddr;
use std::sync::Arc;

use dunlin_coap::block::{Block, BlockSize};
use dunlin_coap::{Code, OptionNumber, Type};
use dunlin_lwm2m::{ContentFormat, Path};
use dunlin_server::api::OperateError;
use dunlin_server::files::{Files, Offer};
use dunlin_server::shard::{Command, Input, ShardConfig};
use dunlin_server::upload::{UploadAnswer, UploadBlock};

use crate::world::{Peer, Sent, World, build, config, read};

const ETAG: [u8; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

struct Shop {
    world: World,
    files: Arc<Files>,
    offer: Arc<Offer>,
    message_id: u16,
}

fn image(length: usize) -> Arc<[u8]> {
    (0..length).map(|at| (at / 7) as u8).collect()
}

impl Shop {
    fn new(length: usize) -> Self {
        let files = Arc::<Files>::default();
        let offer = Arc::new(Offer::new("new.bin", image(length), ETAG));
        files.offer("7e57", Arc::clone(&offer));
        Self {
            world: World::with(ShardConfig {
                files: Arc::clone(&files),
                ..config()
            }),
            files,
            offer,
            message_id: 0,
        }
    }

    fn ask(&mut self, code: Code, path: &[&str], options: &[(OptionNumber, &[u8])]) -> Sent {
        self.message_id += 1;
        let mut all: Vec<(OptionNumber, &[u8])> = options.to_vec();
        all.extend(
            path.iter()
                .map(|segment| (OptionNumber::URI_PATH, segment.as_bytes())),
        );
        all.sort_by_key(|(number, _)| *number);
        let from = SocketAddr::from(([198, 51, 100, 1], 5000));
        let request = build(Type::Confirmable, code, self.message_id, b"t", &all, b"");
        self.world.exchange(from, &request)
    }

    fn get(&mut self, options: &[(OptionNumber, &[u8])]) -> Sent {
        self.ask(Code::GET, &["fw", "7e57", "new.bin"], options)
    }
}

fn block2(sent: &Sent) -> Option<Block> {
    sent.message()
        .value(OptionNumber::BLOCK2)
        .and_then(Block::from_value)
}

/// RFC 7959 §2.4, byte by byte: GET without Block2, answered by the first block.
#[test]
fn the_first_block_tells_size_and_etag() {
    let mut shop = Shop::new(2000);
    let first = shop.get(&[]);
    let message = first.message();
    assert_eq!(message.code, Code::CONTENT);
    let options: Vec<(u16, &[u8])> = message
        .options()
        .map(|option| (option.number.0, option.value))
        .collect();
    assert_eq!(
        options,
        [
            (4, &ETAG[..]),
            (12, &[42][..]),
            // 0/1/1024
            (23, &[0x0E][..]),
            // 2000
            (28, &[0x07, 0xD0][..]),
        ]
    );
    assert_eq!(message.payload, &image(2000)[..1024]);
    assert_eq!(shop.offer.served(), 1024);
    assert_eq!(shop.world.counter("file_blocks_served_total"), 1);
}

#[test]
fn any_block_of_any_size_can_be_fetched_at_any_time() {
    let image = image(2000);
    for szx in 0..=6 {
        let mut shop = Shop::new(2000);
        let size = 16 << szx;
        let count = 2000_usize.div_ceil(size);
        // Backwards: nothing hangs on what was asked before.
        for num in (0..count).rev() {
            let value = ((num << 4) as u32 | szx).to_be_bytes();
            let answer = shop.get(&[(OptionNumber::BLOCK2, &value[1..])]);
            let block = block2(&answer).expect("Block2");
            assert_eq!((block.num as usize, block.size.bytes()), (num, size));
            assert_eq!(block.more, num + 1 < count);
            let end = (num * size + size).min(2000);
            assert_eq!(answer.message().payload, &image[num * size..end]);
            let etag = answer.message().value(OptionNumber::ETAG);
            assert_eq!(etag, Some(&ETAG[..]), "in every block");
        }
    }
}

#[test]
fn blocks_beyond_the_end_and_of_the_reserved_size_are_refused() {
    let mut shop = Shop::new(2000);
    for value in [[0x02, 0x06], [0x00, 0x07]] {
        let answer = shop.get(&[(OptionNumber::BLOCK2, &value)]);
        assert_eq!(answer.message().code, Code::BAD_REQUEST, "{value:?}");
    }
    // NUM 2 of 1024 begins at 2048.
    let answer = shop.get(&[(OptionNumber::BLOCK2, &[0x26])]);
    assert_eq!(answer.message().code, Code::BAD_REQUEST);
}

#[test]
fn a_file_that_is_known_is_not_sent_again() {
    let mut shop = Shop::new(2000);
    let other: (OptionNumber, &[u8]) = (OptionNumber::ETAG, b"other");
    let known: (OptionNumber, &[u8]) = (OptionNumber::ETAG, &ETAG);
    let answer = shop.get(&[other, known]);
    assert_eq!(answer.message().code, Code::VALID);
    assert_eq!(answer.message().value(OptionNumber::ETAG), Some(&ETAG[..]));
    assert!(answer.message().payload.is_empty());
    assert_eq!(shop.get(&[other]).message().code, Code::CONTENT);
}

#[test]
fn only_what_is_offered_is_there() {
    let mut shop = Shop::new(10);
    for path in [
        &["fw"][..],
        &["fw", "7e57"],
        &["fw", "7e57", "old.bin"],
        &["fw", "7e58", "new.bin"],
        &["fw", "7e57", "new.bin", ""],
        &["fw", "", ""],
    ] {
        let answer = shop.ask(Code::GET, path, &[]);
        assert_eq!(answer.message().code, Code::NOT_FOUND, "{path:?}");
    }
    for code in [Code::PUT, Code::POST, Code::DELETE, Code::FETCH] {
        let answer = shop.ask(code, &["fw", "7e57", "new.bin"], &[]);
        assert_eq!(answer.message().code, Code::METHOD_NOT_ALLOWED, "{code:?}");
    }
    let answer = shop.get(&[(OptionNumber::ACCEPT, &[60])]);
    assert_eq!(answer.message().code, Code::NOT_ACCEPTABLE);
    assert_eq!(shop.get(&[]).message().payload, &image(10)[..]);
    shop.files.withdraw("7e57");
    assert_eq!(shop.get(&[]).message().code, Code::NOT_FOUND);
}

fn upload(world: &mut World, num: u32, more: bool, bytes: &[u8]) -> u64 {
    let id = 9000 + u64::from(num);
    world.input(Input::Command(Command::Upload {
        id,
        endpoint: "dev-1".to_owned(),
        block: UploadBlock {
            path: Path::resource(5, 0, 0),
            format: ContentFormat::OPAQUE,
            block: Some(Block {
                num,
                more,
                size: BlockSize::MIN,
            }),
            size1: (num == 0).then_some(40),
            bytes: bytes.to_vec(),
            timeout: Duration::from_secs(60),
        },
    }));
    id
}

/// PUT /5/0/0 with Content-Format 42, Block1 and Size1 (RFC 7959 §2.5, Core 1.2 §6.3.3).
#[test]
fn a_block_is_a_write_of_its_own() {
    let mut world = World::new();
    let _peer = Peer::up(1, &mut world);
    let id = upload(&mut world, 0, true, &[7; 16]);
    let request = world.request();
    let message = request.message();
    assert_eq!(
        (message.code, request.path().as_str()),
        (Code::PUT, "/5/0/0")
    );
    let options: Vec<(u16, &[u8])> = message
        .options()
        .skip(3)
        .map(|option| (option.number.0, option.value))
        .collect();
    assert_eq!(
        options,
        [(12, &[42][..]), (27, &[0x08][..]), (60, &[40][..])]
    );
    assert_eq!(message.payload, [7; 16]);
    world.answer(
        &request,
        Code::CONTINUE,
        &[(OptionNumber::BLOCK1, &[0x08])],
        b"",
    );
    let outcome = world.outcome(id).expect("answered").expect("success");
    assert_eq!(
        outcome.upload,
        Some(UploadAnswer {
            code: Code::CONTINUE,
            block: Some(Block {
                num: 0,
                more: true,
                size: BlockSize::MIN
            }),
            diagnostic: String::new(),
        })
    );

    // Others get their turn between two blocks.
    let id = upload(&mut world, 2, false, &[9; 8]);
    let other = world.operate("dev-1", read(Path::resource(3, 0, 0)));
    let request = world.request();
    world.answer(&request, Code::REQUEST_ENTITY_INCOMPLETE, &[], b"lost");
    let answer = world.outcome(id).expect("answered").expect("an answer");
    let answer = answer.upload.expect("of a block");
    assert_eq!(answer.code, Code::REQUEST_ENTITY_INCOMPLETE);
    assert_eq!((answer.block, answer.diagnostic.as_str()), (None, "lost"));
    assert_eq!(world.request().path(), "/3/0/0");
    assert!(world.outcome(other).is_none());
}

#[test]
fn a_block_to_nobody_or_without_an_answer_is_told() {
    let mut world = World::new();
    let id = upload(&mut world, 0, true, &[7; 16]);
    assert_eq!(world.outcome(id), Some(Err(OperateError::UnknownEndpoint)));
    let _peer = Peer::up(1, &mut world);
    let id = upload(&mut world, 1, true, &[7; 16]);
    world.seconds(61);
    assert_eq!(world.outcome(id), Some(Err(OperateError::Timeout)));
}

//! Mutated inputs to every reader of text and messages: nothing panics, and what is accepted can
//! be written and read again.

use dunlin_coap::{Message, MessageWriter, Type};
use dunlin_lwm2m::link::Links;
use dunlin_lwm2m::model::{self, Strictness};
use dunlin_lwm2m::operation::WireOperation;
use dunlin_lwm2m::registration::{ObjectList, RegisterParameters, UpdateParameters};
use dunlin_lwm2m::{Arguments, AttributeChange, Version};

struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % below
    }

    /// A seed with a few bytes changed, taken out, or doubled.
    fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.next(4) {
            let at = self.next(bytes.len() + 1);
            match self.next(5) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, self.next(256) as u8),
                2 => bytes.insert(at, b"<>/;,=\"\\ .-+0159a'"[self.next(18)]),
                3 if at < bytes.len() => bytes[at] = self.next(256) as u8,
                _ => {
                    let piece = bytes[at..].to_vec();
                    if bytes.len() < 400 {
                        bytes.extend(piece);
                    }
                }
            }
        }
        bytes
    }
}

const ROUNDS: usize = 20_000;

#[test]
fn texts() {
    let lists: [&[u8]; 3] = [
        b"</>;ct=\"110 112\";rt=\"oma.lwm2m\",</1/0>,</3/0>;ver=1.1",
        b"</lwm2m>;rt=oma.lwm2m;ct=110 112, </lwm2m/1/0/>,</lwm2m/65535>",
        b"</3/0>;pmin=10;pmax=60,</3/0/7>;dim=2;gt=50;lt=42.2;st=-1e3",
    ];
    let texts: [&[u8]; 4] = [
        b"7,0='https://example'",
        b"2='10.3'",
        b"pmin=10",
        b"gt=-5.5e-3",
    ];
    let mut random = Random(1);
    for round in 0..ROUNDS {
        let list = random.mutate(lists[round % lists.len()]);
        for version in [Version::V1_0, Version::V1_1, Version::V1_2] {
            if let Ok(list) = ObjectList::parse(&list, version, 16) {
                assert!(list.objects().count() <= 16);
                list.content_formats().for_each(drop);
                list.to_objects();
            }
        }
        for link in Links::new(&list, "/lwm2m").flatten() {
            assert!(link.parameters().count() <= list.len());
            link.attributes();
        }
        let text = random.mutate(texts[round % texts.len()]);
        let Ok(text) = str::from_utf8(&text) else {
            continue;
        };
        if let Ok(arguments) = Arguments::parse(text) {
            let again: Vec<String> = arguments.iter().map(|a| a.to_string()).collect();
            assert_eq!(again.join(","), text);
        }
        if let Ok(change) = AttributeChange::parse(text) {
            assert_eq!(AttributeChange::parse(&change.to_string()), Ok(change));
        }
    }
}

#[test]
fn messages() {
    let hex = |text: &str| -> Vec<u8> {
        (0..text.len() / 2)
            .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
            .collect()
    };
    let seeds = [
        hex("42011234ABCDB13301300139622D16"),
        hex("410100020260513301300139"),
        hex("40030001B1330130013746706D696E3D310767743D2D352E35"),
        hex("40020001B13301300134FF30"),
        hex(
            "4102000101B2726411283765703D64657631066C743D333030096C776D326D3D312E3103623D55FF3C2F312F303E",
        ),
    ];
    let mut random = Random(2);
    for round in 0..ROUNDS {
        let bytes = random.mutate(&seeds[round % seeds.len()]);
        let Ok(message) = Message::parse(&bytes) else {
            continue;
        };
        let _ = RegisterParameters::parse(&message);
        let _ = UpdateParameters::parse(&message, Version::V1_1);
        let Ok(operation) = WireOperation::from_request(&message, "/") else {
            continue;
        };
        let mut buffer = [0; 1024];
        let mut writer =
            MessageWriter::new(&mut buffer, Type::Confirmable, operation.method(), 1, &[]);
        operation.write_request(&mut writer, "/");
        let length = writer.finish().unwrap();
        let again = Message::parse(&buffer[..length]).unwrap();
        assert_eq!(WireOperation::from_request(&again, "/"), Ok(operation));
    }
}

#[test]
fn definition_files() {
    let seed = include_bytes!("../../../objects/3311.xml");
    let mut random = Random(3);
    for _ in 0..500 {
        let bytes = random.mutate(seed);
        let lenient = model::parse(&bytes, Strictness::Lenient);
        let strict = model::parse(&bytes, Strictness::Strict);
        let findings = model::lint(&bytes);
        assert_eq!(strict.is_ok(), findings.is_empty());
        assert_eq!(
            lenient.is_err(),
            findings.iter().any(|finding| finding.fatal)
        );
    }
}

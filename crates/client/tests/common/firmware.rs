//! Devices with firmware, servers that push it, and repositories.

use std::net::SocketAddr;

use dunlin_client::{Code, Config, Version};
use dunlin_coap::{MessageWriter, OptionNumber, Type};

use super::{Ask, Flash, Got, Things, World, ask, get, put};

const TEXT: u16 = 0;
const OPAQUE: u16 = 42;

pub const FILES: &str = "192.0.2.9:5683";
pub const URI: &str = "coap://192.0.2.9/fw/image?v=2";

/// A registered device with this storage.
pub fn device_with(version: Version, flash: &Flash) -> World {
    let config = Config {
        version,
        ..Config::new("dev1")
    };
    let mut world = World::with_things(config, Things::with_flash(flash.clone()));
    world.register();
    world
}

pub fn device(flash: &Flash) -> World {
    device_with(Version::V1_1, flash)
}

/// The same device after a reboot: only the storage is as it was.
pub fn reboot(world: World, flash: &Flash) -> World {
    let now = world.now;
    drop(world);
    let config = Config {
        version: Version::V1_1,
        ..Config::new("dev1")
    };
    let mut world = World::with_things(config, Things::with_flash(flash.clone()));
    world.now = now;
    world
}

pub fn read(world: &mut World, uri: &str) -> String {
    world.ask(&get(uri).accept(TEXT)).text()
}

/// `/5/0/3` and `/5/0/5`.
#[track_caller]
pub fn stands(world: &mut World) -> (u8, u8) {
    let number = |text: String| text.parse().unwrap();
    (number(read(world, "/5/0/3")), number(read(world, "/5/0/5")))
}

pub fn execute(uri: &str) -> Ask {
    ask(Code::POST, uri)
}

pub fn uri(text: &str) -> Ask {
    put("/5/0/1", TEXT, text.as_bytes())
}

pub fn package(bytes: &[u8]) -> Ask {
    put("/5/0/0", OPAQUE, bytes)
}

/// A block of 64 bytes of a package.
pub fn block(number: u32, bytes: &[u8]) -> Ask {
    let begin = number as usize * 64;
    let end = bytes.len().min(begin + 64);
    package(&bytes[begin..end]).block1(number, end < bytes.len(), 2)
}

pub fn image(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8 + 1).collect()
}

/// Sends a whole package in blocks and returns the answers, up to the first refusal.
pub fn push(world: &mut World, bytes: &[u8]) -> Vec<String> {
    let mut codes = Vec::new();
    for number in 0..bytes.len().div_ceil(64) as u32 {
        codes.push(world.code(&block(number, bytes)));
        if codes.last().is_some_and(|code| !code.starts_with('2')) {
            break;
        }
    }
    codes
}

/// What a repository answers to a request.
pub struct Serve<'a> {
    pub code: Code,
    pub image: &'a [u8],
    pub tag: Option<&'a [u8]>,
    /// The largest block it gives, as SZX.
    pub szx: u32,
}

impl Default for Serve<'_> {
    fn default() -> Self {
        Self {
            code: Code::CONTENT,
            image: b"",
            tag: Some(b"v1"),
            szx: 6,
        }
    }
}

impl Serve<'_> {
    pub fn answer(&self, world: &mut World, request: &Got, from: SocketAddr) {
        let asked = request.uint(OptionNumber::BLOCK2).unwrap();
        let offset = (asked >> 4 << ((asked & 7) + 4)) as usize;
        let szx = self.szx.min(asked & 7);
        let size = 16 << szx;
        let mut buffer = [0; 1400];
        let mut writer = MessageWriter::new(
            &mut buffer,
            Type::Acknowledgement,
            self.code,
            request.message_id,
            &request.token,
        );
        if self.code == Code::CONTENT {
            let end = self.image.len().min(offset + size);
            if let Some(tag) = self.tag {
                writer.option(OptionNumber::ETAG, tag);
            }
            let more = u32::from(end < self.image.len()) << 3;
            writer.uint(
                OptionNumber::BLOCK2,
                ((offset / size) as u32) << 4 | more | szx,
            );
            writer.uint(OptionNumber::SIZE2, self.image.len() as u32);
            writer.payload(&self.image[offset..end]);
        }
        let length = writer.finish().unwrap();
        world.input(from, &buffer[..length]);
    }

    /// Answers until the device asks no more; returns the offsets asked for.
    pub fn all(&self, world: &mut World) -> Vec<usize> {
        let mut offsets = Vec::new();
        while let Some((to, request)) = world.asked.pop_front() {
            let asked = request.uint(OptionNumber::BLOCK2).unwrap();
            offsets.push((asked >> 4 << ((asked & 7) + 4)) as usize);
            self.answer(world, &request, to);
        }
        offsets
    }
}

/// How a device gets into a state.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    Idle,
    /// State 1.
    Pushing,
    /// State 1.
    Pulling,
    Downloaded,
    Updating,
}
pub use Start::{Downloaded, Idle, Pulling, Pushing, Updating};

impl Start {
    pub fn reach(self, world: &mut World) {
        match self {
            Idle => {}
            Pushing => assert_eq!(world.code(&block(0, &image(300))), "2.31"),
            Pulling => {
                assert_eq!(world.code(&uri(URI)), "2.04");
                world.asked.clear();
            }
            Downloaded => assert_eq!(world.code(&package(b"image")), "2.04"),
            Updating => {
                Downloaded.reach(world);
                assert_eq!(world.code(&execute("/5/0/2")), "2.04");
            }
        }
        let state = match self {
            Idle => 0,
            Pushing | Pulling => 1,
            Downloaded => 2,
            Updating => 3,
        };
        assert_eq!(stands(world), (state, 0), "{self:?}");
    }
}

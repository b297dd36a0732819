//! A digest to tell whether something changed: FNV-1a, 64 bits. Not a defence against anybody;
//! two states that collide cost one missed notification in 2^64.

use core::fmt;

use dunlin_lwm2m::{Path, Value};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest(u64);

impl Digest {
    pub(crate) const fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3);
        }
    }

    pub(crate) fn path(&mut self, path: Path) {
        self.bytes(&[path.ids().len() as u8]);
        for id in path.ids() {
            self.bytes(&id.to_be_bytes());
        }
    }

    pub(crate) fn value(&mut self, value: Value<'_>) {
        match value {
            Value::String(text) | Value::CoreLink(text) => {
                self.bytes(&(text.len() as u64).to_be_bytes());
                self.bytes(text.as_bytes());
            }
            Value::Opaque(bytes) => {
                self.bytes(&(bytes.len() as u64).to_be_bytes());
                self.bytes(bytes);
            }
            Value::Integer(number) | Value::Time(number) => self.bytes(&number.to_be_bytes()),
            Value::Unsigned(number) => self.bytes(&number.to_be_bytes()),
            Value::Float(number) => self.bytes(&number.to_bits().to_be_bytes()),
            Value::Boolean(truth) => self.bytes(&[u8::from(truth)]),
            Value::ObjectLink(link) => {
                self.bytes(&link.object.to_be_bytes());
                self.bytes(&link.instance.to_be_bytes());
            }
        }
    }

    pub(crate) fn finish(self) -> u64 {
        self.0
    }
}

impl fmt::Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}

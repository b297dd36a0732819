//! A small keyed hash for peers.
//!
//! Peers choose their addresses, so the key is drawn at start: nobody outside can aim many
//! addresses at one bucket. It is not a cryptographic hash; a table that is hit anyway only
//! forgets earlier (see `seen.rs`).

use core::hash::{Hash, Hasher};

#[derive(Clone, Copy, Debug)]
pub(super) struct Key(pub(super) u64);

impl Key {
    /// A bucket below `buckets` (which is not zero) for `peer`.
    pub(super) fn bucket<P: Hash>(self, peer: &P, buckets: usize) -> usize {
        let mut fold = Fold(self.0 ^ 0x9E37_79B9_7F4A_7C15);
        peer.hash(&mut fold);
        ((u128::from(fold.finish()) * buckets as u128) >> 64) as usize
    }
}

struct Fold(u64);

impl Fold {
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.0 ^ word) * 0xD6E8_FEB8_6659_FD93;
        self.0 = (product as u64) ^ ((product >> 64) as u64);
    }
}

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.mix(u64::from_le_bytes(word.try_into().unwrap_or_default()));
        }
        let rest = words.remainder();
        if !rest.is_empty() {
            let mut word = [0; 8];
            word[..rest.len()].copy_from_slice(rest);
            self.mix(u64::from_le_bytes(word) ^ (rest.len() as u64) << 56);
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.mix(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.mix(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.mix(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }

    fn finish(&self) -> u64 {
        let product = u128::from(self.0) * 0x9E37_79B9_7F4A_7C15;
        (product as u64) ^ ((product >> 64) as u64)
    }
}

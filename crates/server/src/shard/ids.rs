//! Ids that name their owner: a datagram that arrives at another shard can be handed over.

use dunlin_coap::{Rng, Token};

/// What a location path holds: the shard, the place in its arena, and a random number that tells
/// this registration from all others that had or will have the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) shard: u16,
    pub(super) slot: u32,
    pub(super) nonce: u32,
}

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Characters of a location: 80 bits, five in each.
const LENGTH: usize = 16;

impl Location {
    /// Sixteen characters of base32.
    pub(super) fn encode(self) -> [u8; LENGTH] {
        let bits =
            u128::from(self.shard) << 64 | u128::from(self.slot) << 32 | u128::from(self.nonce);
        core::array::from_fn(|index| {
            ALPHABET[(bits >> (5 * (LENGTH - 1 - index))) as usize % ALPHABET.len()]
        })
    }

    pub(super) fn decode(text: &[u8]) -> Option<Self> {
        if text.len() != LENGTH {
            return None;
        }
        let mut bits = 0_u128;
        for byte in text {
            let digit = match byte {
                b'a'..=b'z' => byte - b'a',
                b'2'..=b'7' => byte - b'2' + 26,
                _ => return None,
            };
            bits = bits << 5 | u128::from(digit);
        }
        Some(Self {
            shard: (bits >> 64) as u16,
            slot: (bits >> 32) as u32,
            nonce: bits as u32,
        })
    }
}

impl core::fmt::Display for Location {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.encode()
            .iter()
            .try_for_each(|byte| core::fmt::Write::write_char(f, char::from(*byte)))
    }
}

/// A token for an own request: the shard, and 48 random bits (RFC 7252 §5.3.1 asks for 32).
pub(super) fn token(shard: u16, rng: &mut dyn Rng) -> Token {
    let mut bytes = rng.next_u64().to_be_bytes();
    bytes[..2].copy_from_slice(&shard.to_be_bytes());
    Token::new(&bytes).unwrap_or_default()
}

/// The shard that a token names; `None` when it cannot be one of ours.
pub(super) fn shard_of_token(token: &[u8]) -> Option<u16> {
    match token {
        [high, low, _, _, _, _, _, _] => Some(u16::from_be_bytes([*high, *low])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_reads_back_and_nothing_else_does() {
        let location = Location {
            shard: 0xFFFE,
            slot: 0x0102_0304,
            nonce: 0x8000_0001,
        };
        let text = location.encode();
        assert_eq!(Location::decode(&text), Some(location));
        assert_eq!(location.to_string().as_bytes(), text);
        assert_eq!(Location::decode(&text[1..]), None);
        assert_eq!(Location::decode(b"aaaaaaaaaaaaaaaA"), None);
        assert_eq!(Location::decode(b"aaaaaaaaaaaaaaa1"), None);
    }
}

//! The MAC inside a CBC record, checked without telling where the padding begins.
//!
//! In a MAC-then-encrypt record (RFC 5246 §6.2.3.2) the length of the padding comes out of the
//! ciphertext before anything is authenticated. Whoever can measure how long the check takes as a
//! function of it, even in single compressions of SHA-256, can decrypt records ("Lucky
//! Thirteen", AlFardan and Paterson 2013; RFC 5246 §6.2.3.2 leaves that channel open). So the
//! check here hashes and compares the same number of bytes, in the same places of memory, for
//! every padding that a record of this length could have.

use sha2::block_api::compress256;
use subtle::{
    Choice, ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater, ConstantTimeLess,
};
use zeroize::{Zeroize, Zeroizing};

use crate::associated::Associated;
use crate::crypto::{HASH_LENGTH, sha256};

/// Bytes of a block of SHA-256.
const BLOCK: usize = 64;

/// The chaining value before the first block (FIPS 180-4 §5.3.3).
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Checks padding and MAC of `decrypted` (content, MAC, padding, padding length). `header` is what
/// the MAC covers before the content, given its length. Returns the length of the content; `None`
/// when either is bad, and nothing says which (RFC 5246 §6.2.3.2).
///
/// `decrypted` has at least a MAC and a padding length.
pub(crate) fn check(
    mac_key: &[u8; HASH_LENGTH],
    decrypted: &[u8],
    header: impl FnOnce(usize) -> Associated,
) -> Option<usize> {
    let total = decrypted.len();
    if total <= HASH_LENGTH || total > usize::from(u16::MAX) {
        return None;
    }
    let last = u32::from(decrypted[total - 1]);
    let longest = (total - HASH_LENGTH - 1).min(255);
    let fits = !last.ct_gt(&(longest as u32));
    // A padding that cannot be counts as none (RFC 5246 §6.2.3.2), so that as much is hashed.
    let padding = u32::conditional_select(&0, &last, fits);
    let mut good = fits;
    for back in 0..=longest {
        let beyond = (back as u32).ct_gt(&padding);
        good &= beyond | u32::from(decrypted[total - 1 - back]).ct_eq(&last);
    }
    let length = total as u32 - HASH_LENGTH as u32 - 1 - padding;
    let shortest = total - HASH_LENGTH - 1 - longest;

    let mac = masked_hmac(
        mac_key,
        header(length as usize).as_slice(),
        &decrypted[..total - HASH_LENGTH - 1],
        shortest,
        length,
    );
    let found = cut(decrypted, shortest, length);
    good &= found.as_slice().ct_eq(mac.as_slice());
    bool::from(good).then_some(length as usize)
}

/// HMAC-SHA-256 of `header` and the first `length` bytes of `content`, where `length` is secret
/// but for lying between `shortest` and `content.len()`.
fn masked_hmac(
    key: &[u8; HASH_LENGTH],
    header: &[u8],
    content: &[u8],
    shortest: usize,
    length: u32,
) -> Zeroizing<[u8; HASH_LENGTH]> {
    let mut pad = Zeroizing::new([0x36; BLOCK]);
    for (pad, key) in pad.iter_mut().zip(key) {
        *pad ^= key;
    }
    let mut state = INITIAL;
    compress256(&mut state, &[*pad]);

    // Positions from here on count the message after the padded key.
    let message = header.len() as u32 + length;
    let longest = header.len() + content.len();
    let bits = (u64::from(message) + BLOCK as u64) * 8;
    let bits = bits.to_be_bytes();
    // The block in which the 8 bytes of the length end.
    let final_block = (message + 8) / BLOCK as u32;
    let mut inner = [0_u32; 8];
    for block_index in 0..=(longest + 8) / BLOCK {
        let start = block_index * BLOCK;
        let mut block = Zeroizing::new([0; BLOCK]);
        let is_final = (block_index as u32).ct_eq(&final_block);
        for (offset, out) in block.iter_mut().enumerate() {
            let position = start + offset;
            let byte = match position.checked_sub(header.len()) {
                None => header[position],
                Some(at) => content.get(at).copied().unwrap_or(0),
            };
            if position < header.len() + shortest {
                *out = byte;
                continue;
            }
            let position = position as u32;
            let byte = u8::conditional_select(&0, &byte, position.ct_lt(&message));
            *out = u8::conditional_select(&byte, &0x80, position.ct_eq(&message));
            if offset >= BLOCK - 8 {
                let of_length = u8::conditional_select(&0, &bits[offset + 8 - BLOCK], is_final);
                *out |= of_length;
            }
        }
        compress256(&mut state, &[*block]);
        for (inner, state) in inner.iter_mut().zip(&state) {
            inner.conditional_assign(state, is_final);
        }
    }

    let mut digest = Zeroizing::new([0; HASH_LENGTH]);
    for (bytes, word) in digest.chunks_exact_mut(4).zip(inner) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    for pad in pad.iter_mut() {
        *pad ^= 0x36 ^ 0x5c;
    }
    inner.zeroize();
    state.zeroize();
    Zeroizing::new(sha256(&[pad.as_slice(), digest.as_slice()]))
}

/// The MAC that begins at the secret `length` of `decrypted`, which is not before `shortest`. It
/// reads each byte that could belong to it once, into a ring, and then turns the ring.
fn cut(decrypted: &[u8], shortest: usize, length: u32) -> Zeroizing<[u8; HASH_LENGTH]> {
    let mut ring = Zeroizing::new([0; HASH_LENGTH]);
    let end = length + HASH_LENGTH as u32;
    for (at, byte) in decrypted.iter().enumerate().skip(shortest) {
        let inside: Choice = !(at as u32).ct_lt(&length) & (at as u32).ct_lt(&end);
        ring[(at - shortest) % HASH_LENGTH] |= u8::conditional_select(&0, byte, inside);
    }
    // Byte 0 of the MAC lies at this place of the ring: turn by its bits, one after the other.
    let turn = (length - shortest as u32) % HASH_LENGTH as u32;
    for bit in 0..5 {
        let by = 1 << bit;
        let chosen = Choice::from((turn >> bit & 1) as u8);
        let before = ring.clone();
        for at in 0..HASH_LENGTH {
            ring[at].conditional_assign(&before[(at + by) % HASH_LENGTH], chosen);
        }
    }
    ring
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::crypto::hmac;
    use crate::record::ContentType;

    const KEY: [u8; 32] = [0x5a; 32];

    fn header(length: usize) -> Associated {
        Associated::new(ContentType::ApplicationData, 7, &[], length)
    }

    fn record(content: &[u8], padding: usize) -> Vec<u8> {
        let mac = hmac(&KEY, &[header(content.len()).as_slice(), content]);
        let mut out = content.to_vec();
        out.extend_from_slice(&mac);
        out.resize(out.len() + padding + 1, padding as u8);
        out
    }

    fn content(length: usize) -> Vec<u8> {
        (0..length).map(|i| (i * 7 + 3) as u8).collect()
    }

    #[test]
    fn every_length_with_every_padding_is_accepted() {
        for length in (0..65).chain([127, 128, 200]) {
            let content = content(length);
            for padding in 0..=255 {
                let checked = check(&KEY, &record(&content, padding), header);
                assert_eq!(checked, Some(length), "content {length}, padding {padding}");
            }
        }
    }

    #[test]
    fn every_changed_bit_is_refused() {
        for (length, padding) in [(0, 15), (5, 10), (40, 0), (40, 255), (300, 19)] {
            let good = record(&content(length), padding);
            for byte in 0..good.len() {
                for bit in 0..8 {
                    let mut bad = good.clone();
                    bad[byte] ^= 1 << bit;
                    assert!(
                        check(&KEY, &bad, header).is_none(),
                        "byte {byte}, bit {bit}"
                    );
                }
            }
        }
    }

    #[test]
    fn too_short_for_a_mac_is_refused() {
        for length in 0..=HASH_LENGTH {
            assert!(check(&KEY, &[0; 33][..length], header).is_none());
        }
        assert!(check(&KEY, &[0; 33], header).is_none());
    }
}

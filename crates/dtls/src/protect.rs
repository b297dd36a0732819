//! Records sealed and opened (RFC 5246 §6.2.3, RFC 6347 §4.1.2, RFC 6655, RFC 5288, RFC 7366,
//! RFC 9146 §4 and §5).
//!
//! Nothing is allocated: keys are expanded on the stack for each record.

use aes::Aes128;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use aes_gcm::Aes128Gcm;
use ccm::Ccm;
use ccm::aead::consts::{U8, U12};
use ccm::aead::inout::InOutBuf;
use ccm::aead::{AeadInOut, KeyInit, Tag};
use dunlin_coap::Rng;

use crate::associated::Associated;
use crate::cbc_mac;
use crate::crypto::{HASH_LENGTH, hmac, same};
use crate::keys::{CbcKeys, WriteKeys};
use crate::record::{
    ContentType, HEADER_LENGTH, MAX_FRAGMENT, MAX_PLAINTEXT, Record, VERSION, write_header,
};
use crate::suite::{Cipher, Suite};

type Aes128Ccm8 = Ccm<Aes128, U8, U12>;

/// Bytes of an AES block.
const BLOCK: usize = 16;

/// How the records of an association are protected, as its handshake agreed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    cipher: Cipher,
    encrypt_then_mac: bool,
}

/// Why a record could not be opened. It is dropped without an answer (RFC 6347 §4.1.2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OpenError {
    /// Too short, or of no length that the cipher yields: whatever it was, it was no forgery
    /// that could have succeeded.
    Length,
    /// Tag, MAC or padding is wrong. Each such record is an attempt that a bound must count.
    Authentication,
    /// Authenticated, but longer than a plaintext may be.
    TooLong,
    /// Authenticated, but it carries no content type that it may (RFC 9146 §4).
    Content,
    /// The lent memory is smaller than the record.
    Scratch,
}

impl Protection {
    /// What `suite` does; `encrypt_then_mac` only says something for CBC (RFC 7366 §3).
    pub const fn new(suite: Suite, encrypt_then_mac: bool) -> Self {
        let cipher = suite.cipher();
        Self {
            cipher,
            encrypt_then_mac: encrypt_then_mac && matches!(cipher, Cipher::CbcSha256),
        }
    }

    /// Bytes of the whole record with header for this much content; `cid` is the length of the
    /// connection identifier in it.
    pub const fn sealed_length(self, cid: usize, content: usize) -> usize {
        // The real content type stands behind the content (RFC 9146 §4).
        let inner = content + (cid != 0) as usize;
        let header = HEADER_LENGTH + cid + self.cipher.record_iv_length();
        header
            + match self.cipher {
                Cipher::Ccm8 | Cipher::Gcm => inner + self.cipher.tag_length(),
                Cipher::CbcSha256 if self.encrypt_then_mac => padded(inner) + HASH_LENGTH,
                Cipher::CbcSha256 => padded(inner + HASH_LENGTH),
            }
    }

    /// The most content that fits into a record of `size` bytes; `None` when not one byte does.
    pub const fn content_for(self, cid: usize, size: usize) -> Option<usize> {
        let fixed = HEADER_LENGTH + cid + self.cipher.record_iv_length();
        let Some(rest) = size.checked_sub(fixed) else {
            return None;
        };
        let rest = match self.cipher {
            Cipher::Ccm8 | Cipher::Gcm => rest.checked_sub(self.cipher.tag_length()),
            Cipher::CbcSha256 if self.encrypt_then_mac => match rest.checked_sub(HASH_LENGTH) {
                Some(rest) => (rest / BLOCK * BLOCK).checked_sub(1),
                None => None,
            },
            Cipher::CbcSha256 => (rest / BLOCK * BLOCK).checked_sub(1 + HASH_LENGTH),
        };
        let content = match rest {
            Some(rest) => rest.checked_sub((cid != 0) as usize),
            None => None,
        };
        match content {
            Some(content) if content > MAX_PLAINTEXT => Some(MAX_PLAINTEXT),
            Some(0) | None => None,
            content => content,
        }
    }

    /// Seals `content` as one record at the begin of `out` and returns its length. `number` is
    /// [`record::number`](crate::record::number) of epoch and sequence number, and must never be
    /// used twice with the same keys. `cid` is the peer's connection identifier, empty for none.
    /// `rng` gives the IV of a CBC record and nothing else.
    ///
    /// `None` when `out` is smaller than [`sealed_length`](Self::sealed_length), the content longer
    /// than [`MAX_PLAINTEXT`], the connection identifier longer than 255 bytes, or `keys` are of
    /// another cipher.
    #[expect(clippy::too_many_arguments, reason = "what a record is made of")]
    pub fn seal(
        self,
        keys: &WriteKeys,
        number: u64,
        cid: &[u8],
        content_type: ContentType,
        content: &[u8],
        rng: &mut dyn Rng,
        out: &mut [u8],
    ) -> Option<usize> {
        if content.len() > MAX_PLAINTEXT || cid.len() > 255 {
            return None;
        }
        let size = self.sealed_length(cid.len(), content.len());
        let out = out.get_mut(..size)?;
        let outer = if cid.is_empty() {
            content_type
        } else {
            ContentType::Tls12Cid
        };
        let fragment = size - HEADER_LENGTH - cid.len();
        let header = write_header(out, outer, VERSION, number, cid, fragment)?;
        let fragment = &mut out[header..];
        let (iv, body) = fragment.split_at_mut(self.cipher.record_iv_length());
        body[..content.len()].copy_from_slice(content);
        let mut inner = content.len();
        if !cid.is_empty() {
            body[inner] = content_type.code();
            inner += 1;
        }
        match (self.cipher, keys) {
            (Cipher::Ccm8 | Cipher::Gcm, WriteKeys::Aead { key, salt }) => {
                // The explicit nonce is epoch and sequence number (RFC 6655 §3), unique by itself.
                iv.copy_from_slice(&number.to_be_bytes());
                let nonce = nonce(salt, iv);
                let associated = Associated::new(outer, number, cid, inner);
                let (body, tag) = body.split_at_mut(inner);
                let body = InOutBuf::from(body);
                let aad = associated.as_slice();
                if self.cipher == Cipher::Ccm8 {
                    let cipher = Aes128Ccm8::new(&(*key).into());
                    let made = cipher
                        .encrypt_inout_detached(&nonce.into(), aad, body)
                        .ok()?;
                    tag.copy_from_slice(&made);
                } else {
                    let cipher = Aes128Gcm::new(&(*key).into());
                    let made = cipher
                        .encrypt_inout_detached(&nonce.into(), aad, body)
                        .ok()?;
                    tag.copy_from_slice(&made);
                }
            }
            (Cipher::CbcSha256, WriteKeys::Cbc(keys)) => {
                rng.fill(iv);
                let mut at = inner;
                if !self.encrypt_then_mac {
                    let associated = Associated::new(outer, number, cid, inner);
                    let mac = hmac(&keys.mac, &[associated.as_slice(), &body[..inner]]);
                    body[at..at + HASH_LENGTH].copy_from_slice(&mac);
                    at += HASH_LENGTH;
                }
                let end = padded(at);
                body[at..end].fill((end - at - 1) as u8);
                cbc_encrypt(keys, iv, &mut body[..end]);
                if self.encrypt_then_mac {
                    let associated = Associated::new(outer, number, cid, iv.len() + end);
                    let mac = hmac(&keys.mac, &[associated.as_slice(), iv, &body[..end]]);
                    body[end..].copy_from_slice(&mac);
                }
            }
            _ => return None,
        }
        Some(size)
    }

    /// Opens `record` into `scratch`, which needs as many bytes as its fragment has. Returns what
    /// it carries. Whether it was received before is the caller's to ask first; which session it
    /// is for is told by its connection identifier, which is authenticated here.
    pub fn open<'a>(
        self,
        keys: &WriteKeys,
        record: &Record<'_>,
        scratch: &'a mut [u8],
    ) -> Result<(ContentType, &'a [u8]), OpenError> {
        if record.fragment.len() > MAX_FRAGMENT {
            return Err(OpenError::Length);
        }
        let (iv, sealed) = record
            .fragment
            .split_at_checked(self.cipher.record_iv_length())
            .ok_or(OpenError::Length)?;
        let inner = match (self.cipher, keys) {
            (Cipher::Ccm8 | Cipher::Gcm, WriteKeys::Aead { key, salt }) => {
                self.open_aead(key, salt, record, iv, sealed, scratch)?
            }
            (Cipher::CbcSha256, WriteKeys::Cbc(keys)) => {
                if self.encrypt_then_mac {
                    open_encrypt_then_mac(keys, record, iv, sealed, scratch)?
                } else {
                    open_mac_then_encrypt(keys, record, iv, sealed, scratch)?
                }
            }
            _ => return Err(OpenError::Length),
        };
        let inner = &*inner;
        if record.content_type != ContentType::Tls12Cid {
            if inner.len() > MAX_PLAINTEXT {
                return Err(OpenError::TooLong);
            }
            return Ok((record.content_type, inner));
        }
        // The real type is the last byte that is not zero; zeros behind it are padding.
        if inner.len() > MAX_PLAINTEXT + 1 {
            return Err(OpenError::TooLong);
        }
        let at = inner
            .iter()
            .rposition(|byte| *byte != 0)
            .ok_or(OpenError::Content)?;
        match ContentType::from_code(inner[at]) {
            None | Some(ContentType::Tls12Cid) => Err(OpenError::Content),
            Some(content_type) => Ok((content_type, &inner[..at])),
        }
    }

    fn open_aead<'a>(
        self,
        key: &[u8; Cipher::KEY_LENGTH],
        salt: &[u8; 4],
        record: &Record<'_>,
        iv: &[u8],
        sealed: &[u8],
        scratch: &'a mut [u8],
    ) -> Result<&'a mut [u8], OpenError> {
        let length = sealed
            .len()
            .checked_sub(self.cipher.tag_length())
            .ok_or(OpenError::Length)?;
        let (sealed, tag) = sealed.split_at(length);
        let body = scratch.get_mut(..length).ok_or(OpenError::Scratch)?;
        body.copy_from_slice(sealed);
        let nonce = nonce(salt, iv);
        let associated = Associated::new(record.content_type, record.number(), record.cid, length);
        let aad = associated.as_slice();
        let buffer = InOutBuf::from(&mut *body);
        let opened = if self.cipher == Cipher::Ccm8 {
            let tag = Tag::<Aes128Ccm8>::try_from(tag).map_err(|_| OpenError::Length)?;
            let cipher = Aes128Ccm8::new(&(*key).into());
            cipher.decrypt_inout_detached(&nonce.into(), aad, buffer, &tag)
        } else {
            let tag = Tag::<Aes128Gcm>::try_from(tag).map_err(|_| OpenError::Length)?;
            let cipher = Aes128Gcm::new(&(*key).into());
            cipher.decrypt_inout_detached(&nonce.into(), aad, buffer, &tag)
        };
        opened.map_err(|_| OpenError::Authentication)?;
        Ok(body)
    }
}

/// RFC 7366 §3: the MAC is checked before anything is decrypted.
fn open_encrypt_then_mac<'a>(
    keys: &CbcKeys,
    record: &Record<'_>,
    iv: &[u8],
    sealed: &[u8],
    scratch: &'a mut [u8],
) -> Result<&'a mut [u8], OpenError> {
    let length = sealed
        .len()
        .checked_sub(HASH_LENGTH)
        .ok_or(OpenError::Length)?;
    if length == 0 || length % BLOCK != 0 {
        return Err(OpenError::Length);
    }
    let (sealed, mac) = sealed.split_at(length);
    let body = scratch.get_mut(..length).ok_or(OpenError::Scratch)?;
    let associated = Associated::new(
        record.content_type,
        record.number(),
        record.cid,
        iv.len() + length,
    );
    if !same(&hmac(&keys.mac, &[associated.as_slice(), iv, sealed]), mac) {
        return Err(OpenError::Authentication);
    }
    body.copy_from_slice(sealed);
    cbc_decrypt(keys, iv, body);
    let padding = usize::from(body[length - 1]);
    let content = length
        .checked_sub(padding + 1)
        .ok_or(OpenError::Authentication)?;
    if body[content..]
        .iter()
        .any(|byte| usize::from(*byte) != padding)
    {
        return Err(OpenError::Authentication);
    }
    Ok(&mut body[..content])
}

/// RFC 5246 §6.2.3.2.
fn open_mac_then_encrypt<'a>(
    keys: &CbcKeys,
    record: &Record<'_>,
    iv: &[u8],
    sealed: &[u8],
    scratch: &'a mut [u8],
) -> Result<&'a mut [u8], OpenError> {
    if sealed.len() <= HASH_LENGTH || !sealed.len().is_multiple_of(BLOCK) {
        return Err(OpenError::Length);
    }
    let body = scratch.get_mut(..sealed.len()).ok_or(OpenError::Scratch)?;
    body.copy_from_slice(sealed);
    cbc_decrypt(keys, iv, body);
    let associated =
        |length: usize| Associated::new(record.content_type, record.number(), record.cid, length);
    match cbc_mac::check(&keys.mac, body, associated) {
        Some(content) => Ok(&mut body[..content]),
        None => Err(OpenError::Authentication),
    }
}

/// Implicit and explicit part (RFC 5288 §3, RFC 6655 §3).
fn nonce(salt: &[u8; 4], explicit: &[u8]) -> [u8; 12] {
    let mut nonce = [0; 12];
    nonce[..4].copy_from_slice(salt);
    nonce[4..].copy_from_slice(explicit);
    nonce
}

/// The length with the least padding, of which there is at least one byte.
const fn padded(length: usize) -> usize {
    (length / BLOCK + 1) * BLOCK
}

fn cbc_encrypt(keys: &CbcKeys, iv: &[u8], body: &mut [u8]) {
    let iv: [u8; BLOCK] = iv.try_into().unwrap_or_default();
    let mut cipher = cbc::Encryptor::<Aes128>::new(&keys.key.into(), &iv.into());
    let (blocks, _) = aes::Block::slice_as_chunks_mut(body);
    cipher.encrypt_blocks(blocks);
}

fn cbc_decrypt(keys: &CbcKeys, iv: &[u8], body: &mut [u8]) {
    let iv: [u8; BLOCK] = iv.try_into().unwrap_or_default();
    let mut cipher = cbc::Decryptor::<Aes128>::new(&keys.key.into(), &iv.into());
    let (blocks, _) = aes::Block::slice_as_chunks_mut(body);
    cipher.decrypt_blocks(blocks);
}

//! The key schedule: premaster secret, master secret, keys of the records, Finished
//! (RFC 5246 §6.3, §7.4.9 and §8.1; RFC 4279; RFC 5489; RFC 7627).

use alloc::boxed::Box;
use alloc::vec::Vec;

use zeroize::{Zeroize, Zeroizing};

use crate::crypto::{HASH_LENGTH, SharedSecret, prf};
use crate::suite::Cipher;

/// Bytes of a client's or server's random.
pub const RANDOM_LENGTH: usize = 32;

/// Bytes of a master secret.
pub const MASTER_SECRET_LENGTH: usize = 48;

/// Bytes of the verify_data of a Finished message.
pub const VERIFY_DATA_LENGTH: usize = 12;

/// One of the two ends of an association.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Who sent the ClientHello.
    Client,
    /// Who answered it.
    Server,
}

impl Side {
    /// The other end.
    pub const fn peer(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// The longest pre-shared key: its length is written in 16 bits (RFC 4279 §2).
pub const MAX_PSK: usize = u16::MAX as usize;

/// The premaster secret of a pre-shared key alone: as many zeros as the key is long, then the
/// key, each with its length (RFC 4279 §2). `None` when the key is longer than [`MAX_PSK`].
pub fn psk_premaster(psk: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let length = u16::try_from(psk.len()).ok()?.to_be_bytes();
    let mut out = Zeroizing::new(Vec::with_capacity(2 * (2 + psk.len())));
    out.extend_from_slice(&length);
    out.resize(2 + psk.len(), 0);
    out.extend_from_slice(&length);
    out.extend_from_slice(psk);
    Some(out)
}

/// The premaster secret of an ephemeral exchange with a pre-shared key: the x coordinate in the
/// place of the zeros (RFC 5489 §2). `None` when the key is longer than [`MAX_PSK`].
pub fn ecdhe_psk_premaster(shared: &SharedSecret, psk: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let length = u16::try_from(psk.len()).ok()?.to_be_bytes();
    let mut out = Zeroizing::new(Vec::with_capacity(4 + shared.len() + psk.len()));
    out.extend_from_slice(&(shared.len() as u16).to_be_bytes());
    out.extend_from_slice(shared.as_slice());
    out.extend_from_slice(&length);
    out.extend_from_slice(psk);
    Some(out)
}

/// The secret that both ends of a session share; wiped when dropped, never printed.
#[derive(Clone)]
pub struct MasterSecret(Zeroizing<[u8; MASTER_SECRET_LENGTH]>);

impl MasterSecret {
    /// From the premaster secret and both randoms (RFC 5246 §8.1), for a peer without the
    /// extended master secret.
    pub fn classic(
        premaster: &[u8],
        client_random: &[u8; RANDOM_LENGTH],
        server_random: &[u8; RANDOM_LENGTH],
    ) -> Self {
        let mut out = Zeroizing::new([0; MASTER_SECRET_LENGTH]);
        prf(
            premaster,
            b"master secret",
            &[client_random, server_random],
            out.as_mut_slice(),
        );
        Self(out)
    }

    /// From the premaster secret and the hash of the handshake up to and including the
    /// ClientKeyExchange (RFC 7627 §4).
    pub fn extended(premaster: &[u8], session_hash: &[u8; HASH_LENGTH]) -> Self {
        let mut out = Zeroizing::new([0; MASTER_SECRET_LENGTH]);
        prf(
            premaster,
            b"extended master secret",
            &[session_hash],
            out.as_mut_slice(),
        );
        Self(out)
    }

    /// A secret that was stored for a resumption.
    pub fn from_bytes(bytes: [u8; MASTER_SECRET_LENGTH]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The secret, to store it for a resumption.
    pub fn as_bytes(&self) -> &[u8; MASTER_SECRET_LENGTH] {
        &self.0
    }

    /// The verify_data that `side` sends in its Finished, over the hash of all messages before it
    /// (RFC 5246 §7.4.9).
    pub fn verify_data(
        &self,
        side: Side,
        transcript: &[u8; HASH_LENGTH],
    ) -> [u8; VERIFY_DATA_LENGTH] {
        let label: &[u8] = match side {
            Side::Client => b"client finished",
            Side::Server => b"server finished",
        };
        let mut out = [0; VERIFY_DATA_LENGTH];
        prf(self.0.as_slice(), label, &[transcript], &mut out);
        out
    }

    /// The keys of the records: the key block, cut as RFC 5246 §6.3 says.
    pub fn keys(
        &self,
        cipher: Cipher,
        client_random: &[u8; RANDOM_LENGTH],
        server_random: &[u8; RANDOM_LENGTH],
    ) -> KeyBlock {
        let mut block = Zeroizing::new([0; 96]);
        let block = &mut block[..cipher.key_block_length()];
        prf(
            self.0.as_slice(),
            b"key expansion",
            &[server_random, client_random],
            block,
        );
        let (client_mac, rest) = block.split_at(cipher.mac_key_length());
        let (server_mac, rest) = rest.split_at(cipher.mac_key_length());
        let (client_key, rest) = rest.split_at(Cipher::KEY_LENGTH);
        let (server_key, rest) = rest.split_at(Cipher::KEY_LENGTH);
        let (client_iv, server_iv) = rest.split_at(cipher.fixed_iv_length());
        KeyBlock {
            client: WriteKeys::cut(client_key, client_iv, client_mac),
            server: WriteKeys::cut(server_key, server_iv, server_mac),
        }
    }
}

/// The keys of both directions.
#[derive(Clone)]
pub struct KeyBlock {
    /// What the client protects its records with.
    pub client: WriteKeys,
    /// What the server protects its records with.
    pub server: WriteKeys,
}

impl KeyBlock {
    /// The keys that `side` writes with.
    pub const fn of(&self, side: Side) -> &WriteKeys {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }
}

/// The keys of one direction, raw: 24 bytes of an idle association. They are expanded for each
/// record, which costs less than the cache misses of keeping the expanded form of a million.
/// Wiped when dropped, never printed.
#[derive(Clone)]
pub enum WriteKeys {
    /// Of authenticated encryption: key and salt.
    Aead {
        /// AES-128 key.
        key: [u8; Cipher::KEY_LENGTH],
        /// The implicit part of the nonce.
        salt: [u8; 4],
    },
    /// Of CBC with HMAC.
    Cbc(Box<CbcKeys>),
}

/// The keys of one direction of a CBC suite; wiped when dropped.
#[derive(Clone)]
pub struct CbcKeys {
    /// AES-128 key.
    pub key: [u8; Cipher::KEY_LENGTH],
    /// HMAC-SHA-256 key.
    pub mac: [u8; 32],
}

impl WriteKeys {
    /// Of the pieces of a key block: a salt of 4 bytes and no MAC key, or a MAC key of 32.
    fn cut(key_bytes: &[u8], salt_bytes: &[u8], mac_bytes: &[u8]) -> Self {
        if mac_bytes.is_empty() {
            let (mut key, mut salt) = ([0; Cipher::KEY_LENGTH], [0; 4]);
            key.copy_from_slice(key_bytes);
            salt.copy_from_slice(salt_bytes);
            let keys = Self::Aead { key, salt };
            key.zeroize();
            keys
        } else {
            let mut keys = Box::new(CbcKeys {
                key: [0; Cipher::KEY_LENGTH],
                mac: [0; 32],
            });
            keys.key.copy_from_slice(key_bytes);
            keys.mac.copy_from_slice(mac_bytes);
            Self::Cbc(keys)
        }
    }

    /// Bytes that [`write`](Self::write) writes for a cipher.
    pub const fn encoded_length(cipher: Cipher) -> usize {
        Cipher::KEY_LENGTH + cipher.fixed_iv_length() + cipher.mac_key_length()
    }

    /// Appends the keys to an export: key, then salt or MAC key.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Aead { key, salt } => {
                out.extend_from_slice(key);
                out.extend_from_slice(salt);
            }
            Self::Cbc(keys) => {
                out.extend_from_slice(&keys.key);
                out.extend_from_slice(&keys.mac);
            }
        }
    }

    /// What [`write`](Self::write) wrote; `None` when `bytes` have another length.
    pub fn read(cipher: Cipher, bytes: &[u8]) -> Option<Self> {
        if bytes.len() != Self::encoded_length(cipher) {
            return None;
        }
        let (key, rest) = bytes.split_at(Cipher::KEY_LENGTH);
        let (salt, mac) = rest.split_at(cipher.fixed_iv_length());
        Some(Self::cut(key, salt, mac))
    }
}

impl Drop for CbcKeys {
    fn drop(&mut self) {
        self.key.zeroize();
        self.mac.zeroize();
    }
}

impl Drop for WriteKeys {
    fn drop(&mut self) {
        if let Self::Aead { key, salt } = self {
            key.zeroize();
            salt.zeroize();
        }
    }
}

impl core::fmt::Debug for MasterSecret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("MasterSecret")
    }
}

impl core::fmt::Debug for KeyBlock {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("KeyBlock")
    }
}

impl core::fmt::Debug for WriteKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("WriteKeys")
    }
}

impl core::fmt::Debug for CbcKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("CbcKeys")
    }
}

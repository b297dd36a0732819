//! Cipher suites of the profile and the sizes their keys and records have.

/// A cipher suite of the profile (RFC 7925 §4.2 and §4.3, Core 1.2 Transport §5.2.8 and §5.2.9).
///
/// The discriminant is the number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum Suite {
    /// TLS_PSK_WITH_AES_128_CBC_SHA256 (RFC 5487), off by default.
    PskAes128CbcSha256 = 0x00AE,
    /// TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 (RFC 5289), off by default.
    EcdheEcdsaAes128CbcSha256 = 0xC023,
    /// TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 (RFC 5289).
    EcdheEcdsaAes128GcmSha256 = 0xC02B,
    /// TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256 (RFC 5489), off by default.
    EcdhePskAes128CbcSha256 = 0xC037,
    /// TLS_PSK_WITH_AES_128_CCM_8 (RFC 6655).
    PskAes128Ccm8 = 0xC0A8,
    /// TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8 (RFC 7251).
    EcdheEcdsaAes128Ccm8 = 0xC0AE,
}

/// How the premaster secret comes about and who is authenticated by what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyExchange {
    /// A pre-shared key alone (RFC 4279 §2): no forward secrecy.
    Psk,
    /// A pre-shared key and an ephemeral P-256 exchange (RFC 5489).
    EcdhePsk,
    /// An ephemeral P-256 exchange signed by ECDSA (RFC 8422): raw public keys and certificates.
    EcdheEcdsa,
}

/// How records are encrypted and authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cipher {
    /// AES-128-CCM with a tag of 8 bytes (RFC 6655 §3).
    Ccm8,
    /// AES-128-GCM with a tag of 16 bytes (RFC 5288 §3).
    Gcm,
    /// AES-128-CBC with HMAC-SHA-256 (RFC 5246 §6.2.3.2).
    CbcSha256,
}

impl Suite {
    /// Every suite of the profile, in the order in which a server prefers them: authenticated
    /// encryption before CBC, forward secrecy before none, the short tag before the long one.
    pub const ALL: [Self; 6] = [
        Self::EcdheEcdsaAes128Ccm8,
        Self::EcdheEcdsaAes128GcmSha256,
        Self::PskAes128Ccm8,
        Self::EcdheEcdsaAes128CbcSha256,
        Self::EcdhePskAes128CbcSha256,
        Self::PskAes128CbcSha256,
    ];

    /// The suite of this number on the wire; `None` when it is none of the profile.
    pub const fn from_code(code: u16) -> Option<Self> {
        match code {
            0x00AE => Some(Self::PskAes128CbcSha256),
            0xC023 => Some(Self::EcdheEcdsaAes128CbcSha256),
            0xC02B => Some(Self::EcdheEcdsaAes128GcmSha256),
            0xC037 => Some(Self::EcdhePskAes128CbcSha256),
            0xC0A8 => Some(Self::PskAes128Ccm8),
            0xC0AE => Some(Self::EcdheEcdsaAes128Ccm8),
            _ => None,
        }
    }

    /// The number on the wire.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// How the premaster secret comes about.
    pub const fn key_exchange(self) -> KeyExchange {
        match self {
            Self::PskAes128Ccm8 | Self::PskAes128CbcSha256 => KeyExchange::Psk,
            Self::EcdhePskAes128CbcSha256 => KeyExchange::EcdhePsk,
            Self::EcdheEcdsaAes128Ccm8
            | Self::EcdheEcdsaAes128CbcSha256
            | Self::EcdheEcdsaAes128GcmSha256 => KeyExchange::EcdheEcdsa,
        }
    }

    /// How records are protected.
    pub const fn cipher(self) -> Cipher {
        match self {
            Self::PskAes128Ccm8 | Self::EcdheEcdsaAes128Ccm8 => Cipher::Ccm8,
            Self::EcdheEcdsaAes128GcmSha256 => Cipher::Gcm,
            Self::PskAes128CbcSha256
            | Self::EcdhePskAes128CbcSha256
            | Self::EcdheEcdsaAes128CbcSha256 => Cipher::CbcSha256,
        }
    }
}

impl Cipher {
    /// Bytes of an encryption key: AES-128 in every suite.
    pub const KEY_LENGTH: usize = 16;

    /// Bytes of a MAC key: none with authenticated encryption (RFC 5246 §6.3).
    pub const fn mac_key_length(self) -> usize {
        match self {
            Self::Ccm8 | Self::Gcm => 0,
            Self::CbcSha256 => 32,
        }
    }

    /// Bytes of the IV that the key block yields: the salt of authenticated encryption
    /// (`fixed_iv_length`, RFC 5288 §3); a CBC record carries its whole IV instead.
    pub const fn fixed_iv_length(self) -> usize {
        match self {
            Self::Ccm8 | Self::Gcm => 4,
            Self::CbcSha256 => 0,
        }
    }

    /// Bytes in front of the ciphertext in each record: explicit nonce or IV.
    pub const fn record_iv_length(self) -> usize {
        match self {
            Self::Ccm8 | Self::Gcm => 8,
            Self::CbcSha256 => 16,
        }
    }

    /// Bytes that authenticate a record: tag or MAC.
    pub const fn tag_length(self) -> usize {
        match self {
            Self::Ccm8 => 8,
            Self::Gcm => 16,
            Self::CbcSha256 => 32,
        }
    }

    /// Bytes that the key block needs for both directions (RFC 5246 §6.3).
    pub const fn key_block_length(self) -> usize {
        2 * (self.mac_key_length() + Self::KEY_LENGTH + self.fixed_iv_length())
    }
}

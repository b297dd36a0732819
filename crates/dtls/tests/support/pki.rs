//! A public key infrastructure for tests: authorities, certificates of every quality. Other crates
//! take it in by its path; it needs `rcgen` without features, `p384` and this crate.
#![allow(dead_code)]

use dunlin_coap::Rng;
use dunlin_dtls::{KeyPair, PublicKey};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyIdMethod,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PublicKeyData, SanType,
    SerialNumber, SignatureAlgorithm, SigningKey,
};

pub(crate) use rcgen::{DnValue, ExtendedKeyUsagePurpose, date_time_ymd};

/// 2026-12-01, in seconds since 1970: when all of it is valid unless it says otherwise.
pub(crate) const NOW: u64 = 1_796_083_200;

/// Repeatable randomness.
pub(crate) struct Random(pub(crate) u64);

impl Rng for Random {
    fn next_u32(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }
}

/// A key pair made of a number, always the same.
pub(crate) fn key(number: u64) -> KeyPair {
    KeyPair::generate(&mut Random(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)).unwrap()
}

/// A key of an authority.
pub(crate) enum AuthorityKey {
    P256(KeyPair),
    P384(Box<p384::ecdsa::SigningKey>, Vec<u8>),
}

impl AuthorityKey {
    fn p384(number: u64) -> Self {
        let mut bytes = [0; 48];
        Random(number | 1).fill(&mut bytes);
        bytes[0] = 1;
        let key = p384::ecdsa::SigningKey::from_slice(&bytes).unwrap();
        let point = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
        Self::P384(Box::new(key), point)
    }
}

impl PublicKeyData for AuthorityKey {
    fn der_bytes(&self) -> &[u8] {
        match self {
            Self::P256(key) => &key.public_key()[26..],
            Self::P384(_, point) => point,
        }
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self {
            Self::P256(_) => &PKCS_ECDSA_P256_SHA256,
            Self::P384(..) => &PKCS_ECDSA_P384_SHA384,
        }
    }
}

impl SigningKey for AuthorityKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(match self {
            Self::P256(key) => key.sign(message),
            Self::P384(key, _) => {
                use p384::ecdsa::signature::Signer;
                let signature: p384::ecdsa::DerSignature = key.sign(message);
                signature.as_bytes().to_vec()
            }
        })
    }
}

/// What a certificate is to be like. By default a leaf for nobody, valid from 2020 to 2040, with
/// nothing that restricts its use.
pub(crate) struct Wanted {
    params: CertificateParams,
    key: u64,
    p384: bool,
}

impl Wanted {
    /// A leaf with this common name.
    pub(crate) fn leaf(common_name: impl Into<DnValue>) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2040, 1, 1);
        Self {
            params,
            key: 1,
            p384: false,
        }
    }

    /// A leaf with an empty subject.
    pub(crate) fn nameless() -> Self {
        let mut wanted = Self::leaf("");
        wanted.params.distinguished_name = DistinguishedName::new();
        wanted
    }

    /// An authority with this common name.
    pub(crate) fn authority(common_name: &str) -> Self {
        let mut wanted = Self::leaf(common_name);
        wanted.params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        wanted.params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        wanted.key = common_name.bytes().fold(7, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(u64::from(byte))
        });
        wanted
    }

    /// With the key of this number instead of the first.
    pub(crate) fn key(mut self, number: u64) -> Self {
        self.key = number;
        self
    }

    /// With a key on secp384r1.
    pub(crate) fn p384(mut self) -> Self {
        self.p384 = true;
        self
    }

    /// Without an explicit statement about being an authority.
    pub(crate) fn no_authority(mut self) -> Self {
        self.params.is_ca = IsCa::NoCa;
        self
    }

    /// At most so many authorities may follow.
    pub(crate) fn path_length(mut self, length: u8) -> Self {
        self.params.is_ca = IsCa::Ca(BasicConstraints::Constrained(length));
        self
    }

    /// Valid in these years only, from the first day of one to the first of the other.
    pub(crate) fn years(mut self, from: i32, to: i32) -> Self {
        self.params.not_before = date_time_ymd(from, 1, 1);
        self.params.not_after = date_time_ymd(to, 1, 1);
        self
    }

    pub(crate) fn dns(mut self, name: &str) -> Self {
        self.params
            .subject_alt_names
            .push(SanType::DnsName(name.try_into().unwrap()));
        self
    }

    pub(crate) fn uri(mut self, uri: &str) -> Self {
        self.params
            .subject_alt_names
            .push(SanType::URI(uri.try_into().unwrap()));
        self
    }

    pub(crate) fn address(mut self, address: &str) -> Self {
        self.params
            .subject_alt_names
            .push(SanType::IpAddress(address.parse().unwrap()));
        self
    }

    pub(crate) fn other_name(mut self, value: &str) -> Self {
        // 1.3.6.1.5.5.7.8.4 is id-on-hardwareModuleName, as good as any.
        let oid = vec![1, 3, 6, 1, 5, 5, 7, 8, 4];
        self.params
            .subject_alt_names
            .push(SanType::OtherName((oid, value.into())));
        self
    }

    /// Also another attribute of the subject.
    pub(crate) fn subject(mut self, kind: DnType, value: &str) -> Self {
        self.params.distinguished_name.push(kind, value);
        self
    }

    pub(crate) fn purpose(mut self, purpose: ExtendedKeyUsagePurpose) -> Self {
        self.params.extended_key_usages.push(purpose);
        self
    }

    pub(crate) fn usage(mut self, usage: KeyUsagePurpose) -> Self {
        self.params.key_usages.push(usage);
        self
    }

    /// Any other extension, critical.
    pub(crate) fn critical_extension(mut self) -> Self {
        let mut extension = rcgen::CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        extension.set_criticality(true);
        self.params.custom_extensions.push(extension);
        self
    }

    /// Signed with its own key.
    pub(crate) fn self_signed(self) -> Issued {
        self.issue(None)
    }

    fn issue(mut self, issuer: Option<&Issued>) -> Issued {
        let key = if self.p384 {
            AuthorityKey::p384(self.key)
        } else {
            AuthorityKey::P256(key(self.key))
        };
        let id = key.der_bytes()[1..21].to_vec();
        self.params.serial_number = Some(SerialNumber::from(id[..8].to_vec()));
        self.params.key_identifier_method = KeyIdMethod::PreSpecified(id);
        let certificate = match issuer {
            None => self.params.self_signed(&key).unwrap(),
            Some(issuer) => {
                let by = Issuer::from_params(&issuer.params, &issuer.key);
                self.params.signed_by(&key, &by).unwrap()
            }
        };
        Issued {
            der: certificate.der().to_vec(),
            params: self.params,
            key,
        }
    }
}

/// A certificate with its key.
pub(crate) struct Issued {
    pub(crate) der: Vec<u8>,
    params: CertificateParams,
    key: AuthorityKey,
}

impl Issued {
    /// Issues a certificate.
    pub(crate) fn issue(&self, wanted: Wanted) -> Self {
        wanted.issue(Some(self))
    }

    /// Its key pair on secp256r1.
    pub(crate) fn key_pair(&self) -> &KeyPair {
        match &self.key {
            AuthorityKey::P256(key) => key,
            AuthorityKey::P384(..) => panic!("a key on secp384r1"),
        }
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        PublicKey::from_spki(self.key_pair().public_key()).unwrap()
    }

    /// In PEM.
    pub(crate) fn pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }
}

/// A section of PEM.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    use base64ct::{Base64, Encoding};
    let body = Base64::encode_string(der);
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// The last byte of a certificate belongs to its signature.
pub(crate) fn with_broken_signature(der: &[u8]) -> Vec<u8> {
    let mut broken = der.to_vec();
    *broken.last_mut().unwrap() ^= 1;
    broken
}

//! Keys in the forms that tools write, known answers of ECDSA, and what is refused.

use base64ct::Encoding;
use dunlin_coap::Rng;
use dunlin_dtls::{KeyError, KeyPair, PublicKey};

/// As `openssl pkcs8 -topk8 -nocrypt` writes it.
const PKCS8: &[u8] = b"-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgOWahh2ppvzgantdo
QvcN/lUcHG78uTunn9dRjO3au22hRANCAAQcMHegqlblSDYb3g90g68mtjdXdCEw
Zf9OXyvbszC4/HRwUbWCVEoqqU0ZsnDaV+tSNebcTuxb2STfO+lPpqT0
-----END PRIVATE KEY-----
";

/// The same key as `openssl ecparam -genkey` writes it.
const SEC1: &[u8] = b"-----BEGIN EC PARAMETERS-----
BggqhkjOPQMBBw==
-----END EC PARAMETERS-----
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIDlmoYdqab84Gp7XaEL3Df5VHBxu/Lk7p5/XUYzt2rttoAoGCCqGSM49
AwEHoUQDQgAEHDB3oKpW5Ug2G94PdIOvJrY3V3QhMGX/Tl8r27MwuPx0cFG1glRK
KqlNGbJw2lfrUjXm3E7sW9kk3zvpT6ak9A==
-----END EC PRIVATE KEY-----
";

/// Its public key.
const PUBLIC: &[u8] = b"-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEHDB3oKpW5Ug2G94PdIOvJrY3V3Qh
MGX/Tl8r27MwuPx0cFG1glRKKqlNGbJw2lfrUjXm3E7sW9kk3zvpT6ak9A==
-----END PUBLIC KEY-----
";

/// The same with a compressed point.
const COMPRESSED: &[u8] = b"-----BEGIN PUBLIC KEY-----
MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgACHDB3oKpW5Ug2G94PdIOvJrY3V3Qh
MGX/Tl8r27MwuPw=
-----END PUBLIC KEY-----
";

/// Encrypted, as `openssl pkcs8 -topk8` writes it.
const ENCRYPTED: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhJvIxhbhjPjQICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEELc0prvHf7CTGrBPqIoaQdsEgZDl
7WTr4hU/Vq+y1BQi+ZZXO2S4Fn4dyo5L92qROH8O50ys/0SHPywrNhCDEUIAAJmn
0vlMsOT+Sdn6m1IiZSR/UtWvrfxY8vFiP7k2p2GD6qiGLz4BOI9NluIa+Mw9bXRw
bRVF8hM7xBZVJTklGec1ceVrGjGu8UdTLMw97LnvjTwducjv+pH33Bjy9PFQBkU=
-----END ENCRYPTED PRIVATE KEY-----
";

/// Encrypted, as `openssl ec -aes128` writes it.
const ENCRYPTED_OLD: &[u8] = b"-----BEGIN EC PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,39204E1B825D9F73650B307042774CEB

Z0Vo3BJlU0EYNYEONbjOV78Nolb+mf/BIsf1BqBKdnNiWBc/mlAjHidxpvMqS5+N
MnOJ0KKHwC1Vbyw0l3ImrtUXVkkpMY+e3YtWFFX7ZuAQx7oXPGd+oHEcZu5ULfFB
tuztgV2g8b+z8RrnRKIhAqOIKEvC9lxaIB8Vg64Eh68=
-----END EC PRIVATE KEY-----
";

/// A key on another curve.
const P384: &[u8] = b"-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDDoWZ6Fa4H+ShHqEr3t
U8s2npIlM1V52J5k29kTS9zbIDdPQle8uoSdHaj86pAtkVWhZANiAARP5ZB/5sYG
OM90g/4Tw44xDStLDCej5uefTzen/yaOgePh6j8YeCnIHvOPgn9dLcX2wYhOoS8U
b1sndDGKsV2+kqvL+KBWr7JfdOHCVF5GyZfxMrZ2i//oHb3g3j7KnNs=
-----END PRIVATE KEY-----
";

/// A key on another curve of the same size.
const SECP256K1: &[u8] = b"-----BEGIN PRIVATE KEY-----
MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgQ3hhcOySNkzEC1uat1ZG
AinZGL9rkvvlNrSaKo2vZkqhRANCAAQJz+KwGWfkw2rNIIQqIybVo3m1Edbg7I4T
sAzoF42+XC2+T2+Fi5QPpd7vFAM+7aKBlw2bErFfXs7l2hla9Kxr
-----END PRIVATE KEY-----
";

/// A public key on it.
const SECP256K1_PUBLIC: &[u8] = b"-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEFpppFuZ1xXeihkkiWGM09LKe+QjeisPD
lfde+SP51bdWd8hEttv+PNwsKeXcImga4zjLbH17hKRzduxyzTR83g==
-----END PUBLIC KEY-----
";

/// A public key of RSA.
const RSA_PUBLIC: &[u8] = b"-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC8EOyVQrm2992iXN2bS/4S0plJ
uBXcFfLV7rN6l/KInFtu7WbBsvsdxadSYKeKeOf8gMc7FI1yu6JHqNs5w8432Mvg
64B5Fqp1vg4azz+Xg/OF9dQRTz0hLRppvJttBMu6O5gETpFJ+f8vFZL+8oBAbR9i
SzU8xdzRSD68u/lBYQIDAQAB
-----END PUBLIC KEY-----
";

/// A private key of RSA.
const RSA: &[u8] = b"-----BEGIN PRIVATE KEY-----
MIICdgIBADANBgkqhkiG9w0BAQEFAASCAmAwggJcAgEAAoGBAKv4n5Rv74d5dfso
f51W+Agmn0nN2COHhNULwm4lU342uOrlD2XaLP0sMWe0g7BCrP3ts3JduKJV1aM4
nyjD8GiFYagmTm4Ul6GO5EwMfK7xRnqudgSzGTMbZiHIN5Obgm1HHGzs6YhkkDNT
VZa2RS0mR9l5lFbtyMEeleS3UPMfAgMBAAECgYBEO5J9n+gnFY81Rv1TXVVuTny3
GOBgQH341gCgGVlGY8n9EUOJwwZEsYssvZfekKX43p5rizod1va8G1QzJYM2HqvZ
2dYMGWoOSzLXXU6ELNG9jU85eywj2pzxt6jEnQtF1jhic2dHDMRVrM0hSUeDId9F
DQbwMIxLtRuBZI2LQQJBAN3GT6pcDlV322diYmR3GMzddqbLpZ3P2ISG42cVjykB
2gbV+64EF/DU92mpD9wdfQC5Vdp84bWO8vm7aPuo1z8CQQDGgrfWFDO+oV3sMJ3q
yrptexPjyFn/zHClBXVyTsKimyrytsR1NsEwzRkwJYBhRSFmZuD9GhCPM6ZMFXCy
OcwhAkEAoyQI4pdJbBH5cjnri2AY/EtFxzkzob2N1x+rFN/FKjNUgYbT15TnT6A6
SJ23LwL6O5ga0djf6ME5eAAnIEl53QJAWCcOWhvoipwAKHXCetSCC0IfqAR9qvFv
iGivKg69shXz8YqmHWMuUWyS5eWRaCCZ326KNPtRJTaLf7f5rrup4QJAXpG7z7nI
N5YFevRtDKKtwnMV3xysbvkLxOzu1DGsEsju8OhBdKh10jZFakR795G8CBSqXfZ3
DQJHWiAXJtqOkw==
-----END PRIVATE KEY-----
";

/// xorshift64: repeatable.
struct Random(u64);

impl Rng for Random {
    fn next_u32(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }
}

struct Stuck(u32);

impl Rng for Stuck {
    fn next_u32(&mut self) -> u32 {
        self.0
    }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// What the last section of a PEM text holds.
fn der(pem: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(pem).unwrap();
    let body = text.rsplit("-----BEGIN ").next().unwrap();
    let body: String = body
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with('-'))
        .collect();
    base64ct::Base64::decode_vec(&body).unwrap()
}

fn is(bytes: &[u8], expected: KeyError) {
    let error = KeyPair::from_bytes(bytes).map(|key| key.public_key().to_vec());
    assert_eq!(error, Err(expected), "{:?}", String::from_utf8_lossy(bytes));
}

#[test]
fn all_forms_of_a_private_key_give_the_same_key() {
    let pkcs8 = der(PKCS8);
    for form in [PKCS8, SEC1, &pkcs8, &der(SEC1), &pkcs8[36..68]] {
        let key = KeyPair::from_bytes(form).unwrap();
        assert_eq!(key.public_key(), der(PUBLIC));
    }
}

#[test]
fn a_key_is_written_as_openssl_writes_it() {
    let key = KeyPair::from_bytes(SEC1).unwrap();
    assert_eq!(key.to_der()[..], der(PKCS8));
}

/// RFC 5958 §2, version 2 with the public key in `[1]`.
#[test]
fn a_one_asymmetric_key_of_version_2_is_read() {
    let public = der(PUBLIC);
    let version_2 = |point: &[u8]| {
        let mut inner = der(PKCS8)[3..].to_vec();
        inner[2] = 1;
        inner.extend([0x81, 0x42, 0x00]);
        inner.extend(point);
        [&[0x30, 0x81, inner.len() as u8], &inner[..]].concat()
    };
    let key = KeyPair::from_bytes(&version_2(&public[26..])).unwrap();
    assert_eq!(key.public_key(), public);
    let other = KeyPair::generate(&mut Random(1)).unwrap();
    is(&version_2(&other.public_key()[26..]), KeyError::Mismatch);
}

#[test]
fn what_is_no_private_key_on_p_256_is_refused_with_the_reason() {
    for (bytes, expected) in [
        (ENCRYPTED, KeyError::Encrypted),
        (&der(ENCRYPTED), KeyError::Encrypted),
        (ENCRYPTED_OLD, KeyError::Encrypted),
        (P384, KeyError::Unsupported),
        (&der(P384), KeyError::Unsupported),
        (SECP256K1, KeyError::Unsupported),
        (RSA, KeyError::Unsupported),
        (PUBLIC, KeyError::Malformed),
        (b"", KeyError::Malformed),
        (&[0; 31], KeyError::Malformed),
        (&[0; 33], KeyError::Malformed),
        (
            b"-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----",
            KeyError::Malformed,
        ),
        // Zero and the order of the curve.
        (&[0; 32], KeyError::NotOnCurve),
        (
            &hex("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551"),
            KeyError::NotOnCurve,
        ),
    ] {
        is(bytes, expected);
    }
    let whole = der(PKCS8);
    // Any 32 bytes are a bare key.
    for length in (0..whole.len()).filter(|length| *length != 32) {
        assert!(KeyPair::from_bytes(&whole[..length]).is_err(), "{length}");
    }
    // The public key inside belongs to another private key.
    let mut wrong = whole;
    wrong[40] ^= 1;
    is(&wrong, KeyError::Malformed);
}

#[test]
fn a_raw_public_key_is_91_bytes_with_the_named_curve_and_an_uncompressed_point() {
    let spki = der(PUBLIC);
    assert_eq!(spki.len(), 91);
    assert_eq!(PublicKey::from_spki(&spki).unwrap().spki()[..], spki);
    for length in 0..spki.len() {
        assert_eq!(
            PublicKey::from_spki(&spki[..length]),
            Err(KeyError::Malformed)
        );
    }
    let longer = [&spki[..], &[0]].concat();
    assert_eq!(PublicKey::from_spki(&longer), Err(KeyError::Malformed));
}

#[test]
fn other_public_keys_are_refused_with_the_reason() {
    let spki = der(PUBLIC);
    for other in [COMPRESSED, SECP256K1_PUBLIC, RSA_PUBLIC] {
        assert_eq!(
            PublicKey::from_spki(&der(other)),
            Err(KeyError::Unsupported)
        );
    }
    let mut off_the_curve = spki.clone();
    off_the_curve[90] ^= 1;
    assert_eq!(
        PublicKey::from_spki(&off_the_curve),
        Err(KeyError::NotOnCurve)
    );
    let mut zero = spki.clone();
    zero[27..].fill(0);
    assert_eq!(PublicKey::from_spki(&zero), Err(KeyError::NotOnCurve));
    // The hybrid form of X9.62, which RFC 5480 §2.2 forbids.
    let mut hybrid = spki;
    hybrid[26] = 6 | hybrid[90] & 1;
    assert_eq!(PublicKey::from_spki(&hybrid), Err(KeyError::Malformed));
}

/// RFC 6979 §A.2.5: P-256 with SHA-256.
#[test]
fn signatures_are_those_of_rfc_6979() {
    let key = KeyPair::from_bytes(&hex(
        "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
    ))
    .unwrap();
    assert_eq!(
        key.public_key()[27..],
        hex(
            "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6\
             7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299"
        ),
    );
    // Both halves have their highest bit set, so a zero stands before each.
    let sample = hex("3046\
         022100EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716\
         022100F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8");
    assert_eq!(key.sign(b"sample"), sample);
    let public = PublicKey::from_spki(key.public_key()).unwrap();
    public.verify(b"sample", &sample).unwrap();
    let test = hex("3045\
         022100F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367\
         0220019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083");
    assert_eq!(key.sign(b"test"), test);
}

#[test]
fn a_changed_message_signature_or_key_does_not_verify() {
    let key = KeyPair::generate(&mut Random(2)).unwrap();
    let public = PublicKey::from_spki(key.public_key()).unwrap();
    let signature = key.sign(b"message");
    let signature = signature.as_slice();
    assert_eq!(public.verify(b"message", signature), Ok(()));
    let bad = Err(KeyError::BadSignature);
    assert_eq!(public.verify(b"Message", signature), bad);
    for at in 0..signature.len() {
        let mut changed = signature.to_vec();
        changed[at] ^= 1;
        assert_eq!(public.verify(b"message", &changed), bad, "byte {at}");
        assert_eq!(public.verify(b"message", &signature[..at]), bad);
    }
    assert_eq!(public.verify(b"message", &[signature, &[0]].concat()), bad);
    let other = KeyPair::generate(&mut Random(3)).unwrap();
    let other = PublicKey::from_spki(other.public_key()).unwrap();
    assert_eq!(other.verify(b"message", signature), bad);
    // r = s = 0.
    assert_eq!(public.verify(b"message", &[0x30, 6, 2, 1, 0, 2, 1, 0]), bad);
}

#[test]
fn a_broken_random_source_gives_no_key() {
    for stuck in [0, u32::MAX] {
        let error = KeyPair::generate(&mut Stuck(stuck)).map(|key| key.public_key().to_vec());
        assert_eq!(error, Err(KeyError::NoRandomness));
    }
}

#[test]
fn debug_output_shows_the_public_key_alone() {
    let key = KeyPair::from_bytes(SEC1).unwrap();
    let text = format!("{key:?}").to_lowercase();
    let public: String = der(PUBLIC)[27..]
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert!(text.contains(&public));
    let secret: String = der(PKCS8)[36..40]
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    assert!(!text.contains(&secret), "{text}");
}

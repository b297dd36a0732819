//! Base64: RFC 4648 §10 and the strictness around it.

use dunlin_lwm2m::base64::{
    Alphabet, Base64Error, decode, decode_in_place, encode, encoded_length,
};

fn encoded(bytes: &[u8], alphabet: Alphabet, padded: bool) -> String {
    let mut text = [0; 64];
    let length = encode(bytes, alphabet, padded, &mut text).unwrap();
    assert_eq!(length, encoded_length(bytes.len(), padded));
    String::from_utf8(text[..length].to_vec()).unwrap()
}

fn decoded(text: &str) -> Result<Vec<u8>, Base64Error> {
    let mut bytes = [0; 64];
    let result = decode(text.as_bytes(), &mut bytes).map(|length| bytes[..length].to_vec());
    let mut in_place = text.as_bytes().to_vec();
    let same = decode_in_place(&mut in_place).map(|length| in_place[..length].to_vec());
    assert_eq!(result, same);
    result
}

#[test]
fn vectors_of_the_standard() {
    for (bytes, text) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ] {
        let bare = text.trim_end_matches('=');
        assert_eq!(encoded(bytes.as_bytes(), Alphabet::Standard, true), text);
        assert_eq!(encoded(bytes.as_bytes(), Alphabet::Url, false), bare);
        assert_eq!(decoded(text), Ok(bytes.as_bytes().to_vec()));
        assert_eq!(decoded(bare), Ok(bytes.as_bytes().to_vec()));
    }
}

#[test]
fn both_alphabets_complete() {
    let bits: Vec<u8> = (0..64_u8)
        .collect::<Vec<_>>()
        .chunks(4)
        .flat_map(|six| {
            let all = six
                .iter()
                .fold(0_u32, |all, six| all << 6 | u32::from(*six));
            all.to_be_bytes()[1..].to_vec()
        })
        .collect();
    let common = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for (alphabet, tail) in [(Alphabet::Standard, "+/"), (Alphabet::Url, "-_")] {
        let text = format!("{common}{tail}");
        assert_eq!(encoded(&bits, alphabet, true), text);
        assert_eq!(decoded(&text), Ok(bits.clone()));
    }
}

#[test]
fn what_is_not_base64() {
    for (text, at) in [
        ("A", 0),
        ("AAAAA", 4),
        ("=", 0),
        ("====", 0),
        ("A===", 1),
        ("AA=", 2),
        ("AAA==", 3),
        ("AAAA=", 4),
        ("AAAA====", 4),
        ("AA=A", 2),
        ("AA==AA==", 2),
        ("AA A", 2),
        ("AAA\n", 3),
        ("*AAA", 0),
        // Bits that belong to no byte.
        ("AB", 1),
        ("AAB", 2),
    ] {
        assert_eq!(decoded(text), Err(Base64Error::Invalid(at)), "{text:?}");
    }
}

#[test]
fn buffers_are_respected() {
    assert_eq!(encode(b"foob", Alphabet::Standard, true, &mut [0; 7]), None);
    assert_eq!(
        encode(b"foob", Alphabet::Standard, true, &mut [0; 8]),
        Some(8)
    );
    assert_eq!(encode(b"foob", Alphabet::Url, false, &mut [0; 6]), Some(6));
    assert_eq!(decode(b"Zm9vYg", &mut [0; 3]), Err(Base64Error::TooLong));
    assert_eq!(decode(b"Zm9vYg", &mut [0; 4]), Ok(4));
    assert_eq!(encoded_length(usize::MAX, true), usize::MAX);
}

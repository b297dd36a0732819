//! Keys and certificates as text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// Reads hexadecimal digits; the error says what is wrong where, and nothing of the digits.
pub(crate) fn from_hex(text: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let text = text.trim();
    let mut nibbles = Zeroizing::new(Vec::with_capacity(text.len()));
    for (at, character) in text.chars().enumerate() {
        let digit = character
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok());
        nibbles.push(digit.ok_or_else(|| {
            format!(
                "{character:?} at character {} is no hexadecimal digit",
                at + 1
            )
        })?);
    }
    let (pairs, []) = nibbles.as_chunks::<2>() else {
        return Err(format!(
            "{} hexadecimal digits are no whole number of bytes",
            nibbles.len()
        ));
    };
    let mut bytes = Zeroizing::new(Vec::with_capacity(pairs.len()));
    bytes.extend(pairs.iter().map(|[high, low]| high << 4 | low));
    Ok(bytes)
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 0xF] {
            text.extend(char::from_digit(u32::from(digit), 16));
        }
    }
    text
}

/// Reads what is public in any of the forms that tools give: the first section of PEM with one of
/// these labels, hexadecimal digits, or base64.
pub(crate) fn from_any(text: &str, label: &str) -> Result<Vec<u8>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("nothing is given".to_owned());
    }
    if text.contains("-----BEGIN ") {
        return from_pem(text, label);
    }
    if text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return from_hex(text).map(|bytes| bytes.to_vec());
    }
    from_base64(text).ok_or_else(|| "neither PEM, hexadecimal digits nor base64".to_owned())
}

fn from_pem(text: &str, label: &str) -> Result<Vec<u8>, String> {
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let section = text
        .split_once(&begin)
        .and_then(|(_, rest)| rest.split_once(&end));
    let Some((section, _)) = section else {
        let found = text
            .split("-----BEGIN ")
            .nth(1)
            .and_then(|rest| rest.split("-----").next());
        return Err(format!(
            "PEM of {:?}, not {label:?}",
            found.unwrap_or_default()
        ));
    };
    from_base64(section).ok_or_else(|| "PEM with something else than base64 in it".to_owned())
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let plain: String = text.split_ascii_whitespace().collect();
    STANDARD.decode(plain).ok()
}

/// PEM (RFC 7468).
pub(crate) fn to_pem(bytes: &[u8], label: &str) -> String {
    let base64 = STANDARD.encode(bytes);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        text += line;
        text += "\n";
        rest = more;
    }
    text + &format!("-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_are_read_and_faults_told_with_their_place() {
        assert_eq!(**from_hex(" 00fFa1\n").unwrap(), [0x00, 0xFF, 0xA1]);
        assert_eq!(
            from_hex("00gg").unwrap_err(),
            "'g' at character 3 is no hexadecimal digit"
        );
        assert_eq!(
            from_hex("000").unwrap_err(),
            "3 hexadecimal digits are no whole number of bytes"
        );
        assert_eq!(to_hex(&[0x00, 0xFF, 0xA1]), "00ffa1");
    }

    #[test]
    fn what_is_public_is_read_in_every_form() {
        let pem = "junk\n-----BEGIN PUBLIC KEY-----\nAQID\r\nBA==\n-----END PUBLIC KEY-----\n";
        for text in ["01020304", "AQIDBA==", "AQID\nBA==", pem] {
            assert_eq!(from_any(text, "PUBLIC KEY"), Ok(vec![1, 2, 3, 4]), "{text}");
        }
        let told = |text| from_any(text, "PUBLIC KEY").unwrap_err();
        assert_eq!(told(" "), "nothing is given");
        assert_eq!(told("?"), "neither PEM, hexadecimal digits nor base64");
        assert_eq!(
            told("-----BEGIN RSA PRIVATE KEY-----\nAQID\n-----END RSA PRIVATE KEY-----"),
            "PEM of \"RSA PRIVATE KEY\", not \"PUBLIC KEY\""
        );
    }

    #[test]
    fn pem_has_lines_of_64_characters() {
        let bytes = [0xAB; 50];
        let text = to_pem(&bytes, "CERTIFICATE");
        let lines: Vec<usize> = text.lines().map(str::len).collect();
        assert_eq!(lines, [27, 64, 4, 25]);
        assert_eq!(from_any(&text, "CERTIFICATE"), Ok(bytes.to_vec()));
    }
}

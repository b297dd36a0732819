//! Keys and certificates as text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::hex::from_hex;

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

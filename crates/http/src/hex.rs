//! Bytes as hexadecimal digits.

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
}

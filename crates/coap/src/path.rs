//! Uri-Path and Uri-Query between options and text (RFC 7252 §6.4, §6.5).

use crate::{Message, MessageWriter, OptionNumber, WriteError};

/// Adds a path such as `/3/0/9` as Uri-Path options, percent-encoding resolved.
///
/// `/` and the empty path add none. A `.` or `..` segment, a broken percent-encoding or a segment
/// above 255 bytes is an error.
///
/// ```
/// use dunlin_coap::{Code, Message, MessageWriter, OptionNumber, Type, path};
/// let mut buffer = [0; 64];
/// let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, Code::GET, 1, &[]);
/// path::write(&mut writer, "/a%20b/9").unwrap();
/// let length = writer.finish().unwrap();
/// let message = Message::parse(&buffer[..length]).unwrap();
/// let segments: Vec<_> = message.values(OptionNumber::URI_PATH).collect();
/// assert_eq!(segments, [&b"a b"[..], b"9"]);
/// ```
pub fn write(writer: &mut MessageWriter<'_>, path: &str) -> Result<(), WriteError> {
    write_segments(writer, OptionNumber::URI_PATH, path)
}

/// Adds a path as options of this number: Uri-Path or Location-Path.
pub fn write_segments(
    writer: &mut MessageWriter<'_>,
    number: OptionNumber,
    path: &str,
) -> Result<(), WriteError> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() {
        return Ok(());
    }
    for segment in path.split('/') {
        let mut decoded = [0; 255];
        let decoded = decode(segment, &mut decoded)?;
        if matches!(decoded, b"." | b"..") {
            return Err(WriteError::IllegalCharacter);
        }
        writer.option(number, decoded);
    }
    Ok(())
}

/// Adds a query such as `ep=a&lt=60` as Uri-Query options, percent-encoding resolved.
pub fn write_query(writer: &mut MessageWriter<'_>, query: &str) -> Result<(), WriteError> {
    if query.is_empty() {
        return Ok(());
    }
    for part in query.split('&') {
        let mut decoded = [0; 255];
        writer.option(OptionNumber::URI_QUERY, decode(part, &mut decoded)?);
    }
    Ok(())
}

/// Writes the options of this number (Uri-Path, Location-Path) as a path into `buffer`,
/// percent-encoding where a URI needs it. Without options, or with one empty one, it is `/`.
///
/// ```
/// use dunlin_coap::{Message, OptionNumber, path};
/// let created = [0x60, 0x41, 0, 1, 0x82, b'r', b'd', 0x03, b'a', b'/', b'b'];
/// let message = Message::parse(&created).unwrap();
/// let mut buffer = [0; 32];
/// let location = path::read(&message, OptionNumber::LOCATION_PATH, &mut buffer);
/// assert_eq!(location, Ok("/rd/a%2Fb"));
/// ```
pub fn read<'b>(
    message: &Message<'_>,
    number: OptionNumber,
    buffer: &'b mut [u8],
) -> Result<&'b str, WriteError> {
    let mut length = 0;
    for segment in message.values(number) {
        put(buffer, &mut length, b'/')?;
        for &byte in segment {
            if is_path_character(byte) {
                put(buffer, &mut length, byte)?;
            } else {
                put(buffer, &mut length, b'%')?;
                put(buffer, &mut length, HEX[usize::from(byte >> 4)])?;
                put(buffer, &mut length, HEX[usize::from(byte & 15)])?;
            }
        }
    }
    if length == 0 {
        put(buffer, &mut length, b'/')?;
    }
    // Only ASCII was put.
    Ok(core::str::from_utf8(&buffer[..length]).unwrap_or_default())
}

/// Whether the message's Uri-Path options are exactly these segments.
pub fn is(message: &Message<'_>, segments: &[&str]) -> bool {
    message
        .values(OptionNumber::URI_PATH)
        .eq(segments.iter().map(|segment| segment.as_bytes()))
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// pchar of RFC 3986 §3.3, percent-encoding apart.
fn is_path_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte)
}

fn put(buffer: &mut [u8], length: &mut usize, byte: u8) -> Result<(), WriteError> {
    *buffer.get_mut(*length).ok_or(WriteError::BufferTooSmall)? = byte;
    *length += 1;
    Ok(())
}

fn decode<'b>(text: &str, buffer: &'b mut [u8; 255]) -> Result<&'b [u8], WriteError> {
    let mut length = 0;
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let byte = if byte == b'%' {
            let mut digit = || {
                let digit = char::from(bytes.next()?).to_digit(16)?;
                u8::try_from(digit).ok()
            };
            let (high, low) = (digit(), digit());
            let pair = high.zip(low).ok_or(WriteError::IllegalCharacter)?;
            pair.0 << 4 | pair.1
        } else {
            byte
        };
        *buffer.get_mut(length).ok_or(WriteError::TooLong)? = byte;
        length += 1;
    }
    Ok(&buffer[..length])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Code, Type};
    use std::string::String;

    fn round_trip(path: &str) -> Result<String, WriteError> {
        let mut buffer = [0; 600];
        let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, Code::GET, 1, &[]);
        write(&mut writer, path)?;
        let length = writer.finish()?;
        let message = Message::parse(&buffer[..length]).unwrap();
        let mut text = [0; 600];
        read(&message, OptionNumber::URI_PATH, &mut text).map(String::from)
    }

    #[test]
    fn paths_round_trip() {
        for path in ["/", "/3/0/9", "/a%20b/%2F", "/rd//x", "/%C3%A9"] {
            assert_eq!(round_trip(path).as_deref(), Ok(path));
        }
        assert_eq!(round_trip("").as_deref(), Ok("/"));
        assert_eq!(round_trip("3/0").as_deref(), Ok("/3/0"));
        assert_eq!(round_trip("/%41").as_deref(), Ok("/A"));
    }

    #[test]
    fn what_is_no_path_is_an_error() {
        for path in ["/a/../b", "/.", "/%2e%2E", "/%", "/%1", "/%zz"] {
            assert_eq!(
                round_trip(path),
                Err(WriteError::IllegalCharacter),
                "{path}"
            );
        }
        let long = std::format!("/{}", "x".repeat(256));
        assert_eq!(round_trip(&long), Err(WriteError::TooLong));
    }

    #[test]
    fn the_root_with_one_empty_segment_is_the_root() {
        let message = Message::parse(&[0x40, 0x01, 0, 1, 0xB0]).unwrap();
        let mut text = [0; 8];
        assert_eq!(read(&message, OptionNumber::URI_PATH, &mut text), Ok("/"));
    }

    #[test]
    fn a_query_becomes_options() {
        let mut buffer = [0; 64];
        let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, Code::POST, 1, &[]);
        write_query(&mut writer, "ep=a%26b&lt=60").unwrap();
        let length = writer.finish().unwrap();
        let message = Message::parse(&buffer[..length]).unwrap();
        assert!(
            message
                .values(OptionNumber::URI_QUERY)
                .eq([&b"ep=a&b"[..], b"lt=60"])
        );
        assert!(is(&message, &[]));
    }
}

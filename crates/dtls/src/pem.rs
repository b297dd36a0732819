//! PEM (RFC 7468): sections of base64 with a label.

use alloc::vec::Vec;

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

/// Longest text taken for one section, in bytes.
const MAX_SECTION: usize = 64 * 1024;

/// One section: its label and what it holds. Erased when dropped, since it may be a private key.
pub(crate) struct Section<'a> {
    pub(crate) label: &'a [u8],
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// Whether `bytes` are PEM rather than DER. DER of everything that is kept here begins with a
/// SEQUENCE, whose tag is `0`, so the words are looked for, not single characters.
pub(crate) fn is_pem(bytes: &[u8]) -> bool {
    find(bytes, b"-----BEGIN ").is_some()
}

/// The sections of `text` in order; text around them is skipped (RFC 7468 §2). A broken section
/// gives `Err` and ends the iteration.
pub(crate) fn sections(text: &[u8]) -> impl Iterator<Item = Result<Section<'_>, ()>> {
    let mut rest = Some(text);
    core::iter::from_fn(move || {
        let text = rest.take()?;
        let begin = find(text, b"-----BEGIN ")?;
        let read = section(&text[begin..]);
        rest = read.as_ref().map(|(_, rest)| *rest);
        Some(read.map(|(section, _)| section).ok_or(()))
    })
}

/// Reads the section that `text` begins with, and gives what follows it.
fn section(text: &[u8]) -> Option<(Section<'_>, &[u8])> {
    let text = text.strip_prefix(b"-----BEGIN ")?;
    let (label, text) = split(text, b"-----")?;
    let (body, rest) = split(text, b"-----END ")?;
    let (end, rest) = split(rest, b"-----")?;
    if label != end || body.len() > MAX_SECTION {
        return None;
    }
    let characters = Zeroizing::new(
        body.iter()
            .copied()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect::<Vec<u8>>(),
    );
    let mut der = Zeroizing::new(alloc::vec![0; characters.len()]);
    let length = Base64::decode(characters.as_slice(), &mut der).ok()?.len();
    der.truncate(length);
    Some((Section { label, der }, rest))
}

fn split<'a>(text: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let position = find(text, at)?;
    Some((&text[..position], &text[position + at.len()..]))
}

pub(crate) fn find(text: &[u8], words: &[u8]) -> Option<usize> {
    text.windows(words.len()).position(|window| window == words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_come_in_order_with_text_around_them() {
        let text = b"Subject: x\r\n-----BEGIN A B-----\r\nAQID\r\nBA==\r\n-----END A B-----\r\n\
                     and\n-----BEGIN C-----\n-----END C-----";
        let read: Vec<_> = sections(text)
            .map(|section| section.ok().unwrap())
            .collect();
        assert_eq!(read.len(), 2);
        assert_eq!(
            (read[0].label, read[0].der.as_slice()),
            (&b"A B"[..], &[1, 2, 3, 4][..])
        );
        assert_eq!(
            (read[1].label, read[1].der.as_slice()),
            (&b"C"[..], &[][..])
        );
    }

    #[test]
    fn a_broken_section_ends_the_iteration_with_an_error() {
        for text in [
            &b"-----BEGIN A-----\nAQID\n-----END B-----"[..],
            b"-----BEGIN A-----\nAQI\n-----END A-----",
            b"-----BEGIN A-----\nA*ID\n-----END A-----",
            b"-----BEGIN A-----\nAQID\n",
            b"-----BEGIN A",
        ] {
            let mut read = sections(text);
            assert!(read.next().unwrap().is_err());
            assert!(read.next().is_none());
        }
    }
}

//! The messages of a handshake that are no hellos, and the header of all (RFC 6347 §4.2.2).

use alloc::vec::Vec;

use super::codec::{Reader, put_u16, put_u24, put_vec};
use super::hello::{ECDSA_SHA256, SECP256R1};

/// Types of handshake messages (RFC 5246 §7.4, RFC 6347 §4.3.2).
pub(crate) mod kind {
    pub(crate) const HELLO_REQUEST: u8 = 0;
    pub(crate) const CLIENT_HELLO: u8 = 1;
    pub(crate) const SERVER_HELLO: u8 = 2;
    pub(crate) const HELLO_VERIFY_REQUEST: u8 = 3;
    pub(crate) const CERTIFICATE: u8 = 11;
    pub(crate) const SERVER_KEY_EXCHANGE: u8 = 12;
    pub(crate) const CERTIFICATE_REQUEST: u8 = 13;
    pub(crate) const SERVER_HELLO_DONE: u8 = 14;
    pub(crate) const CERTIFICATE_VERIFY: u8 = 15;
    pub(crate) const CLIENT_KEY_EXCHANGE: u8 = 16;
    pub(crate) const FINISHED: u8 = 20;
}

/// Bytes of a header.
pub(crate) const HEADER: usize = 12;

/// The header of one fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: u8,
    /// Of the whole message, without headers.
    pub(crate) length: usize,
    pub(crate) sequence: u16,
    pub(crate) offset: usize,
}

impl Header {
    /// Takes one fragment off a record's content: there may be several. `None` when what is there
    /// is none, or does not lie within its message.
    pub(crate) fn read<'a>(reader: &mut Reader<'a>) -> Option<(Self, &'a [u8])> {
        let header = Self {
            kind: reader.u8()?,
            length: reader.u24()?,
            sequence: reader.u16()?,
            offset: reader.u24()?,
        };
        let fragment = reader.vec24()?;
        (header.offset + fragment.len() <= header.length).then_some((header, fragment))
    }

    /// The header of a fragment of this many bytes.
    pub(crate) fn write(self, fragment: usize, out: &mut Vec<u8>) {
        out.push(self.kind);
        put_u24(out, self.length);
        put_u16(out, self.sequence);
        put_u24(out, self.offset);
        put_u24(out, fragment);
    }
}

/// A message in one piece, with its header.
pub(crate) fn message(kind: u8, sequence: u16, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    out.resize(HEADER, 0);
    write(&mut out);
    let length = out.len() - HEADER;
    let mut header = Vec::with_capacity(HEADER);
    Header {
        kind,
        length,
        sequence,
        offset: 0,
    }
    .write(length, &mut header);
    out[..HEADER].copy_from_slice(&header);
    out
}

/// The public key of a server for an ephemeral exchange, as it is signed: named curve, point
/// (RFC 8422 §5.4).
pub(crate) fn write_ec_parameters(out: &mut Vec<u8>, point: &[u8]) {
    out.push(3);
    put_u16(out, SECP256R1);
    put_vec(out, 1, |out| out.extend_from_slice(point));
}

/// The point of such parameters; `None` when they are not of secp256r1.
pub(crate) fn read_ec_parameters<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    (reader.u8()? == 3 && reader.u16()? == SECP256R1).then_some(())?;
    reader.vec8()
}

/// A signature with its algorithm (RFC 5246 §4.7).
pub(crate) fn write_signature(out: &mut Vec<u8>, signature: &[u8]) {
    put_u16(out, ECDSA_SHA256);
    put_vec(out, 2, |out| out.extend_from_slice(signature));
}

/// What [`write_signature`] writes.
pub(crate) enum Signature<'a> {
    /// By ECDSA with SHA-256, in DER.
    Ecdsa(&'a [u8]),
    /// By an algorithm that was not offered.
    Other,
}

pub(crate) fn read_signature<'a>(reader: &mut Reader<'a>) -> Option<Signature<'a>> {
    let algorithm = reader.u16()?;
    let signature = reader.vec16()?;
    Some(if algorithm == ECDSA_SHA256 {
        Signature::Ecdsa(signature)
    } else {
        Signature::Other
    })
}

/// A CertificateRequest: ecdsa_sign, ECDSA with SHA-256, any issuer (RFC 5246 §7.4.4).
pub(crate) fn write_certificate_request(out: &mut Vec<u8>) {
    out.extend_from_slice(&[1, 64]);
    put_vec(out, 2, |out| put_u16(out, ECDSA_SHA256));
    put_u16(out, 0);
}

/// Whether a CertificateRequest accepts ECDSA with SHA-256; `None` when it cannot be read.
pub(crate) fn read_certificate_request(body: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(body);
    let types = reader.vec8()?;
    let algorithms = reader.vec16()?;
    reader.vec16()?;
    reader.end()?;
    let mut algorithms = super::codec::numbers(algorithms)?;
    Some(types.contains(&64) && algorithms.any(|it| it == ECDSA_SHA256))
}

/// A chain as a Certificate message (RFC 5246 §7.4.2).
pub(crate) fn write_chain<'a>(out: &mut Vec<u8>, chain: impl Iterator<Item = &'a [u8]>) {
    put_vec(out, 3, |out| {
        for certificate in chain {
            put_vec(out, 3, |out| out.extend_from_slice(certificate));
        }
    });
}

/// A raw public key as a Certificate message (RFC 7250 §3): no list, the key alone.
pub(crate) fn write_raw_public_key(out: &mut Vec<u8>, spki: &[u8]) {
    put_vec(out, 3, |out| out.extend_from_slice(spki));
}

/// Certificates a chain may have.
const MAX_CHAIN: usize = 10;

/// The chain of a Certificate message, leaf first; empty when the peer has none.
pub(crate) fn read_chain(body: &[u8]) -> Option<Vec<&[u8]>> {
    let mut reader = Reader::new(body);
    let mut list = Reader::new(reader.vec24()?);
    reader.end()?;
    let mut chain = Vec::new();
    while !list.is_empty() {
        let certificate = list.vec24()?;
        if certificate.is_empty() || chain.len() == MAX_CHAIN {
            return None;
        }
        chain.push(certificate);
    }
    Some(chain)
}

/// The raw public key of a Certificate message; empty when the peer has none.
pub(crate) fn read_raw_public_key(body: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(body);
    let spki = reader.vec24()?;
    reader.end()?;
    Some(spki)
}

//! ClientHello, ServerHello and HelloVerifyRequest with their extensions (RFC 5246 §7.4.1,
//! RFC 6347 §4.2.1 and §4.3.2).

use alloc::vec::Vec;

use super::codec::{Reader, numbers, put_u16, put_vec};
use crate::Alert;

/// DTLS 1.2 in a hello.
pub(crate) const DTLS_1_2: u16 = 0xFEFD;

/// TLS_EMPTY_RENEGOTIATION_INFO_SCSV (RFC 5746 §3.3).
pub(crate) const RENEGOTIATION_SCSV: u16 = 0x00FF;

/// secp256r1 (RFC 8422 §5.1.1).
pub(crate) const SECP256R1: u16 = 23;

/// ecdsa_secp256r1_sha256, in TLS 1.2: SHA-256 (4) with ECDSA (3).
pub(crate) const ECDSA_SHA256: u16 = 0x0403;

/// Certificate types (RFC 7250 §7).
pub(crate) const TYPE_X509: u8 = 0;
pub(crate) const TYPE_RAW_PUBLIC_KEY: u8 = 2;

const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const EC_POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
const CLIENT_CERTIFICATE_TYPE: u16 = 19;
const SERVER_CERTIFICATE_TYPE: u16 = 20;
const ENCRYPT_THEN_MAC: u16 = 22;
const EXTENDED_MASTER_SECRET: u16 = 23;
const CONNECTION_ID: u16 = 54;
const RENEGOTIATION_INFO: u16 = 0xFF01;

/// More extensions than any hello has; a hello with more is refused.
const MAX_EXTENSIONS: usize = 64;

/// A ClientHello as it was received.
#[derive(Clone, Debug)]
pub(crate) struct ClientHello<'a> {
    pub(crate) version: u16,
    pub(crate) random: &'a [u8; 32],
    pub(crate) session_id: &'a [u8],
    pub(crate) cookie: &'a [u8],
    /// Numbers of 16 bits.
    suites: &'a [u8],
    compression: &'a [u8],
    /// All of them, as they stand in the message.
    raw_extensions: &'a [u8],
}

/// The extensions of a ClientHello that mean something here.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientExtensions<'a> {
    pub(crate) server_name: Option<&'a str>,
    groups: Option<&'a [u8]>,
    pub(crate) point_formats: Option<&'a [u8]>,
    signatures: Option<&'a [u8]>,
    pub(crate) client_types: Option<&'a [u8]>,
    pub(crate) server_types: Option<&'a [u8]>,
    pub(crate) encrypt_then_mac: bool,
    pub(crate) extended_master_secret: bool,
    pub(crate) connection_id: Option<&'a [u8]>,
    pub(crate) renegotiation_info: Option<&'a [u8]>,
}

impl<'a> ClientHello<'a> {
    /// Reads the body of the message. Extensions are left for [`extensions`](Self::extensions):
    /// the first hello of a handshake is not worth it.
    pub(crate) fn read(body: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(body);
        let hello = Self {
            version: reader.u16()?,
            random: reader.array()?,
            session_id: reader.vec8()?,
            cookie: reader.vec8()?,
            suites: reader.vec16()?,
            compression: reader.vec8()?,
            raw_extensions: if reader.is_empty() {
                &[]
            } else {
                reader.vec16()?
            },
        };
        reader.end()?;
        let sound = hello.session_id.len() <= 32
            && numbers(hello.suites).is_some()
            && !hello.compression.is_empty();
        sound.then_some(hello)
    }

    /// The parts over which the cookie is computed: everything but the cookie (RFC 6347 §4.2.1).
    pub(crate) fn parts(&self) -> [&'a [u8]; 5] {
        [
            self.random,
            self.session_id,
            self.suites,
            self.compression,
            self.raw_extensions,
        ]
    }

    pub(crate) fn suites(&self) -> impl Iterator<Item = u16> + Clone + 'a {
        numbers(self.suites).into_iter().flatten()
    }

    /// Whether "no compression" is among the methods, as it must be (RFC 5246 §7.4.1.2).
    pub(crate) fn has_null_compression(&self) -> bool {
        self.compression.contains(&0)
    }

    pub(crate) fn extensions(&self) -> Result<ClientExtensions<'a>, Alert> {
        let mut found = ClientExtensions::default();
        for_each(self.raw_extensions, |number, body| {
            let mut reader = Reader::new(body);
            match number {
                SERVER_NAME => found.server_name = read_server_name(&mut reader)?,
                SUPPORTED_GROUPS => found.groups = Some(list(reader.vec16()?)?),
                EC_POINT_FORMATS => found.point_formats = Some(not_empty(reader.vec8()?)?),
                SIGNATURE_ALGORITHMS => found.signatures = Some(list(reader.vec16()?)?),
                CLIENT_CERTIFICATE_TYPE => found.client_types = Some(not_empty(reader.vec8()?)?),
                SERVER_CERTIFICATE_TYPE => found.server_types = Some(not_empty(reader.vec8()?)?),
                ENCRYPT_THEN_MAC => found.encrypt_then_mac = true,
                EXTENDED_MASTER_SECRET => found.extended_master_secret = true,
                CONNECTION_ID => found.connection_id = Some(reader.vec8()?),
                RENEGOTIATION_INFO => found.renegotiation_info = Some(reader.vec8()?),
                _ => return Some(()),
            }
            reader.end()
        })?;
        Ok(found)
    }
}

impl ClientExtensions<'_> {
    /// Whether both sides have the curve and its uncompressed points; what was not said is allowed
    /// (RFC 8422 §5.1).
    pub(crate) fn has_curve(&self) -> bool {
        self.groups
            .is_none_or(|list| numbers(list).is_some_and(|mut all| all.any(|it| it == SECP256R1)))
            && self.point_formats.is_none_or(|list| list.contains(&0))
    }

    /// Whether ECDSA with SHA-256 may be used. Without the extension it may not: SHA-1 would be
    /// meant (RFC 5246 §7.4.1.4.1).
    pub(crate) fn has_signature(&self) -> bool {
        self.signatures
            .and_then(numbers)
            .is_some_and(|mut all| all.any(|it| it == ECDSA_SHA256))
    }
}

/// What a ServerHello carries.
#[derive(Clone, Debug)]
pub(crate) struct ServerHello<'a> {
    pub(crate) version: u16,
    pub(crate) random: &'a [u8; 32],
    pub(crate) session_id: &'a [u8],
    pub(crate) suite: u16,
    pub(crate) compression: u8,
    pub(crate) extensions: ServerExtensions<'a>,
}

/// The extensions of a ServerHello.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServerExtensions<'a> {
    pub(crate) server_name: bool,
    pub(crate) point_formats: Option<&'a [u8]>,
    pub(crate) client_type: Option<u8>,
    pub(crate) server_type: Option<u8>,
    pub(crate) encrypt_then_mac: bool,
    pub(crate) extended_master_secret: bool,
    pub(crate) connection_id: Option<&'a [u8]>,
    pub(crate) renegotiation_info: Option<&'a [u8]>,
}

impl<'a> ServerHello<'a> {
    pub(crate) fn read(body: &'a [u8]) -> Result<Self, Alert> {
        Self::fixed(body).ok_or(Alert::DECODE_ERROR).and_then(
            |(mut hello, extensions)| -> Result<Self, Alert> {
                hello.extensions = ServerExtensions::read(extensions)?;
                Ok(hello)
            },
        )
    }

    fn fixed(body: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let mut reader = Reader::new(body);
        let hello = Self {
            version: reader.u16()?,
            random: reader.array()?,
            session_id: reader.vec8()?,
            suite: reader.u16()?,
            compression: reader.u8()?,
            extensions: ServerExtensions::default(),
        };
        let extensions = if reader.is_empty() {
            &[]
        } else {
            reader.vec16()?
        };
        reader.end()?;
        (hello.session_id.len() <= 32).then_some((hello, extensions))
    }

    /// Appends the body.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put_u16(out, self.version);
        out.extend_from_slice(self.random);
        put_vec(out, 1, |out| out.extend_from_slice(self.session_id));
        put_u16(out, self.suite);
        out.push(self.compression);
        let at = out.len();
        put_vec(out, 2, |out| self.extensions.write(out));
        if out.len() == at + 2 {
            out.truncate(at);
        }
    }
}

impl<'a> ServerExtensions<'a> {
    /// An extension that no client of this profile asks for is an unsolicited one.
    fn read(bytes: &'a [u8]) -> Result<Self, Alert> {
        let mut found = Self::default();
        let mut unsolicited = false;
        for_each(bytes, |number, body| {
            let mut reader = Reader::new(body);
            match number {
                SERVER_NAME => found.server_name = true,
                EC_POINT_FORMATS => found.point_formats = Some(not_empty(reader.vec8()?)?),
                CLIENT_CERTIFICATE_TYPE => found.client_type = Some(reader.u8()?),
                SERVER_CERTIFICATE_TYPE => found.server_type = Some(reader.u8()?),
                ENCRYPT_THEN_MAC => found.encrypt_then_mac = true,
                EXTENDED_MASTER_SECRET => found.extended_master_secret = true,
                CONNECTION_ID => found.connection_id = Some(reader.vec8()?),
                RENEGOTIATION_INFO => found.renegotiation_info = Some(reader.vec8()?),
                _ => {
                    unsolicited = true;
                    return Some(());
                }
            }
            reader.end()
        })?;
        if unsolicited {
            return Err(Alert::UNSUPPORTED_EXTENSION);
        }
        Ok(found)
    }

    fn write(&self, out: &mut Vec<u8>) {
        if let Some(bytes) = self.renegotiation_info {
            put_extension(out, RENEGOTIATION_INFO, |out| {
                put_vec(out, 1, |out| out.extend_from_slice(bytes));
            });
        }
        if self.server_name {
            put_extension(out, SERVER_NAME, |_| ());
        }
        if self.extended_master_secret {
            put_extension(out, EXTENDED_MASTER_SECRET, |_| ());
        }
        if self.encrypt_then_mac {
            put_extension(out, ENCRYPT_THEN_MAC, |_| ());
        }
        if let Some(cid) = self.connection_id {
            put_extension(out, CONNECTION_ID, |out| {
                put_vec(out, 1, |out| out.extend_from_slice(cid));
            });
        }
        if let Some(formats) = self.point_formats {
            put_extension(out, EC_POINT_FORMATS, |out| {
                put_vec(out, 1, |out| out.extend_from_slice(formats));
            });
        }
        if let Some(kind) = self.client_type {
            put_extension(out, CLIENT_CERTIFICATE_TYPE, |out| out.push(kind));
        }
        if let Some(kind) = self.server_type {
            put_extension(out, SERVER_CERTIFICATE_TYPE, |out| out.push(kind));
        }
    }
}

/// What a client offers, to be written.
#[derive(Clone, Debug)]
pub(crate) struct Offer<'a> {
    pub(crate) random: &'a [u8; 32],
    pub(crate) session_id: &'a [u8],
    pub(crate) cookie: &'a [u8],
    pub(crate) suites: &'a [u16],
    pub(crate) server_name: Option<&'a str>,
    pub(crate) connection_id: Option<&'a [u8]>,
    /// Whether a suite with an ephemeral exchange is among the suites.
    pub(crate) curve: bool,
    /// Whether a suite with signatures is; then the type of certificate for both sides.
    pub(crate) certificate_type: Option<u8>,
    pub(crate) encrypt_then_mac: bool,
}

impl Offer<'_> {
    /// Appends the body of the ClientHello.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        put_u16(out, DTLS_1_2);
        out.extend_from_slice(self.random);
        put_vec(out, 1, |out| out.extend_from_slice(self.session_id));
        put_vec(out, 1, |out| out.extend_from_slice(self.cookie));
        put_vec(out, 2, |out| {
            for suite in self.suites {
                put_u16(out, *suite);
            }
            put_u16(out, RENEGOTIATION_SCSV);
        });
        out.extend_from_slice(&[1, 0]);
        put_vec(out, 2, |out| self.write_extensions(out));
    }

    fn write_extensions(&self, out: &mut Vec<u8>) {
        if let Some(name) = self.server_name {
            put_extension(out, SERVER_NAME, |out| {
                put_vec(out, 2, |out| {
                    out.push(0);
                    put_vec(out, 2, |out| out.extend_from_slice(name.as_bytes()));
                });
            });
        }
        put_extension(out, EXTENDED_MASTER_SECRET, |_| ());
        if self.encrypt_then_mac {
            put_extension(out, ENCRYPT_THEN_MAC, |_| ());
        }
        if let Some(cid) = self.connection_id {
            put_extension(out, CONNECTION_ID, |out| {
                put_vec(out, 1, |out| out.extend_from_slice(cid));
            });
        }
        if self.curve {
            put_extension(out, SUPPORTED_GROUPS, |out| {
                put_vec(out, 2, |out| put_u16(out, SECP256R1));
            });
            put_extension(out, EC_POINT_FORMATS, |out| out.extend_from_slice(&[1, 0]));
        }
        if let Some(kind) = self.certificate_type {
            put_extension(out, SIGNATURE_ALGORITHMS, |out| {
                put_vec(out, 2, |out| put_u16(out, ECDSA_SHA256));
            });
            // X.509 is what is meant without the extensions (RFC 7250 §4.1).
            if kind != TYPE_X509 {
                for number in [CLIENT_CERTIFICATE_TYPE, SERVER_CERTIFICATE_TYPE] {
                    put_extension(out, number, |out| out.extend_from_slice(&[1, kind]));
                }
            }
        }
    }
}

/// The cookie of a HelloVerifyRequest.
pub(crate) fn read_hello_verify_request(body: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(body);
    reader.u16()?;
    let cookie = reader.vec8()?;
    reader.end()?;
    Some(cookie)
}

/// The body of a HelloVerifyRequest. Its version is that of DTLS 1.0 whatever comes later
/// (RFC 6347 §4.2.1).
pub(crate) fn write_hello_verify_request(out: &mut Vec<u8>, cookie: &[u8]) {
    put_u16(out, 0xFEFF);
    put_vec(out, 1, |out| out.extend_from_slice(cookie));
}

fn put_extension(out: &mut Vec<u8>, number: u16, write: impl FnOnce(&mut Vec<u8>)) {
    put_u16(out, number);
    put_vec(out, 2, write);
}

/// Calls `read` for each extension. One that comes twice is refused (RFC 5246 §7.4.1.4).
fn for_each<'a>(
    bytes: &'a [u8],
    mut read: impl FnMut(u16, &'a [u8]) -> Option<()>,
) -> Result<(), Alert> {
    let mut reader = Reader::new(bytes);
    let mut seen = [0; MAX_EXTENSIONS];
    let mut count = 0;
    while !reader.is_empty() {
        let (number, body) = reader
            .u16()
            .zip(reader.vec16())
            .ok_or(Alert::DECODE_ERROR)?;
        if seen[..count].contains(&number) {
            return Err(Alert::ILLEGAL_PARAMETER);
        }
        *seen.get_mut(count).ok_or(Alert::DECODE_ERROR)? = number;
        count += 1;
        read(number, body).ok_or(Alert::DECODE_ERROR)?;
    }
    Ok(())
}

/// The host name of a ServerNameList (RFC 6066 §3): of each type there may be one.
fn read_server_name<'a>(reader: &mut Reader<'a>) -> Option<Option<&'a str>> {
    let mut names = Reader::new(not_empty(reader.vec16()?)?);
    let mut found = None;
    while !names.is_empty() {
        let kind = names.u8()?;
        let name = not_empty(names.vec16()?)?;
        if kind == 0 {
            if found.is_some() {
                return None;
            }
            found = Some(core::str::from_utf8(name).ok()?);
        }
    }
    Some(found)
}

fn not_empty(bytes: &[u8]) -> Option<&[u8]> {
    (!bytes.is_empty()).then_some(bytes)
}

fn list(bytes: &[u8]) -> Option<&[u8]> {
    numbers(bytes).map(|_| bytes)
}

//! application/vnd.oma.lwm2m+tlv (11542; Core 1.2 §7.5.5).
//!
//! ```text
//! byte 0 : bits 7-6 kind, bit 5 id length (0: 8 bit, 1: 16 bit), bits 4-3 length of length,
//!          bits 2-0 length when bits 4-3 are 0
//! next   : id (1 or 2 bytes), length (0 to 3 bytes), value
//! ```

mod read;
mod write;

pub(super) use read::Reader;
pub(super) use write::Writer;

/// The kinds, bits 7-6.
const OBJECT_INSTANCE: u8 = 0b00;
const RESOURCE_INSTANCE: u8 = 0b01;
const MULTIPLE_RESOURCE: u8 = 0b10;
const RESOURCE: u8 = 0b11;

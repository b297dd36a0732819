//! application/vnd.oma.lwm2m+cbor (11544; Core 1.2 §7.5.4).
//!
//! ```text
//! payload = map( 1* (ID : VALUE) )
//! ID      = uint / [ 1* uint ]        a gateway's device: its prefix as text, alone or first
//! VALUE   = one value / payload
//! ```
//!
//! The path of a value is made of all keys from the outside, in whatever way they are grouped. Maps
//! and arrays may be definite or indefinite.

mod read;
mod walk;
mod write;

pub(super) use read::Reader;
pub(super) use write::Writer;

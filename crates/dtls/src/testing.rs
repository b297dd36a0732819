//! A door for this crate's tests and fuzz targets: no part of the interface, without any promise.

pub use crate::crypto::{
    EphemeralKey, HASH_LENGTH, POINT_LENGTH, SharedSecret, Transcript, hmac, prf, same, sha256,
};
pub use crate::export::Exported;
pub use crate::keys::{
    CbcKeys, KeyBlock, MASTER_SECRET_LENGTH, MAX_PSK, MasterSecret, RANDOM_LENGTH, Side,
    VERIFY_DATA_LENGTH, WriteKeys, ecdhe_psk_premaster, psk_premaster,
};
pub use crate::protect::{OpenError, Protection};
pub use crate::record::{
    ContentType, HEADER_LENGTH, MAX_FRAGMENT, MAX_PLAINTEXT, MAX_SEQUENCE, Malformed, Record,
    Records, VERSION, VERSION_1_0, leading_cid, number, write_header,
};
pub use crate::replay::ReplayWindow;

//! Bytes that nobody gets to see.

use zeroize::Zeroizing;

/// A key. It is wiped from memory when it is dropped, and `Debug` shows its length alone.
#[derive(Clone)]
pub struct Secret(Zeroizing<Box<[u8]>>);

impl Secret {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        // Shrinking a vector may move it and leave the old bytes behind.
        let bytes = Zeroizing::new(bytes);
        Self(Zeroizing::new(bytes.as_slice().into()))
    }

    /// The bytes, for cryptography and for nothing else.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_its_length_alone() {
        let secret = Secret::new(b"sesame".to_vec());
        assert_eq!(format!("{secret:?}"), "Secret(6 bytes)");
        assert_eq!(secret.bytes(), b"sesame");
    }
}

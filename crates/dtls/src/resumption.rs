//! What a device keeps to resume a session.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroize;

use crate::{ImportError, Suite};

/// Bytes of a master secret (RFC 5246 §8.1).
pub(crate) const MASTER: usize = 48;

/// A session that can be resumed: its id, its suite and its master secret, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Resumption {
    pub(crate) suite: Suite,
    pub(crate) id: Box<[u8]>,
    pub(crate) master: [u8; MASTER],
}

/// The form of [`Resumption::to_bytes`].
const VERSION: u8 = 1;

impl Resumption {
    /// All of it, secret as it is, to be stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + self.id.len() + MASTER);
        out.push(VERSION);
        out.extend_from_slice(&self.suite.code().to_be_bytes());
        out.push(self.id.len() as u8);
        out.extend_from_slice(&self.id);
        out.extend_from_slice(&self.master);
        out
    }

    /// The session out of [`to_bytes`](Self::to_bytes).
    ///
    /// # Errors
    ///
    /// [`ImportError`] when the bytes are not of that form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ImportError> {
        let [version, high, low, length, rest @ ..] = bytes else {
            return Err(ImportError::Malformed);
        };
        if *version != VERSION {
            return Err(ImportError::Version);
        }
        let suite =
            Suite::from_code(u16::from_be_bytes([*high, *low])).ok_or(ImportError::Malformed)?;
        let (id, master) = rest
            .split_at_checked(usize::from(*length))
            .ok_or(ImportError::Malformed)?;
        if id.is_empty() || id.len() > 32 {
            return Err(ImportError::Malformed);
        }
        let master = master.try_into().map_err(|_| ImportError::Malformed)?;
        Ok(Self {
            suite,
            id: id.into(),
            master,
        })
    }
}

impl Drop for Resumption {
    fn drop(&mut self) {
        self.master.zeroize();
    }
}

impl fmt::Debug for Resumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resumption({:?}, ..)", self.suite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_through_bytes() {
        let resumption = Resumption {
            suite: Suite::PskAes128Ccm8,
            id: [7; 32].into(),
            master: [9; MASTER],
        };
        let bytes = resumption.to_bytes();
        assert_eq!(bytes[..5], [1, 0xC0, 0xA8, 32, 7]);
        assert_eq!(Resumption::from_bytes(&bytes), Ok(resumption));
        for end in 0..bytes.len() {
            assert!(Resumption::from_bytes(&bytes[..end]).is_err());
        }
    }
}

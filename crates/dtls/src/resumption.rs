//! What a device keeps to resume a session.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use crate::crypto::same;
use crate::keys::{MASTER_SECRET_LENGTH, MasterSecret};
use crate::{ImportError, Suite};

/// A session that can be resumed: its id, its suite and its master secret, wiped when dropped.
#[derive(Clone)]
pub struct Resumption {
    pub(crate) suite: Suite,
    pub(crate) id: Box<[u8]>,
    pub(crate) master: MasterSecret,
}

/// The form of [`Resumption::to_bytes`].
const VERSION: u8 = 1;

impl Resumption {
    /// All of it, secret as it is, to be stored.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + self.id.len() + MASTER_SECRET_LENGTH);
        out.push(VERSION);
        out.extend_from_slice(&self.suite.code().to_be_bytes());
        out.push(self.id.len() as u8);
        out.extend_from_slice(&self.id);
        out.extend_from_slice(self.master.as_bytes());
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
        let master: &[u8; MASTER_SECRET_LENGTH] =
            master.try_into().map_err(|_| ImportError::Malformed)?;
        Ok(Self {
            suite,
            id: id.into(),
            master: MasterSecret::from_bytes(*master),
        })
    }
}

impl PartialEq for Resumption {
    fn eq(&self, other: &Self) -> bool {
        self.suite == other.suite
            && self.id == other.id
            && same(self.master.as_bytes(), other.master.as_bytes())
    }
}

impl Eq for Resumption {}

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
            master: MasterSecret::from_bytes([9; MASTER_SECRET_LENGTH]),
        };
        let bytes = resumption.to_bytes();
        assert_eq!(bytes[..5], [1, 0xC0, 0xA8, 32, 7]);
        assert_eq!(Resumption::from_bytes(&bytes), Ok(resumption));
        for end in 0..bytes.len() {
            assert!(Resumption::from_bytes(&bytes[..end]).is_err());
        }
    }
}

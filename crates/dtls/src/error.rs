//! What an import says when it fails.

use core::fmt;

/// Why stored bytes are not a session that can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ImportError {
    /// They are not an export.
    Malformed,
    /// They are an export of another version of this crate.
    Version,
    /// The place of the session is taken, or beyond the bound of the table.
    Occupied,
    /// Its connection ID is not of the form that is configured.
    ConnectionId,
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not an exported session",
            Self::Version => "a session exported by another version",
            Self::Occupied => "the session's place is taken",
            Self::ConnectionId => "the session's connection ID has another form than is configured",
        })
    }
}

impl core::error::Error for ImportError {}

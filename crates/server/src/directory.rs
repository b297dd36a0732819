//! Which shard holds which endpoint, and what is wished for: shared by all shards.

/// Shared by all shards of a server: one endpoint has one registration, whichever shard it
/// arrives at.
#[derive(Debug)]
pub struct Directory {
    shards: u16,
}

impl Directory {
    /// An empty directory for so many shards; `seed` is random and keys the hash of the endpoint
    /// names.
    pub fn new(shards: u16, _seed: u64) -> Self {
        Self {
            shards: shards.max(1),
        }
    }

    /// The shard that commands about an endpoint go to: the one that holds its registration, or
    /// always the same one while it is away.
    pub fn home(&self, _endpoint: &str) -> u16 {
        self.shards - 1
    }
}

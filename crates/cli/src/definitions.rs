//! The object definitions the binary ships with.

use std::sync::Arc;

use dunlin_server::shard::{NoObjectTypes, ObjectTypes};

pub(crate) fn shipped() -> Arc<dyn ObjectTypes> {
    Arc::new(NoObjectTypes)
}

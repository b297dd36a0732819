//! A body that the control plane writes to a device block by block: too large to lie in the queue of
//! a shard as a whole, and too long to keep others from the device meanwhile.

use core::time::Duration;

use dunlin_coap::Code;
use dunlin_coap::block::Block;
use dunlin_lwm2m::{ContentFormat, Path};

/// One block of such a body: a Write (replace) of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct UploadBlock {
    /// What to write.
    pub path: Path,
    /// Format of the whole body.
    pub format: ContentFormat,
    /// Block1 option; `None` when the body fits into one message.
    pub block: Option<Block>,
    /// Size1 option.
    pub size1: Option<u32>,
    /// The block.
    pub bytes: Vec<u8>,
    /// How long to wait for the device in all, from now; also for one that sleeps.
    pub timeout: Duration,
}

/// How a device answered to a block, whatever its code.
#[derive(Clone, Debug, PartialEq)]
pub struct UploadAnswer {
    /// Its code.
    pub code: Code,
    /// Block1 of the answer. A reserved size counts as none.
    pub block: Option<Block>,
    /// Its diagnostic text, if any.
    pub diagnostic: String,
}

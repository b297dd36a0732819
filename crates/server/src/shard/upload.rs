//! Blocks of large bodies that the control plane cuts itself: each is an operation of its own, so
//! others get their turn between two of them.

use dunlin_coap::{Instant, Rng};
use dunlin_lwm2m::operation::{Operation, WriteMode};

use super::Shard;
use super::activity::{Body, Job};
use crate::api::OperateError;
use crate::upload::UploadBlock;

impl Shard {
    pub(super) fn upload(
        &mut self,
        now: Instant,
        id: u64,
        endpoint: &str,
        upload: UploadBlock,
        rng: &mut dyn Rng,
    ) {
        let Some(slot) = self.registry.find(endpoint) else {
            return self.operated(id, Err(OperateError::UnknownEndpoint));
        };
        let job = Job {
            id,
            operation: Operation::Write {
                path: upload.path,
                mode: WriteMode::Replace,
                body: Body {
                    format: upload.format,
                    bytes: upload.bytes,
                    block: Some((upload.block, upload.size1)),
                },
            },
            deadline: now + upload.timeout,
            confirmable: true,
        };
        self.enqueue(now, slot, job, rng);
    }
}

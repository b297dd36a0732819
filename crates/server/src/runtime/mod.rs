//! Threads, sockets and inboxes around the shards.

mod inbox;

pub(crate) use inbox::Inbox;

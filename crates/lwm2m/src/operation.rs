//! What the standard calls an operation, as one type for client, server, tester, REST and console
//! (Core 1.2 §6), and its one mapping to CoAP and back (Transport 1.2 §6.4).

use crate::{ContentFormat, Path};

/// Replace or Partial Update (Core 1.2 §6.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// What is not written is reset or removed (PUT).
    Replace,
    /// What is not written stays (POST).
    Update,
}

/// A body as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'a> {
    /// Its Content-Format.
    pub format: ContentFormat,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// An operation of the device management and information reporting interfaces.
///
/// `B` is a body, `T` is text: [`Payload`] and `&str` on the wire, owned records and `String` in
/// the control plane of a server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation<B, T, A> {
    /// GET.
    Read {
        /// Object, instance, resource or resource instance.
        path: Path,
        /// Format asked for.
        accept: Option<ContentFormat>,
    },
    /// GET with Accept 40.
    Discover {
        /// Object, instance or resource.
        path: Path,
        /// How many levels to list (1.2).
        depth: Option<u8>,
    },
    /// PUT or POST with a body.
    Write {
        /// Instance, resource or resource instance.
        path: Path,
        /// Replace or update.
        mode: WriteMode,
        /// What to write.
        body: B,
    },
    /// PUT with a query and without a body.
    WriteAttributes {
        /// Object, instance, resource or resource instance.
        path: Path,
        /// What to set and unset.
        attributes: A,
    },
    /// POST on a resource.
    Execute {
        /// Resource.
        path: Path,
        /// Arguments, as in `0='x',1`; empty when there are none.
        arguments: T,
    },
    /// POST on an object.
    Create {
        /// Object id.
        object: u16,
        /// Content of the new instance or instances; since 1.2 it may be missing.
        body: Option<B>,
    },
    /// DELETE.
    Delete {
        /// Instance, or resource instance (1.2).
        path: Path,
    },
    /// GET with Observe 0.
    Observe {
        /// Object, instance, resource or resource instance.
        path: Path,
        /// Format asked for.
        accept: Option<ContentFormat>,
    },
    /// GET with Observe 1.
    CancelObserve {
        /// As in the Observe.
        path: Path,
        /// As in the Observe.
        accept: Option<ContentFormat>,
    },
}

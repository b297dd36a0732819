//! The LwM2M device: objects, registration, device management and information reporting, without
//! I/O, clock or heap (OMA LwM2M 1.0, 1.1 and 1.2).
//!
//! Write an object with [`object!`], put it into [`Single`] or [`Instances`], hand the objects to a
//! [`Client`], and drive it with datagrams and time. Ready-made objects are in [`mod@objects`].
#![no_std]

#[cfg(feature = "dtls")]
extern crate alloc;

mod access;
mod account;
mod blocks;
mod client;
mod composite;
mod connection;
mod digest;
mod engine;
mod enroll;
mod event;
mod fetching;
pub mod image;
mod keys;
mod links;
mod log;
mod notify;
mod object;
pub mod objects;
mod observations;
mod observe;
mod order;
mod outbox;
mod registration;
mod report;
#[cfg(feature = "dtls")]
pub mod secure;
mod send;
mod serve;
mod servers;
mod session;
mod tree;
mod upload;
mod watch;

pub use account::Account;
pub use client::{Client, Config, Formats, Input, Output, Outputs, Profile};
pub use connection::{Connection, ConnectionFault, Context};
pub use dunlin_coap::{Code, Instant, Rng, TransmissionParameters};
pub use dunlin_lwm2m::{
    Arguments, ContentFormat, DataType, ObjectLink, ObjectVersion, Path, Value, Version, definition,
};
pub use event::{Dropped, Event, Outcome, ReportId};
/// Texts, bytes and lists of fixed capacity: what the fields of objects are made of.
pub use heapless;
pub use keys::{Bytes, FixedKeys, Keys, NoBytes, Nothing, Secret, Text};
pub use object::{
    Changes, Field, FieldError, FieldType, Instance, Instances, Multiple, Object, ObjectInstance,
    Objects, Single, Tick,
};
pub use registration::RegistrationState;
pub use send::{MemoryStorage, ReportStorage, SendError, StorageError};
pub use servers::AccountError;

#[doc(hidden)]
pub mod __private {
    pub use crate::__check_resource as check_resource;
    pub use crate::object::{Kind, check_executable, check_field, check_object};
    pub use dunlin_lwm2m::definition::ObjectDefinition;
}

/// The examples of the book compile and run.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/src/write-an-object.md")]
#[doc = include_str!("../../../docs/src/firmware-update.md")]
mod book {}

#[cfg(all(doctest, feature = "dtls"))]
#[doc = include_str!("../../../docs/src/secure-device.md")]
mod secure_device {}

#[cfg(doctest)]
#[doc = include_str!("../../../docs/src/device-guide.md")]
mod device_guide {}

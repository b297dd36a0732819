//! What a client tells its application.

use core::fmt;

use dunlin_coap::{Code, Instant};
use dunlin_lwm2m::{Path, Version};

use crate::connection::{ConnectionFault, Context};

/// What a client tells its application.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// The server accepted the registration; see [`Client::location`](crate::Client::location).
    Registered {
        /// The Short Server ID.
        server: u16,
        /// The version agreed on.
        version: Version,
    },
    /// A Register failed.
    RegistrationFailed {
        /// The Short Server ID.
        server: u16,
        /// The server's answer; `None` when there was none.
        code: Option<Code>,
        /// When the next attempt follows; `None` when there is none.
        retry_at: Option<Instant>,
        /// Whether the account asks for a new bootstrap: the server refused, or every attempt
        /// failed, and `/1/x/16` is not `false`.
        bootstrap: bool,
    },
    /// The server accepted an Update.
    Updated {
        /// The Short Server ID.
        server: u16,
    },
    /// An Update failed; a new Register follows.
    UpdateFailed {
        /// The Short Server ID.
        server: u16,
        /// The server's answer; `None` when there was none.
        code: Option<Code>,
    },
    /// An association with the server stands (DTLS).
    Connected {
        /// The Short Server ID.
        server: u16,
        /// How it came about.
        context: Context,
    },
    /// An association with the server did not come about.
    ConnectionFailed {
        /// The Short Server ID.
        server: u16,
        /// Why.
        fault: ConnectionFault,
        /// When it is tried again, if there is something to say then; `None` when it is not.
        retry_at: Option<Instant>,
        /// Whether the account asks for a new bootstrap: trying again is in vain, or every attempt
        /// failed, and `/1/x/16` is not `false`.
        bootstrap: bool,
    },
    /// The association with the server ended.
    ConnectionClosed {
        /// The Short Server ID.
        server: u16,
        /// Why.
        fault: ConnectionFault,
    },
    /// The device has left the server, or did not get an answer to saying so.
    Deregistered {
        /// The Short Server ID.
        server: u16,
    },
    /// A request of the server was answered.
    Request {
        /// The Short Server ID.
        server: u16,
        /// The name the standard gives the operation; "Request" for what is none.
        operation: &'static str,
        /// Where.
        path: Path,
        /// The answer.
        code: Code,
    },
    /// A notification was sent. [`Event::Delivery`] tells its end.
    Notified {
        /// The Short Server ID.
        server: u16,
        /// Names it in [`Event::Delivery`].
        id: ReportId,
        /// What is observed.
        path: Path,
        /// 2.05, or the error that ends the observation.
        code: Code,
        /// Whether it asks for an acknowledgement.
        confirmable: bool,
    },
    /// A notification fell due while the server could not be told, and waits (`/1/x/6`).
    NotificationStored {
        /// The Short Server ID.
        server: u16,
        /// Names it in [`Event::Delivery`].
        id: ReportId,
        /// What is observed.
        path: Path,
    },
    /// A notification or Send has come to its end, which it does exactly once.
    Delivery {
        /// The Short Server ID.
        server: u16,
        /// Which.
        id: ReportId,
        /// What became of it.
        outcome: Outcome,
    },
    /// An observation ended without a word from this device: the server rejected a notification
    /// or did not acknowledge it.
    ObservationLost {
        /// The Short Server ID.
        server: u16,
        /// What was observed.
        path: Path,
    },
    /// With queue mode: the device has listened long enough and may sleep until
    /// [`Client::next_timeout`](crate::Client::next_timeout).
    /// [`Client::update`](crate::Client::update) wakes the servers' interest again.
    MaySleep,
    /// `/3/0/4` was executed and answered, or new firmware starts with a reboot: reboot, then begin
    /// anew with [`Client::connect`](crate::Client::connect).
    Reboot,
    /// `/3/0/5` was executed and answered.
    FactoryReset,
}

impl Event {
    /// The Short Server ID of the server it is about; `None` for what concerns the device.
    pub const fn server(&self) -> Option<u16> {
        match self {
            Self::Connected { server, .. }
            | Self::ConnectionFailed { server, .. }
            | Self::ConnectionClosed { server, .. }
            | Self::Registered { server, .. }
            | Self::RegistrationFailed { server, .. }
            | Self::Updated { server }
            | Self::UpdateFailed { server, .. }
            | Self::Deregistered { server }
            | Self::Request { server, .. }
            | Self::Notified { server, .. }
            | Self::NotificationStored { server, .. }
            | Self::Delivery { server, .. }
            | Self::ObservationLost { server, .. } => Some(*server),
            Self::MaySleep | Self::Reboot | Self::FactoryReset => None,
        }
    }
}

/// Names a notification or a Send from when it is due until it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportId(pub(crate) u32);

impl fmt::Display for ReportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a notification or a Send ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server has it: it acknowledged the notification, or answered the Send with 2.04.
    Delivered,
    /// It was sent, and whether it has arrived nobody knows: a Non-confirmable notification, which
    /// nobody answers, or a Non-confirmable Send without an answer.
    Sent,
    /// It was sent, and the server refused it or did not answer.
    Failed {
        /// The answer of the server to a Send, if it has one; `None` as well for a reset.
        code: Option<Code>,
    },
    /// It was not sent: there was no room to store it, or it must not be sent any more.
    Dropped,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered => f.write_str("delivered"),
            Self::Sent => f.write_str("sent"),
            Self::Failed { code: Some(code) } => write!(f, "failed: {code}"),
            Self::Failed { code: None } => f.write_str("failed: no answer"),
            Self::Dropped => f.write_str("dropped"),
        }
    }
}

/// What was dropped above the message layer; see also [`Client::stats`](crate::Client::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Datagrams from others than the servers.
    pub foreign: u32,
    /// Datagrams while offline.
    pub offline: u32,
    /// Requests before the answer to Register (Core 1.2 §6.2.1), or after a De-register.
    pub unregistered: u32,
    /// Samples recorded for a Send that had to go because there was no room.
    pub samples: u32,
    /// Events that nobody fetched in time.
    pub events: u32,
}

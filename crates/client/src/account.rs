//! A look at one server account.

use core::fmt;
use core::net::SocketAddr;

use dunlin_coap::Instant;
use dunlin_lwm2m::{Path, Version};

use crate::connection::Connection;
use crate::objects::Server;
use crate::registration::{Registration, RegistrationState};
use crate::watch::Watch;

/// How things stand with one server; see [`Client::account`](crate::Client::account).
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    pub(crate) server: &'a Server,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) connection: Connection,
    pub(crate) registration: &'a Registration,
    pub(crate) watches: &'a [Watch],
}

impl<'a> Account<'a> {
    /// The Short Server ID (`/1/x/0`).
    pub const fn short_server_id(&self) -> u16 {
        self.server.short_server_id
    }

    /// The instance of the Server object.
    pub const fn server(&self) -> &'a Server {
        self.server
    }

    /// Where the registration stands.
    pub fn state(&self) -> RegistrationState {
        self.registration.state()
    }

    /// The version in use.
    pub fn version(&self) -> Version {
        self.registration.version()
    }

    /// The server's address; `None` before it was connected to.
    pub const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// How the server is reached, and whether a security layer has to do something.
    pub const fn connection(&self) -> Connection {
        self.connection
    }

    /// When the server will have forgotten the registration; `None` for never, or without one.
    pub fn expires(&self) -> Option<Instant> {
        self.registration.expires()
    }

    /// The path the server gave the registration, as in `/rd/5a3f`.
    pub const fn location(&self) -> impl fmt::Display + use<'a> {
        DisplayLocation(self.registration)
    }

    /// The paths the server observes, those of composite observations one by one.
    pub fn observed(&self) -> impl Iterator<Item = Path> + use<'a> {
        self.watches.iter().map(|watch| watch.path)
    }
}

struct DisplayLocation<'a>(&'a Registration);

impl fmt::Display for DisplayLocation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in self.0.location.segments() {
            f.write_str("/")?;
            for chunk in segment.utf8_chunks() {
                f.write_str(chunk.valid())?;
            }
        }
        Ok(())
    }
}

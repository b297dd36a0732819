//! Cookies: whoever sends one back receives at the address it sends from, and no state was needed
//! to know that (RFC 6347 §4.2.1).

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use dunlin_coap::{Instant, Rng};
use zeroize::Zeroizing;

use crate::crypto::{hmac, same};
use crate::handshake::hello::ClientHello;

/// How long a secret makes cookies; it accepts them for as long again.
const LIFETIME: Duration = Duration::from_secs(60);

/// Bytes of a cookie.
pub(super) const LENGTH: usize = 16;

type Key = Zeroizing<[u8; 32]>;

/// The secrets behind the cookies.
pub(super) struct Cookies {
    current: Key,
    previous: Key,
    since: Option<Instant>,
}

impl Cookies {
    pub(super) fn new(rng: &mut dyn Rng) -> Self {
        Self {
            current: draw(rng),
            previous: draw(rng),
            since: None,
        }
    }

    /// Changes the secret when it is old.
    pub(super) fn rotate(&mut self, now: Instant, rng: &mut dyn Rng) {
        let since = *self.since.get_or_insert(now);
        if now < since + LIFETIME {
            return;
        }
        let fresh = draw(rng);
        self.previous = core::mem::replace(&mut self.current, fresh);
        if now >= since + LIFETIME * 2 {
            // Nothing came for so long that the other one is too old as well.
            self.previous = draw(rng);
        }
        self.since = Some(now);
    }

    pub(super) fn make(&self, from: SocketAddr, hello: &ClientHello<'_>) -> [u8; LENGTH] {
        cookie(&self.current, from, hello)
    }

    pub(super) fn check(&self, from: SocketAddr, hello: &ClientHello<'_>) -> bool {
        hello.cookie.len() == LENGTH
            && [&self.current, &self.previous]
                .iter()
                .any(|key| same(&cookie(key, from, hello), hello.cookie))
    }
}

impl core::fmt::Debug for Cookies {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Cookies(..)")
    }
}

fn draw(rng: &mut dyn Rng) -> Key {
    let mut key = Zeroizing::new([0; 32]);
    rng.fill(key.as_mut_slice());
    key
}

fn cookie(key: &Key, from: SocketAddr, hello: &ClientHello<'_>) -> [u8; LENGTH] {
    let ip = match from.ip() {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    let parts = hello.parts();
    // With the lengths in front nothing can move from one part to the next.
    let mut lengths = [0; 10];
    for (length, part) in lengths.chunks_mut(2).zip(&parts) {
        length.copy_from_slice(&(part.len() as u16).to_be_bytes());
    }
    let mac = hmac(
        key.as_slice(),
        &[
            &ip.octets(),
            &from.port().to_be_bytes(),
            &hello.version.to_be_bytes(),
            &lengths,
            parts[0],
            parts[1],
            parts[2],
            parts[3],
            parts[4],
        ],
    );
    let mut out = [0; LENGTH];
    out.copy_from_slice(&mac[..LENGTH]);
    out
}

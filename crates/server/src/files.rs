//! Files that devices may fetch over CoAP: one for each offer, below a path that cannot be guessed.
//!
//! The control plane offers and takes back; shards look an offer up for each request. The bytes of
//! a file never change and are shared by all of its offers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// A file offered to one device.
#[derive(Debug)]
pub struct Offer {
    /// Last segment of the path.
    pub name: Box<str>,
    /// The content.
    pub bytes: Arc<[u8]>,
    /// Tells this content from any other (RFC 7252 §5.10.6).
    pub etag: [u8; 8],
    served: AtomicU64,
}

impl Offer {
    /// An offer of which nothing has been fetched yet.
    pub fn new(name: &str, bytes: Arc<[u8]>, etag: [u8; 8]) -> Self {
        Self {
            name: name.into(),
            bytes,
            etag,
            served: AtomicU64::new(0),
        }
    }

    /// How far the device has fetched it, in bytes: the end of the last block it asked for.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }

    pub(crate) fn serve(&self, end: usize) {
        self.served.store(end as u64, Ordering::Relaxed);
    }
}

/// Everything on offer, by token.
#[derive(Debug, Default)]
pub struct Files {
    offers: RwLock<HashMap<Box<str>, Arc<Offer>>>,
}

impl Files {
    /// Offers a file at `/fw/TOKEN/NAME`.
    pub fn offer(&self, token: &str, offer: Arc<Offer>) {
        let mut offers = self.offers.write().unwrap_or_else(PoisonError::into_inner);
        offers.insert(token.into(), offer);
    }

    /// Takes an offer back.
    pub fn withdraw(&self, token: &str) {
        let mut offers = self.offers.write().unwrap_or_else(PoisonError::into_inner);
        offers.remove(token);
    }

    /// The offer at this path.
    pub(crate) fn get(&self, token: &[u8], name: &[u8]) -> Option<Arc<Offer>> {
        let token = str::from_utf8(token).ok()?;
        let offers = self.offers.read().unwrap_or_else(PoisonError::into_inner);
        let offer = offers.get(token)?;
        (offer.name.as_bytes() == name).then(|| Arc::clone(offer))
    }
}

//! The memory an endpoint is lent.

use super::{ExchangeSlot, SeenSlot};

/// Memory lent to an [`Endpoint`](crate::Endpoint): its four arrays.
///
/// Implemented by [`FixedStorage`] (arrays, no heap) and by [`SliceStorage`] (whatever the caller
/// owns: boxed slices, vectors, borrowed slices).
pub trait Storage<P> {
    /// The slots of open exchanges.
    fn exchanges(&self) -> &[ExchangeSlot<P>];

    /// The stored datagrams of open exchanges; see [`Parts::datagrams`].
    fn datagrams(&self) -> &[u8];

    /// All four arrays.
    fn parts(&mut self) -> Parts<'_, P>;
}

/// The four arrays of a [`Storage`]. Their lengths must not change.
#[derive(Debug)]
pub struct Parts<'s, P> {
    /// One slot for each exchange that may be open at a time.
    pub exchanges: &'s mut [ExchangeSlot<P>],
    /// One slot for each message of a peer that is remembered, so that a repetition is
    /// recognized. A message is remembered for EXCHANGE_LIFETIME, so room for 247 seconds of
    /// messages forgets none too early.
    pub seen: &'s mut [SeenSlot<P>],
    /// Split evenly among the exchanges; a share is the longest datagram that can be sent
    /// (1152 bytes without knowledge of the path, RFC 7252 §4.6).
    pub datagrams: &'s mut [u8],
    /// Ring of the latest answers to CON requests, for repetitions.
    pub replies: &'s mut [u8],
}

/// Arrays inside the endpoint: no heap.
///
/// `CHUNK` is the longest datagram in bytes, `REPLIES` the bytes of the ring of answers.
#[derive(Clone, Debug)]
pub struct FixedStorage<
    P,
    const EXCHANGES: usize,
    const SEEN: usize,
    const CHUNK: usize,
    const REPLIES: usize,
> {
    exchanges: [ExchangeSlot<P>; EXCHANGES],
    seen: [SeenSlot<P>; SEEN],
    datagrams: [[u8; CHUNK]; EXCHANGES],
    replies: [u8; REPLIES],
}

impl<P, const EXCHANGES: usize, const SEEN: usize, const CHUNK: usize, const REPLIES: usize>
    FixedStorage<P, EXCHANGES, SEEN, CHUNK, REPLIES>
{
    /// Empty arrays.
    pub const EMPTY: Self = Self {
        exchanges: [const { ExchangeSlot::EMPTY }; EXCHANGES],
        seen: [const { SeenSlot::EMPTY }; SEEN],
        datagrams: [[0; CHUNK]; EXCHANGES],
        replies: [0; REPLIES],
    };
}

impl<P, const EXCHANGES: usize, const SEEN: usize, const CHUNK: usize, const REPLIES: usize> Default
    for FixedStorage<P, EXCHANGES, SEEN, CHUNK, REPLIES>
{
    fn default() -> Self {
        Self::EMPTY
    }
}

impl<P, const EXCHANGES: usize, const SEEN: usize, const CHUNK: usize, const REPLIES: usize>
    Storage<P> for FixedStorage<P, EXCHANGES, SEEN, CHUNK, REPLIES>
{
    fn exchanges(&self) -> &[ExchangeSlot<P>] {
        &self.exchanges
    }

    fn datagrams(&self) -> &[u8] {
        self.datagrams.as_flattened()
    }

    fn parts(&mut self) -> Parts<'_, P> {
        Parts {
            exchanges: &mut self.exchanges,
            seen: &mut self.seen,
            datagrams: self.datagrams.as_flattened_mut(),
            replies: &mut self.replies,
        }
    }
}

/// Arrays that the caller owns.
///
/// ```
/// use dunlin_coap::{ExchangeSlot, SeenSlot, SliceStorage};
/// let storage = SliceStorage {
///     exchanges: vec![ExchangeSlot::<u32>::EMPTY; 100],
///     seen: vec![SeenSlot::<u32>::EMPTY; 4096],
///     datagrams: vec![0_u8; 100 * 1152],
///     replies: vec![0_u8; 64 * 1024],
/// };
/// # let _ = storage;
/// ```
#[derive(Clone, Debug)]
pub struct SliceStorage<X, D, T, R> {
    /// See [`Parts::exchanges`].
    pub exchanges: X,
    /// See [`Parts::seen`].
    pub seen: D,
    /// See [`Parts::datagrams`].
    pub datagrams: T,
    /// See [`Parts::replies`].
    pub replies: R,
}

impl<P, X, D, T, R> Storage<P> for SliceStorage<X, D, T, R>
where
    X: AsRef<[ExchangeSlot<P>]> + AsMut<[ExchangeSlot<P>]>,
    D: AsMut<[SeenSlot<P>]>,
    T: AsRef<[u8]> + AsMut<[u8]>,
    R: AsMut<[u8]>,
{
    fn exchanges(&self) -> &[ExchangeSlot<P>] {
        self.exchanges.as_ref()
    }

    fn datagrams(&self) -> &[u8] {
        self.datagrams.as_ref()
    }

    fn parts(&mut self) -> Parts<'_, P> {
        Parts {
            exchanges: self.exchanges.as_mut(),
            seen: self.seen.as_mut(),
            datagrams: self.datagrams.as_mut(),
            replies: self.replies.as_mut(),
        }
    }
}

//! What is going on with a device beyond its registration: operations that wait, the one request
//! in flight (NSTART = 1), observations. An idle device has none of this.

use core::time::Duration;
use std::collections::VecDeque;

use dunlin_coap::block::{Block, BlockSize};
use dunlin_coap::{ExchangeId, Freshness, Instant, Token};
use dunlin_lwm2m::operation::{Operation, Payload, WireOperation};
use dunlin_lwm2m::{ContentFormat, OwnedRecord, WriteAttributes};

use super::prepare;
use super::wheel::NONE;
use crate::api::{Observed, Wish, WishState};

/// A body that has been written in its format.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) format: ContentFormat,
    pub(super) bytes: Vec<u8>,
    /// It is one block of a body that the control plane cuts itself: Block1 and Size1.
    pub(super) block: Option<(Option<Block>, Option<u32>)>,
}

/// An operation ready to be sent.
pub(super) type Prepared = Operation<Body, String, WriteAttributes>;

/// The operation as it stands in the request.
pub(super) fn wire(prepared: &Prepared) -> WireOperation<'_> {
    fn payload(body: &Body) -> Payload<'_> {
        Payload {
            format: body.format,
            bytes: &body.bytes,
        }
    }
    match *prepared {
        Operation::Read { path, accept } => Operation::Read { path, accept },
        Operation::Discover { path, depth } => Operation::Discover { path, depth },
        Operation::Write {
            path,
            mode,
            ref body,
        } => Operation::Write {
            path,
            mode,
            body: payload(body),
        },
        Operation::WriteAttributes { path, attributes } => {
            Operation::WriteAttributes { path, attributes }
        }
        Operation::Execute {
            path,
            ref arguments,
        } => Operation::Execute { path, arguments },
        Operation::Create { object, ref body } => Operation::Create {
            object,
            body: body.as_ref().map(payload),
        },
        Operation::Delete { path } => Operation::Delete { path },
        Operation::Observe {
            path,
            accept,
            parameters,
        } => Operation::Observe {
            path,
            accept,
            parameters,
        },
        Operation::CancelObserve {
            path,
            accept,
            parameters,
        } => Operation::CancelObserve {
            path,
            accept,
            parameters,
        },
        Operation::ReadComposite { ref paths, accept } => Operation::ReadComposite {
            paths: payload(paths),
            accept,
        },
        Operation::WriteComposite { ref body } => Operation::WriteComposite {
            body: payload(body),
        },
        Operation::ObserveComposite {
            ref paths,
            accept,
            parameters,
        } => Operation::ObserveComposite {
            paths: payload(paths),
            accept,
            parameters,
        },
        Operation::CancelObserveComposite {
            ref paths,
            accept,
            parameters,
        } => Operation::CancelObserveComposite {
            paths: payload(paths),
            accept,
            parameters,
        },
    }
}

/// An operation that somebody waits for.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: u64,
    pub(super) operation: Prepared,
    pub(super) deadline: Instant,
    pub(super) confirmable: bool,
}

/// Why a request is in flight.
#[derive(Debug)]
pub(super) enum Task {
    /// Somebody waits for the outcome.
    Operate(u64),
    /// An operation of the queue, and which attempt it is.
    Queued(u64, u32),
    /// The attributes of a wish, before its observation, at the target of this number.
    Attributes(u64, u16),
    /// The observation of a wish.
    Observe(u64),
    /// The blocks of a notification behind the first.
    Fetch(u64),
    /// The end of an observation whose wish was dropped.
    Cancel,
}

impl Task {
    /// Whether the shard does it of its own accord, which is paced.
    pub(super) const fn is_own(&self) -> bool {
        !matches!(self, Self::Operate(_) | Self::Queued(..))
    }
}

/// The request in flight, or between two blocks.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) task: Task,
    pub(super) operation: Prepared,
    pub(super) deadline: Instant,
    pub(super) confirmable: bool,
    pub(super) exchange: Option<ExchangeId>,
    pub(super) token: Token,
    /// Bytes of the body that the device has taken.
    pub(super) sent: usize,
    /// Size of the blocks of the body.
    pub(super) size: BlockSize,
    pub(super) gathered: Gathered,
    /// Tick of the last request, not counting retransmissions.
    pub(super) begun: u32,
    /// Seconds of silence of the device before the first request.
    pub(super) idle: u32,
}

/// Tick of a request that was not sent.
const UNSENT: u32 = u32::MAX;

impl Current {
    pub(super) fn new(task: Task, operation: Prepared, deadline: Instant) -> Self {
        Self {
            task,
            operation,
            deadline,
            confirmable: true,
            exchange: None,
            token: Token::default(),
            sent: 0,
            size: BlockSize::MAX,
            gathered: Gathered::default(),
            begun: UNSENT,
            idle: 0,
        }
    }

    /// Whether nothing of it was ever sent.
    pub(super) const fn is_unsent(&self) -> bool {
        self.begun == UNSENT
    }
}

/// An answer that comes in blocks.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) bytes: Vec<u8>,
    pub(super) etag: Vec<u8>,
    pub(super) size: BlockSize,
    pub(super) observe: Option<u32>,
    pub(super) restarts: u8,
}

/// What an observation needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Nothing,
    /// Write the attributes at the target of this number, then at the next, then observe.
    Attributes(u16),
    Observe,
    /// Fetch the rest of a notification.
    Fetch,
}

/// A wish of a registered device.
#[derive(Debug)]
pub(super) struct Observation {
    pub(super) wish: u64,
    pub(super) observed: Observed,
    pub(super) state: WishState,
    pub(super) need: Need,
    /// No answer came, or one that may be another soon: to be tried again at the next Update.
    pub(super) retry: bool,
    /// Answers of the latter kind since the device last observed it.
    pub(super) put_off: u8,
    pub(super) token: Option<Token>,
    pub(super) accept: Option<ContentFormat>,
    /// The path list of an Observe-Composite as it was sent.
    pub(super) list: Option<Body>,
    pub(super) freshness: Freshness,
    /// When the device reported last.
    pub(super) reported: Instant,
    pub(super) partial: Option<(Gathered, Option<u16>)>,
    pub(super) records: Vec<OwnedRecord>,
    pub(super) updated_at: Option<f64>,
}

impl Observation {
    pub(super) fn new(wish: u64, observed: Observed) -> Self {
        let need = first_need(&observed);
        Self {
            wish,
            observed,
            state: WishState::Pending,
            need,
            retry: false,
            put_off: 0,
            token: None,
            accept: None,
            list: None,
            freshness: Freshness::default(),
            reported: Instant::ZERO,
            partial: None,
            records: Vec::new(),
            updated_at: None,
        }
    }

    /// How long the device may be silent: `pmax`, and a day in any case, since at least one
    /// notification a day is a CON (RFC 7641 §4.5).
    pub(super) fn longest_silence(&self) -> Duration {
        let Observed {
            attributes,
            parameters,
            ..
        } = &self.observed;
        let attributes = if parameters.is_empty() {
            attributes
        } else {
            parameters
        };
        let pmax = attributes
            .iter()
            .find(|(name, _)| name == "pmax")
            .and_then(|(_, value)| *value)
            .filter(|pmax| *pmax > 0.0 && *pmax < 86_400.0);
        Duration::from_secs(pmax.map_or(86_400, |pmax| pmax as u64))
    }

    /// Begins anew, for example because the device may have lost it.
    pub(super) fn restart(&mut self) {
        self.state = WishState::Pending;
        self.need = first_need(&self.observed);
        self.retry = false;
        self.partial = None;
    }

    /// The device cannot observe it now: its table may be full of observations that nobody wants
    /// any more, because the request to cancel one was lost. The next notification of that is reset
    /// and makes room, so it is tried again; not for ever.
    pub(super) fn put_off(&mut self, why: String) {
        const TIMES: u8 = 5;
        self.put_off = self.put_off.saturating_add(1);
        let retry = self.put_off <= TIMES;
        self.fail(why, retry);
    }

    pub(super) fn fail(&mut self, why: String, retry: bool) {
        self.state = WishState::Failed(why);
        self.need = Need::Nothing;
        self.retry = retry;
        self.token = None;
        self.partial = None;
    }

    /// The request that ends it at the device: the same token, list and options (Core 1.2 §6.4.3
    /// and §6.4.5). `None` when it was never asked for.
    pub(super) fn cancellation(&self) -> Option<Cancellation> {
        let (token, accept) = (self.token?, self.accept);
        let parameters = prepare::parameters(&self.observed.parameters).ok()?;
        let operation = match &self.list {
            Some(list) => Operation::CancelObserveComposite {
                paths: list.clone(),
                accept,
                parameters,
            },
            None => Operation::CancelObserve {
                path: self.observed.path,
                accept,
                parameters,
            },
        };
        Some(Cancellation { token, operation })
    }

    pub(super) fn to_wish(&self) -> Wish {
        Wish {
            id: self.wish,
            observed: self.observed.clone(),
            state: self.state.clone(),
            records: self.records.clone(),
            updated_at: self.updated_at,
        }
    }
}

fn first_need(observed: &Observed) -> Need {
    if observed.attributes.is_empty() {
        Need::Observe
    } else {
        Need::Attributes(0)
    }
}

/// An observation to be cancelled at the device.
#[derive(Debug)]
pub(super) struct Cancellation {
    pub(super) token: Token,
    pub(super) operation: Prepared,
}

/// What is going on with one device.
#[derive(Debug)]
pub(super) struct Activity {
    pub(super) slot: u32,
    pub(super) waiting: VecDeque<Job>,
    pub(super) current: Option<Current>,
    pub(super) observations: Vec<Observation>,
    pub(super) cancellations: Vec<Cancellation>,
    /// Its queue has operations, as far as is known.
    pub(super) queued: bool,
    /// How long a device in queue mode is expected to be awake after a message, in seconds.
    pub(super) awake_time: u32,
    /// It stands in the line for a free exchange.
    pub(super) in_line: bool,
    /// It stands in the line for requests of the shard's own accord.
    pub(super) in_own_line: bool,
}

impl Activity {
    pub(super) fn observation(&mut self, wish: u64) -> Option<&mut Observation> {
        self.observations
            .iter_mut()
            .find(|observation| observation.wish == wish)
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty()
            && self.current.is_none()
            && self.observations.is_empty()
            && self.cancellations.is_empty()
            && !self.queued
            && !self.in_line
            && !self.in_own_line
    }
}

/// Every device with something going on, by index.
#[derive(Debug, Default)]
pub(super) struct Activities {
    #[expect(
        clippy::vec_box,
        reason = "most places are empty, and an activity is large"
    )]
    spare: Vec<Box<Activity>>,
    places: Vec<Option<Box<Activity>>>,
    free: Vec<u32>,
}

/// Boxes kept for use again.
const SPARE: usize = 1024;

impl Activities {
    pub(super) fn add(&mut self, slot: u32, awake_time: u32) -> u32 {
        let mut activity = self.spare.pop().unwrap_or_else(|| {
            Box::new(Activity {
                slot,
                waiting: VecDeque::new(),
                current: None,
                observations: Vec::new(),
                cancellations: Vec::new(),
                queued: false,
                awake_time,
                in_line: false,
                in_own_line: false,
            })
        });
        activity.slot = slot;
        activity.awake_time = awake_time;
        match self.free.pop() {
            Some(index) => {
                self.places[index as usize] = Some(activity);
                index
            }
            None => {
                self.places.push(Some(activity));
                (self.places.len() - 1) as u32
            }
        }
    }

    pub(super) fn get(&self, index: u32) -> Option<&Activity> {
        self.places.get(index as usize)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Activity> {
        self.places.get_mut(index as usize)?.as_deref_mut()
    }

    /// Frees the place of a device with which nothing goes on any more; returns its slot then.
    pub(super) fn free_if_idle(&mut self, index: u32) -> Option<u32> {
        if index == NONE || !self.get(index)?.is_idle() {
            return None;
        }
        let activity = self.places[index as usize].take()?;
        self.free.push(index);
        let slot = activity.slot;
        if self.spare.len() < SPARE {
            self.spare.push(activity);
        }
        Some(slot)
    }

    /// Takes a place away from a device that is gone.
    pub(super) fn remove(&mut self, index: u32) -> Option<Box<Activity>> {
        let activity = self.places.get_mut(index as usize)?.take()?;
        self.free.push(index);
        Some(activity)
    }
}

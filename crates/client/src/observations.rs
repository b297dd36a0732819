//! The observations of one server, and the paths they watch.

use dunlin_coap::{Code, Instant, Sequence, Token};
use dunlin_lwm2m::{ContentFormat, Path};
use heapless::Vec;

use crate::report::Packed;
use crate::watch::Watch;

/// One observation of the server: of one path, or of several (Observe-Composite).
#[derive(Clone, Debug)]
pub(crate) struct Observation {
    /// By which its watches know it.
    pub(crate) key: u16,
    pub(crate) token: Token,
    /// What is observed; [`Path::ROOT`] for a composite.
    pub(crate) path: Path,
    /// A digest of the paths of a composite; otherwise 0.
    pub(crate) group: u32,
    /// The last report before it.
    pub(crate) since: u32,
    /// Came with the Observe (1.2).
    pub(crate) parameters: Packed,
    /// Of the first response, and so of all (RFC 7641 §4.2).
    pub(crate) format: ContentFormat,
    /// Whether the format was asked for, to find the rest of a large notification.
    pub(crate) is_format_asked: bool,
    pub(crate) sequence: Sequence,
    /// When the last notification was sent.
    pub(crate) sent_at: Instant,
    /// When the server last showed that it is there.
    pub(crate) confirmed_at: Instant,
    /// Of the last notification, to recognize a reset.
    pub(crate) message_id: Option<u16>,
    /// The value has gone: the observation ends with this code.
    pub(crate) ends: Option<Code>,
}

impl Observation {
    /// An observation that has just been answered.
    pub(crate) fn new(
        token: Token,
        path: Path,
        group: u32,
        format: ContentFormat,
        now: Instant,
    ) -> Self {
        Self {
            key: 0,
            token,
            path,
            group,
            since: 0,
            parameters: Packed::NONE,
            is_format_asked: false,
            format,
            sequence: Sequence::default(),
            sent_at: now,
            confirmed_at: now,
            message_id: None,
            ends: None,
        }
    }

    /// The format that was asked for.
    pub(crate) fn accept(&self) -> Option<ContentFormat> {
        self.is_format_asked.then_some(self.format)
    }

    pub(crate) const fn is_composite(&self) -> bool {
        self.group != 0
    }
}

/// Up to `N` observed paths. A composite observation takes a place for each of its paths, and at
/// least one.
#[derive(Clone, Debug)]
pub(crate) struct Observations<const N: usize> {
    list: Vec<Observation, N>,
    watches: Vec<Watch, N>,
    last_key: u16,
}

impl<const N: usize> Observations<N> {
    pub(crate) const fn new() -> Self {
        Self {
            list: Vec::new(),
            watches: Vec::new(),
            last_key: 0,
        }
    }

    pub(crate) fn clear(&mut self) {
        self.list.clear();
        self.watches.clear();
    }

    pub(crate) fn get(&self, index: usize) -> Option<&Observation> {
        self.list.get(index)
    }

    pub(crate) fn get_mut(&mut self, index: usize) -> Option<&mut Observation> {
        self.list.get_mut(index)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Observation> {
        self.list.iter()
    }

    pub(crate) fn position(&self, fits: impl FnMut(&Observation) -> bool) -> Option<usize> {
        self.list.iter().position(fits)
    }

    pub(crate) fn remove(&mut self, index: usize) -> Observation {
        let observation = self.list.remove(index);
        self.watches.retain(|watch| watch.of != observation.key);
        observation
    }

    /// Adds an observation; `false`, and nothing is added, when there are not enough places.
    pub(crate) fn push(
        &mut self,
        mut observation: Observation,
        watches: impl ExactSizeIterator<Item = Watch>,
    ) -> bool {
        if self.list.is_full() || watches.len() > N - self.watches.len() {
            return false;
        }
        loop {
            self.last_key = self.last_key.wrapping_add(1);
            if self.list.iter().all(|other| other.key != self.last_key) {
                break;
            }
        }
        observation.key = self.last_key;
        for mut watch in watches {
            watch.of = observation.key;
            let _has_room = self.watches.push(watch);
        }
        let _has_room = self.list.push(observation);
        true
    }

    /// What an observation watches.
    pub(crate) fn watches(&self, observation: &Observation) -> impl Iterator<Item = &Watch> {
        let of = observation.key;
        self.watches.iter().filter(move |watch| watch.of == of)
    }

    /// Every watch.
    pub(crate) fn all(&self) -> &[Watch] {
        &self.watches
    }

    /// Every watch, to be changed.
    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut Watch> {
        self.watches.iter_mut()
    }

    /// The watch at a place, and the place of its observation.
    pub(crate) fn watch(&self, index: usize) -> Option<(&Watch, usize)> {
        let watch = self.watches.get(index)?;
        let of = self.position(|observation| observation.key == watch.of)?;
        Some((watch, of))
    }

    pub(crate) fn watch_mut(&mut self, index: usize) -> Option<&mut Watch> {
        self.watches.get_mut(index)
    }

    /// The places of an observation's watches.
    pub(crate) fn places(&self, index: usize) -> Vec<usize, N> {
        let Some(observation) = self.list.get(index) else {
            return Vec::new();
        };
        let places = self.watches.iter().enumerate();
        places
            .filter(|(_, watch)| watch.of == observation.key)
            .map(|(place, _)| place)
            .collect()
    }

    /// The paths of an observation.
    pub(crate) fn paths(&self, index: usize) -> Vec<Path, N> {
        let Some(observation) = self.list.get(index) else {
            return Vec::new();
        };
        self.watches(observation).map(|watch| watch.path).collect()
    }
}

//! A hierarchical timing wheel whose lists run through the timed things themselves.
//!
//! Six levels of 64 slots; a slot of level `n` spans 64^n ticks. A timer sits in the level of the
//! highest group of six bits in which its deadline differs from the time the wheel has reached, and
//! moves down as that time comes. Insert and remove are a few writes; nothing is allocated.

/// No node.
pub(super) const NONE: u32 = u32::MAX;
const LEVELS: usize = 6;
const SLOTS: usize = 64;
/// In `previous`: the node is the first of the bucket in the low bits.
const HEAD: u32 = 0x8000_0000;

/// The part of a timer that lives in the timed thing, beside its deadline.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    previous: u32,
    next: u32,
}

impl Link {
    /// Not in the wheel.
    pub(super) const IDLE: Self = Self {
        previous: NONE,
        next: NONE,
    };

    const fn is_armed(&self) -> bool {
        self.previous != NONE
    }
}

/// The timed things. Ids are below 2^31.
pub(super) trait Timers {
    fn link(&mut self, id: u32) -> &mut Link;

    /// The deadline in ticks; it does not change while the timer is armed.
    fn deadline(&self, id: u32) -> u32;
}

/// The wheel. Time is in ticks.
#[derive(Debug)]
pub(super) struct Wheel {
    elapsed: u32,
    occupied: [u64; LEVELS],
    heads: Box<[u32; LEVELS * SLOTS]>,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self {
            elapsed: 0,
            occupied: [0; LEVELS],
            heads: Box::new([NONE; LEVELS * SLOTS]),
        }
    }

    /// Arms a timer that is not armed. A deadline that has passed falls due with the next
    /// [`Wheel::pop`].
    pub(super) fn set(&mut self, timers: &mut impl Timers, id: u32) {
        let deadline = timers.deadline(id).max(self.elapsed);
        let different = deadline ^ self.elapsed;
        let level = (31 - (different | 1).leading_zeros()) as usize / 6;
        let slot = (deadline >> (level * 6)) as usize % SLOTS;
        let bucket = level * SLOTS + slot;
        let next = self.heads[bucket];
        self.heads[bucket] = id;
        self.occupied[level] |= 1 << slot;
        *timers.link(id) = Link {
            previous: HEAD | bucket as u32,
            next,
        };
        if next != NONE {
            timers.link(next).previous = id;
        }
    }

    /// Disarms a timer, if it is armed.
    pub(super) fn cancel(&mut self, timers: &mut impl Timers, id: u32) {
        let link = *timers.link(id);
        if !link.is_armed() {
            return;
        }
        if link.previous & HEAD != 0 {
            let bucket = (link.previous & !HEAD) as usize;
            self.heads[bucket] = link.next;
            if link.next == NONE {
                self.occupied[bucket / SLOTS] &= !(1 << (bucket % SLOTS));
            }
        } else {
            timers.link(link.previous).next = link.next;
        }
        if link.next != NONE {
            timers.link(link.next).previous = link.previous;
        }
        *timers.link(id) = Link::IDLE;
    }

    /// The first bucket that has something, and the tick at which its span begins.
    fn first(&self) -> Option<(usize, u32)> {
        // A lower level always comes before a higher one: all its deadlines agree with the present
        // in the higher bits.
        (0..LEVELS).find_map(|level| {
            let occupied = self.occupied[level];
            if occupied == 0 {
                return None;
            }
            let slot = occupied.trailing_zeros() as usize;
            let shift = level * 6;
            let above = u64::from(self.elapsed) >> (shift + 6) << (shift + 6);
            let start = above | (slot as u64) << shift;
            Some((level * SLOTS + slot, start as u32))
        })
    }

    /// When something falls due at the earliest; for a distant timer this may be too early.
    pub(super) fn next(&self) -> Option<u32> {
        self.first().map(|(_, tick)| tick.max(self.elapsed))
    }

    /// Takes out one timer that is due at `now`.
    pub(super) fn pop(&mut self, timers: &mut impl Timers, now: u32) -> Option<u32> {
        while let Some((bucket, start)) = self.first() {
            if start > now {
                break;
            }
            self.elapsed = self.elapsed.max(start);
            if bucket < SLOTS {
                let id = self.heads[bucket];
                self.cancel(timers, id);
                return Some(id);
            }
            let mut id = core::mem::replace(&mut self.heads[bucket], NONE);
            self.occupied[bucket / SLOTS] &= !(1 << (bucket % SLOTS));
            while id != NONE {
                let next = timers.link(id).next;
                self.set(timers, id);
                id = next;
            }
        }
        self.elapsed = self.elapsed.max(now);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Table(Vec<(Link, u32)>);

    impl Timers for Table {
        fn link(&mut self, id: u32) -> &mut Link {
            &mut self.0[id as usize].0
        }

        fn deadline(&self, id: u32) -> u32 {
            self.0[id as usize].1
        }
    }

    fn set(wheel: &mut Wheel, table: &mut Table, id: u32, deadline: u32) {
        wheel.cancel(table, id);
        table.0[id as usize].1 = deadline;
        wheel.set(table, id);
    }

    /// Drives the wheel only by its own `next`, against a plain list of deadlines.
    #[test]
    fn timers_fall_due_in_their_tick_whatever_the_distance() {
        let mut nodes = Table(vec![(Link::IDLE, 0); 400]);
        let mut wheel = Wheel::new();
        let mut seed = 7_u64;
        let mut random = move || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as u32
        };
        let mut expected: Vec<Option<u32>> = vec![None; 400];
        let mut now = 0;
        let mut fired = 0;
        for round in 0..20_000 {
            let id = random() % 400;
            match random() % 4 {
                0 => {
                    wheel.cancel(&mut nodes, id);
                    expected[id as usize] = None;
                }
                _ => {
                    let distance = random() >> (random() % 31);
                    let deadline = now + distance % 50_000_000;
                    set(&mut wheel, &mut nodes, id, deadline);
                    expected[id as usize] = Some(deadline);
                }
            }
            if round % 3 == 0 {
                let Some(next) = wheel.next() else { continue };
                let first = expected.iter().flatten().min().copied().expect("armed");
                assert!(next <= first, "woken too late: {next} > {first}");
                now = next;
                while let Some(id) = wheel.pop(&mut nodes, now) {
                    assert_eq!(expected[id as usize].take(), Some(now), "not in its tick");
                    fired += 1;
                }
                assert!(expected.iter().flatten().all(|deadline| *deadline > now));
            }
        }
        assert!(fired > 1000, "{fired}");
    }

    #[test]
    fn a_deadline_in_the_past_falls_due_at_once() {
        let mut nodes = Table(vec![(Link::IDLE, 0); 2]);
        let mut wheel = Wheel::new();
        assert_eq!(wheel.pop(&mut nodes, 5000), None);
        set(&mut wheel, &mut nodes, 0, 10);
        set(&mut wheel, &mut nodes, 1, u32::MAX);
        assert_eq!(wheel.next(), Some(5000));
        assert_eq!(wheel.pop(&mut nodes, 5000), Some(0));
        assert_eq!(wheel.pop(&mut nodes, 5000), None);
        assert_eq!(wheel.pop(&mut nodes, u32::MAX), Some(1));
        assert_eq!(wheel.next(), None);
    }
}

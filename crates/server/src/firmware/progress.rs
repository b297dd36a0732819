//! Whether a download goes on, by how far the device has fetched the image.

/// How often it may begin again, after a restart of the device for example. A device that asks for
/// this block and that in turn gets nowhere.
const DROPS: u8 = 16;

/// The way of one download.
#[derive(Debug)]
pub(super) struct Progress {
    furthest: u64,
    last: u64,
    drops: u8,
}

impl Progress {
    /// So many bytes have been fetched before.
    pub(super) const fn from(fetched: u64) -> Self {
        Self {
            furthest: fetched,
            last: fetched,
            drops: 0,
        }
    }

    /// The device has asked for the image up to here; whether that brings it further.
    pub(super) fn reached(&mut self, served: u64) -> bool {
        if served < self.last && self.drops < DROPS {
            self.drops += 1;
            self.furthest = 0;
        }
        self.last = served;
        let is_further = served > self.furthest;
        if is_further {
            self.furthest = served;
        }
        is_further
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_may_begin_again_but_not_swing_to_and_fro() {
        let mut progress = Progress::from(100);
        assert!(!progress.reached(100), "it stands still");
        assert!(progress.reached(200));
        assert!(progress.reached(50), "from the beginning");
        assert!(!progress.reached(50));
        assert!(
            (0..100)
                .map(|_| progress.reached(60))
                .filter(|moved| *moved)
                .count()
                == 1
        );
        let swings = (0..1000).map(|round| progress.reached(70 + 30 * (round % 2)));
        assert!(swings.filter(|moved| *moved).count() < 40);
        assert!(!progress.reached(100) && progress.reached(101));
    }
}

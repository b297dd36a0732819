//! Endpoint names, packed: a length byte and the name in blocks of whole granules.

/// Bytes of a granule.
const GRANULE: usize = 8;
/// Bytes fetched from the heap at a time.
const CHUNK: usize = 64 * 1024;
const GRANULES: usize = CHUNK / GRANULE;
/// Granules of the longest name: a length byte and 255 bytes.
const CLASSES: usize = 256 / GRANULE;

/// A name in the arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Name(u32);

/// The arena. Freed blocks are used again for names of the same size class.
#[derive(Debug, Default)]
pub(super) struct Names {
    chunks: Vec<Box<[u8]>>,
    used: usize,
    free: [Vec<u32>; CLASSES],
}

impl Names {
    /// Keeps a name of at most 255 bytes; longer is `None`.
    pub(super) fn add(&mut self, name: &str) -> Option<Name> {
        let length = u8::try_from(name.len()).ok()?;
        let granules = (name.len() + 1).div_ceil(GRANULE);
        let id = match self.free[granules - 1].pop() {
            Some(id) => id,
            None => {
                if self.chunks.is_empty() || self.used + granules > GRANULES {
                    self.chunks.push(vec![0; CHUNK].into_boxed_slice());
                    self.used = 0;
                }
                let id = (self.chunks.len() - 1) * GRANULES + self.used;
                self.used += granules;
                u32::try_from(id).ok()?
            }
        };
        let block = self.block_mut(id);
        block[0] = length;
        block[1..=name.len()].copy_from_slice(name.as_bytes());
        Some(Name(id))
    }

    pub(super) fn get(&self, name: Name) -> &str {
        let id = name.0 as usize;
        let block = &self.chunks[id / GRANULES][id % GRANULES * GRANULE..];
        core::str::from_utf8(&block[1..=usize::from(block[0])]).unwrap_or_default()
    }

    pub(super) fn remove(&mut self, name: Name) {
        let granules = (self.get(name).len() + 1).div_ceil(GRANULE);
        self.free[granules - 1].push(name.0);
    }

    fn block_mut(&mut self, id: u32) -> &mut [u8] {
        let id = id as usize;
        &mut self.chunks[id / GRANULES][id % GRANULES * GRANULE..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_blocks_are_used_again() {
        let mut names = Names::default();
        let texts: Vec<String> = (0..5000).map(|i| "x".repeat(i % 256)).collect();
        let kept: Vec<Name> = texts
            .iter()
            .map(|text| names.add(text).expect("fits"))
            .collect();
        for (name, text) in kept.iter().zip(&texts) {
            assert_eq!(names.get(*name), text);
        }
        let chunks = names.chunks.len();
        for name in &kept {
            names.remove(*name);
        }
        for text in &texts {
            assert!(names.add(text).is_some());
        }
        assert_eq!(names.chunks.len(), chunks);
        assert_eq!(names.add(&"y".repeat(256)), None);
    }
}

//! Values that many devices share are kept once: fleets are alike.

use hashbrown::HashTable;

/// A value in the interner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Interned(u32);

/// What can be found by a text.
pub(super) trait Keyed {
    /// Text and qualifier that tell this value from all others.
    fn key(&self) -> (u32, &str);
}

/// Values by their text, counted.
#[derive(Debug)]
pub(super) struct Interner<T> {
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
    index: HashTable<u32>,
    seed: u64,
    bytes: usize,
    named: usize,
}

#[derive(Debug)]
enum Entry<T> {
    Used { value: T, count: u32 },
    Free,
}

impl<T: Keyed> Interner<T> {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            seed,
            bytes: 0,
            named: 0,
        }
    }

    /// Bytes of all texts.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of all texts, each as often as it is counted.
    pub(super) fn named_bytes(&self) -> usize {
        self.named
    }

    /// The value of this key, counted once more; made when there is none yet.
    pub(super) fn intern<E>(
        &mut self,
        qualifier: u32,
        text: &str,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<Interned, E> {
        let hash = hash(self.seed, qualifier, text);
        let found = self.index.find(hash, |id| {
            matches!(&self.entries[*id as usize], Entry::Used { value, .. } if value.key() == (qualifier, text))
        });
        if let Some(&id) = found {
            if let Entry::Used { count, .. } = &mut self.entries[id as usize] {
                *count += 1;
            }
            self.named += text.len();
            return Ok(Interned(id));
        }
        let value = make()?;
        let (made_qualifier, made_text) = value.key();
        let hash = self::hash(self.seed, made_qualifier, made_text);
        self.bytes += made_text.len();
        self.named += made_text.len();
        let entry = Entry::Used { value, count: 1 };
        let id = match self.free.pop() {
            Some(id) => {
                self.entries[id as usize] = entry;
                id
            }
            None => {
                self.entries.push(entry);
                (self.entries.len() - 1) as u32
            }
        };
        let (entries, seed) = (&self.entries, self.seed);
        self.index
            .insert_unique(hash, id, |id| match &entries[*id as usize] {
                Entry::Used { value, .. } => {
                    let (qualifier, text) = value.key();
                    self::hash(seed, qualifier, text)
                }
                Entry::Free => 0,
            });
        Ok(Interned(id))
    }

    pub(super) fn get(&self, id: Interned) -> &T {
        match &self.entries[id.0 as usize] {
            Entry::Used { value, .. } => value,
            Entry::Free => {
                unreachable!("an interned value is released once for each time it was interned")
            }
        }
    }

    /// Gives back one count; the value goes with the last.
    pub(super) fn release(&mut self, id: Interned) {
        let Entry::Used { value, count } = &mut self.entries[id.0 as usize] else {
            return;
        };
        *count -= 1;
        self.named -= value.key().1.len();
        if *count > 0 {
            return;
        }
        let (qualifier, text) = value.key();
        self.bytes -= text.len();
        let hash = hash(self.seed, qualifier, text);
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == id.0) {
            entry.remove();
        }
        self.entries[id.0 as usize] = Entry::Free;
        self.free.push(id.0);
    }
}

fn hash(seed: u64, qualifier: u32, text: &str) -> u64 {
    crate::directory::keyed_hash(seed ^ u64::from(qualifier), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Text(u32, String);

    impl Keyed for Text {
        fn key(&self) -> (u32, &str) {
            (self.0, &self.1)
        }
    }

    #[test]
    fn equal_values_are_kept_once_until_the_last_is_released() {
        let mut interner = Interner::new(1);
        let mut made = 0;
        let mut intern = |interner: &mut Interner<Text>, qualifier: u32, text: &str| {
            interner
                .intern(qualifier, text, || {
                    made += 1;
                    Ok::<_, ()>(Text(qualifier, text.to_owned()))
                })
                .expect("made")
        };
        let a = intern(&mut interner, 0, "a");
        assert_eq!(intern(&mut interner, 0, "a"), a);
        let other = intern(&mut interner, 1, "a");
        assert_ne!(other, a);
        assert_eq!((interner.bytes(), interner.named_bytes()), (2, 3));
        interner.release(a);
        assert_eq!(interner.get(a).1, "a");
        interner.release(a);
        assert_eq!((interner.bytes(), interner.named_bytes()), (1, 1));
        let b = intern(&mut interner, 0, "b");
        assert_eq!(b, a, "the place is used again");
        assert_eq!(interner.get(other).1, "a");
        for i in 0..1000 {
            let id = intern(&mut interner, 2, &i.to_string());
            assert_eq!(interner.get(id).1, i.to_string());
        }
        assert_eq!(made, 1003);
        assert_eq!(interner.intern(9, "bad", || Err("refused")), Err("refused"));
    }
}

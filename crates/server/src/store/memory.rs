//! A store that forgets: for `--memory`, demos and tests.

use crate::store::{Change, Store, StoreError, Stored};

/// Keeps nothing; everything is "durable" at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryStore;

impl Store for MemoryStore {
    fn load(&mut self, _visit: &mut dyn FnMut(Stored)) -> Result<(), StoreError> {
        Ok(())
    }

    fn commit(&mut self, _changes: &[Change]) -> Result<(), StoreError> {
        Ok(())
    }

    fn keeps(&self) -> bool {
        false
    }

    fn first_event(&mut self) -> Result<u64, StoreError> {
        Ok(1)
    }

    fn reserve_events(&mut self, _first: u64) -> Result<(), StoreError> {
        Ok(())
    }
}

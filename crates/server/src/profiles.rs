//! Which object list a Profile ID stands for (Core 1.2 §6.2.1), shared by all shards.
//!
//! How the hash of a dynamic id is made is not defined byte by byte, so it cannot be checked: what
//! a device said with its list is remembered for those that come without. Asked only when a device
//! registers or updates with `pid`.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Profile IDs that are remembered.
const MOST: usize = 1024;
/// Bytes of their lists.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Object lists by Profile ID; the one that was not asked for longest gives way.
#[derive(Debug, Default)]
pub(crate) struct Profiles {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    lists: HashMap<Box<str>, List>,
    bytes: usize,
    clock: u64,
}

#[derive(Debug)]
struct List {
    text: Box<str>,
    used: u64,
}

impl Profiles {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The list of an id.
    pub(crate) fn get(&self, id: &str) -> Option<String> {
        let mut known = self.known();
        known.clock += 1;
        let now = known.clock;
        let list = known.lists.get_mut(id)?;
        list.used = now;
        Some(list.text.to_string())
    }

    /// Remembers the list of an id, unless one is known: a hash stands for one list only. Returns
    /// whether it is new, and the ids that gave way to it.
    pub(crate) fn learn(&self, id: &str, text: &str) -> (bool, Vec<String>) {
        let mut known = self.known();
        let known = &mut *known;
        if known.lists.contains_key(id) || text.len() > MOST_BYTES {
            return (false, Vec::new());
        }
        known.clock += 1;
        let used = known.clock;
        known.bytes += text.len();
        let text = text.into();
        known.lists.insert(id.into(), List { text, used });
        let mut forgotten = Vec::new();
        while known.lists.len() > MOST || known.bytes > MOST_BYTES {
            let oldest = known.lists.iter().min_by_key(|(_, list)| list.used);
            let Some(oldest) = oldest.map(|(id, _)| id.clone()) else {
                break;
            };
            if let Some(list) = known.lists.remove(&oldest) {
                known.bytes -= list.text.len();
            }
            forgotten.push(oldest.into());
        }
        (true, forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_list_of_an_id_stays_and_the_longest_unused_gives_way() {
        let profiles = Profiles::default();
        assert_eq!(profiles.learn("6:0", "</3/0>"), (true, vec![]));
        assert_eq!(profiles.learn("6:0", "</1/0>"), (false, vec![]));
        assert_eq!(profiles.get("6:0").as_deref(), Some("</3/0>"));
        for number in 1..MOST {
            assert_eq!(profiles.learn(&format!("6:{number}"), "x").1, [""; 0]);
        }
        assert!(profiles.get("6:0").is_some());
        let gave_way = vec!["6:1".to_owned()];
        assert_eq!(profiles.learn("6:ff", "x"), (true, gave_way));
        assert_eq!(profiles.get("6:1"), None);
        let (new, forgotten) = profiles.learn("6:fe", &"x".repeat(MOST_BYTES - 2));
        assert!(new && forgotten.len() > 1000, "{}", forgotten.len());
        assert!(profiles.get("6:fe").is_some());
        assert!(!profiles.learn("6:fd", &"x".repeat(MOST_BYTES + 1)).0);
    }
}

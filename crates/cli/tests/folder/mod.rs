//! A folder for one test.
#![allow(missing_docs, unreachable_pub, reason = "tests")]

use std::path::PathBuf;

/// A folder that goes away at the end.
pub struct Folder(pub PathBuf);

impl Folder {
    /// An empty one. `name` tells it from those of other tests.
    pub fn new(name: &str) -> Self {
        let name = format!("dunlin-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

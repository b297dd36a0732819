//! Images in memory.

use heapless::Vec;

use super::{ImageError, ImageInfo, ImageStorage, MAX_STATE};

/// A storage of `N` bytes of memory, for small images and for tests. Every image is good, and
/// says nothing about itself; nothing outlives a reboot.
#[derive(Clone, Debug, Default)]
pub struct RamStorage<const N: usize> {
    image: Vec<u8, N>,
    state: Vec<u8, MAX_STATE>,
}

impl<const N: usize> RamStorage<N> {
    /// An empty storage.
    pub const fn new() -> Self {
        Self {
            image: Vec::new(),
            state: Vec::new(),
        }
    }

    /// What has been stored.
    pub fn image(&self) -> &[u8] {
        &self.image
    }
}

impl<const N: usize> ImageStorage for RamStorage<N> {
    fn begin(&mut self, size: Option<u32>) -> Result<(), ImageError> {
        self.image.clear();
        if size.is_some_and(|size| size as usize > N) {
            return Err(ImageError::NoStorage);
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), ImageError> {
        self.image.truncate(offset as usize);
        self.image
            .extend_from_slice(bytes)
            .map_err(|_| ImageError::NoStorage)
    }

    fn finish(&mut self, _size: u32) -> Result<ImageInfo, ImageError> {
        Ok(ImageInfo::default())
    }

    fn abort(&mut self) {
        self.image.clear();
    }

    fn stored(&self) -> u32 {
        // At most MAX_NUM blocks of 1024 bytes come.
        self.image.len() as u32
    }

    fn save(&mut self, state: &[u8]) {
        self.state = Vec::from_slice(state).unwrap_or_default();
    }

    fn load(&mut self, buffer: &mut [u8; MAX_STATE]) -> usize {
        for (to, from) in buffer.iter_mut().zip(&self.state) {
            *to = *from;
        }
        self.state.len()
    }
}

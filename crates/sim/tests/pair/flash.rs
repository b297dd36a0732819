//! The storage of the device's firmware: what a restart does not forget.

use std::cell::{Ref, RefCell, RefMut};
use std::net::IpAddr;
use std::rc::Rc;

use dunlin_client::image::{ImageError, ImageInfo, ImageStorage, MAX_STATE};
use dunlin_client::objects::{Boot, FirmwareStorage, Installation, text};

#[derive(Default)]
pub(crate) struct Cells {
    pub image: Vec<u8>,
    state: Vec<u8>,
    /// What runs; empty for what the device came with.
    pub running: Vec<u8>,
    /// How often an image was installed.
    pub installed: usize,
}

#[derive(Clone, Default)]
pub(crate) struct Flash(Rc<RefCell<Cells>>);

impl Flash {
    pub(crate) fn get(&self) -> Ref<'_, Cells> {
        self.0.borrow()
    }

    fn set(&self) -> RefMut<'_, Cells> {
        self.0.borrow_mut()
    }
}

impl ImageStorage for Flash {
    fn begin(&mut self, _size: Option<u32>) -> Result<(), ImageError> {
        self.set().image.clear();
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), ImageError> {
        let mut cells = self.set();
        assert!(offset as usize <= cells.image.len(), "a gap");
        cells.image.truncate(offset as usize);
        cells.image.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self, size: u32) -> Result<ImageInfo, ImageError> {
        assert_eq!(size as usize, self.get().image.len());
        Ok(ImageInfo {
            name: text("image"),
            version: text("2.0"),
        })
    }

    fn abort(&mut self) {
        self.set().image.clear();
    }

    fn stored(&self) -> u32 {
        self.get().image.len() as u32
    }

    fn save(&mut self, state: &[u8]) {
        self.set().state = state.to_vec();
    }

    fn load(&mut self, buffer: &mut [u8; MAX_STATE]) -> usize {
        let state = &self.get().state;
        buffer[..state.len()].copy_from_slice(state);
        state.len()
    }

    fn resolve(&mut self, _host: &str) -> Option<IpAddr> {
        None
    }

    fn unix_time(&self) -> Option<i64> {
        None
    }
}

impl FirmwareStorage for Flash {
    fn install(&mut self) -> Installation {
        let mut cells = self.set();
        cells.running = cells.image.clone();
        cells.installed += 1;
        Installation::Reboot
    }

    fn booted(&mut self) -> Boot {
        let cells = self.get();
        if cells.running == cells.image {
            Boot::New
        } else {
            // The power failed before the boot loader was told.
            Boot::Previous
        }
    }
}

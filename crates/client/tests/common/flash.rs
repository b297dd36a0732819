//! A storage for firmware whose faults and moods a test chooses. It is shared, as flash is: what
//! is in it outlives the object that uses it.

use std::cell::{Ref, RefCell, RefMut};
use std::net::IpAddr;
use std::rc::Rc;

use dunlin_client::image::{ImageError, ImageInfo, ImageStorage, MAX_STATE};
use dunlin_client::objects::{Boot, FirmwareStorage, Installation, text};

#[derive(Clone, Default)]
pub struct Flash(Rc<RefCell<Cells>>);

/// What images do is decided by their first byte: `C` is corrupt, `T` of an unknown type.
pub struct Cells {
    pub image: Vec<u8>,
    pub state: Vec<u8>,
    pub capacity: usize,
    /// More than so many bytes make the device run out of memory.
    pub memory: usize,
    pub announced: Option<u32>,
    pub installation: Installation,
    pub boot: Boot,
    pub is_willing: bool,
    pub time: Option<i64>,
    pub keeps_on_rollback: bool,
    /// What happened, in order.
    pub log: Vec<String>,
}

impl Default for Cells {
    fn default() -> Self {
        Self {
            image: Vec::new(),
            state: Vec::new(),
            capacity: 1 << 20,
            memory: 1 << 20,
            announced: None,
            installation: Installation::Reboot,
            boot: Boot::New,
            is_willing: true,
            time: None,
            keeps_on_rollback: true,
            log: Vec::new(),
        }
    }
}

impl Flash {
    pub fn get(&self) -> Ref<'_, Cells> {
        self.0.borrow()
    }

    pub fn set(&self) -> RefMut<'_, Cells> {
        self.0.borrow_mut()
    }

    pub fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.set().log)
    }
}

impl ImageStorage for Flash {
    fn begin(&mut self, size: Option<u32>) -> Result<(), ImageError> {
        let mut cells = self.set();
        cells.image.clear();
        cells.announced = size;
        cells.log.push("begin".to_owned());
        if size.is_some_and(|size| size as usize > cells.capacity) {
            return Err(ImageError::NoStorage);
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), ImageError> {
        let mut cells = self.set();
        assert!(offset as usize <= cells.image.len(), "a gap");
        cells.image.truncate(offset as usize);
        let end = cells.image.len() + bytes.len();
        if end > cells.capacity {
            return Err(ImageError::NoStorage);
        }
        if end > cells.memory {
            return Err(ImageError::NoMemory);
        }
        cells.image.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self, size: u32) -> Result<ImageInfo, ImageError> {
        let mut cells = self.set();
        assert_eq!(size as usize, cells.image.len());
        cells.log.push("finish".to_owned());
        match cells.image.first() {
            Some(b'C') => Err(ImageError::Integrity),
            Some(b'T') => Err(ImageError::UnsupportedPackage),
            _ => Ok(ImageInfo {
                name: text("image"),
                version: text("2.0"),
            }),
        }
    }

    fn abort(&mut self) {
        let mut cells = self.set();
        cells.image.clear();
        cells.log.push("abort".to_owned());
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

    fn resolve(&mut self, host: &str) -> Option<IpAddr> {
        (host == "files.example.com").then(|| "192.0.2.9".parse().unwrap())
    }

    fn unix_time(&self) -> Option<i64> {
        self.get().time
    }
}

impl FirmwareStorage for Flash {
    fn install(&mut self) -> Installation {
        let mut cells = self.set();
        cells.log.push("install".to_owned());
        cells.installation
    }

    fn booted(&mut self) -> Boot {
        self.get().boot
    }

    fn confirm(&mut self) {
        self.set().log.push("confirm".to_owned());
    }

    fn roll_back(&mut self) -> bool {
        let mut cells = self.set();
        cells.log.push("roll back".to_owned());
        cells.keeps_on_rollback
    }

    fn may_install(&mut self, severity: u8) -> bool {
        let mut cells = self.set();
        cells.log.push(format!("ask {severity}"));
        cells.is_willing
    }
}

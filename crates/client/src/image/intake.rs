//! What the objects that manage images share: pieces go into the storage, whole or not.

use super::{Fetch, ImageError, ImageInfo, ImageStorage, Piece, Source, Upload, UriFault};

/// How an image comes.
#[derive(Clone, Debug)]
enum Transfer {
    Push,
    Fetch(Fetch),
}

/// A storage, and the transfer into it.
#[derive(Clone, Debug)]
pub(crate) struct Intake<S> {
    pub(crate) storage: S,
    transfer: Option<Transfer>,
    pub(crate) upload: Upload,
}

impl<S: ImageStorage> Intake<S> {
    pub(crate) const fn new(storage: S) -> Self {
        Self {
            storage,
            transfer: None,
            upload: Upload::new(),
        }
    }

    /// What is being fetched.
    pub(crate) fn fetch(&mut self) -> Option<&mut Fetch> {
        match &mut self.transfer {
            Some(Transfer::Fetch(fetch)) => Some(fetch),
            _ => None,
        }
    }

    /// Whether a server is pushing.
    pub(crate) fn is_pushing(&self) -> bool {
        matches!(self.transfer, Some(Transfer::Push))
    }

    /// A server pushes from now on.
    pub(crate) fn start_push(&mut self) {
        self.transfer = Some(Transfer::Push);
    }

    /// Fetches from a URI, `known` being the tag of the part that is stored; empty to begin anew.
    pub(crate) fn start_fetch(&mut self, uri: &str, known: &[u8]) -> Result<(), UriFault> {
        let source = Source::parse(uri)?;
        let peer = source
            .address(|host| self.storage.resolve(host))
            .ok_or(UriFault::Invalid)?;
        let fetch = Fetch::resume(peer, self.storage.stored(), known);
        self.transfer = Some(Transfer::Fetch(fetch));
        Ok(())
    }

    /// The transfer is over; what was stored stays.
    pub(crate) fn stop(&mut self) {
        self.transfer = None;
        self.upload.forget();
    }

    /// The transfer is over, and nothing of it stays.
    pub(crate) fn abort(&mut self) {
        self.stop();
        self.storage.abort();
    }

    /// Stores a piece; the last one gives the complete image.
    pub(crate) fn piece(&mut self, piece: &Piece<'_>) -> Result<Option<ImageInfo>, ImageError> {
        let stored = self.store(piece);
        match &stored {
            Ok(None) => {}
            Ok(Some(_)) => self.stop(),
            Err(_) => self.abort(),
        }
        stored
    }

    fn store(&mut self, piece: &Piece<'_>) -> Result<Option<ImageInfo>, ImageError> {
        let end = piece.end().ok_or(ImageError::NoStorage)?;
        if piece.offset == 0 {
            let size = if piece.last { Some(end) } else { piece.size };
            self.storage.begin(size)?;
        }
        self.storage.write(piece.offset, piece.bytes)?;
        if !piece.last {
            return Ok(None);
        }
        self.storage.finish(end).map(Some)
    }
}

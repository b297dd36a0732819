//! Interrupting a thread that waits for datagrams.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Wakes a drive loop from another thread. Clones wake the same loop.
///
/// Waking is cheap while the loop is busy: only the first call after the loop has looked costs a
/// system call.
#[derive(Clone, Debug)]
pub struct Waker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    event: OwnedFd,
    pending: AtomicBool,
}

impl Waker {
    /// A new wake-up.
    ///
    /// # Errors
    /// When the process has no file descriptor left.
    pub fn new() -> io::Result<Self> {
        #[allow(unsafe_code)]
        // SAFETY: eventfd takes no pointers; its result is checked before it is used.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        #[allow(unsafe_code)]
        // SAFETY: `fd` was just returned by eventfd and is owned by nobody else.
        let event = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self {
            shared: Arc::new(Shared {
                event,
                pending: AtomicBool::new(false),
            }),
        })
    }

    /// Wakes the loop, now or, when it is busy, before it sleeps again.
    pub fn wake(&self) {
        if self.shared.pending.swap(true, Ordering::AcqRel) {
            return;
        }
        let one = 1u64.to_ne_bytes();
        #[allow(unsafe_code)]
        // SAFETY: the pointer and length describe `one`, which lives across the call. A failure
        // can only be EAGAIN (the counter is at its maximum), and then the loop is awake.
        unsafe {
            libc::write(self.as_raw_fd(), one.as_ptr().cast(), one.len());
        }
    }

    /// Whether someone called [`Waker::wake`] since the last time; forgets it. Whatever the caller
    /// of `wake` left behind before the call can be seen afterwards.
    pub fn take(&self) -> bool {
        self.shared.pending.load(Ordering::Relaxed)
            && self.shared.pending.swap(false, Ordering::AcqRel)
    }

    /// Makes the descriptor unreadable again. Only for the waiting loop, which asks
    /// [`Waker::take`] afterwards: between the two no wake-up can be lost, because a waker that
    /// finds `pending` set need not write.
    pub(crate) fn drain(&self) {
        let mut count = [0u8; 8];
        #[allow(unsafe_code)]
        // SAFETY: the pointer and length describe `count`, which lives across the call. EAGAIN
        // (nothing written) is fine.
        unsafe {
            libc::read(self.as_raw_fd(), count.as_mut_ptr().cast(), count.len());
        }
    }

    pub(crate) fn as_raw_fd(&self) -> RawFd {
        self.shared.event.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn take_tells_once() {
        let waker = Waker::new().unwrap();
        assert!(!waker.take());
        waker.wake();
        waker.clone().wake();
        assert!(waker.take());
        assert!(!waker.take());
        waker.wake();
        assert!(waker.take());
    }
}

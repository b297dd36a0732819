//! Datagrams to and from the kernel, up to 64 with one system call (recvmmsg, sendmmsg).
//!
//! All memory is allocated once. The kernel's structures hold pointers into the buffers of the
//! same batch; they are written anew before each call, so nothing dangles when a batch moves.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::ptr;

use crate::address::Name;
use crate::socket::{UdpSocket, wait_writable};

/// Datagrams of one system call.
pub const BATCH: usize = 64;

/// Longest datagram that is received; a longer one is dropped and counted.
pub const MAX_RECEIVED: usize = 16 * 1024;

/// Longest UDP payload over IPv4.
const MAX_SENT: usize = 65_507;

/// Bytes gathered for one send call.
const SEND_BUFFER: usize = 256 * 1024;

/// How long a send waits for room in the socket's buffer before the datagrams are dropped.
const PATIENCE_MILLIS: i32 = 10;

const NO_IOVEC: libc::iovec = libc::iovec {
    iov_base: ptr::null_mut(),
    iov_len: 0,
};

fn headers() -> Box<[libc::mmsghdr]> {
    (0..BATCH)
        .map(|_| {
            #[allow(unsafe_code)]
            // SAFETY: mmsghdr is a C structure of integers and pointers; all zeros is a valid
            // value of it (null pointers with zero lengths).
            unsafe {
                std::mem::zeroed()
            }
        })
        .collect()
}

/// Received datagrams.
pub struct ReceiveBatch {
    buffer: Box<[u8]>,
    names: Box<[Name]>,
    vectors: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
    count: usize,
    /// Datagrams longer than [`MAX_RECEIVED`], dropped.
    pub truncated: u64,
}

#[allow(unsafe_code)]
// SAFETY: the pointers in `vectors` and `headers` are only read during a system call in `receive`,
// which writes them first from the buffers owned by the same batch.
unsafe impl Send for ReceiveBatch {}

impl ReceiveBatch {
    /// An empty batch (1 MiB of address space; memory is used as far as datagrams reach).
    pub fn new() -> Self {
        Self {
            buffer: vec![0; BATCH * MAX_RECEIVED].into(),
            names: vec![Name::EMPTY; BATCH].into(),
            vectors: vec![NO_IOVEC; BATCH].into(),
            headers: headers(),
            count: 0,
            truncated: 0,
        }
    }

    /// Takes what waits at the socket, without waiting; the number of datagrams.
    ///
    /// # Errors
    /// Those of recvmmsg, except that "nothing there" is `Ok(0)`. They are about a datagram that
    /// was sent earlier (ICMP) or about memory: the socket stays usable.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        self.count = 0;
        let slots = self.buffer.chunks_exact_mut(MAX_RECEIVED);
        for (((header, vector), name), slot) in self
            .headers
            .iter_mut()
            .zip(self.vectors.iter_mut())
            .zip(self.names.iter_mut())
            .zip(slots)
        {
            *vector = libc::iovec {
                iov_base: slot.as_mut_ptr().cast(),
                iov_len: slot.len(),
            };
            header.msg_hdr.msg_name = ptr::from_mut(name).cast();
            header.msg_hdr.msg_namelen = Name::CAPACITY as libc::socklen_t;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_flags = 0;
            header.msg_len = 0;
        }
        #[allow(unsafe_code)]
        // SAFETY: `headers` holds BATCH initialised headers. Each points to its own name, vector
        // and slot of this batch with their true lengths (the loop above), and all of them live
        // and are borrowed exclusively until the call returns. No timeout is given.
        let result = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let Ok(count) = usize::try_from(result) else {
            let error = io::Error::last_os_error();
            return match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
                _ => Err(error),
            };
        };
        self.count = count.min(BATCH);
        for header in &self.headers[..self.count] {
            self.truncated += u64::from(header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0);
        }
        Ok(self.count)
    }

    /// The datagrams of the last call with their sources; truncated ones are left out.
    pub fn datagrams(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        self.headers[..self.count]
            .iter()
            .zip(self.names.iter())
            .zip(self.buffer.chunks_exact(MAX_RECEIVED))
            .filter(|((header, _), _)| header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0)
            .filter_map(|((header, name), slot)| {
                let from = name.decode(header.msg_hdr.msg_namelen as usize)?;
                Some((from, slot.get(..header.msg_len as usize)?))
            })
    }
}

impl Default for ReceiveBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for ReceiveBatch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ReceiveBatch")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}

/// Datagrams to be sent.
pub struct SendBatch {
    buffer: Vec<u8>,
    names: Box<[(Name, usize)]>,
    lengths: [usize; BATCH],
    vectors: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
    count: usize,
    /// Datagrams the kernel took.
    pub sent: u64,
    /// Datagrams that could not be sent: too long, unreachable family or network, no room in the
    /// socket's buffer. CoAP sends again what matters.
    pub dropped: u64,
}

#[allow(unsafe_code)]
// SAFETY: the pointers in `vectors` and `headers` are only read during a system call in `flush`,
// which writes them first from the buffers owned by the same batch.
unsafe impl Send for SendBatch {}

impl SendBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self {
            buffer: Vec::with_capacity(SEND_BUFFER),
            names: vec![(Name::EMPTY, 0); BATCH].into(),
            lengths: [0; BATCH],
            vectors: vec![NO_IOVEC; BATCH].into(),
            headers: headers(),
            count: 0,
            sent: 0,
            dropped: 0,
        }
    }

    /// Adds a datagram; sends what was gathered first when there is no more room.
    pub fn push(&mut self, socket: &UdpSocket, to: SocketAddr, bytes: &[u8]) {
        let Some(name) = Name::encode(socket.family(), to) else {
            self.dropped += 1;
            return;
        };
        if bytes.len() > MAX_SENT {
            self.dropped += 1;
            return;
        }
        if self.count == BATCH || self.buffer.len() + bytes.len() > SEND_BUFFER {
            self.flush(socket);
        }
        self.buffer.extend_from_slice(bytes);
        self.names[self.count] = name;
        self.lengths[self.count] = bytes.len();
        self.count += 1;
    }

    /// Sends what was gathered. Errors concern single datagrams; these are counted as dropped, the
    /// others still go out.
    pub fn flush(&mut self, socket: &UdpSocket) {
        if self.count == 0 {
            return;
        }
        let mut rest = self.buffer.as_mut_slice();
        for index in 0..self.count {
            let (datagram, tail) = rest.split_at_mut(self.lengths[index]);
            rest = tail;
            self.vectors[index] = libc::iovec {
                iov_base: datagram.as_mut_ptr().cast(),
                iov_len: datagram.len(),
            };
            let (name, length) = &mut self.names[index];
            let header = &mut self.headers[index].msg_hdr;
            header.msg_name = ptr::from_mut(name).cast();
            header.msg_namelen = *length as libc::socklen_t;
            header.msg_iov = &raw mut self.vectors[index];
            header.msg_iovlen = 1;
        }
        let mut next = 0;
        let mut waited = false;
        let mut refused = false;
        while next < self.count {
            let pending = &mut self.headers[next..self.count];
            #[allow(unsafe_code)]
            // SAFETY: `pending` holds initialised headers. Each points to its own name, vector and
            // datagram of this batch with their true lengths (the loop above), and all of them
            // live and are borrowed exclusively until the call returns.
            let result = unsafe {
                libc::sendmmsg(
                    socket.as_raw_fd(),
                    pending.as_mut_ptr(),
                    pending.len() as libc::c_uint,
                    libc::MSG_DONTWAIT as _,
                )
            };
            if let Ok(sent) = usize::try_from(result) {
                // Zero cannot happen with something pending; treat it as one dropped, not a loop.
                self.sent += sent as u64;
                self.dropped += u64::from(sent == 0);
                next += sent.max(1);
                refused = false;
                continue;
            }
            match io::Error::last_os_error().raw_os_error() {
                Some(libc::EINTR) => {}
                Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) if !waited => {
                    waited = true;
                    wait_writable(socket, PATIENCE_MILLIS);
                }
                // No room even after waiting: what is left is lost, as on a full link.
                Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => {
                    self.dropped += (self.count - next) as u64;
                    break;
                }
                // An ICMP error about an earlier datagram is reported once, instead of sending.
                Some(libc::ECONNREFUSED | libc::EHOSTUNREACH) if !refused => refused = true,
                _ => {
                    self.dropped += 1;
                    next += 1;
                    refused = false;
                }
            }
        }
        self.count = 0;
        self.buffer.clear();
    }
}

impl Default for SendBatch {
    fn default() -> Self {
        Self::new()
    }
}

impl core::fmt::Debug for SendBatch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SendBatch")
            .field("count", &self.count)
            .field("sent", &self.sent)
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

//! UDP sockets for shards, and waiting at them.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use crate::Waker;
use crate::address::Family;

/// Bytes asked for in each socket's buffers; the kernel may grant less.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// A bound UDP socket that never blocks.
///
/// A socket of the unspecified IPv6 address (`[::]`) speaks IPv4, too. Datagrams are not
/// fragmented and path MTU discovery does not reduce them (IP_PMTUDISC_PROBE).
#[derive(Debug)]
pub struct UdpSocket {
    socket: Socket,
    family: Family,
    local: SocketAddr,
}

impl UdpSocket {
    /// A socket bound to `address`; port 0 picks a free one.
    ///
    /// # Errors
    /// When the address is in use, is not of this machine, or needs a privilege.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        Self::bind_one(address, false)
    }

    /// `count` sockets that share one address; the kernel gives each peer to one of them
    /// (SO_REUSEPORT). Port 0 picks a port nobody else uses.
    ///
    /// # Errors
    /// As [`UdpSocket::bind`]. A port that another process shares is in use, too.
    pub fn bind_group(address: SocketAddr, count: usize) -> io::Result<Vec<Self>> {
        // The first one must not share, so that it fails when another server listens there.
        let first = Self::bind_one(address, false)?;
        let address = first.local;
        if count > 1 {
            first.socket.set_reuse_port(true)?;
        }
        let mut group = vec![first];
        for _ in 1..count {
            group.push(Self::bind_one(address, true)?);
        }
        Ok(group)
    }

    fn bind_one(address: SocketAddr, share: bool) -> io::Result<Self> {
        let (family, domain) = match address {
            SocketAddr::V4(_) => (Family::V4, Domain::IPV4),
            SocketAddr::V6(_) => (Family::V6, Domain::IPV6),
        };
        let socket = Socket::new(
            domain,
            Type::DGRAM.nonblocking().cloexec(),
            Some(Protocol::UDP),
        )?;
        // Less than asked for is no error: the kernel caps it at net.core.rmem_max.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
        let probe = libc::IP_PMTUDISC_PROBE;
        if family == Family::V6 {
            socket.set_only_v6(!address.ip().is_unspecified())?;
            set_option(&socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, probe)?;
            // For the mapped IPv4 traffic; an IPv6-only socket may refuse it.
            let _ = set_option(&socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, probe);
        } else {
            set_option(&socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, probe)?;
        }
        if share {
            socket.set_reuse_port(true)?;
        }
        socket.bind(&address.into())?;
        let local = socket
            .local_addr()?
            .as_socket()
            .ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self {
            socket,
            family,
            local,
        })
    }

    /// Prefers datagrams that the kernel handles on this CPU, so that they need not cross to
    /// another one. For sockets of a group whose threads are pinned.
    ///
    /// # Errors
    /// When the kernel does not know the option.
    pub fn steer_to(&self, cpu: usize) -> io::Result<()> {
        let cpu = libc::c_int::try_from(cpu).map_err(|_| io::ErrorKind::InvalidInput)?;
        set_option(&self.socket, libc::SOL_SOCKET, libc::SO_INCOMING_CPU, cpu)
    }

    /// Address and port this socket is bound to.
    pub fn local_address(&self) -> SocketAddr {
        self.local
    }

    pub(crate) fn family(&self) -> Family {
        self.family
    }

    /// Sleeps until a datagram waits, `waker` wakes, or `timeout` is over.
    pub fn wait(&self, waker: &Waker, timeout: Option<Duration>) {
        let mut entries = [readable(self.as_raw_fd()), readable(waker.as_raw_fd())];
        let ready = poll(&mut entries, timeout);
        if ready && entries[1].revents != 0 {
            waker.drain();
        }
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// At which of several sockets something waits.
pub(crate) struct Readiness {
    /// Of the sockets in their order, and of the waker.
    entries: Vec<libc::pollfd>,
}

impl Readiness {
    /// As long as nobody has looked, something may wait at all of them.
    pub(crate) fn new(sockets: &[UdpSocket], waker: &Waker) -> Self {
        let descriptors = sockets.iter().map(AsRawFd::as_raw_fd);
        let mut readiness = Self {
            entries: descriptors
                .chain([waker.as_raw_fd()])
                .map(readable)
                .collect(),
        };
        readiness.assume_all();
        readiness
    }

    /// Something may wait at all of them.
    pub(crate) fn assume_all(&mut self) {
        for entry in &mut self.entries {
            entry.revents = libc::POLLIN;
        }
    }

    /// Whether something may wait at the socket of this number.
    pub(crate) fn is_ready(&self, socket: usize) -> bool {
        self.entries
            .get(socket)
            .is_some_and(|entry| entry.revents != 0)
    }

    /// Sleeps until a datagram waits, `waker` wakes, or `timeout` is over.
    pub(crate) fn wait(&mut self, waker: &Waker, timeout: Option<Duration>) {
        for entry in &mut self.entries {
            entry.revents = 0;
        }
        let ready = poll(&mut self.entries, timeout);
        if ready && self.entries.last().is_some_and(|entry| entry.revents != 0) {
            waker.drain();
        }
    }
}

/// Sleeps until the socket takes more, at most so long.
pub(crate) fn wait_writable(socket: &UdpSocket, millis: i32) {
    let mut entries = [libc::pollfd {
        events: libc::POLLOUT,
        ..readable(socket.as_raw_fd())
    }];
    let millis = u64::try_from(millis).unwrap_or(0);
    poll(&mut entries, Some(Duration::from_millis(millis)));
}

fn readable(fd: RawFd) -> libc::pollfd {
    libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    }
}

/// Whether something is ready.
fn poll(entries: &mut [libc::pollfd], timeout: Option<Duration>) -> bool {
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos() as _,
    });
    let timeout = timeout
        .as_ref()
        .map_or(std::ptr::null(), std::ptr::from_ref);
    #[allow(unsafe_code)]
    // SAFETY: `entries` is an exclusive slice of initialised structures and its length is given;
    // `timeout` is null or points to a local that lives across the call; no signal mask is given.
    let result = unsafe {
        libc::ppoll(
            entries.as_mut_ptr(),
            entries.len() as libc::nfds_t,
            timeout,
            std::ptr::null(),
        )
    };
    if result < 0 && io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
        // Only lack of memory can come here; do not spin on it.
        std::thread::sleep(Duration::from_millis(1));
    }
    result > 0
}

fn set_option(
    socket: &Socket,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    #[allow(unsafe_code)]
    // SAFETY: the pointer and length describe `value`, which lives across the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

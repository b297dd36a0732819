//! Real sockets on the loopback interface.

use std::collections::HashSet;
use std::net::{SocketAddr, UdpSocket as Plain};
use std::ops::ControlFlow;
use std::time::{Duration, Instant as Wall};

use dunlin_coap::Instant;
use dunlin_net::{
    BATCH, Clock, EchoServer, MAX_RECEIVED, Outgoing, ReceiveBatch, SendBatch, Service, UdpSocket,
    Waker, drive,
};

const LOOPBACK: &str = "127.0.0.1:0";

fn peer(address: &str) -> Plain {
    let socket = Plain::bind(address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    socket
}

fn receive_all(socket: &UdpSocket, batch: &mut ReceiveBatch, wanted: usize) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let until = Wall::now() + Duration::from_secs(5);
    while all.len() < wanted && Wall::now() < until {
        batch.receive(socket).unwrap();
        all.extend(batch.datagrams().map(|(_, bytes)| bytes.to_vec()));
    }
    all
}

#[test]
fn echo_over_both_families() {
    let server = EchoServer::start("[::]:0".parse().unwrap(), 2).unwrap();
    let port = server.address().port();
    for (bind, to) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1")] {
        let peer = peer(bind);
        let to = SocketAddr::new(to.parse().unwrap(), port);
        for length in [0, 1, 1000, 9000] {
            let bytes = vec![0x5A; length];
            peer.send_to(&bytes, to).unwrap();
            let mut buffer = [0; 10_000];
            let (count, from) = peer.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..count], from), (&bytes[..], to));
        }
    }
}

#[test]
fn batches_keep_order_and_sources() {
    let receiver = UdpSocket::bind(LOOPBACK.parse().unwrap()).unwrap();
    let sender = UdpSocket::bind(LOOPBACK.parse().unwrap()).unwrap();
    let mut out = SendBatch::new();
    let sent: Vec<Vec<u8>> = (0..3 * BATCH + 7)
        .map(|index| vec![index as u8; index])
        .collect();
    for bytes in &sent {
        out.push(&sender, receiver.local_address(), bytes);
    }
    out.flush(&sender);
    assert_eq!((out.sent, out.dropped), (sent.len() as u64, 0));
    let mut batch = ReceiveBatch::new();
    assert_eq!(receive_all(&receiver, &mut batch, sent.len()), sent);
    assert!(
        batch
            .datagrams()
            .all(|(from, _)| from == sender.local_address())
    );
    assert_eq!(batch.receive(&receiver).unwrap(), 0, "nothing is left");
}

#[test]
fn too_long_a_datagram_is_dropped_and_counted() {
    let receiver = UdpSocket::bind(LOOPBACK.parse().unwrap()).unwrap();
    let sender = peer(LOOPBACK);
    for length in [MAX_RECEIVED + 1, MAX_RECEIVED] {
        sender
            .send_to(&vec![1; length], receiver.local_address())
            .unwrap();
    }
    let mut batch = ReceiveBatch::new();
    let all = receive_all(&receiver, &mut batch, 1);
    assert_eq!(all.iter().map(Vec::len).collect::<Vec<_>>(), [MAX_RECEIVED]);
    assert_eq!(batch.truncated, 1);
}

/// One bad destination must not take its neighbours down with it.
#[test]
fn what_cannot_be_sent_is_dropped_alone() {
    let receiver = peer(LOOPBACK);
    let sender = UdpSocket::bind(LOOPBACK.parse().unwrap()).unwrap();
    let good = receiver.local_addr().unwrap();
    let mut out = SendBatch::new();
    out.push(&sender, good, b"a");
    out.push(&sender, "[2001:db8::1]:1".parse().unwrap(), b"family");
    out.push(&sender, "255.255.255.255:1".parse().unwrap(), b"broadcast");
    out.push(&sender, "127.0.0.1:0".parse().unwrap(), b"port 0");
    out.push(&sender, good, &vec![0; 65_508]);
    out.push(&sender, good, b"b");
    out.flush(&sender);
    assert_eq!((out.sent, out.dropped), (2, 4));
    for expected in [b"a", b"b"] {
        let mut buffer = [0; 16];
        let count = receiver.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], expected);
    }
}

#[test]
fn a_port_in_use_is_told_even_when_it_is_shared() {
    let group = UdpSocket::bind_group(LOOPBACK.parse().unwrap(), 2).unwrap();
    let address = group[0].local_address();
    assert_eq!(group[1].local_address(), address);
    for count in [1, 2] {
        let error = UdpSocket::bind_group(address, count).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    }
}

#[test]
fn the_kernel_spreads_peers_over_a_group() {
    let group = UdpSocket::bind_group(LOOPBACK.parse().unwrap(), 2).unwrap();
    for _ in 0..64 {
        let peer = peer(LOOPBACK);
        peer.send_to(b"x", group[0].local_address()).unwrap();
    }
    let counts: Vec<usize> = group
        .iter()
        .map(|socket| ReceiveBatch::new().receive(socket).unwrap())
        .collect();
    assert_eq!(counts.iter().sum::<usize>(), 64);
    assert!(counts.iter().all(|count| *count > 8), "{counts:?}");
}

/// Answers to a closed port come back as ICMP errors; the loop goes on. It also keeps its
/// deadlines and hears wake-ups.
#[test]
fn drive_survives_icmp_and_keeps_time() {
    struct Probe {
        deadline: Option<Instant>,
        seen: HashSet<Vec<u8>>,
        woken: u32,
        fired: bool,
    }
    impl Service for Probe {
        fn datagram(
            &mut self,
            now: Instant,
            socket: usize,
            from: SocketAddr,
            bytes: &[u8],
            out: &mut Outgoing<'_>,
        ) {
            self.seen.insert(bytes.to_vec());
            self.deadline = Some(now + Duration::from_millis(30));
            out.send(socket, from, b"to a closed port");
        }

        fn turn(
            &mut self,
            now: Instant,
            woken: bool,
            _out: &mut Outgoing<'_>,
        ) -> ControlFlow<(), Option<Instant>> {
            self.woken += u32::from(woken);
            if self.deadline.is_some_and(|deadline| now >= deadline) {
                self.fired = true;
                self.deadline = None;
            }
            if self.woken == 2 {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(self.deadline)
        }
    }
    let socket = UdpSocket::bind(LOOPBACK.parse().unwrap()).unwrap();
    let to = socket.local_address();
    let waker = Waker::new().unwrap();
    let loop_waker = waker.clone();
    let thread = std::thread::spawn(move || {
        let mut probe = Probe {
            deadline: None,
            seen: HashSet::new(),
            woken: 0,
            fired: false,
        };
        drive(&[socket], &loop_waker, &Clock::new(), &mut probe);
        (probe.seen, probe.fired)
    });
    for round in 0..50u8 {
        // Closed before the answer comes.
        peer(LOOPBACK).send_to(&[round], to).unwrap();
    }
    waker.wake();
    std::thread::sleep(Duration::from_millis(200));
    peer(LOOPBACK).send_to(b"still there", to).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    waker.wake();
    let (seen, fired) = thread.join().unwrap();
    assert_eq!(seen.len(), 51);
    assert!(fired, "the deadline was missed");
}

/// What floods one socket does not keep the other from its turn, and each answers for itself.
#[test]
fn a_loop_serves_two_sockets() {
    struct Two {
        counts: [usize; 2],
    }
    impl Service for Two {
        fn datagram(
            &mut self,
            _now: Instant,
            socket: usize,
            from: SocketAddr,
            bytes: &[u8],
            out: &mut Outgoing<'_>,
        ) {
            self.counts[socket] += 1;
            out.send(socket, from, bytes);
            out.send(2, from, b"no such socket");
        }

        fn turn(
            &mut self,
            _now: Instant,
            woken: bool,
            out: &mut Outgoing<'_>,
        ) -> ControlFlow<(), Option<Instant>> {
            if woken {
                let all = self.counts.iter().sum::<usize>() as u64;
                assert_eq!((out.counters().received, out.counters().sent), (all, all));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(None)
        }
    }
    let sockets = [(); 2].map(|()| UdpSocket::bind(LOOPBACK.parse().unwrap()).unwrap());
    let addresses = [0, 1].map(|index: usize| sockets[index].local_address());
    let flooder = peer(LOOPBACK);
    for number in 0..3 * BATCH {
        flooder.send_to(&[number as u8], addresses[0]).unwrap();
    }
    let quiet = peer(LOOPBACK);
    quiet.send_to(b"first", addresses[1]).unwrap();
    let waker = Waker::new().unwrap();
    let loop_waker = waker.clone();
    let thread = std::thread::spawn(move || {
        let mut two = Two { counts: [0; 2] };
        drive(&sockets, &loop_waker, &Clock::new(), &mut two);
        two.counts
    });
    for expected in [&b"first"[..], b"second"] {
        let mut buffer = [0; 16];
        let (count, from) = quiet.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..count], from), (expected, addresses[1]));
        quiet.send_to(b"second", addresses[1]).unwrap();
    }
    for _ in 0..3 * BATCH {
        let (_, from) = flooder.recv_from(&mut [0; 16]).unwrap();
        assert_eq!(from, addresses[0]);
    }
    let mut buffer = [0; 16];
    quiet.recv_from(&mut buffer).unwrap();
    waker.wake();
    assert_eq!(thread.join().unwrap(), [3 * BATCH, 3]);
}

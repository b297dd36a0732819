//! Capture files for Wireshark: the classic format, with IP and UDP headers made up around the
//! datagrams.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Datagram, Direction};

/// Microseconds, in the byte order of the reader's choice: big-endian here.
const MAGIC: u32 = 0xA1B2_C3D4;
/// Raw IP: the first nibble of a packet tells its version.
const LINKTYPE_RAW: u32 = 101;
const SNAPLEN: u32 = 65_535;
const UDP: u8 = 17;
/// RFC 1700's recommended value, and what most systems send.
const TIME_TO_LIVE: u8 = 64;

/// The datagrams as a capture file. `server` is the server's own address; where it listens on all
/// of its addresses, the unspecified one stands for it.
pub fn pcap(server: SocketAddr, datagrams: &[Datagram]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(MAGIC.to_be_bytes());
    file.extend([0, 2, 0, 4]);
    // Times are UTC, as precise as they can be.
    file.extend([0; 8]);
    file.extend(SNAPLEN.to_be_bytes());
    file.extend(LINKTYPE_RAW.to_be_bytes());
    for (number, datagram) in (0_u16..).zip(datagrams) {
        let (from, to) = match datagram.direction {
            Direction::In => (datagram.peer, server),
            Direction::Out => (server, datagram.peer),
        };
        let packet = packet(number, from, to, &datagram.bytes);
        let micros = (datagram.time.max(0.0) * 1e6).round() as u64;
        let seconds = u32::try_from(micros / 1_000_000).unwrap_or(u32::MAX);
        let length = (packet.len() as u32).to_be_bytes();
        file.extend(seconds.to_be_bytes());
        file.extend(((micros % 1_000_000) as u32).to_be_bytes());
        file.extend(length);
        file.extend(length);
        file.extend(packet);
    }
    file
}

/// A packet of the family of the peer; the server's address follows it.
fn packet(number: u16, from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let ports = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
    match (from.ip().to_canonical(), to.ip().to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => v4(number, from, to, &ports, payload),
        (IpAddr::V4(from), IpAddr::V6(to)) if to.is_unspecified() => {
            v4(number, from, Ipv4Addr::UNSPECIFIED, &ports, payload)
        }
        (IpAddr::V6(from), IpAddr::V4(to)) if from.is_unspecified() => {
            v4(number, Ipv4Addr::UNSPECIFIED, to, &ports, payload)
        }
        (from, to) => v6(as_v6(from), as_v6(to), &ports, payload),
    }
}

fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// RFC 791 §3.1.
fn v4(number: u16, from: Ipv4Addr, to: Ipv4Addr, ports: &[u8], payload: &[u8]) -> Vec<u8> {
    let addresses = [from.octets(), to.octets()].concat();
    let udp = udp(&addresses, ports, payload);
    let total = ((20 + udp.len()) as u16).to_be_bytes();
    let number = number.to_be_bytes();
    let mut header = vec![0x45, 0, total[0], total[1], number[0], number[1], 0, 0];
    header.extend([TIME_TO_LIVE, UDP, 0, 0]);
    header.extend(addresses);
    let checksum = checksum(&header).to_be_bytes();
    header[10..12].copy_from_slice(&checksum);
    header.extend(udp);
    header
}

/// RFC 8200 §3.
fn v6(from: Ipv6Addr, to: Ipv6Addr, ports: &[u8], payload: &[u8]) -> Vec<u8> {
    let addresses = [from.octets(), to.octets()].concat();
    let udp = udp(&addresses, ports, payload);
    let length = (udp.len() as u16).to_be_bytes();
    let mut header = vec![0x60, 0, 0, 0, length[0], length[1], UDP, TIME_TO_LIVE];
    header.extend(addresses);
    header.extend(udp);
    header
}

/// RFC 768, with the checksum over the pseudo header of either family: their words sum up to the
/// same (RFC 8200 §8.1).
fn udp(addresses: &[u8], ports: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = ((8 + payload.len()) as u16).to_be_bytes();
    let mut datagram = ports.to_vec();
    datagram.extend(length);
    datagram.extend([0, 0]);
    datagram.extend(payload);
    let mut pseudo = addresses.to_vec();
    pseudo.extend([0, UDP]);
    pseudo.extend(length);
    pseudo.extend(&datagram);
    // 0 would say that there is none.
    let checksum = match checksum(&pseudo) {
        0 => 0xFFFF,
        checksum => checksum,
    };
    datagram[6..8].copy_from_slice(&checksum.to_be_bytes());
    datagram
}

/// The ones' complement of the ones' complement sum of all words (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |low| u32::from(*low)))
        .sum();
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(direction: Direction, peer: &str, bytes: &[u8]) -> Datagram {
        Datagram {
            time: 1_795_000_000.25,
            direction,
            peer: peer.parse().expect("address"),
            bytes: bytes.to_vec(),
        }
    }

    /// Bytes by RFC 791, RFC 768 and the format, their checksums worked out by another program.
    #[test]
    fn a_capture_has_the_bytes_of_the_format() {
        let server = SocketAddr::from(([192, 0, 2, 1], 5683));
        let ping = datagram(Direction::In, "198.51.100.7:40000", &[0x40, 0, 0x12, 0x34]);
        let file = pcap(server, &[ping]);
        #[rustfmt::skip]
        assert_eq!(file, [
            0xA1, 0xB2, 0xC3, 0xD4, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 101,
            0x6A, 0xFD, 0x86, 0xC0, 0, 0x03, 0xD0, 0x90, 0, 0, 0, 32, 0, 0, 0, 32,
            0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0x8E, 0x91, 198, 51, 100, 7, 192, 0, 2, 1,
            0x9C, 0x40, 0x16, 0x33, 0, 12, 0x0E, 0xF2, 0x40, 0, 0x12, 0x34,
        ]);
    }

    #[test]
    fn the_servers_unspecified_address_follows_the_family_of_the_peer() {
        let all: SocketAddr = "[::]:5683".parse().expect("address");
        for (peer, version) in [
            ("192.0.2.7:1", 4),
            ("[::ffff:192.0.2.7]:1", 4),
            ("[2001:db8::1]:1", 6),
        ] {
            for direction in [Direction::In, Direction::Out] {
                let file = pcap(all, &[datagram(direction, peer, b"x")]);
                assert_eq!(file[40] >> 4, version, "{peer}");
            }
        }
    }

    #[test]
    fn a_checksum_is_never_written_as_none() {
        // Payloads of two bytes run through all sums, so one of them sums up to 0xFFFF.
        let mut zeros = 0;
        for word in 0..=u16::MAX {
            let udp = udp(&[0; 8], &[0; 4], &word.to_be_bytes());
            assert_ne!(udp[6..8], [0, 0]);
            zeros += usize::from(udp[6..8] == [0xFF, 0xFF]);
        }
        assert!(zeros >= 1);
    }
}

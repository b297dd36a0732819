//! Socket addresses as the kernel lays them out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

/// Address family of a socket. An IPv6 socket speaks IPv4 as well, by mapped addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// A `sockaddr_in` or `sockaddr_in6`.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub(crate) struct Name {
    bytes: [u8; Self::CAPACITY],
}

const V4_LENGTH: usize = size_of::<libc::sockaddr_in>();
const V6_LENGTH: usize = size_of::<libc::sockaddr_in6>();

impl Name {
    /// Room for either kind.
    pub(crate) const CAPACITY: usize = 32;
    pub(crate) const EMPTY: Self = Self {
        bytes: [0; Self::CAPACITY],
    };

    /// The address for a socket of `family`, and its length; `None` when an IPv4 socket cannot
    /// reach it.
    pub(crate) fn encode(family: Family, address: SocketAddr) -> Option<(Self, usize)> {
        let mut name = Self::EMPTY;
        let bytes = &mut name.bytes;
        bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
        match (family, address) {
            (Family::V4, _) => {
                let IpAddr::V4(ip) = address.ip().to_canonical() else {
                    return None;
                };
                bytes[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
                bytes[4..8].copy_from_slice(&ip.octets());
                Some((name, V4_LENGTH))
            }
            (Family::V6, _) => {
                let (ip, scope) = match address {
                    SocketAddr::V4(v4) => (v4.ip().to_ipv6_mapped(), 0),
                    SocketAddr::V6(v6) => (*v6.ip(), v6.scope_id()),
                };
                bytes[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
                bytes[8..24].copy_from_slice(&ip.octets());
                bytes[24..28].copy_from_slice(&scope.to_ne_bytes());
                Some((name, V6_LENGTH))
            }
        }
    }

    /// What the kernel wrote; IPv4 in IPv6 is told as IPv4, so that a peer has one address.
    pub(crate) fn decode(&self, length: usize) -> Option<SocketAddr> {
        let bytes = &self.bytes;
        let family = i32::from(u16::from_ne_bytes([bytes[0], bytes[1]]));
        let port = u16::from_be_bytes([bytes[2], bytes[3]]);
        if family == libc::AF_INET && length >= V4_LENGTH {
            let ip = Ipv4Addr::new(bytes[4], bytes[5], bytes[6], bytes[7]);
            return Some(SocketAddr::from((ip, port)));
        }
        if family == libc::AF_INET6 && length >= V6_LENGTH {
            let octets: [u8; 16] = bytes[8..24].try_into().ok()?;
            let scope = u32::from_ne_bytes(bytes[24..28].try_into().ok()?);
            return Some(match Ipv6Addr::from(octets).to_canonical() {
                IpAddr::V4(ip) => SocketAddr::from((ip, port)),
                IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, scope).into(),
            });
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive() {
        for (family, text) in [
            (Family::V4, "192.0.2.7:5683"),
            (Family::V6, "192.0.2.7:5683"),
            (Family::V6, "[2001:db8::1]:61616"),
            (Family::V6, "[fe80::1%7]:1"),
        ] {
            let address: SocketAddr = text.parse().unwrap();
            let (name, length) = Name::encode(family, address).unwrap();
            assert_eq!(name.decode(length), Some(address), "{text}");
        }
    }

    #[test]
    fn layout_is_the_kernels() {
        let (name, length) = Name::encode(Family::V6, "192.0.2.7:5683".parse().unwrap()).unwrap();
        assert_eq!(length, 28);
        assert_eq!(name.bytes[2..4], [0x16, 0x33]);
        assert_eq!(name.bytes[18..24], [0xFF, 0xFF, 192, 0, 2, 7]);
        let (name, length) = Name::encode(Family::V4, "192.0.2.7:5683".parse().unwrap()).unwrap();
        assert_eq!((length, &name.bytes[4..8]), (16, &[192, 0, 2, 7][..]));
        assert_eq!(name.decode(8), None);
        assert!(Name::encode(Family::V4, "[2001:db8::1]:1".parse().unwrap()).is_none());
    }
}

//! Exports of associations: their bytes, and that nothing else is taken for one.

use std::net::SocketAddr;

use dunlin_dtls::testing::{Exported, ReplayWindow, Side, WriteKeys, sha256};
use dunlin_dtls::{ImportError, Suite};

fn keys(suite: Suite, first: u8) -> WriteKeys {
    let length = WriteKeys::encoded_length(suite.cipher());
    let raw: Vec<u8> = (0..length as u8).map(|i| first.wrapping_add(i)).collect();
    WriteKeys::read(suite.cipher(), &raw).unwrap()
}

fn of_a_server(suite: Suite) -> Exported {
    Exported {
        side: Side::Server,
        suite,
        encrypt_then_mac: false,
        read: keys(suite, 0x10),
        write: keys(suite, 0x40),
        sequence: 0x1_0002,
        limit: 0x2_0000,
        window: ReplayWindow::from_parts(9, 0x1f5).unwrap(),
        failed: 3,
        peer_cid: [].into(),
        own_cid: [1, 2, 3, 4, 5, 6, 7, 8].into(),
        own_cid_in_use: true,
        address: Some("192.0.2.7:5684".parse().unwrap()),
        session: 0x0102_0304_0506_0708,
        tag: 0x2a,
        proven: true,
        resumption: None,
    }
}

fn bytes(exported: &Exported) -> Vec<u8> {
    let mut out = Vec::new();
    exported.write(&mut out);
    out
}

/// Appends the check to a changed export.
fn checked(content: &[u8]) -> Vec<u8> {
    let mut out = content.to_vec();
    out.extend_from_slice(&sha256(&[content])[..4]);
    out
}

#[test]
fn the_bytes_of_a_psk_session() {
    let written = bytes(&of_a_server(Suite::PskAes128Ccm8));
    let mut expected = vec![1, 0b1101, 0xC0, 0xA8];
    expected.extend(0x10..0x24);
    expected.extend(0x40..0x54);
    expected.extend([0, 0, 0, 1, 0, 2, 0, 0, 0, 2, 0, 0]);
    expected.extend([0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 1, 0xf5]);
    expected.extend([0, 0, 0, 3]);
    expected.extend([0, 8, 1, 2, 3, 4, 5, 6, 7, 8]);
    expected.extend([4, 192, 0, 2, 7, 0x16, 0x34]);
    expected.extend([1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0x2a, 0]);
    assert_eq!(written, checked(&expected));
    assert_eq!(written.len(), 113);
}

#[test]
fn every_kind_is_read_back() {
    let mut kinds = Vec::new();
    for suite in Suite::ALL {
        kinds.push(of_a_server(suite));
        let address: SocketAddr = "[2001:db8::1]:7".parse().unwrap();
        kinds.push(Exported {
            side: Side::Client,
            encrypt_then_mac: true,
            address: Some(address),
            peer_cid: [7; 255].into(),
            proven: false,
            own_cid_in_use: false,
            ..of_a_server(suite)
        });
        kinds.push(Exported {
            address: None,
            window: ReplayWindow::new(),
            limit: (1 << 48) - 1,
            ..of_a_server(suite)
        });
    }
    for exported in kinds {
        let written = bytes(&exported);
        let read = Exported::read(&written).unwrap();
        assert_eq!(bytes(&read), written);
        assert_eq!(read.address, exported.address);
        assert_eq!(read.suite, exported.suite);
        assert_eq!(read.window, exported.window);
    }
}

#[test]
fn any_damage_is_found() {
    let good = bytes(&of_a_server(Suite::PskAes128Ccm8));
    for byte in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[byte] ^= 1 << bit;
            assert!(Exported::read(&bad).is_err(), "bit {bit} of byte {byte}");
        }
    }
    for end in 0..good.len() {
        assert!(Exported::read(&good[..end]).is_err());
    }
    let mut longer = good.clone();
    longer.push(0);
    assert!(Exported::read(&longer).is_err());
}

#[test]
fn another_version_is_named() {
    let mut other = bytes(&of_a_server(Suite::PskAes128Ccm8));
    other[0] = 2;
    assert_eq!(Exported::read(&other).unwrap_err(), ImportError::Version);
}

/// With a good check as well, what no export says is refused.
#[test]
fn impossible_values_are_refused() {
    let good = bytes(&of_a_server(Suite::PskAes128Ccm8));
    let content = &good[..good.len() - 4];
    for (at, value, why) in [
        (1, 16, "a flag that does not exist"),
        (3, 0xA9, "a suite out of the profile"),
        (3, 0xAF, "another suite out of the profile"),
        (47, 3, "the next sequence number beyond the reserve"),
        (70, 0xf4, "a window of which the newest was not received"),
        (63, 0x80, "numbers before the first one"),
        (56, 0x80, "a window beyond the last number"),
        (76, 255, "a connection identifier longer than the rest"),
        (85, 5, "an address of no kind"),
        (108, 1, "a resumption that is none"),
    ] {
        let mut bad = content.to_vec();
        assert!(at < bad.len(), "{why}");
        bad[at] = value;
        let read = Exported::read(&checked(&bad));
        if let Ok(read) = read {
            panic!("{why}: {read:?}");
        }
    }
    assert!(
        Exported::read(&checked(&[content, &[0]].concat())).is_err(),
        "something behind it"
    );
}

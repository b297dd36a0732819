//! The trace of a device.

use std::net::Ipv4Addr;

use dunlin_coap::{Message, OptionNumber};

use crate::device::{Device, content};
use crate::world::World;

#[tokio::test]
async fn messages_are_told_in_both_directions() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| content(0, b"Dunlin"));
    world.get("devices/dev-1/data/3/0/0").await.json(200);
    let trace = world.get("devices/dev-1/trace").await.json(200);
    let items = trace["items"].as_array().unwrap();
    let line = |index: usize| {
        let item = &items[index];
        format!(
            "{} {}",
            item["direction"].as_str().unwrap(),
            item["summary"].as_str().unwrap()
        )
    };
    assert_eq!(items.len(), 4, "{trace}");
    assert!(
        line(0).starts_with("in CON POST /rd?ep=dev-1&lt=300&lwm2m=1.1&b=U (Register)"),
        "{trace}"
    );
    assert_eq!(line(1), "out ACK 2.01 Created");
    assert_eq!(line(2), "out CON GET /3/0/0");
    assert_eq!(line(3), "in ACK 2.05 Content, 6 bytes");
    let answer = &items[3];
    assert_eq!(answer["decoded"], "/3/0/0 Manufacturer = \"Dunlin\"");
    assert_eq!(answer["payload"], "44756e6c696e");
    assert_eq!(answer["type"], "ACK");
    assert_eq!(answer["code"], "2.05 Content");
    assert_eq!(answer["peer"], device.address().to_string());
    assert_eq!(
        (&answer["messageId"], &answer["token"]),
        (&items[2]["messageId"], &items[2]["token"])
    );
    assert_eq!(answer["options"][0]["name"], "Content-Format");
    assert_eq!(answer["options"][0]["value"], "0 (text)");
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    let time = answer["time"].as_f64().unwrap();
    assert!((now - 60.0..now + 1.0).contains(&time), "{time} {now}");
}

#[tokio::test]
async fn a_refused_register_is_shown_and_strangers_are_unknown() {
    let world = World::new();
    let device = Device::new(&world, |_| content(0, b""));
    device.try_register(&["ep=broken", "lwm2m=9.9"]);
    let trace = world.get("devices/broken/trace").await.json(200);
    let items = trace["items"].as_array().unwrap();
    assert!(
        items[1]["summary"]
            .as_str()
            .unwrap()
            .starts_with("ACK 4.12"),
        "{trace}"
    );
    for path in ["devices/nobody/trace", "devices/nobody/trace.pcap"] {
        world.get(path).await.refused(404, "Unknown endpoint");
    }
}

/// Reads a capture file as its format is described, not as it is written here.
#[tokio::test]
async fn a_capture_can_be_read_by_others() {
    let world = World::new();
    let device = Device::register(&world, "dev-1", |_| content(0, b"odd"));
    world.get("devices/dev-1/data/3/0/0").await.json(200);
    let answer = world.get("devices/dev-1/trace.pcap").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        "application/vnd.tcpdump.pcap"
    );
    let u32_at = |at: usize| u32::from_be_bytes(answer.body[at..at + 4].try_into().unwrap());
    assert_eq!((u32_at(0), u32_at(20)), (0xA1B2_C3D4, 101), "magic, raw IP");
    let mut at = 24;
    let mut packets = Vec::new();
    while at < answer.body.len() {
        let length = u32_at(at + 8) as usize;
        assert_eq!(u32_at(at + 12) as usize, length);
        assert!(u32_at(at + 4) < 1_000_000, "microseconds");
        packets.push(&answer.body[at + 16..at + 16 + length]);
        at += 16 + length;
    }
    assert_eq!(packets.len(), 4);
    let sum = |bytes: &[u8]| {
        let words = bytes
            .chunks(2)
            .map(|word| u32::from(word[0]) * 256 + u32::from(*word.get(1).unwrap_or(&0)));
        let sum: u32 = words.sum();
        (sum & 0xFFFF) + (sum >> 16)
    };
    for (number, packet) in packets.iter().enumerate() {
        let (ip, udp) = packet.split_at(20);
        assert_eq!((ip[0], ip[9]), (0x45, 17), "IPv4 without options, UDP");
        assert_eq!(u16::from_be_bytes([ip[2], ip[3]]) as usize, packet.len());
        // A sum that includes its own complement is all ones.
        assert_eq!(sum(ip), 0xFFFF, "header checksum");
        let length = udp.len() as u16;
        assert_eq!(u16::from_be_bytes([udp[4], udp[5]]), length);
        let pseudo = [&ip[12..20], &[0, 17], &length.to_be_bytes(), udp].concat();
        let sum = sum(&pseudo);
        assert_eq!((sum & 0xFFFF) + (sum >> 16), 0xFFFF, "UDP checksum");
        let port = |at: usize| u16::from_be_bytes([udp[at], udp[at + 1]]);
        let ports = match number {
            0 | 3 => (device.address().port(), world.coap().port()),
            _ => (world.coap().port(), device.address().port()),
        };
        assert_eq!((port(0), port(2)), ports, "{number}");
        assert_eq!(ip[12..16], Ipv4Addr::LOCALHOST.octets());
        let message = Message::parse(&udp[8..]).expect("a CoAP message");
        if number == 2 {
            let path: Vec<&[u8]> = message.values(OptionNumber::URI_PATH).collect();
            assert_eq!(path, [b"3", b"0", b"0"]);
        }
    }
}

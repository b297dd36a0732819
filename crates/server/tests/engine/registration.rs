//! Register, Update, De-register, expiry (Core 1.2 §6.2).

use dunlin_coap::Code;
use dunlin_server::api::EventKind;

use crate::world::{Peer, World, hex};

#[test]
fn golden_bytes_of_register_update_deregister() {
    let mut world = World::new();
    let address = "192.0.2.9:5000".parse().expect("address");
    // Table 13 of spec/11: CON POST /rd?ep=dev1&lt=300&lwm2m=1.1&b=U, CF 40.
    let register = hex(
        "41020001 01 B27264 1128 3765703D64657631 066C743D333030 096C776D326D3D312E31 03623D55
         FF 3C2F312F303E2C3C2F332F303E",
    );
    let answer = world.exchange(address, &register);
    let (head, id) = answer.bytes.split_at(answer.bytes.len() - 16);
    // ACK 2.01, the same Message ID and token, Location-Path rd and sixteen characters.
    assert_eq!(head, hex("61410001 01 827264 0D03"));
    assert!(id.iter().all(|byte| byte.is_ascii_alphanumeric()));

    let mut update = hex("41020002 02 B27264 0D03");
    update.extend_from_slice(id);
    assert_eq!(world.exchange(address, &update).bytes, hex("61440002 02"));

    let mut deregister = hex("41040003 03 B27264 0D03");
    deregister.extend_from_slice(id);
    assert_eq!(
        world.exchange(address, &deregister).bytes,
        hex("61420003 03")
    );
    let again = {
        let mut bytes = hex("41040004 04 B27264 0D03");
        bytes.extend_from_slice(id);
        bytes
    };
    assert_eq!(world.exchange(address, &again).bytes, hex("61840004 04"));
    let names: Vec<&str> = world
        .events
        .iter()
        .map(|(endpoint, kind)| {
            assert_eq!(endpoint, "dev1");
            match kind {
                EventKind::Registration(_) => "registration",
                EventKind::Deregistration => "deregistration",
                _ => "other",
            }
        })
        .collect();
    assert_eq!(names, ["registration", "deregistration"]);
}

#[test]
fn a_device_is_shown_as_it_registered() {
    let mut world = World::new();
    let mut peer = Peer::new(1);
    let list = b"</>;ct=\"110 112\",</1/0>,</3/0>,</3303/1>,</3303/0>;ver=1.1";
    peer.register(
        &mut world,
        &["lt=300", "lwm2m=1.1", "b=UT", "Q", "sms=491234", "note=a"],
        list,
    );
    let device = world.device("dev-1").expect("registered");
    assert_eq!(device.endpoint, "dev-1");
    assert_eq!(device.registration_id.as_bytes(), peer.location[1]);
    assert_eq!((device.lifetime, device.binding.as_str()), (300, "UT"));
    assert!(device.queue_mode);
    assert_eq!(device.sms.as_deref(), Some("491234"));
    assert_eq!(device.address, peer.address);
    assert_eq!(device.registered_at, crate::world::ORIGIN + 1000.0);
    assert_eq!(device.expires_at, Some(crate::world::ORIGIN + 1300.0));
    assert_eq!(device.attributes, [("note".to_owned(), "a".to_owned())]);
    let objects: Vec<(u16, String, Vec<u16>)> = device
        .objects
        .iter()
        .map(|object| {
            (
                object.id,
                object.version.to_string(),
                object.instances.clone(),
            )
        })
        .collect();
    assert_eq!(
        objects,
        [
            (1, "1.1".to_owned(), vec![0]),
            (3, "1.1".to_owned(), vec![0]),
            (3303, "1.1".to_owned(), vec![0, 1]),
        ]
    );
    assert_eq!(device.faults, Vec::<String>::new());
    assert_eq!(peer.update(&mut world, &[]), Code::CHANGED);
}

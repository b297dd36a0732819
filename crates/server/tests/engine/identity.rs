//! Who a device is without security: by name, location and address (ARCHITECTURE, Decisions).

use dunlin_coap::{Code, Type};
use dunlin_server::shard::Persist;

use crate::world::{LIST, Peer, World, read};

/// A Register replaces the registration of the same name, wherever it comes from; without security
/// nobody can tell the device from another that took its name.
#[test]
fn of_two_devices_with_one_name_the_later_has_it() {
    let mut world = World::new();
    let mut first = Peer::up(1, &mut world);
    let mut second = Peer::new(2);
    second.endpoint = "dev-1".to_owned();
    second.register(&mut world, &["lt=300", "lwm2m=1.1"], LIST);
    let device = world.device("dev-1").expect("registered");
    assert_eq!((device.address, world.stats().devices), (second.address, 1));
    assert_eq!(world.counter("registrations_replaced_total"), 1);
    // The first learns of it at its next Update.
    assert_eq!(first.update(&mut world, &[]), Code::NOT_FOUND);
    assert_eq!(second.update(&mut world, &[]), Code::CHANGED);
    world.sent.clear();
    world.operate("dev-1", read(dunlin_lwm2m::Path::object(3)));
    assert_eq!(world.request().to, second.address);
}

/// NoSec: a device whose address changed registers anew, or sends an Update to its location, which
/// nobody else knows (Core 1.2 §6.2.2).
#[test]
fn a_device_moves_by_register_and_by_update() {
    let mut world = World::new();
    let mut peer = Peer::up(1, &mut world);
    peer.address.set_port(1);
    assert_eq!(peer.update(&mut world, &[]), Code::CHANGED);
    let place = |world: &mut World| world.device("dev-1").expect("registered").address.port();
    assert_eq!(place(&mut world), 1);
    peer.address.set_port(2);
    peer.register(&mut world, &["lt=300", "lwm2m=1.1"], LIST);
    assert_eq!((place(&mut world), world.stats().devices), (2, 1));
    // What comes from neither is rejected and moves nothing.
    peer.address.set_port(3);
    let told = peer.notification(Type::Confirmable, b"12345678", 1, b"1");
    let reset = world.exchange(peer.address, &told);
    assert_eq!(reset.message().ty, Type::Reset);
    let name = "notifications_dropped_total{reason=\"unknown_address\"}";
    assert_eq!((world.counter(name), place(&mut world)), (1, 2));
}

/// While registrations of one device wait for the store, a few may overtake each other; more are
/// answered 5.03, so that the store gets no flood from one device.
#[test]
fn a_storm_of_registers_of_one_device_does_not_flood_the_store() {
    let mut world = World::durable();
    let mut peer = Peer::new(1);
    let mut refused = 0;
    for _ in 0..1000 {
        let register = peer.register_message(&["lt=300", "lwm2m=1.1"], LIST);
        for sent in world.datagram(peer.address, &register) {
            assert_eq!(sent.message().code, Code::SERVICE_UNAVAILABLE);
            refused += 1;
        }
    }
    let kept = |world: &World| {
        let changes = world.persisted.iter();
        changes
            .filter(|(_, change)| matches!(change, Persist::Registration(_)))
            .count()
    };
    assert_eq!((refused, kept(&world)), (996, 4));
    let through = world.persisted.last().expect("persisted").0;
    let sent = world.durable_through(through);
    // The last of them is acknowledged, and the others are not any more.
    assert_eq!((sent.len(), world.stats().devices), (1, 1));
    peer.registered(&sent[0]);
    assert_eq!(peer.update(&mut world, &[]), Code::CHANGED);
    // Another device is not concerned, and this one may register again.
    assert!(
        world
            .datagram(
                peer.address,
                &peer.register_message(&["lt=60", "lwm2m=1.1"], LIST)
            )
            .is_empty()
    );
    assert_eq!(kept(&world), 5);
}

//! Operations towards devices (Core 1.2 §6.3).

use dunlin_coap::Code;
use dunlin_lwm2m::{OwnedRecord, OwnedValue, Path};

use crate::world::{Peer, TEXT, World, read, values};

#[test]
fn a_read_asks_and_decodes() {
    let mut world = World::new();
    let peer = Peer::up(1, &mut world);
    let path = Path::resource(3303, 0, 5700);
    let id = world.operate("dev-1", read(path));
    let request = world.request();
    assert_eq!(
        (request.to, request.path().as_str()),
        (peer.address, "/3303/0/5700")
    );
    assert_eq!(request.message().code, Code::GET);
    world.answer(&request, Code::CONTENT, &[TEXT], b"21.5");
    let records = values(world.outcome(id));
    assert_eq!(records, [OwnedRecord::new(path, OwnedValue::Float(21.5))]);
}

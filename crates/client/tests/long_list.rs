//! A Register or an Update whose object list does not fit one message (RFC 7959 §2.5, §2.9).

mod common;

use common::several::Several;
use common::{Got, get};
use dunlin_client::objects::{Device, Server, Temperature};
use dunlin_client::{Code, Config, Event, Instances, RegistrationState, Single, Version, objects};
use dunlin_coap::{MessageWriter, OptionNumber, Type};

const MANY: u16 = 120;

struct Hall {
    device: Single<Device>,
    temperature: Instances<Temperature, 128>,
}

objects!(Hall {
    device,
    temperature
});

fn hall() -> Hall {
    let mut temperature = Instances::new();
    for id in 0..MANY {
        temperature = temperature.with(id, Temperature::new(20.0));
    }
    Hall {
        device: Single::new(Device::default()),
        temperature,
    }
}

/// What the list says, whole.
fn list(instances: impl Iterator<Item = u16>) -> String {
    let links: Vec<String> = instances.map(|id| format!(",</3303/{id}>")).collect();
    format!("</1/0>,</3/0>,</3303>;ver=1.1{}", links.concat())
}

fn connected() -> Several<Hall> {
    let config = Config {
        version: Version::V1_1,
        ..Config::new("hall")
    };
    let mut world = Several::with(config, hall(), [Server::new(1)]);
    world.connect(1);
    world.poll();
    world
}

/// (number, more, size) of a Block1 option.
fn block1(got: &Got) -> Option<(u32, bool, u32)> {
    let value = got.uint(OptionNumber::BLOCK1)?;
    Some((value >> 4, value & 8 != 0, 16 << (value & 7)))
}

fn answer(world: &mut Several<Hall>, request: &Got, code: Code, block: Option<(u32, bool, u32)>) {
    let mut buffer = [0; 64];
    let (ty, id) = (Type::Acknowledgement, request.message_id);
    let mut writer = MessageWriter::new(&mut buffer, ty, code, id, &request.token);
    if code == Code::CREATED {
        writer.option(OptionNumber::LOCATION_PATH, b"rd");
        writer.option(OptionNumber::LOCATION_PATH, b"7");
    }
    if let Some((number, more, size)) = block {
        let value = number << 4 | u32::from(more) << 3 | (size.ilog2() - 4);
        writer.uint(OptionNumber::BLOCK1, value);
    }
    let length = writer.finish().unwrap();
    world.input(1, &buffer[..length]);
}

/// Takes every block of a transfer as the server would, until the last; what they carry.
fn take_all(world: &mut Several<Hall>, code: Code) -> (Vec<Got>, String) {
    let mut blocks = Vec::new();
    let mut body = Vec::new();
    loop {
        let got = world.take_for(1);
        world.assert_silent();
        let block = block1(&got).expect("a block");
        assert_eq!(body.len(), (block.0 * block.2) as usize, "{block:?}");
        body.extend_from_slice(&got.payload);
        blocks.push(got.clone());
        if !block.1 {
            answer(world, &got, code, Some(block));
            return (blocks, String::from_utf8(body).unwrap());
        }
        assert_eq!(got.payload.len(), block.2 as usize);
        answer(world, &got, Code::CONTINUE, Some(block));
    }
}

#[test]
fn a_long_list_goes_in_blocks_of_one_request() {
    let mut world = connected();
    let (blocks, body) = take_all(&mut world, Code::CREATED);
    assert_eq!(body, list(0..MANY));
    assert_eq!(blocks.len(), 2);
    assert_eq!(block1(&blocks[0]), Some((0, true, 1024)));
    assert_eq!(block1(&blocks[1]), Some((1, false, 1024)));
    let size = blocks[0].uint(OptionNumber::SIZE1);
    assert_eq!(size, Some(body.len() as u32));
    assert_eq!(blocks[1].uint(OptionNumber::SIZE1), None);
    // Every block is the same request, as a message of its own.
    for got in &blocks {
        assert_eq!((got.ty, got.path().as_str()), (Type::Confirmable, "/rd"));
        assert_eq!(got.query(), "ep=hall&lt=86400&lwm2m=1.1&b=U");
        assert_eq!(got.uint(OptionNumber::CONTENT_FORMAT), Some(40));
    }
    assert_ne!(blocks[0].token, blocks[1].token);
    assert_ne!(blocks[0].message_id, blocks[1].message_id);
    let version = Version::V1_1;
    assert_eq!(world.events, [Event::Registered { server: 1, version }]);
    let account = world.client.account(1).unwrap();
    assert_eq!(account.location().to_string(), "/rd/7");
    world.assert_silent();
}

/// RFC 7959 §2.9.2: the server has lost a block, because it was restarted for example.
#[test]
fn a_server_that_has_lost_blocks_gets_all_of_them_again() {
    let mut world = connected();
    for _ in 0..3 {
        let first = world.take_for(1);
        answer(&mut world, &first, Code::CONTINUE, block1(&first));
        let second = world.take_for(1);
        assert_eq!(block1(&second), Some((1, false, 1024)));
        answer(&mut world, &second, Code::REQUEST_ENTITY_INCOMPLETE, None);
    }
    assert_eq!(world.events, []);
    // Not for ever.
    let first = world.take_for(1);
    answer(&mut world, &first, Code::REQUEST_ENTITY_INCOMPLETE, None);
    assert!(matches!(
        world.events[..],
        [Event::RegistrationFailed {
            code: Some(Code::REQUEST_ENTITY_INCOMPLETE),
            retry_at: Some(_),
            ..
        }]
    ));
    world.assert_silent();
    world.seconds(60);
    let (_, body) = take_all(&mut world, Code::CREATED);
    assert_eq!(body, list(0..MANY));
}

/// RFC 7959 §2.9.3: with a smaller size, the same in blocks of it; without, it is refused.
#[test]
fn a_server_may_ask_for_smaller_blocks_or_refuse() {
    let mut world = connected();
    let first = world.take_for(1);
    let smaller = Some((0, false, 512));
    answer(&mut world, &first, Code::REQUEST_ENTITY_TOO_LARGE, smaller);
    let (blocks, body) = take_all(&mut world, Code::CREATED);
    assert_eq!(body, list(0..MANY));
    assert_eq!(block1(&blocks[2]), Some((2, false, 512)));
    assert_eq!(
        world.client.account(1).unwrap().state(),
        RegistrationState::Registered
    );

    // A smaller size may come with 2.31 as well, and counts from the next block on.
    let mut world = connected();
    let first = world.take_for(1);
    answer(&mut world, &first, Code::CONTINUE, Some((0, true, 256)));
    let second = world.take_for(1);
    assert_eq!(block1(&second), Some((4, true, 256)));

    let mut world = connected();
    let first = world.take_for(1);
    answer(&mut world, &first, Code::REQUEST_ENTITY_TOO_LARGE, None);
    assert!(matches!(
        world.events[..],
        [Event::RegistrationFailed {
            code: Some(Code::REQUEST_ENTITY_TOO_LARGE),
            retry_at: Some(_),
            ..
        }]
    ));
}

#[test]
fn a_list_that_changes_on_its_way_begins_anew() {
    let mut world = connected();
    let first = world.take_for(1);
    world.client.objects_mut().temperature.remove(5);
    answer(&mut world, &first, Code::CONTINUE, block1(&first));
    let (blocks, body) = take_all(&mut world, Code::CREATED);
    assert_eq!(block1(&blocks[0]), Some((0, true, 1024)));
    assert_eq!(body, list((0..MANY).filter(|id| *id != 5)));
    world.assert_silent();
    // With the last block on its way it is what the server has got; an Update tells the change.
    world.client.objects_mut().temperature.remove(6);
    world.poll();
    let (_, body) = take_all(&mut world, Code::CHANGED);
    assert_eq!(body, list((0..MANY).filter(|id| *id != 5 && *id != 6)));
}

#[test]
fn a_list_that_never_stays_the_same_is_a_failed_attempt() {
    let mut world = connected();
    for id in 0..20 {
        if !world.events.is_empty() {
            break;
        }
        let first = world.take_for(1);
        assert_eq!(block1(&first), Some((0, true, 1024)));
        world.client.objects_mut().temperature.remove(id);
        answer(&mut world, &first, Code::CONTINUE, block1(&first));
    }
    assert!(matches!(
        world.events[..],
        [Event::RegistrationFailed {
            retry_at: Some(_),
            ..
        }]
    ));
    world.assert_silent();
}

#[test]
fn an_update_with_a_long_list_goes_in_blocks_while_the_device_is_managed() {
    let mut world = connected();
    take_all(&mut world, Code::CREATED);
    world.events.clear();
    world.client.objects_mut().temperature.remove(0);
    world.client.server_mut().lifetime = 500;
    world.poll();
    let first = world.take_for(1);
    assert_eq!(block1(&first), Some((0, true, 1024)));
    assert_eq!(
        (first.path().as_str(), first.query().as_str()),
        ("/rd/7", "lt=500")
    );
    // The memory for payloads is used for something else in between.
    assert_eq!(world.code(1, &get("/3303/7")), "2.05");
    answer(&mut world, &first, Code::CONTINUE, block1(&first));
    let second = world.take_for(1);
    assert_eq!(second.query(), "lt=500");
    let body = [&first.payload[..], &second.payload].concat();
    assert_eq!(String::from_utf8(body).unwrap(), list(1..MANY));
    answer(&mut world, &second, Code::CHANGED, block1(&second));
    assert!(world.events.contains(&Event::Updated { server: 1 }));
    world.assert_silent();

    // The server was restarted and does not know the device any more: a Register with all of it.
    world.client.objects_mut().temperature.remove(1);
    world.poll();
    let first = world.take_for(1);
    answer(&mut world, &first, Code::NOT_FOUND, None);
    let (blocks, body) = take_all(&mut world, Code::CREATED);
    assert_eq!(blocks[0].path(), "/rd");
    assert_eq!(body, list(2..MANY));
}

/// A block without an answer is an attempt without an answer; the next begins with the first.
#[test]
fn silence_in_the_middle_is_a_failed_attempt() {
    let mut world = connected();
    let first = world.take_for(1);
    answer(&mut world, &first, Code::CONTINUE, block1(&first));
    world.seconds(93);
    assert!(matches!(
        world.events[..],
        [Event::RegistrationFailed { code: None, .. }]
    ));
    world.sent.clear();
    world.seconds(60);
    let again = world.take_for(1);
    assert_eq!(block1(&again), Some((0, true, 1024)));
}

/// Core 1.2 §6.2.1.1 in the middle of a transfer: the lower version has a list of its own.
#[test]
fn a_version_refused_in_the_middle_is_lowered() {
    let mut world = connected();
    let first = world.take_for(1);
    answer(&mut world, &first, Code::CONTINUE, block1(&first));
    let second = world.take_for(1);
    answer(&mut world, &second, Code::PRECONDITION_FAILED, None);
    let (blocks, body) = take_all(&mut world, Code::CREATED);
    assert!(blocks[1].query().contains("lwm2m=1.0"));
    assert_eq!(body, list(0..MANY));
}

#[test]
fn leaving_in_the_middle_leaves_nothing_behind() {
    let mut world = connected();
    let first = world.take_for(1);
    world.client.deregister();
    world.poll();
    world.assert_silent();
    answer(&mut world, &first, Code::CONTINUE, block1(&first));
    let second = world.take_for(1);
    answer(&mut world, &second, Code::CREATED, block1(&second));
    let bye = world.take_for(1);
    assert_eq!(
        (bye.code, bye.path().as_str(), block1(&bye)),
        (Code::DELETE, "/rd/7", None)
    );
}

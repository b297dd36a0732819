//! Access control (Core 1.2 §8): who may do what on a device with several servers.

mod common;

use common::several::Several;
use common::{Ask, ask, get, hex, post, put};
use dunlin_client::objects::{AccessControl, Device, Humidity, LightControl, Server, Temperature};
use dunlin_client::{AccountError, Code, Config, Instances, Single, Version, objects};

struct Guarded {
    device: Single<Device>,
    temperature: Instances<Temperature, 4>,
    humidity: Instances<Humidity, 2>,
    light: Instances<LightControl, 2>,
    access: Instances<AccessControl, 10>,
}

objects!(Guarded {
    device,
    temperature,
    humidity,
    light,
    access
});

const R: u8 = AccessControl::READ;
const W: u8 = AccessControl::WRITE;
const E: u8 = AccessControl::EXECUTE;
const D: u8 = AccessControl::DELETE;

type World = Several<Guarded>;

/// Three registered servers, and these instances of object 2.
fn world(entries: impl IntoIterator<Item = AccessControl>) -> World {
    let access = entries
        .into_iter()
        .zip(0..)
        .fold(Instances::new(), |access, (entry, id)| {
            access.with(id, entry)
        });
    let guarded = Guarded {
        device: Single::new(Device::default()),
        temperature: Instances::new()
            .with(0, Temperature::new(20.0))
            .with(1, Temperature::new(30.0)),
        humidity: Instances::new().with(0, Humidity::new(50.0)),
        light: Instances::new().with(0, LightControl::default()),
        access,
    };
    let config = Config {
        version: Version::V1_1,
        ..Config::new("dev1")
    };
    let mut world = World::with(config, guarded, [1, 2, 3].map(Server::new));
    world.register(&[1, 2, 3]);
    world
}

fn entry(object: u16, instance: u16, owner: u16) -> AccessControl {
    AccessControl::new(object, instance, owner)
}

/// Answers the Updates that follow a change of the object list.
fn settle(world: &mut World) {
    while let Some((id, update)) = world.sent.pop_front() {
        assert_eq!(update.path(), format!("/rd/{id}"));
        world.answer(id, &update, Code::CHANGED, &[]);
    }
}

#[track_caller]
fn assert_codes(world: &mut World, codes: &[(u16, Ask, &str)]) {
    for (server, request, code) in codes {
        let got = world.code(*server, request);
        assert_eq!(&got, code, "{} {} by {server}", request.code, request.uri);
    }
}

#[test]
fn without_an_access_control_object_everybody_may_everything() {
    let mut world = world([]);
    for id in [1, 2, 3] {
        assert_eq!(world.code(id, &get("/3303/0/5700")), "2.05");
        assert_eq!(world.code(id, &put("/3311/0/5850", 0, b"1")), "2.04");
    }
    assert_eq!(world.code(2, &ask(Code::DELETE, "/3303/0")), "2.02");
    settle(&mut world);
    // And none comes into being.
    assert_eq!(world.code(2, &post("/3303", 11542, &hex("00 05"))), "2.01");
    settle(&mut world);
    assert_eq!(world.client.objects().access.iter().count(), 0);
}

#[test]
fn own_entry_before_owner_before_default() {
    let mut world = world([
        // Server 1 owns but is listed with Read alone; 2 is the default; 3 is listed with nothing.
        entry(3311, 0, 1).acl(1, R).acl(0, R | W).acl(3, 0),
        // An owner who is not listed has all rights, others none.
        entry(3303, 0, 1),
    ]);
    let read = get("/3311/0/5850");
    let write = put("/3311/0/5850", 0, b"1");
    assert_codes(
        &mut world,
        &[
            (1, read.clone(), "2.05"),
            (1, write.clone(), "4.01"),
            (2, read.clone(), "2.05"),
            (2, write.clone(), "2.04"),
            (3, read, "4.01"),
            (3, write, "4.01"),
            (1, get("/3303/0/5700"), "2.05"),
            (1, ask(Code::POST, "/3303/0/5605"), "2.04"),
            (2, get("/3303/0/5700"), "4.01"),
            (2, ask(Code::POST, "/3303/0/5605"), "4.01"),
            // Nothing speaks of this instance: nobody may.
            (1, get("/3303/1/5700"), "4.01"),
            (1, get("/3/0/0"), "4.01"),
        ],
    );
}

#[test]
fn each_operation_needs_its_right() {
    let codes = |rights: u8| {
        let mut world = world([
            entry(3311, 0, 9).acl(1, rights),
            entry(3303, 0, 9).acl(1, rights),
        ]);
        [
            get("/3311/0/5850"),
            get("/3311/0").observe(0, b"o"),
            ask(Code::PUT, "/3311/0/5850?pmin=1"),
            get("/3311/0").accept(40),
            put("/3311/0/5850", 0, b"1"),
            post("/3311/0", 11542, &hex("E1 16DA 01")),
            ask(Code::POST, "/3303/0/5605"),
            ask(Code::DELETE, "/3303/0"),
        ]
        .map(|request| world.code(1, &request))
    };
    let no = "4.01";
    let (ok, content, changed, deleted) = ("2.05", "2.05", "2.04", "2.02");
    // Read covers Observe and Write-Attributes; Discover needs nothing.
    assert_eq!(codes(R), [ok, ok, changed, content, no, no, no, no]);
    assert_eq!(codes(W), [no, no, no, content, changed, changed, no, no]);
    assert_eq!(codes(E), [no, no, no, content, no, no, changed, no]);
    assert_eq!(codes(D), [no, no, no, content, no, no, no, deleted]);
    assert_eq!(codes(0), [no, no, no, content, no, no, no, no]);
}

#[test]
fn missing_comes_before_forbidden_and_forbidden_before_impossible() {
    let mut world = world([entry(3303, 0, 9).acl(1, R), entry(3, 0, 9)]);
    assert_codes(
        &mut world,
        &[
            // 4.04: there is nothing to have rights on.
            (1, get("/3303/7/5700"), "4.04"),
            (1, get("/3303/0/4711"), "4.04"),
            (1, put("/4711/0/1", 0, b"1"), "4.04"),
            (1, ask(Code::DELETE, "/3303/9"), "4.04"),
            // A resource that is absent at the moment.
            (1, get("/3/0/9"), "4.04"),
            // 4.01 although the resource could not be written or executed anyway.
            (1, put("/3303/0/5700", 0, b"1"), "4.01"),
            (1, ask(Code::POST, "/3303/0/5700"), "4.01"),
            (1, get("/3/0/4"), "4.01"),
            // 4.05: permitted, but not possible.
            (1, get("/3303/0/5605"), "4.05"),
        ],
    );
}

#[test]
fn an_object_is_read_as_far_as_permitted() {
    let mut world = world([entry(3303, 0, 1), entry(3303, 1, 2), entry(3304, 0, 3)]);
    let read = get("/3303").accept(110);
    let of = |world: &mut World, id| world.ask(id, &read).text();
    let (one, two, three) = (of(&mut world, 1), of(&mut world, 2), of(&mut world, 3));
    assert!(one.contains("0/5700") && !one.contains("1/5700"), "{one}");
    assert!(two.contains("1/5700") && !two.contains("0/5700"), "{two}");
    assert_eq!(three, "[]");
    // Observe on the object likewise: server 2 hears of its instance only.
    assert_eq!(
        world.code(2, &get("/3303").accept(110).observe(0, b"all")),
        "2.05"
    );
    let measure = |world: &mut World, id, value| {
        let things = world.client.objects_mut();
        things
            .temperature
            .get_mut(id)
            .expect("is there")
            .measure(value);
        world.poll();
    };
    measure(&mut world, 0, 21.0);
    world.assert_silent();
    measure(&mut world, 1, 31.0);
    let told = world.take_for(2).text();
    assert!(told.contains("31") && !told.contains("0/5700"), "{told}");
}

#[test]
fn who_creates_owns_and_the_entry_lives_with_the_instance() {
    let create = post("/3303", 11542, &hex("00 05"));
    let mut world = world([
        AccessControl::creators(3303).acl(2, AccessControl::CREATE),
        // The bit counts nowhere else.
        entry(3303, 0, 9).acl(1, 31),
    ]);
    assert_codes(
        &mut world,
        &[
            (1, create.clone(), "4.01"),
            (3, create.clone(), "4.01"),
            (3, post("/4711", 11542, &hex("00 05")), "4.04"),
        ],
    );
    let observe = get("/2").accept(110).observe(0, b"ac");
    assert_eq!(world.code(1, &observe), "2.05");
    assert_eq!(world.code(2, &create), "2.01");
    let created = entry(3303, 5, 2).acl(2, AccessControl::ALL);
    assert_eq!(world.client.objects().access.get(2), Some(&created));
    // The observer of /2 hears of it, and every server is told the new list.
    let mut told = 0;
    while let Some((id, got)) = world.sent.pop_front() {
        if got.token == b"ac" {
            assert!(got.text().contains("\"2/0\",\"v\":3303"), "{}", got.text());
            told += 1;
        } else {
            assert!(got.text().contains("</2/2>") && got.text().contains("</3303/5>"));
            world.answer(id, &got, Code::CHANGED, &[]);
        }
    }
    assert_eq!(told, 1);
    assert_codes(
        &mut world,
        &[
            (2, get("/3303/5"), "2.05"),
            (1, get("/3303/5"), "4.01"),
            (1, ask(Code::DELETE, "/3303/5"), "4.01"),
            (2, ask(Code::DELETE, "/3303/5"), "2.02"),
        ],
    );
    assert_eq!(world.client.objects().access.get(2), None);
    world.sent.clear();
    assert_eq!(world.code(2, &get("/2/2")), "4.04");
    // The device itself takes instances away as well.
    world.client.objects_mut().temperature.remove(0);
    world.poll();
    assert_eq!(world.client.objects().access.get(1), None);
    assert!(world.client.objects().access.get(0).is_some());
}

#[test]
fn an_instance_without_place_for_its_entry_is_not_created() {
    let entries = (0..10).map(|_| AccessControl::creators(3303).acl(1, AccessControl::CREATE));
    let mut world = world(entries);
    assert_eq!(world.code(1, &post("/3303", 11542, &hex("00 05"))), "5.00");
    assert!(world.client.objects().temperature.get(5).is_none());
}

#[test]
fn only_the_owner_manages_an_entry() {
    let mut world = world([
        entry(3303, 0, 1).acl(2, 15),
        AccessControl::creators(3303).acl(1, AccessControl::CREATE),
    ]);
    let give = |instance: u16, rights: &[u8]| {
        // ACL: resource instance 3.
        let value = [&hex("88 02 03 41 03")[..], rights].concat();
        post(&format!("/2/{instance}/2"), 11542, &value)
    };
    assert_codes(
        &mut world,
        &[
            // Everybody reads, and attaches attributes.
            (2, get("/2/0"), "2.05"),
            (3, get("/2"), "2.05"),
            (3, ask(Code::PUT, "/2/0?pmin=1"), "2.04"),
            (2, give(0, &[R]), "4.01"),
            (3, get("/3303/0/5700"), "4.01"),
            (1, give(0, &[R]), "2.04"),
            (3, get("/3303/0/5700"), "2.05"),
            // The owner's own rights do not count here: who owns, owns.
            (1, put("/2/0/2/2", 0, b"1"), "2.04"),
            (2, put("/3303/0/5750", 0, b"x"), "4.01"),
            // What a bootstrap-server owns is nobody's.
            (1, give(1, &[R]), "4.01"),
            // Reserved bits.
            (1, put("/2/0/2/2", 0, b"32"), "4.00"),
            // Its instances come and go by themselves.
            (1, post("/2", 11542, &hex("00 07")), "4.01"),
            (1, ask(Code::DELETE, "/2/0"), "4.01"),
            // Ownership is given away.
            (1, put("/2/0/3", 0, b"2"), "2.04"),
            (1, put("/2/0/3", 0, b"1"), "4.01"),
            (2, put("/2/0/3", 0, b"1"), "2.04"),
        ],
    );
}

#[test]
fn who_may_not_read_any_more_is_not_notified() {
    let mut world = world([entry(3303, 0, 1).acl(2, R)]);
    assert_eq!(world.code(2, &get("/3303/0/5700").observe(0, b"o")), "2.05");
    assert_eq!(
        world.code(2, &ask(Code::PUT, "/3303/0/5700?pmax=60")),
        "2.04"
    );
    assert_eq!(world.code(1, &put("/2/0/2/2", 0, b"0")), "2.04");
    let measure = |world: &mut World, value| {
        let things = world.client.objects_mut();
        things
            .temperature
            .get_mut(0)
            .expect("is there")
            .measure(value);
        world.poll();
    };
    measure(&mut world, 25.0);
    world.seconds(600);
    world.assert_silent();
    // With the right comes the value that was missed.
    assert_eq!(world.code(1, &put("/2/0/2/2", 0, b"1")), "2.04");
    assert_eq!(world.take_for(2).text(), "25.0");
}

#[test]
fn hidden_objects_need_no_entry() {
    let mut world = world([entry(3303, 0, 1)]);
    assert_codes(
        &mut world,
        &[
            (1, get("/0"), "4.01"),
            (1, get("/0/0").accept(40), "4.01"),
            (1, ask(Code::DELETE, "/0/1"), "4.01"),
            (1, ask(Code::PUT, "/0?pmin=1"), "4.01"),
        ],
    );
}

#[test]
fn a_removed_server_leaves_nothing_behind() {
    let mut world = world([
        // Its alone.
        entry(3303, 0, 2).acl(2, 15),
        // Others read it: 3 has the higher sum of Write and Delete.
        entry(3303, 1, 2).acl(2, 15).acl(1, R | W).acl(3, W | D),
        // Not its own.
        entry(3304, 0, 1).acl(2, R),
        // Its alone, but the device has it always.
        entry(3, 0, 2),
        // By default everybody: the first that is left.
        entry(3311, 0, 2).acl(0, R | W),
    ]);
    world.client.remove_server(2).expect("is there");
    world.poll();
    let objects = world.client.objects();
    assert!(objects.temperature.get(0).is_none());
    let left: Vec<(u16, AccessControl)> = objects
        .access
        .iter()
        .map(|(id, entry)| (id, entry.clone()))
        .collect();
    assert_eq!(
        left,
        [
            (1, entry(3303, 1, 3).acl(1, R | W).acl(3, W | D)),
            (2, entry(3304, 0, 1)),
            (3, entry(3, 0, 65535)),
            (4, entry(3311, 0, 1).acl(0, R | W)),
        ]
    );
    // The others are told.
    let (id, update) = world.take();
    assert_eq!(id, 1);
    assert!(
        update.text().starts_with("</1/0>,</1/2>,</3/0>,"),
        "{}",
        update.text()
    );
    world.take_for(3);
    world.input(2, &get("/3/0").bytes(1));
    world.assert_silent();
    assert_eq!(world.client.dropped().foreign, 1);
    assert_eq!(world.client.remove_server(2), Err(AccountError::Unknown));
    world.client.remove_server(1).expect("is there");
    assert_eq!(world.client.remove_server(3), Err(AccountError::Last));
}

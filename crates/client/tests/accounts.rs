//! Several servers at once: each has a registration, observations and attributes of its own.

mod common;

use common::several::{Several, address};
use common::{ask, get, post, put};
use dunlin_client::objects::Server;
use dunlin_client::{AccountError, Code, Config, Event, RegistrationState, Version};
use dunlin_coap::Type;

fn config(version: Version) -> Config {
    Config {
        version,
        ..Config::new("dev1")
    }
}

fn two() -> Several {
    Several::new(config(Version::V1_1), [Server::new(1), Server::new(2)])
}

fn registered() -> Several {
    let mut several = two();
    several.register(&[1, 2]);
    several
}

#[test]
fn each_server_has_its_registration() {
    let mut several = two();
    several.client.server_of_mut(2).expect("is there").lifetime = 600;
    several.connect(1);
    several.connect(2);
    several.poll();
    let first = several.take_for(1);
    let second = several.take_for(2);
    assert_eq!(first.query(), "ep=dev1&lt=86400&lwm2m=1.1&b=U");
    assert_eq!(second.query(), "ep=dev1&lt=600&lwm2m=1.1&b=U");
    assert!(first.text().starts_with("</1/0>,</1/1>,</3/0>"));
    // The second answers first, and is registered alone.
    several.created(2, &second);
    let version = Version::V1_1;
    assert_eq!(several.events, [Event::Registered { server: 2, version }]);
    let account = several.client.account(2).expect("is there");
    assert_eq!(account.state(), RegistrationState::Registered);
    assert_eq!(account.location().to_string(), "/rd/2");
    assert_eq!(several.client.state(), RegistrationState::Registering);
    several.created(1, &first);
    assert_eq!(several.client.location().to_string(), "/rd/1");
    // 600 s less 93 s: only the second is due.
    several.seconds(506);
    several.assert_silent();
    several.seconds(1);
    assert_eq!(several.take_for(2).path(), "/rd/2");
    several.assert_silent();
}

#[test]
fn each_server_gets_its_version() {
    let mut several = Several::new(config(Version::V1_2), [Server::new(1), Server::new(2)]);
    several.connect(1);
    several.connect(2);
    several.poll();
    let (first, second) = (several.take_for(1), several.take_for(2));
    several.created(1, &first);
    several.answer(2, &second, Code::PRECONDITION_FAILED, &[]);
    let second = several.take_for(2);
    assert_eq!(second.query(), "ep=dev1&lt=86400&lwm2m=1.1&b=U");
    several.answer(2, &second, Code::PRECONDITION_FAILED, &[]);
    let second = several.take_for(2);
    assert_eq!(second.query(), "ep=dev1&lt=86400&lwm2m=1.0&b=U");
    several.created(2, &second);
    let versions: Vec<Version> = several.client.accounts().map(|it| it.version()).collect();
    assert_eq!(versions, [Version::V1_2, Version::V1_0]);
    // Without Accept a server of version 1.0 gets TLV, one of 1.2 SenML CBOR.
    assert_eq!(several.ask(1, &get("/3/0")).options[0], (12, vec![0x70]));
    assert_eq!(
        several.ask(2, &get("/3/0")).options[0],
        (12, vec![0x2D, 0x16])
    );
}

#[test]
fn a_server_that_is_not_registered_is_not_served() {
    let mut several = two();
    several.connect(1);
    several.connect(2);
    several.poll();
    let first = several.take_for(1);
    several.take_for(2);
    several.created(1, &first);
    several.input(2, &get("/3/0/0").bytes(1));
    several.assert_silent();
    assert_eq!(several.code(1, &get("/3/0/0")), "2.05");
}

#[test]
fn observations_and_attributes_belong_to_a_server() {
    let mut several = registered();
    let observe = get("/3303/0/5700").observe(0, b"same");
    assert_eq!(several.code(1, &observe), "2.05");
    assert_eq!(several.code(2, &observe), "2.05");
    assert_eq!(
        several.code(1, &ask(Code::PUT, "/3303/0/5700?gt=25")),
        "2.04"
    );
    let discover = get("/3303/0/5700").accept(40);
    assert_eq!(several.ask(1, &discover).text(), "</3303/0/5700>;gt=25");
    assert_eq!(several.ask(2, &discover).text(), "</3303/0/5700>");
    let measure = |several: &mut Several, value| {
        let things = several.client.objects_mut();
        things
            .temperature
            .get_mut(0)
            .expect("is there")
            .measure(value);
        several.poll();
    };
    measure(&mut several, 22.0);
    assert_eq!(several.take_for(2).text(), "22.0");
    several.assert_silent();
    measure(&mut several, 26.0);
    assert_eq!(several.take_for(1).text(), "26.0");
    assert_eq!(several.take_for(2).text(), "26.0");
    // A reset of one ends its own observation only.
    measure(&mut several, 20.0);
    several.take_for(1);
    let notification = several.take_for(2);
    let mut reset = [0; 4];
    dunlin_coap::MessageWriter::empty(&mut reset, Type::Reset, notification.message_id)
        .finish()
        .unwrap();
    several.input(2, &reset);
    let observed: Vec<usize> = several
        .client
        .accounts()
        .map(|account| account.observed().count())
        .collect();
    assert_eq!(observed, [1, 0]);
}

#[test]
fn what_is_attached_to_a_deleted_instance_goes_for_all() {
    let mut several = registered();
    for id in [1, 2] {
        assert_eq!(several.code(id, &ask(Code::PUT, "/3303/0?pmin=10")), "2.04");
    }
    assert_eq!(several.code(1, &ask(Code::DELETE, "/3303/0")), "2.02");
    for id in [1, 2] {
        let update = several.take_for(id);
        assert!(!update.text().contains("</3303/0>"), "{}", update.text());
        several.answer(id, &update, Code::CHANGED, &[]);
    }
    let create = post("/3303", 11542, &common::hex("00 00"));
    // An empty Create: instance 0 without resources.
    let created = several.code(2, &create);
    assert_eq!(created, "2.01");
    for id in [1, 2] {
        let update = several.take_for(id);
        several.answer(id, &update, Code::CHANGED, &[]);
    }
    for id in [1, 2] {
        let discover = get("/3303/0").accept(40);
        assert!(several.ask(id, &discover).text().starts_with("</3303/0>,"));
    }
}

#[test]
fn a_change_is_told_to_every_server() {
    let mut several = registered();
    assert_eq!(several.code(2, &put("/1/1/1", 0, b"700")), "2.04");
    assert_eq!(several.take_for(2).query(), "lt=700");
    // The lifetime at one server is nothing to another.
    several.assert_silent();
}

#[test]
fn one_memory_gathers_the_blocks_of_one_server() {
    let mut several = registered();
    // /3/0/15 in blocks of 16 bytes.
    let part = |number, more| put("/3/0/15", 0, b"0123456789abcdef").block1(number, more, 0);
    assert_eq!(several.code(1, &part(0, true)), "2.31");
    assert_eq!(several.code(2, &part(0, true)), "2.31");
    // The second has taken the memory; its own transfer goes on.
    assert_eq!(several.code(1, &part(1, false)), "4.08");
    assert_eq!(several.code(2, &part(1, false)), "2.04");
    let value = "0123456789abcdef".repeat(2);
    assert_eq!(several.ask(1, &get("/3/0/15")).text(), value);
}

#[test]
fn a_rendered_answer_is_for_the_server_that_asked() {
    let mut several = registered();
    let list = get("/3").accept(40);
    let first = several.ask(1, &list.clone().block2(0, 0));
    assert_eq!(first.payload.len(), 16);
    several.ask(2, &get("/3303/0/5700"));
    // The memory holds something else now: the block is rendered again, not taken from it.
    let second = several.ask(1, &list.block2(1, 0));
    let whole = several.ask(2, &get("/3").accept(40)).text();
    assert_eq!(second.text(), whole[16..32]);
}

#[test]
fn leaving_one_server_leaves_the_other() {
    let mut several = registered();
    several.client.deregister_from(1).expect("is there");
    several.poll();
    let deregister = several.take_for(1);
    assert_eq!(
        (deregister.code, deregister.path().as_str()),
        (Code::DELETE, "/rd/1")
    );
    several.answer(1, &deregister, Code::DELETED, &[]);
    assert_eq!(
        several.events.last(),
        Some(&Event::Deregistered { server: 1 })
    );
    several.input(1, &get("/3/0/0").bytes(7));
    several.assert_silent();
    assert_eq!(several.code(2, &get("/3/0/0")), "2.05");
}

#[test]
fn two_accounts_have_two_addresses_and_two_ids() {
    let mut several = registered();
    let now = several.now;
    let client = &mut several.client;
    // A datagram is matched to its server by the address, without security.
    assert_eq!(
        client.connect_to(now, 2, address(1)),
        Err(AccountError::Address)
    );
    assert_eq!(
        client.connect_to(now, 9, address(9)),
        Err(AccountError::Unknown)
    );
    for id in [0, 1, 2, u16::MAX] {
        assert_eq!(
            client.add_server(Server::new(id), &mut several.dice),
            Err(AccountError::Id)
        );
    }
    assert_eq!(client.add_server(Server::new(3), &mut several.dice), Ok(()));
    assert_eq!(
        client.add_server(Server::new(4), &mut several.dice),
        Err(AccountError::Full)
    );
    // The same server at another address is one that moved.
    assert_eq!(client.connect_to(now, 2, address(5)), Ok(()));
}

#[test]
fn each_server_sees_the_server_object_of_its_version() {
    for (version, codes) in [
        // 1.0 ends with resource 8; 13 to 20 have no operation in 1.1.
        (Version::V1_0, ["4.04", "4.04", "4.04", "4.04"]),
        (Version::V1_1, ["4.05", "4.05", "4.05", "4.05"]),
        (Version::V1_2, ["2.05", "2.04", "2.05", "2.05"]),
    ] {
        let mut account = Server::new(1);
        account.retry_count = Some(3);
        let mut several = Several::new(config(version), [account]);
        several.register(&[1]);
        let requests = [
            get("/1/0/17"),
            put("/1/0/17", 0, b"4"),
            get("/1/0/17").observe(0, b"o"),
            get("/1/0/17").accept(40),
        ];
        let got = requests.map(|request| several.code(1, &request));
        let discovered = codes[3].replace("4.05", "4.04");
        assert_eq!(
            got,
            [codes[0], codes[1], codes[2], &discovered],
            "{version}"
        );
        let links = several.ask(1, &get("/1").accept(40)).text();
        assert_eq!(links.contains("</1/0/17>"), version == Version::V1_2);
        let read = several.ask(1, &get("/1/0").accept(11542));
        let has_count = read.payload.windows(2).any(|bytes| bytes == [0xC1, 17]);
        assert_eq!(has_count, version == Version::V1_2);
    }
}

#[test]
fn alternate_apn_links_came_with_1_2() {
    // A link as text, to an instance that is there.
    let request = put("/1/0/24/0", 0, b"3:0");
    for (version, codes) in [
        (Version::V1_1, ["4.04", "4.04"]),
        (Version::V1_2, ["2.04", "2.05"]),
    ] {
        let mut several = Several::new(config(version), [Server::new(1)]);
        several.client.server_mut().alternate_apn_links = Some(
            [(
                0,
                dunlin_client::ObjectLink {
                    object: 11,
                    instance: 0,
                },
            )]
            .into_iter()
            .collect(),
        );
        several.register(&[1]);
        let written = several.code(1, &request);
        let read = several.ask(1, &get("/1/0/24/0"));
        assert_eq!([written, read.code.to_string()], codes, "{version}");
        if version == Version::V1_2 {
            assert_eq!(read.text(), "3:0");
        }
    }
}

/// A Write of the whole instance is refused for a resource that has no operation (Core 1.1 §6.3.3:
/// every resource must be writable), and ignores one that the version does not have.
#[test]
fn a_write_of_an_instance_does_not_pass_over_resources_without_operation() {
    for (version, code, priority) in [
        (Version::V1_0, "2.04", Some(3)),
        (Version::V1_1, "4.05", Some(3)),
        (Version::V1_2, "2.04", Some(4)),
    ] {
        for method in [post, put] {
            let mut account = Server::new(1);
            account.retry_count = Some(3);
            let mut several = Several::new(config(version), [account]);
            several.register(&[1]);
            // Lifetime and Communication Retry Count.
            let body = [0xC1, 1, 60, 0xC1, 17, 4];
            let got = several.code(1, &method("/1/0", 11542, &body));
            assert_eq!(got, code, "{version}");
            let server = several.client.account(1).unwrap().server();
            assert_eq!(server.retry_count, priority, "{version}");
            let lifetime = if code == "2.04" { 60 } else { 86_400 };
            assert_eq!(server.lifetime, lifetime, "{version}");
        }
    }
}

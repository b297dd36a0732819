//! The registration life cycle in virtual time, against a server of raw messages.

mod common;

use std::time::Duration;

use common::{Got, World, ask, get, hex, post, put};
use dunlin_client::{Code, Config, Event, RegistrationState, Version};
use dunlin_coap::{OptionNumber, Type};

fn start(config: Config) -> (World, Got) {
    let mut world = World::with(config);
    let server = world.server;
    world.client.connect(world.now, server);
    world.poll();
    let register = world.take();
    world.assert_silent();
    (world, register)
}

fn config(version: Version, queue_mode: bool) -> Config {
    Config {
        version,
        queue_mode,
        ..Config::new("dev1")
    }
}

const LIST: &str = "</1/0>,</3/0>,</5>;ver=1.2,</5/0>,</6/0>,</3303>;ver=1.1,</3303/0>,</3304>;ver=1.1,\
                    </3304/0>,</3311>";

#[test]
fn register_is_byte_for_byte_the_one_of_the_standard() {
    let (mut world, _) = start(config(Version::V1_1, false));
    world.client.server_mut().lifetime = 300;
    let server = world.server;
    world.client.connect(world.now, server);
    world.poll();
    let register = world.take();
    assert_eq!(
        (register.ty, register.code),
        (Type::Confirmable, Code::POST)
    );
    assert_eq!(register.token.len(), 8);
    // /rd, Content-Format 40, ep=dev1, lt=300, lwm2m=1.1, b=U (the frame of a plain stack).
    let head = hex("B27264 1128 3765703D64657631 066C743D333030 096C776D326D3D312E31 03623D55 FF");
    let expected = [&head[..], LIST.as_bytes()].concat();
    assert_eq!(register.tail, expected);
}

#[test]
fn parameters_follow_the_version() {
    for (version, queue_mode, query) in [
        (Version::V1_0, false, "ep=dev1&lt=86400&lwm2m=1.0&b=U"),
        (Version::V1_0, true, "ep=dev1&lt=86400&lwm2m=1.0&b=UQ"),
        (Version::V1_1, true, "ep=dev1&lt=86400&lwm2m=1.1&b=U&Q"),
        (Version::V1_2, false, "ep=dev1&lt=86400&lwm2m=1.2&b=U"),
        (Version::V1_2, true, "ep=dev1&lt=86400&lwm2m=1.2&b=U&Q"),
    ] {
        let (_, register) = start(config(version, queue_mode));
        assert_eq!(register.query(), query);
        assert_eq!(register.uint(OptionNumber::CONTENT_FORMAT), Some(40));
        assert!(!register.text().contains("</0"));
    }
}

#[test]
fn the_life_of_a_registration() {
    let (mut world, register) = start(config(Version::V1_2, false));
    world.client.server_mut().lifetime = 1000;
    let server = world.server;
    world.client.connect(world.now, server);
    world.poll();
    world.take();
    let _ = register;
    world.client.connect(world.now, server);
    world.poll();
    let register = world.take();
    world.answer_created(&register);
    assert_eq!(world.client.state(), RegistrationState::Registered);
    assert_eq!(world.client.location().to_string(), "/rd/5a3f");
    let registered_at = world.now;

    // 1000 s less max(100 s, 93 s): the Update goes out after 900 s, exactly, and is empty.
    assert_eq!(
        world.client.next_timeout(),
        Some(registered_at + Duration::from_secs(900))
    );
    world.seconds(899);
    world.assert_silent();
    world.seconds(1);
    let update = world.take();
    assert_eq!((update.ty, update.code), (Type::Confirmable, Code::POST));
    assert_eq!(update.tail, hex("B27264 0435613366"));
    world.answer_with(&update, Code::CHANGED);
    assert_eq!(world.events.last(), Some(&Event::Updated { server: 1 }));
    assert_eq!(
        world.client.next_timeout(),
        Some(world.now + Duration::from_secs(900))
    );

    world.client.deregister();
    world.poll();
    let deregister = world.take();
    assert_eq!(deregister.code, Code::DELETE);
    assert_eq!(deregister.tail, hex("B27264 0435613366"));
    world.answer_with(&deregister, Code::DELETED);
    assert_eq!(
        world.events.last(),
        Some(&Event::Deregistered { server: 1 })
    );
    assert_eq!(world.client.state(), RegistrationState::Idle);
    assert_eq!(world.client.next_timeout(), None);
}

#[test]
fn update_goes_out_early_enough() {
    for (lifetime, after) in [
        (86_400, Some(77_760)),
        (1000, Some(900)),
        (500, Some(407)),
        (186, Some(93)),
        (60, Some(30)),
        (1, None),
        (0, None),
    ] {
        let mut world = World::new(Version::V1_1);
        world.client.server_mut().lifetime = lifetime;
        world.register();
        let next = world.client.next_timeout();
        match (lifetime, after) {
            // 0 is infinite: no Update, ever.
            (0, _) => assert_eq!(next, None),
            (1, _) => assert_eq!(next, Some(world.now + Duration::from_millis(500))),
            (_, Some(after)) => {
                assert_eq!(
                    next,
                    Some(world.now + Duration::from_secs(after)),
                    "{lifetime}"
                );
            }
            (_, None) => unreachable!("every other lifetime has a moment"),
        }
    }
}

#[test]
fn a_written_lifetime_is_told_after_the_answer() {
    let mut world = World::registered(Version::V1_1);
    assert_eq!(world.code(&put("/1/0/1", 0, b"600")), "2.04");
    let update = world.take();
    assert_eq!(update.query(), "lt=600");
    assert_eq!(
        (update.path().as_str(), update.payload.len()),
        ("/rd/5a3f", 0)
    );
    world.answer_with(&update, Code::CHANGED);
    // The same value again changes nothing.
    assert_eq!(world.code(&put("/1/0/1", 0, b"600")), "2.04");
    world.assert_silent();
    // What other resources of the object say is nothing the server has to be told.
    assert_eq!(world.code(&put("/1/0/2", 0, b"5")), "2.04");
    world.assert_silent();
}

#[test]
fn several_changes_make_one_update_with_what_changed() {
    let mut world = World::registered(Version::V1_1);
    world.client.server_mut().lifetime = 700;
    world.client.objects_mut().temperature.remove(0);
    world.poll();
    let update = world.take();
    assert_eq!(update.query(), "lt=700");
    assert_eq!(update.uint(OptionNumber::CONTENT_FORMAT), Some(40));
    assert_eq!(
        update.text(),
        "</1/0>,</3/0>,</5>;ver=1.2,</5/0>,</6/0>,</3303>;ver=1.1,</3304>;ver=1.1,</3304/0>,</3311>"
    );
    // A change while the Update is on its way follows when it is answered.
    world.client.server_mut().lifetime = 800;
    world.poll();
    world.assert_silent();
    world.answer_with(&update, Code::CHANGED);
    let second = world.take();
    assert_eq!(
        (second.query().as_str(), second.payload.len()),
        ("lt=800", 0)
    );
}

#[test]
fn the_server_may_ask_for_an_update() {
    let mut world = World::registered(Version::V1_1);
    assert_eq!(world.code(&ask(Code::POST, "/1/0/8")), "2.04");
    let update = world.take();
    assert_eq!(
        (update.path().as_str(), update.query().as_str()),
        ("/rd/5a3f", "")
    );
    world.answer_with(&update, Code::CHANGED);
    assert_eq!(world.code(&post("/1/0/8", 0, b"0='U'")), "2.04");
    let update = world.take();
    world.answer_with(&update, Code::CHANGED);
    // A transport this device does not have.
    assert_eq!(world.code(&post("/1/0/8", 0, b"0='T'")), "4.00");
    world.assert_silent();
}

#[test]
fn a_refused_version_is_lowered_at_once() {
    let (mut world, register) = start(config(Version::V1_2, true));
    world.answer_with(&register, Code::PRECONDITION_FAILED);
    let second = world.take();
    assert_eq!(second.query(), "ep=dev1&lt=86400&lwm2m=1.1&b=U&Q");
    world.answer_with(&second, Code::PRECONDITION_FAILED);
    let third = world.take();
    assert_eq!(third.query(), "ep=dev1&lt=86400&lwm2m=1.0&b=UQ");
    world.answer_created(&third);
    let version = Version::V1_0;
    assert_eq!(
        world.events.last(),
        Some(&Event::Registered { server: 1, version })
    );
    assert_eq!(world.client.version(), version);

    // When the lowest is refused too, the next attempt begins with the highest, later.
    let (mut world, register) = start(config(Version::V1_0, false));
    world.answer_with(&register, Code::PRECONDITION_FAILED);
    world.assert_silent();
    assert_eq!(
        world.client.next_timeout(),
        Some(world.now + Duration::from_secs(60))
    );
}

/// Answers every Register with 4.03 and returns the seconds between them.
fn refuse_all(world: &mut World, mut register: Got) -> Vec<u64> {
    let mut gaps = Vec::new();
    loop {
        let at = world.now;
        world.answer_with(&register, Code::FORBIDDEN);
        let Some(next) = world.client.next_timeout() else {
            return gaps;
        };
        gaps.push((next - at).as_secs());
        world.run_until(next);
        register = world.take();
    }
}

#[test]
fn attempts_back_off_as_the_server_object_says() {
    // Core 1.2 §6.2.1.1: 60 s * 2^(attempt - 1), five attempts, one sequence.
    let (mut world, register) = start(config(Version::V1_1, false));
    assert_eq!(refuse_all(&mut world, register), [60, 120, 240, 480]);
    assert_eq!(world.client.state(), RegistrationState::Failed);
    assert_eq!(
        world.events.last(),
        Some(&Event::RegistrationFailed {
            server: 1,
            code: Some(Code::FORBIDDEN),
            retry_at: None,
            bootstrap: true,
        })
    );

    let mut world = World::new(Version::V1_1);
    let account = world.client.server_mut();
    account.retry_count = Some(2);
    account.retry_timer = Some(10);
    account.sequence_count = Some(3);
    account.sequence_delay = Some(1000);
    let server = world.server;
    world.client.connect(world.now, server);
    world.poll();
    let register = world.take();
    assert_eq!(refuse_all(&mut world, register), [10, 1000, 10, 1000, 10]);

    // A timer of 0 is a second, so that nobody spins.
    let mut world = World::new(Version::V1_1);
    world.client.server_mut().retry_timer = Some(0);
    world.client.connect(world.now, server);
    world.poll();
    let register = world.take();
    assert_eq!(refuse_all(&mut world, register), [1, 1, 1, 1]);

    // The largest sequence delay ends everything.
    let mut world = World::new(Version::V1_1);
    let account = world.client.server_mut();
    account.retry_count = Some(1);
    account.sequence_count = Some(9);
    account.sequence_delay = Some(u64::from(u32::MAX));
    world.client.connect(world.now, server);
    world.poll();
    let register = world.take();
    assert_eq!(refuse_all(&mut world, register), [] as [u64; 0]);
}

#[test]
fn silence_counts_as_a_failed_attempt() {
    let (mut world, register) = start(config(Version::V1_1, false));
    let begin = world.now;
    // Four repetitions of the same bytes, then the failure after 31 times the first timeout.
    let mut copies = 0;
    while world.events.is_empty() {
        let next = world.client.next_timeout().unwrap();
        world.run_until(next);
        while let Some(bytes) = world.sent.pop_front() {
            assert_eq!(Got::parse(&bytes).message_id, register.message_id);
            copies += 1;
        }
    }
    assert_eq!(copies, 4);
    let took = (world.now - begin).as_secs_f64();
    assert!((62.0..=93.0).contains(&took), "{took}");
    let retry_at = Some(world.now + Duration::from_secs(60));
    assert_eq!(
        world.events,
        [Event::RegistrationFailed {
            server: 1,
            code: None,
            retry_at,
            bootstrap: false,
        }]
    );
    world.events.clear();
    world.seconds(60);
    let second = world.take();
    assert_ne!(second.message_id, register.message_id);
    world.answer_created(&second);
    assert_eq!(world.client.state(), RegistrationState::Registered);
}

#[test]
fn a_lost_registration_is_made_again() {
    for code in [Code::NOT_FOUND, Code::BAD_REQUEST, Code::FORBIDDEN] {
        let mut world = World::registered(Version::V1_1);
        world.client.update(world.now);
        world.poll();
        let update = world.take();
        world.answer_with(&update, code);
        assert_eq!(
            world.events[0],
            Event::UpdateFailed {
                server: 1,
                code: Some(code)
            }
        );
        let register = world.take();
        assert_eq!(register.path(), "/rd", "{code}");
        world.answer_created(&register);
        assert_eq!(world.client.state(), RegistrationState::Registered);
    }
    // A server in trouble is given time (one that is overloaded: `overload.rs`).
    let mut world = World::registered(Version::V1_1);
    world.client.update(world.now);
    world.poll();
    let update = world.take();
    world.answer_with(&update, Code::INTERNAL_SERVER_ERROR);
    world.assert_silent();
    world.seconds(60);
    assert_eq!(world.take().path(), "/rd");
    // An Update nobody answers ends in a Register as well.
    let mut world = World::registered(Version::V1_1);
    world.client.update(world.now);
    world.poll();
    world.seconds(93);
    let paths: Vec<String> = world
        .sent
        .iter()
        .map(|bytes| Got::parse(bytes).path())
        .collect();
    assert_eq!(paths[..5], ["/rd/5a3f"; 5]);
    assert_eq!(paths[5], "/rd");
}

#[test]
fn an_answer_without_location_is_none() {
    let (mut world, register) = start(config(Version::V1_1, false));
    world.answer_with(&register, Code::CREATED);
    assert_eq!(world.client.state(), RegistrationState::Waiting);
    world.seconds(60);
    assert_eq!(world.take().path(), "/rd");
}

#[test]
fn a_separate_response_is_acknowledged() {
    let (mut world, register) = start(config(Version::V1_1, false));
    world.empty(Type::Acknowledgement, register.message_id);
    world.seconds(20);
    world.assert_silent();
    let created = common::Ask {
        code: Code::CREATED,
        token: register.token.clone(),
        ..ask(Code::CREATED, "")
    };
    let mut bytes = created.bytes(0x7777);
    bytes.extend(hex("82 72 64 04 35 61 33 66")); // Location-Path rd, 5a3f
    let server = world.server;
    world.input(server, &bytes);
    let acknowledgement = world.take();
    assert_eq!(acknowledgement.message_id, 0x7777);
    assert_eq!(acknowledgement.ty, Type::Acknowledgement);
    assert_eq!(world.client.state(), RegistrationState::Registered);
}

#[test]
fn nobody_manages_the_device_before_it_is_registered() {
    let (mut world, register) = start(config(Version::V1_1, false));
    let request = get("/3/0/0");
    let server = world.server;
    world.input(server, &request.bytes(0x2222));
    world.assert_silent();
    assert_eq!(world.client.dropped().unregistered, 1);
    world.answer_created(&register);
    // The repetition of the same message is served.
    world.input(server, &request.bytes(0x2222));
    assert_eq!(world.take().text(), "Dunlin");
}

#[test]
fn strangers_are_ignored() {
    let mut world = World::registered(Version::V1_1);
    for stranger in ["192.0.2.1:5684", "192.0.2.2:5683", "[::1]:5683"] {
        world.input(stranger.parse().unwrap(), &get("/3/0/0").bytes(1));
        world.assert_silent();
    }
    assert_eq!(world.client.dropped().foreign, 3);
    assert_eq!(world.code(&get("/3/0/0")), "2.05");
}

#[test]
fn disable_is_silence_for_a_time() {
    let mut world = World::registered(Version::V1_1);
    assert_eq!(world.code(&put("/1/0/5", 0, b"120")), "2.04");
    assert_eq!(world.code(&ask(Code::POST, "/1/0/4")), "2.04");
    let deregister = world.take();
    assert_eq!(
        (deregister.code, deregister.path()),
        (Code::DELETE, "/rd/5a3f".to_owned())
    );
    world.answer_with(&deregister, Code::DELETED);
    let server = world.server;
    world.input(server, &get("/3/0/0").bytes(5));
    world.assert_silent();
    world.seconds(119);
    world.assert_silent();
    world.seconds(1);
    assert_eq!(world.take().path(), "/rd");
}

#[test]
fn offline_is_silence_and_online_an_update() {
    let mut world = World::registered(Version::V1_1);
    world.client.offline();
    assert_eq!(world.client.next_timeout(), None);
    let server = world.server;
    world.input(server, &get("/3/0/0").bytes(5));
    world.assert_silent();
    assert_eq!(world.client.dropped().offline, 1);
    world.client.online(world.now);
    world.poll();
    let update = world.take();
    assert_eq!(update.path(), "/rd/5a3f");
    world.answer_with(&update, Code::CHANGED);
    // Past the lifetime there is nothing to update.
    world.client.offline();
    world.now += Duration::from_secs(86_400);
    world.client.online(world.now);
    world.poll();
    assert_eq!(world.take().path(), "/rd");
}

#[test]
fn reboot_is_told_after_the_answer() {
    let mut world = World::registered(Version::V1_1);
    assert_eq!(world.code(&ask(Code::POST, "/3/0/4")), "2.04");
    assert!(world.events.contains(&Event::Reboot));
    assert_eq!(world.code(&ask(Code::POST, "/3/0/5")), "2.04");
    assert!(world.events.contains(&Event::FactoryReset));
    let server = world.server;
    world.client.connect(world.now, server);
    world.poll();
    assert_eq!(world.take().path(), "/rd");
}

#[test]
fn a_reset_register_is_a_failed_one() {
    let (mut world, register) = start(config(Version::V1_1, false));
    world.empty(Type::Reset, register.message_id);
    assert!(matches!(
        world.events[..],
        [Event::RegistrationFailed { code: None, .. }]
    ));
    assert_eq!(
        world.client.next_timeout(),
        Some(world.now + Duration::from_secs(60))
    );
}

#[test]
fn whoever_leaves_while_registering_does_not_stay_behind() {
    let (mut world, register) = start(config(Version::V1_1, false));
    world.client.deregister();
    world.poll();
    world.answer_created(&register);
    let deregister = world.take();
    assert_eq!(
        (deregister.code, deregister.path().as_str()),
        (Code::DELETE, "/rd/5a3f")
    );
    world.answer_with(&deregister, Code::DELETED);
    assert_eq!(world.client.state(), RegistrationState::Idle);

    let (mut world, register) = start(config(Version::V1_1, false));
    world.client.deregister();
    world.answer_with(&register, Code::FORBIDDEN);
    assert_eq!(world.client.state(), RegistrationState::Idle);
    world.seconds(100_000);
    world.assert_silent();
}

//! Every answer to Register, Update and De-register (Transport 1.2 Table 6.7-2), versions and
//! Profile IDs.

mod common;

use common::{Got, World};
use dunlin_client::objects::text;
use dunlin_client::{Code, Config, Event, Multiple, Profile, RegistrationState, Version};

fn start(config: Config) -> (World, Got) {
    let mut world = World::with(config);
    let server = world.server;
    world.client.connect(world.now, server);
    world.poll();
    let register = world.take();
    (world, register)
}

fn config(version: Version) -> Config {
    Config {
        version,
        ..Config::new("dev1")
    }
}

/// What the client sends at once after an answer, and how it stands then.
type Then = (Option<&'static str>, RegistrationState);

const RETRY: Then = (None, RegistrationState::Waiting);
const AGAIN: Then = (Some("/rd"), RegistrationState::Registering);

fn then(world: &mut World) -> Then {
    let sent = world
        .sent
        .pop_front()
        .map(|bytes| Got::parse(&bytes).path());
    let path = sent.map(|path| if path == "/rd" { "/rd" } else { "/rd/5a3f" });
    (path, world.client.state())
}

#[test]
fn answers_to_register() {
    for (code, expected) in [
        (Code::BAD_REQUEST, RETRY),
        (Code::UNAUTHORIZED, RETRY),
        (Code::FORBIDDEN, RETRY),
        // Without a Profile ID there is nothing else to try.
        (Code::CONFLICT, RETRY),
        // The next lower version.
        (Code::PRECONDITION_FAILED, AGAIN),
        (Code::INTERNAL_SERVER_ERROR, RETRY),
        (Code::SERVICE_UNAVAILABLE, RETRY),
        // None of the codes of Register: nobody has registered anything.
        (Code::CHANGED, RETRY),
        (Code::CONTENT, RETRY),
        (Code::NOT_FOUND, RETRY),
        (Code::METHOD_NOT_ALLOWED, RETRY),
        (Code::REQUEST_ENTITY_TOO_LARGE, RETRY),
        (Code::UNSUPPORTED_CONTENT_FORMAT, RETRY),
    ] {
        let (mut world, register) = start(config(Version::V1_2));
        world.answer_with(&register, code);
        assert_eq!(then(&mut world), expected, "{code}");
        let failed = world.events.iter().any(|event| {
            matches!(event, Event::RegistrationFailed { code: Some(told), .. } if *told == code)
        });
        assert!(failed, "{code}");
        if expected == RETRY {
            world.seconds(60);
            assert_eq!(world.take().path(), "/rd");
        }
    }
    let (mut world, register) = start(config(Version::V1_2));
    world.answer_created(&register);
    assert_eq!(then(&mut world), (None, RegistrationState::Registered));
}

#[test]
fn answers_to_update() {
    for (code, expected) in [
        (Code::CHANGED, (None, RegistrationState::Registered)),
        // Unknown location: the registration is gone, Update is not enough.
        (Code::NOT_FOUND, AGAIN),
        (Code::BAD_REQUEST, AGAIN),
        (Code::UNAUTHORIZED, AGAIN),
        (Code::CREATED, AGAIN),
        (Code::INTERNAL_SERVER_ERROR, RETRY),
    ] {
        let mut world = World::registered(Version::V1_2);
        world.client.update(world.now);
        world.poll();
        let update = world.take();
        world.answer_with(&update, code);
        assert_eq!(then(&mut world), expected, "{code}");
    }
}

#[test]
fn answers_to_deregister() {
    for code in [
        Code::DELETED,
        Code::BAD_REQUEST,
        Code::NOT_FOUND,
        Code::INTERNAL_SERVER_ERROR,
    ] {
        let mut world = World::registered(Version::V1_2);
        world.client.deregister();
        world.poll();
        let deregister = world.take();
        world.answer_with(&deregister, code);
        // Whatever the server says, the device is gone.
        assert_eq!(then(&mut world), (None, RegistrationState::Idle), "{code}");
        assert_eq!(
            world.events.last(),
            Some(&Event::Deregistered { server: 1 })
        );
    }
}

#[test]
fn object_versions_are_told_as_the_version_implies() {
    // /3303 is 1.1 here, which no version implies; objects 1 and 3 are those of the version.
    for version in [Version::V1_0, Version::V1_1, Version::V1_2] {
        let (_, register) = start(config(version));
        let list = register.text();
        assert!(list.contains("</3303>;ver=1.1,</3303/0>"), "{list}");
        // The later resources of object 5 are left out in 1.0.
        let firmware = match version {
            Version::V1_0 => "</5/0>",
            _ => "</5>;ver=1.2,</5/0>",
        };
        let core = format!("</1/0>,</3/0>,{firmware},</6/0>,");
        assert!(list.starts_with(&core), "{list}");
    }
}

#[test]
fn bindings_follow_version_and_mode() {
    for (binding, queue_mode, version, told) in [
        ("U", false, Version::V1_0, "b=U"),
        ("U", true, Version::V1_0, "b=UQ"),
        ("US", false, Version::V1_0, "b=US"),
        ("US", true, Version::V1_0, "b=UQS"),
        ("UQS", false, Version::V1_0, "b=US"),
        ("U", true, Version::V1_1, "b=U&Q"),
        ("UQ", true, Version::V1_1, "b=U&Q"),
        ("UQS", true, Version::V1_2, "b=US&Q"),
        ("UQ", false, Version::V1_2, "b=U"),
        ("UT", false, Version::V1_1, "b=UT"),
    ] {
        let mut world = World::with(Config {
            queue_mode,
            ..config(version)
        });
        world.client.server_mut().binding = text(binding);
        let server = world.server;
        world.client.connect(world.now, server);
        world.poll();
        let register = world.take();
        let expected = format!("ep=dev1&lt=86400&lwm2m={version}&{told}");
        assert_eq!(register.query(), expected);
    }
}

#[test]
fn an_update_of_the_binding_carries_queue_mode_again() {
    let mut world = World::with(Config {
        queue_mode: true,
        ..config(Version::V1_1)
    });
    world.register();
    world.client.server_mut().binding = text("US");
    world.poll();
    assert_eq!(world.take().query(), "b=US&Q");
}

#[test]
fn the_server_object_may_know_which_versions_the_server_supports() {
    let versions = |list: &[&str]| {
        let pairs = (0..).zip(list.iter().map(|version| text(version)));
        Some(pairs.collect::<Multiple<_, 3>>())
    };
    for (list, first) in [
        (&["1.0", "1.1"][..], "lwm2m=1.1"),
        (&["1.0.2"], "lwm2m=1.0"),
        (&["1.1.1", "1.2.2"], "lwm2m=1.2"),
        (&["2.0"], "lwm2m=1.2"),
    ] {
        let mut world = World::with(config(Version::V1_2));
        world.client.server_mut().supported_versions = versions(list);
        let server = world.server;
        world.client.connect(world.now, server);
        world.poll();
        let query = world.take().query();
        assert!(query.contains(first), "{query}");
    }
}

fn profile(with_list: bool) -> Option<Profile> {
    Some(Profile {
        id: text("6:27354b9a"),
        with_list,
    })
}

#[test]
fn a_profile_id_stands_for_the_list() {
    let (mut world, register) = start(Config {
        profile: profile(false),
        ..config(Version::V1_2)
    });
    assert_eq!(
        register.query(),
        "ep=dev1&lt=86400&lwm2m=1.2&b=U&pid=6:27354b9a"
    );
    assert_eq!(register.payload, b"");
    world.answer_created(&register);
    world.assert_silent();
    // A change of the list is told by the list.
    world.client.objects_mut().temperature.remove(0);
    world.poll();
    let update = world.take();
    assert!(update.text().contains("</3303>;ver=1.1,</3304>"));
    assert_eq!(update.query(), "");
}

#[test]
fn a_profile_id_nobody_knows_is_followed_by_the_list() {
    let (mut world, register) = start(Config {
        profile: profile(false),
        ..config(Version::V1_2)
    });
    world.answer_with(&register, Code::CONFLICT);
    // With both, the server can learn it.
    let both = world.take();
    assert!(both.query().ends_with("&pid=6:27354b9a"));
    assert!(both.text().starts_with("</1/0>,"));
    // A server that takes no Profile ID at all.
    world.answer_with(&both, Code::CONFLICT);
    let list = world.take();
    assert_eq!(list.query(), "ep=dev1&lt=86400&lwm2m=1.2&b=U");
    assert_eq!(list.text(), both.text());
    world.answer_with(&list, Code::CONFLICT);
    // That is an attempt that failed; the next begins anew.
    world.assert_silent();
    world.seconds(60);
    assert_eq!(world.take().payload, b"");
}

#[test]
fn a_profile_id_with_the_list_and_one_before_1_2() {
    let (_, register) = start(Config {
        profile: profile(true),
        ..config(Version::V1_2)
    });
    assert!(register.query().ends_with("&pid=6:27354b9a"));
    assert!(register.text().starts_with("</1/0>,"));
    // Not a word of it to older servers.
    let (mut world, register) = start(Config {
        profile: profile(false),
        ..config(Version::V1_2)
    });
    world.answer_with(&register, Code::PRECONDITION_FAILED);
    let older = world.take();
    assert_eq!(older.query(), "ep=dev1&lt=86400&lwm2m=1.1&b=U");
    assert!(older.text().starts_with("</1/0>,"));
}

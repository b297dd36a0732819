//! What servers make the client do with the Server object: Disable and the triggers
//! (Core 1.2 §E.2; order on the wire as `/1/x/4` describes it).

mod common;

use common::several::Several;
use common::{ask, get, post, put};
use dunlin_client::objects::Server;
use dunlin_client::{Code, Config, RegistrationState, Version};

const DISABLE: &str = "/1/0/4";

fn registered() -> Several {
    let config = Config {
        version: Version::V1_2,
        ..Config::new("dev1")
    };
    let mut account = Server::new(1);
    account.disable_timeout = Some(100);
    let mut several = Several::new(config, [account, Server::new(2)]);
    several.register(&[1, 2]);
    several
}

fn disabled() -> Several {
    let mut several = registered();
    assert_eq!(several.code(1, &ask(Code::POST, DISABLE)), "2.04");
    let deregister = several.take_for(1);
    assert_eq!(
        (deregister.code, deregister.path().as_str()),
        (Code::DELETE, "/rd/1")
    );
    several.answer(1, &deregister, Code::DELETED, &[]);
    several.assert_silent();
    several
}

#[test]
fn a_disabled_server_is_neither_heard_nor_told() {
    let mut several = registered();
    assert_eq!(
        several.code(1, &get("/3303/0/5700").observe(0, b"o")),
        "2.05"
    );
    assert_eq!(several.code(1, &ask(Code::POST, DISABLE)), "2.04");
    let deregister = several.take_for(1);
    // Even before the De-register is answered.
    several.input(1, &get("/3/0/0").bytes(1));
    several.assert_silent();
    several.answer(1, &deregister, Code::DELETED, &[]);
    several.input(1, &get("/3/0/0").bytes(2));
    several.assert_silent();
    let things = several.client.objects_mut();
    things
        .temperature
        .get_mut(0)
        .expect("is there")
        .measure(40.0);
    several.poll();
    several.seconds(99);
    several.assert_silent();
    assert_eq!(several.code(2, &get("/3/0/0")), "2.05");
    several.seconds(1);
    assert_eq!(several.take_for(1).path(), "/rd");
    several.assert_silent();
}

#[test]
fn another_server_begins_the_silence_anew() {
    let mut several = disabled();
    several.seconds(60);
    assert_eq!(several.code(2, &ask(Code::POST, DISABLE)), "2.04");
    several.seconds(99);
    several.assert_silent();
    several.seconds(1);
    assert_eq!(several.take_for(1).path(), "/rd");
}

#[test]
fn another_server_disables() {
    let mut several = registered();
    assert_eq!(several.code(2, &ask(Code::POST, DISABLE)), "2.04");
    let deregister = several.take_for(1);
    assert_eq!(deregister.path(), "/rd/1");
    several.answer(1, &deregister, Code::DELETED, &[]);
    several.seconds(100);
    assert_eq!(several.take_for(1).path(), "/rd");
}

#[test]
fn the_timeout_is_the_one_in_force_and_a_day_without_any() {
    let mut several = registered();
    assert_eq!(several.code(1, &put("/1/0/5", 0, b"7")), "2.04");
    assert_eq!(several.code(1, &ask(Code::POST, DISABLE)), "2.04");
    let deregister = several.take_for(1);
    several.answer(1, &deregister, Code::DELETED, &[]);
    several.seconds(7);
    several.take_for(1);
    // Server 2 has no /1/1/5.
    assert_eq!(several.code(2, &ask(Code::POST, "/1/1/4")), "2.04");
    let deregister = several.take_for(2);
    several.answer(2, &deregister, Code::DELETED, &[]);
    let begin = several.now;
    let back = several
        .client
        .account(2)
        .filter(|account| account.state() == RegistrationState::Waiting);
    assert!(back.is_some());
    several.seconds(86_399);
    assert!(several.sent.iter().all(|(id, _)| *id == 1));
    several.sent.clear();
    several.seconds(1);
    assert_eq!((several.now - begin).as_secs(), 86_400);
    assert_eq!(several.take_for(2).path(), "/rd");
}

#[test]
fn a_disabled_server_is_sent_no_update() {
    let mut several = disabled();
    assert_eq!(several.code(2, &ask(Code::POST, "/1/0/8")), "4.05");
    several.client.update(several.now);
    several.poll();
    assert_eq!(several.take_for(2).path(), "/rd/2");
    several.assert_silent();
    // Afterwards it is again.
    several.seconds(100);
    several.sent.clear();
    several.connect(1);
    several.poll();
    let register = several.take_for(1);
    several.created(1, &register);
    let update = |several: &mut Several| several.code(1, &ask(Code::POST, "/1/0/8"));
    assert_eq!(update(&mut several), "2.04");
}

#[test]
fn offline_does_not_shorten_the_silence() {
    let mut several = disabled();
    several.client.offline();
    several.now += std::time::Duration::from_secs(50);
    several.client.online(several.now);
    several.poll();
    assert_eq!(several.take_for(2).path(), "/rd/2");
    several.assert_silent();
    several.seconds(49);
    several.sent.retain(|(id, _)| *id == 1);
    several.assert_silent();
    several.seconds(1);
    several.sent.retain(|(id, _)| *id == 1);
    assert_eq!(several.take_for(1).path(), "/rd");
}

#[test]
fn an_update_of_another_server_is_asked_for() {
    let mut several = registered();
    assert_eq!(several.code(2, &ask(Code::POST, "/1/0/8")), "2.04");
    let update = several.take_for(1);
    assert_eq!(
        (update.path().as_str(), update.query().as_str()),
        ("/rd/1", "")
    );
    several.assert_silent();
    // Where the registration has failed, it is tried for again.
    several
        .client
        .server_of_mut(1)
        .expect("is there")
        .retry_count = Some(1);
    several.answer(1, &update, Code::NOT_FOUND, &[]);
    let register = several.take_for(1);
    several.answer(1, &register, Code::FORBIDDEN, &[]);
    assert_eq!(several.client.state(), RegistrationState::Failed);
    assert_eq!(several.code(2, &ask(Code::POST, "/1/0/8")), "2.04");
    assert_eq!(several.take_for(1).path(), "/rd");
}

#[test]
fn the_trigger_takes_the_binding_it_has() {
    let mut several = registered();
    for (payload, code) in [
        (&b""[..], "2.04"),
        (b"0='U'", "2.04"),
        // Bindings that are not there, and no binding at all.
        (b"0='T'", "4.00"),
        (b"0='S'", "4.00"),
        (b"0=''", "4.00"),
        (b"0", "4.00"),
        (b"0='U',0='U'", "4.00"),
        (b"U", "4.00"),
    ] {
        assert_eq!(several.code(1, &post("/1/0/8", 0, payload)), code);
        let is_updating = !several.sent.is_empty();
        assert_eq!(is_updating, code == "2.04");
        if let Some((id, update)) = several.sent.pop_front() {
            several.answer(id, &update, Code::CHANGED, &[]);
        }
    }
    // Transport 1.2 §6.6.1 prints it as a query.
    assert_eq!(several.code(1, &ask(Code::POST, "/1/0/8?0=U")), "2.04");
}

#[test]
fn without_a_bootstrap_server_nothing_triggers_bootstrap() {
    let mut several = registered();
    assert_eq!(several.code(1, &ask(Code::POST, "/1/0/9")), "4.05");
    several.assert_silent();
    assert!(
        several
            .ask(1, &get("/1/0").accept(40))
            .text()
            .contains("</1/0/9>")
    );
}

#[test]
fn the_server_object_checks_what_is_written() {
    let mut several = registered();
    for (path, value, code) in [
        ("/1/0/7", "U", "2.04"),
        ("/1/0/7", "", "4.00"),
        ("/1/0/7", "UX", "4.00"),
        ("/1/0/14", "30", "2.04"),
        ("/1/0/13", "1", "4.05"),
        ("/1/0/15", "1", "4.05"),
        ("/1/0/16", "0", "4.05"),
        ("/1/0/17", "0", "4.00"),
        ("/1/0/17", "3", "2.04"),
        ("/1/0/18", "-1", "4.00"),
        ("/1/0/19", "18446744073709551615", "2.04"),
        ("/1/0/20", "0", "4.00"),
        ("/1/0/21", "1", "2.04"),
        ("/1/0/22", "U", "2.04"),
        ("/1/0/22", "X", "4.00"),
        ("/1/0/22", "UT", "4.00"),
        ("/1/0/23", "1", "2.04"),
        ("/1/0/26", "1", "2.04"),
        ("/1/0/26", "2", "4.00"),
        ("/1/0/27", "6", "2.04"),
        ("/1/0/27", "256", "4.00"),
        ("/1/0/11", "1", "4.05"),
        ("/1/0/12", "1", "4.05"),
        ("/1/0/0", "1", "4.05"),
    ] {
        let got = several.code(1, &put(path, 0, value.as_bytes()));
        assert_eq!(got, code, "{path} {value}");
        several.sent.clear();
    }
}

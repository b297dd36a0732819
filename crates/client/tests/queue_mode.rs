//! Queue mode and addresses: how long the device listens, when it may sleep, how it comes back
//! (Transport 1.2 §6.5).

mod common;

use std::time::Duration;

use common::{World, get};
use dunlin_client::{Code, Config, Event, RegistrationState, Version};

fn sleeper(awake_time: Option<Duration>) -> World {
    let mut world = World::with(Config {
        version: Version::V1_1,
        queue_mode: true,
        awake_time,
        ..Config::new("dev1")
    });
    world.register();
    world
}

fn sleeps(world: &World) -> usize {
    let told = |event: &&Event| **event == Event::MaySleep;
    world.events.iter().filter(told).count()
}

#[test]
fn the_device_listens_for_max_transmit_wait() {
    let mut world = sleeper(None);
    let until = world.now + Duration::from_secs(93);
    assert_eq!(world.client.awake_until(), Some(until));
    assert_eq!(world.client.next_timeout(), Some(until));
    world.seconds(92);
    assert_eq!(sleeps(&world), 0);
    world.seconds(1);
    assert_eq!(sleeps(&world), 1);
    // Told once; then it sleeps until the Update.
    assert_eq!(
        world.client.next_timeout(),
        Some(until + Duration::from_secs(77_760 - 93))
    );
}

#[test]
fn whatever_is_sent_or_received_begins_the_time_anew() {
    let mut world = sleeper(Some(Duration::from_secs(20)));
    world.seconds(15);
    assert_eq!(world.code(&get("/3303/0/5700").observe(0, b"o")), "2.05");
    world.seconds(15);
    assert_eq!(sleeps(&world), 0);
    world.set_temperature(25.0);
    world.take();
    world.seconds(19);
    assert_eq!(sleeps(&world), 0);
    world.seconds(1);
    assert_eq!(sleeps(&world), 1);
    // A notification wakes: the server may use the time.
    world.set_temperature(27.0);
    world.take();
    assert_eq!(
        world.client.awake_until(),
        Some(world.now + Duration::from_secs(20))
    );
    world.seconds(20);
    assert_eq!(sleeps(&world), 2);
}

#[test]
fn an_update_is_the_way_to_wake_up() {
    let mut world = sleeper(Some(Duration::from_secs(20)));
    world.seconds(1000);
    assert_eq!(sleeps(&world), 1);
    world.client.update(world.now);
    world.poll();
    let update = world.take();
    assert_eq!(update.path(), "/rd/5a3f");
    // It does not sleep while it waits for the answer, however long.
    world.seconds(25);
    assert_eq!(sleeps(&world), 1);
    world.answer_with(&update, Code::CHANGED);
    world.seconds(19);
    assert_eq!(sleeps(&world), 1);
    world.seconds(1);
    assert_eq!(sleeps(&world), 2);
}

#[test]
fn without_queue_mode_the_device_does_not_sleep() {
    let mut world = World::registered(Version::V1_1);
    world.seconds(10_000);
    assert_eq!(sleeps(&world), 0);
}

#[test]
fn another_address_is_told_by_a_register() {
    let mut world = World::registered(Version::V1_1);
    assert_eq!(world.code(&get("/3303/0/5700").observe(0, b"o")), "2.05");
    world.client.rebind(world.now);
    world.poll();
    let register = world.take();
    assert_eq!((register.path(), register.code), ("/rd".into(), Code::POST));
    // Observations died with the old registration.
    assert_eq!(world.client.observed().count(), 0);
    world.answer_created(&register);
    assert_eq!(world.client.state(), RegistrationState::Registered);
}

#[test]
fn a_request_on_its_way_from_the_old_address_is_given_up() {
    let mut world = World::registered(Version::V1_1);
    world.client.update(world.now);
    world.poll();
    let update = world.take();
    world.client.rebind(world.now);
    world.poll();
    let register = world.take();
    assert_eq!(register.path(), "/rd");
    world.answer_with(&update, Code::CHANGED);
    assert_eq!(world.client.state(), RegistrationState::Registering);
    world.answer_created(&register);
    assert_eq!(world.client.state(), RegistrationState::Registered);
}

#[test]
fn a_new_address_in_a_back_off_is_worth_an_attempt() {
    let mut world = World::new(Version::V1_1);
    let server = world.server;
    world.client.connect(world.now, server);
    world.poll();
    let register = world.take();
    world.answer_with(&register, Code::FORBIDDEN);
    world.assert_silent();
    world.client.rebind(world.now);
    world.poll();
    assert_eq!(world.take().path(), "/rd");
}

//! Registration order and retries of several servers (`/1/x/13` to `/1/x/20`, Core 1.2 §6.2.1.1).

mod common;

use common::several::Several;
use common::{Got, get};
use dunlin_client::objects::Server;
use dunlin_client::{Code, Config, Event, Instant, RegistrationState, Version};

/// A server that gives up after one attempt.
fn account(id: u16, priority: Option<u32>) -> Server {
    let mut server = Server::new(id);
    server.priority = priority;
    server.retry_count = Some(1);
    server
}

fn connected(servers: impl IntoIterator<Item = Server>) -> Several {
    let servers: Vec<Server> = servers.into_iter().collect();
    let ids: Vec<u16> = servers.iter().map(|it| it.short_server_id).collect();
    let config = Config {
        version: Version::V1_1,
        ..Config::new("dev1")
    };
    let mut several = Several::new(config, servers);
    for id in ids {
        several.connect(id);
    }
    several.poll();
    several
}

fn states(several: &Several) -> Vec<RegistrationState> {
    several.client.accounts().map(|it| it.state()).collect()
}

fn registers(several: &mut Several) -> Vec<u16> {
    several.sent.drain(..).map(|(id, _)| id).collect()
}

#[test]
fn servers_are_registered_in_ascending_priority() {
    let mut several = connected([
        account(1, Some(30)),
        account(2, Some(10)),
        account(3, Some(20)),
    ]);
    for id in [2, 3, 1] {
        let register = several.take_for(id);
        several.assert_silent();
        several.created(id, &register);
    }
    several.assert_silent();
    assert_eq!(states(&several), [RegistrationState::Registered; 3]);
}

#[test]
fn equal_priorities_follow_the_accounts() {
    let mut several = connected([account(1, Some(5)), account(2, Some(5))]);
    let register = several.take_for(1);
    several.assert_silent();
    several.created(1, &register);
    several.take_for(2);
}

#[test]
fn a_server_without_priority_is_independent() {
    let mut several = connected([account(1, Some(1)), account(2, None), account(3, Some(2))]);
    assert_eq!(registers(&mut several), [1, 2]);
}

#[test]
fn a_failed_server_lets_the_next_begin_unless_it_blocks() {
    let blocking = |id, priority| {
        let mut server = account(id, Some(priority));
        server.failure_block = Some(true);
        server
    };
    let mut several = connected([account(1, Some(1)), blocking(2, 2), account(3, Some(3))]);
    let first = several.take_for(1);
    several.answer(1, &first, Code::FORBIDDEN, &[]);
    let second = several.take_for(2);
    several.assert_silent();
    several.answer(2, &second, Code::FORBIDDEN, &[]);
    several.seconds(1_000_000);
    several.assert_silent();
    assert_eq!(
        states(&several),
        [
            RegistrationState::Failed,
            RegistrationState::Failed,
            RegistrationState::Waiting
        ]
    );
    assert_eq!(several.client.next_timeout(), None);
    // The application tries the blocking one again, and it is there now.
    several.connect(2);
    several.poll();
    let second = several.take_for(2);
    several.created(2, &second);
    several.take_for(3);
}

#[test]
fn the_next_waits_for_all_attempts_of_the_one_before() {
    let mut first = account(1, Some(1));
    first.retry_count = Some(2);
    first.retry_timer = Some(10);
    let mut several = connected([first, account(2, Some(2))]);
    let register = several.take_for(1);
    several.answer(1, &register, Code::FORBIDDEN, &[]);
    several.seconds(9);
    several.assert_silent();
    several.seconds(1);
    let register = several.take_for(1);
    several.assert_silent();
    several.answer(1, &register, Code::FORBIDDEN, &[]);
    several.take_for(2);
}

#[test]
fn the_initial_delay_counts_from_the_server_before_until_the_first_success() {
    let mut first = account(1, Some(1));
    first.initial_delay = Some(5);
    let mut second = account(2, Some(2));
    second.initial_delay = Some(7);
    let mut several = connected([first, second]);
    let begin = several.now;
    several.assert_silent();
    assert_eq!(
        several.client.next_timeout(),
        Some(begin + std::time::Duration::from_secs(5))
    );
    several.seconds(5);
    let register = several.take_for(1);
    several.seconds(1);
    several.created(1, &register);
    several.seconds(6);
    several.assert_silent();
    several.seconds(1);
    let register = several.take_for(2);
    several.created(2, &register);
    // From now on there is no delay, but still an order.
    several.connect(1);
    several.connect(2);
    several.poll();
    let register = several.take_for(1);
    several.assert_silent();
    several.created(1, &register);
    several.take_for(2);
}

#[test]
fn a_registration_that_is_lost_later_does_not_wait_for_others() {
    let mut several = connected([account(1, Some(1)), account(2, Some(2))]);
    for id in [1, 2] {
        let register = several.take_for(id);
        several.created(id, &register);
    }
    several.client.update(several.now);
    several.poll();
    let first = several.take_for(1);
    let second = several.take_for(2);
    several.answer(2, &second, Code::NOT_FOUND, &[]);
    assert_eq!(several.take_for(2).path(), "/rd");
    several.answer(1, &first, Code::CHANGED, &[]);
}

#[test]
fn whoever_leaves_the_order_does_not_hold_it_up() {
    let mut several = connected([account(1, Some(1)), account(2, Some(2))]);
    several.take_for(1);
    several.connect(2);
    several.client.deregister_from(1).expect("is there");
    several.poll();
    several.assert_silent();
    // The Register on its way is still waited for.
    several.seconds(93);
    assert!(registers(&mut several).ends_with(&[2]));
}

fn failure(event: &Event) -> Option<(u16, Option<Instant>, bool)> {
    match event {
        Event::RegistrationFailed {
            server,
            retry_at,
            bootstrap,
            ..
        } => Some((*server, *retry_at, *bootstrap)),
        _ => None,
    }
}

#[test]
fn a_failure_asks_for_bootstrap_unless_the_account_says_no() {
    for (setting, asks) in [(None, true), (Some(true), true), (Some(false), false)] {
        let mut server = account(1, None);
        server.retry_count = Some(2);
        server.bootstrap_on_failure = setting;
        let mut several = connected([server]);
        // Refused: at once, although attempts go on.
        let register = several.take_for(1);
        several.answer(1, &register, Code::FORBIDDEN, &[]);
        let told = several.events.pop().as_ref().and_then(failure);
        assert_eq!(
            told.map(|told| (told.1.is_some(), told.2)),
            Some((true, asks))
        );
        // Silence: with the last attempt.
        several.seconds(60 + 93);
        let told = several.events.pop().as_ref().and_then(failure);
        assert_eq!(told, Some((1, None, asks)));
    }
    // A server in trouble has not refused, a refused version is lowered.
    let mut server = account(1, None);
    server.retry_count = Some(2);
    let mut several = connected([server]);
    let register = several.take_for(1);
    several.answer(1, &register, Code::SERVICE_UNAVAILABLE, &[]);
    several.seconds(60);
    let register = several.take_for(1);
    several.answer(1, &register, Code::PRECONDITION_FAILED, &[]);
    let asks: Vec<bool> = several
        .events
        .iter()
        .filter_map(failure)
        .map(|told| told.2)
        .collect();
    assert_eq!(asks, [false, false]);
}

#[test]
fn sequences_follow_until_the_count_or_the_largest_delay_ends_them() {
    for (delay, gaps) in [
        (Some(100), vec![100, 100]),
        (None, vec![86_400, 86_400]),
        (Some(u64::from(u32::MAX)), vec![]),
        (Some(u64::MAX), vec![]),
    ] {
        let mut server = account(1, None);
        server.sequence_count = Some(3);
        server.sequence_delay = delay;
        let mut several = connected([server]);
        let mut got = Vec::new();
        while let Some((id, register)) = several.sent.pop_front() {
            let at = several.now;
            several.answer(id, &register, Code::FORBIDDEN, &[]);
            let Some(next) = several.client.next_timeout() else {
                break;
            };
            several.seconds((next - at).as_secs());
            got.push((next - at).as_secs());
        }
        assert_eq!(got, gaps, "{delay:?}");
        assert_eq!(several.client.state(), RegistrationState::Failed);
    }
}

#[test]
fn a_device_far_from_a_server_talks_to_the_others() {
    let mut several = connected([account(1, None), account(2, None)]);
    let silent = several.take_for(1);
    let register = several.take_for(2);
    several.created(2, &register);
    // The first server never answers; the second is served all the while.
    for _ in 0..90 {
        several.seconds(1);
        let repeated: Vec<(u16, Got)> = several.sent.drain(..).collect();
        assert!(
            repeated
                .iter()
                .all(|(id, got)| *id == 1 && got.message_id == silent.message_id)
        );
        assert_eq!(several.code(2, &get("/3/0/0")), "2.05");
    }
}

//! A device restarts at every point: its endpoint has one registration in the end, and the
//! location of the life before leads nowhere.

use std::collections::BTreeSet;

use dunlin_client::Version;
use dunlin_coap::Code;
use dunlin_server::api::{EventKind, WishState};

use crate::harness::{GOOD, Incident, Pair, TEMPERATURE, bad};

/// All locations the server ever gave an endpoint.
fn locations(pair: &Pair, name: &str) -> BTreeSet<String> {
    let events = pair
        .events
        .iter()
        .filter_map(|(_, endpoint, kind)| match kind {
            EventKind::Registration(device) if endpoint == name => {
                Some(format!("/rd/{}", device.registration_id))
            }
            _ => None,
        });
    events.collect()
}

fn one_is_left(pair: &mut Pair) {
    assert_eq!(pair.registrations(), 1);
    assert!(pair.is_registered(0));
    let alive = format!(
        "/rd/{}",
        pair.lookup(0).expect("registered").registration_id
    );
    assert_eq!(alive, pair.devices[0].location());
    let name = pair.name(0);
    for location in locations(pair, &name) {
        if location != alive {
            assert_eq!(pair.knock(&location), Some(Code::NOT_FOUND));
        }
    }
    assert_eq!(pair.read(0, TEMPERATURE).expect("a value").len(), 1);
}

fn restart_at_every_point(shards: u16, act: impl Fn(&mut Pair)) {
    for point in 1.. {
        let mut pair = Pair::with_shards(point, GOOD, shards);
        let index = pair.add_silent_device(Version::V1_1);
        pair.add_wish(index, TEMPERATURE, Vec::new());
        pair.incident = Some((pair.points + point, Incident::DeviceRestart(index)));
        act(&mut pair);
        pair.seconds(2);
        if pair.struck_at.is_none() {
            assert!(point > 10, "the scenario has points");
            return;
        }
        pair.seconds(120);
        one_is_left(&mut pair);
        let wish = pair.wishes(index).remove(0);
        assert_eq!(wish.state, WishState::Active);
        assert_eq!(pair.devices[index].engine.observed().count(), 1);
        pair.measure(index, 88.0);
        pair.seconds(1);
        assert_eq!(pair.reported(wish.id).last(), Some(&88.0));
    }
}

#[test]
fn while_it_registers_and_is_observed() {
    for shards in [1, 2] {
        restart_at_every_point(shards, |pair| pair.connect(0));
    }
}

#[test]
fn while_it_updates_and_reports() {
    restart_at_every_point(1, |pair| {
        pair.connect(0);
        pair.seconds(1);
        pair.measure(0, 5.0);
        pair.touch(0, |device| device.engine.server_mut().lifetime = 450);
        pair.seconds(1);
        pair.touch(0, |device| device.engine.deregister());
        pair.seconds(1);
        pair.connect(0);
    });
}

#[test]
fn at_any_time_on_a_bad_network() {
    for seed in 0..40 {
        let mut pair = Pair::with_shards(seed, bad(0.15), 1 + (seed % 2) as u16);
        let index = pair.add_device(Version::V1_2);
        for _ in 0..8 {
            let life = pair.rng.duration(std::time::Duration::from_secs(30));
            pair.pass(life);
            pair.restart_device(index);
        }
        pair.network.set_impairment(GOOD);
        pair.seconds(900);
        one_is_left(&mut pair);
    }
}

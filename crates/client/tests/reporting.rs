//! Observations and the rules of notifications, in virtual time.

mod common;

use std::time::Duration;

use common::{Ask, Got, World, ask, get, hex, put};
use dunlin_client::objects::text;
use dunlin_client::{Code, Config, Event, Outcome, Path, Version};
use dunlin_coap::{OptionNumber, Type};

const TEXT: u16 = 0;
const TLV: u16 = 11542;
const VALUE: &str = "/3303/0/5700";

fn observe(world: &mut World, uri: &str) -> Got {
    let answer = world.ask(&get(uri).observe(0, b"obs"));
    assert_eq!(answer.code, Code::CONTENT);
    assert!(answer.uint(OptionNumber::OBSERVE).is_some(), "{answer:?}");
    answer
}

fn attach(world: &mut World, uri: &str) {
    assert_eq!(world.code(&ask(Code::PUT, uri)), "2.04", "{uri}");
}

/// What was notified since, as text.
fn notified(world: &mut World) -> Vec<String> {
    let mut values = Vec::new();
    while let Some(bytes) = world.sent.pop_front() {
        let message = Got::parse(&bytes);
        assert_eq!(message.token, b"obs");
        values.push(message.text());
    }
    values
}

#[test]
fn a_change_is_told_in_the_form_of_the_first_answer() {
    let mut world = World::registered(Version::V1_1);
    let first = world.ask(&get(VALUE).accept(TLV).observe(0, b"obs"));
    let number = first.uint(OptionNumber::OBSERVE).unwrap();
    assert_eq!(first.payload, hex("E4 16 44 41 A0 00 00"));
    world.set_temperature(21.0);
    let second = world.take();
    assert_eq!(
        (second.ty, second.code, second.token.as_slice()),
        (Type::NonConfirmable, Code::CONTENT, &b"obs"[..])
    );
    assert_eq!(
        second.uint(OptionNumber::CONTENT_FORMAT),
        Some(u32::from(TLV))
    );
    assert!(second.uint(OptionNumber::OBSERVE).unwrap() > number);
    assert_eq!(second.payload, hex("E4 16 44 41 A8 00 00"));
    // The same value again is no change.
    world.set_temperature(21.0);
    world.assert_silent();
    // It is told, and its end: whether a NON arrives nobody knows.
    let [
        ..,
        Event::Notified {
            id,
            path,
            code,
            confirmable: false,
            ..
        },
        end,
    ] = &world.events[..]
    else {
        panic!("{:?}", world.events);
    };
    assert_eq!((*path, *code), (VALUE.parse().unwrap(), Code::CONTENT));
    let sent = Event::Delivery {
        server: 1,
        id: *id,
        outcome: Outcome::Sent,
    };
    assert_eq!(*end, sent);
}

/// A late notification from before an Observe that takes the place of another would otherwise be
/// newer than all that follow (RFC 7641 §4.4).
#[test]
fn an_observe_with_the_same_token_goes_on_counting() {
    let mut world = World::registered(Version::V1_1);
    observe(&mut world, VALUE);
    for value in 1..9 {
        world.seconds(1);
        world.set_temperature(f64::from(value));
    }
    let last = world.sent.pop_back().expect("a notification");
    world.sent.clear();
    let last = Got::parse(&last).uint(OptionNumber::OBSERVE).unwrap();
    let again = observe(&mut world, VALUE);
    assert!(again.uint(OptionNumber::OBSERVE).unwrap() > last);
    assert_eq!(world.client.observed().count(), 1);
}

/// Each row: attributes, the values in turn a second apart, and which of them are told.
#[test]
fn conditions() {
    let rows: [(&str, &[f64], &[&str]); 14] = [
        ("", &[20.0, 20.5, 20.5, 19.0], &["20.5", "19.0"]),
        // The worked examples of the standard: gt=45, st=10.
        ("gt=45&st=10", &[35.0], &["35.0"]),
        ("gt=45", &[44.0, 50.0], &["50.0"]),
        (
            "gt=45&st=10",
            &[44.0, 50.0, 40.0],
            &["44.0", "50.0", "40.0"],
        ),
        ("gt=45&st=30", &[44.0, 50.0, 40.0], &["50.0", "40.0"]),
        ("gt=45", &[38.0, 49.0, 48.0, 42.0], &["49.0", "42.0"]),
        ("gt=45", &[48.0, 55.0], &["48.0"]),
        ("lt=20.5", &[17.0, 24.0, 23.0], &["24.0"]),
        (
            "lt=10&gt=85&st=10",
            &[24.0, 75.0, 90.0, 50.0],
            &["75.0", "90.0", "50.0"],
        ),
        // Compared with the value last told, so that small steps add up.
        ("st=1", &[20.4, 20.8, 21.0, 21.9, 20.0], &["21.0", "20.0"]),
        ("st=0.5", &[19.4], &["19.4"]),
        // Equality as the reference code has it: reaching the threshold is no crossing.
        ("gt=45", &[45.0, 44.0], &[]),
        ("gt=45", &[50.0, 45.0], &["50.0", "45.0"]),
        (
            "gt=-5&lt=-10",
            &[-6.0, -11.0, -4.0],
            &["-6.0", "-11.0", "-4.0"],
        ),
    ];
    for (attributes, values, told) in rows {
        let mut world = World::registered(Version::V1_1);
        if !attributes.is_empty() {
            attach(&mut world, &format!("{VALUE}?{attributes}"));
        }
        observe(&mut world, VALUE);
        let mut found = Vec::new();
        for value in values {
            world.seconds(1);
            world.set_temperature(*value);
            found.extend(notified(&mut world));
        }
        assert_eq!(found, told, "{attributes} {values:?}");
    }
}

#[test]
fn pmin_keeps_quiet_and_then_tells_the_latest() {
    let mut world = World::registered(Version::V1_1);
    attach(&mut world, &format!("{VALUE}?pmin=10"));
    observe(&mut world, VALUE);
    let start = world.now;
    world.seconds(2);
    world.set_temperature(21.0);
    world.assert_silent();
    assert_eq!(
        world.client.next_timeout(),
        Some(start + Duration::from_secs(10))
    );
    world.seconds(2);
    world.set_temperature(22.0);
    world.assert_silent();
    world.run_until(start + Duration::from_micros(9_999_999));
    world.assert_silent();
    world.run_until(start + Duration::from_secs(10));
    assert_eq!(notified(&mut world), ["22.0"]);
    // Quiet long enough: told at once. A change that has vanished is not told.
    world.seconds(11);
    world.set_temperature(23.0);
    assert_eq!(notified(&mut world), ["23.0"]);
    world.seconds(1);
    world.set_temperature(24.0);
    world.set_temperature(23.0);
    world.seconds(20);
    world.assert_silent();
}

#[test]
fn pmax_tells_without_a_change() {
    let mut world = World::registered(Version::V1_1);
    attach(&mut world, &format!("{VALUE}?pmin=5&pmax=20&gt=100"));
    observe(&mut world, VALUE);
    let start = world.now;
    for round in 1..=3 {
        assert_eq!(
            world.client.next_timeout(),
            Some(start + Duration::from_secs(20 * round))
        );
        world.run_until(start + Duration::from_secs(20 * round));
        assert_eq!(notified(&mut world), ["20.0"]);
    }
    // A notification for another reason starts the period anew.
    world.seconds(15);
    world.set_temperature(101.0);
    assert_eq!(notified(&mut world), ["101.0"]);
    world.seconds(19);
    world.assert_silent();
    world.seconds(1);
    assert_eq!(notified(&mut world), ["101.0"]);
    // pmax below pmin is ignored, and 0 stands for none.
    for attributes in ["pmin=30&pmax=10", "pmin=0&pmax=0"] {
        let mut world = World::registered(Version::V1_1);
        attach(&mut world, &format!("{VALUE}?{attributes}"));
        observe(&mut world, VALUE);
        world.seconds(100);
        world.assert_silent();
    }
}

#[test]
fn periods_are_inherited_and_default_to_the_server_object() {
    let mut world = World::registered(Version::V1_1);
    assert_eq!(world.code(&put("/1/0/3", TEXT, b"100")), "2.04");
    attach(&mut world, "/3303?pmin=50");
    observe(&mut world, VALUE);
    world.set_temperature(30.0);
    world.seconds(49);
    world.assert_silent();
    world.seconds(1);
    assert_eq!(notified(&mut world), ["30.0"]);
    world.seconds(100);
    assert_eq!(notified(&mut world), ["30.0"]);
    // The nearer level wins, also while the observation runs.
    attach(&mut world, "/3303/0?pmin=1&pmax=7");
    world.seconds(7);
    assert_eq!(notified(&mut world), ["30.0"]);
    // Below the observed level nothing counts.
    let mut world = World::registered(Version::V1_1);
    attach(&mut world, &format!("{VALUE}?pmin=1000&gt=99"));
    world.ask(&get("/3303/0").accept(TLV).observe(0, b"obs"));
    world.set_temperature(30.0);
    assert_eq!(world.take().token, b"obs");
}

#[test]
fn every_level_can_be_observed() {
    for (uri, change, told) in [
        ("/3303", true, true),
        ("/3303/0", true, true),
        ("/3303/0/5601", false, true),
        ("/3303/0/5602", false, false),
        ("/3/0/7", true, false),
    ] {
        let mut world = World::registered(Version::V1_1);
        world.ask(&get(uri).accept(TLV).observe(0, b"obs"));
        world.set_temperature(if change { 30.0 } else { 10.0 });
        assert_eq!(!world.sent.is_empty(), told, "{uri}");
    }
    // A resource instance: only its own change counts.
    let mut world = World::registered(Version::V1_1);
    observe(&mut world, "/3/0/7/1");
    let voltages = &mut world.client.objects_mut().device.voltages;
    voltages.insert(0, 1).unwrap();
    world.poll();
    world.assert_silent();
    let voltages = &mut world.client.objects_mut().device.voltages;
    voltages.insert(1, 4900).unwrap();
    world.poll();
    assert_eq!(notified(&mut world), ["4900"]);
}

#[test]
fn conditions_apply_to_each_resource_instance() {
    let mut world = World::registered(Version::V1_1);
    attach(&mut world, "/3/0/7?gt=4000");
    world.ask(&get("/3/0/7").accept(TLV).observe(0, b"obs"));
    for (id, value, told) in [
        (0, 3900, false),
        (0, 4100, true),
        (1, 4500, false),
        (1, 3000, true),
        // A new instance is a change whatever the thresholds say.
        (2, 1000, true),
    ] {
        let voltages = &mut world.client.objects_mut().device.voltages;
        voltages.insert(id, value).unwrap();
        world.poll();
        assert_eq!(world.sent.pop_front().is_some(), told, "{id} {value}");
    }
}

#[test]
fn a_server_write_is_told_to_observers() {
    let mut world = World::registered(Version::V1_1);
    observe(&mut world, "/3/0/14");
    assert_eq!(world.code(&put("/3/0/14", TEXT, b"+05:30")), "2.04");
    assert_eq!(notified(&mut world), ["+05:30"]);
}

#[test]
fn observations_end_by_reset_cancel_and_deletion() {
    // Reset, of a NON.
    let mut world = World::registered(Version::V1_1);
    observe(&mut world, VALUE);
    world.set_temperature(21.0);
    let notification = world.take();
    world.empty(Type::Reset, notification.message_id);
    assert!(matches!(
        world.events.last(),
        Some(Event::ObservationLost { .. })
    ));
    world.set_temperature(22.0);
    world.assert_silent();

    // Active cancellation: the value, without the Observe option.
    let mut world = World::registered(Version::V1_1);
    observe(&mut world, VALUE);
    let answer = world.ask(&get(VALUE).observe(1, b"obs"));
    assert_eq!(
        (answer.code, answer.uint(OptionNumber::OBSERVE)),
        (Code::CONTENT, None)
    );
    world.set_temperature(22.0);
    world.assert_silent();

    // ... with another token it cancels nothing.
    observe(&mut world, VALUE);
    world.ask(&get(VALUE).observe(1, b"xyz"));
    world.set_temperature(23.0);
    assert_eq!(notified(&mut world), ["23.0"]);

    // Deletion: 4.04 with the token, asking to be acknowledged.
    let answer = world.ask(&ask(Code::DELETE, "/3303/0"));
    assert_eq!(answer.code, Code::DELETED);
    let update = world.take();
    assert_eq!(update.path(), "/rd/5a3f");
    world.answer_with(&update, Code::CHANGED);
    let last = world.take();
    assert_eq!(
        (last.code, last.ty, last.token.as_slice()),
        (Code::NOT_FOUND, Type::Confirmable, &b"obs"[..])
    );
    assert_eq!(last.uint(OptionNumber::OBSERVE), None);
    world.empty(Type::Acknowledgement, last.message_id);
    assert_eq!(world.client.observed().count(), 0);
    world.seconds(1000);
    world.assert_silent();

    // A resource that goes has the same end.
    let mut world = World::registered(Version::V1_1);
    observe(&mut world, "/3/0/9");
    world.client.objects_mut().device.battery_level = None;
    world.poll();
    assert_eq!(world.take().code, Code::NOT_FOUND);
}

#[test]
fn the_same_token_replaces_and_another_adds() {
    let mut world = World::registered(Version::V1_1);
    observe(&mut world, VALUE);
    observe(&mut world, VALUE);
    assert_eq!(world.client.observed().count(), 1);
    world.ask(&get(VALUE).observe(0, b"xyz"));
    assert_eq!(world.client.observed().count(), 2);
    world.set_temperature(30.0);
    let tokens = [world.take().token, world.take().token];
    assert_eq!(tokens, [b"obs".to_vec(), b"xyz".to_vec()]);
}

#[test]
fn refusals_of_observe() {
    for (uri, code) in [
        ("/0/0/0", "4.01"),
        ("/99", "4.04"),
        ("/3303/7", "4.04"),
        ("/3303/0/5603", "4.04"),
        ("/3303/0/5605", "4.05"),
        // Parameters that contradict each other, or do not fit the resource or the level.
        ("/3303/0/5700?gt=5&lt=6", "4.00"),
        ("/3303/0/5700?edge=1", "4.00"),
        ("/3303/0?gt=5", "4.00"),
        ("/3303/0/5700?pmin=x", "4.00"),
        ("/3303/0/5700?depth=1", "4.02"),
    ] {
        let mut world = World::registered(Version::V1_2);
        let answer = world.ask(&get(uri).observe(0, b"obs"));
        assert_eq!(answer.code.to_string(), code, "{uri}");
        assert_eq!(answer.uint(OptionNumber::OBSERVE), None);
        assert_eq!(world.client.observed().count(), 0);
    }
    let mut world = World::registered(Version::V1_2);
    assert_eq!(
        world.code(&get("/3303/0").accept(TEXT).observe(0, b"obs")),
        "4.06"
    );
    // Before 1.2 a client does not know parameters, and must refuse them (Core 1.2 §6.4.1).
    for version in [Version::V1_0, Version::V1_1] {
        let mut world = World::registered(version);
        assert_eq!(
            world.code(&get("/3303/0?pmin=5").observe(0, b"obs")),
            "4.02"
        );
    }
}

/// Core 1.2 §6.4.1: with one parameter in the Observe, nothing that is attached counts.
#[test]
fn parameters_of_observe_take_the_place_of_attributes() {
    let mut world = World::registered(Version::V1_2);
    attach(&mut world, &format!("{VALUE}?pmin=50&gt=25"));
    attach(&mut world, "/3303?pmax=60");
    observe(&mut world, &format!("{VALUE}?st=2"));
    world.set_temperature(23.0);
    assert_eq!(notified(&mut world), ["23.0"]);
    world.seconds(100);
    world.set_temperature(26.0 - 1.5);
    world.assert_silent();
    // They do not show in Discover.
    let answer = world.ask(&get(VALUE).accept(40));
    assert_eq!(answer.text(), "</3303/0/5700>;pmin=50;pmax=60;gt=25");
    // Another observation of the same path goes by the attributes.
    world.ask(&get(VALUE).observe(0, b"xyz"));
    world.seconds(60);
    assert_eq!(world.take().token, b"xyz");
    world.assert_silent();
    // Defaults of the account hold where no parameter says otherwise.
    let mut world = World::registered(Version::V1_2);
    world.client.server_mut().default_pmax = Some(20);
    observe(&mut world, &format!("{VALUE}?pmin=5"));
    world.seconds(20);
    assert_eq!(notified(&mut world), ["20.0"]);
}

#[test]
fn without_a_place_an_observe_is_a_read() {
    let mut world = World::registered(Version::V1_1);
    for token in 0..6 {
        let answer = world.ask(&get(VALUE).observe(0, &[token]));
        assert!(answer.uint(OptionNumber::OBSERVE).is_some());
    }
    let answer = world.ask(&get(VALUE).observe(0, b"obs"));
    assert_eq!(answer.code, Code::CONTENT);
    assert_eq!(answer.uint(OptionNumber::OBSERVE), None);
    // So is one whose token is longer than eight bytes (RFC 8974).
    let mut world = World::registered(Version::V1_1);
    let answer = world.ask(&get(VALUE).observe(0, &[7; 20]));
    assert_eq!(answer.uint(OptionNumber::OBSERVE), None);
}

fn confirmable() -> World {
    let mut world = World::with(Config {
        version: Version::V1_1,
        confirmable_notifications: true,
        ..Config::new("dev1")
    });
    world.register();
    world
}

#[test]
fn confirmable_notifications_go_one_at_a_time() {
    let mut world = confirmable();
    observe(&mut world, VALUE);
    world.set_temperature(21.0);
    let first = world.take();
    assert_eq!(first.ty, Type::Confirmable);
    world.set_temperature(22.0);
    world.set_temperature(23.0);
    world.assert_silent();
    world.empty(Type::Acknowledgement, first.message_id);
    assert_eq!(notified(&mut world), ["23.0"]);
}

#[test]
fn a_server_that_does_not_acknowledge_is_left_alone() {
    let mut world = confirmable();
    observe(&mut world, VALUE);
    world.set_temperature(21.0);
    let first = world.take();
    world.seconds(93);
    for bytes in world.sent.drain(..) {
        assert_eq!(Got::parse(&bytes).message_id, first.message_id);
    }
    assert_eq!(world.client.observed().count(), 0);
    let path: Path = VALUE.parse().unwrap();
    assert!(
        world
            .events
            .contains(&Event::ObservationLost { server: 1, path })
    );

    let mut world = confirmable();
    observe(&mut world, VALUE);
    world.set_temperature(21.0);
    let first = world.take();
    world.empty(Type::Reset, first.message_id);
    assert_eq!(world.client.observed().count(), 0);
}

#[test]
fn con_attribute_and_the_daily_question() {
    let mut world = World::registered(Version::V1_2);
    attach(&mut world, &format!("{VALUE}?con=1"));
    observe(&mut world, VALUE);
    world.set_temperature(21.0);
    assert_eq!(world.take().ty, Type::Confirmable);

    // RFC 7641 §4.5: at least one in 24 hours is confirmable.
    let mut world = World::new(Version::V1_1);
    world.client.server_mut().lifetime = 0;
    world.register();
    observe(&mut world, VALUE);
    let mut types = Vec::new();
    for hour in 1..=25 {
        world.seconds(3600);
        world.set_temperature(f64::from(hour));
        let notification = world.take();
        if notification.ty == Type::Confirmable {
            world.empty(Type::Acknowledgement, notification.message_id);
        }
        types.push(notification.ty);
    }
    let confirmable = types.iter().position(|ty| *ty == Type::Confirmable);
    assert_eq!(confirmable, Some(23));
    assert_eq!(types[24], Type::NonConfirmable);
}

#[test]
fn a_new_registration_voids_observations_and_an_update_keeps_them() {
    let mut world = World::registered(Version::V1_1);
    observe(&mut world, VALUE);
    world.client.update(world.now);
    world.poll();
    let update = world.take();
    world.answer_with(&update, Code::CHANGED);
    assert_eq!(world.client.observed().count(), 1);
    world.client.update(world.now);
    world.poll();
    let update = world.take();
    world.answer_with(&update, Code::NOT_FOUND);
    let register = world.take();
    world.answer_created(&register);
    world.set_temperature(30.0);
    world.assert_silent();
    assert_eq!(world.client.observed().count(), 0);
}

#[test]
fn what_fell_due_offline_is_told_later_or_dropped() {
    for (storing, told) in [(true, &["25.0", "26.0"][..]), (false, &[])] {
        let mut world = World::registered(Version::V1_1);
        world.client.server_mut().notification_storing = storing;
        observe(&mut world, VALUE);
        world.client.offline();
        world.set_temperature(25.0);
        world.set_temperature(26.0);
        world.assert_silent();
        world.client.online(world.now);
        world.poll();
        let update = world.take();
        assert_eq!(update.path(), "/rd/5a3f");
        world.answer_with(&update, Code::CHANGED);
        // Text has no times: one by one, oldest first, each acknowledged.
        for value in told {
            let notification = world.take();
            assert_eq!(notification.text(), *value);
            assert_eq!(notification.ty, Type::Confirmable);
            world.assert_silent();
            world.empty(Type::Acknowledgement, notification.message_id);
        }
        world.assert_silent();
        world.set_temperature(27.0);
        assert_eq!(notified(&mut world), ["27.0"]);
    }
}

/// Found by fuzzing: with an exchange open, a notification that fell due in time for a NON but came
/// late, so that it had to be a CON, could neither be sent nor wait: the timer stood still.
#[test]
fn a_late_notification_waits_for_the_open_exchange() {
    let mut world = World::registered(Version::V1_1);
    observe(&mut world, VALUE);
    world.client.offline();
    world.set_temperature(26.0);
    world.now += Duration::from_secs(24 * 3600 - 50);
    world.client.online(world.now);
    world.poll();
    let update = world.take();
    assert_eq!(update.path(), "/rd/5a3f");
    assert!(
        world
            .client
            .next_timeout()
            .is_some_and(|next| next > world.now)
    );
    world.answer_with(&update, Code::CHANGED);
    let notification = world.take();
    assert_eq!(
        (notification.ty, notification.text().as_str()),
        (Type::Confirmable, "26.0")
    );
}

#[test]
fn a_large_notification_begins_with_its_first_block() {
    let mut world = World::registered(Version::V1_1);
    world.ask(&get("/3/0").accept(TLV).observe(0, b"obs"));
    let whole = {
        let device = &mut world.client.objects_mut().device;
        device.manufacturer = text("a manufacturer of some length");
        world.poll();
        let notification = world.take();
        assert_eq!(notification.uint(OptionNumber::BLOCK2), None);
        notification.payload
    };
    assert!(whole.len() > 64);
    // In small datagrams the same goes in blocks; the rest is fetched by plain requests.
    let mut small = common::small_client();
    let first = small.notify_device();
    let block = first.uint(OptionNumber::BLOCK2).unwrap();
    assert_eq!((block >> 4, block & 8), (0, 8));
    assert!(first.uint(OptionNumber::OBSERVE).is_some());
    let size = 16_usize << (block & 7);
    assert_eq!(first.payload.len(), size);
    let mut gathered = first.payload.clone();
    for number in 1.. {
        let answer = small.ask(&get("/3/0").accept(TLV).block2(number, block & 7));
        assert_eq!(answer.uint(OptionNumber::OBSERVE), None);
        assert_eq!(
            answer.uint(OptionNumber::ETAG),
            first.uint(OptionNumber::ETAG)
        );
        gathered.extend(&answer.payload);
        if answer.uint(OptionNumber::BLOCK2).unwrap() & 8 == 0 {
            break;
        }
    }
    assert_eq!(
        gathered.len() as u32,
        first.uint(OptionNumber::SIZE2).unwrap()
    );
    assert!(gathered.windows(5).any(|window| window == b"large"));
}

#[test]
fn a_notification_is_byte_for_byte_a_non_with_the_token() {
    let mut world = World::registered(Version::V1_1);
    let request = Ask {
        token: hex("02"),
        ..get("/3/0/9").observe(0, &hex("02"))
    };
    world.ask(&request);
    world.client.objects_mut().device.battery_level = Some(95);
    world.poll();
    let bytes = world.sent.pop_front().unwrap();
    // NON 2.05, token 02, Observe 2, Content-Format 0, "95".
    assert_eq!(bytes[..2], hex("51 45"));
    assert_eq!(bytes[4..], hex("02 6102 60 FF 3935"));
}

#[test]
fn observers_of_an_object_see_instances_come_and_go() {
    let mut world = World::registered(Version::V1_1);
    world.ask(&get("/3303").accept(TLV).observe(0, b"obs"));
    let thing = dunlin_client::objects::Temperature::new(5.0);
    world
        .client
        .objects_mut()
        .temperature
        .insert(3, thing)
        .unwrap();
    world.poll();
    let update = world.take();
    assert!(update.text().contains("</3303/3>"));
    world.answer_with(&update, Code::CHANGED);
    let told = world.take();
    assert_eq!(told.token, b"obs");
    world.client.objects_mut().temperature.remove(3);
    world.poll();
    let update = world.take();
    assert!(!update.text().contains("</3303/3>"));
    world.answer_with(&update, Code::CHANGED);
    assert!(world.take().payload.len() < told.payload.len());
}

//! Notifications of the time offline (`/1/x/6`), in virtual time.

mod common;

use common::{Ask, Dice, SERVER, Things, World, ask, get};
use dunlin_client::{
    Client, Code, Config, Event, MemoryStorage, Outcome, ReportId, ReportStorage, StorageError,
    Version,
};
use dunlin_coap::{OptionNumber, Type};
use std::time::Duration;

const SENML_JSON: u16 = 110;
const VALUE: &str = "/3303/0/5700";

fn world() -> World {
    World::registered(Version::V1_2)
}

fn observe(world: &mut World, uri: &str) {
    let answer = world.ask(&get(uri).accept(SENML_JSON).observe(0, b"obs"));
    assert!(answer.uint(OptionNumber::OBSERVE).is_some(), "{answer:?}");
}

fn attach(world: &mut World, uri: &str) {
    assert_eq!(world.code(&ask(Code::PUT, uri)), "2.04", "{uri}");
}

/// Comes online; the Update is answered.
fn online(world: &mut World) {
    world.client.online(world.now);
    world.poll();
    let update = world.take();
    assert_eq!(update.path(), "/rd/5a3f");
    world.answer_with(&update, Code::CHANGED);
}

/// Takes a confirmable notification and acknowledges it.
fn told(world: &mut World) -> String {
    let notification = world.take();
    assert_eq!(
        (
            notification.ty,
            notification.code,
            notification.token.as_slice()
        ),
        (Type::Confirmable, Code::CONTENT, &b"obs"[..])
    );
    world.empty(Type::Acknowledgement, notification.message_id);
    notification.text()
}

/// How each report ended since.
fn ends(world: &mut World) -> Vec<(ReportId, Outcome)> {
    let events = std::mem::take(&mut world.events);
    events
        .into_iter()
        .filter_map(|event| match event {
            Event::Delivery { id, outcome, .. } => Some((id, outcome)),
            _ => None,
        })
        .collect()
}

fn stored(world: &World) -> Vec<ReportId> {
    world
        .events
        .iter()
        .filter_map(|event| match event {
            Event::NotificationStored { id, .. } => Some(*id),
            _ => None,
        })
        .collect()
}

#[test]
fn what_happened_offline_is_told_with_its_time() {
    let mut world = world();
    observe(&mut world, VALUE);
    world.client.offline();
    for value in [21.0, 22.0, 23.0] {
        world.seconds(10);
        world.set_temperature(value);
    }
    let ids = stored(&world);
    assert_eq!(ids.len(), 3);
    assert_eq!(world.client.waiting_reports().collect::<Vec<_>>(), ids);
    world.seconds(10);
    world.assert_silent();
    online(&mut world);
    // Oldest first; RFC 8428 §4.5.3: seconds relative to now.
    assert_eq!(
        told(&mut world),
        concat!(
            r#"[{"bn":"/3303/0/5700","bt":-30,"v":21.0},{"t":10,"v":22.0},"#,
            r#"{"t":20,"v":23.0}]"#
        )
    );
    assert_eq!(ends(&mut world), ids.map_to(Outcome::Delivered));
    assert_eq!(world.client.waiting_reports().count(), 0);
    // The last of them is what is there: nothing more to tell, until it changes.
    world.assert_silent();
    world.set_temperature(24.0);
    assert_eq!(world.take().text(), r#"[{"bn":"/3303/0/5700","v":24.0}]"#);
}

trait MapTo {
    fn map_to(&self, outcome: Outcome) -> Vec<(ReportId, Outcome)>;
}

impl MapTo for Vec<ReportId> {
    fn map_to(&self, outcome: Outcome) -> Vec<(ReportId, Outcome)> {
        self.iter().map(|id| (*id, outcome)).collect()
    }
}

#[test]
fn only_what_would_have_been_told_is_stored() {
    let mut world = world();
    attach(&mut world, &format!("{VALUE}?gt=25&pmin=10"));
    observe(&mut world, VALUE);
    world.client.offline();
    world.seconds(20);
    world.set_temperature(22.0);
    world.set_temperature(26.0);
    // Within pmin of what was stored; told, and so stored, when it ends.
    world.seconds(1);
    world.set_temperature(24.0);
    world.seconds(3);
    world.set_temperature(24.5);
    world.seconds(10);
    assert_eq!(stored(&world).len(), 2);
    online(&mut world);
    assert_eq!(
        told(&mut world),
        r#"[{"bn":"/3303/0/5700","bt":-14,"v":26.0},{"t":10,"v":24.5}]"#
    );
}

#[test]
fn without_storing_it_is_dropped_and_the_observation_stays() {
    let mut world = world();
    world.client.server_mut().notification_storing = false;
    observe(&mut world, VALUE);
    world.client.offline();
    world.events.clear();
    world.set_temperature(21.0);
    assert!(stored(&world).is_empty());
    let [(_, Outcome::Dropped)] = ends(&mut world)[..] else {
        panic!("one is dropped");
    };
    online(&mut world);
    world.assert_silent();
    world.set_temperature(22.0);
    assert!(world.take().text().contains("22"));
}

#[test]
fn the_oldest_goes_when_there_is_no_room() {
    let mut world = world();
    observe(&mut world, VALUE);
    world.client.offline();
    for value in 0..40 {
        world.seconds(1);
        world.set_temperature(f64::from(value));
    }
    let ids = stored(&world);
    assert_eq!(ids.len(), 40);
    let dropped = ends(&mut world);
    // 512 bytes hold some of them.
    let kept = world.client.waiting_reports().count();
    assert!((5..20).contains(&kept), "{kept}");
    assert_eq!(dropped, ids[..40 - kept].to_vec().map_to(Outcome::Dropped));
    online(&mut world);
    let mut last = String::new();
    while !world.sent.is_empty() {
        last = told(&mut world);
    }
    assert!(last.contains(r#""v":39.0"#), "{last}");
    assert_eq!(
        ends(&mut world),
        ids[40 - kept..].to_vec().map_to(Outcome::Delivered)
    );
}

/// Core 1.2 §7.3.2: with `hqmax` at any part, only parts with `hqmax` above 0 are stored, up to
/// so many, and the oldest goes.
#[test]
fn hqmax_bounds_the_history_of_each_part() {
    let mut world = world();
    attach(&mut world, "/3303/0/5700?hqmax=2");
    attach(&mut world, "/3303/0/5601?hqmax=0");
    observe(&mut world, "/3303/0");
    world.client.offline();
    for value in [21.0, 22.0, 23.0] {
        world.seconds(10);
        world.set_temperature(value);
    }
    online(&mut world);
    assert_eq!(
        told(&mut world),
        concat!(
            r#"[{"bn":"/3303/0/","bt":-10,"n":"5700","v":22.0},"#,
            r#"{"n":"5700","t":10,"v":23.0}]"#
        )
    );
    // Without storing there is no history at all.
    world.client.server_mut().notification_storing = false;
    world.client.offline();
    world.set_temperature(30.0);
    assert_eq!(world.client.waiting_reports().count(), 0);
}

#[test]
fn it_survives_a_new_registration() {
    let mut world = world();
    observe(&mut world, VALUE);
    world.client.offline();
    world.seconds(5);
    world.set_temperature(21.0);
    // The registration has long ended.
    world.seconds(100_000);
    world.client.online(world.now);
    world.poll();
    let register = world.take();
    assert_eq!(register.path(), "/rd");
    world.answer_created(&register);
    world.assert_silent();
    assert_eq!(world.client.observed().count(), 0);
    // Told once the server observes again: after the answer, which says what is now.
    observe(&mut world, VALUE);
    assert_eq!(
        told(&mut world),
        r#"[{"bn":"/3303/0/5700","bt":-100000,"v":21.0}]"#
    );
    world.assert_silent();
}

/// In a format without times, an old value behind the answer to a new Observe would be taken for
/// the present one.
#[test]
fn without_times_nothing_older_than_the_observation_is_told() {
    let mut world = world();
    world.ask(&get(VALUE).observe(0, b"obs"));
    world.client.offline();
    world.set_temperature(21.0);
    let ids = stored(&world);
    world.seconds(100_000);
    world.client.online(world.now);
    world.poll();
    let register = world.take();
    world.answer_created(&register);
    let answer = world.ask(&get(VALUE).observe(0, b"obs"));
    assert_eq!(answer.text(), "21.0");
    world.assert_silent();
    assert_eq!(ends(&mut world), ids.map_to(Outcome::Dropped));
}

#[test]
fn what_happens_while_disabled_is_stored() {
    let mut world = world();
    world.client.server_mut().disable_timeout = Some(60);
    world.poll();
    observe(&mut world, VALUE);
    assert_eq!(world.code(&ask(Code::POST, "/1/0/4")), "2.04");
    let leave = world.take();
    assert_eq!(leave.code, Code::DELETE);
    world.answer_with(&leave, Code::DELETED);
    world.seconds(10);
    world.set_temperature(21.0);
    world.seconds(50);
    let register = world.take();
    world.answer_created(&register);
    observe(&mut world, VALUE);
    assert_eq!(
        told(&mut world),
        r#"[{"bn":"/3303/0/5700","bt":-50,"v":21.0}]"#
    );
}

#[test]
fn a_composite_has_its_history_too() {
    let list = |observe| {
        Ask {
            code: Code::FETCH,
            ..common::put("/", SENML_JSON, br#"[{"n":"/3/0/9"},{"n":"/3303/0/5700"}]"#)
        }
        .accept(SENML_JSON)
        .observe(observe, b"obs")
    };
    let mut world = world();
    world.ask(&list(0));
    world.client.offline();
    world.set_temperature(21.0);
    world.seconds(4);
    online(&mut world);
    assert_eq!(
        told(&mut world),
        concat!(
            r#"[{"bn":"/","bt":-4,"n":"3/0/9","v":100},"#,
            r#"{"n":"3303/0/5700","v":21.0}]"#
        )
    );
}

#[test]
fn nothing_is_lost_when_the_network_goes_again() {
    let mut world = world();
    observe(&mut world, VALUE);
    world.client.offline();
    world.set_temperature(21.0);
    let ids = stored(&world);
    online(&mut world);
    let _not_acknowledged = world.take();
    world.client.offline();
    world.seconds(100);
    online(&mut world);
    assert!(told(&mut world).contains(r#""bt":-100,"v":21.0"#));
    assert_eq!(ends(&mut world), ids.map_to(Outcome::Delivered));
    // A reset says that it is not wanted.
    let mut world = self::world();
    observe(&mut world, VALUE);
    world.client.offline();
    world.set_temperature(21.0);
    let ids = stored(&world);
    online(&mut world);
    let notification = world.take();
    world.empty(Type::Reset, notification.message_id);
    assert_eq!(ends(&mut world), ids.map_to(Outcome::Failed { code: None }));
    assert_eq!(world.client.observed().count(), 0);
}

/// `con=0`, or `/1/x/26`, makes history Non-confirmable as anything else.
#[test]
fn con_holds_for_history() {
    let mut world = world();
    attach(&mut world, &format!("{VALUE}?con=0"));
    observe(&mut world, VALUE);
    world.client.offline();
    world.set_temperature(21.0);
    let ids = stored(&world);
    online(&mut world);
    assert_eq!(world.take().ty, Type::NonConfirmable);
    assert_eq!(ends(&mut world), ids.map_to(Outcome::Sent));
}

/// The same device after a reboot: a new client, and the storage.
fn reboot(world: &mut World, storage: &mut dyn ReportStorage, off: Duration, clock: bool) {
    if clock {
        world
            .client
            .set_clock(world.now, Duration::from_secs(1_795_000_000));
    }
    assert!(world.client.has_unsaved_reports());
    world.client.save_reports(world.now, storage).unwrap();
    assert!(!world.client.has_unsaved_reports());
    let mut dice = Dice(8);
    let config = Config::new("dev1");
    world.client = Client::new(config, Things::new(), &mut dice);
    world.now = dunlin_client::Instant::from_secs(3);
    if clock {
        let unix = Duration::from_secs(1_795_000_000) + off;
        world.client.set_clock(world.now, unix);
    }
    world.client.load_reports(world.now, storage).unwrap();
    world.client.connect(world.now, SERVER.parse().unwrap());
    world.poll();
    let register = world.take();
    world.answer_created(&register);
}

#[test]
fn it_survives_a_reboot() {
    for (clock, time) in [(true, "-70"), (false, "-10")] {
        let mut world = world();
        observe(&mut world, VALUE);
        world.client.offline();
        world.set_temperature(21.0);
        let ids = stored(&world);
        world.seconds(10);
        let mut storage = MemoryStorage::<1024>::default();
        reboot(&mut world, &mut storage, Duration::from_secs(60), clock);
        world.events.clear();
        observe(&mut world, VALUE);
        assert_eq!(
            told(&mut world),
            format!(r#"[{{"bn":"/3303/0/5700","bt":{time},"v":21.0}}]"#)
        );
        assert_eq!(ends(&mut world), ids.map_to(Outcome::Delivered));
        // Ids are not used twice.
        world.set_temperature(40.0);
        let Some((id, _)) = ends(&mut world).pop() else {
            panic!("a notification");
        };
        assert!(id > ids[0]);
    }
}

#[test]
fn a_storage_without_a_record_is_an_empty_one() {
    let mut world = world();
    let mut storage = MemoryStorage::<64>::default();
    assert_eq!(world.client.load_reports(world.now, &mut storage), Ok(()));
    storage.save(b"something else").unwrap();
    let loaded = world.client.load_reports(world.now, &mut storage);
    assert_eq!(loaded, Err(StorageError));
    assert_eq!(world.client.waiting_reports().count(), 0);
    assert_eq!(
        MemoryStorage::<4>::default().save(b"12345"),
        Err(StorageError)
    );
}

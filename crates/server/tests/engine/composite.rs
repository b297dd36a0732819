//! Read-, Write- and Observe-Composite (Core 1.2 §6.3.8, §6.3.9, §6.4.4).

use dunlin_coap::{Code, OptionNumber, Type};
use dunlin_lwm2m::operation::Operation;
use dunlin_lwm2m::{ContentFormat, OwnedRecord, OwnedValue, Path};
use dunlin_server::api::{DeviceOperation, EventKind, Observed, OperateError, WishState};
use dunlin_server::shard::Persist;

use crate::world::{CF, ORIGIN, Peer, SENML_JSON, Sent, World, build, values};

const MANUFACTURER: Path = Path::resource(3, 0, 0);
const BATTERY: Path = Path::resource(3, 0, 9);
const LIFETIME: Path = Path::resource(1, 0, 1);
const VOLTAGE: Path = Path::resource_instance(3, 0, 7, 1);
const SENML_CBOR: (OptionNumber, &[u8]) = (CF, &[112]);

fn up(world: &mut World, version: &str, root: &str) -> Peer {
    let mut peer = Peer::new(1);
    let list = format!("{root}</1/0>,</3/0>,</3303/0>");
    let version = format!("lwm2m={version}");
    peer.register(world, &["lt=300", &version], list.as_bytes());
    world.sent.clear();
    world.events.clear();
    peer
}

fn read_composite(paths: &[Path]) -> DeviceOperation {
    let paths = paths.iter().map(|path| removed(*path)).collect();
    Operation::ReadComposite {
        paths,
        accept: None,
    }
}

fn removed(path: Path) -> OwnedRecord {
    OwnedRecord {
        path,
        time: None,
        value: None,
    }
}

fn number(path: Path, number: i64) -> OwnedRecord {
    OwnedRecord::new(path, OwnedValue::Integer(number))
}

/// The bodies of Core 1.2 §6.3.8 as the standard has them: names, full or below a base.
#[test]
fn a_read_composite_is_a_fetch_of_names() {
    let mut world = World::new();
    up(&mut world, "1.1", "</>;ct=\"110 112\",");
    let id = world.operate("dev-1", read_composite(&[MANUFACTURER, BATTERY, LIFETIME]));
    let request = world.request();
    let message = request.message();
    assert_eq!((message.code, request.path().as_str()), (Code::FETCH, ""));
    assert_eq!(
        (message.content_format(), message.accept()),
        (Some(112), Some(112))
    );
    // [{0: "/3/0/0"}, {0: "/3/0/9"}, {0: "/1/0/1"}]
    assert_eq!(
        message.payload,
        b"\x83\xA1\x00\x66/3/0/0\xA1\x00\x66/3/0/9\xA1\x00\x66/1/0/1"
    );
    // Partial: the device has no battery level.
    let answer = b"\x82\xA2\x00\x66/3/0/0\x03\x63abc\xA2\x00\x66/1/0/1\x02\x18\x64";
    world.answer(&request, Code::CONTENT, &[SENML_CBOR], answer);
    let maker = OwnedRecord::new(MANUFACTURER, OwnedValue::String("abc".to_owned()));
    assert_eq!(values(world.outcome(id)), [maker, number(LIFETIME, 100)]);
}

#[test]
fn nothing_that_matches_is_an_empty_answer() {
    let mut world = World::new();
    up(&mut world, "1.1", "");
    let id = world.operate("dev-1", read_composite(&[Path::ROOT]));
    let request = world.request();
    let message = request.message();
    assert_eq!(message.payload, b"\x81\xA1\x00\x61/");
    // It says nothing about its formats: it chooses.
    assert_eq!(message.accept(), None);
    world.answer(&request, Code::CONTENT, &[SENML_JSON], b"[]");
    assert_eq!(values(world.outcome(id)), []);
}

#[test]
fn records_that_were_not_asked_for_are_told() {
    let mut world = World::new();
    up(&mut world, "1.1", "");
    let id = world.operate("dev-1", read_composite(&[BATTERY, Path::object(1)]));
    let request = world.request();
    let answer = br#"[{"n":"/1/0/1","v":1},{"n":"/3/0/0","vs":"x"}]"#;
    world.answer(&request, Code::CONTENT, &[SENML_JSON], answer);
    match world.outcome(id) {
        Some(Err(OperateError::Undecodable(why))) => assert!(why.contains("/3/0/0"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_write_composite_is_an_ipatch() {
    let mut world = World::new();
    up(&mut world, "1.1", "</>;ct=110,");
    let body = vec![number(VOLTAGE, 5), number(LIFETIME, 100)];
    let id = world.operate("dev-1", Operation::WriteComposite { body });
    let request = world.request();
    let message = request.message();
    assert_eq!((message.code, request.path().as_str()), (Code::IPATCH, ""));
    assert_eq!(message.content_format(), Some(110));
    assert_eq!(
        String::from_utf8_lossy(message.payload),
        r#"[{"bn":"/","n":"1/0/1","v":100},{"n":"3/0/7/1","v":5}]"#
    );
    world.answer(&request, Code::CHANGED, &[], b"");
    let outcome = world.outcome(id).expect("an outcome").expect("success");
    assert_eq!(outcome.code, Code::CHANGED);
}

/// {[1, 0]: {1: 100}, [3, 0]: {7: {1: 5}}}: paths as keys (Core 1.2 §7.5.5).
#[test]
fn a_write_composite_in_lwm2m_cbor_is_one_map_of_objects() {
    let body = || vec![number(VOLTAGE, 5), number(LIFETIME, 100)];
    for (root, format) in [
        ("", Some(ContentFormat::LWM2M_CBOR)),
        ("</>;ct=11544,", None),
    ] {
        let mut world = World::new();
        up(&mut world, "1.2", root);
        let operation = Operation::WriteComposite { body: body() };
        let id = world.operate_with("dev-1", operation, 30, format);
        let request = world.request();
        let message = request.message();
        assert_eq!(
            (
                message.code,
                request.path().as_str(),
                message.content_format()
            ),
            (Code::IPATCH, "", Some(11544))
        );
        assert_eq!(
            message.payload,
            b"\xA2\x82\x01\x00\xA1\x01\x18\x64\x82\x03\x00\xA1\x07\xA1\x01\x05"
        );
        world.answer(&request, Code::CHANGED, &[], b"");
        let outcome = world.outcome(id).expect("an outcome").expect("success");
        assert_eq!(outcome.code, Code::CHANGED);
    }
    // It has no word for a removal, and 1.1 does not know it.
    for (version, records) in [("1.2", vec![removed(VOLTAGE)]), ("1.1", body())] {
        let mut world = World::new();
        up(&mut world, version, "");
        let operation = Operation::WriteComposite { body: records };
        let format = Some(ContentFormat::LWM2M_CBOR);
        let id = world.operate_with("dev-1", operation, 30, format);
        assert!(
            matches!(world.outcome(id), Some(Err(OperateError::Invalid(_)))),
            "{version}"
        );
        assert!(world.sent.is_empty());
    }
}

#[test]
fn the_alternate_path_stands_in_the_names_and_not_in_the_request() {
    let mut world = World::new();
    let mut peer = Peer::new(1);
    let list = b"</lwm2m>;rt=\"oma.lwm2m\";ct=110,</lwm2m/1/0>,</lwm2m/3/0>";
    peer.register(&mut world, &["lt=300", "lwm2m=1.1"], list);
    world.sent.clear();
    let id = world.operate("dev-1", read_composite(&[BATTERY, Path::ROOT]));
    let request = world.request();
    assert_eq!(request.path(), "");
    assert_eq!(
        String::from_utf8_lossy(request.message().payload),
        r#"[{"n":"/lwm2m/3/0/9"},{"n":"/lwm2m/"}]"#
    );
    let answer = br#"[{"n":"/lwm2m/3/0/9","v":50}]"#;
    world.answer(&request, Code::CONTENT, &[SENML_JSON], answer);
    assert_eq!(values(world.outcome(id)), [number(BATTERY, 50)]);
}

#[test]
fn composites_that_cannot_be_asked_are_refused_at_once() {
    let body = |records| Operation::WriteComposite { body: records };
    let cases: Vec<(&str, DeviceOperation, &str)> = vec![
        ("1.0", read_composite(&[BATTERY]), "LwM2M 1.0"),
        ("1.0", body(vec![number(LIFETIME, 1)]), "LwM2M 1.0"),
        ("1.1", read_composite(&[]), "at least one path"),
        ("1.1", read_composite(&[Path::instance(3, 65535)]), "65535"),
        ("1.1", read_composite(&[BATTERY; 257]), "at most 256"),
        ("1.1", body(vec![]), "at least one"),
        ("1.1", body(vec![number(Path::instance(3, 0), 1)]), "/3/0"),
        ("1.1", body(vec![removed(VOLTAGE)]), "LwM2M 1.1"),
        ("1.2", body(vec![removed(BATTERY)]), "resource instance"),
    ];
    for (version, operation, words) in cases {
        let mut world = World::new();
        up(&mut world, version, "");
        let id = world.operate("dev-1", operation);
        match world.outcome(id) {
            Some(Err(OperateError::Invalid(why))) => assert!(why.contains(words), "{why}"),
            other => panic!("{words}: {other:?}"),
        }
        assert!(world.sent.is_empty(), "{words}");
    }
}

#[test]
fn a_long_path_list_goes_in_blocks_and_the_answer_comes_in_blocks() {
    let mut world = World::new();
    up(&mut world, "1.1", "</>;ct=110,");
    let paths: Vec<Path> = (0..100).map(|id| Path::resource(3303, 0, id)).collect();
    let id = world.operate("dev-1", read_composite(&paths));
    let first = world.request();
    let message = first.message();
    // 0, more, 1024
    assert_eq!(message.value(OptionNumber::BLOCK1), Some(&[0x0E][..]));
    assert_eq!((message.code, message.payload.len()), (Code::FETCH, 1024));
    let block1 = OptionNumber::BLOCK1;
    world.answer(&first, Code::CONTINUE, &[(block1, &[0x0E])], b"");
    let second = world.request();
    assert_eq!(second.message().value(block1), Some(&[0x16][..]));
    let text = br#"[{"n":"/3303/0/5","v":1},{"n":"/3303/0/7","v":2}]"#;
    let (head, tail) = text.split_at(32);
    // The first 32 bytes of the answer.
    let options = [
        SENML_JSON,
        (OptionNumber::BLOCK2, &[0x09][..]),
        (block1, &[0x16][..]),
    ];
    world.answer(&second, Code::CONTENT, &options, head);
    let third = world.request();
    let message = third.message();
    assert_eq!(message.value(OptionNumber::BLOCK2), Some(&[0x11][..]));
    assert_eq!((message.value(block1), message.payload), (None, &b""[..]));
    let options = [SENML_JSON, (OptionNumber::BLOCK2, &[0x11][..])];
    world.answer(&third, Code::CONTENT, &options, tail);
    assert_eq!(values(world.outcome(id)).len(), 2);
}

#[test]
fn a_short_path_list_comes_with_each_request_for_a_block() {
    let mut world = World::new();
    up(&mut world, "1.1", "</>;ct=110,");
    let id = world.operate("dev-1", read_composite(&[BATTERY]));
    let first = world.request();
    let text = br#"[{"n":"/3/0/9","v":99}]"#;
    let options = [SENML_JSON, (OptionNumber::BLOCK2, &[0x08][..])];
    world.answer(&first, Code::CONTENT, &options, &text[..16]);
    let second = world.request();
    let message = second.message();
    assert_eq!(message.payload, first.message().payload);
    assert_eq!(message.content_format(), Some(110));
    assert_eq!(message.value(OptionNumber::BLOCK2), Some(&[0x10][..]));
    let options = [SENML_JSON, (OptionNumber::BLOCK2, &[0x10][..])];
    world.answer(&second, Code::CONTENT, &options, &text[16..]);
    assert_eq!(values(world.outcome(id)), [number(BATTERY, 99)]);
}

fn pair() -> Observed {
    Observed::composite(vec![BATTERY, LIFETIME])
}

fn accept(world: &mut World, request: &Sent, payload: &[u8]) {
    let options = [(OptionNumber::OBSERVE, &[1][..]), SENML_JSON];
    world.answer(request, Code::CONTENT, &options, payload);
}

fn notify(peer: &mut Peer, token: &[u8], sequence: u8, payload: &[u8]) -> Vec<u8> {
    let options = [(OptionNumber::OBSERVE, &[sequence][..]), SENML_JSON];
    let id = peer.next_id();
    build(
        Type::NonConfirmable,
        Code::CONTENT,
        id,
        token,
        &options,
        payload,
    )
}

#[test]
fn several_paths_are_observed_together_and_cancelled_with_the_same_list() {
    let mut world = World::new();
    let mut peer = up(&mut world, "1.1", "</>;ct=110,");
    let wish = world.observe("dev-1", pair()).expect("room");
    let stored = world
        .persisted
        .iter()
        .rev()
        .find_map(|(_, change)| match change {
            Persist::Wish(stored) => Some(stored.observed.clone()),
            _ => None,
        });
    assert_eq!(stored, Some(pair()));
    let request = world.request();
    let message = request.message();
    assert_eq!((message.code, message.observe()), (Code::FETCH, Some(0)));
    let list = br#"[{"n":"/3/0/9"},{"n":"/1/0/1"}]"#;
    assert_eq!(message.payload, list);
    accept(&mut world, &request, br#"[{"n":"/3/0/9","v":80}]"#);
    let token = message.token.to_vec();
    // The other appears once it exists.
    let both = br#"[{"n":"/3/0/9","v":79},{"n":"/1/0/1","v":60}]"#;
    let bytes = notify(&mut peer, &token, 2, both);
    assert!(world.datagram(peer.address, &bytes).is_empty());
    let told: Vec<(Path, Vec<Path>)> = world
        .events
        .drain(..)
        .filter_map(|(_, kind)| match kind {
            EventKind::Notification { path, records, .. } => {
                Some((path, records.iter().map(|record| record.path).collect()))
            }
            _ => None,
        })
        .collect();
    let (one, two) = (vec![BATTERY], vec![BATTERY, LIFETIME]);
    assert_eq!(told, [(Path::ROOT, one), (Path::ROOT, two)]);
    let now = &world.wishes("dev-1").expect("known")[0];
    assert_eq!((&now.state, now.records.len()), (&WishState::Active, 2));
    assert_eq!(now.observed, pair());

    assert!(world.remove_wish("dev-1", wish.id));
    let cancel = world.request();
    let message = cancel.message();
    assert_eq!((message.code, message.observe()), (Code::FETCH, Some(1)));
    assert_eq!((message.token, message.payload), (&token[..], &list[..]));
    assert_eq!(
        (message.content_format(), message.accept()),
        (Some(110), Some(110))
    );
}

#[test]
fn a_long_notification_of_several_paths_is_fetched_with_the_list() {
    let mut world = World::new();
    let mut peer = up(&mut world, "1.1", "</>;ct=110,");
    world.observe("dev-1", pair()).expect("room");
    let request = world.request();
    accept(&mut world, &request, b"[]");
    let text = br#"[{"n":"/3/0/9","v":79},{"n":"/1/0/1","v":60}]"#;
    let token = request.message().token.to_vec();
    let options = [
        (OptionNumber::OBSERVE, &[2][..]),
        SENML_JSON,
        (OptionNumber::BLOCK2, &[0x09][..]),
    ];
    let id = peer.next_id();
    let first = build(
        Type::NonConfirmable,
        Code::CONTENT,
        id,
        &token,
        &options,
        &text[..32],
    );
    let fetch = world.exchange(peer.address, &first);
    let message = fetch.message();
    assert_eq!((message.code, message.observe()), (Code::FETCH, None));
    assert_eq!(message.payload, request.message().payload);
    let options = [SENML_JSON, (OptionNumber::BLOCK2, &[0x11][..])];
    world.answer(&fetch, Code::CONTENT, &options, &text[32..]);
    assert_eq!(world.wishes("dev-1").expect("known")[0].records.len(), 2);
}

#[test]
fn attributes_are_written_at_each_path_first() {
    let mut world = World::new();
    up(&mut world, "1.1", "</>;ct=110,");
    let attributes = vec![("pmin".to_owned(), Some(5.0))];
    world
        .observe("dev-1", pair().with_attributes(attributes))
        .expect("room");
    for path in ["/3/0/9", "/1/0/1"] {
        let request = world.request();
        let queries = request.queries();
        assert_eq!(
            (request.path().as_str(), queries),
            (path, vec!["pmin=5".to_owned()])
        );
        world.answer(&request, Code::CHANGED, &[], b"");
    }
    assert_eq!(world.request().message().observe(), Some(0));
}

#[test]
fn parameters_stand_in_the_observe_and_in_its_cancellation() {
    for (observed, path, method, query) in [
        (Observed::path(BATTERY), "/3/0/9", Code::GET, "gt=50"),
        (
            Observed::composite(vec![BATTERY]),
            "",
            Code::FETCH,
            "pmax=50",
        ),
    ] {
        let mut world = World::new();
        up(&mut world, "1.2", "</>;ct=110,");
        let name = query.trim_end_matches("=50").to_owned();
        let parameters = vec![("pmin".to_owned(), Some(1.0)), (name, Some(50.0))];
        let observed = Observed {
            parameters,
            ..observed
        };
        let wish = world.observe("dev-1", observed).expect("room");
        let request = world.request();
        let said = ["pmin=1", query].map(str::to_owned);
        assert_eq!(
            (request.message().code, request.path().as_str()),
            (method, path)
        );
        assert_eq!(request.queries(), said);
        accept(&mut world, &request, b"[]");
        assert!(world.remove_wish("dev-1", wish.id));
        let cancel = world.request();
        assert_eq!(cancel.message().observe(), Some(1));
        assert_eq!(cancel.queries(), said);
    }
}

#[test]
fn what_a_version_does_not_have_is_not_wished_for() {
    let attribute = |name: &str| vec![(name.to_owned(), Some(1.0))];
    let parameters = |name: &str| Observed {
        parameters: attribute(name),
        ..Observed::path(BATTERY)
    };
    let written = |name: &str| Observed::path(BATTERY).with_attributes(attribute(name));
    let cases = [
        ("1.0", pair(), "Observe-Composite"),
        ("1.0", Observed::path(VOLTAGE), "resource instances"),
        ("1.0", written("epmin"), "attribute epmin"),
        ("1.1", written("edge"), "attribute edge"),
        ("1.1", written("con"), "attribute con"),
        ("1.1", written("hqmax"), "attribute hqmax"),
        ("1.1", parameters("pmin"), "parameters of Observe"),
    ];
    for (version, observed, words) in cases {
        // The device is there: whoever asks is told at once.
        let mut world = World::new();
        up(&mut world, version, "");
        match world.observe("dev-1", observed.clone()) {
            Err(OperateError::Invalid(why)) => {
                assert!(why.contains(words) && why.contains(version), "{why}");
            }
            other => panic!("{words}: {other:?}"),
        }
        assert!(world.sent.is_empty(), "{words}");
        // It comes later: the wish says why.
        let mut world = World::new();
        world.observe("dev-1", observed).expect("room");
        up(&mut world, version, "");
        match &world.wishes("dev-1").expect("known")[0].state {
            WishState::Failed(why) => assert!(why.contains(words), "{why}"),
            other => panic!("{words}: {other:?}"),
        }
        assert!(world.sent.is_empty(), "{words}");
    }
    let root = Observed::composite(vec![Path::ROOT]);
    let gt = Observed {
        parameters: attribute("gt"),
        ..pair()
    };
    for observed in [root.with_attributes(attribute("pmin")), gt] {
        let mut world = World::new();
        up(&mut world, "1.2", "");
        let refused = world.observe("dev-1", observed);
        assert!(
            matches!(refused, Err(OperateError::Invalid(_))),
            "{refused:?}"
        );
    }
}

/// Historical values (Core 1.2 §7.3.2, `hqmax`): all are told with their times, the newest is kept.
#[test]
fn values_of_the_past_are_told_and_the_newest_is_kept() {
    let mut world = World::new();
    let mut peer = up(&mut world, "1.2", "</>;ct=110,");
    world
        .observe("dev-1", Observed::path(BATTERY))
        .expect("room");
    let request = world.request();
    accept(&mut world, &request, br#"[{"n":"/3/0/9","v":1}]"#);
    world.events.clear();
    let token = request.message().token.to_vec();
    let past =
        br#"[{"n":"/3/0/9","v":30,"t":-20},{"n":"/3/0/9","v":40},{"n":"/3/0/9","v":20,"t":-40}]"#;
    let bytes = notify(&mut peer, &token, 2, past);
    assert!(world.datagram(peer.address, &bytes).is_empty());
    let at = |value, time| OwnedRecord {
        time: Some(ORIGIN + 1000.0 + time),
        ..number(BATTERY, value)
    };
    match world.events.pop() {
        Some((_, EventKind::Notification { records, .. })) => {
            assert_eq!(records, [at(30, -20.0), at(40, 0.0), at(20, -40.0)]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        world.wishes("dev-1").expect("known")[0].records,
        [at(40, 0.0)]
    );
}

/// SenML-ETCH (RFC 8790): what a device of 1.2 must know if it supports composites, and the only
/// format with a word for a removal.
#[test]
fn a_device_of_1_2_gets_senml_etch_unless_it_announced_others() {
    for (root, list, content, removal) in [
        ("", 322, 322, 322),
        ("</>;ct=\"110 320\",", 320, 110, 320),
        ("</>;ct=112,", 112, 112, 322),
    ] {
        let write = |records| Operation::WriteComposite { body: records };
        let cases = [
            (read_composite(&[BATTERY]), list),
            (write(vec![number(BATTERY, 1)]), content),
            (write(vec![removed(VOLTAGE), number(BATTERY, 1)]), removal),
        ];
        for (operation, format) in cases {
            let mut world = World::new();
            up(&mut world, "1.2", root);
            world.operate("dev-1", operation);
            let request = world.request();
            let message = request.message();
            assert_eq!(message.content_format(), Some(format), "{root}");
            match (format, message.code, message.payload.last()) {
                (320, Code::IPATCH, _) => assert_eq!(
                    String::from_utf8_lossy(message.payload),
                    r#"[{"bn":"/","n":"3/0/7/1","v":null},{"n":"3/0/9","v":1}]"#
                ),
                // "v": null and then "v": 1
                (322, Code::IPATCH, Some(1)) if removal == 322 && content != 322 => {
                    assert!(message.payload.windows(2).any(|pair| pair == b"\x02\xF6"));
                }
                (322, Code::FETCH, _) => assert_eq!(message.payload, b"\x81\xA1\x00\x66/3/0/9"),
                _ => {}
            }
        }
    }
}

//! Every response code that Core 1.2 §6.3 and §6.4 (Transport 1.2 Tables 6.7-3 and 6.7-4) give a
//! device, and that a server gives in the registration interface (Table 6.7-2), in the server's
//! role: what a device answers is told with its code and words.

use dunlin_coap::{Code, OptionNumber};
use dunlin_lwm2m::operation::{Operation, WriteMode};
use dunlin_lwm2m::{Attributes, OwnedRecord, OwnedValue, Path};
use dunlin_server::api::{DeviceOperation, Observed, OperateError, WishState};

use crate::world::{LINK, LIST, Peer, SENML_JSON, World, read, register_message};

const LIFETIME: Path = Path::resource(1, 0, 1);

fn lifetime() -> Vec<OwnedRecord> {
    vec![OwnedRecord::new(LIFETIME, OwnedValue::Integer(60))]
}

/// Each operation with its code of success and the others of its row.
fn operations() -> Vec<(DeviceOperation, Code, Vec<Code>)> {
    let (bad, unauthorized, missing, method) = (
        Code::BAD_REQUEST,
        Code::UNAUTHORIZED,
        Code::NOT_FOUND,
        Code::METHOD_NOT_ALLOWED,
    );
    let basic = || vec![bad, unauthorized, missing, method];
    let with = |more: &[Code]| {
        let mut codes = basic();
        codes.extend_from_slice(more);
        codes
    };
    let (accept, format) = (Code::NOT_ACCEPTABLE, Code::UNSUPPORTED_CONTENT_FORMAT);
    let write_codes = [
        accept,
        Code::REQUEST_ENTITY_INCOMPLETE,
        Code::REQUEST_ENTITY_TOO_LARGE,
        format,
    ];
    let composite = |records: Vec<OwnedRecord>| Operation::WriteComposite { body: records };
    let write = |mode| Operation::Write {
        path: Path::instance(1, 0),
        mode,
        body: lifetime(),
    };
    vec![
        (
            Operation::Create {
                object: 3303,
                body: Some(vec![OwnedRecord::new(
                    Path::resource(3303, 1, 5750),
                    OwnedValue::String("x".to_owned()),
                )]),
            },
            Code::CREATED,
            with(&[accept, format]),
        ),
        (read(LIFETIME), Code::CONTENT, with(&[accept])),
        (
            Operation::ReadComposite {
                paths: vec![OwnedRecord {
                    value: None,
                    ..lifetime().remove(0)
                }],
                accept: None,
            },
            Code::CONTENT,
            with(&[accept, format, Code::NOT_IMPLEMENTED]),
        ),
        (write(WriteMode::Replace), Code::CHANGED, with(&write_codes)),
        (write(WriteMode::Update), Code::CHANGED, with(&write_codes)),
        (composite(lifetime()), Code::CHANGED, with(&write_codes)),
        (
            Operation::WriteAttributes {
                path: LIFETIME,
                attributes: vec![("pmin".to_owned(), Some(1.0))],
            },
            Code::CHANGED,
            basic(),
        ),
        (
            Operation::Execute {
                path: Path::resource(3, 0, 4),
                arguments: String::new(),
            },
            Code::CHANGED,
            basic(),
        ),
        (
            Operation::Delete {
                path: Path::instance(3303, 0),
            },
            Code::DELETED,
            basic(),
        ),
        (
            Operation::Discover {
                path: Path::object(3),
                depth: None,
            },
            Code::CONTENT,
            basic(),
        ),
    ]
}

/// A device without anything else to do, and the operation on its way to it.
fn asked(operation: &DeviceOperation) -> (World, u64) {
    let mut world = World::new();
    let mut peer = Peer::new(1);
    peer.register(&mut world, &["lt=300", "lwm2m=1.2"], LIST);
    world.sent.clear();
    let id = world.operate("dev-1", operation.clone());
    (world, id)
}

/// The options of a success with content.
fn content(operation: &DeviceOperation) -> (Vec<(OptionNumber, &'static [u8])>, &'static [u8]) {
    match operation {
        Operation::Discover { .. } => (vec![LINK], b"</3>"),
        Operation::Read { .. } | Operation::ReadComposite { .. } => {
            (vec![SENML_JSON], br#"[{"n":"/1/0/1","v":60}]"#)
        }
        _ => (vec![], b""),
    }
}

#[test]
fn every_success_of_the_table_is_an_outcome() {
    for (operation, success, _) in operations() {
        let name = operation.name();
        assert_eq!(operation.success(), success, "{name}");
        let (mut world, id) = asked(&operation);
        let request = world.request();
        let (options, payload) = content(&operation);
        world.answer(&request, success, &options, payload);
        let outcome = world.outcome(id).expect(name).expect(name);
        assert_eq!(outcome.code, success, "{name}");
    }
}

#[test]
fn every_refusal_of_the_table_is_told_with_code_and_words() {
    for (operation, _, codes) in operations() {
        // Whatever else is valid in CoAP, and other 5.xx, are told as well.
        let others = [
            Code::BAD_OPTION,
            Code::FORBIDDEN,
            Code::CONFLICT,
            Code::PRECONDITION_FAILED,
            Code::INTERNAL_SERVER_ERROR,
            Code::SERVICE_UNAVAILABLE,
        ];
        for code in codes.into_iter().chain(others) {
            let (mut world, id) = asked(&operation);
            let request = world.request();
            world.answer(&request, code, &[], b"because");
            let error = OperateError::Device {
                code,
                diagnostic: "because".to_owned(),
            };
            let words = error.to_string();
            assert!(
                words.contains(&code.to_string()) && words.contains("because"),
                "{words}"
            );
            assert_eq!(world.outcome(id), Some(Err(error)), "{}", operation.name());
        }
    }
}

/// A success that belongs to another operation is a mistake of the device, and told as such.
#[test]
fn a_success_of_another_operation_is_named() {
    let successes = [
        Code::CREATED,
        Code::DELETED,
        Code::VALID,
        Code::CHANGED,
        Code::CONTENT,
        Code::CONTINUE,
    ];
    for (operation, success, _) in operations() {
        for code in successes.into_iter().filter(|code| *code != success) {
            let (mut world, id) = asked(&operation);
            let request = world.request();
            world.answer(&request, code, &[], b"");
            match world.outcome(id) {
                Some(Err(OperateError::Undecodable(why))) => {
                    let name = operation.name();
                    assert!(
                        why.contains(name) && why.contains(&code.to_string()),
                        "{why}"
                    );
                }
                other => panic!("{} {code}: {other:?}", operation.name()),
            }
        }
    }
}

/// Observe and Observe-Composite: the wish tells the code; also an attribute that is refused.
#[test]
fn every_refusal_of_an_observe_is_told_by_its_wish() {
    let codes = [
        Code::BAD_REQUEST,
        Code::UNAUTHORIZED,
        Code::NOT_FOUND,
        Code::METHOD_NOT_ALLOWED,
        Code::NOT_ACCEPTABLE,
        Code::UNSUPPORTED_CONTENT_FORMAT,
        Code::NOT_IMPLEMENTED,
        // Successes of others.
        Code::CHANGED,
        Code::VALID,
    ];
    let one = Observed::path(LIFETIME);
    let attribute = vec![("pmin".to_owned(), Some(1.0))];
    for observed in [
        one.clone(),
        Observed::composite(vec![LIFETIME]),
        one.with_attributes(attribute),
    ] {
        // 2.04 is right for the attributes.
        let writes = !observed.attributes.is_empty();
        for code in codes {
            if writes && code == Code::CHANGED {
                continue;
            }
            let mut world = World::new();
            let mut peer = Peer::new(1);
            peer.register(&mut world, &["lt=300", "lwm2m=1.2"], LIST);
            world.sent.clear();
            world.observe("dev-1", observed.clone()).expect("room");
            let request = world.request();
            world.answer(&request, code, &[], b"because");
            match &world.wishes("dev-1").expect("known")[0].state {
                WishState::Failed(why) => assert!(why.contains(&code.to_string()), "{why}"),
                other => panic!("{code}: {other:?}"),
            }
        }
    }
    // Observations are made by wishes alone.
    let (mut world, id) = asked(&Operation::Observe {
        path: LIFETIME,
        accept: None,
        parameters: Attributes::NONE,
    });
    assert!(matches!(
        world.outcome(id),
        Some(Err(OperateError::Invalid(_)))
    ));
}

/// Register 2.01, 4.00, 4.09, 4.12; Update 2.04, 4.00, 4.04; De-register 2.02, 4.04. The others of
/// the table (4.01, 4.03) need security.
#[test]
fn every_code_of_the_registration_interface() {
    let mut world = World::new();
    let mut id = 0;
    let mut register = |world: &mut World, queries: &[&str], list: &[u8]| {
        id += 1;
        let message = register_message(id, queries, list);
        let from = "192.0.2.9:9".parse().expect("address");
        world.exchange(from, &message).message().code
    };
    for (queries, list, code) in [
        (&["ep=a", "lt=60", "lwm2m=1.2"][..], LIST, Code::CREATED),
        (
            &["ep=a", "lt=60", "lwm2m=1.1", "unknown=1", "x"],
            LIST,
            Code::CREATED,
        ),
        (&["ep=a", "lwm2m=1.1"], LIST, Code::BAD_REQUEST),
        (&["lt=60", "lwm2m=1.1"], LIST, Code::BAD_REQUEST),
        (&["ep=a", "lt=60", "lwm2m=1.1"], b"", Code::BAD_REQUEST),
        (&["ep=a", "lt=60", "lwm2m=1.2"], b"", Code::CONFLICT),
        (
            &["ep=a", "lt=60", "lwm2m=1.2", "pid=6:0"],
            b"",
            Code::CONFLICT,
        ),
        (
            &["ep=a", "lt=60", "lwm2m=1.3"],
            LIST,
            Code::PRECONDITION_FAILED,
        ),
        (
            &["ep=a", "lt=60", "lwm2m=2.0"],
            LIST,
            Code::PRECONDITION_FAILED,
        ),
    ] {
        assert_eq!(register(&mut world, queries, list), code, "{queries:?}");
    }
    let mut peer = Peer::up(1, &mut world);
    assert_eq!(
        peer.update(&mut world, &["lt=61", "unknown=1"]),
        Code::CHANGED
    );
    assert_eq!(peer.update(&mut world, &["lt=never"]), Code::BAD_REQUEST);
    let bye = peer.at_location(Code::DELETE, &[], b"");
    assert_eq!(
        world.exchange(peer.address, &bye).message().code,
        Code::DELETED
    );
    assert_eq!(peer.update(&mut world, &[]), Code::NOT_FOUND);
    let bye = peer.at_location(Code::DELETE, &[], b"");
    assert_eq!(
        world.exchange(peer.address, &bye).message().code,
        Code::NOT_FOUND
    );
}

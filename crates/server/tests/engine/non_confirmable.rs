//! Execute as a Non-confirmable request (Transport 1.1 §6.8.1).

use core::time::Duration;

use dunlin_coap::{Code, Type};
use dunlin_lwm2m::Path;
use dunlin_lwm2m::operation::Operation;
use dunlin_server::api::{DeviceOperation, OperateError};

use crate::world::{LIST, Peer, Sent, TEXT, World, build, read};

const REBOOT: Path = Path::resource(3, 0, 4);

fn reboot() -> DeviceOperation {
    Operation::Execute {
        path: REBOOT,
        arguments: String::new(),
    }
}

fn up(world: &mut World, queries: &[&str]) -> Peer {
    let mut peer = Peer::new(1);
    peer.register(world, queries, LIST);
    world.sent.clear();
    peer
}

fn respond(world: &mut World, request: &Sent, ty: Type, code: Code) -> Vec<Sent> {
    let token = request.message().token.to_vec();
    let answer = build(ty, code, 0x7000, &token, &[], b"");
    world.datagram(request.to, &answer)
}

#[test]
fn an_execute_goes_out_once_and_ends_with_the_response() {
    for version in ["lwm2m=1.1", "lwm2m=1.2"] {
        let mut world = World::new();
        up(&mut world, &["lt=300", version]);
        let id = world.operate_non_confirmable("dev-1", reboot());
        let request = world.request();
        let message = request.message();
        assert_eq!(
            (message.ty, message.code, request.path().as_str()),
            (Type::NonConfirmable, Code::POST, "/3/0/4")
        );
        // The device may take its time; nothing is sent again.
        world.seconds(20);
        assert!(world.sent.is_empty(), "{:?}", world.sent);
        assert!(respond(&mut world, &request, Type::NonConfirmable, Code::CHANGED).is_empty());
        let outcome = world.outcome(id).expect("an outcome").expect("success");
        assert_eq!(outcome.code, Code::CHANGED);
    }
}

/// RFC 7252 §5.2.3: a NON request may be answered by a CON, which is acknowledged.
#[test]
fn a_confirmable_response_is_acknowledged() {
    let mut world = World::new();
    up(&mut world, &["lt=300", "lwm2m=1.1"]);
    let id = world.operate_non_confirmable("dev-1", reboot());
    let request = world.request();
    let method = Code::METHOD_NOT_ALLOWED;
    let answers = respond(&mut world, &request, Type::Confirmable, method);
    let message = answers[0].message();
    assert_eq!(
        (message.ty, message.message_id),
        (Type::Acknowledgement, 0x7000)
    );
    assert!(matches!(
        world.outcome(id),
        Some(Err(OperateError::Device { code, .. })) if code == method
    ));
}

#[test]
fn silence_ends_it_and_does_not_make_a_sleeper_of_the_device() {
    let mut world = World::new();
    up(&mut world, &["lt=86400", "lwm2m=1.1"]);
    let id = world.operate_non_confirmable("dev-1", reboot());
    let _ = world.request();
    world.pass(Duration::from_secs(31));
    assert_eq!(world.outcome(id), Some(Err(OperateError::Timeout)));
    // The queue of a device that was found asleep would wait until it speaks.
    let queued = world.must_enqueue("dev-1", read(Path::resource(3, 0, 0)));
    let request = world.request();
    world.answer(&request, Code::CONTENT, &[TEXT], b"x");
    assert!(matches!(
        world.state(queued),
        dunlin_server::api::OperationState::Done(_)
    ));
}

#[test]
fn what_must_be_confirmable_is_refused() {
    let refused = |queries: &[&str], operation, why: &str| {
        let mut world = World::new();
        up(&mut world, queries);
        let id = world.operate_non_confirmable("dev-1", operation);
        match world.outcome(id) {
            Some(Err(OperateError::Invalid(told))) => assert!(told.contains(why), "{told}"),
            other => panic!("{other:?}"),
        }
        assert!(world.sent.is_empty(), "{:?}", world.sent);
    };
    let plain: &[&str] = &["lt=300", "lwm2m=1.1"];
    refused(plain, read(REBOOT), "only an Execute");
    let delete = Operation::Delete {
        path: Path::instance(3303, 0),
    };
    refused(plain, delete, "only an Execute");
    refused(&["lt=300", "lwm2m=1.0"], reboot(), "1.1");
    let sleeper: &[&str] = &["lt=300", "lwm2m=1.1", "b=U", "Q"];
    refused(sleeper, reboot(), "queue mode");
}

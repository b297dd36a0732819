//! Objects that `dunlin object generate` wrote, in a client. A test of `dunlin-lwm2m` shows that
//! they are what it writes.

mod common;
#[allow(
    unreachable_pub,
    dead_code,
    reason = "the module of a library, in a test"
)]
#[path = "generated/every_type.rs"]
mod every_type;

use common::enforced::{OneObject, Outcome, check};
use common::{get, post, put};
use dunlin_client::{Arguments, Code, Instances, Single, Version};
use every_type::{EVERY_TYPE, EveryType, EveryTypeActions, id};

const TEXT: u16 = 0;

/// A bell that counts, and does not like the label "no".
#[derive(Clone, Default)]
struct Bell {
    rung: u32,
}

impl EveryTypeActions for Bell {
    fn ring(this: &mut EveryType<Self>, arguments: Arguments<'_>) -> Result<(), Code> {
        this.actions.rung += u32::try_from(arguments.iter().count()).unwrap_or(0) + 1;
        this.counter = Some(u64::from(this.actions.rung));
        Ok(())
    }

    fn written(this: &mut EveryType<Self>, resource: u16) -> Result<(), Code> {
        if resource == id::LABEL && this.label == "no" {
            return Err(Code::BAD_REQUEST);
        }
        Ok(())
    }
}

#[test]
fn the_definition_is_enforced() {
    let mut outcome = Outcome::default();
    check::<EveryType>(&mut outcome);
    assert!(outcome.wrong.is_empty(), "{:#?}", outcome.wrong);
    assert!(outcome.right > 80, "{}", outcome.right);
}

#[test]
fn actions_are_what_the_device_makes_of_them() {
    let mut object = Instances::<_, 2>::new().with(0, EveryType::with_actions(Bell::default()));
    let mut device = OneObject::new(&mut object, Version::V1_2);
    assert_eq!(device.code(&post("/42770/0/11", TEXT, b"")), "2.04");
    assert_eq!(device.code(&post("/42770/0/11", TEXT, b"0='3'")), "2.04");
    assert_eq!(device.ask(&get("/42770/0/2").accept(TEXT)).text(), "3");
    // Nobody has written this one.
    assert_eq!(device.code(&post("/42770/0/12", TEXT, b"")), "4.05");
}

#[test]
fn a_refused_write_leaves_no_trace() {
    let mut object = Single::new(EveryType::with_actions(Bell::default()));
    let mut device = OneObject::new(&mut object, Version::V1_2);
    assert_eq!(device.code(&put("/42770/0/5", TEXT, b"yes")), "2.04");
    assert_eq!(device.code(&put("/42770/0/5", TEXT, b"no")), "4.00");
    assert_eq!(device.ask(&get("/42770/0/5").accept(TEXT)).text(), "yes");
}

/// Zeros where the range has one, the end of the range next to zero otherwise.
#[test]
fn defaults_are_legal() {
    let every = EveryType::new();
    assert_eq!((every.type_, every.big_number), (0, 1));
    assert_eq!(every.counter, None);
    assert_eq!(every, EveryType::default());
    assert_eq!(EVERY_TYPE.resources.len(), 17);
}

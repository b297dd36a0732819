//! Reading, writing, observing, updating and deleting single resource instances.

mod common;

use common::{World, ask, get, post, put};
use dunlin_client::{Code, Version};

const TEXT: u16 = 0;
const SENML_JSON: u16 = 110;

/// Supported Server Versions: optional, multiple and writable.
const VERSIONS: &str = "/1/0/25";

fn world() -> World {
    let mut world = World::registered(Version::V1_2);
    let two = br#"[{"bn":"/1/0/25/","n":"0","vs":"1.1"},{"n":"2","vs":"1.2"}]"#;
    assert_eq!(world.code(&put(VERSIONS, SENML_JSON, two)), "2.04");
    world
}

fn versions(world: &mut World) -> String {
    world.ask(&get(VERSIONS).accept(SENML_JSON)).text()
}

#[test]
fn each_is_read_and_written_by_itself() {
    let mut world = world();
    assert_eq!(
        versions(&mut world),
        r#"[{"bn":"/1/0/25/","n":"0","vs":"1.1"},{"n":"2","vs":"1.2"}]"#
    );
    assert_eq!(world.ask(&get("/1/0/25/2")).text(), "1.2");
    assert_eq!(world.code(&put("/1/0/25/2", TEXT, b"1.0")), "2.04");
    assert_eq!(
        versions(&mut world),
        r#"[{"bn":"/1/0/25/","n":"0","vs":"1.1"},{"n":"2","vs":"1.0"}]"#
    );
    // Core 1.2 §6.3.3: one that is not there cannot be written by its path.
    assert_eq!(world.code(&put("/1/0/25/1", TEXT, b"1.0")), "4.04");
    assert_eq!(world.code(&get("/1/0/25/1")), "4.04");
}

/// Replace takes away what it does not name, Partial Update adds and changes.
#[test]
fn replace_and_update_of_the_resource() {
    let mut world = world();
    let add = br#"[{"n":"/1/0/25/1","vs":"1.0"},{"n":"/1/0/25/2","vs":"1.1"}]"#;
    assert_eq!(world.code(&post(VERSIONS, SENML_JSON, add)), "2.04");
    assert_eq!(
        versions(&mut world),
        r#"[{"bn":"/1/0/25/","n":"0","vs":"1.1"},{"n":"1","vs":"1.0"},{"n":"2","vs":"1.1"}]"#
    );
    let one = br#"[{"n":"/1/0/25/7","vs":"1.2"}]"#;
    assert_eq!(world.code(&put(VERSIONS, SENML_JSON, one)), "2.04");
    assert_eq!(
        versions(&mut world),
        r#"[{"bn":"/1/0/25/","n":"7","vs":"1.2"}]"#
    );
}

/// Delete of a resource instance came with 1.2.
#[test]
fn each_is_deleted_by_itself() {
    let mut world = world();
    world.ask(&get("/1/0/25/2").observe(0, b"obs"));
    assert_eq!(world.code(&ask(Code::DELETE, "/1/0/25/2")), "2.02");
    // Whoever observes it is told that it has gone.
    let last = world.take();
    assert_eq!(
        (last.code, last.token.as_slice()),
        (Code::NOT_FOUND, &b"obs"[..])
    );
    assert_eq!(
        versions(&mut world),
        r#"[{"bn":"/1/0/25/","n":"0","vs":"1.1"}]"#
    );
    assert_eq!(world.code(&ask(Code::DELETE, "/1/0/25/2")), "4.04");
    // What the server may not write it may not delete.
    assert_eq!(world.code(&ask(Code::DELETE, "/3/0/6/0")), "4.05");
    let mut world = World::registered(Version::V1_1);
    assert_eq!(world.code(&ask(Code::DELETE, "/3/0/6/0")), "4.05");
}

//! Object 5: every row of the state machine (Core 1.2 §E.6), push in blocks, reboots, deferral, in
//! virtual time.

mod common;

use common::firmware::{
    Downloaded, Idle, Pulling, Pushing, Serve, Start, URI, Updating, block, device, device_with,
    execute, image, package, push, read, reboot, stands, uri,
};
use common::several::Several;
use common::{Ask, Flash, Things, World, get, hex, post, put};
use dunlin_client::objects::{
    AccessControl, Boot, Firmware, FirmwareState, Installation, Server, UpdateResult,
};
use dunlin_client::{Code, Config, Event, Instances, Version, objects};
use dunlin_coap::{Message, OptionNumber};

const TEXT: u16 = 0;
const OPAQUE: u16 = 42;
const CBOR: u16 = 60;
const TLV: u16 = 11542;
const SENML_JSON: u16 = 110;

/// The answers of the table "Firmware state machine" that follow from one request.
#[test]
fn states_answers_and_results() {
    let nul: &[u8] = &[0];
    let rows: &[(Start, Ask, &str, (u8, u8))] = &[
        // A whole package in one message; the checks decide.
        (Idle, package(b"image"), "2.04", (2, 0)),
        (Idle, post("/5/0/0", OPAQUE, b"image"), "2.04", (2, 0)),
        (Idle, package(b"Corrupt"), "2.04", (0, 5)),
        (Idle, package(b"Type"), "2.04", (0, 6)),
        (Idle, block(0, &image(300)), "2.31", (1, 0)),
        // A URI.
        (Idle, uri(URI), "2.04", (1, 0)),
        (Idle, uri("coap://files.example.com:5690/x"), "2.04", (1, 0)),
        (Idle, uri("coap://[2001:db8::9]/x"), "2.04", (1, 0)),
        (Idle, uri("coap://nobody.example.com/x"), "2.04", (0, 7)),
        (Idle, uri("coap://"), "2.04", (0, 7)),
        (Idle, uri("coap://192.0.2.9:0/x"), "2.04", (0, 7)),
        (Idle, uri("coap://192.0.2.9:70000/x"), "2.04", (0, 7)),
        (Idle, uri("coap://192.0.2.9/%zz"), "2.04", (0, 7)),
        (Idle, uri("coap://192.0.2.9/a#b"), "2.04", (0, 7)),
        (Idle, uri("coap://me@192.0.2.9/a"), "2.04", (0, 7)),
        (Idle, uri("nothing"), "2.04", (0, 7)),
        (Idle, uri("unknown://x"), "2.04", (0, 9)),
        (Idle, uri("coaps://192.0.2.9/x"), "2.04", (0, 9)),
        (Idle, uri("https://192.0.2.9/x"), "2.04", (0, 9)),
        (Idle, uri(&"x".repeat(256)), "4.00", (0, 0)),
        // Resets.
        (Idle, package(nul), "2.04", (0, 0)),
        (Idle, package(b""), "2.04", (0, 0)),
        (Idle, uri(""), "2.04", (0, 0)),
        (Pushing, package(nul), "2.04", (0, 0)),
        (Pushing, uri(""), "2.04", (0, 0)),
        (Pulling, package(nul), "2.04", (0, 0)),
        (Pulling, uri(""), "2.04", (0, 0)),
        (Downloaded, package(nul), "2.04", (0, 0)),
        (Downloaded, package(b""), "2.04", (0, 0)),
        (Downloaded, uri(""), "2.04", (0, 0)),
        (Updating, package(nul), "4.05", (3, 0)),
        (Updating, uri(""), "4.05", (3, 0)),
        // Cancel (object version 1.1).
        (Idle, execute("/5/0/10"), "4.05", (0, 0)),
        (Pushing, execute("/5/0/10"), "2.04", (0, 10)),
        (Pulling, execute("/5/0/10"), "2.04", (0, 10)),
        (Downloaded, execute("/5/0/10"), "2.04", (0, 10)),
        (Updating, execute("/5/0/10"), "4.05", (3, 0)),
        // Update.
        (Idle, execute("/5/0/2"), "4.05", (0, 0)),
        (Pushing, execute("/5/0/2"), "4.05", (1, 0)),
        (Pulling, execute("/5/0/2"), "4.05", (1, 0)),
        (Downloaded, execute("/5/0/2"), "2.04", (3, 0)),
        (Updating, execute("/5/0/2"), "4.05", (3, 0)),
        // A new package needs a reset first.
        (Pushing, package(b"other"), "4.05", (1, 0)),
        (
            Pushing,
            put("/5/0", TLV, &hex("C5 00 6F74686572")),
            "4.05",
            (1, 0),
        ),
        (
            Downloaded,
            put("/5/0", TLV, &hex("C5 00 6F74686572")),
            "4.05",
            (2, 0),
        ),
        (Pulling, package(b"other"), "4.05", (1, 0)),
        (Pulling, block(0, &image(100)), "4.05", (1, 0)),
        (Pushing, uri(URI), "4.05", (1, 0)),
        (Pulling, uri(URI), "4.05", (1, 0)),
        (Downloaded, package(b"other"), "4.05", (2, 0)),
        (Downloaded, block(0, &image(100)), "4.05", (2, 0)),
        (Downloaded, uri(URI), "4.05", (2, 0)),
        (Updating, package(b"other"), "4.05", (3, 0)),
        (Updating, uri(URI), "4.05", (3, 0)),
        // The other formats of a small package.
        (Idle, put("/5/0/0", TEXT, b"aW1hZ2U="), "2.04", (2, 0)),
        (Idle, put("/5/0/0", TEXT, b"!"), "4.00", (0, 0)),
        (
            Idle,
            put("/5/0/0", CBOR, &hex("45 696D616765")),
            "2.04",
            (2, 0),
        ),
        (
            Idle,
            put("/5/0", TLV, &hex("C5 00 696D616765")),
            "2.04",
            (2, 0),
        ),
        (
            Idle,
            put("/5/0/0", TLV, &hex("C5 00 696D616765")),
            "2.04",
            (2, 0),
        ),
        (Idle, put("/5/0", TLV, &hex("C1 00 00")), "2.04", (0, 0)),
        (
            Idle,
            put("/5/0/0", SENML_JSON, br#"[{"bn":"/5/0/0","vd":"aW1hZ2U"}]"#),
            "2.04",
            (2, 0),
        ),
        // The Package is not readable, and has no attributes.
        (Downloaded, get("/5/0/0"), "4.05", (2, 0)),
        (Idle, put("/5/0/3", TEXT, b"2"), "4.05", (0, 0)),
    ];
    for version in [Version::V1_0, Version::V1_1, Version::V1_2] {
        for (from, request, code, state) in rows {
            // Content formats and a resource of 1.1.
            let is_later =
                matches!(request.format, Some(CBOR | SENML_JSON)) || request.uri == "/5/0/10";
            if version == Version::V1_0 && is_later {
                continue;
            }
            let flash = Flash::default();
            let mut world = device_with(version, &flash);
            from.reach(&mut world);
            let what = format!(
                "{version} {from:?} {} {} {:?} {:02X?}",
                request.code, request.uri, request.format, request.payload
            );
            assert_eq!(world.code(request), *code, "{what}");
            assert_eq!(stands(&mut world), *state, "{what}");
            if state.0 == 0 {
                assert!(flash.get().image.is_empty(), "{what}");
            }
        }
    }
}

#[test]
fn the_object_of_1_0_ends_with_resource_9() {
    for (version, code) in [(Version::V1_0, "4.04"), (Version::V1_1, "2.04")] {
        let mut world = device_with(version, &Flash::default());
        assert_eq!(world.code(&put("/5/0/11", TEXT, b"2")), code, "{version}");
        world.code(&package(b"image"));
        let whole = world.ask(&get("/5/0").accept(TLV)).payload;
        // TLV: a resource with the id 11 and one byte.
        let has_severity = whole.windows(2).any(|bytes| bytes == [0xC1, 11]);
        assert_eq!(has_severity, version > Version::V1_0);
        assert_eq!(world.code(&execute("/5/0/10")), code, "{version}");
    }
}

#[test]
fn after_each_end_a_new_cycle_works() {
    for from in [Pushing, Pulling, Downloaded] {
        for end in [execute("/5/0/10"), uri(""), package(&[0])] {
            let flash = Flash::default();
            let mut world = device(&flash);
            from.reach(&mut world);
            assert_eq!(world.code(&end), "2.04");
            world.asked.clear();
            assert_eq!(push(&mut world, &image(130)), ["2.31", "2.31", "2.04"]);
            assert_eq!(stands(&mut world), (2, 0), "{from:?} {}", end.uri);
            assert_eq!(flash.get().image, image(130));
        }
    }
}

#[test]
fn a_large_package_streams_past_the_memory_of_the_client() {
    // The client has 2 KiB for payloads.
    let flash = Flash::default();
    let mut world = device(&flash);
    let image = image(100_000);
    let mut states = Vec::new();
    for number in 0..image.len().div_ceil(64) as u32 {
        let answer = world.ask(&block(number, &image));
        let block1 = answer.uint(OptionNumber::BLOCK1).unwrap();
        assert_eq!(block1 >> 4, number);
        let is_last = number as usize == image.len() / 64;
        let (code, more) = if is_last { ("2.04", 0) } else { ("2.31", 8) };
        assert_eq!((answer.code.to_string().as_str(), block1 & 8), (code, more));
        if number % 500 == 0 {
            states.push(stands(&mut world));
        }
    }
    assert!(states.iter().all(|state| *state == (1, 0)), "{states:?}");
    assert_eq!(stands(&mut world), (2, 0));
    assert_eq!(flash.get().image, image);
    assert_eq!(read(&mut world, "/5/0/6"), "image");
    assert_eq!(read(&mut world, "/5/0/7"), "2.0");
    // One Write is told, not one a block.
    let writes = world.events.iter().filter(|event| {
        matches!(event, Event::Request { operation: "Write", path, code: Code::CHANGED, .. }
            if path.to_string() == "/5/0/0")
    });
    assert_eq!(writes.count(), 1);
}

#[test]
fn packages_in_blocks_by_post_tlv_and_cbor() {
    let image = image(700);
    // Core 1.2 §7.4.3: a resource with an id of 8 and a length of 16 bits.
    let tlv = [&hex("D0 00 02BC")[..], &image].concat();
    let cbor = [&hex("59 02BC")[..], &image].concat();
    let cases: &[(Code, &str, u16, &[u8], &str)] = &[
        (Code::POST, "/5/0/0", OPAQUE, &image, "2.04"),
        (Code::PUT, "/5/0/0", TLV, &tlv, "2.04"),
        (Code::PUT, "/5/0", TLV, &tlv, "2.04"),
        (Code::POST, "/5/0", TLV, &tlv, "2.04"),
        (Code::PUT, "/5/0/0", CBOR, &cbor, "2.04"),
        // The format announces more, or less, than comes.
        (Code::PUT, "/5/0/0", CBOR, &cbor[..600], "4.00"),
        (Code::PUT, "/5/0", TLV, &[&tlv[..], b"x"].concat(), "4.00"),
    ];
    for (code, uri, format, body, answer) in cases {
        let flash = Flash::default();
        let mut world = device(&flash);
        let blocks = body.len().div_ceil(128);
        let mut last = String::new();
        for number in 0..blocks {
            let part = &body[number * 128..body.len().min(number * 128 + 128)];
            let request = Ask {
                code: *code,
                ..put(uri, *format, part).block1(number as u32, number + 1 < blocks, 3)
            };
            last = world.code(&request);
        }
        assert_eq!(last, *answer, "{code} {uri} {format}");
        if *answer == "2.04" {
            assert_eq!(flash.get().image, image);
            assert_eq!(stands(&mut world), (2, 0));
        } else {
            assert_eq!(stands(&mut world), (0, 4));
        }
    }
}

#[test]
fn a_push_goes_on_after_a_pause_and_begins_anew_when_blocks_are_missing() {
    let flash = Flash::default();
    let mut world = device(&flash);
    let image = image(300);
    assert_eq!(world.code(&block(0, &image)), "2.31");
    assert_eq!(world.code(&block(1, &image)), "2.31");
    // Other requests come in between, in blocks as well, and the server may be slow.
    world.seconds(240);
    while !world.sent.is_empty() {
        let update = world.take();
        world.answer_with(&update, Code::CHANGED);
    }
    let zone = put("/3/0/15", TEXT, b"Europe/Amsterdam").block1(0, true, 0);
    assert_eq!(world.code(&zone), "2.31");
    assert_eq!(
        world.code(&put("/3/0/15", TEXT, b"!").block1(1, false, 0)),
        "2.04"
    );
    // A repetition with another Message ID is not stored twice.
    assert_eq!(world.code(&block(1, &image)), "2.31");
    assert_eq!(world.code(&block(2, &image)), "2.31");
    // A gap: RFC 7959 §2.4 lets the server begin anew.
    assert_eq!(world.code(&block(4, &image)), "4.08");
    assert_eq!(stands(&mut world), (1, 0));
    assert_eq!(push(&mut world, &image).last().unwrap(), "2.04");
    assert_eq!(stands(&mut world), (2, 0));
    assert_eq!(flash.get().image, image);
    // The first blocks of it are not known any more.
    assert_eq!(world.code(&block(3, &image)), "4.08");
    assert_eq!(stands(&mut world), (2, 0));
}

#[test]
fn a_push_that_is_given_up_is_a_lost_connection() {
    for has_gap in [false, true] {
        let flash = Flash::default();
        let mut world = device(&flash);
        assert_eq!(world.code(&uri("")), "2.04");
        assert_eq!(world.code(&block(0, &image(300))), "2.31");
        if has_gap {
            assert_eq!(world.code(&block(3, &image(300))), "4.08");
        }
        let begun = world.now;
        world.advance(std::time::Duration::from_secs(246));
        assert_eq!(
            world.client.objects().firmware.state(),
            FirmwareState::Downloading
        );
        world.run_until(begun + std::time::Duration::from_secs(247));
        let firmware = &world.client.objects().firmware;
        assert_eq!(firmware.state(), FirmwareState::Idle);
        assert_eq!(firmware.result(), UpdateResult::ConnectionLost);
        assert!(flash.get().image.is_empty());
    }
}

#[test]
fn a_reset_in_the_middle_of_a_push_stops_it() {
    let flash = Flash::default();
    let mut world = device(&flash);
    let image = image(300);
    assert_eq!(world.code(&block(0, &image)), "2.31");
    assert_eq!(world.code(&execute("/5/0/10")), "2.04");
    assert_eq!(world.code(&block(1, &image)), "4.08");
    assert_eq!(stands(&mut world), (0, 10));
    assert_eq!(push(&mut world, &image).last().unwrap(), "2.04");
}

#[test]
fn failures_of_a_push() {
    // Capacity, memory, whether the size is announced, result; the image has 300 bytes. Whenever it
    // shows, the Write ends with 2.04 and the result tells (ETS 773, 774).
    let rows = [
        (200, 9999, true, 2),
        (200, 9999, false, 2),
        (9999, 200, false, 3),
        // With the last block.
        (290, 9999, false, 2),
    ];
    for (capacity, memory, announced, result) in rows {
        let flash = Flash::default();
        flash.set().capacity = capacity;
        flash.set().memory = memory;
        let mut world = device(&flash);
        let image = image(300);
        let mut states = Vec::new();
        for number in 0..5 {
            let mut request = block(number, &image);
            request.size1 = announced.then_some(300);
            let expected = if number < 4 { "2.31" } else { "2.04" };
            assert_eq!(world.code(&request), expected);
            states.push(stands(&mut world));
        }
        assert_eq!(states.last(), Some(&(0, result)));
        assert!(!states.iter().any(|(state, _)| *state == 2), "{states:?}");
        assert!(flash.get().image.is_empty());
        // The next one finds what it needs.
        flash.set().capacity = 9999;
        flash.set().memory = 9999;
        assert_eq!(push(&mut world, &image).last().unwrap(), "2.04");
        assert_eq!(stands(&mut world), (2, 0));
    }
}

/// What nobody wants any more holds up nobody: a smaller image, or a fetch, may begin meanwhile.
#[test]
fn the_rest_of_a_push_that_has_failed_is_in_nobodys_way() {
    for fetches in [false, true] {
        let flash = Flash::default();
        flash.set().capacity = 200;
        let mut world = device(&flash);
        let large = image(300);
        for number in 0..4 {
            assert_eq!(world.code(&block(number, &large)), "2.31");
        }
        assert_eq!(stands(&mut world), (0, 2));
        let small = image(150);
        if fetches {
            assert_eq!(world.code(&uri(URI)), "2.04");
            assert_eq!(world.code(&block(4, &large)), "2.04");
            let serve = Serve {
                image: &small,
                ..Serve::default()
            };
            serve.all(&mut world);
        } else {
            assert_eq!(push(&mut world, &small).last().unwrap(), "2.04");
        }
        assert_eq!(stands(&mut world), (2, 0), "{fetches}");
        assert_eq!(flash.get().image, small);
    }
}

#[test]
fn delivery_methods_are_kept_apart() {
    for (method, push, pull) in [
        (0, "4.00", "2.04"),
        (1, "2.04", "4.00"),
        (2, "2.04", "2.04"),
    ] {
        for (request, code) in [(package(b"image"), push), (uri(URI), pull)] {
            let mut things = Things::new();
            let flash = Flash::default();
            things.firmware = Firmware::new(flash).with_delivery_method(method);
            let mut world = World::with_things(Config::new("dev1"), things);
            world.register();
            assert_eq!(read(&mut world, "/5/0/9"), method.to_string());
            assert_eq!(world.code(&request), code, "{method} {}", request.uri);
        }
    }
}

#[test]
fn a_push_does_not_outlive_a_reboot() {
    let flash = Flash::default();
    let mut world = device(&flash);
    world.code(&block(0, &image(300)));
    let mut world = reboot(world, &flash);
    world.register();
    assert_eq!(stands(&mut world), (0, 4));
    assert_eq!(world.code(&block(1, &image(300))), "4.08");
    assert_eq!(push(&mut world, &image(300)).last().unwrap(), "2.04");
}

#[test]
fn a_downloaded_package_and_its_settings_outlive_a_reboot() {
    let flash = Flash::default();
    flash.set().time = Some(1_795_000_000);
    let mut world = device(&flash);
    world.code(&put("/5/0/11", TEXT, b"2"));
    world.code(&put("/5/0/13", TEXT, b"77"));
    world.code(&package(b"image"));
    let mut world = reboot(world, &flash);
    world.register();
    assert_eq!(stands(&mut world), (2, 0));
    assert_eq!(read(&mut world, "/5/0/7"), "2.0");
    assert_eq!(read(&mut world, "/5/0/11"), "2");
    assert_eq!(read(&mut world, "/5/0/13"), "77");
    assert_eq!(read(&mut world, "/5/0/12"), "1795000000");
    // The flash has lost it.
    flash.set().image.clear();
    let mut world = reboot(world, &flash);
    world.register();
    assert_eq!(stands(&mut world), (0, 0));
    // A record of another make counts as none.
    flash.set().state = vec![0xFF; 40];
    let mut world = reboot(world, &flash);
    world.register();
    assert_eq!(stands(&mut world), (0, 0));
    assert_eq!(read(&mut world, "/5/0/11"), "1");
}

/// Up to Event::Reboot.
fn install(world: &mut World) {
    assert_eq!(world.code(&package(b"image")), "2.04");
    assert_eq!(world.code(&execute("/5/0/2")), "2.04");
    assert_eq!(stands(world), (3, 0));
    world.events.clear();
    world.seconds(3);
    assert_eq!(world.events, []);
    world.seconds(1);
}

#[test]
fn an_update_ends_with_what_runs_after_the_reboot() {
    let rows: &[(Boot, (u8, u8), bool)] = &[
        (Boot::New, (0, 1), false),
        (Boot::Trial, (3, 0), true),
        (Boot::Previous, (2, 8), true),
        (Boot::PreviousOnly, (0, 8), false),
    ];
    for (boot, state, keeps) in rows {
        let flash = Flash::default();
        flash.set().boot = *boot;
        let mut world = device(&flash);
        install(&mut world);
        assert_eq!(world.events, [Event::Reboot]);
        let mut world = reboot(world, &flash);
        world.register();
        assert_eq!(stands(&mut world), *state, "{boot:?}");
        assert_eq!(!flash.get().image.is_empty(), *keeps, "{boot:?}");
        // The result stays over a further reboot, up to the next cycle.
        if *boot != Boot::Trial {
            let mut world = reboot(world, &flash);
            world.register();
            assert_eq!(stands(&mut world), *state, "{boot:?}");
        }
    }
}

#[test]
fn firmware_on_trial_is_confirmed_or_rolled_back() {
    for (is_good, keeps, state) in [
        (true, true, (0, 1)),
        (false, true, (2, 8)),
        (false, false, (0, 8)),
    ] {
        let flash = Flash::default();
        flash.set().boot = Boot::Trial;
        flash.set().keeps_on_rollback = keeps;
        let mut world = device(&flash);
        install(&mut world);
        let mut world = reboot(world, &flash);
        flash.log();
        world.register();
        let firmware = &mut world.client.objects_mut().firmware;
        if is_good {
            firmware.installed();
        } else {
            firmware.roll_back();
        }
        world.poll();
        assert_eq!(stands(&mut world), state);
        assert_eq!(
            flash.log()[0],
            if is_good { "confirm" } else { "roll back" }
        );
        // A failed update can be tried again with the same package.
        if state.0 == 2 {
            assert_eq!(world.code(&execute("/5/0/2")), "2.04");
            assert_eq!(stands(&mut world), (3, 0));
        }
    }
}

#[test]
fn updates_without_a_reboot() {
    let rows: &[(Installation, (u8, u8))] = &[
        (Installation::Done, (0, 1)),
        (Installation::Running, (3, 0)),
        (Installation::Failed { keeps_image: true }, (2, 8)),
        (Installation::Failed { keeps_image: false }, (0, 8)),
    ];
    for (installation, state) in rows {
        let flash = Flash::default();
        flash.set().installation = *installation;
        let mut world = device(&flash);
        install(&mut world);
        assert_eq!(world.events, []);
        assert_eq!(stands(&mut world), *state, "{installation:?}");
    }
    // Told later by the application.
    for (result, keeps, state) in [
        (UpdateResult::Failed, true, (2, 8)),
        (UpdateResult::Failed, false, (0, 8)),
        (UpdateResult::Integrity, true, (0, 5)),
    ] {
        let flash = Flash::default();
        flash.set().installation = Installation::Running;
        let mut world = device(&flash);
        install(&mut world);
        world.client.objects_mut().firmware.failed(result, keeps);
        assert_eq!(stands(&mut world), state);
    }
}

#[test]
fn an_automatic_upgrade_needs_no_execute() {
    for is_pull in [false, true] {
        let flash = Flash::default();
        let mut world = device_with(Version::V1_2, &flash);
        assert_eq!(world.code(&put("/5/0/14", TEXT, b"1")), "2.04");
        if is_pull {
            world.code(&uri(URI));
            Serve {
                image: b"image",
                ..Serve::default()
            }
            .all(&mut world);
        } else {
            world.code(&package(b"image"));
        }
        assert_eq!(stands(&mut world), (3, 0));
        flash.log();
        world.seconds(4);
        assert_eq!(flash.log(), ["install"]);
    }
}

#[test]
fn the_last_state_change_is_dated_and_never_goes_back() {
    let flash = Flash::default();
    let mut world = device(&flash);
    assert_eq!(world.code(&get("/5/0/12")), "4.04");
    flash.set().time = Some(1000);
    world.code(&uri(URI));
    assert_eq!(read(&mut world, "/5/0/12"), "1000");
    flash.set().time = Some(900);
    world.code(&uri(""));
    assert_eq!(read(&mut world, "/5/0/12"), "1000");
    flash.set().time = Some(2000);
    // A Write that changes no state is no change of it.
    world.code(&put("/5/0/11", TEXT, b"2"));
    assert_eq!(read(&mut world, "/5/0/12"), "1000");
    world.code(&package(b"image"));
    assert_eq!(read(&mut world, "/5/0/12"), "2000");
}

#[test]
fn state_and_result_are_notified() {
    let flash = Flash::default();
    let mut world = device(&flash);
    assert_eq!(
        world
            .ask(&get("/5/0/3").accept(TEXT).observe(0, b"s"))
            .text(),
        "0"
    );
    assert_eq!(
        world
            .ask(&get("/5/0/5").accept(TEXT).observe(0, b"r"))
            .text(),
        "0"
    );
    let mut told = Vec::new();
    let mut collect = |world: &mut World| {
        while let Some(bytes) = world.sent.pop_front() {
            let message = Message::parse(&bytes).unwrap();
            let text = String::from_utf8(message.payload.to_vec()).unwrap();
            told.push(format!("{}{text}", char::from(message.token[0])));
        }
    };
    world.code(&block(0, &image(100)));
    collect(&mut world);
    world.code(&block(1, &image(100)));
    collect(&mut world);
    world.code(&execute("/5/0/2"));
    collect(&mut world);
    world.seconds(4);
    world.client.objects_mut().firmware.installed();
    world.poll();
    collect(&mut world);
    assert_eq!(told, ["s1", "s2", "s3", "s0", "r1"]);
}

#[test]
fn a_refused_package_does_not_disturb_a_push() {
    let flash = Flash::default();
    let mut world = device(&flash);
    let image = image(150);
    assert_eq!(world.code(&block(0, &image)), "2.31");
    assert_eq!(world.code(&package(b"other")), "4.05");
    let body = hex("C5 00 6F74686572");
    assert_eq!(world.code(&put("/5/0", TLV, &body)), "4.05");
    assert_eq!(world.code(&block(1, &image)), "2.31");
    assert_eq!(world.code(&block(2, &image)), "2.04");
    assert_eq!(flash.get().image, image);
}

#[test]
fn a_composite_write_brings_a_package_or_leaves_no_trace() {
    for (zone, code, state) in [("\"UTC\"", "2.04", (2, 0)), ("7", "4.00", (0, 0))] {
        let flash = Flash::default();
        let mut world = device(&flash);
        let key = if zone == "7" { "v" } else { "vs" };
        let body = format!(r#"[{{"n":"/5/0/0","vd":"aW1hZ2U"}},{{"n":"/3/0/15","{key}":{zone}}}]"#);
        let request = Ask {
            code: Code::IPATCH,
            ..put("/", SENML_JSON, body.as_bytes())
        };
        assert_eq!(world.code(&request), code);
        assert_eq!(stands(&mut world), state);
        let stored: &[u8] = if state.0 == 2 { b"image" } else { b"" };
        assert_eq!(flash.get().image, stored);
    }
}

#[test]
fn a_write_that_fails_leaves_no_trace() {
    let flash = Flash::default();
    let mut world = device(&flash);
    // Package, and a Severity out of range.
    let body = hex("C5 00 696D616765 C1 0B 07");
    assert_eq!(world.code(&put("/5/0", TLV, &body)), "4.00");
    assert_eq!(stands(&mut world), (0, 0));
    assert!(flash.get().image.is_empty());
    // Package and Package URI together: the second one finds a package there.
    let body = [&hex("C5 00 696D616765 C8 01 1D")[..], URI.as_bytes()].concat();
    assert_eq!(world.code(&put("/5/0", TLV, &body)), "4.05");
    assert_eq!(stands(&mut world), (0, 0));
    assert!(flash.get().image.is_empty());
    world.assert_silent();
}

struct Guarded {
    firmware: Firmware<Flash>,
    access: Instances<AccessControl, 2>,
}

objects!(Guarded { firmware, access });

#[test]
fn one_server_pushes_at_a_time_and_only_with_the_right_to() {
    let flash = Flash::default();
    let mut entry = AccessControl::new(5, 0, 1);
    entry.acl.insert(2, AccessControl::WRITE).unwrap();
    entry.acl.insert(3, AccessControl::READ).unwrap();
    let guarded = Guarded {
        firmware: Firmware::new(flash.clone()),
        access: Instances::new().with(0, entry),
    };
    let config = Config {
        version: Version::V1_1,
        ..Config::new("dev1")
    };
    let mut world = Several::with(config, guarded, [1, 2, 3].map(Server::new));
    world.register(&[1, 2, 3]);
    let (mine, other) = (image(200), [b"other", &image(200)[..]].concat());
    assert_eq!(world.code(3, &block(0, &mine)), "4.01");
    assert_eq!(world.code(3, &package(b"image")), "4.01");
    assert_eq!(world.code(1, &block(0, &mine)), "2.31");
    assert_eq!(world.code(2, &block(0, &other)), "4.05");
    assert_eq!(world.code(2, &block(1, &other)), "4.08");
    assert_eq!(world.code(2, &package(b"image")), "4.05");
    for (number, code) in [(1, "2.31"), (2, "2.31"), (3, "2.04")] {
        assert_eq!(world.code(1, &block(number, &mine)), code);
    }
    assert_eq!(flash.get().image, mine);
    assert_eq!(
        world.client.objects().firmware.state(),
        FirmwareState::Downloaded
    );
}

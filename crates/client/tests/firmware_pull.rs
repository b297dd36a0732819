//! Firmware that the device fetches (Core 1.2 §E.6): block by block, and on after an interruption.

mod common;

use std::net::SocketAddr;

use common::firmware::{FILES, Serve, URI, device, execute, image, read, reboot, stands, uri};
use common::{Flash, get, hex};
use dunlin_client::Code;
use dunlin_client::objects::{FirmwareState, UpdateResult};
use dunlin_coap::{OptionNumber, Type};

#[test]
fn a_pull_asks_block_by_block() {
    let flash = Flash::default();
    let mut world = device(&flash);
    let image = image(2500);
    assert_eq!(world.code(&uri(URI)), "2.04");
    assert_eq!(stands(&mut world), (1, 0));
    assert_eq!(read(&mut world, "/5/0/1"), URI);
    let (to, first) = world.take_asked();
    assert_eq!(to.to_string(), FILES);
    assert_eq!((first.ty, first.code), (Type::Confirmable, Code::GET));
    assert_eq!(
        (first.path().as_str(), first.query().as_str()),
        ("/fw/image", "v=2")
    );
    // Uri-Path "fw" "image", Uri-Query "v=2", Block2 0/0/1024, Size2 0.
    assert_eq!(first.tail, hex("B26677 05696D616765 43763D32 8106 50"));
    let serve = Serve {
        image: &image,
        ..Serve::default()
    };
    serve.answer(&mut world, &first, to);
    assert_eq!(serve.all(&mut world), [1024, 2048]);
    assert_eq!(stands(&mut world), (2, 0));
    assert_eq!(flash.get().image, image);
    assert_eq!(flash.get().announced, Some(2500));
    assert_eq!(flash.log(), ["begin", "finish"]);
}

#[test]
fn a_pull_names_its_host_and_takes_smaller_blocks() {
    let flash = Flash::default();
    let mut world = device(&flash);
    let image = image(300);
    assert_eq!(
        world.code(&uri("coap://files.example.com:5690/a%20b")),
        "2.04"
    );
    let (to, first) = world.take_asked();
    assert_eq!(to.to_string(), "192.0.2.9:5690");
    assert_eq!(first.texts(OptionNumber::URI_HOST), ["files.example.com"]);
    assert_eq!(first.path(), "/a b");
    let serve = Serve {
        image: &image,
        szx: 2,
        ..Serve::default()
    };
    serve.answer(&mut world, &first, to);
    assert_eq!(serve.all(&mut world), [64, 128, 192, 256]);
    assert_eq!(flash.get().image, image);
}

#[test]
fn a_pull_from_the_server_itself() {
    let flash = Flash::default();
    let mut world = device(&flash);
    let image = image(1500);
    assert_eq!(world.code(&uri("coap://192.0.2.1/fw")), "2.04");
    let serve = Serve {
        image: &image,
        ..Serve::default()
    };
    let server = world.server;
    let first = world.take();
    // NSTART: an Update waits for the block, and the next block for the Update.
    let now = world.now;
    world.client.update(now);
    world.poll();
    world.assert_silent();
    serve.answer(&mut world, &first, server);
    let update = world.take();
    assert_eq!(
        (update.code, update.path().as_str()),
        (Code::POST, "/rd/5a3f")
    );
    world.assert_silent();
    world.answer_with(&update, Code::CHANGED);
    let second = world.take();
    assert_eq!(second.path(), "/fw");
    serve.answer(&mut world, &second, server);
    assert_eq!(stands(&mut world), (2, 0));
    assert_eq!(flash.get().image, image);
}

#[test]
fn answers_of_a_repository() {
    let rows: &[(Code, bool, (u8, u8))] = &[
        (Code::NOT_FOUND, false, (0, 7)),
        (Code::FORBIDDEN, false, (0, 7)),
        (Code::METHOD_NOT_ALLOWED, false, (0, 7)),
        (Code::CONTENT, false, (2, 0)),
        // In trouble: asked again, three times.
        (Code::INTERNAL_SERVER_ERROR, true, (0, 4)),
        (Code::SERVICE_UNAVAILABLE, true, (0, 4)),
    ];
    for (code, repeats, state) in rows {
        let flash = Flash::default();
        let mut world = device(&flash);
        world.code(&uri(URI));
        let serve = Serve {
            code: *code,
            image: b"image",
            ..Serve::default()
        };
        let mut asked = serve.all(&mut world).len();
        for _ in 0..4 {
            world.seconds(11);
            asked += serve.all(&mut world).len();
        }
        assert_eq!(asked, if *repeats { 3 } else { 1 }, "{code}");
        assert_eq!(stands(&mut world), *state, "{code}");
    }
}

#[test]
fn a_repository_that_falls_silent_is_a_lost_connection() {
    let flash = Flash::default();
    let mut world = device(&flash);
    let image = image(3000);
    world.code(&uri(URI));
    let serve = Serve {
        image: &image,
        ..Serve::default()
    };
    let (to, first) = world.take_asked();
    serve.answer(&mut world, &first, to);
    // Four requests, each sent three or four times, in less than a minute (ETS 775); Updates and
    // notifications go on meanwhile.
    let begun = world.now;
    while world.client.objects().firmware.state() == FirmwareState::Downloading {
        let next = world.client.next_timeout().unwrap();
        world.run_until(next);
        while !world.sent.is_empty() {
            let update = world.take();
            world.answer_with(&update, Code::CHANGED);
        }
        assert!(world.now.saturating_since(begun).as_secs() < 60);
    }
    assert!(
        (12..=16).contains(&world.asked.len()),
        "{}",
        world.asked.len()
    );
    assert!(
        world
            .asked
            .iter()
            .all(|(_, got)| got.uint(OptionNumber::BLOCK2) == Some(0x16))
    );
    assert_eq!(stands(&mut world), (0, 4));
    world.asked.clear();
    // The part that is there serves the next attempt, when the image is still the same.
    assert_eq!(world.code(&uri(URI)), "2.04");
    assert_eq!(serve.all(&mut world), [1024, 2048]);
    assert_eq!(stands(&mut world), (2, 0));
    assert_eq!(flash.get().image, image);
}

#[test]
fn a_part_of_another_image_is_of_no_use() {
    for other in ["coap://192.0.2.9/other", URI] {
        let flash = Flash::default();
        let mut world = device(&flash);
        world.code(&uri(URI));
        let (to, first) = world.take_asked();
        let old = image(3000);
        Serve {
            image: &old,
            ..Serve::default()
        }
        .answer(&mut world, &first, to);
        world.seconds(3 * 93);
        world.sent.clear();
        world.asked.clear();
        assert_eq!(
            world.client.objects().firmware.result(),
            UpdateResult::ConnectionLost
        );
        let new = [b"new", &image(2000)[..]].concat();
        world.code(&uri(other));
        let serve = Serve {
            image: &new,
            tag: Some(b"v2"),
            ..Serve::default()
        };
        let offsets = serve.all(&mut world);
        let expected: &[usize] = if other == URI {
            // The tag tells.
            &[1024, 0, 1024]
        } else {
            &[0, 1024]
        };
        assert_eq!(offsets, expected);
        assert_eq!(flash.get().image, new);
    }
}

#[test]
fn an_image_that_changes_is_fetched_from_its_beginning() {
    let flash = Flash::default();
    let mut world = device(&flash);
    let (old, new) = (image(3000), [b"new", &image(2000)[..]].concat());
    world.code(&uri(URI));
    let (to, first) = world.take_asked();
    Serve {
        image: &old,
        ..Serve::default()
    }
    .answer(&mut world, &first, to);
    let serve = Serve {
        image: &new,
        tag: Some(b"v2"),
        ..Serve::default()
    };
    assert_eq!(serve.all(&mut world), [1024, 0, 1024]);
    assert_eq!(flash.get().image, new);
    assert_eq!(stands(&mut world), (2, 0));
    // Again and again: given up.
    world.code(&uri(""));
    world.code(&uri(URI));
    for turn in 0_u8.. {
        let Some((to, request)) = world.asked.pop_front() else {
            break;
        };
        assert!(turn < 20);
        Serve {
            image: &old,
            tag: Some(&[turn]),
            ..Serve::default()
        }
        .answer(&mut world, &request, to);
    }
    assert_eq!(stands(&mut world), (0, 4));
}

#[test]
fn a_cancelled_pull_asks_no_more_and_late_answers_are_nothing() {
    let flash = Flash::default();
    let mut world = device(&flash);
    world.code(&uri(URI));
    let (to, first) = world.take_asked();
    assert_eq!(world.code(&execute("/5/0/10")), "2.04");
    assert_eq!(world.code(&uri("coap://192.0.2.9/other")), "2.04");
    let serve = Serve {
        image: b"image",
        ..Serve::default()
    };
    serve.answer(&mut world, &first, to);
    assert_eq!(stands(&mut world), (1, 0));
    assert_eq!(serve.all(&mut world), [0]);
    assert_eq!(stands(&mut world), (2, 0));
}

#[test]
fn strangers_are_no_repository() {
    let flash = Flash::default();
    let mut world = device(&flash);
    let stranger: SocketAddr = "198.51.100.7:5683".parse().unwrap();
    world.code(&uri(URI));
    let (to, first) = world.take_asked();
    let before = world.client.dropped().foreign;
    let serve = Serve {
        image: b"image",
        ..Serve::default()
    };
    serve.answer(&mut world, &first, stranger);
    // Nor does a repository manage the device.
    world.input(to, &get("/3/0/0").bytes(7));
    assert_eq!(world.client.dropped().foreign, before + 2);
    world.assert_silent();
    assert_eq!(stands(&mut world), (1, 0));
}

#[test]
fn a_pull_rests_while_offline() {
    let flash = Flash::default();
    let mut world = device(&flash);
    let image = image(1500);
    world.code(&uri(URI));
    let (to, first) = world.take_asked();
    let serve = Serve {
        image: &image,
        ..Serve::default()
    };
    serve.answer(&mut world, &first, to);
    world.asked.clear();
    world.client.offline();
    world.seconds(3600);
    world.assert_silent();
    let now = world.now;
    world.client.online(now);
    world.poll();
    assert_eq!(serve.all(&mut world), [1024]);
    assert_eq!(
        world.client.objects().firmware.state(),
        FirmwareState::Downloaded
    );
}

#[test]
fn a_pull_goes_on_after_a_reboot() {
    let image = image(3000);
    // As many bytes as the flash still has; a tag tells whether they are of the same image.
    type Row<'a> = (usize, Option<&'a [u8]>, &'a [usize]);
    let rows: &[Row<'_>] = &[
        (1024, Some(b"v1"), &[1024, 2048]),
        (1500, Some(b"v1"), &[1024, 2048]),
        (0, Some(b"v1"), &[0, 1024, 2048]),
        (1024, Some(b"v2"), &[1024, 0, 1024, 2048]),
        (1024, None, &[0, 1024, 2048]),
    ];
    for (stored, tag, offsets) in rows {
        let flash = Flash::default();
        let mut world = device(&flash);
        world.code(&uri(URI));
        let (to, first) = world.take_asked();
        let old = tag.map(|_| &b"v1"[..]);
        Serve {
            image: &image,
            tag: old,
            ..Serve::default()
        }
        .answer(&mut world, &first, to);
        flash.set().image.resize(*stored, 0xFF);
        let mut world = reboot(world, &flash);
        assert_eq!(
            world.client.objects().firmware.state(),
            FirmwareState::Downloading
        );
        world.register();
        let serve = Serve {
            image: &image,
            tag: *tag,
            ..Serve::default()
        };
        assert_eq!(serve.all(&mut world), *offsets);
        assert_eq!(stands(&mut world), (2, 0));
        assert_eq!(flash.get().image.len(), 3000);
        if *stored <= 1024 {
            assert_eq!(flash.get().image, image);
        }
    }
}

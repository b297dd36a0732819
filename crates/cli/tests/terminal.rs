//! The commands of the terminal against the real binary, with demo devices behind it.

mod demo;

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;
use std::time::{Duration, Instant};

use demo::{PATIENCE, Server};
use serde_json::{Value, json};

/// The server, and what comes of commands to it.
struct Terminal(Server);

impl Terminal {
    fn start() -> Self {
        Self(Server::start(2))
    }

    /// Exit code, standard output, standard error.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.0.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let code = output.status.code().unwrap();
        (code, text(output.stdout), text(output.stderr))
    }

    /// The output of a command that must succeed and say nothing else.
    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> String {
        let (code, output, errors) = self.run(arguments);
        assert_eq!((code, errors.as_str()), (0, ""), "{arguments:?}: {output}");
        output
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.ok(&[arguments, &["--json"]].concat());
        serde_json::from_str(&output).unwrap()
    }

    /// Asserts that a command fails with these words and without output.
    #[track_caller]
    fn fails(&self, arguments: &[&str], words: &str) {
        let (code, output, errors) = self.run(arguments);
        assert_eq!((code, output.as_str()), (1, ""), "{arguments:?}: {errors}");
        assert!(errors.starts_with("dunlin: "), "{errors}");
        assert!(errors.contains(words), "{words:?} is not in {errors}");
    }
}

fn cells(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}

#[test]
fn devices_are_listed_and_shown() {
    let server = Terminal::start();
    let list = server.ok(&["devices"]);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(
        cells(lines[0]),
        [
            "ENDPOINT", "VERSION", "BINDING", "LIFETIME", "STATE", "QUEUED", "ADDRESS", "OBJECTS"
        ]
    );
    assert_eq!(
        cells(lines[1])[..7],
        ["demo-1", "1.1", "U", "60", "s", "on", "0"]
    );
    assert!(lines[1].ends_with("1 3 4 5 6 3303 3304 3311"), "{list}");
    assert_eq!(cells(lines[2])[..2], ["demo-2", "1.2"]);
    assert_eq!(lines[3..], ["2 of 2 devices"]);

    let found = server.ok(&["devices", "MO-2"]);
    assert!(
        found.contains("demo-2") && !found.contains("demo-1"),
        "{found}"
    );
    assert!(found.ends_with("1 of 1 devices\n"), "{found}");
    let page = server.json(&["devices", "--limit", "1"]);
    assert_eq!(
        (&page["total"], &page["next"]),
        (&json!(2), &json!("demo-1"))
    );
    assert_eq!(page["items"].as_array().unwrap().len(), 1);

    let shown = server.ok(&["show", "demo-2"]);
    for row in [
        "endpoint demo-2",
        "version 1.2",
        "lifetime 60",
        "queueMode false",
        "security psk demo-2",
        "state on",
        "queued 0",
        "object 3303 version 1.1 /3303/0",
    ] {
        let row = cells(row);
        assert!(
            shown.lines().any(|line| cells(line) == row),
            "{row:?} is not in {shown}"
        );
    }
    let expires = shown
        .lines()
        .find(|line| line.starts_with("expires "))
        .unwrap();
    assert!(expires.ends_with('Z') && expires.contains("-"), "{expires}");
    assert_eq!(server.json(&["show", "demo-2"])["endpoint"], "demo-2");
    server.fails(
        &["show", "nobody"],
        "Unknown endpoint (404): No device is registered as \"nobody\"",
    );
}

#[test]
fn values_are_read_and_written() {
    let server = Terminal::start();
    assert_eq!(server.ok(&["read", "demo-1", "/3/0/0"]), "/3/0/0  Dunlin\n");
    assert_eq!(server.ok(&["read", "demo-1", "3/0/0"]), "/3/0/0  Dunlin\n");
    let instance = server.ok(&["read", "demo-1", "/3/0"]);
    assert!(
        instance
            .lines()
            .any(|line| cells(line) == ["/3/0/7/0", "3800"]),
        "{instance}"
    );
    assert_eq!(
        server.json(&["read", "demo-1", "/3/0/0", "--format", "senml-json"]),
        json!({
            "code": "2.05",
            "format": 110,
            "records": [{"path": "/3/0/0", "type": "String", "value": "Dunlin"}],
        })
    );
    server.fails(
        &["read", "demo-1", "/99/0"],
        "The device refused (404): The device answered 4.04",
    );
    server.fails(&["read", "demo-1", "x"], "Bad path (400)");
    server.fails(&["read", "demo-1", "3/0?timeout=1"], "Bad path (400)");
    server.fails(&["read", "nobody", "/3/0"], "Unknown endpoint (404)");
    server.fails(
        &["read", "demo-1", "/3/0", "--format", "xml"],
        "Bad format (400)",
    );
    server.fails(
        &["read", "demo-1", "/3/0", "--timeout", "0"],
        "timeout must be from 0.1",
    );

    assert_eq!(server.ok(&["write", "demo-1", "/1/0/1", "120"]), "2.04\n");
    assert_eq!(server.ok(&["read", "demo-1", "/1/0/1"]), "/1/0/1  120\n");
    let written = [
        "write",
        "demo-1",
        "/1/0",
        "/1/0/1=90",
        "1/0/6=true",
        "--update",
    ];
    assert_eq!(server.ok(&written), "2.04\n");
    assert_eq!(server.ok(&["read", "demo-1", "/1/0/6"]), "/1/0/6  true\n");
    // Words stay text where the definition says so, and numbers may be negative.
    let text = ["write", "demo-1", "/3303/0/5750", "12"];
    assert_eq!(server.json(&text), json!({"code": "2.04"}));
    let read = server.json(&["read", "demo-1", "/3303/0/5750"]);
    assert_eq!(read["records"][0]["value"], "12");
    server.fails(
        &["write", "demo-1", "/3303/0/5700", "-3.5"],
        "4.05 Method Not Allowed",
    );
    server.fails(
        &["write", "demo-1", "/1/0/1", "soon"],
        "\"soon\" is not an integer",
    );
    server.fails(&["write", "demo-1", "/1/0/1", "1", "2"], "takes one value");
    server.fails(&["write", "demo-1", "/1/0", "5"], "\"5\" is not PATH=VALUE");
}

#[test]
fn several_paths_are_read_written_and_observed_at_once() {
    let server = Terminal::start();
    for device in ["demo-1", "demo-2"] {
        let write = ["write", device, "/1/0/1=120", "/3303/0/5750=roof"];
        assert_eq!(server.ok(&write), "2.04\n");
        let read = ["read", device, "/1/0/1", "3303/0/5750", "/99"];
        let values = server.ok(&read);
        let rows: Vec<_> = values.lines().map(cells).collect();
        assert_eq!(rows, [["/1/0/1", "120"], ["/3303/0/5750", "roof"]]);
        assert_eq!(
            server.json(&read)["records"],
            json!([
                {"path": "/1/0/1", "type": "Integer", "value": 120},
                {"path": "/3303/0/5750", "type": "String", "value": "roof"},
            ])
        );
        // All or nothing.
        server.fails(
            &["write", device, "/1/0/1=60", "/3/0/0=x"],
            "4.05 Method Not Allowed",
        );
        assert_eq!(server.ok(&["read", device, "/1/0/1"]), "/1/0/1  120\n");
        server.fails(
            &["write", device, "/1/0/1=60", "/1/0/6=true", "--update"],
            "leave --update away",
        );
        let observe = ["observe", device, "/3/0/9", "/1/0/1", "--count", "1"];
        let (code, output, errors) = server.run(&observe);
        assert_eq!(code, 0, "{errors}");
        let paths: Vec<_> = output.lines().map(|line| cells(line)[0]).collect();
        assert_eq!(paths, ["/1/0/1", "/3/0/9"], "{output}");
        server.ok(&["observe", device, "/3/0/9", "/1/0/1", "--cancel"]);
    }
    // A resource instance is removed since 1.2; this one is read-only.
    server.fails(
        &["write", "demo-2", "--remove", "/3/0/7/1"],
        "4.05 Method Not Allowed",
    );
    server.fails(&["write", "demo-1", "--remove", "/3/0/7/1"], "1.2");
}

#[test]
fn demo_devices_report_of_their_own_accord() {
    let server = Terminal::start();
    let end = Instant::now() + PATIENCE;
    let report = loop {
        let sends = server.json(&["sends", "demo-1"]);
        if let Some(report) = sends["items"].get(0) {
            break report.clone();
        }
        assert!(Instant::now() < end, "nothing was sent");
        std::thread::sleep(Duration::from_millis(100));
    };
    let paths: Vec<_> = report["records"]
        .as_array()
        .unwrap()
        .iter()
        .map(|record| record["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["/3303/0/5700", "/3/0/9"], "{report}");
}

#[test]
fn resources_are_executed_and_instances_come_and_go() {
    let server = Terminal::start();
    assert_eq!(server.ok(&["exec", "demo-1", "/3303/0/5605"]), "2.04\n");
    assert_eq!(
        server.json(&["execute", "demo-1", "/3303/0/5605"]),
        json!({"code": "2.04"})
    );
    server.fails(
        &["exec", "demo-1", "/3303/0/5700"],
        "4.05 Method Not Allowed",
    );
    server.fails(&["exec", "demo-1", "/3303/0/5605", "x"], "(400)");
    let non = ["exec", "demo-1", "/3303/0/5605", "--non-confirmable"];
    assert_eq!(server.ok(&non), "2.04\n");
    let (code, _, errors) = server.run(&[&non[..], &["--queue"]].concat());
    assert_eq!(code, 2, "{errors}");

    let create = ["create", "demo-1", "/3303/7", "/3303/7/5750=kitchen"];
    assert_eq!(server.ok(&create), "2.01 /3303/7\n");
    assert_eq!(
        server.ok(&["read", "demo-1", "/3303/7/5750"]),
        "/3303/7/5750  kitchen\n"
    );
    server.fails(&create, "The device refused");
    let create = ["create", "demo-1", "/3303", "/3303/65535/5750=attic"];
    let created = server.json(&create);
    let location = created["location"].as_str().unwrap();
    assert!(location.starts_with("/3303/"), "{created}");
    assert_eq!(server.ok(&["delete", "demo-1", location]), "2.02\n");
    assert_eq!(server.ok(&["delete", "demo-1", "/3303/7"]), "2.02\n");
    server.fails(&["delete", "demo-1", "/3303/7"], "4.04 Not Found");
    server.fails(
        &["create", "demo-1", "/3303/x"],
        "the instance must be a number",
    );
}

#[test]
fn attributes_are_set_discovered_and_unset() {
    let server = Terminal::start();
    let set = ["attributes", "demo-1", "/3303/0/5700", "pmin=2", "gt=30.5"];
    assert_eq!(server.ok(&set), "2.04\n");
    let discover = ["discover", "demo-1", "/3303/0"];
    let row = ["/3303/0/5700", "gt=30.5", "pmin=2"];
    let links = server.ok(&discover);
    assert!(links.lines().any(|line| cells(line) == row), "{links}");
    assert_eq!(
        server.ok(&["attributes", "demo-1", "/3303/0/5700", "gt="]),
        "2.04\n"
    );
    let links = server.json(&discover);
    let link = json!({"path": "/3303/0/5700", "attributes": {"pmin": "2"}});
    assert!(
        links["links"].as_array().unwrap().contains(&link),
        "{links}"
    );
    server.fails(
        &["attributes", "demo-1", "/3303/0", "pmean=1"],
        "\"pmean\" is not an attribute",
    );
    for value in ["pmin=x", "gt=NaN", "gt=inf"] {
        server.fails(
            &["attributes", "demo-1", "/3303/0/5700", value],
            "is not NAME=NUMBER",
        );
    }
    server.fails(&["discover", "demo-1", "/99"], "4.04 Not Found");
}

#[test]
fn values_are_observed() {
    let server = Terminal::start();
    let observe = ["observe", "demo-1", "/3303/0/5700", "--count", "2"];
    let (code, output, errors) = server.run(&observe);
    assert_eq!(code, 0, "{errors}");
    assert!(
        errors.starts_with("observing /3303/0/5700 of demo-1"),
        "{errors}"
    );
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines.len(), 2, "{output}");
    for line in &lines {
        let cells = cells(line);
        assert_eq!((cells[0], cells[2]), ("/3303/0/5700", "at"), "{line}");
        cells[1].parse::<f64>().unwrap();
    }
    // It is still there, and is taken up again: its last values come at once.
    let url = format!("{}api/v1/devices/demo-1/observations", server.0.api);
    let count = || {
        let list: Value = ureq::get(&url)
            .call()
            .unwrap()
            .body_mut()
            .read_json()
            .unwrap();
        list["items"].as_array().unwrap().len()
    };
    assert_eq!(count(), 1);
    let (code, output, _) = server.run(&[
        "observe",
        "demo-1",
        "/3303/0/5700",
        "--count",
        "1",
        "--json",
    ]);
    assert_eq!((code, count()), (0, 1));
    let event: Value = serde_json::from_str(&output).unwrap();
    assert_eq!(event["endpoint"], "demo-1");
    assert_eq!(event["records"][0]["path"], "/3303/0/5700");
    assert!(event["time"].as_f64().unwrap() > 1.7e9, "{event}");
    assert_eq!(
        server.ok(&["observe", "demo-1", "/3303/0/5700", "--cancel"]),
        "/3303/0/5700 of demo-1 is no longer observed\n"
    );
    assert_eq!(count(), 0);
    server.fails(
        &["observe", "demo-1", "/3303/0/5700", "--cancel"],
        "is not observed",
    );
}

#[test]
fn a_refused_observation_ends_the_command_and_leaves_nothing() {
    let server = Terminal::start();
    let (code, output, errors) = server.run(&["observe", "demo-1", "/99"]);
    assert_eq!((code, output.as_str()), (1, ""));
    assert!(
        errors.contains("/99 of demo-1 cannot be observed"),
        "{errors}"
    );
    assert!(errors.contains("4.04"), "{errors}");
    server.fails(&["observe", "demo-1", "/99", "--cancel"], "is not observed");
}

#[test]
fn messages_are_traced() {
    let server = Terminal::start();
    server.ok(&["read", "demo-1", "/3/0/0"]);
    let trace = server.ok(&["trace", "demo-1"]);
    let has = |words: &str| assert!(trace.contains(words), "{words:?} is not in {trace}");
    has("<- CON POST /rd?ep=demo-1");
    has("-> CON GET /3/0/0\n");
    has("    | /3/0/0 Manufacturer = \"Dunlin\"\n");
    let items = server.json(&["trace", "demo-1"]);
    assert!(items["items"].as_array().unwrap().len() >= 4, "{items}");

    let file = std::env::temp_dir().join(format!("dunlin-trace-{}.pcap", std::process::id()));
    let name = file.to_str().unwrap();
    assert_eq!(server.ok(&["trace", "demo-1", "--pcap", name]), "");
    let capture = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(capture[..4], [0xA1, 0xB2, 0xC3, 0xD4]);
    server.fails(&["trace", "nobody"], "Unknown endpoint (404)");
    server.fails(
        &["trace", "nobody", "--pcap", "-"],
        "Unknown endpoint (404)",
    );
}

#[test]
fn new_messages_are_followed() {
    let server = Terminal::start();
    let mut child = server
        .0
        .command(&["trace", "demo-1", "--follow"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // Whatever came before is there at once; only then a new message is made.
    let mut wait_for = |words: &str| loop {
        let line = lines.next().expect("it goes on").unwrap();
        if line.contains(words) {
            return;
        }
    };
    wait_for("2.01 Created");
    server.ok(&["read", "demo-1", "/3/0/17"]);
    wait_for("CON GET /3/0/17");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_server_that_is_not_there_is_told_in_words() {
    let server = Terminal::start();
    server.fails(
        &["devices", "--api", "http://127.0.0.1:1"],
        "no server at http://127.0.0.1:1",
    );
    server.fails(
        &["devices", "--api", "nonsense"],
        "--api nonsense: not a URL",
    );
    server.fails(
        &["observe", "a", "/3", "--api", "http://127.0.0.1:1"],
        "no server at",
    );
    // Misuse is another kind of failure.
    let (code, _, errors) = server.run(&["read", "demo-1"]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("<PATH>"), "{errors}");
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let server = Terminal::start();
    let mut child = server
        .0
        .command(&["observe", "demo-1", "/3/0/13", "pmin=0", "pmax=1"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut first = [0; 1];
    output.read_exact(&mut first).unwrap();
    drop(output);
    let end = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        assert!(Instant::now() < end, "it writes to nobody");
        std::thread::sleep(Duration::from_millis(50));
    };
    let mut errors = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut errors)
        .unwrap();
    assert!(
        status.success() && !errors.contains("panicked"),
        "{status} {errors}"
    );
}

#[test]
fn images_are_kept_and_ordered() {
    let server = Terminal::start();
    let file = std::env::temp_dir().join(format!("dunlin-image-{}.bin", std::process::id()));
    std::fs::write(&file, b"abc").unwrap();
    let path = file.to_str().unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    assert_eq!(
        server.ok(&["firmware", "add", path]),
        format!("ba7816bf8f01cfea  {name}  3 B\n")
    );
    server.ok(&["firmware", "add", path, "--name", "abc"]);
    std::fs::remove_file(&file).unwrap();
    let list = server.ok(&["firmware", "list"]);
    let lines: Vec<Vec<&str>> = list.lines().map(cells).collect();
    assert_eq!(lines[0], ["IMAGE", "NAME", "SIZE", "ADDED"]);
    assert_eq!(lines[1][..4], ["ba7816bf8f01cfea", "abc", "3", "B"]);
    assert_eq!(lines.len(), 2, "the same bytes are the same image: {list}");

    server.fails(
        &["firmware", "update", "demo-1", "other"],
        "there is no image",
    );
    server.fails(
        &["firmware", "update", "nobody", "abc"],
        "Unknown endpoint (404)",
    );
    server.fails(&["firmware", "status", "demo-1"], "No update (404)");
    server.fails(&["firmware", "cancel", "demo-1"], "No update (404)");
    assert_eq!(
        server.json(&["firmware", "remove", "ba78"]),
        json!({"id": "ba7816bf8f01cfea"})
    );
    server.fails(&["firmware", "remove", "abc"], "there is no image");
}

#[test]
fn operations_are_queued_shown_and_cancelled() {
    let server = Terminal::start();
    // A device that is on answers at once, in its queue as well.
    assert_eq!(
        server.ok(&["read", "demo-1", "/3/0/0", "--queue", "--wait", "20"]),
        "/3/0/0  Dunlin\n"
    );
    let write = ["write", "demo-1", "/1/0/1", "70", "--queue", "--wait", "20"];
    assert_eq!(server.json(&write)["result"], json!({"code": "2.04"}));
    let refused = ["read", "demo-1", "/9999", "--queue", "--wait", "20"];
    server.fails(&refused, "4.04");
    // One that is away gets it later.
    let queued = server.ok(&[
        "exec",
        "meter 7",
        "/3/0/4",
        "--queue",
        "--ttl",
        "600",
        "--priority",
        "-2",
    ]);
    assert!(
        queued.starts_with("operation 4 is queued for meter 7;"),
        "{queued}"
    );
    let paths = ["read", "meter 7", "/3/0/0", "/1", "--queue"];
    assert_eq!(server.json(&paths)["paths"], json!(["/3/0/0", "/1"]));
    let list = server.ok(&["operations", "meter 7"]);
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(cells(lines[0])[..4], ["ID", "STATE", "OPERATION", "PATH"]);
    assert_eq!(
        cells(lines[1])[..6],
        ["5", "queued", "readComposite", "/3/0/0", "/1", "0"]
    );
    assert_eq!(
        cells(lines[2])[..5],
        ["4", "queued", "execute", "/3/0/4", "-2"]
    );
    let cancel = ["operations", "meter 7", "cancel", "4"];
    assert_eq!(server.ok(&cancel), "operation 4 is cancelled\n");
    server.fails(&cancel, "Too late (409)");
    let shown = server.ok(&["operations", "meter 7", "show", "4"]);
    for row in [
        "id 4",
        "operation execute",
        "state cancelled",
        "priority -2",
    ] {
        let row = cells(row);
        assert!(shown.lines().any(|line| cells(line) == row), "{shown}");
    }
    let done = server.ok(&["operations", "demo-1", "show", "1"]);
    assert!(done.ends_with("/3/0/0  Dunlin\n"), "{done}");
    let state = ["operations", "demo-1", "list", "--state", "failed"];
    assert_eq!(server.json(&state)["items"][0]["id"], "3");
    server.fails(&["operations", "nobody"], "Unknown endpoint");
    assert_eq!(server.ok(&["operations", "demo-1", "awake-time", "20"]), "");
    assert_eq!(server.json(&["show", "demo-1"])["awakeTime"], 20);
    assert_eq!(server.ok(&["operations", "demo-1", "awake-time"]), "");
    assert_eq!(server.json(&["show", "demo-1"])["awakeTime"], 93);
}

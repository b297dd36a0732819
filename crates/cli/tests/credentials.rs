//! `dunlin credentials` against the real binary.

mod demo;

use std::io::Write;
use std::process::Stdio;

use demo::Server;
use serde_json::Value;

const KEY: &str = "000102030405060708090a0b0c0d0e0f";

/// Exit code, standard output, standard error of a command with this standard input.
fn run(server: &Server, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = server.command(&[&["credentials"], arguments].concat());
    let piped = [Stdio::piped(), Stdio::piped(), Stdio::piped()];
    let [stdin, stdout, stderr] = piped;
    let mut child = command
        .stdin(stdin)
        .stdout(stdout)
        .stderr(stderr)
        .spawn()
        .unwrap();
    // A command that does not read it may have ended already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[track_caller]
fn ok(server: &Server, arguments: &[&str]) -> String {
    let (code, output, errors) = run(server, arguments, "");
    assert_eq!((code, errors.as_str()), (0, ""), "{arguments:?}: {output}");
    output
}

#[track_caller]
fn fails(server: &Server, arguments: &[&str], words: &str) {
    let (code, output, errors) = run(server, arguments, "");
    assert_eq!((code, output.as_str()), (1, ""), "{arguments:?}: {errors}");
    assert!(errors.contains(words), "{words:?} is not in {errors}");
}

/// The cell of a row that begins with `name`.
#[track_caller]
fn cell(output: &str, name: &str) -> String {
    let row = output.lines().find_map(|line| line.strip_prefix(name));
    row.unwrap_or_else(|| panic!("{name:?} is not in {output}"))
        .trim()
        .to_owned()
}

#[test]
fn credentials_are_added_listed_rotated_and_removed() {
    let server = Server::start(0);
    let made = ok(&server, &["add", "dev-1"]);
    let key = cell(&made, "key");
    assert_eq!(key.len(), 32, "{made}");
    assert!(made.ends_with("The key is not shown again.\n"), "{made}");
    assert_eq!(cell(&made, "identity"), "dev-1");

    let (code, output, errors) = run(
        &server,
        &["add", "dev-2", "--identity", "two", "--key", "-"],
        &format!("{KEY}\n"),
    );
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(!output.contains(KEY), "who gives a key knows it: {output}");

    let pem = ok(&server, &["server", "--pem"]);
    let file = std::env::temp_dir().join(format!("dunlin-credentials-{}.pem", std::process::id()));
    std::fs::write(&file, pem).unwrap();
    ok(&server, &["add", "dev-3", "--rpk", file.to_str().unwrap()]);
    std::fs::remove_file(&file).unwrap();
    let own = ok(&server, &["server"]);
    let hash = cell(&own, "SHA-256");

    let list = ok(&server, &["list"]);
    let rows: Vec<Vec<&str>> = list
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(
        rows[0],
        ["ID", "ENDPOINT", "MODE", "IDENTITY", "CREATED", "ROTATED"]
    );
    assert_eq!(rows[1][..4], ["1", "dev-1", "psk", "dev-1"]);
    assert_eq!(rows[2][..4], ["2", "dev-2", "psk", "two"]);
    assert_eq!(rows[3][..5], ["3", "dev-3", "rpk", "sha256", &hash[..16]]);
    assert_eq!(rows[4], ["3", "of", "3", "credentials"]);
    assert!(!list.contains(&key));
    let found: Value = serde_json::from_str(&ok(&server, &["list", "TWO", "--json"])).unwrap();
    assert_eq!(found["items"][0]["endpoint"], "dev-2");
    assert_eq!(found["total"], 1);

    let rotated = ok(&server, &["rotate", "dev-1"]);
    assert_ne!(cell(&rotated, "key"), key);
    let short = ok(&server, &["rotate", "2", "--key", "00"]);
    assert!(short.contains("Warning: the key has 1 bytes"), "{short}");
    fails(
        &server,
        &["rotate", "dev-3"],
        "Another kind of credential (409)",
    );
    ok(&server, &["remove", "dev-1"]);
    fails(
        &server,
        &["remove", "dev-1"],
        "there is no credential of \"dev-1\"",
    );
    fails(&server, &["remove", "1"], "There is no credential \"1\"");
    ok(&server, &["add", "dev-2", "--identity", "more"]);
    fails(
        &server,
        &["remove", "dev-2"],
        "has 2 credentials; name one by its number: 2, 4",
    );
    fails(
        &server,
        &["add", "dev-5", "--key", "0g"],
        "'g' at character 2",
    );
    fails(
        &server,
        &["add", "dev-5", "--x509", "/no/such/file"],
        "reading /no/such/file",
    );
}

#[test]
fn a_file_is_imported_with_a_report() {
    let server = Server::start(0);
    let file = format!("dev-1,one,{KEY}\ndev-2,one,{KEY}\ndev-3,,xyz\ndev-4\n");
    let (code, output, errors) = run(&server, &["import", "-"], &file);
    assert_eq!(code, 1, "some lines are wrong");
    assert!(errors.contains("2 lines were not taken"), "{errors}");
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[0], "line 1: dev-1 is credential 1");
    assert!(
        lines[1].starts_with("line 2: this PSK identity is that of credential 1"),
        "{output}"
    );
    assert_eq!(
        lines[2],
        "line 3: psk.key: 'x' at character 1 is no hexadecimal digit"
    );
    assert!(
        lines[3].starts_with("line 4: dev-4 is credential 2, key "),
        "{output}"
    );
    assert_eq!(lines[4], "2 added, 2 not taken");
    let (code, output, _) = run(&server, &["import", "-", "--errors"], "dev-9,nine,00\n");
    assert_eq!((code, output.as_str()), (0, "1 added, 0 not taken\n"));
}

#[test]
fn authorities_and_the_servers_own_key_come_from_files() {
    let server = Server::start(0);
    let file = |name: &str| {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../server/tests/certificates/");
        format!("{folder}{name}")
    };
    let added = ok(&server, &["trust", "add", &file("authority.pem")]);
    assert!(added.contains("Dunlin test authority"), "{added}");
    assert_eq!(ok(&server, &["trust", "list"]), added);
    fails(
        &server,
        &["trust", "add", &file("device.pem")],
        "key usage forbids",
    );
    ok(&server, &["trust", "remove", "1"]);
    fails(&server, &["trust", "remove", "1"], "There is no authority");
    let before = ok(&server, &["server"]);
    let (key, chain) = (file("server.key.pem"), file("server.pem"));
    let own = ok(
        &server,
        &["server", "--key", &key, "--certificates", &chain],
    );
    assert_ne!(cell(&own, "SHA-256"), cell(&before, "SHA-256"));
    assert!(own.contains("-----BEGIN CERTIFICATE-----"), "{own}");
    assert!(own.ends_with("started again.\n"), "{own}");
    let wrong = file("device.pem");
    let arguments = ["server", "--key", &key, "--certificates", &wrong];
    fails(
        &server,
        &arguments,
        "does not belong to the first certificate",
    );
    ok(&server, &["add", "dev-9", "--x509", &wrong]);
    assert!(ok(&server, &["list"]).contains("x509"));
}

/// The demo device of 1.2 connects over DTLS, with a credential of its own.
#[test]
fn rotation_ends_the_session_and_the_old_key_does_not_come_back() {
    let server = Server::start(3);
    let show = || server.command(&["show", "demo-2"]).output().unwrap();
    let shown = String::from_utf8(show().stdout).unwrap();
    assert_eq!(cell(&shown, "security"), "psk demo-2");
    ok(&server, &["rotate", "demo-2"]);
    let end = std::time::Instant::now() + demo::PATIENCE;
    while show().status.success() {
        assert!(std::time::Instant::now() < end, "it is registered still");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let read = server
        .command(&["read", "demo-1", "/3/0/0"])
        .output()
        .unwrap();
    assert!(read.status.success(), "others go on: {read:?}");
}

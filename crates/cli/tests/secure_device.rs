//! `dunlin device` at `coaps://`, against `dunlin serve`, over real sockets: keys, another port, sleep,
//! `kill -9`.

mod folder;
mod secure;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use dunlin_dtls::KeyPair;
use dunlin_net::OsRng;
use folder::Folder;
use secure::Server;
use serde_json::{Value, json};

/// How long anything may take that should happen.
const PATIENCE: Duration = Duration::from_secs(30);
const KEY: &str = "00112233445566778899aabbccddeeff";

fn start(options: &[&str]) -> Server {
    let mut all: Vec<&OsStr> = ["--memory", "--shards", "1"].map(OsStr::new).to_vec();
    all.extend(options.iter().map(OsStr::new));
    Server::start("127.0.0.1:0", &all)
}

fn get(server: &Server, path: &str) -> Value {
    let url = format!("{}api/v1/{path}", server.api);
    let mut answer = ureq::get(&url).call().unwrap();
    serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
}

/// Full handshakes, and short ones.
fn handshakes(server: &Server) -> (f64, f64) {
    let of = |kind: &str| {
        server.metric(&format!(
            "dunlin_dtls_handshakes_completed_total{{kind=\"{kind}\"}}"
        ))
    };
    (of("full"), of("resumed"))
}

/// The device, its shell and what it says.
struct Device {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Device {
    fn start(server: &Server, endpoint: &str, options: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dunlin"))
            .args(["device", "--endpoint", endpoint, "--server"])
            .arg(format!("coaps://{}", server.coaps))
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            stdin: child.stdin.take(),
            child,
            lines,
        }
    }

    fn say(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
        stdin.flush().unwrap();
    }

    /// The next line with these words; those before it are passed over.
    #[track_caller]
    fn expect(&self, words: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(words) => return line,
                Ok(line) => seen.push(line),
                Err(error) => panic!("{error} without {words:?}: {seen:?}"),
            }
        }
    }

    /// The shell's answer to `session`.
    #[track_caller]
    fn session(&mut self) -> String {
        self.say("session");
        self.expect("server 1 coaps://")
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn file(folder: &Folder, name: &str, content: &[u8]) -> String {
    let path = folder.0.join(name);
    std::fs::write(&path, content).unwrap();
    text(&path)
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

fn psk(server: &Server, endpoint: &str) -> String {
    server.credential(&json!({
        "endpoint": endpoint,
        "psk": { "identity": endpoint, "key": KEY },
    }));
    format!("{endpoint}:{KEY}")
}

#[test]
fn a_session_goes_on_over_ports_sleep_and_a_kill() {
    let server = start(&[]);
    let psk = psk(&server, "sec-1");
    let folder = Folder::new("secure-device-psk");
    let state = text(&folder.0.join("state"));
    let options = ["--psk", psk.as_str(), "--state", state.as_str()];

    let mut device = Device::start(&server, "sec-1", &options);
    device.expect("connected: full handshake");
    device.expect("registered as sec-1 at coaps://");
    let session = device.session();
    for words in [
        "up, TLS_PSK_WITH_AES_128_CCM_8",
        "connection id",
        "can be resumed",
    ] {
        assert!(session.contains(words), "{session}");
    }
    let shown = get(&server, "devices/sec-1");
    assert_eq!(shown["security"]["mode"], "psk", "{shown}");

    // Another port: an Update over the same session.
    device.say("rebind");
    device.expect("the session goes on by its connection id");
    device.expect("updated");
    assert_eq!(handshakes(&server), (1.0, 0.0));

    // Killed, and started again: the session goes on from numbers that were claimed before.
    device.child.kill().unwrap();
    device.child.wait().unwrap();
    let mut device = Device::start(&server, "sec-1", &options);
    device.expect("connected: session kept, no handshake");
    device.expect("registered as sec-1 at coaps://");
    assert_eq!(handshakes(&server), (1.0, 0.0));

    // Asleep, and started again.
    device.say("sleep");
    device.expect("asleep");
    assert!(device.child.wait().unwrap().success());
    let mut device = Device::start(&server, "sec-1", &options);
    device.expect("connected: session kept, no handshake");
    device.expect("registered as sec-1 at coaps://");
    assert_eq!(handshakes(&server), (1.0, 0.0));

    // Whoever leaves closes the session, and resumes it on the way back.
    device.say("quit");
    device.expect("deregistered");
    assert!(device.child.wait().unwrap().success());
    let device = Device::start(&server, "sec-1", &options);
    device.expect("connected: session resumed");
    device.expect("registered as sec-1 at coaps://");
    assert_eq!(handshakes(&server), (1.0, 1.0));
}

#[test]
fn raw_public_keys_on_both_sides() {
    let server = start(&[]);
    let key = KeyPair::generate(&mut OsRng::new()).unwrap();
    let folder = Folder::new("secure-device-rpk");
    let private = file(&folder, "device.der", &key.to_der());
    let public: String = key
        .public_key()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    server.credential(&json!({ "endpoint": "sec-2", "rpk": { "publicKey": public } }));
    let pem = Command::new(env!("CARGO_BIN_EXE_dunlin"))
        .args(["credentials", "server", "--pem"])
        .env("DUNLIN_API", &server.api)
        .output()
        .unwrap();
    let server_key = file(&folder, "server.pub", &pem.stdout);
    let options = ["--rpk", &private, "--server-key", &server_key];
    let mut device = Device::start(&server, "sec-2", &options);
    device.expect("registered as sec-2 at coaps://");
    let session = device.session();
    assert!(
        session.contains("TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8"),
        "{session}"
    );
    assert_eq!(get(&server, "devices/sec-2")["security"]["mode"], "rpk");
    // A server with another key is none.
    let other = KeyPair::generate(&mut OsRng::new()).unwrap();
    let other = file(&folder, "other.pub", other.public_key());
    let options = ["--rpk", &private, "--server-key", &other, "--once"];
    let mut device = Device::start(&server, "sec-2", &options);
    device.expect("the device refuses the server");
    assert!(!device.child.wait().unwrap().success());
}

#[test]
fn a_key_that_the_server_does_not_know() {
    let server = start(&[]);
    psk(&server, "sec-3");
    let wrong = "sec-3:ffffffffffffffffffffffffffffffff";
    let mut device = Device::start(&server, "sec-3", &["--psk", wrong, "--once"]);
    device.expect("connection failed: ");
    assert!(!device.child.wait().unwrap().success());
    // Of a name that is not its own a device cannot speak (Core 1.2 §6.2.1).
    let right = format!("sec-3:{KEY}");
    let mut device = Device::start(&server, "sec-4", &["--psk", &right, "--once"]);
    device.expect("registration failed: 4.00");
    assert!(!device.child.wait().unwrap().success());
}

/// Where nobody is let in without security the demo devices have keys.
#[test]
fn demo_devices_have_keys() {
    let server = start(&["--demo", "3"]);
    let end = std::time::Instant::now() + PATIENCE;
    while get(&server, "devices")["total"] != 3 {
        assert!(std::time::Instant::now() < end, "they do not register");
        std::thread::sleep(Duration::from_millis(50));
    }
    for name in ["demo-1", "demo-2", "demo-3"] {
        let shown = get(&server, &format!("devices/{name}"));
        assert_eq!(shown["security"]["mode"], "psk", "{shown}");
        assert_eq!(shown["security"]["identity"], name, "{shown}");
    }
    assert_eq!(handshakes(&server), (3.0, 0.0));
}

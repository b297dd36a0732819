//! `dunlin device` at `coaps://`, against `dunlin serve`, over real sockets: keys, another port, sleep,
//! `kill -9`.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use dunlin_dtls::KeyPair;
use dunlin_net::OsRng;
use serde_json::{Value, json};

/// How long anything may take that should happen.
const PATIENCE: Duration = Duration::from_secs(30);
const KEY: &str = "00112233445566778899aabbccddeeff";

struct Server {
    child: Child,
    coaps: SocketAddr,
    api: String,
}

impl Server {
    fn start() -> Self {
        Self::with(&[])
    }

    fn with(options: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dunlin"))
            .args(["serve", "--memory", "--no-coap", "--coaps", "127.0.0.1:0"])
            .args(["--http", "127.0.0.1:0", "--shards", "1"])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = |prefix: &str| {
            lines
                .by_ref()
                .map(Result::unwrap)
                .find_map(|line| Some(line.strip_prefix(prefix)?.to_owned()))
                .unwrap_or_else(|| panic!("the server ended without {prefix:?}"))
        };
        let coaps = line("CoAPS    coaps://").parse().unwrap();
        let api = line("Console  ");
        Self { child, coaps, api }
    }

    fn credential(&self, new: &Value) {
        let url = format!("{}api/v1/credentials", self.api);
        let answer = ureq::post(&url).send(new.to_string());
        answer.unwrap_or_else(|error| panic!("{new}: {error}"));
    }

    fn get(&self, path: &str) -> Value {
        let url = format!("{}api/v1/{path}", self.api);
        let mut answer = ureq::get(&url).call().unwrap();
        serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
    }

    /// Full handshakes, and short ones.
    fn handshakes(&self) -> (f64, f64) {
        let mut answer = ureq::get(format!("{}metrics", self.api)).call().unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        let sum = |kind: &str| -> f64 {
            let begin = format!("dunlin_dtls_handshakes_completed_total{{kind=\"{kind}\"}}");
            let samples = text.lines().filter(|line| line.starts_with(&begin));
            samples
                .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
                .sum()
        };
        (sum("full"), sum("resumed"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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

/// A folder that goes away at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(what: &str) -> Self {
        let name = format!("dunlin-secure-device-{what}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        text(&path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
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
    let server = Server::start();
    let psk = psk(&server, "sec-1");
    let folder = Folder::new("psk");
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
    let shown = server.get("devices/sec-1");
    assert_eq!(shown["security"]["mode"], "psk", "{shown}");

    // Another port: an Update over the same session.
    device.say("rebind");
    device.expect("the session goes on by its connection id");
    device.expect("updated");
    assert_eq!(server.handshakes(), (1.0, 0.0));

    // Killed, and started again: the session goes on from numbers that were claimed before.
    device.child.kill().unwrap();
    device.child.wait().unwrap();
    let mut device = Device::start(&server, "sec-1", &options);
    device.expect("connected: session kept, no handshake");
    device.expect("registered as sec-1 at coaps://");
    assert_eq!(server.handshakes(), (1.0, 0.0));

    // Asleep, and started again.
    device.say("sleep");
    device.expect("asleep");
    assert!(device.child.wait().unwrap().success());
    let mut device = Device::start(&server, "sec-1", &options);
    device.expect("connected: session kept, no handshake");
    device.expect("registered as sec-1 at coaps://");
    assert_eq!(server.handshakes(), (1.0, 0.0));

    // Whoever leaves closes the session, and resumes it on the way back.
    device.say("quit");
    device.expect("deregistered");
    assert!(device.child.wait().unwrap().success());
    let device = Device::start(&server, "sec-1", &options);
    device.expect("connected: session resumed");
    device.expect("registered as sec-1 at coaps://");
    assert_eq!(server.handshakes(), (1.0, 1.0));
}

#[test]
fn raw_public_keys_on_both_sides() {
    let server = Server::start();
    let key = KeyPair::generate(&mut OsRng::new()).unwrap();
    let folder = Folder::new("rpk");
    let private = folder.file("device.der", &key.to_der());
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
    let server_key = folder.file("server.pub", &pem.stdout);
    let options = ["--rpk", &private, "--server-key", &server_key];
    let mut device = Device::start(&server, "sec-2", &options);
    device.expect("registered as sec-2 at coaps://");
    let session = device.session();
    assert!(
        session.contains("TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8"),
        "{session}"
    );
    assert_eq!(server.get("devices/sec-2")["security"]["mode"], "rpk");
    // A server with another key is none.
    let other = KeyPair::generate(&mut OsRng::new()).unwrap();
    let other = folder.file("other.pub", other.public_key());
    let options = ["--rpk", &private, "--server-key", &other, "--once"];
    let mut device = Device::start(&server, "sec-2", &options);
    device.expect("the device refuses the server");
    assert!(!device.child.wait().unwrap().success());
}

#[test]
fn a_key_that_the_server_does_not_know() {
    let server = Server::start();
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
    let server = Server::with(&["--demo", "3"]);
    let end = std::time::Instant::now() + PATIENCE;
    while server.get("devices")["total"] != 3 {
        assert!(std::time::Instant::now() < end, "they do not register");
        std::thread::sleep(Duration::from_millis(50));
    }
    for name in ["demo-1", "demo-2", "demo-3"] {
        let shown = server.get(&format!("devices/{name}"));
        assert_eq!(shown["security"]["mode"], "psk", "{shown}");
        assert_eq!(shown["security"]["identity"], name, "{shown}");
    }
    assert_eq!(server.handshakes(), (3.0, 0.0));
}

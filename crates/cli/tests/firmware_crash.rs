//! Firmware updates with the real server and a real device, over restarts of the server without
//! warning.

mod folder;

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use folder::Folder;
use serde_json::Value;

/// How long anything may take that should happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that is killed without warning at the end.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Server {
    process: Process,
    /// As in `http://127.0.0.1:8080/`.
    api: String,
}

impl Server {
    fn start(folder: &Path, coap: u16) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dunlin"))
            .args(["serve", "--coap", &format!("127.0.0.1:{coap}")])
            .args(["--http", "127.0.0.1:0", "--shards", "2", "--data"])
            .arg(folder.join("data"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let api = lines
            .find_map(|line| Some(line.unwrap().strip_prefix("Console  ")?.to_owned()))
            .expect("the server tells where its console is");
        Self {
            process: Process(child),
            api,
        }
    }

    /// `kill -9`, and started again.
    fn restart(mut self, folder: &Path, coap: u16) -> Self {
        self.process.0.kill().unwrap();
        self.process.0.wait().unwrap();
        Self::start(folder, coap)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
        command.args(arguments).env("DUNLIN_API", &self.api);
        command.env_remove("RUST_LOG").stdin(Stdio::null());
        command
    }

    fn json(&self, arguments: &[&str]) -> Option<Value> {
        let output = self
            .command(&[arguments, &["--json"]].concat())
            .output()
            .unwrap();
        serde_json::from_slice(&output.stdout).ok()
    }

    fn until(&self, words: &str, is: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            let status = self.json(&["firmware", "status", "fw-1"]);
            if let Some(status) = status.as_ref().filter(|status| is(status)) {
                return status.clone();
            }
            assert!(Instant::now() < end, "{words}: it stays {status:?}");
        }
    }
}

fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().port()
}

fn device(folder: &Path, coap: u16, server: &Server) -> Process {
    let child = Command::new(env!("CARGO_BIN_EXE_dunlin"))
        .args(["device", "--endpoint", "fw-1", "--no-shell"])
        .args(["--bind", "127.0.0.1:0", "--lifetime", "600"])
        .args(["--server", &format!("coap://127.0.0.1:{coap}")])
        .arg("--firmware")
        .arg(folder.join("flash"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let device = Process(child);
    let end = Instant::now() + PATIENCE;
    while server.json(&["show", "fw-1"]).is_none() {
        assert!(Instant::now() < end, "the device does not register");
        std::thread::sleep(Duration::from_millis(50));
    }
    device
}

/// An image that tells its name and version to `dunlin device`.
fn image(folder: &Path, size: usize) -> PathBuf {
    let mut bytes = b"dunlin-firmware pump 2.0\n".to_vec();
    bytes.extend((bytes.len()..size).map(|at| (at / 3) as u8));
    let file = folder.join("pump-2.0.bin");
    std::fs::write(&file, bytes).unwrap();
    file
}

/// `size` must be so large that there is a middle.
fn killed_in_the_middle(method: &str, size: usize) {
    let folder = Folder::new(&format!("firmware-{method}"));
    let coap = free_port();
    let mut server = Server::start(&folder.0, coap);
    let _device = device(&folder.0, coap, &server);
    let image = image(&folder.0, size);
    let flag = format!("--{method}");
    let update = ["firmware", "update", "fw-1", image.to_str().unwrap(), &flag];
    let begun = server.json(&update).expect("begun");
    assert_eq!(begun["method"], method, "{begun}");
    let sent = |status: &Value| status["sent"].as_u64().unwrap() as usize;
    for _ in 0..2 {
        let before = sent(&server.until("some", |status| sent(status) > 0));
        assert!(before < size, "it was too fast to be killed in the middle");
        server = server.restart(&folder.0, coap);
    }
    let done = server.until("done", |status| !status["finishedAt"].is_null());
    assert_eq!(done["state"], "done", "{done}");
    assert_eq!(done["sent"], size, "{done}");
    assert_eq!(done["result"], 1, "{done}");
    assert_eq!(done["versionAfter"], "2.0", "{done}");
}

#[test]
fn a_server_killed_in_the_middle_of_a_push_goes_on() {
    killed_in_the_middle("push", 1 << 20);
}

#[test]
fn a_server_killed_in_the_middle_of_a_pull_goes_on() {
    killed_in_the_middle("pull", 12 << 20);
}

#[test]
fn an_update_is_shown_to_its_end() {
    let folder = Folder::new("firmware-wait");
    let coap = free_port();
    let server = Server::start(&folder.0, coap);
    let _device = device(&folder.0, coap, &server);
    let file = folder.0.join("broken.bin");
    std::fs::write(
        &file,
        b"dunlin-firmware pump 2.0 00000000\nnot what it says",
    )
    .unwrap();
    let update = [
        "firmware",
        "update",
        "fw-1",
        file.to_str().unwrap(),
        "--wait",
    ];
    let output = server.command(&update).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains("failed: the device: integrity check failed"),
        "{errors}"
    );

    let file = folder.0.join("good.bin");
    std::fs::write(&file, b"dunlin-firmware pump 2.0\nas it should be").unwrap();
    let good = file.to_str().unwrap();
    let download = [
        "firmware",
        "update",
        "fw-1",
        good,
        "--pull",
        "--no-install",
        "--wait",
    ];
    let output = server.command(&download).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, "downloaded; it is not installed\n");
    let install = ["firmware", "update", "fw-1", "good.bin", "--wait"];
    let output = server.command(&install).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("installed; "), "{text}");
    assert!(text.ends_with("and is 2.0\n"), "{text}");
}

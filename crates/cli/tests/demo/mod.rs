//! The real binary with demo devices, for tests of what people type.
#![allow(missing_docs, unreachable_pub, reason = "tests")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long anything may take that should happen.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A server with demo devices, all registered.
pub struct Server {
    child: Child,
    /// As in `http://127.0.0.1:8080/`.
    pub api: String,
}

impl Server {
    pub fn start(demo: usize) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dunlin"))
            .args(["serve", "--demo", &demo.to_string(), "--memory"])
            .args(["--coap", "127.0.0.1:0", "--http", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let api = lines
            .find_map(|line| Some(line.unwrap().strip_prefix("Console  ")?.to_owned()))
            .expect("the server tells where its console is");
        let server = Self { child, api };
        let end = Instant::now() + PATIENCE;
        while server.devices() != demo {
            assert!(Instant::now() < end, "the demo devices do not register");
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// A `dunlin` command that goes to this server.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dunlin"));
        command.args(arguments).env("DUNLIN_API", &self.api);
        command.env_remove("RUST_LOG").stdin(Stdio::null());
        command
    }

    fn devices(&self) -> usize {
        let list = self.command(&["devices", "--json"]).output().unwrap();
        let list: Value = serde_json::from_slice(&list.stdout).unwrap();
        list["items"].as_array().unwrap().len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

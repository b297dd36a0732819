//! The real binary as a server for devices with DTLS.
#![allow(missing_docs, unreachable_pub, reason = "tests")]

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// The server process; it is killed without warning at the end.
pub struct Server {
    child: Child,
    pub coaps: SocketAddr,
    /// As in `http://127.0.0.1:8080/`.
    pub api: String,
}

impl Server {
    pub fn start(coaps: &str, options: &[&OsStr]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dunlin"))
            .args(["serve", "--no-coap", "--coaps", coaps])
            .args(["--http", "127.0.0.1:0"])
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

    pub fn credential(&self, new: &Value) {
        let url = format!("{}api/v1/credentials", self.api);
        let answer = ureq::post(&url).send(new.to_string());
        answer.unwrap_or_else(|error| panic!("{new}: {error}"));
    }

    /// The sum of the samples whose name and labels begin so.
    pub fn metric(&self, name: &str) -> f64 {
        let mut answer = ureq::get(format!("{}metrics", self.api)).call().unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        let samples = text.lines().filter(|line| line.starts_with(name));
        let values: Vec<f64> = samples
            .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
            .collect();
        assert!(!values.is_empty(), "no {name} in {text}");
        values.iter().sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

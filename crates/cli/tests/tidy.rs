//! The house rules of ARCHITECTURE.md, section "Invariants about what is absent".

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// All files below `folder` with this ending, with their text.
fn sources(folder: &str, ending: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, ending: &str, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}")) {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "target" && name != "node_modules" && name != "assets" {
                    walk(&path, ending, found);
                }
            } else if name.ends_with(ending) {
                found.push((
                    path.display().to_string(),
                    fs::read_to_string(&path).unwrap(),
                ));
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), ending, &mut found);
    assert!(
        !found.is_empty(),
        "no {ending} files below {folder}: the test would prove nothing"
    );
    found
}

/// The lines of a source without comments and without the tests at its end. A `mod tests;` for a
/// file of its own may stand anywhere, so what follows it counts.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default()
        .lines()
        .enumerate()
        .map(|(number, line)| (number + 1, line.split("//").next().unwrap_or_default()))
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("/tests/") || path.contains("/benches/")
}

/// Fails naming every line of code below `folders` that holds one of `words`.
fn forbid(folders: &[&str], words: &[&str]) {
    let mut findings = Vec::new();
    for folder in folders {
        for (path, text) in sources(folder, ".rs") {
            if is_test_file(&path) {
                continue;
            }
            for (number, line) in code(&text) {
                findings.extend(
                    words
                        .iter()
                        .filter(|word| line.contains(**word))
                        .map(|word| format!("{path}:{number} has {word:?}")),
                );
            }
        }
    }
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

const IO: [&str; 13] = [
    "std::time",
    "std::thread",
    "UdpSocket",
    "TcpStream",
    "SystemTime",
    "tokio",
    "getrandom",
    "dunlin_net",
    "rusqlite",
    "std::env",
    "std::fs",
    "println!",
    "tracing::",
];

#[test]
fn engines_touch_no_socket_clock_thread_or_random_source() {
    forbid(
        &[
            "crates/coap/src",
            "crates/dtls/src",
            "crates/client/src",
            "crates/server/src/shard",
        ],
        &IO,
    );
    // The loader of object definitions takes text; reading files is the caller's.
    forbid(&["crates/lwm2m/src"], &IO);
}

#[test]
fn only_http_and_its_client_know_json() {
    let folders = ["coap", "dtls", "lwm2m", "client", "server", "net"]
        .map(|name| format!("crates/{name}/src"));
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    forbid(&folders, &["serde", "Serialize", "axum::"]);
}

#[test]
fn unsafe_stands_in_net_alone() {
    for (path, text) in sources("crates", ".rs") {
        if path.contains("crates/net/") || path.ends_with("tidy.rs") {
            continue;
        }
        for (number, line) in code(&text) {
            let found = line.contains("unsafe {")
                || line.contains("unsafe fn")
                || line.contains("unsafe impl");
            // A test that counts allocations needs an allocator of its own.
            assert!(
                !found || is_test_file(&path),
                "{path}:{number} has unsafe code"
            );
        }
    }
    let manifests = sources("crates", "Cargo.toml");
    let exceptions: Vec<_> = manifests
        .iter()
        .filter(|(_, text)| !text.contains("[lints]\nworkspace = true"))
        .map(|(path, _)| path)
        .collect();
    assert!(
        exceptions.iter().all(|path| path.contains("crates/net/")),
        "only net may have lints of its own: {exceptions:?}"
    );
}

#[test]
fn arrows_point_down() {
    // From bottom to top; a crate may depend on those before it.
    let order = [
        "coap", "dtls", "lwm2m", "net", "client", "server", "http", "sim", "cli",
    ];
    for (index, name) in order.iter().enumerate() {
        let path = root().join("crates").join(name).join("Cargo.toml");
        let manifest = fs::read_to_string(&path).unwrap();
        let dependencies = manifest
            .split("[dependencies]")
            .nth(1)
            .and_then(|rest| rest.split("\n[").next())
            .unwrap_or_default();
        let depends_on = |other: &str| {
            dependencies.lines().any(|line| {
                let package = line.split(['.', ' ', '=']).next().unwrap_or_default();
                package.strip_prefix("dunlin-") == Some(other)
            })
        };
        for above in &order[index..] {
            assert!(
                !depends_on(above),
                "{name} depends on {above}, which is above it"
            );
        }
        // Everything but the message layer itself stands on it; else the test would prove nothing.
        let is_on_coap = ["dtls", "lwm2m", "net", "client", "server", "sim"].contains(name);
        assert!(
            !is_on_coap || depends_on("coap"),
            "no dependencies of {name} were found"
        );
    }
    let client = fs::read_to_string(root().join("crates/client/Cargo.toml")).unwrap();
    assert!(
        !client.contains("dunlin-server"),
        "a device needs no server"
    );
}

#[test]
fn no_source_is_longer_than_800_lines() {
    for folder in ["crates", "console/src"] {
        for ending in [".rs", ".ts", ".tsx", ".css"] {
            if folder == "crates" && ending != ".rs" || folder != "crates" && ending == ".rs" {
                continue;
            }
            for (path, text) in sources(folder, ending) {
                let lines = text.lines().count();
                // What a generator writes is a table, not a job.
                if text.contains("//! Generated from the files in `objects/`; do not edit") {
                    continue;
                }
                assert!(lines <= 800, "{path} has {lines} lines; split it by jobs");
            }
        }
    }
}

#[test]
fn crates_say_what_they_are() {
    for (path, text) in sources("crates", "lib.rs") {
        assert!(text.starts_with("//!"), "{path} has no crate documentation");
    }
}

/// The targets of the links of a page, without those that stand in code blocks or lead elsewhere.
fn links(page: &str) -> Vec<&str> {
    page.split("```")
        .step_by(2)
        .flat_map(|prose| prose.split("](").skip(1))
        .filter_map(|rest| rest.split([')', '#']).next())
        .filter(|target| !target.is_empty() && !target.contains("://"))
        .collect()
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut pages = sources("docs/src", ".md");
    for page in [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ] {
        let path = root().join(page);
        let text = fs::read_to_string(&path).unwrap();
        pages.push((path.display().to_string(), text));
    }
    let mut checked = 0;
    for (path, text) in &pages {
        let folder = Path::new(path).parent().unwrap();
        for target in links(text) {
            assert!(
                folder.join(target).exists(),
                "{path} links to {target}, which is not there"
            );
            checked += 1;
        }
    }
    assert!(checked > 20, "only {checked} links were found");
}

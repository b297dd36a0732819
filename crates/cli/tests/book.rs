//! What the book says to type works as printed.

mod demo;

use std::io::{BufRead, BufReader};
use std::path::Path;

use demo::Server;

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src");
    std::fs::read_to_string(path.join(name)).unwrap()
}

/// The lines of code blocks that begin with `command`.
fn commands<'a>(page: &'a str, command: &'a str) -> Vec<&'a str> {
    let blocks = page.split("```").skip(1).step_by(2);
    let lines: Vec<&str> = blocks
        .flat_map(str::lines)
        .filter(|line| line.split(' ').next() == Some(command))
        .collect();
    assert!(lines.len() > 5, "{lines:?}: the test would prove nothing");
    lines
}

/// The words of a line for a shell, without its comment.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for character in line.chars() {
        match (quote, character) {
            (None, '\'' | '"') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            (None, '#') => break,
            (None, ' ') => words.push(String::new()),
            _ => words.last_mut().unwrap().push(character),
        }
    }
    assert_eq!(quote, None, "{line}");
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn the_commands_of_the_quick_start() {
    let server = Server::start(3);
    for line in commands(&page("quick-start.md"), "dunlin") {
        let words = words(line);
        let mut arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        match arguments[0] {
            // Both have tests of their own, and do not end.
            "serve" | "device" => continue,
            "observe" => arguments.extend(["--count", "1"]),
            _ => {}
        }
        let output = server.command(&arguments).output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        assert!(!output.stdout.is_empty(), "{line}");
    }
}

#[test]
fn the_commands_about_credentials() {
    let server = Server::start(0);
    let mut keys = Vec::new();
    for line in commands(&page("credentials.md"), "dunlin") {
        let words = words(line);
        let arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        // Files that a reader has.
        if arguments.iter().any(|word| word.ends_with(".pem")) {
            continue;
        }
        let mut command = server.command(&arguments);
        if arguments.ends_with(&["import", "devices.csv"]) {
            let page = page("credentials.md");
            let file = page.split("```csv\n").nth(1).unwrap();
            let file = file.split("```").next().unwrap();
            let path = std::env::temp_dir().join(format!("dunlin-book-{}", std::process::id()));
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join("devices.csv"), file).unwrap();
            command.current_dir(path);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(!text.is_empty(), "{line}");
        keys.extend(
            text.lines()
                .find_map(|line| line.strip_prefix("key "))
                .map(str::to_owned),
        );
    }
    assert_eq!(
        keys.len(),
        2,
        "drawn when it was added, and when it was rotated"
    );
}

#[test]
fn the_requests_of_the_rest_guide() {
    let server = Server::start(3);
    let api = format!("{}api/v1", server.api);
    for line in commands(&page("rest-guide.md"), "curl") {
        let (mut method, mut url, mut body, mut is_endless) = ("GET", None, None, false);
        let words = words(line);
        let mut rest = words[1..].iter();
        while let Some(word) = rest.next() {
            match word.as_str() {
                "-X" => method = rest.next().unwrap(),
                "-d" => body = rest.next(),
                "-o" => {
                    rest.next();
                }
                "-N" => is_endless = true,
                word => {
                    let word = word.replace("$API", &api);
                    let word = word.replace("http://127.0.0.1:8080/", &server.api);
                    assert!(url.replace(word).is_none(), "{line}");
                }
            }
        }
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(url.unwrap())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.cloned().unwrap_or_default())
            .unwrap();
        let mut response = ureq::run(request).unwrap_or_else(|error| panic!("{line}: {error}"));
        if is_endless {
            assert_eq!(response.headers()["content-type"], "text/event-stream");
            if line.contains("endpoint=demo-1") {
                // Something must happen: the Registration Update Trigger asks for an Update.
                let trigger = format!("{api}/devices/demo-1/data/1/0/8");
                ureq::post(&trigger).send_empty().unwrap();
                let lines = BufReader::new(response.into_body().into_reader()).lines();
                let mut lines = lines.map(Result::unwrap);
                assert!(lines.any(|line| line == "event: update"), "{line}");
            }
            continue;
        }
        let answer = response.body_mut().read_to_vec().unwrap();
        let is_shown = response.status() == 204 || !answer.is_empty();
        assert!(is_shown, "{line}");
    }
}

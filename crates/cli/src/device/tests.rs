use dunlin_client::{Client, Config, Instant, Path};

use super::shell::{self, Reply};
use super::{Device, Dice, Objects, resolve, values};

fn device() -> Box<Device> {
    let mut dice = Dice::new();
    Box::new(Client::new(
        Config::new("dev-1"),
        Objects::new("dev-1"),
        &mut dice,
    ))
}

fn say(device: &mut Device, line: &str) -> String {
    match shell::execute(line, device, Instant::from_secs(1)) {
        Reply::Text(text) => text,
        Reply::Nothing => String::new(),
        Reply::Advance(by) => format!("advance {}", by.as_secs()),
        Reply::Quit => "quit".to_owned(),
    }
}

#[test]
fn uris_name_host_and_port() {
    for (uri, address) in [
        ("coap://127.0.0.1", "127.0.0.1:5683"),
        ("coap://127.0.0.1:5690", "127.0.0.1:5690"),
        ("coap://127.0.0.1/", "127.0.0.1:5683"),
        ("coap://[::1]", "[::1]:5683"),
        ("coap://[::1]:1234/", "[::1]:1234"),
    ] {
        assert_eq!(resolve(uri, None).unwrap().to_string(), address, "{uri}");
    }
    for uri in [
        "coaps://127.0.0.1",
        "127.0.0.1:5683",
        "coap://",
        "coap://127.0.0.1/path",
        "coap://127.0.0.1:99999",
    ] {
        assert!(resolve(uri, None).is_err(), "{uri}");
    }
    let bind = Some("[::1]:0".parse().unwrap());
    assert!(resolve("coap://127.0.0.1", bind).is_err());
}

#[test]
fn the_shell_reads_and_sets() {
    let mut device = device();
    assert_eq!(
        say(&mut device, "get /3303/0/5700").trim_end(),
        "/3303/0/5700 = 21.5    Sensor Value"
    );
    assert!(say(&mut device, "set /3303/0/5700 -4.5").starts_with("set /3303/0/5700 = -4.5"));
    // The measured minimum follows, the maximum stays.
    assert!(say(&mut device, "get /3303/0").contains("/3303/0/5601 = -4.5 "));
    assert!(say(&mut device, "get /3303/0").contains("/3303/0/5602 = 21.5 "));
    assert!(say(&mut device, "set /3/0/7/0 3700").starts_with("set /3/0/7/0 = 3700"));
    assert!(say(&mut device, "set /3311/0/5850 true").contains("= true"));
    assert!(say(&mut device, "set /3/0/14 \"+02:00\"").contains("= \"+02:00\""));
    assert!(say(&mut device, "list").contains("/1/0/1 = "));
}

#[test]
fn the_shell_refuses_with_a_reason() {
    let mut device = device();
    for (line, reason) in [
        ("set /3303/0/5700 warm", "not a value of type Float"),
        ("set /3303/0/9999 1", "there is no resource /3303/0/9999"),
        ("set /3303/7/5700 1", "there is no resource /3303/7/5700"),
        ("set /3303/0 1", "not a resource"),
        ("set /3/0/7 1", "has resource instances"),
        ("set /3/0/9/0 1", "has no resource instances"),
        ("set /3303/0/5605 1", "executable"),
        ("set /3/0/9 300", "does not fit"),
        ("set /3303/0/5700", "expected set PATH VALUE"),
        ("get /99", "nothing at /99"),
        ("get 3.0", "decimal ids"),
        ("create /3/1", "cannot be created"),
        ("create /3303/0", "cannot be created"),
        ("delete /3/0", "cannot be deleted"),
        ("delete /3303", "expected an instance"),
        ("advance-time soon", "expected advance-time SECONDS"),
        ("dance", "unknown command dance"),
    ] {
        let answer = say(&mut device, line);
        assert!(answer.starts_with("error: "), "{line}: {answer}");
        assert!(answer.contains(reason), "{line}: {answer}");
    }
}

#[test]
fn the_shell_creates_and_deletes() {
    let mut device = device();
    assert_eq!(say(&mut device, "create /3303"), "created /3303/1");
    assert_eq!(say(&mut device, "create /3303/5"), "created /3303/5");
    assert!(say(&mut device, "get /3303/5").contains("/3303/5/5700"));
    assert_eq!(say(&mut device, "delete /3303/5"), "deleted /3303/5");
    assert!(say(&mut device, "get /3303/5").starts_with("error"));
    assert_eq!(say(&mut device, "advance-time 90"), "advance 90");
    assert_eq!(say(&mut device, "quit"), "quit");
    assert_eq!(say(&mut device, "  "), "");
}

#[test]
fn values_of_every_kind_are_listed() {
    let device = device();
    let text = values::list(device.all_objects(), Path::ROOT);
    for line in [
        "/0/0/2 = 3 ",
        "/3/0/0 = \"Dunlin\" ",
        "/3/0/4    (execute) ",
        "/3/0/6/0 = 1 ",
        "/3/0/11/0 = 0 ",
        "/6/0/0 = 53.5586 ",
        "/3311/0/5850 = false ",
    ] {
        assert!(text.contains(line), "{line} in {text}");
    }
}

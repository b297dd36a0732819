//! `dunlin decode` as it is called.

use std::io::Write;
use std::process::{Command, Stdio};

/// Exit code, standard output, standard error.
fn decode(arguments: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dunlin"))
        .arg("decode")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read its input may be gone by now.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

#[track_caller]
fn says(arguments: &[&str], expected: &str) {
    let (code, output, errors) = decode(arguments, b"");
    assert_eq!((code, errors.as_str()), (0, ""), "{arguments:?}");
    assert_eq!(output, expected, "{arguments:?}");
}

#[track_caller]
fn fails(arguments: &[&str], words: &str) {
    let (code, output, errors) = decode(arguments, b"");
    assert_eq!((code, output.as_str()), (1, ""), "{arguments:?}: {errors}");
    assert!(errors.starts_with("dunlin: "), "{errors}");
    assert!(errors.contains(words), "{words:?} is not in {errors}");
}

#[test]
fn payloads_of_every_format() {
    let battery = "/3/0/9  Battery Level  Integer  100\n";
    for arguments in [
        &["text", "--path", "/3/0/9", "313030"][..],
        &["cbor", "--path", "/3/0/9", "18 64"],
        &["tlv", "--path", "/3/0", "c10964"],
        &["1542", "--path", "/3/0", "C1:09:64"],
        &["senml-json", r#"[{"bn":"/3/0/","n":"9","v":100}]"#],
        &["112", "81a3 21652f332f302f 006139 021864"],
        &["json", r#"{"bn":"/3/0/","e":[{"n":"9","v":100}]}"#],
        &["json", "--path", "/3/0", r#"{"e":[{"n":"9","v":100}]}"#],
        &["lwm2m-cbor", "0xa1830300091864"],
        &["senml-etch-cbor", "81a200662f332f302f39021864"],
    ] {
        says(arguments, battery);
    }
    says(
        &["opaque", "--path", "/5/0/0", "0102FF"],
        "/5/0/0  Package  Opaque  0102ff\n",
    );
    says(
        &["link", "3c2f313e2c3c2f333e3b7665723d312e31"],
        "</1>\n</3>;ver=1.1\n",
    );
    says(&["senml-cbor", "80"], "no records\n");
}

#[test]
fn bodies_of_composite_requests() {
    says(
        &["senml-etch-json", r#"[{"n":"/3/0"},{"n":"/1/0/1"}]"#],
        "/3/0    Device\n/1/0/1  Lifetime\n",
    );
    says(
        &["senml-etch-json", r#"[{"n":"/3/0/7/1","v":null}]"#],
        "/3/0/7/1  Power Source Voltage    removed\n",
    );
}

#[test]
fn a_coap_message() {
    says(
        &["coap", "42011234abcdb13301300139622d16"],
        "CON GET /3/0/9\n\n\
         Type        CON\n\
         Code        0.01 GET\n\
         Message ID  4660\n\
         Token       abcd\n\
         Uri-Path    3\n\
         Uri-Path    0\n\
         Uri-Path    9\n\
         Accept      11542 (tlv)\n",
    );
    // What a response is about, only its request tells.
    says(
        &["coap", "--path", "/3/0/9", "62451234 ABCD C22D16 FF C10964"],
        "ACK 2.05 Content, 3 bytes\n\n\
         Type            ACK\n\
         Code            2.05 Content\n\
         Message ID      4660\n\
         Token           abcd\n\
         Content-Format  11542 (tlv)\n\
         Payload         c10964 (3 bytes)\n\n\
         /3/0/9 Battery Level = 100\n",
    );
}

#[test]
fn data_from_a_file_and_from_standard_input() {
    let payload = b"\xA1\x83\x03\x00\x09\x18\x64";
    let file = std::env::temp_dir().join(format!("dunlin-decode-{}", std::process::id()));
    std::fs::write(&file, payload).unwrap();
    let expected = "/3/0/9  Battery Level  Integer  100\n";
    says(&["lwm2m-cbor", file.to_str().unwrap()], expected);
    std::fs::remove_file(&file).unwrap();
    let (code, output, _) = decode(&["lwm2m-cbor", "-"], payload);
    assert_eq!((code, output.as_str()), (0, expected));
}

#[test]
fn what_cannot_be_decoded() {
    fails(&["nonsense", "00"], "is not a format");
    fails(&["tlv", "c10964"], "add --path");
    fails(
        &["lwm2m-cbor", "a18"],
        "neither pairs of hexadecimal digits",
    );
    fails(&["coap", "8000"], "no CoAP message: shorter than a header");
    fails(&["9", "00"], "not supported");
    // What stands before the fault is told all the same.
    let (code, output, errors) = decode(&["lwm2m-cbor", "a283030009186483030010"], b"");
    assert_eq!(code, 1);
    assert_eq!(output, "/3/0/9  Battery Level  Integer  100\n");
    assert!(
        errors.contains("the payload ends too early (at byte 11)"),
        "{errors}"
    );
}

/// Values are the words of devices.
#[test]
fn nothing_speaks_to_the_terminal() {
    let (code, output, _) = decode(
        &["senml-json", r#"[{"n":"/3/0/0","vs":"\u001b[2J\u009b"}]"#],
        b"",
    );
    assert_eq!(code, 0);
    assert!(!output.trim_end().contains(char::is_control), "{output:?}");
}

//! Firmware on the demo devices, over real sockets: pushed, fetched, and broken.

mod demo;

use std::fmt::Write;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use demo::{PATIENCE, Server};
use dunlin_coap::{Code, Message, MessageWriter, OptionNumber, Type};

fn run(server: &Server, arguments: &[&str]) -> String {
    let output = server.command(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The value of a resource of `demo-1`; nothing while it is away.
fn read(server: &Server, path: &str) -> Option<String> {
    let output = server.command(&["read", "demo-1", path]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.split_whitespace().nth(1)?.to_owned())
}

fn wait_for(server: &Server, path: &str, value: &str) {
    let end = Instant::now() + PATIENCE;
    while read(server, path).as_deref() != Some(value) {
        let last = read(server, path);
        assert!(Instant::now() < end, "{path} is {last:?}, not {value}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn image(version: &str) -> Vec<u8> {
    let mut image = format!("dunlin-firmware pump {version}\n").into_bytes();
    image.resize(5000, 0x5A);
    image
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let group = u32::from_be_bytes(group);
        for digit in 0..4 {
            if digit <= chunk.len() {
                let six = group >> (18 - 6 * digit) & 63;
                text.push(char::from(DIGITS[six as usize]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[test]
fn a_demo_device_is_updated_by_push() {
    let server = Server::start(1);
    run(
        &server,
        &["write", "demo-1", "/5/0/0", &base64(&image("7.1"))],
    );
    assert_eq!(read(&server, "/5/0/3").as_deref(), Some("2"));
    assert_eq!(read(&server, "/5/0/7").as_deref(), Some("7.1"));
    assert_ne!(read(&server, "/3/0/3").as_deref(), Some("7.1"));
    run(&server, &["exec", "demo-1", "/5/0/2"]);
    // It installs, registers anew, and tells what it runs.
    wait_for(&server, "/5/0/5", "1");
    assert_eq!(read(&server, "/5/0/3").as_deref(), Some("0"));
    assert_eq!(read(&server, "/3/0/3").as_deref(), Some("7.1"));
    // What does not start leaves the device as it was.
    run(
        &server,
        &["write", "demo-1", "/5/0/0", &base64(&image("8-broken"))],
    );
    run(&server, &["exec", "demo-1", "/5/0/2"]);
    wait_for(&server, "/5/0/5", "8");
    assert_eq!(read(&server, "/5/0/3").as_deref(), Some("2"));
    assert_eq!(read(&server, "/3/0/3").as_deref(), Some("7.1"));
}

/// Serves an image in blocks until it was fetched; returns the paths asked for.
fn repository(socket: &UdpSocket, image: &[u8]) -> String {
    let mut paths = String::new();
    loop {
        let mut buffer = [0; 2048];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        let request = Message::parse(&buffer[..length]).unwrap();
        for segment in request.values(OptionNumber::URI_PATH) {
            let _ = write!(paths, "/{}", String::from_utf8_lossy(segment));
        }
        let asked = request.uint(OptionNumber::BLOCK2).unwrap();
        let offset = ((asked >> 4) * 1024) as usize;
        let end = image.len().min(offset + 1024);
        let more = end < image.len();
        let mut answer = [0; 1400];
        let (ty, id) = (Type::Acknowledgement, request.message_id);
        let mut writer = MessageWriter::new(&mut answer, ty, Code::CONTENT, id, request.token);
        writer.option(OptionNumber::ETAG, b"7.2");
        writer.uint(
            OptionNumber::BLOCK2,
            asked >> 4 << 4 | u32::from(more) << 3 | 6,
        );
        writer.payload(&image[offset..end]);
        let length = writer.finish().unwrap();
        socket.send_to(&answer[..length], from).unwrap();
        if !more {
            return paths;
        }
    }
}

#[test]
fn a_demo_device_fetches_its_firmware() {
    let server = Server::start(1);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let uri = format!(
        "coap://localhost:{}/fw",
        socket.local_addr().unwrap().port()
    );
    run(&server, &["write", "demo-1", "/5/0/1", &uri]);
    assert_eq!(repository(&socket, &image("7.2")), "/fw".repeat(5));
    wait_for(&server, "/5/0/3", "2");
    run(&server, &["exec", "demo-1", "/5/0/2"]);
    wait_for(&server, "/3/0/3", "7.2");
    wait_for(&server, "/5/0/5", "1");
}

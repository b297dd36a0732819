use std::net::UdpSocket as Plain;
use std::time::{Duration, Instant};

use super::*;

fn config(shards: usize) -> ServerConfig {
    ServerConfig {
        coap: Some("127.0.0.1:0".parse().unwrap()),
        shards,
        ..ServerConfig::default()
    }
}

fn peer(server: &Server) -> Plain {
    let peer = Plain::bind("127.0.0.1:0").unwrap();
    peer.connect(server.coap_address().expect("it listens"))
        .unwrap();
    peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    peer
}

#[test]
fn every_shard_answers_a_ping() {
    let server = Server::start(config(3)).unwrap();
    for message_id in 0..32 {
        let peer = peer(&server);
        peer.send(&[0x40, 0, 0x12, message_id]).unwrap();
        let mut buffer = [0; 64];
        let count = peer.recv(&mut buffer).unwrap();
        assert_eq!(buffer[..count], [0x70, 0, 0x12, message_id]);
    }
    server.shutdown();
}

#[test]
fn an_address_in_use_is_told_in_words() {
    let server = Server::start(config(2)).unwrap();
    let error = Server::start(ServerConfig {
        coap: server.coap_address(),
        ..config(2)
    })
    .unwrap_err();
    assert!(error.to_string().contains("the port is in use"), "{error}");
}

#[test]
fn shutdown_is_prompt_and_control_survives_it() {
    let server = Server::start(config(2)).unwrap();
    let control = server.control();
    assert_eq!(control.health().problem, None);
    let start = Instant::now();
    server.shutdown();
    assert!(start.elapsed() < Duration::from_secs(1));
    assert!(control.health().problem.is_some());
    let mut device = std::pin::pin!(control.device("a"));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(matches!(
        device.as_mut().poll(&mut context),
        std::task::Poll::Ready(Err(_))
    ));
}

//! Any bytes are an export or an error; what is taken in goes out the same, and the association
//! lives under any records.
#![no_main]

use dunlin_coap::Instant;
use dunlin_dtls::testing::{Exported, sha256};
use dunlin_dtls::{
    Client, ClientInput, Export, ImportError, Resumption, Server, ServerInput, ServerOutput,
};
use dunlin_fuzz::dtls_known::{Known, client_config, psk, server_config};
use dunlin_fuzz::{Dice, Input};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let with_check = input.byte() > 20;
    let is_final = input.bool();
    let split = usize::from(input.byte());
    let rest = input.rest();
    let (stored, datagram) = rest.split_at(rest.len().saturating_sub(split));
    let mut stored = stored.to_vec();
    if with_check {
        let check = sha256(&[&stored]);
        stored.extend_from_slice(&check[..4]);
    }
    let _ = Resumption::from_bytes(&stored);
    let exported = Exported::read(&stored);
    if let Ok(exported) = &exported {
        let mut again = Vec::new();
        exported.write(&mut again);
        assert_eq!(again, stored, "there is one way to say it");
    }

    let now = Instant::from_secs(1000);
    let mut dice = Dice(1);
    let known = Known::default();
    let mut server = Server::new(server_config(), &mut dice);
    match server.import(now, &stored) {
        Ok(session) => {
            assert!(exported.is_ok());
            assert_eq!(server.sessions(), 1);
            assert_eq!(server.import(now, &stored), Err(ImportError::Occupied));
            let from = server.address(session).expect("it has one");
            for input in [
                ServerInput::Datagram { from, bytes: datagram },
                ServerInput::Send { session, bytes: datagram },
                ServerInput::Timer,
            ] {
                let mut outputs = server.handle(now, input, &known, &mut dice);
                while let Some(output) = outputs.next() {
                    if let ServerOutput::Data { bytes, .. } = output {
                        assert!(bytes.len() <= datagram.len());
                    }
                }
            }
            let mut out = Vec::new();
            let how = if is_final { Export::Final } else { Export::Reserve(1000) };
            if server.export(session, how, &mut out) {
                assert!(Exported::read(&out).is_ok());
            }
            assert_eq!(server.sessions(), usize::from(server.address(session).is_some()));
        }
        Err(_) => assert_eq!(server.sessions(), 0),
    }

    if let Ok(mut client) = Client::import(client_config(psk()), &stored) {
        assert!(client.is_connected());
        for input in [ClientInput::Datagram(datagram), ClientInput::Send(datagram), ClientInput::Timer] {
            let mut outputs = client.handle(now, input, &mut dice);
            while outputs.next().is_some() {}
        }
        if let Some(out) = client.export() {
            assert!(Client::import(client_config(psk()), &out).is_ok());
            assert!(!client.is_connected());
        }
    }
});

//! Keys and certificates as files, Security objects and peers give them: what is read is written
//! back as it was, what is refused as a chain has an alert, and nothing is trusted that was made up.
#![no_main]

use dunlin_coap::Instant;
use dunlin_dtls::{
    Certificate, CertificateUsage, ClientTrust, ExpectedServer, KeyPair, Matching, NameSource,
    PublicKey, WallClock, certificates,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(key) = PublicKey::from_spki(bytes) {
        assert_eq!(key.spki()[..], *bytes);
        assert!(key.verify(b"message", bytes).is_err());
    }
    if let Ok(key) = KeyPair::from_bytes(bytes) {
        let again = KeyPair::from_bytes(&key.to_der()).expect("what was written is read");
        assert_eq!(again.public_key(), key.public_key());
    }
    let Ok(chain) = certificates(bytes) else { return };
    for der in &chain {
        let certificate = Certificate::parse(der).expect("a file has only what can be read");
        for source in [
            NameSource::CommonName,
            NameSource::DnsName,
            NameSource::Uri,
            NameSource::OtherName,
        ] {
            let _ = certificate.names(source);
        }
        let _ = (certificate.public_key(), certificate.check_time(1 << 31));
        let _ = (certificate.is_authority(), certificate.is_self_issued());
    }

    // The first is trusted, the others are sent. Which of them, the length says.
    let sent: Vec<&[u8]> = chain[usize::from(chain.len() > 1)..]
        .iter()
        .map(|der| &**der)
        .collect();
    let mut trust = ClientTrust::new();
    let pinned = bytes.len() % 2 == 0;
    let added = match pinned {
        true => trust.pin(&chain[0]),
        false => trust.add_authorities(&chain[0]),
    };
    match trust.verify(&sent, 1_796_083_200) {
        Ok(_) => assert!(added.is_ok()),
        Err(error) => assert!((42..=48).contains(&error.alert().number())),
    }
    let usage = CertificateUsage::from_number(bytes.len() as u64 % 4).expect("below 4");
    if let Ok(server) = ExpectedServer::certificate(&chain[0], Matching::Exact, usage) {
        let clock = WallClock {
            at: Instant::ZERO,
            unix_seconds: 1_796_083_200,
        };
        let server = server.named("server.example.com").at(clock);
        let server = server.trusting(&chain[0]).expect("it was read before");
        if let Err(error) = server.check_certificate(&sent, Instant::ZERO) {
            assert!((42..=48).contains(&error.alert().number()));
        }
    }
});

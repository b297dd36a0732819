//! Certificates made by OpenSSL; see `tests/certificates/make.sh`.

use std::sync::{Arc, Mutex};

use dunlin_dtls::{Certificate, CertificateError, certificates};

use super::*;
use crate::access::{Access, Evidence};

const AUTHORITY: &[u8] = include_bytes!("../../tests/certificates/authority.pem");
const OTHER: &[u8] = include_bytes!("../../tests/certificates/other.pem");
const DEVICE: &[u8] = include_bytes!("../../tests/certificates/device.pem");
const NAMELESS: &[u8] = include_bytes!("../../tests/certificates/nameless.pem");
const SHORT: &[u8] = include_bytes!("../../tests/certificates/short.pem");
const SERVER: &[u8] = include_bytes!("../../tests/certificates/server.pem");
const SERVER_KEY: &[u8] = include_bytes!("../../tests/certificates/server.key.pem");

const DAY: u64 = 86_400;

fn der(pem: &[u8]) -> Box<[u8]> {
    certificates(pem).expect("a certificate").remove(0)
}

/// When all of them are valid.
fn now() -> u64 {
    Certificate::parse(&der(SHORT))
        .expect("parses")
        .not_before()
        + DAY / 2
}

fn with(identity_from: IdentityFrom) -> CredentialService {
    let config = CredentialsConfig {
        identity_from,
        ..CredentialsConfig::default()
    };
    CredentialService::open(config, None).expect("opened")
}

fn of(service: &CredentialService, pem: &[u8], time: u64) -> Result<u64, CertificateError> {
    service.of_chain(&[&der(pem)], time)
}

#[test]
fn an_authority_vouches_for_the_common_name() {
    let service = with(IdentityFrom::CommonName);
    assert_eq!(
        of(&service, DEVICE, now()),
        Err(CertificateError::UnknownIssuer)
    );
    service.add_authorities(OTHER).expect("added");
    assert_eq!(
        of(&service, DEVICE, now()),
        Err(CertificateError::UnknownIssuer)
    );
    let added = service.add_authorities(AUTHORITY).expect("added");
    assert_eq!(added[0].name, "Dunlin test authority");
    let tag = of(&service, DEVICE, now()).expect("vouched for");
    let certified = service.certified_endpoint(tag, &der(DEVICE));
    assert_eq!(certified.as_deref(), Some("dev-9"));
    let evidence = Evidence {
        credential: tag,
        certified: certified.as_deref(),
    };
    assert!(service.allows(evidence, "dev-9") && !service.allows(evidence, "dev-1"));
    let bare = Evidence {
        credential: tag,
        certified: None,
    };
    assert!(!service.allows(bare, "dev-9"));
    assert_eq!(service.endpoint(evidence).as_deref(), Some("dev-9"));
    let security = service.security(evidence).expect("known");
    assert_eq!(
        security.identity,
        "dev-9, vouched for by Dunlin test authority"
    );
    assert!(service.of_tag(tag).is_none(), "it is no credential");
    assert!(service.is_current(tag), "a session of it may go on");
}

#[test]
fn the_name_is_taken_from_where_it_is_configured() {
    let endpoint = |from: IdentityFrom, pem| from.endpoint(&der(pem));
    let device = endpoint(IdentityFrom::AlternativeName, DEVICE);
    assert_eq!(device.as_deref(), Some("urn:dev:os:32473-9"));
    let server = endpoint(IdentityFrom::AlternativeName, SERVER);
    assert_eq!(server.as_deref(), Some("lwm2m.example"));
    assert_eq!(endpoint(IdentityFrom::AlternativeName, SHORT), None);
    assert_eq!(endpoint(IdentityFrom::CommonName, NAMELESS), None);
    let service = with(IdentityFrom::CommonName);
    service.add_authorities(AUTHORITY).expect("added");
    let nameless = of(&service, NAMELESS, now());
    assert_eq!(nameless, Err(CertificateError::WrongName));
}

#[test]
fn certificates_are_good_for_their_time_alone() {
    let service = with(IdentityFrom::CommonName);
    service.add_authorities(AUTHORITY).expect("added");
    assert!(of(&service, SHORT, now()).is_ok());
    let late = of(&service, SHORT, now() + 2 * DAY);
    assert_eq!(late, Err(CertificateError::Expired));
    let early = of(&service, SHORT, now() - 2 * DAY);
    assert_eq!(early, Err(CertificateError::NotYetValid));
    let service = with(IdentityFrom::CommonName);
    let made = service.create(NewCredential {
        endpoint: None,
        material: Material::Certificate {
            certificate: der(SHORT).into_vec(),
        },
    });
    let made = made.expect("pinned").credential;
    assert_eq!(made.endpoint, "dev-9", "as the certificate says");
    let tag = of(&service, SHORT, now()).expect("it is the very one");
    assert!(service.is_for(tag, "dev-9"));
    let late = of(&service, SHORT, now() + 2 * DAY);
    assert_eq!(late, Err(CertificateError::Expired));
    let other = of(&service, DEVICE, now());
    assert_eq!(other, Err(CertificateError::UnknownIssuer));
}

#[test]
fn sessions_end_with_the_trust_in_their_authority() {
    let service = with(IdentityFrom::CommonName);
    let ended = Arc::<Mutex<Vec<u64>>>::default();
    let told = Arc::clone(&ended);
    service.on_end(Box::new(move |tags| told.lock().unwrap().extend(tags)));
    let both = [OTHER, AUTHORITY].concat();
    let added = service.add_authorities(&both).expect("a bundle");
    assert_eq!((added[0].id, added[1].id), (1, 2));
    let again = service.add_authorities(AUTHORITY).expect("there");
    assert_eq!((again[0].id, service.authorities().len()), (2, 2));
    let tag = of(&service, DEVICE, now()).expect("vouched for");
    service.remove_authority(2).expect("removed");
    assert_eq!(*ended.lock().unwrap(), [tag]);
    assert_eq!(service.certified_endpoint(tag, &der(DEVICE)), None);
    let evidence = Evidence {
        credential: tag,
        certified: Some("dev-9"),
    };
    assert!(!service.allows(evidence, "dev-9") && service.security(evidence).is_none());
    assert!(!service.is_current(tag));
    let gone = service.remove_authority(2);
    assert!(matches!(gone, Err(CredentialError::UnknownAuthority(2))));
    let back = service.add_authorities(AUTHORITY).expect("added");
    assert_eq!(back[0].id, 3, "a tag of before must not fit");
}

#[test]
fn what_is_no_authority_is_not_trusted() {
    let service = with(IdentityFrom::CommonName);
    let refused = |bytes: &[u8]| {
        service
            .add_authorities(bytes)
            .expect_err("refused")
            .to_string()
    };
    assert!(refused(DEVICE).contains("key usage forbids"));
    assert!(refused(b"junk").contains("not a certificate"));
    assert!(refused(&[AUTHORITY, DEVICE].concat()).contains("key usage"));
    assert!(service.authorities().is_empty(), "all or none");
}

#[test]
fn authorities_outlive_the_process_and_cannot_be_written_into_the_database() {
    let folder = std::env::temp_dir().join(format!("dunlin-authorities-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    crate::store::SqliteStore::open(&folder).expect("made");
    let open = || CredentialService::open(CredentialsConfig::default(), Some(&folder));
    let service = open().expect("opened");
    service.add_authorities(AUTHORITY).expect("added");
    let tag = of(&service, DEVICE, now()).expect("vouched for");
    let before = service.authorities();
    drop(service);
    let connection = rusqlite::Connection::open(folder.join("dunlin.db")).expect("opened");
    let statement = "INSERT INTO authorities SELECT 7, ?1, sealed, 0 FROM authorities";
    let rows = connection.execute(statement, [&der(OTHER)[..]]);
    assert_eq!(rows.expect("written"), 1);
    drop(connection);
    let service = open().expect("opened again");
    assert_eq!(service.authorities(), before);
    assert_eq!(of(&service, DEVICE, now()), Ok(tag));
    std::fs::remove_dir_all(folder).expect("removed");
}

#[test]
fn a_key_with_its_certificates_becomes_the_servers_own() {
    let service = with(IdentityFrom::CommonName);
    let drawn = service.own_key();
    let chain = [SERVER, AUTHORITY].concat();
    let own = service.import_own_key(SERVER_KEY, Some(&chain));
    assert_eq!(own.expect("fits").chain, [der(SERVER), der(AUTHORITY)]);
    let own = service.own_key();
    let leaf = der(SERVER);
    let leaf = Certificate::parse(&leaf).expect("parses");
    assert_eq!(own.pair.public_key(), leaf.spki());
    assert_ne!(own.pair.public_key(), drawn.pair.public_key());
    let refused = |key: &[u8], chain: &[u8]| {
        let refused = service.import_own_key(key, Some(chain));
        refused.expect_err("refused").to_string()
    };
    assert!(refused(SERVER_KEY, DEVICE).contains("does not belong"));
    assert!(refused(SERVER, SERVER).contains("the private key cannot be used"));
    assert!(refused(SERVER_KEY, SERVER_KEY).contains("no certificate"));
    let bare = service
        .import_own_key(SERVER_KEY, None)
        .expect("a bare key");
    assert!(bare.chain.is_empty());
}

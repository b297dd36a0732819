use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use dunlin_dtls::KeyPair;
use dunlin_net::OsRng;

use super::*;
use crate::access::{Access, Evidence};
use crate::store::SqliteStore;

fn memory() -> CredentialService {
    CredentialService::in_memory().expect("nothing to fail")
}

fn psk(endpoint: &str, identity: &str, key: &[u8]) -> NewCredential {
    NewCredential {
        endpoint: Some(endpoint.to_owned()),
        material: Material::Psk {
            identity: Some(identity.as_bytes().to_vec()),
            key: Some(Secret::new(key)),
        },
    }
}

fn key(key: &[u8]) -> Material {
    Material::Psk {
        identity: None,
        key: Some(Secret::new(key)),
    }
}

/// A public key that no other test has.
fn spki() -> Vec<u8> {
    KeyPair::generate(&mut OsRng::new())
        .expect("drawn")
        .public_key()
        .to_vec()
}

/// A data folder as the server leaves it, without the server's lock on it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("dunlin-credentials-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        SqliteStore::open(&path).expect("made");
        Self(path)
    }

    fn open(&self) -> Result<CredentialService, OpenError> {
        CredentialService::open(CredentialsConfig::default(), Some(&self.0))
    }

    fn execute(&self, statement: &str) {
        let connection = rusqlite::Connection::open(self.0.join("dunlin.db")).expect("opened");
        assert_eq!(connection.execute(statement, []).expect("executed"), 1);
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The tags that a service told to have ended.
fn ended(service: &CredentialService) -> Arc<Mutex<Vec<u64>>> {
    let ended = Arc::<Mutex<Vec<u64>>>::default();
    let told = Arc::clone(&ended);
    service.on_end(Box::new(move |tags| told.lock().unwrap().extend(tags)));
    ended
}

#[test]
fn a_psk_is_found_by_its_identity_and_speaks_for_its_endpoint_alone() {
    let service = memory();
    let made = service
        .create(psk("dev-1", "id-1", b"0123456789abcdef"))
        .expect("made");
    assert!(made.drawn.is_none(), "whoever gave the key has it");
    assert_eq!(made.warning(), None);
    let (secret, tag) = service.of_identity(b"id-1").expect("found");
    assert_eq!(secret.expose(), b"0123456789abcdef");
    assert!(service.is_for(tag, "dev-1"));
    assert!(!service.is_for(tag, "dev-2"));
    assert!(!service.is_for(tag, "id-1"));
    assert!(service.has_credential("dev-1") && !service.has_credential("id-1"));
    assert!(service.of_identity(b"dev-1").is_none());
    assert!(
        service.of_identity(b"id-1\0").is_none(),
        "identities are not C strings"
    );
    assert_eq!(service.of_tag(tag), Some(made.credential));
}

#[test]
fn an_identity_stands_for_the_endpoint_and_the_endpoint_for_the_identity() {
    let service = memory();
    let new = |endpoint: Option<&str>, identity: Option<&[u8]>| {
        service.create(NewCredential {
            endpoint: endpoint.map(str::to_owned),
            material: Material::Psk {
                identity: identity.map(<[u8]>::to_vec),
                key: None,
            },
        })
    };
    assert_eq!(
        new(None, Some(b"a")).expect("made").credential.endpoint,
        "a"
    );
    new(Some("b"), None).expect("made");
    assert!(service.of_identity(b"b").is_some());
    for (endpoint, identity) in [(None, None), (None, Some(&b"\xFF"[..]))] {
        let refused = new(endpoint, identity);
        assert!(matches!(refused, Err(CredentialError::NoEndpoint)));
    }
}

#[test]
fn a_key_that_is_not_given_is_drawn_and_shown_once() {
    let service = memory();
    let made = |endpoint: &str| {
        let material = Material::Psk {
            identity: None,
            key: None,
        };
        let endpoint = Some(endpoint.to_owned());
        let made = service.create(NewCredential { endpoint, material });
        made.expect("made")
    };
    let (one, two) = (made("a"), made("b"));
    let drawn = one.drawn.clone().expect("drawn");
    assert_eq!(drawn.expose().len(), 16);
    assert_ne!(drawn.expose(), two.drawn.expect("drawn").expose());
    assert_eq!(
        service.of_identity(b"a").expect("found").0.expose(),
        drawn.expose()
    );
    assert!(!format!("{one:?} {service:?}").contains("Secret(["));
}

#[test]
fn raw_public_keys_and_certificates_are_found_byte_by_byte() {
    let service = memory();
    let spki = spki();
    let pem = include_bytes!("../../tests/certificates/device.pem");
    let certificate = dunlin_dtls::certificates(pem)
        .expect("one")
        .remove(0)
        .into_vec();
    for (endpoint, material) in [
        ("rpk", Material::RawPublicKey { spki: spki.clone() }),
        (
            "x509",
            Material::Certificate {
                certificate: certificate.clone(),
            },
        ),
    ] {
        let endpoint = Some(endpoint.to_owned());
        service
            .create(NewCredential { endpoint, material })
            .expect("made");
    }
    let tag = service.of_public_key(&spki).expect("found");
    assert!(service.is_for(tag, "rpk"));
    let other = service.of_certificate(&certificate).expect("found");
    assert!(service.is_for(other, "x509"));
    assert!(service.of_public_key(&certificate).is_none());
    assert!(service.of_certificate(&spki).is_none());
    assert!(
        service.of_identity(&spki).is_none(),
        "a public key is no identity"
    );
    let nobody = NewCredential {
        endpoint: None,
        material: Material::RawPublicKey { spki },
    };
    assert!(matches!(
        service.create(nobody),
        Err(CredentialError::NoEndpoint)
    ));
}

/// What shards ask is the same, in their words.
#[test]
fn shards_are_told_names_and_identities() {
    let service = memory();
    let spki = spki();
    service.create(psk("dev-1", "id-1", b"k")).expect("made");
    let material = Material::RawPublicKey { spki: spki.clone() };
    let endpoint = Some("dev-2".to_owned());
    service
        .create(NewCredential { endpoint, material })
        .expect("made");
    let binary = Material::Psk {
        identity: Some(vec![0xFF, 0x00]),
        key: None,
    };
    let endpoint = Some("dev-3".to_owned());
    let material = binary;
    service
        .create(NewCredential { endpoint, material })
        .expect("made");
    let evidence = |credential| Evidence {
        credential,
        certified: None,
    };
    let access: &dyn Access = &service;
    let dtls: &dyn dunlin_dtls::Credentials = &service;
    let (_, one) = dtls.psk(b"id-1").expect("found");
    let two = evidence(dtls.raw_public_key(&spki).expect("found"));
    let (_, three) = dtls.psk(&[0xFF, 0x00]).expect("found");
    assert!(access.allows(evidence(one), "dev-1") && !access.allows(evidence(one), "dev-2"));
    assert_eq!(access.endpoint(two).as_deref(), Some("dev-2"));
    assert!(access.is_secured("dev-2") && !access.is_secured("dev-4"));
    let told = |evidence| {
        let security = access.security(evidence).expect("known");
        format!("{} {}", security.mode, security.identity)
    };
    assert_eq!(told(evidence(one)), "psk id-1");
    assert!(told(two).starts_with("rpk sha-256 ") && told(two).len() == 12 + 64);
    assert_eq!(told(evidence(three)), "psk ff00");
    assert!(
        access.security(evidence(one + 1)).is_none(),
        "another revision"
    );
}

#[test]
fn what_two_devices_would_share_is_refused() {
    let service = memory();
    service.create(psk("dev-1", "id", b"k")).expect("made");
    let error = service
        .create(psk("dev-2", "id", b"l"))
        .expect_err("shared");
    assert_eq!(
        error.to_string(),
        "this PSK identity is that of credential 1 of \"dev-1\" already; rotate or remove that"
    );
    let two = service
        .create(psk("dev-1", "id-2", b"l"))
        .expect("one device may have two");
    assert_eq!(service.of_endpoint("dev-1").len(), 2);
    let material = Material::Psk {
        identity: Some(b"id".to_vec()),
        key: None,
    };
    let error = service
        .rotate(two.credential.id, material)
        .expect_err("shared");
    assert!(matches!(error, CredentialError::Duplicate { id: 1, .. }));
    assert_eq!(
        service.of_identity(b"id-2").expect("as before").0.expose(),
        b"l"
    );
}

#[test]
fn sizes_are_bounded_and_told_in_words() {
    let service = memory();
    let refused = |new: NewCredential| service.create(new).expect_err("refused").to_string();
    let long = "x".repeat(256);
    assert!(refused(psk("a", &long, b"k")).contains("256 bytes"));
    assert!(refused(psk("a", "", b"k")).contains("0 bytes"));
    assert!(refused(psk("a", "a", b"")).contains("0 bytes"));
    assert!(refused(psk("a", "a", &[1; 65])).contains("65 bytes"));
    assert!(refused(psk(&long[..253], "a", b"k")).contains("253 bytes"));
    assert!(refused(psk("", "a", b"k")).contains("0 bytes"));
    assert!(refused(psk("a\nb", "a", b"k")).contains("control character"));
    assert_eq!(service.count(), 0);
    let made = service
        .create(psk(&long[..252], &long[..255], &[1; 64]))
        .expect("the largest");
    assert_eq!(made.warning(), None);
    let short = service.create(psk("b", "b", &[1; 15])).expect("legal");
    assert!(short.warning().expect("unwise").contains("15 bytes"));
}

#[test]
fn a_full_store_refuses_and_says_so() {
    let config = CredentialsConfig {
        credentials: 2,
        ..CredentialsConfig::default()
    };
    let service = CredentialService::open(config, None).expect("opened");
    for name in ["a", "b"] {
        service.create(psk(name, name, b"k")).expect("made");
    }
    let full = service.create(psk("c", "c", b"k"));
    assert!(matches!(full, Err(CredentialError::TooMany(2))));
    let swapped = service.change(|changes| {
        changes.remove(1)?;
        changes.create(psk("c", "c", b"k"))
    });
    assert!(swapped.is_ok(), "what goes makes room");
}

#[test]
fn rotation_ends_the_sessions_of_the_old_key() {
    let service = memory();
    let ended = ended(&service);
    let made = service.create(psk("dev-1", "id", b"old")).expect("made");
    let (_, old) = service.of_identity(b"id").expect("found");
    let rotated = service
        .rotate(made.credential.id, key(b"new"))
        .expect("rotated");
    assert_eq!(rotated.credential.revision, 1);
    assert!(rotated.credential.rotated_at.is_some());
    assert_eq!(*ended.lock().unwrap(), [old]);
    let (secret, new) = service.of_identity(b"id").expect("the identity stays");
    assert_eq!(secret.expose(), b"new");
    assert_ne!(new, old);
    assert!(service.is_for(new, "dev-1") && !service.is_for(old, "dev-1"));
    assert_eq!(service.of_tag(old), None);
    let other = Material::RawPublicKey { spki: spki() };
    let error = service
        .rotate(made.credential.id, other)
        .expect_err("another kind");
    assert!(
        error.to_string().contains("is of kind psk, not rpk"),
        "{error}"
    );
}

#[test]
fn removal_ends_sessions_and_frees_name_and_identity() {
    let service = memory();
    let ended = ended(&service);
    let made = service.create(psk("dev-1", "id", b"k")).expect("made");
    let (_, tag) = service.of_identity(b"id").expect("found");
    service.remove(made.credential.id).expect("removed");
    assert_eq!(*ended.lock().unwrap(), [tag]);
    assert!(service.of_identity(b"id").is_none() && !service.has_credential("dev-1"));
    assert!(!service.is_for(tag, "dev-1"));
    let again = service.remove(made.credential.id);
    assert!(matches!(again, Err(CredentialError::Unknown(1))));
    let new = service.create(psk("dev-2", "id", b"k")).expect("free");
    assert_ne!(new.credential.id, made.credential.id);
}

#[test]
fn changes_are_made_together_or_not_at_all() {
    let service = memory();
    service.create(psk("dev-1", "1", b"k")).expect("made");
    let ended = ended(&service);
    let failed: Result<(), CredentialError> = service.change(|changes| {
        changes.create(psk("dev-2", "2", b"k"))?;
        changes.rotate(1, key(b"new"))?;
        changes.remove(1)?;
        changes.create(psk("dev-3", "1", b"k"))?;
        Err(CredentialError::NoEndpoint)
    });
    assert!(failed.is_err());
    assert_eq!(service.count(), 1);
    assert_eq!(
        service.of_identity(b"1").expect("as it was").0.expose(),
        b"k"
    );
    assert!(ended.lock().unwrap().is_empty());
    let done: Result<_, CredentialError> = service.change(|changes| {
        changes.create(psk("dev-2", "2", b"k"))?;
        let twice = changes.create(psk("dev-3", "2", b"k"));
        assert!(
            matches!(twice, Err(CredentialError::Duplicate { .. })),
            "in one change"
        );
        changes
            .transaction()
            .execute_batch("CREATE TABLE other (a)")?;
        changes.create(psk("dev-3", "3", b"k"))
    });
    done.expect("what failed left the others alone");
    assert_eq!(service.count(), 3);
}

#[test]
fn credentials_outlive_the_process_and_numbers_are_not_given_twice() {
    let folder = Folder::new("restart");
    let service = folder.open().expect("opened");
    let spki = spki();
    service.create(psk("dev-1", "1", b"sesame")).expect("made");
    let material = Material::RawPublicKey { spki: spki.clone() };
    let endpoint = Some("dev-2".to_owned());
    service
        .create(NewCredential { endpoint, material })
        .expect("made");
    service.rotate(1, key(b"open sesame")).expect("rotated");
    service.create(psk("dev-3", "3", b"k")).expect("made");
    service.remove(3).expect("removed");
    let (_, tag) = service.of_identity(b"1").expect("found");
    let (all, own) = (service.list("", None, 10), service.own_key());
    drop(service);

    let service = folder.open().expect("opened again");
    assert_eq!(service.list("", None, 10), all);
    let (secret, again) = service.of_identity(b"1").expect("found");
    assert_eq!((secret.expose(), again), (&b"open sesame"[..], tag));
    assert!(service.of_public_key(&spki).is_some());
    assert_eq!(service.own_key().pair.public_key(), own.pair.public_key());
    assert_eq!(service.own_key().pair.to_der(), own.pair.to_der());
    let made = service.create(psk("dev-3", "3", b"k")).expect("made");
    assert_eq!(made.credential.id, 4, "a tag of before must not fit");
}

#[test]
fn no_key_lies_on_disk_in_the_clear() {
    fn files(folder: &Path) -> Vec<u8> {
        let files = std::fs::read_dir(folder).expect("read");
        let read =
            |file: Result<std::fs::DirEntry, _>| std::fs::read(file.unwrap().path()).unwrap();
        files.flat_map(read).collect()
    }
    let folder = Folder::new("at-rest");
    let service = folder.open().expect("opened");
    service
        .create(psk("dev-1", "the identity", b"open sesame open"))
        .expect("made");
    let bytes = files(&folder.0);
    let holds = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(holds(b"the identity"), "the test reads the right files");
    assert!(!holds(b"open sesame open"));
    assert!(!holds(&service.own_key().pair.to_der()[36..68]));
}

#[test]
fn a_missing_or_wrong_key_file_is_told_at_the_start() {
    let folder = Folder::new("key-file");
    let service = folder.open().expect("opened");
    service.create(psk("dev-1", "1", b"k")).expect("made");
    drop(service);
    let path = folder.0.join("secret.key");
    let right = std::fs::read(&path).expect("read");
    std::fs::remove_file(&path).expect("removed");
    let missing = folder.open().expect_err("missing").to_string();
    assert!(missing.contains("secret.key is missing"), "{missing}");
    Vault::of_file(&path, false).expect("another one");
    let wrong = folder.open().expect_err("wrong").to_string();
    assert!(wrong.contains("is not the one"), "{wrong}");
    std::fs::write(&path, right).expect("written");
    assert_eq!(folder.open().expect("opened").count(), 1);
}

#[test]
fn a_row_changed_by_hand_is_left_out() {
    let folder = Folder::new("changed");
    let service = folder.open().expect("opened");
    for name in ["a", "b", "c", "d"] {
        service
            .create(psk(name, name, name.as_bytes()))
            .expect("made");
    }
    drop(service);
    folder.execute("UPDATE credentials SET endpoint = 'b' WHERE id = 1");
    folder.execute(
        "UPDATE credentials SET sealed = (SELECT sealed FROM credentials WHERE id = 3) WHERE id = 2",
    );
    folder.execute("UPDATE credentials SET revision = 7 WHERE id = 4");
    let service = folder.open().expect("opened");
    let left: Vec<u64> = service
        .list("", None, 10)
        .items
        .iter()
        .map(|one| one.id)
        .collect();
    assert_eq!(left, [3]);
}

#[test]
fn lists_are_in_the_order_of_names_in_pages() {
    let service = memory();
    for (endpoint, identity) in [("b", "1"), ("a", "2"), ("b", "3"), ("C", "4"), ("c", "Bee")] {
        service.create(psk(endpoint, identity, b"k")).expect("made");
    }
    let list = |query: &str, after, limit| {
        let page = service.list(query, after, limit);
        let items = page.items.iter().map(|one| (one.endpoint.clone(), one.id));
        (items.collect::<Vec<_>>(), page.more, page.total)
    };
    let pair = |endpoint: &str, id| (endpoint.to_owned(), id);
    let first = [pair("C", 4), pair("a", 2)].to_vec();
    assert_eq!(list("", None, 2), (first, true, 5));
    let second = [pair("b", 1), pair("b", 3)].to_vec();
    assert_eq!(list("", Some(("a", 2)), 2), (second, true, 5));
    let third = [pair("b", 3), pair("c", 5)].to_vec();
    assert_eq!(list("", Some(("b", 1)), 9), (third, false, 5));
    let found = [pair("b", 1), pair("b", 3), pair("c", 5)].to_vec();
    assert_eq!(list("B", None, 9), (found, false, 3));
    assert_eq!(
        list("", Some(("bb", 0)), 9).0,
        [pair("c", 5)],
        "one that is gone"
    );
}

#[test]
fn public_keys_that_cannot_be_used_are_refused_in_words() {
    let service = memory();
    let told = |spki: &[u8]| {
        let material = Material::RawPublicKey {
            spki: spki.to_vec(),
        };
        let endpoint = Some("a".to_owned());
        let error = service.create(NewCredential { endpoint, material });
        error.expect_err("refused").to_string()
    };
    let mut off = spki();
    off[90] ^= 1;
    assert!(told(&off).contains("not a point"));
    assert!(told(&off[..90]).contains("not a key"));
    assert!(told(b"").contains("not a key"));
}

//! What a server accepts as a device's certificate, and whose it says it is.
#![cfg(feature = "x509")]

#[path = "support/pki.rs"]
mod pki;

use dunlin_dtls::{Certificate, CertificateError, ClientTrust, NameSource, certificates};
use pki::{DnValue, ExtendedKeyUsagePurpose, NOW, Wanted};
use rcgen::{DnType, KeyUsagePurpose};

use CertificateError::*;

fn trusting(authority: &[u8]) -> ClientTrust {
    let mut trust = ClientTrust::new();
    assert_eq!(trust.add_authorities(authority), Ok(1));
    trust
}

fn check(trust: &ClientTrust, chain: &[&[u8]]) -> Result<bool, CertificateError> {
    trust.verify(chain, NOW).map(|verified| verified.pinned)
}

#[test]
fn a_path_to_an_authority_is_accepted_and_no_other() {
    let root = Wanted::authority("Root").self_signed();
    let intermediate = root.issue(Wanted::authority("Intermediate"));
    let leaf = intermediate.issue(Wanted::leaf("device-1"));
    let trust = trusting(root.pem().as_bytes());
    assert_eq!(check(&trust, &[&leaf.der, &intermediate.der]), Ok(false));
    assert_eq!(check(&trust, &[&leaf.der]), Err(UnknownIssuer));
    assert_eq!(check(&trusting(&intermediate.der), &[&leaf.der]), Ok(false));
    let other = Wanted::authority("Other").self_signed();
    assert_eq!(
        check(&trusting(&other.der), &[&leaf.der, &intermediate.der]),
        Err(UnknownIssuer)
    );
    assert_eq!(check(&ClientTrust::new(), &[&leaf.der]), Err(UnknownIssuer));
    assert_eq!(check(&trust, &[]), Err(Missing));
    assert_eq!(check(&trust, &[leaf.der.as_slice(); 9]), Err(TooLong));
}

#[test]
fn several_authorities_come_from_one_file() {
    let authorities = ["A", "B"].map(|name| Wanted::authority(name).self_signed());
    let mut trust = ClientTrust::new();
    assert!(trust.is_empty());
    let file = authorities
        .each_ref()
        .map(|authority| authority.pem())
        .concat();
    assert_eq!(trust.add_authorities(file.as_bytes()), Ok(2));
    assert!(!trust.is_empty());
    for authority in &authorities {
        let leaf = authority.issue(Wanted::leaf("device-1"));
        assert_eq!(check(&trust, &[&leaf.der]), Ok(false));
    }
}

#[test]
fn a_certificate_that_may_not_issue_others_is_no_authority() {
    let leaf = Wanted::leaf("device-1").self_signed();
    let mut trust = ClientTrust::new();
    assert_eq!(trust.add_authorities(&leaf.der), Err(WrongPurpose));
    assert!(trust.is_empty());
    assert_eq!(trust.add_authorities(b""), Err(Missing));
    assert_eq!(trust.add_authorities(b"nonsense"), Err(Malformed));
    // Of a version that cannot say so.
    let old = include_bytes!("support/fixtures/version-1.pem");
    assert_eq!(trust.add_authorities(old), Ok(1));
}

#[test]
fn a_pinned_certificate_is_accepted_for_itself() {
    let leaf = Wanted::leaf("device-1").self_signed();
    let other = Wanted::leaf("device-1").key(2).self_signed();
    let mut trust = ClientTrust::new();
    assert_eq!(trust.pin(&leaf.der), Ok(1));
    assert_eq!(check(&trust, &[&leaf.der]), Ok(true));
    assert_eq!(check(&trust, &[&other.der]), Err(UnknownIssuer));
    // It is not the authority of another.
    let issued = leaf.issue(Wanted::leaf("device-2").key(2));
    assert_eq!(check(&trust, &[&issued.der, &leaf.der]), Err(UnknownIssuer));
    assert_eq!(trust.verify(&[&leaf.der], u64::MAX).err(), Some(Expired));
    assert_eq!(trust.verify(&[&leaf.der], 0).err(), Some(NotYetValid));
    let rsa = include_bytes!("support/fixtures/rsa-authority.pem");
    assert_eq!(trust.pin(rsa), Err(UnsupportedKey));
}

#[test]
fn what_a_leaf_may_not_be_used_for_is_refused() {
    let root = Wanted::authority("Root").self_signed();
    let trust = trusting(&root.der);
    let result = |wanted: Wanted| check(&trust, &[&root.issue(wanted).der]);
    let leaf = || Wanted::leaf("device-1");
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
    assert_eq!(result(leaf().purpose(ClientAuth)), Ok(false));
    assert_eq!(result(leaf().purpose(Any)), Ok(false));
    assert_eq!(result(leaf().purpose(ServerAuth)), Err(WrongPurpose));
    assert_eq!(
        result(leaf().usage(KeyUsagePurpose::DigitalSignature)),
        Ok(false)
    );
    assert_eq!(
        result(leaf().usage(KeyUsagePurpose::KeyAgreement)),
        Err(WrongPurpose)
    );
    assert_eq!(result(leaf().p384()), Err(UnsupportedKey));
    assert_eq!(result(leaf().years(2020, 2026)), Err(Expired));
    assert_eq!(result(leaf().years(2027, 2028)), Err(NotYetValid));
    let broken = pki::with_broken_signature(&root.issue(leaf()).der);
    assert_eq!(check(&trust, &[&broken]), Err(BadSignature));
    let rsa = include_bytes!("support/fixtures/rsa-authority.pem");
    let signed = certificates(include_bytes!("support/fixtures/rsa-signed.pem")).unwrap();
    assert_eq!(
        check(&trusting(rsa), &[&signed[0]]),
        Err(UnsupportedSignature)
    );
}

// ---- names

fn names(wanted: Wanted, source: NameSource) -> Vec<String> {
    let issued = wanted.self_signed();
    Certificate::parse(&issued.der).unwrap().names(source)
}

#[test]
fn names_come_from_the_place_that_is_configured_and_no_other() {
    let wanted = || {
        Wanted::leaf("by-name")
            .dns("by-dns.example.com")
            .dns("second.example.com")
            .uri("urn:dev:os:32473-1")
            .other_name("by-other")
            .address("192.0.2.1")
    };
    assert_eq!(names(wanted(), NameSource::CommonName), ["by-name"]);
    assert_eq!(
        names(wanted(), NameSource::DnsName),
        ["by-dns.example.com", "second.example.com"]
    );
    assert_eq!(names(wanted(), NameSource::Uri), ["urn:dev:os:32473-1"]);
    assert_eq!(names(wanted(), NameSource::OtherName), ["by-other"]);
    let none: [&str; 0] = [];
    for source in [NameSource::DnsName, NameSource::Uri, NameSource::OtherName] {
        assert_eq!(names(Wanted::leaf("by-name"), source), none);
    }
    assert_eq!(
        names(Wanted::nameless().dns("a"), NameSource::CommonName),
        none
    );
}

#[test]
fn a_common_name_is_read_in_every_kind_of_string() {
    for value in [
        DnValue::Utf8String("Gerät".into()),
        DnValue::BmpString("Gerät".try_into().unwrap()),
        DnValue::UniversalString("Gerät".try_into().unwrap()),
    ] {
        assert_eq!(
            names(Wanted::leaf(value), NameSource::CommonName),
            ["Gerät"]
        );
    }
    for value in [
        DnValue::PrintableString("device-1".try_into().unwrap()),
        DnValue::Ia5String("device-1".try_into().unwrap()),
        DnValue::TeletexString("device-1".try_into().unwrap()),
    ] {
        assert_eq!(
            names(Wanted::leaf(value), NameSource::CommonName),
            ["device-1"]
        );
    }
}

/// A name that only begins like another is another, also for those who end texts at a NUL.
#[test]
fn a_name_is_taken_whole() {
    let name = "device-1\0.example.com";
    assert_eq!(names(Wanted::leaf(name), NameSource::CommonName), [name]);
    assert_ne!(
        names(Wanted::leaf(name), NameSource::CommonName),
        ["device-1"]
    );
}

#[test]
fn other_attributes_of_the_subject_are_no_common_name() {
    let wanted = Wanted::nameless().subject(DnType::OrganizationName, "device-1");
    assert!(names(wanted, NameSource::CommonName).is_empty());
    let wanted = Wanted::leaf("device-1").subject(DnType::OrganizationName, "Example");
    assert_eq!(names(wanted, NameSource::CommonName), ["device-1"]);
}

// ---- files

#[test]
fn a_chain_is_read_from_pem_and_from_der_in_its_order() {
    let root = Wanted::authority("Root").self_signed();
    let leaf = root.issue(Wanted::leaf("device-1"));
    let key = pki::pem("PRIVATE KEY", &leaf.key_pair().to_der());
    let text = format!("leaf\n{}{key}root\n{}", leaf.pem(), root.pem());
    for bytes in [text.into_bytes(), [&leaf.der[..], &root.der].concat()] {
        let read = certificates(&bytes).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!((&*read[0], &*read[1]), (&leaf.der[..], &root.der[..]));
    }
    assert_eq!(certificates(b""), Err(Missing));
    assert_eq!(certificates(key.as_bytes()), Err(Missing));
    assert_eq!(
        certificates(&leaf.der[..leaf.der.len() - 1]),
        Err(Malformed)
    );
    assert_eq!(
        certificates(&[&leaf.der[..], &[0]].concat()),
        Err(Malformed)
    );
    assert_eq!(
        certificates(pki::pem("CERTIFICATE", b"no").as_bytes()),
        Err(Malformed)
    );
}

#[test]
fn every_cut_and_every_changed_byte_of_a_certificate_is_survived() {
    let root = Wanted::authority("Root").self_signed();
    let leaf = root.issue(
        Wanted::leaf("d")
            .dns("a")
            .uri("urn:x")
            .other_name("o")
            .address("::1"),
    );
    let all = [
        NameSource::CommonName,
        NameSource::DnsName,
        NameSource::Uri,
        NameSource::OtherName,
    ];
    for length in 0..leaf.der.len() {
        assert_eq!(
            Certificate::parse(&leaf.der[..length]).err(),
            Some(Malformed)
        );
    }
    let mut changed = leaf.der.clone();
    for at in 0..changed.len() {
        for bit in [1, 0x80] {
            changed[at] ^= bit;
            if let Ok(certificate) = Certificate::parse(&changed) {
                let _ = all.map(|source| certificate.names(source));
                let _ = certificate.public_key();
            }
            changed[at] ^= bit;
        }
    }
}

//! What a device accepts as its server: matching types, certificate usages, names, paths.
#![cfg(feature = "x509")]

#[path = "support/pki.rs"]
mod pki;

use dunlin_coap::Instant;
use dunlin_dtls::{
    Alert, CertificateError, CertificateUsage, ExpectedServer, Matching, ServerVerifier, WallClock,
};
use pki::{ExtendedKeyUsagePurpose, Issued, NOW, Wanted};
use rcgen::KeyUsagePurpose;
use sha2::{Digest, Sha256, Sha384, Sha512};

use CertificateError::*;
use CertificateUsage::*;

const HOST: &str = "server.example.com";

/// Root, intermediate, leaf: the chain of most tests.
struct Chain {
    root: Issued,
    intermediate: Issued,
    leaf: Issued,
}

impl Chain {
    fn new() -> Self {
        let root = Wanted::authority("Root").self_signed();
        let intermediate = root.issue(Wanted::authority("Intermediate"));
        let leaf = intermediate.issue(Wanted::leaf(HOST).dns(HOST));
        Self {
            root,
            intermediate,
            leaf,
        }
    }

    /// As the server sends it, without or with the root.
    fn sent(&self) -> [&[u8]; 2] {
        [&self.leaf.der, &self.intermediate.der]
    }
}

fn expect(content: &[u8], usage: CertificateUsage) -> ExpectedServer {
    let clock = WallClock {
        at: Instant::from_secs(100),
        unix_seconds: NOW,
    };
    ExpectedServer::certificate(content, Matching::Exact, usage)
        .unwrap()
        .named(HOST)
        .at(clock)
}

fn check(server: &ExpectedServer, chain: &[&[u8]]) -> Result<(), CertificateError> {
    server.check_certificate(chain, Instant::from_secs(101))
}

// ---- raw public keys

#[test]
fn a_raw_public_key_must_be_the_expected_one_in_every_matching_type() {
    let (own, other) = (pki::key(1), pki::key(2));
    let spki = own.public_key();
    for (content, matching) in [
        (spki.to_vec(), Matching::Exact),
        (Sha256::digest(spki).to_vec(), Matching::Sha256),
        (Sha384::digest(spki).to_vec(), Matching::Sha384),
        (Sha512::digest(spki).to_vec(), Matching::Sha512),
    ] {
        let server = ExpectedServer::raw_public_key(&content, matching).unwrap();
        assert_eq!(server.check_raw_public_key(spki), Ok(()), "{matching:?}");
        assert_eq!(
            server.check_raw_public_key(other.public_key()),
            Err(NotExpected)
        );
        let refused = server.raw_public_key(other.public_key());
        assert_eq!(refused, Err(Alert::CERTIFICATE_UNKNOWN));
    }
}

#[test]
fn a_hash_of_another_length_is_refused_when_it_is_set() {
    for (length, matching) in [
        (31, Matching::Sha256),
        (32, Matching::Sha384),
        (48, Matching::Sha512),
    ] {
        let content = vec![0; length];
        assert_eq!(
            ExpectedServer::raw_public_key(&content, matching).err(),
            Some(Malformed)
        );
        let certificate = ExpectedServer::certificate(&content, matching, DomainIssued);
        assert_eq!(certificate.err(), Some(Malformed));
    }
    let exact = ExpectedServer::raw_public_key(&[0; 91], Matching::Exact);
    assert_eq!(exact.err(), Some(Malformed));
}

#[test]
fn a_key_is_no_certificate_and_a_certificate_no_key() {
    let chain = Chain::new();
    let spki = chain.leaf.key_pair().public_key();
    let key = ExpectedServer::raw_public_key(spki, Matching::Exact).unwrap();
    assert_eq!(check(&key, &chain.sent()), Err(NotExpected));
    let certificate = expect(&chain.leaf.der, DomainIssued);
    assert_eq!(certificate.check_raw_public_key(spki), Err(NotExpected));
}

#[test]
fn numbers_of_the_security_object_beyond_3_are_reserved() {
    assert_eq!(Matching::from_number(3), Some(Matching::Sha512));
    assert_eq!(Matching::from_number(4), None);
    assert_eq!(CertificateUsage::from_number(0), Some(CaConstraint));
    assert_eq!(
        CertificateUsage::from_number(1),
        Some(ServiceCertificateConstraint)
    );
    assert_eq!(CertificateUsage::from_number(2), Some(TrustAnchorAssertion));
    assert_eq!(CertificateUsage::from_number(3), Some(DomainIssued));
    assert_eq!(CertificateUsage::from_number(4), None);
    assert_eq!(CertificateUsage::default(), DomainIssued);
    assert_eq!(Matching::default(), Matching::Exact);
}

// ---- usage 3

#[test]
fn usage_3_takes_the_certificate_itself_whatever_else_is_sent() {
    let chain = Chain::new();
    let server = expect(&chain.leaf.der, DomainIssued);
    assert_eq!(check(&server, &[&chain.leaf.der]), Ok(()));
    assert_eq!(check(&server, &chain.sent()), Ok(()));
    let all = [
        &chain.leaf.der[..],
        &chain.intermediate.der,
        &chain.root.der,
    ];
    assert_eq!(check(&server, &all), Ok(()));
    let other = chain
        .intermediate
        .issue(Wanted::leaf(HOST).dns(HOST).key(9));
    assert_eq!(check(&server, &[&other.der]), Err(NotExpected));
    assert_eq!(check(&server, &[]), Err(Missing));
}

#[test]
fn usage_3_refuses_an_authority_of_the_certificate() {
    let chain = Chain::new();
    for authority in [&chain.intermediate, &chain.root] {
        let server = expect(&authority.der, DomainIssued)
            .trusting(&chain.root.der)
            .unwrap();
        assert_eq!(check(&server, &chain.sent()), Err(NotExpected));
    }
}

#[test]
fn usage_3_works_by_hash_in_pem_without_a_clock_and_with_an_expired_certificate() {
    let leaf = Wanted::leaf("another name").years(2020, 2021).self_signed();
    let hashed = [
        (leaf.der.clone(), Matching::Exact),
        (leaf.pem().into_bytes(), Matching::Exact),
        (Sha256::digest(&leaf.der).to_vec(), Matching::Sha256),
        (Sha384::digest(&leaf.der).to_vec(), Matching::Sha384),
        (Sha512::digest(&leaf.der).to_vec(), Matching::Sha512),
    ];
    for (content, matching) in hashed {
        let server = ExpectedServer::certificate(&content, matching, DomainIssued).unwrap();
        assert_eq!(check(&server, &[&leaf.der]), Ok(()), "{matching:?}");
    }
}

/// Version 1.0, and the test 403 of the enabler: the expected certificate, but the server was
/// looked up by another name.
#[test]
fn the_name_of_the_expected_certificate_is_looked_at_where_it_is_asked_for() {
    let leaf = Wanted::leaf(HOST).dns(HOST).self_signed();
    let server = expect(&leaf.der, DomainIssued).named("server-fail.example.com");
    assert_eq!(check(&server, &[&leaf.der]), Ok(()));
    let strict = server.always_by_name();
    assert_eq!(check(&strict, &[&leaf.der]), Err(WrongName));
    assert_eq!(
        strict.certificate(&[&leaf.der], Instant::ZERO),
        Err(Alert::BAD_CERTIFICATE)
    );
    assert_eq!(check(&strict.clone().named(HOST), &[&leaf.der]), Ok(()));
    // The URI has an address, so there is no name to compare.
    assert_eq!(check(&strict.named("127.0.0.1"), &[&leaf.der]), Ok(()));
}

#[test]
fn a_certificate_of_version_1_and_an_authority_can_be_the_expected_one() {
    let old = dunlin_dtls::certificates(include_bytes!("support/fixtures/version-1.pem")).unwrap();
    assert_eq!(check(&expect(&old[0], DomainIssued), &[&old[0]]), Ok(()));
    let authority = Wanted::authority("x")
        .usage(KeyUsagePurpose::DigitalSignature)
        .self_signed();
    assert_eq!(
        check(&expect(&authority.der, DomainIssued), &[&authority.der]),
        Ok(())
    );
}

// ---- usage 2

#[test]
fn usage_2_accepts_a_complete_path_to_the_expected_authority() {
    let chain = Chain::new();
    let root = expect(&chain.root.der, TrustAnchorAssertion);
    assert_eq!(check(&root, &chain.sent()), Ok(()));
    let all = [
        &chain.leaf.der[..],
        &chain.intermediate.der,
        &chain.root.der,
    ];
    assert_eq!(check(&root, &all), Ok(()));
    // The intermediate certificate is not sent.
    assert_eq!(check(&root, &[&chain.leaf.der]), Err(UnknownIssuer));
    let intermediate = expect(&chain.intermediate.der, TrustAnchorAssertion);
    assert_eq!(check(&intermediate, &[&chain.leaf.der]), Ok(()));
    assert_eq!(check(&intermediate, &chain.sent()), Ok(()));
}

#[test]
fn usage_2_does_not_look_into_the_trust_store() {
    let chain = Chain::new();
    let other = Wanted::authority("Other").self_signed();
    let server = expect(&other.der, TrustAnchorAssertion)
        .trusting(&chain.root.der)
        .unwrap();
    assert_eq!(check(&server, &chain.sent()), Err(UnknownIssuer));
    let alert = server.certificate(&chain.sent(), Instant::from_secs(101));
    assert_eq!(alert, Err(Alert::UNKNOWN_CA));
}

#[test]
fn usage_2_refuses_the_leaf_in_the_place_of_the_authority_unless_it_is_self_signed() {
    let chain = Chain::new();
    let leaf = ExpectedServer::certificate(&chain.leaf.der, Matching::Exact, TrustAnchorAssertion);
    assert_eq!(leaf.err(), Some(WrongPurpose));
    let by_hash = Sha256::digest(&chain.leaf.der);
    let by_hash =
        ExpectedServer::certificate(&by_hash, Matching::Sha256, TrustAnchorAssertion).unwrap();
    let clock = WallClock {
        at: Instant::ZERO,
        unix_seconds: NOW,
    };
    assert_eq!(
        check(&by_hash.named(HOST).at(clock), &chain.sent()),
        Err(UnknownIssuer)
    );
    let own = Wanted::leaf("any").self_signed();
    assert_eq!(
        check(&expect(&own.der, TrustAnchorAssertion), &[&own.der]),
        Ok(())
    );
    let old = dunlin_dtls::certificates(include_bytes!("support/fixtures/version-1.pem")).unwrap();
    assert_eq!(
        check(&expect(&old[0], TrustAnchorAssertion), &[&old[0]]),
        Ok(())
    );
    let expired = Wanted::leaf("any").years(2020, 2021).self_signed();
    let server = expect(&expired.der, TrustAnchorAssertion);
    assert_eq!(check(&server, &[&expired.der]), Err(Expired));
}

#[test]
fn a_self_signed_leaf_that_is_an_anchor_issues_nothing() {
    let own = Wanted::leaf(HOST).dns(HOST).self_signed();
    let forged = own.issue(Wanted::leaf(HOST).dns(HOST).key(5));
    let server = expect(&own.der, TrustAnchorAssertion);
    assert_eq!(check(&server, &[&forged.der]), Err(UnknownIssuer));
    assert_eq!(check(&server, &[&forged.der, &own.der]), Err(WrongPurpose));
}

#[test]
fn usage_2_by_hash_needs_the_authority_in_the_chain() {
    let chain = Chain::new();
    let clock = WallClock {
        at: Instant::ZERO,
        unix_seconds: NOW,
    };
    let server = |authority: &Issued| {
        let hash = Sha256::digest(&authority.der);
        ExpectedServer::certificate(&hash, Matching::Sha256, TrustAnchorAssertion)
            .unwrap()
            .named(HOST)
            .at(clock)
    };
    assert_eq!(check(&server(&chain.intermediate), &chain.sent()), Ok(()));
    assert_eq!(
        check(&server(&chain.root), &chain.sent()),
        Err(UnknownIssuer)
    );
    let all = [
        &chain.leaf.der[..],
        &chain.intermediate.der,
        &chain.root.der,
    ];
    assert_eq!(check(&server(&chain.root), &all), Ok(()));
}

// ---- usages 0 and 1

#[test]
fn usage_1_needs_the_certificate_and_a_path_to_the_trust_store() {
    let chain = Chain::new();
    let server = expect(&chain.leaf.der, ServiceCertificateConstraint);
    assert_eq!(check(&server, &chain.sent()), Err(UnknownIssuer));
    let server = server.trusting(chain.root.pem().as_bytes()).unwrap();
    assert_eq!(check(&server, &chain.sent()), Ok(()));
    assert_eq!(check(&server, &[&chain.leaf.der]), Err(UnknownIssuer));
    let other = chain
        .intermediate
        .issue(Wanted::leaf(HOST).dns(HOST).key(9));
    assert_eq!(
        check(&server, &[&other.der, &chain.intermediate.der]),
        Err(NotExpected)
    );
    let own = Wanted::leaf(HOST).self_signed();
    let server = expect(&own.der, ServiceCertificateConstraint);
    assert_eq!(check(&server, &[&own.der]), Err(UnknownIssuer));
    assert_eq!(
        check(&server.trusting(&own.der).unwrap(), &[&own.der]),
        Ok(())
    );
}

#[test]
fn usage_0_needs_a_path_through_the_authority_to_the_trust_store() {
    let chain = Chain::new();
    for authority in [&chain.intermediate, &chain.root] {
        let server = expect(&authority.der, CaConstraint);
        assert_eq!(check(&server, &chain.sent()), Err(UnknownIssuer));
        let server = server.trusting(&chain.root.der).unwrap();
        assert_eq!(check(&server, &chain.sent()), Ok(()));
        assert_eq!(check(&server, &[&chain.leaf.der]), Err(UnknownIssuer));
    }
    let by_hash = |authority: &Issued| {
        let hash = Sha512::digest(&authority.der);
        ExpectedServer::certificate(&hash, Matching::Sha512, CaConstraint)
            .unwrap()
            .named(HOST)
            .at(WallClock {
                at: Instant::ZERO,
                unix_seconds: NOW,
            })
            .trusting(&chain.root.der)
            .unwrap()
    };
    assert_eq!(check(&by_hash(&chain.intermediate), &chain.sent()), Ok(()));
    assert_eq!(check(&by_hash(&chain.root), &chain.sent()), Ok(()));
    assert_eq!(
        check(&by_hash(&chain.leaf), &chain.sent()),
        Err(UnknownIssuer)
    );
}

#[test]
fn usage_0_refuses_a_valid_path_through_another_authority_and_the_leaf() {
    let chain = Chain::new();
    let other = chain.root.issue(Wanted::authority("Other"));
    let server = expect(&other.der, CaConstraint)
        .trusting(&chain.root.der)
        .unwrap();
    assert_eq!(check(&server, &chain.sent()), Err(UnknownIssuer));
    // That it is sent as well does not put it on the path.
    let padded = [&chain.leaf.der[..], &chain.intermediate.der, &other.der];
    assert_eq!(check(&server, &padded), Err(UnknownIssuer));
    let leaf = ExpectedServer::certificate(&chain.leaf.der, Matching::Exact, CaConstraint);
    assert_eq!(leaf.err(), Some(WrongPurpose));
}

// ---- names

#[test]
fn a_certificate_that_is_not_the_expected_one_must_be_for_the_name() {
    let root = Wanted::authority("Root").self_signed();
    let server = |host: &str| expect(&root.der, TrustAnchorAssertion).named(host);
    let issued = |wanted: Wanted| root.issue(wanted).der;
    for (wanted, host, result) in [
        (Wanted::leaf("x").dns(HOST), HOST, Ok(())),
        (
            Wanted::leaf("x").dns("Server.EXAMPLE.com"),
            "sERVER.example.com.",
            Ok(()),
        ),
        (
            Wanted::leaf("x").dns("a.example.com").dns(HOST),
            HOST,
            Ok(()),
        ),
        (
            Wanted::leaf("x").dns(HOST),
            "a.server.example.com",
            Err(WrongName),
        ),
        (Wanted::leaf("x").dns(HOST), "example.com", Err(WrongName)),
        // RFC 7252 §9.1.3.3: no wildcards.
        (Wanted::leaf("x").dns("*.example.com"), HOST, Err(WrongName)),
        (Wanted::leaf("*.example.com"), HOST, Err(WrongName)),
        // The common name counts where no alternative name says a host (RFC 6125 §6.4.4).
        (Wanted::leaf(HOST), HOST, Ok(())),
        (Wanted::leaf(HOST).address("127.0.0.1"), HOST, Ok(())),
        (
            Wanted::leaf(HOST).dns("other.example.com"),
            HOST,
            Err(WrongName),
        ),
        (
            Wanted::leaf(HOST).uri("coaps://other.example.com"),
            HOST,
            Err(WrongName),
        ),
        (Wanted::nameless(), HOST, Err(WrongName)),
        // Addresses.
        (Wanted::leaf("x").address("192.0.2.1"), "192.0.2.1", Ok(())),
        (
            Wanted::leaf("x").address("2001:db8::1"),
            "[2001:db8::1]",
            Ok(()),
        ),
        (
            Wanted::leaf("x").address("192.0.2.1"),
            "192.0.2.2",
            Err(WrongName),
        ),
        (Wanted::leaf("192.0.2.1"), "192.0.2.1", Ok(())),
        (
            Wanted::leaf("192.0.2.1").dns(HOST),
            "192.0.2.1",
            Err(WrongName),
        ),
        (
            Wanted::leaf("x").dns("192.0.2.1"),
            "192.0.2.1",
            Err(WrongName),
        ),
        // Nothing to compare with is nothing to trust.
        (Wanted::leaf("x").dns(HOST), "", Err(WrongName)),
        (Wanted::nameless(), "", Err(WrongName)),
    ] {
        assert_eq!(check(&server(host), &[&issued(wanted)]), result, "{host}");
    }
}

// ---- paths

/// A leaf and what is wrong with its path, for the root of [`Chain`].
fn faults(root: &Issued) -> Vec<(&'static str, Vec<Vec<u8>>, CertificateError)> {
    let leaf = || Wanted::leaf(HOST).dns(HOST);
    let authority = || Wanted::authority("Intermediate");
    let below = |authority: Issued| vec![authority.issue(leaf()).der, authority.der];
    let long = root.issue(authority().path_length(0));
    let lower = long.issue(Wanted::authority("Lower"));
    let good = root.issue(authority());
    let forged_root = Wanted::authority("Root").key(99).self_signed();
    vec![
        (
            "expired",
            vec![root.issue(leaf().years(2020, 2026)).der],
            Expired,
        ),
        (
            "not yet valid",
            vec![root.issue(leaf().years(2027, 2040)).der],
            NotYetValid,
        ),
        (
            "authority expired",
            below(root.issue(authority().years(2020, 2026))),
            Expired,
        ),
        (
            "broken",
            vec![pki::with_broken_signature(&root.issue(leaf()).der)],
            BadSignature,
        ),
        (
            "forged by a namesake",
            vec![forged_root.issue(leaf()).der],
            BadSignature,
        ),
        (
            "broken authority",
            vec![
                good.issue(leaf()).der,
                pki::with_broken_signature(&good.der),
            ],
            BadSignature,
        ),
        (
            "no authority",
            below(root.issue(authority().no_authority())),
            WrongPurpose,
        ),
        (
            "too deep",
            vec![lower.issue(leaf()).der, lower.der, long.der],
            Constraint,
        ),
        (
            "critical",
            vec![root.issue(leaf().critical_extension()).der],
            Constraint,
        ),
        (
            "is an authority",
            vec![
                root.issue(
                    Wanted::authority(HOST)
                        .dns(HOST)
                        .usage(KeyUsagePurpose::DigitalSignature),
                )
                .der,
            ],
            WrongPurpose,
        ),
        (
            "only signs certificates",
            vec![root.issue(leaf().usage(KeyUsagePurpose::KeyCertSign)).der],
            WrongPurpose,
        ),
        ("P-384", vec![root.issue(leaf().p384()).der], UnsupportedKey),
        (
            "cut off",
            vec![root.issue(leaf()).der[..200].to_vec()],
            Malformed,
        ),
        ("nonsense", vec![b"nonsense".to_vec()], Malformed),
    ]
}

#[test]
fn each_fault_of_a_path_has_its_error() {
    let chain = Chain::new();
    let server = expect(&chain.root.der, TrustAnchorAssertion);
    for (name, sent, error) in faults(&chain.root) {
        let sent: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
        assert_eq!(check(&server, &sent), Err(error), "{name}");
    }
}

#[test]
fn each_error_has_its_alert() {
    for (error, number) in [
        (Missing, 42),
        (Malformed, 42),
        (BadSignature, 42),
        (Constraint, 42),
        (WrongName, 42),
        (UnsupportedKey, 43),
        (UnsupportedSignature, 43),
        (WrongPurpose, 43),
        (PathsUnsupported, 43),
        (Expired, 45),
        (NotYetValid, 45),
        (NotExpected, 46),
        (TimeUnknown, 46),
        (TooLong, 46),
        (UnknownIssuer, 48),
    ] {
        assert_eq!(error.alert().number(), number, "{error:?}");
        assert_eq!(error.alert().class(), dunlin_dtls::AlertClass::Fail);
    }
}

#[test]
fn the_extended_key_usage_must_allow_a_server_where_there_is_one() {
    let chain = Chain::new();
    let server = expect(&chain.root.der, TrustAnchorAssertion);
    let leaf = |purposes: &[ExtendedKeyUsagePurpose]| {
        let wanted = Wanted::leaf(HOST).dns(HOST);
        let wanted = purposes.iter().cloned().fold(wanted, Wanted::purpose);
        check(&server, &[&chain.root.issue(wanted).der])
    };
    use ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
    assert_eq!(leaf(&[ServerAuth]), Ok(()));
    assert_eq!(leaf(&[ClientAuth, ServerAuth]), Ok(()));
    assert_eq!(leaf(&[Any]), Ok(()));
    assert_eq!(leaf(&[ClientAuth]), Err(WrongPurpose));
}

#[test]
fn authorities_on_p_384_are_followed() {
    let root = Wanted::authority("Root").p384().self_signed();
    let intermediate = root.issue(Wanted::authority("Intermediate").p384());
    let leaf = intermediate.issue(Wanted::leaf(HOST));
    let server = expect(&root.der, TrustAnchorAssertion);
    assert_eq!(check(&server, &[&leaf.der, &intermediate.der]), Ok(()));
    let broken = pki::with_broken_signature(&leaf.der);
    assert_eq!(
        check(&server, &[&broken, &intermediate.der]),
        Err(BadSignature)
    );
}

#[test]
fn authorities_of_rsa_are_refused_for_what_they_are() {
    let read = |bytes: &[u8]| dunlin_dtls::certificates(bytes).unwrap().remove(0);
    let root = read(include_bytes!("support/fixtures/rsa-authority.pem"));
    let leaf = read(include_bytes!("support/fixtures/rsa-signed.pem"));
    let server = expect(&root, TrustAnchorAssertion).named("device-1");
    assert_eq!(check(&server, &[&leaf]), Err(UnsupportedSignature));
    // As the leaf itself.
    assert_eq!(
        check(&expect(&root, DomainIssued), &[&root]),
        Err(UnsupportedKey)
    );
}

#[test]
fn an_authority_of_version_1_can_be_trusted() {
    let old = dunlin_dtls::certificates(include_bytes!("support/fixtures/version-1.pem")).unwrap();
    assert!(ExpectedServer::certificate(&old[0], Matching::Exact, TrustAnchorAssertion).is_ok());
    assert!(ExpectedServer::certificate(&old[0], Matching::Exact, CaConstraint).is_ok());
}

#[test]
fn without_the_time_no_path_is_valid() {
    let chain = Chain::new();
    let server =
        ExpectedServer::certificate(&chain.root.der, Matching::Exact, TrustAnchorAssertion)
            .unwrap()
            .named(HOST);
    assert_eq!(check(&server, &chain.sent()), Err(TimeUnknown));
}

#[test]
fn time_goes_on_after_it_was_said() {
    let root = Wanted::authority("Root").self_signed();
    let leaf = root.issue(Wanted::leaf(HOST).years(2020, 2027));
    let server = expect(&root.der, TrustAnchorAssertion);
    let at = |seconds| server.check_certificate(&[&leaf.der], Instant::from_secs(seconds));
    // 2027-01-01.
    let left = 1_798_761_600 - NOW;
    assert_eq!(at(100 + left), Ok(()));
    assert_eq!(at(100 + left + 1), Err(Expired));
}

#[test]
fn a_long_chain_is_refused_before_anything_is_verified() {
    let chain = Chain::new();
    let server = expect(&chain.root.der, TrustAnchorAssertion);
    let mut sent = vec![&chain.leaf.der[..]];
    sent.extend(core::iter::repeat_n(&chain.intermediate.der[..], 7));
    assert_eq!(check(&server, &sent), Ok(()));
    sent.push(&chain.intermediate.der);
    assert_eq!(check(&server, &sent), Err(TooLong));
}

/// Authorities of one name that certify each other: a maze.
#[test]
fn a_maze_of_namesakes_costs_a_bounded_number_of_signatures() {
    let root = Wanted::authority("Root").self_signed();
    let maze: Vec<Issued> = (0..7)
        .map(|number| {
            let issuer = Wanted::authority("Maze")
                .key(50 + (number + 1) % 7)
                .self_signed();
            issuer.issue(Wanted::authority("Maze").key(50 + number))
        })
        .collect();
    let leaf = maze[0].issue(Wanted::leaf(HOST));
    let mut sent = vec![&leaf.der[..]];
    sent.extend(maze.iter().map(|issued| &issued.der[..]));
    let server = expect(&root.der, TrustAnchorAssertion);
    let begin = std::time::Instant::now();
    assert!(check(&server, &sent).is_err());
    // 16 signatures, without optimisation, on a busy machine.
    assert!(begin.elapsed().as_secs() < 10);
}

//! Primitives, key schedule and records against bytes that another implementation made
//! (`known_answers.py` beside this file, over OpenSSL).

use dunlin_coap::Rng;
use dunlin_dtls::Suite;
use dunlin_dtls::testing::{
    ContentType, EphemeralKey, MasterSecret, Protection, Records, Side, WriteKeys,
    ecdhe_psk_premaster, number, prf, psk_premaster, sha256,
};

const PRF: &str = "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b66";
const MASTER_PSK: &str = "bbd7b2afa1a50ce3a012d21b5444b427a12eb6bbf21af05b551f4d9efc1dc68206efb8230efb6d33e9333f609919b61e";
const MASTER_PSK_EXTENDED: &str = "fb7e9e0c1e555ba66ffe0f1daf600c8a16278a3f8ef9721873f01bf65fff9de8b4b6401a9317e5a63c47d1014611c41d";
const POINT_1: &str = "046ff03b949241ce1dadd43519e6960e0a85b41a69a05c328103aa2bce1594ca163c4f753a55bf01dc53f6c0b0c7eee78b40c6ff7d25a96e2282b989cef71c144a";
const POINT_2: &str = "04550f471003f3df97c3df506ac797f6721fb1a1fb7b8f6f83d224498a65c88e24136093d7012e509a73715cbd0b00a3cc0ff4b5c01b3ffa196ab1fb327036b8e6";
const SHARED: &str = "eb459a6b30d70eb4c0ddcd34ea96ed59e8f8d1843c22dd895ab603aa13d9a81d";
const MASTER_ECDHE_PSK_EXTENDED: &str = "6b32ef627b7ce8ee3900a5bd4bc7031fa07a9a25cd6b88f66b0135de51cd88967e4588f5663537be13d5a2dd36e89433";
const MASTER_ECDHE_EXTENDED: &str = "2d357c656d08544a03553ee74cacf7762d51748ddd585d3a8b99ff646277acb0e04107d34a95c208d5de788f5eea74b1";
const CLIENT_FINISHED: &str = "7f6ea7d59d9650371badd686";
const SERVER_FINISHED: &str = "84db7f8e9451eeae0748c5a9";
const KEY_BLOCK_AEAD: &str =
    "43c661e98cf388b2cf381aa831701aa510bb649684039e0377857080ae7dc9f0965fdedf15904164";
const KEY_BLOCK_CBC: &str = "43c661e98cf388b2cf381aa831701aa510bb649684039e0377857080ae7dc9f0965fdedf159041649751bcf8211785f0dccf66c826471361db8ac24799c25ad0bbdca90cfedf32d4ef6451bda3b36afe112e3f664f437248d2eb65fcb49f6b7e";
const CCM8: &str = "17fefd000100000000010200250001000000000102d3214a937c0668d67d39a675c065090214daba4e153749f28d73346712";
const GCM: &str = "17fefd0001000000000102002d00010000000001021b6681906208b63413a7a6d060f0634e794ea06010353d2e0c373d0c3033aa5bc0f5193e07";
const CBC: &str = "17fefd00010000000001020050e0e1e2e3e4e5e6e7e8e9eaebecedeeef0adae0136779c317f2af074c2f57a1bee62398ed5e3bf36067d9a79db045d4d20b74b048f151d94b8119195c4e45c1b54f103a6fd87eea4f751e90a22fd8e9e3";
const CBC_ENCRYPT_THEN_MAC: &str = "17fefd00010000000001020050e0e1e2e3e4e5e6e7e8e9eaebecedeeef0adae0136779c317f2af074c2f57a1be9eeccba858ce2ff3c0f9356ecc59196189752df705cebf78b7a32eac493bcec461a6c46ac1624a9239105bbe4a32f3f1";
const CCM8_CID: &str = "19fefd0001000000000102c1d2e300260001000000000102d3214a937c0668d67d39a675c065090214daba4e157107dd8e5bb4ad55e7";
const GCM_CID: &str = "19fefd0001000000000102c1d2e3002e00010000000001021b6681906208b63413a7a6d060f0634e794ea0601056e3fd77515e9f8825f04bad28459a97ba";
const CBC_CID: &str = "19fefd0001000000000102c1d2e30050e0e1e2e3e4e5e6e7e8e9eaebecedeeef0adae0136779c317f2af074c2f57a1be7ae5592c2d385e4a6bf63ca758de90f8353b3cea0f6f7e308c92641ed7d9df44816d9afeda17607baee5eff457ac7dfd";
const CBC_ENCRYPT_THEN_MAC_CID: &str = "19fefd0001000000000102c1d2e30050e0e1e2e3e4e5e6e7e8e9eaebecedeeef0adae0136779c317f2af074c2f57a1be42af59fa73f2ab57adc860605d98763664f8a61a9f776b823ce9144b4459a8cde047b346ffbe68cdf597c353d3906fe7";
const CCM8_CID_PADDED: &str = "19fefd0001000000000102c1d2e3002d0001000000000102d3214a937c0668d67d39a675c065090214daba4e1573da9e8d5e86647ca29b3fec96b0ecc3";
const CCM8_CID_NO_TYPE: &str =
    "19fefd0001000000000102c1d2e300190001000000000102b20118f61b6f1ba218b02a496367881e54";
const CBC_LONG_PADDING: &str = "17fefd00010000000001020140e0e1e2e3e4e5e6e7e8e9eaebecedeeef0adae0136779c317f2af074c2f57a1bee62398ed5e3bf36067d9a79db045d4d20b74b048f151d94b8119195c4e45c1b5685f5e868136157ac30fac8b27ca7ba2ffb757a4fbb5822e9ff6b53348c81130b11f0d675d356650ea2e55e026c91a6e5f5f7472e5b79ad912f41ed128339712e6c3d78d463b0535873878eb74381b613e5585f1d4f0ee4e5b9862aac0307e22e3f606f544f3c48299f1ac2e7d538f3b2a93b4c962c8fc58269e2821fff1783ad61a391e3e730c0713e0cc65a8731be3acd4294056cfb57018b06ece6a98dbadf113b856d97bb561e830976559fb4d374cceb8c86a3b09a28fd5a3ea39f87de40a69ce7a8a92916326b6fe38ac75aba7528337010ad9ad94fb4650db460e3c681b7d377cb35bafbe77735dbb83ba7b10c6d1183e81b25bb3e3f9b57954d8510f";

const PSK: &str = "00112233445566778899aabbccddeeff";
const CONTENT: &[u8] = b"a Register, an Update";
const CID: [u8; 3] = [0xc1, 0xd2, 0xe3];

fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2));
    (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
        .collect()
}

fn hello(first: u8) -> [u8; 32] {
    core::array::from_fn(|i| first.wrapping_add(i as u8))
}

fn transcript() -> [u8; 32] {
    sha256(&[b"transcript"])
}

fn psk_master() -> MasterSecret {
    MasterSecret::extended(&psk_premaster(&bytes(PSK)).unwrap(), &transcript())
}

/// Gives e0, e1, .. as the IV of a CBC record.
struct Counting(u8);

impl Rng for Counting {
    fn next_u32(&mut self) -> u32 {
        let first = self.0;
        self.0 += 4;
        u32::from_le_bytes([first, first + 1, first + 2, first + 3])
    }
}

/// The published vector for the PRF with SHA-256 (posted to the TLS working group's list in 2008
/// and used by most implementations), in seed and output.
#[test]
fn prf_gives_the_published_vector() {
    let mut out = [0; 100];
    prf(
        &bytes("9bbe436ba940f017b17652849a71db35"),
        b"test label",
        &[&bytes("a0ba9f936cda311827a6f796ffd5198c")],
        &mut out,
    );
    assert_eq!(
        out[..],
        bytes(
            "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14\
             baf9af0fa022f7077def17abfd3797c0564bab4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e\
             5a5110fff70187347b66"
        )
    );
    assert_eq!(out[..], bytes(PRF));
}

#[test]
fn master_secret_of_a_psk_without_and_with_extension() {
    let premaster = psk_premaster(&bytes(PSK)).unwrap();
    let classic = MasterSecret::classic(&premaster, &hello(0x10), &hello(0x80));
    assert_eq!(classic.as_bytes()[..], bytes(MASTER_PSK));
    assert_eq!(psk_master().as_bytes()[..], bytes(MASTER_PSK_EXTENDED));
}

#[test]
fn ecdh_and_its_master_secrets() {
    let ours = EphemeralKey::from_bytes(&[1; 32]).unwrap();
    let theirs = EphemeralKey::from_bytes(&[2; 32]).unwrap();
    assert_eq!(ours.public_key()[..], bytes(POINT_1));
    assert_eq!(theirs.public_key()[..], bytes(POINT_2));
    let shared = ours.agree(&theirs.public_key()).unwrap();
    assert_eq!(shared[..], bytes(SHARED));
    assert_eq!(theirs.agree(&ours.public_key()).unwrap(), shared);

    let with_psk = ecdhe_psk_premaster(&shared, &bytes(PSK)).unwrap();
    let master = MasterSecret::extended(&with_psk, &transcript());
    assert_eq!(master.as_bytes()[..], bytes(MASTER_ECDHE_PSK_EXTENDED));
    let master = MasterSecret::extended(shared.as_slice(), &transcript());
    assert_eq!(master.as_bytes()[..], bytes(MASTER_ECDHE_EXTENDED));
}

#[test]
fn a_point_that_is_none_of_the_curve_is_refused() {
    let ours = EphemeralKey::from_bytes(&[1; 32]).unwrap();
    let good = EphemeralKey::from_bytes(&[2; 32]).unwrap().public_key();
    for byte in 1..65 {
        let mut bad = good;
        bad[byte] ^= 1;
        assert!(ours.agree(&bad).is_none(), "byte {byte}");
    }
    assert!(ours.agree(&[0]).is_none(), "the point at infinity");
    assert!(ours.agree(&[4; 65]).is_none());
    assert!(ours.agree(&[]).is_none());
    let mut compressed = [0; 33];
    compressed.copy_from_slice(&good[..33]);
    compressed[0] = 2 + (good[64] & 1);
    assert!(
        ours.agree(&compressed).is_none(),
        "a format that was not offered"
    );
    let mut hybrid = good;
    hybrid[0] = 6 + (good[64] & 1);
    assert!(ours.agree(&hybrid).is_none());
}

#[test]
fn verify_data_of_both_sides() {
    let master = psk_master();
    let of = |side| master.verify_data(side, &transcript())[..].to_vec();
    assert_eq!(of(Side::Client), bytes(CLIENT_FINISHED));
    assert_eq!(of(Side::Server), bytes(SERVER_FINISHED));
}

#[test]
fn key_block_of_authenticated_encryption() {
    let block = bytes(KEY_BLOCK_AEAD);
    for suite in [Suite::PskAes128Ccm8, Suite::EcdheEcdsaAes128GcmSha256] {
        let keys = psk_master().keys(suite.cipher(), &hello(0x10), &hello(0x80));
        let WriteKeys::Aead { key, salt } = keys.of(Side::Client) else {
            panic!("{suite:?}")
        };
        assert_eq!((&key[..], &salt[..]), (&block[..16], &block[32..36]));
        let WriteKeys::Aead { key, salt } = keys.of(Side::Server) else {
            panic!("{suite:?}")
        };
        assert_eq!((&key[..], &salt[..]), (&block[16..32], &block[36..40]));
    }
}

#[test]
fn key_block_of_cbc() {
    let block = bytes(KEY_BLOCK_CBC);
    let cipher = Suite::PskAes128CbcSha256.cipher();
    let keys = psk_master().keys(cipher, &hello(0x10), &hello(0x80));
    let (WriteKeys::Cbc(client), WriteKeys::Cbc(server)) = (&keys.client, &keys.server) else {
        panic!("{keys:?}")
    };
    assert_eq!(client.mac[..], block[..32]);
    assert_eq!(server.mac[..], block[32..64]);
    assert_eq!(client.key[..], block[64..80]);
    assert_eq!(server.key[..], block[80..96]);
}

/// The keys of the records in `known_answers.py`.
fn keys(suite: Suite) -> WriteKeys {
    let mut raw: Vec<u8> = (0..16).collect();
    if suite.cipher().mac_key_length() == 0 {
        raw.extend([0xa0, 0xa1, 0xa2, 0xa3]);
    } else {
        raw.extend(0x40..0x60);
    }
    WriteKeys::read(suite.cipher(), &raw).unwrap()
}

fn open(suite: Suite, encrypt_then_mac: bool, datagram: &[u8]) -> Option<(ContentType, Vec<u8>)> {
    let mut records = Records::new(datagram, CID.len());
    let record = records.next().unwrap().unwrap();
    assert!(records.next().is_none());
    let mut scratch = vec![0; record.fragment.len()];
    Protection::new(suite, encrypt_then_mac)
        .open(&keys(suite), &record, &mut scratch)
        .ok()
        .map(|(content_type, content)| (content_type, content.to_vec()))
}

/// Sealing gives exactly these bytes, opening them gives the content back, and no bit of them can
/// be changed but the number of the record in a header whose nonce says another, which is refused
/// as well.
fn holds(suite: Suite, encrypt_then_mac: bool, cid: &[u8], expected: &str) {
    let expected = bytes(expected);
    let protection = Protection::new(suite, encrypt_then_mac);
    let mut out = [0xee; 256];
    let length = protection
        .seal(
            &keys(suite),
            number(1, 0x102),
            cid,
            ContentType::ApplicationData,
            CONTENT,
            &mut Counting(0xe0),
            &mut out,
        )
        .unwrap();
    assert_eq!(out[..length], expected);
    assert_eq!(length, protection.sealed_length(cid.len(), CONTENT.len()));
    assert!(
        out[length..].iter().all(|byte| *byte == 0xee),
        "nothing behind it is touched"
    );
    assert_eq!(
        open(suite, encrypt_then_mac, &expected),
        Some((ContentType::ApplicationData, CONTENT.to_vec()))
    );

    for byte in 3..expected.len() {
        for bit in 0..8 {
            let mut bad = expected.clone();
            bad[byte] ^= 1 << bit;
            let mut records = Records::new(&bad, CID.len());
            let Some(Ok(record)) = records.next() else {
                continue;
            };
            let mut scratch = vec![0; record.fragment.len()];
            let opened = protection.open(&keys(suite), &record, &mut scratch);
            assert!(opened.is_err(), "{suite:?}: bit {bit} of byte {byte}");
        }
    }
}

#[test]
fn ccm_8_record() {
    holds(Suite::PskAes128Ccm8, false, &[], CCM8);
}

#[test]
fn ccm_8_record_with_connection_id() {
    holds(Suite::EcdheEcdsaAes128Ccm8, false, &CID, CCM8_CID);
}

#[test]
fn gcm_record() {
    holds(Suite::EcdheEcdsaAes128GcmSha256, false, &[], GCM);
}

#[test]
fn gcm_record_with_connection_id() {
    holds(Suite::EcdheEcdsaAes128GcmSha256, false, &CID, GCM_CID);
}

#[test]
fn cbc_record() {
    holds(Suite::PskAes128CbcSha256, false, &[], CBC);
}

#[test]
fn cbc_record_with_connection_id() {
    holds(Suite::EcdhePskAes128CbcSha256, false, &CID, CBC_CID);
}

#[test]
fn cbc_record_with_encrypt_then_mac() {
    holds(
        Suite::EcdheEcdsaAes128CbcSha256,
        true,
        &[],
        CBC_ENCRYPT_THEN_MAC,
    );
}

#[test]
fn cbc_record_with_encrypt_then_mac_and_connection_id() {
    holds(
        Suite::PskAes128CbcSha256,
        true,
        &CID,
        CBC_ENCRYPT_THEN_MAC_CID,
    );
}

/// RFC 9146 §4: zeros behind the real content type are padding.
#[test]
fn padding_of_the_inner_plaintext_is_taken_off() {
    assert_eq!(
        open(Suite::PskAes128Ccm8, false, &bytes(CCM8_CID_PADDED)),
        Some((ContentType::Alert, CONTENT.to_vec()))
    );
}

/// RFC 9146 §4: without any byte but zeros there is no content type, and the record is dropped.
#[test]
fn an_inner_plaintext_of_zeros_is_refused() {
    assert_eq!(
        open(Suite::PskAes128Ccm8, false, &bytes(CCM8_CID_NO_TYPE)),
        None
    );
}

#[test]
fn cbc_record_with_the_longest_padding() {
    assert_eq!(
        open(Suite::PskAes128CbcSha256, false, &bytes(CBC_LONG_PADDING)),
        Some((ContentType::ApplicationData, CONTENT.to_vec()))
    );
}

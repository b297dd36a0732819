//! A peer that says what a test tells it to, with good keys and MACs wherever the test does not
//! want bad ones. It shares primitives with the crate, and no codec and no state.

use dunlin_coap::Rng;
use dunlin_dtls::testing::{
    ContentType, EphemeralKey, KeyBlock, MasterSecret, Protection, Records, Side,
    ecdhe_psk_premaster, number, psk_premaster, sha256,
};
use dunlin_dtls::{KeyExchange, KeyPair, Suite};
use dunlin_sim::netem::SeededRng;

/// Types of messages.
pub mod kind {
    /// hello_request
    pub const HELLO_REQUEST: u8 = 0;
    /// client_hello
    pub const CLIENT_HELLO: u8 = 1;
    /// server_hello
    pub const SERVER_HELLO: u8 = 2;
    /// hello_verify_request
    pub const HELLO_VERIFY_REQUEST: u8 = 3;
    /// certificate
    pub const CERTIFICATE: u8 = 11;
    /// server_key_exchange
    pub const SERVER_KEY_EXCHANGE: u8 = 12;
    /// certificate_request
    pub const CERTIFICATE_REQUEST: u8 = 13;
    /// server_hello_done
    pub const SERVER_HELLO_DONE: u8 = 14;
    /// certificate_verify
    pub const CERTIFICATE_VERIFY: u8 = 15;
    /// client_key_exchange
    pub const CLIENT_KEY_EXCHANGE: u8 = 16;
    /// finished
    pub const FINISHED: u8 = 20;
}

/// Numbers of extensions.
pub mod extension {
    /// server_name
    pub const SERVER_NAME: u16 = 0;
    /// supported_groups
    pub const SUPPORTED_GROUPS: u16 = 10;
    /// ec_point_formats
    pub const EC_POINT_FORMATS: u16 = 11;
    /// signature_algorithms
    pub const SIGNATURE_ALGORITHMS: u16 = 13;
    /// client_certificate_type
    pub const CLIENT_CERTIFICATE_TYPE: u16 = 19;
    /// server_certificate_type
    pub const SERVER_CERTIFICATE_TYPE: u16 = 20;
    /// encrypt_then_mac
    pub const ENCRYPT_THEN_MAC: u16 = 22;
    /// extended_master_secret
    pub const EXTENDED_MASTER_SECRET: u16 = 23;
    /// connection_id
    pub const CONNECTION_ID: u16 = 54;
    /// renegotiation_info
    pub const RENEGOTIATION_INFO: u16 = 0xFF01;
}

/// `bytes` behind their length in `size` bytes.
pub fn vec(size: usize, bytes: &[u8]) -> Vec<u8> {
    let mut out = (bytes.len() as u32).to_be_bytes()[4 - size..].to_vec();
    out.extend_from_slice(bytes);
    out
}

/// A handshake message or a fragment of one (RFC 6347 §4.2.2).
pub fn fragment(kind: u8, length: usize, sequence: u16, offset: usize, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    out.extend_from_slice(&(length as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&sequence.to_be_bytes());
    out.extend_from_slice(&(offset as u32).to_be_bytes()[1..]);
    out.extend_from_slice(&vec(3, bytes));
    out
}

/// What a hello says; each test changes what it is about.
#[derive(Clone, Debug)]
pub struct Hello {
    /// As it stands in the hello.
    pub version: u16,
    /// Of the hello's side.
    pub random: [u8; 32],
    /// To resume, or to be resumed.
    pub session_id: Vec<u8>,
    /// Of a ClientHello.
    pub cookie: Vec<u8>,
    /// Of a ServerHello the first.
    pub suites: Vec<u16>,
    /// Of a ServerHello the first.
    pub compression: Vec<u8>,
    /// Numbers and bodies, in order.
    pub extensions: Vec<(u16, Vec<u8>)>,
}

impl Hello {
    /// Leaves an extension out.
    pub fn without(mut self, extension: u16) -> Self {
        self.extensions.retain(|(number, _)| *number != extension);
        self
    }

    /// Adds an extension.
    pub fn with(mut self, extension: u16, body: &[u8]) -> Self {
        self.extensions.push((extension, body.to_vec()));
        self
    }

    fn put_extensions(&self, out: &mut Vec<u8>) {
        if self.extensions.is_empty() {
            return;
        }
        let mut all = Vec::new();
        for (number, body) in &self.extensions {
            all.extend_from_slice(&number.to_be_bytes());
            all.extend_from_slice(&vec(2, body));
        }
        out.extend_from_slice(&vec(2, &all));
    }

    /// The body of a ClientHello.
    pub fn client(&self) -> Vec<u8> {
        let mut out = self.version.to_be_bytes().to_vec();
        out.extend_from_slice(&self.random);
        out.extend_from_slice(&vec(1, &self.session_id));
        out.extend_from_slice(&vec(1, &self.cookie));
        let suites: Vec<u8> = self.suites.iter().flat_map(|it| it.to_be_bytes()).collect();
        out.extend_from_slice(&vec(2, &suites));
        out.extend_from_slice(&vec(1, &self.compression));
        self.put_extensions(&mut out);
        out
    }

    /// The body of a ServerHello.
    pub fn server(&self) -> Vec<u8> {
        let mut out = self.version.to_be_bytes().to_vec();
        out.extend_from_slice(&self.random);
        out.extend_from_slice(&vec(1, &self.session_id));
        out.extend_from_slice(&self.suites[0].to_be_bytes());
        out.push(self.compression[0]);
        self.put_extensions(&mut out);
        out
    }

    /// Reads either hello; those of the crate are sound.
    pub fn read(kind: u8, body: &[u8]) -> Self {
        let mut at = 0;
        let mut take = |length: usize| {
            at += length;
            body[at - length..at].to_vec()
        };
        let number = |bytes: &[u8]| bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
        let version = number(&take(2)) as u16;
        let random = take(32).try_into().unwrap();
        let length = number(&take(1));
        let session_id = take(length);
        let (cookie, suites, compression) = if kind == kind::CLIENT_HELLO {
            let length = number(&take(1));
            let cookie = take(length);
            let length = number(&take(2));
            let suites = take(length);
            let length = number(&take(1));
            (cookie, suites, take(length))
        } else {
            (Vec::new(), take(2), take(1))
        };
        let mut extensions = Vec::new();
        let mut rest = Vec::new();
        if at < body.len() {
            rest = body[at + 2..].to_vec();
        }
        while !rest.is_empty() {
            let length = number(&rest[2..4]);
            extensions.push((number(&rest[..2]) as u16, rest[4..4 + length].to_vec()));
            rest.drain(..4 + length);
        }
        Self {
            version,
            random,
            session_id,
            cookie,
            suites: suites
                .chunks(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                .collect(),
            compression,
            extensions,
        }
    }

    /// The body of an extension.
    pub fn extension(&self, number: u16) -> Option<&[u8]> {
        self.extensions
            .iter()
            .find(|(it, _)| *it == number)
            .map(|(_, body)| body.as_slice())
    }
}

/// What a record of the crate under test carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Got {
    /// Of the record.
    pub epoch: u16,
    /// Of the record.
    pub sequence: u64,
    /// What it carries.
    pub content_type: ContentType,
    /// The content, opened.
    pub content: Vec<u8>,
}

/// A message of the crate under test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GotMessage {
    /// Its type.
    pub kind: u8,
    /// Its number.
    pub sequence: u16,
    /// Of the record.
    pub epoch: u16,
    /// Without header.
    pub body: Vec<u8>,
}

/// A scripted peer.
#[derive(Debug)]
pub struct Script {
    /// Which end it plays.
    pub side: Side,
    /// What it says in its hello.
    pub hello: Hello,
    /// The last hello of the crate under test.
    pub peer_hello: Option<Hello>,
    /// Its key for the exchange.
    pub ephemeral: EphemeralKey,
    /// The peer's point.
    pub peer_point: Option<Vec<u8>>,
    /// The number of the next message and of the next record in each epoch.
    pub message: u16,
    /// The number of the next record in each epoch.
    pub record: [u64; 2],
    /// All messages of the handshake.
    pub transcript: Vec<u8>,
    /// How much of the transcript the ClientKeyExchange ends.
    pub session_hash: Option<[u8; 32]>,
    /// What was agreed on.
    pub suite: Suite,
    /// Once derived.
    pub master: Option<MasterSecret>,
    /// Once derived.
    pub keys: Option<KeyBlock>,
    /// Whether it was agreed on.
    pub encrypt_then_mac: bool,
    /// What stands in records to the crate under test.
    pub peer_cid: Vec<u8>,
    /// What stands in records from it.
    pub own_cid: Vec<u8>,
    /// Numbers of the messages taken into the transcript, so that repetitions do not count.
    taken: u16,
    /// For IVs.
    pub rng: SeededRng,
}

impl Script {
    /// A peer that can do what `suite` needs.
    pub fn new(side: Side, suite: Suite, seed: u64) -> Self {
        let mut rng = SeededRng::new(seed);
        let mut random = [0; 32];
        rng.fill(&mut random);
        let ephemeral = EphemeralKey::generate(&mut rng).unwrap();
        let mut extensions = vec![(extension::EXTENDED_MASTER_SECRET, vec![])];
        if side == Side::Client {
            extensions.push((extension::RENEGOTIATION_INFO, vec![0]));
            if suite.key_exchange() != KeyExchange::Psk {
                extensions.push((extension::SUPPORTED_GROUPS, vec![0, 2, 0, 23]));
                extensions.push((extension::EC_POINT_FORMATS, vec![1, 0]));
            }
            if suite.key_exchange() == KeyExchange::EcdheEcdsa {
                extensions.push((extension::SIGNATURE_ALGORITHMS, vec![0, 2, 4, 3]));
            }
        }
        Self {
            side,
            hello: Hello {
                version: 0xFEFD,
                random,
                session_id: Vec::new(),
                cookie: Vec::new(),
                suites: vec![suite.code()],
                compression: vec![0],
                extensions,
            },
            peer_hello: None,
            ephemeral,
            peer_point: None,
            message: 0,
            record: [0; 2],
            transcript: Vec::new(),
            session_hash: None,
            suite,
            master: None,
            keys: None,
            encrypt_then_mac: false,
            peer_cid: Vec::new(),
            own_cid: Vec::new(),
            taken: 0,
            rng,
        }
    }

    /// A message in one piece, taken into the transcript.
    pub fn say(&mut self, kind: u8, body: &[u8]) -> Vec<u8> {
        let message = fragment(kind, body.len(), self.message, 0, body);
        self.message += 1;
        self.transcript.extend_from_slice(&message);
        if kind == kind::CLIENT_KEY_EXCHANGE {
            self.session_hash = Some(sha256(&[&self.transcript]));
        }
        message
    }

    /// A record in the clear.
    pub fn plain(&mut self, content_type: u8, content: &[u8]) -> Vec<u8> {
        let number = number(0, self.record[0]);
        self.record[0] += 1;
        let mut out = vec![content_type, 0xfe, 0xfd];
        out.extend_from_slice(&number.to_be_bytes());
        out.extend_from_slice(&vec(2, content));
        out
    }

    /// A protected record.
    pub fn sealed(&mut self, content_type: ContentType, content: &[u8]) -> Vec<u8> {
        let sequence = self.record[1];
        self.record[1] += 1;
        self.sealed_as(number(1, sequence), content_type, content)
    }

    /// A protected record with this epoch and sequence number.
    pub fn sealed_as(&mut self, number: u64, content_type: ContentType, content: &[u8]) -> Vec<u8> {
        let protection = Protection::new(self.suite, self.encrypt_then_mac);
        let mut out = vec![0; protection.sealed_length(self.peer_cid.len(), content.len())];
        protection
            .seal(
                self.keys.as_ref().unwrap().of(self.side),
                number,
                &self.peer_cid,
                content_type,
                content,
                &mut self.rng,
                &mut out,
            )
            .unwrap();
        out
    }

    /// A message in the clear, in a record of its own.
    pub fn say_plain(&mut self, kind: u8, body: &[u8]) -> Vec<u8> {
        let message = self.say(kind, body);
        self.plain(22, &message)
    }

    /// A ChangeCipherSpec.
    pub fn change_cipher_spec(&mut self) -> Vec<u8> {
        self.plain(20, &[1])
    }

    /// What its Finished says now.
    pub fn verify_data(&self) -> [u8; 12] {
        let hash = sha256(&[&self.transcript]);
        self.master.as_ref().unwrap().verify_data(self.side, &hash)
    }

    /// The Finished, protected.
    pub fn finished(&mut self) -> Vec<u8> {
        let verify_data = self.verify_data();
        let message = self.say(kind::FINISHED, &verify_data);
        self.sealed(ContentType::Handshake, &message)
    }

    /// Begins anew: the next hello is the first of another handshake.
    pub fn restart(&mut self) {
        self.message = 0;
        self.taken = 0;
        self.record = [0; 2];
        self.hello.cookie.clear();
    }

    /// The first flight, without and with the cookie.
    pub fn client_hello(&mut self) -> Vec<u8> {
        self.transcript.clear();
        let body = self.hello.client();
        self.say_plain(kind::CLIENT_HELLO, &body)
    }

    /// The key exchange message of this side's suite, as a client.
    pub fn client_key_exchange(&self, identity: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        if self.suite.key_exchange() != KeyExchange::EcdheEcdsa {
            out.extend_from_slice(&vec(2, identity));
        }
        if self.suite.key_exchange() != KeyExchange::Psk {
            out.extend_from_slice(&vec(1, &self.ephemeral.public_key()));
        }
        out
    }

    /// The key exchange message of this side's suite, as a server; `None` when there is none.
    pub fn server_key_exchange(&self, key: &KeyPair) -> Option<Vec<u8>> {
        let mut parameters = vec![3, 0, 23];
        parameters.extend_from_slice(&vec(1, &self.ephemeral.public_key()));
        match self.suite.key_exchange() {
            KeyExchange::Psk => None,
            KeyExchange::EcdhePsk => Some([&[0, 0][..], &parameters].concat()),
            KeyExchange::EcdheEcdsa => {
                let client = self.peer_hello.as_ref().unwrap().random;
                let signed = [&client[..], &self.hello.random, &parameters].concat();
                parameters.extend_from_slice(&signature(key, &signed));
                Some(parameters)
            }
        }
    }

    /// The signature of a CertificateVerify over the transcript so far.
    pub fn certificate_verify(&self, key: &KeyPair) -> Vec<u8> {
        signature(key, &self.transcript)
    }

    /// Makes the keys: once the ClientKeyExchange is in the transcript, or for a resumption with
    /// the `master` of before.
    pub fn derive(&mut self, psk: &[u8], master: Option<MasterSecret>) {
        let peer = self.peer_hello.as_ref().unwrap();
        let (client, server) = match self.side {
            Side::Client => (self.hello.random, peer.random),
            Side::Server => (peer.random, self.hello.random),
        };
        let shared = self
            .peer_point
            .as_ref()
            .map(|point| self.ephemeral.agree(point).unwrap());
        let master = master.unwrap_or_else(|| {
            let premaster = match self.suite.key_exchange() {
                KeyExchange::Psk => psk_premaster(psk).unwrap().to_vec(),
                KeyExchange::EcdhePsk => {
                    ecdhe_psk_premaster(&shared.unwrap(), psk).unwrap().to_vec()
                }
                KeyExchange::EcdheEcdsa => shared.unwrap().to_vec(),
            };
            let has_it =
                |hello: &Hello| hello.extension(extension::EXTENDED_MASTER_SECRET).is_some();
            if has_it(&self.hello) && has_it(peer) {
                MasterSecret::extended(&premaster, &self.session_hash.unwrap())
            } else {
                MasterSecret::classic(&premaster, &client, &server)
            }
        });
        self.keys = Some(master.keys(self.suite.cipher(), &client, &server));
        self.master = Some(master);
    }

    /// Opens the records of a datagram; those that it has no keys for are left out.
    pub fn open(&self, datagram: &[u8]) -> Vec<Got> {
        let mut got = Vec::new();
        for record in Records::new(datagram, self.own_cid.len()) {
            // A connection ID that is not agreed on yet cannot be read.
            let Ok(record) = record else { break };
            if record.epoch == 0 {
                got.push(Got {
                    epoch: 0,
                    sequence: record.sequence,
                    content_type: record.content_type,
                    content: record.fragment.to_vec(),
                });
            } else if let Some(keys) = &self.keys {
                let mut scratch = vec![0; record.fragment.len()];
                let opened = Protection::new(self.suite, self.encrypt_then_mac).open(
                    keys.of(self.side.peer()),
                    &record,
                    &mut scratch,
                );
                if let Ok((content_type, content)) = opened {
                    got.push(Got {
                        epoch: record.epoch,
                        sequence: record.sequence,
                        content_type,
                        content: content.to_vec(),
                    });
                }
            }
        }
        got
    }

    /// Takes the messages of a flight in: transcript, hello, point, connection IDs. Messages in
    /// pieces are left out, so give the crate a large MTU.
    pub fn take(&mut self, datagram: &[u8]) -> Vec<GotMessage> {
        let mut messages = Vec::new();
        for record in self.open(datagram) {
            if record.content_type != ContentType::Handshake {
                continue;
            }
            let mut rest = record.content.as_slice();
            while rest.len() >= 12 {
                let length = usize::from(rest[2]) << 8 | usize::from(rest[3]);
                if rest[1..4] != rest[9..12] {
                    break;
                }
                let message = &rest[..12 + length];
                let kind = message[0];
                let sequence = u16::from_be_bytes([message[4], message[5]]);
                let body = message[12..].to_vec();
                rest = &rest[12 + length..];
                if kind != kind::HELLO_VERIFY_REQUEST && sequence >= self.taken {
                    self.taken = sequence + 1;
                    self.transcript.extend_from_slice(message);
                    self.look_at(kind, &body);
                }
                if kind == kind::HELLO_VERIFY_REQUEST {
                    self.hello.cookie = body[3..].to_vec();
                }
                messages.push(GotMessage {
                    kind,
                    sequence,
                    epoch: record.epoch,
                    body,
                });
            }
        }
        messages
    }

    fn look_at(&mut self, kind: u8, body: &[u8]) {
        match kind {
            kind::CLIENT_HELLO | kind::SERVER_HELLO => {
                let hello = Hello::read(kind, body);
                if kind == kind::SERVER_HELLO {
                    self.suite = Suite::from_code(hello.suites[0]).unwrap();
                    let chosen = hello.extension(extension::ENCRYPT_THEN_MAC);
                    self.encrypt_then_mac = chosen.is_some();
                } else {
                    self.transcript = fragment(kind, body.len(), self.taken - 1, 0, body);
                }
                let theirs = hello.extension(extension::CONNECTION_ID);
                let ours = self.hello.extension(extension::CONNECTION_ID);
                if let (Some(theirs), Some(ours)) = (theirs, ours) {
                    self.peer_cid = theirs[1..].to_vec();
                    self.own_cid = ours[1..].to_vec();
                }
                self.peer_hello = Some(hello);
            }
            kind::SERVER_KEY_EXCHANGE => {
                let at = if self.suite.key_exchange() == KeyExchange::EcdhePsk {
                    2
                } else {
                    0
                };
                let length = usize::from(body[at + 3]);
                self.peer_point = Some(body[at + 4..at + 4 + length].to_vec());
            }
            kind::CLIENT_KEY_EXCHANGE => {
                self.session_hash = Some(sha256(&[&self.transcript]));
                let at = if self.suite.key_exchange() == KeyExchange::EcdheEcdsa {
                    0
                } else {
                    2 + (usize::from(body[0]) << 8 | usize::from(body[1]))
                };
                if at < body.len() {
                    self.peer_point = Some(body[at + 1..].to_vec());
                }
            }
            _ => {}
        }
    }
}

fn signature(key: &KeyPair, message: &[u8]) -> Vec<u8> {
    let mut out = vec![4, 3];
    out.extend_from_slice(&vec(2, &key.sign(message)));
    out
}

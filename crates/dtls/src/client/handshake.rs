//! A handshake as the device sees it; the messages stand in the server's handshake.

use alloc::boxed::Box;
use alloc::vec::Vec;

use dunlin_coap::{Instant, Rng};
use zeroize::Zeroizing;

use crate::crypto::{EphemeralKey, SharedSecret, same};
use crate::handshake::channel::Channel;
use crate::handshake::codec::{Reader, put_vec};
use crate::handshake::hello::{
    DTLS_1_2, Offer, ServerHello, TYPE_RAW_PUBLIC_KEY, TYPE_X509, read_hello_verify_request,
};
use crate::handshake::message::{
    Signature, kind, read_certificate_request, read_chain, read_ec_parameters, read_raw_public_key,
    read_signature, write_chain, write_ec_parameters, write_raw_public_key, write_signature,
};
use crate::handshake::reassembly::Message;
use crate::keys::{MasterSecret, Side, ecdhe_psk_premaster, psk_premaster};
use crate::link::{EPOCH, Link};
use crate::protect::Protection;
use crate::x509::Certificate;
use crate::{
    Alert, Cipher, ClientConfig, ClientCredentials, ExtendedMasterSecret, KeyExchange, PublicKey,
    Resumption, Suite,
};

/// HelloVerifyRequests that are answered; one is usual, a second comes when the server's secret
/// changed meanwhile.
const MAX_COOKIES: u8 = 4;

/// The message that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    ServerHello,
    Certificate,
    ServerKeyExchange,
    /// CertificateRequest or ServerHelloDone.
    Request,
    ServerHelloDone,
    Finished,
}

/// What a message led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// More is to come.
    Continue,
    /// A new flight is to be sent, and an answer to it is due.
    Send,
    /// The handshake is complete; in a short one the last flight is to be sent.
    Done,
}

/// A handshake under way.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) channel: Channel,
    pub(super) resumed: bool,
    pub(super) encrypt_then_mac: bool,
    /// Whether we sent ChangeCipherSpec: what follows is protected.
    pub(super) protected: bool,
    /// Whether the server sends our connection ID.
    pub(super) has_cid: bool,
    expect: Expect,
    cookies: u8,
    offered: Vec<u16>,
    client_random: [u8; 32],
    server_random: [u8; 32],
    session_id: Box<[u8]>,
    suite: Option<Suite>,
    extended_master_secret: bool,
    peer_cid: Box<[u8]>,
    server_type: u8,
    client_type: u8,
    certificate_requested: bool,
    server_key: Option<PublicKey>,
    server_point: Option<Box<[u8]>>,
    master: Option<MasterSecret>,
    resumption: Option<Resumption>,
}

impl Handshake {
    /// Begins with a ClientHello; `None` when no suite fits the credentials.
    pub(super) fn begin(
        now: Instant,
        config: &ClientConfig,
        resumption: Option<&Resumption>,
        rng: &mut dyn Rng,
    ) -> Option<Self> {
        let fits = |suite: Suite| {
            let is_psk = suite.key_exchange() != KeyExchange::EcdheEcdsa;
            is_psk == matches!(config.credentials, ClientCredentials::Psk { .. })
        };
        let offered: Vec<u16> = config
            .suites
            .iter()
            .copied()
            .filter(|suite| fits(*suite))
            .map(Suite::code)
            .collect();
        if offered.is_empty() {
            return None;
        }
        // A session of a suite that is not offered any more is not resumed.
        let resumption = resumption.filter(|it| offered.contains(&it.suite.code()));
        let mut client_random = [0; 32];
        rng.fill(&mut client_random);
        let mut handshake = Self {
            channel: Channel::new(now, 0, 0, 0),
            resumed: false,
            encrypt_then_mac: false,
            protected: false,
            has_cid: false,
            expect: Expect::ServerHello,
            cookies: 0,
            offered,
            client_random,
            server_random: [0; 32],
            session_id: Box::default(),
            suite: None,
            extended_master_secret: false,
            peer_cid: Box::default(),
            server_type: TYPE_X509,
            client_type: TYPE_X509,
            certificate_requested: false,
            server_key: None,
            server_point: None,
            master: None,
            resumption: resumption.cloned(),
        };
        handshake.say_hello(config, &[]);
        Some(handshake)
    }

    fn offers(&self, key_exchange: impl Fn(KeyExchange) -> bool) -> bool {
        let mut suites = self.offered.iter().filter_map(|it| Suite::from_code(*it));
        suites.any(|suite| key_exchange(suite.key_exchange()))
    }

    fn offers_cbc(&self) -> bool {
        let mut suites = self.offered.iter().filter_map(|it| Suite::from_code(*it));
        suites.any(|suite| suite.cipher() == Cipher::CbcSha256)
    }

    /// The type of certificate that is offered.
    fn certificate_type(&self, config: &ClientConfig) -> Option<u8> {
        match config.credentials {
            ClientCredentials::Psk { .. } => None,
            ClientCredentials::RawPublicKey { .. } => Some(TYPE_RAW_PUBLIC_KEY),
            ClientCredentials::Certificate { .. } => Some(TYPE_X509),
        }
    }

    fn say_hello(&mut self, config: &ClientConfig, cookie: &[u8]) {
        let random = self.client_random;
        let session_id = self.resumption.as_ref().map(|it| it.id.clone());
        let offered = self.offered.clone();
        let offer = Offer {
            random: &random,
            session_id: session_id.as_deref().unwrap_or_default(),
            cookie,
            suites: &offered,
            server_name: config.server_name.as_deref(),
            connection_id: config.connection_id.as_deref(),
            curve: self.offers(|it| it != KeyExchange::Psk),
            certificate_type: self.certificate_type(config),
            encrypt_then_mac: self.offers_cbc(),
        };
        self.channel.flight.clear();
        self.channel.say(kind::CLIENT_HELLO, |out| offer.write(out));
    }

    /// Whether protected records can be opened: all keys are there, and ChangeCipherSpec came.
    pub(super) fn is_ready(&self) -> bool {
        self.expect == Expect::Finished && self.channel.cipher_changed
    }

    /// Takes the next message.
    pub(super) fn message(
        &mut self,
        message: &Message,
        now: Instant,
        config: &ClientConfig,
        rng: &mut dyn Rng,
    ) -> Result<Step, Alert> {
        if (message.epoch == EPOCH) != (message.kind == kind::FINISHED) {
            return Err(Alert::UNEXPECTED_MESSAGE);
        }
        let body = message.body();
        match (self.expect, message.kind) {
            (Expect::ServerHello, kind::HELLO_VERIFY_REQUEST) => {
                return self.hello_verify_request(body, config);
            }
            (Expect::ServerHello, kind::SERVER_HELLO) => {
                self.server_hello(body, config)?;
                self.channel.transcript.update(&message.bytes);
                if self.resumed {
                    self.set_keys();
                    self.expect = Expect::Finished;
                }
            }
            (Expect::Certificate, kind::CERTIFICATE) => {
                self.certificate(body, now, config)?;
                self.channel.transcript.update(&message.bytes);
                self.expect = Expect::ServerKeyExchange;
            }
            (Expect::ServerKeyExchange, kind::SERVER_KEY_EXCHANGE) => {
                self.server_key_exchange(body)?;
                self.channel.transcript.update(&message.bytes);
                self.expect = match self.key_exchange() {
                    KeyExchange::EcdheEcdsa => Expect::Request,
                    KeyExchange::EcdhePsk | KeyExchange::Psk => Expect::ServerHelloDone,
                };
            }
            // With a plain PSK this message carries a hint only, and is usually left out
            // (RFC 4279 §2).
            (Expect::ServerHelloDone, kind::SERVER_KEY_EXCHANGE)
                if self.key_exchange() == KeyExchange::Psk && self.server_point.is_none() =>
            {
                let mut reader = Reader::new(body);
                reader.vec16().ok_or(Alert::DECODE_ERROR)?;
                reader.end().ok_or(Alert::DECODE_ERROR)?;
                // It comes once.
                self.server_point = Some(Box::default());
                self.channel.transcript.update(&message.bytes);
            }
            (Expect::Request, kind::CERTIFICATE_REQUEST) => {
                let accepts = read_certificate_request(body).ok_or(Alert::DECODE_ERROR)?;
                if !accepts {
                    return Err(Alert::HANDSHAKE_FAILURE);
                }
                self.certificate_requested = true;
                self.channel.transcript.update(&message.bytes);
                self.expect = Expect::ServerHelloDone;
            }
            (Expect::Request | Expect::ServerHelloDone, kind::SERVER_HELLO_DONE) => {
                if !body.is_empty() {
                    return Err(Alert::DECODE_ERROR);
                }
                self.channel.transcript.update(&message.bytes);
                self.answer(config, rng)?;
                self.expect = Expect::Finished;
                return Ok(Step::Send);
            }
            (Expect::Finished, kind::FINISHED) => {
                self.finished(message)?;
                return Ok(Step::Done);
            }
            _ => return Err(Alert::UNEXPECTED_MESSAGE),
        }
        Ok(Step::Continue)
    }

    fn hello_verify_request(&mut self, body: &[u8], config: &ClientConfig) -> Result<Step, Alert> {
        let cookie = read_hello_verify_request(body).ok_or(Alert::DECODE_ERROR)?;
        if self.cookies == MAX_COOKIES {
            return Err(Alert::UNEXPECTED_MESSAGE);
        }
        self.cookies += 1;
        // Neither the first ClientHello nor this message is part of the transcript
        // (RFC 6347 §4.2.1).
        self.channel.restart();
        self.say_hello(config, cookie);
        Ok(Step::Send)
    }

    fn server_hello(&mut self, body: &[u8], config: &ClientConfig) -> Result<(), Alert> {
        let hello = ServerHello::read(body)?;
        if hello.version != DTLS_1_2 {
            return Err(Alert::PROTOCOL_VERSION);
        }
        if !self.offered.contains(&hello.suite) || hello.compression != 0 {
            return Err(Alert::ILLEGAL_PARAMETER);
        }
        let suite = Suite::from_code(hello.suite).ok_or(Alert::ILLEGAL_PARAMETER)?;
        let extensions = &hello.extensions;
        let certificate_type = self.certificate_type(config);
        // What was not asked for may not be answered (RFC 5246 §7.4.1.4).
        let typed = certificate_type.is_some_and(|kind| kind != TYPE_X509);
        let unsolicited = extensions.server_name && config.server_name.is_none()
            || extensions.connection_id.is_some() && config.connection_id.is_none()
            || extensions.encrypt_then_mac && !self.offers_cbc()
            || extensions.point_formats.is_some() && !self.offers(|it| it != KeyExchange::Psk)
            || (extensions.client_type.is_some() || extensions.server_type.is_some()) && !typed;
        if unsolicited {
            return Err(Alert::UNSUPPORTED_EXTENSION);
        }
        // RFC 7366 §3: not with authenticated encryption.
        if extensions.encrypt_then_mac && suite.cipher() != Cipher::CbcSha256 {
            return Err(Alert::ILLEGAL_PARAMETER);
        }
        if extensions
            .point_formats
            .is_some_and(|formats| !formats.contains(&0))
        {
            return Err(Alert::ILLEGAL_PARAMETER);
        }
        // RFC 5746 §3.4: in a first handshake it must be empty.
        if extensions
            .renegotiation_info
            .is_some_and(|bytes| !bytes.is_empty())
        {
            return Err(Alert::HANDSHAKE_FAILURE);
        }
        if !extensions.extended_master_secret
            && config.extended_master_secret == ExtendedMasterSecret::Required
        {
            return Err(Alert::HANDSHAKE_FAILURE);
        }
        if let Some(cid) = extensions.connection_id {
            self.peer_cid = cid.into();
            self.has_cid = config
                .connection_id
                .as_ref()
                .is_some_and(|own| !own.is_empty());
        }
        self.encrypt_then_mac = extensions.encrypt_then_mac;
        self.extended_master_secret = extensions.extended_master_secret;
        self.server_random = *hello.random;
        self.session_id = hello.session_id.into();
        self.suite = Some(suite);
        if let Some(resumption) = &self.resumption
            && resumption.id == self.session_id
        {
            // Only sessions with the extended master secret are resumed, and they stay so
            // (RFC 7627 §5.3).
            if resumption.suite != suite {
                return Err(Alert::ILLEGAL_PARAMETER);
            }
            if !extensions.extended_master_secret {
                return Err(Alert::HANDSHAKE_FAILURE);
            }
            self.master = Some(resumption.master.clone());
            self.resumed = true;
            return Ok(());
        }
        self.resumption = None;
        self.server_type = extensions.server_type.unwrap_or(TYPE_X509);
        self.client_type = extensions.client_type.unwrap_or(TYPE_X509);
        self.expect = match suite.key_exchange() {
            KeyExchange::Psk => Expect::ServerHelloDone,
            KeyExchange::EcdhePsk => Expect::ServerKeyExchange,
            KeyExchange::EcdheEcdsa => {
                if certificate_type != Some(self.server_type) {
                    return Err(Alert::UNSUPPORTED_CERTIFICATE);
                }
                Expect::Certificate
            }
        };
        Ok(())
    }

    fn key_exchange(&self) -> KeyExchange {
        self.suite.map_or(KeyExchange::Psk, Suite::key_exchange)
    }

    fn certificate(
        &mut self,
        body: &[u8],
        now: Instant,
        config: &ClientConfig,
    ) -> Result<(), Alert> {
        let (ClientCredentials::RawPublicKey { verifier, .. }
        | ClientCredentials::Certificate { verifier, .. }) = &config.credentials
        else {
            return Err(Alert::UNEXPECTED_MESSAGE);
        };
        let key = if self.server_type == TYPE_RAW_PUBLIC_KEY {
            let spki = read_raw_public_key(body).ok_or(Alert::DECODE_ERROR)?;
            let key = PublicKey::from_spki(spki).map_err(|_| Alert::UNSUPPORTED_CERTIFICATE)?;
            verifier.raw_public_key(spki)?;
            key
        } else {
            let chain = read_chain(body).ok_or(Alert::DECODE_ERROR)?;
            let leaf = *chain.first().ok_or(Alert::BAD_CERTIFICATE)?;
            let key = Certificate::parse(leaf)?.public_key()?;
            verifier.certificate(&chain, now)?;
            key
        };
        self.server_key = Some(key);
        Ok(())
    }

    fn server_key_exchange(&mut self, body: &[u8]) -> Result<(), Alert> {
        let mut reader = Reader::new(body);
        let with_psk = self.key_exchange() == KeyExchange::EcdhePsk;
        if with_psk {
            // The hint says nothing to a device that has one key.
            reader.vec16().ok_or(Alert::DECODE_ERROR)?;
        }
        let point = read_ec_parameters(&mut reader).ok_or(Alert::ILLEGAL_PARAMETER)?;
        if !with_psk {
            let signature = read_signature(&mut reader).ok_or(Alert::DECODE_ERROR)?;
            let Signature::Ecdsa(signature) = signature else {
                return Err(Alert::ILLEGAL_PARAMETER);
            };
            let mut signed = Vec::with_capacity(64 + 69);
            signed.extend_from_slice(&self.client_random);
            signed.extend_from_slice(&self.server_random);
            write_ec_parameters(&mut signed, point);
            let key = self.server_key.as_ref().ok_or(Alert::INTERNAL_ERROR)?;
            key.verify(&signed, signature)
                .map_err(|_| Alert::DECRYPT_ERROR)?;
        }
        reader.end().ok_or(Alert::DECODE_ERROR)?;
        self.server_point = Some(point.into());
        Ok(())
    }

    /// Certificate, ClientKeyExchange, CertificateVerify, ChangeCipherSpec and Finished.
    fn answer(&mut self, config: &ClientConfig, rng: &mut dyn Rng) -> Result<(), Alert> {
        self.channel.flight.clear();
        if self.certificate_requested {
            let channel = &mut self.channel;
            match &config.credentials {
                ClientCredentials::RawPublicKey { key, .. }
                    if self.client_type == TYPE_RAW_PUBLIC_KEY =>
                {
                    channel.say(kind::CERTIFICATE, |out| {
                        write_raw_public_key(out, key.public_key());
                    });
                }
                ClientCredentials::Certificate { chain, .. } if self.client_type == TYPE_X509 => {
                    channel.say(kind::CERTIFICATE, |out| {
                        write_chain(out, chain.iter().map(|it| &**it));
                    });
                }
                _ => return Err(Alert::UNSUPPORTED_CERTIFICATE),
            }
        }
        let (ephemeral, shared) = self.agree(rng)?;
        let (identity, premaster) = match (&config.credentials, &shared) {
            (ClientCredentials::Psk { identity, key }, None) => {
                (Some(identity), psk_premaster(key.expose()))
            }
            (ClientCredentials::Psk { identity, key }, Some(shared)) => {
                (Some(identity), ecdhe_psk_premaster(shared, key.expose()))
            }
            (_, Some(shared)) => (None, Some(Zeroizing::new(shared.to_vec()))),
            (_, None) => (None, None),
        };
        let premaster = premaster.ok_or(Alert::INTERNAL_ERROR)?;
        if identity.is_some_and(|identity| identity.len() > usize::from(u16::MAX)) {
            return Err(Alert::INTERNAL_ERROR);
        }
        self.channel.say(kind::CLIENT_KEY_EXCHANGE, |out| {
            if let Some(identity) = identity {
                put_vec(out, 2, |out| out.extend_from_slice(identity));
            }
            if let Some(key) = &ephemeral {
                put_vec(out, 1, |out| out.extend_from_slice(&key.public_key()));
            }
        });
        let hash = self.channel.transcript.hash();
        self.master = Some(if self.extended_master_secret {
            MasterSecret::extended(&premaster, &hash)
        } else {
            MasterSecret::classic(&premaster, &self.client_random, &self.server_random)
        });
        self.set_keys();
        if self.certificate_requested
            && let ClientCredentials::RawPublicKey { key, .. }
            | ClientCredentials::Certificate { key, .. } = &config.credentials
        {
            let signature = key.sign_prehash(&hash).ok_or(Alert::INTERNAL_ERROR)?;
            self.channel.say(kind::CERTIFICATE_VERIFY, |out| {
                write_signature(out, &signature)
            });
        }
        self.say_finished();
        Ok(())
    }

    fn agree(
        &self,
        rng: &mut dyn Rng,
    ) -> Result<(Option<EphemeralKey>, Option<SharedSecret>), Alert> {
        if self.key_exchange() == KeyExchange::Psk {
            return Ok((None, None));
        }
        let point = self.server_point.as_deref().ok_or(Alert::INTERNAL_ERROR)?;
        let key = EphemeralKey::generate(rng).ok_or(Alert::INTERNAL_ERROR)?;
        let shared = key.agree(point).ok_or(Alert::ILLEGAL_PARAMETER)?;
        Ok((Some(key), Some(shared)))
    }

    fn set_keys(&mut self) {
        let (Some(master), Some(suite)) = (&self.master, self.suite) else {
            return;
        };
        let keys = master.keys(suite.cipher(), &self.client_random, &self.server_random);
        self.channel.link = Some(Link::new(
            Protection::new(suite, self.encrypt_then_mac),
            keys.server.clone(),
            keys.client.clone(),
            core::mem::take(&mut self.peer_cid),
        ));
    }

    fn say_finished(&mut self) {
        if let Some(master) = &self.master {
            let hash = self.channel.transcript.hash();
            let verify_data = master.verify_data(Side::Client, &hash);
            self.channel.say_finished(&verify_data);
            self.protected = true;
        }
    }

    fn finished(&mut self, message: &Message) -> Result<(), Alert> {
        let master = self.master.as_ref().ok_or(Alert::INTERNAL_ERROR)?;
        let expected = master.verify_data(Side::Server, &self.channel.transcript.hash());
        if !same(&expected, message.body()) {
            return Err(Alert::DECRYPT_ERROR);
        }
        self.channel.transcript.update(&message.bytes);
        self.channel.flight.clear();
        if self.resumed {
            self.say_finished();
        }
        Ok(())
    }

    /// What resumes the session later.
    pub(super) fn take_resumption(&mut self) -> Option<Resumption> {
        if self.session_id.is_empty() || !self.extended_master_secret {
            return None;
        }
        Some(Resumption {
            suite: self.suite?,
            id: core::mem::take(&mut self.session_id),
            master: self.master.take()?,
        })
    }

    /// The suite that was agreed on.
    pub(super) fn suite(&self) -> Option<Suite> {
        self.suite
    }
}

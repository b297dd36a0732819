//! A handshake as the server sees it (RFC 5246 §7.3, RFC 6347 §4.2):
//!
//! ```text
//! ClientHello with cookie            ->
//!                                    <- ServerHello, Certificate*, ServerKeyExchange*,
//!                                       CertificateRequest*, ServerHelloDone
//! Certificate*, ClientKeyExchange,
//! CertificateVerify*, [CCS] Finished ->
//!                                    <- [CCS] Finished
//! ```
//!
//! or, for a session of before:
//!
//! ```text
//! ClientHello with cookie            ->
//!                                    <- ServerHello, [CCS] Finished
//! [CCS] Finished                     ->
//! ```

use alloc::boxed::Box;
use core::net::SocketAddr;

use dunlin_coap::{Instant, Rng};
use zeroize::Zeroizing;

use super::cache::{Cache, Entry};
use crate::crypto::{EphemeralKey, same};
use crate::handshake::channel::Channel;
use crate::handshake::codec::{Reader, put_vec};
use crate::handshake::hello::{
    ClientExtensions, ClientHello, DTLS_1_2, RENEGOTIATION_SCSV, ServerExtensions, ServerHello,
    TYPE_RAW_PUBLIC_KEY, TYPE_X509,
};
use crate::handshake::message::{
    Signature, kind, read_chain, read_raw_public_key, read_signature, write_certificate_request,
    write_chain, write_ec_parameters, write_raw_public_key, write_signature,
};
use crate::handshake::reassembly::Message;
use crate::keys::{MasterSecret, Side, ecdhe_psk_premaster, psk_premaster};
use crate::link::{EPOCH, Link};
use crate::protect::Protection;
use crate::x509::Certificate;
use crate::{
    Alert, Cipher, ClientAuthentication, Credentials, ExtendedMasterSecret, Identity, KeyExchange,
    PublicKey, ServerConfig, SessionId, Suite,
};

/// The message that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expect {
    Certificate,
    ClientKeyExchange,
    CertificateVerify,
    Finished,
}

/// What a message led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// More is to come.
    Continue,
    /// The handshake is complete. In a full one the last flight is to be sent.
    Done,
}

/// A handshake under way.
#[derive(Debug)]
pub(super) struct Handshake {
    pub(super) channel: Channel,
    pub(super) session: SessionId,
    pub(super) address: SocketAddr,
    /// Counts handshakes, to find the oldest.
    pub(super) number: u64,
    /// Whether the client uses a connection ID of ours.
    pub(super) has_cid: bool,
    pub(super) client_random: [u8; 32],
    pub(super) identity: Identity,
    pub(super) tag: u64,
    pub(super) resumed: bool,
    pub(super) suite: Suite,
    pub(super) encrypt_then_mac: bool,
    /// The session's name for a later resumption; empty: none.
    session_id: Zeroizing<[u8; 32]>,
    can_resume: bool,
    server_random: [u8; 32],
    extended_master_secret: bool,
    peer_cid: Box<[u8]>,
    expect: Expect,
    ephemeral: Option<EphemeralKey>,
    client_type: u8,
    /// Of the client's certificate: it has to sign.
    peer_key: Option<PublicKey>,
    /// Whether the key that is used is nobody's.
    unknown_identity: bool,
    master: Option<MasterSecret>,
    server_name: Option<Box<str>>,
}

/// What a handshake begins with.
pub(super) struct Begin<'a> {
    pub(super) now: Instant,
    pub(super) from: SocketAddr,
    pub(super) number: u64,
    /// The record's sequence number: ours go on from it (RFC 6347 §4.2.1).
    pub(super) record: u64,
    /// The message's.
    pub(super) message: u16,
    /// The ClientHello with its header.
    pub(super) bytes: &'a [u8],
    pub(super) hello: &'a ClientHello<'a>,
    pub(super) session: SessionId,
    /// Our connection ID of the session.
    pub(super) cid: &'a [u8],
}

/// The choice of a suite, with what goes with it.
struct Choice {
    suite: Suite,
    server_type: u8,
    client_type: u8,
}

impl Handshake {
    /// Answers a ClientHello whose cookie was right; the flight is ready to be sent.
    pub(super) fn begin(
        begin: &Begin<'_>,
        config: &ServerConfig,
        cache: &Cache,
        credentials: &dyn Credentials,
        rng: &mut dyn Rng,
    ) -> Result<Self, Alert> {
        let hello = begin.hello;
        if !hello.has_null_compression() {
            return Err(Alert::ILLEGAL_PARAMETER);
        }
        let extensions = hello.extensions()?;
        // RFC 5746 §3.6: in a first handshake it must be empty.
        if extensions
            .renegotiation_info
            .is_some_and(|it| !it.is_empty())
        {
            return Err(Alert::HANDSHAKE_FAILURE);
        }
        let resumable = find_resumable(hello, &extensions, cache, begin.now, config)?;
        if !extensions.extended_master_secret
            && config.extended_master_secret == ExtendedMasterSecret::Required
        {
            return Err(Alert::HANDSHAKE_FAILURE);
        }
        if let Some(name) = extensions.server_name {
            credentials.server_name(name)?;
        }
        let choice = match resumable {
            Some(entry) => Choice {
                suite: entry.suite,
                server_type: TYPE_X509,
                client_type: TYPE_X509,
            },
            None => choose(hello, &extensions, config)?,
        };
        let mut channel = Channel::new(
            begin.now,
            begin.message.wrapping_add(1),
            begin.message,
            begin.record,
        );
        channel.transcript.update(begin.bytes);
        let mut server_random = [0; 32];
        rng.fill(&mut server_random);
        let mut session_id = Zeroizing::new([0; 32]);
        let can_resume = cache.is_enabled() && extensions.extended_master_secret;
        if resumable.is_some() {
            session_id.copy_from_slice(hello.session_id);
        } else if can_resume {
            rng.fill(session_id.as_mut_slice());
        }
        let mut handshake = Self {
            channel,
            session: begin.session,
            address: begin.from,
            number: begin.number,
            has_cid: extensions.connection_id.is_some() && !begin.cid.is_empty(),
            client_random: *hello.random,
            identity: Identity::None,
            tag: 0,
            resumed: resumable.is_some(),
            suite: choice.suite,
            // RFC 7366 §3: for CBC only.
            encrypt_then_mac: extensions.encrypt_then_mac
                && choice.suite.cipher() == Cipher::CbcSha256,
            session_id,
            can_resume,
            server_random,
            extended_master_secret: extensions.extended_master_secret,
            peer_cid: Box::default(),
            expect: Expect::ClientKeyExchange,
            ephemeral: None,
            client_type: choice.client_type,
            peer_key: None,
            unknown_identity: false,
            master: None,
            server_name: extensions.server_name.map(Into::into),
        };
        if !begin.cid.is_empty() {
            handshake.peer_cid = extensions.connection_id.unwrap_or_default().into();
        }
        handshake.say_hello(begin, &extensions, &choice);
        match resumable {
            Some(entry) => {
                handshake.identity = entry.identity.clone();
                handshake.tag = entry.tag;
                handshake.set_master(entry.master.clone());
                handshake.say_finished();
                handshake.expect = Expect::Finished;
            }
            None => handshake.say_rest(config, &choice, rng)?,
        }
        Ok(handshake)
    }

    fn say_hello(&mut self, begin: &Begin<'_>, extensions: &ClientExtensions<'_>, choice: &Choice) {
        let key_exchange = self.suite.key_exchange();
        let full = !self.resumed;
        let certificates = full && key_exchange == KeyExchange::EcdheEcdsa;
        let with_curve = full && key_exchange != KeyExchange::Psk;
        let renegotiation = extensions.renegotiation_info.is_some()
            || begin.hello.suites().any(|it| it == RENEGOTIATION_SCSV);
        let session_id = if self.resumed || self.can_resume {
            self.session_id.as_slice()
        } else {
            &[]
        };
        let hello = ServerHello {
            version: DTLS_1_2,
            random: &self.server_random,
            session_id,
            suite: self.suite.code(),
            compression: 0,
            extensions: ServerExtensions {
                // RFC 6066 §3: not in a resumption.
                server_name: full && extensions.server_name.is_some(),
                point_formats: (with_curve && extensions.point_formats.is_some()).then_some(&[0]),
                client_type: (certificates && extensions.client_types.is_some())
                    .then_some(choice.client_type),
                server_type: (certificates && extensions.server_types.is_some())
                    .then_some(choice.server_type),
                encrypt_then_mac: self.encrypt_then_mac,
                extended_master_secret: self.extended_master_secret,
                connection_id: self.has_cid.then_some(begin.cid),
                renegotiation_info: renegotiation.then_some(&[]),
            },
        };
        self.channel.say(kind::SERVER_HELLO, |out| hello.write(out));
    }

    fn say_rest(
        &mut self,
        config: &ServerConfig,
        choice: &Choice,
        rng: &mut dyn Rng,
    ) -> Result<(), Alert> {
        let channel = &mut self.channel;
        let key_exchange = self.suite.key_exchange();
        if key_exchange != KeyExchange::Psk {
            let ephemeral = EphemeralKey::generate(rng).ok_or(Alert::INTERNAL_ERROR)?;
            let point = ephemeral.public_key();
            self.ephemeral = Some(ephemeral);
            if key_exchange == KeyExchange::EcdheEcdsa {
                let key = config.key.as_ref().ok_or(Alert::INTERNAL_ERROR)?;
                channel.say(kind::CERTIFICATE, |out| {
                    if choice.server_type == TYPE_RAW_PUBLIC_KEY {
                        write_raw_public_key(out, key.pair.public_key());
                    } else {
                        write_chain(out, key.chain.iter().map(|it| &**it));
                    }
                });
                // RFC 8422 §5.4: both randoms and the parameters are signed.
                let mut signed = alloc::vec::Vec::with_capacity(64 + 69);
                signed.extend_from_slice(&self.client_random);
                signed.extend_from_slice(&self.server_random);
                write_ec_parameters(&mut signed, &point);
                let signature = key.pair.sign(&signed);
                channel.say(kind::SERVER_KEY_EXCHANGE, |out| {
                    write_ec_parameters(out, &point);
                    write_signature(out, &signature);
                });
                if config.client_authentication == ClientAuthentication::Required {
                    channel.say(kind::CERTIFICATE_REQUEST, write_certificate_request);
                    self.expect = Expect::Certificate;
                }
            } else {
                channel.say(kind::SERVER_KEY_EXCHANGE, |out| {
                    put_vec(out, 2, |_| ());
                    write_ec_parameters(out, &point);
                });
            }
        }
        channel.say(kind::SERVER_HELLO_DONE, |_| ());
        Ok(())
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
        credentials: &dyn Credentials,
        rng: &mut dyn Rng,
    ) -> Result<Step, Alert> {
        let expected = match self.expect {
            Expect::Certificate => kind::CERTIFICATE,
            Expect::ClientKeyExchange => kind::CLIENT_KEY_EXCHANGE,
            Expect::CertificateVerify => kind::CERTIFICATE_VERIFY,
            Expect::Finished => kind::FINISHED,
        };
        let protected = message.epoch == EPOCH;
        if message.kind != expected || protected != (expected == kind::FINISHED) {
            return Err(Alert::UNEXPECTED_MESSAGE);
        }
        match self.expect {
            Expect::Certificate => {
                self.certificate(message.body(), now, credentials)?;
                self.channel.transcript.update(&message.bytes);
                self.expect = Expect::ClientKeyExchange;
            }
            Expect::ClientKeyExchange => {
                // The extended master secret covers this message (RFC 7627 §3).
                self.channel.transcript.update(&message.bytes);
                self.key_exchange(message.body(), credentials, rng)?;
                self.expect = match self.peer_key {
                    Some(_) => Expect::CertificateVerify,
                    None => Expect::Finished,
                };
            }
            Expect::CertificateVerify => {
                self.certificate_verify(message.body())?;
                self.channel.transcript.update(&message.bytes);
                self.expect = Expect::Finished;
            }
            Expect::Finished => {
                self.finished(message)?;
                return Ok(Step::Done);
            }
        }
        Ok(Step::Continue)
    }

    fn certificate(
        &mut self,
        body: &[u8],
        now: Instant,
        credentials: &dyn Credentials,
    ) -> Result<(), Alert> {
        if self.client_type == TYPE_RAW_PUBLIC_KEY {
            let spki = read_raw_public_key(body).ok_or(Alert::DECODE_ERROR)?;
            if spki.is_empty() {
                return Err(Alert::HANDSHAKE_FAILURE);
            }
            let key = PublicKey::from_spki(spki).map_err(|_| Alert::UNSUPPORTED_CERTIFICATE)?;
            self.tag = credentials
                .raw_public_key(spki)
                .ok_or(Alert::CERTIFICATE_UNKNOWN)?;
            self.identity = Identity::RawPublicKey(spki.into());
            self.peer_key = Some(key);
            return Ok(());
        }
        let chain = read_chain(body).ok_or(Alert::DECODE_ERROR)?;
        // RFC 5246 §7.4.6: a client without a certificate sends an empty list.
        let leaf = *chain.first().ok_or(Alert::HANDSHAKE_FAILURE)?;
        let key = Certificate::parse(leaf)?.public_key()?;
        self.tag = credentials.certificate(&chain, now)?;
        self.identity = Identity::Certificate(chain.iter().map(|&it| it.into()).collect());
        self.peer_key = Some(key);
        Ok(())
    }

    fn key_exchange(
        &mut self,
        body: &[u8],
        credentials: &dyn Credentials,
        rng: &mut dyn Rng,
    ) -> Result<(), Alert> {
        let mut reader = Reader::new(body);
        let key_exchange = self.suite.key_exchange();
        let mut psk = None;
        if key_exchange != KeyExchange::EcdheEcdsa {
            let identity = reader.vec16().ok_or(Alert::DECODE_ERROR)?;
            psk = Some(match credentials.psk(identity) {
                Some((key, tag)) => {
                    self.tag = tag;
                    key
                }
                None => {
                    // RFC 4279 §2: go on with a key that nobody has, so that the client cannot tell
                    // an unknown identity from a wrong key.
                    let mut key = Zeroizing::new([0; 16]);
                    rng.fill(key.as_mut_slice());
                    self.unknown_identity = true;
                    crate::Secret::new(key.as_slice())
                }
            });
            self.identity = Identity::Psk(identity.into());
        }
        let shared = match self.ephemeral.take() {
            Some(ephemeral) => {
                let point = reader.vec8().ok_or(Alert::DECODE_ERROR)?;
                Some(ephemeral.agree(point).ok_or(Alert::ILLEGAL_PARAMETER)?)
            }
            None => None,
        };
        reader.end().ok_or(Alert::DECODE_ERROR)?;
        let premaster = match (&psk, &shared) {
            (Some(psk), None) => psk_premaster(psk.expose()),
            (Some(psk), Some(shared)) => ecdhe_psk_premaster(shared, psk.expose()),
            (None, Some(shared)) => Some(Zeroizing::new(shared.to_vec())),
            (None, None) => None,
        };
        let premaster = premaster.ok_or(Alert::INTERNAL_ERROR)?;
        let master = if self.extended_master_secret {
            MasterSecret::extended(&premaster, &self.channel.transcript.hash())
        } else {
            MasterSecret::classic(&premaster, &self.client_random, &self.server_random)
        };
        self.set_master(master);
        Ok(())
    }

    fn set_master(&mut self, master: MasterSecret) {
        let keys = master.keys(
            self.suite.cipher(),
            &self.client_random,
            &self.server_random,
        );
        self.channel.link = Some(Link::new(
            Protection::new(self.suite, self.encrypt_then_mac),
            keys.client.clone(),
            keys.server.clone(),
            core::mem::take(&mut self.peer_cid),
        ));
        self.master = Some(master);
    }

    fn certificate_verify(&mut self, body: &[u8]) -> Result<(), Alert> {
        let mut reader = Reader::new(body);
        let signature = read_signature(&mut reader).ok_or(Alert::DECODE_ERROR)?;
        reader.end().ok_or(Alert::DECODE_ERROR)?;
        let Signature::Ecdsa(signature) = signature else {
            return Err(Alert::ILLEGAL_PARAMETER);
        };
        let key = self.peer_key.as_ref().ok_or(Alert::INTERNAL_ERROR)?;
        key.verify_prehash(&self.channel.transcript.hash(), signature)
            .map_err(|_| Alert::DECRYPT_ERROR)
    }

    fn finished(&mut self, message: &Message) -> Result<(), Alert> {
        let master = self.master.as_ref().ok_or(Alert::INTERNAL_ERROR)?;
        let expected = master.verify_data(Side::Client, &self.channel.transcript.hash());
        if !same(&expected, message.body()) || self.unknown_identity {
            return Err(Alert::DECRYPT_ERROR);
        }
        self.channel.transcript.update(&message.bytes);
        self.channel.flight.clear();
        if !self.resumed {
            self.say_finished();
        }
        Ok(())
    }

    fn say_finished(&mut self) {
        if let Some(master) = &self.master {
            let hash = self.channel.transcript.hash();
            let verify_data = master.verify_data(Side::Server, &hash);
            self.channel.say_finished(&verify_data);
        }
    }

    /// What a later short handshake needs, under its name; `None` when there may be none.
    pub(super) fn cache_entry(&self, now: Instant) -> Option<([u8; 32], Entry)> {
        if self.resumed || !self.can_resume {
            return None;
        }
        let entry = Entry {
            suite: self.suite,
            master: self.master.clone()?,
            identity: self.identity.clone(),
            tag: self.tag,
            session: self.session,
            server_name: self.server_name.clone(),
            created: now,
        };
        Some((*self.session_id, entry))
    }

    /// The name under which it was resumed.
    pub(super) fn session_id(&self) -> &[u8; 32] {
        &self.session_id
    }
}

/// The session that the client wants to go on with, if it may.
fn find_resumable<'c>(
    hello: &ClientHello<'_>,
    extensions: &ClientExtensions<'_>,
    cache: &'c Cache,
    now: Instant,
    config: &ServerConfig,
) -> Result<Option<&'c Entry>, Alert> {
    let Some(entry) = cache.find(hello.session_id, now) else {
        return Ok(None);
    };
    // RFC 7627 §5.3: a session with the extended master secret is not resumed without.
    if !extensions.extended_master_secret {
        return Err(Alert::HANDSHAKE_FAILURE);
    }
    let fits = hello.suites().any(|it| it == entry.suite.code())
        && config.suites.contains(&entry.suite)
        && entry.server_name.as_deref() == extensions.server_name;
    Ok(fits.then_some(entry))
}

/// The first suite of ours that the client has, and that both have the means for.
fn choose(
    hello: &ClientHello<'_>,
    extensions: &ClientExtensions<'_>,
    config: &ServerConfig,
) -> Result<Choice, Alert> {
    // Without the extension X.509 is meant (RFC 7250 §4.2).
    let x509 = [TYPE_X509].as_slice();
    let server_type = config.key.as_ref().and_then(|key| {
        let types = extensions.server_types.unwrap_or(x509);
        types.iter().copied().find(|kind| match *kind {
            TYPE_X509 => !key.chain.is_empty(),
            TYPE_RAW_PUBLIC_KEY => key.raw_public_key,
            _ => false,
        })
    });
    let types = extensions.client_types.unwrap_or(x509);
    let client_type = types
        .iter()
        .copied()
        .find(|kind| [TYPE_X509, TYPE_RAW_PUBLIC_KEY].contains(kind));
    let asks = config.client_authentication == ClientAuthentication::Required;
    let has_types = server_type.is_some() && (!asks || client_type.is_some());
    let mut alert = Alert::HANDSHAKE_FAILURE;
    for suite in config.suites.iter().copied() {
        if !hello.suites().any(|it| it == suite.code()) {
            continue;
        }
        let fits = match suite.key_exchange() {
            KeyExchange::Psk => true,
            KeyExchange::EcdhePsk => extensions.has_curve(),
            KeyExchange::EcdheEcdsa => {
                let can =
                    config.key.is_some() && extensions.has_curve() && extensions.has_signature();
                if can && !has_types {
                    // RFC 7250 §4.2: nothing but a type of certificate is missing.
                    alert = Alert::UNSUPPORTED_CERTIFICATE;
                }
                can && has_types
            }
        };
        if fits {
            return Ok(Choice {
                suite,
                server_type: server_type.unwrap_or(TYPE_X509),
                client_type: client_type.unwrap_or(TYPE_X509),
            });
        }
    }
    Err(alert)
}

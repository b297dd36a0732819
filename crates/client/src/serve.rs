//! Serving the server's requests: device management and information reporting (Core 1.2 §6.3,
//! §6.4; codes Transport 1.2 §6.7).

use core::net::SocketAddr;

use dunlin_coap::block::{Block, Block1Received, Block2Answer, Refusal};
use dunlin_coap::{Code, Instant, Message, OptionNumber, ReplyTo};
use dunlin_lwm2m::link::LinksWriter;
use dunlin_lwm2m::operation::{Operation, Payload, WireOperation, WriteMode};
use dunlin_lwm2m::{
    Arguments, ContentFormat, DataType, Level, Path, Version, WriteAttributes, format,
};
use heapless::{String, Vec};

use crate::blocks::Rendered;
use crate::client::{Client, Event};
use crate::digest::Digest;
use crate::links::Discover;
use crate::notify::Observation;
use crate::object::Objects;
use crate::report::Snapshot;
use crate::tree::{self, Target};

/// What goes back to the server.
struct Answer {
    code: Code,
    observe: Option<u32>,
    /// Of a created instance.
    location: Option<Path>,
    /// The part of the payload memory that answers.
    content: Option<Block2Answer>,
    block1: Option<Block>,
}

impl From<Code> for Answer {
    fn from(code: Code) -> Self {
        Self {
            code,
            observe: None,
            location: None,
            content: None,
            block1: None,
        }
    }
}

impl<
    O: Objects,
    const OBSERVATIONS: usize,
    const ATTRIBUTES: usize,
    const BODY: usize,
    const DATAGRAM: usize,
> Client<O, OBSERVATIONS, ATTRIBUTES, BODY, DATAGRAM>
{
    /// Answers a request; the answer lies in `out`.
    pub(crate) fn serve(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        reply_to: &ReplyTo<SocketAddr>,
    ) {
        let answer = match self.receiver.receive(now, message, &mut self.body) {
            Block1Received::Refuse(refusal) => return self.refuse(message, reply_to, &refusal),
            Block1Received::Continue(block) => Answer {
                block1: Some(block),
                ..Answer::from(Code::CONTINUE)
            },
            Block1Received::Single => self.perform_reported(now, message, message.payload),
            Block1Received::Complete { length, block } => {
                let body = self.body;
                let body = body.get(..length).unwrap_or_default();
                Answer {
                    block1: Some(block),
                    ..self.perform_reported(now, message, body)
                }
            }
        };
        let Self {
            coap,
            out,
            rendered,
            payload,
            ..
        } = self;
        let written = coap.reply(reply_to, answer.code, message.token, out, |writer| {
            if let Some(path) = answer.location {
                // Decimal ids need no escapes.
                for id in path.ids() {
                    let segment = text::<5>(format_args!("{id}"));
                    writer.option(OptionNumber::LOCATION_PATH, segment.as_bytes());
                }
            }
            if let (Some(rendered), Some(part)) = (rendered, &answer.content) {
                rendered.write(payload, answer.observe, part, writer);
            }
            if let Some(block) = answer.block1 {
                writer.uint(OptionNumber::BLOCK1, block.value());
            }
        });
        self.out_length = match written {
            Ok(length) => length,
            // A token beyond eight bytes may leave no room for the content.
            Err(_) => coap
                .reply(
                    reply_to,
                    Code::INTERNAL_SERVER_ERROR,
                    message.token,
                    out,
                    |_| {},
                )
                .unwrap_or(0),
        };
    }

    fn refuse(&mut self, message: &Message<'_>, reply_to: &ReplyTo<SocketAddr>, refusal: &Refusal) {
        self.event(Event::Request {
            operation: "Request",
            path: Path::ROOT,
            code: refusal.code,
        });
        self.out_length = self
            .coap
            .reply(
                reply_to,
                refusal.code,
                message.token,
                &mut self.out,
                |writer| refusal.write(writer),
            )
            .unwrap_or(0);
    }

    fn perform_reported(&mut self, now: Instant, message: &Message<'_>, body: &[u8]) -> Answer {
        if first_id(message).is_some_and(tree::is_hidden) && is_known(message.code) {
            // Every operation on Security, OSCORE and COSE (Transport 1.2 Table 6.7-3).
            let path = first_id(message).map_or(Path::ROOT, Path::object);
            return self.reported("Request", path, Code::UNAUTHORIZED.into());
        }
        let operation = match WireOperation::from_request_with_body(message, body, "") {
            Ok(operation) => operation,
            Err(error) => {
                return self.reported("Request", Path::ROOT, error.code().into());
            }
        };
        let (name, path) = (operation.name(), operation.path());
        let answer = self
            .perform(now, message, operation)
            .unwrap_or_else(Answer::from);
        if answer.code == Code::CHANGED && name == "Execute" && path.object_id() == Some(3) {
            match path.resource_id() {
                Some(4) => self.event(Event::Reboot),
                Some(5) => self.event(Event::FactoryReset),
                _ => {}
            }
        }
        self.reported(name, path, answer)
    }

    fn reported(&mut self, operation: &'static str, path: Path, answer: Answer) -> Answer {
        self.event(Event::Request {
            operation,
            path,
            code: answer.code,
        });
        answer
    }

    fn perform(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        operation: WireOperation<'_>,
    ) -> Result<Answer, Code> {
        match operation {
            Operation::Read { path, accept } => self.content(now, message, path, accept),
            // A client that does not support parameters must refuse them (Core 1.2 §6.4.1).
            Operation::Observe { parameters, .. } | Operation::CancelObserve { parameters, .. }
                if !parameters.is_empty() =>
            {
                Err(Code::BAD_OPTION)
            }
            Operation::ReadComposite { .. }
            | Operation::WriteComposite { .. }
            | Operation::ObserveComposite { .. }
            | Operation::CancelObserveComposite { .. } => Err(Code::NOT_IMPLEMENTED),
            Operation::Observe { path, accept, .. } => self.observe(now, message, path, accept),
            Operation::CancelObserve { path, accept, .. } => {
                self.observations.retain(|observation| {
                    observation.token != message.token || observation.path != path
                });
                self.content(now, message, path, accept)
            }
            Operation::Discover { path, depth } => self.discover(now, message, path, depth),
            Operation::Write { path, mode, body } => {
                self.write(path, mode, body)?;
                Ok(Code::CHANGED.into())
            }
            Operation::WriteAttributes { path, attributes } => {
                self.write_attributes(path, &attributes)?;
                Ok(Code::CHANGED.into())
            }
            Operation::Execute { path, arguments } => {
                self.execute(path, arguments)?;
                Ok(Code::CHANGED.into())
            }
            Operation::Create { object, body } => {
                self.rendered = None;
                let version = self.version();
                let (id, _) =
                    tree::create(&mut self.tree, object, body, version, &mut self.payload)?;
                Ok(Answer {
                    location: Some(Path::instance(object, id)),
                    ..Code::CREATED.into()
                })
            }
            Operation::Delete { path } => {
                let version = self.version();
                tree::delete(&mut self.tree, &path, version)?;
                self.attributes.remove_below(&path);
                Ok(Code::DELETED.into())
            }
        }
    }

    fn write(&mut self, path: Path, mode: WriteMode, body: Payload<'_>) -> Result<(), Code> {
        self.rendered = None;
        tree::write(&mut self.tree, &path, mode, body, &mut self.payload)
    }

    fn execute(&mut self, path: Path, arguments: &str) -> Result<(), Code> {
        let Target::Resource(_, resource) = tree::resolve(&self.tree, &path)? else {
            return Err(Code::METHOD_NOT_ALLOWED);
        };
        if !resource.operations.is_executable() {
            return Err(Code::METHOD_NOT_ALLOWED);
        }
        let arguments = Arguments::parse(arguments).map_err(|_| Code::BAD_REQUEST)?;
        let object = path
            .object_id()
            .and_then(|id| tree::find_mut(&mut self.tree, id))
            .ok_or(Code::NOT_FOUND)?;
        object.transaction(path.instance_id().unwrap_or(0), &mut |instance| {
            instance.execute(resource.id, arguments)
        })
    }

    fn write_attributes(&mut self, path: Path, write: &WriteAttributes) -> Result<(), Code> {
        let data_type: Option<DataType> = match tree::resolve(&self.tree, &path)? {
            Target::Object(_) | Target::Instance(..) => None,
            Target::Resource(_, resource) | Target::ResourceInstance(resource) => {
                tree::check_readable(&self.tree, &path)?;
                resource.data_type
            }
        };
        write
            .check_target(path.level(), data_type)
            .map_err(|_| Code::BAD_REQUEST)?;
        let attributes = write
            .apply(&self.attributes.own(&path))
            .map_err(|_| Code::BAD_REQUEST)?;
        if !self.attributes.set(path, attributes) {
            return Err(Code::INTERNAL_SERVER_ERROR);
        }
        for observation in &mut self.observations {
            observation.is_stale |= path.contains(&observation.path);
        }
        Ok(())
    }

    /// Read: renders, or goes on with the blocks of what was rendered before.
    fn content(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        path: Path,
        accept: Option<ContentFormat>,
    ) -> Result<Answer, Code> {
        if !self.continues(now, message, &path, accept) {
            tree::check_readable(&self.tree, &path)?;
            let format = self.choose_format(&path, accept)?;
            self.render(now, &path, accept, format)?;
        }
        self.rendered_answer(message)
    }

    fn continues(
        &self,
        now: Instant,
        message: &Message<'_>,
        path: &Path,
        accept: Option<ContentFormat>,
    ) -> bool {
        is_later_block(message)
            && self
                .rendered
                .is_some_and(|rendered| rendered.serves(now, path, accept))
    }

    fn rendered_answer(&self, message: &Message<'_>) -> Result<Answer, Code> {
        let rendered = self.rendered.ok_or(Code::INTERNAL_SERVER_ERROR)?;
        let part = rendered
            .answer(message, DATAGRAM)
            .map_err(|refusal| refusal.code)?;
        Ok(Answer {
            content: Some(part),
            ..Code::CONTENT.into()
        })
    }

    fn observe(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        path: Path,
        accept: Option<ContentFormat>,
    ) -> Result<Answer, Code> {
        if is_later_block(message) {
            // The rest of a notification is fetched without Observe (RFC 7959 §2.6); whoever
            // sends it anyway does not begin an observation.
            return self.content(now, message, path, accept);
        }
        let mut answer = self.content(now, message, path, accept)?;
        // The same token takes the place of its observation (RFC 7641 §3.1), and its numbers go on:
        // a notification from before that arrives late is old to the server, too (§4.4).
        let replaced = self
            .observations
            .iter()
            .position(|observation| observation.token == message.token);
        let replaced = replaced.map(|index| self.observations.remove(index).sequence);
        let Some(format) = self.rendered.map(|rendered| rendered.format) else {
            return Ok(answer);
        };
        let Ok(token) = Vec::from_slice(message.token) else {
            return Ok(answer);
        };
        let mut sequence = replaced.unwrap_or_default();
        let number = sequence.advance();
        let observation = Observation {
            token,
            path,
            accept,
            format,
            sequence,
            sent: Snapshot::take(&self.tree, &path),
            sent_at: now,
            confirmed_at: now,
            message_id: None,
            exchange: None,
            is_stale: false,
            is_changed: false,
            ends: None,
        };
        if self.observations.push(observation).is_ok() {
            answer.observe = Some(number);
        }
        Ok(answer)
    }

    fn discover(
        &mut self,
        now: Instant,
        message: &Message<'_>,
        path: Path,
        depth: Option<u8>,
    ) -> Result<Answer, Code> {
        tree::resolve(&self.tree, &path)?;
        let accept = Some(ContentFormat::LINK);
        if !self.continues(now, message, &path, accept) {
            let version = self.version();
            let Self {
                tree,
                attributes,
                payload,
                rendered,
                ..
            } = self;
            let discover = Discover {
                target: path,
                depth,
                version,
                own: &|path| attributes.own(path),
                inherited: &|path| attributes.inherited(path),
            };
            *rendered = None;
            let mut writer = LinksWriter::new(payload, "");
            discover.write(tree, &mut writer);
            let length = writer.finish().map_err(|_| Code::INTERNAL_SERVER_ERROR)?;
            self.keep_rendered(now, path, accept, ContentFormat::LINK, length);
        }
        self.rendered_answer(message)
    }

    /// The format of an answer: the one asked for; otherwise TLV in version 1.0, and later text
    /// (opaque for bytes) for one value, SenML CBOR for several.
    fn choose_format(
        &self,
        path: &Path,
        accept: Option<ContentFormat>,
    ) -> Result<ContentFormat, Code> {
        let is_single = tree::is_single_value(&self.tree, path);
        if let Some(accept) = accept {
            let needs_single = matches!(
                accept,
                ContentFormat::TEXT | ContentFormat::OPAQUE | ContentFormat::CBOR
            );
            return if needs_single && !is_single {
                Err(Code::NOT_ACCEPTABLE)
            } else {
                Ok(accept)
            };
        }
        if self.version() == Version::V1_0 {
            return Ok(ContentFormat::TLV);
        }
        if !is_single {
            return Ok(ContentFormat::SENML_CBOR);
        }
        let is_opaque = match tree::resolve(&self.tree, path) {
            Ok(Target::Resource(_, resource) | Target::ResourceInstance(resource)) => {
                resource.data_type == Some(DataType::Opaque)
            }
            _ => false,
        };
        Ok(if is_opaque {
            ContentFormat::OPAQUE
        } else {
            ContentFormat::TEXT
        })
    }

    /// Writes what stands at a path into the payload memory.
    pub(crate) fn render(
        &mut self,
        now: Instant,
        path: &Path,
        accept: Option<ContentFormat>,
        format: ContentFormat,
    ) -> Result<(), Code> {
        debug_assert!(path.level() != Level::Root);
        self.rendered = None;
        let mut writer =
            format::writer(format, &mut self.payload, *path).map_err(|error| error.code())?;
        tree::read(&self.tree, path, &mut |record| writer.record(record))
            .map_err(|error| error.code())?;
        let length = writer.finish().map_err(|error| error.code())?;
        self.keep_rendered(now, *path, accept, format, length);
        Ok(())
    }

    fn keep_rendered(
        &mut self,
        now: Instant,
        path: Path,
        accept: Option<ContentFormat>,
        format: ContentFormat,
        length: usize,
    ) {
        let mut digest = Digest::new();
        digest.bytes(self.payload.get(..length).unwrap_or_default());
        let [a, b, c, d, e, f, g, h] = digest.finish().to_be_bytes();
        self.rendered = Some(Rendered {
            path,
            accept,
            format,
            length,
            etag: [a ^ e, b ^ f, c ^ g, d ^ h],
            at: now,
        });
    }
}

/// The object a request is about, if its path begins with a number.
fn first_id(message: &Message<'_>) -> Option<u16> {
    let segment = message.value(OptionNumber::URI_PATH)?;
    core::str::from_utf8(segment).ok()?.parse().ok()
}

fn is_later_block(message: &Message<'_>) -> bool {
    matches!(Block::of(message, OptionNumber::BLOCK2), Ok(Some(block)) if block.num > 0)
}

/// A short text on the stack; what does not fit is left out.
fn text<const N: usize>(arguments: core::fmt::Arguments<'_>) -> String<N> {
    let mut text = String::new();
    let _ = core::fmt::Write::write_fmt(&mut text, arguments);
    text
}

/// Methods LwM2M uses on objects; others are answered with 4.05 wherever they go.
fn is_known(method: Code) -> bool {
    matches!(method, Code::GET | Code::PUT | Code::POST | Code::DELETE)
}

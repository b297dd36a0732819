//! Serving the server's requests: device management and information reporting (Core 1.2 §6.3,
//! §6.4; codes Transport 1.2 §6.7).

use core::net::SocketAddr;

use dunlin_coap::block::{
    Block, Block1Received, Block1Receiver, Block2Answer, BlockLimits, Refusal,
};
use dunlin_coap::{Code, Instant, Message, OptionNumber, ReplyTo};
use dunlin_lwm2m::link::LinksWriter;
use dunlin_lwm2m::operation::{Operation, Payload, WireOperation, WriteMode};
use dunlin_lwm2m::{
    Arguments, Content, ContentFormat, DataType, Level, Path, Version, WriteAttributes, format,
};
use heapless::String;

use crate::access::{self, Offer, Requester};
use crate::blocks::Rendered;
use crate::client::Event;
use crate::digest::Digest;
use crate::links::Discover;
use crate::object::Objects;
use crate::session::{Session, Shared};
use crate::tree::{self, Target};

/// The memory for a request that comes in blocks.
pub(crate) struct Body<'a> {
    pub(crate) bytes: &'a mut [u8],
    /// The `/1` instance of the server whose request it is.
    pub(crate) account: &'a mut u16,
}

/// What goes back to the server.
pub(crate) struct Answer {
    pub(crate) code: Code,
    pub(crate) observe: Option<u32>,
    /// Of a created instance.
    location: Option<Path>,
    /// The part of the payload memory that answers.
    content: Option<Block2Answer>,
    block1: Option<Block>,
    /// What is wrong about the use of blocks.
    refusal: Option<Refusal>,
}

impl From<Code> for Answer {
    fn from(code: Code) -> Self {
        Self {
            code,
            observe: None,
            location: None,
            content: None,
            block1: None,
            refusal: None,
        }
    }
}

impl Answer {
    /// With this Block1 option.
    pub(crate) fn with_block1(self, block1: Option<Block>) -> Self {
        Self { block1, ..self }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal: Some(refusal),
            ..Self::from(refusal.code)
        }
    }
}

impl<const OBSERVATIONS: usize, const ATTRIBUTES: usize, const DATAGRAM: usize>
    Session<OBSERVATIONS, ATTRIBUTES, DATAGRAM>
{
    /// Answers a request; the answer lies in `out`.
    pub(crate) fn serve<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        body: &mut Body<'_>,
        now: Instant,
        message: &Message<'_>,
        reply_to: &ReplyTo<SocketAddr>,
    ) {
        if let Some(answer) = self.upload(shared, now, message) {
            return self.reply(shared, message, reply_to, &answer);
        }
        self.share_body(body, message);
        let answer = match self.receiver.receive(now, message, body.bytes) {
            Block1Received::Refuse(refusal) => {
                self.reported(shared, "Request", Path::ROOT, refusal.into())
            }
            Block1Received::Continue(block) => Answer {
                block1: Some(block),
                ..Answer::from(Code::CONTINUE)
            },
            Block1Received::Single => self.perform_reported(shared, now, message, message.payload),
            Block1Received::Complete { length, block } => {
                let body = body.bytes.get(..length).unwrap_or_default();
                Answer {
                    block1: Some(block),
                    ..self.perform_reported(shared, now, message, body)
                }
            }
        };
        self.reply(shared, message, reply_to, &answer);
    }

    fn reply<O, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        message: &Message<'_>,
        reply_to: &ReplyTo<SocketAddr>,
        answer: &Answer,
    ) {
        let Shared {
            out,
            rendered,
            payload,
            ..
        } = shared;
        let written = self
            .coap
            .reply(reply_to, answer.code, message.token, out, |writer| {
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
                if let Some(refusal) = &answer.refusal {
                    refusal.write(writer);
                }
            });
        shared.out_length = match written {
            Ok(length) => length,
            // A token beyond eight bytes may leave no room for the content.
            Err(_) => self
                .coap
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

    /// The memory for bodies is one: whoever begins a transfer takes it, and another server's
    /// transfer is at its end.
    fn share_body(&mut self, body: &mut Body<'_>, message: &Message<'_>) {
        let Ok(Some(block)) = Block::of(message, OptionNumber::BLOCK1) else {
            return;
        };
        if *body.account != self.instance {
            self.receiver = Block1Receiver::new(BlockLimits::body(body.bytes.len()));
            if block.num == 0 {
                *body.account = self.instance;
            }
        }
    }

    fn perform_reported<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
        message: &Message<'_>,
        body: &[u8],
    ) -> Answer {
        if first_id(message).is_some_and(tree::is_hidden) && is_known(message.code) {
            // Every operation on Security, OSCORE and COSE (Transport 1.2 Table 6.7-3).
            let path = first_id(message).map_or(Path::ROOT, Path::object);
            return self.reported(shared, "Request", path, Code::UNAUTHORIZED.into());
        }
        let operation = match WireOperation::from_request_with_body(message, body, "") {
            Ok(operation) => operation,
            Err(error) => {
                return self.reported(shared, "Request", Path::ROOT, error.code().into());
            }
        };
        let (name, path) = (operation.name(), operation.path());
        let answer = self
            .perform(shared, now, message, operation)
            .unwrap_or_else(Answer::from);
        if answer.code == Code::CHANGED && name == "Execute" && path.object_id() == Some(3) {
            match path.resource_id() {
                Some(4) => shared.event(Event::Reboot),
                Some(5) => shared.event(Event::FactoryReset),
                _ => {}
            }
        }
        self.reported(shared, name, path, answer)
    }

    pub(crate) fn reported<O, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        operation: &'static str,
        path: Path,
        answer: Answer,
    ) -> Answer {
        let server = self.id(shared);
        shared.event(Event::Request {
            server,
            operation,
            path,
            code: answer.code,
        });
        answer
    }

    fn perform<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
        message: &Message<'_>,
        operation: WireOperation<'_>,
    ) -> Result<Answer, Code> {
        if let Operation::CancelObserve { path, .. } = &operation {
            self.cancel_observe(message, path, 0);
        }
        self.requester(shared).authorize(&shared.tree, &operation)?;
        match operation {
            Operation::Read { path, accept } => self.content(shared, now, message, path, accept),
            Operation::Observe {
                path,
                accept,
                parameters,
            } => self.observe(shared, now, message, path, accept, parameters),
            Operation::CancelObserve { path, accept, .. } => {
                self.content(shared, now, message, path, accept)
            }
            Operation::ReadComposite { paths, accept } => {
                let (answer, _) = self.read_composite(shared, now, message, paths, accept)?;
                Ok(answer)
            }
            Operation::WriteComposite { body } => {
                self.write_composite(shared, body)?;
                Ok(Code::CHANGED.into())
            }
            Operation::ObserveComposite {
                paths,
                accept,
                parameters,
            } => self.observe_composite(shared, now, message, paths, accept, parameters),
            Operation::CancelObserveComposite { paths, accept, .. } => {
                self.cancel_observe_composite(shared, now, message, paths, accept)
            }
            Operation::Discover { path, depth } => self.discover(shared, now, message, path, depth),
            Operation::Write { path, mode, body } => {
                check_format(body, self.version())?;
                self.write(shared, path, mode, body)?;
                Ok(Code::CHANGED.into())
            }
            Operation::WriteAttributes { path, attributes } => {
                self.write_attributes(shared, path, &attributes)?;
                Ok(Code::CHANGED.into())
            }
            Operation::Execute { path, arguments } => {
                execute(shared, path, arguments)?;
                Ok(Code::CHANGED.into())
            }
            Operation::Create { object, body } => {
                shared.rendered = None;
                let version = self.version();
                body.map_or(Ok(()), |body| check_format(body, version))?;
                let (id, _) =
                    tree::create(&mut shared.tree, object, body, version, &mut shared.payload)?;
                let server = self.id(shared);
                if let Err(code) = access::created(&mut shared.tree, object, id, server) {
                    // Nobody could ever use it.
                    let path = Path::instance(object, id);
                    tree::delete(&mut shared.tree, &path, version)?;
                    return Err(code);
                }
                Ok(Answer {
                    location: Some(Path::instance(object, id)),
                    ..Code::CREATED.into()
                })
            }
            Operation::Delete { path } => {
                let version = self.version();
                tree::delete(&mut shared.tree, &path, version)?;
                shared.deleted = Some(path);
                Ok(Code::DELETED.into())
            }
        }
    }

    fn write<O: Objects, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        path: Path,
        mode: WriteMode,
        body: Payload<'_>,
    ) -> Result<(), Code> {
        let requester = self.requester(shared);
        let has = |path: &Path| requester.offers(path);
        shared.rendered = None;
        tree::write(
            &mut shared.tree,
            &path,
            mode,
            body,
            &has,
            &mut shared.payload,
        )
    }

    fn write_attributes<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        path: Path,
        write: &WriteAttributes,
    ) -> Result<(), Code> {
        let data_type: Option<DataType> = match tree::resolve(&shared.tree, &path)? {
            Target::Object(_) | Target::Instance(..) => None,
            Target::Resource(_, resource) | Target::ResourceInstance(resource) => {
                tree::check_readable(&shared.tree, &path)?;
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
        for watch in self.observations.all_mut() {
            if path.contains(&watch.path) {
                watch.reconsider();
            }
        }
        Ok(())
    }

    /// Read: renders, or goes on with the blocks of what was rendered before.
    pub(crate) fn content<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
        message: &Message<'_>,
        path: Path,
        accept: Option<ContentFormat>,
    ) -> Result<Answer, Code> {
        if !self.continues(shared, now, message, &path, 0, accept) {
            tree::check_readable(&shared.tree, &path)?;
            let format = shared.choose_format(self.version(), &path, accept)?;
            shared.render(now, self.requester(shared), &path, accept, format)?;
        }
        shared.rendered_answer(message)
    }

    pub(crate) fn continues<O, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
        message: &Message<'_>,
        path: &Path,
        group: u32,
        accept: Option<ContentFormat>,
    ) -> bool {
        is_later_block(message)
            && shared.rendered.is_some_and(|rendered| {
                rendered.serves(now, self.id(shared), (path, group), accept)
            })
    }

    fn discover<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
        message: &Message<'_>,
        path: Path,
        depth: Option<u8>,
    ) -> Result<Answer, Code> {
        tree::resolve(&shared.tree, &path)?;
        if self.requester(shared).offers(&path) != Offer::Whole {
            return Err(Code::NOT_FOUND);
        }
        let accept = Some(ContentFormat::LINK);
        if !self.continues(shared, now, message, &path, 0, accept) {
            let requester = self.requester(shared);
            let attributes = &self.attributes;
            let Shared {
                tree,
                payload,
                rendered,
                ..
            } = &mut *shared;
            let discover = Discover {
                target: path,
                depth,
                version: requester.version,
                shows: &|path| requester.offers(path) == Offer::Whole,
                own: &|path| attributes.own(path),
                inherited: &|path| attributes.inherited(path),
            };
            *rendered = None;
            let mut writer = LinksWriter::new(payload, "");
            discover.write(tree, &mut writer);
            let length = writer.finish().map_err(|_| Code::INTERNAL_SERVER_ERROR)?;
            shared.keep_rendered(
                now,
                requester.server,
                path,
                0,
                accept,
                ContentFormat::LINK,
                length,
            );
        }
        shared.rendered_answer(message)
    }
}

impl<O: Objects, const SERVERS: usize, const BODY: usize, const DATAGRAM: usize>
    Shared<O, SERVERS, BODY, DATAGRAM>
{
    pub(crate) fn rendered_answer(&self, message: &Message<'_>) -> Result<Answer, Code> {
        let rendered = self.rendered.ok_or(Code::INTERNAL_SERVER_ERROR)?;
        let part = rendered
            .answer(message, DATAGRAM)
            .map_err(|refusal| refusal.code)?;
        Ok(Answer {
            content: Some(part),
            ..Code::CONTENT.into()
        })
    }

    /// The format of an answer: the one asked for; otherwise what [`Config::formats`] says.
    ///
    /// [`Config::formats`]: crate::Config::formats
    fn choose_format(
        &self,
        version: Version,
        path: &Path,
        accept: Option<ContentFormat>,
    ) -> Result<ContentFormat, Code> {
        let is_single = tree::is_single_value(&self.tree, path);
        if let Some(accept) = accept {
            let content = if is_single {
                Content::Value
            } else {
                Content::Values
            };
            return if carries(accept, content, version) {
                Ok(accept)
            } else {
                Err(Code::NOT_ACCEPTABLE)
            };
        }
        let formats = &self.config.formats;
        if !is_single || version == Version::V1_0 || !formats.plain_values {
            return Ok(formats.of(version));
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
        requester: Requester,
        path: &Path,
        accept: Option<ContentFormat>,
        format: ContentFormat,
    ) -> Result<(), Code> {
        debug_assert!(path.level() != Level::Root);
        self.rendered = None;
        let mut writer =
            format::writer(format, &mut self.payload, *path).map_err(|error| error.code())?;
        requester
            .read(&self.tree, path, &mut |record| writer.record(record))
            .map_err(|error| error.code())?;
        let length = writer.finish().map_err(|error| error.code())?;
        self.keep_rendered(now, requester.server, *path, 0, accept, format, length);
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "all that Rendered is made of")]
    pub(crate) fn keep_rendered(
        &mut self,
        now: Instant,
        server: u16,
        path: Path,
        group: u32,
        accept: Option<ContentFormat>,
        format: ContentFormat,
        length: usize,
    ) {
        let mut digest = Digest::new();
        digest.bytes(self.payload.get(..length).unwrap_or_default());
        let [a, b, c, d, e, f, g, h] = digest.finish().to_be_bytes();
        self.rendered = Some(Rendered {
            server,
            path,
            group,
            accept,
            format,
            length,
            etag: [a ^ e, b ^ f, c ^ g, d ^ h],
            at: now,
        });
    }
}

/// Since 1.1 a client must not use the JSON of 1.0, although it could be read (Core 1.1 §7.4).
fn check_format(body: Payload<'_>, version: Version) -> Result<(), Code> {
    match body.format.current() {
        ContentFormat::LWM2M_JSON if !ContentFormat::LWM2M_JSON.is_in(version) => {
            Err(Code::UNSUPPORTED_CONTENT_FORMAT)
        }
        _ => Ok(()),
    }
}

fn execute<O: Objects, const SERVERS: usize, const BODY: usize, const DATAGRAM: usize>(
    shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
    path: Path,
    arguments: &str,
) -> Result<(), Code> {
    let Target::Resource(_, resource) = tree::resolve(&shared.tree, &path)? else {
        return Err(Code::METHOD_NOT_ALLOWED);
    };
    if !resource.operations.is_executable() {
        return Err(Code::METHOD_NOT_ALLOWED);
    }
    let arguments = Arguments::parse(arguments).map_err(|_| Code::BAD_REQUEST)?;
    let object = path
        .object_id()
        .and_then(|id| tree::find_mut(&mut shared.tree, id))
        .ok_or(Code::NOT_FOUND)?;
    object.transaction(path.instance_id().unwrap_or(0), &mut |instance| {
        instance.execute(resource.id, arguments)
    })
}

/// The object a request is about, if its path begins with a number.
fn first_id(message: &Message<'_>) -> Option<u16> {
    let segment = message.value(OptionNumber::URI_PATH)?;
    core::str::from_utf8(segment).ok()?.parse().ok()
}

pub(crate) fn is_later_block(message: &Message<'_>) -> bool {
    matches!(Block::of(message, OptionNumber::BLOCK2), Ok(Some(block)) if block.num > 0)
}

/// Whether a format can carry something to or from a client of this version. Formats newer than the
/// version are no harm: whoever uses one knows it.
pub(crate) fn carries(format: ContentFormat, content: Content, version: Version) -> bool {
    format.carries(content, version) || format.carries(content, Version::V1_2)
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

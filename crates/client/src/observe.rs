//! Serving Observe, and the operations on several paths at once (Core 1.2 §6.3.8, §6.3.9, §6.4).

use dunlin_coap::{Code, Instant, Message, Token};
use dunlin_lwm2m::operation::Payload;
use dunlin_lwm2m::{Attributes, Content, ContentFormat, Feature, Path, format};

use crate::access::Requester;
use crate::composite::{self, Paths};
use crate::object::Objects;
use crate::observations::Observation;
use crate::serve::{Answer, carries, is_later_block};
use crate::session::{Session, Shared};
use crate::tree::{self, Target};
use crate::watch::{Snapshot, Watch};

impl<const OBSERVATIONS: usize, const ATTRIBUTES: usize, const DATAGRAM: usize>
    Session<OBSERVATIONS, ATTRIBUTES, DATAGRAM>
{
    pub(crate) fn observe<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
        message: &Message<'_>,
        path: Path,
        accept: Option<ContentFormat>,
        parameters: Attributes,
    ) -> Result<Answer, Code> {
        self.check_parameters(shared, &path, &parameters)?;
        let answer = self.content(shared, now, message, path, accept)?;
        if is_later_block(message) {
            // The rest of a notification is fetched without Observe (RFC 7959 §2.6); whoever
            // sends it anyway does not begin an observation.
            return Ok(answer);
        }
        let observed = Observed {
            path,
            group: 0,
            accept,
            parameters,
        };
        Ok(self.begin(shared, now, message, observed, &[path], answer))
    }

    /// Parameters of Observe are of version 1.2; a client that does not support them must refuse
    /// them (Core 1.2 §6.4.1).
    fn check_parameters<O: Objects, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        path: &Path,
        parameters: &Attributes,
    ) -> Result<(), Code> {
        if parameters.is_empty() {
            return Ok(());
        }
        if !Feature::ObserveParameters.is_in(self.version()) {
            return Err(Code::BAD_OPTION);
        }
        let data_type = match tree::resolve(&shared.tree, path) {
            Ok(Target::Resource(_, resource) | Target::ResourceInstance(resource)) => {
                resource.data_type
            }
            _ => None,
        };
        parameters
            .check_target(path.level(), data_type)
            .map_err(|_| Code::BAD_REQUEST)
    }

    /// Begins an observation whose first notification is `answer`.
    fn begin<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
        message: &Message<'_>,
        observed: Observed,
        paths: &[Path],
        mut answer: Answer,
    ) -> Answer {
        // The same token takes the place of its observation (RFC 7641 §3.1), and its numbers go on:
        // a notification from before that arrives late is old to the server, too (§4.4).
        let replaced = self
            .observations
            .position(|observation| observation.token.as_bytes() == message.token)
            .map(|index| self.observations.remove(index).sequence);
        let (Some(rendered), Some(token)) = (shared.rendered, Token::new(message.token)) else {
            return answer;
        };
        let mut sequence = replaced.unwrap_or_default();
        let number = sequence.advance();
        let observation = Observation {
            is_format_asked: observed.accept.is_some(),
            parameters: observed.parameters.into(),
            sequence,
            since: shared.last_report,
            ..Observation::new(token, observed.path, observed.group, rendered.format, now)
        };
        let requester = self.requester(shared);
        let watches = paths
            .iter()
            .map(|path| Watch::new(*path, Snapshot::take(requester, &shared.tree, path), now));
        if self.observations.push(observation, watches) {
            answer.observe = Some(number);
        }
        answer
    }

    /// Cancel Observation: the same token, and the same path.
    pub(crate) fn cancel_observe(&mut self, message: &Message<'_>, path: &Path, group: u32) {
        let cancelled = self.observations.position(|observation| {
            observation.token.as_bytes() == message.token
                && observation.path == *path
                && observation.group == group
        });
        if let Some(index) = cancelled {
            self.observations.remove(index);
        }
    }

    /// Whether composites are served at all: they came with 1.1, and a client may leave them out.
    fn check_composites<O, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        body: &Payload<'_>,
        content: Content,
    ) -> Result<(), Code> {
        if !shared.config.composites || !Feature::Composite.is_in(self.version()) {
            return Err(Code::NOT_IMPLEMENTED);
        }
        if carries(body.format, content, self.version()) {
            Ok(())
        } else {
            Err(Code::UNSUPPORTED_CONTENT_FORMAT)
        }
    }

    /// Read-Composite.
    pub(crate) fn read_composite<O: Objects, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
        message: &Message<'_>,
        body: Payload<'_>,
        accept: Option<ContentFormat>,
    ) -> Result<(Answer, Paths), Code> {
        self.check_composites(shared, &body, Content::Paths)?;
        let paths = composite::read_paths(body)?;
        let group = composite::digest(&paths);
        if !self.continues(shared, now, message, &Path::ROOT, group, accept) {
            let requester = self.requester(shared);
            composite::check_readable(requester, &shared.tree, &paths)?;
            let format = self.composite_format(shared, accept)?;
            shared.render_composite(now, requester, &paths, accept, format)?;
        }
        Ok((shared.rendered_answer(message)?, paths))
    }

    /// Write-Composite.
    pub(crate) fn write_composite<O: Objects, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        body: Payload<'_>,
    ) -> Result<(), Code> {
        self.check_composites(shared, &body, Content::WriteComposite)?;
        shared.rendered = None;
        let requester = self.requester(shared);
        let Shared { tree, payload, .. } = shared;
        composite::write(requester, tree, body, payload)
    }

    /// Observe-Composite.
    pub(crate) fn observe_composite<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
        message: &Message<'_>,
        body: Payload<'_>,
        accept: Option<ContentFormat>,
        parameters: Attributes,
    ) -> Result<Answer, Code> {
        self.check_composites(shared, &body, Content::Paths)?;
        self.check_parameters(shared, &Path::ROOT, &parameters)?;
        let (answer, paths) = self.read_composite(shared, now, message, body, accept)?;
        if is_later_block(message) {
            return Ok(answer);
        }
        let observed = Observed {
            path: Path::ROOT,
            group: composite::digest(&paths),
            accept,
            parameters,
        };
        Ok(self.begin(shared, now, message, observed, &paths, answer))
    }

    /// Cancel Observation-Composite: the same token, and the same list.
    pub(crate) fn cancel_observe_composite<O: Objects, const SERVERS: usize, const BODY: usize>(
        &mut self,
        shared: &mut Shared<O, SERVERS, BODY, DATAGRAM>,
        now: Instant,
        message: &Message<'_>,
        body: Payload<'_>,
        accept: Option<ContentFormat>,
    ) -> Result<Answer, Code> {
        self.check_composites(shared, &body, Content::Paths)?;
        let group = composite::digest(&composite::read_paths(body)?);
        self.cancel_observe(message, &Path::ROOT, group);
        let (answer, _) = self.read_composite(shared, now, message, body, accept)?;
        Ok(answer)
    }

    /// The format of a composite answer: one that names its paths.
    fn composite_format<O, const SERVERS: usize, const BODY: usize>(
        &self,
        shared: &Shared<O, SERVERS, BODY, DATAGRAM>,
        accept: Option<ContentFormat>,
    ) -> Result<ContentFormat, Code> {
        let fits = |format: &ContentFormat| carries(*format, Content::Pack, self.version());
        match accept {
            Some(accept) => Some(accept).filter(fits).ok_or(Code::NOT_ACCEPTABLE),
            None => {
                let preferred = shared.config.formats.of(self.version());
                Ok(Some(preferred)
                    .filter(fits)
                    .unwrap_or(ContentFormat::SENML_CBOR))
            }
        }
    }
}

/// What an Observe asks for.
struct Observed {
    path: Path,
    group: u32,
    accept: Option<ContentFormat>,
    parameters: Attributes,
}

impl<O: Objects, const SERVERS: usize, const BODY: usize, const DATAGRAM: usize>
    Shared<O, SERVERS, BODY, DATAGRAM>
{
    /// Writes what stands at several paths into the payload memory.
    pub(crate) fn render_composite(
        &mut self,
        now: Instant,
        requester: Requester,
        paths: &[Path],
        accept: Option<ContentFormat>,
        format: ContentFormat,
    ) -> Result<(), Code> {
        self.rendered = None;
        let mut writer =
            format::writer(format, &mut self.payload, Path::ROOT).map_err(|error| error.code())?;
        composite::read(requester, &self.tree, paths, &mut |record| {
            writer.record(record)
        })
        .map_err(|error| error.code())?;
        let length = writer.finish().map_err(|error| error.code())?;
        let group = composite::digest(paths);
        self.keep_rendered(
            now,
            requester.server,
            Path::ROOT,
            group,
            accept,
            format,
            length,
        );
        Ok(())
    }
}

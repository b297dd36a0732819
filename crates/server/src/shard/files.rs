//! The file server beside the registration interface: offered files in blocks (RFC 7959 §2.4).
//!
//! It keeps no state of its own: any block may be asked for at any time and in any size up to 1024,
//! so a device goes on where it stopped, also after a restart of either side. The ETag tells it
//! whether the file is still the same.

use dunlin_coap::block::Block2Server;
use dunlin_coap::{Code, Message, OptionNumber};
use dunlin_lwm2m::ContentFormat;

use super::Shard;
use super::receive::{Asker, Response};

impl Shard {
    /// GET of `/fw/TOKEN/NAME`.
    pub(super) fn file(&mut self, message: &Message<'_>, asker: &Asker<'_>) {
        let mut path = message.values(OptionNumber::URI_PATH).skip(1);
        let (token, name) = (path.next(), path.next());
        let offer = self
            .config
            .files
            .get(token.unwrap_or_default(), name.unwrap_or_default());
        let Some(offer) = offer else {
            self.counters.unknown_path += 1;
            return self.respond(asker, Code::NOT_FOUND, &Response::default());
        };
        let wanted = message.accept().map(ContentFormat);
        if wanted.is_some_and(|wanted| wanted != ContentFormat::OPAQUE) {
            return self.respond(asker, Code::NOT_ACCEPTABLE, &Response::default());
        }
        let etag = Some(offer.etag);
        // What the device has is what there is (RFC 7252 §5.10.6.2).
        if message
            .values(OptionNumber::ETAG)
            .any(|known| known == offer.etag)
        {
            let response = Response {
                etag,
                ..Response::default()
            };
            return self.respond(asker, Code::VALID, &response);
        }
        match Block2Server::default().answer(message, offer.bytes.len()) {
            Ok(answer) => {
                self.counters.file_blocks += 1;
                offer.serve(answer.range.end);
                let response = Response {
                    etag,
                    format: Some(ContentFormat::OPAQUE.0),
                    block2: answer.block,
                    size2: answer.size2,
                    payload: offer.bytes.get(answer.range).unwrap_or_default(),
                    ..Response::default()
                };
                self.respond(asker, Code::CONTENT, &response);
            }
            Err(refusal) => {
                self.counters.bad_block += 1;
                let response = Response {
                    payload: refusal.diagnostic.as_bytes(),
                    ..Response::default()
                };
                self.respond(asker, refusal.code, &response);
            }
        }
    }
}

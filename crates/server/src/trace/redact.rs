//! Keys do not leave the server: what is written to or read from the objects that hold them
//! (Security, OSCORE, COSE) stands in no trace.

use std::collections::HashSet;

use dunlin_coap::{Code, Message, OptionNumber};
use dunlin_lwm2m::definition::NoTypes;
use dunlin_lwm2m::{ContentFormat, format};

use super::{Datagram, Direction};

/// What stands in place of a payload that may hold keys.
pub(super) const REDACTED: &[u8] = b"redacted";

/// Objects with keys (Core 1.2 Appendix E).
const SECRET: [u16; 3] = [0, 21, 23];

/// Takes the payloads that may hold keys out of datagrams, oldest first: those of requests about
/// the objects that hold keys, of the answers to them, and of what a bootstrap-server hands over
/// as a whole (Core 1.2 §6.1.7.7). Where it cannot be told, the payload goes.
pub(crate) fn redact(datagrams: &mut [Datagram]) {
    let mut known = HashSet::new();
    let mut secret = HashSet::new();
    for datagram in datagrams {
        let Ok(message) = Message::parse(&datagram.bytes) else {
            continue;
        };
        let is_out = datagram.direction == Direction::Out;
        let is_secret = if message.code.is_request() {
            let key = (is_out, message.token.to_vec());
            let is_secret = is_about_secrets(&message);
            if is_secret {
                secret.insert(key.clone());
            } else {
                secret.remove(&key);
            }
            known.insert(key);
            is_secret
        } else {
            // The answer to a request of the other side, by its token.
            let key = (!is_out, message.token.to_vec());
            let is_unknown = is_out && message.code == Code::CONTENT && !known.contains(&key);
            secret.contains(&key) || is_unknown
        };
        let length = message.payload.len();
        if is_secret && length > 0 {
            datagram.bytes.truncate(datagram.bytes.len() - length);
            datagram.bytes.extend_from_slice(REDACTED);
        }
    }
}

fn is_about_secrets(message: &Message<'_>) -> bool {
    let mut segments = message
        .values(OptionNumber::URI_PATH)
        .filter_map(|segment| str::from_utf8(segment).ok());
    // Before the object there may be a path without numbers.
    let mut is_pack = false;
    let object = segments.find_map(|segment| {
        is_pack |= segment == "bspack";
        segment.parse::<u64>().ok()
    });
    match object {
        _ if is_pack => true,
        Some(object) => SECRET.iter().any(|secret| u64::from(*secret) == object),
        None => message.code == Code::IPATCH && may_name_secrets(message),
    }
}

/// Whether records of a Write-Composite are of those objects, or cannot be read; a block behind the
/// first cannot.
fn may_name_secrets(message: &Message<'_>) -> bool {
    let Some(format) = message.content_format().map(ContentFormat) else {
        return !message.payload.is_empty();
    };
    let mut scratch = vec![0; message.payload.len()];
    let Ok(mut reader) = format::patch_reader(format, message.payload, "/", &NoTypes, &mut scratch)
    else {
        return true;
    };
    while let Some(record) = reader.next_record() {
        let object = record.ok().and_then(|record| record.path.object_id());
        if object.is_none_or(|object| SECRET.contains(&object)) {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use dunlin_coap::{MessageWriter, Type};

    use super::*;

    fn message(direction: Direction, code: Code, path: &str, format: u16, body: &[u8]) -> Datagram {
        let mut buffer = [0; 256];
        let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, code, 1, b"token");
        for segment in path.split('/').filter(|segment| !segment.is_empty()) {
            writer.option(OptionNumber::URI_PATH, segment.as_bytes());
        }
        writer.uint(OptionNumber::CONTENT_FORMAT, format.into());
        writer.payload(body);
        let length = writer.finish().unwrap();
        Datagram {
            time: 0.0,
            direction,
            peer: "192.0.2.1:5683".parse().unwrap(),
            bytes: buffer[..length].to_vec(),
        }
    }

    fn payloads(mut datagrams: Vec<Datagram>) -> Vec<Vec<u8>> {
        redact(&mut datagrams);
        let payload =
            |datagram: &Datagram| Message::parse(&datagram.bytes).unwrap().payload.to_vec();
        datagrams.iter().map(payload).collect()
    }

    #[test]
    fn keys_of_requests_and_answers_go_and_the_rest_stays() {
        use Direction::{In, Out};
        let rows: [(&str, Code, u16, &[u8], bool); 10] = [
            ("/0", Code::PUT, 11542, b"key", true),
            ("/0/1", Code::PUT, 11542, b"key", true),
            ("/0/1/5", Code::PUT, 42, b"key", true),
            ("/21/0/3", Code::PUT, 42, b"key", true),
            ("/lwm2m/0/1/5", Code::PUT, 42, b"key", true),
            ("/3/0/0", Code::PUT, 0, b"key", false),
            ("/30/0/0", Code::PUT, 0, b"key", false),
            (
                "/",
                Code::IPATCH,
                110,
                br#"[{"n":"/3/0/14","vs":"x"}]"#,
                false,
            ),
            (
                "/",
                Code::IPATCH,
                110,
                br#"[{"bn":"/","n":"0/1/5","vd":"a2V5"}]"#,
                true,
            ),
            ("/", Code::IPATCH, 11544, b"the second block", true),
        ];
        for (path, code, format, body, is_secret) in rows {
            let request = message(Out, code, path, format, body);
            let answer = message(In, Code::CONTENT, "", 0, b"answer");
            let [request, answer] = payloads(vec![request, answer]).try_into().unwrap();
            let shown = |what: &[u8]| if is_secret { REDACTED } else { what }.to_vec();
            assert_eq!((request, answer), (shown(body), shown(b"answer")), "{path}");
        }
        // A token that is used again is another request.
        let again = [
            message(Out, Code::GET, "/0/0", 0, b""),
            message(In, Code::CONTENT, "", 0, b"key"),
            message(Out, Code::GET, "/3/0", 0, b""),
            message(In, Code::CONTENT, "", 0, b"value"),
        ];
        assert_eq!(payloads(again.to_vec())[1..], [REDACTED, b"", b"value"]);
    }

    #[test]
    fn a_bootstrap_pack_goes_also_when_its_request_is_not_there_any_more() {
        use Direction::{In, Out};
        let ask = message(In, Code::GET, "/bspack", 0, b"");
        let pack = message(Out, Code::CONTENT, "", 112, b"keys");
        let file = message(In, Code::GET, "/fw/token/image", 0, b"");
        assert_eq!(payloads(vec![ask, pack.clone()])[1], REDACTED);
        assert_eq!(payloads(vec![pack.clone()])[0], REDACTED);
        assert_eq!(payloads(vec![file, pack])[1], b"keys");
    }
}

//! Messages in words: header, options by name, payload as records.

use std::collections::HashMap;
use std::net::SocketAddr;

use dunlin_coap::block::Block;
use dunlin_coap::{Code, Format, Message, MessageError, OptionNumber, OptionRef, Type, uint_value};
use dunlin_lwm2m::definition::{ResourceType, Types};
use dunlin_lwm2m::model::{Models, ResourceModel};
use dunlin_lwm2m::{ContentFormat, ObjectVersion, OwnedRecord, OwnedValue, Path, format};

use super::redact::REDACTED;
use super::{Datagram, Direction};
use crate::api::Device;

/// Records shown of one payload; what follows is counted.
const MAX_RECORDS: usize = 256;
/// Bytes of an opaque value shown.
const MAX_OPAQUE: usize = 32;

/// A datagram in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// When, in Unix seconds.
    pub time: f64,
    /// Which way.
    pub direction: Direction,
    /// The other side.
    pub peer: SocketAddr,
    /// One line that tells the message.
    pub summary: String,
    /// Code as in `2.05 Content`; `None` when the datagram is no CoAP message.
    pub code: Option<String>,
    /// `CON`, `NON`, `ACK` or `RST`.
    pub ty: Option<&'static str>,
    /// Message ID.
    pub message_id: Option<u16>,
    /// Token.
    pub token: Vec<u8>,
    /// Name and value of each option in the order of the message.
    pub options: Vec<(String, String)>,
    /// The payload; all bytes of a datagram that is no message.
    pub payload: Vec<u8>,
    /// What the payload says, one record a line; `None` when there is none, or its format is not
    /// known.
    pub decoded: Option<String>,
}

/// Explains datagrams, oldest first: an answer is read with the request before it in mind. `device`
/// tells versions and alternate path; without it the newest definitions count.
pub fn explain(datagrams: &[Datagram], device: Option<&Device>, models: &Models) -> Vec<Explained> {
    let mut reader = Reader {
        types: TypesOf { device, models },
        root: device.map_or("/", |device| &device.root),
        asked: HashMap::new(),
    };
    datagrams
        .iter()
        .map(|datagram| reader.explain(datagram))
        .collect()
}

/// Types and names in the version that the device announced.
struct TypesOf<'a> {
    device: Option<&'a Device>,
    models: &'a Models,
}

impl TypesOf<'_> {
    fn resource(&self, object: u16, resource: u16) -> Option<&ResourceModel> {
        let announced = self.device.and_then(|device| {
            let found = device.objects.iter().find(|found| found.id == object)?;
            Some(found.version)
        });
        match announced {
            Some(version) => self.models.resource(object, version, resource),
            None => self.models.latest(object)?.resource(resource),
        }
        .or_else(|| self.models.resource(object, ObjectVersion::V1_0, resource))
    }
}

impl Types for TypesOf<'_> {
    fn resource_type(&self, object: u16, resource: u16) -> Option<ResourceType> {
        Some(self.resource(object, resource)?.resource_type())
    }
}

/// What a request was about.
#[derive(Clone, Copy)]
struct Asked {
    code: Code,
    path: Option<Path>,
}

struct Reader<'a> {
    types: TypesOf<'a>,
    root: &'a str,
    /// Requests by who made them and their token.
    asked: HashMap<(bool, Vec<u8>), Asked>,
}

impl Reader<'_> {
    fn explain(&mut self, datagram: &Datagram) -> Explained {
        let mut explained = Explained {
            time: datagram.time,
            direction: datagram.direction,
            peer: datagram.peer,
            summary: String::new(),
            code: None,
            ty: None,
            message_id: None,
            token: Vec::new(),
            options: Vec::new(),
            payload: Vec::new(),
            decoded: None,
        };
        match Message::parse(&datagram.bytes) {
            Ok(message) => self.message(&message, &mut explained),
            Err(error) => {
                explained.payload.clone_from(&datagram.bytes);
                let why = match error {
                    MessageError::TooShort => "shorter than a header",
                    MessageError::UnknownVersion => "its version is not 1",
                    MessageError::Format { .. } => "format error behind the header",
                };
                let count = datagram.bytes.len();
                explained.summary = format!("no CoAP message: {why} ({count} bytes)");
            }
        }
        explained
    }

    fn message(&mut self, message: &Message<'_>, explained: &mut Explained) {
        let ty = match message.ty {
            Type::Confirmable => "CON",
            Type::NonConfirmable => "NON",
            Type::Acknowledgement => "ACK",
            Type::Reset => "RST",
        };
        explained.ty = Some(ty);
        explained.code = Some(format!("{:?}", message.code));
        explained.message_id = Some(message.message_id);
        explained.token = message.token.to_vec();
        explained.options = message.options().map(option).collect();
        explained.payload = message.payload.to_vec();
        let out = explained.direction == Direction::Out;
        let asked = if message.code.is_request() {
            let asked = Asked {
                code: message.code,
                path: path(message, self.root),
            };
            self.asked.insert((out, message.token.to_vec()), asked);
            Some(asked)
        } else {
            // Of the one who asked.
            self.asked.get(&(!out, message.token.to_vec())).copied()
        };
        explained.decoded = if message.payload == REDACTED {
            Some("redacted: it may hold keys".to_owned())
        } else {
            self.payload(message, asked)
        };
        explained.summary = summary(message, ty, self.what(message));
    }

    /// What LwM2M calls the message, where it has a name of its own.
    fn what(&self, message: &Message<'_>) -> Option<&'static str> {
        let mut segments = message.values(OptionNumber::URI_PATH);
        let (first, second) = (segments.next(), segments.next());
        match (message.code, first, second) {
            (Code::EMPTY, ..) => Some(match message.ty {
                Type::Confirmable => "Ping",
                Type::Acknowledgement => "Acknowledged, the answer comes later",
                Type::Reset => "Reset",
                Type::NonConfirmable => "Empty",
            }),
            (Code::POST, Some(b"rd"), None) => Some("Register"),
            (Code::POST, Some(b"rd"), Some(_)) => Some("Update"),
            (Code::DELETE, Some(b"rd"), Some(_)) => Some("De-register"),
            (Code::POST, Some(b"dp"), None) => Some("Send"),
            (code, ..) if code.is_response() && message.observe().is_some() => Some("Notify"),
            (Code::GET | Code::FETCH, ..) => match message.observe() {
                Some(0) => Some("Observe"),
                Some(1) => Some("Cancel Observation"),
                _ if message.accept() == Some(ContentFormat::LINK.0) => Some("Discover"),
                _ => None,
            },
            _ => None,
        }
    }

    fn payload(&self, message: &Message<'_>, asked: Option<Asked>) -> Option<String> {
        if message.payload.is_empty() {
            return None;
        }
        for number in [OptionNumber::BLOCK1, OptionNumber::BLOCK2] {
            let block = message.value(number).and_then(Block::from_value);
            // In a response Block1 only acknowledges.
            let carries = (number == OptionNumber::BLOCK1) == message.code.is_request();
            if let Some(block) = block.filter(|block| carries && (block.more || block.num > 0)) {
                let (from, length) = (block.offset(), message.payload.len());
                return Some(format!("bytes {from} to {} of a body", from + length - 1));
            }
        }
        let is_error = message.code.is_response() && !message.code.is_success();
        let Some(format) = message.content_format().map(ContentFormat) else {
            // A diagnostic text (RFC 7252 §5.5.2), or the arguments of an Execute.
            return text(message.payload);
        };
        if is_error || format == ContentFormat::LINK {
            return text(message.payload);
        }
        let target = asked
            .filter(|asked| asked.code != Code::FETCH)
            .and_then(|asked| asked.path);
        match message.code {
            Code::FETCH => Some(self.names(format, message.payload)),
            _ => self.records(
                format,
                message.payload,
                target,
                message.code == Code::IPATCH,
            ),
        }
    }

    /// The path list of a composite request.
    fn names(&self, format: ContentFormat, payload: &[u8]) -> String {
        let names = match format::names(format, payload, self.root) {
            Ok(names) => names,
            Err(error) => return format!("unreadable: {error}"),
        };
        let mut lines: Vec<String> = names
            .take(MAX_RECORDS)
            .map(|path| match path {
                Ok(path) => format!("{path}{}", self.name(&path)),
                Err(error) => format!("unreadable: {error}"),
            })
            .collect();
        if lines.len() == MAX_RECORDS {
            lines.push("and perhaps more".to_owned());
        }
        lines.join("\n")
    }

    fn records(
        &self,
        format: ContentFormat,
        payload: &[u8],
        target: Option<Path>,
        is_patch: bool,
    ) -> Option<String> {
        let names_paths = !matches!(
            format.current(),
            ContentFormat::TLV | ContentFormat::TEXT | ContentFormat::OPAQUE | ContentFormat::CBOR
        );
        let target = match target {
            Some(target) => target,
            None if names_paths => Path::ROOT,
            // Its request is not in the trace any more.
            None => return (format == ContentFormat::TEXT).then(|| text(payload))?,
        };
        let scope = format::Scope {
            target,
            root: self.root,
        };
        let mut scratch = vec![0; payload.len()];
        let (types, root) = (&self.types, self.root);
        let reader = match is_patch {
            true => format::patch_reader(format, payload, root, types, &mut scratch),
            false => format::reader(format, payload, scope, types, &mut scratch),
        };
        let mut reader = match reader {
            Ok(reader) => reader,
            Err(error) => return Some(format!("unreadable: {error}")),
        };
        let mut lines = Vec::new();
        let mut left_out = 0;
        while let Some(record) = reader.next_record() {
            match record {
                Ok(_) if lines.len() >= MAX_RECORDS => left_out += 1,
                Ok(record) => lines.push(self.line(&OwnedRecord::from(record), is_patch)),
                Err(error) => {
                    lines.push(format!("unreadable: {error}"));
                    break;
                }
            }
        }
        if left_out > 0 {
            lines.push(format!("and {left_out} more"));
        }
        Some(lines.join("\n"))
    }

    /// As in `/3/0/9 Battery Level = 80`.
    fn line(&self, record: &OwnedRecord, is_patch: bool) -> String {
        let path = record.path;
        let name = self.name(&path);
        let value = match &record.value {
            Some(value) => value_text(value),
            None if is_patch => "removed".to_owned(),
            None => "nothing".to_owned(),
        };
        let time = record
            .time
            .map_or_else(String::new, |time| format!(" at {time}"));
        format!("{path}{name} = {value}{time}")
    }

    /// What the definitions call a resource, with a blank in front; empty when they do not know it.
    fn name(&self, path: &Path) -> String {
        let model = match path.ids() {
            &[object, _, resource, ..] => self.types.resource(object, resource),
            _ => None,
        };
        model.map_or_else(String::new, |model| format!(" {}", model.name))
    }
}

/// The path of a request, without the alternate path of the device.
fn path(message: &Message<'_>, root: &str) -> Option<Path> {
    let text = uri_path(message);
    let below = text
        .strip_prefix(root.trim_end_matches('/'))
        .unwrap_or(&text);
    below.parse().ok()
}

fn uri_path(message: &Message<'_>) -> String {
    let segments = message.values(OptionNumber::URI_PATH);
    segments.fold(String::new(), |path, segment| {
        path + "/" + &String::from_utf8_lossy(segment)
    })
}

/// As in `CON GET /3/0/9 Read`, `ACK 2.05 Content, 4 bytes`.
fn summary(message: &Message<'_>, ty: &str, what: Option<&str>) -> String {
    let mut line = ty.to_owned();
    if message.code != Code::EMPTY {
        line += " ";
        line += &match message.code.is_request() {
            true if message.code.name() != "Unknown" => message.code.name().to_owned(),
            _ => format!("{:?}", message.code),
        };
    }
    if message.code.is_request() {
        line += " ";
        line += &match uri_path(message) {
            path if path.is_empty() => "/".to_owned(),
            path => path,
        };
        let queries: Vec<String> = message
            .values(OptionNumber::URI_QUERY)
            .map(|query| String::from_utf8_lossy(query).into_owned())
            .collect();
        if !queries.is_empty() {
            line += &format!("?{}", queries.join("&"));
        }
    }
    for (number, name) in [
        (OptionNumber::BLOCK1, "Block1"),
        (OptionNumber::BLOCK2, "Block2"),
    ] {
        if let Some(block) = message.value(number).and_then(Block::from_value) {
            line += &format!(" {name} {}", block_words(block));
        }
    }
    if let Some(what) = what {
        line += &format!(" ({what})");
    }
    match message.payload.len() {
        0 => line,
        count => format!("{line}, {count} bytes"),
    }
}

/// Number, more, size, as RFC 7959 writes it.
fn block_words(block: Block) -> String {
    format!(
        "{}/{}/{}",
        block.num,
        u8::from(block.more),
        block.size.bytes()
    )
}

fn option(option: OptionRef<'_>) -> (String, String) {
    let number = option.number;
    let name = match number.name() {
        "Unknown" => format!("Option {}", number.0),
        name => name.to_owned(),
    };
    let value = match (number.rule(), str::from_utf8(option.value)) {
        (Some((Format::String, ..)), Ok(text)) => text.to_owned(),
        (Some((Format::Uint, ..)), _) => number_words(number, option.value),
        _ => hex(option.value),
    };
    (name, value)
}

fn number_words(number: OptionNumber, value: &[u8]) -> String {
    let Some(count) = uint_value(value) else {
        return hex(value);
    };
    match number {
        OptionNumber::BLOCK1 | OptionNumber::BLOCK2 => match Block::from_value(value) {
            Some(block) => block_words(block),
            None => format!("{count} (reserved size)"),
        },
        OptionNumber::CONTENT_FORMAT | OptionNumber::ACCEPT => {
            let format = u16::try_from(count).ok().map(ContentFormat);
            match format.and_then(ContentFormat::name) {
                Some(name) => format!("{count} ({name})"),
                None => count.to_string(),
            }
        }
        _ => count.to_string(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(bytes: &[u8]) -> Option<String> {
    str::from_utf8(bytes).ok().map(str::to_owned)
}

/// A value in words: texts in quotes, bytes in hexadecimal digits and, if they are many, cut.
pub fn value_text(value: &OwnedValue) -> String {
    match value {
        OwnedValue::String(text) => format!("{text:?}"),
        OwnedValue::Integer(number) | OwnedValue::Time(number) => number.to_string(),
        OwnedValue::Unsigned(number) => number.to_string(),
        OwnedValue::Float(number) => number.to_string(),
        OwnedValue::Boolean(truth) => truth.to_string(),
        OwnedValue::Opaque(bytes) if bytes.len() > MAX_OPAQUE => {
            format!("{}... ({} bytes)", hex(&bytes[..MAX_OPAQUE]), bytes.len())
        }
        OwnedValue::Opaque(bytes) => hex(bytes),
        OwnedValue::ObjectLink(link) => link.to_string(),
        OwnedValue::CoreLink(text) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| {
                let pair = str::from_utf8(pair).expect("ASCII");
                u8::from_str_radix(pair, 16).expect("hex")
            })
            .collect()
    }

    fn explained(messages: &[(Direction, &str)]) -> Vec<Explained> {
        let datagrams: Vec<Datagram> = messages
            .iter()
            .map(|(direction, hex)| Datagram {
                time: 1.5,
                direction: *direction,
                peer: SocketAddr::from(([192, 0, 2, 1], 5683)),
                bytes: bytes(hex),
            })
            .collect();
        explain(&datagrams, None, &Models::embedded())
    }

    use Direction::{In, Out};

    #[test]
    fn a_read_and_its_answer_are_told_in_words() {
        // Transport 1.2 and RFC 7252 byte by byte: GET /3/0/9 with Accept 11542, TLV back.
        let trace = explained(&[
            (Out, "42011234 ABCD B133 0130 0139 622D16"),
            (In, "62451234 ABCD C22D16 FF C10964"),
        ]);
        assert_eq!(trace[0].summary, "CON GET /3/0/9");
        assert_eq!(trace[0].code.as_deref(), Some("0.01 GET"));
        let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            trace[0].options,
            [
                option("Uri-Path", "3"),
                option("Uri-Path", "0"),
                option("Uri-Path", "9"),
                option("Accept", "11542 (tlv)"),
            ]
        );
        assert_eq!(
            (trace[0].ty, trace[0].message_id),
            (Some("CON"), Some(0x1234))
        );
        assert_eq!(trace[0].token, [0xAB, 0xCD]);
        assert_eq!(trace[1].summary, "ACK 2.05 Content, 3 bytes");
        assert_eq!(
            trace[1].decoded.as_deref(),
            Some("/3/0/9 Battery Level = 100")
        );
    }

    #[test]
    fn a_register_is_told_in_words() {
        let register = "41020001 01 B27264 1128 3765703D64657631 066C743D333030 \
            096C776D326D3D312E31 03623D55 FF 3C2F312F303E2C3C2F332F303E";
        let trace = explained(&[(In, register)]);
        assert_eq!(
            trace[0].summary,
            "CON POST /rd?ep=dev1&lt=300&lwm2m=1.1&b=U (Register), 13 bytes"
        );
        assert_eq!(trace[0].decoded.as_deref(), Some("</1/0>,</3/0>"));
    }

    #[test]
    fn blocks_and_diagnostics_are_told() {
        let trace = explained(&[
            // PUT /5/0/0, Content-Format 42, Block1 1/1/16, 16 bytes.
            (
                Out,
                "40030001 B135 0130 0130 112A D10218 FF 000102030405060708090A0B0C0D0E0F",
            ),
            (In, "60880001 FF 6E6F"),
        ]);
        assert!(
            trace[0].summary.starts_with("CON PUT /5/0/0 Block1 1/1/16"),
            "{trace:?}"
        );
        assert_eq!(
            trace[0].decoded.as_deref(),
            Some("bytes 16 to 31 of a body")
        );
        assert_eq!(trace[1].decoded.as_deref(), Some("no"));
    }

    #[test]
    fn a_notification_whose_request_is_gone_is_read_if_it_names_its_paths() {
        // 2.05 with Observe 5; SenML JSON names its path, TLV does not.
        let senml = "5145 0007 01 6105 616E FF 5B7B226E223A222F332F302F39222C2276223A35307D5D";
        let tlv = "51450008 01 6105 622D16 FF C10964";
        let trace = explained(&[(In, senml), (In, tlv)]);
        assert_eq!(trace[0].summary, "NON 2.05 Content (Notify), 23 bytes");
        assert_eq!(
            trace[0].decoded.as_deref(),
            Some("/3/0/9 Battery Level = 50")
        );
        assert_eq!(trace[1].decoded, None);
    }

    #[test]
    fn composite_requests_are_told() {
        // FETCH with `[{"n":"/3/0/9"},{"n":"/1"}]` in 320, iPATCH that removes in 322.
        let fetch = "40050001 C20140 FF 5B7B226E223A222F332F302F39227D2C7B226E223A222F31227D5D";
        let patch = "40070002 C20142 FF 82A20066 2F332F302F39 0205 A20068 2F332F302F372F31 02F6";
        let trace = explained(&[(Out, fetch), (Out, patch)]);
        assert_eq!(trace[0].summary, "CON FETCH /, 27 bytes");
        assert_eq!(
            trace[0].decoded.as_deref(),
            Some("/3/0/9 Battery Level\n/1")
        );
        assert_eq!(
            trace[1].decoded.as_deref(),
            Some("/3/0/9 Battery Level = 5\n/3/0/7/1 Power Source Voltage = removed")
        );
    }

    #[test]
    fn noise_is_told_as_noise() {
        let trace = explained(&[
            (In, ""),
            (In, "80000001"),
            (In, "4F000001"),
            (In, "40000001"),
        ]);
        let summaries: Vec<&str> = trace.iter().map(|one| one.summary.as_str()).collect();
        assert_eq!(
            summaries,
            [
                "no CoAP message: shorter than a header (0 bytes)",
                "no CoAP message: its version is not 1 (4 bytes)",
                "no CoAP message: format error behind the header (4 bytes)",
                "CON (Ping)",
            ]
        );
        assert_eq!(trace[1].payload, [0x80, 0, 0, 1]);
    }
}

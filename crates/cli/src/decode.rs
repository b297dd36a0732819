//! `dunlin decode`: what a payload or a CoAP message says.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, bail};
use clap::Args;
use dunlin_coap::{Code, Message, MessageWriter, Type};
use dunlin_lwm2m::format::{self, FormatError, Scope};
use dunlin_lwm2m::operation::write_path;
use dunlin_lwm2m::{ContentFormat, Models, OwnedRecord, Path};
use dunlin_server::trace::{Datagram, Direction, explain, value_text};

use crate::terminal::{shown, table};

pub(crate) const EXAMPLES: &str = "\
DATA is one of these, tried in this order:
  -                    standard input, as it is
  {...} or [...]       JSON
  81 a2 00 64 ...      hexadecimal digits; blanks, colons and 0x are passed over
  reading.bin          a file, as it is (./abba for one whose name is made of such digits)

Formats that do not tell where their values belong (text, opaque, cbor, tlv) need --path.

Examples:
  dunlin decode lwm2m-cbor a1830300091864
  dunlin decode senml-json '[{\"bn\":\"/3/0/\",\"n\":\"9\",\"v\":100}]'
  dunlin decode tlv --path /3/0 c10964
  dunlin decode coap 42011234abcdb13301300139622d16
  dunlin decode coap --path /3/0/9 - < answer.bin";

#[derive(Args, Debug)]
pub(crate) struct DecodeArgs {
    /// coap, or the content format of a payload: text, opaque, cbor, senml-json, senml-cbor,
    /// senml-etch-json, senml-etch-cbor, tlv, json, lwm2m-cbor, link, or a number
    format: String,
    /// Hexadecimal digits, JSON, a file, or - for standard input
    data: String,
    /// Path of the request that the payload, or the CoAP response, belongs to
    #[arg(long, value_parser = |text: &str| text.parse::<Path>())]
    path: Option<Path>,
}

pub(crate) fn run(args: &DecodeArgs) -> anyhow::Result<()> {
    let models = Models::embedded();
    let bytes = data(&args.data)?;
    let mut out = io::stdout().lock();
    if args.format == "coap" {
        out.write_all(message(&bytes, args.path, &models)?.as_bytes())?;
        return Ok(());
    }
    let Some(format) = args
        .format
        .parse()
        .ok()
        .map(ContentFormat)
        .or_else(|| ContentFormat::from_name(&args.format))
    else {
        bail!(
            "{:?} is not a format: give coap, text, opaque, cbor, senml-json, senml-cbor, \
             senml-etch-json, senml-etch-cbor, tlv, json, lwm2m-cbor, link or a number",
            args.format
        );
    };
    let (text, error) = payload(format.current(), &bytes, args.path, &models)?;
    out.write_all(text.as_bytes())?;
    match error {
        None => Ok(()),
        Some(error) => Err(error).with_context(|| format!("this is no good {}", args.format)),
    }
}

fn data(text: &str) -> anyhow::Result<Vec<u8>> {
    if text == "-" {
        let mut bytes = Vec::new();
        io::stdin()
            .read_to_end(&mut bytes)
            .context("cannot read standard input")?;
        return Ok(bytes);
    }
    if text.trim_start().starts_with(['{', '[']) {
        return Ok(text.as_bytes().to_vec());
    }
    if let Some(bytes) = hexadecimal(text) {
        return Ok(bytes);
    }
    fs::read(text).with_context(|| {
        format!("{text:?} is neither pairs of hexadecimal digits nor a file that can be read")
    })
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    let digits: Vec<u8> = text
        .strip_prefix("0x")
        .unwrap_or(text)
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace() && *byte != b':')
        .collect();
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    pairs
        .iter()
        .map(|[high, low]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok())
        .collect()
}

/// A payload as a table of its records, and what ended it too early.
fn payload(
    format: ContentFormat,
    bytes: &[u8],
    path: Option<Path>,
    models: &Models,
) -> anyhow::Result<(String, Option<FormatError>)> {
    let needs_path = matches!(
        format,
        ContentFormat::TEXT | ContentFormat::OPAQUE | ContentFormat::CBOR | ContentFormat::TLV
    );
    if needs_path && path.is_none() {
        bail!(
            "{} does not tell where its values belong: add --path, the path of the request, as in \
             --path /3/0/9",
            format.name().unwrap_or_default()
        );
    }
    if format == ContentFormat::LINK {
        let text = std::str::from_utf8(bytes).context("the links are not UTF-8")?;
        let lines: Vec<String> = text.split(",<").map(shown).collect();
        return Ok((lines.join("\n<") + "\n", None));
    }
    let scope = Scope {
        target: path.unwrap_or(Path::ROOT),
        root: "",
    };
    let mut rows = Vec::new();
    let ended = if matches!(
        format,
        ContentFormat::SENML_ETCH_JSON | ContentFormat::SENML_ETCH_CBOR
    ) {
        composite(format, bytes, models, &mut rows)
    } else {
        let mut scratch = vec![0; bytes.len()];
        format::reader(format, bytes, scope, models, &mut scratch)
            .and_then(|reader| records(reader, models, "", &mut rows))
    };
    let error = ended.err();
    let text = match rows.is_empty() && error.is_none() {
        true => "no records\n".to_owned(),
        false => table(&rows),
    };
    Ok((text, error))
}

/// The body of a composite request: its operation would tell whether it is a path list.
fn composite(
    format: ContentFormat,
    bytes: &[u8],
    models: &Models,
    rows: &mut Vec<Vec<String>>,
) -> Result<(), FormatError> {
    let paths: Result<Vec<Path>, _> = format::names(format, bytes, "")?.collect();
    match paths {
        Err(FormatError::NotAName { .. }) => {
            let mut scratch = vec![0; bytes.len()];
            let reader = format::patch_reader(format, bytes, "", models, &mut scratch)?;
            records(reader, models, "removed", rows)
        }
        Err(error) => Err(error),
        Ok(paths) => {
            rows.extend(
                paths
                    .iter()
                    .map(|path| vec![path.to_string(), name(path, models)]),
            );
            Ok(())
        }
    }
}

fn records(
    mut reader: format::Reader<'_>,
    models: &Models,
    without_value: &str,
    rows: &mut Vec<Vec<String>>,
) -> Result<(), FormatError> {
    while let Some(record) = reader.next_record() {
        let record = OwnedRecord::from(record?);
        let (kind, value) = match &record.value {
            Some(value) => (value.data_type().name(), shown(&value_text(value))),
            None => ("", without_value.to_owned()),
        };
        rows.push(vec![
            record.path.to_string(),
            name(&record.path, models),
            kind.to_owned(),
            value,
            record
                .time
                .map_or_else(String::new, |time| format!("at {time}")),
        ]);
    }
    Ok(())
}

/// What the definitions call a resource, or an object.
fn name(path: &Path, models: &Models) -> String {
    let Some(object) = path.object_id().and_then(|id| models.latest(id)) else {
        return String::new();
    };
    match path.resource_id() {
        None => object.name.clone(),
        Some(id) => object
            .resource(id)
            .map_or_else(String::new, |resource| resource.name.clone()),
    }
}

/// A CoAP message; with a path, the response to a request for it.
fn message(bytes: &[u8], path: Option<Path>, models: &Models) -> anyhow::Result<String> {
    let peer = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let datagram = |direction, bytes| Datagram {
        time: 0.0,
        direction,
        peer,
        bytes,
    };
    let mut datagrams = Vec::new();
    if let (Some(path), Ok(response)) = (path, Message::parse(bytes)) {
        let mut buffer = [0; 512];
        let mut writer =
            MessageWriter::new(&mut buffer, Type::Confirmable, Code::GET, 0, response.token);
        write_path(path, &mut writer, "");
        if let Ok(length) = writer.finish() {
            datagrams.push(datagram(Direction::Out, buffer[..length].to_vec()));
        }
    }
    datagrams.push(datagram(Direction::In, bytes.to_vec()));
    let explained = explain(&datagrams, None, models);
    let Some(explained) = explained.last() else {
        bail!("there is no message");
    };
    let Some(ty) = explained.ty else {
        bail!("{}", explained.summary);
    };
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|byte| format!("{byte:02x}")).collect() };
    let mut rows = vec![
        vec!["Type".to_owned(), ty.to_owned()],
        vec![
            "Code".to_owned(),
            explained.code.clone().unwrap_or_default(),
        ],
        vec![
            "Message ID".to_owned(),
            explained.message_id.unwrap_or_default().to_string(),
        ],
    ];
    if !explained.token.is_empty() {
        rows.push(vec!["Token".to_owned(), hex(&explained.token)]);
    }
    for (name, value) in &explained.options {
        rows.push(vec![name.clone(), shown(value)]);
    }
    let count = explained.payload.len();
    if count > 0 {
        let counted = format!("{} ({count} bytes)", hex(&explained.payload));
        rows.push(vec!["Payload".to_owned(), counted]);
    }
    let mut text = format!("{}\n\n{}", shown(&explained.summary), table(&rows));
    if let Some(decoded) = &explained.decoded {
        text.push('\n');
        for line in decoded.lines() {
            text += &shown(line);
            text.push('\n');
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_in_every_dress() {
        for text in ["c10964", "C1 09 64", "0xC10964", "c1:09:64", " c109\n64 "] {
            assert_eq!(hexadecimal(text), Some(vec![0xC1, 0x09, 0x64]), "{text}");
        }
        for text in ["c1096", "reading.bin", "c1 09 6x", "+1"] {
            assert_eq!(hexadecimal(text), None, "{text}");
        }
        assert_eq!(hexadecimal(""), Some(Vec::new()));
    }
}

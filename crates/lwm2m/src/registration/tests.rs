use dunlin_coap::{Code, Message, MessageWriter, OptionNumber, Type};

use super::*;
use crate::ContentFormat;
use crate::registration::ObjectListError;

const LIST: &[u8] = b"</1/0>,</3/0>";

/// Bytes of a Register with the given queries.
fn request(queries: &[&[u8]], format: Option<u16>, payload: &[u8]) -> Vec<u8> {
    let mut buffer = vec![0; 40_000];
    let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, Code::POST, 1, &[1]);
    writer.option(OptionNumber::URI_PATH, b"rd");
    if let Some(format) = format {
        writer.uint(OptionNumber::CONTENT_FORMAT, u32::from(format));
    }
    for query in queries {
        writer.option(OptionNumber::URI_QUERY, query);
    }
    writer.payload(payload);
    let length = writer.finish().unwrap();
    buffer.truncate(length);
    buffer
}

fn register_error(queries: &[&str]) -> RegistrationError {
    let segments: Vec<&[u8]> = queries.iter().map(|query| query.as_bytes()).collect();
    let bytes = request(&segments, Some(40), LIST);
    match RegisterParameters::parse(&Message::parse(&bytes).unwrap()) {
        Ok(parameters) => panic!("{queries:?} accepted as {parameters:?}"),
        Err(error) => error,
    }
}

fn register<R>(
    queries: &[&str],
    check: impl FnOnce(RegisterParameters<'_>, &Message<'_>) -> R,
) -> R {
    let queries: Vec<&[u8]> = queries.iter().map(|query| query.as_bytes()).collect();
    let bytes = request(&queries, Some(40), LIST);
    let message = Message::parse(&bytes).unwrap();
    check(RegisterParameters::parse(&message).unwrap(), &message)
}

#[test]
fn register_with_every_parameter() {
    register(
        &[
            "ep=dev1",
            "lt=300",
            "lwm2m=1.2",
            "b=UT",
            "Q",
            "sms=491234",
            "pid=6:27354b9a",
            "vendor=x",
            "flag",
        ],
        |parameters, message| {
            assert_eq!(
                parameters,
                RegisterParameters {
                    version: Version::V1_2,
                    endpoint: Some("dev1"),
                    lifetime: 300,
                    binding: Binding::parse("TU", Version::V1_1).unwrap(),
                    queue_mode: true,
                    sms: Some("491234"),
                    profile_id: Some("6:27354b9a"),
                    faults: Faults::NONE,
                }
            );
            let extra: Vec<_> = parameters.extra(message).collect();
            assert_eq!(extra, [("vendor", Some("x")), ("flag", None)]);
        },
    );
}

#[test]
fn register_with_as_little_as_possible() {
    register(&["lt=0", "lwm2m=1.1"], |parameters, message| {
        assert_eq!(parameters.endpoint, None);
        assert_eq!((parameters.lifetime, parameters.queue_mode), (0, false));
        assert_eq!(parameters.binding, Binding::UDP);
        assert_eq!(parameters.extra(message).count(), 0);
    });
    // In 1.0 and 1.1 `pid` is nothing the standard knows.
    register(&["lt=1", "lwm2m=1.1", "pid=1:00"], |parameters, message| {
        assert_eq!(parameters.profile_id, None);
        assert!(parameters.extra(message).eq([("pid", Some("1:00"))]));
    });
}

/// Transport 1.2 Table 6.7-2: 4.12 for a version that is not supported, 4.00 for the rest.
#[test]
fn register_refusals() {
    use Parameter::{Endpoint, Lifetime, QueueMode, Sms};
    use RegistrationError::{Duplicate, Missing, UnsupportedVersion, Value};
    let long = format!("ep={}", "x".repeat(253));
    let binding = |version| RegistrationError::Binding(BindingError { version });
    for (queries, error) in [
        (&["ep=a", "lwm2m=1.1"][..], Missing(Lifetime)),
        (&["ep=a", "lt=300"], Missing(Parameter::Version)),
        (&["lt=300", "lwm2m=1.0"], Missing(Endpoint)),
        (&["ep=a", "ep=a", "lt=1", "lwm2m=1.1"], Duplicate(Endpoint)),
        (&["lt=1", "lt=2", "lwm2m=1.1"], Duplicate(Lifetime)),
        (
            &["lt=1", "lwm2m=1.1", "lwm2m=1.1"],
            Duplicate(Parameter::Version),
        ),
        (
            &["lt=1", "lwm2m=1.1", "b=U", "b=U"],
            Duplicate(Parameter::Binding),
        ),
        (&["lt=1", "lwm2m=1.1", "Q", "Q"], Duplicate(QueueMode)),
        (&["ep", "lt=1", "lwm2m=1.1"], Value(Endpoint)),
        (&["ep=", "lt=1", "lwm2m=1.1"], Value(Endpoint)),
        (&["ep=a\nb", "lt=1", "lwm2m=1.1"], Value(Endpoint)),
        (&["ep=a\u{7f}", "lt=1", "lwm2m=1.1"], Value(Endpoint)),
        (&[&long, "lt=1", "lwm2m=1.1"], Value(Endpoint)),
        (&["lt=", "lwm2m=1.1"], Value(Lifetime)),
        (&["lt=-1", "lwm2m=1.1"], Value(Lifetime)),
        (&["lt=+1", "lwm2m=1.1"], Value(Lifetime)),
        (&["lt=abc", "lwm2m=1.1"], Value(Lifetime)),
        (&["lt=1.5", "lwm2m=1.1"], Value(Lifetime)),
        (&["lt=4294967296", "lwm2m=1.1"], Value(Lifetime)),
        (&["lt=1", "lwm2m=9.9"], UnsupportedVersion),
        (&["lt=1", "lwm2m=1.3"], UnsupportedVersion),
        (&["lt=1", "lwm2m=2.0"], UnsupportedVersion),
        (&["lt=1", "lwm2m=1"], Value(Parameter::Version)),
        (&["lt=1", "lwm2m="], Value(Parameter::Version)),
        (&["lt=1", "lwm2m=1.0.2"], Value(Parameter::Version)),
        (&["lt=1", "lwm2m=01.0"], Value(Parameter::Version)),
        (&["lt=1", "lwm2m=\"1.1\""], Value(Parameter::Version)),
        (&["lt=1", "lwm2m=1.1", "b=UQ"], binding(Version::V1_1)),
        (&["lt=1", "lwm2m=1.1", "b=UU"], binding(Version::V1_1)),
        (&["lt=1", "lwm2m=1.1", "b=M"], binding(Version::V1_1)),
        (&["lt=1", "lwm2m=1.2", "b=X"], binding(Version::V1_2)),
        (&["lt=1", "lwm2m=1.1", "b=u"], binding(Version::V1_1)),
        (
            &["ep=a", "lt=1", "lwm2m=1.0", "b=UT"],
            binding(Version::V1_0),
        ),
        (
            &["ep=a", "lt=1", "lwm2m=1.0", "b=USQ"],
            binding(Version::V1_0),
        ),
        (
            &["ep=a", "lt=1", "lwm2m=1.0", "b=UQSQ"],
            binding(Version::V1_0),
        ),
        (&["lt=1", "lwm2m=1.1", "b="], Value(Parameter::Binding)),
        (&["lt=1", "lwm2m=1.1", "Q=1"], Value(QueueMode)),
        (&["lt=1", "lwm2m=1.1", "Q="], Value(QueueMode)),
        (&["lt=1", "lwm2m=1.1", "sms="], Value(Sms)),
        (&["lt=1", "lwm2m=1.1", "sms=1\r2"], Value(Sms)),
    ] {
        let refused = register_error(queries);
        assert_eq!(refused, error, "{queries:?}");
        let code = match error {
            UnsupportedVersion => Code::PRECONDITION_FAILED,
            _ => Code::BAD_REQUEST,
        };
        assert_eq!(refused.code(), code);
    }
    let bytes = request(&[b"ep=\xFF\xFE", b"lt=1", b"lwm2m=1.1"], Some(40), LIST);
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(
        RegisterParameters::parse(&message),
        Err(RegistrationError::NotUtf8)
    );
}

#[test]
fn any_printable_endpoint_is_accepted() {
    for name in [
        "urn:uuid:1234",
        "a/b#c\"d'e=f&g",
        "Ünïcode",
        "1",
        &"x".repeat(252),
    ] {
        let query = format!("ep={name}");
        register(&[&query, "lt=1", "lwm2m=1.0"], |parameters, _| {
            assert_eq!(parameters.endpoint, Some(name));
        });
    }
}

#[test]
fn bindings_of_1_0() {
    for (text, queue) in [
        ("U", false),
        ("UQ", true),
        ("S", false),
        ("SQ", true),
        ("US", false),
        ("UQS", true),
    ] {
        let query = format!("b={text}");
        register(&["ep=a", "lt=1", "lwm2m=1.0", &query], |parameters, _| {
            assert_eq!(parameters.queue_mode, queue);
            assert_eq!(parameters.binding.to_string(), text);
        });
    }
}

#[test]
fn register_faults() {
    register(&["ep=a", "lt=1", "lwm2m=1.0", "Q"], |parameters, _| {
        assert!(parameters.queue_mode);
        assert!(parameters.faults.iter().eq([Fault::QueueModeIn1_0]));
    });
    register(&["lt=1", "lwm2m=1.1", "sms=+49123"], |parameters, _| {
        assert_eq!(parameters.sms, Some("49123"));
        assert!(parameters.faults.iter().eq([Fault::SmsWithPlus]));
    });
    let bytes = request(&[b"lt=1", b"lwm2m=1.1"], None, LIST);
    let parameters = RegisterParameters::parse(&Message::parse(&bytes).unwrap()).unwrap();
    assert!(parameters.faults.iter().eq([Fault::ContentFormatMissing]));
}

#[test]
fn object_list_must_be_there() {
    let parse = |version: &str, pid: Option<&str>, format, payload: &[u8]| {
        let version = format!("lwm2m={version}");
        let mut queries: Vec<&[u8]> = vec![b"ep=a", b"lt=1", version.as_bytes()];
        queries.extend(pid.map(str::as_bytes));
        let bytes = request(&queries, format, payload);
        RegisterParameters::parse(&Message::parse(&bytes).unwrap()).map(|_| ())
    };
    for version in ["1.0", "1.1"] {
        let error = parse(version, None, None, b"").unwrap_err();
        assert_eq!(error, RegistrationError::ObjectListMissing);
        assert_eq!(error.code(), Code::BAD_REQUEST);
    }
    let error = parse("1.2", None, None, b"").unwrap_err();
    assert_eq!(error.code(), Code::CONFLICT);
    assert_eq!(parse("1.2", Some("pid=6:27354b9a"), None, b""), Ok(()));
    for format in [0, 11542] {
        let error = parse("1.1", None, Some(format), LIST).unwrap_err();
        assert_eq!(
            error,
            RegistrationError::ContentFormat(ContentFormat(format))
        );
        assert_eq!(error.code(), Code::BAD_REQUEST);
    }
}

/// Lifetime, binding, queue mode, whether there is a list, faults.
type Update = (Option<u32>, Option<String>, bool, bool, Faults);

fn update(
    queries: &[&[u8]],
    payload: &[u8],
    version: Version,
) -> Result<Update, RegistrationError> {
    let format = (!payload.is_empty()).then_some(40);
    let bytes = request(queries, format, payload);
    let message = Message::parse(&bytes).unwrap();
    UpdateParameters::parse(&message, version).map(|update| {
        let binding = update.binding.map(|binding| binding.to_string());
        (
            update.lifetime,
            binding,
            update.queue_mode,
            update.has_object_list,
            update.faults,
        )
    })
}

#[test]
fn updates() {
    let binding = |text: &str| Some(text.to_owned());
    let none = Faults::NONE;
    assert_eq!(
        update(&[], b"", Version::V1_1),
        Ok((None, None, false, false, none))
    );
    assert_eq!(
        update(&[b"lt=600"], LIST, Version::V1_1),
        Ok((Some(600), None, false, true, none))
    );
    assert_eq!(
        update(&[b"b=UQ"], b"", Version::V1_0),
        Ok((None, binding("UQ"), true, false, none))
    );
    assert_eq!(
        update(&[b"b=U", b"Q"], b"", Version::V1_1),
        Ok((None, binding("U"), true, false, none))
    );
    let ignored: Faults = [Fault::RegisterParameterInUpdate].into_iter().collect();
    assert_eq!(
        update(&[b"ep=a", b"lwm2m=1.1"], b"", Version::V1_1),
        Ok((None, None, false, false, ignored))
    );
    assert!(update(&[b"b=UQ"], b"", Version::V1_1).is_err());
    assert!(update(&[b"lt=x"], b"", Version::V1_1).is_err());
    assert!(update(&[b"lt=1", b"lt=1"], b"", Version::V1_1).is_err());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// The Register of the golden frames of RFC 7252 encodings, made by another stack.
#[test]
fn golden_register() {
    let parameters = RegisterParameters {
        version: Version::V1_1,
        endpoint: Some("dev1"),
        lifetime: 300,
        binding: Binding::UDP,
        queue_mode: false,
        sms: None,
        profile_id: None,
        faults: Faults::NONE,
    };
    let mut buffer = [0; 128];
    let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, Code::POST, 1, &[1]);
    parameters.write_options(&mut writer).unwrap();
    writer
        .payload_with(|buffer| {
            ObjectListWriter::new(buffer, "/")
                .instance(1, 0, None)
                .instance(3, 0, None)
                .finish()
        })
        .unwrap();
    let length = writer.finish().unwrap();
    assert_eq!(
        hex(&buffer[..length]),
        "4102000101B272641128\
         3765703D64657631066C743D333030096C776D326D3D312E3103623D55\
         FF3C2F312F303E2C3C2F332F303E"
    );
    let message = Message::parse(&buffer[..length]).unwrap();
    assert_eq!(RegisterParameters::parse(&message), Ok(parameters));
}

#[test]
fn writes_what_it_reads() {
    let parameters = RegisterParameters {
        version: Version::V1_2,
        endpoint: Some("a"),
        lifetime: 0,
        binding: Binding::parse("UN", Version::V1_2).unwrap(),
        queue_mode: true,
        sms: Some("123"),
        profile_id: Some("oma:x"),
        faults: Faults::NONE,
    };
    let mut buffer = [0; 128];
    let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, Code::POST, 1, &[1]);
    parameters.write_options(&mut writer).unwrap();
    writer.payload(LIST);
    let length = writer.finish().unwrap();
    let message = Message::parse(&buffer[..length]).unwrap();
    assert_eq!(RegisterParameters::parse(&message), Ok(parameters));

    let update = UpdateParameters {
        lifetime: Some(60),
        binding: Some(Binding::UDP),
        queue_mode: true,
        has_object_list: true,
        ..UpdateParameters::default()
    };
    let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, Code::POST, 1, &[1]);
    update.write_options(&mut writer, Version::V1_1).unwrap();
    writer.payload(LIST);
    let length = writer.finish().unwrap();
    let message = Message::parse(&buffer[..length]).unwrap();
    assert_eq!(UpdateParameters::parse(&message, Version::V1_1), Ok(update));

    let long = "x".repeat(253);
    let parameters = RegisterParameters {
        endpoint: Some(&long),
        ..parameters
    };
    let mut buffer = [0; 512];
    let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, Code::POST, 1, &[1]);
    assert_eq!(
        parameters.write_options(&mut writer),
        Err(RegistrationError::Value(Parameter::Endpoint))
    );
}

fn list(text: &str, version: Version) -> Result<ObjectList<'_>, ObjectListError> {
    ObjectList::parse(text.as_bytes(), version, 1000)
}

/// Objects in short: `1/0 3/0@1.1 5`.
fn objects(text: &str, version: Version) -> String {
    let entries: Vec<String> = list(text, version)
        .unwrap()
        .objects()
        .map(|entry| {
            let instance = entry.instance.map_or(String::new(), |id| format!("/{id}"));
            let version = entry.version.map_or(String::new(), |v| format!("@{v}"));
            format!("{}{instance}{version}", entry.object)
        })
        .collect();
    entries.join(" ")
}

fn faults(text: &str, version: Version) -> Vec<Fault> {
    list(text, version).unwrap().faults().iter().collect()
}

#[test]
fn object_lists_of_the_standard() {
    for (text, expected) in [
        ("</1/0>,</3/0>", "1/0 3/0"),
        (
            "</>;ct=\"60 110 112\",</1/0>,</2>,</3/0>,</4/0>;ver=1.3,</5>;ver=1.1,</5/0>",
            "1/0 2 3/0 4/0@1.3 5@1.1 5/0",
        ),
        (
            "</44>;ver=2.2,</44/0>,</44/1>,</1/1>,</3/0>",
            "44@2.2 44/0 44/1 1/1 3/0",
        ),
        ("</1/0>;foo=bar;obs,</3/0>;title=\"a,b\"", "1/0 3/0"),
        ("</1/0>,</3/0>,</65534/65534>", "1/0 3/0 65534/65534"),
    ] {
        assert_eq!(objects(text, Version::V1_1), expected);
        assert_eq!(faults(text, Version::V1_1), []);
    }
}

#[test]
fn alternate_path() {
    let text = "</lwm2m>;rt=\"oma.lwm2m\";ct=110,</lwm2m/1/0>,</lwm2m/3/0>,</1/5>,</lwm2mx/3>";
    let parsed = list(text, Version::V1_1).unwrap();
    assert_eq!(parsed.root(), "/lwm2m");
    assert!(parsed.content_formats().eq([ContentFormat::SENML_JSON]));
    assert_eq!(objects(text, Version::V1_1), "1/0 3/0");
    assert_eq!(faults(text, Version::V1_1), [Fault::ForeignLink]);
    // The root link may come last, may be the default root, and may carry several types.
    for (text, root) in [
        ("</a/b/1/0>,</a/b/3/0>,</a/b>;rt=\"x oma.lwm2m\"", "/a/b"),
        ("</>;rt=\"oma.lwm2m\";ct=11543,</1/0>,</3/0>", "/"),
        ("</>;rt=oma.lwm2m,</1/0>,</3/0>", "/"),
        ("</>;rt=\"other\",</1/0>,</3/0>", "/"),
        (
            "</lwm2m/>;rt=\"oma.lwm2m\",</lwm2m/1/0>,</lwm2m/3/0>",
            "/lwm2m",
        ),
    ] {
        assert_eq!(list(text, Version::V1_1).unwrap().root(), root);
        assert_eq!(objects(text, Version::V1_1), "1/0 3/0", "{text}");
    }
    for (text, link) in [
        ("</5>;rt=\"oma.lwm2m\"", 1),
        ("</1/0>,</a/5/b>;rt=\"oma.lwm2m\"", 2),
        ("</a/../b>;rt=\"oma.lwm2m\"", 1),
        ("</a//b>;rt=\"oma.lwm2m\"", 1),
        ("<lwm2m>;rt=\"oma.lwm2m\"", 1),
        ("</a>;rt=\"oma.lwm2m\",</b>;rt=\"oma.lwm2m\"", 2),
    ] {
        assert_eq!(
            list(text, Version::V1_1),
            Err(ObjectListError::Root { link }),
            "{text}"
        );
    }
}

#[test]
fn object_list_refusals() {
    for (text, error) in [
        ("</65535/0>", ObjectListError::Id { link: 1 }),
        ("</1/0>,</3/65535>", ObjectListError::Id { link: 2 }),
        ("</1/0>,</70000>", ObjectListError::Id { link: 2 }),
        ("</01/0>", ObjectListError::Id { link: 1 }),
        ("</3/0>;ver=1", ObjectListError::ObjectVersion { link: 1 }),
        (
            "</3/0>;ver=01.0",
            ObjectListError::ObjectVersion { link: 1 },
        ),
        (
            "</3/0>;ver=1.99999",
            ObjectListError::ObjectVersion { link: 1 },
        ),
        (
            "</3/0>;ver=\"\"",
            ObjectListError::ObjectVersion { link: 1 },
        ),
        ("</3/0>;ver", ObjectListError::ObjectVersion { link: 1 }),
    ] {
        assert_eq!(list(text, Version::V1_1), Err(error), "{text}");
    }
    for text in [
        "hello",
        "</1/0",
        "</1/0>,</3/0>;ver=\"1.0",
        "lwm2m=1.0,</1/0>",
    ] {
        let error = list(text, Version::V1_1).unwrap_err();
        assert!(matches!(error, ObjectListError::Syntax(_)), "{text}");
        assert_eq!(RegistrationError::from(error).code(), Code::BAD_REQUEST);
    }
}

#[test]
fn object_list_limit() {
    let text = "</1/0>,".repeat(1000) + "</3/0>";
    let error = list(&text, Version::V1_1).unwrap_err();
    assert_eq!(error, ObjectListError::TooManyLinks);
    assert_eq!(
        RegistrationError::from(error).code(),
        Code::REQUEST_ENTITY_TOO_LARGE
    );
    assert!(ObjectList::parse(text.as_bytes(), Version::V1_1, 1001).is_ok());
}

/// Every fault of an object list, alone.
#[test]
fn object_list_faults() {
    let v1_1 = Version::V1_1;
    for (text, version, fault, expected) in [
        ("</1/0>, </3/0>", v1_1, Fault::WhiteSpace, "1/0 3/0"),
        ("</1/0>,\r\n</3/0>", v1_1, Fault::WhiteSpace, "1/0 3/0"),
        ("</1/0>,</3/0>,", v1_1, Fault::EmptyElement, "1/0 3/0"),
        ("</1/0>;,,</3/0>", v1_1, Fault::EmptyElement, "1/0 3/0"),
        ("</1/0/>,</3/0>", v1_1, Fault::TrailingSlash, "1/0 3/0"),
        (
            "</1/0>,</3/0>;ver=\"1.1\"",
            v1_1,
            Fault::QuotedObjectVersion,
            "1/0 3/0@1.1",
        ),
        (
            "</>;ct=110 112,</1/0>,</3/0>",
            v1_1,
            Fault::UnquotedContentFormats,
            "1/0 3/0",
        ),
        (
            "</>;ct=110;ct=112,</1/0>,</3/0>",
            v1_1,
            Fault::DuplicateContentFormats,
            "1/0 3/0",
        ),
        (
            "</>;ct=\"110 x 112\",</1/0>,</3/0>",
            v1_1,
            Fault::BadContentFormats,
            "1/0 3/0",
        ),
        (
            "</0/0>,</1/0>,</3/0>",
            Version::V1_0,
            Fault::SecretObjectListed,
            "1/0 3/0",
        ),
        (
            "</1/0>,</3/0>,</21>",
            v1_1,
            Fault::SecretObjectListed,
            "1/0 3/0",
        ),
        (
            "</1/0>,</3/0>,</23/0>",
            Version::V1_2,
            Fault::SecretObjectListed,
            "1/0 3/0",
        ),
        (
            "</1/0>,</3/0>,</3/0/1>",
            v1_1,
            Fault::ResourceListed,
            "1/0 3/0",
        ),
        (
            "</1/0>,</3/0>,</.well-known/core>",
            v1_1,
            Fault::ForeignLink,
            "1/0 3/0",
        ),
        ("</1/0>,</3/0>,<3/1>", v1_1, Fault::ForeignLink, "1/0 3/0"),
        ("</3/0>", v1_1, Fault::ServerObjectMissing, "3/0"),
        ("</1/0>", v1_1, Fault::DeviceObjectMissing, "1/0"),
    ] {
        assert_eq!(faults(text, version), [fault], "{text}");
        assert_eq!(objects(text, version), expected, "{text}");
    }
    // 1.0 shows `ver` in quotes; 21 and 23 were ordinary objects.
    let text = "</1/0>,</3/0>;ver=\"1.0\",</21/0>,</23/0>";
    assert_eq!(faults(text, Version::V1_0), []);
    for text in [
        "</>;ct=110 112,</1/0>",
        "</>;ct=110;ct=112,</1/0>",
        "</>;ct=\"110 x 112\",</1/0>",
    ] {
        let formats = list(text, v1_1).unwrap();
        assert!(
            formats
                .content_formats()
                .eq([ContentFormat::SENML_JSON, ContentFormat::SENML_CBOR])
        );
    }
}

#[test]
fn faults_have_words_and_numbers() {
    let all: Faults = Fault::ALL.iter().copied().collect();
    assert_eq!(all.iter().count(), Fault::ALL.len());
    assert_eq!(Faults::from_bits(all.bits()), all);
    assert_eq!(Faults::from_bits(u32::MAX), all);
    for fault in Fault::ALL {
        assert!(fault.text().contains('§'), "{fault:?} cites no clause");
    }
}

#[test]
fn objects_are_grouped() {
    let text = "</3303/2>,</3/0>,</1/0>,</3303/0>,</3303>;ver=1.1,</3303/2>,</5>,</4/0>;ver=1.1";
    let grouped = list(text, Version::V1_1).unwrap().to_objects();
    let version = |major, minor| ObjectVersion { major, minor };
    let expected = [
        (1, version(1, 1), vec![0]),
        (3, version(1, 1), vec![0]),
        (4, version(1, 1), vec![0]),
        (5, version(1, 0), vec![]),
        (3303, version(1, 1), vec![0, 2]),
    ]
    .map(|(id, version, instances)| RegisteredObject {
        id,
        version,
        instances,
    });
    assert_eq!(grouped, expected);
}

/// Core 1.2 Table E-1.
#[test]
fn implied_versions() {
    for (object, versions) in [
        (0, ["1.0", "1.1", "1.2"]),
        (1, ["1.0", "1.1", "1.2"]),
        (2, ["1.0", "1.0", "1.1"]),
        (3, ["1.0", "1.1", "1.2"]),
        (4, ["1.0", "1.2", "1.3"]),
        (5, ["1.0", "1.0", "1.1"]),
        (6, ["1.0", "1.0", "1.0"]),
        (7, ["1.0", "1.0", "1.0"]),
        (21, ["1.0", "1.0", "2.0"]),
        (3303, ["1.0", "1.0", "1.0"]),
    ] {
        let implied = [Version::V1_0, Version::V1_1, Version::V1_2]
            .map(|enabler| implied_object_version(enabler, object).to_string());
        assert_eq!(implied, versions, "object {object}");
    }
}

#[test]
fn list_writer() {
    let mut buffer = [0; 128];
    let mut writer = ObjectListWriter::new(&mut buffer, "/lwm2m");
    writer
        .root(&[ContentFormat::SENML_CBOR])
        .object(44, Some(ObjectVersion { major: 2, minor: 2 }))
        .instance(44, 0, None)
        .instance(3, 0, Some(ObjectVersion::V1_0));
    let length = writer.finish().unwrap();
    let text = str::from_utf8(&buffer[..length]).unwrap();
    assert_eq!(
        text,
        "</lwm2m>;rt=\"oma.lwm2m\";ct=112,</lwm2m/44>;ver=2.2,</lwm2m/44/0>,</lwm2m/3/0>;ver=1.0"
    );
    assert_eq!(objects(text, Version::V1_1), "44@2.2 44/0 3/0@1.0");

    let mut buffer = [0; 12];
    let mut writer = ObjectListWriter::new(&mut buffer, "");
    writer.root(&[]).instance(1, 0, None);
    assert_eq!(writer.finish(), Ok(6));
    writer.instance(3, 0, None);
    assert!(writer.finish().is_err());
}

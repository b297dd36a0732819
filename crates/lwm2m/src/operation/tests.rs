use dunlin_coap::{Message, MessageWriter, OptionNumber, Type};

use super::*;

const TLV: u16 = 11542;

/// A request as its parts; `build` turns it into bytes.
#[derive(Default)]
struct Request<'a> {
    observe: Option<u32>,
    path: &'a [&'a str],
    format: Option<u16>,
    queries: &'a [&'a str],
    accept: Option<u16>,
    payload: &'a [u8],
}

impl Request<'_> {
    fn parse(&self, method: Code, root: &str) -> Result<String, OperationError> {
        let mut buffer = [0; 512];
        let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, method, 1, &[7]);
        if let Some(observe) = self.observe {
            writer.uint(OptionNumber::OBSERVE, observe);
        }
        for segment in self.path {
            writer.option(OptionNumber::URI_PATH, segment.as_bytes());
        }
        if let Some(format) = self.format {
            writer.uint(OptionNumber::CONTENT_FORMAT, u32::from(format));
        }
        for query in self.queries {
            writer.option(OptionNumber::URI_QUERY, query.as_bytes());
        }
        if let Some(accept) = self.accept {
            writer.uint(OptionNumber::ACCEPT, u32::from(accept));
        }
        writer.payload(self.payload);
        let length = writer.finish().unwrap();
        let message = Message::parse(&buffer[..length]).unwrap();
        let operation = WireOperation::from_request(&message, root)?;
        assert_eq!(operation.method(), method);
        Ok(describe(&operation))
    }
}

/// An operation in one line.
fn describe(operation: &WireOperation<'_>) -> String {
    let path = operation.path();
    let format = |accept: &Option<ContentFormat>| accept.map_or(-1, |format| i32::from(format.0));
    match operation {
        Operation::Read { accept, .. } => format!("Read {path} {}", format(accept)),
        Operation::Observe {
            accept, parameters, ..
        } => format!("Observe {path} {}{parameters}", format(accept)),
        Operation::CancelObserve {
            accept, parameters, ..
        } => format!("Cancel {path} {}{parameters}", format(accept)),
        Operation::ReadComposite { paths, accept } => {
            format!(
                "ReadComposite {} {:?} {}",
                paths.format.0,
                paths.bytes,
                format(accept)
            )
        }
        Operation::WriteComposite { body } => {
            format!("WriteComposite {} {:?}", body.format.0, body.bytes)
        }
        Operation::ObserveComposite {
            paths,
            accept,
            parameters,
        } => format!(
            "ObserveComposite {} {:?} {}{parameters}",
            paths.format.0,
            paths.bytes,
            format(accept)
        ),
        Operation::CancelObserveComposite {
            paths,
            accept,
            parameters,
        } => format!(
            "CancelComposite {} {:?} {}{parameters}",
            paths.format.0,
            paths.bytes,
            format(accept)
        ),
        Operation::Discover { depth, .. } => format!("Discover {path} {depth:?}"),
        Operation::Write { mode, body, .. } => {
            format!("{mode:?} {path} {} {:?}", body.format.0, body.bytes)
        }
        Operation::WriteAttributes { attributes, .. } => {
            let changes: Vec<String> = attributes.changes().map(|c| c.to_string()).collect();
            format!("Attributes {path} {}", changes.join("&"))
        }
        Operation::Execute { arguments, .. } => format!("Execute {path} {arguments}"),
        Operation::Create { body, .. } => format!(
            "Create {path} {:?}",
            body.map(|body| (body.format.0, body.bytes))
        ),
        Operation::Delete { path } => format!("Delete {path}"),
    }
}

fn code(method: Code, request: &Request<'_>) -> Code {
    match request.parse(method, "/") {
        Ok(operation) => panic!("accepted as {operation}"),
        Err(error) => error.code(),
    }
}

const ROOT: &[&str] = &[];
const O: &[&str] = &["3303"];
const OI: &[&str] = &["3303", "0"];
const R: &[&str] = &["3303", "0", "5700"];
const RI: &[&str] = &["3303", "0", "5700", "1"];

#[test]
fn get_is_read_discover_observe_or_cancel() {
    let request = |path, observe, accept| Request {
        path,
        observe,
        accept,
        ..Request::default()
    };
    for (path, observe, accept, expected) in [
        (O, None, None, "Read /3303 -1"),
        (OI, None, Some(TLV), "Read /3303/0 11542"),
        (R, None, Some(0), "Read /3303/0/5700 0"),
        (RI, None, None, "Read /3303/0/5700/1 -1"),
        (O, None, Some(40), "Discover /3303 None"),
        (OI, None, Some(40), "Discover /3303/0 None"),
        (R, None, Some(40), "Discover /3303/0/5700 None"),
        (O, Some(0), Some(112), "Observe /3303 112"),
        (RI, Some(0), None, "Observe /3303/0/5700/1 -1"),
        (R, Some(1), Some(0), "Cancel /3303/0/5700 0"),
        // Other values count as absent (RFC 7641 §2).
        (R, Some(2), None, "Read /3303/0/5700 -1"),
    ] {
        let operation = request(path, observe, accept).parse(Code::GET, "");
        assert_eq!(operation.as_deref(), Ok(expected));
    }
    for (path, observe, accept, expected) in [
        (ROOT, None, None, Code::METHOD_NOT_ALLOWED),
        (ROOT, None, Some(40), Code::METHOD_NOT_ALLOWED),
        (RI, None, Some(40), Code::METHOD_NOT_ALLOWED),
        (R, Some(0), Some(40), Code::BAD_REQUEST),
        (R, Some(1), Some(40), Code::BAD_REQUEST),
    ] {
        assert_eq!(code(Code::GET, &request(path, observe, accept)), expected);
    }
}

#[test]
fn discover_takes_a_depth() {
    fn request<'a>(queries: &'a [&'a str]) -> Request<'a> {
        Request {
            path: O,
            queries,
            accept: Some(40),
            ..Request::default()
        }
    }
    for (query, expected) in [
        ("depth=0", "Discover /3303 Some(0)"),
        ("depth=3", "Discover /3303 Some(3)"),
        ("", "Discover /3303 None"),
    ] {
        let queries = [query];
        let operation = request(&queries).parse(Code::GET, "");
        assert_eq!(operation.as_deref(), Ok(expected));
    }
    for query in ["depth=4", "depth=", "depth=01", "depth=-1"] {
        let queries = [query];
        assert_eq!(code(Code::GET, &request(&queries)), Code::BAD_REQUEST);
    }
    assert_eq!(
        code(Code::GET, &request(&["depth=1", "depth=1"])),
        Code::BAD_REQUEST
    );
    assert_eq!(code(Code::GET, &request(&["pmin=1"])), Code::BAD_OPTION);
}

#[test]
fn queries_are_refused_where_they_mean_nothing() {
    let request = |observe, format, path| Request {
        path,
        observe,
        format,
        queries: &["pmin=1"],
        ..Request::default()
    };
    assert_eq!(code(Code::GET, &request(None, None, R)), Code::BAD_OPTION);
    assert_eq!(
        code(Code::PUT, &request(None, Some(0), R)),
        Code::BAD_OPTION
    );
    assert_eq!(
        code(Code::POST, &request(None, Some(TLV), OI)),
        Code::BAD_OPTION
    );
    assert_eq!(
        code(Code::POST, &request(None, Some(TLV), R)),
        Code::BAD_OPTION
    );
    assert_eq!(code(Code::POST, &request(None, None, O)), Code::BAD_OPTION);
    assert_eq!(code(Code::POST, &request(None, None, R)), Code::BAD_OPTION);
    assert_eq!(
        code(Code::DELETE, &request(None, None, OI)),
        Code::BAD_OPTION
    );
}

#[test]
fn put_is_replace_or_write_attributes() {
    let request = |path, format, queries, payload| Request {
        path,
        format,
        queries,
        payload,
        ..Request::default()
    };
    const NO: &[&str] = &[];
    const PMIN: &[&str] = &["pmin=10", "pmax"];
    for (path, format, queries, payload, expected) in [
        (OI, Some(TLV), NO, &b"x"[..], "Replace /3303/0 11542 [120]"),
        (R, Some(0), NO, b"1", "Replace /3303/0/5700 0 [49]"),
        (RI, Some(0), NO, b"1", "Replace /3303/0/5700/1 0 [49]"),
        // An empty string is a value.
        (R, Some(0), NO, b"", "Replace /3303/0/5700 0 []"),
        (O, None, PMIN, b"", "Attributes /3303 pmin=10&pmax"),
        (OI, None, PMIN, b"", "Attributes /3303/0 pmin=10&pmax"),
        (R, None, PMIN, b"", "Attributes /3303/0/5700 pmin=10&pmax"),
        (RI, None, &["gt=1"], b"", "Attributes /3303/0/5700/1 gt=1"),
    ] {
        let operation = request(path, format, queries, payload).parse(Code::PUT, "/");
        assert_eq!(operation.as_deref(), Ok(expected));
    }
    for (path, format, queries, payload, expected) in [
        (O, Some(TLV), NO, &b"x"[..], Code::METHOD_NOT_ALLOWED),
        (ROOT, Some(TLV), NO, b"x", Code::METHOD_NOT_ALLOWED),
        (ROOT, None, PMIN, b"", Code::METHOD_NOT_ALLOWED),
        (ROOT, None, NO, b"", Code::METHOD_NOT_ALLOWED),
        (R, None, NO, b"", Code::BAD_REQUEST),
        (R, None, NO, b"x", Code::BAD_REQUEST),
        (R, None, PMIN, b"x", Code::BAD_REQUEST),
        (R, None, &["pmin=-1"], b"", Code::BAD_REQUEST),
        (R, None, &["foo=1"], b"", Code::BAD_REQUEST),
        (R, None, &["lt=5", "gt=1"], b"", Code::BAD_REQUEST),
        (OI, None, &["gt=1"], b"", Code::BAD_REQUEST),
        (O, None, &["st=1"], b"", Code::BAD_REQUEST),
    ] {
        assert_eq!(
            code(Code::PUT, &request(path, format, queries, payload)),
            expected
        );
    }
}

#[test]
fn post_is_create_update_or_execute() {
    let request = |path, format, payload| Request {
        path,
        format,
        payload,
        ..Request::default()
    };
    for (path, format, payload, expected) in [
        (O, Some(TLV), &b"x"[..], "Create /3303 Some((11542, [120]))"),
        (O, Some(TLV), b"", "Create /3303 Some((11542, []))"),
        (O, None, b"", "Create /3303 None"),
        (OI, Some(TLV), b"x", "Update /3303/0 11542 [120]"),
        (R, Some(TLV), b"x", "Update /3303/0/5700 11542 [120]"),
        (R, Some(110), b"x", "Update /3303/0/5700 110 [120]"),
        (R, Some(112), b"x", "Update /3303/0/5700 112 [120]"),
        (R, Some(11543), b"x", "Update /3303/0/5700 11543 [120]"),
        (R, Some(11544), b"x", "Update /3303/0/5700 11544 [120]"),
        // Numbers of drafts before 1.0.
        (R, Some(1542), b"x", "Update /3303/0/5700 11542 [120]"),
        (R, Some(1543), b"x", "Update /3303/0/5700 11543 [120]"),
        (R, Some(1541), b"5", "Execute /3303/0/5700 5"),
        (R, None, b"", "Execute /3303/0/5700 "),
        (R, None, b"5", "Execute /3303/0/5700 5"),
        (R, Some(0), b"0='U'", "Execute /3303/0/5700 0='U'"),
        (R, Some(0), b"", "Execute /3303/0/5700 "),
    ] {
        let operation = request(path, format, payload).parse(Code::POST, "/");
        assert_eq!(operation.as_deref(), Ok(expected));
    }
    for (path, format, payload, expected) in [
        (ROOT, Some(TLV), &b"x"[..], Code::METHOD_NOT_ALLOWED),
        (RI, Some(TLV), b"x", Code::METHOD_NOT_ALLOWED),
        (RI, None, b"", Code::METHOD_NOT_ALLOWED),
        (O, None, b"x", Code::BAD_REQUEST),
        (OI, None, b"x", Code::BAD_REQUEST),
        (OI, None, b"", Code::BAD_REQUEST),
        (R, None, b"hello", Code::BAD_REQUEST),
        (R, None, b"1,1", Code::BAD_REQUEST),
        (R, Some(0), b"\xFF", Code::BAD_REQUEST),
        (R, Some(42), b"x", Code::UNSUPPORTED_CONTENT_FORMAT),
        (R, Some(60), b"x", Code::UNSUPPORTED_CONTENT_FORMAT),
    ] {
        assert_eq!(code(Code::POST, &request(path, format, payload)), expected);
    }
}

/// Transport 1.2 §6.6.1 prints `POST /1/x/8?0=U`.
#[test]
fn execute_takes_a_binding_as_query() {
    let request = |queries, payload| Request {
        path: &["1", "0", "8"],
        queries,
        payload,
        ..Request::default()
    };
    assert_eq!(
        request(&["0=U"], b"").parse(Code::POST, "").as_deref(),
        Ok("Execute /1/0/8 0='U'")
    );
    assert_eq!(code(Code::POST, &request(&["0=U"], b"1")), Code::BAD_OPTION);
    assert_eq!(code(Code::POST, &request(&["0=X"], b"")), Code::BAD_OPTION);
    assert_eq!(
        code(Code::POST, &request(&["0=U", "0=T"], b"")),
        Code::BAD_OPTION
    );
}

#[test]
fn delete_takes_instances_only() {
    let request = |path| Request {
        path,
        ..Request::default()
    };
    for (path, expected) in [(OI, "Delete /3303/0"), (RI, "Delete /3303/0/5700/1")] {
        let operation = request(path).parse(Code::DELETE, "");
        assert_eq!(operation.as_deref(), Ok(expected));
    }
    for path in [ROOT, O, R] {
        assert_eq!(code(Code::DELETE, &request(path)), Code::METHOD_NOT_ALLOWED);
    }
}

#[test]
fn other_methods() {
    let request = Request {
        path: R,
        ..Request::default()
    };
    assert_eq!(code(Code::FETCH, &request), Code::METHOD_NOT_ALLOWED);
    assert_eq!(code(Code::IPATCH, &request), Code::METHOD_NOT_ALLOWED);
    assert_eq!(code(Code::PATCH, &request), Code::METHOD_NOT_ALLOWED);
    assert_eq!(code(Code::new(0, 31), &request), Code::METHOD_NOT_ALLOWED);
}

#[test]
fn paths_that_are_none() {
    let request = |path| Request {
        path,
        ..Request::default()
    };
    for (path, expected) in [
        (&["bs"][..], Code::NOT_FOUND),
        (&["3", "a"], Code::NOT_FOUND),
        (&["3", "-1"], Code::NOT_FOUND),
        (&["3", ""], Code::NOT_FOUND),
        (&["", "3"], Code::NOT_FOUND),
        (&["3", "00"], Code::BAD_REQUEST),
        (&["65536"], Code::BAD_REQUEST),
        (&["99999999999999999999"], Code::BAD_REQUEST),
        (&["3", "0", "0", "0", "0"], Code::METHOD_NOT_ALLOWED),
        // One empty segment is `/`.
        (&[""], Code::METHOD_NOT_ALLOWED),
    ] {
        assert_eq!(code(Code::GET, &request(path)), expected, "{path:?}");
    }
}

#[test]
fn alternate_path_is_stripped() {
    let request = |path| Request {
        path,
        ..Request::default()
    };
    for root in ["/lwm2m", "lwm2m", "/lwm2m/"] {
        assert_eq!(
            request(&["lwm2m", "3", "0"])
                .parse(Code::GET, root)
                .as_deref(),
            Ok("Read /3/0 -1")
        );
    }
    assert_eq!(
        request(&["a", "b", "3"])
            .parse(Code::GET, "/a/b")
            .as_deref(),
        Ok("Read /3 -1")
    );
    for path in [&["3", "0"][..], &["lwm2", "3"], &[]] {
        assert_eq!(
            request(path).parse(Code::GET, "/lwm2m"),
            Err(OperationError::UnknownPath)
        );
    }
}

#[test]
fn block_wise_body_replaces_the_payload() {
    let bytes = [
        0x41, 0x03, 0, 3, 3, 0xB1, 0x35, 0x01, 0x30, 0x01, 0x30, 0x11, 42, 0xFF, 9,
    ];
    let message = Message::parse(&bytes).unwrap();
    let operation = WireOperation::from_request_with_body(&message, b"whole", "").unwrap();
    assert_eq!(
        describe(&operation),
        format!("Replace /5/0/0 42 {:?}", b"whole")
    );
}

fn written(operation: &WireOperation<'_>, id: u16, token: &[u8], root: &str) -> String {
    let mut buffer = [0; 256];
    let mut writer = MessageWriter::new(
        &mut buffer,
        Type::Confirmable,
        operation.method(),
        id,
        token,
    );
    operation.write_request(&mut writer, root);
    let length = writer.finish().unwrap();
    let message = Message::parse(&buffer[..length]).unwrap();
    assert_eq!(
        WireOperation::from_request(&message, root).as_ref(),
        Ok(operation)
    );
    buffer[..length]
        .iter()
        .map(|byte| format!("{byte:02X}"))
        .collect()
}

/// Bytes of RFC 7252 encodings that other stacks made.
#[test]
fn golden_frames() {
    let path = Path::resource(3, 0, 9);
    let read = WireOperation::Read {
        path,
        accept: Some(ContentFormat::TLV),
    };
    assert_eq!(
        written(&read, 0x1234, &[0xAB, 0xCD], "/"),
        "42011234ABCDB13301300139622D16"
    );
    let observe = WireOperation::Observe {
        path,
        accept: None,
        parameters: Attributes::NONE,
    };
    assert_eq!(written(&observe, 2, &[2], "/"), "410100020260513301300139");
    let cancel = WireOperation::CancelObserve {
        path,
        accept: None,
        parameters: Attributes::NONE,
    };
    assert_eq!(
        written(&cancel, 2, &[2], "/"),
        "4101000202610151330130 0139".replace(' ', "")
    );
    let write = WireOperation::Write {
        path: Path::resource(5, 0, 0),
        mode: WriteMode::Replace,
        body: Payload {
            format: ContentFormat::OPAQUE,
            bytes: b"\0",
        },
    };
    assert_eq!(
        written(&write, 3, &[3], "/"),
        "4103000303B13501300130112AFF00"
    );
}

#[test]
fn writes_each_operation() {
    let body = Payload {
        format: ContentFormat::TLV,
        bytes: b"\xC1\x00\x01",
    };
    let attributes = WriteAttributes::setting(Attributes {
        pmin: Some(1),
        gt: Some(-5.5),
        ..Attributes::NONE
    });
    for (operation, expected) in [
        (
            WireOperation::Discover {
                path: Path::object(3),
                depth: Some(1),
            },
            // Uri-Path 3, Uri-Query depth=1, Accept 40
            "40010001 B133 4764657074683D31 2128",
        ),
        (
            WireOperation::WriteAttributes {
                path: Path::resource(3, 0, 7),
                attributes,
            },
            "40030001 B133 0130 0137 46706D696E3D31 0767743D2D352E35",
        ),
        (
            WireOperation::Execute {
                path: Path::resource(3, 0, 4),
                arguments: "",
            },
            "40020001 B133 0130 0134",
        ),
        (
            WireOperation::Execute {
                path: Path::resource(3, 0, 4),
                arguments: "0",
            },
            // Content-Format 0 is an empty value.
            "40020001 B133 0130 0134 10 FF 30",
        ),
        (
            WireOperation::Create {
                object: 16,
                body: Some(body),
            },
            "40020001 B23136 122D16 FF C10001",
        ),
        (
            WireOperation::Create {
                object: 16,
                body: None,
            },
            "40020001 B23136",
        ),
        (
            WireOperation::Write {
                path: Path::instance(16, 0),
                mode: WriteMode::Update,
                body,
            },
            "40020001 B23136 0130 122D16 FF C10001",
        ),
        (
            WireOperation::Delete {
                path: Path::instance(16, 0),
            },
            "40040001 B23136 0130",
        ),
    ] {
        let expected = expected.replace(' ', "");
        assert_eq!(written(&operation, 1, &[], "/"), expected);
        // With an alternate path the first option is that path: B5 and "lwm2m".
        let path = expected.split_at(8).1.replacen('B', "0", 1);
        assert_eq!(
            written(&operation, 1, &[], "/lwm2m"),
            format!("{}B56C776D326D{path}", expected.split_at(8).0)
        );
    }
}

#[test]
fn every_name_and_code() {
    let read = WireOperation::Read {
        path: Path::object(3),
        accept: None,
    };
    assert_eq!((read.name(), read.success()), ("Read", Code::CONTENT));
    let delete = WireOperation::Delete {
        path: Path::instance(3, 0),
    };
    assert_eq!((delete.name(), delete.success()), ("Delete", Code::DELETED));
    let create = WireOperation::Create {
        object: 3,
        body: None,
    };
    assert_eq!((create.name(), create.success()), ("Create", Code::CREATED));
    assert_eq!(create.path(), Path::object(3));
}

#[test]
fn composites_go_to_the_root() {
    let request = |path, observe, format, queries, accept| Request {
        observe,
        path,
        format: Some(format),
        queries,
        accept,
        payload: b"[]",
    };
    for (method, root, request, expected) in [
        (
            Code::FETCH,
            "",
            request(ROOT, None, 110, &[], Some(112)),
            "ReadComposite 110 [91, 93] 112",
        ),
        (
            Code::FETCH,
            "",
            request(ROOT, None, 322, &[], None),
            "ReadComposite 322 [91, 93] -1",
        ),
        // One empty segment is `/` as well, and whether the alternate path belongs to the path of
        // a composite is open.
        (
            Code::FETCH,
            "/lwm2m",
            request(&[""], None, 112, &[], None),
            "ReadComposite 112 [91, 93] -1",
        ),
        (
            Code::FETCH,
            "/lwm2m",
            request(&["lwm2m"], None, 112, &[], None),
            "ReadComposite 112 [91, 93] -1",
        ),
        (
            Code::FETCH,
            "",
            request(ROOT, Some(0), 320, &["pmin=1", "con=1"], Some(110)),
            "ObserveComposite 320 [91, 93] 110;pmin=1;con=1",
        ),
        (
            Code::FETCH,
            "",
            request(ROOT, Some(1), 110, &[], None),
            "CancelComposite 110 [91, 93] -1",
        ),
        (
            Code::IPATCH,
            "",
            request(ROOT, None, 11544, &[], None),
            "WriteComposite 11544 [91, 93]",
        ),
        // The prose of 1.2 lets iPATCH update an instance.
        (
            Code::IPATCH,
            "",
            Request {
                path: OI,
                format: Some(110),
                payload: b"[]",
                ..Request::default()
            },
            "Update /3303/0 110 [91, 93]",
        ),
    ] {
        let operation = match method {
            Code::IPATCH if request.path == OI => {
                // It is written as a POST, which all versions know.
                let mut buffer = [0; 64];
                let mut writer = MessageWriter::new(&mut buffer, Type::Confirmable, method, 1, &[]);
                for segment in request.path {
                    writer.option(OptionNumber::URI_PATH, segment.as_bytes());
                }
                writer.uint(OptionNumber::CONTENT_FORMAT, 110);
                writer.payload(request.payload);
                let length = writer.finish().unwrap();
                let message = Message::parse(&buffer[..length]).unwrap();
                WireOperation::from_request(&message, root).map(|operation| describe(&operation))
            }
            _ => request.parse(method, root),
        };
        assert_eq!(operation.as_deref(), Ok(expected));
    }
    for (method, request, expected) in [
        // LwM2M CBOR carries no path list, TLV no composite at all (Core 1.2 §6.3.8).
        (
            Code::FETCH,
            request(ROOT, None, 11544, &[], None),
            Code::UNSUPPORTED_CONTENT_FORMAT,
        ),
        (
            Code::IPATCH,
            request(ROOT, None, TLV, &[], None),
            Code::UNSUPPORTED_CONTENT_FORMAT,
        ),
        (Code::FETCH, Request::default(), Code::BAD_REQUEST),
        (
            Code::FETCH,
            request(R, None, 110, &[], None),
            Code::METHOD_NOT_ALLOWED,
        ),
        (
            Code::FETCH,
            request(&["x"], None, 110, &[], None),
            Code::NOT_FOUND,
        ),
        (
            Code::FETCH,
            request(ROOT, None, 110, &["pmin=1"], None),
            Code::BAD_OPTION,
        ),
        // Thresholds belong to resources.
        (
            Code::FETCH,
            request(ROOT, Some(0), 110, &["gt=1"], None),
            Code::BAD_REQUEST,
        ),
        (
            Code::IPATCH,
            request(ROOT, None, 110, &["x=1"], None),
            Code::BAD_OPTION,
        ),
    ] {
        assert_eq!(code(method, &request), expected, "{:?}", request.path);
    }
}

#[test]
fn an_observe_may_carry_attributes() {
    let request = |path, queries| Request {
        observe: Some(0),
        path,
        queries,
        ..Request::default()
    };
    let operation = request(R, &["pmin=5", "gt=-1.5", "edge=1", ""]).parse(Code::GET, "");
    assert_eq!(
        operation.as_deref(),
        Ok("Observe /3303/0/5700 -1;pmin=5;gt=-1.5;edge=1")
    );
    for (path, queries, expected) in [
        (R, &["x=1"][..], Code::BAD_OPTION),
        (R, &["pmin"], Code::BAD_OPTION),
        (R, &["pmin=x"], Code::BAD_REQUEST),
        (R, &["pmin=1", "pmin=2"], Code::BAD_REQUEST),
        (R, &["lt=5", "gt=1"], Code::BAD_REQUEST),
        (OI, &["gt=1"], Code::BAD_REQUEST),
    ] {
        assert_eq!(
            code(Code::GET, &request(path, queries)),
            expected,
            "{queries:?}"
        );
    }
}

/// A FETCH as another stack makes it, and an iPATCH (RFC 8132).
#[test]
fn golden_composite_frames() {
    let body = Payload {
        format: ContentFormat::SENML_CBOR,
        // [{0: "/"}]
        bytes: b"\x81\xA1\x00\x61\x2F",
    };
    let read = WireOperation::ReadComposite {
        paths: body,
        accept: Some(ContentFormat::SENML_CBOR),
    };
    // Content-Format 112, Accept 112
    assert_eq!(
        written(&read, 1, &[1], "/lwm2m"),
        "4105000101C1705170FF81A100612F"
    );
    let observe = WireOperation::ObserveComposite {
        paths: body,
        accept: None,
        parameters: Attributes {
            pmin: Some(1),
            ..Attributes::NONE
        },
    };
    // Observe 0, Content-Format 112, Uri-Query pmin=1
    assert_eq!(
        written(&observe, 1, &[1], "/"),
        "41050001016061703 6706D696E3D31FF81A100612F".replace(' ', "")
    );
    let write = WireOperation::WriteComposite {
        body: Payload {
            format: ContentFormat::SENML_ETCH_CBOR,
            bytes: b"\x80",
        },
    };
    // Content-Format 322
    assert_eq!(written(&write, 1, &[1], "/"), "4107000101C20142FF80");
}

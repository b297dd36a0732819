use std::format;
use std::string::String;
use std::vec::Vec;

use super::*;

fn targets(text: &str) -> Result<Vec<&str>, LinkError> {
    Links::new(text)
        .map(|link| link.map(|link| link.target))
        .collect()
}

fn only(text: &str) -> Link<'_> {
    let mut links = Links::new(text);
    let link = links.next().unwrap().unwrap();
    assert!(links.next().is_none());
    link
}

fn faults(text: &str) -> LinkFaults {
    let mut links = Links::new(text);
    assert!(links.by_ref().all(|link| link.is_ok()), "{text}");
    links.faults()
}

fn error(text: &str) -> (usize, LinkErrorKind) {
    let mut links = Links::new(text);
    let error = links.find_map(Result::err).expect(text);
    assert!(links.next().is_none(), "ends after an error");
    (error.position, error.kind)
}

#[test]
fn the_examples_of_rfc_6690() {
    let text = r#"</sensors>;ct=40;title="Sensor Index",</sensors/temp>;rt="temperature-c";if="sensor",<http://www.example.com/sensors/t123>;anchor="/sensors/temp";rel="describedby""#;
    let links: Vec<_> = Links::new(text).map(Result::unwrap).collect();
    assert_eq!(links.len(), 3);
    assert_eq!(links[0].parameter("ct").unwrap().number(), Some(40_u16));
    assert!(links[0].parameter("title").unwrap().is("Sensor Index"));
    assert_eq!(links[2].target, "http://www.example.com/sensors/t123");
    let names: Vec<_> = links[2]
        .parameters()
        .map(|parameter| parameter.name)
        .collect();
    assert_eq!(names, ["anchor", "rel"]);
    assert!(!faults(text).any());
}

#[test]
fn an_empty_text_has_no_links() {
    assert_eq!(targets(""), Ok(Vec::new()));
    assert!(!faults("").any());
}

#[test]
fn separators_inside_quotes_and_targets_do_not_separate() {
    assert_eq!(
        targets(r#"</a;b,c>;t="x,y;z>",</d>"#),
        Ok(["/a;b,c", "/d"].to_vec())
    );
}

#[test]
fn escapes_are_resolved_in_quotes_only() {
    let link = only(r#"</1>;a="x\"y\\z";b=1"#);
    assert!(link.parameter("a").unwrap().is(r#"x"y\z"#));
    assert_eq!(link.parameter("a").unwrap().raw(), r#"x\"y\\z"#);
    assert!(link.parameter("a").unwrap().is_quoted());
    assert!(!link.parameter("b").unwrap().is_quoted());
}

#[test]
fn names_are_compared_without_case_and_the_first_counts() {
    let link = only("</1>;RT=a;rt=b;Obs");
    assert!(link.parameter("rt").unwrap().is("a"));
    assert!(link.has("obs"));
    assert!(link.parameter("obs").is_none());
    assert!(!link.has("ct"));
}

#[test]
fn lists_are_split_at_spaces() {
    let link = only(r#"</>;ct="60 110 112""#);
    let entries: Vec<_> = link.parameter("ct").unwrap().entries().collect();
    assert_eq!(entries, ["60", "110", "112"]);
}

#[test]
fn numbers_are_digits_only() {
    let number = |text: &str| only(text).parameter("n").unwrap().number::<u16>();
    assert_eq!(number("</>;n=65535"), Some(65535));
    assert_eq!(number(r#"</>;n="7""#), Some(7));
    for text in [
        "</>;n=65536",
        "</>;n=+1",
        "</>;n=-1",
        "</>;n=0x1",
        r#"</>;n="""#,
    ] {
        assert_eq!(number(text), None, "{text}");
    }
}

#[test]
fn white_space_is_tolerated_and_noted() {
    for text in [
        "</1>, </2>",
        " </1>,</2>",
        "</1> ,</2>",
        "</1>; a=1 ,\r\n</2>;b ",
    ] {
        let all = targets(text).unwrap();
        assert_eq!(all, ["/1", "/2"], "{text}");
        let expected = LinkFaults {
            white_space: true,
            ..LinkFaults::default()
        };
        assert_eq!(faults(text), expected, "{text}");
    }
}

#[test]
fn an_unquoted_list_is_tolerated_and_noted() {
    let text = "</>;ct=110 112;rt=x,</1>";
    assert!(faults(text).unquoted_list);
    let root = Links::new(text).next().unwrap().unwrap();
    assert_eq!(root.parameter("ct").unwrap().raw(), "110 112");
    assert!(root.parameter("rt").unwrap().is("x"));
}

#[test]
fn empty_elements_are_tolerated_and_noted() {
    for text in [
        "</1>,,</2>",
        ",</1>,</2>",
        "</1>,</2>,",
        "</1>;,</2>",
        "</1>;;a,</2>",
    ] {
        assert_eq!(targets(text).unwrap(), ["/1", "/2"], "{text}");
        assert!(faults(text).empty_element, "{text}");
    }
    let link = only("</1>;;a=1;;b=2;");
    assert_eq!(link.parameters().count(), 2);
}

#[test]
fn errors_name_their_place() {
    use LinkErrorKind as Kind;
    for (text, expected) in [
        ("lwm2m=1.0</0>", (0, Kind::ExpectedTarget)),
        ("</1", (3, Kind::Target)),
        ("</1<>", (3, Kind::Target)),
        ("</1 2>", (3, Kind::Target)),
        ("</1>x", (4, Kind::ExpectedSeparator)),
        ("</1>;=1", (5, Kind::Name)),
        ("</1>;a(=1", (6, Kind::Name)),
        ("</1>;a=", (7, Kind::Value)),
        ("</1>;a=,</2>", (7, Kind::Value)),
        ("</1>;a=x<y", (8, Kind::Value)),
        ("</1>;a=x\"y\"", (8, Kind::Value)),
        ("</1>;a=\u{e9}", (7, Kind::Value)),
        ("</1>;a=\"x", (8, Kind::Quote)),
        ("</1>;a=\"x\\\"", (8, Kind::Quote)),
        ("</1>,x", (5, Kind::ExpectedTarget)),
    ] {
        assert_eq!(error(text), expected, "{text}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_an_error() {
    let error = Links::from_bytes(b"</1>\xFF").unwrap_err();
    assert_eq!((error.position, error.kind), (4, LinkErrorKind::NotUtf8));
}

#[test]
fn a_hundred_thousand_links_are_read_in_constant_space() {
    let text = "</1/0>,".repeat(100_000);
    assert_eq!(Links::new(&text).filter(Result::is_ok).count(), 100_000);
}

#[test]
fn what_is_written_is_read() {
    let mut buffer = [0; 256];
    let mut writer = LinkWriter::new(&mut buffer);
    writer
        .link("/")
        .parameter("rt", "oma.lwm2m")
        .parameter("ct", "60 110")
        .link_args(format_args!("/{}/{}", 3303, 0))
        .args("ver", format_args!("{}.{}", 1, 1))
        .quoted("title", "a \"b\\c")
        .flag("obs");
    let length = writer.finish().unwrap();
    let text = core::str::from_utf8(&buffer[..length]).unwrap();
    assert_eq!(
        text,
        r#"</>;rt=oma.lwm2m;ct="60 110",</3303/0>;ver=1.1;title="a \"b\\c";obs"#
    );
    let links: Vec<_> = Links::new(text).map(Result::unwrap).collect();
    assert!(links[1].parameter("title").unwrap().is("a \"b\\c"));
    assert!(links[1].has("obs"));
    assert!(!faults(text).any());
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let mut buffer = [0; 32];
    let mut finish = |write: &dyn Fn(&mut LinkWriter<'_>)| {
        let mut writer = LinkWriter::new(&mut buffer);
        write(&mut writer);
        writer.finish()
    };
    let illegal = Err(WriteError::IllegalCharacter);
    assert_eq!(finish(&|w| _ = w.link("/a>b")), illegal);
    assert_eq!(finish(&|w| _ = w.link("/a b")), illegal);
    assert_eq!(finish(&|w| _ = w.link("/").flag("a b")), illegal);
    assert_eq!(
        finish(&|w| _ = w.link("/").args("a", format_args!("x y"))),
        illegal
    );
    assert_eq!(
        finish(&|w| _ = w.link("/").parameter("name", "a value that is too long")),
        Err(WriteError::BufferTooSmall)
    );
}

/// Any text made of the characters that matter: never a panic, and what is read as links reads
/// the same after being written.
#[test]
fn random_texts_round_trip() {
    const ALPHABET: &[char] = &[
        '<', '>', '/', '1', 'a', ';', ',', '=', '"', '\\', ' ', '\u{e9}',
    ];
    let mut random = 1_u64;
    let mut next = move |below: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) as usize % below
    };
    let mut read = 0;
    for _ in 0..50_000 {
        let mut text = String::from(["", "</1>", "</1>;a", "</1>;a=\""][next(4)]);
        for _ in 0..next(12) {
            text.push(ALPHABET[next(ALPHABET.len())]);
        }
        let Ok(links) = Links::new(&text).collect::<Result<Vec<_>, _>>() else {
            continue;
        };
        let mut buffer = [0; 256];
        let mut writer = LinkWriter::new(&mut buffer);
        for link in &links {
            writer.link(link.target);
            for parameter in link.parameters() {
                match parameter.value {
                    None => writer.flag(parameter.name),
                    Some(value) => {
                        writer.parameter(parameter.name, &value.chars().collect::<String>())
                    }
                };
            }
        }
        let length = writer.finish().unwrap();
        let written = core::str::from_utf8(&buffer[..length]).unwrap();
        let view = |links: &[Link<'_>]| {
            let view = links.iter().map(|link| {
                let parameters = link.parameters().map(|parameter| {
                    let value = parameter
                        .value
                        .map(|value| value.chars().collect::<String>());
                    format!("{}={value:?}", parameter.name)
                });
                (String::from(link.target), parameters.collect::<Vec<_>>())
            });
            view.collect::<Vec<_>>()
        };
        let again: Vec<_> = Links::new(written).map(Result::unwrap).collect();
        assert_eq!(view(&again), view(&links), "{text} became {written}");
        read += usize::from(!links.is_empty());
    }
    assert!(read > 1000, "{read}");
}

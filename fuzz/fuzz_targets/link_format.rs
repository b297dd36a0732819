//! Link-format: what was read is written and read the same; the readers on top of it (answer to
//! Discover, object list) end.
#![no_main]

use dunlin_coap::link::{LinkWriter, Links};
use dunlin_lwm2m::registration::{ObjectList, ObjectListWriter};
use dunlin_lwm2m::{Version, link};
use libfuzzer_sys::fuzz_target;

type Parsed = Vec<(String, Vec<(String, Option<String>)>)>;

fn read(bytes: &[u8]) -> Option<Parsed> {
    let mut parsed = Vec::new();
    for link in Links::from_bytes(bytes).ok()? {
        let link = link
            .inspect_err(|error| assert!(error.position <= bytes.len()))
            .ok()?;
        let parameters = link.parameters().map(|parameter| {
            let value = parameter.value.map(|value| value.to_string());
            (parameter.name.to_owned(), value)
        });
        parsed.push((link.target.to_owned(), parameters.collect()));
    }
    Some(parsed)
}

fuzz_target!(|bytes: &[u8]| {
    for root in ["", "/", "/lwm2m", "/a/"] {
        for link in link::Links::new(bytes, root).flatten() {
            let _ = (link.attributes(), link.dimension(), link.version());
            let _ = link.short_server_id();
        }
    }
    for version in [Version::V1_0, Version::V1_1, Version::V1_2] {
        object_list(bytes, version);
    }
    let Some(links) = read(bytes) else { return };
    // Each byte is escaped at most, and quotes stand around each value.
    let mut buffer = vec![0; 3 * bytes.len() + 64];
    let mut writer = LinkWriter::new(&mut buffer);
    for (target, parameters) in &links {
        writer.link(target);
        for (name, value) in parameters {
            match value {
                Some(value) => writer.parameter(name, value),
                None => writer.flag(name),
            };
        }
    }
    let length = writer.finish().expect("what was read can be written");
    assert_eq!(read(&buffer[..length]), Some(links));
});

fn object_list(bytes: &[u8], version: Version) {
    let list = match ObjectList::parse(bytes, version, 100) {
        Ok(list) => list,
        Err(error) => {
            let _ = error.to_string();
            return;
        }
    };
    assert!(list.objects().count() <= 100);
    let objects = list.to_objects();
    let mut buffer = vec![0; 16 * bytes.len() + 64];
    let mut writer = ObjectListWriter::new(&mut buffer, list.root());
    writer.root(&[]);
    for object in &objects {
        writer.object(object.id, Some(object.version));
        for instance in &object.instances {
            writer.instance(object.id, *instance, None);
        }
    }
    let length = writer.finish().expect("what was read can be written");
    let again = ObjectList::parse(&buffer[..length], version, 1000).expect("was written");
    assert_eq!(again.to_objects(), objects);
    assert_eq!(again.root(), list.root());
}

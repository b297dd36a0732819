//! What a client refuses and takes of any object, by its definition alone: types, ranges,
//! operations, what is mandatory.

use std::net::SocketAddr;

use dunlin_client::definition::{Range, ResourceDefinition};
use dunlin_client::{
    Client, Code, Config, DataType, Input, Instances, Instant, Object, ObjectInstance, Output,
    Version,
};
use dunlin_coap::{OptionNumber, Type};

use super::{Ask, Dice, Got, SERVER, get, post, put};

const TLV: u16 = 11542;
const SENML_JSON: u16 = 110;

/// A registered client with one object.
pub struct OneObject<'a> {
    pub client: Client<[&'a mut dyn Object; 1], 1, 4, 4, 8192, 1152>,
    dice: Dice,
    server: SocketAddr,
    message_id: u16,
}

impl<'a> OneObject<'a> {
    pub fn new(object: &'a mut dyn Object, version: Version) -> Self {
        let mut dice = Dice(7);
        let config = Config {
            version,
            ..Config::new("dev1")
        };
        let mut one = Self {
            client: Client::new(config, [object], &mut dice),
            dice,
            server: SERVER.parse().unwrap(),
            message_id: 0x1000,
        };
        one.client.connect(Instant::from_secs(1000), one.server);
        let register = one.input(Input::Timer).pop().expect("a Register");
        let mut buffer = [0; 64];
        let mut writer = dunlin_coap::MessageWriter::new(
            &mut buffer,
            Type::Acknowledgement,
            Code::CREATED,
            register.message_id,
            &register.token,
        );
        writer.option(OptionNumber::LOCATION_PATH, b"rd");
        writer.option(OptionNumber::LOCATION_PATH, b"1");
        let length = writer.finish().unwrap();
        let from = one.server;
        one.input(Input::Datagram {
            from,
            bytes: &buffer[..length],
        });
        one
    }

    fn input(&mut self, input: Input<'_>) -> Vec<Got> {
        let mut sent = Vec::new();
        let mut outputs = self
            .client
            .handle(Instant::from_secs(1000), &mut self.dice, input);
        while let Some(output) = outputs.next() {
            if let Output::Transmit { bytes, .. } = output {
                sent.push(Got::parse(bytes));
            }
        }
        sent
    }

    #[track_caller]
    pub fn ask(&mut self, request: &Ask) -> Got {
        self.message_id += 1;
        let (from, message_id) = (self.server, self.message_id);
        let sent = self.input(Input::Datagram {
            from,
            bytes: &request.bytes(message_id),
        });
        sent.into_iter()
            .find(|got| got.message_id == message_id)
            .expect("an answer")
    }

    #[track_caller]
    pub fn code(&mut self, request: &Ask) -> String {
        self.ask(request).code.to_string()
    }

    /// Writes a value, as JSON, to a resource, or to resource instances from 0 on.
    pub fn write(&mut self, path: &str, multiple: bool, values: &[String]) -> String {
        let records: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(index, value)| {
                let name = if multiple {
                    format!("{path}/{index}")
                } else {
                    path.to_owned()
                };
                format!("{{\"n\":\"{name}\",{value}}}")
            })
            .collect();
        let payload = format!("[{}]", records.join(","));
        self.code(&put(path, SENML_JSON, payload.as_bytes()))
    }
}

/// The members of SenML for a value of `length` bytes.
fn of_length(data_type: DataType, length: usize) -> String {
    if data_type == DataType::Opaque {
        let bytes: String = "A".repeat((length * 8).div_ceil(6));
        return format!("\"vd\":\"{bytes}\"");
    }
    format!("\"vs\":\"{}\"", "a".repeat(length))
}

fn has_length(data_type: DataType) -> bool {
    matches!(
        data_type,
        DataType::String | DataType::CoreLink | DataType::Opaque
    )
}

/// A value that may be written, and one of another type.
fn values(resource: &ResourceDefinition, data_type: DataType) -> (String, String) {
    let low = resource.range.map_or(0.0, |range| range.min);
    match data_type {
        DataType::String | DataType::CoreLink => (
            of_length(data_type, low.max(1.0) as usize),
            "\"v\":1".to_owned(),
        ),
        DataType::Opaque => (of_length(data_type, low as usize), "\"v\":1".to_owned()),
        DataType::Boolean => ("\"vb\":true".to_owned(), "\"vs\":\"x\"".to_owned()),
        DataType::ObjectLink => ("\"vlo\":\"65535:65535\"".to_owned(), "\"v\":1".to_owned()),
        DataType::Float => (format!("\"v\":{low}"), "\"vs\":\"x\"".to_owned()),
        _ => (format!("\"v\":{}", low.ceil()), "\"vs\":\"x\"".to_owned()),
    }
}

/// Values next to both ends of a range, outside of it.
fn outside(range: Range, data_type: DataType) -> Vec<String> {
    // Beyond, a float no longer tells neighbours apart; or the payload grows too large.
    let limit = if has_length(data_type) { 2000.0 } else { 1e15 };
    let mut values = Vec::new();
    for (end, step) in [(range.min, -1.0), (range.max, 1.0)] {
        let value: f64 = (end + step).trunc();
        if value.abs() > limit || (has_length(data_type) && value < 0.0) {
            continue;
        }
        values.push(if has_length(data_type) {
            of_length(data_type, value as usize)
        } else {
            format!("\"v\":{value}")
        });
    }
    values
}

/// How many requests were answered as a definition says, and which were not.
#[derive(Debug, Default)]
pub struct Outcome {
    pub right: usize,
    pub wrong: Vec<String>,
}

impl Outcome {
    fn expect(&mut self, path: &str, what: &str, code: &str, expected: &str) {
        if code == expected {
            self.right += 1;
        } else {
            self.wrong
                .push(format!("{path} {what}: {code}, expected {expected}"));
        }
    }
}

/// Objects the client has in its own hands; what a device brings under these ids is not served.
fn is_own(object: u16) -> bool {
    matches!(object, 0..=2 | 21 | 23)
}

/// Checks an object, of which instance 0 stands, as a server of 1.1 sees it.
fn check_resources(object: &mut dyn Object, outcome: &mut Outcome) {
    let definition = object.definition();
    let implemented = object.instance(0).expect("instance 0").resources();
    let mut device = OneObject::new(object, Version::V1_1);
    let mut expect = |path: &str, what: &str, code: String, expected: &str| {
        outcome.expect(path, what, &code, expected);
    };
    for resource in definition.resources {
        let path = format!("/{}/0/{}", definition.id, resource.id);
        let read = device.code(&get(&path));
        if !implemented.contains(&resource.id) {
            expect(&path, "read of what nobody has", read, "4.04");
            continue;
        }
        let operations = resource.operations;
        let expected = match (
            operations.is_readable(),
            resource.mandatory || resource.multiple,
        ) {
            (false, _) => "4.05",
            (true, true) => "2.05",
            (true, false) => "4.04",
        };
        expect(&path, "read", read, expected);
        // Generated executables answer this until they are written.
        let execute = device.code(&Ask {
            format: None,
            ..post(&path, 0, b"")
        });
        if !resource.multiple {
            expect(&path, "execute", execute, "4.05");
        }
        let Some(data_type) = resource.data_type else {
            expect(
                &path,
                "write",
                device.write(&path, false, &["\"v\":1".to_owned()]),
                "4.05",
            );
            continue;
        };
        let (good, bad) = values(resource, data_type);
        let mut write = |values: &[String]| device.write(&path, resource.multiple, values);
        if !operations.is_writable() {
            expect(&path, "write", write(&[good]), "4.05");
            continue;
        }
        expect(
            &path,
            "a legal value",
            write(std::slice::from_ref(&good)),
            "2.04",
        );
        expect(&path, "another type", write(&[bad]), "4.00");
        for value in resource
            .range
            .iter()
            .flat_map(|range| outside(*range, data_type))
        {
            expect(&path, "outside the range", write(&[value]), "4.00");
        }
        if resource.multiple {
            let many = vec![good; 5];
            expect(
                &path,
                "more instances than there is room for",
                write(&many),
                "4.01",
            );
        }
        let read = device.code(&get(&path));
        let expected = if operations.is_readable() {
            "2.05"
        } else {
            "4.05"
        };
        expect(&path, "read of what was written", read, expected);
    }
}

/// Create without what is mandatory: refused under 1.0, where all of it must be in the payload.
fn check_create(object: &mut dyn Object, outcome: &mut Outcome) {
    let definition = object.definition();
    let implemented = object.instance(0).expect("instance 0").resources();
    let needs_value = implemented.iter().any(|id| {
        let resource = definition.resource(*id).expect("it is defined");
        resource.mandatory && resource.operations.is_writable()
    });
    let mut device = OneObject::new(object, Version::V1_0);
    let path = format!("/{}", definition.id);
    let code = device.code(&post(&path, TLV, b""));
    let expected = if needs_value { "4.00" } else { "2.01" };
    outcome.expect(&path, "create", &code, expected);
}

/// Both checks of an object whose instances are of this type.
pub fn check<T: ObjectInstance + Default + 'static>(outcome: &mut Outcome) {
    if is_own(T::DEFINITION.id) {
        return;
    }
    let object = || Instances::<T, 2>::new().with(0, T::default());
    check_create(&mut object(), outcome);
    check_resources(&mut object(), outcome);
}

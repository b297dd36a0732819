use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::embedded::FILES;
use super::*;
use crate::definition::{Types, objects};

/// A file without findings; tests change one thing.
pub(super) const GOOD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<LWM2M xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:noNamespaceSchemaLocation="http://www.openmobilealliance.org/tech/profiles/LWM2M-v1_1.xsd">
  <Object ObjectType="MODefinition">
    <Name>Door</Name>
    <Description1>A door.</Description1>
    <ObjectID>33000</ObjectID>
    <ObjectURN>urn:oma:lwm2m:x:33000:1.2</ObjectURN>
    <LWM2MVersion>1.1</LWM2MVersion>
    <ObjectVersion>1.2</ObjectVersion>
    <MultipleInstances>Multiple</MultipleInstances>
    <Mandatory>Optional</Mandatory>
    <Resources>
      <Item ID="7">
        <Name>Delay</Name>
        <Operations>RW</Operations>
        <MultipleInstances>Single</MultipleInstances>
        <Mandatory>Mandatory</Mandatory>
        <Type>Unsigned Integer</Type>
        <RangeEnumeration>0..60</RangeEnumeration>
        <Units>s</Units>
        <Description>How long it stays open.</Description>
      </Item>
      <Item ID="3">
        <Name>Open</Name>
        <Operations>E</Operations>
        <MultipleInstances>Single</MultipleInstances>
        <Mandatory>Optional</Mandatory>
        <Type></Type>
        <RangeEnumeration></RangeEnumeration>
        <Units></Units>
        <Description>Opens it.</Description>
      </Item>
    </Resources>
    <Description2></Description2>
  </Object>
</LWM2M>
"#;

fn findings(xml: &str) -> Vec<(String, u32)> {
    lint(xml.as_bytes())
        .into_iter()
        .map(|finding| (finding.rule.to_string(), finding.position.line))
        .collect()
}

/// What lint says after one replacement, as rule and line.
fn changed(from: &str, to: &str) -> Vec<(String, u32)> {
    assert!(GOOD.contains(from), "{from}");
    findings(&GOOD.replacen(from, to, 1))
}

#[track_caller]
fn assert_changed(from: &str, to: &str, rules: &[(&str, u32)]) {
    let expected: Vec<(String, u32)> = rules
        .iter()
        .map(|(rule, line)| ((*rule).to_owned(), *line))
        .collect();
    assert_eq!(changed(from, to), expected, "{from:?} -> {to:?}");
}

#[test]
fn reads_a_definition() {
    assert_eq!(lint(GOOD.as_bytes()), []);
    let objects = parse(GOOD.as_bytes(), Strictness::Strict).unwrap();
    let [door] = objects.as_slice() else {
        panic!("one object");
    };
    assert_eq!((door.id, door.name.as_str()), (33000, "Door"));
    assert_eq!(door.version, ObjectVersion { major: 1, minor: 2 });
    assert_eq!(door.lwm2m_version, Some(Version::V1_1));
    assert!(door.multiple && !door.mandatory);
    let ids: Vec<u16> = door.resources.iter().map(|resource| resource.id).collect();
    assert_eq!(ids, [3, 7]);
    let delay = door.resource(7).unwrap();
    assert_eq!(delay.data_type, Some(DataType::Unsigned));
    assert_eq!(delay.operations, Operations::RW);
    assert_eq!(
        delay.range,
        Some(Range {
            min: 0.0,
            max: 60.0
        })
    );
    assert_eq!(delay.units, "s");
    assert!(delay.mandatory && !delay.multiple);
    let open = door.resource(3).unwrap();
    assert_eq!((open.data_type, open.operations), (None, Operations::E));
    assert_eq!(door.resource(4), None);
}

/// Each check of the OMA editor that a single file can fail, by its number.
#[test]
fn lint_findings() {
    // Versions
    assert_changed("<LWM2MVersion>1.1<", "<LWM2MVersion>1<", &[("403", 8)]);
    assert_changed("<LWM2MVersion>1.1<", "<LWM2MVersion><", &[("403", 8)]);
    assert_changed("    <LWM2MVersion>1.1</LWM2MVersion>\n", "", &[("800", 3)]);
    assert_changed(":1.2</ObjectURN>", ":1.3</ObjectURN>", &[("210", 7)]);
    assert_changed("lwm2m:x:33000", "lwm2m:oma:33000", &[("210", 7)]);
    // Schema reference
    assert_changed(
        r#" xsi:noNamespaceSchemaLocation="http://www.openmobilealliance.org/tech/profiles/LWM2M-v1_1.xsd""#,
        "",
        &[("404", 2)],
    );
    assert_changed("LWM2M-v1_1.xsd", "LWM2M-v9.xsd", &[("405", 2)]);
    assert_changed("http://www.open", "http://open", &[]);
    // Layout
    assert_changed("</LWM2M>\n", "</LWM2M>", &[("406", 36)]);
    assert_changed(
        "<Name>Door</Name>\n",
        "<Name>Door</Name>\r\n",
        &[("407", 4)],
    );
    let one_line = GOOD.replace('\n', "");
    assert_eq!(
        findings(&one_line),
        [("408".to_owned(), 1), ("406".to_owned(), 1)]
    );
    // Resources
    assert_changed("<Name>Delay<", "<Name><", &[("410", 13)]);
    assert_changed("<Operations>RW<", "<Operations>RWE<", &[("411", 15)]);
    assert_changed("<Type>Unsigned Integer<", "<Type>Int<", &[("412", 18)]);
    assert_changed("<Type>Unsigned Integer<", "<Type><", &[("412", 18)]);
    assert_changed("<Type><", "<Type>String<", &[("413", 28)]);
    assert_changed(
        "<Operations>E</Operations>\n        <MultipleInstances>Single<",
        "<Operations>E</Operations>\n        <MultipleInstances>Multiple<",
        &[("413", 26)],
    );
    assert_changed(
        "<MultipleInstances>Multiple<",
        "<MultipleInstances>Many<",
        &[("414", 10)],
    );
    assert_changed("<Mandatory>Mandatory<", "<Mandatory>yes<", &[("415", 17)]);
    assert_changed("Description>Opens it.<", "Description><", &[("416", 23)]);
    assert_changed("<Units>s<", "<Units>sec<", &[("417", 20)]);
    assert_changed(">0..60<", ">0-60<", &[("418", 19)]);
    assert_changed(">0..60<", ">0 to 60<", &[("418", 19)]);
    // Word processors
    assert_changed(">Opens it.<", ">Opens \u{2019}it\u{2019}.<", &[("420", 31)]);
    assert_changed(">A door.<", ">A \u{201C}door\u{201D}.<", &[("700", 5)]);
    assert_changed("<Description2><", "<Description2>\u{2018}<", &[("705", 34)]);
}

#[test]
fn lint_finds_what_the_schema_forbids() {
    assert_changed("LWM2M-v1_1.xsd", "LWM2M.xsd", &[("schema", 18)]);
    assert_changed("    <Name>Door</Name>\n", "", &[("schema", 4)]);
    assert_changed(
        "        <RangeEnumeration>0..60</RangeEnumeration>\n",
        "",
        &[("schema", 19)],
    );
    assert_changed("    <Description2></Description2>\n", "", &[("schema", 3)]);
    assert_changed(
        "<Name>Delay</Name>",
        "<Name>Delay</Name><Name>Delay</Name>",
        &[("schema", 14)],
    );
    assert_changed("<Resources>", "<Resources>text", &[("schema", 12)]);
    assert_changed("<Resources>", "<Resources><Thing/>", &[("schema", 12)]);
    assert_changed(
        "<Item ID=\"7\">",
        "<Item ID=\"7\" x=\"1\">",
        &[("schema", 13)],
    );
    assert_changed(" ObjectType=\"MODefinition\"", "", &[("schema", 3)]);
    assert_changed("<Operations>RW<", "<Operations> RW<", &[("schema", 15)]);
    assert_changed("</LWM2M>", "<Other/></LWM2M>", &[("schema", 36)]);
}

/// What cannot be understood without guessing does not load; the error names line, column and
/// what to do.
#[test]
fn unusable_files_do_not_load() {
    for (from, to, message) in [
        (
            "<ObjectID>33000<",
            "<ObjectID>x<",
            "line 6, column 5: ObjectID \"x\" is no number from 0 to 65535 [schema]",
        ),
        (
            "<ObjectID>33000<",
            "<ObjectID>65535<",
            "line 6, column 5: object id 65535 is reserved [sense]",
        ),
        (
            "    <ObjectID>33000</ObjectID>\n",
            "",
            "line 3, column 3: <ObjectID> is missing [schema]",
        ),
        (
            "<ObjectVersion>1.2<",
            "<ObjectVersion>1<",
            "line 9, column 5: ObjectVersion \"1\" is no version; write major.minor, as in 1.0 \
             [sense]",
        ),
        (
            "<Item ID=\"7\">",
            "<Item ID=\"3\">",
            "line 23, column 7: resource 3 stands twice [sense]",
        ),
        (
            "<Item ID=\"7\">",
            "<Item ID=\"-1\">",
            "line 13, column 7: ID is no number from 0 to 65535 [schema]",
        ),
        (
            "<Item ID=\"7\">",
            "<Item>",
            "line 13, column 7: ID is missing; write <Item ID=\"0\"> [schema]",
        ),
        (
            "<Operations>RW<",
            "<Operations>RX<",
            "line 15, column 9: operations \"RX\"; write R, W, RW, E or nothing [411]",
        ),
        (
            "<Type>Unsigned Integer<",
            "<Type>unsigned integer<",
            "line 18, column 9: type \"unsigned integer\"; write String, Integer, Unsigned Integer, \
             Float, Boolean, Opaque, Time, Objlnk, Corelnk, or nothing for an executable resource \
             [412]",
        ),
        (
            "</LWM2M>",
            "",
            "line 1, column 1: not well-formed XML: the root node was opened but never closed",
        ),
    ] {
        let xml = GOOD.replacen(from, to, 1);
        let error = parse(xml.as_bytes(), Strictness::Lenient).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with(message.trim_end_matches(" [xml]")),
            "{text}"
        );
    }
    for (xml, message) in [
        ("", "not well-formed XML"),
        ("<Other/>\n", "the root element is <Other>"),
        ("<LWM2M></LWM2M>\n", "no <Object>"),
    ] {
        let error = parse(xml.as_bytes(), Strictness::Lenient).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
    let error = parse(b"<LWM2M>\n\xC3\xA4\xFF", Strictness::Lenient).unwrap_err();
    assert_eq!(error.finding.position, Position { line: 2, column: 2 });
}

/// Order, missing elements, BOM and carriage returns do not keep a file from loading.
#[test]
fn lenient_reads_what_strict_refuses() {
    let door = |xml: &str| {
        parse(xml.as_bytes(), Strictness::Lenient)
            .unwrap()
            .remove(0)
    };
    let good = door(GOOD);
    let shuffled = GOOD.replace("        <Units>s</Units>\n", "").replace(
        "        <Name>Delay</Name>\n",
        "        <Units>s</Units>\n        <Name>Delay</Name>\n",
    );
    assert_eq!(door(&shuffled), good);
    let windows = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    assert_eq!(door(&windows), good);
    let padded = GOOD.replace("<Type>Unsigned Integer<", "<Type> Unsigned Integer\n<");
    assert_eq!(door(&padded), good);
    for xml in [&shuffled, &windows, &padded] {
        assert!(parse(xml.as_bytes(), Strictness::Strict).is_err());
    }
    let old = GOOD
        .replace("    <LWM2MVersion>1.1</LWM2MVersion>\n", "")
        .replace("    <ObjectVersion>1.2</ObjectVersion>\n", "")
        .replace("        <RangeEnumeration>0..60</RangeEnumeration>\n", "")
        .replace(":33000:1.2", ":33000");
    let old = door(&old);
    assert_eq!(old.version, ObjectVersion::V1_0);
    assert_eq!(old.lwm2m_version, Some(Version::V1_0));
    assert_eq!(old.resource(7).unwrap().range, None);
    // A BOM alone is no finding: the published files have it.
    assert_eq!(lint(format!("\u{feff}{GOOD}").as_bytes()), []);
}

/// Neither entities of its own (billion laughs) nor external ones (XXE): no DTD at all.
#[test]
fn dtds_are_refused() {
    let laughs = r#"<!DOCTYPE lolz [
        <!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">
        <!ENTITY lol3 "&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;&lol2;">]>"#;
    let external = r#"<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/hostname">]>"#;
    for dtd in [laughs, external, "<!DOCTYPE x>"] {
        let xml = GOOD
            .replacen("<LWM2M ", &format!("{dtd}<LWM2M "), 1)
            .replace("A door.", "&lol3;&f;");
        let error = parse(xml.as_bytes(), Strictness::Lenient).unwrap_err();
        assert_eq!(error.finding.rule, Rule::WellFormed);
        assert!(
            error.to_string().contains("a DTD is not allowed"),
            "{error}"
        );
    }
    let entity = GOOD.replace("A door.", "&f;");
    assert!(parse(entity.as_bytes(), Strictness::Lenient).is_err());
}

#[test]
fn large_files_are_bounded() {
    let large = vec![b' '; MAX_FILE_BYTES + 1];
    let error = parse(&large, Strictness::Lenient).unwrap_err();
    assert!(
        error.to_string().contains("more than the 4194304"),
        "{error}"
    );
    // Depth
    let deep = "<a>".repeat(200_000);
    assert!(parse(deep.as_bytes(), Strictness::Lenient).is_err());
    let deep = format!("{}{}", "<a>".repeat(200_000), "</a>".repeat(200_000));
    assert!(parse(deep.as_bytes(), Strictness::Lenient).is_err());
    let inside = GOOD.replace(
        "A door.",
        &format!("{}{}", "<a>".repeat(20_000), "</a>".repeat(20_000)),
    );
    assert_eq!(
        parse(inside.as_bytes(), Strictness::Lenient).unwrap().len(),
        1
    );
    // Findings: a fatal one behind the limit still counts.
    let item = GOOD.split("<Item").nth(2).unwrap();
    let item = format!("<Item{}", item.split("</Resources>").next().unwrap());
    let many: String = (100..2100)
        .map(|id| {
            item.replace("ID=\"3\"", &format!("ID=\"{id}\""))
                .replace("Opens it.", "")
        })
        .collect();
    let xml = GOOD.replace("    </Resources>", &format!("{many}</Resources>"));
    assert_eq!(lint(xml.as_bytes()).len(), 1000);
    assert_eq!(parse(xml.as_bytes(), Strictness::Lenient).unwrap().len(), 1);
    let xml = xml.replace(
        "</Resources>",
        &format!("{}</Resources>", item.replace("ID=\"3\"", "ID=\"x\"")),
    );
    assert!(parse(xml.as_bytes(), Strictness::Lenient).is_err());
}

fn door(major: u8, minor: u8) -> ObjectModel {
    let mut door = parse(GOOD.as_bytes(), Strictness::Strict)
        .unwrap()
        .remove(0);
    door.version = ObjectVersion { major, minor };
    door.description = door.version.to_string();
    door
}

/// Unknown minor: the highest known one of the same major; unknown major: none.
#[test]
fn models_resolve_versions() {
    let mut models = Models::new();
    for (major, minor) in [(1, 0), (1, 2), (1, 1), (2, 0)] {
        assert!(models.insert(door(major, minor)).is_none());
    }
    assert!(models.insert(door(2, 0)).is_some());
    assert_eq!(models.len(), 4);
    let resolve = |major, minor| {
        models
            .resolve(33000, ObjectVersion { major, minor })
            .map(|door| door.description.as_str())
    };
    assert_eq!(resolve(1, 0), Some("1.0"));
    assert_eq!(resolve(1, 1), Some("1.1"));
    assert_eq!(resolve(1, 7), Some("1.2"));
    assert_eq!(resolve(2, 3), Some("2.0"));
    assert_eq!(resolve(0, 9), None);
    assert_eq!(resolve(3, 0), None);
    assert_eq!(models.latest(33000).unwrap().description, "2.0");
    assert!(models.latest(33001).is_none());
    let latest: Vec<&str> = models
        .iter_latest()
        .map(|door| door.description.as_str())
        .collect();
    assert_eq!(latest, ["2.0"]);
    assert_eq!(
        models.resource_type(33000, 7),
        Some(ResourceType {
            data_type: Some(DataType::Unsigned),
            multiple: false
        })
    );
    assert_eq!(models.resource_type(33000, 8), None);
}

fn objects_folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../objects"))
}

#[test]
fn every_object_file_is_embedded() {
    let on_disk: BTreeSet<String> = fs::read_dir(objects_folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let embedded: BTreeSet<String> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(on_disk, embedded, "keep the list in embedded.rs");
    assert_eq!(embedded.len(), FILES.len());
}

#[test]
fn every_object_file_is_strict_and_named_after_its_content() {
    for (name, xml) in FILES {
        assert_eq!(lint(xml.as_bytes()), [], "{name}");
        let objects = parse(xml.as_bytes(), Strictness::Strict).unwrap();
        let [object] = objects.as_slice() else {
            panic!("{name} has {} objects", objects.len());
        };
        let latest = Models::embedded();
        let latest = latest.latest(object.id).unwrap();
        let expected = if latest.version == object.version {
            format!("{}.xml", object.id)
        } else {
            format!("{}-{}.xml", object.id, object.version)
        };
        assert_eq!(*name, expected);
        assert!(!object.description.is_empty(), "{name}");
    }
    assert_eq!(Models::embedded().len(), FILES.len());
}

/// What the table of the standard says about a few resources, so that an edit is noticed.
#[test]
fn embedded_definitions_are_right() {
    let models = Models::embedded();
    let v1 = ObjectVersion::V1_0;
    let latest = |id: u16| models.latest(id).unwrap();
    for (id, version, count) in [
        (0, "1.2", 31),
        (1, "1.2", 28),
        (2, "1.1", 4),
        (3, "1.2", 23),
        (4, "1.3", 14),
        (5, "1.2", 14),
        (6, "1.0", 7),
        (7, "1.0", 9),
        (3303, "1.1", 12),
        (3311, "1.0", 8),
    ] {
        let object = latest(id);
        assert_eq!(object.version.to_string(), version, "/{id}");
        assert_eq!(object.resources.len(), count, "/{id}");
    }
    for (id, count) in [(0, 13), (1, 9), (3, 23), (4, 11), (5, 9)] {
        assert_eq!(models.get(id, v1).unwrap().resources.len(), count, "/{id}");
    }
    // A 1.1 client means /1 in 1.1; what is known of that major is 1.2.
    let server = models
        .resolve(1, ObjectVersion { major: 1, minor: 1 })
        .unwrap();
    assert_eq!(server.version.to_string(), "1.2");
    let error_code = latest(3).resource(11).unwrap();
    assert!(error_code.multiple && error_code.mandatory);
    assert_eq!(
        error_code.range,
        Some(Range {
            min: 0.0,
            max: 32.0
        })
    );
    let package = latest(5).resource(0).unwrap();
    assert_eq!(
        (package.operations, package.data_type),
        (Operations::W, Some(DataType::Opaque))
    );
    assert!(latest(5).resource(4).is_none());
    let key = latest(0).resource(5).unwrap();
    assert_eq!(key.operations, Operations::None);
    assert!(latest(0).multiple && latest(0).mandatory && !latest(3).multiple);
}

#[test]
fn generated_definitions_are_current() {
    let models = Models::embedded();
    let generated = generate::objects_module(models.iter_latest().map(AsRef::as_ref));
    let committed = include_str!("../definition/objects.rs");
    assert!(
        generated == committed,
        "run: cargo run -p dunlin-lwm2m --example definitions > \
         crates/lwm2m/src/definition/objects.rs"
    );
}

/// The constants say the same as the files they come from.
#[test]
fn constants_equal_the_files() {
    let models = Models::embedded();
    assert!(objects::ALL.is_sorted_by_key(|object| object.id));
    for definition in objects::ALL {
        let model = models.get(definition.id, definition.version).unwrap();
        assert_eq!(definition.name, model.name);
        assert_eq!(definition.multiple, model.multiple);
        assert_eq!(definition.mandatory, model.mandatory);
        assert_eq!(definition.resources.len(), model.resources.len());
        for (constant, resource) in definition.resources.iter().zip(&model.resources) {
            assert_eq!(constant.id, resource.id);
            assert_eq!(constant.name, resource.name);
            assert_eq!(constant.operations, resource.operations);
            assert_eq!(constant.multiple, resource.multiple);
            assert_eq!(constant.mandatory, resource.mandatory);
            assert_eq!(constant.data_type, resource.data_type);
            assert_eq!(constant.range, resource.range);
            assert_eq!(constant.units, resource.units);
        }
    }
}

#[test]
fn names_of_constants() {
    let name = |name: &str| {
        let mut door = door(1, 0);
        door.name = name.to_owned();
        generate::constant_name(&door)
    };
    assert_eq!(name("On/Off switch"), "ON_OFF_SWITCH");
    assert_eq!(name("LWM2M Security"), "SECURITY");
    assert_eq!(name("BinaryAppDataContainer"), "BINARY_APP_DATA_CONTAINER");
    assert_eq!(name("LTE-MTC Band Config"), "LTE_MTC_BAND_CONFIG");
    assert_eq!(name("5GNR Connectivity"), "OBJECT_5GNR_CONNECTIVITY");
    assert_eq!(name("  (x) "), "X");
    assert_eq!(name(""), "OBJECT_33000");
}

#[test]
fn generated_source_escapes() {
    let mut door = door(1, 0);
    door.name = "A \"door\"\\\n".to_owned();
    let source = generate::definition(&door, "DOOR");
    assert!(
        source.starts_with("/// A \"door\"\\\\ (`/33000`), version 1.0.\n"),
        "{source}"
    );
    assert!(source.contains(r#"name: "A \"door\"\\\n","#), "{source}");
    assert!(source.contains(
        "ResourceDefinition::new(7, \"Delay\", Operations::RW, Some(DataType::Unsigned))\
         .mandatory().range(0.0, 60.0).units(\"s\"),"
    ));
}

/// What the client is tested with is what the generator writes.
#[test]
fn generated_object_is_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../client/tests/generated");
    let xml = fs::read(folder.join("every_type.xml")).unwrap();
    let [object] = &parse(&xml, Strictness::Strict).unwrap()[..] else {
        panic!("one object");
    };
    let generated = generate::object(object, &generate::Options::default());
    let committed = fs::read_to_string(folder.join("every_type.rs")).unwrap();
    assert!(
        generated == committed,
        "run: cargo run -- object generate crates/client/tests/generated/every_type.xml -o \
         crates/client/tests/generated/every_type.rs"
    );
}

use super::tests::GOOD;
use super::*;

/// The list with the entries of the door in 1.0, 1.1 and 1.2, as it should be.
fn list() -> String {
    let entry = |version: &str, urn: &str, file: &str| {
        format!(
            "<Item>\n<ObjectID>33000</ObjectID>\n<URN>{urn}</URN>\n<Name>Door</Name>\n\
             <Description>A door.</Description>\n<Owner>Somebody</Owner>\n<Source>2</Source>\n\
             <Ver>{version}</Ver>\n<DDF>{file}</DDF>\n<Vorto></Vorto>\n<DDFLink>1</DDFLink>\n\
             <TS></TS>\n<TSLink>0</TSLink>\n</Item>\n"
        )
    };
    format!(
        "<DDFList>\n{}{}{}</DDFList>\n",
        entry(
            "1.0",
            "urn:oma:lwm2m:x:33000",
            "version_history/33000-1_0.xml"
        ),
        entry(
            "1.1",
            "urn:oma:lwm2m:x:33000:1.1",
            "version_history/33000-1_1.xml"
        ),
        entry("1.2", "urn:oma:lwm2m:x:33000:1.2", "33000.xml"),
    )
}

const COMMON: &str = "<LWM2M><Object ObjectType=\"CommonResources\"><Resources>
<Item ID=\"5521\">
<Name>Delay  Duration</Name>
<Operations>RW</Operations>
<Type>Float</Type>
<RangeEnumeration>0..60</RangeEnumeration>
<Units>s</Units>
<Submitter>Somebody</Submitter>
<Description>How long\n  it takes.</Description>
<TS></TS>
<TSLink>0</TSLink>
</Item>
<Item ID=\"5523\">
<Name>Trigger</Name>
<Operations>E</Operations>
<Type></Type>
<Description>Starts it.</Description>
<TSLink>1</TSLink>
</Item>
<Item ID=\"4020\">
<Name>Reserved</Name>
<Operations></Operations>
<Type></Type>
<Description>Reserved.</Description>
<TSLink>0</TSLink>
</Item>
</Resources></Object></LWM2M>
";

/// The door in a version, with a reusable resource.
fn door(version: &str) -> String {
    let suffix = if version == "1.0" {
        String::new()
    } else {
        format!(":{version}")
    };
    GOOD.replace(":33000:1.2", &format!(":33000{suffix}"))
        .replace("<ObjectVersion>1.2", &format!("<ObjectVersion>{version}"))
        .replace(
            "      <Item ID=\"3\">",
            "      <Item ID=\"5521\">
        <Name>Delay Duration</Name>
        <Operations>RW</Operations>
        <MultipleInstances>Single</MultipleInstances>
        <Mandatory>Optional</Mandatory>
        <Type>Float</Type>
        <RangeEnumeration>0..60</RangeEnumeration>
        <Units>s</Units>
        <Description>How long it takes.</Description>
      </Item>
      <Item ID=\"3\">",
        )
}

fn files() -> Files {
    [
        ("DDF.xml", list()),
        ("Common.xml", COMMON.to_owned()),
        ("33000.xml", door("1.2")),
        ("version_history/33000-1_0.xml", door("1.0")),
        ("version_history/33000-1_1.xml", door("1.1")),
        ("version_history/33000-1_2.xml", door("1.2")),
    ]
    .into_iter()
    .map(|(name, text)| (name.to_owned(), text.into_bytes()))
    .collect()
}

fn findings(files: &Files) -> Vec<(String, String, u32)> {
    Registry::read(files)
        .lint(files, false)
        .into_iter()
        .map(|(file, finding)| (file, finding.rule.to_string(), finding.position.line))
        .collect()
}

/// What is found after one replacement in one file.
#[track_caller]
fn assert_changed(file: &str, from: &str, to: &str, expected: &[(&str, &str, u32)]) {
    let mut files = files();
    let text = String::from_utf8(files.remove(file).unwrap()).unwrap();
    assert!(text.contains(from), "{from}");
    files.insert(file.to_owned(), text.replacen(from, to, 1).into_bytes());
    let expected: Vec<(String, String, u32)> = expected
        .iter()
        .map(|(file, rule, line)| ((*file).to_owned(), (*rule).to_owned(), *line))
        .collect();
    assert_eq!(findings(&files), expected, "{file}: {from:?} -> {to:?}");
}

/// The same in the list, where only rules and lines are told.
#[track_caller]
fn assert_list(from: &str, to: &str, expected: &[(&str, u32)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(rule, line)| ("DDF.xml", *rule, *line))
        .collect();
    assert_changed("DDF.xml", from, to, &expected);
}

#[track_caller]
fn assert_common(from: &str, to: &str, expected: &[(&str, u32)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(rule, line)| ("Common.xml", *rule, *line))
        .collect();
    assert_changed("Common.xml", from, to, &expected);
}

#[test]
fn a_registry_without_faults() {
    assert_eq!(findings(&files()), []);
    // Line ends make no difference between the file and its version.
    assert_changed(
        "version_history/33000-1_2.xml",
        "<Name>Door</Name>\n",
        "<Name>Door</Name>\r\n",
        &[],
    );
}

#[test]
fn faults_of_entries() {
    assert_list("<Owner>", "<Owner", &[("021", 7)]);
    assert_list(
        "<ObjectID>33000<",
        "<ObjectID>x<",
        &[("021", 2), ("276", 37)],
    );
    assert_list("<Vorto></Vorto>", "<Voto></Voto>", &[("041", 11)]);
    assert_list("<DDFList>\n", "<DDFList>\n<x/>", &[("041", 2)]);
    assert_list("<Owner>Somebody", "<Owner>", &[("240", 7)]);
    assert_list("<Source>2", "<Source>", &[("250", 8)]);
    assert_list("<Source>2", "<Source>3", &[("251", 8)]);
    assert_list("<DDFLink>1</DDFLink>\n", "", &[("300", 2)]);
    assert_list("<DDFLink>1", "<DDFLink>yes", &[("301", 12)]);
    assert_list("<TSLink>0</TSLink>\n", "", &[("320", 2)]);
    assert_list("<TSLink>0", "<TSLink>2", &[("321", 14)]);
    // Name and description also differ from those of the other versions.
    assert_list("<Name>Door", "<Name>", &[("220", 5), ("201", 19)]);
    assert_list(
        "<Description>A door.",
        "<Description>",
        &[("230", 6), ("701", 6), ("202", 20)],
    );
    let empty = "<DDFList>\n</DDFList>\n";
    let mut files = files();
    files.insert("DDF.xml".to_owned(), empty.as_bytes().to_vec());
    assert_eq!(
        findings(&files),
        [("DDF.xml".to_owned(), "031".to_owned(), 1)]
    );
}

/// Check 210: the URN says class, id and version; ids are in the range of their Source.
#[test]
fn faults_of_urns() {
    // 1.0 may be written out; the file has it the same way.
    assert_list("x:33000<", "x:33000:1.0<", &[]);
    assert_list("x:33000<", "ext:33000<", &[("210", 4)]);
    assert_list("x:33000<", "x:33000:1.1<", &[("210", 4)]);
    assert_list("<Source>2", "<Source>0", &[("210", 3), ("210", 4)]);
    assert_list("<Source>2", "<Source>1", &[("210", 3), ("210", 4)]);
}

#[test]
fn faults_of_versions() {
    assert_list("<Ver>1.0", "<Ver>one", &[("260", 9), ("276", 37)]);
    // An older version twice, and so another one not at all.
    let twice = [("200", 23), ("275", 23)];
    let file = [("274", 24), ("274", 24)];
    let of_old = [&[("210", 18)], &twice[..], &file, &[("276", 37)]].concat();
    assert_list("<Ver>1.1", "<Ver>1.0", &of_old);
    // The latest twice.
    let mut files = files();
    let twice = list().replacen("<Ver>1.1", "<Ver>1.2", 1);
    files.insert("DDF.xml".to_owned(), twice.into_bytes());
    let rules: Vec<String> = findings(&files)
        .into_iter()
        .map(|(_, rule, _)| rule)
        .collect();
    assert!(rules.contains(&"200".to_owned()), "{rules:?}");
    assert!(!rules.contains(&"275".to_owned()), "{rules:?}");
    assert_list("<Name>Door", "<Name>Gate", &[("201", 19)]);
    assert_list(
        "<Description>A door.",
        "<Description>A gate.",
        &[("701", 6), ("202", 20)],
    );
    // White space does not count.
    assert_list("<Description>A door.", "<Description> A\n  door. ", &[]);
}

#[test]
fn faults_of_files() {
    assert_changed(
        "DDF.xml",
        "<DDF>33000.xml",
        "<DDF>version_history/33000-1_2.xml",
        &[("DDF.xml", "274", 38), ("33000.xml", "050", 1)],
    );
    assert_changed(
        "DDF.xml",
        "<DDF>33000.xml",
        "<DDF>33001.xml",
        &[
            ("DDF.xml", "274", 38),
            ("DDF.xml", "270", 38),
            ("33000.xml", "050", 1),
        ],
    );
    assert_changed(
        "33000.xml",
        "</LWM2M>",
        "",
        &[
            ("DDF.xml", "274", 38),
            ("DDF.xml", "272", 38),
            ("33000.xml", "xml", 1),
        ],
    );
    let mut files = files();
    files.insert("33001.xml".to_owned(), door("1.2").into_bytes());
    assert_eq!(
        findings(&files),
        [("33001.xml".to_owned(), "050".to_owned(), 1)]
    );
    files.remove("33001.xml");
    files.remove("version_history/33000-1_2.xml");
    assert_eq!(
        findings(&files),
        [("DDF.xml".to_owned(), "274".to_owned(), 38)]
    );
}

#[test]
fn a_definition_without_resources() {
    let mut files = files();
    let door = door("1.2");
    let (head, rest) = door.split_once("<Resources>").unwrap();
    let (_, tail) = rest.split_once("</Resources>").unwrap();
    let empty = format!("{head}<Resources></Resources>{tail}").into_bytes();
    files.insert("33000.xml".to_owned(), empty.clone());
    files.insert("version_history/33000-1_2.xml".to_owned(), empty);
    let rules: Vec<String> = findings(&files)
        .into_iter()
        .map(|(_, rule, _)| rule)
        .collect();
    assert_eq!(rules, ["273", "schema"]);
}

/// Files against the list: 400 to 402.
#[test]
fn a_definition_and_the_list() {
    let registry = Registry::read(&files());
    let lint = |from: &str, to: &str| -> Vec<(String, u32)> {
        let door = door("1.2");
        assert!(door.contains(from));
        registry
            .lint_file(door.replacen(from, to, 1).as_bytes())
            .into_iter()
            .map(|finding| (finding.rule.to_string(), finding.position.line))
            .collect()
    };
    let rules = |rules: &[(&str, u32)]| -> Vec<(String, u32)> {
        rules
            .iter()
            .map(|(rule, line)| ((*rule).to_owned(), *line))
            .collect()
    };
    assert_eq!(lint("<Name>Door", "<Name>Gate"), rules(&[("402", 4)]));
    assert_eq!(
        lint("x:33000:1.2", "oma:33000:1.2"),
        rules(&[("210", 7), ("401", 7)])
    );
    assert_eq!(
        lint("<ObjectID>33000", "<ObjectID>33001"),
        rules(&[("400", 6), ("210", 7)])
    );
}

#[test]
fn reusable_resources_are_the_same_everywhere() {
    let file = "33000.xml";
    let assert = |from: &str, to: &str, rule: &str, line: u32| {
        let both = [("DDF.xml", "274", 38), (file, rule, line)];
        assert_changed(file, from, to, &both);
    };
    assert("<Item ID=\"5521\"", "<Item ID=\"5522\"", "450", 23);
    assert("Delay Duration", "Delay", "460", 24);
    assert(
        "RW</Operations>\n        <MultipleInstances>Single</MultipleInstances>\n        <Mandatory>Optional",
        "R</Operations>\n        <MultipleInstances>Single</MultipleInstances>\n        <Mandatory>Optional",
        "461",
        25,
    );
    assert("<Type>Float", "<Type>Integer", "462", 28);
    assert(
        "<RangeEnumeration>0..60</RangeEnumeration>\n        <Units>s</Units>\n        <Description>How long it takes",
        "<RangeEnumeration>0..90</RangeEnumeration>\n        <Units>s</Units>\n        <Description>How long it takes",
        "463",
        29,
    );
    assert(
        "<Units>s</Units>\n        <Description>How long it takes",
        "<Units>min</Units>\n        <Description>How long it takes",
        "464",
        30,
    );
    assert("How long it takes", "How long", "465", 31);
    // Multiplicity and whether it is mandatory are the object's choice.
    let free = door("1.2").replacen(
        "<Mandatory>Optional</Mandatory>\n        <Type>Float",
        "<Mandatory>Mandatory</Mandatory>\n        <Type>Float",
        1,
    );
    assert_eq!(Registry::read(&files()).lint_file(free.as_bytes()), []);
}

#[test]
fn a_reusable_resource_stands_once() {
    let twice = door("1.2").replace("<Item ID=\"3\">", "<Item ID=\"5521\">");
    let found = lint(twice.as_bytes());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].rule, Rule::Check(451));
    assert!(found[0].fatal);
}

#[test]
fn faults_of_reusable_resources() {
    assert_common("<LWM2M>", "<LWM2M", &[("022", 1)]);
    assert_common("<TS></TS>", "<T></T>", &[("022", 11)]);
    assert_common("ID=\"4020\"", "ID=\"x\"", &[("022", 21)]);
    assert_common("ID=\"4020\"", "ID=\"5523\"", &[("500", 21)]);
    assert_common("ID=\"4020\"", "ID=\"2047\"", &[("501", 21)]);
    assert_common("<Name>Trigger", "<Name>", &[("510", 15)]);
    assert_common(
        "<Operations>E",
        "<Operations>X",
        &[("520", 16), ("530", 17)],
    );
    assert_common(
        "<Operations></Operations>\n<Type>",
        "<Operations></Operations>\n<Type>Text",
        &[("530", 24)],
    );
    assert_common(
        "<Operations>E</Operations>\n<Type>",
        "<Operations>E</Operations>\n<Type>String",
        &[("531", 17)],
    );
    assert_common("<Description>Starts it.", "<Description>", &[("570", 18)]);
    assert_common("<TSLink>1</TSLink>", "", &[("590", 14)]);
    assert_common("<TSLink>1", "<TSLink>2", &[("591", 19)]);
    assert_common("<Name>Trigger", "<Name>\u{201C}Trigger", &[("601", 15)]);
    assert_common("Starts it.", "Starts \u{2018}it.", &[("602", 18)]);
    assert_common("<TSLink>1", "<TSLink>\u{201D}", &[("591", 19), ("603", 19)]);
    assert_common(
        "<Operations>E",
        "<Operations>\u{2019}",
        &[("520", 16), ("604", 16), ("530", 17)],
    );
    assert_common("<TS></TS>", "<TS>\u{2019}</TS>", &[("605", 11)]);
    let none = "<LWM2M></LWM2M>";
    let mut files = files();
    files.insert("Common.xml".to_owned(), none.as_bytes().to_vec());
    assert_eq!(
        findings(&files),
        [("Common.xml".to_owned(), "032".to_owned(), 1)]
    );
}

/// The object has the same range and unit, so both files tell.
#[test]
fn notation_of_reusable_resources() {
    assert_common_and_file("0..60", "0-60", ("541", 6), ("463", 29));
    assert_common_and_file("<Units>s", "<Units>sec", ("551", 7), ("464", 30));
}

#[track_caller]
fn assert_common_and_file(from: &str, to: &str, common: (&str, u32), file: (&str, u32)) {
    let expected = [
        ("Common.xml", common.0, common.1),
        ("33000.xml", file.0, file.1),
    ];
    assert_changed("Common.xml", from, to, &expected);
}

/// A registry may have units of its own.
#[test]
fn further_units() {
    let mut files = files();
    let text = door("1.2").replace("<Units>s<", "<Units>foot<");
    let count = |files: &Files| {
        let found = Registry::read(files).lint_file(text.as_bytes());
        found
            .iter()
            .filter(|one| one.rule == Rule::Check(417))
            .count()
    };
    assert_eq!(count(&files), 2);
    let units = "<units><registry><record><value>foot</value></record></registry></units>";
    files.insert(
        "LWM2M_senml_units.xml".to_owned(),
        units.as_bytes().to_vec(),
    );
    assert_eq!(count(&files), 0);
}

//! The notification rules as a table in virtual time: attributes, values with their times, and what
//! is told when. The result is compared with `snapshots/scenarios.txt`, which a person has checked
//! against the standard; `UPDATE_SNAPSHOTS=1 cargo test -p dunlin-client --test scenarios` writes
//! it anew.

mod common;

use std::fmt::Write as _;

use common::{Got, World, ask, get};
use dunlin_client::{Code, Version};
use dunlin_coap::{OptionNumber, Type};

/// What happens at a second after the Observe.
#[derive(Clone, Copy)]
enum Do {
    /// `/3303/0/5700`
    Celsius(f64),
    /// `/3311/0/5850`, a Boolean
    Light(bool),
    /// `/3/0/7/n`, millivolts
    Volt(u16, i32),
    /// `/3/0/7/n` goes.
    NoVolt(u16),
    /// `/3/0/14`, a text
    Zone(&'static str),
    /// A Write-Attributes.
    Attach(&'static str),
    /// Nothing; time passes up to here.
    Wait,
}

use Do::{Attach, Celsius, Light, NoVolt, Volt, Wait, Zone};

struct Scenario {
    what: &'static str,
    version: Version,
    /// Written by Write-Attributes before the Observe.
    attached: &'static [&'static str],
    /// With its query.
    observed: &'static str,
    begins: f64,
    steps: &'static [(u64, Do)],
}

const V: &str = "/3303/0/5700";

const fn scenario(
    what: &'static str,
    attached: &'static [&'static str],
    begins: f64,
    steps: &'static [(u64, Do)],
) -> Scenario {
    Scenario {
        what,
        version: Version::V1_2,
        attached,
        observed: V,
        begins,
        steps,
    }
}

const fn of(scenario: Scenario, observed: &'static str) -> Scenario {
    Scenario {
        observed,
        ..scenario
    }
}

const fn in_version(scenario: Scenario, version: Version) -> Scenario {
    Scenario {
        version,
        ..scenario
    }
}

#[rustfmt::skip] // One line for each.
const SCENARIOS: &[Scenario] = &[
    scenario("no attribute: every change", &[], 20.0, &[
        (1, Celsius(20.5)), (2, Celsius(20.5)), (3, Celsius(19.0)),
    ]),
    scenario("pmin: the latest value when it ends", &["/3303/0/5700?pmin=10"], 20.0, &[
        (2, Celsius(21.0)), (4, Celsius(22.0)), (30, Celsius(23.0)), (31, Celsius(24.0)), (60, Wait),
    ]),
    scenario("pmin, no condition: a change that has vanished is not told", &["/3303/0/5700?pmin=10"], 20.0, &[
        (2, Celsius(21.0)), (4, Celsius(20.0)), (30, Wait),
    ]),
    scenario("pmin and gt: a crossing is told when pmin ends, though the value has returned", &["/3303/0/5700?pmin=10&gt=25"], 20.0, &[
        (2, Celsius(26.0)), (4, Celsius(24.0)), (30, Wait),
    ]),
    scenario("pmin and gt: crossing up and down within pmin is told once", &["/3303/0/5700?pmin=10&gt=25"], 20.0, &[
        (2, Celsius(26.0)), (4, Celsius(24.0)), (6, Celsius(27.0)), (30, Wait),
    ]),
    scenario("pmax: without a change", &["/3303/0/5700?pmax=20"], 20.0, &[(70, Wait)]),
    scenario("pmax: a change restarts it", &["/3303/0/5700?pmax=20"], 20.0, &[(15, Celsius(21.0)), (60, Wait)]),
    scenario("pmax=0 is none", &["/3303/0/5700?pmax=0"], 20.0, &[(1000, Wait)]),
    scenario("pmax below pmin is ignored", &["/3303/0/5700?pmin=30&pmax=10"], 20.0, &[(5, Celsius(21.0)), (100, Wait)]),
    scenario("pmax equal to pmin, 1.2", &["/3303/0/5700?pmin=10&pmax=10"], 20.0, &[(35, Wait)]),
    in_version(scenario("pmax equal to pmin, 1.0", &["/3303/0/5700?pmin=10&pmax=10"], 20.0, &[(35, Wait)]), Version::V1_0),
    in_version(scenario("pmax equal to pmin, 1.1: ignored", &["/3303/0/5700?pmin=10&pmax=10"], 20.0, &[(5, Celsius(21.0)), (35, Wait)]), Version::V1_1),
    scenario("pmin and pmax: neither earlier nor later", &["/3303/0/5700?pmin=10&pmax=30"], 20.0, &[
        (3, Celsius(21.0)), (12, Celsius(22.0)), (25, Wait), (90, Wait),
    ]),
    // Worked examples of the mapping chapter, 1.0: gt=45, st=10.
    in_version(scenario("1.0 gt=45 st=10: 20 to 35 (st)", &["/3303/0/5700?gt=45&st=10"], 20.0, &[(1, Celsius(35.0))]), Version::V1_0),
    in_version(scenario("1.0 gt=45 st=10: 45 to 50 (gt)", &["/3303/0/5700?gt=45&st=10"], 45.0, &[(1, Celsius(50.0))]), Version::V1_0),
    in_version(scenario("1.0 gt=45 st=10: 50 to 40 (gt downwards, and st)", &["/3303/0/5700?gt=45&st=10"], 50.0, &[(1, Celsius(40.0))]), Version::V1_0),
    in_version(scenario("1.0 gt=45 st=10: 35 to 20 (st)", &["/3303/0/5700?gt=45&st=10"], 35.0, &[(1, Celsius(20.0))]), Version::V1_0),
    // lt=20, gt=85, st=10.
    in_version(scenario("1.0 lt=20 gt=85 st=10: 17 to 24 (lt upwards)", &["/3303/0/5700?lt=20&gt=85&st=10"], 17.0, &[(1, Celsius(24.0))]), Version::V1_0),
    in_version(scenario("1.0 lt=20 gt=85 st=10: 75 to 90 (gt, and st)", &["/3303/0/5700?lt=20&gt=85&st=10"], 75.0, &[(1, Celsius(90.0))]), Version::V1_0),
    in_version(scenario("1.0 lt=20 gt=85 st=10: 50 to 10 (lt, and st)", &["/3303/0/5700?lt=20&gt=85&st=10"], 50.0, &[(1, Celsius(10.0))]), Version::V1_0),
    in_version(scenario("1.0 lt=20 gt=85 st=10: 87 to 99 (st)", &["/3303/0/5700?lt=20&gt=85&st=10"], 87.0, &[(1, Celsius(99.0))]), Version::V1_0),
    // 1.2.2: gt=45, st=10.
    scenario("1.2 gt=45 st=10: 45 to 50", &["/3303/0/5700?gt=45&st=10"], 45.0, &[(1, Celsius(50.0))]),
    scenario("1.2 gt=45 st=10: 38 to 49", &["/3303/0/5700?gt=45&st=10"], 38.0, &[(1, Celsius(49.0))]),
    scenario("1.2 gt=45 st=10: 48 to 42", &["/3303/0/5700?gt=45&st=10"], 48.0, &[(1, Celsius(42.0))]),
    scenario("1.2 gt=45 st=10: 48 to 55, none", &["/3303/0/5700?gt=45&st=10"], 48.0, &[(1, Celsius(55.0)), (100, Wait)]),
    // Equality, by the XOR of the reference code.
    scenario("gt=45: 50 to 45 counts", &["/3303/0/5700?gt=45"], 50.0, &[(1, Celsius(45.0))]),
    scenario("gt=45: 40 to 45 does not", &["/3303/0/5700?gt=45"], 40.0, &[(1, Celsius(45.0))]),
    scenario("lt=20: 20 to 15 counts, 25 to 20 does not", &["/3303/0/5700?lt=20"], 25.0, &[(1, Celsius(20.0)), (2, Celsius(15.0))]),
    scenario("negative thresholds", &["/3303/0/5700?gt=-5&lt=-10"], -7.0, &[(1, Celsius(-6.0)), (2, Celsius(-11.0)), (3, Celsius(-4.0))]),
    scenario("st counts from what was told last", &["/3303/0/5700?st=1"], 20.0, &[
        (1, Celsius(20.4)), (2, Celsius(20.8)), (3, Celsius(21.0)), (4, Celsius(21.9)), (5, Celsius(20.0)),
    ]),
    scenario("st and pmin: both", &["/3303/0/5700?st=2&pmin=10"], 20.0, &[(3, Celsius(23.0)), (12, Celsius(24.0)), (40, Wait)]),
    scenario("gt and pmax: pmax tells what gt does not", &["/3303/0/5700?gt=45&pmax=20"], 20.0, &[(5, Celsius(30.0)), (45, Wait)]),
    // Evaluation periods.
    scenario("epmin: a change is looked at when it ends", &["/3303/0/5700?epmin=10"], 20.0, &[
        (2, Celsius(21.0)), (4, Celsius(22.0)), (12, Celsius(23.0)), (40, Wait),
    ]),
    scenario("epmin: a crossing between two looks is not seen", &["/3303/0/5700?epmin=10&gt=25"], 20.0, &[
        (2, Celsius(26.0)), (4, Celsius(24.0)), (40, Wait),
    ]),
    scenario("epmin and pmin: the later one", &["/3303/0/5700?epmin=5&pmin=10"], 20.0, &[(2, Celsius(21.0)), (12, Celsius(22.0)), (40, Wait)]),
    scenario("epmax alone tells nothing", &["/3303/0/5700?epmax=10"], 20.0, &[(100, Wait)]),
    // Boolean edges.
    of(scenario("edge=1: rising alone", &["/3311/0/5850?edge=1"], 0.0, &[(1, Light(true)), (2, Light(false)), (3, Light(true))]), "/3311/0/5850"),
    of(scenario("edge=0: falling alone", &["/3311/0/5850?edge=0"], 0.0, &[(1, Light(true)), (2, Light(false)), (3, Light(true))]), "/3311/0/5850"),
    of(scenario("edge=1 and pmin: a pulse within pmin is told when it ends", &["/3311/0/5850?edge=1&pmin=10"], 0.0, &[(1, Light(true)), (2, Light(false)), (30, Wait)]), "/3311/0/5850"),
    of(scenario("edge=1 and pmax", &["/3311/0/5850?edge=1&pmax=20"], 0.0, &[(50, Wait)]), "/3311/0/5850"),
    // Levels and inheritance.
    scenario("R > OI > O: the nearest level wins", &["/3303?pmin=30&pmax=100", "/3303/0?pmin=20", "/3303/0/5700?pmin=10"], 20.0, &[(1, Celsius(21.0)), (200, Wait)]),
    of(scenario("attributes below what is observed are ignored", &["/3303/0/5700?pmin=100&gt=99"], 20.0, &[(1, Celsius(21.0))]), "/3303/0"),
    of(scenario("an object is observed by its own attributes", &["/3303?pmin=10"], 20.0, &[(1, Celsius(21.0)), (20, Wait)]), "/3303"),
    scenario("attributes of other paths are of no account", &["/3303/0/5601?pmin=50", "/3304?pmin=50"], 20.0, &[(1, Celsius(21.0))]),
    scenario("attributes may change while it is observed", &["/3303/0/5700?pmin=50"], 20.0, &[
        (1, Celsius(21.0)), (5, Attach("/3303/0/5700?pmin=10")), (20, Attach("/3303/0/5700?pmin&gt=30")), (21, Celsius(25.0)), (22, Celsius(31.0)),
    ]),
    // Observe parameters (1.2).
    of(scenario("a parameter replaces all that is attached", &["/3303/0/5700?gt=25&pmax=15", "/3303?pmin=5"], 20.0, &[(1, Celsius(21.0)), (60, Wait)]), "/3303/0/5700?st=1"),
    of(scenario("parameters pmin and pmax", &[], 20.0, &[(1, Celsius(21.0)), (40, Wait)]), "/3303/0/5700?pmin=5&pmax=15"),
    // Resource instances: each by itself.
    of(scenario("gt at a multiple resource holds for each instance", &["/3/0/7?gt=4000"], 0.0, &[
        (1, Volt(0, 3900)), (2, Volt(0, 4100)), (3, Volt(1, 4500)), (4, Volt(1, 3000)), (5, Volt(2, 1000)), (6, NoVolt(2)),
    ]), "/3/0/7"),
    of(scenario("st at one resource instance", &["/3/0/7/1?st=100"], 0.0, &[(1, Volt(1, 5050)), (2, Volt(0, 9)), (3, Volt(1, 5100))]), "/3/0/7/1"),
    of(scenario("a resource instance inherits from its resource", &["/3/0/7?pmin=10"], 0.0, &[(1, Volt(1, 4000)), (20, Wait)]), "/3/0/7/1"),
    of(scenario("a resource instance that goes ends the observation", &[], 0.0, &[(1, NoVolt(1)), (2, Volt(1, 7))]), "/3/0/7/1"),
    // What is no number.
    of(scenario("a text: any change", &["/3/0/14?pmin=5"], 0.0, &[(6, Zone("+01:00")), (7, Zone("+02:00")), (20, Wait)]), "/3/0/14"),
    // Confirmable.
    scenario("con=1", &["/3303/0/5700?con=1"], 20.0, &[(1, Celsius(21.0)), (2, Celsius(22.0))]),
    of(scenario("con=0 in the Observe, con=1 above", &["/3303?con=1"], 20.0, &[(1, Celsius(21.0))]), "/3303/0/5700?con=0"),
];

fn seconds(world: &World, start: u64) -> u64 {
    world.now.as_micros() / 1_000_000 - start
}

/// Writes what was sent since, and acknowledges it.
fn note(world: &mut World, start: u64, out: &mut String) {
    while let Some(bytes) = world.sent.pop_front() {
        let got = Got::parse(&bytes);
        assert_eq!(got.token, b"obs");
        let kind = if got.ty == Type::Confirmable {
            "CON"
        } else {
            "NON"
        };
        let text = String::from_utf8(got.payload.clone()).unwrap();
        let at = seconds(world, start);
        writeln!(out, "    {at:>4} s  {kind} {} {text}", got.code).unwrap();
        if got.ty == Type::Confirmable {
            world.empty(Type::Acknowledgement, got.message_id);
        }
    }
}

fn apply(world: &mut World, action: Do) -> String {
    let objects = world.client.objects_mut();
    match action {
        Celsius(value) => {
            objects.temperature.get_mut(0).unwrap().measure(value);
            format!("{value}")
        }
        Light(on) => {
            objects.light.get_mut(0).unwrap().on = on;
            format!("{on}")
        }
        Volt(id, value) => {
            objects.device.voltages.insert(id, value).unwrap();
            format!("[{id}] = {value}")
        }
        NoVolt(id) => {
            objects.device.voltages.remove(id);
            format!("[{id}] goes")
        }
        Zone(zone) => {
            objects.device.utc_offset = dunlin_client::objects::text(zone);
            zone.to_owned()
        }
        Attach(uri) => {
            assert_eq!(world.code(&ask(Code::PUT, uri)), "2.04");
            format!("Write-Attributes {uri}")
        }
        Wait => String::new(),
    }
}

fn play(scenario: &Scenario) -> String {
    let mut out = String::new();
    writeln!(out, "{} ({})", scenario.what, scenario.version).unwrap();
    let mut world = World::registered(scenario.version);
    let light = dunlin_client::objects::LightControl::default();
    world.client.objects_mut().light.insert(0, light).unwrap();
    world.poll();
    let update = world.take();
    world.answer_with(&update, Code::CHANGED);
    world.set_temperature(scenario.begins);
    for uri in scenario.attached {
        assert_eq!(world.code(&ask(Code::PUT, uri)), "2.04", "{uri}");
        writeln!(out, "  Write-Attributes {uri}").unwrap();
    }
    let several = matches!(scenario.observed, "/3303" | "/3303/0" | "/3/0/7");
    let format = match (several, scenario.version) {
        (_, Version::V1_0) => 11543,
        (true, _) => 110,
        (false, _) => 0,
    };
    let start = world.now.as_micros() / 1_000_000;
    let answer = world.ask(&get(scenario.observed).accept(format).observe(0, b"obs"));
    assert!(answer.uint(OptionNumber::OBSERVE).is_some(), "{answer:?}");
    writeln!(out, "  Observe {} -> {}", scenario.observed, answer.text()).unwrap();
    for (at, action) in scenario.steps {
        let end = dunlin_client::Instant::from_secs(start + at);
        while let Some(next) = world.client.next_timeout().filter(|next| *next < end) {
            world.now = world.now.max(next);
            world.poll();
            note(&mut world, start, &mut out);
        }
        world.run_until(end);
        note(&mut world, start, &mut out);
        let what = apply(&mut world, *action);
        writeln!(out, "  {at:>4} s  {what}").unwrap();
        world.poll();
        note(&mut world, start, &mut out);
    }
    out
}

#[test]
fn scenarios() {
    let played: Vec<String> = SCENARIOS.iter().map(play).collect();
    let found = played.join("\n");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots/scenarios.txt");
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        std::fs::write(path, &found).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    for (played, expected) in played.iter().zip(expected.split("\n\n")) {
        assert_eq!(played.trim_end(), expected.trim_end());
    }
    assert_eq!(
        found, expected,
        "run with UPDATE_SNAPSHOTS=1, and check the difference"
    );
}

/// Every number in the table of the standard's worked examples is told or not told as it says.
#[test]
fn worked_examples_of_the_standard() {
    for scenario in SCENARIOS.iter().filter(|it| it.what.starts_with("1.")) {
        let told = play(scenario)
            .lines()
            .filter(|line| line.contains("NON 2.05"))
            .count();
        let expected = usize::from(!scenario.what.ends_with("none"));
        assert_eq!(told, expected, "{}", scenario.what);
    }
}

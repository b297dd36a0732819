use super::*;

fn write(segments: &[&str]) -> Result<WriteAttributes, AttributeError> {
    WriteAttributes::from_queries(segments.iter().copied())
}

#[test]
fn reads_every_attribute() {
    let write = write(&[
        "pmin=10", "pmax=60", "gt=50", "lt=42.2", "st=0.5", "epmin=1", "epmax=2", "edge=1",
        "con=0", "hqmax=7",
    ])
    .unwrap();
    assert_eq!(
        *write.attributes(),
        Attributes {
            pmin: Some(10),
            pmax: Some(60),
            gt: Some(50.0),
            lt: Some(42.2),
            st: Some(0.5),
            epmin: Some(1),
            epmax: Some(2),
            edge: Some(true),
            con: Some(false),
            hqmax: Some(7),
        }
    );
}

#[test]
fn reads_signs_and_exponents_and_writes_plain_decimals() {
    for (text, plain) in [
        ("gt=-5.5", "gt=-5.5"),
        ("gt=-95", "gt=-95"),
        ("gt=1e3", "gt=1000"),
        ("gt=2.5E-7", "gt=0.00000025"),
        ("gt=1E+2", "gt=100"),
        ("gt=0042.50", "gt=42.5"),
        ("gt=1e300", "gt=1e300"),
    ] {
        let change = AttributeChange::parse(text).unwrap();
        assert_eq!(change.to_string(), plain, "{text}");
    }
}

#[test]
fn refuses_bad_segments() {
    use Attribute::{Con, Edge, Gt, Pmin};
    for (segment, error) in [
        ("pmim=1", AttributeError::Unknown),
        ("PMIN=1", AttributeError::Unknown),
        ("", AttributeError::Unknown),
        ("=1", AttributeError::Unknown),
        // Properties cannot be written (Core 1.2 Table 7.3.1-1).
        ("dim=2", AttributeError::Unknown),
        ("ver=1.0", AttributeError::Unknown),
        ("pmin=", AttributeError::Value(Pmin)),
        ("pmin=-1", AttributeError::Value(Pmin)),
        ("pmin=+1", AttributeError::Value(Pmin)),
        ("pmin=1.5", AttributeError::Value(Pmin)),
        ("pmin=4294967296", AttributeError::Value(Pmin)),
        ("gt=", AttributeError::Value(Gt)),
        ("gt=.5", AttributeError::Value(Gt)),
        ("gt=5.", AttributeError::Value(Gt)),
        ("gt=+5", AttributeError::Value(Gt)),
        ("gt=nan", AttributeError::Value(Gt)),
        ("gt=inf", AttributeError::Value(Gt)),
        ("gt=1e", AttributeError::Value(Gt)),
        ("gt=1e400", AttributeError::Value(Gt)),
        ("gt=--5", AttributeError::Value(Gt)),
        ("edge=2", AttributeError::Value(Edge)),
        ("con=true", AttributeError::Value(Con)),
    ] {
        assert_eq!(write(&[segment]), Err(error), "{segment}");
    }
    assert_eq!(
        write(&["pmin=1", "pmin=2"]),
        Err(AttributeError::Duplicate(Pmin))
    );
    assert_eq!(
        write(&["pmin=1", "pmin"]),
        Err(AttributeError::Duplicate(Pmin))
    );
}

/// Core 1.2 §6.3.4: lt < gt and lt + 2 * st < gt, in one request.
#[test]
fn refuses_contradictions() {
    assert_eq!(
        write(&["lt=50", "gt=50"]),
        Err(AttributeError::LtNotBelowGt)
    );
    assert_eq!(
        write(&["lt=60", "gt=50"]),
        Err(AttributeError::LtNotBelowGt)
    );
    assert_eq!(
        write(&["lt=40", "gt=50", "st=5"]),
        Err(AttributeError::StepTooLarge)
    );
    assert!(write(&["lt=40", "gt=50", "st=4.9"]).is_ok());
    assert!(write(&["lt=40", "st=100"]).is_ok());
    assert_eq!(write(&["st=-1"]), Err(AttributeError::NegativeStep));
    assert_eq!(
        write(&["epmin=2", "epmax=2"]),
        Err(AttributeError::EpminNotBelowEpmax)
    );
}

/// An unusable pmax is ignored, not refused.
#[test]
fn ignores_pmax_below_pmin() {
    let write = write(&["pmin=60", "pmax=10"]).unwrap();
    assert_eq!(write.attributes().usable_pmax(), None);
    for (pmin, pmax, usable) in [
        (None, Some(0), None),
        (None, Some(5), Some(5)),
        (Some(5), Some(5), Some(5)),
        (Some(5), None, None),
    ] {
        let attributes = Attributes {
            pmin,
            pmax,
            ..Attributes::NONE
        };
        assert_eq!(attributes.usable_pmax(), usable);
    }
}

/// The set at one level is checked as a whole, and a failing write leaves nothing behind.
#[test]
fn applies_to_what_is_attached() {
    let attached = Attributes {
        gt: Some(20.0),
        pmin: Some(5),
        ..Attributes::NONE
    };
    let result = write(&["lt=10", "pmin"]).unwrap().apply(&attached).unwrap();
    assert_eq!(
        (result.gt, result.lt, result.pmin),
        (Some(20.0), Some(10.0), None)
    );
    assert_eq!(
        write(&["lt=30"]).unwrap().apply(&attached),
        Err(AttributeError::LtNotBelowGt)
    );
    let result = write(&["lt=30", "gt"]).unwrap().apply(&attached).unwrap();
    assert_eq!((result.gt, result.lt), (None, Some(30.0)));
}

#[test]
fn checks_level_and_type() {
    let gt = write(&["gt=1"]).unwrap();
    assert_eq!(
        gt.check_target(Level::Object, None),
        Err(AttributeError::Level(Attribute::Gt))
    );
    assert_eq!(
        gt.check_target(Level::ObjectInstance, None),
        Err(AttributeError::Level(Attribute::Gt))
    );
    assert_eq!(
        gt.check_target(Level::Resource, Some(DataType::String)),
        Err(AttributeError::DataType(Attribute::Gt))
    );
    assert_eq!(
        gt.check_target(Level::Resource, Some(DataType::Boolean)),
        Err(AttributeError::DataType(Attribute::Gt))
    );
    for data_type in [DataType::Integer, DataType::Unsigned, DataType::Float] {
        assert!(gt.check_target(Level::Resource, Some(data_type)).is_ok());
        assert!(
            gt.check_target(Level::ResourceInstance, Some(data_type))
                .is_ok()
        );
    }
    let edge = write(&["edge=1"]).unwrap();
    assert!(
        edge.check_target(Level::Resource, Some(DataType::Boolean))
            .is_ok()
    );
    assert_eq!(
        edge.check_target(Level::Resource, Some(DataType::Float)),
        Err(AttributeError::DataType(Attribute::Edge))
    );
    let periods = write(&["pmin=1", "pmax=2", "epmin=1", "epmax=2", "con=1", "hqmax=1"]).unwrap();
    for level in [Level::Object, Level::ObjectInstance, Level::Resource] {
        assert!(periods.check_target(level, None).is_ok());
    }
    // Unsetting is not attaching.
    let unset = write(&["gt"]).unwrap();
    assert!(unset.check_target(Level::Object, None).is_ok());
}

#[test]
fn reads_numbers() {
    for (name, number, segment) in [
        ("pmin", Some(10.0), "pmin=10"),
        ("pmax", Some(4_294_967_295.0), "pmax=4294967295"),
        ("gt", Some(-5.5), "gt=-5.5"),
        ("con", Some(1.0), "con=1"),
        ("st", None, "st"),
    ] {
        let change = AttributeChange::from_number(name, number).unwrap();
        assert_eq!(change.to_string(), segment);
    }
    for (name, number) in [
        ("pmin", 1.5),
        ("pmin", -1.0),
        ("pmin", f64::NAN),
        ("pmax", 4_294_967_296.0),
        ("gt", f64::INFINITY),
        ("edge", 2.0),
        ("dim", 1.0),
    ] {
        assert!(AttributeChange::from_number(name, Some(number)).is_err());
    }
}

#[test]
fn writes_what_it_reads() {
    let segments = ["pmin=10", "pmax", "gt=20.5", "con=1"];
    let write = write(&segments).unwrap();
    let texts: Vec<String> = write.changes().map(|change| change.to_string()).collect();
    assert_eq!(texts, segments);
    assert_eq!(write.attributes().to_string(), ";pmin=10;gt=20.5;con=1");
}

use std::sync::OnceLock;

use super::{Models, Strictness};

macro_rules! files {
    ($($name:literal)*) => {
        /// Every file of `objects/`: its name and content.
        pub(super) const FILES: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../../../objects/", $name))),)*
        ];
    };
}

files! {
    "0.xml" "0-1.0.xml"
    "1.xml" "1-1.0.xml"
    "2.xml"
    "3.xml" "3-1.0.xml"
    "4.xml" "4-1.0.xml"
    "5.xml" "5-1.0.xml"
    "6.xml"
    "7.xml"
    "9.xml"
    "16.xml"
    "19.xml"
    "21.xml"
    "22.xml"
    "23.xml"
    "24.xml"
    "25.xml" "25-1.0.xml"
    "26.xml"
    "27.xml"
    "3300.xml"
    "3301.xml"
    "3302.xml"
    "3303.xml"
    "3304.xml"
    "3305.xml"
    "3311.xml"
    "3313.xml"
    "3315.xml"
    "3316.xml"
    "3317.xml"
    "3323.xml"
    "3328.xml"
    "3340.xml"
    "3342.xml"
    "3347.xml"
}

/// The definitions of [`FILES`]. A test shows that every file loads strictly; should one fail all
/// the same, the others are still there.
pub(super) fn models() -> &'static Models {
    static MODELS: OnceLock<Models> = OnceLock::new();
    MODELS.get_or_init(|| {
        let mut models = Models::new();
        for (_, xml) in FILES {
            let _ = models.insert_xml(xml.as_bytes(), Strictness::Lenient);
        }
        models
    })
}

//! What exists since when: the one table of the differences between LwM2M 1.0, 1.1 and 1.2.
//!
//! Whoever has to know whether a peer of some version understands something asks
//! [`Feature::is_in`]; nobody compares versions by hand.
//!
//! ```
//! use dunlin_lwm2m::{Attribute, ContentFormat, Feature, Version};
//! assert!(!Feature::Send.is_in(Version::V1_0));
//! assert!(Feature::Send.is_in(Version::V1_1));
//! assert!(ContentFormat::LWM2M_CBOR.is_in(Version::V1_2));
//! assert!(!ContentFormat::LWM2M_JSON.is_in(Version::V1_1));
//! assert_eq!(Attribute::Edge.feature().since(), Version::V1_2);
//! ```

use crate::{Attribute, ContentFormat, Version};

macro_rules! features {
    ($($(#[doc = $doc:literal])* $name:ident: $since:ident $(..= $until:ident)?, $clause:literal;)*) => {
        /// Something that not every version of LwM2M has.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Feature {
            $($(#[doc = $doc])* $name,)*
        }

        impl Feature {
            /// Every row of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The first version that has it.
            pub const fn since(self) -> Version {
                match self {
                    $(Self::$name => Version::$since,)*
                }
            }

            /// The last version that has it; `None` while it lives.
            pub const fn until(self) -> Option<Version> {
                match self {
                    $(Self::$name => features!(@until $($until)?),)*
                }
            }

            /// Where the standard says so.
            pub const fn clause(self) -> &'static str {
                match self {
                    $(Self::$name => $clause,)*
                }
            }
        }
    };
    (@until) => { None };
    (@until $until:ident) => { Some(Version::$until) };
}

features! {
    // Registration
    /// Register may leave `ep` out when the secure channel tells who it is.
    RegisterWithoutEndpoint: V1_1, "Core 1.1 §6.2.1";
    /// Queue mode is the flag `Q`; before, it is part of the binding (`UQ`).
    QueueFlag: V1_1, "Core 1.1 §6.2.1";
    /// Bindings `T` and `N`, and letters in any order.
    BindingLetters: V1_1, "Core 1.1 §6.2.1.2";
    /// Bindings `M` and `H`.
    BindingMqttHttp: V1_2, "Core 1.2 §6.2.1.2";
    /// `pid` in Register and Update.
    ProfileId: V1_2, "Core 1.2 §6.2.1";
    /// Registration order and retries, `/1/x/13` to `/1/x/20`.
    RegistrationRetry: V1_1, "Core 1.1 §6.2.1.1";
    /// Bootstrap-Request Trigger, `/1/x/9`.
    BootstrapRequestTrigger: V1_1, "Core 1.1 §6.1.4";
    /// Response codes 4.01 and 4.09 of Register.
    RegisterConflict: V1_1, "Transport 1.1 §6.7";

    // Device management
    /// Read, Write and Observe of a resource instance, and its attributes.
    ResourceInstanceLevel: V1_1, "Core 1.1 §6.3";
    /// Delete of a resource instance.
    ResourceInstanceDelete: V1_2, "Core 1.2 §6.3.7";
    /// Partial Update (POST) of a multiple resource.
    ResourceUpdate: V1_1, "Core 1.1 §6.3.3";
    /// Discover of a resource lists its instances.
    DiscoverResourceInstances: V1_1, "Core 1.1 §6.3.2";
    /// `depth` of Discover.
    DiscoverDepth: V1_2, "Core 1.2 §6.3.2";
    /// Create without content.
    CreateWithoutContent: V1_2, "Core 1.2 §6.3.6";
    /// Instance id 65535 in LwM2M CBOR: the client chooses the id.
    CreateIdChoice: V1_2, "Core 1.2.1 §7.5.4";
    /// Execute may be Non-confirmable.
    ExecuteNonConfirmable: V1_1, "Transport 1.1 §6.8.1";
    /// Read-Composite and Write-Composite.
    Composite: V1_1, "Core 1.1 §6.3.8";
    /// A Write-Composite may remove resource instances (SenML-ETCH `null`).
    CompositeRemoval: V1_2, "Core 1.2 §6.3.9";
    /// Operations on OSCORE (`/21`) are refused with 4.01.
    OscoreHidden: V1_1, "Core 1.1 §6.3";
    /// Operations on COSE (`/23`) are refused with 4.01.
    CoseHidden: V1_2, "Core 1.2.1 §6.3";

    // Information reporting
    /// Observe-Composite.
    ObserveComposite: V1_1, "Core 1.1 §6.4.4";
    /// Attributes in the query of Observe.
    ObserveParameters: V1_2, "Core 1.2 §6.4.1";
    /// Send.
    Send: V1_1, "Core 1.1 §6.4.6";
    /// Send may be Non-confirmable.
    SendNonConfirmable: V1_2, "Core 1.2.1 §6.4.6";
    /// `pmax` may equal `pmin`; 1.1 alone asks for more.
    PmaxMayEqualPminAgain: V1_2, "Core 1.2 §7.3";
    /// `/1/x/26`, Default Notification Mode.
    DefaultNotificationMode: V1_2, "Core 1.2 §E.2";

    // Attributes
    /// `pmin`.
    Pmin: V1_0, "Core 1.0 §5.1.2";
    /// `pmax`.
    Pmax: V1_0, "Core 1.0 §5.1.2";
    /// `gt`.
    Gt: V1_0, "Core 1.0 §5.1.2";
    /// `lt`.
    Lt: V1_0, "Core 1.0 §5.1.2";
    /// `st`.
    St: V1_0, "Core 1.0 §5.1.2";
    /// `epmin`.
    Epmin: V1_1, "Core 1.1 §5.1.2";
    /// `epmax`.
    Epmax: V1_1, "Core 1.1 §5.1.2";
    /// `edge`.
    Edge: V1_2, "Core 1.2 §7.3.2";
    /// `con`.
    Con: V1_2, "Core 1.2 §7.3.2";
    /// `hqmax`.
    Hqmax: V1_2, "Core 1.2 §7.3.2";

    // Formats
    /// Content-Format 0.
    Text: V1_0, "Core 1.0 §6.4.1";
    /// Content-Format 40.
    Link: V1_0, "Core 1.0 §6.4";
    /// Content-Format 42.
    Opaque: V1_0, "Core 1.0 §6.4.2";
    /// Content-Format 60.
    Cbor: V1_1, "Core 1.1.1 §7.4.3";
    /// Content-Format 110.
    SenmlJson: V1_1, "Core 1.1 §7.4.4";
    /// Content-Format 112.
    SenmlCbor: V1_1, "Core 1.1 §7.4.5";
    /// Content-Format 320.
    SenmlEtchJson: V1_2, "Core 1.2 §7.5.6";
    /// Content-Format 322.
    SenmlEtchCbor: V1_2, "Core 1.2 §7.5.7";
    /// Content-Format 11542. Since 1.1 a client should not use it by itself; servers keep it.
    Tlv: V1_0, "Core 1.0 §6.4.3";
    /// Content-Format 11543. Since 1.1 a client must not use it.
    Lwm2mJson: V1_0..=V1_0, "Core 1.0 §6.4.4";
    /// Content-Format 11544.
    Lwm2mCbor: V1_2, "Core 1.2 §7.5.4";
}

impl Feature {
    /// Whether a peer of this version may be expected to know it.
    pub const fn is_in(self, version: Version) -> bool {
        let since = self.since() as u8 <= version as u8;
        let until = match self.until() {
            Some(until) => version as u8 <= until as u8,
            None => true,
        };
        since && until
    }
}

impl Attribute {
    /// Its row in the table of versions.
    pub const fn feature(self) -> Feature {
        match self {
            Self::Pmin => Feature::Pmin,
            Self::Pmax => Feature::Pmax,
            Self::Gt => Feature::Gt,
            Self::Lt => Feature::Lt,
            Self::St => Feature::St,
            Self::Epmin => Feature::Epmin,
            Self::Epmax => Feature::Epmax,
            Self::Edge => Feature::Edge,
            Self::Con => Feature::Con,
            Self::Hqmax => Feature::Hqmax,
        }
    }
}

impl ContentFormat {
    /// Its row in the table of versions; `None` for a format that is not of LwM2M.
    pub const fn feature(self) -> Option<Feature> {
        Some(match self {
            Self::TEXT => Feature::Text,
            Self::LINK => Feature::Link,
            Self::OPAQUE => Feature::Opaque,
            Self::CBOR => Feature::Cbor,
            Self::SENML_JSON => Feature::SenmlJson,
            Self::SENML_CBOR => Feature::SenmlCbor,
            Self::SENML_ETCH_JSON => Feature::SenmlEtchJson,
            Self::SENML_ETCH_CBOR => Feature::SenmlEtchCbor,
            Self::TLV => Feature::Tlv,
            Self::LWM2M_JSON => Feature::Lwm2mJson,
            Self::LWM2M_CBOR => Feature::Lwm2mCbor,
            _ => return None,
        })
    }

    /// Whether a client of this version may be asked for the format.
    pub const fn is_in(self, version: Version) -> bool {
        match self.feature() {
            Some(feature) => feature.is_in(version),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Version::{V1_0, V1_1, V1_2};

    /// The rows of "Version differences" that have code behind them: since when, until when.
    /// Written by hand from the standard, apart from the table.
    const EXPECTED: &[(Feature, [bool; 3])] = &[
        (Feature::RegisterWithoutEndpoint, [false, true, true]),
        (Feature::QueueFlag, [false, true, true]),
        (Feature::BindingLetters, [false, true, true]),
        (Feature::BindingMqttHttp, [false, false, true]),
        (Feature::ProfileId, [false, false, true]),
        (Feature::RegistrationRetry, [false, true, true]),
        (Feature::BootstrapRequestTrigger, [false, true, true]),
        (Feature::RegisterConflict, [false, true, true]),
        (Feature::ResourceInstanceLevel, [false, true, true]),
        (Feature::ResourceInstanceDelete, [false, false, true]),
        (Feature::ResourceUpdate, [false, true, true]),
        (Feature::DiscoverResourceInstances, [false, true, true]),
        (Feature::DiscoverDepth, [false, false, true]),
        (Feature::CreateWithoutContent, [false, false, true]),
        (Feature::CreateIdChoice, [false, false, true]),
        (Feature::ExecuteNonConfirmable, [false, true, true]),
        (Feature::Composite, [false, true, true]),
        (Feature::CompositeRemoval, [false, false, true]),
        (Feature::OscoreHidden, [false, true, true]),
        (Feature::CoseHidden, [false, false, true]),
        (Feature::ObserveComposite, [false, true, true]),
        (Feature::ObserveParameters, [false, false, true]),
        (Feature::Send, [false, true, true]),
        (Feature::SendNonConfirmable, [false, false, true]),
        (Feature::PmaxMayEqualPminAgain, [false, false, true]),
        (Feature::DefaultNotificationMode, [false, false, true]),
        (Feature::Pmin, [true, true, true]),
        (Feature::Pmax, [true, true, true]),
        (Feature::Gt, [true, true, true]),
        (Feature::Lt, [true, true, true]),
        (Feature::St, [true, true, true]),
        (Feature::Epmin, [false, true, true]),
        (Feature::Epmax, [false, true, true]),
        (Feature::Edge, [false, false, true]),
        (Feature::Con, [false, false, true]),
        (Feature::Hqmax, [false, false, true]),
        (Feature::Text, [true, true, true]),
        (Feature::Link, [true, true, true]),
        (Feature::Opaque, [true, true, true]),
        (Feature::Cbor, [false, true, true]),
        (Feature::SenmlJson, [false, true, true]),
        (Feature::SenmlCbor, [false, true, true]),
        (Feature::SenmlEtchJson, [false, false, true]),
        (Feature::SenmlEtchCbor, [false, false, true]),
        (Feature::Tlv, [true, true, true]),
        (Feature::Lwm2mJson, [true, false, false]),
        (Feature::Lwm2mCbor, [false, false, true]),
    ];

    #[test]
    fn every_row_holds_in_every_version() {
        assert_eq!(Feature::ALL.len(), EXPECTED.len(), "a row is not expected");
        for (feature, expected) in EXPECTED {
            for (version, expected) in [V1_0, V1_1, V1_2].into_iter().zip(expected) {
                assert_eq!(
                    feature.is_in(version),
                    *expected,
                    "{feature:?} in {version}"
                );
            }
            assert!(
                feature.clause().contains('§'),
                "{feature:?} names no clause"
            );
        }
    }

    #[test]
    fn every_attribute_has_a_row_of_its_own() {
        for (at, attribute) in Attribute::ALL.into_iter().enumerate() {
            let same = |other: &Attribute| other.feature() == attribute.feature();
            assert_eq!(Attribute::ALL.iter().position(same), Some(at));
        }
    }

    #[test]
    fn formats_of_others_are_in_no_version() {
        assert_eq!(ContentFormat(50).feature(), None);
        assert!(!ContentFormat(50).is_in(V1_2));
    }
}

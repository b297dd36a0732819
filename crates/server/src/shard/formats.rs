//! Which content format a device is asked for and written to: by its version, and by what it
//! announced with `ct` (Core 1.2 §6.2.1, §7.5).

use dunlin_lwm2m::{ContentFormat, Feature, Level, MAX_ID, OwnedRecord, OwnedValue, Path, Version};

use super::fleet::DeviceObjects;
use crate::api::OperateError;

/// Formats that carry any content, in the order of preference: SenML stands before LwM2M CBOR since
/// it alone carries times.
const COMPLETE: [ContentFormat; 5] = [
    ContentFormat::SENML_CBOR,
    ContentFormat::SENML_JSON,
    ContentFormat::LWM2M_CBOR,
    ContentFormat::TLV,
    ContentFormat::LWM2M_JSON,
];

/// Of these, what composites may be answered with (Core 1.2 §6.3.8).
const COMPOSITE: [ContentFormat; 3] = [
    ContentFormat::SENML_CBOR,
    ContentFormat::SENML_JSON,
    ContentFormat::LWM2M_CBOR,
];

/// Path lists of composites; LwM2M CBOR has no records without a value.
const LISTS: [ContentFormat; 4] = [
    ContentFormat::SENML_ETCH_CBOR,
    ContentFormat::SENML_ETCH_JSON,
    ContentFormat::SENML_CBOR,
    ContentFormat::SENML_JSON,
];

/// Contents of Write-Composite.
const CONTENTS: [ContentFormat; 5] = [
    ContentFormat::SENML_CBOR,
    ContentFormat::SENML_JSON,
    ContentFormat::LWM2M_CBOR,
    ContentFormat::SENML_ETCH_CBOR,
    ContentFormat::SENML_ETCH_JSON,
];

/// Contents of Write-Composite that remove resource instances.
const REMOVALS: [ContentFormat; 2] = [
    ContentFormat::SENML_ETCH_CBOR,
    ContentFormat::SENML_ETCH_JSON,
];

/// How to speak to one device.
#[derive(Clone, Copy)]
pub(super) struct Dialect<'a> {
    pub(super) version: Version,
    pub(super) list: &'a DeviceObjects,
}

fn invalid(why: String) -> OperateError {
    OperateError::Invalid(why)
}

impl Dialect<'_> {
    pub(super) const fn has(&self, feature: Feature) -> bool {
        feature.is_in(self.version)
    }

    /// Refuses what the version of the device does not have.
    pub(super) fn need(&self, feature: Feature, what: &str) -> Result<(), OperateError> {
        if self.has(feature) {
            return Ok(());
        }
        Err(invalid(format!(
            "the device speaks LwM2M {}, which has no {what} ({})",
            self.version,
            feature.clause()
        )))
    }

    /// Resource instances are addressed since 1.1.
    pub(super) fn need_level(&self, path: Path) -> Result<(), OperateError> {
        if path.level() == Level::ResourceInstance {
            let what = "paths of resource instances";
            return self.need(Feature::ResourceInstanceLevel, what);
        }
        Ok(())
    }

    /// The first of the formats that the device announced and its version knows.
    fn announced(&self, formats: &[ContentFormat]) -> Option<ContentFormat> {
        formats
            .iter()
            .copied()
            .find(|format| format.is_in(self.version) && self.list.formats.contains(format))
    }

    /// The format to read in. A device that says what it has is asked for the best of it, so that
    /// it does not choose one that it prefers for no reason; of one that says nothing any is taken.
    pub(super) fn answer(&self) -> Option<ContentFormat> {
        self.announced(&COMPLETE)
    }

    /// As [`Dialect::answer`], to composites.
    pub(super) fn composite_answer(&self) -> Option<ContentFormat> {
        self.announced(&COMPOSITE)
    }

    /// The format of the path list of a composite.
    pub(super) fn path_list(&self) -> ContentFormat {
        self.announced(&LISTS)
            .unwrap_or_else(|| self.etch_or_plain())
    }

    /// A client of 1.2 that supports composites must know SenML-ETCH; plain SenML was not allowed
    /// in 1.2.0 and is again since 1.2.1 (Core 1.2 §6.3.8). Before, there is plain SenML only.
    fn etch_or_plain(&self) -> ContentFormat {
        if ContentFormat::SENML_ETCH_CBOR.is_in(self.version) {
            ContentFormat::SENML_ETCH_CBOR
        } else {
            ContentFormat::SENML_CBOR
        }
    }

    /// The format of a Write-Composite.
    pub(super) fn composite_content(&self, removes: bool) -> ContentFormat {
        let formats: &[ContentFormat] = if removes { &REMOVALS } else { &CONTENTS };
        self.announced(formats)
            .unwrap_or_else(|| self.etch_or_plain())
    }

    /// The format to write in.
    ///
    /// 1.0 clients have TLV (mandatory there). Since 1.1 text and opaque are mandatory for one
    /// value; for the rest what the device announced, else SenML CBOR.
    pub(super) fn content(&self, target: Path, records: &[OwnedRecord]) -> ContentFormat {
        if self.version == Version::V1_0 {
            return ContentFormat::TLV;
        }
        if is_one_value(target, records) {
            return match records.first().and_then(|record| record.value.as_ref()) {
                Some(OwnedValue::Opaque(_)) => ContentFormat::OPAQUE,
                _ => ContentFormat::TEXT,
            };
        }
        let chosen_by_device = records
            .iter()
            .any(|record| record.path.instance_id() == Some(MAX_ID));
        if chosen_by_device {
            // SenML cannot leave the instance id to the device: TLV can, and since 1.2.1 LwM2M
            // CBOR with the id 65535.
            let formats = [ContentFormat::LWM2M_CBOR, ContentFormat::TLV];
            return self.announced(&formats).unwrap_or({
                if self.has(Feature::CreateIdChoice) {
                    ContentFormat::LWM2M_CBOR
                } else {
                    ContentFormat::TLV
                }
            });
        }
        self.answer().unwrap_or(ContentFormat::SENML_CBOR)
    }

    /// A format that somebody asks for by name: refused when the version does not know it and the
    /// device did not announce it either.
    pub(super) fn allowed(&self, format: ContentFormat) -> Result<ContentFormat, OperateError> {
        if format.is_in(self.version) || self.list.formats.contains(&format) {
            return Ok(format);
        }
        Err(invalid(match format.feature() {
            Some(feature) => format!(
                "the device speaks LwM2M {}, which has no Content-Format {format} ({})",
                self.version,
                feature.clause()
            ),
            None => format!("Content-Format {format} is none of LwM2M"),
        }))
    }

    /// As [`Dialect::allowed`], for a Write-Composite.
    pub(super) fn allowed_content(
        &self,
        format: ContentFormat,
        removes: bool,
    ) -> Result<ContentFormat, OperateError> {
        if removes {
            self.allowed_of(format, &REMOVALS, "the removal of a resource instance")
        } else {
            self.allowed_of(format, &CONTENTS, "a Write-Composite")
        }
    }

    /// As [`Dialect::allowed`], for the answer to a composite.
    pub(super) fn allowed_answer(
        &self,
        format: ContentFormat,
    ) -> Result<ContentFormat, OperateError> {
        self.allowed_of(format, &COMPOSITE, "the answer to a composite")
    }

    fn allowed_of(
        &self,
        format: ContentFormat,
        formats: &[ContentFormat],
        what: &str,
    ) -> Result<ContentFormat, OperateError> {
        if !formats.contains(&format) {
            let names: Vec<_> = formats.iter().filter_map(|format| format.name()).collect();
            return Err(invalid(format!(
                "{what} cannot be in {format}: use {}",
                names.join(", ")
            )));
        }
        self.allowed(format)
    }
}

pub(super) fn is_one_value(target: Path, records: &[OwnedRecord]) -> bool {
    match records {
        [record] => {
            record.path == target && target.level() >= Level::Resource && record.value.is_some()
        }
        _ => false,
    }
}

//! What a device says of itself, as far as a firmware update goes.

use dunlin_coap::Code;
use dunlin_lwm2m::{ObjectVersion, OwnedRecord, OwnedValue};

use crate::api::{Device, OperateError, Outcome};

// States, `/5/0/3` (Core 1.2 Appendix E.6).
pub(super) const IDLE: i64 = 0;
pub(super) const DOWNLOADING: i64 = 1;
pub(super) const DOWNLOADED: i64 = 2;
pub(super) const UPDATING: i64 = 3;

// Results, `/5/0/5`.
pub(super) const INITIAL: i64 = 0;
pub(super) const SUCCESS: i64 = 1;
pub(super) const DEFERRED_BY_USER: i64 = 11;

/// What counts of a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Id of the registration: a new one tells of a restart.
    pub registration: String,
    /// Whether it sleeps.
    pub queue_mode: bool,
    /// Version of object 5; `None` when it has no `/5/0`.
    pub firmware: Option<ObjectVersion>,
}

impl From<&Device> for Facts {
    fn from(device: &Device) -> Self {
        let firmware = device
            .objects
            .iter()
            .find(|object| object.id == 5 && object.instances.contains(&0));
        Self {
            registration: device.registration_id.clone(),
            queue_mode: device.queue_mode,
            firmware: firmware.map(|object| object.version),
        }
    }
}

/// What a device says of its firmware object.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Said {
    pub(super) state: Option<i64>,
    pub(super) result: Option<i64>,
    pub(super) protocols: Vec<i64>,
    pub(super) delivery: Option<i64>,
}

impl Said {
    pub(super) fn of(records: &[OwnedRecord]) -> Self {
        let mut said = Self::default();
        for record in records {
            let number = match record.value {
                Some(OwnedValue::Integer(number)) => number,
                Some(OwnedValue::Unsigned(number)) => i64::try_from(number).unwrap_or(i64::MAX),
                _ => continue,
            };
            match record.path.ids() {
                [5, 0, 3] => said.state = Some(number),
                [5, 0, 5] => said.result = Some(number),
                [5, 0, 8, ..] => said.protocols.push(number),
                [5, 0, 9] => said.delivery = Some(number),
                _ => {}
            }
        }
        said
    }
}

/// Characters of a version that are kept.
const LONGEST_VERSION: usize = 100;

/// The text that was read.
pub(super) fn version(answer: Result<Outcome, OperateError>) -> Option<String> {
    let records = answer.ok()?.records;
    match &records.first()?.value {
        // It is kept and shown again and again; a device may make it as long as it likes.
        Some(OwnedValue::String(text)) => Some(text.chars().take(LONGEST_VERSION).collect()),
        _ => None,
    }
}

/// Whether the same may work later: nothing was answered, or the device has something else to do
/// just now (RFC 7252 §5.9.3.4).
pub(super) fn is_passing(error: &OperateError) -> bool {
    match error {
        OperateError::Timeout
        | OperateError::Reset
        | OperateError::RegistrationEnded
        | OperateError::UnknownEndpoint
        | OperateError::Overloaded => true,
        OperateError::Device { code, .. } => *code == Code::SERVICE_UNAVAILABLE,
        _ => false,
    }
}

/// Whether the device is in a state in which it does not take that.
pub(super) fn is_refused(error: &OperateError) -> bool {
    matches!(error, OperateError::Device { code, .. } if *code == Code::METHOD_NOT_ALLOWED)
}

//! The JSON shapes of the API. Domain types are not `Serialize`; the shapes live here alone.

use std::collections::BTreeMap;

use dunlin_lwm2m::{OwnedRecord, Path};
use dunlin_server::api::{AttributeChanges, Device, Outcome, Wish, WishState};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::json;
use crate::problem::Problem;

/// A registered device.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Device)]
pub(crate) struct DeviceDto {
    /// Endpoint client name.
    endpoint: String,
    /// Last segment of the location path.
    registration_id: String,
    /// Enabler version, as in `1.1`.
    version: String,
    /// Lifetime in seconds, 0 is infinite.
    lifetime: u32,
    /// Binding, as in `U`.
    binding: String,
    /// Whether the device sleeps between contacts.
    queue_mode: bool,
    /// Whether it takes requests now, as far as is known: it does not sleep.
    awake: bool,
    /// With queue mode: until when it is expected to be awake, in Unix seconds; null when it
    /// sleeps.
    awake_until: Option<f64>,
    /// With queue mode: seconds it is expected to be awake after each message.
    awake_time: u32,
    /// Operations in its queue that have not ended.
    queued: usize,
    /// SMS number.
    sms: Option<String>,
    /// IP address and port; with DTLS, those it was heard from last.
    address: String,
    /// What the device has proven; null without security.
    security: Option<SecurityDto>,
    /// Alternate path, `/` when there is none.
    root_path: String,
    /// Content formats the device announced.
    content_formats: Vec<u16>,
    /// Unix seconds.
    registered_at: f64,
    /// Unix seconds of the last Register or Update.
    updated_at: f64,
    /// Unix seconds, null is never.
    expires_at: Option<f64>,
    /// Objects with their instances.
    objects: Vec<ObjectDto>,
    /// Query parameters of the Register that the standard does not know.
    attributes: BTreeMap<String, String>,
    /// What the device did against the standard and was tolerated.
    faults: Vec<String>,
}

/// What a device has proven.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeviceSecurity)]
pub(crate) struct SecurityDto {
    /// `psk` (pre-shared key), `rpk` (raw public key) or `x509` (certificate).
    mode: &'static str,
    /// The PSK identity, the hash of the public key, or the subject of the certificate.
    identity: String,
}

/// An object of a device.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeviceObject)]
pub(crate) struct ObjectDto {
    /// Object id.
    id: u16,
    /// Object version, as in `1.0`.
    version: String,
    /// Instance ids.
    instances: Vec<u16>,
}

impl From<Device> for DeviceDto {
    fn from(device: Device) -> Self {
        Self {
            endpoint: device.endpoint,
            registration_id: device.registration_id,
            version: device.version.to_string(),
            lifetime: device.lifetime,
            binding: device.binding,
            queue_mode: device.queue_mode,
            awake: device.awake,
            awake_until: device.awake_until,
            awake_time: device.awake_time,
            queued: device.queued,
            sms: device.sms,
            address: device.address.to_string(),
            security: device.security.map(|security| SecurityDto {
                mode: security.mode.name(),
                identity: security.identity,
            }),
            root_path: device.root,
            content_formats: device
                .content_formats
                .iter()
                .map(|format| format.0)
                .collect(),
            registered_at: device.registered_at,
            updated_at: device.updated_at,
            expires_at: device.expires_at,
            objects: device
                .objects
                .iter()
                .map(|object| ObjectDto {
                    id: object.id,
                    version: object.version.to_string(),
                    instances: object.instances.clone(),
                })
                .collect(),
            attributes: device.attributes.into_iter().collect(),
            faults: device.faults,
        }
    }
}

/// A page of devices.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DeviceList)]
pub(crate) struct DeviceListDto {
    /// Devices in the order of their endpoint names.
    pub(crate) items: Vec<DeviceDto>,
    /// Give this as `cursor` to get the next page; null at the end.
    pub(crate) next: Option<String>,
    /// How many devices match in all.
    pub(crate) total: u64,
}

/// A value with its path.
#[derive(Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Record)]
pub(crate) struct RecordDto {
    /// As in `/3303/0/5700`.
    path: String,
    /// Type as in the object definitions; absent when the record has no value.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    data_type: Option<&'static str>,
    /// String, number, boolean, or base64 for Opaque; null for an empty multiple resource.
    value: Json,
    /// Unix seconds, when the device told.
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<f64>,
}

impl From<&OwnedRecord> for RecordDto {
    fn from(record: &OwnedRecord) -> Self {
        Self {
            path: record.path.to_string(),
            data_type: record.value.as_ref().map(|value| value.data_type().name()),
            value: record.value.as_ref().map_or(Json::Null, json::to_json),
            time: record.time,
        }
    }
}

pub(crate) fn records(records: &[OwnedRecord]) -> Vec<RecordDto> {
    records.iter().map(RecordDto::from).collect()
}

/// What a device answered.
#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Answer)]
pub(crate) struct AnswerDto {
    /// CoAP code, as in `2.04`.
    code: String,
    /// Content-Format of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<u16>,
    /// Records of a Read.
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<Vec<RecordDto>>,
    /// Links of a Discover.
    #[serde(skip_serializing_if = "Option::is_none")]
    links: Option<Vec<LinkDto>>,
    /// Path of a created instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
}

/// A link of a Discover.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Link)]
pub(crate) struct LinkDto {
    /// As in `/3/0/9`.
    pub(crate) path: String,
    /// As in `{"pmin": "10", "dim": "2"}`.
    pub(crate) attributes: BTreeMap<String, String>,
}

impl AnswerDto {
    /// An answer without content.
    pub(crate) fn plain(outcome: &Outcome) -> Self {
        Self {
            code: outcome.code.to_string(),
            location: outcome.location.map(|path| path.to_string()),
            ..Self::default()
        }
    }

    pub(crate) fn with_records(outcome: &Outcome) -> Self {
        Self {
            format: outcome.format.map(|format| format.0),
            records: Some(records(&outcome.records)),
            ..Self::plain(outcome)
        }
    }

    pub(crate) fn with_links(outcome: &Outcome, links: Vec<LinkDto>) -> Self {
        Self {
            links: Some(links),
            ..Self::plain(outcome)
        }
    }
}

/// A record to write.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = RecordToWrite)]
pub(crate) struct WriteRecordDto {
    /// Full path of a resource or resource instance.
    pub(crate) path: String,
    /// The value, of the type the object definition asks for. An integer beyond 2^53 may also be
    /// a string. Null empties a multiple resource.
    pub(crate) value: Json,
    /// Type, for resources the server has no definition of.
    #[serde(rename = "type")]
    pub(crate) data_type: Option<String>,
}

/// The body of a Write: one value, or records.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = WriteBody)]
pub(crate) struct WriteDto {
    /// The value of the one resource or resource instance the path names.
    #[serde(default, deserialize_with = "even_null")]
    pub(crate) value: Option<Json>,
    /// Type of `value`, for resources the server has no definition of.
    #[serde(rename = "type")]
    pub(crate) data_type: Option<String>,
    /// What to write below the path.
    pub(crate) records: Option<Vec<WriteRecordDto>>,
}

/// Null is a value here, other than a field that is not there.
pub(crate) fn even_null<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

/// What a Read-Composite asks for.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CompositeReadBody)]
pub(crate) struct PathsDto {
    /// As in `/3/0/0`, `/1`; `/` is everything.
    pub(crate) paths: Vec<String>,
}

/// What a Write-Composite writes.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = CompositeWriteBody)]
pub(crate) struct RecordsDto {
    /// Resources and resource instances anywhere on the device. The value null removes a resource
    /// instance (since 1.2).
    pub(crate) records: Vec<WriteRecordDto>,
}

/// The body of a POST: arguments of an Execute, or content of a Create.
#[derive(Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = PostBody)]
pub(crate) struct PostDto {
    /// Arguments of an Execute, as in `0='x',1`.
    pub(crate) arguments: Option<String>,
    /// Id of the instance to create; the device chooses when it is absent.
    pub(crate) instance: Option<u16>,
    /// Content of the instance to create: full paths, or paths like `/3303/65535/5700` when the
    /// device chooses the id.
    pub(crate) records: Option<Vec<WriteRecordDto>>,
}

/// Attributes: a number sets, null unsets.
pub(crate) type AttributesDto = BTreeMap<String, Option<f64>>;

pub(crate) fn attribute_changes(attributes: AttributesDto) -> Result<AttributeChanges, Problem> {
    const KNOWN: [&str; 10] = [
        "pmin", "pmax", "gt", "lt", "st", "epmin", "epmax", "edge", "con", "hqmax",
    ];
    match attributes
        .keys()
        .find(|name| !KNOWN.contains(&name.as_str()))
    {
        Some(name) => Err(Problem::bad_request(
            "Unknown attribute",
            format!(
                "{name:?} is not an attribute; there are {}.",
                KNOWN.join(", ")
            ),
        )),
        None => Ok(attributes.into_iter().collect()),
    }
}

/// A wish for an observation.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = ObservationWish)]
pub(crate) struct WishDto {
    /// Object, instance, resource or resource instance.
    pub(crate) path: Option<String>,
    /// Several paths at once in place of `path`: an Observe-Composite (since 1.1).
    pub(crate) paths: Option<Vec<String>>,
    /// Attributes to write before observing, at each path.
    #[serde(default)]
    pub(crate) attributes: AttributesDto,
    /// Attributes in the Observe itself (since 1.2): for this observation they take the place of
    /// all that are written.
    #[serde(default)]
    pub(crate) parameters: AttributesDto,
}

/// An observation wish and how it stands.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Observation)]
pub(crate) struct ObservationDto {
    /// Id, unique for the device.
    id: String,
    /// What is observed; `/` when it is several paths.
    path: String,
    /// The paths of an Observe-Composite.
    #[serde(skip_serializing_if = "Option::is_none")]
    paths: Option<Vec<String>>,
    /// Attributes written before observing.
    attributes: AttributesDto,
    /// Attributes in the Observe.
    #[serde(skip_serializing_if = "AttributesDto::is_empty")]
    parameters: AttributesDto,
    /// `pending`, `active` or `failed`.
    state: &'static str,
    /// Why it failed.
    error: Option<String>,
    /// Last known records.
    records: Vec<RecordDto>,
    /// Unix seconds of the last records.
    updated_at: Option<f64>,
}

impl From<Wish> for ObservationDto {
    fn from(wish: Wish) -> Self {
        let observed = wish.observed;
        let (state, error) = match wish.state {
            WishState::Pending => ("pending", None),
            WishState::Active => ("active", None),
            WishState::Failed(error) => ("failed", Some(error)),
        };
        Self {
            id: wish.id.to_string(),
            path: observed.path.to_string(),
            paths: observed
                .is_composite()
                .then(|| observed.paths.iter().map(Path::to_string).collect()),
            attributes: observed.attributes.into_iter().collect(),
            parameters: observed.parameters.into_iter().collect(),
            state,
            error,
            records: records(&wish.records),
            updated_at: wish.updated_at,
        }
    }
}

/// A list that is not paged.
#[derive(Serialize, ToSchema)]
pub(crate) struct ListDto<T> {
    /// All of them.
    pub(crate) items: Vec<T>,
    /// Always null.
    pub(crate) next: Option<String>,
}

impl<T> ListDto<T> {
    pub(crate) const fn all(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// Reads paths of a body.
pub(crate) fn parse_paths(texts: &[String]) -> Result<Vec<Path>, Problem> {
    texts
        .iter()
        .map(|text| match text.as_str() {
            "/" => Ok(Path::ROOT),
            text => parse_path(text),
        })
        .collect()
}

/// Reads a path of the URL or of a body.
pub(crate) fn parse_path(text: &str) -> Result<Path, Problem> {
    text.trim_end_matches('/').parse().map_err(|error| {
        Problem::bad_request("Bad path", format!("{text:?} is not a path: {error}."))
    })
}

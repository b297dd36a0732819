//! Composite operations made ready: Read-, Write- and Observe-Composite (Core 1.2 §6.3.8, §6.3.9,
//! §6.4.4).

use dunlin_coap::Instant;
use dunlin_lwm2m::operation::Operation;
use dunlin_lwm2m::{ContentFormat, Feature, Level, MAX_ID, OwnedRecord, Path, format};

use super::Shard;
use super::activity::{Body, Prepared};
use super::exchange::Answer;
use super::formats::Dialect;
use crate::api::OperateError;

fn invalid(why: impl Into<String>) -> OperateError {
    OperateError::Invalid(why.into())
}

impl Shard {
    /// A Read-Composite of the paths that the records name. `format` is the one that the caller
    /// wants the answer in.
    pub(super) fn read_composite(
        &self,
        dialect: &Dialect<'_>,
        records: &[OwnedRecord],
        accept: Option<ContentFormat>,
    ) -> Result<Prepared, OperateError> {
        dialect.need(Feature::Composite, "Read-Composite")?;
        let paths: Vec<Path> = records.iter().map(|record| record.path).collect();
        self.check_paths(&paths)?;
        let accept = accept
            .map(|format| dialect.allowed_answer(format))
            .transpose()?
            .or_else(|| dialect.composite_answer());
        let paths = path_list(dialect, &paths)?;
        Ok(Operation::ReadComposite { paths, accept })
    }

    /// A Write-Composite; a record of a resource instance without a value removes it.
    pub(super) fn write_composite(
        &self,
        dialect: &Dialect<'_>,
        mut records: Vec<OwnedRecord>,
        wanted: Option<ContentFormat>,
    ) -> Result<Prepared, OperateError> {
        dialect.need(Feature::Composite, "Write-Composite")?;
        if records.is_empty() {
            return Err(invalid("name at least one resource to write"));
        }
        let mut removes = false;
        for OwnedRecord { path, value, .. } in &records {
            if path.level() < Level::Resource || path.ids().contains(&MAX_ID) {
                return Err(invalid(format!(
                    "Write-Composite takes resources and resource instances, not {path}"
                )));
            }
            if value.is_none() {
                dialect.need(
                    Feature::CompositeRemoval,
                    "removal of resource instances by Write-Composite",
                )?;
                if path.level() != Level::ResourceInstance {
                    return Err(invalid(format!(
                        "only a resource instance can be removed, not {path}"
                    )));
                }
                removes = true;
            }
        }
        records.sort_by_key(|record| record.path);
        let format = match wanted {
            Some(format) => dialect.allowed_content(format, removes)?,
            None => dialect.composite_content(removes),
        };
        let root = &*dialect.list.root;
        let written = match format {
            ContentFormat::LWM2M_CBOR => {
                let target = Path::ROOT;
                format::write_all(format, format::Scope { target, root }, &records)
            }
            _ => format::write_patch(format, root, &records),
        };
        let bytes =
            written.map_err(|error| invalid(format!("cannot be written as {format}: {error}")))?;
        let body = Body {
            format,
            bytes,
            block: None,
        };
        Ok(Operation::WriteComposite { body })
    }

    /// Reads the answer to a Read-Composite: whatever lies below the paths of its list, as much of
    /// it as there is.
    pub(super) fn decode_composite(
        &self,
        now: Instant,
        slot: u32,
        list: &Body,
        answer: &Answer<'_>,
    ) -> Result<Vec<OwnedRecord>, String> {
        let root = self.dialect_of(slot).map_or("", |found| &found.list.root);
        let paths = format::names(list.format, &list.bytes, root)
            .and_then(Iterator::collect::<Result<Vec<Path>, _>>)
            .map_err(|error| error.to_string())?;
        self.decode(now, slot, Path::ROOT, &paths, answer.format, answer.payload)
    }

    /// Whether these can be the paths of a composite on any device.
    pub(super) fn check_paths(&self, paths: &[Path]) -> Result<(), OperateError> {
        let most = self.config.limits.paths;
        if paths.is_empty() {
            return Err(invalid("name at least one path"));
        }
        if paths.len() > most {
            return Err(invalid(format!("a composite takes at most {most} paths")));
        }
        match paths.iter().find(|path| path.ids().contains(&MAX_ID)) {
            Some(path) => Err(invalid(format!(
                "{path}: 65535 is no id of anything on a device"
            ))),
            None => Ok(()),
        }
    }
}

/// The path list as it stands in the request.
pub(super) fn path_list(dialect: &Dialect<'_>, paths: &[Path]) -> Result<Body, OperateError> {
    let format = dialect.path_list();
    let bytes = format::write_names(format, &dialect.list.root, paths)
        .map_err(|error| invalid(format!("cannot be written as {format}: {error}")))?;
    Ok(Body {
        format,
        bytes,
        block: None,
    })
}

//! Many credentials at once.

use axum::Json;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::HeaderName;
use dunlin_server::control::Control;
use dunlin_server::credentials::CredentialError;
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use utoipa::{IntoParams, ToSchema};
use zeroize::Zeroize;

use super::NO_STORE;
use super::csv::{Reader, Record};
use crate::hex::to_hex;
use crate::perform::blocking;
use crate::problem::Problem;

/// Imports wait for each other: each is as fast as the disk.
static IMPORTS: Semaphore = Semaphore::const_new(1);

/// Records that are made in one transaction.
const TOGETHER: usize = 500;
/// Records of one import at most: the report lies in memory.
const MAX_RECORDS: usize = 100_000;

/// How to tell what became of an import.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ImportQuery {
    /// `all`: a line for each record; `errors`: for those that failed, and those whose key the
    /// server has drawn. `all` when absent.
    report: Option<String>,
}

/// What became of an import.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ImportReport)]
pub(crate) struct ReportDto {
    /// Credentials that were made.
    imported: usize,
    /// Records that were not taken.
    failed: usize,
    /// In the order of the file.
    lines: Vec<LineDto>,
}

/// What became of a record.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ImportLine)]
pub(crate) struct LineDto {
    /// Line of the file on which it begins, from 1.
    line: u64,
    /// Whether the credential was made.
    ok: bool,
    /// Number of the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Its endpoint name.
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<String>,
    /// A key that the server has drawn, in hexadecimal digits; this is the only time it is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    /// What is legal and not wise.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    /// Why it was not made.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl Drop for LineDto {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl LineDto {
    const fn failed(line: u64, error: String) -> Self {
        Self {
            line,
            ok: false,
            id: None,
            endpoint: None,
            key: None,
            warning: None,
            error: Some(error),
        }
    }
}

/// Makes many credentials of a file: CSV, or one JSON object a line as for a single credential.
/// What is right is made, and each record has its line in the report. CSV has a header with some of
/// `endpoint`, `identity`, `identityHex`, `key`, `publicKey`, `certificate`; without one the columns
/// are `endpoint,identity,key`. At most 100 000 records at a time.
#[utoipa::path(post, path = "/credentials/import", tag = "credentials", params(ImportQuery),
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = ReportDto), (status = 400, body = Problem)))]
pub(crate) async fn import(
    State(control): State<Control>,
    query: Result<Query<ImportQuery>, QueryRejection>,
    body: Body,
) -> Result<([(HeaderName, &'static str); 1], Json<ReportDto>), Problem> {
    let bad_query = |text: String| Problem::bad_request("Bad query", text);
    let Query(query) = query.map_err(|error| bad_query(error.body_text()))?;
    let all = match query.report.as_deref() {
        None | Some("all") => true,
        Some("errors") => false,
        Some(other) => {
            return Err(bad_query(format!(
                "report is all or errors, not {other:?}."
            )));
        }
    };
    let _turn = IMPORTS.acquire().await;
    let mut report = ReportDto {
        imported: 0,
        failed: 0,
        lines: Vec::new(),
    };
    let mut reader = Reader::default();
    let mut records = Vec::new();
    let mut taken = 0;
    let mut pieces = body.into_data_stream();
    loop {
        let piece = pieces.next().await.transpose();
        let piece = piece.map_err(|error| Problem::bad_request("Bad body", error.to_string()))?;
        let is_end = piece.is_none();
        match piece {
            Some(piece) => reader.push(&piece, &mut records),
            None => reader.finish(&mut records),
        }
        while records.len() >= TOGETHER || is_end && !records.is_empty() {
            let rest = records.split_off(records.len().min(TOGETHER));
            let together = core::mem::replace(&mut records, rest);
            taken += together.len();
            if taken > MAX_RECORDS {
                return Err(too_many(&report, together.first()));
            }
            let control = control.clone();
            let lines = blocking(move || make(&control, together)).await?;
            for line in lines {
                match line.ok {
                    true => report.imported += 1,
                    false => report.failed += 1,
                }
                if all || !line.ok || line.key.is_some() {
                    report.lines.push(line);
                }
            }
        }
        if is_end {
            return Ok((NO_STORE, Json(report)));
        }
    }
}

fn too_many(report: &ReportDto, first: Option<&Record>) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "Too many records",
        format!(
            "An import takes {MAX_RECORDS} records at most. {} credentials were made of what comes \
             before line {}; give the rest in another file.",
            report.imported,
            first.map_or(0, |(line, _)| *line)
        ),
    )
}

/// Makes credentials in one transaction; those that are refused leave the others alone.
fn make(control: &Control, records: Vec<Record>) -> Vec<LineDto> {
    let numbers: Vec<u64> = records.iter().map(|(line, _)| *line).collect();
    let made: Result<Vec<LineDto>, CredentialError> = control.credentials().change(|changes| {
        let made = records.into_iter().map(|(line, record)| {
            let new = match record.and_then(super::dto::NewDto::read) {
                Ok(new) => new,
                Err(error) => return Ok(LineDto::failed(line, error)),
            };
            match changes.create(new) {
                Ok(created) => Ok(LineDto {
                    line,
                    ok: true,
                    id: Some(created.credential.id.to_string()),
                    key: created.drawn.as_ref().map(|key| to_hex(key.expose())),
                    warning: created.warning(),
                    endpoint: Some(created.credential.endpoint),
                    error: None,
                }),
                // The disk, not the record.
                Err(CredentialError::Database(error)) => Err(error.into()),
                Err(error) => Ok(LineDto::failed(line, error.to_string())),
            }
        });
        made.collect()
    });
    made.unwrap_or_else(|error| {
        let lines = numbers.into_iter();
        lines
            .map(|line| LineDto::failed(line, error.to_string()))
            .collect()
    })
}

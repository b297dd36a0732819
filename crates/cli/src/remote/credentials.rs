//! `dunlin credentials`.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::api::Api;
use super::print::{self, word};
use super::{Remote, pairs};
use crate::terminal::{self, shown, table};

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// List credentials, without what is secret in them
    List {
        /// Only those whose endpoint name or PSK identity contains this
        query: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 1000)]
        limit: usize,
    },
    /// Add a credential for a device
    #[command(
        after_help = "Without --rpk and --x509 it is a pre-shared key. A key that is not given is \
        drawn by the server, and shown once.\n\n\
        Examples:\n  dunlin credentials add dev-1\n  \
        dunlin credentials add dev-1 --identity dev-1@example --key 000102030405060708090a0b0c0d0e0f\n  \
        dunlin credentials add dev-2 --rpk dev-2.pub.pem\n  \
        dunlin credentials add dev-3 --x509 dev-3.crt.pem"
    )]
    Add {
        /// Endpoint client name; the one name that the credential stands for
        endpoint: String,
        #[command(flatten)]
        material: Material,
    },
    /// Give a credential a new key, public key or certificate; sessions with the old one end
    #[command(after_help = "Examples:\n  dunlin credentials rotate dev-1\n  \
        dunlin credentials rotate 17 --rpk new.pub.pem")]
    Rotate {
        /// Number of the credential, or the endpoint name when it has one credential
        credential: String,
        #[command(flatten)]
        material: Material,
    },
    /// Remove a credential; sessions with it end
    Remove {
        /// Number of the credential, or the endpoint name when it has one credential
        credential: String,
    },
    /// Add many credentials from a file
    #[command(
        after_help = "CSV with a header of some of endpoint, identity, identityHex, key, publicKey, \
        certificate; without a header the columns are endpoint,identity,key. Or one JSON object a \
        line, as REST takes it. What is right is added, also when other lines are wrong; the command \
        fails then.\n\n\
        Examples:\n  dunlin credentials import devices.csv\n  \
        generate-devices | dunlin credentials import - --errors"
    )]
    Import {
        /// The file; - is standard input
        file: PathBuf,
        /// Tell of lines that are wrong and of keys that were drawn, not of the others
        #[arg(long)]
        errors: bool,
    },
    /// Authorities (CA certificates) whose certificates devices may show
    #[command(subcommand)]
    Trust(Trust),
    /// Show the server's own public key and certificates, which devices are to know it by, or
    /// give it others
    #[command(after_help = "Examples:\n  dunlin credentials server\n  \
        dunlin credentials server --pem > server.pub.pem\n  \
        dunlin credentials server --key server.key.pem --certificates chain.pem")]
    Server {
        /// Print the public key in PEM, and nothing else
        #[arg(long)]
        pem: bool,
        /// Give the server this private key (P-256, PEM); it is used once the server has been
        /// started again
        #[arg(long, value_name = "FILE", conflicts_with = "pem")]
        key: Option<PathBuf>,
        /// Certificates for that key in PEM, the server's first
        #[arg(long, value_name = "FILE", requires = "key")]
        certificates: Option<PathBuf>,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum Trust {
    /// List the authorities
    List,
    /// Trust authorities: a device may register by the name in a certificate that one has issued
    #[command(after_help = "Example:\n  dunlin credentials trust add ca.pem")]
    Add {
        /// Their certificates in PEM
        file: PathBuf,
    },
    /// Trust an authority no more; the sessions of its devices end
    Remove {
        /// Number of the authority
        id: u64,
    },
}

/// What a credential consists of.
#[derive(Args, Debug)]
pub(crate) struct Material {
    /// PSK identity [default: the endpoint name]
    #[arg(long, conflicts_with_all = ["rpk", "x509"])]
    identity: Option<String>,
    /// PSK identity of any bytes, in hexadecimal digits
    #[arg(long, value_name = "HEX", conflicts_with_all = ["identity", "rpk", "x509"])]
    identity_hex: Option<String>,
    /// Pre-shared key in hexadecimal digits; - reads it from standard input, where no list of
    /// processes shows it [default: the server draws 16 bytes]
    #[arg(long, value_name = "HEX", conflicts_with_all = ["rpk", "x509"])]
    key: Option<String>,
    /// Raw public key (P-256) in place of a pre-shared key: a file in PEM or DER, or hexadecimal
    /// digits
    #[arg(long, value_name = "FILE", conflicts_with = "x509")]
    rpk: Option<String>,
    /// This very certificate in place of a pre-shared key: a file in PEM or DER
    #[arg(long, value_name = "FILE")]
    x509: Option<String>,
}

impl Material {
    /// As REST takes it; `None` when nothing is given.
    fn read(&self) -> anyhow::Result<Option<(&'static str, Value)>> {
        if let Some(key) = &self.rpk {
            let key = file_or_digits(key)?;
            return Ok(Some(("rpk", json!({ "publicKey": key }))));
        }
        if let Some(certificate) = &self.x509 {
            let certificate = file_or_digits(certificate)?;
            return Ok(Some(("x509", json!({ "certificate": certificate }))));
        }
        let key = match self.key.as_deref() {
            Some("-") => {
                let mut key = String::new();
                let read = std::io::stdin().read_to_string(&mut key);
                read.context("reading the key from standard input")?;
                Some(key.trim().to_owned())
            }
            key => key.map(str::to_owned),
        };
        let mut psk = serde_json::Map::new();
        for (name, value) in [
            ("identity", self.identity.clone()),
            ("identityHex", self.identity_hex.clone()),
            ("key", key),
        ] {
            psk.extend(value.map(|value| (name.to_owned(), value.into())));
        }
        Ok((!psk.is_empty()).then_some(("psk", psk.into())))
    }
}

/// A file as text: PEM as it is, others in hexadecimal digits. What is no file must be digits.
fn file_or_digits(word: &str) -> anyhow::Result<String> {
    let bytes = match std::fs::read(word) {
        Ok(bytes) => bytes,
        Err(_) if !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            return Ok(word.to_owned());
        }
        Err(error) => return Err(error).with_context(|| format!("reading {word}")),
    };
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let bytes = error.into_bytes();
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        }
    })
}

pub(super) fn run(api: &Api, remote: &Remote, command: Command) -> anyhow::Result<()> {
    let show = |answer: &Value, words: fn(&Value) -> String| {
        print::out(&match remote.json {
            true => terminal::json(answer, true) + "\n",
            false => words(answer),
        })
    };
    match command {
        Command::List { query, limit } => {
            let answer = super::all_pages(api, "/credentials", &pairs("q", query), limit)?;
            show(&answer, list)
        }
        Command::Add { endpoint, material } => {
            let (kind, material) = material.read()?.unwrap_or(("psk", json!({})));
            let body = json!({ "endpoint": endpoint, kind: material });
            let made = api.send("POST", &api.url("/credentials"), &[], Some(&body))?;
            show(&made, made_words)
        }
        Command::Rotate {
            credential,
            material,
        } => {
            let body = match material.read()? {
                Some((kind, material)) => json!({ kind: material }),
                None => json!({}),
            };
            let id = find(api, &credential)?;
            let url = api.url(&format!("/credentials/{id}/rotate"));
            show(&api.send("POST", &url, &[], Some(&body))?, made_words)
        }
        Command::Remove { credential } => {
            let id = find(api, &credential)?;
            api.send("DELETE", &api.url(&format!("/credentials/{id}")), &[], None)?;
            show(&json!({ "id": id }), |answer| {
                format!("credential {} is removed\n", word(&answer["id"]))
            })
        }
        Command::Import { file, errors } => import(api, remote, &file, errors),
        Command::Trust(Trust::List) => {
            show(&api.get(&api.url("/credentials/trust"), &[])?, authorities)
        }
        Command::Trust(Trust::Add { file }) => {
            let body = json!({ "certificate": text_of(&file)? });
            let url = api.url("/credentials/trust");
            show(&api.send("POST", &url, &[], Some(&body))?, authorities)
        }
        Command::Trust(Trust::Remove { id }) => {
            let url = api.url(&format!("/credentials/trust/{id}"));
            api.send("DELETE", &url, &[], None)?;
            show(&json!({ "id": id }), |answer| {
                format!("authority {} is not trusted any more\n", answer["id"])
            })
        }
        Command::Server {
            key: Some(key),
            certificates,
            ..
        } => {
            let certificates = certificates.as_deref().map(text_of).transpose()?;
            let body = json!({ "key": text_of(&key)?, "certificates": certificates });
            let url = api.url("/credentials/server");
            show(&api.send("PUT", &url, &[], Some(&body))?, |own| {
                own_words(own) + "It is used once the server has been started again.\n"
            })
        }
        Command::Server { pem, .. } => {
            let own = api.get(&api.url("/credentials/server"), &[])?;
            if pem {
                return print::out(own["publicKeyPem"].as_str().unwrap_or_default());
            }
            show(&own, own_words)
        }
    }
}

/// The number of a credential that is meant by its number or by its endpoint name.
fn find(api: &Api, credential: &str) -> anyhow::Result<String> {
    let query = [("endpoint", credential.to_owned())];
    let found = api.get(&api.url("/credentials"), &query)?;
    let ids: Vec<&str> = print::items(&found, "items")
        .filter_map(|one| one["id"].as_str())
        .collect();
    match &ids[..] {
        [id] => Ok((*id).to_owned()),
        [] if credential.parse::<u64>().is_ok() => Ok(credential.to_owned()),
        [] => bail!(
            "there is no credential of {credential:?}; `dunlin credentials list` shows those there are"
        ),
        ids => bail!(
            "{credential:?} has {} credentials; name one by its number: {}",
            ids.len(),
            ids.join(", ")
        ),
    }
}

fn import(api: &Api, remote: &Remote, file: &Path, errors: bool) -> anyhow::Result<()> {
    let content = if file == Path::new("-") {
        let mut content = Vec::new();
        let read = std::io::stdin().read_to_end(&mut content);
        read.context("reading standard input")?;
        content
    } else {
        std::fs::read(file).with_context(|| format!("reading {}", file.display()))?
    };
    let report = if errors { "errors" } else { "all" };
    let query = [("report", report.to_owned())];
    let report = api.upload(&api.url("/credentials/import"), &query, &content)?;
    print::out(&match remote.json {
        true => terminal::json(&report, true) + "\n",
        false => report_words(&report),
    })?;
    match report["failed"].as_u64() {
        Some(0) => Ok(()),
        Some(failed) => bail!("{failed} lines were not taken"),
        None => bail!("the server gave no report"),
    }
}

fn report_words(report: &Value) -> String {
    let mut text = String::new();
    for line in print::items(report, "lines") {
        text += &format!("line {}: ", line["line"]);
        match line["ok"].as_bool() {
            Some(true) => {
                let (endpoint, id) = (word(&line["endpoint"]), word(&line["id"]));
                text += &format!("{endpoint} is credential {id}");
                if let Some(key) = line["key"].as_str() {
                    text += &format!(", key {}", shown(key));
                }
                if let Some(warning) = line["warning"].as_str() {
                    text += &format!("; {}", shown(warning));
                }
            }
            _ => text += &word(&line["error"]),
        }
        text.push('\n');
    }
    text + &format!(
        "{} added, {} not taken\n",
        report["imported"], report["failed"]
    )
}

/// What tells a credential from others: the identity, or the begin of a hash.
fn identity(credential: &Value) -> String {
    let psk = &credential["psk"];
    if psk["identity"].is_string() {
        return word(&psk["identity"]);
    }
    if psk.is_object() {
        return format!("hex {}", word(&psk["identityHex"]));
    }
    let mode = credential["mode"].as_str().unwrap_or_default();
    let hash = word(&credential[mode]["sha256"]);
    format!("sha256 {}", hash.get(..16).unwrap_or(&hash))
}

fn list(answer: &Value) -> String {
    let mut rows = vec![
        ["ID", "ENDPOINT", "MODE", "IDENTITY", "CREATED", "ROTATED"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut count = 0;
    for credential in print::items(answer, "items") {
        count += 1;
        rows.push(vec![
            word(&credential["id"]),
            word(&credential["endpoint"]),
            word(&credential["mode"]),
            identity(credential),
            print::utc(&credential["createdAt"]),
            match &credential["rotatedAt"] {
                Value::Null => "-".to_owned(),
                time => print::utc(time),
            },
        ]);
    }
    table(&rows) + &format!("{count} of {} credentials\n", answer["total"])
}

/// A credential that was made or rotated, with the key that is shown once.
fn made_words(credential: &Value) -> String {
    let mut rows = Vec::new();
    let mut row = |name: &str, cell: String| rows.push(vec![name.to_owned(), cell]);
    row("id", word(&credential["id"]));
    row("endpoint", word(&credential["endpoint"]));
    row("mode", word(&credential["mode"]));
    row("identity", identity(credential));
    let key = credential["psk"]["key"].as_str();
    if let Some(key) = key {
        row("key", shown(key));
    }
    let mut text = table(&rows);
    if key.is_some() {
        text += "The key is not shown again.\n";
    }
    if let Some(warning) = credential["warning"].as_str() {
        text += &format!("Warning: {}\n", shown(warning));
    }
    text
}

fn text_of(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))
}

fn authorities(answer: &Value) -> String {
    let mut rows = vec![
        ["ID", "NAME", "SHA-256", "VALID UNTIL"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for authority in print::items(answer, "items") {
        let hash = word(&authority["sha256"]);
        rows.push(vec![
            word(&authority["id"]),
            word(&authority["name"]),
            hash.get(..16).unwrap_or(&hash).to_owned(),
            print::utc(&authority["notAfter"]),
        ]);
    }
    table(&rows)
}

/// The server's own public key.
fn own_words(own: &Value) -> String {
    let row = |name: &str, field: &str| vec![name.to_owned(), word(&own[field])];
    let mut text = table(&[
        row("public key", "publicKey"),
        row("SHA-256", "sha256"),
        vec!["created".to_owned(), print::utc(&own["createdAt"])],
    ]);
    if let Some(certificates) = own["certificates"].as_str() {
        text += certificates;
    }
    text
}

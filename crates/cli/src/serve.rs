//! `dunlin serve`: server, REST, console and demo devices in one process.

use std::fs::DirBuilder;
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use dunlin_coap::Rng;
use dunlin_lwm2m::Models;
use dunlin_net::OsRng;
use dunlin_server::credentials::{
    CredentialService, CredentialsConfig, IdentityFrom, Material, NewCredential, Secret,
};
use dunlin_server::firmware::FirmwareConfig;
use dunlin_server::shard::Limits;
use dunlin_server::{Server, ServerConfig};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::demo;
use crate::listen::{Listen, ListenArgs};

/// How long HTTP answers that are under way may take when the server ends.
const LAST_ANSWERS: Duration = Duration::from_secs(3);

#[derive(Args, Debug)]
pub(crate) struct ServeArgs {
    /// Start so many demo devices that talk to the server over real sockets: those of LwM2M 1.2
    /// over DTLS with keys that they are given, the others without security, or with --no-coap all
    /// over DTLS
    #[arg(long, value_name = "N", default_value_t = 0)]
    demo: u16,
    /// Folder for registrations, observation wishes and last known values; made if it is missing
    #[arg(long, value_name = "DIR", default_value = "dunlin-data")]
    data: PathBuf,
    /// Keep everything in memory; after the end all is forgotten
    #[arg(long, conflicts_with = "data")]
    memory: bool,
    /// File with the key that encrypts credentials in the data folder; made, for this user alone,
    /// if it is missing and nothing is encrypted yet. Keep it apart from backups of the data
    /// [default: secret.key in the data folder]
    #[arg(long, value_name = "FILE", conflicts_with = "memory")]
    key_file: Option<PathBuf>,
    /// Where in a certificate the endpoint name of its device stands: cn (common name of the
    /// subject) or san (subject alternative name)
    #[arg(long, value_name = "WHERE", value_parser = ["cn", "san"], default_value = "cn")]
    identity_from: String,
    #[command(flatten)]
    listen: ListenArgs,
    /// REST, events, metrics and console; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    http: SocketAddr,
    /// Host and port in the addresses from which devices fetch firmware, as in
    /// coap.example.com:5683; needed behind an address translator [default: the server's own
    /// address on the way to the device]
    #[arg(long, value_name = "HOST:PORT")]
    advertise: Option<String>,
    /// Bytes of messages that each shard keeps for `dunlin trace`; 0 turns traces off
    #[arg(long, value_name = "BYTES", default_value_t = Limits::default().trace_bytes)]
    trace_bytes: usize,
    /// Threads with a socket each [default: one for each CPU]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    shards: Option<u16>,
    /// Folder with object definitions (3303.xml; old versions in version_history/), such as a copy of
    /// the OMA registry; they take precedence over those that dunlin brings along
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// How long a device in queue mode is expected to stay awake after each of its messages, until
    /// something is said or learned about it
    #[arg(long, value_name = "SECONDS", default_value_t = 93,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    awake_time: u64,
    /// Keep each shard on a CPU of its own; for machines that do little else
    #[arg(long)]
    pin: bool,
    /// Answer to this host name as well, besides IP addresses and localhost; for a reverse proxy
    #[arg(long, value_name = "NAME")]
    http_host: Vec<String>,
    /// Allow --http on an address others can reach: there is no login and no TLS yet
    #[arg(long)]
    insecure_http: bool,
}

pub(crate) const EXAMPLES: &str = "\
Examples:
  dunlin serve --demo 3                       try it out, with three demo devices
  dunlin serve --data /var/lib/dunlin --coaps 0.0.0.0:5684
  dunlin serve --memory --coap 127.0.0.1:0 --http 127.0.0.1:0    for tests; the ports are printed";

pub(crate) fn run(args: &ServeArgs) -> anyhow::Result<()> {
    let listen = args.listen.resolve()?;
    if !args.http.ip().to_canonical().is_loopback() && !args.insecure_http {
        bail!(
            "--http {}: others could reach this address, and there is no login and no TLS yet. \
             Use a loopback address (such as 127.0.0.1:{}) with a reverse proxy in front, or add \
             --insecure-http if everyone who can reach it may manage all devices",
            args.http,
            args.http.port()
        );
    }
    // Before the data folder is read: a port in use should be told at once.
    let http = TcpListener::bind(args.http).map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "cannot listen for HTTP at {}: the port is in use; stop the other program or choose \
             another port with --http (0 picks a free one)",
            args.http
        ),
        _ => anyhow::Error::new(error).context(format!("cannot listen for HTTP at {}", args.http)),
    })?;
    http.set_nonblocking(true)?;
    if !args.memory {
        make_private(&args.data)?;
    }
    let models = match &args.models {
        Some(folder) => crate::models::load(folder)?,
        None => Models::embedded(),
    };
    let server = Server::start(ServerConfig {
        models: Arc::new(models),
        coap: listen.coap,
        coaps: listen.coaps,
        dtls: args.listen.dtls(),
        shards: args.shards.map_or(0, usize::from),
        data: (!args.memory).then(|| args.data.clone()),
        pin: args.pin,
        limits: Limits {
            trace_bytes: args.trace_bytes,
            ..Limits::default()
        },
        firmware: FirmwareConfig {
            advertise: args.advertise.clone(),
            ..FirmwareConfig::default()
        },
        credentials: CredentialsConfig {
            key_file: args.key_file.clone(),
            identity_from: match args.identity_from.as_str() {
                "san" => IdentityFrom::AlternativeName,
                _ => IdentityFrom::CommonName,
            },
            ..CredentialsConfig::default()
        },
        awake_time: Duration::from_secs(args.awake_time),
        ..ServerConfig::default()
    })?;
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("starting the control plane")?
        .block_on(serve(args, server, http))
}

/// Makes the data folder, if it is missing, for this user alone: without security a registration id
/// is all that somebody needs to take a device's registration over. A folder that is there keeps
/// the mode its owner gave it.
fn make_private(folder: &Path) -> anyhow::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make the data folder {}", folder.display()))
}

async fn serve(args: &ServeArgs, server: Server, http: TcpListener) -> anyhow::Result<()> {
    // Signals are caught from here on, before anybody reads the addresses and may send one.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let http_address = http.local_addr()?;
    let (stop, stopped) = watch::channel(false);
    let control = server.control();
    control.firmware().resume(&control);
    let mut http = tokio::spawn(dunlin_http::serve(
        tokio::net::TcpListener::from_std(http)?,
        server.control(),
        args.http_host.clone(),
        wait_for(stopped),
    ));
    let listen = Listen {
        coap: server.coap_address(),
        coaps: server.coaps_address(),
    };
    let key = |name: &str| demo_key(control.credentials(), name);
    let mut demo = demo::spawn(args.demo, listen, key).context("starting the demo devices")?;
    announce(args, listen, http_address);

    let mut outcome = Ok(());
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        ended = &mut http => {
            outcome = ended.context("HTTP ended");
        }
    }
    // Whoever asks twice does not want to wait.
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        std::process::exit(130);
    });
    tracing::info!("ending");
    stop.send_replace(true);
    tokio::task::spawn_blocking(move || {
        // They de-register, so the server goes after them. Its end ends the event streams as well,
        // which HTTP waits for.
        demo.stop();
        server.shutdown();
    })
    .await?;
    let _ = tokio::time::timeout(LAST_ANSWERS, http).await;
    outcome
}

/// A key for a demo device, in the place of the one it had before.
fn demo_key(credentials: &CredentialService, name: &str) -> anyhow::Result<demo::Key> {
    let mut key = demo::Key::default();
    OsRng::new().fill(&mut key);
    let material = Material::Psk {
        identity: Some(name.as_bytes().to_vec()),
        key: Some(Secret::new(&key)),
    };
    let before = credentials.of_endpoint(name).into_iter().next();
    match before {
        Some(before) => credentials.rotate(before.id, material),
        None => credentials.create(NewCredential {
            endpoint: Some(name.to_owned()),
            material,
        }),
    }
    .with_context(|| format!("giving {name} a key"))?;
    Ok(key)
}

async fn wait_for(mut stopped: watch::Receiver<bool>) {
    // An error means that `serve` has gone, which is an end as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Tells the addresses in lines that tools read, and a person what to try. Errors are left alone:
/// nobody may be reading.
fn announce(args: &ServeArgs, listen: Listen, http: SocketAddr) {
    let api = if http == SocketAddr::from(([127, 0, 0, 1], 8080)) {
        String::new()
    } else {
        format!(" --api http://{http}")
    };
    let mut text = match listen.coap {
        Some(coap) => format!("CoAP     coap://{coap}\n"),
        None => "CoAP     off: devices must prove who they are\n".to_owned(),
    };
    if let Some(coaps) = listen.coaps {
        text += &format!("CoAPS    coaps://{coaps}\n");
    }
    text += &format!("Console  http://{http}/\n\n");
    let endpoint = if args.demo > 0 { "demo-1" } else { "my-first" };
    text += "Try next, in another terminal:\n";
    if let (0, Some(coap)) = (args.demo, listen.coap) {
        text += &format!("  dunlin device --server coap://{coap} --endpoint {endpoint}\n");
    } else if args.demo == 0 {
        text += &format!("  dunlin credentials add {endpoint}{api}\n");
    }
    text += &format!("  dunlin devices{api}\n");
    text += &format!("  dunlin read {endpoint} /3/0{api}\n");
    text += &format!("  dunlin observe {endpoint} /3303/0/5700{api}\n");
    text += &format!("  curl http://{http}/api/v1/devices/{endpoint}/data/3/0\n");
    text += "Ctrl-C ends the server";
    text += if args.memory {
        "; it forgets everything.\n"
    } else {
        "; it remembers its devices.\n"
    };
    let mut output = std::io::stdout().lock();
    let _ = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush());
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use super::*;

    #[test]
    fn a_new_data_folder_is_for_this_user_alone() {
        let parent = std::env::temp_dir().join(format!("dunlin-serve-{}", std::process::id()));
        let folder = parent.join("data");
        let mode = || fs::metadata(&folder).unwrap().mode() & 0o777;
        make_private(&folder).unwrap();
        assert_eq!(mode(), 0o700);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o750)).unwrap();
        make_private(&folder).unwrap();
        assert_eq!(mode(), 0o750, "the owner's choice");
        fs::remove_dir_all(parent).unwrap();
    }
}

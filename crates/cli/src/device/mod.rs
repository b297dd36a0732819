//! `dunlin device`: a device with a shell.

mod firmware;
mod objects;
mod security;
mod sessions;
mod shell;
mod values;

use std::fmt;
use std::io::{BufRead, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use dunlin_client::secure::SecureClient;
use dunlin_client::{
    Account, Client, Config, Connection, Context as SecurityContext, Event, Input, Instant, Output,
    Path, Profile, RegistrationState, Version,
};
use dunlin_net::OsRng;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

pub(crate) use firmware::Flash;
use objects::Guarded;
pub(crate) use objects::{Objects, unix_time};
pub(crate) use security::Keys;
use security::SecurityArgs;
pub(crate) use sessions::Sessions;
use shell::Reply;

use crate::terminal::shown;
use crate::uri::resolve_any;

/// Bytes of the largest payload, in blocks or whole. Firmware needs none of it.
const BODY: usize = 64 * 1024;
/// How long leaving may take when the server does not answer.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// Servers a device has at most.
const SERVERS: usize = 4;

type Device = Client<Guarded, SERVERS, 32, 64, BODY, 1152, 512, Keys>;

#[derive(Args, Debug)]
pub(crate) struct DeviceArgs {
    /// A server to register with; may be given up to four times, with a Short Server ID before it
    /// where 1, 2 and so on will not do, as in 101=coap://192.0.2.1 or 102=coaps://192.0.2.1
    /// [default: coap://127.0.0.1:5683, with a key coaps://127.0.0.1:5684]
    #[arg(long = "server", value_name = "[ID=]URI")]
    servers: Vec<String>,
    /// Endpoint client name
    #[arg(long, value_name = "NAME", default_value = "dunlin-device")]
    endpoint: String,
    /// Lifetime of the registration in seconds; 0 for infinite
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    lifetime: u32,
    /// LwM2M version to register with first; a server that refuses it gets the next lower one
    #[arg(
        long = "lwm2m",
        value_name = "VERSION",
        alias = "version",
        default_value = "1.1"
    )]
    version: Version,
    /// A Profile ID for servers of 1.2, instead of the object list until a server asks for it
    #[arg(long, value_name = "ID")]
    profile_id: Option<String>,
    /// Local address; port 0 picks a free one [default: any address]
    #[arg(long, value_name = "ADDR:PORT")]
    bind: Option<SocketAddr>,
    /// Announce queue mode
    #[arg(long)]
    queue: bool,
    /// With --queue: seconds to listen after the last message
    #[arg(long, value_name = "SECONDS", requires = "queue")]
    awake: Option<u32>,
    /// Send notifications as confirmable messages
    #[arg(long)]
    confirmable: bool,
    /// Set a value before registering, as in /3303/0/5700=21.5; may be given several times
    #[arg(long = "set", value_name = "PATH=VALUE")]
    values: Vec<String>,
    /// Keep firmware and the state of its update in this folder [default: in memory, until the end]
    #[arg(long, value_name = "DIR")]
    firmware: Option<PathBuf>,
    /// Register, de-register, and end; the exit status tells whether it worked
    #[arg(long)]
    once: bool,
    /// Leave standard input alone and run until interrupted
    #[arg(long)]
    no_shell: bool,
    #[command(flatten)]
    security: SecurityArgs,
}

pub(crate) const EXAMPLES: &str = "\
Examples:
  dunlin device --endpoint my-first
  dunlin device --server coap://192.0.2.1 --lifetime 60 --set /3303/0/5700=-4.5
  dunlin device --once                        is the server there?
  dunlin device --server 101=coap://192.0.2.1 --server 102=coap://192.0.2.2 --set /1/0/13=1 --set /1/1/13=2
  dunlin device --lwm2m 1.2 --queue --awake 20
  dunlin device --server coaps://192.0.2.1 --psk dev-1:00112233445566778899aabbccddeeff --state dev-1.state
  dunlin device --server coaps://192.0.2.1 --rpk dev.key --server-key server.pub
  dunlin device --server coaps://lwm2m.example.com --cert dev.pem --key dev.key --ca ca.pem

A device key:  openssl ecparam -genkey -name prime256v1 -noout -out dev.key
its public half, for `dunlin credentials add`:  openssl ec -in dev.key -pubout

In the shell: help, list, get PATH, set PATH VALUE, create PATH, delete PATH, update,
record PATH, send PATH..., leave, offline, online, rebind, session, sleep, advance-time SECONDS, status, quit";

pub(crate) fn run(args: &DeviceArgs) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the device")?
        .block_on(run_device(args))
}

async fn run_device(args: &DeviceArgs) -> anyhow::Result<()> {
    let servers = servers(args)?;
    let first = servers.first().context("--server is missing")?.address;
    let bind = args.bind.unwrap_or_else(|| any_address(first));
    let socket = UdpSocket::bind(bind)
        .await
        .with_context(|| format!("cannot use the local address {bind}"))?;

    let mut runner = Runner::new(args, &servers, socket)?;
    let now = runner.clock.now();
    for server in servers {
        let client = runner.secure.client_mut();
        client.connect_to(now, server.id, server.address)?;
        println_flushed(&format!(
            "registering as {} at {}://{} with LwM2M {}",
            args.endpoint,
            if server.is_secure { "coaps" } else { "coap" },
            server.address,
            args.version
        ));
    }
    let lines = if args.no_shell || args.once {
        None
    } else {
        Some(read_lines()?)
    };
    runner.run(lines, args.once).await
}

/// A server of the options.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    /// Short Server ID.
    id: u16,
    uri: String,
    address: SocketAddr,
    is_secure: bool,
}

/// The servers. All addresses are of one family: there is one socket.
fn servers(args: &DeviceArgs) -> anyhow::Result<Vec<Target>> {
    let mut servers: Vec<Target> = Vec::new();
    let mut family = args.bind;
    let default = if args.security.has_credentials() {
        "coaps://127.0.0.1:5684"
    } else {
        "coap://127.0.0.1:5683"
    };
    let default = [default.to_owned()];
    let texts = if args.servers.is_empty() {
        &default[..]
    } else {
        &args.servers
    };
    for (text, next) in texts.iter().zip(1..) {
        let (id, uri) = match text.split_once('=') {
            Some((id, uri)) if !id.contains(':') => {
                let id = id
                    .parse()
                    .ok()
                    .filter(|id| (1..u16::MAX).contains(id))
                    .with_context(|| format!("--server {text}: a Short Server ID is 1 to 65534"))?;
                (id, uri)
            }
            _ => (next, text.as_str()),
        };
        let (address, is_secure) = resolve_any("--server", uri, family)?;
        if servers.iter().any(|server| server.id == id) {
            bail!("--server {text}: the Short Server ID {id} is another server's");
        }
        if servers.iter().any(|server| server.address == address) {
            bail!("--server {text}: another server has this address");
        }
        family = Some(address);
        servers.push(Target {
            id,
            uri: uri.to_owned(),
            address,
            is_secure,
        });
    }
    if servers.len() > SERVERS {
        bail!("--server may be given {SERVERS} times");
    }
    if args.security.has_credentials() && servers.iter().all(|server| !server.is_secure) {
        bail!("there is a key, but no --server is coaps://");
    }
    Ok(servers)
}

/// Lines of standard input, read by a thread of their own; the channel closes at the end.
fn read_lines() -> anyhow::Result<mpsc::Receiver<String>> {
    // A pipe waits, as for anybody who reads slowly.
    let (sender, receiver) = mpsc::channel(64);
    if std::io::stdin().is_terminal() {
        println_flushed("type help for the commands");
    }
    std::thread::Builder::new()
        .name("stdin".to_owned())
        .spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if sender.blocking_send(line).is_err() {
                    break;
                }
            }
        })
        .context("reading standard input")?;
    Ok(receiver)
}

fn any_address(peer: SocketAddr) -> SocketAddr {
    if peer.is_ipv4() {
        SocketAddr::from(([0, 0, 0, 0], 0))
    } else {
        SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 0))
    }
}

/// Lines that tests and people read as they come. Whoever closes the output does not end the
/// device.
fn println_flushed(line: &str) {
    let mut output = std::io::stdout().lock();
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}

/// Monotonic time that can be moved forward.
pub(crate) struct Clock {
    start: std::time::Instant,
    advanced: Duration,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            start: std::time::Instant::now(),
            advanced: Duration::ZERO,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        // The origin lies a second before the start, so that no moment is zero.
        Instant::from_secs(1) + self.start.elapsed() + self.advanced
    }
}

struct Runner {
    secure: Box<SecureClient<Device, Sessions>>,
    clock: Clock,
    dice: OsRng,
    socket: UdpSocket,
    /// When to leave although nobody answered.
    leave_at: Option<Instant>,
    has_failed: bool,
    /// Whether it ends without a word.
    is_asleep: bool,
    /// Without a shell.
    is_alone: bool,
    /// Messages sent again that need no further word about silence.
    told_silence: u64,
}

impl Runner {
    fn new(args: &DeviceArgs, servers: &[Target], socket: UdpSocket) -> anyhow::Result<Self> {
        let mut dice = OsRng::new();
        if args.endpoint.is_empty() || args.endpoint.len() > 128 {
            bail!("--endpoint takes 1 to 128 bytes");
        }
        let config = Config {
            version: args.version,
            queue_mode: args.queue,
            awake_time: args
                .awake
                .map(|seconds| Duration::from_secs(seconds.into())),
            profile: args.profile_id.as_deref().map(profile).transpose()?,
            confirmable_notifications: args.confirmable,
            ..Config::new(&args.endpoint)
        };
        let flash = match &args.firmware {
            Some(folder) => Flash::in_folder(folder)?,
            None => Flash::in_memory(),
        };
        let objects = Guarded::new(Objects::new(&args.endpoint, flash));
        let settings = args.security.settings()?;
        let mut secure: Box<SecureClient<Device, Sessions>> = Box::new(SecureClient::new(
            Client::new(config, objects, &mut dice),
            args.security.sessions()?,
            settings,
        ));
        let client = secure.client_mut();
        let clock = Clock::new();
        let unix = Duration::from_secs(unix_time().unsigned_abs());
        client.set_clock(clock.now(), unix);
        for (index, target) in servers.iter().enumerate() {
            let mut server = dunlin_client::objects::Server::new(target.id);
            server.lifetime = args.lifetime;
            if index == 0 {
                server.binding = client.server().binding.clone();
                client.security_mut().short_server_id = Some(target.id);
                *client.server_mut() = server;
            } else {
                client.add_server(server, &mut dice)?;
            }
            let account = args.security.account(&target.uri, target.is_secure)?;
            client.provision(target.id, account)?;
        }
        for assignment in &args.values {
            let (path, value) = assignment
                .split_once('=')
                .with_context(|| format!("--set {assignment}: expected PATH=VALUE"))?;
            values::set(&mut client.all_objects_mut(), path, value)
                .with_context(|| format!("--set {assignment}"))?;
        }
        Ok(Self {
            secure,
            clock,
            dice,
            socket,
            leave_at: None,
            has_failed: false,
            is_asleep: false,
            is_alone: args.no_shell,
            told_silence: 0,
        })
    }

    async fn run(
        &mut self,
        mut lines: Option<mpsc::Receiver<String>>,
        once: bool,
    ) -> anyhow::Result<()> {
        let mut interrupt =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())?;
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        let mut buffer = vec![0; 65_536];
        self.handle(Input::Timer, once).await;
        loop {
            if self.is_done() {
                return if self.has_failed {
                    Err(anyhow::anyhow!("the server did not accept the device"))
                } else {
                    Ok(())
                };
            }
            let now = self.clock.now();
            let timeout = self
                .secure
                .next_timeout()
                .map(|at| at.saturating_since(now));
            let leave = self.leave_at.map(|at| at.saturating_since(now));
            let wait = match (timeout, leave) {
                (Some(timeout), Some(leave)) => timeout.min(leave),
                (timeout, leave) => timeout.or(leave).unwrap_or(Duration::from_secs(3600)),
            };
            tokio::select! {
                received = self.socket.recv_from(&mut buffer) => {
                    // An error of one datagram (ICMP) says nothing about the next.
                    if let Ok((length, from)) = received {
                        let bytes = buffer.get(..length).unwrap_or_default();
                        self.handle(Input::Datagram { from, bytes }, once).await;
                    }
                }
                line = next_line(&mut lines) => match line {
                    Some(line) => self.command(&line).await,
                    None => {
                        lines = None;
                        self.leave();
                        self.handle(Input::Timer, once).await;
                    }
                },
                () = tokio::time::sleep(wait) => self.handle(Input::Timer, once).await,
                _ = interrupt.recv() => {
                    if self.leave_at.is_some() {
                        return Ok(());
                    }
                    self.leave();
                    self.handle(Input::Timer, once).await;
                }
                _ = terminate.recv() => {
                    self.leave();
                    self.handle(Input::Timer, once).await;
                }
            }
        }
    }

    async fn command(&mut self, line: &str) {
        let now = self.clock.now();
        match shell::execute(line, self.secure.client_mut(), now) {
            Reply::Nothing => {}
            Reply::Text(text) => println_flushed(text.trim_end()),
            Reply::Advance(by) => {
                self.clock.advanced += by;
                println_flushed(&format!("advanced by {} s", by.as_secs()));
            }
            Reply::Rebind => self.rebind().await,
            Reply::Session => println_flushed(&self.sessions()),
            Reply::Sleep => self.sleep(),
            Reply::Quit => self.leave(),
        }
        self.handle(Input::Timer, false).await;
    }

    /// Goes on from another port, as behind a NAT that forgot the device.
    async fn rebind(&mut self) {
        let moved = match self.socket.local_addr() {
            Ok(address) => UdpSocket::bind(SocketAddr::new(address.ip(), 0)).await,
            Err(error) => Err(error),
        };
        match moved {
            Ok(socket) => {
                self.socket = socket;
                let goes_on = self.accounts().all(|account| {
                    let status = self.secure.session(account.short_server_id());
                    status.is_some_and(|status| status.is_up && status.has_connection_id)
                });
                self.secure.rebind(self.clock.now());
                println_flushed(if goes_on {
                    "another local port: the session goes on by its connection id"
                } else {
                    "another local port: registering again"
                });
            }
            Err(error) => println_flushed(&format!("error: no other local port: {error}")),
        }
    }

    /// The accounts.
    fn accounts(&self) -> impl Iterator<Item = Account<'_>> {
        self.secure.client().accounts()
    }

    /// How the sessions stand.
    fn sessions(&self) -> String {
        let lines = self.accounts().filter_map(|account| {
            let id = account.short_server_id();
            let address = account.address()?;
            let words = match (account.connection(), self.secure.session(id)) {
                (Connection::Plain, _) => "no security".to_owned(),
                (_, Some(status)) => security::describe(&status),
                (_, None) => "down".to_owned(),
            };
            Some(format!(
                "server {id} {}://{address}: {words}",
                scheme(&account)
            ))
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Ends without a word; the sessions go on later.
    fn sleep(&mut self) {
        if !self.secure.storage().is_in_file() {
            println_flushed("error: without --state FILE the sessions would be lost");
            return;
        }
        match self.secure.sleep(self.clock.now()) {
            Ok(()) => {
                println_flushed("asleep");
                self.is_asleep = true;
            }
            Err(error) => println_flushed(&format!("error: {error}")),
        }
    }

    /// De-registers and ends.
    fn leave(&mut self) {
        let now = self.clock.now();
        let client = self.secure.client_mut();
        client.online(now);
        client.deregister();
        self.leave_at = Some(self.clock.now() + LEAVE_WITHIN);
    }

    /// Whether it stands with every server in one of these ways.
    fn all(&self, states: &[RegistrationState]) -> bool {
        self.accounts()
            .all(|account| states.contains(&account.state()))
    }

    fn is_done(&self) -> bool {
        let is_gone = self.all(&[RegistrationState::Idle, RegistrationState::Failed]);
        self.is_asleep
            || self
                .leave_at
                .is_some_and(|at| is_gone || at <= self.clock.now())
    }

    async fn handle(&mut self, input: Input<'_>, once: bool) {
        let now = self.clock.now();
        let mut events = Vec::new();
        let mut datagrams = Vec::new();
        let mut outputs = self.secure.handle(now, &mut self.dice, input);
        while let Some(output) = outputs.next() {
            match output {
                Output::Transmit { to, bytes } => datagrams.push((to, bytes.to_vec())),
                Output::Event(event) => events.push(event),
            }
        }
        for (to, bytes) in datagrams {
            if let Err(error) = self.socket.send_to(&bytes, to).await {
                tracing::debug!(%to, %error, "a datagram was not sent");
            }
        }
        for event in events {
            // Nobody knows more of a NON than that it was notified.
            let is_news = !matches!(
                event,
                Event::Delivery {
                    outcome: dunlin_client::Outcome::Sent,
                    ..
                }
            );
            if is_news {
                println_flushed(&shown(&self.describe(event, now)));
            }
            self.react(event, now, once);
        }
        self.tell_silence();
    }

    /// Giving up takes a minute and a half: says earlier, once an attempt, that nobody answers.
    fn tell_silence(&mut self) {
        let repeated = self.secure.client().stats().retransmitted;
        let silent = self
            .accounts()
            .find(|account| account.state() == RegistrationState::Registering)
            .map(|account| account.address().map(|address| (scheme(&account), address)));
        match silent {
            None => self.told_silence = repeated,
            Some(server) if self.told_silence != u64::MAX && repeated > self.told_silence => {
                self.told_silence = u64::MAX;
                if let Some((scheme, server)) = server {
                    println_flushed(&format!(
                        "no answer yet; is there a server at {scheme}://{server}? Trying on"
                    ));
                }
            }
            Some(_) => {}
        }
    }

    fn react(&mut self, event: Event, now: Instant, once: bool) {
        match event {
            Event::Reboot | Event::FactoryReset => {
                let client = self.secure.client_mut();
                client.objects_mut().reboot();
                let servers: Vec<_> = client
                    .accounts()
                    .filter_map(|account| Some((account.short_server_id(), account.address()?)))
                    .collect();
                for (id, address) in servers {
                    // The account was there a moment ago, with this address.
                    let _ = client.connect_to(now, id, address);
                }
            }
            Event::Registered { .. } => {
                self.secure.client_mut().objects_mut().registered();
                if once && self.all(&[RegistrationState::Registered]) {
                    self.leave();
                }
            }
            // Nobody is there to begin anew, or nobody wants to wait.
            Event::RegistrationFailed { retry_at, .. }
            | Event::ConnectionFailed { retry_at, .. }
                if (once && retry_at.is_none_or(|at| at > now))
                    || (self.is_alone
                        && self.leave_at.is_none()
                        && retry_at.is_none()
                        && self.all(&[RegistrationState::Failed])) =>
            {
                self.has_failed = true;
                self.leave();
            }
            _ => {}
        }
    }

    /// An event in words; with several servers, which of them it is about.
    fn describe(&self, event: Event, now: Instant) -> String {
        let text = self.describe_event(event, now);
        match event.server() {
            Some(id) if self.accounts().count() > 1 => format!("server {id}: {text}"),
            _ => text,
        }
    }

    fn describe_event(&self, event: Event, now: Instant) -> String {
        match event {
            Event::Registered { server, version } => {
                let client = self.secure.client();
                let endpoint = &client.config().endpoint;
                let Some(account) = client.account(server) else {
                    return format!("registered as {endpoint}");
                };
                let address = account.address().map_or_else(String::new, |address| {
                    format!("{}://{address}", scheme(&account))
                });
                format!(
                    "registered as {endpoint} at {address} location {} (LwM2M {version}, lifetime \
                     {} s)",
                    account.location(),
                    account.server().lifetime
                )
            }
            Event::RegistrationFailed { code, retry_at, .. } => match retry_at {
                Some(at) => format!(
                    "registration failed: {}; next attempt in {} s",
                    Outcome(code),
                    at.saturating_since(now).as_secs()
                ),
                None => format!("registration failed: {}; giving up", Outcome(code)),
            },
            Event::Connected { context, .. } => match context {
                SecurityContext::New => "connected: full handshake",
                SecurityContext::Resumed => "connected: session resumed",
                SecurityContext::Kept => "connected: session kept, no handshake",
            }
            .to_owned(),
            Event::ConnectionFailed {
                server,
                fault,
                retry_at,
                ..
            } => {
                let why = security::fault(fault, self.secure.session(server));
                match retry_at {
                    Some(at) => format!(
                        "connection failed: {why}; next attempt in {} s",
                        at.saturating_since(now).as_secs()
                    ),
                    None => format!("connection failed: {why}; giving up"),
                }
            }
            Event::ConnectionClosed { server, fault } => {
                let why = security::fault(fault, self.secure.session(server));
                format!("connection closed: {why}")
            }
            Event::Updated { .. } => "updated".to_owned(),
            Event::UpdateFailed { code, .. } => {
                format!("update failed: {}; registering again", Outcome(code))
            }
            Event::Deregistered { .. } => "deregistered".to_owned(),
            Event::Request {
                operation,
                path,
                code,
                ..
            } => {
                let path = if path == Path::ROOT {
                    String::new()
                } else {
                    format!(" {path}")
                };
                format!("{operation}{path} -> {code}")
            }
            Event::Notified {
                path,
                code,
                confirmable,
                ..
            } => {
                let kind = if confirmable { "CON" } else { "NON" };
                format!("notified {path} {code} {kind}")
            }
            Event::NotificationStored { id, path, .. } => {
                format!("notification of {path} stored as report {id}")
            }
            Event::Delivery { id, outcome, .. } => format!("report {id}: {outcome}"),
            Event::ObservationLost { path, .. } => {
                format!("observation of {path} ended: the server does not want it any more")
            }
            Event::MaySleep => "may sleep".to_owned(),
            Event::Reboot => "reboot: registering again".to_owned(),
            Event::FactoryReset => "factory reset: registering again".to_owned(),
        }
    }
}

async fn next_line(lines: &mut Option<mpsc::Receiver<String>>) -> Option<String> {
    match lines {
        Some(lines) => lines.recv().await,
        None => std::future::pending().await,
    }
}

/// A Profile ID as the options give it.
fn profile(id: &str) -> anyhow::Result<Profile> {
    if id.is_empty() || id.len() > 72 || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
        bail!("--profile-id takes 1 to 72 characters without spaces, as in 6:27354b9a");
    }
    Ok(Profile {
        id: dunlin_client::objects::text(id),
        with_list: false,
    })
}

/// A code, or that nobody answered.
struct Outcome(Option<dunlin_client::Code>);

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(code) => write!(f, "{code} {}", code.name()),
            None => f.write_str("no answer"),
        }
    }
}

/// The scheme by which a server is reached.
fn scheme(account: &Account<'_>) -> &'static str {
    match account.connection() {
        Connection::Plain => "coap",
        _ => "coaps",
    }
}

#[cfg(test)]
mod tests;

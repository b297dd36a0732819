//! `dunlin device`: a device with a shell.

mod firmware;
mod objects;
mod shell;
mod values;

use std::fmt;
use std::io::{BufRead, IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use dunlin_client::{
    Client, Config, Event, Input, Instant, Output, Path, RegistrationState, Version,
};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

pub(crate) use firmware::Flash;
pub(crate) use objects::{Dice, Objects, unix_time};
use shell::Reply;

use crate::terminal::shown;
use crate::uri::resolve;

/// Bytes of the largest payload, in blocks or whole. Firmware needs none of it.
const BODY: usize = 64 * 1024;
/// How long leaving may take when the server does not answer.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

type Device = Client<Objects, 1, 32, 64, BODY, 1152>;

#[derive(Args, Debug)]
pub(crate) struct DeviceArgs {
    /// The server to register with
    #[arg(long, value_name = "URI", default_value = "coap://127.0.0.1:5683")]
    server: String,
    /// Endpoint client name
    #[arg(long, value_name = "NAME", default_value = "dunlin-device")]
    endpoint: String,
    /// Lifetime of the registration in seconds; 0 for infinite
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    lifetime: u32,
    /// LwM2M version to register with first; a server that refuses it gets the next lower one
    #[arg(long, value_name = "VERSION", default_value = "1.1")]
    version: Version,
    /// Local address; port 0 picks a free one [default: any address]
    #[arg(long, value_name = "ADDR:PORT")]
    bind: Option<SocketAddr>,
    /// Announce queue mode
    #[arg(long)]
    queue: bool,
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
}

pub(crate) const EXAMPLES: &str = "\
Examples:
  dunlin device --endpoint my-first
  dunlin device --server coap://192.0.2.1 --lifetime 60 --set /3303/0/5700=-4.5
  dunlin device --once                        is the server there?

In the shell: help, list, get PATH, set PATH VALUE, create PATH, delete PATH, update, offline,
online, advance-time SECONDS, status, quit";

pub(crate) fn run(args: &DeviceArgs) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the device")?
        .block_on(run_device(args))
}

async fn run_device(args: &DeviceArgs) -> anyhow::Result<()> {
    let server = resolve("--server", &args.server, args.bind)?;
    let bind = args.bind.unwrap_or_else(|| any_address(server));
    let socket = UdpSocket::bind(bind)
        .await
        .with_context(|| format!("cannot use the local address {bind}"))?;

    let mut runner = Runner::new(args, server, socket)?;
    runner.client.connect(runner.clock.now(), server);
    println_flushed(&format!(
        "registering as {} at coap://{server} with LwM2M {}",
        args.endpoint, args.version
    ));
    let lines = if args.no_shell || args.once {
        None
    } else {
        Some(read_lines()?)
    };
    runner.run(lines, args.once).await
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
    client: Box<Device>,
    clock: Clock,
    dice: Dice,
    socket: UdpSocket,
    /// When to leave although nobody answered.
    leave_at: Option<Instant>,
    has_failed: bool,
    /// Without a shell.
    is_alone: bool,
    /// Messages sent again that need no further word about silence.
    told_silence: u64,
}

impl Runner {
    fn new(args: &DeviceArgs, server: SocketAddr, socket: UdpSocket) -> anyhow::Result<Self> {
        let mut dice = Dice::new();
        if args.endpoint.is_empty() || args.endpoint.len() > 128 {
            bail!("--endpoint takes 1 to 128 bytes");
        }
        let config = Config {
            version: args.version,
            queue_mode: args.queue,
            confirmable_notifications: args.confirmable,
            ..Config::new(&args.endpoint)
        };
        let flash = match &args.firmware {
            Some(folder) => Flash::in_folder(folder)?,
            None => Flash::in_memory(),
        };
        let objects = Objects::new(&args.endpoint, flash);
        let mut client: Box<Device> = Box::new(Client::new(config, objects, &mut dice));
        client.server_mut().lifetime = args.lifetime;
        client.security_mut().server_uri =
            dunlin_client::objects::text(&format!("coap://{server}"));
        for assignment in &args.values {
            let (path, value) = assignment
                .split_once('=')
                .with_context(|| format!("--set {assignment}: expected PATH=VALUE"))?;
            values::set(client.all_objects_mut(), path, value)
                .with_context(|| format!("--set {assignment}"))?;
        }
        Ok(Self {
            client,
            clock: Clock::new(),
            dice,
            socket,
            leave_at: None,
            has_failed: false,
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
                .client
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
        match shell::execute(line, &mut self.client, now) {
            Reply::Nothing => {}
            Reply::Text(text) => println_flushed(text.trim_end()),
            Reply::Advance(by) => {
                self.clock.advanced += by;
                println_flushed(&format!("advanced by {} s", by.as_secs()));
            }
            Reply::Quit => self.leave(),
        }
        self.handle(Input::Timer, false).await;
    }

    /// De-registers and ends.
    fn leave(&mut self) {
        self.client.online(self.clock.now());
        self.client.deregister();
        self.leave_at = Some(self.clock.now() + LEAVE_WITHIN);
    }

    fn is_done(&self) -> bool {
        let is_gone = matches!(
            self.client.state(),
            RegistrationState::Idle | RegistrationState::Failed
        );
        self.leave_at
            .is_some_and(|at| is_gone || at <= self.clock.now())
    }

    async fn handle(&mut self, input: Input<'_>, once: bool) {
        let now = self.clock.now();
        let mut events = Vec::new();
        let mut datagrams = Vec::new();
        let mut outputs = self.client.handle(now, &mut self.dice, input);
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
        let repeated = self.client.stats().retransmitted;
        if self.client.state() != RegistrationState::Registering {
            self.told_silence = repeated;
        } else if self.told_silence != u64::MAX && repeated > self.told_silence {
            self.told_silence = u64::MAX;
            if let Some(server) = self.client.server_address() {
                println_flushed(&format!(
                    "no answer yet; is there a server at coap://{server}? Trying on"
                ));
            }
        }
    }

    fn react(&mut self, event: Event, now: Instant, once: bool) {
        match event {
            Event::Reboot | Event::FactoryReset => {
                self.client.objects_mut().reboot();
                if let Some(server) = self.client.server_address() {
                    self.client.connect(now, server);
                }
            }
            Event::Registered { .. } => {
                self.client.objects_mut().registered();
                if once {
                    self.leave();
                }
            }
            // Nobody is there to begin anew, or nobody wants to wait.
            Event::RegistrationFailed { retry_at, .. }
                if (once && retry_at.is_none_or(|at| at > now))
                    || (self.is_alone && retry_at.is_none() && self.leave_at.is_none()) =>
            {
                self.has_failed = true;
                self.leave();
            }
            _ => {}
        }
    }

    fn describe(&self, event: Event, now: Instant) -> String {
        let server = self
            .client
            .server_address()
            .map_or_else(String::new, |address| format!("coap://{address}"));
        match event {
            Event::Registered { version, .. } => format!(
                "registered as {} at {server} location {} (LwM2M {version}, lifetime {} s)",
                self.client.config().endpoint,
                self.client.location(),
                self.client.server().lifetime
            ),
            Event::RegistrationFailed { code, retry_at, .. } => match retry_at {
                Some(at) => format!(
                    "registration failed: {}; next attempt in {} s",
                    Outcome(code),
                    at.saturating_since(now).as_secs()
                ),
                None => format!("registration failed: {}; giving up", Outcome(code)),
            },
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

#[cfg(test)]
mod tests;

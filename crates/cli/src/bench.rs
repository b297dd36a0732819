//! `dunlin bench`: figures of this machine, each as a ratio to a bare echo in the same run.
//!
//! The server runs in a process of its own on one CPU, the load on another, so that its memory can
//! be measured and neither eats the other's time. Contestants take turns, round by round, and the
//! median of the rounds counts, because absolute rates drift with whatever else the machine does.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, bail};
use clap::Args;
use dunlin_coap::Rng;
use dunlin_net::{OsRng, available_cpus, pin_to_cpu};
use dunlin_sim::storm::{Measured, Phase, Storm, StormOptions};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::reads;
use crate::uri::resolve;

mod dtls;

#[derive(Args, Debug)]
pub(crate) struct BenchArgs {
    /// Devices in each storm
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(100..=2_000_000))]
    devices: u32,
    /// Rounds; the median counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// What to measure
    #[arg(long, value_enum, default_value_t = Part::All)]
    part: Part,
    /// Idle DTLS sessions whose memory is measured
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    dtls_sessions: u32,
    /// Somebody else's DTLS to measure in the same run: a program that is given numbers of sessions,
    /// handshakes and records and prints the same figures (`tools/dtls-bench/run` brings two)
    #[arg(long, value_name = "NAME=PROGRAM", value_parser = dtls::peer)]
    dtls_peer: Vec<(String, String)>,
    /// Measure DTLS in this process and print the figures as lines
    #[arg(long, hide = true)]
    dtls_contestant: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Which part of the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// All
    All,
    /// Registrations, updates and reads over CoAP
    Coap,
    /// DTLS in memory: handshakes, records, idle sessions
    Dtls,
}

/// A child process that serves CoAP; it ends with this value.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(arguments: &[&str]) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting the server")?;
        let output = child.stdout.take().context("no output of the server")?;
        let mut lines = BufReader::new(output).lines();
        let address = lines.find_map(|line| {
            let line = line.ok()?;
            resolve("CoAP", line.strip_prefix("CoAP")?.trim(), None).ok()
        });
        let Some(address) = address else {
            let _ = child.kill();
            let _ = child.wait();
            bail!("the server ended before it told its address");
        };
        // Its later lines must go somewhere, or it would block.
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, address })
    }

    /// Resident memory in bytes.
    fn resident(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<u64>().ok());
        Ok(kib.context("no VmRSS in /proc")? * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It holds nothing that is worth a graceful end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One figure: its rates, round by round.
#[derive(Default)]
struct Figure {
    name: &'static str,
    rates: Vec<f64>,
    p99_us: Vec<f64>,
}

impl Figure {
    fn add(&mut self, measured: &Measured) -> anyhow::Result<()> {
        if let Some(error) = &measured.first_error {
            bail!("{}: unexpected answer: {error}", self.name);
        }
        self.rates.push(measured.per_second);
        self.p99_us.push(f64::from(measured.p99_us));
        Ok(())
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

pub(crate) fn run(args: &BenchArgs) -> anyhow::Result<()> {
    if args.dtls_contestant {
        return dtls::contestant(args.dtls_sessions);
    }
    if args.part != Part::Dtls {
        let folder = own_folder(&std::env::temp_dir())?;
        let result = measure(args, &folder);
        let _ = fs::remove_dir_all(&folder);
        result?;
    }
    if args.part != Part::Coap {
        // Children inherit the CPU.
        pin_to_cpu(available_cpus()[0])?;
        dtls::measure(&args.dtls_peer, args.dtls_sessions, args.rounds, args.json)?;
    }
    Ok(())
}

/// A new folder for this user alone, with a name nobody can foresee: in a folder that all may write
/// to, somebody could have put a link there that leads the durable storms into another database.
fn own_folder(parent: &Path) -> anyhow::Result<PathBuf> {
    let folder = parent.join(format!("dunlin-bench-{:016x}", OsRng::new().next_u64()));
    fs::DirBuilder::new()
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    Ok(folder)
}

fn measure(args: &BenchArgs, folder: &Path) -> anyhow::Result<()> {
    let cpus = available_cpus();
    let (server_cpu, load_cpu) = (cpus[0], *cpus.last().unwrap_or(&cpus[0]));
    let start = |arguments: &[&str]| {
        // A child inherits the CPU of the thread that starts it.
        pin_to_cpu(server_cpu)?;
        let server = Server::start(arguments);
        pin_to_cpu(load_cpu)?;
        server
    };
    let names = [
        "echo",
        "registrations",
        "updates",
        "registrations, durable",
        "updates, durable",
        "reads towards devices",
    ];
    let mut figures = names.map(|name| Figure {
        name,
        ..Figure::default()
    });
    let mut bytes_per_device = Vec::new();
    let bar = ProgressBar::new(u64::from(args.rounds) * names.len() as u64);
    bar.set_style(ProgressStyle::with_template(
        "{msg:>24} {wide_bar} {pos}/{len} eta {eta}",
    )?);
    let storm = |target| {
        let options = StormOptions {
            target,
            devices: args.devices,
            ..StormOptions::default()
        };
        Storm::new(options).context("opening sockets")
    };
    let ports = [
        "--coap",
        "127.0.0.1:0",
        "--http",
        "127.0.0.1:0",
        "--shards",
        "1",
    ];
    for round in 0..args.rounds {
        let [
            echo,
            register,
            update,
            durable_register,
            durable_update,
            reads_figure,
        ] = &mut figures;

        bar.set_message(echo.name);
        {
            let server = start(&["echo", "--coap", "127.0.0.1:0"])?;
            echo.add(&storm(server.address)?.run(Phase::Echo, |_| {}))?;
        }
        bar.inc(1);

        bar.set_message(register.name);
        {
            let server = start(&[&["serve", "--memory"][..], &ports].concat())?;
            let before = server.resident()?;
            let mut storm = storm(server.address)?;
            register.add(&storm.run(Phase::Register, |_| {}))?;
            let grown = server.resident()?.saturating_sub(before);
            bytes_per_device.push(grown as f64 / f64::from(args.devices));
            bar.inc(1);
            bar.set_message(update.name);
            update.add(&storm.run(Phase::Update, |_| {}))?;
        }
        bar.inc(1);

        bar.set_message(durable_register.name);
        {
            let data = folder.join(round.to_string());
            let data = data
                .to_str()
                .context("the folder for temporary files is not UTF-8")?;
            let server = start(&[&["serve", "--data", data][..], &ports].concat())?;
            let mut storm = storm(server.address)?;
            durable_register.add(&storm.run(Phase::Register, |_| {}))?;
            bar.inc(1);
            bar.set_message(durable_update.name);
            durable_update.add(&storm.run(Phase::Update, |_| {}))?;
        }
        bar.inc(1);

        bar.set_message(reads_figure.name);
        reads_figure.add(&reads::measure(
            server_cpu,
            load_cpu,
            args.devices.min(10_000),
        )?)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    report(args, &figures, median(&bytes_per_device));
    Ok(())
}

fn report(args: &BenchArgs, figures: &[Figure], bytes_per_device: f64) {
    let echo = median(&figures[0].rates);
    if args.json {
        let rows: Vec<_> = figures
            .iter()
            .map(|figure| {
                json!({
                    "name": figure.name,
                    "perSecond": median(&figure.rates),
                    "ratioToEcho": median(&figure.rates) / echo,
                    "p99Us": median(&figure.p99_us),
                    "rounds": figure.rates,
                })
            })
            .collect();
        let result = json!({
            "devices": args.devices,
            "rounds": args.rounds,
            "figures": rows,
            "residentBytesPerDevice": bytes_per_device,
        });
        println!("{result:#}");
        return;
    }
    println!(
        "{} devices, median of {} rounds, one shard on one CPU\n",
        args.devices, args.rounds
    );
    println!(
        "{:<24} {:>10} {:>14} {:>9}",
        "", "per second", "ratio to echo", "p99 us"
    );
    for figure in figures {
        let rate = median(&figure.rates);
        let p99 = median(&figure.p99_us);
        println!(
            "{:<24} {rate:>10.0} {:>14.2} {p99:>9.0}",
            figure.name,
            rate / echo
        );
    }
    println!("\nresident memory per registered device: {bytes_per_device:.0} bytes");
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn the_folder_is_new_and_for_this_user_alone() {
        let parent = own_folder(&std::env::temp_dir()).unwrap();
        let [first, second] = [own_folder(&parent), own_folder(&parent)].map(Result::unwrap);
        assert_ne!(first, second);
        for folder in [&parent, &first, &second] {
            assert_eq!(fs::metadata(folder).unwrap().mode() & 0o777, 0o700);
        }
        fs::remove_dir_all(parent).unwrap();
    }
}

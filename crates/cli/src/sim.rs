//! `dunlin sim`: load against any CoAP server.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use dunlin_sim::storm::{Measured, StormOptions, StormReport, storm};
use indicatif::{ProgressBar, ProgressStyle};

use crate::uri::resolve;

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Register, update and de-register many devices as fast as a server answers
    #[command(after_help = "Examples:\n  dunlin sim storm --devices 100000\n  \
        dunlin sim storm --target coap://127.0.0.1:5683 --devices 5000 --json result.json\n\n\
        Use it on servers of your own only.")]
    Storm(StormArgs),
}

#[derive(Args, Debug)]
pub(crate) struct StormArgs {
    /// Server to storm
    #[arg(long, default_value = "coap://127.0.0.1:5683")]
    target: String,
    /// How many devices
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=5_000_000))]
    devices: u32,
    /// How many source ports they share
    #[arg(long, default_value_t = 512, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    ports: u32,
    /// How many requests are under way at once
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    window: u32,
    /// How many Updates each device sends
    #[arg(long, default_value_t = 1)]
    updates: u32,
    /// Write the result as JSON to this file, or to standard output with -
    #[arg(long)]
    json: Option<String>,
}

pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    let Command::Storm(args) = command;
    let options = StormOptions {
        target: resolve("--target", &args.target, None)?,
        devices: args.devices,
        ports: args.ports,
        window: args.window,
        updates: args.updates,
        ..StormOptions::default()
    };
    let bar = ProgressBar::new(u64::from(args.devices));
    bar.set_style(ProgressStyle::with_template(
        "{msg:>12} {wide_bar} {pos}/{len} {per_sec} eta {eta}",
    )?);
    let mut phase = "";
    let report = storm(options, |name, done| {
        if name != phase || done == 0 {
            phase = name;
            bar.reset();
            bar.set_message(name);
        }
        bar.set_position(done);
    })
    .context("opening sockets; fewer --ports may help")?;
    bar.finish_and_clear();
    if args.json.as_deref() != Some("-") {
        print(&report);
    }
    let json = serde_json::to_string_pretty(&report)? + "\n";
    match args.json.as_deref() {
        Some("-") => print!("{json}"),
        Some(file) => std::fs::write(file, json).with_context(|| format!("writing {file}"))?,
        None => {}
    }
    let phases = || {
        core::iter::once(&report.register)
            .chain(&report.update)
            .chain([&report.deregister])
    };
    if let Some(error) = phases().find_map(|phase| phase.first_error.as_ref()) {
        bail!("unexpected answers; the first was: {error}");
    }
    if phases().any(|phase| phase.timeouts > 0) {
        bail!(
            "no answer to some requests; is there a server at {}?",
            args.target
        );
    }
    Ok(())
}

fn print(report: &StormReport) {
    println!(
        "{} devices on {} ports, {} requests under way",
        report.devices, report.ports, report.window
    );
    println!(
        "{:>12} {:>10} {:>9} {:>9} {:>9} {:>8} {:>7} {:>9}",
        "", "per second", "p50 us", "p99 us", "p99.9 us", "resent", "errors", "timeouts"
    );
    row("register", &report.register);
    for update in &report.update {
        row("update", update);
    }
    row("de-register", &report.deregister);
}

fn row(name: &str, measured: &Measured) {
    println!(
        "{name:>12} {:>10.0} {:>9} {:>9} {:>9} {:>8} {:>7} {:>9}",
        measured.per_second,
        measured.p50_us,
        measured.p99_us,
        measured.p999_us,
        measured.retransmissions,
        measured.errors,
        measured.timeouts
    );
}

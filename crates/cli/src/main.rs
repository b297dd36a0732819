//! The `dunlin` command.

mod bench;
mod decode;
mod demo;
mod device;
mod echo;
mod listen;
mod models;
mod object;
mod reads;
mod remote;
mod serve;
mod sim;
mod terminal;
mod uri;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{ArgAction, ArgMatches, Args, FromArgMatches, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

/// An LwM2M server, device, and the tools to look into both
#[derive(Parser, Debug)]
#[command(
    name = "dunlin",
    version,
    arg_required_else_help = true,
    after_help = "Start with:  dunlin serve --demo 3"
)]
struct Cli {
    /// Tell more on standard error; twice tells most. RUST_LOG has precedence
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run the server, with REST, console and, if wanted, demo devices
    #[command(after_help = serve::EXAMPLES, display_order = 1)]
    Serve(serve::ServeArgs),
    /// Run a device, with a shell to look into it and change it
    #[command(after_help = device::EXAMPLES, display_order = 2)]
    Device(Box<device::DeviceArgs>),
    #[command(flatten)]
    Remote(RemoteCall),
    /// Check, show or turn into Rust an object definition file
    #[command(subcommand, display_order = 50)]
    Object(object::Command),
    /// Explain a payload or a CoAP message
    #[command(after_help = decode::EXAMPLES, display_order = 51)]
    Decode(decode::DecodeArgs),
    /// Put load on a server
    #[command(subcommand, display_order = 100)]
    Sim(sim::Command),
    /// Measure the server on this machine, as ratios to a bare echo
    #[command(display_order = 101)]
    Bench(bench::BenchArgs),
    /// Send datagrams back: the yardstick of `dunlin bench`
    #[command(hide = true)]
    Echo(echo::EchoArgs),
}

/// A command of the REST API, and which server it goes to. The options stand behind each such
/// command, and nowhere else.
#[derive(Debug)]
struct RemoteCall {
    remote: remote::Remote,
    command: remote::Command,
}

impl FromArgMatches for RemoteCall {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let command = remote::Command::from_arg_matches(matches)?;
        let (_, options) = matches
            .subcommand()
            .ok_or_else(|| clap::Error::new(clap::error::ErrorKind::MissingSubcommand))?;
        let remote = remote::Remote::from_arg_matches(options)?;
        Ok(Self { remote, command })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Subcommand for RemoteCall {
    fn augment_subcommands(command: clap::Command) -> clap::Command {
        let all = remote::Command::augment_subcommands(clap::Command::new("remote"));
        let all = all.get_subcommands().cloned().enumerate();
        all.fold(command, |command, (index, one)| {
            // `augment_args` puts its own explanation over that of the command.
            let about = one.get_about().cloned().unwrap_or_default();
            let long_about = one.get_long_about().cloned();
            let one = remote::Remote::augment_args(one).about(about);
            let one = match long_about {
                Some(long_about) => one.long_about(long_about),
                None => one.long_about(None),
            };
            command.subcommand(one.display_order(10 + index))
        })
    }

    fn augment_subcommands_for_update(command: clap::Command) -> clap::Command {
        Self::augment_subcommands(command)
    }

    fn has_subcommand(name: &str) -> bool {
        remote::Command::has_subcommand(name)
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let default = match cli.verbose {
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    let result = match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::Device(args) => device::run(&args),
        Command::Remote(call) => remote::run(&call.remote, call.command),
        Command::Object(command) => return object::run(command),
        Command::Decode(args) => decode::run(&args),
        Command::Sim(command) => sim::run(command),
        Command::Bench(args) => bench::run(&args),
        Command::Echo(args) => echo::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dunlin: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn remote_options_stand_behind_remote_commands_only() {
        let cli = Cli::try_parse_from(["dunlin", "devices", "--json", "--api", "http://[::1]:1"])
            .unwrap();
        let Command::Remote(call) = cli.command else {
            panic!("{cli:?}")
        };
        assert!(
            format!("{:?}", call.remote).contains("json: true"),
            "{call:?}"
        );
        assert!(Cli::try_parse_from(["dunlin", "serve", "--api", "http://[::1]:1"]).is_err());
        let with_a_file = ["dunlin", "sim", "storm", "--json", "result.json"];
        assert!(Cli::try_parse_from(with_a_file).is_ok());
    }

    #[test]
    fn every_command_is_explained() {
        let mut seen = std::collections::BTreeSet::new();
        for command in Cli::command().get_subcommands() {
            let about = command.get_about().map(ToString::to_string);
            assert!(
                about.as_ref().is_some_and(|about| !about.is_empty()),
                "{command:?}"
            );
            assert!(
                seen.insert(about),
                "two commands are explained alike: {command:?}"
            );
        }
    }
}

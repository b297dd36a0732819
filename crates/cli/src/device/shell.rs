//! The commands of the shell.

use std::time::Duration;

use dunlin_client::{Instant, Path, RegistrationState};

use super::{Device, values};

const HELP: &str = "\
list                   all values
get PATH               the values at and below a path, as in get /3/0
set PATH VALUE         change a value; whoever observes it is told
create PATH            a new instance, as in create /3303/1
delete PATH            take an instance away
update                 send an Update; register again if every attempt has failed
offline, online        stop talking, and go on
advance-time SECONDS   move the device's clock forward
status                 where the registration stands
quit                   de-register and end";

/// What a command asks the runner for.
pub(super) enum Reply {
    Nothing,
    Text(String),
    Advance(Duration),
    Quit,
}

pub(super) fn execute(line: &str, client: &mut Device, now: Instant) -> Reply {
    let line = line.trim();
    let (command, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    match run(command, rest, client, now) {
        Ok(reply) => reply,
        Err(error) => Reply::Text(format!("error: {error:#}")),
    }
}

fn run(command: &str, rest: &str, client: &mut Device, now: Instant) -> anyhow::Result<Reply> {
    client.objects_mut().tick(now);
    Ok(match command {
        "" => Reply::Nothing,
        "help" | "?" => Reply::Text(HELP.to_owned()),
        "list" | "ls" => Reply::Text(values::list(client.all_objects(), Path::ROOT)),
        "get" => {
            let path = values::parse_path(rest)?;
            let text = values::list(client.all_objects(), path);
            if text.is_empty() {
                anyhow::bail!("there is nothing at {path}");
            }
            Reply::Text(text)
        }
        "set" => {
            let Some((path, value)) = rest.split_once([' ', '\t', '=']) else {
                anyhow::bail!("expected set PATH VALUE, as in set /3303/0/5700 21.5");
            };
            values::set(client.all_objects_mut(), path, value.trim())?;
            let path = values::parse_path(path)?;
            Reply::Text(format!("set {}", values::list(client.all_objects(), path)))
        }
        "create" => {
            let path = values::create(client.all_objects_mut(), rest)?;
            Reply::Text(format!("created {path}"))
        }
        "delete" => {
            let path = values::delete(client.all_objects_mut(), rest)?;
            Reply::Text(format!("deleted {path}"))
        }
        "update" => {
            match (client.state(), client.server_address()) {
                // Without a registration there is nothing to update: begin anew.
                (RegistrationState::Idle | RegistrationState::Failed, Some(server)) => {
                    client.connect(now, server);
                }
                _ => client.update(now),
            }
            Reply::Nothing
        }
        "offline" => {
            client.offline();
            Reply::Text("offline".to_owned())
        }
        "online" => {
            client.online(now);
            Reply::Text("online".to_owned())
        }
        "advance-time" => {
            let seconds: u32 = rest
                .parse()
                .map_err(|_| anyhow::anyhow!("expected advance-time SECONDS"))?;
            Reply::Advance(Duration::from_secs(u64::from(seconds)))
        }
        "status" => Reply::Text(status(client, now)),
        "quit" | "exit" => Reply::Quit,
        _ => anyhow::bail!("unknown command {command}; type help for the commands"),
    })
}

fn status(client: &Device, now: Instant) -> String {
    let seconds = |at: Instant| at.saturating_since(now).as_secs();
    let state = if client.is_offline() {
        "offline".to_owned()
    } else {
        format!("{:?}", client.state()).to_lowercase()
    };
    let mut text = format!(
        "{state} endpoint {} version {} lifetime {} s",
        client.config().endpoint,
        client.version(),
        client.server().lifetime
    );
    if let Some(server) = client.server_address() {
        text += &format!(" server coap://{server}");
    }
    let location = client.location().to_string();
    if !location.is_empty() {
        text += &format!(" location {location}");
    }
    if let Some(expires) = client.expires() {
        text += &format!("\nexpires in {} s", seconds(expires));
    }
    if let Some(next) = client.next_timeout() {
        text += &format!("\nnext action in {} s", seconds(next));
    }
    for path in client.observed() {
        text += &format!("\nobserved {path}");
    }
    let (stats, dropped) = (client.stats(), client.dropped());
    text += &format!(
        "\nreceived {} sent {} retransmitted {} dropped {}",
        stats.received,
        stats.sent,
        stats.retransmitted,
        stats.dropped_total()
            + u64::from(dropped.foreign)
            + u64::from(dropped.offline)
            + u64::from(dropped.unregistered)
    );
    text
}

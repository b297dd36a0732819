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
update [ID]            send an Update to each server, or to the one of this Short Server ID; register
                       again where every attempt has failed
record PATH            keep the values at a path, with the time, for the next send
send [PATH]...         report what was recorded and the values at the paths (Send), as in
                       send /3303/0/5700 /3/0/9
leave [ID]             de-register from each server, or from one; update comes back
offline, online        stop talking, and go on
rebind                 go on from another local port; a session with a connection id stays
session                how the DTLS sessions stand
sleep                  end without a word, as in deep sleep; with --state the sessions go on later
advance-time SECONDS   move the device's clock forward
status                 where the registration stands
quit                   de-register and end";

/// What a command asks the runner for.
pub(super) enum Reply {
    Nothing,
    Text(String),
    Advance(Duration),
    Rebind,
    /// How the sessions stand.
    Session,
    /// To end without a word.
    Sleep,
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
        "list" | "ls" => Reply::Text(values::list(&client.all_objects(), Path::ROOT)),
        "get" => {
            let path = values::parse_path(rest)?;
            let text = values::list(&client.all_objects(), path);
            if text.is_empty() {
                anyhow::bail!("there is nothing at {path}");
            }
            Reply::Text(text)
        }
        "set" => {
            let Some((path, value)) = rest.split_once([' ', '\t', '=']) else {
                anyhow::bail!("expected set PATH VALUE, as in set /3303/0/5700 21.5");
            };
            values::set(&mut client.all_objects_mut(), path, value.trim())?;
            let path = values::parse_path(path)?;
            Reply::Text(format!("set {}", values::list(&client.all_objects(), path)))
        }
        "create" => {
            let path = values::create(&mut client.all_objects_mut(), rest)?;
            Reply::Text(format!("created {path}"))
        }
        "delete" => {
            let path = values::delete(&mut client.all_objects_mut(), rest)?;
            Reply::Text(format!("deleted {path}"))
        }
        "update" => {
            for id in servers(client, rest)? {
                update(client, now, id)?;
            }
            Reply::Nothing
        }
        "record" => {
            let path = values::parse_path(rest)?;
            for id in servers(client, "")? {
                client.record(now, id, path)?;
            }
            Reply::Text(format!("recorded {path}"))
        }
        "send" => {
            let paths = rest.split_whitespace().map(values::parse_path);
            let paths = paths.collect::<anyhow::Result<Vec<_>>>()?;
            let mut ids = Vec::new();
            for id in servers(client, "")? {
                ids.push(client.send(now, id, &paths, true)?.to_string());
            }
            Reply::Text(format!("report {}: on its way", ids.join(", ")))
        }
        "leave" => {
            for id in servers(client, rest)? {
                client.deregister_from(id)?;
            }
            Reply::Nothing
        }
        "rebind" => Reply::Rebind,
        "session" | "sessions" => Reply::Session,
        "sleep" => Reply::Sleep,
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

/// The Short Server IDs a command is about: the one it names, or all.
fn servers(client: &Device, text: &str) -> anyhow::Result<Vec<u16>> {
    if text.is_empty() {
        return Ok(client
            .accounts()
            .map(|account| account.short_server_id())
            .collect());
    }
    match text.parse() {
        Ok(id) if client.account(id).is_some() => Ok(vec![id]),
        _ => anyhow::bail!("there is no server {text}; status shows them"),
    }
}

/// Sends an Update; where there is no registration to update, begins anew.
fn update(client: &mut Device, now: Instant, id: u16) -> anyhow::Result<()> {
    let Some(account) = client.account(id) else {
        return Ok(());
    };
    match (account.state(), account.address()) {
        (RegistrationState::Idle | RegistrationState::Failed, Some(address)) => {
            client.connect_to(now, id, address)?;
        }
        _ => client.update_at(now, id)?,
    }
    Ok(())
}

fn status(client: &Device, now: Instant) -> String {
    let seconds = |at: Instant| at.saturating_since(now).as_secs();
    let mut text = String::new();
    for account in client.accounts() {
        let state = if client.is_offline() {
            "offline".to_owned()
        } else {
            format!("{:?}", account.state()).to_lowercase()
        };
        text += &format!(
            "{state} endpoint {} version {} lifetime {} s",
            client.config().endpoint,
            account.version(),
            account.server().lifetime
        );
        if let Some(server) = account.address() {
            let scheme = super::scheme(&account);
            text += &format!(" server {} {scheme}://{server}", account.short_server_id());
        }
        let location = account.location().to_string();
        if !location.is_empty() {
            text += &format!(" location {location}");
        }
        if let Some(expires) = account.expires() {
            text += &format!("\nexpires in {} s", seconds(expires));
        }
        for path in account.observed() {
            text += &format!("\nobserved {path}");
        }
        text += "\n";
    }
    if let Some(awake) = client.awake_until().filter(|_| client.config().queue_mode) {
        text += &format!("awake for {} s\n", seconds(awake));
    }
    if let Some(next) = client.next_timeout() {
        text += &format!("next action in {} s\n", seconds(next));
    }
    let (stats, dropped) = (client.stats(), client.dropped());
    text += &format!(
        "received {} sent {} retransmitted {} dropped {}",
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

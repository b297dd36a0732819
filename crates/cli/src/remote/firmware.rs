//! `dunlin firmware`.

use core::time::Duration;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::api::Api;
use super::print;
use crate::terminal::{self, shown};

/// How often it is asked how an update stands.
const POLL: Duration = Duration::from_millis(300);

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// List the images the server has
    List,
    /// Add an image to the server
    Add {
        /// The image
        file: PathBuf,
        /// Name for people and devices [default: that of the file]
        #[arg(long)]
        name: Option<String>,
    },
    /// Remove an image from the server
    Remove {
        /// Id, the begin of an id, or name
        image: String,
    },
    /// Bring an image to a device and install it
    #[command(
        after_help = "It goes on when this command ends, also after a restart of the server.\n\n\
        Examples:\n  dunlin firmware update demo-1 new.bin --wait\n  \
        dunlin firmware update demo-1 3f2a --pull --no-install"
    )]
    Update(UpdateArgs),
    /// Show how the latest update of a device stands
    Status {
        /// Endpoint client name
        endpoint: String,
    },
    /// Cancel an update, unless the device installs already
    Cancel {
        /// Endpoint client name
        endpoint: String,
    },
}

#[derive(Args, Debug)]
pub(crate) struct UpdateArgs {
    /// Endpoint client name
    endpoint: String,
    /// Id, the begin of an id, or name of an image; or a file, which is added first
    image: String,
    /// Write the image to the device [default: what the device can]
    #[arg(long, conflicts_with = "pull")]
    push: bool,
    /// Let the device fetch the image over CoAP
    #[arg(long)]
    pull: bool,
    /// Leave the image on the device without installing it
    #[arg(long)]
    no_install: bool,
    /// Show the progress until it has ended
    #[arg(long)]
    wait: bool,
}

pub(super) fn run(api: &Api, command: Command, as_json: bool) -> anyhow::Result<()> {
    let show = |answer: &Value, words: fn(&Value) -> String| {
        print::out(&match as_json {
            true => terminal::json(answer, true) + "\n",
            false => words(answer),
        })
    };
    match command {
        Command::List => show(&api.get(&api.url("/firmware"), &[])?, print::images),
        Command::Add { file, name } => show(&add(api, &file, name)?, print::image),
        Command::Remove { image } => {
            let id = find(api, &image)?.with_context(|| unknown(&image))?;
            api.send("DELETE", &api.url(&format!("/firmware/{id}")), &[], None)?;
            show(&json!({ "id": id }), |answer| {
                format!("{} is removed\n", print::word(&answer["id"]))
            })
        }
        Command::Update(args) => update(api, &args, as_json),
        Command::Status { endpoint } => show(
            &api.get(&api.device(&endpoint, "/firmware"), &[])?,
            print::update,
        ),
        Command::Cancel { endpoint } => {
            let url = api.device(&endpoint, "/firmware");
            show(&api.send("DELETE", &url, &[], None)?, |_| {
                "being cancelled\n".to_owned()
            })
        }
    }
}

fn unknown(image: &str) -> String {
    format!("there is no image {image:?}; `dunlin firmware list` shows those there are")
}

fn add(api: &Api, file: &Path, name: Option<String>) -> anyhow::Result<Value> {
    let content = std::fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let name = name.unwrap_or_else(|| {
        let name = file.file_name().unwrap_or(file.as_os_str());
        name.to_string_lossy().into_owned()
    });
    api.upload(&api.url("/firmware"), &[("name", name)], &content)
}

/// The id of the image that is meant: by id, by name, by the begin of an id.
fn find(api: &Api, image: &str) -> anyhow::Result<Option<String>> {
    let list = api.get(&api.url("/firmware"), &[])?;
    let images: Vec<(&str, &str)> = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|image| Some((image["id"].as_str()?, image["name"].as_str()?)))
        .collect();
    choose(&images, image).map(|id| id.map(str::to_owned))
}

fn choose<'a>(images: &[(&'a str, &str)], image: &str) -> anyhow::Result<Option<&'a str>> {
    let exact = images.iter().filter(|(id, _)| *id == image);
    let named = images.iter().filter(|(_, name)| *name == image);
    let begun = images
        .iter()
        .filter(|(id, _)| image.len() >= 4 && id.starts_with(image));
    let found: [Vec<_>; 3] = [exact.collect(), named.collect(), begun.collect()];
    match found.iter().find(|found| !found.is_empty()) {
        None => Ok(None),
        Some(found) if found.len() == 1 => Ok(Some(found[0].0)),
        Some(found) => bail!(
            "{} images are meant by {image:?}; give more of the id",
            found.len()
        ),
    }
}

fn update(api: &Api, args: &UpdateArgs, as_json: bool) -> anyhow::Result<()> {
    let file = Path::new(&args.image);
    let id = match find(api, &args.image)? {
        Some(id) => id,
        None if file.is_file() => {
            let added = add(api, file, None)?;
            added["id"].as_str().unwrap_or_default().to_owned()
        }
        None => bail!(unknown(&args.image)),
    };
    let method = match (args.push, args.pull) {
        (true, _) => "push",
        (_, true) => "pull",
        _ => "auto",
    };
    let body = json!({ "image": id, "method": method, "install": !args.no_install });
    let url = api.device(&args.endpoint, "/firmware");
    let mut status = api.send("POST", &url, &[], Some(&body))?;
    if args.wait {
        status = wait(api, &url, status)?;
    }
    if as_json {
        print::out(&(terminal::json(&status, true) + "\n"))?;
    } else if args.wait {
        let text = shown(status["stateText"].as_str().unwrap_or_default());
        if status["state"] == "done" {
            print::out(&(text + "\n"))?;
        } else {
            bail!("{}: {text}", print::word(&status["state"]));
        }
    } else {
        let endpoint = shown(&args.endpoint);
        print::out(&format!(
            "begun; `dunlin firmware status {endpoint}` shows how it stands\n"
        ))?;
    }
    if args.wait && status["state"] != "done" {
        std::process::exit(1);
    }
    Ok(())
}

/// Shows the progress until the update has ended; how it ended.
fn wait(api: &Api, url: &str, mut status: Value) -> anyhow::Result<Value> {
    let bar = ProgressBar::new(status["size"].as_u64().unwrap_or(0));
    let style = ProgressStyle::with_template(
        "{bar:30} {bytes:>11} of {total_bytes} {bytes_per_sec:>13}  {msg}",
    );
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    loop {
        bar.set_position(status["sent"].as_u64().unwrap_or(0));
        bar.set_message(shown(status["stateText"].as_str().unwrap_or_default()));
        if !status["finishedAt"].is_null() {
            bar.finish_and_clear();
            return Ok(status);
        }
        std::thread::sleep(POLL);
        status = api.get(url, &[])?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_found_by_id_name_or_begin_of_the_id() {
        let images = [
            ("0123456789abcdef", "old.bin"),
            ("0123ffff89abcdef", "new.bin"),
            ("fedcba9876543210", "new.bin"),
        ];
        let find = |image| choose(&images, image);
        assert_eq!(find("0123456789abcdef").unwrap(), Some("0123456789abcdef"));
        assert_eq!(find("old.bin").unwrap(), Some("0123456789abcdef"));
        assert_eq!(find("fedc").unwrap(), Some("fedcba9876543210"));
        assert_eq!(find("fed").unwrap(), None, "too short to be meant");
        assert_eq!(find("other").unwrap(), None);
        assert!(
            find("new.bin")
                .unwrap_err()
                .to_string()
                .contains("2 images")
        );
        assert!(find("0123").is_err());
    }
}

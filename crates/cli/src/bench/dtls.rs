//! The DTLS part of `dunlin bench`: this server's DTLS, and that of others where programs are given
//! that measure it in the same way.

use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use dunlin_net::OsRng;
use dunlin_sim::dtls::{DtlsOptions, measure_dtls};
use serde_json::json;

use super::median;

/// The figures by the names that contestants print, with what they are.
const FIGURES: [(&str, &str); 7] = [
    ("psk_handshakes", "PSK handshakes"),
    ("ecdsa_handshakes", "ECDSA handshakes"),
    ("ccm_8_sealed", "records sealed, CCM_8"),
    ("ccm_8_opened", "records opened, CCM_8"),
    ("gcm_sealed", "records sealed, GCM"),
    ("gcm_opened", "records opened, GCM"),
    ("session_bytes", "bytes per idle session"),
];

/// Somebody whose DTLS is measured.
struct Contestant {
    name: String,
    program: String,
    arguments: Vec<String>,
    version: String,
    /// By figure, then by round.
    values: [Vec<f64>; FIGURES.len()],
}

/// What this process measures of itself, as lines of names and values: what contestants print.
pub(super) fn contestant(sessions: u32) -> anyhow::Result<()> {
    let options = DtlsOptions {
        sessions,
        ..DtlsOptions::default()
    };
    let figures = measure_dtls(options, &mut OsRng::new()).map_err(anyhow::Error::msg)?;
    for (name, value) in [
        ("psk_handshakes", figures.psk_handshakes),
        ("ecdsa_handshakes", figures.ecdsa_handshakes),
        ("ccm_8_sealed", figures.ccm_8_sealed),
        ("ccm_8_opened", figures.ccm_8_opened),
        ("gcm_sealed", figures.gcm_sealed),
        ("gcm_opened", figures.gcm_opened),
        ("session_bytes", figures.session_bytes),
    ] {
        println!("{name} {value}");
    }
    println!("version {}", env!("CARGO_PKG_VERSION"));
    Ok(())
}

impl Contestant {
    fn measure(&mut self) -> anyhow::Result<()> {
        let output = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("starting {}", self.program))?;
        if !output.status.success() {
            bail!("{} ended with {}", self.program, output.status);
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let value = |wanted: &str| {
            text.lines()
                .filter_map(|line| line.split_once(' '))
                .find_map(|(name, value)| (name == wanted).then_some(value))
                .with_context(|| format!("{} does not tell {wanted}", self.program))
        };
        for ((name, _), values) in FIGURES.iter().zip(&mut self.values) {
            values.push(
                value(name)?
                    .parse()
                    .with_context(|| format!("{name} is no number"))?,
            );
        }
        self.version = value("version")?.to_owned();
        Ok(())
    }
}

/// Measures this program and each of `peers` (name and program) so many times, in turns.
pub(super) fn measure(
    peers: &[(String, String)],
    sessions: u32,
    rounds: u32,
    as_json: bool,
) -> anyhow::Result<()> {
    let options = DtlsOptions::default();
    let own = std::env::current_exe()?.display().to_string();
    let sessions_text = sessions.to_string();
    let mut contestants = vec![Contestant {
        name: "dunlin".to_owned(),
        program: own,
        arguments: [
            "bench",
            "--dtls-contestant",
            "--dtls-sessions",
            &sessions_text,
        ]
        .map(str::to_owned)
        .to_vec(),
        version: String::new(),
        values: Default::default(),
    }];
    contestants.extend(peers.iter().map(|(name, program)| {
        Contestant {
            name: name.clone(),
            program: program.clone(),
            // A tenth of the sessions: theirs take gigabytes otherwise.
            arguments: [(sessions / 10).max(1), options.handshakes, options.records]
                .map(|number| number.to_string())
                .to_vec(),
            version: String::new(),
            values: Default::default(),
        }
    }));
    for _ in 0..rounds {
        for contestant in &mut contestants {
            contestant.measure()?;
        }
    }
    report(&contestants, sessions, rounds, as_json);
    Ok(())
}

fn report(contestants: &[Contestant], sessions: u32, rounds: u32, as_json: bool) {
    if as_json {
        let rows: Vec<_> = contestants
            .iter()
            .map(|contestant| {
                let figures: serde_json::Map<_, _> = FIGURES
                    .iter()
                    .zip(&contestant.values)
                    .map(|((name, _), values)| ((*name).to_owned(), json!(median(values))))
                    .collect();
                json!({"name": contestant.name, "version": contestant.version, "figures": figures})
            })
            .collect();
        let result = json!({"dtls": rows, "sessions": sessions, "rounds": rounds});
        println!("{result:#}");
        return;
    }
    println!(
        "\nDTLS, median of {rounds} rounds: per second of the server's CPU time, and memory at \
         {sessions} sessions\n"
    );
    print!("{:<24}", "");
    for contestant in contestants {
        let version = contestant.version.split(' ').next().unwrap_or_default();
        print!(" {:>18}", format!("{} {version}", contestant.name));
    }
    println!();
    for (index, (_, name)) in FIGURES.iter().enumerate() {
        print!("{name:<24}");
        for contestant in contestants {
            print!(" {:>18.0}", median(&contestant.values[index]));
        }
        println!();
    }
}

/// `NAME=PROGRAM`.
pub(super) fn peer(text: &str) -> Result<(String, String), String> {
    let (name, program) = text.split_once('=').ok_or("it must be NAME=PROGRAM")?;
    Ok((name.to_owned(), program.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scripted(lines: &str) -> Contestant {
        Contestant {
            name: "scripted".to_owned(),
            program: "sh".to_owned(),
            arguments: vec!["-c".to_owned(), format!("printf '{lines}'")],
            version: String::new(),
            values: Default::default(),
        }
    }

    #[test]
    fn a_contestant_is_read_by_its_lines() {
        let lines: String = FIGURES
            .iter()
            .enumerate()
            .map(|(index, (name, _))| format!("{name} {index}.5\\n"))
            .collect();
        let mut contestant = scripted(&format!("{lines}version 3.0 of today\\n"));
        contestant.measure().unwrap();
        assert_eq!(contestant.values[0], [0.5]);
        assert_eq!(contestant.values[6], [6.5]);
        assert_eq!(contestant.version, "3.0 of today");
    }

    #[test]
    fn a_contestant_that_leaves_a_figure_out_is_named() {
        let error = scripted("psk_handshakes 1\\n").measure().unwrap_err();
        assert_eq!(error.to_string(), "sh does not tell ecdsa_handshakes");
    }
}

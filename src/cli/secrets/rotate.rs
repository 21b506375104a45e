//! `secrets rotate`.

use std::io::{IsTerminal, Write};

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::super::administration::Administration;
use super::super::output;
use super::vault;
use crate::store::redis::Rotation;

pub(super) const STEPS: &str = "\
To exchange the key:
  1. sidemirror secrets generate-key NEW.key
  2. name NEW.key as mirror.secret_key_file and the old file in mirror.previous_secret_key_files, on all nodes,
     and restart the workers
  3. sidemirror secrets rotate         (it may be broken off and run again)
  4. take the old file out of the configuration, restart, and destroy it";

#[derive(Debug, Args)]
pub(super) struct RotateArgs {
    /// Throw away what none of the keys opens, where a key is lost; those mirrors then need their secrets again
    #[arg(long)]
    discard_unreadable: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn rotate(administration: &Administration, args: &RotateArgs) -> anyhow::Result<()> {
    // With a lost key in use, nobody could ever begin.
    if !args.discard_unreadable {
        administration.ready_to_seal().await?;
    }
    let mut progress = Progress { shown: false };
    let rotation =
        vault(administration)?.rotate(args.discard_unreadable, &mut |rotation| progress.show(rotation)).await?;
    progress.end();
    report(&rotation, args.json)?;
    if rotation.unreadable > 0 {
        bail!(
            "{} secrets could not be opened and stay as they are; name the files with their keys in \
             mirror.previous_secret_key_files, or throw them away with --discard-unreadable",
            rotation.unreadable
        );
    }
    Ok(())
}

fn report(rotation: &Rotation, json: bool) -> anyhow::Result<()> {
    if json {
        let named = rotation.named.iter().map(|unopened| {
            json!({
                "direction": unopened.mirror.direction,
                "id": unopened.mirror.id,
                "secret": unopened.secret.to_string(),
                "problem": unopened.problem.to_string(),
            })
        });
        return output::json(&json!({
            "mirrors": rotation.mirrors,
            "resealed": rotation.resealed,
            "discarded": rotation.discarded,
            "unreadable": rotation.unreadable,
            "unopened": named.collect::<Vec<_>>(),
        }));
    }
    for unopened in &rotation.named {
        let (direction, id) = (unopened.mirror.direction, unopened.mirror.id);
        output::line(&format!("{direction} mirror {id}, {}: {}", unopened.secret, unopened.problem))?;
    }
    let Rotation { mirrors, resealed, discarded, .. } = rotation;
    let discarded = if *discarded > 0 { format!(", threw {discarded} away") } else { String::new() };
    output::line(&format!("sealed {resealed} secrets anew{discarded}; looked at {mirrors} mirrors"))
}

/// How far it has come, where somebody watches.
struct Progress {
    shown: bool,
}

impl Progress {
    fn show(&mut self, rotation: &Rotation) {
        let mut terminal = std::io::stderr();
        if terminal.is_terminal() {
            self.shown = true;
            // Whoever cannot be told misses nothing but this.
            let _ = write!(terminal, "\r{} mirrors, {} secrets sealed anew", rotation.mirrors, rotation.resealed);
        }
    }

    fn end(&self) {
        if self.shown {
            let _ = writeln!(std::io::stderr());
        }
    }
}

//! `secrets rotate`.

use std::io::{BufRead, IsTerminal, Read, Write};

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::super::administration::Administration;
use super::super::{output, secret_key};
use super::vault;
use crate::store::redis::{Rotation, Vault};

/// Bytes of an answer; only `yes` is one.
const LONGEST_ANSWER: u64 = 16;

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
    /// Do not ask whether that is meant
    #[arg(long, requires = "discard_unreadable")]
    yes: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn rotate(administration: &Administration, args: &RotateArgs) -> anyhow::Result<()> {
    let vault = vault(administration)?;
    // With a lost key in use, nobody could ever begin.
    if args.discard_unreadable {
        if !is_meant(&vault, administration, args.yes).await? {
            bail!("nothing was changed");
        }
    } else {
        administration.ready_to_seal().await?;
    }
    let mut progress = Progress { shown: false };
    let rotation = vault.rotate(args.discard_unreadable, &mut |rotation| progress.show(rotation)).await?;
    progress.end();
    report(&rotation, args.json)?;
    if rotation.unreadable > 0 {
        bail!(
            "{} secrets could not be opened and stay as they are; name the files with their keys in \
             mirror.previous_secret_key_files, or throw them away with --discard-unreadable (not those of mirrors \
             whose records are not readable: remove these mirrors, or use a newer sidemirror)",
            rotation.unreadable
        );
    }
    if rotation.contended > 0 {
        bail!(
            "{} secrets were being changed by others all the time and may still be sealed with an earlier key; run it \
             again",
            rotation.contended
        );
    }
    Ok(())
}

/// Shows how many secrets there are under which key, and makes sure that somebody wants to lose those that none opens.
async fn is_meant(vault: &Vault, administration: &Administration, yes: bool) -> anyhow::Result<bool> {
    let keys = secret_key::sealing_keys(&administration.config)?;
    let mut terminal = std::io::stderr();
    for (id, secrets) in vault.count().await? {
        let what = match id.as_str() {
            "" => "not sealed at all: thrown away".to_owned(),
            id if keys.ids().any(|ours| ours == id) => format!("key {id}: kept, unless damaged"),
            id => format!("key {id}, which is not configured: thrown away"),
        };
        // Whoever cannot be told can still not say yes by mistake.
        let _ = writeln!(terminal, "{secrets} secrets, {what}");
    }
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        bail!("--discard-unreadable throws secrets away for good: give --yes, too, or run it on a terminal");
    }
    let _ = write!(terminal, "Throw them away for good? (yes/no) ");
    let mut answer = String::new();
    std::io::stdin().lock().take(LONGEST_ANSWER).read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

fn report(rotation: &Rotation, json: bool) -> anyhow::Result<()> {
    if json {
        let named = rotation.named.iter().map(|unopened| {
            json!({
                "direction": unopened.mirror.direction,
                "id": unopened.mirror.id,
                "secret": unopened.secret.to_string(),
                "problem": unopened.problem,
            })
        });
        return output::json(&json!({
            "mirrors": rotation.mirrors,
            "resealed": rotation.resealed,
            "discarded": rotation.discarded,
            "unreadable": rotation.unreadable,
            "contended": rotation.contended,
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

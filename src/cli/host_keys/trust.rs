//! `host-keys trust`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use chrono::Utc;
use clap::Args;
use russh::keys::PublicKey;

use super::super::administration::Administration;
use super::super::mirror::secret_file;
use super::super::mirror::{Which, existing, missing};
use super::super::output;
use super::view::View;
use super::{detected, ssh_url, written};
use crate::mirror::record::Mirror;
use crate::net::RemoteUrl;
use crate::net::host_keys::{Fingerprint, KnownHosts, Verdict};
use crate::store::SecretsChange;

#[derive(Debug, Args)]
pub(super) struct TrustArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    source: Source,
    /// With --detect: store only keys with these fingerprints (`SHA256:...` or `MD5:...`), and fail if there is none.
    /// Repeatable
    #[arg(long, value_name = "FINGERPRINT", requires = "detect")]
    fingerprint: Vec<String>,
    /// Print what is stored then as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Source {
    /// Store the keys that the mirror's server has now, in the place of those stored before; revoked keys and
    /// authorities stay
    #[arg(long)]
    detect: bool,
    /// Store the lines of this file, a `known_hosts`, in the place of all that is stored (`-`: the standard input)
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) async fn trust(administration: &Administration, args: &TrustArgs) -> anyhow::Result<()> {
    let before = existing(administration, &args.which).await?.settings;
    let url = ssh_url(&before.url)?;
    let old = before.reach.known_hosts;
    let new = match &args.source.file {
        Some(file) => from_file(file, &url)?,
        None => from_server(administration, args, &url, &old).await?,
    };
    let mut change = |mirror: &mut Mirror| {
        let changed = mirror.settings.reach.known_hosts != new;
        mirror.settings.reach.known_hosts.clone_from(&new);
        // What failed for want of them is tried again.
        if changed {
            mirror.state.begin_anew(mirror.settings.direction(), Utc::now());
        }
        Ok(())
    };
    let key = args.which.key();
    administration.ready_to_reseal(key).await?;
    let mirror = administration.store.change(key, &mut change, &SecretsChange::default()).await?;
    mirror.with_context(|| missing(key))?;
    if args.json {
        return View::of(&new).print(true);
    }
    let difference = difference(&old, &new);
    let name = format!("{} mirror {}", key.direction, key.id);
    if difference.is_empty() {
        return output::line(&format!("{name} trusts the same host keys as before"));
    }
    output::line(&format!("{name} trusts other host keys now:\n{}", difference.join("\n")))
}

fn from_file(file: &std::path::Path, url: &RemoteUrl) -> anyhow::Result<String> {
    let text = secret_file::text("--file", file)?;
    let known = KnownHosts::parse_strictly(&text).with_context(|| format!("--file {}", file.display()))?;
    if known.of(url.host(), url.port()).is_empty() {
        bail!("--file {}: no line of it is about {}", file.display(), url.authority());
    }
    Ok(text.as_str().to_owned())
}

async fn from_server(
    administration: &Administration,
    args: &TrustArgs,
    url: &RemoteUrl,
    old: &str,
) -> anyhow::Result<String> {
    let mut keys = detected(&administration.config, url).await?;
    let trusted = KnownHosts::parse(old).of(url.host(), url.port());
    if let Some(key) = keys.iter().find(|key| trusted.judge(&(*key).clone().into()) == Verdict::Revoked) {
        bail!("{} shows a key that is marked as revoked: {}", url.authority(), Fingerprint::of(key));
    }
    if !args.fingerprint.is_empty() {
        let shown: Vec<String> = keys.iter().map(|key| Fingerprint::of(key).to_string()).collect();
        keys.retain(|key| args.fingerprint.iter().any(|wanted| is_of(wanted, key)));
        if keys.is_empty() {
            bail!("{} has no key with this fingerprint; it shows {}", url.authority(), shown.join(", "));
        }
    }
    let kept = old.lines().filter(|line| line.trim_start().starts_with('@')).map(|line| line.to_owned() + "\n");
    Ok(kept.collect::<String>() + &written(url, &keys)?)
}

/// Whether somebody has written down this key's fingerprint.
fn is_of(wanted: &str, key: &PublicKey) -> bool {
    let found = Fingerprint::of(key);
    let md5 = wanted.strip_prefix("MD5:").unwrap_or(wanted);
    found.sha256 == wanted.trim_end_matches('=') || found.md5.eq_ignore_ascii_case(md5)
}

/// The lines that came and went, by their fingerprints.
fn difference(old: &str, new: &str) -> Vec<String> {
    let marked = |text: &str| -> Vec<String> {
        let lines = text.lines().flat_map(|line| {
            let marker = line.trim_start().split(' ').next().filter(|first| first.starts_with('@')).unwrap_or_default();
            let found = KnownHosts::parse(line).fingerprints();
            found.into_iter().map(move |fingerprint| format!("{marker} {fingerprint}").trim_start().to_owned())
        });
        lines.collect()
    };
    let (old, new) = (marked(old), marked(new));
    let gone = old.iter().filter(|line| !new.contains(line)).map(|line| format!("- {line}"));
    let come = new.iter().filter(|line| !old.contains(line)).map(|line| format!("+ {line}"));
    gone.chain(come).collect()
}

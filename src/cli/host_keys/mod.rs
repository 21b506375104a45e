//! `sidemirror host-keys …`: which SSH servers are trusted.

mod detect;
mod show;
mod trust;
mod view;

use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use russh::keys::PublicKey;
use tokio_util::sync::CancellationToken;

use super::ConfigArgs;
use super::administration::Administration;
use crate::config::Config;
use crate::net::{Access, Allowance, Deadline, RemoteUrl, Scheme};

/// For all kinds of key together.
const DETECTION: Duration = Duration::from_mins(1);

#[derive(Debug, Args)]
pub(super) struct HostKeysArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Ask a server for its host keys; nothing is stored or trusted
    Detect(detect::DetectArgs),
    /// Show the host keys that a mirror trusts
    Show(show::ShowArgs),
    /// Have a mirror trust host keys
    Trust(trust::TrustArgs),
}

pub(super) fn run(args: HostKeysArgs) -> anyhow::Result<()> {
    let config = args.config.load()?;
    match args.command {
        Command::Detect(args) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(detect::detect(&config, &args))
        }
        Command::Show(args) => {
            Administration::with(config, |administration| async move { show::show(&administration, &args).await })
        }
        Command::Trust(args) => {
            Administration::with(config, |administration| async move { trust::trust(&administration, &args).await })
        }
    }
}

/// An address that has host keys.
fn ssh_url(text: &str) -> anyhow::Result<RemoteUrl> {
    let url = RemoteUrl::parse(text)?;
    if url.scheme() != Scheme::Ssh {
        bail!("{url} is no SSH address; only SSH servers have host keys");
    }
    Ok(url)
}

/// The host keys that a server proves, found by the rules of the configuration.
async fn detected(config: &Config, url: &RemoteUrl) -> anyhow::Result<Vec<PublicKey>> {
    let door = super::door::open(config)?;
    let allowance = Allowance::until(Deadline::after(DETECTION));
    let session = door.session(url.clone(), Access::default(), allowance, CancellationToken::new());
    let found = tokio::task::spawn_blocking(move || session.host_keys()).await??;
    if found.is_empty() {
        bail!("{} has no host key of a kind that is accepted (Ed25519, ECDSA, RSA)", url.authority());
    }
    Ok(found)
}

/// Lines of `known_hosts` for these keys.
fn written(url: &RemoteUrl, keys: &[PublicKey]) -> anyhow::Result<String> {
    let lines = keys.iter().map(|key| crate::net::host_keys::line(url.host(), url.port(), key));
    let lines: Option<Vec<String>> = lines.collect();
    Ok(lines.context("a host key cannot be written down")?.join("\n") + "\n")
}

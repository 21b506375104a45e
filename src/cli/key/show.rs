//! `key show`.

use anyhow::Context;
use clap::Args;

use super::super::administration::Administration;
use super::super::mirror::{Which, existing};
use super::view::View;
use crate::net::ssh::SshKey;

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn show(administration: &Administration, args: &ShowArgs) -> anyhow::Result<()> {
    let mirror = existing(administration, &args.which).await?;
    let secrets = administration.store.secrets(&mirror).await?;
    let text = secrets.ssh_key.context("the mirror has no key; `sidemirror key generate` makes one")?;
    let key = SshKey::read(&text, secrets.ssh_passphrase.as_ref())?;
    View::of(args.which.key(), &key)?.print(args.json)
}

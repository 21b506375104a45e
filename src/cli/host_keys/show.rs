//! `host-keys show`.

use clap::Args;

use super::super::administration::Administration;
use super::super::mirror::{Which, existing};
use super::super::output;
use super::view::View;

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
    let stored = &mirror.settings.reach.known_hosts;
    if stored.is_empty() && !args.json {
        return output::line("no host keys are stored; `sidemirror host-keys trust` stores some");
    }
    View::of(stored).print(args.json)
}

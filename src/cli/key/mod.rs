//! `sidemirror key …`: the keys with which mirrors log in over SSH.

mod generate;
mod show;
mod view;

use clap::{Args, Subcommand};

use super::ConfigArgs;
use super::administration::Administration;

#[derive(Debug, Args)]
pub(super) struct KeyArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key for a mirror, which logs in with it from then on; the private half is stored sealed and never shown
    Generate(generate::GenerateArgs),
    /// Show the public half of a mirror's key
    Show(show::ShowArgs),
}

pub(super) fn run(args: KeyArgs) -> anyhow::Result<()> {
    let config = args.config.load()?;
    Administration::with(config, |administration| async move {
        match args.command {
            Command::Generate(args) => generate::generate(&administration, &args).await,
            Command::Show(args) => show::show(&administration, &args).await,
        }
    })
}

//! `sidemirror job …`: single jobs.

mod cancel;
mod quarantined;
mod release;

use clap::{Args, Subcommand};

use super::ConfigArgs;
use super::administration::Administration;

#[derive(Debug, Args)]
pub(super) struct JobArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Cancel a job wherever it is, waiting or running; it ends in the dead set
    Cancel(cancel::CancelArgs),
    /// List the jobs that were set aside because their workers died under them
    Quarantined(quarantined::QuarantinedArgs),
    /// Put a job that was set aside back into its queue
    Release(release::ReleaseArgs),
}

pub(super) fn run(args: JobArgs) -> anyhow::Result<()> {
    let config = args.config.load()?;
    Administration::with(config, |administration| async move {
        match args.command {
            Command::Cancel(args) => cancel::cancel(&administration, &args).await,
            Command::Quarantined(args) => quarantined::list(&administration, &args).await,
            Command::Release(args) => release::release(&administration, &args).await,
        }
    })
}

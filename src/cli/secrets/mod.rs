//! `sidemirror secrets …`: the keys under which secrets are kept.

mod generate_key;
mod rotate;
mod status;

use clap::{Args, Subcommand};

use super::administration::Administration;
use super::{ConfigArgs, secret_key};
use crate::store::redis::Vault;

#[derive(Debug, Args)]
pub(super) struct SecretsArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show how many secrets are sealed with which key
    Status(status::StatusArgs),
    /// Seal all secrets with the current key; workers that have both keys go on meanwhile
    #[command(after_help = rotate::STEPS)]
    Rotate(rotate::RotateArgs),
    /// Make a new key in a file that only its owner may read
    GenerateKey(generate_key::GenerateKeyArgs),
}

pub(super) fn run(args: SecretsArgs) -> anyhow::Result<()> {
    match args.command {
        Command::GenerateKey(args) => generate_key::generate_key(&args),
        Command::Status(status) => Administration::with(args.config.load()?, async |administration| {
            status::status(&vault(&administration)?, &secret_key::sealing_keys(&administration.config)?, &status).await
        }),
        Command::Rotate(rotate) => Administration::with(args.config.load()?, async |administration| {
            rotate::rotate(&administration, &rotate).await
        }),
    }
}

/// All sealed secrets, with the configured keys.
fn vault(administration: &Administration) -> anyhow::Result<Vault> {
    Ok(Vault::new(administration.redis.clone(), secret_key::sealing_keys(&administration.config)?))
}

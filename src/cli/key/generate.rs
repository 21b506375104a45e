//! `key generate`.

use anyhow::{Context, bail};
use chrono::Utc;
use clap::{Args, ValueEnum};

use super::super::administration::Administration;
use super::super::mirror::{Which, existing, missing};
use super::view::View;
use crate::mirror::reach::AuthMethod;
use crate::mirror::record::Mirror;
use crate::net::ssh::{KeyType, SshKey};
use crate::store::{Change, SecretName, SecretsChange};

#[derive(Debug, Args)]
pub(super) struct GenerateArgs {
    #[command(flatten)]
    which: Which,
    /// What kind of key
    #[arg(long = "type", value_name = "TYPE", default_value = "rsa")]
    kind: KeyTypeArg,
    /// Forget the key that the mirror has
    #[arg(long)]
    replace: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum KeyTypeArg {
    /// 4096 bits; every server takes it
    Rsa,
    /// Shorter and quicker; servers since 2014 take it
    Ed25519,
}

pub(super) async fn generate(administration: &Administration, args: &GenerateArgs) -> anyhow::Result<()> {
    existing(administration, &args.which).await?;
    let key = args.which.key();
    let stored = administration.store.stored(&[key]).await?;
    if !args.replace && stored.iter().flatten().any(|name| *name == SecretName::SshKey) {
        bail!("{} mirror {} has a key already; --replace makes a new one in its place", key.direction, key.id);
    }
    administration.ready_to_seal().await?;
    let kind = match args.kind {
        KeyTypeArg::Rsa => KeyType::Rsa,
        KeyTypeArg::Ed25519 => KeyType::Ed25519,
    };
    // Some seconds of work for RSA.
    let made = tokio::task::spawn_blocking(move || SshKey::generate(kind)).await??;
    let secrets = SecretsChange {
        ssh_key: Change::Set(made.to_text()?),
        ssh_passphrase: Change::Clear,
        ..SecretsChange::default()
    };
    let mut change = |mirror: &mut Mirror| {
        mirror.settings.reach.auth_method = AuthMethod::SshPublicKey;
        mirror.state.begin_anew(mirror.settings.direction(), Utc::now());
        Ok(())
    };
    let mirror = administration.store.change(key, &mut change, &secrets).await?;
    mirror.with_context(|| missing(key))?;
    View::of(key, &made)?.print(args.json)
}

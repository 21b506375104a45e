//! What only SSH knows: the key, and whether it or the password logs in.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::{Args, ValueEnum};
use russh::keys::{Error as KeyError, decode_secret_key};
use secrecy::{ExposeSecret, SecretString};

use super::secret_file;
use crate::mirror::reach::{AuthMethod, Reach};
use crate::store::{Change, SecretsChange};

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "SSH")]
pub(super) struct SshArgs {
    /// Log in with the private key in this file, in PEM or OpenSSH's format
    #[arg(long, value_name = "FILE")]
    ssh_key_file: Option<PathBuf>,
    /// Read from this file what opens that key
    #[arg(long, value_name = "FILE", requires = "ssh_key_file")]
    ssh_passphrase_file: Option<PathBuf>,
    /// What logs in [default: `ssh_public_key` where a key is given, else password]
    #[arg(long, value_name = "METHOD")]
    auth_method: Option<AuthMethodArg>,
}

/// What takes such settings back.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "SSH")]
pub(super) struct NoSshArgs {
    /// Forget the private key and its passphrase
    #[arg(long, conflicts_with = "ssh_key_file")]
    no_ssh_key: bool,
}

/// GitLab's words.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
enum AuthMethodArg {
    /// User and password
    Password,
    /// The mirror's own key
    SshPublicKey,
}

/// The settings that were given.
#[derive(Debug, Default)]
pub(super) struct SshSettings {
    auth_method: Option<AuthMethod>,
}

impl SshArgs {
    /// Reads the key, and what opens it, into `secrets`.
    pub(super) fn read(&self, secrets: &mut SecretsChange) -> anyhow::Result<SshSettings> {
        let given = self.auth_method.map(|method| match method {
            AuthMethodArg::Password => AuthMethod::Password,
            AuthMethodArg::SshPublicKey => AuthMethod::SshPublicKey,
        });
        let Some(file) = &self.ssh_key_file else { return Ok(SshSettings { auth_method: given }) };
        let key = SecretString::from(secret_file::text("--ssh-key-file", file)?.as_str());
        let passphrase = self.ssh_passphrase_file.as_ref();
        let passphrase =
            passphrase.map(|file| secret_file::line("--ssh-passphrase-file", file, "the passphrase")).transpose()?;
        let opened = decode_secret_key(key.expose_secret(), passphrase.as_ref().map(ExposeSecret::expose_secret));
        opened.map_err(|error| match (error, &passphrase) {
            (KeyError::KeyIsEncrypted, None) => anyhow!("the key is encrypted; give --ssh-passphrase-file"),
            (_, Some(_)) => anyhow!("{}: no private key that this passphrase opens", file.display()),
            (_, None) => anyhow!("{}: no private key in PEM or OpenSSH's format", file.display()),
        })?;
        secrets.ssh_key = Change::Set(key);
        // That of a key before this one opens nothing any more.
        secrets.ssh_passphrase = passphrase.map_or(Change::Clear, Change::Set);
        Ok(SshSettings { auth_method: given.or(Some(AuthMethod::SshPublicKey)) })
    }
}

impl NoSshArgs {
    /// Puts what is taken back among what was given.
    pub(super) fn read(&self, settings: &mut SshSettings, secrets: &mut SecretsChange) {
        if self.no_ssh_key {
            (secrets.ssh_key, secrets.ssh_passphrase) = (Change::Clear, Change::Clear);
            settings.auth_method = settings.auth_method.or(Some(AuthMethod::Password));
        }
    }
}

impl SshSettings {
    /// Puts what was given over a mirror's settings.
    pub(super) fn apply(&self, reach: &mut Reach) {
        reach.auth_method = self.auth_method.unwrap_or(reach.auth_method);
    }
}

//! How a login is given: a user name on the command line, its password in a file or at a prompt, and never a
//! password in an argument, where every process of the machine could read it.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::net::RemoteUrl;
use crate::store::Login;

#[derive(Debug, Clone, Args)]
pub(super) struct LoginArgs {
    /// Log in as this user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Read the password or token from this file; without it, it is asked for
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
}

impl LoginArgs {
    /// The login that was given, if any.
    pub(super) fn read(&self) -> anyhow::Result<Option<Login>> {
        let Some(user) = self.user.clone() else { return Ok(None) };
        let password = match &self.password_file {
            Some(file) => password_in(file)?,
            None if std::io::stdin().is_terminal() => {
                let password = rpassword::prompt_password(format!("Password for {user}: "));
                let password = password.context("the password could not be read")?;
                if password.is_empty() {
                    bail!("no password was given");
                }
                password.into()
            }
            None => bail!("--user needs --password-file FILE, or a terminal to ask for the password on"),
        };
        Ok(Some(Login { user: user.into(), password }))
    }
}

fn password_in(file: &Path) -> anyhow::Result<SecretString> {
    let text = std::fs::read_to_string(file).map(Zeroizing::new);
    let text = text.with_context(|| format!("--password-file {} cannot be read", file.display()))?;
    // An editor ends the file with a newline; a password does not.
    let password = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if password.is_empty() || password.contains('\n') {
        bail!("--password-file {}: expected one line, the password", file.display());
    }
    Ok(SecretString::from(password))
}

/// The URL as it is stored: checked, and without user information, which belongs elsewhere.
pub(super) fn plain_url(text: &str) -> anyhow::Result<String> {
    let url = RemoteUrl::parse(text).context("--url")?;
    if url.credentials().is_some() {
        bail!(
            "--url: leave user and password out of the URL, where they would be seen; give --user and --password-file"
        );
    }
    Ok(url.to_string())
}

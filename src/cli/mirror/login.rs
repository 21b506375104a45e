//! Where the far side is and who logs in there: in one URL, or in fields of their own.

use std::io::IsTerminal;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use secrecy::{ExposeSecret, SecretString};

use super::secret_file;
use crate::net::{Credentials, RemoteUrl};
use crate::store::Login;

#[derive(Debug, Clone, Args)]
pub(super) struct UrlArgs {
    /// The far side, without a password
    #[arg(long)]
    url: Option<String>,
    /// Read the far side's URL from this file (-: standard input); it may hold user and password, raw or
    /// percent-encoded, which are stored apart from it
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    url_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Login")]
pub(super) struct LoginArgs {
    /// Log in as this user
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Read the password or token from this file (-: standard input); without it, it is asked for
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
}

/// A far side, as it is stored.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// Checked, and without what logs in.
    pub(super) url: Option<String>,
    /// What stood in it.
    pub(super) login: Option<Login>,
}

impl UrlArgs {
    /// The place that was given, if any.
    pub(super) fn read(&self) -> anyhow::Result<Place> {
        let (url, in_argument) = match (&self.url, &self.url_file) {
            (Some(url), _) => (RemoteUrl::parse(url).context("--url")?, true),
            (None, Some(file)) => {
                let line = secret_file::line("--url-file", file, "the URL")?;
                (RemoteUrl::parse(line.expose_secret()).context("--url-file")?, false)
            }
            (None, None) => return Ok(Place::default()),
        };
        let text = url.to_string();
        let credentials = url.credentials();
        // The user of an SSH address is no secret, that of another may be a token.
        let is_secret =
            |credentials: &Credentials| !text.starts_with("ssh:") || !credentials.password().expose_secret().is_empty();
        if in_argument && credentials.is_some_and(is_secret) {
            bail!(
                "--url: leave user and password out of the URL, where they would be seen; give --user and \
                 --password-file, or the whole URL with --url-file"
            );
        }
        let login = credentials
            .map(|credentials| Login { user: credentials.user().into(), password: credentials.password().clone() });
        Ok(Place { url: Some(text), login })
    }
}

impl LoginArgs {
    /// The login that was given, here or in the URL, if any.
    pub(super) fn read(&self, in_url: Option<Login>) -> anyhow::Result<Option<Login>> {
        let Some(user) = &self.user else { return Ok(in_url) };
        if in_url.is_some_and(|login| login.user.expose_secret() != user || !login.password.expose_secret().is_empty())
        {
            bail!("the URL holds a login, and --user gives another one");
        }
        let password = password("--user", "--password-file", user, self.password_file.as_ref())?;
        Ok(Some(Login { user: user.as_str().into(), password }))
    }
}

/// The password of `user`: from its file, or asked for.
pub(super) fn password(
    user_flag: &str,
    file_flag: &str,
    user: &str,
    file: Option<&PathBuf>,
) -> anyhow::Result<SecretString> {
    if user.chars().any(char::is_control) {
        bail!("{user_flag}: control characters are not accepted");
    }
    match file {
        Some(file) => secret_file::line(file_flag, file, "the password"),
        None if std::io::stdin().is_terminal() => {
            let password = rpassword::prompt_password(format!("Password for {user}: "));
            let password = SecretString::from(password.context("the password could not be read")?);
            if password.expose_secret().is_empty() {
                bail!("no password was given");
            }
            Ok(password)
        }
        None => bail!("{user_flag} needs {file_flag} FILE, or a terminal to ask for the password on"),
    }
}

//! What only HTTP knows: tokens, headers, certificates, proxies, redirects.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::{Args, ValueEnum};
use reqwest::header::HeaderName;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret, SecretString};

use super::login::password;
use super::secret_file;
use crate::mirror::reach::{Reach, Redirects};
use crate::net::{check_proxy, is_own_header};
use crate::store::{Change, Login, SecretsChange};

#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP")]
pub(super) struct HttpArgs {
    /// Read a token from this file that is sent as `Authorization: Bearer`, in the place of user and password
    #[arg(long, value_name = "FILE")]
    bearer_file: Option<PathBuf>,
    /// Send a header of this name whose value is in this file. Repeatable
    #[arg(long, value_name = "NAME=FILE")]
    header_file: Vec<String>,
    /// Reach the far side through this proxy, without user and password ("none": through none; "": as configured)
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// Log in at that proxy as this user
    #[arg(long, value_name = "NAME")]
    proxy_user: Option<String>,
    /// Read the password for the proxy from this file
    #[arg(long, value_name = "FILE", requires = "proxy_user")]
    proxy_password_file: Option<PathBuf>,
    /// Trust the certificates in this file (PEM), beside the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Accept the one server certificate with this SHA-256, in hexadecimal, whoever signed it ("": as usual)
    #[arg(long, value_name = "SHA256")]
    certificate_fingerprint: Option<String>,
    /// Our certificate (PEM), for servers that ask for one
    #[arg(long, value_name = "FILE", requires = "client_key_file")]
    client_certificate: Option<PathBuf>,
    /// The key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "client_certificate")]
    client_key_file: Option<PathBuf>,
    /// What is done when the server says that the repository is elsewhere
    #[arg(long, value_name = "WHAT")]
    redirects: Option<RedirectsArg>,
}

/// What takes such settings back.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "HTTP")]
#[expect(clippy::struct_excessive_bools, clippy::struct_field_names, reason = "each is a flag of its own")]
pub(super) struct NoHttpArgs {
    /// Forget the bearer token
    #[arg(long, conflicts_with = "bearer_file")]
    no_bearer: bool,
    /// Forget the header of this name. Repeatable
    #[arg(long, value_name = "NAME")]
    no_header: Vec<String>,
    /// Log in at the proxy no more
    #[arg(long, conflicts_with = "proxy_user")]
    no_proxy_login: bool,
    /// Trust no certificates of the mirror's own any more
    #[arg(long, conflicts_with = "ca_file")]
    no_ca: bool,
    /// Forget our certificate and its key
    #[arg(long, conflicts_with = "client_certificate")]
    no_client_certificate: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RedirectsArg {
    /// What the configuration says
    Default,
    /// The run fails and names the other address
    Refuse,
    /// Followed while scheme, host and port stay the same
    SameOrigin,
    /// Followed, without the login where the origin changes
    Follow,
}

/// The settings that were given, read and checked.
#[derive(Debug, Default)]
pub(super) struct HttpSettings {
    proxy: Change<String>,
    ca: Change<String>,
    certificate_fingerprint: Change<String>,
    client_certificate: Change<String>,
    redirects: Change<Redirects>,
}

impl HttpArgs {
    /// Reads all files. Secrets go into `secrets`; the answer is what is no secret.
    pub(super) fn read(&self, secrets: &mut SecretsChange) -> anyhow::Result<HttpSettings> {
        if let Some(file) = &self.bearer_file {
            secrets.bearer = Change::Set(secret_file::line("--bearer-file", file, "the token")?);
        }
        for given in &self.header_file {
            secrets.headers.push(header(given)?);
        }
        if let Some(user) = &self.proxy_user {
            let file = self.proxy_password_file.as_ref();
            let password = password("--proxy-user", "--proxy-password-file", user, file)?;
            secrets.proxy_login = Change::Set(Login { user: user.as_str().into(), password });
        }
        if let Some(file) = &self.client_key_file {
            secrets.client_key = Change::Set(client_key(file)?);
        }
        Ok(HttpSettings {
            proxy: given(self.proxy.as_deref(), proxy)?,
            ca: given(self.ca_file.as_ref(), |file| certificates("--ca-file", file))?,
            certificate_fingerprint: given(self.certificate_fingerprint.as_deref(), fingerprint)?,
            client_certificate: given(self.client_certificate.as_ref(), |file| {
                certificates("--client-certificate", file)
            })?,
            redirects: match self.redirects {
                None => Change::Keep,
                Some(RedirectsArg::Default) => Change::Clear,
                Some(RedirectsArg::Refuse) => Change::Set(Redirects::Refuse),
                Some(RedirectsArg::SameOrigin) => Change::Set(Redirects::SameOrigin),
                Some(RedirectsArg::Follow) => Change::Set(Redirects::Follow),
            },
        })
    }
}

/// What a flag, if it was given, makes of its setting.
fn given<F, T>(flag: Option<F>, read: impl FnOnce(F) -> anyhow::Result<Change<T>>) -> anyhow::Result<Change<T>> {
    flag.map_or(Ok(Change::Keep), read)
}

impl NoHttpArgs {
    /// Puts what is taken back among what was given.
    pub(super) fn read(&self, settings: &mut HttpSettings, secrets: &mut SecretsChange) -> anyhow::Result<()> {
        if self.no_bearer {
            secrets.bearer = Change::Clear;
        }
        for name in &self.no_header {
            secrets.headers.push((header_name("--no-header", name)?, Change::Clear));
        }
        if self.no_proxy_login {
            secrets.proxy_login = Change::Clear;
        }
        if self.no_ca {
            settings.ca = Change::Clear;
        }
        if self.no_client_certificate {
            secrets.client_key = Change::Clear;
            settings.client_certificate = Change::Clear;
        }
        Ok(())
    }
}

impl HttpSettings {
    /// Puts what was given over a mirror's settings.
    pub(super) fn apply(&self, reach: &mut Reach) {
        fn put<T: Clone>(given: &Change<T>, setting: &mut Option<T>) {
            match given {
                Change::Keep => {}
                Change::Clear => *setting = None,
                Change::Set(value) => *setting = Some(value.clone()),
            }
        }
        put(&self.proxy, &mut reach.proxy);
        put(&self.ca, &mut reach.ca);
        put(&self.certificate_fingerprint, &mut reach.certificate_fingerprint);
        put(&self.client_certificate, &mut reach.client_certificate);
        put(&self.redirects, &mut reach.redirects);
    }
}

/// A header's name as it is stored.
fn header_name(flag: &str, name: &str) -> anyhow::Result<String> {
    let name =
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| anyhow!("{flag}: {name:?} is no name of a header"))?;
    // HTTP allows it; the store takes it for all headers.
    if name.as_str().contains('*') {
        bail!("{flag}: {name:?} holds a `*`, which no server asks for");
    }
    if is_own_header(&name) {
        bail!("{flag}: {name} is set by the connection itself");
    }
    Ok(name.as_str().to_owned())
}

/// A header that may be sent.
fn header(given: &str) -> anyhow::Result<(String, Change<SecretString>)> {
    let (name, file) = given.split_once('=').context("--header-file: expected NAME=FILE")?;
    let name = header_name("--header-file", name)?;
    let value = secret_file::line("--header-file", file.as_ref(), "the header's value")?;
    Ok((name, Change::Set(value)))
}

/// A proxy as it is stored.
fn proxy(text: &str) -> anyhow::Result<Change<String>> {
    match text {
        "" => Ok(Change::Clear),
        "none" => Ok(Change::Set(text.to_owned())),
        _ => {
            let url =
                check_proxy(text).context("--proxy (its login goes into --proxy-user and --proxy-password-file)")?;
            Ok(Change::Set(url.as_str().trim_end_matches('/').to_owned()))
        }
    }
}

fn fingerprint(text: &str) -> anyhow::Result<Change<String>> {
    let digits: String = text.chars().filter(|letter| *letter != ':').collect::<String>().to_lowercase();
    if digits.is_empty() {
        return Ok(Change::Clear);
    }
    if digits.len() != 64 || !digits.chars().all(|digit| digit.is_ascii_hexdigit()) {
        bail!("--certificate-fingerprint: expected 64 hexadecimal digits, with or without colons");
    }
    Ok(Change::Set(digits))
}

/// The certificates in a file, and nothing else of it: a key beside them would be stored unsealed.
fn certificates(flag: &str, file: &Path) -> anyhow::Result<Change<String>> {
    let text = secret_file::text(flag, file)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    if !certificates.is_ok_and(|certificates| !certificates.is_empty()) {
        bail!("{flag} {}: expected certificates in PEM", file.display());
    }
    if text.contains("PRIVATE KEY-----") {
        bail!("{flag} {}: holds a private key, too; leave that out", file.display());
    }
    Ok(Change::Set(text.to_string()))
}

fn client_key(file: &Path) -> anyhow::Result<SecretString> {
    let text = SecretString::from(secret_file::text("--client-key-file", file)?.as_str());
    PrivateKeyDer::from_pem_slice(text.expose_secret().as_bytes())
        .map_err(|_| anyhow!("--client-key-file {}: expected an unencrypted private key in PEM", file.display()))?;
    Ok(text)
}

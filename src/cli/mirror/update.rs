//! `mirror update`.

use anyhow::{Context, bail};
use chrono::Utc;
use clap::Args;

use super::super::administration::Administration;
use super::super::output;
use super::http_args::{HttpArgs, HttpSettings, NoHttpArgs};
use super::login::{LoginArgs, UrlArgs};
use super::ssh_args::{NoSshArgs, SshArgs, SshSettings};
use super::view::View;
use super::{RuleArgs, Which, existing, missing};
use crate::git::Repositories;
use crate::mirror::record::{Mirror, Settings};
use crate::store::{Change, Declined, SecretsChange};

#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    #[command(flatten)]
    which: Which,
    /// The forge's repository, below the repositories folder
    #[arg(long, value_name = "group/project.git")]
    repository: Option<String>,
    #[command(flatten)]
    url: UrlArgs,
    /// Print the mirror as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    login: LoginArgs,
    /// Log in with user and password no more
    #[arg(long, conflicts_with = "user")]
    no_login: bool,
    #[command(flatten)]
    http: HttpArgs,
    #[command(flatten)]
    no_http: NoHttpArgs,
    #[command(flatten)]
    ssh: SshArgs,
    #[command(flatten)]
    no_ssh: NoSshArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

/// What the command line says, read and checked.
struct Given {
    repository: Option<String>,
    url: Option<String>,
    http: HttpSettings,
    ssh: SshSettings,
    rules: RuleArgs,
}

impl Given {
    /// The settings with what was given put over them.
    fn over(&self, before: &Settings) -> anyhow::Result<Settings> {
        let mut settings = before.clone();
        settings.repository = self.repository.clone().unwrap_or(settings.repository);
        settings.url = self.url.clone().unwrap_or(settings.url);
        if settings.origin() != before.origin() {
            // They were about the other host; so were the secrets that the store forgets.
            (settings.reach.client_certificate, settings.reach.certificate_fingerprint) = (None, None);
        }
        self.http.apply(&mut settings.reach);
        self.ssh.apply(&mut settings.reach);
        self.rules.apply(&mut settings)?;
        Ok(settings)
    }
}

pub(super) async fn update(administration: &Administration, args: &UpdateArgs) -> anyhow::Result<()> {
    if let Some(repository) = &args.repository {
        Repositories::check_name(repository).context("--repository")?;
    }
    let key = args.which.key();
    let (given, secrets) = read(args)?;
    let before = existing(administration, &args.which).await?.settings;
    let after = given.over(&before)?;
    if secrets.proxy_login.is_set() && after.reach.proxy.is_none() {
        bail!("--proxy-user needs --proxy");
    }
    if secrets.sets_something() {
        administration.ready_to_seal().await?;
    } else if after.reach != before.reach {
        administration.ready_to_reseal(key).await?;
    }

    let begin_anew = after.url != before.url || after.reach != before.reach || secrets.sets_something();
    // Applied to the mirror as it is at that moment: somebody else may be changing it, too.
    let mut change = |mirror: &mut Mirror| -> Result<(), Declined> {
        mirror.settings = given.over(&mirror.settings)?;
        if begin_anew {
            mirror.state.begin_anew(mirror.settings.direction(), Utc::now());
        }
        Ok(())
    };
    let mirror = administration.store.change(key, &mut change, &secrets).await?;
    let mirror = mirror.with_context(|| missing(key))?;
    if args.json {
        return output::json(&View::load(administration, &mirror).await?);
    }
    let anew = if begin_anew { "; its failures are forgiven, and a pull mirror is due now" } else { "" };
    let login = if after.origin() != before.origin() && !secrets.login.is_set() {
        "; at the other host it logs in no more"
    } else {
        ""
    };
    output::line(&format!("updated {} mirror {}{anew}{login}", key.direction, key.id))
}

fn read(args: &UpdateArgs) -> anyhow::Result<(Given, SecretsChange)> {
    let place = args.url.read()?;
    let login = match args.login.read(place.login)? {
        Some(_) if args.no_login => bail!("the URL holds a login, and --no-login forgets it"),
        Some(login) => Change::Set(login),
        None if args.no_login => Change::Clear,
        None => Change::Keep,
    };
    let mut secrets = SecretsChange { login, ..SecretsChange::default() };
    let mut http = args.http.read(&mut secrets)?;
    args.no_http.read(&mut http, &mut secrets)?;
    let mut ssh = args.ssh.read(&mut secrets)?;
    args.no_ssh.read(&mut ssh, &mut secrets);
    let given = Given { repository: args.repository.clone(), url: place.url, http, ssh, rules: args.rules.clone() };
    Ok((given, secrets))
}

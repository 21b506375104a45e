//! `mirror update`.

use anyhow::Context;
use chrono::Utc;
use clap::Args;

use super::super::administration::Administration;
use super::super::output;
use super::login::{LoginArgs, plain_url};
use super::view::View;
use super::{RuleArgs, Which, existing, missing};
use crate::git::Repositories;
use crate::mirror::record::{Mirror, Settings};
use crate::mirror::state::Status;
use crate::store::{Change, SecretsChange};

#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    #[command(flatten)]
    which: Which,
    /// The forge's repository, below the repositories folder
    #[arg(long, value_name = "group/project.git")]
    repository: Option<String>,
    /// The far side, without user and password; at another host it logs in no more, unless --user is given
    #[arg(long)]
    url: Option<String>,
    #[command(flatten)]
    login: LoginArgs,
    /// Log in no more
    #[arg(long, conflicts_with = "user")]
    no_login: bool,
    #[command(flatten)]
    rules: RuleArgs,
    /// Print the mirror as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn update(administration: &Administration, args: UpdateArgs) -> anyhow::Result<()> {
    if let Some(repository) = &args.repository {
        Repositories::check_name(repository).context("--repository")?;
    }
    let url = args.url.as_deref().map(plain_url).transpose()?;
    let login = args.login.read()?;
    let apply = |settings: &mut Settings| {
        settings.repository = args.repository.clone().unwrap_or_else(|| settings.repository.clone());
        settings.url = url.clone().unwrap_or_else(|| settings.url.clone());
        args.rules.apply(settings)
    };
    let before = existing(administration, &args.which).await?.settings;
    let mut after = before.clone();
    apply(&mut after)?;

    let login = match login {
        Some(login) => Change::Set(login),
        None if args.no_login => Change::Clear,
        None => Change::Keep,
    };
    let secrets = SecretsChange { login, ..SecretsChange::default() };
    let begin_anew = after.url != before.url || secrets.sets_something();
    // Applied to the mirror as it is at that moment: somebody else may be changing it, too.
    let mut applied = Ok(());
    let mut change = |mirror: &mut Mirror| {
        let mut settings = mirror.settings.clone();
        applied = apply(&mut settings);
        if applied.is_err() {
            return;
        }
        mirror.settings = settings;
        if begin_anew && mirror.state.status != Status::Started {
            mirror.state.begin_anew(mirror.settings.direction(), Utc::now());
        }
    };
    let key = args.which.key();
    let mirror = administration.store.change(key, &mut change, &secrets).await?;
    applied?;
    let mirror = mirror.with_context(|| missing(key))?;
    if args.json {
        output::json(&View::of(&mirror))
    } else {
        let anew = if begin_anew { "; its failures are forgiven, and a pull mirror is due now" } else { "" };
        let login = if after.origin() != before.origin() && !secrets.login.is_set() {
            "; at the other host it logs in no more"
        } else {
            ""
        };
        output::line(&format!("updated {} mirror {}{anew}{login}", key.direction, key.id))
    }
}

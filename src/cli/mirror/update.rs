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
use crate::mirror::record::Mirror;
use crate::mirror::state::{RunState, Status};
use crate::store::LoginChange;

#[derive(Debug, Args)]
pub(super) struct UpdateArgs {
    #[command(flatten)]
    which: Which,
    /// The forge's repository, below the repositories folder
    #[arg(long, value_name = "group/project.git")]
    repository: Option<String>,
    /// The far side, without user and password; without a new --user it logs in no more
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
    let before = existing(administration, &args.which).await?;
    let mut settings = before.settings.clone();
    settings.repository = args.repository.unwrap_or(settings.repository);
    let moved = url.as_ref().is_some_and(|url| *url != settings.url);
    settings.url = url.unwrap_or(settings.url);
    args.rules.apply(&mut settings)?;

    // A password is never sent to another host than the one it was given for.
    let login_change = match &login {
        Some(login) => Some(LoginChange::Set(login)),
        None => (args.no_login || moved).then_some(LoginChange::Clear),
    };
    let begin_anew = moved || login.is_some();
    let mut change = |mirror: &mut Mirror| {
        mirror.settings = settings.clone();
        if begin_anew && mirror.state.status != Status::Started {
            mirror.state = RunState::new(mirror.settings.direction(), Utc::now());
        }
    };
    let key = args.which.key();
    let mirror = administration.store.change(key, &mut change, login_change).await?;
    let mirror = mirror.with_context(|| missing(key))?;
    if args.json {
        output::json(&View::of(&mirror))
    } else {
        output::line(&format!("updated {} mirror {}", key.direction, key.id))
    }
}

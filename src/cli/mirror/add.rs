//! `mirror add`.

use anyhow::{Context, bail};
use chrono::Utc;
use clap::Args;

use super::super::administration::Administration;
use super::super::output;
use super::http_args::HttpArgs;
use super::login::{LoginArgs, UrlArgs};
use super::ssh_args::SshArgs;
use super::view::View;
use super::{DirectionArg, RuleArgs};
use crate::git::Repositories;
use crate::mirror::key::{Direction, MirrorId, MirrorKey};
use crate::mirror::record::{Mirror, Settings};
use crate::mirror::state::RunState;
use crate::store::{Change, SecretsChange};

#[derive(Debug, Args)]
pub(super) struct AddArgs {
    /// Which way it goes
    direction: DirectionArg,
    /// Its number: the forge's project id for a pull mirror, the remote mirror's id for a push mirror
    #[arg(long, value_name = "N")]
    id: u64,
    /// The forge's repository, below the repositories folder
    #[arg(long, value_name = "group/project.git")]
    repository: String,
    #[command(flatten)]
    url: UrlArgs,
    /// Print the mirror as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    login: LoginArgs,
    #[command(flatten)]
    http: HttpArgs,
    #[command(flatten)]
    ssh: SshArgs,
    #[command(flatten)]
    rules: RuleArgs,
}

pub(super) async fn add(administration: &Administration, args: AddArgs) -> anyhow::Result<()> {
    let direction = Direction::from(args.direction);
    Repositories::check_name(&args.repository).context("--repository")?;
    let place = args.url.read()?;
    let url = place.url.context("where is it to go? --url or --url-file is needed")?;
    let mut settings = Settings::new(direction, args.repository, url);
    args.rules.apply(&mut settings)?;
    let key = MirrorKey { direction, id: MirrorId(args.id) };
    let exists = || format!("there is a {direction} mirror {} already; `sidemirror mirror update` changes it", args.id);
    if administration.store.load(key).await?.is_some() {
        bail!(exists());
    }

    let login = args.login.read(place.login)?.map_or(Change::Keep, Change::Set);
    let mut secrets = SecretsChange { login, ..SecretsChange::default() };
    args.http.read(&mut secrets)?.apply(&mut settings.reach);
    args.ssh.read(&mut secrets)?.apply(&mut settings.reach);
    if secrets.proxy_login.is_set() && settings.reach.proxy.is_none() {
        bail!("--proxy-user needs --proxy");
    }
    if secrets.sets_something() {
        administration.ready_to_seal().await?;
    }
    let mirror = Mirror { id: MirrorId(args.id), settings, state: RunState::new(direction, Utc::now()) };
    if !administration.store.add(&mirror, &secrets).await? {
        bail!(exists());
    }
    if args.json {
        output::json(&View::load(administration, &mirror).await?)
    } else {
        output::line(&format!("added {direction} mirror {} of {}", mirror.id, mirror.settings.repository))
    }
}

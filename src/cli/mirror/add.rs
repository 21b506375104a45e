//! `mirror add`.

use anyhow::{Context, bail};
use chrono::Utc;
use clap::Args;

use super::super::administration::Administration;
use super::super::output;
use super::login::{LoginArgs, plain_url};
use super::view::View;
use super::{DirectionArg, RuleArgs};
use crate::git::Repositories;
use crate::mirror::key::{Direction, MirrorId, MirrorKey};
use crate::mirror::record::{Mirror, Settings};
use crate::mirror::state::RunState;
use crate::store::Secrets;

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
    /// The far side, without user and password
    #[arg(long)]
    url: String,
    #[command(flatten)]
    login: LoginArgs,
    #[command(flatten)]
    rules: RuleArgs,
    /// Print the mirror as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn add(administration: &Administration, args: AddArgs) -> anyhow::Result<()> {
    let direction = Direction::from(args.direction);
    Repositories::check_name(&args.repository).context("--repository")?;
    let mut settings = Settings::new(direction, args.repository, plain_url(&args.url)?);
    args.rules.apply(&mut settings)?;
    let key = MirrorKey { direction, id: MirrorId(args.id) };
    let exists = || format!("there is a {direction} mirror {} already; `sidemirror mirror update` changes it", args.id);
    if administration.store.load(key).await?.is_some() {
        bail!(exists());
    }
    let secrets = Secrets { login: args.login.read()?, ..Secrets::default() };
    let mirror = Mirror { id: MirrorId(args.id), settings, state: RunState::new(direction, Utc::now()) };
    if !administration.store.add(&mirror, &secrets).await? {
        bail!(exists());
    }
    if args.json {
        output::json(&View::of(&mirror))
    } else {
        output::line(&format!("added {direction} mirror {} of {}", mirror.id, mirror.settings.repository))
    }
}

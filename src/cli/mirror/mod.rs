//! `sidemirror mirror …`: the administration of mirrors.

mod add;
mod check;
mod http_args;
mod limit;
mod list;
mod login;
mod remove;
pub(super) mod secret_file;
mod show;
mod ssh_args;
mod sync;
mod update;
mod view;

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Subcommand, ValueEnum};

use super::ConfigArgs;
use super::administration::Administration;
use crate::mirror::branches::BranchFilter;
use crate::mirror::key::{Direction, MirrorId, MirrorKey};
use crate::mirror::reach::EngineChoice;
use crate::mirror::record::{Mirror, OnDivergence, Rules, Settings};

#[derive(Debug, Args)]
pub(super) struct MirrorArgs {
    #[command(flatten)]
    config: ConfigArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a mirror; a pull mirror is due at once
    Add(add::AddArgs),
    /// List all mirrors
    List(list::ListArgs),
    /// Show one mirror
    Show(show::ShowArgs),
    /// Change a mirror's settings; what is not named stays. A new URL or login forgives its failures
    Update(update::UpdateArgs),
    /// Remove a mirror; repositories stay as they are
    Remove(remove::RemoveArgs),
    /// Test a mirror from end to end without changing anything; exit code 1 if a step failed
    Check(check::CheckArgs),
    /// Push a job that updates a mirror now, also after a hard failure
    Sync(sync::SyncArgs),
}

/// Which mirror is meant.
#[derive(Debug, Clone, Args)]
pub(super) struct Which {
    /// Which way it goes
    direction: DirectionArg,
    /// Its number
    id: u64,
}

impl Which {
    pub(super) fn key(&self) -> MirrorKey {
        MirrorKey { direction: self.direction.into(), id: MirrorId(self.id) }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum DirectionArg {
    /// The repository follows one elsewhere
    Pull,
    /// The repository is sent elsewhere
    Push,
}

impl From<DirectionArg> for Direction {
    fn from(arg: DirectionArg) -> Self {
        match arg {
            DirectionArg::Pull => Self::Pull,
            DirectionArg::Push => Self::Push,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OnDivergenceArg {
    /// Send nothing
    Fail,
    /// Skip the diverged refs and send the others
    Keep,
    /// Overwrite them
    Overwrite,
}

impl From<OnDivergenceArg> for OnDivergence {
    fn from(arg: OnDivergenceArg) -> Self {
        match arg {
            OnDivergenceArg::Fail => Self::Fail,
            OnDivergenceArg::Keep => Self::Keep,
            OnDivergenceArg::Overwrite => Self::Overwrite,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum EngineArg {
    /// Decided anew in each run
    Auto,
    /// libgit2, in the worker itself
    Libgit2,
    /// The git program
    Git,
}

impl From<EngineArg> for EngineChoice {
    fn from(arg: EngineArg) -> Self {
        match arg {
            EngineArg::Auto => Self::Auto,
            EngineArg::Libgit2 => Self::Libgit2,
            EngineArg::Git => Self::Git,
        }
    }
}

/// The settings that `add` and `update` share.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "What is mirrored")]
struct RuleArgs {
    /// Whether it runs
    #[arg(long, value_name = "true|false", action = clap::ArgAction::Set)]
    enabled: Option<bool>,
    /// Mirror only the branches given with --protected (--only-protected=false: all again)
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    only_protected: Option<bool>,
    /// A protected branch; `*` stands for any characters. Repeatable
    #[arg(long, value_name = "PATTERN")]
    protected: Vec<String>,
    /// Mirror only branches in whose name this expression is found ("": all again)
    #[arg(long, value_name = "RE", conflicts_with_all = ["only_protected", "protected"])]
    branch_regex: Option<String>,
    /// Pull: overwrite local branches that have diverged from upstream
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    overwrite_diverged: Option<bool>,
    /// Push: what to do about refs that somebody else moved on the far side
    #[arg(long, value_name = "MODE")]
    on_divergence: Option<OnDivergenceArg>,
    /// A limit of its own, such as received=2GiB, object=100MiB, run=1h (=default: the worker's again). Repeatable
    #[arg(long = "limit", value_name = "NAME=VALUE")]
    limits: Vec<limit::LimitArg>,
    /// Which engine moves the objects
    #[arg(long, value_name = "ENGINE")]
    engine: Option<EngineArg>,
}

impl RuleArgs {
    /// Puts what was given over a mirror's settings.
    fn apply(&self, settings: &mut Settings) -> anyhow::Result<()> {
        if let Some(enabled) = self.enabled {
            settings.enabled = enabled;
        }
        if let Some(engine) = self.engine {
            settings.engine = engine.into();
        }
        self.apply_branches(settings)?;
        for limit in &self.limits {
            limit.apply(&mut settings.limits);
        }
        match (&mut settings.rules, self.overwrite_diverged, self.on_divergence) {
            (Rules::Pull { .. }, _, Some(_)) => {
                bail!("--on-divergence is for push mirrors; a pull mirror takes --overwrite-diverged")
            }
            (Rules::Push { .. }, Some(_), _) => {
                bail!("--overwrite-diverged is for pull mirrors; a push mirror takes --on-divergence")
            }
            (Rules::Pull { overwrite_diverged }, Some(overwrite), None) => *overwrite_diverged = overwrite,
            (Rules::Push { on_divergence }, None, Some(mode)) => *on_divergence = mode.into(),
            (_, None, None) => {}
        }
        Ok(())
    }

    fn apply_branches(&self, settings: &mut Settings) -> anyhow::Result<()> {
        match (self.only_protected, self.protected.as_slice(), &self.branch_regex) {
            (_, _, Some(regex)) if regex.is_empty() => settings.branches = BranchFilter::All,
            (_, _, Some(regex)) => settings.branches = BranchFilter::Regex(regex.parse().context("--branch-regex")?),
            (Some(true), [], _) => bail!("--only-protected needs at least one --protected PATTERN"),
            (Some(false), [], _) => settings.branches = BranchFilter::All,
            (Some(false), _, _) => bail!("--protected contradicts --only-protected=false"),
            (None, [], None) => {}
            (None, _, None) if !matches!(settings.branches, BranchFilter::Protected(_)) => {
                bail!("--protected only means something together with --only-protected")
            }
            (_, patterns, None) => settings.branches = BranchFilter::Protected(patterns.to_vec()),
        }
        Ok(())
    }
}

pub(super) fn run(args: MirrorArgs) -> anyhow::Result<ExitCode> {
    let config = args.config.load()?;
    Administration::with(config, |administration| async move {
        match args.command {
            Command::Add(args) => add::add(&administration, args).await,
            Command::List(args) => list::list(&administration, &args).await,
            Command::Show(args) => show::show(&administration, &args).await,
            Command::Update(args) => update::update(&administration, &args).await,
            Command::Remove(args) => remove::remove(&administration, &args).await,
            Command::Check(args) => return check::check(&administration, &args).await,
            Command::Sync(args) => sync::sync(&administration, &args).await,
        }
        .map(|()| ExitCode::SUCCESS)
    })
}

/// The mirror of this name, which there has to be.
pub(super) async fn existing(administration: &Administration, which: &Which) -> anyhow::Result<Mirror> {
    let mirror = administration.store.load(which.key()).await?;
    mirror.with_context(|| missing(which.key()))
}

pub(super) fn missing(key: MirrorKey) -> String {
    format!("there is no {} mirror {}; `sidemirror mirror list` shows those there are", key.direction, key.id)
}

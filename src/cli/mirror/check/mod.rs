//! `mirror check`: the way of a run, step by step, without changing anything.

mod advice;
mod report;
mod way;

use std::process::ExitCode;

use clap::Args;
use tokio_util::sync::CancellationToken;

use self::report::Report;
use self::way::Way;
use super::super::administration::Administration;
use super::super::door;
use super::super::run::engines;
use super::{Which, existing};
use crate::jobs::{access, allowance, transfer_limits};
use crate::mirror::reach::EngineChoice;
use crate::net::RemoteUrl;

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Exits with 1 if a step failed.
pub(super) async fn check(administration: &Administration, args: &CheckArgs) -> anyhow::Result<ExitCode> {
    let mirror = existing(administration, &args.which).await?;
    let config = &administration.config;
    let limits = mirror.settings.limits.or(&config.mirror.limits);
    let url = RemoteUrl::parse_stored(&mirror.settings.url)?;
    let access = access(&mirror.settings, &url, administration.store.secrets(&mirror).await?);
    let session = door::open(config)?.session(url, access, allowance(&limits), CancellationToken::new());
    let program = engines::program(config)?;
    let engine = match mirror.settings.engine {
        EngineChoice::Auto => None,
        EngineChoice::Libgit2 => Some(crate::mirror::engine::EngineName::Libgit2),
        EngineChoice::Git => Some(crate::mirror::engine::EngineName::Git),
    };
    let engine = engines::engines(config, program.as_ref()).for_run(engine);
    let way = Way {
        session,
        engine,
        limits: transfer_limits(&limits),
        direction: args.which.key().direction,
        root: config.mirror.repositories.clone(),
        repository: mirror.settings.repository.clone(),
    };
    let report = tokio::task::spawn_blocking(move || {
        let mut report = Report::default();
        way.walk(&mut report);
        report
    });
    let report = report.await?;
    report.print(&args.which.key(), args.json)?;
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

//! `mirror check`: the way of a run, step by step, without changing anything.

mod advice;
mod far_side;
mod home;
mod report;
mod standing;
mod way;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio_util::sync::CancellationToken;

use self::report::Report;
use self::way::Way;
use super::super::administration::Administration;
use super::super::door;
use super::super::run::engines;
use super::{Which, existing};
use crate::jobs::{access, allowance, transfer_limits};
use crate::mirror::limits::Limit;
use crate::mirror::record::Mirror;
use crate::net::{Allowance, Deadline, RemoteUrl, Scheme};

/// Nobody waits for longer to be told where it ends.
const LONGEST: Duration = Duration::from_mins(2);

const AFTER_HELP: &str = "\
Nothing is changed: no ref on either side, no state of the mirror, no file. It ends within two minutes, whatever the
other side does. Exit codes: 0 no step failed, 1 one did, 2 the command line could not be parsed.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
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
    let mut report = Report::new(mirror.key());
    standing::of_mirror(administration, &mirror, &mut report).await?;
    if let Some(way) = way(administration, &mirror, &mut report).await? {
        if way.session.url().scheme() != Scheme::File {
            standing::of_host(administration, way.session.url(), &mut report).await?;
        }
        report = tokio::task::spawn_blocking(move || {
            way.walk(&mut report);
            report
        })
        .await?;
    }
    report.print(args.json)?;
    Ok(if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// All that the way takes, if what is stored with the mirror can be used.
async fn way(administration: &Administration, mirror: &Mirror, report: &mut Report) -> anyhow::Result<Option<Way>> {
    let (config, settings) = (&administration.config, &mirror.settings);
    let program = engines::program(config)?;
    let home = home::look(config, settings, program.clone(), report);
    let secrets = standing::of_secrets(administration, mirror, report).await?;
    let url = RemoteUrl::parse_stored(&settings.url);
    if let Err(error) = &url {
        let next = format!("`sidemirror mirror update {} {} --url …` corrects it", settings.direction(), mirror.id);
        report.failed("url", error.to_string(), Some(next));
    }
    let (Some(secrets), Ok(url)) = (secrets, url) else { return Ok(None) };
    let limits = settings.limits.or(&config.mirror.limits);
    let most = limits.time(Limit::Run).min(LONGEST);
    let allowance = Allowance { deadline: Deadline::after(most), ..allowance(&limits) };
    let door = door::open(config)?;
    let cancel = cancelled_by_hand();
    let access = access(settings, &url, secrets);
    let session = door.session(url, access, allowance, cancel.clone());
    let engine = engines::engines(config, program.as_ref()).for_run(settings.engine.named());
    let limits = transfer_limits(&limits);
    Ok(Some(Way { door, cancel, session, engine, program, limits, direction: settings.direction(), home }))
}

/// Fires with Ctrl-C, so that what lies in temporary folders is removed then, too.
fn cancelled_by_hand() -> CancellationToken {
    let cancel = CancellationToken::new();
    let by_hand = cancel.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            by_hand.cancel();
        }
    });
    cancel
}

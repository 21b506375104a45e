//! `sidemirror doctor`: looks at everything that a worker depends on, and changes nothing.

mod files;
mod finding;
mod fleet;
mod orders;
mod permissions;
mod queues;
mod round_trips;
mod server;

use std::process::ExitCode;

use clap::Args;
use comfy_table::{Cell, Color};
use serde::Serialize;

use self::finding::{Finding, Severity};
use super::{ConfigArgs, output, redises};
use crate::config::Config;
use crate::connections::Redises;

/// The codes that monitoring knows from Nagios.
const EXIT_CODES: &str = "\
Exit codes, as monitoring expects them:
  0  all is well, or only worth knowing
  1  at least one warning
  2  at least one error; also a command line that cannot be parsed
  3  the doctor itself could not do its work";

/// Anything but what the codes above stand for.
const UNKNOWN: u8 = 3;

#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// All findings, as JSON.
#[derive(Serialize)]
struct Report<'a> {
    worst: Severity,
    findings: &'a [Finding],
}

pub(super) fn run(args: &DoctorArgs) -> ExitCode {
    match examine(&args.config).and_then(|findings| report(&findings, args.json)) {
        Ok(Severity::Ok | Severity::Info) => ExitCode::SUCCESS,
        Ok(Severity::Warning) => ExitCode::from(1),
        Ok(Severity::Error) => ExitCode::from(2),
        Err(error) => {
            output::complain(&error);
            ExitCode::from(UNKNOWN)
        }
    }
}

fn examine(args: &ConfigArgs) -> anyhow::Result<Vec<Finding>> {
    let config = match args.load() {
        Ok(config) => config,
        Err(error) => {
            let cure = "put it right; with this configuration no worker starts";
            return Ok(vec![Finding::error("configuration", error.to_string(), "no mistake", cure)]);
        }
    };
    let absent = if config.path.exists() { "" } else { " (not there: all defaults)" };
    let seen = format!("{}{absent}, environment {}", config.path.display(), config.environment);
    let mut findings = vec![Finding::ok("configuration", seen)];
    findings.extend(files::look(&config));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    findings.extend(runtime.block_on(examine_redis(&config)));
    Ok(findings)
}

async fn examine_redis(config: &Config) -> Vec<Finding> {
    let redises = match redises::connect_at_once(config).await {
        Ok(redises) => redises,
        Err(error) => {
            let cure = "see that the server runs, that REDIS_URL and mirror.redis mean it, and that it lets us in";
            return vec![Finding::error("redis", error.to_string(), "a server that answers", cure)];
        }
    };
    let mut findings = vec![Finding::ok("redis", format!("{} answers", redises.queues.server()))];
    findings.extend(server::look(&redises.queues, config).await);
    findings.extend(permissions::look(&redises, config).await);
    findings.extend(round_trips::look(&redises.queues).await);
    for (subject, redis) in apart(&redises) {
        findings.push(round_trips::latency(subject, redis).await);
    }
    findings.extend(fleet::look(&redises.queues, config).await);
    findings.extend(orders::look(&redises.queues, config).await);
    findings.extend(queues::look(&redises.queues, config).await);
    findings
}

/// GitLab's other Redises, where they are servers of their own.
fn apart(redises: &Redises) -> impl Iterator<Item = (&'static str, &crate::connections::Redis)> {
    let others = [("redis_queues_metadata", &redises.queues_metadata), ("redis_shared_state", &redises.shared_state)];
    others.into_iter().filter(|(_, redis)| redis.server() != redises.queues.server())
}

/// Prints the findings and gives the worst severity.
fn report(findings: &[Finding], json: bool) -> anyhow::Result<Severity> {
    let worst = findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok);
    if json {
        output::json(&Report { worst, findings })?;
        return Ok(worst);
    }
    let mut table = output::table(&["SEVERITY", "SUBJECT", "FINDING"]);
    for finding in findings {
        let severity = Cell::new(finding.severity.as_str());
        let severity = match finding.severity {
            Severity::Ok => severity.fg(Color::Green),
            Severity::Info => severity,
            Severity::Warning => severity.fg(Color::Yellow),
            Severity::Error => severity.fg(Color::Red),
        };
        let expected = finding.expected.iter().map(|expected| format!("\n  expected: {expected}"));
        let cure = finding.cure.iter().map(|cure| format!("\n  cure: {cure}"));
        let text: String = std::iter::once(finding.seen.clone()).chain(expected).chain(cure).collect();
        table.add_row([severity, Cell::new(finding.subject), Cell::new(text)]);
    }
    output::print(&mut table)?;
    Ok(worst)
}

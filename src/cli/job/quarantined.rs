//! `job quarantined`.

use clap::Args;
use serde_json::json;

use super::super::administration::Administration;
use super::super::output;
use crate::sidekiq::{Quarantine, Quarantined};

#[derive(Debug, Args)]
pub(super) struct QuarantinedArgs {
    /// Print a JSON list
    #[arg(long)]
    json: bool,
}

pub(super) async fn list(administration: &Administration, args: &QuarantinedArgs) -> anyhow::Result<()> {
    let jobs = quarantine(administration).list().await?;
    if args.json {
        let view = |job: &Quarantined| {
            json!({
                "jid": job.jid,
                "class": job.class,
                "queue": job.queue,
                "interrupted_count": job.interruptions,
                "quarantined_at": output::time(job.since),
                "reason": job.reason,
            })
        };
        return output::json(&jobs.iter().map(view).collect::<Vec<_>>());
    }
    if jobs.is_empty() {
        return output::line("no job is set aside");
    }
    let mut table = output::table(&["JOB", "CLASS", "QUEUE", "DEATHS", "SET ASIDE", "REASON"]);
    for job in &jobs {
        table.add_row([
            output::clean(&job.jid),
            output::clean(&job.class),
            output::clean(&job.queue),
            job.interruptions.to_string(),
            output::relative(output::moment(job.since)),
            job.reason.as_deref().map_or_else(|| "-".to_owned(), output::clean),
        ]);
    }
    output::print(&mut table)
}

/// The quarantine of the configured Sidekiq.
pub(super) fn quarantine(administration: &Administration) -> Quarantine {
    let settings = &administration.config.sidekiq;
    Quarantine::new(administration.redis.clone(), settings.keys.clone(), settings.profile)
}

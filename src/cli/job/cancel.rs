//! `job cancel`.

use std::time::Duration;

use anyhow::bail;
use clap::Args;
use serde_json::json;
use tokio::time::Instant;

use super::super::administration::Administration;
use super::super::output;
use crate::coordination::capacity::Slots;
use crate::jobs;
use crate::mirror::key::MirrorKey;
use crate::sidekiq::{Cancellations, Found, Job};

/// What a mirror's owner reads whose job was cancelled before it ran.
const REASON: &str = "Cancelled by an administrator.";

/// For so long a running job is waited for. It leaves the network within a second; what it does to its repository at that
/// moment it finishes.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(super) struct CancelArgs {
    /// The job's id
    jid: String,
    /// Print what became of it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn cancel(administration: &Administration, args: &CancelArgs) -> anyhow::Result<()> {
    let jid = &args.jid;
    let cancellations = Cancellations::new(administration.redis.clone(), &administration.config.sidekiq);
    let (place, ended) = match cancellations.cancel(jid).await? {
        Found::Nowhere => bail!("job {jid} waits in no queue, is not put off, and no worker has it in hand"),
        Found::Waiting { place, job } => {
            give_up(administration, &job).await?;
            (place, true)
        }
        Found::InHand { owner, ours: false } => {
            bail!(
                "job {jid} is in the hands of {owner}, which is no process of sidemirror; it runs on, and is cancelled if it comes back within a day"
            )
        }
        Found::InHand { owner, ours: true } => (owner, has_ended(&cancellations, jid).await?),
    };
    if args.json {
        return output::json(&json!({ "jid": jid, "found": place, "ended": ended }));
    }
    let place = output::clean(&place);
    output::line(&if ended {
        format!("cancelled job {jid}, found in {place}; it lies in the dead set")
    } else {
        format!("told {place} to leave job {jid}; it has not ended yet")
    })
}

/// Its mirror waits for it no longer.
async fn give_up(administration: &Administration, job: &Job) -> anyhow::Result<()> {
    let Some(direction) = administration.config.mirror.jobs.get(job.class().trim_start_matches("::")) else {
        return Ok(());
    };
    if let Ok(id) = jobs::mirror_id(job) {
        let slots = Slots::new(administration.redis.clone());
        let key = MirrorKey { direction: *direction, id };
        jobs::abandon(&*administration.store, &slots, key, job.jid(), REASON).await?;
    }
    Ok(())
}

async fn has_ended(cancellations: &Cancellations, jid: &str) -> anyhow::Result<bool> {
    let deadline = Instant::now() + PATIENCE;
    while cancellations.stands(jid).await? {
        if Instant::now() > deadline {
            return Ok(false);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(true)
}

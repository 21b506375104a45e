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

/// For so long a running job is waited for. It leaves the network within a second; what it does to its repository at
/// that moment it finishes.
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
    let (place, end) = match cancellations.cancel(jid).await? {
        Found::Nowhere => bail!("job {jid} waits in no queue, is not put off, and no worker has it in hand"),
        Found::Waiting { place, job } => {
            give_up(administration, &job).await?;
            (place, End::Cancelled)
        }
        Found::InHand { owner, ours: false } => bail!(
            "job {jid} is in the hands of {owner}, which is no process of sidemirror; it runs on, and is cancelled if it \
             comes back to one within a day"
        ),
        Found::InHand { owner, ours: true } => {
            let end = end(&cancellations, jid).await?;
            (owner, end)
        }
    };
    let place = output::clean(&place);
    if args.json {
        return output::json(&json!({ "jid": jid, "found": place, "end": end.as_str() }));
    }
    output::line(&match end {
        End::Cancelled => format!("cancelled job {jid}, found in {place}; it lies in the dead set"),
        End::Done => format!("job {jid} was done by {place} before it could be cancelled"),
        End::Leaving => format!("told {place} to leave job {jid}; it has not ended yet"),
    })
}

/// How far a cancellation has come.
#[derive(Clone, Copy)]
enum End {
    Cancelled,
    Done,
    Leaving,
}

impl End {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Done => "done",
            Self::Leaving => "leaving",
        }
    }
}

/// Its mirror waits for it no longer.
async fn give_up(administration: &Administration, job: &Job) -> anyhow::Result<()> {
    let Some(direction) = administration.config.mirror.jobs.get(job.class().trim_start_matches("::")) else {
        return Ok(());
    };
    if let Ok(id) = jobs::mirror_id(job) {
        let slots = Slots::new(administration.redis.clone());
        let key = MirrorKey { direction: *direction, id };
        jobs::abandon(&*administration.store, &slots, key, job.jid(), Cancellations::REASON).await?;
    }
    Ok(())
}

/// Waits for the end of a running job.
async fn end(cancellations: &Cancellations, jid: &str) -> anyhow::Result<End> {
    let deadline = Instant::now() + PATIENCE;
    while cancellations.stands(jid).await? {
        if Instant::now() > deadline {
            return Ok(End::Leaving);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    Ok(if cancellations.is_dead(jid).await? { End::Cancelled } else { End::Done })
}

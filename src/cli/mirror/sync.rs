//! `mirror sync`.

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::super::administration::Administration;
use super::super::output;
use super::{Which, existing, missing};
use crate::jobs;
use crate::mirror::state::Event;
use crate::sidekiq::NewJob;
use crate::store::Transition;

#[derive(Debug, Args)]
pub(super) struct SyncArgs {
    #[command(flatten)]
    which: Which,
    /// Print the job's id as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn sync(administration: &Administration, args: &SyncArgs) -> anyhow::Result<()> {
    let key = args.which.key();
    let mirror = existing(administration, &args.which).await?;
    if !mirror.settings.enabled {
        bail!(
            "{} mirror {} is not enabled; `sidemirror mirror update … --enabled true` enables it",
            key.direction,
            key.id
        );
    }
    if administration.is_running(key).await? {
        bail!("{} mirror {} is being updated right now", key.direction, key.id);
    }
    match administration.store.transition(key, Event::Force).await? {
        // What is scheduled or started although nobody is at it has lost its job: this is the next.
        Transition::Done(_) | Transition::Refused(_) => {}
        Transition::Missing => bail!(missing(key)),
        Transition::Unreadable(problem) => bail!(problem),
    }
    let queue = administration.config.sidekiq.first_queue();
    let job = NewJob::new(jobs::class_of(key.direction), vec![key.id.0.into()]).queue(queue).retry(false);
    administration.client().await?.push(&job).await?;
    if args.json {
        output::json(&json!({ "jid": job.jid(), "queue": queue }))
    } else {
        output::line(&format!("pushed job {} to queue {queue}", job.jid()))
    }
}

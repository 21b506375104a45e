//! `job release`.

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::super::administration::Administration;
use super::super::output;
use super::quarantined::quarantine;

#[derive(Debug, Args)]
pub(super) struct ReleaseArgs {
    /// The job's id
    jid: String,
    /// Print where it went as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn release(administration: &Administration, args: &ReleaseArgs) -> anyhow::Result<()> {
    let jid = &args.jid;
    let queue = quarantine(administration).release(jid).await?;
    let queue = queue
        .with_context(|| format!("no job {jid} is set aside; `sidemirror job quarantined` shows those that are"))?;
    if args.json {
        output::json(&json!({ "jid": jid, "queue": queue }))
    } else {
        output::line(&format!("job {jid} is back in queue {}", output::clean(&queue)))
    }
}

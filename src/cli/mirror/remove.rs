//! `mirror remove`.

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::super::administration::Administration;
use super::super::output;
use super::{Which, missing};

#[derive(Debug, Args)]
pub(super) struct RemoveArgs {
    #[command(flatten)]
    which: Which,
    /// Print which one as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn remove(administration: &Administration, args: &RemoveArgs) -> anyhow::Result<()> {
    let key = args.which.key();
    if !administration.store.remove(key).await? {
        bail!(missing(key));
    }
    if args.json {
        output::json(&json!({ "direction": key.direction, "id": key.id }))
    } else {
        output::line(&format!("removed {} mirror {}", key.direction, key.id))
    }
}

//! `mirror show`.

use clap::Args;

use super::super::administration::Administration;
use super::super::output;
use super::view::{self, View};
use super::{Which, existing};

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn show(administration: &Administration, args: &ShowArgs) -> anyhow::Result<()> {
    let view = View::load(administration, &existing(administration, &args.which).await?).await?;
    if args.json {
        return output::json(&view);
    }
    let mut table = output::table(&[]);
    let rows = [
        ("mirror", view.name()),
        ("repository", view.repository.clone()),
        ("url", view.url.clone()),
        ("credentials", view.credentials()),
        ("proxy", view.proxy.clone().unwrap_or_else(|| "as configured".to_owned())),
        ("enabled", if view.enabled { "yes" } else { "no" }.to_owned()),
        ("branches", view.branches()),
        ("diverged refs", view.divergence()),
        ("limits", view.own_limits()),
        ("status", view.status().to_owned()),
        ("failures in a row", view.retry_count.to_string()),
        ("refs changed", view.last_refs_changed.map_or("-".to_owned(), |n| n.to_string())),
        ("engine", view.last_engine.unwrap_or("-").to_owned()),
        ("duration", view.duration()),
        ("last update", view::relative(view.last_update_at)),
        ("last success", view::relative(view.last_successful_update_at)),
        ("last change", view::relative(view.last_changed_at)),
        ("next update", view.next_update()),
        ("last error", view.last_error.clone().unwrap_or_else(|| "-".to_owned())),
    ];
    for (name, value) in rows {
        table.add_row([name.to_owned(), value]);
    }
    output::print(&mut table)
}

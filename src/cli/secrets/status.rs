//! `secrets status`.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;

use super::super::output;
use crate::store::redis::{SealingKeys, Vault};

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Documented in docs/json.md.
#[derive(Serialize)]
struct Status<'a> {
    key: &'a str,
    previous_keys: Vec<&'a str>,
    key_in_use: Option<String>,
    secrets: BTreeMap<String, usize>,
}

pub(super) async fn status(vault: &Vault, keys: &SealingKeys, args: &StatusArgs) -> anyhow::Result<()> {
    let status = Status {
        key: keys.current_id(),
        previous_keys: keys.ids().skip(1).collect(),
        key_in_use: vault.key_in_use().await?,
        secrets: vault.count().await?,
    };
    if args.json {
        return output::json(&status);
    }
    let mut table = output::table(&["KEY", "SECRETS", ""]);
    let mut ids: Vec<&str> = keys.ids().collect();
    ids.extend(status.secrets.keys().map(String::as_str).chain(status.key_in_use.as_deref()));
    let mut shown = Vec::new();
    for id in ids {
        if shown.contains(&id) {
            continue;
        }
        shown.push(id);
        let role = match id {
            "" => "not sealed at all",
            _ if id == status.key => "the current key",
            _ if status.previous_keys.contains(&id) => "a previous key",
            _ => "a key that is not configured",
        };
        let in_use = if status.key_in_use.as_deref() == Some(id) { ", in use" } else { "" };
        let count = status.secrets.get(id).copied().unwrap_or_default();
        table.add_row([id.to_owned(), count.to_string(), format!("{role}{in_use}")]);
    }
    output::print(&mut table)
}

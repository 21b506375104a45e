//! The hosts that are in trouble, as `status` shows them.

use comfy_table::{Cell, CellAlignment};
use serde_json::{Value, json};

use super::super::output;
use super::lasting;
use crate::coordination::hosts::HostView;

pub(super) fn view(host: &HostView) -> Value {
    json!({
        "name": host.name,
        "given_up": host.open,
        "runs": host.runs,
        "failures": host.failures,
        "failing_seconds": host.failing.map(|failing| failing.as_secs()),
        "wait_seconds": host.wait.as_secs(),
        "last_error": host.error,
    })
}

pub(super) fn show(hosts: &[HostView]) -> anyhow::Result<()> {
    if hosts.is_empty() {
        return Ok(());
    }
    output::line("")?;
    let mut table = output::table(&["HOST", "STATE", "RUNS", "FAILING FOR", "TRIED IN", "LAST ERROR"]);
    for host in hosts {
        table.add_row([
            Cell::new(output::clean(&host.name)),
            Cell::new(if host.open { "given up" } else { "held back" }),
            Cell::new(host.runs).set_alignment(CellAlignment::Right),
            Cell::new(host.failing.map_or_else(|| "-".to_owned(), lasting)),
            Cell::new(if host.wait.is_zero() { "now".to_owned() } else { lasting(host.wait) }),
            Cell::new(if host.error.is_empty() { "-".to_owned() } else { output::clean(&host.error) }),
        ]);
    }
    output::print(&mut table)
}

//! `status`: all processes of the Redis, what they do, what waits, what was ordered.

mod hosts;

use std::time::Duration;

use clap::Args;
use comfy_table::{Cell, CellAlignment, Color};
use serde_json::{Value, json};

use super::administration::Administration;
use super::{ConfigArgs, output};
use crate::coordination::{self, hosts::HostView};
use crate::sidekiq::{Order, Overview, ProcessView, WorkView};

#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &StatusArgs) -> anyhow::Result<()> {
    Administration::with(args.config.load()?, async |administration| {
        let overview = Overview::read(&administration.redis, &administration.config.sidekiq.keys).await?;
        let hosts = coordination::hosts::overview(&administration.redis).await?;
        if args.json { output::json(&view(&overview, &hosts)) } else { show(&overview, &hosts) }
    })
}

fn view(overview: &Overview, hosts: &[HostView]) -> Value {
    let order = |order: &Order| json!({ "since": output::time(order.since), "reason": order.reason });
    let work = |work: &WorkView| {
        json!({
            "slot": work.slot,
            "class": work.class,
            "jid": work.jid,
            "queue": work.queue,
            "age_seconds": work.age.as_secs(),
            "expected_seconds": work.expected.map(|expected| expected.as_secs()),
            "overdue": work.is_overdue(),
            "progress": work.progress,
        })
    };
    let process = |process: &ProcessView| {
        json!({
            "identity": process.identity,
            "sidemirror": process.ours,
            "tag": process.tag,
            "version": process.version,
            "concurrency": process.concurrency,
            "quiet": process.quiet,
            "queues": process.queues,
            "started_at": output::time(process.started_at),
            "last_beat_seconds": process.beat_age.as_secs(),
            "jobs": process.work.iter().map(work).collect::<Vec<_>>(),
        })
    };
    let queues = overview.queues.iter().map(
        |queue| json!({ "name": queue.name, "length": queue.length, "latency_seconds": queue.latency.as_secs_f64() }),
    );
    let sizes = overview.sizes;
    let off = overview.standing.off.iter().map(|(class, given)| (class.clone(), order(given)));
    json!({
        "paused": overview.standing.paused.as_ref().map(order),
        "paused_classes": off.collect::<serde_json::Map<_, _>>(),
        "overdue_jobs": all_work(overview).filter(|work| work.is_overdue()).count(),
        "processes": overview.processes.iter().map(process).collect::<Vec<_>>(),
        "queues": queues.collect::<Vec<_>>(),
        "hosts": hosts.iter().map(hosts::view).collect::<Vec<_>>(),
        "sets": {
            "retry": sizes.retry,
            "schedule": sizes.schedule,
            "dead": sizes.dead,
            "interrupted": sizes.interrupted,
        },
    })
}

fn all_work(overview: &Overview) -> impl Iterator<Item = &WorkView> {
    overview.processes.iter().flat_map(|process| &process.work)
}

fn show(overview: &Overview, hosts: &[HostView]) -> anyhow::Result<()> {
    let standing = &overview.standing;
    for (what, order) in standing
        .paused
        .iter()
        .map(|order| ("everything", order))
        .chain(standing.off.iter().map(|(class, order)| (class.as_str(), order)))
    {
        let reason = order.reason.as_deref().map(|reason| format!(": {}", output::clean(reason))).unwrap_or_default();
        output::line(&format!(
            "PAUSED  {} {}{reason}",
            output::clean(what),
            output::relative(output::moment(order.since))
        ))?;
    }
    let mut table = output::table(&["PROCESS", "KIND", "TAG", "STATE", "BUSY", "QUEUES", "STARTED"]);
    for process in &overview.processes {
        table.add_row([
            output::clean(&process.identity),
            if process.ours { "sidemirror".to_owned() } else { format!("sidekiq {}", output::clean(&process.version)) },
            output::clean(&process.tag),
            if process.quiet { "quiet" } else { "running" }.to_owned(),
            format!("{} of {}", process.work.len(), process.concurrency),
            output::clean(&process.queues.join(", ")),
            output::relative(output::moment(process.started_at)),
        ]);
    }
    if overview.processes.is_empty() {
        output::line("no process is registered")?;
    } else {
        output::print(&mut table)?;
    }
    if all_work(overview).next().is_some() {
        output::line("")?;
        let mut table = output::table(&["JOB", "CLASS", "QUEUE", "PROCESS", "FOR", "PROGRESS"]);
        for process in &overview.processes {
            for work in &process.work {
                table.add_row(job_row(process, work));
            }
        }
        output::print(&mut table)?;
    }
    hosts::show(hosts)?;
    output::line("")?;
    let mut table = output::table(&["QUEUE OR SET", "JOBS", "LATENCY"]);
    for queue in &overview.queues {
        table.add_row(count_row(&output::clean(&queue.name), queue.length, &lasting(queue.latency)));
    }
    let sizes = overview.sizes;
    for (set, size) in
        [("retry", sizes.retry), ("schedule", sizes.schedule), ("dead", sizes.dead), ("interrupted", sizes.interrupted)]
    {
        table.add_row(count_row(&format!("({set})"), size, ""));
    }
    output::print(&mut table)
}

fn job_row(process: &ProcessView, work: &WorkView) -> [Cell; 6] {
    let age = lasting(work.age);
    let age = if work.is_overdue() { Cell::new(format!("{age} (overdue)")).fg(Color::Red) } else { Cell::new(age) };
    [
        Cell::new(output::clean(&work.jid)),
        Cell::new(output::clean(&work.class)),
        Cell::new(output::clean(&work.queue)),
        Cell::new(output::clean(&process.identity)),
        age,
        Cell::new(work.progress.as_deref().map_or_else(|| "-".to_owned(), output::clean)),
    ]
}

fn count_row(name: &str, jobs: u64, latency: &str) -> [Cell; 3] {
    [Cell::new(name), Cell::new(jobs).set_alignment(CellAlignment::Right), Cell::new(latency)]
}

/// `3m 5s`, in whole seconds.
fn lasting(time: Duration) -> String {
    humantime::format_duration(Duration::from_secs(time.as_secs())).to_string()
}

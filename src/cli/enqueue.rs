//! `sidemirror enqueue`: pushes a job of any class, ours or Ruby's.

use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::administration::Administration;
use super::{ConfigArgs, output};
use crate::sidekiq::{NewJob, When};

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct EnqueueArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The job's class, by its Ruby name
    class: String,
    /// Its arguments: JSON, or else a text. 42 is a number, and '"42"' a text
    #[arg(allow_negative_numbers = true)]
    args: Vec<String>,
    /// Wait so long, such as 5m, before it goes into its queue
    #[arg(long = "in", value_name = "DURATION", conflicts_with = "at", allow_hyphen_values = true)]
    wait: Option<String>,
    /// Put it into its queue at this time: 2026-11-22T07:05:00Z, or a number, which means what it means in Ruby
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: Option<String>,
    /// Put it into this queue [default: the first that is configured]
    #[arg(long, value_name = "NAME")]
    queue: Option<String>,
    /// Retry it when it fails: true, false, or so many times
    #[arg(long, value_name = "true|false|N", default_value = "true")]
    retry: String,
    /// Print the job's id, class and queue as JSON
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  sidemirror enqueue UpdateMirror 42
  sidemirror enqueue Report::Mail '\"42\"' '{\"to\":\"ops\"}' --queue mailers --retry 3 --in 1h";

pub(super) fn run(args: &EnqueueArgs) -> anyhow::Result<()> {
    let config = args.config.load()?;
    let queue = args.queue.clone().unwrap_or_else(|| config.sidekiq.first_queue().to_owned());
    let arguments = args.args.iter().map(|text| argument(text)).collect::<anyhow::Result<Vec<Value>>>()?;
    let job = NewJob::new(name("the class", &args.class)?, arguments)
        .queue(name("--queue", &queue)?)
        .retry(retry(&args.retry)?);
    let when = when(args)?;
    Administration::with(config, async |administration| {
        let client = administration.client().await?;
        match when {
            None => client.push(&job).await?,
            Some(when) => client.push_at(&job, when).await?,
        }
        if args.json {
            output::json(&json!({ "jid": job.jid(), "class": args.class, "queue": queue }))
        } else {
            output::line(job.jid())
        }
    })
}

/// A name that has something in it and can be shown in one line.
fn name<'a>(what: &str, text: &'a str) -> anyhow::Result<&'a str> {
    if text.trim().is_empty() || text.chars().any(char::is_control) {
        bail!("{what}: got {text:?}; expected a name");
    }
    Ok(text)
}

/// JSON, or else the text itself. A number that would not come through as it is written is refused.
fn argument(text: &str) -> anyhow::Result<Value> {
    let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    let is_whole = text.trim().trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    if is_whole && value.is_f64() {
        bail!("the argument {text}: expected a number of at most 64 bits; '\"{text}\"' is a text");
    }
    Ok(value)
}

fn retry(text: &str) -> anyhow::Result<Value> {
    match text {
        "true" => Ok(true.into()),
        "false" => Ok(false.into()),
        number => number.parse::<u32>().map(Value::from).map_err(|_| {
            anyhow::anyhow!("--retry: got {number:?}; expected true, false or a number of retries, such as 3")
        }),
    }
}

fn when(args: &EnqueueArgs) -> anyhow::Result<Option<When>> {
    if let Some(wait) = &args.wait {
        let wait = humantime::parse_duration(wait)
            .ok()
            .filter(|wait| *wait <= LONGEST)
            .with_context(|| format!("--in: got {wait:?}; expected a duration with its unit (10s, 5m, 3h)"))?;
        return Ok(Some(When::In(wait)));
    }
    args.at.as_deref().map(time).transpose()
}

/// A hundred years.
const LONGEST: Duration = Duration::from_hours(100 * 365 * 24);

fn time(text: &str) -> anyhow::Result<When> {
    if let Some(seconds) = text.parse::<f64>().ok().filter(|seconds| (0.0..1e11).contains(seconds)) {
        return Ok(When::from_number(seconds));
    }
    let time: DateTime<Utc> = text.parse().map_err(|_| {
        anyhow::anyhow!("--at: got {text:?}; expected a time (2026-11-22T07:05:00Z) or a number of seconds since 1970")
    })?;
    let milliseconds = time.timestamp_millis();
    Ok(When::At(milliseconds as f64 / 1000.0))
}

//! `pause` and `resume`: everything, or the jobs of one class.

use anyhow::bail;
use clap::Args;
use serde_json::json;

use super::administration::Administration;
use super::{ConfigArgs, output};
use crate::sidekiq::Switches;

#[derive(Debug, Args)]
pub(super) struct PauseArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Only jobs of this class, given by its Ruby name; they wait in the schedule set
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// Why; shown by `status`
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Print what is paused as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Only jobs of this class
    #[arg(long, value_name = "CLASS")]
    class: Option<String>,
    /// Print what goes on as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn pause(args: &PauseArgs) -> anyhow::Result<()> {
    Administration::with(args.config.load()?, async |administration| {
        let (switches, reason) = (switches(&administration), args.reason.as_deref());
        match &args.class {
            None => switches.pause(reason).await?,
            Some(class) => {
                let served = &administration.config.mirror.jobs;
                if !served.contains_key(class.trim_start_matches("::")) {
                    let names: Vec<&str> = served.keys().map(String::as_str).collect();
                    bail!("{class} is no class that is served here; expected one of {}", names.join(", "));
                }
                switches.switch_off(class, reason).await?;
            }
        }
        if args.json {
            output::json(&json!({ "paused": true, "class": args.class }))
        } else {
            let what = args.class.as_ref().map_or("everything", String::as_str);
            output::line(&format!("paused {what}; every node obeys within a second or two, and jobs in hand go on"))
        }
    })
}

pub(super) fn resume(args: &ResumeArgs) -> anyhow::Result<()> {
    Administration::with(args.config.load()?, async |administration| {
        let switches = switches(&administration);
        let (was_paused, what) = match &args.class {
            None => (switches.resume().await?, "everything"),
            Some(class) => (switches.switch_on(class).await?, class.as_str()),
        };
        if args.json {
            output::json(&json!({ "paused": false, "class": args.class, "was_paused": was_paused }))
        } else if was_paused {
            output::line(&format!("resumed {what}"))
        } else {
            output::line(&format!("{what} was not paused"))
        }
    })
}

fn switches(administration: &Administration) -> Switches {
    Switches::new(administration.redis.clone(), administration.config.sidekiq.keys.clone())
}

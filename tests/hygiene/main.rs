//! What an administrator does to workers and jobs, and what becomes of mirrors then: cancel, pause, status, dump, and
//! the quarantine of jobs under which workers died.

#![cfg(test)]

mod cancel;
mod glance;
mod overdue;
mod pause;
mod quarantine;
#[path = "../rig/mod.rs"]
mod rig;

use std::time::Duration;

use redis::{Commands as _, Connection};
use rig::installation::Installation;
use rig::wait;
use serde_json::Value;

/// How long anything may take that nobody measures here.
const WORK: Duration = Duration::from_secs(40);

/// The line of a pull job, as Ruby writes it.
fn pull_job(mirror: u64, jid: &str) -> String {
    format!(
        r#"{{"retry":false,"queue":"mirrors","class":"UpdateMirror","args":[{mirror}],"jid":"{jid}","created_at":1.7E9}}"#
    )
}

fn push(redis: &mut Connection, job: &str) {
    redis.lpush::<_, _, ()>("queue:mirrors", job).unwrap();
}

fn json(installation: &Installation, args: &[&str]) -> Value {
    serde_json::from_str(&installation.cli_ok(args)).unwrap()
}

fn wait_for_status(installation: &Installation, direction: &str, id: u64, status: &str) -> Value {
    wait::for_some(&format!("the mirror to be {status}"), WORK, || {
        Some(installation.mirror_state(direction, id)).filter(|state| state["update_status"] == status)
    })
}

fn slots(redis: &mut Connection) -> usize {
    redis.zcard("sidemirror:capacity").unwrap()
}

fn run_keys(redis: &mut Connection) -> Vec<String> {
    redis.keys("sidemirror:run:*").unwrap()
}

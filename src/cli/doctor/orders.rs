//! What administrators have ordered: a pause is easily forgotten.

use super::finding::Finding;
use crate::config::Config;
use crate::connections::Redis;
use crate::sidekiq::Switches;

const SUBJECT: &str = "orders";

pub(super) async fn look(redis: &Redis, config: &Config) -> Option<Finding> {
    let standing = match Switches::new(redis.clone(), config.sidekiq.keys.clone()).standing().await {
        Ok(standing) => standing,
        Err(error) => return Some(Finding::warning(SUBJECT, error.to_string(), "an answer", "see what lies there")),
    };
    if standing.paused.is_some() {
        let seen = "everything is paused: no job is run, and nothing is scheduled";
        return Some(Finding::warning(SUBJECT, seen, "no pause", "sidemirror resume"));
    }
    let class = standing.off.keys().next()?;
    let seen = format!("{class} is paused, and {} other classes", standing.off.len() - 1);
    Some(Finding::warning(SUBJECT, seen, "no pause", format!("sidemirror resume --class {class}")))
}

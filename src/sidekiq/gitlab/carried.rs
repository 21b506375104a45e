//! What a payload carries of GitLab's, and what there is to do for it.

use super::cookie::Cookie;
use super::executing::Execution;
use super::settings::{GitLabSettings, Strategy, Switch};
use crate::sidekiq::job::{Job, JobFailure};

/// Fields that only GitLab's client writes. `correlation_id` and `meta.*` are not among them: others write those, too.
const MARKS: [&str; 10] = [
    "idempotency_key",
    "status_expiration",
    "worker_data_consistency",
    "worker_data_consistency_per_db",
    "size_limiter",
    "wal_locations",
    "queue_namespace",
    "concurrency_limit_resume",
    "rescheduled_once",
    "deferred",
];

/// The version of the arguments that the classes served here understand.
const KNOWN_VERSION: u64 = 0;

/// What GitLab's side expects to be done for one job.
pub(super) struct Carried {
    pub(super) jid: String,
    /// The key to delete before or after the run.
    pub(super) cookie: Option<Cookie>,
    pub(super) strategy: Strategy,
    pub(super) execution: Execution,
    /// For how many seconds the status key of the job lives; `None` if the job has none.
    pub(super) status_expiration: Option<u64>,
    /// Whether it was pushed since another had been dropped; that happens only once.
    pub(super) rescheduled_once: bool,
    version: Option<serde_json::Value>,
}

impl Carried {
    /// What a job carries; `None` if it is none of GitLab's.
    pub(super) fn by(job: &Job, settings: &GitLabSettings) -> Option<Self> {
        let payload = job.payload();
        let marked = || payload.keys().any(|key| MARKS.contains(&key));
        match settings.enabled {
            Switch::Off => return None,
            Switch::Auto if !marked() => return None,
            Switch::Auto | Switch::On => {}
        }
        Some(Self {
            jid: job.jid().to_owned(),
            cookie: payload.get("idempotency_key").and_then(Cookie::named),
            strategy: settings.strategy(job.class()),
            execution: Execution::of(job.class()),
            status_expiration: payload.get("status_expiration"),
            rescheduled_once: payload.get("rescheduled_once").unwrap_or(false),
            version: payload.get("version"),
        })
    }

    /// Sees whether the arguments mean what they are taken for here.
    pub(super) fn check_version(&self) -> Result<(), JobFailure> {
        match &self.version {
            None => Ok(()),
            Some(version) if version.is_null() || version.as_u64() == Some(KNOWN_VERSION) => Ok(()),
            Some(version) => {
                let version: String = version.to_string().chars().take(40).collect();
                let message = format!("the arguments are of version {version}; only {KNOWN_VERSION} is known here");
                Err(JobFailure::new("ArgumentError", message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::sidekiq::job::payload::Payload;

    fn carried(fields: &str, enabled: Switch) -> Option<Carried> {
        let payload = Payload::parse(format!(r#"{{"class":"A","jid":"j","args":[]{fields}}}"#)).unwrap();
        let settings = GitLabSettings { enabled, ..GitLabSettings::default() };
        Carried::by(&Job::new(payload, "q", &CancellationToken::new()), &settings)
    }

    #[test]
    fn a_job_is_gitlabs_by_what_it_carries_or_by_decree() {
        for fields in ["", r#","correlation_id":"c","meta.user":"root","version":0,"tags":[]"#] {
            assert!(carried(fields, Switch::Auto).is_none(), "{fields}");
            assert!(carried(fields, Switch::On).is_some(), "{fields}");
        }
        for mark in MARKS {
            assert!(carried(&format!(r#","{mark}":1"#), Switch::Auto).is_some(), "{mark}");
            assert!(carried(&format!(r#","{mark}":1"#), Switch::Off).is_none(), "{mark}");
        }
    }

    #[test]
    fn arguments_of_an_unknown_version_are_refused() {
        for (version, known) in [("0", true), ("null", true), ("1", false), ("\"0\"", false), ("-1", false)] {
            let carried = carried(&format!(r#","version":{version}"#), Switch::On).unwrap();
            assert_eq!(carried.check_version().is_ok(), known, "{version}");
        }
        assert!(carried("", Switch::On).unwrap().check_version().is_ok());
    }
}

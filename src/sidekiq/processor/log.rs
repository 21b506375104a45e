//! What the lines begin with that are logged on behalf of a job.

use tracing::Span;
use tracing::field::Empty;

use crate::sidekiq::job::Job;

/// Whose lines these are. Never its arguments: they may hold secrets. What is empty is filled in from GitLab's context.
pub(super) fn span(job: &Job, subject: Option<&str>) -> Span {
    let (class, jid) = (brief(job.class()), brief(job.jid()));
    tracing::info_span!(
        "job",
        %class,
        %jid,
        queue = job.queue(),
        subject,
        correlation_id = Empty,
        meta.caller_id = Empty,
        meta.root_caller_id = Empty,
        meta.user = Empty,
        meta.user_id = Empty,
        meta.project = Empty,
        meta.root_namespace = Empty,
        meta.organization_id = Empty,
        meta.feature_category = Empty,
        meta.related_class = Empty,
        meta.remote_ip = Empty,
        meta.client_id = Empty,
        meta.job_id = Empty,
    )
}

/// Foreign text made fit for one line of a log.
pub(in crate::sidekiq) fn brief(text: &str) -> String {
    text.chars()
        .take(200)
        .map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter })
        .collect()
}

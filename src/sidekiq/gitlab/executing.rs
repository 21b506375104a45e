//! Which jobs of a class are running anywhere: by this GitLab holds a class to its limit.

use std::time::Duration;

use super::round_trip::{Place, RoundTrip};
use crate::sidekiq::clock;
use crate::sidekiq::engine::Engine;
use crate::sidekiq::job::payload::Payload;

/// So long taking entries away at the end may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The hash of the running jobs of one class.
pub(super) struct Execution {
    key: String,
}

impl Execution {
    pub(super) fn of(class: &str) -> Self {
        Self { key: format!("sidekiq:concurrency_limit:{{{}}}:executing", underscored(class)) }
    }

    /// Notes that a job runs in this slot.
    pub(super) fn begin(&self, engine: &Engine, slot: &str, trip: &mut RoundTrip) {
        let mut command = redis::cmd("HSET");
        command.arg(&self.key).arg(field(engine, slot)).arg(clock::whole(clock::now()));
        trip.add(Place::QueuesMetadata, command);
    }

    /// Notes that it does no longer.
    pub(super) fn end(&self, engine: &Engine, slot: &str, trip: &mut RoundTrip) {
        let mut command = redis::cmd("HDEL");
        command.arg(&self.key).arg(field(engine, slot));
        trip.add(Place::QueuesMetadata, command);
    }
}

/// GitLab takes this apart and looks for the slot in the busy hash of the process.
fn field(engine: &Engine, slot: &str) -> String {
    format!("{}:tid:{slot}", engine.identity)
}

/// Takes the entries of jobs away that are cut off and will not do so themselves.
pub(in crate::sidekiq) async fn forget_all(engine: &Engine) {
    if engine.settings.gitlab.enabled == super::Switch::Off {
        return;
    }
    let mut trip = RoundTrip::default();
    for held in engine.hands.held() {
        if let Some(class) = Payload::parse(held.fetched.bytes).ok().and_then(|payload| payload.get::<String>("class"))
            && engine.registry.find(&class).is_some()
        {
            Execution::of(&class).end(engine, &held.slot, &mut trip);
        }
    }
    if let Ok(Err(error)) = tokio::time::timeout(LAST_WORDS, trip.send(engine)).await {
        tracing::warn!("GitLab's list of running jobs was left as it is: {error}");
    }
}

/// The name of a Ruby class as `ActiveSupport` makes a path of it: `A::FooBarWorker` is `a/foo_bar_worker`.
fn underscored(class: &str) -> String {
    let letters: Vec<char> = class.replace("::", "/").chars().collect();
    let mut path = String::with_capacity(letters.len() + 8);
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).map(|index| letters[index]);
        let after = letters.get(index + 1);
        if letter.is_ascii_uppercase()
            && before.is_some_and(|before| {
                before.is_ascii_lowercase()
                    || before.is_ascii_digit()
                    || before.is_ascii_uppercase() && after.is_some_and(char::is_ascii_lowercase)
            })
        {
            path.push('_');
        }
        path.push(if *letter == '-' { '_' } else { letter.to_ascii_lowercase() });
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_named_as_active_support_names_its_path() {
        for (class, path) in [
            ("RepositoryUpdateMirrorWorker", "repository_update_mirror_worker"),
            ("RepositoryUpdateRemoteMirrorWorker", "repository_update_remote_mirror_worker"),
            ("Gitlab::GithubImport::ImportPRWorker", "gitlab/github_import/import_pr_worker"),
            ("HTTPServer", "http_server"),
            ("X509CertificateRevokeWorker", "x509_certificate_revoke_worker"),
            ("::Mirror", "/mirror"),
            ("a-B", "a_b"),
            ("", ""),
        ] {
            assert_eq!(underscored(class), path);
        }
        assert_eq!(Execution::of("AWorker").key, "sidekiq:concurrency_limit:{a_worker}:executing");
    }
}

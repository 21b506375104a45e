//! A run and its host: whether it may go there, and what it found.

use std::time::Duration;

use chrono::{SubsecRound as _, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::environment::Environment;
use super::error::RunError;
use crate::coordination::hosts::{Entry, Found, Place, Turn};
use crate::git::GitError;
use crate::mirror::hosts::HostRules;
use crate::mirror::reach::Reach;
use crate::net::{NetError, Session};

/// A run that finds a host full comes back after this and up to twice of it, so that not all come back at once.
const FULL: Duration = Duration::from_secs(5);

/// Waits for the run's turn at its host.
pub(super) async fn enter(
    environment: &Environment,
    session: &Session,
    run: &str,
    cancel: &CancellationToken,
) -> Result<Place, RunError> {
    let host = session.url().authority();
    match environment.hosts.enter(&host, run).await {
        Entry::In(place) => {
            // Cancelled, the run ends at its first step.
            cancel.run_until_cancelled(tokio::time::sleep(place.wait)).await;
            Ok(place)
        }
        Entry::Open { since, wait, error } => {
            environment.observer.host_deferred("open");
            let since = TimeDelta::from_std(since).map_or_else(|_| Utc::now(), |since| Utc::now() - since);
            Err(RunError::HostDown { host, since: since.trunc_subsecs(0), error, wait: seconds(wait) })
        }
        Entry::Held { reason, wait } => {
            environment.observer.host_deferred(reason.as_str());
            let (wait, reason) = (wait.max(FULL).mul_f64(1.0 + rand::random::<f64>()), reason.to_string());
            if wait > HostRules::LONGEST_DELAY {
                Err(RunError::HostAway { host, reason, wait: seconds(wait) })
            } else {
                Err(RunError::HostBusy { host, reason, wait: seconds(wait) })
            }
        }
    }
}

/// Tells how the host was found.
pub(super) async fn leave<T>(place: Place, result: &Result<T, RunError>, session: &Session, reach: &Reach) {
    let host = session.url().authority();
    let cause = match result {
        Err(RunError::Git(GitError::Net(cause))) => Some(cause),
        _ => None,
    };
    let alone = cause.and_then(NetError::retry_after);
    match place.leave(&found(cause, result.is_ok(), session, reach), alone).await {
        Turn::Opened => tracing::warn!(host, "the host is given up for a while, after failures in a row"),
        Turn::Closed => tracing::info!(host, "the host is back"),
        Turn::None => {}
    }
}

fn found(cause: Option<&NetError>, succeeded: bool, session: &Session, reach: &Reach) -> Found {
    let answered = session.traffic().received > 0;
    match cause {
        // What a mirror's owner brings along for the way may be what is wrong; others go without.
        Some(cause) if cause.is_hosts_fault() && has_own_way(reach) => Found::Nothing,
        Some(cause @ (NetError::Status { .. } | NetError::Busy { .. })) if cause.is_hosts_fault() => {
            Found::Failed(cause.to_string())
        }
        Some(cause) if cause.is_hosts_fault() && !answered => Found::Failed(cause.to_string()),
        Some(
            NetError::Cancelled | NetError::DeadlinePassed { .. } | NetError::Forbidden { .. } | NetError::Setup(_),
        ) => Found::Nothing,
        _ if answered || succeeded || cause.is_some() => Found::Answered,
        _ => Found::Nothing,
    }
}

fn has_own_way(reach: &Reach) -> bool {
    let Reach { proxy, ca, certificate_fingerprint, client_certificate, .. } = reach;
    [proxy, ca, certificate_fingerprint, client_certificate].into_iter().any(Option::is_some)
}

/// Whole seconds read better.
fn seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs().max(1))
}

//! A run and its host: whether it may go there, and what it found.

use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use secrecy::ExposeSecret as _;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::environment::Environment;
use super::error::RunError;
use crate::coordination::hosts::{Alone, Entry, Found, Held, Place, Turn};
use crate::git::GitError;
use crate::mirror::reach::Reach;
use crate::net::{Access, NetError, Session};
use crate::store::MirrorStore;

/// A run that finds a host full comes back after this and up to twice of it, so that not all come back at once.
const FULL: Duration = Duration::from_secs(5);

/// For a host that is away for longer, a pull mirror waits in the schedule and not in a queue, where it would keep its
/// slot.
const LONGEST_IN_QUEUE: Duration = Duration::from_mins(1);

/// Stands for the login of a run: empty where it has none, nothing where it cannot be told from others.
pub(super) fn login(store: &dyn MirrorStore, access: &Access) -> Option<String> {
    let mut text = Zeroizing::new(Vec::new());
    if let Some(login) = &access.credentials {
        text.extend_from_slice(login.user().as_bytes());
        text.push(0);
        text.extend_from_slice(login.password().expose_secret().as_bytes());
    }
    let headers = access.http.headers.iter().map(|(_, value)| value);
    for secret in access.http.bearer.iter().chain(headers) {
        text.push(0);
        text.extend_from_slice(secret.expose_secret().as_bytes());
    }
    if text.is_empty() { Some(String::new()) } else { store.mark(&text) }
}

/// Waits for the run's turn at its host.
pub(super) async fn enter(
    environment: &Environment,
    session: &Session,
    run: &str,
    login: Option<&str>,
    cancel: &CancellationToken,
) -> Result<Place, RunError> {
    let host = session.url().authority();
    match environment.hosts.enter(&host, run, login.unwrap_or_default()).await {
        Entry::In(place) => {
            // Cancelled, the run ends at its first step.
            cancel.run_until_cancelled(tokio::time::sleep(place.wait)).await;
            Ok(place)
        }
        Entry::Open { since, wait, error } => {
            environment.observer.host_deferred("open");
            Err(RunError::HostDown { host, since: ago(since), error, wait: seconds(spread(wait)) })
        }
        Entry::Held { reason, wait, since } => {
            environment.observer.host_deferred(reason.as_str());
            let away = matches!(reason, Held::RetryAfter(_)) && wait > LONGEST_IN_QUEUE;
            let (wait, reason) = (seconds(spread(wait)), reason.to_string());
            Err(if away {
                RunError::HostAway { host, since: ago(since), reason, wait }
            } else {
                RunError::HostBusy { host, reason, wait }
            })
        }
    }
}

/// Tells how the host was found. `known` says whether the run's login can be told from others.
pub(super) async fn leave<T>(
    place: Place,
    result: &Result<T, RunError>,
    session: &Session,
    reach: &Reach,
    known: bool,
) {
    let host = session.url().authority();
    let cause = match result {
        Err(RunError::Git(GitError::Net(cause))) => Some(cause),
        _ => None,
    };
    // What a mirror's owner brings along for the way may be what is wrong; others go without.
    let (found, alone) = match cause {
        Some(_) if has_own_way(reach) => (Found::Nothing, None),
        Some(cause) => {
            (found(cause, session.has_reached()), cause.retry_after().and_then(|time| alone(cause, time, known)))
        }
        None if result.is_ok() || session.has_reached() => (Found::Answered, None),
        None => (Found::Nothing, None),
    };
    let said = cause.filter(|_| alone.is_some()).map(|cause| session.mask(&cause.to_string())).unwrap_or_default();
    match place.leave(&found, alone, &said).await {
        Turn::Opened => tracing::warn!(host, "the host is given up for a while, after failures in a row"),
        Turn::Closed => tracing::info!(host, "the host is back"),
        Turn::None => {}
    }
}

/// What a failure says about a host. Once it has answered, the reason may be this repository or this login, but for an
/// answer that says that it is the host.
fn found(cause: &NetError, reached: bool) -> Found {
    let says_so = matches!(cause, NetError::Status { .. } | NetError::Busy { .. });
    match cause.is_hosts_fault() && (says_so || !reached) {
        true if cause.may_be_ours() => Found::Doubted(cause.to_string()),
        true => Found::Failed(cause.to_string()),
        false if reached => Found::Answered,
        false => Found::Nothing,
    }
}

/// Who is to wait: all, if the host is out of service, else whoever asks with the same login.
fn alone(cause: &NetError, time: Duration, known: bool) -> Option<Alone> {
    if cause.is_hosts_fault() { Some(Alone::All(time)) } else { known.then_some(Alone::Login(time)) }
}

fn has_own_way(reach: &Reach) -> bool {
    let Reach { proxy, ca, certificate_fingerprint, client_certificate, .. } = reach;
    [proxy, ca, certificate_fingerprint, client_certificate].into_iter().any(Option::is_some)
}

/// Whole seconds read better.
fn seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs().max(1))
}

fn ago(time: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(time).map_or_else(|_| Utc::now(), |time| Utc::now() - time).trunc_subsecs(0)
}

/// Not all come back at once.
fn spread(wait: Duration) -> Duration {
    let wait = wait.max(FULL);
    wait + wait.min(LONGEST_IN_QUEUE).mul_f64(rand::random())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::RemoteText;

    #[test]
    fn what_a_failure_says_about_a_host() {
        let (authority, limit) = (|| "a:1".to_owned(), Duration::from_secs(1));
        let failed = |cause: &NetError| Found::Failed(cause.to_string());
        let doubted = |cause: &NetError| Found::Doubted(cause.to_string());
        let refused = NetError::Refused { authority: authority() };
        assert_eq!(found(&refused, false), failed(&refused));
        for cause in [
            NetError::Unresolved { host: authority() },
            NetError::ConnectTimeout { authority: authority(), limit },
            NetError::Unreachable { authority: authority(), reason: authority() },
        ] {
            assert_eq!(found(&cause, false), doubted(&cause));
        }
        let ours = NetError::NotFromHere { authority: authority(), reason: authority() };
        assert_eq!(found(&ours, false), Found::Nothing);
        let stalled = NetError::Stalled { authority: authority(), limit };
        assert_eq!(found(&stalled, false), failed(&stalled));
        assert_eq!(found(&stalled, true), Found::Answered, "one account that hangs is not the host");
        let remote = RemoteText::default;
        let status = |status| NetError::Status { host: authority(), status, reason: None, remote: remote() };
        assert_eq!(found(&status(502), true), failed(&status(502)));
        assert_eq!(found(&status(418), true), Found::Answered);
        let busy = |status| NetError::Busy { host: authority(), status, pause: None, until: None, remote: remote() };
        assert_eq!(found(&busy(503), true), failed(&busy(503)));
        assert_eq!(found(&busy(429), true), Found::Answered);
        assert_eq!(alone(&busy(503), limit, true), Some(Alone::All(limit)));
        assert_eq!(alone(&busy(429), limit, true), Some(Alone::Login(limit)));
        assert_eq!(alone(&busy(403), limit, false), None);
    }
}

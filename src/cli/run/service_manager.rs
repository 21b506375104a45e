//! What systemd is told: ready, stopping, and that we live. Outside of systemd nobody listens.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

use crate::web::health::Health;

/// Everything is started.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// A line that says what goes on.
pub(super) fn status(status: &str) {
    tell(&[NotifyState::Status(status)]);
}

/// No more jobs are taken; running ones may go on for this long.
pub(super) fn stopping(timeout: Duration) {
    let status = format!("stopping within {} seconds", timeout.as_secs());
    tell(&[NotifyState::Stopping, NotifyState::Status(&status)]);
}

/// Feeds the watchdog for as long as every loop turns: a process that hangs is silent and gets restarted.
pub(super) async fn keep_alive(health: Arc<Health>, stop: CancellationToken) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    let mut told = false;
    loop {
        match health.alive() {
            Ok(()) => tell(&[NotifyState::Watchdog]),
            Err(reason) if !told => {
                told = true;
                tracing::error!(reason, "not well; the watchdog is no longer fed");
            }
            Err(_) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(limit / 3) => {}
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}

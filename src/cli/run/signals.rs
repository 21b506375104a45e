//! The signals that steer the process: TERM and INT stop it, TSTP makes it quiet.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::sidekiq::process::Process;

/// The signals we listen for, from the start: none gets lost.
pub(super) struct Signals {
    term: Signal,
    int: Signal,
    tstp: Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            tstp: signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?,
        })
    }

    /// Waits until the process is to stop, by signal or from Sidekiq's Web UI; makes it quiet when that is asked for.
    pub(super) async fn quiet_or_stop(&mut self, process: &mut Process, mut on_quiet: impl FnMut()) {
        loop {
            let reason = tokio::select! {
                _ = self.term.recv() => "TERM",
                _ = self.int.recv() => "INT",
                _ = self.tstp.recv() => "TSTP",
                asked = process.asked() => asked.as_str(),
            };
            tracing::info!(signal = reason, "asked to {}", if reason == "TSTP" { "take no new jobs" } else { "stop" });
            if reason != "TSTP" {
                return;
            }
            process.quiet();
            on_quiet();
        }
    }
}

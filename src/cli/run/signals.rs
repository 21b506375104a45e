//! The signals that steer the process: TERM and INT stop it, TSTP makes it quiet, TTIN has it say what it is doing.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::sidekiq::Process;

/// The signals we listen for, from the start: none gets lost.
pub(super) struct Signals {
    term: Signal,
    int: Signal,
    tstp: Signal,
    ttin: Signal,
}

impl Signals {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            tstp: signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?,
            ttin: signal(SignalKind::from_raw(rustix::process::Signal::TTIN.as_raw()))?,
        })
    }

    /// Waits for a signal that stops.
    pub(super) async fn stop(&mut self) {
        tokio::select! {
            _ = self.term.recv() => tracing::info!("TERM: stopping"),
            _ = self.int.recv() => tracing::info!("INT: stopping"),
        }
    }

    /// Waits until the process is to stop, by a signal or from Sidekiq's Web UI. Makes it quiet when that is asked
    /// for, and tells when it is, whoever asked.
    pub(super) async fn until_stop(&mut self, process: &Process, on_quiet: impl FnOnce()) {
        let mut on_quiet = Some(on_quiet);
        loop {
            tokio::select! {
                _ = self.term.recv() => return tracing::info!("TERM: stopping"),
                _ = self.int.recv() => return tracing::info!("INT: stopping"),
                () = process.asked_to_stop() => return tracing::info!("asked to stop through Redis: stopping"),
                _ = self.tstp.recv() => process.quiet(),
                _ = self.ttin.recv() => process.dump(),
                () = process.quieted(), if on_quiet.is_some() => if let Some(on_quiet) = on_quiet.take() { on_quiet() },
            }
        }
    }
}

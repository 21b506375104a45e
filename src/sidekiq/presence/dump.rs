//! What `TTIN` asks for: what each slot is doing, in the log.

use crate::sidekiq::clock;
use crate::sidekiq::engine::Engine;
use crate::sidekiq::job::execution::Execution;
use crate::sidekiq::processor::brief;

/// One line for each running job, and one for the whole.
pub(in crate::sidekiq) fn dump(engine: &Engine) {
    let held = engine.hands.held();
    tracing::warn!(
        running = held.len(),
        free = engine.settings.concurrency().saturating_sub(held.len()),
        quiet = engine.quiet.is_cancelled(),
        paused = engine.orders.is_paused(),
        "TTIN: what this process is doing"
    );
    for held in held {
        let execution = held.execution.as_deref();
        let (class, jid) = execution.map_or_else(Default::default, |known| (brief(known.class()), brief(known.jid())));
        tracing::warn!(
            slot = held.slot,
            %class,
            %jid,
            queue = %held.fetched.queue,
            seconds = clock::since(held.since).as_secs(),
            expected = execution.and_then(Execution::expected).map(|expected| expected.as_secs()),
            overdue = execution.is_some_and(|known| known.is_overdue(held.since)),
            cancelled = execution.is_some_and(|known| known.token().is_cancelled()),
            progress = execution.and_then(Execution::progress),
            "running"
        );
    }
}

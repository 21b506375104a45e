//! Queues that somebody has paused: no job is taken from them until they are resumed. What is in hand goes on.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use super::engine::Engine;
use super::lease;
use crate::connections::RedisError;

/// The time between two looks.
const PERIOD: Duration = Duration::from_secs(2);

/// The queues of ours that are paused, as far as is known.
#[derive(Default)]
pub(super) struct Paused {
    queues: watch::Sender<HashSet<Arc<str>>>,
    /// Redis does not let us look. That is told once.
    refused: AtomicBool,
}

impl Paused {
    /// Whether nothing is to be taken from this queue.
    pub(super) fn holds(&self, queue: &str) -> bool {
        self.queues.borrow().contains(queue)
    }

    /// Tells of every change from now on.
    pub(super) fn changes(&self) -> watch::Receiver<HashSet<Arc<str>>> {
        self.queues.subscribe()
    }

    fn are(&self, paused: HashSet<Arc<str>>) {
        self.queues.send_if_modified(|known| {
            let changed = *known != paused;
            if changed {
                paused.difference(known).for_each(|queue| tracing::info!(%queue, "paused: no job is taken from it"));
                known.difference(&paused).for_each(|queue| tracing::info!(%queue, "resumed"));
                *known = paused;
            }
            changed
        });
    }
}

/// Looks every two seconds until the process has ended. While all slots are busy nobody else may ask Redis anything, so
/// this also is where an outage is noticed then, and what it has cost.
pub(super) async fn run(engine: &Engine) {
    loop {
        tokio::time::sleep(PERIOD).await;
        let looked = async {
            lease::ensure(engine).await?;
            look(engine).await
        };
        match looked.await {
            Ok(()) => engine.outage.worked(),
            Err(error) => {
                engine.outage.failed("looking for paused queues", &error);
                engine.lease.doubt();
            }
        }
    }
}

/// Asks which of our queues are paused. Each is asked for by name, since the set may hold any number of others.
pub(super) async fn look(engine: &Engine) -> Result<(), RedisError> {
    let queues = engine.settings.queues();
    let mut commands = redis::pipe();
    for queue in &queues {
        commands.cmd("SISMEMBER").arg(engine.settings.keys.paused()).arg(&***queue);
    }
    commands.ignore_errors();
    let answers: Vec<redis::RedisResult<bool>> = engine.redis.pipeline(&commands).await?;
    match answers.into_iter().collect::<redis::RedisResult<Vec<bool>>>() {
        Ok(paused) => {
            engine.paused.refused.store(false, Ordering::Relaxed);
            let paused = queues.into_iter().zip(paused).filter(|(_, is_paused)| *is_paused);
            engine.paused.are(paused.map(|(queue, _)| Arc::clone(queue)).collect());
        }
        // What was known before still counts.
        Err(error) if !engine.paused.refused.swap(true, Ordering::Relaxed) => {
            tracing::warn!("whether queues are paused cannot be told: {error}");
        }
        Err(_) => {}
    }
    Ok(())
}

//! Blocking waits: one per queue, each on a connection of its own and with a slot for what it may bring.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::hands::{Fetched, Slot};
use crate::connections::{Dedicated, RedisError};
use crate::sidekiq::engine::Engine;
use crate::sidekiq::fetch;

/// How long a wait blocks on the server.
pub(in crate::sidekiq) const BLOCK: Duration = Duration::from_secs(2);

#[derive(Default)]
pub(in crate::sidekiq) struct Waits {
    tasks: JoinSet<Ended>,
    /// The queues that are being waited at, and the numbers by which the server knows the waiting connections.
    watched: HashMap<Arc<str>, Option<i64>>,
    /// Connections between two waits.
    lines: HashMap<Arc<str>, Line>,
}

struct Line {
    connection: Dedicated,
    /// Unknown to servers before Redis 5.
    client: Option<i64>,
}

struct Ended {
    queue: Arc<str>,
    line: Line,
    slot: Slot,
    reply: Result<Option<Fetched>, RedisError>,
}

impl Waits {
    /// How many queues are being waited at.
    pub(in crate::sidekiq) fn len(&self) -> usize {
        self.watched.len()
    }

    /// Whether this queue is being waited at.
    pub(in crate::sidekiq) fn watch(&self, queue: &Arc<str>) -> bool {
        self.watched.contains_key(queue)
    }

    /// Waits at a queue with this slot.
    pub(in crate::sidekiq) async fn park(
        &mut self,
        engine: &Arc<Engine>,
        queue: &Arc<str>,
        slot: Slot,
    ) -> Result<(), RedisError> {
        let line = match self.lines.remove(queue) {
            Some(line) if !line.connection.is_outdated() => line,
            _ => open(engine).await?,
        };
        self.watched.insert(Arc::clone(queue), line.client);
        self.tasks.spawn(wait(Arc::clone(engine), Arc::clone(queue), slot, line));
        Ok(())
    }

    /// The next wait to end: with a job, or with nothing. Never returns while nobody waits.
    pub(in crate::sidekiq) async fn next(&mut self) -> Result<Option<(Slot, Fetched)>, RedisError> {
        match self.tasks.join_next().await {
            None => std::future::pending().await,
            // Its slot and its connection went with it.
            Some(Err(_)) => {
                self.watched.clear();
                Ok(None)
            }
            Some(Ok(Ended { queue, line, slot, reply })) => {
                self.watched.remove(&queue);
                // After an error the connection may still owe us a reply: closing it cancels what is pending there.
                let fetched = reply?;
                self.lines.insert(queue, line);
                Ok(fetched.map(|fetched| (slot, fetched)))
            }
        }
    }

    /// Ends all waits early.
    pub(in crate::sidekiq) async fn unblock(&self, engine: &Engine) {
        self.unblock_at(engine, |_| true).await;
    }

    /// Ends the waits at these queues early. They are not simply dropped: a reply under way may hold a job.
    pub(in crate::sidekiq) async fn unblock_at(&self, engine: &Engine, is_meant: impl Fn(&str) -> bool) {
        let meant = self.watched.iter().filter(|(queue, _)| is_meant(queue));
        let waiting: Vec<i64> = meant.filter_map(|(_, client)| *client).collect();
        if waiting.is_empty() {
            return;
        }
        let mut commands = redis::pipe();
        for client in waiting {
            commands.cmd("CLIENT").arg("UNBLOCK").arg(client).ignore();
        }
        // Where this is forbidden the waits end by themselves, a little later.
        let _ = engine.redis.pipeline::<()>(&commands).await;
    }

    /// Ends for good. Jobs that still arrive go back to their queues.
    pub(in crate::sidekiq) async fn end(mut self, engine: &Engine) {
        self.unblock(engine).await;
        let all = async {
            while !self.tasks.is_empty() {
                match self.next().await {
                    Ok(None) => {}
                    // What cannot be given back now is found in our lists at the very end.
                    Ok(Some((_slot, fetched))) => drop(engine.give_back(&fetched).await),
                    Err(error) => fetch::lost(engine, &error),
                }
            }
        };
        let _ = tokio::time::timeout(BLOCK + Duration::from_secs(1), all).await;
    }
}

async fn open(engine: &Engine) -> Result<Line, RedisError> {
    let mut connection = engine.redis.dedicated(BLOCK).await?;
    let client = connection.query(redis::cmd("CLIENT").arg("ID")).await.ok();
    Ok(Line { connection, client })
}

async fn wait(engine: Arc<Engine>, queue: Arc<str>, slot: Slot, mut line: Line) -> Ended {
    let mut command = redis::cmd("BRPOPLPUSH");
    command.arg(engine.settings.keys.queue(&queue)).arg(engine.working_list(&queue)).arg(BLOCK.as_secs());
    let asked = Instant::now();
    let reply = line.connection.query::<Option<Vec<u8>>>(&command).await.map(|bytes| {
        let fetched = Fetched { queue: Arc::clone(&queue), bytes: bytes?.into(), asked };
        slot.hold(fetched.clone());
        Some(fetched)
    });
    Ended { queue, line, slot, reply }
}

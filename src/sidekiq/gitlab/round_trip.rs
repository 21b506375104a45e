//! Commands for GitLab's Redises, in one round trip to each that differs from the others.

use redis::{Cmd, Value};

use super::answered;
use crate::connections::{Redis, RedisError, Redises};
use crate::sidekiq::engine::Engine;

/// Which of GitLab's Redises a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Queues,
    QueuesMetadata,
    SharedState,
}

impl Place {
    fn redis(self, redises: &Redises) -> &Redis {
        match self {
            Self::Queues => &redises.queues,
            Self::QueuesMetadata => &redises.queues_metadata,
            Self::SharedState => &redises.shared_state,
        }
    }
}

/// Commands that do not depend on each other's answers.
#[derive(Default)]
pub(super) struct RoundTrip {
    commands: Vec<(Place, Cmd)>,
}

impl RoundTrip {
    /// Adds a command. Gives the place of its answer among the answers.
    pub(super) fn add(&mut self, place: Place, command: Cmd) -> usize {
        self.commands.push((place, command));
        self.commands.len() - 1
    }

    /// Sends the commands, to each server at the same time, and gives the answers in the order of the commands.
    ///
    /// # Errors
    /// When a server does not answer, or refuses a command; the others may have been obeyed.
    pub(super) async fn send(&self, engine: &Engine) -> Result<Vec<Value>, RedisError> {
        let mut servers: Vec<(&Redis, Vec<usize>)> = Vec::new();
        for (index, (place, _)) in self.commands.iter().enumerate() {
            let redis = place.redis(&engine.gitlab);
            match servers.iter_mut().find(|(server, _)| server.server() == redis.server()) {
                Some((_, indices)) => indices.push(index),
                None => servers.push((redis, vec![index])),
            }
        }
        let trips = servers.iter().map(|(redis, indices)| async move {
            let mut pipeline = redis::pipe();
            for index in indices {
                pipeline.add_command(self.commands[*index].1.clone());
            }
            redis.pipeline::<Vec<Value>>(&pipeline).await
        });
        let all = futures_util::future::try_join_all(trips).await?;
        for (redis, _) in &servers {
            answered(engine, &redis.server());
        }
        let mut answers = vec![Value::Nil; self.commands.len()];
        for ((_, indices), values) in servers.iter().zip(all) {
            for (index, value) in indices.iter().zip(values) {
                answers[*index] = value;
            }
        }
        Ok(answers)
    }
}

/// Whether a command that answers with a number did something.
pub(super) fn did(answer: &Value) -> bool {
    matches!(answer, Value::Int(count) if *count > 0)
}

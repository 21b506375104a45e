//! The queues a process serves, and the order in which they are drawn.

use std::sync::Arc;

use rand::RngExt;

/// Queues with their weights.
///
/// All weights 0: *strict*, always drawn in the given order. All weights 1: *random*. Otherwise *weighted*: a queue
/// of weight 3 comes before one of weight 1 in three of four draws.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSet {
    queues: Vec<(Arc<str>, u32)>,
}

impl QueueSet {
    /// Takes names and weights. The weights of a name given twice add up.
    ///
    /// # Errors
    /// [`NoQueues`] if there is none.
    pub fn new(entries: impl IntoIterator<Item = (String, u32)>) -> Result<Self, NoQueues> {
        let mut queues: Vec<(Arc<str>, u32)> = Vec::new();
        for (name, weight) in entries {
            match queues.iter_mut().find(|(known, _)| **known == *name) {
                Some((_, sum)) => *sum = sum.saturating_add(weight),
                None => queues.push((name.into(), weight)),
            }
        }
        if queues.is_empty() { Err(NoQueues) } else { Ok(Self { queues }) }
    }

    /// `strict`, `random` or `weighted`, as Sidekiq calls it.
    pub fn mode(&self) -> &'static str {
        match () {
            () if self.queues.iter().all(|(_, weight)| *weight == 0) => "strict",
            () if self.queues.iter().all(|(_, weight)| *weight == 1) => "random",
            () => "weighted",
        }
    }

    /// The queue named first: where a process puts jobs of its own.
    pub fn first(&self) -> &str {
        self.queues.first().map_or("default", |(name, _)| name)
    }

    /// The names in the given order, each once.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.queues.iter().map(|(name, _)| name)
    }

    /// Names and weights in the given order.
    pub fn weights(&self) -> impl ExactSizeIterator<Item = (&str, u32)> {
        self.queues.iter().map(|(name, weight)| (&**name, *weight))
    }

    /// The order of one draw.
    pub(super) fn draw(&self) -> Vec<&Arc<str>> {
        if self.queues.len() == 1 || self.mode() == "strict" {
            return self.names().collect();
        }
        // The moments of first arrival of random processes with these rates come in the order in which names are
        // met in a shuffled list that holds each name as often as its weight says.
        let mut rng = rand::rng();
        let mut arrivals: Vec<(f64, &Arc<str>)> = self
            .queues
            .iter()
            .map(|(name, weight)| (-(1.0 - rng.random::<f64>()).ln() / f64::from(*weight), name))
            .collect();
        arrivals.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        arrivals.into_iter().map(|(_, name)| name).collect()
    }
}

/// A process without a queue would never do anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no queue is given")]
pub struct NoQueues;

#[cfg(test)]
mod tests {
    use super::*;

    fn queues(entries: &[(&str, u32)]) -> QueueSet {
        QueueSet::new(entries.iter().map(|(name, weight)| ((*name).to_owned(), *weight))).unwrap()
    }

    #[test]
    fn strict_queues_keep_their_order() {
        let queues = queues(&[("b", 0), ("a", 0), ("b", 0)]);
        assert_eq!(queues.mode(), "strict");
        assert!((0..20).all(|_| queues.draw().iter().map(|name| &***name).eq(["b", "a"])));
    }

    #[test]
    fn weights_say_how_often_a_queue_comes_first() {
        let queues = queues(&[("often", 3), ("seldom", 1)]);
        assert_eq!(queues.mode(), "weighted");
        let first = (0..10_000).filter(|_| &**queues.draw()[0] == "often").count();
        assert!((7_200..7_800).contains(&first), "{first} of 10000");
        assert!((0..100).all(|_| queues.draw().len() == 2));
    }

    #[test]
    fn there_must_be_a_queue() {
        assert_eq!(QueueSet::new([]), Err(NoQueues));
        assert_eq!(queues(&[("a", 1), ("b", 1)]).mode(), "random");
    }
}

//! The queues a process serves, and the order in which they are drawn.

use std::sync::Arc;

use rand::RngExt;

/// Queues with their weights.
///
/// All weights 0: *strict*, always drawn in the given order. All weights 1: *random*. Otherwise *weighted*: a queue
/// of weight 3 comes before one of weight 1 in three of four draws, and a weight of 0 counts as 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSet {
    queues: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    name: Arc<str>,
    weight: u32,
    /// How often Sidekiq has the name in the list that it shuffles.
    times: u32,
}

impl QueueSet {
    /// Takes names and weights. A name given twice is drawn as often as both say; the last weight is the one that is
    /// shown and that decides about the mode, as in Sidekiq.
    ///
    /// # Errors
    /// [`NoQueues`] if there is none.
    pub fn new(entries: impl IntoIterator<Item = (String, u32)>) -> Result<Self, NoQueues> {
        let mut queues: Vec<Entry> = Vec::new();
        for (name, weight) in entries {
            let times = weight.max(1);
            match queues.iter_mut().find(|known| *known.name == *name) {
                Some(known) => {
                    known.weight = weight;
                    known.times = known.times.saturating_add(times);
                }
                None => queues.push(Entry { name: name.into(), weight, times }),
            }
        }
        if queues.is_empty() { Err(NoQueues) } else { Ok(Self { queues }) }
    }

    /// `strict`, `random` or `weighted`, as Sidekiq calls it.
    pub fn mode(&self) -> &'static str {
        match () {
            () if self.queues.iter().all(|queue| queue.weight == 0) => "strict",
            () if self.queues.iter().all(|queue| queue.weight == 1) => "random",
            () => "weighted",
        }
    }

    /// The queue named first: where a process puts jobs of its own.
    pub fn first(&self) -> &str {
        self.queues.first().map_or("default", |queue| &queue.name)
    }

    /// The names in the given order, each once.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.queues.iter().map(|queue| &queue.name)
    }

    /// Names and weights in the given order.
    pub fn weights(&self) -> impl ExactSizeIterator<Item = (&str, u32)> {
        self.queues.iter().map(|queue| (&*queue.name, queue.weight))
    }

    /// The order of one draw.
    pub(in crate::sidekiq) fn draw(&self) -> Vec<&Arc<str>> {
        if self.queues.len() == 1 || self.mode() == "strict" {
            return self.names().collect();
        }
        // The moments of first arrival of random processes with these rates come in the order in which names are
        // met in a shuffled list that holds each name so many times.
        let mut rng = rand::rng();
        let mut arrivals: Vec<(f64, &Arc<str>)> = self
            .queues
            .iter()
            .map(|queue| (-(1.0 - rng.random::<f64>()).ln() / f64::from(queue.times), &queue.name))
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

    /// How likely an order is when names are met in a shuffled list that holds each so many times.
    fn likelihood(order: &[(&str, u32)]) -> f64 {
        let left = |from: usize| order[from..].iter().map(|(_, times)| f64::from(*times)).sum::<f64>();
        order.iter().enumerate().map(|(place, (_, times))| f64::from(*times) / left(place)).product()
    }

    #[test]
    fn each_order_comes_as_often_as_in_a_shuffled_list() {
        const DRAWS: u32 = 60_000;
        for (set, times) in [
            (queues(&[("a", 3), ("b", 2), ("c", 1)]), [3, 2, 1]),
            (queues(&[("a", 1), ("b", 1), ("c", 1)]), [1, 1, 1]),
            // Beside a weight, 0 counts as 1.
            (queues(&[("a", 5), ("b", 0), ("c", 2)]), [5, 1, 2]),
            (queues(&[("a", 1), ("b", 1), ("c", 1), ("a", 1), ("b", 4)]), [2, 5, 1]),
        ] {
            let mut counted = std::collections::HashMap::<Vec<&str>, u32>::new();
            for _ in 0..DRAWS {
                *counted.entry(set.draw().into_iter().map(|name| &**name).collect()).or_default() += 1;
            }
            let [a, b, c] = [("a", times[0]), ("b", times[1]), ("c", times[2])];
            for order in [[a, b, c], [a, c, b], [b, a, c], [b, c, a], [c, a, b], [c, b, a]] {
                let seen = f64::from(counted.remove(&order.map(|(name, _)| name)[..]).unwrap_or(0));
                let likely = likelihood(&order);
                // Six standard deviations: once in 500 million orders by chance.
                let spread = 6.0 * (f64::from(DRAWS) * likely * (1.0 - likely)).sqrt();
                let expected = f64::from(DRAWS) * likely;
                assert!((seen - expected).abs() < spread, "{order:?} {seen} times, not about {expected}");
            }
            assert!(counted.is_empty(), "{counted:?}");
        }
    }

    #[test]
    fn the_last_weight_of_a_name_decides_about_the_mode() {
        assert_eq!(queues(&[("a", 1), ("a", 1), ("b", 1)]).mode(), "random");
        assert_eq!(queues(&[("a", 3), ("b", 0), ("a", 0)]).mode(), "strict");
        assert_eq!(queues(&[("a", 0), ("b", 1)]).mode(), "weighted");
    }

    #[test]
    fn there_must_be_a_queue() {
        assert_eq!(QueueSet::new([]), Err(NoQueues));
        assert_eq!(queues(&[("a", 1), ("b", 1)]).mode(), "random");
    }
}

//! The system's resolver, which cannot be told to stop: each lookup has a thread of its own, and there are so many at
//! most, so that names whose servers do not answer take no thread from the runs.

use std::io;
use std::sync::Arc;
use std::thread;

use tokio::sync::{Semaphore, oneshot};

/// Lookups under way at once, with those that nobody waits for any more.
const MOST: usize = 64;

/// How many more lookups may begin.
#[derive(Clone)]
pub(super) struct Lookups(Arc<Semaphore>);

impl Default for Lookups {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Lookups {
    /// Does `lookup` once there is room for it. Whoever does not wait leaves the thread behind, and its place is taken
    /// until it ends.
    ///
    /// # Errors
    /// Those of `lookup`, and of beginning a thread.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        lookup: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let place = self.0.clone().acquire_owned().await.map_err(io::Error::other)?;
        let (told, heard) = oneshot::channel();
        thread::Builder::new().name("lookup".to_owned()).spawn(move || {
            // Nobody may be waiting any more.
            let _ = told.send(lookup());
            drop(place);
        })?;
        heard.await.map_err(io::Error::other)?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn lookups_that_never_end_are_of_bounded_number_and_leave_their_places_in_the_end() {
        let lookups = Lookups::default();
        let gates: Vec<_> = (0..MOST).map(|_| mpsc::channel::<()>()).collect();
        let mut closed = Vec::new();
        for (gate, held) in gates {
            closed.push(gate);
            let given_up = timeout(MOMENT, lookups.run(move || held.recv().map_err(io::Error::other)));
            assert!(given_up.await.is_err(), "it never ends");
        }
        assert!(timeout(MOMENT, lookups.run(|| Ok(1))).await.is_err(), "there is no room");
        closed.pop();
        assert_eq!(timeout(Duration::from_secs(5), lookups.run(|| Ok(2))).await.unwrap().unwrap(), 2);
    }
}

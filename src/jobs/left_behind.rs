//! The threads of runs that were broken off in the middle of a computation, and are left to end without them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;

/// How many such threads there may be. When there are as many, the next run that is broken off keeps its slot until its
/// own thread has ended or one of these: so there are never more threads than slots and these together.
#[derive(Debug, Clone)]
pub struct LeftBehind(Arc<Semaphore>);

impl LeftBehind {
    /// At most so many.
    pub fn at_most(threads: usize) -> Self {
        Self(Arc::new(Semaphore::new(threads.min(Semaphore::MAX_PERMITS))))
    }

    /// Waits for `work` for as long as `grace`, and longer only if it cannot be left behind; `None` if it was.
    pub(super) async fn wait_or_leave<T: Send + 'static>(
        &self,
        mut work: JoinHandle<T>,
        grace: Duration,
    ) -> Option<Result<T, JoinError>> {
        if let Ok(result) = timeout(grace, &mut work).await {
            return Some(result);
        }
        let place = tokio::select! {
            biased;
            place = self.0.clone().acquire_owned() => place,
            result = &mut work => return Some(result),
        };
        tracing::info!("left behind: what it computes ends without it");
        tokio::spawn(async move {
            let _ = work.await;
            drop(place);
        });
        None
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    const MOMENT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(20);

    /// A thread that ends when it is told to.
    fn busy() -> (Sender<()>, JoinHandle<u8>) {
        let (end, told) = channel();
        let work = tokio::task::spawn_blocking(move || {
            let _ = told.recv();
            7
        });
        (end, work)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_run_keeps_its_slot_while_as_many_threads_as_may_be_are_left_behind() {
        let places = LeftBehind::at_most(1);
        let ((end_first, first), (end_second, second)) = (busy(), busy());
        assert!(places.wait_or_leave(first, MOMENT).await.is_none());
        let waiting = tokio::spawn({
            let places = places.clone();
            async move { places.wait_or_leave(second, MOMENT).await }
        });
        tokio::time::sleep(10 * MOMENT).await;
        assert!(!waiting.is_finished());
        end_first.send(()).unwrap();
        assert!(timeout(LONG, waiting).await.unwrap().unwrap().is_none(), "the first one's place is free again");
        let (end_third, third) = busy();
        let waiting = tokio::spawn(async move { places.wait_or_leave(third, MOMENT).await });
        tokio::time::sleep(10 * MOMENT).await;
        end_third.send(()).unwrap();
        let ended = timeout(LONG, waiting).await.unwrap().unwrap();
        assert_eq!(ended.unwrap().unwrap(), 7, "its own thread has ended");
        end_second.send(()).unwrap();
    }
}

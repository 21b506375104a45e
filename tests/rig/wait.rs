//! Waiting on a condition, never for a time.

use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to start on a busy machine.
pub const START: Duration = Duration::from_secs(30);

/// How long between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(10);

/// Returns as soon as `condition` holds; panics, naming what was awaited, when `limit` has passed.
pub fn until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    for_some(what, limit, || condition().then_some(()));
}

/// Returns the first value that `look` finds; panics, naming what was awaited, when `limit` has passed.
pub fn for_some<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for {what}");
        thread::sleep(PAUSE);
    }
}

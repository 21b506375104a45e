//! How much time on a processor children have taken.
//!
//! The system would end one that takes too much (`internal exec` sees to that), but nobody hears why: of git's own
//! children only git knows how they ended, and it does not always say.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::git::{Excess, LimitKind};

/// How often it is looked.
const PERIOD: Duration = Duration::from_millis(200);

/// Milliseconds of the ticks in which Linux tells such times, whatever its own clock is.
const TICK: u64 = 10;

/// Looks at one child and all below it.
pub(super) struct ProcessorTime {
    leader: Pid,
    limit: Duration,
    looked: Instant,
}

impl ProcessorTime {
    pub(super) fn new(leader: Pid, limit: Duration) -> Self {
        Self { leader, limit, looked: Instant::now() }
    }

    /// Whether each of them is within the limit. To be asked often.
    pub(super) fn check(&mut self) -> Result<(), Excess> {
        if self.looked.elapsed() < PERIOD {
            return Ok(());
        }
        self.looked = Instant::now();
        let most = most_below(&Path::new("/proc").join(self.leader.as_raw_pid().to_string()));
        Excess::check(LimitKind::ChildCpu, milliseconds(self.limit), milliseconds(most))
    }
}

/// The most that one of them has taken. A process that ends meanwhile has taken nothing.
fn most_below(process: &Path) -> Duration {
    let own = fs::read_to_string(process.join("stat")).ok().and_then(|stat| taken(&stat)).unwrap_or_default();
    let threads = fs::read_dir(process.join("task")).into_iter().flatten().flatten();
    let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let below = children.flat_map(|children| {
        let ids = children.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        ids.into_iter().map(|id| most_below(&Path::new("/proc").join(id)))
    });
    below.fold(own, Duration::max)
}

/// User and system time: the fields 14 and 15. The name, which is the second, may hold anything.
fn taken(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks: Option<u64> = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().ok()).sum();
    Some(Duration::from_millis(ticks? * TICK))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

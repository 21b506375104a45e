//! How much memory a process and its children have taken at most, as the system counted it.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Children come and go; one that lives for less than this is not seen.
const PERIOD: Duration = Duration::from_millis(20);

/// Looks at a worker's children as long as it lives.
pub(crate) struct Watch {
    worker: u32,
    children: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    looking: Option<JoinHandle<()>>,
}

/// The most that was taken, in MiB.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peak {
    pub(crate) worker: u64,
    /// All that live at one time together.
    pub(crate) children: u64,
}

impl Watch {
    /// To be started when the worker is: the system counts a process's peak from its beginning.
    pub(crate) fn start(worker: u32) -> Self {
        let (children, over) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let looking = thread::spawn({
            let (children, over) = (children.clone(), over.clone());
            move || {
                while !over.load(Ordering::Acquire) {
                    children.fetch_max(descendants(worker).into_iter().map(peak).sum(), Ordering::AcqRel);
                    thread::sleep(PERIOD);
                }
            }
        });
        Self { worker, children, over, looking: Some(looking) }
    }

    pub(crate) fn peak(&self) -> Peak {
        Peak { worker: peak(self.worker) / 1024, children: self.children.load(Ordering::Acquire) / 1024 }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        self.looking.take().map(JoinHandle::join);
    }
}

/// In KiB; 0 for a process that has gone.
fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}

fn descendants(process: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten() {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            found.push(child);
            found.extend(descendants(child));
        }
    }
    found
}

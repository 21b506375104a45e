//! Watches a process and all that it starts, for what everybody can see of them.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Between two looks; a git program lives longer.
const PAUSE: Duration = Duration::from_millis(2);

/// Collects command lines, environments and, of descendants, files without a name, until it is asked for them.
pub(crate) struct Watcher {
    ended: Arc<AtomicBool>,
    watching: JoinHandle<BTreeSet<String>>,
}

impl Watcher {
    /// Begins to watch a process and its descendants.
    pub(crate) fn of(process: u32) -> Self {
        let ended = Arc::<AtomicBool>::default();
        let watching = thread::spawn({
            let ended = ended.clone();
            move || {
                let mut seen = BTreeSet::new();
                while !ended.load(Ordering::Relaxed) {
                    seen.extend(family(process).into_iter().map(|one| look(one, process)));
                    thread::sleep(PAUSE);
                }
                seen
            }
        });
        Self { ended, watching }
    }

    /// Everything that was seen.
    pub(crate) fn seen(self) -> BTreeSet<String> {
        self.ended.store(true, Ordering::Relaxed);
        self.watching.join().unwrap()
    }
}

/// The process and its descendants. Each thread of a process has its own children.
fn family(process: u32) -> Vec<u32> {
    let mut family = vec![process];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        next += 1;
        let threads = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        for thread in threads {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            family.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    family
}

fn look(process: u32, root: u32) -> String {
    let mut seen = ["cmdline", "environ"]
        .map(|file| {
            String::from_utf8_lossy(&fs::read(format!("/proc/{process}/{file}")).unwrap_or_default()).into_owned()
        })
        .join("\n")
        .replace('\0', " ");
    if process != root {
        for file in fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten() {
            let is_memory = fs::read_link(file.path()).is_ok_and(|link| link.to_string_lossy().starts_with("/memfd:"));
            if is_memory {
                let content = fs::read(file.path()).unwrap_or_default();
                seen.push_str("\nin memory: ");
                seen.push_str(&String::from_utf8_lossy(&content));
            }
        }
    }
    seen
}

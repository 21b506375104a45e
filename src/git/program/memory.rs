//! What git is told of the memory that it may use. It would map packs and gather deltas by the size of the machine, and
//! die at the limit.

/// git's own values, which a large limit does not raise.
const WINDOW: u64 = 1 << 30;
const DELTA_CACHE: u64 = 256 << 20;
const BASE_CACHE: u64 = 96 << 20;
const BIG_FILE: u64 = 512 << 20;

/// Configuration for a child with so many bytes of address space. Together they leave it the half: for the objects that
/// it has in hand, the lists of all others, and its stacks.
pub(super) fn within(limit: u64) -> [(&'static str, String); 6] {
    let part = |divisor: u64| limit / divisor;
    [
        ("core.packedGitLimit", part(4).to_string()),
        // Two are mapped at least.
        ("core.packedGitWindowSize", part(16).min(WINDOW).to_string()),
        ("core.deltaBaseCacheLimit", part(16).min(BASE_CACHE).to_string()),
        // One larger than this is not held as a whole.
        ("core.bigFileThreshold", part(8).min(BIG_FILE).to_string()),
        // For each of the two threads.
        ("pack.windowMemory", part(16).to_string()),
        ("pack.deltaCacheSize", part(16).min(DELTA_CACHE).to_string()),
    ]
}

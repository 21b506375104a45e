//! How much has to be copied to put one object of a pack together.

use std::collections::{HashMap, HashSet};

/// Objects of less than this are not told apart by their size.
const LARGE: u64 = 64 * 1024;

/// What each delta of a pack costs, with all that lies below it: a chain of large objects is made anew, from its
/// bottom, for each of its links, and nobody can interrupt that.
///
/// Where a base is known by its id only, it may be an object of the pack or, as in every thin pack, one that was here
/// before. The id does not tell: what is here can come once more. But a base of the pack has the size of another of its
/// objects, and few files have the size that another one had.
#[derive(Debug, Default)]
pub(super) struct DeltaCosts {
    /// Where deltas began, ascending, and the bytes behind each.
    known: Vec<(u64, u64)>,
    /// Bytes of all objects made upon one that is known by its id only and may lie in this pack. In the worst case they
    /// are one chain.
    named: u64,
    /// The same for those whose base cannot lie in what has come of this pack, by the size of that base.
    apart: HashMap<u64, u64>,
    /// The sizes of all large objects so far.
    sizes: HashSet<u64>,
}

impl DeltaCosts {
    /// The most that one object may cost, in objects of the largest size: chains are no longer than 50, unless somebody
    /// wants them so.
    pub(super) const MOST: u64 = 64;

    /// An object of `size` bytes is whole. Answers the bytes to be copied for what may be made upon it.
    pub(super) fn add_whole(&mut self, size: u64) -> u64 {
        if size >= LARGE && self.sizes.insert(size) {
            self.named = self.named.saturating_add(self.apart.remove(&size).unwrap_or_default());
        }
        self.named
    }

    /// The delta that began at `place` makes `after` bytes of the `before` bytes of its base: of the object at `base`,
    /// or of one that is only named. Answers the bytes to be copied for it.
    pub(super) fn add(&mut self, place: u64, base: Option<u64>, before: u64, after: u64) -> u64 {
        let may_be_here = before < LARGE || self.sizes.contains(&before);
        let named = self.add_whole(after);
        let cost = if let Some(base) = base {
            let found = self.known.binary_search_by_key(&base, |(place, _)| *place).ok();
            // One that is not known is whole.
            let below = found.and_then(|found| self.known.get(found)).map_or(before, |(_, cost)| *cost);
            below.saturating_add(after)
        } else {
            let own = before.saturating_add(after);
            let sum = if may_be_here { &mut self.named } else { self.apart.entry(before).or_default() };
            *sum = sum.saturating_add(own);
            if may_be_here { self.named } else { own }
        };
        self.known.push((place, cost));
        cost.max(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// What the dearest of these costs: deltas upon named bases, before and after.
    fn dearest(deltas: impl IntoIterator<Item = (u64, u64)>) -> u64 {
        let mut costs = DeltaCosts::default();
        (1..).zip(deltas).map(|(place, (before, after))| costs.add(place, None, before, after)).max().unwrap()
    }

    #[test]
    fn changes_of_many_large_files_are_no_chain() {
        assert_eq!(dearest((1..300).map(|file| (4 * MIB + file, 8 * MIB + file))), 12 * MIB + 2 * 299);
        // Also where a file is as long as before.
        assert_eq!(dearest((1..300).map(|file| (4 * MIB + file, 4 * MIB + file))), 8 * MIB + 2 * 299);
    }

    #[test]
    fn a_chain_is_one_in_whichever_order_it_comes() {
        let chain = (1..300).map(|link| (4 * MIB + link, 4 * MIB + link + 1));
        assert!(dearest(chain.clone()) > 290 * 8 * MIB);
        assert!(dearest(chain.rev()) > 290 * 8 * MIB);
        assert!(dearest((1..300).map(|_| (4 * MIB, 4 * MIB))) > 290 * 8 * MIB);
        assert!(dearest((1..100_000).map(|_| (60_000, 60_000))) > 90_000 * 120_000);
        // The bottom comes last.
        let mut costs = DeltaCosts::default();
        costs.add(1, None, 4 * MIB, 5 * MIB);
        assert_eq!(costs.add_whole(4 * MIB), 9 * MIB);
    }
}

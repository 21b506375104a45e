//! How much has to be copied to put one object of a pack together.

/// What each delta of a pack costs, with all that lies below it: a chain of large objects is made anew, from its
/// bottom, for each of its links, and nobody can interrupt that.
#[derive(Debug, Default)]
pub(super) struct DeltaCosts {
    /// Where deltas began, ascending, and the bytes behind each.
    known: Vec<(u64, u64)>,
    /// Bytes of all objects made upon one that is known by its id only. In the worst case they are one chain.
    named: u64,
}

impl DeltaCosts {
    /// The most that one object may cost, in objects of the largest size: chains are no longer than 50, unless somebody
    /// wants them so.
    pub(super) const MOST: u64 = 64;

    /// The delta that began at `place` makes `after` bytes of the `before` bytes of its base: of the object at `base`,
    /// or of one that is only named. Answers the bytes to be copied for it.
    pub(super) fn add(&mut self, place: u64, base: Option<u64>, before: u64, after: u64) -> u64 {
        let below = if let Some(base) = base {
            let found = self.known.binary_search_by_key(&base, |(place, _)| *place).ok();
            // One that is not known is whole.
            found.and_then(|found| self.known.get(found)).map_or(before, |(_, cost)| *cost)
        } else {
            self.named = self.named.saturating_add(before).saturating_add(after);
            self.named - after
        };
        let cost = below.saturating_add(after);
        self.known.push((place, cost));
        cost
    }
}

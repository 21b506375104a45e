//! Moving refs in transactions: all that can move do so at once, and a loser costs only itself.

use std::collections::{BTreeSet, HashMap};

use super::ByProgram;
use crate::git::GitError;
use crate::git::face::{
    Face, Look, check_kind, check_name, conflict_text, deletions_first, locked_text, meanwhile, outcomes, parents,
};
use crate::mirror::refs::{ObjectId, RefChange, RefName, RefOutcome, Refs};

/// A far side can list any number of names that git would refuse one by one, each for some more transactions. After so
/// many refusals, whoever needs none does the rest.
const MOST_REFUSALS: u32 = 100;

/// Changes on their way.
struct Swap<'a> {
    changes: &'a [RefChange],
    results: Vec<Result<(), String>>,
    refusals: u32,
    /// Who makes changes one by one, if anybody can.
    other: Option<&'a dyn Face>,
    look: Look<'a>,
}

impl ByProgram {
    /// Makes the changes, deletions first; by `other`, if too many are refused.
    pub(in crate::git) fn swap_all(
        &self,
        changes: &[RefChange],
        other: Option<&dyn Face>,
        look: Look<'_>,
    ) -> Result<Vec<RefOutcome>, GitError> {
        let results = self.objections(changes)?;
        let mut swap = Swap { changes, results, refusals: 0, other, look };
        let (deletions, mut others) = deletions_first(changes);
        // Of two that exclude each other, the one that is first by name.
        others.sort_by_key(|&at| &changes[at].name);
        for group in [deletions, others] {
            let now = self.read_refs(&["refs/"])?;
            let mut names: BTreeSet<&str> = now.keys().map(RefName::as_str).collect();
            let mut able = Vec::new();
            for at in group {
                let change = &changes[at];
                let possible = swap.results[at].clone().and_then(|()| possible(change, &now, &names));
                match possible {
                    Ok(()) => {
                        names.insert(change.name.as_str());
                        able.push(at);
                    }
                    Err(reason) => swap.results[at] = Err(reason),
                }
            }
            self.swap_group(&mut swap, &able)?;
        }
        Ok(outcomes(changes, swap.results))
    }

    /// Tries the changes at `places` at once, and where that is refused in halves, until only losers are left.
    fn swap_group(&self, swap: &mut Swap<'_>, places: &[usize]) -> Result<(), GitError> {
        if places.is_empty() {
            return Ok(());
        }
        let changes = swap.changes;
        if let Some(other) = swap.other.filter(|_| swap.refusals >= MOST_REFUSALS) {
            let rest: Vec<RefChange> = places.iter().map(|&at| changes[at].clone()).collect();
            for (&at, outcome) in places.iter().zip(other.apply(&rest, swap.look)?) {
                swap.results[at] = outcome.result;
            }
            return Ok(());
        }
        let commands: Vec<u8> = places.iter().flat_map(|&at| command(&changes[at])).collect();
        let ending = self.end_while(swap.look, &["update-ref", "-m", "mirror", "-z", "--stdin"], &commands)?;
        if ending.code == Some(0) {
            return Ok(());
        }
        swap.refusals += 1;
        if let [alone] = places {
            let change = &changes[*alone];
            let now = self.read_refs(&["refs/"])?;
            let names = now.keys().map(RefName::as_str).collect();
            let known = possible(change, &now, &names).err().or_else(|| locked(&ending.complaint));
            swap.results[*alone] = Err(known.unwrap_or(ending.complaint));
            return Ok(());
        }
        let (first, second) = places.split_at(places.len() / 2);
        self.swap_group(swap, first)?;
        self.swap_group(swap, second)
    }

    /// What git would not let a ref be, whatever is there now.
    fn objections(&self, changes: &[RefChange]) -> Result<Vec<Result<(), String>>, GitError> {
        let new: Vec<ObjectId> = changes.iter().filter_map(|change| change.new).collect();
        let kinds = if new.is_empty() { Vec::new() } else { self.kinds(&new)? };
        let kinds: HashMap<ObjectId, Option<String>> = new.into_iter().zip(kinds).collect();
        let objection = |RefChange { name, new, .. }: &RefChange| match new {
            Some(id) => {
                check_name(name)?;
                check_kind(name, *id, kinds.get(id).and_then(Option::as_deref))
            }
            None => check_name(name),
        };
        Ok(changes.iter().map(objection).collect())
    }
}

/// Whether `change` can be made where the refs are `now`, and `names` are taken.
fn possible(change: &RefChange, now: &Refs, names: &BTreeSet<&str>) -> Result<(), String> {
    match (change.old, now.get(&change.name)) {
        (Some(old), Some(found)) if old == *found => Ok(()),
        (Some(_), Some(_)) => Err(meanwhile("changed")),
        (Some(_), None) => Err(meanwhile("deleted")),
        (None, Some(_)) => Err(meanwhile("created")),
        (None, None) => {
            let beneath = format!("{}/", change.name);
            let above = parents(change.name.as_str()).any(|parent| names.contains(parent));
            let taken = names.range(beneath.as_str()..).next().is_some_and(|name| name.starts_with(&beneath));
            if above || taken { Err(conflict_text(&change.name)) } else { Ok(()) }
        }
    }
}

/// Whether git complains of a lock file. Its advice about that is for people at a terminal.
fn locked(complaint: &str) -> Option<String> {
    (complaint.contains(".lock'") && complaint.contains("File exists")).then(locked_text)
}

/// In the language of `git update-ref -z --stdin`.
fn command(RefChange { name, old, new }: &RefChange) -> Vec<u8> {
    match (old, new) {
        (None, Some(new)) => format!("create {name}\0{new}\0"),
        (Some(old), Some(new)) => format!("update {name}\0{new}\0{old}\0"),
        (Some(old), None) => format!("delete {name}\0{old}\0"),
        (None, None) => String::new(),
    }
    .into_bytes()
}

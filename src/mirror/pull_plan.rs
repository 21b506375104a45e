//! What a pull changes in the local repository, decided from what both sides hold. Rules of GitLab's pull
//! mirroring: branches go to tracking refs first and are then applied one by one, tags are taken as they are,
//! nothing of the owner's is ever deleted.

use super::branches::BranchMatcher;
use super::refs::{Advertisement, Ancestry, RefChange, RefName, Refs};

/// The rules of one pull.
#[derive(Debug)]
pub struct PullRules<'a> {
    /// Which branches take part.
    pub branches: &'a BranchMatcher,
    /// Whether diverged branches are overwritten.
    pub overwrite_diverged: bool,
    /// The local repository's default branch, by its short name.
    pub default_branch: Option<&'a str>,
}

/// What a pull will do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PullPlan {
    /// The changes, each with the value it expects to find: tracking refs, tags, then branches.
    pub changes: Vec<RefChange>,
    /// Branches (short names) that hold commits which upstream does not, and are left alone.
    pub diverged: Vec<String>,
}

impl PullPlan {
    /// Whether the default branch is among those left alone: the one divergence that fails a run.
    pub fn default_branch_diverged(&self, rules: &PullRules<'_>) -> bool {
        rules.default_branch.is_some_and(|default| self.diverged.iter().any(|branch| branch == default))
    }
}

/// Plans a pull from what the far side advertises and what the local repository holds. Every advertised object
/// must be in the repository already.
///
/// # Errors
/// When ancestry could not be told.
pub fn plan<A: Ancestry>(
    rules: &PullRules<'_>,
    local: &Refs,
    far: &Advertisement,
    ancestry: &A,
) -> Result<PullPlan, A::Error> {
    let mut plan = PullPlan::default();
    track(&mut plan, local, far);
    take_tags(&mut plan, local, far);
    apply_branches(&mut plan, rules, local, far, ancestry)?;
    Ok(plan)
}

/// The tracking refs become exactly upstream's branches, filtered or not.
fn track(plan: &mut PullPlan, local: &Refs, far: &Advertisement) {
    // Deletions first: upstream may have replaced `x` by `x/y`.
    for (name, old) in local {
        let gone = |branch| !far.refs.contains_key(&RefName::branch(branch));
        if name.as_upstream().is_some_and(gone) {
            plan.changes.push(RefChange::delete(name.clone(), *old));
        }
    }
    for (name, new) in &far.refs {
        if let Some(branch) = name.as_branch() {
            plan.changes.extend(moved(local, RefName::upstream(branch), *new));
        }
    }
}

/// A tag of upstream's wins over a local one of the same name; tags deleted upstream stay.
fn take_tags(plan: &mut PullPlan, local: &Refs, far: &Advertisement) {
    for (name, new) in &far.refs {
        if name.as_tag().is_some() {
            plan.changes.extend(moved(local, name.clone(), *new));
        }
    }
}

fn apply_branches<A: Ancestry>(
    plan: &mut PullPlan,
    rules: &PullRules<'_>,
    local: &Refs,
    far: &Advertisement,
    ancestry: &A,
) -> Result<(), A::Error> {
    for (name, new) in &far.refs {
        let Some(branch) = name.as_branch().filter(|branch| rules.branches.admits(branch)) else { continue };
        match local.get(name) {
            Some(old) if old != new && !rules.overwrite_diverged && !ancestry.is_ancestor(*old, *new)? => {
                plan.diverged.push(branch.to_owned());
            }
            _ => plan.changes.extend(moved(local, name.clone(), *new)),
        }
    }
    Ok(())
}

/// The change that brings a ref to `new`, if it is not there yet.
fn moved(local: &Refs, name: RefName, new: super::refs::ObjectId) -> Option<RefChange> {
    match local.get(&name) {
        None => Some(RefChange::create(name, new)),
        Some(old) if *old != new => Some(RefChange::update(name, *old, new)),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::branches::BranchFilter;
    use super::super::refs::testing::{LinearHistory, refs};
    use super::*;

    fn pull(
        filter: &BranchFilter,
        overwrite_diverged: bool,
        local: &Refs,
        far: &[(&str, u8)],
    ) -> (Vec<String>, PullPlan) {
        let matcher = filter.matcher().unwrap();
        let rules = PullRules { branches: &matcher, overwrite_diverged, default_branch: Some("main") };
        let far = Advertisement { refs: refs(far), head: None };
        let plan = plan(&rules, local, &far, &LinearHistory).unwrap();
        (plan.changes.iter().map(describe).collect(), plan)
    }

    fn describe(change: &RefChange) -> String {
        let short =
            |id: Option<super::super::refs::ObjectId>| id.map_or("-".to_owned(), |id| id.as_bytes()[0].to_string());
        format!("{} {}>{}", change.name, short(change.old), short(change.new))
    }

    #[test]
    fn an_empty_repository_takes_everything() {
        let (changes, plan) = pull(
            &BranchFilter::All,
            false,
            &Refs::new(),
            &[("refs/heads/main", 2), ("refs/tags/v1", 1), ("refs/pull/1/head", 9)],
        );
        assert_eq!(changes, ["refs/remotes/upstream/main ->2", "refs/tags/v1 ->1", "refs/heads/main ->2"]);
        assert_eq!(plan.diverged, [""; 0]);
    }

    #[test]
    fn a_branch_is_fast_forwarded_and_a_moved_tag_is_taken() {
        let local = refs(&[("refs/heads/main", 2), ("refs/remotes/upstream/main", 2), ("refs/tags/v1", 9)]);
        let (changes, _) = pull(&BranchFilter::All, false, &local, &[("refs/heads/main", 4), ("refs/tags/v1", 1)]);
        assert_eq!(changes, ["refs/remotes/upstream/main 2>4", "refs/tags/v1 9>1", "refs/heads/main 2>4"]);
    }

    #[test]
    fn a_diverged_branch_is_left_alone_and_only_the_default_one_matters() {
        // In this history odd numbers are nobody's relatives; a local 6 is ahead of upstream's 4, which counts as
        // diverged.
        for (local, far, fails) in [("refs/heads/main", 4, true), ("refs/heads/topic", 4, false)] {
            let matcher = BranchFilter::All.matcher().unwrap();
            let rules = PullRules { branches: &matcher, overwrite_diverged: false, default_branch: Some("main") };
            for ours in [5, 6] {
                let (changes, plan) = pull(&BranchFilter::All, false, &refs(&[(local, ours)]), &[(local, far)]);
                assert_eq!(changes.len(), 1, "only the tracking ref moves: {changes:?}");
                assert_eq!(plan.diverged.len(), 1);
                assert_eq!(plan.default_branch_diverged(&rules), fails);
            }
        }
    }

    #[test]
    fn overwriting_takes_a_diverged_branch() {
        let (changes, plan) =
            pull(&BranchFilter::All, true, &refs(&[("refs/heads/main", 5)]), &[("refs/heads/main", 4)]);
        assert_eq!(changes[1], "refs/heads/main 5>4");
        assert_eq!(plan.diverged, [""; 0]);
    }

    #[test]
    fn deletions_upstream_reach_the_tracking_refs_only() {
        let local = refs(&[
            ("refs/heads/main", 2),
            ("refs/heads/old", 2),
            ("refs/remotes/upstream/main", 2),
            ("refs/remotes/upstream/old", 2),
            ("refs/tags/v1", 2),
        ]);
        let (changes, _) = pull(&BranchFilter::All, false, &local, &[("refs/heads/main", 2)]);
        assert_eq!(changes, ["refs/remotes/upstream/old 2>-"]);
    }

    #[test]
    fn a_branch_deleted_only_locally_comes_back() {
        let local = refs(&[("refs/remotes/upstream/topic", 2)]);
        let (changes, _) = pull(&BranchFilter::All, false, &local, &[("refs/heads/topic", 2)]);
        assert_eq!(changes, ["refs/heads/topic ->2"]);
    }

    #[test]
    fn a_filter_keeps_branches_out_but_neither_tracking_refs_nor_tags() {
        let filter = BranchFilter::Protected(vec!["main".into()]);
        let (changes, _) =
            pull(&filter, false, &Refs::new(), &[("refs/heads/main", 2), ("refs/heads/topic", 2), ("refs/tags/v1", 2)]);
        assert_eq!(
            changes,
            [
                "refs/remotes/upstream/main ->2",
                "refs/remotes/upstream/topic ->2",
                "refs/tags/v1 ->2",
                "refs/heads/main ->2"
            ]
        );
    }
}

//! What a push sends, decided from what both sides hold and from what the last push left there.

use super::branches::BranchMatcher;
use super::record::OnDivergence;
use super::refs::{Advertisement, Ancestry, ObjectId, RefChange, RefName, Refs};

/// The rules of one push.
#[derive(Debug)]
pub struct PushRules<'a> {
    /// Which branches take part; tags always do.
    pub branches: &'a BranchMatcher,
    /// What to do about diverged refs.
    pub on_divergence: OnDivergence,
    /// The local repository's default branch, by its short name.
    pub default_branch: Option<&'a str>,
}

/// What a push will do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PushPlan {
    /// The changes, each with the value the far side advertised, in the order in which they are to be made: deletions,
    /// which make room (`x` for `x/y`); the default branch, which a new far repository may take for its own default;
    /// and all others.
    pub changes: Vec<RefChange>,
    /// Refs that somebody else moved on the far side, and which are not overwritten.
    pub diverged: Vec<RefName>,
    /// Whether, because of those, changes that could be made are not.
    pub held_back: bool,
}

/// Plans a push.
///
/// `local` are the local refs, `remembered` what the last push left on the far side, under the same names. A far
/// ref *has diverged* when its value is neither an ancestor of ours nor what our last push left there: somebody
/// else's commit stops us, our own rebase or moved tag does not.
///
/// # Errors
/// When ancestry could not be told.
pub fn plan<A: Ancestry>(
    rules: &PushRules<'_>,
    local: &Refs,
    remembered: &Refs,
    far: &Advertisement,
    ancestry: &A,
) -> Result<PushPlan, A::Error> {
    let takes_part = |name: &RefName| match name.as_branch() {
        Some(branch) => rules.branches.admits(branch),
        None => name.as_tag().is_some(),
    };
    let mut plan = PushPlan::default();
    for (name, ours) in local.iter().filter(|(name, _)| takes_part(name)) {
        let Some(theirs) = far.refs.get(name) else {
            plan.changes.push(RefChange::create(name.clone(), *ours));
            continue;
        };
        if theirs == ours {
            continue;
        }
        let known = remembered.get(name) == Some(theirs) || ancestry.is_ancestor(*theirs, *ours)?;
        if known || rules.on_divergence == OnDivergence::Overwrite {
            plan.changes.push(RefChange::update(name.clone(), *theirs, *ours));
        } else {
            plan.diverged.push(name.clone());
        }
    }
    if rules.on_divergence != OnDivergence::Keep {
        for (name, theirs) in far.refs.iter().filter(|(name, _)| takes_part(name) && !local.contains_key(*name)) {
            if is_merged(rules, local, *theirs, ancestry)? {
                plan.changes.push(RefChange::delete(name.clone(), *theirs));
            }
        }
    }
    if rules.on_divergence == OnDivergence::Fail && !plan.diverged.is_empty() {
        plan.held_back = !plan.changes.is_empty();
        plan.changes.clear();
    }
    let is_default = |name: &RefName| rules.default_branch.is_some() && name.as_branch() == rules.default_branch;
    plan.changes.sort_by_key(|change| (change.new.is_some(), !is_default(&change.name)));
    Ok(plan)
}

/// A ref that only the far side has may be deleted there when nothing is lost by it: its commit is part of the
/// local default branch.
fn is_merged<A: Ancestry>(
    rules: &PushRules<'_>,
    local: &Refs,
    theirs: ObjectId,
    ancestry: &A,
) -> Result<bool, A::Error> {
    match rules.default_branch.and_then(|branch| local.get(&RefName::branch(branch))) {
        Some(default) => ancestry.is_ancestor(theirs, *default),
        None => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::super::branches::BranchFilter;
    use super::super::refs::testing::{LinearHistory, refs};
    use super::*;

    struct Case<'a> {
        filter: BranchFilter,
        mode: OnDivergence,
        local: &'a [(&'a str, u8)],
        remembered: &'a [(&'a str, u8)],
        far: &'a [(&'a str, u8)],
    }

    fn push(case: &Case<'_>) -> (Vec<String>, Vec<String>) {
        let matcher = case.filter.matcher().unwrap();
        let rules = PushRules { branches: &matcher, on_divergence: case.mode, default_branch: Some("main") };
        let far = Advertisement { refs: refs(case.far), head: None };
        let plan = plan(&rules, &refs(case.local), &refs(case.remembered), &far, &LinearHistory).unwrap();
        let sign = |change: &RefChange| match (change.old, change.new) {
            (None, _) => format!("+{}", change.name),
            (_, None) => format!("-{}", change.name),
            _ => format!("{}", change.name),
        };
        (plan.changes.iter().map(sign).collect(), plan.diverged.iter().map(ToString::to_string).collect())
    }

    const BASE: Case<'static> =
        Case { filter: BranchFilter::All, mode: OnDivergence::Fail, local: &[], remembered: &[], far: &[] };

    #[test]
    fn new_refs_are_created_moved_ones_updated_and_merged_ones_deleted() {
        let case = Case {
            local: &[("refs/heads/main", 8), ("refs/heads/new", 8), ("refs/tags/v2", 8), ("refs/notes/x", 8)],
            far: &[("refs/heads/main", 6), ("refs/heads/merged", 4), ("refs/heads/theirs", 5), ("refs/pull/1/head", 4)],
            ..BASE
        };
        assert_eq!(push(&case).0, ["-refs/heads/merged", "refs/heads/main", "+refs/heads/new", "+refs/tags/v2"]);
    }

    #[test]
    fn deletions_make_room_first_and_the_default_branch_goes_before_the_others() {
        let case = Case {
            local: &[("refs/heads/a", 8), ("refs/heads/main", 8), ("refs/heads/x/y", 8)],
            far: &[("refs/heads/x", 4)],
            ..BASE
        };
        assert_eq!(push(&case).0, ["-refs/heads/x", "+refs/heads/main", "+refs/heads/a", "+refs/heads/x/y"]);
    }

    #[test]
    fn nothing_is_deleted_without_a_default_branch() {
        let case =
            Case { local: &[("refs/heads/x", 8)], far: &[("refs/heads/x", 8), ("refs/heads/merged", 4)], ..BASE };
        assert_eq!(push(&case).0, [""; 0]);
    }

    #[test]
    fn a_diverged_ref_stops_everything_by_default() {
        let case =
            Case { local: &[("refs/heads/main", 8), ("refs/heads/new", 8)], far: &[("refs/heads/main", 5)], ..BASE };
        assert_eq!(push(&case), (vec![], vec!["refs/heads/main".to_owned()]));
    }

    #[test]
    fn keep_skips_diverged_refs_sends_the_others_and_deletes_nothing() {
        let case = Case {
            mode: OnDivergence::Keep,
            local: &[("refs/heads/main", 8), ("refs/heads/new", 8)],
            far: &[("refs/heads/main", 5), ("refs/heads/merged", 4)],
            ..BASE
        };
        assert_eq!(push(&case), (vec!["+refs/heads/new".to_owned()], vec!["refs/heads/main".to_owned()]));
    }

    #[test]
    fn overwrite_sends_diverged_refs_too() {
        let case = Case {
            mode: OnDivergence::Overwrite,
            local: &[("refs/heads/main", 8)],
            far: &[("refs/heads/main", 5)],
            ..BASE
        };
        assert_eq!(push(&case), (vec!["refs/heads/main".to_owned()], vec![]));
    }

    #[test]
    fn what_our_last_push_left_there_is_no_divergence() {
        let case = Case {
            local: &[("refs/heads/main", 8), ("refs/tags/v1", 8)],
            remembered: &[("refs/heads/main", 5), ("refs/tags/v1", 7)],
            far: &[("refs/heads/main", 5), ("refs/tags/v1", 7)],
            ..BASE
        };
        assert_eq!(push(&case).0, ["refs/heads/main", "refs/tags/v1"]);
    }

    #[test]
    fn a_filter_holds_for_deletions_too_but_not_for_tags() {
        let case = Case {
            filter: BranchFilter::Protected(vec!["main".into()]),
            local: &[("refs/heads/main", 8), ("refs/heads/topic", 8), ("refs/tags/v1", 8)],
            far: &[("refs/heads/gone", 4), ("refs/tags/gone", 4)],
            ..BASE
        };
        assert_eq!(push(&case).0, ["-refs/tags/gone", "+refs/heads/main", "+refs/tags/v1"]);
    }
}

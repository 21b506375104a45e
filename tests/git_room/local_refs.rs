//! Moving local refs, judged by git.

use sidemirror::git::{GitError, Repository};
use sidemirror::mirror::refs::{Ancestry as _, ObjectId, RefChange, RefName};

use sidemirror::net::NetError;
use tokio_util::sync::CancellationToken;

use crate::both::{Format, with_every_format};
use crate::world::World;

with_every_format!(
    each_ref_moves_only_from_where_it_was_expected,
    x_and_x_y_exclude_each_other_until_one_goes,
    values_that_git_would_not_take_are_refused,
    symbolic_refs_are_not_read_and_head_is_set,
    ancestry_is_told_of_commits_and_of_tags_of_them,
    three_hundred_refs_move_at_once_and_a_loser_costs_only_itself,
    names_that_no_file_system_takes_neither_cost_the_others_nor_go_on_when_the_run_ends,
);

fn results(repository: &Repository, changes: &[RefChange]) -> Vec<Result<(), String>> {
    repository.apply(changes).unwrap().into_iter().map(|outcome| outcome.result).collect()
}

/// A repository with objects and no refs.
fn with_objects(world: &World) -> (Repository, ObjectId, ObjectId) {
    let ours = world.ours("p.git");
    let (one, two) = (world.commit(ours.path(), "x", "one"), world.commit(ours.path(), "x", "two"));
    world.git(ours.path(), &["update-ref", "-d", "refs/heads/x"]);
    (ours, one, two)
}

fn each_ref_moves_only_from_where_it_was_expected(format: Format) {
    let world = World::formatted(format);
    let (ours, one, two) = with_objects(&world);
    let name = |short| RefName::branch(short);
    let create = |short| RefChange::create(name(short), one);
    assert_eq!(results(&ours, &[create("a"), create("b"), create("c")]), [Ok(()), Ok(()), Ok(())]);
    let done = results(
        &ours,
        &[
            create("a"),
            RefChange::update(name("a"), one, two),
            RefChange::update(name("b"), two, one),
            RefChange::update(name("none"), one, two),
            RefChange::delete(name("b"), two),
            RefChange::delete(name("c"), one),
        ],
    );
    let lost = |why: &str| Err(format!("it was {why} by someone else meanwhile"));
    let expected = [lost("created"), Ok(()), lost("changed"), lost("deleted"), lost("changed"), Ok(())];
    assert_eq!(done, expected);
    let refs = world.refs(ours.path());
    assert_eq!(refs.into_iter().collect::<Vec<_>>(), [(name("a"), two), (name("b"), one)]);
    world.assert_sound(&ours);
}

fn x_and_x_y_exclude_each_other_until_one_goes(format: Format) {
    let world = World::formatted(format);
    let (ours, one, _) = with_objects(&world);
    let create = |name: &str| RefChange::create(RefName::new(name), one);
    let conflict = Err("Branch name conflicts with existing branch hierarchy".to_owned());
    let fresh = [create("refs/heads/x/y"), create("refs/heads/x"), create("refs/heads/x-1"), create("refs/tags/t/u")];
    assert_eq!(results(&ours, &fresh), [conflict.clone(), Ok(()), Ok(()), Ok(())]);
    let tag_conflict = Err("Tag name conflicts with existing tag hierarchy".to_owned());
    let later = [create("refs/heads/x/y"), create("refs/tags/t")];
    assert_eq!(results(&ours, &later), [conflict, tag_conflict]);
    let exchanged = [create("refs/heads/x/y"), RefChange::delete(RefName::branch("x"), one)];
    assert_eq!(results(&ours, &exchanged), [Ok(()), Ok(())]);
    world.assert_sound(&ours);
}

fn values_that_git_would_not_take_are_refused(format: Format) {
    let world = World::formatted(format);
    let (ours, one, _) = with_objects(&world);
    let tree: ObjectId = world.git(ours.path(), &["rev-parse", &format!("{one}^{{tree}}")]).parse().unwrap();
    let nothing: ObjectId = "01".repeat(one.as_bytes().len()).parse().unwrap();
    for with_refs in [false, true] {
        let done = results(
            &ours,
            &[
                RefChange::create(RefName::branch("tree"), tree),
                RefChange::create(RefName::branch("missing"), nothing),
                RefChange::create(RefName::new("refs/heads/a..b"), one),
                RefChange::create(RefName::new("HEAD"), one),
                RefChange::create(RefName::tag(if with_refs { "two" } else { "one" }), tree),
            ],
        );
        let refusals: Vec<_> = done.iter().map(|result| result.as_ref().err().cloned().unwrap_or_default()).collect();
        let expected = [
            format!("a branch must point at a commit, and {tree} is a tree"),
            format!("object {nothing} is missing"),
            "git does not accept this name".to_owned(),
            "git does not accept this name".to_owned(),
            String::new(),
        ];
        assert_eq!(refusals, expected, "with refs: {with_refs}");
    }
    world.assert_sound(&ours);
}

#[test]
fn the_first_refs_are_packed_as_git_packs_them() {
    let world = World::new();
    let (ours, one, two) = with_objects(&world);
    let tag = world.git(ours.path(), &["tag", "-a", "-m", "annotated", "v1", &one.to_string()]);
    assert_eq!(tag, "");
    let tag: ObjectId = world.git(ours.path(), &["rev-parse", "v1"]).parse().unwrap();
    world.git(ours.path(), &["update-ref", "-d", "refs/tags/v1"]);
    let changes = [
        RefChange::create(RefName::tag("v1"), tag),
        RefChange::create(RefName::branch("main"), two),
        RefChange::create(RefName::branch("a"), one),
    ];
    assert_eq!(results(&ours, &changes), [Ok(()), Ok(()), Ok(())]);
    let written = std::fs::read_to_string(ours.path().join("packed-refs")).unwrap();
    world.git(ours.path(), &["pack-refs", "--all"]);
    assert_eq!(written, std::fs::read_to_string(ours.path().join("packed-refs")).unwrap());
    assert!(!ours.path().join("packed-refs.lock").exists());
    world.assert_sound(&ours);
}

fn symbolic_refs_are_not_read_and_head_is_set(format: Format) {
    let world = World::formatted(format);
    let (ours, one, _) = with_objects(&world);
    results(&ours, &[RefChange::create(RefName::branch("real"), one)]);
    world.git(ours.path(), &["symbolic-ref", "refs/heads/alias", "refs/heads/real"]);
    let read: Vec<_> = ours.read_refs(&[RefName::HEADS]).unwrap().into_keys().collect();
    assert_eq!(read, [RefName::branch("real")]);
    ours.set_head(&RefName::branch("real")).unwrap();
    assert_eq!(ours.head().unwrap(), Some(RefName::branch("real")));
    assert_eq!(world.git(ours.path(), &["symbolic-ref", "HEAD"]), "refs/heads/real");
}

fn ancestry_is_told_of_commits_and_of_tags_of_them(format: Format) {
    let world = World::formatted(format);
    let (ours, one, two) = with_objects(&world);
    world.git(ours.path(), &["tag", "-a", "-m", "annotated", "v1", &one.to_string()]);
    let tag: ObjectId = world.git(ours.path(), &["rev-parse", "v1"]).parse().unwrap();
    let tree: ObjectId = world.git(ours.path(), &["rev-parse", &format!("{one}^{{tree}}")]).parse().unwrap();
    let nothing: ObjectId = "01".repeat(one.as_bytes().len()).parse().unwrap();
    for (ancestor, descendant, answer) in [
        (one, two, true),
        (one, one, true),
        (two, one, false),
        (tag, two, true),
        (two, tag, false),
        (tree, two, false),
        (one, tree, false),
        (nothing, two, false),
        (one, nothing, false),
    ] {
        assert_eq!(ours.is_ancestor(ancestor, descendant).unwrap(), answer, "{ancestor} {descendant}");
    }
}

fn three_hundred_refs_move_at_once_and_a_loser_costs_only_itself(format: Format) {
    let world = World::formatted(format);
    let (ours, one, two) = with_objects(&world);
    let names: Vec<RefName> = (0..300).map(|number| RefName::branch(&format!("many/{number}"))).collect();
    let all = |make: &dyn Fn(&RefName) -> RefChange| names.iter().map(make).collect::<Vec<_>>();
    results(&ours, &[RefChange::create(RefName::branch("first"), one)]);
    assert!(results(&ours, &all(&|name| RefChange::create(name.clone(), one))).iter().all(Result::is_ok));

    world.git(ours.path(), &["update-ref", names[7].as_str(), &two.to_string()]);
    world.git(ours.path(), &["update-ref", "-d", names[8].as_str()]);
    // A lock of somebody else's does not show in the refs.
    let lock = ours.path().join(format!("{}.lock", names[9]));
    if format == Format::Sha1 {
        std::fs::write(&lock, "").unwrap();
    }
    let done = results(&ours, &all(&|name| RefChange::update(name.clone(), one, two)));
    let lost = |at: usize| done[at].clone().unwrap_err();
    assert_eq!(lost(7), "it was changed by someone else meanwhile");
    assert_eq!(lost(8), "it was deleted by someone else meanwhile");
    let losers = if format == Format::Sha1 {
        assert_eq!(lost(9), "it is locked by another git process");
        std::fs::remove_file(&lock).unwrap();
        3
    } else {
        2
    };
    assert_eq!(done.iter().filter(|result| result.is_err()).count(), losers, "{done:?}");

    let mut exchange = all(&|name| RefChange::delete(name.clone(), two));
    exchange.push(RefChange::create(RefName::branch("many"), one));
    let done = results(&ours, &exchange);
    let losers = if format == Format::Sha1 { 3 } else { 1 };
    assert_eq!(done.iter().filter(|result| result.is_err()).count(), losers, "{done:?}");
    let left = if format == Format::Sha1 { vec![names[9].clone()] } else { vec![RefName::branch("many")] };
    let read = ours.read_refs(&["refs/heads/many"]).unwrap();
    assert_eq!(read.into_keys().collect::<Vec<_>>(), left);
    world.assert_sound(&ours);
}

fn names_that_no_file_system_takes_neither_cost_the_others_nor_go_on_when_the_run_ends(format: Format) {
    let world = World::formatted(format);
    let (ours, one, _) = with_objects(&world);
    results(&ours, &[RefChange::create(RefName::branch("first"), one)]);
    let names = (0..300).map(|number| match number % 3 {
        0 => format!("{number}{}", "x".repeat(250)),
        1 => format!("{number}{}", format!("/{}", "y".repeat(240)).repeat(20)),
        _ => format!("good/{number}"),
    });
    let changes: Vec<_> = names.map(|name| RefChange::create(RefName::branch(&name), one)).collect();

    let cancel = CancellationToken::new();
    let session = world.session_to("http://127.0.0.1:9/p.git", cancel.clone());
    cancel.cancel();
    let error = ours.apply_within(&session, &changes).unwrap_err();
    assert!(matches!(error, GitError::Net(NetError::Cancelled)), "{error:?}");

    let done = results(&ours, &changes);
    for (number, result) in done.iter().enumerate() {
        match number % 3 {
            0 => assert_eq!(result, &Err("a part of its name is longer than 250 bytes".to_owned())),
            1 => assert!(result.is_err() || format == Format::Reftable, "{number}"),
            _ => assert_eq!(result, &Ok(()), "{number}"),
        }
    }
    assert_eq!(ours.read_refs(&["refs/heads/good/"]).unwrap().len(), 100);
}

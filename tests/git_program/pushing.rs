//! Pushing to a real server.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use sidemirror::git::Sent;
use sidemirror::mirror::refs::{RefChange, RefName};

use crate::rig::repository::Repository;
use crate::world::{World, changes, refs};

/// Why each refused ref was refused, by name.
fn refusals(sent: &Sent) -> Vec<(String, String)> {
    let refused = sent
        .outcomes
        .iter()
        .filter_map(|outcome| Some((outcome.change.name.to_string(), outcome.result.clone().err()?)));
    refused.collect()
}

/// Makes the far side like ours, or says what was refused.
fn mirror(world: &World, far: &Repository, atomic: bool) -> Vec<(String, String)> {
    let plan = changes(&refs(far.path()), &refs(world.real().path()));
    let sent = world.push(&world.session("far.git"), |side| side.send(&plan, atomic)).unwrap();
    assert_eq!(
        sent.outcomes.iter().map(|outcome| &outcome.change).collect::<Vec<_>>(),
        plan.iter().collect::<Vec<_>>()
    );
    refusals(&sent)
}

fn hook(far: &Repository, name: &str, script: &str) {
    let path = far.path().join("hooks").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn refs_are_created_moved_forced_and_deleted() {
    let world = World::new();
    let (ours, far) = (world.real(), world.server.create("far.git"));
    ours.commits("main", 3);
    ours.branches("topic", 3);
    ours.annotated_tag("v1", "main");
    assert_eq!(mirror(&world, &far, false), []);
    assert_eq!(refs(far.path()), refs(ours.path()));

    ours.commit("main", "later");
    ours.diverge("topic0", "rewritten");
    ours.delete("refs/heads/topic1");
    ours.annotated_tag("v1", "topic2");
    assert_eq!(mirror(&world, &far, true), []);
    assert_eq!(refs(far.path()), refs(ours.path()));
    assert_eq!(far.git(&["fsck", "--strict", "--no-dangling"]), "");
    world.assert_sound();
}

#[test]
fn the_far_refs_are_listed_as_those_who_write_see_them() {
    let world = World::new();
    let far = world.server.create("far.git");
    far.commits("main", 1);
    far.git(&["config", "uploadpack.hideRefs", "refs/heads"]);
    let mut listed = None;
    let nothing = world.push(&world.session("far.git"), |side| {
        listed = Some(side.advertisement().clone());
        Ok(Sent::default())
    });
    assert_eq!(nothing.unwrap(), Sent::default());
    assert_eq!(listed.unwrap().refs, refs(far.path()));
}

#[test]
fn a_far_ref_that_moved_after_the_list_loses_by_its_lease_and_the_others_are_made() {
    let world = World::new();
    let (ours, far) = (world.real(), world.server.create("far.git"));
    ours.commits("main", 2);
    ours.branches("topic", 4);
    assert_eq!(mirror(&world, &far, false), []);
    for branch in ["main", "topic0", "topic1"] {
        ours.commit(branch, "ours");
    }
    ours.delete("refs/heads/topic2");
    ours.commit("new", "ours");
    let plan = changes(&refs(far.path()), &refs(ours.path()));

    let sent = world.push(&world.session("far.git"), |side| {
        // Everything that can happen between the look and the act.
        far.commit("main", "somebody else's");
        far.delete("refs/heads/topic0");
        far.commit("topic2", "somebody else's");
        far.commit("new", "somebody else's");
        side.send(&plan, false)
    });
    let moved = "the remote has changed it meanwhile".to_owned();
    let expected = ["main", "new", "topic0", "topic2"].map(|name| (format!("refs/heads/{name}"), moved.clone()));
    let mut refused = refusals(&sent.unwrap());
    refused.sort();
    assert_eq!(refused, expected);
    assert_eq!(far.id_of("topic1"), ours.id_of("topic1"));
    assert_ne!(far.id_of("main"), ours.id_of("main"));
}

#[test]
fn a_ref_that_is_gone_already_does_not_keep_the_others_from_being_pushed() {
    let world = World::new();
    let (ours, far) = (world.real(), world.server.create("far.git"));
    ours.branches("topic", 3);
    assert_eq!(mirror(&world, &far, false), []);
    ours.delete("refs/heads/topic0");
    ours.commit("topic1", "ours");
    let plan = changes(&refs(far.path()), &refs(ours.path()));
    let sent = world.push(&world.session("far.git"), |side| {
        far.delete("refs/heads/topic0");
        side.send(&plan, false)
    });
    let moved = "the remote has changed it meanwhile".to_owned();
    assert_eq!(refusals(&sent.unwrap()), [("refs/heads/topic0".to_owned(), moved)]);
    assert_eq!(far.id_of("topic1"), ours.id_of("topic1"));
}

#[test]
fn an_atomic_push_makes_nothing_when_one_ref_is_refused_and_names_it() {
    let world = World::new();
    let (ours, far) = (world.real(), world.server.create("far.git"));
    ours.commits("main", 1);
    ours.branches("topic", 2);
    assert_eq!(mirror(&world, &far, false), []);
    let before = refs(far.path());
    for branch in ["main", "topic0", "topic1"] {
        ours.commit(branch, "ours");
    }
    let plan = changes(&before, &refs(ours.path()));

    hook(&far, "update", "test $1 != refs/heads/topic0 || { echo topic0 is frozen >&2; exit 1; }");
    let sent = world.push(&world.session("far.git"), |side| side.send(&plan, true)).unwrap();
    assert!(sent.remote_text.starts_with("topic0 is frozen\n"), "{}", sent.remote_text);
    let whole = "all refs are pushed or none, and refs/heads/topic0 was refused";
    let expected = [("main", whole), ("topic0", "hook declined"), ("topic1", whole)];
    assert_eq!(refusals(&sent), expected.map(|(name, why)| (format!("refs/heads/{name}"), why.to_owned())));
    assert_eq!(refs(far.path()), before);

    fs::remove_file(far.path().join("hooks/update")).unwrap();
    let moved = far.commit("topic1", "somebody else's").parse().unwrap();
    let stale = world.push(&world.session("far.git"), |side| side.send(&plan, true)).unwrap();
    let whole = "all refs are pushed or none, and refs/heads/topic1 was refused";
    let expected = [("main", whole), ("topic0", whole), ("topic1", "the remote has changed it meanwhile")];
    assert_eq!(refusals(&stale), expected.map(|(name, why)| (format!("refs/heads/{name}"), why.to_owned())));

    let mut plan = plan;
    plan.iter_mut().find(|change| change.name == RefName::branch("topic1")).unwrap().old = Some(moved);
    let sent = world.push(&world.session("far.git"), |side| {
        far.commit("main", "in between");
        side.send(&plan, true)
    });
    let whole = "all refs are pushed or none, and refs/heads/main was refused";
    let expected = [("main", "the remote has changed it meanwhile"), ("topic0", whole), ("topic1", whole)];
    assert_eq!(refusals(&sent.unwrap()), expected.map(|(name, why)| (format!("refs/heads/{name}"), why.to_owned())));
    assert_eq!(far.id_of("topic0"), before[&RefName::branch("topic0")].to_string());
}

#[test]
fn a_far_side_that_cannot_push_all_or_none_gets_each_ref_for_itself() {
    let world = World::new();
    let (ours, far) = (world.real(), world.server.create("far.git"));
    far.git(&["config", "receive.advertiseAtomic", "false"]);
    ours.branches("topic", 3);
    assert_eq!(mirror(&world, &far, true), []);
    assert_eq!(refs(far.path()), refs(ours.path()));
}

#[test]
fn a_ref_that_makes_room_for_another_is_pushed_although_that_cannot_be_done_as_a_whole() {
    let world = World::new();
    let (ours, far) = (world.real(), world.server.create("far.git"));
    ours.commit("x", "one");
    assert_eq!(mirror(&world, &far, true), []);
    ours.delete("refs/heads/x");
    ours.commit("x/y", "two");
    assert_eq!(mirror(&world, &far, true), []);
    assert_eq!(refs(far.path()), refs(ours.path()));
}

#[test]
fn a_hook_that_refuses_all_is_quoted() {
    let world = World::new();
    let (ours, far) = (world.real(), world.server.create("far.git"));
    ours.branches("topic", 2);
    hook(&far, "pre-receive", "echo first line; echo; echo; echo 'the repository is closed' >&2; exit 1");
    let plan = changes(&refs(far.path()), &refs(ours.path()));
    let sent = world.push(&world.session("far.git"), |side| side.send(&plan, false)).unwrap();
    assert_eq!(refusals(&sent).len(), 2);
    assert!(refusals(&sent).iter().all(|(_, why)| why == "pre-receive hook declined"), "{sent:?}");
    assert!(sent.remote_text.starts_with("first line\n") && sent.remote_text.ends_with("the repository is closed"));
}

#[test]
fn six_thousand_refs_are_pushed_and_hundreds_of_them_moved_and_deleted() {
    let world = World::new();
    let (ours, far) = (world.real(), world.server.create("far.git"));
    ours.commit("main", "zero");
    let first = ours.id_of("main");
    ours.tags("some/longer/name/of/a/tag/", 6_000, "main");
    assert_eq!(mirror(&world, &far, true), []);
    assert_eq!(refs(far.path()), refs(ours.path()));
    ours.commit("main", "one");
    let (old, moved) = (first.parse().unwrap(), ours.id_of("main").parse().unwrap());
    let tags = refs(ours.path()).into_keys().filter(|name| name.as_tag().is_some());
    let plan: Vec<RefChange> = tags
        .take(200)
        .enumerate()
        .map(|(at, name)| match at % 2 {
            0 => RefChange::update(name, old, moved),
            _ => RefChange::delete(name, old),
        })
        .collect();
    let sent = world.push(&world.session("far.git"), |side| side.send(&plan, false)).unwrap();
    assert_eq!(refusals(&sent), []);
    let far = refs(far.path());
    assert_eq!(far.len(), 6_001 - 100);
    assert_eq!(far.values().filter(|id| **id == moved).count(), 100);
}

//! Fetching from a real server.

use sidemirror::git::Transfer;
use sidemirror::mirror::refs::RefName;

use crate::world::{World, refs};

#[test]
fn branches_and_both_kinds_of_tags_arrive_and_a_moved_tag_follows() {
    let world = World::new();
    let upstream = world.server.create("p.git");
    upstream.commits("main", 3);
    upstream.branches("topic", 5);
    upstream.tag("light", "main");
    upstream.annotated_tag("v1", "main");

    let transfer = world.mirror(&world.session("p.git")).unwrap();
    assert!(transfer.objects > 20 && transfer.bytes > 1000, "{transfer:?}");
    assert_eq!(refs(world.real().path()), refs(upstream.path()));

    upstream.commit("main", "later");
    upstream.annotated_tag("v1", "topic1");
    let transfer = world.mirror(&world.session("p.git")).unwrap();
    assert!((3..8).contains(&transfer.objects), "only what is new comes: {transfer:?}");
    assert_eq!(refs(world.real().path()), refs(upstream.path()));
    world.assert_sound();
}

#[test]
fn the_listing_names_the_head_and_no_peeled_entries() {
    let world = World::new();
    let upstream = world.server.create("p.git");
    upstream.commit("main", "one");
    upstream.annotated_tag("v1", "main");
    let found = world.list(&world.session("p.git")).unwrap();
    assert_eq!(found.head, Some(RefName::branch("main")));
    assert_eq!(found.refs, refs(upstream.path()));
}

#[test]
fn an_empty_upstream_has_nothing_and_is_no_error() {
    let world = World::new();
    world.server.create("empty.git");
    assert_eq!(world.mirror(&world.session("empty.git")).unwrap(), Transfer::default());
    world.assert_sound();
}

#[test]
fn what_is_there_already_is_not_asked_for() {
    let world = World::new();
    let upstream = world.server.create("p.git");
    upstream.commits("main", 3);
    world.mirror(&world.session("p.git")).unwrap();
    let posts = || world.server.requests("p.git").iter().filter(|request| request.method == "POST").count();
    let listing = {
        let before = posts();
        world.list(&world.session("p.git")).unwrap();
        posts() - before
    };
    let before = posts();
    assert_eq!(world.mirror(&world.session("p.git")).unwrap().objects, 0);
    assert_eq!(posts() - before, listing, "nothing but the listing");
}

#[test]
fn ten_thousand_refs_arrive_at_once() {
    let world = World::new();
    let upstream = world.server.create("many.git");
    upstream.commit("main", "zero");
    upstream.branches("branch", 5000);
    upstream.tags("tag", 5000, "main");
    world.mirror(&world.session("many.git")).unwrap();
    assert_eq!(refs(world.real().path()), refs(upstream.path()));
    assert_eq!(refs(upstream.path()).len(), 10_001);
    world.assert_sound();
}

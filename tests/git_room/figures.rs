//! What things cost. Not run by default: `cargo test --test git_room figures -- --ignored --nocapture --test-threads
//! 1`.

use std::time::{Duration, Instant};

use sidemirror::git::{Digest, Repository, Stamp};
use sidemirror::mirror::refs::{Ancestry as _, RefChange, RefName};

use crate::both::{self, Format, GIT};
use crate::world::World;

fn median(times: usize, mut work: impl FnMut() -> Duration) -> Duration {
    let mut taken: Vec<Duration> = (0..times).map(|_| work()).collect();
    taken.sort();
    taken[times / 2]
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

#[test]
#[ignore = "prints figures, proves nothing"]
fn figures() {
    let world = World::new();
    let upstream = world.served("p.git");
    let id = world.commit(&upstream, "main", "zero");
    for number in 0..9 {
        world.git(&upstream, &["update-ref", &format!("refs/heads/b{number}"), &id.to_string()]);
    }
    let ours = world.ours("p.git");
    world.mirror(&ours, &world.session("p.git")).unwrap();

    let probe = median(200, || {
        timed(|| {
            let far = world.list(&ours, &world.session("p.git")).unwrap();
            let _ = (Digest::of_advertisement(&far), Stamp::take(&ours).unwrap());
        })
    });
    println!("probe of 10 refs, git http-backend included: {probe:?}");
    let folder = upstream.ancestors().nth(2).unwrap().join("static/p.git/info");
    std::fs::create_dir_all(&folder).unwrap();
    let listed = world.git(&upstream, &["upload-pack", "--http-backend-info-refs", "."]);
    std::fs::write(folder.join("refs"), format!("001e# service=git-upload-pack\n0000{listed}")).unwrap();
    let fixed = median(500, || {
        timed(|| {
            world.list(&ours, &world.session("static/p.git")).unwrap();
        })
    });
    println!("listing of 10 refs from a file: {fixed:?}");
    let stamp = median(200, || timed(|| drop(Stamp::take(&ours).unwrap())));
    println!("local stamp: {stamp:?}");
    let mut number = 0;
    let changed = median(40, || {
        number += 1;
        world.commit(&upstream, "main", &format!("commit {number}"));
        timed(|| {
            world.mirror(&ours, &world.session("p.git")).unwrap();
        })
    });
    println!("fetch of one commit, server included: {changed:?}");

    for (name, program) in [("libgit2", None), ("the git program", Some(both::program(GIT)))] {
        let repositories = world.repositories.clone().with_program(program);
        println!("refs by {name}:");
        many_refs(&world, &repositories.open_or_create(&format!("{}.git", name.len())).unwrap());
    }
    for format in [Format::Sha1, Format::Sha256, Format::Reftable] {
        let world = World::formatted(format);
        let ours = world.ours("p.git");
        let commits: Vec<_> = (0..20).map(|number| world.commit(ours.path(), "main", &format!("{number}"))).collect();
        let asked = timed(|| {
            for number in 0..1000 {
                assert!(ours.is_ancestor(commits[number % 10], commits[10 + number % 10]).unwrap());
            }
        });
        println!("1,000 questions of ancestry, {format:?}: {asked:?}");
    }
}

#[expect(clippy::print_stdout, reason = "figures are what it is for")]
fn many_refs(world: &World, fresh: &Repository) {
    let (one, two) = (world.commit(fresh.path(), "x", "one"), world.commit(fresh.path(), "x", "two"));
    world.git(fresh.path(), &["update-ref", "-d", "refs/heads/x"]);
    let names: Vec<RefName> = (0..2000).map(|number| RefName::branch(&format!("many/{number}"))).collect();
    let all = |make: &dyn Fn(&RefName) -> RefChange| names.iter().map(make).collect::<Vec<_>>();
    let creations = all(&|name| RefChange::create(name.clone(), one));
    println!("2,000 refs into a fresh repository: {:?}", timed(|| drop(fresh.apply(&creations).unwrap())));
    let updates = all(&|name| RefChange::update(name.clone(), one, two));
    println!("2,000 updates over packed refs: {:?}", timed(|| drop(fresh.apply(&updates).unwrap())));
    let back = all(&|name| RefChange::update(name.clone(), two, one));
    println!("2,000 updates of loose refs: {:?}", timed(|| drop(fresh.apply(&back).unwrap())));
    let more: Vec<_> = (0..2000).map(|number| RefChange::create(RefName::tag(&format!("t{number}")), one)).collect();
    println!("2,000 creations beside 2,000: {:?}", timed(|| drop(fresh.apply(&more).unwrap())));
    let deletions = all(&|name| RefChange::delete(name.clone(), one));
    println!("2,000 deletions: {:?}", timed(|| drop(fresh.apply(&deletions).unwrap())));
    let left = fresh.read_refs(&["refs/"]).unwrap();
    assert_eq!(left.len(), 2000);
    println!("reading 2,000 loose refs: {:?}", timed(|| drop(fresh.read_refs(&["refs/"]).unwrap())));
}

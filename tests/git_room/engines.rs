//! Which engine does what, and how one hands over to the other.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use sidemirror::git::{
    Engine, Engines, GitError, HANDOVER_OBJECTS, Limits, Reason, RunEngine, Sent, Used, fetch, push,
};
use sidemirror::mirror::engine::EngineName;
use sidemirror::mirror::refs::{RefName, RefOutcome};

use crate::both::{self, Format, GIT, with_every_format};
use crate::world::{World, changes};

with_every_format!(what_is_pulled_is_pushed_again);

/// One run with both engines at hand.
fn run(handover: u64) -> RunEngine {
    Engines::new(Some(Arc::new(both::program(GIT))), handover).for_run(None)
}

#[expect(clippy::unnecessary_wraps, reason = "as a run tells it")]
fn by_git(reason: Reason) -> Option<Used> {
    Some(Used { engine: EngineName::Git, reason: Some(reason) })
}

const BY_LIBRARY: Option<Used> = Some(Used { engine: EngineName::Libgit2, reason: None });

/// So many commits on `main`, each three objects.
fn commits(world: &World, repository: &Path, count: usize, subject: &str) {
    for number in 0..count {
        world.commit(repository, "main", &format!("{subject} {number}"));
    }
}

fn push_all(world: &World, engine: &dyn Engine, atomic: bool) -> Result<Sent, GitError> {
    let ours = world.ours("p.git");
    push(engine, &ours, &world.session("far.git"), &Limits::NONE, |side| {
        let plan = changes(&side.advertisement().refs, &ours.read_refs(&[RefName::HEADS, RefName::TAGS])?);
        side.send(&plan, atomic)
    })
}

fn what_is_pulled_is_pushed_again(format: Format) {
    let world = World::formatted(format);
    let upstream = world.served("p.git");
    commits(&world, &upstream, 3, "first");
    world.git(&upstream, &["tag", "-a", "-m", "annotated", "v1", "main"]);
    let (ours, far) = (world.ours("p.git"), world.served("far.git"));
    world.mirror(&ours, &world.session("p.git")).unwrap();
    assert_eq!(world.refs(ours.path()), world.refs(&upstream));
    push_all(&world, world.engine(), false).unwrap();
    assert_eq!(world.refs(&far), world.refs(&upstream));

    commits(&world, &upstream, 2, "second");
    world.git(&upstream, &["tag", "-d", "v1"]);
    world.mirror(&ours, &world.session("p.git")).unwrap();
    let sent = push_all(&world, world.engine(), true).unwrap();
    assert!(sent.outcomes.iter().all(|outcome| outcome.result.is_ok()), "{sent:?}");
    assert_eq!(world.refs(ours.path()), world.refs(&upstream));
    assert_eq!(world.refs(&far), world.refs(&upstream));
    world.assert_sound(&ours);
}

#[test]
fn a_big_download_is_handed_over_at_the_header_and_the_next_run_remembers() {
    let world = World::new();
    let upstream = world.served("p.git");
    commits(&world, &upstream, 1, "first");
    let ours = world.ours("p.git");
    let mirror = |handover| {
        let run = run(handover);
        let transfer = world.mirror_by(&run, &ours, &world.session("p.git")).unwrap();
        assert_eq!(world.refs(ours.path()), world.refs(&upstream));
        world.assert_sound(&ours);
        (run.used(), transfer.objects)
    };
    assert_eq!(mirror(20), (by_git(Reason::EmptyRepository), 3), "an empty repository has all of a history to come");
    commits(&world, &upstream, 2, "few");
    assert_eq!(mirror(20), (BY_LIBRARY, 6));
    commits(&world, &upstream, 30, "many");
    assert_eq!(mirror(20), (by_git(Reason::Announced), 90));
    let begun = world.server.requests().len();
    commits(&world, &upstream, 30, "more");
    assert_eq!(mirror(20), (by_git(Reason::LastWasBig), 90));
    let agents = world.server.requests()[begun..].iter().filter(|line| line.starts_with("POST")).count();
    assert!(agents > 0, "{:?}", world.server.requests());
    commits(&world, &upstream, 2, "few again");
    assert_eq!(mirror(20), (by_git(Reason::LastWasBig), 6), "nobody knows before that it is small now");
    commits(&world, &upstream, 2, "and again");
    assert_eq!(mirror(20), (BY_LIBRARY, 6));
    assert_eq!(mirror(20), (BY_LIBRARY, 0), "what is unchanged costs no child");
}

#[test]
fn of_an_atomic_push_one_refused_ref_holds_back_all() {
    let world = World::new();
    let (ours, far) = (world.ours("p.git"), world.served("far.git"));
    world.commit(ours.path(), "main", "one");
    world.commit(ours.path(), "guarded", "two");
    std::fs::create_dir_all(far.join("hooks")).unwrap();
    let hook = far.join("hooks/update");
    std::fs::write(&hook, "#!/bin/sh\n[ \"$1\" != refs/heads/guarded ]\n").unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();

    let run = run(HANDOVER_OBJECTS);
    let sent = push_all(&world, &run, true).unwrap();
    assert_eq!(run.used(), by_git(Reason::Atomic));
    assert!(sent.outcomes.iter().all(|RefOutcome { result, .. }| result.is_err()), "{sent:?}");
    assert!(world.refs(&far).is_empty());

    let run = self::run(HANDOVER_OBJECTS);
    let sent = push_all(&world, &run, false).unwrap();
    assert_eq!(run.used(), BY_LIBRARY);
    assert_eq!(sent.outcomes.iter().filter(|outcome| outcome.result.is_err()).count(), 1);
    assert_eq!(world.refs(&far).len(), 1);
}

#[test]
fn a_push_of_much_goes_to_the_program_and_one_of_little_does_not() {
    let world = World::new();
    let (ours, far) = (world.ours("p.git"), world.served("far.git"));
    let push = |handover, atomic| {
        let run = run(handover);
        push_all(&world, &run, atomic).unwrap();
        assert_eq!(world.refs(&far), world.refs(ours.path()));
        run.used()
    };
    commits(&world, ours.path(), 30, "many");
    assert_eq!(push(20, false), by_git(Reason::MuchToSend));
    commits(&world, ours.path(), 3, "few");
    assert_eq!(push(20, true), BY_LIBRARY, "one ref alone is atomic anyway, and what is there already is not counted");
    let blob = world.git_with(ours.path(), &["hash-object", "-w", "--stdin"], &"large\n".repeat(2 * 1024 * 1024));
    let tree = world.git_with(ours.path(), &["mktree"], &format!("100644 blob {blob}\tlarge\n"));
    let commit = world.git(ours.path(), &["commit-tree", "-m", "large", &tree]);
    world.git(ours.path(), &["update-ref", "refs/heads/large", &commit]);
    assert_eq!(push(20, false), by_git(Reason::MuchToSend), "12 MB in one object are much, too");
}

#[test]
fn a_new_repository_takes_on_the_object_format_of_its_upstream() {
    let world = World::formatted(Format::Sha256);
    let upstream = world.served("p.git");
    commits(&world, &upstream, 2, "first");
    // Made by us, as ever, before anybody knows what is to come.
    let ours = world.repositories.open_or_create("new.git").unwrap();
    assert!(!ours.is_sha256());
    // A list alone binds nobody.
    fetch(&run(HANDOVER_OBJECTS), &ours, &world.session("p.git"), &Limits::NONE, |_| Ok::<_, GitError>(())).unwrap();
    assert!(!ours.is_sha256() && !world.repositories.open("new.git").unwrap().is_sha256());
    let run = run(HANDOVER_OBJECTS);
    world.mirror_by(&run, &ours, &world.session("p.git")).unwrap();
    assert_eq!(run.used(), by_git(Reason::NotUnderstood));
    assert!(ours.is_sha256());
    assert_eq!(world.refs(ours.path()), world.refs(&upstream));

    commits(&world, &upstream, 2, "second");
    let ours = world.repositories.open("new.git").unwrap();
    let run = self::run(HANDOVER_OBJECTS);
    world.mirror_by(&run, &ours, &world.session("p.git")).unwrap();
    assert_eq!(run.used(), by_git(Reason::Format));
    assert_eq!(world.refs(ours.path()), world.refs(&upstream));
    world.assert_sound(&ours);
}

#[test]
fn histories_of_two_formats_are_not_mixed() {
    let world = World::formatted(Format::Sha256);
    let upstream = world.served("p.git");
    commits(&world, &upstream, 1, "theirs");
    let ours = world.repositories.open_or_create("old.git").unwrap();
    world.commit(ours.path(), "main", "ours");
    let before = world.refs(ours.path());
    let refusal =
        "The remote has SHA-256 object ids and the repository has SHA-1 ones; git cannot mirror one to the other.";
    let run = run(HANDOVER_OBJECTS);
    let pulled = world.mirror_by(&run, &ours, &world.session("p.git"));
    assert_eq!(pulled.unwrap_err().to_string(), refusal);
    let pushed =
        push(&self::run(HANDOVER_OBJECTS), &ours, &world.session("p.git"), &Limits::NONE, |_| Ok::<_, GitError>(()));
    assert_eq!(pushed.unwrap_err().to_string(), refusal);
    assert_eq!(world.refs(ours.path()), before);
    assert!(!ours.is_sha256());
}

#[test]
fn without_a_program_libgit2_does_all_it_can() {
    let world = World::new();
    let upstream = world.served("p.git");
    commits(&world, &upstream, 30, "many");
    let (ours, far) = (world.ours("p.git"), world.served("far.git"));
    let engines = Engines::new(None, 20);
    let run = engines.for_run(None);
    world.mirror_by(&run, &ours, &world.session("p.git")).unwrap();
    assert_eq!(run.used(), BY_LIBRARY);
    world.commit(ours.path(), "other", "two");
    push_all(&world, &engines.for_run(None), true).unwrap();
    assert_eq!(world.refs(&far), world.refs(ours.path()));

    let wanting = engines.for_run(Some(EngineName::Git));
    let refused = fetch(&wanting, &ours, &world.session("p.git"), &Limits::NONE, |_| Ok::<_, GitError>(()));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "The git program is needed (the mirror or the configuration asks for it), and this machine has none that can \
         be used."
    );
    let sha256 = World::formatted(Format::Sha256);
    drop(sha256.ours("p.git"));
    let ours = sha256.repositories.clone().with_program(None).open("p.git").unwrap();
    assert_eq!(
        ours.read_refs(&[RefName::HEADS]).unwrap_err().to_string(),
        "The git program is needed (libgit2 does not know the format of this repository), and this machine has none \
         that can be used."
    );
}

#[test]
fn what_is_wanted_is_used_and_strictness_goes_before_all() {
    let world = World::new();
    let upstream = world.served("p.git");
    commits(&world, &upstream, 30, "many");
    let engines = Engines::new(Some(Arc::new(both::program(GIT))), 20);
    let (git, libgit2) = (Some(EngineName::Git), Some(EngineName::Libgit2));
    for (number, (engines, wanted, outcome)) in [
        (engines.clone(), libgit2, BY_LIBRARY),
        (engines.clone(), git, by_git(Reason::Wanted)),
        (engines.clone().preferring(libgit2), None, BY_LIBRARY),
        (engines.clone().preferring(libgit2), git, by_git(Reason::Wanted)),
        (engines.strictly(true), libgit2, by_git(Reason::Wanted)),
    ]
    .into_iter()
    .enumerate()
    {
        let run = engines.for_run(wanted);
        world.mirror_by(&run, &world.ours(&format!("{number}.git")), &world.session("p.git")).unwrap();
        assert_eq!(run.used(), outcome, "case {number}");
    }
}

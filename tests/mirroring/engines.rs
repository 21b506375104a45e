//! Which engine mirrors what, as the operator sees it.

use crate::rig::repository::Repository;
use crate::world::World;

fn engine(world: &World, direction: &str, id: u64) -> String {
    world.state(direction, id).0["last_engine"].as_str().unwrap_or("none").to_owned()
}

#[test]
fn the_engine_of_the_last_run_is_shown_and_counted() {
    let world = World::start();
    let upstream = world.git.create("up.git");
    upstream.commits("main", 3);
    world.add_pull(1, "up.git", &[]);
    assert_eq!(engine(&world, "pull", 1), "none");
    world.succeed("pull", 1);
    assert_eq!(engine(&world, "pull", 1), "git", "all of a history was to come");
    upstream.commit("main", "one more");
    world.succeed("pull", 1);
    assert_eq!(engine(&world, "pull", 1), "libgit2");
    let shown = world.installation.cli_ok(&["mirror", "show", "pull", "1"]);
    assert!(shown.lines().any(|line| line.contains("engine") && line.contains("libgit2")), "{shown}");

    let runs = |engine| format!("sidemirror_runs_total{{direction=\"pull\",engine=\"{engine}\",outcome=\"changed\"}}");
    assert_eq!(world.worker.metric(&runs("git")), Some(1.0));
    assert_eq!(world.worker.metric(&runs("libgit2")), Some(1.0));
    let handovers = "sidemirror_handovers_total{reason=\"empty_repository\"}";
    assert_eq!(world.worker.metric(handovers), Some(1.0));
    assert_eq!(world.worker.metric("sidemirror_git_program"), Some(1.0));
    let log = world.worker.log();
    assert!(log.contains("engine=\"git\" handover=\"empty_repository\""), "{log}");
}

#[test]
fn a_sha_256_repository_is_mirrored_from_end_to_end() {
    let world = World::start();
    let upstream = Repository::create_as(&world.git.repository_path("up.git"), "sha256");
    let far = Repository::create_as(&world.git.repository_path("far.git"), "sha256");
    upstream.commits("main", 3);
    upstream.annotated_tag("v1", "main");
    world.add_pull(1, "up.git", &[]);
    assert_eq!(world.succeed("pull", 1), 2);
    world.add_push(1, "far.git", &[]);
    assert_eq!(world.succeed("push", 1), 2);
    assert_eq!(far.mirrored_refs(), upstream.mirrored_refs());
    assert_eq!(world.local(1).git(&["rev-parse", "--show-object-format"]), "sha256");

    upstream.commit("main", "one more");
    assert_eq!((world.succeed("pull", 1), world.succeed("pull", 1), world.succeed("push", 1)), (1, 0, 1));
    assert_eq!((engine(&world, "pull", 1), engine(&world, "push", 1)), ("git".to_owned(), "git".to_owned()));
    assert_eq!(far.mirrored_refs(), upstream.mirrored_refs());
}

#[test]
fn a_worker_without_the_program_says_so_once_and_does_what_it_can() {
    let world = World::with(|installation| installation.mirror("git", "{program: \"\"}"));
    let upstream = world.git.create("up.git");
    upstream.commits("main", 3);
    upstream.branches("b", 3);
    let far = world.git.create("far.git");
    world.add_pull(1, "up.git", &[]);
    world.add_push(1, "far.git", &[]);
    assert_eq!((world.succeed("pull", 1), world.succeed("push", 1)), (4, 4));
    assert_eq!(far.mirrored_refs(), upstream.mirrored_refs());
    assert_eq!((engine(&world, "pull", 1), engine(&world, "push", 1)), ("libgit2".to_owned(), "libgit2".to_owned()));

    Repository::create_as(&world.git.repository_path("new.git"), "sha256").commit("main", "one");
    world.add_pull(2, "new.git", &[]);
    assert_eq!(
        world.fail("pull", 2),
        "The git program is needed (libgit2 does not know the object ids of the remote), and this machine has none \
         that can be used."
    );
    let log = world.worker.log();
    assert_eq!(log.matches("there is no git program that can be used: libgit2 does all it can").count(), 1, "{log}");
    assert_eq!(world.worker.metric("sidemirror_git_program"), Some(0.0));
    let findings = world.installation.cli(&["doctor"]);
    let findings = String::from_utf8(findings.stdout).unwrap();
    assert!(
        findings.lines().any(|line| line.contains("git_program") && line.contains("says to do without")),
        "{findings}"
    );
}

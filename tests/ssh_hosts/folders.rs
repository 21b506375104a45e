//! `file://`: folders of this machine, served by git's own programs, over both engines.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use sidemirror::git::{GitError, Libgit2};
use sidemirror::net::{
    Access, Allowance, Budget, Deadline, DoorSettings, LocalError, LocalServer, LocalSettings, NetError, Session,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::rig::repository::Repository;
use crate::rig::wait;
use crate::world::{World, engines, program};

/// A world, and a folder whose repositories may be used.
struct Scene {
    world: World,
    root: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self::with(DoorSettings::default())
    }

    fn with(settings: DoorSettings) -> Self {
        let root = tempfile::tempdir().unwrap();
        let server = Some(Arc::new(program()) as Arc<dyn LocalServer>);
        let local = LocalSettings { roots: vec![root.path().to_owned()], own: None, server };
        Self { world: World::with(DoorSettings { local, ..settings }), root }
    }

    /// A repository there with one commit on `main`.
    fn far(&self, name: &str) -> Repository {
        let far = Repository::create(&self.root.path().join(name));
        far.commit("main", "first");
        far
    }

    fn session(&self, far: &Path) -> Session {
        self.world.session(&url(far), Access::default())
    }

    /// One of our repositories with something to push to `far`, which has none of it.
    fn something_to_push(&self, name: &str) -> Repository {
        let ours = Repository::create(&self.world.path("ours").join(name));
        ours.commits("main", 20);
        ours
    }
}

fn url(path: &Path) -> String {
    format!("file://{}", path.display().to_string().replace(' ', "%20"))
}

fn hook(far: &Repository, name: &str, script: &str) {
    let path = far.path().join("hooks").join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_repository_goes_both_ways_through_a_folder() {
    for engine in engines() {
        let (scene, name) = (Scene::new(), engine.name());
        let far = scene.far("far side@home.git");
        far.commits("main", 200);
        far.branches("topic", 20);
        far.annotated_tag("v1", "main");
        let objects = scene.world.pull(&*engine, "ours.git", &scene.session(far.path())).unwrap();
        assert!(objects > 600, "{name}: {objects} objects");
        let ours = Repository::open(&scene.world.path("ours/ours.git"));
        assert_eq!(ours.mirrored_refs(), far.refs(), "{name}");

        ours.commits("main", 200);
        let session = scene.session(far.path());
        let sent = scene.world.push(&*engine, "ours.git", &session).unwrap();
        assert!(sent.outcomes.iter().all(|outcome| outcome.result.is_ok()), "{name}: {sent:?}");
        assert_eq!(far.refs(), ours.mirrored_refs(), "{name}");
        assert_eq!(far.git(&["fsck", "--full", "--strict", "--no-dangling"]), "", "{name}");
        assert!(session.traffic().sent > 0 && session.traffic().received > 0, "{name}: its bytes are counted");
    }
}

#[test]
fn a_push_runs_the_far_sides_hooks_to_their_end_with_nothing_of_our_environment() {
    const KNOWN: &[&str] = &["PATH", "HOME", "LC_ALL", "PWD", "OLDPWD", "SHLVL", "_"];
    for engine in engines() {
        let (scene, name) = (Scene::new(), engine.name());
        let far = scene.far("far.git");
        far.delete("refs/heads/main");
        hook(&far, "post-receive", "cat >/dev/null; /usr/bin/env >variables; sleep 0.5; echo over >done");
        scene.something_to_push("ours.git");
        scene.world.push(&*engine, "ours.git", &scene.session(far.path())).unwrap();
        assert_eq!(fs::read_to_string(far.path().join("done")).unwrap(), "over\n", "{name}");
        let variables = fs::read_to_string(far.path().join("variables")).unwrap();
        let names: BTreeSet<_> = variables.lines().filter_map(|line| line.split('=').next()).collect();
        let others: Vec<_> = names.iter().filter(|name| !KNOWN.contains(name) && !name.starts_with("GIT_")).collect();
        assert!(others.is_empty(), "{name}: {others:?}");
        assert!(variables.contains("HOME=/nonexistent\n"), "{name}: {variables}");
        assert!(!variables.contains("hooksPath") && !variables.contains("SSH"), "{name}: {variables}");
    }
}

#[test]
fn a_hook_that_refuses_is_told_as_over_every_other_way() {
    for engine in engines() {
        let (scene, name) = (Scene::new(), engine.name());
        let far = scene.far("far.git");
        far.delete("refs/heads/main");
        hook(&far, "pre-receive", "cat >/dev/null; echo only on Sundays >&2; exit 1");
        scene.something_to_push("ours.git");
        let sent = scene.world.push(&*engine, "ours.git", &scene.session(far.path())).unwrap();
        let results: Vec<_> = sent.outcomes.iter().map(|outcome| outcome.result.clone()).collect();
        assert!(results.iter().all(Result::is_err), "{name}: {results:?}");
        assert!(sent.remote_text.contains("only on Sundays"), "{name}: {sent:?}");
        assert!(far.refs().is_empty(), "{name}");
    }
}

/// What both engines say of a place, in both directions.
fn refused(world: &World, path: &Path) -> LocalError {
    let mut told = Vec::new();
    for engine in engines() {
        let session = || world.session(&url(path), Access::default());
        for error in [
            world.pull(&*engine, "ours.git", &session()).map(|_| ()).expect_err("it was let in"),
            world.push(&*engine, "ours.git", &session()).map(|_| ()).expect_err("it was let in"),
        ] {
            match error {
                GitError::Net(NetError::Local(error)) => told.push(error),
                other => panic!("{}: {other}", engine.name()),
            }
        }
    }
    assert!(told.iter().all(|error| *error == told[0]), "{told:?}");
    told.remove(0)
}

#[test]
fn no_folder_is_used_outside_of_the_roots_whichever_way_leads_there() {
    let scene = Scene::new();
    let outside = scene.world.far("outside.git");
    let link = scene.root.path().join("link.git");
    symlink(outside.path(), &link).unwrap();
    for path in [outside.path(), &link, &scene.root.path().join("none.git"), Path::new("/proc/self/cwd")] {
        assert_eq!(refused(&scene.world, path), LocalError::Elsewhere { path: path.display().to_string() });
    }
    let plain = scene.root.path().join("plain");
    fs::create_dir(&plain).unwrap();
    assert_eq!(refused(&scene.world, &plain), LocalError::NotBare { path: plain.display().to_string() });
}

#[test]
fn our_own_repositories_are_nobodys_far_side() {
    let root = tempfile::tempdir().unwrap();
    let own = Repository::create(&root.path().join("own/a.git"));
    let local = LocalSettings {
        roots: vec![root.path().to_owned(), root.path().join("own")],
        own: Some(root.path().join("own")),
        server: Some(Arc::new(program())),
    };
    let world = World::with(DoorSettings { local, ..DoorSettings::default() });
    assert_eq!(refused(&world, own.path()), LocalError::Own { path: own.path().display().to_string() });
}

#[test]
fn without_roots_or_without_a_program_no_folder_is_used() {
    let world = World::new();
    let far = world.far("far.git");
    assert_eq!(refused(&world, far.path()), LocalError::NotAllowed);
    let local = LocalSettings { roots: vec![world.folder.path().to_owned()], ..LocalSettings::default() };
    let without = World::with(DoorSettings { local, ..DoorSettings::default() });
    assert_eq!(refused(&without, far.path()), LocalError::NoProgram);
}

#[test]
fn what_git_says_of_a_damaged_repository_is_told() {
    let scene = Scene::new();
    let far = scene.far("far.git");
    fs::remove_dir_all(far.path().join("objects")).unwrap();
    assert_eq!(
        scene.world.list_by(&Libgit2, &scene.session(far.path())).unwrap_err(),
        format!(
            "In the folder {}, git-upload-pack ended with status 128.\n\nThe remote said:\nfatal: '.' does not appear to \
             be a git repository",
            far.path().display()
        )
    );
}

#[test]
fn a_cancelled_push_ends_within_a_second_with_all_that_it_has_started() {
    for engine in engines() {
        let (scene, name) = (Scene::new(), engine.name());
        let far = scene.far("far.git");
        far.delete("refs/heads/main");
        hook(&far, "pre-receive", "echo $$ >pid.new; mv pid.new pid; exec sleep 60");
        scene.something_to_push("ours.git");
        let cancel = CancellationToken::new();
        let allowance = Allowance::until(Deadline::after(Duration::from_mins(1)));
        let session = scene.world.session_with(&url(far.path()), Access::default(), allowance, cancel.clone());
        let (error, took, hook) = thread::scope(|scope| {
            let push = scope.spawn(|| scene.world.push(&*engine, "ours.git", &session).map(|_| ()));
            let hook = wait::for_some("the hook", Duration::from_secs(30), || {
                fs::read_to_string(far.path().join("pid")).ok()?.trim().parse::<u32>().ok()
            });
            let began = Instant::now();
            cancel.cancel();
            (push.join().unwrap().unwrap_err(), began.elapsed(), hook)
        });
        assert!(matches!(error, GitError::Net(NetError::Cancelled)), "{name}: {error}");
        assert!(took < Duration::from_secs(1), "{name}: {took:?}");
        wait::until("the hook to be gone", Duration::from_secs(2), || !Path::new(&format!("/proc/{hook}")).exists());
    }
}

#[test]
fn silence_and_too_many_bytes_end_a_run_with_a_folder_too() {
    for engine in engines() {
        let limit = Duration::from_secs(1);
        let (scene, name) =
            (Scene::with(DoorSettings { stall_timeout: limit, ..DoorSettings::default() }), engine.name());
        let far = scene.far("far.git");
        far.commits("main", 200);
        let allowance = Allowance { received: 2000, ..Allowance::until(Deadline::after(Duration::from_mins(1))) };
        let session =
            scene.world.session_with(&url(far.path()), Access::default(), allowance, CancellationToken::new());
        let error = scene.world.pull(&*engine, "ours.git", &session).unwrap_err();
        let over = matches!(error, GitError::Net(NetError::OverBudget { budget: Budget::Received, limit: 2000, .. }));
        assert!(over, "{name}: {error}");

        far.delete("refs/heads/main");
        hook(&far, "pre-receive", "exec sleep 60");
        scene.something_to_push("more.git");
        let error = scene.world.push(&*engine, "more.git", &scene.session(far.path())).unwrap_err();
        assert!(matches!(error, GitError::Net(NetError::Stalled { .. })), "{name}: {error}");
    }
}

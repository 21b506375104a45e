//! The same cases over every transport, with each engine, and with the choice between them that a run makes.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use sidemirror::git::{Engine, Engines, GitError, HANDOVER_OBJECTS, Libgit2, Limits, Sent, push};
use sidemirror::mirror::refs::RefChange;
use sidemirror::net::{Access, Credentials};

use crate::rig::git_daemon::GitDaemon;
use crate::rig::host::{self, Host};
use crate::rig::repository::Repository;
use crate::rig::sshd::me;
use crate::rig::sshd::{Sshd, our_key};
use crate::world::{World, program, with_key};

/// What stands between us and the far side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Http,
    Ssh,
    Git,
}

/// Who does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Libgit2,
    Program,
    /// Whichever a run chooses.
    Either,
}

/// What serves, until it is dropped.
enum Server {
    Http(Host),
    Ssh(Sshd),
    Git(GitDaemon),
}

struct Scene {
    world: World,
    server: Server,
    access: Access,
    who: Who,
}

impl Scene {
    fn new(transport: Transport, who: Who) -> Self {
        let world = World::new();
        let (server, access) = match transport {
            Transport::Http => {
                let credentials = Some(Credentials::new(host::USER, host::PASSWORD));
                (Server::Http(Host::plain()), Access { credentials, ..Access::default() })
            }
            Transport::Ssh => {
                let sshd = Sshd::start(world.folder.path(), &["ed25519"], &[]);
                let (private, public) = our_key(world.folder.path(), &["-t", "ed25519", "-N", ""]);
                sshd.authorise(&public);
                let access = with_key(&me(), &private, &sshd.known("ed25519"));
                (Server::Ssh(sshd), access)
            }
            Transport::Git => {
                let daemon = GitDaemon::start(world.folder.path(), true);
                (Server::Git(daemon), Access::default())
            }
        };
        Self { world, server, access, who }
    }

    /// A new empty repository at the far side.
    fn far(&self, name: &str, format: &str) -> Repository {
        let folder = match &self.server {
            Server::Http(host) => host.file("repositories"),
            Server::Ssh(_) | Server::Git(_) => self.world.folder.path().to_owned(),
        };
        Repository::create_as(&folder.join(name), format)
    }

    fn url(&self, name: &str) -> String {
        match &self.server {
            Server::Http(host) => host.url(name),
            Server::Ssh(sshd) => format!("ssh://127.0.0.1:{}{}", sshd.port, self.world.path(name).display()),
            Server::Git(daemon) => daemon.url(name),
        }
    }

    /// Anew for each run.
    fn engine(&self) -> Box<dyn Engine> {
        match self.who {
            Who::Libgit2 => Box::new(Libgit2),
            Who::Program => Box::new(program()),
            Who::Either => Box::new(Engines::new(Some(Arc::new(program())), HANDOVER_OBJECTS).for_run(None)),
        }
    }

    fn ours(&self) -> Repository {
        Repository::open(&self.world.path("ours/ours.git"))
    }

    fn pull(&self, name: &str) -> u64 {
        let session = self.world.session(&self.url(name), self.access.clone());
        self.world.pull(&*self.engine(), "ours.git", &session).unwrap()
    }

    /// Makes the far refs equal to ours; `meanwhile` is done when they have been listed.
    fn push(&self, name: &str, atomic: bool, meanwhile: impl FnOnce()) -> Sent {
        let ours = self.world.repositories.open_or_create("ours.git").unwrap();
        let session = self.world.session(&self.url(name), self.access.clone());
        let sent = push(&*self.engine(), &ours, &session, &Limits::NONE, |far| {
            let there = far.advertisement().refs.clone();
            let here = ours.read_refs(&["refs/heads/", "refs/tags/"])?;
            let gone = there.iter().filter(|(name, _)| !here.contains_key(*name));
            let gone = gone.map(|(name, id)| RefChange::delete(name.clone(), *id));
            let moved = here.iter().filter(|(name, id)| there.get(*name) != Some(*id));
            let moved =
                moved.map(|(name, id)| RefChange { name: name.clone(), old: there.get(name).copied(), new: Some(*id) });
            meanwhile();
            far.send(&gone.chain(moved).collect::<Vec<_>>(), atomic)
        });
        sent.unwrap_or_else(|error: GitError| panic!("{error}"))
    }
}

/// Which refs were refused, and why.
fn refused(sent: &Sent) -> Vec<(&str, &str)> {
    let refused = sent.outcomes.iter().filter_map(|outcome| Some((&outcome.change, outcome.result.as_ref().err()?)));
    refused.map(|(change, reason)| (change.name.as_str(), reason.as_str())).collect()
}

/// Has the far side refuse this branch, in these words.
fn refuse(far: &Repository, branch: &str, words: &str) {
    let hook = far.path().join("hooks/update");
    fs::create_dir_all(far.path().join("hooks")).unwrap();
    fs::write(&hook, format!("#!/bin/sh\n[ \"$1\" = refs/heads/{branch} ] || exit 0\necho '{words}' >&2\nexit 1\n"))
        .unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
}

fn what_is_new_is_fetched_and_nothing_twice(scene: &Scene) {
    let far = scene.far("far.git", "sha1");
    far.commits("main", 40);
    far.branches("topic", 30);
    far.annotated_tag("v1", "main");
    assert!(scene.pull("far.git") > 120);
    assert_eq!(scene.ours().mirrored_refs(), far.refs());
    assert_eq!(scene.pull("far.git"), 0);
    far.commit("main", "later");
    assert!((3..20).contains(&scene.pull("far.git")));
    assert_eq!(scene.ours().mirrored_refs(), far.refs());
    assert_eq!(scene.ours().git(&["fsck", "--full", "--strict", "--no-dangling"]), "");
}

fn refs_are_created_moved_and_deleted_in_one_push(scene: &Scene) {
    let far = scene.far("far.git", "sha1");
    let ours = Repository::create(scene.ours().path());
    ours.commits("main", 40);
    ours.branches("topic", 30);
    ours.annotated_tag("v1", "main");
    assert_eq!(refused(&scene.push("far.git", false, || ())), []);
    assert_eq!(far.refs(), ours.refs());
    ours.commit("main", "later");
    ours.commit("new", "first");
    ours.delete("refs/tags/v1");
    let sent = scene.push("far.git", false, || ());
    assert_eq!((sent.outcomes.len(), refused(&sent)), (3, vec![]));
    assert_eq!(far.refs(), ours.refs());
    assert_eq!(far.git(&["fsck", "--full", "--strict", "--no-dangling"]), "");
}

fn a_refused_ref_is_told_in_the_far_sides_words_and_the_others_go(scene: &Scene) {
    let far = scene.far("far.git", "sha1");
    let ours = Repository::create(scene.ours().path());
    ours.commit("main", "first");
    ours.commit("guarded", "second");
    refuse(&far, "guarded", "GL-HOOK-ERR: not this one");
    let sent = scene.push("far.git", false, || ());
    assert_eq!(refused(&sent), [("refs/heads/guarded", "hook declined")]);
    assert!(sent.remote_text.contains("GL-HOOK-ERR: not this one"), "{}", sent.remote_text);
    assert_eq!(far.refs().into_keys().collect::<Vec<_>>(), ["refs/heads/main"]);
}

fn a_far_ref_that_moves_after_the_list_is_not_overwritten(scene: &Scene) {
    let far = scene.far("far.git", "sha1");
    let ours = Repository::create(scene.ours().path());
    ours.commit("main", "first");
    ours.commit("other", "second");
    scene.push("far.git", false, || ());
    ours.commit("main", "ours");
    ours.commit("other", "ours, too");
    let sent = scene.push("far.git", false, || drop(far.commit("main", "theirs")));
    let [(name, reason)] = refused(&sent)[..] else { panic!("{sent:?}") };
    assert!(name == "refs/heads/main" && !reason.is_empty(), "{sent:?}");
    assert_ne!(far.id_of("main"), ours.id_of("main"));
    assert_eq!(far.id_of("other"), ours.id_of("other"));
}

fn of_twenty_thousand_refs_a_few_new_ones_come(scene: &Scene) {
    let far = scene.far("far.git", "sha1");
    let id = far.commit("main", "first");
    let mut packed = "# pack-refs with: peeled fully-peeled sorted \n".to_owned();
    for number in 0..20_000 {
        let _ = writeln!(packed, "{id} refs/tags/wide/{number:05}");
    }
    fs::write(far.path().join("packed-refs"), packed).unwrap();
    scene.pull("far.git");
    assert_eq!(scene.ours().mirrored_refs().len(), 20_001);
    far.commit("main", "second");
    far.commit("other", "third");
    assert!((6..20).contains(&scene.pull("far.git")));
    assert_eq!(scene.ours().mirrored_refs(), far.refs());
}

fn of_an_atomic_push_one_refused_ref_holds_back_all(scene: &Scene) {
    let far = scene.far("far.git", "sha1");
    let ours = Repository::create(scene.ours().path());
    ours.commit("main", "first");
    ours.commit("guarded", "second");
    refuse(&far, "guarded", "no");
    let sent = scene.push("far.git", true, || ());
    assert_eq!(refused(&sent).len(), 2, "{sent:?}");
    assert_eq!(far.refs().len(), 0);
}

fn sha_256_histories_go_both_ways(scene: &Scene) {
    let (far, other) = (scene.far("far.git", "sha256"), scene.far("other.git", "sha256"));
    far.commits("main", 5);
    far.annotated_tag("v1", "main");
    scene.pull("far.git");
    assert_eq!(scene.ours().mirrored_refs(), far.refs());
    far.commit("main", "later");
    scene.pull("far.git");
    assert_eq!(scene.ours().mirrored_refs(), far.refs());
    assert_eq!(refused(&scene.push("other.git", true, || ())), []);
    assert_eq!(other.refs(), far.refs());
}

macro_rules! way {
    ($name:ident, $transport:ident, $who:ident, [$($case:ident),+ $(,)?]) => {
        mod $name {
            use super::{Scene, Transport, Who};

            $(#[test]
            fn $case() {
                super::$case(&Scene::new(Transport::$transport, Who::$who));
            })+
        }
    };
}

/// Makes of each case a test for each transport and each engine.
macro_rules! every_way {
    ($cases:tt) => {
        way!(http_by_libgit2, Http, Libgit2, $cases);
        way!(http_by_git, Http, Program, $cases);
        way!(ssh_by_libgit2, Ssh, Libgit2, $cases);
        way!(ssh_by_git, Ssh, Program, $cases);
        way!(git_by_libgit2, Git, Libgit2, $cases);
        way!(git_by_git, Git, Program, $cases);
    };
}

/// The same for what libgit2 cannot do, so that a run hands it over.
macro_rules! every_transport {
    ($cases:tt) => {
        way!(http, Http, Either, $cases);
        way!(ssh, Ssh, Either, $cases);
        way!(git, Git, Either, $cases);
    };
}

every_way!([
    what_is_new_is_fetched_and_nothing_twice,
    refs_are_created_moved_and_deleted_in_one_push,
    a_refused_ref_is_told_in_the_far_sides_words_and_the_others_go,
    a_far_ref_that_moves_after_the_list_is_not_overwritten,
    of_twenty_thousand_refs_a_few_new_ones_come,
]);

every_transport!([of_an_atomic_push_one_refused_ref_holds_back_all, sha_256_histories_go_both_ways]);

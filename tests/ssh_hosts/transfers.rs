//! Refs and objects over SSH, in both directions.

use crate::rig::repository::Repository;
use crate::rig::sshd::me;
use crate::rig::sshd::{Sshd, our_key};
use crate::world::{World, engines, with_key};

/// A world, a server that lets us in, and how.
fn scene(kinds: &[&str]) -> (World, Sshd, sidemirror::net::Access) {
    let world = World::new();
    let sshd = Sshd::start(world.folder.path(), kinds, &[]);
    let (private, public) = our_key(world.folder.path(), &["-t", "ed25519", "-N", ""]);
    sshd.authorise(&public);
    let access = with_key(&me(), &private, &sshd.known(kinds[0]));
    (world, sshd, access)
}

fn url(sshd: &Sshd, repository: &Repository) -> String {
    format!("ssh://127.0.0.1:{}{}", sshd.port, repository.path().display())
}

#[test]
fn a_repository_is_pulled_over_ssh_on_one_connection() {
    let (world, sshd, access) = scene(&["ed25519"]);
    let far = world.far("far.git");
    far.commits("main", 300);
    far.branches("topic", 50);
    far.annotated_tag("v1", "main");
    for engine in engines() {
        let name = format!("{}.git", engine.name());
        let pull = || world.pull(&*engine, &name, &world.session(&url(&sshd, &far), access.clone())).unwrap();
        let ours = Repository::open(&world.path("ours").join(&name));
        let before = sshd.connections();
        let objects = pull();
        assert!(objects > 1000, "{objects} objects");
        assert_eq!(ours.mirrored_refs(), far.refs());
        if engine.name() == "libgit2" {
            assert_eq!(sshd.connections() - before, 1, "a list and a fetch are one conversation");
        }
        far.commit("main", "later");
        // A commit, its tree and its file; the program may be sent a bit of what it has.
        assert!((3..10).contains(&pull()), "only what is new comes");
        assert_eq!(ours.mirrored_refs(), far.refs());
    }
}

#[test]
fn a_repository_is_pushed_over_ssh_with_a_pack_of_megabytes() {
    let (world, sshd, access) = scene(&["ed25519"]);
    let ours = Repository::create(&world.path("ours/ours.git"));
    ours.commits("main", 500);
    ours.branches("topic", 20);
    let noise = world.path("noise");
    // What cannot be compressed: it does not fit into any window of the connection.
    let bytes: Vec<u8> = (0..6_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect();
    std::fs::write(&noise, bytes).unwrap();
    let blob = ours.git(&["hash-object", "-w", noise.to_str().unwrap()]);
    ours.set("refs/tags/noise", &blob);
    for engine in engines() {
        let far = world.far(&format!("{}.git", engine.name()));
        far.delete("refs/heads/main");
        let sent = world.push(&*engine, "ours.git", &world.session(&url(&sshd, &far), access.clone())).unwrap();
        assert!(sent.outcomes.iter().all(|outcome| outcome.result.is_ok()), "{sent:?}");
        assert_eq!(far.refs(), ours.mirrored_refs());
        if engine.name() == "libgit2" {
            assert_eq!(sshd.connections(), 1);
        }
    }
}

#[test]
fn a_path_is_given_to_the_shell_as_one_word() {
    let (world, sshd, access) = scene(&["ed25519"]);
    let far = world.far("it's a; $(name)!.git");
    let url = format!("ssh://127.0.0.1:{}{}", sshd.port, far.path().display().to_string().replace(' ', "%20"));
    assert_eq!(world.list(&url, &access).unwrap().refs.len(), 1);
}

#[test]
fn what_the_far_side_says_about_a_missing_repository_is_told() {
    let (world, sshd, access) = scene(&["ed25519"]);
    let said = world.refusal(&format!("ssh://127.0.0.1:{}/no/such.git", sshd.port), &access);
    assert_eq!(
        said,
        format!(
            "On 127.0.0.1:{}, git-upload-pack ended with status 128.\n\nThe remote said:\nfatal: '/no/such.git' does not \
             appear to be a git repository",
            sshd.port
        )
    );
}

#[test]
fn a_server_that_runs_no_programs_says_so() {
    let world = World::new();
    let sshd = Sshd::start(world.folder.path(), &["ed25519"], &["ForceCommand echo only for Alice >&2; exit 3"]);
    let (private, public) = our_key(world.folder.path(), &["-t", "ed25519", "-N", ""]);
    sshd.authorise(&public);
    let access = with_key(&me(), &private, &sshd.known("ed25519"));
    let said = world.refusal(&format!("ssh://127.0.0.1:{}/x.git", sshd.port), &access);
    assert!(said.contains("ended with status 3.\n\nThe remote said:\nonly for Alice"), "{said}");
}

//! What may come into a repository.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::rig::repository::Repository;
use crate::world::{World, refs};

/// Writes an object that git itself would not make.
pub(crate) fn write(far: &Repository, kind: &str, content: &[u8]) -> String {
    let mut command = Command::new("/usr/bin/git");
    command.env_clear().env("PATH", "/usr/bin:/bin").args(["hash-object", "-w", "--literally", "--stdin", "-t", kind]);
    let mut child = command.current_dir(far.path()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(content).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim_end().to_owned()
}

pub(crate) fn commit(tree: &str, author: &str) -> String {
    format!("tree {tree}\nauthor {author}\ncommitter {author}\n\nmessage\n")
}

pub(crate) const SOMEBODY: &str = "A <a@example.org> 1700000000 +0000";

/// A server with one branch at this commit, and what fetching it ends with.
fn refused(world: &World, far: &Repository) -> String {
    let told = world.mirror(&world.session("p.git")).unwrap_err().to_string();
    assert!(refs(world.real().path()).is_empty());
    let packs = fs::read_dir(world.real().path().join("objects/pack")).unwrap().count();
    assert_eq!(packs, 0, "nothing is kept");
    world.assert_sound();
    assert!(!told.contains("quarantine") && !told.contains(far.path().to_str().unwrap()), "{told}");
    told
}

#[test]
fn a_tree_with_a_git_folder_in_it_is_refused() {
    let world = World::new();
    let far = world.server.create("p.git");
    far.commit("main", "one");
    let tree = far.id_of("main^{tree}");
    let mut evil = b"40000 .git\0".to_vec();
    evil.extend((0..20).map(|at| u8::from_str_radix(&tree[at * 2..at * 2 + 2], 16).unwrap()));
    let evil = write(&far, "tree", &evil);
    far.set("refs/heads/main", &write(&far, "commit", commit(&evil, SOMEBODY).as_bytes()));
    let told = refused(&world, &far);
    assert_eq!(told, format!("The remote sent unusable objects: object {evil}: hasDotgit: contains '.git'."));
}

#[test]
fn a_commit_that_is_none_is_refused() {
    let world = World::new();
    let far = world.server.create("p.git");
    far.commit("main", "one");
    let tree = far.id_of("main^{tree}");
    let bad = write(&far, "commit", format!("tree {tree}\nauthor nobody\n\nmessage\n").as_bytes());
    far.set("refs/heads/main", &bad);
    let told = refused(&world, &far);
    assert!(told.starts_with(&format!("The remote sent unusable objects: object {bad}: ")), "{told}");
}

#[test]
fn a_far_side_that_lacks_objects_fails_the_run_and_nothing_is_kept() {
    let world = World::new();
    let far = world.server.create("p.git");
    far.commit("main", "one");
    far.commit("main", "two");
    let tree = far.id_of("main~1^{tree}");
    fs::remove_file(far.path().join("objects").join(&tree[..2]).join(&tree[2..])).unwrap();
    let told = refused(&world, &far);
    assert!(told.starts_with("The remote"), "{told}");
}

#[test]
fn what_many_old_histories_have_wrong_is_forgiven() {
    let world = World::new();
    let far = world.server.create("p.git");
    far.commit("main", "one");
    let blob = far.id_of("main:story.txt");
    let mut padded = b"0100644 story.txt\0".to_vec();
    padded.extend((0..20).map(|at| u8::from_str_radix(&blob[at * 2..at * 2 + 2], 16).unwrap()));
    let padded = write(&far, "tree", &padded);
    for (branch, author) in
        [("zone", "A <a@example.org> 1700000000 +051800"), ("space", "A <a@example.org>1700000000 +0000")]
    {
        let bad = write(&far, "commit", commit(&padded, author).as_bytes());
        far.set(&format!("refs/heads/{branch}"), &bad);
    }
    world.mirror(&world.session("p.git")).unwrap();
    assert_eq!(refs(world.real().path()), refs(far.path()));
}

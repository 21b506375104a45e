//! A secret is sealed where it is kept, and is nowhere else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use redis::Commands as _;

use crate::rig::git_http::GitServer;
use crate::rig::repository::Repository;
use crate::search::search;
use crate::spellings::Canary;
use crate::watcher::Watcher;
use crate::world::World;

/// The header of each mirror, the login at a proxy that is not used, and what opens the key.
const HEADER: &str = "h3ader \"v@lue\"/%41+=";
const PROXY: &str = "pr0xy'p@ss: wörd";
const PASSPHRASE: &str = "pass{phr@se}<&>+";

#[test]
fn a_secret_is_nowhere_but_sealed_with_libgit2() {
    look_everywhere("libgit2");
}

#[test]
fn a_secret_is_nowhere_but_sealed_with_the_git_program() {
    look_everywhere("git");
}

/// Pulls and pushes with an engine, well and not, and searches every place.
fn look_everywhere(engine: &str) {
    let world = World::with(|installation| installation.set("verbose", true).set("max_retries", 3));
    let given = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = given.path().join(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let key = given.path().join("key").display().to_string();
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", PASSPHRASE, "-f", &key]).status().unwrap();
    assert!(made.success());
    let canaries = [
        Canary::new("password", GitServer::PASSWORD),
        Canary::new("login", &format!("{}:{}", GitServer::USER, GitServer::PASSWORD)),
        Canary::new("header", HEADER),
        Canary::new("password for the proxy", PROXY),
        Canary::new("passphrase", PASSPHRASE),
        Canary::key("ssh key", &fs::read_to_string(&key).unwrap()),
    ];
    let (header, proxy, passphrase) = (file("header", HEADER), file("proxy", PROXY), file("passphrase", PASSPHRASE));
    let header = format!("X-Canary={header}");
    // Through no proxy, although there is a login for one; over HTTP, although there is a key.
    let options = [
        ["--header-file", &header],
        ["--proxy", "none"],
        ["--proxy-user", "through"],
        ["--proxy-password-file", &proxy],
        ["--ssh-key-file", &key],
        ["--ssh-passphrase-file", &passphrase],
        ["--engine", engine],
    ]
    .concat();

    let upstream = world.git.create("up.git");
    upstream.commit("main", "first");
    let far = world.git.create("far.git");
    world.git.create("willing.git");
    // A far side that shouts what it was told, in every spelling; no key is ever told to it.
    let shouted: Vec<String> = canaries[..5].iter().flat_map(|canary| canary.spellings().to_vec()).collect();
    let (user, password) = (GitServer::USER, GitServer::PASSWORD);
    shout(&far, &format!("{}\nyou are http://{user}:{password}@host/\n", shouted.join("\n")));
    world.add_pull(1, "up.git", &options);
    world.add_pull(2, "nothing.git", &options);
    world.add_push(1, "far.git", &options);
    world.add_push(3, "willing.git", &options);
    world.installation.add_mirror("pull", 3, "group/project-3.git", &world.git.redirecting_url("up.git"), &options);
    fs::remove_file(world.installation.folder().join("password")).unwrap();

    let watcher = Watcher::of(world.worker.id());
    world.succeed("pull", 1);
    let shown = vec![world.fail("pull", 2), world.fail("pull", 3), world.fail("push", 1)];
    assert!(shown[2].contains("you are http://*****"), "the far side's words are shown, masked: {}", shown[2]);
    let local = world.create_local(3);
    local.commit("main", "to be sent");
    world.succeed("push", 3);
    // A job that is retried keeps its error in Redis.
    let retried = r#"{"class":"RemoteMirror","args":[1],"retry":true,"queue":"mirrors","jid":"abcdefabcdefabcdefabcdef","created_at":1700000000.0,"enqueued_at":1700000000.0}"#;
    let mut connection = world.redis.connection();
    let _: u64 = connection.lpush("queue:mirrors", retried).unwrap();
    world.wait_for_jobs();
    let waiting: Vec<String> = connection.zrange("retry", 0, -1).unwrap();
    assert!(waiting.iter().any(|job| job.contains("*****")), "{waiting:?}");
    let seen = watcher.seen();
    assert_eq!(seen.len() > 1, engine == "git", "the git program was watched, too, where there is one: {seen:#?}");

    let mirrors = [("pull", 1), ("pull", 2), ("pull", 3), ("push", 1), ("push", 3)];
    search(&world, &canaries, &mirrors, shown, &seen);
}

/// Has the far side refuse every ref with these words.
pub(crate) fn shout(repository: &Repository, words: &str) {
    let folder = repository.path().join("hooks");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("words"), words).unwrap();
    let hook = folder.join("update");
    fs::write(&hook, format!("#!/bin/sh\ncat '{}' >&2\nexit 1\n", folder.join("words").display())).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
}

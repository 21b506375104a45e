//! Every way in which a mirror logs in, through a real server for each, with either engine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use redis::Commands as _;

use crate::everywhere::shout;
use crate::rig::asyncssh::AsyncSsh;
use crate::rig::certificates::Ca;
use crate::rig::host::{Host, Particulars};
use crate::rig::repository::Repository;
use crate::rig::sshd::Sshd;
use crate::rig::tinyproxy::{self, Tinyproxy};
use crate::search::search;
use crate::spellings::Canary;
use crate::watcher::Watcher;
use crate::world::World;

const WRONG: &str = "wr0ng/p@ss: wörd%41+=";
const PASSPHRASE: &str = "pass{phr@se}<&>+";
const BEARER: &str = "b3arer-canary/+=~.";
const HEADER: &str = "h3ader v@lue/%41+=";

#[test]
fn no_transport_shows_what_it_logs_in_with_by_libgit2() {
    over_every_transport("libgit2");
}

#[test]
fn no_transport_shows_what_it_logs_in_with_by_the_git_program() {
    over_every_transport("git");
}

/// Mirrors of one world, and files with what they log in with, which are gone before anything runs.
struct Scene {
    world: World,
    folder: tempfile::TempDir,
    engine: &'static str,
    mirrors: Vec<(&'static str, u64)>,
}

impl Scene {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The path of a new file with this content.
    fn file(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    fn add(&mut self, direction: &'static str, id: u64, url: &str, options: &[&str]) {
        let (number, repository) = (id.to_string(), format!("group/project-{id}.git"));
        let arguments = ["mirror", "add", direction, "--id", &number, "--repository", &repository, "--url", url];
        let engine = ["--engine", self.engine];
        self.world.installation.cli_ok(&[&arguments[..], options, &engine].concat());
        if url.starts_with("ssh:") {
            self.world.installation.cli_ok(&["host-keys", "trust", direction, &number, "--detect"]);
        }
        self.mirrors.push((direction, id));
    }
}

#[expect(clippy::too_many_lines, reason = "one mirror after the other, for each transport")]
fn over_every_transport(engine: &'static str) {
    let folder = tempfile::tempdir().unwrap();
    let world = World::with(|installation| installation.set("verbose", true).set("max_retries", 3));
    let mut scene = Scene { world, folder, engine, mirrors: Vec::new() };
    let (password, wrong) = (scene.file("password", AsyncSsh::PASSWORD), scene.file("wrong", WRONG));

    // A password over SSH, at a server that repeats what it does not accept, and a repository whose hook does.
    let parrot = AsyncSsh::start(scene.path("asyncssh"), "parrot");
    let [up, shouting, willing] =
        ["up.git", "shouting.git", "willing.git"].map(|name| Repository::create(&scene.path(name)));
    up.commit("main", "first");
    let ssh = |port: u16, user: &str, repository: &Repository| {
        format!("ssh://{user}@127.0.0.1:{port}{}", repository.path().display())
    };
    let [right, other] = [&password, &wrong].map(|file| ["--user", "mirror", "--password-file", file]);
    scene.add("pull", 1, &ssh(parrot.port, "mirror", &up), &right);
    scene.add("pull", 2, &ssh(parrot.port, "mirror", &up), &other);
    scene.add("push", 1, &ssh(parrot.port, "mirror", &shouting), &right);

    // An encrypted key over SSH.
    let sshd = Sshd::start(scene.folder.path(), &["ed25519"], &[]);
    let key = scene.path("key").display().to_string();
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", PASSPHRASE, "-f", &key]).status().unwrap();
    assert!(made.success());
    sshd.authorise(&crate::rig::sshd::public_key(Path::new(&format!("{key}.pub"))));
    let (private, passphrase) = (fs::read_to_string(&key).unwrap(), scene.file("passphrase", PASSPHRASE));
    let by_key = ["--ssh-key-file", &key, "--ssh-passphrase-file", &passphrase];
    let me = me();
    scene.add("pull", 3, &ssh(sshd.port, &me, &up), &by_key);
    scene.add("push", 3, &ssh(sshd.port, &me, &willing), &by_key);

    // A token and a header, at a host that lets in by them, and at a place there that repeats them.
    let gate = format!(
        "if ($http_authorization != \"Bearer {BEARER}\") {{ return 401; }} if ($http_x_token != \"{HEADER}\") {{ return 403; }}"
    );
    let repeating = "location /repeating/ { default_type text/plain;
                     return 401 'you: $http_authorization, $http_x_token'; }";
    let host = Host::with(&Particulars { gate: Some(&gate), server: repeating, ..Particulars::default() });
    let by_token = host.repository("up.git");
    let (bearer, header) = (scene.file("bearer", BEARER), format!("X-Token={}", scene.file("header", HEADER)));
    let tokens = ["--bearer-file", &bearer, "--header-file", &header];
    scene.add("pull", 4, &host.url("up.git"), &tokens);
    scene.add("pull", 5, &host.url("repeating/up.git"), &tokens);

    // A login at a proxy, right and wrong.
    let proxy = Tinyproxy::guarded();
    let proxy_password = scene.file("proxy", tinyproxy::PASSWORD);
    let by_proxy = ["--proxy", &proxy.url(), "--proxy-user", tinyproxy::USER, "--proxy-password-file"];
    let plain = Host::with(&Particulars { gate: Some(""), ..Particulars::default() });
    let proxied = plain.repository("up.git");
    scene.add("pull", 6, &plain.url("up.git"), &[&by_proxy[..], &[&proxy_password]].concat());
    scene.add("pull", 7, &plain.url("up.git"), &[&by_proxy[..], &[&wrong]].concat());

    // A certificate of ours.
    let ca = Ca::new();
    ca.sign("host", "IP:127.0.0.1", 30);
    ca.sign("client", "DNS:client", 30);
    let [authority, certificate, client_key] =
        ["ca.crt", "client.crt", "client.key"].map(|name| ca.path(name).display().to_string());
    let demanding = format!("ssl_verify_client on; ssl_client_certificate {authority};");
    let tls = Some((&ca, "host", ""));
    let secure = Host::with(&Particulars { tls, server: &demanding, gate: Some("") });
    let certified = secure.repository("up.git");
    let by_certificate =
        ["--ca-file", &authority, "--client-certificate", &certificate, "--client-key-file", &client_key];
    scene.add("pull", 8, &secure.url("up.git"), &by_certificate);

    let secrets = [
        Canary::new("password", AsyncSsh::PASSWORD),
        Canary::new("wrong password", WRONG),
        Canary::new("passphrase", PASSPHRASE),
        Canary::new("token", BEARER),
        Canary::new("header", HEADER),
        Canary::new("password for the proxy", tinyproxy::PASSWORD),
        Canary::new("login at the proxy", &format!("{}:{}", tinyproxy::USER, tinyproxy::PASSWORD)),
        Canary::key("ssh key", &private),
        Canary::key("client key", &ca.text("client.key")),
    ];
    shout(&shouting, &format!("you are:\n{}\n", secrets[0].spellings().join("\n")));
    for name in ["password", "wrong", "key", "passphrase", "bearer", "header", "proxy"] {
        fs::remove_file(scene.path(name)).unwrap();
    }

    let world = &scene.world;
    let watcher = Watcher::of(world.worker.id());
    for (id, far) in [(1, &up), (3, &up), (4, &by_token), (6, &proxied), (8, &certified)] {
        world.succeed("pull", id);
        assert_eq!(world.local(id).mirrored_refs(), far.refs(), "pull {id}");
    }
    let local = world.local(3);
    local.commit("sent", "to be sent");
    world.succeed("push", 3);
    assert_eq!(willing.refs(), local.mirrored_refs());
    world.local(1).commit("main", "to be refused");
    let mut shown = Vec::new();
    for (direction, id, telling) in
        [("pull", 2, "not *****"), ("pull", 5, "you: Bearer *****, *****"), ("pull", 7, "proxy"), ("push", 1, "*****")]
    {
        let told = world.fail(direction, id);
        assert!(told.contains(telling), "{direction} {id} shows the far side's words, masked: {told}");
        shown.push(told);
        // A job that is retried keeps its error in Redis.
        let class = if direction == "pull" { "UpdateMirror" } else { "RemoteMirror" };
        let times = r#""created_at":1700000000.0,"enqueued_at":1700000000.0"#;
        let job = format!(
            r#"{{"class":"{class}","args":[{id}],"retry":true,"queue":"mirrors","jid":"abcdefabcdefabcdefabcd{id:02}",{times}}}"#
        );
        let _: u64 = world.redis.connection().lpush("queue:mirrors", job).unwrap();
    }
    world.wait_for_jobs();
    let waiting: Vec<String> = world.redis.connection().zrange("retry", 0, -1).unwrap();
    assert_eq!(waiting.len(), 4, "{waiting:?}");
    let seen = watcher.seen();
    let was_seen = |what: &str| seen.iter().any(|process| process.contains(what));
    let program = engine == "git";
    for what in ["internal ssh", "in memory: ", "Authorization: Bearer ", "index-pack", "pack-objects"] {
        assert_eq!(was_seen(what), program, "{what}: {seen:#?}");
    }
    search(world, &secrets, &scene.mirrors, shown, &seen);
}

/// Whoever runs the test: sshd lets nobody else in.
fn me() -> String {
    let output = Command::new("/usr/bin/id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

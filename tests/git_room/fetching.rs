//! Fetching from a real server.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};

use sidemirror::git::{Progress, Transfer, fetch};
use sidemirror::mirror::refs::{Advertisement, Ancestry as _, RefName, Refs};
use sidemirror::net::Credentials;
use tokio_util::sync::CancellationToken;

use crate::both::{Kind, with_both_engines};
use crate::server::{PASSWORD, USER};
use crate::world::World;

with_both_engines!(
    branches_and_both_kinds_of_tags_arrive_and_a_moved_tag_follows,
    an_empty_upstream_has_nothing_and_is_no_error,
    the_listing_names_the_head_and_no_peeled_entries,
    two_thousand_refs_arrive_at_once,
    only_the_wanted_refs_are_downloaded_and_nothing_twice,
    several_downloads_go_over_one_connection,
    a_commit_without_its_tree_is_refused_and_leaves_nothing,
    a_tree_with_a_git_folder_in_it_is_refused,
    runs_at_the_same_time_do_not_take_each_others_login,
    fifty_thousand_refs_are_listed_and_a_few_new_ones_among_them_come,
    a_repository_does_not_say_where_its_upstream_lies,
);

fn branches_and_both_kinds_of_tags_arrive_and_a_moved_tag_follows(kind: Kind) {
    let world = World::of(kind);
    let upstream = world.served("p.git");
    let first = world.commit(&upstream, "main", "one");
    world.git(&upstream, &["tag", "light", "main"]);
    world.git(&upstream, &["tag", "-a", "-m", "annotated", "v1", "main"]);
    let ours = world.ours("p.git");

    let transfer = world.mirror(&ours, &world.session("p.git")).unwrap();
    assert!(transfer.objects == 4 && transfer.bytes > 0, "{transfer:?}");
    assert_eq!(world.refs(ours.path()), world.refs(&upstream));

    let second = world.commit(&upstream, "main", "two");
    world.git(&upstream, &["tag", "-f", "-a", "-m", "moved", "v1", "main"]);
    world.mirror(&ours, &world.session("p.git")).unwrap();
    assert_eq!(world.refs(ours.path()), world.refs(&upstream));
    assert!(ours.is_ancestor(first, second).unwrap());
    assert!(!ours.is_ancestor(second, first).unwrap());
    world.assert_sound(&ours);
}

fn a_repository_does_not_say_where_its_upstream_lies(kind: Kind) {
    let world = World::of(kind);
    let upstream = world.served("p.git");
    world.commit(&upstream, "main", "one");
    let trap = world.served("trap.git");
    world.commit(&trap, "trapped", "two");
    let ours = world.ours("p.git");
    for (key, value) in [("insteadOf", "http"), ("insteadOf", "http://127.0.0.1"), ("pushInsteadOf", "http")] {
        world.git(ours.path(), &["config", "--add", &format!("url.{}.{key}", trap.display()), value]);
    }
    world.mirror(&ours, &world.session("p.git")).unwrap();
    assert_eq!(world.refs(ours.path()), world.refs(&upstream));

    if kind == Kind::Libgit2 {
        // What libgit2 cannot be kept from obeying ends the run.
        let url = format!("url.{}.insteadOf", trap.display());
        world.git(ours.path(), &["config", "--replace-all", &url, "sidemirror-requests://far.invalid/"]);
        let error = world.list(&ours, &world.session("p.git")).unwrap_err();
        assert!(error.to_string().contains("rewrites every address"), "{error}");
    }
}

fn an_empty_upstream_has_nothing_and_is_no_error(kind: Kind) {
    let world = World::of(kind);
    world.served("empty.git");
    let ours = world.ours("p.git");
    assert_eq!(world.mirror(&ours, &world.session("empty.git")).unwrap(), Transfer::default());
    world.assert_sound(&ours);
}

fn the_listing_names_the_head_and_no_peeled_entries(kind: Kind) {
    let world = World::of(kind);
    let upstream = world.served("p.git");
    let id = world.commit(&upstream, "main", "one");
    world.git(&upstream, &["tag", "-a", "-m", "annotated", "v1", "main"]);
    let found: Advertisement = world.list(&world.ours("p.git"), &world.session("p.git")).unwrap();
    assert_eq!(found.head, Some(RefName::branch("main")));
    assert_eq!(found.refs, world.refs(&upstream));
    assert_eq!(found.refs.get(&RefName::branch("main")), Some(&id));
}

fn two_thousand_refs_arrive_at_once(kind: Kind) {
    let world = World::of(kind);
    let upstream = world.served("many.git");
    let mut id = world.commit(&upstream, "main", "zero");
    let mut commands = String::new();
    for number in 0..2000 {
        if number % 500 == 0 {
            id = world.commit(&upstream, "main", &format!("content {number}"));
        }
        let kind = if number % 2 == 0 { "heads" } else { "tags" };
        let _ = writeln!(commands, "create refs/{kind}/many/{number} {id}");
    }
    world.git_with(&upstream, &["update-ref", "--stdin"], &commands);
    let ours = world.ours("many.git");
    world.mirror(&ours, &world.session("many.git")).unwrap();
    assert_eq!(world.refs(ours.path()), world.refs(&upstream));
    assert_eq!(world.refs(ours.path()).len(), 2001);
    world.assert_sound(&ours);
}

fn only_the_wanted_refs_are_downloaded_and_nothing_twice(kind: Kind) {
    let world = World::of(kind);
    let upstream = world.served("p.git");
    let main = world.commit(&upstream, "main", "one");
    let other = world.commit(&upstream, "other", "two");
    let ours = world.ours("p.git");
    let wanted = Refs::from([(RefName::branch("main"), main)]);
    let download = |wanted: &Refs| {
        fetch(world.engine(), &ours, &world.session("p.git"), &sidemirror::git::Limits::NONE, |upstream| {
            upstream.download(wanted, &Progress::default())
        })
    };
    assert_eq!(download(&wanted).unwrap().objects, 3);
    assert!(world.try_git(ours.path(), &["cat-file", "-e", &other.to_string()], "").is_none());

    let posts = |world: &World| world.server.requests().iter().filter(|line| line.starts_with("POST")).count();
    let before = posts(&world);
    assert_eq!(download(&wanted).unwrap(), Transfer::default());
    // The program's first request is a POST already, and asks for the list alone.
    let list = if kind == Kind::Git { 2 } else { 0 };
    assert!(posts(&world) <= before + list, "what is there already is not asked for");
    world.assert_sound(&ours);
}

fn several_downloads_go_over_one_connection(kind: Kind) {
    let world = World::of(kind);
    let upstream = world.served("p.git");
    world.commit(&upstream, "main", "one");
    let ours = world.ours("p.git");
    for content in ["two", "three", "four"] {
        world.mirror(&ours, &world.session("p.git")).unwrap();
        world.commit(&upstream, "main", content);
    }
    let connections: std::collections::BTreeSet<String> =
        world.server.requests().iter().map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect();
    assert!(connections.len() <= 2, "{:?}", world.server.requests());
}

/// Serves one branch and, whatever is asked, one pack.
fn canned(commit: &str, pack: &[u8]) -> u16 {
    let line = |text: &str| format!("{:04x}{text}", text.len() + 4);
    let first = line(&format!("{commit} refs/heads/main\0agent=canned \n"));
    let listing = format!("{}0000{first}0000", line("# service=git-upload-pack\n")).into_bytes();
    let result = [line("NAK\n").as_bytes(), pack].concat();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            let mut asked = [0; 4096];
            while let Ok(read @ 1..) = connection.read(&mut asked) {
                let listed = asked[..read].starts_with(b"GET");
                let (kind, body) = if listed { ("advertisement", &listing) } else { ("result", &result) };
                let kind = format!("Content-Type: application/x-git-upload-pack-{kind}");
                let length = format!("Content-Length: {}\r\nConnection: close", body.len());
                let head = format!("HTTP/1.1 200 OK\r\n{kind}\r\n{length}\r\n\r\n");
                let _ = connection.write_all(&[head.as_bytes(), body].concat());
                let _ = connection.shutdown(Shutdown::Write);
            }
        }
    });
    port
}

fn a_commit_without_its_tree_is_refused_and_leaves_nothing(kind: Kind) {
    let world = World::of(kind);
    let upstream = world.served("whole.git");
    let commit = world.commit(&upstream, "main", "one").to_string();
    let tree = world.git(&upstream, &["rev-parse", "main^{tree}"]);
    world.git_with(&upstream, &["pack-objects", "canned"], &commit);
    let mut files = std::fs::read_dir(&upstream).unwrap().map(|entry| entry.unwrap().path());
    let pack = files.find(|path| path.extension().is_some_and(|kind| kind == "pack")).unwrap();
    let port = canned(&commit, &std::fs::read(pack).unwrap());

    let ours = world.ours("p.git");
    let session = world.session_to(&format!("http://127.0.0.1:{port}/p.git"), CancellationToken::new());
    let refused = world.mirror(&ours, &session).unwrap_err().to_string();
    let words = if kind == Kind::Git { "did not receive expected object " } else { "incomplete history: " };
    assert!(refused.starts_with(&format!("The remote sent unusable objects: {words}")), "{refused}");
    assert!(refused.contains(&tree[..7]), "{refused}");
    assert!(world.try_git(ours.path(), &["cat-file", "-e", &commit], "").is_none());
    assert!(world.refs(ours.path()).is_empty());
    world.assert_sound(&ours);
}

fn a_tree_with_a_git_folder_in_it_is_refused(kind: Kind) {
    let world = World::of(kind);
    let upstream = world.served("evil.git");
    world.commit(&upstream, "main", "one");
    let tree = world.git(&upstream, &["rev-parse", "main^{tree}"]);
    let evil = world.git_with(&upstream, &["mktree"], &format!("040000 tree {tree}\t.GIT\n"));
    let commit = world.git(&upstream, &["commit-tree", "-m", "evil", &evil]);
    world.git(&upstream, &["update-ref", "refs/heads/main", &commit]);
    let ours = world.ours("p.git");
    let refused = world.mirror(&ours, &world.session("evil.git")).unwrap_err().to_string();
    assert!(refused.starts_with("The remote sent unusable objects: "), "{refused}");
    if kind == Kind::Libgit2 {
        assert!(refused.ends_with("holds an entry named \".GIT\"."), "{refused}");
    }
    assert!(world.try_git(ours.path(), &["cat-file", "-e", &commit], "").is_none());
    world.assert_sound(&ours);
}

fn runs_at_the_same_time_do_not_take_each_others_login(kind: Kind) {
    let world = World::of(kind);
    let upstream = world.served("p.git");
    world.commit(&upstream, "main", "one");
    drop(world.ours("p.git"));
    let url = format!("http://127.0.0.1:{}/p.git", world.server.port);
    std::thread::scope(|threads| {
        for number in 0..8 {
            let (world, url) = (&world, &url);
            threads.spawn(move || {
                for round in 0..10 {
                    let right = (number + round) % 2 == 0;
                    let login = Credentials::new(USER, if right { PASSWORD } else { "wrong" });
                    let session = world.session_as(url, Some(login), CancellationToken::new());
                    assert_eq!(world.list(&world.ours("p.git"), &session).is_ok(), right);
                }
            });
        }
    });
}

fn fifty_thousand_refs_are_listed_and_a_few_new_ones_among_them_come(kind: Kind) {
    let world = World::of(kind);
    let upstream = world.served("wide.git");
    let id = world.commit(&upstream, "main", "one");
    let mut packed = "# pack-refs with: peeled fully-peeled sorted \n".to_owned();
    for number in 0..50_000 {
        let _ = writeln!(packed, "{id} refs/tags/wide/{number:05}");
    }
    std::fs::write(upstream.join("packed-refs"), packed).unwrap();
    let ours = world.ours("wide.git");
    world.mirror(&ours, &world.session("wide.git")).unwrap();
    assert_eq!(world.refs(ours.path()).len(), 50_001);
    world.commit(&upstream, "main", "two");
    world.commit(&upstream, "other", "three");
    assert_eq!(world.mirror(&ours, &world.session("wide.git")).unwrap().objects, 6);
    assert_eq!(world.refs(ours.path()), world.refs(&upstream));
}

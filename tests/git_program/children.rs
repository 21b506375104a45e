//! What can be seen of children from outside, and how they end.

use std::collections::BTreeMap;
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sidemirror::git::GitError;
use sidemirror::net::NetError;
use tokio_util::sync::CancellationToken;

use crate::rig::git_http::GitServer;
use crate::rig::proxy::Proxy;
use crate::rig::silent::SilentServer;
use crate::rig::wait;
use crate::world::World;

const SOON: Duration = Duration::from_secs(20);

/// One process that works in one of our quarantines.
struct Seen {
    folder: PathBuf,
    arguments: String,
    environment: BTreeMap<String, String>,
}

/// All processes whose `GIT_DIR` lies in `folder`. One that ends while we look is none.
fn children(folder: &Path) -> Vec<Seen> {
    let processes = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let seen = processes.filter_map(|process| {
        let read = |name: &str| fs::read(process.join(name)).ok();
        let environment = String::from_utf8(read("environ")?).ok()?;
        let environment: BTreeMap<_, _> = environment
            .split_terminator('\0')
            .filter_map(|variable| variable.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Path::new(environment.get("GIT_DIR")?).starts_with(folder).then_some(())?;
        let arguments = String::from_utf8_lossy(&read("cmdline")?).replace('\0', " ");
        Some(Seen { folder: process, arguments, environment })
    });
    seen.collect()
}

/// The child that speaks HTTP, as soon as it does, and the address of its gate.
fn speaker(world: &World) -> (Seen, String) {
    wait::for_some("a child that speaks HTTP", SOON, || {
        let speaking = |seen: &Seen| seen.arguments.contains("git-remote-http") && !seen.arguments.contains("internal");
        let seen = children(world.folder()).into_iter().find(speaking)?;
        let url = seen.arguments.split(' ').find(|word| word.starts_with("http://127.0.0.1:"))?.to_owned();
        Some((seen, url))
    })
}

fn assert_cancelled<T: std::fmt::Debug>(ended: &Result<T, GitError>, after: Instant, world: &World) {
    let lasted = after.elapsed();
    assert!(matches!(ended, Err(GitError::Net(NetError::Cancelled))), "{ended:?}");
    assert!(lasted < Duration::from_secs(1), "{lasted:?}");
    assert!(children(world.folder()).is_empty(), "{:?}", children(world.folder()).pop().map(|seen| seen.arguments));
    world.assert_sound();
}

#[test]
fn a_run_that_is_cancelled_while_the_far_side_is_silent_ends_within_a_second_with_all_its_children() {
    let (world, silent) = (World::new(), SilentServer::start());
    let cancel = CancellationToken::new();
    let session = world.session_to(&GitServer::url_at(silent.port(), "p.git"), cancel.clone());
    std::thread::scope(|scope| {
        // Also where the test fails.
        let _end = cancel.clone().drop_guard();
        let running = scope.spawn(|| world.list(&session));
        wait::until("the far side to be asked", SOON, || silent.connections() > 0);
        speaker(&world);
        let began = Instant::now();
        cancel.cancel();
        assert_cancelled(&running.join().unwrap(), began, &world);
    });
}

/// Git's helpers outlive a git that is told to end. Their status is taken by us: elsewhere it may be taken late, or never.
#[test]
fn what_a_cancelled_run_leaves_behind_is_buried() {
    let (world, silent) = (World::new(), SilentServer::start());
    let cancel = CancellationToken::new();
    let session = world.session_to(&GitServer::url_at(silent.port(), "p.git"), cancel.clone());
    std::thread::scope(|scope| {
        let _end = cancel.clone().drop_guard();
        let running = scope.spawn(|| world.list(&session));
        let (helper, _) = speaker(&world);
        cancel.cancel();
        running.join().unwrap().unwrap_err();
        assert!(!helper.folder.exists(), "{} is still among the processes", helper.arguments);
    });
}

#[test]
fn a_run_that_is_cancelled_while_objects_arrive_leaves_nothing() {
    let world = World::new();
    let far = world.server.create("p.git");
    far.commits("main", 20_000);
    let proxy = Proxy::to(world.server.port());
    let cancel = CancellationToken::new();
    let session = world.session_to(&GitServer::url_at(proxy.port(), "p.git"), cancel.clone());
    proxy.close_gate_after(100_000);
    std::thread::scope(|scope| {
        // Also where the test fails.
        let _end = cancel.clone().drop_guard();
        let running = scope.spawn(|| world.mirror(&session));
        wait::until("some of the pack to arrive", SOON, || {
            proxy.gate_is_closed() && session.traffic().received > 50_000
        });
        wait::until("index-pack", SOON, || {
            children(world.folder()).iter().any(|seen| seen.arguments.contains("index-pack"))
        });
        let began = Instant::now();
        cancel.cancel();
        assert_cancelled(&running.join().unwrap(), began, &world);
    });
}

#[test]
fn no_child_sees_a_secret_or_an_address_or_anything_of_ours() {
    let world = World::new();
    let far = world.server.create("secret-name.git");
    far.commits("main", 20_000);
    let proxy = Proxy::to(world.server.port());
    let cancel = CancellationToken::new();
    let session = world.session_to(&GitServer::url_at(proxy.port(), "secret-name.git"), cancel.clone());
    proxy.close_gate_after(100_000);
    std::thread::scope(|scope| {
        // Also where the test fails.
        let _end = cancel.clone().drop_guard();
        let running = scope.spawn(|| world.mirror(&session));
        wait::until("some of the pack to arrive", SOON, || {
            proxy.gate_is_closed() && session.traffic().received > 50_000
        });
        let (_, gate) = speaker(&world);
        let seen = children(world.folder());
        assert!(seen.len() >= 2, "git and its helper");
        let far_port = format!(":{}", proxy.port());
        for child in &seen {
            let all = format!("{} {:?}", child.arguments, child.environment);
            for hidden in [GitServer::PASSWORD, "secret-name", &far_port, "Bearer", "Basic"] {
                assert!(!all.contains(hidden), "{hidden}: {all}");
            }
            let ours = std::env::vars().filter(|(name, _)| name.starts_with("CARGO") || name == "USER");
            for (name, _) in ours {
                assert!(!child.environment.contains_key(&name), "{name}: {all}");
            }
            assert_eq!(child.environment.get("HOME").map(String::as_str), Some("/nonexistent"));
            for file in fs::read_dir(child.folder.join("fd")).unwrap().flatten() {
                let Ok(target) = fs::read_link(file.path()) else { continue };
                let target = target.to_string_lossy().into_owned();
                let known = ["pipe:", "socket:", "/memfd:settings", "anon_inode:", "/dev/null"].iter();
                let own = target.contains("quarantine-");
                assert!(own || known.into_iter().any(|kind| target.starts_with(kind)), "{}: {target}", child.arguments);
            }
        }
        assert!(gate.ends_with("/far"), "{gate}");
        cancel.cancel();
        assert!(running.join().unwrap().is_err());
    });
}

/// The status that a request without more than this gets.
fn ask(gate: &str, target: &str, headers: &str) -> String {
    let authority = gate.trim_start_matches("http://").trim_end_matches("/far");
    let mut connection = TcpStream::connect(authority).unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: gate\r\nConnection: close\r\n{headers}\r\n");
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn the_gate_lets_nobody_through_without_its_token_and_nothing_but_what_the_run_is_for() {
    let (world, silent) = (World::new(), SilentServer::start());
    let cancel = CancellationToken::new();
    let session = world.session_to(&GitServer::url_at(silent.port(), "p.git"), cancel.clone());
    std::thread::scope(|scope| {
        // Also where the test fails.
        let _end = cancel.clone().drop_guard();
        let running = scope.spawn(|| world.list(&session));
        let (child, gate) = speaker(&world);
        wait::until("the far side to be asked", SOON, || silent.connections() > 0);
        let settings = fs::read_to_string(child.folder.join("fd/8")).unwrap();
        let token = settings.split("Bearer ").nth(1).unwrap().split('"').next().unwrap().to_owned();
        assert!(token.len() >= 40, "{token}");
        let list = "/far/info/refs?service=git-upload-pack";
        let pass = |token: &str| format!("Authorization: Bearer {token}\r\n");
        let unauthorized = "HTTP/1.1 401 Unauthorized";
        assert_eq!(ask(&gate, list, ""), unauthorized);
        assert_eq!(ask(&gate, list, &pass(&"x".repeat(token.len()))), unauthorized);
        assert_eq!(ask(&gate, list, &pass(&token[..token.len() - 1])), unauthorized);
        for target in [
            "/far/info/refs?service=git-receive-pack",
            "/far/info/refs",
            "/far/HEAD",
            "/far/objects/info/packs",
            "/far/../other/info/refs?service=git-upload-pack",
            "/other/info/refs?service=git-upload-pack",
            "http://127.0.0.1:1/far/info/refs?service=git-upload-pack&",
            "/far/git-upload-pack",
        ] {
            assert_eq!(ask(&gate, target, &pass(&token)), "HTTP/1.1 404 Not Found", "{target}");
        }
        assert_eq!(silent.connections(), 1, "none of it reached the far side");
        cancel.cancel();
        assert!(running.join().unwrap().is_err());
        let authority = gate.trim_start_matches("http://").trim_end_matches("/far");
        wait::until("the gate to close", SOON, || TcpStream::connect(authority).is_err());
    });
}

#[test]
fn nobody_keeps_a_child_from_the_gate_by_knocking_and_saying_nothing() {
    let (world, silent) = (World::new(), SilentServer::start());
    let cancel = CancellationToken::new();
    let session = world.session_to(&GitServer::url_at(silent.port(), "p.git"), cancel.clone());
    std::thread::scope(|scope| {
        // Also where the test fails.
        let _end = cancel.clone().drop_guard();
        let running = scope.spawn(|| world.list(&session));
        let (_, gate) = speaker(&world);
        let authority = gate.trim_start_matches("http://").trim_end_matches("/far");
        let strangers: Vec<_> = (0..100).map(|_| TcpStream::connect(authority).unwrap()).collect();
        assert_eq!(ask(&gate, "/far/HEAD", ""), "HTTP/1.1 401 Unauthorized");
        for mut stranger in strangers {
            stranger.set_read_timeout(Some(SOON)).unwrap();
            // A machine that stops for a moment interrupts whoever waits with a limit.
            let sent_away = loop {
                match stranger.read(&mut [0]) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    read => break read,
                }
            };
            let kind = sent_away.as_ref().map_err(std::io::Error::kind);
            assert!(matches!(kind, Ok(0) | Err(ErrorKind::ConnectionReset)), "{sent_away:?}");
        }
        wait::until("the far side to be asked", SOON, || silent.connections() > 0);
        cancel.cancel();
        assert!(running.join().unwrap().is_err());
    });
}

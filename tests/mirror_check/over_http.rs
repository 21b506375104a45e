//! HTTP and HTTPS.

use std::time::{Duration, Instant};

use crate::rig::certificates::Ca;
use crate::rig::host::{Host, PASSWORD, Particulars, USER};
use crate::rig::port;
use crate::rig::silent::SilentServer;
use crate::rig::tinyproxy::Tinyproxy;
use crate::scene::Scene;

/// The options for a login with this password.
fn login(scene: &Scene, password: &str) -> [String; 4] {
    let file = scene.installation.password_file(password).display().to_string();
    ["--user".to_owned(), USER.to_owned(), "--password-file".to_owned(), file]
}

fn add(scene: &Scene, direction: &str, id: u64, url: &str, password: &str, more: &[&str]) {
    let login = login(scene, password);
    let mut options: Vec<&str> = login.iter().map(String::as_str).collect();
    options.extend(more);
    scene.add(direction, id, url, &options);
}

#[test]
fn every_step_over_https_is_told_in_both_directions() {
    let ca = Ca::new();
    ca.sign("host", "IP:127.0.0.1", 30);
    let host = Host::with(&Particulars { tls: Some((&ca, "host", "http2")), ..Particulars::default() });
    let (up, far) = (host.repository("up.git"), host.repository("far.git"));
    up.tag("v1", "main");
    let before = [up.refs(), far.refs()];
    let scene = Scene::new();
    let authority = ca.path("ca.crt");
    let trusting = ["--ca-file", authority.to_str().unwrap()];
    add(&scene, "pull", 1, &host.url("up.git"), PASSWORD, &trusting);
    add(&scene, "push", 1, &host.url("far.git"), PASSWORD, &trusting);
    let (pull, push) = (scene.check("pull", 1), scene.check("push", 1));
    insta::assert_snapshot!(format!("{}\n{}", pull.text, push.text));
    let seen = ca.fingerprint("host").split_once('=').unwrap().1.replace(':', "").to_lowercase();
    assert!(pull.step("tls")["detail"].as_str().unwrap().ends_with(&seen));
    for step in ["address", "connection", "tls", "list"] {
        assert!(pull.step(step)["milliseconds"].as_f64().unwrap() > 0.0, "{step}");
    }
    for (direction, path) in [("pull", "up.git"), ("push", "far.git")] {
        add(&scene, direction, 2, &host.url(path), PASSWORD, &[&trusting[..], &["--engine", "git"]].concat());
        let by_program = scene.check(direction, 2);
        assert!(by_program.step("list")["detail"].as_str().unwrap().ends_with("asked by git"), "{}", by_program.text);
        assert_eq!(by_program.json["ok"], true, "{}", by_program.text);
    }
    assert_eq!([up.refs(), far.refs()], before);
}

#[test]
fn what_is_wrong_over_https_is_told_at_its_step_with_what_is_next() {
    let ca = Ca::new();
    ca.sign("host", "IP:127.0.0.1", 30);
    ca.sign_itself("alone", "IP:127.0.0.1");
    let private = Host::with(&Particulars { tls: Some((&ca, "host", "http2")), ..Particulars::default() });
    let alone = Host::with(&Particulars { tls: Some((&ca, "alone", "http2")), ..Particulars::default() });
    let plain = Host::plain();
    let scene = Scene::new();
    let wrong_scheme = plain.url("up.git").replace("http:", "https:");
    let urls = [private.url("up.git"), alone.url("up.git"), wrong_scheme];
    let texts = urls.iter().zip(1..).map(|(url, id)| {
        add(&scene, "pull", id, url, PASSWORD, &[]);
        let checked = scene.check("pull", id);
        assert_eq!(checked.failed(), "tls");
        assert_eq!(checked.outcome("list"), "skipped");
        checked.text
    });
    insta::assert_snapshot!(texts.collect::<Vec<_>>().join("\n"));
}

#[test]
fn logins_paths_and_leave_to_push_are_told_apart() {
    let refusing = "if ($arg_service = git-receive-pack) { return 403; }";
    let host = Host::with(&Particulars { server: refusing, ..Particulars::default() });
    let (up, _) = (host.repository("up.git"), host.repository("far.git"));
    let scene = Scene::new();
    add(&scene, "pull", 1, &host.url("up.git"), "wrong", &[]);
    scene.add("pull", 2, &host.url("up.git"), &[]);
    add(&scene, "pull", 3, &host.url("none.git"), PASSWORD, &[]);
    add(&scene, "push", 4, &host.url("far.git"), PASSWORD, &[]);
    let open = Host::plain();
    add(&scene, "push", 5, &open.url("far.git"), "wrong", &[]);
    let checks =
        [("pull", 1, "list"), ("pull", 2, "list"), ("pull", 3, "list"), ("push", 4, "push"), ("push", 5, "list")];
    let texts = checks.map(|(direction, id, failed)| {
        let checked = scene.check(direction, id);
        assert_eq!(checked.failed(), failed);
        checked.text
    });
    assert!(!texts.concat().contains(PASSWORD));
    insta::assert_snapshot!(texts.join("\n"));
    assert_eq!(up.refs().len(), 1);
}

#[test]
fn dead_ports_wrong_names_and_forbidden_places_end_before_any_request() {
    let host = Host::plain();
    let scene = Scene::with(|installation| installation.mirror("network", "{deny: ['127.0.0.7']}"));
    scene.add("pull", 1, &format!("http://127.0.0.1:{}/up.git", port::free()), &[]);
    scene.add("pull", 2, "https://no-such-host.invalid/up.git", &[]);
    let denied = host.url_by("127.0.0.7", "up.git");
    scene.add("pull", 3, &denied, &[]);
    let texts = (1..=3).map(|id| {
        let checked = scene.check("pull", id);
        assert_eq!(checked.failed(), if id == 1 { "connection" } else { "address" });
        checked.text
    });
    insta::assert_snapshot!(texts.collect::<Vec<_>>().join("\n"));
    assert!(host.requests(0).is_empty());
}

#[test]
fn a_proxy_is_named_and_what_is_wrong_with_it_is_told() {
    let host = Host::plain();
    host.repository("up.git");
    let (open, guarded) = (Tinyproxy::open(), Tinyproxy::guarded());
    let dead = format!("http://127.0.0.1:{}", port::free());
    let scene = Scene::new();
    let proxies = [open.url(), guarded.url(), dead];
    let texts = proxies.iter().zip(1..).map(|(proxy, id)| {
        add(&scene, "pull", id, &host.url("up.git"), PASSWORD, &["--proxy", proxy]);
        let checked = scene.check("pull", id);
        assert_eq!(checked.outcome("list"), if id == 1 { "ok" } else { "failed" });
        checked.text
    });
    insta::assert_snapshot!(texts.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_server_that_says_nothing_is_waited_for_no_longer_than_the_stall_limit() {
    let silent = SilentServer::start();
    let scene = Scene::with(|installation| installation.mirror("stall_timeout", "1s"));
    scene.add("push", 1, &format!("http://127.0.0.1:{}/up.git", silent.port()), &[]);
    let began = Instant::now();
    let checked = scene.check("push", 1);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(checked.failed(), "list");
    insta::assert_snapshot!(checked.text);
}

#[test]
fn the_limit_of_a_run_is_one_for_the_whole_check() {
    let silent = SilentServer::start();
    let scene = Scene::new();
    scene.add("pull", 1, &format!("http://127.0.0.1:{}/up.git", silent.port()), &["--limit", "run=2s"]);
    let began = Instant::now();
    let checked = scene.check("pull", 1);
    // Twice: for people and for programs.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let said = checked.step(checked.failed())["detail"].as_str().unwrap();
    assert!(said.starts_with("The run took longer than 2s"), "{said}");
}

//! The real program and its command line, with mirrors at hosts that have certificates and proxies.

use std::time::Duration;

use crate::rig::certificates::Ca;
use crate::rig::host::{Host, PASSWORD, Particulars};
use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::tinyproxy::Tinyproxy;
use crate::rig::wait;

/// Runs the mirror and returns how it stands then.
fn run(installation: &Installation, direction: &str, id: u64) -> (String, String) {
    installation.cli_ok(&["mirror", "sync", direction, &id.to_string()]);
    wait::for_some("the run to end", Duration::from_secs(30), || {
        let state = installation.mirror_state(direction, id);
        let status = state["update_status"].as_str().unwrap().to_owned();
        let error = state["last_error"].as_str().unwrap_or_default().to_owned();
        (status == "finished" || status == "failed").then_some((status, error))
    })
}

#[test]
fn a_forge_pulls_and_pushes_over_https_with_a_private_authority_and_a_client_certificate() {
    let ca = Ca::new();
    ca.sign("host", "IP:127.0.0.1", 30);
    ca.sign("ours", "DNS:ours", 30);
    let asking = format!("ssl_verify_client on; ssl_client_certificate {};", ca.path("ca.crt").display());
    let host =
        Host::with(&Particulars { tls: Some((&ca, "host", "http2")), server: &asking, ..Particulars::default() });
    let (up, far) = (host.repository("up.git"), host.empty("far.git"));
    let redis = Redis::start();
    let installation = Installation::new(&redis.url()).mirror("scheduler", false);
    let worker = installation.start_worker();
    let [authority, certificate, key] = ["ca.crt", "ours.crt", "ours.key"].map(|name| ca.path(name));
    let identity = [
        "--ca-file",
        authority.to_str().unwrap(),
        "--client-certificate",
        certificate.to_str().unwrap(),
        "--client-key-file",
        key.to_str().unwrap(),
    ];
    installation.add_mirror("pull", 1, "p.git", &host.url("up.git"), &identity);
    installation.add_mirror("push", 1, "p.git", &host.url("far.git"), &identity);
    installation.add_mirror("pull", 2, "q.git", &host.url("up.git"), &[]);
    for direction in ["pull", "push"] {
        assert_eq!(run(&installation, direction, 1), ("finished".to_owned(), String::new()));
    }
    assert_eq!(far.mirrored_refs(), up.mirrored_refs());
    let (status, error) = run(&installation, "pull", 2);
    assert_eq!(status, "failed");
    assert!(error.contains("its certificate is signed by an authority that is not trusted here"), "{error}");
    assert!(host.requests(4).iter().all(|request| request.client == "CN=ours" && request.protocol == "HTTP/2.0"));
    assert!(!worker.log().contains(PASSWORD));
}

#[test]
fn the_operators_authority_and_proxy_serve_every_mirror() {
    let ca = Ca::new();
    ca.sign("host", "DNS:localhost", 30);
    let host = Host::with(&Particulars { tls: Some((&ca, "host", "http2")), ..Particulars::default() });
    let (up, far) = (host.repository("up.git"), host.empty("far.git"));
    let proxy = Tinyproxy::guarded();
    let redis = Redis::start();
    let installation = Installation::new(&redis.url()).mirror("scheduler", false);
    let password = installation.folder().join("proxy-password");
    std::fs::write(&password, format!("{}\n", crate::rig::tinyproxy::PASSWORD)).unwrap();
    let network = format!(
        "{{proxy: '{}', proxy_username: {}, proxy_password_file: {}, ca_file: {}}}",
        proxy.url(),
        crate::rig::tinyproxy::USER,
        password.display(),
        ca.path("ca.crt").display()
    );
    let installation = installation.mirror("network", network);
    let worker = installation.start_worker();
    let url = |path: &str| host.url_by("localhost", path);
    installation.add_mirror("pull", 1, "p.git", &url("up.git"), &[]);
    installation.add_mirror("push", 1, "p.git", &url("far.git"), &[]);
    for direction in ["pull", "push"] {
        assert_eq!(run(&installation, direction, 1), ("finished".to_owned(), String::new()));
    }
    assert_eq!(far.mirrored_refs(), up.mirrored_refs());
    assert!(proxy.requests().iter().all(|line| *line == format!("CONNECT localhost:{} HTTP/1.1", host.port)));
    assert!(!proxy.requests().is_empty());
    assert!(!worker.log().contains(PASSWORD) && !worker.log().contains(crate::rig::tinyproxy::PASSWORD));
}

#[test]
fn the_environments_proxy_is_used_but_for_what_it_excepts_unless_the_operator_wants_none() {
    let (host, excepted) = (Host::plain(), Host::plain());
    let (up, _) = (host.repository("up.git"), excepted.repository("up.git"));
    let proxy = Tinyproxy::open();
    for (setting, environment, through) in [
        ("env", "http_proxy", true),
        ("env", "HTTP_PROXY", true),
        ("env", "ALL_PROXY", true),
        ("env", "HTTPS_PROXY", false),
        ("none", "http_proxy", false),
    ] {
        let redis = Redis::start();
        let installation = Installation::new(&redis.url())
            .mirror("scheduler", false)
            .mirror("network", format!("{{proxy: {setting}}}"))
            .with_variable(environment, &proxy.url())
            .with_variable("NO_PROXY", "127.0.0.1");
        let _worker = installation.start_worker();
        installation.add_mirror("pull", 1, "p.git", &host.url_by("localhost", "up.git"), &[]);
        installation.add_mirror("pull", 2, "q.git", &excepted.url("up.git"), &[]);
        let before = proxy.requests().len();
        for id in [1, 2] {
            assert_eq!(run(&installation, "pull", id), ("finished".to_owned(), String::new()));
        }
        assert_eq!(installation.repository("p.git").mirrored_refs(), up.mirrored_refs());
        assert_eq!(proxy.requests().len() > before, through, "{setting} {environment}");
    }
    assert!(!proxy.requests().iter().any(|line| line.contains(&format!(":{}/", excepted.port))));
}

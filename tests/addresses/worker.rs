//! The same through the whole program: what an operator configures, and what a mirror's owner is told.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;

use crate::canary::Canary;
use crate::dns::Dns;
use crate::rig::git_http::GitServer;
use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::repository::Repository;
use crate::rig::wait;

/// Longer than any run of these tests takes on a busy machine.
const RUN: Duration = Duration::from_mins(1);

/// How a mirror stands once it has run.
fn run(installation: &Installation, direction: &str, id: u64) -> Value {
    installation.cli_ok(&["mirror", "sync", direction, &id.to_string()]);
    wait::for_some("the run to end", RUN, || {
        let state = installation.mirror_state(direction, id);
        ["finished", "failed"].contains(&state["update_status"].as_str()?).then_some(state)
    })
}

#[test]
fn a_worker_goes_where_its_rules_let_it_and_nowhere_else() {
    let (redis, git, dns, canary) = (Redis::start(), GitServer::start(), Dns::start(), Canary::start());
    let upstream = git.create("up.git");
    upstream.commit("main", "first");
    dns.is("git.test", &["127.0.0.1"]);
    dns.is("evil.test", &["127.0.0.1"]);
    dns.turns("turning.test", &[&["127.9.9.9"], &["127.0.0.1"], &["127.0.0.1"], &["127.0.0.1"]]);
    let network = format!(
        "{{nameservers: [\"{}\"], allow: [\"127.0.0.1:{}\", \"127.9.9.9:{}\"], deny: [evil.test]}}",
        dns.address(),
        git.port(),
        canary.port(),
    );
    let installation = Installation::new(&redis.url())
        .mirror("scheduler", false)
        .mirror("allow_local_network", false)
        .mirror("network", network);
    let _worker = installation.start_worker();

    installation.add_mirror("pull", 1, "g/good.git", &format!("http://git.test:{}/up.git", git.port()), &[]);
    let state = run(&installation, "pull", 1);
    assert_eq!((&state["update_status"], &state["last_error"]), (&"finished".into(), &Value::Null));

    installation.add_mirror("pull", 2, "g/denied.git", &format!("http://evil.test:{}/up.git", git.port()), &[]);
    let told = run(&installation, "pull", 2)["last_error"].as_str().unwrap().to_owned();
    assert_eq!(told, "Requests to this host are denied by the operator (evil.test).");

    for (id, url) in (10..).zip([
        format!("http://git.test:{}/up.git", canary.port()),
        format!("https://0x7f.1:{}/up.git", canary.port()),
        format!("ssh://git@localhost:{}/up.git", canary.port()),
        format!("git://2130706433:{}/up.git", canary.port()),
        "git@[::ffff:7f00:1]:up.git".to_owned(),
    ]) {
        installation.add_mirror("pull", id, &format!("g/{id}.git"), &url, &[]);
        let told = run(&installation, "pull", id)["last_error"].as_str().unwrap().to_owned();
        assert!(told.starts_with("Requests to loopback addresses are not allowed"), "{url}: {told}");
    }
    // No mirror has touched the neighbours of what is allowed.
    assert_eq!(canary.arrivals(), [] as [IpAddr; 0]);

    let url = format!("http://turning.test:{}/up.git", canary.port());
    installation.add_mirror("pull", 30, "g/turning.git", &url, &[]);
    let told = run(&installation, "pull", 30)["last_error"].as_str().unwrap().to_owned();
    assert_eq!(told, "Requests to loopback addresses are not allowed (turning.test).");
    assert!(canary.arrivals().iter().all(|arrival| arrival.to_string() == "127.9.9.9"));
}

#[test]
fn a_worker_mirrors_folders_in_its_roots_and_no_others() {
    let (redis, root) = (Redis::start(), tempfile::tempdir().unwrap());
    let create = |name: &str| Repository::create(&root.path().join(name));
    let (up, far) = (create("up.git"), create("far.git"));
    up.commits("main", 20);
    let url = |repository: &Repository| format!("file://{}", repository.path().display());
    let installation = Installation::new(&redis.url())
        .mirror("scheduler", false)
        .mirror("network", format!("{{file_roots: [{}]}}", root.path().display()));
    let _worker = installation.start_worker();
    installation.add_mirror("pull", 1, "g/p.git", &url(&up), &[]);
    installation.add_mirror("push", 2, "g/p.git", &url(&far), &[]);
    for direction in [("pull", 1), ("push", 2)] {
        let state = run(&installation, direction.0, direction.1);
        assert_eq!((&state["update_status"], &state["last_error"]), (&"finished".into(), &Value::Null));
    }
    assert_eq!(far.refs(), up.refs());

    // Another mirror's repository, which may be private.
    let own = format!("file://{}", installation.repository("g/p.git").path().display());
    installation.add_mirror("pull", 3, "g/other.git", &own, &[]);
    installation.add_mirror("pull", 4, "g/other.git", "file:///etc", &[]);
    for id in [3, 4] {
        let told = run(&installation, "pull", id)["last_error"].as_str().unwrap().to_owned();
        assert!(
            told.ends_with("is not there, or lies in none of those that mirror.network.file_roots names."),
            "{told}"
        );
    }
}

#[test]
fn the_short_form_is_stored_as_the_address_it_means() {
    let redis = Redis::start();
    let installation = Installation::new(&redis.url());
    for (id, given, stored) in [
        ("1", "git@bücher.example:group/project.git", "ssh://git@xn--bcher-kva.example/group/project.git"),
        ("2", "host.example:~/project.git", "ssh://host.example/~/project.git"),
        ("3", "git://127.1/a@b.git", "git://127.0.0.1/a%40b.git"),
    ] {
        installation.cli_ok(&["mirror", "add", "pull", "--id", id, "--repository", "g/p.git", "--url", given]);
        assert_eq!(installation.mirror_state("pull", id.parse().unwrap())["url"], stored);
    }
}

#[test]
fn what_is_no_address_is_refused_when_it_is_given() {
    let redis = Redis::start();
    let installation = Installation::new(&redis.url());
    for url in [
        "ext::sh -c id",
        "file://host/etc/passwd",
        "file:///srv/../etc",
        "ssh://-oProxyCommand=id/p.git",
        "git@host:22:p.git",
        "https://host/p.git?x=y",
        "ssh://git@host/%0aid",
        "git://user@host/p.git",
    ] {
        let url = format!("--url={url}");
        let output = installation.cli(&["mirror", "add", "pull", "--id", "1", "--repository", "g/p.git", &url]);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{url}");
        assert!(complaint.contains("The URL is invalid: "), "{url}: {complaint}");
    }
}

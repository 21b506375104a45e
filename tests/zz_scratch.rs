//! scratch
#[path = "rig/mod.rs"]
mod rig;
use rig::*;
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn redis_works() {
    let mut redis = redis::Redis::start();
    let mut c = redis.connection();
    ::redis::cmd("SET").arg("a").arg(1).exec(&mut c).unwrap();
    redis.restart();
    let mut c = redis.connection();
    let v: Option<i32> = ::redis::cmd("GET").arg("a").query(&mut c).unwrap();
    assert_eq!(v, None);
}

#[test]
fn git_works() {
    let t = Instant::now();
    let server = git_http::GitServer::start();
    println!("start {:?}", t.elapsed());
    let repo = server.create("group/project.git");
    let t = Instant::now();
    repo.commits("main", 10);
    repo.branches("feature/", 2000);
    println!("2000 branches {:?}", t.elapsed());
    let t = Instant::now();
    repo.tags("v", 2000, "refs/heads/main");
    println!("2000 tags {:?}", t.elapsed());
    let a = repo.annotated_tag("rel", "refs/heads/main~3");
    let b = repo.annotated_tag("rel", "refs/heads/main~2");
    assert_ne!(a, b);
    repo.tag("light", "refs/heads/main");
    let tip = repo.commit("dev", "hello");
    let tip2 = repo.diverge("dev", "other");
    assert_ne!(tip, tip2);
    repo.delete("refs/heads/feature/7");
    assert_eq!(repo.mirrored_refs().len(), 2000 + 2000 + 2 + 1);
    let dir = tempfile::tempdir().unwrap();
    let url = server.url("group/project.git").replace(
        "http://",
        &format!(
            "http://{}:{}@",
            git_http::GitServer::USER,
            git_http::GitServer::PASSWORD.replace('%', "%25").replace('/', "%2F").replace('@', "%40")
        ),
    );
    let out = Command::new("/usr/bin/git")
        .args(["clone", "--mirror", "-q", &url, "c"])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
    let clone = repository::Repository::open(&dir.path().join("c"));
    assert_eq!(clone.refs(), repo.refs());
    // big push through a proxy
    let far = server.create("group/far.git");
    let big = repository::Repository::open(&dir.path().join("c"));
    let proxy = proxy::Proxy::to(server.port());
    let pushurl =
        url.replace(&format!(":{}/", server.port()), &format!(":{}/", proxy.port())).replace("project", "far");
    std::fs::write(
        dir.path().join("blob"),
        (0..2_000_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<_>>(),
    )
    .unwrap();
    let blob = big.git(&["hash-object", "-w", dir.path().join("blob").to_str().unwrap()]);
    big.set("refs/tags/blob", &blob);
    let t = Instant::now();
    let out = Command::new("/usr/bin/git")
        .args(["push", "-q", "--mirror", &pushurl])
        .current_dir(big.path())
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
    println!("push {:?} peak {}", t.elapsed(), proxy.most_connections());
    assert_eq!(far.refs(), big.refs());
    wait::until("the connection to close", Duration::from_secs(5), || proxy.open_connections() == 0);
    println!("{:?}", server.requests("group/far.git"));
    let out = Command::new("/usr/bin/git")
        .args(["-c", "credential.helper=", "ls-remote", &server.url("group/far.git")])
        .env("GIT_TERMINAL_PROMPT", "0")
        .output()
        .unwrap();
    assert!(!out.status.success());
    println!("{}", String::from_utf8_lossy(&out.stderr));
    let out = Command::new("/usr/bin/git")
        .args(["ls-remote", &url.replace("project.git", "none.git")])
        .env("GIT_TERMINAL_PROMPT", "0")
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&out.stderr));
    let out = Command::new("/usr/bin/git")
        .args(["-c", "http.followRedirects=false", "ls-remote", &server.redirecting_url("group/far.git")])
        .env("GIT_TERMINAL_PROMPT", "0")
        .output()
        .unwrap();
    println!("{}", String::from_utf8_lossy(&out.stderr));
}

#[test]
fn proxy_works() {
    let redis = redis::Redis::start();
    let proxy = proxy::Proxy::to(redis.port());
    let client = ::redis::Client::open(redis::Redis::url_at(proxy.port())).unwrap();
    let mut c = client.get_connection().unwrap();
    proxy.lose_replies_after("RPOPLPUSH");
    let mut direct = redis.connection();
    ::redis::cmd("LPUSH").arg("q").arg(1).exec(&mut direct).unwrap();
    c.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(::redis::cmd("RPOPLPUSH").arg("q").arg("w").exec(&mut c).is_err());
    wait::until("the reply to be lost", Duration::from_secs(5), || proxy.lost_bytes() > 0);
    let n: i32 = ::redis::cmd("LLEN").arg("w").query(&mut direct).unwrap();
    assert_eq!(n, 1);
    proxy.cut();
    wait::until("closed", Duration::from_secs(5), || proxy.open_connections() == 0);
    let mut c = client.get_connection().unwrap();
    proxy.close_gate();
    c.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(::redis::cmd("PING").exec(&mut c).is_err());
    proxy.open_gate();
    drop(c);
    let mut c = client.get_connection().unwrap();
    ::redis::cmd("PING").exec(&mut c).unwrap();
    let s = silent::SilentServer::start();
    let _c = std::net::TcpStream::connect(("127.0.0.1", s.port())).unwrap();
    wait::until("accepted", Duration::from_secs(5), || s.connections() == 1);
}

#[test]
fn ruby_works() {
    let redis = redis::Redis::start();
    let t = Instant::now();
    let v = ruby::eval(&redis.url(), "Sidekiq::Client.push('class' => 'Note', 'queue' => 'default', 'args' => [1])");
    println!("eval {:?} {v}", t.elapsed());
    let t = Instant::now();
    let s = ruby::RubySidekiq::start(
        &redis.url(),
        "class Note\n include Sidekiq::Worker\n def perform(n)\n Sidekiq.redis { |c| c.rpush('notes', n) }\n end\nend",
        &["default"],
        3,
    );
    println!("sidekiq {:?}", t.elapsed());
    let mut c = redis.connection();
    wait::until("ran", Duration::from_secs(10), || {
        ::redis::cmd("LLEN").arg("notes").query::<i32>(&mut c).unwrap() == 1
    });
    s.terminate();
}

#[test]
fn failing_shows_log() {
    let _redis = redis::Redis::start();
    let i = installation::Installation::new("redis://x").set("concurrency", 3);
    println!("{}", "x");
    i.cli_ok(&["mirror", "list"]);
    panic!("shown");
}

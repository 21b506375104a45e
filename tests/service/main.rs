//! The worker as a service: what systemd, Prometheus and a reader of the log see of it.

#![cfg(test)]

mod title;
mod unserved;

#[path = "../rig/mod.rs"]
mod rig;

use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rig::git_http::GitServer;
use rig::installation::Installation;
use rig::redis::Redis;
use rig::wait;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

#[test]
fn every_promised_figure_is_there_and_none_has_a_label_per_mirror() {
    let (redis, git) = (Redis::start(), GitServer::start());
    git.create("up/stream.git").commit("main", "first");
    let installation = Installation::new(&redis.url());
    let password = installation.password_file(GitServer::PASSWORD).display().to_string();
    for id in ["101", "102", "103"] {
        let (repository, url) = (format!("g/{id}.git"), git.url("up/stream.git"));
        let login = ["--user", GitServer::USER, "--password-file", &password];
        let add = ["mirror", "add", "pull", "--id", id, "--repository", &repository, "--url", &url];
        installation.cli_ok(&[&add[..], &login[..]].concat());
    }
    let worker = installation.start_worker();
    wait::until("all three ran", Duration::from_secs(30), || {
        worker.metric(r#"sidemirror_runs_total{direction="pull",engine="git",outcome="changed"}"#) == Some(3.0)
    });
    wait::until("the jobs are counted", Duration::from_secs(5), || {
        worker.metric(r#"sidemirror_jobs_total{class="UpdateMirror",outcome="done"}"#) == Some(3.0)
    });

    let page = worker.get("/metrics").unwrap().body;
    for name in [
        "sidemirror_jobs_total",
        "sidemirror_job_duration_seconds_bucket",
        "sidemirror_queue_latency_seconds",
        "sidemirror_runs_total",
        "sidemirror_mirror_waiting_seconds_bucket",
        "sidemirror_mirror_update_seconds_bucket",
        r#"sidemirror_mirrors{state="due"}"#,
        r#"sidemirror_mirrors{state="scheduled"}"#,
        r#"sidemirror_mirrors{state="started"}"#,
        r#"sidemirror_mirrors{state="failed"}"#,
        r#"sidemirror_mirrors{state="hard_failed"}"#,
        "sidemirror_capacity_max",
        "sidemirror_capacity_taken",
        "sidemirror_foreign_jobs_total",
        "sidemirror_rescued_jobs_total",
        "sidemirror_recovered_jobs_total",
        "sidemirror_slots_freed_total",
        "sidemirror_mirrors_scheduled_total",
        "sidemirror_scheduler_last_tick_timestamp_seconds",
        "sidemirror_redis_up",
        "sidemirror_redis_data_losses_total",
        "sidemirror_quarantined_jobs_total",
        "sidemirror_overdue_jobs",
        "sidemirror_oldest_job_age_seconds",
        "sidemirror_paused",
        "process_resident_memory_bytes",
        "process_open_fds",
    ] {
        assert!(page.lines().any(|line| line.starts_with(name)), "{name} is missing:\n{page}");
    }
    for id in ["101", "102", "103"] {
        assert!(
            !page.contains(&format!("\"{id}\"")) && !page.contains(&format!("{id}.git")),
            "a label names mirror {id}"
        );
    }
}

#[test]
fn health_and_readiness_follow_the_life_of_the_process() {
    let mut redis = Redis::start();
    let installation = Installation::new(&redis.url());
    let mut worker = installation.start_worker();
    let ask = |worker: &rig::worker::Worker, path: &str| worker.get(path).map(|answer| (answer.status, answer.body));
    assert_eq!(ask(&worker, "/healthz"), Some((200, "ok\n".to_owned())));

    redis.stop();
    let lost = Some((503, "Redis does not answer\n".to_owned()));
    wait::until("the loss of Redis shows", Duration::from_secs(20), || ask(&worker, "/readyz") == lost);
    assert_eq!(worker.metric("sidemirror_redis_up"), Some(0.0));
    assert_eq!(ask(&worker, "/healthz"), Some((200, "ok\n".to_owned())), "to be restarted would not help");
    redis.restart();
    wait::until("it is ready again", Duration::from_secs(30), || {
        ask(&worker, "/readyz").is_some_and(|(s, _)| s == 200)
    });

    worker.signal(Signal::TSTP);
    wait::until("it is quiet", Duration::from_secs(5), || {
        ask(&worker, "/readyz") == Some((503, "quiet: no new jobs are taken\n".to_owned()))
    });
    assert_eq!(ask(&worker, "/healthz"), Some((200, "ok\n".to_owned())));
    assert!(worker.terminate().success());
}

#[test]
fn systemd_is_told_ready_alive_and_stopping() {
    let redis = Redis::start();
    let installation = Installation::new(&redis.url());
    let path = installation.folder().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let next = || {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };
    let config = installation.folder().join("service.yml");
    let (repositories, key) = (installation.folder().join("repositories"), installation.folder().join("secret.key"));
    let text = format!(
        "tag: forge\nmirror:\n  listen: \"\"\n  repositories: {}\n  secret_key_file: {}\n",
        repositories.display(),
        key.display()
    );
    std::fs::write(&config, text).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_sidemirror"))
        .args(["run", "-C"])
        .arg(&config)
        .env("REDIS_URL", redis.url())
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "3000000")
        .stdout(std::process::Stdio::null())
        .spawn()
        .map(Ended)
        .unwrap();

    let mut told = vec![next()];
    while told.iter().filter(|message| message.contains("WATCHDOG=1")).count() < 3 {
        told.push(next());
    }
    assert!(told.iter().any(|message| message.contains("READY=1")), "{told:?}");
    let title = concat!("STATUS=sidemirror ", env!("CARGO_PKG_VERSION"), " forge [0 of 25 busy]");
    assert!(told.iter().any(|message| message.trim_end() == title), "{told:?}");
    kill_process(Pid::from_child(&child.0), Signal::TSTP).unwrap();
    let quiet = format!("{title} quiet");
    wait::for_some("quiet", Duration::from_secs(20), || Some(next()).filter(|message| message.trim_end() == quiet));
    kill_process(Pid::from_child(&child.0), Signal::TERM).unwrap();
    let stopping =
        wait::for_some("STOPPING", Duration::from_secs(20), || Some(next()).filter(|m| m.contains("STOPPING=1")));
    assert!(stopping.contains("STATUS=stopping"), "{stopping}");
    assert!(child.0.wait().unwrap().success());
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_connection_that_somebody_leaves_open_does_not_hold_up_the_end() {
    let redis = Redis::start();
    let mut worker = Installation::new(&redis.url()).start_worker();
    let mut half_asked = TcpStream::connect(("127.0.0.1", worker.port())).unwrap();
    half_asked.write_all(b"GET /metrics HT").unwrap();
    let begun = Instant::now();
    assert!(worker.terminate().success());
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_job_has_a_line_at_its_start_and_one_at_its_end_and_neither_tells_a_secret() {
    let (redis, git) = (Redis::start(), GitServer::start());
    git.create("up/stream.git").commit("main", "first");
    let installation = Installation::new(&redis.url()).mirror("log_format", "json").mirror("scheduler", false);
    let password = installation.password_file(GitServer::PASSWORD).display().to_string();
    let (url, user) = (git.url("up/stream.git"), GitServer::USER);
    let add = ["mirror", "add", "pull", "--id", "5", "--repository", "g/p.git", "--url", &url, "--user", user];
    installation.cli_ok(&[&add[..], &["--password-file", &password]].concat());
    let worker = installation.start_worker();
    let pushed: Value = serde_json::from_str(&installation.cli_ok(&["mirror", "sync", "pull", "5", "--json"])).unwrap();

    let lines = || -> Vec<Value> { worker.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect() };
    let of_job = |message: &str| {
        lines().into_iter().find(|line| line["message"] == message && line["span"]["jid"] == pushed["jid"])
    };
    let end = wait::for_some("the end of the job", Duration::from_secs(20), || of_job("end"));
    let start = of_job("start").unwrap();
    for line in [&start, &end] {
        assert_eq!(
            (&line["span"]["class"], &line["span"]["subject"]),
            (&"UpdateMirror".into(), &"pull:5".into()),
            "{line}"
        );
    }
    assert_eq!(end["outcome"], "done", "{end}");
    assert!(end["elapsed"].as_f64().is_some(), "{end}");
    assert!(!worker.log().contains(GitServer::PASSWORD));
}

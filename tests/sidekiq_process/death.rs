//! Whole processes killed and stopped: the test program runs itself again as the worker.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::StreamExt;
use rustix::process::{Pid, Signal, kill_process};
use sidemirror::sidekiq::Outcome;

use crate::redis_server::{RedisServer, connect, until};
use crate::worker::{settings, start};

const PORT: &str = "SIDEMIRROR_TEST_PORT";

/// The worker that is killed; does nothing when it is not run by the tests below.
#[tokio::test]
async fn worker_process() {
    let Some(port) = std::env::var(PORT).ok().and_then(|port| port.parse().ok()) else { return };
    let redis = connect(port).await.unwrap();
    let (_process, _record) = start(&redis, settings(10, &[("a", 1)])).await;
    std::future::pending::<()>().await;
}

struct Victim(Child);

impl Victim {
    fn start(server: &RedisServer) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "death::worker_process"]).env(PORT, server.port.to_string()).stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn in_hand(server: &RedisServer) -> usize {
    let lists: Vec<String> = server.run(&["KEYS", "working:queue:a:*"]).await;
    match lists.first() {
        Some(list) => server.run(&["LLEN", list]).await,
        None => 0,
    }
}

#[tokio::test]
async fn every_job_of_a_killed_process_is_run_by_another() {
    let server = RedisServer::start().await;
    for number in 1..100 {
        let work = if number % 10 == 0 { "until told" } else { "nap" };
        server.push("a", format!(r#"{{"class":"Tested","args":["{work}"],"jid":"{number}"}}"#).as_bytes()).await;
    }
    let victim = Victim::start(&server);
    until("only jobs that do not end are left", async || {
        in_hand(&server).await == 9 && server.run::<usize>(&["LLEN", "queue:a"]).await == 0
    })
    .await;
    victim.signal(Signal::KILL);
    let (process, record) = start(&server.redis, settings(20, &[("a", 1)])).await;
    let began = std::time::Instant::now();
    while record.started() < 9 {
        assert!(began.elapsed() < Duration::from_mins(2), "not rescued in time");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    process.stop().await;
    assert_eq!(record.count(Outcome::Returned), 9);
    assert_eq!(server.run::<usize>(&["LLEN", "queue:a"]).await, 9);
}

#[tokio::test]
async fn a_process_that_was_stopped_fetches_nothing_before_it_has_its_lease_again() {
    let server = RedisServer::start().await;
    let victim = Victim::start(&server);
    until("it waits", async || server.run::<String>(&["CLIENT", "LIST"]).await.contains("cmd=brpoplpush")).await;
    victim.signal(Signal::STOP);
    // Longer than a lease may go without a refresh before it is overdue.
    tokio::time::sleep(Duration::from_secs(33)).await;
    let leases: Vec<String> = server.run(&["KEYS", "reliable-fetcher-heartbeat-*"]).await;
    server.run::<()>(&["DEL", &leases[0]]).await;
    server.push("a", br#"{"class":"Tested","args":["until told"]}"#).await;

    let monitor = redis::Client::open(server.url()).unwrap().get_async_monitor().await.unwrap();
    let mut commands = monitor.into_on_message::<String>();
    victim.signal(Signal::CONT);
    let mut proved = false;
    loop {
        let command = tokio::time::timeout(Duration::from_secs(10), commands.next()).await.unwrap().unwrap();
        proved |= command.contains(r#""SET" "reliable-fetcher-heartbeat-"#);
        if command.contains("POPLPUSH\"") {
            assert!(proved, "fetched without a lease: {command}");
            break;
        }
    }
    until("it works again", async || in_hand(&server).await == 1).await;
}

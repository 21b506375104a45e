//! Orders given through Redis: a pause, a class switched off, a job cancelled.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use sidemirror::sidekiq::{Cancellations, Found, Keys, Outcome, Switches};

use crate::redis_server::{RedisServer, until};
use crate::worker::{settings, start};

fn switches(server: &RedisServer) -> Switches {
    Switches::new(server.redis.clone(), Keys::default())
}

fn job(jid: &str, work: &str) -> String {
    format!(r#"{{"class":"Tested","queue":"a","args":["{work}"],"x":1E5,"jid":"{jid}"}}"#)
}

#[tokio::test]
async fn while_everything_is_paused_jobs_in_hand_go_on_and_nothing_is_fetched() {
    let server = RedisServer::start().await;
    let (process, record) = start(&server.redis, settings(3, &[("a", 1), ("b", 1)])).await;
    server.push("a", job("long", "until told").as_bytes()).await;
    until("it runs", async || record.started() == 1).await;
    switches(&server).pause(Some("repairs")).await.unwrap();
    until("it heeds the pause", async || record.paused.load(Ordering::SeqCst)).await;
    for queue in ["a", "b"] {
        server.push(queue, job("waiting", "nap").as_bytes()).await;
    }
    // A process that comes up now does not begin with a fetch.
    let (late, late_record) = start(&server.redis, settings(3, &[("a", 1), ("b", 1)])).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let waiting = [server.run::<usize>(&["LLEN", "queue:a"]).await, server.run::<usize>(&["LLEN", "queue:b"]).await];
    assert_eq!((waiting, process.busy(), late_record.started()), ([1, 1], 1, 0));

    assert!(switches(&server).resume().await.unwrap());
    let resumed = Instant::now();
    until("both are done", async || record.count(Outcome::Done) + late_record.count(Outcome::Done) == 2).await;
    assert!(resumed.elapsed() < Duration::from_secs(3), "{:?}", resumed.elapsed());
    process.stop().await;
    late.stop().await;
}

#[tokio::test]
async fn jobs_of_a_class_that_is_switched_off_wait_in_schedule_in_their_order_and_as_they_are() {
    let server = RedisServer::start().await;
    switches(&server).switch_off("::Tested", None).await.unwrap();
    let jobs: Vec<String> = (0..5).map(|number| job(&number.to_string(), "nap")).collect();
    let (process, record) = start(&server.redis, settings(1, &[("a", 1)])).await;
    for job in &jobs {
        server.push("a", job.as_bytes()).await;
    }
    until("all wait", async || record.count(Outcome::Held) == 5).await;
    assert_eq!((record.started(), server.run::<usize>(&["ZCARD", "schedule"]).await), (0, 5));
    assert_eq!(server.run::<Vec<String>>(&["ZRANGE", "schedule", "0", "-1"]).await, jobs);
    let score: f64 = server.run(&["ZSCORE", "schedule", &jobs[0]]).await;
    assert!((20.0..31.0).contains(&(score - now())), "soon enough, and no busy loop");

    assert!(switches(&server).switch_on("Tested").await.unwrap());
    let before = looks(&server).await;
    until("it heeds that", async || looks(&server).await > before + 1).await;
    // What half a minute would do.
    for (number, job) in jobs.iter().enumerate() {
        server.run::<()>(&["ZADD", "schedule", &number.to_string(), job]).await;
    }
    until("all are done", async || record.count(Outcome::Done) == 5).await;
    process.stop().await;
    let ended: Vec<String> = record.ended.lock().unwrap().iter().skip(5).map(|(jid, _)| jid.clone()).collect();
    assert_eq!(ended, ["0", "1", "2", "3", "4"]);
    assert_eq!(server.run::<usize>(&["EXISTS", "retry"]).await, 0);
    assert_eq!(server.run::<String>(&["GET", "stat:failed"]).await, "0", "that was no failure");
}

/// How often the process has looked whether a class is switched off.
async fn looks(server: &RedisServer) -> u64 {
    let figures: String = server.run(&["INFO", "commandstats"]).await;
    let calls = figures.split("cmdstat_hexists:calls=").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok());
    calls.unwrap_or(0)
}

fn now() -> f64 {
    chrono::Utc::now().timestamp_millis() as f64 / 1000.0
}

#[tokio::test]
async fn a_running_job_is_cancelled_within_a_second_wherever_it_runs_and_no_other_is() {
    let server = RedisServer::start().await;
    let (one, one_record) = start(&server.redis, settings(2, &[("a", 1)])).await;
    let (other, other_record) = start(&server.redis, settings(2, &[("a", 1)])).await;
    for jid in ["1", "2", "3", "4"] {
        server.push("a", job(jid, "until told").as_bytes()).await;
    }
    until("all run", async || one_record.started() + other_record.started() == 4).await;
    let cancellations = Cancellations::new(server.redis.clone(), &settings(1, &[("a", 1)]));
    for jid in ["2", "3"] {
        let began = Instant::now();
        let found = cancellations.cancel(jid).await.unwrap();
        let cancelled = || one_record.count(Outcome::Cancelled) + other_record.count(Outcome::Cancelled);
        assert!(matches!(found, Found::InHand { .. }), "{found:?}");
        let expected = if jid == "2" { 1 } else { 2 };
        until("it is cancelled", async || cancelled() == expected).await;
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    }
    let dead: Vec<String> = server.run(&["ZRANGE", "dead", "0", "-1"]).await;
    let begin = job("2", "until told").replace('}', "")
        + r#","error_message":"Cancelled by an administrator.","error_class":"Sidemirror::Cancelled","failed_at":"#;
    assert!(dead[0].starts_with(&begin), "{dead:?}");
    assert_eq!((one.busy() + other.busy(), server.run::<usize>(&["EXISTS", "retry"]).await), (2, 0));
    until("the order is taken back", async || !cancellations.stands("3").await.unwrap()).await;

    // Whoever brings it back from the dead wants it to run.
    server.push("a", job("3", "nap").as_bytes()).await;
    until("it runs again", async || one_record.count(Outcome::Done) + other_record.count(Outcome::Done) == 1).await;
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_job_that_waits_is_cancelled_wherever_it_waits() {
    let server = RedisServer::start().await;
    let cancellations = Cancellations::new(server.redis.clone(), &settings(1, &[("a", 1)]));
    let odd = |jid: &str| [job(jid, "*[x]?").trim_end_matches('}').as_bytes(), b",\"odd\":\"\xff\"}"].concat();
    let names = ["in[queue]*", "in retry", "in schedule", "unlike"];
    server.push("a", &odd(names[0])).await;
    for (set, jid) in [("retry", names[1]), ("schedule", names[2]), ("schedule", names[3])] {
        server.redis.query::<()>(redis::cmd("ZADD").arg(set).arg(9_999_999_999_u64).arg(odd(jid))).await.unwrap();
    }
    for (jid, from) in names[..3].iter().zip(["queue:a", "retry", "schedule"]) {
        match cancellations.cancel(jid).await.unwrap() {
            Found::Waiting { place, job } => assert_eq!((&*place, job.jid()), (from, *jid)),
            found => panic!("{found:?}"),
        }
    }
    assert!(matches!(cancellations.cancel("elsewhere").await.unwrap(), Found::Nowhere));
    let dead: Vec<Vec<u8>> = server.run(&["ZRANGE", "dead", "0", "-1"]).await;
    assert!(dead.len() == 3 && dead.iter().all(|text| text.windows(9).any(|part| part == b"\"odd\":\"\xff\"")));
    assert_eq!(server.run::<usize>(&["ZCARD", "schedule"]).await, 1, "the other one waits on");
    let standing: Vec<String> = server.run(&["KEYS", "sidemirror:cancel:*"]).await;
    assert_eq!(standing, [""; 0], "nothing is left to strike a job that somebody brings back");
}

#[tokio::test]
async fn a_job_that_was_cancelled_while_it_was_out_of_sight_does_not_begin() {
    let server = RedisServer::start().await;
    let (process, record) = start(&server.redis, settings(1, &[("a", 1)])).await;
    // As if the search had missed it: a Ruby process has it in its memory.
    for key in ["sidemirror:cancel:hidden", "sidemirror:cancellations"] {
        server.run::<()>(&["SET", key, "1", "EX", "100"]).await;
    }
    // Longer than the time between two looks.
    tokio::time::sleep(Duration::from_secs(2)).await;
    server.push("a", job("hidden", "nap").as_bytes()).await;
    until("it is cancelled", async || record.count(Outcome::Cancelled) == 1).await;
    process.stop().await;
    let reason = "Cancelled by an administrator.".to_owned();
    assert_eq!((record.started(), record.abandoned.lock().unwrap()[0].clone()), (0, ("hidden".to_owned(), reason)));
    assert_eq!(server.run::<usize>(&["ZCARD", "dead"]).await, 1);
}

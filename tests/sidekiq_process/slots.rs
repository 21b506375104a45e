//! No job waits while a slot is free for it, and never are there more jobs in hand than slots.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sidemirror::sidekiq::{Capsule, Outcome, QueueSet, Settings};

use crate::redis_server::{RedisServer, until};
use crate::worker::{self, start};

const QUEUES: [&str; 3] = ["a", "b", "c"];

fn one_capsule(concurrency: usize) -> Settings {
    worker::settings(concurrency, &QUEUES.map(|queue| (queue, 1)))
}

/// One slot for two queues, and two for the third.
fn two_capsules() -> Settings {
    let mut settings = worker::settings(1, &[("a", 1), ("b", 0)]);
    let queues = QueueSet::new([("c".to_owned(), 0)]).unwrap();
    settings.capsules.push(Capsule { name: "more".to_owned(), concurrency: 2, queues });
    settings
}

/// How long single jobs waited before they were started, the shortest time first. They were pushed at all moments of
/// the waiting.
async fn waited(settings: Settings) -> Vec<Duration> {
    let server = RedisServer::start().await;
    let (process, record) = start(&server.redis, settings).await;
    let mut waited = Vec::new();
    for number in 0..60 {
        until("the job before is done", async || record.count(Outcome::Done) == number).await;
        tokio::time::sleep(Duration::from_millis(7 * (number as u64 % 10))).await;
        let pushed = Instant::now();
        server.push(QUEUES[number % 3], br#"{"class":"Tested","args":[]}"#).await;
        while record.started() == number {
            assert!(pushed.elapsed() < Duration::from_secs(10), "never started");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        waited.push(pushed.elapsed());
    }
    process.stop().await;
    waited.sort();
    waited
}

/// The bounds leave room for a busy machine. Without a free slot's being looked after a job waits for two seconds.
fn assert_prompt(waited: &[Duration], usual: Duration) {
    let (middle, longest) = (waited[waited.len() / 2], waited[waited.len() - 1]);
    assert!(middle < usual && longest < Duration::from_secs(1), "half within {middle:?}, all within {longest:?}");
}

#[tokio::test]
async fn with_one_slot_for_three_queues_no_job_waits_while_it_is_free() {
    assert_prompt(&waited(one_capsule(1)).await, Duration::from_millis(150));
}

#[tokio::test]
async fn with_a_slot_for_each_queue_no_job_waits_while_one_is_free() {
    assert_prompt(&waited(one_capsule(3)).await, Duration::from_millis(50));
}

#[tokio::test]
async fn in_several_capsules_no_job_waits_while_a_slot_is_free() {
    assert_prompt(&waited(two_capsules()).await, Duration::from_millis(150));
}

/// The most jobs that lay in the working lists of these queues at any one moment, while 300 jobs were run.
async fn most_in_hand(settings: Settings, queues: &[&str]) -> usize {
    let server = RedisServer::start().await;
    let (ended, most) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (process, record) = start(&server.redis, settings).await;
    let lists: Vec<String> =
        queues.iter().map(|queue| format!("working:queue:{queue}:{}", process.identity())).collect();
    let sampler = tokio::spawn({
        let (ended, most) = (Arc::clone(&ended), Arc::clone(&most));
        let redis = crate::redis_server::connect(server.port).await.unwrap();
        async move {
            let sum =
                "local sum = 0 for _, list in ipairs(KEYS) do sum = sum + redis.call('LLEN', list) end return sum";
            while !ended.load(Ordering::SeqCst) {
                let mut sample = redis::cmd("EVAL");
                sample.arg(sum).arg(lists.len()).arg(&lists);
                most.fetch_max(redis.query(&sample).await.unwrap(), Ordering::SeqCst);
            }
        }
    });
    // Some at once, the others while the waits come and go.
    for number in 0..300 {
        server.push(QUEUES[number % 3], br#"{"class":"Tested","args":["nap"]}"#).await;
        if number % 30 == 29 {
            until("those are done", async || record.count(Outcome::Done) > number - 10).await;
        }
    }
    until("all are done", async || record.count(Outcome::Done) == 300).await;
    ended.store(true, Ordering::SeqCst);
    sampler.await.unwrap();
    process.stop().await;
    most.load(Ordering::SeqCst)
}

#[tokio::test]
async fn with_one_slot_for_three_queues_never_two_jobs_are_in_hand() {
    assert_eq!(most_in_hand(one_capsule(1), &QUEUES).await, 1);
}

#[tokio::test]
async fn with_a_slot_for_each_queue_never_more_jobs_are_in_hand() {
    assert_eq!(most_in_hand(one_capsule(3), &QUEUES).await, 3);
}

#[tokio::test]
async fn no_capsule_has_more_jobs_in_hand_than_slots_of_its_own() {
    let (first, second) = tokio::join!(most_in_hand(two_capsules(), &["a", "b"]), most_in_hand(two_capsules(), &["c"]));
    assert_eq!((first, second), (1, 2));
}

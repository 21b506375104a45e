//! Jobs that our client pushes are run by Ruby.

use std::collections::BTreeMap;
use std::time::Duration;

use redis::Commands as _;
use serde::Deserialize;
use serde_json::{Value, json};
use sidemirror::connections;
use sidemirror::sidekiq::{Client, Keys, NewJob, When};

use crate::changes::{Change, assert_changed};
use crate::rig::redis::Redis;
use crate::rig::ruby::{Ruby, with_every_ruby};
use crate::rig::wait;
use crate::ruby_api;

const PATIENCE: Duration = Duration::from_secs(30);
/// More than go into one command.
const BULK: usize = 2_500;
const BULK_FOR_LATER: usize = 250;

with_every_ruby!(
    what_our_client_writes_is_what_rubys_writes,
    what_our_client_pushes_is_shown_and_run_by_ruby,
    what_our_client_pushes_for_later_is_run_by_ruby_then
);

fn what_our_client_writes_is_what_rubys_writes(ruby: Ruby) {
    let redis = Redis::start();
    let push = r#"
        job = { "class" => "ForgeJob", "queue" => "ours", "args" => [42, "größe/", { "a" => 1.5 }], "retry" => 3,
                "tags" => ["größe"], "backtrace" => 5 }
        Sidekiq::Client.push(job)
        Sidekiq::Client.push(job.merge("at" => Time.now.to_f + 3600))
        nil"#;
    ruby.eval(&redis.url(), push);
    let job = || {
        let job = NewJob::new("ForgeJob", vec![json!(42), json!("größe/"), json!({ "a": 1.5 })]).queue("ours");
        job.retry(3).with("tags", json!(["größe"])).with("backtrace", 5)
    };
    with_client(ruby, &redis, async |client| {
        client.push(&job()).await.unwrap();
        client.push_at(&job(), When::In(Duration::from_hours(2))).await.unwrap();
    });
    let mut connection = redis.connection();
    let queued: [Vec<u8>; 2] = connection.lrange::<_, Vec<_>>("queue:ours", 0, -1).unwrap().try_into().unwrap();
    let [ours, rubys] = queued;
    let mut new = vec![("jid", Change::ToAnotherText), ("created_at", Change::Now)];
    if ruby == Ruby::Sid {
        // There alone our jobs would be taken for Ruby's, which tell its version.
        new.push(("pushed_by", Change::To("\"sidemirror\"")));
    }
    assert_changed(ruby, &rubys, &ours, &[&new[..], &[("enqueued_at", Change::Now)]].concat());
    let scheduled: [Vec<u8>; 2] = connection.zrange::<_, Vec<_>>("schedule", 0, -1).unwrap().try_into().unwrap();
    let [rubys, ours] = scheduled;
    assert_changed(ruby, &rubys, &ours, &new);
}

/// A job in a queue, as the API shows it; ages are in seconds.
#[derive(Debug, Deserialize)]
struct Shown {
    jid: String,
    class: String,
    args: Value,
    retry: Value,
    tags: Vec<String>,
    created: f64,
    enqueued: f64,
}

#[derive(Debug, Deserialize)]
struct Waiting {
    size: usize,
    latency: f64,
    jobs: Vec<Shown>,
}

fn what_our_client_pushes_is_shown_and_run_by_ruby(ruby: Ruby) {
    let redis = Redis::start();
    let jobs = [
        NewJob::new("ForgeJob", vec![json!(1), json!("größe/\u{2028}\u{7f}\"\\"), json!({ "a": [null, 1.0, 1e16] })])
            .queue("ours")
            .with("tags", json!(["größe"]))
            .with("backtrace", true),
        NewJob::new("ForgeJob", vec![]).queue("ours").retry(false),
        NewJob::new("ForgeJob", vec![json!(i64::MAX), json!(u64::MAX)]).queue("ours").retry(3),
    ];
    let bulk: Vec<NewJob> = (0..BULK)
        .map(|number| NewJob::new("ForgeJob", vec![json!(number)]).queue(["bulk", "others"][number % 2]))
        .collect();
    with_client(ruby, &redis, async |client| {
        for job in &jobs {
            client.push(job).await.unwrap();
        }
        client.push_bulk(&bulk).await.unwrap();
    });

    let waiting: Waiting = serde_json::from_value(ruby.eval(&redis.url(), include_str!("waiting_jobs.rb"))).unwrap();
    assert_eq!((waiting.size, waiting.jobs.len()), (3, 3));
    // Of another unit than Ruby's they would be decades.
    let just_now = -1.0..60.0;
    assert!(just_now.contains(&waiting.latency), "{waiting:?}");
    assert!(waiting.jobs.iter().all(|job| just_now.contains(&job.created) && just_now.contains(&job.enqueued)));
    let newest_first: Vec<_> = waiting.jobs.iter().map(|job| &*job.jid).collect();
    assert_eq!(newest_first, [jobs[2].jid(), jobs[1].jid(), jobs[0].jid()]);
    let options: Vec<_> = waiting.jobs.iter().map(|job| job.retry.clone()).collect();
    assert_eq!(options, [json!(3), json!(false), json!(true)]);
    assert_eq!((&waiting.jobs[2].tags, &*waiting.jobs[2].class), (&vec!["größe".to_owned()], "ForgeJob"));
    assert_eq!(waiting.jobs[2].args[1], "größe/\u{2028}\u{7f}\"\\");
    let queues = ruby_api::look(ruby, &redis).queues;
    assert_eq!(Value::Object(queues), json!({ "bulk": BULK / 2, "others": BULK / 2, "ours": 3 }));

    let mut connection = redis.connection();
    let mut pushed: Vec<Vec<u8>> = connection.lrange("queue:ours", 0, -1).unwrap();
    for queue in ["queue:bulk", "queue:others"] {
        pushed.extend(connection.lrange::<_, Vec<Vec<u8>>>(queue, 0, -1).unwrap());
    }
    let sidekiq = ruby.start_sidekiq(
        &redis.url(),
        concat!(include_str!("keep_bytes.rb"), include_str!("forge_that_tells.rb")),
        &["ours", "bulk", "others"],
        5,
    );
    wait::until("all to be run", PATIENCE, || connection.llen::<_, usize>("told").unwrap() == BULK + jobs.len());
    sidekiq.terminate();

    let mut taken: Vec<Vec<u8>> = connection.lrange("taken", 0, -1).unwrap();
    taken.sort();
    pushed.sort();
    assert!(taken == pushed, "every byte as we wrote it");
    let told: Vec<String> = connection.lrange("told", 0, -1).unwrap();
    let told = told.iter().map(|text| serde_json::from_str::<(String, Value, f64)>(text).unwrap());
    let told: BTreeMap<String, Value> = told.map(|(jid, args, _)| (jid, args)).collect();
    assert_eq!(told[jobs[0].jid()], json!([1, "größe/\u{2028}\u{7f}\"\\", { "a": [null, 1.0, 1e16] }]));
    assert_eq!(told[jobs[1].jid()], json!([]));
    assert_eq!(told[jobs[2].jid()], json!([i64::MAX, u64::MAX]));
    assert!(bulk.iter().enumerate().all(|(number, job)| told[job.jid()] == json!([number])));
    let seen = ruby_api::look(ruby, &redis);
    assert_eq!((seen.processed, seen.failed, seen.enqueued), ((BULK + jobs.len()) as u64, 0, 0));
}

fn what_our_client_pushes_for_later_is_run_by_ruby_then(ruby: Ruby) {
    let redis = Redis::start();
    let job = |number: usize| NewJob::new("ForgeJob", vec![json!(number), json!(1.5)]).queue("ours");
    let (soon, later, past) = (job(1), job(2), job(3));
    let bulk: Vec<NewJob> = (0..BULK_FOR_LATER).map(|number| job(100 + number)).collect();
    let start = chrono::Utc::now().timestamp_millis() as f64 / 1000.0;
    with_client(ruby, &redis, async |client| {
        client.push_at(&soon, When::In(Duration::from_secs(2))).await.unwrap();
        client.push_at(&later, When::In(Duration::from_hours(1))).await.unwrap();
        client.push_at(&past, When::At(1_600_000_000.0)).await.unwrap();
        client.push_bulk_at(&bulk, When::At(start + 1.5)).await.unwrap();
    });
    let mut connection = redis.connection();
    let scheduled: Vec<Vec<u8>> = connection.zrange("schedule", 0, -1).unwrap();
    assert_eq!(scheduled.len(), BULK_FOR_LATER + 2);
    assert_eq!(connection.llen::<_, usize>("queue:ours").unwrap(), 1, "what is past goes at once");

    let sidekiq = ruby.start_sidekiq(
        &redis.url(),
        concat!(include_str!("keep_bytes.rb"), include_str!("forge_that_tells.rb")),
        &["ours"],
        5,
    );
    let due = BULK_FOR_LATER + 2;
    wait::until("all that is due to be run", PATIENCE, || connection.llen::<_, usize>("told").unwrap() == due);
    sidekiq.terminate();
    let told: Vec<String> = connection.lrange("told", 0, -1).unwrap();
    let told: Vec<(String, Value, f64)> = told.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    let of = |job: &NewJob| told.iter().filter(|(jid, ..)| jid == job.jid()).collect::<Vec<_>>();
    let [(_, args, time)] = of(&soon)[..] else { panic!("{told:?}") };
    assert!(*args == json!([1, 1.5]) && *time >= start + 2.0, "{args} {time}");
    assert_eq!((of(&past).len(), of(&later).len()), (1, 0));
    assert!(bulk.iter().all(|job| matches!(of(job)[..], [(_, _, time)] if *time >= start + 1.5)));

    // Ruby writes a job that has become due again; what we wrote is spelled as it would spell it.
    let taken: Vec<Vec<u8>> = connection.lrange("taken", 0, -1).unwrap();
    for text in taken.iter().filter(|text| !shows(text, past.jid())) {
        let jid: Value = serde_json::from_slice(text).unwrap();
        let before = scheduled.iter().find(|scheduled| shows(scheduled, jid["jid"].as_str().unwrap())).unwrap();
        assert_changed(ruby, before, text, &[("enqueued_at", Change::Now)]);
    }
    let left: Vec<Vec<u8>> = connection.zrange("schedule", 0, -1).unwrap();
    assert!(left.len() == 1 && shows(&left[0], later.jid()));
}

fn shows(payload: &[u8], jid: &str) -> bool {
    payload.windows(jid.len()).any(|window| window == jid.as_bytes())
}

fn with_client(ruby: Ruby, redis: &Redis, push: impl AsyncFnOnce(Client)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let settings = connections::RedisSettings::new(redis.url().parse().unwrap());
        let connection = connections::Redis::connect(&settings).await.unwrap();
        push(Client::new(connection, Keys::default(), ruby.profile().parse().unwrap())).await;
    });
}

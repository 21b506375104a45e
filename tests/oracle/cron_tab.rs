//! Our schedule in the cron tab of sidekiq-cron 1.8: shown, disabled, asked for, and never fired twice.

use std::time::Duration;

use chrono::{DateTime, DurationRound, TimeDelta, Timelike, Utc};
use redis::Commands as _;
use serde_json::{Value, json};
use sidemirror::connections::{self, RedisSettings};
use sidemirror::mirror::state::Status;
use sidemirror::scheduler::update_all_mirrors;
use sidemirror::sidekiq::{CronTab, Keys, Turn};
use tokio::runtime::Runtime;

use crate::rig::git_http::GitServer;
use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::ruby::Ruby;
use crate::rig::store::Store;
use crate::rig::wait;

const NAME: &str = "sidemirror_update_all_mirrors";

/// What Ruby says of the entries after doing something with ours, which is `job`.
fn ruby(redis: &Redis, act: &str) -> Value {
    let script = include_str!("cron_tab.rb").replace("ACT", act).replace("NAME", NAME);
    Ruby::Bookworm.eval(&redis.url(), &script)
}

/// The entry as a worker has it, without a worker: its minutes are the test's.
struct Tab {
    runtime: Runtime,
    tab: CronTab,
}

impl Tab {
    fn new(redis: &Redis) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let settings = RedisSettings::new(redis.url().parse().unwrap());
        let connection = runtime.block_on(connections::Redis::connect(&settings)).unwrap();
        let tab = update_all_mirrors::cron_tab(connection, Keys::default(), "mirrors".to_owned());
        Self { runtime, tab }
    }

    fn registered(redis: &Redis) -> Self {
        let tab = Self::new(redis);
        tab.register();
        tab
    }

    fn register(&self) {
        self.runtime.block_on(self.tab.register()).unwrap();
    }

    fn turn(&self, now: DateTime<Utc>) -> Turn {
        self.runtime.block_on(self.tab.turn(now)).unwrap()
    }
}

/// A minute to come, so that what was enqueued by now is earlier.
fn minute(number: i64) -> DateTime<Utc> {
    let hour = Utc::now().duration_trunc(TimeDelta::hours(1)).unwrap();
    hour + TimeDelta::hours(2) + TimeDelta::minutes(number) + TimeDelta::seconds(7)
}

/// Ruby's poller at this time.
fn poll(redis: &Redis, now: DateTime<Utc>) {
    ruby(redis, &format!("job.test_and_enque_for_time!(Time.at({}).utc)", now.timestamp()));
}

fn jobs(redis: &Redis) -> Vec<Value> {
    let jobs: Vec<String> = redis.connection().lrange("queue:mirrors", 0, -1).unwrap();
    jobs.iter().map(|job| serde_json::from_str(job).unwrap()).collect()
}

#[test]
fn ruby_lists_our_schedule_with_its_last_run() {
    let redis = Redis::start();
    let installation = Installation::new(&redis.url()).mirror("cron_tab", true).mirror("sidekiq", "6.4");
    let _worker = installation.start_worker();
    let seen = wait::for_some("the first minute is shown", Duration::from_secs(20), || {
        let seen = ruby(&redis, "nil");
        (seen["all"][0]["history"] != json!([])).then_some(seen)
    });
    assert_eq!(seen["all"].as_array().unwrap().len(), 1);
    let entry = &seen["all"][0];
    assert_eq!((&entry["name"], &entry["class"]), (&NAME.into(), &"UpdateAllMirrors".into()));
    assert_eq!(
        (&entry["cron"], &entry["status"], &entry["valid"]),
        (&"* * * * *".into(), &"enabled".into(), &true.into())
    );
    assert_eq!(entry["message"], json!({"retry": false, "queue": "mirrors", "class": "UpdateAllMirrors", "args": []}));
    let age = entry["last_enqueued_ago"].as_f64().unwrap();
    assert!((0.0..120.0).contains(&age), "{entry}");
    assert_eq!(entry["history"].as_array().unwrap().len(), 1);
}

#[test]
fn each_minute_is_fired_once_whoever_comes_first() {
    let redis = Redis::start();
    let tab = Tab::registered(&redis);
    assert!(matches!(tab.turn(minute(1)), Turn::Ours(Some(_))));
    poll(&redis, minute(1));
    assert_eq!(jobs(&redis), [Value::Null; 0], "Ruby leaves our minute alone");

    poll(&redis, minute(2));
    assert_eq!(tab.turn(minute(2)), Turn::Taken);
    assert_eq!(tab.turn(minute(2) + TimeDelta::seconds(30)), Turn::Taken);
    let pushed = jobs(&redis);
    assert_eq!((pushed.len(), &pushed[0]["class"]), (1, &"UpdateAllMirrors".into()), "and we leave Ruby's alone");
}

#[test]
fn minutes_that_both_go_for_at_the_same_time_are_fired_once() {
    /// How much later than Ruby we go for a minute, in milliseconds.
    const LAGS: [u64; 10] = [0, 0, 1, 1, 2, 3, 4, 6, 10, 200];
    const ROUNDS: usize = 5;
    let redis = Redis::start();
    let tab = Tab::registered(&redis);
    let lags: Vec<u64> = LAGS.repeat(ROUNDS);
    let polls = format!(
        "{}.times do
           _, mark = Sidekiq.redis {{ |redis| redis.blpop('go') }}
           find.test_and_enque_for_time!(Time.at(mark.to_i).utc)
           Sidekiq.redis {{ |redis| redis.rpush('done', mark) }}
         end",
        lags.len()
    );
    let ours = std::thread::scope(|scope| {
        let ruby = scope.spawn(|| ruby(&redis, &polls));
        let mut connection = redis.connection();
        let ours = (0..).zip(&lags).filter(|(number, lag)| {
            connection.rpush::<_, _, ()>("go", minute(*number).timestamp()).unwrap();
            std::thread::sleep(Duration::from_millis(**lag));
            let turn = tab.turn(minute(*number));
            connection.blpop::<_, (String, i64)>("done", 20.0).unwrap();
            matches!(turn, Turn::Ours(_))
        });
        let ours = ours.count();
        ruby.join().unwrap();
        ours
    });
    let rubys = jobs(&redis).len();
    assert_eq!(ours + rubys, lags.len(), "ours {ours}, Ruby's {rubys}");
    assert!(ours > 0 && rubys > 0, "one of the two was never first: ours {ours}, Ruby's {rubys}");
}

#[test]
fn disabled_in_the_tab_nothing_is_scheduled_until_somebody_asks_for_it_there() {
    let (redis, git) = (Redis::start(), GitServer::start());
    git.create("up/stream.git").commit("main", "first");
    Tab::registered(&redis);
    assert_eq!(ruby(&redis, "job.disable!")["all"][0]["status"], "disabled");

    let installation = Installation::new(&redis.url())
        .mirror("cron_tab", true)
        .mirror("sidekiq", "6.4")
        .mirror("max_capacity", 1)
        .mirror("capacity_threshold", 1);
    let store = Store::open(&redis, &installation);
    for id in 1..=3 {
        store.add_pull(id, &format!("group/project-{id}.git"), &git.url("up/stream.git"), Utc::now());
    }
    let worker = installation.start_worker();
    wait::until("it is told", Duration::from_secs(20), || worker.log().contains("the cron tab says disabled"));
    assert_eq!(ruby(&redis, "nil")["all"][0]["status"], "disabled", "a start does not enable it");
    assert!(store.mirrors().iter().all(|mirror| mirror.state.status == Status::None));

    // A pass goes on as slots become free, to the end of its minute.
    wait::until("enough is left of the minute", Duration::from_secs(30), || Utc::now().second() < 40);
    ruby(&redis, "job.enque!");
    wait::until("the mirrors are updated, one after the other", Duration::from_secs(20), || {
        store.mirrors().iter().all(|mirror| mirror.state.status == Status::Finished)
    });
    assert_eq!(worker.metric("sidemirror_mirrors_scheduled_total"), Some(3.0));
}

#[test]
fn after_redis_has_lost_its_data_the_entry_is_there_again_enabled_or_disabled_as_it_was() {
    for status in ["enabled", "disabled"] {
        let redis = Redis::start();
        Tab::registered(&redis);
        if status == "disabled" {
            ruby(&redis, "job.disable!");
        }
        let installation = Installation::new(&redis.url()).mirror("cron_tab", true).mirror("sidekiq", "6.4");
        let worker = installation.start_worker();
        // The first minute is over: the worker has read what the tab says.
        wait::until("it leads", Duration::from_secs(20), || {
            worker.log().contains("the cron tab says disabled") || ruby(&redis, "nil")["all"][0]["history"] != json!([])
        });
        redis::cmd("FLUSHALL").exec(&mut redis.connection()).unwrap();
        let entry = format!("cron_job:{NAME}");
        wait::until("the entry is there again", Duration::from_secs(5), || {
            redis.connection().hget::<_, _, Option<String>>(&entry, "status").unwrap().as_deref() == Some(status)
        });
        let all = ruby(&redis, "nil")["all"].clone();
        assert_eq!((all.as_array().unwrap().len(), &all[0]["status"]), (1, &status.into()));
    }
}

#[test]
fn an_entry_deleted_in_the_tab_keeps_nobody_from_working_and_comes_back_at_the_next_start() {
    let redis = Redis::start();
    let tab = Tab::registered(&redis);
    ruby(&redis, "job.destroy");
    assert_eq!((tab.turn(minute(1)), tab.turn(minute(1))), (Turn::Ours(None), Turn::Ours(None)));
    assert_eq!(redis.connection().keys::<_, Vec<String>>("cron*").unwrap(), [""; 0], "it stays deleted");
    tab.register();
    assert_eq!(ruby(&redis, "nil")["all"][0]["name"], NAME);
}

#[test]
fn where_sidekiq_cron_2_has_entries_ours_lies_beside_them() {
    // As 2.x writes it; only 1.8 is to be had. Its own start moves entries of 1.x and takes them from the old set last.
    let redis = Redis::start();
    let mut connection = redis.connection();
    let tab = Tab::registered(&redis);
    let (old, new) = (format!("cron_job:{NAME}"), format!("cron_job:default:{NAME}"));
    assert!(connection.sismember::<_, _, bool>("cron_jobs", &old).unwrap());
    let entry: Vec<(String, String)> = connection.hgetall(&old).unwrap();
    connection.hset_multiple::<_, _, _, ()>(&new, &entry).unwrap();
    connection.hset::<_, _, _, ()>(&new, "status", "disabled").unwrap();
    connection.sadd::<_, _, ()>("cron_jobs:default", &new).unwrap();
    assert_eq!(tab.turn(minute(1)), Turn::Disabled, "what 2 has counts");
    connection.srem::<_, _, ()>("cron_jobs", &old).unwrap();
    connection.hset::<_, _, _, ()>(&new, "status", "enabled").unwrap();
    assert!(matches!(tab.turn(minute(1)), Turn::Ours(Some(_))));
    let fired: Vec<String> = connection.zrange(format!("{new}:enqueued"), 0, -1).unwrap();
    assert_eq!(fired, [minute(1).format("%Y-%m-%dT%H:%M:00Z").to_string()]);

    connection.srem::<_, _, ()>("cron_jobs:default", &new).unwrap();
    connection.sadd::<_, _, ()>("cron_jobs:default", "cron_job:default:another").unwrap();
    tab.register();
    assert!(connection.sismember::<_, _, bool>("cron_jobs:default", &new).unwrap());
    assert!(!connection.exists::<_, bool>("cron_jobs").unwrap());
}

#[test]
#[ignore = "waits for two minutes to come"]
fn a_worker_and_rubys_poller_side_by_side_fire_each_minute_once() {
    let redis = Redis::start();
    let poller = "require 'sidekiq-cron'; Sidekiq.options[:cron_poll_interval] = 1";
    let installation = Installation::new(&redis.url()).mirror("cron_tab", true).mirror("sidekiq", "6.4");
    let _ruby = Ruby::Bookworm.start_sidekiq(&redis.url(), poller, &["elsewhere"], 1);
    let _workers = [installation.start_worker(), installation.start_worker()];
    let mut connection = redis.connection();
    let mut minutes = || connection.zrange::<_, Vec<String>>(format!("cron_job:{NAME}:enqueued"), 0, -1).unwrap();
    wait::until("two more minutes are fired", Duration::from_mins(3), || minutes().len() == 3);
    let history = ruby(&redis, "nil")["all"][0]["history"].clone();
    let fired = history.as_array().unwrap().iter().rev().map(|run| {
        // 2026-11-22 07:11:05 +0000
        format!("{}:00Z", run["enqueued"].as_str().unwrap()[..16].replace(' ', "T"))
    });
    assert_eq!(fired.collect::<Vec<_>>(), minutes());
}

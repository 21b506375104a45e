//! One queue, served by Ruby's Sidekiq and by us: each job is run by somebody who can, and none of Ruby's is touched.

use std::collections::BTreeSet;
use std::time::Duration;

use redis::{Commands as _, Connection};

use crate::beside;
use crate::rig::redis::Redis;
use crate::rig::ruby::{Ruby, with_every_ruby};
use crate::rig::wait;
use crate::rig::worker::Worker;
use crate::untouched::is_untouched;

/// Ruby's threads, and the jobs that hold them at first.
const THREADS: usize = 5;
/// The jobs that follow these: as many of Ruby's as of ours, and few enough for us to see them all.
const FIRST: usize = 40;
const OURS: u64 = 200;
const RUBYS: usize = 1000;
/// How long Ruby may be away.
const GRACE: &str = "12s";
const PATIENCE: Duration = Duration::from_mins(1);

with_every_ruby!(a_thousand_jobs_of_a_living_ruby_sidekiq_are_all_run_by_it_and_ours_by_either);

fn a_thousand_jobs_of_a_living_ruby_sidekiq_are_all_run_by_it_and_ours_by_either(ruby: Ruby) {
    let redis = Redis::start();
    let mut connection = redis.connection();
    let staged = stage_jobs(ruby, &redis, &mut connection);
    assert_eq!(staged.len(), RUBYS + usize::try_from(OURS).unwrap());

    let sidekiq = ruby.start_sidekiq(
        &redis.url(),
        concat!(include_str!("keep_bytes.rb"), include_str!("rails_app.rb")),
        &["shared"],
        THREADS,
    );
    let installation = beside(ruby, &redis).set("queues", "[[shared, 1]]").set("concurrency", 5);
    let worker = installation.mirror("foreign_grace", GRACE).start_worker();
    feed(&mut connection, THREADS);
    wait::until("all of Ruby's threads to be held", PATIENCE, || {
        connection.llen::<_, usize>("at_the_gate").unwrap() == THREADS
    });
    feed(&mut connection, FIRST);
    wait::until("ours to be picked out by us", PATIENCE, || run_by_us(&worker) == 20);
    wait::until("Ruby's to lie there untouched", PATIENCE, || {
        connection.llen::<_, usize>("queue:shared").unwrap() == 20
    });
    connection.set::<_, _, ()>("gate", "open").unwrap();
    feed(&mut connection, staged.len());
    wait::until("all jobs to be run", PATIENCE, || {
        let by_ruby: u64 = connection.llen("mirrors_run").unwrap();
        connection.llen::<_, usize>("rails_jobs_run").unwrap() >= RUBYS && run_by_us(&worker) + by_ruby >= OURS
    });

    let run: Vec<i64> = connection.lrange("rails_jobs_run", 0, -1).unwrap();
    assert_eq!((run.len(), run.iter().collect::<BTreeSet<_>>().len()), (RUBYS, RUBYS), "each once");
    let taken: Vec<Vec<u8>> = connection.lrange("taken", 0, -1).unwrap();
    assert_eq!(rails_jobs(taken), rails_jobs(staged), "byte for byte");
    let by_ruby: Vec<String> = connection.lrange("mirrors_run", 0, -1).unwrap();
    assert_eq!(run_by_us(&worker) + by_ruby.iter().collect::<BTreeSet<_>>().len() as u64, OURS, "each once");
    assert_eq!(connection.exists::<_, u64>(&["queue:shared", "retry", "dead"]).unwrap(), 0);
    assert_eq!(jobs(&worker, "other", "failed"), 0);
    assert!(jobs(&worker, "other", "foreign") > 0, "that metric has another name");
    assert_eq!(jobs(&worker, "UpdateMirror", "failed") + jobs(&worker, "RemoteMirror", "failed"), 0);

    sidekiq.terminate();
    a_job_whose_process_has_gone_is_kept_for_it_a_while(&mut connection, &worker);
}

/// The process may be restarting. After the grace nobody can run the job, and that is a failure like any other.
fn a_job_whose_process_has_gone_is_kept_for_it_a_while(connection: &mut Connection, worker: &Worker) {
    assert_eq!(connection.scard::<_, u64>("processes").unwrap(), 1);
    let job = br#"{"class":"RailsJob","args":[1000000,1E5],"retry":3,"queue":"shared"}"#;
    connection.lpush::<_, _, ()>("queue:shared", job).unwrap();
    let before = looks_at_processes(connection);
    wait::until("us to have seen that Ruby is gone", PATIENCE, || looks_at_processes(connection) > before);
    let ours = run_by_us(worker);
    connection.lpush::<_, _, ()>("queue:shared", r#"{"class":"UpdateMirror","args":[999999]}"#).unwrap();
    wait::until("a job of ours beside it to be run", PATIENCE, || run_by_us(worker) == ours + 1);
    assert_eq!(connection.lrange::<_, Vec<Vec<u8>>>("queue:shared", 0, -1).unwrap(), [job]);
    assert_eq!(jobs(worker, "other", "failed"), 0);

    wait::until("the job to be given up", PATIENCE, || jobs(worker, "other", "failed") == 1);
    let retry: Vec<Vec<u8>> = connection.zrange("retry", 0, -1).unwrap();
    assert!(retry.len() == 1 && is_untouched(job, &retry[0]), "{}", retry[0].escape_ascii());
    assert!(retry[0].escape_ascii().to_string().contains("NameError"));
}

/// Has Ruby's client push all jobs, and lays them where nobody takes them from. Some of Ruby's are such as its own
/// client would not write.
fn stage_jobs(ruby: Ruby, redis: &Redis, connection: &mut Connection) -> Vec<Vec<u8>> {
    ruby.eval(&redis.url(), include_str!("shared_jobs.rb"));
    connection.rename::<_, _, ()>("queue:shared", "staged").unwrap();
    for number in 976..=995 {
        let odd = format!(r#"{{ "class":"RailsJob","x":1E5,"args":[{number},1700000000.10,"#);
        let odd = [odd.as_bytes(), b"\"\xff\"],\"retry\":false,\"n\":123456789012345678901234567890}\n"].concat();
        connection.lpush::<_, _, ()>("staged", odd).unwrap();
    }
    connection.lrange("staged", 0, -1).unwrap()
}

/// Moves the next jobs into the queue.
fn feed(connection: &mut Connection, count: usize) {
    let mut commands = redis::pipe();
    for _ in 0..count {
        commands.cmd("LMOVE").arg("staged").arg("queue:shared").arg("RIGHT").arg("LEFT").ignore();
    }
    commands.query::<()>(connection).unwrap();
}

fn rails_jobs(mut texts: Vec<Vec<u8>>) -> Vec<String> {
    texts.retain(|text| text.windows(10).any(|window| window == b"\"RailsJob\""));
    texts.sort();
    texts.iter().map(|text| text.escape_ascii().to_string()).collect()
}

fn run_by_us(worker: &Worker) -> u64 {
    jobs(worker, "UpdateMirror", "done") + jobs(worker, "RemoteMirror", "done")
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a counter of a few hundred jobs")]
fn jobs(worker: &Worker, class: &str, outcome: &str) -> u64 {
    let series = format!("sidemirror_jobs_total{{class=\"{class}\",outcome=\"{outcome}\"}}");
    worker.metric(&series).unwrap_or(0.0) as u64
}

/// How often anybody has asked for the list of processes.
fn looks_at_processes(connection: &mut Connection) -> u64 {
    let info: String = redis::cmd("INFO").arg("commandstats").query(connection).unwrap();
    let calls = info.lines().find_map(|line| line.strip_prefix("cmdstat_smembers:calls=")?.split(',').next());
    calls.map_or(0, |calls| calls.parse().unwrap())
}

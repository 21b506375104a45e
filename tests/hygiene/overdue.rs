//! A job that takes longer than it should, and all who tell of it.
//!
//! The process is the library's, not the program's: a mirror's run has a minute more than `run_deadline`, which no test
//! waits for.

use std::fs::{self, File};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::Commands as _;
use sidemirror::connections::{self, RedisSettings};
use sidemirror::sidekiq::{
    Identity, Job, JobFailure, NotDone, Perform, Process, Profile, QueueSet, Registry, Settings,
};
use sidemirror::web::health::Health;
use sidemirror::web::metrics::Metrics;
use sidemirror::web::watch::Watch;

use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::{WORK, json, push};

/// Goes on until it is told to leave. Its argument says how many seconds it should take.
struct Endless;

#[async_trait]
impl Perform for Endless {
    async fn perform(&self, job: &Job) -> Result<(), NotDone> {
        job.cancelled().cancelled().await;
        Err(JobFailure::new("Interrupted", "told to leave").into())
    }

    fn expected(&self, job: &Job) -> Option<Duration> {
        job.args().ok()?.first()?.as_u64().map(Duration::from_secs)
    }
}

#[tokio::test]
async fn a_job_that_takes_longer_than_it_should_is_told_of_by_metrics_log_status_and_ttin() {
    let redis = Redis::start();
    let (installation, mut connection) = (Installation::new(&redis.url()), redis.connection());
    let path = installation.folder().join("process.log");
    let log = || fs::read_to_string(&path).unwrap();
    let file = Arc::new(File::create(&path).unwrap());
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(file).finish();
    // Of this thread, and so of the whole process, whose runtime has no other.
    let _logging = tracing::subscriber::set_default(subscriber);

    let metrics = Arc::new(Metrics::new().unwrap());
    let process = start(&redis, &metrics).await;
    for (jid, seconds) in [("slow", 1), ("patient", 900)] {
        let job = format!(r#"{{"class":"Endless","queue":"mirrors","args":[{seconds}],"jid":"{jid}","retry":false}}"#);
        push(&mut connection, &job);
    }
    let overdue =
        |count: usize| metrics.render().lines().any(|line| line == format!("sidemirror_overdue_jobs {count}"));
    until("the metric", || overdue(1)).await;
    let warnings = || log().lines().filter(|line| line.contains("longer than it should")).map(str::to_owned).collect();
    let warned: Vec<String> = warnings();
    assert!(warned.len() == 1 && warned[0].contains("WARN") && warned[0].contains("jid=slow"), "{warned:?}");

    let status = || json(&installation, &["status", "--json"]);
    until("a heartbeat with the jobs", || {
        status()["processes"][0]["jobs"].as_array().is_some_and(|jobs| jobs.len() == 2)
    })
    .await;
    assert_eq!(status()["overdue_jobs"], 1);
    let page = installation.cli_ok(&["status"]);
    let marked: Vec<&str> = page.lines().filter(|line| line.contains("(overdue)")).collect();
    assert!(marked.len() == 1 && marked[0].starts_with("slow "), "{page}");

    connection.lpush::<_, _, ()>(format!("{}-signals", process.identity()), "TTIN").unwrap();
    let dumped = |jid: &str, overdue: bool| {
        let [jid, overdue] = [format!("jid={jid} "), format!("overdue={overdue} ")];
        log().lines().any(|line| [&*jid, &*overdue, "running slot="].iter().all(|part| line.contains(part)))
    };
    until("the dump", || dumped("slow", true) && dumped("patient", false)).await;

    connection.set::<_, _, ()>("sidemirror:cancellations", 1).unwrap();
    connection.set::<_, _, ()>("sidemirror:cancel:slow", 1).unwrap();
    until("none to be overdue any more", || overdue(0)).await;
    assert_eq!(warnings(), warned, "once for each job");
    process.stop().await;
}

/// Serves `mirrors`, watched as by the program.
async fn start(redis: &Redis, metrics: &Arc<Metrics>) -> Process {
    let queues = QueueSet::new([("mirrors".to_owned(), 1)]).unwrap();
    let mut settings = Settings::new(2, queues, Profile::V6_4);
    settings.timeout = Duration::from_secs(1);
    let registry = Registry::new().serve("Endless", Arc::new(Endless));
    let watch = Watch::new(Arc::new(Health::default()), Arc::clone(metrics), std::iter::empty());
    let server = connections::Redis::connect(&RedisSettings::new(redis.url().parse().unwrap())).await.unwrap();
    Process::start(Identity::new(), settings, server, registry, Arc::new(watch)).await.unwrap()
}

/// As `rig::wait`, for a process in this thread.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let all_of_it = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(WORK, all_of_it).await.unwrap_or_else(|_| panic!("waited {WORK:?} for {what}"));
}

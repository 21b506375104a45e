//! A process that serves the class `Tested`, whose first argument says what is to happen, and keeps a record.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use sidemirror::connections::Redis;
use sidemirror::sidekiq::{
    Identity, Job, JobFailure, JobReport, NotDone, Observer, Outcome, Perform, PollerSettings, Process, Profile,
    QueueSet, Registry, Settings,
};
use tokio::sync::Notify;
use tokio::sync::watch;

/// The first argument of a job that waits until the test lets it go on; the next one says what is to happen then.
const GATE: &str = "at the gate";

/// What happened, in order.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) started: AtomicUsize,
    pub(crate) running: AtomicUsize,
    pub(crate) most_running: AtomicUsize,
    pub(crate) ended: Mutex<Vec<(String, Outcome)>>,
    may_end: Notify,
    /// How often Redis was told to have lost its data.
    pub(crate) losses: AtomicUsize,
    /// Lets jobs go on that wait at the gate.
    gate: watch::Sender<bool>,
    /// Jobs that were given up, and why.
    pub(crate) abandoned: Mutex<Vec<(String, String)>>,
    pub(crate) paused: AtomicBool,
}

impl Record {
    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        self.ended.lock().unwrap().iter().filter(|(_, ended)| *ended == outcome).count()
    }

    /// Lets one job that waits for it end.
    pub(crate) fn let_go(&self) {
        self.may_end.notify_one();
    }

    pub(crate) fn open_gate(&self) {
        self.gate.send_replace(true);
    }

    pub(crate) fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }
}

impl Observer for Record {
    fn job_finished(&self, report: &JobReport<'_>) {
        self.ended.lock().unwrap().push((report.jid.to_owned(), report.outcome));
    }

    fn redis_lost_its_data(&self) {
        self.losses.fetch_add(1, Ordering::SeqCst);
    }

    fn paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::SeqCst);
    }
}

pub(crate) struct Tested(pub(crate) Arc<Record>);

#[async_trait]
impl Perform for Tested {
    async fn perform(&self, job: &Job) -> Result<(), NotDone> {
        self.0.started.fetch_add(1, Ordering::SeqCst);
        let running = self.0.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most_running.fetch_max(running, Ordering::SeqCst);
        if let [Value::String(word), ..] = &job.args()?[..]
            && word == GATE
        {
            let _ = self.0.gate.subscribe().wait_for(|is_open| *is_open).await;
        }
        let result = behave(&self.0, job).await;
        self.0.running.fetch_sub(1, Ordering::SeqCst);
        result
    }

    /// The second argument, in milliseconds.
    fn expected(&self, job: &Job) -> Option<Duration> {
        job.args().ok()?.get(1)?.as_u64().map(Duration::from_millis)
    }

    async fn abandoned(&self, job: &Job, reason: &str) {
        self.0.abandoned.lock().unwrap().push((job.jid().to_owned(), reason.to_owned()));
    }
}

async fn behave(record: &Record, job: &Job) -> Result<(), NotDone> {
    let boom = || JobFailure { causes: vec!["a cause".into()], ..JobFailure::new("IOError", "boom \u{e9}") };
    match job.args()?.iter().find_map(|arg| arg.as_str().filter(|word| *word != GATE)) {
        Some("fail") => Err(boom().into()),
        Some("again in 1000 s") => Err(NotDone::Again(boom(), Duration::from_secs(1000))),
        Some("kill") => Err(NotDone::Kill(boom())),
        Some("discard") => Err(NotDone::Discard(boom())),
        Some("later in 1000 s") => Err(NotDone::Later(Duration::from_secs(1000))),
        Some("panic") => panic!("out of order"),
        Some("nap") => {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(())
        }
        Some("until told") => {
            job.show_progress(|| "half way".to_owned());
            job.cancelled().cancelled().await;
            Err(JobFailure::new("Interrupted", "told to leave").into())
        }
        Some("until let go") => {
            record.may_end.notified().await;
            Ok(())
        }
        Some("never") => std::future::pending().await,
        _ => Ok(()),
    }
}

pub(crate) fn settings(concurrency: usize, queues: &[(&str, u32)]) -> Settings {
    let queues = QueueSet::new(queues.iter().map(|(name, weight)| ((*name).to_owned(), *weight))).unwrap();
    let mut settings = Settings::new(concurrency, queues, Profile::V6_4);
    settings.timeout = Duration::from_secs(5);
    settings.foreign_grace = Duration::ZERO;
    settings.poller = PollerSettings { own_interval: Some(Duration::from_millis(500)), ..PollerSettings::default() };
    settings
}

pub(crate) async fn start(redis: &Redis, settings: Settings) -> (Process, Arc<Record>) {
    let record = Arc::new(Record::default());
    let registry = Registry::new().serve("Tested", Arc::new(Tested(Arc::clone(&record))));
    let process =
        Process::start(Identity::new(), settings, redis.clone(), registry, Arc::clone(&record) as _).await.unwrap();
    (process, record)
}

//! Ruby's Sidekiq and we serve the same queue under load, and either is killed in the middle of it.
//!
//! What Ruby's own fetch had taken when it was killed is lost: it has the job in its memory only. So the claim is: each
//! job that Ruby had not taken is run, what we had in hand when we were killed included; where only we are killed,
//! every single one. And no job is run twice but those that we had in hand then.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use redis::{Commands as _, Connection};
use serde_json::Value;

use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::ruby::{Ruby, RubySidekiq, with_every_ruby};
use crate::rig::wait;
use crate::rig::worker::Worker;
use crate::{beside, is_settled};

const PATIENCE: Duration = Duration::from_mins(2);
/// Ruby's threads; each may have a job in hand.
const THREADS: usize = 5;

with_every_ruby!(each_job_of_a_shared_queue_is_run_whoever_is_killed, nothing_is_lost_where_only_we_are_killed);

/// How much is asked.
struct Load {
    jobs: usize,
    /// How often each side is killed.
    kills: usize,
    /// Whether the next of us has to wait until the lease of the killed one runs out by itself, after a minute.
    waits_for_lease: bool,
}

impl Load {
    fn chosen() -> Self {
        if std::env::var_os("SIDEMIRROR_LONG").is_some() {
            Self { jobs: 5_000, kills: 5, waits_for_lease: true }
        } else {
            Self { jobs: 1_500, kills: 1, waits_for_lease: false }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Ruby,
    Ours,
}

fn each_job_of_a_shared_queue_is_run_whoever_is_killed(ruby: Ruby) {
    let load = Load::chosen();
    share(ruby, &load, [vec![Side::Ruby; load.kills], vec![Side::Ours; load.kills]].concat());
}

/// Here nothing can be put down to Ruby's fetch.
fn nothing_is_lost_where_only_we_are_killed(ruby: Ruby) {
    let load = Load::chosen();
    share(ruby, &load, vec![Side::Ours; 2 * load.kills]);
}

/// Has both sides run the jobs, kills them in the middle of it in any order, and judges what became of each job.
fn share(ruby: Ruby, load: &Load, mut kills: Vec<Side>) {
    let mut chance = StdRng::seed_from_u64(load.jobs as u64 + ruby as u64);
    kills.shuffle(&mut chance);
    let kills_of_ruby = kills.iter().filter(|side| matches!(side, Side::Ruby)).count();

    let redis = Redis::start();
    let mut field = Field::prepare(ruby, &redis);
    let jids = field.stage(load.jobs);
    let portion = load.jobs.div_ceil(kills.len() + 1);
    for side in kills {
        field.feed(portion);
        let left = chance.random_range(portion / 10..portion * 9 / 10);
        wait::until("some jobs to be taken", PATIENCE, || field.waiting() <= left);
        match side {
            Side::Ruby => field.kill_ruby(),
            Side::Ours => field.kill_ours(load.waits_for_lease),
        }
    }
    field.feed(load.jobs);
    wait::until("all jobs to be taken and settled", PATIENCE, || field.is_settled());
    field.finish().judge(&jids, kills_of_ruby);
}

/// Both sides at work.
struct Field<'r> {
    ruby: Ruby,
    redis: &'r Redis,
    connection: Connection,
    installation: Installation,
    sidekiq: Option<RubySidekiq>,
    worker: Worker,
    /// The logs of our processes that have ended, each with what it had in hand when it was killed.
    ended: Vec<(String, BTreeSet<String>)>,
}

impl<'r> Field<'r> {
    fn prepare(ruby: Ruby, redis: &'r Redis) -> Self {
        let installation = beside(ruby, redis).set("queues", "[[shared, 1]]").set("concurrency", 5);
        let (sidekiq, worker) = (Some(start_ruby(ruby, redis)), installation.start_worker());
        Self { ruby, redis, connection: redis.connection(), installation, sidekiq, worker, ended: Vec::new() }
    }

    /// Has Ruby push the jobs where nobody takes them from. Their mirrors do not exist, so we are done with each at
    /// once.
    fn stage(&mut self, jobs: usize) -> BTreeSet<String> {
        let push = format!(
            "args = (1..{jobs}).map {{ |number| [900_000 + number] }}
             Sidekiq::Client.push_bulk('class' => 'UpdateMirror', 'queue' => 'staged', 'args' => args)"
        );
        serde_json::from_value(self.ruby.eval(&self.redis.url(), &push)).unwrap()
    }

    fn feed(&mut self, jobs: usize) {
        let mut commands = redis::pipe();
        for _ in 0..jobs {
            commands.cmd("LMOVE").arg("queue:staged").arg("queue:shared").arg("RIGHT").arg("LEFT").ignore();
        }
        commands.query::<()>(&mut self.connection).unwrap();
    }

    fn waiting(&mut self) -> usize {
        self.connection.llen("queue:shared").unwrap()
    }

    fn kill_ruby(&mut self) {
        self.sidekiq.take().into_iter().for_each(RubySidekiq::kill);
        self.sidekiq = Some(start_ruby(self.ruby, self.redis));
    }

    fn kill_ours(&mut self, waits_for_lease: bool) {
        self.worker.kill();
        let in_hand = jids(&self.working().into_values().flatten().collect::<Vec<_>>());
        self.ended.push((self.worker.log(), in_hand));
        if !waits_for_lease {
            let leases: Vec<String> = self.connection.keys("reliable-fetcher-heartbeat-*").unwrap();
            self.connection.del::<_, ()>(leases).unwrap();
        }
        self.worker = self.installation.start_worker();
    }

    /// What lies in working lists.
    fn working(&mut self) -> BTreeMap<String, Vec<Vec<u8>>> {
        let lists: Vec<String> = self.connection.keys("working:*").unwrap();
        lists.into_iter().map(|list| (list.clone(), self.connection.lrange(&list, 0, -1).unwrap())).collect()
    }

    fn is_settled(&mut self) -> bool {
        is_settled(&mut self.connection, "queue:shared")
    }

    fn finish(mut self) -> Runs {
        self.sidekiq.take().into_iter().for_each(RubySidekiq::terminate);
        assert!(self.worker.terminate().success());
        assert!(self.is_settled());
        assert_eq!(self.connection.exists::<_, u64>(&["queue:staged", "retry", "dead", "schedule"]).unwrap(), 0);
        self.ended.push((self.worker.log(), BTreeSet::new()));
        Runs {
            ruby: self.ruby,
            ruby_took: self.connection.lrange("ruby_took", 0, -1).unwrap(),
            ruby_did: self.connection.lrange("ruby_did", 0, -1).unwrap(),
            ours: self.ended,
        }
    }
}

fn start_ruby(ruby: Ruby, redis: &Redis) -> RubySidekiq {
    ruby.start_sidekiq(&redis.url(), include_str!("mirrors_of_nobody.rb"), &["shared"], THREADS)
}

/// Who says to have run what.
struct Runs {
    ruby: Ruby,
    ruby_took: Vec<String>,
    ruby_did: Vec<String>,
    ours: Vec<(String, BTreeSet<String>)>,
}

impl Runs {
    fn judge(&self, jobs: &BTreeSet<String>, kills_of_ruby: usize) {
        let mut runs: BTreeMap<&str, usize> = BTreeMap::new();
        let mut in_hand: BTreeSet<&str> = BTreeSet::new();
        let mut by_us = 0;
        for (log, had) in &self.ours {
            // A job that was begun and is not in hand any more was done, though the log was not told before the kill.
            let begun: BTreeSet<&str> = log.lines().filter(|line| line.ends_with(": start")).map(jid_of_line).collect();
            let ended = log.lines().filter(|line| line.contains(": end outcome=\"done\"")).map(jid_of_line);
            let done: BTreeSet<&str> = ended.chain(begun.into_iter().filter(|jid| !had.contains(*jid))).collect();
            by_us += done.len();
            for jid in done {
                *runs.entry(jid).or_default() += 1;
            }
            in_hand.extend(had.iter().map(String::as_str));
        }
        for jid in &self.ruby_did {
            *runs.entry(jid).or_default() += 1;
        }

        let lost: BTreeSet<&str> = jobs.iter().map(String::as_str).filter(|jid| !runs.contains_key(jid)).collect();
        let twice: BTreeSet<&str> = runs.iter().filter(|(_, times)| **times > 1).map(|(jid, _)| *jid).collect();
        let taken: BTreeSet<&str> = self.ruby_took.iter().map(String::as_str).collect();
        let seen_taken = lost.intersection(&taken).count();
        // Not captured, so that the figures show whenever the tests are run.
        let report = format!(
            "{:?}: {} jobs: {by_us} runs by us, {} by Ruby, {} in our hands when we were killed, {} run twice, {} lost by \
             Ruby ({seen_taken} of them it had begun)\n",
            self.ruby,
            jobs.len(),
            self.ruby_did.len(),
            in_hand.len(),
            twice.len(),
            lost.len(),
        );
        io::stderr().write_all(report.as_bytes()).unwrap();
        assert!(by_us > 0 && !self.ruby_did.is_empty(), "both took part");
        assert!(runs.keys().all(|jid| jobs.contains(*jid)));
        assert_eq!(lost.intersection(&in_hand).count(), 0, "what we had in hand was run later");
        assert!(
            lost.len() <= kills_of_ruby * THREADS,
            "more is lost than a killed Ruby can have had in hand: {lost:?}"
        );
        assert!(twice.is_subset(&in_hand), "run twice without need: {:?}", twice.difference(&in_hand));
        assert_eq!(self.ruby_took.len(), taken.len(), "nothing that Ruby took was given to it again");
    }
}

fn jids(payloads: &[Vec<u8>]) -> BTreeSet<String> {
    let jid = |text: &Vec<u8>| serde_json::from_slice::<Value>(text).unwrap()["jid"].as_str().unwrap().to_owned();
    payloads.iter().map(jid).collect()
}

/// The jid in a line that was logged on behalf of a job.
fn jid_of_line(line: &str) -> &str {
    line.split_once(" jid=").unwrap().1.split([' ', '}']).next().unwrap()
}

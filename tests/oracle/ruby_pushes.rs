//! Jobs that Ruby pushes, by every means it has, do their work with us.

use std::time::Duration;

use crate::rig::git_http::GitServer;
use crate::rig::installation::Installation;
use crate::rig::redis::Redis;
use crate::rig::repository::{self, Repository};
use crate::rig::ruby::{Ruby, RubySidekiq, with_every_ruby};
use crate::rig::wait;
use crate::rig::worker::Worker;
use crate::ruby_api;
use crate::{beside, beside_ruby};

const PATIENCE: Duration = Duration::from_mins(1);

with_every_ruby!(
    a_job_pushed_by_any_means_of_the_client_updates_its_mirror,
    a_job_of_a_rails_application_updates_its_mirror
);

fn a_job_pushed_by_any_means_of_the_client_updates_its_mirror(ruby: Ruby) {
    each_job_updates_its_mirror(ruby, include_str!("every_means.rb"));
}

fn a_job_of_a_rails_application_updates_its_mirror(ruby: Ruby) {
    each_job_updates_its_mirror(ruby, include_str!("rails_forge.rb"));
}

/// Runs a script that pushes jobs for the mirrors from 1 to the number that it returns, one each.
fn each_job_updates_its_mirror(ruby: Ruby, script: &str) {
    let (redis, git) = (Redis::start(), GitServer::start());
    git.create("up/stream.git").commit("main", "first");
    let jobs = ruby.eval(&redis.url(), script).as_u64().unwrap();
    let installation = of_two_queues(beside(ruby, &redis));
    for id in 1..=jobs {
        installation.add_mirror("pull", id, &format!("{id}.git"), &git.url("up/stream.git"), &[]);
    }
    let seen = ruby_api::look(ruby, &redis);
    assert_eq!(seen.enqueued + seen.scheduled, jobs, "Ruby pushed them, and for later, too");
    assert!(seen.enqueued > 0 && seen.scheduled > 0);

    let mut worker = installation.start_worker();
    wait::until("all jobs to be done", PATIENCE, || jobs_done(&worker, "UpdateMirror") >= jobs as f64);
    assert!(worker.terminate().success());

    let upstream = repository::refs(&git.repository_path("up/stream.git"));
    for id in 1..=jobs {
        assert_eq!(installation.repository(&format!("{id}.git")).mirrored_refs(), upstream, "mirror {id}");
    }
    let seen = ruby_api::look(ruby, &redis);
    assert_eq!((seen.processed, seen.failed, seen.retry.len(), seen.dead.len()), (jobs, 0, 0, 0));
}

#[test]
fn a_job_of_sidekiqs_cron_tab_updates_its_mirror() {
    let (redis, git) = (Redis::start(), GitServer::start());
    git.create("up/stream.git").commit("main", "first");
    git.create("far/side.git");
    let installation = of_two_queues(beside_ruby(&redis));
    installation.add_mirror("pull", 1, "pulled.git", &git.url("up/stream.git"), &[]);
    Repository::create(installation.repository("pushed.git").path()).commit("main", "ours");
    installation.add_mirror("push", 2, "pushed.git", &git.url("far/side.git"), &[]);
    let mut worker = installation.start_worker();

    let sidekiq = RubySidekiq::start(&redis.url(), include_str!("forge_with_cron_tab.rb"), &["elsewhere"], 1);
    // If a minute has just begun, the tab waits for the next.
    wait::until("both jobs to be done", 2 * PATIENCE, || {
        jobs_done(&worker, "UpdateMirror") >= 1.0 && jobs_done(&worker, "RemoteMirror") >= 1.0
    });
    sidekiq.terminate();
    assert!(worker.terminate().success());

    let upstream = repository::refs(&git.repository_path("up/stream.git"));
    assert_eq!(installation.repository("pulled.git").mirrored_refs(), upstream);
    let far_side = Repository::open(&git.repository_path("far/side.git"));
    assert_eq!(far_side.mirrored_refs(), installation.repository("pushed.git").mirrored_refs());
}

fn of_two_queues(installation: Installation) -> Installation {
    installation.set("queues", "[[mirrors, 1], [patience, 1]]").set("poll_interval_average", 0.5).mirror("poller", true)
}

fn jobs_done(worker: &Worker, class: &str) -> f64 {
    worker.metric(&format!("sidemirror_jobs_total{{class=\"{class}\",outcome=\"done\"}}")).unwrap_or(0.0)
}

//! Sidekiq's own Web UI in a real browser: it shows our process and our jobs, and its buttons act on them.
//!
//! One browser for each version of Sidekiq; its pages are visited one after the other, and each function here is one
//! claim about what they show. Pictures of them are kept in `target/tmp/screenshots`.
//!
//! A process shows with its next heartbeat what became of it, every ten seconds, so these tests mostly wait: all run at
//! the same time, however few processors there are.

#![cfg(test)]

mod browser;
mod busy;
mod cron;
mod dashboard;
mod figures;
mod queues;
mod scene;
mod sets;
mod sidekiq_web;

#[path = "../rig/mod.rs"]
mod rig;

use std::fs;

use dashboard::Dashboard;
use libtest_mimic::{Arguments, Trial};
use rig::ruby::Ruby;
use scene::Scene;

fn main() {
    let trials = vec![
        trial("sidekiq_6_4_shows_what_we_do_and_its_buttons_act_on_us", || tour(Ruby::Bookworm)),
        trial("sidekiq_7_shows_what_we_do_and_its_buttons_act_on_us", || tour(Ruby::Trixie)),
        trial("sidekiq_8_shows_what_we_do_and_its_buttons_act_on_us", || tour(Ruby::Sid)),
        trial(
            "sidekiq_cron_shows_our_schedule_and_its_buttons_act_on_it",
            cron::our_schedule_is_shown_disabled_and_asked_for,
        ),
    ];
    // Those of the last run, if there are any.
    let _ = fs::remove_dir_all(dashboard::screenshots());
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(trials.len());
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

/// Through all pages of one Sidekiq.
fn tour(ruby: Ruby) {
    let mut scene = Scene::set(ruby);
    let dashboard = Dashboard::open(ruby, &scene.redis.url());

    sets::failed_jobs_are_shown_with_their_errors(&dashboard);
    sets::kill_and_delete_take_a_job_from_the_retries(&dashboard);
    sets::what_we_put_off_is_shown_taken_up_and_deleted(&dashboard, &mut scene);

    busy::our_process_and_its_job_are_shown(&dashboard, &scene);
    figures::the_day_is_counted(&dashboard);

    sets::retry_now_runs_a_failed_job(&dashboard, &mut scene);
    sets::dead_jobs_are_shown_retried_and_deleted(&dashboard, &scene);

    busy::quiet_lets_us_take_no_more_jobs(&dashboard);
    figures::what_was_done_meanwhile_is_counted(&dashboard);
    queues::jobs_that_we_pushed_wait_in_their_queue(&dashboard, &scene);
    queues::one_job_and_a_whole_queue_are_deleted(&dashboard, &mut scene);
    busy::stop_ends_us_and_the_job_is_back_in_its_queue(&dashboard, &mut scene);

    // 6 has no such page.
    if ruby != Ruby::Bookworm {
        figures::the_metrics_of_our_jobs_are_shown(&dashboard);
    }
}

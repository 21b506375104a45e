//! Workers that are killed, stopped, told to end, or cut off from Redis in the middle of their runs: no job is lost,
//! and no mirror is run by two at once.
//!
//! Most of these tests wait: a dead worker's ownership of a run ends after 30 seconds, its sign of life after 60, and
//! jobs of dead workers are looked for every 30. So all of them run at the same time, however few processors there are.

#![cfg(test)]

mod debris;
mod far_side;
mod jobs;
mod killed;
mod lost_reply;
mod outage;
mod ownership;
mod slots;
mod stopped;
mod terminated;
mod world;

#[path = "../rig/mod.rs"]
mod rig;

use libtest_mimic::{Arguments, Trial};

/// Each test under its own path.
macro_rules! trials {
    ($($module:ident::$test:ident,)*) => {
        vec![$(Trial::test(concat!(stringify!($module), "::", stringify!($test)), || {
            $module::$test();
            Ok(())
        })),*]
    };
}

fn main() {
    let mut trials = trials![
        killed::after_a_kill_the_restarted_worker_runs_every_job,
        killed::after_a_kill_another_worker_runs_every_job_beside_its_own,
        stopped::a_worker_that_wakes_after_its_mirrors_were_taken_over_leaves_and_changes_nothing,
        stopped::a_worker_that_wakes_before_its_mirrors_were_taken_over_runs_them_itself,
        stopped::jobs_that_were_fetched_just_before_a_long_stop_are_not_run_after_it,
        terminated::jobs_that_do_not_end_in_time_go_back_unchanged_and_are_run_by_the_next_worker,
        terminated::a_second_term_changes_nothing,
        terminated::a_job_that_waits_for_its_mirror_goes_back_too,
        debris::what_a_worker_killed_in_a_transfer_left_is_cleared_away_by_the_next_run,
        ownership::a_dead_owner_keeps_others_from_its_mirror_for_thirty_seconds_only,
        slots::the_sweep_frees_the_slots_that_nobody_uses_and_no_others,
        outage::runs_outlast_a_redis_that_is_killed_and_started_again,
        outage::runs_outlast_a_redis_that_does_not_answer,
        outage::a_redis_that_comes_back_empty_is_told_of_once_and_work_goes_on,
        outage::runs_that_begin_and_end_during_an_outage_are_written_down_after_it,
        lost_reply::a_job_whose_fetch_is_not_answered_is_run,
        lost_reply::a_job_whose_blocking_fetch_is_not_answered_is_run,
        lost_reply::a_job_whose_fetch_with_an_acknowledgement_is_not_answered_is_run,
    ];
    if std::env::var_os("SIDEMIRROR_LONG").is_some() {
        trials.extend(trials![slots::the_sweep_frees_the_slot_of_a_run_whose_job_nobody_brought_back,]);
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(trials.len());
    libtest_mimic::run(&arguments, trials).exit();
}

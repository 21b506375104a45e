//! The pages of what is to be retried, what is dead, and what is to come.

use crate::dashboard::{Dashboard, is_about_now};
use crate::rig::repository;
use crate::rig::wait;
use crate::scene::{PATIENCE, Scene};

const NO_NUMBER: &str = "ArgumentError: the job's first argument is not the number of a mirror, such as 42";
const NO_REPOSITORY: &str =
    "Sidemirror::UpdateError: The repository late.git does not exist, so there is nothing to push.";

pub(crate) fn failed_jobs_are_shown_with_their_errors(dashboard: &Dashboard) {
    let page = dashboard.visit("retries");
    dashboard.keep("retries");
    assert_eq!(page.rows("Next Retry").len(), 3, "{page:#?}");
    let job = page.row("to be killed");
    assert_eq!(job["Job"], "UpdateMirror nightly", "{job:?}");
    assert_eq!(job["Arguments"], r#""to be killed", {"größe"=>"<b>&</b>"}"#, "{job:?}");
    assert_eq!((job["Queue"].as_str(), job["Retry Count"].as_str()), ("mirrors", "0"), "{job:?}");
    assert_eq!(job["Error"], NO_NUMBER, "{job:?}");
    assert!(is_about_now(&job["Next Retry"]), "{job:?}");
    assert_eq!(page.row("RemoteMirror")["Error"], NO_REPOSITORY, "{page:#?}");

    let page = dashboard.follow("RemoteMirror", 2);
    dashboard.keep("retry");
    let (class, message) = NO_REPOSITORY.split_once(": ").unwrap();
    assert!(page.address.starts_with("/retries/"), "{page:#?}");
    assert_eq!((page.details["Error Class"].as_str(), page.details["Error Message"].as_str()), (class, message));
    assert!(page.details["Error Backtrace"].contains(message), "{page:#?}");
    assert_eq!((page.details["Queue"].as_str(), page.details["Arguments"].as_str()), ("mirrors", "3"), "{page:#?}");
    for time in ["Created At", "Enqueued", "Originally Failed", "Next Retry"] {
        assert!(is_about_now(&page.details[time]), "{time} in {page:#?}");
    }
}

pub(crate) fn kill_and_delete_take_a_job_from_the_retries(dashboard: &Dashboard) {
    dashboard.visit("retries");
    dashboard.tick("to be killed");
    dashboard.press("kill");
    let page = dashboard.until_shown("morgue", "the killed job", |page| page.has_row("to be killed"));
    assert_eq!(page.row("to be killed")["Error"], NO_NUMBER, "{page:#?}");

    dashboard.visit("retries");
    dashboard.tick("to be deleted");
    dashboard.press("delete");
    let page = dashboard.until_shown("retries", "one job alone", |page| page.rows("Next Retry").len() == 1);
    assert!(page.has_row("RemoteMirror"), "{page:#?}");
}

pub(crate) fn what_we_put_off_is_shown_taken_up_and_deleted(dashboard: &Dashboard, scene: &mut Scene) {
    let page = dashboard.visit("scheduled");
    dashboard.keep("scheduled");
    assert_eq!(page.rows("When").len(), 1, "{page:#?}");
    let job = page.rows("When")[0];
    assert_eq!((job["Job"].as_str(), job["Arguments"].as_str()), ("UpdateMirror nightly", "1"), "{job:?}");
    assert_eq!(job["Queue"], "mirrors", "{job:?}");
    assert!(is_about_now(&job["When"]), "{job:?}");

    let [(before, first)] = &scene.members("schedule")[..] else { panic!("{page:#?}") };
    dashboard.tick("UpdateMirror");
    dashboard.press("add_to_queue");
    wait::until(
        "the job to be taken up and put off once more",
        PATIENCE,
        || matches!(&scene.members("schedule")[..], [(after, again)] if after["jid"] == before["jid"] && again > first),
    );

    dashboard.visit("scheduled");
    dashboard.tick("UpdateMirror");
    dashboard.press("delete");
    let page = dashboard.until_shown("scheduled", "no job", |page| page.rows("When").is_empty());
    assert!(page.text.contains("No scheduled jobs were found"), "{}", page.text);
    assert_eq!(scene.members("schedule"), []);
}

pub(crate) fn retry_now_runs_a_failed_job(dashboard: &Dashboard, scene: &mut Scene) {
    scene.create_repository("late.git");
    dashboard.visit("retries");
    dashboard.tick("RemoteMirror");
    dashboard.press("retry");
    wait_for_far_side(scene, "late.git");
    let page = dashboard.visit("retries");
    dashboard.keep("retries-empty");
    assert!(page.text.contains("No retries were found"), "{}", page.text);
    assert_eq!(scene.members("retry"), []);
}

pub(crate) fn dead_jobs_are_shown_retried_and_deleted(dashboard: &Dashboard, scene: &Scene) {
    let page = dashboard.visit("morgue");
    dashboard.keep("dead");
    assert_eq!(page.rows("Last Retry").len(), 3, "{page:#?}");
    let job = page.row("to be buried");
    assert_eq!((job["Job"].as_str(), job["Queue"].as_str()), ("UpdateMirror nightly", "mirrors"), "{job:?}");
    assert_eq!(job["Error"], NO_NUMBER, "{job:?}");
    assert!(is_about_now(&job["Last Retry"]), "{job:?}");

    scene.create_repository("later.git");
    dashboard.tick("RemoteMirror");
    dashboard.press("retry");
    wait_for_far_side(scene, "later.git");

    dashboard.visit("morgue");
    dashboard.tick("to be buried");
    dashboard.press("delete");
    let page = dashboard.until_shown("morgue", "one job less", |page| page.rows("Last Retry").len() == 1);
    assert!(page.has_row("to be killed"), "{page:#?}");
}

/// Waits until the job of this repository has done what it is for.
fn wait_for_far_side(scene: &Scene, path: &str) {
    let ours = scene.installation.repository(path).mirrored_refs();
    let far = scene.git.repository_path(&format!("far/{path}"));
    wait::until("the far side to have our refs", PATIENCE, || repository::refs(&far) == ours);
}

//! The Busy page: our process, what it is doing, and the buttons that end it.

use crate::dashboard::{Dashboard, is_about_now};
use crate::scene::Scene;

pub(crate) fn our_process_and_its_job_are_shown(dashboard: &Dashboard, scene: &Scene) {
    let page = dashboard.until_shown("busy", "a job in hand", |page| page.rows("JID").len() == 1);
    dashboard.keep("busy");

    let process = page.row("Queues: mirrors");
    assert!(process["Name"].starts_with(&scene.process), "{process:?}");
    for part in ["forge", "sidemirror", "alpha", "Queues: mirrors"] {
        assert!(process["Name"].contains(part), "{part} in {process:?}");
    }
    assert!(!process["Name"].contains("quiet"), "{process:?}");
    assert_eq!((process["Threads"].as_str(), process["Busy"].as_str()), ("4", "1"), "{process:?}");
    assert!(process.iter().any(|(head, shown)| head.starts_with("RSS") && shown.ends_with('B')), "{process:?}");

    let job = page.rows("JID")[0];
    assert!(job["Process"].starts_with(&scene.process), "{job:?}");
    assert_eq!((job["Queue"].as_str(), job["Arguments"].as_str()), ("mirrors", "1"), "{job:?}");
    assert_eq!(job["Job"], "UpdateMirror nightly", "{job:?}");
    assert!(is_about_now(&process["Started"]) && is_about_now(&job["Started"]), "{page:#?}");
    assert_eq!(page.figures["Busy"], 1, "{:?}", page.figures);
}

pub(crate) fn quiet_lets_us_take_no_more_jobs(dashboard: &Dashboard) {
    dashboard.visit("busy");
    dashboard.press_in_row("Queues: mirrors", "quiet");
    let page = dashboard
        .until_shown("busy", "that we are quiet", |page| page.row("Queues: mirrors")["Name"].contains(" quiet "));
    dashboard.keep("busy-quiet");
    assert_eq!(page.rows("JID").len(), 1, "the job in hand goes on: {page:#?}");
}

pub(crate) fn stop_ends_us_and_the_job_is_back_in_its_queue(dashboard: &Dashboard, scene: &mut Scene) {
    dashboard.visit("busy");
    dashboard.press_in_row("Queues: mirrors", "stop");
    assert!(scene.worker.wait().success(), "a stop from the dashboard is an orderly end");
    let page = dashboard.visit("busy");
    dashboard.keep("busy-stopped");
    assert!(!page.has_row("Queues: mirrors") && page.rows("JID").is_empty(), "{page:#?}");

    let page = dashboard.visit("queues/mirrors");
    dashboard.keep("queue-after-stop");
    let jobs = page.rows("Arguments");
    assert_eq!(jobs.len(), 1, "{page:#?}");
    assert_eq!((jobs[0]["Job"].as_str(), jobs[0]["Arguments"].as_str()), ("UpdateMirror nightly", "1"), "{page:#?}");
}

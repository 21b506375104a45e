//! The pages of the queues and of the jobs that wait in one.

use redis::Commands as _;

use crate::dashboard::Dashboard;
use crate::scene::Scene;

pub(crate) fn jobs_that_we_pushed_wait_in_their_queue(dashboard: &Dashboard, scene: &Scene) {
    // The worker is quiet, so they stay where they are.
    scene.installation.cli_ok(&["mirror", "sync", "pull", "2"]);
    scene.installation.cli_ok(&["mirror", "sync", "push", "3"]);
    let page = dashboard.visit("queues");
    dashboard.keep("queues");
    assert_eq!(page.row("mirrors")["Size"], "2", "{page:#?}");
    let latency: f64 = page.row("mirrors")["Latency"].parse().unwrap();
    assert!((0.0..20.0).contains(&latency), "{page:#?}");

    let page = dashboard.follow("mirrors", 1);
    dashboard.keep("queue");
    assert_eq!(page.address, "/queues/mirrors");
    let jobs: Vec<_> = page.rows("Arguments").iter().map(|row| (&*row["Job"], &*row["Arguments"])).collect();
    assert_eq!(jobs, [("RemoteMirror", "3"), ("UpdateMirror", "2")], "{page:#?}");
}

pub(crate) fn one_job_and_a_whole_queue_are_deleted(dashboard: &Dashboard, scene: &mut Scene) {
    dashboard.visit("queues/mirrors");
    dashboard.press_in_row("UpdateMirror", "delete");
    let page = dashboard.until_shown("queues/mirrors", "one job less", |page| page.rows("Arguments").len() == 1);
    assert!(page.has_row("RemoteMirror"), "{page:#?}");

    dashboard.visit("queues");
    dashboard.press_in_row("mirrors", "delete");
    dashboard.until_shown("queues", "that the queue is gone", |page| !page.has_row("mirrors"));
    assert_eq!(scene.connection.llen::<_, u64>("queue:mirrors").unwrap(), 0);
}

//! The figures on the Dashboard and on the Metrics page.

use crate::dashboard::{Dashboard, Page};

/// Processed and failed.
type Counted = (u64, u64);

/// Of eight jobs one is in hand and one was put off, which counts for nothing.
const AT_FIRST: Counted = (6, 5);
/// One retry from each set was done.
const LATER: Counted = (8, 5);

pub(crate) fn the_day_is_counted(dashboard: &Dashboard) {
    let page = dashboard.until_shown("", "what was done and failed so far", |page| shows(page, AT_FIRST));
    dashboard.keep("dashboard");
    let figures = ["Retries", "Dead", "Scheduled", "Enqueued", "Busy"].map(|name| page.figures[name]);
    assert_eq!(figures, [1, 3, 0, 0, 1], "{:?}", page.figures);
}

pub(crate) fn what_was_done_meanwhile_is_counted(dashboard: &Dashboard) {
    dashboard.until_shown("", "that two more are done", |page| shows(page, LATER));
    dashboard.keep("dashboard-later");
}

pub(crate) fn the_metrics_of_our_jobs_are_shown(dashboard: &Dashboard) {
    let page = dashboard.until_shown("metrics", "both of our job classes", |page| {
        page.has_row("UpdateMirror") && page.has_row("RemoteMirror")
    });
    dashboard.keep("metrics");
    for (class, success, failure) in [("UpdateMirror", "1", "3"), ("RemoteMirror", "2", "2")] {
        let row = page.row(class);
        assert_eq!((row["Success"].as_str(), row["Failure"].as_str()), (success, failure), "{row:?}");
    }
    let page = dashboard.visit("metrics/UpdateMirror");
    dashboard.keep("metrics-of-a-class");
    // How long jobs took is only told of those that were done.
    assert_eq!(page.histogram.iter().flatten().sum::<u64>(), 1, "{page:#?}");
}

/// In the totals, and in the history of the days, which began with this test.
fn shows(page: &Page, counted: Counted) -> bool {
    counted == (page.figures["Processed"], page.figures["Failed"]) && Some(counted) == page.newest_day
}

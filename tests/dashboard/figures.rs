//! The figures on the Dashboard and on the Metrics page.

use crate::dashboard::{Dashboard, Page};

/// `Processed` and `Failed` as they stand on top of a page.
type Counted = (u64, u64);

/// Eight jobs have come so far: two are in hand or put off, which counts for nothing.
pub(crate) fn the_day_is_counted(dashboard: &Dashboard) -> Counted {
    let page = dashboard.until_shown("", "what was done and failed so far", |page| shows(page, (6, 5)));
    dashboard.keep("dashboard");
    let figures = ["Retries", "Dead", "Scheduled", "Enqueued"].map(|name| page.figures[name]);
    assert_eq!(figures, [1, 3, 0, 0], "{:?}", page.figures);
    assert_eq!(page.figures["Busy"], 1, "{:?}", page.figures);
    (6, 5)
}

/// One retry from each set was done.
pub(crate) fn what_was_done_meanwhile_is_counted(dashboard: &Dashboard, (processed, failed): Counted) {
    let now = (processed + 2, failed);
    dashboard.until_shown("", "that two more are done", |page| shows(page, now));
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
    assert!(!page.text.contains("No recent job metrics"), "{}", page.text);
}

/// In the totals, and in the history of the days, which began with this test.
fn shows(page: &Page, counted: Counted) -> bool {
    counted == (page.figures["Processed"], page.figures["Failed"]) && Some(counted) == page.newest_day
}

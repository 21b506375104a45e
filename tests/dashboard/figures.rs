//! The figures on the Dashboard and on the Metrics page.

use std::collections::BTreeMap;

use crate::dashboard::{Dashboard, Page};

/// `Processed` and `Failed` as they stand on top of a page.
type Counted = (u64, u64);

/// Eight jobs have come so far: two are in hand or put off, which counts for nothing.
pub(crate) fn the_day_is_counted(dashboard: &Dashboard) -> Counted {
    let page = dashboard.until_shown("", "what was done and failed so far", |page| counted(page) == (6, 5));
    dashboard.keep("dashboard");
    assert_eq!(today(dashboard), counted(&page), "the history of the day against the totals");
    let figures = ["Retries", "Dead", "Scheduled", "Enqueued"].map(|name| page.figures[name]);
    assert_eq!(figures, [3, 2, 1, 0], "{:?}", page.figures);
    assert_eq!(page.figures["Busy"], 1, "{:?}", page.figures);
    counted(&page)
}

/// One retry from each set was done.
pub(crate) fn what_was_done_meanwhile_is_counted(dashboard: &Dashboard, (processed, failed): Counted) {
    let now = (processed + 2, failed);
    dashboard.until_shown("", "that two more are done", |page| counted(page) == now);
    dashboard.keep("dashboard-later");
    assert_eq!(today(dashboard), now, "the history of the day against the totals");
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

fn counted(page: &Page) -> Counted {
    (page.figures["Processed"], page.figures["Failed"])
}

/// What the chart of the last days is drawn from: the newest day. 6 keeps it in attributes, 7 and 8 in the canvas.
fn today(dashboard: &Dashboard) -> Counted {
    const HISTORY: &str = "
        const chart = document.querySelector('#history-chart');
        if (chart === null) {
            const { processed, failed } = document.querySelector('#history').dataset;
            return [JSON.parse(processed), JSON.parse(failed)];
        }
        const { processed, failed } = JSON.parse(chart.textContent);
        return [Object.fromEntries(processed), Object.fromEntries(failed)];
    ";
    let [processed, failed]: [BTreeMap<String, u64>; 2] = dashboard.evaluate(HISTORY);
    let newest = |days: BTreeMap<String, u64>| days.last_key_value().map(|(_, count)| *count).unwrap();
    (newest(processed), newest(failed))
}

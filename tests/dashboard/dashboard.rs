//! Sidekiq's Web UI in a browser: its pages, read as a user reads them, and its buttons.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use crate::browser::Browser;
use crate::rig::ruby::Ruby;
use crate::sidekiq_web::SidekiqWeb;

/// More than two beats of a heart that beats every ten seconds: one takes a signal, the next tells what it did.
const PATIENCE: Duration = Duration::from_secs(40);
/// As far as a first retry is away, on a busy machine.
const NEAR: TimeDelta = TimeDelta::minutes(3);
const PAUSE: Duration = Duration::from_millis(200);

/// The Web UI of one Sidekiq, open in a browser.
pub(crate) struct Dashboard {
    browser: Browser,
    web: SidekiqWeb,
    screenshots: PathBuf,
    version: &'static str,
}

/// What one page shows.
#[derive(Debug, Deserialize)]
pub(crate) struct Page {
    /// The path of its address.
    pub(crate) address: String,
    /// All of it.
    pub(crate) text: String,
    /// What stands on top of every page: `Processed`, `Failed`, `Busy`, `Enqueued`, `Retries`, `Scheduled`, `Dead`.
    pub(crate) figures: BTreeMap<String, u64>,
    /// On the Dashboard: what the chart of the days has for the newest, processed and failed.
    pub(crate) newest_day: Option<(u64, u64)>,
    /// On the page of a class's metrics: how many jobs took how long.
    pub(crate) histogram: Option<Vec<u64>>,
    /// Every row of its tables, by the headings of the columns.
    rows: Vec<Row>,
    /// On the page of one job: its properties.
    pub(crate) details: BTreeMap<String, String>,
}

/// One row of a table: what stands under each heading.
pub(crate) type Row = BTreeMap<String, String>;

impl Dashboard {
    /// Opens it.
    pub(crate) fn open(ruby: Ruby, redis_url: &str) -> Self {
        let web = SidekiqWeb::start(ruby, redis_url);
        let screenshots = screenshots();
        fs::create_dir_all(&screenshots).unwrap();
        Self { browser: Browser::start(), web, screenshots, version: ruby.profile() }
    }

    /// Goes to a page, such as `busy`.
    pub(crate) fn visit(&self, path: &str) -> Page {
        self.browser.open(&self.web.url(path));
        self.look()
    }

    /// What is there now.
    pub(crate) fn look(&self) -> Page {
        self.browser.evaluate(include_str!("page.js"))
    }

    /// Goes to a page, again and again, until it shows what is expected.
    pub(crate) fn until_shown(&self, path: &str, what: &str, expected: impl Fn(&Page) -> bool) -> Page {
        let start = Instant::now();
        loop {
            let page = self.visit(path);
            if expected(&page) {
                return page;
            }
            if start.elapsed() > PATIENCE {
                self.keep("failed");
                panic!("Sidekiq {} does not show {what} on /{path}, but: {page:#?}", self.version);
            }
            thread::sleep(PAUSE);
        }
    }

    /// Keeps what the window shows, for people to look at.
    pub(crate) fn keep(&self, name: &str) {
        self.browser.screenshot(&self.screenshots.join(format!("{}-{name}.png", self.version)));
    }

    /// Ticks the row with this text.
    pub(crate) fn tick(&self, row: &str) {
        let xpath = format!("{}//input[@type='checkbox']", row_with(row));
        assert!(self.browser.click(&xpath), "no {xpath}: {:#?}", self.look());
    }

    /// Presses the first button of this name, such as `retry`.
    pub(crate) fn press(&self, name: &str) {
        self.click_through(&format!("//*[@type='submit' and @name='{name}']"));
    }

    /// Presses the button of this name in the row with this text.
    pub(crate) fn press_in_row(&self, row: &str, name: &str) {
        self.click_through(&format!("{}//*[@type='submit' and @name='{name}']", row_with(row)));
    }

    /// Follows the link in this column, counted from 1, of the row with this text.
    pub(crate) fn follow(&self, row: &str, column: usize) -> Page {
        self.click_through(&format!("{}/td[{column}]//a", row_with(row)));
        self.look()
    }

    fn click_through(&self, xpath: &str) {
        assert!(self.browser.click_through(xpath), "no {xpath}: {:#?}", self.look());
    }
}

/// The `XPath` of it.
fn row_with(text: &str) -> String {
    format!("//tr[contains(normalize-space(.), '{text}')]")
}

impl Page {
    /// The rows of the table that has this column.
    pub(crate) fn rows(&self, column: &str) -> Vec<&Row> {
        self.rows.iter().filter(|row| row.contains_key(column)).collect()
    }

    /// The only row that has this text somewhere.
    pub(crate) fn row(&self, text: &str) -> &Row {
        let found: Vec<&Row> = self.rows.iter().filter(|row| has(row, text)).collect();
        assert_eq!(found.len(), 1, "rows with {text} on {self:#?}");
        found[0]
    }

    /// Whether a row has this text somewhere.
    pub(crate) fn has_row(&self, text: &str) -> bool {
        self.rows.iter().any(|row| has(row, text))
    }
}

/// Where pictures of pages are kept.
pub(crate) fn screenshots() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots")
}

fn has(row: &Row, text: &str) -> bool {
    row.values().any(|value| value.contains(text))
}

/// Whether a point in time that a page shows is not far from this moment.
pub(crate) fn is_about_now(shown: &str) -> bool {
    DateTime::parse_from_rfc3339(shown).is_ok_and(|time| (time.to_utc() - Utc::now()).abs() < NEAR)
}
